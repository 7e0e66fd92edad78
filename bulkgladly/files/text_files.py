"""What the text formats share: batches, samples, and a guess at the number of rows."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from bulkgladly.files.contract import ReadOptions
from bulkgladly.files.sources import Source, Stream
from bulkgladly.records import Position, Problem, Row, Stage

__all__ = ("TextReader", "too_large")

_BATCH_BYTES = 1 << 22
_GUESS_ROWS = 2000
_GUESS_BYTES = 1 << 19


class TextReader(ABC):
    """A reader whose rows follow each other in a stream of bytes."""

    def __init__(self, path: Path, file_index: int, options: ReadOptions, *, source: Source) -> None:
        self._path = path
        self._file_index = file_index
        self._options = options
        self._source = source

    @property
    def path(self) -> Path:
        """The file, as the user named it."""
        return self._path

    def hold(self, handle: int | None) -> None:
        """Read from an open file where its name is gone, as `Reader` says."""
        self._source.held = handle

    @abstractmethod
    def columns(self) -> tuple[str, ...] | None:
        """Return the column names that all rows share, or None if each row brings its own."""

    @abstractmethod
    def _rows(self, stream: Stream, start: Position) -> Iterator[Row]:
        """Yield the rows of a stream that stands at `start`."""

    @abstractmethod
    def _first_position(self) -> Position:
        """Return where the first row begins."""

    def batches(self, start: Position | None = None, *, size: int = 256) -> Iterator[list[Row]]:
        """Yield the rows in file order, as `Reader` says."""
        start = start or self._first_position()
        with self._source.open(start.offset) as stream:
            batch: list[Row] = []
            for row in self._rows(stream, start):
                batch.append(row)
                # Few long records fill the memory as well as many short ones.
                if len(batch) >= size or row.position.offset - batch[0].position.offset >= _BATCH_BYTES:
                    yield batch
                    batch = []
            if batch:
                yield batch

    def sample(self, n: int) -> list[Row]:
        """Return the first `n` rows, or all if there are fewer."""
        start = self._first_position()
        with self._source.open(start.offset) as stream:
            return list(islice(self._rows(stream, start), max(0, n)))

    def estimate_rows(self) -> tuple[int, bool]:
        """Return how many rows the file has: the sizes of its first rows against its own size."""
        start = self._first_position()
        with self._source.open(start.offset) as stream:
            count, end = 0, start.offset
            for row in self._rows(stream, start):
                end = row.position.offset
                if count >= _GUESS_ROWS or end - start.offset >= _GUESS_BYTES:
                    break
                count += 1
            else:
                return count, True
            total = self._content_bytes(stream)
        # At least one row is left, the one at which the counting ended.
        return max(count + 1, round(count * (total - start.offset) / max(1, end - start.offset))), False

    def _content_bytes(self, stream: Stream) -> float:
        """Return how long the stream will be in the end, from how far the file has brought it."""
        return self._source.size() * stream.offset / max(1, stream.consumed)


def too_large(options: ReadOptions) -> Problem:
    """Make the problem of a record above the limit, of which only the beginning is kept."""
    detail = f"is longer than {options.max_record_bytes} bytes; shorten it, or look for a missing quote"
    return Problem("record_too_large", detail, stage=Stage.READ)
