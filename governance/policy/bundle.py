"""Policies, their data and everything that is known about them before the first request, read from directories.

A directory holds `.rego` modules (under `policies/` where it has that folder) and data: every JSON or YAML file under
`data/`, or `data.json` and `data.yaml` anywhere where there is no such folder. As in OPA, the folder of a data file is
its path in the document. `*_test.rego` are tests and never evaluated on a request.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml
from regopy import Interpreter
from regopy.rego_shared import LogLevel, RegoError

from governance.decision import Mode
from governance.errors import ConfigInvalid
from governance.facts import Phase
from governance.frozen import frozen
from governance.policy.source import Module, Reference, position, read_module
from governance.residency import Level

BUILTIN = "builtin"
ROOT = ("ringfence", "policy")
_LIBRARY = ("ringfence", "lib")
_MAX_FILE_BYTES = 4 * 1024 * 1024
_MAX_FILES = 4096
_PHASES: tuple[Phase, ...] = ("request", "response", "stream")

# A decision depends on its input and its bundle alone, else it can neither be replayed nor cached (policy input has
# `context.time`). `opa.runtime` would hand the process environment to a policy.
_FORBIDDEN = frozenset(
    {"http.send", "opa.runtime", "net.lookup_ip_addr", "time.now_ns", "trace", "print", "io.jwt.decode_verify"}
)
# What regopy 1.5.2 evaluates otherwise than OPA: a shallow union, a patch that fails on computed paths.
_DIVERGENT = frozenset({"object.union", "object.union_n", "json.patch"})
_FORBIDDEN_FAMILIES = ("rand.", "uuid.", "io.jwt.encode_", "crypto.x509.parse_and_verify_certificates")


@frozen
class Policy:
    """One policy as its METADATA declares it; `mode` is the one in effect."""

    id: str
    version: str
    mode: Mode
    phases: tuple[Phase, ...]
    title: str
    on_error: str
    file: str

    @property
    def entrypoint(self) -> str:
        """The rule that an engine is asked for."""
        return "/".join((*ROOT, self.id, "effects"))


@frozen
class ReadSet:
    """Paths of the input that some rule refers to, over-approximated. None means everything."""

    paths: tuple[tuple[str, ...], ...] | None


@frozen
class Bundle:
    """A consistent set of policies. Never changed: another revision is another Bundle."""

    id: str
    revision: str
    digest: str
    data_digest: str
    policies: tuple[Policy, ...]
    modules: tuple[Module, ...]
    tests: tuple[tuple[str, str], ...]
    data: Mapping[str, Any]
    levels: Mapping[str, Level]
    read_set: ReadSet
    directories: tuple[Path, ...]

    def applicable(self, phase: Phase) -> tuple[Policy, ...]:
        """The policies to evaluate in `phase`, sorted by id."""
        return tuple(p for p in self.policies if phase in p.phases and p.mode is not Mode.OFF)


def library() -> Path:
    """The directory of the policies that come with Ringfence."""
    return Path(str(resources.files("rego")))


def load_bundle(directories: Sequence[str | Path], *, modes: Mapping[str, Mode] | None = None) -> Bundle:
    """The bundle of all `directories` together; `builtin` names the library. Raises ConfigInvalid with file and line."""
    tops = tuple(library() if name == BUILTIN else Path(name) for name in directories)
    files = [(f"{at}/{name}", path) for at, top in enumerate(tops) for name, path in _files(top)]
    content = {name: _read(path) for name, path in files}
    paths = dict(files)
    rego = [name for name in content if name.endswith(".rego")]
    modules = tuple(
        read_module(name=name, file=str(paths[name]), text=_text(content[name], paths[name]))
        for name in rego
        if not name.endswith("_test.rego")
    )
    data = _data({name: raw for name, raw in content.items() if _is_data(name)}, paths)
    policies = _policies(modules, modes or {})
    if not policies:
        raise ConfigInvalid("no policy found", file=", ".join(map(str, tops)) or "(no directory)")
    _check(modules, data)
    # The position of a directory is part of a module's name but not of the digest: the same files are the same bundle.
    evaluated = [(name.partition("/")[2], raw) for name, raw in content.items() if not name.endswith("_test.rego")]
    digest = _digest(evaluated)
    return Bundle(
        id=modules[0].package[0],
        revision=_revision(content, paths) or digest[:12],
        digest=digest,
        data_digest=hashlib.sha256(canonical(data)).hexdigest(),
        policies=policies,
        modules=modules,
        tests=tuple((name, _text(content[name], paths[name])) for name in rego if name.endswith("_test.rego")),
        data=MappingProxyType(data),
        levels=_levels(data),
        read_set=_read_set(modules),
        directories=tops,
    )


def canonical(value: object) -> bytes:
    """`value` as JSON with sorted keys, no space and no escapes but the necessary ones."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


# --- files ---------------------------------------------------------------------------------------------------------


def _files(top: Path) -> Iterator[tuple[str, Path]]:
    """Relative name and path of each file of the bundle, sorted by name."""
    if not top.is_dir():
        raise ConfigInvalid("policy directory not found", file=str(top))
    modules = top / "policies" if (top / "policies").is_dir() else top
    found = set(modules.rglob("*.rego")) | set(top.glob(".manifest"))
    if (top / "data").is_dir():
        found |= {path for end in ("json", "yaml", "yml") for path in (top / "data").rglob(f"*.{end}")}
    else:
        found |= {path for end in ("json", "yaml", "yml") for path in top.rglob(f"data.{end}")}
    if len(found) > _MAX_FILES:
        raise ConfigInvalid(f"more than {_MAX_FILES} files", file=str(top))
    yield from sorted((path.relative_to(top).as_posix(), path) for path in found if path.is_file())


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            raw = stream.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigInvalid(f"cannot be read: {error.strerror}", file=str(path)) from None
    if len(raw) > _MAX_FILE_BYTES:
        raise ConfigInvalid(f"larger than {_MAX_FILE_BYTES} bytes", file=str(path))
    return raw


def _text(raw: bytes, path: Path) -> str:
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise ConfigInvalid("not UTF-8", file=str(path), line=raw[: error.start].count(b"\n") + 1) from None
    if "\0" in text:
        raise ConfigInvalid("holds a NUL", file=str(path), line=text[: text.index("\0")].count("\n") + 1)
    return text


def _digest(files: Iterable[tuple[str, bytes]]) -> str:
    """SHA-256 over names and contents, each under its own hash so that no two lists of files are spelt alike."""
    lines = sorted(f"{hashlib.sha256(raw).hexdigest()} {name}\n" for name, raw in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _revision(content: Mapping[str, bytes], paths: Mapping[str, Path]) -> str:
    revisions = []
    for name, raw in content.items():
        if name.endswith("/.manifest"):
            manifest = _document(raw, paths[name])
            revision = manifest.get("revision", "")
            if not isinstance(revision, str) or len(revision) > 100:
                raise ConfigInvalid("`revision` is a string of at most 100 characters", file=str(paths[name]), line=1)
            revisions.append(revision)
    return "+".join(revision for revision in revisions if revision)[:128]


# --- data ----------------------------------------------------------------------------------------------------------


def _is_data(name: str) -> bool:
    return not name.endswith((".rego", "/.manifest"))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key occurs twice")
    return found


class _UniqueLoader(yaml.SafeLoader):
    """YAML without repeated keys, which every parser resolves in its own way."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        found = super().construct_mapping(node, deep=deep)
        if len(found) != len(node.value):
            raise yaml.constructor.ConstructorError(None, None, "a key occurs twice", node.start_mark)
        return found


def _document(raw: bytes, path: Path) -> dict[str, Any]:
    text = _text(raw, path)
    try:
        if path.suffix in {".yaml", ".yml"}:
            value = yaml.load(text, _UniqueLoader)  # noqa: S506  (a subclass of SafeLoader)
        else:
            value = json.loads(text, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        raise ConfigInvalid(error.msg.lower(), file=str(path), line=error.lineno) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise ConfigInvalid("not valid YAML", file=str(path), line=mark.line + 1 if mark else 1) from None
    except (ValueError, RecursionError) as error:
        raise ConfigInvalid(str(error), file=str(path), line=1) from None
    if not isinstance(value, dict):
        raise ConfigInvalid("a data document is an object", file=str(path), line=1)
    _refuse_floats(value, path)
    return value


def _refuse_floats(value: object, path: Path) -> None:
    """Raises ConfigInvalid for what the engines do not hold alike: floats (regopy keeps 6 decimals) and YAML dates."""
    match value:
        case dict():
            if not all(isinstance(key, str) for key in value):
                raise ConfigInvalid("a key is not a string", file=str(path), line=1)
            for item in value.values():
                _refuse_floats(item, path)
        case list():
            for item in value:
                _refuse_floats(item, path)
        case str() | bool() | None:
            return
        case int() if abs(value) < 2**53:
            return
        case _:
            raise ConfigInvalid("data holds strings, whole numbers and booleans only", file=str(path), line=1)


def _merge(into: dict[str, Any], more: Mapping[str, Any], path: Path) -> None:
    for key, value in more.items():
        if key not in into:
            into[key] = value
        elif isinstance(into[key], dict) and isinstance(value, dict):
            _merge(into[key], value, path)
        else:
            raise ConfigInvalid(f"`{key}` is already defined by another data file", file=str(path), line=1)


def _data(content: Mapping[str, bytes], paths: Mapping[str, Path]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for name, raw in content.items():
        folders = name.split("/")[1:-1]
        document = _document(raw, paths[name])
        for folder in reversed(folders[1:] if folders[:1] == ["data"] else folders):
            document = {folder: document}
        _merge(merged, document, paths[name])
    return merged


def _levels(data: Mapping[str, Any]) -> Mapping[str, Level]:
    table = data.get("ringfence", {}).get("levels", {})
    try:
        return MappingProxyType({str(name): Level(level) for name, level in table.items()})
    except (ValueError, AttributeError):
        words = ", ".join(Level)
        raise ConfigInvalid(
            f"`data.ringfence.levels` maps entity types, their categories and labels to one of {words}"
        ) from None


# --- policies ------------------------------------------------------------------------------------------------------


def _policies(modules: Sequence[Module], modes: Mapping[str, Mode]) -> tuple[Policy, ...]:
    found: dict[str, Policy] = {}
    for module in modules:
        if module.package[:2] not in (ROOT, _LIBRARY) or len(module.package) < 3:
            raise _at(module, "a package lies in `ringfence.policy` or `ringfence.lib`")
        if module.package[:2] == _LIBRARY:
            continue
        if len(module.package) != 3:
            raise _at(module, "a policy's package is `ringfence.policy.<id>`")
        if module.annotations is None:
            continue
        policy = _policy(module, module.annotations)
        if policy.id in found:
            raise _at(module, f"policy `{policy.id}` is also defined in {found[policy.id].file}")
        found[policy.id] = policy
    for module in modules:
        if module.package[:2] == ROOT and module.package[2] not in found:
            raise _at(module, "a policy has METADATA with a `custom` block that names its id and version")
        if module.package[:2] == ROOT and not any(
            "effects" in other.rules for other in modules if other.package == module.package
        ):
            raise _at(module, "a policy has a rule `effects`")
    unknown = sorted(set(modes) - set(found))
    if unknown:
        raise ConfigInvalid(f"no policy is called `{unknown[0]}`")
    return tuple(_in_mode(found[name], modes.get(name)) for name in sorted(found))


def _in_mode(policy: Policy, mode: Mode | None) -> Policy:
    changed = policy if mode is None else replace(policy, mode=mode)
    if changed.on_error == "skip" and changed.mode is Mode.ENFORCE:
        raise ConfigInvalid("`on_error: skip` needs mode warn or shadow", file=changed.file, line=1)
    return changed


def _policy(module: Module, annotations: Mapping[str, object]) -> Policy:
    custom = annotations.get("custom")
    if not isinstance(custom, dict):
        raise _at(module, "a policy has METADATA with a `custom` block that names its id and version")
    id_, version = custom.get("id"), custom.get("version")
    if id_ != module.package[2]:
        raise _at(module, f"`custom.id` is the last part of the package, `{module.package[2]}`")
    if not isinstance(version, str) or not 0 < len(version) <= 64:
        raise _at(module, "`custom.version` is a string")
    phases = custom.get("phases", ["request"])
    if not isinstance(phases, list) or not phases or not set(map(str, phases)) <= set(_PHASES):
        raise _at(module, f"`custom.phases` lists some of {', '.join(_PHASES)}")
    if custom.get("mode", "enforce") not in list(Mode):
        raise _at(module, f"`custom.mode` is one of {', '.join(Mode)}")
    if custom.get("on_error", "deny") not in {"deny", "skip"}:
        raise _at(module, "`custom.on_error` is deny or skip")
    return Policy(
        id=str(id_),
        version=version,
        mode=Mode(custom.get("mode", "enforce")),
        phases=tuple(phase for phase in _PHASES if phase in phases),
        title=str(annotations.get("title", "")),
        on_error=str(custom.get("on_error", "deny")),
        file=module.file,
    )


def _at(module: Module, message: str, line: int = 0) -> ConfigInvalid:
    return ConfigInvalid(message, file=module.file, line=line or module.package_line)


# --- static checks -------------------------------------------------------------------------------------------------


def _check(modules: Sequence[Module], data: Mapping[str, Any]) -> None:
    """Raises ConfigInvalid for what regopy would take for undefined or for true (a typo is not a permission)."""
    engine = Interpreter()
    engine.log_level = LogLevel.NONE
    rules = {(*module.package, *rule.split(".")) for module in modules for rule in module.rules}
    for module in modules:
        if module.overrides:
            raise _at(module, "`with` belongs to tests", module.overrides[0])
        _check_syntax(module)
        for reference in module.references:
            name = ".".join(reference.path)
            if _is_forbidden(name):
                hint = ": use `input.context.time`" if name == "time.now_ns" else ""
                raise _at(module, f"`{name}` is not allowed in a policy{hint}", reference.line)
            if reference.called and name in _DIVERGENT:
                raise _at(module, f"`{name}` is not the same on every engine", reference.line)
            if reference.called and not _is_function(module, reference, rules, engine):
                raise _at(module, f"unknown function `{name}`", reference.line)
            path = module.absolute(reference)
            if path[0] == "data" and not _is_defined(path[1:], rules, data):
                raise _at(module, f"nothing is defined at `{'.'.join(path)}`", reference.line)


def _check_syntax(module: Module) -> None:
    # An interpreter for each: its parser reports the first bad module again for every later one.
    parser = Interpreter()
    parser.log_level = LogLevel.NONE
    try:
        parser.add_module("module.rego", module.text)
    except RegoError as error:
        message, line = position(str(error), module.text)
        raise _at(module, message, line) from None


def _is_forbidden(name: str) -> bool:
    return name in _FORBIDDEN or name.startswith(_FORBIDDEN_FAMILIES)


def _is_function(module: Module, reference: Reference, rules: set[tuple[str, ...]], engine: Any) -> bool:
    path = module.absolute(reference)
    if path[0] == "data":
        return path[1:] in rules
    return (*module.package, *path) in rules or bool(engine.is_builtin(".".join(path)))


def _is_defined(path: tuple[str, ...], rules: set[tuple[str, ...]], data: Mapping[str, Any]) -> bool:
    if any(path[: len(rule)] == rule or rule[: len(path)] == path for rule in rules):
        return True
    value: object = data
    for part in path:
        if not isinstance(value, dict):
            return True
        if part not in value:
            return False
        value = value[part]
    return True


def _read_set(modules: Sequence[Module]) -> ReadSet:
    absolute = {module.absolute(reference) for module in modules for reference in module.references}
    paths = {path[1:] for path in absolute if path[0] == "input"}
    if () in paths:
        return ReadSet(paths=None)
    # A path below another one that is read adds nothing.
    return ReadSet(paths=tuple(sorted(p for p in paths if not any(p[:n] in paths for n in range(1, len(p))))))
