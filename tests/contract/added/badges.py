"""Badges: an object that Gladly does not have. All that is known of it stands here, as for any other object."""

from collections.abc import Mapping
from typing import Any

import orjson

from bulkgladly.gladly.change import lacking
from bulkgladly.gladly.data_sets import ASKED_ID, GONE_SINCE, MOMENT, TEXT, DataColumn, DataSetPlan
from bulkgladly.gladly.endpoints import Endpoint
from bulkgladly.gladly.exports import IdColumn, LiveExport, Parent
from bulkgladly.gladly.fields import MAKING, MAX_ID, Field, Kind, column_plan
from bulkgladly.gladly.metric_sets import MetricSet, known_columns
from bulkgladly.gladly.preparation import Preparation, segment
from bulkgladly.gladly.report_windows import Grain
from bulkgladly.gladly.spec import GladlyObject, Record, ResourceSpec, Screening
from bulkgladly.gladly.upserts import Upserts
from bulkgladly.messages import Repeat, Request
from bulkgladly.operations import Body, Operation
from bulkgladly.records import Mode

__all__ = ("BADGES", "OBJECT")

_BADGES, _BADGE = "/api/v1/badges", "/api/v1/badges/{badgeId}"
_OF_CUSTOMER = "/api/v1/customers/{customerId}/badges"
_GET = Operation("GET", _BADGE, 200, Body.OBJECT, equals=(("id", "badgeId"),))
_ADD = Operation("POST", _BADGES, 201, Body.NOTHING, located="id")
_UPDATE = Operation("PATCH", _BADGE, 204, Body.NOTHING)
_LIST = Operation("GET", _BADGES, 200, Body.OBJECTS, needs=("id",))
_LIST_OF_CUSTOMER = Operation("GET", _OF_CUSTOMER, 200, Body.OBJECTS, equals=(("customerId", "customerId"),))

_FIELDS = (
    Field("id", Kind.ID, most=MAX_ID, help="the id in Gladly; derived from the source key if it is missing"),
    Field("customerKey", into="customerId", key_of="customers", help="who wears it, by the source key of its import"),
    Field("customerId", Kind.ID, most=MAX_ID, help="who wears it, by the id in Gladly"),
    Field("name", required=MAKING, most=20, help="what is on it"),
    Field("colour", Kind.CHOICE, choices=("RED", "BLUE")),
)


def _create(record: Record) -> Request:
    body = orjson.dumps({"id": record.id, **record.payload})
    return Request("addBadge", "POST", _BADGES, body=body, repeat=Repeat.DETECTED, answers=_ADD)


def _fetch(_record: Record, gladly_id: str) -> Request:
    return Request("getBadge", "GET", f"{_BADGES}/{segment(gladly_id)}", answers=_GET)


def _change(_record: Record, gladly_id: str, changes: Mapping[str, Any]) -> Request:
    path = f"{_BADGES}/{segment(gladly_id)}"
    return Request("updateBadge", "PATCH", path, body=orjson.dumps(changes), answers=_UPDATE)


_STEPS = Upserts(
    Endpoint(
        object="badges",
        noun="badge",
        fetch=_fetch,
        differences=lambda held, payload: lacking(held, payload, ("name", "colour")),
        create=_create,
        change=_change,
    )
)

BADGES = ResourceSpec(
    name="badges",
    columns=column_plan(_FIELDS, read_only=("madeAt",)),
    prepare=Preparation("badges", _FIELDS),
    procedures={Mode.CREATE: _STEPS.procedure, Mode.UPSERT: _STEPS.procedure},
    requests_per_record={Mode.CREATE: (1, 2), Mode.UPSERT: (1, 3)},
    operations=("addBadge", "getBadge", "updateBadge"),
    fields=_FIELDS,
    fetch=_fetch,
    id_rule="our id, at most 50 characters",
    screening=Screening.FIELDS,
)

_COLUMNS = (
    DataColumn("id", TEXT, "The id of the badge."),
    DataColumn("customerId", TEXT, "Who wears it."),
    DataColumn("name", TEXT, "What is on it."),
    DataColumn("colour", TEXT, "RED or BLUE; what else there is, is UNKNOWN."),
    DataColumn("madeAt", MOMENT, "When it was created."),
)

OBJECT = GladlyObject(
    writes=(BADGES,),
    reads=(
        LiveExport("badges", "getBadges", _BADGES, "badges", answers=_LIST),
        LiveExport(
            "customer-badges",
            "getCustomerBadges",
            _OF_CUSTOMER,
            "customer-badges",
            Parent.CUSTOMER,
            ids_from=(IdColumn("badges", "customerId"),),
            answers=_LIST_OF_CUSTOMER,
        ),
    ),
    data_sets=(
        DataSetPlan("badges", (*_COLUMNS, GONE_SINCE)),
        DataSetPlan("customer-badges", (*_COLUMNS, ASKED_ID)),
    ),
    metric_sets=(MetricSet("BadgesReport", Grain.THING, columns=known_columns("Badge ID; Worn At|t")),),
)
