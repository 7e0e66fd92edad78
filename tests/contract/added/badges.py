"""Badges: an object that Gladly does not have. All that is known of it stands here, as for any other object."""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from bulkgladly.gladly.change import lacking
from bulkgladly.gladly.data_sets import ASKED_ID, GONE_SINCE, INTEGER, MOMENT, TEXT, DataColumn, DataSetPlan, ValuePlace
from bulkgladly.gladly.endpoints import Endpoint
from bulkgladly.gladly.exports import FileColumns, IdColumn, LiveExport, Parent, WantedFile
from bulkgladly.gladly.fields import MAKING, MAX_ID, Field, Kind, column_plan
from bulkgladly.gladly.metric_sets import MetricSet, known_columns
from bulkgladly.gladly.preparation import Preparation, segment
from bulkgladly.gladly.proofs import proof_of
from bulkgladly.gladly.report_windows import Grain
from bulkgladly.gladly.spec import GladlyObject, ImportSpec, Record, Screening
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


_CHANGEABLE = ("name", "colour")
_AT = Endpoint(
    object="badges",
    noun="badge",
    fetch=_fetch,
    differences=lambda held, payload: lacking(held, payload, _CHANGEABLE),
    create=_create,
    change=_change,
)
_STEPS = Upserts(_AT)

BADGES = ImportSpec(
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
    proof=proof_of(_AT, _CHANGEABLE),
)

_COLUMNS = (
    DataColumn("id", TEXT, "The id of the badge."),
    DataColumn("customerId", TEXT, "Who wears it."),
    DataColumn("name", TEXT, "What is on it."),
    DataColumn("colour", TEXT, "RED or BLUE; what else there is, is UNKNOWN."),
    DataColumn("madeAt", MOMENT, "When it was created."),
)
_WEARING = (
    DataColumn("id", TEXT, "The id of what happened."),
    DataColumn("badgeId", TEXT, "The badge that was put on or taken off."),
    DataColumn("action", TEXT, "ON or OFF."),
    DataColumn("pinnedTo", TEXT, "Where it was put on."),
)
_PICTURE = (
    DataColumn("badgeId", TEXT, "The badge that the picture shows."),
    DataColumn("contentType", TEXT, "The type of the file, such as image/png."),
    DataColumn("path", TEXT, "Where the file lies below the top folder of the data set; null without a file."),
    DataColumn("bytes", INTEGER, "How long the file is."),
    DataColumn("blake2b", TEXT, "The BLAKE2b hash of the file."),
    DataColumn("status", TEXT, "stored, or gone where there is no such file any more."),
)


def _at_top(*names: str) -> tuple[ValuePlace, ...]:
    return tuple(ValuePlace(name, (name,)) for name in names)


def _picture(badge: str, name: str) -> Iterator[WantedFile]:
    yield WantedFile((badge,), f"{name}.png", "image/png")


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
        LiveExport(
            "badge-pictures",
            "getBadgePicture",
            f"{_BADGE}/picture",
            "badge-pictures",
            Parent.ITEM,
            is_list=False,
            accept="image/png",
            files=FileColumns(("badges",), ("id", "name"), _picture),
            answers=Operation("GET", f"{_BADGE}/picture", 200, Body.BYTES),
        ),
    ),
    data_sets=(
        DataSetPlan("badges", (*_COLUMNS, GONE_SINCE)),
        DataSetPlan("customer-badges", (*_COLUMNS, ASKED_ID)),
        DataSetPlan("badge-pictures", _PICTURE, key=("badgeId",)),
        DataSetPlan(
            "badge-log",
            _WEARING,
            file="badge_log.jsonl",
            kind_path=("action",),
            places=_at_top("id", "badgeId", "action"),
            kinds={"ON": _at_top("id", "badgeId", "action", "pinnedTo"), "OFF": _at_top("id", "badgeId", "action")},
            partitions=("type",),
        ),
    ),
    metric_sets=(MetricSet("BadgesReport", Grain.THING, columns=known_columns("Badge ID; Worn At|t")),),
)
