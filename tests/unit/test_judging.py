"""What a reply means: each operation against its own replies, and against those of others in its place."""

import json
import re
from collections.abc import Mapping
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from bulkgladly.judging import Judgement, judge, problems_in
from bulkgladly.messages import GET_ORGANIZATION, Meaning, Request
from bulkgladly.operations import OPERATIONS, Body, Operation
from bulkgladly.strict_json import exact_value

OWN = "our-own-id"
ERRORS: Mapping[str, Any] = {"errors": [{"code": "not_exist", "detail": "there is no such thing"}]}
PAGE = b"<!doctype html><html><body>Sign in</body></html>"
LIES: Mapping[str, bytes] = {
    "nothing": b"",
    "a page": PAGE,
    "an error": orjson.dumps(ERRORS),
    "an error of a gateway": b'{"message": "no route matched"}',
    "another error of a gateway": b'{"error": {"code": "x", "message": "y"}}',
    "an empty object": b"{}",
    "an empty list": b"[]",
    "a list of numbers": b"[1, 2]",
    "a list of empty objects": b"[{}]",
    "null": b"null",
    "a text": b'"ok"',
    "a number": b"1",
    "half a body": b'{"id": "our-o',
    "another object": b'{"id": "somebody-else"}',
    "a wrapped object": b'{"data": {"id": "our-own-id"}}',
    "no text": b"\xff\xfe\x00",
}
ODD_STATUSES = (200, 201, 202, 203, 204, 205, 206, 300, 301, 302, 303, 304, 307, 308, 400, 402, 404, 405, 406, 407)
MORE_STATUSES = (408, 409, 410, 411, 413, 414, 415, 421, 422, 425, 431, 451, 499, 500, 501, 502, 503, 504, 520, 599)


def asked(name: str) -> Request:
    """A request of an operation, with ids of ours wherever it takes some."""
    row = OPERATIONS[name]
    path = re.sub(r"\{\w+\}", OWN, row.path)
    body = None if row.method in ("GET", "DELETE") else orjson.dumps({"id": OWN, "name": "Sample"})
    return Request(name, row.method, path, body=body)


def held(row: Operation) -> dict[str, Any]:
    """The object that confirms."""
    members: dict[str, Any] = dict.fromkeys((*row.needs, *row.one_of[:1]), "some text")
    return members | dict.fromkeys([name for name, _ in row.equals], OWN) | ({"id": OWN} if "id" in row.needs else {})


def confirmation(name: str) -> tuple[int, CIMultiDict[str], bytes]:
    """The reply that confirms."""
    row = OPERATIONS[name]
    headers = CIMultiDict[str]()
    if row.located is not None or row.body is Body.ELSEWHERE:
        headers["Location"] = f"/api/v1/things/{OWN}"
    content: Any = {
        Body.OBJECT: held(row),
        Body.OBJECTS: [held(row)],
        Body.ENTRIES: [held(row)],
    }.get(row.body)
    return row.status, headers, b"" if content is None else orjson.dumps(content)


def meaning(name: str, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Meaning:
    return judge(asked(name), status, CIMultiDict(headers or {}), body).meaning


@pytest.mark.parametrize("name", OPERATIONS)
def test_what_an_operation_answers_confirms(name: str) -> None:
    status, headers, body = confirmation(name)

    found = judge(asked(name), status, headers, body)

    assert found.meaning is Meaning.CONFIRMED
    assert found.content == (orjson.loads(body) if body else None)


@pytest.mark.parametrize("name", [name for name, row in OPERATIONS.items() if not row.body.is_streamed])
def test_no_status_alone_confirms(name: str) -> None:
    """Whatever else comes with the right status, nothing is taken for done."""
    row = OPERATIONS[name]
    headers = {"Location": f"/api/v1/things/{OWN}"} if row.located is not None else {}

    found = {lie: meaning(name, row.status, body, headers) for lie, body in LIES.items()}

    assert found == {lie: believed(row, lie) for lie in LIES}


def believed(row: Operation, lie: str) -> Meaning:
    """What to make of a body that is not the operation's own: a few are as good as any."""
    is_empty_list = lie == "an empty list" and row.body in (Body.OBJECTS, Body.ENTRIES)
    is_nothing = row.body is Body.NOTHING and lie == "nothing"
    # With a `Location` that ends in our id it is Gladly who speaks, whatever fields it may add one day.
    is_more = row.located is not None and lie in ("an empty object", "another object", "a wrapped object")

    # Gladly chose the id of these, so that of another object is as good as any.
    is_any = lie == "another object" and row.needs == ("id",) and row.body is Body.OBJECT and not row.equals

    return Meaning.CONFIRMED if is_empty_list or is_nothing or is_more or is_any else Meaning.UNCLEAR


@pytest.mark.parametrize("name", [name for name, row in OPERATIONS.items() if row.located is not None])
def test_a_create_without_its_place_is_not_confirmed(name: str) -> None:
    assert meaning(name, OPERATIONS[name].status) is Meaning.UNCLEAR


@pytest.mark.parametrize("name", [name for name, row in OPERATIONS.items() if row.located])
def test_a_create_under_another_id_than_ours_is_not_confirmed(name: str) -> None:
    """Should Gladly ever ignore our ids, each run would make everything again."""
    location = {"Location": "/api/v1/things/somebody-else"}

    assert meaning(name, OPERATIONS[name].status, headers=location) is Meaning.UNCLEAR


@pytest.mark.parametrize("status", [*ODD_STATUSES, *MORE_STATUSES])
def test_what_gladly_does_not_say_is_unclear(status: int) -> None:
    """For every operation: neither done, nor refused, nor absent."""
    found = {
        (name, lie): meaning(name, status, LIES[lie])
        for name, row in OPERATIONS.items()
        if status != row.status and name != GET_ORGANIZATION.operation
        for lie in ("nothing", "a page", "an error of a gateway", "an empty object", "half a body")
    }

    assert set(found.values()) == {Meaning.UNCLEAR}


@pytest.mark.parametrize("name", [name for name in OPERATIONS if name != GET_ORGANIZATION.operation])
def test_gladlys_own_errors_refuse_and_tell_of_absence(name: str) -> None:
    body = orjson.dumps(ERRORS)

    assert meaning(name, 400, body) is Meaning.REFUSED
    assert meaning(name, 409, body) is meaning(name, 400, b'{"errors": {"code": "taken"}}') is Meaning.TAKEN
    assert meaning(name, 404, body) is Meaning.ABSENT
    assert meaning(name, 500, body) is meaning(name, 408, body) is meaning(name, 422, body) is Meaning.UNCLEAR
    assert meaning(name, 429, PAGE) is Meaning.THROTTLED
    assert meaning(name, 401, PAGE) is Meaning.NOT_AUTHENTICATED
    assert meaning(name, 403) is Meaning.NOT_PERMITTED


@pytest.mark.parametrize(
    ("content", "codes"),
    [
        ({"errors": [{"code": "taken", "attr": "id"}]}, ["taken"]),
        ({"errors": {"code": "not_exist"}}, ["not_exist"]),
        ([{"attr": "status", "code": "temporary_failure"}], ["temporary_failure"]),
        ({"code": "blank", "detail": "name is missing"}, ["blank"]),
        ({"errors": [{"detail": "no code"}]}, [None]),
        ({"errors": [{"attr": "name"}, 7, None]}, [None]),
        ({"errors": []}, []),
        ({"errors": [{}]}, []),
        ({"errors": "all"}, []),
        ({"errors": [{"message": "no route"}]}, []),
        ({"code": 404, "message": "not found"}, []),
        ({"code": "ResourceNotFound", "message": "not here"}, []),
        ({"detail": "Not Found"}, []),
        ({"message": "no"}, []),
        ([{"code": "strange"}], []),
        ([], []),
        ("taken", []),
        (None, []),
    ],
)
def test_only_the_four_forms_are_gladlys_errors(content: Any, codes: list[str | None]) -> None:
    assert [problem.code for problem in problems_in(content)] == codes


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 404])
def test_a_host_without_an_organisation_says_so_in_any_form(status: int) -> None:
    assert judge(GET_ORGANIZATION, status, CIMultiDict(), PAGE).meaning is Meaning.ABSENT


@pytest.mark.parametrize("status", [200, 201, 204, 400, 410, 500, 503])
def test_an_organisation_that_answers_oddly_is_not_taken_for_none(status: int) -> None:
    """A page of a proxy during maintenance is an outage, and no wrong address."""
    assert judge(GET_ORGANIZATION, status, CIMultiDict(), PAGE).meaning is Meaning.UNCLEAR


PROFILE = {"id": OWN, "emails": [{"original": "ada@example.org"}], "customAttributes": {"tier": "gold"}}


@pytest.mark.parametrize(
    "change",
    [
        {"emails": "ada@example.org"},
        {"emails": ["ada@example.org"]},
        {"emails": [{"normalized": "ada@example.org"}]},
        {"phones": {}},
        {"phones": [{"original": None}]},
        {"customAttributes": [1]},
        {"customAttributes": "gold"},
        {"id": OWN.upper()},
        {"id": None},
        {"id": 7},
    ],
)
@pytest.mark.parametrize("name", ["getCustomer", "findCustomers"])
def test_a_profile_of_another_form_is_never_merged_with_ours(name: str, change: dict[str, Any]) -> None:
    """What is not understood would be missing from the list that is sent back."""
    profile = {**PROFILE, **change}
    body = orjson.dumps([profile] if name == "findCustomers" else profile)
    is_other_id = name == "findCustomers" and change.get("id") == OWN.upper()

    assert meaning(name, 200, body) is (Meaning.CONFIRMED if is_other_id else Meaning.UNCLEAR)


def test_absent_and_empty_lists_of_a_profile_are_understood() -> None:
    changes: tuple[dict[str, Any], ...] = ({}, {"emails": None, "phones": []}, {"customAttributes": {}, "new": [1]})
    for change in changes:
        assert meaning("getCustomer", 200, orjson.dumps({**PROFILE, **change})) is Meaning.CONFIRMED


def test_a_list_of_somebody_elses_objects_is_not_the_list_asked_for() -> None:
    theirs = orjson.dumps([{"id": "c-1", "customerId": "somebody-else"}])

    assert meaning("getConversations", 200, theirs) is meaning("getTasks", 200, theirs) is Meaning.UNCLEAR


def test_one_odd_job_does_not_hide_the_others() -> None:
    good = {"id": "job-1", "status": "COMPLETED"}

    assert meaning("findJobs", 200, orjson.dumps([good, "odd", {"id": 7}])) is Meaning.CONFIRMED
    assert meaning("findJobs", 200, orjson.dumps(["odd", {"id": "job-1"}])) is Meaning.UNCLEAR


@pytest.mark.parametrize("quoted", ["a%2Fb", "a/b"])
def test_an_id_is_compared_as_it_is_and_not_as_it_stands_in_the_path(quoted: str) -> None:
    request = Request("getTopic", "GET", "/api/v1/topics/a%2Fb")

    found = judge(request, 200, CIMultiDict(), orjson.dumps({"id": quoted}))

    assert found.meaning is (Meaning.CONFIRMED if quoted == "a/b" else Meaning.UNCLEAR)


NUMBERS = (
    b"123456789012345678901234567890",
    b"-9223372036854775809",
    b"18446744073709551616",
    b"0.12345678901234567890123",
    b"1e5",
    b"1.10",
    b"-0",
    b"-0.0",
    b"0.1",
    b"9007199254740993.0",
    b"7",
    b"1.0",
)


@pytest.mark.parametrize("number", NUMBERS)
def test_a_number_of_somebody_else_goes_back_exactly_as_it_came(number: bytes) -> None:
    """Rounded, it would be lost in the organisation."""
    body = b'{"id":"our-own-id","customAttributes":{"theirs":%b}}' % number

    found = judge(asked("getCustomer"), 200, CIMultiDict(), body)

    assert found.meaning is Meaning.CONFIRMED
    assert orjson.dumps(found.content) == body


def test_a_number_that_cannot_be_sent_back_is_not_understood() -> None:
    assert meaning("getCustomer", 200, b'{"id":"our-own-id","customAttributes":{"theirs":1E400}}') is Meaning.UNCLEAR


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**80), 2**80)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(json_values)
def test_whatever_json_comes_can_be_written_again(value: Any) -> None:
    try:
        body = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return

    again = orjson.dumps(exact_value(body))

    assert json.loads(again) == value


@given(
    st.sampled_from(sorted(OPERATIONS)),
    st.integers(0, 999),
    st.binary(max_size=40) | json_values.map(lambda value: str(value).encode()) | st.sampled_from(list(LIES.values())),
    st.dictionaries(st.sampled_from(["Location", "Content-Type"]), st.text(max_size=30)),
)
def test_every_reply_is_judged(name: str, status: int, body: bytes, headers: dict[str, str]) -> None:
    """Nothing from outside raises, and only the documented status confirms."""
    found = judge(asked(name), status, CIMultiDict(headers), body)

    assert isinstance(found, Judgement)
    assert found.meaning is not Meaning.CONFIRMED or status == OPERATIONS[name].status


@pytest.mark.parametrize(
    ("body", "location", "new"),
    [
        (b'{"errors":[{"code":"moved","meta":{"old":"a","new":"b"}}]}', None, "b"),
        (b'{"errors":{"code":"moved","meta":{"new":"b"}}}', "/api/v1/customer-profiles/c", "b"),
        (b"", "https://org.example.org/api/v1/customer-profiles/c", "c"),
        (b"", "/api/v1/customer-profiles/c%2Fd", "c/d"),
        (b"", "https://org.example.org/elsewhere/c", None),
        (b"", "/api/v1/customer-profiles/", None),
        (b'{"errors":[{"meta":{"new":7}}]}', None, None),
        (b'{"errors":[{"code":"moved","meta":{"new":""}}]}', None, None),
    ],
)
def test_where_a_merged_customer_went(body: bytes, location: str | None, new: str | None) -> None:
    """A redirect that names no customer is unclear, and a named one is followed only for a 301."""
    headers = CIMultiDict({} if location is None else {"location": location})

    found = judge(asked("getCustomer"), 301, headers, body)

    assert found.successor == new
    assert found.meaning is (Meaning.UNCLEAR if new is None else Meaning.MOVED)
    for status in (200, 302, 307, 404):
        assert judge(asked("getCustomer"), status, headers, body).successor is None
