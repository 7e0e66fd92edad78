"""What the commands share that work on a run: the display, the summary, the exit code."""

from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn

import typer

from bulkgladly.cli.flag_groups import OutputFlags
from bulkgladly.cli.output import print_json, tell

__all__ = ("run_and_leave",)


def run_and_leave(context: typer.Context, work: Callable[..., Any], output: OutputFlags) -> NoReturn:
    """Run the work with a display, print the summary, and leave with its exit code.

    `work` takes the arguments that every function takes which works on a run.
    """
    import anyio

    from bulkgladly.cli.display import display_for, logger_for, summary_of
    from bulkgladly.runs.environment import USUAL

    logger = logger_for(output.log_format)
    with display_for(output.progress, logger) as observer:
        environment = context.obj.environment or USUAL
        report = anyio.run(partial(work, observer=observer, with_signals=True, environment=environment))
    if output.log_format == "json":
        logger.info("%s", f"run {report.status}", extra={"event": "finished", "report": report.as_dict()})
    else:
        tell(*summary_of(report))
    if output.json:
        print_json(report.as_dict(), kept_in=f"{report.folder}/report.json")
    raise typer.Exit(report.exit_code)
