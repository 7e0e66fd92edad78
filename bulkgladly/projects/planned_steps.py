"""The steps of a project, ready to be checked or run: their files found, their mappings read, their columns known."""

import datetime as dt
import glob
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bulkgladly.errors import BulkgladlyError, UsageError
from bulkgladly.imports.forecast import of_import
from bulkgladly.imports.import_inputs import open_checked
from bulkgladly.imports.import_options import ImportOptions
from bulkgladly.imports.mapping_choice import MapChoice, choose_mapping
from bulkgladly.projects.project_file import Project, ProjectStep
from bulkgladly.projects.step_settings import options_from
from bulkgladly.runs.observer import Estimate, counted
from bulkgladly.settings import Limits, Pace

__all__ = ("PlannedStep", "StepsUnusable", "effort_text", "plan_steps", "total_of")


class StepsUnusable(UsageError):
    """Some steps of a project cannot be run. `problems` has one message for each of them."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A step with the options of its import. `patterns` is empty if it is optional and there are no files for it.

    `notes` say what was recognised in its files. `estimate` is from the size of the files, before any row is read.
    """

    step: ProjectStep
    options: ImportOptions
    patterns: tuple[str, ...] = ()
    estimate: Estimate | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def name(self) -> str:
        """The name of the step."""
        return self.step.name

    def estimate_of(self, rows: int, *, rows_exact: bool = False) -> Estimate:
        """Return what this many rows of the step are expected to take."""
        spec = self.step.spec
        policy = replace(self.options, mode=spec.mode(self.options.mode)).policy("")
        pace = self.options.pace.foreseen(dt.datetime.now(dt.UTC))
        return of_import(Estimate.of(spec.requests_for(policy), rows, rows_exact, pace), spec)


def plan_steps(project: Project, *, state_dir: Path, pace: Pace, limits: Limits | None = None) -> list[PlannedStep]:
    """Return the steps of a project in their order. All files and mappings are opened, so most mistakes show here.

    A mistake in the last step must not come to light after the first ones have run for a day.

    Raises:
        StepsUnusable: A file or a mapping cannot be used; there is one message for each such step.
    """
    found: list[PlannedStep] = []
    problems: list[str] = []
    for step in project.steps:
        where = f'{project.file}: [steps "{step.name}"]'
        try:
            options = options_from(
                step.settings or {},
                where,
                mapping=_mapping_of(project, step),
                after=_namespaces(project, step),
                pace=pace,
                limits=limits or Limits(),
                state_dir=state_dir,
            )
            found.append(_opened(step, options))
        except BulkgladlyError as error:
            problems.append(f"step {step.name}: {str(error).removeprefix(f'{where}: ')}")
    if problems:
        raise StepsUnusable(problems)
    return found


def _mapping_of(project: Project, step: ProjectStep) -> MapChoice | None:
    return choose_mapping(step.map, step.transform, variables=project.vars, root=project.folder)


def _opened(step: ProjectStep, options: ImportOptions) -> PlannedStep:
    """Return a step whose files were opened for a look.

    Raises:
        BulkgladlyError: A file, a column or the mode cannot be used.
    """
    options = options.for_resource(step.spec)
    patterns = tuple(one for one in step.files if not step.is_optional or _is_there(one))
    if not patterns:
        return PlannedStep(step, options)
    inputs = open_checked(step.spec, patterns, options)
    rows, is_exact = inputs.estimate_rows()
    plan = PlannedStep(step, options, patterns, notes=tuple(inputs.notes))
    return replace(plan, estimate=plan.estimate_of(rows, rows_exact=is_exact))


def _is_there(pattern: str) -> bool:
    if os.path.lexists(pattern):
        return True
    return any(glob.iglob(pattern, recursive=True))  # noqa: PTH207 - the pattern may be absolute


def _namespaces(project: Project, step: ProjectStep) -> tuple[tuple[str, str], ...]:
    """Return in which namespaces the source keys of other objects are looked up: those of the earlier steps.

    Raises:
        UsageError: Earlier steps import an object into several namespaces, and the step does not say which.
    """
    found = {one.spec.name: one.namespace for one in map(project.step, step.after)}
    others: dict[str, set[str]] = {}
    for one in project.before(step):
        if one.spec.name in step.spec.references and one.spec.name not in found:
            others.setdefault(one.spec.name, set()).add(one.namespace)
    for name, namespaces in others.items():
        if len(namespaces) == 1:
            found[name] = namespaces.pop()
        elif step.namespace not in namespaces:
            raise UsageError(
                f"{counted(len(namespaces), 'earlier step')} import {name} into different namespaces; name the one "
                f"whose keys this step refers to, such as after = [{_others_of(project, step, name)}]"
            )
    return tuple(found.items())


def _others_of(project: Project, step: ProjectStep, what: str) -> str:
    """Return the first earlier step that imports an object, in quotes."""
    return next(f'"{one.name}"' for one in project.before(step) if one.spec.name == what)


def total_of(estimates: Sequence[Estimate]) -> Estimate:
    """Return what several imports are expected to take, one after the other; at least one."""
    return Estimate(
        rows=sum(one.rows for one in estimates),
        rows_exact=all(one.rows_exact for one in estimates),
        requests_low=sum(one.requests_low for one in estimates),
        requests_high=sum(one.requests_high for one in estimates),
        per_second=estimates[0].per_second,
        pace=estimates[0].pace,
        is_about=True,
    )


def effort_text(estimates: Sequence[Estimate]) -> str:
    """Return for people what several steps are expected to take, all together."""
    total = total_of(estimates)
    rows = counted(total.rows, "row")
    return f"{counted(len(estimates), 'step')}, {rows if total.rows_exact else f'about {rows}'}: {total.effort()}"
