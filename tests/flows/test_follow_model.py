"""Whatever happens in whatever order, each event is in the inbox once, or in a gap that was told.

A state machine of hypothesis lets things happen in an organisation, moves its clock, follows it with a clock of ours
that may be wrong, breaks replies, and crashes in the middle of a reading.
"""

import asyncio
import datetime as dt
import shutil
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from bulkgladly.emulator import Clock, Emulator
from bulkgladly.emulator.faults.fault import Fault, half_body, reset, status
from bulkgladly.inbox.stored_events import InboxReader, inbox_path
from tests.flows.exporting import TOKEN, Wall
from tests.flows.followed import Followed, Told
from tests.folders import new_in_memory

T = TypeVar("T")

BEGIN = dt.datetime(2026, 3, 19, 12, 0, tzinfo=dt.UTC)
LAG_S = 15.0
SECOND = dt.timedelta(seconds=1)
FAULTS = st.lists(st.sampled_from([half_body(), reset(), status(503), status(200)]), max_size=4)


class Crashed(Exception):
    """The process ended here."""


@dataclass(frozen=True)
class Happened:
    """An event that the organisation had, and when."""

    id: str
    at: dt.datetime


class FollowModel(RuleBasedStateMachine):
    """One organisation, one inbox, and what must be true of both."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = new_in_memory("follow-")
        self.loop = asyncio.new_event_loop()
        self.wall = Wall(BEGIN)
        self.emulator = Emulator(token=TOKEN, rate=None, clock=Clock(wall=self.wall), events_lag_s=LAG_S)
        self.do(self.emulator.__aenter__())
        self.followed = Followed(self.emulator, self.folder / "state", Told())
        self.happened: list[Happened] = []
        self.has_followed = False
        self.first_follow = BEGIN

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    # --- what can happen ---

    @rule(count=st.integers(1, 5))
    def things_happen(self, count: int) -> None:
        for _ in range(count):
            (made,) = self.followed.add("TASK/CREATED")
            self.happened.append(Happened(made, self.wall.now))
            self.wall.now += SECOND

    @rule(seconds=st.sampled_from([1, 10, 30, 60, 3600, 8 * 3600, 20 * 3600, 30 * 3600]))
    def time_passes(self, seconds: int) -> None:
        self.wall.now += seconds * SECOND

    @rule(polls=st.integers(1, 3), off=st.sampled_from([0, 0, 0, -3600, 3600]), faults=FAULTS)
    def follow(self, polls: int, off: int, faults: list[Fault]) -> None:
        self.emulator.faults.clear()
        self.emulator.faults.script("listEvents", faults)
        self.do(self._follow(polls, off))
        self.emulator.faults.clear()

    @rule(at=st.integers(1, 3))
    def crash(self, at: int) -> None:
        """A reading ends between two stored groups, as a kill would end it."""

        def between(polled: int) -> None:
            if polled == at:
                raise Crashed

        with pytest.raises(Crashed):
            self.do(self._follow(at, 0, between))

    async def _follow(self, polls: int, off: int, between: Any = None) -> None:
        if not self.has_followed:
            self.has_followed, self.first_follow = True, self.wall.now

        def step(polled: int) -> None:
            if between is not None:
                between(polled)
            self.wall.now += 30 * SECOND

        await self.followed.follow(polls, between=step, wall=lambda: self.wall.now + off * SECOND)

    # --- what must be true ---

    def teardown(self) -> None:
        try:
            self.wall.now += 60 * SECOND
            self.emulator.faults.clear()
            self.do(self._follow(2, 0))
            self._check()
        finally:
            self.do(self.emulator.__aexit__(None, None, None))
            self.loop.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    def _check(self) -> None:
        reader = InboxReader(inbox_path(self.followed.state))
        try:
            stored, gaps = [found.dedupe_id for found in reader.after(0, limit=100_000)], reader.gaps()
        finally:
            reader.close()
        assert len(set(stored)) == len(stored)
        assert set(stored) <= {one.id for one in self.happened}
        # What happened more than a day before the first follow could never be had.
        begin = self.first_follow - dt.timedelta(hours=24)
        for one in self.happened:
            is_told = any(begins <= one.at <= ends for begins, ends in gaps)
            if one.id not in stored:
                assert is_told or one.at <= begin + dt.timedelta(hours=1, minutes=2), one


def check(examples: int, steps: int) -> None:
    run_state_machine_as_test(
        FollowModel,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
            derandomize=True,
            phases=(Phase.explicit, Phase.generate),  # shrinking takes longer than a test may
        ),
    )


def test_nothing_is_missing_that_the_feed_still_had() -> None:
    check(examples=7, steps=12)


@pytest.mark.soak
def test_nothing_is_missing_in_long_histories() -> None:
    check(examples=1000, steps=40)
