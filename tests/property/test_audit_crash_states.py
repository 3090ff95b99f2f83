"""Whatever a crash or a failing disk leaves behind: no acknowledged record is lost, nothing corrupt is accepted."""

from __future__ import annotations

import errno
import itertools
import random
from collections.abc import Iterator, Mapping

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.audit.frame import Frame
from governance.audit.intents import closes, opens
from governance.audit.journal import Entry, Journal, Limits
from governance.audit.segment import read_header, scan, segment_names
from governance.audit.verify import verify_log
from governance.errors import AuditUnavailable
from governance.record import EventRecord, OutcomeRecord, OutcomeStatus, Record
from tests.audit_fakes import FailingStorage, Failure, Outcome
from tests.builders import sample_record

LIMITS = Limits(segment_bytes=3_000, batch_bytes=4_096, reserve_bytes=600, intents=8)
OWN = frozenset({"start", "stop", "gap", "outcome"})


def opened(disk: FailingStorage, limits: Limits = LIMITS) -> Journal:
    """A journal with a clock and boot ids that are the same in every run."""
    ticks, boots = itertools.count(1_000_000), itertools.count()
    return Journal.open(
        disk, origin="o", limits=limits, clock=lambda: (next(ticks),) * 2, new_boot=lambda: f"{next(boots):032x}"
    )


def entries(journal: Journal, records: list[Record]) -> list[Entry]:
    """The records encoded for the next batch."""
    return [
        Entry(seq, journal.encoder.encode(record, seq), opens(record), closes(record))
        for seq, record in enumerate(records, journal.next_seq)
    ]


def stored(disk: FailingStorage) -> dict[int, bytes]:
    """Every valid record of the log by seq; raises where there is anything else."""
    payloads: dict[int, bytes] = {}

    def keep(frame: Frame) -> None:
        payloads[frame.seq] = frame.payload

    names = segment_names(disk)
    headers = [read_header(disk, name) for name in names]
    for position, (name, found) in enumerate(zip(names, headers, strict=True)):
        assert found is not None
        header, at = found
        following = headers[position + 1] if position + 1 < len(names) else None
        end = following[0].prev_end if following else disk.size(name)
        assert scan(disk, name, at=at, seq=header.first, end=end, visit=keep).flaw is None
    return payloads


def assert_survives(
    image: Mapping[str, bytes], acked: Mapping[int, bytes], submitted: set[bytes], *, verified: bool = True
) -> None:
    """Opens what a crash left, and appends: the acknowledged is there, the rest is submitted or the log's own."""
    disk = FailingStorage(image)
    journal = opened(disk)
    journal.commit(entries(journal, [EventRecord(kind="config", digest="c")]))
    found = stored(disk)

    assert list(range(journal.next_seq)) == list(found)
    assert dict(acked) == {seq: found[seq] for seq in acked}
    strangers = [payload for payload in found.values() if payload not in submitted]
    assert {orjson.loads(payload)["kind"] for payload in strangers} <= OWN | {"config"}
    if verified:
        assert verify_log(disk).problems == ()


def workload() -> Iterator[list[Record]]:
    """Batches of one and of many, decisions that stay open, and enough bytes for several segments."""
    number = itertools.count()
    for size in (1, 2, 1, 3, 1):
        batch: list[Record] = []
        for position in range(size):
            name = f"d{next(number)}"
            batch.append(sample_record(name) if position % 2 == 0 else EventRecord(kind="config", digest=name))
            if size == 3:
                batch.append(OutcomeRecord(ref=name, status=OutcomeStatus.SERVED))
        yield batch


def test_a_crash_at_any_moment_loses_no_acknowledged_record_and_accepts_nothing_corrupt() -> None:
    """At least 10,000 crash states: every call, every byte of a torn write, lost sectors, lost names."""
    rng = random.Random(7)
    acked: dict[int, bytes] = {}
    submitted: set[bytes] = set()
    disk = FailingStorage()
    states = 0

    def crash(kind: str) -> None:
        nonlocal states
        for image in disk.crash_states(rng, losses=100 if kind == "write" else 2):
            assert_survives(image, acked, submitted, verified=states % 8 == 0)
            states += 1

    journal = opened(disk)
    acked.update(stored(disk))
    for batch in workload():
        encoded = entries(journal, batch)
        submitted.update(entry.payload for entry in encoded)
        disk.after = crash
        journal.commit(encoded)
        disk.after = lambda kind: None
        acked.update((entry.seq, entry.payload) for entry in encoded)

    assert len(segment_names(disk)) >= 3
    assert states >= 10_000


def test_a_crash_while_the_log_is_opened_is_survived_too() -> None:
    """Opening a torn log repairs it in steps; a crash after each step leaves a log that opens."""
    rng = random.Random(11)
    disk = FailingStorage()
    journal = opened(disk)
    acked: dict[int, bytes] = {}
    submitted: set[bytes] = set()
    images: list[dict[str, bytes]] = []
    for batch in workload():
        encoded = entries(journal, batch)
        submitted.update(entry.payload for entry in encoded)
        disk.after = lambda kind: images.extend(rng.sample(list(disk.crash_states(rng)), 1))
        journal.commit(encoded)
        disk.after = lambda kind: None
        if len(images) < 6:
            acked.update((entry.seq, entry.payload) for entry in encoded)
    states = 0
    for image in images[5:]:
        again = FailingStorage(image)

        def crash(kind: str, again: FailingStorage = again) -> None:
            nonlocal states
            found = list(again.crash_states(rng))
            for state in rng.sample(found, min(len(found), 12)):
                assert_survives(state, acked, submitted)
                states += 1

        again.after = crash
        opened(again)

    assert states >= 500


def test_an_open_decision_has_one_outcome_wherever_opening_the_log_was_cut_off() -> None:
    """It lies further back than the last two segments, and opening starts another one; then the power goes, twice."""
    rng = random.Random(13)
    disk = FailingStorage()
    journal = opened(disk)
    journal.commit(entries(journal, [sample_record("open")]))
    for number in itertools.count():
        served = OutcomeRecord(ref=f"d{number}", status=OutcomeStatus.SERVED)
        journal.commit(entries(journal, [sample_record(f"d{number}"), served]))
        if len(segment_names(disk)) >= 4:
            break
    while disk.size(segment_names(disk)[-1]) < LIMITS.segment_bytes - 300:
        journal.commit(entries(journal, [EventRecord(kind="heartbeat")]))
    before = len(segment_names(disk))
    outcomes: list[tuple[int, int]] = []

    def crash(kind: str) -> None:
        for image in (again.settled(), *_few(again, rng)):
            third = FailingStorage(image)
            segments = len(segment_names(third))
            opened(third).close()
            records = map(orjson.loads, stored(third).values())
            outcomes.append((segments, sum(record.get("ref") == "open" for record in records)))

    again = FailingStorage(disk.settled())
    again.after = crash
    opened(again)

    assert {(before, 1), (before + 1, 1)} == set(outcomes)


FAILURES = st.builds(Failure, st.sampled_from((errno.EIO, errno.ENOSPC)), st.sampled_from(Outcome))
KINDS = ("write", "sync", "truncate", "create", "rename", "unlink", "sync_directory")


@settings(max_examples=120, deadline=None)
@given(
    failures=st.dictionaries(st.tuples(st.sampled_from(KINDS), st.integers(0, 12)), FAILURES, max_size=4),
    seed=st.integers(0, 2**16),
)
def test_a_failing_disk_loses_no_acknowledged_record(failures: dict[tuple[str, int], Failure], seed: int) -> None:
    """Calls fail, half fail, or fail but persist, the log recovers in place, then the power goes."""
    rng = random.Random(seed)
    disk = FailingStorage()
    journal = opened(disk)
    acked = stored(disk)
    submitted: set[bytes] = set()
    disk.counts.clear()
    disk.plan = lambda kind, count: failures.get((kind, count))
    for batch in workload():
        refused = 0
        encoded = entries(journal, batch)
        submitted.update(entry.payload for entry in encoded)
        try:
            journal.commit(encoded)
            acked.update((entry.seq, entry.payload) for entry in encoded)
        except AuditUnavailable:
            refused = len(batch)
        for cure in (journal.settle, journal.restore):
            if journal.fault is not None:
                try:
                    cure(refused)
                except AuditUnavailable:
                    continue
        for image in itertools.chain([disk.settled()], _few(disk, rng)):
            assert_survives(image, acked, submitted)


def _few(disk: FailingStorage, rng: random.Random) -> list[dict[str, bytes]]:
    states = list(disk.crash_states(rng))
    return rng.sample(states, min(len(states), 3))


@pytest.mark.parametrize("stopped", [False, True], ids=["a batch", "stop"])
def test_a_tail_that_only_the_page_cache_holds_is_made_durable_before_anything_follows_it(stopped: bool) -> None:
    """The sync fails, the process dies, the next one finds whole records in the cache; then the power goes."""
    rng = random.Random(5)
    disk = FailingStorage()
    first = opened(disk)
    acked = stored(disk)
    batch = entries(first, [EventRecord(kind="config", digest="lost")])
    disk.plan = lambda kind, count: Failure(errno.EIO) if kind in {"sync", "truncate"} else None
    with pytest.raises(AuditUnavailable):
        first.close() if stopped else first.commit(batch)
    disk.plan = lambda kind, count: None
    second = opened(disk)
    following = entries(second, [EventRecord(kind="config", digest="kept")])
    second.commit(following)
    acked |= {entry.seq: entry.payload for entry in following}

    for image in (disk.settled(), *disk.crash_states(rng)):
        assert_survives(image, acked, {entry.payload for entry in (*batch, *following)})
