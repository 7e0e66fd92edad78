"""What can be wrong with a data folder: the findings, and the checks of single files."""

import datetime as dt
import enum
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from bulkgladly.errors import InputError
from bulkgladly.lake.file_formats import rows_in
from bulkgladly.lake.manifest import PartEntry
from bulkgladly.lake.places import INCOMING
from bulkgladly.lake.schemas import DataSet
from bulkgladly.storage.durable import below, hash_of

__all__ = (
    "FileProblem",
    "FindingKind",
    "FolderFinding",
    "about_file",
    "about_part",
    "foreign",
    "unnamed",
)

_OF_DESKTOPS = frozenset((".DS_Store", "desktop.ini", "Thumbs.db", "ehthumbs.db", ".directory", ".localized"))
_OF_ENGINES = frozenset(("_SUCCESS", "_metadata", "_common_metadata"))


class FindingKind(enum.StrEnum):
    """What can be wrong."""

    DAMAGED_MANIFEST = "damaged_manifest"
    MISPLACED = "misplaced"
    NAMED_TWICE = "named_twice"
    HOST = "host"
    MISSING = "missing"
    SIZE = "size"
    HASH = "hash"
    ROWS = "rows"
    SCHEMA = "schema"
    COUNTS = "counts"
    UNNAMED = "unnamed"
    FOREIGN = "foreign"
    UNFINISHED = "unfinished"
    INCOMPLETE = "incomplete"
    GAP = "gap"


@dataclass(frozen=True, slots=True)
class FolderFinding:
    """One problem: where (relative to the folder), what, and the fix."""

    kind: FindingKind
    data_set: str
    unit: str | None
    path: str | None
    detail: str
    way_out: str


def unnamed(path: Path, top: Path) -> FolderFinding:
    """Return the finding for a file of ours that no manifest names."""
    is_incoming = path.relative_to(top).parts[0] == INCOMING
    seen = "no reader looks there" if is_incoming else "until then readers of the whole folder count its rows"
    way_out = f"the next export or compact removes it; {seen}"
    return _stray(FindingKind.UNNAMED, path, top, "no manifest names it", way_out)


def foreign(path: Path, top: Path) -> FolderFinding:
    """Return the finding for a file among the parts that is not ours."""
    detail, way_out = (
        "was not written by bulkgladly, or is damaged",
        "move it out of the data set; readers of the whole folder read it as a part",
    )
    if maker := _maker_of(path.name):
        detail = f"was left here by {maker}"
        way_out = "delete it; Polars or DuckDB cannot open a folder with such files"
    elif not {".parquet", ".ndjson", ".csv"}.intersection(path.suffixes):
        detail = "was not written by bulkgladly"
        way_out = "move it out of the data set; some readers, such as Polars, cannot open a folder with other files"
    return _stray(FindingKind.FOREIGN, path, top, detail, way_out)


def _maker_of(name: str) -> str | None:
    """Return which program leaves files of this name in the folders it opens or copies, if known."""
    if name.startswith("._") or name in _OF_DESKTOPS:
        return "a file manager"
    if name in _OF_ENGINES or name.endswith(".crc"):
        return "Spark or a reader like it"
    return None


def _stray(kind: FindingKind, path: Path, top: Path, detail: str, way_out: str) -> FolderFinding:
    place = path.relative_to(top)
    data_set = next(step for step in place.parts if not step.startswith("_"))
    return FolderFinding(kind, data_set, None, place.as_posix(), detail, way_out)


# --- Checks of single files ---

FileProblem = tuple[FindingKind, str]
"""What is wrong, and how."""


def about_file(top: Path, name: str, size: int, blake2b: str, *, deep: bool) -> Iterator[FileProblem]:
    """Yield what is wrong with a file, named relative to the top folder; nothing outside of it is opened."""
    try:
        path = below(top, name)
    except InputError as error:
        yield FindingKind.MISSING, str(error)
        return
    if path.is_symlink() or not path.is_file():
        yield FindingKind.MISSING, "is missing"
    elif (found := path.stat().st_size) != size:
        yield FindingKind.SIZE, f"has {found} bytes, not {size}"
    elif deep and hash_of(path) != blake2b:
        yield FindingKind.HASH, "has changed since it was written"


def about_part(
    top: Path, name: str, part: PartEntry, data_set: str, known: DataSet | None, *, deep: bool
) -> Iterator[FileProblem]:
    """Yield what is wrong with a part: as a file, and in its footer, which must agree with the manifest."""
    wrong = list(about_file(top, name, part.bytes, part.blake2b, deep=deep))
    yield from wrong
    is_parquet = name.endswith(".parquet")
    if wrong or not (deep or is_parquet):
        return
    path = below(top, name)
    try:
        rows = rows_in(path)
        footer = pq.read_metadata(path) if is_parquet else None
    except (OSError, pa.ArrowException) as exc:
        yield FindingKind.ROWS, f"cannot be read: {exc}"
        return
    if rows != part.rows:
        yield FindingKind.ROWS, f"has {rows} rows, not {part.rows}"
    if footer is not None:
        yield from _about_footer(footer, part, data_set, known)


def _about_footer(footer: Any, part: PartEntry, data_set: str, known: DataSet | None) -> Iterator[FileProblem]:
    schema: pa.Schema = footer.schema.to_arrow_schema()
    said = schema.metadata or {}
    wanted = {b"bulkgladly.data_set": data_set, b"bulkgladly.schema_version": str(part.schema_version)}
    for name, value in wanted.items():
        if (found := said.get(name, value.encode())) != value.encode():
            yield FindingKind.SCHEMA, f"its footer says {name.decode()} {found.decode(errors='replace')}, not {value}"
            return
    # The declaration is that of the newest version; a part of an older one may have other columns.
    if known is not None and known.version == part.schema_version:
        strange = [field.name for field in schema if field not in list(known.schema)]
        missing = [field.name for field in known.schema if field.name not in schema.names]
        if strange or missing:
            yield FindingKind.SCHEMA, f"has other columns than declared: {', '.join(dict.fromkeys(strange + missing))}"
            return
    times = _times_in(footer)
    if times is not None and times != (part.min_timestamp, part.max_timestamp):
        yield FindingKind.COUNTS, "its first and last times are not those of its manifest"


def _times_in(footer: Any) -> tuple[dt.datetime | None, dt.datetime | None] | None:
    """Return the first and the last `timestamp` according to the footer; None if it does not say."""
    names = [footer.schema.column(at).path for at in range(footer.num_columns)]
    if "timestamp" not in names or not footer.num_row_groups:
        return None
    found: list[dt.datetime] = []
    for group in range(footer.num_row_groups):
        statistics = footer.row_group(group).column(names.index("timestamp")).statistics
        if statistics is None:
            return None
        if statistics.has_min_max:
            found += [statistics.min, statistics.max]
        elif statistics.null_count != footer.row_group(group).num_rows:
            return None
    return (min(found), max(found)) if found else (None, None)
