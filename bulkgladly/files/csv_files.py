"""The reader of CSV files."""

import codecs
import csv
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from bulkgladly.csv_records import CsvFault, CsvRecords
from bulkgladly.errors import InputError
from bulkgladly.files.contract import Reader, ReadOptions
from bulkgladly.files.csv_forms import CsvForm, added_columns, columns_without, rejected_row
from bulkgladly.files.sources import BLOCK_BYTES, Source, Stream, cuts_at_bytes
from bulkgladly.files.table_form import (
    DELIMITERS,
    delimiter_of,
    header_elsewhere,
    is_header,
    nameless,
    refuse_twice,
    sep_line,
    shown_delimiter,
)
from bulkgladly.files.text_files import TextReader, encoding_for, too_large
from bulkgladly.lines import BOM, cut_lines
from bulkgladly.records import Position, Problem, Row, Stage, Word

__all__ = ("CsvReader", "LineFinder", "refuse_wrong_delimiter")

MAX_RECORD_LINES = 10_000
_AROUND = " \t\ufeff"
_BLANKS = " \t\x1a"
"""What a blank row may hold: DOS programs end a file with the last one."""
_SAMPLED_ROWS = 100
_BACKSLASHES = "not valid CSV (a backslash stands before a quote); double the quotes inside a quoted cell instead"


class CsvReader(TextReader):
    """Reads records in the form of RFC 4180; every cell is text, unchanged.

    A quote that is never closed, or closed in the wrong place, costs the first line of its record: reading goes on
    with the next line. Rows are numbered by the line at which they begin, as editors show it. A row of delimiters only
    and a repeated header, as in concatenated files, are rows that are skipped. A row holds its bytes only if it has a
    problem. The columns that our own table of rejects adds are taken out, so that it can be imported again as it is.

    - *header*: `_read_header`, `_begin`, `_delimiter_for`, `_named_columns`
    - *rows*: `_rows`, `_irregular`, `_problem`
    """

    def __init__(self, path: Path, file_index: int, options: ReadOptions, *, block_bytes: int = BLOCK_BYTES) -> None:
        quote = options.quotechar
        encoding = encoding_for(path, options, block_bytes=block_bytes)
        # To cut lines before decoding is faster, and keeps bad bytes in one record; not every encoding allows it.
        is_cut_first = cuts_at_bytes(encoding, "\r\n" + (options.delimiter or "".join(DELIMITERS)) + (quote or ""))
        self._encoding = encoding if is_cut_first else "utf-8"
        self._encoding_of_file = encoding
        source = Source(path, transcode_from=None if is_cut_first else encoding, block_bytes=block_bytes)
        super().__init__(path, file_index, options, source=source)
        head = self._recognised(None if quote is None else quote.encode())
        if head.startswith(BOM) and self._encoding != "utf-8":
            raise InputError(f"{path}: begins with the byte order mark of UTF-8, not {encoding}; pass --encoding utf-8")
        self._has_mark = head.startswith(BOM)
        self._delimiter, self._lines_skipped = options.delimiter or "", 0
        if options.is_plain and self._is_tsv() and options.delimiter == ",":  # what a comma meant in earlier versions
            self._delimiter = "\t"
        begin = self._begin(head)
        text = codecs.getincrementaldecoder(self._encoding)("replace").decode(head[begin:]).lstrip("\ufeff")
        self._delimiter = self._delimiter or self._delimiter_for(text)
        self._dialect: dict[str, Any] = {"delimiter": self._delimiter} | (
            {"quoting": csv.QUOTE_NONE} if quote is None else {"quotechar": quote}
        )
        is_sure = options.is_plain or options.skip_lines is not None or begin > 0
        if not is_sure and (told := header_elsewhere(text, self._delimiter, quote)):
            raise InputError(f"{path}: {told}")
        self._names, self._body = self._read_header(begin)
        self._ours = added_columns(self._names)

    def _begin(self, head: bytes) -> int:
        """Return where the header begins, and set the delimiter if it is known."""
        if self._options.skip_lines:
            self._lines_skipped = self._options.skip_lines
            with self._source.open() as stream:
                lines = cut_lines(stream, max_line_bytes=self._options.max_record_bytes)
                ahead = next(islice(lines, self._options.skip_lines, None), None)
                return stream.offset if ahead is None else ahead[0]
        found = sep_line(head)
        if found is None or self._encoding == "utf-16":
            return 0
        self._delimiter, self._lines_skipped = self._delimiter or found[0], 1
        self._notes.append(f"names its delimiter in the first line: {shown_delimiter(self._delimiter)}")
        return found[1]

    def _is_tsv(self) -> bool:
        return ".tsv" in [suffix.lower() for suffix in self._path.suffixes[-2:]]

    def _delimiter_for(self, text: str) -> str:
        usual = "\t" if self._is_tsv() else ","
        found = delimiter_of(text, usual, self._options.quotechar)
        if found != usual:
            self._notes.append(f"has its columns separated by {shown_delimiter(found)}")
        return found

    @property
    def has_rejects(self) -> bool:
        """Whether it is a table of rejects, as `Reader` says."""
        return bool(self._ours)

    def columns(self) -> tuple[str, ...]:
        """Return the names in the header, without those that were added to rejects."""
        return columns_without(self._ours, self._names, self._added)

    @property
    def counts_records(self) -> bool:
        """Whether rows have the numbers of their records: so they have in a run that an earlier version began."""
        return self._options.is_plain

    def form(self) -> CsvForm:
        """Return the form of the file, in which its rejects are written."""
        quote, encoding = self._options.quotechar, self._encoding_of_file
        names, mark = self.columns(), self._has_mark
        return CsvForm(names, self._delimiter, quote, encoding, has_mark=mark, raw_encoding=self._encoding)

    @property
    def delimiter(self) -> str:
        """What stands between the columns."""
        return self._delimiter

    def likely_delimiter(self) -> str | None:
        """Return another delimiter that the column names contain, at least once for each of them; None if none is."""
        text = "".join(self._names)
        others = (char for char in DELIMITERS if char != self._delimiter)
        return next((char for char in others if text.count(char) >= len(self._names)), None)

    def _first_position(self) -> Position:
        return Position(self._file_index, self._body, self._body_line)

    def _read_header(self, begin: int) -> tuple[tuple[str, ...], int]:
        """Return the column names, and the offset at which the records begin; `begin` is that of the header."""
        with self._source.open(begin) as stream:
            records = self._records(stream)
            for cells in records.records(**self._dialect):
                if isinstance(cells, CsvFault):
                    raise InputError(f"{self._path}: the header cannot be read: {self._problem(cells).detail}")
                if not any(cell.strip() for cell in cells):
                    continue
                body = records.next_offset(stream.offset)
                self._body_line = self._lines_skipped + records.first_line + len(records.taken)
                self._width, self._nameless = len(cells), nameless(cells)
                names = [name for at, name in enumerate(cells) if at not in self._nameless]
                refuse_twice(self._path, names)
                if len(cells) == 1 and self._delimiter in cells[0] and not self._options.is_plain:
                    raise InputError(
                        f"{self._path}: every line is a single cell in quotes; export the file again, or remove the "
                        "quotes around the lines"
                    )
                self._refuse_nameless_values(records)
                return tuple(names), body
        raise InputError(f"{self._path}: is empty; a CSV file needs a header line with the column names")

    def _refuse_nameless_values(self, records: CsvRecords) -> None:
        """Refuse a file whose first rows have values in a column without a name."""
        if not self._nameless:
            return
        for cells in islice(records.records(**self._dialect), _SAMPLED_ROWS):
            for at in self._nameless if isinstance(cells, list) and len(cells) == self._width else ():
                if cells[at].strip():
                    raise InputError(
                        f"{self._path}: column {at + 1} of {self._width} has values but no name in the header; "
                        "give it a name, or remove it (in pandas: to_csv(index=False)); if line "
                        f"{self._body_line - 1} is not the header, pass --skip-lines"
                    )

    def _records(self, stream: Stream) -> CsvRecords:
        limit = self._options.max_record_bytes
        lines = cut_lines(stream, max_line_bytes=limit, offset=stream.offset)
        return CsvRecords(lines, self._encoding, max_bytes=limit, max_lines=MAX_RECORD_LINES)

    def _rows(self, stream: Stream, start: Position) -> Iterator[Row]:
        file_index, names, width = self._file_index, self._names, self._width
        records, first = self._records(stream), names[0].strip(_AROUND)
        is_plain, line_before = not self._nameless and not self._ours, start.number - 1
        for cells in records.records(**self._dialect):
            position = Position(file_index, records.taken[0][0], line_before + records.first_line)
            if (
                is_plain
                and isinstance(cells, list)
                and len(cells) == width
                and cells[0].strip(_BLANKS)
                and first not in cells[0]
            ):
                yield Row(position, dict(zip(names, cells, strict=True)))
                continue
            found = self._irregular(cells)
            if isinstance(found, dict):
                yield rejected_row(position, found, self._ours) if self._ours else Row(position, found)
            else:
                raw = records.raw()
                if found.code == "malformed_csv" and b'\\"' in raw:
                    found = replace(found, detail=_BACKSLASHES)
                yield Row(position, None, replace(found, stage=Stage.READ), raw)

    def _irregular(self, cells: list[str] | CsvFault) -> dict[str, str] | Problem:
        """Return the fields of a record that needs a closer look, or what is wrong with it."""
        if isinstance(cells, CsvFault):
            return self._problem(cells)
        width, names = self._width, self._names
        if not any(cell.strip(_BLANKS) for cell in cells):
            return Problem("blank_row", "is blank; nothing to do", word=Word.SKIPPED)
        # Spreadsheets write empty cells behind the last column.
        if len(cells) < width or any(cell.strip(_BLANKS) for cell in cells[width:]):
            return _ragged(len(cells), width)
        del cells[width:]
        valued = next((at for at in self._nameless if cells[at].strip(_BLANKS)), None)
        if valued is not None:
            detail = f"has a value in column {valued + 1}, which has no name in the header; name the column"
            return Problem("nameless_column", detail)
        kept = [cell for at, cell in enumerate(cells) if at not in self._nameless] if self._nameless else cells
        if is_header(kept, names):
            return Problem("header_again", "repeats the header; nothing to do", word=Word.SKIPPED)
        return dict(zip(names, kept, strict=True))

    def _problem(self, fault: CsvFault) -> Problem:
        match fault.code:
            case "too_large":
                return too_large(self._options)
            case "nul":
                return Problem("nul_character", "has a NUL character; remove it")
            case "undecodable":
                detail = f"has bytes that are not {self._encoding_of_file}; correct them, or pass the right --encoding"
                return Problem("invalid_encoding", detail)
            case _:
                fix = "close every quote, and double the quotes inside a quoted cell"
                return Problem("malformed_csv", f"not valid CSV ({fault.detail}); {fix}")

    @contextmanager
    def line_finder(self) -> Iterator["LineFinder"]:
        """Open the file to find the lines of rows, in file order, where positions do not have them.

        Raises:
            InputError: The file cannot be read.
        """
        with self._source.open() as stream:
            yield LineFinder(stream)


class LineFinder:
    """Counts the lines of a stream up to places that are asked for in ascending order; one block is in memory."""

    def __init__(self, stream: Iterable[bytes]) -> None:
        self._blocks, self._block = iter(stream), b""
        self._at = self._count = 0

    def lines_before(self, offset: int) -> int:
        """Return how many lines end before an offset.

        Raises:
            InputError: The file cannot be read further.
        """
        while offset > self._at + len(self._block):
            self._count += self._block.count(b"\n")
            self._at += len(self._block)
            if (block := next(self._blocks, None)) is None:
                self._block = b""
                break
            self._block = block
        return self._count + self._block.count(b"\n", 0, max(0, offset - self._at))


def refuse_wrong_delimiter(reader: Reader, name: str | None = None) -> None:
    """Refuse a CSV file whose header was evidently read with the wrong delimiter, for a caller that cannot use it.

    `name` is what to call the file, if not by its path.

    Raises:
        InputError: The column names contain another delimiter; the message names it.
    """
    char = reader.likely_delimiter() if isinstance(reader, CsvReader) else None
    if char is not None:
        fix = f"pass --delimiter {DELIMITERS[char]}"
        raise InputError(f"{name or reader.path}: the columns seem to be separated by {shown_delimiter(char)}; {fix}")


def _ragged(found: int, width: int) -> Problem:
    has = f"has {found} cell{'' if found == 1 else 's'}, but the header has {width}"
    return Problem("ragged_row", f"{has}; put cells that contain the delimiter in quotes, and check the quotes")
