"""`verify`: compare what Gladly holds with an earlier run, a plan or files. Nothing is written to Gladly."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bulkgladly.cli import completions, flags
from bulkgladly.cli.flag_groups import FlagGroup, OutputFlags, RunPaceFlags, StopFlags, WhereFlags, with_flags
from bulkgladly.cli.flags import call_option
from bulkgladly.cli.output import run_and_leave
from bulkgladly.cli.row_flags import RowFlags, words_of
from bulkgladly.cli.streams import standard_input
from bulkgladly.commands import next_command
from bulkgladly.errors import UsageError

if TYPE_CHECKING:
    from bulkgladly.verification.verify_options import VerifyOptions

__all__ = ("VerifyFlags", "verify")

_PLAN = "plan.json"


@dataclass(frozen=True)
class VerifyFlags(FlagGroup):
    """How much is compared, and what is shown of it."""

    sample: Annotated[
        str | None,
        call_option(
            "--sample",
            "Compare only N rows, or a percentage such as 5%, chosen at random. (default: all)",
            "What is compared",
            "N|P%",
        ),
    ] = None
    forget: Annotated[
        bool,
        call_option(
            "--forget",
            "Let the next import of these rows send the fields that differ again. Without it, an import leaves them "
            "alone, because it remembers sending them.",
            "What is compared",
        ),
    ] = False
    show_values: flags.ShowValues = False

    def options(self, **more: Any) -> "VerifyOptions":
        """Return the options of a verification; `more` are those of other groups.

        Raises:
            UsageError: The value of an option is not valid.
        """
        from bulkgladly.verification.verify_options import VerifyOptions

        return VerifyOptions(sample=self.sample, forget=self.forget, show_values=self.show_values, **more)


@dataclass(frozen=True)
class VerifiedRowFlags(RowFlags):
    """What the rows of files are, as for an import of them."""

    after: flags.After = ""


@with_flags
def verify(
    context: typer.Context,
    what: Annotated[
        str,
        typer.Argument(
            help="A run, or an unambiguous part of its name; or the folder of a plan; or an object, followed by its "
            "files.",
            metavar="RUN|PLAN|OBJECT",
            autocompletion=completions.verifiable,
        ),
    ],
    chosen: VerifyFlags,
    rows: VerifiedRowFlags,
    pace: RunPaceFlags,
    stop: StopFlags,
    where: WhereFlags,
    output: OutputFlags,
    files: Annotated[
        list[str] | None,
        typer.Argument(
            help="The files of an object, as for `import`; - for standard input. Of a run or a plan: its files that "
            "were moved.",
            metavar="FILE",
        ),
    ] = None,
) -> None:
    """Compare what Gladly holds with what a run, a plan or files say. Nothing is written to Gladly.

    Each row is equal, different (with the fields), missing, merged into another customer, unreadable, or was not sent.
    The exit code is 0 if all are equal, 6 if there are differences, and 1 if some rows could not be read.
    """
    if files and _is_object(what, where.state_dir):
        run_and_leave(context, _of_files(context, what, files, chosen, rows, pace=pace, stop=stop, where=where), output)
    _refuse_row_flags(context, what)
    credentials = where.credentials(context)
    begin = _of_run_or_plan(what, files or (), chosen, pace=pace, stop=stop, where=where)
    work = partial(_with_terms, begin, credentials)
    run_and_leave(context, work, output)


def _is_object(what: str, state_dir: Path) -> bool:
    """Tell whether files are those of an object. What is neither a plan nor in the name of a run is taken for one."""
    from bulkgladly.gladly.table import IMPORTS
    from bulkgladly.journal.runs import all_folders

    if what in IMPORTS:
        return True
    return not (Path(what) / _PLAN).is_file() and not any(what in run.name for run in all_folders(state_dir))


def _of_files(
    context: typer.Context,
    what: str,
    files: list[str],
    chosen: VerifyFlags,
    rows: VerifiedRowFlags,
    *,
    pace: RunPaceFlags,
    stop: StopFlags,
    where: WhereFlags,
) -> Callable[..., Any]:
    from bulkgladly.imports.import_options import namespaces_after
    from bulkgladly.verification.verify_run import verify_files

    after = namespaces_after(where.state_dir, words_of(rows.after))
    options = rows.options(pace=pace.over(), limits=stop.over(), after=after, state_dir=where.state_dir)
    credentials = where.credentials(context)
    begin = partial(verify_files, what, files, options, chosen=chosen.options(), stdin=standard_input())
    return partial(_with_terms, begin, credentials)


def _of_run_or_plan(
    what: str, moved: Sequence[str], chosen: VerifyFlags, *, pace: RunPaceFlags, stop: StopFlags, where: WhereFlags
) -> Callable[..., Any]:
    from bulkgladly.gladly.table import IMPORTS
    from bulkgladly.journal.runs import find_run
    from bulkgladly.verification.verify_run import verify_plan, verify_run

    options = chosen.options(pace=pace.over(), limits=stop.over(), state_dir=where.state_dir)
    if (Path(what) / _PLAN).is_file():
        return partial(verify_plan, Path(what), options, moved=moved)
    if what in IMPORTS:
        raise UsageError(_nothing_named(what, where.state_dir))
    return partial(verify_run, find_run(where.state_dir, what), options, moved=moved)


def _nothing_named(resource: str, state_dir: Path) -> str:
    """Return what to name instead of an object alone: its newest import, or files."""
    from bulkgladly.journal.runs import newest_import

    files = f"pass them: `bulkgladly verify {resource} FILE`"
    if (run := newest_import(state_dir, resource=resource)) is not None:
        command = next_command("verify", run.name, state_dir=state_dir, connects=True)
        files += f"; or compare what its newest import has sent: `{command}`"
    return f"no files of {resource} are named; {files}"


async def _with_terms(begin: Callable[..., Any], credentials: Any, *, observer: Any, **more: Any) -> Any:
    """Begin a verification with what `run_and_leave` gives to every run."""
    from bulkgladly.runs.session import Terms

    return await begin(terms=Terms(credentials, observer, more["with_signals"], more["environment"]))


def _refuse_row_flags(context: typer.Context, what: str) -> None:
    """Refuse options that say what rows are: a run and a plan have their own.

    Raises:
        UsageError: One is given on the command line.
    """
    for each in fields(VerifiedRowFlags):
        source = context.get_parameter_source(each.name)
        if source is not None and source.name == "COMMANDLINE":
            flag = "--" + each.name.strip("_").replace("_", "-")
            flag = {"--variables": "--var"}.get(flag, flag)
            raise UsageError(f"{what} has its own settings; omit {flag}, or name an object and its files")
