"""What Gladly holds, compared with what a row says: the verdict of one row. Pure.

Only a confirmed response is a verdict about the object. Whatever else comes back is `unreadable`.
"""

from typing import NamedTuple

from bulkgladly.gladly.change import Found, Held
from bulkgladly.gladly.owners import whole_lists, writable
from bulkgladly.gladly.proofs import FieldDifference, Proof
from bulkgladly.gladly.spec import Policy, Record
from bulkgladly.journal.verdicts import RowVerdict
from bulkgladly.messages import Reply
from bulkgladly.records import Mode, Outcome, Problem, Row

__all__ = ("Candidate", "not_sent", "owned_by_file", "unread_verdict", "verdict_of")

_ABSENT_STATUS = 404


class Candidate(NamedTuple):
    """A row to compare with Gladly: its record, and the id in Gladly that an import has noted, if any."""

    record: Record
    gladly_id: str | None = None


def verdict_of(
    candidate: Candidate, found: Found | Outcome, proof: Proof, policy: Policy, *, status: int | None = None
) -> RowVerdict:
    """Return the verdict of a row, given what a look has shown; `status` is that of the last response."""
    record = candidate.record
    if isinstance(found, Outcome):
        problem = Problem(found.code or "unreadable", found.detail or "the look-up failed")
        gladly_id = found.gladly_id or candidate.gladly_id
        return unread_verdict(record.row, record.key, problem, gladly_id=gladly_id, status=found.status)
    if found.held is None and found.reply is not None:
        return _unclear(record, found.gladly_id, found.reply)
    verdict = RowVerdict(record.row.seq, record.row.position, "equal", record.key, found.gladly_id, status=status)
    if policy.mode is Mode.DELETE:
        return _of_deletion(verdict, candidate, found, proof)
    if found.held is None:
        return verdict._replace(word="missing", code="not_exist", status=_ABSENT_STATUS)
    payload = owned_by_file(candidate, found, proof, policy)
    unverified = proof.unverifiable(payload)
    if payload and set(unverified) >= payload.keys() - set(proof.instructions):
        detail = f"Gladly does not show {', '.join(unverified)}, and the row has nothing else"
        return verdict._replace(word="unreadable", code="not_shown", detail=detail, unverified=unverified)
    whole = () if _only_fills(candidate, found, proof, policy) else whole_lists(policy.owners, payload)
    differing = proof.compare(found.held, payload, whole)
    word = "different" if differing else "equal"
    return verdict._replace(
        word="merged" if _is_merged(candidate, found, proof) else word,
        fields=differing,
        unverified=unverified,
    )


def owned_by_file(candidate: Candidate, found: Found, proof: Proof, policy: Policy) -> Held:
    """Return the part of a row that the file decides, and that Gladly should therefore hold.

    What another owner decides is no difference: with `--on-conflict merge`, a customer who existed before keeps what
    Gladly holds, and the row has only filled what was empty. Owners of single fields belong here as well.
    """
    held, payload = found.held or {}, candidate.record.payload
    mine = proof.gaps(held, payload) if _only_fills(candidate, found, proof, policy) else payload
    return writable(policy.owners, mine, held)


def _only_fills(candidate: Candidate, found: Found, proof: Proof, policy: Policy) -> bool:
    """Tell whether an import only fills what is empty, since the object was there before."""
    record = candidate.record
    is_other = found.gladly_id not in (record.id, record.former_id) and not _is_merged(candidate, found, proof)
    return policy.on_conflict == "merge" and is_other and not record.has_own_id


def not_sent(row: Row, code: str, detail: str, *, key: str | None = None) -> RowVerdict:
    """Return the verdict of a row that was not sent, or would not be: there is nothing to compare."""
    return RowVerdict(row.seq, row.position, "not_sent", key, code=code, detail=detail)


def unread_verdict(
    row: Row, key: str | None, problem: Problem, *, gladly_id: str | None = None, status: int | None = None
) -> RowVerdict:
    """Return the verdict of a row of which it cannot be told what Gladly holds."""
    return RowVerdict(
        row.seq, row.position, "unreadable", key, gladly_id, code=problem.code, status=status, detail=problem.detail
    )


def _unclear(record: Record, gladly_id: str, reply: Reply) -> RowVerdict:
    if not reply.status:
        problem = Problem("no_answer", f"no response in {reply.attempts} attempts")
    elif reply.is_refused:
        first = next(iter(reply.problems), None)
        detail = first.detail if first is not None and first.detail else "Gladly refused the request"
        problem = Problem(first.code if first is not None and first.code else f"http_{reply.status}", detail)
    elif reply.successor is not None:
        problem = Problem("unreadable", "the customer was merged into one that was merged again, too often")
    else:
        problem = Problem(f"http_{reply.status}", f"HTTP {reply.status} with a body that is not Gladly's")
    return unread_verdict(record.row, record.key, problem, gladly_id=gladly_id, status=reply.status or None)


def _of_deletion(verdict: RowVerdict, candidate: Candidate, found: Found, proof: Proof) -> RowVerdict:
    """Return the verdict of a row that deletes: equal if what it names is gone."""
    if found.held is None:
        # What removes a part of an object has done so if the object itself is gone.
        return verdict._replace(status=_ABSENT_STATUS)
    left: tuple[FieldDifference, ...] = proof.remains(found.held, candidate.record.payload)
    if not left:
        return verdict
    word = "merged" if _is_merged(candidate, found, proof) else "different"
    return verdict._replace(word=word, fields=left)


def _is_merged(candidate: Candidate, found: Found, proof: Proof) -> bool:
    """Tell whether a look by id has led to another object, into which the one of the row was merged."""
    record = candidate.record
    asked = (candidate.gladly_id,) if candidate.gladly_id else (record.id, record.former_id)
    return proof.is_merged and not found.is_searched and found.held is not None and found.gladly_id not in asked
