"""What becomes of a request: forwarded to a pool with a body and header changes, answered by us, or refused."""

from __future__ import annotations

from dataclasses import dataclass

from governance.denial import Denial
from governance.nodes.node import Pool
from governance.sensitive import SensitiveBytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Redacted:
    """How many values of one entity type were changed by one operator."""

    entity: str
    operator: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Forward:
    """Send to `pool`. `body` is None when the bytes go on as they came."""

    pool: Pool
    body: SensitiveBytes | None = None
    redacted: tuple[Redacted, ...] = ()
    masked: tuple[str, ...] = ()
    set_headers: tuple[tuple[str, str], ...] = ()
    remove_headers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse:
    """Answer with the denial, in the caller's own error shape."""

    denial: Denial


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Answer the model listing ourselves: these models, or the one that was asked for."""

    models: tuple[str, ...]


Enforcement = Forward | Answer | Refuse
