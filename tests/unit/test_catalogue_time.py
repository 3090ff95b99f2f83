"""Whether the expressions of rules end: for each repeat of a repeat a text that goes round in it and does not match."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from classifiers.rules import load_rules

_sre: Any = import_module("re._constants")
_parser: Any = import_module("re._parser")
_REPEATS = {_sre.MAX_REPEAT, _sre.MIN_REPEAT, _sre.POSSESSIVE_REPEAT}
# What doubles with each turn has not ended long before so many.
_TURNS = 48
_GUARD_S = 20


def shortest(nodes: Any) -> bytes:
    """A short text that `nodes` match, but for what stands around it."""
    made = b""
    for kind, value in nodes:
        if kind in _REPEATS:
            made += shortest(value[2]) * value[0]
        elif kind is _sre.SUBPATTERN:
            made += shortest(value[-1])
        elif kind is _sre.BRANCH:
            made += min(map(shortest, value[1]), key=len)
        elif kind is _sre.LITERAL:
            made += bytes([value])
        elif kind is _sre.IN:
            made += member(value)
        elif kind is _sre.ATOMIC_GROUP:
            made += shortest(value)
    return made


def member(choices: Any) -> bytes:
    """One byte of a class of characters."""
    refused = re.compile(b"[%s]" % rb"\s\x00-\x1f")
    for byte in (*range(0x61, 0x7B), *range(0x30, 0x3A), *range(0x100)):
        if not refused.match(bytes([byte])) and _in(choices, byte):
            return bytes([byte])
    return next(bytes([byte]) for byte in range(0x100) if _in(choices, byte))


def _in(choices: Any, byte: int) -> bool:
    pattern = _parser.SubPattern(_parser.State(), [(_sre.IN, choices)])
    return import_module("re._compiler").compile(pattern).match(bytes([byte])) is not None


def repeats(nodes: Any) -> bool:
    """Whether anything in `nodes`, however deep, may come more than once."""
    return any(kind in _REPEATS or any(map(repeats, _parts(kind, value))) for kind, value in nodes)


def _parts(kind: Any, value: Any) -> Any:
    if kind is _sre.SUBPATTERN:
        return [value[-1]]
    if kind is _sre.ATOMIC_GROUP:
        return [value]
    return value[1] if kind is _sre.BRANCH else []


def pumps(nodes: Any, before: bytes = b"") -> Iterator[bytes]:
    """Texts that go round in each repeat of a repeat, and then do not match."""
    for kind, value in nodes:
        if kind in _REPEATS:
            once = shortest(value[2])
            if value[1] >= _TURNS and repeats(value[2]):
                yield before + (once or b" ") * _TURNS + b"\x01"
            yield from pumps(value[2], before)
            before += once * value[0]
        elif kind is _sre.SUBPATTERN:
            yield from pumps(value[-1], before)
            before += shortest(value[-1])
        elif kind is _sre.BRANCH:
            for branch in value[1]:
                yield from pumps(branch, before)
            before += shortest(value[1][0])
        else:
            before += shortest([(kind, value)])


def test_no_expression_takes_for_ever() -> None:
    """One that can go through a text in two ways at each turn would hold its thread until somebody ends it."""

    def too_long(*_: object) -> None:
        raise TimeoutError

    previous = signal.signal(signal.SIGALRM, too_long)
    endless = []
    try:
        for rule in load_rules():
            for expression in rule.expressions:
                pattern = re.compile(expression.encode())
                for text in pumps(_parser.parse(expression.encode())):
                    signal.alarm(_GUARD_S)
                    try:
                        pattern.search(text)
                    except TimeoutError:
                        endless.append(rule.id)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)
    assert [] == endless
