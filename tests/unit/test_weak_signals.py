"""Signs of currency."""

from __future__ import annotations

import pytest

from classifiers.weak_signals import of_currencies


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
