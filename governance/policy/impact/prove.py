"""What `ringfence policy prove` does: decide on every input of a finite vocabulary and look for a broken invariant.

A bound proves nothing beyond itself: the result is a counterexample, or that there is none among the inputs tried, and
says how those were chosen. `exhaustive` stands only where every combination of the vocabulary was tried.
"""

from __future__ import annotations

import functools
import itertools
import json
import shutil
import sys
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, get_args

from governance.decision import Contribution, Decision, Mode, Provenance
from governance.errors import ConfigInvalid
from governance.facts import Facts, Phase
from governance.frozen import frozen
from governance.nodes.node import Node
from governance.policy.bundle import ROOT, Bundle, load_known
from governance.policy.cache import Joins
from governance.policy.contract import decision_bytes, facts_bytes
from governance.policy.embedded import EmbeddedEngine
from governance.policy.engine import projected, projection
from governance.policy.impact.covering import Coverage, Row, cover
from governance.policy.impact.invariants import Invariant, Judged, built_in
from governance.policy.impact.invariants_in_rego import as_bundle, read_invariants, rego_invariants
from governance.policy.impact.named import asked_modules
from governance.policy.impact.shares import in_shares, shares_of
from governance.policy.impact.vocabulary import Vocabulary, vocabulary_of
from governance.policy.reads import reachable, read_set
from governance.policy.rollout import reach_of
from governance.policy.source import code_of

# What fits into about ten seconds on each engine, with the library's own policies.
_BUDGETS = {"plan": 20_000, "embedded": 2_000}
_STEP = 200
_NO_PROVENANCE = Provenance()


class Evaluates(Protocol):
    """An engine that answers at once."""

    def __call__(self, policies: Sequence[str], document: bytes, /) -> tuple[Contribution, ...]:
        """One contribution for each of `policies`, in order."""
        ...


@frozen
class Counterexample:
    """The plainest input found that breaks an invariant. `differs` is what it says beyond the plainest input of all."""

    differs: dict[str, Any]
    judged: Judged


@frozen
class Verdict:
    """How one invariant fared. `spoke` counts the inputs that it says something about, until the counterexample."""

    id: str
    title: str
    spoke: int
    counterexample: Counterexample | None


@frozen
class Report:
    """What was tried, on which engine, and what came of it. Rules are `policy/rule`."""

    engine: str
    coverage: Coverage
    core: tuple[str, ...]
    verdicts: tuple[Verdict, ...]
    dead_rules: tuple[str, ...]
    never_winning: tuple[str, ...]
    seconds: float

    @property
    def broken(self) -> bool:
        """Whether some invariant has a counterexample."""
        return any(verdict.counterexample for verdict in self.verdicts)


class Judge:
    """The decisions of one bundle, and which rules spoke and which policies won in any of them."""

    def __init__(self, bundle: Bundle, evaluate: Evaluates) -> None:
        self._evaluate = evaluate
        self._project = projected(bundle.read_set)
        self._reach = {phase: reach_of(bundle, phase) for phase in get_args(Phase)}
        self._joins = Joins({})
        self.spoken: set[str] = set()
        self.won: set[str] = set()

    def decision(self, facts: Facts) -> Decision:
        """The decision on `facts`, with an empty provenance."""
        terms = self._reach[facts.phase].terms(facts)
        said = self._evaluate(terms.asked, self._project(facts))
        joined = self._joins.decision(said, terms.effective, (facts.phase, terms.key))
        decision = joined(decision_id="", provenance=_NO_PROVENANCE)
        self.spoken.update(f"{one.policy}/{effect.rule}" for one in said for effect in one.effects)
        self.won.update(reason.policy for reason in decision.reasons if reason.winning)
        return decision


class Remembering:
    """Asks a policy of `bundle` once for all inputs that it cannot tell apart. A plan does so by itself."""

    def __init__(self, bundle: Bundle, evaluate: Evaluates) -> None:
        self._evaluate = evaluate
        self._parts = {
            policy.id: projection(read_set(reachable(bundle.modules, [(*ROOT, policy.id)])))
            for policy in bundle.policies
        }
        self._said: dict[tuple[str, bytes], Contribution] = {}

    def __call__(self, policies: Sequence[str], document: bytes) -> tuple[Contribution, ...]:
        """One contribution for each of `policies`, in order."""
        keys = [(id_, self._parts[id_](document)) for id_ in policies]
        new = [key for key in keys if key not in self._said]
        if new:
            self._said.update(zip(new, self._evaluate([id_ for id_, _ in new], document), strict=True))
        return tuple(self._said[key] for key in keys)


def prove(
    bundle: Bundle,
    *,
    against: Bundle | None = None,
    invariants: Sequence[Path] = (),
    nodes: Sequence[Node] | None = None,
    budget: int | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """What holds of `bundle` on at most `budget` inputs; equal arguments give equal reports but for `seconds`.

    `against` is the bundle in force, which `bundle` must not be looser than; `invariants` are directories of Rego.
    Raises ConfigInvalid where one of them cannot be used.
    """
    started = time.perf_counter()
    engine, evaluate = _engine(bundle)
    judge = Judge(bundle, evaluate)
    current = Judge(against, _engine(against)[1]) if against else None
    held = [*built_in(compared=against is not None, nodes=nodes), *_written(bundle, invariants)]
    vocabulary = vocabulary_of([bundle, *([against] if against else [])])
    rows, coverage = cover(vocabulary.sizes, budget=budget or _BUDGETS[engine], seed=seed, core=vocabulary.core)

    def judged(row: Row) -> Judged:
        facts = vocabulary.facts(row)
        return Judged(facts=facts, decision=judge.decision(facts), current=current.decision(facts) if current else None)

    def surveyed(start: int, step: int) -> dict[str, Any]:
        # One of the processes tells how far all have come.
        found = _survey(rows, range(start, len(rows), step), held, judged, None if start else progress)
        return {**found, "spoken": [*judge.spoken], "won": [*judge.won]}

    surveys = in_shares(surveyed, shares_of(len(rows)))
    verdicts = tuple(_verdict(invariant, surveys, rows, vocabulary, judged) for invariant in held)
    spoken, won = (set(itertools.chain.from_iterable(one[name] for one in surveys)) for name in ("spoken", "won"))
    return Report(
        engine=engine,
        coverage=coverage,
        core=tuple(vocabulary.axes[axis].name for axis in coverage.core),
        verdicts=verdicts,
        dead_rules=tuple(rule for rule in _declared(bundle) if rule not in spoken),
        never_winning=tuple(p.id for p in bundle.policies if p.mode is Mode.ENFORCE and p.id not in won),
        seconds=time.perf_counter() - started,
    )


# --- searching -----------------------------------------------------------------------------------------------------


def _survey(
    rows: Sequence[Row],
    places: range,
    held: Sequence[Invariant],
    judged: Callable[[Row], Judged],
    progress: Callable[[int, int], None] | None,
) -> dict[str, Any]:
    """Of the rows at `places`, by invariant: where it spoke, until the row that broke it, and that row."""
    spoke: dict[str, list[int]] = {one.id: [] for one in held}
    broken: dict[str, int] = {}
    for done, at in enumerate(places):
        if progress is not None and done % _STEP == 0:
            progress(at, len(rows))
        found = judged(rows[at])
        for invariant in held:
            if invariant.id in broken or not invariant.speaks(found):
                continue
            spoke[invariant.id].append(at)
            if invariant.broken(found):
                broken[invariant.id] = at
    return {"spoke": spoke, "broken": broken}


def _verdict(
    invariant: Invariant,
    surveys: Sequence[Mapping[str, Any]],
    rows: Sequence[Row],
    vocabulary: Vocabulary,
    judged: Callable[[Row], Judged],
) -> Verdict:
    """The verdict of all `surveys`, which is that of one survey of all rows."""
    first = min((one["broken"].get(invariant.id, len(rows)) for one in surveys), default=len(rows))
    example = None
    if first < len(rows):
        row = minimised(rows[first], lambda row: _breaks(invariant, judged(row)))
        example = Counterexample(differs=vocabulary.described(row), judged=judged(row))
    spoke = sum(bisect_right(one["spoke"][invariant.id], first) for one in surveys)
    return Verdict(id=invariant.id, title=invariant.title, spoke=spoke, counterexample=example)


def _breaks(invariant: Invariant, judged: Judged) -> bool:
    return invariant.speaks(judged) and invariant.broken(judged)


def minimised(row: Row, breaks: Callable[[Row], bool]) -> Row:
    """`row` with the first, plainest value on every axis where it still breaks; no single axis can be made plainer."""
    changed = True
    while changed:
        changed = False
        # The axes that say least come last: they go first.
        for axis in reversed(range(len(row))):
            plainer = (*row[:axis], 0, *row[axis + 1 :])
            if row[axis] and breaks(plainer):
                row, changed = plainer, True
    return row


def _declared(bundle: Bundle) -> Iterator[str]:
    """The rules whose ids stand in the source of policies that are asked, sorted."""
    asked = {policy.id for policy in bundle.policies if policy.mode is not Mode.OFF}
    found = set()
    for module in bundle.modules:
        if module.package[1] != "policy" or module.package[-1] not in asked:
            continue
        tokens = [token for token, _ in code_of(module.text, module.file)]
        for at in range(2, len(tokens)):
            if tokens[at - 2].text == '"rule"' and tokens[at - 1].text == ":" and tokens[at].kind == "string":
                found.add(f"{module.package[-1]}/{json.loads(tokens[at].text)}")
    yield from sorted(found)


# --- engines -------------------------------------------------------------------------------------------------------


def _engine(bundle: Bundle) -> tuple[str, Evaluates]:
    """The plan that the bundle carries or that OPA can make of it, else regopy."""
    # Policies that are off are never asked, and make regopy slower for the others.
    policies = tuple(policy for policy in bundle.policies if policy.mode is not Mode.OFF)
    if not policies:
        raise ConfigInvalid("every policy is off: there is nothing to ask")
    bundle = replace(bundle, policies=policies, modules=tuple(asked_modules(bundle)))
    opa = shutil.which("opa")
    if bundle.plan is None and opa is None:
        return EmbeddedEngine.name, Remembering(bundle, EmbeddedEngine(bundle).evaluate)
    from governance.policy.plan.build import build_plan  # noqa: PLC0415  (for this command alone)
    from governance.policy.plan.engine import UNHURRIED_MS, PlanEngine  # noqa: PLC0415

    plan = build_plan(bundle, opa) if bundle.plan is None and opa else bundle.plan or b""
    return PlanEngine.name, PlanEngine(bundle, plan, deadline_ms=UNHURRIED_MS).evaluate_now


def _written(bundle: Bundle, directories: Sequence[Path]) -> tuple[Invariant, ...]:
    if not directories:
        return ()
    asked = as_bundle(bundle, read_invariants(directories))
    return rego_invariants(asked, _engine(asked)[1])


# --- the command ---------------------------------------------------------------------------------------------------


def prove_command(
    directories: Sequence[str],
    *,
    against: Sequence[str] = (),
    invariants: Sequence[Path] = (),
    modes: Mapping[str, Mode] | None = None,
    parameters: Mapping[str, Mapping[str, Any]] | None = None,
    nodes: Sequence[Node] | None = None,
    budget: int | None = None,
    seed: int = 0,
    as_json: bool = False,
) -> int:
    """Reports what was tried and each counterexample; 1 when there is one, else 0. `modes` holds for both bundles.

    Raises ConfigInvalid where a policy or an invariant cannot be used.
    """
    if budget is not None and budget < 1:
        raise ConfigInvalid("a budget is at least one input")
    bundle = load_known(directories, modes=modes, parameters=parameters)
    current = load_known(against, modes=modes, parameters=parameters) if against else None
    search = functools.partial(
        prove, bundle, against=current, invariants=invariants, nodes=nodes, budget=budget, seed=seed
    )
    if as_json:
        report = search()
        print(json.dumps(_as_json(report)))
    else:
        report = _with_progress(search)
        _print(report)
    return 1 if report.broken else 0


def _with_progress(search: Callable[..., Report]) -> Report:
    from rich.console import Console  # noqa: PLC0415  (slow to import, and not needed for --json)
    from rich.progress import Progress  # noqa: PLC0415

    # Drawn by whoever reports progress: the search forks, which a second thread would make unsafe.
    with Progress(console=Console(file=sys.stderr), transient=True, auto_refresh=False) as bar:
        task = bar.add_task("deciding", total=None)
        return search(progress=lambda done, total: bar.update(task, completed=done, total=total, refresh=True))


def _print(report: Report) -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console(soft_wrap=True, highlight=False)
    for verdict in report.verdicts:
        example = verdict.counterexample
        if example is None:
            words = f"  {verdict.title}: no counterexample among {report.coverage.inputs:,} inputs"
            console.print("[green]held  [/]" if verdict.spoke else "[yellow]silent[/]", Text(words + _spoke(verdict)))
            continue
        console.print("[red]broken[/]", Text(f"  {verdict.title}"))
        for line in _example_lines(example):
            console.print(Text(f"          {line}"))
    for word, names in (("rule never contributed", report.dead_rules), ("policy never won", report.never_winning)):
        for name in names:
            console.print("[yellow]unused[/]", Text(f"  {word} on any of these inputs: {name}"))
    for line in coverage_lines(report):
        console.print(Text(line))


def _spoke(verdict: Verdict) -> str:
    return f", {verdict.spoke:,} of which it speaks of" if verdict.spoke else ", none of which it speaks of"


def _example_lines(example: Counterexample) -> Iterator[str]:
    judged = example.judged
    if not example.differs:
        yield "with the plainest input of all"
    for name, value in example.differs.items():
        yield f"{name} = {json.dumps(value)}"
    yield f"input    {facts_bytes(judged.facts).decode()}"
    yield f"decision {decision_bytes(judged.decision).decode()}"
    if judged.current is not None:
        yield f"current  {decision_bytes(judged.current).decode()}"


def coverage_lines(report: Report) -> Iterator[str]:
    """What was tried, in words that claim no more than that."""
    found = report.coverage
    yield f"{found.inputs:,} inputs in {report.seconds:.1f} s on the {report.engine} engine, seed {found.seed}"
    if found.exhaustive:
        yield f"exhaustive: every combination of {found.values} values of {found.axes} fields"
        return
    yield (
        f"not exhaustive: {found.values} values of {found.axes} fields have {found.product:.1e} combinations; "
        f"{found.pairs_covered:,} of {found.pairs:,} pairs of values covered"
    )
    if report.core:
        yield f"every combination of {', '.join(report.core)}, each with one choice of all else"


def _as_json(report: Report) -> dict[str, Any]:
    found = report.coverage
    return {
        "engine": report.engine,
        "inputs": found.inputs,
        "exhaustive": found.exhaustive,
        "coverage": {
            "axes": found.axes,
            "values": found.values,
            "combinations": found.product,
            "pairs": found.pairs,
            "pairs_covered": found.pairs_covered,
            "every_combination_of": list(report.core),
            "seed": found.seed,
        },
        "invariants": [_verdict_json(verdict) for verdict in report.verdicts],
        "dead_rules": list(report.dead_rules),
        "never_winning": list(report.never_winning),
        "seconds": round(report.seconds, 3),
        "broken": sum(verdict.counterexample is not None for verdict in report.verdicts),
    }


def _verdict_json(verdict: Verdict) -> dict[str, Any]:
    example = verdict.counterexample
    found: dict[str, Any] = {"id": verdict.id, "title": verdict.title, "spoke": verdict.spoke, "counterexample": None}
    if example is not None:
        judged = example.judged
        found["counterexample"] = {
            "differs": example.differs,
            "input": json.loads(facts_bytes(judged.facts)),
            "decision": json.loads(decision_bytes(judged.decision)),
            "current": json.loads(decision_bytes(judged.current)) if judged.current else None,
        }
    return found
