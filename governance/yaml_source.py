"""YAML as operators write it, with the line of every value; a small and unambiguous subset of the language.

YAML 1.2 core scalars only: `NO` is the text NO (1.1 reads false, and Norway is gone), `010` and `1_000` are text. No
anchors or aliases (a few lines of them make gigabytes), no tags (they make objects), no duplicate keys (readers differ
on which one counts), one document, bounded size and depth.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import yaml

from governance.errors import ConfigInvalid
from governance.frozen import frozen

MAX_BYTES = 1 << 20
MAX_DEPTH = 16
MAX_QUOTED = 80

Place = tuple[str | int, ...]
Value = None | bool | int | str | list["Value"] | dict[str, "Value"]

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
# At most 18 digits: below 2^63, and far below the length at which int() becomes slow.
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})", re.ASCII)


@frozen
class Document:
    """One parsed file. `lines` holds the 1-based line of every key and list element, by its place."""

    file: str
    value: Value
    lines: Mapping[Place, int]

    def line(self, place: Place) -> int:
        """The line of `place`, or of the nearest thing around it that stands in the file."""
        return next(self.lines[place[:n]] for n in range(len(place), -1, -1) if place[:n] in self.lines)


class SettingInvalid(ConfigInvalid):
    """A setting that whoever uses it cannot use: what is wrong, `what`, with the one at `place`."""

    def __init__(self, what: str, *, place: Place) -> None:
        super().__init__(f"{dotted(place)}: {what}")
        self.what = what
        self.place = place


def dotted(place: Place) -> str:
    """`nodes[0].address`: how a setting is named in messages."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place).removeprefix(".")


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of a message about `name` that suggests the one of `known` that is most like it; empty where none is."""
    close = difflib.get_close_matches(name[:MAX_QUOTED], list(known), n=1)
    return f"; did you mean `{close[0]}`?" if close else ""


def quoted(text: object) -> str:
    """`text` in backticks, shortened to what fits in a message."""
    shown = str(text)
    return f"`{shown[:MAX_QUOTED]}{'...' if len(shown) > MAX_QUOTED else ''}`"


def scalar(text: str) -> Value:
    """What an unquoted YAML scalar means."""
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    return int(text) if _INTEGER.fullmatch(text) else text


def read(path: Path) -> Document:
    """The document in the file `path`. Raises ConfigInvalid, with the line where there is one."""
    return parse(text(path), file=str(path))


def text(path: Path) -> str:
    """What the file `path` holds. Raises ConfigInvalid."""
    file = str(path)
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        reason = (error.strerror or "unreadable").lower()
        raise ConfigInvalid(f"cannot be read: {reason}; `ringfence init` writes a starter file", file=file) from None
    if len(raw) > MAX_BYTES:
        raise ConfigInvalid(f"is larger than {MAX_BYTES} bytes; split the nodes over several installations", file=file)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigInvalid("is not UTF-8 here; save the file as UTF-8", file=file, line=line) from None


def parse(text: str, *, file: str) -> Document:
    """The document in `text`. Raises ConfigInvalid; `file` is only named, never opened."""
    builder = _Builder(text, file)
    try:
        value = builder.document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = error.problem or error.context or "cannot be parsed"
        # What is missing at the end is reported one line below it.
        last = text.rstrip("\n").count("\n") + 1
        raise ConfigInvalid(
            f"is not valid YAML: {what}", file=file, line=min(mark.line + 1, last) if mark else 1
        ) from None
    except yaml.YAMLError:
        raise ConfigInvalid("holds a control character; save it as plain text", file=file, line=1) from None
    return Document(file=file, value=value, lines=MappingProxyType(builder.lines))


class _Builder:
    """Turns parser events into values. The event stream is lazy, so a limit stops the parser as well."""

    def __init__(self, text: str, file: str) -> None:
        self._file = file
        # libyaml's parser is eight times faster; PyYAML is built without it on some platforms.
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        self._events: Iterator[yaml.Event] = yaml.parse(text, Loader=loader)
        self.lines: dict[Place, int] = {(): 1}

    def document(self) -> Value:
        next(self._events)  # start of the stream
        if isinstance(next(self._events), yaml.StreamEndEvent):
            return None
        value = self._value(next(self._events), ())
        next(self._events)  # end of the document
        after = next(self._events)
        if not isinstance(after, yaml.StreamEndEvent):
            raise self._refusal(after, "a second document starts here; keep one document per file")
        return value

    def _value(self, event: yaml.Event, place: Place) -> Value:
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise self._refusal(event, "anchors and aliases are not supported; write the value out")
        if getattr(event, "tag", None):
            raise self._refusal(event, "tags are not supported; remove the `!...`")
        if len(place) > MAX_DEPTH:
            raise self._refusal(event, f"is nested deeper than {MAX_DEPTH} levels")
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(place)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(place)
        return self._scalar(event)

    def _scalar(self, event: yaml.Event) -> Value:
        assert isinstance(event, yaml.ScalarEvent)  # noqa: S101  # the parser emits nothing else here
        if not event.value.isprintable():
            raise self._refusal(event, "holds a control character or a line break; write it on one line")
        return event.value if event.style else scalar(event.value)

    def _mapping(self, place: Place) -> dict[str, Value]:
        found: dict[str, Value] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent) or event.tag or event.anchor or not event.value.isprintable():
                raise self._refusal(event, "a key must be plain text")
            key = event.value
            if key in found:
                first = self.lines[(*place, key)]
                raise self._refusal(event, f"the key {quoted(key)} stands here and on line {first}; keep one")
            self.lines[(*place, key)] = _line(event)
            found[key] = self._value(next(self._events), (*place, key))
        return found

    def _sequence(self, place: Place) -> list[Value]:
        found: list[Value] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            here = (*place, len(found))
            self.lines[here] = _line(event)
            found.append(self._value(event, here))
        return found

    def _refusal(self, event: yaml.Event, what: str) -> ConfigInvalid:
        return ConfigInvalid(what, file=self._file, line=_line(event))


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1
