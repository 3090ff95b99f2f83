"""Keeps the newest good bundle of an origin in force.

A candidate goes through signature, store and activation, which loads it, tests it, tries it and swaps it in. Whatever
fails on the way leaves the bundle before it in force and is asked for again, later and later. At the start the last good
bundle stands in for an origin that cannot be had; without one there is no start: nothing is decided without policies.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import structlog

from governance.errors import ConfigInvalid, told
from governance.frozen import frozen
from governance.policy.bundle import Bundle
from governance.policy.distribution.archive import Tree
from governance.policy.distribution.origin import Fetched, Origin, OriginUnavailable, read_local
from governance.policy.distribution.signing import Key, read_key, verify
from governance.policy.distribution.store import Store
from governance.settings import PolicyBundle

_LOG = structlog.get_logger("ringfence.policy")
_FIRST_RETRY_S = 1.0
_HELD_PAUSE_S = 0.2

# Loads a tree, tries it and puts it in force; raises GovernanceError to refuse it, and then nothing has changed.
Activate = Callable[[Tree], Awaitable[Bundle]]


@frozen
class Status:
    """What an operator asks about a feed. `kept` says that the bundle in force is from disk, and nobody confirmed it yet.

    `signed` says that nothing without a good signature is taken. `failing` counts failures since the last success.
    Times are Unix seconds, 0 for never: asked at all, asked with success, and put in force. `code` and `reason` are of
    the last failure and empty once the origin is well again.
    """

    origin: str
    signed: bool = False
    revision: str = ""
    digest: str = ""
    kept: bool = False
    activations: int = 0
    failures: int = 0
    failing: int = 0
    asked_unix_s: int = 0
    succeeded_unix_s: int = 0
    activated_unix_s: int = 0
    code: str = ""
    reason: str = ""


def local_tree(settings: PolicyBundle) -> Tree | None:
    """The bundle on disk that `settings` name, its signature verified; None where it is a server's, or there is none.

    Raises ConfigInvalid where a feed would refuse it for its key, its signature or its files.
    """
    if settings.url is None or "://" in settings.url:
        return None
    key = read_key(settings.key_file, id_=settings.key_id) if settings.key_file is not None else None
    tree = read_local(Path(settings.url), signed=key is not None)
    if key is not None:
        verify(tree, key)
    return tree


class Feed:
    """One origin, its store and what was taken last. `key` makes a signature mandatory."""

    def __init__(
        self,
        origin: Origin,
        store: Store,
        *,
        key: Key | None,
        poll_s: float = 60.0,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._origin, self._store, self._key = origin, store, key
        self._poll_s, self._sleep, self._chance = poll_s, sleep, chance
        self._tag = ""
        self._place: Path | None = None
        self._held = False
        self.status = Status(origin=origin.name, signed=key is not None)

    async def start(self, activate: Activate) -> Bundle:
        """The bundle in force: the origin's, else the last good one. Raises what the origin's failed with without either."""
        try:
            bundle = await self._ask(activate)
        except Exception as error:
            self._failed(error)
            kept = await asyncio.to_thread(self._store.last_good, self._key)
            if kept is None:
                raise
            bundle = await activate(kept.tree)
            self._tag, self._place = kept.tag, kept.tree.place
            self._activated(bundle, kept=True)
            return bundle
        if bundle is None:
            raise OriginUnavailable("the origin says that nothing changed, though nothing was taken yet")
        return bundle

    async def follow(self, activate: Activate) -> None:
        """Takes what is new until it is cancelled. Ends for no other reason."""
        while True:
            await self._sleep(self._pause())
            try:
                await self._ask(activate)
            except Exception as error:  # noqa: BLE001  (the edge of a task: it must not die and leave old policies)
                self._failed(error)

    async def close(self) -> None:
        """Frees the origin."""
        await self._origin.close()

    async def _ask(self, activate: Activate) -> Bundle | None:
        fetched = await self._origin.fetch(self._tag)
        bundle = await self._take(fetched, activate) if fetched is not None else None
        now = int(time.time())
        # With success: what is in force is the origin's, also where it was taken from disk and is still the newest.
        self.status = replace(
            self.status, kept=False, failing=0, code="", reason="", asked_unix_s=now, succeeded_unix_s=now
        )
        return bundle

    async def _take(self, fetched: Fetched, activate: Activate) -> Bundle | None:
        """The bundle that was put in force; None where the same files are in force already."""
        if self._key is not None:
            await asyncio.to_thread(verify, fetched.tree, self._key)
        staged = await asyncio.to_thread(self._store.stage, fetched.tree)
        bundle = None
        # An origin without tags answers with the same files each time: they cost neither a trial nor the cache.
        if staged.place != self._place:
            try:
                bundle = await activate(staged)
            except BaseException:
                self._store.drop(staged)
                raise
            self._activated(bundle, kept=False)
        self._tag, self._held, self._place = fetched.tag, fetched.held, staged.place
        try:
            await asyncio.to_thread(self._store.keep, staged, fetched.tag)
        except ConfigInvalid as error:
            # It is in force; only the next start has to do with an older one.
            _LOG.error("bundle_not_kept", reason=str(error))
        return bundle

    def _pause(self) -> float:
        """Seconds until the next question. Jitter keeps many workers from asking at once."""
        if self.status.failing:
            # Beyond some thirty doublings every cap is reached.
            wanted = min(_FIRST_RETRY_S * 2.0 ** min(self.status.failing - 1, 30), max(self._poll_s, _FIRST_RETRY_S))
            return wanted * (0.5 + 0.5 * self._chance())
        if self._held:
            return _HELD_PAUSE_S * (1 + self._chance())
        return self._poll_s * (0.9 + 0.2 * self._chance())

    def _activated(self, bundle: Bundle, *, kept: bool) -> None:
        self.status = replace(
            self.status,
            revision=bundle.revision,
            digest=bundle.digest,
            kept=kept,
            activations=self.status.activations + 1,
            activated_unix_s=int(time.time()),
        )
        _LOG.info("bundle_activated", origin=self.status.origin, revision=bundle.revision, kept=kept)

    def _failed(self, failure: Exception) -> None:
        error = told(failure)
        self.status = replace(
            self.status,
            failures=self.status.failures + 1,
            failing=self.status.failing + 1,
            asked_unix_s=int(time.time()),
            code=error.code,
            reason=str(error),
        )
        _LOG.warning("bundle_refused", origin=self.status.origin, code=error.code, reason=str(error))
