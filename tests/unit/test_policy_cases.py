"""`cases.yaml`: what a row means, and that a bad one is named by file and line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from governance.errors import ConfigInvalid
from governance.policy.authoring.cases import alone, cases_in, laid_over, read_cases, with_params
from governance.policy.contract import facts_bytes
from governance.policy.sample import plain
from tests.bundles import ALLOW, bundle_of, policy


def written(top: Path, text: str | bytes) -> Path:
    path = top / "cases.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_a_row_is_laid_over_the_plain_sample(tmp_path: Path) -> None:
    """Mappings merge, everything else replaces, and the rest is the plain request."""
    row = (
        "- name: a\n  input:\n    request: {tools: [x], parse: {truncated: true}}\n  effects: [deny/b, deny/b, pin/a]\n"
    )

    (case,) = read_cases(written(tmp_path, row))

    expected = json.loads(facts_bytes(plain()))
    expected["request"]["tools"] = ["x"]
    expected["request"]["parse"]["truncated"] = True
    assert (expected, {"deny/b", "pin/a"}, None, 1) == (
        json.loads(case.document),
        case.effects,
        case.params,
        case.line,
    )


def test_scalars_are_those_of_json(tmp_path: Path) -> None:
    """Norway, dates, times and versions are text: YAML's own readings of them are not."""
    row = "- name: yes\n  input: {origin: {jurisdiction: NO}, context: {time: {date: 2026-01-05}}, request: {model: 1.10}}\n  effects: []\n"

    (case,) = read_cases(written(tmp_path, row))

    document = json.loads(case.document)
    assert ("yes", "NO", "2026-01-05", "1.10") == (
        case.name,
        document["origin"]["jurisdiction"],
        document["context"]["time"]["date"],
        document["request"]["model"],
    )


BAD = {
    "no list": ("name: a\n", 1, "a list of cases"),
    "no mapping": ("- a\n", 1, "a case is a mapping"),
    "unknown key": ("- name: a\n  effects: []\n- name: b\n  effect: []\n", 3, "`effect` is no part of a case"),
    "no name": ("- effects: []\n", 1, "a case has a `name`"),
    "no effects": ("\n- name: a\n", 2, "no list of `effects`"),
    "null effects": ("- name: a\n  effects:\n", 1, "no list of `effects`"),
    "an effect without a rule": ("- name: a\n  effects: [deny]\n", 1, "an effect is `effect/rule`"),
    "an effect that is not there": ("- name: a\n  effects: [permit/a]\n", 1, "an effect is `effect/rule`"),
    "input no mapping": ("- name: a\n  input: []\n  effects: []\n", 1, "`input` is a mapping"),
    "params no mapping": ("- name: a\n  params: 1\n  effects: []\n", 1, "`params` is a mapping"),
    "misspelt input": ("- name: a\n  input: {reqest: {}}\n  effects: []\n", 1, "`reqest`: is not a known key"),
    "wrong word": ("- name: a\n  input: {classification: {level: secret}}\n  effects: []\n", 1, "classification.level"),
    "a float": ("- name: a\n  input: {request: {bytes: 1.5}}\n  effects: []\n", 1, "request.bytes"),
    "a key twice": ("- name: a\n  name: b\n  effects: []\n", 1, "a key occurs twice"),
    "a name twice": ("- {name: a, effects: []}\n- {name: a, effects: []}\n", 2, "a second case is called `a`"),
    "no YAML": ("- name: [\n", 2, ""),
    "a tag": ("- name: a\n  effects: !!python/object:os.system []\n", 2, ""),
    "no UTF-8": (b"- name: \xff\n", 1, "not UTF-8"),
    "depth": ("- " + "[" * 3000, 1, "not valid YAML"),
}


@pytest.mark.parametrize(("text", "line", "message"), BAD.values(), ids=BAD)
def test_a_bad_row_names_file_and_line(tmp_path: Path, text: str | bytes, line: int, message: str) -> None:
    """The first row that cannot be used ends the reading."""
    path = written(tmp_path, text)

    with pytest.raises(ConfigInvalid) as caught:
        read_cases(path)
    assert (str(path), line, True) == (caught.value.file, caught.value.line, message in str(caught.value))


def test_a_large_file_is_refused(tmp_path: Path) -> None:
    """The file is named."""
    with pytest.raises(ConfigInvalid, match="larger than"):
        read_cases(written(tmp_path, b"#" * (1024 * 1024 + 1)))


def test_rows_belong_to_the_policy_beside_them(tmp_path: Path) -> None:
    """The id comes from the policy, not from the directory."""
    rows = "- {name: a, effects: []}\n"
    files = {"x/p.rego": policy("p"), "y/q.rego": policy("q"), "x/cases.yaml": rows}

    assert {"p": ["a"]} == {
        id_: [one.name for one in cases] for id_, cases in cases_in(bundle_of(tmp_path, files)).items()
    }


@pytest.mark.parametrize(
    ("reference", "left"),
    [("input.request.stream", ["p"]), ("data.ringfence.policy.q.effects", ["p", "q"]), ("data.ringfence", ["p", "q"])],
)
def test_a_policy_alone_keeps_what_it_refers_to(tmp_path: Path, reference: str, left: list[str]) -> None:
    """Other policies are left out, unless it asks for them."""
    body = f"effects contains {ALLOW} if {reference}\n\n_unused(x) if x"
    bundle = bundle_of(tmp_path, {"p.rego": policy("p", body), "q.rego": policy("q")})

    assert left == [one.package[-1] for one in alone(bundle, "p").modules]


def test_parameters_are_laid_over_those_of_the_policy(tmp_path: Path) -> None:
    """The bundle itself keeps its own."""
    data = '{"ringfence": {"params": {"p": {"a": 1, "b": {"c": 2}}}}}'
    bundle = bundle_of(tmp_path, {"p.rego": policy("p"), "data.json": data})

    changed = with_params(bundle, "p", {"b": {"d": 3}})

    assert ({"a": 1, "b": {"c": 2, "d": 3}}, {"a": 1, "b": {"c": 2}}) == (
        changed.data["ringfence"]["params"]["p"],
        bundle.data["ringfence"]["params"]["p"],
    )
    assert with_params(bundle, "p", None) is bundle


def test_what_is_laid_over_replaces_all_but_mappings() -> None:
    """Lists and scalars are replaced whole."""
    assert {"a": [3], "b": {"c": 1, "d": 2}, "e": 1} == laid_over(
        {"a": [1, 2], "b": {"c": 1}, "e": {"f": 1}}, {"a": [3], "b": {"d": 2}, "e": 1}
    )
