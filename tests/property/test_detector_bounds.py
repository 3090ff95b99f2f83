"""Work on any text is bounded, in units and on the clock, and findings never overlap."""

from __future__ import annotations

import itertools
import re
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from classifiers.meter import Meter
from classifiers.reading import Reader
from classifiers.rules import load_rules
from governance.finding import DetectionStatus

# Pieces that lead rules far into a text before they give up.
PIECES = (
    *("7", ".", "@", "a@", "a@a.", "a@b.co ", "a@b.co,", "1.", "1 ", "(", "+", "+1", "+49 ", "1.2.3.4 ", ":", "1:", "::"),
    *("a::b ", " f::1", " 1:1:1:1:1:1:1", "GB29", "GB29 ABCD ", "sk-", "eyJ", ".eyJaaaaaaaaaa", "ghp_", "-----BEGIN "),
    *("-----BEGIN PRIVATE KEY-----", "212-456-7890 ", "030 901820, ", "0 0", "0.12345678 ", "4111 1111 1111 1111 "),
    *("536-90-4399 ", "123456780 ", "a", "!a", "a-a.", "TLP:", "中", "diabetes hiv ", "2024-05-12 12:30:45 ", "\n", "😀1 "),
    *("a.", "www.", "_", "([{", "a.a-", "AKIA", "AKIAIOSFODNN7EXAMPL", "deadbeef", "deadbeef ", "QUJD", "QUJDREVG ", "%41"),
    *("&#65;", "\\u0041", "Aa0", "A1 ", "AB123456 ", "12345 ", "123456789012345 ", "1-1-", "1/1/", "bsn 111222333 ", "bsn "),
    *("taxId", "password: a", "http://", "http://a.b/", "0x", "bc1q", "one two ", "é1", "Ж1 ", "\u200b", "\x01", "x y z "),
)  # fmt: skip
KB_64 = 65_536
LITERAL = re.compile(r"[A-Za-z0-9_-]{3,}")


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader()


def read(reader: Reader, text: str, *, seconds: float = 60):
    return reader.read(text, deadline=time.monotonic() + seconds)


def allowance(length: int) -> int:
    return Meter(length, deadline=0).allowance


@pytest.mark.parametrize("piece", PIECES)
def test_no_text_of_64_kb_takes_more_than_the_work_of_its_length(reader, piece):
    """What would take more is cut off and says so. What the work takes by the clock is for `ringfence bench detection`."""
    reading = read(reader, (piece * (KB_64 // len(piece) + 1))[:KB_64])

    # What an engine reports is charged for at once.
    assert reading.units <= allowance(KB_64) + KB_64 // 32


def literals() -> list[str]:
    """What the expressions of the catalogue begin with, as far as it is written out, a few of each kind."""
    found = {
        match[0]
        for rule in load_rules()
        for example in rule.valid
        if rule.expressions and (match := LITERAL.match(example))
    }
    return sorted(found)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_no_beginning_of_a_value_repeated_takes_more_than_the_work_of_its_length(reader):
    """The first letters of every example of every rule, over 64 kB."""
    limit = allowance(KB_64) + KB_64 // 32
    beginnings = sorted({literal[:4] for literal in literals()})
    work = {piece: read(reader, piece * (KB_64 // len(piece))).units for piece in beginnings}

    assert {} == {piece: units for piece, units in work.items() if units > limit}


@pytest.mark.parametrize("piece", ["7", ".", "@", "a@a.", "1 ", "030 901820, ", " 1:1:1:1:1:1:1"])
def test_eight_mebibytes_end_at_the_cap_or_at_the_deadline(reader, piece):
    """A hostile body costs no more than the capped allowance and never outlasts its deadline by much."""
    text = piece * (8 * 1024 * 1024 // len(piece))
    started = time.monotonic()

    reading = read(reader, text, seconds=0.5)

    assert (True, True) == (reading.units <= allowance(8 << 20) + KB_64, time.monotonic() - started < 60)


def test_what_was_found_before_a_limit_is_kept_and_the_limit_shows(reader):
    """Cut off is partial, never silent."""
    reading = read(reader, "jane@example.com " + "a@b.co " * 300_000)

    assert (DetectionStatus.PARTIAL, True) == (
        reading.status,
        "EMAIL_ADDRESS" in {each.entity_type for each in reading.findings},
    )


texts = st.lists(
    st.one_of(
        st.sampled_from(PIECES),
        st.sampled_from(
            ("jane@example.com", "DE89370400440532013000", "+49 30 901820", "4111111111111111", "192.0.2.1")
        ),
        st.text(max_size=12),
    ),
    max_size=40,
).map("".join)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=texts)
def test_findings_are_sorted_disjoint_and_inside_the_text(reader, text):
    """Whatever the text, lone surrogates included, spans are half open, ordered and do not overlap."""
    spans = [(each.span.start, each.span.end) for each in read(reader, text).findings]
    edges = list(itertools.chain.from_iterable(spans))

    assert (sorted(edges), True) == (edges, all(0 <= start < end <= len(text) for start, end in spans))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    before=st.integers(min_value=65_300, max_value=65_700),
    value=st.sampled_from(
        (
            "jane@example.com",
            "DE89 3704 0044 0532 0130 00",
            "+49 30 901820",
            "4111 1111 1111 1111",
            "2001:db8::ff",
        )
    ),
)
def test_a_value_anywhere_is_found_once(reader, before, value):
    """Reading block by block loses and doubles nothing."""
    findings = read(reader, " " * before + value + " .").findings

    assert [(before, before + len(value))] == [(each.span.start, each.span.end) for each in findings]
