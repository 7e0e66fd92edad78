"""One process's work on a run: from the lock to the last commit."""

import contextlib
from collections.abc import Sequence

import anyio
import anyio.to_thread

from bulkgladly.errors import BulkgladlyError, InputChanged
from bulkgladly.formats.inputs import Inputs
from bulkgladly.journal.ledger import Ledger
from bulkgladly.journal.runs import RunFolder
from bulkgladly.pipelines.closing import Ending, publish
from bulkgladly.pipelines.connection import Connection, check_organisation
from bulkgladly.pipelines.import_records import BATCH_ROWS, Importer
from bulkgladly.pipelines.linking import check_names, fetch_directory, names_in
from bulkgladly.pipelines.options import ImportOptions
from bulkgladly.pipelines.report import Estimate, Observer, Report, RunView, counted
from bulkgladly.pipelines.stages import Stop, heeding_signals, run_stages, stopping
from bulkgladly.records import Mode
from bulkgladly.resources.spec import ResourceSpec
from bulkgladly.settings import Credentials

__all__ = ("Session",)

SPARE = 2  # records that wait for a worker: few, since a kill leaves their intents to be asked about
SPARE_UNLIMITED = 400  # against an emulator: what is sent while a group of intents goes to the disk
WORKERS_AT_MOST_ONCE = 4
NOTED_ROWS = 100_000
_WELL = (None, 3, 10)
"""How a run ends whose files, as far as it knows, are as they should be."""


class Session:
    """Works on a run until its input or the run ends, then publishes what happened.

    The caller holds the run's lock. Whatever happens, what was committed stays whole.
    """

    def __init__(
        self,
        folder: RunFolder,
        spec: ResourceSpec,
        options: ImportOptions,
        inputs: Inputs,
        credentials: Credentials,
        observer: Observer,
        *,
        digests: Sequence[str],
    ) -> None:
        """`digests` are the hashes of the inputs as they are now, by number."""
        self.folder, self.spec, self.options = folder, spec, options
        self.inputs, self.observer, self.digests = inputs, observer, digests
        self.policy = options.policy(credentials.host)
        self.names = tuple(str(file.path) for file in inputs.files)
        self.rows, self.rows_exact = inputs.estimate_rows()
        self.connection = Connection(credentials, options.pace, options.limits)
        self.client = self.connection.client
        self.stop = Stop(self.connection.client.withdraw)
        self.ledger = Ledger(
            folder.path,
            state=folder.state_dir / "state.sqlite",
            scope=(credentials.host, spec.name, options.namespace),
            is_state_synced=spec.is_at_most_once,
            run=folder.name,
            vitals=self.connection.vitals,
        )
        self.done_before = self.ledger.counts.total()
        self.connection.earlier = dict(self.ledger.earlier_vitals)

    async def run(self, *, with_signals: bool) -> Report:
        """Work, then publish the result files and the report; the report says how it went."""
        self.inputs.hold()
        try:
            with heeding_signals(self.stop, wanted=with_signals):
                return await self._run()
        finally:
            self.inputs.let_go()

    async def _run(self) -> Report:
        try:
            await self.ledger.note("status", "running")
            async with self.client:
                await self._work()
        except BulkgladlyError as error:
            self.stop.fail(error)
        except BaseException:
            with anyio.CancelScope(shield=True), contextlib.suppress(BulkgladlyError):
                await self.ledger.note("status", "interrupted")
            self.ledger.close()
            raise
        ended: list[Report] = []
        try:
            with anyio.CancelScope(shield=True):
                ended.append(await self._finish())
        finally:
            self.ledger.close()
        return ended[0]

    async def _work(self) -> None:
        importer = Importer(
            self.spec,
            self.policy,
            ledger=self.ledger,
            client=self.client,
            limits=self.options.limits,
            stop=self.stop,
            spare=SPARE_UNLIMITED if self.options.pace.unlimited else SPARE,
            ignore=self.options.ignore_columns,
            names=self.names,
            is_canary=await self._needs_canary(),
        )

        async def read() -> None:
            self.observer.started(self.folder.name, self._estimate(), resumed_from=self.done_before)
            self._warn()
            await check_organisation(self.client, self.policy.host)
            await self._learn_names(importer)
            size = BATCH_ROWS * 4 if self.options.pace.unlimited else BATCH_ROWS
            await importer.read(self.inputs.batches(self.ledger.mark, size=size))

        beside = [self._show]
        if self.options.limits.max_duration_s is not None:
            beside.append(self._end_in_time)
        await run_stages(
            self.stop,
            sources=(read, importer.dispatch),
            close=importer.close,
            work=importer.work,
            workers=self._workers(),
            beside=beside,
        )
        for code, count in importer.warned.most_common():
            told = f"{counted(count, 'record')} that Gladly may not keep as sent: {code}"
            self.observer.note(f"{told}; `bulkgladly check {self.spec.name}` shows where")

    def _workers(self) -> int:
        """Return how many records are on their way at once: few where a crash leaves each of them in doubt for good."""
        workers = self.connection.concurrency
        return min(workers, WORKERS_AT_MOST_ONCE) if self.spec.is_at_most_once else workers

    async def _needs_canary(self) -> bool:
        """Tell whether people would get messages, and nobody has looked at one of them yet."""
        return bool(self.spec.contacts_people) and not await self.ledger.has_sent()

    def _warn(self) -> None:
        """Say before the first request what cannot be repeated."""
        if self.spec.is_at_most_once and self.policy.mode in (Mode.CREATE, Mode.UPSERT):
            rows = counted(self._estimate().rows, "row")
            self.observer.note(f"at most once: {rows}; one whose answer gets lost may end as unknown")

    async def _learn_names(self, importer: Importer) -> None:
        """Ask for the names that rows use instead of ids, before anything is written.

        Raises:
            UsageError: Some lead nowhere, and their rows shall not be rejected.
            TransportError: A list of names could not be had.
        """
        if not self._may_name():
            return
        names = await names_in(self.spec, self.inputs, self.ledger.mark, importer.preparer.record_for)
        directory = await fetch_directory(self.client, names.kinds)
        for line in check_names(names.used, directory, are_rejected=self.options.missing_names == "reject"):
            self.observer.note(line)
        importer.linker.directory = directory

    def _may_name(self) -> bool:
        """Tell whether rows can use names at all; tables say so by their columns, unless these are mapped."""
        naming = {field.name for field in self.spec.fields if field.names is not None}
        if self.options.mapping is not None:
            return bool(naming)
        headers = [reader.columns() for reader in self.inputs.readers]
        return bool(naming) and any(header is None or naming & set(header) for header in headers)

    async def _show(self) -> None:
        while True:
            await anyio.sleep(self.observer.interval_s)
            self.observer.tick(self.view())

    async def _end_in_time(self) -> None:
        limit = self.options.limits.max_duration_s or 0.0
        await anyio.sleep(limit)
        self.stop.drain(10, f"the time limit of {limit:g} s is reached")

    async def _finish(self) -> Report:
        try:
            await self.ledger.flush()
        except BulkgladlyError as error:
            self.stop.fail(error)
        exit_code, reason = self.stop.exit_code, self.stop.reason
        if exit_code in _WELL and (problem := await self._look_back()) is not None:
            exit_code, reason = problem.exit_code, str(problem)
        self.observer.tick(self.view())
        if self.stop.is_draining and self.rows - self.ledger.counts.total() > NOTED_ROWS:
            self.observer.note("the state is saved; writing the unprocessed rows, which may take a while")
        ending = Ending(
            exit_code=exit_code,
            reason=reason,
            mark=self.ledger.frontier,
            is_settled=self.ledger.is_settled,
            counts=dict(self.ledger.counts),
            digests=self.digests,
            vitals=self.connection.vitals(),
        )
        report = await anyio.to_thread.run_sync(publish, self.folder, self.inputs, ending)
        with contextlib.suppress(BulkgladlyError):
            await self.ledger.note("status", report.status)
        return report

    async def _look_back(self) -> BulkgladlyError | None:
        """Return what has changed under the run: the state that later runs will ask, or an input."""
        try:
            await self.ledger.check_state()
            altered = await anyio.to_thread.run_sync(self.inputs.altered, self.digests)
        except BulkgladlyError as error:
            return error
        if not altered:
            return None
        return InputChanged(
            f"{'; '.join(altered)}, so rows may have been passed over. Put the old file back, then resume; or go on "
            "with the file as it is: resume with --accept-changed-input"
        )

    def view(self) -> RunView:
        """Return how the run stands at this moment."""
        momentum, seconds = self.connection.momentum(), self.connection.seconds
        done = self.ledger.counts.total()
        rows_per_s = (done - self.done_before) / max(seconds, 1e-9)
        left = max(0, self.rows - done)
        return RunView(
            run=self.folder.name,
            counts=dict(self.ledger.counts),
            done=done,
            rows=max(self.rows, done),
            rows_exact=self.rows_exact,
            seconds=seconds,
            requests=momentum.requests,
            requests_per_second=momentum.per_second,
            allowed_per_second=momentum.allowed_per_second,
            in_flight=momentum.in_flight,
            throttled=momentum.throttled,
            waiting=stopping(momentum.in_flight) if self.stop.is_draining else momentum.waiting,
            waiting_s=0.0 if self.stop.is_draining else momentum.waiting_s,
            eta_s=left / rows_per_s if rows_per_s > 0 and done > self.done_before else None,
        )

    def _estimate(self) -> Estimate:
        left = max(0, self.rows - self.done_before)
        if self.options.limits.max_rows is not None:
            left = min(left, self.options.limits.max_rows)
        return Estimate.of(self.spec, self.policy.mode, left, self.rows_exact, self.options.pace.expected_per_second())
