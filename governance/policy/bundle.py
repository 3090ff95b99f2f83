"""Policies, their data and everything that is known about them before the first request.

A source is a directory, an archive (`.tar.gz`) or an OCI layout. It holds `.rego` modules (under `policies/` where it
has that folder) and data: every JSON or YAML file under `data/`, or `data.json` and `data.yaml` anywhere where there is
no such folder. As in OPA, the folder of a data file is its path in the document. Beside a policy may lie its parameters
(`params.json`, `params.schema.json`) and its cases (`cases.yaml`); `*_test.rego` are tests and never evaluated on a
request. `plan.json` and `.manifest` at the top are made by `ringfence policy build`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import field, replace
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any

from governance.decision import Mode
from governance.errors import ConfigInvalid
from governance.facts import Phase
from governance.frozen import frozen
from governance.policy import static
from governance.policy.distribution import archive, manifest
from governance.policy.distribution.archive import PLAN, Tree
from governance.policy.documents import levels_of, merge, merged, refuse_large, refuse_long, text_of
from governance.policy.metadata import LIBRARY, ROOT, Policy, at, declared
from governance.policy.parameters import DEFAULTS, SCHEMA, Parameters, Values, owner_of, owners_of, parameters_of
from governance.policy.reads import ReadSet, reachable, read_set
from governance.policy.source import Module, read_module
from governance.residency import Level
from governance.settings import Policy as Configured

__all__ = ["BUILTIN", "ROOT", "Bundle", "Policy", "ReadSet", "Source", "canonical", "library", "load_bundle"]

BUILTIN = "builtin"
CASES = "cases.yaml"
_TEST = "_test.rego"
_DATA_SUFFIXES = (".json", ".yaml", ".yml")
_DATA_NAMES = ("data.json", "data.yaml", "data.yml")

Source = str | Path | Tree


@frozen
class Bundle:
    """A consistent set of policies. Never changed: another revision is another Bundle.

    `digest` is of the files; `data_digest` is of the data with the parameters in effect. `plan` is OPA's plan of all
    `modules`, or None. `cases` is the text of each policy's cases by its id.
    """

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
    plan: bytes | None = None
    parameters: Mapping[str, Parameters] = field(default_factory=dict)
    cases: Mapping[str, str] = field(default_factory=dict)

    def applicable(self, phase: Phase) -> tuple[Policy, ...]:
        """The policies to evaluate in `phase`, sorted by id."""
        return tuple(p for p in self.policies if phase in p.phases and p.mode is not Mode.OFF)

    def overrides(self) -> dict[str, dict[str, Any]]:
        """The parameters in effect as `load_bundle` takes them."""
        return {policy: dict(parameters.values) for policy, parameters in self.parameters.items()}


def library() -> Path:
    """The directory of the policies that come with Ringfence."""
    return Path(str(resources.files("rego")))


def configured(policy: Configured, *more: Tree) -> Bundle:
    """The bundle that the setting `policy` describes, with `more` trees beside it. Raises ConfigInvalid."""
    return load_bundle([*policy.directories, *more], modes=policy.modes, parameters=policy.parameters)


def load_known(
    sources: Sequence[Source],
    *,
    modes: Mapping[str, Mode] | None = None,
    parameters: Mapping[str, Values] | None = None,
) -> Bundle:
    """As `load_bundle`, with those of `modes` and `parameters` that are about a policy of `sources`: others have them too."""
    plain = load_bundle(sources)
    ids = {policy.id for policy in plain.policies}
    modes = {name: mode for name, mode in (modes or {}).items() if name in ids}
    parameters = {name: values for name, values in (parameters or {}).items() if name in ids}
    return load_bundle(sources, modes=modes, parameters=parameters) if modes or parameters else plain


def load_bundle(
    sources: Sequence[Source],
    *,
    modes: Mapping[str, Mode] | None = None,
    parameters: Mapping[str, Values] | None = None,
) -> Bundle:
    """The bundle of all `sources` together; `builtin` names the library. Raises ConfigInvalid with file and line.

    `parameters` replace those of `params.json` by policy and name. A Tree is taken as it is, without reading it again.
    """
    trees = [read_source(source) for source in sources]
    tops = tuple(tree.place for tree in trees)
    content = {f"{n}/{name}": raw for n, tree in enumerate(trees) for name, raw in sorted(tree.files.items())}
    paths = {f"{n}/{name}": tree.place / name for n, tree in enumerate(trees) for name in tree.files}
    rego = [name for name in content if name.endswith(".rego")]
    refuse_large((paths[name], raw) for name, raw in content.items() if _is_document(name))
    refuse_long((paths[name], content[name]) for name in rego if not name.endswith(_TEST))
    modules = tuple(
        read_module(name=name, file=str(paths[name]), text=text_of(content[name], paths[name]))
        for name in rego
        if not name.endswith(_TEST)
    )
    described = {name: raw for name, raw in content.items() if name.endswith((f"/{DEFAULTS}", f"/{SCHEMA}"))}
    described = {name: raw for name, raw in described.items() if not _is_data(name)}
    data = merged({name: raw for name, raw in content.items() if _is_data(name)}, paths)
    policies = declared(modules, modes or {})
    if not policies:
        raise ConfigInvalid("no policy found", file=", ".join(map(str, tops)) or "(no directory)")
    _refuse_shadows(modules, data)
    settled = parameters_of(described, paths, modules, parameters or {})
    _put_parameters(data, settled)
    static.check(modules, data)
    manifests = [_manifest(tree) for tree in trees]
    for position, (tree, stated) in enumerate(zip(trees, manifests, strict=True)):
        _check_manifest(tree, stated, [module for module in modules if module.name.startswith(f"{position}/")])
    # The position of a source is part of a module's name but not of the digest: the same files are the same bundle.
    digest = manifest.digest_of(
        (name.partition("/")[2], raw)
        for name, raw in content.items()
        if _is_data(name) or not name.endswith((_TEST, f"/{CASES}"))
    )
    return Bundle(
        id=modules[0].package[0],
        revision="+".join(stated.revision for stated in manifests if stated.revision)[:128] or digest[:12],
        digest=digest,
        data_digest=hashlib.sha256(canonical(data)).hexdigest(),
        policies=policies,
        modules=modules,
        tests=tuple((name, text_of(content[name], paths[name])) for name in rego if name.endswith(_TEST)),
        data=MappingProxyType(data),
        levels=levels_of(data),
        read_set=read_set(
            reachable(modules, [(*ROOT, policy.id) for policy in policies if policy.mode is not Mode.OFF])
        ),
        directories=tops,
        # A plan knows the modules of its own source alone.
        plan=trees[0].files.get(PLAN) if len(trees) == 1 else None,
        parameters=settled,
        cases=_cases(content, paths, modules),
    )


def in_force(bundle: Bundle) -> Bundle:
    """`bundle` with only what may be asked on a request: policies that are not off, and the modules they reach."""
    policies = tuple(policy for policy in bundle.policies if policy.mode is not Mode.OFF)
    modules = reachable(bundle.modules, [(*ROOT, policy.id) for policy in policies])
    return replace(bundle, policies=policies, modules=modules) if policies else bundle


def canonical(value: object) -> bytes:
    """`value` as JSON with sorted keys, no space and no escapes but the necessary ones."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


# --- files ---------------------------------------------------------------------------------------------------------


def relevant(names: Collection[str]) -> list[str]:
    """Those of `names`, relative to the top of a source, that make up the bundle; sorted."""
    modules = "policies/" if any(name.startswith("policies/") for name in names) else ""
    data = any(name.startswith("data/") for name in names)
    return sorted(name for name in names if _belongs(name, modules, data=data))


def _belongs(name: str, modules: str, *, data: bool) -> bool:
    last = name.rpartition("/")[2]
    if name in (manifest.NAME, PLAN):
        return True
    if data and name.startswith("data/") and last.endswith(_DATA_SUFFIXES):
        return True
    if not data and last in _DATA_NAMES:
        return True
    return name.startswith(modules) and (last.endswith(".rego") or last in (DEFAULTS, SCHEMA, CASES))


def read_source(source: Source) -> Tree:
    """The files of `source` that make up the bundle, as they were at one time. Raises ConfigInvalid."""
    if not isinstance(source, Tree):
        top = library() if source == BUILTIN else Path(source)
        if top.is_dir() and not archive.is_layout(top):
            return _directory(top)
        if not archive.is_archive(top) and not top.is_dir():
            raise ConfigInvalid("policy directory not found", file=str(top))
        source = archive.read_tree(top)
    return Tree(place=source.place, files={name: source.files[name] for name in relevant(source.files)})


def _directory(top: Path) -> Tree:
    files = _files(top)
    # Whoever writes replaces one file after another. What is read twice alike was there at once, between the two.
    if _files(top) != files:
        raise ConfigInvalid("changed while it was read", file=str(top))
    return Tree(place=top, files=files)


def _files(top: Path) -> Mapping[str, bytes]:
    # Reads what belongs to the bundle and nothing else: a directory of policies may be the top of a repository.
    paths = {path.relative_to(top).as_posix(): path for path in archive.visible(top) if path.is_file()}
    return archive.read_files(top, {name: paths[name] for name in relevant(paths)})


def is_data(name: str) -> bool:
    """Whether the file `name` of a source is data."""
    last = name.rpartition("/")[2]
    return last in _DATA_NAMES or (name.startswith("data/") and last.endswith(_DATA_SUFFIXES))


def _is_data(name: str) -> bool:
    """The same for a name that starts with the position of its source."""
    return is_data(name.partition("/")[2])


def _is_document(name: str) -> bool:
    """Whether the file `name` of one of the sources is read as one value."""
    return _is_data(name) or name.rpartition("/")[2] in (DEFAULTS, SCHEMA, manifest.NAME)


def _cases(content: Mapping[str, bytes], paths: Mapping[str, Path], modules: Sequence[Module]) -> Mapping[str, str]:
    owners = owners_of(modules)
    names = [name for name in content if name.endswith(f"/{CASES}") and not _is_data(name)]
    return MappingProxyType(
        {owner_of(name, paths[name], owners): text_of(content[name], paths[name]) for name in names}
    )


def _refuse_shadows(modules: Sequence[Module], data: Mapping[str, Any]) -> None:
    """Raises ConfigInvalid for what would change a policy from outside of it.

    A rule or a value added to somebody else's package can make an exception true that its policy relies on.
    """
    first: dict[tuple[str, ...], Module] = {}
    for module in modules:
        known = first.setdefault(module.package, module)
        if known.name.partition("/")[0] != module.name.partition("/")[0]:
            raise at(module, f"package `{'.'.join(module.package)}` belongs to {known.file}")
    inner = data.get("ringfence")
    for root in (ROOT, LIBRARY):
        if isinstance(inner, dict) and root[1] in inner:
            raise ConfigInvalid(f"data at `{'.'.join(root)}` would stand in the place of rules")


# --- manifest and parameters ---------------------------------------------------------------------------------------


def modules_digest(files: Mapping[str, bytes]) -> str:
    """The digest of the modules in `files` that a plan is compiled from."""
    return manifest.digest_of((n, raw) for n, raw in files.items() if n.endswith(".rego") and not n.endswith(_TEST))


def _manifest(tree: Tree) -> manifest.Manifest:
    raw = tree.files.get(manifest.NAME)
    return manifest.Manifest() if raw is None else manifest.read_manifest(raw, tree.place / manifest.NAME)


def _check_manifest(tree: Tree, stated: manifest.Manifest, modules: Sequence[Module]) -> None:
    """Raises ConfigInvalid for what lies outside of the roots, and for a plan of other modules than these."""
    place = str(tree.place / manifest.NAME)
    if "" not in stated.roots:
        data = {f"0/{name}": raw for name, raw in tree.files.items() if _is_data(f"0/{name}")}
        document = merged(data, {name: tree.place / name.partition("/")[2] for name in data})
        for path in (*(module.package for module in modules), *_leaves(document)):
            if not stated.owns(path):
                raise ConfigInvalid(f"no root holds `{'.'.join(path)}`", file=place)
    if PLAN in tree.files and stated.planned != modules_digest(tree.files):
        raise ConfigInvalid(
            "not compiled from the modules beside it; run `ringfence policy build`", file=str(tree.place / PLAN)
        )


def _leaves(value: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, inner in value.items():
        if isinstance(inner, dict) and inner:
            yield from _leaves(inner, (*above, key))
        else:
            yield (*above, key)


def _put_parameters(data: dict[str, Any], settled: Mapping[str, Parameters]) -> None:
    """Puts the parameters in effect where policies read them.

    A built bundle repeats the defaults in `data.json`, so that OPA finds them; anything else there is a conflict.
    """
    for parameters in settled.values():
        table = data.get("ringfence")
        table = table.get("params") if isinstance(table, dict) else None
        if isinstance(table, dict) and table.get(parameters.policy) == dict(parameters.defaults):
            del table[parameters.policy]
        merge(data, {"ringfence": {"params": {parameters.policy: dict(parameters.values)}}}, parameters.file)
