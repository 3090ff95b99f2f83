"""Presidio's anonymizer operators over the results of an analysis: what its REST service answers, without its package.

Differences to presidio-anonymizer: where spans of different entities overlap in part, an operator sees the original text
(Presidio's sees what the operator behind it left); `from_end` of mask is false where it is missing, as its API says;
`hash` knows no md5, and a `salt` has 16 bytes at least.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

DEFAULT: Final = "DEFAULT"
ANONYMIZERS: Final = ("hash", "mask", "redact", "replace", "keep", "encrypt")
DEANONYMIZERS: Final = ("decrypt", "deanonymize_keep")
MIN_SALT_BYTES: Final = 16
# Of the text that operators read, and of the new text.
MAX_CHARS: Final = 8 << 20
_BLOCK_BITS = 128
_IV_BYTES = 16
_HASHES = ("sha256", "sha512")


class ParameterInvalid(Exception):
    """A parameter cannot be used; the message quotes no text and no key."""


class AnswerTooLarge(Exception):
    """More than MAX_CHARS would have to be read or written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A result of an analysis; `start` and `end` are code points, half open."""

    entity: str
    start: int
    end: int
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """What became of a piece of text; `start` and `end` are its place in the new text."""

    entity: str
    operator: str
    start: int
    end: int
    text: str


Operator = Callable[[str, str], str]


def anonymized(
    text: str, found: Iterable[Found], operators: Mapping[str, Mapping[str, Any]]
) -> tuple[str, tuple[Changed, ...]]:
    """`text` with the operator for its entity applied to each of `found`, and the changes from the last to the first.

    Overlapping results of one entity are one; a result inside another one is dropped; results of one entity with
    blanks between them are one. Raises ParameterInvalid and AnswerTooLarge.
    """
    settled = _joined(text, _without_contained(_merged(_placed(text, found))))
    made = {entity: _operator(options, _ANONYMIZERS) for entity, options in operators.items()}
    made.setdefault(DEFAULT, _operator({"type": "replace"}, _ANONYMIZERS))
    return _operated(text, settled, made)


def deanonymized(
    text: str, found: Iterable[Found], operators: Mapping[str, Mapping[str, Any]]
) -> tuple[str, tuple[Changed, ...]]:
    """`text` with the operator for its entity applied to each of `found`: `decrypt`, the inverse of `encrypt`, or none.

    Raises ParameterInvalid and AnswerTooLarge.
    """
    made = {entity: _operator(options, _DEANONYMIZERS) for entity, options in operators.items()}
    settled = _placed(text, found)
    for each in settled:
        if each.entity not in made and DEFAULT not in made:
            raise ParameterInvalid("Invalid input, there is no deanonymizer for an entity of the results")
    return _operated(text, settled, made)


def _operated(
    text: str, settled: Sequence[Found], made: Mapping[str, tuple[str, Operator]]
) -> tuple[str, tuple[Changed, ...]]:
    pieces: list[str] = []
    changes: list[Changed] = []
    written = read = done = 0
    for each in settled:
        # Results of different entities may overlap: each of them reads the whole of its place.
        read += each.end - each.start
        if read > MAX_CHARS:
            raise AnswerTooLarge
        name, operate = made.get(each.entity) or made[DEFAULT]
        before = text[done : max(done, each.start)]
        changed = operate(text[each.start : each.end], each.entity)
        start = written + len(before)
        pieces += before, changed
        written = start + len(changed)
        if written > MAX_CHARS:
            raise AnswerTooLarge
        changes.append(Changed(entity=each.entity, operator=name, start=start, end=written, text=changed))
        done = max(done, each.end)
    pieces.append(text[done:])
    return "".join(pieces), tuple(reversed(changes))


# --- which results count -------------------------------------------------------------------------------------------


def _placed(text: str, found: Iterable[Found]) -> list[Found]:
    placed = sorted(found, key=lambda each: (each.start, each.end))
    for each in placed:
        if not 0 <= each.start <= each.end <= len(text):
            raise ParameterInvalid(
                f"Invalid analyzer result, start: {each.start} and end: {each.end}, "
                f"while text length is only {len(text)}."
            )
    return placed


def _merged(placed: Sequence[Found]) -> list[Found]:
    """Overlapping results of one entity made one, with the best score; those that only touch stay two.

    Of those at one place the order stays; one that grew has the place of what it grew by.
    """
    open_: dict[str, int] = {}
    merged: dict[int, Found] = {}
    for number, each in enumerate(placed):
        at = open_.get(each.entity)
        last = None if at is None else merged[at]
        merged[number] = each
        if at is not None and last is not None and each.start < last.end and each.start < each.end:
            merged[number] = replace(last, end=max(last.end, each.end), score=max(last.score, each.score))
            del merged[at]
        open_[each.entity] = number
    return sorted(merged.values(), key=lambda each: (each.start, each.end))


def _without_contained(merged: Sequence[Found]) -> list[Found]:
    """Without results inside others; of several at one place the one with the best score, then the last, stays."""
    best: dict[tuple[int, int], Found] = {}
    for each in merged:
        rival = best.get((each.start, each.end))
        if rival is None or each.score >= rival.score:
            best[each.start, each.end] = each
    kept: list[Found] = []
    furthest = -1
    for each in sorted(best.values(), key=lambda each: (each.start, -each.end)):
        if each.end > furthest:
            kept.append(each)
            furthest = each.end
    return kept


def _joined(text: str, kept: Sequence[Found]) -> list[Found]:
    joined: list[Found] = []
    for each in kept:
        last = joined[-1] if joined else None
        if last is not None and last.entity == each.entity and _blank(text[last.end : each.start]):
            joined[-1] = replace(each, start=last.start)
        else:
            joined.append(each)
    return joined


def _blank(gap: str) -> bool:
    """Only spaces, and one line end behind them at most."""
    spaces = gap.removesuffix("\n")
    return spaces != "" and not spaces.strip(" ")


# --- operators -----------------------------------------------------------------------------------------------------


def _operator(
    options: Mapping[str, Any], known: Mapping[str, Callable[[Mapping[str, Any]], Operator]]
) -> tuple[str, Operator]:
    name = options.get("type")
    if not isinstance(name, str) or name not in known:
        raise ParameterInvalid(f"Invalid operator class; known are {', '.join(known)}")
    return name, known[name](options)


def _replace(options: Mapping[str, Any]) -> Operator:
    new = options.get("new_value")
    value = "" if new is None else _typed("new_value", new, str, "string")
    if not value:
        return lambda _, entity: f"<{entity}>"
    return lambda _, __: value


def _redact(_: Mapping[str, Any]) -> Operator:
    return lambda _, __: ""


def _keep(_: Mapping[str, Any]) -> Operator:
    return lambda text, _: text


def _mask(options: Mapping[str, Any]) -> Operator:
    sign: str = _typed("masking_char", options.get("masking_char"), str, "string")
    if len(sign) > 1:
        raise ParameterInvalid("Invalid input, masking_char must be a character")
    most: int = _typed("chars_to_mask", options.get("chars_to_mask"), int, "int")
    from_end: bool = _typed("from_end", options.get("from_end", False), bool, "bool")

    def mask(text: str, _: str) -> str:
        count = min(len(text), max(0, most))
        return text[: len(text) - count] + sign * count if from_end else sign * count + text[count:]

    return mask


def _hash(options: Mapping[str, Any]) -> Operator:
    kind = options.get("hash_type") or "sha256"
    if kind not in _HASHES:
        raise ParameterInvalid(f"Parameter hash_type is not one of {', '.join(_HASHES)}")
    given = options.get("salt")
    salt = None if given is None else _typed("salt", given, str, "string").encode("utf-8", "surrogatepass")
    if salt is not None and len(salt) < MIN_SALT_BYTES:
        raise ParameterInvalid(f"Invalid input, salt must have at least {MIN_SALT_BYTES} bytes")

    def digest(text: str, _: str) -> str:
        # Without a salt equal values get different digests, so that a list of all numbers tells nothing.
        raw = text.encode("utf-8", "surrogatepass")
        return hashlib.new(kind, raw + (salt or secrets.token_bytes(32))).hexdigest()

    return digest


def _key(options: Mapping[str, Any]) -> bytes:
    key: bytes = _typed("key", options.get("key"), str, "string").encode("utf-8", "surrogatepass")
    if len(key) not in {16, 24, 32}:
        raise ParameterInvalid("Invalid input, key must be of length 128, 192 or 256 bits")
    return key


def _encrypt(options: Mapping[str, Any]) -> Operator:
    key = _key(options)

    def encrypt(text: str, _: str) -> str:
        # CBC without a tag is what the other side decrypts; for tokens of our own there is the hash of the redactor.
        vector = secrets.token_bytes(_IV_BYTES)
        padder = padding.PKCS7(_BLOCK_BITS).padder()
        padded = padder.update(text.encode("utf-8", "surrogatepass")) + padder.finalize()
        cipher = Cipher(algorithms.AES(key), modes.CBC(vector)).encryptor()
        return base64.urlsafe_b64encode(vector + cipher.update(padded) + cipher.finalize()).decode("ascii")

    return encrypt


def _decrypt(options: Mapping[str, Any]) -> Operator:
    key = _key(options)

    def decrypt(text: str, _: str) -> str:
        try:
            raw = base64.b64decode(text.replace("+", "-").replace("/", "_"), altchars=b"-_", validate=True)
            cipher = Cipher(algorithms.AES(key), modes.CBC(raw[:_IV_BYTES])).decryptor()
            padded = cipher.update(raw[_IV_BYTES:]) + cipher.finalize()
            unpadder = padding.PKCS7(_BLOCK_BITS).unpadder()
            return (unpadder.update(padded) + unpadder.finalize()).decode("utf-8", "surrogatepass")
        except (ValueError, binascii.Error):
            fault = "Invalid input, the text was not encrypted with this key"
        raise ParameterInvalid(fault)

    return decrypt


_ANONYMIZERS: Final[Mapping[str, Callable[[Mapping[str, Any]], Operator]]] = dict(
    zip(ANONYMIZERS, (_hash, _mask, _redact, _replace, _keep, _encrypt), strict=True)
)
_DEANONYMIZERS: Final[Mapping[str, Callable[[Mapping[str, Any]], Operator]]] = dict(
    zip(DEANONYMIZERS, (_decrypt, _keep), strict=True)
)


def _typed(name: str, value: Any, kind: type, described: str) -> Any:
    if value is None:
        raise ParameterInvalid(f"Expected parameter {name}")
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ParameterInvalid(f"Invalid parameter value for {name}. Expecting '{described}'.")
    return value
