"""Which rows were rejected before and for which reason, so that a run can tell its new rejects from those it repeats.

It is kept in the state, as hashes, for each host, object and namespace; so it survives a lost run folder. A run reads
it when it writes its summary (`compare_rejects`), and adds its own rejects only after that summary is on the disk
(`remember_rejects`): a reject that nobody was told of stays new.
"""

import contextlib
import hashlib
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple, TypeVar

import orjson

from bulkgladly.journal.databases import open_state, reading
from bulkgladly.journal.state import scope_number
from bulkgladly.storage.failures import database_error

__all__ = ("MOST_REMEMBERED", "RejectNews", "RejectPlace", "RunScope", "compare_rejects", "remember_rejects")

MOST_REMEMBERED = 500_000
"""The most rejects that are kept for one host, object and namespace (about 40 bytes each); the oldest go first."""
EXAMPLES = 5
_GROUP = 500

T = TypeVar("T")


class RunScope(NamedTuple):
    """Whose rejects are compared: those of earlier runs into the same scope (host, object, namespace).

    `run` is the name of the run; all its sessions count as one. `source` names the input files, and is empty if they
    are copies of this run's own.
    """

    state: Path
    host: str
    resource: str
    namespace: str
    run: str
    source: str = ""


class RejectPlace(NamedTuple):
    """Where a rejected row is (the number of its file, and its line there), and why it was rejected."""

    file: int
    number: int
    code: str
    attr: str | None


@dataclass(frozen=True, slots=True)
class RejectNews:
    """How many rejects of a run earlier runs had for the same reason, and how many are new.

    `examples` are the first new ones.
    """

    as_before: int = 0
    new: int = 0
    examples: tuple[RejectPlace, ...] = ()


class _Reject(NamedTuple):
    row: int
    reason: int
    place: RejectPlace


def compare_rejects(folder: Path, scope: RunScope) -> RejectNews:
    """Compare the rejects in the journal of a run with those of earlier runs. Nothing is written.

    Raises:
        JournalDamaged: The journal or the state cannot be read.
    """
    as_before, new = 0, 0
    examples: list[RejectPlace] = []
    with reading(folder / "journal.sqlite") as journal, closing(_Memory(scope)) as memory:
        for group in _groups(_rejects(journal)):
            known = memory.known_before([one.row for one in group])
            for one in group:
                if (one.row, one.reason) in known:
                    as_before += 1
                    continue
                new += 1
                if len(examples) < EXAMPLES:
                    examples.append(one.place)
    return RejectNews(as_before, new, tuple(examples))


def remember_rejects(folder: Path, scope: RunScope, *, is_complete: bool, most: int = MOST_REMEMBERED) -> None:
    """Add the rejects of a run whose summary is on the disk, and forget those that it no longer has.

    A reject is forgotten if its row ended otherwise in this run, or if the run read the same input files to their end
    without it; and the oldest beyond `most`. Killed in between, some are remembered and the others are new in the next
    run.

    Raises:
        DiskFull, JournalDamaged, JournalError: They cannot be written.
    """
    with reading(folder / "journal.sqlite") as journal, closing(_Memory(scope)) as memory:
        for group in _groups(islice(_rejects(journal), most)):
            memory.add(group)
        if memory.has_others():
            keys = journal.execute("SELECT key FROM records WHERE key IS NOT NULL")
            for rows in _groups(_row_of(key, None) for (key,) in keys):
                memory.forget(rows)
            if is_complete and scope.source:
                memory.forget_source()
        memory.shorten(most)


def _rejects(journal: sqlite3.Connection) -> Iterator[_Reject]:
    rows = journal.execute(
        "SELECT key, original, file, number, coalesce(code, ''), attr FROM records"
        " WHERE original IS NOT NULL AND word = 'rejected' ORDER BY seq"
    )
    for key, original, file, number, code, attr in rows:
        reason = _hash("reason", f"{code}\x1f{attr or ''}")
        yield _Reject(_row_of(key, original), reason, RejectPlace(file, number, code, attr))


def _row_of(key: str | None, original: bytes | None) -> int:
    """Return the hash by which a row is recognised: of its key, or of its content if it has none.

    The order of columns is no part of the content: exports change it.
    """
    if key is not None:
        return _hash("key", key)
    return _hash("content", orjson.dumps(orjson.loads(original or b"{}"), option=orjson.OPT_SORT_KEYS))


def _hash(kind: str, value: str | bytes) -> int:
    data = value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8, person=kind.encode()).digest(), signed=True)


def _groups(items: Iterator[T]) -> Iterator[list[T]]:
    while group := list(islice(items, _GROUP)):
        yield group


class _Memory:
    """The table of rejects in the state, for one scope and one run. Each write is a transaction of its own."""

    def __init__(self, scope: RunScope) -> None:
        self._path, self._now = scope.state, int(time.time())
        self._run, self._source = _hash("run", scope.run), _hash("source", scope.source) if scope.source else 0
        self._connection = open_state(scope.state)
        try:
            self._scope = self._number_of((scope.host, scope.resource, scope.namespace))
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        """Close the state."""
        self._connection.close()

    def known_before(self, rows: Sequence[int]) -> set[tuple[int, int]]:
        """Return the rejects (row, reason) of these rows that another run has reported."""
        sql = f"SELECT row, reason FROM rejects WHERE scope = ? AND first_run <> ? AND row IN ({_marks(rows)})"  # noqa: S608
        with self._ours():
            return {(row, reason) for row, reason in self._connection.execute(sql, (self._scope, self._run, *rows))}

    def has_others(self) -> bool:
        """Tell whether there are rejects that this run does not have."""
        sql = "SELECT 1 FROM rejects WHERE scope = ? AND last_run <> ? LIMIT 1"
        with self._ours():
            return self._connection.execute(sql, (self._scope, self._run)).fetchone() is not None

    def add(self, rejects: Sequence[_Reject]) -> None:
        """Add rejects of this run. The first run that had one stays noted, so that it is new in that run only."""
        mine = (self._run, self._run, self._source, self._now)
        values = [(self._scope, one.row, one.reason, *mine) for one in rejects]
        with self._change():
            self._connection.executemany(
                "INSERT INTO rejects (scope, row, reason, first_run, last_run, source, at) VALUES (?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET last_run = excluded.last_run, source = excluded.source, at = excluded.at",
                values,
            ).close()

    def forget(self, rows: Sequence[int]) -> None:
        """Forget what other runs have noted of rows, because they have ended otherwise in this one."""
        sql = f"DELETE FROM rejects WHERE scope = ? AND last_run <> ? AND row IN ({_marks(rows)})"  # noqa: S608
        with self._change():
            self._connection.execute(sql, (self._scope, self._run, *rows))

    def forget_source(self) -> None:
        """Forget the rejects of the same input files that this run no longer has."""
        with self._change():
            self._connection.execute(
                "DELETE FROM rejects WHERE scope = ? AND source = ? AND last_run <> ?",
                (self._scope, self._source, self._run),
            )

    def shorten(self, most: int) -> None:
        """Forget the oldest rejects, until there are no more than `most`."""
        with self._change():
            count = self._connection.execute("SELECT count(*) FROM rejects WHERE scope = ?", (self._scope,)).fetchone()
            if (over := int(count[0]) - most) > 0:
                self._connection.execute(
                    "DELETE FROM rejects WHERE scope = ? AND (row, reason) IN"
                    " (SELECT row, reason FROM rejects WHERE scope = ? ORDER BY last_run = ?, at, row LIMIT ?)",
                    (self._scope, self._scope, self._run, over),
                )

    def _number_of(self, names: tuple[str, str, str]) -> int:
        with self._ours():
            return scope_number(self._connection, *names)

    @contextlib.contextmanager
    def _change(self) -> Iterator[None]:
        with self._ours():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def _ours(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise database_error(error, self._path) from error


def _marks(values: Sequence[int]) -> str:
    return ",".join("?" * len(values))
