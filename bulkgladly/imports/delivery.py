"""Sends a record, one request after the other as its steps ask, and records the outcome of its row.

Before each request the journal gets what is needed after a crash. A write that can be looked up later (its id is
ours) has an *intent* on the disk before it is sent. Any other write *reserves* its key just before it is sent; after
a crash its outcome is unknown, and no other run sends it.
"""

import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import anyio
import orjson

from bulkgladly.api.client import Client
from bulkgladly.errors import BulkgladlyError
from bulkgladly.gladly.identity import key_in
from bulkgladly.gladly.spec import Draft, ImportSpec, Policy, Record, Steps
from bulkgladly.imports.drafts import outcome_of_clash
from bulkgladly.imports.step_choice import FreeSteps, StepChoice
from bulkgladly.journal.entries import Intent, Reservation, Standing
from bulkgladly.journal.ledger import Ledger
from bulkgladly.journal.results import original_of
from bulkgladly.mapping.column_shapes import shape
from bulkgladly.messages import Repeat, Reply, Request
from bulkgladly.records import Known, Outcome, Problem, Row, Word
from bulkgladly.runs.stages import Stop
from bulkgladly.settings import Limits

__all__ = (
    "RECENT_IDS",
    "Delivery",
    "Pending",
    "Precautions",
    "Settlement",
)


@dataclass(slots=True)
class Pending:
    """A record whose steps have started: `request` is the next one, not sent yet.

    The record is replaced if another run has just recorded something about its key.
    """

    record: Record
    steps: Steps
    request: Request
    is_reserved: bool = False
    """The state says, for this run, that the record of this key may have been sent."""
    sent_at: float | None = None
    """When a request of it may first have been sent, by this process or an earlier one (our clock)."""


class Precautions(Protocol):
    """What must be on the disk before a request leaves, so that nothing is sent twice. A `Ledger` writes it.

    All methods raise `DiskFull`, `JournalDamaged` or `JournalError`; the request must not leave then.
    """

    async def intend(self, intents: Sequence[Intent]) -> None:
        """Note that requests are about to leave whose repeat can be recognised."""
        ...

    async def reserve(self, intent: Intent, reservation: Reservation) -> Known | None:
        """Reserve the key of a record that is sent at most once; None if it may leave, else what is known of it."""
        ...

    async def withdraw(self, seqs: Sequence[int], *, reserved: Sequence[str] = ()) -> None:
        """Take back intents, and reserved keys: their requests did not leave, or created nothing."""
        ...


class Delivery:
    """Sends records, any number at the same time, each by one caller."""

    def __init__(
        self,
        spec: ImportSpec,
        policy: Policy,
        ledger: Precautions,
        client: Client,
        *,
        choice: StepChoice | None = None,
    ) -> None:
        """`choice` has the steps of the records, if they are not those of the object."""
        self._ledger, self._client = ledger, client
        self._choice = choice or FreeSteps(spec, policy)

    def started(self, record: Record) -> Pending | Outcome:
        """Start a record's steps; return its first request, or its outcome if it needs no request."""
        if (at_once := self._choice.at_once(record)) is not None:
            return at_once
        steps = self._choice.steps(record)
        try:
            request = next(steps)
        except StopIteration as end:
            outcome: Outcome = end.value
            return outcome
        return Pending(record, steps, request, sent_at=record.sent_at)

    async def intend(self, several: Sequence[Pending]) -> None:
        """Write the intents of those first requests that need one to the disk."""
        intents = [_intent(one.record, one.request) for one in several if one.request.repeat is Repeat.DETECTED]
        if intents:
            _note_moment(several)
            await self._ledger.intend(intents)

    async def withdraw(self, several: Sequence[Pending]) -> None:
        """Remove the intents and reservations of records that were not sent, except those in doubt from before."""
        mine = [one for one in several if not one.record.doubt]
        reserved = [one.record.key for one in mine if one.is_reserved]
        await self._ledger.withdraw([one.record.row.seq for one in mine], reserved=reserved)
        for one in mine:
            one.is_reserved = False

    async def carry_out(self, pending: Pending) -> tuple[Outcome, int]:
        """Send what the record's steps ask for, until they return the outcome; return it with the number of attempts.

        Raises:
            Withdrawn, Fatal, Outage: The record is in doubt only if Gladly may have executed something of it.
        """
        request, tries, is_noted, may_be_done = pending.request, 0, True, False
        while True:
            if request.repeat is Repeat.UNSAFE:
                # As late as possible: after a crash the outcome of every reserved record is unknown.
                if not pending.is_reserved and (known := await self._reserve(pending, request)) is not None:
                    following = self._begin_again(pending, known)
                    if isinstance(following, Outcome):
                        return following, tries
                    request = following
                    continue
            elif request.repeat is Repeat.DETECTED and not is_noted:
                _note_moment([pending])
                await self._ledger.intend([_intent(pending.record, request)])
            reply = await self._send(pending, request, may_be_done=may_be_done)
            if request.repeat is Repeat.UNSAFE:
                reply = reply._replace(sent_at=pending.sent_at)
            tries += reply.attempts
            is_write = request.repeat is not Repeat.HARMLESS
            is_refused = is_write and not reply.lost and not reply.is_confirmed
            may_be_done |= is_write and not is_refused
            try:
                request = pending.steps.send(reply)
            except StopIteration as end:
                return end.value, tries
            is_noted = False
            if is_refused:
                # Gladly created nothing, so a resume must not take an object that it finds for ours.
                await self.withdraw([pending])

    async def _send(self, pending: Pending, request: Request, *, may_be_done: bool) -> Reply:
        """Send a request; if nothing of the record can have been executed, remove what the journal has of it."""
        try:
            return await self._client.send(request)
        except BulkgladlyError as error:
            if not may_be_done and not error.lost:
                await self.withdraw([pending])
            raise

    async def _reserve(self, pending: Pending, request: Request) -> Known | None:
        """Reserve the key of a record; return None if it can be sent, else what is known of the key."""
        _note_moment([pending])
        record = pending.record
        pending.is_reserved = True
        try:
            known = await self._ledger.reserve(_intent(record, request), Reservation(record.key, record.fingerprints))
        except anyio.get_cancelled_exc_class():
            # It was not sent, so nothing is in doubt.
            with anyio.CancelScope(shield=True):
                await self.withdraw([pending])
            raise
        pending.is_reserved = known is None
        return known

    def _begin_again(self, pending: Pending, known: Known) -> Request | Outcome:
        """Restart the steps of a record after another run has recorded something about its key."""
        pending.record = pending.record._replace(known=known)
        pending.steps = self._choice.steps(pending.record)
        try:
            return next(pending.steps)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]


def _intent(record: Record, request: Request) -> Intent:
    gladly_id = record.id
    if record.former_id is not None and request.repeat is Repeat.DETECTED:
        # Its steps may have found it under its former id and continue with that one: the request has the right id.
        gladly_id = orjson.loads(request.body or b"{}").get("id", gladly_id)
    return Intent(record.row.seq, gladly_id, request.operation)


def _note_moment(several: Sequence[Pending]) -> None:
    """Keep when a request may first have been sent, to tell what it created from what existed before."""
    now = time.time()
    for one in several:
        if one.sent_at is None:
            one.sent_at = now


# --- the outcomes of rows ---

NEEDS_ORIGINAL = (Word.REJECTED, Word.UNKNOWN, Word.SKIPPED)
_NAMED = (Word.REJECTED, Word.SKIPPED)
"""Rows that never became a record, but are in the input: their keys tell a later run, and what is not missing."""
_ONLY_COUNTED = ("mapping_skipped", "blank_row", "header_again")
"""Codes of rows that are no records, or that the user's own filter leaves out."""
# As many as can be created, at any pace, within the minutes by which two clocks may differ.
RECENT_IDS = 10_000


class Settlement:
    """Records the outcome of each row, once. Nothing waits here: the ledger writes to the disk later, in groups."""

    def __init__(
        self,
        spec: ImportSpec,
        policy: Policy,
        ledger: Ledger,
        limits: Limits,
        stop: Stop,
        names: Sequence[str],
        *,
        show_values: bool = False,
    ) -> None:
        """Continue the counts of earlier sessions of the run. `names` are the names of the inputs, by number.

        Dropped values are recorded masked, or as they are with `show_values`.
        """
        self._as_text = _whole_text if show_values else shape
        self._spec, self._policy, self._ledger = spec, policy, ledger
        self._limits, self._stop, self._names = limits, stop, names
        self._rejected, self._begun = ledger.counts[Word.REJECTED], ledger.counts.total()
        self.made: deque[str] = deque(maxlen=RECENT_IDS)
        """Ids created lately, of objects sent at most once: another row must not be matched with one of them."""

    def remember_made(self, ids: Iterable[str]) -> None:
        """Add the ids that earlier sessions have created."""
        self.made.extend(ids)

    def taken_in(self, row: Row, item: Draft | Problem | None, standing: Standing) -> Draft | None:
        """Return the draft of a row that can be sent; otherwise record the row's outcome and return None.

        A row ends here if it has a problem or clashes with an earlier row. `item` is None if an earlier session has
        finished the row.
        """
        self._begun += item is not None
        if isinstance(item, Problem):
            self.settle(row, Outcome.rejected(item))
            return None
        if item is None or standing.clash is None:
            return item
        outcome = outcome_of_clash(standing.clash, self._policy, self._names)
        if outcome is None:
            return item
        self.settle(row, outcome, item)
        return None

    def settle(
        self,
        row: Row,
        outcome: Outcome,
        record: Record | Draft | None = None,
        attempts: int = 0,
        *,
        is_reserved: bool = False,
    ) -> None:
        """Record the outcome of a row and the number of attempts. `record` is None if the row never became one."""
        if isinstance(record, Record) and record.former_key is not None:
            outcome = _remembered_anew(outcome, record)
        is_kept = outcome.word in NEEDS_ORIGINAL and outcome.code not in _ONLY_COUNTED
        original = original_of(row) if is_kept else None
        dropped = record.row.dropped if record else ()
        key = record.key if record else _key_of(row, self._policy) if outcome.word in _NAMED else None
        self._ledger.settle(
            row.seq,
            row.position,
            outcome,
            key=key,
            former_key=record.former_key if record else None,
            attempts=attempts,
            original=original,
            is_reserved=is_reserved,
            dropped=tuple(one._replace(value=self._as_text(one.value)) for one in dropped),
        )
        if outcome.word is Word.REJECTED:
            self._rejected += 1
        if self._spec.is_at_most_once and outcome.gladly_id:
            self.made.append(outcome.gladly_id)
        self._check_error_budget()

    def _check_error_budget(self) -> None:
        # Compared with rows begun, not finished: bad rows end at once, while good rows before them are still in flight.
        rejected, begun = self._rejected, self._begun
        limit, percent = self._limits.max_errors, self._limits.max_errors_percent
        if limit is not None and rejected > limit:
            self._stop.drain(3, f"more than {limit} records were rejected")
        if percent is not None and begun >= 100 and rejected * 100 > begun * percent:
            self._stop.drain(3, f"more than {percent:g} % of the records were rejected")


def _key_of(row: Row, policy: Policy) -> str | None:
    """Return the source key of a row that never became a record, so that a later run recognises its reject."""
    if row.fields is None:
        return row.key
    if policy.key is None:
        own = row.fields.get("id")
        return own if isinstance(own, str) and own else None
    key = key_in(row, policy.key)
    return None if isinstance(key, Problem) else key.text


def _whole_text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value, default=str).decode()


def _remembered_anew(outcome: Outcome, record: Record) -> Outcome:
    """Make an unchanged record that is known by the former spelling of its key known by its key."""
    known = record.known
    if outcome.word is not Word.UNCHANGED or outcome.accepted is not None or known is None:
        return outcome
    return outcome._replace(accepted=known.accepted) if outcome.gladly_id == known.gladly_id else outcome
