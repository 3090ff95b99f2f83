"""The names that a caller chose, as far as facts and records may hold them. Pure.

Neither `<` nor `>` can stand in a name that a dialect reads, so no caller can write what stands here instead.
LIMIT: a tool's name that detection did not come to, as its status then says, stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from governance.finding import Detection
from governance.inference import InferenceRequest
from governance.nodes.node import Node
from governance.redaction import name_of

UNKNOWN_MODEL: Final = "<unknown>"


def with_known_model(request: InferenceRequest, nodes: Iterable[Node]) -> InferenceRequest:
    """`request`, with the model `<unknown>` where no node declares it: nobody has read that name, and it leads nowhere."""
    if not request.model or any(request.model in node.models for node in nodes):
        return request
    return replace(request, model=UNKNOWN_MODEL)


def with_clean_tools(request: InferenceRequest, detection: Detection) -> InferenceRequest:
    """`request`, with `<IBAN_CODE>` for the name of a tool in which that was found."""
    if not request.tools:
        return request
    tools, found = frozenset(request.tools), dict[str, str]()
    for finding in detection.findings:
        text = request.segments[finding.segment].text.reveal()
        if text in tools:
            found.setdefault(text, f"<{name_of(finding.entity_type)}>")
    return replace(request, tools=tuple(found.get(tool, tool) for tool in request.tools)) if found else request
