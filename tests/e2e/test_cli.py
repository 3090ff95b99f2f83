"""The command as a process: pipes, signals, and a real OPA server."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import pytest

from sidecar.probes import free_port

RINGFENCE = (sys.executable, "-m", "governance.cli")
MAIL = "jane.doe@example.com"


@contextmanager
def started(*words: str) -> Iterator[subprocess.Popen[bytes]]:
    """The command with pipes, gone at the end."""
    pipe = subprocess.PIPE
    with subprocess.Popen([*RINGFENCE, *words], stdin=pipe, stdout=pipe, stderr=pipe) as process:
        try:
            yield process
        finally:
            process.kill()


def line(number: int, text: str) -> bytes:
    return json.dumps({"id": number, "text": text}, ensure_ascii=False).encode() + b"\n"


def finished(*words: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*RINGFENCE, *words], input=given, capture_output=True, timeout=60, check=False)


def test_scan_answers_a_line_before_the_next_is_written() -> None:
    """A caller can hold a conversation over two pipes, and answers come in the order of the lines."""
    with started("scan", "--json") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        answers = []
        for number in (7, 3, 5):
            process.stdin.write(line(number, f"{number} {MAIL}"))
            process.stdin.flush()
            answers.append(json.loads(process.stdout.readline()))
        process.stdin.close()

        assert (b"", 0) == (process.stdout.read(), process.wait(30))

    assert [7, 3, 5] == [answer["id"] for answer in answers]
    assert [["EMAIL_ADDRESS"]] * 3 == [[one["entity_type"] for one in answer["findings"]] for answer in answers]


@pytest.mark.parametrize(
    "before",
    ["", "\U0001f600 ", "\U0001f468\u200d\U0001f469\u200d\U0001f467 ", unicodedata.normalize("NFD", "Zürich, é: ")],
)
def test_scan_counts_code_points(before: str) -> None:
    """Emoji, joined emoji and combining characters before a finding count as many as Python counts."""
    done = finished("scan", "--json", "--model", "off", given=line(1, before + MAIL))
    [answer] = [json.loads(one) for one in done.stdout.splitlines()]

    assert [(len(before), len(before) + len(MAIL))] == [(one["start"], one["end"]) for one in answer["findings"]]


def test_scan_answers_bad_lines_in_place() -> None:
    """Each line has its answer; the exit code tells that one was bad."""
    done = finished("scan", "--json", given=line(1, "a") + b"\xff\n" + b'{"id": 2}\n' + line(3, "b"))

    answers = [json.loads(one) for one in done.stdout.splitlines()]
    assert (1, b"", [1, None, None, 3]) == (done.returncode, done.stderr, [answer["id"] for answer in answers])


@pytest.mark.parametrize("words", [("scan", "--json"), ("scan",)])
def test_scan_of_nothing_is_no_error(words: tuple[str, ...]) -> None:
    """Empty input has nothing to find."""
    done = finished(*words)

    assert (0, b"") == (done.returncode, done.stderr)


def test_a_folder_is_scanned_and_fails_a_build(tmp_path: Path) -> None:
    """The process says so by its exit code, on pipes, without a word on standard error and without what it found."""
    (tmp_path / "notes.txt").write_text(f"mail {MAIL}")
    (tmp_path / "photo").write_bytes(b"\x89PNG\0")

    done = finished("scan", str(tmp_path), "--fail-on", "any", "--redact", str(tmp_path / "out"))

    assert (3, b"", False) == (done.returncode, done.stderr, MAIL.encode() in done.stdout)
    assert b"1 binary file" in done.stdout
    assert "mail <EMAIL_ADDRESS_1>" == (tmp_path / "out/notes.txt").read_text()


def test_a_pipe_that_is_named_is_read() -> None:
    """As shells pass the output of a command."""
    done = subprocess.run(
        ["bash", "-c", f'"$@" <(echo mail {MAIL})', "_", *RINGFENCE, "scan"],
        capture_output=True,
        timeout=60,
        check=False,
    )

    assert (0, b"", True) == (done.returncode, done.stderr, b"EMAIL_ADDRESS" in done.stdout)


def test_a_reader_that_goes_away_is_no_error_message(tmp_path: Path) -> None:
    """`| head -1` ends the command as SIGPIPE would, without a word."""
    many = tmp_path / "many.jsonl"
    many.write_bytes(b"".join(line(number, "nothing to see") for number in range(5000)))

    with started("scan", "--json", str(many)) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        first = process.stdout.readline()
        process.stdout.close()

        assert (0, b"", 141) == (json.loads(first)["id"], process.stderr.read(), process.wait(30))


@pytest.mark.parametrize("words", [("policy", "list"), ("rules", "list"), ("--help",)])
def test_a_table_that_nobody_reads_is_no_answer(words: tuple[str, ...]) -> None:
    """1 would say that something is damaged or refused."""
    with started(*words) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()

        assert (b"", 141) == (process.stderr.read(), process.wait(30))


def test_the_page_of_rules_is_utf8_wherever_it_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is written into a file of the repository, whatever the terminal speaks."""
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")

    done = finished("rules", "page")

    assert (0, b"", False) == (done.returncode, done.stderr, done.stdout.decode("utf-8").isascii())


def test_a_taken_port_is_told_with_what_to_do() -> None:
    """As `up` tells it."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        port = taken.getsockname()[1]
        done = finished("analyzer", "--model", "off", "--listen", f"127.0.0.1:{port}")

    told = (
        f"config_invalid: --listen: port {port} on 127.0.0.1 is taken; stop what listens there or choose another port\n"
    )
    assert (2, told) == (done.returncode, done.stderr.decode())


def test_a_full_disk_is_an_error_in_one_line() -> None:
    """What cannot be written is not lost silently."""
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*RINGFENCE, "decide", "--sample"], stdout=full, stderr=subprocess.PIPE, timeout=60, check=False
        )

    assert (2, b"system_error: no space left on device\n") == (done.returncode, done.stderr)


def test_control_c_ends_it_without_a_word() -> None:
    """No traceback, and the exit code of a process that was interrupted."""
    with started("scan", "--json") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(line(1, "a"))
        process.stdin.flush()
        process.stdout.readline()
        process.send_signal(signal.SIGINT)

        assert (130, b"") == (process.wait(30), process.stderr.read())


@pytest.fixture
def short() -> Iterator[Path]:
    """A directory with a short name: the paths of Unix sockets are limited, and those of pytest are long."""
    with tempfile.TemporaryDirectory(prefix="rf", dir="/tmp") as name:
        yield Path(name)


@pytest.mark.e2e
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_demo_that_is_stopped_leaves_nothing_behind(number: signal.Signals, short: Path) -> None:
    """Everything it started is gone with it, its files too, whenever the signal comes."""
    environment = {**os.environ, "TMPDIR": str(short)}
    with subprocess.Popen(
        [*RINGFENCE, "demo"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        for _ in range(300):
            if any(short.glob("ringfence-demo-*/var/control.sock")):
                break
            time.sleep(0.1)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)

    assert (128 + number, b"") == (process.returncode, err)
    assert [] == [name for name in short.iterdir() if name.name.startswith("ringfence")]
    assert [] == [pid for pid in running() if str(short).encode() in pid]


def running() -> list[bytes]:
    """The command lines of all processes."""
    lines = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(process.read_bytes())
        except OSError:
            continue
    return lines


@pytest.mark.opa
async def test_decide_says_the_same_on_a_real_opa(tmp_path: Path) -> None:
    """The decision is the same but for the engine that made it."""
    facts = tmp_path / "facts.json"
    facts.write_bytes(finished("decide", "--sample").stdout)
    address = f"127.0.0.1:{free_port('127.0.0.1')}"
    command = ["opa", "run", "--server", "--addr", address, "--log-level", "error"]
    with subprocess.Popen(command) as opa:  # noqa: ASYNC220  nothing else runs here
        try:
            await healthy(f"http://{address}/health")
            asked = finished("decide", "--input", str(facts), "--engine", "opa", "--opa-url", f"http://{address}")
        finally:
            opa.terminate()
    embedded = json.loads(finished("decide", "--input", str(facts)).stdout)

    on_opa = json.loads(asked.stdout)
    assert (0, b"", "opa") == (asked.returncode, asked.stderr, on_opa["provenance"]["engine"])
    assert {**embedded, "provenance": None} == {**on_opa, "provenance": None}


async def healthy(url: str) -> None:
    async with aiohttp.ClientSession() as session:
        for _ in range(200):
            try:
                async with session.get(url):
                    return
            except aiohttp.ClientError:
                time.sleep(0.05)  # noqa: ASYNC251  nothing else runs here
    raise AssertionError("the OPA server did not start in ten seconds")


def test_decide_without_an_opa_server_says_where_it_looked(tmp_path: Path) -> None:
    """The address is in the message."""
    facts = tmp_path / "facts.json"
    facts.write_bytes(finished("decide", "--sample").stdout)
    url = f"http://127.0.0.1:{free_port('127.0.0.1')}"

    done = finished("decide", "--input", str(facts), "--engine", "opa", "--opa-url", url)

    assert (2, b"", f"policy_unavailable: the OPA server cannot be reached at {url}\n".encode()) == (
        done.returncode,
        done.stdout,
        done.stderr,
    )
