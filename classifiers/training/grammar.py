r"""What a line of a template file says: literal text, slots, alternations, and stretches marked by hand.

    Hi[,|] {person.first#1} started <MEDICAL>dialysis</MEDICAL> on {weekday}.\nWrite to {email:lower#1}[ or call|].

`\n` and `\t` are a line break and a tab; `\` before anything else makes it literal. `{` before anything but a lower-case
letter is literal too, so that most JSON and code can be written as it is; so are `}`, `<` and `#` that begin nothing, and
`|` outside an alternation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from classifiers.training.rows import TYPES
from governance.frozen import frozen

VARIANTS: Final = frozenset({"lower", "upper", "title"})
# More than this nobody can read in a line.
DEEPEST: Final = 4

_SLOT = re.compile(r"\{([a-z][a-z_0-9]*(?:\.[a-z_0-9]+)?)(?:#(\d{1,2}))?(?::([a-z]+))?(?:#(\d{1,2}))?\}")
_TAG = re.compile(r"<(/?)([A-Z][A-Z_]*)>")
_TYPES = frozenset(TYPES)
_SPECIAL = re.compile(r"[\\{\[\]|<]")


class Malformed(ValueError):
    """A template that says nothing clear; the message says what, and at which column."""


@frozen
class Slot:
    """A value to draw; slots of one number, that is not 0, speak of one person or thing."""

    kind: str
    number: int = 0
    variant: str = ""


@frozen
class Choice:
    """One of the options, each as likely as the others."""

    options: tuple[tuple[Part, ...], ...]


@frozen
class Marked:
    """One span of a type, whatever stands inside."""

    type: str
    parts: tuple[Part, ...]


Part = str | Slot | Choice | Marked


def parse(line: str) -> tuple[Part, ...]:
    """The parts of `line`. Raises Malformed."""
    parser = _Parser(line)
    return parser.sequence(depth=0, tag="")


def slots(parts: tuple[Part, ...]) -> Iterator[Slot]:
    """Every slot of `parts`, in every branch, in order."""
    for part in parts:
        match part:
            case Slot():
                yield part
            case Choice(options=options):
                for option in options:
                    yield from slots(option)
            case Marked(parts=inner):
                yield from slots(inner)


def has_marked(parts: tuple[Part, ...]) -> bool:
    """Whether any branch of `parts` holds a stretch marked by hand."""
    return any(
        isinstance(part, Marked) or (isinstance(part, Choice) and any(map(has_marked, part.options))) for part in parts
    )


class _Parser:
    """A reader of one line, left to right."""

    def __init__(self, line: str) -> None:
        self._line = line
        self._at = 0

    def sequence(self, *, depth: int, tag: str, option: bool = False) -> tuple[Part, ...]:
        """The parts up to the end, to the closing `tag`, or (in an `option`) to `|` or `]`, which stay unread."""
        parts: list[Part] = []
        while self._at < len(self._line):
            rest = self._line[self._at]
            if option and rest in "|]":
                if tag:
                    raise self._malformed(f"`<{tag}>` is not closed before `{rest}`")
                return _merged(parts)
            if rest == "<" and (found := _TAG.match(self._line, self._at)):
                if found[1]:
                    if found[2] != tag:
                        raise self._malformed(f"`{found[0]}` closes nothing")
                    self._at = found.end()
                    return _merged(parts)
                parts.append(self._marked(found, depth=depth, option=option, tag=tag))
            else:
                parts.append(self._one(rest, depth=depth))
        if tag:
            raise self._malformed(f"`<{tag}>` is not closed")
        return _merged(parts)

    def _one(self, first: str, *, depth: int) -> Part:
        match first:
            case "\\":
                return self._escaped()
            case "[":
                return self._choice(depth=depth)
            case "]":
                raise self._malformed("`]` closes nothing; a literal one is `\\]`")
            case "{" if self._line[self._at + 1 : self._at + 2].islower():
                return self._slot()
        end = _SPECIAL.search(self._line, self._at + 1)
        text = self._line[self._at : end.start() if end else len(self._line)]
        self._at += len(text)
        return text

    def _escaped(self) -> str:
        following = self._line[self._at + 1 : self._at + 2]
        if not following:
            raise self._malformed("`\\` at the end")
        self._at += 2
        return {"n": "\n", "t": "\t"}.get(following, following)

    def _choice(self, *, depth: int) -> Choice:
        if depth == DEEPEST:
            raise self._malformed(f"more than {DEEPEST} alternations inside each other")
        opened = self._at
        options = []
        while self._line[self._at] != "]":
            self._at += 1
            options.append(self.sequence(depth=depth + 1, tag="", option=True))
            if self._at == len(self._line):
                self._at = opened
                raise self._malformed("`[` is not closed")
        self._at += 1
        if len(options) == 1:
            self._at = opened
            raise self._malformed("`[` with one option; a literal one is `\\[`")
        return Choice(options=tuple(options))

    def _marked(self, found: re.Match[str], *, depth: int, option: bool, tag: str) -> Marked:
        if found[2] not in _TYPES:
            raise self._malformed(f"`{found[2]}` is not a type; a literal `<` is `\\<`")
        if tag:
            raise self._malformed(f"`{found[0]}` inside `<{tag}>`")
        self._at = found.end()
        parts = self.sequence(depth=depth, tag=found[2], option=option)
        if not parts:
            raise self._malformed(f"`<{found[2]}>` holds nothing")
        return Marked(type=found[2], parts=parts)

    def _slot(self) -> Slot:
        found = _SLOT.match(self._line, self._at)
        if not found:
            raise self._malformed("not a slot; a literal `{` is `\\{`")
        kind, before, variant, after = found.groups()
        if variant and variant not in VARIANTS:
            raise self._malformed(f"`{variant}` is not a variant: {', '.join(sorted(VARIANTS))}")
        self._at = found.end()
        return Slot(kind=kind, number=int(before or after or 0), variant=variant or "")

    def _malformed(self, what: str) -> Malformed:
        return Malformed(f"column {self._at + 1}: {what}")


def _merged(parts: list[Part]) -> tuple[Part, ...]:
    """`parts` with neighbouring literals made one."""
    merged: list[Part] = []
    for part in parts:
        if isinstance(part, str) and merged and isinstance(merged[-1], str):
            merged[-1] += part
        else:
            merged.append(part)
    return tuple(merged)
