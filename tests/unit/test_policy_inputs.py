"""The finite vocabulary of inputs: what a bundle can tell apart, and the documents that are made of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from governance.decision import Mode
from governance.finding import DetectionStatus
from governance.policy.bundle import Bundle, load_bundle
from governance.policy.contract import facts_bytes, facts_from_bytes
from governance.policy.impact.covering import cover
from governance.policy.impact.vocabulary import vocabulary_of
from governance.residency import Level
from tests.bundles import ALLOW, bundle_of, one_policy, policy


def values_of(bundle: Bundle, name: str) -> tuple[Any, ...]:
    """The values of one axis; none where it does not vary."""
    return next((axis.values for axis in vocabulary_of([bundle]).axes if axis.name == name), ())


def test_vocabulary_holds_what_policies_compare_with(tmp_path: Path) -> None:
    """Names and both sides of each number come from policies and the data that they use; unread fields do not vary."""
    body = (
        f'effects contains {ALLOW} if {{\n\tinput.request.model == "large"\n\tinput.request.bytes < data.most\n'
        '\tinput.origin.jurisdiction != "NL"\n\tsome row in input.classification.entities\n\trow.type == "FR_NIR"\n'
        "\trow.max_permille > 650\n}"
    )
    bundle = one_policy(tmp_path, body, {"data.json": '{"most": 5000, "unused": "word"}'})

    assert ("sample", "large") == values_of(bundle, "request.model")
    assert {4999, 5000, 5001} <= set(values_of(bundle, "request.bytes"))
    assert {649, 650, 1000} <= set(values_of(bundle, "entity.permille"))
    assert {"unknown", "NL"} <= set(values_of(bundle, "origin.jurisdiction"))
    assert "FR_NIR" in {row[0] for row in values_of(bundle, "entity") if row}
    assert () == values_of(bundle, "request.provider") == values_of(bundle, "context.time.hour")


def test_policies_that_are_off_add_nothing_to_the_vocabulary(tmp_path: Path) -> None:
    """What only they read does not vary."""
    body = f'effects contains {ALLOW} if input.request.model == "large"'
    files = {"a.rego": policy("a"), "p.rego": policy("p", body)}

    assert () == values_of(bundle_of(tmp_path, files, p=Mode.OFF), "request.model")


def test_every_row_is_a_document_of_the_contract() -> None:
    """Each input that is tried could be sent to `ringfence decide`, with the rank and level that belong together."""
    vocabulary = vocabulary_of([load_bundle(["builtin"])])
    rows, _ = cover(vocabulary.sizes, budget=400, seed=2)
    for row in rows:
        facts = vocabulary.facts(row)
        found = facts.classification

        assert facts == facts_from_bytes(facts_bytes(facts))
        assert found.level.rank == found.level_rank
        assert (found.status is DetectionStatus.COMPLETE) or found.level is Level.UNKNOWN


def test_tenants_stand_for_both_sides_of_a_rollout(tmp_path: Path) -> None:
    """A policy in rollout is enforced in some inputs and a shadow in others."""
    bundle = bundle_of(tmp_path, {"p.rego": policy("p", rollout="{permille: 500, key: tenant}")})

    assert 2 == len(values_of(bundle, "principal.tenant"))
