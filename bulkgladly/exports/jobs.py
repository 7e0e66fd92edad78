"""What Gladly lists as export jobs, and which of their files a data set still needs. Pure but for the listing."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from bulkgladly.messages import Request
from bulkgladly.times import moment_of

__all__ = (
    "FIND_JOBS",
    "RETENTION",
    "Job",
    "file_request",
    "jobs_of",
    "newest_of",
    "next_loss",
    "period_text",
)

RETENTION = dt.timedelta(days=14)
"""Jobs and files live so long; then only Gladly Support can make them again [gladly-api, export-files]."""

FIND_JOBS = Request("findJobs", "GET", "/api/v1/export/jobs")
"""Without a filter: all jobs that still exist, in any status and any order."""


@dataclass(frozen=True, slots=True)
class Job:
    """One export job. Times that are missing or no times are None."""

    id: str
    status: str
    updated_at: dt.datetime | None
    start: dt.datetime | None
    end: dt.datetime | None
    files: tuple[str, ...]

    @property
    def has_files(self) -> bool:
        """Whether Gladly has made its files."""
        return self.status == "COMPLETED"

    @property
    def period(self) -> tuple[dt.datetime, dt.datetime] | None:
        """The period it covers, the end not included; None where Gladly does not say."""
        return (self.start, self.end) if self.start and self.end and self.start < self.end else None

    def is_expired(self, newest: dt.datetime | None) -> bool:
        """Tell whether Gladly may have dropped its files: by the newest job, since no clock of ours proves it."""
        return self.updated_at is not None and newest is not None and newest - self.updated_at > RETENTION

    def is_within(self, since: dt.datetime | None, until: dt.datetime | None) -> bool:
        """Tell whether its period has a share in a span; a job without a period has one in every span."""
        return not (
            self.period
            and ((since is not None and self.period[1] <= since) or (until is not None and self.period[0] >= until))
        )


def jobs_of(listed: Sequence[Any]) -> tuple[list[Job], int]:
    """Return the jobs of a listing, the one updated first first, and how many entries are not jobs.

    A job that is listed more than once is the one that was updated last.
    """
    jobs = [job for entry in listed if (job := _job(entry)) is not None]
    ordered = sorted(jobs, key=lambda job: (_updated(job), job.id))
    latest = {job.id: job for job in ordered}
    return sorted(latest.values(), key=lambda job: (_updated(job), job.id)), len(listed) - len(jobs)


def newest_of(jobs: Iterable[Job]) -> dt.datetime | None:
    """Return when the newest job was updated; None where no job tells."""
    return max((job.updated_at for job in jobs if job.updated_at), default=None)


def next_loss(jobs: Iterable[Job]) -> dt.datetime | None:
    """Return when data will be lost if nobody fetches any more: when the job after the newest one goes.

    That job comes as long after the newest as the newest covers; where no period is told, a day.
    None where no job has a time from which that could be told.
    """
    newest = max((job for job in jobs if job.updated_at and job.has_files), key=_updated, default=None)
    if newest is None or newest.updated_at is None:
        return None
    span = newest.period[1] - newest.period[0] if newest.period else dt.timedelta(days=1)
    try:
        return newest.updated_at + min(span, dt.timedelta(days=1)) + RETENTION
    except OverflowError:  # the last days of the year 9999, which stand for "never" somewhere
        return None


def file_request(job: Job, file: str) -> Request:
    """Return the request for a file; its name and the job's id stay one path segment each, whatever they are."""
    path = f"/api/v1/export/jobs/{_segment(job.id)}/files/{_segment(file)}"
    return Request("getFile", "GET", path, accept="application/x-ndjson")


def period_text(first: dt.datetime, end: dt.datetime) -> str:
    """Return a span for people, to the minute, in UTC."""
    return f"{first:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC"


def _job(entry: Any) -> Job | None:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("id"), str) or not entry["id"]:
        return None
    parameters = entry.get("parameters")
    period = parameters if isinstance(parameters, Mapping) else {}
    files, status = entry.get("files"), entry.get("status")
    if not isinstance(status, str):
        return None
    job = Job(
        id=entry["id"],
        status=status,
        updated_at=_time(entry.get("updatedAt")),
        start=_time(period.get("startAt")),
        end=_time(period.get("endAt")),
        files=_names(files) if isinstance(files, list) else (),
    )
    # A job that is done says which files it made, be it none; otherwise nobody would ask for them.
    is_told = isinstance(files, list) and all(isinstance(file, str) and file for file in files)
    return None if job.has_files and not is_told else job


def _names(files: Sequence[Any]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(file for file in files if isinstance(file, str) and file))


def _updated(job: Job) -> dt.datetime:
    return job.updated_at or dt.datetime.min.replace(tzinfo=dt.UTC)


def _time(value: Any) -> dt.datetime | None:
    moment = moment_of(value) if isinstance(value, str) else None
    return moment.time if moment else None


def _segment(text: str) -> str:
    # A dot alone would be a step in the path and not a name.
    return text.replace(".", "%2E") if set(text) == {"."} else quote(text, safe="")
