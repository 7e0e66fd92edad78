"""Where the files of a budget are, and which clock their times are from."""

import hashlib
import os
import platform
from collections.abc import Mapping
from pathlib import Path

__all__ = ("boot_id", "budget_path")

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_TIME_NAMESPACE = Path("/proc/self/ns/time")
_PROGRAM = "bulkgladly"


def budget_path(host: str, environment: Mapping[str, str] | None = None) -> Path:
    """Return the path of the SQLite file for the budget of an organisation, whose base URL is `host`.

    It is in `$XDG_CACHE_HOME/bulkgladly`, or in `~/.cache/bulkgladly` if that is not an absolute path.

    Raises:
        OSError: There is no home folder.
    """
    env = os.environ if environment is None else environment
    cache = Path(env.get("XDG_CACHE_HOME", ""))
    if not cache.is_absolute():
        try:
            cache = Path.home() / ".cache"
        except RuntimeError as error:
            raise FileNotFoundError(str(error)) from error
    name = hashlib.blake2b(host.lower().encode(), digest_size=8).hexdigest()
    return cache / _PROGRAM / f"budget-{name}.sqlite"


def boot_id() -> str:
    """Return a name for the clock `time.monotonic` of this machine since its last start.

    Times of one name can be compared. Where the system has no name for a start, it is the name of the machine: after
    a restart the old times are then too far in the future to be believed.
    """
    try:
        found = _BOOT.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        found = platform.node()
    try:
        # A container may have a monotonic clock of its own.
        return f"{found} {_TIME_NAMESPACE.readlink()}"
    except OSError:
        return found
