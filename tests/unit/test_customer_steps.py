"""The steps of one customer in every mode, driven by hand: which requests, and which outcome."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkgladly.gladly.contacts import email_identity, phone_identity
from bulkgladly.gladly.customer_rows import prepare_customer
from bulkgladly.gladly.identity import fingerprint
from bulkgladly.gladly.spec import Draft, Policy, Record, ready
from bulkgladly.gladly.table import IMPORTS
from bulkgladly.messages import Repeat, Reply, Request
from bulkgladly.records import Known, Mode, Outcome, Position, Row, Stage, Word
from tests.unit.stepping import completed, judged

HOST = "https://example.gladly.com"
PATH = "/api/v1/customer-profiles"
ADA = {"name": "Ada Sample", "emails": [{"original": "ada@example.org"}], "phones": ["+16505550100"]}
CUSTOMERS = IMPORTS["customers"]


@dataclass
class Played:
    """What was asked, in order, and how it ended."""

    requests: list[Request]
    outcome: Outcome

    @property
    def calls(self) -> list[str]:
        return [call(request) for request in self.requests]

    def body(self, index: int = -1) -> dict[str, Any]:
        found: dict[str, Any] = orjson.loads(self.requests[index].body or b"null")
        return found


def call(request: Request) -> str:
    query = "&".join(f"{name}={value}" for name, value in request.query)
    path = request.path.removeprefix(PATH) + (f"?{query}" if query else "")
    return f"{request.method} {path}".strip()


def row(fields: Mapping[str, Any] | None = None, *, key: str = "7", own_id: str | None = None, **more: Any) -> Record:
    """A record with the key 7, or with an id of its own."""
    payload = {**(ADA if fields is None else fields)}
    if own_id is not None:
        payload["id"] = own_id
    policy = Policy(host=HOST, key=None if own_id else "crm", null=more.pop("null", "keep"))
    source = Row(Position(0, 0, 1), {**payload, "crm": key}, seq=0)
    found = prepare_customer(source, payload, policy)
    assert isinstance(found, Draft), found
    return ready(found)._replace(**more)


def play(mode: str, record: Record, replies: Sequence[Reply], *, as_is: bool = False, **policy: Any) -> Played:
    """Answer the steps with the replies, completed or as they are. All must be used, and no more requested."""
    steps = CUSTOMERS.steps(record, Policy(host=HOST, mode=Mode(mode), key="crm", **policy))
    requests: list[Request] = []
    left = list(replies)
    try:
        requests.append(next(steps))
        while True:
            assert left, f"no reply left for {call(requests[-1])}"
            answer = left.pop(0) if as_is else completed(requests[-1], left.pop(0))
            requests.append(steps.send(judged(requests[-1], answer)))
    except StopIteration as end:
        assert not left, f"{len(left)} replies were not asked for"
        return Played(requests, end.value)


def json_reply(status: int, body: Any = None, **more: Any) -> Reply:
    return Reply(status, b"" if body is None else orjson.dumps(body), **more)


def problem(code: str, attr: str | None = None, **meta: Any) -> dict[str, Any]:
    return (
        {"code": code, "detail": "as the API says"}
        | ({"attr": attr} if attr else {})
        | ({"meta": meta} if meta else {})
    )


def taken(attr: str | None = "id", **more: Any) -> Reply:
    return json_reply(409, {"errors": [problem("taken", attr)]}, **more)


def moved(new: str, **more: Any) -> Reply:
    return json_reply(301, {"errors": [problem("moved", "customerId", old="x", new=new)]}, **more)


def profile(gladly_id: str = "held", **fields: Any) -> dict[str, Any]:
    base = {
        "id": gladly_id,
        "name": "Ada Sample",
        "emails": [{"original": "ada@example.org", "normalized": "ada@example.org"}],
        "phones": [{"original": "+16505550100", "normalized": "+16505550100", "regionCode": "US", "type": ""}],
        "createdAt": "2024-01-01T00:00:00Z",
    }
    return {**base, **fields}


def got(*_: Any, gladly_id: str | None = None, **fields: Any) -> Reply:
    """The requested profile, or the one with a given id."""
    held = profile(gladly_id or "", **fields)
    return json_reply(200, {name: value for name, value in held.items() if value != ""})


def found(*profiles: dict[str, Any]) -> Reply:
    return json_reply(200, list(profiles))


CREATED = json_reply(201)
PATCHED = json_reply(204)
GONE = json_reply(404, {"errors": {"code": "not_exist", "detail": "no such customer"}})
LOST = Reply(0, attempts=5, lost=5)
BROKEN = Reply(503, b"<html>busy</html>", attempts=5, lost=5)
NOT_GLADLYS = [
    *(Reply(status, b"<html>a page</html>") for status in (302, 400, 404, 408, 413, 418)),
    json_reply(404, {"message": "no route matched"}),
    json_reply(422, {"errors": []}),
]
REFUSED = json_reply(400, {"errors": [problem("invalid", "phones")]})
STRANGER = profile("s", emails=[{"original": "stranger@example.org"}], phones=[])


def known(record: Record, gladly_id: str = "held", **accepted: Any) -> Known:
    """The state after this record was accepted, with other values for some fields."""
    prints = {name: fingerprint(value) for name, value in accepted.items()}
    return Known(gladly_id, {**record.fingerprints, **prints})


# --- create ---------------------------------------------------------------------------------


def test_a_new_customer_takes_one_request() -> None:
    """A create under our id, without looking first."""
    record = row()

    played = play("upsert", record, [CREATED])

    assert played.calls == ["POST"]
    assert played.requests[0].repeat is Repeat.DETECTED
    assert played.body() == {"id": record.id, **record.payload}
    assert (played.outcome.word, played.outcome.gladly_id) == (Word.CREATED, record.id)
    assert played.outcome.accepted == record.fingerprints


@pytest.mark.parametrize("mode", ["create", "upsert"])
def test_nulls_are_not_created(mode: str) -> None:
    """A field that is to be cleared is left out of a new profile."""
    record = row({"name": "Ada", "address": None, "customAttributes": {"a": None, "b": 1}}, null="clear")

    played = play(mode, record, [CREATED])

    assert played.body() == {"id": record.id, "name": "Ada", "customAttributes": {"b": 1}}


@pytest.mark.parametrize("mode", ["create", "upsert"])
@pytest.mark.parametrize(
    ("lost", "word"), [pytest.param(0, Word.UNCHANGED, id="there before"), pytest.param(1, Word.CREATED, id="ours")]
)
def test_taken_id_with_equal_content(mode: str, lost: int, word: Word) -> None:
    """It counts as created if an attempt of ours was lost, and as unchanged otherwise."""
    record = row()

    played = play(mode, record, [taken(lost=lost), got(gladly_id=record.id)])

    assert played.calls == ["POST", f"GET /{record.id}"]
    assert (played.outcome.word, played.outcome.accepted) == (word, record.fingerprints)


def test_taken_id_with_other_content_is_a_reject_in_create_mode() -> None:
    """A create never changes an existing customer; the reject names the fields."""
    record = row()

    played = play("create", record, [taken(), got(name="Somebody Else")])

    assert played.calls == ["POST", f"GET /{record.id}"]
    assert (played.outcome.word, played.outcome.stage, played.outcome.status) == (Word.REJECTED, Stage.CONFLICT, 409)
    assert (played.outcome.code, played.outcome.attr) == ("taken", "id")
    assert "name" in (played.outcome.detail or "")
    assert "Somebody" not in (played.outcome.detail or "")


def test_taken_id_with_other_content_is_an_update_in_upsert_mode() -> None:
    """Three requests: create, look, change; only what differs is sent."""
    record = row()

    played = play("upsert", record, [taken(), got(name="Somebody Else", gladly_id=record.id), PATCHED])

    assert played.calls == ["POST", f"GET /{record.id}", f"PATCH /{record.id}"]
    assert played.body() == {"name": "Ada Sample"}
    assert (played.outcome.word, played.outcome.accepted) == (Word.UPDATED, record.fingerprints)


def test_null_clears_a_field_of_a_customer_that_was_there() -> None:
    """Also if the customer is only found because its id is taken."""
    record = row({**ADA, "address": None}, null="clear")

    played = play("upsert", record, [taken(), got(address="1 Test Lane"), PATCHED])

    assert played.body() == {"address": None}


@pytest.mark.parametrize("mode", ["create", "upsert"])
@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(json_reply(409, {"errors": [problem("taken", "id")]}), id="list"),
        pytest.param(json_reply(409, {"errors": problem("taken", "id")}), id="object"),
        pytest.param(json_reply(409, [problem("taken", "id")]), id="bare list"),
        pytest.param(json_reply(409, problem("taken", "id")), id="bare object"),
        pytest.param(json_reply(409, {"errors": [problem("taken")]}), id="no attribute"),
        pytest.param(json_reply(409, {"errors": [problem("taken", "emails"), problem("taken", "id")]}), id="both"),
    ],
)
def test_any_form_of_conflict_is_asked_about(mode: str, reply: Reply) -> None:
    """If the response does not rule it out, the customer with our id is looked at first."""
    record = row()

    played = play(mode, record, [reply, got(gladly_id=record.id)])

    assert played.calls == ["POST", f"GET /{record.id}"]
    assert played.outcome.word is Word.UNCHANGED


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(json_reply(409, {"errors": []}), id="no errors"),
        pytest.param(json_reply(409, {"errors": "taken"}), id="errors is a text"),
        pytest.param(json_reply(409, 17), id="a number"),
        pytest.param(Reply(409, b"<html>conflict</html>"), id="HTML"),
        pytest.param(Reply(409, b'{"errors": ['), id="half a body"),
        pytest.param(Reply(409, b""), id="nothing"),
    ],
)
def test_a_conflict_that_is_not_gladlys_may_stand_for_a_customer_that_was_made(reply: Reply) -> None:
    """If it exists with equal content, it was created; if not, it is a reject that never blames an address."""
    record = row()

    made = play("upsert", record, [reply, got(gladly_id=record.id)])
    not_made = play("upsert", record, [reply, GONE], on_conflict="merge")

    assert made.calls == not_made.calls == ["POST", f"GET /{record.id}"]
    assert made.outcome.word is Word.CREATED
    assert (not_made.outcome.word, not_made.outcome.code) == (Word.REJECTED, "http_409")


@pytest.mark.parametrize("attr", ["emails", "phones", "email", "phoneNumber", None])
def test_taken_address_is_quarantined_by_default(attr: str | None) -> None:
    """The reject names the field; the other customer is not touched."""
    record = row()
    lookup = [] if attr else [GONE]

    played = play("upsert", record, [taken(attr), *lookup])

    assert [called.split(" ")[0] for called in played.calls] == ["POST", "GET"][: 1 + len(lookup)]
    assert (played.outcome.word, played.outcome.stage, played.outcome.status) == (Word.REJECTED, Stage.CONFLICT, 409)
    assert (played.outcome.code, played.outcome.attr) == ("taken", attr)


def test_address_taken_by_our_own_lost_attempt() -> None:
    """The first attempt created the customer, and the second one got a conflict with its address."""
    record = row()

    played = play("upsert", record, [taken("emails", lost=1), got(gladly_id=record.id)])

    assert played.calls == ["POST", f"GET /{record.id}"]
    assert played.outcome.word is Word.CREATED


def test_address_taken_by_somebody_else_after_a_lost_attempt() -> None:
    """Gladly has no customer with our id, so it is a conflict like any other."""
    record = row()

    played = play("upsert", record, [taken("emails", lost=1), GONE])

    assert (played.outcome.word, played.outcome.code) == (Word.REJECTED, "taken")


@pytest.mark.parametrize("failure", [LOST, BROKEN, REFUSED])
@pytest.mark.parametrize("attr", ["id", "emails", None])
def test_a_failed_question_after_a_lost_attempt_is_unknown(attr: str | None, failure: Reply) -> None:
    """A failed look-up never means "not found": our first attempt may have created the customer."""
    record = row()

    played = play("upsert", record, [taken(attr, lost=1), failure])

    assert played.outcome.word is Word.UNKNOWN
    assert played.outcome.stage is Stage.API


@pytest.mark.parametrize("unclear", [LOST, BROKEN, *NOT_GLADLYS])
@pytest.mark.parametrize("mode", ["create", "upsert"])
def test_an_unclear_create_is_settled_by_asking(mode: str, unclear: Reply) -> None:
    """Never by another create: found means created, not found a reject, no response unknown."""
    record = row()

    made = play(mode, record, [unclear, got(gladly_id=record.id)])
    not_made = play(mode, record, [unclear, GONE])
    nobody_knows = play(mode, record, [unclear, LOST])

    assert made.outcome.word is Word.CREATED
    assert (not_made.outcome.word, not_made.outcome.stage) == (Word.REJECTED, Stage.API)
    assert nobody_knows.outcome.word is Word.UNKNOWN
    assert made.calls == not_made.calls == nobody_knows.calls == ["POST", f"GET /{record.id}"]


@pytest.mark.parametrize(
    "claim",
    [
        pytest.param(Reply(200, b"<html>sign in</html>"), id="a page"),
        pytest.param(Reply(201, b"<html>sign in</html>"), id="a page with 201"),
        pytest.param(Reply(201, headers={"Location": ""}), id="no place"),
        pytest.param(Reply(201, headers={"Location": f"{PATH}/somebody-else"}), id="another id"),
        pytest.param(json_reply(201, {"errors": [problem("invalid", "phones")]}), id="an error"),
        pytest.param(Reply(202), id="accepted"),
        pytest.param(Reply(204), id="no content"),
    ],
)
def test_a_customer_that_somebody_claims_was_made_is_looked_at(claim: Reply) -> None:
    """Found means created. Not found means unknown: Gladly may show it late, so it is not sent again automatically."""
    record = row()

    made = play("create", record, [claim, got(gladly_id=record.id)])
    not_there = play("create", record, [claim, GONE])

    assert made.calls == not_there.calls == ["POST", f"GET /{record.id}"]
    assert made.outcome.word is Word.CREATED
    assert (not_there.outcome.word, not_there.outcome.status) == (Word.UNKNOWN, claim.status)
    assert "check in Gladly" in (not_there.outcome.detail or "")


def test_no_answer_has_no_status() -> None:
    """Status 0 means no response at all; the reject says so."""
    played = play("upsert", row(), [LOST, GONE])

    assert (played.outcome.status, played.outcome.code) == (None, "no_answer")
    assert "5 attempts" in (played.outcome.detail or "")


@pytest.mark.parametrize(
    ("reply", "code", "attr"),
    [
        (REFUSED, "invalid", "phones"),
        (json_reply(400, problem("too_long", "name")), "too_long", "name"),
        (json_reply(400, {"errors": [{"detail": "no"}]}), "http_400", None),
        (GONE, "not_exist", None),
    ],
)
@pytest.mark.parametrize("mode", ["create", "upsert"])
def test_a_refused_create_is_a_reject(mode: str, reply: Reply, code: str, attr: str | None) -> None:
    """With Gladly's own words. The client has checked that the organisation exists."""
    played = play(mode, row(), [reply])

    assert played.calls == ["POST"]
    assert (played.outcome.word, played.outcome.stage, played.outcome.status) == (
        Word.REJECTED,
        Stage.API,
        reply.status,
    )
    assert (played.outcome.code, played.outcome.attr) == (code, attr)


@pytest.mark.parametrize(
    ("reply", "code", "attr"),
    [
        (json_reply(422, problem("too_long", "name")), "too_long", "name"),
        (Reply(400, b""), "http_400", None),
        (Reply(413, b"<html>"), "http_413", None),
        (Reply(302), "http_302", None),
        (Reply(404, b"<html>"), "http_404", None),
    ],
)
def test_a_reject_that_only_asking_has_shown_says_so(reply: Reply, code: str, attr: str | None) -> None:
    """The response has a status or form that Gladly does not use: its code is kept, but the text is ours."""
    played = play("upsert", row(), [reply, GONE])

    assert (played.outcome.word, played.outcome.code, played.outcome.attr) == (Word.REJECTED, code, attr)
    assert played.outcome.status == reply.status
    assert "not Gladly's" in (played.outcome.detail or "")
    assert "`retry`" in (played.outcome.detail or "")


def test_doubt_is_settled_by_asking_first() -> None:
    """An earlier process may have sent the create, so nothing is sent before the look."""
    record = row(doubt=True)

    there = play("upsert", record, [got(gladly_id=record.id)])
    not_there = play("upsert", record, [GONE, CREATED])
    nobody_knows = play("upsert", record, [BROKEN])

    assert (there.calls, there.outcome.word) == ([f"GET /{record.id}"], Word.CREATED)
    assert (not_there.calls, not_there.outcome.word) == ([f"GET /{record.id}", "POST"], Word.CREATED)
    assert (nobody_knows.calls, nobody_knows.outcome.word) == ([f"GET /{record.id}"], Word.UNKNOWN)


def test_doubt_outweighs_what_is_known() -> None:
    """What is remembered may be older than the request in doubt."""
    record = row()
    record = record._replace(known=known(record), doubt=True)

    played = play("create", record, [got(gladly_id=record.id)])

    assert played.calls == [f"GET /{record.id}"]


# --- known records -------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["create", "upsert", "update"])
def test_an_accepted_record_takes_no_request(mode: str) -> None:
    """Its content is known and has not changed."""
    record = row()
    record = record._replace(known=known(record))

    played = play(mode, record, [])

    assert played.calls == []
    assert (played.outcome.word, played.outcome.gladly_id) == (Word.UNCHANGED, "held")


@pytest.mark.parametrize("mode", ["upsert", "update"])
def test_a_changed_name_takes_one_patch(mode: str) -> None:
    """With the changed field alone, to the id that Gladly knows."""
    record = row()
    record = record._replace(known=known(record, name="Ada Old", image="kept"))

    played = play(mode, record, [PATCHED])

    assert played.calls == ["PATCH /held"]
    assert played.body() == {"name": "Ada Sample"}
    assert played.outcome.word is Word.UPDATED
    assert played.outcome.accepted == {**record.fingerprints, "image": fingerprint("kept")}


@pytest.mark.parametrize("mode", ["upsert", "update"])
def test_a_changed_contact_list_is_read_before_it_is_written(mode: str) -> None:
    """Others may have added an address, and PATCH replaces lists whole."""
    record = row()
    record = record._replace(known=known(record, emails=[{"original": "old@example.org"}]))
    held = {"original": "agent-added@example.org", "normalized": "agent-added@example.org"}

    played = play(mode, record, [got(emails=[held]), PATCHED])

    assert played.calls == ["GET /held", "PATCH /held"]
    assert played.body() == {"emails": [held, {"original": "ada@example.org"}]}


def test_read_first_reads_before_every_change() -> None:
    """One more request, for users who do not want to overwrite anything."""
    record = row()
    record = record._replace(known=known(record, name="Ada Old"))

    played = play("upsert", record, [got(name="Ada Old"), PATCHED], read_first=True)

    assert played.calls == ["GET /held", "PATCH /held"]


def test_a_changed_record_is_a_reject_in_create_mode() -> None:
    """A known customer with other content is not overwritten."""
    record = row()
    record = record._replace(known=known(record, record.id, name="Ada Old"))

    played = play("create", record, [taken(), got(name="Ada Old")])

    assert (played.outcome.word, played.outcome.code) == (Word.REJECTED, "taken")


@pytest.mark.parametrize(
    ("replies", "calls", "word"),
    [
        ([got(name="Ada Old")], ["GET /held"], Word.REJECTED),
        ([got()], ["GET /held"], Word.UNCHANGED),
        ([GONE, CREATED], ["GET /held", "POST"], Word.CREATED),
        ([BROKEN], ["GET /held"], Word.REJECTED),
    ],
)
def test_no_second_customer_is_created_for_a_key(replies: list[Reply], calls: list[str], word: Word) -> None:
    """The key of the row stands for a customer with another id, whom a create would not meet."""
    record = row()
    record = record._replace(known=known(record, name="Ada Old"))

    played = play("create", record, replies)

    assert (played.calls, played.outcome.word) == (calls, word)


@pytest.mark.parametrize("mode", ["upsert", "update"])
def test_a_known_customer_that_was_deleted_is_not_made_again(mode: str) -> None:
    """The person may have asked for the deletion."""
    record = row()
    record = record._replace(known=known(record, name="Ada Old"))

    played = play(mode, record, [GONE, GONE])

    assert played.calls == ["PATCH /held", "GET /held"]
    assert (played.outcome.word, played.outcome.code, played.outcome.status) == (Word.REJECTED, "deleted_since", 404)


# --- patches that go wrong ------------------------------------------------------------------


def changed(mode: str, replies: Sequence[Reply], **policy: Any) -> Played:
    record = row()
    record = record._replace(known=known(record, name="Ada Old"))
    return play(mode, record, replies, **policy)


def test_a_patch_of_a_merged_customer_follows_the_merge() -> None:
    """404, then 301: the change goes to the successor, which is remembered from now on."""
    heir = got(name="Ada Old")

    played = changed("upsert", [GONE, moved("heir"), heir, PATCHED])

    assert played.calls == ["PATCH /held", "GET /held", "GET /heir", "PATCH /heir"]
    assert played.body() == {"name": "Ada Sample"}
    assert (played.outcome.word, played.outcome.gladly_id) == (Word.UPDATED, "heir")


def test_a_patch_answered_301_follows_the_merge_too() -> None:
    """The documentation says both; neither is a redirect for the HTTP library."""
    played = changed("update", [moved("heir"), moved("heir"), got(name="Ada Sample")])

    assert played.calls == ["PATCH /held", "GET /held", "GET /heir"]
    assert (played.outcome.word, played.outcome.gladly_id) == (Word.UPDATED, "heir")


def test_a_patch_of_a_merged_customer_keeps_the_addresses_of_the_successor() -> None:
    """The list for the old profile is never written over that of the new one."""
    record = row()
    record = record._replace(known=known(record, emails=[]))
    heir = profile("heir", emails=[{"original": "heir@example.org"}])

    played = play("upsert", record, [got(emails=[]), GONE, moved("heir"), json_reply(200, heir), PATCHED])

    assert played.body() == {"emails": [{"original": "heir@example.org"}, {"original": "ada@example.org"}]}


@pytest.mark.parametrize("unclear", [LOST, BROKEN, *NOT_GLADLYS, Reply(200, b"<html>sign in</html>"), Reply(200)])
def test_a_lost_patch_is_settled_by_looking(unclear: Reply) -> None:
    """Done, not done, or unknown: never guessed."""
    done = changed("upsert", [unclear, got(name="Ada Sample")])
    not_done = changed("upsert", [unclear, got(name="Ada Old")])
    nobody_knows = changed("upsert", [unclear, LOST])

    assert done.outcome.word is Word.UPDATED
    assert (not_done.outcome.word, not_done.outcome.stage) == (Word.REJECTED, Stage.API)
    assert nobody_knows.outcome.word is Word.UNKNOWN
    assert done.calls == not_done.calls == nobody_knows.calls == ["PATCH /held", "GET /held"]


def test_a_lost_patch_is_judged_by_what_it_would_have_changed() -> None:
    """Another field that an agent has changed since says nothing about our request."""
    record = row({**ADA, "address": "1 Test Lane"})
    record = record._replace(known=known(record, name="Ada Old"))

    played = play("upsert", record, [LOST, got(name="Ada Sample", address="9 Moved Street")])

    assert played.outcome.word is Word.UPDATED


def test_a_patch_that_meets_a_taken_address_is_a_reject() -> None:
    """Not listed for this operation, but it happens; nothing of the row was written."""
    record = row()
    record = record._replace(known=known(record, emails=[]))

    played = play("update", record, [got(emails=[]), taken("emails")])

    assert (played.outcome.word, played.outcome.stage, played.outcome.attr) == (
        Word.REJECTED,
        Stage.CONFLICT,
        "emails",
    )


def test_a_refused_patch_is_a_reject() -> None:
    """Without another request."""
    played = changed("upsert", [REFUSED])

    assert (played.outcome.word, played.outcome.status) == (Word.REJECTED, 400)


def test_a_404_for_a_customer_that_is_there_ends() -> None:
    """A look shows the same customer without the change: a reject, not an endless loop."""
    played = changed("update", [GONE, got(name="Ada Old")])

    assert (played.outcome.word, played.outcome.status) == (Word.REJECTED, 404)


# --- merges ---------------------------------------------------------------------------------


def test_merges_are_followed_up_to_five_times() -> None:
    """A into B into C: `meta.new` may be the next or the last."""
    record = row(own_id="c-0")
    chain = [moved(f"c-{number}") for number in range(1, 6)]

    played = play("update", record, [*chain, got(name="Ada Old"), PATCHED])

    assert played.calls[-2:] == ["GET /c-5", "PATCH /c-5"]
    assert played.outcome.gladly_id == "c-5"


def test_a_longer_chain_or_a_circle_ends_as_a_reject() -> None:
    """Nothing was written, and the look-up is named."""
    record = row(own_id="c-0")

    played = play("update", record, [moved("c-1" if number % 2 == 0 else "c-0") for number in range(6)])

    assert len(played.calls) == 6
    assert (played.outcome.word, played.outcome.code) == (Word.REJECTED, "moved")


def test_a_merge_without_a_successor_ends_as_a_reject() -> None:
    """A 301 without a successor: nothing was read, so nothing is written."""
    played = play("update", row(own_id="c-0"), [Reply(301, b"<html>")])

    assert (played.outcome.word, played.outcome.code) == (Word.REJECTED, "unreadable")
    assert "HTTP 301" in (played.outcome.detail or "")


@pytest.mark.parametrize(
    ("location", "heir"),
    [
        (f"{PATH}/heir", "heir"),
        (f"{HOST}{PATH}/heir", "heir"),
        ("https://elsewhere.example.org/login", None),
        (f"{PATH}/", None),
    ],
)
def test_location_names_the_successor_where_the_body_does_not(location: str, heir: str | None) -> None:
    """Only if it points at a profile; a sign-in page does not."""
    record = row(own_id="c-0")
    redirect = Reply(301, b"", headers={"location": location})

    played = play("update", record, [redirect, got()] if heir else [redirect])

    assert played.calls == ["GET /c-0", "GET /heir"][: 2 if heir else 1]


def test_a_created_customer_that_was_merged_since_is_found() -> None:
    """Our id is taken by a customer that was merged into another."""
    record = row()

    played = play("upsert", record, [taken(), moved("heir"), got()])

    assert (played.outcome.word, played.outcome.gladly_id) == (Word.UNCHANGED, "heir")


# --- conflict policies ----------------------------------------------------------------------


def test_skip_takes_one_request() -> None:
    """The outcome says why the row was skipped."""
    played = play("upsert", row(), [taken("emails")], on_conflict="skip")

    assert (played.outcome.word, played.outcome.code, played.outcome.attr) == (Word.SKIPPED, "taken", "emails")


def test_update_finds_and_patches() -> None:
    """The fields of the row win; all other fields and addresses stay."""
    record = row({"name": "Ada New", "emails": [{"original": "ada@example.org"}]})
    held = profile("held", emails=[{"original": "ada@example.org"}, {"original": "other@example.org"}])

    played = play("upsert", record, [taken("emails"), found(held), PATCHED], on_conflict="update")

    assert played.calls == ["POST", "GET ?email=ada@example.org", "PATCH /held"]
    assert played.body() == {"name": "Ada New"}
    assert (played.outcome.word, played.outcome.gladly_id) == (Word.UPDATED, "held")


def test_merge_fills_gaps_and_unites_lists() -> None:
    """Where Gladly holds a value, it stays."""
    fields = {
        "name": "Ada New",
        "address": "1 Test Lane",
        "emails": ["ada@example.org", {"original": "new@example.org", "primary": True}],
    }
    held = profile("held", emails=[{"original": "ada@example.org", "primary": True}])

    replies = [taken("emails"), found(held), json_reply(200, held), PATCHED]

    played = play("upsert", row(fields), replies, on_conflict="merge")

    assert played.calls == ["POST", "GET ?email=ada@example.org", "GET /held", "PATCH /held"]
    assert played.body() == {
        "address": "1 Test Lane",
        "emails": [{"original": "ada@example.org", "primary": True}, {"original": "new@example.org"}],
    }


def test_merge_of_an_equal_customer_writes_nothing() -> None:
    """Find, read, and be done."""
    played = play("upsert", row(), [taken("emails"), found(profile()), got()], on_conflict="merge")

    assert (played.outcome.word, played.outcome.gladly_id) == (Word.UNCHANGED, "held")


def test_merge_never_overwrites_the_successor_of_a_merged_customer() -> None:
    """The customer is merged between the search and the change: the successor's name stays as well."""
    record = row({"name": "Ada New", "emails": ["ada@example.org", "new@example.org"]})
    replies = [taken("emails"), found(profile()), got(), GONE, moved("heir"), got(name="Heir"), PATCHED]

    played = play("upsert", record, replies, on_conflict="merge")

    assert played.calls[-1] == "PATCH /heir"
    assert set(played.body()) == {"emails"}


def test_a_lost_merge_is_done_when_nothing_is_missing() -> None:
    """Another name in Gladly does not mean that the merge failed."""
    record = row({"name": "Ada New", "emails": ["ada@example.org", "new@example.org"]})
    both = [{"original": "ada@example.org"}, {"original": "new@example.org"}]

    replies = [taken("emails"), found(profile()), got(), LOST, got(emails=both)]

    played = play("upsert", record, replies, on_conflict="merge")

    assert played.outcome.word is Word.UPDATED


MOBILE = {"original": "+16505550100", "normalized": "+16505550100", "type": "MOBILE"}
SHARED = {**MOBILE, "type": "HOME"}


def test_a_shared_phone_number_points_to_nobody() -> None:
    """The number of a household does not identify a person."""
    record = row({"emails": ["b@example.org"], "phones": ["+16505550100"]})
    housemate = found(profile("housemate", phones=[SHARED]))

    played = play("update", record, [found(), housemate, GONE])

    assert not any(call.startswith("PATCH") for call in played.calls)
    assert (played.outcome.word, played.outcome.code) == (Word.REJECTED, "ambiguous")


def test_nobody_is_deleted_for_a_phone_number() -> None:
    """A row whose email is unknown deletes no customer, not even one with its number."""
    record = row({"emails": ["b@example.org"], "phones": ["+16505550100"]})

    played = play("delete", record, [found(), GONE])

    assert played.calls == ["GET ?email=b@example.org", f"GET /{record.id}"]
    assert played.outcome.word is Word.UNCHANGED


@pytest.mark.parametrize(
    ("attributes", "calls"), [("unknown", ["GET /held", "PATCH /held"]), ("merge", ["PATCH /held"])]
)
def test_attributes_are_read_before_they_are_written(attributes: str, calls: list[str]) -> None:
    """Gladly may replace them whole, so those of others are sent along, unless the user knows better."""
    record = row({"customAttributes": {"tier": "gold"}})
    record = record._replace(known=known(record, customAttributes={"tier": "silver"}))
    held = got(**{**record.payload, "customAttributes": {"tier": "silver", "note": "by an agent"}})

    played = play("upsert", record, [held, PATCHED] if attributes == "unknown" else [PATCHED], attributes=attributes)

    assert played.calls == calls
    assert played.outcome.word is Word.UPDATED
    if attributes == "unknown":
        assert played.body()["customAttributes"] == {"tier": "gold", "note": "by an agent"}


def test_a_row_is_looked_up_by_all_its_addresses() -> None:
    """Emails first, then phones; an email that is found ends the search."""
    record = row({"emails": ["a@example.org", "b@example.org"], "phones": ["+16505550100"]})

    second = play("upsert", record, [taken("emails"), found(), found(profile()), PATCHED], on_conflict="update")
    phone = play(
        "upsert",
        record,
        [taken("phones"), found(), found(), found(profile(phones=[MOBILE])), PATCHED],
        on_conflict="update",
    )

    assert second.calls[1:3] == ["GET ?email=a@example.org", "GET ?email=b@example.org"]
    assert phone.calls[3] == "GET ?phoneNumber=+16505550100"


@pytest.mark.parametrize("policy", ["update", "merge"])
def test_addresses_of_several_customers_are_a_reject(policy: str) -> None:
    """Only a person can say which one is meant."""
    record = row({"phones": ["+16505550100"]})

    both = found(profile("b", phones=[MOBILE]), profile("a", phones=[MOBILE]))
    played = play("upsert", record, [taken("phones"), both], on_conflict=policy)

    assert (played.outcome.word, played.outcome.code) == (Word.REJECTED, "ambiguous")
    assert "a, b" in (played.outcome.detail or "")


@pytest.mark.parametrize("policy", ["update", "merge"])
def test_an_address_that_is_taken_by_nobody_is_a_reject(policy: str) -> None:
    """The search may lag behind; nothing is concluded from it."""
    record = row({"emails": ["ada@example.org"]})

    played = play("upsert", record, [taken("emails"), found()], on_conflict=policy)

    assert (played.outcome.word, played.outcome.code, played.outcome.stage) == (
        Word.REJECTED,
        "taken",
        Stage.CONFLICT,
    )


@pytest.mark.parametrize("policy", ["update", "merge"])
@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (LOST, "no_answer"),
        (BROKEN, "http_503"),
        (REFUSED, "invalid"),
        (Reply(200, b"<html>"), "unreadable"),
        (json_reply(200, {"customers": []}), "unreadable"),
    ],
)
def test_a_failed_search_is_never_not_found(policy: str, failure: Reply, code: str) -> None:
    """A reject that names the search; nothing is created, nothing is changed."""
    record = row({"emails": ["ada@example.org", "b@example.org"]})

    played = play("upsert", record, [taken("emails"), failure], on_conflict=policy)

    assert played.calls == ["POST", "GET ?email=ada@example.org"]
    assert (played.outcome.word, played.outcome.code) == (Word.REJECTED, code)


# --- update ---------------------------------------------------------------------------------


def test_update_goes_by_the_own_id() -> None:
    """One look, one change."""
    played = play("update", row(own_id="own-1"), [got(name="Ada Old"), PATCHED])

    assert played.calls == ["GET /own-1", "PATCH /own-1".replace("own-1", "own-1")]
    assert played.outcome.word is Word.UPDATED


def test_update_goes_by_addresses_and_then_by_the_derived_id() -> None:
    """The email finds a customer that others created, the key one that we created."""
    record = row({"name": "Ada New", "emails": ["ada@example.org"]})

    by_email = play("update", record, [found(profile()), PATCHED])
    by_id = play("update", record, [found(), got(emails=[{"original": "ada@example.org"}]), PATCHED])

    assert by_email.calls == ["GET ?email=ada@example.org", "PATCH /held"]
    assert by_id.calls == ["GET ?email=ada@example.org", f"GET /{record.id}", f"PATCH /{record.id}"]


def test_update_of_an_equal_customer_writes_nothing() -> None:
    """One look."""
    record = row()

    played = play("update", record, [found(profile())])

    assert (played.outcome.word, played.outcome.accepted) == (Word.UNCHANGED, record.fingerprints)


@pytest.mark.parametrize("own_id", [None, "own-1"])
def test_update_makes_nobody(own_id: str | None) -> None:
    """A customer that does not exist is a reject that names the fix."""
    record = row({"name": "Ada"}, own_id=own_id)

    played = play("update", record, [GONE])

    assert (played.outcome.word, played.outcome.code) == (Word.REJECTED, "not_exist")
    assert "upsert" in (played.outcome.detail or "")


@pytest.mark.parametrize("failure", [LOST, BROKEN, Reply(200, b"<html>"), json_reply(200, [])])
def test_update_without_a_readable_profile_changes_nothing(failure: Reply) -> None:
    """The reject names the look-up: no PATCH is sent before the profile was read."""
    played = play("update", row(own_id="own-1"), [failure])

    assert played.calls == ["GET /own-1"]
    assert played.outcome.word is Word.REJECTED


# --- delete ---------------------------------------------------------------------------------


def test_delete_goes_by_own_id_memory_or_key() -> None:
    """One request where the id is known."""
    remembered = row({"name": "Ada"})
    remembered = remembered._replace(known=known(remembered))

    own = play("delete", row({"name": "Ada"}, own_id="own-1"), [json_reply(204)])
    memory = play("delete", remembered, [json_reply(204)])
    derived = play("delete", record := row({"name": "Ada"}), [json_reply(204)])

    assert (own.calls, own.outcome.word) == (["DELETE /own-1"], Word.DELETED)
    assert memory.calls == ["DELETE /held"]
    assert derived.calls == [f"DELETE /{record.id}"]
    assert own.requests[0].repeat is Repeat.HARMLESS


def test_delete_by_email_looks_first() -> None:
    """Only the customer whose profile holds the address is deleted."""
    record = row({"emails": ["ada@example.org"]})

    hit = play("delete", record, [found(profile()), got(), json_reply(204)])
    nobody = play("delete", record, [found(), GONE])
    failed = play("delete", record, [BROKEN])

    assert hit.calls == ["GET ?email=ada@example.org", "GET /held", "DELETE /held"]
    assert (hit.outcome.word, hit.outcome.gladly_id) == (Word.DELETED, "held")
    assert nobody.outcome.word is Word.UNCHANGED
    assert failed.outcome.word is Word.REJECTED
    assert failed.calls == ["GET ?email=ada@example.org"]


@pytest.mark.parametrize(
    ("replies", "word", "code"),
    [
        pytest.param([found(STRANGER), GONE], Word.REJECTED, "unreadable", id="a looser search"),
        pytest.param(
            [found(profile("s")), json_reply(200, STRANGER)], Word.REJECTED, "ambiguous", id="a search that lags"
        ),
        pytest.param([found(profile("s")), GONE], Word.UNCHANGED, None, id="gone meanwhile"),
        pytest.param([found(profile("s")), BROKEN], Word.REJECTED, "http_503", id="not read"),
        pytest.param([found(profile("s")), Reply(404, b"<html>")], Word.REJECTED, "unreadable", id="a page"),
        pytest.param([found(profile("s")), got(gladly_id="x")], Word.REJECTED, "unreadable", id="somebody else"),
    ],
)
def test_no_stranger_is_deleted(replies: list[Reply], word: Word, code: str | None) -> None:
    """A match of a search counts only if its profile holds the address."""
    played = play("delete", row({"emails": ["ada@example.org"]}), replies)

    assert not [call for call in played.calls if call.startswith("DELETE")]
    assert (played.outcome.word, played.outcome.code) == (word, code)


@pytest.mark.parametrize("policy", ["update", "merge"])
@pytest.mark.parametrize("mode", ["update", "upsert"])
def test_no_stranger_is_changed(mode: str, policy: str) -> None:
    """A match counts only if its profile holds the address: a search may be loose, or lag behind."""
    record = row({"name": "Ada New", "emails": ["ada@example.org"]})
    replies = [found(STRANGER), GONE] if mode == "update" else [taken("emails"), found(STRANGER)]

    played = play(mode, record, replies, on_conflict=policy)

    assert not [call for call in played.calls if call.startswith("PATCH")]
    assert played.outcome.word is Word.REJECTED


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"errors": [{"code": "invalid"}]},
        {"id": "somebody-else", "emails": []},
        {"data": {"id": "held"}},
        {"id": "held", "emails": ["ada@example.org"]},
        {"id": "held", "emails": {"original": "ada@example.org"}},
        {"id": "held", "phones": [{"number": "1"}]},
        {"id": "held", "customAttributes": ["tier"]},
    ],
)
@pytest.mark.parametrize("mode", ["update", "upsert"])
def test_no_list_or_attribute_is_lost_to_an_answer_that_is_not_the_customer(mode: str, body: dict[str, Any]) -> None:
    """What a PATCH holds whole is only merged into what Gladly showed of that very customer."""
    record = row({**ADA, "customAttributes": {"tier": "gold"}})
    record = record._replace(known=Known("held", dict.fromkeys(record.fingerprints, "older")))

    played = play(mode, record, [Reply(200, orjson.dumps(body))], as_is=True)

    assert played.calls == ["GET /held"]
    assert (played.outcome.word, played.outcome.code) == (Word.REJECTED, "unreadable")


def test_a_list_is_merged_into_the_profile_and_not_into_what_a_search_showed() -> None:
    """The index may lag behind: an address that was added since would be lost."""
    record = row({"name": "Ada", "emails": ["ada@example.org", "new@example.org"]})
    later = [{"original": "ada@example.org"}, {"original": "added-since@example.org"}]

    for mode, replies in (("update", []), ("upsert", [taken("emails")])):
        played = play(mode, record, [*replies, found(profile()), got(emails=later), PATCHED], on_conflict="update")

        assert played.calls[-2:] == ["GET /held", "PATCH /held"]
        assert played.body()["emails"] == [*later, {"original": "new@example.org"}]


@pytest.mark.parametrize(
    ("first", "word"),
    [
        pytest.param(GONE, Word.UNCHANGED, id="gone before"),
        pytest.param(GONE._replace(lost=1), Word.DELETED, id="gone by our lost attempt"),
        pytest.param(LOST, Word.DELETED, id="lost, and gone"),
        pytest.param(json_reply(404), Word.DELETED, id="not Gladly's words, and gone"),
        pytest.param(Reply(200, b"<html>"), Word.DELETED, id="a page, and gone"),
    ],
)
def test_a_customer_that_is_gone_is_not_an_error(first: Reply, word: Word) -> None:
    """It is looked up once more, because a 404 may also mean a merge."""
    played = play("delete", row({"name": "Ada"}, own_id="own-1"), [first, GONE])

    assert played.calls == ["DELETE /own-1", "GET /own-1"]
    assert played.outcome.word is word


def test_a_merged_customer_is_not_deleted() -> None:
    """The customer it was merged into also holds another record's data."""
    played = play("delete", row({"name": "Ada"}, own_id="own-1"), [GONE, moved("heir"), got()])

    assert "DELETE /heir" not in played.calls
    assert (played.outcome.word, played.outcome.code, played.outcome.status) == (Word.REJECTED, "moved", 301)


@pytest.mark.parametrize(
    ("replies", "word", "code"),
    [
        ([json_reply(400, {"errors": problem("invalid_state", "conversation")})], Word.REJECTED, "invalid_state"),
        ([BROKEN, got()], Word.REJECTED, "http_503"),
        ([BROKEN, BROKEN], Word.UNKNOWN, "unsettled"),
        ([LOST, LOST], Word.UNKNOWN, "unsettled"),
        ([json_reply(200), got()], Word.REJECTED, "http_200"),
        ([Reply(404, b"<html>"), got()], Word.REJECTED, "http_404"),
        ([Reply(404, b"<html>"), Reply(404, b"<html>")], Word.UNKNOWN, "unsettled"),
        ([GONE, Reply(404, b"<html>")], Word.UNKNOWN, "unsettled"),
    ],
)
def test_a_delete_that_fails_says_what_is_certain(replies: list[Reply], word: Word, code: str) -> None:
    """Found is a reject. Without a response of Gladly it is unknown, never "did not exist before"."""
    played = play("delete", row({"name": "Ada"}, own_id="own-1"), replies)

    assert (played.outcome.word, played.outcome.code) == (word, code)


# --- what must hold whatever is answered -----------------------------------------------------


def entry(name: str) -> dict[str, Any]:
    return {"original": f"{name}@example.org"}


def number(last: int, **more: Any) -> dict[str, Any]:
    return {"original": f"+1650555010{last}", **more}


some_emails = st.lists(st.sampled_from("abc").map(entry), max_size=3, unique_by=lambda found: str(found["original"]))
profiles: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"id": st.sampled_from(["held", "heir"])},
    optional={
        "name": st.sampled_from(["Ada Sample", "Other"]),
        "emails": some_emails,
        "phones": st.lists(st.builds(number, st.integers(0, 2), extension=st.sampled_from("12")), max_size=3),
    },
)
replies = st.one_of(
    profiles.map(lambda body: json_reply(200, body)),
    st.lists(profiles, max_size=2).map(lambda body: json_reply(200, body)),
    st.sampled_from([CREATED, PATCHED, GONE, LOST, BROKEN, REFUSED, moved("heir")]),
    st.sampled_from([taken(attr, lost=lost) for attr in ("id", "emails", "phones", None) for lost in (0, 1)]),
)
rows: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"name": st.sampled_from(["Ada Sample", "Ada New"])},
    optional={
        "emails": st.lists(st.sampled_from("abcd").map(entry), min_size=1, max_size=3),
        "phones": st.lists(st.builds(number, st.integers(0, 3)), min_size=1, max_size=2),
    },
)


@given(
    mode=st.sampled_from(["create", "update", "upsert", "delete"]),
    fields=rows,
    is_known=st.booleans(),
    doubt=st.booleans(),
    on_conflict=st.sampled_from(["quarantine", "skip", "update", "merge"]),
    answers=st.lists(replies, min_size=1, max_size=30),
)
def test_whatever_is_answered_the_steps_end_in_a_word(
    mode: str,
    fields: dict[str, Any],
    is_known: bool,
    doubt: bool,
    on_conflict: str,
    answers: list[Reply],
) -> None:
    """No response causes an endless loop or an exception, and each reject says where and why."""
    record = row(fields, doubt=doubt)
    if is_known:
        record = record._replace(known=Known("held", dict.fromkeys(record.fingerprints, "older")))
    steps = CUSTOMERS.steps(record, Policy(host=HOST, mode=Mode(mode), key="crm", on_conflict=on_conflict))

    outcome = None
    try:
        request = next(steps)
        for turn in range(40):
            request = steps.send(judged(request, completed(request, answers[turn % len(answers)])))
    except StopIteration as end:
        outcome = end.value

    assert isinstance(outcome, Outcome), "the steps do not end"
    assert outcome.word is not Word.REJECTED or (outcome.code and outcome.stage and outcome.detail)


ROUTES: Mapping[str, tuple[str, str, Callable[[Reply, Reply], list[Reply]]]] = {
    "update, found by id": ("update", "quarantine", lambda get, _: [get]),
    "update, found by email": ("update", "quarantine", lambda _, find: [find]),
    "upsert, id taken": ("upsert", "quarantine", lambda get, _: [taken(), get]),
    "upsert, known": ("upsert", "quarantine", lambda get, _: [get]),
    "upsert, merged": ("upsert", "quarantine", lambda get, _: [moved("heir"), get]),
    "conflict, update": ("upsert", "update", lambda _, find: [taken("emails"), find]),
    "conflict, merge": ("upsert", "merge", lambda _, find: [taken("emails"), find]),
}


@pytest.mark.parametrize("route", ROUTES)
@given(held=profiles, fields=rows)
def test_no_route_shortens_a_contact_list(route: str, held: dict[str, Any], fields: dict[str, Any]) -> None:
    """Every list that is PATCHed has each entry of the profile that was read just before."""
    mode, on_conflict, answers = ROUTES[route]
    record = row(
        {**fields, "emails": fields.get("emails") or ["a@example.org"]}, own_id="own" if "id" in route else None
    )
    if "known" in route or "merged" in route:
        record = record._replace(known=Known("held", dict.fromkeys(record.fingerprints, "older")))
    policy = Policy(host=HOST, mode=Mode(mode), key="crm", on_conflict=on_conflict)
    steps = CUSTOMERS.steps(record, policy)
    left = [*answers(json_reply(200, held), found(held)), PATCHED]

    request = next(steps)
    try:
        while request.method != "PATCH":
            request = steps.send(judged(request, completed(request, left.pop(0))))
    except StopIteration:
        request = Request("nothing", "PATCH", PATH, body=b"{}")

    body = orjson.loads(request.body or b"")
    for name, identity in (("emails", email_identity), ("phones", phone_identity)):
        if name in body:
            kept = [(identity(after), after.get("extension")) for after in body[name]]
            assert kept[: len(held.get(name, []))] == [
                (identity(before), before.get("extension")) for before in held.get(name, [])
            ]


@pytest.mark.parametrize("failed", [json_reply(400, {"errors": [problem("not_exist", "email")]}), GONE])
def test_a_failed_search_is_not_taken_for_a_customer_who_is_gone(failed: Reply) -> None:
    """Whatever the code of the refusal: a failed search does not show that a customer does not exist."""
    played = play("delete", row(), [failed])

    assert played.calls == ["GET ?email=ada@example.org"]
    assert played.outcome.word is Word.REJECTED


def test_a_refused_change_is_not_taken_for_a_customer_who_was_deleted() -> None:
    """Only a 404 for the customer says so, not something in the row that does not exist."""
    record = row()
    record = record._replace(known=known(record, name="Ada Old"))

    played = play("upsert", record, [json_reply(400, {"errors": [problem("not_exist", "name")]})])

    assert (played.outcome.code, played.outcome.status) == ("not_exist", 400)
