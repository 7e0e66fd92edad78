"""One landing: all that waits in the inbox becomes units of the data set `events`, under the lock of its folder.

All of this runs in a worker thread. A kill at any moment leaves whole units. What they hold is known from their
manifests, so that the next landing begins where they end, even if the cursor of the inbox did not move.
"""

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from bulkgladly.errors import InputError
from bulkgladly.gladly.event_envelopes import PING
from bulkgladly.gladly.objects.events import EVENT_ENTITIES, EVENTS
from bulkgladly.inbox.stored_events import InboxReader, StoredEvent
from bulkgladly.lake.conversion import ConvertOptions
from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.followers import Follower, follower_of, remember_follower
from bulkgladly.lake.manifest import Manifest, Span
from bulkgladly.lake.merged_units import merge_units
from bulkgladly.lake.published_rows import recent_keys
from bulkgladly.lake.rows import Origin, Reject, Rows
from bulkgladly.lake.schemas import DATA_SETS
from bulkgladly.lake.summaries import coverage_of
from bulkgladly.lake.unit_writer import OncePerKey, StampedRows, UnitWriter
from bulkgladly.realtime.landed_units import (
    LandingSource,
    days_to_merge,
    digest_of,
    gap_name,
    landed_after,
    last_landed,
    span_of,
    takes_over,
    unit_name,
)
from bulkgladly.times import time_of

__all__ = ("Landed", "OneLanding", "Place", "Unlanded", "waiting_in")

_EVENTS = DATA_SETS[EVENTS]
_JOBS = "EXPORT_JOB/"
_AT_ONCE = 200
"""Events that are read from the inbox at a time; one of them can have a megabyte."""
_MOST_EVENTS = 10_000
"""Most events in a unit: a landing runs beside the acknowledgement of webhooks, so its pieces are small."""
_MOST_BYTES = 8 << 20
_IN_SMALL_PIECES = ConvertOptions(parsers=1, batch_bytes=128 << 10, bundle_bytes=64 << 10)
"""The search of a bundle for doubtful lines holds the interpreter: with a megabyte, for 50 ms on a slow machine."""
_SPAN = ("covered_from", "covered_until")


class Place(NamedTuple):
    """Where events land, and what the data set is told about it."""

    out: Path
    host: str
    entities: tuple[str, ...]
    lock: Path
    land_every_s: int


class Unlanded(NamedTuple):
    """What waits in an inbox. All events recorded before `covered_until` are among those up to `last_seq`."""

    inbox: str
    cursor: int
    last_seq: int
    is_whole: bool
    """Whether the inbox still has every event that ever arrived."""
    has_dropped: bool
    """Whether events beyond the cursor were dropped, while nobody landed them."""
    covered_from: dt.datetime | None
    covered_until: dt.datetime | None
    landed_until: dt.datetime | None
    gaps: tuple[Span, ...]


class Landed(NamedTuple):
    """What a landing did: events that are new in the data set, that it had, and that are not events; and units."""

    rows: int = 0
    known: int = 0
    rejected: int = 0
    units: int = 0
    merged: int = 0
    """How many small units were replaced."""


def waiting_in(path: Path, inbox: str, cursor: int) -> Unlanded:
    """Return what waits in an inbox beyond a cursor."""
    with closing(InboxReader(path)) as reader:
        # The end before the beginning: if the feed notes a gap in between, the span comes out empty, and not too long.
        # And both before the last number: the events of the span are on the disk with it.
        until, first = (time_of(reader.fact(name)) for name in reversed(_SPAN))
        if (named := reader.fact("covered_entities")) is not None and not set(EVENT_ENTITIES) <= set(named.split(",")):
            # An earlier session followed some entities only: nothing is complete until the feed was read for all.
            until = first = None
        landed = time_of(reader.fact("landed_until"))
        gaps = tuple(reader.gaps(landed=False))
        last = reader.last_seq()
        oldest = reader.after(0, 1)
        is_whole = oldest[0].seq == 1 if oldest else last == 0
        has_dropped = reader.dropped_up_to() > cursor
        return Unlanded(inbox, cursor, last, is_whole, has_dropped, first, until, landed, gaps)


@dataclass(slots=True)
class OneLanding:
    """One landing. `done` and `gaps` say how far it came, also after an error; `troubles` what it passed over."""

    path: Path
    """The inbox."""
    place: Place
    waiting: Unlanded
    clock: Callable[[], dt.datetime]
    may_create: bool = True
    """Whether the folder is created if it is missing, and not merely absent for a while, as a disk that went away."""
    landed: Landed = field(default_factory=Landed)
    done: int = 0
    until: dt.datetime | None = None
    """Up to when what the feed covers has landed; None if this landing did not come to its end."""
    gaps: list[Span] = field(default_factory=list[Span])
    troubles: list[str] = field(default_factory=list[str])

    def run(self) -> None:
        """Land everything, leave word for exports, and replace the small units of earlier days.

        Raises:
            DataSetInUse: Another process writes the data set.
            UsageError, DiskFull, JournalError, OSError: It cannot be written, or the inbox cannot be read.
        """
        place = self.place
        opened = DataFolder.open(place.out, host=place.host, create=self.may_create, now=self.clock)
        with opened.lock() as folder:
            folder.pass_over_damage()
            folder.recover()
            self._record_gaps(folder)
            self._land_events(folder)
            follower = Follower(self.waiting.inbox, place.lock, place.entities, place.land_every_s, self.clock())
            remember_follower(folder, EVENTS, follower)
            self._merge_days(folder)

    # --- gaps ---

    def _record_gaps(self, folder: DataFolder) -> None:
        """Publish a unit without rows for each gap, since a manifest can tell of one only."""
        for gap in self.waiting.gaps:
            name = gap_name(self.waiting.inbox, gap)
            if folder.manifest(EVENTS, name) is None:
                about = {
                    "inbox": self.waiting.inbox,
                    "entities": list(self.place.entities),
                    "gap": [time.isoformat() for time in gap],
                }
                with UnitWriter(folder, _EVENTS, name, Origin(name, "inbox")) as writer:
                    writer.commit(about=about)
            self.gaps.append(gap)

    # --- events ---

    def _land_events(self, folder: DataFolder) -> None:
        waiting = self.waiting
        manifests = folder.manifests(EVENTS)
        before = last_landed(manifests, waiting.inbox)
        follower = follower_of(folder, EVENTS)
        is_ours = follower is not None and follower.inbox == waiting.inbox
        self.done = self._unnoted(landed_after(manifests, waiting.inbox, waiting.cursor))
        covered = self._covered(is_known=is_ours or before is not None)
        if is_ours and follower is not None and set(follower.entities) != set(self.place.entities):
            covered = None  # some of what waits was received while other entities were followed
        for events in self._batches(self.done, waiting.last_seq):
            is_last = events[-1].seq == waiting.last_seq
            self._publish(folder, events, covered if is_last else None)
        if covered is not None and self.until is None:
            self._publish(folder, (), covered)
        self.done = max(self.done, waiting.last_seq)
        self.until = self._settled()

    def _unnoted(self, landed: Sequence[LandingSource]) -> int:
        """Return up to which number all has landed, also if the process was killed before it could note that.

        The numbers alone do not say so: an inbox that was restored from an older copy gives them again, to others.
        """
        done = self.waiting.cursor
        with closing(InboxReader(self.path)) as reader:
            for source in landed:
                next_seq = reader.query("SELECT MIN(seq) FROM events WHERE seq > ?", done)[0][0]
                sql = "SELECT dedupe_id FROM events WHERE seq BETWEEN ? AND ? ORDER BY seq"
                ids = [row[0] for row in reader.query(sql, source.first_seq, source.last_seq)]
                if source.first_seq != next_seq or digest_of(ids) != source.digest:
                    break
                done = source.last_seq
        return min(done, self.waiting.last_seq)

    def _settled(self) -> dt.datetime | None:
        until = self.waiting.covered_until
        return None if until is None else min(until, self.clock())

    def _covered(self, *, is_known: bool) -> Span | None:
        """Return the span that is complete in the data set once this landing is."""
        waiting = self.waiting
        if set(self.place.entities) != set(EVENT_ENTITIES):
            return None
        if not is_known and (waiting.cursor > 0 or not waiting.is_whole):
            # Earlier events went to another folder, or were dropped. From this landing on nothing is missing.
            return None
        if waiting.has_dropped:
            self.troubles.append(
                "events that arrived while nobody landed them have been dropped from the inbox (--keep, --keep-size); "
                "the data set does not have them"
            )
            return None
        if not is_known:
            return span_of(waiting.covered_from, self._settled(), None)
        # A fact that is missing although events landed was lost with the cursor: then this span begins again.
        return span_of(waiting.covered_from, self._settled(), waiting.landed_until)

    def _batches(self, seq: int, last: int) -> Iterator[Sequence[StoredEvent]]:
        held: list[StoredEvent] = []
        size = 0
        with closing(InboxReader(self.path)) as reader:
            while seq < last and (some := reader.after(seq, _AT_ONCE)):
                seq = some[-1].seq
                for event in some:
                    if event.seq > last:
                        break
                    if held and (len(held) >= _MOST_EVENTS or size + len(event.body) > _MOST_BYTES):
                        yield held
                        held, size = [], 0
                    held.append(event)
                    size += len(event.body)
        if held:
            yield held

    def _publish(self, folder: DataFolder, events: Sequence[StoredEvent], covered: Span | None) -> None:
        """Publish events that the data set does not have; nothing if that would be an empty unit without a cover."""
        first, last = (events[0].seq, events[-1].seq) if events else (self.done + 1, self.done)
        digest = digest_of(event.dedupe_id for event in events) if events else ""
        source = LandingSource(self.waiting.inbox, first, last, self.clock().date(), self.place.entities, digest)
        name, old = _free_name(folder, source, covered)
        good = [event for event in events if not event.why and event.type != PING]
        strange = [event for event in events if event.why]
        with _writer(folder, name, good) as writer:
            if good:
                writer.convert(map(_line, good), options=_IN_SMALL_PIECES)
            for number, event in enumerate(strange, len(good) + 1):
                writer.reject(Reject(number, "not_an_event", event.why, event.body))
            if writer.rows or writer.rejected or covered is not None:
                _commit(writer, source, covered, old)
                self._count(units=1)
            known = len(good) + len(strange) - writer.rows - writer.rejected
            self._count(rows=writer.rows, known=known, rejected=writer.rejected)
        self.done = last
        if covered is not None:
            self.until = covered[1]

    def _count(self, **numbers: int) -> None:
        self.landed = self.landed._replace(
            **{name: getattr(self.landed, name) + number for name, number in numbers.items()}
        )

    # --- days ---

    def _merge_days(self, folder: DataFolder) -> None:
        """Replace the small units of each earlier day by one. Damage to one of them does not keep events away."""
        for day in days_to_merge(folder.manifests(EVENTS), self.clock().date()):
            try:
                merge_units(
                    folder,
                    day.manifests,
                    day.name,
                    origin=Origin(day.name, "inbox"),
                    covered=day.covered,
                    about=day.source.about(),
                )
            except InputError as error:
                self.troubles.append(f"the events of {day.source.day} stay in small files: {error}")
            else:
                self._count(merged=len(day.manifests))


def _free_name(folder: DataFolder, source: LandingSource, covered: Span | None) -> tuple[str, Manifest | None]:
    """Return the name of a new unit, and the unit of that name that it replaces, if there is one."""
    number = 1
    while (old := folder.manifest(EVENTS, name := unit_name(source, number))) is not None:
        if takes_over(old, source, covered):
            return name, old
        number += 1
    return name, None


def _commit(writer: UnitWriter, source: LandingSource, covered: Span | None, old: Manifest | None) -> None:
    spans = [] if covered is None else [covered]
    if old is not None and old.covered is not None:
        spans.append(old.covered)
    whole = coverage_of(spans).spans
    writer.commit(covered=whole[0] if whole else None, about=source.about(), replaces=() if old is None else (old,))


def _writer(folder: DataFolder, name: str, good: Sequence[StoredEvent]) -> UnitWriter:
    """Return a writer that leaves out what the data set has, and says of each row when it arrived."""
    known: set[str] = set()
    if good:
        since = min(event.time for event in good)
        known = recent_keys(folder, EVENTS, "id", since, among={_id_of(event) for event in good})
    once = OncePerKey("id", known)
    stamped = StampedRows("_fetched_at", [event.received_ms * 1000 for event in good])

    def passing(rows: Rows) -> Rows | None:
        new = once(rows)
        return None if new is None else stamped(new)

    return UnitWriter(folder, _EVENTS, name, Origin(name, "inbox"), row_filter=passing)


def _id_of(event: StoredEvent) -> str:
    # Events of a job are recognised by the job, but their rows have the id of the event.
    return str(event.parsed()["id"]) if event.type.startswith(_JOBS) else event.dedupe_id


def _line(event: StoredEvent) -> bytes:
    # Within JSON a newline stands between its members only, so that a blank means the same.
    return event.body.strip(b" \t\r\n").replace(b"\n", b" ").replace(b"\r", b" ") + b"\n"
