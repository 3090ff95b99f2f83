"""Files, folders and streams: which are read, which are left out and why, and their bytes as text.

Inside a folder symbolic links are not followed and only regular files are opened, so that a walk ends and nothing blocks.
A pipe that is named (`/dev/fd/63`) is read; one nobody writes to is empty.
"""

from __future__ import annotations

import codecs
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePath
from typing import BinaryIO, final

from governance.errors import ConfigInvalid

STANDARD_INPUT = "-"
LEFT_OUT = frozenset({".git", ".hg", ".svn", ".venv", "node_modules", "__pycache__"})
# What is looked at to tell text from binary.
HEAD_BYTES = 8192
_CONTROL_SHARE = 0.3
_CHUNK_BYTES = 1 << 20
_CONTROLS = bytes(set(range(32)) - {7, 8, 9, 10, 11, 12, 13, 27}) + b"\x7f"
# The longer ones first: the mark of UTF-32 begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


class Reason(StrEnum):
    """Why something was not read. The last three are trouble wherever they are met: somebody expected it to be read."""

    BINARY = "binary file"
    LINK = "symbolic link"
    FOLDER = "folder of tools"
    SPECIAL = "not a file"
    UNREADABLE = "unreadable"
    UNDECODABLE = "undecodable"
    TOO_LARGE = "too large"

    @property
    def trouble(self) -> bool:
        """Whether the exit code tells it also of a file that nobody named."""
        return self in (Reason.UNREADABLE, Reason.UNDECODABLE, Reason.TOO_LARGE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file to read: `shown` to people, `relative` below a folder of copies. `named` on the command line, not walked to."""

    path: Path
    shown: str
    relative: PurePath
    size: int
    named: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """What was not read; `named` on the command line, not walked to."""

    shown: str
    reason: Reason
    detail: str = ""
    named: bool = False

    @property
    def trouble(self) -> bool:
        """Whether the exit code tells it: whoever names a file expects that it is read."""
        return self.named or self.reason.trouble


class SourceSkipped(Exception):
    """A file cannot be read or is none to read; `skipped` says why. The message quotes nothing of it."""

    def __init__(self, source: Source, reason: Reason, detail: str = "") -> None:
        super().__init__(reason.value)
        self.skipped = Skipped(shown=source.shown, reason=reason, detail=detail, named=source.named)


def walk(paths: Sequence[str], *, without: Path | None = None) -> Iterator[Source | Skipped]:
    """The files that `paths` name, folders in order of names; `without` is a folder that is passed over.

    Raises ConfigInvalid for a path that cannot be looked at: it was typed wrong.
    """
    barred = _identity(without) if without is not None else None
    for path in paths:
        try:
            found = os.stat(path)  # noqa: PTH116  the name stays as it was typed
            # `..` has the name of the folder that it is.
            name = PurePath(Path(os.path.abspath(path)).name)  # noqa: PTH100  a link keeps its own name
        except (OSError, ValueError) as error:
            raise ConfigInvalid(f"cannot be read: {_why(error)}", file=path) from None
        if stat.S_ISDIR(found.st_mode):
            below = name if len(paths) > 1 else PurePath()
            yield from _folder(Path(path), below, barred)
        elif stat.S_ISREG(found.st_mode) or stat.S_ISFIFO(found.st_mode):
            yield Source(path=Path(path), shown=path, relative=name, size=found.st_size, named=True)
        else:
            raise ConfigInvalid("cannot be read: not a file, a folder or a pipe", file=path)


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        found = folder.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _why(error: OSError | ValueError) -> str:
    return (getattr(error, "strerror", None) or "not a path").lower()


def _folder(top: Path, below: PurePath, barred: tuple[int, int] | None) -> Iterator[Source | Skipped]:
    waiting: list[tuple[Path, PurePath]] = [(top, below)]
    while waiting:
        folder, relative = waiting.pop()
        try:
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            yield Skipped(shown=str(folder), reason=Reason.UNREADABLE, detail=_why(error))
            continue
        deeper: list[tuple[Path, PurePath]] = []
        for entry in entries:
            path = folder / entry.name
            try:
                found = entry.stat(follow_symlinks=False)
            except OSError as error:
                yield Skipped(shown=str(path), reason=Reason.UNREADABLE, detail=_why(error))
                continue
            if stat.S_ISDIR(found.st_mode):
                if barred is not None and (found.st_dev, found.st_ino) == barred:
                    continue
                if entry.name in LEFT_OUT:
                    yield Skipped(shown=str(path), reason=Reason.FOLDER)
                else:
                    deeper.append((path, relative / entry.name))
            elif stat.S_ISREG(found.st_mode):
                yield Source(path=path, shown=str(path), relative=relative / entry.name, size=found.st_size)
            else:
                link = stat.S_ISLNK(found.st_mode)
                yield Skipped(shown=str(path), reason=Reason.LINK if link else Reason.SPECIAL)
        waiting += reversed(deeper)


def opened(source: Source) -> BinaryIO:
    """The file of `source`, for the caller to close. Raises SourceSkipped; never blocks on a pipe without a writer."""
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if source.named else os.O_NOFOLLOW)
    try:
        descriptor = os.open(source.path, flags)
    except OSError as error:
        raise SourceSkipped(source, Reason.UNREADABLE, _why(error)) from None
    mode = os.fstat(descriptor).st_mode
    if not (stat.S_ISREG(mode) or (source.named and stat.S_ISFIFO(mode))):
        os.close(descriptor)
        raise SourceSkipped(source, Reason.SPECIAL)
    os.set_blocking(descriptor, True)
    return os.fdopen(descriptor, "rb")


@final
class Decoder:
    """The bytes of one source as text, chunk by chunk, so that `encoded` gives the same bytes again.

    Bytes that are not UTF-8 become the lone surrogates of `surrogateescape`; `bad_byte` is the position of the first of
    them. The byte order mark is no part of the text. Raises SourceSkipped for binary files, unreadable and undecodable ones.
    """

    def __init__(self, source: Source, stream: BinaryIO) -> None:
        self._source = source
        self._stream = stream
        self._head = self._read(HEAD_BYTES)
        self.mark, self.encoding = next(
            ((mark, name) for mark, name in _MARKS if self._head.startswith(mark)), (b"", "utf-8")
        )
        if self.encoding == "utf-8" and is_binary(self._head):
            raise SourceSkipped(source, Reason.BINARY)
        self._errors = "surrogateescape" if self.encoding == "utf-8" else "surrogatepass"
        self.bytes_read = len(self._head)
        self.bad_byte: int | None = None

    def chunks(self) -> Iterator[str]:
        """The text, in order."""
        decoder = codecs.getincrementaldecoder(self.encoding)(self._errors)
        raw, before = self._head[len(self.mark) :], len(self.mark)
        while True:
            text = self._decoded(decoder, raw, final=False)
            before = self._note_bad(text, before)
            if text:
                yield text
            raw = self._read(_CHUNK_BYTES)
            self.bytes_read += len(raw)
            if not raw:
                break
        text = self._decoded(decoder, b"", final=True)
        self._note_bad(text, before)
        if text:
            yield text

    def encoded(self, text: str) -> bytes:
        """`text` as this source has it."""
        return self.mark + text.encode(self.encoding, self._errors)

    def _decoded(self, decoder: codecs.IncrementalDecoder, raw: bytes, *, final: bool) -> str:
        try:
            return decoder.decode(raw, final)
        except UnicodeDecodeError:
            raise SourceSkipped(self._source, Reason.UNDECODABLE, f"not {self.encoding}") from None

    def _note_bad(self, text: str, before: int) -> int:
        """The position in bytes behind `text`, of which the first byte is at `before`."""
        if self.encoding != "utf-8" or self.bad_byte is not None:
            return before
        try:
            return before + len(text.encode("utf-8"))
        except UnicodeEncodeError as error:
            self.bad_byte = before + len(text[: error.start].encode("utf-8"))
            return self.bad_byte

    def _read(self, size: int) -> bytes:
        try:
            return self._stream.read(size)
        except OSError as error:
            raise SourceSkipped(self._source, Reason.UNREADABLE, _why(error)) from None


def is_binary(head: bytes) -> bool:
    """Whether a file that begins with `head` is no text: a NUL, or more than three in ten control characters."""
    if b"\0" in head:
        return True
    return len(head.translate(None, _CONTROLS)) < len(head) * (1 - _CONTROL_SHARE)
