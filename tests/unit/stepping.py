"""Steps driven by hand: which requests, and which outcome. Each request is held against the published operations."""

import datetime as dt
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import orjson
from multidict import CIMultiDict

from bulkgladly.files.columns import nest
from bulkgladly.gladly.directory import Directory
from bulkgladly.gladly.identity import fingerprint
from bulkgladly.gladly.preparation import complete
from bulkgladly.gladly.spec import Draft, Policy, Record, ready
from bulkgladly.gladly.table import IMPORTS
from bulkgladly.judging import judge
from bulkgladly.messages import Meaning, Repeat, Reply, Request
from bulkgladly.operations import OPERATIONS, Body
from bulkgladly.records import Known, Mode, Outcome, Position, Problem, Row

HOST = "https://example.gladly.com"
NOW = dt.datetime(2026, 5, 1, 12, tzinfo=dt.UTC)
DUE = "2099-01-31T09:00:00.000Z"

_FACTS = json.loads((Path(__file__).parents[1] / "contract" / "facts.json").read_text(encoding="utf-8"))
_PATHS = {
    (fact["operationId"] or fact["project_alias"]): (fact["method"], re.sub(r"\{\w+\}", "[^/]+", fact["path"]))
    for fact in _FACTS["operations"]
}


@dataclass
class Played:
    """What was asked, in order, and how it ended."""

    requests: list[Request]
    outcome: Outcome

    @property
    def calls(self) -> list[str]:
        """The operations."""
        return [request.operation for request in self.requests]

    def body(self, index: int = -1) -> Any:
        """What one of the requests said."""
        return orjson.loads(self.requests[index].body or b"null")


def policy_for(mode: str, **more: Any) -> Policy:
    return Policy(**{"host": HOST, "mode": Mode(mode), "key": "crm", "now": NOW, **more})


def prepared(resource: str, fields: Mapping[str, Any], mode: str = "create", **policy: Any) -> Draft | Problem:
    """What the table makes of a row, before names and keys are resolved."""
    spec, chosen = IMPORTS[resource], policy_for(mode, **policy)
    row = Row(Position(0, 0, 1), {"crm": "7", **fields}, seq=0)
    known = {name: value for name, value in fields.items() if name != "crm"}
    return spec.prepare(row, nest(known, spec.columns), chosen)


def record_of(resource: str, fields: Mapping[str, Any], mode: str = "create", **more: Any) -> Record:
    """A record that is ready to be sent; `more` are policies, and fields of the record."""
    own = {name: more.pop(name) for name in ("doubt", "known", "sent_at", "rivals") if name in more}
    found = prepared(resource, fields, mode, **more)
    assert isinstance(found, Draft), found
    complete_one = complete(found, IMPORTS[resource], Directory(), {}, is_last=True)
    assert isinstance(complete_one, Draft), complete_one
    return ready(complete_one)._replace(**own)


def remembered(record: Record, gladly_id: str = "held", **accepted: Any) -> Known:
    """The state after this record was accepted, with other values for some fields."""
    prints = {name: fingerprint(value) for name, value in accepted.items()}
    return Known(gladly_id, {**record.fingerprints, **prints})


def play(resource: str, mode: str, record: Record, replies: Sequence[Reply], **policy: Any) -> Played:
    """Answer the steps with the replies; all must be used, and no more asked for."""
    spec = IMPORTS[resource]
    steps = spec.steps(record, policy_for(mode, **policy))
    requests: list[Request] = []
    left = list(replies)
    try:
        requests.append(next(steps))
        while True:
            _check(requests[-1], spec.operations)
            assert left, f"no reply left for {requests[-1].operation}"
            requests.append(steps.send(judged(requests[-1], completed(requests[-1], left.pop(0)))))
    except StopIteration as end:
        assert not left, f"{len(left)} replies were not asked for"
        return Played(requests, end.value)


def completed(request: Request, reply: Reply) -> Reply:
    """A reply that confirms, with the ids that a test does not care about as the API would give them."""
    expected = OPERATIONS[request.operation]
    if reply.status != expected.status:
        return reply
    own = orjson.loads(request.body or b"{}")
    if expected.located is not None and "location" not in CIMultiDict(reply.headers):
        return reply._replace(headers=CIMultiDict({"Location": f"{request.path}/{own.get('id', 'made')}"}))
    body = _object(reply.body) if expected.body is Body.OBJECT else {}
    if not body or "errors" in body:
        return reply
    sources = {**_variables(request), "body.id": own.get("id", "made")}
    ids = {name: sources[source] for name, source in expected.equals}
    return reply._replace(body=orjson.dumps({**dict.fromkeys(expected.needs, "made"), **ids, **body}))


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _variables(request: Request) -> dict[str, str]:
    """What stands in the path for each variable of the operation."""
    pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", OPERATIONS[request.operation].path)
    found = re.fullmatch(pattern, request.path)
    assert found is not None, request.path
    return {name: unquote(value) for name, value in found.groupdict().items()}


def judged(request: Request, reply: Reply) -> Reply:
    """The reply as the client gives it to the steps: with what it means to this request."""
    found = judge(request, reply.status, CIMultiDict(reply.headers), reply.body)
    return reply._replace(
        lost=max(reply.lost, found.meaning is Meaning.UNCLEAR),
        meaning=found.meaning,
        content=found.content,
        successor=found.successor,
        problems=found.problems,
    )


def reply(status: int, body: Any = None, **more: Any) -> Reply:
    return Reply(status, b"" if body is None else orjson.dumps(body), **more)


def refusal(status: int, code: str, attr: str | None = None, *, lost: int = 0, **meta: Any) -> Reply:
    """A refusal in the documented form."""
    found: dict[str, Any] = {"code": code, "detail": "as the API says"}
    if attr is not None:
        found["attr"] = attr
    if meta:
        found["meta"] = meta
    return reply(status, {"errors": [found]}, lost=lost)


def created(place: str | None = None, **more: Any) -> Reply:
    """What most creates answer; without a place, `Location` ends in the id that was sent."""
    return Reply(201, headers=CIMultiDict({"Location": place} if place else {}), **more)


DONE = reply(204)
GONE = refusal(404, "not_exist")
LOST = Reply(0, attempts=5, lost=5)
BROKEN = Reply(503, b"<html>busy</html>", attempts=5, lost=5)
ORGANISATION = reply(200, {"name": "Example Organization"})


def _check(request: Request, operations: Sequence[str]) -> None:
    assert request.operation in (*operations, "getOrganization")
    method, pattern = _PATHS[request.operation]
    assert request.method == method
    assert re.fullmatch(pattern, request.path), request.path
    if request.repeat is Repeat.HARMLESS and request.method == "POST":
        fact = next(f for f in _FACTS["operations"] if (f["operationId"] or f["project_alias"]) == request.operation)
        assert fact["idempotent_retry"] == "safe"
