"""The finite vocabulary of inputs that a bundle can tell apart, as axes of values.

The contract closes most fields (levels, phases, statuses, categories); the rest is made finite by the bundle itself:
the strings and numbers that its policies and data name, a value just below each number, and one value that nobody
names. Countries that no table of the bundle tells apart have one of them stand for all. A field that no policy refers to
stays as it is in the plain sample.
LIMIT: names that policies compute (`concat`, `sprintf`) and regular expressions are not found.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, get_args

from governance.decision import (
    AnyOf,
    Audit,
    AuditEffect,
    DenyParams,
    Excluded,
    Header,
    Mode,
    OperatorParams,
    Pin,
    Redact,
    Respond,
    RouteParams,
)
from governance.facts import (
    Classification,
    EntityFact,
    Facts,
    LabelFact,
    Origin,
    Parse,
    Phase,
    Principal,
    Prior,
    Request,
    Served,
    SubjectJurisdiction,
    Surroundings,
    Time,
    UninspectedCount,
)
from governance.finding import Category, DetectionStatus
from governance.frozen import frozen
from governance.inference import Media, Operation, Unread
from governance.policy.bundle import ROOT, Bundle
from governance.policy.impact.covering import Row
from governance.policy.metadata import LIBRARY
from governance.policy.rollout import Modes, reach_of
from governance.policy.sample import plain
from governance.policy.source import Module, code_of
from governance.residency import COUNTRIES, EEA, EU, Level, Tier
from governance.segment import Role

CERTAIN = 1000
UNKNOWN = "unknown"
_OTHER = "sample"
_MOST = 24
_LONGEST = 64
# What follows these in an effect is an id that the policy gives away, not one that it compares with.
_GIVEN = frozenset({"effect", "rule", "code", "message_id", "operator"})
# Keys of an effect, which no input is compared with.
_KEYS = _GIVEN | frozenset(
    field.name
    for kind in (
        AuditEffect,
        Audit,
        DenyParams,
        Header,
        OperatorParams,
        Pin,
        Redact,
        Respond,
        RouteParams,
        AnyOf,
        Excluded,
    )
    for field in fields(kind)
)
# Representatives are sought in this order first, so that a counterexample reads well.
_FAMILIAR = ("DE", "US", "NO", "CH", "GB", "CN", "IN", "BR", "JP", "KR", "RU", "CA", "IE", "FR")
# Words of the contract itself, which no free field is compared with.
_CLOSED = (Level, Tier, Category, DetectionStatus, Operation, Media, Unread, Role)
# Presidio's and our own names that policies speak of most, by what kind of value they are.
CATEGORIES: Mapping[str, Category] = {
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
    levels: Mapping[str, Level]

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many values each axis has."""
        return tuple(len(axis.values) for axis in self.axes)

    def facts(self, row: Row) -> Facts:
        """The input that takes the value at `row[i]` of axis `i`."""
        chosen = {axis.name: axis.values[at] for axis, at in zip(self.axes, row, strict=True)}
        return _facts(chosen, self.levels)

    def described(self, row: Row) -> dict[str, Any]:
        """What `row` says beyond the plainest input."""
        pairs = zip(self.axes, row, strict=True)
        return {axis.name: _plainly(axis.values[at]) for axis, at in pairs if at}


@frozen
class _Constants:
    """What a bundle names. Countries of a table stand in `tables`, those that a policy spells out in `strings`."""

    strings: frozenset[str]
    tables: tuple[frozenset[str], ...]


def vocabulary_of(bundles: Sequence[Bundle], *, categories: Mapping[str, Category] = CATEGORIES) -> Vocabulary:
    """The vocabulary that `bundles` (at least one) share; `categories` says what kind of value an entity type is.

    Levels are those of the first bundle, which is the one that would be in force.
    """
    constants = _constants(bundles)
    core, rest = _core(bundles, constants, categories), _rest(bundles, constants)
    axes = tuple(axis for axis in (*core, *rest) if len(axis.values) > 1)
    names = {axis.name for axis in core}
    return Vocabulary(
        axes=axes,
        core=tuple(at for at, axis in enumerate(axes) if axis.name in names),
        levels=bundles[0].levels,
    )


# --- constants -----------------------------------------------------------------------------------------------------


def _constants(bundles: Sequence[Bundle]) -> _Constants:
    strings: set[str] = set()
    tables: set[frozenset[str]] = set()
    for bundle in bundles:
        for module in asked_modules(bundle):
            strings |= {value for value in _named(module.text, module.file) if isinstance(value, str)}
            for path in _paths(module, "data"):
                _gather(_at(bundle.data, path), strings, set(), tables)
        strings |= {code for policy in bundle.policies for code in policy.jurisdictions if policy.mode is not Mode.OFF}
    return _Constants(
        strings=frozenset(text for text in strings if 0 < len(text) <= _LONGEST and " " not in text),
        tables=tuple(sorted(tables, key=sorted)),
    )


def asked_modules(bundle: Bundle) -> list[Module]:
    """The modules of policies that are not off, and the library."""
    off = {policy.id for policy in bundle.policies if policy.mode is Mode.OFF}
    return [module for module in bundle.modules if module.package[:2] != ROOT or module.package[-1] not in off]


def _named(text: str, file: str) -> Iterator[str | int]:
    """Strings and whole numbers in the source of a module, without the ids that its effects carry."""
    tokens = [token for token, _ in code_of(text, file)]
    for at, token in enumerate(tokens):
        key = tokens[at - 2].text.strip('"') if at > 1 and tokens[at - 1].text == ":" else ""
        if token.kind == "string" and key not in _GIVEN and token.text.strip('"') not in _KEYS:
            yield json.loads(token.text)
        elif token.kind == "raw":
            yield token.text[1:-1]
        elif token.kind == "number" and token.text.isdecimal() and key not in _KEYS:
            yield int(token.text)


def _gather(value: object, strings: set[str], numbers: set[int], tables: set[frozenset[str]]) -> None:
    match value:
        case Mapping() | list():
            members = [key for key in value if isinstance(key, str)]
            countries = frozenset(members) & COUNTRIES
            if countries:
                tables.add(countries)
            strings.update(member for member in members if member not in COUNTRIES)
            for item in value.values() if isinstance(value, Mapping) else value:
                if not (isinstance(value, list) and isinstance(item, str)):
                    _gather(item, strings, numbers, tables)
        case str():
            strings.add(value)
        case int() if not isinstance(value, bool):
            numbers.add(value)
        case _:
            pass


def _countries(constants: _Constants) -> tuple[str, ...]:
    """`unknown`, the codes that a policy spells out, and one country for each set that the tables cannot tell apart."""
    tables = (*constants.tables, EU, EEA)
    found: dict[tuple[bool, ...], str] = {}
    for code in (*_FAMILIAR, *sorted(COUNTRIES)):
        found.setdefault(tuple(code in table for table in tables), code)
    spelt = sorted(code for code in constants.strings if code.partition("-")[0] in COUNTRIES)
    return tuple(dict.fromkeys((UNKNOWN, *found.values(), *spelt[:_MOST])))


def _entities(constants: _Constants, categories: Mapping[str, Category]) -> tuple[tuple[str, Category] | None, ...]:
    """No entity, one of each category that no policy knows by name, and each type that somebody names."""
    named = sorted(text for text in constants.strings if len(text) > 2 and text.isupper() and text.isidentifier())
    unnamed = [(f"SAMPLE_{category.name}", category) for category in Category]
    return (None, *unnamed, *((name, categories.get(name, Category.OTHER)) for name in named))


def _near(bundles: Sequence[Bundle], name: str) -> tuple[set[str], set[int]]:
    """Strings and numbers of the modules that read the field `name` or ask one that does, and of the data they use."""
    wanted = tuple(name.split("."))
    strings: set[str] = set()
    numbers: set[int] = set()
    for bundle in bundles:
        asked = asked_modules(bundle)
        readers = [module for module in asked if any(_meets(path, wanted) for path in _paths(module, "input"))]
        packages = {module.package for module in readers if module.package[:2] == LIBRARY}
        for module in asked:
            data = _paths(module, "data")
            if module in readers or any(path[:3] in packages for path in data):
                for value in _named(module.text, module.file):
                    _gather(value, strings, numbers, set())
                for path in data:
                    _gather(_at(bundle.data, path), strings, numbers, set())
    return strings, numbers


def _words(bundles: Sequence[Bundle], name: str) -> tuple[str, ...]:
    """What the field `name` may be compared with: lower-case strings around its readers."""
    found, _ = _near(bundles, name)
    closed = {str(word) for kind in _CLOSED for word in kind}
    words = sorted(text for text in found if text == text.lower() and 0 < len(text) <= _LONGEST and " " not in text)
    return tuple(word for word in words if word not in closed)[:_MOST]


def _permille(bundles: Sequence[Bundle], name: str) -> tuple[int, ...]:
    """Certain, and both sides of each threshold."""
    _, numbers = _near(bundles, name)
    limits = {number for number in numbers if 1 < number <= CERTAIN}
    return tuple(dict.fromkeys((CERTAIN, 0, *sorted({side for limit in limits for side in (limit - 1, limit)}))))


def _amounts(bundles: Sequence[Bundle], name: str, *, most: int = 2**53 - 2) -> tuple[int, ...]:
    """One, none, and both sides of each number."""
    _, numbers = _near(bundles, name)
    sides = {side for number in numbers if 0 < number <= most for side in (number - 1, number, number + 1)}
    return tuple(dict.fromkeys((1, 0, *sorted(sides))))


def _paths(module: Module, root: str) -> set[tuple[str, ...]]:
    absolute = (module.absolute(reference) for reference in module.references)
    return {path[1:] for path in absolute if path[0] == root}


def _meets(path: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    """Whether `path` is a part of `wanted` or the other way round."""
    return path[: len(wanted)] == wanted or wanted[: len(path)] == path


def _at(data: object, path: tuple[str, ...]) -> object:
    for part in path:
        if not isinstance(data, Mapping) or part not in data:
            return None
        data = data[part]
    return data


# --- axes ----------------------------------------------------------------------------------------------------------


def _core(bundles: Sequence[Bundle], constants: _Constants, categories: Mapping[str, Category]) -> list[Axis]:
    """What law speaks of, in the order in which combinations are tried: the invariants need these whoever reads them."""
    labels = dict.fromkeys(("health", "credentials", "financial", *_words(bundles, "classification.labels")))
    phases = [phase for phase in get_args(Phase) if any(bundle.applicable(phase) for bundle in bundles)]
    return [
        Axis(name="phase", values=tuple(phases or ["request"])),
        Axis(name="entity", values=_entities(constants, categories)),
        Axis(name="subject", values=(None, *_countries(constants))),
        Axis(name="label", values=(None, *labels)),
        Axis(name="origin.jurisdiction", values=_countries(constants)),
        Axis(name="classification.status", values=tuple(DetectionStatus)),
    ]


def _rest(bundles: Sequence[Bundle], constants: _Constants) -> Iterator[Axis]:
    wanted, words, amounts = _reads(bundles), functools.partial(_words, bundles), functools.partial(_amounts, bundles)
    entities = _entities(constants, {})
    yield Axis(name="entity.permille", values=_permille(bundles, "classification.entities"))
    yield Axis(name="entity.validated", values=(False, True))
    yield Axis(name="subject.permille", values=_permille(bundles, "origin.subject_jurisdictions"))
    yield Axis(name="label.permille", values=_permille(bundles, "classification.labels"))
    yield Axis(name="entity.where", values=tuple((role,) for role in dict.fromkeys((Role.USER, *Role))))
    yield Axis(name="entity.count", values=tuple(n for n in amounts("classification.entities", most=100) if n))
    yield Axis(name="entity.second", values=(None, *entities[1 : 1 + len(Category)]))
    yield Axis(name="subject.second", values=(None, "DE", "US"))
    yield from (Axis(name=f"principal.{key}", values=_identities(bundles, key)) for key in ("tenant", "id"))
    offered: dict[str, tuple[Any, ...]] = {
        "classification.level": tuple(Level)[:4],
        "classification.residency_labels": ((), *((word,) for word in words("classification.residency_labels"))),
        "context.env": (_OTHER, *words("context.env")),
        "context.route": (_OTHER, *words("context.route")),
        "context.time.hour": tuple((hour + 12) % 24 for hour in range(24)),
        "context.time.weekday": tuple(range(1, 8)),
        "context.time.date": ("2026-01-05", *_dates(constants)),
        "origin.basis": ("default", "content", "geo", "header", "tenant", "token"),
        "principal.attributes": ({}, *_attributes(bundles, words("principal.attributes"))),
        "principal.clearance": tuple(range(5)),
        "principal.groups": ((), *((word,) for word in words("principal.groups"))),
        "principal.kind": ("user", "service", "agent", "anonymous"),
        "prior.action": ("allow", "allow_modified", "deny"),
        "request.bytes": amounts("request.bytes"),
        "request.media": ((), *((media,) for media in Media)),
        "request.messages": amounts("request.messages"),
        "request.model": (_OTHER, *words("request.model")),
        "request.operation": tuple(Operation),
        "request.parse.status": ("ok", "partial", "failed", "unsupported"),
        "request.parse.truncated": (False, True),
        "request.protocol": ("openai", *words("request.protocol")),
        "request.provider": ("", _OTHER, *words("request.provider")),
        "request.purpose": ("", _OTHER, *words("request.purpose")),
        "request.stream": (False, True),
        "request.tokens_est": amounts("request.tokens_est"),
        "request.tools": ((), (_OTHER,), *((word,) for word in words("request.tools"))),
        "request.uninspected": (None, *Unread),
        "response.region": (_OTHER, *words("response.region")),
        "response.tier": tuple(Tier),
    }
    yield from (Axis(name=name, values=_once(values)) for name, values in offered.items() if wanted(name))


def _once(values: Iterable[Any]) -> tuple[Any, ...]:
    found: list[Any] = []
    for value in values:
        if value not in found:
            found.append(value)
    return tuple(found)


def _reads(bundles: Sequence[Bundle]) -> Callable[[str], bool]:
    """Whether some policy that is asked reads a field, a part of it, or what it is a part of."""
    paths = {path for bundle in bundles for module in asked_modules(bundle) for path in _paths(module, "input")}
    return lambda name: any(_meets(path, tuple(name.split("."))) for path in paths)


def _dates(constants: _Constants) -> tuple[str, ...]:
    return tuple(sorted(text for text in constants.strings if len(text) == 10 and text[4::3] == "--"))[:_MOST]


def _attributes(bundles: Sequence[Bundle], words: Iterable[str]) -> Iterator[dict[str, str]]:
    paths = {path for bundle in bundles for module in asked_modules(bundle) for path in _paths(module, "input")}
    for name in sorted({path[2] for path in paths if path[:2] == ("principal", "attributes") and len(path) > 2}):
        yield from ({name: word} for word in (_OTHER, "true", *words))


def _identities(bundles: Sequence[Bundle], key: str) -> tuple[str, ...]:
    """One tenant or principal for each set of rollouts that somebody can be in."""
    found: dict[tuple[Modes, ...], str] = {}
    reaches = [reach_of(bundle, phase) for bundle in bundles for phase in get_args(Phase)]
    sample = plain()
    for at in range(256):
        name = _OTHER if at == 0 else f"{_OTHER}-{at}"
        principal = (
            Principal(id=name, kind="user", tenant=_OTHER)
            if key == "id"
            else Principal(id=_OTHER, kind="user", tenant=name)
        )
        # Jurisdictions are another axis: all of them here.
        facts = Facts(**{part: getattr(sample, part) for part in _PARTS} | {"principal": principal})
        found.setdefault(tuple(reach.modes(facts) for reach in reaches), name)
    return tuple(found.values())[:_MOST]


_PARTS = ("classification", "context", "origin", "phase", "principal", "prior", "request", "response", "schema")


# --- one input -----------------------------------------------------------------------------------------------------


def _facts(chosen: Mapping[str, Any], levels: Mapping[str, Level]) -> Facts:
    get = chosen.get
    phase: Phase = get("phase", "request")
    answered = phase != "request"
    return Facts(
        schema="ringfence.input/1",
        phase=phase,
        classification=_classification(chosen, levels),
        context=Surroundings(
            env=get("context.env", _OTHER),
            route=get("context.route", _OTHER),
            time=Time(
                utc_minute=29_000_000,
                hour=get("context.time.hour", 12),
                weekday=get("context.time.weekday", 1),
                date=get("context.time.date", "2026-01-05"),
            ),
        ),
        origin=_origin(chosen),
        principal=Principal(
            attributes=get("principal.attributes", {}),
            clearance=get("principal.clearance", 0),
            groups=get("principal.groups", ()),
            id=get("principal.id", _OTHER),
            kind=get("principal.kind", "user"),
            tenant=get("principal.tenant", _OTHER),
        ),
        prior=Prior(action=get("prior.action", "allow"), decision_id=_OTHER, pin=(), response="none")
        if answered
        else None,
        request=_request(chosen),
        response=Served(
            finish="stop",
            model=_OTHER,
            node=_OTHER,
            region=get("response.region", _OTHER),
            tier=get("response.tier", Tier.DEVICE),
        )
        if answered
        else None,
    )


def _request(chosen: Mapping[str, Any]) -> Request:
    get = chosen.get
    unread = get("request.uninspected")
    status = get("request.parse.status", "ok")
    return Request(
        bytes=get("request.bytes", 100),
        media=get("request.media", ()),
        messages=get("request.messages", 1),
        model=get("request.model", _OTHER),
        operation=get("request.operation", Operation.CHAT),
        parse=Parse(
            status=status, truncated=get("request.parse.truncated", False), reason="" if status == "ok" else _OTHER
        ),
        protocol=get("request.protocol", "openai"),
        provider=get("request.provider", ""),
        purpose=get("request.purpose", ""),
        stream=get("request.stream", False),
        tokens_est=get("request.tokens_est", 25),
        tools=get("request.tools", ()),
        uninspected=(UninspectedCount(count=1, reason=unread),) if unread is not None else (),
    )


def _origin(chosen: Mapping[str, Any]) -> Origin:
    first, second = chosen.get("subject"), chosen.get("subject.second")
    permille = {code: CERTAIN for code in (second,) if code is not None}
    if first is not None:
        permille[first] = chosen.get("subject.permille", CERTAIN)
    return Origin(
        basis=chosen.get("origin.basis", "default"),
        jurisdiction=chosen.get("origin.jurisdiction", UNKNOWN),
        subject_jurisdictions=tuple(
            SubjectJurisdiction(basis="content", code=code, permille=permille[code]) for code in sorted(permille)
        ),
    )


def _classification(chosen: Mapping[str, Any], levels: Mapping[str, Level]) -> Classification:
    status = chosen.get("classification.status", DetectionStatus.COMPLETE)
    first, second, label = chosen.get("entity"), chosen.get("entity.second"), chosen.get("label")
    rows: dict[str, EntityFact] = {}
    if second is not None:
        rows[second[0]] = EntityFact(
            category=second[1], count=1, max_permille=CERTAIN, type=second[0], validated=True, where=(Role.USER,)
        )
    if first is not None:
        rows[first[0]] = EntityFact(
            category=first[1],
            count=max(1, chosen.get("entity.count", 1)),
            max_permille=chosen.get("entity.permille", CERTAIN),
            type=first[0],
            validated=chosen.get("entity.validated", False),
            where=chosen.get("entity.where", (Role.USER,)),
        )
    level = _level(status, rows.values(), label, levels, chosen.get("classification.level", Level.PUBLIC))
    return Classification(
        detectors=(),
        entities=tuple(rows[name] for name in sorted(rows)),
        labels=(LabelFact(name=label, permille=chosen.get("label.permille", CERTAIN)),) if label is not None else (),
        level=level,
        level_rank=level.rank,
        residency_labels=chosen.get("classification.residency_labels", ()),
        status=status,
    )


def _level(
    status: DetectionStatus, rows: Iterable[EntityFact], label: str | None, levels: Mapping[str, Level], least: Level
) -> Level:
    """The level that such findings have, or `least` where that is more: whoever finds may know better."""
    if status is not DetectionStatus.COMPLETE:
        return Level.UNKNOWN
    found = [levels.get(row.type) or levels.get(row.category, Level.INTERNAL) for row in rows]
    found += [levels.get(label, Level.INTERNAL)] if label is not None else []
    return max((*found, least), key=lambda level: level.rank)


def _plainly(value: object) -> Any:
    return json.loads(json.dumps(value, default=str))
