"""The policy engine of the path: choose policies, project the input, ask, join, remember.

A policy sees the input projected on the read set of the bundle, and the modes in effect for a request (rollout,
selection by jurisdiction) are part of its key and of its provenance: a decision is a function of what is recorded and
cached, by construction. The cache belongs to one bundle and goes with it; only decisions are kept, never failures.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import field, fields, is_dataclass, replace
from functools import lru_cache, partial
from operator import attrgetter
from typing import Any, Protocol, get_type_hints

import orjson

from governance.decision import Contribution, Decision, Provenance
from governance.errors import ConfigInvalid, GovernanceError
from governance.facts import DetectorFact, Facts, Phase
from governance.frozen import frozen
from governance.policy import embedded
from governance.policy.bundle import Bundle, in_force
from governance.policy.contract import facts_bytes
from governance.policy.embedded import EmbeddedEngine
from governance.policy.lattice import combine
from governance.policy.opa import OpaEngine
from governance.policy.reads import ReadSet
from governance.policy.rollout import Modes, Reach, reach_of
from governance.policy.sample import samples
from governance.policy.trial import try_out

# Above this many rows an evaluation would hold up the other requests of the event loop.
_INLINE_ROWS = 20
_DEFAULT_CACHE = 4096
# Names of engines that `Decider.open` takes beside those of the engines themselves.
PLAN = "plan"
AUTO = "auto"


class Engine(Protocol):
    """Asks policies. Real engines: OPA's plan as Python, regopy in this process, an OPA server."""

    name: str
    version: str

    async def evaluate(self, policies: Sequence[str], document: bytes, *, rows: int) -> tuple[Contribution, ...]:
        """One contribution for each of `policies`, in order. Raises PolicyUnavailable."""
        ...

    async def close(self) -> None:
        """Frees what the engine holds."""
        ...


class InProcess:
    """regopy: small inputs on the caller's thread, large ones on one thread with an interpreter of its own."""

    name = EmbeddedEngine.name

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._here = EmbeddedEngine(bundle, rehearsals=samples())
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="policy")
        self._there: EmbeddedEngine | None = None
        self.version = embedded.version()

    async def evaluate(self, policies: Sequence[str], document: bytes, *, rows: int) -> tuple[Contribution, ...]:
        """One contribution for each of `policies`, in order."""
        if rows <= _INLINE_ROWS:
            return self._here.evaluate(policies, document)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._evaluate_there, policies, document)

    async def close(self) -> None:
        """Lets the thread finish what it does and end."""
        self._thread.shutdown(wait=False)

    def _evaluate_there(self, policies: Sequence[str], document: bytes) -> tuple[Contribution, ...]:
        if self._there is None:
            self._there = EmbeddedEngine(self._bundle)
        return self._there.evaluate(policies, document)


# Phase, the mode of each policy for this request, and all that the bundle reads of the facts.
_Key = tuple[Phase, Modes | None, Hashable]


_WITHOUT_ID = [each.name for each in fields(Decision) if each.name != "decision_id"]


@frozen
class _Kept:
    """`again(decision_id=...)` is the decision as the answer to another request, without the cost of `replace`."""

    again: Callable[..., Decision]
    provenance: Provenance
    until: float


class _Cache:
    """The decisions last used, at most `size`, each until its time is over."""

    def __init__(self, size: int, clock: Callable[[], float]) -> None:
        self._size, self._clock = size, clock
        self._kept: OrderedDict[_Key, _Kept] = OrderedDict()

    def get(self, key: _Key) -> _Kept | None:
        kept = self._kept.get(key)
        if kept is None:
            return None
        if kept.until <= self._clock():
            del self._kept[key]
            return None
        self._kept.move_to_end(key)
        return kept

    def put(self, key: _Key, decision: Decision) -> None:
        """Keeps `decision` unless it forbids that. A failure may be over with the next request."""
        if not decision.cacheable or decision.ttl_s <= 0 or decision.errors or self._size <= 0:
            return
        values = {name: getattr(decision, name) for name in _WITHOUT_ID}
        values["provenance"] = provenance = replace(decision.provenance, cached=True, eval_us=0)
        self._kept[key] = _Kept(
            again=partial(Decision, **values), provenance=provenance, until=self._clock() + decision.ttl_s
        )
        self._kept.move_to_end(key)
        if len(self._kept) > self._size:
            self._kept.popitem(last=False)


@frozen
class _Active:
    """A bundle in force with what belongs to it alone. Each decision takes one reference at its start."""

    bundle: Bundle
    engine: Engine
    cache: _Cache
    project: Callable[[bytes], bytes]
    reads: Callable[[Facts], Hashable]
    reach: Mapping[Phase, Reach]
    provenance: Provenance = field(default_factory=Provenance)


class Decider:
    """Implements `governance.interfaces.PolicyEngine`. Used on one event loop, the one it was opened on."""

    def __init__(
        self,
        active: _Active,
        *,
        make: Callable[[Bundle], Awaitable[Engine]],
        cache_size: int,
        clock: Callable[[], float],
    ) -> None:
        self._active = active
        self._make = make
        self._cache_size, self._clock = cache_size, clock

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        bundle: Bundle,
        engine: str = EmbeddedEngine.name,
        opa_url: str | None = None,
        *,
        deadline_ms: int = 500,
        push: bool = True,
        cache_size: int = _DEFAULT_CACHE,
        clock: Callable[[], float] = time.monotonic,
        trial: Callable[[Bundle], None] = try_out,
    ) -> AsyncIterator[Decider]:
        """A decider on the bundle's plan (`plan`), on regopy (`embedded`) or on the OPA server at `opa_url` (`opa`).

        `auto` is `plan` for a bundle that carries one, else `embedded`; each bundle that is put in force chooses anew.
        `trial` raises ConfigInvalid for a bundle that must not be compiled in this process.
        Raises ConfigInvalid where the bundle cannot be used, PolicyUnavailable where the server cannot be reached.
        """

        async def make(candidate: Bundle) -> Engine:
            chosen = engine_for(candidate) if engine == AUTO else engine
            if chosen == PLAN:
                return await _planned(candidate)
            if chosen == EmbeddedEngine.name:
                await asyncio.to_thread(trial, candidate)
                return InProcess(in_force(candidate))
            if chosen != OpaEngine.name or opa_url is None:
                raise ConfigInvalid("an engine is `auto`, `plan`, `embedded`, or `opa` with the URL of a server")
            return await OpaEngine(candidate, url=opa_url, deadline_ms=deadline_ms, push=push).start()

        decider = cls(
            _activate(bundle, _reach(bundle), await make(bundle), _Cache(cache_size, clock)),
            make=make,
            cache_size=cache_size,
            clock=clock,
        )
        try:
            yield decider
        finally:
            await decider.close()

    @property
    def bundle(self) -> Bundle:
        """The bundle in force."""
        return self._active.bundle

    async def decide(self, facts: Facts, *, decision_id: str) -> Decision:
        """The decision on `facts`. A failing policy denies inside the decision. Raises PolicyUnavailable."""
        started = time.perf_counter_ns()
        active = self._active
        classifiers = _classifiers(facts.classification.detectors)
        reach = active.reach[facts.phase]
        modes = reach.modes(facts)
        key = (facts.phase, reach.key(modes), active.reads(facts))
        known = active.cache.get(key)
        if known is not None:
            return _again(known, decision_id, classifiers)
        document = active.project(facts_bytes(facts))
        contributions = await active.engine.evaluate(reach.asked(modes), document, rows=_rows(facts))
        provenance = replace(
            active.provenance,
            classifiers_digest=classifiers,
            eval_us=_us_since(started),
            input_digest=hashlib.sha256(document).hexdigest(),
            modes=reach.described(modes),
        )
        said = reach.stamped(contributions, modes)
        decision = combine(said, decision_id=decision_id, phase=facts.phase, provenance=provenance)
        active.cache.put(key, decision)
        return decision

    async def reload(self, bundle: Bundle) -> None:
        """Puts `bundle` in force at once. Raises as `open` does; then the last good one stays."""
        last = self._active
        reach = _reach(bundle)
        try:
            engine = await self._make(bundle)
        except GovernanceError:
            if last.engine.name == OpaEngine.name:
                # The server may hold half of the candidate, and refuses until it holds a whole bundle again.
                self._active = replace(last, engine=await self._make(last.bundle))
                await last.engine.close()
            raise
        self._active = _activate(bundle, reach, engine, _Cache(self._cache_size, self._clock))
        await last.engine.close()

    async def close(self) -> None:
        """Frees the engine."""
        await self._active.engine.close()


def engine_for(bundle: Bundle) -> str:
    """What `auto` is for `bundle`: its plan where it carries one, else regopy."""
    return EmbeddedEngine.name if bundle.plan is None else PLAN


async def _planned(bundle: Bundle) -> Engine:
    """The engine on the plan of `bundle`. Raises ConfigInvalid for a plan that is missing or cannot be used."""
    from governance.policy.plan.engine import PlanEngine  # noqa: PLC0415  (large, and not needed by other engines)

    if bundle.plan is None:
        raise ConfigInvalid("the bundle carries no plan: make one with `ringfence policy build`, or use `auto`")
    return await asyncio.to_thread(PlanEngine, bundle, bundle.plan, rehearsals=samples())


def _reach(bundle: Bundle) -> dict[Phase, Reach]:
    phases: tuple[Phase, ...] = ("request", "response", "stream")
    return {phase: reach_of(bundle, phase) for phase in phases}


def _activate(bundle: Bundle, reach: Mapping[Phase, Reach], engine: Engine, cache: _Cache) -> _Active:
    return _Active(
        bundle=bundle,
        engine=engine,
        cache=cache,
        project=projection(bundle.read_set),
        reads=reading(bundle.read_set),
        reach=reach,
        provenance=Provenance(
            bundle=bundle.id,
            revision=bundle.revision,
            digest=bundle.digest,
            data_digest=bundle.data_digest,
            engine=engine.name,
            engine_version=engine.version,
        ),
    )


def _again(known: _Kept, decision_id: str, classifiers: str) -> Decision:
    if known.provenance.classifiers_digest == classifiers:
        return known.again(decision_id=decision_id)
    return known.again(decision_id=decision_id, provenance=replace(known.provenance, classifiers_digest=classifiers))


def _us_since(started: int) -> int:
    return (time.perf_counter_ns() - started) // 1000


def _rows(facts: Facts) -> int:
    classification, request = facts.classification, facts.request
    lists = (classification.entities, classification.labels, classification.detectors, request.tools)
    return sum(map(len, lists)) + len(facts.principal.groups) + len(facts.origin.subject_jurisdictions)


@lru_cache(maxsize=64)
def _classifiers(detectors: tuple[DetectorFact, ...]) -> str:
    """A digest of which detectors in which version ran."""
    names = "\n".join(sorted(f"{detector.id} {detector.version}" for detector in detectors))
    return hashlib.sha256(names.encode()).hexdigest() if detectors else ""


# --- projection ----------------------------------------------------------------------------------------------------

_Tree = dict[str, "_Tree | None"]


def projection(read_set: ReadSet) -> Callable[[bytes], bytes]:
    """The function that keeps of a document in canonical JSON what `read_set` names, as canonical JSON."""
    if read_set.paths is None:
        return bytes
    tree: _Tree = {}
    for path in read_set.paths:
        at = tree
        for part in path[:-1]:
            at = at.setdefault(part, {})  # type: ignore[assignment]
        at[path[-1]] = None

    def project(document: bytes) -> bytes:
        return orjson.dumps(_kept(orjson.loads(document), tree), option=orjson.OPT_SORT_KEYS)

    return project


def reading(read_set: ReadSet) -> Callable[[Facts], Hashable]:
    """The function that takes from facts what `read_set` names, or more: equal results have equal projections."""
    if read_set.paths is None:
        return facts_bytes
    names = sorted({name for path in read_set.paths if (name := _attribute(path))})
    # Attributes are a mapping and cannot be a key; attrgetter makes a tuple of two names or more.
    if "principal" in names or any(name.startswith("principal.attributes") for name in names):
        return facts_bytes
    return attrgetter("phase", "schema", *names)


def _attribute(path: tuple[str, ...]) -> str:
    """The longest beginning of `path` that is there in all facts, dotted; empty for a path that is in none."""
    kind: Any = Facts
    known: list[str] = []
    for name in path:
        hints = get_type_hints(kind) if is_dataclass(kind) else {}
        if name not in hints:
            break
        known.append(name)
        kind = hints[name]
    return ".".join(known)


def _kept(value: Any, tree: _Tree) -> Any:
    # What is no object where a path goes on is kept whole: a policy can tell it from an object.
    if type(value) is not dict:
        return value
    kept = {}
    for name, below in tree.items():
        if name in value:
            kept[name] = value[name] if below is None else _kept(value[name], below)
    return kept
