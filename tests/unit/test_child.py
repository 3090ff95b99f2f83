"""A child process that answers in time or is ended, and the one that comes after it. The processes here are real."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from governance.breaker import FAILURES
from governance.child import Children, Ended, Loading, Overrun

# What the plan says is done while loading; each request is an order of its own.
STAND_IN = """
import json, multiprocessing, os, pathlib, signal, sys, time
from governance.child import Calls

held = []

def serve():
    calls = Calls()
    plan = calls.plan().decode()
    if plan == "abort":
        os.kill(os.getpid(), signal.SIGABRT)
    if plan == "slow":
        time.sleep(2)
    if plan == "first":
        print("nobody reads this")
    if plan == "large":
        held.append(b"x" * (32 << 20))
    if plan == "wide":
        calls.answer(b"w" * 3_000_000)
    if plan.startswith("/"):
        number = len(os.listdir(plan))
        pathlib.Path(plan, str(number)).touch()
        if number == 1:
            os.kill(os.getpid(), signal.SIGABRT)
    calls.answer(json.dumps([len(plan), sorted(name for name in os.environ if name.startswith("RINGFENCE_"))]).encode())
    while (call := calls.next()) is not None:
        order, deadline = json.loads(call[0]), call[1]
        for one in order:
            if one == "hang":
                while True:
                    pass
            if one == "end":
                os._exit(3)
            if one == "fork" and os.fork() == 0:
                # It comes back, as a helper that failed to start anything would.
                continue
            if one == "wait" and (helper := os.fork()) == 0:
                time.sleep(600)
            if one == "pool":
                with multiprocessing.get_context("fork").Pool(1) as pool:
                    pool.map(len, ["x"])
            if one == "tail":
                one = helper
            if one == "stale":
                calls._number -= 1
            if one == "grow":
                held.append(b"x" * (32 << 20))
            calls.answer(str(one).encode() * (1_000_000 if one == "long" else 1))
"""
ENTRY = "child_stand_in"
MAX_ANSWER = 5_000_000


def soon(seconds: float = 60.0) -> float:
    return time.monotonic() + seconds


def asked(children: Children, *order: str, seconds: float = 60.0) -> list[bytes]:
    deadline = soon(seconds)
    children.send(json.dumps(order).encode(), deadline)
    return [children.receive(deadline) for _ in order]


def alive(pid: int) -> bool:
    """Whether the process runs; one that ended and was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def ends(pid: int) -> bool:
    """Whether the process ends, within a minute."""
    for _ in range(1200):
        if not alive(pid):
            return True
        time.sleep(0.05)
    return False


def counted(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What is started from now on."""
    started: list[object] = []
    popen = subprocess.Popen

    def start(*arguments: Any, **named: Any) -> subprocess.Popen[bytes]:
        started.append(arguments)
        return popen(*arguments, **named)

    monkeypatch.setattr(subprocess, "Popen", start)
    return started


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Children]]:
    """Makes Children of the stand-in, and ends them."""
    (tmp_path / f"{ENTRY}.py").write_text(STAND_IN)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("RINGFENCE_SECRET", "s")
    made: list[Children] = []

    def children(plan: str = "", *, answers: list[bytes] | None = None, **more: Any) -> Children:
        accept = answers.append if answers is not None else lambda _: None
        known: dict[str, Any] = {"accept": accept, "loading_s": 60.0, "max_answer_bytes": MAX_ANSWER}
        made.append(Children(ENTRY, plan.encode(), **(known | more)))
        return made[-1]

    yield children
    for one in made:
        one.close()


def test_answers_come_in_order(make: Callable[..., Children]) -> None:
    """What is asked is answered, by one child; it has none of our own environment, and what it prints is in no answer."""
    loaded: list[bytes] = []
    children = make("first", answers=loaded)

    found = [asked(children, "a", "b"), asked(children, "c")]

    assert ([[b"a", b"b"], [b"c"]], [b"[5, []]"]) == (found, loaded)


def test_a_plan_and_an_answer_longer_than_a_pipe_pass(make: Callable[..., Children]) -> None:
    """Megabytes go through in both directions."""
    loaded: list[bytes] = []
    children = make("x" * 3_000_000, answers=loaded)

    (found,) = asked(children, "long")

    assert (b"long" * 1_000_000, [b"[3000000, []]"]) == (found, loaded)


def test_a_call_that_hangs_is_ended_and_the_next_one_answered(make: Callable[..., Children]) -> None:
    """What came before stays; the process is gone, and another one has the same plan."""
    loaded: list[bytes] = []
    children = make("plan", answers=loaded)
    children.ready(soon())
    first, deadline = children.pid, soon(1.0)
    children.send(b'["a", "hang", "b"]', deadline)
    before = children.receive(deadline)
    with pytest.raises(Overrun) as raised:
        children.receive(deadline)

    after = asked(children, "b")

    assert (b"a", Overrun, [b"b"]) == (before, raised.type, after)
    assert first is not None
    assert (False, [b"[4, []]"] * 2) == (alive(first), loaded)


def test_a_child_that_ends_in_a_call_is_told_from_one_that_is_late(make: Callable[..., Children]) -> None:
    """The caller learns that nobody is there, long before the deadline, and the next call is answered."""
    children = make()
    with pytest.raises(Ended):
        asked(children, "end")

    assert [b"a"] == asked(children, "a")


def test_an_answer_beyond_the_limit_is_no_answer(
    make: Callable[..., Children], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A child that would fill the memory of its parent is ended."""
    monkeypatch.setattr(sys.modules[__name__], "MAX_ANSWER", 1000)
    children = make()
    with pytest.raises(Ended):
        asked(children, "long")

    assert [b"a"] == asked(children, "a")


def test_a_child_that_somebody_ended_costs_no_request(make: Callable[..., Children]) -> None:
    """It is missed before the next request is sent."""
    children = make()
    children.ready(soon())
    first = children.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    assert ends(first)

    assert [b"a"] == asked(children, "a")


def test_signals_to_the_group_leave_the_child_to_its_parent(make: Callable[..., Children]) -> None:
    """An interrupt or a termination of the whole group does not take the answers that the parent still needs."""
    children = make()
    children.ready(soon())
    first = children.pid
    assert first is not None
    os.kill(first, signal.SIGTERM)
    os.kill(first, signal.SIGINT)

    assert ([b"a"], first) == (asked(children, "a"), children.pid)


def test_where_memory_runs_out_the_child_is_taken_first(make: Callable[..., Children]) -> None:
    """It can be replaced, and its parent serves."""
    children = make()
    children.ready(soon())
    own = int(Path("/proc/self/oom_score_adj").read_text())

    assert own < int(Path(f"/proc/{children.pid}/oom_score_adj").read_text())


def test_a_child_that_ends_while_loading_names_the_signal(make: Callable[..., Children]) -> None:
    """The reason is told to whoever waits."""
    with pytest.raises(Ended) as raised:
        make("abort").ready(soon())

    assert signal.SIGABRT == raised.value.signal


def test_children_that_never_load_are_not_started_for_ever(
    make: Callable[..., Children], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After some in a row there is a pause, in which callers are told at once."""
    monkeypatch.setattr("governance.breaker._FIRST_S", 600.0)
    started = counted(monkeypatch)
    children = make("abort")
    for _ in range(FAILURES + 3):
        with pytest.raises(Ended):
            children.ready(soon())

    assert FAILURES == len(started)


def test_a_child_goes_on_loading_when_nobody_waits(make: Callable[..., Children]) -> None:
    """The deadline of a call is not that of loading: the same process is there for the next call."""
    children = make("slow")
    with pytest.raises(Loading):
        children.ready(soon(0.05))
    first = children.pid

    assert ([b"a"], first) == (asked(children, "a"), children.pid)


def test_a_spare_takes_over(make: Callable[..., Children]) -> None:
    """Once a child was replaced, the next one has been started before it is needed."""
    children = make(spare=True)
    for _ in range(2):
        with pytest.raises(Ended):
            asked(children, "end")
        found = asked(children, "a")
    assert children._spare is not None
    waiting = children._spare.pid
    children.replace()

    assert (([b"a"], waiting), [b"b"]) == ((found, children.pid), asked(children, "b"))


def test_an_answer_that_comes_in_parts_is_waited_for_again(make: Callable[..., Children]) -> None:
    """What had come of it by the deadline is not lost."""
    loaded: list[bytes] = []
    children, until = make("wide", answers=loaded), soon()
    while not loaded and time.monotonic() < until:
        with contextlib.suppress(Loading):
            children.ready(soon(0.0))

    assert [b"w" * 3_000_000] == loaded


LIMIT = 16 << 20


def until_replaced(children: Children, *, most_s: float = 60.0) -> list[tuple[list[bytes], int | None]]:
    """What is answered, and by whom, until somebody else answers."""
    found: list[tuple[list[bytes], int | None]] = []
    until = time.monotonic() + most_s
    while time.monotonic() < until and (len(found) < 2 or found[-1][1] == found[0][1]):
        found.append((asked(children, "a"), children.pid))
        time.sleep(0.02)
    return found


def test_a_child_that_has_grown_answers_until_its_successor_is_loaded(make: Callable[..., Children]) -> None:
    """No request waits for the two seconds of loading, none is lost, and the one that grew is gone at the end."""
    told: list[tuple[int, bool]] = []
    children = make("slow", max_growth_bytes=LIMIT, renewed=lambda *what: told.append(what))
    asked(children, "grow")
    found = until_replaced(children)
    first, last = found[0][1], found[-1][1]

    assert ([[b"a"]] * len(found), True, False) == ([one for one, _ in found], first != last, alive(first or 0))
    assert [(True, True)] == [(grown >= 32 << 20, replaced) for grown, replaced in told]
    # One more answer would be the least of a child that is replaced at once, by one that is waited for.
    assert len(found) > 3


def test_a_child_below_the_limit_stays(make: Callable[..., Children]) -> None:
    """Also one that is large when it has loaded, and one without a limit."""
    below, large, without = make(max_growth_bytes=1 << 30), make("large", max_growth_bytes=LIMIT), make()
    found = []
    for children, first in ((below, "grow"), (large, "a"), (without, "grow")):
        children.ready(soon())
        pid = children.pid
        for order in (first, "a", "a", "a"):
            asked(children, order)
        found.append((children.pid == pid, children._spare))

    assert [(True, None)] * 3 == found


def test_there_is_one_successor_at_most_and_a_pause_between_two(
    make: Callable[..., Children], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However fast a child grows."""
    monkeypatch.setattr("governance.child._RENEWAL_PAUSE_S", 600.0)
    started = counted(monkeypatch)
    children = make(max_growth_bytes=LIMIT)
    asked(children, "grow")
    until_replaced(children)
    second = children.pid
    for order in ("grow", "a", "a", "a"):
        asked(children, order)

    assert (2, second, None) == (len(started), children.pid, children._spare)


def test_a_successor_that_is_refused_leaves_the_child_in_place(
    make: Callable[..., Children], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one is tried after a pause, and requests are answered meanwhile."""
    monkeypatch.setattr("governance.child._RENEWAL_PAUSE_S", 0.0)
    seen: list[bytes] = []

    def accept(raw: bytes) -> None:
        seen.append(raw)
        if len(seen) == 2:
            raise ValueError

    children = make(max_growth_bytes=LIMIT, accept=accept)
    asked(children, "grow")
    found = until_replaced(children)

    assert ([[b"a"]] * len(found), 3) == ([one for one, _ in found], len(seen))


def test_a_successor_that_ends_while_loading_leaves_the_child_in_place(
    make: Callable[..., Children], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same for one that never says anything."""
    monkeypatch.setattr("governance.child._RENEWAL_PAUSE_S", 0.0)
    starts = tmp_path / "starts"
    starts.mkdir()
    told: list[bool] = []
    children = make(str(starts), max_growth_bytes=LIMIT, renewed=lambda _, replaced: told.append(replaced))
    asked(children, "grow")
    found = until_replaced(children)

    assert ([[b"a"]] * len(found), 3) == ([one for one, _ in found], len(list(starts.iterdir())))
    assert [False, True] == told


def test_a_successor_that_somebody_ended_is_missed(
    make: Callable[..., Children], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also after it had loaded: nothing is asked of it, and the next one takes its place."""
    monkeypatch.setattr("governance.child._RENEWAL_PAUSE_S", 0.0)
    loaded: list[bytes] = []
    children = make(max_growth_bytes=LIMIT, answers=loaded)
    for order in ("grow", "a", "a"):
        asked(children, order)
    spare = children._spare
    assert spare is not None
    assert spare._readable.poll(60_000)
    os.kill(spare.pid, signal.SIGKILL)
    assert ends(spare.pid)
    found = until_replaced(children)

    assert ([[b"a"]] * len(found), True) == ([one for one, _ in found], children.pid != spare.pid)


def test_a_spare_that_is_kept_is_the_successor(make: Callable[..., Children]) -> None:
    """There is no third process, and after it took over there is a spare again."""
    children = make(spare=True, max_growth_bytes=LIMIT)
    children.ready(soon())
    children.replace()
    asked(children, "grow")
    spare = children._spare
    assert spare is not None
    found = until_replaced(children)

    assert ([[b"a"]] * len(found), spare.pid) == ([one for one, _ in found], children.pid)
    assert children._spare not in (None, spare)


def test_closing_while_a_successor_loads_ends_both(make: Callable[..., Children]) -> None:
    """Nothing is left behind."""
    children = make("slow", max_growth_bytes=LIMIT)
    for order in ("grow", "a", "a"):
        asked(children, order)
    assert children._spare is not None
    pids = [children.pid, children._spare.pid]
    children.close()

    assert [False, False] == [alive(pid or 0) for pid in pids]


PARENT = """
import sys, time
from governance.child import Children
children = Children("child_stand_in", b"", accept=lambda _: None, loading_s=60.0, max_answer_bytes=1000)
children.ready(time.monotonic() + 60)
if sys.argv[1] == "busy":
    children.send(b'["hang"]', time.monotonic() + 2)
print(children.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("state", ["idle", "busy"])
def test_no_child_outlives_its_parent(make: Callable[..., Children], state: str) -> None:
    """A parent that is killed outright leaves nothing behind, also where the child never looks at its pipe again."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-P", "-c", PARENT, state]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        before = alive(pid)
        parent.kill()

    assert (True, True) == (before, ends(pid))


def test_what_was_forked_off_answers_nothing(make: Callable[..., Children]) -> None:
    """Every request has its own answers, however many copies of the child there were."""
    children = make()

    found = [
        asked(children, "fork", "a"),
        asked(children, "b", "c"),
        asked(children, "fork", "d"),
        asked(children, "e"),
    ]

    assert [[b"fork", b"a"], [b"b", b"c"], [b"fork", b"d"], [b"e"]] == found


def test_an_answer_to_another_request_ends_the_child(make: Callable[..., Children]) -> None:
    """Nobody takes it for his own; the next child answers."""
    children = make()
    asked(children, "a")

    with pytest.raises(Ended):
        asked(children, "stale")

    assert [b"b"] == asked(children, "b")


def test_what_a_child_started_ends_with_it(make: Callable[..., Children]) -> None:
    """A call that overruns leaves nothing behind."""
    children = make()
    helper = int(asked(children, "wait", "tail")[1])
    assert alive(helper)

    with pytest.raises(Overrun):
        asked(children, "hang", seconds=0.1)

    assert ends(helper)


def test_what_a_child_forked_can_be_asked_to_end(make: Callable[..., Children]) -> None:
    """A pool of processes ends its workers by SIGTERM and waits for them."""
    assert [b"pool"] == asked(make(), "pool")


def test_closing_ends_the_child(make: Callable[..., Children]) -> None:
    """After it there is no process."""
    children = make()
    children.ready(soon())
    first = children.pid
    children.close()

    assert first is not None
    assert (None, False) == (children.pid, alive(first))
