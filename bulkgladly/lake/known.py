"""What is known of a data set: declared for all folders, or settled in one when its first row was seen."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq

from bulkgladly.errors import InputError, UsageError
from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.keys import identities
from bulkgladly.lake.manifest import Manifest
from bulkgladly.lake.published_rows import parts_of, tables_in
from bulkgladly.lake.report_layout import COLUMNS_NOTE, ReportLayout
from bulkgladly.lake.schemas import DATA_SETS
from bulkgladly.lake.schemas.shapes import DataSet, Shape

__all__ = ("data_set_of_rows", "known_data_set")


def known_data_set(folder: DataFolder, name: str) -> DataSet | None:
    """Return a data set with its schema and key; None where only its parts tell what it has.

    Raises:
        InputError: What was noted about it is damaged.
    """
    if name in DATA_SETS:
        return DATA_SETS[name]
    note = folder.noted(name, COLUMNS_NOTE, is_needed=True)
    if note is None:
        return None
    try:
        return ReportLayout.from_note(name, note).data_set
    except ValueError as exc:
        raise InputError(f"the columns noted for {name} cannot be read: {exc}; restore the note") from exc


def data_set_of_rows(folder: DataFolder, name: str, manifests: Sequence[Manifest]) -> DataSet:
    """Return the data set that units have the rows of, with a key only if it is one.

    The key of a report is none where a unit has it twice. Of a data set that nothing is known of,
    the columns are those that its parts have together, and there is no key.

    Raises:
        InputError: A part cannot be read, or what was noted about the data set.
        UsageError: Nothing is known of it, and its parts are not Parquet.
    """
    if (known := known_data_set(folder, name)) is not None:
        is_keyed = name in DATA_SETS or not known.key or _is_key_in_each(folder, known, manifests)
        return known if is_keyed else replace(known, key=())
    schemas: list[pa.Schema] = []
    for path in (path for manifest in manifests for path in parts_of(folder, manifest)):
        if path.suffix != ".parquet":
            raise UsageError(f"{name} cannot be compacted: it is not declared, and {path.name} is no Parquet file")
        try:
            found = pq.read_schema(path)
        except (OSError, pa.ArrowException) as exc:
            raise InputError(f"{path} cannot be read: {exc}") from exc
        if not any(found.equals(schema) for schema in schemas):
            schemas.append(found)
    unified = pa.unify_schemas(schemas, promote_options="permissive")
    version = max(manifest.schema_version for manifest in manifests)
    return DataSet(name, version, unified.with_metadata(cast("Any", schemas[-1].metadata)), (), Shape(None, ()))


def _is_key_in_each(folder: DataFolder, data_set: DataSet, manifests: Sequence[Manifest]) -> bool:
    """Tell whether no unit has a key twice. Holds the keys of one unit: a window of a report."""
    columns = list(data_set.key)
    for manifest in manifests:
        seen: set[bytes] = set()
        rows = 0
        for path in parts_of(folder, manifest):
            for table in tables_in(path, data_set, columns):
                whole = table.drop_null()
                seen.update(identities(whole, data_set.key))
                rows += whole.num_rows
        if len(seen) < rows:
            return False
    return True
