"""Countries read from findings and from what stands beside them."""

from __future__ import annotations

import time

import pytest

from classifiers.jurisdiction import FLOOR, Trace, Traces, jurisdictions, sharers
from classifiers.meter import Meter
from classifiers.rules import load_rules
from classifiers.traces import NO_TRACES, Tracer
from governance.finding import Category, Finding, Jurisdiction
from governance.residency import COUNTRIES
from governance.segment import Span
from tests.unit.jurisdiction_cases import cases, places, told


def found(
    entity: str, country: str | None, permille: int, *, validated: bool, category: Category = Category.OTHER
) -> Finding:
    return Finding(
        segment=0,
        entity_type=entity,
        span=Span(start=0, end=1),
        permille=permille,
        detector="test",
        category=category,
        country=country,
        validated=validated,
    )


def meter(text: str) -> Meter:
    return Meter(len(text), deadline=time.monotonic() + 10)


def test_independent_evidence_adds_up_and_the_rest_is_left_out():
    """Kinds of one country are joined, countries come in order of code, findings without a country say nothing."""
    findings = [
        found("IBAN_CODE", "DE", 1000, validated=True),
        found("PHONE_NUMBER", "DE", 850, validated=True),
        found("PHONE_NUMBER", "AT", 850, validated=True),
        found("EMAIL_ADDRESS", None, 1000, validated=True),
    ]

    assert (
        Jurisdiction(code="AT", permille=720, evidence=("PHONE_NUMBER",)),
        Jurisdiction(code="DE", permille=972, evidence=("IBAN_CODE", "PHONE_NUMBER")),
    ) == jurisdictions(findings)


def test_a_national_number_is_weak_evidence_whatever_its_score():
    """A number read in a default region does not reach the floor; another form that was only named does."""
    findings = [found("PHONE_NUMBER", "US", 750, validated=False), found("US_SSN", "GB", 500, validated=False)]

    assert (Jurisdiction(code="GB", permille=500, evidence=("US_SSN",)),) == jurisdictions(findings)


def test_nothing_found_points_nowhere():
    """No findings, no countries."""
    assert () == jurisdictions([])
    assert () == jurisdictions([], [NO_TRACES])


def test_weak_signals_never_decide():
    """Domain, currency and language together stay below the floor; beside a place they lift it."""
    weak = (Trace("DE", "cctld", 300), Trace("DE", "currency", 150))

    assert () == jurisdictions([], [Traces(weak, "DE AT CH LI LU")])
    assert ("DE",) == tuple(
        each.code for each in jurisdictions([], [Traces((*weak, Trace("DE", "city", 250)), "DE AT CH LI LU")])
    )


def test_repeating_a_kind_of_evidence_adds_nothing():
    """Ten messages that name one city are one piece of evidence."""
    traces = Traces((Trace("FR", "city", 380),))

    assert () == jurisdictions([], [traces] * 10)


@pytest.mark.parametrize(("spoken", "expected"), [("", ("CO",)), ("UY", ("UY",)), ("CO UY", ("CO",)), ("PL", ("CO",))])
def test_a_number_that_several_countries_share_goes_where_other_evidence_is(spoken: str, expected: tuple[str, ...]):
    """A form of two countries counts for the one that is clearly better supported."""
    shared = Trace("CO", "CO_CEDULA", 560, shared="CO UY")

    assert expected == tuple(each.code for each in jurisdictions([], [Traces((shared,), spoken)]))


def test_numbers_of_firms_weigh_less_than_numbers_of_people():
    """A firm's number alone is below the floor, a person's is not."""
    person, firm = (
        found("NL_X", "NL", 1000, validated=True, category=category) for category in (Category.TAX, Category.COMPANY)
    )

    assert [("NL",), ()] == [tuple(each.code for each in jurisdictions([one])) for one in (person, firm)]


def test_rules_tell_what_countries_share():
    """Birth numbers of the Czech Republic and Slovakia are one form; distinctive forms are nobody else's."""
    known = sharers(load_rules())

    assert "CZ SK" == known["cz.birth_number"]
    assert "family.iban" not in known


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I live in Leeds.", ("GB",)),
        ("She lives in Leeds.", ("GB",)),
        ("A hero who lives in Leeds.", ()),
        ("Suppose I live in Leeds.", ()),
        ("My address: 5 High Street, Leeds", ("GB",)),
        ("Acme Ltd, address: 5 High Street, Leeds", ()),
        ("I live in Paris, Texas.", ("US",)),
        ("I live in Cambridge.", ()),
        ("I live in a house.", ()),
        ("I LIVE IN", ()),
        ("alive in Leeds, I olive in Leeds", ()),
    ],
)
def test_a_place_counts_where_somebody_is_at_home(text: str, expected: tuple[str, ...]):
    """Of oneself always, of others where one of the conversation is meant, never where it is supposed."""
    tracer = Tracer(places(), {})

    assert expected == tuple(each.code for each in jurisdictions([], [tracer.traces(text, [], meter(text))]))


def test_known_words_give_the_same_traces():
    """The reader hands over the words that it has seen."""
    tracer, text = Tracer(places(), {}), "Ich wohne in Dresden und nicht in Wien."

    assert tracer.traces(text, [], meter(text)) == tracer.traces(text, [], meter(text), {"wohne"})


@pytest.mark.parametrize(
    "text", ["I live in London. " * 15_000, "lives in wohnt in vivo en " * 10_000, "İ住在" * 80_000]
)
def test_a_hostile_text_costs_no_more_than_its_length(text: str):
    """A quarter of a megabyte of cues is read within a tenth of the work that its length allows."""
    tracer, work = Tracer(places(), {}), meter(text)
    tracer.traces(text, [], work)

    assert work.spent < work.allowance / 10


@pytest.mark.parametrize("name", ["jurisdiction_cases", "jurisdiction_held_out"])
def test_the_bar_is_met(name: str):
    """Precision at least 0.95 and recall at least 0.85 over (case, country) pairs; misses are printed."""
    hits = misses = alarms = 0
    for text, expected in cases(name):
        codes = {each.code for each in told(text)}
        hits, misses, alarms = (
            hits + len(codes & expected),
            misses + len(expected - codes),
            alarms + len(codes - expected),
        )
        if codes != expected:
            print(f"expected {sorted(expected)}, told {sorted(codes)}: {text}")
    precision, recall = hits / (hits + alarms), hits / (hits + misses)
    print(f"{name}: precision {precision:.3f}, recall {recall:.3f}")

    assert precision >= 0.95
    assert recall >= 0.85


def test_the_cases_are_many_and_of_all_kinds():
    """At least 240 cases, a third of them empty, 40 countries, all codes assigned."""
    every = [*cases("jurisdiction_cases"), *cases("jurisdiction_held_out")]
    codes = {code for _, expected in every for code in expected}

    assert len({text for text, _ in every}) == len(every) >= 240
    assert 3 * sum(not expected for _, expected in every) >= 0.9 * len(every)
    assert len(codes) >= 40
    assert codes <= COUNTRIES
    assert FLOOR == 400
