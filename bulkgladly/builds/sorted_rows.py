"""Rows sorted on the disk: any number of them, with a fixed amount of them in memory."""

import heapq
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

import orjson

__all__ = ("SORT_BYTES", "SortKey", "SortedRow", "SortedRows")

SORT_BYTES = 8 << 20
"""How many bytes of rows are held before they are written out; measured, each takes about five of memory."""
_OVERHEAD = 400
"""About what the objects around a row take, measured for keys of four."""
_BLOCKS_BYTES, _LEAST_BLOCK = 4 << 20, 16 << 10

SortKey = tuple[str | int, ...]


class SortedRow(NamedTuple):
    """A row with the key by which it was sorted; `size` is its length as JSON."""

    key: SortKey
    row: dict[str, Any]
    size: int


class SortedRows:
    """Takes rows with their keys, and yields them once, sorted by key; equal keys by what the rows hold.

    Rows are written out as sorted runs into one file without a name in `folder`, so nothing of it is left, whatever
    happens to the process. Memory is bounded by `held_bytes`, 4 MB of blocks that are read while merging (and beyond
    2 GB of rows, 2 MB for each further gigabyte), and one row. Keys are texts and numbers, of the same types in each.

    Raises:
        OSError: The file cannot be written or read.
    """

    def __init__(self, folder: Path, *, held_bytes: int = SORT_BYTES) -> None:
        self._folder, self._most = folder, held_bytes
        self._held: list[tuple[SortKey, bytes]] = []
        self._bytes = 0
        self._file: IO[bytes] | None = None
        self._runs: list[tuple[int, int]] = []

    def add(self, key: SortKey, row: Mapping[str, Any]) -> None:
        """Add a row."""
        line = orjson.dumps(row)
        self._held.append((key, line))
        self._bytes += len(line) + _OVERHEAD
        if self._bytes >= self._most:
            self._write_run()

    def __iter__(self) -> Iterator[SortedRow]:
        """Yield all rows in order, and then let go of the file."""
        self._held.sort()
        block = max(_LEAST_BLOCK, _BLOCKS_BYTES // (len(self._runs) or 1))
        runs = [self._run(begin, end, block) for begin, end in self._runs]
        try:
            for key, line in heapq.merge(*runs, self._held):
                yield SortedRow(key, orjson.loads(line), len(line))
        finally:
            self.close()

    def close(self) -> None:
        """Let go of what is held, on the disk as well. It may be called twice."""
        self._held, self._runs = [], []
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write_run(self) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self._folder, prefix=".bulkgladly-")  # noqa: SIM115  # kept open
        self._held.sort()
        begin = self._file.tell()
        # JSON has neither a tab nor a line end outside of its texts, where both are escaped.
        self._file.writelines(orjson.dumps(key) + b"\t" + line + b"\n" for key, line in self._held)
        self._file.flush()
        self._runs.append((begin, self._file.tell()))
        self._held, self._bytes = [], 0

    def _run(self, begin: int, end: int, block: int) -> Iterator[tuple[SortKey, bytes]]:
        rest = b""
        while begin < end and self._file is not None:
            data = os.pread(self._file.fileno(), min(block, end - begin), begin)
            begin += len(data)
            *lines, rest = (rest + data).split(b"\n")
            for each in lines:
                key, _, line = each.partition(b"\t")
                yield tuple(orjson.loads(key)), line
            if not lines:
                block *= 2  # a row longer than the block must not be joined from thousands of pieces
