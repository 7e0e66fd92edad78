"""Rows of many partitions in one file, until each partition can be written by itself.

Where rows come for many partitions in turn, none of them has enough for a row group when
memory is full. Written as parts at once they would be thousands of small row groups, each
with its own entry in a footer, and a footer is held until its part is closed.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa

__all__ = ("Overflow",)


class Overflow:
    """One file, made with its first rows. It needs no sync: killed, it is worth nothing.

    A partition is known by its folder.

    Rows may be read from several threads once nothing is added any more.

    Raises:
        OSError: From each call that writes or reads.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: Any = None
        self._places: dict[PurePosixPath, list[tuple[int, int]]] = {}
        codec = pa.Codec("lz4") if pa.Codec.is_available("lz4") else None
        self._options = pa.ipc.IpcWriteOptions(compression=codec, use_threads=False)  # too small for threads

    @property
    def places(self) -> list[PurePosixPath]:
        """The folders that have rows here, in the order in which they came."""
        return list(self._places)

    def __contains__(self, place: PurePosixPath) -> bool:
        return place in self._places

    def add(self, place: PurePosixPath, table: pa.Table) -> None:
        """Take rows of a folder, after those it has here."""
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.unlink(missing_ok=True)
            self._file = pa.OSFile(str(self._path), "wb")
        begin = self._file.tell()
        with pa.ipc.new_stream(self._file, table.schema, options=self._options) as stream:
            stream.write_table(table)
        self._places.setdefault(place, []).append((begin, self._file.tell() - begin))

    def tables(self, place: PurePosixPath) -> Iterator[pa.Table]:
        """Yield the rows of a folder, as they were added."""
        if place not in self._places:
            return
        self._file.flush()
        with pa.OSFile(str(self._path), "rb") as file:
            for begin, size in self._places[place]:
                file.seek(begin)
                options = pa.ipc.IpcReadOptions(use_threads=False)
                with pa.ipc.open_stream(file.read_buffer(size), options=options) as stream:
                    yield stream.read_all()

    def drop(self) -> None:
        """Remove the file. Safe at any time, and twice."""
        self._places.clear()
        if self._file is not None:
            with contextlib.suppress(OSError, pa.ArrowException):
                self._file.close()
            self._file = None
            self._path.unlink(missing_ok=True)
