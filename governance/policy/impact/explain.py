"""Why a request was decided as it was: its record, found in the log, and policies asked about the recorded facts again.

Nothing here has content to show: the record holds counts, ids and closed words, and the rest stands in the policies.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from types import MappingProxyType
from typing import Any

import orjson
import yaml

from governance import denial
from governance.audit.canonical import decode
from governance.audit.frame import Frame
from governance.audit.reader import logs, lost
from governance.audit.segment import FlawKind, Header, read_header, scan, segment_names
from governance.audit.storage import WAL, DiskFiles, Files
from governance.decision import Decision, Mode, Pin, Reason
from governance.errors import AuditUnavailable, ConfigInvalid
from governance.facts import Facts
from governance.frozen import frozen
from governance.nodes.node import Node
from governance.pinning import admissible
from governance.policy.bundle import ROOT, Bundle
from governance.policy.contract import facts_from_record
from governance.policy.engine import Decider
from governance.policy.trial import try_out

# How far back a decision is looked for: some ten million records.
MOST_BYTES = 16 << 30
SCHEMA = "ringfence.input/1"

_RULE = re.compile(r'"rule":\s*"([a-z][a-z0-9_]*)"')
_LOST = MappingProxyType(
    {
        "allow": "an allow opens the gate and cancels nothing; another part of the decision refuses",
        "deny": "another refusal comes first: 451, 403, 401, 429, 503, then the name of the policy",
        "pin": "it admits every node",
        "redact": "a stronger operator applies to the same values",
        "route": "another policy asks at a higher priority or for a lower limit",
        "respond": "a stricter inspection of the answer is asked for",
        "audit": "more detail or a longer retention is asked for",
        "header": "another policy removes this header",
        "note": "a remark changes nothing",
    }
)


# --- the record ----------------------------------------------------------------------------------------------------


@frozen
class Found:
    """A decision as it stands in the log, with its outcome where there is one."""

    decision: Mapping[str, Any]
    outcome: Mapping[str, Any] | None = None


def find_decision(root: Path, decision_id: str, *, most_bytes: int = MOST_BYTES) -> Found:
    """The decision `decision_id` in the logs under `root`, looked for from the newest segment of each back.

    Raises AuditUnavailable where it is not there (`decision_not_found`) or where a damaged place or records that are gone
    may have held it (`audit_corrupt`), and OSError. Memory: one chunk.
    """
    needle = orjson.dumps(decision_id)[1:-1]
    outcome: Mapping[str, Any] | None = None
    left, damaged = most_bytes, ""
    for part in _newest_first([DiskFiles(log / WAL) for log in logs(root)]):
        if left <= 0:
            raise AuditUnavailable(
                f"decision `{decision_id}` is not in the newest {most_bytes} bytes of `{root}`",
                code="decision_not_found",
            )
        left -= part.end - part.at
        found: dict[str, Mapping[str, Any]] = {}

        def visit(frame: Frame, name: str = part.name, found: dict[str, Mapping[str, Any]] = found) -> None:
            nonlocal damaged
            if needle in frame.payload:
                try:
                    record = decode(frame.payload)
                except ValueError:
                    damaged = damaged or name
                    return
                if decision_id == record.get({"decision": "id", "outcome": "ref"}.get(record["kind"], "")):
                    found[record["kind"]] = record

        seen = scan(part.files, part.name, at=part.at, seq=part.first, end=part.end, visit=visit)
        outcome = found.get("outcome", outcome)
        decision = found.get("decision")
        # What the newest segment ends with may be a write under way; any other has an end that its successor names.
        if seen.flaw is not None and (part.finished or seen.flaw.kind is not FlawKind.TORN):
            damaged = damaged or part.name
        if decision is not None:
            return Found(decision=decision, outcome=outcome)
    if damaged:
        raise AuditUnavailable(
            f"decision `{decision_id}` is not in what can be read of `{root}`: segment `{damaged}` is damaged",
            code="audit_corrupt",
        )
    for gone in lost(root):
        raise AuditUnavailable(
            f"no decision `{decision_id}` in what is left of {gone}; ask a copy of the log that holds more",
            code="audit_corrupt",
        )
    raise AuditUnavailable(f"no decision `{decision_id}` in `{root}`", code="decision_not_found")


@frozen
class _Part:
    """A segment: its first seq, where its records begin and end, and whether that end is known for certain."""

    files: Files
    name: str
    first: int
    at: int
    end: int
    finished: bool


def _newest_first(all_files: Sequence[Files]) -> Iterator[_Part]:
    """The segments of all logs, one of each log in turn."""
    for turn in zip_longest(*map(_backwards, all_files)):
        yield from (part for part in turn if part is not None)


def _backwards(files: Files) -> Iterator[_Part]:
    successor: Header | None = None
    for name in reversed(segment_names(files)):
        end = files.size(name) if successor is None else successor.prev_end
        found = read_header(files, name)
        if found is None:
            # Nothing in it can be trusted: it counts as damaged at its start.
            yield _Part(files=files, name=name, first=0, at=0, end=1, finished=True)
        else:
            yield _Part(
                files=files, name=name, first=found[0].first, at=found[1], end=end, finished=successor is not None
            )
        successor = found[0] if found else None


def facts_of(record: Mapping[str, Any]) -> Facts:
    """The facts kept in a decision record. Raises ConfigInvalid that says why there are none to evaluate."""
    facts = record.get("facts")
    if record.get("facts_overflow"):
        raise ConfigInvalid("the facts were too large for the record")
    if facts is None:
        asked = record.get("policy") is not None
        raise ConfigInvalid("policy left the facts out of the record" if asked else "policy was not asked")
    if not isinstance(facts, dict) or facts.get("schema") != SCHEMA:
        raise ConfigInvalid(f"the facts are not of the schema {SCHEMA}")
    try:
        return facts_from_record(orjson.dumps(facts))
    except ConfigInvalid:
        raise ConfigInvalid("the facts in the record cannot be read") from None


def refused_by_path(record: Mapping[str, Any]) -> bool:
    """Whether something else than policy refused: no node, a limit, a detector, a body that cannot be read."""
    return record.get("action") == "deny" and "deny" not in record.get("obligations", ())


# --- what policies say of themselves ---------------------------------------------------------------------------------


@frozen
class Told:
    """What METADATA says of one policy: law, what a caller can do, and what each rule is for."""

    title: str = ""
    references: tuple[str, ...] = ()
    remedy: str = ""
    rules: Mapping[str, str]


NOTHING_TOLD = Told(rules=MappingProxyType({}))


def told_by(bundle: Bundle) -> Mapping[str, Told]:
    """What each policy of `bundle` says of itself."""
    rules: dict[str, dict[str, str]] = {policy.id: {} for policy in bundle.policies}
    for module in bundle.modules:
        if module.package[:2] == ROOT:
            rules[module.package[2]].update(_described(module.text))
    return MappingProxyType(
        {
            policy.id: Told(
                title=policy.title,
                references=policy.references,
                remedy=policy.remedy,
                rules=MappingProxyType(rules[policy.id]),
            )
            for policy in bundle.policies
        }
    )


def _described(text: str) -> Iterator[tuple[str, str]]:
    """Rule and description of each annotated effect in a module."""
    for block in text.split("# METADATA\n")[1:]:
        lines = block.split("\n")
        size = next((at for at, line in enumerate(lines) if not line.startswith("#")), len(lines))
        try:
            annotations = yaml.safe_load("\n".join(line[1:].removeprefix(" ") for line in lines[:size]))
        except yaml.YAMLError:
            continue
        if isinstance(annotations, dict) and isinstance(annotations.get("description"), str):
            for rule in dict.fromkeys(_RULE.findall("\n".join(lines[size:]))):
                yield rule, " ".join(annotations["description"].split())


def why_lost(reason: Reason, decision: Decision) -> str:
    """Why `reason` did not shape `decision`, naming those of its kind that did; empty for one that won."""
    if reason.winning:
        return ""
    if reason.mode is Mode.WARN:
        return "mode warn: it is recorded and changes nothing"
    won = [other for other in decision.reasons if other.winning and other.effect == reason.effect]
    names = ", ".join(dict.fromkeys(f"{other.policy or 'ringfence'}/{other.rule}" for other in won))
    return f"{_LOST[reason.effect]} ({names})" if names and reason.effect != "allow" else _LOST[reason.effect]


# --- record and policies together --------------------------------------------------------------------------------------


@frozen
class Difference:
    """What the record says otherwise than the policies say now."""

    what: str
    recorded: str
    now: str


@frozen
class NodeAnswer:
    """Whether the decision of now admits a node, and if not, the dimensions of the pin that keep it out."""

    node: Node
    against: tuple[str, ...]


@frozen
class Explanation:
    """All that is known of one decision. `decision` is None where the facts cannot be evaluated: `obstacle` says why."""

    found: Found
    bundle: Bundle
    told: Mapping[str, Told]
    decision: Decision | None = None
    obstacle: str = ""
    differences: tuple[Difference, ...] = ()
    remedies: tuple[str, ...] = ()
    nodes: tuple[NodeAnswer, ...] = ()

    @property
    def same_policies(self) -> bool:
        """Whether `bundle`, with its data and parameters, is the one that decided then."""
        recorded = self.found.decision.get("policy") or {}
        return (self.bundle.digest, self.bundle.data_digest) == (recorded.get("digest"), recorded.get("data_digest"))

    @property
    def silent(self) -> tuple[str, ...]:
        """The policies that were asked and had nothing to say."""
        if self.decision is None:
            return ()
        spoke = {reason.policy for reason in (*self.decision.reasons, *self.decision.shadow)}
        spoke |= {error.policy for error in self.decision.errors} | set(self.not_asked)
        return tuple(p.id for p in self.bundle.applicable(self.decision.phase) if p.id not in spoke)

    @property
    def not_asked(self) -> tuple[str, ...]:
        """The policies that are off, for another phase, or for other jurisdictions."""
        if self.decision is None:
            return ()
        asked = {policy.id for policy in self.bundle.applicable(self.decision.phase)}
        asked -= {name.removesuffix(":off") for name in self.decision.provenance.modes if name.endswith(":off")}
        return tuple(policy.id for policy in self.bundle.policies if policy.id not in asked)


def explain(found: Found, bundle: Bundle, *, nodes: Sequence[Node] = (), engine: str = "auto") -> Explanation:
    """The explanation of a recorded decision by `bundle`. Raises ConfigInvalid for a bundle that cannot be used."""
    record, told = found.decision, told_by(bundle)
    try:
        facts = facts_of(record)
    except ConfigInvalid as error:
        sentence = denial.REMEDIES.get(str(record.get("code")))
        known = (sentence,) if sentence else ()
        return Explanation(found=found, bundle=bundle, told=told, obstacle=str(error), remedies=known)
    decision = asyncio.run(_decided(bundle, facts, str(record["id"]), engine))
    proposals = decision.deny.remedies if decision.deny is not None else ()
    if not proposals and refused_by_path(record):
        proposals = (denial.remedy_of(str(record.get("code"))),)
    return Explanation(
        found=found,
        bundle=bundle,
        told=told,
        decision=decision,
        differences=tuple(_differences(record, decision)),
        remedies=proposals,
        nodes=tuple(_answers(decision.obligations.pin, nodes, str(record.get("model", "")))),
    )


async def _decided(bundle: Bundle, facts: Facts, decision_id: str, engine: str) -> Decision:
    async with Decider.open(bundle, engine, cache_size=0, trial=try_out) as decider:
        return await decider.decide(facts, decision_id=decision_id)


def winners_of(decision: Decision) -> tuple[str, ...]:
    """`policy/rule` of each reason that shaped `decision`, as the record names them."""
    return tuple(dict.fromkeys(f"{reason.policy}/{reason.rule}" for reason in decision.reasons if reason.winning))


def _differences(record: Mapping[str, Any], decision: Decision) -> Iterator[Difference]:
    policy = record.get("policy")
    if policy is None:
        return
    then, now = str(record.get("action")), decision.action.value
    if then != now and not (refused_by_path(record) and now != "deny"):
        yield Difference(what="action", recorded=then, now=now)
    code = decision.deny.code if decision.deny else ""
    if record.get("code", "") != code and not refused_by_path(record):
        yield Difference(what="code", recorded=str(record.get("code") or "none"), now=code or "none")
    if set(policy.get("rules", ())) != set(winners_of(decision)):
        yield Difference(what="rules", recorded=_list(policy.get("rules", ())), now=_list(winners_of(decision)))
    kinds = {reason.effect for reason in decision.reasons if reason.winning}
    if set(record.get("obligations", ())) != kinds:
        yield Difference(what="effects", recorded=_list(record.get("obligations", ())), now=_list(kinds))
    shadow = decision.shadow_action.value if decision.shadow_action else ""
    if policy.get("shadow_action", shadow) != shadow:
        yield Difference(what="shadow action", recorded=policy["shadow_action"] or "none", now=shadow or "none")
    same = policy.get("digest") == decision.provenance.digest
    if same and policy.get("input_digest") != decision.provenance.input_digest:
        yield Difference(what="input", recorded=str(policy.get("input_digest")), now=decision.provenance.input_digest)


def _list(names: Any) -> str:
    return ", ".join(sorted(map(str, names))) or "none"


def _answers(pin: Pin, nodes: Sequence[Node], model: str) -> Iterator[NodeAnswer]:
    dimensions = {
        "countries": Pin(countries=pin.countries),
        "regions": Pin(regions=pin.regions),
        "tiers": Pin(tiers=pin.tiers),
        "nodes": Pin(nodes=pin.nodes),
        "providers": Pin(providers=pin.providers),
        "certifications": Pin(certifications=pin.certifications),
        "exclude": Pin(exclude=pin.exclude),
    }
    for node in nodes:
        serving = replace(node, models=(*node.models, model))
        against = [name for name, alone in dimensions.items() if not admissible(alone, [serving], model=model)]
        yield NodeAnswer(node=node, against=(*(["model"] if model not in node.models else []), *against))
