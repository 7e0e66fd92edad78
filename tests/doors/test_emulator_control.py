"""The emulator's own endpoints."""

from typing import Any

import aiohttp
import pytest

from bulkgladly.emulator import Emulator


async def post(emulator: Emulator, door: str, payload: object) -> tuple[int, Any]:
    async with (
        aiohttp.ClientSession(emulator.url) as client,
        client.post(f"/_emulator/{door}", json=payload) as response,
    ):
        return response.status, await response.json()


async def status_of(emulator: Emulator) -> dict[str, Any]:
    async with (
        aiohttp.ClientSession(emulator.url) as client,
        client.get("/_emulator/status") as response,
    ):
        assert response.status == 200
        found: dict[str, Any] = await response.json()
        return found


async def test_control_needs_no_credentials_and_is_neither_limited_nor_counted() -> None:
    """It works when the budget is used up, and leaves no trace in the counts."""
    async with Emulator(rate=1, seed_customers=2) as emulator:
        for _ in range(5):
            await status_of(emulator)
        status = await status_of(emulator)

        assert status["counts"]["customers"] == 2
        assert (status["admitted"], status["refused"], status["requests"]) == (0, 0, {})


async def test_status_counts_requests_by_operation_and_status() -> None:
    """A demonstration can show what happened without the Python API."""
    async with Emulator(rate=None) as emulator, aiohttp.ClientSession(emulator.url) as client:
        await client.get("/api/v1/agents")
        await post(emulator, "neighbour", {"per_second": 2, "seed": 1})

        status = await status_of(emulator)

        assert status["requests"] == {"getAgents": 1}
        assert status["statuses"] == {"401": 1}
        assert status["neighbour"]["per_second"] == 2


@pytest.mark.parametrize("rate", [50, None])
async def test_rate_can_be_set(rate: int | None) -> None:
    """A number, or null for no limit."""
    async with Emulator(rate=10) as emulator:
        assert await post(emulator, "rate", {"rate": rate}) == (200, {"rate": rate})
        assert emulator.limiter.rate == rate


async def test_merge() -> None:
    """What only Gladly's application can do is done here."""
    async with Emulator() as emulator:
        emulator.add_customer(id="old")
        emulator.add_customer(id="new")

        assert (await post(emulator, "merge", {"old": "old", "new": "new"}))[0] == 200
        assert emulator.store.merged == {"old": "new"}
        assert (await status_of(emulator))["merged"] == 1


async def test_faults_can_be_added_and_dropped() -> None:
    """The same list as in a file."""
    async with Emulator() as emulator, aiohttp.ClientSession(emulator.url) as client:
        assert await post(emulator, "faults", [{"fault": "status", "status": 503}]) == (200, {"rules": 1})
        async with client.get("/api/v1/agents") as response:
            assert response.status == 503
        async with client.delete("/_emulator/faults") as response:
            assert await response.json() == {"rules": 0}
        async with client.get("/api/v1/agents") as response:
            assert response.status == 401


@pytest.mark.parametrize(
    ("door", "payload"),
    [
        ("rate", {}),
        ("rate", {"rate": 0}),
        ("rate", {"rate": 1.5}),
        ("rate", {"rate": True}),
        ("rate", []),
        ("rate", None),
        ("merge", {"old": "nobody", "new": "nobody-2"}),
        ("merge", {"old": [], "new": {}}),
        ("merge", {"old": "nobody", "new": "nobody"}),
        ("faults", [{"fault": "explode"}]),
        ("faults", {}),
        ("neighbour", {"per_second": "many"}),
        ("neighbour", {"per_second": -1}),
    ],
)
async def test_what_cannot_be_done_is_400_with_the_reason(door: str, payload: object) -> None:
    """And nothing has changed."""
    async with Emulator(rate=10) as emulator:
        status, answer = await post(emulator, door, payload)

        assert status == 400
        assert answer["errors"][0]["detail"]
        assert (emulator.limiter.rate, len(emulator.faults), emulator.store.merged) == (10, 0, {})


async def test_malformed_body_is_400_and_unknown_door_404() -> None:
    """A typing mistake is told, not swallowed."""
    async with Emulator() as emulator, aiohttp.ClientSession(emulator.url) as client:
        async with client.post("/_emulator/rate", data=b"{") as response:
            assert response.status == 400
        async with client.get("/_emulator/nonsense") as response:
            assert response.status == 404


async def test_connections_can_be_refused_for_a_time() -> None:
    """The answer still comes; then nobody gets in until the time is over."""
    async with Emulator(rate=None) as emulator:
        assert await post(emulator, "refuse", {"for_s": 60}) == (200, {"for_s": 60.0})
        is_open = True
        while is_open:
            try:
                await status_of(emulator)
            except aiohttp.ClientError:
                is_open = False
        with pytest.raises(aiohttp.ClientConnectorError):
            await status_of(emulator)
        await emulator.accept()

        assert (await status_of(emulator))["requests"] == {}


@pytest.mark.parametrize("payload", [{}, {"for_s": -1}, {"for_s": "long"}, {"for_s": "inf"}, []])
async def test_a_refusal_without_a_time_is_refused(payload: object) -> None:
    """Nobody locks himself out for ever."""
    async with Emulator(rate=None) as emulator:
        assert (await post(emulator, "refuse", payload))[0] == 400
