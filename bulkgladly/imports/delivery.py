"""Sending one record: request after request, as its steps ask, with what a crash must find noted before each.

What is noted depends on the request. A write that can be asked about later (its id is ours) has an *intent* on the
disk before it leaves. One that cannot is *reserved* under its key when its turn has come, so that what a crash
leaves of it ends as unknown, and is not sent by another run.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import anyio
import orjson

from bulkgladly.api.client import Client
from bulkgladly.errors import BulkgladlyError
from bulkgladly.gladly.spec import Policy, Record, ResourceSpec, Steps
from bulkgladly.journal.entries import Intent, Reservation
from bulkgladly.journal.ledger import Ledger
from bulkgladly.messages import Repeat, Reply, Request
from bulkgladly.records import Known, Outcome

__all__ = ("Delivery", "Pending")


@dataclass(slots=True)
class Pending:
    """A record that has begun: its steps stand at `request`, which has not been sent.

    The record is replaced where another run has just told something of its key.
    """

    record: Record
    steps: Steps
    request: Request
    is_reserved: bool = False
    """Its key stands in the state as one that may have been sent, on behalf of this run."""
    sent_at: float | None = None
    """When a request of it first may have left, of this process or an earlier one (our clock)."""


class Delivery:
    """Carries records out, any number at a time, each by one caller."""

    def __init__(self, spec: ResourceSpec, policy: Policy, ledger: Ledger, client: Client) -> None:
        self._spec, self._policy, self._ledger, self._client = spec, policy, ledger, client

    def started(self, record: Record) -> Pending | Outcome:
        """Start a record's steps; return it with its first request, or how it ends where it needs none."""
        steps = self._spec.steps(record, self._policy)
        try:
            request = next(steps)
        except StopIteration as end:
            outcome: Outcome = end.value
            return outcome
        return Pending(record, steps, request, sent_at=record.sent_at)

    async def intend(self, several: Sequence[Pending]) -> None:
        """Put the intents of first requests on the disk, of those that need one."""
        intents = [_intent(one.record, one.request) for one in several if one.request.repeat is Repeat.DETECTED]
        if intents:
            _note_moment(several)
            await self._ledger.intend(intents)

    async def withdraw(self, several: Sequence[Pending]) -> None:
        """Take back the intents and reservations of records that have not begun, but for those in doubt before."""
        mine = [one for one in several if not one.record.doubt]
        reserved = [one.record.key for one in mine if one.is_reserved]
        await self._ledger.withdraw([one.record.row.seq for one in mine], reserved=reserved)
        for one in mine:
            one.is_reserved = False

    async def carry_out(self, pending: Pending) -> tuple[Outcome, int]:
        """Send what the record's steps ask for, until they return the outcome; with the attempts it took.

        Raises:
            Withdrawn, Fatal, Outage: The record is in doubt only where something of it may have been executed.
        """
        request, tries, is_noted, may_be_done = pending.request, 0, True, False
        while True:
            if request.repeat is Repeat.UNSAFE:
                # Not before its turn: what a crash leaves of these has to end as unknown.
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
                # It made nothing, so after a crash nobody must take what is found for made by us.
                await self.withdraw([pending])

    async def _send(self, pending: Pending, request: Request, *, may_be_done: bool) -> Reply:
        """Send, and take back what was noted of the record where nothing of it can have been executed."""
        try:
            return await self._client.send(request)
        except BulkgladlyError as error:
            if not may_be_done and not error.lost:
                await self.withdraw([pending])
            raise

    async def _reserve(self, pending: Pending, request: Request) -> Known | None:
        """Reserve the key of a record before it leaves; None if it may, else what is known of the key."""
        _note_moment([pending])
        record = pending.record
        pending.is_reserved = True
        try:
            known = await self._ledger.reserve(_intent(record, request), Reservation(record.key, record.fingerprints))
        except anyio.get_cancelled_exc_class():
            # It did not leave, so nothing is in doubt.
            with anyio.CancelScope(shield=True):
                await self.withdraw([pending])
            raise
        pending.is_reserved = known is None
        return known

    def _begin_again(self, pending: Pending, known: Known) -> Request | Outcome:
        """Start the steps of a record again, of whose key another run has just told something."""
        pending.record = pending.record._replace(known=known)
        pending.steps = self._spec.steps(pending.record, self._policy)
        try:
            return next(pending.steps)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]


def _intent(record: Record, request: Request) -> Intent:
    gladly_id = record.id
    if record.former_id is not None and request.repeat is Repeat.DETECTED:
        # Its steps may have found it under its former id, and go on with that: the request says under which.
        gladly_id = orjson.loads(request.body or b"{}").get("id", gladly_id)
    return Intent(record.row.seq, gladly_id, request.operation)


def _note_moment(several: Sequence[Pending]) -> None:
    """Keep when a request first may have left, so that what it made can be told from what was there before."""
    now = time.time()
    for one in several:
        if one.sent_at is None:
            one.sent_at = now
