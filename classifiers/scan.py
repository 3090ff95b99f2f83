"""`ringfence scan`: texts in, findings out. Shows offsets and types, never the text that was found.

JSON lines: one object `{"id", "text"}` per line in, one line out for each, in order, flushed at once:

    {"id": ..., "findings": [{"entity_type", "start", "end", "score", "detector", "country"}],
     "sensitivity": [{"label", "score"}], "jurisdictions": [{"code", "score"}], "residency_labels": []}

`id` is a string or an integer and comes back as it came. Offsets are code points, half open; scores are 0 to 1.
A line that cannot be read gives `{"id": null, "line": <number, from 1>, "error": ...}`; a text that was not read to
its end has a further key `status` (`partial` or `timeout`). After either the exit code is 1, once all lines are done.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO

from classifiers.detector import PatternDetector
from governance.errors import ConfigInvalid, DetectorUnavailable
from governance.finding import Detection, DetectionStatus
from governance.segment import Role, TextSegment
from governance.sensitive import SensitiveText

if TYPE_CHECKING:
    from rich.console import RenderableType

MAX_LINE_BYTES = 16 * 1024 * 1024
DEADLINE_MS = 30_000
STANDARD_INPUT = "-"

_PIPED_WIDTH = 120


class _BadLine(Exception):
    """The line holds no text; the message quotes nothing of it."""


def scan_command(source: str, *, as_json: bool) -> int:
    """Scans the file `source` (`-` for standard input) for the command line; returns the exit code.

    0, or 1 when a line or the text could not be read to its end. Raises ConfigInvalid for a source that cannot be used.
    """
    if sys.stdout is None:
        raise ConfigInvalid("standard output is closed; nothing could be answered")
    with ExitStack() as opened:
        stream = _opened(source, opened)
        if as_json:
            return scan_stream(opened.enter_context(_watched(stream)), sys.stdout)
        return _scan_document(stream, source)


def scan_stream(source: BinaryIO, sink: TextIO, *, detector: PatternDetector | None = None) -> int:
    """Answers every line of `source` on `sink`; returns the exit code: 0, or 1 after a bad or unfinished line."""
    detector = detector or PatternDetector()
    exit_code = 0
    for number, line in enumerate(_lines(source), start=1):
        try:
            answer = _answer(line, detector)
        except (_BadLine, DetectorUnavailable) as bad:
            answer = {"id": None, "line": number, "error": str(bad)}
        if "error" in answer or "status" in answer:
            exit_code = 1
        sink.write(json.dumps(answer, separators=(",", ":")) + "\n")
        sink.flush()
    return exit_code


def _scan_document(stream: BinaryIO, source: str) -> int:
    from rich.console import Console  # noqa: PLC0415 - only people need it

    raw = stream.read(MAX_LINE_BYTES + 1)
    if len(raw) > MAX_LINE_BYTES:
        raise ConfigInvalid(
            f"is over {MAX_LINE_BYTES} bytes; split it, or use --json with one text a line", file=source
        )
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigInvalid(f"is not UTF-8 at byte {error.start}; convert it first", file=source) from None
    errors = Console(stderr=True)
    with errors.status("reading the text"):
        detection = _detect(text, PatternDetector())
    console = Console(width=None if sys.stdout.isatty() else _PIPED_WIDTH)
    console.print(_table(detection, "" if source == STANDARD_INPUT else source))
    return 0 if detection.status is DetectionStatus.COMPLETE else 1


def _opened(source: str, opened: ExitStack) -> BinaryIO:
    if source != STANDARD_INPUT:
        try:
            return opened.enter_context(Path(source).open("rb"))
        except OSError as error:
            raise ConfigInvalid(f"cannot be read: {(error.strerror or '').lower()}", file=source) from None
    if sys.stdin is None:
        raise ConfigInvalid("standard input is closed; name a file")
    if sys.stdin.isatty():
        print("reading standard input; end it with Ctrl-D, or name a file", file=sys.stderr)
    return sys.stdin.buffer


@contextmanager
def _watched(stream: BinaryIO) -> Iterator[BinaryIO]:
    """`stream`; with a bar on the terminal when it is a file and the answers go elsewhere."""
    if not stream.seekable() or not sys.stderr.isatty() or sys.stdout.isatty():
        yield stream
        return
    from rich.console import Console  # noqa: PLC0415 - only people need it
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (TextColumn("scanning"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    size = stream.seek(0, 2)
    stream.seek(0)
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        yield bar.wrap_file(stream, total=size)


def _table(detection: Detection, title: str) -> RenderableType:
    from rich.table import Table  # noqa: PLC0415 - only people need it
    from rich.text import Text  # noqa: PLC0415 - only people need it

    title_text, caption = (Text(title) if title else None), Text(_caption(detection))
    table = Table(
        title=title_text,
        title_justify="left",
        caption=caption,
        caption_justify="left",
        box=None,
        show_header=bool(detection.findings),
    )
    for heading in ("entity", "start", "end", "score", "country", "validated", "detector"):
        numeric = heading in ("start", "end", "score")
        table.add_column(heading, justify="right" if numeric else "left", overflow="fold")
    for finding in detection.findings:
        table.add_row(
            finding.entity_type,
            str(finding.span.start),
            str(finding.span.end),
            f"{finding.permille / 1000:.2f}",
            finding.country or "",
            "yes" if finding.validated else "",
            finding.detector,
        )
    return table


def _lines(source: BinaryIO) -> Iterator[bytes | None]:
    """Lines without their end; None for one over the limit, of which no more than the limit is ever held."""
    while line := source.readline(MAX_LINE_BYTES + 1):
        if len(line) <= MAX_LINE_BYTES or line.endswith(b"\n"):
            yield line.rstrip(b"\r\n")
            continue
        while line and not line.endswith(b"\n"):
            line = source.readline(MAX_LINE_BYTES)
        yield None


def _answer(line: bytes | None, detector: PatternDetector) -> dict[str, Any]:
    text_id, text = _parse(line)
    detection = _detect(text, detector)
    answer: dict[str, Any] = {
        "id": text_id,
        "findings": [
            {
                "entity_type": finding.entity_type,
                "start": finding.span.start,
                "end": finding.span.end,
                "score": finding.permille / 1000,
                "detector": finding.detector,
                "country": finding.country,
            }
            for finding in detection.findings
        ],
        "sensitivity": [{"label": label.name, "score": label.permille / 1000} for label in detection.labels],
        "jurisdictions": [{"code": each.code, "score": each.permille / 1000} for each in detection.jurisdictions],
        "residency_labels": list(detection.residency_labels),
    }
    if detection.status is not DetectionStatus.COMPLETE:
        answer["status"] = detection.status.value
    return answer


def _parse(line: bytes | None) -> tuple[str | int, str]:
    if line is None:
        raise _BadLine(f"line is over {MAX_LINE_BYTES} bytes")
    try:
        value = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError:
        raise _BadLine("line is not utf-8") from None
    except (ValueError, RecursionError):
        raise _BadLine("line is not a json document") from None
    if not isinstance(value, dict):
        raise _BadLine("line is not a json object")
    text_id, text = value.get("id"), value.get("text")
    if not isinstance(text_id, str | int) or isinstance(text_id, bool):
        raise _BadLine("`id` is not a string or an integer")
    if not isinstance(text, str):
        raise _BadLine("`text` is not a string")
    return text_id, text


def _detect(text: str, detector: PatternDetector) -> Detection:
    segment = TextSegment(role=Role.USER, place="/text", text=SensitiveText(text))
    return detector.detect_now([segment], deadline_ms=DEADLINE_MS)


def _caption(detection: Detection) -> str:
    found = "nothing found" if not detection.findings else f"{len(detection.findings)} found"
    parts = [found if detection.status is DetectionStatus.COMPLETE else f"{found}, {detection.status.value}"]
    parts += [f"{label.name} {label.permille / 1000:.2f}" for label in detection.labels]
    parts += [f"{each.code} {each.permille / 1000:.2f}" for each in detection.jurisdictions]
    return ", ".join([*parts, *detection.residency_labels])
