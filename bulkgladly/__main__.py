"""`python -m bulkgladly`, and the command `bulkgladly`."""

import sys

from bulkgladly.cli.app import run

__all__ = ("main",)


def main() -> None:
    """Run the program and leave with its exit code."""
    sys.exit(run())


if __name__ == "__main__":
    main()
