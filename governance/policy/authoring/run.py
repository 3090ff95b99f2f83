"""What `ringfence decide` and `ringfence policy test` do."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import shutil
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

from governance.decision import Action, Contribution, Decision
from governance.errors import ConfigInvalid, PolicyUnavailable
from governance.facts import EntityFact, Facts
from governance.frozen import frozen
from governance.policy.authoring.cases import Case, alone, by_params, cases_in, said_by, with_params
from governance.policy.authoring.coverage import Coverage, OpaResult, coverage_of, on_opa
from governance.policy.bundle import BUILTIN, ROOT, Bundle, Policy, canonical, load_bundle
from governance.policy.contract import MAX_FACTS_BYTES, decision_bytes, facts_bytes, facts_from_bytes
from governance.policy.embedded import EmbeddedEngine, cases_of
from governance.policy.engine import Decider
from governance.policy.result import contribution_of
from governance.policy.sample import plain, samples
from governance.policy.source import Module, read_module
from governance.segment import Role


@frozen
class TestResult:
    """How one `test_` rule or case ended on one engine; for the checks of OPA's compiler `rule` is `check`.

    A case has what it expects and what the policy said, as `effect/rule`; one of `cases.yaml` has its place.
    """

    __test__ = False  # pytest collects classes of this name

    engine: str
    rule: str
    passed: bool
    policy: str = ""
    expected: frozenset[str] | None = None
    actual: frozenset[str] | None = None
    place: str = ""


@frozen
class TestRun:
    """All results, the coverage of each policy, and the engines that were asked."""

    __test__ = False  # pytest collects classes of this name

    results: tuple[TestResult, ...]
    coverage: tuple[Coverage, ...]
    tests: Mapping[str, int]
    engines: tuple[str, ...]

    def cases(self, policy: str) -> int:
        """How many cases there are of `policy`, on whatever engines."""
        return len({one.rule for one in self.results if one.policy == policy and one.expected is not None})


Asks: TypeAlias = Callable[[Sequence[str], bytes], tuple[Contribution, ...]]


def decide_file(
    path: Path, directories: Sequence[str] = (BUILTIN,), *, engine: str = "embedded", opa_url: str | None = None
) -> Decision:
    """The decision on the input document in `path` (`-` for standard input).

    Raises ConfigInvalid for a document or a policy that cannot be used, PolicyUnavailable without a server.
    """
    facts = _facts(path)
    bundle = load_bundle(directories)

    async def ask() -> Decision:
        async with Decider.open(bundle, engine, opa_url) as decider:
            return await decider.decide(facts, decision_id="")

    try:
        return asyncio.run(ask())
    except PolicyUnavailable as error:
        raise PolicyUnavailable(f"{error} at {opa_url}" if engine == "opa" else str(error)) from None


def decide_command(path: Path, directories: Sequence[str], *, engine: str, opa_url: str | None) -> int:
    """Writes the decision on `path` as one line of JSON; 1 when it denies, else 0."""
    decision = decide_file(path, directories, engine=engine, opa_url=opa_url)
    print(decision_bytes(decision).decode())
    return 1 if decision.action is Action.DENY else 0


def print_sample() -> None:
    """Writes an input document to start from: a chat in which an address was found."""
    found = EntityFact(type="EMAIL_ADDRESS", count=1, max_permille=900, validated=True, where=(Role.USER,))
    facts = plain()
    facts = replace(facts, classification=replace(facts.classification, entities=(found,)))
    print(json.dumps(json.loads(facts_bytes(facts)), indent=2))


def run_tests(directories: Sequence[str]) -> TestRun:
    """Every case on every engine there is; where `opa` is on the path also each `test_` rule and its static checks.

    Raises ConfigInvalid where a module or a case cannot be used.
    """
    bundle = load_bundle(directories)
    tests = test_modules(bundle)
    tables = list(_tables(bundle, tests))
    rows = cases_in(bundle)
    opa = shutil.which("opa")
    engines: list[tuple[str, Callable[[Bundle], Asks]]] = [("embedded", lambda one: _embedded(one, bundle))]
    if opa is not None:
        engines.append(("plan", _planned(opa)))
    results = [result for name, make in engines for result in _on(name, make, bundle, tables, rows)]
    lines = None
    if opa is not None:
        found, lines = on_opa(opa, bundle, rows)
        results += [_of_opa(one, rows) for one in found]
    return TestRun(
        results=tuple(results),
        coverage=coverage_of(bundle, _said(results), lines),
        tests={policy.id: _tests_of(policy.id, tests) for policy in bundle.policies},
        engines=tuple(name for name, _ in engines) + (() if opa is None else ("opa",)),
    )


def run_cases(bundle: Bundle, policies: Collection[str], *, most: int) -> Iterator[TestResult]:
    """Each case of `policies` on what `auto` chooses for `bundle`: the plan that it carries, else the embedded engine.

    Rows with parameters of their own run on the embedded engine: to compile a whole plan for each takes too long.
    Raises ConfigInvalid where a case cannot be used, and for more than `most` cases.
    """
    tests = [one for one in test_modules(bundle) if one.package[:2] != ROOT or tested_by(one) in policies]
    tables = list(_tables(bundle, tests))
    chosen = replace(bundle, cases={policy: bundle.cases[policy] for policy in policies & bundle.cases.keys()})
    rows: Mapping[str, Sequence[Case]] = cases_in(chosen)
    if len(tables) + sum(map(len, rows.values())) > most:
        raise ConfigInvalid(f"more than {most} cases")
    plan = bundle.plan
    if plan is not None:
        plain = {policy: [case for case in cases if case.params is None] for policy, cases in rows.items()}
        yield from _on("plan", lambda one: _carried(one, plan), bundle, tables, plain)
        tables, rows = (
            [],
            {policy: [case for case in cases if case.params is not None] for policy, cases in rows.items()},
        )
    yield from _on("embedded", lambda one: _embedded(one, bundle), bundle, tables, rows)


def test_modules(bundle: Bundle) -> list[Module]:
    """The test modules of `bundle`."""
    return [read_module(name=name, file=name, text=text) for name, text in bundle.tests]


def tested_by(test: Module) -> str:
    """The policy that a test module is about."""
    return test.package[-1].removesuffix("_test")


def test_command(directories: Sequence[str], *, as_json: bool, threshold: int = 0) -> int:  # noqa: PT028  (a command)
    """Runs the tests and reports by policy; 0 when there is a test, none fails and all reach `threshold` percent."""
    run = run_tests(directories)
    failed = [result for result in run.results if not result.passed]
    below = [one for one in run.coverage if one.percent < threshold]
    code = 1 if failed or below or not run.results else 0
    if as_json:
        print(json.dumps(_report(run, failed)))
        return code
    from rich.console import Console  # noqa: PLC0415  (slow to import, and not needed for --json)
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console(soft_wrap=True, highlight=False)
    table = Table("policy", "cases", "tests", "failed", "coverage", box=None, pad_edge=False)
    for one in run.coverage:
        wrong = sum(result.policy == one.policy for result in failed)
        table.add_row(
            one.policy,
            str(run.cases(one.policy)),
            str(run.tests[one.policy]),
            str(wrong),
            f"{one.percent} % of {one.unit}",
        )
    console.print(table)
    for result in failed:
        console.print(
            "[red]failed[/]", Text(f"{result.rule} on {result.engine}{result.place and f' ({result.place})'}")
        )
        if result.expected is not None and result.actual is not None:
            console.print(Text(f"    expected: {_words(result.expected)}\n    actual:   {_words(result.actual)}"))
    for one in run.coverage:
        if one.missed:
            console.print(Text(f"{one.policy}: never reached: {', '.join(one.missed)}"))
    for one in below:
        console.print("[red]below the threshold[/]", Text(f"{one.policy}: {one.percent} % of {threshold} %"))
    engines = sorted({result.engine for result in run.results})
    passed = len(run.results) - len(failed)
    console.print(f"{passed} passed, {len(failed)} failed on {', '.join(engines) or 'no engine'}")
    if "opa" not in engines:
        console.print("`opa` is not on the path: its static checks and its run of the tests were left out")
    return code


def _report(run: TestRun, failed: Sequence[TestResult]) -> dict[str, object]:
    results = []
    for one in run.results:
        row: dict[str, object] = {"engine": one.engine, "rule": one.rule, "passed": one.passed}
        if not one.passed and one.expected is not None and one.actual is not None:
            row |= {"expected": sorted(one.expected), "actual": sorted(one.actual), "place": one.place}
        results.append(row)
    policies = [
        {
            "policy": one.policy,
            "cases": run.cases(one.policy),
            "tests": run.tests[one.policy],
            "coverage_percent": one.percent,
            "coverage_of": one.unit,
            "missed": one.missed,
        }
        for one in run.coverage
    ]
    return {"results": results, "failed": len(failed), "policies": policies, "engines": run.engines}


def _words(effects: frozenset[str]) -> str:
    return " ".join(sorted(effects)) or "(nothing)"


def _tables(bundle: Bundle, tests: Sequence[Module]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Policy, name and value of each case in a test module."""
    shared = [one for one in tests if one.package[:2] != ROOT]
    known = {policy.id for policy in bundle.policies}
    for test in tests:
        if test.package[:2] == ROOT:
            policy = tested_by(test)
            yield from cases_of(alone(bundle, policy) if policy in known else bundle, [test, *shared])


def _embedded(bundle: Bundle, whole: Bundle) -> Asks:
    # Once for all policies; the parameters of one case need not be good for anything else.
    return EmbeddedEngine(bundle, rehearsals=samples() if bundle is whole else ()).evaluate


def _planned(opa: str) -> Callable[[Bundle], Asks]:
    # Hundreds of builtins, which `decide` has no use for.
    from governance.policy.plan.build import build_plan  # noqa: PLC0415
    from governance.policy.plan.engine import UNHURRIED_MS, PlanEngine  # noqa: PLC0415

    plans: dict[tuple[str, ...], bytes] = {}

    def make(bundle: Bundle) -> Asks:
        # Parameters are data, which a plan does not hold.
        policies = tuple(policy.id for policy in bundle.policies)
        if policies not in plans:
            plans[policies] = build_plan(bundle, opa)
        return PlanEngine(bundle, plans[policies], deadline_ms=UNHURRIED_MS).evaluate_now

    return make


def _carried(bundle: Bundle, plan: bytes) -> Asks:
    from governance.policy.plan.engine import UNHURRIED_MS, PlanEngine  # noqa: PLC0415

    return PlanEngine(bundle, plan, deadline_ms=UNHURRIED_MS).evaluate_now


def _on(
    name: str,
    make: Callable[[Bundle], Asks],
    bundle: Bundle,
    tables: Sequence[tuple[str, str, Mapping[str, Any]]],
    rows: Mapping[str, Sequence[Case]],
) -> Iterator[TestResult]:
    """Each case of the tables in the test modules, then each row of `cases.yaml`, on one engine."""
    whole = functools.cache(lambda: make(bundle))
    for policy, title, case in tables:
        (said,) = whole()([policy], canonical(case["input"]))
        expected = frozenset("/".join(pair) for pair in case["rules"])
        in_full = contribution_of(_policy(bundle, policy), case["effects"]) if "effects" in case else said
        yield TestResult(
            engine=name,
            rule=f"{policy}: {title}",
            passed=said.failure is None and said_by(said) == expected and in_full.effects == said.effects,
            policy=policy,
            expected=expected,
            actual=said_by(said),
        )
    for policy, cases in rows.items():
        for params, group in by_params(cases):
            # A bundle with other parameters is another bundle: its engine is made for these cases alone.
            ask = whole() if params is None else make(with_params(alone(bundle, policy), policy, params))
            for row in group:
                (said,) = ask([policy], row.document)
                yield TestResult(
                    engine=name,
                    rule=f"{policy}: {row.name}",
                    passed=said_by(said) == row.effects,
                    policy=policy,
                    expected=row.effects,
                    actual=said_by(said),
                    place=f"{row.file}:{row.line}",
                )


def _tests_of(policy: str, tests: Sequence[Module]) -> int:
    """How many `test_` rules there are of `policy`."""
    package = (*ROOT, f"{policy}_test")
    return sum(rule.startswith("test_") for module in tests if module.package == package for rule in module.rules)


def _policy(bundle: Bundle, id_: str) -> Policy:
    for policy in bundle.policies:
        if policy.id == id_:
            return policy
    raise ConfigInvalid(f"a test module lists cases of `{id_}`, and there is no such policy")


def _of_opa(one: OpaResult, rows: Mapping[str, Sequence[Case]]) -> TestResult:
    if one.case is None:
        return TestResult(engine="opa", rule=one.rule, passed=one.passed, policy=one.policy)
    row = rows[one.policy][one.case]
    return TestResult(
        engine="opa",
        rule=f"{one.policy}: {row.name}",
        passed=one.passed,
        policy=one.policy,
        expected=row.effects,
        actual=one.actual,
        place=f"{row.file}:{row.line}",
    )


def _said(results: Iterable[TestResult]) -> Mapping[str, frozenset[str]]:
    """All that each policy said to any case."""
    found: dict[str, frozenset[str]] = {}
    for one in results:
        found[one.policy] = found.get(one.policy, frozenset()) | (one.actual or frozenset())
    return found


def _facts(path: Path) -> Facts:
    """The facts in `path`. Raises ConfigInvalid naming the file."""
    file = "standard input" if str(path) == "-" else str(path)
    if file != str(path) and sys.stdin is None:
        raise ConfigInvalid("is closed", file=file)
    try:
        with path.open("rb") if file == str(path) else contextlib.nullcontext(sys.stdin.buffer) as stream:
            raw = stream.read(MAX_FACTS_BYTES + 1)
    except OSError as error:
        raise ConfigInvalid(f"cannot be read: {(error.strerror or '').lower()}", file=file) from None
    try:
        return facts_from_bytes(raw)
    except ConfigInvalid as error:
        raise ConfigInvalid(str(error), file=file) from None
