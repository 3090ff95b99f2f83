"""The command line without processes: messages, exit codes, and what a new user types first."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from governance import cli
from governance.cli import app, exit_code
from tests.bundles import policy, write

NODE = "nodes: [{id: local, address: 127.0.0.1:1, country: DE, region: a, tier: device, models: [m], protocol: openai}]"


def commands() -> Iterator[tuple[str, ...]]:
    """Every command that a user may see, as words."""
    group: Any = typer.main.get_command(app)
    for name, command in group.commands.items():
        inner = getattr(command, "commands", None)
        if not command.hidden:
            yield from ((name, sub) for sub in inner) if inner else ((name,),)


@pytest.mark.parametrize("words", list(commands()), ids=" ".join)
def test_help_shows_an_example_of_the_command(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """Each help text teaches by at least one line that can be typed."""
    code = exit_code([*words, "--help"])

    shown = capsys.readouterr().out
    assert (0, True) == (code, " ".join(["ringfence", *words]) in shown.split("Example", 1)[-1])
    assert "Example" in shown


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nosuch"], "ringfence: no such command 'nosuch'; see ringfence --help\n"),
        (["--bogus"], "ringfence: no such option: --bogus; see ringfence --help\n"),
        (["scan", "--bogus"], "ringfence scan: no such option: --bogus; see ringfence scan --help\n"),
        (["audit", "show"], "ringfence audit show: missing argument 'DIRECTORY'; see ringfence audit show --help\n"),
        (
            ["decide", "--input", "x", "--engine", "opal"],
            "ringfence decide: invalid value for '--engine': 'opal' is not one of 'auto', 'embedded', 'plan', 'opa'; see ringfence decide --help\n",
        ),
        (["scan", "nofile"], "config_invalid: nofile: cannot be read: no such file or directory\n"),
        (["decide", "--input", "nofile"], "config_invalid: nofile: cannot be read: no such file or directory\n"),
        (
            ["config", "check", "-c", "nofile"],
            "config_invalid: nofile: cannot be read: no such file or directory; `ringfence init` writes a starter file\n",
        ),
        (["init", "nodir/ringfence.yaml"], "system_error: `nodir/ringfence.yaml`: no such file or directory\n"),
        (["audit", "show", "nodir"], "cannot read `nodir`: No such file or directory\n"),
        (["audit", "verify", "nodir"], "cannot read `nodir`: No such file or directory\n"),
        (
            ["audit", "show", "x", "--kind", "decisions"],
            "ringfence audit show: invalid value for '--kind': 'decisions' is not one of 'decision', 'outcome', 'start', 'stop', 'gap', 'heartbeat', 'config', 'policy_load', 'reconcile', 'access'; see ringfence audit show --help\n",
        ),
        (["policy", "test", "--policy", "nodir"], "config_invalid: nodir: policy directory not found\n"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_use_is_one_line_on_standard_error_and_exit_code_2(
    words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody sees a traceback or a box for a slip of the hand."""
    monkeypatch.chdir(tmp_path)

    code = exit_code(words)

    assert (2, "", message) == (code, *capsys.readouterr())


def test_no_arguments_show_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    """The first thing anybody types is answered by what there is."""
    code = exit_code([])

    out, err = capsys.readouterr()
    assert (2, "", True) == (code, err, "Start with: ringfence demo" in out)


def test_an_unforeseen_error_says_where_but_not_what(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The text of an exception could quote what was being read."""

    def fails(paths: list[str], *_: object, **__: object) -> int:
        raise ValueError(paths)

    monkeypatch.setattr("classifiers.scan.scan_command", fails)

    code = exit_code(["scan", "secret-text"])

    err = capsys.readouterr().err
    assert (2, 1, True, False) == (code, err.count("\n"), "ValueError at test_cli.py:" in err, "secret-text" in err)


def test_an_error_cannot_speak_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Escape sequences in a file name arrive as replacement characters; brackets are no markup."""
    exit_code(["scan", "[bold]\x1b[2J"])

    assert "config_invalid: [bold]\ufffd[2J: cannot be read: no such file or directory\n" == capsys.readouterr().err


def test_a_starter_file_is_written_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It passes its own check; a second one needs --force, and the first stays as it was."""
    path = tmp_path / "ringfence.yaml"

    codes = [exit_code(["init", str(path)])]
    path.write_text(path.read_text() + "# mine\n")
    codes += [exit_code(["init", str(path)]), exit_code(["config", "check", "-c", str(path)])]

    assert ([0, 2, 0], True) == (codes, path.read_text().endswith("# mine\n"))
    assert f"config_invalid: `{path}` exists; choose another name or pass --force\n" == capsys.readouterr().err
    assert 0 == exit_code(["init", "--force", str(path)])
    assert not path.read_text().endswith("# mine\n")


def test_a_bad_configuration_is_told_by_line_and_exit_code_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both for people and as JSON, each mistake on its own."""
    path = tmp_path / "ringfence.yaml"
    path.write_text("worker: 1\nnodes: []\nlisten: {port: -1}\n")

    codes = (exit_code(["config", "check", "-c", str(path)]), exit_code(["config", "check", "-c", str(path), "--json"]))

    out, err = capsys.readouterr()
    document = json.loads(out)
    assert ((1, 1), False) == (codes, document["ok"])
    assert f"config_invalid: {chr(10).join(document['problems'])}\n" == err
    assert [f"{path}:{line}: " for line in (1, 3)] == [
        problem.partition(": ")[0] + ": " for problem in document["problems"]
    ]


def test_a_bundle_on_disk_is_opened_by_the_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its policies are named; one that cannot be read, or whose signature is missing, fails the check."""
    path, key = tmp_path / "ringfence.yaml", tmp_path / "key.pem"
    write(tmp_path / "house", {"own.rego": policy("own")})
    private = ed25519.Ed25519PrivateKey.generate()
    key.write_bytes(private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))

    def check(bundle: str) -> tuple[int, str]:
        path.write_text(f"policy: {{directories: [builtin], bundle: {{{bundle}}}}}\n{NODE}")
        code = exit_code(["config", "check", "-c", str(path)])
        return code, "".join(capsys.readouterr())

    assert (0, True) == ((good := check("url: house"))[0], " own" in good[1])
    assert (1, True) == ((gone := check("url: nowhere"))[0], "nowhere" in gone[1])
    assert (1, True) == ((bare := check("url: house, key_file: key.pem"))[0], "signed" in bare[1])


def test_the_check_says_how_far_policies_reach(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One that is off is not taken for one in force."""
    for name in ("a", "b", "c", "d"):
        write(tmp_path / "house", {f"{name}.rego": policy(name)})
    path = tmp_path / "ringfence.yaml"
    path.write_text(f"{NODE}\npolicy: {{directories: [house], modes: {{b: warn, c: shadow, d: 'off'}}}}\n")

    codes = (exit_code(["config", "check", "-c", str(path)]), exit_code(["config", "check", "-c", str(path), "--json"]))

    said, document = capsys.readouterr().out.splitlines()
    assert ((0, 0), "ok: 1 node, 4 policies: 1 enforced (a), 1 warning (b), 1 in shadow (c), 1 off") == (codes, said)
    assert {"a": "enforce", "b": "warn", "c": "shadow", "d": "off"} == json.loads(document)["modes"]


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ("envoy: {binary: ./no-envoy}", "no executable envoy at `"),
        ("audit: {key_file: no-key}", "no-key: cannot be read"),
        ("redaction: {key_file: no-key}", "no-key: cannot be read"),
        ("classifiers: {recognizers: ['no_module:Finder']}", "recogniser `no_module:Finder` cannot be loaded"),
    ],
)
def test_what_the_configuration_names_is_looked_up_by_the_check(
    setting: str, named: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`up` would not start with it, or its workers would not."""
    path = tmp_path / "ringfence.yaml"
    path.write_text(f"{NODE}\n{setting}\n")

    code = exit_code(["config", "check", "-c", str(path)])

    assert (1, True) == (code, named in (said := capsys.readouterr().err)), said


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        (
            "policy:\n  modes:\n    credentals: 'off'",
            ":4: policy.modes.credentals: no policy is called `credentals`; did you mean `credentials`?",
        ),
        (
            "policy:\n  parameters:\n    machine_callers_level:\n      tier: [x]",
            "policy `machine_callers_level` has no parameter `tier`; did you mean `tiers`?",
        ),
        (
            "policy:\n  parameters:\n    machine_callers_level:\n      highest:\n        agent: 9",
            ":6: policy.parameters.machine_callers_level.highest.agent: 9 is greater than the maximum of 3",
        ),
        ("classifiers:\n  model: studnt", "; did you mean `student`?"),
    ],
)
def test_a_setting_that_only_its_user_can_judge_is_told_by_line(
    setting: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The check and `up` say the same."""
    monkeypatch.chdir(tmp_path)
    Path("ringfence.yaml").write_text(f"{NODE}\n{setting}\n")

    codes = (exit_code(["config", "check"]), exit_code(["up"]))

    lines = capsys.readouterr().err.splitlines()
    assert ((1, 2), 2, 1) == (codes, len(lines), len(set(lines)))
    assert ("config_invalid: ringfence.yaml:", True) == (lines[0][:31], lines[0].endswith(told)), lines


def test_the_sample_input_is_decided(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--sample` writes what `--input` reads."""
    assert 0 == exit_code(["decide", "--sample"])
    path = tmp_path / "facts.json"
    path.write_text(capsys.readouterr().out)

    code = exit_code(["decide", "--input", str(path)])

    decision = json.loads(capsys.readouterr().out)
    assert (0, "ringfence.decision/1", "allow_modified") == (code, decision["schema"], decision["action"])


def test_the_exit_codes_are_documented() -> None:
    """The module that promises them says each of them."""
    assert all(f"{code} " in (cli.__doc__ or "") for code in (0, 1, 2, 130, 141, 143))
