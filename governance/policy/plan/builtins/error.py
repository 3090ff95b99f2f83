"""What a builtin raises, and what it returns where Rego has no value."""

from __future__ import annotations

from typing import Final, final


class BuiltinError(Exception):
    """A builtin that has no answer: the policy that called it has failed. The text quotes no argument."""


@final
class _Undefined:
    __slots__ = ()

    def __repr__(self) -> str:
        return "UNDEFINED"


UNDEFINED: Final = _Undefined()
"""Returned by the few builtins that are undefined rather than wrong: max and min of nothing, uuid.parse of no UUID."""
