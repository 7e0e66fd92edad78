"""The first import of a dirty CRM export: `python -m benchmarks.first_import [--rows N] [--check]`.

Writes the export of `samples/make_dirty_crm.py`, lets `map init` draft a mapping, and imports the file with the draft
as it is, into an emulator without a limit. Then every row is compared with its right end, which the generator knows.
"""

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.setting import emulator, environment_for, machine
from samples.make_dirty_crm import KINDS, LINES, ROWS, End, write

__all__ = ("differences", "ends_of_run", "main")

BAR_S = 240
"""From nothing to imported a person has ten minutes; the rest is for looking at the draft."""


def ends_of_run(folder: Path) -> dict[int, End]:
    """Return how the rows of a run ended, by their line; those that were skipped are not among them."""
    found: dict[int, End] = {}
    for row in _lines(folder / "success.ndjson"):
        line = int(row["position"]["record"])
        found[line] = End(str(row["action"]), line=line)
    for row in _lines(folder / "rejected.ndjson"):
        note = row["_bulkgladly"]
        line = int(note["position"]["record"])
        found[line] = End("rejected", note["code"], line=line)
    dropped: dict[int, list[str]] = {}
    if (folder / "warnings.csv").exists():
        with (folder / "warnings.csv").open(encoding="utf-8", newline="") as file:
            for warning in csv.DictReader(file):
                dropped.setdefault(int(warning["line"]), []).append(warning["column"])
    for line, columns in dropped.items():
        found[line] = End(found[line].end, found[line].code, tuple(columns), line=line)
    return found


def differences(right: Sequence[End], found: Mapping[int, End]) -> Iterator[tuple[End, End | None]]:
    """Yield each row that did not end as it should: its right end, and that of the run."""
    for end in right:
        if end.end in ("skipped", "nothing"):
            if end.line in found:
                yield end, found[end.line]
            continue
        other = found.get(end.line)
        if other is None or (other.end, other.code) != (end.end, end.code) or not _same_columns(end, other):
            yield end, other


def _same_columns(right: End, found: End) -> bool:
    """Tell whether the same values were dropped. A column may be named together with others of its field."""
    named = zip(sorted(right.dropped), sorted(found.dropped), strict=False)
    return len(right.dropped) == len(found.dropped) and all(name in also.split(", ") for name, also in named)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    if path.exists():
        with path.open(encoding="utf-8") as file:
            yield from map(json.loads, file)


def main() -> int:
    """Print how the rows ended; return 1 with `--check` if one ended wrongly, or it took too long."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--keep", type=Path, help="keep the files in this folder")
    given = parser.parse_args()
    folder = given.keep or Path(tempfile.mkdtemp(prefix="first-import-"))
    try:
        return _measure(folder, given.rows) if given.check else _measure(folder, given.rows) and 0
    finally:
        if given.keep is None:
            shutil.rmtree(folder)


def _measure(folder: Path, rows: int) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    right = write(folder / "crm.csv", rows)
    print(f"first import of {rows:,} rows with {len(KINDS) + len(LINES)} kinds of dirt; {machine()}")
    with emulator("--rate", "0") as url:
        program = _Program(folder, environment_for(url))
        started = time.perf_counter()
        told = program("map", "init", "crm.csv", "--to", "customers", "-o", "draft.toml")
        flags = ("--phone-region", "US") if "--phone-region US" in told else ()
        program("import", "customers", "crm.csv", "--map", "draft.toml", "--rate", "unlimited", *flags)
        took = time.perf_counter() - started
    [run] = (folder / ".bulkgladly" / "runs").iterdir()
    found = ends_of_run(run)
    wrong = list(differences(right, found))
    counts = Counter(end.end for end in found.values())
    print(f"  draft and import: {took:.0f} s (bar: {BAR_S} s for {ROWS:,} rows), 1 mapping round, 0 edited lines")
    print("  " + ", ".join(f"{number:,} {word}" for word, number in counts.most_common()))
    print(f"  values dropped: {sum(len(end.dropped) for end in found.values()):,}")
    print(f"  rows that ended wrongly: {len(wrong):,} (bar: 0)")
    for kind, number in Counter(end.kind or "clean" for end, _ in wrong).most_common():
        end, other = next((end, other) for end, other in wrong if (end.kind or "clean") == kind)
        print(f"    {number:,} {kind}, such as line {end.line}: {_told(end)}, but {_told(other)}")
    return int(bool(wrong) or took > BAR_S * max(1, rows / ROWS))


def _told(end: End | None) -> str:
    if end is None:
        return "not found"
    return " ".join(filter(None, [end.end, end.code, f"without {', '.join(end.dropped)}" if end.dropped else ""]))


class _Program:
    """The command line in a process, in a folder; returns what it printed."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        root = str(Path(__file__).parent.parent)
        self._folder = folder
        self._environment = {**os.environ, **environment, "PYTHONPATH": root, "COLUMNS": "200"}

    def __call__(self, *arguments: str) -> str:
        command = [sys.executable, "-m", "bulkgladly", *arguments]
        done = subprocess.run(
            command, cwd=self._folder, env=self._environment, capture_output=True, text=True, check=False
        )
        if done.returncode not in (0, 1):
            raise RuntimeError(f"{' '.join(arguments)} ended with {done.returncode}: {done.stderr}")
        return done.stdout + done.stderr


if __name__ == "__main__":
    sys.exit(main())
