"""Comparing what Gladly holds with what a row says, without what Gladly adds by itself. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

from bulkgladly.times import time_of

__all__ = ("lacking", "same_moment", "same_set", "same_value")


def lacking(held: Mapping[str, Any], payload: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return those of the named fields that a payload gives and a held object has otherwise.

    Absent, null and empty are one [gladly-api, schemas, conventions]; times are compared as
    moments, lists as sets, and of an object only the parts that the payload names.
    """
    return {name: payload[name] for name in names if name in payload and not same_value(held.get(name), payload[name])}


def same_value(held: Any, wanted: Any) -> bool:
    """Tell whether a held value is what a row asks for."""
    if _is_nothing(held) and _is_nothing(wanted):
        return True
    if isinstance(held, Mapping) and isinstance(wanted, Mapping):
        return all(same_value(held.get(name), value) for name, value in wanted.items())
    if isinstance(held, list) and isinstance(wanted, list):
        return same_set(held, wanted)
    return bool(held == wanted) or same_moment(held, wanted) or _same_text(held, wanted)


def same_set(held: list[Any], wanted: list[Any]) -> bool:
    """Tell whether two lists hold the same values, in whatever order."""
    return len(held) == len(wanted) and all(any(same_value(one, other) for one in held) for other in wanted)


def same_moment(held: Any, wanted: Any) -> bool:
    """Tell whether two texts name one moment, to the millisecond."""
    first, second = time_of(held), time_of(wanted)
    return first is not None and second is not None and abs((first - second).total_seconds()) < 0.001


def _same_text(held: Any, wanted: Any) -> bool:
    return isinstance(held, str) and isinstance(wanted, str) and held.strip() == wanted.strip()


def _is_nothing(value: Any) -> bool:
    return value is None or value in ("", [], {}, False)
