"""io.jwt: a token's parts, and whether a key has signed it. RFC 7515, 7517, 7518, 8037

Nothing here signs, and nothing asks for the time: io.jwt.decode_verify and io.jwt.encode_sign are left out.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from cryptography.x509 import load_pem_x509_certificate

from governance.frozen import frozen
from governance.policy.plan.builtins.encoding import base64url_bytes
from governance.policy.plan.builtins.error import BuiltinError
from governance.policy.plan.builtins.operand import Builtin, guarded, text
from governance.policy.plan.builtins.reading import json_value
from governance.policy.plan.values import Value

_MAX_TOKEN: Final = 65_536
_MAX_KEYS: Final = 100
_MAX_NESTING: Final = 5
_ALGORITHMS: Final = frozenset(f"{family}{size}" for family in ("HS", "RS", "PS", "ES") for size in (256, 384, 512)) | {
    "EdDSA"
}
_CURVES: Final[Mapping[str, type[ec.EllipticCurve]]] = {
    "P-256": ec.SECP256R1,
    "P-384": ec.SECP384R1,
    "P-521": ec.SECP521R1,
}
_Verify = Callable[[Any, bytes, bytes], None]  # key, signature, what was signed; raises InvalidSignature


@frozen
class _Token:
    header: dict[Value, Value]
    signed: bytes
    payload: bytes
    signature: bytes


@frozen
class _Key:
    algorithm: str
    id: str
    public: Any


def _token(value: Value) -> _Token:
    source = text(value)
    parts = source.split(".")
    if len(source) > _MAX_TOKEN or len(parts) != 3:
        raise BuiltinError("encoded JWT must have 3 sections")
    header, payload, signature = map(base64url_bytes, parts)
    return _Token(
        header=_header(header), signed=f"{parts[0]}.{parts[1]}".encode(), payload=payload, signature=signature
    )


def _object(source: bytes) -> dict[Value, Value]:
    found = json_value(source.decode())
    if type(found) is not dict:
        raise BuiltinError("decoded JSON type was not an Object")
    return found


def _header(source: bytes) -> dict[Value, Value]:
    header = _object(source)
    if "enc" in header:
        raise BuiltinError("JWT is a JWE object, which is not supported")
    return header


def _checked(header: dict[Value, Value]) -> dict[Value, Value]:
    for name in ("alg", "kid", "typ", "cty"):
        text(header.get(name, ""))
    critical = header.get("crit", [""])
    if type(critical) is not list or not critical or not all(type(one) is str for one in critical):
        raise BuiltinError("crit: must be a nonempty list of strings")
    return header


def decode(a: Value) -> Value:
    """[header, payload, signature in hex] of a token, which nobody has verified."""
    token = _token(a)
    for _ in range(_MAX_NESTING):
        if text(token.header.get("cty", "")) != "JWT":
            return [token.header, _object(token.payload), token.signature.hex()]
        token = _token(token.payload.decode().strip("\"'"))
    raise BuiltinError("JWT nested too deep")


def _shared(name: str) -> Builtin:
    def call(a: Value, b: Value) -> Value:
        secret, token = text(b, 2).encode(), _token(a)
        return hmac.compare_digest(hmac.new(secret, token.signed, name).digest(), token.signature)

    return guarded(call)


def _public(verify: _Verify) -> Builtin:
    def call(a: Value, b: Value) -> Value:
        keys, token = _keys(text(b, 2)), _token(a)
        header = _checked(token.header)
        named = [key for key in keys if header.get("kid") and key.id == header["kid"]]
        tried = named[:1] or [key for key in keys if key.algorithm in ("", header.get("alg", ""))]
        return any(_verifies(verify, key, token) for key in tried)

    return guarded(call)


def _verifies(verify: _Verify, key: _Key, token: _Token) -> bool:
    try:
        verify(key.public, token.signature, token.signed)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False
    return True


def _rsa(digest: type[HashAlgorithm]) -> _Verify:
    def verify(key: Any, signature: bytes, signed: bytes) -> None:
        if not isinstance(key, rsa.RSAPublicKey):
            raise InvalidSignature
        key.verify(signature, signed, padding.PKCS1v15(), digest())

    return verify


def _pss(digest: type[HashAlgorithm]) -> _Verify:
    def verify(key: Any, signature: bytes, signed: bytes) -> None:
        if not isinstance(key, rsa.RSAPublicKey):
            raise InvalidSignature
        key.verify(signature, signed, padding.PSS(padding.MGF1(digest()), padding.PSS.AUTO), digest())

    return verify


def _ecdsa(digest: type[HashAlgorithm]) -> _Verify:
    def verify(key: Any, signature: bytes, signed: bytes) -> None:
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise InvalidSignature
        half = len(signature) // 2
        r, s = int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big")
        key.verify(encode_dss_signature(r, s), signed, ec.ECDSA(digest()))

    return verify


def _eddsa(key: Any, signature: bytes, signed: bytes) -> None:
    if not isinstance(key, ed25519.Ed25519PublicKey):
        raise InvalidSignature
    key.verify(signature, signed)


@lru_cache(maxsize=64)
def _keys(written: str) -> tuple[_Key, ...]:
    """The keys of a certificate or public key in PEM, or of a JWK or a set of them."""
    try:
        if written.lstrip().startswith("-----BEGIN CERTIFICATE-----"):
            certificate = load_pem_x509_certificate(_one_block(written))
            return (_Key(algorithm="", id="", public=certificate.public_key()),)
        if written.lstrip().startswith("-----BEGIN PUBLIC KEY-----"):
            return (_Key(algorithm="", id="", public=load_pem_public_key(_one_block(written))),)
        found = _object(written.encode())
        keys = found.get("keys", [found])
        if type(keys) is not list or len(keys) > _MAX_KEYS:
            raise BuiltinError("too many keys")
        return tuple(_jwk(key) for key in keys if text(key.get("alg", "")) in ("", *_ALGORITHMS))
    except (ValueError, TypeError, LookupError, AttributeError, UnsupportedAlgorithm):
        raise BuiltinError("not a key") from None


def _one_block(written: str) -> bytes:
    after = written.partition("-----END ")[2].partition("-----")[2]
    if written.count("-----BEGIN") != 1 or after.partition("\n")[2] or after.strip():
        raise BuiltinError("extra data after a PEM block")
    return written.encode()


def _jwk(key: dict[Value, Value]) -> _Key:
    return _Key(algorithm=text(key.get("alg", "")), id=text(key.get("kid", "")), public=_jwk_public(key))


def _jwk_public(key: dict[Value, Value]) -> Any:
    kind = key["kty"]
    if kind == "RSA":
        return rsa.RSAPublicNumbers(_jwk_int(key, "e"), _jwk_int(key, "n")).public_key()
    if kind == "EC":
        curve = _CURVES[text(key["crv"])]()
        return ec.EllipticCurvePublicNumbers(_jwk_int(key, "x"), _jwk_int(key, "y"), curve).public_key()
    if kind == "OKP" and key["crv"] == "Ed25519":
        return ed25519.Ed25519PublicKey.from_public_bytes(base64url_bytes(text(key["x"])))
    if kind == "oct":
        return base64url_bytes(text(key["k"]))
    raise BuiltinError("not a key")


def _jwk_int(key: dict[Value, Value], name: str) -> int:
    return int.from_bytes(base64url_bytes(text(key[name])), "big")


_HASHES: Final = ((256, SHA256), (384, SHA384), (512, SHA512))

BUILTINS: Final[Mapping[str, Builtin]] = {
    "io.jwt.decode": guarded(decode),
    **{f"io.jwt.verify_hs{size}": _shared(f"sha{size}") for size, _ in _HASHES},
    **{f"io.jwt.verify_rs{size}": _public(_rsa(digest)) for size, digest in _HASHES},
    **{f"io.jwt.verify_ps{size}": _public(_pss(digest)) for size, digest in _HASHES},
    **{f"io.jwt.verify_es{size}": _public(_ecdsa(digest)) for size, digest in _HASHES},
    "io.jwt.verify_eddsa": _public(_eddsa),
}
