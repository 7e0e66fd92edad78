"""Customers: their requests, and how the customer that a row means is found by its addresses. Pure generators.

Facts: gladly-api (README: retry safety, merged customers; schemas 2). Only customers can be
merged, are found by addresses, and are read before their lists are written. Everything else is
done as for other objects.
"""

from collections.abc import Collection, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from bulkgladly.gladly.baseline_plan import BaselinePlan, BaselineSource, MergeSource
from bulkgladly.gladly.change import Found, Held
from bulkgladly.gladly.contacts import email_identity, phone_identity
from bulkgladly.gladly.customer_rows import (
    CUSTOMER_COLUMNS,
    SCALARS,
    addresses_to_match,
    as_given,
    changes_to,
    differing_parts_of,
    gaps_in,
    holds_email,
    holds_mobile,
    prepare_customer,
    profile_of_line,
    surplus_of,
    unique_addresses,
)
from bulkgladly.gladly.data_sets import FLAG, MOMENT, TEXT, TEXTS, DataColumn, DataSetPlan, ListOf, OpenMap, Struct
from bulkgladly.gladly.endpoints import Collision, Endpoint, Search, Unique, look
from bulkgladly.gladly.exports import IDS_OF_CUSTOMERS, LiveExport, Parent
from bulkgladly.gladly.foresight import merged_away
from bulkgladly.gladly.left_as_sent import SentForm
from bulkgladly.gladly.outcomes import unread
from bulkgladly.gladly.owners import ATTRIBUTES_FIELD, CONTACT_LISTS, OwnedFields
from bulkgladly.gladly.preparation import segment
from bulkgladly.gladly.proofs import by_id, proof_of
from bulkgladly.gladly.reversal import Reversal
from bulkgladly.gladly.spec import GladlyObject, ImportSpec, Policy, Record, Screening
from bulkgladly.gladly.upserts import Upserts
from bulkgladly.messages import ApiProblem, Repeat, Reply, Request
from bulkgladly.records import Mode, Outcome, Problem, Stage, Word

__all__ = ("CUSTOMERS", "OBJECT")

PROFILES = "/api/v1/customer-profiles"


@dataclass(slots=True)
class _Searched:
    """The customers that hold an address of the row, and why finding none does not prove that there is none."""

    matches: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    doubt: Problem | None = None


_STRANGER = Problem(
    "unreadable",
    "the search for the row's email address returned a customer without it; `retry` the run later",
    "emails",
    Stage.API,
)
_SHARED = Problem(
    "ambiguous",
    "the row matches a customer only by a phone number that people may share; add an id or an email address",
    "phones",
    Stage.CONFLICT,
)


def _create(record: Record) -> Request:
    body = orjson.dumps({"id": record.id, **_without_nulls(record.payload)})
    return Request("createCustomer", "POST", PROFILES, body=body, repeat=Repeat.DETECTED)


def _fetch(_record: Record, gladly_id: str) -> Request:
    return Request("getCustomer", "GET", f"{PROFILES}/{gladly_id}")


def _change(_record: Record, gladly_id: str, changes: Held) -> Request:
    return Request("updateCustomer", "PATCH", f"{PROFILES}/{gladly_id}", body=orjson.dumps(changes))


def _remove(_record: Record, gladly_id: str) -> Request:
    return Request("deleteCustomer", "DELETE", f"{PROFILES}/{gladly_id}")


def _is_read_first(policy: Policy, changed: Collection[str]) -> bool:
    """Tell whether a change may overwrite what others have added, so that the profile is read first.

    A PATCH replaces contact lists whole. Whether it replaces or merges attributes is UNKNOWN;
    `attributes="merge"` says that the user has tried it, and saves the request.
    """
    lists = CONTACT_LISTS if policy.attributes == "merge" else (*CONTACT_LISTS, "customAttributes")
    return policy.read_first or any(name in lists for name in changed)


def _located(record: Record) -> Search:
    """Find the one customer that a row means: by its own id, else by its addresses, else by the derived id."""
    if record.has_own_id:
        found = yield from look(_AT, record, record.id)
        return Found(record.id) if found.is_absent else found
    return (yield from _by_address_or_derived_id(record, by_phone=True))


def _victim(record: Record) -> Search:
    """Find the customer to delete: by its remembered, own or derived id; by email where the row has no id.

    A phone number is never used, because people share them. A customer whom a search returned
    is read before the deletion.
    """
    if record.known is not None:
        return Found(record.known.gladly_id)
    if record.has_own_id or not record.payload.get("emails"):
        return Found(record.id)
    found = yield from _by_address_or_derived_id(record, by_phone=False)
    if isinstance(found, Outcome):
        return found
    if found.is_absent:
        return Outcome(Word.UNCHANGED, gladly_id=record.id)
    return (yield from _looked_at(record, found.gladly_id)) if found.is_searched else found


def _rival(record: Record) -> Search:
    """Find the customer who holds an address of a row that could not be created."""
    found = yield from _by_address(record, by_phone=True)
    if isinstance(found, _Searched):
        detail = "an address is taken, but a search for the row's addresses found no customer; `retry` the run later"
        return Outcome.rejected(Problem("taken", detail, stage=Stage.CONFLICT), status=409)
    return found


def _collision(payload: Held, own_id: str | None) -> Collision:
    """Look whether a customer other than `own_id` holds an address that is unique: an email, or a number as MOBILE."""
    for name, address in _addresses(payload, by_phone=False):
        if (end := (yield from _owned(name, address, own_id))) is not None:
            return end
    for entry in payload.get("phones") or ():
        is_mobile = entry.get("type") == "MOBILE"
        if is_mobile and (end := (yield from _owned("phoneNumber", phone_identity(entry), own_id))) is not None:
            return end
    return None


def _owned(name: str, address: str, own_id: str | None) -> Collision:
    reply = yield Request("findCustomers", "GET", PROFILES, query=((name, address),))
    if not reply.is_confirmed:
        return unread(reply, own_id)
    holds, attr = (holds_email, "emails") if name == "email" else (holds_mobile, "phones")
    is_taken = any(holds(profile, address) and profile.get("id") != own_id for profile in reply.objects)
    return ApiProblem("taken", attr) if is_taken else None


def _by_address_or_derived_id(record: Record, *, by_phone: bool) -> Search:
    searched = yield from _by_address(record, by_phone=by_phone)
    if not isinstance(searched, _Searched):
        return searched
    found = yield from look(_AT, record, record.id)
    if not found.is_absent:
        return found
    return Outcome.rejected(searched.doubt) if searched.doubt is not None else Found(record.id)


def _by_address(record: Record, *, by_phone: bool) -> Generator[Request, Reply, Found | Outcome | _Searched]:
    """Find the one customer who holds the addresses of a row; without one, return what the search showed.

    Only a value that is unique in Gladly identifies a customer: an email address, or a number
    that the profile holds as MOBILE [gladly-api, schemas 2.4]. A match counts only if its
    profile holds the address, because a search may be looser, or lag behind.
    """
    searched = yield from _search(record, by_phone=by_phone)
    if isinstance(searched, Outcome) or not searched.matches:
        return searched
    if len(searched.matches) > 1:
        detail = "the row's addresses belong to several customers: " + ", ".join(sorted(searched.matches)[:5])
        return Outcome.rejected(Problem("ambiguous", detail, stage=Stage.CONFLICT))
    [(gladly_id, profile)] = searched.matches.items()
    return Found(gladly_id, profile, is_searched=True)


def _search(record: Record, *, by_phone: bool) -> Generator[Request, Reply, _Searched | Outcome]:
    searched = _Searched()
    # Emails first: one of them identifies a customer and saves the searches by phone.
    for name, address in _addresses(record.payload, by_phone=by_phone):
        reply = yield Request("findCustomers", "GET", PROFILES, query=((name, address),))
        if not reply.is_confirmed:
            return unread(reply, record.id)
        holds, doubt = (holds_email, _STRANGER) if name == "email" else (holds_mobile, _SHARED)
        for profile in reply.objects:
            if holds(profile, address):
                searched.matches[str(profile["id"])] = profile
            else:
                searched.doubt = searched.doubt or doubt
        if searched.matches and name == "email":
            break  # an email address belongs to one profile at most
    return searched


def _addresses(payload: Mapping[str, Any], *, by_phone: bool) -> list[tuple[str, str]]:
    emails: list[tuple[str, str]] = []
    for entry in payload.get("emails") or ():
        given, composed = str(entry["original"]), email_identity(entry)
        emails.append(("email", given))
        if composed != given.lower():
            emails.append(("email", composed))  # a search may only know one spelling of an address that is not ASCII
    if not by_phone:
        return emails
    return emails + [("phoneNumber", entry["original"]) for entry in payload.get("phones") or ()]


def _looked_at(record: Record, gladly_id: str) -> Search:
    """Read a customer that a search by address found; return how the row ends if it must not be deleted."""
    found = yield from look(_AT, record, gladly_id)
    if found.is_absent:
        return Outcome(Word.UNCHANGED, gladly_id=gladly_id)
    profile = found.held
    if profile is None:
        return unread(found.reply, gladly_id)
    if found.gladly_id != gladly_id:
        return merged_away(found, gladly_id)  # the search was out of date
    if any(holds_email(profile, address) for _, address in _addresses(record.payload, by_phone=False)):
        return found
    detail = "the search for the row's email address returned a customer without it; nothing was deleted"
    return Outcome.rejected(Problem("ambiguous", detail, "emails", Stage.CONFLICT), gladly_id=gladly_id)


def _without_nulls(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    attributes = payload.get("customAttributes")
    if None not in payload.values() and (attributes is None or None not in attributes.values()):
        return payload
    clean = {name: value for name, value in payload.items() if value is not None}
    if attributes is not None:
        clean["customAttributes"] = {key: value for key, value in attributes.items() if value is not None}
    return clean


_AT = Endpoint(
    object="customers",
    noun="customer",
    fetch=_fetch,
    differences=changes_to,
    create=_create,
    change=_change,
    remove=_remove,
    is_merged=True,
    locate=_located,
    victim=_victim,
    rival=_rival,
    collision=_collision,
    own_id=("id",),
    is_read_first=_is_read_first,
    shared=frozenset({*CONTACT_LISTS, "customAttributes"}),
    gaps=gaps_in,
    as_given=as_given,
    # Emails and phones are unique, so without a field in the conflict none can be assumed.
    unique=Unique(
        attr=None,
        in_create="emails or phones",
        in_update="an address",
        fix="look at both, or choose --on-conflict skip, update or merge",
    ),
)
_STEPS = Upserts(_AT)


def _conversations_of(gladly_id: str) -> Request:
    return Request("getConversations", "GET", f"/api/v1/customers/{segment(gladly_id)}/conversations")


def _tasks_of(gladly_id: str) -> Request:
    return Request("getTasks", "GET", f"/api/v1/customers/{segment(gladly_id)}/tasks")


_REVERSAL = Reversal(
    _AT,
    fields=SCALARS,
    lists={"emails": email_identity, "phones": phone_identity},
    maps=("customAttributes",),
    can_delete=True,
    # A deletion takes these along [gladly-api, README, "Other behaviour"]. What else is on a timeline cannot be listed.
    guards=(("conversations", _conversations_of), ("tasks", _tasks_of)),
)


def _seek(record: Record, policy: Policy) -> Search:
    """Find the customer of a row that has no id in Gladly: by its addresses, as an import would."""
    searched = yield from _by_address(record, by_phone=policy.mode is not Mode.DELETE)
    if not isinstance(searched, _Searched):
        return searched
    return Outcome.rejected(searched.doubt) if searched.doubt is not None else Found(record.id)


CUSTOMERS = ImportSpec(
    name="customers",
    columns=CUSTOMER_COLUMNS,
    prepare=prepare_customer,
    procedures=dict.fromkeys(Mode, _STEPS.procedure),
    requests_per_record={Mode.CREATE: (1, 1), Mode.UPDATE: (1, 3), Mode.UPSERT: (1, 3), Mode.DELETE: (1, 3)},
    operations=("createCustomer", "findCustomers", "getCustomer", "updateCustomer", "deleteCustomer"),
    fetch=_fetch,
    id_rule="our id, under 50 characters",
    deletes="customers and their conversations",
    not_kept=("createdAt and updatedAt", "externalCustomerIds"),
    screening=Screening.CONTACTS,
    owned=OwnedFields((*SCALARS, *CONTACT_LISTS, ATTRIBUTES_FIELD), lists=CONTACT_LISTS),
    unread=frozenset({Mode.DELETE}),
    reversal=_REVERSAL,
    proof=proof_of(
        _AT,
        (*SCALARS, *CONTACT_LISTS, "customAttributes"),
        find=by_id(_AT, _seek),
        details=differing_parts_of,
        surplus=surplus_of,
    ),
    as_sent=SentForm(
        SCALARS,
        {"emails": (), "phones": ("type", "regionCode", "extension", "smsPreference")},
        unique_addresses,
    ),
    baseline=BaselinePlan(
        (
            BaselineSource("profiles", tells_merges=True),
            BaselineSource(
                "customers",
                is_whole=False,
                columns=("id", *SCALARS, *CONTACT_LISTS, "customAttributes", "emailAddresses", "phoneNumbers"),
                as_held=profile_of_line,
            ),
        ),
        frozenset((*SCALARS, *CONTACT_LISTS, "customAttributes")),
        _AT.changes,
        addresses=unique_addresses,
        wanted=addresses_to_match,
        merges=(
            MergeSource("events", "sourceCustomerId", "destinationCustomerId", "timestamp", within="entity=CUSTOMER"),
        ),
    ),
)

_EMAIL = Struct({"original": TEXT, "normalized": TEXT, "primary": FLAG})
_PHONE = Struct(
    {
        **dict.fromkeys(("original", "normalized", "extension", "regionCode"), TEXT),
        "primary": FLAG,
        "smsPreference": TEXT,
        "type": TEXT,
    }
)
_NAMED = (
    DataColumn("id", TEXT, "The id of the customer."),
    DataColumn("name", TEXT, "The name that agents see."),
    DataColumn("image", TEXT, "The address of their picture."),
    DataColumn("address", TEXT, "Their postal address, as a single text."),
)
_REACHED = (
    DataColumn("emailAddresses", TEXTS, "Their email addresses, in the form of the files of an export job."),
    DataColumn("phoneNumbers", TEXTS, "Their phone numbers, in the form of the files of an export job."),
)
_PROFILE = (
    DataColumn(
        "emails",
        ListOf(_EMAIL),
        "Their email addresses: as entered, as Gladly compares them (the rule is UNKNOWN), and which one is primary.",
    ),
    DataColumn(
        "phones",
        ListOf(_PHONE),
        "Their phone numbers: as entered, in international form, their type, and whether texts may be sent to them.",
    ),
    DataColumn("externalCustomerId", TEXT, "Their id in another system, from a lookup adaptor before May 2021."),
    DataColumn("externalCustomerIds", OpenMap(), "Their ids in other systems, by the id of the lookup adaptor."),
    DataColumn("customAttributes", OpenMap(), "The organisation's own attributes, by name."),
    DataColumn("createdAt", MOMENT, "When the profile was created."),
    DataColumn("updatedAt", MOMENT, "When it was last changed; some profiles do not have it."),
)
_ASKED_ID = DataColumn(
    "_asked_id", TEXT, "The id that was requested; it differs from `id` if the customer was merged into another."
)

_BY_ADDRESS = LiveExport(
    "profiles",
    "findCustomers",
    PROFILES,
    "profiles",
    Parent.EMAIL,
    cap=50,
    order="updatedAt, newest first",
    parameter="email",
    address_columns=("email", "email:1", "emailAddress"),
)
"""Profiles by address."""

OBJECT = GladlyObject(
    writes=(CUSTOMERS,),
    reads=(
        LiveExport(
            "profiles",
            "getCustomer",
            f"{PROFILES}/{{customerId}}",
            "profiles",
            Parent.CUSTOMER,
            is_list=False,
            ids_from=IDS_OF_CUSTOMERS,
            by_address=_BY_ADDRESS,
            tells_successor=True,
        ),
    ),
    data_sets=(
        DataSetPlan("customers", (*_NAMED, *_REACHED, *_PROFILE), file="customers.jsonl"),
        DataSetPlan("profiles", (*_NAMED, *_PROFILE, _ASKED_ID)),
    ),
)
"""`customers` has the flat lines of an export job, `profiles` has whole profiles, requested one by one.

`customers` has the columns of both, because public readers of the file describe fields of a
profile in it. A custom attribute that is not a text is in `_extra`.
"""
