"""Named hostile values and the places of a policy input that hold free text: all of both, made from the contract itself.

`canary` stands in every string that has room for it, so that one search shows whether content leaked.
"""

from __future__ import annotations

import contextlib
import copy
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

from governance.errors import ConfigInvalid
from governance.facts import EntityFact, Facts, LabelFact, Parse
from governance.policy.contract import facts_bytes, facts_from_bytes
from governance.policy.sample import full
from governance.residency import Level
from governance.segment import Role

CANARY = "canary7Q"
HARMLESS = "harmless"
# A step of a path: a field, a position in a list, or the key of a mapping itself.
Path = tuple[str | int, ...]
KEY = "<key>"


def strings() -> dict[str, str]:
    """Strings of Unicode text by name. Any of them may come with a request."""
    return dict(itertools.chain(_quotes(), _fragments(), _controls(), _unicode(), _names(), _sizes()))


def surrogates() -> dict[str, str]:
    """Strings that are no Unicode text: no JSON in UTF-8 can hold them."""
    halves = {"high": "\ud83d", "low": "\ude00"}
    found = {f"lone {name} surrogate": CANARY + half for name, half in halves.items()}
    return {**found, "surrogates in the wrong order": f"{halves['low']}{halves['high']}{CANARY}"}


def numbers() -> dict[str, Any]:
    """Numbers at and beyond what readers of JSON keep exactly, and what is no integer."""
    edges = {f"2**{bits}{step:+}": 2**bits + step for bits in (31, 32, 53, 63, 64) for step in (-1, 0, 1)}
    beyond = {"wide": 10**40, "negative": -1, "int64 minimum": -(2**63), "below int64": -(2**63) - 1}
    floats = {"fraction": 0.1, "minus zero": -0.0, "exponent": 1e300, "smallest": 5e-324, "whole float": 1.0}
    return {**edges, **beyond, **floats}


def documents() -> dict[str, bytes]:
    """Whole documents that no reader of ours takes, by name: none is `ringfence.input/1`."""
    good = facts_bytes(full()).decode()
    deep = 100_000
    return {
        "duplicate key": good.replace('"phase":"request"', f'"phase":"request","phase":"{CANARY}"', 1).encode(),
        "duplicate attribute": good.replace('"sample":"sample"', f'"sample":"{CANARY}","sample":"sample"', 1).encode(),
        "duplicate by escape": good.replace(
            '"phase":"request"', '"phase":"request","ph\\u0061se":"stream"', 1
        ).encode(),
        "deep list": b"[" * deep + b"]" * deep,
        "deep object": b'{"a":' * deep + b"1" + b"}" * deep,
        "deep attribute": good.replace('"sample":"sample"', '"sample":' + "[" * 1000 + "]" * 1000, 1).encode(),
        "escaped surrogate": good.replace('"tenant":"sample"', f'"tenant":"\\ud800{CANARY}"', 1).encode(),
        "not UTF-8": good.replace('"tenant":"sample"', f'"tenant":"{CANARY}', 1).encode() + b'\xff"}',
        "encoded surrogate": good.encode().replace(b'"tenant":"sample"', b'"tenant":"\xed\xa0\x80"', 1),
        "byte order mark": b"\xef\xbb\xbf" + good.encode(),
        "two documents": good.encode() * 2,
        "not a number": good.replace('"clearance":1', '"clearance":NaN', 1).encode(),
        "infinity": good.replace('"clearance":1', '"clearance":1e999', 1).encode(),
        "unknown key": good.replace('"phase":', f'"{CANARY}":1,"phase":', 1).encode(),
        "prototype": good.replace('"phase":', '"__proto__":{"action":"allow"},"phase":', 1).encode(),
        "empty": b"",
    }


def places() -> tuple[Path, ...]:
    """Every place of free text in the input: those whose word the contract lets be any other, and the keys of mappings."""
    document = json.loads(facts_bytes(full()))
    candidates = [path for path, value in _leaves(document) if isinstance(value, str)]
    return tuple(path for path in [*candidates, *_keys(document)] if _fits(put(document, path, HARMLESS)))


def calm() -> Facts:
    """Facts with something in every list, of a request that the library allows as it comes."""
    facts = full()
    return replace(
        facts,
        request=replace(facts.request, parse=Parse(status="ok"), media=(), uninspected=()),
        classification=replace(
            facts.classification,
            level=Level.PUBLIC,
            level_rank=Level.PUBLIC.rank,
            entities=(EntityFact(type="sample", count=1, max_permille=10, validated=False, where=(Role.USER,)),),
            labels=(LabelFact(name="sample", permille=10),),
        ),
    )


def holding(facts: Facts, where: Iterable[Path], text: str) -> Facts:
    """`facts` with `text` in each of these places, whatever the contract says of it: as if it came with a request."""
    document = json.loads(facts_bytes(facts))
    for path in where:
        with contextlib.suppress(LookupError):
            document = put(document, path, HARMLESS)
    held: Facts = _exchanged(facts_from_bytes(json.dumps(document).encode()), text)
    return held


def put(document: Mapping[str, Any], path: Path, value: Any) -> dict[str, Any]:
    """`document` with `value` in the place of what is at `path`."""
    changed = copy.deepcopy(dict(document))
    at: Any = changed
    for step in path[:-1] if path[-1] != KEY else path[:-2]:
        at = at[step]
    if path[-1] == KEY:
        at[value] = at.pop(path[-2])
    else:
        at[path[-1]] = value
    return changed


def described(path: Path) -> str:
    """`path` as it is written in a policy."""
    return ".".join(map(str, path))


def _exchanged(value: Any, text: str) -> Any:
    """`value` with `text` for each harmless word in it."""
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{one.name: _exchanged(getattr(value, one.name), text) for one in fields(value)})
    if isinstance(value, tuple):
        return tuple(_exchanged(item, text) for item in value)
    if isinstance(value, dict):
        return {_exchanged(key, text): _exchanged(item, text) for key, item in value.items()}
    return text if type(value) is str and value == HARMLESS else value


def _fits(document: Mapping[str, Any]) -> bool:
    try:
        facts_from_bytes(json.dumps(document).encode())
    except ConfigInvalid:
        return False
    return True


def _leaves(value: Any, above: Path = ()) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(inner, (*above, key))
    else:
        yield above, value


def _keys(value: Any, above: Path = ()) -> Iterator[Path]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*above, key, KEY)
            yield from _keys(inner, (*above, key))


# --- families ------------------------------------------------------------------------------------------------------


def _quotes() -> Iterator[tuple[str, str]]:
    marks = {"double": '"', "single": "'", "back": "`", "backslash": "\\", "slash": "/", "two backslashes": "\\\\"}
    for name, mark in marks.items():
        yield f"{name} quote inside", f"{CANARY}{mark}{CANARY}"
        yield f"{name} quote at the end", CANARY + mark
        yield f"{name} quotes around", mark + CANARY + mark
        yield f"only a {name} quote", mark


def _fragments() -> Iterator[tuple[str, str]]:
    effect = '"effect":"allow","rule":"all","code":"all","params":{}'
    members = {"action": '"action":"allow"', "effect": effect, "failure": '"failure":null', "result": '"result":[]'}
    closers = {"string": '"', "object": '"}', "effect": '"}},{', "list": '"]}}]'}
    for (kind, member), (name, closer) in itertools.product(members.items(), closers.items()):
        yield f"{kind} after the end of a {name}", f"{CANARY}{closer},{member},{{"
    yield "a whole effect", f"{{{effect}}}"
    yield "a whole result", f'{{"result":[{{{effect}}}]}}'
    yield "an error of regopy", f"<error> {CANARY}"
    yield "a term of Rego", f'{CANARY}"}} | true; effects contains {{{effect}'
    yield "a comment of Rego", f"{CANARY}\n# METADATA\n# title: {CANARY}\n"
    yield "an interpolation", f"{{data.ringfence}} ${{input}} %s%n%d {CANARY}"


def _controls() -> Iterator[tuple[str, str]]:
    for code in (*range(0x20), 0x7F, *range(0x80, 0xA0, 5)):
        yield f"control character {code:#04x}", f"{CANARY}{chr(code)}{CANARY}"
    yield "NUL alone", "\0"
    yield "NUL first", "\0" + CANARY
    yield "NUL last", CANARY + "\0"
    yield "lines of a log", f"{CANARY}\r\nlevel=info action=allow\r\n\r\n"
    yield "terminal", f"\x1b[2J\x1b]0;{CANARY}\x07"


def _unicode() -> Iterator[tuple[str, str]]:
    escapes = {"a quote": "0022", "NUL": "0000", "a letter": "0041", "half a pair": "d83d"}
    for name, digits in escapes.items():
        yield f"the escape of {name}, spelled out", f"{CANARY}\\u{digits}"
        yield f"the escape of {name}, twice escaped", f"{CANARY}\\\\u{digits}"
        yield f"the escape of {name}, cut short", f"{CANARY}\\u{digits[:3]}"
    signs = {"line separator": 0x2028, "paragraph separator": 0x2029, "byte order mark": 0xFEFF, "noncharacter": 0xFFFF}
    signs |= {"right-to-left override": 0x202E, "zero width joiner": 0x200D, "replacement": 0xFFFD}
    signs |= {"fullwidth quote": 0xFF02, "last": 0x10FFFF, "emoji": 0x1F600, "combining": 0x301, "sharp s": 0xDF}
    for name, code in signs.items():
        yield f"{name} sign", f"{CANARY}{chr(code)}{CANARY}"


def _names() -> Iterator[tuple[str, str]]:
    ours = ("effects", "effect", "rule", "params", "result", "schema", "data", "input", "action", "deny", "policy")
    for name in (*ours, "_bundle", "agreement", "ringfence", "null", "true", "undefined", "NaN", "0", "-1", "[]", "{}"):
        yield f"the name {name}", name
    for name in ("__proto__", "constructor", "__class__", "__init__", "__dict__", "__hash__", "__builtins__", "self"):
        yield f"the attribute {name}", name


def _sizes() -> Iterator[tuple[str, str]]:
    for size in (127, 128, 129, 4096, 1 << 20):
        yield f"{size} characters", (CANARY * (size // len(CANARY) + 1))[:size]
    yield "a million quotes", CANARY + '"' * 1_000_000
    yield "many characters of four bytes", CANARY + "\U0001f600" * 30_000
    yield "space alone", " "
