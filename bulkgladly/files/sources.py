"""The byte stream of a text file: plain, gzip or zstd, read block by block."""

import codecs
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import zstandard

from bulkgladly.errors import InputError
from bulkgladly.files.contract import place_of
from bulkgladly.files.text_form import HEAD_BYTES, cr_as_newline, encoding_by_mark

__all__ = ("BLOCK_BYTES", "Source", "Stream", "cuts_at_bytes")

BLOCK_BYTES = 1 << 20
_PACKED_BYTES = 1 << 16
# One call decompresses all that it gets, and 4 bytes can stand for 128 KiB: this limits the result to 64 MiB.
_ZSTD_SLICE_BYTES = 2048

_FOREIGN = (
    (b"\x1f\x8b", "is gzip-compressed; add .gz to its name"),
    (b"\x28\xb5\x2f\xfd", "is zstd-compressed; add .zst to its name"),
    (b"PK\x03\x04", "is a zip archive or an Excel file; unpack it, or pass --format xlsx"),
    (b"\xd0\xcf\x11\xe0", "is an old Excel file (.xls); save it as CSV (CSV UTF-8 in Excel)"),
    (b"%PDF", "is a PDF document; export the table as CSV from the program that made it"),
    (b"BZh", "is bzip2-compressed; unpack it: bunzip2 FILE"),
    (b"\xfd7zXZ", "is xz-compressed; unpack it: unxz FILE"),
    (b"7z\xbc\xaf", "is a 7z archive; unpack it"),
    (b"PAR1", "is a Parquet file; pass --format parquet"),
    (b"ARROW1", "is an Arrow file; pass --format arrow"),
)
_MAGIC = {
    "gzip": re.compile(rb"\x1f\x8b").match,
    "zstd": re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18").match,
}
"""How such files begin; those of zstd perhaps with a frame that is to be skipped."""
_UNDECODABLE = "bulkgladly-undecodable"


def _mark_undecodable(error: UnicodeError) -> tuple[str, int]:
    """Replace bytes that the encoding does not have by something that is not valid UTF-8 either."""
    if isinstance(error, UnicodeDecodeError):
        return "\udcff", error.end
    raise error


codecs.register_error(_UNDECODABLE, _mark_undecodable)


def cuts_at_bytes(encoding: str, special: str) -> bool:
    """Tell whether each character in `special` is its ASCII byte in this encoding, and that byte is nothing else.

    If so, a stream can be cut before it is decoded. True for UTF-8 and Western code pages, false for UTF-16 and
    for encodings with shift states.
    """
    ascii_bytes = bytes(range(128))
    if codecs.lookup(encoding).name.startswith("iso2022"):  # plain bytes, but an escape gives them another meaning
        return False
    try:
        if ascii_bytes.decode(encoding) != ascii_bytes.decode("ascii") or not special.isascii():
            return encoding == "utf-8"
        return all(
            bytes((lead, ord(char))).decode(encoding, "replace").endswith(char)
            for lead in range(128, 256)
            for char in special
        )
    except UnicodeDecodeError:
        return False


class Source:
    """A text file, compressed or not, that can be read again from any offset.

    Offsets count decompressed bytes. With `transcode_from` they count the bytes after conversion to UTF-8, where
    what could not be decoded is an invalid byte sequence. The file is read in blocks of about `block_bytes`.
    """

    def __init__(self, path: Path, *, transcode_from: str | None = None, block_bytes: int = BLOCK_BYTES) -> None:
        self.path = path
        self.block_bytes = block_bytes
        self.transcode_from = transcode_from
        self.held: int | None = None
        """The file, held open by the caller, in case its path is deleted."""
        self.has_cr_ends = False
        """Whether a carriage return alone ends a line; set by who has looked at the head."""
        self.packing = {".gz": "gzip", ".zst": "zstd"}.get(path.suffix.lower())

    def open(self, offset: int = 0) -> "Stream":
        """Open the stream at an offset: with a seek in plain files, by reading up to it in all others.

        Raises:
            InputError: The file cannot be opened, or ends before the offset.
        """
        stream = Stream(self)
        try:
            stream.skip_to(offset)
        except BaseException:
            stream.close()
            raise
        return stream

    def size(self) -> int:
        """Return the size of the file as it lies on disk."""
        try:
            return self.path.stat().st_size
        except OSError as exc:
            raise InputError(f"{self.path}: cannot be read: {exc}") from exc

    def head(self) -> bytes:
        """Return the first HEAD_BYTES, whatever the blocks are, and refuse files that are clearly something else.

        Raises:
            InputError: The file is compressed, columnar or in a wide encoding, and neither name nor options say so.
        """
        head = self._first_bytes(HEAD_BYTES)
        for magic, advice in _FOREIGN:
            if head.startswith(magic):
                raise InputError(f"{self.path}: {advice}")
        if (encoding := encoding_by_mark(head)) and not self.transcode_from:
            raise InputError(f"{self.path}: is encoded as {encoding}; pass --encoding {encoding}")
        return head

    def _refuse_wrong_name(self) -> None:
        """Refuse a file that is not compressed although its name says so: browsers unpack what they download."""
        if self.packing is None:
            return
        try:
            with place_of(self.path, self.held).open("rb") as file:
                first = file.read(4)
        except OSError as exc:
            raise InputError(f"{self.path}: cannot be opened: {exc}") from exc
        # Too short a file is damaged, which reading it says.
        if len(first) == 4 and not _MAGIC[self.packing](first):
            what = f"is not {self.packing}-compressed, although its name ends in {self.path.suffix}"
            raise InputError(f"{self.path}: {what}; remove that from the name")

    def mark(self) -> str | None:
        """Return the wide encoding whose byte order mark the file begins with, or None."""
        return encoding_by_mark(self._first_bytes(4))

    def _first_bytes(self, number: int) -> bytes:
        self._refuse_wrong_name()
        parts: list[bytes] = []
        with self.open() as stream:
            while sum(map(len, parts)) < number and (block := stream.read_block()):
                parts.append(block)
        return b"".join(parts)[:number]


class Stream:
    """An open source. Iterating yields blocks until the end.

    `offset` is where the next block begins, `consumed` how much of the file on disk has been used.
    Damage raises `InputError` when it is reached; the blocks before it are good.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._first = b""
        self.offset = 0
        try:
            self._file: BinaryIO = place_of(source.path, source.held).open("rb")
        except OSError as exc:
            raise InputError(f"{source.path}: cannot be opened: {exc}") from exc
        self._packed = _Packed(self._file)
        self._blocks = self._pipeline()

    def _pipeline(self) -> Iterator[bytes]:
        match self._source.packing:
            case "gzip":
                blocks = _gunzip(self._packed, self._source.block_bytes)
            case "zstd":
                blocks = _unzstd(self._packed)
            case _:
                blocks = iter(lambda: self._file.read(self._source.block_bytes), b"")
        if self._source.transcode_from:
            blocks = _transcode(blocks, self._source.transcode_from)
        if self._source.has_cr_ends:
            blocks = _with_newlines(blocks)
        return blocks

    @property
    def consumed(self) -> int:
        """How many bytes of the file on disk the blocks read so far have used."""
        return self._packed.consumed if self._source.packing else self._file.tell()

    def read_block(self) -> bytes:
        """Return the next block, or nothing at the end.

        Raises:
            InputError: The file is damaged, or cannot be read further.
        """
        if self._first:
            block, self._first = self._first, b""
        else:
            block = self._next_block()
        self.offset += len(block)
        return block

    def _next_block(self) -> bytes:
        where = f"{self._source.path}: after {self.offset} bytes of content"
        try:
            return next(self._blocks, b"")
        except EOFError as exc:
            raise InputError(
                f"{where}: the {self._source.packing} data ends too early; download or copy the file again"
            ) from exc
        except (zlib.error, zstandard.ZstdError) as exc:
            raise InputError(f"{where}: not valid {self._source.packing} data: {exc}") from exc
        except UnicodeError as exc:  # single bytes are only marked; this is about the encoding as a whole
            encoding = self._source.transcode_from
            raise InputError(
                f"{where}: not in {encoding}, which begins with a byte order mark; "
                f"pass --encoding {encoding}-le or {encoding}-be, or the real encoding of the file"
            ) from exc
        except OSError as exc:
            raise InputError(f"{where}: cannot be read further: {exc}") from exc

    def skip_to(self, offset: int) -> None:
        """Go forward to an offset."""
        if not offset:
            return
        if not self._source.packing and not self._source.transcode_from:
            self._file.seek(offset)
            self.offset = offset
            return
        while self.offset < offset:
            block = self.read_block()
            if not block:
                raise InputError(
                    f"{self._source.path}: ends after {self.offset} bytes, but the run stopped at byte {offset}; "
                    "restore the original file"
                )
            if self.offset > offset:
                self._first = block[offset - self.offset :]
                self.offset = offset

    def close(self) -> None:
        """Close the file. May be called twice."""
        self._file.close()

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.read_block, b"")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Packed:
    """Reads compressed bytes, and counts how many of them the decompressor has used."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._read = 0
        self.waiting = 0

    @property
    def consumed(self) -> int:
        return self._read - self.waiting

    def read(self) -> bytes:
        data = self._file.read(_PACKED_BYTES)
        self._read += len(data)
        self.waiting = len(data)
        return data


def _gunzip(packed: _Packed, block_bytes: int) -> Iterator[bytes]:
    """Yield the content of all members of a gzip file; zero padding between and after them is allowed."""
    data = packed.read()
    if not data:
        raise EOFError
    while data:
        member = zlib.decompressobj(wbits=31)
        while not member.eof:
            block = member.decompress(data, block_bytes)
            data = member.unused_data if member.eof else member.unconsumed_tail
            packed.waiting = len(data)
            if block:
                yield block
            elif not member.eof and not data:
                data = packed.read()
                if not data:
                    raise EOFError
        data = data.lstrip(b"\0")
        while not data:
            padding = packed.read()
            if not padding:
                return
            data = padding.lstrip(b"\0")


def _unzstd(packed: _Packed) -> Iterator[bytes]:
    """Yield the content of all frames of a zstd file. The decompressor alone would not notice a truncated file."""
    data, at = packed.read(), 0
    if not data:
        raise EOFError
    while data:
        frame = zstandard.ZstdDecompressor().decompressobj()
        while not frame.eof:
            if at >= len(data):
                data, at = packed.read(), 0
                if not data:
                    raise EOFError
            block = frame.decompress(data[at : at + _ZSTD_SLICE_BYTES])
            at = min(at + _ZSTD_SLICE_BYTES, len(data)) - len(frame.unused_data)
            packed.waiting = len(data) - at
            if block:
                yield block
        if at >= len(data):
            data, at = packed.read(), 0


def _transcode(blocks: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)(_UNDECODABLE)
    for block in blocks:
        if text := decoder.decode(block):
            yield text.encode("utf-8", "surrogatepass")
    if text := decoder.decode(b"", final=True):
        yield text.encode("utf-8", "surrogatepass")


def _with_newlines(blocks: Iterator[bytes]) -> Iterator[bytes]:
    held = b""
    for block in blocks:
        data = held + block
        # The last one may be the first half of a CRLF.
        held = b"\r" if data.endswith(b"\r") else b""
        if data := data.removesuffix(held):
            yield cr_as_newline(data)
    if held:
        yield b"\n"
