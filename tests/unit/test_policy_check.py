"""`ringfence policy check`: each rule finds what it names, and nothing in the library."""

from __future__ import annotations

import contextlib
import json
import shutil
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.errors import ConfigInvalid
from governance.policy.authoring.check import check_command, check_policies
from governance.policy.authoring.checks_finding import Severity
from governance.policy.authoring.cursor import UnreadError
from governance.policy.authoring.parse import rules_of
from tests.bundles import ALLOW, write

HEAD = """\
# METADATA
# title: The policy p
# custom:
#   id: p
#   version: "1"
#   owner: security
#   severity: high
#   references: [the house]
#   remedy: Send less.
package ringfence.policy.p

"""
FIRST = HEAD.count("\n") + 1
CASES = "- name: all\n  effects: [allow/all]\n"
SAY = f"effects contains {ALLOW} if "


@pytest.fixture(autouse=True)
def without_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither OPA nor Regal is there unless a test brings one."""
    monkeypatch.setenv("PATH", "")


def found(top: Path, body: str, head: str = HEAD, files: dict[str, str] | None = None) -> list[tuple[int, str]]:
    """Line within the body, and rule, of each finding in a policy; `load` is left out beside another."""
    write(top, {"policy.rego": head + body + "\n", "cases.yaml": CASES, **(files or {})})
    findings = [one for one in check_policies([str(top)]).findings if one.file.endswith("policy.rego")]
    return [(one.line - FIRST + 1, one.rule) for one in findings]


BAD = {
    "a variable that nothing binds": (SAY + "count(x) > 0", [(1, "unsafe-variable")]),
    "a negated variable that nothing binds": (SAY + "not input.request.stream == x", [(1, "unsafe-variable")]),
    "a variable that only a negation mentions": (
        SAY + "{\n\tnot input.request.tools[i]\n}",
        [(2, "unsafe-variable")],
    ),
    "a variable of another scope": (
        SAY + "{\n\tcount([y | some y in input.request.tools]) > 0\n\ty == 1\n}",
        [(3, "unsafe-variable")],
    ),
    "a rule that is not there": (SAY + "_certian\n\n_certain if input.request.stream", [(1, "unsafe-variable"), (3, "unused-rule")]),
    "a misspelt variable in brackets": (
        SAY + "{\n\tsome tool in input.request.tools\n\tdata.t[toll] == tool\n}",
        [(3, "undeclared-variable")],
    ),
    "a key that one of two bodies does not bind": (
        "p contains x if { x := 1 } { y := 2; y > 1 }\n\n" + SAY + "1 in p",
        [(1, "unsafe-variable")],
    ),
    "a variable that is never used": (SAY + "{\n\tx := 1\n\tinput.request.stream\n}", [(2, "unused-variable")]),
    "a key that is never used": (
        SAY + '{\n\tsome k, v in input.principal.attributes\n\tv == "a"\n}',
        [(2, "unused-variable")],
    ),
    "an argument that is never used": (SAY + "_f(1)\n\n_f(x) if input.request.stream", [(3, "unused-variable")]),
    "an import that is never used": ("import data.t\n\n" + SAY + "input.request.stream", [(1, "unused-import")]),
    "a rule that is never used": (SAY + "input.request.stream\n\n_x if input.request.stream", [(3, "unused-rule")]),
    "a function that is not there": (SAY + "cuont(input.request.tools) > 0", [(1, "unknown-function")]),
    "a misspelt own function": (SAY + "_g(1)\n\n_f(x) if x > 0", [(1, "unknown-function"), (3, "unused-rule")]),
    "too many arguments": (SAY + "_f(1, 2, 3)\n\n_f(x) if x > 0", [(1, "arity")]),
    "too few arguments": (SAY + "_f()\n\n_f(x) if x > 0", [(1, "arity")]),
    "a call of what is no function": (SAY + "_f(1)\n\n_f if input.request.stream", [(1, "arity")]),
    "a request to the network": (SAY + "http.send({}).status_code == 200", [(1, "forbidden-builtin")]),
    "the clock": (SAY + "time.now_ns() > 0", [(1, "forbidden-builtin")]),
    "chance": (SAY + 'rand.intn("a", 2) == 1', [(1, "forbidden-builtin")]),
    "the environment": (SAY + "opa.runtime().env", [(1, "forbidden-builtin")]),
    "a builtin of OPA alone": (SAY + 'net.cidr_contains("10.0.0.0/8", "10.0.0.1")', [(1, "unsupported-builtin")]),
    "a document that is not there": (SAY + "data.nothing.here", [(1, "unknown-reference")]),
    "a part of the data that is not there": (SAY + "data.t.b", [(1, "unknown-reference")]),
    "a path that the input has not": (SAY + 'input.request.modell == "m"', [(1, "unknown-input")]),
    "a path below a list": (SAY + 'input.classification.entities.type == "A"', [(1, "unknown-input")]),
    "a field that a row has not": (
        SAY + "{\n\tsome entity in input.classification.entities\n\tentity.score > 1\n}",
        [(3, "unknown-input")],
    ),
    "a field that an assigned part has not": (
        SAY + "{\n\trequest := input.request\n\trequest.size > 1\n}",
        [(3, "unknown-input")],
    ),
    "a field that an imported part has not": (
        "import input.request\n\n" + SAY + "request.size > 1",
        [(3, "unknown-input")],
    ),
    "a word that never occurs": (SAY + 'input.request.operation == "images"', [(1, "impossible-value")]),
    "a word in a set that never occurs": (SAY + 'input.classification.level in {"secret"}', [(1, "impossible-value")]),
    "a word for a number": (SAY + 'input.classification.level_rank == "3"', [(1, "impossible-value")]),
    "an effect that is not there": ('effects contains {"effect": "permit", "rule": "a", "code": "a"}', [(1, "effect-schema")]),
    "a key that an effect has not": (
        'effects contains {"effect": "allow", "rule": "a", "code": "a", "parms": {}}',
        [(1, "effect-schema")],
    ),
    "a parameter that an effect has not": (
        'effects contains {\n\t"effect": "pin",\n\t"rule": "a",\n\t"code": "a",\n\t"params": {"country": {"any": ["DE"]}},\n}',
        [(5, "effect-schema")],
    ),
    "an operator that is not there": (
        'effects contains {\n\t"effect": "redact",\n\t"rule": "a",\n\t"code": "a",\n\t"params": {"entity": "A", "operator": "shred"},\n}',
        [(5, "effect-schema")],
    ),
    "a tier that is not there": (
        'effects contains {"effect": "pin", "rule": "a", "code": "a", "params": {"tiers": {"any": ["moon"]}}}',
        [(1, "effect-schema")],
    ),
    "a record that holds content": (
        'effects contains {"effect": "audit", "rule": "a", "code": "a", "params": {"level": "full_redacted"}}',
        [(1, "effect-schema")],
    ),
    "a status that is none": (
        'effects contains {"effect": "deny", "rule": "a", "code": "a", "params": {"status": 200}}',
        [(1, "effect-schema")],
    ),
    "a list that is none": (
        'effects contains {"effect": "pin", "rule": "a", "code": "a", "params": {"tiers": {"any": "device"}}}',
        [(1, "effect-schema")],
    ),
    "a code with capitals": ('effects contains {"effect": "allow", "rule": "a", "code": "Oh No"}', [(1, "effect-schema")]),
    "an effect without a rule": ('effects contains {"effect": "allow", "code": "a"}', [(1, "effect-schema")]),
    "a denial without a code": ('effects contains {"effect": "deny", "rule": "a"}', [(1, "deny-code")]),
    "a model in a code": (
        'effects contains {"effect": "note", "rule": "a", "code": input.request.model, "params": {}}',
        [(1, "input-echo")],
    ),
    "a purpose in a message": (
        ('effects contains {\n\t"effect": "deny",\n\t"rule": "a",\n\t"code": "a",\n'
        '\t"params": {"message_params": {"why": sprintf("%s", [input.request.purpose])}},\n}'),
        [(5, "input-echo")],
    ),
    "an entity type in a header": (
        ('effects contains {"effect": "header", "rule": "a", "code": "a", "params": {"set": {"x-a": entity.type}}} if {\n'
        "\tsome entity in input.classification.entities\n}"),
        [(1, "input-echo")],
    ),
    "a group in a pin": (
        'effects contains {"effect": "pin", "rule": "a", "code": "a", "params": {"regions": {"any": [g | some g in input.principal.groups]}}}',
        [(1, "input-echo")],
    ),
    "a list inside a list": (
        SAY + "{\n\tsome entity in input.classification.entities\n\tsome tool in input.request.tools\n\tentity.type == tool\n}",
        [(3, "nested-iteration")],
    ),
    "a list inside a comprehension inside a list": (
        SAY + "{\n\tsome entity in input.classification.entities\n"
        "\tcount([tool | some tool in input.request.tools; tool == entity.type]) > 0\n}",
        [(3, "nested-iteration")],
    ),
    "a name declared twice": (SAY + "{\n\tx := 1\n\tx := 2\n}", [(3, "load")]),
    "a bracket that is not closed": (SAY + "count(input.request.tools > 0", [(1, "load"), (1, "not-understood")]),
}  # fmt: skip


@pytest.mark.parametrize(("body", "expected"), BAD.values(), ids=BAD)
def test_a_fault_is_found_on_its_line(tmp_path: Path, body: str, expected: list[tuple[int, str]]) -> None:
    """One fault, its line and its rule, and nothing else."""
    rules = [
        one
        for one in found(tmp_path, body, files={"data.json": '{"t": {"a": "b"}}'})
        if one[1] != "load" or one in expected
    ]

    assert sorted(expected) == sorted(rules)


GOOD = {
    "every form of a binding": """\
effects contains {"effect": "note", "rule": "a", "code": "a", "params": {}} if {
	[first, _] := split("a,b", ",")
	{"k": held} = {"k": 1}
	some index, tool in input.request.tools
	index == held
	some name
	data.t[name] == first
	every role in ["user"] { role != tool }
	walk(data.t, [_, value])
	value == name
	found := {k: v | some k, v in input.principal.attributes}
	count(found) > 0
	_f(1, result)
	result == 2
	input.request.tools[_] == tool
}

_f(x) := y if y := x + 1

_f(x) := 0 if {
	x < 0
} else := 3 if x == 5
""",
    "an input field in an effect": """\
effects contains {"effect": "redact", "rule": "a", "code": "a", "params": {"entity": e.type, "operator": "mask"}} if {
	some e in input.classification.entities
	e.where[_] == "user"
}
effects contains {"effect": "pin", "rule": "b", "code": "b", "params": {"countries": {"any": [input.origin.jurisdiction]}}}
effects contains {"effect": "deny", "rule": "c", "code": _codes[input.classification.level], "params": {}}

_codes := {"public": "a", "unknown": "b"}
""",
    "an effect that is put together": """\
effects contains effect if {
	some tool, params in data.t
	effect := {"effect": "note", "rule": "a", "code": concat("_", ["a", tool]), params: {}}
}
""",
    "attributes of the caller": "effects contains " + ALLOW + ' if input.principal.attributes.team == "a"',
    "parts that are not always there": "effects contains " + ALLOW + ' if input.response.tier == "device"',
}


@pytest.mark.parametrize("body", GOOD.values(), ids=GOOD)
def test_what_is_right_is_left_alone(tmp_path: Path, body: str) -> None:
    """No finding but the nesting that the first body has."""
    rules = found(tmp_path, body, files={"data.json": '{"t": {"a": "b"}}'})

    assert [] == [rule for rule in rules if rule[1] not in {"nested-iteration", "load"}]


# By the key that is at fault: the effect, its parameters, and what to write instead.
UNSUPPORTED = {
    "route.params.model": ("route", '{\n"model": input.request.model}', "an effect without it"),
    "route.params.provider": ("route", '{\n"provider": "p"}', "an effect without it"),
    "route.params.max_tokens": ("route", '{"tools_allowed": [],\n"max_tokens": 5}', "an effect without it"),
    "route.params.temperature_max": ("route", '{\n"temperature_max": 500}', "an effect without it"),
    "respond.params.inspect": ("respond", '{\n"inspect": "stream"}', "`none`"),
    "redact.params.operator": (
        "redact",
        '{"entity": "A",\n"operator": "tokenise"}',
        "one of `block`, `keep`, `keep_last`, `mask`, `pseudonymise`, `remove`, `replace`",
    ),
    "redact.params.apply": ("redact", '{"entity": "A", "operator": "mask",\n"apply": "log"}', "`request`"),
    "redact.params.params.key_id": (
        "redact",
        '{"entity": "A", "operator": "pseudonymise", "params": {\n"key_id": "k"}}',
        "an effect without it",
    ),
    "redact.params.params.format": (
        "redact",
        '{"entity": "A", "operator": "mask", "params": {\n"format": "f"}}',
        "an effect without it",
    ),
    "header.params.set.host": ("header", '{"set": {\n"host": "a"}}', "an effect without it"),
    "header.params.remove": ("header", '{\n"remove": ["Content-Type"]}', "an effect without it"),
}


def effect(kind: str, params: str) -> str:
    """A rule whose effect has its parameters on its first line."""
    return f'effects contains {{"effect": "{kind}", "rule": "a", "code": "a", "params": {params}}}'


@pytest.mark.parametrize(("place", "said"), UNSUPPORTED.items(), ids=UNSUPPORTED)
def test_an_effect_that_cannot_be_carried_out_is_a_warning(
    tmp_path: Path, place: str, said: tuple[str, str, str]
) -> None:
    """It is right Rego and refuses each request, so its author is told: where, what, and what to write instead."""
    kind, params, instead = said
    write(tmp_path, {"policy.rego": HEAD + effect(kind, params) + "\n", "cases.yaml": CASES})

    (one,) = [one for one in check_policies([str(tmp_path)]).findings if one.rule == "unsupported-effect"]
    assert (FIRST + 1, Severity.WARNING, instead) == (one.line, one.severity, one.instead)
    assert f"`{place}`" in one.message


@pytest.mark.parametrize(
    ("kind", "params"),
    [
        ("route", '{"priority": 1, "tools_allowed": ["a"], "model": null}'),
        ("respond", '{"inspect": "none", "entities": ["A"]}'),
        (
            "redact",
            '{"entity": "A", "operator": "keep_last", "params": {"last": 2, "key_id": null}, "where": ["user"]}',
        ),
        ("redact", '{"entity": "A", "operator": _operators[input.classification.level]}'),
        ("header", '{"set": {"x-team": "a"}, "remove": ["user-agent"]}'),
    ],
)
def test_what_can_be_carried_out_is_no_warning(tmp_path: Path, kind: str, params: str) -> None:
    """Neither what is built nor what is computed."""
    body = effect(kind, params) + '\n\n_operators := {"public": "mask"}'

    assert "unsupported-effect" not in {rule for _, rule in found(tmp_path, body)}


@pytest.mark.parametrize(
    ("phases", "warned"), [("[request]", []), ("[request, response]", [9]), ("[response, stream]", [9, 9])]
)
def test_a_phase_in_which_nobody_asks_is_a_warning(tmp_path: Path, phases: str, warned: list[int]) -> None:
    """Such a policy is right and says nothing, so that its author is told on the line of its phases."""
    head = HEAD.replace("package", f"#   phases: {phases}\npackage")
    write(tmp_path, {"policy.rego": f"{head}effects contains {ALLOW}\n", "cases.yaml": CASES})

    findings = check_policies([str(tmp_path)]).findings
    assert warned == [one.line - 1 for one in findings if one.rule == "unsupported-phase"]


def test_the_guide_names_what_cannot_be_carried_out() -> None:
    """An author reads of each such key before writing it."""
    guide = (Path(__file__).parents[2] / "docs/policy-guide.md").read_text()
    rows = [line.split("|") for line in guide.splitlines() if line.startswith("| `")]
    named = {row[1].strip(" `"): row[3] for row in rows}

    for place in UNSUPPORTED:
        kind, *keys = [key for key in place.split(".") if key != "params"]
        assert f"`{keys[0]}`" in named[kind], place


def test_what_a_broken_module_defines_is_not_missed_elsewhere(tmp_path: Path) -> None:
    """One mistake is one error, wherever the others refer to the module."""
    used = f"effects contains {ALLOW} if data.ringfence.lib.shared.open\n"
    write(
        tmp_path,
        {"a.rego": HEAD + used, "cases.yaml": CASES, "lib.rego": "package ringfence.lib.shared\n\nopen if {\n"},
    )

    errors = [one for one in check_policies([str(tmp_path)]).findings if one.severity is Severity.ERROR]

    assert [("lib.rego", 3, "load")] == [(Path(one.file).name, one.line, one.rule) for one in errors]


def test_the_library_has_no_finding() -> None:
    """Neither an error nor a warning in a policy or a test that comes with Ringfence."""
    assert [] == [f"{one.file}:{one.line} {one.rule}" for one in check_policies(["builtin"]).findings]


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("#   owner: security\n", "metadata-missing"),
        ("#   severity: high\n", "metadata-missing"),
        ("#   references: [the house]\n", "metadata-missing"),
        ("#   id: p\n", "metadata-missing"),
        ('#   version: "1"\n', "metadata-missing"),
        ("# title: The policy p\n", "metadata-missing"),
    ],
)
def test_a_field_that_is_missing_is_named(tmp_path: Path, line: str, rule: str) -> None:
    """Each expected line of the METADATA is asked for."""
    write(tmp_path, {"policy.rego": HEAD.replace(line, "") + f"effects contains {ALLOW}\n", "cases.yaml": CASES})

    assert [rule] == [one.rule for one in check_policies([str(tmp_path)]).findings if one.rule != "load"]


@pytest.mark.parametrize(
    ("old", "new", "rule", "instead"),
    [
        ("severity: high", "severity: huge", "metadata-value", "`severity: high`"),
        ("owner: security", "owner: security\n#   mod: shadow", "metadata-unknown", "`mode`"),
        ("owner: security", "owner: security\n#   mode: shade", "metadata-value", "`shadow`"),
    ],
)
def test_a_field_that_means_nothing_is_told(tmp_path: Path, old: str, new: str, rule: str, instead: str) -> None:
    """A misspelt field would otherwise do nothing in silence; what to write is said."""
    write(tmp_path, {"policy.rego": HEAD.replace(old, new) + f"effects contains {ALLOW}\n", "cases.yaml": CASES})

    (one,) = [one for one in check_policies([str(tmp_path)]).findings if one.rule != "load"]
    assert (one.rule, one.instead[: len(instead)]) == (rule, instead)


REMEDY = "#   remedy: Send less.\n"
DENY = 'effects contains {"effect": "deny", "rule": "a", "code": _codes[input.classification.level], "params": {}}\n'


@pytest.mark.parametrize(
    ("remedy", "body", "expected"),
    [
        ("", DENY, [(3, "metadata-missing", Severity.WARNING)]),
        ('#   remedy: " "\n', DENY, [(3, "metadata-missing", Severity.WARNING)]),
        ("", f"effects contains {ALLOW}\n", []),
        (REMEDY, DENY, []),
        ('#   remedy: "Send less.\\nNothing."\n', DENY, [(9, "metadata-value", Severity.ERROR)]),
        (f"#   remedy: {'x' * 301}\n", f"effects contains {ALLOW}\n", [(9, "metadata-value", Severity.ERROR)]),
        ("#   remedy: 7\n", DENY, [(9, "metadata-value", Severity.ERROR)]),
    ],
)
def test_a_policy_that_refuses_says_what_to_change(
    tmp_path: Path, remedy: str, body: str, expected: list[tuple[int, str, Severity]]
) -> None:
    """Once, on its line, with what to write instead; a computed code hides no refusal."""
    codes = '\n_codes := {"public": "a", "unknown": "b"}\n' if body == DENY else ""
    write(tmp_path, {"policy.rego": HEAD.replace(REMEDY, remedy) + body + codes, "cases.yaml": CASES})

    findings = check_policies([str(tmp_path)]).findings

    assert expected == [(one.line, one.rule, one.severity) for one in findings]
    assert all("one sentence, one line, at most 300 characters" in one.instead for one in findings)


def test_a_refusal_in_another_module_of_the_policy_counts(tmp_path: Path) -> None:
    """The METADATA of a policy speaks for all of its modules."""
    files = {
        "policy.rego": HEAD.replace(REMEDY, "") + f"effects contains {ALLOW}\n",
        "more.rego": "package ringfence.policy.p\n\n" + DENY.replace("_codes[input.classification.level]", '"a"'),
        "cases.yaml": CASES,
    }
    write(tmp_path, files)

    found = [(Path(one.file).name, one.line, one.rule) for one in check_policies([str(tmp_path)]).findings]

    assert [("policy.rego", 3, "metadata-missing")] == found


def test_a_policy_without_a_case_is_told(tmp_path: Path) -> None:
    """Neither a table nor a `cases.yaml`."""
    write(tmp_path, {"policy.rego": HEAD + f"effects contains {ALLOW}\n"})

    assert ["tests-missing"] == [one.rule for one in check_policies([str(tmp_path)]).findings]


def test_a_row_that_is_none_is_found(tmp_path: Path) -> None:
    """`cases.yaml` is checked with the policy, with its own line."""
    write(tmp_path, {"policy.rego": HEAD + f"effects contains {ALLOW}\n", "cases.yaml": CASES + "- effects: []\n"})

    assert [(3, "cases.yaml")] == [(one.line, Path(one.file).name) for one in check_policies([str(tmp_path)]).findings]


def test_the_library_is_offered_where_it_is_not_given(tmp_path: Path) -> None:
    """A policy that uses the library's words is checked together with the library."""
    body = HEAD + f"import data.ringfence.lib.content\n\neffects contains {ALLOW} if content.parsed\n"
    write(tmp_path, {"policy.rego": body, "cases.yaml": CASES})

    (one,) = check_policies([str(tmp_path)]).findings
    assert (one.rule, "`builtin`" in one.instead) == ("unknown-reference", True)
    assert () == check_policies(["builtin", str(tmp_path)]).findings


@pytest.mark.parametrize(("strict", "body", "code"), [(False, "x", 1), (True, "w", 1), (False, "w", 0), (True, "g", 0)])
def test_the_exit_code_says_what_was_found(tmp_path: Path, *, strict: bool, body: str, code: int) -> None:
    """Errors always fail, warnings with `--strict`."""
    bodies = {
        "x": SAY + "cuont(1)",
        "w": SAY + "{\n\tx := 1\n\tinput.request.stream\n}",
        "g": f"effects contains {ALLOW}",
    }
    write(tmp_path, {"policy.rego": HEAD + bodies[body] + "\n", "cases.yaml": CASES})

    assert code == check_command([str(tmp_path)], strict=strict, as_json=False)


def test_the_report_is_json_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every field of a finding, and which tools ran."""
    write(tmp_path, {"policy.rego": HEAD + SAY + "input.request.modell\n", "cases.yaml": CASES})

    code = check_command([str(tmp_path)], strict=False, as_json=True)

    expected = {
        "findings": [
            {
                "file": str(tmp_path / "policy.rego"),
                "line": FIRST,
                "rule": "unknown-input",
                "severity": "error",
                "message": "`input.request` has no `modell`",
                "instead": "`model`",
                "tool": "ringfence",
            }
        ],
        "ran": ["ringfence"],
        "missing": ["opa", "regal"],
    }
    assert (1, expected) == (code, json.loads(capsys.readouterr().out))


def test_the_report_names_file_line_and_remedy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a person reads; brackets in it are no markup."""
    write(tmp_path, {"policy.rego": HEAD + SAY + "input.request.modell\n", "cases.yaml": CASES})

    check_command([str(tmp_path)], strict=False, as_json=False)

    lines = capsys.readouterr().out.splitlines()
    assert [
        f"{tmp_path}/policy.rego:{FIRST}: error `input.request` has no `modell` [unknown-input]",
        "    instead: `model`",
        "1 error, 0 warnings by ringfence",
    ] == lines[:3]


def test_other_tools_are_merged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What Regal and OPA find stands beside ours under their names, with the severity they give."""
    place = {"file": "a.rego", "row": 3}
    regal = {"violations": [
        {"title": "todo", "description": "do it", "level": "warning", "location": place},
        {"title": "bug", "description": "mend it", "level": "error", "location": place},
    ]}  # fmt: skip
    opa = {"errors": [{"code": "rego_type_error", "message": "no", "location": place}]}
    for name, report in (("regal", regal), ("opa", opa)):
        tool = tmp_path / "bin" / name
        tool.parent.mkdir(exist_ok=True)
        tool.write_text(f"#!/bin/sh\necho '{json.dumps(report)}'\nexit 1\n")
        tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    write(tmp_path / "p", {"policy.rego": HEAD + f"effects contains {ALLOW}\n", "cases.yaml": CASES})

    checked = check_policies([str(tmp_path / "p")])

    assert [
        ("opa", "rego_type_error", Severity.ERROR),
        ("regal", "bug", Severity.ERROR),
        ("regal", "todo", Severity.WARNING),
    ] == [(one.tool, one.rule, one.severity) for one in checked.findings]
    assert (("ringfence", "opa", "regal"), ()) == (checked.ran, checked.missing)


def test_a_tool_that_says_nothing_readable_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken tool is no clean result."""
    tool = tmp_path / "bin" / "regal"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\necho oh\n")
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tool.parent))
    write(tmp_path / "p", {"policy.rego": HEAD + f"effects contains {ALLOW}\n"})

    with pytest.raises(ConfigInvalid, match="`regal lint` cannot be understood"):
        check_policies([str(tmp_path / "p")])


@pytest.mark.parametrize("missing", ["none", "empty"])
def test_a_directory_without_policies_is_refused(tmp_path: Path, missing: str) -> None:
    """Nothing to check is no clean result."""
    (tmp_path / "empty").mkdir()

    with pytest.raises(ConfigInvalid):
        check_policies([str(tmp_path / missing)])


@pytest.mark.parametrize(
    "text", ["[" * 5000, "p if { " + "not " * 5000, "p := " + "-" * 5000, "p if {", "p[", "p := 1e", "p :="]
)
def test_hostile_text_is_a_finding(tmp_path: Path, text: str) -> None:
    """Depth and unfinished text end in a finding, never in an exception."""
    write(tmp_path, {"policy.rego": HEAD + text + "\n", "cases.yaml": CASES})

    assert check_policies([str(tmp_path)]).findings


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.sampled_from('p x if { } [ ] ( ) := = == not some every in , | : . with as else default 1 " \n'.split(" ")),
        max_size=30,
    )
)
def test_any_order_of_tokens_is_read_or_refused(words: list[str]) -> None:
    """The reader ends, and what it does not understand it says."""
    with contextlib.suppress(UnreadError, ConfigInvalid):
        assert isinstance(rules_of("package p\n" + " ".join(words), "p.rego"), tuple)


OPA = shutil.which("opa")
BY_OPA = {"unsafe-variable", "unknown-function", "arity", "unknown-input"}


@pytest.mark.opa
@pytest.mark.parametrize("name", [name for name, (_, rules) in BAD.items() if {rule for _, rule in rules} & BY_OPA])
def test_what_is_an_error_here_is_refused_by_opa(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Our errors on names are OPA's too, on the same line: no false alarm."""
    monkeypatch.setenv("PATH", str(Path(str(OPA)).parent))
    body, expected = BAD[name]
    schemas = '# schemas:\n#   - input: schema["ringfence.input-1"]\n# custom:'
    head = HEAD.replace("# custom:", schemas)
    write(tmp_path, {"policy.rego": head + body + "\n", "cases.yaml": CASES, "data.json": '{"t": {"a": "b"}}'})

    lines = {one.line - head.count("\n") for one in check_policies([str(tmp_path)]).findings if one.tool == "opa"}

    assert {line for line, rule in expected if rule in BY_OPA} <= lines
