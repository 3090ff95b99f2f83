"""What becomes of a request: forwarded to a pool with a body and header changes, answered by us, or refused."""

from __future__ import annotations

from governance.denial import Denial
from governance.frozen import frozen
from governance.nodes.node import Pool
from governance.sensitive import SensitiveBytes


@frozen
class Redacted:
    """How many values of one entity type were changed by one operator."""

    entity: str
    operator: str
    count: int


@frozen
class Forward:
    """Send to `pool`. `body` is None when the bytes go on as they came."""

    pool: Pool
    body: SensitiveBytes | None = None
    redacted: tuple[Redacted, ...] = ()
    masked: tuple[str, ...] = ()
    set_headers: tuple[tuple[str, str], ...] = ()
    remove_headers: tuple[str, ...] = ()


@frozen
class Refuse:
    """Answer with the denial, in the caller's own error shape."""

    denial: Denial


@frozen
class Answer:
    """Answer the model listing ourselves: these models, or the one that was asked for."""

    models: tuple[str, ...]


Enforcement = Forward | Answer | Refuse
