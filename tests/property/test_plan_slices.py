"""A policy that is asked again says what it would say if it were asked for the first time."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.policy.bundle import load_bundle
from governance.policy.plan.build import build_plan
from governance.policy.plan.dependence import ALWAYS
from governance.policy.plan.engine import UNHURRIED_MS, PlanEngine, _Judge

pytestmark = [
    pytest.mark.opa,
]

# One body each, for every way in which a policy can look at a list or at something in it, or at whether it is there.
_BODIES = {
    "scan": "some row in input.rows; row.type in data.kinds; row.score >= 500",
    "scan_twice": 'some a in input.rows; a.type == "A"; some b in input.rows; b.type == "B"; a.score > b.score',
    "counted": "count(input.rows) > 2",
    "counted_some": 'count([row | some row in input.rows; row.type == "A"]) > 1',
    "counted_distinct": "count({row.type | some row in input.rows; row.score >= 500}) == 2",
    "absent": "not _has_a",
    "all": "every row in input.rows { row.score < 900 }",
    "first": 'input.rows[0].type == "A"',
    "place": 'some at, row in input.rows; row.type == "B"; at > 0',
    "keys": 'input.rows[at].type == "A"; at == 1',
    "ordered": '[row.type | some row in input.rows; row.score >= 500] == ["A", "B"]',
    "called": "some row in input.rows; _high(row)",
    "called_list": "_any_high(input.rows)",
    "walked": 'walk(input.rows, [_, "B"])',
    "whole": 'some row in input.rows; row == {"type": "A", "score": 0}',
    "inner": 'some row in input.rows; some word in row.where; word == "user"',
    "inner_member": 'some row in input.rows; "tool" in row.where',
    "other": "some row in input.rows; row.type == input.wanted",
    "other_first": "some word in input.words; some row in input.rows; row.type == word",
    "outer": "some kind in data.kinds; some row in input.rows; row.type == kind; row.score == 0",
    "dynamic": 'input[input.name][_].type == "A"',
    "defined": "input.rows[_].extra",
    "negated": 'some row in input.rows; not row.extra; row.type == "A"',
    "either": 'some row in array.concat(input.rows, input.others); row.type == "B"',
    "object": 'some row in input.tree.rows; row.type == "A"',
    "nothing": "some row in input.rows; row.extra == null",
    "truth": "some row in input.rows; row.extra == true",
    "failing": 'some row in input.rows; row.type == "A"; 10 / row.score > 0',
    "sum": 'sum([row.score | some row in input.rows; row.type != "C"]) > 900',
    "same_list": "input.rows == input.others",
    "there": "_ = input.who.attributes.held",
    "there_called": "_taken(input.who.attributes.held, input.prior.action)",
    "there_unused": "x := input.prior",
    "there_deep": "f := input.who; a := f.attributes; _taken(a.held, a)",
    "there_in_list": "[input.who.attributes.held][0] != 7",
    "there_either": "_either",
    "there_default": "_held == 2",
    "there_else": "_answered == 2",
    "there_counted": "count([1 | _ = input.who.attributes.held]) == 0",
    "there_taken_apart": '{"action": _} = input.prior',
    "not_there": "not _prior",
    "not_there_below": "x := input.who.attributes; not x.held",
    "not_there_called": "_bare(input.who)",
    "list_there": "_ = input.rows",
    "list_not_there": "x := input.tree; not _any_high(x.rows)",
    "list_without": "x := input.tree; every row in x.rows { row.score < 900 }",
    "any_item": "some _ in input.rows",
    "any_two": "[_, _] = input.rows",
    "in_item": "some row in input.loose; _ = row.extra",
    "in_item_called": "some row in input.loose; _taken(row.extra, 1)",
    "in_item_of": 'some row in input.loose; row.type == "A"; _ = row.extra',
    "in_each_item": "every row in input.loose { _ = row.extra }",
    "in_inner_item": "some row in input.rows; some _ in row.where",
    "not_in_item": "some row in input.rows; x := row.where; not x.extra",
    "at_index": "_ = input.rows[0].extra",
    "under_key": 'some name; _ = input.who.attributes[name]; name == "held"',
    "under_computed": "_ = input.who.attributes[input.name]",
}

_MODULE = """# METADATA
# title: A policy
# custom: {{id: {name}, version: "1.0.0"}}
package ringfence.policy.{name}

effects contains {{"effect": "note", "rule": "seen", "code": "seen", "params": {{}}}} if {{
	{body}
}}

effects contains {{"effect": "note", "rule": type, "code": "seen", "params": {{}}}} if {{
	some row in input.rows
	row.score > 100
	type := lower(row.type)
}}

_has_a if {{
	some row in input.rows
	row.type == "A"
}}

_high(row) if row.score >= 500

_any_high(rows) if {{
	some row in rows
	_high(row)
}}

_taken(_, action) if action != "refuse"

_bare(who) if not who.attributes.held

_prior if _ = input.prior

_either if _ = input.who.attributes.held

_either if input.wanted == 1

default _held := 2

_held := 1 if _ = input.who.attributes.held

_answered := 1 if {{
	_ = input.prior.action
}} else := 2
"""

_SCALARS = st.sampled_from([None, True, False, 0, 1, 499, 500, 1000, "A", "B"])
_ROWS = st.fixed_dictionaries(
    {"type": st.sampled_from("ABC"), "score": st.sampled_from([0, 499, 500, 1000])},
    optional={"where": st.lists(st.sampled_from(["user", "tool"]), max_size=2), "extra": _SCALARS, "unread": _SCALARS},
)
_LISTS = st.one_of(
    st.lists(_ROWS, max_size=4),
    st.lists(st.one_of(_ROWS, _SCALARS, st.lists(_SCALARS, max_size=1)), max_size=3),
    st.dictionaries(st.sampled_from(["0", "x"]), _ROWS, max_size=2),
    _SCALARS,
)
_ATTRIBUTES = st.one_of(st.dictionaries(st.sampled_from(["held", "unread"]), _SCALARS, max_size=2), _SCALARS)
_DOCUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "rows": _LISTS,
        "others": _LISTS,
        # Of its items nobody takes the whole.
        "loose": _LISTS,
        "tree": st.one_of(st.fixed_dictionaries({"rows": _LISTS}), _SCALARS),
        "wanted": _SCALARS,
        "words": st.lists(_SCALARS, max_size=2),
        "name": st.sampled_from(["rows", "others", "held", 1]),
        "who": st.one_of(st.fixed_dictionaries({}, optional={"attributes": _ATTRIBUTES}), _SCALARS),
        "prior": st.one_of(st.fixed_dictionaries({}, optional={"action": st.just("refuse") | _SCALARS}), _SCALARS),
    },
)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> PlanEngine:
    directory: Path = tmp_path_factory.mktemp("policies")
    for name, body in _BODIES.items():
        (directory / f"{name}.rego").write_text(_MODULE.format(name=name, body=body))
    (directory / "data.json").write_text('{"kinds": ["A", "C"]}')
    bundle = load_bundle([directory])
    return PlanEngine(bundle, build_plan(bundle), deadline_ms=UNHURRIED_MS)


@settings(max_examples=100, deadline=None)
@given(documents=st.lists(_DOCUMENTS, min_size=1, max_size=5))
def test_what_was_said_before_changes_nothing(engine: PlanEngine, documents: list[dict[str, Any]]) -> None:
    """Memory of other inputs, from this example and all before it, gives what a first evaluation gives."""
    for document in documents:
        remembered = engine.evaluate_value(list(_BODIES), document)
        kept = {name: dict(said) for name, said in engine._said.items()}
        for said in engine._said.values():
            said.clear()
        first = engine.evaluate_value(list(_BODIES), document)
        for name, said in kept.items():
            engine._said[name].update(said)

        assert first == remembered


def test_an_item_that_matters_to_no_policy_is_no_part_of_a_key(engine: PlanEngine) -> None:
    """What a scan begins with decides which items count, and fields that nobody reads never do."""
    few = {"rows": [{"type": "A", "score": 900, "where": []}]}
    more = {"rows": [{"type": "A", "score": 900, "where": [], "unread": 7}, {"type": "B", "score": 0, "where": []}]}

    assert _keys(engine, {"rows": 0}, "scan") != _keys(engine, few, "scan"), "a number is no item"
    same = {name for name in _BODIES if _keys(engine, few, name) == _keys(engine, more, name)}

    assert {"scan", "counted_distinct", "called", "absent"} <= same
    assert not same & {"counted", "first", "walked", "whole", "other", "all", "same_list"}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"who": {"attributes": {}}}, {"who": {"attributes": {"held": "yes"}}}),
        ({}, {"prior": {"action": "allow"}}),
        ({"loose": [{}]}, {"loose": [{"extra": False}]}),
    ],
    ids=["attribute", "part", "item"],
)
def test_what_is_only_looked_for_is_part_of_a_key(
    engine: PlanEngine, first: dict[str, Any], second: dict[str, Any]
) -> None:
    """Whether it is there decides, not what it is."""
    told = {"there", "there_unused", "not_there", "in_item", "in_item_called"}

    differing = {name for name in told if _keys(engine, first, name) != _keys(engine, second, name)}

    assert differing
    assert differing == {name for name in told if _first(engine, name, first) != _first(engine, name, second)}


def _keys(engine: PlanEngine, document: Any, name: str) -> Any:
    judge = _Judge(engine._compiled, engine._data, engine._budget, math.inf)
    return engine._slices.of(document, [name], judge)


def _first(engine: PlanEngine, name: str, document: dict[str, Any]) -> Any:
    engine._said[name].clear()
    return engine.evaluate_value([name], document)


def test_conditions_are_found_where_a_scan_begins_with_one(engine: PlanEngine) -> None:
    """A scan whose items all count is the exception."""
    dependences = engine._compiled.dependences

    def conditions(name: str) -> set[int]:
        return set().union(*dependences[f"ringfence/policy/{name}/effects"].conditions.values())

    assert ALWAYS not in conditions("scan")
    assert ALWAYS in conditions("other_first")
    assert ("rows",) in dependences["ringfence/policy/counted/effects"].paths
    assert ("rows",) not in dependences["ringfence/policy/scan/effects"].paths
