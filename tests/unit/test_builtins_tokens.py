"""Tokens that somebody signed, verified by the builtins of a plan."""

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

from governance.policy.plan.builtins import BUILTINS, BuiltinError


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
