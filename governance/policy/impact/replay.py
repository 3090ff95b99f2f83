"""Recorded decisions decided again by other policies, and what that changes.

The records keep the policy input, so two bundles can be compared on the traffic of yesterday. A decision is a function
of the input projected on what a bundle reads: equal projections are evaluated once.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Literal

import orjson

from governance.audit.canonical import VERSION
from governance.decision import Action, Decision, Mode
from governance.errors import ConfigInvalid
from governance.facts import Facts, Phase
from governance.frozen import frozen
from governance.policy.bundle import ROOT, Bundle
from governance.policy.contract import facts_from_record
from governance.policy.engine import AUTO, Decider, engine_for, projection
from governance.policy.impact.changes import CHANGES, Answer, Change, compare
from governance.policy.impact.explain import SCHEMA, refused_by_path, winners_of
from governance.policy.reads import ReadSet, reachable, read_set
from governance.policy.trial import try_out

# Instead of policies: what was decided then, as the record has it.
RECORDED: Literal["recorded"] = "recorded"
MOST_EXAMPLES = 5
# Answers kept; beyond that the oldest knowledge is forgotten at once, so that memory has a bound.
_MOST_KNOWN = 1 << 20
_PROGRESS_EVERY = 512
_PHASES: tuple[Phase, ...] = ("request", "response", "stream")

_DURATION = re.compile(r"([0-9]{1,6})([smhdw])", re.ASCII)
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


@frozen
class Named:
    """What was compared."""

    name: str
    revision: str = ""
    digest: str = ""
    engine: str = ""


@frozen
class Report:
    """What the policies `after` decide otherwise than those `before`. Times are UTC in microseconds.

    `records` is `compared` and all of `skipped` (by reason). `by` counts changed decisions by dimension, name and kind
    of change. `failures` are decisions in which a policy failed, before and after; `distinct` the evaluations needed.
    """

    before: Named
    after: Named
    records: int
    compared: int
    changed: int
    skipped: Mapping[str, int]
    matrix: Mapping[tuple[Action, Action], int]
    changes: Mapping[str, int]
    by: Mapping[str, Mapping[str, Mapping[str, int]]]
    examples: Mapping[str, tuple[str, ...]]
    failures: tuple[int, int]
    distinct: int
    first: int
    last: int
    seconds: float

    def any_of(self, kinds: Iterable[str]) -> int:
        """How often a change of one of `kinds` occurred."""
        return sum(self.changes.get(kind, 0) for kind in kinds)


# --- both sides ------------------------------------------------------------------------------------------------------


class _Unusable(Exception):
    """Why a record cannot be compared."""


class Evaluated:
    """A side that evaluates: one bundle, asked once for each projected input."""

    def __init__(self, decider: Decider) -> None:
        self._decider = decider
        self._project = projection(_keyed(decider.bundle))
        self._known: dict[bytes, Answer] = {}
        self._answers: dict[bytes, Answer] = {}
        self.evaluations = 0

    async def answer(self, _: Mapping[str, Any], facts: bytes) -> Answer:
        """The decision on `facts`. Raises _Unusable, PolicyUnavailable."""
        key = blake2b(self._project(facts), digest_size=16).digest()
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            known = self._known[key] = await self._evaluated(facts)
        return known

    async def _evaluated(self, facts: bytes) -> Answer:
        self.evaluations += 1
        return self._settled(await self._decider.decide(_parsed(facts), decision_id=""))

    def _settled(self, decision: Decision) -> Answer:
        deny = decision.deny
        parts = (decision.action, deny, decision.obligations, decision.reasons, bool(decision.errors))
        text = orjson.dumps(parts)
        found = self._answers.get(text)
        if found is None:
            found = self._answers[text] = Answer(
                number=len(self._answers),
                action=decision.action,
                refusal=f"{deny.status} {deny.code}" if deny else "",
                rules=frozenset(winners_of(decision)),
                shaping=frozenset((one.policy, one.effect) for one in decision.reasons if one.winning),
                obligations=decision.obligations,
                failed=bool(decision.errors),
            )
        return found


# Both sides read the same record, one after the other.
@lru_cache(maxsize=1)
def _parsed(facts: bytes) -> Facts:
    try:
        return facts_from_record(facts)
    except ConfigInvalid:
        raise _Unusable("the facts in the record cannot be read") from None


class Recorded:
    """A side that evaluates nothing: what the records say was decided."""

    def __init__(self) -> None:
        self._answers: dict[tuple[object, ...], Answer] = {}
        self.evaluations = 0

    async def answer(self, record: Mapping[str, Any], _: bytes) -> Answer:
        """The recorded decision of policy. Raises _Unusable where something else decided."""
        policy = record.get("policy")
        if policy is None or refused_by_path(record):
            raise _Unusable("refused by something else than policy")
        try:
            action, rules = Action(str(record.get("action"))), frozenset(map(str, policy.get("rules", ())))
        except ValueError:
            raise _Unusable("the action in the record is not known") from None
        refusal = f"{record.get('status')} {record.get('code')}" if action is Action.DENY else ""
        key = (action, refusal, rules, bool(policy.get("failures")))
        if key not in self._answers:
            self._answers[key] = Answer(
                number=len(self._answers), action=action, refusal=refusal, rules=rules, failed=key[-1]
            )
        return self._answers[key]


Side = Evaluated | Recorded


def _keyed(bundle: Bundle) -> ReadSet:
    """All of the input that a decision of `bundle` depends on: what policies in force read, and what chooses their modes."""
    active = [policy for policy in bundle.policies if policy.mode is not Mode.OFF]
    chooses: list[tuple[str, ...]] = [("phase",)]
    if any(policy.jurisdictions for policy in active):
        chooses += [("origin", "jurisdiction"), ("origin", "subject_jurisdictions")]
    shares = [policy.rollout for policy in active if policy.rollout is not None]
    chooses += [("principal", "id" if share.key == "principal" else "tenant") for share in shares]
    return read_set(reachable(bundle.modules, [(*ROOT, policy.id) for policy in active]), chooses)


# --- the replay ------------------------------------------------------------------------------------------------------


@frozen
class Wanted:
    """Which decisions take part: `since` <= time < `until` (UTC, microseconds), of one tenant. None is any."""

    since: int | None = None
    until: int | None = None
    tenant: str | None = None

    def admits(self, record: Mapping[str, Any]) -> bool:
        """Whether `record` is a decision that takes part."""
        ts = record.get("ts", 0)
        return (
            record.get("kind") == "decision"
            and (self.since is None or self.since <= ts)
            and (self.until is None or ts < self.until)
            and (self.tenant is None or self.tenant == record.get("tenant"))
        )


class _Tally:
    """Counts while records go by; what it holds grows with what differs, not with the number of records."""

    def __init__(self) -> None:
        self.records = self.compared = self.changed = 0
        self.first = self.last = 0
        self.skipped: Counter[str] = Counter()
        self.matrix: Counter[tuple[Action, Action]] = Counter()
        self.changes: Counter[str] = Counter()
        self.by: dict[str, dict[str, Counter[str]]] = {"policy": {}, "tenant": {}, "entity": {}, "jurisdiction": {}}
        self.failures = [0, 0]
        self._examples: dict[str, list[tuple[tuple[int, int], str]]] = {}

    def count(self, record: Mapping[str, Any], before: Answer, after: Answer, change: Change) -> None:
        self.compared += 1
        self.matrix[before.action, after.action] += 1
        self.failures[0] += before.failed
        self.failures[1] += after.failed
        if not change.kinds:
            return
        self.changed += 1
        self.changes.update(change.kinds)
        names = {
            "policy": change.policies,
            "tenant": (record.get("tenant") or "none",),
            "entity": tuple({str(row.get("type")) for row in record.get("findings", ())}) or ("none",),
            "jurisdiction": tuple(set(map(str, record.get("jurisdictions", ())))) or ("none",),
        }
        for dimension, values in names.items():
            for value in values:
                self.by[dimension].setdefault(value, Counter()).update(change.kinds)
        for kind in change.kinds:
            self._keep(kind, (before.number, after.number), str(record.get("id")))

    def _keep(self, kind: str, pair: tuple[int, int], decision_id: str) -> None:
        """Keeps an example, rather of a pair of answers that has none than one more of the same."""
        kept = self._examples.setdefault(kind, [])
        if len(kept) < MOST_EXAMPLES:
            kept.append((pair, decision_id))
            return
        pairs = [one for one, _ in kept]
        if pair not in pairs and len(set(pairs)) < len(pairs):
            doubled = next(at for at, one in enumerate(pairs) if pairs.index(one) != at)
            kept[doubled] = (pair, decision_id)

    def examples(self) -> dict[str, tuple[str, ...]]:
        return {kind: tuple(name for _, name in kept) for kind, kept in self._examples.items()}


async def replay(
    records: Iterable[Mapping[str, Any]],
    before: Bundle | Literal["recorded"],
    after: Bundle,
    *,
    wanted: Wanted | None = None,
    engine: str = AUTO,
    progress: Callable[[int], None] = lambda _: None,
) -> Report:
    """What `after` decides otherwise than `before` on the decisions among `records`, each compared or counted as skipped.

    Raises ConfigInvalid for a bundle that cannot be used and PolicyUnavailable where an engine gives up.
    """
    started, wanted, tally = time.monotonic(), wanted or Wanted(), _Tally()
    async with AsyncExitStack() as stack:
        old: Side
        if isinstance(before, Bundle):
            old = Evaluated(await stack.enter_async_context(Decider.open(before, engine, cache_size=0, trial=try_out)))
        else:
            old = Recorded()
        new = Evaluated(await stack.enter_async_context(Decider.open(after, engine, cache_size=0, trial=try_out)))
        known: dict[tuple[int, int], Change] = {}
        for seen, record in enumerate(records):
            if seen % _PROGRESS_EVERY == 0:
                progress(seen)
            if not wanted.admits(record):
                continue
            tally.records += 1
            tally.first = tally.first or record.get("ts", 0)
            tally.last = record.get("ts", 0)
            try:
                facts = _facts(record)
                was, is_now = await old.answer(record, facts), await new.answer(record, facts)
            except _Unusable as reason:
                tally.skipped[str(reason)] += 1
                continue
            pair = (was.number, is_now.number)
            change = known.get(pair)
            if change is None:
                change = known[pair] = compare(was, is_now)
            tally.count(record, was, is_now, change)
    return Report(
        before=_named(before, engine),
        after=_named(after, engine),
        records=tally.records,
        compared=tally.compared,
        changed=tally.changed,
        skipped=tally.skipped,
        matrix=tally.matrix,
        changes={kind: tally.changes[kind] for kind in CHANGES if tally.changes[kind]},
        by=tally.by,
        examples=tally.examples(),
        failures=(tally.failures[0], tally.failures[1]),
        distinct=old.evaluations + new.evaluations,
        first=tally.first,
        last=tally.last,
        seconds=time.monotonic() - started,
    )


def _facts(record: Mapping[str, Any]) -> bytes:
    """The recorded input as JSON. Raises _Unusable."""
    if record.get("v") != VERSION:
        raise _Unusable("the record is of another version")
    if record.get("facts_overflow"):
        raise _Unusable("the facts were too large for the record")
    facts = record.get("facts")
    if facts is None:
        raise _Unusable("refused before policy was asked" if record.get("policy") is None else "no facts in the record")
    if not isinstance(facts, dict) or facts.get("schema") != SCHEMA or facts.get("phase") not in _PHASES:
        raise _Unusable(f"the facts are not of the schema {SCHEMA}")
    return orjson.dumps(facts)


def _named(side: Bundle | Literal["recorded"], engine: str) -> Named:
    if not isinstance(side, Bundle):
        return Named(name=RECORDED)
    name = ", ".join(map(str, side.directories))
    return Named(
        name=name,
        revision=side.revision,
        digest=side.digest,
        engine=engine_for(side) if engine == AUTO else engine,
    )


def moment(text: str, now_us: int) -> int:
    """The time that `text` names, UTC in microseconds: `90s`, `15m`, `12h`, `7d`, `2w` ago, or a date or time as ISO 8601.

    A time without offset is UTC. Raises ConfigInvalid.
    """
    ago = _DURATION.fullmatch(text)
    if ago:
        return now_us - int(ago.group(1)) * _UNITS[ago.group(2)] * 1_000_000
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigInvalid(f"`{text}` is no time: write 12h, 7d, 2026-11-01 or 2026-11-01T10:00:00Z") from None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return (when - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
