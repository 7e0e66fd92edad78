"""What a data set says, as an index on disk: objects by their ids, and by addresses that only one of them has.

The file is built aside and gets its name when it is whole, so it is there or not at all. It is never changed
afterwards. It holds personal values, so only the user can read it.
"""

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from bulkgladly.errors import BulkgladlyError, JournalDamaged
from bulkgladly.gladly.identity import digest64
from bulkgladly.journal.schema import insert_rows
from bulkgladly.storage.durable import partial_of, sync_file, sync_folder, touch_private
from bulkgladly.storage.failures import database_error

__all__ = ("ASKED", "BaselineIndex", "HeldObject", "IndexBuilder", "IndexedRow", "id_digest", "remove_index")

FORMAT = 2
_WITHOUT_MERGES = 1
"""The format of an older version, whose runs are still resumed."""
ASKED = "_asked_id"
"""The member of a held object with the id that was asked for, if that was merged into the object."""
_GROUP = 500
_MOST_MERGES = 5
"""How many merges, one after the other, lead from an id to an object."""
_TABLES = """
CREATE TABLE objects (n INTEGER PRIMARY KEY, whole INTEGER NOT NULL, at INTEGER NOT NULL, held BLOB NOT NULL);
CREATE TABLE ids (digest INTEGER PRIMARY KEY, n INTEGER, whole INTEGER NOT NULL, at INTEGER NOT NULL);
CREATE TABLE read_ids (digest INTEGER, n INTEGER, whole INTEGER, at INTEGER, line INTEGER);
CREATE TABLE merged (
    digest INTEGER PRIMARY KEY, old TEXT NOT NULL, target INTEGER NOT NULL, heir TEXT NOT NULL, at INTEGER NOT NULL
);
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
# Sorted at once, so that the tree is written from one end to the other; of each id, the last one stays.
_NEWEST = "INSERT OR REPLACE INTO ids SELECT digest, n, whole, at FROM read_ids ORDER BY digest, whole, at, line, n"
# Gone at the time of `at`: what was fetched before that no longer counts.
_GONE = (
    "UPDATE ids SET n = NULL WHERE digest = ? AND at <= ?",
    "DELETE FROM merged WHERE digest = ? AND at <= ?",
)
_MERGED = (
    "INSERT INTO merged VALUES (?, ?, ?, ?, ?) ON CONFLICT (digest) DO UPDATE"
    " SET target = excluded.target, heir = excluded.heir, at = excluded.at WHERE excluded.at >= merged.at"
)
# An object that was fetched under its own id afterwards was not merged.
_NOT_MERGED = (
    "DELETE FROM merged WHERE digest IN (SELECT ids.digest FROM ids JOIN merged ON merged.digest = ids.digest"
    " WHERE ids.n IS NOT NULL AND ids.whole AND ids.at > merged.at)"
)
# The object into which another was merged may have been merged itself.
_NEXT = "SELECT {} FROM merged AS next WHERE next.digest = merged.target"
_FOLLOWED = (
    f"UPDATE merged SET target = ({_NEXT.format('target')}), heir = ({_NEXT.format('heir')}),"  # noqa: S608 - ours
    f" at = max(at, ({_NEXT.format('at')})) WHERE target IN (SELECT digest FROM merged)"
)
_ENDLESS = "DELETE FROM merged WHERE target IN (SELECT digest FROM merged)"
_REPLACED = "UPDATE ids SET n = NULL WHERE digest IN (SELECT digest FROM merged)"


def id_digest(gladly_id: str) -> int:
    """Return the hash under which an id is found."""
    return digest64("held id", gladly_id)


class HeldObject(NamedTuple):
    """An object as the data set has it. `number` is its number in the index, `at` when it was fetched (µs)."""

    number: int
    is_whole: bool
    at: int
    held: dict[str, Any]


class IndexedRow(NamedTuple):
    """A row on its way into the index. `digests` are those of the ids under which it is found."""

    digests: Sequence[int]
    is_whole: bool
    at: int
    line: int
    held: bytes


class IndexBuilder:
    """Writes an index. Nothing of it remains if the process ends before `finish`, except a hidden file."""

    def __init__(self, path: Path) -> None:
        """Begin again, whatever an earlier process has left.

        Raises:
            DiskFull, JournalError: It cannot be written.
        """
        self._path, self._partial = path, partial_of(path)
        self._number = 0
        with _ours(path):
            self._partial.unlink(missing_ok=True)
            touch_private(self._partial)
            self._connection = sqlite3.connect(self._partial, isolation_level=None, check_same_thread=False)
            # Without a journal: the file is thrown away if the process does not get to its end.
            for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-40000", "temp_store=FILE"):
                self._connection.execute(f"PRAGMA {pragma}").close()
            self._connection.executescript(_TABLES)
            self._connection.execute("BEGIN")

    def add(self, rows: Sequence[IndexedRow]) -> None:
        """Add rows; the newest of each id counts, and a whole one before any other."""
        numbered = list(enumerate(rows, self._number))
        self._number += len(rows)
        with _ours(self._path):
            objects = [(n, whole, at, held) for n, (_, whole, at, _, held) in numbered]
            insert_rows(self._connection, "INSERT INTO objects", objects)
            ids = [(digest, n, whole, at, line) for n, (all_, whole, at, line, _) in numbered for digest in all_]
            insert_rows(self._connection, "INSERT INTO read_ids", ids)

    def merge(self, merges: Iterable[tuple[str, str, int]]) -> None:
        """Add what was merged: the id, that of the object that remains, and when it was known (µs)."""
        with _ours(self._path):
            rows = [(id_digest(old), old, id_digest(heir), heir, at) for old, heir, at in merges if old != heir]
            self._connection.executemany(_MERGED, rows)

    def finish(self, about: Mapping[str, Any], gone: Sequence[tuple[int, int]] = ()) -> None:
        """Give the index its name; `about` is what `BaselineIndex.about` returns then.

        Objects that Gladly no longer had at a time are left out; `gone` has the digests of their ids, with that time.
        """
        with _ours(self._path):
            self._connection.execute(_NEWEST)
            self._connection.execute("DROP TABLE read_ids")
            for statement in _GONE:
                self._connection.executemany(statement, gone)
            self._follow_merges()
            seen = bytearray(self._number)
            for (number,) in self._connection.execute("SELECT n FROM ids WHERE n IS NOT NULL"):
                seen[number] = 1
            meta = {"format": FORMAT, "objects": sum(seen), **about}
            self._connection.execute("INSERT INTO meta VALUES ('about', ?)", (orjson.dumps(meta).decode(),))
            self._connection.execute("COMMIT")
            self._connection.close()
            sync_file(self._partial)
            # The addresses of an earlier index lead to the numbers of that one.
            _addresses_of(self._path).unlink(missing_ok=True)
            self._partial.replace(self._path)
            sync_folder(self._path.parent)

    def _follow_merges(self) -> None:
        """Let each id that was merged lead to the object that remains, and to nothing else."""
        for statement in (_NOT_MERGED, *[_FOLLOWED] * _MOST_MERGES, _ENDLESS, _REPLACED):
            self._connection.execute(statement).close()

    def abandon(self) -> None:
        """Remove what was written; after `finish` it does nothing."""
        self._connection.close()
        with contextlib.suppress(OSError):
            self._partial.unlink(missing_ok=True)


class BaselineIndex:
    """An index that is read. Used by one thread at a time. Close it after use."""

    def __init__(self, path: Path) -> None:
        """Open an index.

        Raises:
            FileNotFoundError: There is none.
            JournalDamaged: It cannot be read.
        """
        self.path = path
        path.stat()
        self._has_addresses = False
        with _ours(path):
            uri = f"{path.absolute().as_uri()}?mode=ro"
            self._connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
            self._connection.execute("PRAGMA cache_size=-32000").close()
            row = self._connection.execute("SELECT value FROM meta WHERE name = 'about'").fetchone()
            self.about: Mapping[str, Any] = orjson.loads(row[0])
            written = self.about["format"]
            if written not in (_WITHOUT_MERGES, FORMAT):
                self._connection.close()
                raise JournalDamaged(f"{path} was written by another version of bulkgladly")
            has_merges = "SELECT 1 FROM merged LIMIT 1"
            self._has_merges = written == FORMAT and self._connection.execute(has_merges).fetchone() is not None

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def by_id(self, ids: Iterable[str]) -> dict[str, HeldObject]:
        """Return the newest object of each id that there is.

        For an id that was merged that is the object that remains, with the id as `ASKED`. One that was fetched before
        the merge is left out: nobody knows what it holds since.
        """
        asked = {id_digest(one): one for one in ids}
        found = self._found("SELECT digest, objects.n, objects.whole, objects.at, held FROM ids", list(asked))
        if self._has_merges:
            found |= self._survivors(list(asked))
        return {
            name: one
            for digest, one in found.items()
            if one.held["id"] == (name := asked[digest]) or one.held.get(ASKED) == name
        }

    def _survivors(self, digests: Sequence[int]) -> dict[int, HeldObject]:
        found = {}
        sql = (
            "SELECT merged.digest, objects.n, objects.whole, objects.at, held, old, heir FROM merged"
            " JOIN ids ON ids.digest = merged.target JOIN objects ON objects.n = ids.n AND objects.at >= merged.at"
            " WHERE merged.digest IN"
        )
        for digest, number, whole, at, held, old, heir in self._rows(sql, digests):
            survivor = orjson.loads(held)
            if survivor["id"] == heir:
                found[digest] = HeldObject(number, bool(whole), at, {**survivor, ASKED: old})
        return found

    def by_address(self, digests: Sequence[int]) -> dict[int, HeldObject | None]:
        """Return the object that has an address, by the digest of the address; None if several have it."""
        sql = "SELECT digest FROM addresses.addresses WHERE n = -1"
        several: dict[int, HeldObject | None] = dict.fromkeys(
            digest for (digest,) in self._rows(f"{sql} AND digest IN", digests)
        )
        found = self._found(
            "SELECT digest, objects.n, objects.whole, objects.at, held FROM addresses.addresses", digests
        )
        return {**several, **found}

    def _found(self, select: str, digests: Sequence[int]) -> dict[int, HeldObject]:
        sql = f"{select} AS found JOIN objects ON objects.n = found.n WHERE digest IN"
        return {
            digest: HeldObject(number, bool(whole), at, orjson.loads(held))
            for digest, number, whole, at, held in self._rows(sql, digests)
        }

    def _rows(self, select: str, digests: Sequence[int]) -> Iterator[tuple[Any, ...]]:
        with _ours(self.path):
            for start in range(0, len(digests), _GROUP):
                part = digests[start : start + _GROUP]
                yield from self._connection.execute(f"{select} ({','.join('?' * len(part))})", part).fetchall()

    # --- addresses: only built when a row needs them ---

    @property
    def has_addresses(self) -> bool:
        """Whether `by_address` can be called."""
        return self._has_addresses

    def open_addresses(self, digests_of: Any) -> None:
        """Make `by_address` work; `digests_of` returns the digests of the addresses that an object has.

        They are in a file of their own beside the index, which is built the first time.

        Raises:
            DiskFull, JournalDamaged, JournalError: It cannot be written or read.
        """
        path = _addresses_of(self.path)
        if not path.exists():
            self._build_addresses(path, digests_of)
        with _ours(path):
            self._connection.execute("ATTACH DATABASE ? AS addresses", (f"{path.absolute().as_uri()}?mode=ro",))
        self._has_addresses = True

    def _build_addresses(self, path: Path, digests_of: Any) -> None:
        partial = partial_of(path)
        with _ours(path):
            partial.unlink(missing_ok=True)
            touch_private(partial)
            with contextlib.closing(sqlite3.connect(partial, isolation_level=None)) as made:
                for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-40000", "temp_store=FILE"):
                    made.execute(f"PRAGMA {pragma}").close()
                made.execute("CREATE TABLE addresses (digest INTEGER PRIMARY KEY, n INTEGER NOT NULL)")
                made.execute("BEGIN")
                # An address that a second object has identifies neither of them.
                insert = (
                    "INSERT INTO addresses VALUES (?, ?) ON CONFLICT (digest)"
                    " DO UPDATE SET n = -1 WHERE n != excluded.n"
                )
                # An object without an id that leads to it was replaced by a newer one.
                current = "SELECT n, held FROM objects WHERE n IN (SELECT n FROM ids)"
                rows = self._connection.execute(current)
                while batch := rows.fetchmany(5_000):
                    pairs = sorted((digest, n) for n, held in batch for digest in digests_of(orjson.loads(held)))
                    made.executemany(insert, pairs)
                made.execute("COMMIT")
            sync_file(partial)
            partial.replace(path)


def remove_index(path: Path) -> None:
    """Remove the files of an index: they hold what people have entered, and a complete run needs them no more.

    A process that was killed while it wrote them may have left a part.
    """
    for file in (path, _addresses_of(path)):
        for each in (file, partial_of(file)):
            with contextlib.suppress(OSError):
                each.unlink(missing_ok=True)


def _addresses_of(index: Path) -> Path:
    return index.with_name(f"{index.stem}-addresses.sqlite")


@contextlib.contextmanager
def _ours(path: Path) -> Iterator[None]:
    try:
        yield
    except BulkgladlyError:
        raise
    except FileNotFoundError:
        raise
    except (sqlite3.Error, OSError, ValueError, KeyError, TypeError) as error:
        raise database_error(error, path) from error
