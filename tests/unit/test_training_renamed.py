"""Texts that come again about others: what changes, what stays, and that nothing of dev and test is touched."""

from __future__ import annotations

from itertools import count

from classifiers.training.renamed import with_renamed
from classifiers.training.rows import Row, Span, split_of


def row(marked: str, *, split: str = "train", language: str = "en") -> Row:
    """A text in which `[TYPE what is marked]` stands for a span."""
    text, spans = "", list[Span]()
    for part in marked.split("["):
        inner, closed, after = part.partition("]")
        if not closed:
            text += part
            continue
        kind, _, mention = inner.partition(" ")
        spans.append((len(text), len(text) + len(mention), kind))
        text += mention + after
    group = next(
        f"set/{at}"
        for at in count()
        if split_of(Row(text=text, topics={}, group=f"set/{at}", source="set", language=language)) == split
    )
    return Row(text=text, spans=tuple(spans), topics={}, group=group, source="set", language=language)


def again(marked: str, copies: int = 1) -> list[Row]:
    """The texts that come after `marked`."""
    return list(with_renamed([row(marked)], copies))[1:]


def mentions(made: Row) -> list[str]:
    return [made.text[start:end] for start, end, _ in made.spans]


def test_the_rest_of_a_text_stays_and_its_spans_move() -> None:
    """Only people, places and organisations change; the types are as they were."""
    [made] = again(
        "Write to [PERSON Anna Schmidt] at [ADDRESS 12 High Street] by [DATE_TIME Monday], [LOCATION Leeds]!"
    )
    person, address, date, place = mentions(made)

    assert f"Write to {person} at 12 High Street by Monday, {place}!" == made.text
    assert ("12 High Street", "Monday") == (address, date)
    assert (person, place) != ("Anna Schmidt", "Leeds")
    assert ["PERSON", "ADDRESS", "DATE_TIME", "LOCATION"] == [kind for _, _, kind in made.spans]


def test_one_stays_one() -> None:
    """Whoever is named twice, whole or in part, has one new name; initials and titles stay."""
    for made in again(
        "[PERSON Anna B. Schmidt] called. [PERSON Schmidt] said [PERSON Anna] left [ORGANIZATION Acme] for [ORGANIZATION ACME]",
        20,
    ):
        whole, last, first, one, other = mentions(made)
        assert f"{first} B. {last}" == whole
        assert one.casefold() == other.casefold()


def test_small_letters_stay_small() -> None:
    """And capitals capitals, where they are more than an acronym."""
    for made in again("[PERSON anna] met [PERSON OLGA PETROVA] of [ORGANIZATION siemens]", 20):
        first, second, third = mentions(made)
        assert first.islower()
        assert second.isupper()
        assert third == third.lower()


def test_what_is_part_of_a_word_stays() -> None:
    """Hashtags, handles, compounds."""
    [made] = again("#[LOCATION London]calling @[PERSON anna], [ORGANIZATION Acme]_x and [PERSON Olga]")

    assert ["London", "anna", "Acme"] == mentions(made)[:3]
    assert made.text.startswith("#Londoncalling @anna, Acme_x and ")


def test_only_english_texts_of_the_training_part_come_again() -> None:
    """After all texts as they were; one without a name does not."""
    rows = [
        row("[PERSON Anna] left"),
        row("[PERSON Berta] left", split="dev"),
        row("[PERSON Clara] left", split="test"),
        row("[PERSON Dora] gik", language="da"),
        row("nobody left"),
    ]
    made = list(with_renamed(rows, 2))

    assert rows == made[:5]
    assert 2 == len(made[5:])
    assert all(each.group == rows[0].group and each.text.endswith(" left") for each in made[5:])


def test_the_same_rows_give_the_same_texts() -> None:
    """A training can be repeated."""
    marked = "[PERSON Anna] of [ORGANIZATION Acme] in [LOCATION Leeds]"

    assert again(marked, 5) == again(marked, 5)
    assert len({made.text for made in again(marked, 5)}) > 3
