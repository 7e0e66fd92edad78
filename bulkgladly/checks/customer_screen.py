"""The screen for customers: clears rows of the common shapes, flat and nested, without making records of them."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from bulkgladly.checks.claims import Traits
from bulkgladly.files.layouts import EntryColumns, FlatLayout
from bulkgladly.gladly.contacts import PHONE_TYPES, SMS_PREFERENCES, is_plain_email, is_plain_number
from bulkgladly.gladly.identity import digest64, key_in
from bulkgladly.gladly.spec import Policy
from bulkgladly.records import Problem, Row
from bulkgladly.source_keys import is_plain

__all__ = ("CustomerScreen",)

_ID = re.compile("[A-Za-z0-9_-]{1,49}").fullmatch
_TYPES = frozenset({None, "", *PHONE_TYPES, *map(str.lower, PHONE_TYPES)})
_PREFERENCES = frozenset({None, "", *SMS_PREFERENCES, *map(str.lower, SMS_PREFERENCES)})
_FALSE_CELLS = frozenset({None, "", "false", "no"})
_PRIMARY_CELLS = _FALSE_CELLS | {"true", "yes"}
_NO_PARTS: Mapping[str, Any] = {}
_MOBILE = frozenset({"MOBILE", "mobile"})


# An exception, because nearly all rows are clear: the functions in between need not pass a verdict up.
class _Unclear(Exception):
    """The row needs a closer look."""


class CustomerScreen:
    """Clears customers whose addresses are certainly sent unchanged."""

    def __init__(self, policy: Policy) -> None:
        self._key = policy.key

    def look(self, layout: FlatLayout, rows: Sequence[Row]) -> list[Traits | None]:
        """Return the traits of each row that is certainly fine, and None for the others. All have one layout."""
        if not _is_usual(layout):
            return [None] * len(rows)
        found: list[Traits | None] = []
        for row in rows:
            try:
                found.append(Traits(tuple(self._marks(layout, row))))
            except (
                _Unclear,
                TypeError,
                KeyError,
            ):  # TypeError: a list or object where a word should be cannot be looked up in a set
                found.append(None)
        return found

    def _marks(self, layout: FlatLayout, row: Row) -> list[int]:
        fields: Mapping[str, Any] = row.fields or {}
        for name in layout.scalars:
            if type(value := fields[name]) is not str and value is not None:
                raise _Unclear
        if layout.open_map is not None and type(value := fields[layout.open_map]) is not dict and value is not None:
            raise _Unclear
        contacts = _contacts(layout, fields)
        marks = [digest64("email", address.lower()) for address in contacts.emails]
        marks += [digest64("phone", number) for number in contacts.mobiles]
        own_id = fields["id"] if "id" in layout.scalars else None
        if own_id and not _ID(own_id):
            raise _Unclear
        if self._key is not None:
            marks.append(digest64("key", _key_in(row, self._key)))
            # Two rows with different keys may still claim one id.
            if own_id:
                marks.append(digest64("id", own_id))
        elif own_id:
            marks.append(digest64("key", own_id))
        elif not contacts.emails:
            marks.append(_stand_in(layout, fields, contacts.phones))
        return marks


def _key_in(row: Row, column: str) -> str:
    key = row.fields.get(column) if row.fields else None
    if type(key) is str and row.former_key is None and is_plain(key):
        return key
    found = key_in(row, column)
    if isinstance(found, Problem) or found.is_odd:
        raise _Unclear
    return found.text


def _is_usual(layout: FlatLayout) -> bool:
    """Return whether no value can be given twice in a layout."""
    lists = [spec.field for spec in layout.nested_lists] + [spec.field for spec, _ in layout.flat_lists]
    return layout.problem is None and len(set(lists)) == len(lists) and not (layout.open_map and layout.attributes)


def _stand_in(layout: FlatLayout, fields: Mapping[str, Any], phones: Sequence[str]) -> int:
    """Return the mark that stands in for a hash of the content, the same as `customer_mark` makes."""
    if phones:
        return digest64("content", phones[0])
    external = fields.get("externalCustomerId") if "externalCustomerId" in layout.scalars else None
    if not external:
        raise _Unclear  # the customer has no identifier, which is for the judge to report
    return digest64("content", external)


class _Contacts:
    """The addresses and numbers of a row, and its mobile numbers. A number may occur twice."""

    __slots__ = ("emails", "mobiles", "phones")

    def __init__(self) -> None:
        self.emails: list[str] = []
        self.phones: list[str] = []
        self.mobiles: list[str] = []

    def take(self, field: str, value: Any, parts: Mapping[str, Any]) -> None:
        if type(value) is not str:
            raise _Unclear
        if field == "emails":
            if not is_plain_email(value):
                raise _Unclear
            self.emails.append(value)
            return
        kind = parts.get("type")
        if not is_plain_number(value) or kind not in _TYPES or parts.get("smsPreference") not in _PREFERENCES:
            raise _Unclear
        self.phones.append(value)
        if kind in _MOBILE:
            self.mobiles.append(value)


def _contacts(layout: FlatLayout, fields: Mapping[str, Any]) -> _Contacts:
    found = _Contacts()
    for spec in layout.nested_lists:
        items = fields[spec.field]
        if items is not None:
            _take_items(found, spec.field, items)
    for spec, columns in layout.flat_lists:
        primaries = 0
        for columns_of_item in columns:
            entry = _flat_entry(fields, columns_of_item)
            if entry is not None:
                value, parts = entry
                primaries += parts.get("primary") not in _FALSE_CELLS
                found.take(spec.field, value, parts)
        if primaries > 1:
            raise _Unclear
    return found


def _take_items(found: _Contacts, field: str, items: Any) -> None:
    if type(items) is not list:
        raise _Unclear
    primaries = 0
    for item in items:
        if type(item) is not dict:
            raise _Unclear
        primary = item.get("primary")
        if primary is not None:
            if type(primary) is not bool:
                raise _Unclear
            primaries += primary
        found.take(field, item["original"], item)
    if primaries > 1:
        raise _Unclear


def _flat_entry(fields: Mapping[str, Any], item: EntryColumns) -> tuple[Any, Mapping[str, Any]] | None:
    value = fields[item.value] if item.value is not None else None
    if not item.parts and type(value) is str:
        return (value, _NO_PARTS) if value else None
    parts = {part: fields[column] for column, part, _ in item.parts}
    for cell in parts.values():
        if type(cell) is not str and cell is not None:
            raise _Unclear
    if value is None or value == "":
        if any(parts.values()):  # a type without a number, which the judge words better
            raise _Unclear
        return None
    if parts.get("primary") not in _PRIMARY_CELLS:
        raise _Unclear
    return value, parts
