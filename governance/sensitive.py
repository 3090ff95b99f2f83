"""Content that cannot leak by accident: it has no readable `str`, `repr`, `format`, pickle or JSON form."""

from __future__ import annotations

import functools
import hashlib
import secrets
from typing import Generic, NoReturn, TypeVar, final

T = TypeVar("T", str, bytes)


@functools.cache
def _process_key() -> bytes:
    return secrets.token_bytes(16)


class _Sealed(Generic[T]):
    __slots__ = ("_content",)

    def __init__(self, content: T) -> None:
        self._content: T = content

    def reveal(self) -> T:
        """The content itself. The only way out, so that every use can be found by name."""
        return self._content

    def __len__(self) -> int:
        return len(self._content)

    def __bool__(self) -> bool:
        return bool(self._content)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self._content == other._content

    def __hash__(self) -> int:
        return hash(self._content)

    def __repr__(self) -> str:
        """Length and a digest under a key of this process: equal content can be told, nothing can be read."""
        content = self._content
        raw = content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
        digest = hashlib.blake2b(raw, key=_process_key(), digest_size=6).hexdigest()
        return f"{type(self).__name__}(len={len(content)}, digest={digest})"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __reduce__(self) -> NoReturn:
        raise TypeError("sensitive content cannot be pickled or copied")


@final
class SensitiveText(_Sealed[str]):
    """Text from a request or a reply. Offsets into it are code points."""

    __slots__ = ()


@final
class SensitiveBytes(_Sealed[bytes]):
    """The bytes of a body."""

    __slots__ = ()
