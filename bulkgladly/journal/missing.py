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

__all__ = ("MissingRecord", "known_records", "missing_records", "rejects_without_key", "rows_without_key")

_BETWEEN_CELLS = re.compile(r'[,;|\t\r\n"{}\[\]]|:(?= ?")')
_BETWEEN_WORDS = re.compile(r"[^\w.@#/-]+")
_GONE = f'"{GONE}"'
_AROUND = " \u00a0\ufeff'=:"


class MissingRecord(NamedTuple):
    """A source key and the id of its object. `made` is the id in the create, if an import is known to have sent one."""

    key: str
    gladly_id: str
    made: str | None


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
        # One statement over both files, so that SQLite sorts and compares, outside of our memory.
        journal.execute("ATTACH DATABASE ? AS state", (f"{scope.state.absolute().as_uri()}?mode=ro",))
        rows = journal.execute(
            "SELECT known.key, known.gladly_id, made.gladly_id FROM state.known"
            " JOIN state.scopes ON scopes.id = known.scope"
            " LEFT JOIN state.made ON made.scope = known.scope AND made.key = known.key"
            " WHERE host = ? AND resource = ? AND namespace = ? AND known.gladly_id <> ''"
            " AND known.key NOT LIKE 'content:%' AND instr(known.accepted, ?) = 0"
            " AND known.key NOT IN (SELECT key FROM main.records WHERE key IS NOT NULL)"
            " AND known.key NOT IN (SELECT text FROM temp.unreadable)"
            # The same object may also be known by the former spelling of its key.
            " AND known.gladly_id NOT IN (SELECT gladly_id FROM main.records WHERE gladly_id IS NOT NULL)"
            " ORDER BY known.key",
            (scope.host, scope.resource, scope.namespace, _GONE),
        )
        yield (MissingRecord(str(key), str(gladly_id), made) for key, gladly_id, made in rows)


def known_records(folder: Path, scope: RunScope) -> int:
    """Return how many objects with a key of their own earlier runs have sent or found, this one included.

    Raises:
        JournalDamaged: The journal or the state cannot be read.
    """
    with reading(folder / "journal.sqlite") as journal:
        journal.execute("ATTACH DATABASE ? AS state", (f"{scope.state.absolute().as_uri()}?mode=ro",))
        row = journal.execute(
            "SELECT count(*) FROM state.known JOIN state.scopes ON scopes.id = known.scope"
            " WHERE host = ? AND resource = ? AND namespace = ? AND known.gladly_id <> ''"
            " AND known.key NOT LIKE 'content:%' AND instr(known.accepted, ?) = 0",
            (scope.host, scope.resource, scope.namespace, _GONE),
        ).fetchone()
        return int(row[0])


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
