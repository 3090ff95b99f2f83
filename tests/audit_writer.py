"""A process that appends to a real log and says on stdout what was acknowledged: `audit_writer.py MODE DIRECTORY`."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import sys
from pathlib import Path

from governance.audit.journal import Limits
from governance.audit.log import AuditLog
from governance.audit.reader import read
from governance.audit.verify import verify
from governance.errors import AuditUnavailable
from governance.record import EventRecord
from tests.builders import sample_record

SMALL = Limits(segment_bytes=1 << 16, batch_bytes=1 << 14, reserve_bytes=1 << 16)


def say(word: object) -> None:
    """One line, at once."""
    os.write(1, f"{word}\n".encode())


async def flood(directory: Path) -> None:
    """Eight clients without end; every acknowledged id is said after the append returned."""
    numbers = itertools.count()
    log = AuditLog.open(directory, origin="o", limits=SMALL)

    async def client() -> None:
        while True:
            name = f"{os.getpid()}-{next(numbers)}"
            await log.append(sample_record(name))
            say(name)

    await asyncio.gather(*(client() for _ in range(8)))


async def count(directory: Path) -> None:
    """Ten appends one after the other, all written by the committer: `ok` or the code of the refusal."""
    async with AuditLog.open(directory, origin="o", limits=SMALL, quick_s=0) as log:
        for _ in range(10):
            try:
                await log.append(EventRecord(kind="config"))
                say("ok")
            except AuditUnavailable as error:
                say(error.code)
                for _ in range(500):
                    await asyncio.sleep(0.01 if log.refusal is not None else 0)


async def fill(directory: Path) -> None:
    """Appends until the disk is full, makes room, appends again; says what it saw as JSON."""
    filler = directory / "filler"
    accepted, refusals = 0, []
    async with AuditLog.open(directory / "log", origin="o", limits=SMALL) as log:
        filler.write_bytes(bytes(512 << 10))
        while not refusals and accepted < 10_000:
            try:
                await log.append(sample_record(f"d{accepted}"))
                accepted += 1
            except AuditUnavailable as error:
                refusals.append(error.code)
        for _ in range(3):
            try:
                await log.append(EventRecord(kind="config"))
            except AuditUnavailable as error:
                refusals.append(error.code)
        filler.unlink()
        recovered = False
        for _ in range(200):
            try:
                await log.append(EventRecord(kind="config", code="after"))
                recovered = True
                break
            except AuditUnavailable:
                await asyncio.sleep(0.05)
    records = list(read(directory / "log"))
    say(
        json.dumps(
            {
                "refusals": refusals,
                "recovered": recovered,
                "lost": accepted - sum(record["kind"] == "decision" for record in records),
                "gaps": [record["code"] for record in records if record["kind"] == "gap"],
                "last": records[-1]["kind"],
                "intact": verify(directory / "log").ok,
            }
        )
    )


async def refuse(directory: Path) -> None:
    """Opens the log and says the error."""
    try:
        AuditLog.open(directory / "log", origin="o", limits=SMALL)
    except AuditUnavailable as error:
        say(f"{error.code}: {error}")


if __name__ == "__main__":
    modes = {"flood": flood, "count": count, "fill": fill, "refuse": refuse}
    asyncio.run(modes[sys.argv[1]](Path(sys.argv[2])))
