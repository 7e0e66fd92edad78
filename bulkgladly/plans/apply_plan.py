"""Applying a plan: an import of the same files, in which each record takes the steps that were planned for it."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import anyio.to_thread

from bulkgladly.commands import next_command
from bulkgladly.errors import InputChanged, UsageError
from bulkgladly.gladly.spec import ImportSpec, Policy, Record, Steps
from bulkgladly.gladly.table import import_spec
from bulkgladly.imports.baseline import INDEX as BASELINE_INDEX
from bulkgladly.imports.import_options import AppliedPlan, ImportOptions
from bulkgladly.imports.import_summary import Report
from bulkgladly.imports.run_import import begin_import, resume_import
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.lake.row_groups import NumberedRows
from bulkgladly.plans.apply_checks import refuse_begun, refuse_unfit
from bulkgladly.plans.apply_steps import PlannedSteps
from bulkgladly.plans.plan_folder import CHANGES, PlanInfo, hash_of_plan, opened_plan
from bulkgladly.plans.planned_changes import PlannedChange
from bulkgladly.runs.environment import USUAL, Environment
from bulkgladly.runs.observer import Estimate, Observer
from bulkgladly.runs.options import restored, session_limits
from bulkgladly.runs.session import Terms
from bulkgladly.settings import Credentials, Foreseen, Limits, Pace
from bulkgladly.storage.failures import writing

__all__ = ("PlanChoice", "apply_plan", "options_of_plan", "resume_apply")


_LABELS: Mapping[str, str] = {
    "create": "to create",
    "update": "to update",
    "delete": "to delete",
    "open": "to look up first",
}


class PlanChoice:
    """The steps of the records of a plan, its organisation, and what it takes."""

    def __init__(self, folder: Path, info: PlanInfo, policy: Policy) -> None:
        """Open the changes of the plan, which was checked before.

        Raises:
            InputError: They cannot be read.
        """
        self._folder, self._info = folder, info
        self._changes = NumberedRows(folder / CHANGES)
        self._steps = PlannedSteps(import_spec(info.resource), policy, self._planned)

    def at_once(self, record: Record) -> None:
        """Return None: what was planned for a record decides, not what memory says now."""

    def steps(self, record: Record) -> Steps:
        """Return the steps that were planned for a record."""
        return self._steps.steps(record)

    def queued(self, record: Record) -> Record:
        """Return a record that waits for those before it which write to the same object."""
        return self._steps.queued(record)

    def fits(self, organisation: str) -> None:
        """Check that the host still is the organisation for which the plan was made.

        Raises:
            UsageError: It is another one.
        """
        if self._info.organisation not in ("", organisation):
            raise UsageError(
                f"{self._folder} was made for the organisation {self._info.organisation}, and {self._info.host} is "
                f"{organisation or 'without an id'} now; nothing was written. Plan again"
            )

    def estimate(self, done: int, pace: Foreseen) -> Estimate:
        """Return what the plan says that the rows take, or in a resume the share of it that is left."""
        rows = self._info.rows
        left = max(0, rows - done)
        # Each session checks the organisation; what was in flight when the last one ended is looked up besides.
        low, high = (1 + round((number - 1) * left / rows) if rows else number for number in self._info.requests)
        unsent = round((rows - self._info.writes) * left / rows) if rows else 0
        split = {label: self._info.actions[name] for name, label in _LABELS.items() if self._info.actions.get(name)}
        judged = "as planned" if done else ""
        split = {} if done else split
        return Estimate(left, True, low, high, pace.usual, unsent, split, judged, pace=pace, is_about=done > 0)

    def _planned(self, seq: int) -> PlannedChange | None:
        row = self._changes.find(seq)
        return None if row is None else PlannedChange.from_row(row)


def options_of_plan(folder: Path, info: PlanInfo, state_dir: Path) -> ImportOptions:
    """Return the options with which a plan was made, as those of an import that applies it."""
    options = restored(ImportOptions, info.options, state_dir)
    # What was to end the making of the plan by some time says nothing about applying it.
    options = replace(options, limits=session_limits(options.limits))
    plan = AppliedPlan(str(folder.absolute()), hash_of_plan(folder))
    return replace(options, plan=plan, contacts_people=False)


async def apply_plan(
    folder: Path,
    credentials: Credentials,
    *,
    state_dir: Path,
    pace: Callable[[Pace], Pace] = lambda pace: pace,
    limits: Callable[[Limits], Limits] = lambda limits: limits,
    contacts_people: bool = False,
    fail_on: str | None = None,
    new_run: bool = False,
    observer: Observer | None = None,
    with_signals: bool = False,
    environment: Environment = USUAL,
) -> Report:
    """Do what a plan says, and return the report of the run; it can be resumed as an import can.

    A record that is no longer as the plan saw it ends as rejected (`moved`). `pace` and `limits` may change those
    with which the plan was made.

    Raises:
        UsageError: The plan was edited, is or was applied already, or no longer fits: the message names each
            difference. Nothing was sent.
    """
    info = await anyio.to_thread.run_sync(opened_plan, folder)
    options = options_of_plan(folder, info, state_dir)
    options = replace(
        options,
        pace=pace(options.pace),
        limits=limits(options.limits),
        contacts_people=contacts_people,
        fail_on=fail_on or options.fail_on,
    )
    await anyio.to_thread.run_sync(refuse_begun, folder, options)
    await anyio.to_thread.run_sync(refuse_unfit, folder, info, options, credentials.host)
    spec: ImportSpec = import_spec(info.resource)
    return await begin_import(
        spec,
        [file.path for file in info.inputs],
        options,
        Terms(credentials, observer or Observer(), with_signals, environment),
        new_run=new_run,
        take_over=partial(_with_baseline, folder),
        choose=partial(PlanChoice, folder, info),
    )


def _with_baseline(folder: Path, run: RunFolder) -> None:
    """Let the run compare with what the data set of the plan said when the plan was made."""
    index = folder / BASELINE_INDEX
    if index.is_file():
        with writing(run.path, "apply again"):
            shutil.copyfile(index, run.path / BASELINE_INDEX)


async def resume_apply(
    run: RunFolder,
    credentials: Credentials,
    *,
    change: Callable[[ImportOptions], ImportOptions] = lambda options: options,
    accept_changed_input: bool = False,
    fail_on: str | None = None,
    observer: Observer | None = None,
    with_signals: bool = False,
    environment: Environment = USUAL,
) -> Report:
    """Continue a run that applies a plan, with the steps of that plan.

    Raises:
        InputChanged: The plan is not the one with which the run began, or the input has changed.
        UsageError: A changed input was to be accepted, which a plan does not allow. Else as `resume_import`.
    """
    if accept_changed_input:
        raise UsageError(f"run {run.name} applies a plan, which is about one input; omit --accept-changed-input")
    plan = restored(ImportOptions, run.header().settings, run.state_dir).plan
    folder = Path(plan.folder if plan is not None else "")
    fix = f"put it back, or plan again and start a new run: `{next_command('apply', folder, '--new-run')}`"
    try:
        is_same = plan is not None and hash_of_plan(folder) == plan.plan_hash
    except OSError as error:
        raise InputChanged(
            f"{folder} cannot be read ({error.strerror}), which run {run.name} applies; {fix}"
        ) from error
    if not is_same:
        raise InputChanged(f"{folder} is not the plan with which run {run.name} began; {fix}")
    info = await anyio.to_thread.run_sync(opened_plan, folder)
    return await resume_import(
        run,
        credentials,
        change=change,
        fail_on=fail_on,
        observer=observer,
        with_signals=with_signals,
        environment=environment,
        choose=partial(PlanChoice, folder, info),
    )
