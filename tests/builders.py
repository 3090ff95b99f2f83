"""Values of the path for tests, each with sensible defaults."""

from __future__ import annotations

from typing import Any

from governance.decision import Action, Decision, Deny, Obligations, Provenance
from governance.facts import Principal
from governance.finding import Detection, DetectionStatus, Finding
from governance.gather import Caller
from governance.inference import InferenceRequest, Operation, RequestHead
from governance.nodes.node import Node
from governance.record import DecisionRecord, FindingCount, Op, Perf, PolicyRecord, RouteRecord
from governance.residency import Level, Tier
from governance.segment import Role, Span, TextSegment
from governance.sensitive import SensitiveBytes, SensitiveText

CALLER = Caller(principal=Principal(id="", kind="anonymous", tenant="default"), jurisdiction="unknown", env="test")


def head(path: str = "/v1/chat/completions", method: str = "POST", **headers: str) -> RequestHead:
    """A request head with a JSON content type; underscores in names stand for hyphens."""
    named = {"content_type": "application/json", **headers}
    return RequestHead(
        method=method, path=path, headers=tuple((name.replace("_", "-"), value) for name, value in named.items())
    )


def segment(text: str, role: Role = Role.USER, place: str = "/messages/*/content") -> TextSegment:
    """One text segment."""
    return TextSegment(role=role, place=place, text=SensitiveText(text))


def chat(*texts: str, **changes: Any) -> InferenceRequest:
    """A chat request with one user message per text, and no document."""
    values: dict[str, Any] = {
        "protocol": "openai",
        "operation": Operation.CHAT,
        "model": "m",
        "messages": len(texts),
        "segments": tuple(segment(text) for text in texts),
        "body": SensitiveBytes(b"x" * 40),
    }
    return InferenceRequest(**{**values, **changes})


def finding(entity: str, start: int, end: int, **changes: Any) -> Finding:
    """A finding in the first segment."""
    values: dict[str, Any] = {
        "segment": 0,
        "entity_type": entity,
        "span": Span(start=start, end=end),
        "permille": 900,
        "detector": "test",
    }
    return Finding(**{**values, **changes})


def detection(*findings: Finding, **changes: Any) -> Detection:
    """A complete detection."""
    return Detection(**{"status": DetectionStatus.COMPLETE, "findings": findings, **changes})


def node(name: str = "a", country: str = "DE", tier: Tier = Tier.ON_PREM, **changes: Any) -> Node:
    """A node that serves the model `m`."""
    values: dict[str, Any] = {
        "id": name,
        "address": "127.0.0.1:1",
        "country": country,
        "region": "r",
        "tier": tier,
        "models": ("m",),
    }
    return Node(**{**values, **changes})


def decision(deny: Deny | None = None, **changes: Any) -> Decision:
    """An allowing decision, or the given refusal."""
    values: dict[str, Any] = {
        "schema": "ringfence.decision/1",
        "decision_id": "d",
        "phase": "request",
        "action": Action.DENY if deny else Action.ALLOW,
        "deny": deny,
        "obligations": Obligations(),
        "ttl_s": 0,
        "cacheable": False,
        "vary": (),
        "reasons": (),
        "shadow": (),
        "shadow_action": None,
        "errors": (),
        "provenance": Provenance(),
    }
    return Decision(**{**values, **changes})


def sample_record(decision_id: str) -> DecisionRecord:
    """A decision as the path writes it, without facts."""
    return DecisionRecord(
        id=decision_id,
        tenant="acme",
        actor="5f0c8d6e2b7a4913",
        op=Op(protocol="openai", name=Operation.CHAT, stream=True, size_in=2_048, messages=3),
        model="llama-3.3-70b",
        action=Action.ALLOW_MODIFIED,
        code="allowed",
        status=200,
        level=Level.RESTRICTED,
        detection=DetectionStatus.COMPLETE,
        findings=(
            FindingCount(type="EMAIL_ADDRESS", n=2, max_permille=1000, where=(Role.USER,)),
            FindingCount(type="PHONE_NUMBER", n=1, max_permille=750, where=(Role.USER, Role.SYSTEM)),
        ),
        labels=("health",),
        jurisdictions=("DE",),
        uninspected=(),
        redaction=(),
        masked=("/messages/*/content",),
        route=RouteRecord(pool="pool-" + "0" * 32, cell="cell-de", allowed=("device-1", "rack-1", "rack-2")),
        policy=PolicyRecord(
            bundle="starter",
            revision="1",
            digest="1" * 64,
            data_digest="2" * 64,
            engine="embedded",
            input_digest="3" * 64,
            rules=("personal_data_third_country", "health_data"),
            failures=0,
        ),
        obligations=("redact", "pin"),
        commit_in="4" * 64,
        commit_out="5" * 64,
        config_version="1",
        perf=Perf(us_total=900, us_detect=300, us_policy=400),
    )
