"""A session that can be steered: paused, continued, slowed down and stopped by a person, and paced by the time of day.

It looks at the orders in the run's folder four times a second, obeys, and writes there what it obeys. It never waits
for a person, and orders that make no sense change nothing.
"""

import contextlib
import datetime as dt
import math
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

import anyio
import anyio.to_thread
import orjson

from bulkgladly.commands import next_command
from bulkgladly.errors import BulkgladlyError
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.journal.steering_files import (
    STEERED,
    Obeyed,
    Orders,
    event_of,
    orders_in,
    steered_events,
    write_steering,
)
from bulkgladly.rate_schedule import RateSchedule, rate_text
from bulkgladly.runs.connection import Connection
from bulkgladly.runs.environment import Environment
from bulkgladly.runs.observer import Observer, duration_text
from bulkgladly.runs.stages import Stop
from bulkgladly.settings import Foreseen, Pace

__all__ = ("PAUSED", "SCHEDULED", "STOPPED", "Steering")

PAUSED = "paused by runs pause"
"""Why nothing leaves, in the panel, the log and the report."""
SCHEDULED = "no requests by --rate-schedule"
STOPPED = "runs stop"
"""Why a run has ended, in the journal and the report."""
_LOOK_S = 0.25
_MOST_EVENTS = 500
"""Of one run, the newest ones: they are written as one value."""


class Notes(Protocol):
    """Where a session keeps values about itself."""

    async def note(self, name: str, value: str) -> None:
        """Keep a value; it is on the disk when this returns."""
        ...


class HowFar(Protocol):
    """How many of how many things are done."""

    @property
    def done(self) -> int: ...
    @property
    def total(self) -> int: ...
    @property
    def is_exact(self) -> bool: ...
    @property
    def things(self) -> str: ...


class Steering:
    """What one session obeys: the orders of a person, and the rates of a schedule.

    Chapters: begun; what holds now; looking; telling.
    """

    def __init__(
        self,
        run: RunFolder,
        pace: Pace,
        connection: Connection,
        *,
        stop: Stop,
        observer: Observer,
        environment: Environment,
    ) -> None:
        """Nothing is read or written yet."""
        self._run, self._pace, self._connection = run, pace, connection
        self._stop, self._observer, self._environment = stop, observer, environment
        self.orders = Orders(secrets.token_hex(8))
        self._rates: RateSchedule | None = None if self.wants_zone else pace.rates()
        self._held: tuple[float | None, str] = (pace.rate, "")
        self._events: list[Mapping[str, Any]] = []
        self._paused_at = 0.0
        self._problem = ""

    # --- begun ---

    @property
    def wants_zone(self) -> bool:
        """Whether there is a schedule whose time zone only the organisation can tell."""
        return self._pace.schedule is not None and self._pace.zone is None

    @property
    def zone(self) -> dt.tzinfo | None:
        """The time zone in which the schedule is read; None without a schedule."""
        return None if self._rates is None else self._rates.zone

    async def use_zone(self, zone: dt.tzinfo) -> None:
        """Read the schedule, which does not count before this, in the organisation's time zone."""
        self._rates = self._pace.rates(zone)
        self._hold()
        self._tell_schedule()
        await self._write(None)

    def foreseen(self) -> Foreseen:
        """Return the pace that is expected from now on."""
        usual = self._pace.expected_per_second()
        if (rate := self.orders.rate) is not None:
            return Foreseen(min(rate, replace(self._pace, rate=None).expected_per_second()), self._environment.wall())
        return Foreseen(usual, self._environment.wall(), self._rates)

    def seconds_left(self, at_past_pace_s: float, requests: float) -> float | None:
        """Return how long the rest takes: as long as by the pace so far, unless the pace has changed or will.

        None while a person has paused the run.
        """
        if self.orders.is_paused:
            return None
        if self._rates is None and self.orders.rate is None:
            return at_past_pace_s
        seconds = self.foreseen().seconds_for(requests)
        return seconds if math.isfinite(seconds) else None

    async def begin(self) -> None:
        """Obey nothing of an earlier session but its rate, and say so in the folder before anything is sent.

        A person who has slowed a run down wants it slow after a restart, too, unless another pace is given. A pause
        ends with the process: a run that is resumed and then does nothing would look broken.
        """
        self._events = await anyio.to_thread.run_sync(steered_events, self._run.path)
        with contextlib.suppress(ValueError):
            found = orders_in(self._run.path)
            if found is not None and found.rate is not None and self._has_pace_of_header():
                self.orders = replace(self.orders, rate=found.rate)
                usual = next_command("runs", "rate", self._run.name, "usual", state_dir=self._run.state_dir)
                self._observer.note(
                    f"the rate of {found.rate:g} requests/s still holds, set by `runs rate`; its own again: `{usual}`"
                )
        self._hold()
        self._tell_schedule()
        await self._write(None)

    def _tell_schedule(self) -> None:
        if self._rates is not None and self.orders.rate is None:
            self._observer.note(f"--rate-schedule ({self._rates.zone}): {self._pace_text()}{self._until_text()}")

    def _has_pace_of_header(self) -> bool:
        before = self._run.header().settings.get("pace", {})
        names = ("rate", "unlimited", "schedule", "zone")
        return all(before.get(name) == getattr(self._pace, name) for name in names if name in before)

    # --- what holds now ---

    def _wanted(self) -> tuple[float | None, str]:
        """Return the rate that holds now, and why nothing leaves, if so."""
        now, rate, why = self._environment.wall(), self.orders.rate, ""
        if rate is None and self._rates is not None:
            rate = self._rates.at(now)
            if rate == 0:
                why = f"nothing may leave{self._until_text()} (--rate-schedule)"
            caps = [cap for cap in (rate, self._pace.rate) if cap]
            rate = min(caps) if caps else None
        elif rate is None:
            rate = self._pace.rate
        return rate, PAUSED if self.orders.is_paused else why

    def _hold(self) -> bool:
        """Let the connection follow what holds now; return whether something has changed."""
        if (wanted := self._wanted()) == self._held:
            return False
        # The text of a schedule names a time, and each of these would be a reason of its own in the report.
        self._connection.steer(*wanted, counted_as=PAUSED if wanted[1] == PAUSED else SCHEDULED)
        self._held = wanted
        return True

    def _until_change_s(self) -> float:
        """Return in how many seconds the schedule may change the rate; at most until the next look."""
        if self._rates is None:
            return _LOOK_S
        now = self._environment.wall()
        change = self._rates.next_change(now)
        return _LOOK_S if change is None else min(_LOOK_S, max(0.001, (change - now).total_seconds()))

    # --- looking ---

    async def heed(self, notes: Notes, progress: Callable[[], HowFar]) -> None:
        """Obey until cancelled."""
        while True:
            await self.look(notes, progress)
            await anyio.sleep(self._until_change_s())

    async def look(self, notes: Notes, progress: Callable[[], HowFar]) -> None:
        """Obey new orders, and the schedule as of now; write down what has changed."""
        before, events = self.orders, []
        if (orders := self._new_orders()) is not None:
            self.orders = orders
            events = self._followed(before, orders)
        if self._hold() and not events and self.orders.rate is None and self._rates is not None:
            # While a person has paused the run, it says what holds once it is continued.
            rate = self._rates.at(self._environment.wall())
            self._observer.note(f"the pace is now {self._pace_text()}, {self.pace_note()}")
            events = [self._event("schedule", self._held[0] if rate != 0 else 0.0)]
        if orders is None and not events:
            return
        # The reply first: a person waits for it, while the disk of the journal may be slow.
        await self._write(progress())
        if events:
            self._events = [*self._events, *events][-_MOST_EVENTS:]
            with contextlib.suppress(BulkgladlyError):
                await notes.note(STEERED, orjson.dumps(self._events).decode())

    def _new_orders(self) -> Orders | None:
        """Return orders for this session that it does not obey yet."""
        try:
            found = orders_in(self._run.path)
        except ValueError as error:
            if str(error) != self._problem:
                self._problem = str(error)
                self._observer.note(f"an order for this run is ignored: {error}; give it again with `bulkgladly runs`")
            return None
        if found is None or found.session != self.orders.session or found.number <= self.orders.number:
            return None
        return found

    def _followed(self, before: Orders, now: Orders) -> list[Mapping[str, Any]]:
        """Obey the difference between orders, tell people, and return the events."""
        events, clock = [], self._environment.clock
        if now.is_paused != before.is_paused:
            if now.is_paused:
                self._paused_at = clock()
                self._observer.note(f"{PAUSED}: nothing more is sent; continue with `{self._command('continue')}`")
            else:
                self._observer.note(f"continued by `runs continue` after {duration_text(clock() - self._paused_at)}")
            events.append(self._event("paused" if now.is_paused else "continued", None))
        if now.rate != before.rate:
            self._hold()
            said = "set by `runs rate`" if now.rate is not None else "its own again"
            self._observer.note(f"the pace is now {self._pace_text()}, {said}")
            events.append(self._event("rate", now.rate))
        if now.is_stopped and not before.is_stopped:
            self._stop.drain(10, STOPPED)
            events.append(self._event("stopped", None))
        return events

    def _event(self, what: str, value: float | None) -> Mapping[str, Any]:
        return event_of(what, value, self._environment.wall())

    # --- telling ---

    def _command(self, word: str) -> str:
        return next_command("runs", word, self._run.name, state_dir=self._run.state_dir)

    def _pace_text(self) -> str:
        is_scheduled = self.orders.rate is None and self._rates is not None
        if is_scheduled and self._rates is not None and self._rates.at(self._environment.wall()) == 0:
            return "no requests"
        ceiling = self._connection.per_second
        return rate_text(ceiling) if math.isfinite(ceiling) else "not limited"

    def pace_note(self) -> str:
        """Return by whose word, and until when, the pace is what it is; nothing for the usual pace."""
        if self.orders.rate is not None:
            return "set by runs rate"
        return f"by --rate-schedule{self._until_text()}" if self._rates is not None else ""

    def _until_text(self) -> str:
        change = self._rates.next_change(self._environment.wall()) if self._rates is not None else None
        return f" until {change.astimezone(self._rates.zone):%a %H:%M}" if change and self._rates else ""

    async def end(self, progress: HowFar) -> None:
        """Say how far the run was, and that no process obeys any more."""
        await self._write(progress, pid=-os.getpid())

    async def _write(self, progress: HowFar | None, *, pid: int | None = None) -> None:
        """Say in the folder what holds now; on a full disk nothing is said, and the orders are obeyed all the same."""
        ceiling, why = self._connection.per_second, self._held[1]
        waiting = "" if why else self._connection.holdup()
        reply = Obeyed(
            session=self.orders.session,
            number=self.orders.number,
            pid=os.getpid() if pid is None else pid,
            is_paused=self.orders.is_paused,
            is_stopped=self.orders.is_stopped,
            rate=self.orders.rate,
            per_second=float(ceiling) if math.isfinite(ceiling) else None,
            why=why,
            done=progress.done if progress else 0,
            total=max(progress.total, progress.done) if progress else 0,
            is_exact=progress.is_exact if progress else False,
            things=progress.things if progress else "rows",
            in_flight=self._connection.client.in_flight,
            waiting=waiting,
        )
        with contextlib.suppress(BulkgladlyError):
            await anyio.to_thread.run_sync(write_steering, self._run.path, reply)
