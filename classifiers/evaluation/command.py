"""`ringfence eval`: how good detectors are on labelled text, side by side."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import orjson

from classifiers.evaluation.detectors import PRESIDIO, subject
from classifiers.evaluation.gates import Gate, Measured, gates, verdicts
from classifiers.evaluation.run import Told, evaluate
from classifiers.evaluation.sources import LabelledSet, Split, from_data, from_file, from_templates
from classifiers.scan_report import PATIENCE_S, console_for, plain
from governance.errors import ConfigInvalid
from governance.frozen import frozen

if TYPE_CHECKING:
    from rich.console import Console

DETECTORS: Final = ("rules+student", PRESIDIO)
NOT_MET: Final = 1


@frozen
class EvalOptions:
    """What the command line asks for. `limit` is for each set; `topic_floor` is 0 to 1; the rest as its help says.

    Gates are for the first of `detectors`; the others stand beside it.
    """

    detectors: Sequence[str] = DETECTORS
    data: Path | None = None
    sets: Sequence[str] = ()
    templates: int = 0
    files: Sequence[Path] = ()
    split: Split = "dev"
    limit: int | None = None
    seed: int = 0
    topic_floor: float = 0.0
    presidio_model: str | None = None
    min_f1: Sequence[str] = ()
    min_recall: Sequence[str] = ()
    max_alarms: Sequence[str] = ()
    min_topic_f1: Sequence[str] = ()
    picture: Path | None = None
    as_json: bool = False
    command: str = field(default="ringfence eval")

    @property
    def gates(self) -> list[Gate]:
        """All bounds, in the order of the options. Raises ConfigInvalid."""
        options = (
            (Measured.F1, self.min_f1),
            (Measured.CHARACTER_RECALL, self.min_recall),
            (Measured.ALARMS, self.max_alarms),
            (Measured.TOPIC_F1, self.min_topic_f1),
        )
        return [gate for measured, values in options for gate in gates(measured, values)]


def eval_command(options: EvalOptions) -> int:
    """Measures and shows; returns the exit code: 0, or NOT_MET where the first detector is beyond a bound.

    Raises ConfigInvalid for options, texts and detectors that cannot be used.
    """
    from classifiers.evaluation.report import document, show, show_verdicts  # noqa: PLC0415 - only who gets here needs it

    if len(set(options.detectors)) < len(options.detectors):
        raise ConfigInvalid("a detector is named twice")
    bounds = options.gates
    if options.picture is not None:
        _check_place(options.picture)
    errors = console_for(sys.stderr)
    with ExitStack() as held:
        # Texts first: what is wrong with them is told before a model is loaded.
        with errors.status("reading labelled texts") as status:
            sets = []
            for each in _sets(options):
                sets.append(each)
                status.update(_plain(f"reading labelled texts: {each.name} has {len(each.texts):,}"))
        _check(sets, options)
        subjects = []
        for name in options.detectors:
            with errors.status(_plain(f"loading {name}")):
                subjects.append(subject(name, presidio_model=options.presidio_model))
            held.callback(subjects[-1].close)
        told = held.enter_context(_progress(errors, sum(len(each.texts) for each in sets) * len(subjects)))
        evaluation = evaluate(
            subjects, sets, topic_floor=round(1000 * options.topic_floor), seed=options.seed, told=told
        )
    judged = verdicts(bounds, evaluation.results[0])
    if options.as_json:
        print(orjson.dumps(document(evaluation, judged, command=options.command)).decode())
    else:
        show(evaluation, console_for(sys.stdout), command=options.command)
    show_verdicts(judged, errors)
    if options.picture is not None:
        from classifiers.evaluation.picture import svg  # noqa: PLC0415

        # Last, for it may fail: a disk is full, a folder is gone.
        _write(options.picture, svg(evaluation))
    return 0 if all(verdict.passed for verdict in judged) else NOT_MET


def _sets(options: EvalOptions) -> Iterator[LabelledSet]:
    if options.sets and options.data is None:
        raise ConfigInvalid("--set names a set in the folder of --data")
    if options.data is None and not options.files and not options.templates:
        raise ConfigInvalid("nothing to measure on: give --data FOLDER, --templates N or --file FILE")
    # What a user wrote is the likeliest to be wrong, and quickly read.
    for path in options.files:
        yield from_file(path, limit=options.limit, seed=options.seed)
    if options.data is not None:
        yield from from_data(options.data, options.sets, split=options.split, limit=options.limit, seed=options.seed)
    if options.templates:
        yield from_templates(options.templates, split=options.split, seed=options.seed)


def _check(sets: Sequence[LabelledSet], options: EvalOptions) -> None:
    names = [each.name for each in sets]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigInvalid(f"two sources are called `{twice[0]}`; rename a file")
    if not any(each.texts for each in sets):
        raise ConfigInvalid(f"no text is in the {options.split} split")


@contextmanager
def _progress(console: Console, total: int) -> Iterator[Told]:
    """A bar over all texts and detectors, from two seconds on; without one where nobody looks."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    task = bar.add_task("", total=total)
    begin = time.monotonic()

    def told(source: str, name: str, texts: int) -> None:
        bar.update(task, advance=texts, description=_plain(f"{name} on {source}"))
        if not bar.live.is_started and time.monotonic() - begin > PATIENCE_S:
            bar.start()

    try:
        yield told
    finally:
        bar.stop()


def _plain(words: str) -> str:
    """`words` as neither a terminal nor the markup of tables takes them for anything but text."""
    from rich.markup import escape  # noqa: PLC0415 - only people need it

    return escape(plain(words))


def _check_place(path: Path) -> None:
    """Raises ConfigInvalid where no file can come to be."""
    if not path.parent.is_dir():
        raise ConfigInvalid("cannot be written: no such folder", file=str(path))
    if path.is_dir():
        raise ConfigInvalid("cannot be written: is a directory", file=str(path))


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigInvalid(f"cannot be written: {(error.strerror or '').lower()}", file=str(path)) from None
