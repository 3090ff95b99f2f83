"""Candidates, checks, context words, scores: what a reader makes of a text, with rules made for the test."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers.compiled import compile_rules
from classifiers.digits import numbers, runs
from classifiers.meter import Meter
from classifiers.reading import Reader
from classifiers.rules import Category, Rule
from governance.finding import DetectionStatus

BASE = Rule(
    id="zz.base",
    entity="ZZ_BASE",
    name="Made for this test",
    category=Category.TAX,
    alone=600,
    source="made for this test",
    valid=("x",),
    invalid=("y",),
)
RULES = (
    replace(BASE, id="zz.bsn", entity="ZZ_BSN", digits=(8, 9), check="nl_bsn", alone=300, context=("bsn",), country="NL"),
    replace(BASE, id="zz.rival", entity="ZZ_RIVAL", digits=(9,), check="nl_bsn", alone=300, context=("rival",)),
    replace(BASE, id="zz.glued", entity="ZZ_GLUED", digits=(12,), glued=True),
    replace(BASE, id="zz.sure", entity="ZZ_SURE", digits=(16,), alone=950),
    replace(BASE, id="zz.born", entity="ZZ_BORN", digits=(10,), groups=("6-4",), check="dk_cpr", alone=300, context=("born",)),
    replace(BASE, id="zz.account", entity="ZZ_ACCOUNT", digits=(8, 10), alone=100, context=("account",)),
    replace(BASE, id="zz.key", entity="ZZ_KEY", expressions=(r"\bzk_[a-z0-9]{8,20}\b",)),
    replace(BASE, id="zz.code", entity="ZZ_CODE", expressions=(r"\b[A-Z]{2}[0-9]{6}\b",), alone=100, context=("code", "код")),
    replace(BASE, id="zz.day", entity="ZZ_DAY", expressions=(r"\bD[0-9]{3}\b",), alone=100, context=("day", "день"), unless=("night",), nearest=True),
    replace(BASE, id="zz.secret", entity="ZZ_SECRET", expressions=(r"\bsecret[ ]{0,2}[:=][ ]{0,2}([^ ]{6,30})",), caseless=True),
    replace(BASE, id="zz.groups", entity="ZZ_GROUPS", expressions=(r"\bG[0-9]{2}(?: ?[A-Z0-9]{3}){1,6}\b",), check="nl_groups"),
)  # fmt: skip


@pytest.fixture(scope="module")
def reader() -> Reader:
    rules = tuple(replace(rule, check=None) if rule.check == "nl_groups" else rule for rule in RULES)
    return Reader(compiled=compile_rules(rules))


def seen(reader: Reader, text: str) -> list[tuple[str, str, int, bool]]:
    """(entity, text of the span, permille, validated) of the findings, telephone numbers left out."""
    findings = reader.read(text, deadline=time.monotonic() + 60).findings
    return [
        (each.entity_type, text[each.span.start : each.span.end], each.permille, each.validated)
        for each in findings
        if each.entity_type != "PHONE_NUMBER"
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bsn 111222333", [("ZZ_BSN", "111222333", 1000, True)]),
        ("BSN: 1112.22.333.", [("ZZ_BSN", "1112.22.333", 1000, True)]),
        ("bsn 111 222 333 2 dagen", [("ZZ_BSN", "111 222 333", 1000, True)]),
        ("111222333", []),
        ("bsn 111222334", []),
        ("bsn x111222333", []),
        ("bsn _111222333", []),
        ("bsn +111222333", []),
        ("bsn 0.111222333", []),
        ("bsn 5111222333", []),
        ("rival 111222333 and much later, after many words, a bsn", [("ZZ_RIVAL", "111222333", 1000, True)]),
        ("bsn or rival: 111222333", [("ZZ_RIVAL", "111222333", 1000, True)]),
        ("born 2110625629", [("ZZ_BORN", "2110625629", 1000, True)]),
        ("born 211062-5629", [("ZZ_BORN", "211062-5629", 1000, True)]),
        ("born 2 1 1 0 6 2 5 6 2 9", [("ZZ_BORN", "2 1 1 0 6 2 5 6 2 9", 1000, True)]),
        ("born 211-062 56 29", []),
        ("account 29042025", [("ZZ_ACCOUNT", "29042025", 450, False)]),
        ("account 29.40.2025", [("ZZ_ACCOUNT", "29.40.2025", 450, False)]),
        ("account 29.04.20256", []),
        ("account since 29.04.2025", []),
        ("account since 04/29/2025", []),
        ("account since 2025-4-29 12", []),
        ("account since 29.04.2025 12:30", []),
        ("ab123456789012cd", [("ZZ_GLUED", "123456789012", 600, False)]),
        ("zk_abcdef12", [("ZZ_KEY", "zk_abcdef12", 600, False)]),
        ("zk_abcdef1", []),
        ("xzk_abcdef12", []),
        ("D001 and D002", []),
        ("seen D001, day D002, left D003", [("ZZ_DAY", "D002", 450, False)]),
        ("seen D001 day D002 left D003", [("ZZ_DAY", "D002", 450, False)]),
        ("seen D001, день D002, left D003", [("ZZ_DAY", "D002", 450, False)]),
        ("D001 was the day, D002 was not", [("ZZ_DAY", "D001", 450, False)]),
        ("D001 was день, D002 was not", [("ZZ_DAY", "D001", 450, False)]),
        ("D001, which was not the day", []),
        ("D001 was in the end and after all the day", []),
        ("the day was long. At night D001", []),
        ("AB123456", []),
        ("code AB123456", [("ZZ_CODE", "AB123456", 450, False)]),
        ("код AB123456", [("ZZ_CODE", "AB123456", 450, False)]),
        ("code ABC123456", []),
        ('{"productCode": "AB123456"}', [("ZZ_CODE", "AB123456", 450, False)]),
        ("Secret: hunter22", [("ZZ_SECRET", "hunter22", 600, False)]),
        ("secret=111222333 bsn", [("ZZ_BSN", "111222333", 1000, True)]),
        ("4111 1111 1111 1111 12/25", [("ZZ_SURE", "4111 1111 1111 1111", 950, False)]),
        ("4111111111111111/25", [("ZZ_SURE", "4111111111111111", 950, False)]),
        ("4111-1111-1111-1111 5500-0000-0000-0004", [("ZZ_SURE", "4111-1111-1111-1111", 950, False), ("ZZ_SURE", "5500-0000-0000-0004", 950, False)]),
        ("", []),
        ("\x00\ud800 bsn 111222333 \udfff", [("ZZ_BSN", "111222333", 1000, True)]),
    ],
)  # fmt: skip
def test_what_is_found(reader, text, expected):
    """Spans, scores and validation follow from rule, boundary, check and context."""
    assert expected == seen(reader, text)


def test_a_floor_of_zero_reports_everything_that_has_the_shape():
    """For comparison with detectors that have no context."""
    everything = Reader(compiled=compile_rules(RULES[:9]), floor_permille=0)

    assert [("ZZ_BSN", "111222333", 300, False), ("ZZ_CODE", "AB123456", 100, False)] == seen(
        everything, "111222333 AB123456"
    )


def test_a_subset_finds_only_what_was_asked_for():
    """And with telephone numbers left out their tables are not loaded."""
    some = Reader(entities=["NL_BSN"])

    assert [("NL_BSN", "111222333", 1000, True)] == seen(some, "bsn 111222333, jane@example.com, +49 30 901820")


def test_identifiers_of_a_country_bring_its_telephone_numbers():
    """A number in national form is read as those of the country are whose identifier stands in the text."""
    known = Reader(entities=["IN_AADHAAR", "PHONE_NUMBER"])

    def phones(text: str) -> list[str | None]:
        findings = known.read(text, deadline=time.monotonic() + 60).findings
        return [each.country for each in findings if each.entity_type == "PHONE_NUMBER"]

    assert ["IN"] == phones("Aadhaar 2341 2341 2346, mobile 9820144736")
    assert [] == phones("Aadhaar 2341 2341 2347, mobile 9820144736")


def test_the_detector_of_a_finding_is_the_rule_and_the_country_is_its_own(reader):
    """A record can say which rule saw a value."""
    [found] = reader.read("bsn 111222333", deadline=time.monotonic() + 60).findings

    assert ("zz.bsn", "NL", 0, "") == (found.detector, found.country, found.segment, found.via)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("111 222 333", ["111222333"]),
        ("111222333", ["111222333"]),
        ("111-22-2333 12", ["111222333"]),
        ("12 111-22-2333", ["111222333"]),
        ("12.05.2024 111222333", ["111222333"]),
        ("111.222.333/45", ["111222333"]),
        ("111222333 444555666", ["111222333", "444555666"]),
        ("11 222 3334 5", ["112223334"]),
        ("1 2 3 4 5 6 7 8 9", ["123456789"]),
        ("1 2 3 4 5 6 7 8 9 1", []),
        ("1.111222333", []),
        ("1112223334", []),
        ("111222333-4", []),
    ],
)
def test_numbers_are_whole_groups_of_a_run(text, expected):
    """The whole run, what blanks or slashes set off, or neighbouring groups in likely sizes."""
    scan = text.encode()
    spans = runs(scan, Meter(100, deadline=time.monotonic() + 60))

    assert expected == [value for start, end in spans for _, _, value in numbers(scan, start, end, {9})]


@settings(max_examples=200, deadline=None)
@given(text=st.text("0123456789 ./-a", max_size=120))
def test_candidates_are_made_of_whole_groups(text):
    """No candidate begins or ends inside a group, and none is offered twice."""
    scan = text.encode()
    found = []
    for start, end in runs(scan, Meter(100, deadline=time.monotonic() + 60)):
        found += [(first, last) for first, last, _ in numbers(scan, start, end, range(4, 41))]
    padded = f"a{text}a"

    assert all(
        padded[first].isdigit() + padded[first + 1].isdigit() != 2
        and padded[last + 1].isdigit() + padded[last].isdigit() != 2
        for first, last in found
    )
    assert len(found) == len(set(found))


def test_readers_are_safe_between_threads(reader):
    """Each thread has its own scratch."""
    text = "bsn 111222333 zk_abcdef12 code AB123456 " * 50
    expected = seen(reader, text)
    results: list[object] = []
    threads = [threading.Thread(target=lambda: results.append(seen(reader, text))) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert [expected] * 4 == results


def test_a_passed_deadline_is_a_timeout(reader):
    """Nothing is read, and the status says so."""
    assert DetectionStatus.TIMEOUT is reader.read("bsn 111222333", deadline=time.monotonic() - 1).status
