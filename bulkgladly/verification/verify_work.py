"""The work of a verification, as the engine of runs drives it: rows are read, looked up in Gladly, and compared."""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import PurePath
from typing import Any

import anyio.to_thread

from bulkgladly.errors import BodyTooLong, BulkgladlyError, InputChanged, Withdrawn
from bulkgladly.files.inputs import Inputs
from bulkgladly.gladly.change import Found
from bulkgladly.gladly.proofs import Proof
from bulkgladly.gladly.spec import ImportSpec, Policy
from bulkgladly.imports.drafts import refuse_too_many
from bulkgladly.journal.run_outcomes import RunOutcomes
from bulkgladly.journal.verdicts import RowVerdict, VerdictLog, verdicts_of
from bulkgladly.records import Problem, Row
from bulkgladly.runs.observer import Estimate, counted
from bulkgladly.runs.session import Progress, Session
from bulkgladly.runs.shared_replies import Looker
from bulkgladly.runs.stages import Feed
from bulkgladly.verification.verify_compare import Candidate, unread_verdict, verdict_of
from bulkgladly.verification.verify_forget import forget_differences
from bulkgladly.verification.verify_inputs import uncompared_columns
from bulkgladly.verification.verify_options import VerifyOptions, sample_size
from bulkgladly.verification.verify_rows import RowJudge, identity_of
from bulkgladly.verification.verify_sample import RowReservoir, is_in_share
from bulkgladly.verification.verify_summary import VerifyClosing, VerifyReport, publish_verdicts

__all__ = ("VerifyWork",)

_WELL = (None, 10)
"""The ends of a run after which its files should be as they were."""
_REASONS_TOLD = 5
_PER_SEARCHED = 3
"""Requests for a customer that is neither known nor has its derived id: by id, by address, and by the id found."""
_SUPERSEDED = "a later row about the same object has overwritten this one; that row was compared"


class VerifyWork:
    """Compares the rows of input files with what Gladly holds. It writes its own journal, and no other file.

    Only `forget` also changes what is remembered between runs. Chapters: reading, looking and comparing, progress
    and end.
    """

    def __init__(
        self,
        session: Session,
        spec: ImportSpec,
        proof: Proof,
        policy: Policy,
        options: VerifyOptions,
        *,
        inputs: Inputs,
        digests: Sequence[str],
        outcomes: RunOutcomes | None,
        expected: int | None = None,
    ) -> None:
        """`digests` are the hashes of the inputs, by number; `expected` is how many rows a run has sent."""
        self._session, self._spec, self._proof, self._policy = session, spec, proof, policy
        self._options, self._inputs, self._digests = options, inputs, digests
        self._observer, self._stop = session.observer, session.stop
        self._outcomes, self._expected = outcomes, expected
        self.rows, self.rows_exact = inputs.estimate_rows()
        self.journal = VerdictLog(session.run.path, vitals=session.connection.vitals)
        self._done_before = sum(self.journal.counts.values())
        size, salt = sample_size(options.sample), session.run.name
        self._reservoir: RowReservoir[Candidate] | None = None
        if size is not None and size.rows is not None:
            self._reservoir = RowReservoir(size.rows, salt)
        self._share = size.share if size is not None else None
        self._judge = RowJudge(
            spec,
            policy,
            ignore=options.of_import().ignore_columns,
            names=inputs.names,
            client=session.client,
            log=self.journal,
            state=session.run.state_dir / "state.sqlite",
            outcomes=outcomes,
            is_chosen=(lambda _: True) if self._share is None else partial(is_in_share, self._share, salt),
        )
        self._looker = Looker(session.client, proof.shared)
        self._feed: Feed[Candidate] = Feed(2 * self.workers)
        self._read_rows: int | None = None
        """How many rows the input has, once it was read to its end."""
        self._chosen = 0
        self._differing: Counter[str] = Counter()
        """In how many rows of this session each field differs."""
        names = [PurePath(name).name for name in inputs.names]
        more = f" and {counted(len(names) - 1, 'more file')}" if len(names) > 1 else ""
        self._subject = f"{names[0]}{more} compared with {session.connection.host}" if names else session.run.name

    @property
    def workers(self) -> int:
        """How many rows are looked up at once."""
        return self._session.connection.concurrency

    async def begin(self) -> None:
        """Announce how long the verification takes, and what of the object cannot be verified."""
        estimate = self._estimate()
        part = "pass --sample {} to compare a part" if not self._options.sample and not self._done_before else ""
        warning = self._session.deadline.judge(estimate, part=part)
        self._observer.started(self._session.run.name, estimate, resumed_from=self._done_before)
        if warning is not None:
            self._observer.note(warning)
        columns = await anyio.to_thread.run_sync(uncompared_columns, self._spec, self._proof, self._inputs)
        if columns:
            self._observer.note(f"not compared, because Gladly sets it itself or never shows it: {', '.join(columns)}")

    def _estimate(self) -> Estimate:
        rows = self.rows if self._expected is None else self._expected
        size = sample_size(self._options.sample)
        if size is not None:
            rows = min(rows, size.rows) if size.rows is not None else round(rows * (size.share or 0))
        rows = max(0, rows - self._done_before)
        low, high = rows, rows * (_PER_SEARCHED if self._proof.is_merged and self._outcomes is None else 1)
        if self._proof.is_listed and rows:
            low = high = 1
        is_exact = self.rows_exact or self._expected is not None
        pace = self._session.steering.foreseen()
        return Estimate(rows, is_exact, low, high, pace.usual, pace=pace, is_about=self._proof.is_merged).of_run()

    # --- reading ---

    async def read(self) -> None:
        """Read the rows, settle those that need no request, and pass the others on.

        Raises:
            UsageError: Another organisation answers at the host than the one that is meant.
        """
        self._options.check_organisation(self._session.organisation, self._session.connection.host)
        bounds = self._session.bounds
        size = bounds.rows_at_once * 4 if self._options.pace.unlimited else bounds.rows_at_once
        seq = self.journal.mark.seq
        with closing(self._inputs.batches(self.journal.mark, size=size)) as batches:
            while (rows := await anyio.to_thread.run_sync(self._next, batches)) is not None:
                seq = rows[-1].seq + 1
                await self._take_in(rows)
        if self._reservoir is not None:
            chosen = self._reservoir.chosen()
            self._chosen = len(chosen)
            await self._pass_on([one for one in chosen if self.journal.wants(one.record.row.seq)])
        self._read_rows = seq
        self._feed.close()

    def _next(self, batches: Any) -> list[Row] | None:
        """Return the next batch; all rows as one if they refer to each other."""
        if self._spec.arrange is None:
            return next(batches, None)
        rows: list[Row] = []
        for batch in batches:
            rows += batch
            refuse_too_many(self._spec, len(rows), self._session.bounds.rows_in_order)
        return rows or None

    async def _take_in(self, rows: Sequence[Row]) -> None:
        seen = await self._judge.judged(rows, moves_mark=self._reservoir is None)
        candidates: list[Candidate] = []
        for row, one in seen:
            if isinstance(one, RowVerdict):
                if self.journal.wants(row.seq):
                    self.journal.settle(one)
            elif self._reservoir is None:
                candidates.append(one)
            else:
                identity = one.record.key if self._outcomes is None else identity_of(row, one.gladly_id)
                self._reservoir.offer(identity, row.seq, one)
        await self._pass_on(candidates)

    async def _pass_on(self, candidates: list[Candidate]) -> None:
        while candidates:
            room = await self._feed.room()
            self._feed.put(candidates[:room])
            del candidates[:room]

    async def hand_over(self) -> None:
        """`read` does this itself."""

    async def close(self) -> None:
        """Let the workers end: after all rows, or in a stop after those that they have begun."""
        if self._stop.is_draining:
            self._feed.empty()
        self._feed.close()
        self._judge.close()

    # --- looking and comparing ---

    async def take(self) -> None:
        """Look up one row after the other, and note what Gladly holds."""
        while (candidate := await self._feed.take()) is not None:
            try:
                verdict = await self._verdict_of(candidate)
            except Withdrawn as error:
                self._stop.fail(error)
                return
            self._differing.update({name or "still exists" for name, _, _ in verdict.fields})
            self.journal.settle(verdict)

    async def _verdict_of(self, candidate: Candidate) -> RowVerdict:
        record = candidate.record
        try:
            verdict, found = await self._looked_up(candidate)
            if isinstance(found, Found) and found.is_searched and verdict.fields:
                # A search may lag behind, so only a look by id proves a difference.
                verdict, _ = await self._looked_up(candidate._replace(gladly_id=found.gladly_id))
        except BodyTooLong as error:
            problem = Problem("too_long", str(error))
            return unread_verdict(record.row, record.key, problem, gladly_id=candidate.gladly_id)
        return verdict

    async def _looked_up(self, candidate: Candidate) -> tuple[RowVerdict, Any]:
        look = self._proof.find(candidate.record, candidate.gladly_id, self._policy)
        found, status = await self._looker.run(look)
        return verdict_of(candidate, found, self._proof, self._policy, status=status), found

    # --- progress and end ---

    def progress(self) -> Progress:
        """Return how many rows have a verdict, and which."""
        counts = dict(self.journal.counts)
        done = sum(counts.values())
        size = sample_size(self._options.sample)
        total = self.rows if size is None or size.rows is None else min(self.rows, size.rows)
        return Progress(
            counts,
            done,
            total,
            self.rows_exact,
            self._done_before,
            things="comparisons",
            subject=self._subject,
            reasons=self._differing.most_common(_REASONS_TOLD),
        )

    async def settle(self) -> None:
        """Wait until the last verdicts are on the disk; then check that the files are as they were."""
        if not self._proof.adds:
            await self.journal.supersede("superseded", _SUPERSEDED)
        await self.journal.flush()
        if self._stop.exit_code in _WELL and (problem := await self._look_back()) is not None:
            self._stop.exit_code, self._stop.reason = problem.exit_code, str(problem)
        if self._options.forget and self._stop.exit_code is None:
            await anyio.to_thread.run_sync(self._forget)

    def _forget(self) -> None:
        run = self._session.run
        scope = (self._session.connection.host, self._spec.name, self._policy.namespace)
        number = forget_differences(verdicts_of(run.path), run.state_dir / "state.sqlite", scope, run.name)
        if number:
            self._observer.note(f"the next import writes what differs in {counted(number, 'row')} again")

    async def _look_back(self) -> BulkgladlyError | None:
        """Return what is wrong if a file has changed while it was read."""
        try:
            altered = await anyio.to_thread.run_sync(self._inputs.altered, self._digests)
        except BulkgladlyError as error:
            return error
        if not altered:
            return None
        return InputChanged(
            f"{'; '.join(altered)}, so rows may have been skipped; restore the old file and resume, or verify again"
        )

    def summary(self, common: Mapping[str, Any]) -> VerifyReport:
        """Write the table of verdicts, and return what Gladly was seen to hold."""
        closing_ = VerifyClosing(
            exit_code=self._stop.exit_code,
            reason=self._stop.reason,
            mark=self.journal.frontier,
            read_rows=self._read_rows,
            chosen=self._chosen if self._reservoir is not None else None,
            not_sampled=self.journal.counts["not_sampled"],
        )
        return publish_verdicts(self._session.run, self._inputs, self._spec, self._options, closing_, common)
