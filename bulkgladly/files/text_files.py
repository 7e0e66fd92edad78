"""Readers of NDJSON and CSV files: rows that follow each other in a stream of bytes."""

import codecs
import csv
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from bulkgladly.csv_records import CsvFault, CsvRecords
from bulkgladly.errors import InputError
from bulkgladly.files.contract import Reader, ReadOptions
from bulkgladly.files.folders import added_note
from bulkgladly.files.json_form import JsonForm, cut_values, json_form
from bulkgladly.files.sources import BLOCK_BYTES, Source, Stream, cuts_at_bytes
from bulkgladly.files.table_form import DELIMITERS, delimiter_of, header_hint, sep_line, shown_delimiter
from bulkgladly.files.text_form import HEAD_BYTES, has_cr_ends, not_utf8, page_instead
from bulkgladly.lines import BOM, cut_lines
from bulkgladly.records import Part, Position, Problem, Row, Stage, Word
from bulkgladly.strict_json import parse_object

__all__ = (
    "CsvReader",
    "NdjsonReader",
    "TextReader",
    "encoding_for",
    "refuse_wrong_delimiter",
    "too_large",
)

_BATCH_BYTES = 1 << 22
_GUESS_ROWS = 2000
_GUESS_BYTES = 1 << 19


class TextReader(ABC):
    """What the readers of both formats share: batches, samples and an estimate of the rows."""

    def __init__(self, path: Path, file_index: int, options: ReadOptions, *, source: Source) -> None:
        self._notes: list[str] = []
        self._added: dict[str, str] = {}
        self._path = path
        self._file_index = file_index
        self._options = options
        self._source = source

    @property
    def path(self) -> Path:
        """The file, as the user named it."""
        return self._path

    @property
    def notes(self) -> tuple[str, ...]:
        """What was recognised in the file, as `Reader` says."""
        return tuple(self._notes)

    def add_columns(self, values: Mapping[str, str]) -> None:
        """Give all rows these columns as well, as `Reader` says."""
        self._added = dict(values)
        self._notes.append(added_note(values))

    def _read(self, stream: Stream, start: Position) -> Iterator[Row]:
        rows = self._rows(stream, start)
        return rows if not self._added else self._with_added(rows)

    def _with_added(self, rows: Iterator[Row]) -> Iterator[Row]:
        for row in rows:
            if row.fields is not None:
                row.fields = {**self._added, **row.fields}
            yield row

    def hold(self, handle: int | None) -> None:
        """Read from an open file if its path is deleted, as `Reader` says."""
        self._source.held = handle

    @abstractmethod
    def columns(self) -> tuple[str, ...] | None:
        """Return the column names that all rows share, or None if each row has its own."""

    @abstractmethod
    def _rows(self, stream: Stream, start: Position) -> Iterator[Row]:
        """Yield the rows of a stream that stands at `start`."""

    @abstractmethod
    def _first_position(self) -> Position:
        """Return where the first row begins."""

    def batches(self, start: Position | None = None, *, size: int = 256) -> Iterator[list[Row]]:
        """Yield the rows in file order, as `Reader` says."""
        start = start or self._first_position()
        with self._source.open(start.offset) as stream:
            batch: list[Row] = []
            for row in self._read(stream, start):
                batch.append(row)
                # A few long records fill the memory as much as many short ones.
                if len(batch) >= size or row.position.offset - batch[0].position.offset >= _BATCH_BYTES:
                    yield batch
                    batch = []
            if batch:
                yield batch

    def sample(self, n: int) -> list[Row]:
        """Return the first `n` rows, or all if there are fewer."""
        start = self._first_position()
        with self._source.open(start.offset) as stream:
            return list(islice(self._read(stream, start), max(0, n)))

    def estimate_rows(self) -> tuple[int, bool]:
        """Return how many rows the file has, estimated from the size of its first rows."""
        start = self._first_position()
        with self._source.open(start.offset) as stream:
            count, end = 0, start.offset
            for row in self._rows(stream, start):
                end = row.position.offset
                if count >= _GUESS_ROWS or end - start.offset >= _GUESS_BYTES:
                    break
                count += 1
            else:
                return count, True
            total = self._content_bytes(stream)
        # At least one more row exists: the one at which the counting stopped.
        return max(count + 1, round(count * (total - start.offset) / max(1, end - start.offset))), False

    def _content_bytes(self, stream: Stream) -> float:
        """Return the estimated length of the whole stream, from the share of the file that is read so far."""
        return self._source.size() * stream.offset / max(1, stream.consumed)

    def _recognised(self, quote: bytes | None = None, *, is_json: bool = False) -> bytes:
        """Return the head of the file, and set how its lines end.

        Raises:
            InputError: It is something else, such as a web page, or in another encoding.
        """
        head = self._source.head()
        if self._options.is_plain:
            return head
        if instead := page_instead(head, is_json_fine=is_json):
            raise InputError(f"{self._path}: {instead}")
        if self._source.transcode_from and self._options.encoding is None:
            self._notes.append(f"is {self._source.transcode_from.upper()}, by its byte order mark")
        elif self._options.encoding is None and (found := not_utf8(head)):
            line, fix = found
            raise InputError(f"{self._path}: line {line} is not UTF-8; {fix}")
        if has_cr_ends(head, quote):
            self._source.has_cr_ends = True
            self._notes.append("ends lines with a carriage return alone, as on old Macs")
            head = self._source.head()
        return head


def encoding_for(path: Path, options: ReadOptions, *, block_bytes: int = BLOCK_BYTES) -> str:
    """Return the encoding in which a text file is read: as told, by its byte order mark, or else UTF-8.

    Raises:
        InputError: The file cannot be read.
    """
    told = options.encoding or Source(path, block_bytes=block_bytes).mark() or "utf-8"
    return codecs.lookup(told).name.removesuffix("-sig")


def too_large(options: ReadOptions) -> Problem:
    """Return the problem of a record above the limit; only the beginning of such a record is kept."""
    detail = f"is longer than {options.max_record_bytes} bytes; shorten it, or look for a missing quote"
    return Problem("record_too_large", detail, stage=Stage.READ)


# --- NDJSON ---

_BLANK = b" \t\r"
_OURS = "_bulkgladly"


class NdjsonReader(TextReader):
    """Reads one object per line, or the values of JSON in another form. Blank lines are skipped but count as lines.

    What our own rejects file adds to a row is taken out, so that the file can be imported again as it is; the row
    keeps only which of its records was meant. A row holds its bytes only if it has a problem.
    """

    def __init__(self, path: Path, file_index: int, options: ReadOptions, *, block_bytes: int = BLOCK_BYTES) -> None:
        encoding = encoding_for(path, options, block_bytes=block_bytes)
        source = Source(path, transcode_from=None if encoding == "utf-8" else encoding, block_bytes=block_bytes)
        super().__init__(path, file_index, options, source=source)
        head = self._recognised(is_json=True)
        is_all = len(head) < HEAD_BYTES
        self._form = None if options.is_plain else json_form(head, is_all=is_all, has_pages=options.has_pages)
        self._first_line = 1
        if self._form is not None:
            self._notes.append(self._form.note)
            self._first_line += head.count(b"\n", 0, self._form.begin)

    def columns(self) -> None:
        """Return None: each line has its own keys."""

    def _first_position(self) -> Position:
        return Position(self._file_index, self._form.begin if self._form else 0, self._first_line)

    def _rows(self, stream: Stream, start: Position) -> Iterator[Row]:
        return self._lines(stream, start) if self._form is None else self._values(stream, start, self._form)

    def _values(self, stream: Stream, start: Position, form: JsonForm) -> Iterator[Row]:
        limit = self._options.max_record_bytes
        for offset, line, data, fault in cut_values(
            stream, offset=stream.offset, line=start.number, max_bytes=limit, is_list=form.is_list
        ):
            position = Position(self._file_index, offset, line)
            if fault:
                problem = too_large(self._options) if fault == "too_large" else _misplaced(fault)
                yield Row(position, None, problem, data)
            else:
                yield self._row_of(position, data)

    def _row_of(self, position: Position, data: bytes) -> Row:
        fields = parse_object(data)
        if isinstance(fields, Problem):
            return Row(position, None, fields, data)
        note = fields.pop(_OURS, None)
        return Row(position, fields, part=None if note is None else _part_of(note))

    def _lines(self, stream: Stream, start: Position) -> Iterator[Row]:
        file_index, number = self._file_index, start.number - 1
        limit = self._options.max_record_bytes
        for offset, data, is_whole in cut_lines(stream, max_line_bytes=limit, offset=stream.offset):
            number += 1
            if not is_whole:
                yield Row(Position(file_index, offset, number), None, too_large(self._options), data)
                continue
            line = data.removesuffix(b"\r")
            if not offset:
                line = line.removeprefix(BOM)
            if not line or not line.strip(_BLANK):
                continue
            yield self._row_of(Position(file_index, offset, number), line)


def _misplaced(fault: str) -> Problem:
    """Return the problem of what is not a row, in JSON that is not one object per line."""
    if fault == "unclosed":
        return Problem("malformed_json", "is not closed before the file ends; download it again", stage=Stage.READ)
    detail = "follows the list of rows and is not read; save the lists as files of their own, for example with jq"
    return Problem("malformed_json", detail, stage=Stage.READ)


def _part_of(note: object) -> Part | None:
    """Return which record of a row an entry of a rejects file is about, if it says so."""
    if not isinstance(note, dict):
        return None
    number, of = note.get("part"), note.get("of")
    return Part(number, of) if isinstance(number, int) and isinstance(of, int) and 0 < number <= of else None


# --- CSV ---

MAX_RECORD_LINES = 10_000
_AROUND = " \t\ufeff"
_BLANKS = " \t"
_SAMPLED_ROWS = 100


class CsvReader(TextReader):
    """Reads records in the form of RFC 4180; every cell is text, unchanged.

    A quote that is never closed, or closed in the wrong place, costs the first line of its record: reading goes on
    with the next line. Rows are numbered by the line at which they begin, as editors show it. A row of delimiters only
    and a repeated header, as in concatenated files, are rows that are skipped. A row holds its bytes only if it has a
    problem.

    - *header*: `_read_header`, `_begin`, `_delimiter_for`, `_named_columns`
    - *rows*: `_rows`, `_irregular`, `_problem`
    """

    def __init__(self, path: Path, file_index: int, options: ReadOptions, *, block_bytes: int = BLOCK_BYTES) -> None:
        quote = options.quotechar
        encoding = encoding_for(path, options, block_bytes=block_bytes)
        # To cut lines before decoding is faster, and keeps bad bytes in one record; not every encoding allows it.
        is_cut_first = cuts_at_bytes(encoding, "\r\n" + (options.delimiter or "".join(DELIMITERS)) + (quote or ""))
        self._encoding = encoding if is_cut_first else "utf-8"
        source = Source(path, transcode_from=None if is_cut_first else encoding, block_bytes=block_bytes)
        super().__init__(path, file_index, options, source=source)
        head = self._recognised(None if quote is None else quote.encode())
        if head.startswith(BOM) and self._encoding != "utf-8":
            raise InputError(f"{path}: begins with the byte order mark of UTF-8, not {encoding}; pass --encoding utf-8")
        self._delimiter, self._lines_skipped = options.delimiter or "", 0
        if options.is_plain and self._is_tsv() and options.delimiter == ",":  # what a comma meant in earlier versions
            self._delimiter = "\t"
        begin = self._begin(head)
        text = codecs.getincrementaldecoder(self._encoding)("replace").decode(head[begin:]).removeprefix("\ufeff")
        self._delimiter = self._delimiter or self._delimiter_for(text)
        self._dialect: dict[str, Any] = {"delimiter": self._delimiter} | (
            {"quoting": csv.QUOTE_NONE} if quote is None else {"quotechar": quote}
        )
        is_sure = options.is_plain or options.skip_lines is not None or begin > 0
        if not is_sure and (hint := header_hint(text, self._delimiter, quote)):
            named = ", ".join(hint.names[:3]) + (", …" if len(hint.names) > 3 else "")
            fix = f"pass --skip-lines {hint.line - 1} if it is the header, or --skip-lines 0 if line 1 is"
            raise InputError(f"{path}: line 1 is not a header, but line {hint.line} looks like one ({named}); {fix}")
        self._names, self._body = self._read_header(begin)

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

    def columns(self) -> tuple[str, ...]:
        """Return the names in the header."""
        return self._names + tuple(name for name in self._added if name not in self._names)

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
                self._width, self._nameless = len(cells), _nameless(cells)
                names = [name for at, name in enumerate(cells) if at not in self._nameless]
                _check_header(self._path, names)
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
                        "give it a name, or remove it (in pandas: to_csv(index=False))"
                    )

    def _records(self, stream: Stream) -> CsvRecords:
        limit = self._options.max_record_bytes
        lines = cut_lines(stream, max_line_bytes=limit, offset=stream.offset)
        return CsvRecords(lines, self._encoding, max_bytes=limit, max_lines=MAX_RECORD_LINES)

    def _rows(self, stream: Stream, start: Position) -> Iterator[Row]:
        file_index, names, width = self._file_index, self._names, self._width
        records, first = self._records(stream), names[0].strip(_AROUND)
        is_plain, line_before = not self._nameless, start.number - 1
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
                yield Row(position, found)
            else:
                yield Row(position, None, replace(found, stage=Stage.READ), records.raw())

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
        if _is_header(kept, names):
            return Problem("header_again", "repeats the header; nothing to do", word=Word.SKIPPED)
        return dict(zip(names, kept, strict=True))

    def _problem(self, fault: CsvFault) -> Problem:
        match fault.code:
            case "too_large":
                return too_large(self._options)
            case "nul":
                return Problem("nul_character", "has a NUL character; remove it")
            case "undecodable":
                detail = f"has bytes that are not {self._encoding}; correct them, or pass the right --encoding"
                return Problem("invalid_encoding", detail)
            case _:
                fix = "close every quote, and double the quotes inside a quoted cell"
                return Problem("malformed_csv", f"not valid CSV ({fault.detail}); {fix}")


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


def _nameless(names: list[str]) -> frozenset[int]:
    """Return the columns that have no name: spreadsheets write some behind the last column."""
    return frozenset(at for at, name in enumerate(names) if not name.strip(_AROUND))


def _check_header(path: Path, names: list[str]) -> None:
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise InputError(f"{path}: the header has {', '.join(map(repr, twice))} more than once; rename or remove one")


def _is_header(cells: list[str], names: tuple[str, ...]) -> bool:
    """Tell whether a record repeats the header, perhaps with the byte order mark of a concatenated file."""
    return all(cell.strip(_AROUND) == name.strip(_AROUND) for cell, name in zip(cells, names, strict=True))


def _ragged(found: int, width: int) -> Problem:
    has = f"has {found} cell{'' if found == 1 else 's'}, but the header has {width}"
    return Problem("ragged_row", f"{has}; put cells that contain the delimiter in quotes, and check the quotes")
