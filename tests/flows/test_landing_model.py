"""Whatever a follower, dumps, kills and losses do in whatever order, each event is in a data set at most once.

And a data set never says that it covers a time without having all events of it.
"""

import asyncio
import datetime as dt
import shutil
from collections.abc import Coroutine
from typing import Any, TypeVar

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from bulkgladly.exports.event_windows import Events
from bulkgladly.gladly.objects.events import EVENT_ENTITIES
from bulkgladly.inbox.arrivals import Via
from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.summaries import coverage_of
from bulkgladly.lake.verify import verify
from tests.flows.driving import Driver
from tests.flows.exporting import Lake, a_lake
from tests.flows.landings import Following, body_of
from tests.flows.test_export_events import EDGE
from tests.folders import new_in_memory

T = TypeVar("T")

LAG = dt.timedelta(seconds=15)
ENTITIES = st.sampled_from([EVENT_ENTITIES, EVENT_ENTITIES, ("TASK",)])


class Follower(RuleBasedStateMachine):
    """Rules are what happens to an organisation, its follower and its data sets."""

    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner()
        self._folder = new_in_memory("landing-")
        self._lakes = [a_lake(self._folder / "0")]
        self._lakes[0].folder.mkdir()
        self._wall = self._lakes[0].wall
        self._emulator = self._lakes[0].emulator
        self._log = self._emulator.store.event_log
        self._entities: tuple[str, ...] = EVENT_ENTITIES
        self._following: Following | None = None
        self._do(self._emulator.start())

    def teardown(self) -> None:
        self.end()
        self._do(self._emulator.stop())
        self._runner.close()
        shutil.rmtree(self._folder)

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)

    @property
    def _lake(self) -> Lake:
        return self._lakes[-1]

    def _running(self) -> Following:
        """The follower, begun if it does not run."""
        if self._following is None:
            state, host = self._folder / "state", self._lake.credentials.host
            self._following = Following(state, self._lake.out, self._wall, host=host, entities=self._entities)
            self._following.__enter__()
        return self._following

    # What happens.

    @rule(
        happens=st.lists(st.sampled_from(["TASK/CREATED", "CONTACT/STARTED"]), min_size=1, max_size=3),
        minutes=st.sampled_from([0, 1, 10, 40, 400]),
        then=st.lists(st.sampled_from(["webhook", "feed", "land", "dump"]), unique=True),
    )
    def live(self, happens: list[str], minutes: int, then: list[str]) -> None:
        """Some things happen, time goes by, and some of it is received, landed and fetched."""
        for number, kind in enumerate(happens):
            self._log.add(kind, {"customerId": "c", "taskId": f"t-{number}"})
        self._wall.now += dt.timedelta(minutes=minutes)
        for act in then:
            if act == "webhook":
                self._do(self._running().put(body_of(list(self._log)[-1]), via=Via.WEBHOOK))
            else:
                getattr(self, act)()

    @rule(hours=st.sampled_from([1, 20, 30]))
    def sleep(self, hours: int) -> None:
        self._wall.now += dt.timedelta(hours=hours)

    def feed(self) -> None:
        """Receive what the feed has, with what it covers, or how long it was not read."""
        following, now = self._running(), self._wall.now
        edge, reader = now - EDGE, following.inbox.reader
        first, until = (reader.fact(name) for name in ("covered_from", "covered_until"))
        begin = dt.datetime.fromisoformat(first) if first else edge
        if until and dt.datetime.fromisoformat(until) < edge:
            self._do(following.inbox.put([], gap=(dt.datetime.fromisoformat(until), edge)))
            begin = edge
        bodies = [
            body_of(event)
            for event in self._log
            if edge.timestamp() * 1000 <= event.epoch_ms < now.timestamp() * 1000
            and (len(self._entities) > 1 or event.type.startswith("TASK/"))
        ]
        self._do(following.put(*bodies, covered=(begin, now - LAG)))

    def land(self) -> None:
        self._do(self._running().landing.land())

    @rule(is_fed=st.booleans())
    def land_and_die(self, is_fed: bool) -> None:
        """Publish, and have nothing of it noted in the inbox."""
        if is_fed:
            self.feed()
        self._running()
        self.end()
        state, kept = self._folder / "state", self._folder / "kept"
        shutil.copytree(state, kept)
        self.land()
        self.end()
        shutil.rmtree(state)
        kept.rename(state)

    def dump(self) -> None:
        self._wall.now += dt.timedelta(seconds=1)  # two dumps of the same millisecond would be one unit
        self._do(Driver(self._lake).drive(lambda _: Events()))

    @rule()
    def end(self) -> None:
        if self._following is not None:
            self._following.__exit__()
            self._following = None

    @rule(entities=ENTITIES)
    def follow_others(self, entities: tuple[str, ...]) -> None:
        """Start again in another state directory: what is received is not the same any more."""
        self.lose_the_inbox()
        self._entities = entities

    @rule()
    def drop(self) -> None:
        """Forget the events that are done."""
        inbox = self._running().inbox
        self._do(inbox.drop(self._wall.now, done_by=("data set",)))

    @rule()
    def lose_the_inbox(self) -> None:
        self.end()
        shutil.rmtree(self._folder / "state", ignore_errors=True)

    @rule()
    def choose_another_folder(self) -> None:
        self.end()
        lake = Lake(self._emulator, self._wall, self._folder / str(len(self._lakes)))
        lake.folder.mkdir()
        self._lakes.append(lake)

    # What nobody may find broken.

    @invariant()
    def each_event_is_there_once(self) -> None:
        made = {event.id for event in self._log}
        for lake in self._lakes:
            ids = held(lake)
            assert len(ids) == len(set(ids))
            assert made >= set(ids)

    @invariant()
    def what_is_covered_is_there(self) -> None:
        for lake in self._lakes:
            if not lake.out.exists():
                continue
            spans = coverage_of(one.covered for one in lake.manifests("events").values() if one.covered).spans
            ids = set(held(lake))
            for event in self._log:
                time = dt.datetime.fromtimestamp(event.epoch_ms / 1000, dt.UTC)
                assert event.id in ids or not any(begin <= time < end for begin, end in spans), event

    @invariant()
    def the_folders_are_sound(self) -> None:
        if self._lake.out.exists():
            findings = verify(DataFolder.open(self._lake.out)).findings
            assert [one for one in findings if one.kind != "gap"] == []


def held(lake: Lake) -> list[str]:
    """The ids in a data set."""
    parts = (lake.out / "events").rglob("*.parquet")
    return [str(one) for path in parts for one in pq.read_table(path, columns=["id"])["id"].to_pylist()]


def play(examples: int, steps: int, *, is_repeatable: bool) -> None:
    """Play so many histories."""
    run_state_machine_as_test(
        Follower,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            derandomize=is_repeatable,
            database=None,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
            phases=(Phase.generate,) if is_repeatable else (Phase.generate, Phase.shrink),
        ),
    )


def test_any_order_of_landings_dumps_and_kills() -> None:
    """A few histories, the same in every run."""
    play(20, 15, is_repeatable=True)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_any_long_order_of_landings_dumps_and_kills() -> None:
    """Many and long ones, drawn afresh."""
    play(100, 40, is_repeatable=False)
