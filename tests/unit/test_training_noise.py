"""Texts made rough, with every span still on its words."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers.training import noise
from classifiers.training.rows import Span, tidy

TEXT = (
    "Our neighbour Tomasz Król began dialysis on 3 May, said Dr. Okafor.\nHe lives at 5 Elm St,\nLeeds, and it's bad."
)
SPANS = tuple(
    (TEXT.index(words), TEXT.index(words) + len(words), kind)
    for words, kind in (("Tomasz Król", "PERSON"), ("dialysis", "MEDICAL"), ("3 May", "DATE_TIME"), ("Okafor", "PERSON"), ("Leeds", "LOCATION"))
)  # fmt: skip
STEPS = (
    noise.lowered, noise.shouted, noise.one_line_shouted, noise.titled, noise.words_shouted, noise.names_lowered, noise.unpunctuated, noise.mistyped, noise.spaced, noise.quoted,
    noise.emphasised, noise.in_json, noise.in_a_log, noise.asked, noise.ended, noise.with_emoji,
)  # fmt: skip


def marked(text: str, spans: tuple[Span, ...]) -> list[tuple[str, str]]:
    return [(text[start:end].casefold(), kind) for start, end, kind in spans]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("seed", range(12))
def test_no_step_moves_a_span_off_its_words(step: noise.Step, seed: int) -> None:
    """Whatever is done to a text, its spans hold the words they held, in some case."""
    text, spans = step(random.Random(seed), TEXT, SPANS)

    assert [(word.replace("\\u00f3", "ó"), kind) for word, kind in marked(text, spans)] == marked(TEXT, SPANS)


@given(
    text=st.text(st.sampled_from("ab Ñ.,'İß\n\"\\{é1"), min_size=1, max_size=40),
    ends=st.tuples(st.integers(0, 40), st.integers(0, 40)),
    seed=st.integers(0, 10_000),
)
@settings(max_examples=150, deadline=None)
def test_spans_stay_inside_any_text(text: str, ends: tuple[int, int], seed: int) -> None:
    """For any text and span, what comes out is a valid row of the same type and of the same letters."""
    start, end = (min(at, len(text)) for at in sorted(ends))
    spans = tidy(text, ((start, end, "PERSON"),))

    rough, moved = noise.rough(random.Random(seed), text, spans)

    assert tidy(rough, moved) == moved or "\n" in text
    assert all(0 <= left < right <= len(rough) for left, right, _ in moved)
    assert [kind for *_, kind in spans[:1]] == [kind for *_, kind in moved[:1]]


@given(seed=st.integers(0, 10_000))
@settings(max_examples=100, deadline=None)
def test_no_letter_of_code_changes(seed: int) -> None:
    """A fragile text stands whole in what comes out, or escaped in JSON."""
    rough, moved = noise.rough(random.Random(seed), TEXT, SPANS, fragile=True)

    assert TEXT in rough or json.dumps(TEXT, ensure_ascii=False)[1:-1] in rough or json.dumps(TEXT)[1:-1] in rough
    assert len(moved) == len(SPANS)


def test_half_of_all_stay_as_they_are() -> None:
    """About as many texts are left alone as are changed."""
    same = sum(noise.rough(random.Random(seed), TEXT, SPANS) == (TEXT, SPANS) for seed in range(400))

    assert 180 < same < 300


def test_a_text_in_json_is_read_back() -> None:
    """What is wrapped in JSON is JSON, and the text is one of its strings."""
    for seed in range(40):
        text, _ = noise.in_json(random.Random(seed), TEXT, SPANS)

        assert TEXT in _strings(json.loads(text))


def test_typos_come_in_words_outside_the_spans_only() -> None:
    """Words change, and no word of a span does."""
    texts = {noise.mistyped(random.Random(seed), TEXT, SPANS)[0] for seed in range(40)}

    assert len(texts) > 8
    assert all("Tomasz Król" in text and "dialysis" in text for text in texts)


def test_a_number_keeps_its_point() -> None:
    """Punctuation goes, but not from the middle of a number or from a span."""
    text = "it costs 3.50, mr. O'Neil"

    made = {noise.unpunctuated(random.Random(seed), text, ((19, 25, "PERSON"),))[0] for seed in range(20)}

    assert "it costs 3.50 mr O'Neil" in made
    assert all("3.50" in text and text.endswith("O'Neil") for text in made)


def test_a_span_over_two_quoted_lines_becomes_two() -> None:
    """The mark of the second line is in no span."""
    text, spans = noise.quoted(random.Random(0), "at 5 Elm St,\nLeeds", ((3, 18, "ADDRESS"),))

    assert [text[start:end] for start, end, _ in spans] == ["5 Elm St,", "Leeds"]


def test_capitals_that_are_longer_are_left_out() -> None:
    """A letter whose other case is two letters stays, so that the text is as long as before."""
    assert noise.shouted(random.Random(0), "straße", ()) == ("STRAßE", ())
    assert noise.lowered(random.Random(0), "İzmir", ()) == ("İzmir", ())


def test_capitals_come_without_names_and_names_without_capitals() -> None:
    """A headline, words in capitals outside the spans, and spans in lower case."""
    text, spans = "it's what Ann Roe said yesterday", ((10, 17, "PERSON"),)

    assert noise.titled(random.Random(0), text, spans)[0] == "It's What Ann Roe Said Yesterday"
    assert noise.names_lowered(random.Random(0), text, spans)[0] == "it's what ann roe said yesterday"
    assert "it's WHAT Ann Roe SAID YESTERDAY" in {
        noise.words_shouted(random.Random(n), text, spans)[0] for n in range(60)
    }


def test_two_texts_joined_keep_both_sets_of_spans() -> None:
    """The spans of the second stand after those of the first."""
    text, spans = noise.joined(random.Random(1), (TEXT, SPANS), (TEXT, SPANS))

    assert marked(text, spans) == marked(TEXT, SPANS) * 2


def test_what_is_put_in_at_the_edge_of_a_span_stays_outside() -> None:
    """New text where a span begins or ends belongs to no span; inside, it does."""
    text, spans = noise.edited(
        "ab cd", ((0, 2, "PERSON"), (3, 5, "PERSON")), [(0, 0, ">"), (2, 2, "<"), (3, 3, ">"), (4, 4, "-"), (5, 5, "<")]
    )

    assert (text, [text[start:end] for start, end, _ in spans]) == (">ab< >c-d<", ["ab", "c-d"])


def _strings(value: object) -> list[str]:
    match value:
        case str():
            return [value]
        case dict():
            return [text for inner in value.values() for text in _strings(inner)]
        case list():
            return [text for inner in value for text in _strings(inner)]
    return []
