"""Lists as Gladly gives them: sorted, cut at a fixed length, with a header that says so."""

from collections.abc import Callable, Iterable
from typing import Any

from bulkgladly.emulator.organisation.export_jobs import moment_of
from bulkgladly.emulator.organisation.store import Entity
from bulkgladly.emulator.protocol.caps import CAPS, LIMITED_DATA
from bulkgladly.emulator.protocol.replies import Reply, json_reply
from bulkgladly.emulator.protocol.routing import Call

__all__ = ("capped_list",)


def capped_list(
    call: Call,
    operation_id: str,
    entities: Iterable[Entity],
    *,
    by: str,
    newest_first: bool = False,
    shown: Callable[[Entity], Any] | None = None,
) -> Reply:
    """The objects in the order of the moments in their field `by`, no more than the operation's cap.

    Objects of the same moment keep the order in which they came, newest first the opposite one.
    """
    # Moments are compared as such: their texts have different numbers of digits.
    oldest_first = sorted(entities, key=lambda entity: moment_of(entity[by]))
    cap = call.options.caps.get(operation_id, CAPS[operation_id])
    is_cut = len(oldest_first) > cap
    if is_cut:
        oldest_first = oldest_first[:cap] if call.options.capped_end == "newest" else oldest_first[-cap:]
    ordered = oldest_first[::-1] if newest_first else oldest_first
    reply = json_reply(ordered if shown is None else [shown(entity) for entity in ordered])
    if is_cut or call.options.limited_data == "value":
        return reply._replace(headers={LIMITED_DATA: "true" if is_cut else "false"})
    return reply
