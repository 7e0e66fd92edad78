"""Running the service behind `follow` and `listen` from the command line, and telling how it ended."""

from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from bulkgladly.cli.flag_groups import OutputFlags
from bulkgladly.cli.output import print_json, tell

if TYPE_CHECKING:
    from bulkgladly.realtime.realtime_options import RealtimeOptions
    from bulkgladly.settings import Credentials

__all__ = ("serve_and_leave",)


def serve_and_leave(
    context: typer.Context, options: "RealtimeOptions", credentials: "Credentials", output: OutputFlags
) -> NoReturn:
    """Run the service until a signal or an error, print what was done, and leave with its exit code."""
    import anyio

    from bulkgladly.cli.display import display_for, logger_for
    from bulkgladly.realtime.run_realtime import start_realtime
    from bulkgladly.runs.environment import USUAL

    with display_for(output.progress, logger_for(output.log_format)) as observer:
        environment = context.obj.environment or USUAL
        work = partial(start_realtime, options, credentials, observer=observer)
        report: Any = anyio.run(partial(work, with_signals=True, environment=environment))
    events = ", ".join(f"{number:,} {name}" for name, number in report.events.items() if number)
    tell(f"{'listen' if options.listen is not None else 'follow'}: {report.reason or 'ended'}; {events or 'no events'}")
    if output.json:
        print_json(report.as_dict())
    raise typer.Exit(report.exit_code)
