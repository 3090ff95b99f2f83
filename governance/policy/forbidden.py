"""Builtins that no policy may call, each with what to write in its place."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

_CASE: Final = "a case in `cases.yaml`, which shows what the policy says"
_TABLE: Final = "put what is asked for into a data file of the bundle"

# A decision depends on its input and its bundle alone, else it can neither be replayed nor cached. `opa.runtime` would hand
# the process environment to a policy.
FORBIDDEN: Final = MappingProxyType(
    {
        "http.send": _TABLE,
        "net.lookup_ip_addr": _TABLE,
        "opa.runtime": "put the setting into `params.json`: the process's environment is no input",
        "time.now_ns": "`input.context.time`",
        "print": _CASE,
        "trace": _CASE,
        "io.jwt.decode_verify": "`input.principal`: tokens are verified before a policy is asked",
    }
)
FORBIDDEN_FAMILIES: Final = MappingProxyType(
    {
        "rand.": "`rollout` in the metadata, which chooses by a stable hash",
        "uuid.": "nothing: a decision has an id",
        "io.jwt.encode_": "nothing: a policy signs nothing",
        "crypto.x509.parse_and_verify_certificates": "`input.principal`: callers are verified before a policy is asked",
    }
)
# What regopy 1.5.2 evaluates otherwise than OPA: a shallow union, a patch that fails on computed paths, and an order in which
# 99999 comes after 100000.
DIVERGENT: Final = MappingProxyType(
    {
        "object.union": "an object comprehension",
        "object.union_n": "an object comprehension",
        "json.patch": "an object comprehension",
        "max": "a condition for each of the numbers, such as `every other in numbers { other <= highest }`",
        "min": "a condition for each of the numbers, such as `every other in numbers { other >= lowest }`",
        "sort": "a set: effects have no order",
    }
)


def is_forbidden(name: str) -> bool:
    """Whether `name`, dotted, may not be referred to at all."""
    return name in FORBIDDEN or name.startswith(tuple(FORBIDDEN_FAMILIES))


def instead(name: str) -> str:
    """What to write in place of `name`; empty where it is allowed."""
    families = (hint for family, hint in FORBIDDEN_FAMILIES.items() if name.startswith(family))
    return FORBIDDEN.get(name) or DIVERGENT.get(name) or next(families, "")
