"""Addresses of people and machines: agreement with Presidio's recognisers, and what is no address."""

from __future__ import annotations

import ipaddress
import random
import re
import time
from functools import cache

import pytest
from presidio_analyzer import PatternRecognizer
from presidio_analyzer.predefined_recognizers.generic.email_recognizer import EmailRecognizer
from presidio_analyzer.predefined_recognizers.generic.ip_recognizer import IpRecognizer
from presidio_analyzer.predefined_recognizers.generic.mac_recognizer import MacAddressRecognizer
from presidio_analyzer.predefined_recognizers.generic.uuid_recognizer import UuidRecognizer
from stdnum import imei, imsi

from classifiers.checks.network import CHECKS, COUNTRIES, PLAIN_DOMAINS
from classifiers.rules import CATALOGUE, Rule, load_rules

HEX = "0123456789abcdef"


@cache
def rules() -> dict[str, Rule]:
    """The family rules by id."""
    return {rule.id: rule for rule in load_rules(CATALOGUE / "families")}


def matches(rule_id: str, text: str) -> list[str]:
    """What the expressions of a rule match and the check accepts; what lies inside another match is left out."""
    rule = rules()[rule_id]
    check = CHECKS[rule.check or ""]
    found = []
    for expression in rule.expressions:
        pattern = re.compile(expression.encode(), re.IGNORECASE if rule.caseless else 0)
        for match in pattern.finditer(text.encode("latin-1")):
            start, end = match.span(pattern.groups)
            if check(text[start:end]):
                found.append((start, end))
    outer = [each for each in set(found) if not any(o != each and o[0] <= each[0] and each[1] <= o[1] for o in found)]
    return [text[start:end] for start, end in sorted(outer)]


def theirs(recognizer: PatternRecognizer, text: str) -> list[str]:
    """What Presidio's recogniser reports, without what lies inside another."""
    spans = {(each.start, each.end) for each in recognizer.analyze(text, recognizer.supported_entities, None)}
    outer = [each for each in spans if not any(o != each and o[0] <= each[0] and each[1] <= o[1] for o in spans)]
    return [text[start:end] for start, end in sorted(outer)]


@pytest.mark.parametrize(
    "text",
    [
        "write to jane.doe@example.com, please", "<jane@example.co.uk>", "mailto:j+tag@mail.example.org?subject=x",
        "a_b-c@sub.example.museum.", "'o'brien@example.ie'", "x@xn--80ak6aa92e.com!", "key=jane@example.com;",
        "jane@example", "icon@2x.png", "a@b@example.com", "(jane@example.com)", "...jane@example.com", "jane@example.com.",
        "jane@example.com-", "jane@-example.com", "j@e.de und k@f.fr",
    ],
)  # fmt: skip
def test_mail_addresses_are_those_of_presidio(text: str) -> None:
    """Same text, same spans."""
    assert theirs(EmailRecognizer(), text) == matches("family.email", text)


def test_addresses_of_version_6_are_those_of_presidio() -> None:
    """Random addresses, compressed, exploded, with embedded version 4, with a mask."""
    drawn, recognizer = random.Random(6), IpRecognizer()
    for _ in range(150):
        packed = bytearray(drawn.randbytes(16))
        hole = drawn.randrange(0, 12)
        packed[hole : hole + 4] = bytes(4)
        address = ipaddress.IPv6Address(bytes(packed))
        for written in (
            address.compressed,
            address.exploded,
            f"{address}/64",
            f"::ffff:{drawn.randrange(64, 256)}.2.3.4",
        ):
            text = f"host {written} up"
            assert theirs(recognizer, text) == matches("family.ipv6", text) == [written]


def test_addresses_of_version_4_are_those_of_presidio_but_for_versions_and_loopback() -> None:
    """Four numbers with at least one of 64 or more; four small ones are left to the rule that needs a word."""
    drawn, recognizer = random.Random(7), IpRecognizer()
    for _ in range(300):
        numbers = [drawn.randrange(256) for _ in range(4)]
        text = f"host {'.'.join(map(str, numbers))} up"
        counts = (max(numbers) >= 64 or numbers[0] == 10) and numbers[0] != 127
        expected = theirs(recognizer, text) if counts else []
        assert expected == matches("family.ipv4", text)
    assert ["1.2.3.4"] == matches("family.ipv4_small", "ip 1.2.3.4")
    assert [] == matches("family.ipv4", "1.2.3.4.5.200 and 192.168.1.256 and v192.0.2.1")


def test_addresses_of_nobody_are_none() -> None:
    """The machine itself, any address, masks of networks; what only looks like a mask is one of a network."""
    text = "127.0.0.1 127.255.0.1/8 255.255.255.0 255.128.0.0 255.255.255.255 254.0.0.0 255.0.255.0 0.0.0.0"

    assert ["254.0.0.0", "255.0.255.0"] == matches("family.ipv4", text)
    assert [] == matches("family.ipv4_small", "ip 0.0.0.0")


def test_hardware_addresses_are_those_of_presidio_but_for_numbers_in_fours() -> None:
    """All three ways of writing them."""
    drawn, recognizer = random.Random(8), MacAddressRecognizer()
    for _ in range(100):
        raw = [f"{drawn.randrange(256):02x}" for _ in range(6)]
        fours = ".".join("".join(raw[at : at + 2]) for at in (0, 2, 4))
        for written in (":".join(raw), "-".join(raw).upper(), fours):
            text = f"mac {written} up"
            expected = [] if written.replace(".", "").isdigit() else theirs(recognizer, text)
            assert expected == matches("family.mac", text)
    assert ["4111.1111.1111"] == theirs(recognizer, "4111.1111.1111")
    assert [] == matches("family.mac", "4111.1111.1111")


def test_uuids_are_those_of_presidio() -> None:
    """Random ones of all versions and variants."""
    drawn, recognizer = random.Random(9), UuidRecognizer()
    for _ in range(200):
        raw = "".join(drawn.choice(HEX) for _ in range(32))
        text = f"id {raw[:8]}-{raw[8:12]}-{raw[12:16]}-{raw[16:20]}-{raw[20:]} up"
        assert theirs(recognizer, text) == matches("family.uuid", text)


@pytest.mark.parametrize(
    ("rule_id", "text", "expected"),
    [
        ("family.url", "see https://example.com/a?b=c#d (new)", ["https://example.com/a?b=c#d"]),
        ("family.url", "HTTP://EXAMPLE.COM:8080", ["HTTP://EXAMPLE.COM:8080"]),
        ("family.url", "https://example.community.notld/x", []),
        ("family.domain", "john.smith.de@example.com", []),
        ("family.domain", "on shop.example.co.uk/cart now", ["shop.example.co.uk/cart"]),
        ("family.domain", "self.net(x); torch.com; ASP.NET; foo.rs", []),
        ("family.domain", "1.2.3.de and 10.com", []),
        ("family.domain", "john.smith@example.com", []),
        ("family.domain", "WWW.Example.MUSEUM/a and EXAMPLE.DE.", ["WWW.Example.MUSEUM/a", "EXAMPLE.DE"]),
        ("family.domain_any", "at example.io today", ["example.io"]),
        ("family.domain_any", "my-shop.berlin/angebot?x=1, jane.io@example.com", ["my-shop.berlin/angebot?x=1,"]),
        ("family.mac_bare", "MAC address: 001A2B3C4D5E, mac deadbeefcafe, sha1 001a2b3c4d5e", ["001A2B3C4D5E"]),
        ("family.ipv4_number", "http://3232235777/admin", ["3232235777"]),
        ("family.ipv4_number", "http://3232235777.example.com", []),
        ("family.ipv6", "std::vector a[1::2] b[::2] 12:34:56 ::1 ::", []),
    ],
)
def test_hosts_are_read_as_a_whole(rule_id: str, text: str, expected: list[str]) -> None:
    """Code, versions and mail addresses hold no hosts."""
    assert expected == matches(rule_id, text)


@pytest.mark.parametrize("top", sorted(PLAIN_DOMAINS))
def test_the_expression_for_hosts_knows_the_domains_of_its_check(top: str) -> None:
    """The list stands in both: in the expression so that the engine passes over other dots."""
    assert [f"shop.{top}"] == matches("family.domain", f"on shop.{top} now")


def test_equipment_numbers_equal_the_oracle() -> None:
    """Luhn over 15 digits; ours also wants a known reporting body."""
    drawn = random.Random(10)
    for _ in range(2000):
        number = drawn.choice(["35", "86", "01"]) + "".join(drawn.choice("0123456789") for _ in range(13))
        assert imei.is_valid(number) == CHECKS["imei"](number)


def test_subscriber_numbers_of_every_country_of_the_oracle_are_known() -> None:
    """But for 289, which is in use without being in the list of the ITU."""
    numbers = [f"{code}01{'123456789':0>10}"[:15] for code in range(200, 800)]
    unknown = {number[:3] for number in numbers if imsi.is_valid(number) and not CHECKS["imsi"](number)}
    assert unknown == {"289"}
    assert all(COUNTRIES["imsi_country"](number) for number in numbers if CHECKS["imsi"](number))


@pytest.mark.parametrize("piece", ["a.", ".", "1.", "www.", "a@", "a-", "x", "a.a-", "::", "a@a."])
@pytest.mark.parametrize("rule_id", ["family.url", "family.domain", "family.email", "family.ipv4", "family.ipv6"])
def test_expressions_stay_linear_on_the_texts_that_stop_others(rule_id: str, piece: str) -> None:
    """Eight times the text takes far less than sixty-four times the time, from every place in it."""
    rule = rules()[rule_id]
    for expression in rule.expressions:
        pattern = re.compile(expression.encode())
        short, long = (piece.encode() * count for count in (2000, 16_000))
        assert _seconds(pattern, long) < 0.001 + 30 * _seconds(pattern, short)


def _seconds(pattern: re.Pattern[bytes], text: bytes) -> float:
    taken = []
    for _ in range(3):
        start = time.process_time()
        for _ in pattern.finditer(text):
            pass
        taken.append(time.process_time() - start)
    return min(taken)
