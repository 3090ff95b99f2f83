"""OPA's bundle signatures: one JWT in `.signatures.json` with the hash of every other file.

A key makes a signature mandatory. The algorithm belongs to the key and is never taken from the token, every file is
covered, and no file that is covered is missing. Documents that OPA reads as JSON (`data.json`, `data.yaml`,
`.manifest`) are hashed over their values, as OPA does; whoever loads them refuses what two parsers read differently.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import stat
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeAlias

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from governance.errors import ConfigInvalid
from governance.frozen import frozen
from governance.policy.distribution.archive import MAX_FILES, Tree, read_limited
from governance.policy.documents import document, json_values, refuse_large, unique
from governance.sensitive import SensitiveBytes

NAME = ".signatures.json"

_STRUCTURED = ("data.json", "data.yaml", "data.yml", ".manifest")
_MAX_KEY_BYTES = 16 << 10
# A row of three members for each file, and what else a signer writes.
_MAX_SIGNATURE_VALUES = 8 * MAX_FILES
_LEAST_SECRET_BYTES = 32
_LEAST_RSA_BITS = 2048
_ES256_BYTES = 64
# Hexadecimal or alphanumeric: no public key in another form (DER, base64, OpenSSH, JWK) may pass for a secret. A bare
# base64 key of these characters alone would still begin like a sequence in DER.
_SECRET = re.compile(rb"(?!M[CI])[A-Za-z0-9_-]+\s*", re.ASCII)
_BASE64URL = re.compile(r"[A-Za-z0-9_-]*", re.ASCII)
# What OPA offers and nobody has broken.
_HASHES = {"SHA-256": hashlib.sha256, "SHA-384": hashlib.sha384, "SHA-512": hashlib.sha512}

PublicKey: TypeAlias = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey
PrivateKey: TypeAlias = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


class Algorithm(StrEnum):
    """How a bundle is signed (RFC 7518, 3.1; RFC 8037, 3.1)."""

    HS256 = "HS256"
    RS256 = "RS256"
    ES256 = "ES256"
    EDDSA = "EdDSA"


@frozen
class Key:
    """A key for one algorithm. `id` "" accepts a token of any key id, `scope` must be the token's own.

    It verifies; it also signs where it was read from a private key or a secret.
    """

    algorithm: Algorithm
    material: SensitiveBytes | PublicKey | PrivateKey
    id: str = ""
    scope: str = ""


def read_key(path: Path, *, id_: str = "", scope: str = "") -> Key:
    """The key in a PEM file (public, certificate, or private), or the whole file as the secret of HS256.

    As for OPA, the line end of a secret belongs to it. LIMIT: dates of a certificate are not looked at.
    Raises ConfigInvalid for a weak key, and for a secret or private key that others may read.
    """
    raw = read_limited(path, _MAX_KEY_BYTES)
    if b"-----BEGIN" not in raw:
        _refuse_shared(path)
        if len(raw) < _LEAST_SECRET_BYTES or not _SECRET.fullmatch(raw):
            raise ConfigInvalid(
                f"neither a key in PEM form nor a secret of at least {_LEAST_SECRET_BYTES} letters and digits",
                file=str(path),
            )
        return Key(algorithm=Algorithm.HS256, material=SensitiveBytes(raw), id=id_, scope=scope)
    try:
        if b"PRIVATE KEY-----" in raw:
            _refuse_shared(path)
            loaded: object = serialization.load_pem_private_key(raw, None)
        elif b"-----BEGIN CERTIFICATE" in raw:
            loaded = x509.load_pem_x509_certificate(raw).public_key()
        else:
            loaded = serialization.load_pem_public_key(raw)
    except (ValueError, TypeError):
        raise ConfigInvalid("not a key in PEM form without a password", file=str(path)) from None
    match loaded:
        case rsa.RSAPublicKey() | rsa.RSAPrivateKey() if loaded.key_size >= _LEAST_RSA_BITS:
            return Key(algorithm=Algorithm.RS256, material=loaded, id=id_, scope=scope)
        case ec.EllipticCurvePublicKey() | ec.EllipticCurvePrivateKey() if isinstance(loaded.curve, ec.SECP256R1):
            return Key(algorithm=Algorithm.ES256, material=loaded, id=id_, scope=scope)
        case ed25519.Ed25519PublicKey() | ed25519.Ed25519PrivateKey():
            return Key(algorithm=Algorithm.EDDSA, material=loaded, id=id_, scope=scope)
    raise ConfigInvalid("a key is RSA of 2048 bits or more, P-256 or Ed25519", file=str(path))


def verify(tree: Tree, key: Key) -> None:
    """Returns when `key` signed exactly the files of `tree`. Raises ConfigInvalid."""
    place = str(tree.place / NAME)
    raw = tree.files.get(NAME)
    if raw is None:
        raise ConfigInvalid("the bundle is not signed", file=str(tree.place))
    covered = _covered(_token(raw, place), key, place)
    # Whoever holds the key is still not trusted with our time: hashing a value is work in Python.
    refuse_large((tree.place / name, content) for name, content in tree.files.items() if _is_structured(name))
    for name, content in tree.files.items():
        if name == NAME:
            continue
        if name not in covered:
            raise ConfigInvalid("not covered by the signature", file=str(tree.place / name))
        algorithm, stated = covered.pop(name)
        found = _HASHES[algorithm](_hashed(name, content, tree.place / name)).hexdigest()
        if not hmac.compare_digest(found, stated):
            raise ConfigInvalid("not the file that was signed", file=str(tree.place / name))
    if covered:
        raise ConfigInvalid("signed, but missing", file=str(tree.place / min(covered)))


def signatures(files: Mapping[str, bytes], key: Key) -> bytes:
    """The content of `.signatures.json` for `files`. Raises ConfigInvalid where `key` cannot sign."""
    rows = [
        {"name": name, "hash": hashlib.sha256(_hashed(name, raw, Path(name))).hexdigest(), "algorithm": "SHA-256"}
        for name, raw in sorted(files.items())
        if name != NAME
    ]
    header: dict[str, str] = {"alg": key.algorithm, "typ": "JWT"}
    payload: dict[str, Any] = {"files": rows}
    if key.id:
        header["kid"] = payload["keyid"] = key.id
    if key.scope:
        payload["scope"] = key.scope
    signed = ".".join(_encoded(json.dumps(part, separators=(",", ":")).encode()) for part in (header, payload))
    token = f"{signed}.{_encoded(_sign(key, signed.encode()))}"
    return json.dumps({"signatures": [token]}).encode()


# --- the token -----------------------------------------------------------------------------------------------------


def _token(raw: bytes, place: str) -> str:
    value = _object(raw, place)
    tokens = value.get("signatures")
    if not isinstance(tokens, list) or len(tokens) != 1 or not isinstance(tokens[0], str):
        raise ConfigInvalid("a bundle has one signature", file=place)
    if value.get("plugin", "") not in ("", "_default"):
        raise ConfigInvalid("the signature is of a kind that needs a plug-in", file=place)
    return tokens[0]


def _covered(token: str, key: Key, place: str) -> dict[str, tuple[str, str]]:
    """Algorithm and hash of each file that `token` covers, once `key` has verified it."""
    parts = token.split(".")
    if len(parts) != 3:
        raise ConfigInvalid("the signature is not a JWT", file=place)
    header_text, payload_text, signature = parts
    header = _object(_decoded(header_text, place), place)
    if header.get("alg") != key.algorithm or "crit" in header:
        raise ConfigInvalid(f"the signature is not one of {key.algorithm}, which the key is for", file=place)
    if not _is_valid(key, f"{header_text}.{payload_text}".encode(), _decoded(signature, place)):
        raise ConfigInvalid("the signature is not one of the configured key", file=place)
    payload = _object(_decoded(payload_text, place), place)
    signer = header.get("kid") or payload.get("keyid")
    if key.id and signer not in (None, "", key.id):
        raise ConfigInvalid("the signature names another key id", file=place)
    if payload.get("scope", "") != key.scope:
        raise ConfigInvalid("the signature is for another scope", file=place)
    return _rows(payload.get("files"), place)


def _rows(rows: object, place: str) -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    if not isinstance(rows, list) or len(rows) > MAX_FILES:
        raise ConfigInvalid("the signature lists no files", file=place)
    for row in rows:
        match row:
            case {"name": str(name), "hash": str(stated), "algorithm": str(algorithm)} if (
                algorithm in _HASHES and stated.isascii()
            ):
                if name in found:
                    raise ConfigInvalid("the signature lists a file twice", file=place)
                found[name] = algorithm, stated.lower()
            case _:
                raise ConfigInvalid(f"the signature lists a file without a hash of {', '.join(_HASHES)}", file=place)
    return found


def _is_valid(key: Key, signed: bytes, signature: bytes) -> bool:
    material = key.material
    if isinstance(material, SensitiveBytes):
        return hmac.compare_digest(hmac.digest(material.reveal(), signed, "sha256"), signature)
    if isinstance(material, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey):
        material = material.public_key()
    try:
        match material:
            case rsa.RSAPublicKey():
                material.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
            case ec.EllipticCurvePublicKey():
                if len(signature) != _ES256_BYTES:
                    return False
                r, s = (int.from_bytes(half) for half in (signature[:32], signature[32:]))
                material.verify(encode_dss_signature(r, s), signed, ec.ECDSA(hashes.SHA256()))
            case ed25519.Ed25519PublicKey():
                material.verify(signature, signed)
    except InvalidSignature:
        return False
    return True


def _sign(key: Key, signed: bytes) -> bytes:
    match key.material:
        case SensitiveBytes():
            return hmac.digest(key.material.reveal(), signed, "sha256")
        case rsa.RSAPrivateKey():
            return key.material.sign(signed, padding.PKCS1v15(), hashes.SHA256())
        case ec.EllipticCurvePrivateKey():
            r, s = decode_dss_signature(key.material.sign(signed, ec.ECDSA(hashes.SHA256())))
            return r.to_bytes(32) + s.to_bytes(32)
        case ed25519.Ed25519PrivateKey():
            return key.material.sign(signed)
    raise ConfigInvalid("a public key cannot sign; give the private key")


def _object(raw: bytes, place: str) -> dict[str, Any]:
    if json_values(raw) > _MAX_SIGNATURE_VALUES:
        raise ConfigInvalid(f"the signature holds more than {_MAX_SIGNATURE_VALUES} values", file=place)
    try:
        value = json.loads(raw.decode(), object_pairs_hook=unique)
    except (ValueError, RecursionError):
        raise ConfigInvalid("the signature is not JSON that reads in one way", file=place) from None
    if not isinstance(value, dict):
        raise ConfigInvalid("the signature is not a JSON object", file=place)
    return value


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decoded(text: str, place: str) -> bytes:
    if not _BASE64URL.fullmatch(text) or len(text) % 4 == 1:
        raise ConfigInvalid("the signature is not base64url", file=place)
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _refuse_shared(path: Path) -> None:
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise ConfigInvalid("others may read this key; run `chmod 600` on it", file=str(path))


# --- what is hashed ------------------------------------------------------------------------------------------------


class _Number(str):
    """A number as it is spelt: OPA hashes the spelling."""

    __slots__ = ()


def _is_structured(name: str) -> bool:
    """Whether OPA hashes the values of the file `name` and not its bytes."""
    return name.rpartition("/")[2] in _STRUCTURED


def _hashed(name: str, raw: bytes, path: Path) -> bytes:
    """The bytes that OPA hashes for the file `name`."""
    if not _is_structured(name):
        return raw
    try:
        if name.endswith((".yaml", ".yml")):
            value: object = document(raw, path)
        else:
            value = json.loads(raw.decode(), object_pairs_hook=unique, parse_int=_Number, parse_float=_Number)
        return _walked(value).encode()
    except (ValueError, RecursionError):
        raise ConfigInvalid("not a JSON document that reads in one way", file=str(path)) from None


def _walked(value: object) -> str:
    """JSON without space, keys sorted, as Go's encoder escapes it."""
    match value:
        case dict():
            rows = ",".join(f"{_walked(key)}:{_walked(value[key])}" for key in sorted(value))
            return f"{{{rows}}}"
        case list():
            return f"[{','.join(map(_walked, value))}]"
        case _Number():
            return str(value)
        case _:
            text = json.dumps(value, ensure_ascii=False, allow_nan=False)
            return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
