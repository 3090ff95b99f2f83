"""A detector that finds addresses and nothing else, so that tests of files need no rules."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from classifiers.scan_document import MOST_HITS, Document, Wanted, read_document
from classifiers.scan_formats import Format, format_of
from classifiers.scan_sources import Decoder, Source, opened
from governance.finding import Detection, DetectionStatus, Finding, Jurisdiction
from governance.segment import Span

MAIL = re.compile(r"[a-z0-9.]+@[a-z]+\.[a-z]{2,3}")
CARD = re.compile(r"\b4[0-9]{15}\b")
NAMED = re.compile(r"(?<=bsn: )[0-9]{9}\b")


def detect(text: str) -> Detection:
    """Addresses, card numbers by shape, and nine digits directly behind `bsn: `."""
    found = [
        Finding(
            segment=0,
            entity_type=entity,
            span=Span(start=match.start(), end=match.end()),
            permille=permille,
            detector="test",
            country=country,
            validated=country is not None,
        )
        for entity, pattern, permille, country in (
            ("EMAIL_ADDRESS", MAIL, 1000, None),
            ("CREDIT_CARD", CARD, 600, None),
            ("NL_BSN", NAMED, 900, "NL"),
        )
        for match in pattern.finditer(text)
    ]
    found.sort(key=lambda finding: finding.span.start)
    return Detection(
        status=DetectionStatus.COMPLETE,
        findings=tuple(found),
        jurisdictions=tuple(Jurisdiction(code=each.country, permille=each.permille) for each in found if each.country),
    )


def source_of(path: Path) -> Source:
    """`path` as it is named on the command line."""
    return Source(path=path, shown=path.name, relative=Path(path.name), size=path.stat().st_size, named=True)


def document_of(
    path: Path,
    *,
    form: Format = Format.AUTO,
    whole: bool = False,
    wanted: Wanted | None = None,
    most_hits: int = MOST_HITS,
    by: Callable[[str], Detection] = detect,
) -> tuple[Document, Decoder]:
    """What `path` holds, and the decoder that knows how its bytes are written."""
    source = source_of(path)
    with opened(source) as stream:
        decoder = Decoder(source, stream)
        kind = format_of(form, path)
        document = read_document(
            source,
            decoder,
            kind,
            by,
            rules={},
            headings=frozenset({"bsn", "bsn number"}),
            wanted=wanted or Wanted(),
            whole=whole,
            most_hits=most_hits,
        )
        return document, decoder
