"""What an evaluation shows: tables, and the same as one JSON document. Never a text."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Sequence
from typing import Any, Final

from rich.box import HORIZONTALS
from rich.console import Console
from rich.table import Table
from rich.text import Text

from classifiers.evaluation.curves import Curve
from classifiers.evaluation.gates import MACRO, Measured, Verdict
from classifiers.evaluation.intervals import Interval
from classifiers.evaluation.run import Evaluation, Result, Standing
from classifiers.evaluation.scores import ALL, Counts, Tally
from classifiers.scan_report import plain
from governance.machine import machine

FORMAT: Final = "ringfence.evaluation/1"
_NOTHING = "\u2013"
_LEGEND = (
    "P, R, F1: start, end and type right; F1~: a character in common is enough; F2: a miss counts four times; "
    "char R: characters that would not leak; char P: characters rightly taken; ECE: mean distance of score and share right; "
    "95 %: bootstrap over templates, persons and documents"
)


def show(evaluation: Evaluation, console: Console, *, command: str) -> None:
    """Prints the tables on `console`; `command` is what was typed."""
    console.print(_spans(evaluation))
    console.print(_parts(evaluation))
    if any(name for result in evaluation.results for name in result.whole.sums.topics):
        console.print(_topics(evaluation))
    console.print(Text(_LEGEND, style="dim"))
    for result in evaluation.results:
        unread = f", {result.unread:,} of them not read to the end" if result.unread else ""
        speed = result.characters / result.seconds if result.seconds else 0.0
        console.print(
            Text.assemble(
                (plain(result.name), "bold"),
                f": {plain(result.about) or 'nothing asked'}; {result.texts:,} texts{unread}; {speed:,.0f} characters/s",
            )
        )
    console.print(Text(f"{machine()}, Python {platform.python_version()}; {plain(command)}", style="dim"))


def show_verdicts(verdicts: Sequence[Verdict], console: Console) -> None:
    """One line for each gate that does not pass."""
    for verdict in verdicts:
        if verdict.passed:
            continue
        if verdict.value is None:
            console.print(
                Text(f"not met: {plain(str(verdict.gate))}: nothing there could be measured, which proves nothing")
            )
        else:
            console.print(Text(f"not met: {plain(str(verdict.gate))}: it is {verdict.value:.4g}"))


# --- tables --------------------------------------------------------------------------------------------------------


def _spans(evaluation: Evaluation) -> Table:
    table = _table("Types, over all sets", "type", "detector")
    _numbers(table, "marked", "found", "P", "R", "F1", "95 %", "F1~", "F2", "char R", "char P", "ECE")
    for kind in (*_kinds(evaluation), ALL):
        for at, result in enumerate(evaluation.results):
            standing = result.whole
            tally = standing.sums.total if kind == ALL else standing.sums.tallies.get(kind, Tally())
            kind_curve = result.curves.get(kind)
            table.add_row(
                *("" if at else _name(kind), _name(result.name)),
                *(f"{tally.marked:,}", f"{tally.found:,}"),
                *_measures(tally.exactly),
                _interval(_f1_interval(standing, kind) if tally.marked else None),
                *(_share(tally.relaxed.f(), tally.marked), _share(tally.exactly.f(2), tally.marked)),
                *(
                    _share(tally.character_recall, tally.marked_chars),
                    _share(tally.character_precision, tally.found_chars),
                ),
                _share(kind_curve.calibration_error, len(kind_curve.bins)) if kind_curve else _NOTHING,
                end_section=0 < at == len(evaluation.results) - 1,
            )
    return table


def _parts(evaluation: Evaluation) -> Table:
    table = _table("Sets and languages; alarms of 1,000 clean texts", "set", "", "detector")
    _numbers(table, "texts", "marked", "F1", "95 %", "F1~", "char R", "char P", "alarms", "95 %", "topics")
    for standings in _side_by_side(evaluation):
        for at, (result, standing) in enumerate(standings):
            total, sums, within = standing.sums.total, standing.sums, standing.intervals
            table.add_row(
                *("", "") if at else (_name(standing.source), "" if standing.language == ALL else standing.language),
                _name(result.name),
                *(f"{sums.texts:,}", f"{total.marked:,}"),
                _share(total.exactly.f(), total.marked),
                _interval(within.total_f1 if within and total.marked else None),
                _share(total.relaxed.f(), total.marked),
                _share(total.character_recall, total.marked_chars),
                _share(total.character_precision, total.found_chars),
                f"{sums.alarms_per_thousand:.1f}" if sums.clean else _NOTHING,
                _interval(within.alarms_per_thousand if within and sums.clean else None, digits=0),
                _share(sums.topic_macro, result.has_topics and any(each.marked for each in sums.topics.values())),
                end_section=0 < at == len(standings) - 1,
            )
    return table


def _topics(evaluation: Evaluation) -> Table:
    table = _table("Topics, over all sets", "topic", "detector")
    _numbers(table, "texts", "true", "said", "P", "R", "F1", "95 %")
    results = [result for result in evaluation.results if result.has_topics]
    names = sorted({name for result in results for name in result.whole.sums.topics})
    for name in names:
        for at, result in enumerate(results):
            counts, within = result.whole.sums.topics.get(name, Counts()), result.whole.intervals
            table.add_row(
                *("" if at else _name(name), _name(result.name)),
                *(f"{result.whole.sums.known_topics.get(name, 0):,}", f"{counts.marked:,}", f"{counts.found:,}"),
                *_measures(counts),
                _interval(within.topics.get(name) if within and counts.marked else None),
                end_section=0 < at == len(results) - 1,
            )
    for at, result in enumerate(results):
        within = result.whole.intervals
        measured = any(each.marked for each in result.whole.sums.topics.values())
        table.add_row(
            *("" if at else MACRO, _name(result.name)),
            *("", "", "", "", ""),
            _share(result.whole.sums.topic_macro, measured),
            _interval(within.topic_macro if within and measured else None),
        )
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=HORIZONTALS, padding=(0, 1, 0, 0))
    for name in columns:
        table.add_column(name, overflow="fold")
    return table


def _name(name: str) -> Text:
    """A name from outside, which no brackets in it turn into style."""
    return Text(plain(name))


def _numbers(table: Table, *columns: str) -> None:
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)


def _measures(counts: Counts) -> tuple[str, str, str]:
    return (
        _share(counts.precision, counts.found),
        _share(counts.recall, counts.marked),
        _share(counts.f(), counts.marked),
    )


def _share(value: float, of: float) -> str:
    """`value`, where there was something to measure."""
    return f"{value:.3f}" if of else _NOTHING


def _interval(interval: Interval | None, digits: int = 2) -> str:
    if interval is None:
        return _NOTHING
    return f"{interval.low:.{digits}f}{_NOTHING}{interval.high:.{digits}f}"


def _f1_interval(standing: Standing, kind: str) -> Interval | None:
    if standing.intervals is None:
        return None
    return standing.intervals.total_f1 if kind == ALL else standing.intervals.f1.get(kind)


def _kinds(evaluation: Evaluation) -> list[str]:
    """Types that are marked or found, the most frequent first."""
    marked: dict[str, int] = {}
    for result in evaluation.results:
        for kind, tally in result.whole.sums.tallies.items():
            marked[kind] = max(marked.get(kind, 0), tally.marked)
    return sorted(marked, key=lambda kind: (-marked[kind], kind))


def _side_by_side(evaluation: Evaluation) -> Iterator[list[tuple[Result, Standing]]]:
    """For each set and language, then for all, the standing of each result: all were asked about the same texts."""
    results = evaluation.results
    for standings in zip(*(result.parts for result in results), strict=True):
        yield list(zip(results, standings, strict=True))
    yield [(result, result.whole) for result in results]


# --- JSON ----------------------------------------------------------------------------------------------------------


def document(evaluation: Evaluation, verdicts: Sequence[Verdict], *, command: str) -> dict[str, Any]:
    """All of it. Ratios are 0 to 1 and null where there was nothing to measure; scores are permille."""
    return {
        "format": FORMAT,
        "command": plain(command),
        "machine": machine(),
        "python": platform.python_version(),
        "seed": evaluation.seed,
        "topic_floor": evaluation.topic_floor,
        "detectors": [_result_fields(result) for result in evaluation.results],
        "gates": [
            {
                "option": verdict.gate.measured.value,
                "set": plain(verdict.gate.source),
                "name": plain(verdict.gate.key),
                "at_most" if verdict.gate.measured is Measured.ALARMS else "at_least": verdict.gate.bound,
                "value": verdict.value,
                "passed": verdict.passed,
            }
            for verdict in verdicts
        ],
    }


def _result_fields(result: Result) -> dict[str, Any]:
    return {
        "detector": plain(result.name),
        "about": plain(result.about),
        "texts": result.texts,
        "characters": result.characters,
        "unread": result.unread,
        "seconds": round(result.seconds, 3),
        "all": _standing_fields(result.whole, topics=result.has_topics),
        "sets": [_standing_fields(part, topics=result.has_topics) for part in result.parts],
        "curves": {kind: _curve_fields(each) for kind, each in result.curves.items()},
    }


def _standing_fields(standing: Standing, *, topics: bool) -> dict[str, Any]:
    sums, within = standing.sums, standing.intervals
    fields: dict[str, Any] = {
        "set": plain(standing.source),
        "language": standing.language,
        "texts": sums.texts,
        "clean": sums.clean,
        "alarmed": sums.alarmed,
        "alarms_per_thousand": _number(sums.alarms_per_thousand, sums.clean),
        "alarms_per_thousand_95": _pair(within.alarms_per_thousand if within and sums.clean else None),
        "alarms": dict(sums.alarms),
        "character_recall_95": _pair(within.character_recall if within and sums.total.marked_chars else None),
        "types": {
            kind: _tally_fields(tally, _f1_interval(standing, kind))
            for kind, tally in (*sums.tallies.items(), (ALL, sums.total))
        },
    }
    if topics:
        known = any(each.marked for each in sums.topics.values())
        fields["topics"] = {
            name: {
                "texts": sums.known_topics.get(name, 0),
                **_counts_fields(counts, within.topics.get(name) if within else None),
            }
            for name, counts in sums.topics.items()
        }
        fields["topic_macro_f1"] = _number(sums.topic_macro, known)
        fields["topic_macro_f1_95"] = _pair(within.topic_macro if within and known else None)
    return fields


def _tally_fields(tally: Tally, interval: Interval | None) -> dict[str, Any]:
    return {
        **_counts_fields(tally.exactly, interval),
        "f2": _number(tally.exactly.f(2), tally.marked),
        "overlapping": tally.overlapping,
        "overlap_f1": _number(tally.relaxed.f(), tally.marked),
        "marked_characters": tally.marked_chars,
        "covered_characters": tally.covered_chars,
        "found_characters": tally.found_chars,
        "inside_characters": tally.inside_chars,
        "character_recall": _number(tally.character_recall, tally.marked_chars),
        "character_precision": _number(tally.character_precision, tally.found_chars),
    }


def _counts_fields(counts: Counts, interval: Interval | None) -> dict[str, Any]:
    return {
        "marked": counts.marked,
        "found": counts.found,
        "right": counts.right,
        "precision": _number(counts.precision, counts.found),
        "recall": _number(counts.recall, counts.marked),
        "f1": _number(counts.f(), counts.marked),
        "f1_95": _pair(interval if counts.marked else None),
    }


def _curve_fields(curve: Curve) -> dict[str, Any]:
    return {
        "calibration_error": round(curve.calibration_error, 4),
        "points": [[each.permille, round(each.precision, 4), round(each.recall, 4)] for each in curve.points],
        "bins": [[each.findings, round(each.score, 4), round(each.right, 4)] for each in curve.bins],
    }


def _number(value: float, of: float) -> float | None:
    return round(value, 4) if of else None


def _pair(interval: Interval | None) -> list[float] | None:
    return None if interval is None else [round(interval.low, 4), round(interval.high, 4)]
