"""The RUN that a command is about: its argument, one for each sort of run, and the run that it means."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bulkgladly.cli import completions
from bulkgladly.cli.output import tell

if TYPE_CHECKING:
    from bulkgladly.journal.run_folder import RunFolder

__all__ = ("AnyRun", "RejectedRun", "RunningRun", "UndoableRun", "UnfinishedRun", "meant_run", "refuse_unusable_runs")


def _run_argument(what: str, default: str, completer: completions.Completer) -> Any:
    """Return the declaration of an argument for a run; `default` says which one is meant without it."""
    meant_without = f" (default: {default})" if default else ""
    help_ = f"{what}, or an unambiguous part of its name.{meant_without}"
    return typer.Argument(help=help_, metavar="RUN", autocompletion=completer)


AnyRun = Annotated[str | None, _run_argument("The run", "the newest", completions.runs)]
RunningRun = Annotated[str, _run_argument("The run", "", completions.running_runs)]
UnfinishedRun = Annotated[
    str | None, _run_argument("The run", "the newest unfinished run", completions.unfinished_runs)
]
RejectedRun = Annotated[
    str | None,
    _run_argument(
        "The run whose rejected rows to import again", "the newest one with rejected rows", completions.finished_runs
    ),
]
UndoableRun = Annotated[str, _run_argument("The run to take back", "", completions.finished_runs)]


def meant_run(state_dir: Path, name: str | None) -> "RunFolder":
    """Return the run that `AnyRun` means. If there are no runs, say so and leave with exit code 0.

    Raises:
        JournalDamaged: It cannot be used, or none can.
        UsageError: No run, or more than one, has this name.
    """
    from bulkgladly.journal.runs import find_run

    folder = find_run(state_dir, name)
    if folder is None:
        refuse_unusable_runs(state_dir)
        tell(f"no runs in {state_dir}")
        raise typer.Exit(0)
    folder.check()
    return folder


def refuse_unusable_runs(state_dir: Path) -> None:
    """Refuse to say that there is no run where there are some that cannot be used.

    Raises:
        JournalDamaged: There are.
    """
    from bulkgladly.errors import JournalDamaged
    from bulkgladly.journal.runs import unusable_runs

    if unusable := unusable_runs(state_dir):
        raise JournalDamaged(unusable[0])
