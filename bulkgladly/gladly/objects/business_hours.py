"""Business hours, called schedules in messages: each change names the version that it replaces.

Their creates take no id, so they are sent at most once. Facts: gladly-api, endpoints 53 to 57, schemas 14.
"""

import re
from collections.abc import Generator, Iterator, Mapping
from typing import Any

import orjson

from bulkgladly.gladly.change import Action, Change, Found, lacking, writing
from bulkgladly.gladly.data_sets import (
    FLAG,
    GONE_SINCE,
    INTEGER,
    MOMENT,
    TEXT,
    DataColumn,
    DataSetPlan,
    ListOf,
    Struct,
    texts_of,
)
from bulkgladly.gladly.decisions import changed_since, ended, update_of
from bulkgladly.gladly.earlier_attempts import noted_update, word_of_accepted, word_of_equal
from bulkgladly.gladly.endpoints import Endpoint
from bulkgladly.gladly.exports import LiveExport
from bulkgladly.gladly.fields import MAKING, Field, Kind, column_plan
from bulkgladly.gladly.once_steps import OnceSteps, Sending, Trace, is_ours
from bulkgladly.gladly.outcomes import refused, unknown, unread
from bulkgladly.gladly.owners import OwnedFields
from bulkgladly.gladly.preparation import Preparation, segment
from bulkgladly.gladly.proofs import in_list, proof_of
from bulkgladly.gladly.reversal import Reversal
from bulkgladly.gladly.spec import Deciding, GladlyObject, ImportSpec, Policy, Procedure, Record, Steps
from bulkgladly.gladly.upserts import Upserts
from bulkgladly.messages import Repeat, Reply, Request
from bulkgladly.records import Mode, Outcome, Problem, Stage, Word

__all__ = ("BUSINESS_HOURS", "OBJECT")

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_NAME = "business-hours"
_PATH = "/api/v1/business-hours"
_LIST = Request("getBusinessHours", "GET", _PATH)
_TIME = re.compile(r"([01]?[0-9]|2[0-3]):[0-5][0-9]")
_FIELDS = (
    Field("id", Kind.ID, help="the id in Gladly of an existing schedule"),
    Field("name", required=MAKING, most=200),
    Field("primary", Kind.FLAG, help="only one schedule can be primary; the one before loses it"),
    Field("officeHours", Kind.OBJECT, required=MAKING, help="timezone, days and exceptions, in Gladly's form"),
)
_WRITTEN = ("name", "primary", "officeHours")


def _hours_are_hours(payload: Mapping[str, Any], _policy: Policy) -> Iterator[Problem]:
    hours = payload.get("officeHours")
    if not isinstance(hours, Mapping):
        return
    if not hours.get("timezone"):
        yield Problem(
            "blank", "officeHours.timezone is missing; use an IANA name such as Europe/Berlin", "officeHours.timezone"
        )
    for day in DAYS:
        for block in hours.get(day) or ():
            ends = [block.get(end) for end in ("start", "stop")] if isinstance(block, Mapping) else [None]
            if not all(isinstance(end, str) and _TIME.fullmatch(end) for end in ends):
                detail = f"officeHours.{day}: each block must have start and stop as hours and minutes, such as 09:00"
                yield Problem("invalid", detail, f"officeHours.{day}")
                break


_RULES = (_hours_are_hours,)


def _request(record: Record) -> Request:
    body = orjson.dumps({name: record.payload[name] for name in _WRITTEN if record.payload.get(name) is not None})
    return Request("createBusinessHours", "POST", _PATH, body=body, repeat=Repeat.UNSAFE)


def _made(reply: Reply) -> str | None:
    found = (reply.object or {}).get("id")
    return str(found) if found else None


def _look(record: Record) -> Generator[Request, Reply, Trace]:
    """Look for the schedule in the list: the same content, created after the request was sent."""
    reply = yield _LIST
    if not reply.is_confirmed:
        return Trace()
    for one in reply.objects:
        # Not by `primary`: another schedule may have become the primary one since.
        if lacking(one, record.payload, ("name", "officeHours")):
            continue
        if is_ours(record, one, one.get("createdAt")):
            return Trace(str(one["id"]))
    return Trace()


_ONCE = OnceSteps(Sending("business-hours", "schedule", request=_request, made=_made, look=_look))


def _fetch(_record: Record, gladly_id: str) -> Request:
    return Request("getBusinessHoursById", "GET", f"{_PATH}/{segment(gladly_id)}")


def _remove(_record: Record, gladly_id: str) -> Request:
    return Request("deleteBusinessHours", "DELETE", f"{_PATH}/{segment(gladly_id)}")


_AT = Endpoint(
    "business-hours", "schedule", _fetch, lambda held, payload: lacking(held, payload, _WRITTEN), remove=_remove
)
# Only creates and changes are special here; a deletion is like that of any object.
_PLAIN = Upserts(_AT)


def _restore(gladly_id: str, changes: Mapping[str, Any], held: Mapping[str, Any]) -> tuple[Request, ...]:
    whole = {name: changes.get(name, held.get(name)) for name in _WRITTEN}
    body = orjson.dumps({"version": held.get("version"), **{k: v for k, v in whole.items() if v is not None}})
    return (Request("updateBusinessHours", "PUT", f"{_PATH}/{segment(gladly_id)}", body=body),)


# --- look and decide ---


def _decide_update(record: Record, policy: Policy) -> Deciding:
    """Read the schedule that a row means, and decide what of it to change."""
    gladly_id = _id_of(record)
    if gladly_id is not None:
        return (yield from _compared(record, policy, gladly_id))
    found = yield from _by_name(record)
    return ended(_NAME, record, found) if isinstance(found, Outcome) else (yield from _compared(record, policy, found))


def _decide_upsert(record: Record, policy: Policy) -> Deciding:
    """Decide to update the schedule of this id or name, or to create one.

    Names need not be unique in Gladly, and a repeat would create a second schedule. So one that
    is not remembered is looked for by its name first.
    """
    known = record.known
    if known is not None and known.gladly_id and not changed_since(record, known):
        # If in doubt, this run has sent it: the state is committed before the journal.
        word = Word.CREATED if record.doubt else word_of_accepted(record)
        return ended(_NAME, record, Outcome(word, gladly_id=known.gladly_id))
    if _id_of(record) is not None:
        return (yield from _decide_update(record, policy))
    if not record.doubt and known is None:
        found = yield from _by_name(record)
        if isinstance(found, str):
            return (yield from _compared(record, policy, found))
        if found.code != "not_exist":
            return ended(_NAME, record, found)
    return (yield from _ONCE.decide(record, policy))


def _decide_deletion(record: Record, policy: Policy) -> Deciding:
    """Decide to delete a schedule by its id, or by the remembered one."""
    if _id_of(record) is None:
        detail = "the row has no id, and no earlier run knows one for its key; add the id of the schedule to the row"
        return ended(_NAME, record, Outcome.rejected(Problem("no_identifier", detail, "id")))
    return (yield from _PLAIN.decide(record, policy))


def _compared(record: Record, policy: Policy, gladly_id: str, *, was_lost: bool = False) -> Deciding:
    """Read a schedule and compare it with a row; `was_lost` says that the row may have been written already."""
    asked = yield _fetch(record, gladly_id)
    held = asked.object
    if asked.is_absent:
        return ended(_NAME, record, _reject("not_exist", "Gladly has no such schedule", status=asked.status))
    if held is None or held.get("version") is None:
        end = unknown(asked, gladly_id) if was_lost else unread(None if held else asked, gladly_id)
        return ended(_NAME, record, end)
    changes = _AT.changes(held, record.payload, policy.owners)
    if not changes:
        word = Word.UPDATED if was_lost else word_of_equal(_AT, record, Found(gladly_id, held), policy.owners)
        end = Outcome(word, gladly_id=gladly_id, accepted=record.fingerprints)
        return ended(_NAME, record, end, Found(gladly_id, held))
    return update_of(_NAME, record, gladly_id, changes, before=held)


# --- apply ---


def _apply(record: Record, policy: Policy, change: Change) -> Steps:
    if change.action is Action.CREATE:
        return (yield from _ONCE.apply(record, policy, change))
    return (yield from _put(record, policy, change))


def _put(record: Record, policy: Policy, change: Change, *, is_last: bool = False) -> Steps:
    """Write a schedule with the version that was read. A PUT replaces it whole, so what the row lacks is sent back."""
    gladly_id, held = str(change.id), change.before or {}
    fields = {name: change.after.get(name, held.get(name)) for name in _WRITTEN}
    body = orjson.dumps({"version": held["version"], **{k: v for k, v in fields.items() if v is not None}})
    is_first = noted_update(_AT, record, gladly_id, held, policy.owners) is None
    request = Request("updateBusinessHours", "PUT", f"{_PATH}/{segment(gladly_id)}", body=body)
    reply = yield writing(request, change, replaces_noted=is_first)
    if reply.is_confirmed:
        return Outcome(Word.UPDATED, gladly_id=gladly_id, status=reply.status, accepted=record.fingerprints)
    if (reply.is_taken or reply.is_unclear) and not is_last:
        # Somebody else has changed it since, or our own first attempt was done: the new version tells.
        again = yield from _compared(record, policy, gladly_id, was_lost=bool(reply.lost))
        return again.end or (yield from _put(record, policy, again, is_last=True))
    if reply.is_unclear:
        return unknown(reply, gladly_id)
    outcome = refused(reply, gladly_id)
    if outcome.code == "version_outdated":
        detail = "somebody else has changed the schedule twice in the meantime; `retry` the run"
        return outcome._replace(detail=detail, stage=Stage.CONFLICT)
    return outcome


# --- which schedule a row means ---


def _by_name(record: Record) -> Generator[Request, Reply, str | Outcome]:
    reply = yield _LIST
    if not reply.is_confirmed:
        return unread(reply, None)
    found = _pick(record, reply.objects)
    if isinstance(found, Outcome):
        return found
    if found.held is not None:
        return found.gladly_id
    return _reject("not_exist", "Gladly has no schedule of this name; use --mode upsert to create it")


def _pick(record: Record, listed: list[dict[str, Any]]) -> Found | Outcome:
    """Return the only schedule in a list that has the name of a row."""
    name = record.payload.get("name")
    named = [one for one in listed if one.get("name") == name]
    if len(named) > 1:
        return _reject("ambiguous", f"{len(named)} schedules have this name; add the id of one to the row", attr="name")
    return Found(str(named[0]["id"]), named[0]) if named else Found(record.id)


def _id_of(record: Record) -> str | None:
    """Return the id of the schedule that a record means; None if only its name is known."""
    if record.known is not None and record.known.gladly_id:
        return record.known.gladly_id
    return record.id if record.has_own_id else None


def _reject(code: str, detail: str, *, status: int | None = None, attr: str | None = None) -> Outcome:
    return Outcome.rejected(Problem(code, detail, attr, Stage.API), status=status)


BUSINESS_HOURS = ImportSpec(
    name="business-hours",
    columns=column_plan(_FIELDS, read_only=("version", "createdAt", "updatedAt")),
    prepare=Preparation("business-hours", _FIELDS, rules=_RULES),
    procedures={
        Mode.CREATE: _ONCE.procedure,
        Mode.UPDATE: Procedure(_decide_update, _apply),
        Mode.UPSERT: Procedure(_decide_upsert, _apply),
        Mode.DELETE: Procedure(_decide_deletion, _PLAIN.apply),
    },
    requests_per_record={Mode.CREATE: (1, 1), Mode.UPDATE: (2, 3), Mode.UPSERT: (2, 3), Mode.DELETE: (1, 1)},
    operations=(
        "createBusinessHours",
        "getBusinessHours",
        "getBusinessHoursById",
        "updateBusinessHours",
        "deleteBusinessHours",
    ),
    fields=_FIELDS,
    rules=_RULES,
    repeat=Repeat.UNSAFE,
    id_rule="Gladly's own",
    deletes="business hours",
    owned=OwnedFields(_WRITTEN),
    unread=frozenset({Mode.DELETE}),
    reversal=Reversal(_AT, fields=_WRITTEN, added_by_gladly=("version",), can_delete=True, restore=_restore),
    proof=proof_of(_AT, _WRITTEN, find=in_list(_AT, _LIST, _pick), shared=frozenset({_LIST.operation}), is_listed=True),
)

_BLOCKS = ListOf(texts_of("start", "stop"))
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_EXCEPTION = Struct({"name": TEXT, "start": MOMENT, "stop": MOMENT, "scheduleBlocks": _BLOCKS})
_OFFICE_HOURS = Struct({"timezone": TEXT, **dict.fromkeys(_DAYS, _BLOCKS), "exceptions": ListOf(_EXCEPTION)})
_COLUMNS = (
    DataColumn("id", TEXT, "The id of the business hours."),
    DataColumn("version", INTEGER, "A number that each change must name, so that no change is lost."),
    DataColumn("name", TEXT, "Their name."),
    DataColumn("primary", FLAG, "Whether these are the hours of the organisation as a whole."),
    DataColumn(
        "officeHours",
        _OFFICE_HOURS,
        "The time zone, the open hours of each weekday, and exceptions; an exception without hours is closed.",
    ),
    DataColumn("createdAt", MOMENT, "When they were created."),
    DataColumn("updatedAt", MOMENT, "When they were last changed."),
    GONE_SINCE,
)

OBJECT = GladlyObject(
    writes=(BUSINESS_HOURS,),
    reads=(LiveExport("business-hours", "getBusinessHours", "/api/v1/business-hours", "business-hours"),),
    data_sets=(DataSetPlan("business-hours", _COLUMNS),),
)
