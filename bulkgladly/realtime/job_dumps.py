"""Export jobs into the data set as soon as Gladly has completed them: the event of a job starts a dump of job files.

A nightly dump remains the net below: it fetches whatever this loop has given up.
"""

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import anyio
import anyio.to_thread

from bulkgladly.errors import BulkgladlyError, DataSetInUse
from bulkgladly.exports.export_options import ExportOptions
from bulkgladly.exports.export_summary import ExportReport
from bulkgladly.exports.job_files import JOB_WORDS
from bulkgladly.exports.run_export import dump
from bulkgladly.exports.unit_kinds import UnitState
from bulkgladly.gladly.event_envelopes import EXPORT_JOB_COMPLETED
from bulkgladly.inbox.event_inbox import Inbox
from bulkgladly.inbox.stored_events import InboxReader
from bulkgladly.runs.environment import USUAL, Environment
from bulkgladly.runs.when_writable import when_writable
from bulkgladly.settings import Credentials

__all__ = ("CURSOR", "DumpTimes", "JobDumps")

CURSOR = "job dumps"
"""The cursor of the inbox up to which completed jobs have been dumped."""
_AT_ONCE = 200
_FINE = (0, 1)


class DumpTimes(NamedTuple):
    """How long to wait, in seconds, and how often to try."""

    settle_s: float = 5.0
    """After a job was completed, for others that are completed with it."""
    in_use_s: float = 2.0
    """Until the next attempt while another process writes the data set."""
    first_retry_s: float = 60.0
    """Until the second attempt after a failure; each further wait is twice as long."""
    longest_retry_s: float = 3600.0
    tries: int = 8


class JobDumps:
    """Starts a dump of the files of export jobs for each job that an event says is completed.

    Jobs that are completed together are dumped in one run. Killed at any moment, it starts that run again, which
    fetches only what the data set lacks.
    """

    def __init__(
        self,
        inbox: Inbox,
        options: ExportOptions,
        credentials: Credentials,
        *,
        note: Callable[[str], None],
        times: DumpTimes | None = None,
        environment: Environment = USUAL,
    ) -> None:
        """`options` say where to, with which pace, and in which state directory; their words are not used."""
        self._inbox = inbox
        self._options = replace(options, words=JOB_WORDS)
        self._credentials = credentials
        self._note = note
        self._times = times or DumpTimes()
        self._environment = environment

    async def run(self) -> None:
        """Dump completed jobs, until cancelled."""
        begin = partial(self._inbox.begin_cursor, CURSOR)
        done = await when_writable(begin, sleep=anyio.sleep, note=lambda why: self._note(f"export jobs wait: {why}"))
        while True:
            await self._inbox.wait_beyond(done)
            # Also without a job: so that a burst of events is looked through a few times only.
            await anyio.sleep(self._times.settle_s)
            done, jobs = await anyio.to_thread.run_sync(_jobs_after, self._inbox.path, done)
            if jobs:
                await self._dump(jobs)
            await self._move(done)

    async def _move(self, done: int) -> None:
        try:
            await self._inbox.move_cursor(CURSOR, done)
        except BulkgladlyError as error:
            # The same jobs are looked at again after a restart, and nothing of them is fetched twice.
            self._note(f"export jobs: {error}")

    async def _dump(self, jobs: int) -> None:
        """Dump until it succeeds, or has failed too often."""
        wait_s = self._times.first_retry_s
        for left in reversed(range(self._times.tries)):
            why = await self._attempt()
            if not why:
                return
            then = f"trying again in {wait_s / 60:.0f} min" if left else "the next dump fetches what is missing"
            self._note(f"{jobs} completed export job{'s' if jobs > 1 else ''} could not be fetched: {why}; {then}")
            if left:
                await anyio.sleep(wait_s)
                wait_s = min(2 * wait_s, self._times.longest_retry_s)

    async def _attempt(self) -> str:
        """Dump once, as soon as no other process writes the data set; return what failed, or an empty text."""
        while True:
            try:
                return _failed(await dump(self._options, self._credentials, environment=self._environment))
            except DataSetInUse:
                await anyio.sleep(self._times.in_use_s)
            except (BulkgladlyError, OSError) as error:
                return str(error)


def _jobs_after(path: Path, seq: int) -> tuple[int, int]:
    """Return the number of the last arrival, and how many jobs were completed after `seq`."""
    jobs = 0
    with closing(InboxReader(path)) as reader:
        last = reader.last_seq()
        at = seq
        while at < last and (some := reader.after(at, _AT_ONCE)):
            at = some[-1].seq
            jobs += sum(event.type == EXPORT_JOB_COMPLETED for event in some)
        return max(last, at), jobs


def _failed(report: ExportReport) -> str:
    if report.exit_code not in _FINE:
        return report.reason or f"the dump ended with exit code {report.exit_code}"
    # A file that Gladly has deleted, or a line that is not a row, is not there at the next attempt either.
    failed = [one.detail for one in report.told if one.state == UnitState.FAILED]
    return failed[0] if failed else ""
