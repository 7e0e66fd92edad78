"""Passing events of the inbox on again, whatever its cursors say: `inbox replay`."""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

from bulkgladly.errors import TransportError
from bulkgladly.gladly.event_envelopes import PING
from bulkgladly.inbox.stored_events import InboxReader
from bulkgladly.mapping.row_values import Unmappable, compile_path, is_empty
from bulkgladly.mapping.tables import Table
from bulkgladly.runs.environment import USUAL, Environment
from bulkgladly.sinks.outgoing import Outgoing, outgoing_of, passed_on
from bulkgladly.sinks.sink_schedule import retry_wait_s
from bulkgladly.sinks.sinks import MOST_AT_ONCE, Fate, Note, Sink, SinkReply
from bulkgladly.times import to_milliseconds

__all__ = ("Replayed", "event_filter", "replay")

EventFilter = Callable[[Mapping[str, Any]], bool]
_LONG_AGO = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
_MOST_FAILURES = 5


class Replayed(NamedTuple):
    """How many events were passed on, were refused by the receiver, and did not match."""

    passed: int = 0
    refused: int = 0
    left_out: int = 0


def event_filter(text: str | None, command: str = "inbox replay", flag: str = "--where") -> EventFilter:
    """Return the test that a JMESPath makes: an event passes if the result is neither null, false nor empty.

    An event to which the path cannot be applied does not pass. `command` and `flag` are named in errors.

    Raises:
        UsageError: It is not a valid JMESPath.
    """
    if text is None:
        return lambda _: True
    reference = compile_path(text, Table(command, "", {}), flag)

    def passes(event: Mapping[str, Any]) -> bool:
        try:
            found = reference.read(event)
        except Unmappable:
            return False
        return found is not False and not is_empty(found)

    return passes


async def replay(
    reader: InboxReader,
    sink: Sink,
    *,
    since: dt.datetime | None = None,
    where: EventFilter | None = None,
    note: Note = lambda _: None,
    environment: Environment = USUAL,
) -> Replayed:
    """Pass on the events that Gladly recorded at `since` or later, in order of arrival; None for all that are kept.

    No cursor moves. A batch that fails is tried again a few times, and then ends the replay.

    Raises:
        TransportError: The sink takes no more; the message has the time from which to go on.
        SinkEnded: The reader of the standard output has left.
        JournalDamaged, JournalError: The inbox cannot be read.
    """
    passes = where or event_filter(None)
    counts = Replayed()
    left_out = 0

    def wanted() -> Iterator[tuple[dt.datetime, Outgoing]]:
        nonlocal left_out
        for stored in reader.since(since or _LONG_AGO):
            if stored.why or stored.type == PING:
                continue
            event = passed_on(stored)
            if passes(event):
                yield stored.time, outgoing_of(event)
            else:
                left_out += 1

    events = wanted()
    while batch := list(islice(events, MOST_AT_ONCE)):
        passed, refused, trouble = await _insist(sink, [one for _, one in batch], note, environment)
        counts = Replayed(counts.passed + passed, counts.refused + refused)
        if trouble:
            begin = to_milliseconds(min(time for time, _ in batch))
            raise TransportError(
                f"{sink.label}: {trouble}; {counts.passed:,} events were passed on. "
                f"Continue later with --since {begin}, which may repeat some"
            )
    return counts._replace(left_out=left_out)


async def _insist(sink: Sink, batch: list[Outgoing], note: Note, environment: Environment) -> tuple[int, int, str]:
    """Pass on a batch, and what failed of it again; return how many were taken and refused, and what stopped it."""
    taken = refused = 0
    failed: list[SinkReply] = []
    for failures in range(1, _MOST_FAILURES + 1):
        replies = await sink.deliver(batch)
        for event, reply in zip(batch, replies, strict=True):
            if reply.fate is Fate.REFUSED:
                note(f"{sink.label}: event {event.id} not taken: {reply.reason}")
                refused += 1
            taken += reply.fate is Fate.TAKEN
        failed = [reply for reply in replies if reply.fate is Fate.FAILED]
        batch = [event for event, reply in zip(batch, replies, strict=True) if _is_left(reply)]
        if not batch:
            return taken, refused, ""
        if failures < _MOST_FAILURES:
            asked_s = max((reply.retry_after_s or 0.0 for reply in failed), default=0.0)
            await environment.sleep(retry_wait_s(failures, environment.random, asked_s))
    return taken, refused, failed[0].reason if failed else "not tried"


def _is_left(reply: SinkReply) -> bool:
    return reply.fate in (Fate.FAILED, Fate.UNTRIED)
