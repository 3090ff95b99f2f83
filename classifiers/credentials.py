"""Credentials in the forms their issuers give them: vendor keys, private keys, JSON Web Tokens.

Literal heads are found first (`str.find`, linear), then a form is matched at the head. Free `key = value` pairs are
left out: without an issuer's form they are guesses.
"""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from classifiers.anchors import Meter
from governance.finding import Finding
from governance.segment import Span

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_MAX_KEY_BLOCK = 16_384
_PEM_END = re.compile(r"-----END [A-Z0-9 ]{0,60}-----")
_PEM_BODY = re.compile(rf"[A-Za-z0-9+/=\s\\:,]{{0,{_MAX_KEY_BLOCK}}}")

# What a form's check says of a match: None drops it, otherwise (end, permille, validated).
Verdict = tuple[int, int, bool] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How one kind of credential is written, and what checks it."""

    entity_type: str
    heads: tuple[str, ...]
    pattern: re.Pattern[str]
    check: Callable[[str, re.Match[str]], Verdict]


def _crc_base62(payload: str) -> str:
    number, digits = zlib.crc32(payload.encode("ascii")), ""
    while number:
        number, digit = divmod(number, 62)
        digits = _BASE62[digit] + digits
    return digits.rjust(6, "0")


def _random(_text: str, match: re.Match[str]) -> Verdict:
    """Keys are random: words joined by hyphens have no digit, placeholders (`xxxx`) few different characters."""
    key = match[1]
    if any(map(str.isdigit, key)) and any(map(str.isalpha, key)) and len(set(key)) >= 8:
        return match.end(), 900, False
    return None


def _checksummed(text: str, match: re.Match[str]) -> Verdict:
    """Six characters of CRC-32 in base 62 end the token.

    Source: "Behind GitHub's new authentication token formats", github.blog, 2021-04-05; npm took the form over
    (github.blog changelog, 2021-09-23). A token that fails is kept: an issuer may change the form without notice.
    """
    if _crc_base62(match[1][:-6]) == match[1][-6:]:
        return match.end(), 1000, True
    return (match.end(), 600, False) if _random(text, match) else None


def _private_key(text: str, match: re.Match[str]) -> Verdict:
    """The whole armoured block (RFC 7468); without an end line, all that can be its body."""
    limit = match.end() + _MAX_KEY_BLOCK
    start = text.find("-----END ", match.end(), limit)
    closing = _PEM_END.match(text, start) if start >= 0 else None
    if closing is not None:
        return closing.end(), 1000, True
    body = _PEM_BODY.match(text, match.end())
    return (body.end() if body else match.end()), 950, False


def _token(_text: str, match: re.Match[str]) -> Verdict:
    """A JOSE header is a JSON object that names its algorithm (RFC 7515, 4.1.1)."""
    head = match[1]
    try:
        header = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (ValueError, RecursionError):
        return None
    return (match.end(), 1000, True) if isinstance(header, dict) and "alg" in header else None


def _key(heads: tuple[str, ...], pattern: str, check: Callable[[str, re.Match[str]], Verdict] = _random) -> Form:
    return Form(entity_type="API_KEY", heads=heads, pattern=re.compile(r"(?<![A-Za-z0-9_])" + pattern), check=check)


FORMS: tuple[Form, ...] = (
    _key(("sk-",), r"sk-([A-Za-z0-9_-]{20,})"),
    _key(("AKIA", "ASIA"), r"A[KS]IA([A-Z0-9]{16})(?![A-Za-z0-9])"),
    _key(("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), r"gh[pousr]_([A-Za-z0-9]{36})(?![A-Za-z0-9])", _checksummed),
    _key(("github_pat_",), r"github_pat_([A-Za-z0-9]{22}_[A-Za-z0-9]{59})(?![A-Za-z0-9])"),
    _key(("npm_",), r"npm_([A-Za-z0-9]{36})(?![A-Za-z0-9])", _checksummed),
    _key(("glpat-",), r"glpat-([A-Za-z0-9_-]{20,})"),
    _key(("xox", "xapp-"), r"(?:xox[abeoprs]|xapp)-([A-Za-z0-9-]{10,})"),
    _key(("AIza",), r"AIza([A-Za-z0-9_-]{35})(?![A-Za-z0-9_-])"),
    _key(("sk_live_", "sk_test_", "rk_live_", "rk_test_"), r"[rs]k_(?:live|test)_([A-Za-z0-9]{16,})"),
    _key(("hf_",), r"hf_([A-Za-z0-9]{34,})"),
    Form(
        entity_type="PRIVATE_KEY",
        heads=("-----BEGIN ",),
        pattern=re.compile(r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,4}PRIVATE KEY(?: BLOCK)?-----"),
        check=_private_key,
    ),
    Form(
        entity_type="JWT",
        heads=("eyJ",),
        # Without - and _ before it, so that a run of base64url is tried once and not at every `eyJ` inside.
        pattern=re.compile(r"(?<![A-Za-z0-9_-])(eyJ[A-Za-z0-9_-]{8,4096})(?:\.[A-Za-z0-9_-]*){2,4}"),
        check=_token,
    ),
)


def search(text: str, meter: Meter) -> Iterator[Finding]:
    """The credentials in `text`."""
    for form in FORMS:
        for head in form.heads:
            yield from _search_form(text, form, head, meter)


def _search_form(text: str, form: Form, head: str, meter: Meter) -> Iterator[Finding]:
    position = text.find(head)
    while position >= 0:
        meter.spend()
        match = form.pattern.match(text, position)
        verdict = form.check(text, match) if match else None
        following = match.end() if match else position + len(head)
        if verdict is not None:
            following, permille, validated = verdict
            yield Finding(
                segment=0,
                entity_type=form.entity_type,
                span=Span(start=position, end=following),
                permille=permille,
                detector=f"ringfence:{form.entity_type.lower()}",
                validated=validated,
            )
        position = text.find(head, following)
