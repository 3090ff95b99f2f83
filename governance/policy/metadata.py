"""What a policy says of itself: the METADATA block above its package, read and checked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal, TypeGuard

from governance.decision import LONGEST_REMEDY, Mode
from governance.errors import ConfigInvalid
from governance.facts import Phase
from governance.frozen import frozen
from governance.policy.source import Module
from governance.residency import COUNTRIES, GROUPS
from governance.yaml_source import SettingInvalid, nearest

ROOT = ("ringfence", "policy")
LIBRARY = ("ringfence", "lib")
WHOLE = 1000

_PHASES: tuple[Phase, ...] = ("request", "response", "stream")
_SEVERITIES = ("info", "low", "medium", "high", "critical")
_MOST_JURISDICTIONS = 300
_MOST_REFERENCES = 64
_LONGEST_TEXT = 500
# ISO 3166-2: a country and up to three letters or digits.
_SUBDIVISION = re.compile(r"([A-Z]{2})-[A-Z0-9]{1,3}", re.ASCII)


@frozen
class Share:
    """The permille of tenants or principals for which a policy is enforced; for the others it is a shadow."""

    permille: int
    key: Literal["tenant", "principal"] = "tenant"


@frozen
class Policy:
    """One policy as its METADATA declares it; `mode` is the one in effect.

    `jurisdictions` are as written, groups not expanded; empty means everywhere. `remedy` tells a caller what to change.
    """

    id: str
    version: str
    mode: Mode
    phases: tuple[Phase, ...]
    title: str
    on_error: str
    file: str
    owner: str = ""
    severity: str = "medium"
    references: tuple[str, ...] = ()
    jurisdictions: tuple[str, ...] = ()
    rollout: Share | None = None
    remedy: str = ""

    @property
    def entrypoint(self) -> str:
        """The rule that an engine is asked for."""
        return "/".join((*ROOT, self.id, "effects"))


def declared(modules: Sequence[Module], modes: Mapping[str, Mode]) -> tuple[Policy, ...]:
    """The policies of `modules`, sorted by id, in their own mode or that of `modes`. Raises ConfigInvalid."""
    found: dict[str, Policy] = {}
    for module in modules:
        if module.package[:2] not in (ROOT, LIBRARY) or len(module.package) < 3:
            raise at(module, "a package lies in `ringfence.policy` or `ringfence.lib`")
        if module.package[:2] == LIBRARY:
            continue
        if len(module.package) != 3:
            raise at(module, "a policy's package is `ringfence.policy.<id>`")
        if module.annotations is None:
            continue
        policy = _policy(module, module.annotations)
        if policy.id in found:
            raise at(module, f"policy `{policy.id}` is also defined in {found[policy.id].file}")
        found[policy.id] = policy
    for module in modules:
        if module.package[:2] == ROOT and module.package[2] not in found:
            raise at(module, "a policy has METADATA with a `custom` block that names its id and version")
        if module.package[:2] == ROOT and not any(
            "effects" in other.rules for other in modules if other.package == module.package
        ):
            raise at(module, "a policy has a rule `effects`")
    unknown = sorted(set(modes) - set(found))
    if unknown:
        what = f"no policy is called `{unknown[0]}`{nearest(unknown[0], found)}"
        raise SettingInvalid(what, place=("policy", "modes", unknown[0]))
    return tuple(_in_mode(found[name], modes.get(name)) for name in sorted(found))


def at(module: Module, message: str, line: int = 0) -> ConfigInvalid:
    """The error `message` about `module`, by default at its package statement."""
    return ConfigInvalid(message, file=module.file, line=line or module.package_line)


def _in_mode(policy: Policy, mode: Mode | None) -> Policy:
    changed = policy if mode is None else replace(policy, mode=mode)
    if changed.on_error == "skip" and changed.mode is Mode.ENFORCE:
        what = "`on_error: skip` needs mode warn or shadow"
        if mode is not None:
            raise SettingInvalid(f"policy `{policy.id}`: {what}", place=("policy", "modes", policy.id))
        raise ConfigInvalid(what, file=changed.file, line=1)
    return changed


def _policy(module: Module, annotations: Mapping[str, object]) -> Policy:
    custom = annotations.get("custom")
    if not isinstance(custom, dict):
        raise at(module, "a policy has METADATA with a `custom` block that names its id and version")
    id_, version = custom.get("id"), custom.get("version")
    if id_ != module.package[2]:
        raise at(module, f"`custom.id` is the last part of the package, `{module.package[2]}`")
    if not isinstance(version, str) or not 0 < len(version) <= 64:
        raise at(module, "`custom.version` is a string")
    phases = custom.get("phases", ["request"])
    if not isinstance(phases, list) or not phases or not set(map(str, phases)) <= set(_PHASES):
        raise at(module, f"`custom.phases` lists some of {', '.join(_PHASES)}")
    # YAML 1.1 reads an unquoted `off` as false.
    mode = "off" if custom.get("mode") is False else custom.get("mode", "enforce")
    if mode not in list(Mode):
        raise at(module, f"`custom.mode` is one of {', '.join(Mode)}")
    if custom.get("on_error", "deny") not in ("deny", "skip"):
        raise at(module, "`custom.on_error` is deny or skip")
    if custom.get("severity", "medium") not in _SEVERITIES:
        raise at(module, f"`custom.severity` is one of {', '.join(_SEVERITIES)}")
    return Policy(
        id=str(id_),
        version=version,
        mode=Mode(mode),
        phases=tuple(phase for phase in _PHASES if phase in phases),
        title=str(annotations.get("title", "")),
        on_error=str(custom.get("on_error", "deny")),
        file=module.file,
        owner=_text(module, "owner", custom.get("owner", "")),
        severity=str(custom.get("severity", "medium")),
        references=_references(module, custom.get("references", [])),
        jurisdictions=_jurisdictions(module, custom["jurisdictions"]) if "jurisdictions" in custom else (),
        rollout=_share(module, custom["rollout"]) if "rollout" in custom else None,
        remedy=_text(module, "remedy", custom.get("remedy", ""), longest=LONGEST_REMEDY),
    )


def is_line(value: object, longest: int) -> TypeGuard[str]:
    """Whether `value` is text of one printable line. It may end up in a refusal or a table: no break, no control, no bidi."""
    return isinstance(value, str) and len(value) <= longest and value.strip().isprintable()


def line_of(module: Module, key: str) -> int:
    """The line of `key` in the comments above `package`, 0 where there is none."""
    lines = module.text.splitlines()[: module.package_line]
    return next(
        (
            number
            for number, line in enumerate(lines, 1)
            if line.startswith("#") and line.removeprefix("#").strip().startswith(f"{key}:")
        ),
        0,
    )


def _text(module: Module, key: str, value: object, longest: int = _LONGEST_TEXT) -> str:
    if not is_line(value, longest):
        message = f"`custom.{key}` is one line of at most {longest} characters"
        raise at(module, message, line_of(module, key))
    return value.strip()


def _references(module: Module, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > _MOST_REFERENCES:
        raise at(module, f"`custom.references` lists at most {_MOST_REFERENCES} texts")
    return tuple(_text(module, "references", one) for one in value)


def _share(module: Module, value: object) -> Share:
    if isinstance(value, dict) and set(value) <= {"permille", "key"}:
        permille, key = value.get("permille"), value.get("key", "tenant")
        if type(permille) is int and 0 <= permille <= WHOLE and key in ("tenant", "principal"):
            return Share(permille=permille, key=key)
    raise at(module, "`custom.rollout` is `{permille: 0 to 1000, key: tenant or principal}`")


def _jurisdictions(module: Module, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not 0 < len(value) <= _MOST_JURISDICTIONS:
        raise at(module, f"`custom.jurisdictions` lists 1 to {_MOST_JURISDICTIONS} codes")
    # YAML 1.1 reads an unquoted NO, Norway, as false.
    if any(code is False for code in value):
        raise at(module, '`custom.jurisdictions` holds false: write `"NO"` in quotes')
    if not all(isinstance(code, str) and _is_code(code) for code in value):
        raise at(module, "`custom.jurisdictions` lists countries (DE), subdivisions (US-CA), EU or EEA")
    return tuple(value)


def _is_code(code: str) -> bool:
    subdivision = _SUBDIVISION.fullmatch(code)
    return code in GROUPS or (subdivision.group(1) if subdivision else code) in COUNTRIES
