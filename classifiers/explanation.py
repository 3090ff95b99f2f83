"""A finding in words, without the value."""

from __future__ import annotations

from governance.finding import Finding


def explained(finding: Finding) -> str:
    """One sentence for people: which rule, how sure, what it points to."""
    parts = [f"found by the rule `{finding.detector}`"]
    if finding.validated:
        parts.append("its checksum or structure was verified")
    if finding.via:
        parts.append(f"behind {finding.via.replace('>', ', ')}")
    if finding.country:
        parts.append(f"points to {finding.country}")
    return "; ".join(parts)
