"""`doctor`, `emulator` and `help`: check what a run needs, try things locally, read about a command."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bulkgladly.cli import completions, flags
from bulkgladly.cli.configuration import credentials_for
from bulkgladly.cli.help_pages import HELP_ALL, WHOLE_PAGE
from bulkgladly.cli.output import print_json, print_lines, print_text, tell
from bulkgladly.cli.terminal_lines import Line, Style
from bulkgladly.errors import BulkgladlyError, UsageError

if TYPE_CHECKING:
    from bulkgladly.runs.diagnosis import Diagnosis
    from bulkgladly.stores.store_checks import StoreFinding

__all__ = ("doctor", "emulator", "help_")

MARKS = {True: "ok", False: "BAD", None: "note"}
STYLES = {True: Style.GOOD, False: Style.BAD, None: Style.WARNING}
_TEXT_AT = 20
"""Where the texts of the findings begin."""


def doctor(
    context: typer.Context,
    state_dir: flags.StateDir = Path(".bulkgladly"),
    profile: flags.Profile = None,
    out: Annotated[
        str | None, typer.Option("--out", help="Also check a place in a bucket: s3://BUCKET/PREFIX.", metavar="URL")
    ] = None,
    json: flags.Json = False,
) -> None:
    """Check credentials, permission, limits, clock and disk. It sends one request to Gladly."""
    import anyio

    from bulkgladly.runs.diagnosis import Diagnosis, diagnose, examine_machine
    from bulkgladly.runs.environment import USUAL

    findings: list[dict[str, str]] = []

    def tell_found(found: "Diagnosis") -> None:
        mark = MARKS[found.is_good]
        findings.append({"what": found.what, "result": mark, "text": found.text})
        if not json:
            label = (f"{mark:>5}", STYLES[found.is_good])
            print_lines(Line((label, (f"  {found.what:<12} {found.text}", None)), hang=_TEXT_AT))

    async def look() -> None:
        for found in await examine_machine(state_dir):
            tell_found(found)
        for named in () if out is None else _about_store(out):
            tell_found(Diagnosis(*named))
        environment = context.obj.environment or USUAL
        async for found in diagnose(credentials_for(context, profile), environment=environment, tell=tell):
            tell_found(found)

    exit_code = 0
    try:
        anyio.run(look)
    except BulkgladlyError as error:
        tell_found(Diagnosis("settings" if isinstance(error, UsageError) else "Gladly", False, str(error)))
        exit_code = error.exit_code
    if json:
        print_json({"findings": findings})
    if not exit_code and any(finding["result"] == "BAD" for finding in findings):
        exit_code = 2
    raise typer.Exit(exit_code)


def _about_store(url: str) -> "Iterator[StoreFinding]":
    """Yield what a place in a bucket is good for; an error ends it, and is a finding, too."""
    from bulkgladly.lake.places import MARKER
    from bulkgladly.stores.store_checks import StoreFinding, examined_store
    from bulkgladly.stores.store_opening import opened_store

    try:
        yield from examined_store(opened_store(url), MARKER)
    except BulkgladlyError as error:
        yield StoreFinding("bucket", False, str(error))


def emulator(context: typer.Context) -> None:
    """Run a local stand-in for Gladly, to try things without an account."""
    from bulkgladly.emulator.__main__ import main as serve

    raise typer.Exit(serve(context.args))


def help_(
    context: typer.Context,
    command: Annotated[
        list[str] | None,
        typer.Argument(
            help="The command, such as import or runs list.", metavar="COMMAND", autocompletion=completions.commands
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Show every option, as `--help-all` does.")] = False,
) -> None:
    """Show the help of bulkgladly or of a command."""
    if command == ["emulator"]:  # its page is its own, too
        from bulkgladly.emulator.__main__ import main as serve

        raise typer.Exit(serve([HELP_ALL if every else "--help"]))
    at: Any = context.parent
    at.meta[WHOLE_PAGE] = every
    for name in command or ():
        found = at.command.get_command(at, name) if hasattr(at.command, "get_command") else None
        if found is None:
            raise UsageError(f"unknown command {' '.join(command or ())!r}; run `bulkgladly --help` for a list")
        at = type(at)(found, info_name=name, parent=at)
    print_text(at.get_help())
