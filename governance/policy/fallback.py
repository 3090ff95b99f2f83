"""An engine with another one behind it, for when the first cannot be reached: an OPA server, and regopy with the same bundle.

Both hold the same revision, so that which of them answers changes nothing but the provenance, and that is told with each
answer. What neither answers is refused; no answer is ever made up.

LIMIT: where a bundle is replaced in the moment in which the server comes back, the first engine's retry may push the older
one after it; the second engine then answers until the next push.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Self, final

from governance.breaker import Breaker
from governance.decision import Contribution
from governance.errors import GovernanceError, PolicyUnavailable
from governance.frozen import frozen

if TYPE_CHECKING:
    from governance.policy.engine import Engine


@frozen
class Answer:
    """Contributions, and the name and version of the engine that really made them."""

    contributions: tuple[Contribution, ...]
    engine: str
    engine_version: str


async def answered(engine: Engine, policies: Sequence[str], document: bytes, *, rows: int) -> Answer:
    """What `engine` says, and who said it. Raises PolicyUnavailable."""
    if isinstance(engine, Fallback):
        return await engine.answer(policies, document, rows=rows)
    contributions = await engine.evaluate(policies, document, rows=rows)
    return Answer(contributions=contributions, engine=engine.name, engine_version=engine.version)


@final
class Fallback:
    """Asks the first engine, and the second one where the first cannot be reached or answers for no policy in time.

    A first engine that could not be reached from the start is tried again in the background, with pauses, while the second
    one answers. `version` is that of the first one once it was there. Used on one event loop, between `start` and `close`.
    """

    def __init__(
        self,
        name: str,
        first: Callable[[], Awaitable[Engine]],
        second: Engine,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`first` makes the first engine, whose name is `name`; the second one has started and is owned from here on."""
        self.name, self.version = name, second.version
        self._make, self._second = first, second
        self._first: Engine | None = None
        self._trying: asyncio.Task[None] | None = None
        self._tries = Breaker(clock, failures=1)

    async def start(self) -> Self:
        """The engine, with the first one connected or, where that cannot be reached, without it.

        Raises ConfigInvalid where the first one refuses the bundle.
        """
        try:
            await self._connect()
        except PolicyUnavailable:
            self._tries.failed()
        except BaseException:
            await self.close()
            raise
        return self

    async def evaluate(self, policies: Sequence[str], document: bytes, *, rows: int) -> tuple[Contribution, ...]:
        """One contribution for each of `policies`, in order. Raises PolicyUnavailable where neither answers."""
        return (await self.answer(policies, document, rows=rows)).contributions

    async def answer(self, policies: Sequence[str], document: bytes, *, rows: int) -> Answer:
        """The same, with the engine that answered."""
        first = self._first
        if first is None:
            self._try()
        else:
            with suppress(PolicyUnavailable):
                said = await first.evaluate(policies, document, rows=rows)
                # From here a server that hangs looks as one that is slow, and the second engine has a deadline too.
                if not said or any(one.failure != "timeout" for one in said):
                    return Answer(contributions=said, engine=first.name, engine_version=first.version)
        second = self._second
        said = await second.evaluate(policies, document, rows=rows)
        return Answer(contributions=said, engine=second.name, engine_version=second.version)

    async def close(self) -> None:
        """Frees both."""
        if self._trying is not None:
            self._trying.cancel()
            await asyncio.wait([self._trying])
        if self._first is not None:
            await self._first.close()
        await self._second.close()

    def _try(self) -> None:
        if (self._trying is None or self._trying.done()) and self._tries.admits():
            self._trying = asyncio.create_task(self._try_again())

    async def _try_again(self) -> None:
        try:
            await self._connect()
        except GovernanceError:
            # Also a server that came back and refuses the bundle: the second engine holds it and goes on.
            self._tries.failed()

    async def _connect(self) -> None:
        first = await self._make()
        self._first, self.version = first, first.version
