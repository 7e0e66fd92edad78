"""How many rows a second `check` reads on one core, and how much memory it needs.

    python -m benchmarks.check_speed [--rows 1000000] [--check]

It checks customers as CSV and as NDJSON, and activities as NDJSON. One row in a thousand has a
mistake, and one in a thousand occurs twice. The program runs as its users run it, in a process
that is pinned to one core. The figure is rows per second of processor time, start-up included,
because other programs may use the machine; the elapsed time is printed as well.
Bars: 50,000 rows a second, and 250 MB at any time.
"""

import argparse
import csv
import datetime as dt
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson

from benchmarks.memory import resident_mb
from benchmarks.setting import machine, pin

BAR_PER_SECOND = 50_000
BAR_MB = 250
ONE_IN = 1000

Row = dict[str, Any]


def flat_customers(rows: int) -> Iterator[Row]:
    """Yield invented customers with flat columns."""
    for n in range(rows):
        yield {
            "id": f"bench-{n - n % ONE_IN if n % ONE_IN == 1 else n:09}",
            "name": f"Person Number {n}",
            "address": f"{n % 900 + 1} Example Lane, Springfield",
            "email:1": f"person{n}@example.org" if n % ONE_IN != 2 else f"person{n} at example.org",
            "phone:1": f"+165055501{n % 100:02}",
            "phone:1:type": "HOME",
            "customAttribute:tier": "gold",
            "customAttribute:since": "2019-02-21",
        }


def nested_customers(rows: int) -> Iterator[Row]:
    """Yield the same customers in Gladly's nested form."""
    for flat in flat_customers(rows):
        yield {
            **{name: flat[name] for name in ("id", "name", "address")},
            "emails": [{"original": flat["email:1"], "primary": True}],
            "phones": [{"original": flat["phone:1"], "type": "HOME"}],
            "customAttributes": {"tier": "gold", "since": "2019-02-21"},
        }


def activities(rows: int) -> Iterator[Row]:
    """Yield invented activities of the last months; one in a thousand is too old."""
    now = dt.datetime.now(dt.UTC)
    days = [(now - dt.timedelta(days=back)).strftime("%Y-%m-%dT%H:%M:%SZ") for back in range(300)]
    old = (now - dt.timedelta(days=400)).strftime("%Y-%m-%dT%H:%M:%SZ")
    for n in range(rows):
        yield {
            "id": f"activity-{n - n % ONE_IN if n % ONE_IN == 1 else n:09}",
            "customerId": f"bench-{n // 5:09}",
            "activityType": "EMAIL",
            "title": f"Your order {n}",
            "body": "<p>Hello, this is about your order.</p> " * 5,
            "sourceName": "Shop",
            "occurredAt": old if n % ONE_IN == 2 else days[n % 300],
        }


def write_csv(path: Path, rows: Iterator[Row]) -> None:
    """Write rows as CSV."""
    first = next(rows)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(first))
        writer.writeheader()
        writer.writerow(first)
        writer.writerows(rows)


def write_ndjson(path: Path, rows: Iterator[Row]) -> None:
    """Write rows as NDJSON."""
    with path.open("wb") as file:
        file.writelines(orjson.dumps(row) + b"\n" for row in rows)


def measure(kind: str, file: Path) -> tuple[float, float, float]:
    """Check a file in its own process; return processor seconds, elapsed seconds and peak memory in MB."""
    command = [sys.executable, "-m", "bulkgladly", "check", kind, str(file), "--json"]
    before, started, peak = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter(), 0.0
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    pin(0, process.pid)
    while process.poll() is None:
        peak = max(peak, resident_mb(process.pid))
        time.sleep(0.1)
    took = time.perf_counter() - started
    if process.returncode != 1:
        raise SystemExit(f"{command} has exit code {process.returncode}, not 1, although the file has mistakes")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return spent, took, peak


CASES: tuple[tuple[str, str, Callable[[int], Iterator[Row]], Callable[[Path, Iterator[Row]], None]], ...] = (
    ("customers", "customers.csv", flat_customers, write_csv),
    ("customers", "customers.ndjson", nested_customers, write_ndjson),
    ("activities", "activities.ndjson", activities, write_ndjson),
)


def main() -> int:
    """Print speed and peak memory for each file; with --check return 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    print(f"check of {given.rows:,} rows on one core; {machine()}; bars {BAR_PER_SECOND:,}/s and {BAR_MB} MB")
    is_missed = False
    with tempfile.TemporaryDirectory() as folder:
        for kind, name, make, write in CASES:
            file = Path(folder) / name
            write(file, make(given.rows))
            spent, took, peak = measure(kind, file)
            file.unlink()
            per_second = given.rows / spent
            is_missed |= per_second < BAR_PER_SECOND or peak > BAR_MB
            seconds = f"{spent:.1f} s ({took:.1f} s by the clock)"
            print(f"  {name:<18} {per_second:>9,.0f} rows/s, peak {peak:4.0f} MB, {seconds}", flush=True)
    return int(given.check and is_missed)


if __name__ == "__main__":
    sys.exit(main())
