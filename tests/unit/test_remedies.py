"""What the caller of a refused request is told to change: the words of the policies that refused it, or our own."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from governance import denial, errors
from governance.decision import (
    MOST_REMEDIES,
    AllowEffect,
    AnyOf,
    Contribution,
    Decision,
    Deny,
    DenyEffect,
    DenyParams,
    Effect,
    Mode,
    Pin,
    PinEffect,
    Provenance,
)
from governance.denial import MESSAGES, REMEDIES, Denial, of_code, of_decision, of_error, worded
from governance.dialects.contract import Limits
from governance.dialects.openai_chat import read_chat
from governance.dialects.routes import refusal
from governance.facts import Facts, Parse
from governance.policy.bundle import load_bundle
from governance.policy.engine import Decider
from governance.policy.lattice import combine
from governance.policy.remedies import remedies_of, with_remedies
from tests.bundles import facts_with

ID = "01890a5d-ac96-774b-bcce-b302099a8057"
OPEN = AllowEffect(effect="allow", rule="all", code="all")


def deny(code: str = "found", status: int = 403, message_id: str = "denied") -> DenyEffect:
    return DenyEffect(effect="deny", rule="r", code=code, params=DenyParams(status=status, message_id=message_id))


def pin(*countries: str) -> PinEffect:
    return PinEffect(effect="pin", rule="here", code="here", params=Pin(countries=AnyOf(any=countries)))


def decision(*said: tuple[str, Effect], modes: Mapping[str, Mode] | None = None, failed: str = "") -> Decision:
    """What these effects of these policies lead to, beside an allow of another."""
    contributions = [
        Contribution(policy=policy, version="1", mode=(modes or {}).get(policy, Mode.ENFORCE), effects=(effect,))
        for policy, effect in (("open", OPEN), *said)
    ]
    failures = [Contribution(policy=failed, version="1", failure="eval")] if failed else []
    return combine([*contributions, *failures], decision_id="d", phase="request", provenance=Provenance())


def told(decided: Decision, remedies: Mapping[str, str]) -> tuple[str, ...]:
    """The remedies of a decision that denies."""
    found = with_remedies(decided, remedies).deny
    assert found is not None
    return found.remedies


def test_the_policy_that_wins_speaks_first_and_the_others_after_it() -> None:
    """Who removes one reason should not run into the next."""
    decided = decision(("a", deny(status=403)), ("b", deny(status=451)), ("c", deny(status=503)))

    assert ("Leave b.", "Leave a.", "Leave c.") == told(decided, {one: f"Leave {one}." for one in "abc"})


def test_there_are_few_and_none_twice() -> None:
    """Three sentences are read, ten are not."""
    decided = decision(*((name, deny()) for name in "abcdefg"))

    same = told(decided, dict.fromkeys("abcdefg", "Send less."))
    many = told(decided, {name: f"Leave {name}." for name in "abcdefg"})

    assert (("Send less.",), ("Leave a.", "Leave b.", "Leave c."), 3) == (same, many, MOST_REMEDIES)


def test_a_policy_without_a_remedy_has_that_of_its_message() -> None:
    """A message of its own that nobody knows ends with whom to ask; of a refusal that lost only a known code counts."""
    known = decision(("a", deny(message_id="card_found")))
    unknown = decision(("a", deny(message_id="house_rule")), ("b", deny("house_rule")), ("c", deny("card_found")))

    assert (REMEDIES["card_found"],) == told(known, {})
    assert (REMEDIES["denied"], REMEDIES["card_found"]) == told(unknown, {})


@pytest.mark.parametrize("mode", [Mode.SHADOW, Mode.WARN])
def test_a_policy_that_is_not_enforced_is_not_heard(mode: Mode) -> None:
    """What it would say is no reason of this refusal."""
    decided = decision(("a", deny()), ("b", deny()), modes={"b": mode})

    assert ("Leave a.",) == told(decided, {"a": "Leave a.", "b": "Leave b."})


def test_pins_that_exclude_each_other_are_explained_by_their_policies() -> None:
    """No policy refused; those whose pins leave no node say what would help."""
    decided = decision(("a", pin("DE")), ("b", pin("US")), ("c", deny("x", status=503)))

    assert (REMEDIES["placement_impossible"], "Leave a.", "Leave b.") == told(
        decided, {"a": "Leave a.", "b": "Leave b.", "c": "Leave c."}
    )


def test_a_policy_that_failed_has_our_words() -> None:
    """Its remedy is about requests, not about its fault; beside a real refusal it says nothing."""
    alone = decision(failed="p")
    beside = decision(("a", deny()), failed="p")

    assert (REMEDIES["policy_error"],) == told(alone, {"p": "Leave p."})
    assert ("Leave a.",) == told(beside, {"a": "Leave a.", "p": "Leave p."})


def test_without_an_allow_the_caller_is_told_whom_to_ask() -> None:
    """The refusal of the gate is in the name of no policy."""
    nothing = combine([], decision_id="d", phase="request", provenance=Provenance())

    assert (REMEDIES["no_policy_allows"],) == told(nothing, {"": "Never."})


def test_a_decision_that_does_not_deny_is_left_as_it_is() -> None:
    """Not even copied."""
    allowed = decision(("a", pin("DE")))

    assert with_remedies(allowed, {"a": "Leave a."}) is allowed


# --- what is told ------------------------------------------------------------------------------------------------------


def test_every_message_has_its_remedy() -> None:
    """Whatever code a caller sees, something can be done; both are sentences of one printable line."""
    sentences = (*MESSAGES.values(), *REMEDIES.values())

    assert MESSAGES.keys() == REMEDIES.keys()
    assert [] == [one for one in sentences if not one.isprintable() or not one.endswith(".") or len(one) > 300]
    assert [] == [one for one in REMEDIES.values() if "{" in one]


ERRORS = (
    ValueError("anna@example.com"),
    errors.MalformedRequest("x", code="duplicate_key"),
    errors.UnsupportedOperation(),
    errors.UnsupportedOperation("x", code="upgrade_refused"),
    errors.RequestTooLarge(limit=7),
    errors.DetectorUnavailable(),
    errors.PolicyUnavailable(),
    errors.PolicyResultInvalid(),
    errors.PlacementUnavailable(retry_after_s=3),
    errors.AuditUnavailable(),
)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: f"{type(error).__name__}-{getattr(error, 'code', '')}")
def test_a_refusal_for_an_error_says_what_to_do(error: Exception) -> None:
    """With the words of its code, whoever raised it."""
    found = of_error(error)

    assert (MESSAGES[found.code].format(limit=7, why=""), (REMEDIES[found.code],)) == (found.message, found.remedies)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b'{"model": "m"}', "body has no list of messages"),
        (b'{"model": "m", "messages": "hi"}', "body has no list of messages"),
        (b'{"model": "m", "messages": [], "stream": "yes"}', "`stream` is not a flag"),
        (b"[]", "body is not an object"),
        (b'{"model": "m"', "body is not JSON: not one value"),
        (b"\xff", "body is not UTF-8"),
    ],
)
def test_a_body_that_cannot_be_read_is_told_why(body: bytes, why: str) -> None:
    """What is valid JSON is not called anything else."""
    with pytest.raises(errors.MalformedRequest) as caught:
        read_chat(body, Limits())

    assert f"The request body cannot be read: {why}." == of_error(caught.value).message


def test_a_refusal_of_policy_has_its_remedies_and_else_our_own() -> None:
    """Also where no bundle was asked, as for a model that no node serves."""
    plain = Deny(status=404, code="model_not_found", message_id="model_not_found", policy="")
    own = Deny(status=403, code="found", message_id="house_rule", policy="p", remedies=("Send less.",))

    assert of_code(404, "model_not_found") == of_decision(plain)
    assert Denial(
        status=403, code="found", message=MESSAGES["denied"], policy="p", remedies=("Send less.",)
    ) == of_decision(own)


def test_what_is_told_is_one_line_with_the_decision_id_before_the_remedies() -> None:
    """Some clients show the message and nothing else; a remedy without a final stop gets one."""
    said = Denial(status=403, code="c", message="No.", remedies=("Send less", "Why?"))

    assert f"No. Decision id: {ID}. Send less. Why?" == worded(said, ID)


@pytest.mark.parametrize("remedy", ['Say "no"', 'x"}}\\', "{}", "</script>", "%REQ(authorization)%", "Größe — 例"])
def test_no_remedy_breaks_the_frame_of_a_refusal(remedy: str) -> None:
    """It arrives as it was written, in one line of JSON that an event of a stream could hold."""
    reply = refusal(None, Denial(status=403, code="c", message="No.", remedies=(remedy,)), ID)

    assert f"No. Decision id: {ID}. {remedy}." == json.loads(reply.body)["error"]["message"]
    assert b"\n" not in reply.body + repr(reply.headers).encode()


# --- the library -------------------------------------------------------------------------------------------------------


LIBRARY = load_bundle(["builtin"])
REFUSED: dict[str, Facts] = {
    "credentials": facts_with({"API_KEY": (1000, True)}),
    "uninspected_content": facts_with(parse=Parse(status="failed")),
}


@pytest.mark.parametrize("policy", REFUSED)
async def test_a_refusal_of_the_library_carries_the_remedy_of_its_policy(policy: str) -> None:
    """Also when it was decided before: a kept decision has it too."""
    (wanted,) = (one.remedy for one in LIBRARY.policies if one.id == policy)
    async with Decider.open(LIBRARY, "embedded", trial=lambda _: None) as decider:
        first = await decider.decide(REFUSED[policy], decision_id="d")
        second = await decider.decide(REFUSED[policy], decision_id="e")

    assert first.deny is not None
    assert second.deny is not None
    assert (policy, wanted, True) == (first.deny.policy, first.deny.remedies[0], second.provenance.cached)
    assert first.deny == second.deny
    assert wanted in denial.worded(of_decision(first.deny), ID)


def test_remedies_of_the_library_are_sentences() -> None:
    """Each ends with a stop and holds only one; the policy that only allows has none."""
    remedies = remedies_of(LIBRARY.policies)

    assert [] == [id_ for id_, one in remedies.items() if one[-1] != "." or ". " in one or one[0] != one[0].upper()]
    assert {one.id for one in LIBRARY.policies} - remedies.keys() <= {"baseline", "payment_cards"}
