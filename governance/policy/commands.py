"""The commands `ringfence policy ...` and `ringfence explain`: what is typed, and nothing more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from governance.decision import Mode
    from governance.nodes.node import Node
    from governance.settings import Config

policy_app = typer.Typer(
    help="Write, check, test, try and prove policies.",
    epilog="Start with: ringfence policy init mine/my_policy",
    no_args_is_help=True,
)

Sources = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[POLICIES]...", help="Directories, bundles (.tar.gz) or `builtin`, together. Default: builtin."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document instead of tables.")]
Engine = Annotated[
    Literal["auto", "plan", "embedded"],
    typer.Option(help="Who evaluates; auto takes the plan of a bundle, or one that `opa` makes, else embedded."),
]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", "-c", help="Take policies, modes, nodes and audit directory from this file.")
]
AuditDirectory = Annotated[
    Path | None, typer.Option("--audit", help="The audit directory. Default: that of --config, else var/audit.")
]
_AUDIT = Path("var/audit")
_HERE = Path("ringfence.yaml")


class _Surroundings:
    """What a configuration file says, or what holds without one."""

    def __init__(self, config: Path | None) -> None:
        self._config: Config | None = None
        if config is not None:
            from governance.config import load

            self._config = load(config)

    def policies(self, given: Sequence[str] | None) -> list[str]:
        if given:
            return list(given)
        return list(self._config.policy.directories) if self._config else ["builtin"]

    def audit(self, given: Path | None) -> Path:
        return given or (self._config.audit.directory if self._config else _AUDIT)

    @property
    def modes(self) -> Mapping[str, Mode]:
        return self._config.policy.modes if self._config else {}

    @property
    def parameters(self) -> Mapping[str, Mapping[str, Any]]:
        return self._config.policy.parameters if self._config else {}

    @property
    def nodes(self) -> tuple[Node, ...]:
        return self._config.nodes if self._config else ()


def _modes(given: Sequence[str]) -> dict[str, Mode]:
    from governance.decision import Mode

    found: dict[str, Mode] = {}
    for text in given:
        name, _, word = text.partition("=")
        if word not in list(Mode):
            raise typer.BadParameter(f"`{text}` is not ID=MODE with one of {', '.join(Mode)}", param_hint="--mode")
        found[name] = Mode(word)
    return found


@policy_app.command(
    "init",
    epilog="""Example:

  ringfence policy init mine/no_source_code
""",
)
def init(directory: Annotated[Path, typer.Argument(help="A new directory; its last part is the policy's id.")]) -> None:
    """Writes a commented policy with its tests, to start from. Overwrites nothing."""
    from governance.policy.authoring.starter import init_command

    raise typer.Exit(init_command(directory))


@policy_app.command(
    "check",
    epilog="""Examples:

  ringfence policy check mine
  ringfence policy check mine --strict --json | jq '.findings[] | [.file, .line, .message]'
""",
)
def check(
    sources: Sources = None,
    *,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count as errors.")] = False,
    as_json: AsJson = False,
) -> None:
    """Says what is wrong with policies before any request meets them: file, line, and what to write instead.

    An effect that this version cannot carry out, and so refuses requests for, is a warning. `opa check` and `regal` are
    asked too where they are on the path. Exit code 1 on an error.
    """
    from governance.policy.authoring.check import check_command

    raise typer.Exit(check_command(sources or ["builtin"], strict=strict, as_json=as_json))


@policy_app.command(
    "test",
    epilog="""Examples:

  ringfence policy test mine
  ringfence policy test builtin mine --threshold 90
""",
)
def run_tests(
    sources: Sources = None,
    policy: Annotated[list[str] | None, typer.Option("--policy", help="The same as an argument.")] = None,
    threshold: Annotated[int, typer.Option(min=0, max=100, help="The least coverage of each policy, per cent.")] = 0,
    *,
    as_json: AsJson = False,
) -> None:
    """Runs the cases of policies on every engine that is there, and their tests on OPA where it is on the path.

    Exit code 1 when one fails, coverage is below the threshold, or there is none.
    """
    from governance.policy.authoring.run import test_command

    named = [*(sources or ()), *(policy or ())]
    raise typer.Exit(test_command(named or ["builtin"], as_json=as_json, threshold=threshold))


@policy_app.command("list", epilog="Example:\n\n  ringfence policy list -c ringfence.yaml\n")
def list_(sources: Sources = None, config: ConfigFile = None, *, as_json: AsJson = False) -> None:
    """Lists policies with version, mode, severity and what they rest on."""
    from governance.policy.authoring.listing import list_command

    given = _Surroundings(config)
    raise typer.Exit(list_command(given.policies(sources), as_json=as_json, modes=given.modes))


@policy_app.command("page", epilog="Example:\n\n  ringfence policy page > docs/policy-library.md\n")
def page() -> None:
    """Writes the page about the library's policies, in Markdown."""
    from governance.policy.authoring.library_page import page_command

    raise typer.Exit(page_command())


@policy_app.command(
    "build",
    epilog="""Examples:

  ringfence policy build builtin mine -o bundle.tar.gz --revision 2026-11
  ringfence policy build mine -o bundle.tar.gz --sign-key key.pem --key-id release
""",
)
def build(
    out: Annotated[Path, typer.Option("--output", "-o", help="The bundle to write, .tar.gz.")],
    sources: Sources = None,
    sign_key: Annotated[Path | None, typer.Option(help="Sign every file with this key.")] = None,
    key_id: Annotated[str, typer.Option(help="The name of the key.")] = "",
    revision: Annotated[str, typer.Option(help="The name of this version of the policies.")] = "",
    *,
    as_json: AsJson = False,
) -> None:
    """Makes a bundle in OPA's format. Equal input gives equal bytes.

    With `opa` on the path it carries a plan, which is evaluated many times faster than source.
    """
    from governance.policy.distribution.bundle_commands import build_command

    raise typer.Exit(
        build_command(sources or ["builtin"], out, sign_key=sign_key, key_id=key_id, revision=revision, as_json=as_json)
    )


@policy_app.command("diff", epilog="Example:\n\n  ringfence policy diff builtin bundle.tar.gz\n")
def diff(before: str, after: str, *, as_json: AsJson = False) -> None:
    """Says which policies, versions, modes, parameters and tables differ. Exit code 1 when something does."""
    from governance.policy.distribution.bundle_commands import diff_command

    raise typer.Exit(diff_command(before, after, as_json=as_json))


@policy_app.command("status", epilog="Example:\n\n  ringfence policy status -c ringfence.yaml\n")
def status(
    config: Annotated[
        Path, typer.Option("--config", "-c", help="The configuration of the running installation.")
    ] = Path("ringfence.yaml"),
    *,
    as_json: AsJson = False,
) -> None:
    """Says which policies a running installation has in force, and how the bundle that it watches is.

    Exit code 1 where a worker does not answer or its last question to the origin failed.
    """
    from governance.config import load
    from governance.policy.distribution.status_command import status_command

    admin = load(config).admin
    raise typer.Exit(status_command(admin.address, admin.port, as_json=as_json))


@policy_app.command(
    "replay",
    epilog="""Examples:

  ringfence policy replay --to mine --since 7d -c ringfence.yaml
  ringfence policy replay --from builtin --to builtin --to mine --fail-on new-allow --chart impact.svg
""",
)
def replay(
    *,
    after: Annotated[
        list[str], typer.Option("--to", help="The candidate: policies as for `check`. Repeat for several.")
    ],
    before: Annotated[
        list[str] | None,
        typer.Option("--from", help="What to compare with, or `recorded` for what was decided then (the default)."),
    ] = None,
    since: Annotated[str | None, typer.Option(help="Only decisions since then: 7d, 12h, or 2026-11-01.")] = None,
    until: Annotated[str | None, typer.Option(help="Only decisions until then.")] = None,
    tenant: Annotated[str | None, typer.Option(help="Only decisions of this tenant.")] = None,
    audit: AuditDirectory = None,
    config: ConfigFile = None,
    chart: Annotated[Path | None, typer.Option(help="Write a chart to this file, as SVG.")] = None,
    mode: Annotated[
        list[str] | None,
        typer.Option("--mode", metavar="ID=MODE", help="Another mode for a policy. Repeat for several."),
    ] = None,
    fail_on: Annotated[
        Literal["never", "new-allow", "looser", "any"], typer.Option(help="Exit with 1 when there is such a change.")
    ] = "never",
    engine: Engine = "auto",
    as_json: AsJson = False,
) -> None:
    """Decides recorded requests again and shows what would change, first of all what would no longer be refused.

    Of a log whose oldest segments were removed what is left is decided again, and what is missing told on standard error.
    Exit code 1 when --fail-on is met, or set and nothing could be compared; 2 without an audit log or with a damaged one.
    """
    from governance.policy.impact.replay_report import replay_command

    given = _Surroundings(config)
    code = replay_command(
        before or ["recorded"],
        after,
        given.audit(audit),
        since=since,
        until=until,
        tenant=tenant,
        modes={**given.modes, **_modes(mode or ())},
        parameters=given.parameters,
        engine=engine,
        fail_on=fail_on,
        chart=chart,
        as_json=as_json,
    )
    raise typer.Exit(code)


@policy_app.command(
    "prove",
    epilog="""Examples:

  ringfence policy prove builtin mine
  ringfence policy prove mine --against builtin --invariants invariants --budget 50000
""",
)
def prove(
    sources: Sources = None,
    *,
    against: Annotated[
        list[str] | None, typer.Option(help="The policies in force: nothing they deny may be allowed.")
    ] = None,
    invariants: Annotated[
        list[Path] | None,
        typer.Option(
            help="A directory of Rego modules `package ringfence.invariant.<id>` with a rule `violated` over `input.input` and `input.decision`. Repeat for several."
        ),
    ] = None,
    config: ConfigFile = None,
    budget: Annotated[
        int | None,
        typer.Option(min=1, help="How many inputs to try at most. Default: 20,000 with a plan, 2,000 without."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Equal seeds try equal inputs.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Looks for an input on which an invariant breaks, and for rules and policies that never matter.

    Exit code 1 with a counterexample. What was not tried is not proven; the report says how much was.
    """
    from governance.policy.impact.prove import prove_command

    given = _Surroundings(config)
    code = prove_command(
        given.policies(sources),
        against=against or (),
        invariants=invariants or (),
        modes=given.modes,
        parameters=given.parameters,
        nodes=given.nodes or None,
        budget=budget,
        seed=seed,
        as_json=as_json,
    )
    raise typer.Exit(code)


def explain(
    decision_id: Annotated[str, typer.Argument(help="The decision id of an answer, a refusal or a record.")],
    policy: Annotated[
        list[str] | None, typer.Option("--policy", help="Policies as for `policy check`. Default: those of --config.")
    ] = None,
    audit: AuditDirectory = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="The configuration in force. Default: ringfence.yaml, where there is one."),
    ] = None,
    *,
    engine: Engine = "auto",
    as_json: AsJson = False,
) -> None:
    """Says why a request was decided as it was: each policy that spoke, what it rests on, and what to change.

    Exit code 1 when today's policies decide otherwise or the decision is not found, 2 without an audit log.
    """
    from governance.policy.impact.explain_report import explain_command

    # Asked where `ringfence up` runs, it is about the policies in force there.
    given = _Surroundings(config or (_HERE if _HERE.is_file() and not (policy or audit) else None))
    code = explain_command(
        decision_id,
        given.audit(audit),
        given.policies(policy),
        modes=given.modes,
        parameters=given.parameters,
        nodes=given.nodes,
        engine=engine,
        as_json=as_json,
    )
    raise typer.Exit(code)
