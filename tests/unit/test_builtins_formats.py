"""Hashes, tokens, networks, graphs, versions, units, UUIDs and URIs."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from governance.policy.plan.builtins import BUILTINS, UNDEFINED, BuiltinError
from governance.policy.plan.values import Set, Value

TOKEN = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
    "eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ."
    "SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"
)
VALUES = [
    ("crypto.sha256", ("",), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("crypto.md5", ("a",), "0cc175b9c0f1b6a831c399e269772661"),
    ("crypto.hmac.md5", ("what do ya want for nothing?", "Jefe"), "750c783e6ab0b503eaa86e310a5db738"),
    ("crypto.hmac.equal", ("a", "b"), False),
    ("net.cidr_contains", ("10.0.0.0/8", "10.1.2.3"), True),
    ("net.cidr_contains", ("10.0.0.0/8", "::ffff:10.0.0.1"), True),
    ("net.cidr_contains", ("::/0", "10.0.0.1"), False),
    ("net.cidr_contains", ("10.0.0.0/16", "10.0.0.0/8"), False),
    ("net.cidr_intersects", ("10.0.0.0/8", "10.1.0.0/16"), True),
    ("net.cidr_is_valid", ("10.0.0.0/255.0.0.0",), False),
    ("net.cidr_expand", ("192.168.0.0/31",), Set(["192.168.0.0", "192.168.0.1"])),
    ("net.cidr_merge", (["10.0.0.0/24", "10.0.1.0/24", "192.168.1.5"],), Set(["10.0.0.0/23", "192.168.1.5/24"])),
    ("net.cidr_contains_matches", (["10.0.0.0/8"], {"a": "10.1.1.1"}), Set([[0, "a"]])),
    ("graph.reachable", ({"a": ["b"], "b": Set(["a"]), "c": []}, ["a"]), Set(["a", "b"])),
    ("graph.reachable_paths", ({"a": ["b", "c"], "b": [], "c": ["a"]}, ["a"]), Set([["a", "b"], ["a", "c"]])),
    ("semver.compare", ("1.0.0-rc.1", "1.0.0"), -1),
    ("semver.compare", ("1.0.0-2", "1.0.0-10"), -1),
    ("semver.is_valid", ("1.0",), False),
    ("units.parse", ("200Mi",), 209_715_200),
    ("units.parse", ("100m",), 0.1),
    ("units.parse_bytes", ("1.1gb",), 1_100_000_000),
    ("units.parse_bytes", ("10KiB",), 10_240),
    ("uuid.parse", ("9e107d9d-372b-4682-abd8-1d3542a419d6",), {"version": 4, "variant": "RFC4122"}),
    ("uuid.parse", ("x",), UNDEFINED),
    ("uri.parse", ("https://u:p@example.com:8080/a%2Fb?x=1#f",), {"scheme": "https", "hostname": "example.com", "port": "8080", "path": "/a/b", "raw_path": "/a%2Fb", "raw_query": "x=1", "fragment": "f"}),
    ("uri.is_valid", ("http://a b/",), False),
    ("io.jwt.decode", (TOKEN,), [{"alg": "HS256", "typ": "JWT"}, {"sub": "1234567890", "name": "John Doe", "iat": 1516239022}, "49f94ac7044948c78a285d904f87f0a4c7897f7e8f3a4eb2255fda750b2cc397"]),
    ("io.jwt.verify_hs256", (TOKEN, "your-256-bit-secret"), True),
    ("io.jwt.verify_hs256", (TOKEN, "another"), False),
    ("io.jwt.verify_hs512", (TOKEN, "your-256-bit-secret"), False),
]  # fmt: skip
ERRORS = [
    ("net.cidr_contains", ("secret", "10.0.0.1")),
    ("net.cidr_contains", ("10.0.0.0/8", "secret")),
    ("net.cidr_contains", ("010.0.0.0/8", "10.0.0.1")),
    ("net.cidr_expand", ("10.0.0.0/8",)),
    ("net.cidr_merge", (["::1"],)),
    ("graph.reachable", ({}, "secret")),
    ("graph.reachable_paths", ({str(i): [str(j) for j in range(20)] for i in range(20)}, ["0"])),
    ("semver.compare", ("secret", "1.0.0")),
    ("units.parse", ("1 K",)),
    ("units.parse", ("1e9999K",)),
    ("units.parse_bytes", ("secret",)),
    ("uri.parse", ("http://secret%zz/",)),
    ("io.jwt.decode", ("secret.secret.secret",)),
    ("io.jwt.verify_rs256", (TOKEN, "secret")),
]  # fmt: skip


@pytest.mark.parametrize(("name", "operands", "expected"), VALUES)
def test_value(name: str, operands: tuple[Value, ...], expected: Value) -> None:
    """A call has the documented value."""
    actual = BUILTINS[name](*operands)

    assert (type(expected), expected) == (type(actual), actual)


@pytest.mark.parametrize(("name", "operands"), ERRORS)
def test_error(name: str, operands: tuple[Value, ...]) -> None:
    """A call that has no answer is an error, whose text holds no operand."""
    with pytest.raises(BuiltinError) as raised:
        BUILTINS[name](*operands)

    assert "secret" not in str(raised.value)


def signed(algorithm: str, sign: Callable[[bytes], bytes]) -> str:
    """A token signed by `sign`."""
    parts = [json.dumps(part).encode() for part in ({"alg": algorithm}, {"sub": "x"})]
    head = ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
    return f"{head}.{base64.urlsafe_b64encode(sign(head.encode())).decode().rstrip('=')}"


def pem(key: PublicKeyTypes) -> str:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def test_rsa_signatures() -> None:
    """RS256 and PS256 verify with the key in PEM, and not as one another."""
    key = rsa.generate_private_key(65_537, 2048)
    pss = padding.PSS(padding.MGF1(SHA256()), 32)
    first = signed("RS256", lambda head: key.sign(head, padding.PKCS1v15(), SHA256()))
    second = signed("PS256", lambda head: key.sign(head, pss, SHA256()))
    public = pem(key.public_key())

    found = [
        BUILTINS[f"io.jwt.verify_{name}"](token, public) for token in (first, second) for name in ("rs256", "ps256")
    ]

    assert [True, False, False, True] == found


def test_curve_signatures() -> None:
    """ES256 and EdDSA verify with the keys in PEM, and with neither's."""
    key, other = ec.generate_private_key(ec.SECP256R1()), ed25519.Ed25519PrivateKey.generate()

    def sign(head: bytes) -> bytes:
        r, s = decode_dss_signature(key.sign(head, ec.ECDSA(SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    first, second = signed("ES256", sign), signed("EdDSA", other.sign)
    publics = (pem(key.public_key()), pem(other.public_key()))
    found = [
        BUILTINS[f"io.jwt.verify_{name}"](token, public)
        for token, name in ((first, "es256"), (second, "eddsa"))
        for public in publics
    ]

    assert [True, False, False, True] == found


def test_a_key_in_a_set_is_found_by_its_id() -> None:
    """A JWK set is read, and a text after a PEM block is refused."""
    key = ed25519.Ed25519PrivateKey.generate()
    raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    jwk = {"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "x": base64.urlsafe_b64encode(raw).decode().rstrip("=")}
    token = signed("EdDSA", key.sign)

    assert BUILTINS["io.jwt.verify_eddsa"](token, json.dumps({"keys": [jwk]})) is True
    with pytest.raises(BuiltinError):
        BUILTINS["io.jwt.verify_eddsa"](token, pem(key.public_key()) + "more")
