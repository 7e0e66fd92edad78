"""Files of export jobs into the data sets that declare them, such as `items`: one unit for each file of a job."""

import datetime as dt
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bulkgladly.exports.export_context import Context, Refused, period_text, why
from bulkgladly.exports.price import Price
from bulkgladly.exports.unit_kinds import ExportUnit, SettledUnit, UnitResult, UnitState
from bulkgladly.gladly.objects.export_jobs import (
    FIND_JOBS,
    JOBS,
    Job,
    file_request,
    jobs_of,
    newest_of,
    next_loss,
)
from bulkgladly.lake.manifest import Manifest
from bulkgladly.lake.old_units import removed_before
from bulkgladly.lake.rows import Origin
from bulkgladly.lake.schemas import DATA_SETS, DataSet, data_set_of, undeclared
from bulkgladly.lake.summaries import coverage_of

__all__ = ("JOB_WORDS", "JobFiles")

JOB_WORDS = tuple(found.name for found in DATA_SETS.values() if found.file is not None)
_GONE = "gone"


class JobFiles:
    """The files of all jobs that Gladly still has and the data set does not, job by job.

    One listing serves all data sets. The manifests say what the data set has, so neither the order of
    the list nor two jobs with the same `updatedAt` can hide a file.
    """

    name = "job files"
    workers = 1  # a conversion keeps both cores busy, and holds up to 300 MB

    def __init__(self, words: Sequence[str]) -> None:
        self._data_sets = [DATA_SETS[word] for word in words]

    async def add_price(self, context: Context, price: Price) -> None:
        """Add the list of jobs; how many files are new is not known before it is read."""
        del context
        price.others += 1
        price.has_files = True

    async def units(self, context: Context) -> AsyncIterator[ExportUnit]:
        """List the jobs once, report what is lost, and yield the new files, the oldest first."""
        reply = await context.client.send(FIND_JOBS)
        if not reply.is_confirmed:
            detail = f"the list of jobs could not be read: {why(reply)}"
            yield SettledUnit(JOBS, "(list)", UnitResult(UnitState.FAILED, detail=detail))
            return
        jobs, odd = jobs_of(reply.content)
        if odd:
            detail = (
                f"{odd:,} of {odd + len(jobs):,} entries in the list of jobs are not jobs; their files are not fetched"
            )
            yield SettledUnit(JOBS, "(list)", UnitResult(UnitState.FAILED, detail=detail))
        context.next_loss = next_loss(jobs)
        if not jobs:
            context.note(
                "Gladly lists no export jobs; they are created on a schedule that only Gladly Support can change"
            )
        for unit in await context.in_thread(self._planned, context, jobs):
            yield unit

    def _planned(self, context: Context, jobs: Sequence[Job]) -> list[ExportUnit]:
        units: list[ExportUnit] = []
        done = [job for job in jobs if job.has_files]
        options = context.options
        chosen = [job for job in done if job.is_within(options.since, options.until)]
        for data_set in (*self._data_sets, *self._unknown(context, done)):
            manifests = {manifest.unit: manifest for manifest in context.folder.manifests(data_set.name)}
            # What was removed because it is old is neither missing nor new.
            kept_from = removed_before(context.folder, data_set.name)
            units += _gaps(context, data_set, list(manifests.values()), _since(kept_from, done))
            wanted = chosen if context.options.refresh else _since(kept_from, chosen)
            units += _wanted(context, data_set, manifests, wanted, newest_of(jobs))
        units += _failed(context, jobs)
        # Job by job, so that a run that is stopped early leaves whole nights.
        order = {job.id: at for at, job in enumerate(jobs)}
        return sorted(units, key=lambda unit: order.get(unit.name, -1))

    def _unknown(self, context: Context, done: Sequence[Job]) -> list[DataSet]:
        """Return data sets for files that this version does not know, if all files are wanted."""
        unknown = sorted({file for job in done for file in job.files if data_set_of(file) is None})
        if not unknown:
            return []
        is_all = len(self._data_sets) == len(JOB_WORDS)
        where = "kept line by line below other/" if is_all else "not fetched; a dump keeps them"
        named = ", ".join(repr(file) for file in unknown[:5])
        context.note(f"Gladly offers files that this version does not know: {named}; {where}")
        return [undeclared(file) for file in unknown] if is_all else []


@dataclass(frozen=True, slots=True)
class JobFile:
    """One file of one job. `earlier` is its unit in the data set, if Gladly has created the job again.

    A file of a job that `is_expired` may be deleted in Gladly.
    """

    job: Job
    into: DataSet
    earlier: Manifest | None
    is_expired: bool = False

    @property
    def data_set(self) -> str:
        """The data set that the file belongs to."""
        return self.into.name

    @property
    def name(self) -> str:
        """The job's id."""
        return self.job.id

    async def run(self, context: Context) -> UnitResult:
        """Stream the file once into its tables; see `Context.download`."""
        job, file = self.job, str(self.into.file)
        columns = {"_job_id": job.id, "_job_updated_at": job.updated_at, "_file": file}
        source = Origin(stem=job.id, file=file, columns=columns)
        found = await context.download(file_request(job, file), self.into, job.id, source)
        about: Mapping[str, Any] = {
            "job_id": job.id,
            "job_updated_at": job.updated_at and job.updated_at.isoformat(),
            "file": file,
            "files": list(job.files),
        }
        if isinstance(found, Refused):
            return await self._without_file(context, found, source, about)
        report = found.report
        if self.earlier is not None and report.rows < self.earlier.rows:
            # More rows are never replaced by fewer. The version of the job is remembered, so that the same file
            # is not downloaded again every night.
            await context.in_thread(found.writer.abandon)
            await context.in_thread(
                context.folder.remember, self.data_set, f"kept {job.id}", {"job_updated_at": about["job_updated_at"]}
            )
            fewer = f"{report.rows:,} rows instead of {self.earlier.rows:,}"
            detail = f"{_job_text(job)} was created again with {fewer}; the earlier rows were kept"
            return UnitResult(UnitState.INCOMPLETE, unchanged=report.rows, rejected=report.rejected, detail=detail)
        replaces = (self.earlier,) if self.earlier is not None else ()
        await context.in_thread(found.commit, covered=job.period, about=about, replaces=replaces)
        updated = min(self.earlier.rows, report.rows) if self.earlier is not None else 0
        return UnitResult(UnitState.DONE, created=report.rows - updated, updated=updated, rejected=report.rejected)

    async def _without_file(
        self, context: Context, found: Refused, source: Origin, about: Mapping[str, Any]
    ) -> UnitResult:
        """Return the result of a file that Gladly does not return; it is lost only if that is certain."""
        what = f"{self.into.file} of {_job_text(self.job)}"
        if found.reply is None or not found.reply.is_absent:
            return UnitResult(UnitState.FAILED, detail=found.detail)
        if not await context.in_thread(self._is_gone, context, str(self.into.file)):
            detail = f"{what} is listed but cannot be downloaded ({found.detail}); the next run tries again"
            return UnitResult(UnitState.FAILED, detail=detail)
        if self.earlier is None or self.earlier.incomplete == _GONE:
            await self._note_gone(context, source, about)
        detail = f"{what} is lost: Gladly has deleted it; ask Gladly Support to create it again"
        return UnitResult(UnitState.GONE, detail=detail)

    def _is_gone(self, context: Context, file: str) -> bool:
        """Tell whether a file that Gladly does not find is lost: its job has expired, and two runs got a 404."""
        if not self.is_expired:
            return False
        name = f"absent {self.job.id} {file}"
        noted = context.folder.remembered(self.data_set, name)
        if noted is None:
            context.folder.remember(self.data_set, name, {"run": context.run})
        return noted is not None and noted.get("run") != context.run

    async def _note_gone(self, context: Context, source: Origin, about: Mapping[str, Any]) -> None:
        """Publish a unit without rows, so that the file is not requested again."""
        empty = await context.convert_lines((), self.into, self.name, source)
        replaces = (self.earlier,) if self.earlier is not None else ()
        await context.in_thread(empty.commit, about=about, incomplete=_GONE, replaces=replaces)


def _since(begin: dt.datetime | None, jobs: Sequence[Job]) -> Sequence[Job]:
    """Return the jobs that cover something after a time; all, if there is none."""
    return jobs if begin is None else [job for job in jobs if job.is_within(begin, None)]


def _wanted(
    context: Context,
    data_set: DataSet,
    manifests: dict[str, Manifest],
    done: Sequence[Job],
    newest: dt.datetime | None,
) -> Iterator[ExportUnit]:
    for job in done:
        if data_set.file not in job.files:
            continue  # a completed job may lack a file
        earlier = manifests.get(job.id)
        # An earlier version gave a file up at its first 404; it is requested as long as it may still exist.
        is_expired = job.is_expired(newest)
        is_doubtful = earlier is not None and earlier.incomplete == _GONE and not is_expired
        is_new = earlier is None or is_doubtful or _is_newer(job, earlier.source.get("job_updated_at"))
        if context.options.refresh or (is_new and not _is_kept(context, data_set, job)):
            yield JobFile(job, data_set, earlier, is_expired)


def _is_newer(job: Job, known: object) -> bool:
    return job.updated_at is not None and (
        not isinstance(known, str) or job.updated_at > dt.datetime.fromisoformat(known)
    )


def _is_kept(context: Context, data_set: DataSet, job: Job) -> bool:
    """Tell whether this version of the job is already known to have fewer rows."""
    noted = context.folder.remembered(data_set.name, f"kept {job.id}")
    return noted is not None and not _is_newer(job, noted.get("job_updated_at"))


def _gaps(
    context: Context, data_set: DataSet, manifests: Sequence[Manifest], done: Sequence[Job]
) -> Iterator[ExportUnit]:
    """Yield each period that neither the data set nor a job of Gladly covers, the first time that it is seen."""
    covered = [manifest.covered for manifest in manifests if manifest.covered]
    offered = [job.period for job in done if job.period and data_set.file in job.files]
    if not covered:
        return
    missing = {period_text(*gap): gap for gap in coverage_of([*covered, *offered]).gaps}
    for text in missing:
        detail = f"{text} is missing: no job that Gladly still has covers it; ask Gladly Support for one"
        result = UnitResult(UnitState.GONE, detail=detail)
        loss = ToldOnce(data_set.name, f"gap {text}", result, memo="gaps", member="periods", told=text)
        if loss.was_told(context):
            context.note(f"{data_set.name}: {text} is missing, as reported before")
        else:
            yield loss


def _failed(context: Context, jobs: Sequence[Job]) -> Iterator[ExportUnit]:
    """Yield each job that failed in Gladly, the first time that it is seen."""
    for job in jobs:
        detail = f"{_job_text(job)} failed in Gladly; ask Gladly Support to run it again"
        result = UnitResult(UnitState.FAILED, detail=detail)
        loss = ToldOnce(JOBS, job.id, result, memo="failed", member="ids", told=job.id)
        if job.status == "FAILED" and not loss.was_told(context):
            yield loss


@dataclass(frozen=True, slots=True)
class ToldOnce:
    """A loss that one run reports, and no later one.

    It is noted when it is reported, not when it is planned: a run that is stopped before would keep it secret
    for ever. The run that noted it reports it again if it is resumed, since it may have been killed before its own
    journal had the result.
    """

    data_set: str
    name: str
    result: UnitResult
    memo: str
    member: str
    told: str

    def was_told(self, context: Context) -> bool:
        """Tell whether another run has reported it."""
        noted = self._noted(context)
        return self.told in noted.get(self.member, ()) and noted.get("runs", {}).get(self.told) != context.run

    async def run(self, context: Context) -> UnitResult:
        """Note that it is reported, and return the result."""
        await context.in_thread(self._note, context)
        return self.result

    def _note(self, context: Context) -> None:
        noted = self._noted(context)
        told = sorted({*noted.get(self.member, ()), self.told})
        runs = {name: run for name, run in noted.get("runs", {}).items() if run == context.run}
        context.folder.remember(self.data_set, self.memo, {self.member: told, "runs": {**runs, self.told: context.run}})

    def _noted(self, context: Context) -> Mapping[str, Any]:
        return context.folder.remembered(self.data_set, self.memo) or {}


def _job_text(job: Job) -> str:
    return f"job {job.id}" + (f" ({period_text(*job.period)})" if job.period else "")
