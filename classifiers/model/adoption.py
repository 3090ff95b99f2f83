"""A token-classification export of the Hugging Face libraries as a model directory of ours.

Such an export is a directory with the weights (`model.onnx`, or `onnx/model.onnx`), `tokenizer.json` and `config.json`.
`draft` reads it and makes a manifest, in memory; `tried` loads and runs the model; what ran is written, by `write`.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from classifiers.entity_names import entity_of
from classifiers.model.manifest import (
    LEAST_WINDOW,
    MANIFEST_FILE,
    MAX_TOKENIZER_BYTES,
    MAX_WEIGHTS_BYTES,
    TOKENIZER_FILE,
    WEIGHTS_FILE,
    ModelFiles,
    ModelUnusable,
    parse_manifest,
    read_model,
    types_of,
)
from classifiers.model.pieces import PieceReader, piece_reader
from classifiers.model.session import Execution, ModelReport, ModelSession
from governance.errors import ConfigInvalid
from governance.frozen import frozen

CONFIG_FILE: Final = "config.json"
NESTED: Final = "onnx"
MAX_CONFIG_BYTES: Final = 1 << 20
MAX_LABELS: Final = 1_024
# Attention takes time by the square of the window: five windows of 128 cost less than one of 512.
WINDOW: Final = 128
_OVERLAP: Final = 4
_TASK: Final = "ForTokenClassification"
# Weights beyond what one file holds, as the exporters name them.
_BESIDE: Final = (f"{WEIGHTS_FILE}_data", f"{WEIGHTS_FILE}.data")
# Kinds whose positions begin behind the number of the padding piece.
_OFFSET_POSITIONS: Final = frozenset(
    "roberta xlm-roberta xlm-roberta-xl camembert longformer data2vec-text ibert".split()
)
_PAIR = re.compile(r"([^=]+)=(.*)", re.DOTALL)
_ENTITY = re.compile(r"[A-Z][A-Z0-9_]{1,63}")
_LABEL = re.compile(r"[!-~]{1,64}")


@frozen
class Export:
    """What `config.json` says: the columns of the output in order, and the most pieces that the model reads at once."""

    labels: tuple[str, ...]
    positions: int
    vocabulary: int | None
    architecture: str


@frozen
class Draft:
    """A model directory that is not written yet. `manifest` are the bytes of its manifest.json, `target` is where it will lie."""

    export: Export
    files: ModelFiles
    manifest: bytes
    target: Path


def draft(directory: Path, labels: Mapping[str, str], *, out: Path | None = None) -> Draft:
    """The model in the export at `directory`, as it will lie in `out`, or where it lies. Writes nothing.

    `labels` say for types of the model's labels which entity they are, before the table of `entity_names`; an empty entity
    is not reported. Raises ModelUnusable for the export, ConfigInvalid for `labels`.
    """
    if not directory.is_dir():
        raise ModelUnusable(f"there is no directory `{directory}`: name the one that the model was exported to")
    export = read_config(directory)
    weights_at = _weights_at(directory)
    if weights_at != directory and out is None:
        raise _unusable(
            directory,
            f"{NESTED}/{WEIGHTS_FILE}",
            f"{WEIGHTS_FILE} has to lie beside {MANIFEST_FILE}: pass `--out DIRECTORY`, and both are put there",
        )
    tokenizer_at = directory if (directory / TOKENIZER_FILE).exists() else weights_at
    weights = _read(weights_at, WEIGHTS_FILE, MAX_WEIGHTS_BYTES)
    tokenizer = _read(tokenizer_at, TOKENIZER_FILE, MAX_TOKENIZER_BYTES)
    target = out or directory
    stated = _manifest(export, labels, target, {WEIGHTS_FILE: weights, TOKENIZER_FILE: tokenizer})
    raw = (json.dumps(stated, indent=2) + "\n").encode()
    files = ModelFiles(
        directory=directory,
        manifest=parse_manifest(raw, directory),
        digest=hashlib.sha256(raw).hexdigest(),
        tokenizer=tokenizer,
        weights={WEIGHTS_FILE: weights},
    )
    return Draft(export=export, files=files, manifest=raw, target=target)


def tried(made: Draft, execution: Execution | None = None) -> ModelReport:
    """On what the model of `made` runs: it was loaded, and run on a window of full length. Raises ModelUnusable."""
    reader = piece_reader(made.files)
    _check_vocabulary(made.files, reader, made.export)
    try:
        return ModelSession(made.files, reader, execution).report
    except ModelUnusable as error:
        export = made.export
        raise ModelUnusable(
            f"{error} (its labels are the {len(export.labels)} of `id2label` in {CONFIG_FILE}, its window is"
            f" {made.files.manifest.window} of the {export.positions} pieces that `max_position_embeddings` allows)"
        ) from None


def write(made: Draft, *, force: bool = False) -> None:
    """Puts the files where they will lie, the manifest last, and reads them back. Raises ModelUnusable and OSError.

    What lies there already with another content is replaced only with `force`.
    """
    content = {**made.files.weights, TOKENIZER_FILE: made.files.tokenizer, MANIFEST_FILE: made.manifest}
    missing = {name: data for name, data in content.items() if not _holds(made.target / name, data)}
    taken = [name for name in missing if (made.target / name).exists()]
    if taken and not force:
        raise _unusable(
            made.target, taken[0], "it is there already, with another content: pass `--force` to replace it"
        )
    made.target.mkdir(parents=True, exist_ok=True)
    for name, data in missing.items():
        # Whoever reads meanwhile reads the old file or the new one, and no half of either.
        unfinished = made.target / f".{name}.{os.getpid()}"
        try:
            unfinished.write_bytes(data)
            unfinished.replace(made.target / name)
        finally:
            unfinished.unlink(missing_ok=True)
    read_model(made.target)


def overrides(pairs: Iterable[str]) -> dict[str, str]:
    """What `--label TYPE=ENTITY` say, by type. Raises ConfigInvalid."""
    stated: dict[str, str] = {}
    for pair in pairs:
        matched = _PAIR.fullmatch(pair)
        if matched is None or (matched[2] and _ENTITY.fullmatch(matched[2]) is None):
            raise ConfigInvalid(
                f"`--label {pair[:80]}`: it is TYPE=ENTITY with an entity in capitals, digits and `_`, such as PER=PERSON;"
                " `TYPE=` does not report the type"
            )
        stated[matched[1]] = matched[2]
    return stated


# --- config.json ---------------------------------------------------------------------------------------------------


def read_config(directory: Path) -> Export:
    """What the `config.json` in `directory` says. Raises ModelUnusable."""
    raw = _read(directory, CONFIG_FILE, MAX_CONFIG_BYTES)
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise _unusable(directory, CONFIG_FILE, "it is no JSON object: take the file of the export")
    architecture = _architecture(directory, document)
    return Export(
        labels=_labels(directory, document),
        positions=_positions(directory, document),
        vocabulary=_count(document.get("vocab_size")),
        architecture=architecture,
    )


def _architecture(directory: Path, document: Mapping[str, Any]) -> str:
    """The class that the model was made by; empty where the file does not say. A class of another task is refused."""
    stated = document.get("architectures") or ()
    names = (
        [each for each in stated if isinstance(each, str) and each.isidentifier()] if isinstance(stated, list) else []
    )
    if names and not any(each.endswith(_TASK) for each in names):
        raise _unusable(
            directory,
            CONFIG_FILE,
            f"`architectures` is {names[0][:80]}, which finds nothing in a text: export a model for token classification"
            f" (a class that ends in {_TASK})",
        )
    return next((each[:128] for each in names if each.endswith(_TASK)), "")


def _labels(directory: Path, document: Mapping[str, Any]) -> tuple[str, ...]:
    stated = document.get("id2label")
    if not isinstance(stated, dict) or not 0 < len(stated) <= MAX_LABELS:
        raise _unusable(
            directory,
            CONFIG_FILE,
            f"`id2label` has to name 1 to {MAX_LABELS} labels, by the number of their column: export the model again with it",
        )
    labels = [stated.get(str(number)) for number in range(len(stated))]
    if None in labels:
        raise _unusable(
            directory, CONFIG_FILE, f"`id2label` has no label for column {labels.index(None)}: number them from 0 on"
        )
    plain = [each.replace(" ", "_") if isinstance(each, str) else "" for each in labels]
    for number, each in enumerate(plain):
        if _LABEL.fullmatch(each) is None:
            raise _unusable(
                directory,
                CONFIG_FILE,
                f"`id2label.{number}` is no label of 1 to 64 ASCII characters: rename it there, and by --label say what it is",
            )
        if each in plain[:number]:
            raise _unusable(directory, CONFIG_FILE, f"`id2label.{number}`, {each}, is there twice: rename one of them")
    return tuple(plain)


def _positions(directory: Path, document: Mapping[str, Any]) -> int:
    positions = _count(document.get("max_position_embeddings"))
    if positions is None:
        raise _unusable(
            directory,
            CONFIG_FILE,
            "`max_position_embeddings` has to say how many pieces the model reads at once: add it, as the model's card says it",
        )
    kind = document.get("model_type")
    if kind is not None and not isinstance(kind, str):
        raise _unusable(directory, CONFIG_FILE, "`model_type` is no name: take the file of the export")
    if kind in _OFFSET_POSITIONS:
        positions -= (_count(document.get("pad_token_id")) or 1) + 1
    if positions < LEAST_WINDOW:
        raise _unusable(
            directory,
            CONFIG_FILE,
            f"`max_position_embeddings` leaves {max(0, positions)} pieces, and a window has {LEAST_WINDOW} or more: take the file of the export",
        )
    return positions


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 31 else None


# --- the files -----------------------------------------------------------------------------------------------------


def _manifest(export: Export, labels: Mapping[str, str], target: Path, content: Mapping[str, bytes]) -> dict[str, Any]:
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in content.items()}
    window = min(WINDOW, export.positions)
    return {
        "format": "ringfence.model/1",
        "name": _name(target),
        "version": digests[WEIGHTS_FILE][:12],
        "kind": "token-classification",
        "files": digests,
        "labels": list(export.labels),
        "window": window,
        "overlap": window // _OVERLAP,
        "thresholds": {},
        "entities": _entities(export, labels),
        "base": export.architecture,
    }


def _entities(export: Export, labels: Mapping[str, str]) -> dict[str, str]:
    """Which types are which entity. Raises ConfigInvalid where `labels` speak of others, or nothing would be reported."""
    types = types_of(export.labels)
    for each in labels:
        if each not in types:
            raise ConfigInvalid(f"`--label {each[:80]}=...`: the model has no such type; it has {', '.join(types)}")
    named = {each: labels[each] if each in labels else entity_of(each) for each in types}
    entities = {each: entity for each, entity in named.items() if entity}
    if not entities:
        raise ConfigInvalid(
            f"no type of the model would be reported; it has {', '.join(types) or 'none'}:"
            " say what they are by `--label TYPE=ENTITY`"
        )
    return entities


def _name(directory: Path) -> str:
    """What the model is called in records: its directory's name, in small letters."""
    return re.sub(r"[^a-z0-9._-]+", "-", directory.resolve().name.lower()).strip("._-")[:64] or "model"


def _weights_at(directory: Path) -> Path:
    for place in (directory, directory / NESTED):
        if (place / WEIGHTS_FILE).exists():
            for name in _BESIDE:
                if (place / name).exists():
                    raise _unusable(
                        directory,
                        name,
                        f"the weights lie outside {WEIGHTS_FILE}, where no digest covers them: export the model in one file"
                        " (it may have 2 GB), or quantise it",
                    )
            return place
    raise _unusable(
        directory,
        WEIGHTS_FILE,
        f"it is neither there nor in `{NESTED}`: export the model for token classification to ONNX (optimum-cli export onnx"
        " --task token-classification), or rename the file that you want",
    )


def _check_vocabulary(files: ModelFiles, reader: PieceReader, export: Export) -> None:
    if export.vocabulary is not None and reader.vocabulary > export.vocabulary:
        raise _unusable(
            files.directory,
            TOKENIZER_FILE,
            f"it knows {reader.vocabulary} pieces, and `vocab_size` of {CONFIG_FILE} is {export.vocabulary}:"
            " take the tokenizer.json of the same model",
        )


def _read(directory: Path, name: str, limit: int) -> bytes:
    """The bytes of a regular file, at most `limit`."""
    try:
        with open(directory / name, "rb", opener=_unblocking) as file:
            content = file.read(limit + 1)
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise _unusable(directory, name, f"it cannot be read ({reason}): take it from the export") from None
    if len(content) > limit:
        raise _unusable(directory, name, f"it is larger than {limit} bytes: use a smaller model")
    return content


def _unblocking(path: str, flags: int) -> int:
    """A descriptor that never waits for the other end of a named pipe."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)


def _holds(path: Path, content: bytes) -> bool:
    try:
        return path.stat().st_size == len(content) and path.read_bytes() == content
    except OSError:
        return False


def _unusable(directory: Path, name: str, complaint: str) -> ModelUnusable:
    return ModelUnusable(f"model directory `{directory}`, `{name}`: {complaint}")
