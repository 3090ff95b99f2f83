"""The data of a bundle: JSON and YAML files merged into one document in which the folder of a file is its path.

Everything here refuses what two engines, or two parsers, would hold differently.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from governance.errors import ConfigInvalid
from governance.residency import Level

# Of all documents of a bundle together: policies read tables of some thousand rows. regopy needs seconds to load 10,000
# keys of one object, and goes through all before a key to find it.
MAX_VALUES = 200_000
# YAML is read in Python and a value of it costs more than ten of JSON: it is for what people write, a table is JSON.
MAX_YAML_VALUES = 20_000
MAX_YAML_BYTES = 512 << 10
MAX_REGO_LINES = 10_000
# regopy takes time by the square of the rules in a file: seconds for these, a minute for all of a bundle's in one.
MAX_REGO_LINES_OF_FILE = 2_500
MAX_DEPTH = 64

_JSON_MARKS = (b",", b"[", b"{")
_YAML_MARKS = (*_JSON_MARKS, b":", b"-", b"?")
_YAML_SUFFIXES = {".yaml", ".yml"}
_PLAIN = {
    "tag:yaml.org,2002:bool": re.compile("true|false|True|False|TRUE|FALSE"),
    "tag:yaml.org,2002:int": re.compile("[-+]?(0|[1-9][0-9]*)", re.ASCII),
}


def text_of(raw: bytes, path: Path) -> str:
    """`raw` as text. Raises ConfigInvalid with the line of what is not UTF-8, and of a NUL."""
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise ConfigInvalid("not UTF-8", file=str(path), line=raw[: error.start].count(b"\n") + 1) from None
    if "\0" in text:
        raise ConfigInvalid("holds a NUL", file=str(path), line=text[: text.index("\0")].count("\n") + 1)
    return text


def refuse_large(documents: Iterable[tuple[Path, bytes]]) -> None:
    """Raises ConfigInvalid where `documents`, JSON or YAML by their names, hold more together than a bundle may.

    Asked before anything parses them: that is work in Python for each value, and counting them is not.
    """
    values = yaml_values = yaml_bytes = 0
    for path, raw in documents:
        if path.suffix in _YAML_SUFFIXES:
            yaml_bytes += len(raw)
            if yaml_bytes > MAX_YAML_BYTES:
                raise _too_much(f"{MAX_YAML_BYTES} bytes of YAML in the documents of a bundle: make it JSON", path)
            more = sum(map(raw.count, _YAML_MARKS))
            yaml_values += more
            if yaml_values > MAX_YAML_VALUES:
                raise _too_much(f"{MAX_YAML_VALUES} values of YAML in the documents of a bundle: make it JSON", path)
        else:
            more = json_values(raw)
        values += more
        if values > MAX_VALUES:
            raise _too_much(f"{MAX_VALUES} values in the documents of a bundle", path)


def refuse_long(modules: Iterable[tuple[Path, bytes]]) -> None:
    """Raises ConfigInvalid where one of `modules`, or all together, has more lines of Rego than can be loaded in time."""
    lines = 0
    for path, raw in modules:
        more = raw.count(b"\n") + 1
        if more > MAX_REGO_LINES_OF_FILE:
            raise _too_much(f"{MAX_REGO_LINES_OF_FILE} lines of Rego in a file: a package may have several", path)
        lines += more
        if lines > MAX_REGO_LINES:
            raise _too_much(f"{MAX_REGO_LINES} lines of Rego in the modules of a bundle: make tables data", path)


def json_values(raw: bytes) -> int:
    """How many elements and members the JSON text `raw` has, and one for each container that has none.

    Never fewer than a parser comes to see before it finds that the text is none.
    """
    # Without the escapes a quote begins or ends a string, and every second part lies outside of them.
    outside = b"".join(raw.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')[::2])
    return sum(map(outside.count, _JSON_MARKS))


def _too_much(what: str, path: Path) -> ConfigInvalid:
    return ConfigInvalid(f"more than {what}", file=str(path), line=1)


def document(raw: bytes, path: Path) -> dict[str, Any]:
    """The object in a JSON or YAML file. Raises ConfigInvalid with its line."""
    text = text_of(raw, path)
    try:
        if path.suffix in _YAML_SUFFIXES:
            value = yaml.load(text, _UniqueLoader)  # noqa: S506  (a subclass of SafeLoader)
        else:
            value = json.loads(text, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        raise ConfigInvalid(error.msg.lower(), file=str(path), line=error.lineno) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) if isinstance(error, _Refused) else None
        raise ConfigInvalid(reason or "not valid YAML", file=str(path), line=mark.line + 1 if mark else 1) from None
    except ValueError as error:
        raise ConfigInvalid(str(error), file=str(path), line=1) from None
    except RecursionError:
        raise _too_much(f"{MAX_DEPTH} levels of objects and lists", path) from None
    if not isinstance(value, dict):
        raise ConfigInvalid("a data document is an object", file=str(path), line=1)
    refuse_floats(value, path)
    return value


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of `pairs`. Raises ValueError for a repeated key, which every parser resolves in its own way."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key occurs twice")
    return found


class _Refused(yaml.MarkedYAMLError):
    """YAML, but not of ours; its problem is text of this module."""


class _UniqueLoader(yaml.SafeLoader):
    """YAML that reads in one way: no repeated keys, no aliases (a few lines of them make gigabytes), and no plain word
    or number that YAML 1.1 and 1.2 take for different things (`NO`, `010`, `1:30`).
    """

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            raise _Refused(None, None, "an alias is not read: write the value again", event.start_mark)  # type: ignore[arg-type]
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        found = super().construct_mapping(node, deep=deep)
        if len(found) != len(node.value):
            raise _Refused(None, None, "a key occurs twice", node.start_mark)
        return found

    def construct_scalar(self, node: yaml.ScalarNode | yaml.MappingNode) -> Any:
        plain = _PLAIN.get(node.tag)
        if plain is not None and not plain.fullmatch(str(node.value)):
            word = "a word or number that YAML 1.1 and 1.2 read differently: put it in quotes"
            raise _Refused(None, None, word, node.start_mark)
        return super().construct_scalar(node)


def refuse_floats(value: object, path: Path, depth: int = 0) -> None:
    """Raises ConfigInvalid for what the engines do not hold alike: floats (regopy keeps 6 decimals) and YAML dates.

    And for what lies deeper than MAX_DEPTH, where recursion ends somewhere else for each of them.
    """
    match value:
        case dict() | list() if depth == MAX_DEPTH:
            raise _too_much(f"{MAX_DEPTH} levels of objects and lists", path)
        case dict():
            if not all(isinstance(key, str) for key in value):
                raise ConfigInvalid("a key is not a string", file=str(path), line=1)
            for item in value.values():
                refuse_floats(item, path, depth + 1)
        case list():
            for item in value:
                refuse_floats(item, path, depth + 1)
        case str() | bool() | None:
            return
        case int() if abs(value) < 2**53:
            return
        case _:
            raise ConfigInvalid("data holds strings, whole numbers and booleans only", file=str(path), line=1)


def merge(into: dict[str, Any], more: Mapping[str, Any], path: Path) -> None:
    """Adds `more` to `into`. Raises ConfigInvalid where both define a value: no file goes before another."""
    for key, value in more.items():
        if key not in into:
            into[key] = value
        elif isinstance(into[key], dict) and isinstance(value, dict):
            merge(into[key], value, path)
        else:
            raise ConfigInvalid(f"`{key}` is already defined by another data file", file=str(path), line=1)


def merged(content: Mapping[str, bytes], paths: Mapping[str, Path]) -> dict[str, Any]:
    """The document of all data files; a name starts with the position of its directory."""
    whole: dict[str, Any] = {}
    for name, raw in content.items():
        folders = name.split("/")[1:-1]
        inner = document(raw, paths[name])
        for folder in reversed(folders[1:] if folders[:1] == ["data"] else folders):
            inner = {folder: inner}
        merge(whole, inner, paths[name])
    return whole


def levels_of(data: Mapping[str, Any]) -> Mapping[str, Level]:
    """The table `data.ringfence.levels`. Raises ConfigInvalid for a level that is none."""
    try:
        table = data.get("ringfence", {}).get("levels", {})
        return MappingProxyType({str(name): Level(level) for name, level in table.items()})
    except (ValueError, AttributeError):
        words = ", ".join(Level)
        raise ConfigInvalid(
            f"`data.ringfence.levels` maps entity types, their categories and labels to one of {words}"
        ) from None
