"""An input that is read once as a whole, and then again only in the places that matter."""

from collections.abc import Iterable, Iterator
from contextlib import closing

from bulkgladly.files.inputs import Inputs
from bulkgladly.records import Mark, Position, Row

__all__ = ("Pieces",)

_ROWS_AT_ONCE = 256  # larger batches no longer fit the processor's cache, and take longer a row
_NEAR = 2
"""The most pieces without flags that are read and dropped between two with flags."""
_PACKED = frozenset({".gz", ".zst"})
_MOST_STARTS = 4
"""How often a compressed file is opened. Each time, everything before the piece is unpacked again."""


class Pieces:
    """The rows of an input in pieces: the mark at which each begins, and a byte of flags for each row."""

    def __init__(self, inputs: Inputs) -> None:
        self._inputs = inputs
        self._marks: list[Mark] = []
        self._flags = bytearray()
        self._is_packed = any(file.path.suffix.lower() in _PACKED for file in inputs.files)

    def batches(self) -> Iterator[list[Row]]:
        """Yield all rows.

        Raises:
            InputError: A file cannot be read further.
        """
        last: Position | None = None
        for rows in self._inputs.batches(size=_ROWS_AT_ONCE):
            # The records of one mapped row may be spread over two batches, and are only made together:
            # the piece begins with the row, not in its middle.
            if rows[0].position != last:
                self._marks.append(Mark(rows[0].seq, rows[0].position))
            last = rows[-1].position
            self._flags.extend(bytes(len(rows)))
            yield rows

    @property
    def rows(self) -> int:
        """The number of rows read."""
        return len(self._flags)

    def flag(self, rows: Iterable[int], bit: int) -> None:
        """Set a flag of rows that have been read."""
        for row in rows:
            self._flags[row] |= bit

    def flags(self, row: int) -> int:
        """Return the flags of a row."""
        return self._flags[row]

    def flagged(self) -> Iterator[list[Row]]:
        """Read the rows with any flag again, in input order.

        Raises:
            InputError: A file cannot be read again.
        """
        found: list[Row] = []
        for first, last in self._runs():
            end = self._marks[last + 1].seq if last + 1 < len(self._marks) else len(self._flags)
            with closing(self._inputs.batches(self._marks[first], size=_ROWS_AT_ONCE)) as batches:
                for rows in batches:
                    found += [row for row in rows if row.seq < end and self._flags[row.seq]]
                    if len(found) >= _ROWS_AT_ONCE:
                        yield found
                        found = []
                    if rows[-1].seq + 1 >= end:
                        break
        if found:
            yield found

    def _runs(self) -> list[tuple[int, int]]:
        """Return the pieces to read as pairs of first and last; pieces that are near each other are one pair."""
        runs: list[tuple[int, int]] = []
        for number, mark in enumerate(self._marks):
            end = self._marks[number + 1].seq if number + 1 < len(self._marks) else len(self._flags)
            if not any(self._flags[mark.seq : end]):
                continue
            # A short gap is read and dropped, which spares opening the file once more.
            if runs and number - runs[-1][1] <= _NEAR:
                runs[-1] = (runs[-1][0], number)
            else:
                runs.append((number, number))
        # A compressed file has no place to seek to: each run would unpack everything before it.
        if self._is_packed and len(runs) > _MOST_STARTS:
            return [(runs[0][0], runs[-1][1])]
        return runs
