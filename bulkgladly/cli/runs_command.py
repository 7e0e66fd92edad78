"""`runs list`, `runs show` and `runs purge`: the runs of a state directory, read from their folders alone."""

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from bulkgladly.cli import flags
from bulkgladly.cli.clock_words import when_text
from bulkgladly.cli.output import print_json, print_lines, print_table, tell
from bulkgladly.cli.run_arguments import AnyRun, meant_run
from bulkgladly.cli.runs_steering import steering_text
from bulkgladly.cli.terminal_lines import Line, coloured, ending_line, ending_word
from bulkgladly.commands import next_command

__all__ = ("about_run", "list_", "purge", "show")

EXAMPLES = 5
_UNITS = "units "
_UNDO = "undo"
_NOT_GOOD = (
    "rejected",
    "unknown",
    "different",
    "missing",
    "unreadable",
    *(f"{_UNITS}{state}" for state in ("incomplete", "gone", "failed")),
)


def list_(state_dir: flags.StateDir = Path(".bulkgladly"), json: flags.Json = False) -> None:
    """List the runs in the state directory, oldest first."""
    from bulkgladly.journal.runs import all_folders
    from bulkgladly.rate_schedule import local_zone

    rows = [about_run(run) for run in all_folders(state_dir)]
    undone = _undone_names(rows)
    rows = [{**row, "is_undone": True} if row["run"] in undone else row for row in rows]
    if json:
        print_json(rows)
        return
    if not rows:
        tell(f"no runs in {state_dir}")
        return
    now = dt.datetime.now(local_zone())
    print_table(("run", "status", "started", "took", "input or folder", "result"), [_cells(row, now) for row in rows])


def _cells(row: Mapping[str, Any], now: dt.datetime) -> list[str | Line]:
    """Return a run as the cells of the list."""
    from bulkgladly.runs.observer import duration_text

    return [
        row["run"],
        ending_word(row["status"], is_clean=not any(row["counts"].get(word) for word in _NOT_GOOD)),
        _began_text(row, now),
        duration_text(row["seconds"]) if row.get("seconds") else "",
        _origin_text(row),
        coloured(row.get("problem") or _result_text(row)),
    ]


def _undone_names(rows: Sequence[Mapping[str, Any]]) -> set[str]:
    """Return the runs of which an undo in the list has taken something back."""
    undos = (row for row in rows if row.get("mode") == _UNDO and _has_taken_back(row))
    return {name for row in undos for name in row["inputs"]}


def _has_taken_back(undo: Mapping[str, Any]) -> bool:
    return any(undo["counts"].get(word) for word in ("updated", "deleted"))


def _result_text(row: Mapping[str, Any]) -> str:
    """Return the counts of a run, and its pace while it works."""
    counts = _counts_text(row["counts"], is_undo=row.get("mode") == _UNDO)
    if row.get("is_undone"):
        counts = f"{counts}; taken back since"
    if not row.get("steering"):
        return counts
    return f"{counts}; {row['steering']['text']}" if counts else str(row["steering"]["text"])


def _began_text(row: Mapping[str, Any], now: dt.datetime) -> str:
    """Return when a run began, in local time; nothing if its header does not say."""
    try:
        began = dt.datetime.fromisoformat(row.get("started_at") or "")
        return when_text(began.replace(tzinfo=began.tzinfo or dt.UTC), now)
    except (OverflowError, ValueError):
        return ""


def _origin_text(row: Mapping[str, Any]) -> str:
    """Return what a run reads or writes: its files or its folder, and the plan that it applies."""
    names = _names_text(row.get("inputs") or [])
    return f"{names}, as planned in {Path(row['applies']).name}" if row.get("applies") else names


def _names_text(paths: Sequence[str]) -> str:
    """Return the name of the first file, and how many more there are."""
    first = Path(paths[0]).name if paths else ""
    return f"{first} and {len(paths) - 1:,} more" if len(paths) > 1 else first


def about_run(run: Any) -> dict[str, Any]:
    """Return a run's status and counts, or why it cannot be read. A damaged run does not keep others from the list."""
    from bulkgladly.errors import BulkgladlyError

    fault = run.fault()
    if fault is not None:
        return {"run": run.name, "status": fault.word, "counts": {}, "problem": fault.detail}
    # A run gets its folder before its header.
    if not (run.path / "run.json").exists():
        return {"run": run.name, "status": "new", "counts": {}}  # another process has just started it
    try:
        header = run.header()
        counts = _counts_of(run, header)
        out = header.settings.get("out")  # an export has no input, but a folder
        return {
            "run": run.name,
            **_status_of(run),
            "started_at": header.created_at,
            "seconds": run.seconds(),
            "inputs": [item.path for item in header.inputs] or ([str(out)] if out else []) or _undone(header),
            "counts": counts,
            **({"applies": str(header.plan)} if header.plan is not None else {}),
            **({"mode": header.mode} if header.mode == _UNDO else {}),
        }
    except BulkgladlyError as error:
        return {"run": run.name, "status": "damaged", "counts": {}, "problem": str(error)}


def _undone(header: Any) -> list[str]:
    """Return the run that an undo takes back, in the place of files."""
    return [header.parent] if header.mode == _UNDO and header.parent else []


def _status_of(run: Any) -> dict[str, Any]:
    """Return the status of a run, `paused` if a person has paused it, and what steers it while it works."""
    from bulkgladly.runs.steer_run import obeyed_now

    status = run.live_status()
    obeyed = obeyed_now(run) if status == "running" else None
    if obeyed is None:
        return {"status": status, "steering": None}
    steering = {name: getattr(obeyed, name) for name in ("is_paused", "is_stopped", "rate", "per_second", "why")}
    return {"status": "paused" if obeyed.is_paused else status, "steering": {**steering, "text": steering_text(obeyed)}}


def show(
    run: AnyRun = None,
    state_dir: flags.StateDir = Path(".bulkgladly"),
    json: flags.Json = False,
) -> None:
    """Show one run, even while it is running: its counts, its first rejected rows and where its files are."""
    about = _about_in_full(meant_run(state_dir, run))
    if json:
        print_json(about)
        return
    _show_run(about)
    if about["mode"] == "export" and about["report"] is not None:
        _show_export(about["report"])
    if about["mode"] == "verify" and about["report"] is not None:
        _show_differences(about["report"])
    print_lines(*(f"  next: {command}" for command in _next_of(about, state_dir)))


def _about_in_full(folder: Any) -> dict[str, Any]:
    """Return what `runs show` says of a run."""
    from bulkgladly.journal.results import first_rejects, rejects_by_code

    header = folder.header()
    has_records = folder.has_records()
    return {
        "run": folder.name,
        **_status_of(folder),
        "resource": header.resource,
        "mode": header.mode,
        "host": header.host,
        "started_at": header.created_at,
        "seconds": folder.seconds(),
        "inputs": [item.path for item in header.inputs],
        "parent": header.parent,
        "applies": None if header.plan is None else str(header.plan),
        "undone_by": _undos_of(folder),
        "folder": str(folder.path),
        "counts": _counts_of(folder, header),
        "rejects_by_code": rejects_by_code(folder.path) if has_records else {},
        "first_rejects": first_rejects(folder.path, about_names(header), EXAMPLES) if has_records else [],
        "report": folder.report(),
    }


def _undos_of(run: Any) -> list[dict[str, Any]]:
    """Return the undos of a run: their names, and how far they have got."""
    from bulkgladly.journal.undone_runs import undos_of

    found = [about_run(undo) for undo in undos_of(run)]
    return [{name: one[name] for name in ("run", "status", "counts")} for one in found]


def _undone_text(undo: Mapping[str, Any]) -> str:
    """Return what an undo did: `3 restored by customers-undo_…`, and its status if it has not ended."""
    counts = _counts_text(undo["counts"], is_undo=True)
    text = f"{counts} by {undo['run']}" if counts else f"by {undo['run']}"
    return text if undo["status"] == "complete" else f"{text} ({undo['status']})"


def _next_of(about: Mapping[str, Any], state_dir: Path) -> list[str]:
    """Return the commands that make sense after a run: those of its report, which knows why the run has ended."""
    if about["status"] == "paused":
        return [next_command("runs", "continue", about["run"], state_dir=state_dir)]
    if any(map(_has_taken_back, about["undone_by"])):
        return []  # neither is there anything to resume, nor does its report know
    if about["status"] in ("interrupted", "stopped", "failed"):
        return [next_command("resume", about["run"], state_dir=state_dir, connects=True)]
    if about["status"] != "complete":
        return []
    kept = (about["report"] or {}).get("next_commands") or []
    return [command for command in kept if " runs show " not in command]


def purge(
    older_than: Annotated[
        str, typer.Option(help="Remove complete runs that began longer ago than this, such as 90d.", metavar="TIME")
    ],
    state_dir: flags.StateDir = Path(".bulkgladly"),
    json: flags.Json = False,
) -> None:
    """Remove old runs and their files. Their results are lost, and their rejects can no longer be retried.

    Runs that can be resumed stay. So does what bulkgladly remembers of records between runs: a later import of the same
    file still sends nothing twice.
    """
    from bulkgladly.cli.values import seconds_of
    from bulkgladly.journal.runs import purge_runs
    from bulkgladly.runs.observer import counted

    before = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=seconds_of("--older-than", older_than))
    found = purge_runs(state_dir, before)
    if json:
        print_json(found._asdict())
        return
    print_lines(f"removed {counted(len(found.removed), 'run')} ({found.bytes / 1e6:,.1f} MB)")
    print_lines(*(f"kept {name}: {why}" for name, why in found.kept.items()))


def _show_run(about: Mapping[str, Any]) -> None:
    """Print what a run moved, from where, its counts, and the first rows that were rejected."""
    is_clean = not any(about["counts"].get(word) for word in _NOT_GOOD)
    print_lines(ending_line(f"{about['run']}: {about['status']}", is_clean=is_clean))
    from bulkgladly.rate_schedule import local_zone

    now = dt.datetime.now(local_zone())
    lines = [("object", f"{about['resource']} (mode: {about['mode']})"), ("host", about["host"])]
    lines += [("started", f"{began}{_took_text(about)}")] if (began := _began_text(about, now)) else []
    if about["steering"]:
        lines.append(("pace", about["steering"]["text"]))
    lines += [("input", path) for path in about["inputs"]]
    lines += [("applies", about["applies"])] if about["applies"] else []
    lines += [("undoes", about["parent"])] if about["mode"] == _UNDO else []
    lines.append(("folder", about["folder"]))
    if about["counts"]:
        lines.append(("result", _counts_text(about["counts"], is_undo=about["mode"] == _UNDO)))
    lines += [("undone", _undone_text(undo)) for undo in about["undone_by"]]
    if about["rejects_by_code"]:
        codes = ", ".join(f"{number:,} x {code}" for code, number in about["rejects_by_code"].items())
        lines.append(("rejected", codes))
    print_lines(*(f"  {label:<8}  {text}" for label, text in lines))
    print_lines(*(f"    {line}" for line in about["first_rejects"]))
    more = sum(about["rejects_by_code"].values()) - len(about["first_rejects"])
    if about["first_rejects"] and more > 0:
        print_lines(f"    and {more:,} more in {about['folder']}/rejected.ndjson")


def _took_text(about: Mapping[str, Any]) -> str:
    from bulkgladly.runs.observer import duration_text

    return f", took {duration_text(about['seconds'])}" if about["seconds"] else ""


def _counts_text(counts: Mapping[str, int], *, is_undo: bool = False) -> str:
    """Return counts by outcome with their shares. Those of an export are `units ...`: people read downloads."""
    from bulkgladly.cli.progress_words import SHOWN, counts_text

    if is_undo:
        from bulkgladly.undo.undo_page import said_of

        counts = said_of(counts)
    if not any(word.startswith(_UNITS) for word in counts):
        return counts_text(counts, [*SHOWN, *(word for word in counts if word not in SHOWN)])
    named = {word.removeprefix(_UNITS): number for word, number in counts.items()}
    return f"downloads: {counts_text(named, sorted(named, key=lambda word: (word != 'done', word)))}"


def _show_export(report: Mapping[str, Any]) -> None:
    """Print what the report of an export has beside its counts."""
    for told in report["told"][:EXAMPLES]:
        print_lines(f"    {told['state']}: {told['data_set']} {told['unit']}: {told['detail']}")
    for note in report["notes"]:
        print_lines(f"    {note}")
    if report["next_loss"] is not None:
        print_lines(f"  run it again before {report['next_loss']}: after that Gladly deletes what was not fetched")


def _show_differences(report: Mapping[str, Any]) -> None:
    """Print the fields in which Gladly differs, each with the first place."""
    from bulkgladly.runs.observer import counted

    for one in report["fields"][:EXAMPLES]:
        first = one["samples"][0]
        told = f"{first['place']}: the file has {first['expected']}, Gladly holds {first['held']}"
        print_lines(f"    {one['field']}, {counted(one['rows'], 'row')}: {told}")
    if report["sample_says"]:
        print_lines(f"    {report['sample_says']}")


def _counts_of(run: Any, header: Any) -> dict[str, int]:
    """Count what became of the items of a run: rows by outcome or verdict, or units by state."""
    from bulkgladly.journal.results import count_by_word
    from bulkgladly.journal.verdicts import count_verdicts

    if header.mode == "verify":
        return count_verdicts(run.path)
    if not run.has_records():
        return _units_by_state(run)
    return _plan_counts(run) if header.mode == "plan" else count_by_word(run.path)


def _plan_counts(run: Any) -> dict[str, int]:
    """Count what a plan foresees: by its report once it is complete, until then as far as it has got."""
    from bulkgladly.plans.plan_log import PLAN_WORDS, planned_counts

    counts = (run.report() or {}).get("counts", {}) if run.status() == "complete" else {}
    if "to_create" not in counts:
        return planned_counts(run.path)
    return {word: counts[word] for word in PLAN_WORDS if counts.get(word)}


def _units_by_state(run: Any) -> dict[str, int]:
    """Count the units of an export by state, or the keys of a repair by what was found."""
    from bulkgladly.crosswalk.crosswalk_findings import REPAIR, repair_counts
    from bulkgladly.journal.units import units_of

    if run.status() == "new":
        return {}
    if run.header().mode == REPAIR:
        return repair_counts(run.path)
    return dict(Counter(f"{_UNITS}{unit.state}" for unit in units_of(run.path)))


def about_names(header: Any) -> list[str]:
    """Return the names of a run's inputs, by number."""
    return [Path(item.path).name for item in header.inputs]
