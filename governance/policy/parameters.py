"""The parameters of policies: defaults in `params.json`, their schema beside it, overrides from the configuration.

A policy reads `data.ringfence.params.<id>.<name>`. An override replaces one parameter whole and is held to the schema
(JSON Schema 2020-12), or without one to the type of its default.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any

import jsonschema
from referencing import Registry
from referencing.exceptions import Unresolvable

from governance.errors import ConfigInvalid
from governance.frozen import frozen
from governance.policy.documents import document, refuse_floats
from governance.policy.metadata import ROOT
from governance.policy.source import Module
from governance.yaml_source import Place, SettingInvalid, nearest

DEFAULTS, SCHEMA = "params.json", "params.schema.json"
Values = Mapping[str, Any]

_LONGEST_REASON = 300
# Where overrides stand in the configuration.
_PLACE: Place = ("policy", "parameters")


@frozen
class Parameters:
    """What one policy can be told. `values` are the ones in effect; `schema` is empty where there is none."""

    policy: str
    defaults: Values
    values: Values
    schema: Values
    file: Path


def parameters_of(
    content: Mapping[str, bytes],
    paths: Mapping[str, Path],
    modules: Sequence[Module],
    overrides: Mapping[str, Values],
) -> Mapping[str, Parameters]:
    """The parameters of each policy that has some, by its id. Raises ConfigInvalid with the file to look at.

    `overrides` replace single values, by policy and name; SettingInvalid tells the one that is wrong.
    """
    owners = owners_of(modules)
    found: dict[str, Parameters] = {}
    for name, raw in content.items():
        if PurePosixPath(name).name not in (DEFAULTS, SCHEMA):
            continue
        policy = owner_of(name, paths[name], owners)
        if PurePosixPath(name).name == SCHEMA:
            if _beside(name, DEFAULTS) not in content:
                raise ConfigInvalid(f"there is no `{DEFAULTS}` beside it", file=str(paths[name]))
            continue
        schema_name = _beside(name, SCHEMA)
        schema = document(content[schema_name], paths[schema_name]) if schema_name in content else {}
        if schema:
            _check_schema(schema, paths[schema_name])
        defaults = document(raw, paths[name])
        file = paths[name]
        found[policy] = _settled(policy, defaults, schema, overrides.get(policy, {}), file)
    _refuse_unknown(overrides, {policy for ids in owners.values() for policy in ids}, found)
    return MappingProxyType(found)


def owners_of(modules: Sequence[Module]) -> Mapping[str, frozenset[str]]:
    """The ids of the policies in each directory, by the directory's name."""
    found: dict[str, frozenset[str]] = {}
    for module in modules:
        if module.package[:2] == ROOT:
            directory = str(PurePosixPath(module.name).parent)
            found[directory] = found.get(directory, frozenset()) | {module.package[2]}
    return found


def owner_of(name: str, path: Path, owners: Mapping[str, frozenset[str]]) -> str:
    """The policy that the file `name` belongs to: the one in its directory. Raises ConfigInvalid."""
    ids = owners.get(str(PurePosixPath(name).parent), frozenset())
    if len(ids) != 1:
        raise ConfigInvalid("belongs in a directory that holds one policy", file=str(path))
    return next(iter(ids))


def _settled(policy: str, defaults: Values, schema: Values, overrides: Values, file: Path) -> Parameters:
    reason = _wrong(defaults, schema, file)
    if reason is not None:
        place, what = reason
        named = ".".join(map(str, place)) or "the parameters"
        raise ConfigInvalid(f"policy `{policy}`, `{named}`: {what}", file=str(file))
    values = {**defaults, **overrides}
    if overrides:
        _check_overrides(policy, defaults, schema, overrides, file)
        reason = _wrong(values, schema, file)
        if reason is not None:
            place, what = reason
            raise SettingInvalid(what, place=(*_PLACE, policy, *place))
    return Parameters(
        policy=policy,
        defaults=MappingProxyType(dict(defaults)),
        values=MappingProxyType(values),
        schema=MappingProxyType(dict(schema)),
        file=file,
    )


def _check_overrides(policy: str, defaults: Values, schema: Values, overrides: Values, file: Path) -> None:
    known = set(defaults) | set(schema.get("properties", {}))
    for key, value in overrides.items():
        place = (*_PLACE, policy, key)
        if key not in known:
            what = f"policy `{policy}` has no parameter `{key}`{nearest(key, sorted(known))}"
            raise SettingInvalid(what, place=place)
        try:
            refuse_floats(value, file)
        except ConfigInvalid:
            raise SettingInvalid("may hold strings, whole numbers and booleans only", place=place) from None
        if not schema and type(value) is not type(defaults[key]):
            raise SettingInvalid(f"has another type in `{DEFAULTS}` of the policy", place=place)


def _check_schema(schema: dict[str, Any], path: Path) -> None:
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except (jsonschema.SchemaError, RecursionError):
        raise ConfigInvalid("not a JSON Schema of the dialect 2020-12", file=str(path), line=1) from None


def _wrong(values: Values, schema: Values, file: Path) -> tuple[Place, str] | None:
    """Where `values` are not as `schema` says, and why; None where they are. Raises ConfigInvalid for the schema."""
    if not schema:
        return None
    # A registry of its own is empty: the default one fetches a `$ref` from the network.
    checker = jsonschema.Draft202012Validator(dict(schema), registry=Registry())
    try:
        error = next(iter(checker.iter_errors(dict(values))), None)
    except (Unresolvable, RecursionError, ValueError):
        raise ConfigInvalid(f"`{SCHEMA}` refers to something that it does not hold", file=str(file)) from None
    except re.error:
        raise ConfigInvalid(f"`{SCHEMA}` holds a pattern that is none", file=str(file)) from None
    return None if error is None else (tuple(error.absolute_path), error.message[:_LONGEST_REASON])


def _refuse_unknown(overrides: Mapping[str, Values], policies: set[str], found: Mapping[str, Parameters]) -> None:
    for policy in sorted(overrides):
        if policy not in policies:
            what = f"no policy is called `{policy}`{nearest(policy, sorted(policies))}"
            raise SettingInvalid(what, place=(*_PLACE, policy))
        if policy not in found:
            raise SettingInvalid(f"policy `{policy}` has no parameters", place=(*_PLACE, policy))


def _beside(name: str, other: str) -> str:
    return str(PurePosixPath(name).with_name(other))
