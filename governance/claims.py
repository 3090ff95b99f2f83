"""What a trusted proxy says about the caller, read from its headers. Pure, and bounded whatever stands there.

Absent is the least: no groups, clearance 0, no attributes, no purpose. What is there and cannot be read is a refusal, as a
claim that is cut or guessed at could open what it was meant to close.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Annotated, Final, Literal

from annotated_types import MaxLen

from governance.errors import MalformedRequest
from governance.frozen import frozen
from governance.inference import RequestHead
from governance.residency import COUNTRIES

# What policies are told of a purpose that is not on the list; never an element of the list.
UNKNOWN_PURPOSE: Final = "unknown"

# Settings that name one header each.
SINGLE: Final = (
    "subject_header",
    "kind_header",
    "tenant_header",
    "jurisdiction_header",
    "groups_header",
    "clearance_header",
    "purpose_header",
)

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,127}", re.ASCII)
# A name or an address of a person: it is never seen again, only its digest is. A comma would be a second line.
_SUBJECT = re.compile(r"[^\x00-\x1f\x7f,]{1,512}")
_KIND = re.compile(r"user|service|agent", re.ASCII)
_COUNTRY = re.compile(r"[A-Za-z]{2}", re.ASCII)
_CLEARANCE = re.compile(r"[0-4]", re.ASCII)
# The bounds of `Principal.groups`, and room for their commas and spaces.
_MOST_GROUPS = 64
_MOST_CHARACTERS = 16 * 1024
# Optional whitespace of a list (RFC 9110, section 5.6.1).
_SPACE = " \t"


@frozen
class Identity:
    """Headers in which a proxy in front says who asks. `attribute_headers` is attribute to header.

    Only what comes from a peer in `trusted_proxies` (CIDR ranges) is believed. From anybody else Envoy removes these
    headers before anything looks at them, and no node ever gets them.
    """

    trusted_proxies: Annotated[tuple[str, ...], MaxLen(64)] = ()
    subject_header: str | None = None
    kind_header: str | None = None
    tenant_header: str | None = None
    jurisdiction_header: str | None = None
    groups_header: str | None = None
    clearance_header: str | None = None
    purpose_header: str | None = None
    purposes: Annotated[tuple[str, ...], MaxLen(64)] = ()
    attribute_headers: Annotated[Mapping[str, str], MaxLen(32)] = field(default_factory=dict)

    @property
    def headers(self) -> tuple[str, ...]:
        """The names of all headers that are read, sorted."""
        single = (getattr(self, name) for name in SINGLE)
        return tuple(sorted({name for name in (*single, *self.attribute_headers.values()) if name}))


@frozen
class Claims:
    """What is believed of one caller. `groups` are sorted; `purpose` is a configured one, `unknown` or empty.

    `subject` is who it is, as the proxy knows it: to be digested, never shown. `kind`, `tenant` and `jurisdiction` (ISO 3166-1
    alpha-2) are empty where nothing says it.
    """

    subject: str = field(default="", repr=False)
    kind: Literal["", "user", "service", "agent"] = ""
    tenant: str = ""
    jurisdiction: str = ""
    groups: tuple[str, ...] = ()
    clearance: int = 0
    attributes: Mapping[str, str] = field(default_factory=dict)
    purpose: str = ""


NOTHING: Final = Claims()


def read_claims(head: RequestHead, identity: Identity) -> Claims:
    """The claims in `head`, whose headers Envoy left because a trusted proxy sent them.

    Raises MalformedRequest with code `identity_invalid` for anything outside the bounds; the message holds no value.
    """
    if not identity.trusted_proxies:
        return NOTHING
    return Claims(
        subject=_one(head, identity.subject_header, _SUBJECT),
        kind=_kind(_one(head, identity.kind_header, _KIND)),
        tenant=_one(head, identity.tenant_header, _ID),
        jurisdiction=_country(_one(head, identity.jurisdiction_header, _COUNTRY)),
        groups=tuple(_groups(_value(head, identity.groups_header))),
        clearance=int(_one(head, identity.clearance_header, _CLEARANCE) or 0),
        attributes=dict(_attributes(head, identity.attribute_headers)),
        purpose=_purpose(_one(head, identity.purpose_header, _ID), identity.purposes),
    )


def _kind(text: str) -> Literal["", "user", "service", "agent"]:
    match text:
        case "" | "user" | "service" | "agent":
            return text
        case _:
            raise _invalid("value")


def _country(text: str) -> str:
    code = text.upper()
    if code and code not in COUNTRIES:
        raise _invalid("value")
    return code


def _groups(text: str) -> list[str]:
    # Empty elements are ignored, as the rule on lists demands.
    names = {name for element in text.split(",") if (name := element.strip(_SPACE))}
    if len(names) > _MOST_GROUPS or not all(map(_ID.fullmatch, names)):
        raise _invalid("groups")
    return sorted(names)


def _attributes(head: RequestHead, headers: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, header in sorted(headers.items()):
        if value := _one(head, header, _ID):
            yield name, value


def _purpose(text: str, known: tuple[str, ...]) -> str:
    return text if not text or text in known else UNKNOWN_PURPOSE


def _one(head: RequestHead, header: str | None, form: re.Pattern[str]) -> str:
    """The one value of `header`, empty where it is absent: two lines of it are a list, which no single value is."""
    text = _value(head, header).strip(_SPACE)
    if text and form.fullmatch(text) is None:
        raise _invalid("value")
    return text


def _value(head: RequestHead, header: str | None) -> str:
    """All lines of `header` as one (RFC 9110, section 5.3)."""
    if header is None:
        return ""
    text = ",".join(value for name, value in head.headers if name == header)
    if len(text) > _MOST_CHARACTERS:
        raise _invalid("size")
    return text


def _invalid(what: str) -> MalformedRequest:
    return MalformedRequest(f"identity: {what}", code="identity_invalid")
