"""The state, which outlives runs: which key stands for which object in Gladly, and which keys may have been sent.

For an object to which Gladly gives an id of its own, nothing but this file prevents a duplicate. So before such
a record leaves, its key is *reserved* here: a row without an id, on the disk, in a transaction
that fails if the key is there already. That holds between runs, also while they run at the same
time, and for a run whose journal is lost.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from bulkgladly.errors import JournalDamaged
from bulkgladly.journal.databases import open_state
from bulkgladly.journal.schema import insert_rows
from bulkgladly.journal.turns import newest_turn, next_turn
from bulkgladly.records import FORGOTTEN, Known
from bulkgladly.storage.failures import database_error

__all__ = ("State", "in_groups", "known_keys", "scope_number")

_GROUP = 500


class State:
    """The state on a connection of its own, for one scope (host, object, namespace) and one run.

    The first write begins a transaction, further writes join it, and `commit` ends it. All
    methods raise `DiskFull`, `JournalDamaged` or `JournalError`, with the file's name. Chapters: what is known, what
    may have been sent, what came of it, transactions and the file itself.
    """

    def __init__(
        self,
        path: Path,
        scope: tuple[str, str, str],
        *,
        is_synced: bool,
        run: str,
        opening: Callable[..., sqlite3.Connection] = open_state,
    ) -> None:
        """Open the file, or create it. With `is_synced` a commit is on the disk when it returns."""
        self._path, self._run = path, run
        self._is_synced = is_synced
        self._connection = opening(path, is_synced=is_synced)
        try:
            with self._ours():
                self._scope = scope_number(self._connection, *scope)
                self._identity = _identity(path)
        except BaseException:
            self._connection.close()
            raise

    # --- what is known ---

    def known(self, keys: Sequence[str]) -> dict[str, Known]:
        """Return what is known of source keys; those that may have been sent have no id.

        Keys that were released to this run are left out, since this run may send them.
        """
        with self._ours():
            rows = list(self._rows(self._scope, keys))
            if not (open_keys := [key for key, gladly_id, _ in rows if not gladly_id]):
                return {key: Known(gladly_id, orjson.loads(accepted)) for key, gladly_id, accepted in rows}
            holders = self._holders(open_keys)
            return {
                key: Known(gladly_id, orjson.loads(accepted), held_by=holders.get(key, ("", None))[0])
                for key, gladly_id, accepted in rows
                if gladly_id or holders.get(key, ("", None))[1] != self._run
            }

    def known_in(self, scope: tuple[str, str, str], keys: Sequence[str]) -> dict[str, str]:
        """Return the ids in Gladly of source keys of another scope; empty for keys that may have been sent."""
        with self._ours():
            number = scope_number(self._connection, *scope)
            return {key: gladly_id for key, gladly_id, _ in self._rows(number, keys)}

    def holders(self, keys: Sequence[str]) -> set[str]:
        """Return the runs that may have sent keys without an id; older versions did not note the run."""
        with self._ours():
            return {run for run, _ in self._holders(keys).values() if run}

    # --- what may have been sent ---

    def release(self, keys: Sequence[str], *, of: Collection[str]) -> None:
        """Let this run send keys that may have been sent, because a person has checked that they were not.

        It releases only keys that the runs in `of` may have sent, or that an older version noted
        without a run. Until this run sends them, they stay reserved against all other runs. The
        change is on the disk when this returns.
        """
        with self._ours():
            self._begin()
            holders = self._holders(keys)
            for key, gladly_id, _ in list(self._rows(self._scope, keys)):
                run = holders.get(key, ("", None))[0]
                if not gladly_id and (not run or run in of):
                    row = (self._scope, key, run, self._run)
                    self._connection.execute("INSERT OR REPLACE INTO reserved VALUES (?, ?, ?, ?)", row)
            self._connection.execute("COMMIT")

    def restore(self, rows: Sequence[tuple[str, str]]) -> None:
        """Add source keys and ids that a run's journal has and this file has not. They are on the disk on return."""
        with self._ours():
            self._begin()
            there = {key for key, _, _ in self._rows(self._scope, [key for key, _ in rows])}
            self.remember([(key, gladly_id, {}) for key, gladly_id in rows if key not in there])
            self._connection.execute("COMMIT")

    def reserve(self, key: str, accepted: Mapping[str, str]) -> Known | None:
        """Reserve the key of a record that is about to leave; None if it may, else what is known of the key.

        It may leave only after the next commit.
        """
        with self._ours():
            self._begin()
            row = (self._scope, key, orjson.dumps(accepted).decode())
            # The insert is the check: if two runs try at once, SQLite lets one in, and the other finds its row.
            found = self._connection.execute("INSERT OR IGNORE INTO known VALUES (?, ?, '', ?)", row)
            if found.rowcount == 0:
                # If a person has released the key to this run, it may send it: once, like the first time.
                handed_over = self._connection.execute(
                    "UPDATE reserved SET run = ?, for_run = NULL WHERE scope = ? AND key = ? AND for_run = ?",
                    (self._run, self._scope, key, self._run),
                )
                return None if handed_over.rowcount else self.known([key])[key]
            self._hold([key])
            return None

    def take_back(self, keys: Sequence[str]) -> None:
        """Delete reservations of this run: their requests did not leave, or were refused."""
        with self._ours():
            self._begin()
            for key in keys:
                mine = (self._scope, key, self._run)
                gone = self._connection.execute("DELETE FROM reserved WHERE scope = ? AND key = ? AND run = ?", mine)
                if gone.rowcount:
                    forget = "DELETE FROM known WHERE scope = ? AND key = ? AND gladly_id = ''"
                    self._connection.execute(forget, mine[:2])

    # --- what came of it ---

    def remember(self, rows: Sequence[tuple[str, str, Mapping[str, str]]]) -> None:
        """Keep the Gladly id of each key, and what Gladly accepted.

        If keys are reserved, an empty id (it may have been sent) never replaces another.
        """
        with self._ours():
            self._begin()
            found = [(self._scope, key, gladly_id, orjson.dumps(accepted)) for key, gladly_id, accepted in rows]
            if self._is_synced:
                unknown = [row for row in found if not row[2]]
                found = [row for row in found if row[2]]
                insert_rows(self._connection, "INSERT OR IGNORE INTO known", unknown)
                self._hold([key for _, key, _, _ in unknown])
                self._settle([key for _, key, _, _ in found])
            insert_rows(self._connection, "INSERT OR REPLACE INTO known", found)

    def note_made(self, rows: Sequence[tuple[str, str]]) -> None:
        """Keep which objects an import has created: keys, with the ids in the creates."""
        with self._ours():
            self._begin()
            made = [(self._scope, key, gladly_id) for key, gladly_id in rows]
            insert_rows(self._connection, "INSERT OR REPLACE INTO made", made)

    def note_kept(self, keys: Sequence[str]) -> None:
        """Keep that a deletion of what is missing has kept the objects of keys, as they are known now."""
        copy = (
            "INSERT OR REPLACE INTO kept SELECT scope, key, gladly_id, accepted FROM known WHERE scope = ? AND key = ?"
        )
        with self._ours():
            self._begin()
            for key in keys:
                self._connection.execute(copy, (self._scope, key))

    def forget(self, keys: Sequence[str]) -> None:
        """Forget keys whose objects are deleted."""
        with self._ours():
            self._begin()
            for key in keys:
                for table in ("known", "made", "kept"):
                    forget = f"DELETE FROM {table} WHERE scope = ? AND key = ?"  # noqa: S608 - names of our own
                    self._connection.execute(forget, (self._scope, key))
            if self._is_synced:
                self._settle(keys)

    def forget_accepted(self, keys: Sequence[str], fields: Collection[str]) -> int:
        """Forget what Gladly accepted of some fields, because it no longer holds that: the next import sends them.

        Return how many keys had one of them. What another run writes about a key stays, since both happen in one
        transaction.
        """
        forgotten = 0
        with self._ours():
            self._begin()
            for key, _, accepted in list(self._rows(self._scope, keys)):
                was = orjson.loads(accepted)
                left = {name: FORGOTTEN if name in fields else print_ for name, print_ in was.items()}
                if left != was:
                    row = (orjson.dumps(left).decode(), self._scope, key)
                    self._connection.execute("UPDATE known SET accepted = ? WHERE scope = ? AND key = ?", row)
                    forgotten += 1
        return forgotten

    # --- transactions, and the file itself ---

    def next_turn(self) -> int:
        """Return the next turn: it is later than all that the runs that share this file have taken."""
        with self._ours():
            self._begin()
            return next_turn(self._connection)

    def catch_up(self) -> None:
        """Count turns on after all that the runs beside this file have taken; an older copy of it may be behind."""
        with self._ours():
            newest = newest_turn(self._connection, self._path.parent / "runs")
            if newest is not None:
                self._connection.execute("UPDATE turns SET turn = max(turn, ?) WHERE id = 0", (newest,))

    def commit(self) -> None:
        """End the open transaction, if there is one."""
        with self._ours():
            if self._connection.in_transaction:
                self._connection.execute("COMMIT")

    def roll_back(self) -> None:
        """Forget what has not been committed. Never raises."""
        with contextlib.suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def misplaced(self) -> JournalDamaged | None:
        """Return an error if the file that later runs will open is not the one that this run writes."""
        with self._ours():
            found = _identity(self._path)
        if found == self._identity:
            return None
        what = "was deleted" if found is None else "was replaced by another file"
        return JournalDamaged(
            f"{self._path} {what} while the run was working, so later runs would not know what this one has sent. "
            "Restore the file, or leave it as it is, then resume: the resume writes again what this run has sent"
        )

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    # --- within a transaction ---

    def _begin(self) -> None:
        if not self._connection.in_transaction:
            self._connection.execute("BEGIN IMMEDIATE")

    def _hold(self, keys: Iterable[str]) -> None:
        rows = [(self._scope, key, self._run) for key in keys]
        insert_rows(self._connection, "INSERT OR IGNORE INTO reserved (scope, key, run)", rows)

    def _settle(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._connection.execute("DELETE FROM reserved WHERE scope = ? AND key = ?", (self._scope, key))

    def _holders(self, keys: Sequence[str]) -> dict[str, tuple[str, str | None]]:
        rows = in_groups(self._connection, "SELECT key, run, for_run FROM reserved", self._scope, keys)
        return {key: (run, for_run) for key, run, for_run in rows}

    def _rows(self, scope: int, keys: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        return in_groups(self._connection, "SELECT key, gladly_id, accepted FROM known", scope, keys)

    @contextlib.contextmanager
    def _ours(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise database_error(error, self._path) from error
        except ValueError as error:
            raise JournalDamaged(f"{self._path} cannot be used: {error}") from error


def known_keys(state: Path, host: str, resource: str, namespace: str) -> Iterator[str]:
    """Yield the source keys under which objects of an organisation are known; none if there is no state.

    Raises:
        JournalDamaged: The state cannot be read.
    """
    if not state.is_file():
        return
    sql = (
        "SELECT known.key FROM known JOIN scopes ON scopes.id = known.scope"
        " WHERE host = ? AND resource = ? AND namespace = ? AND gladly_id != ''"
    )
    try:
        with contextlib.closing(sqlite3.connect(f"{state.absolute().as_uri()}?mode=ro", uri=True, timeout=10)) as found:
            for (key,) in found.execute(sql, (host, resource, namespace)):
                yield key
    except sqlite3.DatabaseError as error:
        raise database_error(error, state) from error


def in_groups(
    connection: sqlite3.Connection, select: str, scope: int, keys: Sequence[str]
) -> Iterator[tuple[Any, ...]]:
    """Yield what a SELECT finds for keys of a scope, whatever their number."""
    for start in range(0, len(keys), _GROUP):
        part = keys[start : start + _GROUP]
        marks = ",".join("?" * len(part))
        yield from connection.execute(f"{select} WHERE scope = ? AND key IN ({marks})", (scope, *part))


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what distinguishes a file from a later one in its place; None if there is none."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def scope_number(connection: sqlite3.Connection, host: str, resource: str, namespace: str) -> int:
    """Return the number of a scope, and add the scope if it is new."""
    names = (host, resource, namespace)
    connection.execute("INSERT OR IGNORE INTO scopes (host, resource, namespace) VALUES (?, ?, ?)", names)
    row = connection.execute(
        "SELECT id FROM scopes WHERE host = ? AND resource = ? AND namespace = ?", names
    ).fetchone()
    return int(row[0])
