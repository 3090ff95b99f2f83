"""From a model's numbers to findings: probabilities, one vote a word, spans, thresholds, and edges that a reader would cut."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, final

import numpy as np

from classifiers.entity_names import MODEL_CATEGORIES
from classifiers.model.manifest import TYPES, Manifest, split_label, types_of
from classifiers.model.pieces import Pieces
from classifiers.model.syntax import is_syntax
from governance.finding import Category, Finding, Label
from governance.segment import Span

if TYPE_CHECKING:
    from numpy.typing import NDArray

DETECTOR_ID: Final = "model"
DEFAULT_PERMILLE: Final = 500
# How likely a word has to be to go on with a span, where the threshold is not lower.
GOES_ON: Final = 0.3
STREET_ADDRESS: Final = "STREET_ADDRESS"
_ENTITIES: Final[Mapping[str, str]] = MappingProxyType({"ADDRESS": STREET_ADDRESS})
# What a model of ours can find.
FOUND: Final = frozenset(_ENTITIES.get(each, each) for each in TYPES)
_BEGINS: Final = frozenset({"B", "S", "U", "W"})

_EDGES: Final = " \t\r\n\v\f\u00a0\u2028\u2029\"'`\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb()[]{}<>,.;:!?\u2026-\u2013\u2014*_#@|/\\~=+&^"
_BEFORE: Final[Mapping[str, str]] = MappingProxyType({"USERNAME": "@_", "ID": "#"})
_BEHIND: Final[Mapping[str, str]] = MappingProxyType({"USERNAME": "_-"})
_TITLE = re.compile(
    r"(?:mr|mrs|ms|miss|mx|dr|prof|professor|sir|madam|dame|rev|hon|herr|frau|mme|mlle|monsieur|madame|señor|señora|sra?"
    r"|srta|signor|signora|dott|dhr|mevr)(?:\.\s*|\s+|\Z)",
    re.IGNORECASE,
)
_POSSESSIVE = re.compile(r"['\u2019]s\Z", re.IGNORECASE)
_OWNERS: Final = frozenset({"PERSON", "LOCATION"})
# An initial, letters with stops between them, or a word that is written with one.
_ABBREVIATED = re.compile(
    r"(?:\b[^\W\d_]|\.[^\W\d_]|\b(?:inc|ltd|co|corp|llc|bros|jr|sr|st|ave|rd|blvd|dr|ln|apt|str|nr|no|univ|dept|s\.a|a\.m|p\.m))\Z",
    re.IGNORECASE,
)
_UNABBREVIATED: Final = frozenset({"ID", "USERNAME", "MEDICAL"})
_NAME_CHARS: Final = 256
# What may stand before and behind a part of a value that is written together, within so many characters.
_TOGETHER: Final[Mapping[str, tuple[re.Pattern[str], re.Pattern[str]]]] = MappingProxyType(
    {
        "USERNAME": (re.compile(r"(?<![\w.-])[\w.-]+\Z"), re.compile(r"[\w.-]+")),
        "PERSON": (
            re.compile(r"(?<![\w'\u2019-])(?:[^\W\d_]+-)+\Z"),
            re.compile(r"(?:-[^\W\d_]+|['\u2019](?!(?:s|ll|re|ve|d|m|t)\b)\w{2,})+"),
        ),
    }
)
# What is known by name, how likely a word of that name has to be to be it again, and how long.
_NAMED: Final = frozenset({"PERSON", "LOCATION", "ORGANIZATION"})
# What syntax is taken for.
_NAMES: Final = _NAMED | {"USERNAME", "MEDICAL", "NRP"}
_AGAIN: Final = 0.1
_NAME_LEAST: Final = 3
_CLOSING: Final[Mapping[str, str]] = MappingProxyType({")": "(", "]": "["})


@final
class Decoder:
    """Reads the answers of one model, as its manifest says. Pure; safe between threads.

    A word is of the type that its pieces together find likeliest. A run of words of one type, of which each is as likely
    as GOES_ON or as the threshold, is a span where its best word reaches the threshold of the type; that word's probability
    is the score. Pieces of a word vote with equal weight in a model of ours; the first decides in any other, since such
    models are usually trained on it alone.
    """

    def __init__(self, manifest: Manifest) -> None:
        types = types_of(manifest.labels)
        self._entities = (
            {each: _ENTITIES.get(each, each) for each in types} if manifest.kind == "ours" else dict(manifest.entities)
        )
        self._categories = {each: _category(each) for each in self._entities.values()}
        self._types = types
        self._topics = manifest.topics
        self._topic_thresholds = [manifest.topic_thresholds.get(each, DEFAULT_PERMILLE) for each in manifest.topics]
        self._first_decides = manifest.kind != "ours"
        self._columns = _columns(manifest.labels, types)
        stated = [manifest.thresholds.get(each, DEFAULT_PERMILLE) for each in types]
        # Nobody's answer is 0, which is also what pieces without an answer have.
        self._thresholds = np.maximum(np.array(stated, dtype=np.float32) / 1000, np.float32(0.001))
        self._floors = np.minimum(self._thresholds, np.float32(GOES_ON))
        reported = [number for number, each in enumerate(types) if each in self._entities]
        self._reported = reported
        self._named = {number for number in reported if self._entities[types[number]] in _NAMED}
        again = np.where(np.isin(reported, list(self._named)), np.float32(_AGAIN), np.float32(1))
        self._lowest = np.minimum(self._floors[reported], again)

    @property
    def entities(self) -> frozenset[str]:
        """The entity types that findings can have."""
        return frozenset(self._entities.values())

    @property
    def topics(self) -> frozenset[str]:
        """The names that labels can have."""
        return frozenset(self._topics)

    @property
    def width(self) -> int:
        """The number of columns that `scores` gives."""
        return 2 * len(self._types)

    def scores(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """Of `logits` float32[..., labels], the probability of each type, then that it begins there: float32[..., width]."""
        exponents = np.exp(logits - logits.max(axis=-1, keepdims=True))
        exponents /= exponents.sum(axis=-1, keepdims=True)
        scores: NDArray[np.float32] = exponents @ self._columns
        return scores

    def remarkable(self, scores: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Of `scores` float32[windows, pieces, width], which windows can hold a finding, be it with the rest of their text. Most cannot."""
        likely: NDArray[np.bool_] = np.any(scores[..., self._reported] >= self._lowest, axis=(1, 2))
        return likely

    def findings(self, text: str, pieces: Pieces, scores: NDArray[np.float32]) -> tuple[Finding, ...]:
        """What `scores` float32[pieces, width] say of `text`, sorted by start, disjoint; `segment` is 0."""
        found: list[Finding] = []
        for kind, first, last, score in self._spans(text, pieces, scores):
            entity = self._entities.get(kind)
            if entity is None:
                continue
            start, end = _written(text, first, last, entity)
            # What was written together takes in what was found of it before.
            while found and start <= found[-1].span.start:
                found.pop()
            start = max(start, found[-1].span.end) if found else start
            start, end = trimmed(text, start, max(start, end), entity)
            if start < end and not (entity in _NAMES and is_syntax(text, start, end)):
                found.append(
                    Finding(
                        segment=0,
                        entity_type=entity,
                        span=Span(start=start, end=end),
                        permille=min(1000, round(score * 1000)),
                        detector=DETECTOR_ID,
                        category=self._categories[entity],
                    )
                )
        return tuple(found)

    def labels(self, topics: NDArray[np.float32]) -> tuple[Label, ...]:
        """The topics whose logit in `topics` float32[topics] reaches the threshold, sorted by name."""
        chances = 1 / (1 + np.exp(-np.clip(topics, -60, 60)))
        scored = zip(self._topics, self._topic_thresholds, np.rint(chances * 1000).astype(int).tolist(), strict=True)
        return tuple(
            sorted(
                (Label(name=name, permille=permille) for name, least, permille in scored if permille >= max(1, least)),
                key=lambda label: label.name,
            )
        )

    def _spans(self, text: str, pieces: Pieces, scores: NDArray[np.float32]) -> Iterator[tuple[str, int, int, float]]:
        """(type, start, end, score) of each run of words that reaches its threshold."""
        if not len(pieces):
            return
        firsts = np.flatnonzero(np.diff(pieces.words, prepend=np.int32(-1)))
        number = len(self._types)
        votes = scores[firsts, :number] if self._first_decides else _means(scores[:, :number], firsts)
        kinds = votes.argmax(axis=1)
        best = votes[np.arange(len(votes)), kinds]
        begins = scores[firsts, number + kinds] * 2 > scores[firsts, kinds]
        starts, ends = pieces.starts[firsts], pieces.ends[np.append(firsts[1:], len(pieces)) - 1]
        words = _Words(kinds=kinds, best=best, begins=begins, starts=starts, ends=ends)
        found = self._reaching(text, words)
        again = self._named_again(text, words, votes, found)
        for kind, start, end, score in found if again is None else self._reaching(text, again):
            yield self._types[kind], start, end, score

    def _reaching(self, text: str, words: _Words) -> list[tuple[int, int, int, float]]:
        """(number of the type, start, end, score) of each run of `words` that reaches its threshold."""
        members = np.flatnonzero(words.best >= self._floors[words.kinds])
        columns = (words.kinds, words.best, words.begins, words.starts, words.ends)
        rows = zip(members.tolist(), *(column[members].tolist() for column in columns), strict=True)
        runs = _runs(text, rows, [each == "ADDRESS" for each in self._types])
        return [run for run in runs if run[3] >= self._thresholds[run[0]]]

    def _named_again(
        self, text: str, words: _Words, votes: NDArray[np.float32], found: Sequence[tuple[int, int, int, float]]
    ) -> _Words | None:
        """`words` in which a name of `found` is that name wherever the model half thought so. None where none is.

        What is replaced in one sentence of a text must not stand in the next.
        """
        names: dict[tuple[int, str], float] = {}
        inside = np.zeros(len(words.starts), dtype=np.bool_)
        for kind, start, end, score in found:
            first, last = np.searchsorted(words.starts, (start, end)).tolist()
            inside[first:last] = True
            for name in words.texts(text, range(first, last)) if kind in self._named else ():
                if len(name) >= _NAME_LEAST:
                    names[kind, name] = max(score, names.get((kind, name), 0.0))
        if not names:
            return None
        kinds, best = words.kinds.copy(), words.best.copy()
        for kind in {kind for kind, _ in names}:
            likely = np.flatnonzero((votes[:, kind] >= _AGAIN) & ~inside).tolist()
            for at, name in zip(likely, words.texts(text, likely), strict=True):
                if (kind, name) in names:
                    kinds[at], best[at] = kind, names[kind, name]
                    inside[at] = True
        return replace(words, kinds=kinds, best=best) if (best != words.best).any() else None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Words:
    """The words of one text, a row each: likeliest type and how likely, whether it begins there, and where it stands."""

    kinds: NDArray[np.int64]
    best: NDArray[np.float32]
    begins: NDArray[np.bool_]
    starts: NDArray[np.int32]
    ends: NDArray[np.int32]

    def texts(self, text: str, rows: Iterable[int]) -> list[str]:
        """What stands in `rows` of `text`, without its case."""
        return [text[self.starts[at] : self.ends[at]].casefold() for at in rows]


def _category(entity: str) -> Category:
    """Of an entity that a model finds: what the catalogue says where it knows one."""
    from classifiers.registry_file import category_of  # noqa: PLC0415 - reads the catalogue, and only at the start

    return MODEL_CATEGORIES.get(entity) or category_of(entity)


def _columns(labels: Iterable[str], types: tuple[str, ...]) -> NDArray[np.float32]:
    """What sums up the probabilities of `labels` by type, then by type those of labels that begin one."""
    names = tuple(labels)
    columns = np.zeros((len(names), 2 * len(types)), dtype=np.float32)
    for row, label in enumerate(names):
        if label != "O":
            position, kind = split_label(label)
            columns[row, types.index(kind)] = 1
            columns[row, len(types) + types.index(kind)] = position in _BEGINS
    return columns


def _means(values: NDArray[np.float32], firsts: NDArray[Any]) -> NDArray[np.float32]:
    """The mean of the rows of each word; `firsts` are the rows that begin one."""
    counts = np.diff(np.append(firsts, len(values))).astype(np.float32)
    sums: NDArray[np.float32] = np.add.reduceat(values, firsts, axis=0, dtype=np.float32)
    sums /= counts[:, np.newaxis]
    return sums


def _runs(
    text: str, words: Iterable[tuple[int, int, float, bool, int, int]], over_lines: list[bool]
) -> Iterator[tuple[int, int, int, float]]:
    """(type, start, end, score) of runs of `words`: (number, type, score, begins, start, end), in order."""
    run: tuple[int, int, int, float] | None = None
    last = -1
    for number, kind, score, begins, start, end in words:
        if (
            run is not None
            and kind == run[0]
            and not begins
            and _adjacent(text, number - last, run[2], start)
            and (over_lines[kind] or text.find("\n", run[2], start) < 0)
        ):
            run = (kind, run[1], max(run[2], end), max(run[3], score))
        else:
            if run is not None:
                yield run
            run = (kind, start, end, score)
        last = number
    if run is not None:
        yield run


def _adjacent(text: str, distance: int, end: int, start: int) -> bool:
    """Whether nothing stands between two words, or one mark that touches both, as in `Smith-Jones`."""
    return distance == 1 or (distance == 2 and start - end == 1 and not text[end].isspace() and not text[end].isalnum())


def _written(text: str, start: int, end: int, entity: str) -> tuple[int, int]:
    """`start` and `end` of all that was written together: a span of these entities is never a part of that."""
    if entity not in _TOGETHER:
        return start, end
    before, behind = _TOGETHER[entity]
    head = before.search(text, max(0, start - _NAME_CHARS), start)
    tail = behind.match(text, end, end + _NAME_CHARS)
    return start if head is None else head.start(), end if tail is None else tail.end()


def trimmed(text: str, start: int, end: int, entity: str) -> tuple[int, int]:
    """`start` and `end` of what is left of a span of `text` without title, space, marks at the edges and possessive.

    Nothing is left (start == end) where no letter or digit is. `entity` is the name in a Finding.
    """
    start = _forward(text, start, end, entity)
    while entity == "PERSON" and (title := _TITLE.match(text, start, end)) is not None:
        start = _forward(text, title.end(), end, entity)
    end = _backward(text, start, end, entity)
    if entity in _OWNERS and (owner := _POSSESSIVE.search(text, max(start, end - 2), end)) is not None:
        end = _backward(text, start, owner.start(), entity)
    if not any(character.isalnum() for character in text[start:end]):
        return start, start
    return start, end


def _forward(text: str, start: int, end: int, entity: str) -> int:
    kept = _BEFORE.get(entity, "")
    while start < end and text[start] in _EDGES and text[start] not in kept:
        start += 1
    return start


def _backward(text: str, start: int, end: int, entity: str) -> int:
    kept = _BEHIND.get(entity, "")
    while end > start and text[end - 1] in _EDGES and text[end - 1] not in kept:
        if _belongs(text, start, end, entity):
            break
        end -= 1
    return end


def _belongs(text: str, start: int, end: int, entity: str) -> bool:
    """Whether the last mark of a span is part of it: the stop of an abbreviation, a bracket that was opened inside."""
    mark = text[end - 1]
    if mark == ".":
        return entity not in _UNABBREVIATED and _ABBREVIATED.search(text, max(start, end - 16), end - 1) is not None
    # In what is longer than a name, counting would cost more than it tells.
    opening = _CLOSING.get(mark) if end - start <= _NAME_CHARS else None
    return opening is not None and text.count(opening, start, end - 1) > text.count(mark, start, end - 1)
