"""Telephone numbers against libphonenumber: all regions, national forms, what is none, and what it costs."""

from __future__ import annotations

import contextlib
import json
import time

import phonenumbers
import pytest
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from classifiers.digits import runs
from classifiers.meter import Exhausted, Meter
from classifiers.normalisation import fold
from classifiers.phones import PhoneFinder, phone_table
from governance.finding import Finding

REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
TYPES = (
    PhoneNumberType.FIXED_LINE,
    PhoneNumberType.MOBILE,
    PhoneNumberType.TOLL_FREE,
    PhoneNumberType.PREMIUM_RATE,
    PhoneNumberType.VOIP,
)


@pytest.fixture(scope="module")
def finder() -> PhoneFinder:
    """A finder whose table has been through JSON, as a compiled catalogue keeps it."""
    return PhoneFinder.from_table(json.loads(json.dumps(phone_table())))


def found(
    finder: PhoneFinder,
    text: str,
    *,
    regions: tuple[str, ...] | None = None,
    owned: tuple[tuple[int, int], ...] = (),
) -> list[tuple[str, str | None, int, bool]]:
    """(text, country, score, validated) of the numbers in `text`."""
    view = fold(text)
    meter = Meter(len(text) + 100_000, deadline=time.monotonic() + 60)
    findings = finder.search(view, list(runs(view.scan, meter)), owned, meter, regions=regions)
    return [(text[each.span.start : each.span.end], each.country, each.permille, each.validated) for each in findings]


def reported(finder: PhoneFinder, text: str) -> list[str]:
    """The numbers in `text` that reach the threshold."""
    return [number for number, _, permille, _ in found(finder, text) if permille >= 400]


def examples(region: str, *types: int) -> list[phonenumbers.PhoneNumber]:
    """Valid numbers of a region, from the metadata."""
    numbers = (phonenumbers.example_number_for_type(region, each) for each in types)
    return [number for number in numbers if number is not None and phonenumbers.is_valid_number(number)]


@pytest.mark.parametrize("form", [PhoneNumberFormat.E164, PhoneNumberFormat.INTERNATIONAL])
def test_international_numbers_of_all_regions_are_found_with_the_region_of_libphonenumber(
    finder: PhoneFinder, form: int
) -> None:
    """The span is the number from its plus to its last digit."""
    wrong = []
    for region in REGIONS:
        for number in examples(region, *TYPES):
            written = phonenumbers.format_number(number, form)
            expected = [(written, phonenumbers.region_code_for_number(number), 850, True)]
            actual = found(finder, f"so: {written} then")
            if expected != actual:
                wrong.append((expected, actual))
    assert [] == wrong


def test_spans_are_those_of_the_matcher_of_libphonenumber(finder: PhoneFinder) -> None:
    """International numbers in running text, one after the other."""
    written = [
        phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL)
        for region in REGIONS
        for number in examples(region, PhoneNumberType.FIXED_LINE)
    ]
    text = " or ".join(written)
    expected = [match.raw_string for match in phonenumbers.PhoneNumberMatcher(text, None)]
    assert expected == [number for number, _, _, _ in found(finder, text)]


def test_national_numbers_are_found_in_their_region(finder: PhoneFinder) -> None:
    """A region under a shared country code may give a number to its neighbour, as libphonenumber does."""
    total, missed = 0, []
    for region in REGIONS:
        for number in examples(region, PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE):
            written = phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)
            if sum(map(str.isdigit, written)) >= 7:
                total += 1
                actual = found(finder, f"so {written} then", regions=(region,))
                code = number.country_code
                if [written] != [each[0] for each in actual] or code != phonenumbers.country_code_for_region(
                    actual[0][1] or ""
                ):
                    missed.append((region, written, actual))
    assert (True, []) == (total > 400, missed)


@pytest.mark.parametrize("digit", [0, 1, 5, 9])
def test_a_changed_number_is_found_only_if_libphonenumber_calls_it_valid(finder: PhoneFinder, digit: int) -> None:
    """The first and the third digit after the country code replaced."""
    wrong = []
    for region in REGIONS:
        for number in examples(region, PhoneNumberType.MOBILE):
            national = phonenumbers.national_significant_number(number)
            for place in (0, 2):
                changed = f"+{number.country_code}{national[:place]}{digit}{national[place + 1 :]}"
                valid = _is_valid(changed)
                if valid != bool(found(finder, changed)):
                    wrong.append((changed, valid))
    assert [] == wrong


def _is_valid(text: str) -> bool:
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(text))
    except phonenumbers.NumberParseException:
        return False


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(212) 555-1234", [("(212) 555-1234", "US", 400, False)]),
        ("Room 12 212-555-1234", [("212-555-1234", "US", 400, False)]),
        ("(416) 555-0123", [("(416) 555-0123", "CA", 400, False)]),
        ("+44 (0)20 7946 0958 ext. 12", [("+44 (0)20 7946 0958 ext. 12", "GB", 850, True)]),
        ("(+44 20 7946 0958)", [("+44 20 7946 0958", "GB", 850, True)]),
        ("(Tel. 0151 12345678)", [("0151 12345678", "DE", 750, False)]),
        ("Tel. (0151 12345678)", [("0151 12345678", "DE", 750, False)]),
        ("0049 30 123456", [("0049 30 123456", "DE", 700, False)]),
        ("01 23 45 67 89", [("01 23 45 67 89", "FR", 400, False)]),
        ("06.12.34.56.78", [("06.12.34.56.78", "FR", 400, False)]),
        ("Tel. 0151 12345678", [("0151 12345678", "DE", 750, False)]),
        ("+49 30 1234567 2024-01-01", [("+49 30 1234567", "DE", 850, True)]),
        ("Tel.:030 1234567", [("030 1234567", "DE", 750, False)]),
        ("fax:(030)1234567", [("(030)1234567", "DE", 750, False)]),
        ("电话 4155552671", [("4155552671", "US", 650, False)]),
        ("order 4155552671", [("4155552671", "US", 300, False)]),
        ("Mobil: 0171 / 4829173", [("0171 / 4829173", "DE", 650, False)]),
        ("Mobil: 0171 / 48 29 173", [("0171 / 48 29 173", "DE", 650, False)]),
        ("Tel. 030 / 48 29 17 36", [("030 / 48 29 17 36", "DE", 650, False)]),
        ("Tel. (030) / 48 29 17 36", [("(030) / 48 29 17 36", None, 650, False)]),
        ("Tel. 0171 - 4829173", [("0171 - 4829173", "DE", 650, False)]),
        ("0171 - 4829173", [("0171 - 4829173", "DE", 300, False)]),
        ("8 (916) 482-91-73", [("8 (916) 482-91-73", "RU", 400, False)]),
        ("тел. 8 (916) 482-91-73", [("8 (916) 482-91-73", "RU", 750, False)]),
        ("Room 8 (212) 555-1234", [("(212) 555-1234", "US", 400, False)]),
    ],
)
def test_a_number_is_read_as_people_write_it(
    finder: PhoneFinder, text: str, expected: list[tuple[str, str | None, int, bool]]
) -> None:
    """Brackets, groups, extensions and what follows; a word beside it raises the score."""
    assert expected == found(finder, text)


LISTS = {
    "US": ("212-555-0123", "(212) 555-0124", "212.555.0125", "646 555 0126", "1-212-555-0127"),
    "GB": ("020 7946 0958", "07700 900123", "01632 960655", "(020) 7946 0959"),
    "DE": ("030-1234567", "030 12345678", "0151 12345678", "089/2345678", "0049 30 1234567"),
    "FR": ("01.42.68.53.00", "01 42 68 53 01", "06 12 34 56 78", "01-42-68-53-04"),
    "NL": ("020 123 4567", "06 12345678", "06-23456789"),
}


@pytest.mark.parametrize("sign", [", ", ",", "; ", ";", " / ", "/", " ", "  ", "\n", " - "])
@pytest.mark.parametrize("region", sorted(LISTS))
def test_every_number_of_a_list_is_found(finder: PhoneFinder, region: str, sign: str) -> None:
    """Of one form or of several, whatever stands between them, and longer than any number."""
    several = LISTS[region] * 2
    for listed in (several, *((number,) * 7 for number in LISTS[region])):
        found_in = found(finder, f"Team: {sign.join(listed)} end", regions=("US", "GB", "DE", "FR", region))

        assert list(listed) == [number for number, _, permille, _ in found_in if permille >= 400]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Telefon 030 12345678 030 23456789", ["030 12345678", "030 23456789"]),
        ("Tel. 0142685303 01-42-68-53-04", ["0142685303", "01-42-68-53-04"]),
        ("+49 30 1234567 030 2345678", ["+49 30 1234567", "030 2345678"]),
        ("Phone 12345678901234567890123456 212-555-0123", ["212-555-0123"]),
        ("2024-01-01 2024-01-02 212-555-0123", ["212-555-0123"]),
        ("01 02 03 04 05 06 07 08 09 10 11 12", []),
        ("12 212-555-0123", ["212-555-0123"]),
        ("1234,5678 52.516312,13.377712 1,234,567", []),
    ],
)
def test_a_number_ends_where_the_next_one_begins(finder: PhoneFinder, text: str, expected: list[str]) -> None:
    """What cannot be one number neither hides nor lengthens another."""
    assert expected == reported(finder, text)


@pytest.mark.parametrize(
    "piece", ["1 ", "0 ", "123 ", "0.123 ", "012 034 ", "01 02 03 04 05 06 07 08 09 10 11 12 ", "12-34 "]
)
def test_a_table_of_numbers_does_not_use_up_the_allowance(finder: PhoneFinder, piece: str) -> None:
    """64 kB of what cannot be telephone numbers are read to their end, where one is."""
    text = piece * (64_000 // len(piece)) + "or (212) 555-0124"
    view = fold(text)
    meter = Meter(len(text), deadline=time.monotonic() + 60)

    findings = list(finder.search(view, list(runs(view.scan, meter)), (), meter, floor=400))

    assert [(len(text) - 14, len(text))] == [(each.span.start, each.span.end) for each in findings]


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-02 10:11", "12.05.2024 10", "01.02.2024 08:00", "06/07/2024 15:30:00", "2024-01-02T10:11:12.123+02:00",
        "1.234.567", "€ 1.234.567,89", "$1,234,567", "0.123456789", "version 10.0.19041.1", "v1.2.3.4", "192.168.100.200",
        "order 0123-456-789", "00123456789012", "0301234567", "1700000000000", "ISBN 978-3-16-148410-0", "52.516312,13.377712",
        "4111 1111 1111 1111", "2024 2025 2026 2027", "0x0123456789", "012-34-5678", "123 456 789", "12:30:00 +0200",
        "x+12125551234", "abc0301234567", "=>415-555-0134", "->415-555-0134", "2>415-555-0134", "#030 1234567", "ORD-0895-208508", "0291-0930",
    ],
)  # fmt: skip
def test_what_only_looks_like_a_number_is_not_reported(finder: PhoneFinder, text: str) -> None:
    """Dates, prices, versions, addresses, orders and amounts stay below the threshold without a word beside them."""
    assert [] == reported(finder, text)


@pytest.mark.parametrize(
    "text",
    [
        "order 4155552671", "phone 4155552671", "+49 30 1234567", "+493012345678", "(+493012345678)", "fax +49 30 1234567, 2024-05-12",
        "2024-05-12 212-555-1234", "2024/05/12 0301234567", "00493012345678", "a(030)1234567", "12 (030) 1234567", "1700000000000",
        "電話4155552671", "+ 49 30 1234567", "tel 123456", "5+49 30 1234567",
    ],
)  # fmt: skip
def test_a_floor_leaves_out_nothing_that_reaches_it(finder: PhoneFinder, text: str) -> None:
    """What is skipped at a glance would not have been reported."""
    view, floor = fold(text), 400

    def search(least: int) -> list[Finding]:
        meter = Meter(len(text), deadline=time.monotonic() + 60)
        return list(finder.search(view, list(runs(view.scan, meter)), (), meter, floor=least))

    assert [each for each in search(0) if each.permille >= floor] == [
        each for each in search(floor) if each.permille >= floor
    ]


def test_a_number_inside_what_another_rule_owns_is_left_to_it(finder: PhoneFinder) -> None:
    """Part of an IBAN can be read as a number of Berlin."""
    text = "DE89 3704 0044 0532 0130 00"
    assert [] == found(finder, text, owned=((0, len(text)),))
    assert [] != found(finder, text)


@pytest.mark.parametrize(
    ("text", "country"),
    [("+44 7700 900123", "GB"), ("07700 900123", "GB"), ("01632 960 655", "GB"), ("+49 1999 123 4567", "DE")],
)
def test_numbers_of_films_and_of_ranges_not_open_yet_are_found(finder: PhoneFinder, text: str, country: str) -> None:
    """What nobody has today is written in examples, or given out tomorrow."""
    [(number, found_in, permille, _)] = found(finder, text, regions=("GB",))

    assert (text, country) == (number, found_in)
    assert permille >= 400


@pytest.mark.parametrize(
    ("number", "country"),
    [("082 555 0143", "ZA"), ("0412 555 009", "AU"), ("022 555 7719", "NZ"), ("087 555 0123", "IE")],
)
def test_a_number_of_elsewhere_is_found_beside_a_word(finder: PhoneFinder, number: str, country: str) -> None:
    """English is written in many countries, whose forms alone are too many."""
    [(found_number, owner, permille, _)] = found(finder, f"my mobile is {number}", regions=("US",))

    assert number == found_number
    assert owner in (country, None)
    assert permille >= 400
    assert [] == [each for each in found(finder, f"we counted {number} of them", regions=("US",)) if each[2] >= 400]


@pytest.mark.parametrize(
    ("text", "number", "country"),
    [
        ("tel. kom. 601 482 917", "601 482 917", None),
        ("Telefone: 912 482 917", "912 482 917", None),
        ("celular: 300 482 9173", "300 482 9173", "MX"),
        ("tlf 48 29 17 36", "48 29 17 36", None),
        ("tel. 22 482 91 73", "22 482 91 73", "PL"),
        ("mobile 9482 9173", "9482 9173", None),
        ("HP 9482 9173", "9482 9173", None),
        ("contact no: 98765 01234", "98765 01234", "IN"),
        ("they can call me on 9482 9173", "9482 9173", None),
        ("मोबाइल 98765 43210", "98765 43210", "IN"),
        ("موبايل: 010 4829 1736", "010 4829 1736", None),
        ("連絡先 9482 9173", "9482 9173", None),
        ("연락처 010-4829-1736", "010-4829-1736", None),
        ("số điện thoại 0912 482 917", "0912 482 917", None),
        ("mob 98765 43210", "98765 43210", "IN"),
        ("telefoonnummer 0648219330", "0648219330", None),
        ("<mobile>7025550191</mobile>", "7025550191", "US"),
        ('<td class="phone">(415) 555-0134</td>', "(415) 555-0134", "US"),
    ],
)
def test_a_number_of_any_plan_is_found_directly_behind_a_word(
    finder: PhoneFinder, text: str, number: str, country: str | None
) -> None:
    """Without a national prefix and whatever the language, in the groups of a plan."""
    assert [(number, country)] == [(each[0], each[1]) for each in found(finder, text) if each[2] >= 400]


@pytest.mark.parametrize(
    ("text", "number", "country"),
    [
        ("cel: (11) 91234-5678", "(11) 91234-5678", "BR"),
        ("Cel. 11 91234 5678", "11 91234 5678", "BR"),
        ("Cel: 55 1234 5678", "55 1234 5678", "MX"),
        ("cel 3104567890", "3104567890", "CO"),
        ("cep: 0532 123 45 67", "0532 123 45 67", "TR"),
        ("Cep 05321234567", "05321234567", "TR"),
        ("CEP: 532 123 45 67", "532 123 45 67", "TR"),
    ],
)
def test_a_short_word_for_a_mobile_telephone_brings_the_numbers_of_its_countries(
    finder: PhoneFinder, text: str, number: str, country: str
) -> None:
    """Directly before the number, which is of a form that one of them writes."""
    assert [(number, country)] == [(each[0], each[1]) for each in found(finder, text) if each[2] >= 400]


@pytest.mark.parametrize(
    "text",
    [
        "Cel: 600 123 456 zł do 2030 r.", "Nasz cel: 1 200 000 zł", "Cel 3000000000 zł", "cel 2: 2024-2030", "cel 1234567",
        "Cel strategiczny nr 12 3456 7890", "the cel 11 2345 shading", "excel 5512345678", "CEP 01310-100", "CEP 01310100",
        "CEP: 01.310-100, SP", "Cel: 5512345678 odsłon", "cep 0532 12", "Cel: 12 345 678", "cel na rok 2025: 310 456", "CEP 12345-678 e 87654-321",
    ],
)  # fmt: skip
def test_a_goal_and_a_postcode_are_no_telephone_numbers(finder: PhoneFinder, text: str) -> None:
    """Polish and Brazilian know these words otherwise."""
    assert [] == reported(finder, text)


@pytest.mark.parametrize(
    "text",
    [
        "Please call 12 345 678 people before Friday.",
        "Our mobile traffic grew to 601 482 917 requests.",
        "Telefon kostet 12 345 678 Forint",
        "il telefono costa 12 345 678 lire",
        "mobitel 12 000 000 kuna",
        "The handy tool has 48 29 17 36 teeth",
        "Ring buffer 9123 4567",
        "API call id 8231 2345",
        "Fax toner 12-3456-7890",
        "phone order 9482 9173",
        "pH 7,2 12 34 56 78",
        "HP LaserJet 4200 1234 5678",
        "contact 12 345 678 customers by mail",
        "var hP1=[1459,2146087914",
        "учитель 45 12 482917",
    ],
)
def test_what_stands_behind_a_word_by_chance_is_no_number_of_elsewhere(finder: PhoneFinder, text: str) -> None:
    """Amounts, other things that are named in between, and words that mean something else."""
    assert [] == reported(finder, text)


@pytest.mark.parametrize("text", ["+49 12", "+999 123 456 789", "+4999999999999", "1 +49 1999 123 4567 8901 2345 678"])
def test_no_number_of_any_length_a_country_has_is_none(finder: PhoneFinder, text: str) -> None:
    """A plus and groups are not enough."""
    assert [] == reported(finder, text)


@pytest.mark.parametrize(
    "text", ["La référence du joint, remplacée par 06-7731-4412", "品番 03-5512-7784 の部品は廃番です。"]
)
def test_a_number_of_parts_is_none_of_a_telephone(finder: PhoneFinder, text: str) -> None:
    """In any script."""
    assert [] == [each for each in found(finder, text, regions=("FR", "JP")) if each[2] >= 400]


def test_national_forms_follow_the_regions_in_play(finder: PhoneFinder) -> None:
    """The same digits are a number in one country and none in another."""
    assert [("020 123 4567", "NL", 400, False)] == found(finder, "020 123 4567", regions=("NL",))
    assert [] == found(finder, "020 123 4567", regions=("US",))


@pytest.mark.parametrize("piece", ["1 ", "12-34 ", "0", "(1) ", "+1", "030 12345 ", "+49 30 12 ", "((((", "0 0 0 "])
def test_no_text_costs_more_than_its_allowance(finder: PhoneFinder, piece: str) -> None:
    """64 kB of candidates end within the meter's units, which stand for about a tenth of a second."""
    text = piece * (64_000 // len(piece))
    view = fold(text)
    meter = Meter(len(text), deadline=time.monotonic() + 60)
    with contextlib.suppress(Exhausted):
        list(finder.search(view, list(runs(view.scan, meter)), (), meter))
    assert meter.spent <= meter.allowance + 64


def test_a_candidate_costs_a_fraction_of_a_call_of_libphonenumber(finder: PhoneFinder) -> None:
    """Measured side by side on warm patterns; the bound is loose, because the machine may be busy."""
    numbers = [
        phonenumbers.format_number(number, form)
        for region in REGIONS
        for number in examples(region, PhoneNumberType.FIXED_LINE)
        for form in (PhoneNumberFormat.E164, PhoneNumberFormat.INTERNATIONAL)
    ]
    text = " and then, ".join(numbers)
    ours = min(_seconds(lambda: found(finder, text)) for _ in range(5))
    theirs = min(_seconds(lambda: [_is_valid(number) for number in numbers]) for _ in range(5))
    assert ours < theirs


def _seconds(call: object) -> float:
    assert callable(call)
    start = time.process_time()
    call()
    return time.process_time() - start
