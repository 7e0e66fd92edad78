"""A program that asks an organisation as fast as it may, until it is ended: `python -m tests.flows.asking NAME`.

It creates one customer with that name and reads it over and over, so the emulator can tell who asked.
"""

import asyncio
import os
import sys

import orjson

from bulkgladly import Credentials, Limits, Pace
from bulkgladly.messages import Repeat, Request
from bulkgladly.runs.connection import Connection

PATH = "/api/v1/customer-profiles"


async def ask(name: str) -> None:
    """Ask with several requests in flight, as a run does."""
    connection = Connection(Credentials.from_environment(os.environ), Pace(), Limits())
    body = orjson.dumps({"id": name, "name": name, "emails": [{"original": f"{name}@example.org"}]})
    async with connection.client as client:
        await client.send(Request("createCustomer", "POST", PATH, body=body, repeat=Repeat.DETECTED))

        async def worker() -> None:
            while True:
                await client.send(Request("getCustomer", "GET", f"{PATH}/{name}"))

        async with asyncio.TaskGroup() as group:
            for _ in range(8):
                group.create_task(worker())


if __name__ == "__main__":
    asyncio.run(ask(sys.argv[1]))
