"""Windows of many requests in one run: a bounded queue, batches of about one length, a deadline for each job.

Nothing waits for company: a worker that is free takes what is there. Under load that is more than one job, and a batch.

What becomes of a window, one of: answered; refused, since the queue had no room; expired, since its job ended before its
turn. Who asked learns of each text how many of its windows were answered, and nothing is ever waited for in vain: a job
ends when its windows are settled, when its deadline is over, when the model fails, and when the batcher is closed.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Annotated, Final, Protocol, final

import numpy as np
from annotated_types import Ge, Le

from classifiers.model.pieces import Pieces
from classifiers.model.session import Answers, BadAnswer, Batch, RunFailed
from classifiers.model.windows import Window
from governance.frozen import frozen

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A batch is as long as its longest window, rounded up to a few pieces: each shape that an ONNX Runtime session has not seen
# costs it a plan.
_ROUND: Final = 4
# So many windows of one job go into a batch before the next job has its turn: a megabyte does not stop a sentence.
_SHARE: Final = 4
_STOP_S: Final = 10.0
# The error of a job that did not come to its end because nothing more is run.
CLOSED: Final = "Closed"


class Runner(Protocol):
    """What runs a batch; ModelSession is the real one."""

    def run(self, batch: Batch) -> Answers:
        """The answers to `batch`, in its order."""
        ...


class Scorer(Protocol):
    """What makes probabilities of logits; Decoder is the real one."""

    def scores(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """Of float32[windows, pieces, labels], float32[windows, pieces, width]."""
        ...

    def remarkable(self, scores: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Which windows can hold a finding."""
        ...


@frozen
class BatchLimits:
    """`max_waiting` windows and `max_jobs` jobs at most are held; a batch has `max_pieces` at most, padding included.

    A window joins a batch of longer ones where it is at most `max_padding` pieces shorter.
    """

    max_waiting: Annotated[int, Ge(1), Le(1 << 20)] = 8_192
    max_jobs: Annotated[int, Ge(1), Le(1 << 20)] = 16_384
    max_pieces: Annotated[int, Ge(1), Le(1 << 22)] = 512
    max_padding: Annotated[int, Ge(0), Le(1 << 16)] = 16
    workers: Annotated[int, Ge(1), Le(64)] = 1


@frozen
class Frame:
    """The ids around a window, the id that fills one up, and the most pieces that one may have, all included."""

    prefix: tuple[int, ...]
    suffix: tuple[int, ...]
    padding: int
    window: int

    @property
    def around(self) -> int:
        """How many pieces of a window are not text."""
        return len(self.prefix) + len(self.suffix)


@frozen
class BatchCounts:
    """What happened since the start, in windows but for `batches` and the pieces; `waiting` is now.

    `failures` counts the jobs that failed, by what failed.
    """

    answered: int = 0
    refused: int = 0
    expired: int = 0
    failed: int = 0
    batches: int = 0
    pieces: int = 0
    padding: int = 0
    waiting: int = 0
    failures: Mapping[str, int] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True, eq=False, repr=False)
class Work:
    """One text of a job. `scores` has an entry for each answered window that can hold a finding, by its number.

    The windows in `digits` are run though they may hold no letter.

    INVARIANT: written under the lock of the batcher until the job has ended, by nobody afterwards.
    """

    pieces: Pieces
    windows: tuple[Window, ...]
    digits: frozenset[int] = frozenset()
    answered: int = 0
    scores: dict[int, NDArray[np.float32]] = field(default_factory=dict)
    topics: NDArray[np.float32] | None = None


@final
class Job:
    """The texts of one request. Made by the one who waits for it, in its event loop or thread.

    `error` is the name of what failed, empty where nothing did.
    """

    __slots__ = ("_event", "_future", "deadline", "ended", "error", "loop", "pending", "works")

    def __init__(self, *, deadline: float, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self.deadline = deadline
        self.works: list[Work] = []
        self.pending = 0
        self.ended = False
        self.error = ""
        self.loop = loop
        self._future: asyncio.Future[None] | None = None if loop is None else loop.create_future()
        self._event = None if loop is not None else threading.Event()

    async def settled(self) -> None:
        """Returns when the job has ended, at its deadline at the latest."""
        assert self._future is not None  # noqa: S101 - made in a loop
        left = self.deadline - time.monotonic()
        if left > 0 and not self._future.done():
            await asyncio.wait((self._future,), timeout=left)

    def wait(self) -> None:
        """As `settled`, in a thread."""
        assert self._event is not None  # noqa: S101 - made without a loop
        self._event.wait(max(0.0, self.deadline - time.monotonic()))

    def wake(self) -> None:
        """Ends the wait. In the loop of the job, if it has one."""
        if self._event is not None:
            self._event.set()
        elif self._future is not None and not self._future.done():
            self._future.set_result(None)


@dataclass(slots=True, eq=False, repr=False)
class _Run:
    """Windows of one job and of about one length, waiting for their turn."""

    job: Job
    arrived: int
    items: deque[tuple[Work, int]]


_Item = tuple[Job, Work, int]


@final
class Batcher:
    """Runs windows of many jobs in batches, in threads of its own that begin with the first job. Safe between threads."""

    def __init__(self, runner: Runner, scorer: Scorer, frame: Frame, limits: BatchLimits | None = None) -> None:
        self._runner = runner
        self._scorer = scorer
        self._frame = frame
        self._limits = limits or BatchLimits()
        self._ready = threading.Condition()
        self._queues: dict[int, deque[_Run]] = {}
        self._arrivals = count()
        self._jobs: set[Job] = set()
        self._threads: list[threading.Thread] = []
        self._closed = False
        self._counts = dict.fromkeys(("answered", "refused", "expired", "failed", "batches", "pieces", "padding"), 0)
        self._failures: Counter[str] = Counter()
        self._waiting = 0

    @property
    def counts(self) -> BatchCounts:
        """What happened so far."""
        with self._ready:
            return BatchCounts(**self._counts, waiting=self._waiting, failures=dict(self._failures))

    def admit(self, job: Job) -> bool:
        """Takes `job`, whose windows are to follow; False, counted as one window refused, where there is no room.

        False as well, with an error in `job`, once this is closed.
        """
        with self._ready:
            if self._closed:
                job.ended, job.error = True, CLOSED
                return False
            if len(self._jobs) >= self._limits.max_jobs or self._waiting >= self._limits.max_waiting:
                self._counts["refused"] += 1
                return False
            self._jobs.add(job)
            return True

    def submit(self, job: Job, works: Sequence[Work]) -> None:
        """The windows of an admitted job, in their order as many as there is room for. Windows with nothing to read are answered."""
        items = [(work, number) for work in works for number in self._worth_running(work)]
        with self._ready:
            if job.ended or job not in self._jobs:
                return
            if items:
                self._start()
            job.works.extend(works)
            room = max(0, self._limits.max_waiting - self._waiting)
            self._counts["refused"] += max(0, len(items) - room)
            taken = items[:room]
            job.pending += len(taken)
            self._waiting += len(taken)
            self._enqueue(job, taken)
            if taken:
                self._ready.notify(len(taken))
                return
            self._jobs.discard(job)
            job.ended = True
        _wake((job,))

    def fail(self, job: Job, error: str) -> None:
        """Ends `job`: what should have made its windows failed with `error`, the name of a class."""
        with self._ready:
            if job.ended:
                return
            self._failures[error] += 1
            job.ended, job.error = True, error
            self._jobs.discard(job)
        _wake((job,))

    def end(self, job: Job) -> None:
        """Ends `job` as it stands: nothing writes to it from now on, and what of it still waits is not run."""
        with self._ready:
            job.ended = True
            self._jobs.discard(job)

    def close(self) -> None:
        """Ends all jobs with an error, and the threads after the batch that they are at."""
        with self._ready:
            self._closed = True
            left = tuple(self._jobs)
            for job in left:
                job.ended, job.error = True, CLOSED
            self._jobs.clear()
            self._queues.clear()
            self._counts["expired"] += self._waiting
            self._waiting = 0
            self._ready.notify_all()
        _wake(left)
        for thread in self._threads:
            thread.join(_STOP_S)

    def _worth_running(self, work: Work) -> list[int]:
        """The windows of `work` that hold a letter, or are in its `digits`."""
        chosen = [
            number
            for number, window in enumerate(work.windows)
            if number in work.digits or work.pieces.case[window.first : window.last].any()
        ]
        work.answered += len(work.windows) - len(chosen)
        return chosen

    def _enqueue(self, job: Job, items: Iterable[tuple[Work, int]]) -> None:
        runs: dict[int, deque[tuple[Work, int]]] = {}
        for work, number in items:
            window = work.windows[number]
            runs.setdefault(self._length(window.last - window.first), deque()).append((work, number))
        for length, waiting in runs.items():
            run = _Run(job, next(self._arrivals), waiting)
            self._queues.setdefault(length, deque()).append(run)

    def _length(self, pieces: int) -> int:
        return min(self._frame.window, -(-(pieces + self._frame.around) // _ROUND) * _ROUND)

    def _start(self) -> None:
        """Begins the threads. They end with the process even if nobody closes this."""
        while len(self._threads) < self._limits.workers:
            thread = threading.Thread(target=self._work, name=f"model-{len(self._threads)}", daemon=True)
            # Where that raises, the next job tries again.
            thread.start()
            self._threads.append(thread)

    def _work(self) -> None:
        while (taken := self._take()) is not None:
            items, ended = taken
            _wake(ended)
            if items:
                _wake(self._run(items))

    def _take(self) -> tuple[list[_Item], list[Job]] | None:
        """The windows of the next batch, and the jobs that had to end before it; None when closed."""
        with self._ready:
            while not self._queues and not self._closed:
                self._ready.wait()
            if self._closed:
                return None
            length = min(self._queues, key=lambda each: self._queues[each][0].arrived)
            most = max(1, self._limits.max_pieces // length)
            shortest = length - self._limits.max_padding
            items: list[_Item] = []
            ended: list[Job] = []
            for each in sorted((each for each in self._queues if shortest <= each <= length), reverse=True):
                items += self._from(each, most - len(items), ended)
            return items, ended

    def _from(self, length: int, most: int, ended: list[Job]) -> list[_Item]:
        """Up to `most` windows from the queue of `length`, job by job in turn. Those of jobs that have ended are dropped."""
        queue = self._queues[length]
        items: list[_Item] = []
        now = time.monotonic()
        while queue and len(items) < most:
            run = queue.popleft()
            if run.job.ended or run.job.deadline <= now:
                self._counts["expired"] += len(run.items)
                self._waiting -= len(run.items)
                self._settle(run.job, len(run.items), ended)
                continue
            share = min(len(run.items), _SHARE, most - len(items))
            items.extend((run.job, *run.items.popleft()) for _ in range(share))
            if run.items:
                run.arrived = next(self._arrivals)
                queue.append(run)
        if not queue:
            del self._queues[length]
        self._waiting -= len(items)
        return items

    def _settle(self, job: Job, number: int, ended: list[Job]) -> None:
        """Takes `number` windows off `job`, which has ended with the last."""
        if job.ended:
            return
        job.pending -= number
        if job.pending <= 0:
            job.ended = True
            self._jobs.discard(job)
            ended.append(job)

    def _run(self, items: list[_Item]) -> list[Job]:
        """Runs a batch and writes the answers down. The jobs that have ended with it."""
        ended: list[Job] = []
        try:
            batch = self._batch(items)
            answers = self._runner.run(batch)
            scores = self._scorer.scores(answers.tokens)
            remarkable = self._scorer.remarkable(scores).tolist()
        except BadAnswer as error:
            # A text that no number comes of takes nobody else's answer with it.
            if len(items) > 1:
                return [job for item in items for job in self._run([item])]
            return self._failed(items, type(error).__name__)
        except RunFailed as error:
            return self._failed(items, error.reason)
        except Exception as error:  # noqa: BLE001 - the edge of this thread: it goes on with the next batch
            # Its name only: a message could quote content.
            return self._failed(items, type(error).__name__)
        before = len(self._frame.prefix)
        with self._ready:
            self._counts["batches"] += 1
            self._counts["answered"] += len(items)
            self._counts["pieces"] += int(batch.mask.sum())
            self._counts["padding"] += batch.mask.size - int(batch.mask.sum())
            for row, (job, work, number) in enumerate(items):
                if job.ended:
                    continue
                work.answered += 1
                window = work.windows[number]
                if remarkable[row]:
                    # A copy, so that the batch can go.
                    own = slice(before + window.own_first - window.first, before + window.own_last - window.first)
                    work.scores[number] = scores[row, own].copy()
                topics = answers.topics[row]
                work.topics = topics.copy() if work.topics is None else np.maximum(work.topics, topics)
                self._settle(job, 1, ended)
        return ended

    def _failed(self, items: list[_Item], error: str) -> list[Job]:
        jobs = {job for job, _, _ in items}
        with self._ready:
            self._counts["failed"] += len(items)
            hit = [job for job in jobs if not job.ended]
            self._failures[error] += len(hit)
            for job in hit:
                job.ended, job.error = True, error
                self._jobs.discard(job)
        return hit

    def _batch(self, items: list[_Item]) -> Batch:
        frame = self._frame
        before = len(frame.prefix)
        longest = max(work.windows[number].last - work.windows[number].first for _, work, number in items)
        ids = np.full((len(items), self._length(longest)), frame.padding, dtype=np.int64)
        mask = np.zeros_like(ids)
        case = np.zeros_like(ids)
        for row, (_, work, number) in enumerate(items):
            window = work.windows[number]
            behind = before + window.last - window.first
            ids[row, :before] = frame.prefix
            ids[row, before:behind] = work.pieces.ids[window.first : window.last]
            ids[row, behind : behind + len(frame.suffix)] = frame.suffix
            case[row, before:behind] = work.pieces.case[window.first : window.last]
            mask[row, : behind + len(frame.suffix)] = 1
        return Batch(ids=ids, mask=mask, case=case)


def _wake(jobs: Iterable[Job]) -> None:
    """Ends the waits for `jobs`: one call into each event loop, however many of its jobs are among them."""
    by_loop: dict[asyncio.AbstractEventLoop | None, list[Job]] = {}
    for job in jobs:
        by_loop.setdefault(job.loop, []).append(job)
    for loop, several in by_loop.items():
        if loop is None:
            _wake_all(several)
            continue
        try:
            loop.call_soon_threadsafe(_wake_all, several)
        except RuntimeError:
            # The loop is closed, and with it all that waited in it.
            continue


def _wake_all(jobs: Iterable[Job]) -> None:
    for job in jobs:
        job.wake()
