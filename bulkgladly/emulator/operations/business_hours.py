"""The five operations on business hours.

Facts: endpoints.md, rows 53 to 57, and schemas.md, section 14, of the fact sheet. Exactly one
schedule is the primary one: the first that is created, then the last that is created or changed as
primary. The schedule before it loses the mark and gets its next version. How else a schedule can lose
the mark is UNKNOWN: here it cannot, so `primary: false` on it is 400, and a PUT without `primary`
leaves the mark. Blocks that end before they start are kept, because no rule forbids them.
"""

import re
from collections.abc import MutableMapping
from typing import Any

from bulkgladly.emulator.organisation.clock import shortest_timestamp
from bulkgladly.emulator.organisation.store import Entity, Store
from bulkgladly.emulator.protocol.fields import Fields
from bulkgladly.emulator.protocol.replies import Reply, json_reply, no_content, problem, refuse
from bulkgladly.emulator.protocol.routing import Call, Operation

__all__ = ("BUSINESS_HOURS_OPERATIONS", "MAX_NAME")

MAX_NAME = 200

_PATH = "/api/v1/business-hours"
_ONE = f"{_PATH}/{{businessHoursId}}"
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_TIME = re.compile(r"([01]?[0-9]|2[0-3]):[0-5][0-9]")


def _list(call: Call) -> Reply:
    return json_reply(list(_schedules(call.store).values()))


def _get(call: Call) -> Reply:
    return json_reply(_existing(call))


def _create(call: Call) -> Reply:
    body, store = Fields(call.json_object()), call.store
    fields = _fields(body)
    body.refuse_faults()
    primary = fields.pop("primary") or not _schedules(store)
    if primary:
        _unmark_primary(store)
    moment = store.now()
    schedule_id = f"bh_{store.new_id('business_hours')}"
    schedule = {"id": schedule_id, "version": 1, "createdAt": moment, "updatedAt": moment, "primary": primary, **fields}
    _schedules(store)[schedule_id] = schedule
    return json_reply(schedule, 201)


def _update(call: Call) -> Reply:
    before, body = _existing(call), Fields(call.json_object())
    version, fields = body.required_number("version"), _fields(body)
    primary = fields.pop("primary")
    if primary is False and before["primary"]:
        body.fault("primary", "invalid", "this schedule stays primary until another one becomes primary")
    body.refuse_faults()
    if version != before["version"]:
        detail = f"the current version is {before['version']}"
        raise refuse(409, problem("version_outdated", detail, attr="version"))
    if primary:
        _unmark_primary(call.store)
        fields["primary"] = True
    schedule = {**before, **fields, "version": version + 1, "updatedAt": call.store.now()}
    _schedules(call.store)[schedule["id"]] = schedule
    return json_reply(schedule)


def _delete(call: Call) -> Reply:
    schedule = _existing(call)
    if schedule["primary"]:
        raise refuse(400, problem("invalid", "the primary schedule cannot be deleted"))
    call.store.remove("business_hours", schedule["id"])
    return no_content()


def _schedules(store: Store) -> MutableMapping[str, Entity]:
    return store.collections["business_hours"]


def _existing(call: Call) -> Entity:
    schedule = _schedules(call.store).get(call.params["businessHoursId"])
    if schedule is None:
        raise call.not_found("business hours")
    return schedule


def _unmark_primary(store: Store) -> None:
    schedules = _schedules(store)
    for schedule in [schedule for schedule in schedules.values() if schedule["primary"]]:
        changes = {"primary": False, "version": schedule["version"] + 1, "updatedAt": store.now()}
        schedules[schedule["id"]] = schedule | changes


def _fields(body: Fields) -> dict[str, Any]:
    # A blank name is `invalid` here, not `blank`, as in the document's own example.
    name = body.required_text("name", max_length=MAX_NAME, blank="invalid")
    return {
        "name": name,
        "primary": body.flag("primary"),
        "officeHours": _office_hours(body.part("officeHours", required=True)),
    }


def _office_hours(body: Fields | None) -> Entity:
    if body is None:
        return {}
    hours: Entity = {"timezone": body.timezone("timezone")}
    for day in _DAYS:
        if body.mentions(day):
            hours[day] = _blocks(body, day)
    if body.mentions("exceptions"):
        hours["exceptions"] = [_exception(entry) for entry in body.parts("exceptions")]
    return hours


def _exception(body: Fields) -> Entity:
    start, stop = body.moment("start", required=True), body.moment("stop", required=True)
    return {
        "name": body.required_text("name"),
        "start": start and shortest_timestamp(start),
        "stop": stop and shortest_timestamp(stop),
        "scheduleBlocks": _blocks(body, "scheduleBlocks"),
    }


def _blocks(body: Fields, name: str) -> list[Entity]:
    return [{"start": _time(block, "start"), "stop": _time(block, "stop")} for block in body.parts(name)]


def _time(body: Fields, name: str) -> str:
    text = body.required_text(name)
    if text and not _TIME.fullmatch(text):
        body.fault(name, "invalid", f"{name} is not a valid time of day such as 09:30")
    return text


BUSINESS_HOURS_OPERATIONS = (
    Operation("GET", _PATH, "getBusinessHours", _list, (200,)),
    Operation("POST", _PATH, "createBusinessHours", _create, (201, 400)),
    Operation("GET", _ONE, "getBusinessHoursById", _get, (200, 404)),
    Operation("PUT", _ONE, "updateBusinessHours", _update, (200, 400, 404, 409)),
    Operation("DELETE", _ONE, "deleteBusinessHours", _delete, (204, 400, 404)),
)
