"""`undo`: take back what a run has changed in Gladly."""

import datetime as dt
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bulkgladly.cli import flags
from bulkgladly.cli.flag_groups import FlagGroup, OutputFlags, RunPaceFlags, UndoStopFlags, WhereFlags, with_flags
from bulkgladly.cli.flags import SAFETY, call_option
from bulkgladly.cli.output import can_ask, print_json, run_and_leave, tell
from bulkgladly.cli.run_arguments import UndoableRun
from bulkgladly.errors import UsageError

if TYPE_CHECKING:
    from bulkgladly.settings import Pace
    from bulkgladly.undo.run_undo import UndoPreview

__all__ = ("undo",)

SAMPLES = 3


@dataclass(frozen=True)
class _UndoFlags(FlagGroup):
    """What is done before, or instead of, the undo."""

    dry_run: Annotated[
        bool, call_option("--dry-run", "Say what would be taken back and what cannot be, and send nothing.", SAFETY)
    ] = False
    yes: Annotated[bool, call_option("--yes", "Delete and restore without asking for confirmation.", SAFETY)] = False
    show_values: flags.ShowValues = False


@with_flags
def undo(
    context: typer.Context,
    run: UndoableRun,
    safety: _UndoFlags,
    pace: RunPaceFlags,
    stop: UndoStopFlags,
    where: WhereFlags,
    output: OutputFlags,
) -> None:
    """Take back what a run has changed in Gladly. It is a run of its own, which can be stopped and resumed.

    What the run created is deleted, and what it updated gets its previous values back, unless somebody has changed it
    since. What people did is kept.
    """
    from bulkgladly.journal.runs import find_run
    from bulkgladly.undo.run_undo import preview_undo, start_undo
    from bulkgladly.undo.undo_options import UndoOptions

    folder = find_run(where.state_dir, run)
    preview = preview_undo(folder, samples=SAMPLES if safety.dry_run else 0)
    options = UndoOptions(run=folder.name, pace=pace.over(), limits=stop.over(), state_dir=where.state_dir)
    if safety.dry_run or not preview.counts.to_do:
        _tell_plan(folder.name, preview, options.pace)
        _tell_samples(preview, show_values=safety.show_values)
        if output.json:
            print_json({"run": folder.name, **asdict(preview.counts), "objects": preview.counts.objects})
        raise typer.Exit(0 if safety.dry_run or not preview.counts.objects else 1)
    credentials = where.credentials(context)
    if not safety.yes:
        _tell_plan(folder.name, preview, options.pace)
        _confirm(credentials.host)
    run_and_leave(context, partial(start_undo, folder, credentials, options), output)


def _tell_plan(run: str, preview: "UndoPreview", pace: "Pace") -> None:
    from bulkgladly.undo.undo_page import cannot_text, estimate_of_undo, plan_text, several

    counts = preview.counts
    already = f"{several(counts.already, counts.noun)} already taken back by {', '.join(counts.undone_by)}"
    if not counts.objects:
        tell(f"nothing to do: {already if counts.already else f'run {run} has changed nothing in Gladly'}")
        return
    tell(f"undo of {run}: {plan_text(counts)}")
    tell(*(f"  {line}" for line in cannot_text(counts, preview.spec)))
    if counts.already:
        tell(f"  {already}")
    if counts.to_do:
        effort = estimate_of_undo(counts, pace.foreseen(dt.datetime.now(dt.UTC))).effort()
        tell(f"  {effort}; what somebody has changed since is kept")


def _tell_samples(preview: "UndoPreview", *, show_values: bool) -> None:
    from bulkgladly.mapping.column_shapes import shape, shown

    def text(value: Any) -> str:
        return "nothing" if value in (None, "", []) else shown(value) if show_values else shape(value)

    for gladly_id, fields in preview.samples:
        tell(f"  for example {preview.counts.noun} {gladly_id}:")
        tell(*(f"    {one.name}: {text(one.left)} back to {text(one.before)}" for one in fields))
    if preview.samples and not show_values:
        tell("  Values are masked (a/A letter, 9 digit). Use --show-values to see them.")


def _confirm(host: str) -> None:
    """Ask a person whether to go on.

    Raises:
        Abort: The person has said no.
        UsageError: There is nobody to ask.
    """
    if not can_ask():
        raise UsageError(f"an undo deletes and changes objects in {host}; pass --yes to do it without confirmation")
    typer.confirm(f"Take this back in {host}?", abort=True, err=True)
