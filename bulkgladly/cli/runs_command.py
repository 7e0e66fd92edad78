"""`runs list` and `runs show`: what ran here, read from the run folders alone."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from bulkgladly.cli import flags
from bulkgladly.cli.output import print_json, print_lines, tell
from bulkgladly.commands import next_command

__all__ = ("about_run", "list_", "show")

EXAMPLES = 5


def list_(state_dir: flags.StateDir = Path(".bulkgladly"), json: flags.Json = False) -> None:
    """List the runs of this state directory, the oldest first."""
    from bulkgladly.journal.runs import all_folders

    rows = [about_run(run) for run in all_folders(state_dir)]
    if json:
        print_json(rows)
        return
    if not rows:
        tell(f"no runs in {state_dir}")
    for row in rows:
        told = ", ".join(f"{number:,} {word}" for word, number in row["counts"].items())
        print_lines(f"{row['run']:<50} {row['status']:<12} {row.get('problem', told)}")


def about_run(run: Any) -> dict[str, Any]:
    """Say how a run stands, or why it cannot be used: one that is damaged stops no other from being listed."""
    from bulkgladly.errors import BulkgladlyError
    from bulkgladly.journal.results import count_by_word

    fault = run.fault()
    if fault is not None:
        return {"run": run.name, "status": fault.word, "counts": {}, "problem": fault.detail}
    if not (run.path / "run.json").exists():
        return {"run": run.name, "status": "new", "counts": {}}  # another process is just beginning it
    try:
        counts = count_by_word(run.path) if run.has_records() else _units_by_state(run)
        return {"run": run.name, "status": run.live_status(), "counts": counts}
    except BulkgladlyError as error:
        return {"run": run.name, "status": "damaged", "counts": {}, "problem": str(error)}


def show(
    run: Annotated[
        str | None, typer.Argument(help="The run, or an unambiguous part of its name. (default: the newest)")
    ] = None,
    state_dir: flags.StateDir = Path(".bulkgladly"),
    json: flags.Json = False,
) -> None:
    """Show one run, also while it works: counts, the first rejects, where its files are."""
    from bulkgladly.journal.results import count_by_word, first_rejects, rejects_by_code
    from bulkgladly.journal.runs import find_run

    folder = find_run(state_dir, run)
    if folder is None:
        tell(f"no runs in {state_dir}")
        raise typer.Exit(0)
    folder.check()
    header = folder.header()
    has_records = folder.has_records()
    about: dict[str, Any] = {
        "run": folder.name,
        "status": folder.live_status(),
        "resource": header.resource,
        "mode": header.mode,
        "host": header.host,
        "inputs": [item.path for item in header.inputs],
        "parent": header.parent,
        "folder": str(folder.path),
        "counts": count_by_word(folder.path) if has_records else _units_by_state(folder),
        "rejects_by_code": rejects_by_code(folder.path) if has_records else {},
        "first_rejects": first_rejects(folder.path, about_names(header), EXAMPLES) if has_records else [],
        "report": folder.report(),
    }
    if json:
        print_json(about)
        return
    print_lines(f"{about['run']}: {about['status']}")
    print_lines(f"  {about['resource']}, {about['mode']}, {about['host']}")
    for path in about["inputs"]:
        print_lines(f"  input     {path}")
    print_lines(f"  folder    {about['folder']}")
    for word, number in about["counts"].items():
        print_lines(f"  {number:>9,} {word}")
    for code, number in about["rejects_by_code"].items():
        print_lines(f"  {number:>9,} x {code}")
    for line in about["first_rejects"]:
        print_lines(f"    {line}")
    if header.mode == "export" and about["report"] is not None:
        _show_export(about["report"])
    if about["status"] in ("interrupted", "stopped", "failed"):
        print_lines(f"  next: {next_command('resume', folder.name, state_dir=state_dir, connects=True)}")


def _show_export(report: Mapping[str, Any]) -> None:
    """Print what an export's report tells beside its counts."""
    for told in report["told"][:EXAMPLES]:
        print_lines(f"    {told['state']}: {told['data_set']} {told['unit']}: {told['detail']}")
    for note in report["notes"]:
        print_lines(f"    {note}")
    if report["next_loss"] is not None:
        print_lines(f"  run it again before {report['next_loss']}: after that Gladly deletes what was not fetched")


def _units_by_state(run: Any) -> dict[str, int]:
    """Count how the units of an export ended; nothing for an import."""
    from bulkgladly.journal.units import units_of

    if run.status() == "new":
        return {}
    return dict(Counter(f"units {unit.state}" for unit in units_of(run.path)))


def about_names(header: Any) -> list[str]:
    """Return the names of a run's inputs, by number."""
    return [Path(item.path).name for item in header.inputs]
