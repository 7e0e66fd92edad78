"""The feed of events, read again and again into the inbox: all of it if there are no webhooks, else what they missed.

Facts: gladly-api, events. An event appears up to 15 s late, and the feed goes back 24 hours.
"""

import datetime as dt
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from bulkgladly.api.client import Client
from bulkgladly.api.downloads import BrokeOff
from bulkgladly.errors import BodyTooLong
from bulkgladly.exports.event_windows import MARGIN, OVERLAP, SETTLING, STEP_IN, refused_entities
from bulkgladly.exports.export_context import period_text, why
from bulkgladly.exports.first_lines import BelievedBlocks
from bulkgladly.gladly.objects.events import EVENTS_WINDOW, events_request
from bulkgladly.inbox.arrivals import Arrival, Receipt, Via, arrival_of
from bulkgladly.inbox.event_inbox import Inbox
from bulkgladly.lines import LineCutter, Stretch
from bulkgladly.messages import Reply
from bulkgladly.realtime.server_clock import ServerClock

__all__ = ("COVERED_ENTITIES", "COVERED_FROM", "COVERED_UNTIL", "EventFeed", "FeedWindow", "Filled", "window_of")

COVERED_FROM, COVERED_UNTIL, COVERED_ENTITIES = "covered_from", "covered_until", "covered_entities"
"""Facts of the inbox: from when to when it has all events of the feed, and of which entities."""

_AT_ONCE = 500
_BLOCK_BYTES = 1 << 18
_TRIES = 3
_LONGEST_LINE = 1_000_000

Span = tuple[dt.datetime, dt.datetime]


class FeedWindow(NamedTuple):
    """From when on to request, the time before it that is lost, and from when on all is covered afterwards."""

    begin: dt.datetime
    gap: Span | None
    covered_from: dt.datetime


@dataclass(slots=True)
class Filled:
    """What one reading of the feed brought."""

    receipt: Receipt = field(default_factory=Receipt)
    gap: Span | None = None
    problem: str = ""
    """Why it brought nothing; empty if it is complete."""

    def add(self, receipt: Receipt) -> None:
        """Add what became of some events."""
        self.receipt = Receipt(*(sum(pair) for pair in zip(self.receipt, receipt, strict=True)))


def window_of(
    covered: Span | None, now: dt.datetime, *, newest: dt.datetime | None, since: dt.datetime | None
) -> FeedWindow:
    """Choose from when on to request: shortly before what is covered ends, at most 24 hours back.

    `now` is the server's time, `newest` the newest event that is known. `since` counts only if nothing is covered.
    """
    edge = now - EVENTS_WINDOW + MARGIN
    if covered is None:
        begin = max(edge, since) if since is not None else edge
        return FeedWindow(begin, None, begin)
    first, end = covered
    if end > now:
        # A clock that was ahead wrote this: only the events tell how far was read.
        end = min(end, newest) if newest is not None and newest < now else edge
    if end < edge:
        return FeedWindow(edge, (end, edge), edge)
    return FeedWindow(max(edge, end - OVERLAP), None, first)


class EventFeed:
    """Reads the feed into the inbox. `note` tells people, `clock` is the server's.

    What was read survives a kill at any moment: events are stored as they arrive, and what is covered is noted in one
    step with the last of them.
    """

    def __init__(
        self,
        client: Client,
        inbox: Inbox,
        entities: Sequence[str],
        clock: ServerClock,
        *,
        since: dt.datetime | None = None,
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._client, self._inbox, self._clock, self._since, self._note = client, inbox, clock, since, note
        self.entities = list(entities)
        self._steps_in = dt.timedelta()
        self.read_until: dt.datetime | None = None
        """Up to when this session has read all events, by the server's clock."""

    async def fill(self) -> Filled:
        """Read all that is new into the inbox, once. A feed that cannot be read now is a `problem` of the result.

        Raises:
            NotAuthenticated, NotPermitted, WrongOrganisation, NotTrusted, Outage, Withdrawn: As the client.
            DiskFull, JournalError: The inbox cannot be written; what came before is in it.
        """
        filled = Filled()
        window = window_of(
            self._covered(), self._clock.now(), newest=self._inbox.reader.newest_time(), since=self._since
        )
        if self._steps_in:
            window = window._replace(begin=max(window.begin, self._clock.now() - EVENTS_WINDOW + self._steps_in))
        try:
            while (refused := await self._read(window, filled)) is not None:
                narrowed = await self._give_way(window, refused)
                if narrowed is None:
                    filled.problem = why(refused)
                    return filled
                window = narrowed
        except (BodyTooLong, BrokeOff) as error:
            filled.problem = str(error)
            return filled
        if window.gap is not None:
            filled.gap = window.gap
            self._note(f"events from {period_text(*window.gap)} are lost: Gladly returns only the last 24 hours")
        return filled

    def _covered(self) -> Span | None:
        """Return what is covered for all the entities that are wanted now."""
        reader = self._inbox.reader
        begins, ends = reader.fact(COVERED_FROM), reader.fact(COVERED_UNTIL)
        known = (reader.fact(COVERED_ENTITIES) or "").split(",")
        if begins is None or ends is None or not set(self.entities) <= set(known):
            return None
        return dt.datetime.fromisoformat(begins), dt.datetime.fromisoformat(ends)

    # --- one reading ---

    async def _read(self, window: FeedWindow, filled: Filled) -> Reply | None:
        """Store the events of a window; return the reply if Gladly refused it. A body that broke off is read again."""
        cut_at: Counter[int] = Counter()

        async def once(_: int) -> Reply | None:
            # Asked before the request leaves: what is visible then is what counts as covered.
            until, read_until = self._clock.certain() - SETTLING, self._clock.now() - SETTLING
            request = events_request(window.begin, None, self.entities)
            async with self._client.stream(request) as download:
                self._clock.heard(download.headers)
                if not download.is_success:
                    return await download.reply()
                blocks = BelievedBlocks(download, _BLOCK_BYTES, key=("id",), cut_at=cut_at, tries=_TRIES)
                await self._store(blocks, window.gap, self._facts(window, until), filled)
                self.read_until = read_until
            return None

        return await self._client.repeated(once, tries=_TRIES)

    async def _store(
        self, blocks: AsyncIterator[bytes], gap: Span | None, facts: dict[str, str], filled: Filled
    ) -> None:
        arrived: list[Arrival] = []
        async for line in _lines(blocks):
            arrived.append(arrival_of(line, Via.FEED, dt.datetime.now(dt.UTC)))
            if len(arrived) >= _AT_ONCE:
                filled.add(await self._inbox.put(arrived))
                arrived = []
        # The gap in one step with what is covered now: killed in between, nobody would ever know of it.
        filled.add(await self._inbox.put(arrived, facts=facts, gap=gap))

    def _facts(self, window: FeedWindow, until: dt.datetime) -> dict[str, str]:
        if until <= window.begin:
            return {}
        before = self._covered()
        if before is not None and window.gap is None and before[1] <= self._clock.now():
            until = max(until, before[1])  # a clock that was set back must not uncover anything
        return {
            COVERED_FROM: window.covered_from.isoformat(),
            COVERED_UNTIL: until.isoformat(),
            COVERED_ENTITIES: ",".join(self.entities),
        }

    # --- when Gladly refuses ---

    async def _give_way(self, window: FeedWindow, reply: Reply) -> FeedWindow | None:
        """Return the window to request instead, if it can be found out what Gladly refused."""
        if not reply.is_refused:
            return None
        later = self._clock.now() - EVENTS_WINDOW + MARGIN + STEP_IN
        if any(problem.attr == "startAt" for problem in reply.problems) and window.begin < later and not self._steps_in:
            self._steps_in = MARGIN + STEP_IN
            self._note(f"events: Gladly refuses {window.begin:%H:%M:%S} UTC as too early; its clock differs from ours")
            gap = window.gap and (window.gap[0], later)
            return FeedWindow(later, gap, later if gap or window.covered_from < later else window.covered_from)
        refused = await refused_entities(self._client, reply.problems, self.entities, self._clock.certain())
        if not refused or len(refused) == len(self.entities):
            return None
        self.entities = [name for name in self.entities if name not in refused]
        self._note(f"events: Gladly refuses {', '.join(refused)}; the other entities are read without them")
        return window


async def _lines(blocks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the lines of a body, without empty ones; of a line that is too long only the beginning."""
    cutter = LineCutter(_LONGEST_LINE)

    def cut(found: Iterable[Stretch]) -> Iterator[bytes]:
        for stretch in found:
            yield from (line for line in stretch.data.split(b"\n") if line.strip())

    async for block in blocks:
        cutter.take(block)
        for line in cut(cutter.whole_lines()):
            yield line
    for line in cut(cutter.last_line()):
        yield line
