"""Reading the state without a run: what earlier runs have sent. Nothing is created or written."""

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import orjson

from bulkgladly.journal.state import in_groups
from bulkgladly.records import Known
from bulkgladly.storage.failures import database_error

__all__ = ("StateReader", "known_hosts")


class StateReader:
    """What the state knows of one scope (host, object, namespace). Close it after use."""

    def __init__(self, state: Path, host: str, resource: str, namespace: str) -> None:
        """Open the state, which must exist.

        Raises:
            JournalDamaged: It cannot be read.
        """
        self._path, self._host = state, host
        with self._ours():
            self._connection = _opened(state)
        try:
            self._scope = self._scope_of(resource, namespace)
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        """Close the state."""
        self._connection.close()

    def is_empty(self) -> bool:
        """Tell whether no earlier run has left anything in this scope."""
        with self._ours():
            sql = "SELECT 1 FROM known WHERE scope = ? LIMIT 1"
            return self._connection.execute(sql, (self._scope,)).fetchone() is None

    def has_prefix(self, prefix: str) -> bool:
        """Tell whether a key begins with these characters, which must be ASCII."""
        after = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        with self._ours():
            sql = "SELECT 1 FROM known WHERE scope = ? AND key >= ? AND key < ? LIMIT 1"
            return self._connection.execute(sql, (self._scope, prefix, after)).fetchone() is not None

    def known(self, keys: Sequence[str]) -> dict[str, Known]:
        """Return what is known of source keys; what may have been sent has no id."""
        with self._ours():
            sql = "SELECT key, gladly_id, accepted FROM known"
            rows = in_groups(self._connection, sql, self._scope, keys)
            return {key: Known(gladly_id, orjson.loads(accepted)) for key, gladly_id, accepted in rows}

    def accepted(self, keys: Sequence[str]) -> dict[str, str | bytes]:
        """Return what Gladly last accepted of objects, as the JSON that is stored; empty for those in doubt."""
        with self._ours():
            sql = "SELECT key, accepted, gladly_id FROM known"
            rows = in_groups(self._connection, sql, self._scope, keys)
            return {key: accepted if gladly_id else b"" for key, accepted, gladly_id in rows}

    def ids(self, resource: str, namespace: str, keys: Sequence[str]) -> Mapping[str, str]:
        """Return the ids in Gladly of source keys of any object and namespace, as far as they are known."""
        with self._ours():
            rows = in_groups(
                self._connection, "SELECT key, gladly_id FROM known", self._scope_of(resource, namespace), keys
            )
            return {key: gladly_id for key, gladly_id in rows if gladly_id}

    def objects(self) -> Iterator[tuple[str, str]]:
        """Yield the source keys of the scope with the ids in Gladly, without those that may have been sent."""
        with self._ours():
            sql = "SELECT key, gladly_id FROM known WHERE scope = ? AND gladly_id != ''"
            yield from self._connection.execute(sql, (self._scope,))

    def _scope_of(self, resource: str, namespace: str) -> int:
        sql = "SELECT id FROM scopes WHERE host = ? AND resource = ? AND namespace = ?"
        with self._ours():
            row = self._connection.execute(sql, (self._host, resource, namespace)).fetchone()
        return -1 if row is None else int(row[0])

    @contextlib.contextmanager
    def _ours(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, ValueError) as error:
            raise database_error(error, self._path) from error


def known_hosts(state: Path, resource: str) -> list[str]:
    """Return the hosts into which earlier runs have sent an object; none if the state is missing or not readable."""
    if not state.is_file():
        return []
    sql = (
        "SELECT DISTINCT host FROM scopes WHERE resource = ? AND host <> ''"
        " AND EXISTS (SELECT 1 FROM known WHERE scope = scopes.id) ORDER BY host"
    )
    try:
        with contextlib.closing(_opened(state)) as connection:
            return [str(host) for (host,) in connection.execute(sql, (resource,))]
    except sqlite3.Error:
        return []


def _opened(state: Path) -> sqlite3.Connection:
    # Used by one thread after the other: the check and the start of a run read in a worker thread.
    uri = f"{state.absolute().as_uri()}?mode=ro"
    return sqlite3.connect(uri, uri=True, timeout=10, check_same_thread=False, isolation_level=None)
