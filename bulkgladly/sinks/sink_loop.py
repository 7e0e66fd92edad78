"""Passes events on to one sink, each at least once, with a cursor of its own in the inbox."""

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import anyio
import anyio.to_thread

from bulkgladly.gladly.event_envelopes import PING, content_of, key_of
from bulkgladly.inbox.event_inbox import Inbox
from bulkgladly.inbox.sink_progress import (
    Failing,
    Left,
    begin_sink_cursor,
    failing_events,
    left_between,
    newest_left,
    note_failures,
    note_left,
    prune_newest,
)
from bulkgladly.inbox.stored_events import StoredEvent
from bulkgladly.runs.environment import USUAL, Environment
from bulkgladly.runs.observer import counted, duration_text
from bulkgladly.runs.quiet_notes import TroubleNotes
from bulkgladly.runs.stages import side_by_side
from bulkgladly.sinks.dead_letters import DeadLetter, DeadLetters
from bulkgladly.sinks.object_fetch import ObjectFetch
from bulkgladly.sinks.outgoing import Outgoing, outgoing_of, passed_on
from bulkgladly.sinks.settling import Settling, Unsent, late_ones, sort_time_ms, wait_s
from bulkgladly.sinks.sink_schedule import SinkSchedule, retry_wait_s
from bulkgladly.sinks.sinks import Fate, Note, Sink, SinkEnded, SinkReply
from bulkgladly.sinks.stoppable_calls import STOP_GRACE_S, StoppableCalls

__all__ = ("SinkLoop",)

_READ_AT_ONCE = 200
_FETCHES_AT_ONCE = 8
_CLOSE_S = 5.0
_PRUNE_EVERY = 10_000


class _Arrived(NamedTuple):
    """One event of the inbox as the loop keeps it."""

    seq: int
    key: str
    time_ms: int
    received_ms: int
    size: int


class SinkLoop:
    """Passes on what arrives, until it is stopped. Nobody else waits for it.

    Killed at any moment, at most the batch under way is passed on again. Chapters: begun and ended, reading the inbox,
    one batch, how it ended, and waiting.
    """

    def __init__(
        self,
        inbox: Inbox,
        sink: Sink,
        dead: DeadLetters,
        *,
        settle_s: float,
        give_up_s: float,
        note: Note,
        fetch: ObjectFetch | None = None,
        environment: Environment = USUAL,
    ) -> None:
        """`note` tells a person something; `fetch` adds objects. The settings are those of `RealtimeOptions`."""
        self.sink = sink
        self.ended: str | None = None
        """Why the sink has ended by itself; None while it has not."""
        self._inbox, self._dead, self._fetch, self._say = inbox, dead, fetch, note
        self._settle_s, self._give_up_s = settle_s, give_up_s
        self._environment = environment
        self._settling = Settling(settle_s)
        self._schedule = SinkSchedule(environment.random)
        self._calls = StoppableCalls(environment, self._tell_failure)
        self._failing: dict[int, Failing] = {}
        self._read = self._noted = -1
        self._since_ms = 0
        self._trouble = TroubleNotes(note, f"{sink.label}: takes events again")
        self._dead_count, self._tell_dead_at = 0, 1
        self._since_pruned = _PRUNE_EVERY
        self._over: anyio.Event | None = None
        """Set once `run` has ended; None before it has begun."""

    # --- begun and ended ---

    async def begin(self, *, after: int | None = None, since: dt.datetime | None = None) -> None:
        """Fix where a sink that is new begins: after the number `after`, or with what arrives from now on.

        What was recorded before `since` is not passed on to a new one. Call it before anything is received; `run` does
        so by itself if it was not called.
        """
        self._read = self._noted = await begin_sink_cursor(self._inbox, self.sink.name, after=after, since=since)
        self._since_ms = self._inbox.reader.since_ms(self.sink.name)
        self._failing = {one.seq: one for one in failing_events(self._inbox.reader, self.sink.name)}
        if self._inbox.reader.dropped_up_to() > self._read:
            self._say(
                f"{self.sink.label}: events that arrived while it was not in use have been dropped from the inbox "
                "(--keep, --keep-size), and are not passed on"
            )

    async def run(self) -> None:
        """Pass events on until `stop` is called, the sink ends by itself (`ended`), or this is cancelled."""
        self._over = anyio.Event()
        try:
            if self._read < 0:
                await self.begin()
            while not self._calls.is_stopping:
                if not await self._step():
                    await self._idle()
        except SinkEnded as ended:
            self.ended = str(ended)
            self._say(f"{ended}; nothing more is passed on to it until the next start")
        finally:
            with anyio.move_on_after(_CLOSE_S, shield=True):
                await self.sink.close()
            self._over.set()

    def stop(self, grace_s: float = STOP_GRACE_S) -> None:
        """Let `run` return. The batch under way has `grace_s` to end; if it does not, it is passed on again later."""
        self._calls.stop(grace_s)

    async def finish(self, grace_s: float = STOP_GRACE_S) -> None:
        """As `stop`, and return when `run` has ended."""
        self.stop(grace_s)
        if self._over is not None:
            await self._over.wait()

    # --- reading the inbox ---

    async def _step(self) -> bool:
        """Do one thing; return False if there is nothing to do."""
        await self._read_on()
        now = self._environment.clock()
        if (aside := self._schedule.due(now)) is not None:
            await self._pass_on([aside.event], is_probe=self._schedule.is_down and not self._schedule.limit())
            return True
        batch = self._settling.take(now, self._schedule.limit())
        if batch:
            await self._pass_on(batch, is_probe=True)
        return bool(batch)

    async def _read_on(self) -> None:
        while (room := self._settling.room) and self._inbox.last_seq > self._read:
            rows, end = await anyio.to_thread.run_sync(self._rows, min(room, _READ_AT_ONCE))
            now, wall_ms = self._environment.clock(), round(self._environment.wall().timestamp() * 1000)
            for one in rows:
                due = now + wait_s(one.received_ms, wall_ms, self._settle_s)
                self._settling.add(one.seq, one.key, one.time_ms, due, size=one.size)
            self._read = end

    def _rows(self, limit: int) -> tuple[list[_Arrived], int]:
        found, end = self._inbox.reader.read_on(self._read, limit)
        gone = left_between(self._inbox.reader, self.sink.name, self._read + 1, end)
        wanted = [one for one in found if _is_passed_on(one) and one.time_ms >= self._since_ms and one.seq not in gone]
        return [_read(one) for one in wanted], end

    # --- one batch ---

    async def _pass_on(self, batch: Sequence[Unsent], *, is_probe: bool) -> None:
        outgoing = await self._calls.patiently(partial(self._prepared, batch))
        if outgoing is None:
            self._give_back(batch)
            return
        missing = [one for one in batch if one.seq not in outgoing]
        present = [one for one in batch if one.seq in outgoing]
        if missing:
            self._say(f"{self.sink.label}: {counted(len(missing), 'event')} had been dropped from the inbox")
            await self._leave(missing)
        if not present:
            return
        replies = await self._calls.within_grace(lambda: self.sink.deliver([outgoing[one.seq] for one in present]))
        if replies is None:
            self._give_back(present)
            return
        await self._settle(present, replies, outgoing, is_probe=is_probe)

    async def _prepared(self, batch: Sequence[Unsent]) -> Mapping[int, Outgoing]:
        """Return what is passed on, by number, with the objects if they are wanted."""
        reader, name = self._inbox.reader, self.sink.name

        def look() -> tuple[list[StoredEvent], dict[str, int]]:
            return reader.these([one.seq for one in batch]), newest_left(reader, name, (one.key for one in batch))

        stored, newest = await anyio.to_thread.run_sync(look)
        late = late_ones(batch, newest)
        added: list[dict[str, Any]] = [{} for _ in stored]
        if (fetch := self._fetch) is not None:
            calls = [partial(fetch.object_members, one.parsed()) for one in stored]
            added = await side_by_side(calls, _FETCHES_AT_ONCE)
        return {
            one.seq: outgoing_of(passed_on(one, is_late=one.seq in late, added=members))
            for one, members in zip(stored, added, strict=True)
        }

    # --- how it ended ---

    async def _settle(
        self,
        batch: Sequence[Unsent],
        replies: Sequence[SinkReply],
        outgoing: Mapping[int, Outgoing],
        *,
        is_probe: bool,
    ) -> None:
        by = {fate: [pair for pair in zip(batch, replies, strict=True) if pair[1].fate is fate] for fate in Fate}
        failed, refused = by[Fate.FAILED], by[Fate.REFUSED]
        done = [one for one, _ in (*by[Fate.TAKEN], *refused)]
        now = self._environment.clock()
        is_bad = bool(failed) and not done and is_probe
        if done:
            self._schedule.went_well(now)
            self._trouble.is_over()
        self._give_back([one for one, _ in by[Fate.UNTRIED]])
        asked_s = max((reply.retry_after_s for reply in replies if reply.retry_after_s is not None), default=None)
        if failed and self.sink.takes_whole and len(batch) > 1:
            self._give_back([one for one, _ in failed])
            pause_s = self._schedule.split(len(batch))
        else:
            refused = [*refused, *await self._put_aside(failed, now)]
            pause_s = self._schedule.went_wrong(asked_s) if is_bad else 0.0
        if asked_s is not None:
            pause_s = max(pause_s, retry_wait_s(1, self._environment.random, asked_s))
        gone = await self._bury(refused, outgoing) if refused else []
        left = [*(one for one, _ in by[Fate.TAKEN]), *gone]
        if left:
            await self._leave(left)
        if pause_s:
            self._tell_failure(failed[0][1].reason if failed else "asks to wait", pause_s)
            await self._calls.rest(pause_s)

    async def _put_aside(
        self, failed: Sequence[tuple[Unsent, SinkReply]], now: float
    ) -> list[tuple[Unsent, SinkReply]]:
        """Let events that failed alone wait, and return those that are given up."""
        given_up: list[tuple[Unsent, SinkReply]] = []
        for one, reply in failed:
            known = self._failing.get(one.seq, Failing(one.seq, 0, 0.0, ""))
            earlier = known.attempts
            known = self._failing[one.seq] = self._schedule.put_aside(
                one, known, now, reason=reply.reason, give_up_s=self._give_up_s, retry_after_s=reply.retry_after_s
            )
            if known.failed_s >= self._give_up_s:
                tried = f"{reply.reason}; tried {counted(known.attempts, 'time')} in {duration_text(known.failed_s)}"
                given_up.append((one, reply._replace(reason=tried)))
                continue
            self._settling.block(one.key)
            # The first time, it may be the sink that is down.
            if earlier == 1 and not self._schedule.is_down:
                self._say(f"{self.sink.label}: one event fails ({reply.reason}) and is tried again; others continue")
        noted = [self._failing[one.seq] for one, _ in failed]
        if noted:
            await self._calls.patiently(partial(note_failures, self._inbox, self.sink.name, noted))
        return given_up

    async def _bury(
        self, refused: Sequence[tuple[Unsent, SinkReply]], outgoing: Mapping[int, Outgoing]
    ) -> list[Unsent]:
        """Add events to the dead letters and return them; none, to be tried again, if that was not possible."""
        letters = [
            DeadLetter(
                {"sink": self.sink.label},
                reply.reason,
                known.attempts if (known := self._failing.get(one.seq)) else 1,
                outgoing[one.seq].line,
            )
            for one, reply in refused
        ]

        async def add() -> bool:
            await self._dead.add(letters)
            return True

        events = [one for one, _ in refused]
        if not await self._calls.patiently(add, is_wanted=True):
            self._give_back(events)
            return []
        self._dead_count += len(letters)
        # Each time that they have doubled: a receiver that refuses everything must not fill the log.
        if self._dead_count >= self._tell_dead_at:
            self._tell_dead_at = 2 * self._dead_count
            self._say(
                f"{self.sink.label}: {counted(self._dead_count, 'event')} not taken ({letters[0].reason}); "
                f"see {self._dead.path}"
            )
        return events

    async def _leave(self, done: Sequence[Unsent]) -> None:
        """Note in the inbox that events have left. Until that is on the disk, nothing else is passed on."""
        seqs = [one.seq for one in done]
        for one in done:
            self._failing.pop(one.seq, None)
            if self._schedule.remove(one.seq):
                self._settling.unblock(one.key)
        self._settling.resolve(seqs)
        left = [Left(one.seq, one.key, one.time_ms) for one in done]
        up_to = self._settling.done_up_to(self._read)
        await self._calls.patiently(
            partial(note_left, self._inbox, self.sink.name, left, done_up_to=up_to), is_wanted=True
        )
        self._noted = up_to
        self._since_pruned += len(left)
        if self._since_pruned >= _PRUNE_EVERY:
            self._since_pruned = 0
            await self._calls.patiently(partial(prune_newest, self._inbox, self.sink.name))

    def _give_back(self, events: Sequence[Unsent]) -> None:
        # Those that were put aside stay there.
        self._settling.put_back(one for one in events if not self._schedule.holds(one.seq))

    def _tell_failure(self, reason: str, pause_s: float) -> None:
        text = f"{self.sink.label}: {reason}; trying again in {duration_text(pause_s)}, then less often"
        self._trouble.tell(reason, text)

    # --- waiting ---

    async def _idle(self) -> None:
        """Wait until an event arrives or one that waits is due."""
        up_to = self._settling.done_up_to(self._read)
        if up_to > self._noted:
            await self._leave([])
        # While too many are put aside, those that wait are not due, whatever their time.
        fresh = self._settling.next_due() if self._schedule.limit() else None
        dues = [due for due in (fresh, self._schedule.next_due()) if due is not None]
        pause_s = max(0.0, min(dues, default=math.inf) - self._environment.clock())

        async def wait() -> None:
            with anyio.move_on_after(pause_s):
                if self._settling.room:
                    await self._inbox.wait_beyond(self._read)
                else:
                    await anyio.sleep_forever()

        await self._calls.within_grace(wait, grace_s=0.0)


def _is_passed_on(stored: StoredEvent) -> bool:
    """Tell whether an arrival is an event that somebody wants: a PING only checks the way."""
    return not stored.why and stored.type != PING


def _read(stored: StoredEvent) -> _Arrived:
    key = key_of(content_of(stored.parsed()))
    time_ms = sort_time_ms(stored.time_ms, stored.received_ms)
    return _Arrived(stored.seq, key, time_ms, stored.received_ms, len(stored.body))
