"""A bundle's plan, made by OPA: `opa build -t plan` is the authority on what a policy means."""

from __future__ import annotations

import io
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from governance.errors import ConfigInvalid
from governance.policy.bundle import Bundle, canonical

_SECONDS = 60
_MAX_BYTES = 64 * 1024 * 1024


def build_plan(bundle: Bundle, opa: str = "opa") -> bytes:
    """The plan with one entrypoint for each policy of `bundle`, made by the binary `opa`.

    Raises ConfigInvalid where there is no such binary or it refuses the policies; the message holds OPA's.
    """
    modules = {module.name: module.text for module in bundle.modules}
    return plan_of(modules, canonical(dict(bundle.data)), [policy.entrypoint for policy in bundle.policies], opa=opa)


def plan_of(modules: Mapping[str, str], data: bytes, entrypoints: Sequence[str], *, opa: str = "opa") -> bytes:
    """The plan of `modules` by name, over `data` as JSON. Raises as `build_plan` does."""
    with tempfile.TemporaryDirectory(prefix="ringfence-plan-") as made:
        top, output = Path(made, "sources"), Path(made, "plan.tar.gz")
        top.mkdir()
        for name, text in modules.items():
            path = top / _relative(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        (top / "data.json").write_bytes(data)
        named = [part for entrypoint in entrypoints for part in ("-e", entrypoint)]
        _run([opa, "build", "-t", "plan", "-b", ".", "-o", str(output), *named], top)
        return _plan_in(output)


def _relative(name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise ConfigInvalid("the name of a module leads out of the bundle")
    return path


def _run(command: list[str], top: Path) -> None:
    try:
        done = subprocess.run(command, cwd=top, capture_output=True, check=False, timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        raise ConfigInvalid(f"`opa build` took more than {_SECONDS} seconds") from None
    except OSError:
        raise ConfigInvalid(f"`{command[0]}` cannot be run: install OPA to build a plan") from None
    if done.returncode != 0:
        # It writes some of its errors to one stream and some to the other.
        said = (done.stdout + done.stderr).decode(errors="replace").split()
        raise ConfigInvalid(f"`opa build` refuses the policies: {' '.join(said)[:500]}")


def _plan_in(bundle: Path) -> bytes:
    try:
        with tarfile.open(bundle, "r:gz") as archive:
            for member in archive:
                if member.name.lstrip("/") == "plan.json" and member.isfile() and member.size <= _MAX_BYTES:
                    found = archive.extractfile(member) or io.BytesIO()
                    return found.read(_MAX_BYTES)
    except (tarfile.TarError, OSError, EOFError):
        raise ConfigInvalid("`opa build` made a bundle that cannot be read") from None
    raise ConfigInvalid("`opa build` made a bundle without a plan")
