"""How much memory and time a lookup in a large file takes.

    python -m benchmarks.lookups [--keys 1000000] [--check]

Bar: reading a million keys lets the process grow by less than 60 MB, however large the file is. The time to read it
and the values found a second are printed as well.
"""

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.setting import machine
from bulkgladly.imports.lookup_tables import lookup_tables
from bulkgladly.mapping.mapping import parse_mapping

BAR_MB = 60
STEP = 7919
"""A prime: keys that follow each other in the file are far apart in the index."""
MAPPING = """
version = 1
to = "customers"
[lookup.users]
file = "users.ndjson"
key = "id"
[fields]
name = { from = "user", lookup = "users.email" }
"""


def grown_mb(before: int) -> float:
    """Return by how much the process has ever grown since its size was `before`."""
    unit = 1 if sys.platform == "darwin" else 1024
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * unit / 1e6


def main() -> int:
    """Print the figures; with --check return 1 if the bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with (folder / "users.ndjson").open("w") as file:
            for at in range(given.keys):
                number = at * STEP % given.keys
                file.write(f'{{"id": {number}, "email": "person-{number}@example.org", "name": "Sample {number}"}}\n')
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        started = time.perf_counter()
        find = lookup_tables(parse_mapping(MAPPING, str(folder / "m.toml")))["users"]
        filled = time.perf_counter()
        wanted = range(0, given.keys, max(1, given.keys // 100_000))
        for number in wanted:
            find(str(number))
        took = time.perf_counter() - filled
    grown = grown_mb(before)
    print(f"lookups; {machine()}; {given.keys:,} keys; bar {BAR_MB} MB")
    print(f"  {filled - started:.1f} s to read the file, {len(wanted) / took:,.0f} values a second, {grown:.0f} MB")
    return int(given.check and grown > BAR_MB)


if __name__ == "__main__":
    sys.exit(main())
