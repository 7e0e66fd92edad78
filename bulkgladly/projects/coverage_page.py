"""The coverage of a project as a page for people to sign, and as JSON."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from bulkgladly.errors import UsageError
from bulkgladly.projects.source_coverage import WATCHED_ROWS, ColumnUse, FileCoverage, ProjectCoverage, SourceColumn
from bulkgladly.projects.step_reads import SourceUse
from bulkgladly.runs.observer import counted
from bulkgladly.shown import shown_cell
from bulkgladly.storage.durable import write_whole
from bulkgladly.storage.failures import writing

__all__ = ("coverage_as_json", "coverage_page", "write_coverage")

_SAID = {SourceUse.KEY: "the key", SourceUse.FILTER: "which records are made", SourceUse.LIST: "one record each"}


def write_coverage(coverage: ProjectCoverage, path: Path, today: dt.date) -> None:
    """Write the page, or JSON if that is what the name says. It replaces an earlier one.

    Raises:
        UsageError: The name ends otherwise, or is that of an input file.
        DiskFull: It cannot be written.
    """
    if path.suffix.lower() not in (".md", ".json"):
        raise UsageError(f"--coverage {path}: choose a name that ends with .md (a page) or .json")
    if any(path.resolve() == Path(one).resolve() for file in coverage.files for one in file.paths):
        raise UsageError(f"--coverage {path}: is an input of the project; choose another name")
    if path.suffix.lower() == ".json":
        content = orjson.dumps(coverage_as_json(coverage), option=orjson.OPT_INDENT_2)
    else:
        content = coverage_page(coverage, today).encode()
    with writing(path, "try again"):
        write_whole(path, content)


def coverage_page(coverage: ProjectCoverage, today: dt.date) -> str:
    """Return the page as Markdown: for each file a table of its columns, and lines to sign at the end."""
    carried = sum(one.is_carried for file in coverage.files for one in file.columns)
    every = sum(len(file.columns) for file in coverage.files)
    parts = [
        f"# {shown_cell(coverage.project)}: what is carried over",
        f"As of {today:%d %B %Y}. {carried:,} of {counted(every, 'column')} are carried over to Gladly.",
    ]
    for file in coverage.files:
        parts += [f"## {shown_cell(file.file)}", *_file(file)]
    parts.append("## Agreed\n\nWe agree that what is not carried over is left behind.")
    parts.append("| name | date | signature |\n|---|---|---|\n| &nbsp; | | |\n| &nbsp; | | |")
    return "\n\n".join(parts) + "\n"


def coverage_as_json(coverage: ProjectCoverage) -> dict[str, Any]:
    """Return the same as JSON can hold it."""
    return {
        "project": coverage.project,
        "files": [
            {
                "file": file.file,
                "paths": list(file.paths),
                "rows": file.rows,
                "steps": list(file.steps),
                "transforms": list(file.transforms),
                "rows_with_more_paths": file.left_out,
                "columns": [
                    {
                        "path": one.path,
                        "rows": one.rows,
                        "is_carried": one.is_carried,
                        "uses": [{"step": use.step, "use": use.use.value, "target": use.target} for use in one.uses],
                    }
                    for one in file.columns
                ],
            }
            for file in coverage.files
        ],
    }


def _file(file: FileCoverage) -> Iterator[str]:
    several = f" in {len(file.paths):,} files" if len(file.paths) > 1 else ""
    yield f"{counted(file.rows, 'row')}{several}, read by {', '.join(map(shown_cell, file.steps))}."
    used = [one for one in file.columns if one.uses]
    left = [one for one in file.columns if not one.uses and one.rows]
    empty = [one for one in file.columns if not one.uses and not one.rows]
    if used:
        lines = ["| column | rows with a value | becomes |", "|---|---:|---|"]
        lines += [f"| {shown_cell(one.path)} | {_share(one.rows, file.rows)} | {_becomes(one, file)} |" for one in used]
        yield "\n".join(lines)
    if left:
        functions = shown_cell(", ".join(file.transforms))
        watched = f" ({functions} was watched in the first {WATCHED_ROWS:,} rows)" if functions else ""
        yield f"**Not carried over**{watched}:"
        lines = ["| column | rows with a value |", "|---|---:|"]
        lines += [f"| {shown_cell(one.path)} | {_share(one.rows, file.rows)} |" for one in left]
        yield "\n".join(lines)
    if empty:
        yield f"Empty in all rows: {', '.join(shown_cell(one.path) for one in empty)}."
    if file.left_out:
        yield f"{counted(file.left_out, 'row')} have further values, which are too many to list."


def _share(rows: int, of: int) -> str:
    if not rows or not of:
        return "none"
    # Rounded, but all of it is 100 % and more than nothing is not 0 %.
    percent = 100 if rows == of else min(99, max(1, round(100 * rows / of)))
    return f"{rows:,} ({percent} %)"


def _becomes(column: SourceColumn, file: FileCoverage) -> str:
    by_step: dict[str, list[str]] = {}
    for use in column.uses:
        if use.use is not SourceUse.TRANSFORM:
            by_step.setdefault(use.step, []).append(_use(use))
    several = len(file.steps) > 1
    told = [f"{step}: {', '.join(uses)}" if several else ", ".join(uses) for step, uses in by_step.items()]
    told += dict.fromkeys(f"used by {use.target}" for use in column.uses if use.use is SourceUse.TRANSFORM)
    return shown_cell("; ".join(told) + ("" if column.is_carried else " (not carried over itself)"))


def _use(use: ColumnUse) -> str:
    match use.use:
        case SourceUse.FIELD:
            return use.target
        case SourceUse.ATTRIBUTE:
            return _attribute(use.target)
        case SourceUse.LOOKUP:
            return f"{_attribute(use.target) if use.is_attribute else use.target or 'key'} (looked up)"
        case other:
            return _SAID[other]


def _attribute(target: str) -> str:
    return f"attribute {target.partition(':')[2] or target}"
