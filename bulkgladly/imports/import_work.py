"""The work of an import, as the engine of runs drives it: rows of files become objects in Gladly."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path, PurePath
from typing import Any

import anyio.to_thread

from bulkgladly.errors import BulkgladlyError, InputChanged
from bulkgladly.files.inputs import Inputs
from bulkgladly.gladly.spec import ImportSpec, Policy
from bulkgladly.imports.baseline import INDEX, Baseline
from bulkgladly.imports.baseline_findings import told_lines
from bulkgladly.imports.baseline_index import remove_index
from bulkgladly.imports.canary import CANARY, Canary, canary_owed
from bulkgladly.imports.drafts import DraftReader
from bulkgladly.imports.forecast import Forecast, estimate_of, foreseen, state_of
from bulkgladly.imports.import_options import ImportOptions
from bulkgladly.imports.import_records import Importer
from bulkgladly.imports.import_summary import Closing, Report, publish
from bulkgladly.imports.overwriting import note_on_undo
from bulkgladly.imports.row_names import check_names, fetch_directory, names_in
from bulkgladly.imports.step_choice import FreeSteps, StepChoice
from bulkgladly.journal.ledger import Ledger
from bulkgladly.journal.missing import KNOWN_BEFORE, known_before, known_in
from bulkgladly.journal.reject_memory import RunScope, remember_rejects
from bulkgladly.journal.run_outcomes import ids_updated
from bulkgladly.journal.state_reader import StateReader
from bulkgladly.records import Mode
from bulkgladly.runs.observer import Estimate, counted
from bulkgladly.runs.session import Progress, Session
from bulkgladly.settings import Foreseen

__all__ = ("ImportWork",)

WORKERS_AT_MOST_ONCE = 4
_MORE_UNLIMITED = 16
"""Without a pace no request is ever due, and each batch waits for two threads."""
NOTED_ROWS = 100_000
REASONS_TOLD = 5
_WELL = (None, 3, 10)
"""The ends of a run after which its files and rows should be in order."""


class ImportWork:
    """Imports the rows of input files, each by the steps of its object, and records them in the ledger."""

    def __init__(
        self,
        session: Session,
        spec: ImportSpec,
        options: ImportOptions,
        inputs: Inputs,
        *,
        digests: Sequence[str],
        choose: Callable[[Policy], StepChoice] | None = None,
    ) -> None:
        """`digests` are the hashes of the inputs as they are now, by number. `choose` chooses the steps of records."""
        self._session, self._spec, self._options = session, spec, options
        self._inputs, self._digests = inputs, digests
        self._observer, self._stop = session.observer, session.stop
        host = session.connection.host
        self._policy = options.policy(host)
        self.rows, self.rows_exact = inputs.estimate_rows()
        self.journal: Ledger = session.environment.ledger(
            session.run.path,
            state=session.run.state_dir / "state.sqlite",
            scope=(host, spec.name, options.namespace),
            is_state_synced=spec.is_at_most_once,
            run=session.run.name,
            vitals=session.connection.vitals,
        )
        self._choice = FreeSteps(spec, self._policy) if choose is None else choose(self._policy)
        self._done_before = self.journal.counts.total()
        self._reader = DraftReader(
            spec, self._policy, options, inputs=inputs, ledger=self.journal, bounds=session.bounds
        )
        self._importer = Importer(
            spec,
            self._policy,
            options,
            reader=self._reader,
            ledger=self.journal,
            client=session.client,
            stop=session.stop,
            input_names=inputs.names,
            bounds=session.bounds,
            choice=self._choice,
        )
        names = [PurePath(name).name for name in inputs.names]
        more = f" and {counted(len(names) - 1, 'more file')}" if len(names) > 1 else ""
        self._subject = f"{names[0]}{more} to {host}" if names else host
        self.hand_over, self.take, self.close = self._importer.dispatch, self._importer.work, self._importer.close

    @property
    def workers(self) -> int:
        """How many records are in flight at once: few if a crash leaves the outcome of each of them unknown."""
        workers = self._session.connection.concurrency
        return min(workers, WORKERS_AT_MOST_ONCE) if self._spec.is_at_most_once else workers

    async def begin(self) -> None:
        """Announce how long the run takes, and what of it cannot be repeated."""
        most = await self._canary_size()
        self._importer.canary = Canary(most, self._stop) if most is not None else None
        if self._options.is_complete and not self._done_before:
            await self._note_known()
        is_all_done = self.rows_exact and self._done_before >= self.rows
        if self._options.baseline is not None and not is_all_done:
            if not (self._session.run.path / INDEX).exists():
                self._observer.note(f"reading the data set {self._options.baseline}")
            self._reader.baseline = await anyio.to_thread.run_sync(self._opened_baseline, self._options.baseline)
        estimate = await anyio.to_thread.run_sync(self._estimate)
        is_canary = most is not None and most < estimate.to_send
        part = "pass --limit {} to import a part" if self._options.plan is None else ""
        # A canary ends long before all rows are done, so their time is none of its business.
        warning = None if is_canary else self._session.deadline.judge(estimate, part=part)
        self._observer.started(self._session.run.name, estimate, resumed_from=self._done_before)
        if warning is not None:
            self._observer.note(warning)
        if most is not None and is_canary:
            self._observer.note(f"stops after {counted(most, 'record')}, for you to check in Gladly")
        if self._spec.is_at_most_once and self._policy.mode in (Mode.CREATE, Mode.UPSERT):
            rows = counted(estimate.to_send, "row")
            self._observer.note(
                f"{rows} will be sent at most once; if a response is lost, the outcome of that row is unknown"
            )
        # A resume goes on with the options of the run, so only its beginning is the time to choose.
        # What a plan updates is read first, whatever the options are.
        is_to_choose = not self._done_before and self._options.plan is None
        if is_to_choose and (note := note_on_undo(self._spec, self._policy, estimate)) is not None:
            self._observer.note(note)

    async def _canary_size(self) -> int | None:
        """Return after how many records somebody has a look; None if this session needs none.

        A look that a kill or a stop has prevented is still to come: nobody has agreed to the other records.
        """
        most = self._options.limits.canary
        if most is None:
            most = await anyio.to_thread.run_sync(canary_owed, self._session.run)
        if self._spec.contacts_people and not await self.journal.has_sent():
            most = 1  # people get messages, so only one is sent until somebody has checked it
        if most is not None:
            await self.journal.note(CANARY, str(most))
        return most

    async def _note_known(self) -> None:
        """Keep how many objects are known before the first row: a share of these may be missing at the end."""
        if await anyio.to_thread.run_sync(known_before, self._session.run.path) is None:
            known = await anyio.to_thread.run_sync(known_in, self._scope())
            await self.journal.note(KNOWN_BEFORE, str(known))

    def _opened_baseline(self, lake: Path) -> Baseline:
        run = self._session.run.path
        found = Baseline.opened(lake, self._spec, self._policy, run, is_stopped=lambda: self._stop.is_draining)
        if self._done_before:
            found.note_changed(ids_updated(run))
        return found

    async def read(self) -> None:
        """Resolve the names in the rows, then read and prepare the rows."""
        self._choice.fits(self._session.organisation)
        await self._learn_names()
        bounds = self._session.bounds
        size = bounds.rows_at_once * _MORE_UNLIMITED if self._options.pace.unlimited else bounds.rows_at_once
        await self._importer.read(size)

    async def _learn_names(self) -> None:
        """Fetch the names that rows use instead of ids, before anything is written.

        Raises:
            UsageError: Some are unknown, and their rows are not to be rejected.
            TransportError: A list of names could not be fetched.
        """
        if not self._may_name():
            return
        most = self._session.bounds.rows_scanned
        names = await names_in(self._reader, self._spec, self.journal.mark, most)
        directory = await fetch_directory(self._session.client, names.kinds)
        for line in check_names(names.used, directory, are_rejected=self._options.missing_names == "reject"):
            self._observer.note(line)
        self._reader.linker.directory = directory

    def _may_name(self) -> bool:
        """Tell whether rows can use names at all; without a mapping, tables show that by their columns."""
        naming = {field.name for field in self._spec.fields if field.names is not None}
        if self._options.mapping is not None:
            return bool(naming)
        headers = [reader.columns() for reader in self._inputs.readers]
        return bool(naming) and any(header is None or naming & set(header) for header in headers)

    def progress(self) -> Progress:
        """Return how many rows have ended, and with which outcomes."""
        done = self.journal.counts.total()
        # A copy first, since the writer's thread continues to count.
        codes = Counter(dict(self.journal.reject_codes))
        return Progress(
            dict(self.journal.counts),
            done,
            self.rows,
            self.rows_exact,
            self._done_before,
            subject=self._subject,
            reasons=codes.most_common(REASONS_TOLD),
        )

    def _estimate(self) -> Estimate:
        left = max(0, self.rows - self._done_before)
        if self._options.limits.max_rows is not None:
            left = min(left, self._options.limits.max_rows)
        pace = self._session.steering.foreseen()
        if (planned := self._choice.estimate(self._done_before, pace)) is not None:
            return planned
        # What is wrong with a file or with the state is told when the row or the key is used.
        # A first import is looked at as well: rows that will be rejected take no request.
        with suppress(BulkgladlyError), closing(state_of(self._session.run, self._spec, self._policy)) as memory:
            return self._foreseen(memory, left, pace)
        return estimate_of(self._spec, self._policy, left, pace, rows_exact=self.rows_exact)

    def _foreseen(self, memory: StateReader, left: int, pace: Foreseen) -> Estimate:
        """Return the estimate of the rows that are left, by what earlier runs have sent and what a data set says."""
        start, most = self.journal.mark, self._session.bounds.rows_foreseen
        baseline = None if self._reader.baseline is None else self._reader.baseline.preview()
        forecast = Forecast(self._spec, self._policy, self._reader.preparer, memory, baseline=baseline)
        # A resume is to be quick: what the run takes was said when it began.
        most = most if start.position is None else most // 10
        limit = self._options.limits.max_rows
        is_settled = self.journal.is_settled
        is_whole = foreseen(self._inputs, forecast, start=start, is_settled=is_settled, most=most, limit=limit)
        if baseline is not None:
            factor = 1.0 if is_whole else left / max(1, forecast.counts.total())
            is_rest = bool(self._done_before)
            for line in told_lines(baseline.findings, forecast.counts.total(), factor, pace, is_rest=is_rest):
                self._observer.note(line)
        return forecast.estimate(pace, rows=None if is_whole else left, rows_exact=is_whole or self.rows_exact)

    async def settle(self) -> None:
        """Wait until the last outcomes are on the disk; then check whether anything has changed during the run."""
        self._tell_warnings()
        if (canary := self._importer.canary) is not None:
            for line in canary.lines(self._session.run, self._spec):
                self._observer.note(line)
            if canary.is_over:
                await self.journal.note(CANARY, "0")
        await self.journal.flush()
        if self._stop.exit_code in _WELL and (problem := await self._look_back()) is not None:
            # A limit may have ended the run already; it matters more that outcomes may belong to other rows.
            self._stop.exit_code, self._stop.reason = problem.exit_code, str(problem)
        if self._stop.is_draining and self.rows - self.journal.counts.total() > NOTED_ROWS:
            self._observer.note("the state is saved; writing the unprocessed rows, which can take a while")

    def _tell_warnings(self) -> None:
        for code, count in self._importer.warned.most_common():
            told = f"{counted(count, 'record')} that Gladly may not keep as sent: {code}"
            self._observer.note(f"{told}; `bulkgladly check {self._spec.name}` shows where")

    async def _look_back(self) -> BulkgladlyError | None:
        """Return what has changed during the run: the state that later runs need, or an input; None if nothing."""
        try:
            await self.journal.check_state()
            altered = await anyio.to_thread.run_sync(self._inputs.altered, self._digests)
        except BulkgladlyError as error:
            return error
        if not altered:
            return None
        return InputChanged(
            f"{'; '.join(altered)}, so rows may have been skipped. Restore the old file and resume, or continue "
            "with the file as it is: resume with --accept-changed-input"
        )

    def summary(self, common: Mapping[str, Any]) -> Report:
        """Write the result files, and return what the run did."""
        closing = Closing(
            exit_code=self._stop.exit_code,
            reason=self._stop.reason,
            mark=self.journal.frontier,
            is_settled=self.journal.is_settled,
            counts=dict(self.journal.counts),
            digests=self._digests,
            scope=self._scope(),
            fail_on=self._options.fail_on,
            is_complete=self._options.is_complete,
            missing=self._options.missing,
            missing_limit=self._options.missing_limit,
            baseline=None if self._reader.baseline is None else self._reader.baseline.findings.as_dict(),
        )
        report = publish(self._session.run, self._inputs, closing, common)
        self.close_baseline()
        if self._options.baseline is not None and report.status == "complete":
            # It has personal values, so it must not outlive the run, also one whose last session had no use for it.
            remove_index(self._session.run.path / INDEX)
        return report

    def close_baseline(self) -> None:
        """Close what a data set has told; for a run that ended without a summary."""
        if self._reader.baseline is not None:
            self._reader.baseline.close()

    def remember_rejects(self, report: Report) -> str | None:
        """Add the rejects of a report to those that later runs know; return why that failed, if it did.

        Call it when the report is on the disk.
        """
        if (self._session.run.report() or {}).get("ended_at") != report.ended_at:
            return None
        try:
            remember_rejects(self._session.run.path, self._scope(), is_complete=report.status == "complete")
        except BulkgladlyError as error:
            return f"the next run will count the rejects of this one as new: {error}"
        return None

    def _scope(self) -> RunScope:
        run, files = self._session.run, [file.path.absolute() for file in self._inputs.files]
        # A copy of the standard input, or of the rows of a retry, says nothing about the next input of that name.
        is_own = any(run.path.absolute() in file.parents for file in files)
        return RunScope(
            state=run.state_dir / "state.sqlite",
            host=self._session.connection.host,
            resource=self._spec.name,
            namespace=self._options.namespace,
            run=run.name,
            source="" if is_own else "\n".join(sorted(map(str, files))),
        )
