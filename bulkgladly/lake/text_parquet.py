"""A Parquet file of texts that belongs to no data set: written in bounded memory, whole or not at all."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq

from bulkgladly.storage.durable import replacing

__all__ = ("write_texts",)

_GROUP_ROWS = 50_000


def write_texts(path: Path, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> int:
    """Write rows of texts as a Parquet file that only its owner can read, and return how many.

    Raises:
        OSError: It cannot be written; an older file is still there.
    """
    schema = pa.schema([pa.field(name, pa.string()) for name in columns])
    written = 0
    with replacing(path, mode=0o600) as file, pq.ParquetWriter(cast("Any", file), schema, compression="zstd") as writer:
        for group in _groups(rows):
            arrays = [pa.array(values, pa.string()) for values in zip(*group, strict=True)]
            writer.write_table(pa.Table.from_arrays(cast("Any", arrays), schema=schema))
            written += len(group)
    return written


def _groups(rows: Iterable[Sequence[str]]) -> Iterator[list[Sequence[str]]]:
    left = iter(rows)
    while group := list(islice(left, _GROUP_ROWS)):
        yield group
