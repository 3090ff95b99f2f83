"""Who a request comes from, as far as this installation can tell."""

from __future__ import annotations

import hmac

from governance.claims import Identity, read_claims
from governance.facts import Principal
from governance.gather import Caller
from governance.inference import RequestHead

# Where the supported APIs carry their credential.
_CREDENTIALS = ("authorization", "api-key", "x-api-key")
_NOBODY_TRUSTED = Identity()


def identify(
    head: RequestHead, *, key: bytes, tenant: str, jurisdiction: str, env: str, identity: Identity = _NOBODY_TRUSTED
) -> Caller:
    """The caller of `head`: who a trusted proxy says it is, or else a service named by its credential, or anonymous.

    `tenant` and `jurisdiction` hold where the proxy says nothing of them. Ids are keyed digests: neither a credential nor a name leaves here. Raises MalformedRequest where what a trusted proxy
    says cannot be read.
    """
    claims = read_claims(head, identity)
    credential = next((value for name in _CREDENTIALS if (value := head.header(name))), "")
    return Caller(
        principal=Principal(
            id=_id(key, claims.subject, credential),
            kind=claims.kind or ("user" if claims.subject else "service" if credential else "anonymous"),
            tenant=claims.tenant or tenant,
            groups=claims.groups,
            clearance=claims.clearance,
            attributes=dict(claims.attributes),
        ),
        jurisdiction=claims.jurisdiction or jurisdiction,
        basis="header" if claims.jurisdiction else "default",
        env=env,
        purpose=claims.purpose,
    )


def _id(key: bytes, subject: str, credential: str) -> str:
    """A subject that is somebody's credential has another id: no header holds a NUL."""
    named = f"subject\0{subject}" if subject else credential
    return hmac.digest(key, named.encode("latin-1", "replace"), "sha256").hex()[:32] if named else ""
