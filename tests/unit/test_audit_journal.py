"""What the journal writes of itself, and how it goes on after a fault."""

from __future__ import annotations

import errno

import orjson
import pytest

from governance.audit.intents import closes, opens
from governance.audit.journal import RESERVE, Entry, Journal, Limits, batches
from governance.audit.reader import read_log
from governance.audit.segment import Header, read_header, segment_names
from governance.audit.verify import verify_log
from governance.errors import AuditUnavailable
from governance.record import EventRecord, OutcomeRecord, OutcomeStatus, Record
from tests.audit_fakes import FailingStorage, Failure, Outcome
from tests.builders import sample_record

LIMITS = Limits(segment_bytes=1 << 20, batch_bytes=1 << 16, reserve_bytes=4_096, intents=3)


def opened(disk: FailingStorage, origin: str = "o", limits: Limits = LIMITS) -> Journal:
    """A journal on `disk`."""
    return Journal.open(disk, origin=origin, digest="sw", limits=limits)


def commit(journal: Journal, *records: Record) -> None:
    """One batch of `records`."""
    journal.commit(
        [
            Entry(seq, journal.encoder.encode(record, seq), opens(record), closes(record))
            for seq, record in enumerate(records, journal.next_seq)
        ]
    )


def summary(disk: FailingStorage) -> list[tuple[str, str, int]]:
    """Kind, the id or code, and the count of every record."""
    return [
        (record["kind"], record.get("id") or record.get("ref") or record["code"], record.get("count", 0))
        for record in read_log(disk)
    ]


def test_an_opened_and_closed_log_says_so() -> None:
    """`start` with the digest of software and configuration, then `stop`; the next start is not one after a crash."""
    disk = FailingStorage()
    opened(disk).close()
    opened(disk)

    assert summary(disk) == [("start", "", 0), ("stop", "", 0), ("start", "", 0)]
    assert next(read_log(disk))["digest"] == "sw"


def test_decisions_without_outcome_are_closed_as_unknown_when_the_log_closes() -> None:
    """Only those that let a request go and have no outcome yet."""
    disk = FailingStorage()
    journal = opened(disk)
    commit(journal, sample_record("a"), sample_record("b"), OutcomeRecord(ref="a", status=OutcomeStatus.SERVED))
    journal.close()

    assert summary(disk)[-2:] == [("outcome", "b", 0), ("stop", "", 0)]


def test_decisions_without_outcome_are_closed_as_unknown_after_a_crash() -> None:
    """Also those of a segment before the last."""
    limits = Limits(segment_bytes=2_000, batch_bytes=1 << 16, reserve_bytes=4_096, intents=9)
    disk = FailingStorage()
    journal = opened(disk, limits=limits)
    for name in "abcd":
        commit(journal, sample_record(name))
    commit(journal, *(OutcomeRecord(ref=name, status=OutcomeStatus.SERVED) for name in "bcd"))
    crashed = FailingStorage(disk.settled())
    opened(crashed, limits=limits)

    assert len(segment_names(crashed)) >= 3
    assert summary(crashed)[-2:] == [("start", "after_crash", 0), ("outcome", "a", 0)]


def test_open_decisions_beyond_the_limit_are_named_oldest_first() -> None:
    """Memory stays bounded when outcomes never come."""
    journal = opened(FailingStorage())
    commit(journal, *(sample_record(name) for name in "abcde"))

    assert journal.excess() == ("a", "b")


def test_decisions_that_wait_too_long_are_named_a_few_at_a_time_and_hold_nothing_back() -> None:
    """An outcome that never comes is given up; what a start has to read again begins with what is still open."""
    now = 0
    disk = FailingStorage()
    limits = Limits(segment_bytes=1 << 20, batch_bytes=1 << 20, reserve_bytes=4_096, outcome_s=10)
    journal = Journal.open(disk, origin="o", limits=limits, clock=lambda: (now, now))
    commit(journal, *(sample_record(f"early-{number}") for number in range(300)))
    now = 9_999_999
    commit(journal, sample_record("late"))
    before = journal.excess()
    now += 1
    first = journal.excess()
    commit(journal, *(OutcomeRecord(ref=ref, status=OutcomeStatus.UNKNOWN) for ref in first))
    second = journal.excess()
    commit(journal, *(OutcomeRecord(ref=ref, status=OutcomeStatus.UNKNOWN) for ref in second))
    while len(segment_names(disk)) == 1:
        commit(journal, EventRecord(kind="heartbeat"))
    newest = read_header(disk, segment_names(disk)[-1])

    assert () == before
    assert ([f"early-{number}" for number in range(300)], 256) == ([*first, *second], len(first))
    assert (1, 301) == (journal.open_decisions, newest and newest[0].open_since)


def test_a_log_of_another_origin_is_refused() -> None:
    """A directory belongs to one log."""
    disk = FailingStorage()
    opened(disk).close()
    with pytest.raises(AuditUnavailable) as caught:
        opened(disk, origin="p")

    assert caught.value.code == "audit_foreign"


def test_a_second_writer_is_refused() -> None:
    """The lock is exclusive."""
    disk = FailingStorage()
    disk.held_elsewhere = True
    with pytest.raises(AuditUnavailable) as caught:
        opened(disk)

    assert (caught.value.code, str(caught.value)) == ("audit_locked", "another process writes to this audit log")


def test_segments_are_chained_by_the_leaf_of_the_last_record() -> None:
    """A header names the seq, the leaf hash and the length that it follows."""
    disk = FailingStorage()
    journal = opened(disk, limits=Limits(segment_bytes=300, batch_bytes=1 << 16, reserve_bytes=4_096))
    commit(journal, EventRecord(kind="config"))
    first, second = segment_names(disk)
    verdict = verify_log(FailingStorage({first: disk.read(first, 0, 9_999)}))
    found = read_header(disk, second)

    assert found is not None
    assert Header(origin="o", first=1, prev=verdict.last_leaf, prev_end=disk.size(first)) == found[0]


def test_a_failed_sync_abandons_the_segment_and_is_never_tried_again_on_it() -> None:
    """A new segment follows under a new boot, and says where the old one ends; a gap record counts what was refused."""
    disk = FailingStorage()
    journal = opened(disk)
    boot = journal.encoder.boot
    failed_at = disk.counts["sync"]
    disk.plan = lambda kind, count: Failure(errno.EIO) if (kind, count) == ("sync", failed_at) else None
    handle = max(disk._handles)
    with pytest.raises(AuditUnavailable) as caught:
        commit(journal, EventRecord(kind="config", digest="lost"))
    with pytest.raises(AuditUnavailable):
        commit(journal, EventRecord(kind="config", digest="refused while faulty"))
    journal.settle(1)
    commit(journal, EventRecord(kind="config", digest="kept"))

    assert caught.value.code == "audit_sync_failed"
    assert handle not in disk._handles
    assert summary(disk) == [("start", "", 0), ("gap", "audit_sync_failed", 1), ("config", "", 0)]
    assert len(segment_names(disk)) == 2
    assert boot != journal.encoder.boot
    assert verify_log(disk).problems == ()


def test_the_log_stays_closed_when_acknowledged_records_cannot_be_read_back() -> None:
    """After a failed sync the device is read, not the cache."""
    disk = FailingStorage()
    journal = opened(disk)
    disk.plan = lambda kind, count: Failure(errno.EIO) if kind == "sync" else None
    with pytest.raises(AuditUnavailable):
        commit(journal, EventRecord(kind="config"))
    disk.plan = lambda kind, count: None
    name = segment_names(disk)[0]
    disk._inodes[disk._names[name]].durable[200] ^= 1
    with pytest.raises(AuditUnavailable) as caught:
        journal.settle(1)

    assert (caught.value.code, journal.fault) == ("audit_corrupt", "audit_corrupt")


def test_a_full_disk_is_recorded_out_of_the_reserve_and_refused_until_space_returns() -> None:
    """The torn tail is cut, the gap record fits, and the next one counts what was refused meanwhile."""
    disk = FailingStorage()
    journal = opened(disk)
    disk.room = disk._used() + 100
    with pytest.raises(AuditUnavailable) as caught:
        commit(journal, sample_record("lost"))
    journal.settle(1)
    with pytest.raises(AuditUnavailable):
        journal.restore(0)
    assert (caught.value.code, journal.fault) == ("audit_disk_full", "audit_disk_full")
    assert RESERVE not in disk.names()
    disk.room = None
    journal.restore(4)
    commit(journal, EventRecord(kind="config"))

    assert summary(disk) == [("start", "", 0), ("gap", "audit_disk_full", 1), ("gap", "restored", 4), ("config", "", 0)]
    assert RESERVE in disk.names()
    assert verify_log(disk).problems == ()


def test_a_file_that_refuses_bytes_while_there_is_room_is_left_behind() -> None:
    """A quota on the size of a file: the log goes on in a new segment."""
    disk = FailingStorage()
    journal = opened(disk)
    disk.plan = lambda kind, count: Failure(errno.EFBIG, Outcome.HALF) if kind == "write" else None
    with pytest.raises(AuditUnavailable) as caught:
        commit(journal, sample_record("lost"))
    disk.plan = lambda kind, count: None
    journal.settle(1)

    assert caught.value.code == "audit_write_failed"
    assert summary(disk) == [("start", "", 0), ("gap", "audit_write_failed", 1)]
    assert len(segment_names(disk)) == 2
    assert verify_log(disk).problems == ()


def test_a_full_log_can_still_be_closed() -> None:
    """The room of the reserve is enough for `stop`."""
    disk = FailingStorage()
    journal = opened(disk)
    disk.room = disk._used() + 100
    with pytest.raises(AuditUnavailable):
        commit(journal, sample_record("lost"))
    journal.close(1)

    assert summary(disk) == [("start", "", 0), ("gap", "audit_disk_full", 1), ("stop", "", 0)]


def test_damage_before_the_last_batch_keeps_the_log_closed() -> None:
    """A later batch proves that the place was durable: nothing is cut, the place is named."""
    disk = FailingStorage()
    journal = opened(disk)
    commit(journal, EventRecord(kind="config", digest="a"))
    commit(journal, EventRecord(kind="config", digest="b"))
    name = segment_names(disk)[0]
    at = next(offset for offset in range(disk.size(name)) if disk.read(name, offset, 12) == b'"digest":"a"')
    image = {**disk.settled()}
    image[name] = image[name][:at] + b"X" + image[name][at + 1 :]
    with pytest.raises(AuditUnavailable) as caught:
        opened(FailingStorage(image))

    assert caught.value.code == "audit_corrupt"
    assert f"segment `{name}` is damaged at offset" in str(caught.value)
    assert "(record 1)" in str(caught.value)


def test_a_torn_tail_is_cut_and_counted_in_the_start_record() -> None:
    """Bytes that were never acknowledged go, and the log says how many."""
    disk = FailingStorage()
    opened(disk)
    name = segment_names(disk)[0]
    image = {**disk.settled()}
    image[name] += b"\x10\x00\x00\x00torn"
    again = FailingStorage(image)
    opened(again)

    assert summary(again) == [("start", "", 0), ("start", "after_crash", 8)]


def test_batches_keep_to_the_limit_and_lose_nothing() -> None:
    """Runs of at most the given bytes, at least one entry each."""
    entries = [Entry(seq, b"x" * 84, None, None) for seq in range(7)]

    assert [[entry.seq for entry in run] for run in batches(entries, 300)] == [[0, 1, 2], [3, 4, 5], [6]]
    assert [[seq] for seq in range(7)] == [[entry.seq for entry in run] for run in batches(entries, 1)]
    assert list(batches([], 300)) == []


def test_payloads_are_what_the_reader_yields() -> None:
    """The reader decodes exactly what was committed."""
    disk = FailingStorage()
    journal = opened(disk)
    payload = journal.encoder.encode(sample_record("a"), 1)
    journal.commit([Entry(1, payload, "a", None)])

    assert orjson.loads(payload) == list(read_log(disk))[1]
