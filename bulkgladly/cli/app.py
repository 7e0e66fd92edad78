"""The program `bulkgladly`: its commands, and what every one of them does with an error."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from bulkgladly._version import __version__
from bulkgladly.cli import (
    check_command,
    dataset_command,
    doctor_command,
    export_command,
    import_command,
    map_command,
    resume_command,
    runs_command,
    schema_command,
)
from bulkgladly.cli.configuration import use_settings_file
from bulkgladly.errors import BulkgladlyError

__all__ = ("app", "run")

app = typer.Typer(
    name="bulkgladly",
    help="Bulk import and export for Gladly: every record once, at Gladly's pace, resumable at any time.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
runs = typer.Typer(help="What ran here.", no_args_is_help=True)
dataset = typer.Typer(help="What was exported: is it whole, what is missing.", no_args_is_help=True)
maps = typer.Typer(help="From your columns to Gladly's fields.", no_args_is_help=True)
schema = typer.Typer(help="The columns of what is read and written.", no_args_is_help=True)

app.command("import")(import_command.import_)
app.command()(export_command.export)
app.command()(export_command.dump)
app.command()(check_command.check)
app.command()(resume_command.resume)
app.command()(resume_command.retry)
app.add_typer(runs, name="runs")
runs.command("list")(runs_command.list_)
runs.command()(runs_command.show)
app.command()(doctor_command.doctor)
app.add_typer(dataset, name="dataset")
dataset.command()(dataset_command.verify)
dataset.command()(dataset_command.show)
dataset.command()(dataset_command.drift)
dataset.command()(dataset_command.compact)
app.add_typer(maps, name="map")
maps.command()(map_command.init)
maps.command()(map_command.check)
app.add_typer(schema, name="schema")
schema.command()(schema_command.show)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True}, add_help_option=False)
def emulator(context: typer.Context) -> None:
    """Run the local stand-in for Gladly: limits, conflicts, merges and faults, without an account."""
    from bulkgladly.emulator.__main__ import main as serve

    raise typer.Exit(serve(context.args))


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"bulkgladly {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(
            help="The settings file. (default: bulkgladly.toml here, if there is one)",
            envvar="BULKGLADLY_CONFIG",
        ),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    del version  # its callback has acted
    use_settings_file(context, config)


def run() -> int:
    """Run the program and return its exit code (design: 0 to 10, 70, 128 + signal). Never a traceback.

    `BULKGLADLY_DEBUG=1` shows where an internal error came from.
    """
    os.umask(0o077)  # what lies beside the journal (WAL files, spooled input) is its owner's alone too
    try:
        result = app(standalone_mode=False)
    except BulkgladlyError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    except typer.Abort:
        sys.stderr.write("stopped; nothing was sent\n")
        return 130
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if os.environ.get("BULKGLADLY_DEBUG"):
            raise
        return _explain(error)
    return result if isinstance(result, int) else 0


def _explain(error: Exception) -> int:
    """Usage errors of the command line explain themselves; anything else is a bug of ours."""
    if callable(show := getattr(error, "show", None)):
        show()
        return int(getattr(error, "exit_code", 2))
    sys.stderr.write(
        f"internal error: {type(error).__name__}: {error}\n"
        "what was committed is whole; `bulkgladly resume` goes on. BULKGLADLY_DEBUG=1 shows where it happened\n"
    )
    return 70
