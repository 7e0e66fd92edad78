"""An organisation whose events are followed into one state directory."""

import asyncio
import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import anyio

from bulkgladly import Credentials, Pace
from bulkgladly.emulator import Emulator
from bulkgladly.errors import Withdrawn
from bulkgladly.inbox.stored_events import InboxReader, StoredEvent, inbox_path
from bulkgladly.realtime.realtime_options import RealtimeOptions
from bulkgladly.realtime.run_realtime import RealtimeReport, start_realtime
from bulkgladly.runs.observer import Observer
from tests.flows.quickly import QUICK

TOKEN = "planted-token-7f3a9c"
EVERY_S = 30.0


class Told(Observer):
    """What people were told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, text: str) -> None:
        self.lines.append(text)


@dataclass
class Followed:
    """One organisation, and one state directory into which its events come."""

    emulator: Emulator
    state: Path
    told: Told

    def add(self, *types: str, **content: Any) -> list[str]:
        """Let things happen, and return the ids of the events."""
        log = self.emulator.store.event_log
        return [log.add(name, {"taskId": "task-1", "customerId": "customer-1", **content}).id for name in types]

    async def follow(
        self,
        polls: int = 1,
        *,
        between: Callable[[int], None] = lambda _: None,
        until: Callable[[], bool] = lambda: True,
        wall: Callable[[], dt.datetime] = QUICK.wall,
        lock_wait_s: float = QUICK.lock_wait_s,
        **options: Any,
    ) -> RealtimeReport:
        """Follow until the feed has been read `polls` times; `between` is called after each with its number.

        It goes on until `until` holds as well, since a command that gets events takes its time; for 20 s at most.
        """
        polled = 0

        async def sleep(seconds: float) -> None:
            nonlocal polled
            if seconds == EVERY_S:
                polled += 1
                between(polled)
                if polled == polls:
                    with anyio.fail_after(20):
                        while not until():  # noqa: ASYNC110 - a file of another process
                            await anyio.sleep(0.01)
                    raise Withdrawn("that is enough")
            await asyncio.sleep(0)

        chosen = RealtimeOptions(state_dir=self.state, every_s=EVERY_S, pace=Pace(unlimited=True))
        environment = replace(QUICK, wall=wall, sleep=sleep, random=lambda: 0.5, lock_wait_s=lock_wait_s)
        return await start_realtime(
            replace(chosen, **options), self.credentials, observer=self.told, environment=environment
        )

    @property
    def credentials(self) -> Credentials:
        return Credentials(self.emulator.url, self.emulator.options.username, TOKEN)

    def stored(self) -> list[StoredEvent]:
        """All events of the inbox."""
        reader = InboxReader(inbox_path(self.state))
        try:
            return reader.after(0)
        finally:
            reader.close()

    def ids(self) -> list[str]:
        return [found.dedupe_id for found in self.stored()]
