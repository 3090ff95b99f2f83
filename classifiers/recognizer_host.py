"""The child process for recognisers that nobody can stop from inside: customers' Python classes, spaCy pipelines and
backtracking patterns.

Started by `classifiers.recognizer_client` as a child of `governance.child`. Requests and answers are JSON; of an exception
only that there was one is told.

The plan: `{"patterns": [...], "classes": ["module:Class", "spacy:NAME", ...]}`, answered by `{"ready": [...]}` or `{"bad": n, "error"}`.
Then for each text, which is a JSON string, one answer for each recogniser, in order: `{"status", "found": [[...], ...]}`.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any, Final

from governance.child import Calls

LOADING_S: Final = 120.0
MAX_FOUND: Final = 10_000
_REACH = 64
_BONUS, _FLOOR = 0.35, 0.4

# (entity, start, end, score in permille, country)
Found = tuple[str, int, int, int, str | None]
Search = Callable[[str, float], Iterator[Found]]


def serve() -> None:
    """Loads what the plan names, then answers texts until there are no more."""
    calls = Calls()
    searches = _loaded(json.loads(calls.plan()), calls)
    while searches and (call := calls.next()) is not None:
        text, deadline = json.loads(call[0]), call[1]
        for search in searches:
            _tell(calls, _run(search, text, deadline))


def _tell(calls: Calls, answer: dict[str, Any]) -> None:
    calls.answer(json.dumps(answer, separators=(",", ":")).encode("ascii"))


def _loaded(plan: dict[str, Any], calls: Calls) -> list[Search]:
    searches: list[Search] = []
    ready: list[dict[str, Any]] = []
    makers: list[Callable[[], tuple[Search, dict[str, Any]]]] = [
        *(lambda pattern=pattern: _pattern(pattern) for pattern in plan["patterns"]),
        *(lambda name=name: _class_or_pipeline(name) for name in plan["classes"]),
    ]
    for number, make in enumerate(makers):
        try:
            search, described = make()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever an operator's class raises, this entry is bad
            _tell(calls, {"bad": number, "error": _reason(error)})
            return []
        searches.append(search)
        ready.append(described)
    _tell(calls, {"ready": ready})
    return searches


def _reason(error: BaseException) -> str:
    """No request was seen yet, so that nothing but the operator's own code can speak in it."""
    return f"{type(error).__name__}: {error}"[:300]


def _run(search: Search, text: str, deadline: float) -> dict[str, Any]:
    found: list[Found] = []
    status = "complete"
    try:
        if time.monotonic() > deadline:
            raise TimeoutError  # noqa: TRY301 - one place decides what it means
        for each in search(text, deadline):
            if len(found) == MAX_FOUND:
                status = "partial"
                break
            found.append(each)
    except TimeoutError:
        status = "timeout"
    except (Exception, SystemExit):  # noqa: BLE001 - it may quote content, so that nothing of it is told
        status = "partial"
    return {"status": status, "found": found}


# --- patterns ------------------------------------------------------------------------------------------------------


def _pattern(fields: dict[str, Any]) -> tuple[Search, dict[str, Any]]:
    regex: Any = import_module("regex")
    compiled = regex.compile(fields["expression"], fields["flags"])
    entity, score, country = fields["entity"], fields["permille"] / 1000, fields["country"]
    words = context_words(fields["context"])

    def search(text: str, deadline: float) -> Iterator[Found]:
        left_s = max(0.001, deadline - time.monotonic())
        for match in compiled.finditer(text, timeout=left_s):
            start, end = match.span()
            if start < end:
                yield entity, start, end, round(in_context(text, start, score, words) * 1000), country

    version = hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:16]
    return search, {"id": f"own:{fields['recognizer']}", "entities": [entity], "version": version}


def context_words(words: list[str]) -> re.Pattern[str] | None:
    """A pattern for any of `words` at the beginning of a word."""
    if not words:
        return None
    return re.compile(r"\b(?:" + "|".join(re.escape(word) for word in words) + ")", re.IGNORECASE)


def in_context(text: str, start: int, score: float, words: re.Pattern[str] | None) -> float:
    """`score`, or what Presidio makes of it where one of `words` stands before `start`."""
    if words is None or words.search(text, max(0, start - _REACH), start) is None:
        return score
    return min(1.0, max(score + _BONUS, _FLOOR))


# --- classes and pipelines -----------------------------------------------------------------------------------------


def _class_or_pipeline(name: str) -> tuple[Search, dict[str, Any]]:
    if not name.startswith("spacy:"):
        return _class(name)
    pipelines: Any = import_module("classifiers.spacy_pipeline")
    loaded: tuple[Search, dict[str, Any]] = pipelines.load(name)
    # As for a class: its components may write values into their log.
    import_module("logging").disable()
    return loaded


def _class(name: str) -> tuple[Search, dict[str, Any]]:
    module, _, attribute = name.partition(":")
    kind = getattr(import_module(module), attribute)
    if not isinstance(kind, type) or "EntityRecognizer" not in {base.__name__ for base in kind.__mro__}:
        raise TypeError("it is no subclass of presidio_analyzer.EntityRecognizer")
    recognizer: Any = kind()
    # It may write values into its log; the handlers' streams are gone, and so is the work for them.
    import_module("logging").disable()
    entities = list(recognizer.supported_entities)
    words = context_words(list(recognizer.context or ()))
    own_country = recognizer.country_code() if hasattr(recognizer, "country_code") else None
    country = {"uk": "GB"}.get(own_country, own_country.upper()) if own_country else None

    def search(text: str, deadline: float) -> Iterator[Found]:  # noqa: ARG001 - the parent and the kernel keep it
        artifacts = _Artifacts(text, recognizer.supported_language)
        for result in recognizer.analyze(text, entities, artifacts) or ():
            score = float(result.score)
            enhanced = (result.recognition_metadata or {}).get("is_score_enhanced_by_context")
            if not enhanced and 0 < score < 1:
                score = in_context(text, int(result.start), score, words)
            yield str(result.entity_type), int(result.start), int(result.end), round(score * 1000), country

    return search, {"id": f"own:{recognizer.name}", "entities": entities, "version": str(recognizer.version)}


class _Artifacts:
    """What an NLP engine without a model says of a text: its tokens. Made when a recogniser asks for it."""

    def __init__(self, text: str, language: str) -> None:
        self._text = text
        self._language = language

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        spacy: Any = import_module("spacy")
        tokens = spacy.blank(self._language)(self._text)
        self.tokens = tokens
        self.tokens_indices = [token.idx for token in tokens]
        self.lemmas = [token.text for token in tokens]
        self.keywords = [token.text.lower() for token in tokens if not (token.is_stop or token.is_punct)]
        self.entities: list[Any] = []
        self.scores: list[float] = []
        self.nlp_engine = None
        return object.__getattribute__(self, name)
