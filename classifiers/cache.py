"""Results by text, without the text: keys are keyed digests, values hold types and offsets."""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections import OrderedDict
from typing import Generic, TypeVar, final

V = TypeVar("V")


@final
class DigestCache(Generic[V]):
    """The most recently used results, bounded by entries and by the sum of their weights. Safe between threads.

    Keys are BLAKE2b (16 bytes) under a key of this instance, so that they tell nothing outside this process.
    """

    def __init__(self, *, max_entries: int, max_weight: int) -> None:
        self._key = secrets.token_bytes(32)
        # The digest of the version last asked for, to go on from.
        self._started: dict[str, hashlib.blake2b] = {}
        self._max_entries = max_entries
        self._max_weight = max_weight
        self._entries: OrderedDict[bytes, tuple[V, int]] = OrderedDict()
        self._weight = 0
        self._lock = threading.Lock()

    def key(self, text: str, version: str = "") -> bytes:
        """The digest of `text` as read by `version`: results of other rules are never mistaken for it."""
        started = self._started.get(version)
        if started is None:
            started = hashlib.blake2b(f"{len(version)} {version}".encode(), key=self._key, digest_size=16)
            self._started = {version: started}
        digest = started.copy()
        digest.update(text.encode("utf-8", "surrogatepass"))
        return digest.digest()

    def get(self, key: bytes) -> V | None:
        """The result stored under `key`, which counts as used now."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            self._entries.move_to_end(key)
            return entry[0]

    def put(self, key: bytes, value: V, *, weight: int) -> None:
        """Stores `value`; the least recently used leave. A value heavier than the whole cache is not kept."""
        if weight > self._max_weight:
            return
        with self._lock:
            self._weight += weight - self._entries.pop(key, (None, 0))[1]
            self._entries[key] = (value, weight)
            while len(self._entries) > self._max_entries or self._weight > self._max_weight:
                self._weight -= self._entries.popitem(last=False)[1][1]

    def __len__(self) -> int:
        return len(self._entries)
