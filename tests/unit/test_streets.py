"""Addresses in scripts that the rules do not read."""

# ruff: noqa: RUF001 - words of many scripts
from __future__ import annotations

import time

import pytest

from classifiers.meter import Meter
from classifiers.reading import Reader
from classifiers.streets import ENTITY, streets


def found(text: str) -> list[tuple[str, str | None]]:
    """(address, country) of those in `text`."""
    meter = Meter(len(text), deadline=time.monotonic() + 60)
    return [(text[each.span.start : each.span.end], each.country) for each in streets(text, meter)]


@pytest.mark.parametrize(
    ("address", "country"),
    [
        ("上海市黄浦区南京东路100号", "CN"),
        ("北京市海淀区中关村大街27号楼1203室", "CN"),
        ("臺中市西屯區文心路二段201號", "TW"),
        ("大阪府大阪市北区梅田3-1-3", "JP"),
        ("札幌市中央区大通西5丁目8番", "JP"),
        ("부산광역시 해운대구 센텀중앙로 97", "KR"),
        ("проспект Мира, д. 12, кв. 4", None),
        ("ул. Большая Дмитровка 7/5", None),
        ("вул. Хрещатик, буд. 22", None),
        ("ул. 8 Марта 12", None),
        ("οδός Πανεπιστημίου 30", "GR"),
        ("Τσιμισκή 45, 546 23", "GR"),
        ("شارع الحمرا 12", None),
        ("רחוב דיזנגוף 99", "IL"),
        ("99/1 ถนนพระราม", "TH"),
    ],
)
@pytest.mark.parametrize("before", ["", "address: ", "1) "])
def test_an_address_is_found_whole(before: str, address: str, country: str | None) -> None:
    """From its widest part to its number, with the country whose form it is."""
    wanted = address.removeprefix("부산광역시 ")

    assert [(wanted, country)] == found(f"{before}{address}, x")


@pytest.mark.parametrize(
    "text",
    [
        "第5号文件，共12号",
        "3號路線的大號衣服",
        "東京オリンピック2020-2021年の市場は1-2位",
        "서울시에서 2024년에 프로 3명",
        "на улице было 15 человек",
        "в главе 12 и на стр. 5",
        "Σελίδα 12 από 345",
        "12 main street",
    ],
)
def test_numbers_beside_such_words_are_none(text: str) -> None:
    """A sign of a street is not enough, nor a number."""
    assert [] == found(text)


def test_the_reader_reports_them_where_addresses_are_asked_for() -> None:
    """And not where they are not."""
    text = "送货到上海市黄浦区南京东路100号"
    own, other = (
        Reader(entities=[entity]).read(text, deadline=time.monotonic() + 60).findings for entity in (ENTITY, "US_SSN")
    )

    assert [(ENTITY, "family.street_chinese")] == [(each.entity_type, each.detector) for each in own]
    assert () == other
