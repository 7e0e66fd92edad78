"""The quick look whether a profile holds what a row asks for: in a repeated import nearly all do. Pure."""

from collections.abc import Mapping
from typing import Any

from bulkgladly.gladly.contacts import is_same_entry

__all__ = ("holds_plainly",)


def holds_plainly(profile: Mapping[str, Any], payload: Mapping[str, Any]) -> bool:
    """Tell whether a profile certainly holds all of a payload; False only means: look closely.

    It says so in less than half of the time of `customer_rows.changes_to`.
    """
    for name, wanted in payload.items():
        held: Any = profile.get(name)
        if type(wanted) is list:
            # Of several entries two may be one address in two spellings.
            is_one = type(held) is list and len(held) == len(wanted) == 1 and type(held[0]) is dict
            if not (is_one and is_same_entry(held[0], wanted[0])):
                return False
        elif held != wanted and not (type(held) is dict and type(wanted) is dict and wanted.items() <= held.items()):
            return False
    return True
