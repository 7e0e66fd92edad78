"""What may happen to rows between their reading and their writing: left out, stamped, or held back."""

from collections.abc import Callable, Iterable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from bulkgladly.lake.arrow import in_schema, integers, scalar
from bulkgladly.lake.rows import Rows
from bulkgladly.lake.schemas import LINE, TIMESTAMP, DataSet

__all__ = ("HeldRows", "OncePerKey", "RowFilter", "StampedRows")

RowFilter = Callable[[Rows], Rows | None]
"""From rows as they were read to rows as they are written; None where nothing is left of them."""


class OncePerKey:
    """Passes on the first row of each key; a row without one always passes.

    Holds all keys that came by: about 120 bytes for each. `left_out` counts the rows that did not pass.
    """

    def __init__(self, column: str, known: Iterable[str] = ()) -> None:
        """`known` are keys whose rows are there already."""
        self._column = column
        self._known = set(known)
        self.left_out = 0

    def __call__(self, rows: Rows) -> Rows | None:
        """Return the rows that pass."""
        passing: list[int] = []
        for at, key in enumerate(rows.batch.column(self._column).to_pylist()):
            if key is None or key not in self._known:
                passing.append(at)
                if key is not None:
                    self._known.add(key)
        self.left_out += rows.batch.num_rows - len(passing)
        if not passing:
            return None
        if len(passing) == rows.batch.num_rows:
            return rows
        return Rows(rows.partition, rows.batch.take(integers("i", passing)))


class StampedRows:
    """Gives each row the time of its line: for bodies put together from answers of different moments."""

    def __init__(self, column: str, times: Sequence[int]) -> None:
        """`times` has for each line its time, in microseconds since 1970."""
        self._column = column
        self._times = integers("q", times).cast(TIMESTAMP)

    def __call__(self, rows: Rows) -> Rows:
        """Return the rows with their times."""
        lines = pc.subtract(rows.batch.column(LINE), scalar(1, pa.int64()))
        column = self._times.take(lines)
        names = [*rows.batch.schema.names, self._column]
        return Rows(rows.partition, pa.RecordBatch.from_arrays([*rows.batch.columns, column], names=names))


class HeldRows:
    """Lets nothing pass, but keeps it: for rows that must be compared with others before they are written."""

    def __init__(self) -> None:
        self._batches: list[pa.RecordBatch] = []

    def __call__(self, rows: Rows) -> None:
        """Keep the rows."""
        self._batches.append(rows.batch)

    def table(self, data_set: DataSet, **constants: object) -> pa.Table:
        """Return all rows in file order and in the declared schema; a missing column is constant, or null."""
        tables = [pa.Table.from_batches([batch]) for batch in self._batches]
        if not tables:
            return data_set.schema.empty_table()
        table = pa.concat_tables(tables, promote_options="default").sort_by(LINE)
        return in_schema(table, data_set.schema, constants)
