"""The policies of the library for users, written from their metadata: `ringfence policy page > docs/policy-library.md`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from governance.decision import Mode
from governance.policy.bundle import BUILTIN, Bundle, load_bundle
from governance.policy.metadata import Policy
from governance.policy.parameters import Parameters

_LONGEST_DEFAULT = 100


def page_command() -> int:
    """Writes the page to standard output; 0."""
    print(page(load_bundle([BUILTIN])), end="")
    return 0


def page(bundle: Bundle) -> str:
    """The policies of `bundle` as Markdown, by area and id, with their parameters. Ends with a line break."""
    return "\n".join(_lines(bundle)) + "\n"


def _lines(bundle: Bundle) -> Iterator[str]:
    enforced = sum(policy.mode is Mode.ENFORCE for policy in bundle.policies)
    yield "# The policies of the library"
    yield ""
    yield "Generated from their metadata by `ringfence policy page`; change a policy under `rego/policies`, not this page."
    yield ""
    yield (
        f"{len(bundle.policies)} policies. {enforced} are enforced as delivered; the others are off until the "
        "configuration says otherwise:"
    )
    yield ""
    yield "    policy:"
    yield "      modes: {pci_dss_card_data: shadow}      # then warn, then enforce"
    yield ""
    yield "A policy is a reading of a rule and no legal advice. What each one says, rule by rule, stands in its file."
    for area in sorted({_area(policy) for policy in bundle.policies}):
        yield from _section(area, [policy for policy in bundle.policies if _area(policy) == area])
    yield from _parameters(bundle)


def _section(area: str, policies: Sequence[Policy]) -> Iterator[str]:
    yield ""
    yield f"## {area.replace('_', ' ').capitalize()}"
    yield ""
    yield "| Policy | Ensures | Because of | Severity | Mode |"
    yield "|---|---|---|---|---|"
    for policy in policies:
        because = "; ".join(policy.references)
        yield _row(f"`{policy.id}`", policy.title, because, policy.severity, policy.mode)


def _parameters(bundle: Bundle) -> Iterator[str]:
    yield ""
    yield "## Parameters"
    yield ""
    yield (
        "A parameter is replaced whole, and is held to the schema beside its policy. Where a table maps names to `true`, "
        "`false` takes a name out."
    )
    yield ""
    yield "| Policy | Parameter | Default | Says |"
    yield "|---|---|---|---|"
    for policy in bundle.policies:
        found = bundle.parameters.get(policy.id)
        if found is not None:
            yield from (
                _row(f"`{policy.id}`", f"`{name}`", _default(value), _says(found, name))
                for name, value in sorted(found.defaults.items())
            )


def _default(value: object) -> str:
    """`value` as it stands in a file, or its size where that would be long."""
    text = json.dumps(value, ensure_ascii=False)
    if len(text) > _LONGEST_DEFAULT and isinstance(value, dict | list):
        return f"{len(value)} entries"
    return f"`{text}`"


def _says(parameters: Parameters, name: str) -> str:
    return str(parameters.schema.get("properties", {}).get(name, {}).get("description", ""))


def _area(policy: Policy) -> str:
    """The folder that holds the policy's own."""
    return Path(policy.file).parent.parent.name


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
