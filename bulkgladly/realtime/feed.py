"""The feed of events, read again and again into the inbox: all of it if there are no webhooks, else what they missed.

Facts: gladly-api, events. An event appears up to 15 s late, and the feed goes back 24 hours.
"""

import datetime as dt
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import orjson

from bulkgladly.api.client import Client
from bulkgladly.api.downloads import BrokeOff
from bulkgladly.errors import BodyTooLong
from bulkgladly.exports.event_windows import MARGIN, OVERLAP, SETTLING, STEP_IN, refused_entities
from bulkgladly.exports.export_context import period_text, why
from bulkgladly.exports.first_lines import BelievedBlocks
from bulkgladly.gladly.objects.events import EVENTS_WINDOW, events_request
from bulkgladly.inbox.arrivals import Arrival, Receipt, Via, arrival_of, strange_arrival
from bulkgladly.inbox.event_inbox import Inbox
from bulkgladly.lines import BOM, LineCutter, Stretch
from bulkgladly.messages import Reply
from bulkgladly.realtime.server_clock import ServerClock

__all__ = ("COVERED_ENTITIES", "COVERED_FROM", "COVERED_UNTIL", "EventFeed", "FeedWindow", "Filled", "window_of")

COVERED_FROM, COVERED_UNTIL, COVERED_ENTITIES = "covered_from", "covered_until", "covered_entities"
"""Facts of the inbox: from when to when it has all events of the feed, and of which entities."""
COVERED_EACH = "covered_each"
"""Until when it was read for each entity, also for those that this session does not want. JSON."""

_AT_ONCE = 500
_BLOCK_BYTES = 1 << 18
_TRIES = 3
_LONGEST_LINE = 1_000_000

NO_TIME = dt.timedelta()
_PROBE_AGAIN = dt.timedelta(hours=1)
_PROBE = dt.timedelta(seconds=1)
_MOST_STEPS = 8

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
    covered: Span | None,
    now: dt.datetime,
    *,
    newest: dt.datetime | None,
    since: dt.datetime | None,
    lapsed: dt.datetime | None = None,
    step: dt.timedelta = NO_TIME,
) -> FeedWindow:
    """Choose from when on to request: shortly before what is covered ends, at most 24 hours back, less a `step`.

    `now` is the server's time, `newest` the newest event that is known. `since` counts only if nothing was ever
    covered. If not all that is wanted now is covered, `lapsed` is when the first of these was read last.
    """
    edge = now - EVENTS_WINDOW + MARGIN + step
    if covered is None and lapsed is not None:
        return FeedWindow(edge, (lapsed, edge) if lapsed < edge else None, edge)
    if covered is None:
        # One in the future would be refused again and again until then.
        begin = max(edge, min(since, now - OVERLAP)) if since is not None else edge
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
        self._probe_after = dt.datetime.min.replace(tzinfo=dt.UTC)
        self._has_told_early = False
        self.read_until: dt.datetime | None = None
        """Up to when this session has read all events, by the server's clock."""

    async def fill(self) -> Filled:
        """Read all that is new into the inbox, once. A feed that cannot be read now is a `problem` of the result.

        Raises:
            NotAuthenticated, NotPermitted, WrongOrganisation, NotTrusted, Outage, Withdrawn: As the client.
            DiskFull, JournalError: The inbox cannot be written; what came before is in it.
        """
        filled = Filled()
        window = next(self._windows())
        try:
            steps = 0
            while (refused := await self._read(window, filled)) is not None:
                steps += 1
                narrowed = await self._give_way(window, refused) if steps < _MOST_STEPS else None
                if narrowed is None:
                    filled.problem = why(refused)
                    return filled
                window = narrowed
        except (BodyTooLong, BrokeOff) as error:
            filled.problem = str(error)
            return filled
        if filled.gap is not None and window.gap is not None:
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

    def _windows(self) -> Iterator[FeedWindow]:
        """Yield what may be requested, the longest first: by both clocks if they differ, and then an hour less."""
        covered, newest, lapsed = self._covered(), self._inbox.reader.newest_time(), self._lapsed()
        times = self._clock.candidates()
        for now, step in (*((time, NO_TIME) for time in times), (times[-1], STEP_IN)):
            yield window_of(covered, now, newest=newest, since=self._since, lapsed=lapsed, step=step)

    def _each(self) -> dict[str, str]:
        found: dict[str, str] = orjson.loads(self._inbox.reader.fact(COVERED_EACH) or "{}")
        return found

    def _lapsed(self) -> dt.datetime | None:
        """Return when the first of the entities that are wanted now was read last; of those that ever were."""
        each = self._each()
        return min((dt.datetime.fromisoformat(each[name]) for name in self.entities if name in each), default=None)

    # --- one reading ---

    async def _read(self, window: FeedWindow, filled: Filled) -> Reply | None:
        """Store the events of a window; return the reply if Gladly refused it. A body that broke off is read again."""
        cut_at: Counter[int] = Counter()

        async def once(_: int) -> Reply | None:
            # Asked before the request leaves: what is visible then is what counts as covered.
            reading, read_until = self._clock.read(), self._clock.now() - SETTLING
            request = events_request(window.begin, None, self.entities)
            async with self._client.stream(request) as download:
                self._clock.heard(download.headers)
                if not download.is_success:
                    reply = await download.reply()
                    if _is_too_early(reply):
                        self._clock.learn(reading, after=window.begin + EVENTS_WINDOW)
                    return reply
                self._clock.learn(reading, before=window.begin + EVENTS_WINDOW)
                until = self._clock.certain(reading) - SETTLING
                blocks = BelievedBlocks(download, _BLOCK_BYTES, key=("id",), cut_at=cut_at, tries=_TRIES)
                facts = self._facts(window, until)
                # Told with what is covered from then on, and therefore once.
                filled.gap = window.gap if facts else None
                await self._store(blocks, filled.gap, facts, filled)
                self.read_until = read_until
            return None

        return await self._client.repeated(once, tries=_TRIES)

    async def _store(
        self, blocks: AsyncIterator[bytes], gap: Span | None, facts: dict[str, str], filled: Filled
    ) -> None:
        arrived: list[Arrival] = []
        async for line, is_cut in _lines(blocks):
            now = dt.datetime.now(dt.UTC)
            arrived.append(
                strange_arrival(line, Via.FEED, now, f"longer than {_LONGEST_LINE:,} bytes: these are the first")
                if is_cut
                else arrival_of(line, Via.FEED, now)
            )
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
            COVERED_EACH: orjson.dumps({**self._each(), **dict.fromkeys(self.entities, until.isoformat())}).decode(),
        }

    # --- when Gladly refuses ---

    async def _give_way(self, window: FeedWindow, reply: Reply) -> FeedWindow | None:
        """Return the window to request instead, if it can be found out what Gladly refused."""
        if not reply.is_refused:
            return None
        if _is_too_early(reply):
            # Its reply told what time it is, so that the first window can be another one now: after a sleep of days.
            later = next((one for one in self._windows() if one.begin > window.begin + _PROBE), None)
            if later is not None and not self._has_told_early and later.gap is None:
                self._has_told_early = True
                self._note(
                    f"events: Gladly refuses {window.begin:%H:%M:%S} UTC as too early; its clock differs from ours"
                )
            if later is not None:
                return later
        if self._clock.now() < self._probe_after:
            return None
        # Finding out takes a request for each entity: not at every poll of a feed that is refused for another reason.
        self._probe_after = self._clock.now() + _PROBE_AGAIN
        refused = await refused_entities(self._client, reply.problems, self.entities, self._clock.certain())
        if not refused or len(refused) == len(self.entities):
            return None
        self.entities = [name for name in self.entities if name not in refused]
        self._note(f"events: Gladly refuses {', '.join(refused)}; the other entities are read without them")
        return window


def _is_too_early(reply: Reply) -> bool:
    return reply.is_refused and any(problem.attr == "startAt" for problem in reply.problems)


async def _lines(blocks: AsyncIterator[bytes]) -> AsyncIterator[tuple[bytes, bool]]:
    """Yield the lines of a body, without empty ones; of a line that is too long, which is told, only the beginning."""
    cutter = LineCutter(_LONGEST_LINE)
    is_first = True

    def cut(found: Iterable[Stretch]) -> Iterator[tuple[bytes, bool]]:
        nonlocal is_first
        for stretch in found:
            data = stretch.data.removeprefix(BOM) if is_first else stretch.data
            is_first = False
            yield from ((line, stretch.is_cut) for line in data.split(b"\n") if line.strip())

    async for block in blocks:
        cutter.take(block)
        for line in cut(cutter.whole_lines()):
            yield line
    for line in cut(cutter.last_line()):
        yield line
