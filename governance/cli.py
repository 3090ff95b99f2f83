"""The command `ringfence`.

Exit codes: 0 done; 1 the answer is no (refused, damaged, invalid, not as expected); 2 wrong use or broken set-up; 128 and
the signal's number after a signal (130 Ctrl-C, 141 the reader of a pipe went away, 143 SIGTERM). Results go to standard
output; an error is one line on standard error.

Composition happens here and in the two processes (`sidecar.worker`, `sidecar.control`); imports are made by the
command that needs them, so that `--help` is quick.
"""

from __future__ import annotations

import dataclasses
import os
import signal
import sys
import traceback
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from governance.errors import ConfigInvalid, GovernanceError
from governance.finding import Detection
from governance.policy.commands import explain, policy_app
from governance.record import RecordKind
from governance.segment import Edit, TextSegment

if TYPE_CHECKING:
    from governance.policy.bundle import Policy

_PIPED_WIDTH = 160

app = typer.Typer(
    name="ringfence",
    help="The admission layer for AI inference: inspect, decide, redact, pin or refuse, and record it first.",
    epilog="Start with: ringfence demo",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
audit_app = typer.Typer(help="Read and check the audit log.", no_args_is_help=True)
config_app = typer.Typer(help="Check a configuration file.", no_args_is_help=True)
model_app = typer.Typer(help="Bring a model of your own, and see what a model reports.", no_args_is_help=True)
bench_app = typer.Typer(help="Measure, as ratios against a baseline in the same run.", no_args_is_help=True)
rules_app = typer.Typer(
    help="What detection looks for: the rules, their examples, the catalogue.", no_args_is_help=True
)
for name, group in (
    ("audit", audit_app),
    ("config", config_app),
    ("policy", policy_app),
    ("rules", rules_app),
    ("model", model_app),
    ("bench", bench_app),
):
    app.add_typer(group, name=name)
app.command(
    "explain",
    epilog="""Examples:

  ringfence explain 019a8c1e-... -c ringfence.yaml
  ringfence explain 019a8c1e-... --audit var/audit --policy builtin --policy mine --json
""",
)(explain)

ConfigFile = Annotated[Path, typer.Option("--config", "-c", help="The configuration file.")]
Content = Annotated[Path, typer.Option(help="A copy of the configuration file, made when `up` started.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document per line instead of tables.")]
Policies = Annotated[
    list[str] | None,
    typer.Option("--policy", help="A directory of policies, or builtin. Repeat for several. Default: builtin."),
]


def _show_version(wanted: bool) -> None:
    if wanted:
        import importlib.metadata

        print(f"ringfence {importlib.metadata.version('ringfence')}")
        raise typer.Exit


@app.callback()
def ringfence(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """The admission layer for AI inference: inspect, decide, redact, pin or refuse, and record it first."""


@app.command(
    epilog="""Examples:

  ringfence demo
  ringfence demo --keep        # then talk to it yourself; Ctrl-C ends it
  ringfence demo --json | jq -r '[.request, .action] | @tsv'
"""
)
def demo(
    *,
    keep: Annotated[bool, typer.Option("--keep", help="Leave all of it running and print how to talk to it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Starts everything on free loopback ports, sends requests, and shows what became of each.

    Exit code 1 when one did not end as it should, or the audit log does not verify.
    """
    from sidecar.demo.run import demo as run

    raise typer.Exit(_finished(run(_console(as_json=as_json), keep=keep, as_json=as_json)))


@app.command(
    epilog="""Examples:

  ringfence up -c ringfence.yaml
  kill -HUP PID                # load policies again; a broken bundle changes nothing
  kill PID                     # finish what is under way, then stop
"""
)
def up(config: ConfigFile = Path("ringfence.yaml")) -> None:
    """Runs Envoy, the control process and the workers until SIGTERM; restarts what dies."""
    # Until there are workers to pass it on to: they will read the policies as they are by then.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    import asyncio

    from sidecar.up import run

    raise typer.Exit(asyncio.run(run(config)))


@app.command(
    epilog="""Example:

  ringfence init && ringfence config check
"""
)
def init(
    path: Annotated[Path, typer.Argument(help="Where to write the starter file.")] = Path("ringfence.yaml"),
    *,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
) -> None:
    """Writes a commented starter configuration."""
    from governance.config import STARTER

    try:
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(STARTER.read_text(encoding="utf-8"))
    except FileExistsError:
        raise ConfigInvalid(f"`{path}` exists; choose another name or pass --force") from None
    print(f"wrote {path}; edit its nodes, then: ringfence config check -c {path}")


@config_app.command(
    "check",
    epilog="""Examples:

  ringfence config check -c ringfence.yaml
  ringfence config check -c ringfence.yaml --json | jq -r '.problems[]'
""",
)
def config_check(config: ConfigFile = Path("ringfence.yaml"), *, as_json: AsJson = False) -> None:
    """Loads what the configuration names as `up` would, and says what is wrong with file and line: policies, a bundle on disk,
    recognisers, models, keys and Envoy. Ports, the audit directory and the state directory are only looked at by `up`.

    Exit code 1 when something is wrong, 2 when the file cannot be read.
    """
    from classifiers.extra import beside_rules, load_own
    from classifiers.model.choice import verify_models
    from governance import state, yaml_source
    from governance.config import located, parse
    from governance.policy.bundle import configured
    from governance.policy.distribution.feed import local_tree
    from governance.yaml_source import SettingInvalid
    from sidecar import envoy_binary

    text = yaml_source.text(config)
    try:
        settings = parse(text, config)
        for purpose in state.Key:
            state.named_key(settings, purpose)
        envoy_binary.require(envoy_binary.version(envoy_binary.locate(settings.envoy.binary)))
        if beside := beside_rules(load_own(settings.classifiers.recognizers)):
            beside.close()
        verify_models(settings.classifiers)
        watched = local_tree(settings.policy.bundle)
        # A server's bundle is fetched by those who run it.
        trees = () if watched is None else (watched,)
        bundle = configured(settings.policy, *trees) if settings.policy.directories or trees else None
    except ConfigInvalid as found:
        error = located(found, text, config) if isinstance(found, SettingInvalid) else found
        if as_json:
            _print_json({"ok": False, "problems": str(error).splitlines()})
        else:
            _complain(f"{error.code}: {error}")
        raise typer.Exit(1) from None
    policies = bundle.policies if bundle else ()
    if as_json:
        modes = {policy.id: policy.mode for policy in policies}
        _print_json({"ok": True, "nodes": len(settings.nodes), "policies": list(modes), "modes": modes})
    else:
        print(f"ok: {_number(len(settings.nodes), 'node')}, {_policies(policies)}")


def _number(count: int, of: str) -> str:
    return f"{count} {of}" if count == 1 else f"{count} {of.removesuffix('y')}{'ies' if of.endswith('y') else 's'}"


def _policies(policies: Sequence[Policy]) -> str:
    """How many there are in each mode; those that are asked by name."""
    said = []
    for mode, how in (("enforce", "enforced"), ("warn", "warning"), ("shadow", "in shadow"), ("off", "off")):
        ids = [policy.id for policy in policies if policy.mode == mode]
        if ids:
            said.append(f"{len(ids)} {how}" + (f" ({', '.join(ids)})" if mode != "off" else ""))
    return f"{_number(len(policies), 'policy')}{': ' if said else ''}{', '.join(said)}"


@app.command(
    epilog="""Examples:

  ringfence scan notes.txt
  ringfence scan . --summary
  ringfence scan exports/ --fail-on validated --min-score 0.8        # in CI
  ringfence scan customers.csv --redact redacted/
  ringfence scan exports/ -c ringfence.yaml                          # with recognisers of your own
  echo '{"id": 1, "text": "mail jane@example.com"}' | ringfence scan --json

--json with one FILE or - reads lines {"id", "text"}; each answer is one line, at once:

  {"id",
   "findings": [{"entity_type", "start", "end", "score", "detector", "country"}],
   "sensitivity": [{"label", "score"}],
   "jurisdictions": [{"code", "score"}],
   "residency_labels": []}

start and end count code points, scores are 0 to 1; a bad line is answered by {"id": null, "line", "error"}.
--json with a folder, several files, or --format writes one object for each file: {"file", "format", "status",
"findings", ...}; its findings have "name", "why", "line", "column" and "place" as well.

Exit codes: 0; 1 when something could not be read to its end; 2 for wrong use; 3 when --fail-on is met.
"""
)
def scan(
    paths: Annotated[
        list[str] | None, typer.Argument(metavar="PATH|-", help="Files, folders, or - for standard input.")
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document per line instead of tables.")] = False,
    form: Annotated[
        Literal["auto", "text", "json", "jsonl", "csv"],
        typer.Option("--format", help="How files are read; auto goes by the suffix."),
    ] = "auto",
    summary: Annotated[bool, typer.Option("--summary", help="Only what all files come to.")] = False,
    min_score: Annotated[float | None, typer.Option(min=0.0, max=1.0, help="Report from this score on.")] = None,
    entities: Annotated[
        list[str] | None, typer.Option(help="Report only these; several times, or separated by commas.")
    ] = None,
    countries: Annotated[list[str] | None, typer.Option(help="Report only what points to these (ISO alpha-2).")] = None,
    fail_on: Annotated[
        Literal["any", "validated", "never"], typer.Option(help="Which findings end in exit code 3.")
    ] = "never",
    redact: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write copies with placeholders there; originals stay.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write copies into a folder that is not empty.")] = False,
    model: Annotated[
        str | None, typer.Option(help="For names, places and topics: off, student, teacher, or a directory.")
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="Take the model, recognisers and the origin's country from this file."),
    ] = None,
) -> None:
    """Finds personal data, secrets and sensitivity in files and text. Never prints what it found, only where and what kind.

    Exit code 1 when something could not be read to its end, 3 when --fail-on is met. Sensitivity and countries are those
    of the whole text, whatever is left out of the report.
    """
    from classifiers.scan import FailOn, ScanOptions, scan_command
    from classifiers.scan_formats import Format
    from governance.config import load
    from governance.settings import Classifiers

    settings = None if config is None else load(config)
    classifiers = Classifiers() if settings is None else settings.classifiers
    options = ScanOptions(
        as_json=as_json,
        form=Format(form),
        only_summary=summary,
        min_score=min_score,
        entities=_each(entities),
        countries=_each(countries),
        fail_on=FailOn(fail_on),
        redact=redact,
        force=force,
        classifiers=classifiers if model is None else dataclasses.replace(classifiers, model=model),
        jurisdiction="unknown" if settings is None else settings.origin.jurisdiction,
    )
    raise typer.Exit(scan_command(paths or ["-"], options, replacements=_placeholders))


@app.command(
    epilog="""Examples:

  ringfence analyzer
  ringfence analyzer --model off                # rules alone
  curl -s http://127.0.0.1:5002/analyze -d '{"text": "mail jane@example.com", "language": "en"}' \\
    -H 'content-type: application/json'
"""
)
def analyzer(
    listen: Annotated[str, typer.Option(help="Address and port. There is no authentication.")] = "127.0.0.1:5002",
    model: Annotated[
        str, typer.Option(help="For names and places: off, student, teacher, or a directory.")
    ] = "student",
) -> None:
    """Serves detection in the shape of Presidio's analyzer and anonymizer, for gateways that call those.

    Runs until SIGTERM. Exit code 2 when the address cannot be used.
    """
    import asyncio

    from classifiers.analyzer_api import serve
    from classifiers.model.choice import chosen_model
    from classifiers.query import RuleQuery
    from governance.settings import Classifiers
    from sidecar import probes

    address, _, port = listen.rpartition(":")
    if not address or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise ConfigInvalid(f"--listen takes an address and a port, such as 127.0.0.1:5002, not `{listen}`")
    host = address.strip("[]")
    query = RuleQuery(model=chosen_model(Classifiers(model=model)))
    try:
        asyncio.run(
            serve(
                host,
                int(port),
                query=query,
                started=lambda chosen: print(f"listening on {address}:{chosen}", file=sys.stderr),
            )
        )
    except OSError as error:
        raise ConfigInvalid(f"--listen: {probes.reason(error, host, int(port))}") from None


@app.command(
    epilog="""Examples:

  ringfence classifier --model student --listen unix:/run/ringfence/classifier.sock
  ringfence classifier -c ringfence.yaml --listen 127.0.0.1:8001

and in ringfence.yaml:  classifiers: {model: student, server: "unix:/run/ringfence/classifier.sock"}
"""
)
def classifier(
    *,
    listen: Annotated[str, typer.Option(help="unix:/path, or an address of this machine with its port.")],
    model: Annotated[str | None, typer.Option(help="student, teacher, or the directory of a model.")] = None,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="Take model, provider, threads and device from this file.")
    ] = None,
) -> None:
    """Runs one model for all workers of this machine, over the Open Inference Protocol (gRPC).

    There is no authentication: whoever can open the socket can ask. Runs until SIGTERM. Exit code 2 for an address or a
    model that cannot be used.
    """
    from classifiers.model.choice import serve_model
    from governance.config import load
    from governance.settings import Classifiers

    classifiers = Classifiers() if config is None else load(config).classifiers
    serve_model(classifiers if model is None else dataclasses.replace(classifiers, model=model), listen)


@app.command(
    "eval",
    epilog="""Examples:

  ringfence eval --file mine.jsonl
  ringfence eval --file mine.jsonl --detector rules+student --min-f1 PERSON=0.85 --max-alarms 30    # in CI
  ringfence eval --data data/ --set wnut17 --limit 500 --picture eval.svg
  ringfence eval --templates 1000 --detector student --detector teacher --detector presidio --json

A line of --file is {"text", "spans", "topics", "types", "language", "group"}, a span is start, end, type; all but text may be
missing. See docs/evaluation.md.

Exit codes: 0; 1 when the first detector is beyond a bound; 2 for wrong use.
""",
)
def evaluate(
    *,
    detector: Annotated[
        list[str] | None,
        typer.Option(
            help="rules, student, teacher, the folder of a model, rules+ one of these, or presidio. Repeat for several. "
            "Default: rules+student and presidio."
        ),
    ] = None,
    file: Annotated[
        list[Path] | None, typer.Option(help="Your own labelled texts, JSON lines. Repeat for several.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="A folder with the folders of training sets.")] = None,
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", help="Only these sets of --data; several times, or separated by commas."),
    ] = None,
    templates: Annotated[int, typer.Option(min=0, max=1_000_000, help="So many texts made of templates.")] = 0,
    split: Annotated[
        Literal["dev", "test"], typer.Option(help="Which part of sets and templates; no model is trained on either.")
    ] = "dev",
    limit: Annotated[
        int | None, typer.Option(min=1, help="At most so many texts of each set, drawn by --seed.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Draws texts, values of templates and intervals.")] = 0,
    topic_floor: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="A topic counts as said from this score on. Default: when reported.")
    ] = 0.0,
    presidio_model: Annotated[
        str | None, typer.Option(help="Presidio's spaCy model: one that is installed, blank, or none. Default: blank.")
    ] = None,
    min_f1: Annotated[list[str] | None, typer.Option(metavar="[SET:]TYPE|all=N", help="Least F1, exact.")] = None,
    min_recall: Annotated[
        list[str] | None, typer.Option(metavar="[SET:]TYPE|all=N", help="Least share of characters that do not leak.")
    ] = None,
    max_alarms: Annotated[
        list[str] | None, typer.Option(metavar="[SET:all=]N", help="Most alarms of 1,000 clean texts.")
    ] = None,
    min_topic_f1: Annotated[
        list[str] | None, typer.Option(metavar="[SET:]TOPIC|macro=N", help="Least F1 of a topic, or the mean of all.")
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(metavar="FILE.svg", help="Draw precision, recall and reliability.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measures detectors on labelled text, side by side with presidio-analyzer: types, leaks, false alarms, topics.

    Bounds (--min-f1 and such) are for the first detector. Exit code 1 when one does not hold, or nothing was there to hold it.
    """
    import shlex

    from classifiers.evaluation.command import DETECTORS, EvalOptions, eval_command

    options = EvalOptions(
        detectors=tuple(detector or DETECTORS),
        data=data,
        sets=_each(sets),
        templates=templates,
        files=tuple(file or ()),
        split=split,
        limit=limit,
        seed=seed,
        topic_floor=topic_floor,
        presidio_model=presidio_model,
        min_f1=tuple(min_f1 or ()),
        min_recall=tuple(min_recall or ()),
        max_alarms=tuple(max_alarms or ()),
        min_topic_f1=tuple(min_topic_f1 or ()),
        picture=picture,
        as_json=as_json,
        command=shlex.join(["ringfence", *sys.argv[1:]]),
    )
    raise typer.Exit(eval_command(options))


def _each(values: list[str] | None) -> tuple[str, ...]:
    return tuple(each.strip() for value in values or () for each in value.split(",") if each.strip())


def _placeholders(segments: Sequence[TextSegment], detection: Detection) -> Sequence[Edit]:
    """Every finding replaced as the path replaces it: the same value, the same placeholder."""
    from governance.decision import Operator, Redact
    from governance.redaction import redact

    return redact(segments, detection, [Redact(entity="*", operator=Operator.REPLACE)], key=b"").edits


@rules_app.command(
    "list",
    epilog="""Examples:

  ringfence rules list --country NL
  ringfence rules list --category credential --json | jq -r .id
""",
)
def rules_list(
    country: Annotated[str | None, typer.Option(help="Only rules of this country (ISO alpha-2).")] = None,
    category: Annotated[str | None, typer.Option(help="Only rules of this category: national_id, tax, ...")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Prints the rules by id: entity, when it is reported, what it is. Exit code 1 when there is none."""
    from classifiers.rules_commands import list_command
    from governance.finding import Category

    if category is not None and category not in set(Category):
        raise typer.BadParameter(f"category is one of {', '.join(Category)}")
    raise typer.Exit(list_command(country=country, category=category, as_json=as_json))


@rules_app.command(
    "show",
    epilog="""Example:

  ringfence rules show nl.bsn
""",
)
def rules_show(
    rule: Annotated[str, typer.Argument(metavar="ID", help="The rule, as `rules list` names it.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Prints one rule: shape, check, words, score, source and examples."""
    from classifiers.rules_commands import show_command

    raise typer.Exit(show_command(rule, as_json=as_json))


@rules_app.command(
    "test",
    epilog="""Example:

  ringfence rules test ./my-rules
""",
)
def rules_test(
    directory: Annotated[
        Path | None,
        typer.Argument(metavar="DIRECTORY", help="A directory of rule files. Default: the built-in ones."),
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Runs the examples of each rule: what is valid, what is not, the texts it is found in and those it is not.

    Exit code 1 when one fails, 2 when a rule file is no good.
    """
    from classifiers.rules_commands import test_command

    raise typer.Exit(test_command(directory, as_json=as_json))


@rules_app.command(
    "build",
    epilog="""Example:

  ringfence rules build        # in an image, so that its first start is a warm one
""",
)
def rules_build() -> None:
    """Compiles the rules for this user and machine, so that the first scan and the first request do not wait for it."""
    from classifiers.rules_commands import build_command

    raise typer.Exit(build_command())


@rules_app.command(
    "page",
    epilog="""Example:

  ringfence rules page > docs/catalogue.md
""",
)
def rules_page() -> None:
    """Prints the catalogue of entities as a page in Markdown."""
    from classifiers.rules_commands import page_command

    raise typer.Exit(page_command())


@model_app.command(
    "init",
    epilog="""Examples:

  ringfence model init exported/
  ringfence model init exported/ --out models/mine --label PRODUCT=PRODUCT --label ORG=
  ringfence scan notes.txt --model models/mine
""",
)
def model_init(
    directory: Annotated[
        Path,
        typer.Argument(metavar="DIRECTORY", help="With model.onnx (or onnx/model.onnx), tokenizer.json, config.json."),
    ],
    label: Annotated[
        list[str] | None,
        typer.Option(metavar="TYPE=ENTITY", help="What a type of its labels is; `TYPE=` does not report it."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIRECTORY", help="Put the model there; the export stays as it is.")
    ] = None,
    *,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there and differ.")] = False,
    as_json: AsJson = False,
) -> None:
    """Makes a Hugging Face token-classification export a model for `classifiers.model`: maps its labels, tries it, writes manifest.json.

    Nothing is written where the model does not run. Exit code 2 when it cannot be used.
    """
    from classifiers.model_commands import init_command

    raise typer.Exit(init_command(directory, label or (), out=out, force=force, as_json=as_json))


@model_app.command(
    "show",
    epilog="""Examples:

  ringfence model show student
  ringfence model show models/mine --json | jq .entities
""",
)
def model_show(
    model: Annotated[str, typer.Argument(metavar="DIRECTORY|NAME", help="student, teacher, or a directory.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Loads a model and prints what it reports, from which score on, what it was made of and what it runs on.

    Exit code 2 when it cannot be used.
    """
    from classifiers.model_commands import show_command

    raise typer.Exit(show_command(model, as_json=as_json))


@app.command(
    epilog="""Examples:

  ringfence decide --sample > facts.json
  ringfence decide --input facts.json --policy builtin --policy ./mine
  ringfence decide --input facts.json --engine opa
"""
)
def decide(
    source: Annotated[
        Path | None, typer.Option("--input", help="A ringfence.input/1 document (- for standard input).")
    ] = None,
    policy: Policies = None,
    engine: Annotated[
        Literal["auto", "embedded", "plan", "opa"],
        typer.Option(help="Who evaluates the policies; auto takes the plan of a bundle that has one."),
    ] = "auto",
    opa_url: Annotated[str, typer.Option(help="The OPA server to use with --engine opa.")] = "http://127.0.0.1:8181",
    *,
    sample: Annotated[bool, typer.Option("--sample", help="Write an input document instead, and decide nothing.")] = (
        False
    ),
) -> None:
    """Decides on one policy input and writes the ringfence.decision/1 document as one line of JSON.

    Exit code 1 when the action is deny.
    """
    from governance.policy.authoring.run import decide_command, print_sample

    if sample:
        print_sample()
        return
    if source is None:
        raise typer.BadParameter("give --input FILE, or --sample for a document to start from")
    raise typer.Exit(decide_command(source, policy or ["builtin"], engine=engine, opa_url=opa_url))


@audit_app.command(
    "show",
    epilog="""Examples:

  ringfence audit show var/audit --last 50
  ringfence audit show var/audit --action deny --json | jq .code
""",
)
def audit_show(
    root: Annotated[Path, typer.Argument(metavar="DIRECTORY", help="The audit directory.")],
    last: Annotated[int, typer.Option(min=0, help="How many records, newest last.")] = 20,
    decision: Annotated[str | None, typer.Option(help="Only this decision and its outcome.")] = None,
    action: Annotated[
        Literal["allow", "allow_modified", "deny"] | None, typer.Option(help="Only decisions with this action.")
    ] = None,
    kind: Annotated[RecordKind | None, typer.Option(help="Only records of this kind.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Prints records, oldest first: decisions, their outcomes, and acts of the log itself.

    A log whose oldest segments were removed is shown from where it begins now; what is missing is told on standard error.
    Exit code 1 when the log is damaged or records between two others are missing, 2 when there is none.
    """
    from governance.audit.commands import show

    raise typer.Exit(show(root, last=last, decision=decision, action=action, kind=kind, as_json=as_json))


@audit_app.command(
    "verify",
    epilog="""Examples:

  ringfence audit verify var/audit
  ringfence audit verify var/audit --json > verdict.json
  ringfence audit verify var/audit --against verdict.json
""",
)
def audit_verify(
    root: Annotated[Path, typer.Argument(metavar="DIRECTORY", help="The audit directory.")],
    against: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="An earlier verdict, as --json wrote it: every record it saw must still be there, unchanged. "
            "Keep verdicts where nobody who can write to the log can write.",
        ),
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Checks every frame, checksum, sequence number and segment chain.

    A log alone cannot tell that its newest records were cut off, or that someone changed records and made their
    checksums anew: against an earlier verdict both are found, for the records that the verdict saw.

    Exit code 1 when something is damaged, gone or different, 2 when there is no log or no such verdict.
    """
    from governance.audit.commands import verify_command

    raise typer.Exit(verify_command(root, against=against, as_json=as_json))


@bench_app.command(
    "path",
    epilog="""Example:

  ringfence bench path --seconds 1 --clients 8
""",
)
def bench_path(
    seconds: Annotated[float, typer.Option(min=0.1, help="How long each cell is measured.")] = 8.0,
    clients: Annotated[int, typer.Option(min=1, max=1024, help="Concurrent connections.")] = 16,
    *,
    as_json: AsJson = False,
) -> None:
    """Measures direct Envoy, a no-op ext_proc and the full path at 200 B, 2 kB and 20 kB, in one run.

    Exit code 1 when a request failed.
    """
    from sidecar.bench.path import path

    raise typer.Exit(_finished(path(_console(as_json=as_json), seconds=seconds, clients=clients, as_json=as_json)))


@bench_app.command(
    "policy",
    epilog="""Example:

  ringfence bench policy --seconds 5
""",
)
def bench_policy(
    seconds: Annotated[float, typer.Option(min=0.1, help="How long each engine is measured.")] = 3.0,
    *,
    as_json: AsJson = False,
) -> None:
    """Measures a decision of twenty policies over twenty entity types on every engine, and from the cache.

    The plan engine and the OPA server are left out where `opa` is not on the path.
    """
    from governance.policy.impact.bench import policy

    raise typer.Exit(policy(_console(as_json=as_json), seconds=seconds, as_json=as_json))


@bench_app.command(
    "model",
    epilog="""Examples:

  ringfence bench model
  ringfence bench model student ./my-model --seconds 5 --json
""",
)
def bench_model(
    models: Annotated[
        list[str] | None,
        typer.Argument(metavar="MODEL", help="student, teacher, or a directory. Default: all shipped."),
    ] = None,
    *,
    seconds: Annotated[float, typer.Option(min=0.05, max=60, help="How long each cell runs.")] = 2.0,
    as_json: AsJson = False,
) -> None:
    """Measures models: pieces a second on one thread, a prompt of 500 pieces, and 1 to 256 clients with and without batches.

    On a GPU too where ONNX Runtime has one; a line says so where it has none.
    """
    from classifiers.model.bench import measure
    from classifiers.model.choice import model_directory, shipped

    directories = [model_directory(name) for name in models or shipped()]
    raise typer.Exit(measure(directories, _console(as_json=as_json), seconds=seconds, as_json=as_json))


@bench_app.command(
    "detection",
    epilog="""Example:

  ringfence bench detection --seconds 2
""",
)
def bench_detection(
    seconds: Annotated[float, typer.Option(min=0.1, max=60, help="How long each cell runs.")] = 1.0,
    *,
    as_json: AsJson = False,
) -> None:
    """Measures detection beside Presidio's AnalyzerEngine: throughput by size, hostile texts, and the time to start."""
    from rich.console import Console

    from classifiers.bench import measure

    raise typer.Exit(measure(Console(), seconds=seconds, as_json=as_json))


@app.command(hidden=True)
def worker(config: ConfigFile, content: Content, index: Annotated[int, typer.Option()]) -> None:
    """One sidecar worker; started by `up`."""
    from sidecar.worker import main as run

    run(config, content, index)


@app.command(hidden=True)
def control(config: ConfigFile, content: Content) -> None:
    """The control process; started by `up`."""
    from sidecar.control import main as run

    run(config, content)


def main() -> None:
    """Runs the command line and ends the process."""
    try:
        try:
            code = exit_code(sys.argv[1:])
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except BrokenPipeError:
        code = 128 + signal.SIGPIPE
    except SystemExit as ended:
        # Rich makes this of it.
        if not isinstance(ended.__context__, BrokenPipeError):
            raise
        code = 128 + signal.SIGPIPE
    except KeyboardInterrupt:
        code = 128 + signal.SIGINT
    except OSError as error:
        code = 2
        _complain(_system_error(error))
    if code > 2:
        # What is still buffered has no reader; the interpreter would fail on it once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.exit(code)


def exit_code(arguments: Sequence[str]) -> int:
    """The exit code of the command that `arguments` name, after it ran. An operator's mistake is one line on standard error."""
    try:
        command = typer.main.get_command(app)
        with command.make_context("ringfence", list(arguments)) as context:
            command.invoke(context)
    except typer.Exit as done:
        return done.exit_code
    except typer.TyperException as wrong:
        _complain(_usage_error(wrong))
        return 2
    except GovernanceError as error:
        _complain(f"{error.code}: {error}")
        return 2
    except (BrokenPipeError, KeyboardInterrupt):
        raise
    except OSError as error:
        _complain(_system_error(error))
        return 2
    except Exception as error:  # noqa: BLE001  the text of an error nobody foresaw could quote content
        frames = traceback.extract_tb(error.__traceback__)[-4:]
        at = ", ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames))
        _complain(f"internal_error: {type(error).__qualname__} at {at}; this is a fault of ringfence")
        return 2
    return 0


def _usage_error(wrong: typer.TyperException) -> str:
    message = wrong.format_message().replace("Value error, ", "").strip().rstrip(".")
    context = getattr(wrong, "ctx", None)
    where = context.command_path if context is not None else "ringfence"
    return f"{where}: {message[:1].lower()}{message[1:]}; see {where} --help" if message else ""


def _system_error(error: OSError) -> str:
    reason = (error.strerror or type(error).__qualname__).lower()
    return f"system_error: `{error.filename}`: {reason}" if error.filename else f"system_error: {reason}"


def _complain(message: str) -> None:
    """Lines on standard error that no terminal takes for anything but text, and that nobody wraps."""
    safe = "".join(letter if letter.isprintable() or letter == "\n" else "\ufffd" for letter in message)
    if not safe or sys.stderr is None:
        return
    code, colon, rest = safe.partition(": ")
    print(f"\x1b[31m{code}\x1b[0m{colon}{rest}" if sys.stderr.isatty() else safe, file=sys.stderr)


def _print_json(document: dict[str, Any]) -> None:
    import orjson

    print(orjson.dumps(document).decode())


def _console(*, as_json: bool) -> Any:
    """The console for people: standard error where standard output carries JSON. A pipe has no width of its own."""
    from rich.console import Console

    stream = sys.stderr if as_json else sys.stdout
    piped = "COLUMNS" not in os.environ and not stream.isatty()
    return Console(stderr=as_json, width=_PIPED_WIDTH if piped else None)


def _finished(work: Coroutine[Any, Any, int]) -> int:
    """The exit code of `work`; SIGTERM cancels it as Ctrl-C does, so that whatever it started is stopped."""
    import asyncio

    async def cancellable() -> int:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  we run in one
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await work

    try:
        return asyncio.run(cancellable())
    except asyncio.CancelledError:
        return 128 + signal.SIGTERM


if __name__ == "__main__":
    main()
