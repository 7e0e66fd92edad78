"""The result files of an import for people: rejects as CSV in the form of the input, and the values left out.

Both are made from the journal, so that a run that was killed and resumed writes the same files.
"""

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Self

import orjson

from bulkgladly.errors import InputError
from bulkgladly.files.csv_files import CsvReader, LineFinder
from bulkgladly.files.csv_forms import DUPLICATE, FIX, LINE, PART, RAW, REASON, CsvForm, CsvLines
from bulkgladly.files.inputs import Inputs
from bulkgladly.imports.fixes import DUPLICATE_FIX, UNKNOWN_FIX, fix_for
from bulkgladly.journal.results import RejectedRow, ResultFile, dropped_values, publish_lines, rejected_rows
from bulkgladly.records import Position, Problem, Stage, Word

__all__ = ("REJECTED_TABLE", "REJECTED_TABLES", "WARNINGS", "write_tables")

REJECTED_TABLE, REJECTED_TABLES = "rejected.csv", "rejected*.csv"
WARNINGS = "warnings.csv"
_WARNING_COLUMNS = ("file", "line", "column", "field", "value", "reason", "code")


def write_tables(folder: Path, inputs: Inputs) -> list[ResultFile]:
    """Write `warnings.csv`, and for inputs in CSV or Excel the rejects as `rejected.csv`; only those that have rows.

    Inputs with different headers make several files of rejects: `rejected-2.csv` and so on.

    Raises:
        DiskFull, JournalDamaged, JournalError: They cannot be written, or the journal cannot be read.
    """
    found = [_write_warnings(folder, inputs)]
    groups: dict[CsvForm, list[int]] = {}
    for number, reader in enumerate(inputs.readers):
        if (form := reader.form()) is not None:
            groups.setdefault(form, []).append(number)
    for nth, (form, files) in enumerate(groups.items(), 1):
        path = folder / (REJECTED_TABLE if nth == 1 else f"rejected-{nth}.csv")
        found.append(_write_rejects(path, folder, inputs, form, frozenset(files)))
    return [file for file in found if file is not None]


# --- rejects ---


def _write_rejects(path: Path, folder: Path, inputs: Inputs, form: CsvForm, files: frozenset[int]) -> ResultFile | None:
    extra = _extra_columns(folder, files)
    if extra is None:
        path.unlink(missing_ok=True)
        return None
    lines = CsvLines(form)
    header = lines.line([*form.names, *extra])
    with _Lines(inputs) as places:
        rows = (row for row in rejected_rows(folder) if row.position.file in files)
        cells = (_reject_cells(row, form, extra, places, is_named=len(files) > 1) for row in rows)
        written = publish_lines(path, _with_header(header, map(lines.line, cells)), end=b"")
    return ResultFile(written.path, written.rows - 1, written.size, written.digest)


def _extra_columns(folder: Path, files: frozenset[int]) -> tuple[str, ...] | None:
    """Return the columns that are added to those of the input; None if there are no rejects."""
    has_rows = has_raw = has_part = has_duplicate = False
    for row in rejected_rows(folder):
        if row.position.file in files:
            has_rows = True
            note = _note_of(row)
            has_raw |= "raw" in note or "raw_base64" in note
            has_part |= "part" in note
            has_duplicate |= _is_duplicate(row)
    optional = (PART,) * has_part + (DUPLICATE,) * has_duplicate + (RAW,) * has_raw
    return (LINE, REASON, FIX, *optional) if has_rows else None


def _reject_cells(
    row: RejectedRow, form: CsvForm, extra: Sequence[str], places: "_Lines", *, is_named: bool
) -> list[str]:
    fields, note = orjson.loads(row.original or b"{}"), _note_of(row)
    line = places.line_of(row.position)
    stage = Stage(row.stage) if row.stage else Stage.CHECK
    problem = Problem(row.code, row.detail, row.attr, stage=stage)
    is_unknown = row.word == Word.UNKNOWN
    added = {
        LINE: f"{places.name_of(row.position)}:{line}" if is_named else line,
        REASON: f"outcome unknown: {row.detail}" if is_unknown else row.detail,
        FIX: UNKNOWN_FIX if is_unknown else DUPLICATE_FIX if _is_duplicate(row) else fix_for(problem),
        DUPLICATE: "yes" if _is_duplicate(row) else "",
        PART: f"{note['part']}/{note['of']}" if "part" in note else "",
        RAW: _raw_text(note, form.raw_encoding),
    }
    return [*(_cell(fields.get(name)) for name in form.names), *(added[name] for name in extra)]


def _is_duplicate(row: RejectedRow) -> bool:
    return row.code == "duplicate_key" and row.word == Word.REJECTED


def _note_of(row: RejectedRow) -> Mapping[str, object]:
    # Nearly all rows have no note, and need not be parsed to know that.
    if b'"_bulkgladly"' not in row.original:
        return {}
    note = orjson.loads(row.original).get("_bulkgladly")
    return note if isinstance(note, dict) else {}


def _raw_text(note: Mapping[str, object], encoding: str) -> str:
    if "raw_base64" in note:
        return base64.b64decode(str(note["raw_base64"])).decode(encoding, "replace")
    return str(note.get("raw", ""))


def _cell(value: object) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return orjson.dumps(value).decode()


# --- dropped values ---


def _write_warnings(folder: Path, inputs: Inputs) -> ResultFile | None:
    path = folder / WARNINGS
    if next(dropped_values(folder), None) is None:
        path.unlink(missing_ok=True)
        return None
    line = CsvLines(CsvForm(_WARNING_COLUMNS, ",", '"', "utf-8")).line
    with _Lines(inputs) as places:
        rows = (
            (places.name_of(at), places.line_of(at), one.column, one.field, one.value, one.detail, one.code)
            for at, one in dropped_values(folder)
        )
        written = publish_lines(path, _with_header(line(_WARNING_COLUMNS), map(line, rows)), end=b"")
    return ResultFile(written.path, written.rows - 1, written.size, written.digest)


def _with_header(header: bytes, lines: Iterable[bytes]) -> Iterator[bytes]:
    yield header
    yield from lines


# --- where rows are ---


class _Lines:
    """Tells the lines of rows, which must be asked for in input order.

    A run that an earlier version began has only counted the records: then each file is read once, from the beginning.
    """

    def __init__(self, inputs: Inputs) -> None:
        self._inputs = inputs
        self._file = -1
        self._is_known = True
        self._finder: LineFinder | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def name_of(self, position: Position) -> str:
        """Return the name of the file that a row is in."""
        return self._inputs.names[position.file]

    def line_of(self, position: Position) -> str:
        """Return the line on which a row begins, or its number in a table; empty if the file cannot be read again."""
        if position.file != self._file:
            self._stack.close()
            self._file, self._finder = position.file, None
            reader = self._inputs.readers[position.file]
            self._is_known = not (isinstance(reader, CsvReader) and reader.counts_records)
            if isinstance(reader, CsvReader) and not self._is_known:
                with suppress(InputError):
                    self._finder = self._stack.enter_context(reader.line_finder())
        if self._is_known:
            return str(position.number)
        with suppress(InputError):
            return "" if self._finder is None else str(self._finder.lines_before(position.offset) + 1)
        self._finder = None
        return ""
