"""How a person steers a run from another process: two small files in the run's folder.

`steering.json` holds what a person wants, written by the command, whole or not at all. `steering-seen.json` is the
run's reply: what it obeys now, and how far it is. Orders name the session that they are for, so that a later session
is not paused by an old one. No clock decides anything, and whatever else stands in the files counts as nothing.
"""

import datetime as dt
import os
import stat
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import orjson

from bulkgladly.errors import JournalError
from bulkgladly.journal.databases import reading
from bulkgladly.storage.durable import write_private
from bulkgladly.storage.failures import file_error
from bulkgladly.storage.lock import Lock

__all__ = (
    "STEERED",
    "Obeyed",
    "Orders",
    "event_of",
    "obeyed_in",
    "orders_in",
    "orders_lock",
    "steered_events",
    "write_steering",
)

STEERED = "steered"
"""The note in the journal: a list of what was ordered, each with `at`, `what` and `value`."""
_ORDERS, _OBEYED, _LOCK = "steering.json", "steering-seen.json", "steering.lock"
_MOST_BYTES = 4096
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Orders:
    """What a person wants of one session. `number` grows with each order; `rate` None means the run's own pace."""

    session: str
    number: int = 0
    is_paused: bool = False
    is_stopped: bool = False
    rate: float | None = None


@dataclass(frozen=True, slots=True)
class Obeyed:
    """What a session obeys, and how far it was when it wrote this.

    `number` is that of the orders. `per_second` is what the pace allows (None: no limit); `why` says why nothing leaves
    all the same, if so, by the word of a person or a schedule, and `waiting` what else holds requests up. `pid` is the
    session's process, and below 0 when it has sent its last request and writes its results (0 in older versions). A
    killed one does not say so, so ask the lock first.
    """

    session: str
    number: int
    pid: int
    is_paused: bool
    is_stopped: bool
    rate: float | None
    per_second: float | None
    why: str
    done: int
    total: int
    is_exact: bool
    things: str
    in_flight: int
    waiting: str = ""


T = TypeVar("T", Orders, Obeyed)


def orders_in(folder: Path) -> Orders | None:
    """Return the last orders for a run; None if there are none.

    Raises:
        ValueError: What is there is not an order of this user; the message says why.
    """
    return _read(folder / _ORDERS, Orders)


def obeyed_in(folder: Path) -> Obeyed | None:
    """Return what the last session of a run has obeyed; None if it has not said so, or what is there makes no sense."""
    try:
        return _read(folder / _OBEYED, Obeyed)
    except ValueError:
        return None


def write_steering(folder: Path, content: Orders | Obeyed) -> None:
    """Write orders or their reply, whole or not at all, for this user alone.

    Raises:
        DiskFull, JournalError: It cannot be written; what was there before is still there.
    """
    path = folder / (_ORDERS if isinstance(content, Orders) else _OBEYED)
    try:
        write_private(path, orjson.dumps({"format": _FORMAT, **asdict(content)}))
    except OSError as error:
        raise file_error(error, path) from error


def orders_lock(folder: Path) -> Lock:
    """Return the lock that lets one command at a time change the orders, so that none of them gets lost."""
    return Lock(folder / _LOCK)


def steered_events(folder: Path) -> list[Mapping[str, Any]]:
    """Return what was ordered in all sessions of a run, the oldest first; nothing if that cannot be read."""
    try:
        with reading(folder / "journal.sqlite") as connection:
            row = connection.execute("SELECT value FROM meta WHERE name = ?", (STEERED,)).fetchone()
            found = orjson.loads(row[0]) if row else []
    except (JournalError, ValueError):
        return []
    return [event for event in found if isinstance(event, dict)] if isinstance(found, list) else []


def event_of(what: str, value: float | None, now: dt.datetime) -> Mapping[str, Any]:
    """Return one event for the journal: `paused`, `continued`, `rate`, `schedule` or `stopped`."""
    return {"at": now.astimezone(dt.UTC).isoformat(timespec="seconds"), "what": what, "value": value}


def _read(path: Path, kind: type[T]) -> T | None:
    try:
        content = _bytes_of(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ValueError(f"{path.name} cannot be read: {error.strerror}") from None
    try:
        return _checked(kind, orjson.loads(content))
    except (ValueError, TypeError, KeyError, AttributeError):
        raise ValueError(f"{path.name} is damaged, or was not written by bulkgladly") from None


def _bytes_of(path: Path) -> bytes:
    # Not through a link, and without waiting for a writer if it is a pipe.
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode) or about.st_uid not in (os.geteuid(), 0) or about.st_mode & 0o022:
            raise OSError(0, "another user may have written it")
        return os.read(handle, _MOST_BYTES)
    finally:
        os.close(handle)


def _checked(kind: type[T], found: Any) -> T:
    if found.pop("format") != _FORMAT:
        raise ValueError("another format")
    made = kind(**found)
    for name, hint in kind.__annotations__.items():
        value = getattr(made, name)
        # `type`, because True is an int for `isinstance`.
        if not (type(value) is hint or (hint == float | None and (value is None or type(value) is float))):
            raise TypeError(name)
    if isinstance(made, Orders) and not (made.rate is None or 0 < made.rate < float("inf")):
        raise ValueError("rate")
    return made
