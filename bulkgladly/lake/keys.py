"""What identifies a row, and whether two rows are equal. Pure."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, cast

import orjson
import pyarrow as pa
from pyarrow import types

from bulkgladly.lake.schemas.shapes import EXTRA

__all__ = ("content_columns", "digests", "identities")

_ROWS = 4096
_WHOLE_ROW = b"\0"


def content_columns(names: Iterable[str]) -> list[str]:
    """Return the columns that say what a row is: all but those about where it came from.

    `_extra` is among them: it holds what Gladly sent and no column took.
    """
    return [name for name in names if not name.startswith("_") or name == EXTRA]


def identities(table: pa.Table, key: Sequence[str]) -> Iterator[bytes]:
    """Yield what identifies each row: the values of its key.

    Where there is no key, or a row has a null in it, the row is identified by all of its content.
    """
    if len(key) == 1 and types.is_string(table.schema.field(key[0]).type) and not table.column(key[0]).null_count:
        for chunk in table.column(key[0]).cast(pa.binary()).chunks:
            yield from (b"=" + value for value in cast("list[bytes]", chunk.to_pylist()))
        return
    content = content_columns(table.schema.names)
    for batch in table.to_batches(max_chunksize=_ROWS):
        for row in _rows_of(batch.select(list(dict.fromkeys((*key, *content))))):
            values = [row[name] for name in key]
            if not values or None in values:
                yield _WHOLE_ROW + _digest([row[name] for name in content])
            else:
                yield _digest(values)


def digests(table: pa.Table, columns: Sequence[str]) -> Iterator[bytes]:
    """Yield for each row 16 bytes that are the same for equal values of the columns.

    The order of the members of an object is no difference.
    """
    for batch in table.to_batches(max_chunksize=_ROWS):
        yield from (_digest(list(row.values())) for row in _rows_of(batch.select(list(columns))))


def _rows_of(batch: pa.RecordBatch) -> Iterator[dict[str, Any]]:
    for row in batch.to_pylist(maps_as_pydicts="lossy"):
        if row.get(EXTRA) is not None:
            row[EXTRA] = json.loads(row[EXTRA], parse_float=_exact, parse_int=_exact)
        yield row


def _exact(digits: str) -> str:
    """Return a number so that it equals no text, and no other number that a float would take for it."""
    return f"\0{digits}"


def _digest(values: Sequence[object]) -> bytes:
    return hashlib.blake2b(orjson.dumps(values, option=orjson.OPT_SORT_KEYS), digest_size=16).digest()
