"""YAML. As OPA reads it: YAML 1.2 with old octals, so that `yes` and a date are strings.

LIMIT: a scalar with a tag of its own (`!!str 1`) is an error here, where OPA lets the tag decide.
"""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Mapping
from functools import lru_cache
from typing import Any, Final

import yaml

from governance.policy.plan.builtins.error import BuiltinError
from governance.policy.plan.builtins.numbers import number_of
from governance.policy.plan.builtins.operand import MAX_DEPTH, MAX_SIZE, Builtin, bounded, guarded, text
from governance.policy.plan.builtins.reading import plain
from governance.policy.plan.builtins.writing import number_text
from governance.policy.plan.values import Value

_MAX_YAML: Final = 50_000  # characters: the reader takes microseconds for each
_TAG: Final = "tag:yaml.org,2002:"
_STYLES: Final = ("'", '"', "|", ">")
_NULL: Final = re.compile(r"~|null|Null|NULL|")
_TRUE: Final = re.compile(r"true|True|TRUE")
_FALSE: Final = re.compile(r"false|False|FALSE")
_INTEGER: Final = re.compile(
    r"(?P<sign>[-+]?)(?:0b(?P<two>[01]+)|0x(?P<sixteen>[0-9a-fA-F]+)|0o?(?P<eight>[0-7]+)|(?P<ten>[0-9]+))"
)
_OLD: Final = re.compile(  # what YAML 1.1 took for another value: quoted, so that its readers do not
    r"y|Y|yes|Yes|YES|on|On|ON|n|N|no|No|NO|off|Off|OFF|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?"
    r"|[0-9]{4}-[0-9]{2}-[0-9]{2}|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
_NO_JSON: Final = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_BASES: Final = {"two": 2, "sixteen": 16, "eight": 8, "ten": 10}
_LEAST, _MOST = -(2**63), 2**64 - 1
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]{1,4})?")


def unmarshal(a: Value) -> Value:
    """The value of the first YAML document; an alias is read as what it names."""
    source = text(a)
    if len(source) > _MAX_YAML:
        raise BuiltinError("YAML too large")
    try:
        _check(source)
        nodes = list(yaml.compose_all(source, Loader=yaml.CSafeLoader))
    except (yaml.YAMLError, RecursionError):
        raise BuiltinError("not YAML") from None
    return _Reading().value(nodes[0], 0) if nodes else None


class _NotRead(BuiltinError):
    """A document that OPA may read and we do not: nothing is said about it."""


def _check(source: str) -> None:
    """Raises where the document nests too deep, asks for another YAML, or has a scalar with a tag of its own.

    The composer recurses in C, which ends the process when it is deep, and does not tell whose a tag is.
    """
    depth = 0
    for event in yaml.parse(source, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise BuiltinError("YAML too deep")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.DocumentStartEvent) and event.version not in (None, (1, 1)):
            raise BuiltinError("not YAML 1.1")
        elif isinstance(event, yaml.ScalarEvent) and event.tag is not None:
            raise _NotRead("YAML with a tag")


class _Reading:
    """The walk over one document, which counts what it has read: an alias counts as often as it is used."""

    def __init__(self) -> None:
        self._seen = 0

    def value(self, node: yaml.Node, depth: int) -> Value:
        """The value of a node. Raises BuiltinError where the document is too deep or, aliases resolved, too large."""
        self._seen += 1
        if depth > MAX_DEPTH or self._seen > MAX_SIZE // 10:
            raise BuiltinError("YAML too large")
        if isinstance(node, yaml.ScalarNode):
            return _scalar(node)
        if node.tag not in (_TAG + "seq", _TAG + "map"):
            raise _NotRead("YAML with a tag")
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, depth + 1) for item in node.value]
        if isinstance(node, yaml.MappingNode):
            return self._object(node, depth)
        raise BuiltinError("not YAML")

    def _object(self, node: yaml.MappingNode, depth: int) -> Value:
        own: dict[str, Value] = {}
        merged: dict[str, Value] = {}
        for key, item in node.value:
            found = self.value(item, depth + 1)
            if key.value == "<<" and key.style not in _STYLES:
                for one in found if type(found) is list else [found]:
                    merged = {**one, **merged}
                continue
            own[_name(self.value(key, depth + 1))] = found
        return {**merged, **own}


def _name(value: Value) -> str:
    if type(value) is str:
        return value
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) is int or type(value) is float:
        return number_text(value)
    raise BuiltinError("not YAML: a key that JSON has not")


def _scalar(node: yaml.ScalarNode) -> Value:
    source = str(node.value)
    if node.style in _STYLES or (node.tag == _TAG + "str" and not _is_plain_other(source)):
        return source
    return _resolved(source)


def _is_plain_other(source: str) -> bool:
    return any(form.fullmatch(source) for form in (_NULL, _TRUE, _FALSE, _INTEGER, _FLOAT))


def _resolved(source: str) -> Value:
    if _NULL.fullmatch(source):
        return None
    if _TRUE.fullmatch(source) or _FALSE.fullmatch(source):
        return bool(_TRUE.fullmatch(source))
    if _NO_JSON.fullmatch(source):
        raise _NotRead("a number that JSON has not")
    digits = source.replace("_", "")
    if (found := _INTEGER.fullmatch(digits)) is not None:
        base = next((base for group, base in _BASES.items() if found[group]), 10)
        whole = int(found["sign"] + found[found.lastgroup or 0], base)
        if _LEAST <= whole <= _MOST:
            return whole
    # What is too large for whole numbers is a float, and for a float a string.
    if _FLOAT.fullmatch(digits) and math.isfinite(value := float(digits)):
        return number_of(repr(value))
    return source


def is_valid(a: Value) -> Value:
    """Whether a value is a YAML document."""
    try:
        unmarshal(a)
    except _NotRead:
        raise
    except BuiltinError:
        return False
    return True


def marshal(a: Value) -> Value:
    """A value as YAML: names in order, one line for each item."""
    out = yaml.dump(
        plain(a), Dumper=_writer(), default_flow_style=False, sort_keys=True, allow_unicode=True, width=1 << 20
    )
    return bounded(str(out).removesuffix("...\n"))


@lru_cache(maxsize=1)
def _writer() -> Any:
    class Writer(yaml.SafeDumper):
        def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
            super().increase_indent(flow, False)

        def ignore_aliases(self, data: Hashable) -> bool:  # noqa: ARG002  # an alias is no JSON
            return True

    def string(writer: yaml.SafeDumper, value: str) -> yaml.Node:
        style = "|" if "\n" in value else '"' if _is_plain_other(value) or _OLD.fullmatch(value) else None
        return writer.represent_scalar(_TAG + "str", value, style=style)

    Writer.add_representer(str, string)
    return Writer


BUILTINS: Final[Mapping[str, Builtin]] = {
    "yaml.unmarshal": guarded(unmarshal),
    "yaml.is_valid": guarded(is_valid),
    "yaml.marshal": guarded(marshal),
}
