"""The crosswalk: which source key is which id in Gladly, as the state holds it. Read whole, taken in, and repaired.

Other runs may work on the state at the same time. So what is taken in is checked and written in one transaction, and
a repair changes an entry only if it still is as it was when Gladly was asked.
"""

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from bulkgladly.journal.databases import open_state
from bulkgladly.journal.state import scope_number
from bulkgladly.storage.failures import database_error

__all__ = (
    "NOTHING",
    "CrosswalkConflict",
    "CrosswalkEntry",
    "CrosswalkIntake",
    "CrosswalkRepairs",
    "CrosswalkWritten",
    "KnownId",
    "entries_in",
    "namespaces_in",
)

NOTHING = "{}"
"""The fingerprints of an object of which it is not known what Gladly last accepted."""
INTAKE = "crosswalk import"
"""Who holds the keys that were taken in as perhaps sent."""
_MOST_TOLD = 5

_INCOMING = """
CREATE TEMP TABLE incoming (
    namespace TEXT NOT NULL,
    key       TEXT NOT NULL,
    gladly_id TEXT NOT NULL,
    accepted  TEXT NOT NULL,
    place     INTEGER NOT NULL,
    scope     INTEGER,
    PRIMARY KEY (namespace, key)
) WITHOUT ROWID
"""


class CrosswalkEntry(NamedTuple):
    """One source key and its id. The id is empty if the object may have been sent and its outcome is unknown.

    `accepted` are the fingerprints of what Gladly last accepted, as JSON.
    """

    host: str
    namespace: str
    key: str
    gladly_id: str
    accepted: str


class CrosswalkConflict(NamedTuple):
    """A key that is known with another id, or is perhaps sent. `place` is that of the incoming entry."""

    place: int
    key: str
    gladly_id: str
    known_id: str


class CrosswalkWritten(NamedTuple):
    """What became of entries that were taken in: new ones, those that were known, those with another id than before.

    `conflicts` are those that were refused. If there are any, nothing was written; the first ones are in `first`.
    """

    added: int
    unchanged: int
    replaced: int
    conflicts: int = 0
    first: Sequence[CrosswalkConflict] = ()


class KnownId(NamedTuple):
    """An entry that can be looked at in Gladly."""

    namespace: str
    key: str
    gladly_id: str


def entries_in(
    state: Path, resource: str, *, host: str | None = None, namespace: str | None = None
) -> Iterator[CrosswalkEntry]:
    """Yield the crosswalk of an object by host, namespace and key, as it is at one moment; none without a state.

    Raises:
        JournalDamaged: The state cannot be read.
    """
    if not state.is_file():
        return
    sql = (
        "SELECT host, namespace, key, gladly_id, CAST(accepted AS TEXT)"
        " FROM scopes JOIN known ON known.scope = scopes.id"
        " WHERE resource = ? AND (? IS NULL OR host = ?) AND (? IS NULL OR namespace = ?)"
        " ORDER BY host, namespace, key"
    )
    with _ours(state), contextlib.closing(_read_only(state)) as connection:
        for row in connection.execute(sql, (resource, host, host, namespace, namespace)):
            yield CrosswalkEntry(*row)


def namespaces_in(state: Path, resource: str, host: str | None = None) -> list[str]:
    """Return the namespaces in which keys of an object are known; none without a state.

    Raises:
        JournalDamaged: The state cannot be read.
    """
    if not state.is_file():
        return []
    sql = (
        "SELECT DISTINCT namespace FROM scopes WHERE resource = ? AND (? IS NULL OR host = ?)"
        " AND EXISTS (SELECT 1 FROM known WHERE scope = scopes.id) ORDER BY namespace"
    )
    with _ours(state), contextlib.closing(_read_only(state)) as connection:
        return [str(name) for (name,) in connection.execute(sql, (resource, host, host))]


class CrosswalkIntake:
    """Entries that are gathered, then checked against the state and written to it in one transaction.

    Use it as a context manager. Killed at any moment, all of them are in the state, or none.
    """

    def __init__(self, state: Path) -> None:
        """Open the state, or create it.

        Raises:
            DiskFull, JournalDamaged, JournalError: It cannot be used.
        """
        self._path = state
        self._connection = open_state(state, is_synced=True)
        with self._closing_on_error():
            self._connection.execute(_INCOMING)
            self._connection.execute("BEGIN")  # of the gathered entries alone: other runs are not kept waiting

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def add(self, namespace: str, key: str, gladly_id: str, accepted: str, place: int) -> tuple[int, str] | None:
        """Gather an entry; return the place and the id of an earlier one with the same key, which stays."""
        row = (namespace, key, gladly_id, accepted, place)
        insert = "INSERT OR IGNORE INTO incoming (namespace, key, gladly_id, accepted, place) VALUES (?, ?, ?, ?, ?)"
        if self._connection.execute(insert, row).rowcount:
            return None
        select = "SELECT place, gladly_id FROM incoming WHERE namespace = ? AND key = ?"
        found: tuple[int, str] = self._connection.execute(select, (namespace, key)).fetchone()
        return found

    def shared_ids(self) -> tuple[int, Sequence[str]]:
        """Return how many ids have several keys, and the keys of one of them."""
        shared = "FROM incoming WHERE gladly_id <> '' GROUP BY gladly_id HAVING count(*) > 1"
        sql = f"SELECT count(*), min(gladly_id) FROM (SELECT gladly_id {shared})"  # noqa: S608 - no foreign text
        number, one = self._connection.execute(sql).fetchone()
        keys = self._connection.execute("SELECT key FROM incoming WHERE gladly_id = ? LIMIT ?", (one, _MOST_TOLD))
        return int(number), [key for (key,) in keys]

    def write(self, host: str, resource: str, *, replace: bool) -> CrosswalkWritten:
        """Write all entries as those of an object of an organisation; without `replace` none if there are conflicts.

        What has the same id keeps its fingerprints, unless it has none. What is known with an id never becomes
        unknown again.

        Raises:
            DiskFull, JournalDamaged, JournalError: Nothing was written.
        """
        with _ours(self._path):
            self._connection.execute("COMMIT")
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                self._add_scopes(host, resource)
                written = self._write(replace=replace)
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("ROLLBACK" if written.conflicts else "COMMIT")
        return written

    def _add_scopes(self, host: str, resource: str) -> None:
        for (namespace,) in self._connection.execute("SELECT DISTINCT namespace FROM incoming").fetchall():
            scope = scope_number(self._connection, host, resource, namespace)
            self._connection.execute("UPDATE incoming SET scope = ? WHERE namespace = ?", (scope, namespace))

    def _write(self, *, replace: bool) -> CrosswalkWritten:
        execute = self._connection.execute
        both = "FROM incoming JOIN known USING (scope, key)"
        differs = f"{both} WHERE incoming.gladly_id <> '' AND incoming.gladly_id <> known.gladly_id"
        conflicts = int(execute(f"SELECT count(*) {differs}").fetchone()[0])
        if conflicts and not replace:
            first = execute(
                f"SELECT place, key, incoming.gladly_id, known.gladly_id {differs} ORDER BY place LIMIT ?",
                (_MOST_TOLD,),
            )
            return CrosswalkWritten(0, 0, 0, conflicts, [CrosswalkConflict(*row) for row in first])
        total, met = (int(execute(f"SELECT count(*) {of}").fetchone()[0]) for of in ("FROM incoming", both))
        execute(
            "INSERT OR IGNORE INTO reserved (scope, key, run) SELECT scope, key, ? FROM incoming WHERE gladly_id = ''"
            " AND NOT EXISTS (SELECT 1 FROM known WHERE known.scope = incoming.scope AND known.key = incoming.key)",
            (INTAKE,),
        )
        execute(
            "DELETE FROM reserved WHERE EXISTS (SELECT 1 FROM incoming WHERE incoming.gladly_id <> ''"
            " AND incoming.scope = reserved.scope AND incoming.key = reserved.key)"
        )
        execute(
            "INSERT INTO known (scope, key, gladly_id, accepted)"
            " SELECT scope, key, gladly_id, accepted FROM incoming WHERE true"
            " ON CONFLICT (scope, key) DO UPDATE SET gladly_id = excluded.gladly_id, accepted = excluded.accepted"
            " WHERE excluded.gladly_id <> ''"
            " AND (known.gladly_id <> excluded.gladly_id OR CAST(known.accepted AS TEXT) = ?)",
            (NOTHING,),
        )
        return CrosswalkWritten(total - met, met - conflicts, conflicts)

    @contextlib.contextmanager
    def _closing_on_error(self) -> Iterator[None]:
        try:
            with _ours(self._path):
                yield
        except BaseException:
            self._connection.close()
            raise


class CrosswalkRepairs:
    """Goes through the known ids of an object, a page at a time, and corrects them. From any thread, one at a time."""

    def __init__(self, state: Path, host: str, resource: str, namespace: str | None = None) -> None:
        """Open the state, which must exist. Without a namespace all are gone through.

        Raises:
            DiskFull, JournalDamaged, JournalError: It cannot be used.
        """
        self._path = state
        # Synced, because the journal notes after this that the entry is done.
        self._connection = open_state(state, is_synced=True)
        scopes = "SELECT namespace, id FROM scopes WHERE host = ? AND resource = ? AND (? IS NULL OR namespace = ?)"
        try:
            with _ours(state):
                found = self._connection.execute(f"{scopes} ORDER BY namespace", (host, resource, namespace, namespace))
                self._scopes: dict[str, int] = dict(found.fetchall())
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the state."""
        self._connection.close()

    def left_after(self, done: tuple[str, str] | None) -> int:
        """Return how many entries have an id and stand after a namespace and key, or at all."""
        with _ours(self._path):
            return sum(
                int(self._connection.execute(f"SELECT count(*) {where}", values).fetchone()[0])
                for _, where, values in self._after(done)
            )

    def page_after(self, done: tuple[str, str] | None, most: int) -> list[KnownId]:
        """Return the next entries with an id after a namespace and key; none at the end."""
        found: list[KnownId] = []
        with _ours(self._path):
            for namespace, where, values in self._after(done):
                sql = f"SELECT key, gladly_id {where} ORDER BY key LIMIT ?"
                rows = self._connection.execute(sql, (*values, most - len(found)))
                found += [KnownId(namespace, key, gladly_id) for key, gladly_id in rows]
                if len(found) >= most:
                    break
        return found

    def repoint(self, moved: Sequence[tuple[KnownId, str]]) -> None:
        """Let keys lead to other ids, unless another run has changed them since. It is on the disk on return.

        Their fingerprints stay: a merge is a change that a person made in Gladly, and an unchanged row does not
        undo those.
        """
        sql = "UPDATE known SET gladly_id = ? WHERE scope = ? AND key = ? AND gladly_id = ?"
        self._change(sql, [(new, self._scopes[one.namespace], one.key, one.gladly_id) for one, new in moved])

    def forget(self, gone: Sequence[KnownId]) -> None:
        """Forget entries, unless another run has changed them since. It is on the disk on return."""
        rows = [(self._scopes[one.namespace], one.key, one.gladly_id) for one in gone]
        # Also that an import has created them: an object that gets the id later is another one.
        for table in ("made", "known"):
            self._change(f"DELETE FROM {table} WHERE scope = ? AND key = ? AND gladly_id = ?", rows)  # noqa: S608 - ours

    def _change(self, sql: str, rows: Sequence[Sequence[object]]) -> None:
        with _ours(self._path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                self._connection.executemany(sql, rows)
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def _after(self, done: tuple[str, str] | None) -> Iterator[tuple[str, str, tuple[object, ...]]]:
        """Yield for each namespace that is not done its name, the end of a query, and the values for it."""
        for namespace, scope in self._scopes.items():
            if done is None or namespace > done[0]:
                yield namespace, "FROM known WHERE scope = ? AND gladly_id <> ''", (scope,)
            elif namespace == done[0]:
                yield namespace, "FROM known WHERE scope = ? AND gladly_id <> '' AND key > ?", (scope, done[1])


def _read_only(state: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{state.absolute().as_uri()}?mode=ro", uri=True, timeout=10, isolation_level=None)


@contextlib.contextmanager
def _ours(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise database_error(error, path) from error
