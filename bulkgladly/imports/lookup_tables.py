"""The files that a mapping looks values up in, as tables on the disk: a million keys take no more memory than ten.

A table is an SQLite database in a file without a name, in the folder for temporary files. The system removes it with
the process, so a crash leaves nothing behind. It is filled again in each session of a run, from the same file: the run
keeps a hash of it.
"""

import functools
import glob
import itertools
import sqlite3
import tempfile
import threading
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import orjson

from bulkgladly.choices import closest
from bulkgladly.errors import InputChanged, InputError, UsageError
from bulkgladly.files.inputs import Inputs
from bulkgladly.journal.run_header import InputFile
from bulkgladly.mapping.lookups import Find, LookupPlan
from bulkgladly.mapping.mapping import Mapping
from bulkgladly.mapping.row_values import MISSING, Unmappable
from bulkgladly.records import Word, place_of_row
from bulkgladly.storage.failures import database_error

__all__ = ("changed_lookup", "lookup_files", "lookup_tables")

_CACHED = 5_000
"""Values kept in memory: rows that follow each other often look up the same few."""
_MOST_CACHED = 1_000
"""Characters of the longest value that is kept, so that long ones cannot fill the memory."""
_LONG = object()
_CACHE_KIB = 8192
_TABLE = "CREATE TABLE entries (key TEXT NOT NULL, value TEXT NOT NULL, file INT NOT NULL, number INT NOT NULL)"
_DOUBLE = "SELECT key FROM entries GROUP BY key HAVING count(*) > 1"
_OF_KEY = "SELECT value, file, number FROM entries WHERE key = ? ORDER BY rowid"
# Only keys that lead to another key can be part of a circle. The values of such a table are keys.
_LINKS = "SELECT one.key FROM entries one JOIN entries other ON other.key = form(one.value) WHERE other.key <> one.key"


def lookup_files(mapping: Mapping | None) -> tuple[InputFile, ...]:
    """Return the files that a mapping looks values up in, as they are now; reads them completely.

    Raises:
        InputError: One is missing or cannot be read.
    """
    found = [file for plan in (mapping.lookups if mapping else ()) for file in _opened(plan, mapping).files]
    unique = {str(file.path.absolute()): file for file in found}
    return tuple(InputFile(path, file.size, file.mtime_ns, file.fingerprint()) for path, file in unique.items())


def changed_lookup(before: Sequence[InputFile], now: Sequence[InputFile]) -> str | None:
    """Return the first file that differs, is new or is gone; None if all are the same."""
    was, is_ = ({file.path: file.digest for file in files} for files in (before, now))
    return next((path for path in {**was, **is_} if was.get(path) != is_.get(path)), None)


def lookup_tables(mapping: Mapping, files: Sequence[InputFile] = ()) -> dict[str, Find]:
    """Return a function for each lookup of a mapping, which finds what belongs to a key.

    `files` are the files as they were when the run began. A table goes away with the last user of its function, which
    can be called from any thread.

    Raises:
        DiskFull: There is no room for a table.
        InputChanged: A file is not what it was.
        InputError: A file cannot be read.
        UsageError: A file has no such column, one key has two values, or keys lead in a circle.
    """
    found = {plan.name: _table(plan, mapping) for plan in mapping.lookups}
    # Looked at after the tables are full, so that nothing can change in between.
    if files and (path := changed_lookup(files, lookup_files(mapping))) is not None:
        raise InputChanged(f"{path}, which {mapping.file} looks values up in, was changed in the meantime; start again")
    return found


def _opened(plan: LookupPlan, mapping: Mapping | None) -> Inputs:
    folder = Path(mapping.file if mapping else "").absolute().parent
    try:
        return Inputs.open([str(Path(glob.escape(str(folder)), plan.file))])
    except InputError as error:
        name = mapping.file if mapping else ""
        raise InputError(f"{name}: [lookup.{plan.name}] file: {error}") from error


def _table(plan: LookupPlan, mapping: Mapping) -> Find:
    inputs = _opened(plan, mapping)
    where = f"{mapping.file}: [lookup.{plan.name}]"
    _check_columns(plan, inputs, where)
    connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
    try:
        is_followed = plan.name in mapping.followed
        _fill(connection, _entries(plan, inputs, where, is_followed=is_followed))
        _check(connection, plan, inputs, where, is_followed=is_followed)
    except sqlite3.Error as error:
        connection.close()
        raise database_error(error, Path(tempfile.gettempdir(), f"lookup-{plan.name}")) from error
    except BaseException:
        connection.close()
        raise
    find = _finder(connection, plan.duplicates)
    weakref.finalize(find, connection.close)
    return find


def _fill(connection: sqlite3.Connection, entries: Iterator[tuple[str, str, int, int]]) -> None:
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    connection.execute("PRAGMA journal_mode = OFF")  # there is nothing to go back to
    connection.execute(_TABLE)
    connection.execute("BEGIN")
    connection.executemany("INSERT INTO entries VALUES (?, ?, ?, ?)", entries)
    connection.execute("CREATE INDEX keys ON entries (key)")
    connection.execute("COMMIT")


def _entries(plan: LookupPlan, inputs: Inputs, where: str, *, is_followed: bool) -> Iterator[tuple[str, str, int, int]]:
    is_empty = True
    unseen = set() if is_followed else plan.values_in  # nobody may have been merged, but everybody has some name
    names: dict[str, Any] = {}
    for row in itertools.chain.from_iterable(inputs.batches()):
        if row.fields is None:
            if row.problem is not None and row.problem.word is Word.SKIPPED:
                continue
            detail = row.problem.detail if row.problem else "cannot be read"
            raise InputError(f"{where}: {_place(inputs, row.position.file, row.position.number)}: {detail}")
        names = row.fields
        if unseen:
            unseen = unseen - names.keys()
        try:
            for key, value in plan.entries(row.fields):
                is_empty = False
                kept = plan.cleaned(value) if is_followed and value is not None else value
                content = orjson.dumps(kept, option=orjson.OPT_SORT_KEYS).decode()
                yield key, content, row.position.file, row.position.number
        except Unmappable as error:
            place = _place(inputs, row.position.file, row.position.number)
            raise InputError(f"{where}: {place}: a key {error.detail}") from None
    if is_empty:
        raise UsageError(f"{where} key: no row of {plan.file} has a value in {plan.key.text}; correct key or where")
    for name in unseen:
        _refuse_column(plan, name, tuple(names), where)


def _check_columns(plan: LookupPlan, inputs: Inputs, where: str) -> None:
    for reader in inputs.readers:
        columns = reader.columns()
        for name in plan.columns if columns is not None else ():
            if name not in (columns or ()):
                _refuse_column(plan, name, columns or (), where)


def _refuse_column(plan: LookupPlan, name: str, columns: Sequence[str], where: str) -> NoReturn:
    places = (("key", plan.key), ("value", plan.value), ("where", plan.where))
    key = next((f" {key}" for key, place in places if place and name in place.columns), "")
    meant = closest(name, columns)
    hint = f"did you mean {meant}?" if meant else f"it has {', '.join(columns)}"
    used = "" if key else f', which a field takes with lookup = "{plan.name}.{name}"'
    raise UsageError(f"{where}{key}: {plan.file} has no column {name}{used}; {hint}")


def _check(connection: sqlite3.Connection, plan: LookupPlan, inputs: Inputs, where: str, *, is_followed: bool) -> None:
    """Refuse one key with two values, and keys that lead in a circle."""

    def form(content: str) -> str | None:
        # Keys that lead on are compared as all keys are; other values count as they are written.
        return plan.form(orjson.loads(content)) if is_followed else content

    connection.create_function("form", 1, form, deterministic=True)
    if plan.duplicates == "reject":
        for (key,) in connection.execute(_DOUBLE):
            (value, *first), *others = connection.execute(_OF_KEY, (key,))
            other = next((row for row in others if form(row[0]) != form(value)), None)
            if other is not None:
                raise UsageError(
                    f"{where} key: {_place(inputs, *first)} and {_place(inputs, *other[1:])} have the same key and "
                    'different values; correct one of them, or set duplicates = "first" or "last"'
                )
    if is_followed:
        for (key,) in connection.execute(_LINKS):
            _refuse_circle(connection, key, plan, inputs, where)


def _refuse_circle(connection: sqlite3.Connection, key: str, plan: LookupPlan, inputs: Inputs, where: str) -> None:
    # Brent's way to find a circle: it needs no memory for the keys on the way, however many they are.
    def after(one: str) -> str | None:
        row = _row(connection, one, plan.duplicates)
        following = None if row is None else plan.form(orjson.loads(row[0]))
        return None if following == one else following

    anchor, steps, limit = key, 0, 1
    one = after(key)
    while one is not None and one != anchor:
        steps += 1
        if steps == limit:
            anchor, steps, limit = one, 0, limit * 2
        one = after(one)
    if one is None:
        return
    places = [_place(inputs, *row[1:]) for row in _circle(connection, one, after, plan.duplicates)]
    raise UsageError(f"{where}: the keys form a cycle: {' -> '.join(places)}; correct one of these rows")


def _circle(connection: sqlite3.Connection, first: str, after: Any, duplicates: str) -> Iterator[Any]:
    one, shown = first, 0
    while shown < 5 and (shown == 0 or one != first):
        yield _row(connection, one, duplicates)
        one, shown = after(one), shown + 1


def _row(connection: sqlite3.Connection, key: str, duplicates: str) -> Any:
    order = " DESC" if duplicates == "last" else ""
    cursor = connection.execute(f"{_OF_KEY}{order} LIMIT 1", (key,))
    try:
        return cursor.fetchone()
    finally:
        cursor.close()  # the statement is shared, and another thread may need it next


def _finder(connection: sqlite3.Connection, duplicates: str) -> Find:
    lock = threading.Lock()

    def content_of(key: str) -> str | None:
        with lock:
            row = _row(connection, key, duplicates)
        return None if row is None else row[0]

    @functools.lru_cache(_CACHED)
    def cached(key: str) -> Any:
        content = content_of(key)
        if content is None:
            return MISSING
        return orjson.loads(content) if len(content) <= _MOST_CACHED else _LONG

    def find(key: str) -> Any:
        found = cached(key)
        return orjson.loads(content_of(key) or "null") if found is _LONG else found

    return find


def _place(inputs: Inputs, file: int, number: int) -> str:
    return place_of_row(Path(inputs.names[file]).name, number)
