"""`policy build` writes one reproducible archive; `policy diff` says what another one would change."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from governance.errors import ConfigInvalid
from governance.policy.bundle import load_bundle
from governance.policy.distribution import bundle_commands, signing
from governance.policy.distribution.archive import pack, read_tree
from governance.policy.distribution.bundle_commands import build, build_command, diff_command, differences
from governance.policy.distribution.signing import Algorithm, Key
from governance.sensitive import SensitiveBytes
from tests.bundles import ALLOW, policy, write

KEY = Key(algorithm=Algorithm.HS256, material=SensitiveBytes(b"0" * 32), id="k")
RULES = f"effects contains {ALLOW} if input.request.tokens_est > data.ringfence.params.p.most"
MINE = {
    "policies/p/policy.rego": policy("p", RULES),
    "policies/p/policy_test.rego": "package ringfence.policy.p_test\n",
    "policies/p/cases.yaml": "- name: one\n",
    "policies/p/params.json": '{"most": 10}',
    "policies/lib/l.rego": "package ringfence.lib.l\n\nx := 1\n",
    "data/mine.json": '{"a": {"b": 1}}',
    ".manifest": '{"revision": "7"}',
    "README.md": "not of the bundle",
}


def test_a_built_bundle_decides_as_its_sources(tmp_path: Path) -> None:
    """Policies, data, parameters, tests and cases are those of the directories."""
    mine = write(tmp_path / "mine", MINE)
    built = build(["builtin", mine], tmp_path / "b.tar.gz")
    before, after = load_bundle(["builtin", mine]), load_bundle([tmp_path / "b.tar.gz"])

    assert ((), before.data_digest, before.levels, before.cases, len(before.tests), "7", built.bundle.digest) == (
        differences(before, after),
        after.data_digest,
        after.levels,
        after.cases,
        len(after.tests),
        after.revision,
        after.digest,
    )


def test_equal_sources_are_equal_bytes(tmp_path: Path) -> None:
    """Where and when a bundle is built leaves no trace in it."""
    for name in ("1", "2"):
        build([write(tmp_path / name, MINE)], tmp_path / f"{name}.tar.gz", key=KEY, revision="8")

    assert (tmp_path / "1.tar.gz").read_bytes() == (tmp_path / "2.tar.gz").read_bytes()


def test_a_built_bundle_is_signed_whole(tmp_path: Path) -> None:
    """The signature covers every file that the archive holds."""
    build([write(tmp_path / "mine", MINE)], tmp_path / "b.tar.gz", key=KEY)

    signing.verify(read_tree(tmp_path / "b.tar.gz"), KEY)


def test_what_would_not_load_is_not_written(tmp_path: Path) -> None:
    """A broken source leaves an older archive as it is."""
    out = tmp_path / "b.tar.gz"
    out.write_bytes(b"old")
    with pytest.raises(ConfigInvalid):
        build([write(tmp_path / "mine", {"p.rego": policy("p", "x := ")})], out)

    assert b"old" == out.read_bytes()


def test_two_sources_cannot_hold_one_file(tmp_path: Path) -> None:
    """Nobody could say which one counts."""
    write(tmp_path / "1", {"policies/p.rego": policy("p"), "policies/x_test.rego": "package ringfence.policy.p_test\n"})
    write(tmp_path / "2", {"policies/q.rego": policy("q"), "policies/x_test.rego": "package ringfence.policy.q_test\n"})

    with pytest.raises(ConfigInvalid, match=r"`policies/x_test.rego` is also in"):
        build([tmp_path / "1", tmp_path / "2"], tmp_path / "b.tar.gz")


def test_an_archive_is_named_like_one(tmp_path: Path) -> None:
    """Another name could not be loaded again."""
    with pytest.raises(ConfigInvalid, match=r"a bundle is a `.tar.gz` file"):
        build([write(tmp_path / "mine", MINE)], tmp_path / "b.zip")


def test_a_plan_of_other_modules_is_refused(tmp_path: Path) -> None:
    """A plan beside a policy that was edited since would decide by the old rules."""
    files = {"p.rego": policy("p"), "plan.json": "{}"}

    with pytest.raises(ConfigInvalid, match=r"plan.json: not compiled from the modules beside it; run `ringfence"):
        load_bundle([write(tmp_path, files)])


def test_a_plan_of_these_modules_is_taken(tmp_path: Path) -> None:
    """The manifest names the modules that a plan was compiled from; beside a second source it knows too little."""
    files = {"p.rego": policy("p").encode()}
    planned = bundle_commands.modules_digest(files)
    whole = {**files, "plan.json": b"{}", ".manifest": json.dumps({"metadata": {"ringfence": {"planned": planned}}}).encode()}  # fmt: skip
    (tmp_path / "b.tar.gz").write_bytes(pack(whole))
    other = write(tmp_path / "other", {"q.rego": policy("q")})

    assert (b"{}", None, False) == (
        load_bundle([tmp_path / "b.tar.gz"]).plan,
        load_bundle([tmp_path / "b.tar.gz", other]).plan,
        load_bundle([tmp_path / "b.tar.gz"]).digest == load_bundle([write(tmp_path / "d", {"p.rego": policy("p")})]).digest,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        ('{"roots": ["ringfence/lib"]}', ".manifest: no root holds `ringfence.policy.p`"),
        ('{"roots": ["ringfence"]}', ".manifest: no root holds `a`"),
        ('{"roots": "ringfence"}', ".manifest:1: `roots` is a list of paths"),
        ('{"rego_version": 0}', ".manifest:1: the bundle is not in Rego v1"),
        ('{"file_rego_versions": {"/p.rego": 0}}', ".manifest:1: the bundle is not in Rego v1"),
        ('{"revision": 1}', ".manifest:1: `revision` is a string of at most 100 characters"),
        ('{"revision": "a\\u0007"}', ".manifest:1: `revision` is a string of at most 100 characters"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(tmp_path: Path, manifest: str, expected: str) -> None:
    """A bundle defines what its roots say, in Rego v1."""
    write(tmp_path, {"p.rego": policy("p"), "data.json": '{"a": 1}', ".manifest": manifest})

    with pytest.raises(ConfigInvalid) as caught:
        load_bundle([tmp_path])

    assert f"{tmp_path}/{expected}" == str(caught.value)


def test_build_reports_what_it_made(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    """A script reads revision and digest; a person sees that there is no plan without OPA."""
    monkeypatch.setenv("PATH", "")
    mine, out = write(tmp_path / "mine", MINE), tmp_path / "b.tar.gz"
    secret = tmp_path / "secret"
    secret.write_bytes(b"0" * 64)
    secret.chmod(0o600)

    assert 0 == build_command([str(mine)], out, sign_key=secret, key_id="k", revision="8", as_json=True)
    report = json.loads(capsys.readouterr().out)
    assert 0 == build_command([str(mine)], out)
    text = capsys.readouterr().out

    bundle = load_bundle([out])
    assert ("8", False, True, ["p"], True) == (
        report["revision"],
        report["plan"],
        report["signed"],
        report["policies"],
        f"digest   {bundle.digest}\nplan     no: `opa` is not on the path\nsigned   no\n" in text,
    )


def test_diff_names_what_changed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Policies by version, mode and rules; parameters; data; shared modules."""
    changed = {
        **MINE,
        "policies/p/policy.rego": policy("p", RULES, version="1.1.0", mode="shadow"),
        "policies/q/policy.rego": policy("q"),
        "policies/p/params.json": '{"most": 20}',
        "policies/lib/l.rego": "package ringfence.lib.l\n\nx := 2\n",
        "data/mine.json": '{"a": {"c": true}}',
    }
    before, after = write(tmp_path / "1", MINE), write(tmp_path / "2", changed)

    found = [
        (one.kind, one.name, one.field, one.before, one.after)
        for one in differences(load_bundle([before]), load_bundle([after]))
        if one.field != "rules"
    ]
    fields = {(one.kind, one.name) for one in differences(load_bundle([before]), load_bundle([after]))}

    assert [
        ("data", "a.b", "value", "1", None),
        ("data", "a.c", "value", None, "true"),
        ("parameter", "p.most", "value", "10", "20"),
        ("policy", "p", "mode", "enforce", "shadow"),
        ("policy", "p", "version", "1.0.0", "1.1.0"),
        ("policy", "q", "version", None, "1.0.0"),
    ] == found
    assert ("module", "ringfence.lib.l") in fields
    assert (1, 0) == (
        diff_command(str(before), str(after)),
        diff_command(str(before), str(before)),
    )
    assert "no difference" in capsys.readouterr().out
    assert 1 == diff_command(str(before), str(after), as_json=True)
    assert len(fields) <= len(json.loads(capsys.readouterr().out)["changes"])
