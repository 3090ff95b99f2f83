"""From numbers to findings."""

from __future__ import annotations

import json
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers.model.decoding import Decoder, trimmed
from classifiers.model.manifest import LABELS, TOPICS, Manifest, parse_manifest
from classifiers.model.pieces import PieceReader, Pieces
from governance.finding import Category, Finding, Label
from governance.segment import Span
from tests.model_directories import stated, tokenizer_bytes

READER = PieceReader(tokenizer_bytes())


def manifest(**changes: object) -> Manifest:
    files = {"model.onnx": b"", "tokenizer.json": b""}
    return parse_manifest(json.dumps(stated(files) | changes).encode(), Path("x"))


DECODER = Decoder(manifest())
OTHER = {
    "kind": "token-classification",
    "labels": ["PER", "LOC", "O"],
    "topics": [],
    "entities": {"PER": "PERSON"},
}


def pieces(text: str) -> Pieces:
    return READER.read(text, deadline=time.monotonic() + 60)


def scores(rows: list[dict[str, float]]) -> np.ndarray:
    """Scores of pieces by the probability of their labels; what is left of 1 is O."""
    logits = np.full((len(rows), len(LABELS)), -30.0, dtype=np.float32)
    for number, row in enumerate(rows):
        logits[number, 0] = np.log(max(1e-9, 1 - sum(row.values())))
        for label, chance in row.items():
            logits[number, LABELS.index(label)] = np.log(chance)
    return DECODER.scores(logits)


def found(text: str, rows: list[dict[str, float]], decoder: Decoder = DECODER) -> list[tuple[str, str, int]]:
    """(entity, text, permille)"""
    return [
        (each.entity_type, text[each.span.start : each.span.end], each.permille)
        for each in decoder.findings(text, pieces(text), scores(rows))
    ]


def test_a_span_is_a_finding_with_score_and_category() -> None:
    """The score is that of its best word; an address has the name that rules give it."""
    text = "tomasz at 12 street"
    rows = [{"B-PERSON": 0.9}, {}, {"B-ADDRESS": 0.6}, {"I-ADDRESS": 0.8}]

    assert (
        Finding(
            segment=0,
            entity_type="PERSON",
            span=Span(start=0, end=6),
            permille=900,
            detector="model",
            category=Category.PERSONAL,
        ),
        Finding(
            segment=0,
            entity_type="STREET_ADDRESS",
            span=Span(start=10, end=19),
            permille=800,
            detector="model",
            category=Category.ADDRESS,
        ),
    ) == DECODER.findings(text, pieces(text), scores(rows))


@pytest.mark.parametrize(
    ("label", "category"),
    [
        ("LOCATION", Category.ADDRESS),
        ("MEDICAL", Category.HEALTH),
        ("ORGANIZATION", Category.COMPANY),
        ("DATE_TIME", Category.PERSONAL),
        ("AGE", Category.PERSONAL),
        ("NRP", Category.PERSONAL),
        ("USERNAME", Category.PERSONAL),
        ("ID", Category.PERSONAL),
    ],
)
def test_the_category_is_by_type(label: str, category: Category) -> None:
    """So that levels hold for what a model finds."""
    [finding] = DECODER.findings("tomasz", pieces("tomasz"), scores([{f"B-{label}": 0.9}]))

    assert (label, category) == (finding.entity_type, finding.category)


SURE, HALF = {"B-PERSON": 0.9}, {"B-PERSON": 0.2}


@pytest.mark.parametrize(
    ("text", "rows", "again"),
    [
        ("tomasz lives , tomasz lives", [SURE, {}, {}, HALF, {}], [("PERSON", "tomasz", 900)] * 2),
        (
            "Tomasz lives , tomasz lives",
            [SURE, {}, {}, HALF, {}],
            [("PERSON", "Tomasz", 900), ("PERSON", "tomasz", 900)],
        ),
        ("tomasz lives , tomasz lives", [SURE, {}, {}, {"B-PERSON": 0.05}, {}], [("PERSON", "tomasz", 900)]),
        ("tomasz lives , lives at", [SURE, {}, {}, HALF, {}], [("PERSON", "tomasz", 900)]),
        ("tomasz lives , tomasz lives", [HALF, {}, {}, HALF, {}], []),
        (
            "tomasz lives , tomasz lives",
            [{"B-ORGANIZATION": 0.9}, {}, {}, {"B-ORGANIZATION": 0.2}, {}],
            [("ORGANIZATION", "tomasz", 900)] * 2,
        ),
        (
            "tomasz lives , tomasz street",
            [SURE, {}, {}, HALF | {"B-ADDRESS": 0.7}, {"I-ADDRESS": 0.7}],
            [("PERSON", "tomasz", 900), ("STREET_ADDRESS", "tomasz street", 700)],
        ),
        (
            "tomasz kowalski , kowalski",
            [SURE, *[{"I-PERSON": 0.8}] * 2, {}, HALF, {"I-PERSON": 0.2}],
            [("PERSON", "tomasz kowalski", 900), ("PERSON", "kowalski", 900)],
        ),
    ],
)
def test_a_name_that_was_found_is_found_again(text: str, rows: list[dict[str, float]], again: list[object]) -> None:
    """Where the model half thinks so: in any case, a part of it alone, but never against what else was found there."""
    assert again == found(text, rows)


def test_syntax_is_no_finding() -> None:
    """A keyword that a model takes for a name is left out, and what stands beside it is found."""
    rows = [{"B-PERSON": 0.9}, {}, {"B-PERSON": 0.9}]

    assert [("PERSON", "tomasz", 900)] == found("nil at tomasz", rows)


def test_the_pieces_of_a_word_vote() -> None:
    """One piece that a coarse weight has turned does not tear a name apart; two against one outvote it."""
    assert [("PERSON", "kowalski", 600)] == found("kowalski", [{"B-PERSON": 0.9}, {"I-PERSON": 0.3}])
    assert [] == found("kowalskiski", [{"B-PERSON": 0.9}, {}, {}])


def test_a_name_of_two_words_is_one_span_and_two_names_are_two() -> None:
    """What begins anew is another one; what goes on is not."""
    assert [("PERSON", "tomasz kowal", 900)] == found("tomasz kowal", [{"B-PERSON": 0.9}, {"I-PERSON": 0.8}])
    assert [("PERSON", "tomasz", 900), ("PERSON", "anna", 800)] == found(
        "tomasz anna", [{"B-PERSON": 0.9}, {"B-PERSON": 0.8}]
    )


def test_a_weak_word_belongs_to_a_span_that_reaches_its_threshold() -> None:
    """Half a name is no use: the threshold is for the span, what may well go on with it belongs to it."""
    decoder = Decoder(manifest(thresholds={"PERSON": 800}))

    assert [("PERSON", "tomasz kowal", 900)] == found("tomasz kowal", [{"B-PERSON": 0.9}, {"I-PERSON": 0.35}], decoder)
    assert [("PERSON", "tomasz", 900)] == found("tomasz kowal", [{"B-PERSON": 0.9}, {"I-PERSON": 0.25}], decoder)
    assert [] == found("tomasz kowal", [{"B-PERSON": 0.7}, {"I-PERSON": 0.6}], decoder)


def test_a_threshold_below_one_half_finds_what_is_unlikelier_than_not() -> None:
    """Where recall counts more."""
    assert [("PERSON", "tomasz", 300)] == found(
        "tomasz", [{"B-PERSON": 0.3}], Decoder(manifest(thresholds={"PERSON": 250}))
    )


@pytest.mark.parametrize(
    ("text", "rows", "expected"),
    [
        ("anna-anna", [{"B-PERSON": 0.9}, {}, {"I-PERSON": 0.9}], ["anna-anna"]),
        ("anna anna anna", [{"B-PERSON": 0.9}, {}, {"I-PERSON": 0.9}], ["anna", "anna"]),
        ("anna - anna", [{"B-PERSON": 0.9}, {}, {"I-PERSON": 0.9}], ["anna", "anna"]),
        ("anna\nanna", [{"B-PERSON": 0.9}, {"I-PERSON": 0.9}], ["anna", "anna"]),
        ("12 street\nberlin", [{"B-ADDRESS": 0.9}, {"I-ADDRESS": 0.9}, {"I-ADDRESS": 0.9}], ["12 street\nberlin"]),
    ],
)
def test_what_stands_between_words_joins_or_parts_them(
    text: str, rows: list[dict[str, float]], expected: list[str]
) -> None:
    """A mark that touches both joins; a word between, or a line break in what is no address, parts."""
    assert expected == [each for _, each, _ in found(text, rows)]


@pytest.mark.parametrize(
    ("text", "rows", "expected"),
    [
        ("tomasz.kowal", [{}, {}, {"B-USERNAME": 0.9}], [("USERNAME", "tomasz.kowal", 900)]),
        ("tomasz.kowal.", [{"B-USERNAME": 0.9}, {}, {}, {}], [("USERNAME", "tomasz.kowal", 900)]),
        ("tomasz.kowal", [{"B-PERSON": 0.8}, {}, {"B-USERNAME": 0.9}], [("USERNAME", "tomasz.kowal", 900)]),
        ("tomasz.kowal", [{"B-USERNAME": 0.9}, {}, {"B-PERSON": 0.8}], [("USERNAME", "tomasz.kowal", 900)]),
        (
            "anna tomasz.kowal",
            [{"B-PERSON": 0.8}, {"I-PERSON": 0.8}, {}, {"B-USERNAME": 0.9}],
            [("PERSON", "anna tomasz", 800), ("USERNAME", "kowal", 900)],
        ),
        ("tomasz.kowal", [{}, {}, {"B-PERSON": 0.9}], [("PERSON", "kowal", 900)]),
        ("anna-tomasz", [{"B-PERSON": 0.9}, {}, {"B-PERSON": 0.8}], [("PERSON", "anna-tomasz", 800)]),
        ("anna-tomasz", [{"B-PERSON": 0.9}, {}, {}], [("PERSON", "anna-tomasz", 900)]),
        ("12-anna", [{}, {}, {"B-PERSON": 0.9}], [("PERSON", "anna", 900)]),
        ("anna's", [{"B-PERSON": 0.9}, {}, {}], [("PERSON", "anna", 900)]),
        ("anna'll", [{"B-PERSON": 0.9}, {}, {}], [("PERSON", "anna", 900)]),
        ("anna-tomasz", [{"B-LOCATION": 0.9}, {}, {}], [("LOCATION", "anna", 900)]),
    ],
)
def test_a_name_is_all_that_was_written_together(
    text: str, rows: list[dict[str, float]], expected: list[tuple[str, str, int]]
) -> None:
    """And takes in what was found inside of it; what begins before it keeps its place."""
    assert expected == found(text, rows)


@pytest.mark.parametrize(
    ("entity", "text", "expected"),
    [
        ("PERSON", "Mr. Tomasz Kowal", "Tomasz Kowal"),
        ("PERSON", "Frau Dr. Anna", "Anna"),
        ("PERSON", "Dr.", ""),
        ("PERSON", "Drew", "Drew"),
        ("PERSON", " \u201cAnna\u2019s\u201d ", "Anna"),
        ("PERSON", "John F.", "John F."),
        ("PERSON", "Sammy Davis Jr.", "Sammy Davis Jr."),
        ("PERSON", "Anna.", "Anna"),
        ("PERSON", "...", ""),
        ("LOCATION", "Berlin's,", "Berlin"),
        ("LOCATION", "the U.S.", "the U.S."),
        ("LOCATION", "Miss Town", "Miss Town"),
        ("MEDICAL", "Parkinson's", "Parkinson's"),
        ("ORGANIZATION", "Acme Inc.", "Acme Inc."),
        ("ORGANIZATION", "Acme (UK)", "Acme (UK)"),
        ("ORGANIZATION", "(Acme)", "Acme"),
        ("USERNAME", "@anna_", "@anna_"),
        ("USERNAME", '"@anna",', "@anna"),
        ("ID", "#4471-B.", "#4471-B"),
        ("STREET_ADDRESS", "12 High St.", "12 High St."),
    ],
)
def test_the_edges_of_a_span_are_where_a_reader_would_cut(entity: str, text: str, expected: str) -> None:
    """Titles, spaces, marks and the possessive are outside; stops and brackets that belong to it stay."""
    padded = f"x{text}x"
    start, end = trimmed(padded, 1, 1 + len(text), entity)

    assert expected == padded[start:end]


@given(st.text(alphabet="Mr. Dr'sA(b)@-\n ", max_size=20), st.sampled_from(["PERSON", "ID", "USERNAME", "LOCATION"]))
def test_trimming_twice_is_trimming_once(text: str, entity: str) -> None:
    """What is left is inside what was, and needs no more."""
    start, end = trimmed(text, 0, len(text), entity)

    assert 0 <= start <= end <= len(text)
    assert start == end or any(map(str.isalnum, text[start:end]))


@given(st.lists(st.sampled_from(["tomasz", "kowalski", "'s", "12", ".", "\n"]), max_size=12), st.integers(0, 99))
@settings(deadline=None)
def test_findings_are_in_order_and_never_overlap(words: list[str], seed: int) -> None:
    """Whatever the numbers are, and inside the text."""
    text = " ".join(words)
    read = pieces(text)
    logits = np.random.default_rng(seed).normal(scale=4, size=(len(read), len(LABELS))).astype(np.float32)
    ends = [(each.span.start, each.span.end) for each in DECODER.findings(text, read, DECODER.scores(logits))]

    assert all(0 <= start < end <= len(text) for start, end in ends)
    assert all(end <= start for (_, end), (start, _) in pairwise(ends))


@given(st.integers(0, 99))
def test_windows_without_a_finding_are_told_by_their_numbers(seed: int) -> None:
    """What is not remarkable holds no finding: it need not be kept."""
    text = "tomasz kowalski in berlin"
    read = pieces(text)
    rng = np.random.default_rng(seed)
    logits = rng.normal(scale=2, size=(len(read), len(LABELS))).astype(np.float32)
    logits[:, 0] += rng.uniform(0, 6)
    scored = DECODER.scores(logits)

    if not DECODER.remarkable(scored[np.newaxis])[0]:
        assert () == DECODER.findings(text, read, scored)
    assert not DECODER.remarkable(np.zeros_like(scored)[np.newaxis])[0]


def test_a_window_in_which_a_name_may_be_found_again_is_kept() -> None:
    """What a window alone would not report is the name that another window of the same text holds."""
    text, rows = "tomasz lives , tomasz lives", [SURE, {}, {}, HALF, {}]
    halves = np.stack([scores(rows)[:2], scores(rows)[3:]])
    none = scores([{"B-MEDICAL": 0.2}, {}])[np.newaxis]

    assert [True, True] == DECODER.remarkable(halves).tolist()
    assert [("PERSON", "tomasz", 900)] * 2 == found(text, rows)
    assert [False] == DECODER.remarkable(none).tolist()


def test_a_model_of_another_kind_reports_what_is_mapped_and_its_first_pieces_decide() -> None:
    """Labels without positions are types; what is not mapped competes, and is not reported."""
    decoder = Decoder(manifest(**OTHER))
    text = "kowalski berlin anna"
    logits = np.log(
        np.array([[0.9, 0.05, 0.05], [0.05, 0.05, 0.9], [0.3, 0.6, 0.1], [0.8, 0.1, 0.1]], dtype=np.float32)
    )

    assert [("PERSON", 0, 8), ("PERSON", 16, 20)] == [
        (each.entity_type, each.span.start, each.span.end)
        for each in decoder.findings(text, pieces(text), decoder.scores(logits))
    ]


def test_positions_with_a_middle_and_a_whole_are_read() -> None:
    """BMEWO: a name of three words is one, and two whole names are two."""
    labels = ["O", "B-PER", "M-PER", "E-PER", "W-PER"]
    decoder = Decoder(manifest(kind="token-classification", labels=labels, topics=[], entities={"PER": "PERSON"}))
    text = "anna tomasz berlin acme street"
    logits = np.full((5, len(labels)), -30.0, dtype=np.float32)
    for number, label in enumerate((1, 2, 3, 4, 4)):
        logits[number, label] = 0.0

    assert ["anna tomasz berlin", "acme", "street"] == [
        text[each.span.start : each.span.end] for each in decoder.findings(text, pieces(text), decoder.scores(logits))
    ]


def test_topics_become_labels_from_their_threshold_on() -> None:
    """Sorted by name, with their chance in permille."""
    decoder = Decoder(manifest(topic_thresholds={"legal": 900, "hr": 100}))
    logits = np.full(len(TOPICS), -9.0, dtype=np.float32)
    logits[[TOPICS.index("legal"), TOPICS.index("hr"), TOPICS.index("health")]] = [2.0, -2.0, 0.5]

    assert (Label(name="health", permille=622), Label(name="hr", permille=119)) == decoder.labels(logits)


def test_no_pieces_have_no_findings() -> None:
    """A text of spaces has none."""
    assert () == DECODER.findings("  ", pieces("  "), np.zeros((0, DECODER.width), dtype=np.float32))
