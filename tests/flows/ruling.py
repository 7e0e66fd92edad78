"""Rules at work: an inbox, an emulator, and a runner whose clock a test moves."""

import asyncio
import datetime as dt
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson

from bulkgladly import Limits, Pace
from bulkgladly.api.client import Client
from bulkgladly.inbox.arrivals import Via, arrival_of
from bulkgladly.inbox.event_inbox import Inbox
from bulkgladly.inbox.rule_memory import RULES_CURSOR
from bulkgladly.messages import Request
from bulkgladly.runs.connection import Connection
from bulkgladly.runs.environment import Environment
from bulkgladly.sinks.dead_letters import DeadLetters
from bulkgladly.sinks.sinks import Fate, SinkReply
from bulkgladly.times import time_of, to_milliseconds
from bulkgladly.workflows.event_rule import EventRule
from bulkgladly.workflows.rule_file import parse_rules
from bulkgladly.workflows.rule_ports import RulePorts, RuleTime, rule_rows
from bulkgladly.workflows.rule_runner import RuleRunner
from tests.flows.conftest import World

PATIENCE_S = 20.0


async def until(holds: Callable[[], object]) -> None:
    """Wait for a condition, and fail if it never holds."""
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, "it never came true"
        await asyncio.sleep(0.002)


def moment_of_ms(time_ms: int) -> str:
    """A time as Gladly writes it."""
    return to_milliseconds(dt.datetime.fromtimestamp(time_ms / 1000, dt.UTC))


class Wall:
    """A clock of the wall that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> dt.datetime:
        return dt.datetime.fromtimestamp(self.now, dt.UTC)

    def moment(self, seconds: float = 0.0) -> str:
        """The time after so many seconds, as Gladly writes it."""
        return to_milliseconds(dt.datetime.fromtimestamp(self.now + seconds, dt.UTC))


class AskGladly:
    """What rules mention, requested from the emulator one by one."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.asked: list[str] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def customer(self, customer_id: str) -> Mapping[str, Any] | None:
        self.asked.append(customer_id)
        await self.may_answer.wait()
        return (
            await self._client.send(Request("getCustomer", "GET", f"/api/v1/customer-profiles/{customer_id}"))
        ).object

    async def object_of(self, event: Mapping[str, Any]) -> Mapping[str, Any] | None:
        conversation_id = event["content"]["conversationId"]
        self.asked.append(conversation_id)
        path = f"/api/v1/conversations/{conversation_id}"
        return (await self._client.send(Request("getConversation", "GET", path))).object


@dataclass
class Ruling:
    """One organisation with rules: events go in, and a test looks at what they do."""

    world: World
    wall: Wall = field(default_factory=Wall)
    heard: list[tuple[str, dict[str, Any]]] = field(default_factory=list[tuple[str, dict[str, Any]]])
    notes: list[str] = field(default_factory=list[str])
    asked: list[str] = field(default_factory=list[str])
    may_answer: asyncio.Event | None = None
    """If it is not set, nothing can be fetched."""
    fates: list[SinkReply] = field(default_factory=list[SinkReply])
    """How the sink takes the next events, in order; afterwards it takes all."""
    client: Callable[..., Client] | None = None
    number: int = 0
    ticks: int = 0
    """How often the loops of the rules have slept."""

    @property
    def state(self) -> Path:
        return self.world.state

    async def sink(self, to: str, event_id: str, line: bytes) -> SinkReply:
        """Take an event, or not."""
        reply = self.fates.pop(0) if self.fates else SinkReply(Fate.TAKEN)
        if reply.fate is Fate.TAKEN:
            self.heard.append((event_id, {**orjson.loads(line), "_to": to}))
        return reply

    @asynccontextmanager
    async def running(self, rules: str | tuple[EventRule, ...], **more: Any) -> AsyncIterator[Inbox]:
        """Run rules on the inbox until the block ends, as the process does that receives."""
        parsed = parse_rules(rules, "rules.toml") if isinstance(rules, str) else rules
        environment = replace(self.world.environment, sleep=self._short, wall=self.wall)
        if self.client is not None:
            environment = replace(environment, client=self.client)
        credentials = self.world.credentials
        connection = Connection(credentials, Pace(unlimited=True), Limits(), environment)
        with Inbox(self.state, credentials.host) as inbox:
            async with connection.client as client:
                fetch = AskGladly(client)
                fetch.asked = self.asked
                fetch.may_answer = self.may_answer or fetch.may_answer
                runner = self._runner(inbox, parsed, client, fetch, environment, more)
                task = asyncio.ensure_future(runner.run())
                try:
                    # Events count from now on.
                    await until(lambda: RULES_CURSOR in inbox.reader.cursors() or task.done())
                    yield inbox
                finally:
                    task.cancel()
                    await asyncio.wait([task])
                    await runner.close()
                    if not task.cancelled() and (error := task.exception()) is not None:
                        raise error

    def _runner(
        self,
        inbox: Inbox,
        rules: tuple[EventRule, ...],
        client: Client,
        fetch: AskGladly,
        environment: Environment,
        more: Mapping[str, Any],
    ) -> RuleRunner:
        return RuleRunner(
            inbox,
            rules,
            RulePorts(
                rule_rows(client, self.world.credentials.host, self.state, environment.clock),
                self.sink,
                fetch,
                DeadLetters(self.state),
            ),
            note=self.notes.append,
            environment=environment,
            time=RuleTime(self.wall, **more),
        )

    def event(self, type_: str, *, at_s: float = 0.0, by: str = "AGENT", **content: Any) -> dict[str, Any]:
        """An event that is recorded so many seconds from now."""
        self.number += 1
        return {
            "id": f"event-{self.number}",
            "type": type_,
            "timestamp": self.wall.moment(at_s),
            "initiator": {"id": "agent-1", "type": by},
            "content": content,
        }

    async def put(self, inbox: Inbox, *events: Mapping[str, Any]) -> None:
        """Let events arrive, each when it is recorded, and wait until they are taken in."""
        await self.let_in(inbox, *events)
        await until(lambda: inbox.reader.cursors()[RULES_CURSOR] >= inbox.last_seq)

    async def let_in(self, inbox: Inbox, *events: Mapping[str, Any]) -> None:
        """Let events arrive, each when it is recorded."""
        arrivals = []
        for event in events:
            at = time_of(event["timestamp"])
            assert at is not None
            arrivals.append(arrival_of(orjson.dumps(event), Via.WEBHOOK, at))
        await inbox.put(arrivals)

    def dead(self) -> list[dict[str, Any]]:
        """What was given up."""
        path = self.state / "dead.ndjson"
        return [orjson.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []

    def waiting(self, inbox: Inbox) -> int:
        """How many actions are not done."""
        return int(inbox.reader.query("SELECT COUNT(*) FROM rule_actions")[0][0])

    def own_events(self, type_: str) -> list[dict[str, Any]]:
        """The events of a type that the emulator has recorded."""
        return [event.shown() for event in self.world.emulator.store.event_log if event.type == type_]

    async def _short(self, _seconds: float) -> None:
        # The clock of the wall stands still, so that only the order of what happens matters.
        self.ticks += 1
        await asyncio.sleep(0.001)
