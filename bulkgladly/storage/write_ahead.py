"""SQLite files that one process writes while others read."""

import sqlite3
import time

from bulkgladly.storage.failures import is_locked

__all__ = ("write_ahead",)

_PAUSE_S = 0.01


def write_ahead(connection: sqlite3.Connection, wait_s: float) -> None:
    """Switch to WAL, and try again if another process does so at the same moment: SQLite does not wait for it.

    Raises:
        sqlite3.Error: It could not be switched within `wait_s`.
    """
    deadline = time.monotonic() + wait_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if not is_locked(error) or time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE_S)
        else:
            return
