"""Export schedules, jobs and files, as a client on a socket meets them."""

import asyncio
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import aiohttp
import orjson
import pytest

from bulkgladly.emulator import (
    Clock,
    Emulator,
    EmulatorOptions,
    drop_reply,
    half_body,
    rate_limited,
    reset,
    slow,
    status,
    wrong_length,
)
from bulkgladly.emulator.__main__ import options_from
from bulkgladly.emulator.exports.job_items import ITEMS_PER_CONVERSATION
from tests.doors.emulator_client import client_of
from tests.signing import basic_auth

NOW = datetime(2026, 3, 20, 9, 30, tzinfo=UTC)
JOBS = "/api/v1/export/jobs"
ITEMS = "conversation_items.jsonl"
FILES = ["agents.jsonl", ITEMS, "customers.jsonl", "topics.jsonl"]
CONTENT_TYPES = {
    *("CHAT_MESSAGE", "CONVERSATION_STATUS_CHANGE", "CUSTOMER_ACTIVITY", "EMAIL", "FACEBOOK_MESSAGE"),
    *("CONVERSATION_NOTE", "PHONE_CALL", "SMS", "TOPIC_CHANGE", "VOICEMAIL", "INSTAGRAM_DIRECT", "WHATSAPP"),
    *("TWITTER", "VOICE_AI_MESSAGE"),
}


class Wall:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now.timestamp()


def an_emulator(**options: Any) -> Emulator:
    """An emulator that has stopped at `NOW`."""
    return Emulator(rate=None, clock=Clock(wall=options.pop("wall", Wall())), **options)


async def got(client: aiohttp.ClientSession, path: str, **query: str) -> tuple[int, Any]:
    async with client.get(path, params=query) as response:
        return response.status, orjson.loads(await response.read())


async def listed(client: aiohttp.ClientSession, **query: str) -> list[str]:
    code, jobs = await got(client, JOBS, **query)
    assert code == 200
    return [job["id"] for job in jobs]


async def lines_of(client: aiohttp.ClientSession, job_id: str, name: str) -> list[Any]:
    async with client.get(f"{JOBS}/{job_id}/files/{name}") as response:
        assert response.status == 200
        assert response.content_type == "application/x-ndjson"
        return [orjson.loads(line) for line in (await response.read()).splitlines()]


async def read_into(received: bytearray, response: aiohttp.ClientResponse) -> None:
    async for block in response.content.iter_any():
        received += block


def ago(**how_long: float) -> str:
    return (NOW - timedelta(**how_long)).isoformat().replace("+00:00", "Z")


async def test_one_daily_schedule() -> None:
    """Every organization has it; the next period starts where yesterday's ended."""
    async with client_of(an_emulator()) as client:
        code, schedules = await got(client, "/api/v1/export/schedules")

    assert code == 200
    [schedule] = schedules
    assert schedule == {
        "id": "daily-export-schedule",
        "frequency": "DAILY",
        "type": "CONVERSATIONS",
        "nextStartAt": "2026-03-20T00:00:00Z",
        "updatedAt": "2024-01-01T00:00:00.000Z",
    }


async def test_job_is_shown_as_the_document_has_it() -> None:
    """Given moments are shown to the letter, with eight fraction digits; one job equals its row in the list."""
    emulator = an_emulator()
    job_id = emulator.exports.add_job(
        {"customers.jsonl": b"", "new.jsonl": b"{}\n"},
        updated_at="2026-03-19T03:11:09.12345678Z",
        start_at="2026-03-18T00:00:00Z",
        end_at="2026-03-19T00:00:00Z",
    )
    async with client_of(emulator) as client:
        code, job = await got(client, f"{JOBS}/{job_id}")

        assert await got(client, JOBS) == (200, [job])

    assert code == 200
    assert job == {
        "id": job_id,
        "scheduleId": "daily-export-schedule",
        "status": "COMPLETED",
        "updatedAt": "2026-03-19T03:11:09.12345678Z",
        "parameters": {
            "type": "CONVERSATIONS",
            "startAt": "2026-03-18T00:00:00Z",
            "endAt": "2026-03-19T00:00:00Z",
        },
        "files": ["customers.jsonl", "new.jsonl"],
    }


def test_period_is_the_day_before_unless_given() -> None:
    """And a job is of now unless dated; a moment without an offset is UTC."""
    emulator = an_emulator()
    emulator.exports.add_job()
    emulator.exports.add_job(updated_at=NOW.replace(tzinfo=None, microsecond=520_000) - timedelta(days=1))

    of_now, dated = emulator.store.jobs.present()

    assert (of_now.updated_at, of_now.start_at) == ("2026-03-20T09:30:00Z", "2026-03-19T00:00:00Z")
    assert (dated.updated_at, dated.end_at) == ("2026-03-19T09:30:00.52Z", "2026-03-19T00:00:00Z")


async def test_filters_act_on_status_and_updated_at() -> None:
    """Both bounds belong to the range; offsets are understood; the exported period plays no part."""
    emulator = an_emulator()
    add = emulator.exports.add_job
    old = add(updated_at=ago(days=10))
    waiting = add(status="PENDING", updated_at=ago(days=5), start_at=ago(days=400), end_at=ago(days=300))
    failed = add(status="FAILED", updated_at=ago(days=1))
    async with client_of(emulator) as client:
        assert await listed(client) == [old, waiting, failed]
        assert await listed(client, status="PENDING") == [waiting]
        assert await listed(client, status="IN_PROGRESS") == []
        assert await listed(client, startAt=ago(days=5)) == [waiting, failed]
        assert await listed(client, endAt=ago(days=5)) == [old, waiting]
        assert await listed(client, startAt=ago(days=5), endAt=ago(days=5)) == [waiting]
        assert await listed(client, status="FAILED", endAt=ago(days=5)) == []
        assert await listed(client, startAt="2026-03-19T11:30:00+02:00") == [failed]
        assert await listed(client, startAt=ago(days=14), endAt=ago()) == [old, waiting, failed]


@pytest.mark.parametrize(
    ("query", "attr"),
    [
        ({"status": "DONE"}, "status"),
        ({"status": ""}, "status"),
        ({"status": ["FAILED", "COMPLETED"]}, "status"),
        ({"startAt": "yesterday"}, "startAt"),
        ({"startAt": ""}, "startAt"),
        ({"startAt": "0001-01-01T00:00:00+05:00"}, "startAt"),
        ({"startAt": ago(days=14, seconds=1)}, "startAt"),
        ({"startAt": ago(seconds=-1)}, "startAt"),
        ({"endAt": "2026-13-01"}, "endAt"),
        ({"endAt": ago(seconds=-1)}, "endAt"),
        ({"endAt": ago(days=15)}, "endAt"),
        ({"startAt": ago(days=2), "endAt": ago(days=3)}, "endAt"),
    ],
)
async def test_filter_that_cannot_be_is_refused(query: dict[str, Any], attr: str) -> None:
    """400 naming the parameter."""
    pairs = [(name, v) for name, value in query.items() for v in (value if isinstance(value, list) else [value])]
    async with client_of(an_emulator()) as client, client.get(JOBS, params=pairs) as response:
        assert response.status == 400
        [problem] = (await response.json())["errors"]

    assert (problem["attr"], problem["code"]) == (attr, "invalid")


async def test_jobs_and_files_live_for_fourteen_days() -> None:
    """To the second, by the emulator's clock; then list, job, file and deletion know nothing of them."""
    wall = Wall()
    emulator = an_emulator(wall=wall)
    job_id = emulator.exports.add_job()
    paths = [f"{JOBS}/{job_id}", f"{JOBS}/{job_id}/files/{ITEMS}"]
    async with client_of(emulator) as client:
        wall.now += timedelta(days=14)
        assert await listed(client) == [job_id]
        for path in paths:
            async with client.get(path) as response:
                assert response.status == 200

        wall.now += timedelta(seconds=1)
        assert await listed(client) == []
        for method, path in [*(("GET", path) for path in paths), ("DELETE", paths[0])]:
            async with client.request(method, path) as response:
                assert response.status == 404
                assert (await response.json())["errors"][0]["code"] == "not_exist"


async def test_job_dated_later_appears_in_its_time() -> None:
    """A test can lay out a week and then let it pass."""
    wall = Wall()
    emulator = an_emulator(wall=wall)
    job_id = emulator.exports.add_job(updated_at=NOW + timedelta(days=1))
    async with client_of(emulator) as client:
        assert await listed(client) == []
        wall.now += timedelta(days=1)
        assert await listed(client) == [job_id]


@pytest.mark.parametrize("state", ["COMPLETED", "FAILED"])
async def test_ended_job_can_be_deleted_once(state: Any) -> None:
    """204, then everything about it is 404."""
    emulator = an_emulator()
    job_id = emulator.exports.add_job({"a.jsonl": b"{}\n"}, status=state)
    async with client_of(emulator) as client:
        seen = []
        for method, path in [("DELETE", ""), ("DELETE", ""), ("GET", ""), ("GET", "/files/a.jsonl")]:
            async with client.request(method, f"{JOBS}/{job_id}{path}") as response:
                seen.append(response.status)

    assert seen == [204, 404, 404, 404]


@pytest.mark.parametrize("state", ["PENDING", "IN_PROGRESS"])
async def test_unfinished_job_is_not_deleted(state: Any) -> None:
    """400 with a bare list, as the document shows it; the job stays until it has ended."""
    emulator = an_emulator()
    job_id = emulator.exports.add_job(status=state)
    async with client_of(emulator) as client:
        async with client.delete(f"{JOBS}/{job_id}") as response:
            assert response.status == 400
            [problem] = await response.json()

        emulator.exports.finish_job(job_id)

        code, job = await got(client, f"{JOBS}/{job_id}")
        assert (code, job["status"], job["files"]) == (200, "COMPLETED", FILES)
        async with client.delete(f"{JOBS}/{job_id}") as response:
            assert response.status == 204
    assert (problem["attr"], problem["code"]) == ("status", "temporary_failure")
    assert state in problem["detail"]


@pytest.mark.parametrize("state", ["PENDING", "IN_PROGRESS", "FAILED"])
async def test_only_completed_jobs_have_generated_files(state: Any) -> None:
    """`files` is empty, and asking for one is 404."""
    emulator = an_emulator()
    job_id = emulator.exports.add_job(status=state)
    async with client_of(emulator) as client:
        assert (await got(client, f"{JOBS}/{job_id}"))[1]["files"] == []
        assert (await got(client, f"{JOBS}/{job_id}/files/{ITEMS}"))[0] == 404


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("content", [b"", b"{}\n", b'{"id":"c-1"}\nnot JSON\n' * 50_000])
async def test_given_file_comes_to_the_byte(framing: Any, content: bytes) -> None:
    """With its length or in chunks, and whole even when a range is asked for."""
    emulator = an_emulator(file_framing=framing)
    job_id = emulator.exports.add_job({"customers.jsonl": content})
    path = f"{JOBS}/{job_id}/files/customers.jsonl"
    async with client_of(emulator) as client, client.get(path, headers={"Range": "bytes=1-"}) as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "application/x-ndjson"
        assert response.headers.get("Content-Length") == (str(len(content)) if framing == "length" else None)
        assert ("Transfer-Encoding" in response.headers) == (framing == "chunked")
        assert await response.read() == content


@pytest.mark.parametrize("name", ["agents.jsonl", "CUSTOMERS.jsonl", "customers", "", "..%2Fcustomers.jsonl"])
async def test_unknown_file_is_not_found(name: str) -> None:
    """A completed job may lack any of its files."""
    emulator = an_emulator()
    job_id = emulator.exports.add_job({"customers.jsonl": b"{}\n"})
    async with client_of(emulator) as client:
        assert (await got(client, f"{JOBS}/{job_id}/files/{name}"))[0] == 404


async def test_hostile_names_and_endless_files_can_be_served() -> None:
    """A client has to survive both; an endless file is sent in chunks for as long as it is read."""

    def endless() -> Iterator[bytes]:
        while True:
            yield b""
            yield b'{"id":"again"}\n' * 1000

    emulator = an_emulator()
    job_id = emulator.exports.add_job({"../../etc/crontab": b"{}\n", "endless.jsonl": endless})
    async with client_of(emulator) as client:
        async with client.get(f"{JOBS}/{job_id}/files/endless.jsonl") as response:
            assert "Content-Length" not in response.headers
            assert (await response.content.readexactly(1_500_000)).endswith(b'{"id":"again"}\n')
        assert await lines_of(client, job_id, "..%2F..%2Fetc%2Fcrontab") == [{}]


async def test_generated_files_hold_what_the_store_holds() -> None:
    """Agents and topics as they are, customers in the flat form without customAttributes."""
    emulator = an_emulator(seed_customers=2)
    emulator.add_customer(id="bare")
    emulator.add_customer(id="linked", name="Ada Example", externalCustomerId="x-1")
    job_id = emulator.exports.add_job()
    async with client_of(emulator) as client:
        agents, _, customers, topics = [await lines_of(client, job_id, name) for name in FILES]

    assert agents == list(emulator.store.collections["agents"].values())
    assert topics == list(emulator.store.collections["topics"].values())
    assert customers[0] == {
        "id": "seeded-0000000",
        "name": "Ada Sample",
        "address": "1 Test Lane, Springfield",
        "emailAddresses": ["Ada.Sample.0@Example.org"],
        "phoneNumbers": ["+12015550100"],
    }
    assert customers[2:] == [{"id": "bare"}, {"id": "linked", "name": "Ada Example", "externalCustomerId": "x-1"}]


async def test_files_do_not_change_after_the_job() -> None:
    """Whoever downloads twice gets the same, whatever happened to the customers in between."""
    emulator = an_emulator(seed_customers=3)
    job_id = emulator.exports.add_job()
    async with client_of(emulator) as client:
        before = [await lines_of(client, job_id, name) for name in FILES]
        emulator.store.merge("seeded-0000000", "seeded-0000001")
        emulator.store.remove_customer("seeded-0000002")

        assert [await lines_of(client, job_id, name) for name in FILES] == before


def items_of(emulator: Emulator, job_id: str) -> list[Any]:
    job = emulator.store.jobs.get(job_id)
    assert job is not None
    return [orjson.loads(line) for line in b"".join(job.files[ITEMS].blocks()).splitlines()]


def test_items_cover_every_content_type_and_shape() -> None:
    """All of the schema and the two the export does not list; `to` is a list in emails alone."""
    emulator = an_emulator(seed_customers=40)
    items = items_of(emulator, emulator.exports.add_job(items=500))

    contents = [item["content"] for item in items]
    assert len(items) == 500
    assert len({item["id"] for item in items}) == 500
    assert {content["type"] for content in contents} == CONTENT_TYPES
    assert {content["messageType"] for content in contents if "messageType" in content} == {
        *("TEXT", "QUICK_REPLY_REQUEST", "QUICK_REPLY_RESPONSE")
    }
    assert {(content["type"], type(content["to"])) for content in contents if "to" in content} == {
        *(("EMAIL", list), ("SMS", str), ("PHONE_CALL", str))
    }
    assert {"subject" in content for content in contents if content["type"] == "EMAIL"} == {True, False}
    assert {len(item["conversationId"]) for item in items if "conversationId" in item} == {32}


def test_items_belong_to_the_period_and_to_the_organization() -> None:
    """Times lie inside it and go forward; ids of people and topics exist; nobody real is addressed."""
    emulator = an_emulator(seed_customers=40)
    items = items_of(emulator, emulator.exports.add_job(items=900))
    store = emulator.store

    assert {item["customerId"] for item in items} == set(store.customers)
    times = [item["timestamp"] for item in items]
    assert times == sorted(times)
    assert times[0] >= "2026-03-19T00:00:00"
    assert times[-1] < "2026-03-20T00:00:00"
    agents = {item["initiator"]["id"] for item in items if item["initiator"]["type"] == "AGENT"}
    assert agents <= set(store.collections["agents"])
    topics = {topic for item in items for topic in item["content"].get("addedTopicIds", ())}
    assert topics <= set(store.collections["topics"])
    outside = {item["content"]["type"] for item in items if "conversationId" not in item}
    assert outside == {"CUSTOMER_ACTIVITY"}
    assert not any("sessionId" in item or "@@" in orjson.dumps(item).decode() for item in items)
    mails = [item["content"] for item in items if item["content"]["type"] == "EMAIL"]
    assert all(address.endswith("@example.org") for mail in mails for address in [mail["from"], *mail["to"]])


def test_items_are_the_same_for_the_same_seed_and_differ_between_jobs() -> None:
    """Two emulators agree; two jobs of one share no item."""
    first, second = an_emulator(seed_jobs=2, seed_customers=5), an_emulator(seed_jobs=2, seed_customers=5)
    ids = [job.id for job in first.store.jobs.present()]

    assert ids == [job.id for job in second.store.jobs.present()]
    assert [items_of(first, i) for i in ids] == [items_of(second, i) for i in ids]
    older, newer = ({item["id"] for item in items_of(first, i)} for i in ids)
    assert not older & newer


def test_organization_without_customers_and_agents_exports_all_the_same() -> None:
    """Strangers stand in, as if they had been deleted since."""
    emulator = an_emulator(seed_jobs=1)
    emulator.store.collections["agents"].clear()
    job_id = emulator.exports.add_job()

    assert len(items_of(emulator, job_id)) == 180
    assert {item["customerId"][:6] for item in items_of(emulator, job_id)} == {"seeded"}


@pytest.mark.parametrize("count", [0, 1, ITEMS_PER_CONVERSATION, ITEMS_PER_CONVERSATION + 1, 1000, 10_000])
@pytest.mark.parametrize("customers", [1, 7, 300])
def test_size_is_known_without_reading(count: int, customers: int) -> None:
    """The announced length is the true one, wherever the last conversation is cut."""
    emulator = an_emulator(seed_customers=customers)
    job = emulator.store.jobs.get(emulator.exports.add_job(items=count))
    assert job is not None

    for file in job.files.values():
        assert file.measure() == sum(map(len, file.blocks()))
    assert b"".join(job.files[ITEMS].blocks()).count(b"\n") == count


def test_large_file_needs_no_memory() -> None:
    """Two gigabytes are announced at once, and reading far into them stays flat."""
    emulator = an_emulator(seed_customers=20)
    job = emulator.store.jobs.get(emulator.exports.add_job(items=5_000_000))
    assert job is not None
    file = job.files[ITEMS]
    tracemalloc.start()
    try:
        read = sum(map(len, islice(file.blocks(), 300)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert (file.measure() or 0) > 1_500_000_000
    assert read > 20_000_000
    assert peak < 4_000_000


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"status": "DONE"}, "status is 'DONE'"),
        ({"items": -1}, "items is -1"),
        ({"updated_at": "soon"}, "soon"),
        ({"start_at": ago(days=1), "end_at": ago(days=2)}, "lies before start_at"),
    ],
)
def test_job_that_cannot_be_is_not_added(wrong: dict[str, Any], message: str) -> None:
    """The reason is told and nothing is left behind."""
    emulator = an_emulator()

    with pytest.raises(ValueError, match=message):
        emulator.exports.add_job(**wrong)

    assert emulator.store.jobs.present() == []


def test_only_a_job_that_is_there_can_be_finished() -> None:
    """An id that nothing has is an error."""
    with pytest.raises(KeyError):
        an_emulator().exports.finish_job("nothing")


def test_seeded_jobs_are_those_of_the_last_nights() -> None:
    """One a day without a gap, the newest for yesterday, all of them within the retention."""
    jobs = an_emulator(seed_jobs=14, items_per_job=20).store.jobs.present()

    starts = [job.start_at for job in jobs]
    assert starts == [f"2026-03-{day:02}T00:00:00Z" for day in range(6, 20)]
    assert [job.end_at for job in jobs][:-1] == starts[1:]
    assert jobs[-1].updated_at.startswith("2026-03-20T03:11:09.")
    assert {len(job.updated_at) for job in jobs} == {len("2026-03-20T03:11:09.12345678Z")}
    assert all(list(job.files) == FILES and job.status == "COMPLETED" for job in jobs)


def test_seeded_jobs_keep_their_ids_from_day_to_day() -> None:
    """An emulator of tomorrow has today's jobs, and one more; shortly after midnight too."""
    wall = Wall()
    today = [job.id for job in an_emulator(seed_jobs=3, wall=wall).store.jobs.present()]
    wall.now = datetime(2026, 3, 21, 0, 0, 1, tzinfo=UTC)

    tomorrow = an_emulator(seed_jobs=3, wall=wall).store.jobs.present()

    assert [job.id for job in tomorrow][:2] == today[1:]
    assert tomorrow[-1].updated_at == "2026-03-21T00:00:01Z"


@pytest.mark.parametrize(
    "wrong", [{"seed_jobs": 15}, {"seed_jobs": -1}, {"items_per_job": -1}, {"job_order": "up"}, {"file_framing": "x"}]
)
def test_option_outside_its_range_is_refused(wrong: dict[str, Any]) -> None:
    """By its name."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        EmulatorOptions(**wrong)


def test_arguments_reach_the_options() -> None:
    """Each flag has its field."""
    given = "--seed-jobs 3 --items-per-job 9 --job-order shuffled --file-framing chunked"

    assert options_from(given.split()) == EmulatorOptions(
        port=8080, seed_jobs=3, items_per_job=9, job_order="shuffled", file_framing="chunked"
    )


async def test_list_can_come_in_any_order() -> None:
    """Shuffled, it holds the same jobs, and the seed decides the order."""
    emulator = an_emulator(seed_jobs=10, job_order="shuffled")
    in_order = [job.id for job in emulator.store.jobs.present()]
    async with client_of(emulator) as client:
        shuffled = await listed(client)

        assert await listed(client) == shuffled

    assert shuffled != in_order
    assert sorted(shuffled) == sorted(in_order)


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize(("fault", "part"), [(half_body(), 0.5), (wrong_length(), 1)], ids=["half", "overlong"])
async def test_download_breaks_off(framing: Any, fault: Any, part: float) -> None:
    """So many bytes come, true ones, and then an error instead of the end; the next download is whole."""
    emulator = an_emulator(seed_customers=20, file_framing=framing)
    job_id = emulator.exports.add_job(items=20_000)
    emulator.faults.script("getFile", [None, fault])
    path = f"{JOBS}/{job_id}/files/{ITEMS}"
    async with client_of(emulator) as client:
        async with client.get(path) as response:
            whole = await response.read()
        received = bytearray()
        async with client.get(path) as response:
            with pytest.raises(aiohttp.ClientPayloadError):
                await read_into(received, response)
        async with client.get(path) as response:
            assert await response.read() == whole

    assert len(received) == int(len(whole) * part)
    assert whole.startswith(bytes(received))
    assert emulator.requests.count("getFile", status=200) == 3


@pytest.mark.parametrize("fault", [half_body(), drop_reply(), reset()], ids=["half", "drop", "reset"])
@pytest.mark.parametrize("content", [b"", b"x"], ids=["empty", "one byte"])
async def test_small_files_break_too(fault: Any, content: bytes) -> None:
    """Even where there is nothing to halve, the client sees an error."""
    emulator = an_emulator()
    job_id = emulator.exports.add_job({"a.jsonl": content})
    emulator.faults.script("GET *", [fault] * 5)
    async with client_of(emulator) as client:
        with pytest.raises(aiohttp.ClientError):
            await lines_of(client, job_id, "a.jsonl")


async def test_file_without_a_known_size_breaks_too() -> None:
    """After its first byte."""
    emulator = an_emulator()
    job_id = emulator.exports.add_job({"a.jsonl": lambda: iter([b"{}\n"] * 3)})
    emulator.faults.script("getFile", [half_body()])
    async with client_of(emulator) as client:
        with pytest.raises(aiohttp.ClientPayloadError):
            await lines_of(client, job_id, "a.jsonl")


@pytest.mark.parametrize(
    ("fault", "code"),
    [(status(503), 503), (rate_limited(), 429), (slow(0.001), 200), (slow(0.001, executes=False), 504)],
)
async def test_other_faults_answer_for_the_file(fault: Any, code: int) -> None:
    """As for any other operation."""
    emulator = an_emulator()
    job_id = emulator.exports.add_job({"a.jsonl": b"{}\n"})
    emulator.faults.script("getFile", [fault])
    async with client_of(emulator) as client, client.get(f"{JOBS}/{job_id}/files/a.jsonl") as response:
        assert response.status == code


async def test_client_that_goes_away_leaves_nothing_behind() -> None:
    """The emulator goes on answering, and stops without waiting."""
    emulator = an_emulator(seed_customers=5)
    job_id = emulator.exports.add_job(items=1_000_000)
    async with client_of(emulator) as client:
        async with client.get(f"{JOBS}/{job_id}/files/{ITEMS}") as response:
            await response.content.readexactly(100_000)
            response.close()

        assert await listed(client) == [job_id]


async def test_stop_does_not_wait_for_a_slow_download() -> None:
    """The rest of it never comes; in the meantime others were answered."""
    emulator = an_emulator(seed_customers=5)
    job_id = emulator.exports.add_job(items=1_000_000)
    async with client_of(emulator) as client, client.get(f"{JOBS}/{job_id}/files/{ITEMS}") as response:
        await response.content.readexactly(1000)
        assert await listed(client) == [job_id]

        async with asyncio.timeout(30):
            await emulator.stop()

        with pytest.raises(aiohttp.ClientError):
            await response.read()


@pytest.mark.parametrize("path", ["/api/v1/export/schedules", JOBS, f"{JOBS}/j", f"{JOBS}/j/files/a.jsonl"])
async def test_exports_need_the_permission(path: str) -> None:
    """Known users without it are refused before anything is looked up."""
    credentials = basic_auth("noperm@example.org", "emulator-token")
    headers = {"Authorization": credentials}
    async with client_of(an_emulator()) as client, client.get(path, headers=headers) as response:
        assert response.status == 403
