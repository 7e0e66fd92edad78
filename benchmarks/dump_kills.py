"""Fifty `kill -9` at random moments of a dump of 40 jobs with 5,000 items each.

    python -m benchmarks.dump_kills [--check]

It runs the soak test, which starts `dump` as a process, kills it while it downloads, converts or
publishes, opens the data set as a user would, and starts the dump again. The bar: the data set is
readable after every kill, and at the end every row exists once and every hash is right.
"""

import argparse
import sys

from benchmarks.setting import soak


def main() -> int:
    """Run it and print the result; return 1 if a row is missing, exists twice, or cannot be read."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="has no effect: it always checks")
    parser.parse_args()
    return soak("test_dump_kill_minus_nine.py", "50 kills of a dump of 40 jobs", "always readable, every row once")


if __name__ == "__main__":
    sys.exit(main())
