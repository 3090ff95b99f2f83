"""The template files: which lines there are, what each may mark, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from classifiers.training.grammar import Malformed, Part, has_marked, parse, slots
from classifiers.training.kinds import KINDS
from classifiers.training.rows import TOPICS
from governance.frozen import frozen

DIRECTORY: Final = Path(__file__).parent / "templates"
_LONGEST = 4000


@frozen
class Template:
    """One line of a file. `topics` are those it has; it is known not to have the others."""

    file: str
    line: int
    topics: frozenset[str]
    language: str
    parts: tuple[Part, ...]

    @property
    def group(self) -> str:
        """What a split never tears apart."""
        return f"templates/{self.file}/{self.line}"

    @property
    def clean(self) -> bool:
        """Whether no text made of it has a topic or a span."""
        return not self.topics and not has_marked(self.parts) and not any(KINDS[s.kind] for s in slots(self.parts))


@frozen
class Fault:
    """What is wrong, and where."""

    file: str
    line: int
    message: str


@frozen
class Templates:
    """All that was read, and all that could not be."""

    templates: tuple[Template, ...]
    faults: tuple[Fault, ...]


def read(directory: Path = DIRECTORY) -> Templates:
    """Every template below `directory`, in the order of the files' names and of their lines."""
    templates: list[Template] = []
    faults: list[Fault] = []
    seen: dict[str, str] = {}
    for path in sorted(directory.rglob("*.txt")):
        file = path.relative_to(directory).as_posix()
        for found in _lines(file, path.read_text(encoding="utf-8"), seen):
            if isinstance(found, Fault):
                faults.append(found)
            else:
                templates.append(found)
    return Templates(templates=tuple(templates), faults=tuple(faults))


def _lines(file: str, text: str, seen: dict[str, str]) -> Iterator[Template | Fault]:
    """The templates and faults of one file; `seen` is where each line stood first, over all files."""
    lines = text.splitlines()
    topics, language = None, "en"
    for number, line in enumerate(lines, 1):
        if line.startswith("#"):
            name, colon, value = line[1:].partition(":")
            if colon and name.strip() == "topics":
                topics = frozenset(filter(None, map(str.strip, value.split(","))))
                if unknown := topics - set(TOPICS):
                    yield Fault(file=file, line=number, message=f"not a topic: {', '.join(sorted(unknown))}")
            elif colon and name.strip() == "language":
                language = value.strip()
            continue
        if not line.strip():
            continue
        if topics is None:
            yield Fault(file=file, line=number, message="no `# topics:` before the first template")
            topics = frozenset()
        yield _template(
            Template(file=file, line=number, topics=topics & set(TOPICS), language=language, parts=()), line, seen
        )


def _template(at: Template, line: str, seen: dict[str, str]) -> Template | Fault:
    if len(line) > _LONGEST:
        return Fault(file=at.file, line=at.line, message=f"{len(line)} characters; {_LONGEST} are allowed")
    place = f"{at.file}:{at.line}"
    if (first := seen.setdefault(" ".join(line.split()).casefold(), place)) != place:
        return Fault(file=at.file, line=at.line, message=f"the same as {first}")
    if line != line.strip():
        return Fault(file=at.file, line=at.line, message="white space at its edge")
    try:
        parts = parse(line)
    except Malformed as error:
        return Fault(file=at.file, line=at.line, message=str(error))
    if unknown := sorted({slot.kind for slot in slots(parts)} - KINDS.keys()):
        return Fault(file=at.file, line=at.line, message=f"not a slot: {', '.join(f'{{{kind}}}' for kind in unknown)}")
    return Template(file=at.file, line=at.line, topics=at.topics, language=at.language, parts=parts)
