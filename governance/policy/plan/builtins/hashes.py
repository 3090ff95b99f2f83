"""Hashes of strings, in hex."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Final

from governance.policy.plan.builtins.operand import Builtin, guarded, text
from governance.policy.plan.values import Value


def _hash(name: str) -> Builtin:
    def call(a: Value) -> Value:
        return hashlib.new(name, text(a).encode(), usedforsecurity=False).hexdigest()

    return guarded(call)


def _hmac(name: str) -> Builtin:
    def call(a: Value, b: Value) -> Value:
        return hmac.new(text(b, 2).encode(), text(a, 1).encode(), name).hexdigest()

    return guarded(call)


def same(a: Value, b: Value) -> Value:
    """Whether two strings are one, in a time that does not tell how far they are."""
    return hmac.compare_digest(text(a, 1).encode(), text(b, 2).encode())


BUILTINS: Final[Mapping[str, Builtin]] = {
    **{f"crypto.{name}": _hash(name) for name in ("md5", "sha1", "sha256")},
    **{f"crypto.hmac.{name}": _hmac(name) for name in ("md5", "sha1", "sha256", "sha512")},
    "crypto.hmac.equal": guarded(same),
}
