"""What becomes of each value in the input files of a project: a field, an attribute, a key, or nothing."""

import glob
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio.to_thread

from bulkgladly.files.contract import ReadOptions
from bulkgladly.files.inputs import Inputs
from bulkgladly.files.opening import files_of
from bulkgladly.imports.mapping_choice import reading_for
from bulkgladly.local_paths import AnyPath, local_path
from bulkgladly.projects.planned_steps import PlannedStep, plan_steps
from bulkgladly.projects.project_file import PROJECT_FILE, load_project
from bulkgladly.projects.step_reads import (
    SourceUse,
    StepRead,
    reads_of_columns,
    reads_of_lookups,
    reads_of_mapping,
    transform_of,
)
from bulkgladly.settings import Pace

__all__ = ("ColumnUse", "FileCoverage", "ProjectCoverage", "SourceColumn", "project_coverage")

_MOST_PATHS = 1000
"""Paths of one file; with more, such as an id as a name in each row, the rest is only counted."""
_DEEPEST = 8
_MOST_ELEMENTS = 200
"""Elements of one list in one row that are looked at."""
WATCHED_ROWS = 1000
"""Rows of a file in which the user's own functions are watched."""


_Lookup = tuple[str, list[StepRead]]
_CARRIED = (SourceUse.FIELD, SourceUse.ATTRIBUTE, SourceUse.LOOKUP, SourceUse.TRANSFORM)


@dataclass(frozen=True, slots=True)
class ColumnUse:
    """One thing that a value is used for, and the step that does so; `target` is Gladly's field."""

    step: str
    use: SourceUse
    target: str = ""

    @property
    def is_attribute(self) -> bool:
        """Whether the field is a custom attribute."""
        return self.target.startswith("customAttribute:")


@dataclass(frozen=True, slots=True)
class SourceColumn:
    """A column of a file, or a path in its JSON, with the number of rows that have a value there.

    `uses` is empty if it is not carried over.
    """

    path: str
    rows: int
    uses: tuple[ColumnUse, ...]

    @property
    def is_carried(self) -> bool:
        """Whether the value arrives in Gladly, or in what a look-up or a function makes of it."""
        return any(one.use in _CARRIED for one in self.uses)


@dataclass(frozen=True, slots=True)
class FileCoverage:
    """What becomes of the columns of one file, or of the files that one pattern names, which are in `paths`.

    `transforms` are functions of the user's, watched in the first rows. `left_out` counts the rows with further paths,
    if there are too many to list.
    """

    file: str
    rows: int
    steps: tuple[str, ...]
    columns: tuple[SourceColumn, ...]
    transforms: tuple[str, ...] = ()
    left_out: int = 0
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProjectCoverage:
    """What becomes of each value in the files of a project."""

    project: str
    files: tuple[FileCoverage, ...]


async def project_coverage(file: AnyPath = PROJECT_FILE) -> ProjectCoverage:
    """Read all input files of a project, and return what each of their columns becomes. Nothing is sent.

    Values are only counted. Memory grows with the number of different paths, up to a limit.

    Raises:
        UsageError: The project file, an input or a mapping cannot be used.
    """
    project = load_project(file)

    def look() -> ProjectCoverage:
        plans = plan_steps(project, state_dir=local_path(".bulkgladly"), pace=Pace())
        return ProjectCoverage(project.name, tuple(_coverage_of_files(plans)))

    return await anyio.to_thread.run_sync(look)


def _coverage_of_files(plans: Sequence[PlannedStep]) -> Iterator[FileCoverage]:
    """Yield the files that a pattern names together: an export has one for each page, or for each conversation."""
    users: dict[Path, list[PlannedStep]] = {}
    lookups: dict[Path, list[_Lookup]] = {}
    names: dict[Path, tuple[str, Path]] = {}
    for plan in plans:
        for pattern in plan.patterns:
            for path in files_of([pattern]):
                users.setdefault(path.resolve(), []).append(plan)
                names.setdefault(path.resolve(), (pattern, path))
        for pattern_path, reads in reads_of_lookups(plan).items():
            for path in files_of([str(pattern_path)]):
                lookups.setdefault(path.resolve(), []).append((plan.name, reads))
                names.setdefault(path.resolve(), (str(pattern_path), path))
    groups: dict[tuple[str, tuple[int, ...]], list[Path]] = {}
    for path, (name, _) in names.items():
        used_by = (*map(id, users.get(path, ())), *(id(reads) for _, reads in lookups.get(path, ())))
        groups.setdefault((name, used_by), []).append(path)
    for (name, _), found in groups.items():
        paths = [names[path][1] for path in found]
        label = str(paths[0]) if len(paths) == 1 else name
        yield _coverage_of(label, paths, users.get(found[0], []), lookups.get(found[0], []))


def _coverage_of(
    label: str, files: Sequence[Path], users: Sequence[PlannedStep], looked_up: Sequence[_Lookup]
) -> FileCoverage:
    """Return what becomes of the columns of files, by the steps that import them and those that look values up."""
    paths = _PathCounts()
    # A file is read as the first of its steps reads it: what is in it does not depend on what it becomes.
    reading = reading_for(users[0].options.mapping, users[0].options.reading) if users else ReadOptions()
    inputs = Inputs.open([glob.escape(str(path)) for path in files], reading)
    header = inputs.readers[0].columns()
    for reader in inputs.readers:
        paths.known(reader.columns() or ())
    functions = [(plan.name, found) for plan in users if (found := transform_of(plan)) is not None]
    watched: dict[str, dict[str, None]] = {name: {} for name, _ in functions}
    with closing(inputs.batches()) as batches:
        for row in (row for rows in batches for row in rows):
            for name, function in functions if paths.rows < WATCHED_ROWS else ():
                watched[name] |= dict.fromkeys(function.paths_read(row.fields or {}))
            paths.count(row.fields or {})
    reads = [(plan.name, _reads_of(plan, paths.top)) for plan in users] + list(looked_up)
    for name, function in functions:
        reads.append((name, [StepRead(one, SourceUse.TRANSFORM, function.name) for one in watched[name]]))
    columns = tuple(
        SourceColumn(name, number, tuple(_uses_of(name, reads, is_column=header is not None)))
        for name, number in paths.found()
    )
    transforms = dict.fromkeys(function.name for _, function in functions)
    steps = dict.fromkeys((*(plan.name for plan in users), *(name for name, _ in looked_up)))
    return FileCoverage(
        label, paths.rows, tuple(steps), columns, tuple(transforms), paths.left_out, tuple(map(str, files))
    )


def _reads_of(plan: PlannedStep, columns: Sequence[str]) -> list[StepRead]:
    choice = plan.options.mapping
    if choice is None or choice.file is None:
        return reads_of_columns(plan, columns)
    return reads_of_mapping(plan)


def _uses_of(path: str, reads: Sequence[tuple[str, Sequence[StepRead]]], *, is_column: bool) -> Iterator[ColumnUse]:
    """Yield what a value is used for: by itself, or as a part of an object or a list that is used as a whole."""
    for step, found in reads:
        uses = [
            ColumnUse(step, read.use, read.target)
            for read in found
            if read.path == path or (not is_column and read.use is not SourceUse.LIST and _is_below(path, read.path))
        ]
        yield from dict.fromkeys(uses)


def _is_below(path: str, whole: str) -> bool:
    whole = whole.removesuffix("[]")
    rest = path.removeprefix(whole)
    return rest != path and rest[:1] in ("", ".", "[")


class _PathCounts:
    """Counts, for each path of a file, the rows that have a value there."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.rows = self.left_out = 0
        self._top: dict[str, None] = {}

    @property
    def top(self) -> tuple[str, ...]:
        """The columns of the rows, without what is within them."""
        return tuple(self._top)

    def found(self) -> Iterator[tuple[str, int]]:
        """Yield each path with its rows; a list or an object that was only ever empty here is told by its parts."""
        wholes = {path[:at] for path in self.counts for at, letter in enumerate(path) if letter in ".["}
        yield from ((path, number) for path, number in self.counts.items() if number or path not in wholes)

    def known(self, columns: Sequence[str]) -> None:
        """Count columns that the file has, even if no row has a value for them."""
        self._top |= dict.fromkeys(columns)
        for column in columns:
            self.counts[column] += 0

    def count(self, fields: Mapping[str, Any]) -> None:
        """Count one row."""
        self.rows += 1
        self._top |= dict.fromkeys(list(fields)[: _MOST_PATHS - len(self._top)])
        seen: dict[str, bool] = {}
        for name, value in fields.items():
            _collect(value, name, seen, _DEEPEST)
        is_cut = False
        for path, has_value in seen.items():
            if path in self.counts or len(self.counts) < _MOST_PATHS:
                self.counts[path] += has_value
            else:
                is_cut = True
        self.left_out += is_cut


def _collect(value: Any, path: str, seen: dict[str, bool], deepest: int) -> None:
    if isinstance(value, dict) and value and deepest:
        for name, member in value.items():
            _collect(member, f"{path}.{name}", seen, deepest - 1)
    elif isinstance(value, list) and value and deepest:
        for element in value[:_MOST_ELEMENTS]:
            _collect(element, f"{path}[]", seen, deepest - 1)
    else:
        has_value = value is not None and value not in ("", [], {})
        seen[path] = seen.get(path, False) or has_value
