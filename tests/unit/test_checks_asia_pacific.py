"""The checks of Asia and the Pacific against python-stdnum, Presidio's own checks and published specimens."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from presidio_analyzer import predefined_recognizers as presidio
from stdnum.au import abn, acn, tfn
from stdnum.cn import ric, uscc
from stdnum.id import nik, npwp
from stdnum.in_ import aadhaar, gstin, pan, vid
from stdnum.jp import cn as corporate_number
from stdnum.jp import in_ as my_number
from stdnum.kr import brn, rrn
from stdnum.my import nric
from stdnum.nz import ird
from stdnum.pk import cnic
from stdnum.sg import uen
from stdnum.th import moa, pin
from stdnum.tw import ubn
from stdnum.vn import mst

from classifiers.checks.arithmetic import one_digit_repeated
from classifiers.checks.asia_pacific import CHECKS
from classifiers.rules import Rule, load_rules

Oracle = Callable[[str], bool]
CHECKED = [rule for rule in load_rules() if rule.check in CHECKS]


@st.composite
def shaped(draw: st.DrawFn) -> tuple[Rule, str]:
    """A rule of ours and a value of its shape."""
    rule = draw(st.sampled_from(CHECKED))
    if rule.digits:
        length = draw(st.sampled_from(rule.digits))
        return rule, draw(st.text("0123456789", min_size=length, max_size=length))
    flags = re.IGNORECASE if rule.caseless else 0
    pattern = re.compile(draw(st.sampled_from(rule.expressions)).encode("ascii"), flags)
    return rule, draw(st.from_regex(pattern, fullmatch=True)).decode("latin-1")


@settings(max_examples=300, deadline=None)
@given(shaped())
def test_a_check_has_an_answer_for_every_value_of_its_shape(drawn_value: tuple[Rule, str]) -> None:
    """No value that the scanner hands over makes a check raise."""
    rule, value = drawn_value
    assert CHECKS[rule.check or ""](value) in {True, False}


def drawn(shape: str, seed: int, times: int = 3000) -> list[str]:
    """Random values of a shape: `0` a digit, `A` a capital letter, `|` between alternatives, anything else itself."""
    dice = random.Random(seed)
    kinds = {"0": "0123456789", "A": "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
    return ["".join(dice.choice(kinds.get(each, each)) for each in dice.choice(shape.split("|"))) for _ in range(times)]


def mutated(specimens: list[str]) -> list[str]:
    """Each specimen, and each with one character replaced by another of its kind."""
    found = list(specimens)
    for specimen in specimens:
        for position, each in enumerate(specimen):
            others = "0123456789" if each.isdigit() else "ABCDEFGHJKMPRSTX" if each.isalpha() else ""
            found += [specimen[:position] + other + specimen[position + 1 :] for other in others]
    return found


def never_issued(oracle: Oracle) -> Oracle:
    """The oracle without one digit over and over, which the arithmetic passes and no authority issues."""
    return lambda value: oracle(value) and not one_digit_repeated(value)


def presidio_check(name: str) -> Oracle:
    """What a recogniser of Presidio says to a value: True, or no invalidation where it has only that."""
    recognizer = getattr(presidio, name)()
    return lambda value: recognizer.validate_result(value) is True


KR_BRN = presidio_check("KrBrnRecognizer")
PH_TIN = presidio.PhTinRecognizer()

RANDOM: list[tuple[str, Oracle, str]] = [
    ("in_aadhaar", aadhaar.is_valid, "000000000000"),
    ("in_aadhaar", vid.is_valid, "0000000000000000"),
    ("jp_my_number", never_issued(my_number.is_valid), "000000000000"),
    ("jp_corporate_number", corporate_number.is_valid, "0000000000000"),
    ("vn_mst", mst.is_valid, "0000000000|0000000000000"),
    ("au_abn", abn.is_valid, "00000000000"),
    ("au_acn", never_issued(acn.is_valid), "000000000"),
    ("au_tfn", never_issued(tfn.is_valid), "00000000|000000000"),
    ("nz_ird", ird.is_valid, "00000000|000000000"),
    ("id_npwp", never_issued(npwp.is_valid), "000000000000000"),
    ("pk_cnic", never_issued(cnic.is_valid), "0000000000000"),
    ("sg_uen_business", uen.is_valid, "00000000A"),
    ("sg_uen_company", uen.is_valid, "19" + "0000000A"),
    ("th_tax_id", moa.is_valid, "0000000000000"),
    ("kr_brn", lambda value: KR_BRN(value) and brn.is_valid(value), "1100000000"),
    ("ph_tin", lambda value: not PH_TIN.invalidate_result(value), "000000000|000000000000"),
    ("au_medicare", presidio_check("AuMedicareRecognizer"), "2000000000|6000000000"),
    ("sg_uen_other", presidio_check("SgUenRecognizer"), "T16LL0000A|S16FC0000A|R88PF0000A"),
]


@pytest.mark.parametrize(("check", "oracle", "shape"), RANDOM, ids=[f"{each[0]}-{each[2][:17]}" for each in RANDOM])
def test_random_values_are_judged_as_the_oracle_judges_them(check: str, oracle: Oracle, shape: str) -> None:
    """Some pass and some fail, and no value is judged differently."""
    values = drawn(shape, seed=len(check))
    assert [] == [value for value in values if CHECKS[check](value) != oracle(value)]
    assert {True, False} == {oracle(value) for value in values}


SPECIMENS: list[tuple[str, Oracle, list[str]]] = [
    ("in_gstin", gstin.is_valid, ["27AAPFU0939F1ZV"]),
    ("in_pan", pan.is_valid, ["ACUPA7085R", "AAPPV8261K"]),
    ("cn_uscc", uscc.is_valid, ["91110000600037341L"]),
    ("cn_resident_id", ric.is_valid, ["360426199101010071"]),
    ("tw_ubn", ubn.is_valid, ["00501503"]),
    ("th_tnin", pin.is_valid, ["3100600445635"]),
    ("id_nik", nik.is_valid, ["3171011708450001"]),
    ("my_nric", nric.is_valid, ["770305021234"]),
    ("kr_rrn", rrn.is_valid, ["9001011234568"]),
    ("sg_uen_other", uen.is_valid, ["S16FC0121D", "T01FC6132D"]),
]

# Where we accept more or less than the oracle, and why. Everything else has to agree.
DELIBERATE: dict[str, Callable[[str], bool]] = {
    # The shape of the rule holds these apart before the check is asked.
    "in_gstin": lambda value: (
        not (value[2:7] + value[11]).isalpha() or value[13] != "Z" or value[5] not in "ABCFGHJKLPT"
    ),
    "in_pan": lambda value: value[3] not in "ABCFGHJKLPT",
    # 38 (Ladakh) and 97 (other territory) are newer; the province is ours.
    "cn_uscc": lambda value: not CHECKS["cn_uscc"](value),
    # The oracle knows each county since 1980, we the provinces.
    "cn_resident_id": CHECKS["cn_resident_id"],
    # Divisible by 5 instead of 10 since April 2023 (Ministry of Finance).
    "tw_ubn": CHECKS["tw_ubn"],
    # Presidio's provinces are narrower than the oracle's "anything".
    "th_tnin": lambda value: not CHECKS["th_tnin"](value),
    # The oracle has a list of regencies of 2019, we ranges; it takes days up to 80 off by 40 twice, and district 00.
    "id_nik": lambda value: (
        value[:2] in {"92", "93", "95", "96"}
        or CHECKS["id_nik"](value)
        or value[2:4] > "40"
        or value[4:6] == "00"
        or value[6:8] > "71"
        or value[12:] == "0000"
    ),
    # Presidio limits the region code, and numbers of those born since October 2020 have no check digit.
    "kr_rrn": lambda value: value[6] not in "1234" or value[7:9] > "95" or CHECKS["kr_rrn"](value),
    # Numbers of the future are refused by the oracle only.
    "sg_uen_other": lambda value: value[0] not in "RS",
}


@pytest.mark.parametrize(("check", "oracle", "specimens"), SPECIMENS, ids=[each[0] for each in SPECIMENS])
def test_published_specimens_and_their_misprints_are_judged_as_the_oracle_judges_them(
    check: str, oracle: Oracle, specimens: list[str]
) -> None:
    """The specimens pass; a misprint passes only where the oracle or a stated reason lets it."""
    assert [] == [value for value in specimens if not CHECKS[check](value)]
    excused = DELIBERATE.get(check, lambda _: False)
    different = [value for value in mutated(specimens) if CHECKS[check](value) != oracle(value)]
    assert [] == [value for value in different if not excused(value)]


VALID: list[tuple[str, list[str]]] = [
    ("kr_corporate", ["1301110006246"]),
    ("kr_frn", ["9001015000009"]),
    ("hk_hkid", ["A1234563", "AB9876543", "C123456(9)"]),
    ("tw_national_id", ["A123456789"]),
    ("sg_nric_fin", ["S1234567D", "T1234567J", "F1234567N", "G1234567X"]),
    ("nz_nhi", ["ZAC5361", "WLD9413", "ZBN77VL", "zsc21tn", "zvb97xq"]),
    ("au_health", ["8003608833357361"]),
    ("nz_nzbn", ["9429041535110"]),
    ("cn_organisation", ["600037341"]),
    ("cn_uscc_with_organisation", ["91110000600037341L"]),
]


@pytest.mark.parametrize(("check", "values"), VALID, ids=[each[0] for each in VALID])
def test_published_specimens_without_an_oracle_pass_and_one_wrong_digit_at_the_end_does_not(
    check: str, values: list[str]
) -> None:
    """One check character of all those possible is right."""
    assert [] == [value for value in values if not CHECKS[check](value)]
    bare = [value.replace("(", "").replace(")", "").upper() for value in values]
    ends = ["0123456789" if value[-1].isdigit() else "ABCDEFGHJKLMNPQRTUWXY" for value in bare]
    right = [[last for last in end if CHECKS[check](value[:-1] + last)] for value, end in zip(bare, ends, strict=True)]
    assert [[value[-1]] for value in bare] == right
