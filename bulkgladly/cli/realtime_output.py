"""Running the service behind `follow` and `listen` from the command line, and telling how it ended."""

from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from bulkgladly.cli.flag_groups import OutputFlags
from bulkgladly.cli.output import print_json, tell

if TYPE_CHECKING:
    from bulkgladly.realtime.realtime_options import RealtimeOptions
    from bulkgladly.realtime.run_realtime import RealtimeReport
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
    tell(*_ending(report, "listen" if options.listen is not None else "follow"))
    if output.json:
        print_json(report.as_dict())
    raise typer.Exit(report.exit_code)


def _ending(report: "RealtimeReport", command: str) -> list[str]:
    """Return the end of a session as lines: what came, what became of it, and what it cost."""
    from bulkgladly.realtime.progress_lines import WAYS
    from bulkgladly.runs.observer import counted, duration_text

    events = report.events
    ways = [f"{events[name]:,} {way}" for name, way in WAYS.items() if events.get(name)]
    came = f"{counted(sum(events.get(name, 0) for name in WAYS), 'event')} received"
    more = [
        f"{events[name]:,} {said}"
        for name, said in (("filled", "of them missed by the webhook"), ("strange", "of them not events"))
        if events.get(name)
    ]
    by = f" ({', '.join(ways)})" if len(ways) > 1 else ""
    lines = [
        f"{command}: {'stopped' if report.exit_code == 0 else report.reason or 'ended'}",
        f"  {', '.join([came + by, *more])}",
    ]
    for name, does in report.told.items():
        left = report.waiting.get(name, 0)
        lines.append(f"  {counted(left, 'event')} not yet {does}" if left else f"  all {does}")
    requests = sum(report.requests.values())
    lines.append(f"  {counted(requests, 'request')} in {duration_text(report.seconds)}")
    return lines
