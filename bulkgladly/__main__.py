"""`python -m bulkgladly`, and the command `bulkgladly`."""

import sys

from bulkgladly.cli.streams import mend_streams

__all__ = ("main",)


def main() -> None:
    """Run the program and leave with its exit code."""
    mend_streams()
    from bulkgladly.cli.app import run  # noqa: PLC0415 - no file may be opened before the streams are mended

    sys.exit(run())


if __name__ == "__main__":
    main()
