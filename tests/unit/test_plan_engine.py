"""The engine over a plan: from the result of an entrypoint to a contribution, and from any failure to one."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from governance.decision import Contribution
from governance.policy.bundle import Bundle
from governance.policy.cache import MOST_BYTES
from governance.policy.plan import engine
from governance.policy.plan.engine import PlanEngine
from governance.policy.sample import samples
from tests.bundles import ALLOW, one_policy
from tests.plans import Raw, answer, block, local, plan, stmt, string

ENTRYPOINT = "ringfence/policy/p/effects"
EFFECT = {"effect": "allow", "rule": "all", "code": "all"}


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return one_policy(tmp_path, f"effects contains {ALLOW}")


def evaluated(bundle: Bundle, *statements: Raw, strings: tuple[str, ...] = (), **options: Any) -> Contribution:
    """What the policy contributes whose entrypoint consists of `statements`."""
    engine = PlanEngine(bundle, plan(block(*statements), strings=strings, entrypoint=ENTRYPOINT), **options)
    (said,) = engine.evaluate_now(["p"], samples()[0])
    return said


def effect(*more: Raw) -> list[Raw]:
    """Local 3 becomes an effect with the strings that `STRINGS` holds."""
    keys = [
        stmt("ObjectInsert", key=string(1 + 2 * at), value=string(2 + 2 * at), object=3) for at in range(len(EFFECT))
    ]
    params = [stmt("MakeObject", target=4), stmt("ObjectInsert", key=string(7), value=local(4), object=3)]
    return [stmt("MakeObject", target=3), *keys, *params, *more]


STRINGS = (*[part for pair in EFFECT.items() for part in pair], "params", "surplus")


def test_effects_become_a_contribution(bundle: Bundle) -> None:
    """In the order and with the fields of every other engine."""
    said = evaluated(
        bundle,
        stmt("MakeSet", target=2),
        *effect(),
        stmt("SetAdd", value=local(3), set=2),
        *answer(2),
        strings=STRINGS,
    )

    assert (None, ["all"]) == (said.failure, [one.rule for one in said.effects])


@pytest.mark.parametrize("changed", ["runtime.py", "builtins/numbers.py"])
def test_the_version_follows_from_the_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: str) -> None:
    """Builds in which a plan may mean something else have different ones."""
    # Past what is remembered of the real one.
    version = engine.version.__wrapped__
    here, copy = version(), Path(shutil.copytree(Path(engine.__file__).parent, tmp_path / "plan"))
    monkeypatch.setattr(engine, "__file__", str(copy / "engine.py"))
    there = version()
    (copy / changed).write_text("# otherwise\n")

    assert (True, False) == (here == there, version() == there)


def test_undefined_contributes_nothing(bundle: Bundle) -> None:
    """No result is no effect, and no failure."""
    assert Contribution(policy="p", version="1.0.0", mode=bundle.policies[0].mode) == evaluated(bundle)


@pytest.mark.parametrize(
    "statements",
    [
        [stmt("MakeObject", target=2), *answer(2)],
        [stmt("MakeSet", target=2), stmt("SetAdd", value=string(0), set=2), *answer(2)],
        [
            stmt("MakeSet", target=2),
            *effect(stmt("ObjectInsert", key=string(8), value=string(8), object=3)),
            stmt("SetAdd", value=local(3), set=2),
            *answer(2),
        ],
        [stmt("ResultSetAdd", value=0)],
    ],
    ids=["no set", "no effect", "a key more", "no result"],
)
def test_what_are_no_effects_is_a_failure(bundle: Bundle, statements: list[Raw]) -> None:
    """Of the kind `schema`."""
    assert "schema" == evaluated(bundle, *statements, strings=STRINGS).failure


def test_a_budget_that_is_spent_is_a_timeout(bundle: Bundle) -> None:
    """The next evaluation has a budget of its own."""
    scan = stmt("Scan", source=0, key=2, value=3, block=block(stmt("Nop")))

    assert "timeout" == evaluated(bundle, scan, scan, budget=8).failure
    assert None is evaluated(bundle, scan, scan, budget=100).failure


def scanning(bundle: Bundle, **options: Any) -> PlanEngine:
    """A policy that scans `input.rows`, and for each of its items the data, before it compares the item's `x`."""

    def dot(source: int, name: int, target: int) -> Raw:
        return stmt("Dot", source=local(source), key=string(name), target=target)

    data = stmt("Scan", source=1, key=5, value=6, block=block(stmt("Nop")))
    body = block(dot(4, 2, 7), data, stmt("Equal", a=local(7), b=string(2)))
    rows = stmt("Scan", source=2, key=3, value=4, block=body)
    written = plan(block(dot(0, 1, 2), rows), strings=("rows", "x"), entrypoint=ENTRYPOINT)
    return PlanEngine(bundle, written, **options)


def test_items_are_judged_within_the_steps_of_a_policy(bundle: Bundle) -> None:
    """Of all of a request together: a long list of items that do not matter costs no more than one that does."""
    engine = scanning(bundle, budget=60)

    few, many = ([{"x": at} for at in range(length)] for length in (5, 1000))
    said = [engine.evaluate_value(["p"], {"rows": rows})[0].failure for rows in (few, many, few)]

    assert [None, "timeout", None] == said


def test_judging_items_ends_with_the_deadline_of_a_request(bundle: Bundle) -> None:
    """Every policy has failed then, and nothing is remembered."""
    engine = scanning(bundle, deadline_ms=-1)

    said = engine.evaluate_value(["p", "p"], {"rows": [{"x": 1}, {"x": 2}]})

    assert ["timeout", "timeout"] == [one.failure for one in said]
    assert ({"p": {}}, [{}]) == (engine._said, [each._known for each in engine._slices._lists])


def test_what_is_remembered_is_bounded_by_the_size_of_inputs(bundle: Bundle) -> None:
    """Also where an input leaves nothing behind but judged items; what was seen before weighs nothing."""
    engine = scanning(bundle)

    def remembered(row: str, size: int) -> list[int]:
        engine.evaluate_value(["p"], {"rows": [{"x": row}]}, size=size)
        return [len(each) for each in (engine._said["p"], *[each._known for each in engine._slices._lists])]

    sizes = [remembered(row, MOST_BYTES // 2) for row in ("a", "a", "b", "c", "d")]

    assert [[1, 1], [1, 1], [1, 2], [0, 0], [1, 1]] == sizes


def test_a_document_that_is_no_json_is_a_failure(bundle: Bundle) -> None:
    """Nobody asks the policy."""
    engine = PlanEngine(bundle, plan(entrypoint=ENTRYPOINT))

    (said,) = engine.evaluate_now(["p"], b"{")

    assert "unsupported" == said.failure


async def test_it_is_an_engine(bundle: Bundle) -> None:
    """One contribution for each policy asked, in order."""
    engine = PlanEngine(bundle, plan(entrypoint=ENTRYPOINT))

    said = await engine.evaluate(["p", "p"], samples()[0], rows=1)
    await engine.close()

    assert ["p", "p"] == [one.policy for one in said]
