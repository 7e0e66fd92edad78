"""A hundred `kill -9` at random moments of one import of 5,000 rows; some replies are lost after the commit.

    python -m benchmarks.kills [--check]

It runs the soak test, which starts the program as a process, kills it after a random number of
creates and resumes it. At the end it compares the emulator with the report. The bar: each customer
exists once, and each row is in exactly one result file.
"""

import argparse
import sys

from benchmarks.setting import soak


def main() -> int:
    """Run it and print the result; return 1 if a customer is missing or exists twice."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="has no effect: it always checks")
    parser.parse_args()
    return soak("test_kill_minus_nine.py", "100 kills over 5,000 rows", "every customer once, every row accounted for")


if __name__ == "__main__":
    sys.exit(main())
