"""Countries read from findings."""

from __future__ import annotations

from classifiers.jurisdiction import jurisdictions
from governance.finding import Finding, Jurisdiction
from governance.segment import Span


def found(entity: str, country: str | None, permille: int, *, validated: bool) -> Finding:
    return Finding(
        segment=0,
        entity_type=entity,
        span=Span(start=0, end=1),
        permille=permille,
        detector="test",
        country=country,
        validated=validated,
    )


def test_the_strongest_evidence_for_each_country_is_kept_in_order_of_code():
    """One row per country, sorted; findings without a country say nothing."""
    findings = [
        found("IBAN_CODE", "DE", 1000, validated=True),
        found("PHONE_NUMBER", "DE", 850, validated=True),
        found("PHONE_NUMBER", "AT", 850, validated=True),
        found("EMAIL_ADDRESS", None, 1000, validated=True),
    ]

    assert (Jurisdiction(code="AT", permille=850), Jurisdiction(code="DE", permille=1000)) == jurisdictions(findings)


def test_a_national_number_is_weak_evidence_whatever_its_score():
    """A number read in a default region points to it with 300 at most."""
    findings = [found("PHONE_NUMBER", "US", 750, validated=False), found("US_SSN", "GB", 500, validated=False)]

    assert (Jurisdiction(code="GB", permille=500), Jurisdiction(code="US", permille=300)) == jurisdictions(findings)


def test_nothing_found_points_nowhere():
    """No findings, no countries."""
    assert () == jurisdictions([])
