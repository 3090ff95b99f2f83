"""Where a mail address begins in what may all stand in one: behind an escape, behind a key, and in a URL."""

from __future__ import annotations

import re

from classifiers.registries import top_level_domains

# The name of a parameter, or an encoded separator: a blank, an end of line, a sign that addresses have in quotes only.
_NOT_PART = re.compile(rb"(?:[?&]|\\u0026)[^\s=?&/@]{1,64}=|%(?:0[9AaDd]|2[02CcFf]|3[A-Fa-f])")
# The longest way to write the `&` before a parameter.
_LONGEST_AMPERSAND = len(r"\u0026")
# The key of `user=jane@example.com`. A bounce has a second `=`, or a domain behind the only one.
_KEY = re.compile(rb"[A-Z_a-z\x80-\xff][0-9A-Z_a-z\x80-\xff.-]{1,24}=(?=([^=@]+)@)")
_NOT_IN_URL = re.compile(rb"[\s\"'<>]")
_LONGEST_URL = 512
_ESCAPES = re.compile(
    rb"(?:(?<=\\)(?:[bfnrt]|u[0-9A-Fa-f]{4})|(?<=%)[0-9A-Fa-f]{2}|[^0-9A-Z_a-z\x80-\xff@])+(?=[0-9A-Z_a-z\x80-\xff])"
)


def address_start(scan: bytes, start: int, end: int) -> int:
    """Where the address begins that `scan[start:end]` ends with; at its `@` where a URL stands before that.

    Outside of a URL, `/` belongs to the address, and `=` does but behind a key: bounces to many lists, and gateways to X.400,
    have them.
    """
    at = scan.rfind(b"@", start, end)
    for match in _NOT_PART.finditer(scan, max(0, start - _LONGEST_AMPERSAND), at):
        start = max(start, match.end())
    if b"/" in scan[start:at] and _in_url(scan, start):
        start = max(scan.rfind(each, start, at) for each in (b"/", b"?", b"&", b"=", b"#")) + 1
    key = _KEY.match(scan, start, at + 1)
    if key is not None and not _is_domain(key[1]):
        start = key.end()
    escapes = _ESCAPES.match(scan, start, at)
    return start if escapes is None else escapes.end()


def _is_domain(name: bytes) -> bool:
    return b"." in name and name.rpartition(b".")[2].lower().decode("latin-1") in top_level_domains()


def _in_url(scan: bytes, at: int) -> bool:
    scheme = scan.rfind(b"://", max(0, at - _LONGEST_URL), at)
    return scheme >= 0 and _NOT_IN_URL.search(scan, scheme, at) is None
