"""What the first import costs that is compared with a data set (`import --baseline`): requests, time and memory.

    python -m benchmarks.baseline [--rows 1000000] [--changed 0.01] [--check]

The data set has the profiles of all rows, written by the code that exports use. The file has the same customers, of
which 1 in 100 has another name or address. The state knows none of them, and the emulator has no limit. It has only
the customers that differ: of the others none may be asked for, and a request would show by its 404.

Bars, for 1,000,000 rows: one write for each changed row and at most 100 requests besides; 15,000 unchanged rows a
second of CPU time, the reading of the data set included; 300 MB. The CPU time of the unchanged rows is that of the
whole command, without that of a second import that has the changed rows alone.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from benchmarks.memory import resident_mb
from benchmarks.setting import emulator, environment_for, machine

ROWS_A_SECOND, MEGABYTES, MORE_REQUESTS = 15_000, 300, 100
PROGRAM = [sys.executable, "-m", "bulkgladly", "import", "customers"]
UNLIMITED = ["--rate", "unlimited", "--reserve", "0", "--progress", "none", "--json"]
_UNIT_ROWS = 50_000


def customer(number: int) -> dict[str, Any]:
    """Return an invented customer as a file has it."""
    return {
        "id": f"bench-{number:09}",
        "name": f"Person Number {number}",
        "address": f"{number % 900 + 1} Example Lane, Springfield",
        "emails": [{"original": f"person{number}@example.org", "primary": True}],
        "phones": [{"original": f"+165055501{number % 100:02}", "type": "HOME"}],
        "customAttributes": {"tier": "gold", "since": "2019-02-21"},
    }


def profile(number: int) -> dict[str, Any]:
    """Return the same customer as Gladly shows it."""
    found = customer(number)
    for entry in (*found["emails"], *found["phones"]):
        entry["normalized"] = entry["original"]
    found["phones"][0] |= {"regionCode": "US", "primary": False}
    return {**found, "createdAt": "2026-02-01T10:00:00.000Z", "updatedAt": "2026-02-01T10:00:00.000Z"}


def changed(number: int) -> dict[str, Any]:
    """Return the customer with another name, or another address."""
    other = {"name": f"Person Called {number}"} if number % 2 else {"address": f"{number} Other Street, Springfield"}
    return {**customer(number), **other}


def write_rows(path: Path, rows: Iterator[dict[str, Any]]) -> Path:
    """Write rows as NDJSON."""
    with path.open("wb") as file:
        file.writelines(orjson.dumps(row) + b"\n" for row in rows)
    return path


def write_data_set(folder: Path, host: str, rows: int) -> None:
    """Write the profiles of all customers, in units, as an export does."""
    from bulkgladly.lake.folder import DataFolder, utc_now  # noqa: PLC0415 - in a process of its own
    from bulkgladly.lake.rows import Origin  # noqa: PLC0415
    from bulkgladly.lake.schemas import DATA_SETS  # noqa: PLC0415
    from bulkgladly.lake.unit_writer import UnitWriter  # noqa: PLC0415

    with DataFolder.open(folder, host=host, create=True).lock() as data:
        for first in range(0, rows, _UNIT_ROWS):
            name = f"profiles-{first:09}"
            origin = Origin(name, "GET /api/v1/customer-profiles", {"_fetched_at": utc_now()})
            with UnitWriter(data, DATA_SETS["profiles"], name, origin) as writer:
                numbers = range(first, min(first + _UNIT_ROWS, rows))
                writer.convert(orjson.dumps({**profile(number)}) + b"\n" for number in numbers)
                writer.commit()


def measured(command: list[str], environment: dict[str, str]) -> tuple[dict[str, Any], float, float, float]:
    """Run a command; return its report, its CPU time and its time in seconds, and its largest resident size in MB."""
    started, peak = time.perf_counter(), 0.0
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while True:
        found, status, usage = os.wait4(process.pid, os.WNOHANG)
        if found:
            break
        peak = max(peak, resident_mb(process.pid))
        time.sleep(0.1)
    seconds = time.perf_counter() - started
    assert process.stdout is not None
    assert process.stderr is not None
    report, said = process.stdout.read(), process.stderr.read().decode()
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"{command} failed with status {status}:\n{said}")
    print("".join(f"    {line}\n" for line in said.splitlines()), end="")
    process.returncode = 0
    return orjson.loads(report), usage.ru_utime + usage.ru_stime, seconds, peak


def main() -> int:
    """Print the figures; with --check return 1 if one misses its bar."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--changed", type=float, default=0.01)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--lake", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.lake:
        write_data_set(Path(given.lake[0]), given.lake[1], given.rows)
        return 0
    every = round(1 / given.changed)
    numbers = range(0, given.rows, every)
    print(f"first import with --baseline, {given.rows:,} rows, {len(numbers):,} changed; {machine()}")
    with tempfile.TemporaryDirectory() as name, emulator("--rate", "0") as url:
        folder, environment = Path(name), environment_for(url)
        lake = ["--lake", str(folder / "lake"), url, "--rows", str(given.rows)]
        subprocess.run([sys.executable, "-m", "benchmarks.baseline", *lake], check=True)
        whole = write_rows(folder / "all.ndjson", (customer(n) if n % every else changed(n) for n in range(given.rows)))
        some = write_rows(folder / "some.ndjson", map(customer, numbers))
        subprocess.run(
            [*PROGRAM, str(some), *UNLIMITED, "--state-dir", f"{name}/first"],
            env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        baseline = ["--baseline", str(folder / "lake")]
        report, cpu, seconds, peak = measured(
            [*PROGRAM, str(whole), *UNLIMITED, *baseline, "--state-dir", f"{name}/second"], environment
        )
        # The same number of writes and no unchanged row: changes back, by what the run before remembers.
        _, rest, _, _ = measured([*PROGRAM, str(some), *UNLIMITED, "--state-dir", f"{name}/second"], environment)
    counts, requests = report["counts"], report["requests_total"]
    unchanged = given.rows - len(numbers)
    speed = unchanged / (cpu - rest)
    print(f"  {counts['updated']:,} updated, {counts['unchanged']:,} unchanged, {requests:,} requests")
    print(f"  {seconds:.0f} s, {cpu:.1f} s of CPU, of which {rest:.1f} s for the changed rows")
    print(f"  {speed:,.0f} unchanged rows a second of CPU (bar {ROWS_A_SECOND:,}); {peak:.0f} MB (bar {MEGABYTES})")
    is_right = counts["updated"] == len(numbers) and counts["unchanged"] == unchanged
    is_right = is_right and requests <= len(numbers) + MORE_REQUESTS
    if not is_right:
        print("  these are not the expected counts")
    is_met = is_right and speed >= ROWS_A_SECOND and peak <= MEGABYTES
    return int(given.check and not is_met)


if __name__ == "__main__":
    sys.exit(main())
