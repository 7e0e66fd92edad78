"""The Arrow schema of each data set, and which JSON each kind of its lines may hold; built from declarations.

A data set and version has one schema, the same in every part, even if a column is null in every row; a
change of a schema is a new version. Names are spelled as in the API; times are `timestamp[us, UTC]`;
what the contract describes is a struct, a list or a map, never JSON text. What a line holds beyond that
goes to `_extra` (see `fitted_lines`). The declarations of an object stand in its module in
`gladly/objects`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import pyarrow as pa

from bulkgladly.gladly import data_sets as declared
from bulkgladly.gladly.data_sets import DataSetPlan, ListOf, Scalar, Struct, ValuePlace, ValueType
from bulkgladly.gladly.table import DATA_SET_PLANS
from bulkgladly.lake.places import MARK_LENGTH, segment

__all__ = (
    "DATA_SETS",
    "EXTRA",
    "FETCH",
    "FLAG",
    "INT",
    "JOB",
    "LINE",
    "NUMBER",
    "TEXT",
    "TIMESTAMP",
    "Column",
    "DataSet",
    "Fields",
    "Shape",
    "arrow_type",
    "built",
    "data_set_of",
    "schema_of",
    "struct",
    "undeclared",
)

EXTRA, LINE = declared.EXTRA.name, declared.LINE.name
TEXT, FLAG, INT, NUMBER = pa.string(), pa.bool_(), pa.int64(), pa.float64()
TIMESTAMP = pa.timestamp("us", tz="UTC")

Fields = dict[str, pa.DataType]
"""Names and types, in the order of the columns."""

_SCALARS: Mapping[Scalar, pa.DataType] = {
    Scalar.TEXT: TEXT,
    Scalar.FLAG: FLAG,
    Scalar.INTEGER: INT,
    Scalar.NUMBER: NUMBER,
    Scalar.MOMENT: TIMESTAMP,
}


def arrow_type(plain: ValueType) -> pa.DataType:
    """Return the Arrow type of a declared type."""
    if isinstance(plain, Scalar):
        return _SCALARS[plain]
    if isinstance(plain, ListOf):
        return pa.list_(arrow_type(plain.element))
    if isinstance(plain, Struct):
        return struct(**{name: arrow_type(member) for name, member in plain.members.items()})
    return pa.map_(TEXT, TEXT)


def struct(**members: pa.DataType) -> pa.StructType:
    """Return a struct of nullable members."""
    return pa.struct(list(members.items()))


JOB: Mapping[str, pa.DataType] = {column.name: arrow_type(column.type) for column in declared.JOB}
"""Provenance of the rows of an export job's file."""
FETCH: Mapping[str, pa.DataType] = {column.name: arrow_type(column.type) for column in declared.FETCHED}
"""Provenance of rows that were requested from the API."""


class Column(NamedTuple):
    """Where the value of a column stands in a line; with `wraps`, a text there becomes a list of one."""

    name: str
    path: tuple[str, ...]
    type: pa.DataType
    wraps: bool = False


@dataclass(frozen=True, eq=False)
class Shape:
    """What the lines of one kind may hold. `kind` stands at `kind_path`; None stands for an unknown kind.

    The value of a column stands at the top of the line or one level below. Shapes are compared by
    identity, because what is derived from one is looked up for every line.
    """

    kind: str | None
    columns: tuple[Column, ...]
    kind_path: tuple[str, ...] = ()

    @cached_property
    def holders(self) -> frozenset[str]:
        """The objects at the top of a line whose members become columns, such as the content of an item."""
        return frozenset(column.path[0] for column in self.columns if len(column.path) > 1)

    @cached_property
    def json_type(self) -> pa.StructType:
        """The line as one struct, in which each value has the type of its column."""
        top: Fields = {}
        below: dict[str, Fields] = {}
        for column in self.columns:
            level = top if len(column.path) == 1 else below.setdefault(column.path[0], {})
            level[column.path[-1]] = TEXT if column.wraps else column.type
        return struct(**top, **{name: struct(**members) for name, members in below.items()})


@dataclass(frozen=True)
class DataSet:
    """One data set: its schema, and its kinds of lines.

    `schema` has all columns, then the provenance, then `_line` and `_extra`. `key` names the
    columns that identify a row, and is empty if none do. `shapes` has the known kinds, told apart by
    the text at `kind_path`, and `unknown` is used for all others.

    `partitions` names the folders that parts are sorted into, outermost first: `type` (the
    kind), `entity` (the kind up to its slash), `date` (the day of `timestamp`, in UTC),
    `window` (the days of a report, as its unit is named).
    `file` is the file of an export job that the data set comes from.
    """

    name: str
    version: int
    schema: pa.Schema
    key: tuple[str, ...]
    unknown: Shape
    shapes: Mapping[str, Shape] = field(default_factory=dict)
    kind_path: tuple[str, ...] = ()
    partitions: tuple[str, ...] = ()
    file: str | None = None
    provenance: Mapping[str, pa.DataType] = field(default_factory=lambda: FETCH)

    @property
    def has_kinds(self) -> bool:
        """Whether its lines have kinds."""
        return bool(self.kind_path)

    @cached_property
    def kind_column(self) -> str | None:
        """The column that holds the kind."""
        return next((column.name for column in self.unknown.columns if column.path == self.kind_path), None)

    def shape_of(self, kind: str | None) -> Shape:
        """Return the shape of a kind of line."""
        return self.shapes.get(kind, self.unknown) if kind is not None else self.unknown


def schema_of(
    name: str, version: int, fields: Mapping[str, pa.DataType], provenance: Mapping[str, pa.DataType]
) -> pa.Schema:
    """Return the whole schema of a data set; every part has its name and version in the metadata."""
    return pa.schema(
        [*fields.items(), *provenance.items(), (LINE, INT), (EXTRA, TEXT)],
        metadata={"bulkgladly.data_set": name, "bulkgladly.schema_version": str(version)},
    )


def built(plan: DataSetPlan) -> DataSet:
    """Return the data set that is declared."""
    types = {column.name: arrow_type(column.type) for column in plan.columns}
    provenance = FETCH if plan.file is None else JOB
    places = plan.places or tuple(ValuePlace(name, (name,)) for name in types)

    def shape(kind: str | None, at: tuple[ValuePlace, ...]) -> Shape:
        return Shape(kind, tuple(Column(name, path, types[name], wraps) for name, path, wraps in at), plan.kind_path)

    return DataSet(
        plan.name,
        plan.version,
        schema_of(plan.name, plan.version, types, provenance),
        plan.key,
        shape(None, places),
        {kind: shape(kind, at) for kind, at in plan.kinds.items()},
        kind_path=plan.kind_path,
        partitions=plan.partitions,
        file=plan.file,
        provenance=provenance,
    )


# --- Every data set ---

_LONGEST = 90

DATA_SETS: Mapping[str, DataSet] = {name: built(plan) for name, plan in DATA_SET_PLANS.items()}
"""The declared data sets by name."""


def data_set_of(file: str) -> DataSet | None:
    """Return the data set of a file of an export job, or None if the file is not known."""
    return next((found for found in DATA_SETS.values() if found.file == file), None)


def undeclared(file: str) -> DataSet:
    """Return a data set for an unknown file of an export job: each line is kept whole, in `_extra`."""
    whole = segment(file)
    name = whole if len(whole) <= _LONGEST else segment(file, _LONGEST - MARK_LENGTH)
    return built(DataSetPlan(f"other/{name}", (), key=(), file=file))
