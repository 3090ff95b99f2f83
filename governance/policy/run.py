"""What `ringfence decide` and `ringfence policy test` do."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from governance.decision import Action, Decision
from governance.errors import ConfigInvalid, PolicyUnavailable
from governance.facts import EntityFact, Facts
from governance.frozen import frozen
from governance.policy.bundle import BUILTIN, Bundle, library, load_bundle
from governance.policy.contract import MAX_FACTS_BYTES, decision_bytes, facts_bytes, facts_from_bytes
from governance.policy.embedded import EmbeddedEngine, cases_of
from governance.policy.engine import Decider
from governance.policy.sample import plain, samples
from governance.policy.source import read_module
from governance.segment import Role

_OPA_SECONDS = 120


@frozen
class TestResult:
    """How one `test_` rule ended on one engine; for the checks of OPA's compiler `rule` is `check`."""

    __test__ = False  # pytest collects classes of this name

    engine: str
    rule: str
    passed: bool


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


def test_policies(directories: Sequence[str]) -> tuple[TestResult, ...]:
    """Every case on regopy, and every `test_` rule and the static checks on OPA where `opa` is on the path.

    Raises ConfigInvalid where a module cannot be used.
    """
    bundle = load_bundle(directories)
    tests = [read_module(name=name, file=name, text=text) for name, text in bundle.tests]
    engine = EmbeddedEngine(bundle, rehearsals=samples())
    results = [
        TestResult(engine="embedded", rule=f"{policy}: {name}", passed=engine.agrees(policy, case))
        for policy, name, case in cases_of(bundle, tests)
    ]
    opa = shutil.which("opa")
    return tuple(results if opa is None else results + _on_opa(opa, bundle))


def test_command(directories: Sequence[str], *, as_json: bool) -> int:
    """Runs the tests and reports each failure; 0 when there is a test and none fails, else 1."""
    results = test_policies(directories)
    failed = [result for result in results if not result.passed]
    if as_json:
        report = [{"engine": one.engine, "rule": one.rule, "passed": one.passed} for one in results]
        print(json.dumps({"results": report, "failed": len(failed)}))
        return 1 if failed or not results else 0
    from rich.console import Console  # noqa: PLC0415  (slow to import, and not needed for --json)
    from rich.text import Text  # noqa: PLC0415

    console = Console(soft_wrap=True, highlight=False)
    for result in failed:
        console.print("[red]failed[/]", Text(f"{result.rule} on {result.engine}"))
    engines = sorted({result.engine for result in results})
    console.print(f"{len(results) - len(failed)} passed, {len(failed)} failed on {', '.join(engines) or 'no engine'}")
    if "opa" not in engines:
        console.print("`opa` is not on the path: its static checks and its run of the tests were left out")
    return 1 if failed or not results else 0


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


def _on_opa(opa: str, bundle: Bundle) -> list[TestResult]:
    sources = [str(path) for top in bundle.directories for path in (top / "policies", top / "data") if path.is_dir()]
    sources += [str(top) for top in bundle.directories if not (top / "policies").is_dir()]
    check = _opa(opa, "check", "--strict", "--schema", str(library() / "schemas"), *sources)
    tests = _opa(opa, "test", "--verbose", "--format", "json", *sources)
    try:
        report = json.loads(tests.stdout or "[]")
    except ValueError:
        raise ConfigInvalid("`opa test` cannot read the policies") from None
    return [
        TestResult(engine="opa", rule="check", passed=check.returncode == 0),
        *(
            TestResult(
                engine="opa",
                rule=f"{one['package'].removeprefix('data.')}.{one['name']}",
                passed=not (one.get("fail") or one.get("error") or one.get("skip")),
            )
            for one in report
        ),
    ]


def _opa(opa: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run([opa, *arguments], capture_output=True, text=True, check=False, timeout=_OPA_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        raise ConfigInvalid("`opa` cannot be run") from None
