"""Which changes to the head of a request can be kept. Enforcement refuses others, and the data plane makes no others."""

from __future__ import annotations

import re
import string

# What no verdict may change: framing and hop-by-hop headers are Envoy's, markers are ours, and a pin is nobody's to spoof.
FIXED = tuple("host content-length transfer-encoding connection keep-alive upgrade te trailer expect".split())
FIXED_PREFIXES = ("proxy-", "x-envoy-", "x-ringfence-", "x-forwarded-")

# Of a name (RFC 9110, section 5.6.2), in lower case as HTTP/2 has it.
NAME_CHARACTERS = string.ascii_lowercase + string.digits + "!#$%&'*+-.^_`|~"

_NAME = re.compile(f"[{re.escape(NAME_CHARACTERS)}]+")
# No control but the tab (section 5.5), and nothing that has no UTF-8.
_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]*")


def may_change(name: str) -> bool:
    """Whether a verdict may set or remove the header `name`, in lower case."""
    return _NAME.fullmatch(name) is not None and name not in FIXED and not name.startswith(FIXED_PREFIXES)


def may_hold(value: str) -> bool:
    """Whether a header can have `value`."""
    return _VALUE.fullmatch(value) is not None
