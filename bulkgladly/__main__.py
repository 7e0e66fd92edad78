"""`python -m bulkgladly`, and the command `bulkgladly`."""

import gc
import sys

from bulkgladly.cli.streams import mend_streams

__all__ = ("main",)

_OBJECTS_BETWEEN_LOOKS = 100_000


def main() -> None:
    """Run the program and leave with its exit code."""
    mend_streams()
    from bulkgladly.cli.app import run  # noqa: PLC0415 - no file may be opened before the streams are mended

    # Objects of a run live for one request, or for one batch of a thousand rows, and rarely refer to each other in
    # circles. Looking for circles ten times as often took a tenth of the CPU of an import of unchanged rows.
    gc.freeze()
    gc.set_threshold(_OBJECTS_BETWEEN_LOOKS)
    sys.exit(run())


if __name__ == "__main__":
    main()
