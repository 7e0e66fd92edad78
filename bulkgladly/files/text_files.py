"""What readers of text files share, and the reader of JSON files: rows that follow each other in a stream of bytes."""

import codecs
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

from bulkgladly.errors import InputError
from bulkgladly.files.contract import ReadOptions
from bulkgladly.files.csv_forms import CsvForm
from bulkgladly.files.folders import added_note
from bulkgladly.files.json_form import JsonForm, cut_values, json_form
from bulkgladly.files.sources import BLOCK_BYTES, Source, Stream
from bulkgladly.files.text_form import HEAD_BYTES, has_cr_ends, no_json_instead, not_utf8, page_instead
from bulkgladly.lines import BOM, cut_lines
from bulkgladly.records import Part, Position, Problem, Row, Stage
from bulkgladly.strict_json import parse_object

__all__ = ("NdjsonReader", "TextReader", "encoding_for", "too_large")

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

    def form(self) -> CsvForm | None:
        """Return None: rejects are not written as a table."""
        return None

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
        instead = page_instead(head, is_json_fine=is_json) or (no_json_instead(head) if is_json else None)
        if instead:
            raise InputError(f"{self._path}: {instead}")
        if self._source.transcode_from and self._options.encoding is None:
            self._notes.append(f"is {self._source.transcode_from.upper()}, by its byte order mark")
        elif self._options.encoding is None and (found := not_utf8(head)):
            line, fix = found
            raise InputError(f"{self._path}:{line}: this line is not UTF-8; {fix}")
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


_BLANK = b" \t\r"
_OURS = "_bulkgladly"
_DUPLICATE = f"another row of its file has the same key; delete one, or remove {_OURS} to let this one win"


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
        self._has_rejects = f'"{_OURS}":{{"position"'.encode() in head
        self._form = None
        if not options.is_plain:
            self._form = json_form(head, is_all=is_all, has_pages=options.has_pages, page_lists=options.page_lists)
        self._first_line = 1
        if self._form is not None:
            self._notes.append(self._form.note)
            self._first_line += head.count(b"\n", 0, self._form.begin)

    @property
    def has_rejects(self) -> bool:
        """Whether it is a file of rejects, as `Reader` says."""
        return self._has_rejects

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
        if note is not None and fields and _is_duplicate(note):
            problem = Problem("duplicate_key", _DUPLICATE)
            return Row(position, None, problem, source=fields, part=_part_of(note))
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
                line = line.removeprefix(BOM).removeprefix(BOM)
            if not line or not line.strip(_BLANK):
                continue
            yield self._row_of(Position(file_index, offset, number), line)


def _misplaced(fault: str) -> Problem:
    """Return the problem of what is not a row, in JSON that is not one object per line."""
    if fault == "unclosed":
        return Problem("malformed_json", "is not closed before the file ends; download it again", stage=Stage.READ)
    detail = "follows the list of rows and is not read; save the lists as files of their own, for example with jq"
    return Problem("malformed_json", detail, stage=Stage.READ)


def _is_duplicate(note: object) -> bool:
    """Tell whether a row was rejected because of another one: alone, it would overwrite what was sent of that."""
    return isinstance(note, dict) and note.get("code") == "duplicate_key" and note.get("outcome") == "rejected"


def _part_of(note: object) -> Part | None:
    """Return which record of a row an entry of a rejects file is about, if it says so."""
    if not isinstance(note, dict):
        return None
    number, of = note.get("part"), note.get("of")
    return Part(number, of) if isinstance(number, int) and isinstance(of, int) and 0 < number <= of else None
