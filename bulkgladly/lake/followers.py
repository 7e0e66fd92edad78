"""Who else brings a data set up to date: a process that receives its rows as they happen, and is running or not.

It writes down what it does, in a memo about the data set, each time it has published something. An export reads
this, and need not fetch what the other one brings.
"""

import contextlib
import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bulkgladly.documents import Members
from bulkgladly.errors import DataSetInUse, UsageError
from bulkgladly.lake.catalogue import Catalogue
from bulkgladly.lake.folder import DataFolder
from bulkgladly.storage.lock import Lock

__all__ = ("LANDING_S", "Follower", "follower_of", "lock_between_landings", "remember_follower", "running_follower")

LANDING_S = 60.0
"""For how long to wait for the lock of a folder while a follower runs, which holds it for moments only."""

_MEMO = "follower"
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Follower:
    """A process that adds rows to a data set at least every `land_every_s` seconds.

    `inbox` identifies what it receives into, whatever process does. `lock` is held as long as one does, on the
    machine that has this path. `entities` are those that it receives, and `landed_at` is when it last published.
    """

    inbox: str
    lock: Path
    entities: tuple[str, ...]
    land_every_s: int
    landed_at: dt.datetime

    def is_running(self) -> bool:
        """Tell whether a process holds its lock now; False if that cannot be found out."""
        with contextlib.suppress(OSError):
            return Lock(self.lock).is_held_by_anybody()
        return False


def remember_follower(folder: DataFolder, data_set: str, follower: Follower) -> None:
    """Remember a follower of a data set, in the place of the one before. Requires the lock of the folder.

    Raises:
        DiskFull: No space; what was remembered before is whole.
    """
    about: Mapping[str, Any] = {
        "format": _FORMAT,
        "inbox": follower.inbox,
        "lock": str(follower.lock.absolute()),
        "entities": list(follower.entities),
        "land_every_s": follower.land_every_s,
        "landed_at": follower.landed_at,
    }
    folder.remember(data_set, _MEMO, about)


def follower_of(folder: Catalogue, data_set: str) -> Follower | None:
    """Return the last follower of a data set; None if there never was one, or the memo cannot be used."""
    # The memo only saves requests, so damage costs some and is no reason to stop.
    with contextlib.suppress(UsageError, ValueError):
        found = Catalogue(folder.path).remembered(data_set, _MEMO)
        return None if found is None else _follower_in(found)
    return None


def running_follower(folder: Catalogue, data_set: str) -> Follower | None:
    """Return the last follower of a data set if it is running on this machine."""
    follower = follower_of(folder, data_set)
    return follower if follower is not None and follower.is_running() else None


def lock_between_landings(folder: DataFolder, data_set: str) -> DataFolder:
    """Lock a folder, and return it; if a follower of the data set runs, wait for up to a minute.

    Raises:
        DataSetInUse: Another process writes, and goes on writing.
        UsageError, DiskFull: As `DataFolder.lock`.
    """
    try:
        return folder.lock()
    except DataSetInUse:
        if running_follower(folder, data_set) is None:
            raise
    return folder.lock(wait_s=LANDING_S)


def _follower_in(memo: Mapping[str, Any]) -> Follower | None:
    members = Members(dict(memo), "the memo")
    if members.count("format") > _FORMAT:
        return None
    return Follower(
        members.text("inbox"),
        Path(members.text("lock")),
        tuple(str(name) for name in members.items("entities")),
        members.count("land_every_s"),
        members.time("landed_at"),
    )
