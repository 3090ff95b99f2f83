"""What policies and their data name: the strings, numbers and tables that an input can be compared with.

LIMIT: names that policies compute (`concat`, `sprintf`) and regular expressions are not found.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

from governance.decision import Mode
from governance.finding import Category, DetectionStatus
from governance.frozen import frozen
from governance.inference import Media, Operation, Unread
from governance.policy.bundle import ROOT, Bundle
from governance.policy.contract import schemas
from governance.policy.impact.inputs import CERTAIN
from governance.policy.metadata import LIBRARY
from governance.policy.source import Module, Path, code_of
from governance.residency import COUNTRIES, Level, Tier
from governance.segment import Role

# How many words of one field are tried, and how long one may be.
MOST = 24
_LONGEST = 64
# What follows these in an effect is an id that the policy gives away, not one that it compares with.
_GIVEN = frozenset({"effect", "rule", "code", "message_id", "operator"})
# Words of the contract itself, which no free field is compared with.
_CLOSED = frozenset(
    str(word) for kind in (Level, Tier, Category, DetectionStatus, Operation, Media, Unread, Role) for word in kind
)


@frozen
class _Asked:
    """One module: what it names, the paths below `input` and `data` that it refers to, and what the data holds there."""

    package: Path
    constants: tuple[str | int, ...]
    inputs: frozenset[Path]
    data: frozenset[Path]
    held: tuple[object, ...]

    @classmethod
    def of(cls, module: Module, data: Mapping[str, object]) -> _Asked:
        """What `module` names beside this data."""
        paths = [module.absolute(reference) for reference in module.references]
        used = frozenset(path[1:] for path in paths if path[0] == "data")
        return cls(
            package=module.package,
            constants=tuple(_constants(module)),
            inputs=frozenset(path[1:] for path in paths if path[0] == "input"),
            data=used,
            held=tuple(_at(data, path) for path in used),
        )

    def reads(self, field: Path) -> bool:
        """Whether it refers to `field`, to a part of it, or to what it is a part of."""
        return any(path[: len(field)] == field or field[: len(path)] == path for path in self.inputs)


class _Gathered:
    """The constants of modules and of the data that they use. Countries of a table stand in `tables` alone."""

    def __init__(self, modules: Iterable[_Asked]) -> None:
        self.strings: set[str] = set()
        self.numbers: set[int] = set()
        self.tables: set[frozenset[str]] = set()
        for module in modules:
            for value in (*module.constants, *module.held):
                self._take(value)

    def _take(self, value: object) -> None:
        match value:
            case Mapping() | list():
                members = frozenset(key for key in value if isinstance(key, str))
                if members & COUNTRIES:
                    self.tables.add(members & COUNTRIES)
                self.strings |= members - COUNTRIES
                inside = value.values() if isinstance(value, Mapping) else value
                for item in inside:
                    if not (isinstance(value, list) and isinstance(item, str)):
                        self._take(item)
            case str():
                self.strings.add(value)
            case int() if not isinstance(value, bool):
                self.numbers.add(value)
            case _:
                pass


class Named:
    """What some bundles name together: `strings` that fit into a field, and the countries of each table in `tables`."""

    def __init__(self, bundles: Sequence[Bundle]) -> None:
        self._bundles = [[_Asked.of(module, bundle.data) for module in asked_modules(bundle)] for bundle in bundles]
        found = _Gathered(module for modules in self._bundles for module in modules)
        asked = [policy for bundle in bundles for policy in bundle.policies if policy.mode is not Mode.OFF]
        found.strings.update(code for policy in asked for code in policy.jurisdictions)
        self.strings = frozenset(filter(_fits, found.strings))
        self.tables = tuple(sorted(found.tables, key=sorted))

    def reads(self, name: str) -> bool:
        """Whether some policy that is asked reads the field `name`, a part of it, or what it is a part of."""
        return any(module.reads(_path(name)) for modules in self._bundles for module in modules)

    def below(self, name: str) -> list[str]:
        """The keys of the field `name` that policies spell out, sorted."""
        at = _path(name)
        paths = {path for modules in self._bundles for module in modules for path in module.inputs}
        return sorted({path[len(at)] for path in paths if path[: len(at)] == at and len(path) > len(at)})

    def words(self, name: str) -> tuple[str, ...]:
        """What the field `name` may be compared with: lower-case strings around its readers."""
        found = (text for text in self._around(name).strings if text == text.lower() and _fits(text))
        return tuple(sorted(word for word in found if word not in _CLOSED)[:MOST])

    def permille(self, name: str) -> tuple[int, ...]:
        """Certain, and both sides of each threshold."""
        limits = {number for number in self._around(name).numbers if 1 < number <= CERTAIN}
        return tuple(dict.fromkeys((CERTAIN, 0, *sorted({side for limit in limits for side in (limit - 1, limit)}))))

    def amounts(self, name: str, *, most: int = 2**53 - 2) -> tuple[int, ...]:
        """One, none, and both sides of each number."""
        numbers = [number for number in self._around(name).numbers if 0 < number <= most]
        sides = {side for number in numbers for side in (number - 1, number, number + 1)}
        return tuple(dict.fromkeys((1, 0, *sorted(sides))))

    def _around(self, name: str) -> _Gathered:
        """What the modules name that read the field `name` or ask one that does."""
        return _Gathered(module for modules in self._bundles for module in _near(modules, _path(name)))


def asked_modules(bundle: Bundle) -> list[Module]:
    """The modules of policies that are not off, and the library."""
    off = {policy.id for policy in bundle.policies if policy.mode is Mode.OFF}
    return [module for module in bundle.modules if module.package[:2] != ROOT or module.package[-1] not in off]


def _near(modules: Sequence[_Asked], field: Path) -> Iterator[_Asked]:
    readers = {id(module): module for module in modules if module.reads(field)}
    shared = {module.package for module in readers.values() if module.package[:2] == LIBRARY}
    yield from (m for m in modules if id(m) in readers or any(path[:3] in shared for path in m.data))


def _path(name: str) -> Path:
    return tuple(name.split("."))


def _fits(text: str) -> bool:
    return 0 < len(text) <= _LONGEST and " " not in text


def _at(data: object, path: Path) -> object:
    for part in path:
        if not isinstance(data, Mapping) or part not in data:
            return None
        data = data[part]
    return data


def _constants(module: Module) -> Iterator[str | int]:
    """Strings and whole numbers in the source of a module, without the ids that its effects carry."""
    tokens = [token for token, _ in code_of(module.text, module.file)]
    keys = _keys()
    for at, token in enumerate(tokens):
        key = tokens[at - 2].text.strip('"') if at > 1 and tokens[at - 1].text == ":" else ""
        if token.kind == "string" and key not in _GIVEN and token.text.strip('"') not in keys:
            yield json.loads(token.text)
        elif token.kind == "raw":
            yield token.text[1:-1]
        elif token.kind == "number" and token.text.isdecimal() and key not in keys:
            yield int(token.text)


@functools.cache
def _keys() -> frozenset[str]:
    """The keys of effects, which no input is compared with."""
    kinds = schemas()["ringfence.effects-1.json"]["$defs"].values()
    return frozenset(key for kind in kinds for key in kind.get("properties", {}))
