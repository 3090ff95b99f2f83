"""The log as the path sees it: receipts after durability, refusals otherwise."""

from __future__ import annotations

import asyncio
import errno
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from governance.audit.canonical import Clock, system_clock
from governance.audit.journal import Limits
from governance.audit.log import LAZY_S, AuditLog
from governance.audit.reader import read_log
from governance.audit.verify import verify_log
from governance.errors import AuditUnavailable
from governance.interfaces import AuditSink, Receipt
from governance.record import EventRecord, OutcomeRecord, OutcomeStatus
from tests.audit_fakes import FailingStorage, Failure
from tests.builders import sample_record

BY_THE_LOOP, BY_THE_COMMITTER = 60.0, 0.0
LIMITS = Limits(segment_bytes=1 << 20, batch_bytes=1 << 14, reserve_bytes=4_096, intents=4)


@pytest.fixture(autouse=True, params=[BY_THE_LOOP, BY_THE_COMMITTER], ids=["loop", "committer"])
def writer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every promise holds whichever thread writes."""
    monkeypatch.setitem(WRITTEN, "quick_s", request.param)


WRITTEN: dict[str, float] = {}


@asynccontextmanager
async def log_on(
    disk: FailingStorage,
    *,
    queue: int = 4_096,
    heartbeat_s: float | None = None,
    quick_s: float | None = None,
    clock: Clock = system_clock,
) -> AsyncIterator[AuditLog]:
    """A log on `disk`, closed at the end."""
    log = AuditLog.open(
        Path("unused"),
        origin="o",
        limits=LIMITS,
        queue=queue,
        heartbeat_s=heartbeat_s,
        quick_s=WRITTEN["quick_s"] if quick_s is None else quick_s,
        clock=clock,
        open_storage=lambda directory: disk,
    )
    async with log:
        yield log


def kinds(disk: FailingStorage) -> list[str]:
    """The kind of every record, and the code of those that have one."""
    return [" ".join(filter(None, (record["kind"], record.get("code") or ""))) for record in read_log(disk)]


async def test_a_receipt_names_the_log_and_the_position() -> None:
    """The first record after `start` is number 1."""
    async with log_on(FailingStorage()) as log:
        sink: AuditSink = log

        assert Receipt(origin="o", seq=1) == await sink.append(EventRecord(kind="config"))


async def test_a_record_is_durable_when_append_returns() -> None:
    """What has not been synced does not count."""
    disk = FailingStorage()
    async with log_on(disk) as log:
        await log.append(sample_record("a"))
        survivors = FailingStorage(disk.settled())

        assert kinds(survivors) == ["start", "decision allowed"]


async def test_concurrent_appends_share_syncs_and_keep_their_order() -> None:
    """Receipts count up in the order of the calls; a hundred records take far fewer syncs."""
    disk = FailingStorage()
    async with log_on(disk) as log:
        before = disk.counts["sync"]
        receipts = await asyncio.gather(*(log.append(EventRecord(kind="config", digest=str(n))) for n in range(100)))

        assert list(range(1, 101)) == [receipt.seq for receipt in receipts]
        assert disk.counts["sync"] - before < 50
    assert [str(n) for n in range(100)] == [record["digest"] for record in read_log(disk)][1:-1]


async def test_a_failed_sync_fails_every_waiter_and_the_log_goes_on_in_a_new_segment() -> None:
    """The waiters are refused, a gap record counts them, the next append succeeds."""
    disk = FailingStorage()
    async with log_on(disk) as log:
        failing = disk.counts["sync"]
        disk.plan = lambda kind, count: Failure(errno.EIO) if (kind, count) == ("sync", failing) else None
        with pytest.raises(AuditUnavailable) as caught:
            await log.append(EventRecord(kind="config"))
        receipt = await _eventually(log)

    assert caught.value.code == "audit_sync_failed"
    assert receipt.seq == [record["kind"] for record in read_log(disk)].index("config")
    assert kinds(disk)[1] == "gap audit_sync_failed"
    assert verify_log(disk).problems == ()


async def test_a_disk_that_stays_broken_refuses_at_once_and_recovers_on_demand(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No append waits for a broken disk, and all that were refused are counted."""
    monkeypatch.setattr("governance.audit.log._RETRY_S", 0.05)
    disk = FailingStorage()
    async with log_on(disk) as log:
        disk.plan = lambda kind, count: Failure(errno.EIO) if kind == "sync" else None
        refused = 0
        for _ in range(20):
            with pytest.raises(AuditUnavailable):
                await log.append(EventRecord(kind="config"))
            refused += 1
        assert log.refusal is not None
        disk.plan = lambda kind, count: None
        tries = 0
        while log.refusal is not None:
            tries += 1
            assert tries < 2_000
            await asyncio.sleep(0.02)
            try:
                await log.append(EventRecord(kind="config"))
            except AuditUnavailable:
                refused += 1
    gaps = [record["count"] for record in read_log(disk) if record["kind"] == "gap"]

    assert refused == sum(gaps)


async def test_a_full_queue_refuses_at_once_and_is_recorded_later() -> None:
    """Memory is bounded; the overflow shows as a gap."""
    disk = FailingStorage()
    gate, writing = threading.Event(), threading.Event()
    async with log_on(disk, queue=3, quick_s=BY_THE_COMMITTER) as log:
        disk.after = lambda kind: (kind == "write" and (writing.set() or gate.wait(60)), None)[1]
        first = asyncio.ensure_future(log.append(EventRecord(kind="config", digest="first")))
        assert await asyncio.to_thread(writing.wait, 60)
        waiting = [asyncio.ensure_future(log.append(EventRecord(kind="config"))) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(AuditUnavailable) as caught:
            await log.append(EventRecord(kind="config"))
        gate.set()
        await asyncio.gather(first, *waiting)
    gaps = [(record["code"], record["count"]) for record in read_log(disk) if record["kind"] == "gap"]

    assert caught.value.code == "audit_queue_full"
    assert gaps == [("audit_queue_full", 1)]


async def test_after_a_slow_sync_the_loop_no_longer_waits_for_the_disk() -> None:
    """One commit holds the loop up; the next ones do not, however slow they are."""
    disk = FailingStorage()
    gate = threading.Event()
    async with log_on(disk, quick_s=0.001) as log:
        disk.after = lambda kind: (kind == "sync" and gate.wait(0.02), None)[1]
        await log.append(EventRecord(kind="config"))
        disk.after = lambda kind: (kind == "sync" and gate.wait(5), None)[1]
        waiting = asyncio.ensure_future(log.append(EventRecord(kind="config")))
        await asyncio.sleep(0.05)
        held_up = waiting.done()
        gate.set()
        await waiting

    assert not held_up


async def test_a_cancelled_caller_leaves_its_record_and_harms_no_other() -> None:
    """The request is gone, the fact that it was decided is not."""
    disk = FailingStorage()
    async with log_on(disk) as log:
        doomed = asyncio.ensure_future(log.append(sample_record("a")))
        await asyncio.sleep(0)
        doomed.cancel()
        receipt = await log.append(EventRecord(kind="config"))

    assert receipt.seq == 2
    assert kinds(disk) == ["start", "decision allowed", "config", "outcome", "stop"]


async def test_a_record_that_nobody_waits_for_is_written_soon_by_itself() -> None:
    """Without any append after it the record is there after its short wait."""
    disk = FailingStorage()
    async with log_on(disk) as log:
        log.enqueue(EventRecord(kind="config"))

        before = kinds(disk)
        await asyncio.sleep(5 * LAZY_S)

        assert (["start"], ["start", "config"]) == (before, kinds(disk))


async def test_a_record_that_nobody_waits_for_shares_the_commit_of_one_that_is_waited_for() -> None:
    """It keeps its place in the order and costs no sync of its own."""
    disk = FailingStorage()
    async with log_on(disk) as log:
        log.enqueue(EventRecord(kind="config"))
        receipt = await log.append(EventRecord(kind="policy_load"))

        assert (2, ["start", "config", "policy_load"]) == (receipt.seq, kinds(disk))


async def test_a_record_that_nobody_waits_for_is_refused_by_a_closed_log() -> None:
    """What cannot be written is not taken in silence."""
    async with log_on(FailingStorage()) as log:
        pass

    with pytest.raises(AuditUnavailable):
        log.enqueue(EventRecord(kind="config"))


async def test_a_closed_log_refuses() -> None:
    """Nothing is taken after `stop`."""
    async with log_on(FailingStorage()) as log:
        pass
    with pytest.raises(AuditUnavailable) as caught:
        await log.append(EventRecord(kind="config"))

    assert caught.value.code == "audit_closed"


async def test_a_log_that_cannot_write_its_stop_record_says_so() -> None:
    """Closing on a broken disk raises."""
    disk = FailingStorage()
    with pytest.raises(AuditUnavailable):
        async with log_on(disk):
            disk.plan = lambda kind, count: Failure(errno.EIO) if kind in {"sync", "create"} else None

    assert not disk.locked


async def test_an_idle_log_writes_heartbeats() -> None:
    """Silence and death can be told apart."""
    disk = FailingStorage()
    async with log_on(disk, heartbeat_s=0.01):
        for _ in range(3_000):
            await asyncio.sleep(0.01)
            if "heartbeat" in kinds(FailingStorage(disk.settled())):
                break

    assert "heartbeat" in kinds(disk)


async def test_decisions_whose_outcome_never_comes_are_given_up_oldest_first() -> None:
    """The limit is four: the fifth open decision closes the first as unknown."""
    disk = FailingStorage()
    async with log_on(disk) as log:
        for name in "abcde":
            await log.append(sample_record(name))
        await log.append(OutcomeRecord(ref="e", status=OutcomeStatus.SERVED))
    outcomes = [(record["ref"], record["status"]) for record in read_log(disk) if record["kind"] == "outcome"]

    assert next(outcome for outcome in outcomes if outcome != ("e", "served")) == ("a", "unknown")
    assert {("a", "unknown"), ("b", "unknown"), ("c", "unknown"), ("d", "unknown"), ("e", "served")} == set(outcomes)


async def test_an_idle_log_gives_up_on_a_decision_whose_outcome_is_late() -> None:
    """Nothing else is appended: the heartbeats look after it, and it is closed once."""
    now = 0
    disk = FailingStorage()
    async with log_on(disk, heartbeat_s=0.01, clock=lambda: (now, now)) as log:
        await log.append(sample_record("a"))
        await log.append(sample_record("b"))
        await log.append(OutcomeRecord(ref="b", status=OutcomeStatus.SERVED))
        now = LIMITS.outcome_s * 1_000_000
        for _ in range(3_000):
            await asyncio.sleep(0.01)
            if log.open_decisions == 0:
                break
        assert 0 == log.open_decisions
    outcomes = [(record["ref"], record["status"]) for record in read_log(disk) if record["kind"] == "outcome"]

    assert [("b", "served"), ("a", "unknown")] == outcomes


async def test_an_impossible_record_fails_alone_and_leaves_a_gap() -> None:
    """A record that cannot be encoded disturbs nobody; that it is missing stands in its place, whatever comes next."""
    disk = FailingStorage()
    async with log_on(disk) as log:
        for lose in (log.append, log.enqueue):
            with pytest.raises(AuditUnavailable) as caught:
                await (lose(EventRecord(kind="config", digest="x" * 70_000)) or asyncio.sleep(0))
            assert caught.value.code == "record_too_large"
        receipt = await log.append(EventRecord(kind="config"))
    gaps = [(record["seq"], record["code"], record["count"]) for record in read_log(disk) if record["kind"] == "gap"]

    assert ([(1, "record_too_large", 1), (2, "record_too_large", 1)], 3) == (gaps, receipt.seq)


async def test_a_bug_in_the_committer_refuses_everything_that_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    """No caller waits for a thread that is gone."""
    log = AuditLog.open(
        Path("unused"), origin="o", limits=LIMITS, quick_s=WRITTEN["quick_s"], open_storage=lambda _: FailingStorage()
    )

    def broken(entries: object) -> None:
        raise RuntimeError("bug")

    monkeypatch.setattr(log._journal, "commit", broken)
    with pytest.raises(AuditUnavailable) as waiting:
        await asyncio.wait_for(log.append(EventRecord(kind="config")), 5)
    with pytest.raises(AuditUnavailable) as later:
        await log.append(EventRecord(kind="config"))
    with pytest.raises(AuditUnavailable):
        await log.close()

    assert (waiting.value.code, later.value.code) == ("audit_broken", "audit_broken")


async def _eventually(log: AuditLog) -> Receipt:
    for _ in range(2_000):
        try:
            return await log.append(EventRecord(kind="config"))
        except AuditUnavailable:
            await asyncio.sleep(0.02)
    raise AssertionError("the log did not recover")
