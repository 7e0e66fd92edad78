"""Opening the two databases: for their one writer, and for readers beside it. Errors name the file."""

import contextlib
import sqlite3
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from bulkgladly.errors import JournalDamaged, JournalError
from bulkgladly.journal.schema import JOURNAL, JOURNAL_VERSION, STATE, make_tables
from bulkgladly.storage.durable import touch_private
from bulkgladly.storage.failures import database_error, file_error
from bulkgladly.storage.write_ahead import write_ahead

__all__ = ("has_rows", "journal_version", "open_durable", "open_journal", "open_reader", "open_state", "reading")

LOCK_WAIT_S = 60.0


def open_journal(journal: Path) -> sqlite3.Connection:
    """Open a run's journal for writing, or create it. Each commit is on the disk when it returns (`synchronous=FULL`).

    Its tables and its version are written in one transaction: killed before its commit, the version is 0.

    Raises:
        DiskFull: There is no room to create or to open it.
        JournalDamaged: Not a journal, or one written by a newer version.
        JournalError: It cannot be opened.
    """
    # An index of claims is changed all over: the rarer the checkpoints, the more changes share one copied page.
    return open_durable(journal, JOURNAL, JOURNAL_VERSION, pragmas=("cache_size=-8000", "wal_autocheckpoint=8000"))


def open_durable(
    path: Path, tables: str, version: int, *, pragmas: Sequence[str] = (), wait_s: float = LOCK_WAIT_S
) -> sqlite3.Connection:
    """Open a database for its writer, or create it, with its tables. Each commit is on the disk when it returns.

    `version` is the one that this program writes; an older file gets it. `wait_s` is how long a write waits for
    another process that holds the file.

    Raises:
        DiskFull, JournalDamaged, JournalError: As `open_journal`.
    """
    connection = _opened(path, wait_s)
    try:
        for pragma in ("synchronous=FULL", *pragmas):
            connection.execute(f"PRAGMA {pragma}")
        found = connection.execute("PRAGMA user_version").fetchone()[0]
        if found > version:
            raise JournalDamaged(f"{path} was written by a newer version of bulkgladly; use that version")
        make_tables(connection, tables, version=version if found < version else None)
    except BaseException as error:
        connection.close()
        raise _as_ours(error, path) from error
    return connection


def open_state(state: Path, *, is_synced: bool = False, wait_s: float = LOCK_WAIT_S) -> sqlite3.Connection:
    """Open the state, which outlives runs, for writing, on a connection of its own.

    It is committed before the journal, so that all that a journal has as settled is known
    here: in WAL mode one commit over both files is not one step. Unless `is_synced`, a power
    failure may lose the last commits; where ids are derived that costs requests later, and
    never creates a duplicate. It waits up to `wait_s` for another writer.

    Raises:
        DiskFull, JournalDamaged, JournalError: The state cannot be used.
    """
    connection = _opened(state, wait_s)
    try:
        connection.execute(f"PRAGMA synchronous={'FULL' if is_synced else 'NORMAL'}")
        connection.execute("PRAGMA cache_size=-32000")
        make_tables(connection, STATE)
    except BaseException as error:
        connection.close()
        raise _as_ours(error, state) from error
    return connection


def _opened(path: Path, wait_s: float = LOCK_WAIT_S) -> sqlite3.Connection:
    connection = None
    try:
        touch_private(path)
        if not stat.S_ISREG(path.lstat().st_mode):
            raise JournalError(f"{path} is not a regular file; put the file itself there, not a link to it")
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=wait_s)
        write_ahead(connection, wait_s)
    except BaseException as error:
        if connection is not None:
            connection.close()
        raise _as_ours(error, path) from error
    return connection


def journal_version(journal: Path) -> int:
    """Return the version of a journal: 0 if there is none, or if its creation was interrupted.

    Raises:
        JournalDamaged, JournalError: It cannot be read.
    """
    try:
        # The creation of an empty file was interrupted before SQLite wrote to it: there is nothing to open.
        if not journal.stat().st_size:
            return 0
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise file_error(error, journal) from error
    with _connected(journal) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def open_reader(journal: Path, newest: int = JOURNAL_VERSION) -> sqlite3.Connection:
    """Open a journal, or another database whose newest version is `newest`, for reading beside its writer.

    Raises:
        JournalDamaged: There is no journal, its creation was interrupted, or it cannot be read.
    """
    version = journal_version(journal)
    if version == 0:
        raise JournalDamaged(f"{journal} cannot be read: it is missing, or it was never finished")
    if version > newest:
        raise JournalDamaged(f"{journal} was written by a newer version of bulkgladly; use that version")
    try:
        return _connect_to_read(journal)
    except sqlite3.Error as error:
        raise database_error(error, journal) from error


def has_rows(journal: Path) -> bool:
    """Tell whether a journal holds anything that was requested, sent or read.

    Raises:
        JournalDamaged: As `open_reader`, also if a later part of it is damaged.
    """
    with reading(journal) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        return any(
            connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone()  # noqa: S608 - names of our own
            for table in ("records", "intents", "writes", "units", "fetched", "verdicts")
            if table in tables
        )


@contextlib.contextmanager
def reading(journal: Path) -> Iterator[sqlite3.Connection]:
    """Open a journal for reading, and close it; SQLite's errors within the block become ours.

    Raises:
        JournalDamaged: As `open_reader`, also if a later part of it is damaged.
    """
    connection = open_reader(journal)
    with contextlib.closing(connection), _ours(journal):
        yield connection


@contextlib.contextmanager
def _connected(path: Path) -> Iterator[sqlite3.Connection]:
    with _ours(path), contextlib.closing(_connect_to_read(path)) as connection:
        yield connection


def _connect_to_read(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=10, check_same_thread=False)


@contextlib.contextmanager
def _ours(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise database_error(error, path) from error


def _as_ours(error: BaseException, path: Path) -> BaseException:
    return database_error(error, path) if isinstance(error, sqlite3.Error | OSError | UnicodeDecodeError) else error
