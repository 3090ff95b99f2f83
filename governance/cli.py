"""The command `ringfence`. Exit codes: 0 done, 1 the answer is no (refused, damaged, invalid), 2 wrong use or broken set-up.

Composition happens here and in the two processes (`sidecar.worker`, `sidecar.control`); imports are made by the
command that needs them, so that `--help` is quick.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from governance.errors import ConfigInvalid, GovernanceError

app = typer.Typer(
    name="ringfence",
    help="The admission layer for AI inference: inspect, decide, redact, pin or refuse, and record it first.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
audit_app = typer.Typer(help="Read and check the audit log.", no_args_is_help=True)
config_app = typer.Typer(help="Check a configuration file.", no_args_is_help=True)
policy_app = typer.Typer(help="Work on policies.", no_args_is_help=True)
bench_app = typer.Typer(help="Measure, as ratios against a baseline in the same run.", no_args_is_help=True)
for name, group in (("audit", audit_app), ("config", config_app), ("policy", policy_app), ("bench", bench_app)):
    app.add_typer(group, name=name)

ConfigFile = Annotated[Path, typer.Option("--config", "-c", help="The configuration file.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document per line instead of tables.")]
Policies = Annotated[
    list[str] | None,
    typer.Option("--policy", help="A directory of policies, or `builtin`. Repeat for several. Default: builtin."),
]


@app.command()
def demo(
    *,
    keep: Annotated[bool, typer.Option("--keep", help="Leave all of it running and print how to talk to it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Starts everything on free loopback ports, sends ten requests, and shows what became of each."""
    from sidecar.demo.run import demo as run

    # A log has no width of its own; the table needs one in which its cells can be read.
    console = Console(stderr=as_json, width=None if sys.stdout.isatty() else 160)
    raise typer.Exit(asyncio.run(run(console, keep=keep, as_json=as_json)))


@app.command()
def up(config: ConfigFile = Path("ringfence.yaml")) -> None:
    """Runs Envoy, the control process and the workers until SIGTERM; restarts what dies."""
    from sidecar.up import run

    raise typer.Exit(asyncio.run(run(config)))


@app.command()
def init(
    path: Annotated[Path, typer.Argument(help="Where to write the starter file.")] = Path("ringfence.yaml"),
    *,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
) -> None:
    """Writes a commented starter configuration."""
    from governance.config import STARTER

    if path.exists() and not force:
        raise ConfigInvalid(f"`{path}` exists; choose another name or pass --force")
    path.write_text(STARTER.read_text())
    Console().print(f"wrote [bold]{path}[/]; edit its nodes, then: ringfence config check -c {path}")


@config_app.command("check")
def config_check(config: ConfigFile = Path("ringfence.yaml"), *, as_json: AsJson = False) -> None:
    """Loads the configuration and its policies as `up` would, and says what is wrong with file and line."""
    from governance.config import load
    from governance.policy.bundle import load_bundle

    settings = load(config)
    bundle = load_bundle(settings.policy.directories, modes=settings.policy.modes)
    if as_json:
        import orjson

        print(orjson.dumps({"nodes": len(settings.nodes), "policies": [rule.id for rule in bundle.policies]}).decode())
        return
    Console().print(
        f"[green]ok[/]: {len(settings.nodes)} nodes, {len(bundle.policies)} policies "
        f"({', '.join(policy.id for policy in bundle.policies)})"
    )


@app.command()
def scan(
    source: Annotated[str, typer.Argument(metavar="[FILE|-]", help="A file, or - for standard input.")] = "-",
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help='Read {"id","text"} lines and answer each with one line, in order.')
    ] = False,
) -> None:
    """Finds personal data, secrets and sensitivity in text. Never prints what it found, only where and what kind."""
    from classifiers.scan import scan_command

    raise typer.Exit(scan_command(source, as_json=as_json))


@app.command()
def decide(
    source: Annotated[Path, typer.Option("--input", help="A `ringfence.input/1` document (- for standard input).")],
    policy: Policies = None,
    engine: Annotated[str, typer.Option(help="embedded or opa")] = "embedded",
    opa_url: Annotated[str, typer.Option(help="An OPA server to use with --engine opa.")] = "http://127.0.0.1:8181",
) -> None:
    """Decides on one policy input and writes the `ringfence.decision/1` document. Exit 1 when the action is deny."""
    from governance.policy.run import decide_command

    raise typer.Exit(decide_command(source, policy or ["builtin"], engine=engine, opa_url=opa_url))


@policy_app.command("test")
def policy_test(policy: Policies = None, *, as_json: AsJson = False) -> None:
    """Runs every `test_` rule of the policies. Exit 1 when one fails."""
    from governance.policy.run import test_command

    raise typer.Exit(test_command(policy or ["builtin"], as_json=as_json))


@audit_app.command("show")
def audit_show(
    root: Annotated[Path, typer.Argument(help="The audit directory.")],
    last: Annotated[int, typer.Option(help="How many records, newest last.")] = 20,
    decision: Annotated[str | None, typer.Option(help="Only this decision and its outcome.")] = None,
    action: Annotated[str | None, typer.Option(help="Only decisions with this action.")] = None,
    kind: Annotated[str | None, typer.Option(help="Only records of this kind.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Prints records."""
    from governance.audit.commands import show

    raise typer.Exit(show(root, last=last, decision=decision, action=action, kind=kind, as_json=as_json))


@audit_app.command("verify")
def audit_verify(
    root: Annotated[Path, typer.Argument(help="The audit directory.")], *, as_json: AsJson = False
) -> None:
    """Checks every frame, checksum, sequence number and segment chain. Exit 1 when something is damaged."""
    from governance.audit.commands import verify_command

    raise typer.Exit(verify_command(root, as_json=as_json))


@bench_app.command("path")
def bench_path(
    seconds: Annotated[float, typer.Option(help="How long each cell is measured.")] = 4.0,
    clients: Annotated[int, typer.Option(help="Concurrent connections.")] = 16,
    *,
    as_json: AsJson = False,
) -> None:
    """Measures direct Envoy, a no-op ext_proc and the full path at 200 B, 2 kB and 20 kB, in one run."""
    from sidecar.bench.path import path

    raise typer.Exit(asyncio.run(path(Console(stderr=as_json), seconds=seconds, clients=clients, as_json=as_json)))


@app.command(hidden=True)
def worker(config: ConfigFile, index: Annotated[int, typer.Option()]) -> None:
    """One sidecar worker; started by `up`."""
    from sidecar.worker import main as run

    run(config, index)


@app.command(hidden=True)
def control(config: ConfigFile) -> None:
    """The control process; started by `up`."""
    from sidecar.control import main as run

    run(config)


def main(command: Callable[[], None] = app) -> None:
    """Runs the command line; an operator's mistake is one line on standard error and exit code 2."""
    try:
        command()
    except GovernanceError as error:
        Console(stderr=True).print(f"[red]{error.code}[/]: {error}", highlight=False, markup=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
