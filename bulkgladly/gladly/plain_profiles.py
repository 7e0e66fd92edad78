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
        elif type(wanted) is dict:
            if type(held) is not dict or not wanted.items() <= held.items():
                return False
            # Within a list or an object a flag may stand where there is a number.
            if any(type(one) is not str and held[key] is not one for key, one in wanted.items()):
                return False
        elif held != wanted:
            return False
    return True
