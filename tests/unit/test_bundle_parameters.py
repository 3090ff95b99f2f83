"""Parameters of policies: defaults, schema, overrides, and where they stand in the data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from governance.errors import ConfigInvalid
from governance.policy.bundle import Bundle, load_bundle
from tests.bundles import ALLOW, policy, write

RULES = f"effects contains {ALLOW} if input.request.tokens_est > data.ringfence.params.p.most"
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "most": {"type": "integer", "minimum": 1},
        "words": {"type": "array", "items": {"type": "string"}},
        "extra": {"type": "boolean"},
    },
}


def files(params: Any = None, schema: Any = SCHEMA) -> dict[str, str]:
    found = {
        "policies/p/policy.rego": policy("p", RULES),
        "policies/p/params.json": json.dumps({"most": 10, "words": ["a"]} if params is None else params),
    }
    return found if schema is None else {**found, "policies/p/params.schema.json": json.dumps(schema)}


def loaded(top: Path, overrides: dict[str, dict[str, Any]] | None = None, **parts: Any) -> Bundle:
    return load_bundle([write(top, files(**parts))], parameters=overrides)


def refusal(top: Path, overrides: dict[str, dict[str, Any]] | None = None, **parts: Any) -> str:
    with pytest.raises(ConfigInvalid) as caught:
        loaded(top, overrides, **parts)
    return str(caught.value).removeprefix(f"{top}/policies/p/")


def test_defaults_stand_where_policies_read_them(tmp_path: Path) -> None:
    """A policy reads its parameters from `data.ringfence.params` by its own id."""
    bundle = loaded(tmp_path)

    assert ({"p": {"most": 10, "words": ["a"]}}, {"p": {"most": 10, "words": ["a"]}}) == (
        bundle.data["ringfence"]["params"],
        bundle.overrides(),
    )


def test_an_override_replaces_one_parameter_whole(tmp_path: Path) -> None:
    """A setting beats the default of the same name, and leaves the files' digest as it is."""
    plain, changed = loaded(tmp_path), loaded(tmp_path, {"p": {"words": ["b", "c"]}})

    assert (changed.data["ringfence"]["params"], plain.digest == changed.digest, plain.data_digest == changed.data_digest) == (
        {"p": {"most": 10, "words": ["b", "c"]}},
        True,
        False,
    )  # fmt: skip


def test_the_parameters_in_effect_load_again(tmp_path: Path) -> None:
    """What a bundle says of its parameters gives the same bundle when it is loaded with them."""
    changed = loaded(tmp_path, {"p": {"extra": True}})

    assert changed.data_digest == load_bundle([tmp_path], parameters=changed.overrides()).data_digest


@pytest.mark.parametrize(
    ("overrides", "parts", "expected"),
    [
        ({"p": {"least": 1}}, {}, "policy.parameters.p.least: policy `p` has no parameter `least`"),
        ({"p": {"mots": 1}}, {}, "policy.parameters.p.mots: policy `p` has no parameter `mots`; did you mean `most`?"),
        ({"p": {"most": 0}}, {}, "policy.parameters.p.most: 0 is less than the minimum of 1"),
        ({"p": {"words": ["a", 1]}}, {}, "policy.parameters.p.words[1]: 1 is not of type 'string'"),
        ({"p": {"most": 1.5}}, {}, "policy.parameters.p.most: may hold strings, whole numbers and booleans only"),
        ({"q": {"most": 1}}, {}, "policy.parameters.q: no policy is called `q`"),
        (
            {"p": {"most": True}},
            {"schema": None},
            "policy.parameters.p.most: has another type in `params.json` of the policy",
        ),
        (None, {"params": {"most": "x"}}, "params.json: policy `p`, `most`: 'x' is not of type 'integer'"),
        (None, {"params": []}, "params.json:1: a data document is an object"),
        (None, {"schema": {"type": "objekt"}}, "params.schema.json:1: not a JSON Schema of the dialect 2020-12"),
        (
            None,
            {"schema": {"$ref": "http://127.0.0.1:9/schema.json"}},
            "params.json: `params.schema.json` refers to something that it does not hold",
        ),
        (
            None,
            {"schema": {"$ref": "file:///etc/passwd"}},
            "params.json: `params.schema.json` refers to something that it does not hold",
        ),
    ],
)
def test_a_parameter_that_cannot_be_meant_is_refused(
    tmp_path: Path, overrides: dict[str, dict[str, Any]] | None, parts: dict[str, Any], expected: str
) -> None:
    """An unknown policy, an unknown name and a value outside of the schema are errors; no schema is fetched."""
    assert expected == refusal(tmp_path, overrides, **parts)


def test_a_policy_without_parameters_takes_none(tmp_path: Path) -> None:
    """An override of a policy that reads no parameters would change nothing: it is refused."""
    write(tmp_path, {"p.rego": policy("p")})

    with pytest.raises(ConfigInvalid, match="policy `p` has no parameters"):
        load_bundle([tmp_path], parameters={"p": {"a": 1}})


def test_parameters_belong_to_one_policy(tmp_path: Path) -> None:
    """Where two policies share a directory nobody can tell whose parameters these are."""
    write(tmp_path, {"p.rego": policy("p"), "q.rego": policy("q"), "params.json": "{}"})

    with pytest.raises(ConfigInvalid, match=r"params.json: belongs in a directory that holds one policy"):
        load_bundle([tmp_path])


def test_data_may_repeat_the_defaults_and_nothing_else(tmp_path: Path) -> None:
    """A built bundle carries the defaults twice, for OPA's sake; another value there would be a second truth."""
    same, other = ({"ringfence": {"params": {"p": {"most": most}}}} for most in (10, 11))
    write(tmp_path / "1", {**files({"most": 10}), "data.json": json.dumps(same)})
    write(tmp_path / "2", {**files({"most": 10}), "data.json": json.dumps(other)})

    assert load_bundle([tmp_path / "1"]).data["ringfence"]["params"] == {"p": {"most": 10}}
    with pytest.raises(ConfigInvalid, match="`most` is already defined by another data file"):
        load_bundle([tmp_path / "2"])


def test_cases_lie_beside_their_policy(tmp_path: Path) -> None:
    """`cases.yaml` is kept by policy, and is no part of what is evaluated."""
    first = loaded(tmp_path)
    write(tmp_path, {"policies/p/cases.yaml": "- name: one\n"})
    second = loaded(tmp_path)

    assert ({}, {"p": "- name: one\n"}, True) == (dict(first.cases), dict(second.cases), first.digest == second.digest)
