"""Runs of digits, and which of their groups can be one number.

A run is digits in groups joined by single blanks, dots, hyphens or slashes. A number is the whole run, what stands between
two blanks or slashes of it, or neighbouring groups of some length that blanks join; never a part of a group.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Container, Iterator

from classifiers.meter import Meter

FEWEST_DIGITS = 4
# No number of the catalogue is longer; longer groups are hashes, identifiers of machines and decimals.
MOST_DIGITS = 40
SEPARATORS = b" ./-"

# Over the shape, in which every digit is 0: a byte that is looked for alone is found fastest.
_SHAPE = bytes(0x30 if chr(each) in "0123456789" else each for each in range(256))
_RUN = re.compile(rb"0+(?:[ ./-]0+)*")
_TOKEN = re.compile(rb"[^ ]+")
# An IPv4 address, a decimal fraction, a version.
_OTHER = re.compile(
    rb"(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})\.){3}(?:25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})|[0-9]+\.[0-9]+"
    rb"|(?:[0-9]{1,5}\.){0,3}[0-9](?:\.[0-9]{1,5}){1,3}"
)
# A law or a case: its number and its year.
_CITED = re.compile(rb"[0-9]{1,4}/(?:19|20)[0-9]{2}|(?:19|20)[0-9]{2}/[0-9]{1,4}")
_DATE = re.compile(
    rb"(?<![0-9])(?:(?:0?[1-9]|[12][0-9]|3[01])([./-])(?:0?[1-9]|1[0-2])\1(?:19|20)[0-9]{2}"
    rb"|(?:0?[1-9]|1[0-2])/(?:0?[1-9]|[12][0-9]|3[01])/(?:19|20)[0-9]{2}"
    rb"|(?:19|20)[0-9]{2}([./-])(?:0?[1-9]|1[0-2])\2(?:0?[1-9]|[12][0-9]|3[01]))(?![0-9])"
)
_GROUP = re.compile(rb"[0-9]+")
_MOST_GROUPS = 10
_FEWEST_INNER = 3


def runs(scan: bytes, meter: Meter) -> Iterator[tuple[int, int]]:
    """Half-open ranges of the runs in `scan` that have four digits or more."""
    shape = scan.translate(_SHAPE)
    start = shape.find(b"0")
    while start >= 0:
        end = _RUN.match(shape, start).end()  # type: ignore[union-attr]  # a digit stands there
        if end - start >= FEWEST_DIGITS:
            meter.charge(1 + (end - start) // 32)
            yield start, end
        start = shape.find(b"0", end)


def reads_otherwise(written: bytes) -> bool:
    """Whether a number without a word beside it is written like something else that many texts hold."""
    return b"." in written and _OTHER.fullmatch(written) is not None


def cites(written: bytes) -> bool:
    """Whether a number is written like that of a law or a case, which no word beside it makes one of a person."""
    return b"/" in written and _CITED.fullmatch(written) is not None


def holds_date(written: bytes) -> bool:
    """Whether a day of the calendar, with its year in full, is a number or stands among the groups of it."""
    return _DATE.search(written) is not None


def grouped_as(written: bytes, groups: Collection[str]) -> bool:
    """Whether a number is written without separators, digit by digit, or in groups whose lengths are one of `groups`."""
    lengths = [len(each) for each in _GROUP.findall(written)]
    return len(lengths) == 1 or max(lengths) == 1 or "-".join(map(str, lengths)) in groups


def numbers(scan: bytes, start: int, end: int, lengths: Container[int]) -> Iterator[tuple[int, int, str]]:
    """(start, end, digits) of the candidates in a run that have a number of digits of `lengths`."""
    run = scan[start:end]
    whole = run.translate(None, SEPARATORS)
    if len(whole) in lengths:
        yield start, end, whole.decode("ascii")
    if len(whole) == len(run):
        return
    groups: list[tuple[int, int]] = []
    for token in _TOKEN.finditer(run):
        first, last = token.span()
        text = token[0]
        if text.isdigit():
            groups.append((start + first, start + last))
            if last - first in lengths and last - first < len(run):
                yield start + first, start + last, text.decode("ascii")
            continue
        yield from _joined(scan, groups, len(run), lengths)
        groups = []
        yield from _token(text, start + first, len(run), lengths)
    yield from _joined(scan, groups, len(run), lengths)


def _token(text: bytes, start: int, length: int, lengths: Container[int]) -> Iterator[tuple[int, int, str]]:
    """A token with separators other than blanks, and what its slashes set off."""
    if len(text) < length:
        value = text.translate(None, SEPARATORS)
        if len(value) in lengths:
            yield start, start + len(text), value.decode("ascii")
    if b"/" in text and (b"-" in text or b"." in text or text.count(b"/") == 1):
        at = start
        for part in text.split(b"/"):
            value = part.translate(None, SEPARATORS)
            if len(value) in lengths:
                yield at, at + len(part), value.decode("ascii")
            at += len(part) + 1


def _joined(
    scan: bytes, groups: list[tuple[int, int]], length: int, lengths: Container[int]
) -> Iterator[tuple[int, int, str]]:
    """Two or more neighbouring groups that blanks join, in sizes that people group by."""
    for at, (start, after) in enumerate(groups):
        total = after - start
        if total < 2:
            continue
        for first, last in groups[at + 1 : at + _MOST_GROUPS]:
            total += last - first
            if total > MOST_DIGITS:
                break
            if total in lengths and last - start < length:
                yield start, last, scan[start:last].translate(None, b" ").decode("ascii")
            if last - first < _FEWEST_INNER:
                break
