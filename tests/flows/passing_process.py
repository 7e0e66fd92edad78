"""A process that passes events on until it is killed: `python -m tests.flows.passing_process STATE_DIR TO SETTLE_S`."""

import asyncio
import sys
from pathlib import Path

from bulkgladly.inbox.event_inbox import Inbox
from bulkgladly.sinks.dead_letters import DeadLetters
from bulkgladly.sinks.sink_choice import sink_of
from bulkgladly.sinks.sink_loop import SinkLoop
from tests.flows.sink_setting import HOST, IMPATIENT, event, put, soon

__all__ = ("main",)

SLICE = 40


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


async def receive(inbox: Inbox, count: int) -> None:
    """Receive invented events, out of order within a slice, from where the last process was."""
    for begin in range(0, count, SLICE):
        numbers = [begin + (7 * step) % SLICE for step in range(SLICE)]
        await put(inbox, [event(number, key=f"c{number % 5}") for number in numbers])
        await asyncio.sleep(0.002)


async def work(state_dir: Path, to: str, settle_s: float, count: int) -> None:
    """Pass on and receive at the same time, until all has left."""
    with Inbox(state_dir, HOST) as inbox:
        sink = sink_of(to, _say)
        loop = SinkLoop(
            inbox,
            sink,
            DeadLetters(state_dir),
            settle_s=settle_s,
            give_up_s=60.0,
            note=_say,
            environment=IMPATIENT,
        )
        await loop.begin(after=0)
        running = asyncio.ensure_future(loop.run())
        await receive(inbox, count)
        # Not `count`: numbers may be left out.
        await soon(inbox, sink.name, inbox.last_seq)
        loop.stop()
        await running


def main() -> None:
    """Read the arguments and work."""
    state_dir, to, settle_s, count = sys.argv[1:]
    asyncio.run(work(Path(state_dir), to, float(settle_s), int(count)))


if __name__ == "__main__":
    main()
