"""Bundles and their signatures beside a real OPA: either side reads, verifies and refuses what the other one made."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from governance.errors import ConfigInvalid
from governance.policy.bundle import load_bundle
from governance.policy.distribution import signing
from governance.policy.distribution.archive import pack, read_tree
from governance.policy.distribution.bundle_commands import build
from tests.bundles import policy, write

pytestmark = pytest.mark.opa
# Numbers as they are spelt, escapes, order of keys, nesting: what two hashes of data could disagree on.
DATA = '{"ringfence": {"b": [1, -0, {"z": null, "a": true}], "a": "<\\u00e9\\u2028\\u007f\\t\\"&\\ud83d\\ude00>"}}'
FILES = {
    "policies/p/policy.rego": policy("p"),
    "data.json": DATA,
    ".manifest": '{"revision": "7", "roots": ["ringfence"]}',
}
ALGORITHMS = ("HS256", "RS256", "ES256", "EdDSA")


def opa(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["opa", *arguments], capture_output=True, text=True, check=False, timeout=60, cwd=cwd)


def keys(top: Path, algorithm: str) -> tuple[Path, Path]:
    """Files with the private and the public key, or twice the secret."""
    private, public = top / "private.pem", top / "public.pem"
    if algorithm == "HS256":
        for path in (private, public):
            path.write_text("0123456789abcdef" * 4)
            path.chmod(0o600)
        return private, public
    made: Any = {
        "RS256": lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048),
        "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "EdDSA": ed25519.Ed25519PrivateKey.generate,
    }[algorithm]()
    pem, none = serialization.Encoding.PEM, serialization.NoEncryption()
    private.write_bytes(made.private_bytes(pem, serialization.PrivateFormat.PKCS8, none))
    public.write_bytes(made.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo))
    private.chmod(0o600)
    return private, public


def opa_verifies(bundle: Path, public: Path, algorithm: str, out: Path) -> bool:
    # The key is handed over as text: OPA takes what is no PEM and no file for the secret itself.
    done = opa(
        *("build", "--bundle", str(bundle), "--verification-key", str(public), "--verification-key-id", "k"),
        *("--signing-alg", algorithm, "--output", str(out)),
    )
    return done.returncode == 0


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_opa_verifies_what_we_sign(tmp_path: Path, algorithm: str) -> None:
    """A bundle that we built and signed is one to OPA; with one byte changed it is none."""
    private, public = keys(tmp_path, algorithm)
    out = tmp_path / "b.tar.gz"
    build([write(tmp_path / "mine", FILES)], out, key=signing.read_key(private, id_="k"))
    changed = tmp_path / "changed.tar.gz"
    changed.write_bytes(pack({**read_tree(out).files, "data.json": b'{"ringfence": {}}'}))

    assert (True, False) == tuple(
        opa_verifies(path, public, algorithm, tmp_path / "again.tar.gz") for path in (out, changed)
    )


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_we_verify_what_opa_builds(tmp_path: Path, algorithm: str) -> None:
    """A bundle that OPA built and signed is one to us; with one byte changed it is none."""
    private, public = keys(tmp_path, algorithm)
    write(tmp_path / "mine", FILES)
    done = opa(
        *("build", "--bundle", ".", "--signing-key", str(private), "--signing-alg", algorithm),
        *("--output", str(tmp_path / "b.tar.gz")),
        cwd=tmp_path / "mine",
    )
    assert (0, "") == (done.returncode, done.stderr)
    key = signing.read_key(public)
    tree = read_tree(tmp_path / "b.tar.gz")

    signing.verify(tree, key)

    assert ["p"] == [one.id for one in load_bundle([tree]).policies]
    (tmp_path / "b.tar.gz").write_bytes(pack({**tree.files, ".manifest": b'{"revision": "8"}'}))
    with pytest.raises(ConfigInvalid, match=r"\.manifest: not the file that was signed"):
        signing.verify(read_tree(tmp_path / "b.tar.gz"), key)


def test_we_verify_what_opa_signs(tmp_path: Path) -> None:
    """`opa sign` beside a directory covers each of its files by the hashes that we compute."""
    private, public = keys(tmp_path, "RS256")
    mine = write(tmp_path / "mine", {**FILES, "ringfence/c/data.yaml": "x: [1, true, a]\n", "README.md": "x"})
    done = opa("sign", "--bundle", ".", "--signing-key", str(private), "--output-file-path", "..", cwd=mine)
    assert (0, "") == (done.returncode, done.stderr)
    (tmp_path / ".signatures.json").rename(mine / ".signatures.json")

    signing.verify(read_tree(mine), signing.read_key(public))


def test_opa_reads_the_same_data_and_policies(tmp_path: Path) -> None:
    """The archive of the library is a bundle to OPA, with all data, and parameters, where policies read them."""
    out = tmp_path / "b.tar.gz"
    built = build(["builtin"], out)
    done = opa("eval", "--bundle", str(out), "--format", "raw", "object.remove(data.ringfence, {'policy', 'lib'})".replace("'", '"'))  # fmt: skip

    assert dict(built.bundle.data["ringfence"]) == json.loads(done.stdout)


def test_a_plan_is_made_where_there_is_an_opa(tmp_path: Path) -> None:
    """With OPA at hand a bundle carries the plan of exactly its modules, and the signature covers it."""
    private, public = keys(tmp_path, "ES256")
    out = tmp_path / "b.tar.gz"
    build([write(tmp_path / "mine", FILES)], out, key=signing.read_key(private), opa="opa")
    tree = read_tree(out)

    signing.verify(tree, signing.read_key(public))

    assert load_bundle([out]).plan == tree.files["plan.json"]
    (tmp_path / "edited.tar.gz").write_bytes(pack({**tree.files, "policies/p/policy.rego": policy("p", version="2").encode()}))  # fmt: skip
    with pytest.raises(ConfigInvalid, match="not compiled from the modules beside it"):
        load_bundle([tmp_path / "edited.tar.gz"])
