"""Sends a record, one request after the other as its steps ask.

Before each request the journal gets what is needed after a crash. A write that can be looked up later (its id is
ours) has an *intent* on the disk before it is sent. Any other write *reserves* its key just before it is sent; after
a crash its outcome is unknown, and no other run sends it.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import anyio
import orjson

from bulkgladly.api.client import Client
from bulkgladly.errors import BulkgladlyError
from bulkgladly.gladly.spec import ImportSpec, Policy, Record, Steps
from bulkgladly.imports.step_choice import FreeSteps, StepChoice
from bulkgladly.journal.entries import Intent, Reservation, UndoneWrites
from bulkgladly.messages import Effect, NotedWrite, Repeat, Reply, Request
from bulkgladly.records import Known, Outcome, Word

__all__ = ("Delivery", "Pending", "Precautions")


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
    noted: list[NotedWrite] = field(default_factory=list[NotedWrite])
    """What its requests write, as the journal has it: what was carried out, or may have been, and what comes next."""
    last_write: int = 0
    """The number of its last write that was noted."""
    trail: list[tuple[Any, ...]] = field(default_factory=list[tuple[Any, ...]])
    """The replies so far, as the journal keeps them."""


class Precautions(Protocol):
    """What must be on the disk before a request leaves, so that nothing is sent twice. A `Ledger` writes it.

    All methods raise `DiskFull`, `JournalDamaged` or `JournalError`; the request must not leave then.
    """

    async def intend(self, intents: Sequence[Intent], writes: Sequence[NotedWrite] = ()) -> None:
        """Note that requests are about to leave whose repeat can be recognised, and what requests write."""
        ...

    def will_write(self, write: NotedWrite) -> None:
        """Note soon what a request is about to write."""
        ...

    def has_not_written(self, undone: UndoneWrites) -> None:
        """Remove soon what was noted of requests that changed nothing."""
        ...

    async def reserve(
        self, intent: Intent, reservation: Reservation, writes: Sequence[NotedWrite] = ()
    ) -> Known | None:
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
        last_write = record.written[-1].nth if record.written else 0
        return Pending(record, steps, request, sent_at=record.sent_at, last_write=last_write)

    async def intend(self, several: Sequence[Pending]) -> None:
        """Write the intents of those first requests that need one to the disk."""
        detected = [one for one in several if one.request.repeat is Repeat.DETECTED]
        if detected:
            _note_moment(several)
            intents = [_intent(one.record, one.request) for one in detected]
            await self._ledger.intend(
                intents, [write for one in detected for write in self._writes_of(one, one.request)]
            )

    async def withdraw(self, several: Sequence[Pending]) -> None:
        """Remove what the journal has of records that were not sent, except of those in doubt from before."""
        for one in several:
            self._remove_notes(one, one.noted)
        await self._take_back(several)

    async def _take_back(self, several: Sequence[Pending]) -> None:
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
        # The intents of first requests are on the disk already.
        request, tries, is_noted, may_be_done = pending.request, 0, pending.request.repeat is Repeat.DETECTED, False
        while True:
            if request.repeat is Repeat.UNSAFE:
                # As late as possible: after a crash the outcome of every reserved record is unknown.
                if not pending.is_reserved and (known := await self._reserve(pending, request)) is not None:
                    following = self._begin_again(pending, known)
                    if isinstance(following, Outcome):
                        return following, tries
                    request = following
                    continue
            elif not is_noted:
                await self._note(pending, request)
            reply = await self._send(pending, request, may_be_done=may_be_done)
            if request.repeat is Repeat.UNSAFE:
                reply = reply._replace(sent_at=pending.sent_at)
            tries += reply.attempts
            pending.trail.append(_step_of(request, reply))
            is_write, is_done = request.repeat is not Repeat.HARMLESS, reply.lost or reply.is_confirmed
            may_be_done |= is_write and bool(is_done)
            if request.effect is not None and not is_done:
                self._remove_notes(pending, pending.noted[-1:])
            try:
                request = pending.steps.send(reply)
            except StopIteration as end:
                return self._ended(pending, end.value), tries
            is_noted = False
            if is_write and not is_done:
                # Gladly created nothing, so a resume must not take an object that it finds for ours.
                await self._take_back([pending])

    async def _note(self, pending: Pending, request: Request) -> None:
        """Write to the journal what must be known of a request after a crash.

        What can be known no more once the request has left is on the disk before: that an object may be ours, what
        Gladly held before, and that an object was there which may be gone then.
        """
        writes = self._writes_of(pending, request)
        if request.repeat is Repeat.DETECTED:
            _note_moment([pending])
            await self._ledger.intend([_intent(pending.record, request)], writes)
        elif any(one.effect.before is not None or one.effect.action == "delete" for one in writes):
            await self._ledger.intend((), writes)
        else:
            for one in writes:
                self._ledger.will_write(one)

    def _writes_of(self, pending: Pending, request: Request) -> list[NotedWrite]:
        """Return what a request writes, numbered, for the journal; nothing if it only reads."""
        effect, seq = request.effect, pending.record.row.seq
        if effect is None:
            return []
        pending.last_write += 1
        write = NotedWrite(seq, pending.last_write, request.operation, effect)
        pending.noted.append(write)
        self._remove_notes(pending, [one for one in pending.record.written if _is_replaced(one.effect, effect)])
        return [write]

    def _remove_notes(self, pending: Pending, several: Sequence[NotedWrite]) -> None:
        """Remove what the journal has of requests that changed nothing."""
        if several:
            numbers = tuple(one.nth for one in several)
            self._ledger.has_not_written(UndoneWrites(pending.record.row.seq, numbers))
            pending.noted = [one for one in pending.noted if one.nth not in numbers]

    async def _send(self, pending: Pending, request: Request, *, may_be_done: bool) -> Reply:
        """Send a request; if nothing of the record can have been executed, remove what the journal has of it."""
        try:
            return await self._client.send(request)
        except BulkgladlyError as error:
            if request.effect is not None and not error.lost:
                self._remove_notes(pending, pending.noted[-1:])
            if not may_be_done and not error.lost:
                await self._take_back([pending])
            raise

    async def _reserve(self, pending: Pending, request: Request) -> Known | None:
        """Reserve the key of a record; return None if it can be sent, else what is known of the key."""
        _note_moment([pending])
        record = pending.record
        pending.is_reserved = True
        writes = self._writes_of(pending, request)
        reservation = Reservation(record.key, record.fingerprints)
        try:
            known = await self._ledger.reserve(_intent(record, request), reservation, writes)
        except anyio.get_cancelled_exc_class():
            # It was not sent, so nothing is in doubt.
            with anyio.CancelScope(shield=True):
                await self.withdraw([pending])
            raise
        pending.is_reserved = known is None
        if known is not None:
            pending.noted.clear()
        return known

    def _ended(self, pending: Pending, outcome: Outcome) -> Outcome:
        """Return the outcome, after what was noted fits it: an object that was updated was not created by the row."""
        if outcome.word is Word.UPDATED:
            noted = [*pending.record.written, *pending.noted]
            self._remove_notes(pending, [one for one in noted if one.effect.action == "create"])
        return outcome

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


def _step_of(request: Request, reply: Reply) -> tuple[Any, ...]:
    """Return a request and its reply as a trail keeps them: no values."""
    codes = [problem.code for problem in reply.problems]
    return request.operation, reply.status, codes, reply.attempts, round(time.time(), 3), reply.meaning.value


def _is_replaced(noted: Effect, effect: Effect) -> bool:
    """Tell whether a write takes the place of one that an earlier process has noted."""
    is_same = (noted.action, noted.gladly_id) == (effect.action, effect.gladly_id)
    return is_same and (effect.replaces_noted or noted.before is None)


def _note_moment(several: Sequence[Pending]) -> None:
    """Keep when a request may first have been sent, to tell what it created from what existed before."""
    now = time.time()
    for one in several:
        if one.sent_at is None:
            one.sent_at = now
