r"""Recognisers that come with a request, and expressions of allow-lists: hostile, so that a linear engine alone runs them.

The dialect is google-re2's: no lookaround, no back-references, and `\d`, `\w`, `\b` know ASCII only. In a recogniser
`\w` is every letter beyond ASCII too, and a `\b` beside one is left out: that finds more, never less.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

from classifiers.recognizer_host import context_words, in_context
from classifiers.registry_file import DEFAULT_FLAGS
from governance.errors import DetectorUnavailable
from governance.finding import Category, Finding
from governance.segment import Span

MAX_RECOGNIZERS: Final = 32
MAX_PATTERNS: Final = 64
MAX_REGEX_CHARS: Final = 1_024
MAX_WORDS: Final = 1_000
MAX_WORD_CHARS: Final = 256
# Of one list, and of the context of all recognisers.
MAX_WORDS_CHARS: Final = 1 << 15
MAX_FOUND: Final = 10_000
# Of an expression that somebody wrote, and of a list of words, which takes more and still has few ways to go on.
_EXPRESSION_BYTES = 1 << 20
_WORDS_BYTES = 4 << 20
# What one search may take, in instructions times bytes: some ten seconds at the very worst.
_EXPRESSION_STEPS = 1 << 29
_WORDS_STEPS = 1 << 34
_ESCAPED = re.compile(r"\\.", re.DOTALL)
# Its classes by name take hundreds of instructions for each place; these ranges take ten, and hold a few signs as well.
_WORD = r"0-9A-Z_a-z\x{aa}\x{b5}\x{ba}\x{c0}-\x{1fff}\x{2c00}-\x{2dff}\x{3005}-\x{fdff}\x{fe70}-\x{10ffff}"
_PART = re.compile(
    r"\\Q.*?(?:\\E|\Z)|\\[pPx]\{[^}]*\}|\\.|\[\^?\]?(?:\[:[^\]]*:\]|\\.|[^\]\\])*\]|(?:[*+?]|\{[0-9,]+\})\??|\(\?[^:)]*:?|.",
    re.DOTALL,
)
_COUNTED = re.compile(r"[*+?]|\{[0-9]")
_WIDE = re.compile(r"[^\x00-\x7f]|\\[wpP]")
_ENTITY = re.compile(r"[A-Z][A-Z0-9_]{1,63}")


class AdHocInvalid(Exception):
    """The request's own recognisers cannot be used; the message quotes nothing of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Linear:
    """An expression in the linear engine. Nobody can stop a search, so that what it may take is bounded before it begins."""

    compiled: Any
    most_bytes: int

    def search(self, data: bytes, at: int, deadline: float) -> Any:
        """The first match in `data` from `at` on; None where there is none.

        Raises DetectorUnavailable for `data` that is too long for this expression, and after `deadline`.
        """
        if len(data) > self.most_bytes:
            raise DetectorUnavailable("an expression of the request is too large for a text of this length")
        match = self.compiled.search(data, at)
        if time.monotonic() > deadline:
            raise DetectorUnavailable("the text was not read to its end: timeout")
        return match


@dataclass(frozen=True, slots=True, kw_only=True)
class AdHoc:
    """One expression of a request's recogniser; the value is group `group`, behind which the search goes on."""

    entity: str
    expression: Linear
    group: int
    score: float
    context: re.Pattern[str] | None

    def search(self, text: str, deadline: float) -> Iterator[Finding]:
        """Findings in `text`. Raises DetectorUnavailable as the expression does.

        The engine reads UTF-8, encoded once: given text, it would encode all of it for each match.
        """
        data = text.encode("utf-8", "replace")
        at = counted = place = 0
        while match := self.expression.search(data, at, deadline):
            start, end = match.span(self.group)
            if start < end:
                place += len(data[counted:start].decode("utf-8"))
                length = len(data[start:end].decode("utf-8"))
                yield self._finding(text, place, place + length)
                place, counted = place + length, end
            at = end if end > at else _next(data, at)
            if at >= len(data):
                return

    def _finding(self, text: str, start: int, end: int) -> Finding:
        score = in_context(text, start, self.score, self.context)
        return Finding(
            segment=0,
            entity_type=self.entity,
            span=Span(start=start, end=end),
            permille=round(score * 1000),
            detector="ad_hoc",
            category=Category.PERSONAL,
        )


def found_by(recognizers: Sequence[AdHoc], text: str, deadline: float, counted: Iterator[int]) -> Iterator[Finding]:
    """What any of `recognizers` finds in `text`; `counted` counts for all texts of a request.

    Raises DetectorUnavailable as the expressions do, and over MAX_FOUND.
    """
    for each in recognizers:
        for finding in each.search(text, deadline):
            if next(counted) == MAX_FOUND:
                raise DetectorUnavailable("the ad-hoc recognisers found too much")
            yield finding


def _next(data: bytes, at: int) -> int:
    """The beginning of the character after the one at `at`."""
    at += 1
    while at < len(data) and data[at] & 0xC0 == 0x80:
        at += 1
    return at


def ad_hoc(listed: Any) -> tuple[AdHoc, ...]:
    """The recognisers in the field `ad_hoc_recognizers` of a request. Raises AdHocInvalid."""
    if not isinstance(listed, list) or len(listed) > MAX_RECOGNIZERS:
        raise AdHocInvalid(f"ad_hoc_recognizers must be a list of at most {MAX_RECOGNIZERS}")
    # All are counted before the first is compiled.
    described = [_described(fields) for fields in listed]
    if sum(len(each.patterns) + bool(each.denied) for each in described) > MAX_PATTERNS:
        raise AdHocInvalid(f"ad_hoc_recognizers may hold at most {MAX_PATTERNS} patterns")
    if sum(len(word) for each in described for word in each.context) > MAX_WORDS_CHARS:
        raise AdHocInvalid(f"the context of ad_hoc_recognizers may hold at most {MAX_WORDS_CHARS} characters")
    return tuple(made for each in described for made in _compiled_all(each))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Described:
    """A recogniser of a request, of which nothing is compiled yet."""

    entity: str
    patterns: Sequence[Mapping[str, Any]]
    denied: Sequence[str]
    denied_score: float
    context: Sequence[str]
    flags: int


def _described(fields: Any) -> _Described:
    if not isinstance(fields, Mapping):
        raise AdHocInvalid("an ad-hoc recognizer must be an object")
    entity = fields.get("supported_entity")
    if not isinstance(entity, str) or _ENTITY.fullmatch(entity) is None:
        raise AdHocInvalid("an ad-hoc recognizer needs a supported_entity of capitals, digits and _")
    patterns, denied = fields.get("patterns") or [], words(fields.get("deny_list") or [], "deny_list")
    if not isinstance(patterns, list) or not (patterns or denied):
        raise AdHocInvalid("an ad-hoc recognizer needs patterns or a deny_list")
    if any(not isinstance(pattern, Mapping) for pattern in patterns):
        raise AdHocInvalid("a pattern of an ad-hoc recognizer must be an object")
    flags = fields.get("global_regex_flags", DEFAULT_FLAGS)
    if isinstance(flags, bool) or not isinstance(flags, int) or flags & ~DEFAULT_FLAGS:
        raise AdHocInvalid("global_regex_flags may be made of 2 (ignore case), 8 (multi-line) and 16 (dot is all)")
    return _Described(
        entity=entity,
        patterns=patterns,
        denied=denied,
        denied_score=_score(fields.get("deny_list_score", 1.0)) if denied else 1.0,
        context=words(fields.get("context") or [], "context"),
        flags=flags,
    )


def _compiled_all(described: _Described) -> Iterator[AdHoc]:
    entity, context = described.entity, context_words(list(described.context))
    for pattern in described.patterns:
        expression = linear(pattern.get("regex"), described.flags, widened=True)
        if expression.compiled.match("") is not None:
            raise AdHocInvalid("an expression of an ad-hoc recognizer matches empty text")
        yield AdHoc(entity=entity, expression=expression, group=0, score=_score(pattern.get("score")), context=context)
    if described.denied:
        listed = "|".join(re.escape(word) for word in sorted(described.denied, key=len, reverse=True))
        # Neighbours are matched, not looked at, and the search goes on at the end of the word itself.
        expression = _compiled(
            rf"(?:^|[^{_WORD}])({listed})(?:[^{_WORD}]|$)", described.flags, _WORDS_BYTES, _WORDS_STEPS
        )
        yield AdHoc(entity=entity, expression=expression, group=1, score=described.denied_score, context=context)


def linear(expression: Any, flags: int, *, widened: bool = False) -> Linear:
    """`expression` compiled by google-re2, as what finds in any alphabet if it is to be `widened`. Raises AdHocInvalid."""
    if not isinstance(expression, str) or not 0 < len(expression) <= MAX_REGEX_CHARS:
        raise AdHocInvalid(f"an expression is a text of at most {MAX_REGEX_CHARS} characters")
    if r"\C" in _ESCAPED.findall(expression):
        raise AdHocInvalid(r"an expression matches whole characters: \C is not supported here")
    return _compiled(_widened(expression) if widened else expression, flags, _EXPRESSION_BYTES, _EXPRESSION_STEPS)


def _widened(expression: str) -> str:
    r"""`expression` with `\w` and `\W` for all alphabets, and without a `\b` that would not see what stands beside it."""
    parts = _PART.findall(expression)
    written = []
    for number, part in enumerate(parts):
        if part in {r"\b", r"\B"}:
            before = next((each for each in reversed(parts[:number]) if _COUNTED.match(each) is None), "")
            beside = (before, *parts[number + 1 : number + 2])
            # What begins or ends in a group is not looked for.
            grouped = any(each[:1] in {"(", ")", "|"} for each in beside)
            wide = any(_WIDE.search(each) for each in (parts if grouped else beside))
            written.append("" if wide else part)
        elif part.startswith("["):
            if r"\W" in _ESCAPED.findall(part):
                raise AdHocInvalid(r"\W is not supported in a set of an expression: write what the set leaves out")
            written.append(_ESCAPED.sub(lambda found: _WORD if found[0] == r"\w" else found[0], part))
        else:
            written.append({r"\w": f"[{_WORD}]", r"\W": f"[^{_WORD}]"}.get(part, part))
    return "".join(written)


def _compiled(expression: str, flags: int, memory_bytes: int, most_steps: int) -> Linear:
    re2: Any = import_module("re2")
    options = re2.Options()
    options.max_mem = memory_bytes
    options.log_errors = False
    options.case_sensitive = not flags & re.IGNORECASE
    options.dot_nl = bool(flags & re.DOTALL)
    multiline = "(?m)" if flags & re.MULTILINE else ""
    try:
        compiled = re2.compile(multiline + expression, options)
    except (re2.error, UnicodeEncodeError):
        raise AdHocInvalid(
            "an expression cannot be compiled: it is too large, or has lookaround or back-references"
        ) from None
    return Linear(compiled=compiled, most_bytes=most_steps // compiled.programsize)


def words(listed: Any, name: str) -> Sequence[str]:
    """A list of words in a request. Raises AdHocInvalid."""
    if not isinstance(listed, list) or len(listed) > MAX_WORDS:
        raise AdHocInvalid(f"{name} must be a list of at most {MAX_WORDS} texts")
    if any(not isinstance(word, str) or not 0 < len(word) <= MAX_WORD_CHARS for word in listed):
        raise AdHocInvalid(f"{name} must hold texts of at most {MAX_WORD_CHARS} characters")
    if sum(map(len, listed)) > MAX_WORDS_CHARS:
        raise AdHocInvalid(f"{name} may hold at most {MAX_WORDS_CHARS} characters")
    return listed


def _score(score: Any) -> float:
    if isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score <= 1:
        raise AdHocInvalid("the score of an ad-hoc recognizer is a number from 0 to 1")
    return float(score)
