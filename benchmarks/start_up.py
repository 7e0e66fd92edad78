"""How long the program takes to print its help, and to answer a shell at Tab.

    python -m benchmarks.start_up [--runs 7] [--check]

Bar: 0.5 s for `bulkgladly --help`, `bulkgladly import --help` and `bulkgladly import <Tab>`. The time of
an empty Python program is printed as well, as a measure of the machine.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping

from benchmarks.setting import machine

BAR_S = 0.5
COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "bulkgladly --help": ["-m", "bulkgladly", "--help"],
    "bulkgladly import --help": ["-m", "bulkgladly", "import", "--help"],
    "bulkgladly import <Tab>": ["-m", "bulkgladly"],
}
TAB = {"_BULKGLADLY_COMPLETE": "complete_bash", "COMP_WORDS": "bulkgladly import ", "COMP_CWORD": "2"}


def seconds_of(arguments: list[str], more: Mapping[str, str]) -> float:
    """Run a Python process with more variables; return its duration in seconds."""
    started = time.perf_counter()
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True, env={**os.environ, **more})
    return time.perf_counter() - started


def main() -> int:
    """Print the median of each; with --check return 1 if one is above the bar."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    print(f"start-up; {machine()}; bar {BAR_S} s")
    missed = False
    for name, arguments in COMMANDS.items():
        more = TAB if name.endswith("<Tab>") else {}
        times = [seconds_of(arguments, more) for _ in range(given.runs)]
        middle = statistics.median(times)
        print(f"  {name:<26} {middle:.2f} s [{min(times):.2f}..{max(times):.2f}]")
        missed |= middle > BAR_S
    return int(given.check and missed)


if __name__ == "__main__":
    sys.exit(main())
