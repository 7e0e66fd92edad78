"""What is done for one customer in each mode, request by request. Pure: generators, no network.

Each function yields the next request, is sent its reply, and returns the outcome. How a
request is paced, repeated and journaled is not decided here. The rules are those of
docs/exactly-once.md; the facts about Gladly are from gladly-api (README: retry safety,
merged customers; schemas 2).
"""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from bulkgladly.messages import ApiProblem, Repeat, Reply, Request
from bulkgladly.records import Known, Mode, Outcome, Problem, Stage, Word
from bulkgladly.resources.contacts import email_identity
from bulkgladly.resources.customers import CONTACT_LISTS, changes_to, gaps_in, holds_email, holds_mobile
from bulkgladly.resources.merges import MAX_MERGES
from bulkgladly.resources.outcomes import first_problem, refused, undone, unknown, unread
from bulkgladly.resources.spec import Policy, Record, Steps

__all__ = ("create", "delete", "get_profile", "update", "upsert")

PROFILES = "/api/v1/customer-profiles"
_MERGED = frozenset({*CONTACT_LISTS, "customAttributes"})
"""What a PATCH holds whole, together with what others have added."""


@dataclass(frozen=True, slots=True)
class Found:
    """What asking for a profile showed. `profile` None with `reply` None: there is none."""

    gladly_id: str
    profile: Mapping[str, Any] | None = None
    reply: Reply | None = None
    """The reply, where it was no answer to the question: a failed look-up is never "not found"."""
    is_searched: bool = False
    """The profile comes from a search, whose index may lag behind: nothing is merged into it."""

    @property
    def is_absent(self) -> bool:
        """True only when Gladly said that there is no such profile."""
        return self.profile is None and self.reply is None


@dataclass(slots=True)
class _Searched:
    """Customers that hold an address of the row, and why finding none does not mean that there is none."""

    matches: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    doubt: Problem | None = None


_STRANGER = Problem(
    "unreadable",
    "the search by the row's email address found a customer who does not hold it; `retry` the run later",
    "emails",
    Stage.API,
)
_SHARED = Problem(
    "ambiguous",
    "only a phone number that several people may share points to a customer; add an id or an email address",
    "phones",
    Stage.CONFLICT,
)


def get_profile(gladly_id: str) -> Request:
    """Return the request for one profile."""
    return Request("getCustomer", "GET", f"{PROFILES}/{gladly_id}")


def create(record: Record, policy: Policy) -> Steps:
    """Make the customer; one that is there already with other content is a reject."""
    if record.known is not None and not record.doubt and not _changed_since(record, record.known):
        return _as_accepted(record.known)
    return (yield from _create(record, policy))


def upsert(record: Record, policy: Policy) -> Steps:
    """Make the customer, or bring the one that is there up to the row: 1 request when new.

    A record whose content Gladly has accepted before takes none, one that is known and
    changed takes 1 PATCH, or 2 requests where what changed must be read first (see
    `_update_known`). One that was deleted in Gladly since is not made again: nobody wants
    a person back who asked to be forgotten.
    """
    if record.known is not None and not record.doubt:
        return (yield from _update_known(record, record.known, policy))
    return (yield from _create(record, policy))


def update(record: Record, policy: Policy) -> Steps:
    """Bring an existing customer up to the row; one that does not exist is a reject."""
    if record.known is not None:
        return (yield from _update_known(record, record.known, policy))
    found = yield from _locate(record)
    if isinstance(found, Outcome):
        return found
    return (yield from _bring_up(record, found))


def delete(record: Record, _policy: Policy) -> Steps:
    """Delete the customer by its own, remembered or derived id; by email where the row has no id.

    Never by a phone number: too many people share one. Irreversible in Gladly. One that is
    gone already counts as unchanged. A merged one is
    a reject: its successor holds another record's data as well.
    """
    target = record.known.gladly_id if record.known else record.id
    if record.known is None and not record.has_own_id and record.payload.get("emails"):
        located = yield from _locate(record, by_phone=False)
        if isinstance(located, Outcome):
            return Outcome(Word.UNCHANGED, gladly_id=record.id) if located.code == "not_exist" else located
        target = located.gladly_id
        if located.is_searched and (doubt := (yield from _doubt_of(record, target))) is not None:
            return doubt
    reply = yield Request("deleteCustomer", "DELETE", f"{PROFILES}/{target}")
    if reply.is_confirmed:
        return Outcome(Word.DELETED, gladly_id=target)
    if reply.is_refused:
        return refused(reply, target)
    found = yield from _fetch(target)
    if found.reply is not None:
        return unknown(found.reply, target)
    if found.profile is None:
        return Outcome(Word.DELETED if reply.lost else Word.UNCHANGED, gladly_id=target)
    if found.gladly_id != target:
        detail = f"merged into {found.gladly_id}, which also holds other data; delete it by that id if you mean it"
        return Outcome.rejected(Problem("moved", detail, "id", Stage.API), status=301, gladly_id=target)
    return refused(reply, target)


def _create(record: Record, policy: Policy) -> Steps:
    if record.doubt:
        # An earlier process may have made it: ask, never repeat blindly.
        found = yield from _fetch(record.id)
        if not found.is_absent:
            return (yield from _settle_existing(record, policy, found, was_ours=True))
    body = orjson.dumps({"id": record.id, **_without_nulls(record.payload)})
    reply = yield Request("createCustomer", "POST", PROFILES, body=body, repeat=Repeat.DETECTED)
    if reply.is_confirmed:
        return Outcome(Word.CREATED, gladly_id=record.id, status=reply.status, accepted=record.fingerprints)
    if reply.is_taken:
        return (yield from _after_conflict(record, policy, reply))
    if reply.is_unclear:
        found = yield from _fetch(record.id)
        if found.is_absent:
            return undone(reply, record.id)
        return (yield from _settle_existing(record, policy, found, was_ours=True))
    return refused(reply, record.id)


def _after_conflict(record: Record, policy: Policy, reply: Reply) -> Steps:
    problem = next((one for one in reply.problems if one.attr == "id"), first_problem(reply))
    if problem.attr is None or problem.attr == "id":
        found = yield from _fetch(record.id)
        if not found.is_absent:
            was_ours = bool(reply.lost or record.doubt)
            return (yield from _settle_existing(record, policy, found, was_ours=was_ours))
        if reply.lost or record.doubt:
            # It is taken, and is not there: one of the two is late, and it may be our own.
            return unknown(found.reply, record.id)
    elif reply.lost or record.doubt:
        # The address may be taken by our own first attempt.
        found = yield from _fetch(record.id)
        if not found.is_absent:
            return (yield from _settle_existing(record, policy, found, was_ours=True))
    return (yield from _by_conflict_policy(record, policy, problem))


def _settle_existing(record: Record, policy: Policy, found: Found, *, was_ours: bool) -> Steps:
    """Our id is taken. Equal content: made by us, or unchanged. Different: it existed before."""
    if found.profile is None:
        return unknown(found.reply, record.id)
    changes = changes_to(found.profile, record.payload)
    if not changes:
        word = Word.CREATED if was_ours else Word.UNCHANGED
        return Outcome(word, gladly_id=found.gladly_id, accepted=record.fingerprints)
    if policy.mode is Mode.CREATE:
        fields = ", ".join(changes)
        detail = f"a customer with this id exists and differs in {fields}; use --mode upsert to update it"
        problem = Problem("taken", detail, "id", Stage.CONFLICT)
        return Outcome.rejected(problem, status=409, gladly_id=found.gladly_id)
    return (yield from _patch(record, found.gladly_id, changes))


def _by_conflict_policy(record: Record, policy: Policy, problem: ApiProblem) -> Steps:
    attr = problem.attr or "emails or phones"
    if policy.on_conflict == "skip":
        detail = f"{attr} belongs to another customer; skipped by --on-conflict"
        return Outcome(Word.SKIPPED, stage=Stage.CONFLICT, status=409, code="taken", attr=problem.attr, detail=detail)
    if policy.on_conflict == "quarantine":
        detail = f"{attr} belongs to another customer; look at both, or choose --on-conflict skip, update or merge"
        return Outcome.rejected(Problem("taken", detail, problem.attr, Stage.CONFLICT), status=409)
    found = yield from _locate(record, by_id=False)
    if isinstance(found, Outcome):
        return found
    if policy.on_conflict == "merge":
        if found.is_searched:
            found = yield from _fetch(found.gladly_id)
        if found.profile is None:
            return (yield from _bring_up(record, found))
        changes = _fill_gaps(found.profile, record.payload)
        if not changes:
            return Outcome(Word.UNCHANGED, gladly_id=found.gladly_id, accepted=record.fingerprints)
        return (yield from _patch(record, found.gladly_id, changes, differ=_fill_gaps))
    return (yield from _bring_up(record, found))


def _update_known(record: Record, known: Known, policy: Policy) -> Steps:
    """Write what has changed since Gladly last accepted the record: 1 request, or 2.

    PATCH replaces contact lists whole, and whether it replaces or merges attributes is
    unknown: so these are read first, lest something that others added is lost.
    `attributes="merge"` says that somebody has tried it, and saves the reading.
    """
    changed = _changed_since(record, known)
    if not changed:
        return _as_accepted(known)
    read_first = CONTACT_LISTS if policy.attributes == "merge" else (*CONTACT_LISTS, "customAttributes")
    if policy.read_first or any(name in read_first for name in changed):
        found = yield from _fetch(known.gladly_id)
        outcome = yield from _bring_up(record, found)
    else:
        outcome = yield from _patch(record, known.gladly_id, {name: record.payload[name] for name in changed})
    return _deleted_since(known.gladly_id) if outcome.code == "not_exist" else outcome


def _changed_since(record: Record, known: Known) -> list[str]:
    return [name for name, print_ in record.fingerprints.items() if known.accepted.get(name) != print_]


def _as_accepted(known: Known) -> Outcome:
    return Outcome(Word.UNCHANGED, gladly_id=known.gladly_id)


def _bring_up(record: Record, found: Found) -> Steps:
    if found.is_absent:
        return _gone(found.gladly_id)
    if found.profile is None:
        return unread(found.reply, found.gladly_id)
    changes = changes_to(found.profile, record.payload)
    if not changes:
        return Outcome(Word.UNCHANGED, gladly_id=found.gladly_id, accepted=_remember(record))
    if found.is_searched and not changes.keys().isdisjoint(_MERGED):
        return (yield from _bring_up(record, (yield from _fetch(found.gladly_id))))
    return (yield from _patch(record, found.gladly_id, changes))


def _doubt_of(record: Record, gladly_id: str) -> Generator[Request, Reply, Outcome | None]:
    """Read a customer that a search by address found; return why it must not be deleted, or None."""
    found = yield from _fetch(gladly_id)
    if found.is_absent:
        return Outcome(Word.UNCHANGED, gladly_id=gladly_id)
    profile = found.profile
    if profile is None:
        return unread(found.reply, gladly_id)
    if any(holds_email(profile, address) for _, address in _addresses(record.payload, by_phone=False)):
        return None
    detail = "the search by the row's email address found a customer who does not hold it; nothing was deleted"
    return Outcome.rejected(Problem("ambiguous", detail, "emails", Stage.CONFLICT), gladly_id=gladly_id)


def _fill_gaps(profile: Mapping[str, Any], payload: Mapping[str, Any]) -> dict[str, Any]:
    return changes_to(profile, gaps_in(profile, payload))


def _patch(
    record: Record,
    gladly_id: str,
    changes: Mapping[str, Any],
    hops: int = 0,
    differ: Callable[[Mapping[str, Any], Mapping[str, Any]], dict[str, Any]] = changes_to,
) -> Steps:
    """Write the changes; `differ` says what another profile lacks of the row, should it have been merged away."""
    body = orjson.dumps(changes)
    reply = yield Request("updateCustomer", "PATCH", f"{PROFILES}/{gladly_id}", body=body)
    if reply.is_confirmed:
        return Outcome(Word.UPDATED, gladly_id=gladly_id, status=reply.status, accepted=_remember(record))
    if reply.is_taken:
        problem = first_problem(reply)
        detail = f"{problem.attr or 'an address'} belongs to another customer; nothing of the row was written"
        return Outcome.rejected(Problem("taken", detail, problem.attr, Stage.CONFLICT), status=409, gladly_id=gladly_id)
    if reply.is_refused:
        return refused(reply, gladly_id)
    # 404 also stands for a customer that was merged away; and a lost answer is asked about.
    found = yield from _fetch(gladly_id)
    if found.is_absent:
        return _gone(gladly_id)
    if found.profile is None:
        return unknown(found.reply, gladly_id)
    is_same = found.gladly_id == gladly_id
    missing = differ(found.profile, record.payload)
    if is_same:
        # What others changed meanwhile says nothing about this request.
        missing = {name: value for name, value in missing.items() if name in changes}
    if not missing:
        return Outcome(Word.UPDATED, gladly_id=found.gladly_id, accepted=_remember(record))
    if is_same or hops >= MAX_MERGES:
        return refused(reply, gladly_id)
    return (yield from _patch(record, found.gladly_id, missing, hops + 1, differ))


def _fetch(gladly_id: str) -> Generator[Request, Reply, Found]:
    """Ask for a profile by id and follow merges (301 with `meta.new`), up to five of them."""
    hops = 0
    while True:
        reply = yield get_profile(gladly_id)
        if reply.object is not None:
            return Found(gladly_id, reply.object)
        if reply.is_absent:
            return Found(gladly_id)
        if reply.successor is None or hops >= MAX_MERGES:
            return Found(gladly_id, reply=reply)
        gladly_id, hops = reply.successor, hops + 1


def _locate(
    record: Record, *, by_id: bool = True, by_phone: bool = True
) -> Generator[Request, Reply, "Found | Outcome"]:
    """Find the one customer that a row means: by its own id, else by its addresses, else by the derived id.

    Only what is unique in Gladly points to a customer: an email address, or a number that
    the profile holds as MOBILE [gladly-api, schemas 2.4]. A search counts only where the
    profile that it brings holds the address; it may be looser, or lag behind.
    """
    if by_id and record.has_own_id:
        found = yield from _fetch(record.id)
        return _gone(record.id) if found.is_absent else found
    searched = yield from _search(record, by_phone=by_phone)
    if isinstance(searched, Outcome):
        return searched
    if len(searched.matches) > 1:
        detail = "the row's addresses belong to several customers: " + ", ".join(sorted(searched.matches)[:5])
        return Outcome.rejected(Problem("ambiguous", detail, stage=Stage.CONFLICT))
    if searched.matches:
        gladly_id, profile = next(iter(searched.matches.items()))
        return Found(gladly_id, profile, is_searched=True)
    if not by_id:
        detail = "an address is taken, but looking the row's addresses up found nobody; retry later"
        return Outcome.rejected(Problem("taken", detail, stage=Stage.CONFLICT), status=409)
    found = yield from _fetch(record.id)
    if not found.is_absent:
        return found
    return Outcome.rejected(searched.doubt) if searched.doubt is not None else _gone(record.id)


def _search(record: Record, *, by_phone: bool) -> Generator[Request, Reply, "_Searched | Outcome"]:
    searched = _Searched()
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
            emails.append(("email", composed))  # a search may know one spelling alone of what is not ASCII
    if not by_phone:
        return emails
    return emails + [("phoneNumber", entry["original"]) for entry in payload.get("phones") or ()]


def _gone(gladly_id: str) -> Outcome:
    detail = "Gladly has no such customer; use --mode upsert to make those that are missing"
    return Outcome.rejected(Problem("not_exist", detail, None, Stage.API), status=404, gladly_id=gladly_id)


def _deleted_since(gladly_id: str) -> Outcome:
    detail = (
        "the customer was deleted in Gladly since it was imported, and is not made again; leave the row out, "
        "or import it under another --namespace"
    )
    return Outcome.rejected(Problem("deleted_since", detail, None, Stage.API), status=404, gladly_id=gladly_id)


def _remember(record: Record) -> dict[str, str]:
    """What Gladly holds now: earlier fields that this row does not mention stay as they were."""
    return {**(record.known.accepted if record.known else {}), **record.fingerprints}


def _without_nulls(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    attributes = payload.get("customAttributes")
    if None not in payload.values() and (attributes is None or None not in attributes.values()):
        return payload
    clean = {name: value for name, value in payload.items() if value is not None}
    if attributes is not None:
        clean["customAttributes"] = {key: value for key, value in attributes.items() if value is not None}
    return clean
