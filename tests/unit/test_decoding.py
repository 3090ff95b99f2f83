"""What is encoded or spelled out in a text, how it is called, and what is left alone."""

# ruff: noqa: RUF001 - look-alikes are what this is about
from __future__ import annotations

import base64
import contextlib
import gzip
import random
import re
import time
import zlib

import pytest

from classifiers.decoding import MAX_INFLATED, READ_IN_A_MICROSECOND, Budget, carriers, readable
from classifiers.meter import Exhausted, Meter
from classifiers.view import View
from classifiers.views import views

ADDRESS = "jane.roe@example.com"


def read(text: str) -> dict[str, View]:
    """The further views of `text` by how they came about."""
    meter = Meter(len(text), deadline=time.monotonic() + 60)
    return {view.via: view for view in views(text, meter) if view.via}


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("text", "via"),
    [
        (encoded(ADDRESS), "base64"),
        (encoded(ADDRESS).rstrip("="), "base64"),
        (encoded(encoded(ADDRESS)), "base64>base64"),
        (encoded(ADDRESS.encode().hex()), "base64>hex"),
        (base64.b64encode(gzip.compress(ADDRESS.encode())).decode(), "base64>gzip"),
        (base64.b64encode(zlib.compress(ADDRESS.encode())).decode(), "base64>gzip"),
        (base64.b64encode(ADDRESS.encode("utf-16-be")).decode(), "base64"),
        (base64.b32encode(ADDRESS.encode()).decode(), "base32"),
        (ADDRESS.encode().hex(), "hex"),
        (ADDRESS.encode().hex(":"), "hex"),
        (encoded(" ".join(ADDRESS)), "base64>spaced"),
        (encoded("jane.roe%40example.com"), "base64>percent"),
        ("jane.roe%40example.com", "percent"),
        ("jane.roe%2540example.com", "percent"),
        ("jane.roe&#64;example.com", "html"),
        ("jane.roe&amp;commat;example.com", "html"),
        (r"jane.roe\u0040example.com", "json"),
        (r"jane.roe\\\\u0040example.com", "json"),
        ("jane.roe=40example.com", "quoted-printable"),
        (r"jane\u002eroe%40example.com", "json+percent"),
        ("rot13: wnar.ebr@rknzcyr.pbz", "rot13"),
        (" ".join(ADDRESS), "spaced"),
        ("jane.roe [at] example [dot] com", "at-dot"),
        ("jane.roe@example.\ncom", "broken"),
    ],
)
def test_an_address_comes_out_under_the_name_of_what_hid_it(text: str, via: str) -> None:
    """`via` names the encodings from the outside in, and the whole carrier is what a finding would cover."""
    text = f"see {text} now"
    view = read(text)[via]
    at = view.scan.index(ADDRESS.encode())
    span = view.span(at, at + len(ADDRESS))
    shown = text[span.start : span.end]

    hidden = text.removeprefix("see ").removeprefix("rot13: ").removesuffix(" now")
    assert hidden == shown


def test_context_stands_beside_what_was_decoded() -> None:
    """Words around a carrier are read with it; numbers and addresses beside it are not read twice."""
    view = read(f"my ssn, not 12345 or a@b.co: {encoded('536-90-4399')} of Jane")["base64"]

    assert b"my ssn, not \x01\x01\x01\x01\x01 or a\x01b.co:  536-90-4399  of Jane" == view.scan


def test_escapes_inside_running_text_stay_exact() -> None:
    """A value with one escaped character is covered with its escape, and nothing else is."""
    text = "card &#52;111 1111 1111 111&#49;, thanks"
    view = read(text)["html"]
    at = view.scan.index(b"4111")
    span = view.span(at, at + 19)

    assert "&#52;111 1111 1111 111&#49;" == text[span.start : span.end]


@pytest.mark.parametrize(
    ("text", "scan"),
    [
        ("five three six dash nine zero dash four three nine nine", b"536-90-4399"),
        ("double four, triple one, two three", b"4411123"),
        ("null eins zwei drei vier fünf sechs", b"0123456"),
        ("zéro un deux trois quatre cinq six", b"0123456"),
        ("zero um dois três quatro cinco seis", b"0123456"),
        ("nul een twee drie vier vijf zes", b"0123456"),
        ("uno-due-tre-quattro-cinque-sei-sette", b"1234567"),
    ],
)
def test_digits_in_words_become_digits(text: str, scan: bytes) -> None:
    """Runs of seven and more, in seven languages."""
    assert scan in read(f"it is {text} ok")["words"].scan


@pytest.mark.parametrize(
    "text",
    [
        "Hello, could you look at example.com? It is at noon (see below), one or two of us will come.",
        "one two three",
        "https://example.com/a/b/c?lang=en&page=2#top",
        "commit 3f786850e387550fdab836ed7e6dc881de23001b by x",
        "123e4567-e89b-42d3-a456-426614174000",
        base64.b64encode(bytes(range(256))).decode(),
        "internationalization-and-localization/of/everything",
        "12345\n67890\n12345\n67890\n12345\n67890\n12345\n67890\n",
        "C:\\Users\\jane\\file",
        "a = b & c; d = e && f",
        "100% of 20% is 20%",
        "Tom & Jerry &copy; 2024 &amp; others",
        "jane@example.com",
    ],
)
def test_ordinary_text_has_no_further_view(text: str) -> None:
    """Nothing is made of text that hides nothing."""
    assert {} == read(text)


def test_hidden_characters_are_read() -> None:
    """Tag characters, bytes in variation selectors, and text that is shown backwards."""
    tags = "".join(chr(0xE0000 + ord(each)) for each in ADDRESS)
    selectors = "".join(chr(0xE0100 + each - 16) for each in ADDRESS.encode())
    for via, text in (
        ("tags", f"a{tags}b"),
        ("selectors", f"a{selectors}b"),
        ("override", f"a\u202e{ADDRESS[::-1]}\u202cb"),
    ):
        assert ADDRESS.encode() in read(text)[via].scan


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (b"jane@example.com", "jane@example.com"),
        ("Zoë, Привет".encode(), "Zoë, Привет"),
        ("Zoë says hello to all".encode("latin-1"), "Zoë says hello to all"),
        ("jane@example".encode("utf-16-le"), "jane@example"),
        (b"short", None),
        (bytes(range(64)), None),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", None),
        (b"\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8", None),
    ],
)
def test_readable_tells_text_from_bytes(octets: bytes, text: str | None) -> None:
    """UTF-8, UTF-16 and Latin-1, nearly all of it printable."""
    assert text == readable(octets)


def test_a_compressed_bomb_is_read_no_further_than_the_limit() -> None:
    """What inflates to megabytes is inflated to the limit alone, or ends the reading as partial."""
    bomb = base64.b64encode(gzip.compress(b"x " * 5_000_000)).decode()

    assert len(read(bomb + " " * 50_000)["base64>gzip"].scan) <= MAX_INFLATED + 128


@pytest.mark.parametrize(
    "piece",
    [
        *(
            "a ",
            "1 ",
            "%",
            "%41",
            "%2541",
            "&#",
            "&#49;",
            "\\",
            "\\u0031",
            "\\u00e9a",
            "=41",
            "=\n",
            "QUJDREVGR0hJSktM ",
            "0x41 ",
        ),
        *(
            "one ",
            "one, two-",
            "a[at]b.co ",
            "a at a dot a ",
            "@",
            "a@a. ",
            "(",
            "1\n",
            "1234_",
            "rot13 ",
            "a@a.pbz ",
            "\u202eabcdefg",
        ),
        *(
            "\U000e0041",
            "aа ",
            "a\u200b",
            "%41\\u0041&#65;=41=41 ",
            "x x x x x x x xx ",
            "QUJD" * 19 + "\n",
            "abcdefghijklmno ",
        ),
    ],
)
def test_hostile_text_ends_in_time(piece: str) -> None:
    """64 kB of any cue cost a few dozen milliseconds, and what hangs costs minutes: asserted in between."""
    text = (piece * (65_536 // len(piece) + 1))[:65_536]
    started = time.process_time()
    with contextlib.suppress(Exhausted):
        read(text)

    assert time.process_time() - started < 30


def test_plus_signs_and_percent_escapes_of_a_form_are_undone_where_they_stand():
    """Both kinds in one body: the view reads from left to right, each value whole."""
    text = "card=4111+1111+1111+1111&city=K%C3%B6ln&mail=jane%40example.com&tel=030+901820"

    view = read(text)["percent"]

    positions = [view.position(at) for at in range(len(view.scan))]
    assert b"card=4111 1111 1111 1111&city=Koln&mail=jane@example.com&tel=030 901820" == view.scan
    assert sorted(positions) == positions


def test_lines_that_begin_as_text_and_end_as_none_are_read_together_once() -> None:
    """Three megabytes, text in their first half: what follows is not decoded again from every line on."""
    plain = b"So it says in English." * 48_000 + bytes(range(9)) * 120_000
    text = "\n".join(base64.b64encode(plain[at : at + 48]).decode() for at in range(0, len(plain), 48))
    budget = Budget(len(text), Meter(len(text), deadline=time.monotonic() + 600))

    said = "".join(found for _, _, _, found in carriers(text.encode(), budget))

    assert said.count("So it says in English.") == 48_000


def test_what_is_decoded_is_charged_for_by_its_length() -> None:
    """One run of a megabyte is one attempt and costs what it takes to read."""
    run = base64.b64encode(b"So it says in English." * 36_000)
    meter = Meter(len(run), deadline=time.monotonic() + 600)

    assert len(list(carriers(run, Budget(len(run), meter)))) == 1
    assert meter.spent * 10 >= len(run) // READ_IN_A_MICROSECOND


def test_each_line_of_a_block_that_is_not_one_text_is_read_by_itself() -> None:
    """Lines that were encoded one by one, and lines behind one that is none."""
    addresses = [f"person.{number}@example.com" for number in range(3)]
    lines = "\n".join(encoded(each).rstrip("=") for each in addresses)
    apart = read(f"keys\n{lines}\n")["base64"].scan
    behind = read("an_identifier_of_some_length\n" + base64.encodebytes(b"so " * 40 + ADDRESS.encode()).decode())

    assert [each for each in addresses if each.encode() not in apart] == []
    assert ADDRESS.encode() in behind["base64"].scan


@pytest.mark.parametrize(
    ("hidden", "via"),
    [
        (base64.b64encode(b"my mail is " + ADDRESS.encode() + bytes(range(128, 256))).decode(), "base64"),
        (base64.b64encode(bytes(range(1, 7)) + b"my mail is " + ADDRESS.encode()).decode(), "base64"),
        (base64.encodebytes(bytes(range(1, 7)) + b"my mail is " * 9 + ADDRESS.encode() + bytes(99)).decode(), "base64"),
        (base64.b64encode("Моя новая почта: ".encode("cp1251") * 3 + ADDRESS.encode()).decode(), "base64"),
        ("A" + encoded(f"my mail is {ADDRESS}"), "base64"),
        ("xy" + encoded(f"my mail is {ADDRESS}"), "base64"),
        (bytes(range(128, 150)).hex() + f"mail {ADDRESS}".encode().hex(), "hex"),
        (gzip.compress(f"my mail is {ADDRESS}".encode()).hex(), "hex>gzip"),
        (zlib.compress(f"my mail is {ADDRESS}".encode()).hex(), "hex>gzip"),
        (gzip.compress(f"my mail is {ADDRESS}".encode()).hex(" "), "hex>gzip"),
        (base64.a85encode(gzip.compress(f"my mail is {ADDRESS}".encode()), adobe=True).decode(), "base85>gzip"),
        ("".join(f"0x{ord(each):x}" for each in ADDRESS), "hex"),
        (" ".join(f"0X{ord(each):X}" for each in ADDRESS), "hex"),
        ("[\n" + ",\n".join(f"    {ord(each)}" for each in ADDRESS) + "\n]", "codes"),
    ],
)
def test_an_address_comes_out_of_what_is_text_in_part_or_not_at_once(hidden: str, via: str) -> None:
    """Before bytes or behind them, with characters in front, compressed in hex, in pairs with prefixes, as an array."""
    assert ADDRESS.encode() in read(f"see {hidden} now")[via].scan


CARD = "Y2FyZCA0MTExIDExMTEgMTExMSAxMTEx"


@pytest.mark.parametrize("below", ["Thanks,\nJohn", "Anna", "data", "done.", "Regards\nMary", "Sent"])
def test_a_word_below_a_run_is_none_of_its_lines(below: str) -> None:
    """Though it could be one more by its letters."""
    [(start, end, _, said)] = carriers(f"{CARD}\n{below}".encode(), unbounded())

    assert (0, len(CARD), "card 4111 1111 1111 1111") == (start, end, said)


@pytest.mark.parametrize("columns", [64, 76])
@pytest.mark.parametrize("length", range(55, 62))
def test_the_last_line_of_a_run_may_be_an_octet(columns: int, length: int) -> None:
    """Two or three characters and their padding."""
    plain = "x" * (length - len(ADDRESS)) + " " + ADDRESS
    run = encoded(plain)
    text = "\n".join(run[at : at + columns] for at in range(0, len(run), columns))
    [(start, end, _, said)] = carriers(text.encode(), unbounded())

    assert (0, len(text), plain) == (start, end, said)


def test_what_begins_a_line_above_a_shorter_one_can_be_read() -> None:
    """Where fewer characters than are looked at belong to the first line."""
    assert [] == list(carriers(b"0xb3e0b3cc33f72\nabcdefg", unbounded()))


@pytest.mark.parametrize(
    ("packed", "via", "left_out"),
    [
        (gzip.compress(b"hello world") + gzip.compress(ADDRESS.encode()), "base64>gzip", False),
        (gzip.compress(gzip.compress(ADDRESS.encode())), "base64>gzip>gzip", False),
        (gzip.compress(ADDRESS.encode() + b" and on" * 20_000), "base64>gzip", True),
        (gzip.compress(gzip.compress(gzip.compress(gzip.compress(ADDRESS.encode())))), "", True),
        (b"".join(map(gzip.compress, [ADDRESS.encode()] * 17)), "base64>gzip", True),
        (zlib.compress(ADDRESS.encode())[:2] + bytes(range(200, 240)), "", False),
    ],
)
def test_what_is_not_unpacked_to_its_end_is_left_out_and_said_so(packed: bytes, via: str, *, left_out: bool) -> None:
    """Members one behind the other are read, and what is packed twice."""
    text = base64.b64encode(packed)
    meter = Meter(len(text), deadline=time.monotonic() + 600)
    said = {how: what for _, _, how, what in carriers(text, Budget(1 << 20, meter))}

    assert ([via] if via else [], left_out) == ([how for how, what in said.items() if ADDRESS in what], meter.left_out)


def unbounded() -> Budget:
    """A budget that nothing here uses up."""
    return Budget(1 << 20, Meter(1 << 20, deadline=time.monotonic() + 600))


@pytest.mark.parametrize("between", [" ", "\n"])
def test_of_numbers_those_carry_something_that_are_text_in_hex(between: str) -> None:
    """UUIDs and digits are passed over, and nothing beside them."""
    number = "378282246310005"
    runs = ["123e4567-e89b-12d3-a456-426614174000", "123456789012345", number.encode().hex(), "9" * 40]
    text = between.join(runs)
    budget = Budget(len(text), Meter(len(text), deadline=time.monotonic() + 60))

    assert [(how, said) for _, _, how, said in carriers(text.encode(), budget)] == [("hex", number)]


def test_pictures_and_hashes_say_next_to_nothing() -> None:
    """Of two megabytes of chance in base64 less than a hundredth is taken for text, none of which is an address."""
    chance = random.Random(7)
    text = "\n".join(base64.b64encode(chance.randbytes(96_000)).decode() for _ in range(20))
    text += "\n\n" + " ".join(chance.randbytes(32).hex() for _ in range(1_000))
    budget = Budget(len(text), Meter(len(text), deadline=time.monotonic() + 600))
    said = "".join(found for _, _, _, found in carriers(text.encode(), budget))

    assert len(said) < len(text) // 100
    assert not re.search(r"\w@\w+\.\w", said)
