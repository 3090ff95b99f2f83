"""The one rule for findings that overlap."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from dataclasses import replace

from governance.finding import Finding
from governance.segment import Span


def _rank(finding: Finding) -> tuple[bool, int, int, int, str]:
    span = finding.span
    return (not finding.validated, span.start - span.end, -finding.permille, span.start, finding.entity_type)


def merge_same_type(findings: Iterable[Finding]) -> list[Finding]:
    """`findings` with overlapping ones of one type joined: the union of the spans, the rest from the stronger."""
    merged: list[Finding] = []
    for finding in sorted(findings, key=lambda each: (each.entity_type, each.span.start, _rank(each))):
        last = merged[-1] if merged else None
        if last is None or last.entity_type != finding.entity_type or finding.span.start >= last.span.end:
            merged.append(finding)
            continue
        stronger = min(last, finding, key=_rank)
        union = Span(start=last.span.start, end=max(last.span.end, finding.span.end))
        merged[-1] = stronger if stronger.span == union else replace(stronger, span=union)
    return merged


def settle(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings of one text of which no two overlap, sorted by start.

    Validated beats unvalidated, then longer beats shorter, then the higher score; the loser is dropped.
    """
    taken: list[tuple[int, int]] = []
    kept: list[Finding] = []
    for finding in sorted(merge_same_type(findings), key=_rank):
        start, end = finding.span.start, finding.span.end
        at = bisect_left(taken, (end, 0))
        if at and taken[at - 1][1] > start:
            continue
        insort(taken, (start, end))
        kept.append(finding)
    return tuple(sorted(kept, key=lambda each: each.span.start))
