"""NDJSON: one JSON object a line."""

import codecs
from collections.abc import Iterator
from pathlib import Path

from bulkgladly.errors import InputError
from bulkgladly.files.contract import ReadOptions
from bulkgladly.files.sources import BLOCK_BYTES, Source, Stream
from bulkgladly.files.text_files import TextReader, too_large
from bulkgladly.lines import BOM, cut_lines
from bulkgladly.records import Part, Position, Problem, Row
from bulkgladly.strict_json import parse_object

__all__ = ("NdjsonReader",)

_BLANK = b" \t\r"
_OURS = "_bulkgladly"


class NdjsonReader(TextReader):
    """Reads one object a line. Blank lines are passed over but count as lines.

    The note that our own rejects file adds to a row is taken out, so that the file can be
    read again as it is; of it the row keeps which part of it was meant. A row holds its bytes only if it has a problem.
    """

    def __init__(self, path: Path, file_index: int, options: ReadOptions, *, block_bytes: int = BLOCK_BYTES) -> None:
        encoding = codecs.lookup(options.encoding).name.removesuffix("-sig")
        source = Source(path, transcode_from=None if encoding == "utf-8" else encoding, block_bytes=block_bytes)
        super().__init__(path, file_index, options, source=source)
        if source.head().removeprefix(BOM).lstrip().startswith(b"["):
            advice = f"jq -c '.[]' {path.name} > {path.stem}.ndjson"
            raise InputError(f"{path}: is one JSON array; write one object a line, for example with {advice}")

    def columns(self) -> None:
        """Return None: each line brings its own keys."""

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
    """Return which record of the row the note of a rejects file is about, where it says so."""
    if not isinstance(note, dict):
        return None
    number, of = note.get("part"), note.get("of")
    return Part(number, of) if isinstance(number, int) and isinstance(of, int) and 0 < number <= of else None
