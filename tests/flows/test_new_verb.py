"""A verb that does not exist: topics by their names, from a list, on the engine that imports and exports run on.

It is the example of "Adding a source or a sink" in docs/architecture.md, and shows what the engine does for any work.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import anyio.to_thread
import orjson
import pytest

from bulkgladly import Credentials, Limits, Pace
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.journal.units import UnitLine, UnitLog, units_of
from bulkgladly.local_paths import LocalPath
from bulkgladly.messages import Repeat, Request
from bulkgladly.runs.beginning import NewRun, resumed
from bulkgladly.runs.options import for_next_session, restored, stored
from bulkgladly.runs.session import Progress, Session, Terms
from bulkgladly.runs.stages import Feed
from bulkgladly.runs.summary import COUNT_WORDS, Ending, Summary, resume_command, status_of
from tests.flows.conftest import World


@dataclass(frozen=True, kw_only=True)
class TopicOptions:
    """What the user decides: names, pace, limits, and where runs are kept."""

    names: tuple[str, ...] = ()
    pace: Pace = field(default_factory=Pace)
    limits: Limits = field(default_factory=Limits)
    state_dir: LocalPath = LocalPath(".bulkgladly")


class TopicWork:
    """Names from the options, each made a topic, and noted in the journal."""

    def __init__(self, session: Session, options: TopicOptions) -> None:
        self._session, self._options = session, options
        self.journal = UnitLog(session.run.path, vitals=session.connection.vitals)
        self._done = {line.name for line in self.journal.units()}
        self._begun_with = len(self._done)
        self._counts = Counter({"created": self._begun_with})
        self._feed: Feed[str] = Feed(2 * self.workers)

    @property
    def workers(self) -> int:
        return self._session.connection.concurrency

    async def begin(self) -> None:
        self._session.observer.note(f"{len(self._options.names)} topics")

    async def read(self) -> None:
        for name in self._options.names:
            if name not in self._done:
                await self._feed.room()
                self._feed.put([name])
        self._feed.close()

    async def hand_over(self) -> None:
        """All names need a request."""

    async def take(self) -> None:
        while (name := await self._feed.take()) is not None:
            body = orjson.dumps({"id": name, "name": name})
            reply = await self._session.client.send(
                Request("addTopic", "POST", "/api/v1/topics", body=body, repeat=Repeat.DETECTED)
            )
            state = "created" if reply.is_confirmed else "rejected"
            line = UnitLine("topics", name, state, int(reply.is_confirmed), 0, 0, int(not reply.is_confirmed), "")
            await anyio.to_thread.run_sync(self.journal.settle, line)
            self._done.add(name)
            self._counts[state] += 1

    async def close(self) -> None:
        if self._session.stop.is_draining:
            self._feed.empty()

    def progress(self) -> Progress:
        return Progress(self._counts, len(self._done), len(self._options.names), begun_with=self._begun_with)

    async def settle(self) -> None:
        """Each unit is on the disk already."""

    def summary(self, common: Mapping[str, Any]) -> Summary:
        stop = self._session.stop
        counts = dict.fromkeys(COUNT_WORDS, 0) | dict(self._counts)
        counts["unprocessed"] = len(self._options.names) - len(self._done)
        code = stop.exit_code
        return Summary(
            **common,
            **Ending("complete" if code is None else status_of(code), code or 0, stop.reason)._asdict(),
            counts={"read": len(self._options.names), **counts},
            files={},
            next_commands=() if code is None else (resume_command(self._session.run),),
        )


async def start_topics(world: World, options: TopicOptions, credentials: Credentials | None = None) -> Summary:
    terms = Terms(credentials or world.credentials, environment=world.environment)
    with NewRun(options.state_dir, "topics", "create") as new:
        await new.begin(terms.credentials.host, stored(options))
        session = Session(new.folder, options, terms)
        return await session.drive(TopicWork(session, options))


async def resume_topics(world: World, run: RunFolder, limits: Limits) -> Summary:
    terms = Terms(world.credentials, environment=world.environment)
    with resumed(run, terms.credentials) as header:
        before = restored(TopicOptions, header.settings, run.state_dir)
        options = for_next_session(before, lambda found: replace(found, limits=limits))
        session = Session(run, options, terms)
        return await session.drive(TopicWork(session, options))


@pytest.fixture
def options(world: World) -> TopicOptions:
    names = tuple(f"new-{number}" for number in range(20))
    return TopicOptions(names=names, pace=world.options.pace, state_dir=world.state)


async def test_a_new_verb_moves_its_items_and_tells_what_it_did(world: World, options: TopicOptions) -> None:
    """Folder, connection, pace, workers, journal, status and report come from the engine."""
    report = await start_topics(world, options)

    assert (report.status, report.exit_code, report.counts["created"]) == ("complete", 0, 20)
    assert report.requests == {"getOrganization": 1, "addTopic": 20}
    assert report.adds_up
    run = RunFolder(world.state / "runs" / report.run)
    assert run.live_status() == "complete"
    assert run.report() == orjson.loads(orjson.dumps(report.as_dict()))


async def test_a_limit_stops_a_new_verb_and_a_resume_ends_it(world: World, options: TopicOptions) -> None:
    """What had ended is not sent again, and the costs of both sessions add up."""
    first = await start_topics(world, replace(options, limits=Limits(max_requests=8)))
    run = RunFolder(world.state / "runs" / first.run)

    assert (first.status, first.exit_code, first.adds_up) == ("stopped", 10, True)
    assert first.counts["created"] == len(units_of(run.path)) == 7
    assert first.next_commands

    last = await resume_topics(world, run, Limits())

    assert (last.status, last.counts["created"], last.requests["addTopic"]) == ("complete", 20, 20)
    assert set(options.names) <= set(world.emulator.store.collections["topics"])


async def test_an_error_of_a_new_verb_ends_the_run_and_is_told(world: World, options: TopicOptions) -> None:
    """Wrong credentials end it as they end any run: with their exit code, a report, and nothing sent."""
    report = await start_topics(world, options, Credentials(world.emulator.url, "someone@example.org", "wrong"))

    assert (report.status, report.exit_code, report.counts["unprocessed"]) == ("failed", 4, 20)
    assert report.requests == {"getOrganization": 1}
    assert "credentials" in (report.reason or "")
