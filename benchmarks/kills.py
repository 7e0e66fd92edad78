"""A hundred `kill -9` at random moments of one import of 5,000 rows, replies dropped after the commit.

    python -m benchmarks.kills [--check]

Runs the soak test, which starts the program as a process of its own, kills it after a random
number of creates, resumes it, and compares the emulator with the report at the end: each
customer once, each row in exactly one result file. There is one bar: it passes.
"""

import argparse
import sys

from benchmarks.setting import soak


def main() -> int:
    """Run it and print the verdict; 1 when a customer is missing, or there twice."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="has no effect: it always checks")
    parser.parse_args()
    return soak("test_kill_minus_nine.py", "100 kills over 5,000 rows", "every customer once, every row accounted for")


if __name__ == "__main__":
    sys.exit(main())
