"""How fast an import is without a rate limit, compared with a bare client.

    python -m benchmarks.import_speed [--rows 20000] [--connections 50] [--runs 5] [--check]

Each run posts the same bodies twice to a fresh emulator on the other core: once by a bare
aiohttp loop (workers that only post), once by a whole import (reading, checking, derived ids,
journal with a sync per commit, state, pacer). Both are pinned to one core. The figure is the ratio
of their requests per second within one run. Bar: 0.65.
"""

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import aiohttp
import orjson

from benchmarks.setting import TOKEN, USERNAME, emulator, machine, pin, write_customers

BAR = 0.65


async def post_bare(url: str, file: Path, connections: int) -> float:
    """Post every line of a file with plain workers; return requests per second."""
    bodies = iter(file.read_bytes().splitlines())
    headers = {
        "Authorization": aiohttp.encode_basic_auth(USERNAME, TOKEN),
        "Content-Type": "application/json",
        "Accept": "application/json",
    }
    sent = 0

    async def worker(session: aiohttp.ClientSession) -> None:
        nonlocal sent
        for body in bodies:
            async with session.post(f"{url}/api/v1/customer-profiles", data=body) as reply:
                await reply.read()
                assert reply.status == 201, reply.status
            sent += 1

    connector = aiohttp.TCPConnector(limit=connections)
    async with aiohttp.ClientSession(headers=headers, connector=connector) as session:
        started = time.perf_counter()
        await asyncio.gather(*(worker(session) for _ in range(connections)))
        return sent / (time.perf_counter() - started)


async def import_whole(url: str, file: Path, connections: int) -> float:
    """Import the same file; return records per second from the first read to the last commit."""
    from bulkgladly import Credentials, ImportOptions, Pace, start_import  # noqa: PLC0415 - the bare loop must not load it

    options = ImportOptions(
        pace=Pace(unlimited=True, reserve=0, concurrency=connections), state_dir=file.parent / "state"
    )
    started = time.perf_counter()
    report = await start_import("customers", [file], Credentials(url, USERNAME, TOKEN), options)
    seconds = time.perf_counter() - started
    assert report.counts["created"] == report.counts["read"], report.counts
    return report.counts["created"] / seconds


def one(kind: str, rows: int, connections: int) -> float:
    """Measure one side in this process, pinned to core 0, against an emulator on core 1."""
    with tempfile.TemporaryDirectory() as folder, emulator("--rate", "0") as url:
        file = Path(folder) / "customers.ndjson"
        write_customers(file, rows)
        pin(0)
        work = post_bare if kind == "bare" else import_whole
        return asyncio.run(work(url, file, connections))


def measure(kind: str, rows: int, connections: int) -> float:
    """Measure one side in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.import_speed", "--side", kind]
    command += ["--rows", str(rows), "--connections", str(connections)]
    done = subprocess.run(command, capture_output=True, check=True)
    return float(orjson.loads(done.stdout))


def main() -> int:
    """Print a line per run and the median ratio; with --check return 1 if it is below the bar."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20000)
    parser.add_argument("--connections", type=int, default=50)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--side", choices=("bare", "import"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.side:
        print(one(given.side, given.rows, given.connections))
        return 0
    print(f"import without a limit against a bare aiohttp loop; {machine()}; {given.rows} rows of about 250 bytes")
    ratios = []
    for run in range(given.runs):
        bare = measure("bare", given.rows, given.connections)
        whole = measure("import", given.rows, given.connections)
        ratios.append(whole / bare)
        print(f"  run {run + 1}: bare {bare:,.0f}/s, import {whole:,.0f}/s, ratio {whole / bare:.3f}")
    middle = statistics.median(ratios)
    print(f"ratio {middle:.3f} [{min(ratios):.3f}..{max(ratios):.3f}], bar {BAR}")
    return int(given.check and middle < BAR)


if __name__ == "__main__":
    sys.exit(main())
