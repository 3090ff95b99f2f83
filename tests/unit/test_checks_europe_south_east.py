"""The checks of southern and eastern Europe against python-stdnum, and against published specimens where it has no module."""

from __future__ import annotations

import random
from collections.abc import Callable
from importlib import import_module

import pytest

from classifiers.checks.europe_south_east import CHECKS

ROUNDS = 1500
OFFICES = {f"{office:03d}" for office in (*range(1, 101), 120, 121, 888, 999)}


def days_modulo_forty(code: str) -> bool:
    """The oracle takes the day modulo 40, so that 81 to 99 pass."""
    return code[9] in "89"


def no_such_office(number: str) -> bool:
    """The oracle wants a known tax office; Presidio and we do not."""
    return number[7:10] not in OFFICES or number.startswith("0000000")


def region_00(number: str) -> bool:
    """There is no region 00."""
    return number.startswith("00")


def other_register(number: str) -> bool:
    """The oracle takes the other state registers, too, and forgets remainders above 9, of which the last digit counts."""
    if len(number) == 13:
        return number[0] not in "125"
    return number[0] != "3" or int(number[:14]) % 13 > 9


def a_person(number: str) -> bool:
    """2 and 0 are the numbers of people, which we keep apart."""
    return number[0] != "1"


# Check, module of the oracle, seeds whose digits are varied, and where the two are meant to differ.
CASES: list[tuple[str, str, tuple[str, ...], Callable[[str], bool] | None]] = [
    ("es_nif", "es.nif", ("12345678Z", "K1234567L"), None),
    ("es_nie", "es.nie", ("X9613851N", "Z8078221M"), None),
    ("es_cif", "es.cif", ("A58818501", "Q2818002D"), None),
    ("es_ccc", "es.ccc", ("20770024003102575766",), None),
    ("es_cadastral", "es.referenciacatastral", ("9872023VH5797S0001WX",), None),
    ("es_cups", "es.cups", ("ES1234123456789012JY",), None),
    ("pt_nif", "pt.nif", ("501964843",), None),
    ("pt_cc", "pt.cc", ("000000000ZZ4", "123456789ZX1"), None),
    ("it_fiscal_code", "it.codicefiscale", ("RSSMRA80A01H501U",), days_modulo_forty),
    ("it_vat_code", "it.iva", ("00743110157",), no_such_office),
    ("gr_afm", "gr.vat", ("094259216",), None),
    ("gr_amka", "gr.amka", ("01013099997",), None),
    ("cy_tic", "cy.vat", ("10259033P",), None),
    ("mt_vat", "mt.vat", ("11679112",), None),
    ("ad_nrt", "ad.nrt", ("F123456Z", "L712345B"), None),
    ("bg_egn", "bg.egn", ("7523169263", "8032056031"), None),
    ("bg_pnf", "bg.pnf", ("7111042925",), None),
    ("bg_vat", "bg.vat", ("175074752", "7523169263"), None),
    ("ro_cnp", "ro.cnp", ("1630615123457",), None),
    ("ro_cui", "ro.cui", ("18547290", "4273200"), None),
    ("rs_pib", "rs.pib", ("101134702",), None),
    ("me_pib", "me.pib", ("02655284",), None),
    ("mk_edb", "mk.edb", ("4030000375897",), None),
    ("md_idno", "md.idno", ("1008600038413",), a_person),
    ("ru_inn", "ru.inn", ("7707083893", "500100732259"), region_00),
    ("ru_ogrn", "ru.ogrn", ("1027700132195", "304500116000157"), other_register),
    ("ua_rnokpp", "ua.rntrc", ("1759013776",), None),
    ("ua_edrpou", "ua.edrpou", ("32855961", "14360570"), None),
    ("by_unp", "by.unp", ("200988541", "MA1953308"), None),
    ("az_voen", "az.voen", ("1400555571",), None),
    ("tr_national_id", "tr.tckimlik", ("10000000146",), None),
    ("tr_vkn", "tr.vkn", ("4540536920",), None),
]


def variants(seeds: tuple[str, ...]) -> list[str]:
    """Values with one to four digits, or a control letter, of a seed replaced; the seeds themselves first."""
    chance = random.Random(20240229)
    made = list(seeds)
    while len(made) < ROUNDS:
        value = list(chance.choice(seeds))
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(value))
            if value[at].isdigit():
                value[at] = chance.choice("0123456789")
            elif at == len(value) - 1:
                value[at] = chance.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
        made.append("".join(value))
    return made


@pytest.mark.parametrize(("name", "module", "seeds", "apart"), CASES, ids=[case[0] for case in CASES])
def test_a_check_agrees_with_the_oracle(
    name: str, module: str, seeds: tuple[str, ...], apart: Callable[[str], bool] | None
) -> None:
    """Varied values are valid for us exactly when they are valid for python-stdnum, up to the stated differences."""
    oracle = import_module(f"stdnum.{module}")
    # A single repeated digit passes many sums and is issued nowhere: ours rejects it.
    values = [v for v in variants(seeds) if not (apart and apart(v)) and len(set(v)) > 1]
    expected = {value: bool(oracle.is_valid(value)) for value in values}
    assert {True, False} == set(expected.values())
    assert expected == {value: CHECKS[name](value) for value in values}


SPECIMENS = [
    ("ru_snils", "11223344595"),
    ("kz_iin", "850101300124"),
    ("kz_bin", "940140000385"),
    ("es_nss", "281234567840"),
    ("bg_eik", "175074752"),
    ("es_vat", "ESB58818501"),
    ("ro_onrc", "J2012000750528"),
]


@pytest.mark.parametrize(("name", "value"), SPECIMENS)
def test_a_specimen_passes_and_with_any_wrong_last_digit_fails(name: str, value: str) -> None:
    """Where the oracle has no module: the value is good and its nine neighbours are not."""
    passing = [digit for digit in "0123456789" if CHECKS[name](value[:-1] + digit)]
    assert [value[-1]] == passing


@pytest.mark.parametrize("region", ["05", "10", "21", "33", "45", "52", "65", "71", "89", "95"])
def test_a_master_number_belongs_to_the_country_of_its_region(region: str) -> None:
    """The successor states share one scheme; no number counts for two of them."""
    body = f"0101985{region}000"
    owners = {
        name.partition("_")[0]
        for name in ("rs_jmbg", "xk_personal_number", "ba_jmbg", "me_jmbg", "mk_embg")
        for digit in "0123456789"
        if CHECKS[name](body + digit)
    }
    expected = {"10": {"ba"}, "21": {"me"}, "45": {"mk"}, "71": {"rs"}, "89": {"rs"}, "95": {"xk"}}
    assert expected.get(region, set()) == owners


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("it_fiscal_code", "RSSMRA80A01H50M7"),
        ("it_fiscal_code", "AAAAAA00A00A000A"),
        ("uz_pinfl", "00000000000000"),
        ("al_nid", "A00000000A"),
        ("by_personal_number", "1000000A000PB0"),
        ("kz_iin", "000000000000"),
        ("es_cif", "A12345679"),
        ("it_vat_code", "00000000000"),
        ("ua_unzr", "00000000-00000"),
    ],
)
def test_a_value_that_only_has_the_shape_is_refused(name: str, value: str) -> None:
    """Impossible dates and control characters, which must not raise either."""
    assert False is CHECKS[name](value)
