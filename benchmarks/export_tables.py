"""How fast an export file becomes typed Parquet, compared with DuckDB, Polars and pyarrow.

    python -m benchmarks.export_tables [--megabytes 500] [--runs 3] [--others PYTHON] [--drift] [--check]

It writes a seeded `conversation_items.jsonl` (all content types, no two texts equal). Each tool
converts it in its own process, in turns, start-up included. `--others` is a Python that has duckdb
and polars; a tool that is missing there is reported and left out. Bars: as fast as DuckDB's default
typed COPY, 1.3 times as fast as Polars, 300 MiB. `--drift` converts five files that change in the
middle: every row must be kept and counted.
"""

import argparse
import datetime as dt
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from benchmarks.setting import machine
from bulkgladly.lake.conversion import ConversionSummary, convert
from bulkgladly.lake.manifest import PartEntry
from bulkgladly.lake.part_writer import PartWriter
from bulkgladly.lake.rows import Origin
from bulkgladly.lake.schemas import DATA_SETS

ITEMS = DATA_SETS["items"]
FILE = "conversation_items.jsonl"
BARS = {"duckdb": 1.0, "polars": 1.3}
MOST_MIB = 300
SHARES = {
    "CHAT_MESSAGE": 26,
    "EMAIL": 16,
    "CONVERSATION_STATUS_CHANGE": 14,
    "SMS": 12,
    "TOPIC_CHANGE": 10,
    "CONVERSATION_NOTE": 7,
    "PHONE_CALL": 5,
    "CUSTOMER_ACTIVITY": 4,
    "FACEBOOK_MESSAGE": 2,
    "WHATSAPP": 2,
    "VOICEMAIL": 1,
    "INSTAGRAM_DIRECT": 1,
}
OTHERS = {
    "duckdb": "import duckdb; duckdb.sql(f\"COPY (SELECT * FROM read_json('{src}', format='newline_delimited')) "
    "TO '{out}' (FORMAT parquet, COMPRESSION zstd)\")",
    "polars": "import polars; polars.scan_ndjson(src).sink_parquet(out)",
    "pyarrow": "import pyarrow.json as j, pyarrow.parquet as p\n"
    "p.write_table(j.read_json(src), out, compression='zstd')",
}
Change = Callable[[dict[str, Any]], dict[str, Any]]


class Invented:
    """Items from a seed. Texts are cut from a long one at random places, so they hardly repeat.

    Each item has a random day.
    """

    def __init__(self, seed: int = 7, days: int = 1) -> None:
        self._random = random.Random(seed)
        self._days = days
        words = ["".join(self._random.choices("etaoinshrdlucmfwypvbgk", k=n % 9 + 2)) for n in range(5000)]
        ends = ["\n", '"', "é", "ü"]
        chosen = (self._random.choice(words) if n % 60 else self._random.choice(ends) for n in range(400_000))
        self._corpus = " ".join(chosen)
        self._customers = [self._id() for _ in range(50_000)]
        self._agents = [self._id() for _ in range(200)]
        self._topics = [self._id() for _ in range(100)]
        self._conversations = [self._id() for _ in range(500)]
        self._kinds = [kind for kind, share in SHARES.items() for _ in range(share)]
        self._ms = 0

    def item(self) -> dict[str, Any]:
        """Return the next item; about a million fill the hours of a day."""
        pick = self._random.choice
        self._ms = (self._ms + self._random.randint(1, 180)) % 86_400_000
        day = self._random.randrange(self._days) if self._days > 1 else 0
        clock = dt.datetime(2026, 11, 22, tzinfo=dt.UTC) - dt.timedelta(day) + dt.timedelta(milliseconds=self._ms)
        time_text = clock.strftime("%Y-%m-%dT%H:%M:%S.") + f"{self._ms % 1000:03}Z"
        if self._random.random() < 0.1:
            self._conversations[self._random.randrange(500)] = self._id()
        customer = pick(self._customers)
        who = (customer, "CUSTOMER") if self._random.random() < 0.5 else (pick(self._agents), "AGENT")
        item: dict[str, Any] = {
            "id": self._id(),
            "conversationId": pick(self._conversations),
            "customerId": customer,
            "timestamp": time_text,
            "initiator": dict(zip(("id", "type"), who, strict=True)),
        }
        kind = pick(self._kinds)
        if kind == "PHONE_CALL":
            item["responder"] = {"type": "CUSTOMER", "id": customer}
        item["content"] = self._content(kind, item)
        return item

    def _content(self, kind: str, item: dict[str, Any]) -> dict[str, Any]:  # noqa: PLR0911 - a table of types
        number = f"+1650555{self._random.randint(0, 9999):04}"
        match kind:
            case "CHAT_MESSAGE":
                return {"type": kind, "messageType": "TEXT", "sessionId": self._id(), "content": self._text(20, 200)}
            case "EMAIL":
                to = [f"p{self._random.randint(1, 99_999)}@example.org"]
                head = {"type": kind, "from": "help@example.org", "to": to, "cc": [], "subject": self._text(20, 70)}
                return {**head, "content": self._text(300, 2500)}
            case "SMS":
                return {"type": kind, "from": "+16505550100", "to": number, "content": self._text(20, 200)}
            case "CONVERSATION_STATUS_CHANGE":
                return {"type": kind, "status": "CLOSED"}
            case "TOPIC_CHANGE":
                return {"type": kind, "addedTopicIds": [self._random.choice(self._topics)]}
            case "CONVERSATION_NOTE":
                return {"type": kind, "body": self._text(20, 200)}
            case "PHONE_CALL" | "VOICEMAIL":
                return self._call(kind, item, number)
            case "CUSTOMER_ACTIVITY":
                link = {"url": "https://example.org/s/1", "text": "Open"}
                times = dict.fromkeys(("occurredAt", "receivedAt"), item["timestamp"])
                head = {"type": kind, "activityType": "SURVEY", "title": "CSAT", "body": self._text(20, 200)}
                return {**head, "sourceName": "SurveyCo", "link": link, **times}
            case "FACEBOOK_MESSAGE":
                return {"type": kind, "pageId": "100", "userId": "200", "content": self._text(20, 200)}
        return {"type": kind, "content": self._text(20, 200)}

    def _call(self, kind: str, item: dict[str, Any], number: str) -> dict[str, Any]:
        made: dict[str, Any] = {"startedAt": item["timestamp"]}
        if kind == "PHONE_CALL":
            made |= dict.fromkeys(("answeredAt", "completedAt"), item["timestamp"])
            made |= {"from": "+16505550199", "to": number}
        url = f"/api/v1/conversation-items/{item['id']}/media/recording"
        made |= {"recordingUrl": url, "recordingStatus": "AVAILABLE"}
        return {**made, "recordingDuration": self._random.randint(1, 900), "type": kind}

    def _text(self, least: int, most: int) -> str:
        begin = self._random.randrange(len(self._corpus) - most)
        return self._corpus[begin : begin + self._random.randint(least, most)]

    def _id(self) -> str:
        return f"{self._random.getrandbits(128):032x}"[:22]


def write_items(path: Path, megabytes: float, change: Change | None = None, *, days: int = 1) -> int:
    """Write a file of about this size that changes in the middle; return the number of lines."""
    invented, size, count = Invented(days=days), 0, 0
    with path.open("wb") as file:
        while size < megabytes * 1e6:
            item = invented.item()
            if change is not None and size > megabytes * 5e5:
                item = change(item)
            size += file.write(orjson.dumps(item) + b"\n")
            count += 1
    return count


def blocks_of(path: Path) -> Iterator[bytes]:
    """Yield the blocks of a file as a download does."""
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            yield block


def convert_file(source: Path, folder: Path) -> tuple[ConversionSummary, list[PartEntry]]:
    """Convert the file with bulkgladly."""
    job = {"_job_id": "benchmark", "_job_updated_at": dt.datetime(2026, 11, 23, tzinfo=dt.UTC), "_file": FILE}
    writer = PartWriter(folder, ITEMS, Origin("benchmark", FILE, job))
    report = convert(blocks_of(source), ITEMS, write=writer.write, reject=lambda _: None)
    parts = writer.finish()
    for part in parts:
        (folder / part.partial).rename(folder / part.path)
    return report, parts


def measured(command: Sequence[str]) -> tuple[float, float] | None:
    """Run a process; return its seconds and its peak memory in MiB, or None if it failed."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return None if process.returncode else (time.perf_counter() - started, usage.ru_maxrss / 1024)


def is_installed(python: str, name: str) -> bool:
    """Return whether a Python has a library."""
    return subprocess.run([python, "-c", f"import {name}"], capture_output=True, check=False).returncode == 0


def compare(given: argparse.Namespace, folder: Path) -> list[str]:
    """Measure all tools in turns, print the table, and return the bars that were missed."""
    source, out = folder / FILE, folder / "out"
    lines = write_items(source, given.megabytes)
    print(f"{lines} lines, {source.stat().st_size / 1e6:.0f} MB; {machine()}", flush=True)
    commands = {"ours": [sys.executable, "-m", "benchmarks.export_tables", "--convert", str(source), str(out)]}
    for name, code in OTHERS.items():
        if is_installed(given.others, name):
            head = f"src, out = {str(source)!r}, {str(out)!r}\n"
            commands[name] = [given.others, "-c", head + code]
        else:
            print(f"  {name}: not installed for {given.others}, left out")
    results: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for _ in range(given.runs):
        for name, command in commands.items():
            shutil.rmtree(out, ignore_errors=True)
            out.unlink(missing_ok=True)
            if (result := measured(command)) is not None:
                results[name].append(result)
    return judged(results, source.stat().st_size / 1e6)


def judged(results: Mapping[str, list[tuple[float, float]]], size: float) -> list[str]:
    """Print the medians, and return the bars that were missed."""
    missed = []
    ours = statistics.median(seconds for seconds, _ in results["ours"])
    for name, runs in results.items():
        if not runs:
            print(f"  {name:<8} failed on this file")
            continue
        times, peak = sorted(size / seconds for seconds, _ in runs), max(rss for _, rss in runs)
        middle = statistics.median(seconds for seconds, _ in runs)
        ratio = middle / ours
        span = f"[{times[0]:.0f}..{times[-1]:.0f}]"
        print(f"  {name:<8} {size / middle:5.0f} MB/s {span:<12} peak {peak:5.0f} MiB   ours is {ratio:.2f} times it")
        if ratio < BARS.get(name, 0):
            missed.append(f"{ratio:.2f} of {name}; wanted {BARS[name]}")
        if name == "ours" and peak > MOST_MIB:
            missed.append(f"{peak:.0f} MiB; wanted at most {MOST_MIB}")
    return missed


def _with_content(item: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {**item, "content": {**item["content"], **fields}}


def _text_for_number(item: dict[str, Any]) -> dict[str, Any]:
    number = item["content"].get("recordingDuration")
    return item if number is None else _with_content(item, recordingDuration=str(number))


DRIFTS: Mapping[str, Change | None] = {
    "int becomes string": _text_for_number,
    "new field appears late": lambda item: {**_with_content(item, mood="calm"), "channel": {"id": "x"}},
    "new content type": lambda item: {**item, "content": {"type": "HOLOGRAM", "frames": [1, 2]}},
    "line cut in the middle": None,
    "last line cut": None,
}


def drift(given: argparse.Namespace, folder: Path) -> list[str]:
    """Convert the five files, print the results, and return what was lost."""
    missed = []
    source = folder / "drift.jsonl"
    for name, change in DRIFTS.items():
        lines = write_items(source, given.megabytes, change)
        if change is None:
            data = source.read_bytes()
            start = data.rindex(b"\n", 0, len(data) // 2 if "middle" in name else -1) + 1
            source.write_bytes(data[: start + 40] + data[data.index(b"\n", start) :].removesuffix(b"\n"))
        started = time.perf_counter()
        report, parts = convert_file(source, folder / "drifted")
        rate = report.bytes / 1e6 / (time.perf_counter() - started)
        rejected = int(change is None)
        found = {f"{each.path} {each.kind}": each.count for each in report.drift}
        counts = f"rows {report.rows} of {lines}, rejected {report.rejected}"
        print(f"  {name:<24} {rate:4.0f} MB/s  {counts}; drift {found}")
        kept = sum(part.rows for part in parts)
        if (kept, report.rejected) != (lines - rejected, rejected) or bool(found) != (change is not None):
            missed.append(f"{name}: {lines} lines, {kept} rows kept, {report.rejected} rejected")
        shutil.rmtree(folder / "drifted")
    return missed


def main() -> int:
    """Print the measurements; with --check return 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=float, default=500)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--others", default=sys.executable)
    parser.add_argument("--drift", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--convert", nargs=2, type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.convert:
        report, _ = convert_file(*given.convert)
        return int(not report.is_balanced or bool(report.rejected))
    with tempfile.TemporaryDirectory() as name:
        missed = (drift if given.drift else compare)(given, Path(name))
    for line in missed:
        print(f"MISSED {line}")
    return int(bool(missed) and given.check)


if __name__ == "__main__":
    sys.exit(main())
