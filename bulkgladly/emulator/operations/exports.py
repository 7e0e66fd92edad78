"""The five operations on export schedules, jobs and files.

Facts: export-files.md, and endpoints.md, rows 67 to 71, of the fact sheet.
"""

from datetime import datetime

from bulkgladly.emulator.organisation.clock import shortest_timestamp, timestamp
from bulkgladly.emulator.organisation.export_jobs import JOB_STATUSES, RETENTION, SCHEDULE_ID, ExportJob
from bulkgladly.emulator.organisation.identifiers import derived_id
from bulkgladly.emulator.protocol.lists import invalid, single, single_moment
from bulkgladly.emulator.protocol.replies import Refusal, Reply, Stream, json_reply, no_content, problem
from bulkgladly.emulator.protocol.routing import Call, Operation

__all__ = ("EXPORT_OPERATIONS",)

_JOBS = "/api/v1/export/jobs"
_JOB = f"{_JOBS}/{{jobId}}"
_ENDED = ("COMPLETED", "FAILED")
_SCHEDULED_SINCE = timestamp(1_704_067_200)


def _schedules(call: Call) -> Reply:
    today = call.store.jobs.now().replace(hour=0, minute=0, second=0, microsecond=0)
    schedule = {"id": SCHEDULE_ID, "frequency": "DAILY", "type": "CONVERSATIONS"}
    return json_reply([schedule | {"nextStartAt": shortest_timestamp(today), "updatedAt": _SCHEDULED_SINCE}])


def _find(call: Call) -> Reply:
    status = single(call, "status")
    if status is not None and status not in JOB_STATUSES:
        raise invalid("status", f"status can be {', '.join(JOB_STATUSES)}")
    start, end = _bounds(call)
    # Whether the bounds belong to the range is not documented; here they do.
    jobs = [job for job in call.store.jobs.present() if start <= job.moment <= end and status in (None, job.status)]
    if call.options.job_order == "shuffled":
        jobs.sort(key=lambda job: derived_id(f"{call.options.seed}:order:{job.id}"))
    return json_reply([job.shown() for job in jobs])


def _get(call: Call) -> Reply:
    return json_reply(_existing(call).shown())


def _delete(call: Call) -> Reply:
    job = _existing(call)
    if job.status not in _ENDED:
        # The only 400 that the document shows as a plain list, without `errors`.
        detail = f"a job that is {job.status} cannot be deleted"
        raise Refusal(json_reply([problem("temporary_failure", detail, attr="status")], 400))
    call.store.jobs.remove(job.id)
    return no_content()


def _get_file(call: Call) -> Reply:
    file = _existing(call).files.get(call.params["filename"])
    if file is None:
        raise call.not_found("file")
    stream = Stream(file.blocks, file.measure, chunked=call.options.file_framing == "chunked")
    return Reply(200, content_type="application/x-ndjson", stream=stream)


def _existing(call: Call) -> ExportJob:
    job = call.store.jobs.get(call.params["jobId"])
    if job is None:
        raise call.not_found("job")
    return job


def _bounds(call: Call) -> tuple[datetime, datetime]:
    now = call.store.jobs.now()
    start, end = single_moment(call, "startAt"), single_moment(call, "endAt")
    if start is not None and start < now - RETENTION:
        raise invalid("startAt", f"startAt is more than {RETENTION.days} days ago")
    if end is not None and end > now:
        raise invalid("endAt", "endAt is in the future")
    since, until = start or now - RETENTION, end or now
    if until < since:
        # Without endAt the fault is in startAt, which lies in the future.
        raise invalid("startAt" if end is None else "endAt", "endAt is before startAt")
    return since, until


EXPORT_OPERATIONS = (
    Operation("GET", "/api/v1/export/schedules", "findSchedules", _schedules, (200,)),
    Operation("GET", _JOBS, "findJobs", _find, (200, 400)),
    Operation("GET", _JOB, "getJob", _get, (200, 404)),
    Operation("DELETE", _JOB, "deleteJob", _delete, (204, 400, 404)),
    Operation("GET", f"{_JOB}/files/{{filename}}", "getFile", _get_file, (200, 404)),
)
