"""Gladly's own part of the exports: it creates jobs and finishes them.

No API call starts a job (export-files.md, "The model"), so tests and the demonstration do it here.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bulkgladly.emulator.exports.job_files import cast_of, generated_files, recorded_files
from bulkgladly.emulator.exports.job_items import Cast
from bulkgladly.emulator.organisation.clock import moment_of, shortest_timestamp
from bulkgladly.emulator.organisation.export_jobs import JOB_STATUSES, ExportFile, ExportJob, JobStatus
from bulkgladly.emulator.organisation.identifiers import derived_id
from bulkgladly.emulator.organisation.store import Store

__all__ = ("Exporter", "FileContent", "Moment")

Moment = datetime | str
"""A point in time. A text is ISO 8601 and is shown unchanged; without an offset it is UTC."""

FileContent = bytes | Callable[[], Iterable[bytes]]
"""A whole file, or a function that yields it in blocks, whose size is not announced."""

_DAY = timedelta(days=1)
_NIGHT = timedelta(hours=3, minutes=11, seconds=9)


class Exporter:
    """Creates export jobs in a store. Their content depends only on the seed, the job and the store."""

    def __init__(self, store: Store, *, seed: int = 0, items_per_job: int = 180) -> None:
        self._store = store
        self._seed = seed
        self._items_per_job = items_per_job

    def add_job(
        self,
        files: Mapping[str, FileContent] | None = None,
        *,
        status: JobStatus = "COMPLETED",
        updated_at: Moment | None = None,
        start_at: Moment | None = None,
        end_at: Moment | None = None,
        items: int | None = None,
        job_id: str | None = None,
    ) -> str:
        """Add a job and return its id.

        Without `files`, a completed job gets four files generated from the present store, with `items`
        invented conversation items (by default as many as the options say, or those of the period, if the
        organisation has a history); any other job gets none.
        `updated_at` is now by default. A job with a later date appears when the clock reaches it. A completed
        or failed job causes an event unless its date lies in the future. The exported period is by default the
        day before `updated_at`.

        Raises:
            ValueError: A time, a status or a number is not valid, or the period ends before it starts.
        """
        dated, moment = self._dated(updated_at)
        end = _utc(end_at) if end_at is not None else moment.replace(hour=0, minute=0, second=0, microsecond=0)
        start = _utc(start_at) if start_at is not None else end - _DAY
        job = ExportJob(
            id=self._store.new_id() if job_id is None else job_id,
            status=status,
            updated_at=dated,
            moment=moment,
            start_at=start_at if isinstance(start_at, str) else shortest_timestamp(start),
            end_at=end_at if isinstance(end_at, str) else shortest_timestamp(end),
            files={},
        )
        if end < start:
            raise ValueError(f"end_at is {job.end_at}: it lies before start_at {job.start_at}")
        self._put(job, files, items)
        return job.id

    def finish_job(
        self,
        job_id: str,
        files: Mapping[str, FileContent] | None = None,
        *,
        status: JobStatus = "COMPLETED",
        updated_at: Moment | None = None,
        items: int | None = None,
    ) -> None:
        """Give a job another status, now or at `updated_at`, with files as for `add_job`.

        Raises:
            KeyError: There is no such job, or it is past its retention.
            ValueError: A time, a status or a number is not valid.
        """
        job = self._store.jobs.get(job_id)
        if job is None:
            raise KeyError(job_id)
        dated, moment = self._dated(updated_at)
        self._put(replace(job, status=status, updated_at=dated, moment=moment), files, items)

    def seed_jobs(self, days: int) -> None:
        """Add the jobs of the last nights, oldest first. The newest covers yesterday.

        The job of a night has the same id in every emulator with the same seed.
        """
        cast, now = cast_of(self._store), self._store.jobs.now()
        today = now.replace(hour=0, minute=0, second=0, microsecond=0)
        for back in reversed(range(days)):
            end = today - back * _DAY
            job_id = derived_id(f"{self._seed}:export:{end:%Y-%m-%d}")
            # The example of a job shows up to eight fraction digits, more than a datetime holds.
            dated = f"{end + _NIGHT:%Y-%m-%dT%H:%M:%S}.{end.toordinal() * 7_654_321 % 10**8:08}Z"
            if moment_of(dated) > now:
                dated = shortest_timestamp(now)
            job = ExportJob(
                job_id,
                "COMPLETED",
                dated,
                moment_of(dated),
                shortest_timestamp(end - _DAY),
                shortest_timestamp(end),
                {},
            )
            self._put(job, None, None, cast=cast, past=True)

    def _dated(self, updated_at: Moment | None) -> tuple[str, datetime]:
        moment = self._store.jobs.now() if updated_at is None else _utc(updated_at)
        return updated_at if isinstance(updated_at, str) else shortest_timestamp(moment), moment

    def _put(
        self,
        job: ExportJob,
        files: Mapping[str, FileContent] | None,
        items: int | None,
        *,
        cast: Cast | None = None,
        past: bool = False,
    ) -> None:
        if job.status not in JOB_STATUSES:
            raise ValueError(f"status is {job.status!r}: it can be {', '.join(JOB_STATUSES)}")
        count = self._items_per_job if items is None else items
        if count < 0:
            raise ValueError(f"items is {count}: it cannot be negative")
        made: Mapping[str, ExportFile] = {}
        if files is not None:
            made = {name: ExportFile.of(content) for name, content in files.items()}
        elif job.status == "COMPLETED":
            period = moment_of(job.start_at), moment_of(job.end_at)
            cast = cast or cast_of(self._store)
            is_recorded = self._store.told is not None and items is None
            made = (
                recorded_files(self._store, cast, period)
                if is_recorded
                else generated_files(job.id, cast, period, count)
            )
        self._store.jobs.put(replace(job, files=made))
        # A job that is dated in the future is not there yet, so nobody can be told of it.
        if not past and job.status in ("COMPLETED", "FAILED") and job.moment <= self._store.jobs.now():
            self._store.event_log.add(f"EXPORT_JOB/{job.status}", {"jobId": job.id})


def _utc(moment: Moment) -> datetime:
    if isinstance(moment, str):
        return moment_of(moment)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
