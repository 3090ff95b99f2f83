"""Rules that walk a JSON body into segments: a dialect is a table of them.

A rule takes what has been read so far, a value, its place and whose words it holds. INVARIANT: no rule passes over a
value in silence: text becomes a segment, what cannot be read becomes an `Uninspected`, and only numbers, booleans,
nulls and words of a closed list where a setting is expected leave no trace.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import final

from governance.dialects.json_body import Leaf
from governance.dialects.json_document import Array, LooseString, Number, Object, Scalar, String, Value, read_counted
from governance.errors import MalformedRequest, RequestTooLarge
from governance.inference import Media, Uninspected, Unread
from governance.segment import Role, TextSegment
from governance.sensitive import SensitiveText

Rule = Callable[["Reading", Value, str, Role], None]


@final
class Reading:
    """What has been read of one body. Owned by one call of one dialect; grows only."""

    def __init__(self, *, max_depth: int, max_values: int, max_segments: int) -> None:
        self.segments: list[TextSegment] = []
        self.leaves: list[Leaf] = []
        self.media: set[Media] = set()
        self.uninspected: list[Uninspected] = []
        self.tools: set[str] = set()
        self._max_depth = max_depth
        self._max_values = max_values
        self._max_segments = max_segments
        self._values = 0
        self._outer: String | None = None

    def parse(self, source: str) -> Value:
        """The value in `source`. All documents of one reading share the limit on values."""
        room = self._max_values - self._values
        try:
            value, count = read_counted(source, max_depth=self._max_depth, max_values=room)
        except RequestTooLarge as error:
            limit = self._max_values if error.limit == room else error.limit
            raise RequestTooLarge(str(error), limit=limit) from None
        except MalformedRequest:
            # What fails has cost time as well: text that only looks like JSON must not be read for free again and again.
            self._values += len(source) // 8
            raise
        self._values += count
        return value

    def add(
        self,
        scalar: Scalar,
        place: str,
        role: Role,
        *,
        outer: String | None = None,
        is_name: bool = False,
        called: SensitiveText | None = None,
    ) -> None:
        """Makes a segment of `scalar`; empty text is none."""
        text = scalar.text()
        if not text:
            return
        self._one_more()
        self.segments.append(
            TextSegment(role=role, place=place, text=SensitiveText(text), is_name=is_name, called=called)
        )
        self.leaves.append(Leaf(scalar, outer or self._outer, is_name))

    def unread(self, reason: Unread, place: str) -> None:
        """Notes a part that nobody inspects."""
        self._one_more()
        self.uninspected.append(Uninspected(reason=reason, place=place))

    def _one_more(self) -> None:
        if len(self.segments) + len(self.uninspected) >= self._max_segments:
            raise RequestTooLarge("too many pieces", limit=self._max_segments)

    def medium(self, medium: Media, place: str) -> None:
        """Notes content that is not text."""
        self.media.add(medium)
        self.unread(Unread.MEDIA, place)

    def inside(self, outer: String, rule: Rule, place: str, role: Role) -> None:
        """Applies `rule` to the JSON document that the string `outer` holds. Raises MalformedRequest if it is none."""
        value = self.parse(outer.text())
        self._outer = outer
        try:
            rule(self, value, place, role)
        finally:
            self._outer = None


def text(reading: Reading, value: Value, place: str, role: Role) -> None:
    """Text is expected: a string or number is a segment."""
    if isinstance(value, (String, Number)):
        reading.add(value, place, role)
    elif isinstance(value, (Object, Array)):
        unexpected(reading, value, place, role)


def free(reading: Reading, value: Value, place: str, role: Role, called: SensitiveText | None = None) -> None:
    """Anything is expected: every string, name and number in it is a segment. Depth is bounded by the reader."""
    if isinstance(value, (String, Number)):
        reading.add(value, place, role, called=called)
    elif isinstance(value, Array):
        for item in value.items:
            free(reading, item, f"{place}/*", role, called)
    elif isinstance(value, Object):
        for name, member in value.members.values():
            reading.add(name, f"{place}/*", role, is_name=True)
            free(reading, member, f"{place}/*", role, SensitiveText(name.text()))


def unexpected(reading: Reading, value: Value, place: str, role: Role) -> None:
    """A known field of an unknown kind: its text is inspected; what a container means is for policy to doubt."""
    if isinstance(value, (Object, Array)):
        reading.unread(Unread.UNKNOWN_FIELD, place)
    free(reading, value, place, role)


def json_text(reading: Reading, value: Value, place: str, role: Role) -> None:
    """A string that holds JSON is expected; one that holds none is plain text."""
    if not isinstance(value, String):
        text(reading, value, place, role)
        return
    inner = value.text()
    if not inner.lstrip(" \t\r\n").startswith(("{", "[")):
        reading.add(value, place, role)
        return
    try:
        reading.inside(value, free, place, role)
    except MalformedRequest:
        # Its reader may be more tolerant than ours: show the detectors what it would see.
        if "\\" in inner:
            reading.add(LooseString(inner), place, role, outer=value)
        else:
            reading.add(value, place, role)


def ignored(_reading: Reading, _value: Value, _place: str, _role: Role) -> None:
    """The dialect has read this field itself."""


def setting(words: AbstractSet[str]) -> Rule:
    """A number, a flag or one of `words` is expected; another string is text."""

    def rule(reading: Reading, value: Value, place: str, role: Role) -> None:
        if isinstance(value, (Object, Array)):
            unexpected(reading, value, place, role)
        elif isinstance(value, String) and value.text() not in words:
            reading.add(value, place, role)

    return rule


def each(item: Rule) -> Rule:
    """A list is expected, or nothing."""

    def rule(reading: Reading, value: Value, place: str, role: Role) -> None:
        if isinstance(value, Array):
            for one in value.items:
                item(reading, one, f"{place}/*", role)
        else:
            unexpected(reading, value, place, role)

    return rule


def fields(rules: Mapping[str, Rule]) -> Rule:
    """An object with the fields `rules` is expected, or nothing; any other field is not inspected."""

    def rule(reading: Reading, value: Value, place: str, role: Role) -> None:
        if not isinstance(value, Object):
            unexpected(reading, value, place, role)
            return
        for name, (_, member) in value.members.items():
            known = rules.get(name)
            if known is None:
                reading.unread(Unread.UNKNOWN_FIELD, f"{place}/*")
            else:
                known(reading, member, f"{place}/{name}", role)

    return rule


def by_type(rules: Mapping[str, Rule]) -> Rule:
    """An object whose `type` names one of `rules` is expected; one of another type is not inspected."""

    def rule(reading: Reading, value: Value, place: str, role: Role) -> None:
        if not isinstance(value, Object):
            unexpected(reading, value, place, role)
            return
        kind = value.get("type")
        known = rules.get(kind.text()) if isinstance(kind, String) else None
        if known is None:
            reading.unread(Unread.UNKNOWN_PART, place)
        else:
            known(reading, value, place, role)

    return rule
