"""The marker of a data folder: that it is one, whose data it holds, and in which format."""

import datetime as dt
from pathlib import Path

from bulkgladly._version import __version__
from bulkgladly.errors import InputError, UsageError
from bulkgladly.lake.disk import full_disk_named, partial_of, write_whole
from bulkgladly.lake.places import MARKER
from bulkgladly.lake.strict_json import as_json, members_of

__all__ = ("FORMAT", "host_in", "refuse_foreign", "write_marker")

FORMAT = 1


def refuse_foreign(path: Path) -> None:
    """Make sure that a folder without a marker is empty, but for a marker that was cut.

    Raises:
        UsageError: It is somebody else's.
    """
    strange = sorted(found.name for found in path.iterdir() if found.name != partial_of(path / MARKER).name)
    if strange:
        raise UsageError(
            f"{path} holds {strange[0]!r} and is no data set of bulkgladly; choose an empty or a new folder"
        )


def write_marker(path: Path, host: str | None, now: dt.datetime) -> None:
    """Make a folder ours. `host` None leaves open whose data it will hold.

    Raises:
        DiskFull: No space.
    """
    content = {"format": FORMAT, "host": host, "created_at": now, "version": __version__}
    with full_disk_named(path):
        write_whole(path / MARKER, as_json(content))


def host_in(path: Path) -> str | None:
    """Return whose data a folder holds.

    Raises:
        UsageError: It was written by a newer version.
        InputError: Its marker is damaged.
    """
    marker = path / MARKER
    try:
        members = members_of(marker.read_bytes(), FORMAT)
        if members is None:
            raise UsageError(f"{path} was written by a newer version of bulkgladly; use that version")
        host = members.text_or_none("host")
        members.time("created_at")
        members.text("version")
        members.end()
    except ValueError as exc:
        raise InputError(f"{marker} is damaged: {exc}; restore it, or choose another folder") from exc
    return host
