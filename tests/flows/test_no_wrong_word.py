"""Replies that only look like Gladly's: what they must never cost anybody (review of the promises, 1, 2, 5 to 7, 9)."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import orjson
import pytest

from bulkgladly import Report
from bulkgladly.api.client import Client
from bulkgladly.emulator import Emulator, Fault
from bulkgladly.emulator.protocol.replies import Reply
from bulkgladly.exports.unit_kinds import UnitState
from bulkgladly.messages import Reply as Answered
from bulkgladly.messages import Request
from tests.flows.conftest import World, people, person
from tests.flows.exporting import DAY, ITEMS, NIGHT, Lake, as_lines, note_line

PAGE = b"<!doctype html><html><body>Sign in to go on</body></html>"
ERRORS = b'{"errors":[{"code":"not_exist","detail":"there is no such thing"}]}'
ADA = {
    "id": "ada",
    "name": "Ada Sample",
    "emails": [{"original": "ada@example.org", "primary": True}, {"original": "ada.work@example.org"}],
    "phones": [{"original": "+16505550100", "type": "HOME"}],
    "customAttributes": {"tier": "gold", "theirs": "kept"},
}
ODD_READS: Mapping[str, bytes] = {
    "an empty object": b"{}",
    "an error": ERRORS,
    "another customer": b'{"id":"eve","name":"Eve Other","emails":[{"original":"eve@example.org"}]}',
    "a wrapped customer": orjson.dumps({"data": ADA}),
    "a list of customers": orjson.dumps([ADA]),
    "addresses as texts": orjson.dumps({"id": "ada", "emails": ["ada@example.org"], "phones": []}),
    "half of it": orjson.dumps(ADA)[:60],
    "a page": PAGE,
    "nothing": b"",
    "an id alone": b'{"id":"ada"}',
    "an id and a message": b'{"id":"ada","message":"the service is degraded","emails":[]}',
    "too deep": b'{"id":"ada","name":"Ada","customAttributes":{"theirs":%b1%b}}' % (b"[" * 300, b"]" * 300),
}


def answer(status: int, body: bytes = b"", *, executes: bool = False) -> Fault:
    """A reply of somebody on the way, whatever Gladly did."""
    kind = "text/html" if body.startswith(b"<") else "application/json"
    return Fault("answer", executes=executes, reply=Reply(status, body, content_type=kind))


def always(emulator: Emulator, operation: str, fault: Fault) -> None:
    emulator.faults.after(operation, 0, fault)


def rejects(world: World, report: Report) -> list[dict[str, Any]]:
    return [row["_bulkgladly"] for row in world.result(report, "rejected")]


# --- reads that are merged with what the row says --------------------------------------------


@pytest.mark.parametrize("mode", ["update", "upsert"])
@pytest.mark.parametrize("odd", ODD_READS)
async def test_no_address_is_lost_when_a_read_is_answered_with_something_else(
    odd: str, mode: str, world: World
) -> None:
    """The list that is sent back is made of what the read held: from another reply it would be short."""
    world.emulator.add_customer(**ADA)
    row = {"id": "ada", "emails": [{"original": "ada.new@example.org"}], "customAttributes": {"tier": "silver"}}
    before = dict(world.emulator.customer("ada"))
    always(world.emulator, "getCustomer", answer(200, ODD_READS[odd]))

    report = await world.rows([row], key=None, mode=mode)

    assert world.emulator.customer("ada") == before
    assert report.counts["rejected"] + report.counts["unknown"] == 1
    assert report.exit_code == 1
    world.emulator.faults.clear()
    again = await world.retry() if report.counts["rejected"] else await world.rows([row], key=None, mode=mode)
    held = world.emulator.customer("ada")
    assert again.counts["updated"] == 1
    assert len(held["emails"]) == 3
    assert held["customAttributes"] == {"tier": "silver", "theirs": "kept"}


@pytest.mark.parametrize(
    "number", ["123456789012345678901234567890", "-9223372036854775809", "0.12345678901234567890123"]
)
async def test_numbers_of_other_people_are_not_rounded(number: str, world: World) -> None:
    """What a row does not speak of goes back digit by digit."""
    world.emulator.add_customer(**ADA)
    held = orjson.dumps({**ADA, "customAttributes": {"theirs": 7}}).replace(b":7}", b":" + number.encode() + b"}")
    always(world.emulator, "getCustomer", answer(200, held))
    seen: list[bytes | None] = []
    world.environment = replace(world.environment, client=partial(Listening, seen, "updateCustomer"))

    report = await world.rows([{"id": "ada", "customAttributes": {"tier": "silver"}}], key=None, mode="update")

    assert report.counts["updated"] == 1
    assert seen == [b'{"customAttributes":{"theirs":%b,"tier":"silver"}}' % number.encode()]


class Listening(Client):
    """Notes the bodies with which an operation is asked for."""

    def __init__(self, seen: list[bytes | None], operation: str, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._seen, self._operation = seen, operation

    async def send(self, request: Request) -> Answered:
        if request.operation == self._operation:
            self._seen.append(request.body)
        return await super().send(request)


# --- searches that find somebody else ---------------------------------------------------------


@pytest.mark.parametrize("mode", ["update", "delete"])
async def test_a_stranger_that_a_search_finds_is_neither_changed_nor_deleted(mode: str, world: World) -> None:
    """An index that is loose, or lags behind an address that moved."""
    eve = {"id": "eve", "name": "Eve Other", "emails": [{"original": "eve@example.org"}]}
    world.emulator.add_customer(**eve)
    before = dict(world.emulator.customer("eve"))
    always(world.emulator, "findCustomers", answer(200, orjson.dumps([eve])))

    report = await world.rows([person(1)], mode=mode)

    assert world.emulator.store.customers["eve"] == before
    assert report.counts["rejected"] == 1
    assert rejects(world, report)[0]["code"] == "unreadable"


async def test_nobody_is_deleted_whom_a_stale_search_names(world: World) -> None:
    """The search still shows the address; the profile itself has given it away."""
    world.emulator.add_customer(id="eve", name="Eve Other", emails=[{"original": "eve@example.org"}])
    stale = {"id": "eve", "name": "Eve Other", "emails": [{"original": "person.1@example.org"}]}
    always(world.emulator, "findCustomers", answer(200, orjson.dumps([stale])))

    report = await world.rows([person(1)], mode="delete")

    assert "eve" in world.emulator.store.customers
    assert report.counts["rejected"] == 1


# --- absence that nobody has proved -----------------------------------------------------------


@pytest.mark.parametrize("body", [PAGE, b"", b"{}", b'{"message":"no route matched"}'])
async def test_customers_are_not_told_as_deleted_because_a_gateway_answers_404(body: bytes, world: World) -> None:
    """Somebody will report these deletions as done."""
    await world.rows(people(3))
    world.emulator.faults.after("* /api/v1/customer-profiles/*", 0, answer(404, body))

    report = await world.rows(people(3), mode="delete")

    assert len(world.emulator.store.customers) == 3
    assert report.counts["unchanged"] == report.counts["deleted"] == 0
    assert report.counts["unknown"] + report.counts["rejected"] == 3
    assert report.exit_code == 1


async def test_nobody_is_in_conflict_with_himself_when_a_read_is_late(world: World) -> None:
    """Made with a lost answer, taken on the repeat, and not yet there for a read: it may be ours."""
    world.emulator.faults.at("createCustomer", [1], answer(502, executes=True))
    world.emulator.faults.at("getCustomer", [1], answer(404, ERRORS))

    report = await world.rows(people(1))
    later = await world.retry()

    assert (report.counts["rejected"], report.counts["unknown"]) == (0, 1)
    assert later.counts["rejected"] == later.counts["unknown"] == 0
    assert len(world.emulator.store.customers) == 1


async def test_a_host_that_answers_404_for_everything_rejects_nobody(world: World) -> None:
    await world.rows(people(3))
    world.forget()
    world.emulator.faults.after("*", 1, answer(404, ERRORS))  # the greeting passes

    report = await world.rows(people(3, name="Changed"), mode="update", state_dir=world.folder / "other")

    assert report.exit_code == 4
    assert report.counts["rejected"] == 0


async def test_a_token_that_ends_among_404s_ends_the_run(world: World) -> None:
    """Who says that nobody is there may be somebody who lets nobody in: exit 4 names the token, and not the rows."""
    await world.rows(people(3))
    world.emulator.faults.after("* /api/v1/customer-profiles/*", 0, answer(404, ERRORS))
    world.emulator.faults.after("getOrganization", 1, answer(401))  # the greeting passes

    report = await world.rows(people(3), mode="delete")

    assert (report.exit_code, report.counts["rejected"]) == (4, 0)
    assert len(world.emulator.store.customers) == 3


@pytest.mark.parametrize("body", [PAGE, b"", b"{}", b'{"message":"no route matched"}', ERRORS])
async def test_a_404_does_not_lose_job_files_for_ever(body: bytes, lake: Lake) -> None:
    """A listed job that is younger than 14 days has its files, whatever somebody says one night."""
    job = lake.add_job([note_line(number) for number in range(4)])
    always(lake.emulator, "getFile", answer(404, body))

    first = await lake.dump("items")
    second = await lake.dump("items")
    lake.emulator.faults.clear()
    third = await lake.dump("items")

    assert [first.exit_code, second.exit_code, third.exit_code] == [1, 1, 0]
    assert {told.state for told in (*first.told, *second.told)} == {UnitState.FAILED}
    assert first.told[0].unit == job
    assert len(lake.ids()) == 4


async def test_a_file_past_its_time_is_lost_when_gladly_says_so_in_two_runs(lake: Lake) -> None:
    listed = [
        {"id": f"job-{age}", "status": "COMPLETED", "updatedAt": (NIGHT - age * DAY).isoformat(), "files": files}
        for age, files in ((0, []), (15, [ITEMS]))
    ]
    always(lake.emulator, "findJobs", answer(200, orjson.dumps(listed)))
    always(lake.emulator, "getFile", answer(404, ERRORS))

    reports = [await lake.dump("items") for _ in range(3)]

    assert [report.exit_code for report in reports] == [1, 1, 0], [report.told for report in reports]
    assert [[told.state for told in report.told] for report in reports] == [[UnitState.FAILED], [UnitState.GONE], []]


@pytest.mark.parametrize("body", [PAGE, b"", b"{}"])
async def test_a_404_of_a_gateway_does_not_make_a_profile_unknown_for_ever(body: bytes, lake: Lake) -> None:
    lake.emulator.add_customer(id="c-1", name="Sample Person")
    ids = lake.folder / "ids.txt"
    ids.write_text("c-1\n")
    always(lake.emulator, "getCustomer", answer(404, body))

    first = await lake.export("profiles", ids=ids)
    lake.emulator.faults.clear()
    second = await lake.export("profiles", ids=ids)

    assert (first.exit_code, second.exit_code) == (1, 0)
    assert lake.ids("profiles") == ["c-1"]


# --- words for what did not happen ------------------------------------------------------------

SUCCESSES = [(200, ERRORS), (201, ERRORS), (200, PAGE), (201, PAGE), (202, b""), (200, b""), (201, b""), (303, b"")]


@pytest.mark.parametrize(("status", "body"), SUCCESSES)
async def test_nobody_counts_as_created_who_is_not_there(status: int, body: bytes, world: World) -> None:
    always(world.emulator, "createCustomer", answer(status, body))

    report = await world.rows(people(2))

    assert not world.emulator.store.customers
    assert report.counts["created"] == 0
    assert report.counts["rejected"] + report.counts["unknown"] == 2


@pytest.mark.parametrize(("status", "body"), [*SUCCESSES, (404, PAGE), (408, b""), (409, PAGE), (400, b""), (500, b"")])
async def test_nobody_counts_as_rejected_who_was_made(status: int, body: bytes, world: World) -> None:
    """Done by Gladly, and answered by somebody else: asked about, it is there."""
    always(world.emulator, "createCustomer", answer(status, body, executes=True))

    report = await world.rows(people(2))

    assert len(world.emulator.store.customers) == 2
    assert (report.counts["created"], report.exit_code) == (2, 0)


async def test_a_create_under_another_id_is_not_told_as_ours(world: World) -> None:
    """Nothing else would notice a Gladly that ignores our ids: each run would make everybody again."""
    reply = Reply(201, headers={"Location": "/api/v1/customer-profiles/somebody-else"})
    always(world.emulator, "createCustomer", Fault("answer", executes=False, reply=reply))

    report = await world.rows([person(1)])

    assert (report.counts["created"], report.counts["unknown"]) == (0, 1)


@pytest.mark.parametrize(("status", "body"), [(200, ERRORS), (200, PAGE), (200, b"{}"), (202, b""), (204, b"")])
async def test_nobody_counts_as_changed_or_deleted_who_is_as_before(status: int, body: bytes, world: World) -> None:
    await world.rows(people(2))
    before = dict(world.emulator.store.customers)
    is_documented = status == 204
    for operation in ("updateCustomer", "deleteCustomer"):
        always(world.emulator, operation, answer(status, body))

    changed = await world.rows(people(2, name="Changed"))
    deleted = await world.rows(people(2), mode="delete")

    assert dict(world.emulator.store.customers) == before
    # A bare 204 is Gladly's word to the letter; who forges that cannot be found out without reading all again.
    assert changed.counts["updated"] == deleted.counts["deleted"] == (2 if is_documented else 0)


UNDOCUMENTED = [(202, b""), (303, b""), (404, PAGE), (408, b""), (400, PAGE), (200, b""), (499, b"")]


@pytest.mark.parametrize(("status", "body"), UNDOCUMENTED)
async def test_a_note_that_was_made_is_never_told_as_rejected(status: int, body: bytes, world: World) -> None:
    """Told as rejected it would be sent again by `retry`, and stand there twice."""
    notes = notes_of(world, 3)
    always(world.emulator, "addNoteToConversation", answer(status, body, executes=True))

    report = await world.rows(notes, key="ref", resource="notes")

    assert len(notes_held(world)) == 3
    assert (report.counts["created"], report.counts["rejected"]) == (3, 0)


@pytest.mark.parametrize(("status", "body"), UNDOCUMENTED)
async def test_a_text_message_with_an_unclear_end_is_unknown(status: int, body: bytes, world: World) -> None:
    """Nothing shows it, so it is neither told as sent nor as not sent, and not sent again."""
    rows = [
        {"ref": f"s-{n}", "mobileNumber": f"+1650555010{n}", "from": "+16505550199", "body": "Hello"} for n in range(2)
    ]
    always(world.emulator, "sendSMS", answer(status, body, executes=True))

    report = await world.run(world.ndjson(rows), resource="sms", key="ref", contacts_people=True, new_run=True)
    report = await world.resume()

    assert report.counts["unknown"] == 2
    assert world.emulator.requests.count("sendSMS") == 2


def notes_of(world: World, count: int) -> list[dict[str, Any]]:
    """Notes for a conversation each, which are made here."""
    customer = world.emulator.add_customer(name="Note Holder")
    talks = [world.emulator.add_conversation(customer) for _ in range(count)]
    return [
        {"ref": f"n-{number}", "conversationId": talk, "body": f"Note {number}"} for number, talk in enumerate(talks)
    ]


def notes_held(world: World) -> list[str]:
    contents = [item["content"] for item in world.emulator.store.items.values()]
    return [content["body"] for content in contents if content["type"] == "CONVERSATION_NOTE"]


# --- exports that publish what is no data -----------------------------------------------------

ODD_FILES: Mapping[str, Fault] = {
    "an error": answer(200, ERRORS),
    "a page": answer(200, PAGE),
    "nothing in a page": Fault("answer", executes=False, reply=Reply(200, b"", {}, "text/html")),
    "not ready": answer(202, b'{"status":"PENDING"}'),
    "a part": answer(206, as_lines([note_line(1)])),
    "no content": answer(204),
    "an object without an id": answer(200, b'{"status":"PENDING"}\n'),
    "a list": answer(200, b'[{"id":"item-1"}]'),
}


@pytest.mark.parametrize("odd", ODD_FILES)
async def test_a_job_file_answered_with_something_else_is_fetched_another_night(odd: str, lake: Lake) -> None:
    """Published, it would be a row, or rejects, and the file itself would never come."""
    lake.add_job([note_line(number) for number in range(3)])
    always(lake.emulator, "getFile", ODD_FILES[odd])

    first = await lake.dump("items")
    rejected = lake.rejects()
    lake.emulator.faults.clear()
    second = await lake.dump("items")

    assert (first.exit_code, second.exit_code) == (1, 0)
    assert not rejected
    assert len(lake.ids()) == 3


async def test_a_job_file_that_a_gateway_cut_is_fetched_again(lake: Lake) -> None:
    """Its length and its end were right for what the gateway had; the last line tells."""
    lines = as_lines([note_line(number) for number in range(3)])
    lake.add_job(lines)
    lake.emulator.faults.at("getFile", [1], answer(200, lines[:-9]))

    report = await lake.dump("items")

    assert (report.exit_code, len(lake.ids()), lake.rejects()) == (0, 3, [])


async def test_a_job_file_that_is_cut_elsewhere_each_time_is_not_published(lake: Lake) -> None:
    """Half of it would be a whole unit, and nobody would ask for the other half."""
    lines = as_lines([note_line(number) for number in range(9)])
    lake.add_job(lines)
    for number in range(1, 6):
        lake.emulator.faults.at("getFile", [number], answer(200, lines[: -9 - number]))

    first, second = await lake.dump("items"), await lake.dump("items")

    assert (first.exit_code, second.exit_code, len(lake.ids())) == (1, 0, 9)
    assert [told.state for told in first.told] == [UnitState.FAILED]


async def test_a_job_that_is_listed_twice_is_fetched_once(lake: Lake) -> None:
    job = lake.add_job([note_line(number) for number in range(3)])
    entry = {"id": job, "status": "COMPLETED", "updatedAt": NIGHT.isoformat(), "files": [ITEMS]}
    older = {**entry, "updatedAt": (NIGHT - DAY).isoformat()}
    always(lake.emulator, "findJobs", answer(200, orjson.dumps([entry, older, entry])))

    first, second = await lake.dump("items"), await lake.dump("items")

    assert (first.exit_code, first.counts["created"], second.exit_code) == (0, 3, 0)
    assert lake.asked()["getFile"] == 1


async def test_a_job_file_whose_last_line_is_always_bad_is_published_with_a_reject(lake: Lake) -> None:
    """Else one bad line would cost the whole file."""
    lines = as_lines([note_line(number) for number in range(3)])
    lake.add_job(lines[:-9])

    report = await lake.dump("items")

    assert (report.exit_code, len(lake.ids()), len(lake.rejects())) == (1, 2, 1)


async def test_an_empty_job_file_of_gladlys_own_is_no_failure(lake: Lake) -> None:
    """An hour in which nothing happened: its type says that it is the file."""
    lake.add_job(b"", files={ITEMS: b""})

    assert (await lake.dump("items")).exit_code == 0


@pytest.mark.parametrize("odd", ODD_READS)
async def test_a_profile_answered_with_something_else_is_asked_for_again(odd: str, lake: Lake) -> None:
    lake.emulator.add_customer(**ADA)
    ids = lake.folder / "ids.txt"
    ids.write_text("ada\n")
    always(lake.emulator, "getCustomer", answer(200, ODD_READS[odd]))

    first = await lake.export("profiles", ids=ids)
    lake.emulator.faults.clear()
    second = await lake.export("profiles", ids=ids)

    assert (first.exit_code, second.exit_code) == (1, 0)
    assert lake.ids("profiles") == ["ada"]


async def test_odd_entries_in_the_list_of_jobs_are_told_and_hide_no_other(lake: Lake) -> None:
    good = lake.add_job([note_line(1)])
    listed = [{"id": good, "status": "COMPLETED", "updatedAt": "2026-03-20T03:11:00Z", "files": [ITEMS]}, 7, {"id": 7}]
    always(lake.emulator, "findJobs", answer(200, orjson.dumps(listed)))

    report = await lake.dump("items")

    assert report.exit_code == 1
    assert [told.state for told in report.told] == [UnitState.FAILED]
    assert "2 of 3 entries" in report.told[0].detail
    assert len(lake.ids()) == 1


@pytest.mark.parametrize("files", [None, "conversation_items.jsonl", [7], {}])
async def test_a_job_that_does_not_say_its_files_is_told(files: Any, lake: Lake) -> None:
    """Nobody would ask for them, in any night."""
    good = lake.add_job([note_line(1)])
    job = {"status": "COMPLETED", "updatedAt": "2026-03-20T03:11:00Z"}
    listed = [{"id": good, **job, "files": [ITEMS]}, {"id": "silent", **job, "files": files}]
    always(lake.emulator, "findJobs", answer(200, orjson.dumps(listed)))

    report = await lake.dump("items")

    assert report.exit_code == 1
    assert "1 of 2 entries" in report.told[0].detail
    assert len(lake.ids()) == 1


@pytest.mark.parametrize("body", [PAGE, b"{}", b'{"jobs":[]}', b'["odd"]', b""])
async def test_a_list_of_jobs_that_is_none_fails_the_night(body: bytes, lake: Lake) -> None:
    lake.add_job([note_line(1)])
    always(lake.emulator, "findJobs", answer(200, body))

    first = await lake.dump("items")

    assert first.exit_code == 1
    assert [told.unit for told in first.told] == ["(list)"]


@pytest.mark.parametrize("word", ["teams", "inboxes", "agents-list", "topics-list", "webhooks"])
@pytest.mark.parametrize("body", [b'[{"name":"without an id"}]', b'{"errors":[]}', PAGE, b"[1]", b'{"name":"x"}'])
async def test_a_list_of_something_else_is_not_published(word: str, body: bytes, lake: Lake) -> None:
    first = await lake.export(word)
    before = lake.parts()
    operation = {"agents-list": "getAgents", "topics-list": "getTopics"}
    always(lake.emulator, operation.get(word, f"get{word.capitalize()}"), answer(200, body))

    second = await lake.export(word)

    assert (first.exit_code, second.exit_code) == (0, 1)
    assert {name: content for name, content in lake.parts().items() if name in before} == before
