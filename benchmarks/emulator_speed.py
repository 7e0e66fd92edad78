"""How many creates a second the emulator answers on one core.

    python benchmarks/emulator_speed.py [--creates 15000] [--connections 16] [--rounds 5]

The emulator runs in its own process, pinned to one core. The driver is a bare asyncio protocol on
another core. Each create is a new customer with an email address and a mobile number, so it passes
every uniqueness check. The program prints the rate of each round and the median.
"""

import argparse
import asyncio
import base64
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from itertools import count
from typing import IO, cast

import orjson

_USER, _TOKEN = "agent@example.org", "emulator-token"
_AREAS = [area for area in range(201, 990) if area % 100 != 11]


class _Driver(asyncio.Protocol):
    """One connection that sends the next create as soon as it has the response to the last."""

    def __init__(self, requests: Iterator[bytes], finished: asyncio.Future[None]) -> None:
        self._requests, self._finished = requests, finished
        self._received = b""
        self.created = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        self._received += data
        # The response to a create has no body, so the end of its head is its end.
        if not self._received.endswith(b"\r\n\r\n"):
            return
        if not self._received.startswith(b"HTTP/1.1 201"):
            self._finished.set_exception(RuntimeError(self._received.decode()))
            return
        self._received = b""
        self.created += 1
        self._send()

    def _send(self) -> None:
        request = next(self._requests, None)
        if request is not None:
            self._transport.write(request)
        else:
            self._transport.close()
            self._finished.set_result(None)


def _phones(n: int) -> list[dict[str, str]]:
    # Only 555-0100 to 555-0199 is reserved in each area: enough for the default number of creates.
    area, line = divmod(n, 100)
    if area >= len(_AREAS):
        return []
    return [{"original": f"+1{_AREAS[area]}55501{line:02}", "type": "MOBILE"}]


def _creates(first: int, number: int) -> list[bytes]:
    credentials = base64.b64encode(f"{_USER}:{_TOKEN}".encode()).decode()
    head = (
        "POST /api/v1/customer-profiles HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n"
        f"Content-Type: application/json\r\nAuthorization: Basic {credentials}\r\nContent-Length: "
    )
    requests = []
    for n in range(first, first + number):
        profile = {
            "id": f"bench-{n:09}",
            "name": "Ada Example",
            "address": "1 Test Lane, Springfield",
            "emails": [{"original": f"Ada.{n}@Example.org", "primary": True}],
            "phones": _phones(n),
            "customAttributes": {"tier": "gold"},
        }
        body = orjson.dumps(profile)
        requests.append(head.encode() + str(len(body)).encode() + b"\r\n\r\n" + body)
    return requests


async def _round(port: int, requests: list[bytes], connections: int) -> float:
    loop = asyncio.get_running_loop()
    shared, finished = iter(requests), [loop.create_future() for _ in range(connections)]
    started = time.perf_counter()
    for future in finished:
        await loop.create_connection(partial(_Driver, shared, future), "127.0.0.1", port)
    await asyncio.gather(*finished)
    return len(requests) / (time.perf_counter() - started)


def _start_emulator(core: int) -> tuple[subprocess.Popen[bytes], int]:
    command = [sys.executable, "-m", "bulkgladly.emulator", "--port", "0", "--rate", "0"]
    process = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),  # noqa: PLW1509  # no threads here
    )
    errors = cast("IO[bytes]", process.stderr)
    first_line = errors.readline().decode()
    return process, int(first_line.rsplit(":", 1)[1])


def main() -> None:
    """Run the benchmark and print the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--creates", type=int, default=15_000)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    process, port = _start_emulator(cores[-1])
    os.sched_setaffinity(0, {cores[0]})
    try:
        rates, numbers = [], count(0, given.creates)
        for _ in range(given.rounds):
            requests = _creates(next(numbers), given.creates)
            rates.append(asyncio.run(_round(port, requests, given.connections)))
            print(f"{rates[-1]:8,.0f} creates/s")
    finally:
        process.terminate()
        process.wait()
    size = len(_creates(0, 1)[0])
    print(
        f"median {statistics.median(rates):,.0f} creates/s on one core: {given.connections} connections, "
        f"{size} bytes a request, Python {platform.python_version()}, {len(cores)} cores"
    )


if __name__ == "__main__":
    main()
