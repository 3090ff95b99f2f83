"""The policy engine of the path: choose policies, project the input, ask, join, remember.

A policy sees the input projected on the read set of the bundle, and the modes in effect for a request (rollout,
selection by jurisdiction) are part of its key and of its provenance: a decision is a function of what is recorded and
cached, by construction. The cache belongs to one bundle and goes with it; only decisions are kept, never failures.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import field, is_dataclass, replace
from functools import lru_cache
from operator import attrgetter
from typing import Any, Literal, Protocol, get_type_hints

import orjson

from governance.decision import Contribution, Decision, Provenance
from governance.errors import ConfigInvalid, GovernanceError, PolicyUnavailable, told
from governance.facts import DetectorFact, Facts, Phase
from governance.frozen import frozen
from governance.policy import embedded
from governance.policy.bundle import Bundle, in_force
from governance.policy.cache import DecisionCache, Joins, awake
from governance.policy.contract import canonical_part, facts_bytes
from governance.policy.embedded import EmbeddedEngine
from governance.policy.fallback import Fallback, answered
from governance.policy.opa import OpaEngine
from governance.policy.reads import ReadSet
from governance.policy.remedies import remedies_of
from governance.policy.rollout import Reach, reach_of
from governance.policy.sample import samples
from governance.policy.watched import Watched
from governance.residency import Level

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


@frozen
class _Active:
    """A bundle in force with what belongs to it alone. Each decision takes one reference at its start."""

    bundle: Bundle
    engine: Engine
    cache: DecisionCache
    joins: Joins
    project: Callable[[Facts], bytes]
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
        looked_up: Callable[[bool], object],
    ) -> None:
        self._active, self._looked_up = active, looked_up
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
        plan_budget: int = 200_000,
        push: bool = True,
        cache_size: int = _DEFAULT_CACHE,
        clock: Callable[[], float] = awake,
        on_unavailable: Literal["deny", "embedded"] = "deny",
        trial: Callable[[Bundle], None] | None = None,
        looked_up: Callable[[bool], object] = bool,
    ) -> AsyncIterator[Decider]:
        """A decider on the bundle's plan (`plan`), on regopy (`embedded`) or on the OPA server at `opa_url` (`opa`).

        `auto` is `plan` for a bundle that carries one, else `embedded`; each bundle that is put in force chooses anew.
        One evaluation ends after `deadline_ms`, and on a plan each policy also after `plan_budget` steps. regopy runs
        in a process of its own that is ended then; with `trial` it runs in this one, without a deadline and faster, after
        `trial`, which raises ConfigInvalid for a bundle that must not be compiled here. While the server cannot be reached,
        requests are refused (`deny`) or decided on regopy by the same bundle (`embedded`). `looked_up` is told of each
        decision whether the cache had it.
        Raises ConfigInvalid where the bundle cannot be used, PolicyUnavailable where the server cannot be reached.
        """

        async def make(candidate: Bundle) -> Engine:
            chosen = engine_for(candidate) if engine == AUTO else engine
            if chosen == PLAN:
                return await _planned(candidate, budget=plan_budget, deadline_ms=deadline_ms)
            if chosen == Watched.name:
                return await regopy(candidate)
            if chosen != OpaEngine.name or opa_url is None:
                raise ConfigInvalid("an engine is `auto`, `plan`, `embedded`, or `opa` with the URL of a server")
            server = OpaEngine(candidate, url=opa_url, deadline_ms=deadline_ms, push=push).start
            if on_unavailable == "deny":
                return await server()
            # First the one whose start changes no server: a bundle that either refuses is refused.
            return await Fallback(OpaEngine.name, server, await regopy(candidate)).start()

        async def regopy(candidate: Bundle) -> Engine:
            if trial is None:
                return await Watched.start(candidate, deadline_ms=deadline_ms, rehearsals=samples())
            await asyncio.to_thread(trial, candidate)
            return InProcess(in_force(candidate))

        decider = cls(
            _activate(bundle, _reach(bundle), await make(bundle), DecisionCache(cache_size, clock)),
            make=make,
            cache_size=cache_size,
            clock=clock,
            looked_up=looked_up,
        )
        try:
            yield decider
        finally:
            await decider.close()

    @property
    def bundle(self) -> Bundle:
        """The bundle in force."""
        return self._active.bundle

    @property
    def levels(self) -> Mapping[str, Level]:
        """How sensitive each entity type, category and label is, by the bundle in force."""
        return self._active.bundle.levels

    async def decide(self, facts: Facts, *, decision_id: str) -> Decision:
        """The decision on `facts`. A failing policy denies inside the decision. Raises PolicyUnavailable."""
        started = time.perf_counter_ns()
        active = self._active
        classifiers = _classifiers(facts.classification.detectors)
        terms = active.reach[facts.phase].terms(facts)
        key = (facts.phase, terms.key, active.reads(facts))
        known = active.cache.get(key)
        self._looked_up(known is not None)
        if known is not None:
            return known.decision(decision_id, classifiers)
        document = active.project(facts)
        answer = await answered(active.engine, terms.asked, document, rows=_rows(facts))
        contributions = answer.contributions
        provenance = replace(
            active.provenance,
            engine=answer.engine,
            engine_version=answer.engine_version,
            classifiers_digest=classifiers,
            eval_us=_us_since(started),
            input_digest=hashlib.sha256(document).hexdigest(),
            modes=terms.described,
        )
        joined = active.joins.decision(contributions, terms.effective, key[:2])
        decision = joined(decision_id=decision_id, provenance=provenance)
        active.cache.put(key, decision, len(document))
        return decision

    async def reload(self, bundle: Bundle, *, before: Callable[[Bundle], Awaitable[object]] | None = None) -> None:
        """Puts `bundle` in force at once. Raises as `open` and `before` do; then the last good one stays.

        PolicyUnavailable that says so is raised where an OPA server cannot be given that again; then requests are refused.

        `before` is awaited when `bundle` can be used and has decided nothing yet: the place to record it.
        """
        last = self._active
        reach = _reach(bundle)
        try:
            async with AsyncExitStack() as refused:
                engine = await self._make(bundle)
                refused.push_async_callback(engine.close)
                if before is not None:
                    await before(bundle)
                refused.pop_all()
        except Exception as error:
            # Also what is none of ours: the candidate may be on the server, where nobody would put the last good one again.
            if last.engine.name == OpaEngine.name:
                await self._put_back(last, told(error))
            raise
        self._active = _activate(bundle, reach, engine, DecisionCache(self._cache_size, self._clock))
        await last.engine.close()

    async def _put_back(self, last: _Active, refused: GovernanceError) -> None:
        # The server may hold half of the candidate, and refuses until it holds a whole bundle again.
        try:
            engine = await self._make(last.bundle)
        except GovernanceError as error:
            raise PolicyUnavailable(
                f"{refused}; and the last good bundle is not in force again: {error}; requests are refused until a reload succeeds"
            ) from None
        self._active = replace(last, engine=engine)
        await last.engine.close()

    async def close(self) -> None:
        """Frees the engine."""
        await self._active.engine.close()


def engine_for(bundle: Bundle) -> str:
    """What `auto` is for `bundle`: its plan where it carries one, else regopy."""
    return EmbeddedEngine.name if bundle.plan is None else PLAN


async def _planned(bundle: Bundle, *, budget: int, deadline_ms: int) -> Engine:
    """The engine on the plan of `bundle`. Raises ConfigInvalid for a plan that is missing or cannot be used."""
    from governance.policy.plan.engine import PlanEngine  # noqa: PLC0415  (large, and not needed by other engines)

    if bundle.plan is None:
        raise ConfigInvalid("the bundle carries no plan: make one with `ringfence policy build`, or use `auto`")
    return await asyncio.to_thread(
        PlanEngine, bundle, bundle.plan, budget=budget, deadline_ms=deadline_ms, rehearsals=samples()
    )


def _reach(bundle: Bundle) -> dict[Phase, Reach]:
    phases: tuple[Phase, ...] = ("request", "response", "stream")
    return {phase: reach_of(bundle, phase) for phase in phases}


def _activate(bundle: Bundle, reach: Mapping[Phase, Reach], engine: Engine, cache: DecisionCache) -> _Active:
    return _Active(
        bundle=bundle,
        engine=engine,
        cache=cache,
        joins=Joins(remedies_of(bundle.policies)),
        project=projected(bundle.read_set),
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
    return hashlib.sha256(names.encode(errors="surrogatepass")).hexdigest() if detectors else ""


# --- projection ----------------------------------------------------------------------------------------------------

_Tree = dict[str, "_Tree | None"]


def projection(read_set: ReadSet) -> Callable[[bytes], bytes]:
    """The function that keeps of a document in canonical JSON what `read_set` names, as canonical JSON."""
    tree = _tree(read_set)
    if tree is None:
        return bytes
    return lambda document: orjson.dumps(_kept(orjson.loads(document), tree), option=orjson.OPT_SORT_KEYS)


def projected(read_set: ReadSet) -> Callable[[Facts], bytes]:
    """The same from the facts themselves. Raises MalformedRequest where a name in what it keeps is no Unicode text."""
    tree = _tree(read_set)
    if tree is None:
        return facts_bytes
    return lambda facts: canonical_part({name: _kept(part, tree[name]) for name, part in facts.parts() if name in tree})


def _tree(read_set: ReadSet) -> _Tree | None:
    """The paths of `read_set` by their names from the top; None for everything."""
    if read_set.paths is None:
        return None
    tree: _Tree = {}
    for path in read_set.paths:
        at = tree
        for part in path[:-1]:
            at = at.setdefault(part, {})  # type: ignore[assignment]
        at[path[-1]] = None
    return tree


def reading(read_set: ReadSet) -> Callable[[Facts], Hashable]:
    """The function that takes from facts what `read_set` names, or more: equal results have equal projections.

    What is more is not held: it is larger than the projection, whose size counts.
    """
    if read_set.paths is None:
        return _digest
    names = sorted({name for path in read_set.paths if (name := _attribute(path))})
    # Attributes are a mapping and cannot be a key; attrgetter makes a tuple of two names or more.
    if "principal" in names or any(name.startswith("principal.attributes") for name in names):
        return _digest
    return attrgetter("phase", "schema", *names)


def _digest(facts: Facts) -> bytes:
    return hashlib.sha256(facts_bytes(facts)).digest()


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


def _kept(value: Any, tree: _Tree | None) -> Any:
    """What `tree` names of `value`, an object of JSON or one of ours.

    What is no object where a path goes on is kept whole: a policy can tell it from an object.
    """
    if tree is None:
        return value
    if type(value) is dict:
        return {name: _kept(value[name], below) for name, below in tree.items() if name in value}
    if not is_dataclass(value):
        return value
    found = ((name, getattr(value, name, _MISSING), below) for name, below in tree.items())
    return {name: _kept(part, below) for name, part, below in found if part is not _MISSING}


_MISSING = object()
