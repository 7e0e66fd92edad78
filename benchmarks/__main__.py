"""`python -m benchmarks [--quick]`: run every measurement and check its bar, one after the other.

This takes about half an hour; `--quick` leaves out the long ones. Machines are noisy, so compare
ratios within one run.
"""

import argparse
import subprocess
import sys

QUICK = (
    "start_up",
    "import_speed",
    "resume",
    "explain",
    "pacing",
    "neighbour",
    "mappings",
    "check_speed",
    "presets",
    "first_import",
    "report_page",
)
LONG = (
    "pause",
    "shared_budget",
    "memory",
    "baseline",
    "plan",
    "lookups",
    "kills",
    "build_documents",
    "export_tables",
    "dump",
    "load",
    "dump_kills",
    "push",
    "deliveries",
    "webhooks",
)


def main() -> int:
    """Run all of them; return how many missed their bar."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    missed = []
    for name in QUICK if given.quick else QUICK + LONG:
        print(f"-- benchmarks.{name}", flush=True)
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}", "--check"], check=False).returncode:
            missed.append(name)
    print(f"missed: {', '.join(missed)}" if missed else "all bars are met")
    return len(missed)


if __name__ == "__main__":
    sys.exit(main())
