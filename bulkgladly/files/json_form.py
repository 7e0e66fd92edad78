"""JSON that is not one object per line: which form a file has, and its values one by one. Pure, in bounded memory."""

import re
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

import orjson

from bulkgladly.lines import BOM, SHOWN_BYTES

__all__ = ("JsonForm", "JsonValue", "cut_values", "json_form")

_GAP = re.compile(rb"[ \t\r\n,]*")
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+("?)|[{}\[\]]', re.DOTALL)
"""A text, whole if the group is filled, or a bracket."""
_SPREAD = "has JSON objects over several lines"
_MOST_REST = 1 << 20
_SCALAR = re.compile(rb"[^,\]}\s]*")
_LISTS = frozenset(
    {"data", "results", "items", "records", "rows", "value", "values", "entries", "hits"}
    | {"customers", "contacts", "users", "people", "tickets", "conversations", "tasks", "organizations"}
    | {"admins", "agents", "teams", "groups", "companies", "macros", "articles", "messages", "comments", "events"}
    | {"ticket_fields", "satisfaction_ratings", "side_conversations"}
)
"""Names under which an API returns its list."""
_AROUND_LISTS = frozenset(
    {"count", "total", "totalsize", "total_count", "page", "per_page", "pages", "size", "limit", "offset", "done"}
    | {"next", "next_page", "previous", "previous_page", "prev", "has_more", "hasmore", "links", "meta", "paging"}
    | {"cursor", "after_cursor", "before_cursor", "after_url", "before_url", "end_of_stream", "url", "status"}
    | {"success", "object", "type", "kind", "nextrecordsurl", "end_time", "start_time", "metadata", "pagination"}
    | {"page_count", "total_pages", "sort_by", "sort_order", "uri", "next_cursor", "prev_cursor"}
)
"""Names that stand beside it. A record that happens to have a list of items has others."""


class JsonForm(NamedTuple):
    """How the rows of a file follow each other, if not in lines: where they begin, and a note for people.

    `is_list` says that they end with the bracket of their list.
    """

    begin: int
    note: str
    is_list: bool


class JsonValue(NamedTuple):
    """A value as it stands in the file: its offset, its line, its bytes.

    `fault` is why these are not a value: `too_large` and `unclosed`, with only the beginning kept, or `after_list` for
    what follows the list of the rows and does not belong there.
    """

    offset: int
    line: int
    data: bytes
    fault: str = ""


def json_form(
    head: bytes, *, is_all: bool, has_pages: bool = False, page_lists: Collection[str] = ()
) -> JsonForm | None:
    """Return the form of a file that is not one object per line; `is_all` says that `head` is the whole file.

    A first line that is an object in itself makes a file of lines, unless it is the only one and an
    API's page: a list under a usual name, with nothing beside it but counts and cursors. With `has_pages` a page is a
    row, and its list is not read; only a page of these lists, if there are any in `page_lists`.
    """
    start = len(head) - len(head.removeprefix(BOM).lstrip())
    if head[start : start + 1] == b"[":
        return JsonForm(start + 1, "is a single JSON array", is_list=True)
    if head[start : start + 1] != b"{":
        return None
    line, _, rest = head[start:].partition(b"\n")
    is_one_line = _is_object(line)
    if not is_one_line or (is_all and not rest.strip()):
        if found := _list_in(head, start):
            begin, name = found
            if has_pages and (not page_lists or name in page_lists):
                return None if is_one_line else JsonForm(start, _SPREAD, is_list=False)
            return JsonForm(begin, f"is a JSON document with its rows in {name!r}", is_list=True)
        if is_one_line:
            return None
    first = next(cut_values([head[start:]], offset=start, line=1, max_bytes=len(head), is_open=not is_all), None)
    if first is None or first.fault or not _is_object(first.data):
        return None
    follows = head[start + len(first.data) :].lstrip(b" \t")[:1]
    if b"\n" in first.data:
        return JsonForm(start, _SPREAD, is_list=False)
    return JsonForm(start, "has several JSON objects in a line", is_list=False) if follows in (b"{", b",") else None


def cut_values(
    blocks: Iterable[bytes], *, offset: int, line: int, max_bytes: int, is_list: bool = False, is_open: bool = False
) -> Iterator[JsonValue]:
    """Yield the values of a stream that stands at `offset`, in this line, between two values.

    Commas and blanks may be between them. A list ends with its bracket; another list may follow, or the small rest of
    the document around it. With `is_open`, the stream is only a beginning: a value that it cuts off is left out.
    """
    cutter = _Cutter(offset, line, max_bytes, is_list=is_list)
    for block in blocks:
        cutter.take(block)
        yield from cutter.values(is_end=False)
    if not is_open:
        yield from cutter.values(is_end=True)


class _Cutter:
    """Finds where values end, in a buffer that holds what was not yielded yet.

    `_from` is where the current value begins in it, in line `_line`, and `_at` up to where it has been looked at.
    """

    def __init__(self, offset: int, line: int, max_bytes: int, *, is_list: bool) -> None:
        self._buffer, self._offset, self._line = b"", offset, line
        self._max_bytes, self._is_list = max_bytes, is_list
        self._from = self._at = self._depth = 0
        self._is_within = self._is_done = False
        self._too_large: JsonValue | None = None
        self._after_list: JsonValue | None = None

    def take(self, block: bytes) -> None:
        """Add a block."""
        if self._is_done:
            return
        self._offset += self._from
        self._buffer = self._buffer[self._from :] + block
        self._from, self._at = 0, self._at - self._from

    def values(self, *, is_end: bool) -> Iterator[JsonValue]:
        """Yield the values that have ended; with `is_end` also what is left."""
        while not self._is_done:
            if not self._is_within and not self._reach_value(is_end=is_end):
                if self._after_list is not None:
                    yield self._after_list
                return
            end = self._end_of_value(is_end=is_end)
            if end is None:
                self._skip_if_too_large()
                if is_end:
                    self._is_done = True
                    yield self._too_large or self._cut(len(self._buffer), "unclosed")
                return
            found = self._too_large or self._cut(end, "too_large" if end - self._from > self._max_bytes else "")
            self._go_to(end)
            self._too_large, self._is_within, self._depth = None, False, 0
            yield found

    def _reach_value(self, *, is_end: bool) -> bool:
        """Go to the beginning of a value. False if there is none yet; done if there is none any more."""
        self._go_to(self._behind_gap(self._from))
        here = self._buffer[self._from : self._from + 1]
        if not here:
            self._is_done = is_end
            return False
        if self._is_list and here == b"]":
            return self._leave_list(is_end=is_end)
        self._is_within = True
        return True

    def _leave_list(self, *, is_end: bool) -> bool:
        following = self._behind_gap(self._from + 1)
        if self._buffer[following : following + 1] == b"[":
            self._go_to(following + 1)
            return self._reach_value(is_end=is_end)
        # The rest of the document is small, so it is looked at as a whole.
        if is_end or len(self._buffer) - following > _MOST_REST:
            self._is_done = True
            rest = self._buffer[self._from + 1 :].strip()
            if rest and not _is_rest(rest):
                self._after_list = self._cut(len(self._buffer), "after_list")
        return False

    def _end_of_value(self, *, is_end: bool) -> int | None:
        if self._depth == 0 and self._buffer[self._from : self._from + 1] not in (b"{", b"[", b'"'):
            scalar = _SCALAR.match(self._buffer, self._from)
            end = max(self._from + 1, scalar.end() if scalar else 0)
            return end if end < len(self._buffer) or is_end else None
        while token := _TOKEN.search(self._buffer, self._at):
            if token[0][:1] == b'"':
                if not token[1]:
                    self._at = token.start()
                    return None
            else:
                self._depth += 1 if token[0] in (b"{", b"[") else -1
            self._at = token.end()
            if self._depth <= 0:
                return self._at
        self._at = len(self._buffer)
        return None

    def _skip_if_too_large(self) -> None:
        if len(self._buffer) - self._from > self._max_bytes:
            self._too_large = self._too_large or self._cut(len(self._buffer), "too_large")
            self._go_to(self._at)

    def _cut(self, end: int, fault: str) -> JsonValue:
        last = min(end, self._from + min(SHOWN_BYTES, self._max_bytes)) if fault else end
        return JsonValue(self._offset + self._from, self._line, self._buffer[self._from : last], fault)

    def _behind_gap(self, at: int) -> int:
        gap = _GAP.match(self._buffer, at)
        return gap.end() if gap else at

    def _go_to(self, end: int) -> None:
        self._line += self._buffer.count(b"\n", self._from, end)
        self._from = end
        self._at = max(self._at, end)


def _is_object(data: bytes) -> bool:
    try:
        return isinstance(orjson.loads(data), dict)
    except orjson.JSONDecodeError:
        return False


def _is_rest(rest: bytes) -> bool:
    """Tell whether what follows a list ends the document around it, and holds no second list."""
    try:
        found = orjson.loads(b'{"_":0' + (rest if rest.startswith((b",", b"}")) else b"?"))
    except orjson.JSONDecodeError:
        return False
    return isinstance(found, dict) and all(name == "_" or name.lower() in _AROUND_LISTS for name in found)


def _list_in(head: bytes, start: int) -> tuple[int, str] | None:
    """Return where the list of an API's page begins, and its name; None if the document is none."""
    depth, name = 0, b""
    for token in _TOKEN.finditer(head, start):
        text = token[0]
        if text[:1] == b'"':
            if depth == 1 and head[token.end() : token.end() + 40].lstrip()[:1] == b":":
                name = text[1:-1]
                if name.decode("utf-8", "replace").lower() not in _LISTS | _AROUND_LISTS:
                    return None
            continue
        if text == b"[" and depth == 1 and name.decode("utf-8", "replace").lower() in _LISTS:
            # A page holds objects. A list of texts belongs to a record, such as the events of a webhook.
            first = head[token.end() :].lstrip()[:1]
            return (token.end(), name.decode("utf-8", "replace")) if first in (b"{", b"]", b"") else None
        depth += 1 if text in (b"{", b"[") else -1
        if depth == 0:
            return None
    return None
