"""Gladly, the network and the host in a bad mood: nothing is lost, nothing is made twice."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from bulkgladly import Credentials, ImportOptions, Pace
from bulkgladly.emulator import Fault, drop_reply, half_body, rate_limited, reset, status, wrong_length
from tests.flows.conftest import TOKEN, World, check_report, people, person
from tests.flows.quickly import HASTY, start_import

ROWS = 20
FAULTS: dict[str, Fault] = {
    "429": rate_limited(),
    "429 with Retry-After": rate_limited(retry_after_s=0),
    "429 in HTML": rate_limited(body="html"),
    "429 without a body": rate_limited(body="empty"),
    "500": status(500),
    "502 in HTML": status(502, body="html"),
    "503 without a body": status(503, body="empty"),
    "504 after it was done": status(504, executes=True),
    "reset before": reset(),
    "reset after it was done": reset(executes=True),
    "closed after it was done": drop_reply(),
    "half a body": half_body(),
    "half a body, nothing done": half_body(executes=False),
    "wrong length": wrong_length(),
}


def all_names() -> dict[str, str]:
    return {f"person.{number}@example.org": f"Sample Person {number}" for number in range(ROWS)}


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("operation", ["createCustomer", "*"])
async def test_a_fault_now_and_then_changes_nothing(name: str, operation: str, world: World) -> None:
    """Each seventh request is hit; every customer is made once, and counted as made."""
    world.emulator.faults.every(operation, 7, FAULTS[name])

    report = await world.rows(people(ROWS))

    assert world.names() == all_names()
    assert (report.counts["created"], report.exit_code) == (ROWS, 0)
    assert report.throttled == (world.emulator.requests.count(status=429))


@pytest.mark.parametrize("name", FAULTS)
async def test_a_fault_in_an_update_changes_nothing(name: str, world: World) -> None:
    """Looks and changes are repeated, since repeating them is harmless."""
    await world.rows(people(ROWS))
    world.emulator.faults.every("*", 7, FAULTS[name])

    report = await world.rows(people(ROWS, name="Changed", **{"email:2": ""}), read_first=True)

    assert set(world.names().values()) == {"Changed"}
    assert (report.counts["updated"], report.exit_code) == (ROWS, 0)


@pytest.mark.parametrize("name", FAULTS)
async def test_a_fault_in_a_delete_changes_nothing(name: str, world: World) -> None:
    """Whoever is gone after a lost answer was deleted by us."""
    await world.rows(people(ROWS))
    world.emulator.faults.every("deleteCustomer", 7, FAULTS[name])

    report = await world.rows(people(ROWS), mode="delete")

    assert not world.emulator.store.customers
    assert (report.counts["deleted"], report.exit_code) == (ROWS, 0)


@pytest.mark.parametrize("executes", [False, True])
async def test_a_record_that_gladly_cannot_digest_is_rejected(executes: bool, world: World) -> None:
    """A 500 for one record, again and again, while all others pass: the run goes on."""
    path = "POST /api/v1/customer-profiles"
    world.emulator.faults.script(path, [*[None] * 3, *[status(500, executes=executes)] * 60])

    report = await world.rows(people(4), pace=Pace(unlimited=True, concurrency=1))

    assert report.counts["created"] == (4 if executes else 3)
    assert report.counts["rejected"] == (0 if executes else 1)
    assert report.status == "complete"


async def test_a_real_limit_is_kept_to(make_world: Any) -> None:
    """Refusals, of which there are many where somebody else wants more than all, never spend the error budget."""
    world: World = await make_world(rate=50, neighbour_rate=150)
    # Whether the other one gets in between is luck, so some refusals are certain.
    world.emulator.faults.script("createCustomer", [rate_limited()] * 3)

    report = await world.rows(people(12), pace=Pace(rate=None, reserve=0.0), max_errors=0)

    assert world.emulator.requests.count(status=429) >= 3
    assert report.counts["created"] == 12
    assert report.status == "complete"


@pytest.mark.parametrize(
    ("username", "token", "part"),
    [("agent@example.org", "another-token", "GLADLY_API_TOKEN"), ("noperm@example.org", TOKEN, "API User")],
)
async def test_wrong_credentials_stop_the_run_and_reject_nothing(
    username: str, token: str, part: str, world: World
) -> None:
    """401 and 403 are told apart, and no record is to blame."""
    path = world.ndjson(people(5))

    report = await start_import("customers", [path], Credentials(world.emulator.url, username, token), world.options)

    check_report(report, rows=5)
    assert (report.exit_code, report.status) == (4, "failed")
    assert part in (report.reason or "")
    assert token not in (report.reason or "")
    assert report.counts["unprocessed"] == 5
    assert world.asked() == {}


@pytest.mark.parametrize("code", [401, 403])
async def test_credentials_that_are_withdrawn_in_mid_run_stop_it(code: int, world: World) -> None:
    """At any time; with new ones a resume ends the work."""
    world.emulator.faults.script("createCustomer", [*[None] * 5, *[status(code)] * 100])
    path = world.ndjson(people(ROWS))

    report = await world.run(path, pace=Pace(unlimited=True, concurrency=2))
    world.emulator.faults.clear()
    resumed = await world.resume()

    assert (report.exit_code, report.counts["rejected"]) == (4, 0)
    assert report.counts["unprocessed"] > 0
    assert (resumed.exit_code, resumed.counts["created"]) == (0, ROWS)


async def test_delete_without_its_permission_stops_the_run(world: World) -> None:
    """Compliance Admin is named."""
    await world.rows(people(3))
    credentials = Credentials(world.emulator.url, "nocompliance@example.org", TOKEN)

    report = await start_import(
        "customers", [world.ndjson(people(3))], credentials, world.choose({"mode": "delete"}), new_run=True
    )

    assert report.exit_code == 4
    assert "Compliance Admin" in (report.reason or "")
    assert len(world.emulator.store.customers) == 3


@asynccontextmanager
async def server(answer: Callable[[web.BaseRequest], web.Response]) -> AsyncIterator[str]:
    """A host that answers everything in one way."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        return answer(request)

    inner = web.Server(handle, access_log=None)
    listening = await asyncio.get_running_loop().create_server(inner, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    finally:
        listening.close()
        await inner.shutdown(1.0)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda _: web.Response(status=404, text="<html>"), id="404"),
        pytest.param(lambda _: web.json_response({"errors": []}, status=404), id="404 in JSON"),
        pytest.param(lambda _: web.Response(status=302, headers={"Location": "/login"}), id="redirect"),
    ],
)
async def test_a_host_that_has_no_organisation_stops_the_run(answer: Any, world: World) -> None:
    """A wrong organisation: exit 4, nothing rejected, one request."""
    seen: list[str] = []

    def noted(request: web.BaseRequest) -> web.Response:
        seen.append(f"{request.method} {request.path}")
        response: web.Response = answer(request)
        return response

    async with server(noted) as url:
        report = await start_import(
            "customers",
            [world.ndjson(people(3))],
            Credentials(url, "agent@example.org", TOKEN),
            world.options,
        )

    check_report(report, rows=3)
    assert (report.exit_code, report.counts["unprocessed"]) == (4, 3)
    assert "GLADLY_HOST" in (report.reason or "")
    assert seen == ["GET /api/v1/organization"]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda _: web.Response(text="<html>welcome</html>"), id="a web site"),
        pytest.param(lambda _: web.Response(text=""), id="nothing"),
        pytest.param(lambda _: web.json_response([]), id="a list"),
        pytest.param(lambda _: web.json_response({"status": "ok"}), id="something else in JSON"),
        pytest.param(lambda _: web.Response(status=400, text="<html>"), id="400 of a gateway"),
    ],
)
async def test_no_customer_is_sent_to_a_host_that_is_no_gladly(answer: Any, world: World) -> None:
    """It may be a login page in front of Gladly, so it is asked for a while; then exit 5, all unprocessed."""
    seen: set[str] = set()

    def noted(request: web.BaseRequest) -> web.Response:
        seen.add(f"{request.method} {request.path}")
        response: web.Response = answer(request)
        return response

    credentials = "agent@example.org", TOKEN
    async with server(noted) as url:
        report = await start_import(
            "customers", [world.ndjson(people(3))], Credentials(url, *credentials), world.options, environment=HASTY
        )

    check_report(report, rows=3)
    assert (report.exit_code, report.counts["unprocessed"]) == (5, 3)
    assert "not in Gladly's format" in (report.reason or "")
    assert "GLADLY_HOST" in (report.reason or "")
    assert seen == {"GET /api/v1/organization"}


async def test_an_organisation_that_vanishes_in_mid_run_stops_it(world: World) -> None:
    """Every path answers 404 from now on: no record is rejected for it."""
    world.emulator.faults.after("createCustomer", 5, status(404, body="html"))
    world.emulator.faults.after("getOrganization", 1, status(404, body="html"))

    report = await world.run(world.ndjson(people(ROWS)), pace=Pace(unlimited=True, concurrency=1))

    assert (report.exit_code, report.counts["created"], report.counts["rejected"]) == (4, 5, 0)


@contextlib.contextmanager
def refusing_port() -> Iterator[int]:
    """A port that refuses connections: it is taken, so nobody else can listen there meanwhile."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        yield port


async def test_a_host_that_is_not_there_is_given_up(world: World) -> None:
    """Exit 5, everything unprocessed, and a resume that goes on."""
    path = world.ndjson(people(3))
    options = ImportOptions(key="crm", pace=Pace(unlimited=True), state_dir=world.state)

    with refusing_port() as port:
        credentials = Credentials(f"http://127.0.0.1:{port}", "agent@example.org", TOKEN)
        report = await start_import("customers", [path], credentials, options, environment=HASTY)

    check_report(report, rows=3)
    assert (report.exit_code, report.status, report.counts["unprocessed"]) == (5, "failed", 3)
    assert "resume" in " ".join(report.next_commands)


async def test_an_outage_in_mid_run_is_waited_out_and_then_given_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is rejected for it; the resume asks about what was on its way."""
    world.emulator.faults.after("*", 6, reset(executes=True))
    path = world.ndjson(people(ROWS))

    report = await world.run(path, pace=Pace(unlimited=True, concurrency=2), give_up_after_s=0.05)
    world.emulator.faults.clear()
    resumed = await world.resume()

    assert (report.exit_code, report.counts["rejected"], report.counts["unknown"]) == (5, 0, 0)
    assert resumed.counts["created"] == ROWS
    assert world.names() == all_names()


async def test_every_kind_of_fault_at_once(world: World) -> None:
    """Each operation is hit by another kind at every turn."""
    world.emulator.add_customer(id="theirs", name="Theirs", emails=[{"original": "theirs@example.org"}])
    for step, fault in enumerate(FAULTS.values(), start=11):
        world.emulator.faults.every("*", step, fault)
    rows = [*people(ROWS * 3), {**person(999), "email:1": "theirs@example.org"}]

    report = await world.rows(rows, on_conflict="merge")

    assert report.counts["created"] == ROWS * 3
    assert len(world.emulator.store.customers) == ROWS * 3 + 1
    assert report.counts["rejected"] == 0
