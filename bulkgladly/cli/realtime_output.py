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

__all__ = ("ending_lines", "serve_and_leave")


def serve_and_leave(
    context: typer.Context, options: "RealtimeOptions", credentials: "Credentials", output: OutputFlags
) -> NoReturn:
    """Run the service until a signal or an error, print what was done, and leave with its exit code."""
    import anyio

    from bulkgladly.cli.display import display_for, logger_for
    from bulkgladly.errors import UsageError
    from bulkgladly.realtime.run_realtime import start_realtime
    from bulkgladly.runs.environment import USUAL

    if output.json and "-" in options.sinks:
        raise UsageError(
            "--json prints the result on stdout, where the events go; leave it out, or pass events on elsewhere "
            "(--out, --to)"
        )
    logger = logger_for(output.log_format)
    with display_for(output.progress, logger) as observer:
        environment = context.obj.environment or USUAL
        watch = context.obj.watch
        seen = observer if watch is None else watch.observing(observer)
        work = partial(start_realtime, options, credentials, observer=seen)
        report: Any = anyio.run(partial(work, with_signals=True, environment=environment))
    if watch is not None:
        watch.reported(report)
    command = "listen" if options.listen is not None else "follow"
    if output.log_format == "json":
        logger.info("%s", f"{command} ended", extra={"event": "finished", "report": report.as_dict()})
    else:
        tell(*ending_lines(report, command))
    if output.json:
        print_json(report.as_dict())
    raise typer.Exit(report.exit_code)


def ending_lines(report: "RealtimeReport", command: str) -> list[str]:
    """Return the end of a session as lines: what came, what became of it, and what it cost."""
    from bulkgladly.realtime.progress_lines import WAYS
    from bulkgladly.runs.observer import counted, duration_text

    events = report.events
    ways = [f"{events[name]:,} {way}" for name, way in WAYS.items() if events.get(name)]
    came = f"{counted(sum(events.get(name, 0) for name in WAYS), 'event')} received"
    # All that came from the feed is said already; and without a webhook none of it was missed.
    filled = events.get("filled", 0)
    filled = 0 if filled == events.get("feed") else filled
    more = [
        f"{number:,} {said}"
        for number, said in (
            (filled, "of them missed by the webhook"),
            (events.get("strange", 0), "of them not events"),
        )
        if number
    ]
    by = f" ({', '.join(ways)})" if len(ways) > 1 or (ways and command == "listen") else ""
    has_come = any(events.get(name) for name in WAYS)
    waits = any(report.waiting.get(name) for name in report.told)
    lines = [f"{command}: {_how_it_ended(report)}"]
    if has_come or waits:
        lines.append(f"  {', '.join([came + by, *more])}")
    for name, does in report.told.items():
        if left := report.waiting.get(name, 0):
            lines.append(f"  {counted(left, 'event')} not yet {does}; the next start continues with them")
        elif has_come:
            lines.append(f"  all {does}")
    if not has_come and not waits and report.exit_code == 0:
        lines.append("  no events received")
    requests = sum(report.requests.values())
    lines.append(f"  {counted(requests, 'request')} in {duration_text(report.seconds)}")
    return lines


def _how_it_ended(report: "RealtimeReport") -> str:
    if report.exit_code == 0:
        return "stopped"
    if report.exit_code in (130, 143):
        return "stopped at once; what was not finished is kept for the next start"
    return report.reason or "ended"
