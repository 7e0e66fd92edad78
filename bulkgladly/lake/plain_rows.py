"""Published rows as plain objects with some of their columns, so that they can be sorted and joined without Arrow."""

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
from pyarrow import types

from bulkgladly.lake.catalogue import Catalogue
from bulkgladly.lake.manifest import Manifest, order_of_publishing
from bulkgladly.lake.published_rows import data_set_of_rows, known_data_set, parts_of, tables_in

__all__ = ("AGE", "has_rows", "plain_rows")

AGE = "_age"
"""In a row: Gladly's time of its export job, or else when it was fetched, in microseconds since 1970; 0 if unknown."""
_ROWS = 2048
_AGES = ("_job_updated_at", "_fetched_at")


def has_rows(folder: Catalogue, name: str) -> bool:
    """Tell whether anything is published of a data set."""
    return any(manifest.parts for manifest in folder.iter_manifests(name))


def plain_rows(
    folder: Catalogue, name: str, columns: Sequence[str], *, entities: Sequence[str] = ()
) -> Iterator[dict[str, Any]]:
    """Yield the rows of all units of a data set, from the one published first to the newest, with their `AGE`.

    A row that is in several units comes several times. Times are in microseconds since 1970. A column that the data
    set lacks is None. With `entities`, parts in folders of other entities are not read. Memory is bounded by these
    columns of one row group.

    Raises:
        InputError: A part is missing or cannot be read.
    """
    manifests = sorted((one for one in folder.manifests(name) if one.parts), key=order_of_publishing)
    if not manifests:
        return
    data_set = known_data_set(folder, name) or data_set_of_rows(folder, name, manifests)
    ages = [each for each in _AGES if each in data_set.schema.names]
    found = [each for each in dict.fromkeys((*columns, *ages)) if each in data_set.schema.names]
    empty = dict.fromkeys(columns)
    for manifest in manifests:
        for path in _wanted(folder, manifest, entities):
            for table in tables_in(path, data_set, found):
                # Python's objects take many times the memory of Arrow's, so never all of a row group at once.
                for batch in table.to_batches(max_chunksize=_ROWS):
                    values = [_plain(batch.column(each)) for each in found]
                    for row in zip(*values, strict=True):
                        made = empty | dict(zip(found, row, strict=True))
                        made[AGE] = next((made[each] for each in ages if made[each] is not None), 0)
                        yield made


def _wanted(folder: Catalogue, manifest: Manifest, entities: Sequence[str]) -> Iterator[Any]:
    for part, path in zip(manifest.parts, parts_of(folder, manifest), strict=True):
        told = dict(step.split("=", 1) for step in part.path.split("/")[:-1] if "=" in step)
        if not entities or told.get("entity", entities[0]) in entities:
            yield path


def _plain(column: Any) -> list[Any]:
    values: list[Any] = (column.cast(pa.int64()) if types.is_timestamp(column.type) else column).to_pylist()
    return values
