"""What the detector finds with the whole catalogue, against tables."""

from __future__ import annotations

import asyncio
import base64
import subprocess
import sys
import threading
import time

import pytest

from classifiers.cache import DigestCache
from classifiers.detector import INLINE_CHARS, PatternDetector
from classifiers.jurisdiction import Traces
from classifiers.meter import Exhausted
from classifiers.reading import MAX_FINDINGS, Reader, Reading
from classifiers.rules import load_rules
from classifiers.traces import Tracer
from governance.errors import DetectorUnavailable
from governance.finding import Detection, DetectionStatus, Label
from governance.segment import Role, Span, TextSegment
from governance.sensitive import SensitiveText

GITHUB_TOKEN = "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"
JWT = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA\nq83vEjRWeJCr\n-----END RSA PRIVATE KEY-----"
# The five dashes as word processors leave them.
TYPESET_PEMS = [PEM.replace("-----", dashes) for dashes in ("\u2014--", "---", "\u2013\u2013-", "\u2014\u2014-")]

# (text, [(entity, matched text, country, validated)])
FOUND = [
    ("write to jane.doe@example.com.", [("EMAIL_ADDRESS", "jane.doe@example.com", None, True)]),
    ("a/b user <o'neil+x@mail.example.co.uk>", [("EMAIL_ADDRESS", "o'neil+x@mail.example.co.uk", None, True)]),
    ("see https://example.org/?u=bob@example.com", [("EMAIL_ADDRESS", "bob@example.com", None, True)]),
    (
        "a@example.com,b@example.com",
        [("EMAIL_ADDRESS", "a@example.com", None, True), ("EMAIL_ADDRESS", "b@example.com", None, True)],
    ),
    ("call +49 30 901820 now", [("PHONE_NUMBER", "+49 30 901820", "DE", True)]),
    ("call +49 (0)30 901820", [("PHONE_NUMBER", "+49 (0)30 901820", "DE", True)]),
    ("ring +44 20 7946 0958", [("PHONE_NUMBER", "+44 20 7946 0958", "GB", True)]),
    ("at +81 3-3224-5000 (JP)", [("PHONE_NUMBER", "+81 3-3224-5000", "JP", True)]),
    ("my number is (212) 456-7890", [("PHONE_NUMBER", "(212) 456-7890", "US", False)]),
    ("Tel.: 030/901820", [("PHONE_NUMBER", "030/901820", "DE", False)]),
    (
        "+49 30 901820 2024-05-12",
        [("PHONE_NUMBER", "+49 30 901820", "DE", True), ("DATE_TIME", "2024-05-12", None, False)],
    ),
    ("card 4111 1111 1111 1111", [("CREDIT_CARD", "4111 1111 1111 1111", None, True)]),
    (
        "card 4111-1111-1111-1111,378282246310005",
        [("CREDIT_CARD", "4111-1111-1111-1111", None, True), ("CREDIT_CARD", "378282246310005", None, True)],
    ),
    ("DE89 3704 0044 0532 0130 00", [("IBAN_CODE", "DE89 3704 0044 0532 0130 00", "DE", True)]),
    ("from DE89370400440532013000 2 days on", [("IBAN_CODE", "DE89370400440532013000", "DE", True)]),
    ("IBAN: FR1420041010050500013M02606.", [("IBAN_CODE", "FR1420041010050500013M02606", "FR", True)]),
    ("his ssn is 536-90-4399", [("US_SSN", "536-90-4399", "US", True)]),
    ("ssn 536904399", [("US_SSN", "536904399", "US", True)]),
    ("host 192.168.1.10/24 is up", [("IP_ADDRESS", "192.168.1.10/24", None, True)]),
    (
        # The loopback address is no one's.
        "at 2001:db8::ff00:42:8329 and ::1",
        [("IP_ADDRESS", "2001:db8::ff00:42:8329", None, False)],
    ),
    ("::ffff:192.0.2.128", [("IP_ADDRESS", "::ffff:192.0.2.128", None, False)]),
    ("KVNR A000500015", [("DE_HEALTH_INSURANCE", "A000500015", "DE", True)]),
    ("Steuer-ID 86095742719", [("DE_TAX_ID", "86095742719", "DE", True)]),
    ("NHS 943 476 5919", [("UK_NHS", "943 476 5919", "GB", True)]),
    (f"token {GITHUB_TOKEN}", [("API_KEY", GITHUB_TOKEN, None, True)]),
    (f"token {GITHUB_TOKEN[:-1]}8", [("API_KEY", f"{GITHUB_TOKEN[:-1]}8", None, False)]),
    ("id AKIAIOSFODNN7EXAMPLE", [("API_KEY", "AKIAIOSFODNN7EXAMPLE", None, False)]),
    ('"sk-proj-Ab3dEf6hIj9kLmN2pQr5"', [("API_KEY", "sk-proj-Ab3dEf6hIj9kLmN2pQr5", None, False)]),
    (f"Bearer {JWT}", [("JWT", JWT, None, True)]),
    (f"key:\n{PEM}\nend", [("PRIVATE_KEY", PEM, None, True)]),
    (PEM[:60], [("PRIVATE_KEY", PEM[:60], None, False)]),
    *((f"key:\n{pem}\nend", [("PRIVATE_KEY", pem, None, True)]) for pem in TYPESET_PEMS),
    (
        "DE89370400440532013000\n4111111111111111",
        [("IBAN_CODE", "DE89370400440532013000", "DE", True), ("CREDIT_CARD", "4111111111111111", None, True)],
    ),
    ("😀 jane@example.com", [("EMAIL_ADDRESS", "jane@example.com", None, True)]),
]

NOTHING = [
    "",
    "Please summarise the quarterly report in three sentences.",
    "card 4111 1111 1111 1112",
    "DE88 3704 0044 0532 0130 00",
    "pi is 3.14159265358979 and e is 2.718281828",
    "the weights are [0.4111111111111111, 12.86095742719]",
    "order 123456780 has 12345678 items",
    "user@localhost and a@b and @mention and foo@example.invalid",
    "std::vector<int> v; x::y::z();",
    "deadbeefdeadbeef 3fa85f64-5717-4562-b3fc-2c963f66afa6",
    "version 1.2.3 and 300.1.2.3",
    "sk-estimator-checks-common-tests and sk-xxxxxxxxxxxxxxxxxxxxxxxx",
    "AKIAIOSFODNN7EXAMPLEX0 in a longer word",
    "eyJub3QiOiJhIGpvc2UgaGVhZGVyIn0.abc.def",
    "-----BEGIN CERTIFICATE-----\nMIIEowIBAAKCAQEA\n-----END CERTIFICATE-----",
    "---BEGIN PUBLIC KEY---\nMIIEowIBAAKCAQEA\n---END PUBLIC KEY---",
    "ssn 000-12-3456, 666-12-3456 and 078-05-1120"[:25],
    "12345678901234567890123456789012345678901234567890",
]


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader()


@pytest.fixture(scope="module")
def detector() -> PatternDetector:
    return PatternDetector()


def segments(*texts: str) -> list[TextSegment]:
    return [TextSegment(role=Role.USER, place="/messages/*/content", text=SensitiveText(text)) for text in texts]


def detect(detector: PatternDetector, *texts: str, deadline_ms: int = 60_000) -> Detection:
    return detector.detect_now(segments(*texts), deadline_ms=deadline_ms)


@pytest.mark.parametrize(("text", "expected"), FOUND)
def test_finds_entities_with_exact_spans(detector, text, expected):
    """Type, span, country and validation of each finding are as in the table."""
    findings = detect(detector, text).findings

    assert expected == [
        (each.entity_type, text[each.span.start : each.span.end], each.country, each.validated) for each in findings
    ]


@pytest.mark.parametrize(
    ("before", "address"),
    [
        (r'{"msg":"line one\n', "jane@example.com"),
        (r'{"msg":"line one\r\n', "jane@example.com"),
        (r'{"msg":"line one\t', "jane@example.com"),
        (r'{"msg":"line one\b', "jane@example.com"),
        (r'{"msg":"line one\f', "jane@example.com"),
        (r'{"msg":"\ud83d\ude00', "jane@example.com"),
        (r'{"msg":"', r"\u00e9jane@example.com"),
        (r'{"msg":"', r"jos\u00e9@example.com"),
        (r'{"msg":"\u003c', "jane@example.com"),
        ("%20", "jane@example.com"),
        ("mail%20to%3A%20", "jane@example.com"),
        ("\\", "n@example.com"),
        ("GET https://api.example.org/v1/users?email=", "jane@example.com"),
        ("GET https://api.example.org/v1/users?id=7&email=", "jane@example.com"),
        (r"https://api.example.org/v1?id=7\u0026email=", "jane@example.com"),
        ("https://api.example.org/v1?id=7&amp;email=", "jane@example.com"),
        ("https://api.example.org/v1?next=%2Fu%3Femail%3D", "jane@example.com"),
        ("https://api.example.org/v1?next=/users/", "jane@example.com"),
        ("/users?email=", "jane@example.com"),
        ("https://api.example.org/users/", "jane@example.com"),
        ("https://api.example.org:8443/users/", "jane@example.com"),
        ("https://api.example.org/#/users/", "jane@example.com"),
        ("https://api.example.org/?to=", "bounces+jane=example.org@lists.example.com"),
        ("https://", "jane@example.com"),
        ("from ", "bounces+jane=example.org@lists.example.com"),
        ("from ", "jane=example.org@lists.example.com"),
        ("from ", "prvs=4829a1b2c3=jane@example.com"),
        ("user=", "jane.doe@example.com"),
        ("login ok reply-to=", "jane@example.com"),
        ("{'id': 7, name=Jane, e_mail=", "jane@example.com"),
        ("from /", "G=Jane/S=Doe/O=Example@gateway.example.com"),
        ("see https://example.org/ or ", "jane/bob@example.com"),
    ],
)
def test_a_mail_address_begins_behind_an_escape_and_in_a_url(detector, before, address):
    """No letter of an escape, no part of a URL and no key is in the span; `=` and `/` elsewhere are."""
    text = before + address + " "

    found = [each for each in detect(detector, text).findings if each.entity_type == "EMAIL_ADDRESS"]

    assert [address] == [text[each.span.start : each.span.end] for each in found]


@pytest.mark.parametrize("host", ["github.com/a/b", "gitlab.example.com", "registry.example.com/x.git"])
@pytest.mark.parametrize(
    "token",
    [
        "gh\u0073_MX664A3zPsKT3AEu79MVuQXRZHulY52kXgfE",
        "gl\u0070at-q8V2xLm7RtB4Xn8sQvT3",
        "np\u006d_y1XcPk3bSgjE2xjjJgzaaLl9mmRFaq0lAkQj",
        "AK\u0049AQ3EGXJ5LBNPWKVRT",
        "Zk3vQp9xLr8TnW2yBd6M",
    ],
)
def test_a_token_in_the_address_of_a_repository_is_a_credential(detector, token, host):
    """What stands before `@` there is user information; redacted as a mail address, no policy on credentials would speak."""
    text = f"git clone https://{token}@{host}"

    assert [("API_KEY", token)] == [
        (each.entity_type, text[each.span.start : each.span.end]) for each in detect(detector, text).findings
    ]


@pytest.mark.parametrize(
    ("before", "behind"),
    [
        ("номер", "был"),
        ("αριθμός", "είδος"),
        ("رقم", "كان"),
        ("מספר", "היה"),
        ("हिंदी", "है"),
        ("卡号", "是"),
        ("เลข", "ครับ"),
    ],
)
@pytest.mark.parametrize(
    ("entity", "value"),
    [
        ("CREDIT_CARD", "4111111111111111"),
        ("IBAN_CODE", "DE89370400440532013000"),
        ("PHONE_NUMBER", "+79161234567"),
        ("API_KEY", "AK\u0049AQ3EGXJ5LBNPWKVRT"),
        ("DATE_TIME", "12.03.1985"),
        ("IP_ADDRESS", "192.168.17.45"),
    ],
)
def test_another_script_ends_a_word_as_a_blank_does(detector, before, behind, entity, value):
    """A value directly beside it is found as it stands."""
    for text in (before + value, value + behind, before + value + behind):
        assert [(entity, value)] == [
            (each.entity_type, text[each.span.start : each.span.end]) for each in detect(detector, text).findings
        ]


@pytest.mark.parametrize("word", ["\u0430", "\u03bf", "\u0259", "\u0259m\u0259", "\u0421\u0422"])
def test_letters_that_pass_for_latin_ones_belong_to_the_word(detector, word):
    """As do Latin letters that have no ASCII form: what begins in a word is no value."""
    assert () == detect(detector, f"{word}DE89370400440532013000").findings


@pytest.mark.parametrize("control", ["\x01", "\x02", "\x08", "\x0e", "\x1a", "\x7f", "\x80", "\x9f"])
def test_controls_that_do_not_show_part_values_and_hide_in_them(detector, control):
    """Fields of FIX and Hive stand between them, and nobody sees them in a word: nothing is lost either way."""
    values = ["4111111111111111", "5500005555555559", "DE89370400440532013000", "anna@example.com", "bob@example.com"]
    fields = control.join(("name", *values, "end"))
    broken = " ".join(control.join((value[:9], value[9:])) for value in values)
    covered = {
        text: {at for each in detect(detector, text).findings for at in range(each.span.start, each.span.end)}
        for text in (fields, broken)
    }

    assert [] == [
        value for value in values for at in range(len(value)) if fields.index(value) + at not in covered[fields]
    ]
    assert [broken] == ["".join(each if at in covered[broken] or each == " " else "" for at, each in enumerate(broken))]


def test_a_mail_address_ends_before_another_script(detector):
    """No domain goes on in it; a domain of it stays one."""
    assert [["anna@example.com"], ["anna@пример.рф"]] == [
        [text[each.span.start : each.span.end] for each in detect(detector, text).findings]
        for text in ("anna@example.comили", "anna@пример.рф")
    ]


def test_a_mail_address_behind_an_escape_stands_in_the_clear(detector):
    """The escape is before the value, not in it."""
    assert [""] == [each.via for each in detect(detector, r"one\njane@example.com").findings]


@pytest.mark.parametrize(
    ("before", "password", "behind"),
    [
        ('password="', "p@ss w0rd9", '"'),
        ('{"password":"', r"ab\"cd1234", '"}'),
        ('{"password":"', r"x\\\"y99zz", '"}'),
        ('{"password": "', r"abc1234\\", '", "a": "b"}'),
        ("password='", r"abc\'def123!x", "'"),
        ('{"password":"', "x<y>9Qa!", '"}'),
        ("password=", 'Tr0ub"4dor9', ""),
        ("'password=", "Tr0ub4dor9", "' and"),
        ('password = "', "密码abc123", '"'),
        ("密码: “", "q8V2xLm7Rt", "”"),
        (r'{"a": "{\"密码\":\"', "q8V2xLm7Rt", r'\"}"}'),
        (r'{"a": "{\"id\": 7, \"пароль\": \"', "q8V2xLm7Rt", r'\"}"}'),
    ],
)
def test_a_password_is_all_that_stands_between_its_quotes(detector, before, password, behind):
    """Blanks, brackets, escapes and the other quote are part of it, the quotes around it are not."""
    text = before + password + behind

    found = detect(detector, text).findings

    assert [("PASSWORD", password)] == [(each.entity_type, text[each.span.start : each.span.end]) for each in found]


_QUOTED = [
    (rule.id, example) for rule in load_rules() for example in rule.valid if '"' in example and "\\" not in example
]


@pytest.mark.parametrize(("rule", "text"), _QUOTED)
def test_what_rules_find_between_quotes_they_find_where_these_are_escaped(reader, rule, text):
    """A rule that asks for quotes behind a name that is not known here would find nothing."""

    def found(text: str) -> set[str]:
        return {each.entity_type for each in reader.read(text, deadline=time.monotonic() + 60).findings}

    assert found(text) <= found(text.replace('"', '\\"')), rule


@pytest.mark.parametrize("backslashes", ["\\", "\\\\\\"])
def test_a_name_in_escaped_quotes_names_its_value(detector, backslashes):
    """As where JSON or code stands in a string, and that in another one."""
    text = '{"password": "sunflower1", "api_key": "8f3Kd92LmQz7Xw1P"}'.replace('"', f'{backslashes}"')
    found = detect(detector, text).findings

    assert [("PASSWORD", "sunflower1", "json"), ("API_KEY", "8f3Kd92LmQz7Xw1P", "json")] == [
        (each.entity_type, text[each.span.start : each.span.end], each.via) for each in found
    ]


@pytest.mark.parametrize(
    "text",
    [
        '{"password": "The password has at least 8 characters, one of A-Z and one of 0-9."}',
        '{"password": "Sign in with Windows11 or Office365!"}',
        '{"password": "Required<br>8 characters"}',
        "sql += 'password=' + q9a.x + ' and name=' + n4m",
        'password: "", user: "ops4711"',
    ],
)
def test_labels_and_code_between_quotes_are_no_passwords(detector, text):
    """A sentence has words and numbers, and a password has them mixed."""
    assert () == detect(detector, text).findings


@pytest.mark.parametrize("text", NOTHING)
def test_finds_nothing_in_text_without_entities(detector, text):
    """Near misses give no finding."""
    assert () == detect(detector, text).findings


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("what is diabetes?", (Label(name="health", permille=300),)),
        ("My father has diabetes and takes insulin.", (Label(name="health", permille=850),)),
        ("Meine Patientin leidet an Depressionen und Migräne", (Label(name="health", permille=850),)),
        ("Mi madre tiene cáncer", (Label(name="health", permille=700),)),
        ("Ma mère souffre d'un diabète", (Label(name="health", permille=700),)),
        ("I have to diagnose a chronic error in my code", ()),
        ("Mein Arzt hat den Befund, die Schmerzen bleiben", (Label(name="health", permille=700),)),
        ("Das kranke Haus und der Hivert", ()),
        ("pay DE89370400440532013000", (Label(name="financial", permille=1000),)),
        (f"use {GITHUB_TOKEN}", (Label(name="credentials", permille=1000),)),
    ],
)
def test_labels(detector, text, expected):
    """Topics come from the lexicon and from entities; what concerns a person scores higher than a question."""
    assert expected == detect(detector, text).labels


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("TLP:AMBER+STRICT // VS-NfD", ("TLP:AMBER+STRICT", "VS-NfD")),
        ("OFFICIAL SENSITIVE, EU-ONLY and (ITAR)", ("EU-ONLY", "ITAR", "OFFICIAL-SENSITIVE")),
        ("TLP:REDDER, GUITAR, itar, NON-CUI, CUIX, CUI-X, tlp:red", ()),
    ],
)
def test_markings_are_whole_tokens_in_their_own_case(detector, text, expected):
    """Residency markings are reported apart from labels."""
    assert (expected, ()) == (detect(detector, text).residency_labels, detect(detector, text).labels)


def test_findings_name_their_segment_and_come_in_order(detector):
    """Segments are numbered as given, a repeated text is found again from the cache."""
    text = "a@example.com"

    findings = detect(detector, text, "nothing", text).findings

    assert [(0, Span(start=0, end=13)), (2, Span(start=0, end=13))] == [(each.segment, each.span) for each in findings]


def detected(detector: PatternDetector, *parts: tuple[str, bool]) -> list[tuple[int, str]]:
    """(segment, entity) of what is found in segments, as (text, whether it is the name of a member)."""
    segments = [
        TextSegment(role=Role.ARGS, place="/a/*", text=SensitiveText(text), is_name=is_name) for text, is_name in parts
    ]
    return [(each.segment, each.entity_type) for each in detector.detect_now(segments, deadline_ms=60_000).findings]


@pytest.mark.parametrize("between", [" ", "\n", "\u200b", ""])
def test_a_part_that_says_nothing_parts_no_value(detector, between):
    """Blanks and what does not show may stand between the halves of a card."""
    parts = ("my card 4111 1111", False), (between, False), ("1111 1111 thanks", False)

    assert [(0, "CREDIT_CARD"), (2, "CREDIT_CARD")] == detected(detector, *parts)


def test_values_of_one_object_meet_over_the_names_between_them(detector):
    """`{"first": "4111 1111", "second": "1111 1111"}`."""
    parts = ("first", True), ("4111 1111", False), ("second", True), ("1111 1111", False)

    assert [(1, "CREDIT_CARD"), (3, "CREDIT_CARD")] == detected(detector, *parts)


def test_a_value_over_a_seam_is_found_once_in_each_of_its_parts(detector):
    """Though seams are read with and without a blank, and overlap."""
    assert [(number, "CREDIT_CARD") for number in range(16)] == detected(
        detector, *((figure, False) for figure in "4111111111111111")
    )
    assert [(0, "IBAN_CODE"), (1, "IBAN_CODE")] == detected(
        detector, ("DE89 3704 0044", False), ("0532 0130 00", False)
    )


async def test_many_short_segments_are_read_while_the_loop_keeps_turning():
    """Each costs more than its characters: the loop has other work to do."""
    threads = set()

    class Noting:
        version = "1"

        def read(self, text: str, *, deadline: float) -> Reading:
            threads.add(threading.get_ident())
            return Reading(status=DetectionStatus.COMPLETE)

    segments = [
        TextSegment(role=Role.USER, place="/messages/*/content", text=SensitiveText(f"item {number}"))
        for number in range(1_000)
    ]
    await PatternDetector(reader=Noting()).detect(segments, deadline_ms=60_000)

    assert threading.get_ident() not in threads


def test_a_deadline_that_has_passed_is_a_timeout_and_is_not_remembered(detector):
    """The status says timeout; the same text is read in full the next time."""
    text = "late a@example.com"

    statuses = [detect(detector, text, deadline_ms=deadline).status for deadline in (-1, 60_000)]

    assert [DetectionStatus.TIMEOUT, DetectionStatus.COMPLETE] == statuses


def test_more_findings_than_the_limit_are_partial(reader):
    """A flood of entities keeps a bounded number of them and says so."""
    reading = reader.read("a@b.co " * 200_000, deadline=time.monotonic() + 600)

    assert (DetectionStatus.PARTIAL, True) == (reading.status, 1_000 < len(reading.findings) <= MAX_FINDINGS)


async def test_long_text_is_read_while_the_loop_keeps_turning(detector):
    """Above the inline limit detection runs in a thread."""
    text = "b@example.com " + "lorem ipsum dolor " * INLINE_CHARS
    ticks = 0
    detection = asyncio.create_task(detector.detect(segments(text), deadline_ms=60_000))
    while not detection.done():
        await asyncio.sleep(0.001)
        ticks += 1

    assert (["EMAIL_ADDRESS"], True) == ([each.entity_type for each in detection.result().findings], ticks > 3)


class QuotingReader:
    """A reader that fails with the text in its message."""

    version = "broken"

    def read(self, text: str, *, deadline: float):
        raise ValueError(text)


async def test_failure_is_unavailable_and_quotes_nothing():
    """Neither the error nor what it refers to holds content."""
    broken = PatternDetector(reader=QuotingReader())

    with pytest.raises(DetectorUnavailable) as caught:
        await broken.detect(segments("secret"), deadline_ms=1000)

    assert ("detection failed with ValueError", None, None) == (
        str(caught.value),
        caught.value.__cause__,
        caught.value.__context__,
    )


def test_no_rule_opens_a_connection(socket_disabled):
    """Building the rules and checking an e-mail host use bundled tables alone."""
    reading = Reader().read("jane@example.co.uk +81 3-3224-5000", deadline=time.monotonic() + 60)

    assert ["EMAIL_ADDRESS", "PHONE_NUMBER"] == [each.entity_type for each in reading.findings]


def test_cache_is_bounded_by_entries_and_by_weight():
    """The least recently used leave first; what is heavier than all is not kept."""
    cache: DigestCache[str] = DigestCache(max_entries=2, max_weight=10)
    keys = [cache.key(text) for text in ("one", "two", "three", "four", "five")]
    cache.put(keys[0], "1", weight=1)
    cache.put(keys[1], "2", weight=1)
    cache.get(keys[0])
    cache.put(keys[2], "3", weight=1)
    after_entries = [cache.get(key) for key in keys]
    cache.put(keys[3], "4", weight=10)
    cache.put(keys[4], "5", weight=11)

    assert (["1", None, "3", None, None], [None, None, None, "4", None]) == (
        after_entries,
        [cache.get(key) for key in keys],
    )


def test_cache_keys_differ_by_version():
    """What other rules found is never taken for the result of these."""
    cache: DigestCache[int] = DigestCache(max_entries=4, max_weight=4)

    assert 3 == len({cache.key("text"), cache.key("text", "1"), cache.key("text", "2")})


class CountingReader:
    """Finds nothing, and counts how often it was asked."""

    def __init__(self, version: str) -> None:
        self.version = version
        self.texts: list[str] = []

    def read(self, text: str, *, deadline: float) -> Reading:
        self.texts.append(text)
        return Reading(status=DetectionStatus.COMPLETE)


def test_a_resent_text_is_read_once():
    """Chat history costs a lookup."""
    reader = CountingReader("1")
    detector = PatternDetector(reader=reader)
    for _ in range(3):
        detect(detector, "first", "second")

    assert ["first", "second"] == reader.texts


def test_the_cache_stays_within_its_bytes():
    """A budget too small for a result keeps none."""
    reader = CountingReader("1")
    detector = PatternDetector(reader=reader, max_bytes=1000)
    for text in ("a", "b", "c", "a", "c"):
        detect(detector, text)

    assert ["a", "b", "c", "a"] == reader.texts


def test_building_a_detector_imports_no_recogniser_framework():
    """Presidio brings spaCy, which takes seconds and half a gigabyte."""
    program = (
        "import sys; from classifiers.detector import PatternDetector; PatternDetector()\n"
        "print(sorted({'presidio_analyzer', 'spacy', 'tldextract'} & set(sys.modules)))"
    )
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=170)

    assert "[]\n" == printed.stdout


def test_cache_keys_tell_nothing_about_the_text():
    """Two processes' keys for one text differ."""
    first, second = (DigestCache[int](max_entries=1, max_weight=1) for _ in range(2))

    assert (16, False) == (len(first.key("text")), first.key("text") == second.key("text"))


@pytest.mark.parametrize(
    ("called", "text", "found"),
    [
        ("password", "hunter2xyz!", [("PASSWORD", "hunter2xyz!")]),
        ("cvv", "123", [("CREDIT_CARD_CVV", "123")]),
        ("steuerId", "86095742719", [("DE_TAX_ID", "86095742719")]),
        ("note", "write to jane@example.com", [("EMAIL_ADDRESS", "jane@example.com")]),
        ("jane@example.com", "is away", []),
        ("x" * 1_000_000 + " password", "hunter2xyz!", [("PASSWORD", "hunter2xyz!")]),
        ("password", "", []),
    ],
)
def test_a_value_is_read_with_the_name_it_goes_by(called: str, text: str, found: list[tuple[str, str]]) -> None:
    """Spans are those of the value, again from the cache; what is in the name is found where that is read."""
    segment = TextSegment(role=Role.ARGS, place="/arguments/*", text=SensitiveText(text), called=SensitiveText(called))
    detector = PatternDetector()
    for _ in range(2):
        findings = detector.detect_now([segment], deadline_ms=10_000).findings

        assert found == [(each.entity_type, text[each.span.start : each.span.end]) for each in findings]


def test_what_is_encoded_deeper_than_is_read_makes_the_reading_partial() -> None:
    """Three times is read to its end; of four nobody may think that nothing is there."""
    deep = b"card 4111 1111 1111 1111"
    statuses = []
    for _ in range(4):
        deep = base64.b64encode(deep)
        reading = Reader().read(deep.decode(), deadline=time.monotonic() + 60)
        statuses.append((reading.status, [each.entity_type for each in reading.findings]))

    assert [(DetectionStatus.COMPLETE, ["CREDIT_CARD"])] * 3 + [(DetectionStatus.PARTIAL, [])] == statuses


def test_the_clock_that_ran_out_is_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever limit is reached behind it: such a reading is not kept."""

    def stopped(*_: object) -> Traces:
        raise Exhausted(DetectionStatus.PARTIAL)

    reader = Reader()
    monkeypatch.setattr(Tracer, "traces", stopped)

    assert DetectionStatus.TIMEOUT is reader.read("jane@example.com", deadline=time.monotonic() - 1).status


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('password = "hunter2@corp.com!x9Q"', [("PASSWORD", "hunter2@corp.com!x9Q")]),
        ("db_password=Kx9-4111111111111111-zQ", [("PASSWORD", "Kx9-4111111111111111-zQ")]),
        ("password: jane@example.com", [("EMAIL_ADDRESS", "jane@example.com")]),
        (f"password={GITHUB_TOKEN}", [("API_KEY", GITHUB_TOKEN)]),
    ],
)
def test_a_secret_that_holds_an_address_or_a_number_is_a_secret(text: str, found: list[tuple[str, str]]) -> None:
    """What it holds is named alone only where that is all of it."""
    findings = Reader().read(text, deadline=time.monotonic() + 60).findings

    assert found == [(each.entity_type, text[each.span.start : each.span.end]) for each in findings]


def test_what_is_encoded_once_more_does_not_hide_behind_what_stands_beside_it() -> None:
    """Both are told, under the carrier that holds both."""
    inner = base64.b64encode(b"password: hunter2Secret!9x and more").decode()
    carrier = base64.b64encode(f"mail jane@example.org ; {inner}".encode()).decode()
    findings = Reader().read(carrier, deadline=time.monotonic() + 60).findings

    assert {("EMAIL_ADDRESS", "base64"), ("PASSWORD", "base64>base64")} == {
        (each.entity_type, each.via) for each in findings
    }
