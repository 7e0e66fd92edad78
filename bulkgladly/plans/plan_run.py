"""Making a plan with `--live`: a run whose requests only read, so that the plan says what Gladly would do.

It reads everything that a write would meet or write over. It can be stopped and resumed; the folder of the plan is
written when all rows are planned.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import anyio.to_thread

from bulkgladly.commands import next_command
from bulkgladly.errors import BulkgladlyError, UsageError
from bulkgladly.files.inputs import Inputs
from bulkgladly.gladly.spec import ImportSpec, Record
from bulkgladly.gladly.table import NAME_LISTS, import_spec
from bulkgladly.imports.baseline import Baseline, check_baseline
from bulkgladly.imports.drafts import DraftReader, in_sending_order
from bulkgladly.imports.forecast import foreseen, state_of
from bulkgladly.imports.import_inputs import hashed, open_inputs, refuse_changed
from bulkgladly.imports.mapping_choice import unchanged_mapping
from bulkgladly.imports.row_names import check_names, fetch_directory, names_in
from bulkgladly.journal.entries import Clash
from bulkgladly.journal.ledger import Ledger
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.plans.make_plan import closed_baseline, inputs_of_plan
from bulkgladly.plans.plan_files import PlanOrigin, write_plan
from bulkgladly.plans.plan_folder import PlanInfo, refuse_existing
from bulkgladly.plans.plan_log import PLAN_WORDS, PlanLog, planned_counts
from bulkgladly.plans.plan_options import PLAN_MODE, PlanOptions
from bulkgladly.plans.plan_page import counts_of, effort_text, numbers_of
from bulkgladly.plans.plan_reads import ReadForecast
from bulkgladly.records import Mark
from bulkgladly.runs.beginning import NewRun, resumed
from bulkgladly.runs.environment import USUAL, Environment
from bulkgladly.runs.observer import Estimate, Observer
from bulkgladly.runs.options import for_next_session, restored, stored
from bulkgladly.runs.session import Progress, Session, Terms
from bulkgladly.runs.shared_replies import Looker
from bulkgladly.runs.stages import Feed
from bulkgladly.runs.summary import Ending, Summary, resume_command, status_of, table_of
from bulkgladly.settings import Credentials, Foreseen
from bulkgladly.shown import shown_cell

__all__ = ("PlanReport", "PlanWork", "plan_live", "resume_plan")

_TAKEN = "taken"
_REASONS_TOLD = 5
_AHEAD = 2
"""Records that wait for each worker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanReport(Summary):
    """What a live plan read, and what it comes to. `plan` is the content of its `plan.json`, None if not finished.

    `counts` are what is planned (`PLAN_WORDS`). `changed` counts the records that write a field, and `conflicts` those
    that are rejected because another object holds a value of theirs.
    """

    words: ClassVar[tuple[str, ...]] = (*PLAN_WORDS, "unprocessed")

    plan: Mapping[str, Any] | None = None
    changed: Mapping[str, int] = field(default_factory=dict)
    conflicts: int = 0
    told: tuple[str, ...] = ()

    @property
    def details(self) -> tuple[str, ...]:
        """Lines for people: how many records there are of each fate, and what an apply takes."""
        return self.told

    def _title(self) -> str:
        return f"Plan for {self.resource} in {self.host}"

    def _verdict(self) -> str:
        is_whole = self.status == "complete"
        return "Finished: nothing was written to Gladly." if is_whole else Summary._verdict(self)

    def _told(self) -> list[str]:
        parts = ["\n".join(f"- {line.strip()}" for line in self.told)] if self.told else []
        if self.changed:
            fields = [(shown_cell(name), number) for name, number in self.changed.items()]
            parts.append(table_of(("field that updates change", "records"), fields))
        return parts

    def _tables(self) -> list[str]:
        codes = [(shown_cell(code), number) for code, number in self.rejects_by_code.items()]
        return [table_of(("reject", "records"), codes)] if codes else []


class PlanWork:
    """Plans the rows of input files, each by requests that read, and notes in the journal what is planned."""

    def __init__(
        self, session: Session, spec: ImportSpec, options: PlanOptions, inputs: Inputs, *, digests: Sequence[str]
    ) -> None:
        """`digests` are the hashes of the inputs as they are now, by number."""
        self._session, self._spec, self._options = session, spec, options
        self._inputs, self._digests = inputs, digests
        host = session.connection.host
        self._policy = options.policy(host)
        self.rows, self.rows_exact = inputs.estimate_rows()
        self.journal: Ledger = session.environment.ledger(
            session.run.path,
            state=session.run.state_dir / "state.sqlite",
            scope=(host, spec.name, options.namespace),
            run=session.run.name,
            vitals=session.connection.vitals,
        )
        self._done_before = self.journal.counts.total()
        self._reader = DraftReader(
            spec, self._policy, options, inputs=inputs, ledger=self.journal, bounds=session.bounds
        )
        self._log = PlanLog(
            spec, self._policy, self.journal, self._reader.names, is_kept=True, show_values=options.show_values
        )
        if self._done_before:
            self._log.planned.update(planned_counts(session.run.path))
        self._feed: Feed[tuple[Record, Clash | None]] = Feed(_AHEAD * self.workers)
        self._looker = Looker(session.client, frozenset() if spec.proof is None else spec.proof.shared)
        self._lists: list[str] = []
        self._is_read = False

    @property
    def workers(self) -> int:
        """How many records are looked up at once."""
        return self._session.connection.concurrency

    async def begin(self) -> None:
        """Announce what the reads take."""
        if self._options.baseline is not None:
            self._reader.baseline = await anyio.to_thread.run_sync(
                Baseline.opened, self._options.baseline, self._spec, self._policy, self._session.run.path
            )
        left = max(0, self.rows - self._done_before)
        pace = self._session.steering.foreseen()
        estimate = await anyio.to_thread.run_sync(self._estimate, left, pace)
        warning = self._session.deadline.judge(estimate)
        self._session.observer.started(self._session.run.name, estimate, resumed_from=self._done_before)
        if warning is not None:
            self._session.observer.note(warning)

    def _estimate(self, left: int, pace: Foreseen) -> Estimate:
        """Return what the reads take, by what earlier runs and the data set say."""
        start, most = self.journal.mark, self._session.bounds.rows_foreseen
        baseline = None if self._reader.baseline is None else self._reader.baseline.preview()
        # What is wrong with a file or with the state is told when the row or the key is used.
        with suppress(BulkgladlyError), closing(state_of(self._session.run, self._spec, self._policy)) as memory:
            forecast = ReadForecast(self._spec, self._policy, self._reader.preparer, memory, baseline=baseline)
            is_settled = self.journal.is_settled
            # A resume is to be quick: what the run takes was said when it began.
            most = most if start.position is None else most // 10
            is_whole = foreseen(self._inputs, forecast, start=start, is_settled=is_settled, most=most, limit=None)
            return forecast.reads(pace, rows=None if is_whole else left, rows_exact=is_whole or self.rows_exact)
        each = (0, self._spec.requests_per_record[self._policy.mode][1] + 1)
        return Estimate.of(each, left, self.rows_exact, pace).of_run(len(self._spec.directories))

    async def read(self) -> None:
        """Fetch the names in the rows, then read the rows and pass on those that need a look."""
        most = self._session.bounds.rows_scanned
        if self._spec.directories:
            names = await names_in(self._reader, self._spec, Mark(), most)
            directory = await fetch_directory(self._session.client, names.kinds)
            are_rejected = self._options.missing_names == "reject"
            for line in check_names(names.used, directory, are_rejected=are_rejected):
                self._session.observer.note(line)
            self._reader.linker.directory = directory
            self._lists = [NAME_LISTS[kind].operation for kind in names.kinds]
        with self._reader.rows(self.journal.mark, self._session.bounds.rows_at_once) as rows:
            while (batch := await self._reader.next_batch(rows)) is not None:
                for admitted in in_sending_order(self._spec, batch):
                    if (record := self._log.taken_in(admitted)) is not None:
                        await self._feed.room()
                        self._feed.put([(record, admitted[2].clash)])
        self._is_read = True
        self._feed.close()

    async def hand_over(self) -> None:
        """All that is read is handed over by `read`."""

    async def take(self) -> None:
        """Look up one record after the other, and note what is planned for it."""
        while (item := await self._feed.take()) is not None:
            record, clash = item
            planned, _ = await self._looker.run(self._log.planner.by_look(record))
            self._log.note(record, planned, clash)

    async def close(self) -> None:
        """Let the workers end."""
        if self._session.stop.is_draining:
            self._feed.empty()
        self._feed.close()

    def progress(self) -> Progress:
        """Return how many rows are planned."""
        counts, done = dict(self._log.planned), self.journal.counts.total()
        codes = Counter(dict(self.journal.reject_codes))  # a copy first, since the writer's thread continues to count
        return Progress(
            counts,
            done,
            self.rows,
            self.rows_exact,
            self._done_before,
            subject=f"a plan for {self._spec.name} in {self._session.connection.host}",
            reasons=codes.most_common(_REASONS_TOLD),
        )

    async def settle(self) -> None:
        """Wait until all that was planned is on the disk."""
        await self.journal.flush()

    def summary(self, common: Mapping[str, Any]) -> PlanReport:
        """Write the folder of the plan, if all rows are planned, and return what it comes to."""
        stop = self._session.stop
        done = self.journal.counts.total()
        code = stop.exit_code
        is_whole = self._is_read and code is None
        end = Ending("complete" if code is None else status_of(code), code or 0, stop.reason)
        info: PlanInfo | None = None
        if is_whole:
            try:
                info = self._write(common)
                # As `check` ends: a resume, the page and a program are told the same as the command that planned.
                end = end._replace(exit_code=1 if info.rejects else 0)
            except BulkgladlyError as error:
                end = Ending("failed", error.exit_code, str(error))
        counts = {**dict.fromkeys(PlanReport.words, 0), **self._counts(info)}
        counts["unprocessed"] = 0 if is_whole else max(0, self.rows - done)
        return PlanReport(
            **common,
            **end._asdict(),
            counts={"read": sum(counts.values()), **counts},
            rejects_by_code={} if info is None else dict(info.rejects),
            changed={} if info is None else dict(info.changed),
            conflicts=0 if info is None else info.rejects.get(_TAKEN, 0),
            files={},
            inputs=tuple(str(file.path) for file in self._inputs.files),
            settings={"out": str(self._options.out)},
            next_commands=self._next(info),
            plan=None if info is None else info.as_dict(),
            told=() if info is None else lines_of(info, self._options.out),
        )

    def _counts(self, info: PlanInfo | None) -> Mapping[str, int]:
        """Return what is planned; until the plan is written, as far as its records have been looked at."""
        if info is not None:
            return counts_of(info)
        with suppress(BulkgladlyError):  # a journal that cannot be read is told elsewhere
            return planned_counts(self._session.run.path)
        return {}

    def _write(self, common: Mapping[str, Any]) -> PlanInfo:
        if altered := self._inputs.altered(self._digests):
            raise UsageError(f"{'; '.join(altered)} while it was planned; plan again")
        header = self._session.run.header()
        origin = PlanOrigin(
            host=header.host,
            organisation=self._session.organisation,
            files=header.inputs,
            lists=self._lists,
            zone=self._session.steering.zone,
            run=header.run,
            read=common["requests"],
            told=closed_baseline(self._reader, self._options, is_rest=bool(self._done_before)),
        )
        refuse_existing(self._options.out, force=self._options.force)
        return write_plan(self._session.run.path, self._inputs, self._spec, self._options, origin)[0]

    def _next(self, info: PlanInfo | None) -> tuple[str, ...]:
        if info is None:
            return (resume_command(self._session.run),)
        if not info.writes:
            return ()
        return (next_command("apply", self._options.out, state_dir=self._options.state_dir, connects=True),)


def lines_of(info: PlanInfo, out: Path) -> tuple[str, ...]:
    """Return for people what a plan comes to: its records, its price and its folder."""
    numbers = [f"{number:>9,} {said}" for number, said in numbers_of(info)]
    return (*numbers, f"applying it takes {effort_text(info)}", f"{out}: read summary.md before you apply it")


async def plan_live(
    resource_name: str,
    files: Sequence[str | Path],
    credentials: Credentials,
    options: PlanOptions,
    *,
    observer: Observer | None = None,
    with_signals: bool = False,
    environment: Environment = USUAL,
) -> PlanReport:
    """Plan an import with requests that read, write the folder of the plan, and return the report of the run.

    A run that ends early (signal, limit, outage) returns a report as well, without a plan; `resume_plan` continues it.

    Raises:
        UsageError: The options or files cannot be used. Nothing was sent.
    """
    spec = import_spec(resource_name)
    options = replace(options, mode=spec.mode(options.mode), is_live=True)
    refuse_existing(options.out, force=options.force)
    options, inputs = inputs_of_plan(spec, [str(file) for file in files], options)
    if options.baseline is not None:
        policy = options.policy(credentials.host)
        await anyio.to_thread.run_sync(check_baseline, options.baseline, spec, policy)
    terms = Terms(credentials, observer or Observer(), with_signals, environment)
    with NewRun(options.state_dir, spec.name, PLAN_MODE) as new:
        hashes = await anyio.to_thread.run_sync(hashed, inputs)
        for line in await new.begin(credentials.host, stored(options), inputs=hashes):
            terms.observer.note(line)
        session = Session(new.folder, options, terms)
        return await _work(session, spec, options, inputs, [file.digest for file in hashes])


async def resume_plan(
    run: RunFolder,
    credentials: Credentials,
    *,
    change: Callable[[Any], Any] = lambda options: options,
    observer: Observer | None = None,
    with_signals: bool = False,
    environment: Environment = USUAL,
) -> PlanReport:
    """Continue a live plan where it stopped, and return the report of all its sessions.

    What was planned before is not read again, so the plan is as old as its first session.

    Raises:
        InputChanged: An input or the mapping has changed since the plan was begun.
        UsageError: The credentials are for another host. Else as `resume_import`.
    """
    with resumed(run, credentials) as header:
        options = for_next_session(restored(PlanOptions, header.settings, run.state_dir), change)
        if options.mapping is not None:
            options = replace(options, mapping=unchanged_mapping(options.mapping))
        spec = import_spec(header.resource)
        inputs = open_inputs(spec, [item.path for item in header.inputs], options)
        await anyio.to_thread.run_sync(partial(refuse_changed, header, inputs))
        terms = Terms(credentials, observer or Observer(), with_signals, environment)
        session = Session(run, options, terms)
        return await _work(session, spec, options, inputs, [item.digest for item in header.inputs])


async def _work(
    session: Session, spec: ImportSpec, options: PlanOptions, inputs: Inputs, digests: Sequence[str]
) -> PlanReport:
    work = PlanWork(session, spec, options, inputs, digests=digests)
    if work.rows_exact and not work.rows:
        session.observer.note("the input has no rows: nothing to plan")
    inputs.hold()
    try:
        return await session.drive(work)
    finally:
        inputs.let_go()
