"""What a detector saw in the segments of a request."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from governance.frozen import frozen
from governance.segment import Span


class DetectionStatus(StrEnum):
    """How far detection came. Anything but complete makes the sensitivity level unknown."""

    COMPLETE = "complete"
    PARTIAL = "partial"
    TIMEOUT = "timeout"
    FAILED = "failed"
    SKIPPED = "skipped"


SEVERITY: Final = (
    DetectionStatus.COMPLETE,
    DetectionStatus.SKIPPED,
    DetectionStatus.PARTIAL,
    DetectionStatus.TIMEOUT,
    DetectionStatus.FAILED,
)
"""Least first: the status of a whole is the worst of its parts'."""


class Category(StrEnum):
    """What kind of value an entity is, so that policy, levels and labels hold for entity types they have never heard of."""

    NATIONAL_ID = "national_id"
    TAX = "tax"
    SOCIAL_SECURITY = "social_security"
    HEALTH = "health"
    COMPANY = "company"
    VAT = "vat"
    PASSPORT = "passport"
    DRIVING_LICENCE = "driving_licence"
    VEHICLE = "vehicle"
    BANK = "bank"
    CARD = "card"
    SECURITIES = "securities"
    CRYPTO = "crypto"
    DEVICE = "device"
    NETWORK = "network"
    CONTACT = "contact"
    ADDRESS = "address"
    PERSONAL = "personal"
    CREDENTIAL = "credential"
    OTHER = "other"


@frozen
class Finding:
    """An entity in segment number `segment`. Names are Presidio's.

    `validated` means that a checksum or structure was verified, `beside_word` that a word near the value names it; `country` is ISO 3166-1 alpha-2 where the value
    itself points to one; `permille` is the score times 1,000. `via` names the encodings that were undone to see the
    value, from the outside in (`percent>base64`), empty for plain text; the span then covers all that is encoded.
    """

    segment: int
    entity_type: str
    span: Span
    permille: int
    detector: str
    category: Category = Category.OTHER
    country: str | None = None
    validated: bool = False
    beside_word: bool = False
    via: str = ""


@frozen
class Label:
    """What a text is about (health, credentials, ...)."""

    name: str
    permille: int


@frozen
class Jurisdiction:
    """Evidence that a data subject belongs to `code` (ISO 3166-1 alpha-2), read from the content.

    `evidence` are its kinds, sorted: entity types, or `city`, `country`, `mail_domain`, `cctld`, `currency`, `language`, `date_order`.
    """

    code: str
    permille: int
    evidence: tuple[str, ...] = ()


@frozen
class DetectorRun:
    """Which detector ran, in which version, and how it ended."""

    id: str
    version: str
    status: DetectionStatus


@frozen
class Detection:
    """The result of detection over all segments of one request. Findings are sorted by segment, then start."""

    status: DetectionStatus
    findings: tuple[Finding, ...] = ()
    labels: tuple[Label, ...] = ()
    jurisdictions: tuple[Jurisdiction, ...] = ()
    residency_labels: tuple[str, ...] = ()
    detectors: tuple[DetectorRun, ...] = ()
