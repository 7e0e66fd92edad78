"""Runs a project: its steps one after the other, each a run of its own, and goes on where an earlier call ended."""

from dataclasses import dataclass, field, replace

import anyio.to_thread
import orjson

from bulkgladly.errors import BulkgladlyError, InputChanged, TakenBackRun, UnfinishedRun
from bulkgladly.imports.import_options import ImportOptions
from bulkgladly.imports.import_summary import Report
from bulkgladly.imports.run_import import begin_import, resume_import
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.journal.undone_runs import taken_back
from bulkgladly.local_paths import AnyPath, LocalPath
from bulkgladly.projects.planned_steps import PlannedStep, effort_text, plan_steps
from bulkgladly.projects.project_file import Project, load_project
from bulkgladly.projects.project_record import ProjectRecord
from bulkgladly.projects.project_report import ProjectReport, worst_exit_code
from bulkgladly.projects.project_status import project_report, run_command
from bulkgladly.projects.step_report import (
    DONE,
    NO_FILES,
    NOT_BEGUN,
    StepReport,
    changes_since,
    folder_of,
    kept_end,
    report_of_step,
)
from bulkgladly.runs.environment import USUAL, Environment
from bulkgladly.runs.observer import Estimate, Observer, RunView, counted
from bulkgladly.runs.session import Terms
from bulkgladly.settings import Credentials, Limits, Pace, refuse_unlimited
from bulkgladly.storage.durable import write_private
from bulkgladly.storage.failures import not_written

__all__ = ("ProjectOptions", "run_project")

_WELL = (0, 1)
_BY_LIMIT = 10


@dataclass(frozen=True)
class ProjectOptions:
    """How a project is run. What its steps are, and the options of their imports, stands in the project file.

    The limits of time and requests are for the whole call; `max_errors` is for each step. `new_run` starts all steps
    again, and `again` those that it names. `stop_on_rejects` stops after a step with rejects, instead of going on.
    `accept_changed_input` continues an interrupted step although its files have changed.
    """

    pace: Pace = field(default_factory=Pace)
    limits: Limits = field(default_factory=Limits)
    state_dir: LocalPath = LocalPath(".bulkgladly")
    new_run: bool = False
    again: tuple[str, ...] = ()
    stop_on_rejects: bool = False
    accept_changed_input: bool = False


async def run_project(
    file: AnyPath,
    credentials: Credentials,
    options: ProjectOptions | None = None,
    *,
    observer: Observer | None = None,
    with_signals: bool = False,
    environment: Environment = USUAL,
) -> ProjectReport:
    """Run the steps of a project that are not done, and return the report of all of them.

    Steps that an earlier call has finished are not run again, and an interrupted one is resumed; what has changed
    since is in the notes. A step that ends with rejects does not keep the later ones from running; any other end does.
    Killed at any moment, the next call goes on where this one was.

    Raises:
        UsageError: The project file, an input or a mapping cannot be used. Nothing was sent.
        RunLocked: Another process runs the project.
        JournalError: What is kept of the project cannot be read or written.
    """
    options, observer = options or ProjectOptions(), observer or Observer()
    refuse_unlimited(options.pace, credentials)
    project = load_project(file)
    again = [project.step(name) for name in options.again]
    plans = await anyio.to_thread.run_sync(
        lambda: plan_steps(project, state_dir=options.state_dir, pace=options.pace, limits=options.limits)
    )
    terms = Terms(credentials, observer, with_signals, environment)
    with ProjectRecord(options.state_dir, project.file, credentials.host) as record:
        for step in project.steps if options.new_run else again:
            record.forget(step.name)
        return await _ProjectRun(project, plans, record, options, terms).go()


class _ProjectRun:
    """One call that runs a project: `go`, which calls `_step` for each step, and `_report` at the end."""

    def __init__(
        self,
        project: Project,
        plans: list[PlannedStep],
        record: ProjectRecord,
        options: ProjectOptions,
        terms: Terms,
    ) -> None:
        self._project, self._plans, self._record, self._options = project, plans, record, options
        self._tally = _Tally(terms.observer)
        self._terms = replace(terms, observer=self._tally)
        self._began = terms.environment.clock()
        self._steps: dict[str, StepReport] = {}
        self._notes: list[str] = []
        self._next: str | None = None
        self._stop: tuple[str, int, str | None] | None = None
        """Status, exit code and reason, once a step has ended in a way that keeps the later ones from running."""
        """The command that helps, where the same one would end as before."""

    async def go(self) -> ProjectReport:
        """Run what is left to do, and return the report of all steps."""
        if estimates := [left for plan in self._plans if (left := self._effort_left(plan)) is not None]:
            self._tally.note(f"{self._project.name}: {effort_text(estimates)}; Ctrl-C stops safely")
        else:
            self._tally.note(f"{self._project.name}: all steps are done")
        for number, plan in enumerate(self._plans, 1):
            if self._stop is not None:
                self._steps[plan.name] = report_of_step(self._record, plan.step)
                continue
            report = await self._step(number, plan)
            self._steps[plan.name] = report
            if report.exit_code not in (None, *_WELL):
                status = report.state if report.state != DONE else "failed"
                self._stop = (status, report.exit_code or 0, f"step {plan.name}: {report.reason or report.state}")
        return await anyio.to_thread.run_sync(self._report)

    def _effort_left(self, plan: PlannedStep) -> Estimate | None:
        """Return what a step is still expected to take; None if it is over."""
        before = report_of_step(self._record, plan.step)
        if before.is_over or plan.estimate is None:
            return None
        counts = before.counts or {}
        done = sum(number for word, number in counts.items() if word not in ("read", "unprocessed"))
        return plan.estimate_of(max(0, plan.estimate.rows - done))

    async def _step(self, number: int, plan: PlannedStep) -> StepReport:
        """Bring one step to its end, or as far as it goes."""
        if not plan.patterns:
            self._tally.note(f"step {plan.name}: there are no files for it")
            return StepReport(plan.name, plan.step.spec.name, NO_FILES)
        before = await anyio.to_thread.run_sync(report_of_step, self._record, plan.step)
        if before.is_over:
            await anyio.to_thread.run_sync(self._look_for_changes, plan, "is done, but since it began")
            await anyio.to_thread.run_sync(self._keep_end, plan)
            return before
        if before.state == "damaged":
            return replace(before, reason=f"{before.reason}; or start the step again with --again {plan.name}")
        if (limits := self._limits_left()) is None:
            return before
        self._tally.note(f"step {number} of {len(self._plans)}: {plan.name}")
        try:
            report = await self._ended(plan, limits)
        except BulkgladlyError as error:
            if isinstance(error, UnfinishedRun | TakenBackRun):  # the same command would find it again
                self._next = run_command(self._project, self._options.state_dir, "--again", plan.name)
            after = report_of_step(self._record, plan.step)
            state = "failed" if after.state == NOT_BEGUN else after.state
            reason = str(error)
            if isinstance(error, TakenBackRun):  # the rest of the message is about an import without a project
                reason = f"{reason.partition(';')[0]}; begin the step again: --again {plan.name}"
            if isinstance(error, InputChanged):
                # The same command would end here again, and --new-run begins all steps.
                self._next = run_command(self._project, self._options.state_dir, "--again", plan.name)
                reason = reason.replace("start a new run with --new-run", f"begin the step again: --again {plan.name}")
            return replace(after, state=state, exit_code=error.exit_code, reason=reason)
        await anyio.to_thread.run_sync(self._keep_end, plan)
        return self._after(plan, report)

    async def _ended(self, plan: PlannedStep, limits: Limits) -> Report:
        """Begin or resume the run of a step, and return its report."""
        options = replace(plan.options, limits=limits)
        folder = folder_of(self._record, plan.step)
        if folder is None:
            return await begin_import(
                plan.step.spec,
                plan.patterns,
                options,
                self._terms,
                new_run=self._record.step(plan.name).is_new,
                # The record first: a run that is visible to others but not to its project would be run twice.
                take_over=lambda new: self._record.begin(plan.name, new.name),
            )

        await anyio.to_thread.run_sync(self._look_for_changes, plan, "continues as it began, but since then")

        def change(stored: ImportOptions) -> ImportOptions:
            return replace(stored, pace=options.pace, limits=limits)

        return await resume_import(
            folder,
            self._terms.credentials,
            change=change,
            accept_changed_input=self._options.accept_changed_input,
            observer=self._tally,
            with_signals=self._terms.with_signals,
            environment=self._terms.environment,
        )

    def _after(self, plan: PlannedStep, report: Report) -> StepReport:
        found = report_of_step(self._record, plan.step)
        # The files of the report may not have been written; then this is all that is known.
        found = replace(found, exit_code=report.exit_code, reason=report.reason, counts=report.counts)
        if report.exit_code == 1 and self._options.stop_on_rejects:
            rejects = report.counts["rejected"] + report.counts["unknown"]
            told = f"step {plan.name} has {counted(rejects, 'reject')}; run it again to continue with the next step"
            self._stop = ("stopped", 1, told)
        return found

    def _keep_end(self, plan: PlannedStep) -> None:
        folder = folder_of(self._record, plan.step)
        if folder is not None and self._record.step(plan.name).end is None and _is_complete(folder):
            end = kept_end(folder)
            if end is not None:
                self._record.end(plan.name, end)

    def _look_for_changes(self, plan: PlannedStep, how: str) -> None:
        changed = list(changes_since(self._record, plan))
        folder = folder_of(self._record, plan.step)
        if folder is not None and (gone := taken_back(folder)) is not None:
            changed.append(gone.text(folder.name))
        if changed:
            again = run_command(self._project, self._options.state_dir, "--again", plan.name)
            told = f"step {plan.name} {how}: {'; '.join(changed)}"
            self._notes.append(f"{told}. To run it again: {again}")

    def _limits_left(self) -> Limits | None:
        """Return what is left of the limits of this call; None, and the end of the project, if that is nothing."""
        limits, environment = self._options.limits, self._terms.environment
        requests, duration = limits.max_requests, limits.max_duration_s
        if requests is not None:
            requests -= self._tally.sent
        if duration is not None:
            duration -= environment.clock() - self._began
        if requests is not None and requests < 1:
            self._stop = (
                "stopped",
                _BY_LIMIT,
                f"the limit of {counted(limits.max_requests or 0, 'request')} was reached",
            )
        elif duration is not None and duration <= 0:
            self._stop = ("stopped", _BY_LIMIT, f"the time limit of {limits.max_duration_s:g} s was reached")
        else:
            return replace(limits, max_requests=requests, max_duration_s=duration)
        return None

    def _report(self) -> ProjectReport:
        report = project_report(self._project, self._record, [self._steps[plan.name] for plan in self._plans])
        status, exit_code, reason = self._stop or (report.status, report.exit_code, report.reason)
        report = replace(
            report,
            status=status,
            exit_code=worst_exit_code((exit_code, report.exit_code)),
            reason=reason,
            notes=tuple(self._notes),
            next_commands=report.next_commands if self._next is None else (self._next,),
        )
        return _written(report, self._record)


def _is_complete(folder: RunFolder) -> bool:
    try:
        return folder.status() == "complete"
    except BulkgladlyError:
        return False


def _written(report: ProjectReport, record: ProjectRecord) -> ProjectReport:
    try:
        content = orjson.dumps(report.as_dict(), option=orjson.OPT_INDENT_2)
        write_private(record.folder / "report.json", content)
        write_private(record.folder / "report.md", report.as_markdown().encode())
    except OSError as error:
        problem = not_written(f"the report in {record.folder}", error, "run the project again")
        worst = worst_exit_code((report.exit_code, problem.exit_code))
        return replace(report, exit_code=worst, notes=(*report.notes, str(problem)))
    return report


class _Tally(Observer):
    """Passes on what runs tell, and counts the requests of all of them."""

    def __init__(self, told: Observer) -> None:
        self._told, self.interval_s = told, told.interval_s
        self._before, self._now = 0, 0

    @property
    def sent(self) -> int:
        """The requests that this call has sent."""
        return self._before + self._now

    def began(self, run: str) -> None:
        """Pass on that a step has a run."""
        self._told.began(run)

    def started(self, run: str, estimate: Estimate, *, resumed_from: int = 0) -> None:
        """A further run begins, which counts its own requests."""
        self._before, self._now = self.sent, 0
        self._told.started(run, estimate, resumed_from=resumed_from)

    def tick(self, view: RunView) -> None:
        """The last one of a run has all its requests."""
        self._now = view.requests
        self._told.tick(view)

    def note(self, text: str) -> None:
        """Pass a line on."""
        self._told.note(text)
