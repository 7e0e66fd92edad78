"""The stream of events: the last 24 hours at most, each event once, gaps reported."""

import datetime as dt
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from bulkgladly.api.client import Client
from bulkgladly.exports.export_context import Context, Converted, Refused, period_text
from bulkgladly.exports.price import Price
from bulkgladly.exports.unit_kinds import ExportUnit, SettledUnit, UnitResult, UnitState
from bulkgladly.gladly.objects.events import EVENT_ENTITIES, EVENT_LAG, EVENTS, EVENTS_WINDOW, events_request
from bulkgladly.lake.followers import Follower, running_follower
from bulkgladly.lake.manifest import Manifest, Span
from bulkgladly.lake.published_rows import recent_keys
from bulkgladly.lake.rows import Origin
from bulkgladly.lake.schemas import DATA_SETS
from bulkgladly.lake.summaries import coverage_of
from bulkgladly.lake.unit_writer import OncePerKey
from bulkgladly.messages import ApiProblem, Reply

__all__ = ("MARGIN", "OVERLAP", "SETTLING", "STEP_IN", "Events", "EventsUnit", "Plan", "plan_of", "refused_entities")

OVERLAP = dt.timedelta(seconds=60)
"""This much before the latest event is read again: events that share its millisecond, or that became
visible late although they are older. Known events are left out by their ids."""
SETTLING = EVENT_LAG
"""The window ends this long before now: younger events may not be visible yet, and must not count as covered."""
MARGIN = dt.timedelta(minutes=1)
"""The first window begins this much after the oldest event that Gladly still returns: the request takes
time, and the clocks differ."""
PATIENCE = dt.timedelta(minutes=5)
"""This much later than it should, a follower of the data set may publish, and clocks may differ."""
STEP_IN = dt.timedelta(minutes=59)
"""If Gladly still refuses the beginning as too early, its clock differs: then this much more is left out."""

_EVENTS = DATA_SETS[EVENTS]
_WORD = re.compile(r"[A-Z]+(?:_[A-Z]+)*")
_PROBE = dt.timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Plan:
    """The window to request, and the lost time before it. `window` None means that there is nothing to request."""

    window: Span | None
    gap: Span | None = None


def plan_of(
    covered: Sequence[Span],
    latest: dt.datetime | None,
    now: dt.datetime,
    since: dt.datetime | None = None,
    until: dt.datetime | None = None,
) -> Plan:
    """Choose the window: from shortly before the latest known event up to where all events are certainly visible.

    The beginning comes from the data and not from a clock. The time between the end of what is covered
    and the oldest event that Gladly still returns is lost.

    `since` and `until` narrow the window; what they leave out on purpose is not a gap.
    """
    edge = now - EVENTS_WINDOW + MARGIN
    end = min(now - SETTLING, until or now)
    until_now = coverage_of(covered).until
    if until_now is None or until_now > now:
        # A cover that ends in the future was written by a fast clock: only the events tell how far was read.
        begin = max(edge, latest - OVERLAP) if until_now is not None and latest is not None else edge
    else:
        begin = max(edge, min(latest or until_now, until_now) - OVERLAP)
    gap = (until_now, edge) if until_now is not None and until_now < edge else None
    if since is not None:
        begin = max(begin, since)
    # Events and requests have milliseconds, so only whole ones are requested and covered.
    window = _in_milliseconds(begin), _in_milliseconds(end)
    return Plan(window if window[0] < window[1] else None, gap)


class Events:
    """The events of all entities at once, in one window that begins where the data set ends."""

    name = EVENTS
    workers = 1

    async def add_price(self, context: Context, price: Price) -> None:
        """Add the one window."""
        del context
        price.others += 1

    async def units(self, context: Context) -> AsyncIterator[ExportUnit]:
        """Yield the gap before the window, if there is one, and the window; nothing if a follower brings the events."""
        manifests: list[Manifest] = await context.in_thread(context.folder.manifests, _EVENTS.name)
        covered = [manifest.covered for manifest in manifests if manifest.covered]
        follower: Follower | None = await context.in_thread(running_follower, context.folder, _EVENTS.name)
        if follower is not None and (until := _left_until(follower, covered, context)) is not None:
            _lost_after(until, context)
            context.note(
                f"events: not fetched, because a running follower brings them; complete until {until:%H:%M} UTC"
            )
            return
        # Only of units that cover their time: single events that webhooks brought do not tell how far was read.
        times = [part.max_timestamp for one in manifests if one.covered for part in one.parts if part.max_timestamp]
        options = context.options
        plan = plan_of(covered, max(times, default=None), context.clock(), options.since, options.until)
        if plan.gap is not None:
            text = period_text(*plan.gap)
            detail = (
                f"events from {text} are lost: Gladly returns only the last 24 hours. "
                "The Timestamps reports have some of it"
            )
            yield SettledUnit(_EVENTS.name, f"gap {text}", UnitResult(UnitState.GONE, detail=detail))
        if plan.window is not None:
            _lost_after(plan.window[1], context)
            yield EventsUnit(plan.window, plan.gap, _last_empty(manifests, plan.window))


@dataclass(slots=True)
class EventsUnit:
    """One window. `empty` is the unit before it, if that has no events: this one replaces it."""

    window: Span
    gap: Span | None = None
    empty: Manifest | None = None
    data_set: str = _EVENTS.name
    entities: list[str] = field(default_factory=lambda: list(EVENT_ENTITIES))
    has_stepped_in: bool = False

    @property
    def name(self) -> str:
        """The window, in UTC."""
        first, end = (f"{time:%Y%m%dT%H%M%S}{time.microsecond // 1000:03}Z" for time in self.window)
        return f"{first}_{end}"

    async def run(self, context: Context) -> UnitResult:
        """Stream the window once, without events that the data set has already or that come twice."""
        found = await self._download(context)
        # Each round moves the beginning once or drops an entity, so this ends.
        while isinstance(found, Refused) and found.reply is not None and found.reply.is_refused:
            if not await self._gives_way(context, found.reply):
                break
            found = await self._download(context)
        if isinstance(found, Refused):
            return UnitResult(UnitState.FAILED, detail=found.detail)
        manifest: Manifest = await context.in_thread(self._commit, found)
        report = found.report
        return UnitResult(
            UnitState.DONE if manifest.rows or report.rejected else UnitState.UNCHANGED,
            created=manifest.rows,
            unchanged=report.rows - manifest.rows,
            rejected=report.rejected,
        )

    async def _download(self, context: Context) -> Converted | Refused:
        start, end = self.window
        known: set[str] = await context.in_thread(recent_keys, context.folder, _EVENTS.name, "id", start)
        request = events_request(start, end, self.entities)
        source = Origin(self.name, f"{request.method} {request.path}", {"_fetched_at": context.clock()})
        return await context.download(request, _EVENTS, self.name, source, row_filter=lambda: OncePerKey("id", known))

    async def _gives_way(self, context: Context, reply: Reply) -> bool:
        """Change what Gladly refused, if that can be found out; return whether to request again."""
        problems = reply.problems
        first, end = self.window
        later = _in_milliseconds(context.clock() - EVENTS_WINDOW + MARGIN + STEP_IN)
        is_too_early = any(problem.attr == "startAt" for problem in problems)
        if is_too_early and not self.has_stepped_in and first < later < end:
            self.window, self.has_stepped_in = (later, end), True
            context.note(
                f"events: Gladly refuses {first:%H:%M:%S} UTC as too early; requesting from {later:%H:%M:%S} on"
            )
            return True
        refused = await refused_entities(context.client, problems, self.entities, self.window[1])
        if not refused or len(refused) == len(self.entities):
            return False
        self.entities = [name for name in self.entities if name not in refused]
        context.note(f"events: Gladly refuses {', '.join(refused)}; the other entities are read without them")
        return True

    def _commit(self, found: Converted) -> Manifest:
        start, end = self.window
        about: dict[str, object] = {"entities": self.entities}
        if self.gap is not None:
            about["gap"] = [time.isoformat() for time in self.gap]
        replaces: tuple[Manifest, ...] = ()
        if (
            self.empty is not None
            and self.empty.covered is not None
            and not found.report.rejected
            and not found.writer.rows
        ):
            start, replaces = min(self.empty.covered[0], start), (self.empty,)
        return found.commit(covered=(start, end), about=about, replaces=replaces)


# --- A follower of the same data set ---


def _left_until(follower: Follower, covered: Sequence[Span], context: Context) -> dt.datetime | None:
    """Return until when a running follower has brought all events, which need not be fetched; None if it does not."""
    options = context.options
    if options.since is not None or options.until is not None or options.refresh:
        return None  # a window was asked for by name
    now = context.clock()
    until = coverage_of(covered).until
    latest = now - 2 * dt.timedelta(seconds=follower.land_every_s) - PATIENCE
    # What has landed is believed, and not that a process runs: its feed may be refused, or its folder another one.
    is_whole = set(follower.entities) >= set(EVENT_ENTITIES)
    if not is_whole or until is None or not latest <= min(follower.landed_at, until):
        return None
    return until if max(follower.landed_at, until) <= now + PATIENCE else None


def _lost_after(until: dt.datetime, context: Context) -> None:
    """Note that what follows the end of what is covered is lost a day later."""
    lost_from = until + EVENTS_WINDOW
    context.next_loss = min(context.next_loss or lost_from, lost_from)


def _last_empty(manifests: Sequence[Manifest], window: Span) -> Manifest | None:
    """Return the last unit if it is empty and the new window touches its window."""
    last = max(manifests, key=lambda one: one.covered[1] if one.covered else window[0], default=None)
    if last is None or last.covered is None or last.parts or last.others or "gap" in last.source:
        return None
    return last if last.covered[1] >= window[0] else None


async def refused_entities(
    client: Client, problems: Sequence[ApiProblem], entities: Sequence[str], end: dt.datetime
) -> list[str]:
    """Return which entities a refusal is about: those it names, else those that are refused alone.

    Each is requested for the second before `end`.
    """
    said = {word for problem in problems for word in _WORD.findall(f"{problem.attr} {problem.detail}")}
    if named := [name for name in entities if name in said]:
        return named
    refused = []
    for name in entities:
        reply = await client.send(events_request(end - _PROBE, end, [name]))
        if reply.is_refused:
            refused.append(name)
    return refused


def _in_milliseconds(time: dt.datetime) -> dt.datetime:
    return time.astimezone(dt.UTC).replace(microsecond=time.microsecond // 1000 * 1000)
