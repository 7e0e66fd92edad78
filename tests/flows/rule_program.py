"""A process that receives invented events and runs rules on them, to be killed: `python -m tests.flows.rule_program`.

It takes the state directory, the address of the emulator, the file that the sink writes, the first moment in
milliseconds, and the number of events. Each start receives the same events.
"""

import asyncio
import datetime as dt
import os
import sys
from pathlib import Path

import orjson

from bulkgladly import Limits, Pace
from bulkgladly.inbox.arrivals import Via, arrival_of
from bulkgladly.inbox.event_inbox import Inbox
from bulkgladly.runs.connection import Connection
from bulkgladly.settings import Credentials
from bulkgladly.sinks.dead_letters import DeadLetters
from bulkgladly.sinks.sinks import Fate, SinkReply
from bulkgladly.workflows.rule_file import parse_rules
from bulkgladly.workflows.rule_ports import RulePorts, rule_rows
from bulkgladly.workflows.rule_runner import RuleRunner
from tests.flows.conftest import TOKEN
from tests.flows.quickly import QUICK
from tests.flows.ruling import AskGladly, moment_of_ms

__all__ = ("SPACE_MS", "events_of", "expected")

SPACE_MS = 20
RULES = """
[[rules]]
name = "waits"
on = "CONTACT/STARTED"
key = "contact"
after = "1s"
unless = "CONTACT/ENDED"
do = [
  { to = "exec:sink" },
  { import = "tasks", row = { customerId = "ada", inboxId = "inbox-1", body = "{event.id}", dueAt = "{in 1d}" } },
  { import = "notes", row = { conversationId = "talk", body = "{event.id}" } },
]
"""


def events_of(first_ms: int, count: int) -> list[bytes]:
    """Contacts that begin; every third of them ends in time, and its end comes first."""
    found: list[bytes] = []
    for number in range(count):
        at_ms = first_ms + number * SPACE_MS
        if number % 3 == 0:
            found.append(_event(number, "ENDED", at_ms + 900))
        found.append(_event(number, "STARTED", at_ms))
    return found


def expected(count: int) -> list[str]:
    """The ids of the events for which the rule fires."""
    return [f"STARTED-{number}" for number in range(count) if number % 3]


def _event(number: int, kind: str, at_ms: int) -> bytes:
    event = {
        "id": f"{kind}-{number}",
        "type": f"CONTACT/{kind}",
        "timestamp": moment_of_ms(at_ms),
        "initiator": {"id": "a", "type": "AGENT"},
        "content": {"contactId": f"k{number}", "conversationId": "talk", "customerId": "ada", "channel": "CHAT"},
    }
    return orjson.dumps(event)


async def main(state: Path, host: str, out: Path, first_ms: int, count: int) -> None:
    """Receive the events, and run the rules until killed."""
    handle = os.open(out, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    connection = Connection(Credentials(host, "agent@example.org", TOKEN), Pace(unlimited=True), Limits(), QUICK)

    async def sink(_to: str, name: str, _line: bytes) -> SinkReply:
        os.write(handle, name.encode() + b"\n")
        return SinkReply(Fate.TAKEN)

    with Inbox(state, connection.host) as inbox:
        async with connection.client as client:
            runner = RuleRunner(
                inbox,
                parse_rules(RULES, "rules.toml"),
                RulePorts(
                    rule_rows(client, connection.host, state, QUICK.clock), sink, AskGladly(client), DeadLetters(state)
                ),
                settle_s=0.1,
                environment=QUICK,
            )
            await inbox.begin_cursor("rules")
            os.write(1, b"begun\n")
            running = asyncio.ensure_future(runner.run())
            for body in events_of(first_ms, count):
                await inbox.put([arrival_of(body, Via.FEED, dt.datetime.now(dt.UTC))])
            await running


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])))
