"""Values split over neighbouring segments: list items, JSON fields (over the names between them), messages.

The rule: the last REACH characters of a segment and the first REACH of the next are read as one text, once joined with
nothing between and once with a blank, if both edges look like parts of one value: digits on both sides, capitals and
digits, or an address cut in two. Segments of at most PIECE characters that meet like this are read together, as many as
make REACH characters. What counts is a finding that reaches over a seam and is validated, or is an address. Seams are not
cached: they belong to a neighbourhood, not to a text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import final

from classifiers.meter import Exhausted
from governance.finding import DetectionStatus, Finding
from governance.frozen import frozen
from governance.segment import Span

REACH = 64
# A group of a card number, a label of an address; longer texts are prose at their edges.
PIECE = 24
MOST_SEAMS = 512
VIA = "joined"
# What is at an edge and shows nothing: white space, and marks without a width.
_UNSEEN = " \t\n\v\f\r\x85\xa0\xad\u1680\u180e\u2028\u2029\u202f\u205f\u3000\ufeff" + "".join(
    map(chr, (*range(0x2000, 0x2010), *range(0x2060, 0x2065)))
)


@final
@frozen
class Seam:
    """Parts of neighbouring segments as one text. `parts` are (start and end in `text`, segment, start in its text)."""

    text: str
    parts: tuple[tuple[int, int, int, int], ...]

    def crosses(self, span: Span) -> bool:
        """Whether `span` of `text` holds characters of more than one segment."""
        return sum(start < span.end and span.start < end for start, end, _, _ in self.parts) > 1

    def origins(self, span: Span) -> Iterator[tuple[int, Span]]:
        """(segment, range of its text) for each part that `span` of `text` covers some of."""
        for start, end, segment, offset in self.parts:
            low, high = max(span.start, start), min(span.end, end)
            if low < high:
                yield segment, Span(start=offset + low - start, end=offset + high - start)

    def findings(self, found: Iterable[Finding]) -> Iterator[Finding]:
        """What of `found` in `text` counts, as one finding for each segment that holds a part of it."""
        for finding in found:
            if (finding.validated or finding.entity_type == "EMAIL_ADDRESS") and self.crosses(finding.span):
                via = f"{VIA}>{finding.via}" if finding.via else VIA
                for segment, span in self.origins(finding.span):
                    yield replace(finding, segment=segment, span=span, via=via)


def seams(texts: Sequence[str]) -> Iterator[Seam]:
    """The seams of `texts` in order, of REACH to 2 * REACH characters. Raises Exhausted (partial) beyond MOST_SEAMS."""
    left = MOST_SEAMS
    number = 0
    begin = [len(each) - len(each.lstrip(_UNSEEN)) for each in texts]
    texts = [each.strip(_UNSEEN) for each in texts]
    while number < len(texts) - 1:
        end = _row(texts, number)
        if end - number < 2:
            number += 1
            continue
        left -= 2
        if left < 0:
            raise Exhausted(DetectionStatus.PARTIAL)
        yield _joined(texts, range(number, end), begin, "")
        yield _joined(texts, range(number, end), begin, " ")
        # A row that is full goes on: the next one begins in its middle.
        cut = end < len(texts) and end - number > 2 and meet(texts[end - 1], texts[end])
        number = max(number + 1, (number + end) // 2 if cut else end - 1)


def _row(texts: Sequence[str], first: int) -> int:
    """The end of the row of segments that begins at `first`: two, or as many pieces as fit."""
    length, end = 0, first + 1
    while end < len(texts) and meet(texts[end - 1], texts[end]):
        if end - first >= 2 and (len(texts[end - 1]) > PIECE or length + len(texts[end]) > REACH):
            break
        length += min(len(texts[end - 1]), PIECE)
        end += 1
    return end


def meet(left: str, right: str) -> bool:
    """Whether the end of `left` and the beginning of `right` look like parts of one value."""
    tail, head = left[-REACH:].rstrip(), right[:REACH].lstrip()
    if tail[-1:] in ("-", ".", "/") and tail[-2:-1].isdigit():
        tail = tail[:-1]
    if head[:1] in ("-", ".", "/") and head[1:2].isdigit():
        head = head[1:]
    if not tail or not head:
        return False
    last, first = tail[-1], head[0]
    if last.isdigit() and first.isdigit():
        return True
    if first == "@":
        return last.isalnum() and ("." in head or head == "@")
    local, at, host = tail.split()[-1].rpartition("@")
    if at:
        return (bool(local) or tail == "@") and "." not in host[:-1] and (first.isalnum() or first in ".-")
    if last.isdigit():
        return head[:2].isupper() and head[:2].isalnum()
    return first.isdigit() and tail[-2:].isupper() and tail[-2:].isalpha()


def _joined(texts: Sequence[str], row: range, begin: Sequence[int], between: str) -> Seam:
    pieces: list[str] = []
    parts: list[tuple[int, int, int, int]] = []
    at = 0
    for number in row:
        text = texts[number]
        start, stop = 0, min(len(text), REACH)
        if number == row[0]:
            start, stop = max(0, len(text) - REACH), len(text)
        piece = text[start:stop]
        if number < row[-1]:
            piece = piece.rstrip()
        if number > row[0]:
            start += len(piece) - len(piece.lstrip())
            piece = between + piece.lstrip()
            at += len(between)
        pieces.append(piece)
        length = len(piece) - (len(between) if number > row[0] else 0)
        parts.append((at, at + length, number, begin[number] + start))
        at += length
    return Seam(text="".join(pieces), parts=tuple(parts))
