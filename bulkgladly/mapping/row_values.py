"""What a mapping works on: values that may be missing, and rows that it cannot convert. Pure."""

import enum
from collections.abc import Mapping
from typing import Any, Final

__all__ = ("MISSING", "Fields", "Unmappable", "is_empty", "text_of")

Fields = Mapping[str, Any]


class _Missing(enum.Enum):
    MISSING = "missing"


MISSING: Final = _Missing.MISSING
"""A column that a row does not have. A null is a value of its own: it may clear a field."""


class Unmappable(Exception):
    """A row, or one record of it, cannot be made. `detail` names no value of the row.

    `attr` is the field of Gladly that it was to fill. `is_skip` says that the mapping's own
    rule left it out.
    """

    def __init__(self, detail: str, attr: str | None = None, *, code: str = "mapping", is_skip: bool = False) -> None:
        super().__init__(detail)
        self.detail, self.attr, self.code, self.is_skip = detail, attr, code, is_skip


def is_empty(value: Any) -> bool:
    """Tell whether there is nothing: missing, null, an empty text, list or object."""
    return value is None or value is MISSING or (not value and isinstance(value, str | list | dict))


def text_of(value: Any) -> str:
    """Return a value as text.

    Raises:
        Unmappable: It is an object or a list.
    """
    if type(value) is str:
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    raise Unmappable("holds an object or a list where a text is needed; name a part of it with path")
