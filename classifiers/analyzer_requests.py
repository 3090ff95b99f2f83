"""What callers of Presidio's services send, checked: a question or a refusal, whatever JSON it is.

Statuses and the wording of refusals are those of Presidio's services where these have one. No refusal quotes the request.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from classifiers.ad_hoc import AdHoc, Linear, ad_hoc, linear, words
from classifiers.operators import Found, ParameterInvalid
from classifiers.registry_file import DEFAULT_FLAGS
from classifiers.rules import CONTEXT_FLOOR

MAX_TEXT_CHARS: Final = 1 << 20
MAX_TEXTS: Final = 500
MAX_ENTITIES: Final = 2_000
MAX_RESULTS: Final = 10_000
MAX_OPERATORS: Final = 2_000
_NONE_FOUND = "No matching recognizers were found to serve the request."
_LANGUAGE = re.compile(r"[a-z]{2}")


class Refused(Exception):
    """A request that is answered by an error in Presidio's form."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


# Whether the caller's list allows a value, asked until a deadline. Raises DetectorUnavailable.
Allowed = Callable[[str, float], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A request to /analyze, checked. `batch` tells whether the texts came as a list."""

    texts: tuple[str, ...]
    batch: bool
    entities: frozenset[str] | None
    unsupported: tuple[str, ...]
    floor_permille: int
    explain: bool
    own: tuple[AdHoc, ...]
    context: Sequence[str]
    allowed: Allowed


def question_in(document: Mapping[str, Any], known: Sequence[str]) -> Question:
    """What a request to /analyze asks; `known` are the entities of the rules. Raises Refused and AdHocInvalid."""
    texts, batch = _texts(document.get("text"))
    if not document.get("language"):
        raise Refused(500, "No language provided")
    check_language(document["language"])
    own = ad_hoc(document.get("ad_hoc_recognizers") or [])
    entities, unsupported = _entities(document.get("entities"), {*known, *(each.entity for each in own)})
    return Question(
        texts=texts,
        batch=batch,
        entities=entities,
        unsupported=unsupported,
        floor_permille=_threshold(document.get("score_threshold")),
        explain=bool(document.get("return_decision_process")),
        own=own,
        context=words(document.get("context") or [], "context"),
        allowed=_allowed(document),
    )


def _unparsable(what: str) -> NoReturn:
    raise Refused(400, f"Failed to parse /analyze request for AnalyzerEngine.analyze(). {what}")


def _texts(text: Any) -> tuple[tuple[str, ...], bool]:
    if not text:
        raise Refused(500, "No text provided")
    texts = text if isinstance(text, list) else [text]
    if any(not isinstance(each, str) for each in texts):
        _unparsable("text must be a string or a list of strings")
    if len(texts) > MAX_TEXTS or sum(map(len, texts)) > MAX_TEXT_CHARS:
        raise Refused(413, f"text may hold {MAX_TEXTS} texts and {MAX_TEXT_CHARS} characters at most")
    return tuple(texts), isinstance(text, list)


def check_language(language: Any) -> None:
    """Raises Refused for what is no code of two letters; the rules themselves know no language."""
    if not isinstance(language, str) or _LANGUAGE.fullmatch(language) is None:
        raise Refused(500, _NONE_FOUND)


def _entities(listed: Any, known: set[str]) -> tuple[frozenset[str] | None, tuple[str, ...]]:
    """(the entities to look for, those that no rule finds); None and nothing where all are asked for."""
    if not listed:
        return None, ()
    if not isinstance(listed, list) or len(listed) > MAX_ENTITIES or any(not isinstance(each, str) for each in listed):
        _unparsable(f"entities must be a list of at most {MAX_ENTITIES} names")
    wanted = frozenset(listed) & known
    if not wanted:
        raise Refused(500, _NONE_FOUND)
    # Only what looks like a name may go into a header.
    return wanted, tuple(sorted(each for each in set(listed) - known if re.fullmatch("[A-Z0-9_]{1,64}", each)))[:32]


def _threshold(score: Any) -> int:
    if score is None:
        return CONTEXT_FLOOR
    if isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score <= 1:
        _unparsable("score_threshold must be a number from 0 to 1")
    return round(score * 1000)


def _allowed(document: Mapping[str, Any]) -> Allowed:
    listed = words(document.get("allow_list") or [], "allow_list")
    if not listed:
        return lambda _value, _deadline: False
    match document.get("allow_list_match") or "exact":
        case "exact":
            exact = frozenset(listed)
            return lambda value, _: value in exact
        case "regex":
            flags = document.get("regex_flags")
            flags = DEFAULT_FLAGS if flags is None else flags
            if not isinstance(flags, int) or flags & ~DEFAULT_FLAGS:
                _unparsable("regex_flags may be made of 2, 8 and 16")
            expressions = [linear(each, flags) for each in listed]
            return lambda value, deadline: _any_in(expressions, value.encode("utf-8", "replace"), deadline)
        case _:
            _unparsable("allow_list_match must be either 'exact' or 'regex'")


def _any_in(expressions: Sequence[Linear], value: bytes, deadline: float) -> bool:
    return any(each.search(value, 0, deadline) is not None for each in expressions)


def text_in(document: Mapping[str, Any]) -> str:
    """The text of a request to the anonymizer. Raises ParameterInvalid and Refused."""
    text = document.get("text")
    if not isinstance(text, str) or not text:
        raise ParameterInvalid("Invalid input, text can not be empty")
    if len(text) > MAX_TEXT_CHARS:
        raise Refused(413, f"text may hold {MAX_TEXT_CHARS} characters at most")
    return text


def results_in(document: Mapping[str, Any], key: str) -> tuple[Found, ...]:
    """The results under `key`. Raises ParameterInvalid and Refused."""
    listed = document.get(key)
    if not isinstance(listed, list):
        raise ParameterInvalid(f"Invalid input, request must contain {key.replace('_', ' ')}")
    if len(listed) > MAX_RESULTS:
        raise Refused(413, f"{key} may hold {MAX_RESULTS} results at most")
    return tuple(_found(each) for each in listed)


def _found(result: Any) -> Found:
    if not isinstance(result, dict):
        raise ParameterInvalid("Invalid input, a result must be an object")
    start, end, entity = result.get("start"), result.get("end"), result.get("entity_type")
    score = result.get("score", 0.0)
    if type(start) is not int or type(end) is not int or not isinstance(entity, str) or not entity:
        raise ParameterInvalid("Invalid input, result must contain start, end and entity_type")
    if isinstance(score, bool) or not isinstance(score, int | float):
        raise ParameterInvalid("Invalid input, score must be a number")
    if start < 0 or end < start:
        raise ParameterInvalid("Invalid input, result start and end must be positive and in order")
    return Found(entity=entity, start=start, end=end, score=float(score))


def operators_in(document: Mapping[str, Any], key: str) -> dict[str, Mapping[str, Any]]:
    """The operators under `key`, by entity. Raises ParameterInvalid and Refused."""
    listed = document.get(key) or {}
    if not isinstance(listed, dict) or any(not isinstance(each, dict) for each in listed.values()):
        raise ParameterInvalid(f"Invalid input, {key} must be an object of objects")
    if len(listed) > MAX_OPERATORS:
        raise Refused(413, f"{key} may hold {MAX_OPERATORS} operators at most")
    if any(each.get("type") == "custom" for each in listed.values()):
        raise Refused(400, "Custom type anonymizer is not supported")
    return listed
