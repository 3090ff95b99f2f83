"""Logs: one JSON object per line on standard error, or a console view on a terminal. Content cannot reach them.

An entry is an event name and fields. What may stand in a field is a closed list; sensitive values show length and digest
only, and objects nobody listed show their type. Messages of libraries, and texts of exceptions that are not ours, may
quote what was being read, so an entry names where they came from instead of what they said.

LIMIT: a line that cannot be written is lost. The audit log is the record; this is a view for operators.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from enum import StrEnum
from pathlib import PurePath
from typing import Any, Final, TextIO

import orjson
import structlog

from governance.errors import GovernanceError
from governance.sensitive import SensitiveBytes, SensitiveText

MAX_TEXT: Final = 512
_MAX_ITEMS = 32
_MAX_DEPTH = 4
_MAX_FRAMES = 8
_MAX_CHAIN = 4
_EVENT = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)

Entry = MutableMapping[str, Any]


class Event(StrEnum):
    """Events that more than one module, or an operator's alert, depends on."""

    CHILD_STARTED = "child_started"
    CHILD_READY = "child_ready"
    CHILD_DIED = "child_died"
    CHILD_STOPPED = "child_stopped"
    CHILD_KILLED = "child_killed"
    DRAIN_STARTED = "drain_started"
    DRAIN_FAILED = "drain_failed"
    LIBRARY_LOG = "library_log"
    UNNAMED = "unnamed_event"


def configure_logging(process: str, *, stream: TextIO | None = None, console: bool | None = None) -> None:
    """Sends every log of this process, those of libraries included, to `stream` (standard error).

    `process` stands in every entry. `console` None shows a console view exactly when the stream is a terminal.
    """
    sink = stream if stream is not None else sys.stderr
    pretty = sink.isatty() if console is None else console
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            _Origin(process),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            raised,
            guarded,
            structlog.dev.ConsoleRenderer() if pretty else _json,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *names: _Lines(sink, str(names[0]) if names else ""),
        # A module takes its logger before the process configures logging; without a cache it follows what is set here.
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.WARNING, handlers=[_Libraries()], force=True)
    logging.captureWarnings(capture=True)


class _Lines:
    """Writes finished lines. `name` is what the module that logs calls itself."""

    __slots__ = ("_sink", "name")

    def __init__(self, sink: TextIO, name: str) -> None:
        self._sink = sink
        self.name = name

    def msg(self, line: str) -> None:
        with suppress(OSError, ValueError):
            self._sink.write(line + "\n")
            self._sink.flush()

    log = debug = info = warning = error = critical = exception = fatal = msg


class _Origin:
    """Adds the process, and the name of the logger where it has one."""

    def __init__(self, process: str) -> None:
        self._process = process

    def __call__(self, logger: Any, _method: str, entry: Entry) -> Entry:
        entry["process"] = self._process
        if name := getattr(logger, "name", ""):
            entry["logger"] = name
        return entry


class _Libraries(logging.Handler):
    """Entries of libraries: who said something, where and how bad. What they said may quote content and stays out."""

    def emit(self, record: logging.LogRecord) -> None:
        level = min(record.levelno // 10 * 10, logging.CRITICAL)
        fields: dict[str, Any] = {"library": record.name, "at": f"{record.module}:{record.lineno}"}
        if record.exc_info and record.exc_info[1] is not None:
            fields["exc_info"] = record.exc_info[1]
        structlog.get_logger("ringfence.logs").log(max(level, logging.DEBUG), Event.LIBRARY_LOG, **fields)


def raised(_logger: Any, _method: str, entry: Entry) -> Entry:
    """Replaces `exc_info` by the types and places of the exceptions; the text stays only where we wrote it."""
    given = entry.pop("exc_info", None)
    error = given if isinstance(given, BaseException) else sys.exc_info()[1] if given else None
    chain: list[dict[str, object]] = []
    while error is not None and len(chain) < _MAX_CHAIN:
        frames = traceback.extract_tb(error.__traceback__)[-_MAX_FRAMES:]
        at = [f"{PurePath(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]
        chain.append({"error": error, "at": at})
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if chain:
        entry["raised"] = chain
    return entry


def guarded(_logger: Any, _method: str, entry: Entry) -> Entry:
    """The entry with nothing in it but what may be shown. An event that is not a name could be somebody's text."""
    event = entry.get("event")
    safe = {str(name): shown(value) for name, value in entry.items()}
    safe["event"] = str(event) if isinstance(event, str) and _EVENT.fullmatch(event) else Event.UNNAMED.value
    return safe


def shown(value: object, *, depth: int = 0) -> Any:
    """What of `value` a log may hold: JSON values of bounded size, made of known types."""
    match value:
        case None | bool() | float():
            return value
        case int():
            return value if -(2**63) <= value < 2**63 else _text(hex(value))
        case str() | PurePath():
            return _text(str(value))
        case SensitiveText() | SensitiveBytes():
            return repr(value)
        case GovernanceError():
            return _text(f"{value.code}: {value}")
        case BaseException():
            return type(value).__qualname__
        case Mapping() if depth < _MAX_DEPTH:
            some = list(value.items())[:_MAX_ITEMS]
            return {_text(str(shown(name, depth=depth))): shown(inner, depth=depth + 1) for name, inner in some}
        case list() | tuple() | set() | frozenset() if depth < _MAX_DEPTH:
            return [shown(inner, depth=depth + 1) for inner in list(value)[:_MAX_ITEMS]]
        case bytes() | bytearray():
            return f"<{type(value).__name__} len={len(value)}>"
        case _:
            return f"<{type(value).__qualname__}>"


def _text(text: str) -> str:
    """At most MAX_TEXT characters; nothing that moves a terminal's cursor or is not Unicode."""
    cut = text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}... ({len(text)} characters)"
    return cut if cut.isprintable() else cut.encode("unicode_escape").decode("ascii")


def _json(_logger: Any, _method: str, entry: Entry) -> str:
    return orjson.dumps(entry).decode()
