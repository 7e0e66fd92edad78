"""How much of an awkward Zendesk export a person must write for it to be imported.

    python -m benchmarks.presets [--users 300] [--tickets 530] [--check]

The export has 2,900 records, with what makes real ones difficult: see `samples/presets/make_zendesk.py`. The
preset is written for it, the lines that this organisation needs otherwise are changed, and everything is imported.

Bar: no Python and at most 10 changed lines; what is rejected are the planted records and no others.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter
from pathlib import Path

from benchmarks.setting import emulator, environment_for, machine
from samples.presets.make_zendesk import write_zendesk

BAR_LINES = 10
EDITS = {
    '# phone_region = "US"': 'phone_region = "US"',
    '"4500001" = "Support"': '"4500001" = "General"',
}
"""The country of local numbers, and a group that has an inbox of another name in Gladly."""
PLANTED = {"unknown_key": 3, "taken": 1}
"""Two comments of a customer who was deleted for good; an article whose name is taken, and its text."""


def run(folder: Path, url: str, *words: str) -> str:
    """Run the program in a folder; return what it printed."""
    environment = environment_for(url) | {"BULKGLADLY_RATE": "unlimited", "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "bulkgladly", *words]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise RuntimeError(f"{' '.join(words)}: {done.stderr}")
    return done.stdout


def edited(folder: Path) -> int:
    """Change the lines that have to be changed; return how many."""
    count = 0
    for path in folder.iterdir():
        lines = path.read_text().splitlines()
        count += sum(line in EDITS for line in lines)
        path.write_text("".join(f"{EDITS.get(line, line)}\n" for line in lines))
    return count


def imported(folder: Path, url: str) -> tuple[Counter[str], Counter[str]]:
    """Import the steps of the project; return how records ended, and why some were rejected."""
    ended: Counter[str] = Counter()
    why: Counter[str] = Counter()
    project = tomllib.loads((folder / "migrate.toml").read_text())
    for step in project["steps"]:
        region = ["--phone-region", project["defaults"]["phone_region"]] if step["import"] == "customers" else []
        words = ("import", step["import"], step["files"], "--map", step["map"], *region, "--json")
        report = json.loads(run(folder, url, *words))
        ended.update(report["counts"])
        rows = (folder / report["folder"] / "rejected.ndjson").read_text().splitlines()
        told = [json.loads(row)["_bulkgladly"] for row in rows]
        why.update(one["code"] for one in told if one["outcome"] == "rejected")
    return ended, why


def main() -> int:
    """Print the figures; with --check return 1 if one misses its bar."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=300)
    parser.add_argument("--tickets", type=int, default=530)
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place, emulator("--rate", "0") as url:
        export, folder = Path(place, "export"), Path(place, "preset")
        records = write_zendesk(export, users=given.users, tickets=given.tickets)
        print(f"preset for an awkward Zendesk export of {records:,} records; {machine()}; bar {BAR_LINES} lines")
        started = time.perf_counter()
        run(Path(place), url, "map", "init", "--from", "zendesk", str(export), "-o", str(folder))
        lines = edited(folder)
        ended, why = imported(folder, url)
        print(f"  {lines} lines changed, 0 lines of Python; {time.perf_counter() - started:.0f} s")
        print(f"  {', '.join(f'{count:,} {word}' for word, count in ended.items() if count)}")
        print(f"  rejected: {', '.join(f'{count} {code}' for code, count in why.items())}")
    return int(given.check and (lines > BAR_LINES or why != PLANTED))


if __name__ == "__main__":
    sys.exit(main())
