"""What the engines report: with either of them, exactly the matches that `re` finds in the whole text."""

from __future__ import annotations

import random
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers.expressions import forms, widest
from classifiers.meter import BLOCK, Exhausted, Meter
from classifiers.rules import load_rules
from classifiers.scanner import (
    Expression,
    HyperscanScanner,
    PortableScanner,
    Scanner,
    Together,
    build,
    forms_without_engine,
    matches,
)
from governance.errors import ConfigInvalid
from governance.finding import DetectionStatus

# Each has a trap: starts before the true one, many ends, classes that run on, boundaries, groups, alternatives.
TRAPS = (
    (r"\b[A-Z]{2}[0-9]{6}\b", False),
    (r"[A-Z]{2}[0-9]{6}", False),
    (r"\b[A-Z]{2}[0-9]{6,9}[A-Z]?\b", False),
    (r"(?<![A-Za-z0-9])[a-f0-9]{8,40}(?![A-Za-z0-9])", False),
    (r"(?<![\w.+-])[a-z0-9._%+-]{1,64}@[a-z0-9-]{1,63}(?:\.[a-z]{2,12}){1,3}\b", True),
    (r"[a-z0-9.]{1,64}@[a-z]{1,20}\.[a-z]{2}", False),
    (r"\b[A-Z]{2}[0-9]{2}(?:[ -]?[A-Z0-9]){11,30}\b", False),
    (r"\bpass(?:word)?[ ]{0,3}[:=][ ]{0,3}([^\s]{6,64})", True),
    (r"\b(?:AB|C[0-9]{2,3})-[0-9]{4}\b", False),
    (r"-----BEGIN [A-Z ]{0,20}KEY-----[A-Za-z0-9+/=\s]{10,}-----END", False),
    (r"\b(?:a|b){2,5}c{2}\b", False),
    (r"\bx[0-9]?[0-9]?y\b", False),
    (r"(?i:tok)_[0-9a-z]{4,}", False),
    (r"(?<![0-9.])(?>[0-9]{1,3}(?:\.[0-9]{1,3}){3,9})(?:/[0-9]{1,2})?(?![0-9A-Z_a-z])", False),
    (r"\b(?:foo|quux)[a-z .-]{0,24}(?:key|token)[ =:]{0,3}((?:[a-f0-9]{32}|[a-f0-9]{20}))(?![a-f0-9])", True),
)
PIECES = (
    *(
        "AB123456",
        "ABC123456",
        "a.b@ex.com",
        "@",
        "x@y.",
        ".co",
        "deadbeef00",
        "DE89 3704 0044 0532 0130 00",
        " ",
        "\n",
    ),
    *(
        "password: hunter2hunter",
        "PASS=",
        "C123-4567",
        "AB-1234",
        "ababcc",
        "bbbbbbcc",
        "x12y",
        "TOK_abcd",
        "tok_",
        "a",
    ),
    *("-----BEGIN KEY-----", "-----END", "0123456789abcdef", "é".encode("latin-1").decode("latin-1"), "\x01", "-", "_"),
)


def expressions_of(named: list[tuple[str, str, bool]], chosen) -> list[Expression]:
    return [
        Expression(text=text, caseless=caseless, form=form)
        for (_, text, caseless), form in zip(named, chosen, strict=True)
    ]


def engines(pairs) -> tuple[list[Expression], Scanner, Scanner]:
    named = [(f"rule{number}", text, caseless) for number, (text, caseless) in enumerate(pairs)]
    chosen, database = build(named)
    fast = expressions_of(named, chosen)
    return fast, HyperscanScanner(fast, database), PortableScanner(expressions_of(named, forms_without_engine(named)))


def found(expressions: list[Expression], scanner: Scanner, data: bytes) -> dict[int, list[tuple[int, int]]]:
    spans: dict[int, list[tuple[int, int]]] = {}
    for number, start, stop in scanner.places(data, Meter(1 << 20, deadline=time.monotonic() + 60)):
        own = spans.setdefault(number, [])

        def taken(match: re.Match[bytes], own=own) -> int:
            own.append(match.span())
            return match.end()

        done = own[-1][1] if own else 0
        matches(expressions[number], data, max(start, done), stop, taken)
    return {number: own for number, own in spans.items() if own}


def by_re(expressions: list[Expression], data: bytes) -> dict[int, list[tuple[int, int]]]:
    spans = {number: [match.span() for match in each.pattern.finditer(data)] for number, each in enumerate(expressions)}
    return {number: own for number, own in spans.items() if own}


@pytest.fixture(scope="module")
def traps():
    return engines(TRAPS)


@pytest.fixture(scope="module")
def catalogue():
    pairs = {(expression, rule.caseless) for rule in load_rules() for expression in rule.expressions}
    return engines(sorted(pairs))


@settings(max_examples=300, deadline=None)
@given(text=st.lists(st.one_of(st.sampled_from(PIECES), st.text("AbB1x@.-_c =", max_size=6)), max_size=30).map("".join))
def test_both_engines_find_what_re_finds_in_built_text(traps, text):
    """Neither a start before the true one nor a cut or opened form loses or invents a match."""
    expressions, fast, portable = traps
    data = text.encode("latin-1")
    expected = by_re(expressions, data)

    assert (expected, expected) == (found(expressions, fast, data), found(expressions, portable, data))


@settings(max_examples=100, deadline=None)
@given(data=st.binary(max_size=300))
def test_both_engines_find_what_re_finds_in_random_bytes(traps, data):
    """Whatever the bytes are."""
    expressions, fast, portable = traps
    expected = by_re(expressions, data)

    assert (expected, expected) == (found(expressions, fast, data), found(expressions, portable, data))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_both_engines_agree_on_every_rule_of_the_catalogue(catalogue):
    """All examples of all rules, each alone and mixed into one text, and random bytes."""
    expressions, fast, portable = catalogue
    examples = [text for rule in load_rules() for text in (*rule.valid, *rule.invalid, *rule.found, *rule.clean)]
    shuffled = random.Random(7).sample(examples, len(examples))
    mixed = [" ".join(shuffled[at : at + 40]) for at in range(0, len(shuffled), 40)]
    glued = ["".join(shuffled[at : at + 9]) for at in range(0, len(shuffled), 9)]
    noise = [random.Random(seed).randbytes(2000) for seed in range(3)]
    texts = [*(text.encode("ascii", "replace") for text in (*mixed, *glued)), *noise]
    differing = []
    for data in texts:
        expected = by_re(expressions, data)
        for scanner in (fast, portable):
            got = found(expressions, scanner, data)
            differing += [
                expressions[number].text for number in expected | got if expected.get(number) != got.get(number)
            ]

    assert [] == sorted(set(differing))


def test_a_form_matches_wherever_its_expression_does():
    """Each form, tight or loose, is a superset from every start."""
    random_ = random.Random(3)
    missed = []
    for text, caseless in TRAPS:
        pattern = re.compile(text.encode(), re.IGNORECASE if caseless else 0)
        each_form = forms(text)
        loose = [(form, re.compile(form.text.encode(), pattern.flags)) for form in each_form]
        for _ in range(200):
            data = "".join(random_.choices(PIECES, k=8)).encode("latin-1")
            for match in pattern.finditer(data):
                for form, each in loose:
                    seen = each.search(data + b"\n", max(0, match.start() - 1))
                    if seen is None or seen.start() > match.start():
                        missed.append((text, form.text))

    assert [] == missed


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (r"\b[A-Z]{2}[0-9]{6,9}\b", (8, 11, False)),
        (r"AB?C{3,}", (4, 5, False)),
        (r"x(?:yz){2,}", (5, 5, False)),
        (r"(?<![0-9])[0-9]{4}(?![0-9])", (5, 5, False)),
        (r"[0-9]{4}(?![\n])", (4, 4, False)),
        (r"\b(?:AT|BE|DE|FR)[0-9]{2}[0-9A-Z]{12}\b", (16, 16, False)),
        (r"AB(?: ?[0-9]){12}", (10, 18, False)),
        (r"ghp_[A-Za-z0-9]{36,255}", (40, 40, False)),
        (r"[a-z.]{1,64}@[a-z.]{1,200}\.[a-z]{2}", (6, 268, True)),
        (r"key=[a-z.]+:[0-9]{4}", (5, 5, False)),
        (r"(?:abc[a-z]+|cdef+)x", (4, 4, False)),
        (r"(?:[a-z]{4,120};){1,9}x", (5, 121, False)),
        (r"id (?:[a-z]{4,120};[a-z]{1,99}){1,9}x", (9, 125, False)),
        (r"[a-z.]+:[0-9]{4}", (6, 1 << 16, True)),
    ],
)
def test_a_form_ends_where_its_start_gets_far_and_says_where_matches_start(expression, expected):
    """A start that is not far is looked for; one that may be, because nothing certain stands before that, is told by the engine."""
    form = next(forms(expression))

    assert expected == (form.least, form.most, form.told)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [(r"\b[A-Z]{2}[0-9]{6,9}\b", 11), (r"(?:ab|c){2}(?!x)", 4), (r"(?>[0-9]{1,3}x)y", 5), (r"a+", 1 << 16)],
)
def test_the_widest_match_is_known(expression, expected):
    """Windows are cut by it."""
    assert expected == widest(expression)


@pytest.mark.parametrize("expression", [r"(?:abc)?", r"(a)\1", r"(?x: a b c )"])
def test_what_no_engine_can_look_for_names_the_rule(expression):
    """The author of a rule is told which one it is."""
    with pytest.raises(ConfigInvalid, match=r"rule `xx\.bad`"):
        build([("xx.good", "abc", False), ("xx.bad", expression, False)])


def test_a_form_that_is_too_large_is_opened_until_it_fits():
    """Long bounds cost states; the form gives them up, and what is found stays the same."""
    expressions, fast, portable = engines([(r"[a-z0-9.]{20,200}@[a-z]{10,200}\.[a-z]{2,60}\b", False)])
    data = b"x" * 30 + b"@" + b"y" * 12 + b".com " + b"a" * 19 + b"@" + b"b" * 10 + b".org"
    expected = {0: [(0, 47)]}

    assert (expected, expected) == (found(expressions, fast, data), found(expressions, portable, data))


def test_a_flood_of_events_ends_the_scan_and_says_so():
    """The engine is stopped from within; what it had found is still told."""
    _, fast, _ = engines([(r"a", False)])
    places = fast.places(b"a" * 1_000_000, Meter(0, deadline=time.monotonic() + 60))
    first = next(places)
    with pytest.raises(Exhausted) as caught:
        next(places)

    assert (DetectionStatus.PARTIAL, 0) == (caught.value.status, first[0])


def test_windows_hold_the_places_inside_them_and_no_others(traps):
    """A window shows its neighbours, so that its edges are no boundaries."""
    expressions, fast, portable = traps
    data = b"AB123456 xAB123456 AB123456x AB123456 AB123456"
    windows = [(0, 9), (10, 18), (19, 27), (38, 46)]

    def starts(scanner) -> set[int]:
        places = scanner.places(data, Meter(1 << 20, deadline=time.monotonic() + 60), windows)
        return {
            match.start()
            for number, start, stop in places
            if number == 0
            for match in expressions[0].pattern.finditer(data)
            if start <= match.start() < stop
        }

    assert ({0, 38}, {0, 38}) == (starts(fast), starts(portable))


def test_long_texts_are_read_block_by_block_and_nothing_is_lost_between():
    """A value at the end of a block or over it is found once."""
    expressions, fast, _ = engines(TRAPS)
    for at in range(BLOCK - 12, BLOCK + 3):
        data = b"." * at + b"AB123456 a.b@ex.com " + b"." * BLOCK + b" AB123456"

        assert by_re(expressions, data) == found(expressions, Together([fast]), data)


def test_expressions_of_one_form_are_told_apart():
    """The engine knows them as one; each has its own places."""
    expressions, fast, _ = engines([(r"\bAB(?: ?[0-9]){12}X\b", False), (r"\bAB(?: ?[0-9]){12}Y\b", False)])

    assert 1 == len({each.form for each in expressions})
    assert {0: [(0, 15)], 1: [(16, 31)]} == found(expressions, fast, b"AB123456789012X AB123456789012Y")
