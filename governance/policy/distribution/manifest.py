"""The `.manifest` of a bundle: revision, roots, and which modules a plan was compiled from (OPA's bundle format)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from governance.errors import ConfigInvalid
from governance.frozen import frozen
from governance.policy.documents import document

NAME = ".manifest"
_MAX_REVISION = 100


@frozen
class Manifest:
    """What a manifest states. `roots` are paths of the document that the bundle may define; `("",)` is all of it.

    `planned` is the `digest_of` the modules that `plan.json` was compiled from, "" without one.
    """

    revision: str = ""
    roots: tuple[str, ...] = ("",)
    planned: str = ""

    def owns(self, path: Iterable[str]) -> bool:
        """Whether `path` lies in a root."""
        parts = tuple(path)
        return any(not root or parts[: len(root.split("/"))] == tuple(root.split("/")) for root in self.roots)


def read_manifest(raw: bytes, path: Path) -> Manifest:
    """The manifest in `raw`. Raises ConfigInvalid for what OPA would read otherwise than we do."""
    value = document(raw, path)
    revision = value.get("revision", "")
    if not isinstance(revision, str) or len(revision) > _MAX_REVISION or not revision.isprintable():
        raise _invalid(f"`revision` is a string of at most {_MAX_REVISION} characters", path)
    roots = value.get("roots", [""])
    if not isinstance(roots, list) or not all(isinstance(root, str) for root in roots):
        raise _invalid("`roots` is a list of paths", path)
    if value.get("rego_version", 1) != 1 or value.get("file_rego_versions"):
        raise _invalid("the bundle is not in Rego v1", path)
    return Manifest(
        revision=revision, roots=tuple(root.strip("/") for root in roots), planned=_planned(value.get("metadata"))
    )


def manifest_bytes(manifest: Manifest) -> bytes:
    """The JSON of `manifest`, in the form that OPA hashes and writes."""
    value: dict[str, Any] = {"revision": manifest.revision, "roots": list(manifest.roots), "rego_version": 1}
    if manifest.planned:
        value["metadata"] = {"ringfence": {"planned": manifest.planned}}
    return json.dumps(value, ensure_ascii=False).encode()


def digest_of(files: Iterable[tuple[str, bytes]]) -> str:
    """SHA-256 over names and contents, each under its own hash so that no two lists of files are spelt alike."""
    lines = sorted(f"{hashlib.sha256(raw).hexdigest()} {name}\n" for name, raw in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _planned(metadata: object) -> str:
    inner = metadata.get("ringfence") if isinstance(metadata, Mapping) else None
    planned = inner.get("planned") if isinstance(inner, Mapping) else None
    return planned if isinstance(planned, str) else ""


def _invalid(message: str, path: Path) -> ConfigInvalid:
    return ConfigInvalid(message, file=str(path), line=1)
