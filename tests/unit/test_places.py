"""Names of places and the countries they can mean."""

from __future__ import annotations

import pytest

from classifiers.places import made_table, place_table
from tests.unit.jurisdiction_cases import places


@pytest.mark.parametrize(
    ("text", "declined", "expected"),
    [
        ("Leeds and more", False, (("GB",), False, False)),
        ("der Schweiz", False, (("CH",), True, False)),
        ("New York City", False, (("US",), False, False)),
        ("München", False, (("DE",), False, False)),
        ("Göteborg.", False, (("SE",), False, False)),
        ("Den Haag", False, (("NL",), False, False)),
        ("London, Ontario", False, (("CA",), True, False)),
        ("Augusta, Georgia", False, (("US",), True, False)),
        ("Batumi, Georgia", False, (("GE",), True, False)),
        ("Nice", False, (("FR",), False, True)),
        ("Krakowie", True, (("PL",), False, False)),
        ("Praze", True, (("CZ",), False, False)),
        ("Новосибирске", True, (("RU",), False, False)),
        ("İzmir'de", True, (("TR",), False, False)),
        ("Novom Sadu", True, (("RS",), False, False)),
        ("Польше", True, (("PL",), True, False)),
    ],
)
def test_a_name_means_a_country(text: str, declined: bool, expected: tuple[tuple[str, ...], bool, bool]):
    """Cities and countries in many languages, with the endings of cases where the language has them."""
    place = places().first(text, 0, len(text), declined=declined)

    assert place is not None
    assert expected == (place.countries, place.whole, place.ambiguous)


def test_a_name_of_many_cities_is_ambiguous():
    """None of the Valencias has most of the people."""
    place = places().first("Valencia", 0, 8)

    assert place is not None
    assert (True, {"ES", "VE"}) == (place.ambiguous, {"ES", "VE"} & set(place.countries))


@pytest.mark.parametrize(
    "text", ["leeds", "a small house", "Xyzzy Plugh", "", "12345", ", Leeds", "Via Garibaldi", "VIC 3056"]
)
def test_other_words_are_no_place(text: str):
    """No capital, no such name, or something else before it."""
    assert None is places().first(text, 0, len(text))


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("Flat 4, Dublin 8, ring twice", "Dublin"),
        ("Berlin Street 5", None),
        ("Cambridge, MA and", "Cambridge, MA"),
        ("Berlin, DE and", "Berlin"),
        ("Paris, TX 75460", "Paris, TX"),
    ],
)
def test_what_stands_behind_a_name_says_what_it_names(text: str, place: str | None) -> None:
    """The number of a district, of a house, the code of a state."""
    found = places().last(text, 0, len(text))

    assert place == (None if found is None else text[found.start : found.end])


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Mali", "ML"),
        ("Lebanon", "LB"),
        ("Lebanon, Ohio", "US"),
        ("Jordan, Minnesota", "US"),
        ("Colombia", "CO"),
        ("Ontario", "CA"),
        ("Ontario, California", "US"),
        ("Holland", "NL"),
        ("Jamaica, New York", "US"),
    ],
)
def test_a_country_is_not_the_town_abroad_that_is_called_like_it(text: str, code: str) -> None:
    """Unless the state behind it says so."""
    place = places().first(text, 0, len(text))

    assert place is not None
    assert ((code,), True) == (place.countries, place.whole)


@pytest.mark.parametrize("text", ["Date", "Hola, mi pasaporte", "Mobile 12", "Bank, Police", "Can", "IBAN", "NIF"])
def test_everyday_words_are_no_places_where_only_nearness_says_so(text: str) -> None:
    """They are towns of Japan, Kenya, Alabama; and abbreviations are no cases of a name."""
    assert [] == list(places().all(text, 0, len(text), declined=True))
    assert "US" == next(places().all("Mobile, Alabama", 0, 15)).countries[0]


def test_the_last_place_of_an_address_is_its_city():
    """Streets named after cities are left out, and what follows an empty line."""
    text = "Berlin Street 5, Leeds\n\nParis"
    place = places().last(text, 0, len(text))

    assert place is not None
    assert (("GB",), "Leeds") == (place.countries, text[place.start : place.end])


def test_names_in_scripts_without_blanks_are_cut_out():
    """The longest name at the place counts."""
    text = "東京都に"
    place = places().unspaced(text, 0, len(text), backwards=False)

    assert place is not None
    assert (("JP",), "東京都") == (place.countries, text[place.start : place.end])


def test_the_end_of_a_word_is_no_name_of_a_script_without_blanks():
    """`ünchen` is what a value that ends too early leaves of a city."""
    assert None is places().unspaced("München", 1, 7, backwards=False)


def test_the_table_in_the_tree_is_what_the_data_gives() -> None:
    """After a new version of the data: `python -m classifiers.places`."""
    assert made_table() == place_table()


def test_a_name_of_several_words_is_found_behind_its_first_word() -> None:
    """Words that begin no longer name are looked up alone; those that do, with what follows them."""
    text = "Offices in Rio de Janeiro and Aix-en-Provence and New York and Berlin are open."

    assert [text[each.start : each.end] for each in places().all(text, 0, len(text))] == [
        "Rio de Janeiro",
        "Aix-en-Provence",
        "New York",
        "Berlin",
    ]
