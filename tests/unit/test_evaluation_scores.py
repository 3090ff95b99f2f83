"""How right an answer is."""

from __future__ import annotations

import random
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from classifiers.evaluation.scores import (
    ALL,
    EVERY_KIND,
    Answer,
    Counts,
    Found,
    Labelled,
    Mark,
    Sums,
    Tally,
    TextScore,
    distinct,
    joined,
    score,
    summed,
)

KINDS = ("PERSON", "LOCATION", "DATE_TIME")


def labelled(*marks: tuple[int, int, str], text: str = "x" * 100, **known: object) -> Labelled:
    """A text in which `marks` stand and all of KINDS are marked."""
    values: dict[str, object] = {
        "kinds": frozenset(KINDS),
        "topics": {},
        "group": "set/1",
        "source": "set",
        "language": "en",
        **known,
    }
    return Labelled(
        text=text,
        marks=tuple(Mark(start=start, end=end, kind=kind) for start, end, kind in marks),
        **values,  # type: ignore[arg-type]
    )


def answer(*found: tuple[int, int, str], **topics: int) -> Answer:
    """Findings of full score."""
    return Answer(
        found=tuple(Found(start=start, end=end, kind=kind, permille=1000) for start, end, kind in found), topics=topics
    )


def total(got: TextScore) -> Tally:
    """Over all types."""
    return summed([got]).total


@st.composite
def spans(draw: st.DrawFn) -> list[tuple[int, int, str]]:
    """Disjoint spans in order, in a text of 100 characters."""
    edges = sorted(draw(st.sets(st.integers(0, 100), max_size=12)))
    pairs = zip(edges[::2], edges[1::2], strict=False)
    return [(start, end, draw(st.sampled_from(KINDS))) for start, end in pairs]


@given(spans())
def test_an_answer_that_is_the_marks_is_worth_one(marks: list[tuple[int, int, str]]) -> None:
    """Every measure of identical spans is 1.0."""
    got = total(score(labelled(*marks), answer(*marks)))

    wanted = 1.0 if marks else 0.0
    assert (wanted,) * 6 == (
        got.exactly.f(),
        got.exactly.f(2),
        got.relaxed.f(),
        got.exactly.precision,
        got.character_recall,
        got.character_precision,
    )


@given(spans())
def test_an_empty_answer_is_worth_nothing(marks: list[tuple[int, int, str]]) -> None:
    """Every measure of an empty answer is 0, and nothing divides by zero."""
    got = total(score(labelled(*marks), answer()))

    assert (0.0,) * 5 == (
        got.exactly.f(),
        got.relaxed.f(),
        got.character_recall,
        got.character_precision,
        got.exactly.precision,
    )


@given(spans(), spans(), st.randoms(use_true_random=False))
def test_the_order_of_findings_does_not_matter(
    marks: list[tuple[int, int, str]], found: list[tuple[int, int, str]], chance: random.Random
) -> None:
    """A shuffled answer has the same score."""
    shuffled = list(found)
    chance.shuffle(shuffled)

    assert score(labelled(*marks), answer(*found)) == score(labelled(*marks), answer(*shuffled))


@given(st.lists(st.tuples(spans(), spans()), max_size=5), st.randoms(use_true_random=False))
def test_sums_are_those_of_the_parts_in_any_order(
    texts: list[tuple[list[tuple[int, int, str]], list[tuple[int, int, str]]]], chance: random.Random
) -> None:
    """Adding up all texts, or groups of them, comes to the same; and the total is the sum of the types."""
    scores = [score(labelled(*marks), answer(*found)) for marks, found in texts]
    whole = summed(scores)
    shuffled = list(scores)
    chance.shuffle(shuffled)

    assert whole == summed(shuffled)
    assert whole == joined([summed(scores[:2]), summed(scores[2:])])
    assert whole.total.exactly == sum((each.exactly for each in whole.tallies.values()), Counts())


@given(spans(), spans())
def test_overlapping_is_never_less_than_exact(
    marks: list[tuple[int, int, str]], found: list[tuple[int, int, str]]
) -> None:
    """What is exactly right shares a character; and no count passes what is there."""
    for tally in score(labelled(*marks), answer(*found)).tallies.values():
        assert tally.exact <= tally.overlapping <= min(tally.marked, tally.found)
        assert tally.covered_chars <= tally.marked_chars
        assert tally.inside_chars <= tally.found_chars


def test_one_long_finding_pairs_with_one_mark() -> None:
    """A finding over the whole text does not count as several right ones."""
    got = total(score(labelled((0, 5, "PERSON"), (10, 15, "PERSON")), answer((0, 100, "PERSON"))))

    assert (
        Tally(
            marked=2,
            found=1,
            exact=0,
            overlapping=1,
            marked_chars=10,
            covered_chars=10,
            found_chars=100,
            inside_chars=10,
        )
        == got
    )


def test_a_type_nobody_marks_is_neither_right_nor_wrong() -> None:
    """A finding of it is not counted, is no alarm and has no outcome."""
    got = score(labelled(kinds=frozenset({"PERSON"})), answer((0, 5, "DATE_TIME")))

    assert ({}, (), frozenset(), True) == (got.tallies, got.outcomes, got.alarms, got.clean)


def test_a_mark_of_a_type_that_is_not_marked_everywhere_is_not_missed() -> None:
    """It counts for nothing but that the text is not clean, and that a finding on it lies on something."""
    got = score(labelled((0, 4, "PERSON"), kinds=frozenset({"LOCATION"})), answer((0, 4, "LOCATION"), (0, 4, "PERSON")))

    assert {"LOCATION": Tally(found=1, found_chars=4, inside_chars=4)} == got.tallies
    assert (False, frozenset()) == (got.clean, got.alarms)


def test_characters_under_another_type_do_not_leak() -> None:
    """What a finding of any type covers is covered, but the type is still missed."""
    got = score(labelled((0, 10, "PERSON")), answer((0, 6, "URL")))

    assert {
        "PERSON": Tally(marked=1, marked_chars=10, covered_chars=6),
    } == got.tallies


def test_a_finding_of_another_marked_type_is_wrong_twice() -> None:
    """The type it has is found for nothing, the one it should have is missed."""
    got = score(labelled((0, 4, "PERSON")), answer((0, 4, "LOCATION")))

    assert {
        "LOCATION": Tally(found=1, found_chars=4, inside_chars=4),
        "PERSON": Tally(marked=1, marked_chars=4, covered_chars=4),
    } == got.tallies


def test_alarms_count_clean_texts_once() -> None:
    """Two findings in one clean text are one alarm; a text with a mark, or of which nothing is known, is not clean."""
    sums = summed(
        [
            score(labelled(), answer((0, 2, "PERSON"), (4, 6, "PERSON"), (8, 9, "LOCATION"))),
            score(labelled(), answer()),
            score(labelled((0, 2, "PERSON")), answer((50, 60, "PERSON"))),
            score(labelled(kinds=frozenset()), answer((0, 2, "PERSON"))),
        ]
    )

    assert (2, 1, {"LOCATION": 1, "PERSON": 1}, 500.0) == (
        sums.clean,
        sums.alarmed,
        sums.alarms,
        sums.alarms_per_thousand,
    )


def test_any_finding_in_a_text_that_holds_nothing_is_an_alarm() -> None:
    """Whatever its type, and it is found for nothing."""
    got = score(labelled(kinds=EVERY_KIND), answer((0, 5, "EMAIL_ADDRESS")))

    assert (True, frozenset({"EMAIL_ADDRESS"})) == (got.clean, got.alarms)
    assert {"EMAIL_ADDRESS": Tally(found=1, found_chars=5)} == got.tallies


def test_a_clean_text_counts_where_it_was_read_to_its_end_or_alarmed() -> None:
    """That nothing was found in what nobody read proves nothing; what was found before the end is an alarm."""
    unread, alarmed = replace(answer(), complete=False), replace(answer((0, 2, "PERSON")), complete=False)

    sums = summed([score(labelled(), unread), score(labelled(), alarmed)])

    assert (2, 1, 1) == (sums.texts, sums.clean, sums.alarmed)


def test_a_topic_that_is_not_known_is_not_scored() -> None:
    """Of a text only the topics that somebody judged count."""
    sums = summed(
        [
            score(labelled(topics={"health": True, "legal": False}), answer(health=700, hr=900)),
            score(labelled(topics={"health": True}), answer(legal=900)),
            score(labelled(topics={"legal": False}), answer(legal=1)),
        ]
    )

    assert {
        "health": Counts(right=1, found=1, marked=2),
        "legal": Counts(right=0, found=1, marked=0),
    } == sums.topics
    assert {"health": 2, "legal": 2} == sums.known_topics
    assert sums.topics["health"].f() == sums.topic_macro


def test_a_topic_counts_as_said_from_the_floor_on() -> None:
    """Below the floor it is not said; one that is not reported never is."""
    known = labelled(topics={"health": True, "legal": True})

    got = [score(known, answer(health=500), topic_floor=floor).topics for floor in (0, 500, 501)]

    said = [(each["health"].found, each["legal"].found) for each in got]
    assert [(1, 0), (1, 0), (0, 0)] == said


def test_f2_holds_a_miss_to_be_worse() -> None:
    """With beta 2 recall weighs four times as much as precision."""
    counts = Counts(right=1, found=1, marked=2)

    assert (2 / 3, 5 / 9) == (counts.f(), counts.f(2))


def test_of_overlapping_findings_of_one_type_the_surest_counts() -> None:
    """The higher score stays, then the longer; another type may overlap."""
    found = [
        Found(start=0, end=5, kind="PERSON", permille=600),
        Found(start=3, end=9, kind="PERSON", permille=900),
        Found(start=20, end=22, kind="PERSON", permille=500),
        Found(start=20, end=25, kind="PERSON", permille=500),
        Found(start=3, end=9, kind="LOCATION", permille=100),
    ]

    assert [found[4], found[1], found[3]] == distinct(found)


def test_the_name_of_all_types_is_no_type() -> None:
    """A report has a row of that name beside the types."""
    empty = Sums(alarms={}, tallies={}, topics={}, known_topics={})

    assert "all" == ALL
    assert Tally() == empty.total
    assert (0.0, 0.0) == (empty.alarms_per_thousand, empty.topic_macro)
