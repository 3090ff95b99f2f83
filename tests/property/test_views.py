"""Views stand for the text they were made of, whatever the text."""

# ruff: noqa: RUF001 - look-alikes are what this is about
from __future__ import annotations

import base64
import time

from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers.meter import Exhausted, Meter
from classifiers.normalisation import _table_fold, fold
from classifiers.view import Draft, View
from classifiers.views import views

PIECES = (
    *(
        "jane@example.com",
        "4111 1111 1111 1111",
        "536-90-4399",
        " ",
        "\n",
        "a",
        "ﬁ",
        "⑩",
        "е",
        "é",
        "e\u0301",
        "\u200b",
        "中",
        "Ж",
    ),
    *(
        "%40",
        "%2540",
        "%C3%A9",
        "%",
        "&#64;",
        "&amp;#x31;",
        "&eacute;",
        "&",
        r"\u0040",
        r"\\u0031",
        r"\x41",
        "\\",
        "=40",
        "=\n",
    ),
    *(
        "j o h n @ e x . c o",
        "1-1-1-1-1-1-1-1",
        " [at] ",
        " at ",
        " dot ",
        "(dot)",
        "one two three four ",
        "double ",
        "seven-",
    ),
    *(
        "4111\n1111",
        "a@b.\nco",
        "1234_1234_1234_1234",
        "rot13 ",
        "wnar@rknzcyr.pbz",
        "\u202ecba",
        "\U000e0041",
        "\ufe01",
        "0x41 ",
    ),
    base64.b64encode(b"jane@example.com, 4111 1111 1111 1111").decode(),
    base64.b64encode(base64.b64encode(b"jane@example.com %40")).decode(),
    b"jane@example.com".hex(),
    b"jane@example.com".hex(" "),
)
texts = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=8)), max_size=24).map("".join)


def all_views(text: str) -> list[View]:
    found = []
    try:
        for view in views(text, Meter(len(text), deadline=time.monotonic() + 60)):
            found.append(view)  # noqa: PERF402 - what came before a limit counts
    except Exhausted:
        pass
    return found


@settings(max_examples=300, deadline=None)
@given(text=texts, data=st.data())
def test_every_range_of_a_view_stands_for_a_range_of_the_text(text: str, data: st.DataObject) -> None:
    """Spans lie inside the text and grow with the range; positions never run backwards."""
    for view in all_views(text):
        positions = [view.position(at) for at in range(len(view.scan))]
        assert view.text == text
        assert positions == sorted(positions)
        if not view.scan:
            continue
        start = data.draw(st.integers(0, len(view.scan) - 1))
        end = data.draw(st.integers(start + 1, len(view.scan)))
        span, wider = view.span(start, end), view.span(0, len(view.scan))
        assert 0 <= wider.start <= span.start <= span.end <= wider.end <= len(text)


def test_a_gap_stands_for_what_the_byte_before_it_does() -> None:
    draft = Draft(View(text="abc, def", scan=b"abc, def"))
    draft.keep(0, 3)
    draft.part()
    view = draft.view("spaced")
    assert view is not None
    assert view.scan == b"abc\n\x01\n"
    assert {view.span(start, end).end for start in range(3) for end in range(3, len(view.scan) + 1)} == {3}


@settings(max_examples=300, deadline=None)
@given(text=texts, data=st.data())
def test_what_a_span_of_the_text_itself_covers_folds_to_the_bytes_again(text: str, data: st.DataObject) -> None:
    """Redacting a finding removes what was found: no letter of it stands outside the span. Look-alikes depend on their word,
    and so do signs of footnotes.
    """
    text = "".join(each for each in text if each not in "ªº" and each.isdigit() == each.isdecimal())
    view = fold(text)
    if not view.scan:
        return
    start = data.draw(st.integers(0, len(view.scan) - 1))
    end = data.draw(st.integers(start + 1, len(view.scan)))
    span = view.span(start, end)
    again = fold(text[span.start : span.end]).scan
    low = bytes(each & 0x7F for each in view.scan[start:end])

    assert low in bytes(each & 0x7F for each in again)


@settings(max_examples=300, deadline=None)
@given(text=st.text(max_size=200))
def test_all_ways_of_folding_agree(text: str) -> None:
    """The shortcuts for ASCII and for code pages give what the table gives."""
    assert _table_fold(text) == fold(text)
