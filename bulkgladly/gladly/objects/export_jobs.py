"""Gladly's own exports: their schedules and jobs, which are only read. Facts: gladly-api, export-files, schemas 12."""

from bulkgladly.gladly.data_sets import GONE_SINCE, MOMENT, TEXT, TEXTS, DataColumn, DataSetPlan, Struct
from bulkgladly.gladly.exports import LiveExport
from bulkgladly.gladly.spec import GladlyObject

__all__ = ("OBJECT",)

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
        LiveExport("jobs", "findJobs", "/api/v1/export/jobs", "jobs"),
    ),
    data_sets=(DataSetPlan("schedules", _SCHEDULE), DataSetPlan("jobs", _JOB)),
)
"""Gladly lists jobs for 14 days; rows of jobs that are no longer listed are kept."""
