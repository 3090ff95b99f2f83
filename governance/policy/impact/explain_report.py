"""`ringfence explain`: a decision as a tree that a person can act on, and as JSON."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from governance.decision import Action, Decision, Mode, Pin, Reason
from governance.errors import AuditUnavailable
from governance.nodes.node import Node
from governance.policy.bundle import BUILTIN, load_known
from governance.policy.contract import decision_bytes
from governance.policy.impact.engines import planned
from governance.policy.impact.explain import (
    NOTHING_TOLD,
    Explanation,
    explain,
    find_decision,
    refused_by_path,
    why_lost,
)

_PIPED_WIDTH = 160
_COLOURS = {"allow": "green", "allow_modified": "yellow", "deny": "bold red"}


def explain_command(
    decision_id: str,
    audit: Path,
    directories: Sequence[str] = (BUILTIN,),
    *,
    modes: Mapping[str, Mode] | None = None,
    parameters: Mapping[str, Mapping[str, Any]] | None = None,
    nodes: Sequence[Node] = (),
    engine: str = "auto",
    as_json: bool = False,
) -> int:
    """Prints why `decision_id` was decided as it was; 0 when the policies still say so, 1 when not or not found, 2 without a log."""
    errors = Console(stderr=True, soft_wrap=True, highlight=False)
    try:
        found = find_decision(audit, decision_id)
    except AuditUnavailable as error:
        hint = "; run `ringfence audit verify`" if error.code == "audit_corrupt" else ""
        errors.print(visible(f"{error}{hint}"))
        return 1
    except OSError as error:
        errors.print(visible(f"cannot read `{audit}`: {(error.strerror or '').lower()}"))
        return 2
    bundle = planned(load_known(directories, modes=modes, parameters=parameters), engine)
    explanation = explain(found, bundle, nodes=nodes, engine=engine)
    if as_json:
        sys.stdout.buffer.write(orjson.dumps(document(explanation), option=orjson.OPT_APPEND_NEWLINE))
        sys.stdout.flush()
    else:
        page().print(tree(explanation))
    return 1 if explanation.differences else 0


def page() -> Console:
    """The console on standard output; a pipe has no width of its own."""
    return Console(width=None if sys.stdout.isatty() else _PIPED_WIDTH, highlight=False)


def visible(value: object, style: str = "") -> Text:
    """`value` as text without markup and control characters: nothing from a file may speak to the terminal."""
    return Text("".join(letter if letter.isprintable() else "\ufffd" for letter in str(value)), style=style)


# --- JSON ----------------------------------------------------------------------------------------------------------


def document(explanation: Explanation) -> dict[str, Any]:
    """The explanation as JSON: `decision` is `ringfence.decision/1`, or null where nothing could be evaluated."""
    decision = explanation.decision
    record = explanation.found.decision
    reasons = (*decision.reasons, *decision.shadow) if decision else ()
    return {
        "id": record.get("id"),
        "record": {name: value for name, value in record.items() if name != "facts"},
        "outcome": explanation.found.outcome,
        "policies": {
            "digest": explanation.bundle.digest,
            "revision": explanation.bundle.revision,
            "as_recorded": explanation.same_policies,
            "engine": decision.provenance.engine if decision else None,
        },
        "decision": orjson.loads(decision_bytes(decision)) if decision else None,
        "not_evaluated_because": explanation.obstacle or None,
        "differences": [
            {"what": one.what, "recorded": one.recorded, "now": one.now} for one in explanation.differences
        ],
        "reasons": [_reason(explanation, decision, reason) for reason in reasons] if decision else [],
        "nothing_to_say": explanation.silent,
        "not_asked": explanation.not_asked,
        "nodes": [
            {"id": one.node.id, "admitted": not one.against, "against": one.against} for one in explanation.nodes
        ],
        "remedies": explanation.remedies,
    }


def _reason(explanation: Explanation, decision: Decision, reason: Reason) -> dict[str, Any]:
    told = explanation.told.get(reason.policy, NOTHING_TOLD)
    return {
        "policy": reason.policy,
        "version": reason.version,
        "rule": reason.rule,
        "effect": reason.effect,
        "code": reason.code,
        "mode": reason.mode,
        "winning": reason.winning,
        "why_lost": why_lost(reason, decision),
        "title": told.title,
        "description": told.rules.get(reason.rule, ""),
        "references": told.references,
        "remedy": told.remedy,
    }


# --- the tree ------------------------------------------------------------------------------------------------------


def tree(explanation: Explanation) -> Tree:
    """The explanation for people."""
    record, decision = explanation.found.decision, explanation.decision
    root = Tree(_headline(record), guide_style="dim")
    if explanation.differences:
        _differences(root, explanation)
    _asked(root, explanation)
    _found(root, record)
    if decision is None:
        root.add(visible(f"not evaluated again: {explanation.obstacle}", "yellow"))
    else:
        root.add(visible(f"decided again on engine {decision.provenance.engine}"))
        _because(root, explanation, decision)
        _obligations(root, decision)
    _where(root, explanation)
    if decision is not None:
        _quiet(root, explanation, decision)
    if explanation.remedies:
        branch = root.add(Text("what to change", style="bold"))
        for sentence in explanation.remedies:
            branch.add(visible(sentence))
    return root


def _headline(record: Mapping[str, Any]) -> Text:
    action = str(record.get("action"))
    refusal = f" {record.get('status')} {record.get('code')}" if action == Action.DENY else ""
    return Text.assemble(
        visible(f"decision {record.get('id')}  ", "bold"), visible(f"{action}{refusal}", _COLOURS.get(action, ""))
    )


def _differences(root: Tree, explanation: Explanation) -> None:
    cause = "although the policies are the same" if explanation.same_policies else "the policies have changed since"
    branch = root.add(visible(f"DECIDED OTHERWISE NOW: {cause}", "bold white on red"))
    for one in explanation.differences:
        line = Text.assemble(visible(f"{one.what}: recorded "), visible(one.recorded, "bold"), ", now ")
        branch.add(line + visible(one.now, "bold"))


def _asked(root: Tree, explanation: Explanation) -> None:
    record = explanation.found.decision
    op, policy = record.get("op") or {}, record.get("policy")
    when = datetime.fromtimestamp(record.get("ts", 0) / 1e6, tz=UTC)
    root.add(
        visible(
            f"{op.get('name', 'request')} for model {record.get('model') or 'none'}, tenant {record.get('tenant') or 'none'}, "
            f"{when:%Y-%m-%d %H:%M:%S} UTC{_ended(explanation.found.outcome)}"
        )
    )
    bundle = explanation.bundle
    if policy is None:
        root.add(visible("policy was not asked"))
    elif explanation.same_policies:
        root.add(visible(f"policies {bundle.revision}, the recorded ones (digest {bundle.digest[:12]})"))
    else:
        root.add(
            visible(
                f"policies are others now: recorded {policy.get('revision')} ({str(policy.get('digest'))[:12]}), "
                f"asked {bundle.revision} ({bundle.digest[:12]})",
                "yellow",
            )
        )
    if refused_by_path(record):
        root.add(visible(f"refused after or without policy: {record.get('code')}", "bold red"))


def _ended(outcome: Mapping[str, Any] | None) -> str:
    if outcome is None:
        return ""
    at = f" by {outcome['node']} in {outcome.get('country') or 'an unknown country'}" if outcome.get("node") else ""
    outside = "" if outcome.get("contained", True) else ", OUTSIDE THE ALLOW-SET"
    return f"; {outcome.get('status')}{at}{outside}"


def _found(root: Tree, record: Mapping[str, Any]) -> None:
    branch = root.add(visible(f"found: level {record.get('level')}, detection {record.get('detection')}"))
    for row in record.get("findings", ()):
        where = f" in {', '.join(row.get('where', ()))}" if row.get("where") else ""
        branch.add(visible(f"{row.get('type')} x{row.get('n')}, up to {row.get('max_permille')} permille{where}"))
    for name in ("labels", "jurisdictions", "uninspected"):
        if record.get(name):
            branch.add(visible(f"{name}: {', '.join(map(str, record[name]))}"))
    if not branch.children:
        branch.add("nothing")


def _because(root: Tree, explanation: Explanation, decision: Decision) -> None:
    branch = root.add(Text("because", style="bold"))
    for reason in sorted(decision.reasons, key=lambda reason: (not reason.winning, reason.policy, reason.rule)):
        told = explanation.told.get(reason.policy, NOTHING_TOLD)
        mark = Text("+ ", style="green") if reason.winning else Text("- ", style="dim")
        name = f"{reason.policy or 'ringfence'} {reason.version}".strip()
        head = visible(f"{name}: {reason.effect} {reason.code} (rule {reason.rule})", "" if reason.winning else "dim")
        twig = branch.add(mark + head)
        lost = why_lost(reason, decision)
        lines = (
            f"lost: {lost}" if lost else "",
            told.title,
            told.rules.get(reason.rule, ""),
            f"law: {'; '.join(told.references)}" if told.references else "",
            f"remedy: {told.remedy}" if told.remedy and reason.effect == "deny" else "",
        )
        for line in filter(None, lines):
            twig.add(visible(line, "dim"))
    for error in decision.errors:
        branch.add(visible(f"! {error.policy} failed ({error.kind}): {error.effect_taken}", "bold red"))
    if not branch.children:
        branch.add("no policy had anything to say")


def _obligations(root: Tree, decision: Decision) -> None:
    lines = list(obligation_lines(decision))
    if not lines:
        return
    title = "obligations" if decision.action is not Action.DENY else "obligations, had it not been refused"
    branch = root.add(Text(title, style="bold"))
    for line in lines:
        branch.add(visible(line))


def obligation_lines(decision: Decision) -> Iterator[str]:
    """Each obligation of `decision` as a line."""
    due = decision.obligations
    for row in due.redact:
        where = f" in {', '.join(row.where)}" if row.where else ""
        yield f"{row.operator} {row.entity}{where} ({row.apply})"
    yield from (f"pin {line}" for line in pin_lines(due.pin))
    route = due.route
    limits = {
        "model": route.model,
        "provider": route.provider,
        "at most tokens": route.max_tokens,
        "temperature at most permille": route.temperature_max,
        "tools": None if route.tools_allowed is None else ", ".join(route.tools_allowed) or "none",
    }
    yield from (f"route {name} {value}" for name, value in limits.items() if value is not None)
    if due.response.inspect != "none":
        yield f"inspect the answer ({due.response.inspect}), {due.response.on_match} on a match"
    if due.audit.alert:
        yield "alert"
    if due.audit.retain_days is not None:
        yield f"keep the record at least {due.audit.retain_days} days"
    if due.audit.retain_days_max is not None:
        yield f"keep the record at most {due.audit.retain_days_max} days"
    if due.audit.level == "meta":
        yield "leave the facts out of the record"
    elif due.audit.sample_permille < 1000:
        yield f"leave the facts out of the record, but for {due.audit.sample_permille} permille"
    yield from (f"set header {name}" for name in due.headers.set)
    yield from (f"remove header {name}" for name in due.headers.remove)


def pin_lines(pin: Pin) -> Iterator[str]:
    """Each dimension in which `pin` limits, as a line."""
    for name in ("countries", "regions", "tiers", "nodes", "providers", "certifications"):
        wanted = getattr(pin, name)
        if wanted is not None:
            yield f"{name} {_some(wanted.any)}"
        if getattr(pin.exclude, name):
            yield f"not {name} {_some(getattr(pin.exclude, name))}"


def _some(values: Iterable[str], most: int = 40) -> str:
    shown = list(values)
    more = f" and {len(shown) - most} more" if len(shown) > most else ""
    return (", ".join(shown[:most]) or "none") + more


def _where(root: Tree, explanation: Explanation) -> None:
    route = explanation.found.decision.get("route")
    if route is None and not explanation.nodes:
        return
    refused = explanation.found.decision.get("action") == Action.DENY
    title = "where it could go, had it not been refused" if refused else "where it could go"
    branch = root.add(Text(title, style="bold"))
    if route is not None:
        more = f" and {route['allowed_overflow']} more" if route.get("allowed_overflow") else ""
        allowed = ", ".join(map(str, route.get("allowed", ()))) or "no node"
        branch.add(visible(f"then: {allowed}{more} ({route.get('cell')}, {route.get('pool')})"))
    for one in explanation.nodes:
        node = one.node
        answer = "now: yes" if not one.against else f"now: no, by {', '.join(one.against)}"
        branch.add(visible(f"{answer}: {node.id} ({node.tier}, {node.country})", "dim" if one.against else ""))


def _quiet(root: Tree, explanation: Explanation, decision: Decision) -> None:
    if explanation.silent:
        root.add(visible(f"nothing to say: {', '.join(explanation.silent)}", "dim"))
    off = {policy.id for policy in explanation.bundle.policies if policy.mode is Mode.OFF}
    others = [name for name in explanation.not_asked if name not in off]
    if others:
        root.add(visible(f"not asked (another phase or jurisdiction): {', '.join(others)}", "dim"))
    if off:
        root.add(visible(f"off: {len(off)} more, see `ringfence policy list`", "dim"))
    if decision.shadow_action is not None:
        branch = root.add(visible(f"shadow policies would have led to: {decision.shadow_action}", "magenta"))
        for reason in decision.shadow:
            branch.add(visible(f"{reason.policy} {reason.version}: {reason.effect} {reason.code} (rule {reason.rule})"))
