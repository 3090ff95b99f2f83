"""The finite vocabulary of inputs that a bundle can tell apart, as axes of values.

The contract closes most fields (levels, phases, statuses, categories); the rest is made finite by the bundle itself:
the strings and numbers that its policies and data name, a value just below each number, and one value that nobody
names. Countries that no table of the bundle tells apart have one of them stand for all. A field that no policy refers to
stays as it is in the plain sample.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, get_args

from governance.facts import Facts, Phase
from governance.finding import Category, DetectionStatus
from governance.frozen import frozen
from governance.inference import Media, Operation, Unread
from governance.policy.bundle import Bundle
from governance.policy.impact.covering import Row
from governance.policy.impact.inputs import SAMPLE, Inputs
from governance.policy.impact.named import MOST, Named
from governance.policy.rollout import Modes, reach_of
from governance.policy.sample import plain
from governance.residency import COUNTRIES, EEA, EU, Level, Tier
from governance.segment import Role

_UNKNOWN = "unknown"
# Representatives are sought in this order first, so that a counterexample reads well.
_FAMILIAR = ("DE", "US", "NO", "CH", "GB", "CN", "IN", "BR", "JP", "KR", "RU", "CA", "IE", "FR")
# Presidio's and our own names that policies speak of most, by what kind of value they are.
_CATEGORIES: Mapping[str, Category] = {
    "API_KEY": Category.CREDENTIAL,
    "CREDIT_CARD": Category.CARD,
    "CRYPTO": Category.CRYPTO,
    "EMAIL_ADDRESS": Category.CONTACT,
    "IBAN_CODE": Category.BANK,
    "IP_ADDRESS": Category.NETWORK,
    "JWT": Category.CREDENTIAL,
    "LOCATION": Category.ADDRESS,
    "PERSON": Category.PERSONAL,
    "PHONE_NUMBER": Category.CONTACT,
    "PRIVATE_KEY": Category.CREDENTIAL,
    "US_SSN": Category.SOCIAL_SECURITY,
}


@frozen
class Axis:
    """Values of one part of the input; the first is the plainest and says the least."""

    name: str
    values: tuple[Any, ...]


@frozen
class Vocabulary:
    """The axes of an input, those of the core first."""

    axes: tuple[Axis, ...]
    core: tuple[int, ...]
    inputs: Inputs

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many values each axis has."""
        return tuple(len(axis.values) for axis in self.axes)

    def facts(self, row: Row) -> Facts:
        """The input that takes the value at `row[i]` of axis `i`."""
        return self.inputs.facts(row)

    def described(self, row: Row) -> dict[str, Any]:
        """What `row` says beyond the plainest input."""
        pairs = zip(self.axes, row, strict=True)
        return {axis.name: _plainly(axis.values[at]) for axis, at in pairs if at}


def vocabulary_of(bundles: Sequence[Bundle]) -> Vocabulary:
    """The vocabulary that `bundles` (at least one) share.

    Levels are those of the first bundle, which is the one that would be in force.
    """
    named = Named(bundles)
    core, rest = _core(bundles, named), _rest(bundles, named)
    axes = tuple(axis for axis in (*core, *rest) if len(axis.values) > 1)
    names = {axis.name for axis in core}
    return Vocabulary(
        axes=axes,
        core=tuple(at for at, axis in enumerate(axes) if axis.name in names),
        inputs=Inputs([(axis.name, axis.values) for axis in axes], bundles[0].levels),
    )


def _plainly(value: object) -> Any:
    return json.loads(json.dumps(value, default=str))


# --- axes ----------------------------------------------------------------------------------------------------------


def _core(bundles: Sequence[Bundle], named: Named) -> list[Axis]:
    """What law speaks of, in the order in which combinations are tried: the invariants need these whoever reads them."""
    labels = dict.fromkeys(("health", "credentials", "financial", *named.words("classification.labels")))
    phases = [phase for phase in get_args(Phase) if any(bundle.applicable(phase) for bundle in bundles)]
    return [
        Axis(name="phase", values=tuple(phases or ["request"])),
        Axis(name="entity", values=(None, *_unnamed(), *_entities(named))),
        Axis(name="subject", values=(None, *_countries(named))),
        Axis(name="label", values=(None, *labels)),
        Axis(name="origin.jurisdiction", values=_countries(named)),
        Axis(name="classification.status", values=tuple(DetectionStatus)),
    ]


def _rest(bundles: Sequence[Bundle], named: Named) -> Iterator[Axis]:
    words, amounts = named.words, named.amounts
    yield Axis(name="entity.permille", values=named.permille("classification.entities"))
    yield Axis(name="entity.validated", values=(False, True))
    yield Axis(name="subject.permille", values=named.permille("origin.subject_jurisdictions"))
    yield Axis(name="label.permille", values=named.permille("classification.labels"))
    yield Axis(name="entity.where", values=tuple((role,) for role in dict.fromkeys((Role.USER, *Role))))
    yield Axis(name="entity.count", values=tuple(n for n in amounts("classification.entities", most=100) if n))
    yield Axis(name="entity.second", values=(None, *_unnamed()))
    yield Axis(name="subject.second", values=(None, "DE", "US"))
    yield from (Axis(name=f"principal.{key}", values=_identities(bundles, key)) for key in ("tenant", "id"))
    offered: dict[str, tuple[Any, ...]] = {
        "classification.level": tuple(Level)[:4],
        "classification.residency_labels": ((), *((word,) for word in words("classification.residency_labels"))),
        "context.env": (SAMPLE, *words("context.env")),
        "context.route": (SAMPLE, *words("context.route")),
        "context.time.hour": tuple((hour + 12) % 24 for hour in range(24)),
        "context.time.weekday": tuple(range(1, 8)),
        "context.time.date": ("2026-01-05", *_dates(named)),
        "origin.basis": ("default", "content", "geo", "header", "tenant", "token"),
        "principal.attributes": ({}, *_attributes(named)),
        "principal.clearance": tuple(range(5)),
        "principal.groups": ((), *((word,) for word in words("principal.groups"))),
        "principal.kind": ("user", "service", "agent", "anonymous"),
        "prior.action": ("allow", "allow_modified", "deny"),
        "request.bytes": amounts("request.bytes"),
        "request.media": ((), *((media,) for media in Media)),
        "request.messages": amounts("request.messages"),
        "request.model": (SAMPLE, *words("request.model")),
        "request.operation": tuple(Operation),
        "request.parse.status": ("ok", "partial", "failed", "unsupported"),
        "request.parse.truncated": (False, True),
        "request.protocol": ("openai", *words("request.protocol")),
        "request.provider": ("", SAMPLE, *words("request.provider")),
        "request.purpose": ("", SAMPLE, *words("request.purpose")),
        "request.stream": (False, True),
        "request.tokens_est": amounts("request.tokens_est"),
        "request.tools": ((), (SAMPLE,), *((word,) for word in words("request.tools"))),
        "request.uninspected": (None, *Unread),
        "response.region": (SAMPLE, *words("response.region")),
        "response.tier": tuple(Tier),
    }
    yield from (Axis(name=name, values=_once(values)) for name, values in offered.items() if named.reads(name))


def _once(values: Iterable[Any]) -> tuple[Any, ...]:
    found: list[Any] = []  # some values are mappings, which no set takes
    for value in values:
        if value not in found:
            found.append(value)
    return tuple(found)


# --- values --------------------------------------------------------------------------------------------------------


def _countries(named: Named) -> tuple[str, ...]:
    """`unknown`, the codes that a policy spells out, and one country for each set that the tables cannot tell apart."""
    tables = (*named.tables, EU, EEA)
    found: dict[tuple[bool, ...], str] = {}
    for code in (*_FAMILIAR, *sorted(COUNTRIES)):
        found.setdefault(tuple(code in table for table in tables), code)
    spelt = sorted(code for code in named.strings if code.partition("-")[0] in COUNTRIES)
    return tuple(dict.fromkeys((_UNKNOWN, *found.values(), *spelt[:MOST])))


def _unnamed() -> Iterator[tuple[str, Category]]:
    """An entity of each category that no policy knows by name."""
    return ((f"SAMPLE_{category.name}", category) for category in Category)


def _entities(named: Named) -> Iterator[tuple[str, Category]]:
    """Each type of entity that somebody names."""
    names = sorted(text for text in named.strings if len(text) > 2 and text.isupper() and text.isidentifier())
    return ((name, _CATEGORIES.get(name, Category.OTHER)) for name in names)


def _dates(named: Named) -> tuple[str, ...]:
    return tuple(sorted(text for text in named.strings if len(text) == 10 and text[4::3] == "--"))[:MOST]


def _attributes(named: Named) -> Iterator[dict[str, str]]:
    words = (SAMPLE, "true", *named.words("principal.attributes"))
    return ({name: word} for name in named.below("principal.attributes") for word in words)


def _identities(bundles: Sequence[Bundle], key: str) -> tuple[str, ...]:
    """One tenant or principal for each set of rollouts that somebody can be in."""
    found: dict[tuple[Modes | None, ...], str] = {}
    reaches = [reach_of(bundle, phase) for bundle in bundles for phase in get_args(Phase)]
    sample = plain()
    for at in range(256):
        name = SAMPLE if at == 0 else f"{SAMPLE}-{at}"
        changed: dict[str, Any] = {key: name}
        # Jurisdictions are another axis: all of them here.
        facts = replace(sample, principal=replace(sample.principal, **changed))
        found.setdefault(tuple(reach.terms(facts).key for reach in reaches), name)
    return tuple(found.values())[:MOST]
