"""Work on a long list, divided among processes of this machine.

A share is every n-th item, so that all shares are alike. Processes are forked: they have what was built before, and write
down what they found as JSON; nothing that they touch is seen by the others.
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from typing import Any

import orjson

# A share of less is done before a process has started.
_LEAST = 1_000
_MOST_PROCESSES = 16

# What is found on the items `start, start + step, ...`, as values that JSON has.
Share = Callable[[int, int], dict[str, Any]]


def shares_of(items: int) -> int:
    """Into how many shares so many items are worth dividing on the processors that this process may use."""
    return max(1, min(len(os.sched_getaffinity(0)), _MOST_PROCESSES, items // _LEAST))


def in_shares(work: Share, count: int) -> list[dict[str, Any]]:
    """What `work(n, count)` finds for each n below `count`, in order; the first share is done in this process.

    A share whose process died is done here as well, so that whatever killed it shows. The caller has one thread.
    """
    forked = multiprocessing.get_context("fork")
    with contextlib.ExitStack() as stack:
        waiting = []
        for number in range(1, count):
            ours, theirs = forked.Pipe(duplex=False)
            process = forked.Process(target=_answer, args=(work, number, count, theirs), daemon=True)
            process.start()
            theirs.close()
            stack.callback(process.join)
            stack.callback(process.terminate)
            stack.callback(ours.close)
            waiting.append((number, ours))
        with _uncollected():
            found = [work(0, count)]
            for number, answer in waiting:
                try:
                    found.append(orjson.loads(answer.recv_bytes()))
                except EOFError:
                    found.append(work(number, count))
        return found


def _answer(work: Share, number: int, count: int, answer: Connection) -> None:
    with _uncollected():
        answer.send_bytes(orjson.dumps(work(number, count)))


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """No search for cycles meanwhile: what is made is kept or is no cycle, and looking at all of it costs a fourth."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
