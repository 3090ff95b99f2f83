"""The writer of a log: batches in, durable frames out. Synchronous, owned by one thread.

What a crash can leave, by place:
- in `commit`, before the sync returned: a torn tail of unacknowledged records; recovery cuts it or keeps whole ones.
- in `_start_segment`, before the rename is durable: a `.tmp` file, removed at the next open; no record was in it.
- between the two: a segment with a header and nothing else, which is valid.
"""

from __future__ import annotations

import contextlib
import errno
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, NoReturn

from governance.audit.canonical import Clock, Encoder, system_clock
from governance.audit.frame import BATCH_FRAMES, FRAME_MAX, HEAD_BYTES, leaf_hash, pack
from governance.audit.intents import Intents, closes, opens
from governance.audit.recovery import Recovered, recover
from governance.audit.segment import Header, read_header, scan, segment_name
from governance.audit.storage import Storage
from governance.errors import AuditUnavailable
from governance.frozen import frozen
from governance.record import EventRecord, OutcomeRecord, OutcomeStatus, Record

RESERVE = "reserve"

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


@frozen
class Limits:
    """Sizes in bytes, counts as such. A segment may exceed its size by one batch.

    A decision is given up when it has waited `outcome_s` seconds for its outcome, or more than `intents` of them wait.
    """

    segment_bytes: int = 64 << 20
    batch_bytes: int = 1 << 20
    reserve_bytes: int = 1 << 20
    intents: int = 65_536
    outcome_s: int = 3_600


class Entry(NamedTuple):
    """An encoded record, and the decision it opens or closes."""

    seq: int
    payload: bytes
    opened: str | None
    closed: str | None


def batches(entries: Sequence[Entry], limit: int) -> Iterator[Sequence[Entry]]:
    """The entries in runs of at most `limit` bytes and BATCH_FRAMES frames, each at least one entry long."""
    start = size = 0
    for index, entry in enumerate(entries):
        length = HEAD_BYTES + len(entry.payload)
        if index > start and (size + length > limit or index - start >= BATCH_FRAMES):
            yield entries[start:index]
            start, size = index, 0
        size += length
    if start < len(entries):
        yield entries[start:] if start else entries


def new_boot() -> str:
    """128 random bits, hex."""
    return secrets.token_hex(16)


class Journal:
    """The open log. INVARIANT: bytes before `_end` are durable and hold the records before `next_seq`."""

    def __init__(self, storage: Storage, encoder: Encoder, limits: Limits, new_boot: Callable[[], str]) -> None:
        self._storage = storage
        self._limits = limits
        self._new_boot = new_boot
        self._intents = Intents()
        self._header = Header(origin=encoder.origin, first=0)
        self._handle = -1
        self._end = 0
        self._last: bytes | None = None  # payload of the last durable record of this segment
        self._abandoned = False  # a sync failed: nothing may be written to this segment again
        self._full = False  # the disk had no room; the reserve has been, or is to be, given up
        self._reserve_held = False
        self.encoder = encoder
        self.next_seq = 0
        # Why nothing can be committed (a stable code), None while all is well.
        self.fault: str | None = None

    @classmethod
    def open(
        cls,
        storage: Storage,
        *,
        origin: str,
        digest: str = "",
        limits: Limits | None = None,
        clock: Clock = system_clock,
        new_boot: Callable[[], str] = new_boot,
    ) -> Journal:
        """A log that stands at the end of what was durable, with its `start` record written.

        After a crash the torn tail is cut, and open decisions are closed with outcome unknown. `digest` names software
        and configuration. Raises AuditUnavailable: locked, of another origin, corrupt, or not writable.
        """
        encoder = Encoder(origin=origin, boot=new_boot(), clock=clock)
        journal = cls(storage, encoder, limits or Limits(), new_boot)
        try:
            journal._open(digest)
        except BlockingIOError:
            journal._release()
            raise AuditUnavailable("another process writes to this audit log", code="audit_locked") from None
        except OSError as error:
            journal._release()
            raise AuditUnavailable(
                f"the audit log cannot be written: {error.strerror}", code="audit_unwritable"
            ) from error
        except AuditUnavailable:
            journal._release()
            raise
        return journal

    def commit(self, entries: Sequence[Entry]) -> None:
        """Returns once every entry is durable. Raises AuditUnavailable: then none counts, and `fault` says why.

        The entries carry the seqs from `next_seq` on and come from `batches`.
        """
        if self.fault is not None:
            raise AuditUnavailable(code=self.fault)
        self._commit(entries)

    def settle(self, refused: int) -> None:
        """Accounts for `refused` records in a `gap` record, in a new segment where the old one may not be touched.

        Clears `fault` unless the disk is full: then the record took its room from the reserve. Raises AuditUnavailable.
        """
        code = self.fault or "refused"
        try:
            if self._full and self._reserve_held:
                self._give_up_reserve()
            if self._abandoned:
                self._replace_segment()
        except OSError as error:
            self._fail(error)
        self._own([EventRecord(kind="gap", code=code, count=refused)])
        self.fault = "audit_disk_full" if self._full else None

    def restore(self, refused: int) -> None:
        """Working again, with the records refused since accounted for. Raises AuditUnavailable while it cannot be."""
        if self._full and not self._reserve_held:
            # Room for the reserve is the proof that space has returned.
            try:
                self._take_reserve()
            except OSError as error:
                with contextlib.suppress(OSError):
                    self._drop_reserve()
                raise AuditUnavailable(code="audit_disk_full") from error
            self._full, self.fault = False, "restored"
        self.settle(refused)

    @property
    def open_decisions(self) -> int:
        """Decisions whose outcome is not recorded."""
        return len(self._intents)

    def excess(self) -> tuple[str, ...]:
        """Open decisions beyond a limit, to be closed with outcome unknown by the caller; oldest first."""
        _, now = self.encoder.clock()
        return self._intents.excess(self._limits.intents, now - self._limits.outcome_s * 1_000_000)

    def close(self, refused: int = 0) -> None:
        """Gives the lock back, after the `refused` are counted, open decisions closed as unknown and `stop` written.

        Raises AuditUnavailable where the `stop` record is not durable.
        """
        try:
            if self.fault is not None or refused:
                self.settle(refused)
            self._own([*map(_unknown, self._intents.seqs), EventRecord(kind="stop")])
        finally:
            self.fault = "audit_closed"
            self._release()

    # --- opening ---------------------------------------------------------------------------------------------------

    def _open(self, digest: str) -> None:
        self._storage.lock()
        for name in self._storage.names():
            if name.endswith(".tmp"):
                self._storage.unlink(name)
        found = recover(self._storage)
        if RESERVE in self._storage.names() and self._storage.size(RESERVE) >= self._limits.reserve_bytes:
            self._reserve_held = True
        else:
            self._take_reserve()
        start = EventRecord(kind="start", digest=digest)
        if found is None:
            self._start_segment(self._header)
            self._own([start])
            return
        self._resume(found)
        if not found.clean:
            start = EventRecord(kind="start", digest=digest, code="after_crash", count=found.torn)
        self._own([start, *map(_unknown, found.open_seqs)])

    def _resume(self, found: Recovered) -> None:
        if found.header.origin != self._header.origin:
            raise AuditUnavailable(
                f"this audit log belongs to `{found.header.origin}`, not `{self._header.origin}`", code="audit_foreign"
            )
        self._header, self._end, self.next_seq = found.header, found.end, found.next_seq
        self._handle = self._storage.open(found.name)
        self._last = found.last
        # Open until their outcomes are durable: a segment that is started before that says where they are.
        for ref, seq in found.open_seqs.items():
            self._intents.note(ref, None, seq)
        self._make_durable(found)

    def _make_durable(self, found: Recovered) -> None:
        # The writer before us may have died after a failed sync, be it that of `stop`: its last batch can then be in the
        # page cache, marked clean, and not on the device. Written once more it is dirty again, and this sync speaks for
        # it. Equal bytes over equal bytes: a crash in between tears nothing. Only the last batch can be in that state.
        start = max(0, found.end - self._limits.batch_bytes - FRAME_MAX)
        self._write_all(self._handle, self._storage.read(found.name, start, found.end - start), start)
        self._storage.truncate(self._handle, found.end)
        self._storage.sync(self._handle)
        self._storage.sync_directory()

    # --- writing ---------------------------------------------------------------------------------------------------

    def _own(self, records: Iterable[Record]) -> None:
        """The log's own records, durable."""
        entries = [
            Entry(seq, self.encoder.encode(record, seq), opens(record), closes(record))
            for seq, record in enumerate(records, self.next_seq)
        ]
        for batch in batches(entries, self._limits.batch_bytes):
            self._commit(batch)

    def _commit(self, entries: Sequence[Entry]) -> None:
        data = pack([entry[:2] for entry in entries])
        try:
            if self._end + len(data) > self._limits.segment_bytes and self._last is not None:
                self._rotate()
            self._write_all(self._handle, data, self._end)
        except OSError as error:
            # A file that refuses bytes while there is room (a quota on size, a bad block) is left behind.
            self._abandoned = self._abandoned or error.errno not in _FULL
            self._take_back()
            self._fail(error)
        try:
            self._storage.sync(self._handle)
        except OSError as error:
            # Never again on this file: the kernel may have dropped the pages and would report success.
            self._abandoned = True
            self._take_back()
            self._fail(error, "audit_sync_failed")
        self._end += len(data)
        self._last = entries[-1].payload
        self.next_seq = entries[-1].seq + 1
        _, now = self.encoder.clock()
        for entry in entries:
            self._intents.note(entry.opened, entry.closed, entry.seq, now)

    def _write_all(self, handle: int, data: bytes, offset: int) -> None:
        written = self._storage.write(handle, data, offset)
        while written < len(data):
            written += self._storage.write(handle, data[written:], offset + written)

    def _take_back(self) -> None:
        # Tidiness after a failed sync, where the next header declares the tail void in any case; needed after a
        # failed write, where the segment goes on.
        try:
            self._storage.truncate(self._handle, self._end)
        except OSError:
            self._abandoned = True

    def _fail(self, error: OSError, code: str = "audit_write_failed") -> NoReturn:
        if error.errno in _FULL:
            self._full = True
        self.fault = "audit_disk_full" if self._full else code
        raise AuditUnavailable(f"the audit log cannot be written: {error.strerror}", code=self.fault) from error

    # --- segments --------------------------------------------------------------------------------------------------

    def _rotate(self) -> None:
        try:
            self._start_segment(self._successor(abandoned=False))
        except OSError:
            # The new name may be there already: not a byte more may follow where its header says that this one ends.
            self._abandoned = True
            raise

    def _replace_segment(self) -> None:
        """Goes on in a new segment, after proof that the acknowledged records can be read from the device."""
        name = segment_name(self._header.first)
        self._storage.evict(name)
        found = read_header(self._storage, name)
        check = found and scan(self._storage, name, at=found[1], seq=self._header.first, end=self._end)
        if check is None or check.flaw is not None or check.next_seq != self.next_seq:
            self.fault = "audit_corrupt"
            raise AuditUnavailable("acknowledged records cannot be read back", code=self.fault)
        self._start_segment(self._successor(abandoned=True))
        self._abandoned = False
        self.encoder = Encoder(origin=self.encoder.origin, boot=self._new_boot(), clock=self.encoder.clock)

    def _successor(self, *, abandoned: bool) -> Header:
        if self._last is None:
            # No record in it: the new segment takes the name and place of the old one.
            return self._header
        return Header(
            origin=self._header.origin,
            first=self.next_seq,
            prev=leaf_hash(self._last).hex(),
            prev_end=self._end,
            abandoned=abandoned,
            open_since=self._intents.oldest,
        )

    def _start_segment(self, header: Header) -> None:
        name, draft = segment_name(header.first), segment_name(header.first) + ".tmp"
        frame = header.pack()
        if draft in self._storage.names():
            self._storage.unlink(draft)
        handle = self._storage.create(draft)
        try:
            self._write_all(handle, frame, 0)
            self._storage.sync(handle)
            self._storage.rename(draft, name)
            self._storage.sync_directory()
        except OSError:
            self._storage.release(handle)
            raise
        before, self._handle = self._handle, handle
        self._header, self._end, self._last = header, len(frame), None
        if before >= 0:
            # All that counts in it was synced: an error of `close` has nothing left to say.
            with contextlib.suppress(OSError):
                self._storage.release(before)

    # --- reserve ---------------------------------------------------------------------------------------------------

    def _take_reserve(self) -> None:
        self._drop_reserve()
        handle = self._storage.create(RESERVE)
        try:
            block = bytes(min(self._limits.reserve_bytes, 1 << 16))
            offset = 0
            while offset < self._limits.reserve_bytes:
                offset += self._storage.write(handle, block[: self._limits.reserve_bytes - offset], offset)
            self._storage.sync(handle)
        finally:
            self._storage.release(handle)
        self._storage.sync_directory()
        self._reserve_held = True

    def _give_up_reserve(self) -> None:
        # Before the call: an unlink that reports failure may have happened.
        self._reserve_held = False
        self._drop_reserve()
        self._storage.sync_directory()

    def _drop_reserve(self) -> None:
        if RESERVE in self._storage.names():
            self._storage.unlink(RESERVE)

    def _release(self) -> None:
        if self._handle >= 0:
            self._storage.release(self._handle)
            self._handle = -1
        self._storage.close()


def _unknown(ref: str) -> Record:
    return OutcomeRecord(ref=ref, status=OutcomeStatus.UNKNOWN)
