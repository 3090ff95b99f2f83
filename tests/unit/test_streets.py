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
        ("青浦区沪青平公路9号", "CN"),
        ("广州市越秀区中山一路100号", "CN"),
        ("民主路10号", "CN"),
        ("京都市中京区河原町3-1-3", "JP"),
        ("福岡市城南区別府5-8", "JP"),
        ("東京都千代田区丸の内1-9-1", "JP"),
        ("東京都 千代田区 丸の内 1-9-1", "JP"),
        ("중구 세종대로 110", "KR"),
        ("세종특별자치시 한누리대로 2130", "KR"),
        ("팔달구 중앙로 97번길 12", "KR"),
        ("서울특별시 강남구 테헤란로 48길 12, 302호", "KR"),
        ("北京市朝阳区建国路48号院12号楼302室", "CN"),
        ("48 شارع التحرير", None),
        ("양평군 양평읍 양근로 10", "KR"),
        ("Тверская улица, 7", None),
        ("Невский пр., д. 20", None),
        ("Невский проспект 28", None),
        ("Ленина ул., 5", None),
        ("УЛ. ЛЕНИНА, Д. 5", None),
        ("пр. Ленина 15", None),
        ("пер. Лесной, 5", None),
        ("пр. Красных партизан, 7", None),
        ("ул. Пушкина, дом 10, кв. 5", None),
        ("شارع الملك فهد، رقم 25", None),
        ("שדרות ירושלים 5", "IL"),
        ("רחוב אחד העם 7", "IL"),
        ("เลขที่ 99 ถนนสุขุมวิท", "TH"),
        ("12/3 หมู่ 4 ถ.พหลโยธิน", "TH"),
    ],
)
@pytest.mark.parametrize("before", ["", "address: ", "1) "])
def test_an_address_is_found_whole(before: str, address: str, country: str | None) -> None:
    """From its widest part to its number, with the country whose form it is."""
    assert [(address, country)] == found(f"{before}{address}, x")


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


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("東京都千代田区丸の内1-6-6 日本生命丸の内ビル", "東京都千代田区丸の内1-6-6"),
        ("강남구 테헤란로 152 대우빌딩", "강남구 테헤란로 152"),
        ("ул. Ленина 5 метро Киевская", "ул. Ленина 5"),
        ("ул. Ленина 5 стр. 1", "ул. Ленина 5 стр. 1"),
        ("ברחוב הרצל 12, חיפה", "רחוב הרצל 12"),
        ("بشارع التحرير 15 القاهرة", "شارع التحرير 15"),
        ("123 ถนนสุขุมวิท แขวงคลองเตย", "123 ถนนสุขุมวิท"),
        ("живу на пр. Ленина 15 в Москве", "пр. Ленина 15"),
        ("경기도 성남시 분당구 판교역로 235에 살아요", "성남시 분당구 판교역로 235"),
    ],
)
def test_an_address_in_a_sentence_is_found(text: str, address: str) -> None:
    """Behind prefixes of its script, before the town and before particles."""
    assert [address] == [value for value, _ in found(text)]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("Müller, Gartenweg 5, 10115 Berlin", "Gartenweg 5"),
        ("Adresse: Auf der Heide 5a, 29640 Schneverdingen", "Auf der Heide 5a"),
        ("Mariahilfer Straße 103/2/14, 1060 Wien", "Mariahilfer Straße 103/2/14"),
        ("Prinsengracht 263-II, Amsterdam", "Prinsengracht 263-II"),
        ("Lakcím: Váci utca 48. II/3.", "Váci utca 48. II/3."),
        ("İstiklal Caddesi No: 48/12, Beyoğlu", "İstiklal Caddesi No: 48/12"),
        ("Karl Johans gate 48, 0162 Oslo", "Karl Johans gate 48"),
        ("J'habite Rue de la Loi 16, 1040 Bruxelles.", "Rue de la Loi 16"),
        ("Send it to PO Box 482, Springfield", "PO Box 482"),
        ("Pošalji na Ilica 148, 10000 Zagreb Ani", "Ilica 148"),
        ("Anna Berg\nBrühl 33\n04109 Leipzig", "Brühl 33"),
        ("Resslova 343/10, 110 00 Praha 1", "Resslova 343/10"),
        ("Deliver to Flat 3B, Lotus Towers, Andheri West, Mumbai 400053", "Flat 3B, Lotus Towers, Andheri West"),
        ("It is 76 Shenton Way, Singapore", "76 Shenton Way"),
        ("Rose Cottage, Mill Lane, Bakewell DE45 1AB", "Rose Cottage, Mill Lane"),
    ],
)
def test_a_rule_ends_with_the_house(text: str, address: str) -> None:
    """With its staircase and door, without the postcode that makes an address of it."""
    read = Reader().read(text, deadline=time.monotonic() + 60).findings

    assert [address] == [text[each.span.start : each.span.end] for each in read if each.entity_type == ENTITY]


@pytest.mark.parametrize(
    ("text", "country"),
    [
        ("Graben 12, 1010 Wien", "AT"),
        ("Graben 12, 2000 Antwerpen", "BE"),
        ("Graben 12, 10115 Berlin", "DE"),
        ("14, MG Road, Bengaluru 560001", "IN"),
        ("House 12, Street 4, F-7/2, Islamabad", None),
    ],
)
def test_the_city_behind_a_street_tells_the_country(text: str, country: str | None) -> None:
    """By the form of its postcode where there is one; not where cities of several countries have the name."""
    read = Reader().read(text, deadline=time.monotonic() + 60).findings

    assert [country] == [each.country for each in read if each.entity_type == ENTITY]


@pytest.mark.parametrize(
    "text",
    [
        "Kapitel 3, 10115 Berlin",
        "Am 5. Mai 12, 2024 Berlin",
        "Top 10, 2020 Wien",
        "Graben 12, 1010 Berlin",
        "Graben 12, 10115 Nirgendwo",
        "Unit 5, Lesson 3, Most",
        "76 Milky Way, Earth",
    ],
)
def test_a_number_before_no_city_of_its_kind_is_no_street(text: str) -> None:
    """Counted things, years, and postcodes of another form than the city's country has."""
    read = Reader().read(text, deadline=time.monotonic() + 60).findings

    assert [] == [text[each.span.start : each.span.end] for each in read if each.entity_type == ENTITY]


EVERYDAY = {
    "Korean": """
        그래도 앞으로 3일 동안 비가 옵니다
        버튼을 누르면 자동으로 10초 뒤
        온도 단위로 20 을 입력하세요
        다시 위로 2칸 올라가세요
        필요하면 별도로 5개를 주문하세요
        서울시 기준으로 10 이상입니다
        강남구 최대로 30명까지 참여합니다
        이번 군 복무는 주로 18개월입니다
        지도 아래로 40 픽셀 내려 주세요
        속도 차례로 60, 80을 설정합니다
        수원시 도로 3곳을 막았습니다
        그 도시 거리로 100미터 가세요
        가구 새로 4개를 샀다
        제주시 올레길 3회 방문했어요
        종로구 그대로 2 유지
    """,
    "Japanese": """
        国内市場規模2024-2025年
        都市計画2024-2025
        株式市場価格10-20円
        市民講座申込10-12人
        区分所有建物3-5階
        地区予選結果3-1
        横浜市代表2-0で勝利
        大阪市人口2020-2024
        新宿区平均20-30歳
        町内会費用10-20円
        港区限定10-15名様
        村上春樹全集1-3巻
        市販薬1-2錠を飲む
        市営住宅家賃3-5万円
        川崎市電話044-123-4567
    """,
    "Chinese": """
        高速公路1号出口
        在南京东路2号线站台
        我知道5号要开会
        他走路10号才到
        听报道3号有台风
        铁路1号机车今天停运
        这个思路2号方案更好
        我们上街10号去买衣服
        这条线路3号车已满
        隧道1号口封闭
        换乘人民路4号线
        新华路2号上午封路
        频道5号正在播出
        请走一号通道3号门
        中山路3号之前完工
        捷運信義路2號出口
    """,
    "Russian": """
        и пр. Всего 25 позиций
        Пер. Иванова, 2010
        На улице Пушкина стоит 20 домов
        На улице Иван встретил 15 человек
        Эта улица, 7 домов
        Ручки, тетради и пр. Итого 300 рублей
        На площади Ленина 2000 человек
        Проспект Мира 20 лет назад
        Роман, пер. Петрова, 1998
        Наша улица 12 раз перекрывалась
        На бульваре Гоголя 9 мая будет концерт
        Улица Садовая 3 км длиной
        и пр. Москва 2024
        Площадь Киева 839 км
        Шоссе Энтузиастов 15 минут стоит
    """,
    "Greek": """
        Σελίδα 12 από 345
        Η οδός έχει 20 καταστήματα
        Στην πλατεία ήταν 300 άτομα
        Ιανουαρίου 12, 2020
        Πληρώσαμε 45 ευρώ στην οδό
        Η λεωφόρος κλείνει στις 10
        Στη λεωφόρο 3 αυτοκίνητα
        Ο Νίκος είναι 25 χρονών
        Ανοίγει οδό 5 μέτρων
        Τηλέφωνο 210 και όροφος 3
        Κεφάλαιο 7, σελίδα 120
    """,
    "Arabic": """
        الشارع قبل سنة 2020
        في شارع قريب كان هناك 20 شخصا
        شارع طويل فيه 30 محل
        مشيت في شارع لمدة 15 دقيقة
        هذا شارع عرضه 12 متر
        رأيت في شارع المدينة 5 سيارات
        شارع الحرية منذ 1990
        الشارع المجاور رقم 7
        شارع هادئ يبعد 3 كيلو
        للشارع العام 2 مداخل
        شارع جميل به 40 شجرة
    """,
    "Hebrew": """
        ברחוב יש 20 חנויות
        הרחוב הראשי 15
        ברחוב היו 300 איש
        רחוב ארוך של 2 קילומטר
        ברחוב שלנו גרים 40 דיירים
        הלכתי ברחוב במשך 10 דקות
        רחוב סגור עד 2025
        ברחוב הזה נמצאות 5 חנויות
        חיכיתי ברחוב כמעט 3 שעות
        רחוב הרצל 1909
        ברחוב פגשתי 7 ילדים
    """,
    "Thai": """
        ปิด 3 ถนนรอบเมือง
        มี 5 ถนนที่รถติดมาก
        สร้าง 2 ถนนใหม่ในปีนี้
        เดินผ่าน 4 ถนนแล้วเลี้ยวซ้าย
        ซ่อม 10 ถนนทั่วประเทศ
        รถ 20 คันบนถนนสายหลัก
        อันดับ 1 ถนนที่สวยที่สุด
        ใช้เวลา 30 นาทีบนถนน
        7 ถนนน่าเดินในเชียงใหม่
        ถนนนี้ยาว 3 กิโลเมตร
        พบ 6 ถนนน้ำท่วม
        2024 ถนนปลอดภัย
    """,
}


@pytest.mark.parametrize("text", [line.strip() for lines in EVERYDAY.values() for line in lines.strip().splitlines()])
def test_everyday_sentences_hold_no_address(text: str) -> None:
    """Adverbs, markets, lines, dates and sizes look like streets with numbers."""
    assert [] == found(text)


def test_the_reader_reports_them_where_addresses_are_asked_for() -> None:
    """And not where they are not."""
    text = "送货到上海市黄浦区南京东路100号"
    own, other = (
        Reader(entities=[entity]).read(text, deadline=time.monotonic() + 60).findings for entity in (ENTITY, "US_SSN")
    )

    assert [(ENTITY, "family.street_chinese")] == [(each.entity_type, each.detector) for each in own]
    assert () == other
