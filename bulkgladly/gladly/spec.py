"""What is declared of a kind of object that is imported, and the values that its steps work on.

From the first value to the last: a *row* becomes a *draft*, which may still hold names and keys,
then a *record*, which is ready to be sent; a record asks for a *change*, and ends with an outcome.
"""

import datetime as dt
import enum
from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from bulkgladly.errors import UsageError
from bulkgladly.gladly.baseline_plan import BaselinePlan
from bulkgladly.gladly.change import Action, Change, Found
from bulkgladly.gladly.data_sets import DataSetPlan
from bulkgladly.gladly.exports import LiveExport
from bulkgladly.gladly.fields import Field, Link
from bulkgladly.gladly.left_as_sent import SentForm
from bulkgladly.gladly.metric_sets import MetricSet
from bulkgladly.gladly.outcomes import unread
from bulkgladly.gladly.owners import NOT_CHANGED, OwnedFields, Owners
from bulkgladly.messages import NotedWrite, Repeat, Reply, Request
from bulkgladly.records import Claim, ColumnPlan, Known, Mode, Outcome, Problem, Row

if TYPE_CHECKING:
    from bulkgladly.gladly.proofs import Proof  # which is about the records below
    from bulkgladly.gladly.reversal import Reversal

__all__ = (
    "DEFAULT_MODES",
    "Deciding",
    "Draft",
    "GladlyObject",
    "ImportSpec",
    "Policy",
    "Procedure",
    "Record",
    "Rule",
    "Screening",
    "Steps",
    "drops_value_of",
    "ready",
)

Steps = Generator[Request, Reply, Outcome]
"""The steps of one record, without I/O: yields requests, is sent replies, and returns the outcome."""

Deciding = Generator[Request, Reply, Change]
"""Decides what a record asks for: yields requests that only read, is sent replies, and returns the change."""

DEFAULT_MODES = (Mode.UPSERT, Mode.CREATE, Mode.UPDATE)


@dataclass(frozen=True, slots=True)
class Policy:
    """What the user decided about every record of a run. All but `now` is part of the run's identity.

    `host` and `namespace` go into derived ids. `key` names the column that identifies a record
    in the source system. `phone_region` is the country of local numbers. `namespaces` has the
    namespace of the source keys of other objects, where it is not this run's own. `drops` are the
    columns whose values are left out if they are not valid (`*` stands for a number or a part); any
    other such value rejects its record. `columns` has the user's own columns, by the columns that a
    mapping fills from them. `languages`
    are those of the organisation, in lower case, and `now` is the moment against which times are
    checked; without them, languages and times are not checked. `owners` has the owners of fields that
    are not the usual ones (`gladly.owners`). With `undoable` everything is read before it is updated
    or deleted.
    """

    host: str
    mode: Mode = Mode.UPSERT
    namespace: str = "default"
    key: str | None = None
    on_conflict: str = "quarantine"
    on_duplicate: str = "reject"
    null: str = "keep"
    phone_region: str | None = None
    read_first: bool = False
    attributes: str = "unknown"
    force_close: bool = False
    namespaces: tuple[tuple[str, str], ...] = ()
    drops: tuple[str, ...] = ()
    columns: tuple[tuple[str, str], ...] = ()
    owners: Owners = ()
    undoable: bool = False
    languages: tuple[str, ...] = ()
    now: dt.datetime | None = None

    def namespace_of(self, resource: str) -> str:
        """Return the namespace in which the source keys of an object are looked up."""
        return dict(self.namespaces).get(resource, self.namespace)


def drops_value_of(column: str, drops: Collection[str]) -> bool:
    """Tell whether a value of a flat column (`phone:1:type`) is one of those that may be left out."""
    if column in drops:
        return True
    name, _, rest = column.partition(":")
    number, _, part = rest.partition(":")
    forms = {f"{name}:*", f"{name}:*:{part}", f"{name}:{number}:*", f"{name}:*:*"} if part else {f"{name}:*"}
    forms -= {f"{name}:*"} if part else set()
    return not forms.isdisjoint(drops)


Rule = Callable[[Mapping[str, Any], Policy], Iterable[Problem]]
"""Looks at a payload, offline, and yields why Gladly would refuse it, or change what it says."""


class Draft(NamedTuple):
    """What was read from a row. Its payload may still hold names and keys where ids belong.

    `id` is the id that a create would give it. `fingerprints` has one entry for each field of
    the payload. `links` are names and keys in the payload that are still to be replaced by ids.
    Records that share one of `lanes` are sent in input order.

    `former_key` is the source key as earlier versions spelled it, if that differs, and
    `former_id` the id that they derived from it. The object may be known, or exist, by these.
    """

    row: Row
    key: str
    id: str
    has_own_id: bool
    payload: Mapping[str, Any]
    fingerprints: Mapping[str, str]
    claims: tuple[Claim, ...]
    links: tuple[Link, ...] = ()
    lanes: tuple[int, ...] = ()
    former_key: str | None = None
    former_id: str | None = None


class Record(NamedTuple):
    """A draft that is ready to be sent: its names are replaced by ids, and what is known of it is added.

    `known` and `doubt` are from the state. `doubt` is true if an earlier process may have sent a
    create and its outcome is unknown; `sent_at` is when it was sent (seconds since 1970, our
    clock). `rivals` are the ids of objects that other records of the run have created; more may
    be added while the record waits. `written` is what earlier processes have written for it, or were
    about to. Everything else is as in its draft.
    """

    row: Row
    key: str
    id: str
    has_own_id: bool
    payload: Mapping[str, Any]
    fingerprints: Mapping[str, str]
    claims: tuple[Claim, ...]
    lanes: tuple[int, ...]
    former_key: str | None
    former_id: str | None
    known: Known | None = None
    doubt: bool = False
    sent_at: float | None = None
    rivals: Collection[str] = ()
    written: Sequence[NotedWrite] = ()


def ready(
    draft: Draft,
    known: Known | None = None,
    doubt: bool = False,
    sent_at: float | None = None,
    rivals: Collection[str] = (),
    written: Sequence[NotedWrite] = (),
) -> Record:
    """Return the record of a draft, with what is known of it."""
    # Every row comes through here, and by position this is faster than with keywords.
    row, key, gladly_id, has_own_id, payload, prints, claims, _, lanes, former_key, former_id = draft
    return Record(
        row, key, gladly_id, has_own_id, payload, prints, claims, lanes, former_key, former_id,
        known, doubt, sent_at, rivals, written,
    )  # fmt: skip


class Screening(enum.Enum):
    """How a check finds the rows that are certainly valid, so that only the others are read closely."""

    NONE = "every row is read closely"
    FIELDS = "by the declared fields; every other spelling of a row uses a field that holds an object"
    CONTACTS = "by email addresses and phone numbers, which also identify records without a key"


@dataclass(frozen=True, slots=True)
class Procedure:
    """How the records of one kind of object are written in one mode, in two steps.

    `decide` looks as far as necessary and returns the change. Its requests only read, so a plan
    can use it alone. `apply` writes the change. If a write is refused or its response is lost,
    it looks and decides again. `at_once` returns the outcome of a record that certainly needs no
    request, as the two steps would; None only means that they are needed.

    `foresee` reads what a decided change would meet (an id or an address that is taken) or write
    over, and returns what it comes to; `look` reads an object by its id. Both are for plans. Where
    they are None, `decide` has read all there is to see.
    """

    decide: Callable[[Record, Policy], Deciding]
    apply: Callable[[Record, Policy, Change], Steps]
    foresee: Callable[[Record, Policy, Change], Deciding] | None = None
    look: Callable[[Record, str], Generator[Request, Reply, Found]] | None = None
    at_once: Callable[[Record, Policy], Outcome | None] = lambda _record, _policy: None


@dataclass(frozen=True, slots=True)
class ImportSpec:
    """Everything that imports and checks need to know about one kind of object.

    `prepare` turns a nested row into a draft, or returns why it cannot. `procedures` has the
    steps of each mode. Both are pure. `requests_per_record` has, for each mode, the fewest and
    the most requests that a record takes without conflicts, for the estimate.

    `fields` declares the row field by field (customers have their own columns), and `rules`
    look at the payload as a whole. `lanes` are places in the payload; records with equal values
    there are sent in input order. `arrange` returns the drafts of a whole input in the order in
    which they have to be sent; the whole input is read first. `repeat` is what sending the
    create again could do. `contacts_people` is what a record does to a person, and `deletes`
    what a deletion removes; both are printed before it starts. `not_kept` names what Gladly does
    not keep of a row. `fetch` requests an object by id, where ids are derived from source keys.
    `screening` says which rows a check may accept without drafts. `owned` are the fields that an
    update can write. `unread` are the modes in which records that no run remembers are written without
    a look, so that nobody knows what Gladly held. `reversal` is how
    changes are taken back; without one, `irreversible` is why they cannot be. `proof` is how an object is read back and
    compared with its row, and `unproven` why that is not possible.
    `baseline` says how data sets hold such objects, so that an import can be compared with one. `as_sent` tells
    of an object that an import has created under an id whether it may be deleted by that id alone; None forbids it.
    `unlisted` is what must be unique and cannot be looked up, so that only the write shows whether it is taken.

    Chapters: the steps of a record; names, keys and modes.
    """

    name: str
    columns: ColumnPlan
    prepare: Callable[[Row, dict[str, Any], Policy], Draft | Problem]
    procedures: Mapping[Mode, Procedure]
    requests_per_record: Mapping[Mode, tuple[int, int]]
    operations: tuple[str, ...] = field(default=())
    fields: tuple[Field, ...] = ()
    rules: tuple[Rule, ...] = ()
    warnings: tuple[Rule, ...] = ()
    lanes: tuple[str, ...] = ()
    arrange: Callable[[Sequence[Draft]], list[Draft]] | None = None
    repeat: Repeat = Repeat.DETECTED
    id_rule: str = ""
    contacts_people: str = ""
    deletes: str = ""
    not_kept: tuple[str, ...] = ()
    fetch: Callable[[Record, str], Request] | None = None
    screening: Screening = Screening.NONE
    owned: OwnedFields = NOT_CHANGED
    unread: frozenset[Mode] = frozenset()
    reversal: "Reversal | None" = None
    irreversible: str = "Gladly's API cannot delete it"
    proof: "Proof | None" = None
    unproven: str = ""
    baseline: BaselinePlan | None = None
    as_sent: SentForm | None = None
    unlisted: str = ""

    # --- the steps of a record -----------------------------------------------------------------

    def at_once(self, record: Record, policy: Policy) -> Outcome | None:
        """Return what `steps` would return if it needed no request; None if only `steps` can tell."""
        return self.procedures[policy.mode].at_once(record, policy)

    def steps(self, record: Record, policy: Policy) -> Steps:
        """Do what a record asks for in the policy's mode, and return how it ends."""
        change = yield from self.decide(record, policy)
        if change.end is not None:
            return change.end
        return (yield from self.apply(record, policy, change))

    def decide(self, record: Record, policy: Policy) -> Deciding:
        """Return what a record asks for in the policy's mode; its requests only read."""
        former_id = record.former_id
        if former_id is None or record.known is not None or self.fetch is None:
            return self.procedures[policy.mode].decide(record, policy)
        return self._decide_by_former_id(record, policy, former_id, self.fetch(record, former_id))

    def apply(self, record: Record, policy: Policy, change: Change) -> Steps:
        """Do what `decide` returned for a record, unless that has an end, and return how the record ends."""
        return self.procedures[policy.mode].apply(_by_former_id(record, change), policy, change)

    def foresee(self, record: Record, policy: Policy) -> Deciding:
        """Return what a record comes to, after a look at everything that it would meet or write over.

        Its requests only read. A create that meets nothing stays a create.
        """
        change = yield from self.decide(record, policy)
        looks_on = self.procedures[policy.mode].foresee
        if change.end is not None or looks_on is None:
            return change
        return (yield from looks_on(_by_former_id(record, change), policy, change))

    def _decide_by_former_id(self, record: Record, policy: Policy, former_id: str, look: Request) -> Deciding:
        """Look for an object that an earlier version created under the id of another spelling of the key.

        Only a record that is not remembered, and whose key was written in another form than the
        one in which keys are compared, costs this request. An unclear response never counts as
        "not there": a duplicate would follow.
        """
        reply = yield look
        # A customer that was merged counts as existing: it is requested again later, and the merge followed.
        if reply.is_confirmed or reply.successor is not None:
            record = record._replace(id=former_id)
        elif not reply.is_absent:
            end = unread(reply, former_id)
            return Change(self.name, record.key, former_id, Action.REFUSE, record.row.position, end.word, {}, end=end)
        return (yield from self.procedures[policy.mode].decide(record, policy))

    # --- names, keys and modes -----------------------------------------------------------------

    @property
    def directories(self) -> tuple[str, ...]:
        """Kinds of names that rows may use, such as `inbox`; each is one list to fetch."""
        return tuple(dict.fromkeys(item.names for item in self.fields if item.names is not None))

    @property
    def references(self) -> tuple[str, ...]:
        """Objects whose source keys rows may name."""
        return tuple(dict.fromkeys(item.key_of for item in self.fields if item.key_of is not None))

    def is_identity(self, target: str) -> bool:
        """Tell whether a column identifies a person or object; `*` in its name may stand for a number."""
        field = next((one for one in self.fields if one.name == target), None)
        if field is not None or self.fields:
            return field is not None and field.is_identity
        prefix, _, number = target.partition(":")
        lists = {one.prefix for one in self.columns.lists}
        return target in ("id", "externalCustomerId") or (prefix in lists and ":" not in number)

    def is_optional(self, target: str) -> bool:
        """Tell whether a record is worth sending without the value of a column; `*` may stand for a number."""
        field = next((one for one in self.fields if one.name == target.partition(":")[0]), None)
        if field is not None:
            return not field.required and not field.is_identity
        return not self.fields and target.partition(":")[0] not in ("id", "externalCustomerId")

    @property
    def is_at_most_once(self) -> bool:
        """True if sending a create again risks a duplicate."""
        return self.repeat is Repeat.UNSAFE

    def requests_for(self, policy: Policy) -> tuple[int, int]:
        """Return the fewest and the most requests that a record takes without conflicts, if no run remembers it."""
        low, high = self.requests_per_record[policy.mode]
        is_more = policy.undoable and policy.mode in self.unread
        return (low + 1, high + 1) if is_more else (low, high)

    def mode(self, asked: Mode | None) -> Mode:
        """Return the mode to use: the one asked for, else the first of upsert, create and update that exists.

        Raises:
            UsageError: The object does not support the mode, or only supports one that must be asked for.
        """
        modes = ", ".join(self.procedures)
        if asked is None:
            found = next((mode for mode in DEFAULT_MODES if mode in self.procedures), None)
            if found is None:
                raise UsageError(
                    f"{self.name} can only be deleted, which cannot be undone; to do that, pass --mode {modes}"
                )
            return found
        if asked not in self.procedures:
            raise UsageError(f"{self.name} do not support --mode {asked}; supported modes: {modes}")
        return asked


def _by_former_id(record: Record, change: Change) -> Record:
    """Return the record with the id that an earlier version gave it, if its object was found under that."""
    is_former = record.known is None and change.id is not None and change.id == record.former_id
    return record._replace(id=change.id) if is_former and change.id is not None else record


@dataclass(frozen=True)
class GladlyObject:
    """One kind of object in both directions, with what belongs to it (tasks and their comments).

    `writes` says what can be imported, `reads` what can be requested, `data_sets` what the
    rows of an export hold, and `metric_sets` which reports there are. Columns, checks, drafts,
    schemas, parents and documents follow from these.
    """

    writes: tuple[ImportSpec, ...] = ()
    reads: tuple[LiveExport, ...] = ()
    data_sets: tuple[DataSetPlan, ...] = ()
    metric_sets: tuple[MetricSet, ...] = ()
