"""`ringfence demo`: what a person sees first holds, and it notices when it does not."""

from __future__ import annotations

import dataclasses
import io
import json
import subprocess
import sys

import pytest
from rich.console import Console

from sidecar.demo.run import demo
from sidecar.demo.script import STEPS, Expectation

pytestmark = pytest.mark.e2e


def test_every_request_of_the_demo_ends_as_it_should() -> None:
    """One line per request with its verdict, receiver and place in the log, and one for the verified log."""
    done = subprocess.run(
        [sys.executable, "-m", "governance.cli", "demo", "--json"],
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    *rows, log = [json.loads(one) for one in done.stdout.splitlines()]

    def short(row: dict) -> tuple[object, ...]:  # type: ignore[type-arg]
        receivers = [(one["node"], (row["served_by"] or {}).get("country")) for one in row["received"]]
        return row["verdict"], row["status"], row["code"], receivers

    assert (0, []) == (done.returncode, [row["request"] for row in rows if row["unexpected"]])
    assert [
        (["passed"], 200, "", [("demo-cloud-us", "US")]),
        (["passed"], 200, "", [("demo-device-de", "DE")]),
        (["redacted"], 200, "", [("demo-cloud-us", "US")]),
        (["redacted", "pinned"], 200, "", [("demo-device-de", "DE")]),
        (["redacted", "pinned"], 200, "", [("demo-device-de", "DE")]),
        (["redacted"], 200, "", [("demo-cloud-us", "US")]),
        (["refused"], 403, "credentials_found", []),
        (["pinned"], 200, "", [("demo-device-de", "DE")]),
        (["refused"], 403, "placement_impossible", []),
        (["refused"], 413, "request_too_large", []),
        (["redacted", "pinned", "not served"], 503, rows[-1]["code"], []),
    ] == [short(row) for row in rows]
    assert rows[-1]["code"] in ("no_node_available", "node_unreachable")
    assert (
        "Draft a reply to <EMAIL_ADDRESS_1> and ask her to call me back on <PHONE_NUMBER_1>."
        == (rows[2]["received"][0]["text"])
    )
    assert "demo-cloud-us" in rows[3]["untouched"]
    assert len(rows) == len({(row["audit"]["log"], row["audit"]["seq"]) for row in rows})
    assert ("verified", True) == (log["log"], log["records"] > len(rows))


async def test_a_request_that_ends_otherwise_is_named_and_exits_1() -> None:
    """Wrong status, a node that must not see it and a text that must not arrive are each told."""
    wrong = Expectation(status=201, action="allow", nodes=("demo-onprem-de",), withheld=("primary colours",))
    steps = (STEPS[0], dataclasses.replace(STEPS[1], expected=wrong))
    console = Console(file=io.StringIO(), width=80)

    code = await demo(console, keep=False, as_json=False, steps=steps)

    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert 1 == code
    assert [
        "clean question, streamed: status is `200`, not `201`",
        "clean question, streamed: `demo-device-de` received it",
        "clean question, streamed: a node received `primary colours`",
        "1 of 2 requests ended as they should",
    ] == [one for one in shown.splitlines() if one.startswith(("clean question", "1 of 2"))]
    assert max(len(one) for one in shown.splitlines() if "\u2500" in one) <= 80


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b'{"m": "a secret"}', ("a node received `secret`",)),
        (b'{"m": "a \\u0073ecret"}', ("a node received `secret`",)),
        (b"not json, secret", ("a node received `secret`",)),
        (b'{"m": "<SECRET_1>"}', ()),
    ],
)
def test_a_text_that_was_to_stay_is_found_in_any_spelling(body: bytes, found: tuple[str, ...]) -> None:
    """Escapes of JSON hide nothing from the comparison."""
    expected = Expectation(status=200, action="allow", nodes=("n",), withheld=("secret",))

    assert found == expected.differences(status=200, action="allow", code="", received=[("n", body)])
