"""What a scan shows: a table for each file, one for all, and the same as JSON. Never the text that was found."""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any, TextIO, final

from classifiers.scan_document import Document, Hit
from classifiers.scan_sources import Reason, Skipped
from governance.finding import Finding

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.progress import Progress

PIPED_WIDTH = 120
PATIENCE_S = 2.0
# Of a file in tables; --json has all of them.
MOST_ROWS = 50
_MOST_TOLD = 20
# From here on there is room to say in words what was found, without and with places beside it.
_WIDE, _WIDEST = 110, 150


# --- JSON ----------------------------------------------------------------------------------------------------------


def finding_fields(finding: Finding, start: int, end: int) -> dict[str, Any]:
    """The fields of a finding in every JSON answer, in their order; `via` only where something was decoded."""
    fields: dict[str, Any] = {
        "entity_type": finding.entity_type,
        "start": start,
        "end": end,
        "score": finding.permille / 1000,
        "detector": finding.detector,
        "country": finding.country,
    }
    if finding.via:
        fields["via"] = finding.via
    return fields


def document_fields(document: Document) -> dict[str, Any]:
    """One file as JSON."""
    fields: dict[str, Any] = {
        "file": document.shown,
        "format": document.kind.value,
        "status": document.status.value,
        "findings": [_hit_fields(hit) for hit in document.hits],
        "sensitivity": [{"label": name, "score": document.labels[name] / 1000} for name in sorted(document.labels)],
        "jurisdictions": [
            {"code": code, "score": document.jurisdictions[code] / 1000} for code in sorted(document.jurisdictions)
        ],
        "residency_labels": list(document.residency_labels),
    }
    if left_out := sum(document.found.values()) - len(document.hits):
        fields["findings_left_out"] = left_out
    if document.problem:
        fields["problem"] = document.problem
    return fields


def _hit_fields(hit: Hit) -> dict[str, Any]:
    fields = finding_fields(hit.finding, hit.start, hit.end)
    fields |= {"name": hit.name, "why": hit.why, "line": hit.line, "column": hit.column}
    if hit.place:
        fields["place"] = hit.place
    return fields


def skipped_fields(skipped: Skipped) -> dict[str, Any]:
    """A file that was not read, as JSON."""
    fields = {"file": skipped.shown, "status": "skipped", "reason": skipped.reason.value}
    return fields | {"problem": skipped.detail} if skipped.detail else fields


def write_line(document: dict[str, Any], sink: TextIO) -> None:
    """One JSON object on a line of its own, at once."""
    sink.write(json.dumps(document, separators=(",", ":")) + "\n")
    sink.flush()


# --- sums ----------------------------------------------------------------------------------------------------------


@final
class Sum:
    """What all files come to. Not shared."""

    def __init__(self) -> None:
        self.files = 0
        self.size = 0
        self.found_in = 0
        self.hits: Counter[str] = Counter()
        self.checked: Counter[str] = Counter()
        self.files_with: Counter[str] = Counter()
        self.labels: dict[str, int] = {}
        self.jurisdictions: dict[str, int] = {}
        self.residency_labels: set[str] = set()
        self.skipped: Counter[Reason] = Counter()
        self.troubles: list[tuple[str, str]] = []
        self.notes: list[tuple[str, str]] = []
        self.copies = 0

    def add(self, document: Document) -> None:
        """Counts a file in."""
        self.files += 1
        self.size += document.size
        self.hits.update(document.found)
        self.checked.update(document.checked)
        self.files_with.update(document.found.keys())
        self.found_in += bool(document.found)
        _keep_most(self.labels, document.labels)
        _keep_most(self.jurisdictions, document.jurisdictions)
        self.residency_labels.update(document.residency_labels)
        if document.trouble:
            self.troubles.append((document.shown, document.problem or f"not read to its end ({document.status})"))
        elif document.problem:
            self.notes.append((document.shown, document.problem))

    def skip(self, skipped: Skipped) -> None:
        """Counts a file in that was not read."""
        self.skipped[skipped.reason] += 1
        if skipped.trouble:
            self.trouble(skipped.shown, f"{skipped.reason}: {skipped.detail}" if skipped.detail else skipped.reason)

    def trouble(self, shown: str, what: str) -> None:
        """Notes what went wrong with a file."""
        self.troubles.append((shown, what))

    @property
    def found(self) -> int:
        """The number of findings."""
        return self.hits.total()

    def fields(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "files": self.files,
            "files_with_findings": self.found_in,
            "bytes": self.size,
            "findings": self.found,
            "entities": [
                {
                    "entity_type": entity,
                    "findings": self.hits[entity],
                    "checked": self.checked[entity],
                    "files": self.files_with[entity],
                }
                for entity in self.order()
            ],
            "sensitivity": [{"label": name, "score": self.labels[name] / 1000} for name in sorted(self.labels)],
            "jurisdictions": [
                {"code": code, "score": self.jurisdictions[code] / 1000} for code in sorted(self.jurisdictions)
            ],
            "residency_labels": sorted(self.residency_labels),
            "skipped": {reason.value: self.skipped[reason] for reason in Reason if self.skipped[reason]},
            "troubles": [{"file": shown, "problem": what} for shown, what in self.troubles],
            "notes": [{"file": shown, "problem": what} for shown, what in self.notes],
        }

    def order(self) -> Sequence[str]:
        """The entities, the most frequent first."""
        return sorted(self.hits, key=lambda entity: (-self.hits[entity], entity))


def _keep_most(kept: dict[str, int], added: Mapping[str, int]) -> None:
    for name, permille in added.items():
        kept[name] = max(kept.get(name, 0), permille)


# --- for people ----------------------------------------------------------------------------------------------------


def plain(text: str) -> str:
    """`text` as no terminal takes it for anything but text."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)


def console_for(stream: TextIO) -> Console:
    """The console on `stream`. A pipe has no width of its own; letters that `stream` has no code for are marked."""
    from rich.console import Console  # noqa: PLC0415 - only people need it

    if isinstance(stream, TextIOWrapper):
        stream.reconfigure(errors="replace")
    piped = "COLUMNS" not in os.environ and not stream.isatty()
    return Console(file=stream, width=PIPED_WIDTH if piped else None, highlight=False)


def file_table(document: Document, width: int) -> RenderableType:
    """The findings of one file: where, what, how sure and why."""
    from rich.console import Group  # noqa: PLC0415 - only people need it
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    shown, found = document.hits[:MOST_ROWS], sum(document.found.values())
    title = Text.assemble((plain(document.shown), "bold"), f"  {found:,} found" if found else "  nothing found")
    more = found - len(shown)
    table = Table(box=None, pad_edge=False, header_style="dim", show_header=bool(found))
    wide = width >= (_WIDEST if any(hit.place for hit in shown) else _WIDE)
    columns = [column for column in _columns(wide=wide) if not column[3] or any(column[2](hit) for hit in shown)]
    for heading, style, _, _ in columns:
        table.add_column(heading, **style)
    for hit in shown:
        table.add_row(*(Text(plain(value(hit)), style=_STYLES.get(value(hit), "")) for _, _, value, _ in columns))
    rest = f"and {more:,} more; --json has all of them" if more else ""
    return Group(title, table, Text(f"{rest}\n" if rest else "", style="dim"))


_STYLES: Mapping[str, str] = {"checked": "green", "context": "yellow", "shape": "dim"}
_RIGHT: Mapping[str, Any] = {"justify": "right", "no_wrap": True}
_WHOLE: Mapping[str, Any] = {"no_wrap": True}
_FOLDED: Mapping[str, Any] = {"overflow": "fold"}
_CUT: Mapping[str, Any] = {"no_wrap": True, "overflow": "ellipsis"}


def _columns(*, wide: bool) -> list[tuple[str, Mapping[str, Any], Any, bool]]:
    """(heading, style, value of a hit, only where one has a value)."""
    columns: list[tuple[str, Mapping[str, Any], Any, bool]] = [
        ("line:column", _RIGHT, lambda hit: f"{hit.line}:{hit.column}", False),
        ("entity", _FOLDED, lambda hit: hit.finding.entity_type, False),
        ("country", _WHOLE, lambda hit: hit.finding.country or "", True),
        ("score", _RIGHT, lambda hit: f"{hit.finding.permille / 1000:.2f}", False),
        ("why", _WHOLE, lambda hit: hit.why, False),
        ("length", _RIGHT, lambda hit: str(hit.end - hit.start), False),
        ("via", _FOLDED, lambda hit: hit.finding.via, True),
        ("place", _FOLDED, lambda hit: hit.place, True),
    ]
    if wide:
        columns.append(("what it is", _CUT, lambda hit: hit.name, True))
    return columns


def summary(total: Sum, seconds: float, folder: str = "", *, with_entities: bool = True) -> Iterator[RenderableType]:
    """What all files come to: the entities as a table (of one file they stand in its own), and lines below it."""
    from rich.table import Table  # noqa: PLC0415 - only people need it
    from rich.text import Text  # noqa: PLC0415

    if total.hits and with_entities:
        table = Table(box=None, pad_edge=False, header_style="dim")
        table.add_column("entity", overflow="fold")
        for heading in ("found", "checked", "files"):
            table.add_column(heading, justify="right", no_wrap=True)
        for entity in total.order():
            counts = (total.hits[entity], total.checked[entity], total.files_with[entity])
            table.add_row(entity, *(f"{count:,}" if count else "" for count in counts))
        yield table
        yield Text()
    lines = Table.grid(padding=(0, 2))
    lines.add_column(style="dim", no_wrap=True)
    lines.add_column(overflow="fold")
    for heading, text in _facts(total):
        lines.add_row(heading, Text(plain(text)))
    for heading, style, told in (("trouble", "red", total.troubles), ("note", "yellow", total.notes)):
        for shown, what in told[:_MOST_TOLD]:
            lines.add_row(Text(heading, style=style), Text(plain(f"{shown}: {what}")))
        if len(told) > _MOST_TOLD:
            lines.add_row("", f"and {len(told) - _MOST_TOLD} more")
    if folder:
        lines.add_row("copies", Text(plain(f"{_count(total.copies, 'file')} in {folder}")))
    if lines.row_count:
        yield lines
    where = f"{total.found_in:,} of {_count(total.files, 'file')}" if total.files > 1 else _count(total.files, "file")
    found = f"{total.found:,} found in {where}" if total.found else f"nothing found in {_count(total.files, 'file')}"
    yield Text(found).append(f", {_bytes(total.size)} in {seconds:.1f} s", style="dim")


def _facts(total: Sum) -> Iterator[tuple[str, str]]:
    if total.labels:
        yield "speaks of", ", ".join(_scored(total.labels))
    if total.jurisdictions:
        yield "points to", ", ".join(_scored(total.jurisdictions))
    if total.residency_labels:
        yield "marked", ", ".join(sorted(total.residency_labels))
    if total.skipped:
        yield "not read", ", ".join(_count(number, reason) for reason, number in sorted(total.skipped.items()))


def _scored(scores: Mapping[str, int]) -> Iterator[str]:
    return (f"{name} {scores[name] / 1000:.2f}" for name in sorted(scores, key=lambda name: (-scores[name], name)))


_PLURALS: Mapping[str, str] = {
    "folder of tools": "folders of tools (.git, node_modules, ...)",
    "not a file": "pipes, sockets or devices",
    "unreadable": "unreadable",
    "undecodable": "undecodable",
    "too large": "too large",
}


def _count(number: int, what: str) -> str:
    return f"1 {what}" if number == 1 else f"{number:,} {_PLURALS.get(what, what + 's')}"


def _bytes(size: int) -> str:
    for unit, scale in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= scale:
            return f"{size / scale:.1f} {unit}"
    return f"{size} B"


@final
class Watch:
    """A bar on the terminal, from two seconds on; without one where nobody looks. Tables printed meanwhile stand above it."""

    def __init__(self, bar: Progress | None, total: int) -> None:
        self._bar = bar
        self._total = total
        self._done = 0
        self._until = time.monotonic() + PATIENCE_S
        self._task = None if bar is None else bar.add_task("", total=total)

    def share(self, size: int, share: float) -> None:
        """`share` of a file of `size` bytes is read, beside all before it."""
        self._show(self._done + int(size * share))

    def done(self, size: int) -> None:
        """A file of `size` bytes is done with."""
        self._done += size
        self._show(self._done)

    def _show(self, done: int) -> None:
        if self._bar is None or self._task is None or time.monotonic() < self._until:
            return
        self._bar.start()
        self._bar.update(self._task, completed=min(done, self._total))


@contextmanager
def watching(total: int, console: Console) -> Iterator[Watch]:
    """A Watch over `total` bytes, on the terminal that `console` is or on standard error."""
    on = console if console.is_terminal else None
    if on is None and sys.stderr is not None and sys.stderr.isatty():
        on = console_for(sys.stderr)
    if on is None:
        yield Watch(None, total)
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (TextColumn("scanning"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=on, transient=True)
    try:
        yield Watch(bar, total)
    finally:
        if bar.live.is_started:
            bar.stop()
