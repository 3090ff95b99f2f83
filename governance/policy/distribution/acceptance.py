"""What a bundle from elsewhere has to pass before it is in force: the static checks, and its own cases.

Both run in a process of their own, which ends with its time: a case is somebody's program. The policies of the library
are not run again where the bundle holds them unchanged; they are tested with each release. A bundle that passed once
passes, which keeps a start from the last good one as fast as it was.

LIMIT: `test_` rules need OPA and are not run; cases are.
LIMIT: a plan is taken to be made of the modules beside it, as its manifest says; what asks it are the cases alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import os
import signal
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from governance.child import PYTHON
from governance.errors import ConfigInvalid
from governance.frozen import frozen
from governance.policy.bundle import BUILTIN, ROOT, Bundle, is_data, load_bundle, read_source
from governance.policy.distribution.archive import Tree, read_limited
from governance.policy.distribution.store import write_whole
from governance.policy.documents import merged

MOST_CASES = 20_000
SECONDS = 60.0

_PASSED = "passed"
# The one in force, and candidates that passed and were refused for another reason.
_REMEMBERED = 4
_MAX_KNOWN_BYTES = 1 << 14
_MAX_SAID = 1000
# A candidate waits for the requests that are served meanwhile.
_NICE = 5
_SLACK_S = 5


@frozen
class Candidate:
    """A bundle that is asked to pass: a tree at its place in the store, and the directories beside it that it is part of."""

    tree: Tree
    bundle: Bundle
    directories: tuple[str, ...]
    engine: str

    @property
    def key(self) -> bytes:
        """Equal for what would be tested alike."""
        return json.dumps([self.tree.place.name, self.bundle.digest, self.engine]).encode()


async def accept(candidate: Candidate, *, seconds: float = SECONDS) -> None:
    """Returns when `candidate` passes, within `seconds`. Raises ConfigInvalid that names what does not, without content."""
    passed = candidate.tree.place.parent / _PASSED
    known = await asyncio.to_thread(_known, passed)
    if candidate.key in known or not await asyncio.to_thread(own_modules, candidate.tree, candidate.bundle.data):
        return
    order = {
        "sources": [*candidate.directories, str(candidate.tree.place)],
        "engine": candidate.engine,
        "digest": candidate.bundle.digest,
        "seconds": math.ceil(seconds) + _SLACK_S,
    }
    await _examined_elsewhere(json.dumps(order).encode(), seconds)
    with contextlib.suppress(ConfigInvalid):
        # Only the next start has to test it again.
        await asyncio.to_thread(write_whole, passed, b"\n".join([*known[1 - _REMEMBERED :], candidate.key]), 0o600)


def _known(path: Path) -> list[bytes]:
    """The keys of what passed last, newest last."""
    try:
        return read_limited(path, _MAX_KNOWN_BYTES).splitlines()
    except ConfigInvalid:
        return []


async def _examined_elsewhere(order: bytes, seconds: float) -> None:
    pipe, nothing = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    try:
        child = await asyncio.create_subprocess_exec(
            *(*PYTHON, "-m", "governance.policy.distribution.acceptance"),
            stdin=pipe,
            stdout=pipe,
            stderr=nothing,
        )
    except OSError:
        raise ConfigInvalid("no process can be started to test the policies") from None
    try:
        said, _ = await asyncio.wait_for(child.communicate(order), seconds)
    except TimeoutError:
        raise ConfigInvalid(f"the tests of the policies take more than {seconds:g} seconds") from None
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    code = child.returncode
    if code is not None and code < 0:
        raise ConfigInvalid(f"the tests of the policies end the engine's process (signal {-code})")
    if code != 0:
        raise ConfigInvalid(_printable(said.decode(errors="replace").strip()) or "the policies cannot be tested")


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text[:_MAX_SAID])


def own_modules(tree: Tree, data: Mapping[str, Any]) -> frozenset[str]:
    """The modules of `tree` that have to pass: all but the library's where everything that decides about one is the same.

    That is every file in its folder, the modules that policies of the library share, and the library's part of `data`
    but for parameters, which come with their policy.
    """
    modules = frozenset(name for name in tree.files if name.endswith(".rego") and not name.endswith("_test.rego"))
    library = read_source(BUILTIN)
    tables = {f"0/{name}": raw for name, raw in library.files.items() if is_data(name)}
    ours = merged(tables, {name: library.place / name for name in tables}).get("ringfence", {})
    theirs = data.get("ringfence", {})
    theirs_of = theirs.get if isinstance(theirs, dict) else {}.get
    if any(theirs_of(name) != value for name, value in ours.items()):
        return modules
    folders = {_folder(name) for name in library.files if name.endswith("/policy.rego")}
    shared = {name for name in library.files if name.endswith(".rego") and _folder(name) not in folders}
    if any(tree.files.get(name) != library.files[name] for name in shared):
        return modules
    same = {folder for folder in folders if _below(folder, tree) == _below(folder, library)}
    return frozenset(name for name in modules if name not in shared and _folder(name) not in same)


def _folder(name: str) -> str:
    return name.rpartition("/")[0]


def _below(folder: str, tree: Tree) -> Mapping[str, bytes]:
    return {name: raw for name, raw in tree.files.items() if name.startswith(f"{folder}/")}


# --- in the child ----------------------------------------------------------------------------------------------------


def examine(sources: Sequence[str], *, engine: str, digest: str) -> None:
    """Returns when the last of `sources` passes beside the others. Raises ConfigInvalid for the first thing that does not."""
    trees = [read_source(source) for source in sources]
    bundle = load_bundle(trees)
    if bundle.digest != digest:
        raise ConfigInvalid("the policies changed before they were tested")
    if engine == "embedded":
        bundle = replace(bundle, plan=None)
    own = {f"{len(trees) - 1}/{name}" for name in own_modules(trees[-1], bundle.data)}
    _check(bundle, own)
    _test(bundle, {one.package[2] for one in bundle.modules if one.name in own and one.package[:2] == ROOT})


def _check(bundle: Bundle, names: Collection[str]) -> None:
    errors = [found for found in _found(bundle, names) if found.severity == "error"]
    if errors:
        first, more = errors[0], f", and {len(errors) - 1} more errors" if errors[1:] else ""
        raise ConfigInvalid(f"{first.message} [{first.rule}]{more}", file=first.file, line=first.line)


def _found(bundle: Bundle, names: Collection[str]) -> Iterator[Any]:
    from governance.policy.authoring.checks_effects import check_effects  # noqa: PLC0415  (in the child alone)
    from governance.policy.authoring.checks_finding import Unit, World  # noqa: PLC0415
    from governance.policy.authoring.checks_input import check_input  # noqa: PLC0415
    from governance.policy.authoring.checks_metadata import check_metadata  # noqa: PLC0415
    from governance.policy.authoring.checks_names import check_names  # noqa: PLC0415
    from governance.policy.authoring.cursor import UnreadError  # noqa: PLC0415
    from governance.policy.authoring.parse import rules_of  # noqa: PLC0415

    units = []
    for module in bundle.modules:
        # What our reader does not understand is for the engine to refuse.
        with contextlib.suppress(UnreadError):
            units.append(Unit(module=module, rules=rules_of(module.text, module.file)))
    world = World.of(tuple(units), dict(bundle.data))
    for unit in units:
        if unit.module.name in names:
            yield from check_names(unit, world)
            yield from check_metadata(unit, world)
            yield from check_input(unit)
            yield from check_effects(unit)


def _test(bundle: Bundle, policies: Collection[str]) -> None:
    from governance.policy.authoring.run import run_cases  # noqa: PLC0415  (in the child alone)

    try:
        for result in run_cases(bundle, policies, most=MOST_CASES):
            if not result.passed:
                place = f" ({result.place.rpartition('.tar.gz/')[2]})" if result.place else ""
                raise ConfigInvalid(
                    f"policy `{result.policy}` fails its own case on {result.engine}: {_case(result.rule, result.policy)}{place}"
                )
    except (KeyError, TypeError, ValueError, RecursionError):
        raise ConfigInvalid("a case of the policies is no case: `input`, `rules` and perhaps `effects`") from None


def _case(rule: str, policy: str) -> str:
    return f"`{rule.removeprefix(f'{policy}: ')}`"


def _main() -> int:
    os.nice(_NICE)
    with contextlib.suppress(OSError):
        # Of all that runs here it is the one to end where memory does. regopy reserves too much for a limit of bytes.
        Path("/proc/self/oom_score_adj").write_text("1000")
    order = json.load(sys.stdin)
    # Whoever asked may be gone; nothing in C can hold up the signal's default, which is the end.
    signal.alarm(order["seconds"])
    try:
        examine(order["sources"], engine=order["engine"], digest=order["digest"])
    except ConfigInvalid as error:
        print(error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_main())
