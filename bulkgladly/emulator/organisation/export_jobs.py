"""The export jobs of the organisation and their files, for as long as Gladly keeps them.

Facts: export-files.md, "Listing jobs", and schemas.md, section 12, of the fact sheet.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, get_args

from bulkgladly.emulator.organisation.clock import Clock

__all__ = ("JOB_STATUSES", "RETENTION", "SCHEDULE_ID", "ExportFile", "ExportJob", "ExportJobs", "JobStatus")

JobStatus = Literal["PENDING", "IN_PROGRESS", "COMPLETED", "FAILED"]

JOB_STATUSES: tuple[JobStatus, ...] = get_args(JobStatus)

RETENTION = timedelta(days=14)
"""How long jobs and their files are kept after `updatedAt`."""

SCHEDULE_ID = "daily-export-schedule"
"""The one schedule that every organisation has by default."""


@dataclass(frozen=True, slots=True)
class ExportFile:
    """The content of one file, generated again for every download and always the same.

    `measure` returns its size in bytes, or None if it is not known before the end.
    """

    blocks: Callable[[], Iterable[bytes]] = field(repr=False)
    measure: Callable[[], int | None] = field(repr=False)

    @classmethod
    def of(cls, content: bytes | Callable[[], Iterable[bytes]]) -> "ExportFile":
        """Return a file from its bytes, or from a function that yields them in blocks, even without an end."""
        if isinstance(content, bytes):
            return cls(lambda: (content,) if content else (), lambda: len(content))
        return cls(content, lambda: None)


@dataclass(frozen=True, slots=True)
class ExportJob:
    """One job. `updated_at` is the text that the API shows, `moment` the same time for comparisons."""

    id: str
    status: JobStatus
    updated_at: str
    moment: datetime
    start_at: str
    end_at: str
    files: Mapping[str, ExportFile]

    def shown(self) -> dict[str, Any]:
        """Return the job as the API returns it."""
        return {
            "id": self.id,
            "scheduleId": SCHEDULE_ID,
            "status": self.status,
            "updatedAt": self.updated_at,
            "parameters": {"type": "CONVERSATIONS", "startAt": self.start_at, "endAt": self.end_at},
            "files": list(self.files),
        }


class ExportJobs:
    """Jobs in the order in which they were added; jobs past their retention are not shown."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._jobs: dict[str, ExportJob] = {}

    def now(self) -> datetime:
        """Return the current time of the emulator's clock."""
        return datetime.fromtimestamp(self._clock.wall(), UTC)

    def put(self, job: ExportJob) -> None:
        """Add a job, or replace the job with the same id."""
        self._jobs[job.id] = job

    def get(self, job_id: str) -> ExportJob | None:
        """Return the job with this id, unless it is too old or dated in the future."""
        job = self._jobs.get(job_id)
        return job if job is not None and self._is_there(job) else None

    def present(self) -> list[ExportJob]:
        """Return all jobs that the API shows now."""
        return [job for job in self._jobs.values() if self._is_there(job)]

    def remove(self, job_id: str) -> None:
        """Delete a job and its files.

        Raises:
            KeyError: There is no job with this id.
        """
        del self._jobs[job_id]

    def _is_there(self, job: ExportJob) -> bool:
        now = self.now()
        return now - RETENTION <= job.moment <= now
