"""Excel files: the rows of one sheet, read one at a time; every cell is text, as in a CSV file.

The only module that loads openpyxl, which is an extra of the package.
"""

import csv
import io
import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, cast

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

from bulkgladly.choices import closest, one_of
from bulkgladly.errors import InputError
from bulkgladly.files.contract import ReadOptions
from bulkgladly.files.csv_forms import CsvForm, added_columns, columns_without, rejected_row
from bulkgladly.files.folders import added_note
from bulkgladly.files.sheet_archive import (
    DAMAGE,
    ReopenedFile,
    merged_ranges,
    refuse_other_files,
    save_again,
    uncalculated_cell,
)
from bulkgladly.files.sheet_cells import cell_text, column_letters
from bulkgladly.files.table_form import header_elsewhere, is_header, nameless, refuse_twice
from bulkgladly.records import Position, Problem, Row, Stage, Word

__all__ = ("SheetReader",)

_DAMAGE = (*DAMAGE, InvalidFileException, ValueError, KeyError, TypeError, AttributeError, IndexError, SyntaxError)
"""What the library raises for XML that is not as it should be; SyntaxError is that of its XML parser."""
_LOOKED_AT_ROWS = 30
_SAMPLED_ROWS = 100
_COUNTED_ROWS = 2000
_MERGED_NAMED = 3
_MOST_ROWS = 1 << 20
"""What Excel allows."""
_BATCH_CHARS = 1 << 22


class SheetReader:
    """Reads a sheet of an Excel file, by default the first one that is visible and not empty.

    Rows have the numbers that Excel shows. Blank rows are passed over, since sheets may be formatted far below their
    last value. A row is found again by reading the sheet from its beginning. The workbook stays in memory, with the
    texts that cells share; the file is closed between calls.

    - *opening*: `_load`, `_choose`, `_read_header`, `_look_closer`
    - *rows*: `_sheet_rows`, `_rows`, `_row_of`
    """

    def __init__(self, path: Path, file_index: int, options: ReadOptions) -> None:
        refuse_other_files(path)
        # The library warns about parts that it does not keep, such as colours; nothing of that is in the rows.
        warnings.filterwarnings("ignore", category=UserWarning, module=r"openpyxl\.")
        self._path, self._file_index, self._options = path, file_index, options
        self._notes: list[str] = []
        self._added: dict[str, str] = {}
        self._file = ReopenedFile(path)
        with self._reading():
            self._book = self._load()
            self._sheet = self._choose()
            self._names = self._read_header()
            self._ours = added_columns(self._names)
            self._look_closer()

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            with self._file.used():
                yield
        except _DAMAGE as exc:
            raise save_again(self._path, str(exc).partition("\n")[0] or type(exc).__name__) from exc

    def _load(self) -> Any:
        # Without `keep_links=False`, workbooks that this one refers to would be read into memory.
        return openpyxl.load_workbook(
            cast("io.BytesIO", self._file), read_only=True, data_only=True, keep_links=False, keep_vba=False
        )

    def _choose(self) -> Any:
        """Return the sheet to read, and say which one it is if there are several."""
        sheets, wanted = list(self._book.worksheets), self._options.sheet
        names = [str(sheet.title) for sheet in sheets]
        if not sheets:
            raise InputError(f"{self._path}: has no sheets with cells")
        self._declared_rows = {str(sheet.title): int(sheet.max_row or 0) for sheet in sheets}
        for sheet in sheets:
            sheet.reset_dimensions()  # some programs write wrong ones, and the library would leave out what is beyond
        if wanted is not None:
            found = next((each for each in sheets if each.title.casefold() == wanted.casefold()), None)
            if found is None:
                near = closest(wanted, names)
                hint = f"did you mean {near!r}?" if near else f"choose {one_of(map(repr, names))}"
                raise InputError(f"{self._path}: has no sheet {wanted!r}; {hint}")
            return found
        shown = [sheet for sheet in sheets if sheet.sheet_state == "visible"] or sheets
        chosen = next((sheet for sheet in shown if next(self._sheet_rows(sheet), None) is not None), shown[0])
        if others := [name for name in names if name != chosen.title]:
            self._notes.append(f"sheet {chosen.title!r} is read, not {_quoted(others)}; --sheet NAME chooses another")
        return chosen

    def _sheet_rows(self, sheet: Any, after: int = 0) -> Iterator[tuple[int, list[str]]]:
        """Yield the rows of a sheet that have values, with their numbers, without empty cells at their ends."""
        for number, cells in enumerate(sheet.iter_rows(min_row=after + 1), after + 1):
            if number > _MOST_ROWS:  # the library makes up all rows that are missing before one with a large number
                raise InputError(f"{self._path}: has row numbers above {_MOST_ROWS:,}; save it again in Excel")
            texts = [_text_of(cell) for cell in cells]
            while texts and not texts[-1].strip():
                texts.pop()
            if texts:
                yield number, texts

    def _read_header(self) -> tuple[str, ...]:
        skipped = self._options.skip_lines
        first = next(self._sheet_rows(self._sheet, skipped or 0), None)
        if first is None:
            what = f"sheet {self._sheet.title!r} has no values"
            raise InputError(f"{self._path}: {what}; it needs a row with the column names")
        if skipped is None and (told := header_elsewhere(self._head_as_csv(), ",", '"')):
            raise InputError(f"{self._path}: {told}")
        self._header_row, cells = first
        self._width, self._nameless = len(cells), nameless(cells)
        names = [name for at, name in enumerate(cells) if at not in self._nameless]
        refuse_twice(self._path, names)
        for number, row in islice(self._sheet_rows(self._sheet, self._header_row), _SAMPLED_ROWS):
            if (at := self._valued(row)) is not None:
                what = f"column {column_letters(at + 1)} has values (row {number}) but no name in the header"
                fix = f"give it a name, or remove it; if row {self._header_row} is not the header, pass --skip-lines"
                raise InputError(f"{self._path}: {what}; {fix}")
        return tuple(names)

    def _head_as_csv(self) -> str:
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        at = 0
        for number, cells in islice(self._sheet_rows(self._sheet), _LOOKED_AT_ROWS):
            text.write("\n" * (number - at - 1))
            writer.writerow([cell.replace("\n", " ").replace("\r", " ") for cell in cells])
            at = number
        return text.getvalue()

    def _look_closer(self) -> None:
        """Refuse formulas without results, and tell of merged cells."""
        name = str(self._sheet._worksheet_path)
        with zipfile.ZipFile(cast("io.BytesIO", self._file)) as archive:
            if cell := uncalculated_cell(archive, name):
                fix = "open the file in Excel or LibreOffice, save it, and try again"
                raise InputError(f"{self._path}: cell {cell} has a formula that was never calculated; {fix}")
            if merged := merged_ranges(archive, name, most=_MERGED_NAMED + 1):
                named = ", ".join(merged[:_MERGED_NAMED]) + (", …" if len(merged) > _MERGED_NAMED else "")
                self._notes.append(f"has merged cells ({named}): only the first of them has the value")

    def _valued(self, cells: Sequence[str]) -> int | None:
        """Return the first column that has a value in this row, but no name."""
        beyond = (at for at in range(self._width, len(cells)) if cells[at].strip())
        named = (at for at in sorted(self._nameless) if at < len(cells) and cells[at].strip())
        return next(named, next(beyond, None))

    @property
    def path(self) -> Path:
        """The file, as the user named it."""
        return self._path

    @property
    def notes(self) -> tuple[str, ...]:
        """What was recognised in the file, as `Reader` says."""
        return (*self._notes, *((added_note(self._added),) if self._added else ()))

    def add_columns(self, values: Mapping[str, str]) -> None:
        """Give all rows these columns as well, as `Reader` says."""
        self._added = dict(values)

    def hold(self, handle: int | None) -> None:
        """Read from an open file if its path is deleted, as `Reader` says."""
        self._file.handle = handle

    @property
    def has_rejects(self) -> bool:
        """Whether it is a table of rejects, as `Reader` says."""
        return bool(self._ours)

    def columns(self) -> tuple[str, ...]:
        """Return the names in the header, without those that were added to rejects."""
        return columns_without(self._ours, self._names, self._added)

    def form(self) -> CsvForm:
        """Return the form in which rejects are written: a CSV file that Excel opens as it should."""
        return CsvForm(self.columns(), ",", '"', "utf-8", has_mark=True)

    def estimate_rows(self) -> tuple[int, bool]:
        """Return how many rows the sheet has: counted if it is short, else as the file says."""
        with self._reading():
            counted = sum(1 for _ in islice(self._rows(self._header_row), _COUNTED_ROWS + 1))
        if counted <= _COUNTED_ROWS:
            return counted, True
        return max(counted, self._declared_rows[self._sheet.title] - self._header_row), False

    def batches(self, start: Position | None = None, *, size: int = 256) -> Iterator[list[Row]]:
        """Yield the rows in file order, as `Reader` says."""
        batch: list[Row] = []
        chars = 0
        with self._reading():
            for row, length in self._rows(self._header_row if start is None else start.number - 1):
                batch.append(row)
                chars += length
                if len(batch) >= size or chars >= _BATCH_CHARS:
                    yield batch
                    batch, chars = [], 0
        if batch:
            yield batch

    def sample(self, n: int) -> list[Row]:
        """Return the first `n` rows, or all if there are fewer."""
        with self._reading():
            return [row for row, _ in islice(self._rows(self._header_row), max(0, n))]

    def _rows(self, after: int) -> Iterator[tuple[Row, int]]:
        """Yield the rows below row number `after`, each with its length in characters."""
        for number, cells in self._sheet_rows(self._sheet, after):
            yield self._row_of(Position(self._file_index, number, number), cells), sum(map(len, cells))

    def _row_of(self, position: Position, cells: list[str]) -> Row:
        if (at := self._valued(cells)) is not None:
            detail = f"has a value in column {column_letters(at + 1)}, which has no name in the header; name the column"
            problem = Problem("nameless_column", detail, stage=Stage.READ)
            return Row(position, None, problem, "\t".join(cells).encode("utf-8", "surrogatepass"))
        cells += [""] * (self._width - len(cells))
        kept = [cell for at, cell in enumerate(cells) if at not in self._nameless] if self._nameless else cells
        if is_header(kept, self._names):
            told = Problem("header_again", "repeats the header; nothing to do", word=Word.SKIPPED, stage=Stage.READ)
            return Row(position, None, told, b"")
        fields = {**self._added, **dict(zip(self._names, kept, strict=True))}
        return rejected_row(position, fields, self._ours) if self._ours else Row(position, {**fields})


def _text_of(cell: Any) -> str:
    value = cell.value
    if value is None:
        return ""
    if type(value) is str:
        return cell_text(value)
    # To look up the format takes long, and most cells are texts.
    return cell_text(value, str(cell.number_format))


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names))
