"""Whose law may reach a request: countries that validated values of the content point to."""

from __future__ import annotations

from collections.abc import Iterable

from governance.finding import Finding, Jurisdiction

# A national number has a country only because of the region it was read in.
_NATIONAL_PHONE_PERMILLE = 300


def _permille(finding: Finding) -> int:
    if finding.entity_type == "PHONE_NUMBER" and not finding.validated:
        return min(finding.permille, _NATIONAL_PHONE_PERMILLE)
    return finding.permille


def jurisdictions(findings: Iterable[Finding]) -> tuple[Jurisdiction, ...]:
    """The strongest evidence for each country, sorted by code."""
    scores: dict[str, int] = {}
    for finding in findings:
        if finding.country is not None:
            scores[finding.country] = max(scores.get(finding.country, 0), _permille(finding))
    return tuple(Jurisdiction(code=code, permille=scores[code]) for code in sorted(scores))
