"""Builders of policy directories and of facts for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from governance.facts import EntityFact, Facts, LabelFact, SubjectJurisdiction
from governance.finding import Category
from governance.policy.bundle import Bundle, load_bundle
from governance.policy.sample import plain
from governance.segment import Role

ALLOW = '{"effect": "allow", "rule": "all", "code": "all", "params": {}}'


CATEGORIES = {
    "API_KEY": Category.CREDENTIAL,
    "CREDIT_CARD": Category.CARD,
    "EMAIL_ADDRESS": Category.CONTACT,
    "US_SSN": Category.SOCIAL_SECURITY,
}


def metadata(id_: str, *, version: str = "1.0.0", **custom: str) -> str:
    """A METADATA block for a package."""
    lines = [f"#   {key}: {value}" for key, value in {"id": id_, "version": f'"{version}"', **custom}.items()]
    return "\n".join(["# METADATA", f"# title: The policy {id_}", "# custom:", *lines])


def policy(id_: str, body: str = f"effects contains {ALLOW}", **custom: str) -> str:
    """The source of a policy whose rules are `body`."""
    return f"{metadata(id_, **custom)}\npackage ringfence.policy.{id_}\n\n{body}\n"


def write(top: Path, files: Mapping[str, str]) -> Path:
    """`top` with `files` in it, by relative name."""
    for name, text in files.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return top


def bundle_of(top: Path, files: Mapping[str, str], **modes: Any) -> Bundle:
    """The bundle of a directory that holds `files`."""
    return load_bundle([write(top, files)], modes=modes)


def one_policy(top: Path, body: str, files: Mapping[str, str] | None = None) -> Bundle:
    """The bundle of one policy `p` with the rules `body`."""
    return bundle_of(top, {"p.rego": policy("p", body), **(files or {})})


def facts_with(
    entities: Mapping[str, tuple[int, bool]] | None = None,
    labels: Mapping[str, int] | None = None,
    subjects: Mapping[str, int] | None = None,
    **parts: Any,
) -> Facts:
    """The facts of a chat with these entities (permille, validated), labels and subjects (permille).

    `parts` replaces fields: `status` of the classification, `jurisdiction` of the origin, any other of the request.
    """
    facts = plain()
    classification = replace(
        facts.classification,
        status=parts.pop("status", facts.classification.status),
        entities=tuple(
            EntityFact(
                category=CATEGORIES.get(name, Category.OTHER),
                type=name,
                count=1,
                max_permille=permille,
                validated=validated,
                where=(Role.USER,),
            )
            for name, (permille, validated) in sorted((entities or {}).items())
        ),
        labels=tuple(LabelFact(name=name, permille=permille) for name, permille in sorted((labels or {}).items())),
    )
    origin = replace(
        facts.origin,
        jurisdiction=parts.pop("jurisdiction", facts.origin.jurisdiction),
        subject_jurisdictions=tuple(
            SubjectJurisdiction(code=code, permille=permille, basis="content")
            for code, permille in sorted((subjects or {}).items())
        ),
    )
    return replace(facts, classification=classification, origin=origin, request=replace(facts.request, **parts))
