"""The detector's words and the policy library's are the same words."""

from __future__ import annotations

from classifiers.credentials import FORMS
from classifiers.recognizers import load_rules
from governance.policy.bundle import load_bundle


def emitted() -> set[str]:
    """Every entity type the detector can report."""
    rules = {rule.entity_type for rule in load_rules().values()}
    return rules | {form.entity_type for form in FORMS} | {"PHONE_NUMBER"}


def test_every_type_the_detector_reports_is_known_to_the_policies() -> None:
    """A type that no table names would count as no personal data and no credential."""
    entities = load_bundle(["builtin"]).data["ringfence"]["entities"]

    assert emitted() - set(entities["personal"]) - set(entities["credentials"]) == set()


def test_every_type_the_detector_reports_has_a_level() -> None:
    """A type without a level would count as internal."""
    assert emitted() - set(load_bundle(["builtin"]).levels) == set()
