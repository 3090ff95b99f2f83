"""The room that a worker has for bodies which come in pieces. Their callers set the pace, so they could fill it for long.

A body in one message needs none of it: Envoy has read that one, within a bound of its own.
"""

from __future__ import annotations


class Intake:
    """What is left of `max_bytes` and of `max_streams`. Not thread safe; shared by the exchanges of one event loop."""

    def __init__(self, *, max_bytes: int, max_streams: int) -> None:
        self._bytes = max_bytes
        self._streams = max_streams

    def open(self) -> bool:
        """Whether one more body may be read; `close` must follow then."""
        if not self._streams:
            return False
        self._streams -= 1
        return True

    def close(self) -> None:
        """Another body may take its place."""
        self._streams += 1

    def take(self, size: int) -> bool:
        """Whether `size` more bytes may be held; `give_back` must follow then."""
        if size > self._bytes:
            return False
        self._bytes -= size
        return True

    def give_back(self, size: int) -> None:
        """These bytes are held no more."""
        self._bytes += size
