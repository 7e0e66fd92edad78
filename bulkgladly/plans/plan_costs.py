"""How many requests an apply takes for a record, the fewest and the most, by operation. Pure.

What Gladly or the network do on top is not in it: repeats after a lost response, a second merge of the same
customer, and the request by which the client makes sure, once a minute at most, that an absence is Gladly's word.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from bulkgladly.gladly.change import Action, Change
from bulkgladly.gladly.spec import ImportSpec, Policy, Record, Steps
from bulkgladly.imports.forecast import label_of
from bulkgladly.messages import Meaning, Reply
from bulkgladly.plans.planned_changes import Costs
from bulkgladly.records import Mode

__all__ = ("costs_of", "open_costs")

_LOOKS = 2
"""Of a record that is known: a look, and one more if the customer was merged."""
_LOOKS_OF_UNKNOWN = 4
"""Of another: its id may be looked up, and then the object that holds one of its addresses; each may be merged."""
_DONE = Reply(200, meaning=Meaning.CONFIRMED, content={})


def costs_of(
    spec: ImportSpec, record: Record, policy: Policy, change: Change, *, reads: Mapping[str, int], is_seen: bool
) -> Costs:
    """Return what a decided change takes. `reads` are the requests with which it was decided, by operation.

    If it `is_seen`, a look has shown what it meets, so that both numbers are equal. Otherwise an update or deletion
    may end after its look.
    """
    if change.end is not None:
        return {}
    procedure = spec.procedures[policy.mode]
    if procedure.look is None:
        return _of_one_sided(spec, record, policy, change, reads)
    if change.action is Action.CREATE:
        first, *more = _writes(spec.apply(record, policy, change))
        return {first: (1, 1), **{name: (int(is_seen), 1) for name in more}}
    look = next(procedure.look(record, change.id or record.id)).operation
    [write] = _writes(spec.apply(record, policy, change))[:1]
    return {look: (1, 1), write: (int(is_seen), 1)}


def _of_one_sided(spec: ImportSpec, record: Record, policy: Policy, change: Change, reads: Mapping[str, int]) -> Costs:
    """Return the same for an object whose steps decide again, before they write, with the same reads."""
    found = {name: (number, number) for name, number in reads.items()}
    most = max(1, spec.requests_per_record[policy.mode][1] - sum(reads.values()))
    if change.action is Action.CREATE and spec.is_at_most_once:
        most = 1
    for first in _writes(spec.apply(record, policy, change))[:1]:
        low, high = found.get(first, (0, 0))
        found[first] = (low + 1, high + most)
        if most > 1:
            # What follows the first write depends on its reply.
            others = {name: found.get(name, (0, 0)) for name in spec.operations if name != first}
            found |= {name: (low, high + most - 1) for name, (low, high) in others.items()}
    return found


def _writes(steps: Steps) -> list[str]:
    """Return the operations with which steps write if all goes well; two at most."""
    found: list[str] = []
    try:
        request = next(steps)
        found.append(request.operation)
        if request.operation.startswith("create"):
            found.append(steps.send(_DONE).operation)
    except StopIteration:
        pass
    finally:
        steps.close()
    return found


def open_costs(spec: ImportSpec, record: Record, policy: Policy, *, first: str | None) -> Costs:
    """Return what a record takes that is decided when it is applied.

    `first` is the operation of its first request; None if it may need none.
    """
    most = spec.requests_per_record[policy.mode][1]
    if spec.procedures[policy.mode].look is None:
        return {name: (int(name == first), most) for name in _with(first, spec.operations)}
    is_known = record.known is not None and first is not None and record.former_id is None
    looks = _LOOKS if is_known else _LOOKS_OF_UNKNOWN
    found: Counter[str] = Counter()
    for name in _with(first, spec.operations):
        match label_of(name):
            case "to create" | "to send":
                found[name] = int(policy.mode in (Mode.CREATE, Mode.UPSERT) and not is_known)
            case "to delete":
                found[name] = int(policy.mode is Mode.DELETE)
            case "to update" if policy.mode is not Mode.DELETE:
                # Written without a look, one that was merged takes a second update.
                found[name] = 1 + int(record.known is not None and first in (None, name))
            case _ if name.startswith("find"):
                found[name] = 0 if is_known else _searches(record.payload)
            case _:
                found[name] = looks
    return {name: (int(name == first), number) for name, number in found.items() if number}


def _with(first: str | None, names: tuple[str, ...]) -> tuple[str, ...]:
    return names if first is None or first in names else (*names, first)


def _searches(payload: Mapping[str, Any]) -> int:
    # An address that is not ASCII may be searched for in two spellings.
    return 2 * len(payload.get("emails") or ()) + len(payload.get("phones") or ())
