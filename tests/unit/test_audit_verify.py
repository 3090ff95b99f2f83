"""Every change to a log is reported with its place; a log that nobody touched is intact."""

from __future__ import annotations

import itertools
import os
import random
import shutil
import stat
import time
from collections.abc import Mapping
from pathlib import Path

import orjson
import pytest
from rich.console import Console

from governance.audit import commands
from governance.audit import verify as verification
from governance.audit.commands import OK, PROBLEMS, UNREADABLE, show, verify_command
from governance.audit.frame import pack, unpack
from governance.audit.intents import closes, opens
from governance.audit.journal import Entry, Journal, Limits
from governance.audit.reader import Query, read, read_log
from governance.audit.segment import read_header, segment_names, walk
from governance.audit.storage import Disk
from governance.audit.verify import Fault, LogVerdict, Seen, verify, verify_log
from governance.cli import exit_code
from governance.errors import AuditUnavailable
from governance.record import EventRecord, OutcomeRecord, OutcomeStatus, Record
from tests.audit_fakes import FailingStorage
from tests.builders import sample_record

LIMITS = Limits(segment_bytes=4_000, batch_bytes=1 << 16, reserve_bytes=64)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "_SETTLE_S", 0.0)


def filled(disk: FailingStorage | Disk, count: int = 12, origin: str = "o") -> None:
    """A closed log with `count` batches of a decision and its outcome, in several segments."""
    journal = Journal.open(disk, origin=origin, limits=LIMITS)
    for number in range(count):
        name = f"{origin}-{number}"
        records: tuple[Record, ...] = (
            sample_record(name),
            OutcomeRecord(ref=name, status=OutcomeStatus.SERVED, node="n"),
        )
        journal.commit(
            [
                Entry(seq, journal.encoder.encode(record, seq), opens(record), closes(record))
                for seq, record in enumerate(records, journal.next_seq)
            ]
        )
    journal.close()


@pytest.fixture(scope="module")
def image() -> Mapping[str, bytes]:
    """The files of an intact log."""
    disk = FailingStorage()
    filled(disk)
    return disk.settled()


def verdict(image: Mapping[str, bytes], seen: Seen | None = None) -> LogVerdict:
    """The verdict on those files."""
    return verify_log(FailingStorage(image), "w", seen=seen)


def faults(found: LogVerdict) -> set[Fault]:
    """The kinds of faults in it."""
    return {problem.fault for problem in found.problems}


def spans(image: Mapping[str, bytes], name: str) -> list[tuple[int, int]]:
    """Where the records of a segment lie."""
    disk = FailingStorage(image)
    found = read_header(disk, name)
    assert found is not None
    return [(frame.offset, frame.end) for frame in walk(disk, name, at=found[1], end=disk.size(name))]


def rewritten(image: Mapping[str, bytes], name: str, position: int, old: bytes, new: bytes) -> Mapping[str, bytes]:
    """The log after one record was changed, without a change of length, and its checksum made anew."""
    start, end = spans(image, name)[position]
    frame = unpack(image[name], start)
    assert frame is not None
    assert old in frame.payload
    assert len(old) == len(new)
    filler = [(0, b"{}")] * frame.position
    forged = pack([*filler, (frame.seq, frame.payload.replace(old, new))])[-(end - start) :]
    return {**image, name: image[name][:start] + forged + image[name][end:]}


def test_an_intact_log_has_no_problems(image: Mapping[str, bytes]) -> None:
    """Counts, first and last seq agree with what was written."""
    found = verdict(image)

    assert (found.problems, found.records, found.first_seq, found.last_seq, found.origin) == ((), 26, 0, 25, "o")
    assert len(segment_names(FailingStorage(image))) == found.segments >= 4


def test_every_changed_byte_is_reported(image: Mapping[str, bytes]) -> None:
    """One bit, at every eleventh byte of every segment."""
    rng = random.Random(3)
    missed = []
    for name in segment_names(FailingStorage(image)):
        content = image[name]
        for at in range(rng.randrange(11), len(content), 11):
            changed = content[:at] + bytes([content[at] ^ (1 << rng.randrange(8))]) + content[at + 1 :]
            if not verdict({**image, name: changed}).problems:
                missed.append((name, at))

    assert missed == []


def test_a_changed_record_is_named_and_does_not_hide_the_next_fault(image: Mapping[str, bytes]) -> None:
    """Segment, offset and seq of each."""
    names = segment_names(FailingStorage(image))
    first, third = names[0], names[2]
    at, other = spans(image, first)[1][0], spans(image, third)[0][0]
    damaged = {
        **image,
        first: image[first][: at + 30] + b"\0" + image[first][at + 31 :],
        third: image[third][: other + 30] + b"\0" + image[third][other + 31 :],
    }
    found = verdict(damaged)

    assert [(first, at, 1), (third, other, int(third[:20]))] == [
        (problem.segment, problem.offset, problem.seq) for problem in found.problems if problem.fault is Fault.DAMAGED
    ]


@pytest.mark.parametrize("position", range(4))
def test_a_removed_segment_is_reported(image: Mapping[str, bytes], position: int) -> None:
    """The first, or one in the middle."""
    name = segment_names(FailingStorage(image))[position]
    rest = {other: content for other, content in image.items() if other != name}

    assert Fault.MISSING in faults(verdict(rest))


def test_removed_doubled_and_swapped_records_are_reported(image: Mapping[str, bytes]) -> None:
    """With whole, valid frames: the seq tells."""
    for name in segment_names(FailingStorage(image)):
        content, places = image[name], spans(image, name)
        for (start, middle), (_, end) in itertools.pairwise(places):
            one, two = content[start:middle], content[middle:end]
            for tampered in (two, one + one + two, one + two + two, two + one):
                changed = {**image, name: content[:start] + tampered + content[end:]}
                assert {Fault.MISPLACED, Fault.LENGTH} & faults(verdict(changed)), (name, start)


def test_every_truncation_of_an_earlier_segment_is_reported(image: Mapping[str, bytes]) -> None:
    """At every offset."""
    name = segment_names(FailingStorage(image))[1]
    missed = [
        size for size in range(0, len(image[name]), 7) if not verdict({**image, name: image[name][:size]}).problems
    ]

    assert missed == []


def test_a_segment_of_another_log_is_reported(image: Mapping[str, bytes]) -> None:
    """Equal in all but the origin."""
    disk = FailingStorage()
    filled(disk, origin="p")
    name = segment_names(disk)[1]

    assert Fault.CHAIN in faults(verdict({**image, name: disk.settled()[name]}))


def test_a_rewritten_record_with_valid_checksums_breaks_the_chain(image: Mapping[str, bytes]) -> None:
    """The last record of a segment is bound by the next header."""
    name = segment_names(FailingStorage(image))[0]

    assert Fault.CHAIN in faults(verdict(rewritten(image, name, -1, b"served", b"failed")))


def test_a_record_that_is_not_canonical_is_reported(image: Mapping[str, bytes]) -> None:
    """Checksums alone do not make a record."""
    name = segment_names(FailingStorage(image))[-1]
    start, end = spans(image, name)[0]
    frame = unpack(image[name], start)
    assert frame is not None
    fields = orjson.loads(frame.payload)
    for payload in (b'{"x":1}', b'{"x": 1}', b'{"x', orjson.dumps(dict(reversed(fields.items()))), b"[" * 60_000):
        forged = pack([(frame.seq, payload)])
        changed = {**image, name: image[name][:start] + forged + image[name][end:]}
        assert verdict(changed).problems, payload[:20]


def test_a_stray_file_and_an_empty_directory_are_reported(image: Mapping[str, bytes]) -> None:
    """A segment under another name, and no segment at all."""
    name = segment_names(FailingStorage(image))[0]

    assert {Fault.STRAY} == faults(verdict({**image, "copy-" + name: image[name]}))
    assert {Fault.MISSING} == faults(verdict({}))


def test_what_an_earlier_verdict_saw_must_still_be_there(image: Mapping[str, bytes]) -> None:
    """A cleanly cut end and a rebuilt log are reported against it, growth is not."""
    before = verdict(image).seen
    last = segment_names(FailingStorage(image))[-1]
    at = spans(image, last)[-1][0]
    rebuilt = FailingStorage()
    filled(rebuilt, count=14)
    grown = FailingStorage(image)
    Journal.open(grown, origin="o", limits=LIMITS).close()

    assert verdict({**image, last: image[last][:at]}).problems == ()
    assert {Fault.SHORTER} == faults(verdict({**image, last: image[last][:at]}, before))
    assert {Fault.REWRITTEN} == faults(verdict(rebuilt.settled(), before))
    assert verdict(grown.settled(), before).problems == ()


def test_every_record_that_an_earlier_verdict_saw_is_held_to_it(image: Mapping[str, bytes]) -> None:
    """Rewritten with a valid checksum, at the end of a segment or not; also where the log has grown since."""
    before = verdict(image).seen
    name = segment_names(FailingStorage(image))[0]
    forged = rewritten(image, name, 2, b'"served"', b'"failed"')
    grown = FailingStorage(forged)
    Journal.open(grown, origin="o", limits=LIMITS).close()

    assert verdict(forged).problems == ()
    assert {Fault.REWRITTEN} == faults(verdict(forged, before))
    assert {Fault.REWRITTEN} == faults(verdict(grown.settled(), before))


def test_a_verdict_without_root_speaks_of_its_last_record(image: Mapping[str, bytes]) -> None:
    """Verdicts of older versions hold no more."""
    found = verdict(image)
    before = Seen(last_seq=found.last_seq, last_leaf=found.last_leaf)
    other = Seen(last_seq=found.last_seq, last_leaf="f" * 64)

    assert verdict(image, before).problems == ()
    assert {Fault.REWRITTEN} == faults(verdict(image, other))


def test_a_verdict_on_a_damaged_log_can_be_held_against_it(image: Mapping[str, bytes]) -> None:
    """The damage that it saw is not taken for a change since."""
    name = segment_names(FailingStorage(image))[1]
    at = spans(image, name)[1][0]
    damaged = {**image, name: image[name][:at] + b"\xff" + image[name][at + 1 :]}
    before = verdict(damaged)

    assert {Fault.DAMAGED} == faults(before)
    assert before.problems == verdict(damaged, before.seen).problems


def test_an_incomplete_tail_is_reported_and_ends_reading_silently(image: Mapping[str, bytes]) -> None:
    """`verify` says what it may be, `read` gives what is whole."""
    last = segment_names(FailingStorage(image))[-1]
    torn = {**image, last: image[last][:-3]}

    assert {Fault.INCOMPLETE_TAIL} == faults(verdict(torn))
    assert list(range(25)) == [record["seq"] for record in read_log(FailingStorage(torn))]


def test_reading_past_damage_is_refused(image: Mapping[str, bytes]) -> None:
    """Records before the place are given, then the reader raises: nothing is dropped in silence."""
    name = segment_names(FailingStorage(image))[1]
    at = spans(image, name)[1][0]
    damaged = {**image, name: image[name][:at] + b"\xff" + image[name][at + 1 :]}
    seen = []
    with pytest.raises(AuditUnavailable) as caught:
        seen.extend(record["seq"] for record in read_log(FailingStorage(damaged)))

    assert caught.value.code == "audit_corrupt"
    assert list(range(int(name[:20]) + 1)) == seen


@pytest.mark.parametrize("position", range(1, 4))
def test_reading_over_removed_segments_is_refused(image: Mapping[str, bytes], position: int) -> None:
    """The records before them are given, then the missing ones are named."""
    names = segment_names(FailingStorage(image))
    rest = {name: content for name, content in image.items() if name != names[position]}
    first, behind = int(names[position][:20]), int(names[position + 1][:20])
    seen = []
    with pytest.raises(AuditUnavailable, match=f"records {first} to {behind - 1} are missing") as caught:
        seen.extend(record["seq"] for record in read_log(FailingStorage(rest)))

    assert ("audit_corrupt", list(range(first))) == (caught.value.code, seen)


@pytest.mark.parametrize("as_json", [False, True])
def test_what_is_left_behind_a_removed_beginning_is_read(
    as_json: bool, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The missing records are named on standard error; to `verify` they are missing, and a hole behind them is damage."""
    wal = tmp_path / "wal"
    filled(Disk(wal))
    _, second, third, *_ = sorted(wal.glob("*.seg"))
    for segment in wal.glob("*.seg"):
        if segment < second:
            segment.unlink()
    first = int(second.name[:20])

    assert (OK, list(range(first, 26))) == (
        show(tmp_path, last=None, as_json=as_json),
        [one["seq"] for one in read(tmp_path)],
    )
    assert (
        f"`{tmp_path}`: records 0 to {first - 1} are missing before segment `{second.name}`\n" == capfd.readouterr().err
    )
    assert {Fault.MISSING} == faults(verify(tmp_path).logs[0])
    assert PROBLEMS == verify_command(tmp_path)
    third.unlink()
    assert PROBLEMS == show(tmp_path, as_json=as_json)
    assert f"records {int(third.name[:20])} to " in capfd.readouterr().err


def test_a_log_without_a_segment_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """It may have been created just now: whoever follows it may look again."""
    (tmp_path / "wal").mkdir()

    assert (OK, []) == (show(tmp_path), list(read(tmp_path)))
    assert f"`{tmp_path}`: there is no segment\nno such record\n" == capfd.readouterr().err


def test_reading_on_in_the_segment_of_another_log_is_refused(image: Mapping[str, bytes]) -> None:
    """The numbers fit, the digest of the record before does not."""
    disk = FailingStorage()
    filled(disk, origin="p")
    name = segment_names(disk)[1]
    with pytest.raises(AuditUnavailable, match="does not follow") as caught:
        list(read_log(FailingStorage({**image, name: disk.settled()[name]})))

    assert caught.value.code == "audit_corrupt"


def test_damage_in_the_newest_segment_is_no_tail(image: Mapping[str, bytes]) -> None:
    """A later batch shows that the place was whole once."""
    disk = FailingStorage()
    journal = Journal.open(disk, origin="o")
    for seq in (1, 2):
        journal.commit([Entry(seq, journal.encoder.encode(EventRecord(kind="config"), seq), None, None)])
    (name,) = segment_names(disk)
    content = disk.settled()[name]
    at = spans(disk.settled(), name)[1][0]
    seen = []
    with pytest.raises(AuditUnavailable, match=f"offset {at}"):
        seen.extend(read_log(FailingStorage({name: content[:at] + b"\xff" + content[at + 1 :]})))

    assert [0] == [record["seq"] for record in seen]


@pytest.mark.parametrize("payload", [b"not json", b"[]", b"{}", b'{"seq":1}', b"\xff", b"[" * 5_000])
def test_a_whole_frame_that_holds_no_record_is_damage(payload: bytes, tmp_path: Path) -> None:
    """For whoever reads, explains or opens the log: segment and offset, and never a fault of ours."""
    filled(Disk(tmp_path / "wal"), count=1)
    (segment,) = (tmp_path / "wal").glob("*.seg")
    content = segment.read_bytes()
    seq = len(spans({segment.name: content}, segment.name))
    segment.write_bytes(content + pack([(seq, payload)]))
    place = f"segment `{segment.name}` is damaged at offset {len(content)} "
    with pytest.raises(AuditUnavailable, match=place) as reading:
        list(read(tmp_path))
    with pytest.raises(AuditUnavailable, match=place) as opening:
        Journal.open(Disk(tmp_path / "wal"), origin="o", limits=LIMITS)

    assert ["audit_corrupt"] * 2 == [reading.value.code, opening.value.code]
    assert (PROBLEMS, PROBLEMS) == (show(tmp_path), verify_command(tmp_path))


@pytest.mark.parametrize(
    "odd", [{"ts": 2**62}, {"kind": "decision", "findings": 1}, {"kind": "decision", "route": [1]}, {"code": [1]}]
)
def test_a_record_that_no_log_writes_is_damage_to_a_table(
    odd: Mapping[str, object], tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Its envelope is complete, its checksum right, and its fields cannot be shown."""
    filled(Disk(tmp_path / "wal"), count=1)
    (segment,) = (tmp_path / "wal").glob("*.seg")
    (*_, last) = read(tmp_path)
    forged = {**last, "seq": last["seq"] + 1, **odd}
    segment.write_bytes(segment.read_bytes() + pack([(last["seq"] + 1, orjson.dumps(forged))]))

    assert PROBLEMS == show(tmp_path)
    assert f"record {last['seq'] + 1} of the log `o`".encode() in capfdbinary.readouterr().err


def test_several_logs_are_read_in_the_order_of_time(tmp_path: Path) -> None:
    """One root, one log for each worker; filters reach decision and outcome."""
    for worker in ("w0", "w1"):
        filled(Disk(tmp_path / worker / "wal"), origin=worker)
    everything = list(read(tmp_path))

    assert len(everything) == 52
    assert sorted(record["ts"] for record in everything) == [record["ts"] for record in everything]
    assert [record["kind"] for record in read(tmp_path, Query(decision="w1-3"))] == ["decision", "outcome"]
    assert len(list(read(tmp_path, Query(action="allow_modified")))) == 24
    assert len(list(read(tmp_path, Query(kind="stop")))) == 2
    assert list(read(tmp_path, Query(since=everything[-1]["ts"] + 1))) == []
    assert verify(tmp_path).ok


def test_the_commands_speak_json_and_exit_codes(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """0 when all is well, 1 for problems, 2 where nothing can be read; an earlier verdict can be held against a log."""
    root, earlier = tmp_path / "audit", tmp_path / "verdict.json"
    filled(Disk(root / "w0" / "wal"))

    assert verify_command(root, as_json=True) == OK
    earlier.write_bytes(capfdbinary.readouterr().out)
    assert verify_command(root, against=earlier) == OK
    assert b"intact" in capfdbinary.readouterr().out
    assert show(root, decision="o-3", as_json=True) == OK
    assert [
        record.get("id") or record.get("ref") for record in map(orjson.loads, capfdbinary.readouterr().out.splitlines())
    ] == ["o-3", "o-3"]
    assert show(root, last=3) == OK
    assert b"stop" in capfdbinary.readouterr().out
    last = max((root / "w0" / "wal").glob("*.seg"))
    last.unlink()
    assert verify_command(root) == OK
    assert verify_command(root, against=earlier) == PROBLEMS
    assert b"shorter" in capfdbinary.readouterr().out
    assert verify_command(tmp_path / "none") == UNREADABLE
    assert verify_command(tmp_path / "none", as_json=True) == UNREADABLE
    assert show(tmp_path / "none") == UNREADABLE


@pytest.mark.parametrize("as_json", [False, True])
def test_a_search_without_a_record_says_so(
    as_json: bool, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """On standard error: a heading without a row could be taken for a table that was cut."""
    filled(Disk(tmp_path / "w0" / "wal"))

    code = show(tmp_path, decision="o-99", as_json=as_json)

    assert (OK, (b"", b"no such record\n")) == (code, tuple(capfdbinary.readouterr()))


def test_a_narrow_terminal_cuts_nothing_of_a_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What does not fit goes on in the next line."""
    filled(Disk(tmp_path / "worker-0" / "wal"))
    monkeypatch.setattr(commands, "_people", lambda: Console(width=60))

    verify_command(tmp_path)

    shown = capsys.readouterr().out
    assert (True, False) == ("worke" in shown, "\u2026" in shown), shown


def test_a_log_is_held_to_a_verdict_on_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Exit code 0 while all is there, also from within the log's directory; 1 after a record was rewritten."""
    wal, earlier = tmp_path / "audit/w0/wal", tmp_path / "verdict.json"
    filled(Disk(wal))
    exit_code(["audit", "verify", str(tmp_path / "audit"), "--json"])
    earlier.write_bytes(capfdbinary.readouterr().out)
    monkeypatch.chdir(wal.parent)
    codes = [exit_code(["audit", "verify", where, "--against", str(earlier)]) for where in ("..", ".")]
    image = {path.name: path.read_bytes() for path in wal.glob("*.seg")}
    name = min(image)
    (wal / name).write_bytes(rewritten(image, name, 2, b'"served"', b'"failed"')[name])
    codes += [exit_code(["audit", "verify", "..", *more]) for more in ((), ("--against", str(earlier)))]

    assert [OK, OK, OK, PROBLEMS] == codes


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"ok", "`v` is not what `ringfence audit verify --json` wrote\n"),
        (b"{}", "`v` is not what `ringfence audit verify --json` wrote: it names no log\n"),
        (b'{"ok":true,"logs":[]}', "`v` is not what `ringfence audit verify --json` wrote: it names no log\n"),
        (
            b'{"logs":[{"log":"w","last_seq":1,"last_leaf":"00","root":1}]}',
            "`v` is not what `ringfence audit verify --json` wrote: a log in it has no last record\n",
        ),
        (
            b" " * (1 << 24) + b"{}",
            "`v` is not what `ringfence audit verify --json` wrote: it has more than 16777216 bytes\n",
        ),
        (None, "cannot read `v`: No such file or directory\n"),
    ],
    ids=("text", "nothing", "no log", "root", "size", "missing"),
)
def test_a_file_that_is_no_verdict_is_refused(
    content: bytes | None,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One line that says why, and exit code 2: never a log that passes because nothing was compared."""
    filled(Disk(tmp_path / "wal"), count=1)
    monkeypatch.chdir(tmp_path)
    if content is not None:
        Path("v").write_bytes(content)
    code = verify_command(Path(), against=Path("v"))

    assert (UNREADABLE, "", message) == (code, *capsys.readouterr())


def test_a_vanished_log_is_reported_against_an_earlier_verdict(tmp_path: Path) -> None:
    """One of two workers' directories is gone."""
    filled(Disk(tmp_path / "w0" / "wal"))
    found = verify(tmp_path, against={"w1": Seen(last_seq=3, last_leaf="0" * 64)})

    assert [(log.log, bool(log.problems)) for log in found.logs] == [("w0", False), ("w1", True)]


def test_a_log_in_the_place_of_another_is_reported(tmp_path: Path) -> None:
    """Whole in itself, but its origin is that of the log it was copied from."""
    for worker in ("w0", "w1", "w2"):
        filled(Disk(tmp_path / worker / "wal"), count=1, origin=worker)
    shutil.rmtree(tmp_path / "w0")
    shutil.copytree(tmp_path / "w1", tmp_path / "w0")
    found = verify(tmp_path)

    assert [("w0", {Fault.ORIGIN}), ("w1", {Fault.ORIGIN}), ("w2", set())] == [
        (log.log, faults(log)) for log in found.logs
    ]


@pytest.mark.parametrize("kind", ["pipe", "link", "directory", "socket"])
def test_what_is_no_regular_file_is_stray_and_never_waited_for(tmp_path: Path, kind: str) -> None:
    """Under the name of a segment, and in the place of one; reading and opening the log are refused."""
    wal = tmp_path / "wal"
    filled(Disk(wal))
    outside = tmp_path / "outside.seg"
    planted = wal / f"{99:020d}.seg"
    replaced = sorted(wal.glob("*.seg"))[1]
    replaced.rename(outside)
    for place in (planted, replaced):
        match kind:
            case "pipe":
                os.mkfifo(place)
            case "link":
                place.symlink_to(outside)
            case "directory":
                place.mkdir()
            case _:
                os.mknod(place, stat.S_IFSOCK | 0o600)
    found = verify(tmp_path)

    assert {Fault.STRAY, Fault.MISSING} <= faults(found.logs[0])
    assert {planted.name, replaced.name} == {one.segment for one in found.logs[0].problems if one.fault is Fault.STRAY}
    assert show(tmp_path) == UNREADABLE
    with pytest.raises(AuditUnavailable, match="cannot be written"):
        Journal.open(Disk(wal), origin="o", limits=LIMITS)


def test_names_that_are_not_utf8_stand_in_the_document(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Of a stray file and of a log; an earlier verdict finds the log again."""
    log = Path(os.fsdecode(os.fsencode(tmp_path) + b"/audit/w\xff"))
    filled(Disk(log / "wal"), count=1)
    assert verify_command(log.parent, as_json=True) == OK
    (tmp_path / "verdict.json").write_bytes(capfdbinary.readouterr().out)
    assert verify_command(log.parent, against=tmp_path / "verdict.json") == OK
    Path(os.fsdecode(os.fsencode(log) + b"/wal/\xfe")).touch()
    capfdbinary.readouterr()

    assert verify_command(log.parent, as_json=True) == PROBLEMS
    (entry,) = orjson.loads(capfdbinary.readouterr().out)["logs"]
    assert ("w\\xff", ["\\xfe"]) == (entry["log"], [problem["segment"] for problem in entry["problems"]])


@pytest.mark.parametrize("what", ["starts of frames", "every second record damaged"])
def test_a_segment_made_to_take_long_does_not(image: Mapping[str, bytes], what: str) -> None:
    """Each place is searched once: 2,000 flaws, or a tail of 200,000 starts, in less than two seconds of the processor."""
    name = segment_names(FailingStorage(image))[0]
    head = image[name][: spans(image, name)[0][0]]
    batch = pack([(seq, b'{"a":"' + b" " * 150 + b'"}') for seq in range(4_000)])
    size = len(batch) // 4_000
    tail = {
        "starts of frames": b'\x00{"' * 200_000,
        "every second record damaged": b"".join(
            batch[at : at + size] + b"\xff" * size for at in range(0, len(batch), 2 * size)
        ),
    }[what]
    begin = time.process_time()
    found = verdict({name: head + tail})

    assert (True, True) == (bool(found.problems), time.process_time() - begin < 2.0)


def test_a_live_writer_is_no_problem(tmp_path: Path) -> None:
    """The log is open, its newest segment grows."""
    journal = Journal.open(Disk(tmp_path / "wal"), origin="o", limits=LIMITS)
    journal.commit([Entry(1, journal.encoder.encode(EventRecord(kind="config"), 1), None, None)])

    assert verify(tmp_path).ok
    assert [record["kind"] for record in read(tmp_path)] == ["start", "config"]
    journal.close()
