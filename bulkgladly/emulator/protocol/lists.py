"""Lists, cut at the length at which Gladly cuts them, and the query parameters of the operations that list."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from bulkgladly.emulator.options import LIST_CAPS
from bulkgladly.emulator.organisation.clock import moment_of
from bulkgladly.emulator.organisation.store import Entity
from bulkgladly.emulator.protocol.replies import Refusal, Reply, json_reply, problem, refuse
from bulkgladly.emulator.protocol.routing import Call

__all__ = ("LIMITED_DATA", "capped_list", "invalid", "single", "single_moment")


LIMITED_DATA = "Gladly-Limited-Data"
"""The header that says whether a list was cut."""


def capped_list(
    call: Call,
    operation_id: str,
    entities: Iterable[Entity],
    *,
    by: str,
    newest_first: bool = False,
    shown: Callable[[Entity], Any] | None = None,
) -> Reply:
    """Return the objects sorted by the time in their field `by`, at most as many as the operation's cap allows.

    Objects of the same time keep their order; with `newest_first` it is reversed.
    """
    # Times are compared, not their texts, which have different numbers of digits.
    oldest_first = sorted(entities, key=lambda entity: moment_of(entity[by]))
    cap = call.options.caps.get(operation_id, LIST_CAPS[operation_id])
    is_cut = len(oldest_first) > cap
    if is_cut:
        oldest_first = oldest_first[:cap] if call.options.capped_end == "newest" else oldest_first[-cap:]
    ordered = oldest_first[::-1] if newest_first else oldest_first
    reply = json_reply(ordered if shown is None else [shown(entity) for entity in ordered])
    if is_cut or call.options.limited_data == "value":
        return reply._replace(headers={LIMITED_DATA: "true" if is_cut else "false"})
    return reply


def single(call: Call, name: str) -> str | None:
    """Return the value of a query parameter, or None.

    Raises:
        Refusal: 400, because the parameter is given more than once.
    """
    values = call.query.get(name, [])
    if len(values) > 1:
        raise invalid(name, f"{name} is given more than once")
    return values[0] if values else None


def single_moment(call: Call, name: str) -> datetime | None:
    """Return the time in a query parameter, or None.

    Raises:
        Refusal: 400, because the parameter is given more than once or is not a valid time.
    """
    value = single(call, name)
    try:
        return None if value is None else moment_of(value)
    except ValueError as exc:
        raise invalid(name, f"{name} is not a valid ISO 8601 time") from exc


def invalid(name: str, detail: str) -> Refusal:
    """Return a 400 for a query parameter with a wrong value."""
    return refuse(400, problem("invalid", detail, attr=name))
