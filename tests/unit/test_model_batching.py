"""Windows of many jobs in batches: who goes first, what is refused, and that everybody gets an answer."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest

from classifiers.model.batching import BatchCounts, Batcher, BatchLimits, Frame, Job, Work
from classifiers.model.pieces import Pieces
from classifiers.model.session import Answers, BadAnswer, Batch
from classifiers.model.windows import windows

FRAME = Frame(prefix=(101,), suffix=(102,), padding=0, window=64)
LONG = 3_600.0


@dataclass(slots=True, eq=False)
class FakeRunner:
    """Answers each piece with its own id and its case; waits at `gate` before each batch, if it is shut."""

    batches: list[Batch] = field(default_factory=list)
    broken: Exception | None = None
    unanswerable: int = -1
    gate: threading.Event = field(default_factory=threading.Event)
    running: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def __post_init__(self) -> None:
        self.gate.set()

    def run(self, batch: Batch) -> Answers:
        self.running.release()
        self.gate.wait(60)
        self.batches.append(batch)
        if self.broken is not None:
            raise self.broken
        if (batch.ids == self.unanswerable).any():
            raise BadAnswer("a number is not finite")
        tokens = np.stack([batch.ids, batch.case], axis=-1).astype(np.float32)
        return Answers(tokens=tokens, topics=batch.ids.max(axis=1, keepdims=True).astype(np.float32))


class Plain:
    """Numbers as they are; a window is remarkable where an id is over 1,000."""

    def scores(self, logits: np.ndarray) -> np.ndarray:
        return logits

    def remarkable(self, scores: np.ndarray) -> np.ndarray:
        return np.any(scores[..., 0] > 1_000, axis=1)


def work(*ids: int, case: int = 1) -> Work:
    """A text of these pieces."""
    number = np.arange(len(ids), dtype=np.int32)
    read = Pieces(
        ids=np.array(ids, dtype=np.int32),
        starts=number,
        ends=number + 1,
        case=np.full(len(ids), case, dtype=np.uint8),
        words=number,
        read_chars=len(ids),
    )
    return Work(pieces=read, windows=windows(len(ids), size=FRAME.window - FRAME.around, overlap=16))


class Bench:
    """A batcher over a fake runner, and jobs for it."""

    def __init__(self, limits: BatchLimits) -> None:
        self.runner = FakeRunner()
        self.batcher = Batcher(self.runner, Plain(), FRAME, limits)

    def ask(self, *works: Work, wait_s: float = LONG) -> Job:
        job = Job(deadline=time.monotonic() + wait_s)
        assert self.batcher.admit(job)
        self.batcher.submit(job, works)
        return job

    def hold(self) -> Job:
        """Stops the worker inside a batch of one job, so that what follows waits."""
        self.runner.gate.clear()
        job = self.ask(work(5))
        assert self.runner.running.acquire(timeout=60)
        return job

    def release(self, *jobs: Job) -> None:
        self.runner.gate.set()
        for job in jobs:
            job.wait()

    def lengths(self) -> list[tuple[int, ...]]:
        """The shapes of the batches after the one that was held."""
        return [each.ids.shape for each in self.runner.batches[1:]]


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench(BatchLimits(max_pieces=128, max_waiting=64))
    yield made
    made.runner.gate.set()
    made.batcher.close()


def test_each_window_gets_its_own_answer(bench: Bench) -> None:
    """Framed, padded and masked on the way there; without the frame, and only of what the window owns, on the way back."""
    ids = [2_000 + number for number in range(100)]
    small, long = work(7, 1_007), work(*ids)
    job = bench.ask(small, long)
    job.wait()

    assert [[7.0, 1.0], [1_007.0, 1.0]] == small.scores[0].tolist()
    assert ids == [round(row[0]) for number in range(len(long.windows)) for row in long.scores[number].tolist()]
    assert (1, 2) == (small.answered, long.answered)
    assert [1_007.0, 2_099.0] == [each.topics[0] for each in (small, long) if each.topics is not None]
    assert ("", True) == (job.error, job.ended)


def test_a_batch_is_framed_padded_and_masked(bench: Bench) -> None:
    """To the length of the longest, rounded up to a multiple of four pieces."""
    bench.ask(work(7, 8, 9), work(6)).wait()

    [batch] = bench.runner.batches
    assert [[101, 7, 8, 9, 102, 0, 0, 0], [101, 6, 102, 0, 0, 0, 0, 0]] == batch.ids.tolist()
    assert [[1, 1, 1, 1, 1, 0, 0, 0], [1, 1, 1, 0, 0, 0, 0, 0]] == batch.mask.tolist()
    assert [[0, 1, 1, 1, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0, 0, 0]] == batch.case.tolist()


def test_what_waits_becomes_one_batch(bench: Bench) -> None:
    """While one batch runs others come: they go together, up to the most pieces of a batch."""
    held = bench.hold()
    jobs = [bench.ask(work(number)) for number in range(40)]
    bench.release(held, *jobs)

    assert [(32, 4), (8, 4)] == bench.lengths()
    assert [1] * 40 == [job.works[0].answered for job in jobs]


@pytest.mark.parametrize(
    ("padding", "shapes"), [(0, [(2, 4), (1, 64), (1, 48)]), (16, [(2, 4), (2, 64)]), (60, [(2, 4), (2, 64)])]
)
def test_lengths_keep_to_themselves_where_padding_would_cost_more(padding: int, shapes: list[tuple[int, int]]) -> None:
    """A short window joins a long one only where that lengthens it by no more than the limit; the oldest goes first."""
    bench = Bench(BatchLimits(max_pieces=128, max_padding=padding))
    held = bench.hold()
    jobs = [bench.ask(work(1)), bench.ask(work(*range(1, 60))), bench.ask(work(*range(1, 45))), bench.ask(work(2))]
    bench.release(held, *jobs)
    bench.batcher.close()

    assert shapes == bench.lengths()


def test_a_long_text_does_not_stop_a_short_one(bench: Bench) -> None:
    """Windows of one length are taken job by job in turn: the second job is answered long before the first is."""
    held = bench.hold()
    long, short = bench.ask(work(*range(1, 2_000))), bench.ask(work(*range(3_000, 3_060)))
    bench.release(held, short, long)

    numbers = [3_000 in batch.ids for batch in bench.runner.batches]
    assert numbers.index(True) <= 3 < len(numbers) // 2


def test_a_long_text_leaves_room_in_a_batch() -> None:
    """However many windows the first job has, the others of the same length are in the same batch."""
    bench = Bench(BatchLimits(max_pieces=64 * 16))
    held = bench.hold()
    long, short = bench.ask(work(*range(1, 2_000))), bench.ask(work(*range(3_000, 3_060)))
    bench.release(held, short, long)
    bench.batcher.close()

    assert 3_000 in bench.runner.batches[1].ids


def test_a_job_without_anything_to_run_holds_no_place() -> None:
    """Even if nobody ends it."""
    batcher = Batcher(FakeRunner(), Plain(), FRAME, BatchLimits(max_jobs=1))
    for _ in range(3):
        job = Job(deadline=time.monotonic() + LONG)
        assert batcher.admit(job)
        batcher.submit(job, [work(1, case=0)])


def test_windows_without_a_letter_are_not_run(bench: Bench) -> None:
    """They are answered all the same."""
    nothing = work(1, 2, 3, case=0)
    job = bench.ask(nothing)

    assert (True, 1, []) == (job.ended, nothing.answered, bench.runner.batches)


def test_windows_without_room_are_refused_and_counted(bench: Bench) -> None:
    """The text is answered as far as there was room; a job that comes to a full queue is not taken at all."""
    held = bench.hold()
    long = work(*range(1, 4_000))
    job = bench.ask(long)
    late = Job(deadline=time.monotonic() + LONG)

    assert not bench.batcher.admit(late)
    bench.release(held, job)
    assert (64, len(long.windows)) == (long.answered, 87)
    assert 87 - 64 + 1 == bench.batcher.counts.refused
    assert (65, 0) == (bench.batcher.counts.answered, bench.batcher.counts.waiting)


def test_jobs_are_bounded_too() -> None:
    """Those that have no windows yet count."""
    batcher = Batcher(FakeRunner(), Plain(), FRAME, BatchLimits(max_jobs=2))
    jobs = [Job(deadline=time.monotonic() + LONG) for _ in range(3)]

    assert [True, True, False] == [batcher.admit(job) for job in jobs]
    batcher.end(jobs[0])
    assert batcher.admit(jobs[2])


def test_a_job_that_expired_is_not_run(bench: Bench) -> None:
    """Its turn comes after its deadline: the model's time is for others."""
    held = bench.hold()
    expired, later = bench.ask(work(6), wait_s=0.0), bench.ask(work(7))
    expired.wait()
    bench.release(held, later)

    assert (0, 1) == (expired.works[0].answered, later.works[0].answered)
    assert 1 == bench.batcher.counts.expired
    assert [[5, 7]] == [[int(batch.ids[0, 1]) for batch in bench.runner.batches]]


def test_who_waits_is_answered_at_the_deadline_even_if_the_model_hangs(bench: Bench) -> None:
    """With what was found by then; nothing is written to the job afterwards."""
    bench.runner.gate.clear()
    hung = bench.ask(work(6), wait_s=0.01)
    hung.wait()
    bench.batcher.end(hung)
    bench.runner.gate.set()
    bench.ask(work(7)).wait()

    assert (0, None) == (hung.works[0].answered, hung.works[0].topics)


def test_a_batch_that_fails_ends_its_jobs_and_the_next_one_runs(bench: Bench) -> None:
    """With the name of the error and none of its words."""
    bench.runner.broken = RuntimeError("the text was: secret")
    failed = bench.ask(work(6))
    failed.wait()
    bench.runner.broken = None
    fine = bench.ask(work(7))
    fine.wait()

    assert ("RuntimeError", "") == (failed.error, fine.error)
    assert (1, 1) == (bench.batcher.counts.failed, bench.batcher.counts.answered)
    assert {"RuntimeError": 1} == bench.batcher.counts.failures


def test_a_text_that_no_number_comes_of_fails_alone(bench: Bench) -> None:
    """Those in its batch are answered without it: nobody's text takes the answer of others."""
    bench.runner.unanswerable = 666
    held = bench.hold()
    bad, others = bench.ask(work(666)), [bench.ask(work(number)) for number in (6, 7)]
    bench.release(held, bad, *others)

    assert ("BadAnswer", ["", ""]) == (bad.error, [each.error for each in others])
    assert [1, 1] == [each.works[0].answered for each in others]
    assert (1, 3) == (bench.batcher.counts.failed, bench.batcher.counts.answered)


def test_a_thread_that_cannot_be_started_is_started_with_the_next_job(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What could not be run leaves no room taken."""
    begin, failures = threading.Thread.start, [RuntimeError("can't start new thread")]

    def starting(thread: threading.Thread) -> None:
        if failures:
            raise failures.pop()
        begin(thread)

    monkeypatch.setattr(threading.Thread, "start", starting)
    with pytest.raises(RuntimeError):
        bench.ask(work(1))
    assert not bench.batcher.counts.waiting

    second = bench.ask(work(2))
    second.wait()

    assert ("", True) == (second.error, second.ended)


def test_closing_ends_all_that_waits(bench: Bench) -> None:
    """With an error, not with an answer that looks whole; and nothing is taken afterwards."""
    bench.hold()
    waiting = bench.ask(work(6))
    closing = threading.Thread(target=bench.batcher.close)
    closing.start()
    waiting.wait()
    bench.runner.gate.set()
    closing.join(60)
    late = Job(deadline=time.monotonic() + LONG)

    assert ("Closed", False, "Closed") == (waiting.error, bench.batcher.admit(late), late.error)
    assert not any(thread.is_alive() for thread in bench.batcher._threads)


async def test_an_event_loop_is_woken_once_a_batch(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many of its jobs were in it."""
    loop = asyncio.get_running_loop()
    calls: list[int] = []
    real = loop.call_soon_threadsafe
    held = bench.hold()

    def counted(callback: object, *arguments: object, **named: object) -> object:
        calls.append(len(arguments[0]))  # type: ignore[arg-type]
        return real(callback, *arguments, **named)  # type: ignore[arg-type]

    jobs = [Job(deadline=time.monotonic() + LONG, loop=loop) for _ in range(6)]
    for number, job in enumerate(jobs):
        assert bench.batcher.admit(job)
        bench.batcher.submit(job, [work(number)])
    monkeypatch.setattr(loop, "call_soon_threadsafe", counted)
    bench.runner.gate.set()
    await asyncio.gather(*(job.settled() for job in jobs))
    monkeypatch.undo()
    held.wait()

    assert [6] == calls


def test_a_loop_that_is_gone_harms_nobody(bench: Bench) -> None:
    """Its jobs are dropped; those of threads and of other loops are answered."""
    held = bench.hold()

    async def leave() -> None:
        job = Job(deadline=time.monotonic() + LONG, loop=asyncio.get_running_loop())
        assert bench.batcher.admit(job)
        bench.batcher.submit(job, [work(6)])

    asyncio.run(leave())
    other = bench.ask(work(7))
    bench.release(held, other)

    assert 1 == other.works[0].answered


def test_counts_add_up(bench: Bench) -> None:
    """Each window is in one of them, and the pieces are those of the batches."""
    bench.ask(work(1, 2), work(3)).wait()

    assert BatchCounts(answered=2, batches=1, pieces=7, padding=1) == bench.batcher.counts
