"""The source keys that the lasting state knows, read without becoming its writer."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from bulkgladly.storage.failures import database_error

__all__ = ("known_keys",)


def known_keys(state: Path, host: str, resource: str, namespace: str) -> Iterator[str]:
    """Yield the source keys under which objects of an organisation are known; none where there is no state.

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
