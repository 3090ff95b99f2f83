"""`ringfence scan`: texts, files and folders in, findings out. Shows where and what kind, never what was found.

JSON lines (`--json` with one file or standard input): one object `{"id", "text"}` per line in, one line out for each, in
order, flushed at once:

    {"id": ..., "findings": [{"entity_type", "start", "end", "score", "detector", "country"}],
     "sensitivity": [{"label", "score"}], "jurisdictions": [{"code", "score"}], "residency_labels": []}

`id` is a string or an integer and comes back as it came. Offsets are code points, half open; scores are 0 to 1. A finding
that was seen in something decoded has a further key `via`.
A line that cannot be read gives `{"id": null, "line": <number, from 1>, "error": ...}`; a text that was not read to
its end has a further key `status` (`partial` or `timeout`). After either the exit code is 1, once all lines are done.

Everything else is files: `--json` then writes one object for each file (see `classifiers.scan_report`).

Exit codes: 0, 1 when something could not be read to its end, 3 when `--fail-on` is met, whatever else happened.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO

from classifiers.compiled import PHONE, load_compiled
from classifiers.detector import PatternDetector
from classifiers.extra import ImmediateDetector, OwnRecognizers, load_own
from classifiers.jurisdiction import regions_in_play
from classifiers.meter import PATIENCE
from classifiers.model.choice import chosen_models, composed
from classifiers.phones import DEFAULT_REGIONS
from classifiers.reading import Reader
from classifiers.registries import named_country
from classifiers.rules import CONTEXT_FLOOR, Rule
from classifiers.scan_document import MOST_HITS, Document, Wanted, known_headings, read_document
from classifiers.scan_formats import Format, format_of
from classifiers.scan_redaction import Copies, CopyFailed, Replacements
from classifiers.scan_report import (
    MOST_ROWS,
    Sum,
    Watch,
    console_for,
    document_fields,
    file_table,
    finding_fields,
    skipped_fields,
    summary,
    watching,
    write_line,
)
from classifiers.scan_sources import (
    STANDARD_INPUT,
    Decoder,
    Reason,
    Skipped,
    Source,
    SourceSkipped,
    opened,
    walk,
)
from governance.errors import ConfigInvalid, DetectorUnavailable
from governance.finding import Detection, DetectionStatus, Finding
from governance.segment import Role, TextSegment
from governance.sensitive import SensitiveText
from governance.settings import MODEL_OFF, Classifiers

if TYPE_CHECKING:
    from rich.console import Console

MAX_LINE_BYTES = 16 * 1024 * 1024
DEADLINE_MS = 30_000
FOUND = 3

# Texts come once; what comes again is known by the scan itself.
_CACHED = 256


class FailOn(StrEnum):
    """Which findings end in exit code 3."""

    ANY = "any"
    VALIDATED = "validated"
    NEVER = "never"

    def met(self, found: int, validated: int) -> bool:
        """Whether one is among so many that were found, and so many of them validated."""
        return self is not FailOn.NEVER and (found if self is FailOn.ANY else validated) > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanOptions:
    """What the command line asks for. `min_score` is 0 to 1, None for what the rules say; `redact` is a folder.

    `classifiers` are the settings of that name, and `jurisdiction` that of the origin: telephone numbers are read
    as people write them there.
    """

    as_json: bool = False
    form: Format = Format.AUTO
    only_summary: bool = False
    min_score: float | None = None
    entities: Sequence[str] = ()
    countries: Sequence[str] = ()
    fail_on: FailOn = FailOn.NEVER
    redact: Path | None = None
    force: bool = False
    classifiers: Classifiers = field(default_factory=lambda: Classifiers(model=MODEL_OFF))
    jurisdiction: str = "unknown"


class _BadLine(Exception):
    """The line holds no text; the message quotes nothing of it."""


def scan_command(paths: Sequence[str], options: ScanOptions, *, replacements: Replacements | None = None) -> int:
    """Scans `paths` (`-` for standard input) for the command line; returns the exit code.

    `replacements` is what makes copies. Raises ConfigInvalid for paths and options that cannot be used.
    """
    if sys.stdout is None:
        raise ConfigInvalid("standard output is closed; nothing could be answered")
    if _is_lines(paths, options):
        with ExitStack() as held:
            stream = _opened(paths[0], held)
            watched = held.enter_context(_watched(stream))
            own = load_own(options.classifiers.recognizers)
            detector, _, found = _detector(options, own, held)
            wanted = _wanted(options, found, own)
            return scan_stream(watched, sys.stdout, detector=detector, wanted=wanted, fail_on=options.fail_on)
    if STANDARD_INPUT in paths and (len(paths) > 1 or options.redact is not None):
        raise ConfigInvalid("standard input is scanned alone and without --redact")
    return _scan_files(paths, options, replacements)


def _is_lines(paths: Sequence[str], options: ScanOptions) -> bool:
    return (
        options.as_json
        and len(paths) == 1
        and options.form is Format.AUTO
        and not options.only_summary
        and options.redact is None
        and (paths[0] == STANDARD_INPUT or not Path(paths[0]).is_dir())
    )


def _detector(
    options: ScanOptions, own: OwnRecognizers, held: ExitStack
) -> tuple[ImmediateDetector, Mapping[str, Rule], frozenset[str]]:
    """The detector, until `held` ends, its rules by id, and the entities that it is known to find.

    A lower score than the rules ask for is looked for as well.

    Raises ConfigInvalid where recognisers of the operator's cannot be loaded.
    """
    compiled = load_compiled(more=own.rules)
    floor = CONTEXT_FLOOR if options.min_score is None else min(CONTEXT_FLOOR, round(options.min_score * 1000))
    regions = regions_in_play((options.jurisdiction,), DEFAULT_REGIONS)
    reader = Reader(compiled=compiled, floor_permille=floor, regions=regions, patience=PATIENCE)
    rules, chosen = PatternDetector(reader=reader, max_entries=_CACHED), options.classifiers
    models = chosen_models(chosen)
    detector, model = composed(rules, own, models, held)[chosen.model], models[chosen.model]
    by_rules = {PHONE, *(rule.entity for rule in compiled.rules), *(each.entity for each in own.patterns)}
    entities = frozenset(by_rules if model is None else by_rules | model.entities)
    return detector, {rule.id: rule for rule in compiled.rules}, entities


def _wanted(options: ScanOptions, found: frozenset[str], own: OwnRecognizers) -> Wanted:
    """What is reported, of the entities that are `found`. A class of the operator's may find anything.

    Else an entity that nothing finds is refused.
    """
    for entity in options.entities:
        if entity not in found and not own.classes:
            raise ConfigInvalid(f"no rule finds `{entity}`; see: ringfence rules list")
    return Wanted(
        permille=0 if options.min_score is None else round(options.min_score * 1000),
        entities=frozenset(options.entities),
        countries=frozenset(map(named_country, options.countries)),
    )


# --- JSON lines ----------------------------------------------------------------------------------------------------


def scan_stream(
    source: BinaryIO,
    sink: TextIO,
    *,
    detector: ImmediateDetector | None = None,
    wanted: Wanted | None = None,
    fail_on: FailOn = FailOn.NEVER,
) -> int:
    """Answers every line of `source` on `sink`; returns the exit code: 0, 1 after a bad or unfinished line, or FOUND."""
    detector = detector or PatternDetector()
    exit_code, found = 0, False
    for number, line in enumerate(_lines(source), start=1):
        if number == 1 and line is not None:
            line = line.removeprefix(BOM_UTF8)  # noqa: PLW2901 - the mark belongs to no line
        try:
            answer, findings = _answer(line, detector, wanted or Wanted())
            found = found or fail_on.met(len(findings), sum(each.validated for each in findings))
        except (_BadLine, DetectorUnavailable) as bad:
            answer = {"id": None, "line": number, "error": str(bad)}
        if "error" in answer or "status" in answer:
            exit_code = 1
        write_line(answer, sink)
    return FOUND if found else exit_code


def _opened(source: str, held: ExitStack) -> BinaryIO:
    if source != STANDARD_INPUT:
        try:
            return held.enter_context(Path(source).open("rb"))
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "not a path"
            raise ConfigInvalid(f"cannot be read: {reason.lower()}", file=source) from None
    if sys.stdin is None:
        raise ConfigInvalid("standard input is closed; name a file")
    if sys.stdin.isatty():
        print("reading standard input; end it with Ctrl-D, or name a file", file=sys.stderr)
    return sys.stdin.buffer


@contextmanager
def _watched(stream: BinaryIO) -> Iterator[BinaryIO]:
    """`stream`; with a bar on the terminal when it is a file and the answers go elsewhere."""
    if not stream.seekable() or sys.stderr is None or not sys.stderr.isatty() or sys.stdout.isatty():
        yield stream
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (TextColumn("scanning"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    size = stream.seek(0, 2)
    stream.seek(0)
    with Progress(*columns, console=console_for(sys.stderr), transient=True) as bar:
        yield bar.wrap_file(stream, total=size)


def _lines(source: BinaryIO) -> Iterator[bytes | None]:
    """Lines without their end; None for one over the limit, of which no more than the limit is ever held."""
    while line := source.readline(MAX_LINE_BYTES + 1):
        if len(line) <= MAX_LINE_BYTES or line.endswith(b"\n"):
            yield line.rstrip(b"\r\n")
            continue
        while line and not line.endswith(b"\n"):
            line = source.readline(MAX_LINE_BYTES)
        yield None


def _answer(
    line: bytes | None, detector: ImmediateDetector, wanted: Wanted
) -> tuple[dict[str, Any], Sequence[Finding]]:
    text_id, text = _parse(line)
    detection = _detect(text, detector)
    findings = [finding for finding in detection.findings if finding in wanted]
    answer: dict[str, Any] = {
        "id": text_id,
        "findings": [finding_fields(each, each.span.start, each.span.end) for each in findings],
        "sensitivity": [{"label": label.name, "score": label.permille / 1000} for label in detection.labels],
        "jurisdictions": [{"code": each.code, "score": each.permille / 1000} for each in detection.jurisdictions],
        "residency_labels": list(detection.residency_labels),
    }
    if detection.status is not DetectionStatus.COMPLETE:
        answer["status"] = detection.status.value
    return answer, findings


def _parse(line: bytes | None) -> tuple[str | int, str]:
    if line is None:
        raise _BadLine(f"line is over {MAX_LINE_BYTES} bytes")
    try:
        value = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError:
        raise _BadLine("line is not utf-8") from None
    except (ValueError, RecursionError):
        raise _BadLine("line is not a json document; --format reads files of other kinds") from None
    if not isinstance(value, dict):
        raise _BadLine("line is not a json object")
    text_id, text = value.get("id"), value.get("text")
    if not isinstance(text_id, str | int) or isinstance(text_id, bool):
        raise _BadLine("`id` is not a string or an integer")
    if not isinstance(text, str):
        raise _BadLine("`text` is not a string")
    return text_id, text


def _detect(text: str, detector: ImmediateDetector) -> Detection:
    segment = TextSegment(role=Role.USER, place="/text", text=SensitiveText(text))
    return detector.detect_now([segment], deadline_ms=DEADLINE_MS)


# --- files and folders ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scan:
    """What every file is read with."""

    options: ScanOptions
    detect: Callable[[str], Detection]
    rules: Mapping[str, Rule]
    headings: frozenset[str]
    wanted: Wanted
    copies: Copies | None


def _scan_files(paths: Sequence[str], options: ScanOptions, replacements: Replacements | None) -> int:
    started = time.monotonic()
    with ExitStack() as held:
        total = Sum()
        sources, skipped = _listed(paths, options, held)
        own = load_own(options.classifiers.recognizers)
        detector, rules, found = _detector(options, own, held)
        wanted = _wanted(options, found, own)
        copies = None
        if options.redact is not None:
            if replacements is None:
                raise ConfigInvalid("copies cannot be made here")
            # Last, for it makes the folder.
            copies = Copies(options.redact, replacements, force=options.force)
            copies.admit(sources)
        scan = _Scan(
            options=options,
            detect=lambda text: _detect(text, detector),
            rules=rules,
            headings=known_headings(rules.values()),
            wanted=wanted,
            copies=copies,
        )
        console = console_for(sys.stdout)
        for each in skipped:
            _tell_skipped(each, total, options)
        failed = False
        with watching(sum(source.size for source in sources), console) as watch:
            for source in sources:
                failed = _scan_file(source, scan, total, console, watch) or failed
                watch.done(source.size)
    if not options.as_json:
        many = len(sources) + len(skipped) > 1 or options.only_summary
        _tell_sum(total, console, time.monotonic() - started, options.redact, many=many)
    elif options.only_summary:
        write_line(total.fields(), sys.stdout)
    if failed:
        return FOUND
    return 1 if total.troubles else 0


def _listed(paths: Sequence[str], options: ScanOptions, held: ExitStack) -> tuple[list[Source], list[Skipped]]:
    """Everything to read, and what is not."""
    if list(paths) == [STANDARD_INPUT]:
        return [_spooled(_opened(STANDARD_INPUT, held), held)], []
    sources: list[Source] = []
    skipped: list[Skipped] = []
    for each in walk(paths, without=options.redact):
        if isinstance(each, Source):
            sources.append(each)
        else:
            skipped.append(each)
    return sources, skipped


def _spooled(stream: BinaryIO, held: ExitStack) -> Source:
    """Standard input as a file that nobody else can open: it may be larger than memory."""
    copy = held.enter_context(tempfile.TemporaryFile())  # noqa: SIM115  the stack closes it
    while chunk := stream.read(1 << 20):
        copy.write(chunk)
    copy.seek(0)
    size = copy.seek(0, 2)
    copy.seek(0)
    return Source(
        path=Path(f"/proc/self/fd/{copy.fileno()}"),
        shown=STANDARD_INPUT,
        relative=PurePath("standard-input"),
        size=size,
        named=True,
    )


def _scan_file(source: Source, scan: _Scan, total: Sum, console: Console, watch: Watch) -> bool:
    """Reads one file and tells what it holds; returns whether `--fail-on` is met."""
    options = scan.options
    try:
        with opened(source) as stream:
            decoder = Decoder(source, stream)
            document = read_document(
                source,
                decoder,
                format_of(options.form, source.path),
                scan.detect,
                rules=scan.rules,
                headings=scan.headings,
                wanted=scan.wanted,
                whole=scan.copies is not None,
                most_hits=MOST_HITS if options.as_json else MOST_ROWS,
                told=lambda share: watch.share(source.size, share),
            )
    except SourceSkipped as error:
        _tell_skipped(error.skipped, total, options)
        return False
    except DetectorUnavailable as error:
        document = Document(
            shown=source.shown, kind=options.form, status=DetectionStatus.FAILED, problem=str(error), size=source.size
        )
    if scan.copies is not None:
        try:
            scan.copies.write(source, document, decoder.encoded)
            total.copies += 1
        except CopyFailed as error:
            problem = f"{document.problem}; {error}" if document.problem else str(error)
            document = replace(document, problem=problem, copied=False)
    total.add(document)
    if not options.only_summary:
        if options.as_json:
            write_line(document_fields(document), sys.stdout)
        elif document.hits:
            console.print(file_table(document, console.width))
    return options.fail_on.met(sum(document.found.values()), sum(document.checked.values()))


def _tell_skipped(skipped: Skipped, total: Sum, options: ScanOptions) -> None:
    total.skip(skipped)
    if options.as_json and not options.only_summary and skipped.reason is not Reason.FOLDER:
        write_line(skipped_fields(skipped), sys.stdout)


def _tell_sum(total: Sum, console: Console, seconds: float, folder: Path | None, *, many: bool) -> None:
    for part in summary(total, seconds, "" if folder is None else str(folder), with_entities=many):
        console.print(part)
