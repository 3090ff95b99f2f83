"""The policies of one worker: its directories, beside the bundle that it watches where one is configured."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from governance.errors import ConfigInvalid
from governance.frozen import frozen
from governance.policy.bundle import Bundle, configured
from governance.policy.distribution.acceptance import Candidate, accept
from governance.policy.distribution.archive import Tree
from governance.policy.distribution.feed import Feed, Status
from governance.policy.distribution.origin import origin_of
from governance.policy.distribution.signing import read_key
from governance.policy.distribution.store import Store
from governance.policy.embedded import EmbeddedEngine
from governance.policy.engine import AUTO, engine_for
from governance.policy.trial import try_out
from governance.settings import Config

# An origin offers what was refused again with every question; tests that take their full time would never stop.
_REFUSED_S = 600.0

# Puts a bundle in force. Raises GovernanceError to refuse it, and then nothing has changed.
Swap = Callable[[Bundle], Awaitable[None]]


@frozen
class _Refusal:
    """Why the candidate of `key` did not pass: not asked again before `until`, in seconds of the monotonic clock."""

    key: bytes
    reason: str
    until: float

    def holds(self, candidate: Candidate) -> bool:
        """Whether `candidate` need not be tested to be refused."""
        return self.key == candidate.key and time.monotonic() < self.until


class Policies:
    """Where bundles come from. INVARIANT: `load` uses the tree that was last put in force.

    A watched bundle is in force, and kept as a good one, only once it passed its checks and its own cases. Each worker
    keeps a last good bundle of its own, in `directory`. One change follows the other: each is loaded beside what the one
    before it put in force.
    """

    def __init__(self, config: Config, directory: Path) -> None:
        """Raises ConfigInvalid for a key or a location that cannot be used."""
        self._settings = config.policy
        self._feed = _feed(config, directory)
        self._trees: tuple[Tree, ...] = ()
        self._refused: _Refusal | None = None
        self._changing = asyncio.Lock()

    async def start(self) -> Bundle:
        """The first bundle: with the origin's tree, else with the last good one. Raises GovernanceError without either."""
        if self._feed is None:
            return self.load()

        async def first(tree: Tree) -> Bundle:
            bundle = await self._accepted(tree)
            # Before it is kept as a good one.
            await asyncio.to_thread(try_out, bundle)
            self._trees = (tree,)
            return bundle

        return await self._feed.start(first)

    def load(self) -> Bundle:
        """The directories read again, beside the tree in force. Blocks. Raises ConfigInvalid."""
        return configured(self._settings, *self._trees)

    async def again(self, swap: Swap) -> None:
        """Puts the directories as they are now in force by `swap`. Raises GovernanceError; then nothing has changed."""
        async with self._changing:
            await swap(await asyncio.to_thread(self.load))

    async def follow(self, swap: Swap) -> None:
        """Puts each newer bundle in force by `swap`. Ends when cancelled."""
        if self._feed is None:
            return

        async def take(tree: Tree) -> Bundle:
            bundle = await self._accepted(tree)
            async with self._changing:
                # Its tests took their time; what was changed meanwhile, perhaps put in force, must not be undone.
                now = await asyncio.to_thread(configured, self._settings, tree)
                if now.digest != bundle.digest:
                    raise ConfigInvalid("the policy directories changed while the bundle was tested")
                await swap(bundle)
                self._trees = (tree,)
            return bundle

        await self._feed.follow(take)

    def described(self, bundle: Bundle) -> dict[str, Any]:
        """What an operator asks about `bundle`, which is in force, as JSON. `watched` is None where no bundle is."""
        return {
            "revision": bundle.revision,
            "digest": bundle.digest,
            "data_digest": bundle.data_digest,
            "policies": len(bundle.policies),
            "engine": engine_for(bundle) if self._settings.engine == AUTO else self._settings.engine,
            "watched": None if self.status is None else asdict(self.status),
        }

    @property
    def status(self) -> Status | None:
        """How the watched bundle is; None where none is watched."""
        return self._feed.status if self._feed is not None else None

    async def close(self) -> None:
        """Frees the origin."""
        if self._feed is not None:
            await self._feed.close()

    async def _accepted(self, tree: Tree) -> Bundle:
        """The bundle with `tree`, loaded and tested. Raises ConfigInvalid."""
        bundle = await asyncio.to_thread(configured, self._settings, tree)
        embedded = self._settings.engine == EmbeddedEngine.name
        candidate = Candidate(
            tree=tree,
            bundle=bundle,
            directories=self._settings.directories,
            engine=EmbeddedEngine.name if embedded else engine_for(bundle),
        )
        if self._refused is not None and self._refused.holds(candidate):
            raise ConfigInvalid(self._refused.reason)
        try:
            await accept(candidate)
        except ConfigInvalid as error:
            self._refused = _Refusal(key=candidate.key, reason=str(error), until=time.monotonic() + _REFUSED_S)
            raise
        return bundle


def _feed(config: Config, directory: Path) -> Feed | None:
    settings = config.policy.bundle
    if settings.url is None:
        return None
    key = read_key(settings.key_file, id_=settings.key_id) if settings.key_file is not None else None
    origin = origin_of(settings.url, signed=key is not None, wait_s=settings.wait_s, token_file=settings.token_file)
    return Feed(origin, Store(directory, origin=origin.name), key=key, poll_s=settings.poll_s)
