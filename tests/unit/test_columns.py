"""Tables in a text: a value far below the head of its column is read beside the column's name."""

from __future__ import annotations

import time

import pytest

from classifiers.columns import columns, everywhere, nowhere
from classifiers.decoding import Budget
from classifiers.meter import Meter
from classifiers.normalisation import fold
from classifiers.reading import Reader
from classifiers.view import View


def _table(text: str, *, tells: bool = True, known: tuple[str, ...] = ()) -> View | None:
    plain = fold(text)
    return columns(
        plain,
        Budget(len(text), Meter(len(text), deadline=time.monotonic() + 60)),
        tells=everywhere if tells else nowhere,
        known=lambda start, end: text[start:end] in known,
    )


def _read(view: View | None) -> list[bytes]:
    return [] if view is None else [part for part in view.scan.replace(b"\x01", b"").split(b"\n") if part]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("user,code\nann,71-5\nbo,83-2", [b"code: 71-5", b"code: 83-2"]),
        ("user;code\nann;71-5\nbo;83-2", [b"code: 71-5", b"code: 83-2"]),
        ("user\tcode\nann\t71-5\nbo\t83-2", [b"code: 71-5", b"code: 83-2"]),
        ("| user | door code |\n|---|---|\n| ann | 71-5 |\n| bo | 83-2 |", [b"door code: 71-5", b"door code: 83-2"]),
        ('"user","code","at"\n"a, b","71-5","x"', [b"user: a, b", b"code: 71-5"]),
        ("Hello.\nuser,code,at\nann,71-5,x\n\nBye, 12, and 13.", [b"code: 71-5"]),
        # Words alone, an empty cell, one that is too long.
        ("user,code,at\nann,none,x\nbo,,y\nal," + "7-" * 80 + ",z", []),
        # Two columns are a table from two rows on, prose and numbers at the head are none.
        ("user,code\nann,71-5", []),
        ("Well, I do not know what\nthat is, 13 or 14\nand so on, 99", []),
        ("1,code,x\n2,71-5,y", []),
        ("Dear Sam, thanks.\nMine, 13-4\nOurs, 14-4", []),
        ("user,code,at", []),
        ("", []),
    ],
)
def test_each_telling_cell_is_read_as_a_field(text: str, expected: list[bytes]) -> None:
    """Whatever stands between the columns; the head is names alone."""
    assert expected == [each.strip() for each in _read(_table(text)) if each.strip()]


def test_what_is_read_stands_where_it_stood() -> None:
    """The name beside a value stands for the value's first character, and no position goes back."""
    text = "user,code,at\nann,71-5,x\nbo,83-2,y"
    view = _table(text)
    assert view is not None
    at = view.scan.index(b"83-2")
    assert text.index("83-2") == view.position(at) == view.position(at - 2)
    assert "83-2" == text[view.span(at, at + 4).start : view.span(at, at + 4).end]
    positions = [view.position(each) for each in range(len(view.scan))]
    assert positions == sorted(positions)


def test_a_column_that_tells_nothing_is_not_read_again() -> None:
    """Nor is a value that needed no word; a secret's column always tells something."""
    text = "user,code,at\nann,71-5,x\nbo,83-2,y"
    assert _table(text, tells=False) is None
    assert [b"code: 83-2"] == _read(_table(text, known=("71-5",)))
    assert [b"api_token: 71-5", b"api_token: 83-2"] == _read(_table(text.replace("code", "api_token"), tells=False))


@pytest.mark.parametrize(
    ("text", "entity", "values"),
    [
        (
            "login,password,role\naroha.w,Pipi$hell88,editor\nsefo_t,kava!Moon_3,viewer\nbackup-bot,9xTg-Lr2v,admin",
            "PASSWORD",
            ["Pipi$hell88", "kava!Moon_3", "9xTg-Lr2v"],
        ),
        (
            "| firm | company number | town |\n|---|---|---|\n" + "| A | 09876543 | Ayr |\n" * 5,
            "UK_COMPANY_NUMBER",
            ["09876543"] * 5,
        ),
        (
            "nombre,dni,telefono,correo\nAna,63466587L,648219330,ana@correo.es\nPepe,28321278K,912345678,pepe@correo.es",
            "PHONE_NUMBER",
            ["648219330", "912345678"],
        ),
    ],
)
def test_every_row_of_a_table_is_found(text: str, entity: str, values: list[str]) -> None:
    """The last like the first."""
    reading = Reader().read(text, deadline=time.monotonic() + 60)
    found = [text[each.span.start : each.span.end] for each in reading.findings if each.entity_type == entity]
    assert values == found


def test_a_table_of_amounts_stays_clean() -> None:
    """Numbers under heads that speak of no person are nobody's."""
    rows = "".join(f"{at},{at * 7919 % 90000 + 10000}.50,{at * 104729 % 9000000}\n" for at in range(1, 40))
    reading = Reader().read(f"line,amount,quantity\n{rows}", deadline=time.monotonic() + 60)
    assert () == reading.findings
