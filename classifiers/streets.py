"""Street addresses in scripts other than Latin, of which no folding is left for the rules to read.

Each form has a head, which is looked for in one pass, and is read from there; what stands before the head is looked at as
far as an address may reach. Texts are read as `classifiers.typography` leaves them. LIMIT: not what was decoded.
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
_YEAR = "(?:1[5-9]|20)[0-9]{2}(?![0-9])"
# Rooms and floors behind a house.
_ROOM = r"(?:[ ,，]?[0-9A-Z]{1,4}(?:-[0-9]{1,4})?(?:号楼|號樓|楼|樓|室|栋|棟|层|層|单元|座)(?:之[0-9]{1,2})?){0,4}"
# What ends like a road and is none: traffic and its works, ways of doing, of knowing and of walking.
_NO_ROAD = (
    "(?<!高速公路)(?<![铁鐵线線电電网網思套出半回带帶问問迷绕繞走赶趕道链鏈]路)"
    "(?<![知报報难難味频頻渠管通跑车車赛賽轨軌隧航力公厚地霸柔人铁鐵]道)(?<![上逛]街)(?<![玩愚戏戲捉]弄)"
)
_CHINESE = (
    rf"(?:[{_HAN}]{{1,20}}(?:省|市|县|縣|区|區|镇|鎮|乡|鄉))?[{_HAN}]{{1,8}}(?:大道|路|街|巷|弄|胡同|道){_NO_ROAD}"
    rf"(?:[一二三四五六七八九十東西南北东]{{1,2}}段)?(?:[0-9]{{1,4}}[巷弄])?\Z"
)
# Lines, exits and the day of a month have numbers as well.
_NO_HOUSE = (
    "(?!线|線|出口|入口|口|隧道|楼层|樓層|站|桥|橋|车|車|机|機|码|碼|高速|公路|文件|方案|台风|颱風|之前|之后|之後|以前|以后|以後|开始|開始"
    "|起|上午|下午|早上|晚上|那天|当天|當天|截止)"
)
# A house is no year, no size and no score.
_JAPANESE_PART = "[1-9\uff11-\uff19][0-9\uff10-\uff19]{0,3}"
_JAPANESE_HOUSE = f"(?!(?:19|20)[0-9]{{2}}(?![0-9])){_JAPANESE_PART}"
_JAPANESE_COUNTED = "日(?!本)|[年月円人個件名%％位回本台歳点枚倍度時分秒万億千百頭社階対巻章節]"
_KOREAN_CITIES = (
    "서울|부산|대구|인천|광주|대전|울산|세종|수원|성남|의정부|안양|부천|광명|평택|동두천|안산|고양|과천|구리|남양주|오산|시흥|군포|의왕|하남|용인|파주|이천|안성|김포|화성|양주|포천|여주"
    "|춘천|원주|강릉|동해|태백|속초|삼척|청주|충주|제천|천안|공주|보령|아산|서산|논산|계룡|당진|전주|군산|익산|정읍|남원|김제|목포|여수|순천|나주|광양"
    "|포항|경주|김천|안동|구미|영주|영천|상주|문경|경산|창원|진주|통영|사천|김해|밀양|거제|양산|제주|서귀포"
)
_KOREAN_COUNTIES = (
    "연천|가평|양평|홍천|횡성|영월|평창|정선|철원|화천|양구|인제|고성|양양|보은|옥천|영동|증평|진천|괴산|음성|단양|금산|부여|서천|청양|홍성|예산|태안"
    "|완주|진안|무주|장수|임실|순창|고창|부안|담양|곡성|구례|고흥|보성|화순|장흥|강진|해남|영암|무안|함평|영광|장성|완도|진도|신안"
    "|군위|의성|청송|영양|영덕|청도|고령|성주|칠곡|예천|봉화|울진|울릉|의령|함안|창녕|남해|하동|산청|함양|거창|합천|기장|달성|강화|옹진|울주"
)
_KOREAN_DISTRICTS = (
    "중|동|서|남|북|종로|용산|성동|광진|동대문|중랑|성북|강북|도봉|노원|은평|서대문|마포|양천|강서|구로|금천|영등포|동작|관악|서초|강남|송파|강동"
    "|영도|부산진|동래|해운대|사하|금정|연제|수영|사상|수성|달서|미추홀|연수|남동|부평|계양|광산|유성|대덕|장안|권선|팔달|영통|수정|중원|분당|만안|동안"
    "|상록|단원|덕양|일산동|일산서|처인|기흥|수지|원미|소사|오정|상당|서원|흥덕|청원|동남|서북|완산|덕진|의창|성산|마산합포|마산회원|진해"
)
# Adverbs and nouns with a particle that end like a street.
_KOREAN_ADVERB = (
    "(?!별로|따로|새로|서로|주로|바로|위로|아래로|뒤로|추가로|별도로|차례로|실제로|최대로|최소로|대체로|단위로|스스로|하루로|제대로|그대로|이대로|마음대로|절대로"
    "|멋대로|도로 |활주로 |[가-힣]{0,10}으로|[가-힣]{1,10}(?:단위|순서|가지|번째|기준|종류)로 )"
)
_KOREAN_COUNTED = "일|초|개|만|분|시|년|월|명|원|칸|배|번(?![길지])|회|건|곳|대(?!로)|차|점|위|주|km|m|미터|킬로|%|퍼센트|억|천|백|살|세|권|장|마리|가지|가구|평|층까지|정거장|년대|등|여 ?"
_RUSSIAN_NAME = r"[А-ЯЁІЇЄҐ][\w.-]{1,24}"
_RUSSIAN_STREET = (
    r"(?i:ул(?:иц[аеуы]|\.)|просп(?:ект[еау]?|\.)|пр-т|переул(?:ок|ке)|б(?:ульвар[еау]?|-р)|ш(?:оссе|\.)|наб(?:ережн(?:ая|ой)|\.)"
    r"|пл(?:ощад[ьи]|\.)|вул(?:иц[яіюи]|\.)|бул\.|көшесі)"
)
# `и пр.`, `Пер. Иванова`: shortened words of other kinds as well.
_RUSSIAN_SHORT = r"(?i:(?<!и )(?:пр|пер)\.)"
_RUSSIAN_SIGN = r",? ?(?i:д(?:ом|\.)? ?|буд(?:инок|\.)? ?|№ ?)"
_RUSSIAN_COUNTED = (
    r"(?! ?(?:год|лет|г\.|гг|век|человек|чел|раз|руб|грн|тенге|тыс|млн|мин|час|дн[яе]|день|метр(?!о)|км|м\b(?!\.)|дом(?:а|ов)\b|магазин(?:а|ов)\b|кафе|машин"
    r"|автомоб|квартир[ыа]?\b(?! ?[0-9])|позици|шт|страниц|стр\b(?!\.? ?[0-9])|участник|процент|%|деревь|место?\b|остановок|студент|январ|феврал|март|апрел|ма[яй]\b"
    r"|июн|июл|август|сентябр|октябр|ноябр|декабр))"
)
_RUSSIAN_NUMBER = rf"(?!{_YEAR})[0-9]{{1,4}}[а-яА-Я]?(?:[/-][0-9]{{1,3}})?(?![\w-]|[.,][0-9]){_RUSSIAN_COUNTED}"
_RUSSIAN_PARTS = r"(?:,? ?(?i:корп(?:ус|\.)?|к\.|стр(?:оение|\.)?|кв(?:артира|\.)?|оф(?:ис|\.)?) ?[0-9]{1,4})*"
_RUSSIAN_HOUSE = (
    rf"(?:{_RUSSIAN_SIGN}[0-9]{{1,4}}[а-яА-Я]?(?:[/-][0-9]{{1,3}})?(?![\w-])|,? ?{_RUSSIAN_NUMBER}){_RUSSIAN_PARTS}"
)
_RUSSIAN_MARKED = rf"(?:{_RUSSIAN_SIGN}|, ?)[0-9]{{1,4}}"
_ARABIC = "[\u0621-\u064a]"
# What is said of streets is none of their names.
_ARABIC_WORD = (
    rf"(?!(?:قبل|بعد|منذ|سنة|عام|في|من|على|إلى|الى|كان|كانت|كنا|هناك|يوجد|توجد|فيه|به|حوالي|نحو|أكثر|اكثر|أقل|مع|ثم|أو|لمدة|طوله|عرضه|يضم|قريب|هذا|كله|واحد|بطول|بعرض|يبعد|عند|حيث|وكان|وفيه)(?!{_ARABIC}))"
    rf"{_ARABIC}{{2,20}}"
)
_ARABIC_COUNTED = "(?! ?(?:شخص|سنة|سنوات|عام|أعوام|متر|أمتار|محل|دقيقة|دقائق|كيلو|كم|ساعة|ساعات|يوم|أيام|سيارة|سيارات|بيت|بيوت|منزل|مرة|مرات|طفل|أطفال|رجل|رجال|امرأة|شجرة|مطعم|مطاعم|دكان|٪|%))"
_HEBREW = "[\u05d0-\u05ea]"
_HEBREW_WORD = (
    rf"(?!(?:יש|אין|היה|היו|היתה|הייתה|יהיה|יהיו|עם|של|זה|זו|הזה|כבר|מעל|לפני|אחרי|במשך|עד|רק|עוד|גרים|גרו|נמצאים|נמצאות|שלנו|שלי|שבו|שיש|ראיתי|ראינו|חיכיתי|הלכתי|פגשתי|בערך|כמעט|לפחות|מ|ב|ל|כ)(?![\"'״׳]?{_HEBREW}))"
    rf"{_HEBREW}[\u05d0-\u05ea\"'״׳-]{{1,15}}"
)
_HEBREW_COUNTED = '(?! ?(?:חנויות|אנשים|איש|שנים|שנה|ימים|מטר|ק"מ|ק״מ|קילומטר|דקות|שקל|ש"ח|ש״ח|בתים|מכוניות|ילדים|פעמים|שעות|עצים|דיירים|משפחות|אחוז|%))'
_THAI = "[\u0e00-\u0e7f]"
_THAI_WAY = rf"(?:(?:หมู่(?:ที่)?|ม\.|ซอย|ซ\.) ?(?:{_THAI}|[0-9]){{1,20}} ?){{0,2}}"
_FORMS: Final = (
    _Form(name="street_chinese", country="CN", signs="号", head=rf"{_NUMBER}号{_NO_HOUSE}[院楼]?{_ROOM}", before=_CHINESE),
    _Form(name="street_taiwanese", country="TW", signs="號", head=rf"{_NUMBER}號{_NO_HOUSE}樓?{_ROOM}", before=_CHINESE),
    _Form(
        name="street_japanese",
        country="JP",
        signs="市区町村郡",
        head=rf"{_NUMBER}丁目{_NUMBER}(?:番地?(?:の?{_NUMBER})?号?|[-－−ー]{_NUMBER})"
        rf"|{_JAPANESE_HOUSE}(?:(?:[-－−ー]{_JAPANESE_PART}){{2,3}}(?![0-9０-９-])|[-－−ー]{_JAPANESE_PART}(?![0-9０-９-]|{_JAPANESE_COUNTED}))",
        before=rf"(?:[{_HAN}]{{2,3}}[都道府県] ?)?[{_HAN}{_KANA}]{{1,12}}(?:(?<!(?<![京西])都)市(?![場民況販価議営街])|(?<![地学特工鉱管挙])区(?![分間画]|別(?!府))|[町村郡](?![内民])) ?"
        rf"[{_HAN}{_KANA}]{{1,14}}(?<!規模|計画|価格|代表|結果|予選|試合|対戦|会議|資料|番号|期間|人口|面積|予算|条例|年度|平均|合計|電話) ?\Z",
    ),
    _Form(
        name="street_korean",
        country="KR",
        signs="로길",
        head=rf"{_KOREAN_ADVERB}[가-힣0-9]{{1,12}}(?:로|길) ?[0-9]{{1,4}}(?:-[0-9]{{1,3}})?(?:번?길 ?[0-9]{{1,4}}(?:-[0-9]{{1,3}})?)?(?![0-9~-]|[.,][0-9]|(?:{_KOREAN_COUNTED})| (?:{_KOREAN_COUNTED})(?![가-힣]{{2}}))"
        r"(?:,? ?[0-9]{1,4}(?:동|호|층))*",
        before=rf"(?<![가-힣])(?:[가-힣]{{2,8}}[시도] ?)?(?:(?:{_KOREAN_CITIES})(?:특별자치|특별|광역)?시|(?:{_KOREAN_COUNTIES})군|(?:{_KOREAN_DISTRICTS})구)(?: ?[가-힣]{{1,4}}[읍면])? ?\Z",
    ),
    _Form(
        name="street_russian",
        country=None,
        signs="улрпУЛРП",
        head=rf"(?<!\w)(?:(?:{_RUSSIAN_STREET}|{_RUSSIAN_SHORT}) ?[«\"]?(?:[0-9]{{1,2}}(?:-[а-я]{{1,2}})? )?{_RUSSIAN_NAME}"
        rf"(?:(?: {_RUSSIAN_NAME}){{0,2}}[»\"]?|(?: [\w.-]{{3,21}}){{1,2}}[»\"]?(?={_RUSSIAN_MARKED})){_RUSSIAN_HOUSE}"
        rf"|(?!(?i:эт|мо[яйе]|наш|ваш|тво|кажд|вс[яе]|одн|как|так|друг|перв)[а-яё]*\b){_RUSSIAN_NAME}(?: {_RUSSIAN_NAME})?"
        rf" (?:{_RUSSIAN_STREET}{_RUSSIAN_HOUSE}|{_RUSSIAN_SHORT}(?={_RUSSIAN_MARKED}){_RUSSIAN_HOUSE}))",
    ),
    _Form(
        name="street_greek",
        country="GR",
        signs="αεηιο",
        head=r"(?:(?<!\w)(?:[Οο]δό[ςυ]|[Λλ]εωφ(?:όρος|\.)|[Ππ]λατεία) (?:[Α-ΩΆ-Ώ][α-ωά-ώ.]{1,20} ?){1,3},? ?[0-9]{1,3}(?![0-9])"
        r"|(?<!\w)[Α-ΩΆ-Ώ][α-ωά-ώ]{2,20}(?: [Α-ΩΆ-Ώ][α-ωά-ώ]{2,20})? [0-9]{1,3},? ?(?:Τ\.?Κ\.? ?)?[1-8][0-9]{2} ?[0-9]{2}(?![0-9]))",
    ),
    _Form(
        name="street_arabic",
        country=None,
        signs="ش",
        head=rf"(?:(?<!{_ARABIC})|(?<=(?<!{_ARABIC})[بولف]))شارع {_ARABIC_WORD}(?: {_ARABIC_WORD}){{0,3}}[،,]? ?(?:رقم |مبنى )?"
        rf"(?!{_YEAR}|(?:١[٥-٩]|٢٠)[٠-٩]{{2}}(?![٠-٩]))[0-9٠-٩]{{1,4}}(?![0-9٠-٩]){_ARABIC_COUNTED}"
        # Streets that are counted have no article.
        rf"|(?<![0-9٠-٩.,/-])(?!{_YEAR})[0-9٠-٩]{{1,4}} شارع ال{_ARABIC}{{2,20}}",
    ),
    _Form(
        name="street_hebrew",
        country="IL",
        signs="רש",
        head=rf"(?:(?<!{_HEBREW})|(?<=(?<!{_HEBREW})[בולמ]))(?:רחוב|רח['׳]|שדרות|שד['׳]) {_HEBREW_WORD}(?: {_HEBREW_WORD}){{0,2}} (?!{_YEAR})[0-9]{{1,4}}(?![0-9]){_HEBREW_COUNTED}",
    ),
    _Form(
        name="street_thai",
        country="TH",
        signs="ถ",
        head=rf"(?:(?:บ้าน)?เลขที่ ?[0-9]{{1,4}}(?:/[0-9]{{1,4}})?|[0-9]{{1,4}}/[0-9]{{1,4}}) ?{_THAI_WAY}(?:ถนน|ถ\.) ?{_THAI}{{2,24}}"
        rf"|(?<![0-9.,/])[0-9]{{1,4}} ?{_THAI_WAY}(?:ถ\. ?{_THAI}{{2,24}}|ถนน ?{_THAI}{{2,24}}?(?: ?[0-9]{{1,2}})?(?=,? ?(?:แขวง|เขต|ตำบล|ต\.|อำเภอ|อ\.|จังหวัด|จ\.|กรุงเทพ|[1-9][0-9]{{4}}(?![0-9]))))",
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
