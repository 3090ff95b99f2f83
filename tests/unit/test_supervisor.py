"""The supervisor with real child processes: small Python programs that start late, die, and ignore signals."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from governance.errors import ConfigInvalid
from sidecar.probes import drain_envoy, free_port, require_free, serves
from sidecar.supervisor import Backoff, Child, ChildFailed, Supervisor

FAST = Backoff(first_s=0.02, longest_s=0.1, stable_s=5.0, give_up_after=3)
# Every run ends within this, or the test fails.
LIMIT_S = 60.0

SERVES = """
import pathlib, signal, sys, time
pathlib.Path(sys.argv[1]).touch()
print("serving", flush=True)
for _ in range(1200):
    time.sleep(0.05)
"""
IGNORES_SIGTERM = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SERVES


class Output:
    """Collects the lines of children, with their names."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def __call__(self, name: str, line: str) -> None:
        self.lines.append((name, line))


def python(name: str, program: str, directory: Path, **options: Any) -> Child:
    """A child that runs `program`, ready as soon as its mark exists: the path in its first argument."""
    mark = directory / f"{name}.ready"

    async def ready() -> bool:
        return mark.exists()

    return Child(
        name=name,
        argv=(sys.executable, "-I", "-S", "-c", program, str(mark)),
        ready=options.pop("ready", ready),
        **options,
    )


async def until(condition: Callable[[], bool]) -> None:
    """Returns when `condition` holds. Fails after the limit."""
    async with asyncio.timeout(LIMIT_S):
        while not condition():  # noqa: ASYNC110  the state of other processes
            await asyncio.sleep(0.01)


async def while_running(supervisor: Supervisor, act: Callable[[], Awaitable[None]]) -> None:
    """Runs `act` once all children are ready, then stops, and returns when no child is left."""
    async with asyncio.timeout(LIMIT_S):
        run = asyncio.create_task(supervisor.run())
        started = asyncio.create_task(supervisor.started.wait())
        await asyncio.wait({run, started}, return_when=asyncio.FIRST_COMPLETED)
        started.cancel()
        if not run.done():
            acting = asyncio.ensure_future(act())
            await asyncio.wait({run, acting}, return_when=asyncio.FIRST_COMPLETED)
            if acting.done():
                acting.result()
            acting.cancel()
            supervisor.stop()
        await run


async def nothing() -> None:
    """Acts not at all."""


def alive(pid: int) -> bool:
    """True while `pid` runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def pids(output: Output) -> dict[str, int]:
    """The process ids that children wrote."""
    return {name: int(line.removeprefix("pid ")) for name, line in output.lines if line.startswith("pid ")}


SAYS_PID = "import os\nprint('pid', os.getpid(), flush=True)\n"


# --- starting ------------------------------------------------------------------------------------------------------


async def test_stages_start_in_order_and_stop_in_reverse(tmp_path: Path) -> None:
    """The second stage is not started before the first is ready; at the end the second goes first."""
    program = """
import pathlib, signal, sys, time
print("started", time.monotonic(), flush=True)
def stop(*_):
    print("stopped", time.monotonic(), flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
time.sleep(0.2)
pathlib.Path(sys.argv[1]).touch()
print("ready", time.monotonic(), flush=True)
for _ in range(1200):
    time.sleep(0.05)
"""
    output = Output()
    stages = [[python("control", program, tmp_path)], [python("worker", program, tmp_path)]]
    await while_running(Supervisor(stages, output=output), nothing)

    at = {(name, line.split()[0]): float(line.split()[1]) for name, line in output.lines}
    order = sorted(at, key=lambda event: at[event])
    assert [
        ("control", "started"),
        ("control", "ready"),
        ("worker", "started"),
        ("worker", "ready"),
        ("worker", "stopped"),
        ("control", "stopped"),
    ] == order


async def test_a_child_that_is_not_ready_in_time_is_named(tmp_path: Path) -> None:
    """The error holds what the child wrote last, and nothing is left running."""

    async def never() -> bool:
        return False

    output = Output()
    child = python("slow", SAYS_PID + SERVES, tmp_path, ready=never, ready_s=0.5)
    with pytest.raises(ChildFailed) as caught:
        await while_running(Supervisor([[child]], output=output), nothing)

    pid = pids(output)["slow"]
    assert f"`slow` is not ready after 0.5 s; it last wrote:\n  pid {pid}\n  serving" == str(caught.value)
    assert not alive(pid)


async def test_a_child_that_dies_before_it_is_ready_is_not_waited_for(tmp_path: Path) -> None:
    """A broken configuration fails at once, with the child's own words; the stage before it is stopped."""
    output = Output()
    stages = [
        [python("first", SAYS_PID + SERVES, tmp_path)],
        [python("second", "import sys\nsys.exit('no such key: lisen')", tmp_path)],
    ]
    started = time.monotonic()
    with pytest.raises(ChildFailed) as caught:
        await while_running(Supervisor(stages, output=output), nothing)

    assert "`second` ended with exit code 1; it last wrote:\n  no such key: lisen" == str(caught.value)
    assert not alive(pids(output)["first"])
    assert time.monotonic() - started < 60


async def test_a_program_that_does_not_exist_is_named(tmp_path: Path) -> None:
    """The operator reads which file could not be run."""

    async def ready() -> bool:
        return False

    child = Child(name="envoy", argv=(str(tmp_path / "envoy"),), ready=ready)
    with pytest.raises(ChildFailed, match=rf"cannot run {tmp_path}/envoy: No such file or directory"):
        await while_running(Supervisor([[child]], output=Output()), nothing)


async def test_a_probe_that_cannot_connect_or_hangs_means_not_ready(tmp_path: Path) -> None:
    """Probes are repeated until the child serves."""
    asked = 0

    async def ready() -> bool:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise ConnectionRefusedError
        return asked > 2

    await while_running(Supervisor([[python("a", SERVES, tmp_path, ready=ready)]], output=Output()), nothing)
    assert asked == 3


async def test_the_environment_is_extended(tmp_path: Path) -> None:
    """A child sees the supervisor's environment and its own additions."""
    output = Output()
    program = "import os\nprint(os.environ['PATH'], os.environ['EXTRA'], flush=True)\n" + SERVES
    child = python("a", program, tmp_path, env={"EXTRA": "yes"})
    await while_running(Supervisor([[child]], output=output), nothing)

    assert ("a", f"{os.environ['PATH']} yes") == output.lines[0]


async def test_output_is_prefixed_by_line_and_bounded(tmp_path: Path) -> None:
    """Both streams, a last line without an end, bytes that are not UTF-8, and a line without bounds."""
    program = """
import pathlib, sys, time
sys.stderr.buffer.write(b"bad \\xff byte\\n" + b"x" * 100_000 + b"\\nlast")
sys.stderr.flush()
pathlib.Path(sys.argv[1]).touch()
for _ in range(1200):
    time.sleep(0.05)
"""
    output = Output()
    await while_running(Supervisor([[python("a", program, tmp_path)]], output=output), nothing)

    lines = [line for _, line in output.lines]
    assert ("bad \ufffd byte", "last") == (lines[0], lines[-1])
    assert {"x"} == set("".join(lines[1:-1]))
    assert max(map(len, lines)) <= 16 * 1024


# --- keeping -------------------------------------------------------------------------------------------------------


async def test_a_child_that_is_killed_is_started_again(tmp_path: Path) -> None:
    """The others keep running meanwhile."""
    output = Output()
    stage = [python(name, SAYS_PID + SERVES, tmp_path) for name in ("one", "two")]

    async def kill_one() -> None:
        before = pids(output)
        os.kill(before["one"], signal.SIGKILL)
        await until(lambda: pids(output)["one"] != before["one"])
        assert pids(output)["two"] == before["two"]
        assert alive(before["two"])

    await while_running(Supervisor([stage], backoff=FAST, output=output), kill_one)
    assert not any(alive(pid) for pid in pids(output).values())


async def test_a_crash_loop_ends_in_an_error_that_names_the_child(tmp_path: Path) -> None:
    """Given up after the configured number of fast deaths; the rest is stopped."""
    output = Output()
    loops = "import pathlib, sys, time\npathlib.Path(sys.argv[1]).touch()\ntime.sleep(0.2)\nsys.exit('broken')"
    stage = [python("steady", SAYS_PID + SERVES, tmp_path), python("loops", loops, tmp_path)]
    with pytest.raises(ChildFailed) as caught:
        async with asyncio.timeout(LIMIT_S):
            await Supervisor([stage], backoff=FAST, output=output).run()

    assert "`loops` ended with exit code 1, 4 times in a row; it last wrote:\n  broken" == str(caught.value)
    assert 4 == output.lines.count(("loops", "broken"))
    assert not alive(pids(output)["steady"])


async def test_a_restart_that_never_becomes_ready_counts_as_a_death(tmp_path: Path) -> None:
    """A hanging restart is ended and given up like a crash."""
    first = True

    async def ready() -> bool:
        nonlocal first
        was, first = first, False
        return was

    output = Output()
    program = SAYS_PID + "import time\ntime.sleep(60)\n"
    child = python("a", program, tmp_path, ready=ready, ready_s=0.3)

    async def kill() -> None:
        await until(lambda: bool(pids(output)))
        os.kill(pids(output)["a"], signal.SIGKILL)
        await asyncio.Event().wait()

    with pytest.raises(ChildFailed, match=r"`a` was ended by SIGTERM, 4 times in a row"):
        await while_running(Supervisor([[child]], backoff=FAST, output=output), kill)

    assert 4 == sum(line.startswith("pid ") for _, line in output.lines)


def test_waits_grow_to_a_bound_and_begin_again() -> None:
    """0.2 s doubled up to 5 s; 30 s of readiness forgive all deaths before."""
    backoff = Backoff()

    assert [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0] == [round(backoff.delay_s(deaths), 3) for deaths in range(1, 9)]
    assert 5.0 == backoff.delay_s(10**6)
    assert (4, 1) == (backoff.deaths(3, 29.9), backoff.deaths(3, 30.0))


# --- stopping ------------------------------------------------------------------------------------------------------


async def test_a_child_that_ignores_its_signal_is_killed_after_its_grace(tmp_path: Path) -> None:
    """Stopping is bounded whatever a child does."""
    output = Output()
    child = python("stubborn", SAYS_PID + IGNORES_SIGTERM, tmp_path, grace_s=0.3)
    await while_running(Supervisor([[child]], output=output), nothing)

    assert not alive(pids(output)["stubborn"])


async def test_a_second_stop_does_not_wait_for_the_grace(tmp_path: Path) -> None:
    """An operator who asks twice gets an end."""
    output = Output()
    child = python("stubborn", SAYS_PID + IGNORES_SIGTERM, tmp_path, grace_s=LIMIT_S * 2)
    supervisor = Supervisor([[child]], output=output)

    async def stop_once() -> None:
        supervisor.stop()

    await while_running(supervisor, stop_once)
    assert not alive(pids(output)["stubborn"])


async def test_a_child_is_drained_before_it_is_stopped(tmp_path: Path) -> None:
    """The drain sees the child alive; the children it depends on are still there."""
    output = Output()
    seen: list[bool] = []

    async def drain() -> None:
        seen.extend(alive(pid) for pid in pids(output).values())

    stages = [
        [python("worker", SAYS_PID + SERVES, tmp_path)],
        [python("envoy", SAYS_PID + SERVES, tmp_path, drain=drain)],
    ]
    await while_running(Supervisor(stages, output=output), nothing)

    assert [True, True] == seen


@pytest.mark.parametrize("failure", ["raises", "hangs"])
async def test_a_drain_that_fails_does_not_keep_the_child(tmp_path: Path, failure: str) -> None:
    """Stopping goes on after an error and after the drain's time."""
    output = Output()

    async def drain() -> None:
        if failure == "raises":
            raise ConnectionRefusedError
        await asyncio.Event().wait()

    child = python("envoy", SAYS_PID + SERVES, tmp_path, drain=drain, drain_s=0.3)
    await while_running(Supervisor([[child]], output=output), nothing)

    assert not alive(pids(output)["envoy"])


async def test_a_stop_while_starting_leaves_nothing(tmp_path: Path) -> None:
    """SIGTERM during a slow start ends it cleanly."""

    async def never() -> bool:
        return False

    output = Output()
    supervisor = Supervisor([[python("slow", SAYS_PID + SERVES, tmp_path, ready=never)]], output=output)
    async with asyncio.timeout(LIMIT_S):
        run = asyncio.create_task(supervisor.run())
        await until(lambda: bool(pids(output)))
        os.kill(os.getpid(), signal.SIGTERM)
        await run

    assert not alive(pids(output)["slow"])


async def test_hangup_is_passed_on_to_children_that_reload(tmp_path: Path) -> None:
    """SIGHUP makes workers read their policies again; it does not reach the others, and stops nobody."""
    output = Output()
    program = "import signal\nsignal.signal(signal.SIGHUP, lambda *_: print('reloaded', flush=True))\n" + SERVES
    stage = [python("worker", program, tmp_path, reloads=True), python("other", program, tmp_path)]

    async def hang_up() -> None:
        os.kill(os.getpid(), signal.SIGHUP)
        await until(lambda: ("worker", "reloaded") in output.lines)

    await while_running(Supervisor([stage], output=output), hang_up)
    assert [("worker", "reloaded")] == [line for line in output.lines if line[1] == "reloaded"]


async def test_a_hangup_while_a_child_starts_reaches_it_once_it_is_ready(tmp_path: Path) -> None:
    """What it has read by then may be old; the signal does not end it, though nothing handles it yet."""
    output = Output()
    program = f"""
import pathlib, signal, time
while not pathlib.Path({str(tmp_path / "go")!r}).exists():
    time.sleep(0.01)
signal.signal(signal.SIGHUP, lambda *_: print("reloaded", flush=True))
"""
    worker = python("worker", SAYS_PID + program + SERVES, tmp_path, reloads=True)
    supervisor = Supervisor([[worker]], output=output)
    async with asyncio.timeout(LIMIT_S):
        run = asyncio.create_task(supervisor.run())
        await until(lambda: bool(pids(output)) or run.done())
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(pids(output)["worker"], signal.SIGHUP)
        (tmp_path / "go").touch()
        await until(lambda: ("worker", "reloaded") in output.lines or run.done())
        supervisor.stop()
        await run

    assert 1 == output.lines.count(("worker", "reloaded"))


# --- the supervisor's own death ------------------------------------------------------------------------------------

SUPERVISES = textwrap.dedent("""
    import asyncio, json, sys
    from pathlib import Path
    from sidecar.supervisor import Child, Supervisor

    mark, program = Path(sys.argv[1]), sys.argv[2]

    async def ready():
        return mark.exists()

    child = Child(name="a", argv=(sys.executable, "-I", "-S", "-c", program, str(mark)), ready=ready, grace_s=60)
    asyncio.run(Supervisor([[child]]).run())
""")


@pytest.mark.parametrize(("number", "program"), [(signal.SIGKILL, IGNORES_SIGTERM), (signal.SIGTERM, SERVES)])
def test_no_child_survives_the_supervisor(tmp_path: Path, number: signal.Signals, program: str) -> None:
    """Neither a drain nor a sudden end leaves a process behind that would serve without being watched."""
    mark = tmp_path / "ready"
    process = subprocess.Popen(
        [sys.executable, "-c", SUPERVISES, str(mark), SAYS_PID + program],
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        start_new_session=True,
    )
    try:
        assert process.stderr is not None
        lines = iter(process.stderr)
        pid = int(next(line for line in lines if line.startswith("a | pid ")).removeprefix("a | pid "))
        deadline = time.monotonic() + LIMIT_S
        while not mark.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(number)
        process.wait(LIMIT_S)
        while alive(pid) and time.monotonic() < deadline:
            time.sleep(0.01)

        assert not alive(pid)
        assert {signal.SIGKILL: -9, signal.SIGTERM: 0}[number] == process.returncode
    finally:
        process.kill()
        process.wait(LIMIT_S)
        if process.stderr is not None:
            process.stderr.close()


def test_a_thread_cannot_supervise() -> None:
    """Children would die with the thread, at a moment nobody chose."""
    import threading

    caught: list[str] = []

    def run() -> None:
        try:
            asyncio.run(Supervisor([]).run())
        except RuntimeError as error:
            caught.append(str(error))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(LIMIT_S)

    assert ["children die with the thread that started them; run the supervisor in the main thread"] == caught


# --- probes --------------------------------------------------------------------------------------------------------


def test_a_taken_port_is_named_with_its_setting() -> None:
    """Before anything is started."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        port = taken.getsockname()[1]
        with pytest.raises(ConfigInvalid) as caught:
            require_free("127.0.0.1", port, setting="listen.port")

    assert f"listen.port: port {port} on 127.0.0.1 is taken; stop what listens there or choose another port" == str(
        caught.value
    )


def test_an_address_of_another_machine_is_named() -> None:
    """192.0.2.1 is reserved for documentation (RFC 5737)."""
    with pytest.raises(ConfigInvalid, match=r"admin.address: `192.0.2.1` is not an address of this machine"):
        require_free("192.0.2.1", 1, setting="admin.address")


def test_a_free_port_is_free() -> None:
    """Zero stands for any and is always free."""
    require_free("127.0.0.1", free_port("127.0.0.1"), setting="listen.port")
    require_free("127.0.0.1", 0, setting="listen.port")


class Admin:
    """What drain_envoy uses of Envoy's admin interface: `open_requests` falls by one with each question."""

    def __init__(self, open_requests: int) -> None:
        self.open_requests = open_requests
        self.asked: list[str] = []

    async def answer(self, request: web.Request) -> web.Response:
        """Notes every request."""
        self.asked.append(f"{request.method} {request.path_qs}")
        if request.path == "/stats":
            text = f"http.admin.downstream_rq_active: 1\nhttp.ingress.downstream_rq_active: {self.open_requests}\n"
            self.open_requests = max(0, self.open_requests - 1)
            return web.Response(text=text)
        return web.Response(status=200 if request.path == "/ready" else 202)


async def served(admin: Admin, path: Path) -> web.AppRunner:
    """Serves `admin` on the Unix socket `path`."""
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", admin.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.UnixSite(runner, str(path)).start()
    return runner


async def test_a_drain_waits_for_open_requests(tmp_path: Path) -> None:
    """Envoy is told once, and asked until nothing is open."""
    admin, path = Admin(open_requests=2), tmp_path / "admin.sock"
    runner = await served(admin, path)
    try:
        await drain_envoy(path, limit_s=LIMIT_S)
    finally:
        await runner.cleanup()

    stats = "GET /stats?filter=downstream_rq_active$"
    assert ["POST /healthcheck/fail", "POST /drain_listeners", stats, stats, stats] == admin.asked


async def test_a_drain_is_bounded(tmp_path: Path) -> None:
    """A stream that never ends does not hold the machine."""
    admin, path = Admin(open_requests=10**9), tmp_path / "admin.sock"
    runner = await served(admin, path)
    try:
        async with asyncio.timeout(LIMIT_S):
            await drain_envoy(path, limit_s=0.3)
    finally:
        await runner.cleanup()

    assert admin.open_requests < 10**9


async def test_readiness_is_an_answer_of_200(tmp_path: Path) -> None:
    """Another status is not ready; nobody listening is an OSError."""
    path = tmp_path / "admin.sock"
    runner = await served(Admin(open_requests=0), path)
    try:
        assert [True, False] == [await serves(path, "/ready"), await serves(path, "/other")]
    finally:
        await runner.cleanup()
    with pytest.raises(OSError):
        await serves(path, "/ready")
    with pytest.raises(OSError):
        await serves(("127.0.0.1", free_port("127.0.0.1")), "/ready")


def test_the_output_of_children_is_the_default() -> None:
    """Documented in the operator's guide: name, bar, line."""
    line = subprocess.run(
        [sys.executable, "-c", "from sidecar.supervisor import to_stderr; to_stderr('envoy', 'hello')"],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
        timeout=LIMIT_S,
    ).stderr

    assert "envoy | hello\n" == line
