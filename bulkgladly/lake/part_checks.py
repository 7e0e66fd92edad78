"""Whether one file is what its manifest says: its size, its bytes, and what its footer tells."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from bulkgladly.errors import InputError
from bulkgladly.lake.disk import below, hash_of
from bulkgladly.lake.file_formats import rows_in
from bulkgladly.lake.findings import FindingKind
from bulkgladly.lake.part_files import PartReport
from bulkgladly.lake.schemas.shapes import DataSet

__all__ = ("Problem", "about_file", "about_part")

Problem = tuple[FindingKind, str]
"""What is wrong, and how."""


def about_file(top: Path, name: str, size: int, blake2b: str, *, deep: bool) -> Iterator[Problem]:
    """Yield what is wrong with a file, at a name relative to the top folder; nothing outside is opened."""
    try:
        path = below(top, name)
    except InputError as error:
        yield FindingKind.MISSING, str(error)
        return
    if path.is_symlink() or not path.is_file():
        yield FindingKind.MISSING, "is not there"
    elif (found := path.stat().st_size) != size:
        yield FindingKind.SIZE, f"has {found} bytes, not {size}"
    elif deep and hash_of(path) != blake2b:
        yield FindingKind.HASH, "holds other bytes than were written"


def about_part(
    top: Path, name: str, part: PartReport, data_set: str, known: DataSet | None, *, deep: bool
) -> Iterator[Problem]:
    """Yield what is wrong with a part: as a file, and by its footer, which must say what the manifest does."""
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


def _about_footer(footer: Any, part: PartReport, data_set: str, known: DataSet | None) -> Iterator[Problem]:
    schema: pa.Schema = footer.schema.to_arrow_schema()
    said = schema.metadata or {}
    wanted = {b"bulkgladly.data_set": data_set, b"bulkgladly.schema_version": str(part.schema_version)}
    for name, value in wanted.items():
        if (found := said.get(name, value.encode())) != value.encode():
            yield FindingKind.SCHEMA, f"says {name.decode()} {found.decode(errors='replace')}, not {value}"
            return
    if known is not None and known.version == part.schema_version:
        strange = [field.name for field in schema if field not in list(known.schema)]
        missing = [field.name for field in known.schema if field.name not in schema.names]
        if strange or missing:
            yield FindingKind.SCHEMA, f"is not as declared: {', '.join(dict.fromkeys(strange + missing))}"
            return
    times = _times_in(footer)
    if times is not None and times != (part.min_timestamp, part.max_timestamp):
        yield FindingKind.COUNTS, "has other first and last times than its manifest says"


def _times_in(footer: Any) -> tuple[dt.datetime | None, dt.datetime | None] | None:
    """Return the first and the last `timestamp` by the footer; None where it does not tell."""
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
