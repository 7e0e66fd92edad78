"""An old and a new picture of the same rows made one. Pure."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import pyarrow as pa

from bulkgladly.lake.arrow import Array, integers
from bulkgladly.lake.keys import content_columns, digests, identities
from bulkgladly.lake.schemas.shapes import TIMESTAMP

__all__ = ("GONE_SINCE", "Merged", "merge")

GONE_SINCE = "_gone_since"


@dataclass(frozen=True, slots=True)
class Merged:
    """All rows, and how many of them are how: created + updated + unchanged are the rows of the new picture.

    `gone` counts the rows that were there before and are not any more; those that were gone
    already do not count again. A row that is back counts as updated.
    """

    table: pa.Table
    created: int
    updated: int
    unchanged: int
    gone: int


def merge(old: pa.Table, new: pa.Table, key: Sequence[str], *, gone_since: dt.datetime | None = None) -> Merged:
    """Return the rows of both: the new ones in their order, then those that only the old has, in theirs.

    Where both have a row of the same key, the new one is kept, and it counts as unchanged
    if it differs in columns about its origin at most (`keys.content_columns`). A row that
    only the old has is kept; its `_gone_since`, if there is such a column and it is null,
    becomes `gone_since`. Of rows with the same key within a table the last counts. Both
    tables must have the schema of the data set.
    """
    old, new = old.select(new.schema.names), _last_of_each(new, key)
    old = _last_of_each(old, key)
    content = content_columns(new.schema.names)
    before = dict(zip(identities(old, key), zip(digests(old, content), _are_gone(old), strict=True), strict=True))
    created = updated = 0
    kept: set[bytes] = set()
    for identity, digest in zip(identities(new, key), digests(new, content), strict=True):
        kept.add(identity)
        found = before.get(identity)
        created += found is None
        updated += found is not None and found != (digest, False)
    missing = [at for at, identity in enumerate(before) if identity not in kept]
    gone = _with_gone_since(old.take(integers("q", missing)), gone_since)
    newly_gone = sum(not is_gone for identity, (_, is_gone) in before.items() if identity not in kept)
    table = pa.concat_tables([new, gone.cast(new.schema)]).combine_chunks()
    return Merged(table, created, updated, new.num_rows - created - updated, newly_gone)


def _last_of_each(table: pa.Table, key: Sequence[str]) -> pa.Table:
    """Return the last row of each key, in the order of these rows."""
    last = {identity: at for at, identity in enumerate(identities(table, key))}
    return table if len(last) == table.num_rows else table.take(integers("q", sorted(last.values())))


def _are_gone(table: pa.Table) -> list[bool]:
    if GONE_SINCE not in table.schema.names:
        return [False] * table.num_rows
    return [bool(is_gone) for is_gone in table.column(GONE_SINCE).is_valid().to_pylist()]


def _with_gone_since(table: pa.Table, gone_since: dt.datetime | None) -> pa.Table:
    at = table.schema.get_field_index(GONE_SINCE)
    if at < 0 or gone_since is None:
        return table
    filled: Array = cast("Any", table.column(at)).fill_null(pa.scalar(gone_since, TIMESTAMP))
    return table.set_column(at, table.schema.field(at), filled)
