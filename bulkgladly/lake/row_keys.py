"""What identifies a row, and which of many rows is the last with its key.

Keys are compared as bytes. `KeySpill` finds the last row of each key with only a share of the keys in
memory.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast
from zlib import crc32

import orjson
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import ipc, types

from bulkgladly.lake.arrow import Array, integers, scalar
from bulkgladly.lake.schemas import EXTRA

__all__ = (
    "KeySpill",
    "content_columns",
    "digests",
    "identities",
)

# --- What identifies a row ---

_ROWS = 4096
_WHOLE_ROW = b"\0"


def content_columns(names: Iterable[str]) -> list[str]:
    """Return the columns with the content of a row: all except those about its origin.

    `_extra` is among them, because it holds what Gladly sent and no column can hold.
    """
    return [name for name in names if not name.startswith("_") or name == EXTRA]


def identities(table: pa.Table, key: Sequence[str]) -> Iterator[bytes]:
    """Yield what identifies each row: the values of its key.

    Without a key, or with a null in it, a row is identified by its whole content.
    """
    if len(key) == 1 and types.is_string(table.schema.field(key[0]).type) and not table.column(key[0]).null_count:
        for chunk in table.column(key[0]).cast(pa.binary()).chunks:
            # The mark keeps a short text apart from the digests of other rows.
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

    The order of the members of an object does not matter.
    """
    for batch in table.to_batches(max_chunksize=_ROWS):
        yield from (_digest(list(row.values())) for row in _rows_of(batch.select(list(columns))))


def _rows_of(batch: pa.RecordBatch) -> Iterator[dict[str, Any]]:
    for row in batch.to_pylist(maps_as_pydicts="lossy"):
        if row.get(EXTRA) is not None:
            row[EXTRA] = json.loads(row[EXTRA], parse_float=_exact, parse_int=_exact)
        yield row


def _exact(digits: str) -> str:
    """Return a number as a text that equals no other text, and no other number that is the same as a float."""
    return f"\0{digits}"


def _digest(values: Sequence[object]) -> bytes:
    return hashlib.blake2b(orjson.dumps(values, option=orjson.OPT_SORT_KEYS), digest_size=16).digest()


# --- Which row is the last with its key ---

BUCKET_ROWS = 150_000
_MOST_BUCKETS = 4096
_HELD_ROWS = 1 << 16
_BEFORE_ALL = -(1 << 63)
_ORDER = ("key", "first", "second", "third", "row")


class KeySpill:
    """Takes the key and the age of each row, in the order of the rows, and then tells which rows to keep.

    Keys are written to files in `folder`, one for each bucket of hashes, with about `bucket_rows` rows each.
    """

    def __init__(self, folder: Path, rows: int, *, bucket_rows: int = BUCKET_ROWS) -> None:
        self._folder = folder
        self._count = min(_MOST_BUCKETS, rows // bucket_rows + 1)
        self._keys: list[bytes] = []
        self._ages: tuple[list[Array], ...] = ([], [], [])
        self.rows = 0

    def add(self, keys: Sequence[bytes], ages: Sequence[Array]) -> None:
        """Add rows. `ages` are three integers for each, the most significant first; null is before all others."""
        count = len(keys)
        self._keys += keys
        for held, values in zip(self._ages, ages, strict=True):
            held.append(values.fill_null(scalar(_BEFORE_ALL, values.type)))
        self.rows += count
        if len(self._keys) >= _HELD_ROWS:
            self._flush()

    def _flush(self) -> None:
        count = len(self._keys)
        if not count:
            return
        ages = [pa.concat_arrays([_flat(array) for array in arrays]) for arrays in self._ages]
        numbers = integers("q", range(self.rows - count, self.rows))
        table = pa.table([pa.array(self._keys, pa.binary()), *ages, numbers], names=list(_ORDER))
        # Any hash that is the same in every process would do; this is the quickest in the standard library.
        buckets = integers("i", (crc32(key) % self._count for key in self._keys))
        order = pc.array_sort_indices(buckets)
        table, runs = table.take(order), cast("Any", pc).run_end_encode(buckets.take(order))
        begin = 0
        for bucket, end in zip(runs.values.to_pylist(), runs.run_ends.to_pylist(), strict=True):
            with self._path(bucket).open("ab") as file, ipc.new_stream(file, table.schema) as stream:
                stream.write_table(table.slice(begin, end - begin))
            begin = end
        self._keys = []
        self._ages = ([], [], [])

    def _path(self, bucket: int) -> Path:
        return self._folder / f"keys-{bucket:04}.arrows"

    def last_of_each(self) -> "KeptRows":
        """Return the rows that are the last with their key: by their ages, then by their order."""
        self._flush()
        bits = bytearray((self.rows + 7) // 8)
        kept = 0
        for bucket in range(self._count):
            if self._path(bucket).exists():
                for row in _last_rows(pa.concat_tables(_streams_in(self._path(bucket)))):
                    bits[row >> 3] |= 1 << (row & 7)
                    kept += 1
                self._path(bucket).unlink()
        return KeptRows(bits, kept)


class KeptRows:
    """One bit for each row. `count` is the number of rows to keep."""

    def __init__(self, bits: bytearray, count: int) -> None:
        self._bits = pa.py_buffer(cast("Any", bits))
        self.count = count

    def among(self, begin: int, count: int) -> Array | None:
        """Return a mask of which of `count` rows to keep, from the row `begin` on; None if none of them is kept."""
        mask: Array = pa.Array.from_buffers(pa.bool_(), count, cast("Any", [None, self._bits]), offset=begin)
        return mask if mask.true_count else None


def _flat(values: Array) -> Array:
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values


def _streams_in(path: Path) -> Iterator[pa.Table]:
    with pa.OSFile(str(path), "rb") as file:
        while file.tell() < file.size():
            yield ipc.open_stream(file).read_all()


def _last_rows(table: pa.Table) -> list[int]:
    # Sorted by key, then by age: the last of each run of equal keys is the newest.
    by_age = [(name, "ascending") for name in _ORDER]
    order = cast("Any", pc).sort_indices(table, sort_keys=by_age)
    keys, rows = (_flat(table.column(name)).take(order) for name in ("key", "row"))
    if len(keys) > 1:
        differs = pc.not_equal(keys.slice(0, len(keys) - 1), keys.slice(1))
        rows = pa.concat_arrays([rows.slice(0, len(keys) - 1).filter(differs), rows.slice(len(keys) - 1)])
    numbers: list[int] = rows.to_pylist()
    return numbers
