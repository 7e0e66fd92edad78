"""What the first bytes of a text file show: its encoding, its line ends, and whether it is text at all. Pure.

All of it depends on the bytes alone, so that a resumed run reads the same rows again.
"""

import codecs
import re

import orjson

from bulkgladly.lines import BOM

__all__ = (
    "HEAD_BYTES",
    "cr_as_newline",
    "encoding_by_mark",
    "has_cr_ends",
    "no_json_instead",
    "not_utf8",
    "page_instead",
)

HEAD_BYTES = 1 << 18
"""How much of a file is looked at."""

_MARKS = ((b"\xff\xfe\0\0", "utf-32"), (b"\0\0\xfe\xff", "utf-32"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_LONE_CR = re.compile(rb"\r(?!\n)")
_SEQUENCE = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}",
)
"""A character outside of ASCII, as UTF-8 writes it."""
_LETTER = re.compile(
    rb"[A-Za-z][\xc0-\xd6\xd8-\xf6\xf8-\xfe]|[\xc0-\xd6\xd8-\xf6\xf8-\xfe][A-Za-z]"
    rb"|[0-9] ?[\x80\xa3\xa4]|[\x80\xa3\xa4] ?[0-9]"
    rb"|[A-Za-z]\x92[A-Za-z]"
)
"""What the Western code pages have: an accented letter next to a plain one, a sum of money, an apostrophe in a name."""
_EURO_OF_ISO = re.compile(rb"[0-9] ?\xa4|\xa4 ?[0-9]")
_PAGE = re.compile(rb"<(?:!doctype\s+html|html|head|body|script|meta)\b", re.IGNORECASE)
_TITLE = re.compile(rb"<title[^>]*>\s*([^<]{1,200}?)\s*</title>", re.IGNORECASE)
_XML = re.compile(rb"<\?xml\b|<Error>|<[A-Za-z][\w:.-]*(?:\s[^<>]*)?>")
_OBJECT = re.compile(rb'[\[{]\s*(?:[{\["\]}])')
_ERRORS = frozenset({"error", "errors", "error_description", "fault"})
_BESIDE_ERRORS = frozenset(
    {"message", "detail", "details", "status", "statusCode", "status_code", "code", "title", "description", "timestamp"}
    | {"path", "error_uri", "request_id", "requestId", "traceId", "success", "ok"}
)
_ERROR_NAMES = frozenset({"error", "errors", "message", "error_description", "detail", "fault"})


def encoding_by_mark(head: bytes) -> str | None:
    """Return the wide encoding whose byte order mark a file begins with, or None."""
    return next((encoding for mark, encoding in _MARKS if head.startswith(mark)), None)


def not_utf8(head: bytes) -> tuple[int, str] | None:
    """Return the line, and what to do, if a file as a whole is clearly not in UTF-8; None if single bytes are damaged.

    A file that has characters as UTF-8 writes them is in UTF-8, whatever else is in it. So is one
    whose other bytes make no letters.
    """
    if wide := _wide_without_mark(head):
        return 1, f"pass --encoding {wide}"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError as error:
        if _SEQUENCE.search(head) or not _LETTER.search(head):
            return None
        line = head.count(b"\n", 0, error.start) + 1
        if _EURO_OF_ISO.search(head):
            return (
                line,
                "pass --encoding iso-8859-15 if it is to have euro signs, or its real encoding; or save it as UTF-8",
            )
        fix = "pass --encoding cp1252, the usual one of Excel on Windows in Western Europe and America"
        return line, f"{fix}, or the real encoding of the file; or save it as UTF-8"
    return None


def _wide_without_mark(head: bytes) -> str | None:
    """Return the form of UTF-16 in which every other byte of a file in plain letters is zero."""
    for encoding, zeros, letters in (("utf-16-le", head[1::2], head[::2]), ("utf-16-be", head[::2], head[1::2])):
        if zeros and zeros.count(0) * 2 > len(zeros) and not letters.count(0):
            return encoding
    return None


def has_cr_ends(head: bytes, quote: bytes | None = None) -> bool:
    """Tell whether lines end with a carriage return alone, as on old Macs: all of them, or whole rows among others."""
    if not _LONE_CR.search(head):
        return False
    lines = head.split(b"\n")
    if len(lines) == 1 or (len(lines) == 2 and not lines[1]):
        return not head.endswith(b"\r\n") or head.count(b"\r") > 1
    header = lines[0].removesuffix(b"\r")
    return any(_are_rows(line.removesuffix(b"\r"), header, quote) for line in lines[1:] if b"\r" in line[:-1])


def _are_rows(line: bytes, header: bytes, quote: bytes | None) -> bool:
    """Tell whether the pieces between carriage returns each have the form of the header."""
    pieces = line.split(b"\r")
    if len(pieces) < 2 or (quote and quote in line):
        return False
    return any(
        (count := header.count(char)) and all(piece.count(char) == count for piece in pieces)
        for char in (b",", b";", b"\t", b"|")
    )


def cr_as_newline(block: bytes) -> bytes:
    """Return a block with each lone carriage return as a newline; nothing moves, so offsets stay the same."""
    return _LONE_CR.sub(b"\n", block)


def no_json_instead(head: bytes) -> str | None:
    """Return what a file named as JSON holds instead of rows and what to do, or None: an error message, or CSV."""
    start = head.removeprefix(BOM).lstrip()
    lines = start.splitlines()[:3]
    if len(lines) > 1 and not start.startswith((b"{", b"[")):
        alike = any(
            lines[0].count(char) and lines[0].count(char) == lines[1].count(char) for char in (b",", b";", b"\t")
        )
        return "is CSV, and not JSON; pass --format csv" if alike else None
    try:
        found = orjson.loads(start)
    except orjson.JSONDecodeError:
        return None
    is_error = isinstance(found, dict) and _ERRORS & found.keys() and not found.keys() - _ERRORS - _BESIDE_ERRORS
    return "is an error message instead of rows; read it, and download the file again" if is_error else None


def page_instead(head: bytes, *, is_json_fine: bool = False) -> str | None:
    """Return what a file holds instead of rows and what to do, or None: a web page, an XML document, a JSON error.

    Such files come from downloads that have failed.
    """
    start = head.removeprefix(BOM).lstrip()
    if _PAGE.match(start):
        title = _TITLE.search(start)
        named = f" ({title[1].decode('utf-8', 'replace')!r})" if title else ""
        return f"is a web page{named}, perhaps of a sign-in; sign in, download the file again, and look inside it first"
    if _XML.match(start) and (b"</" in start or b"/>" in start or start.startswith(b"<?xml")):
        return "is an XML document, perhaps an error message; download the file again, or export it as CSV or NDJSON"
    if is_json_fine or not _OBJECT.match(start):
        return None
    try:
        found = orjson.loads(start)
    except orjson.JSONDecodeError:
        return "is JSON, not CSV; pass --format ndjson"
    if isinstance(found, dict) and _ERROR_NAMES & found.keys():
        return "is JSON with an error message instead of rows; read the message, and download the file again"
    return "is JSON, not CSV; pass --format ndjson"
