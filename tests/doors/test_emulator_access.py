"""Who may call the emulator, what it knows, and what it counts."""

import base64
from collections.abc import Mapping
from typing import Any

import aiohttp
import pytest

from bulkgladly.emulator import Emulator
from bulkgladly.emulator.protocol.replies import no_content
from bulkgladly.emulator.protocol.routing import Found, Operation, Router
from tests.signing import basic_auth

AGENTS = "/api/v1/agents"
TOKEN = "emulator-token"


def basic(username: str, token: str) -> dict[str, str]:
    return {"Authorization": basic_auth(username, token)}


def session(emulator: Emulator, headers: Mapping[str, str] | None = None) -> aiohttp.ClientSession:
    default = basic(emulator.options.username, emulator.options.token)
    return aiohttp.ClientSession(emulator.url, headers=default if headers is None else headers)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        basic("agent@example.org", "wrong"),
        basic("nobody@example.org", TOKEN),
        {"Authorization": "Bearer emulator-token"},
        {"Authorization": "Basic ???"},
        {"Authorization": "Basic " + base64.b64encode(b"no colon").decode()},
        {"Authorization": "Basic " + base64.b64encode(b"\xff:\xff").decode()},
    ],
    ids=["none", "wrong token", "unknown user", "bearer", "not base64", "no colon", "not UTF-8"],
)
async def test_wrong_or_missing_credentials_are_401(headers: dict[str, str]) -> None:
    """The operation is not carried out."""
    async with Emulator() as emulator, session(emulator, headers) as client:
        async with client.post("/api/v1/customer-profiles", json={}) as response:
            assert response.status == 401
            assert (await response.json())["errors"][0]["code"] == "unauthorized"

        assert emulator.store.count("customers") == 0


async def test_user_without_permission_is_403() -> None:
    """Known, with the right token, and still not allowed."""
    async with Emulator() as emulator, session(emulator, basic("noperm@example.org", TOKEN)) as client:
        for _ in range(2):
            async with client.get(AGENTS) as response:
                assert response.status == 403


async def test_delete_needs_compliance_admin() -> None:
    """A plain API user may do everything else."""
    async with (
        Emulator(seed_customers=1) as emulator,
        session(emulator, basic("nocompliance@example.org", TOKEN)) as client,
    ):
        async with client.delete("/api/v1/customer-profiles/seeded-0000000") as response:
            assert response.status == 403
        async with client.get("/api/v1/customer-profiles/seeded-0000000") as response:
            assert response.status == 200


async def test_credentials_are_options() -> None:
    """User and token can be set, colons in the token included; the scheme's case does not matter."""
    credentials = base64.b64encode(b"me@example.org:a:b").decode()
    async with (
        Emulator(username="me@example.org", token="a:b") as emulator,
        session(emulator, {"Authorization": f"basic {credentials}"}) as client,
        client.get(AGENTS) as response,
    ):
        assert response.status == 200


@pytest.mark.parametrize(("kind", "content_type"), [("plain", "text/plain"), ("html", "text/html"), ("empty", "")])
async def test_refusal_body_is_an_option(kind: str, content_type: str) -> None:
    """The body of a 401 is not documented, so a client must bear anything."""
    async with (
        Emulator(refusal_body=kind) as emulator,
        session(emulator, {}) as client,
        client.get(AGENTS) as response,
    ):
        assert response.status == 401
        assert response.headers.get("Content-Type", "") == content_type
        assert bool(await response.read()) == bool(content_type)


async def test_directory_lists_and_single_objects() -> None:
    """Each list is whole, and each of its objects can be had by id."""
    async with Emulator(rate=None) as emulator, session(emulator) as client:
        for kind in ("agents", "inboxes", "teams", "topics"):
            async with client.get(f"/api/v1/{kind}") as response:
                listed = await response.json()
            assert listed == list(emulator.store.collections[kind].values())
            async with client.get(f"/api/v1/{kind}/{listed[0]['id']}") as response:
                assert await response.json() == listed[0]
            async with client.get(f"/api/v1/{kind}/nothing") as response:
                assert response.status == 404
        async with client.get("/api/v1/audiences") as response:
            assert len(await response.json()) == 2
        async with client.get("/api/v1/organization") as response:
            assert (await response.json())["timezone"] == "America/New_York"


async def test_unknown_path_is_404_and_unknown_method_405() -> None:
    """They are counted, and cost nothing of the rate limit."""
    async with Emulator(rate=1) as emulator, session(emulator) as client:
        for path in ("/", "/api/v1/nonsense", "/api/v1/agents/", "/api/v2/agents", "/api/v1/agents/a/b"):
            async with client.get(path) as response:
                assert response.status == 404
        async with client.put(AGENTS) as response:
            assert (response.status, response.headers["Allow"]) == (405, "GET")

        assert emulator.limiter.admitted == 0
        assert emulator.requests.count() == 6
        assert emulator.requests.count("PUT (unknown path)") == 1


def test_literal_segment_wins_over_a_variable_one() -> None:
    """A fixed path beside a path with an id stays reachable."""

    def row(path: str) -> Operation:
        return Operation("GET", path, path, lambda _: no_content(), (204,))

    router = Router([row("/a/{id}/c"), row("/a/list/{n}"), row("/a/{id}")])

    def found(path: str) -> tuple[str, dict[str, str]] | None:
        match = router.find("GET", path)
        return (match.operation.path, dict(match.params)) if isinstance(match, Found) else None

    assert found("/a/list/7") == ("/a/list/{n}", {"n": "7"})
    assert found("/a/x%2Fy/c") == ("/a/{id}/c", {"id": "x/y"})
    assert found("/a/x") == ("/a/{id}", {"id": "x"})
    assert found("/a//c") is None


async def test_path_variables_are_percent_decoded() -> None:
    """An encoded character names the same object."""
    async with (
        Emulator(seed_customers=1) as emulator,
        session(emulator) as client,
        client.get("/api/v1/customer-profiles/seeded%2D0000000") as response,
    ):
        assert response.status == 200


async def test_requests_are_counted_and_the_last_ones_kept() -> None:
    """By operation and by status; the log shows method, path, status and operation."""
    async with Emulator(rate=None) as emulator, session(emulator) as client:
        for path in (AGENTS, AGENTS, f"{AGENTS}/nobody"):
            await client.get(path)

        log = emulator.requests
        assert (log.count(), log.count("getAgents"), log.count("getAgent")) == (3, 2, 1)
        assert (log.count(status=200), log.count("getAgent", status=404)) == (2, 1)
        assert log.recent[-1][1:] == ("GET", f"{AGENTS}/nobody", 404, "getAgent")
        log.clear()
        assert (log.count(), len(log.recent)) == (0, 0)


async def test_url_before_the_start_is_an_error() -> None:
    """Nobody talks to a port that does not exist yet."""
    with pytest.raises(RuntimeError, match="has not been started"):
        _ = Emulator().url


def test_unknown_option_is_refused() -> None:
    """A misspelt option is not silently ignored."""
    with pytest.raises(TypeError, match="ratte"):
        Emulator(ratte=10)


@pytest.mark.parametrize(
    "option",
    [
        {"rate": 0},
        {"burst": 0},
        {"latency_s": -1},
        {"seed_customers": -1},
        {"algorithm": "dice"},
        {"not_found": "?"},
    ],
)
def test_impossible_option_is_refused_by_name(option: dict[str, Any]) -> None:
    """The message says which option is wrong."""
    with pytest.raises(ValueError, match=next(iter(option))):
        Emulator(**option)
