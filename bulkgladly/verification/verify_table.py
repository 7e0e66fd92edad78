"""`verify.parquet`: one row for each verdict, with its differences field by field."""

from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from bulkgladly.journal.results import ResultFile
from bulkgladly.journal.verdicts import RowVerdict
from bulkgladly.storage.durable import hash_of, replacing
from bulkgladly.storage.failures import file_error

__all__ = ("write_verdicts",)

_GROUP_ROWS = 10_000
_FIELD: pa.DataType = pa.struct([("field", pa.string()), ("expected", pa.string()), ("held", pa.string())])
_COLUMNS: tuple[tuple[str, pa.DataType], ...] = (
    ("row", pa.int64()),
    ("file", pa.string()),
    ("line", pa.int64()),
    ("key", pa.string()),
    ("id", pa.string()),
    ("word", pa.string()),
    ("fields", pa.list_(_FIELD)),
    ("unverified", pa.list_(pa.string())),
    ("status", pa.int32()),
    ("code", pa.string()),
    ("detail", pa.string()),
)
_SCHEMA = pa.schema(_COLUMNS)


def write_verdicts(path: Path, verdicts: Iterable[RowVerdict], names: Sequence[str]) -> ResultFile:
    """Write the table of verdicts, whole or not at all, and return its digest; memory is flat.

    `names` are the input files, by number. `row` counts the records of the input from 1. Values are texts: a text as
    it is, everything else as JSON. Only the owner can read the file, which may hold personal data.

    Raises:
        DiskFull, JournalError: It cannot be written.
    """
    rows = 0
    left = iter(verdicts)
    try:
        with replacing(path, mode=0o600) as file, pq.ParquetWriter(file, _SCHEMA, compression="zstd") as writer:
            while group := list(islice(left, _GROUP_ROWS)):
                lines = [_line(one, names) for one in group]
                writer.write_table(pa.Table.from_pylist(lines, schema=_SCHEMA))
                rows += len(lines)
        return ResultFile(str(path), rows, path.stat().st_size, hash_of(path))
    except OSError as error:
        raise file_error(error, path) from error


def _line(one: RowVerdict, names: Sequence[str]) -> dict[str, Any]:
    return {
        "row": one.seq + 1,
        "file": names[one.position.file] if one.position.file < len(names) else str(one.position.file),
        "line": one.position.number,
        "key": one.key,
        "id": one.gladly_id,
        "word": one.word,
        "fields": [
            {"field": name, "expected": _text(expected), "held": _text(held)} for name, expected, held in one.fields
        ],
        "unverified": list(one.unverified),
        "status": one.status,
        "code": one.code,
        "detail": one.detail,
    }


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else orjson.dumps(value, default=str).decode()
