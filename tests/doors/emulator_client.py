"""How the tests of the emulator talk to it: a client with credentials, and replies as values to compare."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from bulkgladly.emulator import Emulator
from tests.signing import basic_auth

__all__ = ("an_emulator", "asked", "client_of", "problems_of", "replied")


def an_emulator(**options: Any) -> Emulator:
    """An emulator without a limit."""
    return Emulator(rate=None, **options)


@asynccontextmanager
async def client_of(emulator: Emulator) -> AsyncIterator[aiohttp.ClientSession]:
    """A running emulator and somebody who may use it."""
    credentials = basic_auth(emulator.options.username, emulator.options.token)
    async with emulator, aiohttp.ClientSession(emulator.url, headers={"Authorization": credentials}) as client:
        yield client


async def replied(client: aiohttp.ClientSession, method: str, path: str, payload: object = None) -> tuple[int, Any]:
    """The status, and the body as JSON if there is one."""
    async with client.request(method, path, json=payload, allow_redirects=False) as response:
        return response.status, await response.json() if await response.read() else None


async def asked(client: aiohttp.ClientSession, method: str, path: str, payload: object = None) -> tuple[int, Any]:
    """Status and body; problems as pairs of attribute and code."""
    status, body = await replied(client, method, path, payload)
    return status, problems_of(body) if isinstance(body, dict) and "errors" in body else body


def problems_of(envelope: Any) -> list[tuple[str | None, str]]:
    """The problems of a refusal, as pairs of attribute and code."""
    return [(problem.get("attr"), problem["code"]) for problem in envelope["errors"]]
