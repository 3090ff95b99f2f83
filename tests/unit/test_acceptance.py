"""What a bundle from elsewhere has to pass: its checks and its own cases, in a process that ends with its time."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from governance.errors import ConfigInvalid
from governance.policy.bundle import load_bundle
from governance.policy.distribution import acceptance
from governance.policy.distribution.acceptance import Candidate, accept, examine, own_modules
from governance.policy.distribution.archive import pack, read_tree
from governance.policy.distribution.bundle_commands import build
from tests.bundles import policy, write

MANY = """\
effects contains {"effect": "deny", "rule": "many", "code": "many", "params": {}} if {
	input.request.messages > data.ringfence.params.p.most
}"""
GOOD = {
    "policies/p/policy.rego": policy("p", MANY),
    "policies/p/params.json": '{"most": 3}',
    "policies/p/policy_test.rego": """\
package ringfence.policy.p_test

cases := {"few": {"input": {"request": {"messages": 1}}, "rules": []}}
""",
    "policies/p/cases.yaml": """\
- name: more than allowed
  input: {request: {messages: 4}}
  effects: [deny/many]
- name: more than allowed here
  input: {request: {messages: 3}}
  params: {most: 2}
  effects: [deny/many]
""",
}


def archive(top: Path, **changes: str) -> Path:
    """The bundle GOOD with `changes` to the files of its policy, at a place as the store has it."""
    suffixes = {"policy": "policy.rego", "test": "policy_test.rego", "cases": "cases.yaml"}
    files = GOOD | {f"policies/p/{suffixes[name]}": text for name, text in changes.items()}
    path = top / "b.tar.gz"
    path.write_bytes(pack({name: text.encode() for name, text in files.items()}))
    return path


def examined(path: Path, *beside: str, engine: str = "embedded") -> str:
    """Why the bundle at `path` does not pass, without its place; empty where it does."""
    try:
        examine([*beside, str(path)], engine=engine, digest=load_bundle([*beside, str(path)]).digest)
    except ConfigInvalid as error:
        return str(error).replace(f"{path}/policies/p/", "").replace(f"{path}", "b")
    return ""


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ""),
        (
            {"cases": GOOD["policies/p/cases.yaml"].replace("messages: 4", "messages: 2")},
            "policy `p` fails its own case on embedded: `more than allowed` (policies/p/cases.yaml:1)",
        ),
        (
            {"cases": GOOD["policies/p/cases.yaml"].replace("most: 2", "most: 9")},
            "policy `p` fails its own case on embedded: `more than allowed here` (policies/p/cases.yaml:4)",
        ),
        (
            {"test": GOOD["policies/p/policy_test.rego"].replace('"messages": 1', '"messages": 5')},
            "policy `p` fails its own case on embedded: `few`",
        ),
        (
            {"test": 'package ringfence.policy.p_test\n\ncases := {"few": {"input": {}}}\n'},
            "a case of the policies is no case: `input`, `rules` and perhaps `effects`",
        ),
        ({"cases": "- name: x\n  effects: 3\n"}, "cases.yaml:1: case `x` has no list of `effects`; none is `[]`"),
    ],
)
def test_a_bundle_passes_with_its_own_cases_alone(tmp_path: Path, changes: dict[str, str], expected: str) -> None:
    """A refusal names the policy and the case, and nothing of its input."""
    assert expected == examined(archive(tmp_path, **changes))


def test_an_error_of_the_static_checks_refuses_and_a_warning_does_not(tmp_path: Path) -> None:
    """A misspelt field makes a rule that never applies; a policy without an owner is only untidy."""
    misspelt = MANY.replace("input.request.messages", "input.request.mesages")

    wrong = archive(tmp_path, policy=policy("p", misspelt), test="package ringfence.policy.p_test\n", cases="[]")

    assert "policy.rego:9: `input.request` has no `mesages` [unknown-input]" == examined(wrong)


def test_there_are_not_more_cases_than_can_be_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound is one of all cases together."""
    monkeypatch.setattr(acceptance, "MOST_CASES", 2)

    assert "more than 2 cases" == examined(archive(tmp_path))


def test_files_that_changed_meanwhile_do_not_pass(tmp_path: Path) -> None:
    """What is tested is what will be in force."""
    with pytest.raises(ConfigInvalid, match="the policies changed before they were tested"):
        examine([str(archive(tmp_path))], engine="embedded", digest="0" * 64)


def test_directories_beside_the_bundle_are_their_operators_business(tmp_path: Path) -> None:
    """Their cases are not run again: only what came from elsewhere has to pass."""
    failing = write(tmp_path / "own", {"q.rego": policy("q"), "cases.yaml": "- name: x\n  effects: []\n"})

    assert "" == examined(archive(tmp_path), str(failing))


@pytest.mark.opa
@pytest.mark.parametrize(
    ("messages", "expected"),
    [(4, ""), (2, "policy `p` fails its own case on plan: `more than allowed` (policies/p/cases.yaml:1)")],
)
def test_the_plan_that_a_bundle_carries_is_what_is_asked(tmp_path: Path, messages: int, expected: str) -> None:
    """It is what will decide; parameters of a row's own hold there too."""
    cases = GOOD["policies/p/cases.yaml"].replace("messages: 4", f"messages: {messages}")
    out = tmp_path / "built.tar.gz"
    build([read_tree(archive(tmp_path, cases=cases))], out, opa=shutil.which("opa"))

    assert expected == examined(out, engine="plan")


async def test_the_library_is_not_tested_again_unless_it_was_changed(tmp_path: Path) -> None:
    """Nothing of it has to pass, and no process is started; one other case, table or shared module, and something has."""
    out = tmp_path / "library.tar.gz"
    whole = build(["builtin"], out).bundle
    tree = read_tree(out)
    folder, shared = "policies/agents/machine_callers_level", "policies/lib/content.rego"
    modules = frozenset(name for name in tree.files if name.endswith(".rego") and not name.endswith("_test.rego"))

    def own(changed: str) -> frozenset[str]:
        return own_modules(replace(tree, files={**tree.files, changed: tree.files[changed] + b"\n"}), whole.data)

    tables = dict(whole.data["ringfence"]) | {"levels": {}}

    assert (frozenset(), frozenset({f"{folder}/policy.rego"}), modules, modules) == (
        own_modules(tree, whole.data),
        own(f"{folder}/cases.yaml"),
        own(shared),
        own_modules(tree, {"ringfence": tables}),
    )
    await accept(Candidate(tree=tree, bundle=whole, directories=(), engine="embedded"), seconds=0)


def candidate(path: Path) -> Candidate:
    return Candidate(tree=read_tree(path), bundle=load_bundle([path]), directories=(), engine="embedded")


async def test_what_passed_once_is_not_tested_again(tmp_path: Path) -> None:
    """A start from the bundle of before costs nothing; the same place with other files is another bundle."""
    path = archive(tmp_path)
    good = candidate(path)
    await accept(good)

    await accept(good, seconds=0)

    with pytest.raises(ConfigInvalid, match="`p` fails its own case"):
        await accept(candidate(archive(tmp_path, policy=policy("p", MANY.replace(">", "<")))))


async def test_tests_that_take_too_long_are_ended(tmp_path: Path) -> None:
    """The process is killed, and the bundle has not passed."""
    late = candidate(archive(tmp_path))

    with pytest.raises(ConfigInvalid, match=r"the tests of the policies take more than 0\.01 seconds"):
        await accept(late, seconds=0.01)
    with pytest.raises(ConfigInvalid, match="take more than"):
        await accept(late, seconds=0.01)


async def test_the_current_directory_holds_no_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file in the folder that one happens to be in is not run, whatever it is called."""
    good = candidate(archive(tmp_path))
    (tmp_path / "yaml.py").write_text("raise SystemExit('a foreign yaml')")
    monkeypatch.chdir(tmp_path)

    await accept(good)
