"""`ringfence audit show` and `ringfence audit verify`, as functions for the command line.

Exit codes: 0 all is well; 1 problems were found; 2 the log or the request for it cannot be read.
"""

from __future__ import annotations

import dataclasses
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from governance.audit import verify as verification
from governance.audit.reader import Query, logs, lost, read
from governance.audit.verify import Seen, Verdict
from governance.errors import AuditUnavailable

OK, PROBLEMS, UNREADABLE = 0, 1, 2

# A verdict with a thousand problems in each of sixty logs.
_VERDICT_MAX = 16 << 20
_PROGRESS_AFTER_S = 2.0
_PIPED_WIDTH = 200


def show(
    root: Path,
    *,
    decision: str | None = None,
    action: str | None = None,
    kind: str | None = None,
    since: int | None = None,
    last: int | None = 50,
    as_json: bool = False,
) -> int:
    """Prints matching records, oldest first, at most the newest `last` (None: all). Returns the exit code.

    Which records are missing before the oldest segment goes to standard error; what is left is shown.
    """
    errors = Console(stderr=True, soft_wrap=True)
    try:
        if not logs(root):
            errors.print(Text(f"no audit log under `{root}`"))
            return UNREADABLE
        for gone in lost(root):
            errors.print(Text(gone))
        wanted = _newest(read(root, Query(decision=decision, action=action, kind=kind, since=since)), last)
        shown = 0
        if as_json:
            for shown, record in enumerate(wanted, 1):  # noqa: B007  counted for the end
                sys.stdout.buffer.write(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))
            sys.stdout.flush()
        else:
            table = _records_table(wanted)
            shown = table.row_count
            if shown:
                _people().print(table)
        if not shown:
            errors.print(Text("no such record"))
    except AuditUnavailable as error:
        errors.print(Text(f"{error}; run `ringfence audit verify`"))
        return PROBLEMS
    except BrokenPipeError:
        raise
    except OSError as error:
        errors.print(Text(f"cannot read `{error.filename or root}`: {error.strerror}"))
        return UNREADABLE
    return OK


def verify_command(root: Path, *, against: Path | None = None, as_json: bool = False) -> int:
    """Prints the verdict on every log under `root`. Returns the exit code.

    `against` is a file with the JSON output of an earlier run: what it saw must still be there.
    """
    errors = Console(stderr=True, soft_wrap=True)
    try:
        seen = _earlier(against)
        if not logs(root) and not seen:
            errors.print(Text(f"no audit log under `{root}`"))
            return UNREADABLE
        with _progress(errors) as progress:
            verdict = verification.verify(root, against=seen, progress=progress)
    except OSError as error:
        errors.print(Text(f"cannot read `{error.filename or root}`: {error.strerror}"))
        return UNREADABLE
    except ValueError as error:
        reason = "" if isinstance(error, orjson.JSONDecodeError) else f": {error}"
        errors.print(Text(f"`{against}` is not what `ringfence audit verify --json` wrote{reason}"))
        return UNREADABLE
    if as_json:
        document = {"ok": verdict.ok, "logs": [dataclasses.asdict(log) for log in verdict.logs]}
        sys.stdout.buffer.write(orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE))
        sys.stdout.flush()
    else:
        _print_verdict(verdict)
    return OK if verdict.ok else PROBLEMS


def _people() -> Console:
    """The console for tables; a pipe has no width of its own, and an id that was cut is of no use."""
    return Console(width=None if sys.stdout.isatty() else _PIPED_WIDTH)


def _newest(records: Iterator[dict[str, Any]], last: int | None) -> Iterable[dict[str, Any]]:
    return records if last is None else deque(records, maxlen=max(0, last))


def _earlier(path: Path | None) -> dict[str, Seen]:
    if path is None:
        return {}
    with path.open("rb") as stream:
        content = stream.read(_VERDICT_MAX + 1)
    if len(content) > _VERDICT_MAX:
        raise ValueError(f"it has more than {_VERDICT_MAX} bytes")
    match orjson.loads(content):
        case {"logs": [_, *_] as entries}:
            return dict(_seen(entry) for entry in entries)
        case _:
            raise ValueError("it names no log")


def _seen(entry: object) -> tuple[str, Seen]:
    # A verdict of a version that knew no root has none.
    match {"root": None, **entry} if isinstance(entry, dict) else entry:
        case {"log": str(log), "last_seq": int(last_seq), "last_leaf": str(last_leaf), "root": None | str() as root}:
            return log, Seen(last_seq=last_seq, last_leaf=last_leaf, root=root)
        case _:
            raise ValueError("a log in it has no last record")


@contextmanager
def _progress(console: Console) -> Iterator[verification.Progress]:
    """A bar that appears only where the work takes longer than two seconds."""
    columns = (TextColumn("verifying"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=console, transient=True)
    task = bar.add_task("verifying", total=None)
    begin = time.monotonic()

    def advance(done: int, total: int) -> None:
        if time.monotonic() - begin > _PROGRESS_AFTER_S:
            bar.start()
            bar.update(task, completed=done, total=total)

    try:
        yield advance
    finally:
        bar.stop()


def _records_table(records: Iterable[dict[str, Any]]) -> Table:
    table = _folding("seq", "time (UTC)", "log", "kind", "id", "what")
    for record in records:
        try:
            cells = _cells(record)
        except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError):
            raise AuditUnavailable(
                f"record {record['seq']} of the log `{record['origin']}` is not one that a log writes",
                code="audit_corrupt",
            ) from None
        table.add_row(*map(_cell, cells))
    return table


def _folding(*headings: str) -> Table:
    """A table that cuts nothing, however narrow the terminal: what is cut cannot be looked up."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def _cells(record: dict[str, Any]) -> tuple[str, ...]:
    when = datetime.fromtimestamp(record["ts"] / 1e6, tz=UTC)
    return (
        str(record["seq"]),
        f"{when:%Y-%m-%d %H:%M:%S}.{when.microsecond // 1000:03d}",
        record["origin"],
        record["kind"],
        str(record.get("id") or record.get("ref") or ""),
        _what(record),
    )


def _cell(value: str) -> Text:
    """Text, not markup, without control characters: no value of a file may speak to the terminal."""
    return Text("".join(letter if letter.isprintable() else "\ufffd" for letter in value))


def _what(record: dict[str, Any]) -> str:
    match record.get("kind"):
        case "decision":
            found = ", ".join(f"{finding['type']} x{finding['n']}" for finding in record.get("findings", ()))
            more = f"and {record['findings_overflow']} more" if record.get("findings_overflow") else ""
            pool = (record.get("route") or {}).get("pool", "")
            parts: tuple[Any, ...] = (record.get("action"), record.get("code"), record.get("level"), found, more, pool)
        case "outcome":
            outside = "" if record.get("contained", True) else "OUTSIDE THE ALLOW-SET"
            parts = (record.get("status"), str(record.get("code") or ""), record.get("node"), outside)
        case _:
            parts = (record.get("code"), str(record.get("count") or ""))
    return "  ".join(part for part in parts if part)


def _print_verdict(verdict: Verdict) -> None:
    console = _people()
    table = _folding("log", "origin", "segments", "records", "first", "last", "root", "verdict")
    for log in verdict.logs:
        count = len(log.problems) + log.more_problems
        word = Text("intact", style="green") if not count else Text(f"{count} problems", style="bold red")
        numbers = (log.segments, log.records, log.first_seq, log.last_seq)
        table.add_row(_cell(log.log), _cell(log.origin), *map(str, numbers), log.root[:16], word)
    console.print(table)
    if verdict.ok:
        return
    problems = _folding("log", "segment", "offset", "record", "fault", "what it means")
    for log in verdict.logs:
        for problem in log.problems:
            cells = (log.log, problem.segment, str(problem.offset), str(problem.seq), problem.fault, problem.meaning)
            problems.add_row(*map(_cell, cells))
    console.print(problems)
