"""Fifty `kill -9` at random moments of a dump with 40 jobs of 5,000 items each.

    python -m benchmarks.dump_kills [--check]

Runs the soak test, which starts `dump` as a process of its own, kills it while it downloads,
converts or publishes, opens the data set as anybody would, and starts it again. There is one
bar: the data set is readable after every kill, and at the end every row is there once and
every hash is right.
"""

import argparse
import sys

from benchmarks.setting import soak


def main() -> int:
    """Run it and print the verdict; 1 when a row is missing, there twice, or cannot be read."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="has no effect: it always checks")
    parser.parse_args()
    return soak("test_dump_kill_minus_nine.py", "50 kills of a dump of 40 jobs", "always readable, every row once")


if __name__ == "__main__":
    sys.exit(main())
