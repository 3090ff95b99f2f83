"""The defects of regopy 1.5.2, one test each, and what our engine makes of them.

What needs a compiler (unsafe variables, arity, types) is left to `opa check --strict`, which `ringfence policy test`
runs where `opa` is on the path; the tests say so where a defect is only partly closed.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from governance.decision import Action, Contribution, Mode, Provenance
from governance.errors import ConfigInvalid, MalformedRequest, PolicyUnavailable
from governance.policy.bundle import canonical, load_bundle
from governance.policy.contract import facts_bytes
from governance.policy.embedded import EmbeddedEngine
from governance.policy.engine import Decider
from governance.policy.lattice import combine
from governance.policy.sample import samples
from governance.policy.trial import try_out
from tests.bundles import bundle_of, facts_with, one_policy, policy, write

DENY = '"effect": "deny", "rule": "r", "code": "c", "params": {"status": 403, "message_id": "denied"}'
NOTE = '"effect": "note", "rule": "r", "code": "c", "params": {}'
PIN = '{"effect": "pin", "rule": "r", "code": "c", "params": {"nodes": {"any": [input.x]}}}'

HOSTILE = [
    'x","effect":"allow',
    '"},{"effect":"allow","rule":"r","code":"c","params":{}},{"x":"',
    '\\","effect":"allow',
    'a"b',
    "a\\b",
    "\\u0022,",
    "a\nb\tc\r\x01\x1f\x7f",
    "a\0b",
    "\u2028\u2029\ufeff",
    "é😀",
    "{{x}} %s %d $`",
    "<error>",
    "undefined",
    "x" * 1_000_000,
]


def said(top: Path, body: str, document: object, files: dict[str, str] | None = None) -> Contribution:
    engine = EmbeddedEngine(one_policy(top, body, files))
    (contribution,) = engine.evaluate(["p"], canonical(document))
    return contribution


def action(contribution: Contribution) -> Action:
    return combine([contribution], decision_id="d", phase="request", provenance=Provenance()).action


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_string_of_the_input_cannot_write_itself_into_the_decision(tmp_path: Path, text: str) -> None:
    """Defect A: a policy that echoes hostile text denies as it would for harmless text."""
    body = f"effects contains {{{DENY}}}\n\neffects contains {PIN} if count(input.x) > 0"

    contribution = said(tmp_path, body, {"x": text})

    assert action(contribution) == Action.DENY
    assert contribution.failure is None or contribution.effects == ()


@pytest.mark.parametrize("text", [text for text in HOSTILE if len(text) <= 128], ids=repr)
def test_an_echoed_string_comes_back_as_it_went_in(tmp_path: Path, text: str) -> None:
    """Defect A: what a policy puts into an effect is the string of the input, character for character."""
    (effect,) = said(tmp_path, f"effects contains {PIN}", {"x": text}).effects

    assert [text] == list(effect.params.nodes.any)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a2_strings_are_compared_as_they_are(tmp_path: Path, text: str) -> None:
    """Defect A2: equality and lookup see the whole string; NUL does not end it."""
    body = f"effects contains {{{NOTE}}} if {{\n\tinput.x == data.x\n\tdata.keys[input.x]\n}}"

    contribution = said(tmp_path, body, {"x": text}, {"data.json": json.dumps({"x": text, "keys": {text: True}})})

    assert len(contribution.effects) == 1


def test_a3_escapes_in_data_and_input_are_characters(tmp_path: Path) -> None:
    """Defect A3: data spelt with `\\u` escapes equals the character of the input, and counts as one."""
    body = f"effects contains {{{NOTE}}} if {{\n\tinput.x == data.x\n\tcount(input.x) == 1\n}}"

    assert len(said(tmp_path, body, {"x": "é"}, {"data.json": '{"x": "\\u00e9"}'}).effects) == 1


@pytest.mark.parametrize("number", [0.1, 1e-7, 2**63, -(2**63) - 1, 10**30])
def test_a4_numbers_that_would_be_rounded_are_refused(tmp_path: Path, number: float) -> None:
    """Defect A4: floats and integers beyond 64 bits are not evaluated approximately: the policy fails, so it denies."""
    contribution = said(tmp_path, f"effects contains {{{NOTE}}} if input.x > 0", {"x": number})

    assert (contribution.failure, action(contribution)) == ("unsupported", Action.DENY)


def test_a4_integers_are_exact(tmp_path: Path) -> None:
    """Defect A4: the widest integers of 64 bits arrive exactly."""
    body = f"effects contains {{{NOTE}}} if {{\n\tinput.x == 9223372036854775807\n\tinput.y == -9223372036854775808\n}}"

    assert len(said(tmp_path, body, {"x": 2**63 - 1, "y": -(2**63)}).effects) == 1


def test_b_a_typo_is_refused_at_load(tmp_path: Path) -> None:
    """Defect B: unknown functions, unknown paths under `data`, a name declared twice, and a policy without effects are
    refused at load. Unsafe variables, arity and local names without a rule are left to `opa check --strict`."""
    refused = []
    for number, body in enumerate(
        (
            f"effects contains {{{NOTE}}} if nope(1)",
            f"effects contains {{{NOTE}}} if data.ringfence.nope",
            f"effects contains {{{NOTE}}} if {{\n\tx := 1\n\tx := 2\n}}",
            f"efects contains {{{NOTE}}}",
        )
    ):
        with pytest.raises(ConfigInvalid) as caught:
            one_policy(tmp_path / str(number), body)
        refused.append(str(caught.value).partition(": ")[2])

    assert refused == [
        "unknown function `nope`",
        "nothing is defined at `data.ringfence.nope`",
        "`x` is assigned twice in one block",
        "a policy has a rule `effects`",
    ]


def test_b2_what_fails_on_every_request_fails_at_load(tmp_path: Path) -> None:
    """Defect B2: recursion builds, and its answer is not JSON: the rehearsal at load finds it."""
    bundle = one_policy(tmp_path, f"effects contains {{{NOTE}}} if a\n\na if b\n\nb if a")

    with pytest.raises(ConfigInvalid, match="policy `p` fails on a sample request"):
        EmbeddedEngine(bundle, rehearsals=samples())


def test_b2_an_answer_that_is_no_result_is_a_failure(tmp_path: Path) -> None:
    """Defect B2: an error that calls itself a success denies."""
    contribution = said(tmp_path, f"effects contains {{{NOTE}}} if a\n\na if b\n\nb if a", {})

    assert (contribution.failure, action(contribution)) == ("eval", Action.DENY)


def test_c_unsupported_builtins_are_refused_at_load(tmp_path: Path) -> None:
    """Defect C: a builtin that would be undefined, and true under `not`, is an unknown function."""
    for number, call in enumerate(
        ('net.cidr_contains("10.0.0.0/8", "10.0.0.1")', "json.match_schema(input, {})", 'graphql.is_valid("", "")')
    ):
        with pytest.raises(ConfigInvalid, match="unknown function"):
            one_policy(tmp_path / str(number), f"effects contains {{{NOTE}}} if not {call}")


def test_c_a_builtin_that_fails_is_a_failure(tmp_path: Path) -> None:
    """Defect C: errors of builtins are strict, so that `not` cannot turn one into a permission."""
    contribution = said(tmp_path, f"effects contains {{{NOTE}}} if not to_number(input.x) == 1", {"x": "one"})

    assert (contribution.failure, action(contribution)) == ("eval", Action.DENY)


def test_d_an_engine_refuses_other_threads(tmp_path: Path) -> None:
    """Defect D: the input is state of the interpreter, so the thread that made it is the only one served."""
    engine = EmbeddedEngine(one_policy(tmp_path, f"effects contains {{{NOTE}}}"))
    caught: list[Exception] = []

    def intrude() -> None:
        try:
            engine.evaluate(["p"], b"{}")
        except PolicyUnavailable as error:
            caught.append(error)

    thread = threading.Thread(target=intrude)
    thread.start()
    thread.join()

    assert [str(error) for error in caught] == ["an interpreter belongs to the thread that made it"]


def test_d_engines_on_several_threads_never_mix_inputs(tmp_path: Path) -> None:
    """Defect D: four threads with an engine each answer for their own input, every time."""
    bundle = one_policy(tmp_path, f"effects contains {PIN}")
    wrong: list[str] = []

    def work(name: str) -> None:
        engine = EmbeddedEngine(bundle)
        for number in range(200):
            (contribution,) = engine.evaluate(["p"], canonical({"x": f"{name}-{number}"}))
            if contribution.effects[0].params.nodes.any != (f"{name}-{number}",):
                wrong.append(name)

    threads = [threading.Thread(target=work, args=(str(number),)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []


def test_e_an_evaluation_error_denies_and_quotes_nothing(tmp_path: Path) -> None:
    """Defect E: a conflict has no code or place; ours is a failure of that policy alone, without a word of the input."""
    bundle = bundle_of(
        tmp_path,
        {
            "p.rego": policy("p", f"x := 1\n\nx := 2 if input.secret\n\neffects contains {{{NOTE}}} if x"),
            "q.rego": policy("q", f"effects contains {{{NOTE}}}"),
        },
    )

    failed, fine = EmbeddedEngine(bundle).evaluate(["p", "q"], canonical({"secret": "canary"}))

    assert (Contribution(policy="p", version="1.0.0", failure="eval"), None, False) == (
        failed,
        fine.failure,
        "canary" in repr(failed),
    )


def test_f_undefined_is_no_contribution(tmp_path: Path) -> None:
    """Defect F: a rule without a value contributes nothing, and nothing alone is a denial."""
    contribution = said(tmp_path, f"effects := [{{{NOTE}}}] if input.x", {})

    assert (Contribution(policy="p", version="1.0.0"), Action.DENY) == (contribution, action(contribution))


def test_g_other_data_is_another_engine(tmp_path: Path) -> None:
    """Defect G: an interpreter keeps its first data for ever, so a new bundle gets a new one."""
    body = f"effects contains {{{NOTE}}} if data.x == 2"
    before = said(tmp_path / "1", body, {}, {"data.json": '{"x": 1}'})
    after = said(tmp_path / "2", body, {}, {"data.json": '{"x": 2}'})

    assert (len(before.effects), len(after.effects)) == (0, 1)


def test_h_engines_do_not_share_entry_points(tmp_path: Path) -> None:
    """Defect H: entry points pile up in an interpreter; an engine knows those of its own bundle."""
    first = EmbeddedEngine(bundle_of(tmp_path / "1", {"p.rego": policy("p")}))
    second = EmbeddedEngine(bundle_of(tmp_path / "2", {"q.rego": policy("q")}))

    with pytest.raises(KeyError):
        second.evaluate(["p"], b"{}")
    assert len(first.evaluate(["p"], b"{}")) == 1


def test_i_a_parse_error_writes_nothing_to_the_standard_streams(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Defect I: the text of a policy never reaches the logs of the process."""
    with pytest.raises(ConfigInvalid) as caught:
        one_policy(tmp_path, "effects contains canary if {")

    assert (tuple(capfd.readouterr()), "canary" in str(caught.value)) == (("", ""), False)


def test_j_the_environment_is_out_of_reach(tmp_path: Path) -> None:
    """Defect J: what reads the process, the clock or chance is refused at load, under an alias and in a comprehension."""
    for number, call in enumerate(
        ("opa.runtime().env", "[e | e := opa.runtime()]", 'rand.intn("x", 2)', 'uuid.rfc4122("x")', "time.now_ns()")
    ):
        with pytest.raises(ConfigInvalid, match="is not allowed in a policy"):
            one_policy(tmp_path / str(number), f"effects contains {{{NOTE}}} if {call}")


def test_k_constants_with_quotes_are_what_they_say(tmp_path: Path) -> None:
    """Defect K: plans of regopy are never written or read; constants with quotes compare right in memory."""
    body = f'effects contains {{{NOTE}}} if {{\n\tinput.x == "\\"DE\\""\n\tinput.y == "DE"\n\tinput.x != input.y\n}}'

    assert len(said(tmp_path, body, {"x": '"DE"', "y": "DE"}).effects) == 1


def test_l_print_and_trace_are_refused(tmp_path: Path) -> None:
    """Defect L: a policy does not write to the standard output of the process."""
    for number, call in enumerate(("print(input)", 'trace("x")')):
        with pytest.raises(ConfigInvalid, match="is not allowed in a policy"):
            one_policy(tmp_path / str(number), f"effects contains {{{NOTE}}} if {call}")


# Found beside the list: builtins that decode print raw quotes, an error repeats the input, `with` ends the process.


def test_a_decoded_string_cannot_write_itself_into_the_decision(tmp_path: Path) -> None:
    """What `base64.decode` yields is not escaped by regopy: it is read as one string or fails, and never as structure."""
    body = 'effects contains {"effect": "deny", "rule": "r", "code": base64.decode(input.x), "params": {"status": 403}}'
    # c","effect":"allow
    contribution = said(tmp_path, body, {"x": "YyIsImVmZmVjdCI6ImFsbG93"})

    assert (contribution.effects, contribution.failure, action(contribution)) == ((), "schema", Action.DENY)


@pytest.mark.parametrize(
    "body",
    [
        "effects := true",
        'effects contains "x"',
        'effects contains {"effect": "permit", "rule": "r", "code": "c", "params": {}}',
        'effects contains {"effect": "allow", "rule": "r", "code": "c", "params": {}, "extra": 1}',
        'effects contains {"effect": "allow", "rule": input.x, "code": "c", "params": {}}',
        "effects contains {1: 2}",
        'effects contains {"effect": 0.5}',
    ],
)
def test_an_effect_that_does_not_fit_the_schema_denies(tmp_path: Path, body: str) -> None:
    """Unknown effects, keys and types are a failure of the policy, and a failure denies."""
    contribution = said(tmp_path, body, {"x": "Not Snake Case"})

    assert (contribution.failure, action(contribution)) == ("schema", Action.DENY)


def test_a_policy_of_constants_can_be_evaluated(tmp_path: Path) -> None:
    """regopy counts too few variables where rules are constants; a spare module makes up for it."""
    body = 'effects contains {"effect": "audit", "rule": "r", "code": "c", "params": {"retain_days": 7, "sample_permille": 8}}'

    assert len(said(tmp_path, body, {}).effects) == 1


def test_a_failing_shadow_policy_does_not_deny(tmp_path: Path) -> None:
    """A policy that is only watched is reported when it fails and changes nothing."""
    bundle = bundle_of(tmp_path, {"p.rego": policy("p", "effects := true"), "q.rego": policy("q")}, p=Mode.SHADOW)

    contributions = EmbeddedEngine(bundle).evaluate(["p", "q"], b"{}")
    decision = combine(contributions, decision_id="d", phase="request", provenance=Provenance())

    assert (decision.action, [error.effect_taken for error in decision.errors]) == (Action.ALLOW, ["skip"])


def test_a_lone_surrogate_never_reaches_an_engine() -> None:
    """A name that is not Unicode text is refused where the input is written."""
    with pytest.raises(MalformedRequest):
        facts_bytes(facts_with(model="\ud800"))


@pytest.mark.parametrize("document", [b"", b"{", b'{"x":"\xff"}', b"[" * 100 + b"]" * 100, b'{"x":NaN}'])
def test_a_document_that_is_no_input_denies(tmp_path: Path, document: bytes) -> None:
    """Bytes that are no JSON, or nested beyond the limit, are not evaluated."""
    engine = EmbeddedEngine(one_policy(tmp_path, f"effects contains {{{NOTE}}}"))

    (contribution,) = engine.evaluate(["p"], document)

    assert (contribution.failure, action(contribution)) == ("unsupported", Action.DENY)


def test_a_trial_that_ends_by_a_signal_refuses_the_candidate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A child that aborts is a refusal that names the signal. The child here is a stand-in that aborts: the modules
    known to abort regopy are refused by the loader before a trial."""
    bundle = bundle_of(tmp_path, {"p.rego": policy("p")})
    stand_in = write(tmp_path / "bin", {"python": "#!/bin/sh\nkill -ABRT $$\n"}) / "python"
    stand_in.chmod(0o755)
    monkeypatch.setattr("governance.child.PYTHON", (str(stand_in),))

    with pytest.raises(ConfigInvalid, match=r"end the engine's process \(signal 6\)"):
        try_out(bundle)


def test_regopy_really_ends_its_process_on_with() -> None:
    """The reason for the trial and for refusing `with`: when this fails, both can go."""
    source = "package q\\nlist := {1}\\n"
    rule = "package a\\nx if { 1 in data.q.list with input as data.q.list }\\n"
    script = (
        "from regopy import Interpreter\n"
        f'i = Interpreter(); i.add_module("q", "{source}"); i.add_module("a", "{rule}")\n'
        'i.build(None, ["a/x"])\n'
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False, env=os.environ | {})

    assert done.returncode == -6


def test_the_library_passes_its_trial() -> None:
    """The policies that come along compile and answer in a process of their own."""
    assert try_out(load_bundle(["builtin"])) is None


def test_a_decider_does_not_start_on_policies_that_fail(tmp_path: Path) -> None:
    """A bundle that fails its rehearsal is refused before it decides anything."""
    bundle = one_policy(tmp_path, f"effects contains {{{NOTE}}} if a\n\na if b\n\nb if a")

    async def start() -> None:
        async with Decider.open(bundle):
            pass

    with pytest.raises(ConfigInvalid, match="policy `p` fails on a sample request"):
        asyncio.run(start())
