"""Lines in batches, as Arrow sees them, over the bytes they came in. Pure."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, cast

import pyarrow as pa
import pyarrow.compute as pc

from bulkgladly.lake.arrow import Array, integers, scalar
from bulkgladly.lines import BOM, MAX_LINE_BYTES, stretches

__all__ = ("BATCH_BYTES", "LineBatch", "cut")

BATCH_BYTES = 2 << 20
_NO_LINES = pa.nulls(0, pa.binary())


class LineBatch(NamedTuple):
    """Lines that follow each other, each ended by a newline; `first` is the number of the first.

    `lines` has them as Arrow sees them, newline included, over the very bytes of `data`.
    `too_long` is the beginning of one line above the limit, which then is the only one.
    """

    first: int
    data: bytes
    lines: Array
    too_long: bytes | None = None


def cut(
    blocks: Iterable[bytes], *, batch_bytes: int = BATCH_BYTES, max_line_bytes: int = MAX_LINE_BYTES
) -> Iterator[LineBatch]:
    """Yield all lines in batches of about `batch_bytes`; the last line needs no newline.

    A carriage return before a newline is dropped, and so is a byte order mark at the start.
    """
    number = 1
    for data, _, is_cut in stretches(blocks, batch_bytes=batch_bytes, max_line_bytes=max_line_bytes):
        found = data.removeprefix(BOM) if number == 1 else data
        if is_cut:
            yield LineBatch(number, b"", _NO_LINES, found)
            number += 1
        elif found:
            batch = _batch(number, found)
            yield batch
            number += len(batch.lines)


def _batch(first: int, data: bytes) -> LineBatch:
    if not data.endswith(b"\n"):
        data += b"\n"
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n")
    return LineBatch(first, data, _split(data))


def _split(data: bytes) -> Array:
    """Return an array of the lines of `data`, each with its newline, without copying them."""
    body = pa.py_buffer(data)
    whole = pa.Array.from_buffers(
        pa.binary(), 1, cast("Any", [None, integers("i", (0, len(data) - 1)).buffers()[1], body])
    )
    ends = cast("Any", pc.split_pattern(whole, pattern="\n")).flatten()
    count = len(ends)
    sizes = pc.add(pc.binary_length(ends), scalar(1, pa.int32()))
    offsets = pa.concat_arrays([integers("i", (0,)), cast("Array", pc.cumulative_sum(sizes))])
    return pa.Array.from_buffers(pa.binary(), count, cast("Any", [None, offsets.buffers()[1], body]))
