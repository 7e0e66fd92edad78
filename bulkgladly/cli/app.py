"""The program `bulkgladly`: its commands, and how each of them ends, errors included."""

import contextvars
import errno
import os
import re
import sqlite3
import sys
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Any

import typer

from bulkgladly._version import __version__
from bulkgladly.choices import closest, unsupported
from bulkgladly.cli import (
    build_command,
    check_command,
    crosswalk_command,
    dataset_command,
    explain_command,
    export_command,
    follow_command,
    import_command,
    inbox_command,
    init_command,
    listen_command,
    live_command,
    load_command,
    map_command,
    migrate_command,
    mirror_command,
    old_data,
    open_command,
    plan_command,
    program_commands,
    resume_command,
    rules_command,
    runs_command,
    runs_steering,
    schema_command,
    undo_command,
    verify_command,
)
from bulkgladly.cli.completions import COMPLETE_VARIABLE
from bulkgladly.cli.configuration import CallContext, use_settings_file
from bulkgladly.cli.examples import EXAMPLES
from bulkgladly.cli.help_pages import HELP_ALL, HelpfulCommand, HelpfulGroup
from bulkgladly.cli.notice_flags import with_notices
from bulkgladly.cli.output import print_lines, print_text, tell, tell_below, why_lost
from bulkgladly.cli.shell_setup import answer_shell, install_completion, show_completion
from bulkgladly.cli.streams import lost_output
from bulkgladly.errors import BulkgladlyError, UsageError
from bulkgladly.storage.failures import database_error, os_problem

__all__ = ("app", "run")

_PROGRAM = "bulkgladly"
_SETTINGS: Mapping[str, Any] = {
    "cls": HelpfulGroup,
    "pretty_exceptions_enable": False,
    "context_settings": {"help_option_names": ["-h", "--help", HELP_ALL]},
}
_MOVE, _PREPARE, _INSPECT, _SET_UP = "Move data", "Prepare an import", "Runs and data sets", "Set up"
_EVENTS = "Events as they happen"

app = typer.Typer(
    name="bulkgladly",
    help="Import data into Gladly and export it, in bulk. Each record is sent once, at the pace that Gladly allows, "
    "and a run can be stopped and resumed at any time.",
    no_args_is_help=True,
    epilog=EXAMPLES[""],
    add_completion=False,  # the two options are ours, below: they name the files that they change
    **_SETTINGS,
)

COMMANDS: Mapping[str, Callable[..., None]] = {
    "import": with_notices(import_command.import_),
    "export": with_notices(export_command.export),
    "dump": with_notices(export_command.dump),
    "plan": plan_command.plan,
    "apply": with_notices(plan_command.apply),
    "check": check_command.check,
    "explain": explain_command.explain,
    "resume": with_notices(resume_command.resume),
    "retry": with_notices(resume_command.retry),
    "undo": with_notices(undo_command.undo),
    "verify": with_notices(verify_command.verify),
    "follow": with_notices(follow_command.follow, is_endless=True),
    "listen": with_notices(listen_command.listen, is_endless=True),
    "live": live_command.live,
    "init": init_command.init,
    "doctor": program_commands.doctor,
}
"""The commands whose options the settings file may give."""

_PANELS: Mapping[str, str] = {
    **dict.fromkeys(("import", "export", "dump"), _MOVE),
    **dict.fromkeys(("follow", "live"), _EVENTS),
    "apply": _MOVE,
    **dict.fromkeys(("check", "plan"), _PREPARE),
    **dict.fromkeys(("resume", "retry", "verify", "explain", "undo"), _INSPECT),
}
_GROUPS: Mapping[str, tuple[str, str, tuple[Callable[..., None], ...]]] = {
    "listen": ("", _EVENTS, (listen_command.register, listen_command.show, listen_command.unregister)),
    "migrate": (
        "Check and run a migration of several steps (migrate.toml).",
        _MOVE,
        (migrate_command.check, with_notices(migrate_command.run), migrate_command.status),
    ),
    "map": ("Map your columns to Gladly's fields.", _PREPARE, (map_command.init, map_command.check)),
    "schema": ("Show the columns of an object.", _PREPARE, (schema_command.show,)),
    "rules": ("Check rules for events.", _EVENTS, (rules_command.check,)),
    "runs": (
        "List, inspect, steer and remove runs.",
        _INSPECT,
        (
            *(runs_command.list_, runs_command.show, open_command.open_, runs_steering.pause),
            *(runs_steering.continue_, runs_steering.rate, runs_steering.stop, runs_command.purge),
        ),
    ),
    "crosswalk": (
        "Export, import and repair the known keys and ids.",
        _INSPECT,
        (crosswalk_command.export, crosswalk_command.import_, crosswalk_command.repair),
    ),
    "inbox": (
        "Look at received events, and pass them on again.",
        _INSPECT,
        (inbox_command.show, inbox_command.replay, inbox_command.drop),
    ),
    "dataset": (
        "Show, check and compact a data set.",
        _INSPECT,
        (
            *(dataset_command.show, dataset_command.verify, dataset_command.drift, dataset_command.compact),
            *(dataset_command.sql, load_command.load, build_command.build),
            *(mirror_command.push, mirror_command.pull, old_data.purge),
        ),
    ),
}


def _build() -> None:
    """Put the commands into the program, each with its panel and its examples."""
    for name, command in COMMANDS.items():
        if name in _GROUPS:
            continue
        panel = _PANELS.get(name, _SET_UP)
        app.command(name, cls=HelpfulCommand, rich_help_panel=panel, epilog=EXAMPLES[name])(command)
    for name, (about, panel, members) in _GROUPS.items():
        itself = COMMANDS.get(name)  # a group that does something by itself as well
        if itself is None:
            group = typer.Typer(help=about, no_args_is_help=True, **_SETTINGS)
        else:
            group = typer.Typer(callback=itself, invoke_without_command=True, **_SETTINGS)
        for member in members:
            own = member.__name__.rstrip("_")
            group.command(own, cls=HelpfulCommand, epilog=EXAMPLES[f"{name} {own}"])(member)
        app.add_typer(group, name=name, rich_help_panel=panel, epilog=EXAMPLES[name])
    # The emulator reads its own arguments, --help included: it imports nothing of ours, and can be run without us.
    app.command(
        cls=HelpfulCommand,
        rich_help_panel=_SET_UP,
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
        add_help_option=False,
    )(program_commands.emulator)
    app.command("help", cls=HelpfulCommand, rich_help_panel=_SET_UP, epilog=EXAMPLES["help"])(program_commands.help_)


_build()


def _print_version(wanted: bool) -> None:
    if wanted:
        print_lines(f"bulkgladly {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(
            help="The settings file, also $BULKGLADLY_CONFIG. (default: bulkgladly.toml in this folder, if it exists)",
            envvar="BULKGLADLY_CONFIG",
            metavar="FILE",
        ),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_print_version, is_eager=True)
    ] = False,
    install: Annotated[
        bool,
        typer.Option(
            "--install-completion",
            help="Set up completion for the current shell, so that Tab proposes objects, runs and options.",
            callback=install_completion,
            is_eager=True,
        ),
    ] = False,
    show: Annotated[
        bool,
        typer.Option(
            "--show-completion",
            help="Print the completion script of the current shell.",
            callback=show_completion,
            is_eager=True,
        ),
    ] = False,
) -> None:
    del version, install, show  # their callbacks have acted
    context.obj = context.obj or CallContext()
    use_settings_file(context, config, COMMANDS)


@cache
def _command() -> Any:
    """The program as typer makes it of the functions above; making it takes longer than many a command."""
    return typer.main.get_command(app)


def run(environment: Any = None) -> int:
    """Run the program and return its exit code (design: 0 to 10, 70, 128 + signal). Never a traceback.

    With `BULKGLADLY_DEBUG=1` an internal error comes with its traceback after all. `environment` is what runs take
    from outside (`bulkgladly.runs.environment`); None for the usual one.
    """
    os.umask(0o077)  # SQLite's WAL files and spooled input hold personal data, as the journal does
    if os.environ.get(COMPLETE_VARIABLE):
        return answer_shell(partial(app, prog_name=_PROGRAM))
    call = CallContext(environment=environment)
    code = contextvars.copy_context().run(_run, call)  # tests call `run` often: no profile may leak to the next
    # A lost output matters only if all else went well: any other failure is the better explanation.
    error = lost_output()
    if code == 0 and error is not None and error.errno not in _NO_READER:
        tell(f"error: the standard output could not be written: {why_lost(error)}")
        code = os_problem(error).exit_code
    if call.watch is not None:
        call.watch.finish(code)
    return code


_NO_READER = (errno.EPIPE, errno.EBADF)  # the reader has closed its end, or the stream was never open


def _run(call: CallContext) -> int:
    try:
        _refuse_undecodable()
        result = _command()(prog_name=_PROGRAM, standalone_mode=False, obj=call)
    except BulkgladlyError as error:
        if call.watch is not None:
            call.watch.failed(str(error))
        return _told(error)
    except typer.Abort:
        tell_below("stopped; nothing was sent")
        return 130
    except KeyboardInterrupt:  # before a run has taken over the signals, so that there is nothing to save
        return 130
    except Exception as error:  # noqa: BLE001 - a person gets a message, never a traceback
        return _explain(error)
    return result if isinstance(result, int) else 0


def _refuse_undecodable() -> None:
    """Refuse arguments that are not text: neither a journal nor a data set could hold them.

    Raises:
        UsageError: An argument or a variable of ours is not valid UTF-8.
    """
    variables = [value for name, value in os.environ.items() if name.startswith(("BULKGLADLY_", "GLADLY_"))]
    for text in (*sys.argv[1:], *variables):
        # Python puts a surrogate in place of each byte that it cannot decode; `isprintable` spares the search.
        if not text.isprintable() and any("\ud800" <= character <= "\udfff" for character in text):
            raise UsageError(f"{text}: the name is not valid UTF-8; rename the file or the folder")


def _told(error: BulkgladlyError) -> int:
    tell(f"error: {error}")
    return error.exit_code


def _explain(error: Exception) -> int:
    """Print an error that is not one of ours, and return the exit code. What the system did not cause is a bug."""
    if callable(getattr(error, "format_message", None)):
        return _explain_usage(error)
    if os.environ.get("BULKGLADLY_DEBUG"):
        import traceback

        tell(*"".join(traceback.format_exception(error)).rstrip().split("\n"))
    # Disk full, no permission and the like have a fix outside of the program. They are not bugs.
    if isinstance(error, OSError):
        return _told(os_problem(error))
    if isinstance(error, sqlite3.Error):
        return _told(database_error(error, Path("a journal")))
    tell(
        f"internal error: {type(error).__name__}: {error}",
        "what was committed is intact; run `bulkgladly resume` to continue. "
        "Set BULKGLADLY_DEBUG=1 to see where it happened",
    )
    return 70


# The parser's messages differ between the versions of Typer that we allow; what is not found stays as it is.
_NOT_ONE_OF = re.compile(r"'(?P<word>[^']*)' is not one of (?P<choices>'[^']*'(?:, '[^']*')*)\.?")
_NO_COMMAND = re.compile(r"No such command '(?P<name>[^']*)'\.")
_NO_OPTION = re.compile(r"No such option: (?P<name>\S+)")
_AT_LEAST = re.compile(r"(?:Input should be greater than or equal to |\S+ is not in the range x>=)(?P<least>\d+)")
_AT_MOST = re.compile(r"Input should be less than or equal to (?P<most>\d+)|\S+ is not in the range \d+<=x<=(\d+)")
_MEANT = re.compile(r"(?P<typed>\S+)\.? (?:\(Possible options: |Did you mean )(?P<names>[^)?]+)[)?]")


def _one_meant(found: re.Match[str]) -> str:
    """Return the suggestions of the parser as one: the closest. The parser sorts them by the alphabet."""
    names = found["names"].split(", ")
    spelled = {name.strip("' "): name.strip() for name in names}
    meant = closest(found["typed"].strip("'"), spelled, cutoff=0.0) or next(iter(spelled))
    return f"{found['typed']}; did you mean {spelled[meant]}?"


def _in_our_words(text: str) -> str:
    """Return a message of the parser as we would put it."""
    text = _NOT_ONE_OF.sub(
        lambda found: unsupported(found["word"], [each.strip(" '") for each in found["choices"].split(",")]), text
    )
    text = _NO_COMMAND.sub(r"unknown command '\g<name>'", text)
    text = _MEANT.sub(_one_meant, text)
    text = _NO_OPTION.sub(r"unknown option \g<name>", text)
    text = _AT_LEAST.sub(r"must be at least \g<least>", text)
    text = _AT_MOST.sub(lambda found: f"must be at most {found[1] or found[2]}", text)
    return text.replace("Value error, ", "").replace("Missing ", "missing ").replace("Invalid ", "invalid ").rstrip(".")


def _explain_usage(error: Any) -> int:
    """Print what is wrong with the command line, and the command that shows its help."""
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        print_text(error.format_message())
        return int(error.exit_code)
    if context is not None and getattr(error, "option_name", None) == "--config":
        program, _, command = context.command_path.partition(" ")
        tell(f"error: --config goes before the command: `{program} --config FILE {command} ...`")
        return 2
    tell(f"error: {_in_our_words(error.format_message())}")
    if context is not None:
        what = "the commands" if getattr(context.command, "commands", None) else "its options"
        tell(f"run `{context.command_path} --help` to see {what}")
    return int(getattr(error, "exit_code", 2))
