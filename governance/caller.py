"""Who a request comes from, as far as this installation can tell."""

from __future__ import annotations

import hmac

from governance.facts import Principal
from governance.gather import Caller
from governance.inference import RequestHead

# Where the supported APIs carry their credential.
_CREDENTIALS = ("authorization", "api-key", "x-api-key")


def identify(head: RequestHead, *, key: bytes, tenant: str, jurisdiction: str, env: str) -> Caller:
    """The caller of `head`: a service named by the keyed digest of its credential, or anonymous. Never the credential."""
    credential = next((value for name in _CREDENTIALS if (value := head.header(name))), "")
    digest = hmac.digest(key, credential.encode("latin-1", "replace"), "sha256").hex()[:32] if credential else ""
    return Caller(
        principal=Principal(id=digest, kind="service" if digest else "anonymous", tenant=tenant),
        jurisdiction=jurisdiction,
        env=env,
    )
