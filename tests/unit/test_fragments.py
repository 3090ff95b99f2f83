"""Values put together whose fragments stand apart: what is joined, what is not, and what it costs."""

from __future__ import annotations

import time

import pytest

from classifiers.decoding import Budget
from classifiers.fragments import MOST_FRAGMENTS, rejoined
from classifiers.meter import Exhausted, Meter
from classifiers.normalisation import fold
from classifiers.view import View
from governance.segment import Span

CARD = ("4000", "0566", "5566", "5556")
MAIL = ("rosa", ".lind@", "mail", "box.example")


def joined(text: str) -> View | None:
    return rejoined(fold(text), Budget(len(text), Meter(len(text), deadline=time.monotonic() + 10)))


@pytest.mark.parametrize(
    "written",
    [
        "<b>{}</b><i>{}</i><b>{}</b>{}",
        "<span class='a'>{}</span><span>{}</span><span>{}</span><span>{}</span>",
        "<n1>{}</n1><n2>{}</n2><n3>{}</n3><n4>{}</n4>",
        "{}<!-- x -->{}<!---->{}<wbr>{}",
        '"{}" + "{}" + "{}" + "{}"',
        "'{}' || '{}' || '{}' || '{}'",
        "'{}'\n    '{}'\n    '{}'\n    '{}'",
        '"{}" \\\n "{}" \\\n "{}" \\\n "{}"',
        '"{}" & "{}" & "{}" & "{}"',
        "`{}``{}``{}``{}`",
        '${{"{}"}}${{"{}"}}${{"{}"}}${{"{}"}}',
        't = "{}"; t += "{}"; t += "{}"; t += "{}"',
        '{{"part1": "{}", "part2": "{}", "part3": "{}", "part4": "{}"}}',
        "part_1={}&part_2={}&part_3={}&part_4={}",
        "piece 1: {}, piece 2: {}, piece 3: {}, piece 4: {}",
        "seg1: {}\nseg2: {}\nseg3: {}\nseg4: {}",
        "**{}****{}****{}****{}**",
        "\\textbf{{{}}}\\texttt{{{}}}\\textit{{{}}}\\textsf{{{}}}",
        "{}\\,{}\\;{}\\!{}",
        "{}~{}~{}~{}",
        "{}{{}}{}{{}}{}{{}}{}",
        "[{}][{}][{}][{}]",
        "({}) ({}) ({}) ({})",
        "{{{}}}{{{}}}{{{}}}{{{}}}",
        "{}, then {}, then {}, then {}",
        "{} followed by {} followed by {} followed by {}",
        "{}; second: {}; third: {}; fourth: {}",
        "{}...{}... {} ...{}",
    ],
)
def test_the_glue_between_pieces_is_left_out(written: str) -> None:
    """Markup, quotes, fields, brackets and words between the pieces of a number."""
    view = joined(f"it is {written.format(*CARD)} indeed")

    assert view is not None
    assert b"4000056655665556" in view.scan


@pytest.mark.parametrize(
    "written",
    [
        '["{}", "{}", "{}", "{}"]',
        "['{}','{}','{}','{}']",
        "\n- {}\n- {}\n- {}\n- {}",
        "\n1. {}\n2. {}\n3. {}\n4. {}",
        "\n> {}\n> {}\n> {}\n> {}",
        "{}\n{}\n{}\n{}",
        "{}\\\n{}\\\n{}\\\n{}",
    ],
)
def test_items_of_equal_length_are_one_value(written: str) -> None:
    """Lists count if all items are as long as the first; the last may be shorter."""
    view = joined(f"it is {written.format(*CARD)} indeed")

    assert view is not None
    assert b"4000056655665556" in view.scan
    assert joined(f"it is {written.format('4000', '05', '665566', '5556')} indeed") is None or "\\" in written


def test_emphasis_inside_a_number_is_left_out() -> None:
    """Blanks beside the marks go with them."""
    view = joined("it is 4000 **0566** 5566 *5556* indeed")

    assert view is not None
    assert b"4000056655665556" in view.scan


@pytest.mark.parametrize("glue", ['" + "', "</b><b>", '", "', "][", "-\n"])
def test_addresses_and_tokens_are_put_together(glue: str) -> None:
    """What has an `@`, or a digit and sixteen characters."""
    pieces = ("ros4", ".lin", "d@ma", "il.e") if glue in ('", "', "-\n") else MAIL
    mail = joined(f'"{glue.join(pieces)}"')
    token = joined(f'"{glue.join(("AKIAQ", "BCDEF", "GHIJ2", "KLMNO"))}"')

    assert mail is not None
    assert "".join(pieces).encode() in mail.scan
    assert token is not None
    assert b"AKIAQBCDEFGHIJ2KLMNO" in token.scan


def test_escaped_signs_stand_without_their_backslashes() -> None:
    """As Markdown writes them; the signs themselves are part of the value."""
    view = joined("rosa\\_lind\\@mail\\-box\\.example 219\\-09\\-9871")

    assert view is not None
    assert (True, True) == (b"rosa_lind@mail-box.example" in view.scan, b"219-09-9871" in view.scan)


def test_a_finding_covers_all_pieces_and_what_stands_between() -> None:
    """So that a redaction leaves none of them."""
    text = 'x = "4000" + "0566" + "5566" + "5556"'
    view = joined(text)

    assert view is not None
    at = view.scan.index(b"4000")
    assert Span(start=text.index("4000"), end=len(text) - 1) == view.span(at, at + 16)


@pytest.mark.parametrize(
    "text",
    [
        "no digits and no address: <b>bold</b><i>words</i>",
        '["alpha", "bravo", "delta"]',
        '{"name1": "4000", "year": "0566", "total": "5566"}',
        '{"anna@mail.example", "bert@mail.example"}',
        '"anna@mail.example" + "1234" + "5678"',
        "[4][1]",
        "x[1][2] = y[3][4]",
        '["4000", "056"]',
        "2 ** 3 ** 4",
        "1, then 2, then 3",
        "|".join(f'"{number:04d}"' for number in range(12)),
        ", ".join(f'"{number:04d}"' for number in range(12)),
        "\n".join(f"- {number:04d}" for number in range(12)),
        "".join(f"[{number % 10}]" for number in range(MOST_FRAGMENTS + 10)),
        "",
    ],
)
def test_what_is_no_value_stays_apart(text: str) -> None:
    """Words, fields of other names, whole addresses, rows that go on, too few digits and too many."""
    assert joined(text) is None


def test_the_work_is_charged_for() -> None:
    """A text of glue alone uses up an allowance that is small for it."""
    text = '1"+"' * 4000
    meter = Meter(len(text), deadline=time.monotonic() + 10)
    meter.allowance = 8

    with pytest.raises(Exhausted):
        rejoined(fold(text), Budget(len(text), meter))
