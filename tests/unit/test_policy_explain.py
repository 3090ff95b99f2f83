"""`ringfence explain`: the record is found, and the policies of now are asked about it again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from governance.audit.frame import pack
from governance.audit.journal import Limits
from governance.audit.reader import read
from governance.decision import Action
from governance.errors import AuditUnavailable
from governance.policy.bundle import Bundle, load_bundle
from governance.policy.impact.explain import (
    Difference,
    Explanation,
    explain,
    find_decision,
    told_by,
    why_lost,
)
from governance.policy.impact.explain_report import explain_command, tree
from governance.record import DecisionRecord, OutcomeRecord, OutcomeStatus
from governance.residency import Tier
from tests.builders import node
from tests.bundles import ALLOW, bundle_of, facts_with, metadata, policy
from tests.decided import decided, log, recorded, records_of

DENY = """
# METADATA
# description: What was found may not leave.
effects contains {
	"effect": "deny",
	"rule": "found",
	"code": "found",
	"params": {"status": %d},
} if count(input.classification.entities) > 0
"""
SECRET = {"API_KEY": (1000, True)}


@pytest.fixture(autouse=True)
def tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """The policies here are known to compile: no process of their own has to prove it first."""
    monkeypatch.setattr("governance.policy.impact.explain.try_out", lambda _: None)


def refusing(top: Path, *, status: int = 403, **files: str) -> Bundle:
    """A bundle whose policy `p` refuses whatever was found, with law and remedy."""
    head = metadata("p", references="[Law of Bern Art. 1]", remedy="Send less.")
    body = f"{head}\npackage ringfence.policy.p\n\n# METADATA\n# description: All.\neffects contains {ALLOW}\n{DENY % status}"
    return bundle_of(top, {"p.rego": body, **files})


def printed(explanation: Explanation) -> str:
    """The tree as a person sees it."""
    console = Console(width=200, record=True, file=open("/dev/null", "w"), color_system=None)  # noqa: PTH123, SIM115
    with console.file:
        console.print(tree(explanation))
    return console.export_text()


def test_a_decision_is_found_among_segments_and_logs(tmp_path: Path) -> None:
    """With its outcome, whichever worker wrote it."""
    bundle = refusing(tmp_path / "policies")
    first, second = records_of(bundle, facts_with(), facts_with(SECRET))
    outcome = OutcomeRecord(ref="d0", status=OutcomeStatus.SERVED, node="a", country="DE")
    log(tmp_path / "audit/w0", [first, outcome], origin="w0")
    log(tmp_path / "audit/w1", [second], origin="w1")

    found = find_decision(tmp_path / "audit", "d0")
    other = find_decision(tmp_path / "audit", "d1")

    assert ("d0", "served", "d1", "deny", None) == (
        found.decision["id"],
        (found.outcome or {})["status"],
        other.decision["id"],
        other.decision["action"],
        other.outcome,
    )


@pytest.mark.parametrize(("most", "said"), [(1 << 30, "no decision `none` in"), (0, "is not in the newest 0 bytes")])
def test_a_decision_that_is_not_there_is_an_error_that_says_so(tmp_path: Path, most: int, said: str) -> None:
    """Also where the search ended at its bound."""
    log(tmp_path, [])

    with pytest.raises(AuditUnavailable, match=said) as caught:
        find_decision(tmp_path, "none", most_bytes=most)
    assert caught.value.code == "decision_not_found"


def test_a_damaged_segment_is_not_taken_for_the_absence_of_a_decision(tmp_path: Path) -> None:
    """What cannot be read may hold it."""
    log(tmp_path, [])
    log(tmp_path, [])
    oldest = min((tmp_path / "wal").glob("*.seg"))
    raw = bytearray(oldest.read_bytes())
    raw[len(raw) // 2] ^= 1
    oldest.write_bytes(raw)

    with pytest.raises(AuditUnavailable) as caught:
        find_decision(tmp_path, "none")
    assert caught.value.code == "audit_corrupt"


def test_a_removed_beginning_is_not_taken_for_the_absence_of_a_decision(tmp_path: Path) -> None:
    """What was removed may have held it: the log says where it begins now, and finds what it still has."""
    bundle = refusing(tmp_path / "policies")
    first, second = records_of(bundle, facts_with(), facts_with(SECRET))
    # Each in a segment of its own.
    limits = Limits(segment_bytes=1, batch_bytes=1 << 16, reserve_bytes=64)
    audit = log(log(tmp_path / "audit", [first], limits=limits), [second], limits=limits)
    segments = sorted((audit / "wal").glob("*.seg"))
    with_first = next(name for name in segments if b'"id":"d0"' in name.read_bytes())
    kept = [name for name in segments if name > with_first]
    for name in segments[: -len(kept)]:
        name.unlink()

    with pytest.raises(
        AuditUnavailable, match=rf"records 0 to \d+ are missing before segment `{kept[0].name}`"
    ) as caught:
        find_decision(audit, first.id)
    assert ("audit_corrupt", second.id) == (caught.value.code, find_decision(audit, second.id).decision["id"])
    for name in kept:
        name.unlink()
    with pytest.raises(AuditUnavailable, match="there is no segment") as caught:
        find_decision(audit, second.id)
    assert caught.value.code == "audit_corrupt"


def test_a_frame_that_holds_no_record_is_damage(tmp_path: Path) -> None:
    """It names the decision, and nothing can be read of it."""
    log(tmp_path, [])
    (segment,) = (tmp_path / "wal").glob("*.seg")
    (*_, last) = read(tmp_path)
    segment.write_bytes(segment.read_bytes() + pack([(last["seq"] + 1, b"d0, not JSON")]))

    with pytest.raises(AuditUnavailable) as caught:
        find_decision(tmp_path, "d0")
    assert caught.value.code == "audit_corrupt"


def explained(top: Path, record: DecisionRecord, bundle: Bundle, **changes: Any) -> Explanation:
    """The explanation of `record`, read back from a log."""
    found = find_decision(log(top / "audit", [record]), record.id)
    return explain(found, bundle, engine="embedded", **changes)


def test_the_same_policies_say_the_same_again(tmp_path: Path) -> None:
    """Nothing differs, the digest is the recorded one, and the input is proven to be the one decided on."""
    bundle = refusing(tmp_path / "policies")
    (record,) = records_of(bundle, facts_with(SECRET))

    explanation = explained(tmp_path, record, bundle)

    assert ((), True, ("Send less.",), "") == (
        explanation.differences,
        explanation.same_policies,
        explanation.remedies,
        explanation.obstacle,
    )


def test_the_tree_names_rule_law_loss_and_remedy(tmp_path: Path) -> None:
    """And nothing that the policies do not need: counts, ids and closed words."""
    bundle = refusing(
        tmp_path / "policies",
        **{
            "quiet.rego": policy("quiet", "effects contains x if x := input.none"),
            "idle.rego": policy("idle", mode="off"),
        },
    )
    (record,) = records_of(bundle, facts_with(SECRET))

    text = printed(explained(tmp_path, record, bundle, nodes=[node("a"), node("b", country="US")]))

    for line in (
        "decision d0  deny 403 found",
        "API_KEY x1, up to 1000 permille in user",
        "+ p 1.0.0: deny found (rule found)",
        "What was found may not leave.",
        "The policy p",
        "law: Law of Bern Art. 1",
        "remedy: Send less.",
        "off: 1 more",
        "- p 1.0.0: allow all (rule all)",
        "lost: an allow opens the gate and cancels nothing",
        "nothing to say: quiet",
        "Send less.",
    ):
        assert line in text


def test_policies_that_changed_are_said_loudly_with_both_answers(tmp_path: Path) -> None:
    """The record keeps what was; the new policies say what would be."""
    (record,) = records_of(refusing(tmp_path / "old"), facts_with(SECRET))
    now = bundle_of(tmp_path / "new", {"p.rego": policy("p")})

    explanation = explained(tmp_path, record, now)

    assert (
        Difference(what="action", recorded="deny", now="allow"),
        Difference(what="code", recorded="found", now="none"),
        Difference(what="rules", recorded="p/found", now="p/all"),
        Difference(what="effects", recorded="deny", now="allow"),
    ) == explanation.differences
    assert "DECIDED OTHERWISE NOW: the policies have changed since" in printed(explanation)


def test_facts_that_were_tampered_with_are_noticed_by_their_digest(tmp_path: Path) -> None:
    """Under the same policies the digest of the projected input has to be the recorded one."""
    bundle = refusing(tmp_path / "policies")
    (record,) = records_of(bundle, facts_with(SECRET))

    explanation = explained(tmp_path, replace(record, facts=facts_with({"US_SSN": (1000, True)})), bundle)

    assert ["input"] == [one.what for one in explanation.differences]


def test_a_refusal_of_the_path_is_no_difference_of_policy(tmp_path: Path) -> None:
    """Policy allowed, no node could take it: the remedy is that of the refusal."""
    bundle = refusing(tmp_path / "policies")
    facts = facts_with()
    record = recorded(facts, decided(bundle, facts)[0], action=Action.DENY, code="placement_impossible", status=403)

    explanation = explained(tmp_path, record, bundle)

    assert ((), ("Remove personal data and anything but text, or choose another model.",)) == (
        explanation.differences,
        explanation.remedies,
    )


@pytest.mark.parametrize(
    ("changes", "obstacle"),
    [
        ({"facts": None}, "policy left the facts out of the record"),
        ({"facts": None, "policy": None}, "policy was not asked"),
    ],
)
def test_a_record_without_facts_is_shown_and_says_why_it_is_not_evaluated(
    tmp_path: Path, changes: dict[str, Any], obstacle: str
) -> None:
    """What the record holds is there all the same."""
    bundle = refusing(tmp_path / "policies")
    (record,) = records_of(bundle, facts_with(SECRET))

    explanation = explained(tmp_path, replace(record, **changes), bundle)

    assert (None, obstacle) == (explanation.decision, explanation.obstacle)
    assert f"not evaluated again: {obstacle}" in printed(explanation)


def test_each_node_is_answered_with_the_dimensions_that_keep_it_out(tmp_path: Path) -> None:
    """A pin to Germany on the premises admits one of four nodes."""
    pin = """effects contains {"effect": "pin", "rule": "here", "code": "here",
        "params": {"countries": {"any": ["DE"]}, "tiers": {"any": ["on_prem"]}}}"""
    bundle = bundle_of(tmp_path / "policies", {"p.rego": policy("p", f"effects contains {ALLOW}\n\n{pin}")})
    (record,) = records_of(bundle, facts_with(model="m"))
    fleet = [node("a"), node("b", "US"), node("c", "US", Tier.CLOUD), node("d", models=("other",))]

    explanation = explained(tmp_path, record, bundle, nodes=fleet)

    assert [("a", ()), ("b", ("countries",)), ("c", ("countries", "tiers")), ("d", ("model",))] == [
        (one.node.id, one.against) for one in explanation.nodes
    ]


def test_a_shadow_policy_is_shown_with_the_action_it_would_have_led_to(tmp_path: Path) -> None:
    """It shapes nothing and is no difference."""
    shadow = policy("s", DENY % 451, mode="shadow")
    bundle = bundle_of(tmp_path / "policies", {"p.rego": policy("p"), "s.rego": shadow})
    (record,) = records_of(bundle, facts_with(SECRET))

    text = printed(explained(tmp_path, record, bundle))

    assert "shadow policies would have led to: deny" in text
    assert "s 1.0.0: deny found (rule found)" in text


def test_every_refusal_has_its_remedy_and_the_winner_comes_first(tmp_path: Path) -> None:
    """Who removes one reason should not run into the next; a policy without a remedy has that of its code."""
    files = {"b.rego": policy("b", DENY % 451), "z.rego": policy("z", DENY.replace('"found"', '"card_found"') % 403)}
    bundle = refusing(tmp_path / "policies", **files)
    refused, allowed = records_of(bundle, facts_with(SECRET), facts_with())

    assert (
        "Ask your security team, naming the decision id.",
        "Send less.",
        "Remove the card data and try again.",
    ) == explained(tmp_path / "refused", refused, bundle).remedies
    assert () == explained(tmp_path / "allowed", allowed, bundle).remedies


def test_a_lost_refusal_names_the_one_that_came_first(tmp_path: Path) -> None:
    """The order of refusals and the policy that won."""
    bundle = refusing(tmp_path / "policies", **{"b.rego": policy("b", DENY % 451)})
    (decision,) = decided(bundle, facts_with(SECRET))
    lost = next(one for one in decision.reasons if one.policy == "p" and one.effect == "deny")

    assert why_lost(lost, decision).endswith("then the name of the policy (b/found)")


def test_every_rule_of_the_library_has_its_description() -> None:
    """The descriptions come from METADATA, without any table of ours."""
    told = told_by(load_bundle(["builtin"]))

    assert (
        told["payment_cards"].rules["replace_card"]
        == "The number becomes a placeholder everywhere (3.3.1, 3.4.1, 3.5.1)."
    )
    assert all(one.title for one in told.values())


@pytest.mark.parametrize(("decision_id", "code"), [("d0", 0), ("none", 1)])
def test_the_command_ends_by_what_it_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], decision_id: str, code: int
) -> None:
    """0 when the policies still say so, 1 when there is no such decision; JSON holds no facts."""
    refusing(tmp_path / "policies")
    bundle = load_bundle([tmp_path / "policies"])
    log(tmp_path / "audit", records_of(bundle, facts_with(SECRET)))

    found = explain_command(
        decision_id, tmp_path / "audit", [str(tmp_path / "policies")], engine="embedded", as_json=True
    )

    streams = capsys.readouterr()
    assert code == found
    if code == 0:
        said = json.loads(streams.out)
        assert (True, ["Send less."], False) == (
            said["policies"]["as_recorded"],
            said["remedies"],
            "facts" in said["record"],
        )
    else:
        assert "no decision `none`" in streams.err


def test_a_missing_log_is_wrong_use(tmp_path: Path) -> None:
    """Exit code 2."""
    assert 2 == explain_command("d0", tmp_path / "none")
