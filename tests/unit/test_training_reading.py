"""From a corpus' words, tags and offsets to a text as people write it, with spans by one guideline."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers.training import guideline, obvious
from classifiers.training.conll import Entity, Sentence, entities, sentences
from classifiers.training.cutting import LINES, SENTENCES, pieces
from classifiers.training.detokenise import aligned, detokenised


def marked(text, spans):
    return [(text[start:end], kind) for start, end, kind in spans]


def test_sentences_end_at_empty_lines_and_at_the_end_of_the_file():
    """Words and tags come by sentence, with the last one even without an empty line."""
    lines = ["Ada\tB-PER\n", "called\tO\n", "\n", "Oslo\tB-LOC"]

    assert [
        Sentence(words=("Ada", "called"), tags=("B-PER", "O")),
        Sentence(words=("Oslo",), tags=("B-LOC",)),
    ] == list(sentences(lines))


def test_a_number_sign_is_a_comment_only_where_the_format_has_comments():
    """In a tweet "#" is a word; in a treebank its line is a comment on the sentence."""
    lines = ["# tag\tO", "Ada\tB-PER"]

    assert [Sentence(words=("# tag", "Ada"), tags=("O", "B-PER"))] == list(sentences(lines))
    assert [Sentence(words=("Ada",), tags=("B-PER",), comments=("tag\tO",))] == list(sentences(lines, comments=True))


@pytest.mark.parametrize(
    ("tags", "found"),
    [
        ("B-PER I-PER O", [(0, 2, "PER")]),
        ("B-PER B-PER", [(0, 1, "PER"), (1, 2, "PER")]),
        ("I-PER I-PER O I-LOC", [(0, 2, "PER"), (3, 4, "LOC")]),
        ("I-PER I-LOC", [(0, 1, "PER"), (1, 2, "LOC")]),
        ("O - I-ORG", [(2, 3, "ORG")]),
        ("B-creative-work I-creative-work", [(0, 2, "creative-work")]),
        ("", []),
    ],
)
def test_entities_are_read_from_iob2_and_iob1(tags, found):
    """B opens an entity, and so does an I after O or after another type."""
    assert [Entity(begin=begin, end=end, label=label) for begin, end, label in found] == list(entities(tags.split()))


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("I do n't , he said .", "I don't, he said."),
        ("was n ' t it ' s ok", "wasn't it's ok"),
        ("Bond ( 2000 ) : cut by 80 % .", "Bond (2000): cut by 80%."),
        ('She said " hello there " and left', 'She said "hello there" and left'),
        ("`` Hi '' -LRB- so -RRB-", '"Hi" (so)'),
        ("the U . S . State Department", "the U.S. State Department"),
        ("In 2010 , 5 people at 10 : 30 paid 1 , 000", "In 2010, 5 people at 10:30 paid 1,000"),
        ("won 74 - 73 and 3 . 5", "won 74-73 and 3.5"),
        ("In 2010 . 5 people", "In 2010. 5 people"),
        ("see @ someone # now", "see @someone #now"),
        ("tonight : - ) yes", "tonight :-) yes"),
        ("fine :) thanks", "fine :) thanks"),
        ("gon na act / model for $ 5", "gonna act/model for $5"),
        ("rock ' n ' roll and the ' new ' one", "rock 'n' roll and the 'new' one"),
        ("wait . . . what", "wait... what"),
        ("P < . 001", "P < .001"),
        ("a 15 - year term - yes", "a 15-year term - yes"),
    ],
)
def test_words_are_put_together_as_people_write_them(words, text):
    """Punctuation, quotes, contractions, numbers, initials and emoticons take the spaces they have in writing."""
    assert text == detokenised(words.split()).text


def test_a_glued_word_takes_no_space():
    """Where a corpus parts the hyphen off, it is joined to both sides."""
    assert "L-dopa helps" == detokenised("L - dopa helps".split(), glue=frozenset("-")).text


@given(
    st.lists(
        st.sampled_from(["Ada", "'", '"', "s", ".", ",", "(", ")", "3", "@", ":", "-", "n't", "U", "/"]), max_size=12
    )
)
@settings(max_examples=300)
def test_every_word_stands_where_its_place_says(words):
    """Places are in order, and cover the whole text but for single spaces."""
    joined = detokenised(words)

    assert words == [joined.text[start:end] for start, end in joined.places]
    ends = [0, *(end for _, end in joined.places)]
    assert all(joined.text[end:start] in {"", " "} for end, (start, _) in zip(ends, joined.places, strict=False))


def test_words_are_found_in_the_text_they_come_from():
    """Each word has its place in the raw sentence; Chinese has no spaces at all."""
    joined = aligned("他在北京。", ["他", "在", "北京", "。"])

    assert ((0, 1), (1, 2), (2, 4), (4, 5)) == joined.places


@pytest.mark.parametrize("text", ["Ada rang", "Ada then called", "Ada called twice"])
def test_words_that_are_not_the_text_are_not_aligned(text):
    """A missing word, or text between or after the words, gives nothing rather than a wrong label."""
    assert aligned(text, ["Ada", "called"]) is None


def test_a_long_text_is_cut_between_sentences_and_outside_spans():
    """Pieces are as long as allowed, keep their spans, and no cut goes through one."""
    text = "Ada came. She met Dr. No Then. They left."
    spans = ((0, 3, "PERSON"), (18, 29, "PERSON"))

    assert [
        ("Ada came.", [("Ada", "PERSON")]),
        ("She met Dr. No Then.", [("Dr. No Then", "PERSON")]),
        ("They left.", []),
    ] == [(piece, marked(piece, inside)) for piece, inside in pieces(text, spans, at=SENTENCES, longest=20)]


@given(st.text("ab.\n ", max_size=60), st.integers(0, 30))
@settings(max_examples=200)
def test_cutting_loses_no_letter(text, longest):
    """The pieces together hold all but white space, in order."""
    found = "".join(piece for piece, _ in pieces(text, (), at=LINES, longest=longest))

    assert "".join(text.split()) == "".join(found.split())


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Mr. Ada Byron", "Ada Byron"),
        ("the Mr. Smith", "Smith"),
        ("Dr. Mina Park, M.D.", "Mina Park"),
        ("President Obama", "Obama"),
        ("older sister Ada", "Ada"),
        ("de Gea", "de Gea"),
        ("Don Byron", "Don Byron"),
        ("My Linh Tran", "My Linh Tran"),
        ("Son Tran", "Son Tran"),
        ("ada byron", "ada byron"),
        ("Ada's", "Ada"),
        ("#Ada.", "Ada"),
        ("'Ada Byron'", "Ada Byron"),
        ("Sammy Davis Jr.", "Sammy Davis Jr."),
    ],
)
def test_a_person_has_no_title_degree_or_mark(text, name):
    """The name stays, what stands before and after it goes."""
    assert [(name, "PERSON")] == marked(text, guideline.person(text, 0, len(text)))


def test_what_has_no_name_is_no_person():
    """Punctuation alone gives nothing."""
    assert [] == list(guideline.person(" . ", 0, 3))


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Oslo", [("Oslo", "LOCATION")]),
        ("Fresno, CA", [("Fresno", "LOCATION"), ("CA", "LOCATION")]),
        ("12 High Street, Springfield", [("12 High Street", "ADDRESS"), ("Springfield", "LOCATION")]),
        ("No. 68, Green Road, Kaifu District", [("No. 68, Green Road", "ADDRESS"), ("Kaifu District", "LOCATION")]),
        ("Green Road", [("Green Road", "LOCATION")]),
        ("the living room, Oslo", [("Oslo", "LOCATION")]),
        ("new york", [("new york", "LOCATION")]),
        ("1057 El Monte", [("1057 El Monte", "ADDRESS")]),
    ],
)
def test_a_place_is_parted_into_street_level_and_towns(text, parts):
    """A street with its number is an ADDRESS, a town and a street alone a LOCATION, a room nothing."""
    assert parts == marked(text, guideline.place(text, 0, len(text)))


def test_street_town_and_postcode_are_one_address():
    """What stands between the street and the postcode belongs to the ADDRESS; the country after it does not."""
    text = "At 12 High Street, Springfield, 62701, France."
    spans = ((3, 17, "ADDRESS"), (19, 30, "LOCATION"), (32, 37, "ADDRESS"), (39, 45, "LOCATION"))

    assert [("12 High Street, Springfield, 62701", "ADDRESS"), ("France", "LOCATION")] == marked(
        text, guideline.addresses_joined(text, spans)
    )


def test_a_town_that_a_blank_parts_from_an_address_belongs_to_it():
    """What a comma parts from it does not, unless a postcode follows."""
    text = "Hauptstr. 5, 10115 Berlin, Germany"
    spans = ((0, 18, "ADDRESS"), (19, 25, "LOCATION"), (27, 34, "LOCATION"))

    assert [("Hauptstr. 5, 10115 Berlin", "ADDRESS"), ("Germany", "LOCATION")] == marked(
        text, guideline.addresses_joined(text, spans)
    )


def test_addresses_with_words_between_stay_apart():
    """Two addresses of one sentence are two."""
    text = "from 1 A Road to 2 B Road"
    spans = ((5, 13, "ADDRESS"), (17, 25, "ADDRESS"))

    assert spans == guideline.addresses_joined(text, spans)


@pytest.mark.parametrize("value", ["next friday", "march 3rd", "five pm", "14:30", "2019", "january second", "noon"])
def test_a_date_or_a_clock_time_says_when(value):
    """Weekdays, dates, clock times and years are DATE_TIME."""
    assert guideline.says_when(value)


@pytest.mark.parametrize("value", ["today", "tomorrow", "two hours", "thirty minutes", "this week", "five days"])
def test_a_relative_day_or_a_duration_does_not(value):
    """The words "today" and "two hours" are not DATE_TIME."""
    assert not guideline.says_when(value)


def test_date_and_time_side_by_side_are_one():
    """Two DATE_TIME parted by one space are one span."""
    assert ((0, 14, "DATE_TIME"),) == guideline.neighbours_joined(
        "friday five pm", [(0, 6, "DATE_TIME"), (7, 14, "DATE_TIME")], "DATE_TIME"
    )


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("On 3 May 2010 at home", [("3 May 2010", "DATE_TIME")]),
        ("It was in 1985.", [("1985", "DATE_TIME")]),
        ("1985 people came", []),
        ("at 14:30 or 5 pm", [("14:30", "DATE_TIME"), ("5 pm", "DATE_TIME")]),
        ("You may march in may", []),
        ("a 26-year-old, aged 34", [("26-year-old", "AGE"), ("aged 34", "AGE")]),
        ("154 Dutch fans", [("Dutch", "NRP")]),
        ("she speaks French", []),
        ("the British Museum", []),
        ("via @ada_b, a@b.example", [("@ada_b", "USERNAME")]),
    ],
)
def test_what_is_plain_by_its_form_is_marked(text, found):
    """Dates, ages, nationalities and handles get a span; words that merely look like one do not."""
    assert found == marked(text, obvious.marked(text, (), types=("DATE_TIME", "AGE", "NRP", "USERNAME")))


def test_a_span_of_the_set_is_not_marked_again():
    """Where the set marked something, the form adds nothing."""
    assert ((0, 9, "ORGANIZATION"),) == obvious.marked("May 2010s", [(0, 9, "ORGANIZATION")], types=("DATE_TIME",))


def test_only_what_a_text_may_hold_is_in_doubt():
    """A type is in doubt where its sign stands outside the spans; a type without a known sign always is."""
    doubts = ("DATE_TIME", "AGE", "USERNAME", "PERSON")

    assert frozenset({"PERSON"}) == obvious.doubtful("see https://t.co/a_b1 there", (), doubts)
    for text in ("back in the 1990s", "due 12/25", "on 3.4.21"):
        assert frozenset({"PERSON", "DATE_TIME"}) == obvious.doubtful(text, (), doubts)
    assert frozenset({"PERSON"}) == obvious.doubtful("in 1990", ((3, 7, "DATE_TIME"),), doubts)
