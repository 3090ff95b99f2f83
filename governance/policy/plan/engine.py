"""Policies as Python functions, compiled from the plan that OPA made of them: the fast engine.

An evaluation holds all it changes in a state of its own. Its deadline is a budget of steps for each policy, and a time
for all of a request together, the cutting of its input too: a policy that spends either fails, and a failure denies.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Hashable, Iterable, Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, final

import orjson

from governance.decision import Contribution
from governance.errors import ConfigInvalid
from governance.frozen import frozen
from governance.policy.bundle import Bundle, Policy
from governance.policy.cache import MOST_BYTES
from governance.policy.plan import runtime
from governance.policy.plan.builtins import BUILTINS
from governance.policy.plan.builtins.error import UNDEFINED, BuiltinError
from governance.policy.plan.compile import Builtin, Compiled, Entrypoint, RuleExit, compile_plan
from governance.policy.plan.ir import Plan, read_plan
from governance.policy.plan.slices import Judge, Key, Slices
from governance.policy.plan.values import Set, Value
from governance.policy.result import contribution_of, failure_of

# A step is one turn of a loop or one call, and takes about a microsecond.
_BUDGET = 200_000
# For all policies of a request together, where steps are long.
_DEADLINE_MS = 1000
# For commands: steps are bounded, and what a busy machine stalls must find the same. Time ends nothing but a hang.
UNHURRIED_MS = 600_000
# As regopy's: what a result may hold.
_MAX_NODES = 20_000
_MAX_DEPTH = 32
# Policies say the same things again and again: equal sets of effects are read once.
_MAX_KNOWN = 4096
# And are asked about the same again and again: what each said to so many slices of inputs is kept, of MOST_BYTES of inputs.
_MAX_SAID = 4096
_EVALUATION_ERRORS = (runtime.EvaluationError, BuiltinError, RecursionError, ArithmeticError, LookupError, MemoryError)
_DAMAGED_PLAN = (TypeError, AttributeError, ValueError, UnboundLocalError)


@frozen
class Explanation:
    """Which rules of a policy, or that it asked, were true, in the order of the plan."""

    policy: str
    rules: tuple[RuleExit, ...]


class PlanEngine:
    """Evaluates the policies of one bundle by its plan.

    Raises ConfigInvalid for a plan that is damaged, needs a builtin that is not supported, or does not hold every
    policy of the bundle; and where a policy fails on one of the rehearsal documents.
    """

    name = "plan"

    def __init__(
        self,
        bundle: Bundle,
        plan: bytes,
        *,
        budget: int = _BUDGET,
        deadline_ms: int = _DEADLINE_MS,
        rehearsals: Sequence[bytes] = (),
        builtins: Mapping[str, Builtin] = BUILTINS,
    ) -> None:
        self._policies = {policy.id: policy for policy in bundle.policies}
        self._data: dict[str, Any] = dict(bundle.data)
        self._budget, self._builtins = budget, builtins
        self._seconds = deadline_ms / 1000
        self._nothing = {policy.id: contribution_of(policy, None) for policy in bundle.policies}
        self._known: dict[tuple[str, Hashable], Contribution] = {}
        self._said: dict[str, dict[Key, Contribution]] = {policy.id: {} for policy in bundle.policies}
        self._bytes = 0
        self._plan = read_plan(plan)
        _refuse_other_policies(self._plan, bundle)
        self._compiled = compile_plan(self._plan, builtins)
        self._chosen = self._entrypoints(self._compiled)
        depends = {policy.id: self._compiled.dependences[policy.entrypoint] for policy in bundle.policies}
        self._slices = Slices(depends, self._compiled.openings)
        self.version = version()
        for document in rehearsals:
            self._rehearse(document)

    async def evaluate(
        self,
        policies: Sequence[str],
        document: bytes,
        *,
        rows: int,  # noqa: ARG002  (of the Protocol)
    ) -> tuple[Contribution, ...]:
        """One contribution for each of `policies`, in order. It does not wait: `rows` change nothing."""
        return self.evaluate_now(policies, document)

    def evaluate_now(self, policies: Sequence[str], document: bytes) -> tuple[Contribution, ...]:
        """One contribution for each of `policies`, in order. `document` is JSON without floats."""
        try:
            value = orjson.loads(document)
        except ValueError:
            return tuple(failure_of(self._policies[id_], "unsupported") for id_ in policies)
        return self.evaluate_value(policies, value, size=len(document))

    def evaluate_value(self, policies: Sequence[str], document: Value, *, size: int = 0) -> tuple[Contribution, ...]:
        """The same of a document that is read already, from `size` bytes. Nothing in it is changed."""
        deadline = time.monotonic() + self._seconds
        judge = _Judge(self._compiled, self._data, self._budget, deadline)
        unknown: dict[str, Key] = {}
        try:
            keys = self._slices.of(document, policies, judge)
            known = list(map(dict.get, [self._said[id_] for id_ in policies], keys))
            unknown = {policies[at]: keys[at] for at, contribution in enumerate(known) if contribution is None}
            asked = self._ask_again(unknown, document, judge, deadline) if unknown else {}
        except RecursionError:
            return tuple(failure_of(self._policies[id_], "unsupported") for id_ in policies)
        except runtime.BudgetExceeded:
            return tuple(failure_of(self._policies[id_], "timeout") for id_ in policies)
        finally:
            if unknown or judge.asked:
                self._weigh(size)
        return tuple([contribution or asked[policies[at]] for at, contribution in enumerate(known)])

    def explain(self, policies: Sequence[str], document: bytes) -> tuple[Explanation, ...]:
        """Which rules were true for each of `policies`, in order. A policy that fails is explained up to its failure."""
        compiled = self._traced
        entrypoints, value = self._entrypoints(compiled), orjson.loads(document)
        found = []
        for id_ in policies:
            trail: set[int] = set()
            state = _fresh(compiled, time.monotonic() + self._seconds, trail)
            self._ask(*entrypoints[id_], state, value)
            found.append(Explanation(policy=id_, rules=tuple(compiled.exits[at] for at in sorted(trail))))
        return tuple(found)

    async def close(self) -> None:
        """Nothing is held."""

    @cached_property
    def _traced(self) -> Compiled:
        return compile_plan(self._plan, self._builtins, traced=True)

    def _ask_again(
        self, keys: Mapping[str, Key], document: Value, judge: Judge, deadline: float
    ) -> Mapping[str, Contribution]:
        """What each policy of `keys` says to its slice of `document`, kept under its key unless it failed."""
        said = {}
        for (id_, key), part in zip(keys.items(), self._slices.cut(document, keys, judge), strict=True):
            said[id_] = found = self._ask(*self._chosen[id_], _fresh(self._compiled, deadline), part)
            if found.failure is None:
                self._keep(id_, key, found)
        return said

    def _weigh(self, size: int) -> None:
        """Forgets all inputs where those that left something behind are too large together, `size` bytes among them."""
        self._bytes += size
        if self._bytes > MOST_BYTES:
            self._slices.forget()
            self._known.clear()
            for said in self._said.values():
                said.clear()
            self._bytes = 0

    def _keep(self, policy: str, key: Key, said: Contribution) -> None:
        kept = self._said[policy]
        if len(kept) >= _MAX_SAID:
            kept.clear()
        kept[key] = said

    def _entrypoints(self, compiled: Compiled) -> Mapping[str, tuple[Policy, Entrypoint]]:
        chosen = {id_: (policy, compiled.entrypoints[policy.entrypoint]) for id_, policy in self._policies.items()}
        return MappingProxyType(chosen)

    def _ask(self, policy: Policy, entrypoint: Entrypoint, state: runtime.State, document: Value) -> Contribution:
        left = state[runtime.BUDGET]
        left[0], left[1] = 0, self._budget
        try:
            results = entrypoint(state, document, self._data)
        except runtime.BudgetExceeded:
            return failure_of(policy, "timeout")
        except (*_EVALUATION_ERRORS, *_DAMAGED_PLAN):
            return failure_of(policy, "eval")
        effects = results[0].get("result") if results else UNDEFINED
        if effects is UNDEFINED:
            return self._nothing[policy.id]
        if type(effects) is not Set:
            return failure_of(policy, "schema")
        if not effects.members:
            return self._nothing[policy.id]
        key = policy.id, frozenset(effects.members)
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            known = self._known[key] = _contribution(policy, effects)
        return known

    def _rehearse(self, document: bytes) -> None:
        """Raises ConfigInvalid for a policy that fails on `document`: what is wrong always should be seen at load."""
        for said in self.evaluate_now(list(self._policies), document):
            if said.failure is not None:
                policy = self._policies[said.policy]
                kind = "its effects do not fit the schema" if said.failure == "schema" else "it cannot be evaluated"
                raise ConfigInvalid(f"policy `{policy.id}` fails on a sample request: {kind}", file=policy.file, line=1)


@final
class _Judge:
    """Implements `slices.Judge` for one request: each condition has the steps of a policy, for all items together.

    One that has none left counts as met: how it fails is for the policy to say. Raises BudgetExceeded after `deadline`.
    `asked` is whether there was an item to judge.
    """

    def __init__(self, compiled: Compiled, data: Value, budget: int, deadline: float) -> None:
        self._conditions, self._data, self._deadline = compiled.conditions, data, deadline
        self._state = _fresh(compiled, deadline)
        self._left = [budget] * len(compiled.conditions)
        self.asked = False

    def __call__(self, conditions: Iterable[int], item: Value) -> frozenset[int]:
        self.asked = True
        if time.monotonic() > self._deadline:
            raise runtime.BudgetExceeded
        return frozenset([number for number in conditions if self._is_met(number, item)])

    def _is_met(self, number: int, item: Value) -> bool:
        left = self._state[runtime.BUDGET]
        left[0] = min(self._left[number], runtime.STEPS_BETWEEN_LOOKS)
        left[1] = self._left[number] - left[0]
        try:
            return self._conditions[number](self._state, None, self._data, item) is not UNDEFINED
        except runtime.BudgetExceeded:
            if time.monotonic() > self._deadline:
                raise
            return True
        except (*_EVALUATION_ERRORS, *_DAMAGED_PLAN):
            return True
        finally:
            self._left[number] = max(0, left[0] + left[1])


def _fresh(compiled: Compiled, deadline: float, trail: set[int] | None = None) -> runtime.State:
    return runtime.fresh(compiled.memos, 0, trail=trail, deadline=deadline)


def _contribution(policy: Policy, effects: Set) -> Contribution:
    try:
        return contribution_of(policy, runtime.plain(effects, _MAX_NODES, _MAX_DEPTH))
    except (ValueError, LookupError, TypeError):
        return failure_of(policy, "schema")


@cache
def version() -> str:
    """Names all code that decides what a plan means, so that a record can say by which it was read."""
    digest = hashlib.sha256()
    here = Path(__file__).parent
    for file in (*sorted(here.glob("*.py")), *sorted((here / "builtins").glob("*.py"))):
        digest.update(file.read_bytes())
    return f"ringfence plan {digest.hexdigest()[:16]}"


def _refuse_other_policies(plan: Plan, bundle: Bundle) -> None:
    known = {entry.name for entry in plan.plans}
    for policy in bundle.policies:
        if policy.entrypoint not in known:
            raise ConfigInvalid(
                f"the plan does not hold policy `{policy.id}`: build it again", file=policy.file, line=1
            )
