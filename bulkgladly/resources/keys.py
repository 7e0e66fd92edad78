"""Which source key a row gives itself. Pure."""

from collections.abc import Mapping
from typing import Any

from bulkgladly.records import Problem, Row

__all__ = ("key_in",)


def key_in(row: Row, column: str) -> str | Problem:
    """Return what the key column holds, or why that is no key.

    A key may also be a custom attribute (`customAttribute:crm_id`), in a row of either form.
    """
    value = _cell(row.fields or {}, column)
    if value is not None and (isinstance(value, bool) or not isinstance(value, str | int)):
        return Problem("key_type", f"the key column {column} must hold a text or a whole number", column)
    if value is None or value == "":
        return Problem("key_missing", f"the key column {column} is empty; every row needs its own key", column)
    return str(value)


def _cell(fields: Mapping[str, Any], column: str) -> Any:
    if column in fields:
        return fields[column]
    prefix, _, name = column.partition(":")
    if prefix == "customAttribute":
        attributes = fields.get("customAttributes")
        return attributes.get(name) if isinstance(attributes, dict) else None
    return None
