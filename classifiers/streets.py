"""Street addresses in scripts other than Latin, of which no folding is left for the rules to read.

Each form has a head, which is looked for in one pass, and is read from there; what stands before the head is looked at as
far as an address may reach. LIMIT: only in the text as it came, not in what was decoded.
"""

# ruff: noqa: RUF001 - words of many scripts

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import Final

from classifiers.meter import Meter
from governance.finding import Category, Finding
from governance.frozen import frozen
from governance.segment import Span

ENTITY: Final = "STREET_ADDRESS"
PERMILLE: Final = 650
_CHARS_PER_UNIT = 256
_REACH = 40
_HAN = "\u4e00-\u9fff"
# Of hiragana what stands in names of places: without particles.
_KANA = "\u30a0-\u30ffの々"


@frozen
class _Form:
    """`head` begins with what makes an address of it; `before`, where there is one, has to end where the head begins.

    A text that has none of `signs` has no such address.
    """

    name: str
    country: str | None
    signs: str
    head: str
    before: str = ""


# Compiled when a text first needs it: few processes see all scripts.
_compiled = functools.cache(re.compile)


_NUMBER = "[0-9\uff10-\uff19]{1,5}"
# Rooms and floors behind a house.
_ROOM = r"(?:[ ,，]?[0-9A-Z]{1,4}(?:-[0-9]{1,4})?(?:号楼|號樓|楼|樓|室|栋|棟|层|層|单元|座)(?:之[0-9]{1,2})?){0,4}"
_CHINESE = (
    rf"(?:[{_HAN}]{{1,20}}(?:省|市|县|縣|区|區|镇|鎮|乡|鄉))?[{_HAN}]{{1,8}}(?:大道|路|街|巷|弄|胡同|道)"
    rf"(?:[一二三四五六七八九十東西南北东]{{1,2}}段)?(?:[0-9]{{1,4}}[巷弄])?\Z"
)
_RUSSIAN_HOUSE = (
    r",? ?(?:д(?:ом|\.)? ?|буд(?:инок|\.)? ?|№ ?)?[0-9]{1,4}[а-яА-Я]?(?:[/-][0-9]{1,3})?(?![0-9])"
    r"(?:,? ?(?:корп(?:ус|\.)?|к\.|стр(?:оение|\.)?|кв(?:артира|\.)?|оф(?:ис|\.)?) ?[0-9]{1,4})*"
)
_FORMS: Final = (
    _Form(name="street_chinese", country="CN", signs="号", head=rf"{_NUMBER}号楼?{_ROOM}", before=_CHINESE),
    _Form(name="street_taiwanese", country="TW", signs="號", head=rf"{_NUMBER}號樓?{_ROOM}", before=_CHINESE),
    _Form(
        name="street_japanese",
        country="JP",
        signs="丁市区町村郡",
        head=rf"{_NUMBER}(?:丁目{_NUMBER}(?:番地?(?:の?{_NUMBER})?号?|[-－−ー]{_NUMBER})|(?:[-－−ー]{_NUMBER}){{1,3}}(?![0-9-]))",
        before=rf"(?:[{_HAN}]{{2,3}}[都道府県])?[{_HAN}{_KANA}]{{1,12}}[市区町村郡][{_HAN}{_KANA}]{{1,14}}\Z",
    ),
    _Form(
        name="street_korean",
        country="KR",
        signs="로길",
        head=r"[가-힣0-9]{1,12}(?:로|길) ?[0-9]{1,4}(?:-[0-9]{1,3})?(?![0-9])(?:,? ?[0-9]{1,4}(?:동|호|층))*",
        before=r"[가-힣]{1,10}(?:시|도|구|군|읍|면) ?\Z",
    ),
    _Form(
        name="street_russian",
        country=None,
        signs="улрп",
        head=r"(?<!\w)(?:[Уу]л(?:иц[аеуы]|\.)|[Пп]р(?:оспект[еау]?|-т|\.)|[Пп]ер(?:еул(?:ок|ке)|\.)|[Бб](?:ульвар[еау]?|-р)|[Шш](?:оссе|\.)|[Нн]аб(?:ережн(?:ая|ой)|\.)"
        r"|[Пп]л(?:ощад[ьи]|\.)|[Вв]ул(?:иц[яіюи]|\.)|[Бб]ул\.|көшесі) ?[«\"]?(?:[0-9]{1,2}(?:-[а-я]{1,2})? )?[А-ЯЁІЇЄҐ][\w.-]{1,24}(?: [А-ЯЁа-яёІЇЄіїє][\w.-]{2,20}){0,2}[»\"]?"
        + _RUSSIAN_HOUSE,
    ),
    _Form(
        name="street_greek",
        country="GR",
        signs="αεηιο",
        head=r"(?:(?<!\w)(?:[Οο]δό[ςυ]|[Λλ]εωφ(?:όρος|\.)|[Ππ]λατεία) (?:[Α-ΩΆ-Ώ][α-ωά-ώ.]{1,20} ?){1,3},? ?[0-9]{1,3}(?![0-9])"
        r"|(?<!\w)[Α-ΩΆ-Ώ][α-ωά-ώ]{2,20}(?: [Α-ΩΆ-Ώ][α-ωά-ώ]{2,20})? [0-9]{1,3},? ?(?:Τ\.?Κ\.? ?)?[1-8][0-9]{2} ?[0-9]{2}(?![0-9]))",
    ),
    _Form(name="street_arabic", country=None, signs="ش", head=r"شارع [\u0621-\u064a]{2,20}(?: [\u0621-\u064a]{2,20}){0,3}[،,]? ?(?:رقم |مبنى )?[0-9٠-٩]{1,5}"),
    _Form(name="street_hebrew", country="IL", signs="רש", head=r"(?:רחוב|רח['׳]|שדרות|שד['׳]) [\u05d0-\u05ea\"'״׳-]{2,16}(?: [\u05d0-\u05ea\"'״׳-]{2,16}){0,2} [0-9]{1,4}"),
    _Form(
        name="street_thai",
        country="TH",
        signs="ถ",
        head=r"(?:เลขที่ ?)?[0-9]{1,4}(?:/[0-9]{1,4})? ?(?:(?:หมู่|ม\.|ซอย|ซ\.) ?[\u0e00-\u0e7f0-9]{1,20} ?){0,2}(?:ถนน|ถ\.) ?[\u0e00-\u0e7f]{2,24}",
    ),
)  # fmt: skip


def streets(text: str, meter: Meter) -> Iterator[Finding]:
    """The addresses in `text`, form by form. Raises Exhausted."""
    if text.isascii():
        return
    for form in _FORMS:
        if not any(sign in text for sign in form.signs):
            continue
        meter.spend(len(text) // _CHARS_PER_UNIT)
        for match in _compiled(form.head).finditer(text):
            meter.spend(2)
            start = match.start()
            if form.before:
                before = _compiled(form.before).search(text[max(0, start - _REACH) : start])
                if before is None:
                    continue
                start -= min(_REACH, start) - before.start()
            yield Finding(
                segment=0,
                entity_type=ENTITY,
                span=Span(start=start, end=match.end()),
                permille=PERMILLE,
                detector=f"family.{form.name}",
                category=Category.ADDRESS,
                country=form.country,
            )
