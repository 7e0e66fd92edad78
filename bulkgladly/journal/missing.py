"""What the state knows and a run had no row of: for inputs that are all there is."""

import base64
import contextlib
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import orjson

from bulkgladly.journal.databases import reading
from bulkgladly.journal.reject_memory import RunScope
from bulkgladly.records import GONE
from bulkgladly.storage.failures import database_error

__all__ = (
    "KNOWN_BEFORE",
    "MissingRecord",
    "has_accepted_rows",
    "known_before",
    "known_in",
    "missing_records",
    "rejects_without_key",
    "rows_without_key",
)

KNOWN_BEFORE = "known_before"
"""The note in the journal of how many objects were known when the run began."""

_BETWEEN_CELLS = re.compile(r'[,;|\t\r\n"{}\[\]]|:(?= ?")')
_BETWEEN_WORDS = re.compile(r"[^\w.@#/-]+")
_GONE = f'"{GONE}"'
_KNOWN = (
    "host = ? AND resource = ? AND namespace = ? AND known.gladly_id <> ''"
    " AND known.key NOT LIKE 'content:%' AND instr(known.accepted, ?) = 0"
)
_AROUND = " \u00a0\ufeff'=:"


class MissingRecord(NamedTuple):
    """A source key and the id of its object. `made` is the id in the create, if an import is known to have sent one.

    `is_shared` tells whether another namespace knows the object as well, `is_kept` whether an earlier deletion has kept
    it, and no import has sent anything else since.
    """

    key: str
    gladly_id: str
    made: str | None
    is_shared: bool = False
    is_kept: bool = False


@contextlib.contextmanager
def missing_records(folder: Path, scope: RunScope) -> Iterator[Iterator[MissingRecord]]:
    """Give the source keys and ids of objects that earlier runs have sent and this run had no row of.

    A row that was rejected counts as there, also one that could not be read, if the key stands in it as a cell or a
    word. Records without a key of their own are left out: a changed row would be
    another record.

    Raises:
        JournalDamaged: The journal or the state cannot be read.
    """
    with reading(folder / "journal.sqlite") as journal:
        _note_unreadable(journal)
        # Statements over both files, so that SQLite sorts and compares, outside of our memory.
        journal.execute("ATTACH DATABASE ? AS state", (f"{scope.state.absolute().as_uri()}?mode=ro",))
        _gather_missing(journal, scope)
        _gather_others(journal, scope)
        rows = journal.execute(
            "SELECT key, gladly_id, made, gladly_id IN (SELECT gladly_id FROM temp.others), kept FROM temp.missing"
            # An object that another key of this run stands for is there, also if that row was rejected.
            " WHERE gladly_id NOT IN (SELECT gladly_id FROM temp.others WHERE namespace = ?) ORDER BY key",
            (scope.namespace,),
        )
        yield (
            MissingRecord(str(key), str(one), made, bool(is_shared), bool(kept))
            for key, one, made, is_shared, kept in rows
        )


def _gather_missing(journal: sqlite3.Connection, scope: RunScope) -> None:
    """Write the keys that earlier runs have sent and this run had no row of into the table `missing`."""
    whose = (scope.host, scope.resource, scope.namespace)
    journal.execute(
        "CREATE TEMP TABLE missing (gladly_id TEXT, key TEXT, made TEXT, kept INTEGER, PRIMARY KEY (gladly_id, key))"
        " WITHOUT ROWID"
    )
    journal.execute(
        "INSERT OR IGNORE INTO temp.missing"  # noqa: S608 - ours
        " SELECT known.gladly_id, known.key, made.gladly_id, kept.key IS NOT NULL FROM state.known"
        " JOIN state.scopes ON scopes.id = known.scope"
        " LEFT JOIN state.made ON made.scope = known.scope AND made.key = known.key"
        " LEFT JOIN state.kept ON kept.scope = known.scope AND kept.key = known.key"
        " AND kept.gladly_id = known.gladly_id AND kept.accepted = known.accepted"
        f" WHERE {_KNOWN}"
        " AND known.key NOT IN (SELECT key FROM main.records WHERE key IS NOT NULL)"
        " AND known.key NOT IN (SELECT text FROM temp.unreadable)"
        # The same object may also be known by the former spelling of its key.
        " AND known.gladly_id NOT IN (SELECT gladly_id FROM main.records WHERE gladly_id IS NOT NULL)",
        (*whose, _GONE),
    )


def _gather_others(journal: sqlite3.Connection, scope: RunScope) -> None:
    """Write under which other keys the missing objects are known into the table `others`."""
    journal.execute("CREATE TEMP TABLE others (gladly_id TEXT, namespace TEXT)")
    journal.execute(
        "INSERT INTO temp.others SELECT known.gladly_id, namespace FROM state.known"
        " JOIN state.scopes ON scopes.id = known.scope WHERE host = ? AND resource = ?"
        " AND known.gladly_id IN (SELECT gladly_id FROM temp.missing) AND instr(known.accepted, ?) = 0"
        " AND (namespace <> ? OR known.key IN (SELECT key FROM main.records WHERE key IS NOT NULL)"
        " OR known.key IN (SELECT text FROM temp.unreadable))",
        (scope.host, scope.resource, _GONE, scope.namespace),
    )


def known_in(scope: RunScope) -> int:
    """Return how many objects with a key of their own are known in a scope now.

    Raises:
        JournalDamaged: The state cannot be read.
    """
    if not scope.state.is_file():
        return 0
    sql = f"SELECT count(*) FROM known JOIN scopes ON scopes.id = known.scope WHERE {_KNOWN}"  # noqa: S608 - ours
    values = (scope.host, scope.resource, scope.namespace, _GONE)
    try:
        with contextlib.closing(_read_only(scope.state)) as state:
            return int(state.execute(sql, values).fetchone()[0])
    except sqlite3.Error as error:
        raise database_error(error, scope.state) from error


def known_before(folder: Path) -> int | None:
    """Return how many objects were known when a run began; None if that was not noted.

    Raises:
        JournalDamaged: The journal cannot be read.
    """
    with reading(folder / "journal.sqlite") as journal:
        row = journal.execute("SELECT value FROM meta WHERE name = ?", (KNOWN_BEFORE,)).fetchone()
        return None if row is None else int(row[0])


def _read_only(state: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{state.absolute().as_uri()}?mode=ro", uri=True, timeout=10)


def _note_unreadable(journal: sqlite3.Connection) -> None:
    """Put what may be keys in rows that could not be read into a table, outside of our memory."""
    journal.execute("CREATE TEMP TABLE unreadable (text TEXT PRIMARY KEY) WITHOUT ROWID")
    rows = journal.execute("SELECT original FROM main.records WHERE key IS NULL AND original IS NOT NULL")
    for (original,) in rows:
        words = ((word,) for word in _words(original))
        journal.executemany("INSERT OR IGNORE INTO temp.unreadable VALUES (?)", words).close()


def _words(original: bytes) -> Iterator[str]:
    note = orjson.loads(original or b"{}").get("_bulkgladly")
    if not isinstance(note, dict):
        return
    text = str(note.get("raw", ""))
    if "raw_base64" in note:
        text = base64.b64decode(str(note["raw_base64"])).decode("utf-8", "replace")
    for between in (_BETWEEN_CELLS, _BETWEEN_WORDS):
        for word in between.split(text):
            yield word.strip(_AROUND)


def has_accepted_rows(folder: Path) -> bool:
    """Tell whether a run had a row that names its key and was not rejected."""
    with reading(folder / "journal.sqlite") as journal:
        sql = "SELECT 1 FROM records WHERE key IS NOT NULL AND word <> 'rejected' LIMIT 1"
        return journal.execute(sql).fetchone() is not None


def rows_without_key(folder: Path) -> int:
    """Return how many rows of a run name no key, however they ended, without those that are no records."""
    with reading(folder / "journal.sqlite") as journal:
        sql = (
            "SELECT count(*) FROM records WHERE key IS NULL AND word NOT IN ('created', 'updated', 'unchanged')"
            " AND coalesce(code, '') NOT IN ('blank_row', 'header_again')"
        )
        return int(journal.execute(sql).fetchone()[0])


def rejects_without_key(folder: Path) -> int:
    """Return how many rejected rows of a run name no key, so that nobody knows which records they are about."""
    with reading(folder / "journal.sqlite") as journal:
        sql = "SELECT count(*) FROM records WHERE word = 'rejected' AND key IS NULL"
        return int(journal.execute(sql).fetchone()[0])
