"""Topics: unique names, and parents before children. Facts: gladly-api, endpoints 63 to 66, schemas 7."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson

from bulkgladly.choices import Owner
from bulkgladly.gladly.baseline_plan import BaselinePlan, BaselineSource
from bulkgladly.gladly.change import Found, Held, lacking
from bulkgladly.gladly.data_sets import FLAG, GONE_SINCE, TEXT, DataColumn, DataSetPlan
from bulkgladly.gladly.directory import names_below, path_of
from bulkgladly.gladly.endpoints import Collision, Endpoint
from bulkgladly.gladly.exports import LiveExport
from bulkgladly.gladly.fields import ALWAYS, Field, Kind, Link, column_plan
from bulkgladly.gladly.outcomes import unread
from bulkgladly.gladly.owners import OwnedFields, owner_of
from bulkgladly.gladly.preparation import Preparation, segment
from bulkgladly.gladly.proofs import in_list, proof_of
from bulkgladly.gladly.reversal import Reversal, stand_in
from bulkgladly.gladly.spec import Draft, GladlyObject, ImportSpec, Record
from bulkgladly.gladly.upserts import Upserts
from bulkgladly.messages import ApiProblem, Repeat, Request
from bulkgladly.records import Mode

__all__ = ("OBJECT", "TOPICS", "parents_first")

_FIELDS = (
    Field("id", Kind.ID, help="the id in Gladly; derived from the source key if it is missing"),
    Field("topic", into="id", names="topic", help="an existing topic, by its path: to rename or archive it"),
    Field("path", help="name and parents together, such as Orders / Returns"),
    Field("name", required=ALWAYS, help="unique among all topics"),
    Field("parent", into="parentId", names="topic", help="the parent by its path; in the same input or in Gladly"),
    Field("parentKey", into="parentId", key_of="topics", help="the parent by its source key"),
    Field("parentId", Kind.ID, help="the parent by its id"),
    Field("disabled", Kind.FLAG, help="archived: it can no longer be applied"),
)
_CHANGEABLE = ("name", "parentId", "disabled")


def parents_first(drafts: Sequence[Draft]) -> list[Draft]:
    """Return the drafts with each one after its parent, and otherwise in their order.

    If a parent is named by the path of another draft, that draft's key takes the place of the
    path. If it is named by the id that another draft has, it waits for that draft in the same way.
    Drafts in a circle keep their order, and are rejected later.
    """
    keys = _keys_by_path(drafts)
    by_id = {draft.id: draft.key for draft in drafts if draft.has_own_id}
    named = [
        draft._replace(links=(*(_by_key(link, keys) for link in draft.links), *_to_own_id(draft, by_id)))
        for draft in drafts
    ]
    by_key = {draft.key: draft for draft in named}
    # By identity and not by key, because two rows may have the same key.
    done: dict[int, Draft] = {}
    for draft in named:
        line: list[Draft] = []
        at: Draft | None = draft
        while at is not None and id(at) not in done and not any(at is other for other in line):
            line.append(at)
            at = _parent(at, by_key)
        done.update((id(one), one) for one in reversed(line))
    return list(done.values())


def _by_key(link: Link, keys: Mapping[str, str]) -> Link:
    if link.place != "parentId" or link.is_key or (path := path_of(names_below(link.text))) not in keys:
        return link
    return replace(link, kind="topics", text=keys[path], is_key=True, or_name=path)


def _to_own_id(draft: Draft, keys: Mapping[str, str]) -> Iterator[Link]:
    """Yield the link to a parent in the same input that is named by its id: Gladly must have it first."""
    parent = draft.payload.get("parentId")
    if isinstance(parent, str) and parent in keys and not any(link.place == "parentId" for link in draft.links):
        yield Link("parentId", None, "topics", keys[parent], "parentId", is_key=True)


def _keys_by_path(drafts: Sequence[Draft]) -> dict[str, str]:
    by_key = {draft.key: draft for draft in drafts}
    found: dict[str, str] = {}
    for draft in drafts:
        names = [str(draft.payload["name"])]
        for link in (link for link in draft.links if link.place == "parentId"):
            if not link.is_key:
                names = [*names_below(link.text), *names]
            elif (parent := by_key.get(link.text)) is not None:
                names = [str(parent.payload["name"]), *names]
        found.setdefault(path_of(names), draft.key)
    return found


def _parent(draft: Draft, by_key: Mapping[str, Draft]) -> Draft | None:
    return next((by_key[link.text] for link in draft.links if link.is_key and link.text in by_key), None)


def _unwrap(nested: Mapping[str, Any]) -> Mapping[str, Any]:
    names = names_below(path) if isinstance(path := nested.get("path"), str) else ()
    if not names:
        return nested
    # A name beside the path wins, so that a topic can be renamed.
    given = {"name": names[-1], **({"parent": path_of(names[:-1])} if len(names) > 1 else {})}
    return {**given, **{name: value for name, value in nested.items() if name != "path"}}


def _create(record: Record) -> Request:
    fields = {name: record.payload[name] for name in _CHANGEABLE if record.payload.get(name) is not None}
    body = orjson.dumps({"id": record.id, **fields})
    return Request("addTopic", "POST", "/api/v1/topics", body=body, repeat=Repeat.DETECTED)


def _fetch(_record: Record, gladly_id: str) -> Request:
    return Request("getTopic", "GET", f"/api/v1/topics/{segment(gladly_id)}")


def _change(record: Record, gladly_id: str, changes: Mapping[str, Any]) -> Request:
    # Gladly requires the name in every update, changed or not.
    body = orjson.dumps({"name": record.payload["name"], **changes})
    return Request("updateTopic", "PATCH", f"/api/v1/topics/{segment(gladly_id)}", body=body)


def _holder(problem: ApiProblem) -> str | None:
    other = problem.meta.get("id")
    return other if isinstance(other, str) else None


_LIST = Request("getTopics", "GET", "/api/v1/topics")


def _collision(payload: Held, own_id: str | None) -> Collision:
    """Look whether another topic than `own_id` has the name."""
    if (name := payload.get("name")) is None:
        return None
    reply = yield _LIST
    if not reply.is_confirmed:
        return unread(reply, own_id)
    other = next((one for one in reply.objects if one.get("name") == name and one.get("id") != own_id), None)
    return None if other is None else ApiProblem("taken", "name", meta={"id": other.get("id")})


_AT = Endpoint(
    object="topics",
    noun="topic",
    fetch=_fetch,
    differences=lambda held, payload: lacking(held, payload, _CHANGEABLE),
    create=_create,
    change=_change,
    # The name is sent with every update, so it has to be known if it is Gladly's.
    is_read_first=lambda policy, _changed: owner_of(policy.owners, "name") != Owner.SOURCE,
    holder=_holder,
    collision=_collision,
)
_STEPS = Upserts(_AT)


def _restore(gladly_id: str, changes: Mapping[str, Any], held: Mapping[str, Any]) -> tuple[Request, ...]:
    # A flag that was not there is not set.
    flags = {"disabled": bool(changes["disabled"])} if "disabled" in changes else {}
    return (_change(stand_in(held), gladly_id, {**changes, **flags}),)


def _pick(record: Record, listed: list[dict[str, Any]]) -> Found:
    """Find a topic by its derived id, else by its name, which is unique."""
    ids = (record.id, record.former_id)
    held = next((one for one in listed if one["id"] in ids), None)
    held = held or next((one for one in listed if one.get("name") == record.payload["name"]), None)
    return Found(record.id) if held is None else Found(str(held["id"]), held)


TOPICS = ImportSpec(
    name="topics",
    columns=column_plan(_FIELDS),
    prepare=Preparation(
        "topics",
        _FIELDS,
        unwrap=_unwrap,
        natural_key=lambda payload: f"name:{payload['name']}",
    ),
    procedures={Mode.CREATE: _STEPS.procedure, Mode.UPDATE: _STEPS.procedure, Mode.UPSERT: _STEPS.procedure},
    requests_per_record={Mode.CREATE: (1, 2), Mode.UPDATE: (1, 2), Mode.UPSERT: (1, 3)},
    operations=("addTopic", "getTopic", "updateTopic"),
    fields=_FIELDS,
    fetch=_fetch,
    # A topic is created below a parent that exists, so the whole input is read and sorted first.
    arrange=parents_first,
    proof=proof_of(
        _AT, _CHANGEABLE, find=in_list(_AT, _LIST, _pick), shared=frozenset({_LIST.operation}), is_listed=True
    ),
    baseline=BaselinePlan(
        # A line of a job may leave out what is not set.
        (BaselineSource("topics-list"), BaselineSource("topics", is_whole=False)),
        frozenset(_CHANGEABLE),
        _AT.changes,
    ),
    id_rule="our id; its length in Gladly is unknown",
    owned=OwnedFields(_CHANGEABLE),
    reversal=Reversal(
        _AT,
        fields=_CHANGEABLE,
        restore=_restore,
        why_not="Gladly's API cannot delete topics; archive them instead (disabled)",
    ),
)

_COLUMNS = (
    DataColumn("id", TEXT, "The id of the topic."),
    DataColumn("name", TEXT, "Its name, unique among all topics."),
    DataColumn("disabled", FLAG, "Whether it is archived, so that it can no longer be applied."),
    DataColumn("parentId", TEXT, "The topic above it; null at the top."),
)

OBJECT = GladlyObject(
    writes=(TOPICS,),
    reads=(LiveExport("topics-list", "getTopics", "/api/v1/topics", "topics-list", names="topic"),),
    data_sets=(
        DataSetPlan("topics", _COLUMNS, file="topics.jsonl"),
        DataSetPlan("topics-list", (*_COLUMNS, GONE_SINCE)),
    ),
)
"""`topics-list` is the live list, `topics` that of the export jobs; the rows of each have their origin."""
