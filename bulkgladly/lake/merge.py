"""The rows that a data set holds, merged with newer readings of them so that nothing is lost. Pure.

Lists and reports are read again and again, because Gladly revises them. Where a key identifies the
rows, the new row of a key replaces the old one, and a row that is missing from the new reading is kept
and marked. Without a key, the new reading replaces the old one as a whole, unless it has fewer rows.
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc

from bulkgladly.lake.arrow import Array, empty_table, integers, scalar
from bulkgladly.lake.row_keys import content_columns, digests, identities
from bulkgladly.lake.schemas import TIMESTAMP

__all__ = (
    "GONE_SINCE",
    "Merged",
    "Restated",
    "United",
    "joined",
    "merge",
    "restate",
    "unite",
)

# --- Two readings of the same rows ---

GONE_SINCE = "_gone_since"


@dataclass(frozen=True, slots=True)
class Merged:
    """All rows, and counts: created + updated + unchanged are the rows of the new reading.

    `gone` counts the rows that the new reading lacks, without those that were gone already. A row
    that is back counts as updated.
    """

    table: pa.Table
    created: int
    updated: int
    unchanged: int
    gone: int


def merge(old: pa.Table, new: pa.Table, key: Sequence[str], *, gone_since: dt.datetime | None = None) -> Merged:
    """Return the rows of both: the new ones in their order, then those that only the old table has, in theirs.

    If both have a row of the same key, the new one is kept, and it counts as unchanged if it
    differs only in columns about its origin (see `row_keys.content_columns`). A row that only the
    old table has is kept; its `_gone_since`, if there is such a column and it is null, becomes
    `gone_since`. Of rows with the same key within one table the last counts. Both tables must have
    the schema of the data set.
    """
    # The same columns in the same order, or equal rows would have different digests.
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
    """Return the last row of each key, in the order of these last rows."""
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
    filled: Array = cast("Any", table.column(at)).fill_null(scalar(gone_since, TIMESTAMP))
    return table.set_column(at, table.schema.field(at), filled)


# --- Windows of reports ---


@dataclass(frozen=True, slots=True)
class United:
    """The rows of several readings. `key` is empty if it does not identify them.

    `beyond` counts the rows that the last reading lacks, `alone` those that only it has.
    """

    table: pa.Table
    key: tuple[str, ...]
    beyond: int = 0
    alone: int = 0


@dataclass(frozen=True, slots=True)
class Restated:
    """What a window holds now, and the counts of its new rows.

    `table` is None if nothing has changed. `doubt` says why the new rows were not taken, if they
    were not.
    """

    table: pa.Table | None
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    doubt: str | None = None


def unite(readings: Sequence[pa.Table], key: tuple[str, ...]) -> United:
    """Return the rows of readings that may overlap, each once; the row of the last reading is kept.

    Without a key, rows are told apart by their content, and a row that one reading has twice counts
    as two. A key that a reading has twice is not used as a key; a row with a null in its key is told
    apart by its content.
    """
    if not all(_is_key_of(reading, key) for reading in readings):
        key = ()
    *others, last = ([*_identities(reading, key)] for reading in readings)
    had = Counter(last)
    pieces = [readings[-1]]
    for reading, found in zip(readings, others, strict=False):
        here: Counter[bytes] = Counter()
        fresh: list[int] = []
        for at, identity in enumerate(found):
            here[identity] += 1
            # Only the surplus is added: a row that the last reading has as often is the same row.
            if here[identity] > had[identity]:
                fresh.append(at)
        had |= here
        pieces.append(reading.take(integers("q", fresh)))
    elsewhere: Counter[bytes] = Counter()
    for found in others:
        elsewhere |= Counter(found)
    alone = (Counter(last) - elsewhere).total()
    table = pa.concat_tables(pieces).combine_chunks()
    return United(table, key, beyond=table.num_rows - len(last), alone=alone)


def restate(old: pa.Table, new: pa.Table, key: tuple[str, ...], *, at: dt.datetime, is_whole: bool) -> Restated:
    """Return what a window holds after it was read again at `at`. Both tables have the schema of the data set.

    `is_whole` says that the new rows are all there are: only then is a missing row marked as gone. A
    reading without rows is not believed if there were some before.
    """
    gone = old.filter(old.column(GONE_SINCE).is_valid())
    held = old.num_rows - gone.num_rows
    content = content_columns(new.schema.names)
    if held and not new.num_rows:
        return Restated(None, doubt=f"the response is empty, but the data set has {held} rows; they were kept")
    if not old.num_rows:
        return Restated(new if new.num_rows else None, created=new.num_rows)
    if not gone.num_rows and old.select(content).equals(new.select(content)):
        # Two readings may differ in their order only, but rarely do, and this comparison is quick.
        return Restated(None, unchanged=new.num_rows)
    if key and _is_key_of(old, key) and _is_key_of(new, key):
        merged = merge(old, new, key, gone_since=at if is_whole else None)
        changed = merged.created or merged.updated or merged.gone
        return Restated(merged.table if changed else None, merged.created, merged.updated, merged.unchanged)
    if new.num_rows < held:
        doubt = (
            f"the response has {new.num_rows} rows, but the data set has {held}, and no key tells which are "
            "missing; they were kept"
        )
        return Restated(None, doubt=doubt)
    live = old.filter(cast("Any", pc.is_null(old.column(GONE_SINCE))))
    unchanged = (Counter(digests(live, content)) & Counter(digests(new, content))).total()
    created = new.num_rows - held
    table = None if unchanged == new.num_rows else pa.concat_tables([new, gone])
    return Restated(table, created, new.num_rows - created - unchanged, unchanged)


def joined(tables: Sequence[pa.Table], schema: pa.Schema) -> pa.Table:
    """Return the rows of all tables, which have this schema; the list may be empty."""
    return pa.concat_tables([empty_table(schema), *tables]).combine_chunks()


def _identities(table: pa.Table, key: tuple[str, ...]) -> Iterator[bytes]:
    return identities(table, key) if key else digests(table, content_columns(table.schema.names))


def _is_key_of(table: pa.Table, key: tuple[str, ...]) -> bool:
    """Tell whether no two rows have the same key."""
    return not key or len(set(identities(table, key))) == table.num_rows
