"""The Merkle tree over the records of a log (RFC 6962, 2.1), as far as its root needs it. Pure."""

from __future__ import annotations

import hashlib


class Frontier:
    """A tree that grows leaf by leaf. It keeps the roots of its complete subtrees, the largest first: log2 of its size."""

    __slots__ = ("_peaks", "_size")

    def __init__(self) -> None:
        self._peaks: list[bytes] = []
        self._size = 0

    def add(self, leaf: bytes) -> None:
        """Takes in the hash of the next leaf."""
        node, size = leaf, self._size
        while size & 1:
            node = _joined(self._peaks.pop(), node)
            size >>= 1
        self._peaks.append(node)
        self._size += 1

    def root(self) -> bytes:
        """The root over all leaves so far."""
        if not self._peaks:
            return hashlib.sha256().digest()
        *larger, node = self._peaks
        for peak in reversed(larger):
            node = _joined(peak, node)
        return node


def _joined(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()
