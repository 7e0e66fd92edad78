"""Which source key a row gives itself. Pure."""

from collections.abc import Mapping
from typing import Any

from bulkgladly.gladly.identity import derive_id
from bulkgladly.gladly.spec import Policy
from bulkgladly.records import Problem, Row
from bulkgladly.source_keys import NotAKey, SourceKey, is_plain, read_key

__all__ = ("former_id", "key_in")


def key_in(row: Row, column: str) -> SourceKey | Problem:
    """Return the source key in the key column, or why that is no key.

    A key may also be a custom attribute (`customAttribute:crm_id`), in a row of either form.
    """
    value = row.fields.get(column) if row.fields else None
    if type(value) is str and row.former_key is None and is_plain(value):
        return SourceKey(value)
    try:
        key = read_key(_cell(row.fields or {}, column))
    except NotAKey as error:
        if error.code == "key_type":
            detail = f"the key column {column} must hold a text or a whole number"
        else:
            detail = f"the key column {column} is empty; every row needs its own key"
        return Problem(error.code, detail, column)
    if row.former_key is not None:
        return key._replace(former=row.former_key, is_odd=True)
    return key


def former_id(policy: Policy, resource: str, former_key: str | None, own_id: str | None) -> str | None:
    """Return the id that earlier versions derived from a key's former spelling; None where there is none."""
    if former_key is None or own_id is not None:
        return None
    return derive_id(policy.host, resource, policy.namespace, former_key)


def _cell(fields: Mapping[str, Any], column: str) -> Any:
    if column in fields:
        return fields[column]
    prefix, _, name = column.partition(":")
    if prefix == "customAttribute":
        attributes = fields.get("customAttributes")
        return attributes.get(name) if isinstance(attributes, dict) else None
    return None
