"""What the state knows and a run had no row of: for inputs that are all there is."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from bulkgladly.journal.databases import reading
from bulkgladly.journal.reject_memory import RunScope

__all__ = ("missing_records", "rejects_without_key")


@contextlib.contextmanager
def missing_records(folder: Path, scope: RunScope) -> Iterator[Iterator[tuple[str, str]]]:
    """Give the source keys and ids of objects that earlier runs have sent and this run had no row of.

    A row that was rejected counts as there. Records without a key of their own are left out: a changed row would be
    another record.

    Raises:
        JournalDamaged: The journal or the state cannot be read.
    """
    with reading(folder / "journal.sqlite") as journal:
        # One statement over both files, so that SQLite sorts and compares, outside of our memory.
        journal.execute("ATTACH DATABASE ? AS state", (f"{scope.state.absolute().as_uri()}?mode=ro",))
        rows = journal.execute(
            "SELECT known.key, known.gladly_id FROM state.known JOIN state.scopes ON scopes.id = known.scope"
            " WHERE host = ? AND resource = ? AND namespace = ? AND known.gladly_id <> ''"
            " AND known.key NOT LIKE 'content:%'"
            " AND known.key NOT IN (SELECT key FROM main.records WHERE key IS NOT NULL)"
            # The same object may also be known by the former spelling of its key.
            " AND known.gladly_id NOT IN (SELECT gladly_id FROM main.records WHERE gladly_id IS NOT NULL)"
            " ORDER BY known.key",
            (scope.host, scope.resource, scope.namespace),
        )
        yield ((str(key), str(gladly_id)) for key, gladly_id in rows)


def rejects_without_key(folder: Path) -> int:
    """Return how many rejected rows of a run name no key, so that nobody knows which records they are about."""
    with reading(folder / "journal.sqlite") as journal:
        sql = "SELECT count(*) FROM records WHERE word = 'rejected' AND key IS NULL"
        return int(journal.execute(sql).fetchone()[0])
