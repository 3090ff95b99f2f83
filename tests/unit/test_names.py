"""Names that a caller chose: what was found in one, or was never read, stands in no record."""

from __future__ import annotations

import functools
from pathlib import Path

import orjson
import pytest

from classifiers.detector import PatternDetector
from governance.audit.log import AuditLog
from governance.audit.reader import read
from governance.caller import identify
from governance.decision import Obligations, Route
from governance.dialects.routes import Limits
from governance.inference import RequestHead
from governance.judgement import Admission, Arrival
from governance.names import UNKNOWN_MODEL, with_clean_tools, with_known_model
from governance.pipeline import Runtime, admit
from governance.sensitive import SensitiveBytes
from tests.builders import chat, decision, detection, finding, head, node, segment
from tests.fakes import FakeFleet, FakePolicy

IBAN, CARD, ADDRESS = "DE89370400440532013000", "4111111111111111", "anna@example.com"


def test_a_model_that_no_node_declares_is_unknown() -> None:
    """One that any node has stays, as does none."""
    nodes = (node("a"), node("b", models=("n", "o")))

    assert ["m", "o", UNKNOWN_MODEL, ""] == [
        with_known_model(chat("a", model=model), nodes).model for model in ("m", "o", IBAN, "")
    ]


def test_a_tool_goes_by_what_was_found_in_its_name() -> None:
    """By the first of several; other tools keep their names, whatever was found elsewhere."""
    request = chat(segments=(segment(IBAN), segment("weather"), segment("hello")), tools=(IBAN, "weather"))
    found = (finding("IBAN_CODE", 0, 22), finding("US_SSN", 2, 11), finding("PERSON", 0, 5, segment=2))

    assert ("<IBAN_CODE>", "weather") == with_clean_tools(request, detection(*found)).tools
    assert with_clean_tools(request, detection(found[2])) == request


def _asked(model: str, *tools: str) -> bytes:
    offered = [{"type": "function", "function": {"name": name}} for name in tools]
    return orjson.dumps({"model": model, "messages": [{"role": "user", "content": "hi"}], "tools": offered})


@pytest.mark.parametrize(
    ("body", "head_of", "model", "tools"),
    [
        (_asked("m", IBAN, "weather", f"card_{CARD}"), head(), "m", ["<CREDIT_CARD>", "<IBAN_CODE>", "weather"]),
        (_asked(ADDRESS), head(), UNKNOWN_MODEL, []),
        (b"", head(f"/v1/models/{IBAN}", "GET"), UNKNOWN_MODEL, []),
    ],
    ids=["tools", "model", "listing"],
)
async def test_no_name_with_a_value_in_it_reaches_the_log(
    body: bytes, head_of: RequestHead, model: str, tools: list[str], tmp_path: Path
) -> None:
    """Policy, record and log see the same; what a list of allowed tools names by its value is refused."""
    policy = FakePolicy(decision(obligations=Obligations(route=Route(tools_allowed=("weather", IBAN)))))
    async with AuditLog.open(tmp_path / "worker-0", origin="o") as log:
        runtime = Runtime(
            version="v1",
            detector=PatternDetector(),
            policy=policy,
            audit=log,
            fleet=FakeFleet((node(),)),
            identify=functools.partial(identify, key=b"c" * 32, tenant="t", jurisdiction="DE", env="test"),
            limits=Limits(),
            detection_deadline_ms=60_000,
            redaction_key=b"r" * 32,
            commitment_key=b"k" * 32,
        )
        verdict = await admit(Arrival(head=head_of, body=SensitiveBytes(body)), runtime)
    [record] = [record for record in read(tmp_path) if record["kind"] == "decision"]
    [facts] = policy.seen
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*.seg"))

    assert isinstance(verdict, Admission)
    assert (model, model, tools) == (record["model"], record["facts"]["request"]["model"], list(facts.request.tools))
    assert tools == record["facts"]["request"]["tools"]
    assert ("tool_not_allowed" if tools else record["code"]) == record["code"]
    assert [] == [value for value in (IBAN, CARD, ADDRESS) if value.encode() in written]
