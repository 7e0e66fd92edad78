"""What Gladly holds of an object now, compared with what its record says: one request, and one more for each merge."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

from bulkgladly.api.client import Client
from bulkgladly.explanations.explain_words import ToldField, fields_of
from bulkgladly.gladly.change import Action, Change, Found, lacking
from bulkgladly.gladly.spec import Draft, ImportSpec, Policy, Record
from bulkgladly.messages import Reply, Request
from bulkgladly.records import Mode, Position, Row, Word
from bulkgladly.runs.connection import Connection
from bulkgladly.runs.environment import Environment
from bulkgladly.runs.stages import telling_if_slow
from bulkgladly.settings import Credentials, Limits, Pace
from bulkgladly.verification.verify_compare import Candidate, verdict_of

__all__ = ("HeldNow", "Wanted", "hold_now", "wanted_of")

_MOST_REQUESTS = 6
"""The object, and five merges."""
_PATIENCE_S = 10.0
_SLOW_S = 2.0
_NO_REPLY = "Gladly's response could not be used"


class Wanted(NamedTuple):
    """What a record says: its payload, and the fields of it that can be compared. `row` is where it comes from.

    `draft` is the record as it was made of the row; None if only what was written is known.
    """

    payload: Mapping[str, Any]
    row: Row
    draft: Draft | None = None


@dataclass(frozen=True, slots=True)
class HeldNow:
    """What a look at an object showed.

    `state` is equal, differs, present (there is nothing to compare with), absent, or unclear. `gladly_id` is another
    than was asked for if the customer was merged.
    """

    state: str
    gladly_id: str
    differences: Sequence[ToldField] = ()
    detail: str = ""


def wanted_of(draft: Draft | None, written: Sequence[Mapping[str, Any]], position: Position) -> Wanted | None:
    """Return what can be compared with Gladly: what the row says, else what was written; None if neither is known.

    Names and keys in the row stand for ids that are not known here, so these fields are taken from what was written.
    """
    after = {name: value for one in written for name, value in one.items() if name != "id"}
    if draft is None:
        return Wanted(after, Row(position, {})) if after else None
    linked = {link.place.partition(".")[0] for link in draft.links}
    payload = {name: value for name, value in draft.payload.items() if name not in linked}
    payload |= {name: after[name] for name in linked if name in after}
    return Wanted(payload, draft.row, draft)


async def hold_now(
    spec: ImportSpec,
    policy: Policy,
    gladly_id: str,
    wanted: Wanted | None,
    credentials: Credentials,
    environment: Environment,
    *,
    tell: Callable[[str], None] = lambda _: None,
) -> HeldNow:
    """Request an object, and compare it with what its record says.

    If the host does not reply soon, `tell` gets a line for people that says how long it will be tried.

    Raises:
        BulkgladlyError: Gladly cannot be asked; the message says why.
    """
    record = _record(gladly_id, wanted)
    patient = replace(environment, first_contact_s=min(_PATIENCE_S, environment.first_contact_s))
    limits = Limits(give_up_after_s=_PATIENCE_S)

    async def asked(client: Client) -> HeldNow:
        if wanted is not None and Mode.UPSERT in spec.procedures and policy.mode is not Mode.DELETE:
            change = await _decided(client, spec, record, replace(policy, mode=Mode.UPSERT))
            if change is not None:
                return _compared(spec, policy, change, wanted, gladly_id)
        return await _requested(client, spec, record, wanted)

    async with Connection(credentials, Pace(), limits, patient).client as client:
        return await telling_if_slow(
            partial(asked, client),
            partial(tell, f"no reply from {credentials.host} yet; trying for {patient.first_contact_s:g} s"),
            after_s=_SLOW_S,
            sleep=environment.sleep,
        )


def _record(gladly_id: str, wanted: Wanted | None) -> Record:
    """Return a record that nothing is known of, and that may have been sent: such a one is looked up by its id."""
    payload, row, _ = wanted or Wanted({}, Row(Position(0, 0, 0), {}))
    return Record(row, "", gladly_id, True, payload, dict.fromkeys(payload, ""), (), (), None, None, doubt=True)


async def _decided(client: Client, spec: ImportSpec, record: Record, policy: Policy) -> Change | None:
    """Let the object's own steps look and compare, as a run would; None if they do not look at all."""
    steps = spec.decide(record, policy)
    try:
        request: Request = next(steps)
        for _ in range(_MOST_REQUESTS):
            request = steps.send(await client.send(request))
    except StopIteration as end:
        change: Change = end.value
        has_looked = change.before is not None or change.end is not None or change.action is Action.CREATE
        return change if has_looked else None
    return None


def _compared(spec: ImportSpec, policy: Policy, change: Change, wanted: Wanted, gladly_id: str) -> HeldNow:
    found_id, held, end = change.id or gladly_id, change.before, change.end
    if held is None:
        is_unclear = end is not None and end.word is Word.UNKNOWN
        return HeldNow("unclear" if is_unclear else "absent", found_id, detail=_NO_REPLY if is_unclear else "")
    if spec.proof is not None and wanted.draft is not None:
        # As `verify` compares it: what Gladly or nobody decides is no difference, and lists are told entry by entry.
        draft = wanted.draft
        record = _record(gladly_id, wanted)._replace(
            id=draft.id, former_id=draft.former_id, has_own_id=draft.has_own_id
        )
        verdict = verdict_of(Candidate(record, gladly_id), Found(found_id, held), spec.proof, policy)
        if verdict.word != "unreadable":
            parts = [ToldField(one, has, expected) for one, expected, has in verdict.fields]
            return HeldNow("differs" if parts else "equal", found_id, parts)
    differing = {name: wanted.payload.get(name, value) for name, value in change.after.items()}
    told = [one for one in fields_of(held, differing) if one.field.partition(".")[0] in change.after]
    return HeldNow("differs" if change.after else "equal", found_id, told)


async def _requested(client: Client, spec: ImportSpec, record: Record, wanted: Wanted | None) -> HeldNow:
    """Request an object whose steps do not look at it."""
    if spec.fetch is None:
        return HeldNow("unclear", record.id, detail=f"{spec.name} cannot be requested by their id")
    gladly_id = record.id
    for _ in range(_MOST_REQUESTS):
        try:
            reply: Reply = await client.send(spec.fetch(record, gladly_id))
        except KeyError:
            return HeldNow("unclear", record.id, detail=f"{spec.name} cannot be requested without their row")
        if (held := reply.object) is not None:
            if wanted is None or not wanted.payload:
                return HeldNow("present", gladly_id)
            missing = lacking(held, wanted.payload, [name for name in wanted.payload if name in held])
            return HeldNow("differs" if missing else "equal", gladly_id, list(fields_of(held, missing)))
        if reply.is_absent:
            return HeldNow("absent", gladly_id)
        if reply.successor is None:
            break
        gladly_id = reply.successor
    return HeldNow("unclear", gladly_id, detail=_NO_REPLY)
