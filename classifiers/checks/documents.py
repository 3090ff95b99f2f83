"""Checks of documents, vehicles, places and dates."""

# ruff: noqa: RUF001 - names of months in many scripts
from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from itertools import islice

from classifiers.checks.arithmetic import is_day_in_any_century
from classifiers.normalisation import fold_one
from classifiers.registries import travel_document_states

_MRZ_VALUES = {each: value for value, each in enumerate("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")} | {"<": 0}
_MRZ_WEIGHTS = (7, 3, 1)
_VIN_VALUES = dict(
    zip("0123456789ABCDEFGHJKLMNPRSTUVWXYZ", (*range(10), *range(1, 9), *range(1, 6), 7, 9, *range(2, 10)), strict=True)
)
_VIN_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
# Names of months, as a day stands before them: en de fr es it pt nl ca sv da is fi et lv lt pl (twice) cs (twice) sk hu ro hr sl sr sq tr
# az id ms tl sw, then ru uk be bg sr el ar he (with and without a preposition) hi.
_MONTHS = """
january february march april may june july august september october november december
januar februar märz april mai juni juli august september oktober november dezember
janvier février mars avril mai juin juillet août septembre octobre novembre décembre
enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre
gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre
janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro
januari februari maart april mei juni juli augustus september oktober november december
gener febrer març abril maig juny juliol agost setembre octubre novembre desembre
januari februari mars april maj juni juli augusti september oktober november december
januar februar marts april maj juni juli august september oktober november desember
janúar febrúar mars apríl maí júní júlí ágúst september október nóvember desember
tammikuuta helmikuuta maaliskuuta huhtikuuta toukokuuta kesäkuuta heinäkuuta elokuuta syyskuuta lokakuuta marraskuuta joulukuuta
jaanuar veebruar märts aprill mai juuni juuli august september oktoober november detsember
janvāris februāris marts aprīlis maijs jūnijs jūlijs augusts septembris oktobris novembris decembris
sausio vasario kovo balandžio gegužės birželio liepos rugpjūčio rugsėjo spalio lapkričio gruodžio
stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października listopada grudnia
styczeń luty marzec kwiecień maj czerwiec lipiec sierpień wrzesień październik listopad grudzień
ledna února března dubna května června července srpna září října listopadu prosince
leden únor březen duben květen červen červenec srpen září říjen listopad prosinec
januára februára marca apríla mája júna júla augusta septembra októbra novembra decembra
január február március április május június július augusztus szeptember október november december
ianuarie februarie martie aprilie mai iunie iulie august septembrie octombrie noiembrie decembrie
siječnja veljače ožujka travnja svibnja lipnja srpnja kolovoza rujna listopada studenoga prosinca
januarja februarja marca aprila maja junija julija avgusta septembra oktobra novembra decembra
januar februar mart april maj jun jul avgust septembar oktobar novembar decembar
janar shkurt mars prill maj qershor korrik gusht shtator tetor nëntor dhjetor
ocak şubat mart nisan mayıs haziran temmuz ağustos eylül ekim kasım aralık
yanvar fevral mart aprel may iyun iyul avqust sentyabr oktyabr noyabr dekabr
januari februari maret april mei juni juli agustus september oktober november desember
januari februari mac april mei jun julai ogos september oktober november disember
enero pebrero marso abril mayo hunyo hulyo agosto setyembre oktubre nobyembre disyembre
januari februari machi aprili mei juni julai agosti septemba oktoba novemba desemba
января февраля марта апреля мая июня июля августа сентября октября ноября декабря
січня лютого березня квітня травня червня липня серпня вересня жовтня листопада грудня
студзеня лютага сакавіка красавіка мая чэрвеня ліпеня жніўня верасня кастрычніка лістапада снежня
януари февруари март април май юни юли август септември октомври ноември декември
јануар фебруар март април мај јун јул август септембар октобар новембар децембар
ιανουαρίου φεβρουαρίου μαρτίου απριλίου μαΐου ιουνίου ιουλίου αυγούστου σεπτεμβρίου οκτωβρίου νοεμβρίου δεκεμβρίου
يناير فبراير مارس أبريل مايو يونيو يوليو أغسطس سبتمبر أكتوبر نوفمبر ديسمبر
ינואר פברואר מרץ אפריל מאי יוני יולי אוגוסט ספטמבר אוקטובר נובמבר דצמבר
בינואר בפברואר במרץ באפריל במאי ביוני ביולי באוגוסט בספטמבר באוקטובר בנובמבר בדצמבר
जनवरी फरवरी मार्च अप्रैल मई जून जुलाई अगस्त सितंबर अक्टूबर नवंबर दिसंबर
"""
_SHORTEST_MONTH = 3
_FULL_YEAR = 4
_WITHOUT_DAY = 2
_EARLIEST, _LATEST = 1000, 3000
_OLDEST = 125
# The calendar of Thailand is so many years ahead.
_BUDDHIST = 543
# Any character of a script without blanks, as folding leaves it.
_SIGN = "\x01"
_NUMBERS = re.compile(r"[0-9]+")
_YEAR = re.compile(r"[0-9]{4}")
_LETTERS = re.compile(r"[A-Za-z\x80-\xff]+")
_ISO_HEAD = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T", re.IGNORECASE)
_COMPACT_DAY = re.compile(r"[0-9]{8}")


def _mrz_check(field: str, digit: str) -> bool:
    """ICAO Doc 9303-3, 4.9: weights 7, 3, 1; an empty optional field may have a filler for its digit."""
    total = sum(_MRZ_VALUES.get(each, 0) * _MRZ_WEIGHTS[position % 3] for position, each in enumerate(field))
    return digit == str(total % 10) or (digit == "<" and not field.strip("<"))


def _mrz_day(field: str) -> bool:
    """A date of birth may be known in part only."""
    known = field.replace("<", "0")
    if not known.isdigit():
        return False
    month, day = int(known[2:4]), int(known[4:])
    return is_day_in_any_century(int(known[:2]), month or 1, day or 1)


def _lines(value: str) -> tuple[str, ...]:
    return tuple(value.upper().split())


def _state_known(code: str) -> bool:
    return code.rstrip("<") in travel_document_states()


def _td3_lower(line: str) -> bool:
    """The second line of a passport: number, nationality, birth, sex, expiry, personal number, and all of them."""
    return (
        _mrz_check(line[:9], line[9])
        and _state_known(line[10:13])
        and _mrz_check(line[13:19], line[19])
        and _mrz_day(line[13:19])
        and _mrz_check(line[21:27], line[27])
        and _mrz_check(line[28:42], line[42])
        and _mrz_check(line[:10] + line[13:20] + line[21:43], line[43])
    )


def _mrz_td3(value: str) -> bool:
    """Two lines of 44 (Doc 9303-4), or the second alone."""
    lines = _lines(value)
    return len(lines[-1]) == 44 and (len(lines) == 1 or _state_known(lines[0][2:5])) and _td3_lower(lines[-1])


def _lower_without_composite(line: str) -> bool:
    return (
        _mrz_check(line[:9], line[9])
        and _state_known(line[10:13])
        and _mrz_check(line[13:19], line[19])
        and _mrz_day(line[13:19])
        and _mrz_check(line[21:27], line[27])
    )


def _mrz_td2(value: str) -> bool:
    """Two lines of 36 (Doc 9303-6). A long document number runs on in the optional field."""
    upper, lower = _lines(value)
    composite = lower[:10] + lower[13:20] + lower[21:35]
    return _state_known(upper[2:5]) and _lower_without_composite(lower) and _mrz_check(composite, lower[35])


def _mrz_visa(value: str) -> bool:
    """Two lines of 44 or 36 (Doc 9303-7): no composite digit."""
    upper, lower = _lines(value)
    return len(upper) == len(lower) and _state_known(upper[2:5]) and _lower_without_composite(lower)


def _mrz_td1(value: str) -> bool:
    """Three lines of 30 (Doc 9303-5)."""
    upper, middle, _ = _lines(value)
    number = upper[14] == "<" or _mrz_check(upper[5:14], upper[14])
    composite = upper[5:30] + middle[:7] + middle[8:15] + middle[18:29]
    return (
        number
        and _state_known(upper[2:5])
        and _mrz_check(middle[:6], middle[6])
        and _mrz_day(middle[:6])
        and _mrz_check(middle[8:14], middle[14])
        and _state_known(middle[15:18])
        and _mrz_check(composite, middle[29])
    )


def _mrz_country(value: str) -> str | None:
    """The issuing state of the first line; the nationality, where there is only the second line of a passport."""
    lines = _lines(value)
    code = lines[0][2:5] if len(lines) > 1 else lines[0][10:13]
    return travel_document_states().get(code.rstrip("<"))


def _vin_structure(code: str) -> bool:
    """ISO 3779 shape: no I, O or Q; the last four are digits; letters and digits both."""
    return code[-4:].isdigit() and not code.isdigit() and not code[:9].isdigit() and len(set(code)) > 5


def _vin_check_digit(code: str) -> bool:
    """49 CFR 565.15: the ninth character is the weighted sum mod 11 (10 is X)."""
    total = sum(_VIN_VALUES[each] * weight for each, weight in zip(code, _VIN_WEIGHTS, strict=True))
    return code[8] == "0123456789X"[total % 11]


def _vin(value: str) -> bool:
    """The structure; the check digit where the law asks for it (United States, Canada). Others may use its place."""
    code = value.upper()
    return _vin_structure(code) and (code[0] not in "1245" or _vin_check_digit(code))


def _vin_north_america(value: str) -> bool:
    """The structure and the check digit, of a maker in North America."""
    code = value.upper()
    return code[0] in "12345" and _vin_structure(code) and _vin_check_digit(code)


@cache
def _names_of_months() -> list[tuple[str, int]]:
    """(name as folding leaves it in small or in capital letters, month), sorted by name."""
    return sorted(
        {
            ("".join(fold_one(ord(letter)) for letter in form).lower(), month)
            for line in _MONTHS.split("\n")
            for month, name in enumerate(line.split(), start=1)
            for form in (name, name.capitalize(), name.upper())
        }
    )


def _months(written: str) -> set[int]:
    """The months that a word of `written` names, whole or by three letters or more that it begins with."""
    names = _names_of_months()
    found: set[int] = set()
    for word in map(str.lower, _LETTERS.findall(written)):
        for name, month in islice(names, bisect_left(names, (word, 0)), None):
            if name != word and (len(word) < _SHORTEST_MONTH or not name.startswith(word)):
                break
            found.add(month)
    return found


def _calendar_day(value: str) -> bool:
    """A day that exists, in whatever order its numbers stand; two digits are a year of this or the last century.

    Without a day or a year there is nothing to verify.
    """
    day_part = value[:10] if _ISO_HEAD.match(value) else value
    numbers = _NUMBERS.findall(day_part)
    if months := _months(day_part):
        day, *years = numbers if len(numbers[0]) < _FULL_YEAR else reversed(numbers)
        return not years or any(_is_day(years[0], month, day) for month in months)
    if len(numbers) == _WITHOUT_DAY:
        return True
    if len(numbers) != _WITHOUT_DAY + 1:
        return False
    first, second, third = numbers
    if len(first) == _FULL_YEAR:
        return _is_day(first, int(second), third)
    return _is_day(third, int(second), first) or _is_day(third, int(first), second)


def _is_day(year: str, month: int, day: str) -> bool:
    if len(year) == _FULL_YEAR and not _EARLIEST <= int(year) < _LATEST:
        return False
    centuries = (0,) if len(year) == _FULL_YEAR else (1900, 2000)
    return is_day_in_any_century(int(year), month, int(day), centuries)


def _birth_date(value: str) -> bool:
    """A date that a living or lately living person can have been born on; years may be of an era, or of Thailand."""
    now = datetime.now(UTC).year
    written = f"{value[:4]}-{value[4:6]}-{value[6:]}" if _COMPACT_DAY.fullmatch(value) else value
    written = _YEAR.sub(lambda year: str(int(year[0]) - _BUDDHIST if int(year[0]) > now else year[0]), written)
    first, *others = _NUMBERS.findall(written)
    if _SIGN in written:
        if len(others) == _WITHOUT_DAY and len(first) < _FULL_YEAR:
            return int(first) <= _OLDEST and is_day_in_any_century(0, int(others[0]), int(others[1]), (2000,))
    elif len(others) < _WITHOUT_DAY and not _months(written):
        return False
    years = [int(number) for number in (first, *others) if len(number) == _FULL_YEAR]
    return _calendar_day(written) and all(now - _OLDEST <= year <= now for year in years)


def _age(value: str) -> bool:
    digits = re.findall(r"[0-9]+", value)
    return bool(digits) and 0 < int(digits[0]) <= _OLDEST


def _decimal_pair(value: str) -> bool:
    """Latitude and longitude in degrees (ISO 6709): in range, not both whole in effect."""
    numbers = re.findall(r"[-+]?[0-9]{1,3}\.[0-9]+", value)
    if len(numbers) != 2:
        return False
    latitude, longitude = map(float, numbers)
    return abs(latitude) <= 90 and abs(longitude) <= 180 and any(number.strip("+-0.") for number in numbers)


def _sexagesimal_pair(value: str) -> bool:
    """Degrees, minutes, seconds with a hemisphere each, in range."""
    numbers = [float(number) for number in re.findall(r"[0-9]+(?:\.[0-9]+)?", value)]
    half = len(numbers) // 2
    return (
        len(numbers) in (4, 6)
        and numbers[0] <= 90
        and numbers[half] <= 180
        and all(number < 60 for number in (*numbers[1:half], *numbers[half + 1 :]))
    )


def _plus_code(value: str) -> bool:
    """Open Location Code: the first digit of a full code reaches no further than the poles, the second round the globe."""
    alphabet = "23456789CFGHJMPQRVWX"
    head = value.upper().partition("+")[0]
    return len(head) < 8 or (alphabet.index(head[0]) < 9 and alphabet.index(head[1]) < 18)


def _geohash(value: str) -> bool:
    return not value.isdigit() and not value.isalpha()


CHECKS: Mapping[str, Callable[[str], bool]] = {
    "age": _age,
    "birth_date": _birth_date,
    "calendar_day": _calendar_day,
    "decimal_pair": _decimal_pair,
    "geohash": _geohash,
    "mrz_td1": _mrz_td1,
    "mrz_td2": _mrz_td2,
    "mrz_td3": _mrz_td3,
    "mrz_visa": _mrz_visa,
    "plus_code": _plus_code,
    "sexagesimal_pair": _sexagesimal_pair,
    "vin": _vin,
    "vin_north_america": _vin_north_america,
}
COUNTRIES: Mapping[str, Callable[[str], str | None]] = {
    "mrz_country": _mrz_country,
}
