"""What stands in the slots of templates: of one place, of one person, and of one half of the lists."""

from __future__ import annotations

import random
import re

import pytest

from classifiers.training import material, moments
from classifiers.training.kinds import KINDS
from classifiers.training.pools import LOCALES, Pool, is_held_out, locales_of, named_words, place, pool, words
from classifiers.training.rows import TYPES
from classifiers.training.values import Values

KEPT = ("en_US", "de_DE", "fr_CA", "es_MX", "x_zh", "x_ar")


def values(seed: int, language: str = "en", *, held_out: bool = False, locale: str = "") -> Values:
    return Values(random.Random(seed), language=language, held_out=held_out, locale=locale)


@pytest.mark.parametrize("locale", KEPT)
def test_every_slot_has_values_that_are_marked_as_its_type(locale: str) -> None:
    """Every kind gives text without white space at its edges, whose first span is of the kind's type."""
    for seed in range(4):
        drawn = {kind: values(seed, locale=locale).draw(kind) for kind in KINDS}

        assert [kind for kind, value in drawn.items() if not value.text or value.text != value.text.strip()] == []
        assert {kind: value.spans[0][2] if value.spans else "" for kind, value in drawn.items()} == dict(KINDS)
        assert all(v.text[start:end].strip() for v in drawn.values() for start, end, _ in v.spans)


def test_types_of_slots_are_the_types_of_rows() -> None:
    """Every type has a slot, and no slot has a type of its own."""
    assert set(KINDS.values()) == {*TYPES, ""}


def test_there_are_at_least_twenty_five_locales_of_faker() -> None:
    """Names come from at least twenty-five countries, and from seven languages of other scripts in Latin letters."""
    assert len([name for name in LOCALES if not name.startswith("x_")]) >= 25
    assert len([name for name in LOCALES if name.startswith("x_")]) >= 7


def test_a_number_ties_slots_to_one_person() -> None:
    """Name, user name and handle of one number agree, and a second draw is the same."""
    for seed in range(30):
        drawn = values(seed)
        family = drawn.draw("person.last", 1).text

        assert drawn.draw("person.formal", 1).text.endswith(family)
        assert drawn.draw("person", 1) == drawn.draw("person", 1)
        assert drawn.draw("handle", 1).text == f"@{drawn.draw('username', 1).text}"
        assert drawn.draw("person", 1).text.lower() == drawn.draw("person.lower", 1).text


def test_without_a_number_each_value_is_its_own() -> None:
    """Slots without a number, and slots of different numbers, are drawn anew."""
    drawn = values(3)

    assert len({drawn.draw("id.order").text for _ in range(8)}) > 6
    assert drawn.draw("id.case", 1) != drawn.draw("id.case", 2)


def test_a_title_stays_outside_the_name() -> None:
    """Of a formal name, the span begins after the title and ends with the text."""
    for seed in range(40):
        value = values(seed).draw("person.formal")
        ((start, end, kind),) = value.spans

        assert (kind, end) == ("PERSON", len(value.text))
        assert value.text[:start].strip(". ").isalpha()
        assert value.text[start - 1] == " "
        assert " " not in value.text[: start - 1]


def test_a_city_is_part_of_the_address() -> None:
    """Whether the postcode comes last or before the city."""
    british, german = values(1, locale="en_GB").draw("full_address"), values(1, locale="de_DE").draw("full_address")

    for address in (british, german):
        assert address.spans == ((0, len(address.text), "ADDRESS"),)
    assert re.search(r"\d{5} \D+$", german.text)


def test_names_of_training_and_of_measuring_are_disjoint() -> None:
    """No given name, family name, city, street or firm that training sees is drawn where it is measured."""
    for locale in KEPT:
        found = place(locale)
        for values_ in (found.given, found.family, found.city, found.street, found.company):
            assert set(values_.train) & set(values_.held_out) == set()
    for kind in ("person.first", "person.last"):
        seen = {values(seed, locale="de_DE").draw(kind).text for seed in range(800)}
        unseen = {values(seed, locale="de_DE", held_out=True).draw(kind).text for seed in range(800)}

        assert seen & unseen == set()


def test_a_short_list_has_no_halves() -> None:
    """Where all values fall on one side, both sides have them, so that something can be drawn."""
    name = next(word for word in words("drugs") if not is_held_out(word))

    assert pool([name, f" {name}"]) == Pool(train=(name,), held_out=(name,))


def test_the_case_of_a_name_does_not_change_its_half() -> None:
    """A name in capitals is as unseen as the name."""
    assert [is_held_out(word.upper()) for word in words("drugs")] == [
        is_held_out(word.lower()) for word in words("drugs")
    ]


def test_values_are_the_same_for_the_same_seed() -> None:
    """Two texts of one seed have the same values, and of another seed others."""
    first, again, other = ([values(seed).draw(kind) for kind in KINDS] for seed in (5, 5, 6))

    assert first == again
    assert first != other


@pytest.mark.parametrize(("language", "name"), [("de", "Österreich"), ("fr", "Suisse"), ("es", "España")])
def test_words_are_of_the_text_s_language_where_there_are_any(language: str, name: str) -> None:
    """Countries are named in the language of the text; drugs are the same everywhere."""
    assert name in words("countries", language)
    assert words("drugs", language) == words("drugs")


def test_a_text_of_a_language_takes_names_of_its_countries() -> None:
    """A German text has German, Austrian and Swiss names; a language no locale speaks has names of all."""
    assert {name.partition("_")[0] for name in locales_of("de")[0]} == {"de"}
    assert set(locales_of("en")[0]) == set(locales_of("xx")[0]) == set(LOCALES)


def test_lists_are_long_enough() -> None:
    """Diseases and drugs are at least a hundred and fifty each, both in lower case and as brands; cities of every place."""
    assert min(len(words("diseases")), len(words("drugs"))) >= 150
    assert {"paracetamol", "Tylenol"} <= set(words("drugs"))
    assert set(LOCALES.values()) <= named_words("cities").keys()


def test_a_variant_changes_case_and_keeps_the_span() -> None:
    """Lower case, capitals and title case are of the same length, or else not applied."""
    drawn = values(2, locale="es_ES")
    name = drawn.draw("person", 1)

    assert drawn.draw("person", 1, "upper").text == name.text.upper()
    assert drawn.draw("person", 1, "upper").spans == name.spans
    assert drawn.draw("person", 1) == name


def test_an_unknown_slot_is_an_error() -> None:
    """A kind that no table has raises KeyError."""
    with pytest.raises(KeyError):
        values(1).draw("pet")


@pytest.mark.parametrize("language", ["en", "de", "fr", "es", "it", "nl", "pt", "sv"])
def test_dates_and_ages_have_a_number_or_a_name(language: str) -> None:
    """No letter of a pattern is left in a date, and dates in digits have digits alone."""
    chance = random.Random(4)
    for _ in range(200):
        assert re.fullmatch(r"[\d./-]+", moments.short_date(chance, language))
        assert not re.search(r"\b[dmyDMYNBOW]\b", moments.date(chance, language).replace("d'", ""))
        assert re.search(r"\d|half|quarter|o'clock", moments.time(chance, language))
        assert re.search(r"\d", moments.age(chance, language))


def test_other_digits_keep_the_form_of_a_number() -> None:
    """Digits change, a leading nought stays one, and a number that had none gets none."""
    chance = random.Random(9)
    for _ in range(50):
        assert re.fullmatch(r"[1-9]\d Elm St\. 0\d\d", material.renumbered(chance, "12 Elm St. 034"))


@pytest.mark.parametrize("language", ["py", "js", "sql", "sh", "go"])
def test_code_has_no_marks_left(language: str) -> None:
    """Nouns, verbs and numbers are put in for every mark of a snippet."""
    chance = random.Random(2)
    texts = {material.code(chance, language) for _ in range(60)}

    assert len(texts) > 20
    assert not any(re.search(r"\$[nvNi]\b(?!\w)", text) for text in texts if language != "sh")


def test_secrets_differ_in_shape_and_never_repeat() -> None:
    """Two hundred secrets are two hundred values, keys of known prefixes among them."""
    chance = random.Random(1)
    secrets = [material.secret(chance) for _ in range(200)]

    assert len(set(secrets)) == 200
    assert {"sk-", "ghp", "AKI", "xox", "eyJ", "---"} <= {secret[:3] for secret in secrets}


def test_organisations_are_of_our_list_and_made_up() -> None:
    """A university, a club, a band, a paper, a charity and a firm are now and then one that readers know."""
    lists = named_words("organisations")
    lines = {
        "org.university": "university",
        "org.club": "club",
        "org.band": "band",
        "org.media": "media",
        "org.ngo": "ngo",
    }
    for kind, line in lines.items():
        drawn = {values(seed, locale="en_GB").draw(kind).text for seed in range(120)}

        assert drawn & set(lists[line])
        assert drawn - set(lists[line])


def test_shops_are_named_by_what_they_do() -> None:
    """With words of one half of the list; some of any organisations in English are shops, none in another language."""
    trades = sorted(words("shop_trades"), key=len, reverse=True)

    def of(name: str) -> str | None:
        return next((trade for trade in trades if name.endswith(f" {trade}")), None)

    for held_out in (False, True):
        drawn = {of(values(seed, locale="en_GB", held_out=held_out).draw("org.shop").text) for seed in range(200)}
        assert {held_out} == {is_held_out(trade) for trade in drawn - {None}}
    branches = {
        language: [
            name
            for seed in range(2_000)
            if (name := values(seed, language=language).draw("org").text).endswith(" Branch)")
        ]
        for language in ("en", "de")
    }
    assert branches["en"]
    assert not branches["de"]


def test_groups_are_named_by_what_they_speak_of() -> None:
    """In most of their forms."""
    topics = words("circles")
    drawn = [values(seed, locale="en_GB").draw("org.group").text for seed in range(100)]

    assert sum(any(topic in name for topic in topics) for name in drawn) > 60


def test_a_known_organisation_is_of_one_half() -> None:
    """What texts to train on name as an organisation of our list, texts to measure with never do."""
    known = set(named_words("organisations")["ngo"])
    seen = {values(seed, locale="en_GB").draw("org.ngo").text for seed in range(400)} & known
    unseen = {values(seed, locale="en_GB", held_out=True).draw("org.ngo").text for seed in range(400)} & known

    assert seen
    assert unseen
    assert not seen & unseen


def test_a_text_in_english_may_speak_of_several_countries() -> None:
    """Towns come from all the world, but for a text that is told where it is."""
    towns = set(words("towns"))

    def cities(locale: str) -> set[str]:
        return {values(seed, locale=locale).draw("city").text for seed in range(150)}

    assert len(cities("") & towns) > len(cities("de_DE") & towns)
    assert cities("de_DE") <= {*place("de_DE").city.train}


def test_a_first_name_may_be_an_ordinary_word() -> None:
    """Some people of English texts are called as a month, a flower or a town is."""
    assert {"May", "Rose", "Will", "Austin"} & {
        values(seed, locale="en_US").draw("person.first").text for seed in range(3000)
    }


def test_a_year_is_a_date_of_four_digits() -> None:
    """The year alone is marked as the time that it is."""
    value = values(4).draw("year")

    assert value.spans == ((0, 4, "DATE_TIME"),)
    assert value.text.isdigit()
