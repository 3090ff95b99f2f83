"""The rows of `cases.yaml`: what a policy says to an input, told by the difference from a plain one.

YAML is read as JSON is: only `true`, `false`, `null` and decimal numbers are anything but text, so that `NO` is Norway.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from governance.decision import Contribution
from governance.errors import ConfigInvalid
from governance.frozen import frozen
from governance.policy.bundle import CASES, ROOT, Bundle
from governance.policy.contract import facts_bytes, facts_from_bytes
from governance.policy.sample import plain

_MAX_BYTES = 1024 * 1024
_FIELDS = frozenset({"name", "input", "params", "effects"})
_EFFECT = re.compile(r"(allow|deny|pin|redact|route|respond|audit|header|note)/[a-z][a-z0-9_]*", re.ASCII)


@frozen
class Case:
    """One row. `document` is a whole input; `params` None leaves those of the policy; `effects` are `effect/rule`."""

    name: str
    file: str
    line: int
    document: bytes
    params: Mapping[str, Any] | None
    effects: frozenset[str]


class _Loader(yaml.SafeLoader):
    """YAML with the scalars of JSON and without repeated keys."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012  (its base's own)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        found = super().construct_mapping(node, deep=deep)
        if len(found) != len(node.value):
            raise yaml.constructor.ConstructorError(None, None, "a key occurs twice", node.start_mark)
        return found


for _tag, _words, _first in (
    ("bool", r"true|false", "tf"),
    ("int", r"-?(0|[1-9][0-9]*)", "-0123456789"),
    ("null", r"null|", ["n", ""]),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"(?:{_words})\Z"), list(_first))


def read_cases(path: Path) -> tuple[Case, ...]:
    """The cases in `path`, in order. Raises ConfigInvalid with file and line for a row that cannot be used."""
    try:
        with path.open("rb") as stream:
            raw = stream.read(_MAX_BYTES + 1)
        return parse_cases(raw.decode(), str(path))
    except OSError as error:
        raise ConfigInvalid(f"cannot be read: {(error.strerror or '').lower()}", file=str(path)) from None
    except UnicodeDecodeError:
        raise ConfigInvalid("not UTF-8", file=str(path), line=1) from None


def parse_cases(text: str, file: str) -> tuple[Case, ...]:
    """The cases in `text`, in order. Raises ConfigInvalid as `read_cases` does, with `file` for the place."""
    if len(text) > _MAX_BYTES:
        raise ConfigInvalid(f"larger than {_MAX_BYTES} bytes", file=file)
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        if not isinstance(root, yaml.SequenceNode):
            raise ConfigInvalid("a list of cases", file=file, line=1)
        rows = [(node.start_mark.line + 1, loader.construct_object(node, deep=True)) for node in root.value]
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "not valid YAML"
        raise ConfigInvalid(problem, file=file, line=mark.line + 1 if mark else 1) from None
    except (ValueError, RecursionError):
        raise ConfigInvalid("not valid YAML", file=file, line=1) from None
    cases = tuple(_case(row, file, line) for line, row in rows)
    seen: set[str] = set()
    for case in cases:
        if case.name in seen:
            raise ConfigInvalid(f"a second case is called `{case.name}`", file=file, line=case.line)
        seen.add(case.name)
    return cases


def cases_in(bundle: Bundle) -> Mapping[str, tuple[Case, ...]]:
    """The cases of each policy of `bundle` that has some. Raises ConfigInvalid."""
    files = {policy.id: str(Path(policy.file).parent / CASES) for policy in bundle.policies}
    return {policy: parse_cases(text, files[policy]) for policy, text in bundle.cases.items()}


def with_params(bundle: Bundle, policy: str, params: Mapping[str, Any] | None) -> Bundle:
    """`bundle` with `params` laid over the parameters of `policy`."""
    if params is None:
        return bundle
    data = copy.deepcopy(dict(bundle.data))
    own = data.setdefault("ringfence", {}).setdefault("params", {})
    own[policy] = laid_over(own.get(policy, {}), params)
    return replace(bundle, data=MappingProxyType(data))


def alone(bundle: Bundle, policy: str) -> Bundle:
    """`bundle` without the other policies, which compiles in a fraction of the time; whole where one refers to another."""
    modules = tuple(one for one in bundle.modules if one.package[:2] != ROOT or one.package[2] == policy)
    for module in modules:
        for reference in module.references:
            path = module.absolute(reference)
            # A path that ends above a policy reads all of them.
            if path[0] == "data" and ROOT[: len(path) - 1] == path[1:3] and path[3:4] != (policy,):
                return bundle
    kept = tuple(one for one in bundle.policies if one.id == policy)
    return replace(bundle, policies=kept, modules=modules, plan=None)


def laid_over(under: Any, over: Any) -> Any:
    """`over` on top of `under`: mappings merge, everything else replaces."""
    if not isinstance(under, Mapping) or not isinstance(over, Mapping):
        return over
    return {**under, **{key: laid_over(under.get(key), value) for key, value in over.items()}}


def by_params(cases: Iterable[Case]) -> Iterator[tuple[Mapping[str, Any] | None, list[Case]]]:
    """The cases in groups of equal parameters, because an engine is made once for each."""
    groups: dict[str, list[Case]] = {}
    for case in cases:
        groups.setdefault(json.dumps(case.params, sort_keys=True), []).append(case)
    for group in groups.values():
        yield group[0].params, group


def said_by(contribution: Contribution) -> frozenset[str]:
    """What a policy said, as a case says it; a failure is `failure/` and its kind."""
    if contribution.failure is not None:
        return frozenset({f"failure/{contribution.failure}"})
    return frozenset(f"{effect.effect}/{effect.rule}" for effect in contribution.effects)


def _case(row: object, file: str, line: int) -> Case:
    def invalid(message: str) -> ConfigInvalid:
        return ConfigInvalid(message, file=file, line=line)

    if not isinstance(row, dict):
        raise invalid("a case is a mapping of name, input and effects")
    unknown = sorted(str(key) for key in row if key not in _FIELDS)
    if unknown:
        raise invalid(f"`{unknown[0]}` is no part of a case: name, input, params, effects")
    name, effects = row.get("name"), row.get("effects")
    if not isinstance(name, str) or not 0 < len(name) <= 200:
        raise invalid("a case has a `name`")
    if not isinstance(effects, list):
        raise invalid(f"case `{name}` has no list of `effects`; none is `[]`")
    for effect in effects:
        if not isinstance(effect, str) or not _EFFECT.fullmatch(effect):
            raise invalid(f"case `{name}`: an effect is `effect/rule`, such as `deny/certain`")
    given, params = row.get("input", {}), row.get("params")
    if not isinstance(given, dict):
        raise invalid(f"case `{name}`: `input` is a mapping")
    if params is not None and not isinstance(params, dict):
        raise invalid(f"case `{name}`: `params` is a mapping")
    try:
        document = laid_over(json.loads(facts_bytes(plain())), given)
        facts = facts_from_bytes(json.dumps(document, ensure_ascii=False).encode())
    except ConfigInvalid as error:
        raise invalid(f"case `{name}`: {error}") from None
    except (TypeError, ValueError, RecursionError):
        raise invalid(f"case `{name}`: `input` is not JSON") from None
    return Case(
        name=name,
        file=file,
        line=line,
        document=facts_bytes(facts),
        params=params,
        effects=frozenset(effects),
    )
