"""What the SQL views of a data folder read: one source for each data set, with its columns as DuckDB types.

Only manifests, footers, and the texts of reports are read; nothing is written.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from bulkgladly.gladly.table import METRIC_SETS
from bulkgladly.lake.arrow import Array
from bulkgladly.lake.catalogue import Catalogue
from bulkgladly.lake.manifest import Manifest
from bulkgladly.lake.places import CURRENT, place_of
from bulkgladly.lake.published_rows import data_set_of_rows, parts_of, tables_in
from bulkgladly.lake.schemas import DATA_SETS, DataSet

__all__ = (
    "ViewSource",
    "declared_columns",
    "duckdb_type",
    "empty_source",
    "quoted",
    "source_of",
    "text_literal",
    "view_name",
)

REPORTS = "reports/"


@dataclass(frozen=True)
class ViewSource:
    """A data set as a view shows it.

    `files` is a glob of its Parquet files, or None if the view has no rows. `columns` are the DuckDB types by
    column, `casts` those of text columns of a report whose values all fit a narrower type, and `absent` the
    columns that no file has. `is_compact` says that the files hold one row per key already. `remark` says why
    there are no rows.
    """

    name: str
    view: str
    columns: Mapping[str, str]
    key: tuple[str, ...] = ()
    files: str | None = None
    casts: Mapping[str, str] = field(default_factory=dict[str, str])
    absent: tuple[str, ...] = ()
    is_compact: bool = False
    remark: str = ""


def view_name(data_set: str) -> str:
    """Return the name of the view of a data set, in snake case: `reports/TaskExportReport` is `report_task_export`."""
    name = data_set
    if data_set.startswith(REPORTS):
        name = _HUMP.sub("_", data_set.removeprefix(REPORTS)).lower().replace("_report", "", 1)
        name = f"report_{name}"
    return re.sub(r"\W+", "_", name.lower()).strip("_")


_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def source_of(folder: Catalogue, name: str, view: str, expected: Mapping[str, str]) -> ViewSource | None:
    """Return the source of a data set, or None if the folder has no rows of it. The view must have `expected`.

    Raises:
        InputError: A part, or what is remembered about the data set, cannot be read.
        UsageError: The data set is not declared, and its parts are not Parquet.
    """
    manifests = [one for one in folder.manifests(name) if one.parts]
    if not manifests:
        return None
    data_set = data_set_of_rows(folder, name, manifests)
    found = {field.name: duckdb_type(field.type) for field in data_set.schema}
    columns = {**found, **{column: kind for column, kind in expected.items() if column not in found}}
    parts = [part for one in manifests for part in one.parts]
    if any(not part.path.endswith(".parquet") for part in parts):
        return replace(_from_compacted(folder.path.absolute(), name, view, columns), key=data_set.key)
    # Parts that are all of an older version lack the columns that were added since.
    is_old = all(part.schema_version < data_set.version for part in parts)
    absent = tuple(columns) if is_old else tuple(column for column in columns if column not in found)
    place = folder.path.absolute() / place_of(name)
    return ViewSource(
        name=name,
        view=view,
        columns=columns,
        key=data_set.key,
        files=_glob(place, "**/*.parquet" if data_set.partitions else "*.parquet"),
        casts=_casts(folder, data_set, manifests) if name.startswith(REPORTS) else {},
        absent=absent,
    )


def empty_source(name: str, view: str, columns: Mapping[str, str], remark: str = "") -> ViewSource:
    """Return a source without rows, so that views that join the data set still work."""
    return ViewSource(name, view, columns, remark=remark or f"the folder has no rows of {name}")


def declared_columns(name: str) -> dict[str, str]:
    """Return the declared columns of a data set, or the known ones of a report, with their DuckDB types.

    Raises:
        KeyError: There is no such data set or report.
    """
    if name in DATA_SETS:
        return {field.name: duckdb_type(field.type) for field in DATA_SETS[name].schema}
    known = METRIC_SETS[name.removeprefix(REPORTS)].columns
    own = {"_gone_since": _TIME, "_fetched_at": _TIME, "_line": "BIGINT"}
    return {column.name: _CELLS[column.kind.value] for column in known} | own


def _from_compacted(top: Path, name: str, view: str, columns: Mapping[str, str]) -> ViewSource:
    """Return the compacted rows, which are always Parquet, of a data set that has other files."""
    place = top / CURRENT / place_of(name)
    if any(place.glob("*.parquet")):
        return ViewSource(name, view, columns, files=_glob(place, "*.parquet"), absent=tuple(columns), is_compact=True)
    remark = f"{name} has files that are not Parquet; run `bulkgladly dataset compact` first"
    return empty_source(name, view, columns, remark)


def _glob(folder: Path, pattern: str) -> str:
    """Return a pattern of DuckDB for the files below a folder, whatever characters its name has."""
    return f"{re.sub(r'[*?[]', lambda found: f'[{found[0]}]', str(folder))}/{pattern}"


# --- Names, texts and types in SQL ---

_TIME = "TIMESTAMP WITH TIME ZONE"
_CELLS = {"text": "VARCHAR", "integer": "BIGINT", "number": "DOUBLE", "timestamp": _TIME, "flag": "BOOLEAN"}


def quoted(name: str) -> str:
    """Return a name in the quotes of SQL."""
    return '"' + name.replace('"', '""') + '"'


def text_literal(text: str) -> str:
    """Return a text in the quotes of SQL."""
    return "'" + text.replace("'", "''") + "'"


def duckdb_type(kind: pa.DataType) -> str:
    """Return the name of the DuckDB type in which a column of Parquet appears."""
    if isinstance(kind, pa.StructType):
        members = (kind.field(at) for at in range(kind.num_fields))
        return f"STRUCT({', '.join(f'{quoted(each.name)} {duckdb_type(each.type)}' for each in members)})"
    if isinstance(kind, pa.MapType):
        return f"MAP({duckdb_type(kind.key_type)}, {duckdb_type(kind.item_type)})"
    if isinstance(kind, pa.ListType):
        return f"{duckdb_type(kind.value_type)}[]"
    if types.is_timestamp(kind):
        return _TIME
    plain = {pa.bool_(): "BOOLEAN", pa.int64(): "BIGINT", pa.float64(): "DOUBLE"}
    return plain.get(kind, "VARCHAR")


# --- Texts of a report that are numbers, days or times ---

_NARROWER: Sequence[tuple[str, str]] = (
    ("BIGINT", r"^-?(0|[1-9][0-9]{0,17})$"),
    ("DOUBLE", r"^-?(0|[1-9][0-9]{0,11})(\.[0-9]{1,6})?$"),
    ("BOOLEAN", r"^(true|false)$"),
    ("DATE", r"^[0-9]{4}-[01][0-9]-[0-3][0-9]$"),
    (_TIME, r"^[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})$"),
)
"""Types in the order to try them. A number that begins with a zero is a code, and more digits would be lost."""

_NAMING = re.compile(r"(?:^|_)(?:id|ids|name|number|email|phone|code|url|link|topics?)(?:_\d+)?$")
"""Columns that name something stay texts, also when all their values are digits, so that joins keep working."""


def _casts(folder: Catalogue, data_set: DataSet, manifests: Sequence[Manifest]) -> dict[str, str]:
    """Return the narrower types of text columns, by column: those that each of their values fits."""
    open_ = {
        field.name: [kind for kind, _ in _NARROWER]
        for field in data_set.schema
        if types.is_string(field.type) and not field.name.startswith("_") and not _NAMING.search(field.name)
    }
    has_value: set[str] = set()
    for table in _tables(folder, data_set, manifests, sorted(open_)):
        for name, fitting in open_.items():
            values: Array = table.column(name).drop_null()
            if len(values):
                has_value.add(name)
                fitting[:] = [kind for kind, form in _NARROWER if kind in fitting and _all_match(values, form)]
    return {name: fitting[0] for name, fitting in open_.items() if fitting and name in has_value}


def _all_match(values: Array, form: str) -> bool:
    return bool(pc.all(pc.match_substring_regex(values, form)).as_py())


def _tables(
    folder: Catalogue, data_set: DataSet, manifests: Iterable[Manifest], columns: list[str]
) -> Iterator[pa.Table]:
    for manifest in manifests:
        for path in parts_of(folder, manifest):
            yield from tables_in(path, data_set, columns)
