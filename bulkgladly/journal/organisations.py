"""Which organisation each host has turned out to be, so that a plan can name it without a request."""

import contextlib
import sqlite3
from pathlib import Path

from bulkgladly.journal.databases import open_state
from bulkgladly.storage.failures import database_error

__all__ = ("organisation_of", "remember_organisation")


def remember_organisation(state: Path, host: str, organisation: str) -> None:
    """Keep the id of the organisation behind a host, if there is a state. Nothing is written if it is known already.

    Raises:
        DiskFull, JournalDamaged, JournalError: The state cannot be used.
    """
    # Only imports make a state; a run that leaves nothing to remember does not begin one.
    if not state.is_file() or organisation_of(state, host) == organisation:
        return
    connection = open_state(state)
    try:
        connection.execute("INSERT OR REPLACE INTO organisations VALUES (?, ?)", (host, organisation))
    except sqlite3.Error as error:
        raise database_error(error, state) from error
    finally:
        connection.close()


def organisation_of(state: Path, host: str) -> str | None:
    """Return the id of the organisation behind a host; None if no run has seen it yet.

    Raises:
        JournalDamaged: The state cannot be read.
    """
    if not state.is_file():
        return None
    uri = f"{state.absolute().as_uri()}?mode=ro"
    try:
        with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=10)) as connection:
            known = connection.execute("SELECT name FROM sqlite_master WHERE name = 'organisations'").fetchone()
            if known is None:  # an older version wrote it
                return None
            found = connection.execute("SELECT id FROM organisations WHERE host = ?", (host,)).fetchone()
    except sqlite3.Error as error:
        raise database_error(error, state) from error
    return None if found is None else str(found[0])
