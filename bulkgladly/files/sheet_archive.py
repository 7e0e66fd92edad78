"""The archive that an Excel file is: whether it is one, whether it fits in memory, and what its XML alone shows."""

import io
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from zlib import error as zlib_error

from bulkgladly.errors import InputError
from bulkgladly.files.contract import place_of

__all__ = ("DAMAGE", "ReopenedFile", "merged_ranges", "refuse_other_files", "save_again", "uncalculated_cell")

DAMAGE = (zipfile.BadZipFile, zlib_error, OSError, EOFError, NotImplementedError, RuntimeError)
"""What reading a damaged archive raises; RuntimeError is for one that is encrypted as a ZIP."""

_MOST_SHARED = 96 << 20
"""Texts that cells share are kept in memory. This limits it to about 550 MB: 2.4 million short texts were 78 MB here,
and 440 MB in memory at the most."""
_MOST_OTHER = 64 << 20
_MOST_RATIO = 300
"""How far XML of a sheet is packed at most: real ones are packed 5 to 40 times."""
_LOOKED_AT = 1 << 20
_CHUNK = 1 << 18
_TO_SAVE = "open it in Excel or LibreOffice, and save it again as .xlsx, or as CSV UTF-8"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_CELL_WITH_FORMULA = re.compile(rb"<c ((?:[^<>\"]|\"[^\"]*\")*)>\s*<f[ />](?:(?!</c>).)*</c>", re.DOTALL)
_EMPTY_VALUE = re.compile(rb"<v\s*/>|<v>\s*</v>")
_PLACE = re.compile(rb'\br="([A-Z]+[0-9]+)"')
_MERGED = re.compile(rb'<mergeCell\s[^>]*\bref="([A-Z0-9:]+)"')


class ReopenedFile(io.RawIOBase):
    """A file that is open only while it is used, and can be read on after that: an archive may hold it for long.

    `handle` is one that the caller holds open, in case the path is deleted.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._file, self._users, self._at = path, None, 0, 0
        self.handle: int | None = None

    _file: BinaryIO | None

    @contextmanager
    def used(self) -> Iterator[None]:
        """Keep the file open for as long as the context lasts.

        Raises:
            OSError: It cannot be opened.
        """
        self._users += 1
        try:
            yield
        finally:
            self._users -= 1
            if not self._users and self._file is not None:
                self._file.close()
                self._file = None

    def _opened(self) -> BinaryIO:
        if self._file is None:
            self._file = place_of(self._path, self.handle).open("rb")
            self._file.seek(self._at)
        return self._file

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next bytes."""
        data = self._opened().read(-1 if size is None else size)
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go to a place, and return it."""
        self._at = self._opened().seek(offset, whence)
        return self._at

    def tell(self) -> int:
        """Return the present place."""
        return self._at

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True


def refuse_other_files(path: Path) -> None:
    """Refuse what is not an Excel file that can be read in bounded memory, with what to do.

    Raises:
        InputError: It is protected by a password, of an old format, no archive, too large, or damaged.
    """
    try:
        with path.open("rb") as file:
            head = file.read(8)
            if head.startswith(b"\xd0\xcf\x11\xe0"):
                raise InputError(f"{path}: {_old_or_protected(head + file.read(_MOST_OTHER))}")
        if not head:
            raise InputError(f"{path}: is empty (0 bytes); export or download it again")
        if not head.startswith(b"PK"):
            fix = "pass --format csv"
            raise InputError(f"{path}: is not an Excel file, whatever its name says; if it holds text, {fix}")
        with zipfile.ZipFile(path) as archive:
            _refuse_contents(path, archive)
    except DAMAGE as exc:
        raise InputError(f"{path}: is damaged: {exc}; download or save it again") from exc


def _old_or_protected(content: bytes) -> str:
    if _ENCRYPTED in content:
        return (
            "is protected by a password; open it in Excel, remove the password (File, Info, Protect Workbook), save it"
        )
    return "is an old Excel file (.xls); save it as .xlsx, or as CSV UTF-8"


def _refuse_contents(path: Path, archive: zipfile.ZipFile) -> None:
    entries = archive.infolist()
    names = {entry.filename for entry in entries}
    if "xl/workbook.bin" in names:
        raise InputError(f"{path}: is a binary Excel file (.xlsb); save it as .xlsx, or as CSV UTF-8")
    if "[Content_Types].xml" not in names:
        what = "a LibreOffice file" if "mimetype" in names else "a ZIP archive, and not an Excel file"
        raise InputError(f"{path}: is {what}; save or unpack what it holds as .xlsx, or as CSV UTF-8")
    for entry in entries:
        is_sheet = entry.filename.startswith("xl/worksheets/")
        most = _MOST_SHARED if entry.filename == "xl/sharedStrings.xml" else _MOST_OTHER
        is_packed = entry.file_size > most and entry.file_size > _MOST_RATIO * max(1, entry.compress_size)
        if entry.filename.endswith((".xml", ".rels")) and (is_packed if is_sheet else entry.file_size > most):
            size = f"{entry.file_size / (1 << 20):,.0f} MB"
            raise InputError(f"{path}: {entry.filename} in it unpacks to {size}, too much; save the sheet as CSV UTF-8")
    if "xl/workbook.xml" in names and b"purl.oclc.org/ooxml" in archive.read("xl/workbook.xml"):
        raise InputError(f"{path}: is a Strict Open XML workbook; save it in Excel as 'Excel Workbook (.xlsx)'")


def uncalculated_cell(archive: zipfile.ZipFile, name: str) -> str | None:
    """Return the first formula in the beginning of a sheet that has no result, since no program has calculated it.

    A formula whose result is an empty text says that it is a text.
    """
    with archive.open(name) as file:
        head = file.read(_LOOKED_AT)
    for cell in _CELL_WITH_FORMULA.finditer(head):
        attributes, text = cell[1], cell[0]
        has_value = b"<v" in text and not (_EMPTY_VALUE.search(text) and b't="str"' not in attributes)
        if not has_value and (place := _PLACE.search(attributes)):
            return place[1].decode()
    return None


def merged_ranges(archive: zipfile.ZipFile, name: str, *, most: int) -> list[str]:
    """Return the first ranges of cells that are merged, `most` of them. In large sheets it does not look for them."""
    if archive.getinfo(name).file_size > _MOST_OTHER:
        return []
    found: list[str] = []
    with archive.open(name) as file:
        end = b""
        while len(found) < most and (chunk := file.read(_CHUNK)):
            text = end + chunk
            cut = text.rfind(b"<")  # a tag may go on in the next chunk
            found += [match[1].decode() for match in _MERGED.finditer(text[:cut])]
            end = text[cut:]
    return found[:most]


def save_again(path: Path, why: object) -> InputError:
    """Return the error for a workbook that the library cannot read."""
    return InputError(f"{path}: cannot be read as an Excel file: {why}; {_TO_SAVE}")
