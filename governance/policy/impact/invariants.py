"""What must hold for every input, whatever the policies say: built in, or written by users in Rego.

Each is judged on an input and the decision on it. Certain means at least 900 permille or a verified value: what policies
call likely is their business, and an invariant that took their thresholds would hold of any.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import is_dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args, get_type_hints

import orjson

from governance.decision import Action, Contribution, Decision, DenyEffect, Mode, Operator, Pin, Redact
from governance.errors import ConfigInvalid
from governance.facts import EntityFact, Facts
from governance.finding import Category
from governance.frozen import frozen
from governance.nodes.node import Node
from governance.pinning import admissible
from governance.policy.bundle import Bundle, Policy
from governance.policy.engine import projection
from governance.policy.reads import read_set
from governance.policy.source import Module, code_of, read_module
from governance.policy.static import check
from governance.residency import EEA, Tier

CERTAIN_PERMILLE = 900
_ROOT = ("ringfence", "invariant")
_MODEL = "sample"
# One country for each side of the border, and one that the EU found adequate.
_COUNTRIES = ("DE", "NO", "CH", "US", "CN")
_REDACTED = Operator.PSEUDONYMISE.rank
_MOST_FILES = 256
_MAX_BYTES = 1 << 20


@frozen
class Judged:
    """One input and the decision on it; `current` is the decision of the bundle that a candidate is compared with."""

    facts: Facts
    decision: Decision
    current: Decision | None = None


@frozen
class Invariant:
    """`broken` is asked where `speaks` holds; together with how often it did, silence can be told from agreement."""

    id: str
    title: str
    speaks: Callable[[Judged], bool]
    broken: Callable[[Judged], bool]


def built_in(*, compared: bool, nodes: Sequence[Node] | None = None) -> tuple[Invariant, ...]:
    """The invariants that come with Ringfence. With `nodes` places are those of a fleet, else any that a pin admits."""
    found = [
        Invariant(
            id="health_stays_in_eea",
            title="health data of EU and EEA subjects never reaches a node outside the EU and the EEA",
            speaks=lambda judged: _health(judged.facts) and _subject_in_eea(judged.facts),
            broken=lambda judged: any(node.country not in EEA for node in reachable(judged.decision, nodes)),
        ),
        Invariant(
            id="credentials_stay",
            title="no request with credentials leaves the device unredacted",
            speaks=lambda judged: bool(_credentials(judged.facts)) or _label(judged.facts, "credentials"),
            broken=lambda judged: _exposed(judged, nodes),
        ),
        Invariant(
            id="no_policy_fails",
            title="no policy fails to evaluate",
            speaks=lambda _: True,
            broken=lambda judged: bool(judged.decision.errors),
        ),
    ]
    if compared:
        found.append(
            Invariant(
                id="no_new_allow",
                title="the candidate never allows what the current one denies",
                speaks=lambda judged: judged.current is not None and judged.current.action is Action.DENY,
                broken=lambda judged: judged.decision.action is not Action.DENY,
            )
        )
    return tuple(found)


# --- what the built-in ones speak of --------------------------------------------------------------------------------


def reachable(decision: Decision, nodes: Sequence[Node] | None = None) -> tuple[Node, ...]:
    """The nodes that an allowed request may be served by; none for one that is refused."""
    if decision.action is Action.DENY:
        return ()
    pin = decision.obligations.pin
    if nodes is None:
        return admissible(pin, tuple(_conceivable(pin)), model=_MODEL)
    return tuple(node for model in {m for n in nodes for m in n.models} for node in admissible(pin, nodes, model=model))


def _conceivable(pin: Pin) -> Iterator[Node]:
    """A node in each country and tier that has whatever else `pin` asks for: a label of a node proves no place."""
    ids = pin.nodes.any if pin.nodes else ("any",)
    regions = pin.regions.any if pin.regions else ("any",)
    providers = pin.providers.any if pin.providers else ("any",)
    asked = pin.certifications.any if pin.certifications else ()
    for id_, region, provider in itertools.product(ids, regions, providers):
        for country, tier in itertools.product(_COUNTRIES, Tier):
            yield Node(
                id=id_,
                address="",
                country=country,
                region=region,
                tier=tier,
                models=(_MODEL,),
                provider=provider,
                certifications=tuple(name for name in asked if name not in pin.exclude.certifications),
            )


def _certain(row: EntityFact) -> bool:
    return row.validated or row.max_permille >= CERTAIN_PERMILLE


def _label(facts: Facts, name: str) -> bool:
    return any(row.name == name and row.permille >= CERTAIN_PERMILLE for row in facts.classification.labels)


def _health(facts: Facts) -> bool:
    rows = facts.classification.entities
    return _label(facts, "health") or any(row.category is Category.HEALTH and _certain(row) for row in rows)


def _subject_in_eea(facts: Facts) -> bool:
    subjects = facts.origin.subject_jurisdictions
    return any(row.code.partition("-")[0] in EEA and row.permille >= CERTAIN_PERMILLE for row in subjects)


def _credentials(facts: Facts) -> list[EntityFact]:
    return [row for row in facts.classification.entities if row.category is Category.CREDENTIAL and _certain(row)]


def _exposed(judged: Judged, nodes: Sequence[Node] | None) -> bool:
    if all(node.tier is Tier.DEVICE for node in reachable(judged.decision, nodes)):
        return False
    found = _credentials(judged.facts)
    # A label names no place that could be redacted.
    return not found or not all(_redacted(row, judged.decision.obligations.redact) for row in found)


def _redacted(row: EntityFact, orders: Sequence[Redact]) -> bool:
    """Whether every place of `row` is redacted by an operator that leaves nothing of the value readable."""
    fitting = [
        order
        for order in orders
        if order.apply == "request" and order.entity in (row.type, "*") and order.operator.rank >= _REDACTED
    ]
    return any(not order.where for order in fitting) or set(row.where) <= {
        role for order in fitting for role in order.where
    }


# --- written in Rego ------------------------------------------------------------------------------------------------


def read_invariants(directories: Sequence[Path]) -> tuple[Module, ...]:
    """The modules `package ringfence.invariant.<id>` under `directories`. Raises ConfigInvalid with file and line."""
    found: dict[str, Module] = {}
    for top in directories:
        if not top.is_dir():
            raise ConfigInvalid("directory of invariants not found", file=str(top))
        for path in sorted(top.rglob("*.rego"))[:_MOST_FILES]:
            if path.name.endswith("_test.rego"):
                continue
            module = _module(path)
            id_ = module.package[-1]
            if id_ in found:
                raise _at(module, f"invariant `{id_}` is also defined in {found[id_].file}")
            found[id_] = module
        if not found:
            raise ConfigInvalid("no invariant found", file=str(top))
    return tuple(found[id_] for id_ in sorted(found))


def as_bundle(bundle: Bundle, invariants: Sequence[Module]) -> Bundle:
    """A bundle whose policies are `invariants`: each denies where its rule `violated` is anything but false.

    They see the data of `bundle`, and none of its modules: those read the policy input, which is one step down here.
    Raises ConfigInvalid for what an engine would misread.
    """
    asking = tuple(
        read_module(
            name=f"invariant/{module.package[-1]}.rego",
            file=module.file,
            text=(
                f"package ringfence.policy.{module.package[-1]}\n\n"
                'effects contains {"effect": "deny", "rule": "violated", "code": "violated", "params": {}} if {\n'
                f"\tdata.ringfence.invariant.{module.package[-1]}.violated != false\n}}\n"
            ),
        )
        for module in invariants
    )
    modules = (*invariants, *asking)
    check(modules, dict(bundle.data))
    for module in invariants:
        _check_input(module)
    policies = tuple(
        Policy(
            id=module.package[-1],
            version="1",
            mode=Mode.ENFORCE,
            phases=("request", "response", "stream"),
            title=_title(module),
            on_error="deny",
            file=module.file,
        )
        for module in invariants
    )
    return replace(bundle, policies=policies, modules=modules, tests=(), read_set=read_set(modules), plan=None)


def rego_invariants(
    bundle: Bundle, evaluate: Callable[[Sequence[str], bytes], Sequence[Contribution]]
) -> tuple[Invariant, ...]:
    """The policies of `bundle` (see `as_bundle`) as invariants. One that fails to evaluate raises ConfigInvalid."""
    project = projection(bundle.read_set)
    known: dict[tuple[str, bytes], bool] = {}

    def broken(policy: Policy, judged: Judged) -> bool:
        parts = {"decision": judged.decision, "input": orjson.Fragment(judged.facts.canonical())}
        document = project(orjson.dumps(parts))
        key = policy.id, document
        if key not in known:
            known[key] = _violated(policy, evaluate([policy.id], document))
        return known[key]

    return tuple(
        Invariant(
            id=policy.id,
            title=policy.title,
            speaks=lambda _: True,
            broken=lambda judged, policy=policy: broken(policy, judged),  # type: ignore[misc]
        )
        for policy in bundle.policies
    )


def _violated(policy: Policy, said: Sequence[Contribution]) -> bool:
    (contribution,) = said
    if contribution.failure is not None:
        raise ConfigInvalid(f"invariant `{policy.id}` cannot be evaluated", file=policy.file, line=1)
    return any(isinstance(effect, DenyEffect) for effect in contribution.effects)


def _module(path: Path) -> Module:
    try:
        raw = path.read_bytes()
        if len(raw) > _MAX_BYTES:
            raise ConfigInvalid(f"larger than {_MAX_BYTES} bytes", file=str(path))
        text = raw.decode()
    except OSError as error:
        raise ConfigInvalid(f"cannot be read: {(error.strerror or '').lower()}", file=str(path)) from None
    except UnicodeDecodeError:
        raise ConfigInvalid("not UTF-8", file=str(path), line=1) from None
    module = read_module(name="", file=str(path), text=text)
    if module.package[:2] != _ROOT or len(module.package) != 3:
        raise _at(module, "an invariant's package is `ringfence.invariant.<id>`")
    if "violated" not in module.rules:
        raise _at(module, "an invariant has a rule `violated` over `input.input` and `input.decision`")
    tokens = [token for token, _ in code_of(text, str(path))]
    for one, after in itertools.pairwise(tokens):
        if one.first and one.depth == 0 and one.text == "violated" and after.text in {"contains", "["}:
            raise _at(module, "`violated` is a rule that is true or undefined, not a set", one.line)
    return replace(module, name=f"invariants/{module.package[-1]}.rego")


def _check_input(module: Module) -> None:
    """Raises ConfigInvalid for a path that no input or decision has: a typo is no proof."""
    for reference in module.references:
        root, *path = module.absolute(reference)
        if root == "input" and path and not _is_known(_DOCUMENTS.get(path[0]), path[1:]):
            raise _at(module, f"there is no `input.{'.'.join(path)}`", reference.line)


_DOCUMENTS: Mapping[str, type] = MappingProxyType({"input": Facts, "decision": Decision})


def _is_known(kind: Any, path: Sequence[str]) -> bool:
    """Whether values of `kind` can have something at `path`, as far as dataclasses say."""
    if kind is None:
        return False
    parts = [part for part in (kind, *get_args(kind)) if is_dataclass(part)]
    if not path or not parts:
        return True
    return any(path[0] in (hints := get_type_hints(part)) and _is_known(hints[path[0]], path[1:]) for part in parts)


def _title(module: Module) -> str:
    title = (module.annotations or {}).get("title")
    return title if isinstance(title, str) and title else f"invariant {module.package[-1]}"


def _at(module: Module, message: str, line: int = 0) -> ConfigInvalid:
    return ConfigInvalid(message, file=module.file, line=line or module.package_line)
