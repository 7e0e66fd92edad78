"""From blocks of bytes to bundles of lines of one kind, so that each kind can be parsed on its own.

Lines are cut into batches, and the kind of each is judged by a few bytes. This is a guess: the
parser of the lines checks the true kind. Arrow's parser handles each declared field for each
line, so lines of one kind, with only their own fields declared, go through it twice as fast as
a mixture.

Lines are handled as Arrow arrays of bytes: a Python object per line would cost more than
parsing the line, and keep the other threads from running.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, cast

import pyarrow as pa
import pyarrow.compute as pc

from bulkgladly.lake.arrow import Array, integers, scalar
from bulkgladly.lake.schemas import DataSet
from bulkgladly.lines import BOM, MAX_LINE_BYTES, stretches

__all__ = (
    "BATCH_BYTES",
    "BUNDLE_BYTES",
    "Bundle",
    "LineBatch",
    "Sorter",
    "cut",
)

# --- Lines in batches ---

BATCH_BYTES = 2 << 20
_NO_LINES = pa.nulls(0, pa.binary())


class LineBatch(NamedTuple):
    """Lines that follow each other, each ended by a newline; `first` is the number of the first.

    `lines` are the same lines as an Arrow array, newline included, over the bytes of `data` itself.
    `too_long` is the beginning of a line above the limit, which is then the only one.
    """

    first: int
    data: bytes
    lines: Array
    too_long: bytes | None = None


def cut(
    blocks: Iterable[bytes], *, batch_bytes: int = BATCH_BYTES, max_line_bytes: int = MAX_LINE_BYTES
) -> Iterator[LineBatch]:
    """Yield all lines in batches of about `batch_bytes`; the last line needs no newline.

    A carriage return before a newline is dropped, and so is a byte order mark at the start.
    """
    number = 1
    for data, _, is_cut in stretches(blocks, batch_bytes=batch_bytes, max_line_bytes=max_line_bytes):
        found = data.removeprefix(BOM) if number == 1 else data
        if is_cut:
            yield LineBatch(number, b"", _NO_LINES, found)
            number += 1
        elif found:
            batch = _batch(number, found)
            yield batch
            number += len(batch.lines)


def _batch(first: int, data: bytes) -> LineBatch:
    if not data.endswith(b"\n"):
        data += b"\n"
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n")
    return LineBatch(first, data, _split(data))


def _split(data: bytes) -> Array:
    """Return an array of the lines of `data`, each with its newline, without a copy."""
    # One text that is split within Arrow: that needs no Python object per line.
    body = pa.py_buffer(data)
    whole = pa.Array.from_buffers(
        pa.binary(), 1, cast("Any", [None, integers("i", (0, len(data) - 1)).buffers()[1], body])
    )
    ends = cast("Any", pc.split_pattern(whole, pattern="\n")).flatten()
    count = len(ends)
    sizes = pc.add(pc.binary_length(ends), scalar(1, pa.int32()))
    offsets = pa.concat_arrays([integers("i", (0,)), cast("Array", pc.cumulative_sum(sizes))])
    return pa.Array.from_buffers(pa.binary(), count, cast("Any", [None, offsets.buffers()[1], body]))


# --- Lines by kind ---

BUNDLE_BYTES = 1 << 20
_DOUBT = 255
"""Lines with this code are read one by one."""
_NULL_MEMBER = r":\s*null"


class Bundle(NamedTuple):
    """Lines that are probably of one kind, in file order, each ended by a newline, and their numbers.

    Unless `is_doubtful`, each line begins and ends like an object, and none has a null member.
    """

    kind: str | None
    data: bytes
    numbers: Array
    is_doubtful: bool = False


class _LinesOfKind:
    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.numbers: list[Array] = []
        self.bytes = 0


class Sorter:
    """Collects lines by kind and returns them in bundles of about a megabyte."""

    def __init__(self, data_set: DataSet, *, bundle_bytes: int = BUNDLE_BYTES) -> None:
        name = data_set.kind_path[-1].encode() if data_set.has_kinds else b""
        self._usual = _usual_place(data_set.kind_path) if data_set.has_kinds else None
        self._anywhere = re.compile(rb'"%b"\s*:\s*"([^"\\]*)"' % re.escape(name))
        self._kinds: list[str | None] = list(data_set.shapes) or [None]
        self._codes = {kind.encode(): code for code, kind in enumerate(data_set.shapes)}
        self._usual_codes = {b'%b":"%b"' % (name, kind): code for kind, code in self._codes.items()}
        self._bundle_bytes = bundle_bytes
        self._held: dict[int, _LinesOfKind] = {}

    def add(self, batch: LineBatch) -> Iterator[Bundle]:
        """Add lines, and yield the bundles that are full."""
        codes = self._codes_of(batch)
        # This sort is stable, so lines of one kind stay in file order.
        order = pc.array_sort_indices(integers("B", codes))
        by_kind = batch.lines.take(order)
        numbers = pc.add(order.cast(pa.int64()), scalar(batch.first, pa.int64()))
        start = 0
        for code in sorted(set(codes)):
            count = codes.count(code)
            held = self._held.setdefault(code, _LinesOfKind())
            held.pieces.append(_bytes_of(by_kind, start, count))
            held.numbers.append(numbers.slice(start, count))
            held.bytes += len(held.pieces[-1])
            start += count
            if held.bytes >= self._bundle_bytes:
                yield self._give(code)

    def rest(self) -> Iterator[Bundle]:
        """Yield what is left, full or not."""
        for code in list(self._held):
            yield self._give(code)

    def _give(self, code: int) -> Bundle:
        held = self._held.pop(code)
        numbers, data = pa.concat_arrays(held.numbers), b"".join(held.pieces)
        if code == _DOUBT:
            return Bundle(None, data, numbers, is_doubtful=True)
        return Bundle(self._kinds[code], data, numbers)

    def _codes_of(self, batch: LineBatch) -> bytes:
        """Return for each line the number of its kind, or the mark for doubt."""
        data, lines = batch.data, batch.lines
        codes = self._guessed(data, len(lines), self._usual) if self._usual else bytes(len(lines))
        # Arrow's parser crashes on a bare null, joins objects that share a line, and takes a null member for an
        # absent one. Such lines are set apart, at the price of a few that only hold such a text.
        framed = pc.and_(pc.starts_with(lines, pattern="{"), pc.ends_with(lines, pattern="}\n"))
        doubt = pc.or_(pc.invert(framed), pc.match_substring_regex(lines, pattern=_NULL_MEMBER))
        if not pc.any(doubt, min_count=0).as_py():
            return codes
        marked = bytearray(codes)
        for at in cast("Any", pc).indices_nonzero(doubt).to_pylist():
            marked[at] = _DOUBT
        return bytes(marked)

    def _guessed(self, data: bytes, count: int, usual: re.Pattern[bytes]) -> bytes:
        # One search over the whole batch; only if it does not find one place per line is each line looked at.
        names: list[bytes] = usual.findall(data)
        if len(names) != count:
            return bytes(self._looked_up(line) for line in data[:-1].split(b"\n"))
        codes = list(map(self._usual_codes.get, names))
        return bytes(self._code_in(name) if code is None else code for name, code in zip(names, codes, strict=True))

    def _code_in(self, rest: bytes) -> int:
        """Return the kind behind the first mention of its member in what follows the beginning of its object."""
        match = self._anywhere.search(rest)
        return _DOUBT if match is None else self._codes.get(match[1], _DOUBT)

    def _looked_up(self, line: bytes) -> int:
        """Return the first declared kind behind any mention of its member: for odd spacing and order."""
        found = (self._codes.get(match[1]) for match in self._anywhere.finditer(line))
        return next((code for code in found if code is not None), _DOUBT)


def _usual_place(kind_path: tuple[str, ...]) -> re.Pattern[bytes]:
    """Return what finds the kind as Gladly spaces its lines, or, within an object, else what follows its beginning."""
    *above, name = (re.escape(step.encode()) for step in kind_path)
    if above:
        return re.compile(rb'"%b":\{"(%b":"[A-Z_]+"|[^\n]*)' % (above[-1], name))
    return re.compile(rb'^\{"(?:id":"[^"\\\n]*",")?(%b":"[A-Z_/]+")' % name, re.MULTILINE)


def _bytes_of(lines: Array, start: int, count: int) -> bytes:
    """Return the bytes of consecutive lines; a copy, because a slice would keep all the others in memory."""
    _, offsets, data = lines.buffers()
    ends = memoryview(offsets).cast("i")
    return bytes(memoryview(data)[ends[start] : ends[start + count]])
