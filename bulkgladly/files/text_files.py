"""Readers of NDJSON and CSV files: rows that follow each other in a stream of bytes."""

import codecs
import csv
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from bulkgladly.csv_records import CsvFault, CsvRecords
from bulkgladly.errors import InputError
from bulkgladly.files.contract import Reader, ReadOptions
from bulkgladly.files.csv_forms import PART, RAW, CsvForm, added_columns, part_in
from bulkgladly.files.sources import BLOCK_BYTES, Source, Stream, cuts_at_bytes
from bulkgladly.lines import BOM, cut_lines
from bulkgladly.records import Part, Position, Problem, Row, Stage
from bulkgladly.strict_json import parse_object

__all__ = (
    "CsvReader",
    "LineFinder",
    "NdjsonReader",
    "TextReader",
    "refuse_wrong_delimiter",
    "too_large",
)

_BATCH_BYTES = 1 << 22
_GUESS_ROWS = 2000
_GUESS_BYTES = 1 << 19


class TextReader(ABC):
    """What the readers of both formats share: batches, samples and an estimate of the rows."""

    def __init__(self, path: Path, file_index: int, options: ReadOptions, *, source: Source) -> None:
        self._path = path
        self._file_index = file_index
        self._options = options
        self._source = source

    @property
    def path(self) -> Path:
        """The file, as the user named it."""
        return self._path

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
            for row in self._rows(stream, start):
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
            return list(islice(self._rows(stream, start), max(0, n)))

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


def too_large(options: ReadOptions) -> Problem:
    """Return the problem of a record above the limit; only the beginning of such a record is kept."""
    detail = f"is longer than {options.max_record_bytes} bytes; shorten it, or look for a missing quote"
    return Problem("record_too_large", detail, stage=Stage.READ)


# --- NDJSON ---

_BLANK = b" \t\r"
_OURS = "_bulkgladly"


class NdjsonReader(TextReader):
    """Reads one object per line. Blank lines are skipped but count as lines.

    What our own rejects file adds to a row is taken out, so that the file can be imported again as it is; the row
    keeps only which of its records was meant. A row holds its bytes only if it has a problem.
    """

    def __init__(self, path: Path, file_index: int, options: ReadOptions, *, block_bytes: int = BLOCK_BYTES) -> None:
        encoding = codecs.lookup(options.encoding).name.removesuffix("-sig")
        source = Source(path, transcode_from=None if encoding == "utf-8" else encoding, block_bytes=block_bytes)
        super().__init__(path, file_index, options, source=source)
        if source.head().removeprefix(BOM).lstrip().startswith(b"["):
            advice = f"jq -c '.[]' {path.name} > {path.stem}.ndjson"
            raise InputError(f"{path}: is a single JSON array; write one object per line, for example with {advice}")

    def columns(self) -> None:
        """Return None: each line has its own keys."""

    def _first_position(self) -> Position:
        return Position(self._file_index, 0, 1)

    def _rows(self, stream: Stream, start: Position) -> Iterator[Row]:
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
            fields = parse_object(line)
            if isinstance(fields, Problem):
                yield Row(Position(file_index, offset, number), None, fields, line)
                continue
            note = fields.pop(_OURS, None)
            part = None if note is None else _part_of(note)
            yield Row(Position(file_index, offset, number), fields, part=part)


def _part_of(note: object) -> Part | None:
    """Return which record of a row an entry of a rejects file is about, if it says so."""
    if not isinstance(note, dict):
        return None
    number, of = note.get("part"), note.get("of")
    return Part(number, of) if isinstance(number, int) and isinstance(of, int) and 0 < number <= of else None


# --- CSV ---

MAX_RECORD_LINES = 10_000
_OTHER_DELIMITERS = {";": "';'", "\t": r"$'\t'", "|": "'|'", ",": ","}
"""Delimiters that spreadsheets and databases write, as a shell takes them."""
_AROUND = " \t\ufeff"


class CsvReader(TextReader):
    """Reads records in the form of RFC 4180; every cell is text, unchanged.

    A quote that is never closed, or closed in the wrong place, costs the first line of its record: reading goes on
    with the next line. Rows are numbered from the first record after the header; blank lines do not count. A
    repeated header, as in concatenated files, is a row with a problem. A row holds its bytes only if it has a problem.
    """

    def __init__(self, path: Path, file_index: int, options: ReadOptions, *, block_bytes: int = BLOCK_BYTES) -> None:
        is_tsv = ".tsv" in [suffix.lower() for suffix in path.suffixes[-2:]]
        self._delimiter = "\t" if is_tsv and options.delimiter == "," else options.delimiter
        quote = options.quotechar
        self._dialect: dict[str, Any] = {"delimiter": self._delimiter} | (
            {"quoting": csv.QUOTE_NONE} if quote is None else {"quotechar": quote}
        )
        encoding = codecs.lookup(options.encoding).name.removesuffix("-sig")
        # To cut lines before decoding is faster, and keeps bad bytes in one record; not every encoding allows it.
        is_cut_first = cuts_at_bytes(encoding, "\r\n" + self._delimiter + (quote or ""))
        self._encoding = encoding if is_cut_first else "utf-8"
        source = Source(path, transcode_from=None if is_cut_first else encoding, block_bytes=block_bytes)
        super().__init__(path, file_index, options, source=source)
        if source.head().startswith(BOM) and self._encoding != "utf-8":
            raise InputError(f"{path}: begins with the byte order mark of UTF-8, not {encoding}; pass --encoding utf-8")
        self._quotechar, self._has_mark = quote, source.head().startswith(BOM)
        self._names, self._body = self._read_header()
        self._added = added_columns(self._names)

    def columns(self) -> tuple[str, ...]:
        """Return the names in the header, without those that were added to rejects."""
        return tuple(name for name in self._names if name not in self._added)

    def form(self) -> CsvForm:
        """Return the form of the file, in which its rejects are written."""
        encoding = self._options.encoding
        return CsvForm(self.columns(), self._delimiter, self._quotechar, encoding, has_mark=self._has_mark)

    def likely_delimiter(self) -> str | None:
        """Return another delimiter that the column names contain, at least once for each of them; None if none is."""
        text = "".join(self._names)
        others = (char for char in _OTHER_DELIMITERS if char != self._delimiter)
        return next((char for char in others if text.count(char) >= len(self._names)), None)

    def _first_position(self) -> Position:
        return Position(self._file_index, self._body, 1)

    def _read_header(self) -> tuple[tuple[str, ...], int]:
        """Return the column names, and the offset at which the records begin."""
        with self._source.open() as stream:
            records = self._records(stream)
            for cells in records.records(**self._dialect):
                if isinstance(cells, CsvFault):
                    raise InputError(f"{self._path}: the header cannot be read: {self._problem(cells).detail}")
                _check_header(self._path, cells)
                return tuple(cells), records.next_offset(stream.offset)
        raise InputError(f"{self._path}: is empty; a CSV file needs a header line with the column names")

    def _records(self, stream: Stream) -> CsvRecords:
        limit = self._options.max_record_bytes
        lines = cut_lines(stream, max_line_bytes=limit, offset=stream.offset)
        return CsvRecords(lines, self._encoding, max_bytes=limit, max_lines=MAX_RECORD_LINES)

    def _rows(self, stream: Stream, start: Position) -> Iterator[Row]:
        file_index, names, width = self._file_index, self._names, len(self._names)
        records, first = self._records(stream), names[0].strip(_AROUND)
        lines_before: int | None = None
        for number, cells in enumerate(records.records(**self._dialect), start.number):
            position = Position(file_index, records.taken[0][0], number)
            if isinstance(cells, list) and len(cells) == width:
                if first not in cells[0] or not _is_header(cells, names):
                    fields = dict(zip(names, cells, strict=True))
                    yield self._reject(position, fields) if self._added else Row(position, fields)
                    continue
                problem = Problem("header_again", "repeats the header; delete the line")
            else:
                problem = self._problem(cells) if isinstance(cells, CsvFault) else _ragged(len(cells), width)
            if lines_before is None:
                # After a resume the lines before the start are unknown. Counted only for the first bad row.
                lines_before = self.lines_before([start.offset])[start.offset]
            detail = f"line {lines_before + records.first_line}: {problem.detail}"
            yield Row(position, None, Problem(problem.code, detail, stage=Stage.READ), records.raw())

    def _reject(self, position: Position, fields: dict[str, str]) -> Row:
        """Return a row of our own rejects file as the row that was rejected."""
        added = {name: fields.pop(name) for name in self._added}
        raw = added.get(RAW, "")
        if raw and not any(fields.values()):
            detail = f"was not readable; fill in its cells from {RAW} and empty {RAW}, or delete the line"
            return Row(position, None, Problem("unedited", detail, stage=Stage.READ), raw.encode())
        return Row(position, {**fields}, part=part_in(added.get(PART, "")))

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

    @contextmanager
    def line_finder(self) -> Iterator["LineFinder"]:
        """Open the file to find the lines of rows, in file order.

        Raises:
            InputError: The file cannot be read.
        """
        with self._source.open() as stream:
            yield LineFinder(stream)

    def lines_before(self, offsets: Iterable[int]) -> dict[int, int]:
        """Return how many lines end before each offset; reads the file up to the last one.

        Needed only when a message must name a line: records themselves are found by offset.

        Raises:
            InputError: The file cannot be read further.
        """
        counts: dict[int, int] = {}
        count = at = 0
        waiting = deque(sorted(set(offsets)))
        with self._source.open() as stream:
            for block in stream:
                while waiting and waiting[0] <= at + len(block):
                    offset = waiting.popleft()
                    counts[offset] = count + block.count(b"\n", 0, offset - at)
                if not waiting:
                    break
                count += block.count(b"\n")
                at += len(block)
        return counts


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
        shown = "a tab" if char == "\t" else repr(char)
        fix = f"pass --delimiter {_OTHER_DELIMITERS[char]}"
        raise InputError(f"{name or reader.path}: the columns seem to be separated by {shown}; {fix}")


def _check_header(path: Path, names: list[str]) -> None:
    for number, name in enumerate(names, 1):
        if not name.strip():
            raise InputError(f"{path}: column {number} of {len(names)} has no name in the header; give it one")
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise InputError(f"{path}: the header has {', '.join(map(repr, twice))} more than once; rename or remove one")


def _is_header(cells: list[str], names: tuple[str, ...]) -> bool:
    """Tell whether a record repeats the header, perhaps with the byte order mark of a concatenated file."""
    return all(cell.strip(_AROUND) == name.strip(_AROUND) for cell, name in zip(cells, names, strict=True))


def _ragged(found: int, width: int) -> Problem:
    has = f"has {found} cell{'' if found == 1 else 's'}, but the header has {width}"
    return Problem("ragged_row", f"{has}; put cells that contain the delimiter in quotes, and check the quotes")
