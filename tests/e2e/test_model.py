"""A model on the path: what it finds decides where a request may go, and without it nothing goes."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.e2e.stack import kill, stack
from tests.model_directories import write

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
HEALTH = "our neighbour Tomasz Kowalski began dialysis"
NAMED = "our neighbour Tomasz Kowalski lives on the high street"


async def test_what_a_model_finds_is_pinned_and_redacted(tmp_path: Path) -> None:
    """Health of a named person stays on machines of one's own; a name is replaced. Without a model neither is seen."""
    model = write(tmp_path / "tiny")
    (tmp_path / "with").mkdir()
    (tmp_path / "without").mkdir()

    async with stack(tmp_path / "with", classifiers={"model": str(model)}) as s:
        far, near, named = await s.say(HEALTH, "us-only"), await s.say(HEALTH), await s.say(NAMED, "us-only")
        assert [(403, "placement_impossible"), (200, ""), (200, "")] == [
            (answer.status, answer.code if answer.status == 403 else "") for answer in (far, near, named)
        ]
        seen = s.decision(named)["facts"]["classification"]
        assert {("model", "complete"), ("patterns", "complete")} == {(e["id"], e["status"]) for e in seen["detectors"]}
        assert ["PERSON", "STREET_ADDRESS"] == [entity["type"] for entity in seen["entities"]]
        assert "health" in [label["name"] for label in s.decision(near)["facts"]["classification"]["labels"]]
        bodies = {name: b"".join(each) for name, each in s.received().items()}
        assert (True, False) == (b"neighbour" in bodies["cloud-us"], b"Kowalski" in bodies["cloud-us"])
        assert "Kowalski" not in str(s.records()) + s.log()
        assert "model_ready" in s.log()
        metrics = await s.metrics()
        assert 'ringfence_model_windows_total{result="failed",version=' in metrics
        assert 'provider="cpu"' in metrics

    async with stack(tmp_path / "without") as s:
        assert 200 == (await s.say(HEALTH, "us-only")).status


async def test_a_tenant_has_the_model_that_its_settings_name(tmp_path: Path) -> None:
    """Who is of the tenant, as a trusted proxy says, is read by the model; the others by rules alone."""
    model = write(tmp_path / "tiny")
    identity = {"trusted_proxies": ["127.0.0.1/32"], "tenant_header": "x-tenant"}
    classifiers = {"model": "off", "tenants": {"clinic": str(model)}}

    async with stack(tmp_path, classifiers=classifiers, identity=identity) as s:
        answers = [await s.say(NAMED, **headers) for headers in ({"x-tenant": "clinic"}, {"x-tenant": "school"}, {})]
        seen = [[run["id"] for run in s.decision(each)["facts"]["classification"]["detectors"]] for each in answers]

    assert [["patterns", "model"], ["patterns"], ["patterns"]] == seen


@asynccontextmanager
async def classifier(model: Path, path: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """`ringfence classifier`, listening."""
    command = ("-m", "governance.cli", "classifier", "--model", str(model), "--listen", f"unix:{path}")
    process = await asyncio.create_subprocess_exec(sys.executable, *command, stderr=asyncio.subprocess.PIPE, cwd=ROOT)
    try:
        assert process.stderr is not None
        async with asyncio.timeout(60):
            assert b"listening on" in await process.stderr.readline()
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def test_without_the_process_that_runs_the_model_nothing_goes(tmp_path: Path) -> None:
    """What two workers asked it before is known; a new text is refused and recorded as not read, until it is back."""
    model, path = write(tmp_path / "tiny"), tmp_path / "model.sock"
    settings = {"model": str(model), "server": f"unix:{path}"}
    async with classifier(model, path) as process, stack(tmp_path, workers=2, classifiers=settings) as s:
        assert 200 == (await s.say(NAMED)).status
        kill([process.pid])
        await process.wait()

        refused = await s.say(f"{NAMED}, in Berlin")

        assert 503 == refused.status
        assert "failed" == s.decision(refused)["facts"]["classification"]["status"]
        assert 1 == sum(map(len, s.received().values()))
        async with classifier(model, path):
            answers = [(await s.say(f"{NAMED} {number}")).status for number in range(40)]
            assert 200 in answers
