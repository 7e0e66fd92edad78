"""Fingerprints of fields: what is remembered of a value instead of the value itself. Pure."""

from collections.abc import Mapping
from typing import Any

from bulkgladly.gladly.identity import fingerprint
from bulkgladly.gladly.owners import Owners, claimed
from bulkgladly.times import time_of, to_milliseconds

__all__ = ("claims_less", "fingerprints_of", "held_fingerprints", "is_accepted", "refreshed", "value_of")

_LENGTH = 16


def fingerprints_of(payload: Mapping[str, Any], owners: Owners) -> dict[str, str]:
    """Return a fingerprint for each field of a payload, with a mark if its owner is not the usual one.

    What Gladly owns has none: no difference there ever asks for a request.
    """
    if not owners:
        return {name: fingerprint(value) for name, value in payload.items()}
    found: dict[str, str] = {}
    for name, value in payload.items():
        if (mine := claimed(owners, name, value)) is not None:
            found[name] = fingerprint(mine[0]) + mine[1]
    return found


def refreshed(prints: Mapping[str, str], payload: Mapping[str, Any]) -> dict[str, str]:
    """Return the fingerprints of the same fields after their values have changed."""
    return {name: fingerprint(payload[name]) + print_[_LENGTH:] for name, print_ in prints.items() if name in payload}


def is_accepted(accepted: str | None, print_: str) -> bool:
    """Tell whether what Gladly last accepted of a field covers a row's value."""
    if accepted is None or accepted == print_ or accepted[:_LENGTH] != print_[:_LENGTH]:
        return accepted == print_
    mark, before = print_[_LENGTH:], accepted[_LENGTH:]
    # Gladly has held exactly this value, or at least all of it, and less is asked now.
    return before == "=source" or (before == "" and mark.startswith("/"))


def claims_less(print_: str) -> bool:
    """Tell whether only a look into Gladly shows what to write of a field: its owner is not the usual one."""
    return len(print_) > _LENGTH


def value_of(print_: str) -> str:
    """Return the part of a fingerprint that is about the value, without the mark of its owner."""
    return print_[:_LENGTH]


def held_fingerprints(held: Any) -> set[str]:
    """Return the fingerprints of a held value in the forms in which a row may have had it."""
    moment = time_of(held) if isinstance(held, str) else None
    forms = [held, *([held.strip()] if isinstance(held, str) else [])]
    found = {fingerprint(one) for one in forms}
    if moment is not None:
        found.add(fingerprint(to_milliseconds(moment)))
    return found if held not in (None, "") else {*found, fingerprint(None), fingerprint("")}
