"""`dataset load`: a database brought up to date with a data folder."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from bulkgladly.choices import closest
from bulkgladly.commands import next_command
from bulkgladly.databases.database_url import DatabaseUrl, database_url
from bulkgladly.databases.duckdb_database import DuckdbDatabase
from bulkgladly.databases.load_current import has_current, load_current
from bulkgladly.databases.load_units import LoadedRows, load_units
from bulkgladly.databases.loaded_tables import CURRENT_PREFIX
from bulkgladly.databases.loaded_units import loaded_data_sets, prepare_records
from bulkgladly.databases.loaded_views import create_views, has_views
from bulkgladly.databases.postgresql_database import PostgresqlDatabase
from bulkgladly.databases.sql_database import SqlDatabase
from bulkgladly.databases.sqlite_database import SqliteDatabase
from bulkgladly.errors import UsageError
from bulkgladly.lake.folder import DataFolder

__all__ = ("fill_database", "load_data", "opened_database")


@contextmanager
def opened_database(url: DatabaseUrl, schema: str | None = None) -> Iterator[SqlDatabase]:
    """Open the database of a URL for the block.

    Raises:
        UsageError: It does not exist, does not let us in, its driver is not installed, or the schema does not fit.
        Outage: It cannot be reached, or another process has it open.
    """
    kinds: dict[str, Callable[[DatabaseUrl, str | None], SqlDatabase]] = {
        "postgresql": PostgresqlDatabase,
        "duckdb": DuckdbDatabase,
        "sqlite": SqliteDatabase,
    }
    database = kinds[url.kind](url, schema)
    try:
        yield database
    finally:
        database.close()


def load_data(
    folder: DataFolder,
    url: str,
    names: Sequence[str] = (),
    *,
    schema: str | None = None,
    is_current: bool = False,
    loaded: Callable[[LoadedRows], None] = lambda _: None,
) -> list[LoadedRows]:
    """Bring a database up to date with the named data sets of a folder, or all, and return what was changed of each.

    With `is_current`, their compacted rows are loaded instead, each into a table of its own. `loaded` is called after
    each data set. What is done stays done if a later one fails.

    Raises:
        UsageError: The URL, the database, a table in it, or the folder cannot be used.
        Outage: The database cannot be reached, or went away. The next call continues.
    """
    with opened_database(database_url(url), schema) as database:
        return fill_database(database, folder, names, is_current=is_current, loaded=loaded)


def fill_database(
    database: SqlDatabase,
    folder: DataFolder,
    names: Sequence[str] = (),
    *,
    is_current: bool = False,
    loaded: Callable[[LoadedRows], None] = lambda _: None,
) -> list[LoadedRows]:
    """Do the same with an open database."""
    _complete(folder)
    prepare_records(database, folder.host)
    known = _known_names(database, folder, is_current=is_current)
    if not names and not known:
        raise UsageError(_nothing_to_load(folder, is_current=is_current))
    for name in names:
        if name not in known and not (is_current and name in folder.data_sets()):
            meant = closest(name, known)
            hint = f"did you mean {meant!r}?" if meant else f"it has: {', '.join(known) or 'none'}"
            raise UsageError(f"{folder.path} has no data set {name!r}; {hint}")
    load = load_current if is_current else load_units
    done = []
    for name in dict.fromkeys(names or known):
        done.append(load(database, folder, name))
        loaded(done[-1])
    changed = [one.data_set for one in done if one.is_changed]
    if changed or not has_views(database):
        create_views(database, folder, changed)
    return done


def _complete(folder: DataFolder) -> None:
    """Complete what a killed export was about to publish. Its units could not be read otherwise."""
    if folder.begun():
        # A process that is writing does so itself; and a folder that is read-only is read as far as it can be.
        with contextlib.suppress(UsageError), folder.lock():
            folder.recover()


def _known_names(database: SqlDatabase, folder: DataFolder, *, is_current: bool) -> list[str]:
    if is_current:
        return [name for name in folder.data_sets() if has_current(folder, name)]
    # What is in the database and no longer published is removed from it as well.
    held = (name for name in loaded_data_sets(database) if not name.startswith(CURRENT_PREFIX))
    return sorted({*folder.data_sets(), *held})


def _nothing_to_load(folder: DataFolder, *, is_current: bool) -> str:
    command = next_command("dataset", "compact", folder.path) if is_current else next_command("dump", folder.path)
    what = "no current rows" if is_current else "no data yet"
    return f"{folder.path} has {what}; run `{command}` first"
