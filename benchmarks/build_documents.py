"""How much memory `dataset build conversations` takes, and how long.

    python -m benchmarks.build_documents [--items 500000] [--check]

It writes a data set of this many items in conversations of eight, in nights of 50,000, with a customer and a row of
`conversations` for each conversation, and builds the table in a process of its own, and then a fifth of it as pages.
Bar: 300 MB at the peak of either.
"""

import argparse
import datetime as dt
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from benchmarks.setting import machine
from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.rows import Origin
from bulkgladly.lake.schemas import DATA_SETS
from bulkgladly.lake.unit_writer import UnitWriter

BAR_MB = 300
IN_CONVERSATION, IN_NIGHT = 8, 50_000
BEGIN = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
TEXT = "My order has not arrived yet, and the page says that it was delivered on Monday. Can you look? " * 3


class Measured(NamedTuple):
    """What one build took."""

    seconds: float
    peak_mb: float


def main() -> int:
    """Print the figures; with --check return 1 if one misses its bar."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=500_000)
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    print(f"dataset build conversations; {machine()}")
    with tempfile.TemporaryDirectory() as folder:
        lake = Path(folder) / "lake"
        write_lake(lake, given.items)
        table = measured(lake, "-o", str(Path(folder) / "conversations.parquet"))
        until = BEGIN + dt.timedelta(minutes=given.items // IN_CONVERSATION // 5)
        pages = measured(lake, "--html", str(Path(folder) / "pages"), "--until", until.isoformat())
    for name, each in (("table", table), ("pages", pages)):
        rate = given.items / each.seconds
        print(f"  {name}: {given.items:,} items in {each.seconds:.1f} s ({rate:,.0f}/s), peak {each.peak_mb:.0f} MB")
    missed = max(table.peak_mb, pages.peak_mb) > BAR_MB
    print(f"  bar: {BAR_MB} MB: {'MISSED' if missed else 'met'}")
    return int(missed and given.check)


def write_lake(path: Path, items: int) -> None:
    """Write the data set, night by night."""
    conversations = items // IN_CONVERSATION
    with DataFolder.open(path, host="https://sample.example.org", create=True).lock() as folder:
        for night in range(-(-items // IN_NIGHT)):
            numbers = range(night * IN_NIGHT, min(items, (night + 1) * IN_NIGHT))
            _publish(folder, "items", f"night{night:04}", map(_item, numbers))
        _publish(folder, "customers", "all", ({"id": _id("c", n), "name": f"Person {n}"} for n in range(conversations)))
        _publish(folder, "conversations", "all", map(_conversation, range(conversations)))


def _publish(folder: DataFolder, data_set: str, unit: str, rows: Iterator[dict[str, Any]]) -> None:
    has_job = "_job_updated_at" in DATA_SETS[data_set].schema.names
    origin = Origin(unit, "a.jsonl", {"_job_updated_at" if has_job else "_fetched_at": BEGIN})
    writer = UnitWriter(folder, DATA_SETS[data_set], unit, origin)
    writer.convert(_blocks(rows))
    writer.commit()


def _blocks(rows: Iterator[dict[str, Any]]) -> Iterator[bytes]:
    held: list[bytes] = []
    for row in rows:
        held.append(orjson.dumps(row) + b"\n")
        if len(held) == 2000:
            yield b"".join(held)
            held = []
    yield b"".join(held)


def _id(kind: str, number: int) -> str:
    # Ids of Gladly do not sort by time.
    return f"{kind}-{number * 2_654_435_761 % 4_294_967_296:010}"


def _item(number: int) -> dict[str, Any]:
    conversation, place = divmod(number, IN_CONVERSATION)
    at = BEGIN + dt.timedelta(minutes=conversation + place)
    by = {"id": "agent-1", "type": "AGENT"} if place % 2 else {"id": _id("c", conversation), "type": "CUSTOMER"}
    return {
        "id": _id("i", number),
        "conversationId": _id("k", conversation),
        "customerId": _id("c", conversation),
        "timestamp": at.isoformat(),
        "initiator": by,
        "content": {"type": "CHAT_MESSAGE", "messageType": "TEXT", "sessionId": "s", "content": TEXT[place:]},
    }


def _conversation(number: int) -> dict[str, Any]:
    return {
        "id": _id("k", number),
        "customerId": _id("c", number),
        "createdAt": (BEGIN + dt.timedelta(minutes=number)).isoformat(),
        "status": "OPEN",
        "inboxId": "inbox-1",
        "topicIds": [],
    }


def measured(lake: Path, *arguments: str) -> Measured:
    """Build in a process of its own, and return what it took."""
    command = [sys.executable, "-m", "bulkgladly", "dataset", "build", str(lake), "conversations", *arguments]
    started = time.perf_counter()
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert not process.returncode
    return Measured(time.perf_counter() - started, usage.ru_maxrss / 1024)


if __name__ == "__main__":
    sys.exit(main())
