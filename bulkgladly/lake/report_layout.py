"""The columns of a report in one data folder: settled when its first row was seen, the same for ever."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self, cast

import pyarrow as pa

from bulkgladly.lake.merge import GONE_SINCE
from bulkgladly.lake.schemas.shapes import (
    FLAG,
    INT,
    NUMBER,
    TEXT,
    TIMESTAMP,
    Column,
    DataSet,
    Shape,
    schema_of,
)

__all__ = ("CELL_TYPES", "COLUMNS_NOTE", "ReportColumn", "ReportLayout")

COLUMNS_NOTE = "columns"
"""The name of the note that holds a layout."""

WINDOW: Mapping[str, pa.DataType] = {"_fetched_at": TIMESTAMP, "_window_start": TEXT, "_window_end": TEXT}
"""Provenance of a report's rows: when it was fetched, and which days were asked for, both included."""

CELL_TYPES: Mapping[str, Any] = {
    "text": TEXT,
    "integer": INT,
    "number": NUMBER,
    "timestamp": TIMESTAMP,
    "flag": FLAG,
}
"""The kinds of cells, and what they are in a table."""


class ReportColumn(NamedTuple):
    """A column: its name in tables, the header it was seen under, and its kind: a key of the types above."""

    name: str
    header: str
    kind: str


@dataclass(frozen=True)
class ReportLayout:
    """The columns of a metric set in one data folder, the same for ever. Further headers go to `_extra`."""

    data_set: DataSet
    columns: tuple[ReportColumn, ...]

    @classmethod
    def of(cls, name: str, columns: Sequence[ReportColumn], key: tuple[str, ...]) -> Self:
        """Return the layout of a data set. A key of which a column is missing is none."""
        fields: dict[str, Any] = {column.name: CELL_TYPES[column.kind] for column in columns} | {GONE_SINCE: TIMESTAMP}
        schema = schema_of(name, 1, fields, WINDOW)
        for column in columns:
            at = schema.get_field_index(column.name)
            named = schema.field(at).with_metadata({"bulkgladly.header": column.header})
            schema = schema.set(at, cast("Any", named))
        shape = Shape(None, tuple(Column(each, (each,), kept) for each, kept in fields.items()))
        usable = key if all(part in fields for part in key) else ()
        found = DataSet(name, 1, schema, usable, shape, partitions=("window",), provenance=WINDOW)
        return cls(found, tuple(columns))

    def noted(self) -> dict[str, Any]:
        """Return the columns and the key as a note about the data set holds them."""
        columns = [column._asdict() for column in self.columns]
        return {"format": 1, "columns": columns, "key": list(self.data_set.key)}

    @classmethod
    def from_note(cls, name: str, note: Mapping[str, Any], key: tuple[str, ...] | None = None) -> Self:
        """Return the layout that was noted; with its own key, or another that is known better.

        Raises:
            ValueError: The note is damaged, or of a newer version.
        """
        try:
            if note["format"] != 1:
                raise ValueError("it was written by a newer version of bulkgladly")
            columns = [ReportColumn(**column) for column in note["columns"]]
            return cls.of(name, columns, tuple(note.get("key", ())) if key is None else key)
        except (KeyError, TypeError) as exc:
            raise ValueError(f"{type(exc).__name__}: {exc}") from exc
