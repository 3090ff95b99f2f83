"""Invariants that users write in Rego: each is a rule `violated` over an input and the decision on it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import is_dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args, get_type_hints

import orjson

from governance.decision import Contribution, Decision, DenyEffect, Mode
from governance.errors import ConfigInvalid
from governance.facts import Facts
from governance.policy.bundle import Bundle, Policy
from governance.policy.engine import projection
from governance.policy.impact.invariants import Invariant, Judged
from governance.policy.reads import read_set
from governance.policy.source import Module, code_of, read_module
from governance.policy.static import check

_ROOT = ("ringfence", "invariant")
_MOST_FILES = 256
_MAX_BYTES = 1 << 20
_DOCUMENTS: Mapping[str, type] = MappingProxyType({"input": Facts, "decision": Decision})


def read_invariants(directories: Sequence[Path]) -> tuple[Module, ...]:
    """The modules `package ringfence.invariant.<id>` under `directories`. Raises ConfigInvalid with file and line."""
    found: dict[str, Module] = {}
    for top in directories:
        for path in _files(top):
            module = _module(path)
            id_ = module.package[-1]
            if id_ in found:
                raise _at(module, f"invariant `{id_}` is also defined in {found[id_].file}")
            found[id_] = module
    return tuple(found[id_] for id_ in sorted(found))


def _files(top: Path) -> list[Path]:
    """The sources of invariants under `top`, of which there is at least one. None is left out in silence."""
    if not top.is_dir():
        raise ConfigInvalid("directory of invariants not found", file=str(top))
    found = sorted(path for path in top.rglob("*.rego") if not path.name.endswith("_test.rego"))
    if not found:
        raise ConfigInvalid("no invariant found", file=str(top))
    if len(found) > _MOST_FILES:
        raise ConfigInvalid(f"more than {_MOST_FILES} invariants", file=str(top))
    return found


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
