"""The steps of a record whose create takes no id from the client: it is sent at most once. Pure generators.

Before the request is sent, its key is reserved on the disk, for all runs. After a lost response
and after a crash, the record is looked for if the API lists such objects. A record that is found
counts as created. One that is not found proves nothing, because the list may lag behind: it ends
as `unknown` and is not sent again, in this run or a later one with the same source key, unless a
person has looked and confirms it (`retry --sent-nothing`). Facts: gladly-api, README, "Retry safety".
"""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any

from bulkgladly.gladly.change import Change, creating
from bulkgladly.gladly.decisions import changed_since, create_of, ended
from bulkgladly.gladly.outcomes import refused
from bulkgladly.gladly.spec import Deciding, Policy, Procedure, Record, Steps
from bulkgladly.messages import GET_ORGANIZATION, Reply, Request
from bulkgladly.records import Outcome, Problem, Stage, Word
from bulkgladly.times import time_of

__all__ = ("CLOCK_SKEW_S", "OnceSteps", "Sending", "Trace", "id_in_location", "is_ours")

CLOCK_SKEW_S = 300.0
"""How much Gladly's clock and ours may differ. What is older than the request by more than this is not ours."""


@dataclass(frozen=True, slots=True)
class Trace:
    """What looking for a record showed: its id. None proves nothing: the list may be cut, or lag behind."""

    gladly_id: str | None = None


@dataclass(frozen=True, slots=True)
class Sending:
    """How one kind of record is sent, and how to find out whether it was.

    `object` is the name of the import, `noun` is for messages. `made` reads the id of the new
    object from the reply. `look` looks for it; None if the API does not list such objects.
    `parent` is what does not exist if the response is a 404.
    """

    object: str
    noun: str
    request: Callable[[Record], Request]
    made: Callable[[Reply], str | None]
    look: Callable[[Record], Generator[Request, Reply, Trace]] | None = None
    parent: str | None = None


class OnceSteps:
    """Decides on and sends one kind of record."""

    def __init__(self, sending: Sending) -> None:
        self._at = sending

    @property
    def procedure(self) -> Procedure:
        """The two steps of a create, which is the only mode."""
        return Procedure(self.decide, self.apply)

    def decide(self, record: Record, _policy: Policy) -> Deciding:
        """Return a create, unless the record was sent before or may have been."""
        name = self._at.object
        if record.known is not None and (record.known.gladly_id or not record.doubt):
            return ended(name, record, self._as_known(record))
        if record.doubt:
            trace = yield from self._look(record)
            is_found = trace.gladly_id is not None
            end = self._created(record, trace.gladly_id) if is_found else self._unsettled(record, None)
            return ended(name, record, end)
        return create_of(name, record)._replace(id=None)

    def apply(self, record: Record, policy: Policy, change: Change) -> Steps:
        """Send the record once.

        The change may have been decided long before, so it is dropped if the record is known or
        in doubt by now. The key is not reserved here: the caller does that before it sends the
        request, which is marked as unsafe to repeat.
        """
        if record.known is not None or record.doubt:
            change = yield from self.decide(record, policy)
        if change.end is not None:
            return change.end
        reply = yield creating(self._at.request(record), None, record.payload)
        if reply.is_confirmed:
            return self._created(record, self._at.made(reply), status=reply.status)
        if not reply.is_unclear:
            return self._refused(reply)
        if self._at.look is None:
            # During an outage every further record would end like this one. Any harmless request makes the
            # client wait until the host responds again.
            yield GET_ORGANIZATION
        trace = yield from self._look(record if reply.sent_at is None else record._replace(sent_at=reply.sent_at))
        if trace.gladly_id is not None:
            return self._created(record, trace.gladly_id)
        # The list was read at once and may lag behind, so a missing record proves nothing.
        return self._unsettled(record, reply)

    def _look(self, record: Record) -> Generator[Request, Reply, Trace]:
        return (yield from self._at.look(record)) if self._at.look is not None else Trace()

    def _as_known(self, record: Record) -> Outcome:
        known = record.known
        if known is None or not known.gladly_id:
            by = known.held_by if known is not None else ""
            detail = (
                f"run {by} may have sent this {self._at.noun}; check in Gladly, and if it was not sent, run "
                f"`bulkgladly retry {by} --sent-nothing`"
                if by
                else f"an earlier run may have sent this {self._at.noun}; check in Gladly, and if it was not sent, "
                "`retry` this run with --sent-nothing"
            )
            return self._unsettled(record, None)._replace(detail=detail)
        if not changed_since(record, known):
            # If in doubt, this run has sent it: the state is committed before the journal.
            return Outcome(Word.CREATED if record.doubt else Word.UNCHANGED, gladly_id=known.gladly_id)
        detail = (
            f"another {self._at.noun} was sent with this source key, and cannot be changed; give the row its own key"
        )
        problem = Problem("taken", detail, "key", Stage.CONFLICT)
        return Outcome.rejected(problem, gladly_id=known.gladly_id)

    def _created(self, record: Record, gladly_id: str | None, *, status: int | None = None) -> Outcome:
        return Outcome(Word.CREATED, gladly_id=gladly_id, status=status, accepted=record.fingerprints)

    def _unsettled(self, record: Record, reply: Reply | None) -> Outcome:
        return Outcome(
            Word.UNKNOWN,
            stage=Stage.API,
            status=(reply.status or None) if reply is not None else None,
            code="unsettled",
            detail=(
                f"the {self._at.noun} may have been sent, and is not sent again; check in Gladly, and if it was not "
                "sent, `retry` this run with --sent-nothing"
            ),
            accepted=record.fingerprints,
        )

    def _refused(self, reply: Reply) -> Outcome:
        if reply.is_absent and self._at.parent is not None:
            problem = Problem("not_exist", f"Gladly has no such {self._at.parent}", None, Stage.API)
            return Outcome.rejected(problem, status=reply.status)
        return refused(reply, None)


def id_in_location(reply: Reply) -> str | None:
    """Return the id at the end of a reply's `Location`, which most creates return."""
    return reply.headers.get("location", "").rstrip("/").rpartition("/")[2] or None


def is_ours(record: Record, made: Mapping[str, Any], moment: object) -> bool:
    """Tell whether a listed object can come from this record: it is young enough, and not another record's."""
    at, identity = time_of(moment), made.get("id")
    if at is None or not isinstance(identity, str) or record.sent_at is None:
        return False
    return at.timestamp() >= record.sent_at - CLOCK_SKEW_S and identity not in record.rivals
