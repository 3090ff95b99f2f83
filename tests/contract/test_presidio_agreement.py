"""The rules against Presidio's own recognisers: the same spans, but for the differences listed here with their reasons.

Presidio's default English recognisers that need no model read generated texts; so do the rules, asked for one entity at a
time and at a score of 0, where every shape counts.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from classifiers.compiled import load_compiled
from classifiers.query import RuleQuery, deadline_in
from classifiers.rules import CONTEXT_FLOOR
from governance.finding import Finding
from tests.presidio_texts import texts

TEXTS = 800
SEED = 20_260_111
# Where Presidio differs once in thousands of texts.
RARE = (
    "call me at +1 650 234 2892 this week",
    "my IBAN ES8996101433257979201079 and thanks a lot.",
    "it runs on 127.0.0.1 with the netmask 255.255.255.0",
)
# Of the spans that either side has, deliberate differences apart.
AGREEMENT = 0.98
# Recognisers that need a model.
MODELS = frozenset({"SpacyRecognizer", "StanzaRecognizer", "TransformersRecognizer"})


@dataclass(frozen=True, kw_only=True)
class Span:
    """A value that one side alone has; `permille` is the score of ours, `beside` all that the rules find in the text."""

    entity: str
    text: str
    start: int
    end: int
    permille: int = 0
    beside: tuple[Finding, ...] = ()

    @property
    def value(self) -> str:
        return self.text[self.start : self.end]

    def overlaps(self, *entities: str) -> bool:
        """Whether something of `entities` that is verified or reported stands in the same place."""
        return any(
            each.entity_type in entities
            and each.permille >= CONTEXT_FLOOR
            and each.span.start < self.end
            and self.start < each.span.end
            for each in self.beside
        )


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Something that the rules do otherwise on purpose."""

    entities: frozenset[str]
    applies: Callable[[Span], bool]
    reason: str


def _of(*entities: str) -> frozenset[str]:
    return frozenset(entities)


ONLY_PRESIDIO = (
    Difference(
        entities=_of("URL"),
        applies=lambda span: span.overlaps("EMAIL_ADDRESS"),
        reason="the host or a part of the name in an e-mail address is no web address",
    ),
    Difference(
        entities=_of("URL"),
        applies=lambda span: re.match(r":\d", span.text[span.end :]) is not None,
        reason="the port and what follows it belong to the address, so that our span is longer",
    ),
    Difference(
        entities=_of("IP_ADDRESS"),
        applies=lambda span: span.value == "::1",
        reason="the loopback address is no one's",
    ),
    Difference(
        entities=_of("IP_ADDRESS"),
        applies=lambda span: re.match(r"127\.|255\.(?:255|254|252|248|240|224|192|128|0)\.", span.value) is not None,
        reason="loopback addresses of version 4 and masks of networks are no one's",
    ),
    Difference(
        entities=_of("IP_ADDRESS"),
        applies=lambda span: (
            re.search(r"\b(?:version|build|release|firmware|driver)s?\b", span.text, re.IGNORECASE) is not None
        ),
        reason="four numbers beside a word for versions are a version",
    ),
    Difference(
        entities=_of("US_DRIVER_LICENSE"),
        applies=lambda span: bool(
            re.search(r"[-:.]\Z", span.text[: span.start]) or re.match(r"[-:.][0-9A-Za-z]", span.text[span.end :])
        ),
        reason="a group of a MAC address, UUID or IPv6 address is no licence",
    ),
    Difference(
        entities=_of("US_DRIVER_LICENSE"),
        applies=lambda span: span.overlaps("IBAN_CODE"),
        reason="a group of an account number is no licence",
    ),
    Difference(
        entities=_of("MEDICAL_LICENSE"),
        applies=lambda span: bool(
            re.search(r"\w\Z", span.text[: span.start]) or re.match(r"\w", span.text[span.end :])
        ),
        reason="a DEA number stands by itself, and is not cut out of a longer token",
    ),
    Difference(
        entities=_of("UK_NHS"),
        applies=lambda span: re.search(r"\+[0-9]{1,3}[ -]\Z", span.text[: span.start]) is not None,
        reason="the national part of an international telephone number is no NHS number",
    ),
    Difference(
        entities=_of("IBAN_CODE"),
        applies=lambda span: span.overlaps("IBAN_CODE"),
        reason="the word behind an IBAN does not belong to it",
    ),
    Difference(
        entities=_of("US_SSN"),
        applies=lambda span: span.value.startswith("9"),
        reason="the areas 900 to 999 were never assigned; Presidio reports taxpayer numbers twice",
    ),
    Difference(
        entities=_of("PHONE_NUMBER"),
        applies=lambda span: span.overlaps(
            *(
                "CREDIT_CARD",
                "US_SSN",
                "US_ITIN",
                "UK_NHS",
                "IBAN_CODE",
                "DATE_TIME",
                "IP_ADDRESS",
                "MAC_ADDRESS",
                "UUID",
            )
        ),
        reason="what a checksum or a stricter shape owns is no telephone number",
    ),
    Difference(
        entities=_of("PHONE_NUMBER"),
        applies=lambda span: span.value.isdigit(),
        reason="a bare run of digits is a telephone number beside a word for it only",
    ),
)
ONLY_OURS = (
    Difference(
        entities=_of("URL"),
        applies=lambda span: re.search(r"://[^/]+:\d", span.value) is not None,
        reason="the port and what follows it belong to the address, so that our span is longer",
    ),
    Difference(
        entities=_of("CREDIT_CARD", "IP_ADDRESS", "UK_NHS", "US_PASSPORT", "US_SSN"),
        applies=lambda span: span.permille < CONTEXT_FLOOR,
        reason="a rule for digits names every grouping of its length; below the score that is reported nobody sees it",
    ),
    Difference(
        entities=_of("US_PASSPORT"),
        applies=lambda span: not span.value.isdigit(),
        reason="nine digits count as a passport in any grouping where the word stands beside them",
    ),
    Difference(
        entities=_of("CREDIT_CARD"),
        applies=lambda span: len(span.value) == 12,
        reason="Maestro cards of twelve digits exist; Presidio's shortest has thirteen",
    ),
    Difference(
        entities=_of("CREDIT_CARD"),
        applies=lambda span: span.value.startswith("2"),
        reason="Mastercard issues numbers from 2221 to 2720 since 2017",
    ),
    Difference(
        entities=_of("CREDIT_CARD"),
        applies=lambda span: span.overlaps("IBAN_CODE"),
        reason="asked for alone, card numbers are found in the groups of an IBAN; asked for both, the IBAN wins",
    ),
    Difference(
        entities=_of("IBAN_CODE"),
        applies=lambda span: re.match(r" [A-Za-z]", span.text[span.end :]) is not None,
        reason="Presidio takes the word behind the number for a part of it, and then misses its checksum",
    ),
)


@pytest.fixture(scope="module")
def recognizers() -> list[Any]:
    """Presidio's default English recognisers without a model."""
    from presidio_analyzer.recognizer_registry import RecognizerRegistry

    registry = RecognizerRegistry()
    registry.load_predefined_recognizers(languages=["en"])
    return [each for each in registry.recognizers if type(each).__name__ not in MODELS]


@pytest.fixture(scope="module")
def query(recognizers: list[Any], tmp_path_factory: pytest.TempPathFactory) -> RuleQuery:
    """The rules for the entities of these recognisers."""
    entities = {entity for each in recognizers for entity in each.supported_entities}
    return RuleQuery(compiled=load_compiled(entities=entities, cache=tmp_path_factory.mktemp("rules")))


def _theirs(recognizer: Any, entity: str, text: str) -> set[tuple[int, int]]:
    found = recognizer.remove_duplicates(recognizer.analyze(text, [entity], None))
    return {(each.start, each.end) for each in found}


def _ours(query: RuleQuery, text: str, *entities: str, floor: int = 0) -> tuple[Finding, ...]:
    return query.find(text, deadline=deadline_in(5_000), entities=entities or None, floor_permille=floor)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What became of every span: agreed on by entity, different for a listed reason, different for none."""

    agreed: Counter[str]
    listed: Counter[str]
    open: tuple[Span, ...]


def _compared(query: RuleQuery, recognizers: list[Any]) -> Comparison:
    agreed: Counter[str] = Counter()
    listed: Counter[str] = Counter()
    unexplained: list[Span] = []
    for text in (*RARE, *texts(TEXTS, seed=SEED)):
        beside = _ours(query, text, floor=CONTEXT_FLOOR)
        for recognizer in recognizers:
            for entity in recognizer.supported_entities:
                theirs = _theirs(recognizer, entity, text)
                ours = {(each.span.start, each.span.end): each.permille for each in _ours(query, text, entity)}
                agreed[entity] += len(theirs & ours.keys())
                sides = ((theirs - ours.keys(), ONLY_PRESIDIO), (ours.keys() - theirs, ONLY_OURS))
                for places, known in sides:
                    for start, end in sorted(places):
                        permille = ours.get((start, end), 0)
                        span = Span(entity=entity, text=text, start=start, end=end, permille=permille, beside=beside)
                        reason = next(_reasons(span, known), None)
                        if reason is None:
                            unexplained.append(span)
                        else:
                            listed[f"{entity}: {reason}"] += 1
    return Comparison(agreed=agreed, listed=listed, open=tuple(unexplained))


def _reasons(span: Span, known: tuple[Difference, ...]) -> Iterator[str]:
    return (each.reason for each in known if span.entity in each.entities and each.applies(span))


@pytest.fixture(scope="module")
def comparison(query: RuleQuery, recognizers: list[Any]) -> Comparison:
    return _compared(query, recognizers)


def test_the_rules_find_the_spans_that_presidio_finds(comparison: Comparison) -> None:
    """For each entity, of the spans that either side has at least 98 in 100 are the same, listed differences apart."""
    missing = Counter(span.entity for span in comparison.open)

    short = {
        entity: (agreed, missing[entity])
        for entity, agreed in comparison.agreed.items()
        if agreed < AGREEMENT * (agreed + missing[entity])
    }

    assert {} == short, [(span.entity, span.value, span.permille) for span in comparison.open]


def test_every_entity_was_compared(comparison: Comparison, query: RuleQuery) -> None:
    """The texts hold enough of every entity for the share to mean something."""
    assert set(query.entities) == {entity for entity, agreed in comparison.agreed.items() if agreed >= 20}


def test_every_listed_difference_exists(comparison: Comparison) -> None:
    """A difference that is gone has to leave the list, so that it cannot hide another one."""
    reasons = {key.partition(": ")[2] for key in comparison.listed}

    assert {each.reason for each in (*ONLY_PRESIDIO, *ONLY_OURS)} == reasons
