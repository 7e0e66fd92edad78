"""Checks a project: every row of every step offline, with the objects that the steps before it will create."""

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import anyio.to_thread

from bulkgladly.checks.check_report import CheckReport
from bulkgladly.checks.planned_keys import PlannedKeys
from bulkgladly.checks.run_check import CheckTerms, check_one_of
from bulkgladly.imports.mapping_choice import key_of_run
from bulkgladly.local_paths import AnyPath, local_path
from bulkgladly.projects.planned_steps import PlannedStep, plan_steps, total_of
from bulkgladly.projects.project_file import PROJECT_FILE, load_project
from bulkgladly.projects.step_settings import fix_in_file
from bulkgladly.records import Mode
from bulkgladly.runs.observer import Estimate
from bulkgladly.settings import Pace

__all__ = ("CheckedStep", "KeyCollision", "LateStep", "ProjectCheck", "check_project")


@dataclass(frozen=True, slots=True)
class CheckedStep:
    """What a check of one step has found; `report` is None if it is optional and there are no files for it."""

    name: str
    object: str
    report: CheckReport | None


@dataclass(frozen=True, slots=True)
class KeyCollision:
    """Two steps of one object make records with the same keys, so that the later changes what the earlier created.

    `keys` is how many keys both have. `is_same_file` says that they read the same file.
    """

    object: str
    step: str
    other: str
    keys: int
    is_same_file: bool


@dataclass(frozen=True, slots=True)
class LateStep:
    """A step refers to objects that only a later step imports. `references` is how many rows do so."""

    step: str
    object: str
    later: str
    references: int


@dataclass(frozen=True, slots=True)
class ProjectCheck:
    """The problems that the steps of a project would meet, as far as they can be found without Gladly.

    `late_steps` should come earlier. `estimate` is for all steps together; None if no step has files.
    """

    project: str
    file: str
    steps: Sequence[CheckedStep]
    collisions: Sequence[KeyCollision]
    late_steps: Sequence[LateStep]
    estimate: Estimate | None
    seconds: float

    @property
    def exit_code(self) -> int:
        """1 if a step has findings other than what the user has chosen, comes too late, or keys collide; else 0."""
        reports = [step.report for step in self.steps if step.report is not None]
        return int(bool(self.collisions or self.late_steps) or any(report.exit_code for report in reports))

    def as_dict(self) -> dict[str, Any]:
        """Return the check as JSON can hold it."""
        return {
            "project": self.project,
            "file": self.file,
            "exit_code": self.exit_code,
            "steps": [
                {"step": step.name, "object": step.object, "check": step.report and step.report.as_dict()}
                for step in self.steps
            ],
            "collisions": [asdict(one) for one in self.collisions],
            "late_steps": [asdict(one) for one in self.late_steps],
            "estimate": self.estimate and estimate_as_dict(self.estimate),
            "seconds": round(self.seconds, 2),
        }


def estimate_as_dict(estimate: Estimate) -> Mapping[str, Any]:
    """Return an estimate as JSON can hold it."""
    low, high = estimate.requests_low, estimate.requests_high
    return {
        "rows": estimate.rows,
        "requests_low": low,
        "requests_high": high,
        "seconds_low": round(estimate.seconds_for(low), 1),
        "seconds_high": round(estimate.seconds_for(high), 1),
        "per_second": estimate.per_second,
    }


async def check_project(
    file: AnyPath = PROJECT_FILE,
    *,
    pace: Pace | None = None,
    state_dir: AnyPath = ".bulkgladly",
    host: str = "",
    languages: Sequence[str] = (),
    show_values: bool = False,
) -> ProjectCheck:
    """Check every row of every step, and return what Gladly would refuse or change. Nothing is sent, no run begins.

    A source key that a row refers to is known if an earlier step makes a record with it, or if an earlier import into
    `host` has. Other arguments are as those of `check`. Keys are kept on disk in the folder for temporary files, 16
    bytes for each record.

    Raises:
        UsageError: The project file, an input or a mapping cannot be used.
    """
    started = time.monotonic()
    project = load_project(file)
    plans = await anyio.to_thread.run_sync(
        lambda: plan_steps(project, state_dir=local_path(state_dir), pace=pace or Pace())
    )
    steps: list[CheckedStep] = []
    with tempfile.TemporaryDirectory(prefix="bulkgladly-project-") as folder:
        made: list[tuple[PlannedStep, PlannedKeys]] = []
        for number, plan in enumerate(plans):
            report = None
            if plan.patterns:
                column = key_of_run(plan.options.mapping, plan.options.key)
                planned = PlannedKeys(Path(folder) / str(number), plan.step.spec.name, column)
                about = CheckTerms(
                    host=host,
                    languages=languages,
                    show_values=show_values,
                    earlier=_earlier(plan, made, host),
                    planned=planned,
                )
                report = await check_one_of(plan.step.spec, plan.patterns, plan.options, about)
                _word_fixes(report)
                made.append((plan, planned))
            steps.append(CheckedStep(plan.name, plan.step.spec.name, report))
        collisions = await anyio.to_thread.run_sync(_collisions, made)
    estimates = [step.report.estimates[step.report.mode] for step in steps if step.report is not None]
    return ProjectCheck(
        project=project.name,
        file=str(project.file),
        steps=tuple(steps),
        collisions=tuple(collisions),
        late_steps=tuple(_late_steps(steps)),
        estimate=total_of(estimates) if estimates else None,
        seconds=time.monotonic() - started,
    )


def _earlier(
    plan: PlannedStep, made: Sequence[tuple[PlannedStep, PlannedKeys]], host: str
) -> tuple[tuple[str, PlannedKeys], ...]:
    """Return the keys of earlier steps that an import of this step would find, by object."""
    policy = plan.options.policy(host)
    wanted = {(resource, policy.namespace_of(resource)) for resource in plan.step.spec.references}
    return tuple(
        (before.step.spec.name, keys)
        for before, keys in made
        if (before.step.spec.name, before.step.namespace) in wanted
    )


_FIXES = {
    "unknown_key": "correct the key, or import these objects in an earlier step",
    "unknown_parent": "correct the id, or import these objects in an earlier step",
}
"""What helps in a project, whose commands do not have the options of a single import."""


def _word_fixes(report: CheckReport) -> None:
    """Say in a finding what helps in a project, where that is something else than in a single import."""
    for finding in report.findings:
        finding.fix = _FIXES.get(finding.code) or fix_in_file(finding.fix)


def _late_steps(steps: Sequence[CheckedStep]) -> Iterator[LateStep]:
    """Yield the steps that import what an earlier step refers to by key, if nothing before it has such objects."""
    for at, step in enumerate(steps):
        counts = {} if step.report is None else step.report.not_judged
        for later in steps[at + 1 :]:
            if later.object != step.object and (number := counts.get(f"{later.object} by source key")):
                yield LateStep(step.name, later.object, later.name, number)


def _collisions(made: Sequence[tuple[PlannedStep, PlannedKeys]]) -> list[KeyCollision]:
    """Compare the keys of steps that import the same object. With `mode = "update"` the same keys are meant."""
    found: list[KeyCollision] = []
    for at, (later, keys) in enumerate(made):
        for earlier, others in made[:at]:
            is_one = (later.step.spec, later.step.namespace) == (earlier.step.spec, earlier.step.namespace)
            if is_one and later.options.mode is not Mode.UPDATE and (number := keys.common_with(others)):
                same = not set(later.patterns).isdisjoint(earlier.patterns)
                found.append(KeyCollision(later.step.spec.name, later.name, earlier.name, number, same))
    return found
