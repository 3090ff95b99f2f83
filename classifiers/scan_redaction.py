"""Copies of documents in which what was found is replaced. Everything outside the findings is the same, byte for byte.

A copy is written beside its name and moved there, so that after a crash it is whole or not there. No original is touched.
LIMIT: of a file that was not read to its end there is no copy, and none of a binary one.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path, PurePath
from typing import final

from classifiers.scan_document import Document
from classifiers.scan_sources import Source
from governance.errors import ConfigInvalid
from governance.finding import Detection, DetectionStatus
from governance.segment import Edit, Role, TextSegment
from governance.sensitive import SensitiveText

# What stands for the findings in the segments: one edit for each. The path's own redaction, given by the command line.
Replacements = Callable[[Sequence[TextSegment], Detection], Sequence[Edit]]


class CopyFailed(Exception):
    """A copy could not be written; the message says why and quotes nothing of the content."""


def redacted(document: Document, replacements: Replacements) -> str:
    """The text of `document` with its targets replaced; a number in which something was found becomes a string."""
    text = document.text
    if text is None:
        raise ValueError("the document was not read whole")
    if not document.targets:
        return text
    # The whole text comes first: a placeholder that somebody wrote in it is not given to a value.
    segments = [_segment(text), *(_segment(target.piece.text) for target in document.targets)]
    findings = tuple(
        replace(finding, segment=number)
        for number, target in enumerate(document.targets, start=1)
        for finding in target.findings
    )
    edits: list[list[Edit]] = [[] for _ in segments]
    for edit in replacements(segments, Detection(status=document.status, findings=findings)):
        edits[edit.segment].append(edit)
    written: list[str] = []
    done = 0
    for target, changes in zip(document.targets, edits[1:], strict=True):
        piece = target.piece
        changes.sort(key=lambda edit: edit.span.start)
        if piece.number and changes:
            written += (text[done : piece.start], '"', _spliced(piece.text, changes), '"')
            done = piece.start + len(piece.text)
            continue
        for edit in changes:
            written += (text[done : piece.place(edit.span.start)], edit.replacement)
            done = piece.place(edit.span.end)
    written.append(text[done:])
    return "".join(written)


def _segment(text: str) -> TextSegment:
    return TextSegment(role=Role.USER, place="/text", text=SensitiveText(text))


def _spliced(text: str, edits: Iterable[Edit]) -> str:
    written, done = [], 0
    for edit in edits:
        written += [text[done : edit.span.start], edit.replacement]
        done = edit.span.end
    return "".join([*written, text[done:]])


@final
class Copies:
    """A folder of redacted copies. Raises ConfigInvalid where it cannot be one; `force` allows it to hold something."""

    def __init__(self, folder: Path, replacements: Replacements, *, force: bool = False) -> None:
        self._replacements = replacements
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if not force and any(folder.iterdir()):
                raise ConfigInvalid("is not empty; name another folder or pass --force", file=str(folder))
        except OSError as error:
            raise ConfigInvalid(f"cannot be written to: {_why(error)}", file=str(folder)) from None
        self.folder = folder.resolve()

    def admit(self, sources: Sequence[Source]) -> None:
        """Raises ConfigInvalid where a copy would take the place of an original or of another copy."""
        taken: dict[PurePath, str] = {}
        originals = {source.path.resolve() for source in sources}
        for source in sources:
            other = taken.setdefault(source.relative, source.shown)
            if other != source.shown:
                raise ConfigInvalid(f"and `{source.shown}` would have one copy; scan them apart", file=other)
            if self.folder / source.relative in originals:
                raise ConfigInvalid("would be overwritten by a copy; name another folder", file=source.shown)

    def write(self, source: Source, document: Document, encoded: Callable[[str], bytes]) -> None:
        """Writes the copy of `document`, which was read from `source`. Raises CopyFailed."""
        if document.status is not DetectionStatus.COMPLETE:
            raise CopyFailed("no copy of what was not read to its end")
        target = self.folder / source.relative
        try:
            parent = target.parent.resolve()
            if not parent.is_relative_to(self.folder):
                raise CopyFailed("no copy: a link leads out of the folder")
            parent.mkdir(parents=True, exist_ok=True)
            _store(parent / target.name, encoded(redacted(document, self._replacements)), _mode(source.path))
        except OSError as error:
            raise CopyFailed(f"no copy: {_why(error)}") from None


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode) & 0o777


def _store(target: Path, content: bytes, mode: int) -> None:
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=".ringfence-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _why(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
