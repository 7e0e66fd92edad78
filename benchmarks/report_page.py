"""How large the page of a run is, and how long it takes to make it.

    python -m benchmarks.report_page [--records 1000000] [--days 3] [--keep FOLDER] [--check]

The run is invented: customers at 9/s for three days, throttled now and then, with an outage, stopped and resumed four
times, and killed at its end, so that the page is made from its journal. Bars: 300 kB, and 1 s, in a process of its
own that has loaded nothing yet. On a busy machine compare the seconds of CPU.
"""

import argparse
import datetime as dt
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson

from benchmarks.setting import machine
from bulkgladly._version import __version__
from bulkgladly.journal.databases import open_journal
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.journal.run_header import InputFile, RunHeader
from bulkgladly.journal.timeline import Sample, write_samples
from bulkgladly.runs.recorder import Costs, Recorder

__all__ = ("END", "Clock", "invented_run", "main", "sampled")

BAR_BYTES, BAR_S = 300_000, 1.0
END = dt.datetime(2026, 11, 27, 15, 36, 11, tzinfo=dt.UTC)
REASONS = (
    *("SIGINT", None, "the time limit of 28800 s was reached", "SIGTERM"),
    None,
)
WORDS = (("created", 0.72), ("updated", 0.94), ("unchanged", 0.985), ("rejected", 1.0))
CODES = ("invalid_phone", "invalid_email", "taken", "too_long", "unknown_name")
_RENDER = "import sys, pathlib; from bulkgladly.pages.run_page import write_page; write_page(pathlib.Path(sys.argv[1]))"


class Clock:
    """A clock that is told how late it is."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self.now


def sampled(
    session: int, began: float, seconds: float, *, rate: float = 9.0, look_s: float = 1.0, seed: int = 1
) -> Iterator[Sample]:
    """Yield what the recorder of a session writes that works for some seconds, throttled now and then."""
    chance, clock = random.Random(seed), Clock(0.0)
    recorder = Recorder(session, {}, clock=clock, wall=lambda: began + clock.now)
    requests = throttled = 0
    waits: dict[str, float] = {}
    counts = dict.fromkeys((word for word, _ in WORDS), 0)
    outage = (0.55 * seconds, 0.55 * seconds + min(0.06 * seconds, 2400.0))
    due = 0.0
    while seconds - clock.now > 0.001:
        passed = min(look_s, seconds - clock.now)
        clock.now += passed
        if outage[0] <= clock.now < outage[1] and seconds > 60:
            waits["outage: no connection"] = waits.get("outage: no connection", 0.0) + passed
        else:
            due += passed * rate * (0.9 + 0.1 * chance.random())
            requests = int(due)
            bounds = [0, *(int(requests * below) for _, below in WORDS)]
            counts = {word: after - before for (word, _), (before, after) in zip(WORDS, pairwise(bounds), strict=True)}
        if chance.random() < 0.0002 * passed:
            throttled += 3
            waits["throttled (429)"] = waits.get("throttled (429)", 0.0) + 4.0
        yield from recorder.look(Costs(requests, throttled, waits, rate), counts)
    yield from recorder.unwritten()


def invented_run(folder: Path, *, days: float, records: int, resumes: int = 4, looks: int = 5000) -> Path:
    """Write the folder of a run that was killed at its end. Each session is looked at so many times for its samples."""
    working = days * 86400 * 0.8 / (resumes + 1)
    pause = days * 86400 * 0.2 / max(1, resumes)
    began = END.timestamp() - days * 86400
    run = RunFolder.create(folder, "customers", "upsert", dt.datetime.fromtimestamp(began, dt.UTC))
    connection = open_journal(run.path / "journal.sqlite")
    sessions, samples = [], []
    for number in range(resumes + 1):
        at = began + number * (working + pause)
        span = {"from": _text(at), "until": _text(at + working), "reason": REASONS[number % len(REASONS)]}
        sessions.append(span)
        samples.append(sampled(number + 1, at, working, look_s=max(1.0, working / looks), seed=number))
    connection.execute("BEGIN")
    for found in samples:
        for each in found:
            write_samples(connection, [each])
    counts = _write_records(connection, records)
    vitals = {
        "sessions": sessions,
        "requests": {"createCustomer": records, "updateCustomer": records // 4, "getCustomers": records // 90},
        "waits": {"throttled (429)": 1290.5, "outage: no connection": 9400.0},
        "throttled": 1613,
        "seconds": working * (resumes + 1),
    }
    connection.execute(
        "INSERT INTO checkpoint (id, seq, above, counts, vitals) VALUES (0, ?, '[]', ?, ?)",
        (records, orjson.dumps(counts).decode(), orjson.dumps(vitals).decode()),
    )
    connection.execute("INSERT INTO meta VALUES ('status', 'running')")
    connection.execute("COMMIT")
    connection.close()
    run.write_header(_header(run, began))
    return run.path


def _word_of(drawn: float) -> str:
    return next(word for word, below in WORDS if drawn < below)


def _header(run: RunFolder, began: float) -> RunHeader:
    return RunHeader(
        run=run.name,
        resource="customers",
        mode="upsert",
        host="https://acme.example.org",
        inputs=(InputFile("exports/customers.csv", 1, 1, "0" * 64),),
        settings={"key": "crm_id", "pace": {"rate": None}},
        created_at=_text(began),
        version=__version__,
        is_whole=True,
    )


def _write_records(connection: Any, records: int) -> Counter[str]:
    chance = random.Random(7)
    counts: Counter[str] = Counter()

    def rows() -> Iterator[Sequence[Any]]:
        for seq in range(records):
            word = _word_of(chance.random())
            counts[word] += 1
            code = CODES[seq % len(CODES)] if word == "rejected" else None
            original = b'{"name":"x"}' if code else None
            stage = "check" if code else None
            yield (
                seq,
                0,
                60 * seq,
                seq + 2,
                f"c-{seq}",
                word,
                f"id-{seq}",
                stage,
                None,
                code,
                None,
                None,
                1,
                0.0,
                original,
            )

    connection.executemany("INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows())
    return counts


def _text(moment: float) -> str:
    return dt.datetime.fromtimestamp(moment, dt.UTC).isoformat(timespec="seconds")


def main() -> int:
    """Print size and time; with --check return 1 if one is above its bar."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--days", type=float, default=3.0)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--keep", type=Path, help="leave the run in this folder")
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    print(f"report.html of {given.records:,} records in {given.days:g} days; {machine()}; bars {BAR_S:g} s, 300 kB")
    with tempfile.TemporaryDirectory() as scratch:
        path = invented_run(given.keep or Path(scratch), days=given.days, records=given.records)
        times, cpu_s = [], os.times().children_user + os.times().children_system
        for _ in range(given.runs):
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", _RENDER, str(path)], check=True)
            times.append(time.perf_counter() - started)
        size = (path / "report.html").stat().st_size
        cpu_s = (os.times().children_user + os.times().children_system - cpu_s) / given.runs
        middle = statistics.median(times)
        print(f"  {middle:.2f} s [{min(times):.2f}..{max(times):.2f}], {cpu_s:.2f} s of CPU, {size / 1000:.0f} kB")
    return int(given.check and (middle > BAR_S or size > BAR_BYTES))


if __name__ == "__main__":
    sys.exit(main())
