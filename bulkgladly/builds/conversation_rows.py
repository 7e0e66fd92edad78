"""From data sets to conversations: joined by sorting on the disk, so that memory does not grow with the data."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from bulkgladly.builds.built_names import DirectoryNames
from bulkgladly.builds.conversation_parts import (
    CONVERSATION_FIELDS,
    ITEM_FIELDS,
    REPORT_FIELDS,
    conversation_of,
    text_of,
    with_customer,
)
from bulkgladly.builds.sorted_rows import SortedRow, SortedRows
from bulkgladly.lake.built_table import moment_of_micros
from bulkgladly.lake.catalogue import Catalogue
from bulkgladly.lake.plain_rows import AGE, plain_rows

__all__ = ("ITEM_SETS", "REPORT", "conversation_rows")

ITEM_SETS = ("items", "conversation-items")
REPORT = "reports/ConversationExportReport"
_LIVE, _REPORT, _ITEM = 0, 1, 2
"""What a row of a conversation is, in the order in which they are needed."""


def conversation_rows(folder: Catalogue, names: DirectoryNames, scratch: Path) -> Iterator[SortedRow]:
    """Yield one row for each conversation, by when it was opened; those without that time come first.

    What is sorted lies in files without names in `scratch`, at most about three times the text. Memory is that of two
    `SortedRows`, and the largest conversation.

    Raises:
        InputError: A part is missing or cannot be read.
        OSError: `scratch` cannot hold what is sorted.
    """
    joined = SortedRows(scratch)
    _add_items(folder, joined, scratch)
    _add_newest(folder, joined, "conversations", CONVERSATION_FIELDS, _LIVE)
    _add_newest(folder, joined, REPORT, (*REPORT_FIELDS, "_gone_since"), _REPORT)
    made = SortedRows(scratch)
    for one, of_one in groupby(joined, key=lambda each: str(each.key[0])):
        row = _conversation(one, of_one, names)
        if row is not None:
            made.add((row["customer_id"] or "", _IS_CONVERSATION, 0, one), row)
    _add_customers(folder, made)
    ordered = SortedRows(scratch)
    for row in _with_customers(made):
        ordered.add((-1 if row["opened_at"] is None else row["opened_at"], row["conversation_id"]), row)
    for key, row, size in ordered:
        text = text_of(row, {each["at"]: _minute_text(each["at"]) for each in row["messages"]})
        yield SortedRow(key, row | {"text": text}, size + len(text))


def _add_items(folder: Catalogue, joined: SortedRows, scratch: Path) -> None:
    """Add the items of conversations, each once: as the newest job or request has it."""
    copies = SortedRows(scratch)
    for rank, name in enumerate(ITEM_SETS):
        for number, row in enumerate(plain_rows(folder, name, ITEM_FIELDS)):
            # A row without an id is told apart by its place: it is never the copy of another.
            item_id = f"={row['id']}" if row["id"] is not None else f"{name}:{number:012}"
            copies.add((item_id, row[AGE], rank, number), row)
    for number, row in enumerate(_last_of_each(copies)):
        if row["conversationId"] is not None:
            joined.add((row["conversationId"], _ITEM, row["timestamp"] or 0, f"{number:012}"), row)


def _last_of_each(rows: Iterable[SortedRow]) -> Iterator[dict[str, Any]]:
    for _, copies in groupby(rows, key=lambda each: each.key[0]):
        *_, newest = copies
        yield newest.row


def _add_newest(folder: Catalogue, joined: SortedRows, name: str, fields: tuple[str, ...], kind: int) -> None:
    """Add all rows of a data set of conversations; which of several is the newest, its key tells."""
    for number, row in enumerate(plain_rows(folder, name, fields)):
        one = row[fields[0]]
        if one is not None:
            joined.add((one, kind, row[AGE], f"{number:012}"), row)


def _conversation(one: str, of_one: Iterable[SortedRow], names: DirectoryNames) -> dict[str, Any] | None:
    newest: dict[int, dict[str, Any]] = {}
    items: list[dict[str, Any]] = []
    for key, row, _ in of_one:
        if key[1] == _ITEM:
            items.append(row)
        else:
            newest[int(key[1])] = row
    live, report = newest.get(_LIVE), newest.get(_REPORT)
    if report is not None and report["_gone_since"] is not None:
        report = None
    if live is None and report is None and not items:
        return None
    return conversation_of(one, live, report, items, names)


# --- The names of customers, who are too many to be held in memory ---

_IS_NAME, _IS_CONVERSATION = 0, 1
_CUSTOMER_SETS = (("customers", ("id", "name")), ("profiles", ("id", "name", "_asked_id")))


def _add_customers(folder: Catalogue, made: SortedRows) -> None:
    """Add the names of customers, each before the conversations of the customer, and the best one last."""
    for rank, (name, columns) in enumerate(_CUSTOMER_SETS, start=1):
        for row in plain_rows(folder, name, columns):
            # The id that was asked for may be that of a customer who was merged into this one since.
            for one, better in ((row.get("_asked_id"), 0), (row["id"], rank)):
                if one is not None and row["name"] is not None:
                    made.add((one, _IS_NAME, better, f"{row[AGE]:020}"), {"name": row["name"]})


def _with_customers(made: Iterable[SortedRow]) -> Iterator[dict[str, Any]]:
    for _, of_one in groupby(made, key=lambda each: each.key[0]):
        name: str | None = None
        for key, row, _ in of_one:
            if key[1] == _IS_NAME:
                name = row["name"]
            else:
                yield with_customer(row, name)


def _minute_text(at: int | None) -> str:
    return "at an unknown time" if at is None else f"{moment_of_micros(at):%Y-%m-%d %H:%M} UTC"
