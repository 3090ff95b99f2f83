"""Decisions that are given again: for an input that was seen, and for contributions that were joined before.

Both belong to one bundle and go with it. Failures are never kept: they may be over with the next request.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from functools import partial
from itertools import chain
from typing import final

from governance.decision import Contribution, Decision, Mode, Provenance
from governance.facts import Phase
from governance.frozen import frozen
from governance.policy.components import Voice
from governance.policy.lattice import settle, voices_of
from governance.policy.remedies import with_remedies

# Of the inputs that one memory was made from, as JSON. As values they take up to ten times as much.
MOST_BYTES = 16 * 1024 * 1024
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def awake() -> float:
    """Seconds on a clock that goes on while the machine sleeps, where there is one: what was decided before is older then."""
    return time.clock_gettime(_CLOCK)


@frozen
class Kept:
    """A decision to give again, as the answer to other requests."""

    again: Callable[..., Decision]
    provenance: Provenance
    since: float
    until: float
    size: int

    def decision(self, decision_id: str, classifiers: str) -> Decision:
        """The decision under its new id, for what the classifiers of the digest `classifiers` found."""
        if self.provenance.classifiers_digest == classifiers:
            return self.again(decision_id=decision_id)
        provenance = replace(self.provenance, classifiers_digest=classifiers)
        return self.again(decision_id=decision_id, provenance=provenance)


@final
class DecisionCache:
    """The decisions last used, each until its time is over: at most `size`, on inputs of at most MOST_BYTES together."""

    def __init__(self, size: int, clock: Callable[[], float]) -> None:
        self._size, self._clock = size, clock
        self._kept: OrderedDict[Hashable, Kept] = OrderedDict()
        self._bytes = 0

    def get(self, key: Hashable) -> Kept | None:
        """What is kept under `key` and not over."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        # A clock that went back says nothing of how old this is.
        if not kept.since <= self._clock() < kept.until:
            self._drop(key)
            return None
        self._kept.move_to_end(key)
        return kept

    def put(self, key: Hashable, decision: Decision, size: int) -> None:
        """Keeps `decision`, on an input of `size` bytes, unless it forbids that."""
        if not decision.cacheable or decision.ttl_s <= 0 or decision.errors:
            return
        if key in self._kept:
            self._drop(key)
        provenance = replace(decision.provenance, cached=True, eval_us=0)
        again = partial(_without(decision, "decision_id", "provenance"), provenance=provenance)
        now = self._clock()
        self._kept[key] = Kept(again=again, provenance=provenance, since=now, until=now + decision.ttl_s, size=size)
        self._bytes += size
        while len(self._kept) > self._size or self._bytes > MOST_BYTES:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: Hashable) -> None:
        self._bytes -= self._kept.pop(key).size


@final
class Joins:
    """Decisions by what policies contributed, for engines that give the same objects again; `size` of them at most.

    INVARIANT: an entry holds its contributions, so that no other object has their identity while it is there.
    """

    def __init__(self, remedies: Mapping[str, str], size: int = 1024) -> None:
        self._remedies, self._size = remedies, size
        self._voices: dict[tuple[int, Mode], tuple[Contribution, tuple[Voice, ...]]] = {}
        self._kept: OrderedDict[Hashable, tuple[Sequence[Contribution], Callable[..., Decision]]] = OrderedDict()

    def decision(
        self, said: Sequence[Contribution], modes: Iterable[Mode], terms: tuple[Phase, Hashable]
    ) -> Callable[..., Decision]:
        """Makes the decision on `said`, each in its mode of `modes`, of an id and a provenance.

        `terms` are the phase, and what tells these modes from others.
        """
        key = (terms, *map(id, said))
        kept = self._kept.get(key)
        if kept is not None:
            return kept[1]
        voices = chain.from_iterable(map(self._heard, said, modes))
        joined = settle(voices, decision_id="", phase=terms[0], provenance=_NO_PROVENANCE)
        decision = _without(with_remedies(joined, self._remedies), "decision_id", "provenance")
        if not joined.errors:
            self._kept[key] = said, decision
            if len(self._kept) > self._size:
                self._kept.popitem(last=False)
        return decision

    def _heard(self, said: Contribution, mode: Mode) -> tuple[Voice, ...]:
        """What `said` adds where its policy is in `mode`."""
        kept = self._voices.get((id(said), mode))
        if kept is None:
            if len(self._voices) >= self._size * 8:
                self._voices.clear()
            kept = said, voices_of(said if said.mode is mode else replace(said, mode=mode))
            self._voices[id(said), mode] = kept
        return kept[1]


_NO_PROVENANCE = Provenance()


def _without(decision: Decision, *names: str) -> Callable[..., Decision]:
    """Makes `decision` again with other `names`: without the cost of `replace`."""
    return partial(Decision, **{each: getattr(decision, each) for each in _NAMES if each not in names})


_NAMES = tuple(each.name for each in fields(Decision))
