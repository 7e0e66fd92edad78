"""The rows of a verification: each with its id in Gladly, or with the reason why there is nothing to compare.

With a run, its journal says what became of each row. Without one, a row is what an import would make of it: rows that
it would reject are not sent, and ids come from the state, else from the row, else from its key.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path

import anyio.to_thread

from bulkgladly.api.client import Client
from bulkgladly.gladly.fields import Link
from bulkgladly.gladly.preparation import complete
from bulkgladly.gladly.spec import Draft, ImportSpec, Policy, ready
from bulkgladly.imports.drafts import Linker, Preparer, admission_of, outcome_of_clash
from bulkgladly.imports.row_names import fetch_directory
from bulkgladly.journal.entries import Admission, Clash, known_by
from bulkgladly.journal.run_outcomes import RunOutcome, RunOutcomes
from bulkgladly.journal.state_reader import StateReader
from bulkgladly.journal.verdicts import NOT_SAMPLED, RowVerdict, VerdictLog
from bulkgladly.records import Problem, Row, Word
from bulkgladly.verification.verify_compare import Candidate, not_sent, unread_verdict

__all__ = ("KnownKeys", "RowJudge", "Seen", "identity_of")

Seen = tuple[Row, Candidate | RowVerdict]
"""A row, and what is to be compared of it, or its verdict if that needs no request."""

_UNSENT = frozenset({Word.REJECTED, Word.SKIPPED})


class KnownKeys:
    """What earlier runs have left in the state, for reading. It writes nothing, and a missing state knows nothing."""

    def __init__(self, state: Path, spec: ImportSpec, policy: Policy) -> None:
        """Open the state if there is one.

        Raises:
            JournalDamaged: It cannot be read.
        """
        is_there = state.is_file()
        self._reader = StateReader(state, policy.host, spec.name, policy.namespace) if is_there else None

    async def known_in(self, host: str, resource: str, namespace: str, keys: Sequence[str]) -> dict[str, str]:
        """Return the ids of source keys of any object, as far as they are known; `host` is that of the state."""
        del host
        if self._reader is None:
            return {}
        return dict(await anyio.to_thread.run_sync(self._reader.ids, resource, namespace, keys))

    def ids_of(self, drafts: Iterable[Draft]) -> dict[int, str]:
        """Return the ids in Gladly of drafts whose key is known, by the number of the row."""
        if self._reader is None:
            return {}
        drafts = list(drafts)
        known = self._reader.known([key for one in drafts for key in (one.key, one.former_key) if key is not None])
        found = {one.row.seq: known_by(known, one.key, one.former_key) for one in drafts}
        return {seq: one.gladly_id for seq, one in found.items() if one is not None and one.gladly_id}

    def close(self) -> None:
        """Close the state."""
        if self._reader is not None:
            self._reader.close()


class RowJudge:
    """Makes candidates of rows, one batch after the other and in input order.

    Names in rows are looked up in the lists of the organisation, each of which is fetched once, when it is needed.
    """

    def __init__(
        self,
        spec: ImportSpec,
        policy: Policy,
        *,
        ignore: Sequence[str],
        names: Sequence[str],
        client: Client,
        log: VerdictLog,
        state: Path,
        outcomes: RunOutcomes | None,
        is_chosen: Callable[[str], bool] = lambda _: True,
    ) -> None:
        """`names` are the input files, by number; `outcomes` those of the run that is verified.

        `is_chosen` tells whether an object belongs to a sample, by its id or key.
        """
        self._is_chosen = is_chosen
        self._spec, self._policy, self._names = spec, policy, names
        self._client, self._log, self._outcomes = client, log, outcomes
        self._preparer = Preparer(spec, policy, ignore)
        self._keys = KnownKeys(state, spec, policy)
        self._linker = Linker(spec, policy, self._keys)
        self._fetched: set[str] = set()

    def close(self) -> None:
        """Close the state."""
        self._keys.close()

    async def judged(self, rows: Sequence[Row], *, moves_mark: bool) -> list[Seen]:
        """Return what is to be compared of rows that have no verdict yet; all are admitted to the journal.

        Without `moves_mark` it returns all rows, since only the end of the input shows which of them are looked at.
        """
        ends = await self._ends_of(rows)
        wanted = {row.seq for row in rows if not moves_mark or self._log.wants(row.seq)}
        items = await anyio.to_thread.run_sync(self._drafts_of, rows, ends, wanted)
        linked = await self._linked(items, ends)
        admissions = [self._admission_of(row, linked[row.seq]) for row in rows]
        clashes = await self._log.admit(admissions, moves_mark=moves_mark)
        drafts = [one for one in linked.values() if isinstance(one, Draft)]
        known = {} if self._outcomes is not None else await anyio.to_thread.run_sync(self._keys.ids_of, drafts)
        return [
            (row, self._seen(row, linked[row.seq], ends.get(row.seq), clashes.get(row.seq), known.get(row.seq)))
            for row in rows
            if row.seq in wanted
        ]

    async def _ends_of(self, rows: Sequence[Row]) -> Mapping[int, RunOutcome]:
        if self._outcomes is None or not rows:
            return {}
        return await anyio.to_thread.run_sync(self._outcomes.between, rows[0].seq, rows[-1].seq)

    def _drafts_of(
        self, rows: Sequence[Row], ends: Mapping[int, RunOutcome], wanted: Collection[int]
    ) -> dict[int, Draft | Problem | None]:
        """Return the drafts of the rows that matter; None for those that are settled or that a run has not sent."""
        is_all = self._spec.arrange is not None  # a row may name another one of the input, whatever became of that
        found: dict[int, Draft | Problem | None] = {}
        for row in rows:
            end = ends.get(row.seq)
            is_sent = self._outcomes is None or (end is not None and end.word not in _UNSENT and self._is_in(row, end))
            found[row.seq] = self._preparer.draft_of(row) if is_all or (is_sent and row.seq in wanted) else None
        return found

    async def _linked(
        self, items: Mapping[int, Draft | Problem | None], ends: Mapping[int, RunOutcome]
    ) -> dict[int, Draft | Problem | None]:
        """Return the items with ids in place of names and keys."""
        await self._learn_names(one for one in items.values() if isinstance(one, Draft))
        linked = dict(zip(items, await self._linker.link(list(items.values())), strict=True))
        if not any(isinstance(one, Draft) and one.links for one in linked.values()):
            return linked
        # What is left are links to other rows of this input, whose ids an import would know by now.
        drafts = [one for one in linked.values() if isinstance(one, Draft)]
        known = self._keys.ids_of(drafts) if self._outcomes is None else {}
        known |= {seq: end.gladly_id for seq, end in ends.items() if end.gladly_id}
        ids = {(self._spec.name, one.key): known.get(one.row.seq, one.id) for one in drafts}
        directory = self._linker.directory
        return {
            seq: complete(one, self._spec, directory, ids, is_last=True) if isinstance(one, Draft) else one
            for seq, one in linked.items()
        }

    async def _learn_names(self, drafts: Iterable[Draft]) -> None:
        kinds = {link.kind if not link.is_key else "topic" for one in drafts for link in one.links if _is_named(link)}
        if new := kinds - self._fetched:
            self._fetched |= new
            self._linker.directory = await fetch_directory(self._client, sorted(self._fetched))

    def _admission_of(self, row: Row, item: Draft | Problem | None) -> Admission:
        if self._outcomes is not None:
            return Admission(row.seq, row.position)  # the run has decided already which of two equal rows counts
        return admission_of(row, item)

    def _seen(
        self, row: Row, item: Draft | Problem | None, end: RunOutcome | None, clash: Clash | None, known: str | None
    ) -> Candidate | RowVerdict:
        if self._outcomes is not None and (end is None or end.word in _UNSENT):
            code, detail = _said(end) if end is not None else ("unprocessed", "the run has not reached this row")
            return not_sent(row, code, detail, key=row.key)
        if end is not None and not self._is_in(row, end):
            return RowVerdict(row.seq, row.position, NOT_SAMPLED)
        if not isinstance(item, Draft):
            problem = item or Problem("unreadable", "the row could not be read")
            if end is None:
                return not_sent(row, problem.code, problem.detail, key=row.key)
            return unread_verdict(row, row.key, problem, gladly_id=end.gladly_id)
        if end is not None:
            return Candidate(ready(item), end.gladly_id)
        if clash is not None and (outcome := outcome_of_clash(clash, self._policy, self._names)) is not None:
            return not_sent(row, outcome.code or outcome.word, outcome.detail or "", key=item.key)
        if not self._is_chosen(item.key):
            return RowVerdict(row.seq, row.position, NOT_SAMPLED)
        return Candidate(ready(item), known)

    def _is_in(self, row: Row, end: RunOutcome) -> bool:
        return self._is_chosen(identity_of(row, end.gladly_id))


def identity_of(row: Row, gladly_id: str | None) -> str:
    """Return what a row of a run is chosen by for a sample: the object that it is about."""
    return gladly_id or f"row {row.seq}"


def _said(end: RunOutcome) -> tuple[str, str]:
    return end.code or end.word, end.detail or f"the run has {end.word} this row"


def _is_named(link: Link) -> bool:
    """Tell whether a link needs a list of names; a topic may be named by its path if its key is not known."""
    return not link.is_key or link.or_name is not None
