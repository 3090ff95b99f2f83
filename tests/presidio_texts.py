"""Texts with made-up values of every kind that Presidio's default English recognisers find, equal for equal seeds."""

from __future__ import annotations

import hashlib
import string
from collections.abc import Callable, Iterator, Mapping
from random import Random

Maker = Callable[[Random], str]


def digits(random: Random, count: int) -> str:
    return "".join(random.choices(string.digits, k=count))


def card(random: Random) -> str:
    prefix, length = random.choice(
        (("4", 16), ("51", 16), ("55", 16), ("2221", 16), ("34", 15), ("37", 15), ("6011", 16), ("6759", 12))
    )
    number = _with_luhn(prefix + digits(random, length - 1 - len(prefix)))
    if length == 12:
        return number
    if length == 15:
        return random.choice((number, f"{number[:4]} {number[4:10]} {number[10:]}"))
    return random.choice(("", "-", " ")).join(number[at : at + 4] for at in range(0, 16, 4))


def _with_luhn(body: str) -> str:
    doubled = [int(each) * (2 - place % 2) for place, each in enumerate(reversed(body))]
    return body + str(-sum(each // 10 + each % 10 for each in doubled) % 10)


# Letters, digits and either of the national part, in order; the registry of ISO 13616.
_IBANS: Mapping[str, tuple[tuple[str, int], ...]] = {
    "AT": (("n", 16),),
    "BE": (("n", 12),),
    "CH": (("n", 5), ("c", 12)),
    "DE": (("n", 18),),
    "DK": (("n", 14),),
    "ES": (("n", 20),),
    "FR": (("n", 10), ("c", 11), ("n", 2)),
    "GB": (("a", 4), ("n", 14)),
    "IT": (("a", 1), ("n", 10), ("c", 12)),
    "NL": (("a", 4), ("n", 10)),
    "PL": (("n", 24),),
    "SE": (("n", 20),),
}
_ALPHABETS = {"n": string.digits, "a": string.ascii_uppercase, "c": string.digits + string.ascii_uppercase}


def iban(random: Random) -> str:
    country = random.choice(sorted(_IBANS))
    national = "".join("".join(random.choices(_ALPHABETS[kind], k=count)) for kind, count in _IBANS[country])
    remainder = int("".join(str(int(each, 36)) for each in f"{national}{country}00")) % 97
    number = f"{country}{98 - remainder:02d}{national}"
    return random.choice((number, " ".join(number[at : at + 4] for at in range(0, len(number), 4))))


def email(random: Random) -> str:
    first, last = random.choice(("jane", "john", "mary", "peter", "anna")), random.choice(("doe", "miller", "novak"))
    local = random.choice((f"{first}.{last}", f"{first}_{last}", f"{first}{random.randint(1, 99)}", f"{first}+tag"))
    return f"{local}@{random.choice(('example.com', 'example.org', 'mail.example.co.uk', 'company.io', 'example.de'))}"


def phone(random: Random) -> str:
    area, office, line = random.choice((212, 415, 650, 312)), random.choice((555, 234, 789)), digits(random, 4)
    return random.choice(
        (
            f"({area}) {office}-{line}",
            f"{area}-{office}-{line}",
            f"+1 {area} {office} {line}",
            f"+1-{area}-{office}-{line}",
            f"+44 20 7946 0{digits(random, 3)}",
            f"+49 30 {digits(random, 6)}",
            f"+33 1 42 {digits(random, 2)} {digits(random, 2)} {digits(random, 2)}",
            f"020 7946 0{digits(random, 3)}",
        )
    )


def ssn(random: Random) -> str:
    area, group, serial = random.randint(1, 899), random.randint(1, 99), random.randint(1, 9999)
    return random.choice(("-", " ", "", ".")).join((f"{area:03d}", f"{group:02d}", f"{serial:04d}"))


def itin(random: Random) -> str:
    area, group, serial = f"9{digits(random, 2)}", random.choice((50, 65, 70, 88, 90, 92, 99)), digits(random, 4)
    return random.choice((f"{area}-{group}-{serial}", f"{area} {group} {serial}", f"{area}{group}{serial}"))


def ip(random: Random) -> str:
    four = ".".join(str(random.randint(1, 254)) for _ in range(4))
    six = ":".join(f"{random.getrandbits(16):x}" for _ in range(8))
    return random.choice((four, f"{four}/24", six, f"2001:db8::{random.getrandbits(16):x}", "::1"))


def url(random: Random) -> str:
    host = random.choice(("example.com", "www.example.org", "docs.example.net", "shop.example.co.uk"))
    return random.choice(
        (f"https://{host}/a?x={random.randint(1, 99)}", f"http://{host}", host, f"https://{host}:8443/x")
    )


def date(random: Random) -> str:
    day, month, year = random.randint(1, 28), random.randint(1, 12), random.randint(1940, 2029)
    name = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()[month - 1]
    return random.choice(
        (
            f"{year}-{month:02d}-{day:02d}",
            f"{month:02d}/{day:02d}/{year}",
            f"{day:02d}.{month:02d}.{year}",
            f"{day:02d}-{name}-{year}",
            f"{year}-{month:02d}-{day:02d}T12:30:00Z",
            f"{name}-{year}",
            f"{month:02d}/{year}",
        )
    )


_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def bitcoin(random: Random) -> str:
    return random.choice(
        (_base58(b"\x00" + random.randbytes(20)), _base58(b"\x05" + random.randbytes(20)), _bech32(random))
    )


def _base58(payload: bytes) -> str:
    raw = payload + hashlib.sha256(hashlib.sha256(payload).digest()).digest()[:4]
    number, written = int.from_bytes(raw, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        written = _BASE58[digit] + written
    return "1" * (len(raw) - len(raw.lstrip(b"\0"))) + written


def _bech32(random: Random) -> str:
    version, size, constant = random.choice(((0, 20, 1), (1, 32, 0x2BC830A3)))
    bits = "".join(f"{each:08b}" for each in random.randbytes(size))
    bits += "0" * (-len(bits) % 5)
    data = [version, *(int(bits[at : at + 5], 2) for at in range(0, len(bits), 5))]
    check = _polymod([3, 3, 0, 2, 3, *data, 0, 0, 0, 0, 0, 0]) ^ constant
    return "bc1" + "".join(_BECH32[each] for each in [*data, *(check >> 5 * (5 - at) & 31 for at in range(6))])


def _polymod(values: list[int]) -> int:
    state = 1
    for value in values:
        top = state >> 25
        state = (state & 0x1FFFFFF) << 5 ^ value
        for at, term in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            state ^= term if top >> at & 1 else 0
    return state


def mac(random: Random) -> str:
    octets = [f"{random.getrandbits(8):02x}" for _ in range(6)]
    return random.choice((":".join(octets), "-".join(octets).upper()))


def nhs(random: Random) -> str:
    while True:
        body = digits(random, 9)
        check = -sum((10 - place) * int(each) for place, each in enumerate(body)) % 11
        if check < 10:
            number = f"{body}{check}"
            return random.choice(("", " ", "-")).join((number[:3], number[3:6], number[6:]))


def passport(random: Random) -> str:
    return random.choice(("", random.choice("ABCDEXZ"))) + digits(random, 9)[:9]


def bank_account(random: Random) -> str:
    return digits(random, random.randint(8, 17))


def driver_license(random: Random) -> str:
    return random.choice((f"{random.choice('ABCDHV')}{digits(random, 7)}", digits(random, 8), f"AC{digits(random, 6)}"))


def dea(random: Random) -> str:
    body = digits(random, 6)
    check = sum(map(int, body[::2])) + 2 * sum(map(int, body[1::2]))
    return f"{random.choice('ABFGMPR')}{random.choice('ABCDSM')}{body}{check % 10}"


def uuid(random: Random) -> str:
    raw = f"{random.getrandbits(128):032x}"
    return f"{raw[:8]}-{raw[8:12]}-4{raw[13:16]}-{random.choice('89ab')}{raw[17:20]}-{raw[20:]}"


# Each kind with the words that people write in front of it.
KINDS: tuple[tuple[Maker, str], ...] = (
    (card, "credit card"),
    (iban, "IBAN"),
    (email, "my email is"),
    (phone, "call me at"),
    (ssn, "social security number"),
    (itin, "taxpayer id"),
    (ip, "server at"),
    (url, "see"),
    (date, "born on"),
    (bitcoin, "btc wallet"),
    (mac, "mac address"),
    (nhs, "NHS number"),
    (passport, "US passport"),
    (bank_account, "bank account"),
    (driver_license, "driver license"),
    (dea, "DEA certificate"),
    (uuid, "request"),
)
_FILLERS = (
    "Please check this today,",
    "thanks a lot.",
    "We talked about it last week;",
    "The order has shipped and",
    "I am writing to ask whether",
    "nothing else is needed.",
)


def texts(count: int, *, seed: int) -> Iterator[str]:
    """`count` texts of one to three values, six in ten of them behind their words."""
    random = Random(seed)
    for _ in range(count):
        parts: list[str] = []
        for make, words in random.choices(KINDS, k=random.randint(1, 3)):
            parts.append(random.choice(_FILLERS))
            if random.random() < 0.6:
                parts.append(words)
            parts.append(make(random) + random.choice(("", "", ",", ".", ";", " and")))
        yield " ".join(parts)
