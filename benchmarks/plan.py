"""How fast a plan is made without a request, and how much memory it takes.

    python -m benchmarks.plan [--rows 1000000] [--check]

The file has customers of about 200 bytes, of which memory knows 99 % as they are; the names of the others have changed.
The figure is rows per second of CPU time, all threads together, of a whole `plan`: reading, checking, comparing,
writing the folder. Bars: 15,000 rows a second, and 300 MB.
"""

import argparse
import asyncio
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import orjson

from benchmarks.setting import machine

BAR_ROWS = 15_000
BAR_MB = 300
HOST = "https://benchmark.example.org"
CHANGED = 100
_ROWS_AT_ONCE = 2_000


def write_rows(path: Path, rows: int, *, changed: bool) -> None:
    """Write invented customers; if `changed`, every hundredth has another name."""
    with path.open("wb") as file:
        for number in range(rows):
            name = f"Sample Person {number}" + (" Smith" if changed and number % CHANGED == 0 else "")
            row = {
                "crm": f"c-{number}",
                "name": name,
                "address": f"{number} High Street, Springfield",
                "emails": [{"original": f"person.{number}@example.org"}],
                "phones": [{"original": f"+1212555{100 + number % 100:04d}", "type": "HOME"}],
            }
            file.write(orjson.dumps(row) + b"\n")


def remember(path: Path, state_dir: Path) -> None:
    """Let memory know the rows of a file, as if an import had sent them."""
    from bulkgladly import ImportOptions  # noqa: PLC0415 - only the process that is measured loads little
    from bulkgladly.gladly.spec import Draft  # noqa: PLC0415
    from bulkgladly.gladly.table import import_spec  # noqa: PLC0415
    from bulkgladly.imports.drafts import Preparer  # noqa: PLC0415
    from bulkgladly.imports.import_inputs import open_inputs  # noqa: PLC0415
    from bulkgladly.journal.organisations import remember_organisation  # noqa: PLC0415
    from bulkgladly.journal.state import State  # noqa: PLC0415
    from bulkgladly.records import Mark  # noqa: PLC0415

    spec = import_spec("customers")
    options = ImportOptions(key="crm").for_resource(spec)
    preparer = Preparer(spec, options.policy(HOST))
    state_dir.mkdir()
    state = State(state_dir / "state.sqlite", (HOST, "customers", "default"), is_synced=False, run="benchmark")
    for batch in open_inputs(spec, [str(path)], options).batches(Mark(), size=_ROWS_AT_ONCE):
        drafts = [draft for row in batch if isinstance(draft := preparer.draft_of(row), Draft)]
        state.remember([(draft.key, draft.id, draft.fingerprints) for draft in drafts])
        state.commit()
    state.close()
    remember_organisation(state_dir / "state.sqlite", HOST, "benchmark")


def measured(path: Path, state_dir: Path, out: Path) -> None:
    """Make the plan in this process, and print rows, CPU seconds and the peak of memory in MB."""
    from bulkgladly import ImportOptions  # noqa: PLC0415
    from bulkgladly.plans.make_plan import plan_offline  # noqa: PLC0415
    from bulkgladly.plans.plan_options import PlanOptions  # noqa: PLC0415

    options = PlanOptions.of(ImportOptions(key="crm", state_dir=state_dir), out=out)
    started = time.process_time()
    info = asyncio.run(plan_offline("customers", [path], options, host=HOST))
    seconds = time.process_time() - started
    assert info.actions["update"] == -(-info.rows // CHANGED), info.actions
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(orjson.dumps([info.rows, seconds, peak]).decode())


def main() -> int:
    """Print the figures; with --check return 1 if one misses its bar."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--side", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.side:
        measured(*map(Path, given.side))
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        before, now = folder / "before.ndjson", folder / "now.ndjson"
        write_rows(before, given.rows, changed=False)
        write_rows(now, given.rows, changed=True)
        remember(before, folder / "state")
        command = [sys.executable, "-m", "benchmarks.plan", "--side"]
        command += [str(now), str(folder / "state"), str(folder / "a.plan")]
        done = subprocess.run(command, capture_output=True, check=True)
    rows, seconds, peak = orjson.loads(done.stdout)
    print(f"plan without requests; {machine()}; {rows:,} rows, 1 % changed")
    print(f"{rows / seconds:,.0f} rows/s by CPU (bar {BAR_ROWS:,}), peak {peak:,.0f} MB (bar {BAR_MB})")
    return int(given.check and (rows / seconds < BAR_ROWS or peak > BAR_MB))


if __name__ == "__main__":
    sys.exit(main())
