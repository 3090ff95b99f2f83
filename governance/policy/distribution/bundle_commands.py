"""What `ringfence policy build` and `ringfence policy diff` do."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from governance.errors import ConfigInvalid
from governance.frozen import frozen
from governance.policy.bundle import Bundle, Source, canonical, is_data, load_bundle, modules_digest, read_source
from governance.policy.distribution import manifest, signing
from governance.policy.distribution.archive import PLAN, Tree, is_archive, pack
from governance.policy.distribution.manifest import Manifest
from governance.policy.distribution.store import write_whole
from governance.policy.metadata import ROOT, Policy

_SHOWN = 80
_ABSENT = object()


@frozen
class Built:
    """An archive as it was written. `planned` says whether it carries a plan, `signed` under which key id."""

    file: Path
    bundle: Bundle
    files: int
    bytes: int
    planned: bool
    signed: bool


@frozen
class Change:
    """One difference. `kind` is policy, parameter, data or module; None stands for what one side does not have."""

    kind: str
    name: str
    field: str
    before: str | None
    after: str | None


# --- build ---------------------------------------------------------------------------------------------------------


def build(
    sources: Sequence[Source], out: Path, *, key: signing.Key | None = None, revision: str = "", opa: str | None = None
) -> Built:
    """Writes the bundle of `sources` to `out`, whole or not at all; equal sources are equal bytes.

    It holds modules, tests, cases and parameters under `policies/`, all data in one `data.json` as OPA reads it, and
    where `opa` is given the plan. Raises ConfigInvalid for what would not load.
    """
    if not is_archive(out):
        raise ConfigInvalid("a bundle is a `.tar.gz` file", file=str(out))
    trees = [read_source(source) for source in sources]
    whole = load_bundle(trees)
    files = dict(_gathered(trees))
    files["data.json"] = canonical(dict(whole.data))
    inherited = "" if whole.revision == whole.digest[:12] else whole.revision
    roots = tuple(sorted({"ringfence", *whole.data}))
    stated = Manifest(revision=revision or inherited, roots=roots)
    files[manifest.NAME] = manifest.manifest_bytes(stated)
    bundle = load_bundle([Tree(place=out, files=files)])
    plan = _plan(bundle, opa)
    if plan is not None:
        stated = Manifest(revision=stated.revision, roots=roots, planned=modules_digest(files))
        files |= {PLAN: plan, manifest.NAME: manifest.manifest_bytes(stated)}
        bundle = load_bundle([Tree(place=out, files=files)])
    if key is not None:
        files[signing.NAME] = signing.signatures(files, key)
        signing.verify(Tree(place=out, files=files), key)
    packed = pack(files)
    write_whole(out, packed)
    return Built(
        file=out, bundle=bundle, files=len(files), bytes=len(packed), planned=plan is not None, signed=key is not None
    )


def build_command(
    sources: Sequence[str],
    out: Path,
    *,
    sign_key: Path | None = None,
    key_id: str = "",
    revision: str = "",
    plan: bool = True,
    as_json: bool = False,
) -> int:
    """Writes the archive and says what it is; 0. `plan` asks for a plan where `opa` is on the path. Raises ConfigInvalid."""
    key = signing.read_key(sign_key, id_=key_id) if sign_key is not None else None
    built = build(sources, out, key=key, revision=revision, opa=shutil.which("opa") if plan else None)
    bundle = built.bundle
    if as_json:
        report = {
            "file": str(built.file),
            "revision": bundle.revision,
            "digest": bundle.digest,
            "data_digest": bundle.data_digest,
            "policies": [policy.id for policy in bundle.policies],
            "files": built.files,
            "bytes": built.bytes,
            "plan": built.planned,
            "signed": built.signed,
        }
        print(json.dumps(report))
        return 0
    print(f"{built.file}: {len(bundle.policies)} policies, {built.files} files, {built.bytes} bytes")
    print(f"revision {bundle.revision}")
    print(f"digest   {bundle.digest}")
    print(f"plan     {'yes' if built.planned else 'no: `opa` is not on the path' if plan else 'no'}")
    print(f"signed   {'yes, ' + key.algorithm if key is not None else 'no'}")
    return 0


def _gathered(trees: Sequence[Tree]) -> Iterator[tuple[str, bytes]]:
    """The files beside data and manifest, under `policies/`. Raises ConfigInvalid where two sources hold one name."""
    seen: dict[str, Path] = {}
    for tree in trees:
        for name, raw in tree.files.items():
            if name in (manifest.NAME, PLAN) or is_data(name):
                continue
            inner = f"policies/{name.removeprefix('policies/')}"
            if inner in seen:
                raise ConfigInvalid(f"`{inner}` is also in {seen[inner]}", file=str(tree.place))
            seen[inner] = tree.place
            yield inner, raw


def _plan(bundle: Bundle, opa: str | None) -> bytes | None:
    if opa is None:
        return None
    from governance.policy.plan.build import build_plan  # noqa: PLC0415  (only where there is an OPA)

    return build_plan(bundle, opa)


# --- diff ----------------------------------------------------------------------------------------------------------


def differences(before: Bundle, after: Bundle) -> tuple[Change, ...]:
    """What `after` does otherwise than `before`, sorted."""
    found = [
        *_policy_changes(before, after),
        *_changes("parameter", _parameters(before), _parameters(after)),
        *_changes("data", dict(_leaves(before.data)), dict(_leaves(after.data))),
    ]
    return tuple(sorted(found, key=lambda change: (change.kind, change.name, change.field)))


def diff_command(before: str, after: str, *, as_json: bool = False) -> int:
    """Shows what differs between two sources; 1 where something does, else 0. Raises ConfigInvalid."""
    changes = differences(load_bundle([before]), load_bundle([after]))
    if as_json:
        rows = [
            {"kind": one.kind, "name": one.name, "field": one.field, "before": one.before, "after": one.after}
            for one in changes
        ]
        print(json.dumps({"changes": rows}))
        return 1 if changes else 0
    if not changes:
        print("no difference")
        return 0
    from rich.console import Console  # noqa: PLC0415  (slow to import, and not needed for --json)
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table("kind", "name", "field", "before", "after", box=None)
    for one in changes:
        table.add_row(one.kind, Text(one.name), one.field, Text(one.before or "-"), Text(one.after or "-"))
    Console(soft_wrap=True, highlight=False).print(table)
    return 1


def _policy_changes(before: Bundle, after: Bundle) -> Iterator[Change]:
    old, new = _policies(before), _policies(after)
    for id_ in sorted(old.keys() | new.keys()):
        if id_ in old and id_ in new:
            for name, value in old[id_].items():
                if value != new[id_][name]:
                    yield Change(kind="policy", name=id_, field=name, before=value, after=new[id_][name])
        else:
            versions = (side[id_]["version"] if id_ in side else None for side in (old, new))
            yield Change(kind="policy", name=id_, field="version", before=next(versions), after=next(versions))
    shared = [_shared(side) for side in (before, after)]
    for name in sorted(shared[0].keys() | shared[1].keys()):
        if shared[0].get(name) != shared[1].get(name):
            yield Change(kind="module", name=name, field="rules", before=shared[0].get(name), after=shared[1].get(name))


def _shared(bundle: Bundle) -> dict[str, str]:
    """A short digest of each package that is no policy."""
    packages = {module.package for module in bundle.modules if module.package[:2] != ROOT}
    return {".".join(package): _rules(bundle, package) for package in packages}


def _rules(bundle: Bundle, package: tuple[str, ...]) -> str:
    texts = sorted(module.text.encode() for module in bundle.modules if module.package == package)
    return manifest.digest_of(("", text) for text in texts)[:12]


def _policies(bundle: Bundle) -> dict[str, dict[str, str]]:
    return {policy.id: _described(policy, bundle) for policy in bundle.policies}


def _described(policy: Policy, bundle: Bundle) -> dict[str, str]:
    share = policy.rollout
    return {
        "version": policy.version,
        "mode": policy.mode,
        "phases": ",".join(policy.phases),
        "on_error": policy.on_error,
        "jurisdictions": ",".join(sorted(policy.jurisdictions)),
        "rollout": f"{share.permille}/1000 by {share.key}" if share is not None else "",
        "rules": _rules(bundle, (*ROOT, policy.id)),
    }


def _parameters(bundle: Bundle) -> dict[str, object]:
    return {
        f"{policy}.{name}": value for policy, one in bundle.parameters.items() for name, value in one.values.items()
    }


def _changes(kind: str, before: Mapping[str, object], after: Mapping[str, object]) -> Iterator[Change]:
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name, _ABSENT), after.get(name, _ABSENT)
        # True is not 1 in a document.
        if _shown(old) != _shown(new):
            yield Change(kind=kind, name=name, field="value", before=_cut(_shown(old)), after=_cut(_shown(new)))


def _leaves(value: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, object]]:
    """Every value of the data by its dotted path, parameters left out: they have rows of their own."""
    for key, inner in value.items():
        path = (*above, key)
        if path == ("ringfence", "params"):
            continue
        if isinstance(inner, dict) and inner:
            yield from _leaves(inner, path)
        else:
            yield ".".join(path), inner


def _shown(value: object) -> str | None:
    return None if value is _ABSENT else canonical(value).decode()


def _cut(text: str | None) -> str | None:
    return text if text is None or len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
