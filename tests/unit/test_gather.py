"""Facts from requests and findings."""

from __future__ import annotations

from dataclasses import replace

from governance.facts import EntityFact, Parse, SubjectJurisdiction, Time, UninspectedCount
from governance.finding import Category, DetectionStatus, Jurisdiction, Label
from governance.gather import gather, providers
from governance.inference import Uninspected, Unread
from governance.residency import Level
from governance.segment import Role
from tests.builders import CALLER, chat, detection, finding, node, segment

LEVELS = {"EMAIL_ADDRESS": Level.CONFIDENTIAL, "health": Level.RESTRICTED}
# 2026-11-21 06:02:03 UTC, a Saturday.
NOW_US = 1_795_240_923_000_000


def test_findings_of_one_type_become_one_row() -> None:
    """Counts, the best score, validation and roles are joined; rows are sorted by type."""
    request = chat("a", segments=(segment("a"), segment("b", role=Role.TOOL)))
    found = detection(
        finding("US_SSN", 0, 1),
        finding("EMAIL_ADDRESS", 0, 1, permille=400),
        finding("EMAIL_ADDRESS", 0, 1, segment=1, permille=1000, validated=True),
    )

    facts = gather(request, found, CALLER, LEVELS, NOW_US)

    assert facts.classification.entities == (
        EntityFact(type="EMAIL_ADDRESS", count=2, max_permille=1000, validated=True, where=(Role.TOOL, Role.USER)),
        EntityFact(type="US_SSN", count=1, max_permille=900, validated=False, where=(Role.USER,)),
    )


def test_the_level_is_the_highest_of_entities_and_labels() -> None:
    """A label raises the level above that of the entities."""
    found = detection(finding("EMAIL_ADDRESS", 0, 1), labels=(Label(name="health", permille=700),))

    assert gather(chat("a"), found, CALLER, LEVELS, NOW_US).classification.level is Level.RESTRICTED


def test_a_request_without_findings_is_public() -> None:
    """Nothing found in a complete detection is the lowest level."""
    assert gather(chat("a"), detection(), CALLER, LEVELS, NOW_US).classification.level is Level.PUBLIC


def test_an_entity_that_no_table_names_is_not_public() -> None:
    """What the table forgot counts as internal."""
    found = detection(finding("SOMETHING_NEW", 0, 1))

    assert gather(chat("a"), found, CALLER, LEVELS, NOW_US).classification.level is Level.INTERNAL


def test_an_entity_that_no_table_names_has_the_level_of_its_category() -> None:
    """A new national identifier is as restricted as the known ones."""
    found = detection(replace(finding("SOMETHING_NEW", 0, 1), category=Category.NATIONAL_ID))
    levels = {**LEVELS, "national_id": Level.RESTRICTED}

    assert gather(chat("a"), found, CALLER, levels, NOW_US).classification.level is Level.RESTRICTED


def test_an_incomplete_detection_has_an_unknown_level() -> None:
    """A deadline makes the level unknown, which ranks above restricted."""
    found = detection(status=DetectionStatus.TIMEOUT)

    classification = gather(chat("a"), found, CALLER, LEVELS, NOW_US).classification

    assert (classification.level, classification.level_rank) == (Level.UNKNOWN, 4)


def test_uninspected_parts_are_counted_by_reason_and_make_the_parse_partial() -> None:
    """What was not read is a fact, sorted by reason, and not public."""
    parts = tuple(
        Uninspected(reason=reason, place="/x") for reason in (Unread.UNKNOWN_FIELD, Unread.MEDIA, Unread.UNKNOWN_FIELD)
    )

    facts = gather(chat("a", uninspected=parts), detection(), CALLER, LEVELS, NOW_US)
    request = facts.request

    assert facts.classification.level is Level.UNKNOWN
    assert request.parse == Parse(status="partial", reason="media")
    assert request.uninspected == (
        UninspectedCount(reason=Unread.MEDIA, count=1),
        UninspectedCount(reason=Unread.UNKNOWN_FIELD, count=2),
    )


def test_jurisdictions_from_content_say_so() -> None:
    """Codes are sorted and carry the basis `content`."""
    found = detection(jurisdictions=(Jurisdiction(code="US", permille=300), Jurisdiction(code="DE", permille=900)))

    assert gather(chat("a"), found, CALLER, LEVELS, NOW_US).origin.subject_jurisdictions == (
        SubjectJurisdiction(code="DE", permille=900, basis="content"),
        SubjectJurisdiction(code="US", permille=300, basis="content"),
    )


def test_time_comes_in_buckets_of_utc() -> None:
    """Minute, hour, weekday from Monday as 1, and date."""
    assert gather(chat("a"), detection(), CALLER, LEVELS, NOW_US).context.time == Time(
        utc_minute=29_920_682, hour=6, weekday=6, date="2026-11-21"
    )


def test_purpose_and_provider_are_those_that_were_told() -> None:
    """The purpose is the caller's, the provider that of the nodes."""
    caller = replace(CALLER, purpose="care")

    request = gather(chat("a"), detection(), caller, LEVELS, NOW_US, provider="own").request

    assert ("care", "own") == (request.purpose, request.provider)


def test_a_model_has_the_provider_that_all_its_nodes_name() -> None:
    """A model that two serve has none, nor has one with a node that names nobody."""
    nodes = [
        node("a", models=("one", "both", "part"), provider="own"),
        node("b", models=("one", "both"), provider="own"),
        node("c", models=("both",), provider="other"),
        node("d", models=("part", "none")),
    ]

    assert {"one": "own"} == providers(nodes)
