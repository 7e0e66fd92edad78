"""How soon `explain` tells the story of one record of a run of a million.

    python -m benchmarks.explain [--records 1000000] [--runs 3] [--check]

It writes the journal of a run of this many records, as a run does, with the claims, the requests and the writes of
each, and asks for the same record by its row, its key and its id, in a process of its own, start included. Bars: 1 s
of CPU, which a busy machine does not change, and 24 lines. `--offline` is set: what Gladly takes to reply is not
measured.
"""

import argparse
import asyncio
import datetime as dt
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import orjson

from benchmarks.setting import environment_for, machine, write_customers
from bulkgladly._version import __version__
from bulkgladly.files.inputs import Inputs
from bulkgladly.gladly.identity import derive_id, digest64
from bulkgladly.imports.import_options import ImportOptions
from bulkgladly.journal.entries import Admission
from bulkgladly.journal.ledger import Ledger
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.journal.run_header import InputFile, RunHeader
from bulkgladly.messages import Effect, NotedWrite
from bulkgladly.records import Claim, Mode, Outcome, Row, Word
from bulkgladly.runs.options import stored
from bulkgladly.settings import Pace

BAR_S, BAR_LINES = 1.0, 24
HOST = "http://127.0.0.1:1"
TRAIL = orjson.dumps([["createCustomer", 201, [], 1, 1_790_000_000.0, "confirmed"]]).decode()


async def settle(folder: RunFolder, inputs: Inputs) -> None:
    """Write all rows of the input as created."""
    state = folder.state_dir / "state.sqlite"
    ledger = Ledger(folder.path, state=state, scope=(HOST, "customers", "default"))
    for rows in inputs.batches(size=5000):
        await ledger.admit([_admission(row) for row in rows])
        for row in rows:
            payload = row.fields or {}
            gladly_id = derive_id(HOST, "customers", "default", payload["id"])
            ledger.will_write(NotedWrite(row.seq, 1, "createCustomer", Effect("create", gladly_id, None, payload)))
            created = Outcome(Word.CREATED, gladly_id=gladly_id, status=201, accepted={"name": "0" * 16})
            ledger.settle(row.seq, row.position, created, key=payload["id"], attempts=1, trail=TRAIL)
        await ledger.flush()
    await ledger.note("status", "complete")
    ledger.close()


def _admission(row: Row) -> Admission:
    key = (row.fields or {})["id"]
    claims = (Claim("key", digest64("key", key)), Claim("emails[0]", digest64("email", f"{key}@example.org")))
    return Admission(row.seq, row.position, key, row.seq, claims)


def prepare(state_dir: Path, file: Path) -> RunFolder:
    """Create a complete run of this file."""
    options = ImportOptions(mode=Mode.UPSERT, pace=Pace(unlimited=True), state_dir=state_dir)
    folder = RunFolder.create(state_dir, "customers", "upsert", dt.datetime.now(dt.UTC))
    inputs = Inputs.open([str(file)])
    info = inputs.files[0]
    folder.make_journal()
    folder.write_header(
        RunHeader(
            run=folder.name,
            resource="customers",
            mode="upsert",
            host=HOST,
            inputs=(InputFile(str(file), info.size, info.mtime_ns, info.fingerprint()),),
            settings=stored(options),
            created_at=dt.datetime.now(dt.UTC).isoformat(),
            version=__version__,
            is_whole=True,
        )
    )
    asyncio.run(settle(folder, inputs))
    return folder


class Timed(NamedTuple):
    """What one call took: seconds of CPU, seconds by the clock, and the lines that it printed."""

    cpu_s: float
    wall_s: float
    lines: int


def timed(folder: RunFolder, record: str) -> Timed:
    """Ask for a record, and return what it took."""
    command = [sys.executable, "-m", "bulkgladly", "explain", folder.name, record, "--offline"]
    environment = environment_for(HOST) | {"BULKGLADLY_STATE_DIR": str(folder.state_dir)}
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Timed(cpu_s, seconds, len(done.stdout.splitlines()))


def ways(records: int) -> Iterator[tuple[str, str]]:
    """Yield the ways to name one record: by its row, its key and its id."""
    number = records * 2 // 3
    key = f"bench-{number - 1:09}"
    yield "row", str(number)
    yield "file and row", f"customers.ndjson:{number}"
    yield "key", key
    yield "id", derive_id(HOST, "customers", "default", key)


def main() -> int:
    """Print the times by way; with --check return 1 if one is above the bar."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    print(f"explain in a run of {given.records:,} records; {machine()}; bars {BAR_S} s, {BAR_LINES} lines")
    missed = False
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "customers.ndjson"
        write_customers(file, given.records)
        folder = prepare(Path(name) / "state", file)
        for way, record in ways(given.records):
            found = [timed(folder, record) for _ in range(given.runs)]
            cpu_s, wall_s = (statistics.median(each) for each in zip(*(one[:2] for one in found), strict=True))
            lines = max(one.lines for one in found)
            print(f"  by {way:<12}  {cpu_s:.2f} s of CPU, {wall_s:.2f} s by the clock, {lines} lines")
            missed |= cpu_s > BAR_S or lines > BAR_LINES
    return int(given.check and missed)


if __name__ == "__main__":
    sys.exit(main())
