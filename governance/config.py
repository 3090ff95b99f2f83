"""The configuration file: read strictly, checked as a whole, and frozen.

Relative paths are relative to the file. A mistake is a ConfigInvalid whose message names file, line and setting and says
what to write instead; all mistakes of a file are told at once. Any single value can be overridden by the environment:
`listen.port` by RINGFENCE_LISTEN_PORT. Secrets never stand in the file; see `governance.state`.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import os
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

import orjson
from pydantic import TypeAdapter, ValidationError

from governance import yaml_source
from governance.config_checks import problems
from governance.errors import ConfigInvalid
from governance.nodes.node import Node
from governance.settings import (
    BUILTIN,
    MODEL_OFF,
    REGISTRY_FILES,
    SHIPPED_MODELS,
    Audit,
    Config,
    Redaction,
    Settings,
    places,
)
from governance.yaml_source import Document, Place, SettingInvalid, Value, dotted, nearest, quoted

__all__ = ["SECRET_VARIABLES", "STARTER", "Config", "load", "located", "parse", "variables"]

STARTER: Final = Path(__file__).with_name("starter.yaml")
PREFIX: Final = "RINGFENCE_"
# Read by governance.state, never part of a Config: a Config may be shown.
SECRET_VARIABLES: Final = frozenset({"RINGFENCE_AUDIT_KEY", "RINGFENCE_REDACTION_KEY"})


def load(path: Path, *, environ: Mapping[str, str] | None = None) -> Config:
    """The configuration in `path`, overridden by `environ` (the process's own by default). Raises ConfigInvalid."""
    return parse(yaml_source.text(path), path, environ=environ)


def parse(text: str, file: Path, *, environ: Mapping[str, str] | None = None) -> Config:
    """The configuration in `text`, as if `file` held it: messages name that, and paths are relative to it."""
    overrides = _overrides(os.environ if environ is None else environ)
    document = yaml_source.parse(text, file=str(file))
    if not isinstance(document.value, dict):
        raise ConfigInvalid("is not a mapping of settings; `ringfence init` writes a starter file", file=str(file))
    tree = _overridden(document.value, overrides)
    sources = {place: name for place, (name, _) in overrides.items()}
    try:
        # JSON is the strict form in which lists may become tuples and text may become paths and enums, and nothing else.
        settings = _validator().validate_json(orjson.dumps(tree))
    except ValidationError as error:
        found = [(_place(entry["loc"]), _explained(entry)) for entry in error.errors(include_url=False)]
        raise _invalid(document, sources, found) from None
    base = Path(os.path.abspath(file)).parent  # noqa: PTH100  a link to the file does not move its relative paths
    config = _settled(settings, base, Path(file))
    if found := list(problems(config)):
        raise _invalid(document, sources, found)
    return config


def located(error: SettingInvalid, text: str, file: Path, *, environ: Mapping[str, str] | None = None) -> ConfigInvalid:
    """`error` with the line of its setting in `text`, which `file` holds and which could be parsed, or with the variable."""
    overrides = _overrides(os.environ if environ is None else environ)
    sources = {place: name for place, (name, _) in overrides.items()}
    return _invalid(yaml_source.parse(text, file=str(file)), sources, [(error.place, error.what)])


def variables() -> Mapping[str, Place]:
    """Environment variables and the setting that each overrides."""
    single = (place for place, kind in places().items() if "*" not in place and _is_single(kind))
    return {PREFIX + "_".join(str(step) for step in place).upper(): place for place in single}


@functools.cache
def _validator() -> TypeAdapter[Settings]:
    return TypeAdapter(Settings)


def _is_single(kind: Any) -> bool:
    return typing.get_origin(kind) in (None, typing.Union, types.UnionType, Literal)


# --- environment ---------------------------------------------------------------------------------------------------


def _overrides(environ: Mapping[str, str]) -> dict[Place, tuple[str, Value]]:
    known, kinds = variables(), places()
    found: dict[Place, tuple[str, Value]] = {}
    for name in sorted(name for name in environ if name.startswith(PREFIX) and name not in SECRET_VARIABLES):
        if name not in known:
            raise ConfigInvalid(f"unknown environment variable{nearest(name, sorted(known))}; unset it", file=name)
        found[known[name]] = (name, _environment_value(name, environ[name], kinds[known[name]]))
    return found


def _environment_value(name: str, text: str, kind: Any) -> Value:
    """Only numbers and an absent value are read as such, so that a tenant called `12` stays text."""
    if not text.isprintable():
        raise ConfigInvalid("holds a control character", file=name)
    arms = typing.get_args(kind) or (kind,)
    read = yaml_source.scalar(text)
    if (isinstance(read, int) and int in arms) or (read is None and type(None) in arms):
        return read
    return text


def _overridden(tree: dict[str, Value], overrides: Mapping[Place, tuple[str, Value]]) -> dict[str, Value]:
    """A copy of `tree` with the overrides set. A section that is not a mapping stays: validation will say so."""
    result = {key: dict(value) if isinstance(value, dict) else value for key, value in tree.items()}
    for place, (_, value) in overrides.items():
        *sections, last = (str(step) for step in place)
        section: Value = result
        for name in sections:
            section = section.setdefault(name, {}) if isinstance(section, dict) else None
        if isinstance(section, dict):
            section[last] = value
    return result


# --- messages ------------------------------------------------------------------------------------------------------

_EXAMPLES: Mapping[str, str] = types.MappingProxyType(
    {
        "nodes": "nodes: [{id: ..., address: ..., ...}]",
        "id": "id: gpu-1",
        "address": "address: 10.0.0.5:8000",
        "country": "country: DE",
        "region": "region: eu-central",
        "tier": "tier: on_prem",
        "models": "models: [llama3]",
        "server_name": "server_name: gpu-1.internal",
    }
)


def _invalid(document: Document, sources: Mapping[Place, str], found: list[tuple[Place, str]]) -> ConfigInvalid:
    """One error that tells all of `found` in the order of the file; its place is that of the first."""
    errors = []
    for place, what in found:
        message = f"{dotted(place)}: {what}" if place else what
        if place in sources:
            errors.append(ConfigInvalid(message, file=sources[place]))
        else:
            errors.append(ConfigInvalid(message, file=document.file, line=document.line(place)))
    first, *others = sorted(errors, key=lambda error: error.line)
    if others:
        first.args = ("\n".join(str(error) for error in (first, *others)),)
    return first


def _place(loc: tuple[int | str, ...]) -> Place:
    """Where an error is: Pydantic marks a bad key of a free mapping by one more step, `[key]`."""
    return tuple(step for step in loc if step != "[key]")


def _explained(entry: Any) -> str:
    place, limits, given = _place(entry["loc"]), entry.get("ctx", {}), entry["input"]
    name = str(place[-1]) if place else ""
    match entry["type"]:
        case "missing":
            return f"is required; add `{_EXAMPLES.get(name, f'{name}: ...')}`"
        case "unexpected_keyword_argument":
            known = _known_at(place[:-1])
            return f"unknown key{nearest(name, known)}; known here: {', '.join(known)}"
        case "dataclass_type" | "dict_type":
            return f"must be a mapping of settings, not {_kind(given)}; write `key: value` lines below it"
        case "tuple_type":
            return f"must be a list, not {_kind(given)}; write one `- ` line for each element"
        case "int_type" | "int_from_float" | "int_parsing":
            return f"must be a whole number in decimal digits, not {_kind(given)}"
        case "string_type":
            return f"must be text, not {_kind(given)}; put the value in quotes if it is meant"
        case "path_type":
            return f"must be a path, not {_kind(given)}; put the value in quotes if it is meant"
        case "enum" | "literal_error":
            choices = [choice.strip("'") for choice in limits["expected"].replace(" or ", ", ").split(", ")]
            return f"must be one of {', '.join(choices)}, not {quoted(given)}{nearest(str(given), choices)}"
        case "greater_than_equal":
            return f"must be at least {limits['ge']}, not {quoted(given)}"
        case "less_than_equal":
            return f"must be at most {limits['le']}, not {quoted(given)}"
        case "too_long":
            return f"may have at most {limits['max_length']} elements"
        case _:
            return str(entry["msg"]).lower()


def _kind(value: object) -> str:
    match value:
        case None:
            return "empty"
        case bool():
            return f"the truth value `{str(value).lower()}`"
        case int():
            return f"the number {quoted(value)}"
        case str():
            return f"the text {quoted(value)}"
        case list() | tuple():
            return "a list"
        case _:
            return "a mapping"


def _known_at(place: Place) -> list[str]:
    here = tuple("*" if isinstance(step, int) else step for step in place)
    return list(dict.fromkeys(str(known[len(here)]) for known in places() if known[: len(here)] == here))


# --- settling ------------------------------------------------------------------------------------------------------


def _settled(settings: Settings, base: Path, file: Path) -> Config:
    state = base / settings.state_directory
    audit, policy = settings.audit, settings.policy
    shared = {entry.name: getattr(settings, entry.name) for entry in dataclasses.fields(settings)}
    return Config(
        **shared
        | {
            "state_directory": _plain(state),
            "envoy": dataclasses.replace(settings.envoy, binary=_binary(settings.envoy.binary, base)),
            "classifiers": dataclasses.replace(
                settings.classifiers,
                recognizers=tuple(
                    str(_plain(base / name)) if name.endswith(REGISTRY_FILES) else name
                    for name in settings.classifiers.recognizers
                ),
                model=_model(settings.classifiers.model, base),
                tenants=types.MappingProxyType(
                    {tenant: _model(name, base) for tenant, name in settings.classifiers.tenants.items()}
                ),
            ),
            "policy": dataclasses.replace(
                policy,
                directories=tuple(name if name == BUILTIN else str(_plain(base / name)) for name in policy.directories),
                modes=types.MappingProxyType(dict(policy.modes)),
                parameters=types.MappingProxyType(dict(policy.parameters)),
                bundle=dataclasses.replace(
                    policy.bundle,
                    url=_location(policy.bundle.url, base),
                    key_file=_under(base, policy.bundle.key_file),
                    token_file=_under(base, policy.bundle.token_file),
                ),
            ),
            "audit": Audit(
                directory=_plain(base / audit.directory if audit.directory else state / "audit"),
                segment_bytes=audit.segment_bytes,
                key_file=_under(base, audit.key_file),
            ),
            "redaction": Redaction(key_file=_under(base, settings.redaction.key_file)),
            "identity": dataclasses.replace(
                settings.identity,
                attribute_headers=types.MappingProxyType(dict(settings.identity.attribute_headers)),
            ),
            "nodes": tuple(_node(node, base) for node in settings.nodes),
        },
        file=file,
        config_digest=_digest(settings),
    )


def _model(name: str, base: Path) -> str:
    return name if name in {MODEL_OFF, *SHIPPED_MODELS} else str(_plain(base / name))


def _location(url: str | None, base: Path) -> str | None:
    return url if url is None or "://" in url else str(_plain(base / url))


def _plain(path: Path) -> Path:
    """Without `.` and `..`, links untouched: sockets count the bytes of their path."""
    return Path(os.path.normpath(path))


def _under(base: Path, path: Path | None) -> Path | None:
    return _plain(base / path) if path is not None else None


def _binary(binary: str | None, base: Path) -> str | None:
    return str(_plain(base / binary)) if binary and "/" in binary else binary


def _node(node: Node, base: Path) -> Node:
    if node.tls is None or node.tls.ca_file is None:
        return node
    ca_file = str(_plain(base / node.tls.ca_file))
    return dataclasses.replace(node, tls=dataclasses.replace(node.tls, ca_file=ca_file))


def _digest(settings: Settings) -> str:
    plain = _validator().dump_python(settings, mode="json")
    return hashlib.sha256(orjson.dumps(plain, option=orjson.OPT_SORT_KEYS)).hexdigest()
