"""`ringfence policy replay`: what a replay found, for people, as JSON and as a chart."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any, Literal

import orjson
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from governance.audit.reader import Query, logs, lost, read
from governance.decision import Action, Mode
from governance.errors import AuditUnavailable, ConfigInvalid, PolicyUnavailable
from governance.policy.bundle import BUILTIN, Bundle, load_known
from governance.policy.engine import AUTO
from governance.policy.impact.changes import CHANGES, LOOSER, NEW_ALLOWS, NEW_DENIALS
from governance.policy.impact.engines import planned
from governance.policy.impact.explain_report import page, visible
from governance.policy.impact.replay import RECORDED, Named, Report, Wanted, moment, replay
from governance.svg import label, xml

_Modes = Mapping[str, Mode] | None
_Parameters = Mapping[str, Mapping[str, Any]] | None
FailOn = Literal["new-allow", "looser", "any", "never"]

_PROGRESS_AFTER_S = 2.0
_MOST_ROWS = 10
_BAR = 40


def replay_command(
    before: Sequence[str],
    after: Sequence[str],
    audit: Path,
    *,
    since: str | None = None,
    until: str | None = None,
    tenant: str | None = None,
    modes: _Modes = None,
    parameters: _Parameters = None,
    engine: str = AUTO,
    fail_on: FailOn = "never",
    chart: Path | None = None,
    as_json: bool = False,
) -> int:
    """Prints what `after` decides otherwise than `before`. Returns the exit code.

    0 done; 1 when `fail_on` is met, or when it asks for something and no decision could be compared; 2 without a log, or
    with one that is damaged. Raises ConfigInvalid for policies that cannot be used and for a time that is none.
    """
    errors = Console(stderr=True, soft_wrap=True, highlight=False)
    now_us = time.time_ns() // 1_000
    wanted = Wanted(
        since=None if since is None else moment(since, now_us),
        until=None if until is None else moment(until, now_us),
        tenant=tenant,
    )
    old = RECORDED if list(before) == [RECORDED] else planned(_bundle(before, modes, parameters), engine)
    new = planned(_bundle(after, modes, parameters), engine)
    try:
        if not logs(audit):
            errors.print(visible(f"no audit log under `{audit}`"))
            return 2
        for gone in lost(audit):
            errors.print(visible(gone))
        with _progress(errors) as progress:
            records = read(audit, Query(kind="decision", since=wanted.since))
            report = asyncio.run(replay(records, old, new, wanted=wanted, engine=engine, progress=progress))
    except AuditUnavailable as error:
        errors.print(visible(f"{error}; run `ringfence audit verify`"))
        return 2
    except PolicyUnavailable as error:
        errors.print(visible(str(error)))
        return 2
    except OSError as error:
        errors.print(visible(f"cannot read `{error.filename or audit}`: {(error.strerror or '').lower()}"))
        return 2
    if chart is not None:
        _write(chart, svg(report))
    if as_json:
        sys.stdout.buffer.write(orjson.dumps(document(report), option=orjson.OPT_APPEND_NEWLINE))
        sys.stdout.flush()
    else:
        show(report, page())
    return _code(report, fail_on, errors)


def _code(report: Report, fail_on: FailOn, errors: Console) -> int:
    if fail_on == "never":
        return 0
    if report.compared == 0:
        errors.print("no decision could be compared, which proves nothing")
        return 1
    if fail_on == "any":
        return 1 if report.changed else 0
    return 1 if report.any_of(NEW_ALLOWS if fail_on == "new-allow" else LOOSER) else 0


def _bundle(sources: Sequence[str], modes: _Modes, parameters: _Parameters) -> Bundle:
    if RECORDED in sources:
        raise ConfigInvalid("`recorded` stands alone, and for --from only")
    return load_known(sources or (BUILTIN,), modes=modes, parameters=parameters)


@contextmanager
def _progress(console: Console) -> Iterator[Any]:
    """A line that appears only where the work takes longer than two seconds."""
    columns = (SpinnerColumn(), TextColumn("{task.completed:,.0f} decisions decided again"), TimeElapsedColumn())
    bar = Progress(*columns, console=console, transient=True)
    task = bar.add_task("", total=None)
    begin = time.monotonic()

    def advance(seen: int) -> None:
        if time.monotonic() - begin > _PROGRESS_AFTER_S:
            bar.start()
            bar.update(task, completed=seen)

    try:
        yield advance
    finally:
        bar.stop()


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigInvalid(f"cannot be written: {(error.strerror or '').lower()}", file=str(path)) from None


# --- JSON ----------------------------------------------------------------------------------------------------------


def document(report: Report) -> dict[str, Any]:
    """The report as JSON; kinds of change that did not occur are left out."""
    return {
        "from": _side(report.before),
        "to": _side(report.after),
        "first": report.first,
        "last": report.last,
        "records": report.records,
        "compared": report.compared,
        "changed": report.changed,
        "new_allows": report.any_of(NEW_ALLOWS),
        "new_denials": report.any_of(NEW_DENIALS),
        "skipped": dict(report.skipped),
        "matrix": [
            {"from": was, "to": is_now, "n": report.matrix.get((was, is_now), 0)}
            for was, is_now in product(Action, Action)
        ],
        "changes": dict(report.changes),
        "by": {dimension: {name: dict(kinds) for name, kinds in rows.items()} for dimension, rows in report.by.items()},
        "examples": dict(report.examples),
        "failures": {"from": report.failures[0], "to": report.failures[1]},
        "evaluations": report.distinct,
        "seconds": round(report.seconds, 3),
    }


def _side(side: Named) -> dict[str, str]:
    return {"name": side.name, "revision": side.revision, "digest": side.digest, "engine": side.engine}


# --- for people ----------------------------------------------------------------------------------------------------


def show(report: Report, console: Console) -> None:
    """Prints the report: the worst news first."""
    console.print(visible(f"from  {_described(report.before)}"))
    console.print(visible(f"to    {_described(report.after)}"))
    console.print(
        visible(
            f"{report.compared:,} of {report.records:,} decisions compared, {report.changed:,} change "
            f"({_when(report.first)} to {_when(report.last)}; {report.distinct:,} evaluations, {report.seconds:.1f} s)"
        )
    )
    for reason, count in sorted(report.skipped.items()):
        console.print(visible(f"not compared: {count:,}, {reason}", "yellow"))
    for side, failures in zip(("from", "to"), report.failures, strict=True):
        if failures:
            console.print(visible(f"a policy of `{side}` failed in {failures:,} decisions", "bold red"))
    _headlines(report, console)
    if report.compared:
        console.print(_matrix(report))
    if report.changes:
        console.print(_bars(report))
        for dimension, rows in report.by.items():
            console.print(_breakdown(dimension, rows))
        console.print(_examples(report))
    if report.before.name == RECORDED:
        console.print(
            "obligations are compared between two sets of policies only: a record names their kinds", style="dim"
        )


def _described(side: Named) -> str:
    return (
        side.name
        if not side.digest
        else f"{side.name} ({side.revision}, digest {side.digest[:12]}, engine {side.engine})"
    )


def _when(ts: int) -> str:
    return f"{datetime.fromtimestamp(ts / 1e6, tz=UTC):%Y-%m-%d %H:%M}" if ts else "never"


def _headlines(report: Report, console: Console) -> None:
    allows, denials = report.any_of(NEW_ALLOWS), report.any_of(NEW_DENIALS)
    if allows:
        console.print(visible(f"{allows:,} refused before would be LET THROUGH", "bold white on red"))
    if denials:
        console.print(visible(f"{denials:,} let through before would be REFUSED", "bold yellow"))
    if report.compared and not report.changed:
        console.print(visible("every decision stays as it is", "bold green"))


def _matrix(report: Report) -> Table:
    table = Table("from \\ to", *(action.value for action in Action), box=None, header_style="bold", pad_edge=False)
    for was in Action:
        cells = [visible(was.value)]
        for is_now in Action:
            count = report.matrix.get((was, is_now), 0)
            kind = f"{was} -> {is_now}"
            style = "bold red" if kind in NEW_ALLOWS else "yellow" if kind in CHANGES else "green"
            cells.append(visible(f"{count:,}" if count else ".", style if count else "dim"))
        table.add_row(*cells)
    return table


def _bars(report: Report) -> Table:
    table = Table("change", "", "decisions", "of compared", "meaning", box=None, header_style="bold", pad_edge=False)
    most = max(report.changes.values())
    for kind, count in report.changes.items():
        bar = Text("\u2588" * max(1, round(_BAR * count / most)), style="red" if kind in LOOSER else "yellow")
        share = f"{100 * count / report.compared:.2f} %"
        table.add_row(visible(kind), bar, f"{count:,}", share, visible(CHANGES[kind], "dim"))
    return table


def _breakdown(dimension: str, rows: Mapping[str, Mapping[str, int]]) -> Table:
    table = Table(dimension, "changes", "what", box=None, header_style="bold", pad_edge=False)
    ranked = sorted(rows.items(), key=lambda row: (-_loosened(row[1]), -sum(row[1].values()), row[0]))
    for name, kinds in ranked[:_MOST_ROWS]:
        what = ", ".join(f"{kind} {kinds[kind]:,}" for kind in CHANGES if kinds.get(kind))
        table.add_row(visible(name), f"{sum(kinds.values()):,}", visible(what))
    if len(ranked) > _MOST_ROWS:
        table.add_row(f"and {len(ranked) - _MOST_ROWS:,} more", "", "all of them are in --json")
    return table


def _loosened(kinds: Mapping[str, int]) -> int:
    return sum(kinds.get(kind, 0) for kind in LOOSER)


def _examples(report: Report) -> Table:
    table = Table("example of", "ringfence explain ...", box=None, header_style="bold", pad_edge=False)
    table.columns[1].overflow = "fold"
    for kind in CHANGES:
        if kind in report.examples:
            table.add_row(visible(kind), visible("  ".join(report.examples[kind])))
    return table


# --- the chart -----------------------------------------------------------------------------------------------------

_WIDTH, _LEFT, _RIGHT, _ROW, _TOP = 800, 210, 165, 28, 84


def svg(report: Report) -> str:
    """The changes as a bar chart (SVG 1.1): title, description and a number beside every bar, so colour says nothing alone."""
    rows = [(kind, count) for kind, count in report.changes.items() if count]
    most = max((count for _, count in rows), default=1)
    height = _TOP + _ROW * max(1, len(rows)) + 34
    title = "What the new policies would change"
    summary = (
        f"{report.changed:,} of {report.compared:,} decisions change: {report.any_of(NEW_ALLOWS):,} refused before are let "
        f"through, {report.any_of(NEW_DENIALS):,} let through before are refused."
    )
    detail = "; ".join(f"{kind}: {count:,}" for kind, count in rows) or "no decision changes"
    lines = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="title desc" '
            f'viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
            f'font-family="system-ui, sans-serif" font-size="14">'
        ),
        f'<title id="title">{xml(title)}</title>',
        f'<desc id="desc">{xml(f"{summary} {detail}.")}</desc>',
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        label(16, 30, title, size=18, weight="bold"),
        label(16, 54, summary, size=13),
    ]
    if not rows:
        lines.append(label(16, _TOP + 19, "No decision changes.", size=14))
    for at, (kind, count) in enumerate(rows):
        lines += _row(_TOP + at * _ROW, kind, count, most, report.compared)
    foot = f"from {_short(report.before)} to {_short(report.after)}, {_when(report.first)} to {_when(report.last)} UTC"
    lines += [label(16, height - 14, foot, size=12, colour="#595959"), "</svg>", ""]
    return "\n".join(lines)


def _row(y: int, kind: str, count: int, most: int, compared: int) -> list[str]:
    length = max(2, round((_WIDTH - _LEFT - _RIGHT) * count / most))
    # Dark enough on white for people and printers (contrast above 4.5 to 1); the words beside them say the same.
    colour = "#b00020" if kind in LOOSER else "#8a5a00" if kind in NEW_DENIALS else "#005a9c"
    share = 100 * count / max(1, compared)
    return [
        label(_LEFT - 10, y + 19, kind, size=14, anchor="end"),
        f'<rect x="{_LEFT}" y="{y + 4}" width="{length}" height="{_ROW - 8}" fill="{colour}"/>',
        label(_LEFT + length + 8, y + 19, size=14, text=f"{count:,} ({share:.2f} %)"),
    ]


def _short(side: Named, most: int = 40) -> str:
    name = side.name if len(side.name) <= most else f"...{side.name[-most:]}"
    return f"{name} {side.revision[:12]}".strip()
