"""Plans one record: by memory alone, or by reading all that a write would meet. Pure generators and functions."""

from collections import Counter
from collections.abc import Generator

from bulkgladly.gladly.change import Action, Change
from bulkgladly.gladly.spec import Deciding, ImportSpec, Policy, Record
from bulkgladly.messages import Reply, Request
from bulkgladly.plans.plan_costs import costs_of, open_costs
from bulkgladly.plans.planned_changes import OPEN, PlannedChange, fields_of, memory_of
from bulkgladly.records import Outcome, Word

__all__ = ("Planning", "RecordPlanner")

Planning = Generator[Request, Reply, PlannedChange]
"""Plans a record: yields requests that only read, is sent replies, and returns what is planned."""


class RecordPlanner:
    """Plans the records of one object in one mode, with the steps by which an import would decide."""

    def __init__(self, spec: ImportSpec, policy: Policy) -> None:
        self._spec, self._policy = spec, policy

    def by_memory(self, record: Record) -> PlannedChange:
        """Return what is planned for a record without a request; it stays open where only a request can tell."""
        deciding = self._spec.decide(record, self._policy)
        try:
            first = next(deciding)
        except StopIteration as end:
            return self._planned(record, _with_held(record, end.value), Counter(), is_seen=False)
        deciding.close()
        return self.left_open(record, "only a request can tell", first=first.operation)

    def by_look(self, record: Record) -> Planning:
        """Return what is planned for a record once all is read that a write would meet or write over."""
        reads: Counter[str] = Counter()
        change = yield from _counted(self._spec.foresee(record, self._policy), reads)
        planned = self._planned(record, change, reads, is_seen=True)
        if planned.action not in (Action.UPDATE, Action.DELETE):
            return planned
        return planned._replace(costs_if_open=open_costs(self._spec, record, self._policy, first=None))

    def left_open(self, record: Record, why: str, *, first: str | None = None) -> PlannedChange:
        """Return a record that is decided when it is applied, as an import would."""
        return PlannedChange(
            record.row.seq,
            record.row.position,
            OPEN,
            Word.UNCHANGED,
            record.key,
            record.known.gladly_id or None if record.known is not None else None,
            costs=open_costs(self._spec, record, self._policy, first=first),
            memory=memory_of(record.known, record.former_key),
            reason=why,
        )

    def _planned(self, record: Record, change: Change, reads: Counter[str], *, is_seen: bool) -> PlannedChange:
        if change.action is Action.CREATE:
            # Below a customer that was merged, the object is created below the survivor.
            record = record._replace(payload=change.after)
        end = change.end
        return PlannedChange(
            record.row.seq,
            record.row.position,
            change.action,
            change.word if end is None else end.word,
            record.key,
            change.id,
            costs=costs_of(self._spec, record, self._policy, change, reads=reads, is_seen=is_seen),
            fields=fields_of(change),
            memory=memory_of(record.known, record.former_key),
            reason=None if end is None else end.detail,
            code=None if end is None else end.code,
            attr=None if end is None else end.attr,
            stage=None if end is None else end.stage,
            status=None if end is None else end.status,
            is_remembered=record.known is not None and end is not None and _is_as_accepted(end),
        )


def _with_held(record: Record, change: Change) -> Change:
    """Return a change with what a data set says that Gladly holds, if nobody has read it."""
    held = None if record.known is None else record.known.held
    return change._replace(before=held) if change.before is None and held is not None else change


def _is_as_accepted(end: Outcome) -> bool:
    # What a look has shown is remembered by the apply; what memory itself says has nothing to add to it.
    return end.word is Word.UNCHANGED and end.accepted is None


def _counted(deciding: Deciding, reads: Counter[str]) -> Deciding:
    """Decide, and count the requests by operation."""
    try:
        request = next(deciding)
        while True:
            reads[request.operation] += 1
            reply = yield request
            request = deciding.send(reply)
    except StopIteration as end:
        change: Change = end.value
        return change
