"""Gladly's own exports: their schedules and jobs, which are only read. Facts: gladly-api, export-files, schemas 12."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from bulkgladly.gladly.data_sets import GONE_SINCE, MOMENT, TEXT, TEXTS, DataColumn, DataSetPlan, Struct
from bulkgladly.gladly.exports import LiveExport
from bulkgladly.gladly.spec import GladlyObject
from bulkgladly.messages import Request
from bulkgladly.times import moment_of

__all__ = ("FIND_JOBS", "JOBS", "OBJECT", "Job", "file_request", "jobs_of", "newest_of", "next_loss")

JOBS = "jobs"
"""The data set of the jobs themselves."""
FIND_JOBS = Request("findJobs", "GET", "/api/v1/export/jobs")
"""Without a filter: all jobs that still exist, in any status and any order."""
RETENTION = dt.timedelta(days=14)
"""How long Gladly keeps jobs and files; then only Gladly Support can make them again [gladly-api, export-files]."""

_SCHEDULE = (
    DataColumn("id", TEXT, "The id of the schedule."),
    DataColumn("frequency", TEXT, "HOURLY or DAILY."),
    DataColumn("type", TEXT, "What its jobs export; CONVERSATIONS is the only known type."),
    DataColumn("nextStartAt", MOMENT, "When the period of the next job begins."),
    DataColumn("updatedAt", MOMENT, "When the schedule was last changed."),
    GONE_SINCE,
)
_JOB = (
    DataColumn("id", TEXT, "The id of the job."),
    DataColumn(
        "scheduleId", TEXT, "The schedule that started it; whether a job without a schedule has this field is UNKNOWN."
    ),
    DataColumn("status", TEXT, "PENDING, IN_PROGRESS, COMPLETED or FAILED."),
    DataColumn("updatedAt", MOMENT, "When the job last changed; this is not the period that it covers."),
    DataColumn(
        "parameters",
        Struct({"type": TEXT, "startAt": MOMENT, "endAt": MOMENT}),
        "The type of the job, and the period it covers; whether the end is included is UNKNOWN.",
    ),
    DataColumn("files", TEXTS, "The names of its files; empty until they exist."),
    GONE_SINCE,
)

OBJECT = GladlyObject(
    reads=(
        LiveExport("schedules", "findSchedules", "/api/v1/export/schedules", "schedules"),
        LiveExport(JOBS, FIND_JOBS.operation, FIND_JOBS.path, JOBS),
    ),
    data_sets=(DataSetPlan("schedules", _SCHEDULE), DataSetPlan(JOBS, _JOB)),
)
"""Gladly lists jobs for 14 days; rows of jobs that are no longer listed are kept."""


# --- What a listing of jobs says ---


@dataclass(frozen=True, slots=True)
class Job:
    """One export job. Times that are missing or cannot be read are None."""

    id: str
    status: str
    updated_at: dt.datetime | None
    start: dt.datetime | None
    end: dt.datetime | None
    files: tuple[str, ...]

    @property
    def has_files(self) -> bool:
        """Whether Gladly has created its files."""
        return self.status == "COMPLETED"

    @property
    def period(self) -> tuple[dt.datetime, dt.datetime] | None:
        """The period it covers, without its end; None if Gladly does not give one."""
        return (self.start, self.end) if self.start and self.end and self.start < self.end else None

    def is_expired(self, newest: dt.datetime | None) -> bool:
        """Tell whether Gladly may have deleted its files, by the newest job, because our clock may be wrong."""
        return self.updated_at is not None and newest is not None and newest - self.updated_at > RETENTION

    def is_within(self, since: dt.datetime | None, until: dt.datetime | None) -> bool:
        """Tell whether its period overlaps a span; a job without a period overlaps every span."""
        return not (
            self.period
            and ((since is not None and self.period[1] <= since) or (until is not None and self.period[0] >= until))
        )


def jobs_of(listed: Sequence[Any]) -> tuple[list[Job], int]:
    """Return the jobs of a listing, in order of their last update, and how many entries are not jobs.

    Of a job that is listed more than once, the entry that was updated last counts.
    """
    jobs = [job for entry in listed if (job := _job(entry)) is not None]
    ordered = sorted(jobs, key=lambda job: (_updated(job), job.id))
    latest = {job.id: job for job in ordered}
    return sorted(latest.values(), key=lambda job: (_updated(job), job.id)), len(listed) - len(jobs)


def newest_of(jobs: Iterable[Job]) -> dt.datetime | None:
    """Return when the newest job was updated; None if no job has a time."""
    return max((job.updated_at for job in jobs if job.updated_at), default=None)


def next_loss(jobs: Iterable[Job]) -> dt.datetime | None:
    """Return when data will be lost unless another export runs before: when the job after the newest expires.

    That job is expected as long after the newest as the newest covers, or a day if it has no period.
    Returns None if no job has a time.
    """
    newest = max((job for job in jobs if job.updated_at and job.has_files), key=_updated, default=None)
    if newest is None or newest.updated_at is None:
        return None
    span = newest.period[1] - newest.period[0] if newest.period else dt.timedelta(days=1)
    try:
        return newest.updated_at + min(span, dt.timedelta(days=1)) + RETENTION
    except OverflowError:  # the last days of the year 9999, which some systems use for "never"
        return None


def file_request(job: Job, file: str) -> Request:
    """Return the request for a file. Its name and the job's id are encoded as one path segment each."""
    path = f"/api/v1/export/jobs/{_segment(job.id)}/files/{_segment(file)}"
    return Request("getFile", "GET", path, accept="application/x-ndjson")


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
        updated_at=_moment(entry.get("updatedAt")),
        start=_moment(period.get("startAt")),
        end=_moment(period.get("endAt")),
        files=_names(files) if isinstance(files, list) else (),
    )
    # A completed job must list its files, even if there are none: otherwise they would be skipped silently.
    is_told = isinstance(files, list) and all(isinstance(file, str) and file for file in files)
    return None if job.has_files and not is_told else job


def _names(files: Sequence[Any]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(file for file in files if isinstance(file, str) and file))


def _updated(job: Job) -> dt.datetime:
    return job.updated_at or dt.datetime.min.replace(tzinfo=dt.UTC)


def _moment(value: Any) -> dt.datetime | None:
    found = moment_of(value) if isinstance(value, str) else None
    return found[0] if found else None


def _segment(text: str) -> str:
    # Dots alone would be a step in the path and not a name.
    return text.replace(".", "%2E") if set(text) == {"."} else quote(text, safe="")
