"""The policies of one worker: its directories, beside the bundle that it watches where one is configured."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from governance.policy.bundle import Bundle, configured
from governance.policy.distribution.archive import Tree
from governance.policy.distribution.feed import Feed
from governance.policy.distribution.origin import origin_of
from governance.policy.distribution.signing import read_key
from governance.policy.distribution.store import Store
from governance.policy.trial import try_out
from governance.settings import Config


class Policies:
    """Where bundles come from. INVARIANT: `load` uses the tree that was last put in force.

    Each worker keeps a last good bundle of its own, in `directory`.
    """

    def __init__(self, config: Config, directory: Path) -> None:
        """Raises ConfigInvalid for a key or a location that cannot be used."""
        self._settings = config.policy
        self._feed = _feed(config, directory)
        self._trees: tuple[Tree, ...] = ()

    async def start(self) -> Bundle:
        """The first bundle: with the origin's tree, else with the last good one. Raises GovernanceError without either."""
        if self._feed is None:
            return self.load()

        async def first(tree: Tree) -> Bundle:
            bundle = await asyncio.to_thread(configured, self._settings, tree)
            # Before it is kept as a good one.
            await asyncio.to_thread(try_out, bundle)
            self._trees = (tree,)
            return bundle

        return await self._feed.start(first)

    def load(self) -> Bundle:
        """The directories read again, beside the tree in force. Blocks. Raises ConfigInvalid."""
        return configured(self._settings, *self._trees)

    async def follow(self, swap: Callable[[Bundle], Awaitable[None]]) -> None:
        """Puts each newer bundle in force by `swap`, which raises GovernanceError to refuse it. Ends when cancelled."""
        if self._feed is None:
            return

        async def take(tree: Tree) -> Bundle:
            bundle = await asyncio.to_thread(configured, self._settings, tree)
            await swap(bundle)
            self._trees = (tree,)
            return bundle

        await self._feed.follow(take)

    async def close(self) -> None:
        """Frees the origin."""
        if self._feed is not None:
            await self._feed.close()


def _feed(config: Config, directory: Path) -> Feed | None:
    settings = config.policy.bundle
    if settings.url is None:
        return None
    key = read_key(settings.key_file, id_=settings.key_id) if settings.key_file is not None else None
    origin = origin_of(settings.url, signed=key is not None, wait_s=settings.wait_s, token_file=settings.token_file)
    return Feed(origin, Store(directory, origin=origin.name), key=key, poll_s=settings.poll_s)
