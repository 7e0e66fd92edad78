"""What a dump costs: the requests and files of a night with nothing new, and the memory of a large download.

    python -m benchmarks.dump [--megabytes 500] [--times 10] [--days 1] [--check]

First it dumps everything, with three reports, then the same again. Bars for the second dump: at
most 5 requests for each data set, and no part rewritten. Then the program downloads a file of items
of `--megabytes` that covers `--days`, and one that is `--times` as long (the same lines repeated),
from a server on this machine. Its memory is sampled five times a second. Bar: 300 MB of resident
memory, whatever the length.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.export_tables import FILE, blocks_of, write_items
from benchmarks.memory import print_peak, watch
from benchmarks.setting import emulator, environment_for, machine
from bulkgladly.emulator import Emulator

MOST_REQUESTS, MOST_MB = 5, 300
REPORTS = "ConversationExportReport,ConversationTimestampsReport,AgentSummaryV2"
PROGRAM = (sys.executable, "-m", "bulkgladly")


def dumped(url: str, folder: Path) -> dict[str, Any]:
    """Run a dump and return its report."""
    flags = ("--reports", REPORTS, "--rate", "unlimited", "--json", "--progress", "none")
    places = (str(folder / "lake"), "--state-dir", f"{folder}/state")
    done = subprocess.run(
        [*PROGRAM, "dump", *places, *flags],
        env=environment_for(url),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in (0, 1):
        raise SystemExit(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def parts_in(folder: Path) -> dict[str, tuple[int, int]]:
    """Return the inode and modification time of every part of a data set."""
    return {str(path): (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.rglob("*.parquet")}


def quiet_night(folder: Path) -> list[str]:
    """Dump twice; return the bars that the second dump missed."""
    seeds = ("--seed-customers", "200", "--seed-jobs", "14", "--seed-events", "2000", "--seed-conversations", "2")
    with emulator("--rate", "0", "--report-rate", "0", *seeds) as url:
        first = dumped(url, folder)
        before = parts_in(folder / "lake")
        second = dumped(url, folder)
    after = parts_in(folder / "lake")
    rewritten = [path for path in before if after.get(path) != before[path]]
    data_sets = len({*first["files"], *second["files"]})
    per_data_set = second["requests_total"] / data_sets
    print(
        f"  first dump   {first['requests_total']:4} requests, {first['counts']['created']:,} rows, {len(before)} parts"
    )
    print(
        f"  second dump  {second['requests_total']:4} requests, {per_data_set:.1f} for each of {data_sets} data sets, "
        f"{len(rewritten)} parts rewritten"
    )
    missed = [] if per_data_set <= MOST_REQUESTS else [f"{per_data_set:.1f} requests for each data set"]
    return missed + ([f"{len(rewritten)} parts were rewritten"] if rewritten else [])


async def serve(source: Path, times: int) -> None:
    """Serve an organisation with one job, whose file repeats the source; print the URL."""

    def content() -> Iterator[bytes]:
        for _ in range(times):
            yield from blocks_of(source)

    async with Emulator(rate=None, token="emulator-token") as organisation:
        organisation.exports.add_job({FILE: content})
        print(organisation.url, flush=True)
        await asyncio.Event().wait()


def large_file(source: Path, times: int, folder: Path) -> float:
    """Download a file that repeats the source this many times; return the peak memory in MB."""
    command = [sys.executable, "-m", "benchmarks.dump", "--serve", str(source), "--times", str(times)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        flags = ("--rate", "unlimited", "--progress", "none", "--state-dir", f"{folder}/state")
        sizes, seconds = watch([*PROGRAM, "export", "items", "--out", f"{folder}/lake", *flags], environment_for(url))
    finally:
        server.terminate()
        server.wait(10)
    megabytes = times * source.stat().st_size / 1e6
    peak = print_peak(f"{megabytes:,.0f} MB", sizes, seconds)
    print(f"           {megabytes / seconds:.0f} MB/s from the request to the last manifest")
    return peak


def main() -> int:
    """Print the measurements; with --check return 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=float, default=500)
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--days", type=int, default=1)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        asyncio.run(serve(given.serve, given.times))
        return 0
    print(f"dumps; {machine()}; bars {MOST_REQUESTS} requests for each data set, {MOST_MB} MB")
    with tempfile.TemporaryDirectory() as name:
        missed = quiet_night(Path(name))
    with tempfile.TemporaryDirectory() as name:
        source = Path(name) / FILE
        write_items(source, given.megabytes, days=given.days)
        for times in dict.fromkeys((1, given.times)):
            with tempfile.TemporaryDirectory(dir=name) as folder:
                peak = large_file(source, times, Path(folder))
            if peak > MOST_MB:
                missed.append(f"{peak:.0f} MB for {times} times the file")
    for line in missed:
        print(f"MISSED {line}")
    return int(bool(missed) and given.check)


if __name__ == "__main__":
    sys.exit(main())
