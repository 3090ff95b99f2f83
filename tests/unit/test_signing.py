"""Bundle signatures: everything is covered, the key decides how, and nothing is optional once there is a key."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.errors import ConfigInvalid
from governance.policy.distribution import signing
from governance.policy.distribution.archive import Tree
from governance.policy.distribution.signing import Algorithm, Key
from governance.sensitive import SensitiveBytes

FILES = {"policies/p.rego": b"package p\n", "data.json": b'{"b": 1.50, "a": ["\xe2\x80\xa8"]}', ".manifest": b"{}"}
SECRET = Key(algorithm=Algorithm.HS256, material=SensitiveBytes(b"0" * 32))
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PRIVATE = {
    Algorithm.RS256: RSA,
    Algorithm.ES256: ec.generate_private_key(ec.SECP256R1()),
    Algorithm.EDDSA: ed25519.Ed25519PrivateKey.generate(),
}


def tree(files: dict[str, bytes]) -> Tree:
    return Tree(place=Path("b"), files=files)


def signed(key: Key = SECRET, files: dict[str, bytes] | None = None) -> dict[str, bytes]:
    content = FILES if files is None else files
    return {**content, signing.NAME: signing.signatures(content, key)}


def refusal(files: dict[str, bytes], key: Key = SECRET) -> str:
    with pytest.raises(ConfigInvalid) as caught:
        signing.verify(tree(files), key)
    return str(caught.value)


def private_pem(key: Any) -> bytes:
    none = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, none)  # type: ignore[no-any-return]


def public_pem(key: Any) -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form)  # type: ignore[no-any-return]


def key_file(top: Path, raw: bytes, mode: int = 0o600) -> Path:
    path = top / "key"
    path.write_bytes(raw)
    path.chmod(mode)
    return path


def forged(change: Callable[[dict[str, Any], dict[str, Any]], None], key: Key = SECRET) -> dict[str, bytes]:
    """The files under a token that `key` signed, with header and payload as `change` leaves them."""
    token = json.loads(signing.signatures(FILES, key))["signatures"][0].split(".")
    header, payload = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in token[:2])
    change(header, payload)
    text = ".".join(signing._encoded(json.dumps(part).encode()) for part in (header, payload))
    whole = f"{text}.{signing._encoded(signing._sign(key, text.encode()))}"
    return {**FILES, signing.NAME: json.dumps({"signatures": [whole]}).encode()}


@pytest.mark.parametrize("algorithm", list(PRIVATE))
def test_the_public_key_verifies_what_the_private_one_signed(tmp_path: Path, algorithm: Algorithm) -> None:
    """Each kind of key pair signs and verifies; the kind of the key is the algorithm."""
    private = signing.read_key(key_file(tmp_path, private_pem(PRIVATE[algorithm])), id_="k")
    public = signing.read_key(key_file(tmp_path, public_pem(PRIVATE[algorithm]), 0o644), id_="k")

    signing.verify(tree(signed(private)), public)

    assert (algorithm, algorithm) == (private.algorithm, public.algorithm)
    with pytest.raises(ConfigInvalid, match="a public key cannot sign"):
        signing.signatures(FILES, public)


def test_a_secret_is_the_whole_file(tmp_path: Path) -> None:
    """As for OPA, a secret is what the file holds, its line end included."""
    key = signing.read_key(key_file(tmp_path, b"0" * 64 + b"\n"))

    signing.verify(tree(signed(key)), key)

    assert Key(algorithm=Algorithm.HS256, material=SensitiveBytes(b"0" * 64 + b"\n")) == key


@pytest.mark.parametrize(
    ("raw", "mode", "expected"),
    [
        (b"short", 0o600, "neither a key in PEM form nor a secret of at least 32 letters and digits"),
        (b"0" * 64, 0o640, "others may read this key; run `chmod 600` on it"),
        (private_pem(RSA), 0o644, "others may read this key; run `chmod 600` on it"),
        (b"-----BEGIN PUBLIC KEY-----\nAA==\n-----END PUBLIC KEY-----\n", 0o600, "not a key in PEM form without a password"),
        (public_pem(RSA).replace(b"-----BEGIN PUBLIC KEY-----\n", b""), 0o600, "neither a key in PEM form nor a secret of at least 32 letters and digits"),
        (b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ" + b"A" * 40, 0o600, "neither a key in PEM form nor a secret of at least 32 letters and digits"),
        (private_pem(rsa.generate_private_key(public_exponent=65537, key_size=1024)), 0o600, "a key is RSA of 2048 bits or more, P-256 or Ed25519"),
        (private_pem(ec.generate_private_key(ec.SECP384R1())), 0o600, "a key is RSA of 2048 bits or more, P-256 or Ed25519"),
    ],
)  # fmt: skip
def test_a_key_that_protects_nothing_is_refused(tmp_path: Path, raw: bytes, mode: int, expected: str) -> None:
    """Weak keys, keys that others may read, and public keys in a form that could pass for a secret."""
    with pytest.raises(ConfigInvalid) as caught:
        signing.read_key(key_file(tmp_path, raw, mode))

    assert f"{tmp_path}/key: {expected}" == str(caught.value)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (FILES, "b: the bundle is not signed"),
        ({**signed(), "x.rego": b""}, "b/x.rego: not covered by the signature"),
        ({name: raw for name, raw in signed().items() if name != "data.json"}, "b/data.json: signed, but missing"),
        ({**signed(), "policies/p.rego": b"package q\n"}, "b/policies/p.rego: not the file that was signed"),
        ({**signed(), "data.json": b'{"b": 1.5, "a": ["\xe2\x80\xa8"]}'}, "b/data.json: not the file that was signed"),
        ({**signed(), "data.json": b'{"b": 1.50, "b": 1.50, "a": ["x"]}'}, "b/data.json: not a JSON document that reads in one way"),
        ({**signed(), signing.NAME: b""}, "b/.signatures.json: the signature is not JSON that reads in one way"),
        ({**signed(), signing.NAME: b"{}"}, "b/.signatures.json: a bundle has one signature"),
        ({**signed(), signing.NAME: b'{"signatures": []}'}, "b/.signatures.json: a bundle has one signature"),
        ({**signed(), signing.NAME: b'{"signatures": ["a", "b"]}'}, "b/.signatures.json: a bundle has one signature"),
        ({**signed(), signing.NAME: b'{"signatures": ["a.b"]}'}, "b/.signatures.json: the signature is not a JWT"),
        ({**signed(), signing.NAME: b'{"signatures": ["a.b.c"]}'}, "b/.signatures.json: the signature is not base64url"),
        ({**signed(), signing.NAME: b'{"signatures": ["e30=.e30.e30"]}'}, "b/.signatures.json: the signature is not base64url"),
        ({**signed(), signing.NAME: b'{"signatures": ["a"], "plugin": "x"}'}, "b/.signatures.json: the signature is of a kind that needs a plug-in"),
        (signed(Key(algorithm=Algorithm.HS256, material=SensitiveBytes(b"1" * 32))), "b/.signatures.json: the signature is not one of the configured key"),
        (forged(lambda header, _: header.update(alg="none")), "b/.signatures.json: the signature is not one of HS256, which the key is for"),
        (forged(lambda header, _: header.update(alg="RS256")), "b/.signatures.json: the signature is not one of HS256, which the key is for"),
        (forged(lambda header, _: header.update(crit=["x"])), "b/.signatures.json: the signature is not one of HS256, which the key is for"),
        (forged(lambda _, payload: payload.update(scope="write")), "b/.signatures.json: the signature is for another scope"),
        (forged(lambda _, payload: payload.pop("files")), "b/.signatures.json: the signature lists no files"),
        (forged(lambda _, payload: payload["files"].append(payload["files"][0])), "b/.signatures.json: the signature lists a file twice"),
        (forged(lambda _, payload: payload["files"][0].update(algorithm="MD5")), "b/.signatures.json: the signature lists a file without a hash of SHA-256, SHA-384, SHA-512"),
        (forged(lambda _, payload: payload["files"][0].update(hash="")), "b/.manifest: not the file that was signed"),
    ],
)  # fmt: skip
def test_what_the_key_did_not_sign_is_refused(files: dict[str, bytes], expected: str) -> None:
    """A stripped, partial, foreign or ambiguous signature is an error that names the file."""
    assert expected == refusal(files)


MUCH = b'{"a": [' + b"0," * 200_000 + b"0]}"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({**FILES, "data.json": MUCH}, "b: the bundle is not signed"),
        (
            {**signed(Key(algorithm=Algorithm.HS256, material=SensitiveBytes(b"1" * 32))), "data.json": MUCH},
            "b/.signatures.json: the signature is not one of the configured key",
        ),
        ({**signed(), "data.json": MUCH}, "b/data.json:1: more than 200000 values in the documents of a bundle"),
        ({**signed(), ".manifest": MUCH}, "b/.manifest:1: more than 200000 values in the documents of a bundle"),
        (
            {**signed(), "data.yaml": b"a: [" + b"0," * 20_000 + b"0]"},
            "b/data.yaml:1: more than 20000 values of YAML in the documents of a bundle: make it JSON",
        ),
        ({**signed(), "data/x.json": MUCH}, "b/data/x.json: not covered by the signature"),
        (
            {**signed(), signing.NAME: b'{"signatures": [' + b"[]," * 33_000 + b"0]}"},
            "b/.signatures.json: the signature holds more than 32768 values",
        ),
    ],
)
def test_much_data_is_refused_before_it_is_hashed(files: dict[str, bytes], expected: str) -> None:
    """None of these is what was signed, which only a hash of its values can tell; first comes who signed."""
    assert expected == refusal(files)


def test_deep_data_is_refused() -> None:
    """What is nested deeper than any reader goes is no error of another kind."""
    assert "b/data.json: not a JSON document that reads in one way" == refusal(
        {**signed(), "data.json": b"[" * 100_000 + b"]" * 100_000}
    )


def test_a_public_key_is_no_secret() -> None:
    """A token under HS256 with the text of the public key as its secret does not pass for one under RS256."""
    public = Key(algorithm=Algorithm.RS256, material=RSA.public_key())
    confused = Key(algorithm=Algorithm.HS256, material=SensitiveBytes(public_pem(RSA)))

    assert "b/.signatures.json: the signature is not one of RS256, which the key is for" == refusal(
        signed(confused), public
    )


def test_the_key_id_is_optional_but_never_another() -> None:
    """A token without a key id is judged by the key alone; one of another id is refused before a mix-up is."""
    mine = Key(algorithm=Algorithm.HS256, material=SECRET.material, id="mine")
    other = Key(algorithm=Algorithm.HS256, material=SECRET.material, id="other")

    signing.verify(tree(signed(SECRET)), mine)
    signing.verify(tree(signed(mine)), SECRET)

    assert "b/.signatures.json: the signature names another key id" == refusal(signed(other), mine)


def test_space_and_order_of_data_are_not_signed() -> None:
    """As with OPA, data is signed by its values: written otherwise it is the same data."""
    files = {**signed(), "data.json": b'{"a":["\\u2028"],"b":1.50}', ".manifest": b" {}"}

    signing.verify(tree(files), SECRET)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400))
def test_any_signature_file_is_refused(raw: bytes) -> None:
    """Bytes that the key did not make never pass, and never end in another error."""
    assert refusal({**FILES, signing.NAME: raw}).startswith("b/.signatures.json: ")


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_change_of_one_byte_is_refused(data: st.DataObject) -> None:
    """Whichever byte of whichever module changes, the bundle is not the signed one."""
    at = data.draw(st.integers(0, len(FILES["policies/p.rego"]) - 1))
    value = data.draw(st.integers(1, 255))
    changed = bytearray(FILES["policies/p.rego"])
    changed[at] ^= value

    assert "b/policies/p.rego: not the file that was signed" == refusal({**signed(), "policies/p.rego": bytes(changed)})
