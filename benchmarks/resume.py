"""How soon a resumed run sends its next new request, with a million records done.

    python -m benchmarks.resume [--settled 1000000] [--runs 3] [--check]

It writes the journal of a run in which this many records are settled, as a run does, and resumes the
run in its own process. The figure is the time from the start of the process to the first create at
the emulator. Bar: 1.5 s. It also prints which row was sent first, and how many of the settled rows
were sent again (there must be none).
"""

import argparse
import asyncio
import datetime as dt
import json
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from benchmarks.setting import emulator, environment_for, machine, write_customers
from bulkgladly._version import __version__
from bulkgladly.files.inputs import Inputs
from bulkgladly.imports.import_options import ImportOptions
from bulkgladly.journal.entries import Admission
from bulkgladly.journal.ledger import Ledger
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.journal.run_header import InputFile, RunHeader
from bulkgladly.records import Mode, Outcome, Word
from bulkgladly.runs.options import stored
from bulkgladly.settings import Pace

BAR_S = 1.5
NEW_ROWS = 50


async def settle(folder: RunFolder, inputs: Inputs, host: str, settled: int) -> None:
    """Settle the first rows of the input in the run's journal."""
    state = folder.state_dir / "state.sqlite"
    ledger = Ledger(folder.path, state=state, scope=(host, "customers", "default"))
    created = Outcome(Word.CREATED, gladly_id="x" * 22, status=201)
    for rows in inputs.batches(size=5000):
        mine = [row for row in rows if row.seq < settled]
        await ledger.admit([Admission(row.seq, row.position) for row in mine])
        for row in mine:
            ledger.settle(row.seq, row.position, created, key=f"bench-{row.seq:09}", attempts=1)
        await ledger.flush()
        if len(mine) < len(rows):
            break
    await ledger.note("status", "interrupted")
    ledger.close()


def prepare(state_dir: Path, file: Path, host: str, settled: int) -> RunFolder:
    """Create a run that stopped after this many records."""
    options = ImportOptions(mode=Mode.UPSERT, pace=Pace(unlimited=True), state_dir=state_dir)
    folder = RunFolder.create(state_dir, "customers", "upsert", dt.datetime.now(dt.UTC))
    inputs = Inputs.open([str(file)])
    info = inputs.files[0]
    folder.write_header(
        RunHeader(
            run=folder.name,
            resource="customers",
            mode="upsert",
            host=host,
            inputs=(InputFile(str(file), info.size, info.mtime_ns, info.fingerprint()),),
            settings=stored(options),
            created_at=dt.datetime.now(dt.UTC).isoformat(),
            version=__version__,
            is_whole=True,
        )
    )
    asyncio.run(settle(folder, inputs, host, settled))
    return folder


def creates_at(url: str) -> int:
    """Return the number of creates that the emulator has carried out."""
    with urllib.request.urlopen(f"{url}/_emulator/status", timeout=10) as reply:  # noqa: S310 - loopback
        found = json.loads(reply.read())
    return int(found["requests"].get("createCustomer", 0))


def first_create_s(folder: RunFolder, url: str) -> float:
    """Resume a run and return the seconds until the emulator has seen its first create."""
    before = creates_at(url)
    command = [sys.executable, "-m", "bulkgladly", "resume", folder.name, "--limit", "10", "--progress", "none"]
    environment = environment_for(url) | {"BULKGLADLY_STATE_DIR": str(folder.state_dir)}
    started = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    while creates_at(url) == before and process.poll() is None:
        time.sleep(0.005)
    seconds = time.perf_counter() - started
    process.wait()
    sent = creates_at(url) - before
    assert sent == 10, f"{sent} creates instead of the 10 new ones"
    return seconds


def main() -> int:
    """Print the time to the next new request; with --check return 1 if it is above the bar."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--settled", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    print(f"resume with {given.settled:,} settled records; {machine()}; bar {BAR_S} s")
    with tempfile.TemporaryDirectory() as name, emulator("--rate", "0") as url:
        file = Path(name) / "customers.ndjson"
        write_customers(file, given.settled + NEW_ROWS)
        folder = prepare(Path(name) / "state", file, url, given.settled)
        times = [first_create_s(folder, url) for _ in range(given.runs)]
    print(f"  next new request after {statistics.median(times):.2f} s [{min(times):.2f}..{max(times):.2f}]")
    return int(given.check and statistics.median(times) > BAR_S)


if __name__ == "__main__":
    sys.exit(main())
