"""The log's promises on a real disk, with real kills, injected errors, a full and a read-only file system."""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from governance.audit.frame import HEADER_SEQ
from governance.audit.journal import Limits
from governance.audit.log import AuditLog
from governance.audit.reader import read
from governance.audit.storage import Disk, Storage
from governance.audit.verify import verify
from governance.errors import AuditUnavailable
from governance.interfaces import Receipt
from governance.record import EventRecord
from tests.audit_fakes import FailingStorage

REPOSITORY = Path(__file__).parents[2]
WRITER = REPOSITORY / "tests" / "audit_writer.py"
SMALL = Limits(segment_bytes=1 << 16, batch_bytes=1 << 14, reserve_bytes=1 << 16)
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(REPOSITORY)}


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """The finished process, at most a minute later."""
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=ENVIRONMENT)


def in_small_file_system(directory: Path, script: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """`script` in a mount namespace of its own, where `$0` is a tmpfs of one MiB; needs user namespaces or root."""
    unshare = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
    if not shutil.which("unshare") or run(*unshare, "true").returncode:
        pytest.skip("no mount namespaces here (unshare is missing or forbidden): full and read-only disks not tested")
    mount = 'mount -t tmpfs -o size=1m none "$0" && '
    return run(*unshare, "sh", "-c", mount + script, directory, *arguments)


def test_killed_writers_lose_no_acknowledged_record(tmp_path: Path) -> None:
    """SIGKILL at random moments, eight times; what was said on stdout is in the log."""
    rng = random.Random(1)
    acknowledged: list[str] = []
    for _ in range(8):
        with subprocess.Popen(
            [sys.executable, WRITER, "flood", tmp_path], stdout=subprocess.PIPE, text=True, env=ENVIRONMENT
        ) as child:
            assert child.stdout is not None
            said = [child.stdout.readline().strip()]
            time.sleep(rng.uniform(0, 0.2))
            child.kill()
            # A line cut by the kill was not acknowledged in full.
            said += [line.strip() for line in child.stdout if line.endswith("\n")]
        acknowledged += said
    found = {record.get("id") for record in read(tmp_path)}

    assert len(acknowledged) > 8
    assert set(acknowledged) - found == set()


def test_a_log_killed_again_and_again_opens_contiguous_and_verifies(tmp_path: Path) -> None:
    """After the last kill the log opens, appends and verifies."""
    for _ in range(2):
        with subprocess.Popen(
            [sys.executable, WRITER, "flood", tmp_path], stdout=subprocess.PIPE, text=True, env=ENVIRONMENT
        ) as child:
            assert child.stdout is not None
            child.stdout.readline()
            child.kill()
    receipt = asyncio.run(_append_one(tmp_path))
    seqs = [record["seq"] for record in read(tmp_path)]

    assert list(range(len(seqs))) == seqs
    assert receipt.seq == len(seqs) - 2
    assert sum((log.problems for log in verify(tmp_path).logs), ()) == ()


async def _append_one(directory: Path) -> Receipt:
    async with AuditLog.open(directory, origin="o", limits=SMALL) as log:
        return await log.append(EventRecord(kind="config"))


def test_an_injected_sync_error_refuses_once_and_leaves_the_segment_behind(tmp_path: Path) -> None:
    """EIO on one fdatasync: that append is refused, the next succeed, the log has a gap record and verifies."""
    if not shutil.which("strace") or run("strace", "-e", "trace=none", "true").returncode:
        pytest.skip("strace is missing or forbidden: sync errors of the kernel not tested")
    # strace counts by thread: the fifth sync of the committer, and none of the main thread's three.
    inject = "inject=fdatasync:error=EIO:when=5"
    trace = ["strace", "-f", "-qq", "-e", "trace=fdatasync", "-e", inject, "-o", tmp_path / "trace"]
    done = run(*trace, sys.executable, WRITER, "count", tmp_path / "log")
    records = [(record["kind"], record["code"]) for record in read(tmp_path / "log")]

    assert (0, [*["ok"] * 4, "audit_sync_failed", *["ok"] * 5]) == (done.returncode, done.stdout.split())
    assert records.count(("gap", "audit_sync_failed")) == 1
    assert records.count(("config", "")) == 9
    assert len(list((tmp_path / "log" / "wal").glob("*.seg"))) == 2
    assert verify(tmp_path / "log").ok
    assert "EIO" in (tmp_path / "trace").read_text()


def test_a_full_disk_refuses_and_recovers_when_space_returns(tmp_path: Path) -> None:
    """A tmpfs of one MiB: refusals, a gap record out of the reserve, nothing acknowledged lost, service again."""
    done = in_small_file_system(tmp_path, 'exec "$1" "$2" fill "$0"', sys.executable, WRITER)
    seen = json.loads(done.stdout)

    assert {"audit_disk_full"} == set(seen.pop("refusals"))
    assert seen == {
        "recovered": True,
        "lost": 0,
        "gaps": ["audit_disk_full", "restored"],
        "last": "stop",
        "intact": True,
    }


def test_a_read_only_directory_is_refused_with_a_clear_error(tmp_path: Path) -> None:
    """Root included: the file system says no."""
    script = 'mkdir -p "$0/log/wal" && mount -o remount,ro "$0" && exec "$1" "$2" refuse "$0"'
    done = in_small_file_system(tmp_path, script, sys.executable, WRITER)

    assert f"audit_unwritable: audit directory `{tmp_path}/log`" in done.stdout
    assert "Read-only file system" in done.stdout


async def test_a_second_writer_is_refused_while_the_first_lives(tmp_path: Path) -> None:
    """From another process and from this one; afterwards the directory is free."""
    async with AuditLog.open(tmp_path / "log", origin="o", limits=SMALL):
        other = run(sys.executable, WRITER, "refuse", tmp_path)
        with pytest.raises(AuditUnavailable) as caught:
            AuditLog.open(tmp_path / "log", origin="o", limits=SMALL)
    again = AuditLog.open(tmp_path / "log", origin="o", limits=SMALL)
    await again.close()

    assert other.stdout.startswith("audit_locked: audit directory")
    assert caught.value.code == "audit_locked"


async def test_files_and_directories_are_private(tmp_path: Path) -> None:
    """0600 and 0700, whatever the umask."""
    before = os.umask(0)
    try:
        async with AuditLog.open(tmp_path / "a" / "b", origin="o", limits=SMALL):
            wal = tmp_path / "a" / "b" / "wal"
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (wal, *wal.iterdir())}
    finally:
        os.umask(before)

    assert {"wal": 0o700, "lock": 0o600, "reserve": 0o600, f"{0:020d}.seg": 0o600} == modes


def test_a_link_in_the_directory_leads_the_log_nowhere(tmp_path: Path) -> None:
    """A planted link is refused, its target untouched."""
    wal = tmp_path / "log" / "wal"
    wal.mkdir(parents=True)
    target = tmp_path / "target"
    target.write_bytes(b"precious")
    (wal / "lock").symlink_to(target)
    with pytest.raises(AuditUnavailable):
        AuditLog.open(tmp_path / "log", origin="o", limits=SMALL)

    assert target.read_bytes() == b"precious"


@pytest.fixture(params=["disk", "memory"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    """The real directory and its fake: the same cases hold for both."""
    return Disk(tmp_path / "wal") if request.param == "disk" else FailingStorage()


def test_a_storage_keeps_what_is_written_where_it_is_written(storage: Storage) -> None:
    """Writes at offsets, cuts, renames and removals show in size, content and names."""
    handle = storage.create("a")
    written = storage.write(handle, b"0123456789", 0)
    storage.write(handle, b"xy", 2)
    storage.truncate(handle, 6)
    storage.sync(handle)
    storage.release(handle)
    storage.rename("a", "b")
    storage.sync_directory()
    storage.evict("b")
    names = storage.names()
    content = (storage.size("b"), storage.read("b", 0, 100), storage.read("b", 2, 2), storage.read("b", 9, 1))
    storage.unlink("b")

    assert (written, names, content) == (10, ("b",), (6, b"01xy45", b"xy", b""))
    assert storage.names() == ()
    storage.close()


def test_a_storage_creates_a_name_once_and_removes_it_once(storage: Storage) -> None:
    """The errors are those of the system."""
    storage.release(storage.create("a"))
    with pytest.raises(FileExistsError):
        storage.create("a")
    storage.unlink("a")
    with pytest.raises(FileNotFoundError):
        storage.unlink("a")
    storage.close()


def test_no_record_can_bear_the_seq_of_a_header() -> None:
    """Integers in records end far below."""
    assert HEADER_SEQ > 2**53
