"""Made-up texts without end: templates filled with values, half of them clean, then roughened as chat and logs are."""

from __future__ import annotations

import argparse
import math
import random
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, islice
from pathlib import Path
from typing import Final

from classifiers.training.grammar import Choice, Part, Slot, slots
from classifiers.training.grammar import Marked as MarkedPart
from classifiers.training.guideline import addresses_joined
from classifiers.training.noise import Marked, joined, rough
from classifiers.training.rows import TOPICS, Row, Span, Split, split_of, tidy
from classifiers.training.template_files import DIRECTORY, Template, Templates, read
from classifiers.training.values import Values
from governance.frozen import frozen

SOURCE: Final = "templates"
_CLEAN = 0.5
_JOINED = 0.14
# How many texts are joined to one, at most; those of another language or split are left out.
_MORE = (1, 1, 2, 3, 5, 8)
_EMPTY: Marked = ("", ())
# Slots whose letters must not change.
_FRAGILE = ("code.", "secret", "hash", "uuid", "iban", "url", "filename")


def rows(seed: int, count: int, directory: Path = DIRECTORY) -> Iterator[Row]:
    """`count` rows; the n-th depends on `seed`, n and the files alone. Half are of clean templates, if there are any.

    Rows to train on and the others take names from disjoint halves of every list. Raises ValueError where a file is at
    fault, with the place.
    """
    found = read(directory)
    if found.faults:
        fault = found.faults[0]
        raise ValueError(f"{fault.file}:{fault.line}: {fault.message}")
    yield from _rows(seed, count, found.templates)


def expand(parts: Sequence[Part], values: Values, chance: random.Random) -> Marked:
    """One text that `parts` can make, and its spans; in a stretch marked by hand nothing else is marked."""
    written: list[str] = []
    spans: list[Span] = []
    at = 0
    for part in parts:
        text, inner = _one_part(part, values, chance)
        spans += [(start + at, end + at, kind) for start, end, kind in inner]
        written.append(text)
        at += len(text)
    return "".join(written), tuple(spans)


def _one_part(part: Part, values: Values, chance: random.Random) -> Marked:
    match part:
        case str():
            return part, ()
        case Slot():
            value = values.draw(part.kind, part.number, part.variant)
            return value.text, value.spans
        case Choice(options=options):
            return expand(chance.choice(options), values, chance)
        case MarkedPart(type=kind, parts=parts):
            text, _ = expand(parts, values, chance)
            return text, ((0, len(text), kind),)


@frozen
class Shelf:
    """Templates of one class by file: a file is drawn by the root of its length, so that long ones do not drown others."""

    files: tuple[tuple[Template, ...], ...]
    sums: tuple[float, ...]

    def draw(self, chance: random.Random) -> Template:
        """One template."""
        return chance.choice(chance.choices(self.files, cum_weights=self.sums)[0])


def shelf(templates: Sequence[Template]) -> Shelf:
    """`templates`, by file."""
    files: dict[str, list[Template]] = {}
    for template in templates:
        files.setdefault(template.file, []).append(template)
    return Shelf(
        files=tuple(map(tuple, files.values())), sums=tuple(accumulate(math.sqrt(len(file)) for file in files.values()))
    )


def _rows(seed: int, count: int, templates: Sequence[Template]) -> Iterator[Row]:
    clean, other = (shelf([template for template in templates if template.clean is wanted]) for wanted in (True, False))
    splits = {template.group: split_of(_row(template, "", (), template.topics)) for template in templates}
    for number in range(count):
        chance = random.Random(f"{seed}/{number}")  # noqa: S311
        if clean.files and (not other.files or chance.random() < _CLEAN):
            yield _one(chance, clean, (clean,), splits)
        else:
            yield _one(chance, other, (clean, other) if clean.files else (other,), splits)


def _one(chance: random.Random, first: Shelf, more: Sequence[Shelf], splits: Mapping[str, Split]) -> Row:
    """A row of a template of `first`; now and then with others of `more` after it, of its language and of its split."""
    template = first.draw(chance)
    drawn = [template]
    if chance.random() < _JOINED:
        others = (chance.choice(more).draw(chance) for _ in range(chance.choice(_MORE)))
        alike = (template.language, splits[template.group])
        drawn += [other for other in others if (other.language, splits[other.group]) == alike]
    marked, topics, fragile, locale = _EMPTY, template.topics, False, ""
    for each in drawn:
        values = Values(
            chance,
            language=each.language,
            held_out=splits[each.group] != "train",
            locale=locale,
            young="children" in each.topics,
        )
        made, locale = expand(each.parts, values, chance), values.locale
        marked = joined(chance, marked, made) if marked[0] else made
        topics, fragile = topics | each.topics, fragile or _fragile(each)
    text, spans = rough(chance, *marked, fragile=fragile)
    return _row(template, text, addresses_joined(text, tidy(text, spans)), topics)


def _fragile(template: Template) -> bool:
    return "source_code" in template.topics or any(slot.kind.startswith(_FRAGILE) for slot in slots(template.parts))


def _row(template: Template, text: str, spans: tuple[Span, ...], topics: frozenset[str]) -> Row:
    return Row(
        text=text,
        spans=spans,
        topics={topic: topic in topics for topic in TOPICS},
        group=template.group,
        source=SOURCE,
        language=template.language,
    )


def _check(found: Templates) -> int:
    """The exit status; every fault goes to standard error as `file:line: what`."""
    for fault in found.faults:
        print(f"templates/{fault.file}:{fault.line}: {fault.message}", file=sys.stderr)
    files = Counter(template.file for template in found.templates)
    clean = Counter(template.file for template in found.templates if template.clean)
    by_file = {template.file: template for template in found.templates}
    for file, count in sorted(files.items()):
        topics = ", ".join(sorted(by_file[file].topics)) or "-"
        print(f"{count:6} {clean[file]:6} clean  {by_file[file].language}  {file}  [{topics}]")
    print(f"{sum(files.values()):6} {sum(clean.values()):6} clean  in {len(files)} files; {len(found.faults)} faults")
    topics_of = Counter(topic for template in found.templates for topic in template.topics)
    print("  ".join(f"{topic} {topics_of[topic]}" for topic in TOPICS))
    return 1 if found.faults else 0


def shown(row: Row) -> str:
    """The text with its spans in tags, after its group and topics."""
    parts, at = [], 0
    for start, end, kind in row.spans:
        parts += [row.text[at:start], f"<{kind}>{row.text[start:end]}</{kind}>"]
        at = end
    topics = ", ".join(topic for topic, has in row.topics.items() if has) or "-"
    return f"--- {row.group} [{topics}]\n{''.join([*parts, row.text[at:]])}"


def _show(found: Templates, seed: int, count: int, file: str) -> int:
    chosen = [template for template in found.templates if file in template.file]
    for row in islice(_rows(seed, count, chosen), count if chosen else 0):
        print(shown(row))
    return 0 if chosen else 1


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status of the command: 1 where a template is at fault, or no file is of that name."""
    parser = argparse.ArgumentParser(prog="python -m classifiers.training.generator", description=__doc__)
    parser.add_argument("--check", action="store_true", help="parse every template file and say what is wrong")
    parser.add_argument("--show", type=int, metavar="N", default=0, help="print N texts, with their spans marked")
    parser.add_argument("--file", default="", help="only of files whose name holds this")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    found = read()
    if given.show:
        return _show(found, given.seed, given.show, given.file)
    return _check(found)


if __name__ == "__main__":
    sys.exit(main())
