"""`ringfence model`: a model of one's own made ready, and what a model is and reports."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from classifiers.entity_names import entity_of
from classifiers.model.adoption import draft, overrides, tried, write
from classifiers.model.choice import model_directory
from classifiers.model.decoding import DEFAULT_PERMILLE
from classifiers.model.manifest import Manifest, ModelFiles, read_model, types_of
from classifiers.model.pieces import piece_reader
from classifiers.model.session import ModelReport, ModelSession
from classifiers.scan_report import console_for

if TYPE_CHECKING:
    from rich.console import Console

Row = tuple[str, Sequence[str]]


def init_command(directory: Path, labels: Sequence[str], *, out: Path | None, force: bool, as_json: bool) -> int:
    """Makes the export in `directory` a model directory, once it ran; returns 0. Raises ConfigInvalid and OSError."""
    made = draft(directory, overrides(labels), out=out)
    report = tried(made)
    write(made, force=force)
    if as_json:
        _write({"directory": str(made.target), **document(made.files, report)})
        return 0
    console = console_for(sys.stdout)
    _print(made.files, report, console)
    silent = _unreported(made.files.manifest)
    if silent:
        console.print(f"to report {silent[0]} as well: --label {silent[0]}=ENTITY", markup=False, soft_wrap=True)
    console.print(f"ready: ringfence scan notes.txt --model {made.target}", markup=False, soft_wrap=True)
    return 0


def show_command(model: str, *, as_json: bool) -> int:
    """Prints what the model in a directory, or one that comes with Ringfence, is; returns 0. Raises ConfigInvalid."""
    files = read_model(model_directory(model))
    report = ModelSession(files, piece_reader(files)).report
    if as_json:
        _write(document(files, report))
    else:
        _print(files, report, console_for(sys.stdout))
    return 0


def document(files: ModelFiles, report: ModelReport) -> dict[str, Any]:
    """All that is shown of a model, for a program."""
    manifest = files.manifest
    return {
        "name": manifest.name,
        "version": manifest.version,
        "digest": files.digest,
        "kind": manifest.kind,
        "entities": entities(manifest),
        "not_reported": list(_unreported(manifest)),
        "topics": list(manifest.topics),
        "thresholds": {each: manifest.thresholds.get(each, DEFAULT_PERMILLE) for each in entities(manifest)},
        "topic_thresholds": {each: manifest.topic_thresholds.get(each, DEFAULT_PERMILLE) for each in manifest.topics},
        "window": manifest.window,
        "overlap": manifest.overlap,
        "languages": list(manifest.languages),
        "base": manifest.base,
        "licence": manifest.licence,
        "training": [asdict(each) for each in manifest.training],
        "metrics": dict(manifest.metrics),
        "runs_on": asdict(report),
    }


def entities(manifest: Manifest) -> dict[str, str]:
    """The entity that each reported type of the labels becomes in a finding."""
    types = types_of(manifest.labels)
    if manifest.kind == "ours":
        return {each: entity_of(each) or each for each in types}
    return {each: manifest.entities[each] for each in types if each in manifest.entities}


def _unreported(manifest: Manifest) -> tuple[str, ...]:
    reported = entities(manifest)
    return tuple(each for each in types_of(manifest.labels) if each not in reported)


def _print(files: ModelFiles, report: ModelReport, console: Console) -> None:
    from rich.table import Table  # noqa: PLC0415 - only people need it
    from rich.text import Text  # noqa: PLC0415

    manifest = files.manifest
    console.print(Text.assemble((f"{manifest.name} {manifest.version}", "bold"), f"  {manifest.kind}"))
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for heading, values in _rows(files, report):
        for number, value in enumerate(values):
            table.add_row("" if number else heading, Text(value))
    console.print(table)


def _rows(files: ModelFiles, report: ModelReport) -> Iterable[Row]:
    manifest = files.manifest
    yield "digest", [files.digest]
    yield (
        "runs on",
        [f"{report.device} ({report.provider}), {report.weights} in {report.precision}, {_threads(report)}"],
    )
    yield "reports", _with_thresholds(entities(manifest), manifest.thresholds)
    yield "not reported", [", ".join(_unreported(manifest))] if _unreported(manifest) else []
    yield "topics", _with_thresholds({each: each for each in manifest.topics}, manifest.topic_thresholds)
    yield "window", [f"{manifest.window} pieces, {manifest.overlap} of them shared with the next"]
    yield "languages", [", ".join(manifest.languages)] if manifest.languages else []
    yield "base", [manifest.base] if manifest.base else []
    yield "licence", [manifest.licence] if manifest.licence else []
    yield "training", [f"{each.set}: {each.rows} rows, {each.licence}" for each in manifest.training]
    yield "metrics", [f"{name}: {json.dumps(value)}" for name, value in sorted(manifest.metrics.items())]


def _threads(report: ModelReport) -> str:
    return f"{report.threads} thread" + ("s" if report.threads > 1 else "")


def _with_thresholds(named: Mapping[str, str], thresholds: Mapping[str, int]) -> list[str]:
    return [
        f"{name if entity == name else f'{name} as {entity}'} from {thresholds.get(name, DEFAULT_PERMILLE) / 1000:.2f}"
        for name, entity in named.items()
    ]


def _write(fields: Mapping[str, Any]) -> None:
    print(json.dumps(fields))
