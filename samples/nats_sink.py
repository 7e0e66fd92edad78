"""A sink behind `exec:`: events from stdin into a JetStream stream, each once.

    bulkgladly listen ... --to 'exec:python nats_sink.py nats://127.0.0.1:4222'

Each line is published to `gladly.<type>`, such as `gladly.CONVERSATION.CLOSED`, with the id of the event as
`Nats-Msg-Id`: the server drops a copy that comes within the stream's duplicate window (here a day). The program ends
with 0 only when the server has confirmed every line, so what was not confirmed comes again.

It needs `pip install nats-py`, and a server that was started with JetStream (`nats-server -js`).
"""

import asyncio
import json
import re
import sys

import nats
from nats.errors import Error as NatsError
from nats.js.api import StreamConfig

__all__ = ("main",)

STREAM = "GLADLY"
DUPLICATE_WINDOW_S = 24 * 3600.0
_SEPARATORS = re.compile(r"[^A-Za-z0-9_-]+")


async def _quiet(_error: Exception) -> None:
    """The error is raised as well, and told once."""


async def publish(url: str, lines: list[bytes]) -> None:
    """Publish lines, and return when the server has confirmed all of them."""
    connection = await nats.connect(
        url, connect_timeout=5, max_reconnect_attempts=1, reconnect_time_wait=0.1, error_cb=_quiet
    )
    try:
        stream = connection.jetstream(timeout=10)
        # Creating a stream that exists with the same settings changes nothing.
        await stream.add_stream(StreamConfig(name=STREAM, subjects=["gladly.>"], duplicate_window=DUPLICATE_WINDOW_S))
        for line in lines:
            event = json.loads(line)
            subject = "gladly." + _SEPARATORS.sub(".", event["type"]).strip(".")
            await stream.publish(subject, line, headers={"Nats-Msg-Id": event["id"]})
    finally:
        await connection.close()


def main() -> int:
    """Publish what is on stdin; return 1 if the server did not take all of it."""
    url = sys.argv[1] if len(sys.argv) > 1 else "nats://127.0.0.1:4222"
    lines = [line for line in sys.stdin.buffer.read().splitlines() if line.strip()]
    try:
        asyncio.run(publish(url, lines))
    except (OSError, NatsError) as error:
        print(f"NATS did not take the events: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
