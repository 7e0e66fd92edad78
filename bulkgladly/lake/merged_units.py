"""Several small units of a data set into one that replaces them, with all their rows and rejects."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from bulkgladly.errors import InputError
from bulkgladly.lake.conversion import by_partition
from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.manifest import Manifest, SideFile, Span
from bulkgladly.lake.published_rows import parts_of, tables_in
from bulkgladly.lake.rows import DriftLog, Origin, Reject
from bulkgladly.lake.schemas import DATA_SETS, DataSet
from bulkgladly.lake.unit_writer import UnitWriter
from bulkgladly.storage.durable import below

__all__ = ("can_merge", "merge_units")

_REJECTS = "rejects"


def can_merge(manifest: Manifest) -> bool:
    """Tell whether a unit can become part of another one: nothing of it is raw, blank, or missing."""
    return (
        manifest.incomplete is None and not manifest.blank and all(other.kind == _REJECTS for other in manifest.others)
    )


def merge_units(
    folder: DataFolder,
    manifests: Sequence[Manifest],
    unit: str,
    *,
    origin: Origin,
    covered: Span | None,
    about: Mapping[str, Any],
) -> Manifest:
    """Replace units of a declared data set by one with this name, and return its manifest.

    `unit` may be one of them. Their parts must have the folders that the data set declares. Memory is
    bounded by the writer, whatever the size of the units. After an error or a kill, either nothing has
    happened, or the next process that locks the folder completes it.

    Raises:
        InputError: A part or the rejects of a unit are not what its manifest says; nothing was changed.
        DiskFull: No space; nothing was changed.
    """
    data_set = DATA_SETS[manifests[0].data_set]
    drift = DriftLog()
    with UnitWriter(folder, data_set, unit, origin) as writer:
        for manifest in manifests:
            _add_rows(folder, manifest, data_set, writer)
            for other in manifest.others:
                for refused in _rejects_in(folder, other):
                    writer.reject(refused)
            drift.take(manifest.drift)
        return writer.commit(covered=covered, about=about, replaces=manifests, drift=drift)


def _add_rows(folder: DataFolder, manifest: Manifest, data_set: DataSet, writer: UnitWriter) -> None:
    before = writer.rows
    for path in parts_of(folder, manifest):
        for table in tables_in(path, data_set):
            for batch in table.combine_chunks().to_batches():
                # All rows of a part are in one folder, so any of them tells which: the first.
                kind = batch.column(data_set.kind_column)[0].as_py() if data_set.kind_column else None
                for rows in by_partition(batch, kind, data_set):
                    writer.write(rows)
    if writer.rows - before != manifest.rows:
        raise InputError(
            f"{folder.path}: {manifest.data_set} {manifest.unit} has {writer.rows - before} rows where its manifest "
            f"counts {manifest.rows}; run `bulkgladly dataset verify` to find what is damaged"
        )


def _rejects_in(folder: DataFolder, other: SideFile) -> Iterator[Reject]:
    path = below(folder.path, other.path)
    count = 0
    try:
        with path.open("rb") as file:
            for line in file:
                yield _reject_in(line)
                count += 1
        if count != other.lines:
            raise ValueError(f"{count} lines where the manifest counts {other.lines}")
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise InputError(
            f"{path} cannot be read: {exc}; run `bulkgladly dataset verify` to find what is damaged"
        ) from exc


def _reject_in(line: bytes) -> Reject:
    about = orjson.loads(line)
    raw = about["raw"].encode() if "raw" in about else base64.b64decode(about["raw_base64"], validate=True)
    return Reject(int(about["line"]), str(about["code"]), str(about["detail"]), raw)
