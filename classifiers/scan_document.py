"""One document read with the detector: its pieces in few texts, large texts in blocks, findings back where they stand.

Pieces of a document are read together, set apart by more blanks than a context word reaches over: that is ten times as
fast as one by one, and no piece lends another its words. Equal pieces are read once.
LIMIT: a value of more than half OVERLAP that lies across the seam of two blocks may be found in part.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, pairwise
from typing import final

from classifiers.context import NAMES, REACH_BEFORE
from classifiers.entity_names import MODEL_NAMES
from classifiers.overlap import OWN, OWN_RULE
from classifiers.phones import DETECTOR as PHONES
from classifiers.rules import Rule
from classifiers.scan_formats import Format, NotInFormat, Piece, pieces
from classifiers.scan_sources import Decoder, Reason, Source, SourceSkipped
from governance.finding import SEVERITY, Detection, DetectionStatus, Finding
from governance.segment import Span

BLOCK = 131_072
OVERLAP = 16_384
_BATCH = BLOCK - OVERLAP
# Read whole: JSON and CSV up to this size, and whatever is to be redacted. Beyond, documents are read as text.
MAX_WHOLE_BYTES = 32 << 20
# Of one document; what is beyond is counted.
MOST_HITS = 1_000_000

_APART = "\n" + " " * REACH_BEFORE
# Between what has different names: a key in armour goes on over blanks, and over no such sign. Items of one list may be its lines.
_BARRED = "\n~" + _APART
_MAX_KNOWN = 50_000
_KNOWN_CHARS = 64
_PHONE_NAME = "Telephone number"

Detect = Callable[[str], Detection]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which findings are reported: of these entities and countries (all where empty), from this score on."""

    permille: int = 0
    entities: frozenset[str] = frozenset()
    countries: frozenset[str] = frozenset()

    def __contains__(self, finding: object) -> bool:
        return (
            isinstance(finding, Finding)
            and finding.permille >= self.permille
            and (not self.entities or finding.entity_type in self.entities)
            and (not self.countries or finding.country in self.countries)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A finding in a document. Offsets are code points, `line` and `column` count from 1; `place` is a JSON Pointer, or the
    heading or number of a column. `why` is `checked`, `context`, `shape`, `own` or `model`.
    """

    finding: Finding
    start: int
    end: int
    line: int
    column: int
    place: str
    why: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a copy leaves out: findings in the text of a piece."""

    piece: Piece
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What one source holds. `found` and `checked` count all findings by entity; `hits` are the first of them.

    `text` and `targets` are there for whoever makes a copy, and for nobody else.
    """

    shown: str
    kind: Format
    status: DetectionStatus
    problem: str = ""
    size: int = 0
    found: Mapping[str, int] = field(default_factory=dict)
    checked: Mapping[str, int] = field(default_factory=dict)
    hits: tuple[Hit, ...] = ()
    labels: Mapping[str, int] = field(default_factory=dict)
    jurisdictions: Mapping[str, int] = field(default_factory=dict)
    residency_labels: tuple[str, ...] = ()
    text: str | None = field(default=None, repr=False)
    targets: tuple[Target, ...] = field(default=(), repr=False)
    copied: bool | None = None

    @property
    def trouble(self) -> bool:
        """Whether the exit code tells that something was not read, or not copied."""
        return self.status is not DetectionStatus.COMPLETE or self.copied is False


@final
class Tally:
    """What the detections of one document come to. Not shared."""

    def __init__(self) -> None:
        self.status = DetectionStatus.COMPLETE
        self.labels: dict[str, int] = {}
        self.jurisdictions: dict[str, int] = {}
        self.residency_labels: set[str] = set()
        self.found: Counter[str] = Counter()
        self.checked: Counter[str] = Counter()

    def report(self, findings: Sequence[Finding]) -> None:
        """Counts `findings`, which are wanted."""
        self.found.update(each.entity_type for each in findings)
        self.checked.update(each.entity_type for each in findings if each.validated)

    def add(self, detection: Detection) -> tuple[Finding, ...]:
        """Counts `detection` in; its findings."""
        self.status = max(self.status, detection.status, key=SEVERITY.index)
        for label in detection.labels:
            self.labels[label.name] = max(self.labels.get(label.name, 0), label.permille)
        for country in detection.jurisdictions:
            self.jurisdictions[country.code] = max(self.jurisdictions.get(country.code, 0), country.permille)
        self.residency_labels.update(detection.residency_labels)
        return detection.findings


Told = Callable[[float], object]


def read_document(
    source: Source,
    decoder: Decoder,
    kind: Format,
    detect: Detect,
    *,
    rules: Mapping[str, Rule],
    headings: Collection[str] = frozenset(),
    wanted: Wanted,
    whole: bool = False,
    most_hits: int = MOST_HITS,
    told: Told = lambda _: None,
) -> Document:
    """What `source` holds. `whole` keeps text and targets; of the hits the first `most_hits` are kept, for a file has no
    limit in size; `told` hears which share of it is done.

    `headings` are those that may be shown (see `known_headings`).
    Raises SourceSkipped and DetectorUnavailable.
    """
    tally = Tally()
    problem = ""
    hits: list[Hit] = []
    targets: list[Target] = []
    chunks = decoder.chunks()
    text: str | None = None
    if whole or kind is not Format.TEXT:
        text, chunks = _up_to_limit(decoder, chunks)
    if text is not None:
        tabs = source.path.suffix.lower() == ".tsv"
        found, problem, kind = _in_pieces(text, kind, detect, tally, tabs=tabs, told=told)
        found = [
            (piece, said) for piece, findings in found if (said := _without_names(piece, findings, rules, headings))
        ]
        placing = _Placing(rules, kind, _masks(found), headings)
        for piece, findings in found:
            kept = tuple(each for each in findings if each in wanted)
            tally.report(kept)
            hits += (placing.hit(each, piece, text) for each in kept[: most_hits - len(hits)])
            if whole and kept:
                targets.append(Target(piece=piece, findings=kept))
    elif whole:
        raise SourceSkipped(source, Reason.TOO_LARGE, f"copies are made of files of up to {MAX_WHOLE_BYTES >> 20} MiB")
    else:
        if kind is not Format.TEXT:
            problem, kind = f"over {MAX_WHOLE_BYTES >> 20} MiB: read as text", Format.TEXT
        placing = _Placing(rules, kind, {}, headings)
        for block, findings in read_blocks(chunks, detect, tally):
            piece = Piece(text="", start=block.start)
            kept = tuple(each for each in findings if each in wanted)
            tally.report(kept)
            hits += (placing.hit(each, piece, block.text, block.start) for each in kept[: most_hits - len(hits)])
            placing.lines.move(block.text, block.start, block.next)
            told(min(1.0, decoder.bytes_read / max(1, source.size)))
    status = tally.status
    if decoder.bad_byte is not None:
        status = max(status, DetectionStatus.PARTIAL, key=SEVERITY.index)
        problem = f"not UTF-8 at byte {decoder.bad_byte}: the rest was read"
    return Document(
        shown=source.shown,
        kind=kind,
        status=status,
        problem=problem,
        size=decoder.bytes_read,
        found=tally.found,
        checked=tally.checked,
        hits=tuple(hits),
        labels=tally.labels,
        jurisdictions=tally.jurisdictions,
        residency_labels=tuple(sorted(tally.residency_labels)),
        text=text if whole else None,
        targets=tuple(targets),
    )


def _up_to_limit(decoder: Decoder, chunks: Iterator[str]) -> tuple[str | None, Iterator[str]]:
    """The whole text, or None and all of it in chunks where it is over MAX_WHOLE_BYTES: no size that was told is believed."""
    held: list[str] = []
    for chunk in chunks:
        held.append(chunk)
        if decoder.bytes_read > MAX_WHOLE_BYTES:
            return None, chain(held, chunks)
    return "".join(held), iter(())


_Found = list[tuple[Piece, tuple[Finding, ...]]]


def _in_pieces(
    text: str, kind: Format, detect: Detect, tally: Tally, *, tabs: bool, told: Told
) -> tuple[_Found, str, Format]:
    """Pieces with findings, in order; what went wrong; the format it was read as."""
    found: _Found = []
    stray, first = 0, 0
    try:
        for piece, findings in read_pieces(pieces(text, kind, tabs=tabs), detect, tally):
            if findings:
                found.append((piece, findings))
            if piece.stray:
                stray, first = stray + 1, first if stray else piece.start
            told(piece.start / max(1, len(text)))
    except NotInFormat:
        found = [each for each in read_pieces([Piece(text=text)], detect, tally) if each[1]]
        return found, f"not valid {kind.value.upper()}: read as text", Format.TEXT
    return found, _stray_lines(stray, text.count("\n", 0, first) + 1, kind), kind


def _stray_lines(count: int, first: int, kind: Format) -> str:
    if not count:
        return ""
    lines = f"line {first} is" if count == 1 else f"{count} lines, the first of them {first}, are"
    return f"{lines} not valid {kind.value.upper()}: read as text"


def _masks(found: _Found) -> dict[str, str]:
    """What stands in a place for a key (or heading) in which something was found: a place never quotes a finding."""
    return {
        piece.text: f"<{findings[0].entity_type}>"
        for piece, findings in found
        if piece.is_key or (piece.node is not None and not piece.context)
    }


# What stands between the words of a heading, and where one begins in `camelCase`.
_JOINT = re.compile(r"[\W_]+|(?<=[a-z])(?=[A-Z])")


def known_headings(rules: Iterable[Rule]) -> frozenset[str]:
    """What columns with values of `rules` are called. Of a table without a heading the first row is one of values: it is
    never shown.
    """
    return frozenset(_plain(word) for rule in rules for word in rule.context) - {""}


def _without_names(
    piece: Piece, findings: tuple[Finding, ...], rules: Mapping[str, Rule], headings: Collection[str]
) -> tuple[Finding, ...]:
    """`findings` but for those of a model in a key or heading that tells what it names: `iban` is nobody, nor `e-mail`."""
    if not piece.is_key or _plain(piece.text) not in headings:
        return findings
    return tuple(each for each in findings if _why(each, rules.get(each.detector)) != _MODEL)


def _plain(heading: str) -> str:
    return " ".join(_JOINT.sub(" ", heading).casefold().split())


@final
class _Placing:
    """Where the findings of one document stand, told in their order."""

    def __init__(
        self, rules: Mapping[str, Rule], kind: Format, masks: Mapping[str, str], headings: Collection[str]
    ) -> None:
        self._rules = rules
        self._kind = kind
        self._masks = masks
        self._headings = headings
        self.lines = _Lines()

    def hit(self, finding: Finding, piece: Piece, text: str, base: int = 0) -> Hit:
        """`finding` in `piece` of a document of which `text` begins at `base`."""
        start, end = piece.place(finding.span.start), piece.place(finding.span.end)
        line, column = self.lines.at(text, base, start)
        rule = self._rules.get(finding.detector)
        return Hit(
            finding=finding,
            start=start,
            end=end,
            line=line,
            column=column,
            place=self._place(piece),
            why=_why(finding, rule),
            name=_name(finding, rule),
        )

    def _place(self, piece: Piece) -> str:
        if piece.node is None:
            return ""
        if self._kind is Format.CSV:
            shown = piece.context if _plain(piece.context) in self._headings else str(piece.node.key)
            return self._masks.get(piece.context, shown)
        return piece.node.pointer(self._masks)


def _name(finding: Finding, rule: Rule | None) -> str:
    """What it is: in the words of the rule, or of the operator who named a recogniser of his own."""
    if rule is not None:
        return rule.name
    if finding.detector == PHONES:
        return _PHONE_NAME
    named = None if finding.detector.startswith(OWN) else MODEL_NAMES.get(finding.entity_type)
    return named or finding.detector.removeprefix(OWN)


_MODEL = "model"


def _why(finding: Finding, rule: Rule | None) -> str:
    """What the score rests on."""
    if finding.validated:
        return "checked"
    if finding.detector.startswith((OWN, OWN_RULE)):
        return "own"
    if rule is None and finding.detector != PHONES:
        return _MODEL
    return "context" if finding.beside_word else "shape"


@final
class _Lines:
    """Line and column of ascending offsets in a text that is seen block by block."""

    def __init__(self) -> None:
        self._line, self._begins, self._counted = 1, 0, 0

    def at(self, text: str, base: int, offset: int) -> tuple[int, int]:
        """Of `offset`, which is not before the last one by more than its line; `text` begins at `base`."""
        self.move(text, base, offset)
        return self._line, max(1, offset - self._begins + 1)

    def move(self, text: str, base: int, offset: int) -> None:
        """Counts up to `offset`."""
        if offset <= self._counted:
            return
        first, last = self._counted - base, offset - base
        breaks = text.count("\n", first, last)
        if breaks:
            self._line += breaks
            self._begins = base + text.rfind("\n", first, last) + 1
        self._counted = offset


# --- texts for the detector -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A part of a text that begins at `start`. Findings that begin in [first, last) are its own; others are a neighbour's.

    Those that begin before and go on beyond what the block before has seen are its own as well: of what is encoded over the end
    of a block each block reads its part.
    """

    text: str
    start: int
    first: int
    last: int

    @property
    def next(self) -> int:
        """Where the next block begins."""
        return self.start + max(0, len(self.text) - OVERLAP)

    def own(self, findings: Iterable[Finding]) -> Iterator[Finding]:
        """Those of `findings` that no other block reports."""
        seen = OVERLAP if self.start else 0
        for each in findings:
            if self.first <= each.span.start < self.last or (each.span.start < self.first and each.span.end > seen):
                yield each


def blocks(chunks: Iterable[str]) -> Iterator[Block]:
    """The text of `chunks` in overlapping blocks of at most BLOCK code points."""
    held, start, first = "", 0, 0
    for chunk in chunks:
        held += chunk
        done = 0
        while len(held) - done > BLOCK:
            yield Block(text=held[done : done + BLOCK], start=start, first=first, last=BLOCK - OVERLAP // 2)
            done += BLOCK - OVERLAP
            start, first = start + BLOCK - OVERLAP, OVERLAP // 2
        held = held[done:]
    if held:
        yield Block(text=held, start=start, first=first, last=len(held) + 1)


def read_blocks(chunks: Iterable[str], detect: Detect, tally: Tally) -> Iterator[tuple[Block, tuple[Finding, ...]]]:
    """The blocks of a text with the findings of each, of which no two overlap."""
    reached = 0
    for block in blocks(chunks):
        findings = tuple(_behind(reached - block.start, block.own(tally.add(detect(block.text)))))
        if findings:
            reached = block.start + findings[-1].span.end
        yield block, findings


def _behind(reached: int, findings: Iterable[Finding]) -> Iterator[Finding]:
    """What of `findings` lies behind `reached`."""
    for finding in findings:
        if finding.span.end > reached:
            yield replace(finding, span=Span(start=max(reached, finding.span.start), end=finding.span.end))


def read_pieces(source: Iterable[Piece], detect: Detect, tally: Tally) -> Iterator[tuple[Piece, tuple[Finding, ...]]]:
    """Each piece of `source` in order with its findings, whose spans are offsets in its text."""
    known: dict[tuple[str, str], tuple[Finding, ...]] = {}
    waiting: list[Piece] = []
    new: dict[tuple[str, str], None] = {}
    length = 0
    for piece in source:
        waiting.append(piece)
        key = piece.context, piece.text
        if key not in known and key not in new:
            new[key] = None
            length += len(piece.text) + len(piece.context) + len(_BARRED)
        if length >= _BATCH or len(waiting) >= _MAX_KNOWN:
            yield from _answered(waiting, tuple(new), known, detect, tally)
            waiting, length = [], 0
            new.clear()
    yield from _answered(waiting, tuple(new), known, detect, tally)


def _answered(
    waiting: Sequence[Piece],
    new: Sequence[tuple[str, str]],
    known: dict[tuple[str, str], tuple[Finding, ...]],
    detect: Detect,
    tally: Tally,
) -> Iterator[tuple[Piece, tuple[Finding, ...]]]:
    answers = dict(zip(new, _read(new, detect, tally), strict=True))
    for piece in waiting:
        key = piece.context, piece.text
        answer = answers.get(key)
        yield piece, known[key] if answer is None else answer
    if len(known) + len(new) > _MAX_KNOWN:
        known.clear()
    known.update((key, answer) for key, answer in answers.items() if len(key[1]) <= _KNOWN_CHARS)


def _read(texts: Sequence[tuple[str, str]], detect: Detect, tally: Tally) -> Sequence[tuple[Finding, ...]]:
    """The findings in each text of (context, text)."""
    whole: list[str] = []
    ranges: list[tuple[int, int]] = []
    at = 0
    for (context, text), (following, _) in pairwise((*texts, ("", ""))):
        apart = _APART if context and context == following else _BARRED
        before = context + NAMES if context else ""
        ranges.append((at + len(before), at + len(before) + len(text)))
        whole += (before, text, apart)
        at = ranges[-1][1] + len(apart)
    found: list[list[Finding]] = [[] for _ in texts]
    number = 0
    for block, findings in read_blocks(["".join(whole[:-1])], detect, tally):
        for finding in findings:
            start, end = block.start + finding.span.start, block.start + finding.span.end
            while number < len(ranges) and ranges[number][1] <= start:
                number += 1
            other = number
            while other < len(ranges) and ranges[other][0] < end:
                low, high = ranges[other]
                # Nothing of a value that goes on is in an empty text.
                if low < high:
                    span = Span(start=max(start, low) - low, end=min(end, high) - low)
                    found[other].append(replace(finding, span=span))
                other += 1
    return [tuple(each) for each in found]
