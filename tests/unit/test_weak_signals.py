"""Signs of currency, and the language."""

from __future__ import annotations

import pytest

from classifiers.weak_signals import of_currencies, spoken_in


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It costs 40 CHF.", {"CH", "LI"}),
        ("USD, GBP or PLN", {"GB", "PL"}),
        ("the code XGBPX", set()),
        ("GBPS are no pounds, but a code begins with them", {"GB"}),
        ("HK$ 40", {"HK"}),
        ("R$ 12,50 and US$ 3", {"BR"}),
        ("KSh 300, Rp 5000, S/. 20", {"KE", "ID", "PE"}),
        ("£5 und 20 zł", {"GB", "PL"}),
        ("PHP is a language; 40 PHP each", {"PH"}),
        ("40 PHP", set()),
        ("AB£ 4", {"GB"}),
        ("nothing to pay", set()),
    ],
)
def test_signs_and_codes_name_their_countries(text: str, expected: set[str]) -> None:
    """A code counts where no letter stands before its first occurrence; dollars and euros say nothing."""
    assert expected == set(of_currencies(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("手机号是13848291736", "CN"),
        ("電話 2482 9173", "TW HK JP"),
        ("電話はこちら", "JP"),
        ("फोन", "IN NP"),
        ("هاتف", "EG SA AE IQ MA DZ"),
        ("موبائل پر", "IR PK"),
        ("رابطہ کریں", "PK"),
        ("вул. Київ, їхати", "UA"),
        ("объявление выдано", "RU BY KZ"),
        ("номеръ", "BG"),
        ("umowa zlecenia, części", "PL"),
        ("adresim doğru", "TR"),
        ("példány, gyűjtés", "HU"),
        ("řízení", "CZ"),
        ("số lượng", "VN"),
        ("þetta", "IS"),
        ("Call Łukasz Wiśniewski, Müller and Erdoğan", ""),
        ("Ask Đặng Thị Hồng about São Paulo", ""),
        ("jalapeño and naïve café", ""),
    ],
)
def test_a_script_or_a_letter_tells_the_language(text: str, expected: str) -> None:
    """Where too few of its words do; a name that begins with a capital does not."""
    assert expected == spoken_in(text)
