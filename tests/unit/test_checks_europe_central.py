"""The checks of central Europe and the Baltic states against python-stdnum, and against published specimens."""

from __future__ import annotations

import random
from collections.abc import Callable
from importlib import import_module

import pytest

from classifiers.checks.europe_central import CHECKS

ROUNDS = 1500


def lax_birth_number(number: str) -> bool:
    """The oracle takes months 21 to 32 in any year, and reads nine digits from 1880 on."""
    return len(number) == 9 or int(number[2:4]) % 50 > 12


def birth_number_of_nine(number: str) -> bool:
    """Nine digits that do not begin with 6 are a birth number."""
    return len(number) == 9 and number[0] != "6"


def no_company(number: str) -> bool:
    """What is no company's number is read as a birth number."""
    company = number[0] != "0" and number[2] in "234789" and int(number) % 11 == 0
    return not company and lax_birth_number(number)


def former_bank(account: str) -> bool:
    """The oracle forgets banks that are closed; their account numbers are still in old letters."""
    return account[-4:] in {"3050", "6100"}


def century_of_the_future(number: str) -> bool:
    """The oracle takes any century digit."""
    return number[0] <= "3" and not number.startswith("32") and number[6] not in "012"


def other_region(number: str) -> bool:
    """The oracle takes the numbers of all successor states of Yugoslavia, and any year."""
    return number[7:9] not in {"05", *(str(region) for region in range(50, 60))} or "050" < number[4:7] < "880"


# Check, module of the oracle, seeds whose digits are varied, and where the two are meant to differ.
CASES: list[tuple[str, str, tuple[str, ...], Callable[[str], bool] | None]] = [
    ("pl_pesel", "pl.pesel", ("44051401359", "02231234562"), None),
    ("pl_nip", "pl.nip", ("5260250274",), None),
    ("pl_regon", "pl.regon", ("123456785", "12345678512347"), None),
    ("birth_number", "cz.rc", ("7103192745",), lax_birth_number),
    ("cz_vat", "cz.dic", ("25123891", "640903926"), birth_number_of_nine),
    ("cz_bank_account", "cz.bankaccount", ("34278-0727558021/0100", "19-2000145399/0800"), former_bank),
    ("sk_vat", "sk.dph", ("2022749619",), no_company),
    ("hu_tax_number", "hu.anum", ("12892312",), None),
    ("si_tax_number", "si.ddv", ("50223054",), None),
    ("si_company", "si.maticna", ("9331310",), None),
    ("si_emso", "si.emso", ("0101006500006",), other_region),
    ("hr_oib", "hr.oib", ("33392005961",), None),
    ("ee_isikukood", "ee.ik", ("37605030299",), None),
    ("lt_personal", "lt.asmens", ("33309240064",), None),
    ("ee_company", "ee.registrikood", ("12345678", "70000740"), None),
    ("ee_vat", "ee.kmkr", ("100931558",), None),
    ("lv_vat", "lv.pvn", ("40003521600", "16117519997"), century_of_the_future),
    ("lt_vat", "lt.pvm", ("119511515", "100001919017"), None),
]


def variants(seeds: tuple[str, ...]) -> list[str]:
    """Values with one to four digits of a seed replaced; the seeds themselves first."""
    chance = random.Random(20240229)
    made = list(seeds)
    while len(made) < ROUNDS:
        value = list(chance.choice(seeds))
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(value))
            value[at] = chance.choice("0123456789") if value[at].isdigit() else value[at]
        made.append("".join(value))
    return made


@pytest.mark.parametrize(("name", "module", "seeds", "apart"), CASES, ids=[case[1] for case in CASES])
def test_a_check_agrees_with_the_oracle(
    name: str, module: str, seeds: tuple[str, ...], apart: Callable[[str], bool] | None
) -> None:
    """Varied values are valid for us exactly when they are valid for python-stdnum, up to the stated differences."""
    oracle = import_module(f"stdnum.{module}")
    values = [v for v in variants(seeds) if not (apart and apart(v)) and len(set(v)) > 1]
    expected = {value: bool(oracle.is_valid(value)) for value in values}
    assert {True, False} == set(expected.values())
    assert expected == {value: CHECKS[name](value) for value in values}


def test_a_polish_account_is_an_iban_without_its_country() -> None:
    """The oracle's IBAN module decides."""
    oracle = import_module("stdnum.iban")
    values = variants(("61109010140000071219812874",))
    expected = [bool(oracle.is_valid(f"PL{value}", check_country=False)) for value in values]
    assert expected == [CHECKS["pl_bank_account"](value) for value in values]


SPECIMENS = [
    ("pl_id_card", "ABA300000"),
    ("pl_passport", "ZS0000177"),
    ("hu_taj", "123456788"),
    ("hu_tax_id", "8071592153"),
    ("hu_personal_id", "27202161673"),
    ("hu_bank_account", "1003200001076349"),
    ("cz_ico", "25123891"),
    ("lv_personal", "16117519997"),
    ("lv_company", "40003521600"),
    ("lt_company", "300042931"),
    ("hr_jmbg", "0101980330002"),
]


@pytest.mark.parametrize(("name", "value"), SPECIMENS)
def test_a_specimen_passes_and_with_any_wrong_last_digit_fails(name: str, value: str) -> None:
    """The value is good and its nine neighbours are not."""
    passing = [digit for digit in "0123456789" if CHECKS[name](value[:-1] + digit)]
    assert [value[-1]] == passing


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("birth_number", "516299099"),
        ("birth_number", "540101000"),
        ("birth_number", "0332010009"),
        ("hu_personal_id", "00000000000"),
        ("hu_personal_id", "93001010000"),
        ("ee_isikukood", "00000000000"),
        ("lv_personal", "99999999999"),
        ("cz_bank_account", "00-0000000000/0800"),
        ("cz_bank_account", "19-2000145399/0001"),
        ("pl_pesel", "00000000000"),
    ],
)
def test_a_value_that_only_has_the_shape_is_refused(name: str, value: str) -> None:
    """Impossible dates, unknown banks and empty accounts, which must not raise either."""
    assert False is CHECKS[name](value)
