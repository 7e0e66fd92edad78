"""A folder of pages, one for each conversation, and the list of them: to read, to search with tools, to hand over."""

import glob
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from bulkgladly.builds.sorted_rows import SortedRows
from bulkgladly.errors import UsageError
from bulkgladly.lake.built_table import moment_of_micros
from bulkgladly.lake.current_folder import put_in_place, remove_tree
from bulkgladly.pages.page_template import plain_template, policy_of
from bulkgladly.plain_words import counted, duration_text
from bulkgladly.storage.durable import sync_folder
from bulkgladly.storage.lock import Lock

__all__ = ("ConversationPages", "conversation_pages")

_ON_A_PAGE = 200
_UNDATED = "undated"
_OVERRIDES = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
"""Marks that show a text in another order than it has; pages isolate each text, so that none is needed."""
_CONTROLS = dict.fromkeys((*range(9), *range(11, 32), *range(127, 160), *_OVERRIDES), "\N{REPLACEMENT CHARACTER}")
_OURS = re.compile(r"index(-\d+)?\.html|\d{4,5}-\d{2}|undated")
_BUILDING, _LOCK = ".building", ".lock"
_WHO = MappingProxyType({"customer": "Customer", "agent": "Agent", "system": "Automatic message", "other": "Other"})

Row = Mapping[str, Any]


class _ShownMessage(NamedTuple):
    kind: str
    name: str
    about: str
    at: str
    subject: str
    text: str


class _ShownPage(NamedTuple):
    title: str
    facts: Sequence[tuple[str, str]]
    messages: Sequence[_ShownMessage]


class _ShownEntry(NamedTuple):
    path: str
    title: str
    about: str


class _ShownIndex(NamedTuple):
    title: str
    entries: Sequence[_ShownEntry]
    newer: str
    older: str


@contextmanager
def conversation_pages(final: Path) -> Iterator["ConversationPages"]:
    """Give what takes conversations; when the block ends, the folder with their pages is put in place as a whole.

    An earlier folder of pages is replaced; an error or a kill leaves it as it was. A kill leaves a hidden folder
    beside it, whose name ends in `.building`, until the next pages of that name. Only its owner can read the folder.

    Raises:
        UsageError: There is something else under that name.
        OSError: It cannot be written.
    """
    _refuse_foreign(final)
    _remove_leftovers(final)
    made = Path(tempfile.mkdtemp(dir=final.parent, prefix=f".{final.name}-", suffix=_BUILDING))
    lock = Lock(made / _LOCK)
    try:
        lock.take()
        pages = ConversationPages(made)
        yield pages
        pages.finish()
        (made / _LOCK).unlink()
        # One call for all files, because to sync each of them takes longer than to write them.
        os.sync()
        sync_folder(made)
        put_in_place(made, final)
    finally:
        lock.release()
        shutil.rmtree(made, ignore_errors=True)


def _remove_leftovers(final: Path) -> None:
    """Remove what a kill has left; a folder whose lock is held belongs to a process that is at work."""
    for path in final.parent.glob(f".{glob.escape(final.name)}-*{_BUILDING}"):
        if not Lock(path / _LOCK).is_held_by_anybody():
            remove_tree(path)


def _refuse_foreign(final: Path) -> None:
    if not final.is_symlink() and not final.exists():
        return
    if final.is_symlink() or not final.is_dir():
        raise UsageError(f"{final} is not a folder; move it away, or choose another folder")
    strange = sorted(found.name for found in final.iterdir() if not _OURS.fullmatch(found.name))
    if strange:
        raise UsageError(f"{final} holds {strange[0]!r}, which would be lost; choose an empty or a new folder")


class ConversationPages:
    """Writes pages into a folder. What the list needs is held as `SortedRows` hold it."""

    def __init__(self, top: Path) -> None:
        self._top = top
        self._entries = SortedRows(top)
        self.written = 0

    def write(self, row: Row) -> None:
        """Write the page of a row of `conversations`."""
        path = _path_of(row)
        place = self._top / path
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(_rendered("conversation", _page_of(row)))
        entry = {"path": path, "title": _title(row), "about": _about(row)}
        self._entries.add((-(row["opened_at"] or 0), row["conversation_id"]), entry)
        self.written += 1

    def finish(self) -> None:
        """Write the list, the newest conversation first, 200 on a page."""
        pages = max(1, -(-self.written // _ON_A_PAGE))
        rows = iter(self._entries)
        for number in range(1, pages + 1):
            held = [_ShownEntry(**each.row) for each in islice(rows, _ON_A_PAGE)]
            title = counted(self.written, "conversation")
            if pages > 1:
                title += f", page {number} of {pages}"
            index = _ShownIndex(title, held, _index_name(number - 1, pages), _index_name(number + 1, pages))
            self._top.joinpath(_index_name(number, pages)).write_bytes(_rendered("conversation_index", index))


def _index_name(number: int, pages: int) -> str:
    if not 1 <= number <= pages:
        return ""
    return "index.html" if number == 1 else f"index-{number}.html"


def _path_of(row: Row) -> str:
    """Return the path of a page: by month, and by the id in characters that every file system keeps apart."""
    month = _UNDATED if row["opened_at"] is None else f"{moment_of_micros(row['opened_at']):%Y-%m}"
    name = str(row["conversation_id"])
    # Ids that differ in case only, or in what is replaced, get different names by their hash.
    mark = hashlib.blake2b(name.encode(), digest_size=5).hexdigest()
    return f"{month}/{re.sub(r'[^A-Za-z0-9_-]', '_', name)[:60]}-{mark}.html"


# --- What a page says ---


def _page_of(row: Row) -> _ShownPage:
    return _ShownPage(_title(row), [*_facts(row)], [_message_of(each) for each in row["messages"]])


def _title(row: Row) -> str:
    who = row["customer"] or (f"customer {row['customer_id']}" if row["customer_id"] else "an unknown customer")
    return _clean(f"Conversation with {who}")


def _about(row: Row) -> str:
    said = [
        _time_text(row["opened_at"]),
        row["status"],
        row["inbox"],
        row["agent"],
        ", ".join(row["topics"] or ()),
        counted(len(row["messages"]), "message"),
    ]
    return _clean(" · ".join(each for each in said if each))


def _facts(row: Row) -> Iterator[tuple[str, str]]:
    seconds = row["first_response_s"]
    told = {
        "Status": row["status"],
        "Inbox": row["inbox"] or row["inbox_id"],
        "Agent": row["agent"] or row["agent_id"],
        "Topics": ", ".join(row["topics"] or row["topic_ids"] or ()),
        "Opened": _time_text(row["opened_at"]),
        "Closed": _time_text(row["closed_at"]),
        "First response after": None if seconds is None else duration_text(seconds),
        "Channels": ", ".join(f"{each['channel']} {each['items']}" for each in row["items_by_channel"]),
        "Customer id": row["customer_id"],
        "Conversation id": row["conversation_id"],
    }
    yield from ((name, _clean(str(value))) for name, value in told.items() if value)


def _message_of(message: Row) -> _ShownMessage:
    is_note = message["channel"] == "NOTE"
    who = _WHO[message["who"]]
    name = _clean(message["name"] or who)
    about = [*([who] if message["name"] else []), "Note" if is_note else message["channel"]]
    return _ShownMessage(
        "note" if is_note else message["who"],
        name,
        " · ".join(about),
        _time_text(message["at"]) or "at an unknown time",
        _clean(message["subject"] or ""),
        _clean(message["text"] or "").strip("\n"),
    )


def _time_text(at: int | None) -> str | None:
    return None if at is None else f"{moment_of_micros(at):%Y-%m-%d %H:%M}"


def _clean(text: str) -> str:
    """Return a text without characters that HTML forbids or that hide what it says; the template escapes the rest."""
    return text.replace("\r\n", "\n").replace("\r", "\n").translate(_CONTROLS)


# --- HTML ---


@cache
def _template(name: str) -> Any:
    return plain_template(_file(f"{name}.html.jinja"))


@cache
def _style() -> tuple[str, str]:
    style = _file("conversation.css")
    return style, policy_of(style)


def _rendered(name: str, page: _ShownPage | _ShownIndex) -> bytes:
    style, policy = _style()
    text: str = _template(name).render(page=page, style=style, policy=policy)
    return text.encode()


def _file(name: str) -> str:
    return files("bulkgladly.builds").joinpath(name).read_text(encoding="utf-8")
