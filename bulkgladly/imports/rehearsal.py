"""A whole import against an emulator that lives as long as the rehearsal: what it would do, and how long it takes."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from bulkgladly.imports.import_options import ImportOptions
from bulkgladly.imports.import_summary import Report
from bulkgladly.imports.run_import import start_import
from bulkgladly.runs.environment import USUAL, Environment
from bulkgladly.runs.observer import Observer, duration_text
from bulkgladly.settings import Credentials, Pace

__all__ = ("rehearse_import",)


async def rehearse_import(
    resource_name: str,
    files: Sequence[str | Path],
    options: ImportOptions | None = None,
    *,
    observer: Observer | None = None,
    stdin: BinaryIO | None = None,
    with_signals: bool = False,
    environment: Environment = USUAL,
) -> Report:
    """Import files into an emulator in this process, and return the report of that run.

    Nothing is sent to Gladly. The run lies in `rehearsals` below the state directory, whose own
    memory it does not touch. The observer is told how long the requests take at the pace of the options.

    Raises:
        UsageError: As `start_import`.
    """
    from bulkgladly.emulator import Emulator  # noqa: PLC0415 - a rehearsal alone needs it

    options, observer = options or ImportOptions(), observer or Observer()
    async with Emulator(rate=None) as emulator:
        report = await start_import(
            resource_name,
            files,
            Credentials(emulator.url, emulator.options.username, emulator.options.token),
            replace(options, pace=Pace(unlimited=True), state_dir=options.state_dir / "rehearsals"),
            observer=observer,
            stdin=stdin,
            with_signals=with_signals,
            environment=environment,
        )
    per_second = options.pace.expected_per_second()
    time = duration_text(report.requests_total / per_second)
    observer.note(f"rehearsal: {report.requests_total:,} requests, which take {time} at {per_second:g}/s")
    return replace(report, next_commands=())
