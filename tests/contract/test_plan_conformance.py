"""OPA's own compliance cases on the `plan` engine: what OPA answers is what a policy means.

Every eighth case by default; RINGFENCE_CONFORMANCE=all runs all of them and takes minutes. OPA's sources are looked for
in the module cache of Go, in the version that `.ci/opa-version` names.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from governance.errors import ConfigInvalid
from governance.frozen import frozen
from governance.policy.plan import runtime
from governance.policy.plan.build import plan_of
from governance.policy.plan.builtins import BUILTINS
from governance.policy.plan.builtins.error import UNDEFINED, BuiltinError
from governance.policy.plan.compile import compile_plan
from governance.policy.plan.ir import read_plan
from governance.policy.plan.values import Set, Value, name_of, ordered

pytestmark = [pytest.mark.slow, pytest.mark.opa]

_EVERY = 1 if os.environ.get("RINGFENCE_CONFORMANCE") == "all" else 8
_BOOL = "tag:yaml.org,2002:bool"
_STEPS = 5_000_000
_RULE = "package conformance\n\nresults contains {bindings} if {{ {query} }}\n"

# What has another answer than OPA's by design: note of the case, and why.
_WORDING = "what is wrong with a document is said in other words than OPA's"
DIFFERENT: Mapping[str, str] = {
    "aggregates/count with invalid utf-8 chars (0xFFFD)": "bytes that are no UTF-8 are an error, never a string",
    "json_match_schema/invalid document": _WORDING,
    "json_verify_schema/invalid schema object": _WORDING,
    "json_verify_schema/invalid schema string": _WORDING,
}


@frozen
class Outcome:
    """How one case ended: `verdict` is passed, unsupported, inapplicable, error or wrong."""

    note: str
    verdict: str
    said: str = ""


class Loader(yaml.CSafeLoader):
    """YAML as OPA reads it: a date is a string, and so are `on` and `yes`."""


Loader.yaml_implicit_resolvers = {
    first: [
        pair for pair in pairs if pair[0] != "tag:yaml.org,2002:timestamp" and (pair[0] != _BOOL or first in "tTfF")
    ]
    for first, pairs in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def cases_directory() -> Path:
    """Where the cases lie, or a skip that says why not."""
    if shutil.which("opa") is None or shutil.which("go") is None:
        pytest.skip("no `opa` or no `go` on the path: OPA's compliance cases were not run")
    version = Path(__file__, "../../../.ci/opa-version").resolve().read_text().strip()
    cache = subprocess.run(["go", "env", "GOMODCACHE"], capture_output=True, check=True, text=True).stdout.strip()
    found = Path(cache, f"github.com/open-policy-agent/opa@{version}/v1/test/cases/testdata/v1")
    if not found.is_dir():
        pytest.skip(f"OPA {version} is not in the module cache of Go: its compliance cases were not run")
    return found


def cases(top: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(top.rglob("*.yaml")):
        yield from yaml.load(path.read_bytes(), Loader)["cases"]


def plan_sources(case: Mapping[str, Any]) -> tuple[dict[str, str], list[str]]:
    """The modules of a case with one of ours, whose rule is the set of the bindings that the query has."""
    names = sorted({name for row in case.get("want_result") or [] for name in row})
    bindings = "{" + ", ".join(f'"{name}": {name}' for name in names) + "}" if names else '"defined"'
    modules = {f"m{at}.rego": text for at, text in enumerate(case.get("modules") or [])}
    entrypoints = ["conformance/results"]
    text = _RULE.format(bindings=bindings, query=case["query"])
    if "input_term" in case:
        text += f"\nterm := {case['input_term']}\n"
        entrypoints.append("conformance/term")
    return {**modules, "query.rego": text}, entrypoints


def lenient(builtin: Callable[..., Value]) -> Callable[..., Value]:
    """As OPA runs most cases: an error is undefined."""

    def call(*arguments: Value) -> Value:
        try:
            return builtin(*arguments)
        except BuiltinError:
            return UNDEFINED

    return call


LENIENT = {name: lenient(builtin) for name, builtin in BUILTINS.items()}


def evaluated(case: Mapping[str, Any], raw: bytes) -> list[Any]:
    """The bindings as JSON. Raises what the engine takes for a failure, ConfigInvalid where it refuses the plan."""
    strict = case.get("strict_error") or "want_error" in case or "want_error_code" in case
    compiled = compile_plan(read_plan(raw), BUILTINS if strict else LENIENT)
    document = case.get("input", UNDEFINED)
    state = runtime.fresh(compiled.memos, _STEPS)
    data = json_value(case.get("data") or {})
    if "input_term" in case:
        document = compiled.entrypoints["conformance/term"](state, UNDEFINED, {})[0]["result"]
        state = runtime.fresh(compiled.memos, _STEPS)
    results = compiled.entrypoints["conformance/results"](state, json_value(document), data)
    return [as_json(one) for one in ordered(results[0]["result"])] if results else []


def json_value(value: Any) -> Any:
    """A number that is whole is an int, and every key a string."""
    if isinstance(value, dict):
        return {str(key): json_value(item) for key, item in value.items()}
    if isinstance(value, list):
        return [json_value(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def as_json(value: Value) -> Any:
    """A value as OPA writes it: sets are sorted lists, other keys than strings their JSON text."""
    if isinstance(value, dict):
        return {name if isinstance(name := name_of(key), str) else json.dumps(as_json(name), separators=(",", ":")): as_json(item) for key, item in value.items()}  # fmt: skip
    if isinstance(value, Set):
        return [as_json(item) for item in ordered(value)]
    if isinstance(value, list):
        return [as_json(item) for item in value]
    return value


def text(value: Any, *, unordered: bool) -> str:
    if unordered and isinstance(value, list):
        return "[" + ",".join(sorted(text(item, unordered=False) for item in value)) + "]"
    return json.dumps(json_value(value), sort_keys=True)


def rows(found: list[Any], *, unordered: bool) -> list[str]:
    """Bindings in one order; two that are the same count once."""
    whole = [{name: text(item, unordered=unordered) for name, item in row.items()} for row in found]
    return sorted({json.dumps(row, sort_keys=True) for row in whole})


def outcome(case: Mapping[str, Any]) -> Outcome:
    ended = partial(Outcome, note=case["note"])
    wants_error = "want_error" in case or "want_error_code" in case
    modules, entrypoints = plan_sources(case)
    try:
        raw = plan_of(modules, b"{}", entrypoints)
    except ConfigInvalid as error:
        return ended(verdict="passed" if wants_error else "inapplicable", said=str(error))
    try:
        found = evaluated(case, raw)
    except ConfigInvalid as error:
        return ended(verdict="unsupported" if "not supported" in str(error) else "error", said=str(error))
    except (runtime.EvaluationError, runtime.BudgetExceeded, BuiltinError) as error:
        return ended(verdict="passed" if wants_error else "error", said=f"{type(error).__name__}: {error}")
    except Exception as error:  # noqa: BLE001  (whatever it is, it is this case's)
        return ended(verdict="error", said=f"{type(error).__name__}: {error}")
    if wants_error:
        return ended(verdict="wrong", said=f"no error: {found}")
    return ended(verdict="passed" if agrees(case, found) else "wrong", said=str(found)[:300])


def agrees(case: Mapping[str, Any], found: list[Any]) -> bool:
    if "want_result" not in case:
        return bool(found) == bool(case.get("want_defined"))
    wanted = case["want_result"] or []
    if not any(wanted):
        return bool(found) == bool(wanted)
    unordered = bool(case.get("sort_bindings"))
    return rows(wanted, unordered=unordered) == rows(found, unordered=unordered)


@pytest.mark.timeout(1200)
def test_opa_compliance_cases(record_property: Callable[[str, object], None]) -> None:
    """At least 99 of 100 cases whose builtins are supported pass, and none has another answer than OPA's."""
    chosen = list(cases(cases_directory()))[::_EVERY]

    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(outcome, chosen))
    counts = Counter(one.verdict for one in outcomes)
    run = counts["passed"] + counts["error"] + counts["wrong"]
    for verdict, count in counts.items():
        record_property(verdict, count)
    print(f"\n{len(chosen)} cases: {run} run, {dict(counts)}")
    failed = [one for one in outcomes if one.verdict in {"error", "wrong"} and one.note not in DIFFERENT]
    for one in [*failed, *(one for one in outcomes if one.verdict == "inapplicable")]:
        print(f"  {one.verdict}: {one.note}: {one.said}")

    assert counts["passed"] >= 0.99 * run
    assert [one.note for one in failed if one.verdict == "wrong"] == []
