"""Values that machines write: identifiers, credentials, code, addresses of hosts, money and numbers."""

from __future__ import annotations

import base64
import random
import string
import uuid
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Final

_ALNUM = string.ascii_letters + string.digits
_UPPER = string.ascii_uppercase + string.digits
_LOWER = string.ascii_lowercase + string.digits
_HEX = "0123456789abcdef"
_NOUNS = (
    "user order item account invoice report session token event message node cache task queue product payment record file job "
    "page ticket metric photo route config batch student booking device"
).split()
_VERBS = (
    "get load parse update remove send check build merge count find sync filter render fetch create validate".split()
)
# `#` a digit, `?` a capital, `~` a blank; what people call such a number is left to the template.
_IDS: Final[Mapping[str, Sequence[str]]] = {
    "case": "??/###/??? ?#???# ??-####### ####/??/## ??##?##### ??-##### ####-? #####/## 20##-####? ?-#### CV-20##-##### ##-cv-##### ??####### #:##-CR-##### CASE-##### #### ###-##-??? SR-######## INC0######".split(),
    "employee": "?-##### ??-###/# ##### ###### E##### EMP-##### EMP###### ??#### #### P-#### ##-#### W####### E-##### HR-#####".split(),
    "customer": "??-####/## ###-?? ?##### ######## C-###### CUST-##### ##-###### KD-##### ???-##### ########## ###~###~### A####### ###-###-###".split(),
    "patient": "??-#### ###/####/? ?##-#### ####### MRN###### P######## ##-##-## ###~###~#### PT-##### H####### ########## M##### NHS-#######".split(),
    "policy": "??/#####/? ??-####/# ##/####### ??-####-## POL-####### ??-######## ###-######-## ????######## PL##/##### ##########-# H#-###### BA#######".split(),
    "order": "####-##### ??-##?? ?#?##? ??##?? ????## #####-? ###-#######-####### #####-? ORD-###### #######-### SO###### A-####-#### PO-##### W######### BX######".split(),
    "student": "s####### ######## ST-##### U####### ##-##### #####? 20######".split(),
}
_PASSWORDS = "Winter Summer Dragon Monkey Football Sunshine Welcome Passw0rd Charlie Purple Coffee Tiger Berlin London Shadow".split()


def identifier(chance: random.Random, of: str) -> str:
    """An identifier of a case, an employee, ... in one of many shapes."""
    return _filled(chance, chance.choice(_IDS[of]).replace("~", " "))


def secret(chance: random.Random) -> str:
    """A key, token or password of a real shape, at random: no vendor ever gave it out."""
    return chance.choice(_SECRETS)(chance)


def code(chance: random.Random, language: str) -> str:
    """A few lines that could stand in a real program."""
    noun, verb = chance.choice(_NOUNS), chance.choice(_VERBS)
    text = chance.choice(_snippets()[language])
    for mark, value in (("$n", noun), ("$v", verb), ("$N", noun.title()), ("$i", str(chance.randint(2, 400)))):
        text = text.replace(mark, value)
    return text


def money(chance: random.Random) -> str:
    """An amount with its currency."""
    size = chance.choice((10, 100, 1000, 10_000, 100_000, 2_000_000))
    amount = chance.randint(size // 10 + 1, size)
    written = f"{amount:,}" if chance.random() < 0.5 else str(amount)
    form = chance.choice(
        (
            "$#",
            "£#",
            "€#",
            "# EUR",
            "# USD",
            "# €",
            "# euros",
            "# dollars",
            "CHF #",
            "₹#",
            "# kr",
            "R$ #",
            "# pounds",
            "$#.00",
        )
    )
    return form.replace("#", written)


def machine(chance: random.Random, kind: str) -> str:
    """A value of `kind`: ip, uuid, hash, filename, int, percent, ssn, card, iban. Card numbers pass no checksum on purpose."""
    return _MACHINE[kind](chance)


def of_letters(chance: random.Random, letters: str, count: int) -> str:
    """`count` letters."""
    return "".join(chance.choices(letters, k=count))


def renumbered(chance: random.Random, text: str) -> str:
    """`text` with other digits; a number that begins with no nought still does not."""
    made, before = [], ""
    for letter in text:
        if letter.isascii() and letter.isdigit():
            first = not (before.isascii() and before.isdigit())
            made.append(letter if letter == "0" and first else chance.choice("123456789" if first else "0123456789"))
        else:
            made.append(letter)
        before = letter
    return "".join(made)


def _filled(chance: random.Random, shape: str) -> str:
    letters = (
        chance.choice("0123456789") if c == "#" else chance.choice(string.ascii_uppercase) if c == "?" else c
        for c in shape
    )
    return "".join(letters)


@cache
def _snippets() -> Mapping[str, tuple[str, ...]]:
    text = (Path(__file__).parent / "words" / "snippets.txt").read_text(encoding="utf-8")
    by_language: dict[str, list[str]] = {}
    for part in text.split("\n== ")[1:]:
        language, _, lines = part.partition("\n")
        by_language.setdefault(language, []).append(lines.strip("\n"))
    return {language: tuple(snippets) for language, snippets in by_language.items()}


def _token(prefix: str, letters: str, count: int) -> Callable[[random.Random], str]:
    return lambda chance: prefix + of_letters(chance, letters, count)


def _password(chance: random.Random) -> str:
    word = chance.choice(_PASSWORDS)
    return chance.choice(
        (
            f"{word}{chance.randint(1, 2026)}{chance.choice('!?#*$')}",
            f"{word.lower()}{chance.randint(10, 9999)}",
            f"{word}-{chance.choice(_PASSWORDS)}-{chance.choice(_NOUNS)}-{chance.randint(1, 99)}",
            of_letters(chance, _ALNUM + "!@#%^&*-_", chance.randint(9, 18)).strip("-_") + "7",
            f"{word.replace('o', '0').replace('e', '3')}{chance.choice('!@#')}{chance.randint(1, 99)}",
        )
    )


def _jwt(chance: random.Random) -> str:
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').decode().rstrip("=")
    body = base64.urlsafe_b64encode(
        f'{{"sub":"{chance.randrange(10**9)}","iat":{chance.randrange(10**9)}}}'.encode()
    ).decode()
    return f"{head}.{body.rstrip('=')}.{of_letters(chance, _ALNUM + '-_', 43)}"


def _url_with_password(chance: random.Random) -> str:
    scheme, port = chance.choice(
        (("postgres", 5432), ("mysql", 3306), ("mongodb", 27017), ("redis", 6379), ("amqp", 5672))
    )
    word = of_letters(chance, _ALNUM, chance.randint(8, 16))
    return (
        f"{scheme}://{chance.choice(_NOUNS)}:{word}@db-{chance.randint(1, 9)}.internal:{port}/{chance.choice(_NOUNS)}s"
    )


def _private_key(chance: random.Random) -> str:
    kind = chance.choice(("RSA PRIVATE KEY", "PRIVATE KEY", "OPENSSH PRIVATE KEY", "EC PRIVATE KEY"))
    lines = "\n".join(of_letters(chance, _ALNUM + "+/", 64) for _ in range(chance.randint(2, 4)))
    return f"-----BEGIN {kind}-----\n{lines}\n-----END {kind}-----"


def _ip(chance: random.Random) -> str:
    if chance.random() < 0.15:
        return ":".join(f"{chance.randrange(65536):x}" for _ in range(8))
    return ".".join(str(chance.randint(1, 254)) for _ in range(4))


def _filename(chance: random.Random) -> str:
    ending = chance.choice("pdf docx xlsx csv png py js ts go log txt json yaml zip md sql ipynb pptx jpg mp4".split())
    stem = chance.choice(
        (
            chance.choice(_NOUNS),
            f"{chance.choice(_NOUNS)}_{chance.choice(_NOUNS)}",
            f"{chance.choice(_VERBS)}-{chance.choice(_NOUNS)}",
        )
    )
    tail = chance.choice(("", "", f"_v{chance.randint(2, 9)}", f"-{chance.randint(2015, 2026)}", "_final"))
    folder = chance.choice(("", "", "", "src/", "/var/log/", "~/Downloads/", "C:\\temp\\"))
    return f"{folder}{stem}{tail}.{ending}"


def _iban(chance: random.Random) -> str:
    shape = chance.choice(
        (
            "DE## #### #### #### #### ##",
            "GB##???? ############",
            "FR## #### #### #### #### #### ###",
            "NL##????##########",
            "ES######################",
        )
    )
    return _filled(chance, shape)


_SECRETS: Final[tuple[Callable[[random.Random], str], ...]] = (
    *(_password,) * 7,
    _token("sk-", _ALNUM, 48),
    _token("sk-proj-", _ALNUM + "-_", 64),
    _token("sk_live_", _ALNUM, 24),
    _token("AKIA", string.ascii_uppercase + "234567", 16),
    _token("", _ALNUM + "+/", 40),
    _token("ghp_", _ALNUM, 36),
    _token("glpat-", _ALNUM + "-_", 20),
    _token("AIza", _ALNUM + "-_", 35),
    _token("hf_", string.ascii_letters, 34),
    _token("npm_", _ALNUM, 36),
    _token("", _HEX, 32),
    _token("", _HEX, 40),
    _token("", _ALNUM, 24),
    _token("", _LOWER, 20),
    lambda c: f"xoxb-{c.randrange(10**10, 10**12)}-{c.randrange(10**10, 10**12)}-{of_letters(c, _ALNUM, 24)}",
    lambda c: f"SG.{of_letters(c, _ALNUM, 22)}.{of_letters(c, _ALNUM + '-_', 43)}",
    lambda c: f"Bearer {of_letters(c, _ALNUM, 40)}",
    _jwt,
    _url_with_password,
    _private_key,
)
_MACHINE: Final[Mapping[str, Callable[[random.Random], str]]] = {
    "ip": _ip,
    "uuid": lambda c: str(uuid.UUID(int=c.getrandbits(128), version=4)),
    "hash": lambda c: of_letters(c, _HEX, c.choice((7, 8, 12, 32, 40, 64))),
    "filename": _filename,
    "int": lambda c: str(c.randint(1, c.choice((9, 12, 30, 99, 500, 9999)))),
    "percent": lambda c: f"{c.randint(1, 99)}{c.choice(('%', '%', ' %', ' percent', f'.{c.randint(1, 9)}%'))}",
    "ssn": lambda c: _filled(c, c.choice(("###-##-####", "###-##-####", "### ## ####", "#########"))),
    "card": lambda c: _filled(
        c, c.choice(("4### #### #### ####", "5###############", "4###-####-####-####", "37## ###### #####"))
    ),
    "iban": _iban,
}
