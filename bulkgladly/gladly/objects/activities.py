"""Activities on a customer's timeline. Facts: gladly-api, endpoints 6 to 8, 12 and 13, schemas 4.2 and 4.3."""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from bulkgladly.gladly.change import lacking
from bulkgladly.gladly.endpoints import Endpoint
from bulkgladly.gladly.fields import MAX_ID, Field, Kind, column_plan
from bulkgladly.gladly.preparation import CUSTOMER_FIELDS, Preparation, for_customer, segment
from bulkgladly.gladly.proofs import Proof, by_id
from bulkgladly.gladly.reversal import Reversal, belonging_to
from bulkgladly.gladly.rules import keeps_its_tags, occurred_within_a_year
from bulkgladly.gladly.spec import GladlyObject, ImportSpec, Policy, Record, Screening
from bulkgladly.gladly.upserts import Upserts
from bulkgladly.messages import Repeat, Request
from bulkgladly.records import Mode, Problem

__all__ = ("ACTIVITIES", "OBJECT")

_CREATE = frozenset({Mode.CREATE})
_CONTENT = (
    Field(
        "activityType",
        Kind.CHOICE,
        required=_CREATE,
        choices=("EMAIL", "ISSUE", "SMS", "SURVEY"),
        help="which icon Gladly shows",
    ),
    Field("title", most=100),
    Field("body", most=25_000, help="plain or rich text"),
    Field("sourceName", most=50, help="where it comes from"),
    Field("linkUrl", into="link.url", help="a link to the original"),
    Field("linkText", into="link.text", most=50),
    Field("link", Kind.OBJECT, help="the same as an object with url and text"),
    Field("expandByDefault", Kind.FLAG),
    Field("occurredAt", Kind.MOMENT, help="when it took place; at most a year ago"),
)
_FIELDS = (
    Field("id", Kind.ID, most=MAX_ID, help="the id in Gladly; derived from the source key if it is missing"),
    *CUSTOMER_FIELDS,
    Field("content", Kind.OBJECT, help="Gladly's own form: the fields below as one object"),
    *_CONTENT,
)
_NAMES = tuple(dict.fromkeys(field.place.partition(".")[0] for field in _CONTENT))


def _unwrap(nested: Mapping[str, Any]) -> Mapping[str, Any]:
    content = nested.get("content")
    if not isinstance(content, dict):
        return nested
    # The type is always the same, and Gladly sets receivedAt itself.
    rest = {name: value for name, value in nested.items() if name != "content"}
    return {**rest, **{name: value for name, value in content.items() if name not in ("type", "receivedAt")}}


def _link_text_fits(payload: Mapping[str, Any], _policy: Policy) -> Iterator[Problem]:
    text = (payload.get("link") or {}).get("text")
    if isinstance(text, str) and len(text) > 50:
        yield Problem("too_long", f"link.text has {len(text)} characters; Gladly allows 50", "link.text")


_RULES = (_link_text_fits, occurred_within_a_year)


def _create(record: Record) -> Request:
    payload = record.payload
    content = {name: payload[name] for name in _NAMES if payload.get(name) is not None}
    body: dict[str, Any] = {"id": record.id, "content": {"type": "CUSTOMER_ACTIVITY", **content}}
    if "customerId" in payload:
        path = f"/api/v1/customers/{segment(payload['customerId'])}/conversation-items"
        return Request("createCustomerItem", "POST", path, body=orjson.dumps(body), repeat=Repeat.DETECTED)
    # By address: Gladly finds the customer, or creates one.
    body["customer"] = payload["customer"]
    path = "/api/v1/conversation-items"
    return Request("createItem", "POST", path, body=orjson.dumps(body), repeat=Repeat.DETECTED)


def _fetch(_record: Record, gladly_id: str) -> Request:
    return Request("getItem", "GET", f"/api/v1/conversation-items/{segment(gladly_id)}")


def _remove(_record: Record, gladly_id: str) -> Request:
    return Request("deleteItem", "DELETE", f"/api/v1/conversation-items/{segment(gladly_id)}")


def _content(held: Mapping[str, Any]) -> Mapping[str, Any]:
    content = held.get("content")
    return content if isinstance(content, Mapping) else {}


def _differences(held: Mapping[str, Any], payload: Mapping[str, Any]) -> dict[str, Any]:
    return lacking(_content(held), payload, _NAMES)


# The API cannot change an activity, so there is no update.
_AT = Endpoint(
    object="activities",
    noun="activity",
    fetch=_fetch,
    differences=_differences,
    create=_create,
    remove=_remove,
    owner="customerId",
    parent=lambda record: "customer" if "customerId" in record.payload else None,
)
_STEPS = Upserts(_AT)
# Neither people nor programs can change an activity. Its texts are not compared, because Gladly may clean them.
_COMPARED = ("activityType", "sourceName")


def _seen(held: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in (held.get("content") or {}).items() if name in _COMPARED}


def _left(_base: Mapping[str, Any] | None, after: Mapping[str, Any], _action: str) -> dict[str, Any]:
    return {name: value for name, value in after.items() if name in _COMPARED}


ACTIVITIES = ImportSpec(
    name="activities",
    columns=column_plan(_FIELDS, read_only=("timestamp", "initiator", "responder")),
    prepare=Preparation("activities", _FIELDS, rules=_RULES, unwrap=_unwrap, clean=for_customer),
    procedures={Mode.CREATE: _STEPS.procedure, Mode.DELETE: _STEPS.procedure},
    requests_per_record={Mode.CREATE: (1, 2), Mode.DELETE: (1, 1)},
    operations=("createCustomerItem", "createItem", "getItem", "deleteItem", "getCustomer"),
    fields=_FIELDS,
    fetch=_fetch,
    rules=_RULES,
    warnings=(keeps_its_tags("body"),),
    id_rule="our id, at most 50 characters",
    deletes="activities of customers",
    unread=frozenset({Mode.DELETE}),
    not_kept=("activities more than a year old", "attachments", "who did it: the API user is the initiator"),
    screening=Screening.FIELDS,
    reversal=Reversal(_AT, can_delete=True, belongs_to=belonging_to("customerId"), seen=_seen, left=_left),
    proof=Proof(by_id(_AT), lambda content, payload: lacking(content, payload, _NAMES), _NAMES, view=_content),
)

OBJECT = GladlyObject(writes=(ACTIVITIES,))
