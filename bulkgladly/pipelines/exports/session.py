"""One process's work on an export: kinds one after the other, their tasks side by side, then the report."""

import contextlib
import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import orjson

from bulkgladly.commands import next_command
from bulkgladly.errors import BulkgladlyError
from bulkgladly.journal.runs import RunFolder, write_private
from bulkgladly.journal.units import UnitLine, UnitLog
from bulkgladly.lake.folder import DataFolder
from bulkgladly.os_errors import not_written
from bulkgladly.pipelines.connection import Connection, check_organisation
from bulkgladly.pipelines.exports.context import Context
from bulkgladly.pipelines.exports.gathering import ANSWERS
from bulkgladly.pipelines.exports.kept_answers import KeptAnswers
from bulkgladly.pipelines.exports.options import ExportOptions
from bulkgladly.pipelines.exports.report import ExportReport, counts_of, report_of
from bulkgladly.pipelines.exports.units import Kind, Settled, UnitResult, UnitState, UnitTask, failed_by
from bulkgladly.pipelines.report import Observer, RunView
from bulkgladly.pipelines.stages import Feed, Stop, heeding_signals, run_stages, stopping
from bulkgladly.settings import Credentials

__all__ = ("ExportSession",)

Slot = tuple[UnitTask, anyio.CapacityLimiter]
_PLAN = "(plan)"
"""The unit under which a kind is told that could not be planned."""
_ROW_WORDS = ("created", "updated", "unchanged", "rejected")


class ExportSession:
    """Fetches what the data set has not, until that or the run ends, then tells what happened.

    The caller holds the locks of the run and of the data set. Whatever happens, the data
    set holds whole units only.
    """

    def __init__(
        self,
        run: RunFolder,
        folder: DataFolder,
        kinds: Sequence[Kind],
        options: ExportOptions,
        credentials: Credentials,
        observer: Observer,
    ) -> None:
        self.run_folder, self.folder, self.kinds = run, folder, kinds
        self.options, self.observer = options, observer
        self.connection = Connection(credentials, options.pace, options.limits)
        self.stop = Stop(self.connection.client.withdraw)
        self.log = UnitLog(run.path, vitals=self.connection.vitals)
        self.connection.earlier = dict(self.log.earlier_vitals)
        self.context = Context(
            client=self.connection.client,
            folder=folder,
            options=options,
            log=self.log,
            observer=observer,
            host=credentials.host,
            now=dt.datetime.now(dt.UTC),
            begun_at=dt.datetime.fromisoformat(run.header().created_at),
            run=run.name,
        )
        for name in (_PLAN, ANSWERS):
            self.log.forget_units(name)
        self.counts = counts_of(self.log.units())
        self.planned = self.done = self._open = 0
        self._told: set[Path] = set()
        self._idle = anyio.Event()
        self._feed: Feed[Slot] = Feed(2 * self.connection.concurrency)

    async def run(self, *, with_signals: bool) -> ExportReport:
        """Work, then write the report; the report says how it went."""
        with heeding_signals(self.stop, wanted=with_signals):
            return await self._run()

    async def _run(self) -> ExportReport:
        try:
            await anyio.to_thread.run_sync(self.log.note, "status", "running")
            self.observer.note(
                f"{self.run_folder.name}: {self.context.host} into {self.options.out}; safe to stop at any time"
            )
            async with self.connection.client:
                await self._work()
        except BulkgladlyError as error:
            self.stop.fail(error)
        except BaseException:
            with contextlib.suppress(BulkgladlyError):
                self.log.note("status", "interrupted")
            self.log.close()
            raise
        ended: list[ExportReport] = []
        try:
            with anyio.CancelScope(shield=True):
                ended.append(await anyio.to_thread.run_sync(self._finish))
        finally:
            self.log.close()
        return ended[0]

    async def _work(self) -> None:
        beside = [self._show]
        if self.options.limits.max_duration_s is not None:
            beside.append(self._end_in_time)
        await run_stages(
            self.stop,
            sources=(self._plan,),
            close=self._close,
            work=self._take_tasks,
            workers=max(kind.workers for kind in self.kinds),
            beside=beside,
        )

    async def _plan(self) -> None:
        await check_organisation(self.context.client, self.context.host)
        await self._tell_damage()
        for kind in (KeptAnswers(self.options.words), *self.kinds):
            try:
                await self._plan_kind(kind)
            except Exception as error:  # noqa: BLE001 - one kind that cannot be planned must not hide the others
                result = self._failed(kind, error)
                await self._settle(Settled(kind.name, _PLAN, result), result)
            # A later kind reads what an earlier one has published.
            await self._wait_for_all()
            await self._tell_damage()

    async def _plan_kind(self, kind: Kind) -> None:
        limiter = anyio.CapacityLimiter(kind.workers)
        room = 0
        async for task in kind.tasks(self.context):
            if task is None:
                await self._wait_for_all()
                continue
            if room == 0:
                room = await self._feed.room()
            room -= 1
            self.planned += 1
            self._open += 1
            self._feed.put([(task, limiter)])

    def _failed(self, kind: Kind, error: Exception) -> UnitResult:
        """Return what an error in planning means for its kind; where nothing else was asked for, it ends the run."""
        if len(self.kinds) == 1 and isinstance(error, BulkgladlyError):
            raise error
        result = failed_by(error)
        self.observer.note(f"{kind.name}: {result.detail}")
        return result

    async def _tell_damage(self) -> None:
        """Tell each unit whose manifest or decision cannot be read, once: it failed, and the others went on."""
        for path, damage in list(self.folder.damage.items()):
            if path not in self._told:
                self._told.add(path)
                result = UnitResult(UnitState.FAILED, detail=damage.detail)
                await self._settle(Settled(damage.data_set, damage.unit, result), result)

    async def _wait_for_all(self) -> None:
        while self._open:
            self._idle = anyio.Event()
            await self._idle.wait()

    async def _close(self) -> None:
        self._feed.empty()

    async def _take_tasks(self) -> None:
        while (slot := await self._feed.take()) is not None:
            task, limiter = slot
            async with limiter:
                if self.stop.is_draining:
                    return  # it waited for its turn, and has not begun
                result = await self._outcome(task)
            if result is not None:
                await self._settle(task, result)
            self.done += 1
            self._open -= 1
            if not self._open:
                self._idle.set()
            self._check_limits()

    async def _outcome(self, task: UnitTask) -> UnitResult | None:
        """Run a task. One bad unit never ends the others: only what `failed_by` raises does."""
        try:
            return await task.run(self.context)
        except Exception as error:  # noqa: BLE001 - judged in one place, by its kind
            return failed_by(error)

    async def _settle(self, task: UnitTask, result: UnitResult) -> None:
        line = UnitLine(
            task.data_set,
            task.name,
            result.state.value,
            result.created,
            result.updated,
            result.unchanged,
            result.rejected,
            result.detail,
        )
        await anyio.to_thread.run_sync(self.log.settle, line)
        for word in _ROW_WORDS:
            self.counts[word] += getattr(line, word)

    def _check_limits(self) -> None:
        limits = self.options.limits
        if limits.max_errors is not None and self.counts["rejected"] > limits.max_errors:
            self.stop.drain(3, f"more than {limits.max_errors} lines were rejected")
        percent, read = limits.max_errors_percent, sum(self.counts[word] for word in _ROW_WORDS)
        if percent is not None and read >= 100 and self.counts["rejected"] * 100 > read * percent:
            self.stop.drain(3, f"more than {percent:g} % of the lines were rejected")

    async def _show(self) -> None:
        while True:
            await anyio.sleep(self.observer.interval_s)
            self.observer.tick(self.view())

    async def _end_in_time(self) -> None:
        limit = self.options.limits.max_duration_s or 0.0
        await anyio.sleep(limit)
        self.stop.drain(10, f"the time limit of {limit:g} s is reached")

    def view(self) -> RunView:
        """Return how the run stands at this moment."""
        momentum = self.connection.momentum()
        return RunView(
            run=self.run_folder.name,
            counts=self.counts,
            done=self.done,
            rows=self.planned,
            rows_exact=True,
            seconds=self.connection.seconds,
            requests=momentum.requests,
            requests_per_second=momentum.per_second,
            allowed_per_second=momentum.allowed_per_second,
            in_flight=momentum.in_flight,
            throttled=momentum.throttled,
            waiting=stopping(momentum.in_flight) if self.stop.is_draining else momentum.waiting,
            waiting_s=0.0 if self.stop.is_draining else momentum.waiting_s,
            eta_s=None,
            things="units",
        )

    def _finish(self) -> ExportReport:
        self.observer.tick(self.view())
        if waiting := self.log.waiting():
            kept = f"{waiting:,} answers are kept in the run's journal; `resume` publishes them, and asks for the rest"
            self.context.notes.append(kept)
            self.stop.reached(1, kept)  # a run with something to publish is not complete
        header = self.run_folder.header()
        report = report_of(
            header,
            self.run_folder.path,
            self.log.units(),
            stopped=(self.stop.exit_code, self.stop.reason),
            vitals=self.connection.vitals(),
            files=self._files(),
            notes=self.context.notes,
            next_loss=self.context.next_loss,
            next_commands=self._next_commands(),
        )
        report = self._written(report)
        with contextlib.suppress(BulkgladlyError):
            self.log.note("status", report.status)
        return report

    def _written(self, report: ExportReport) -> ExportReport:
        """Write the report, and return it; if there is no room for it, it says so and is not complete."""
        path = self.run_folder.path
        try:
            write_private(path / "report.json", orjson.dumps(report.as_dict(), option=orjson.OPT_INDENT_2))
            write_private(path / "report.md", report.as_markdown().encode())
        except OSError as error:
            problem = not_written(f"the report in {path}", error)
            if report.exit_code not in (0, 1):
                return replace(report, notes=(*report.notes, str(problem)))
            self.stop.reached(problem.exit_code, str(problem))
            return replace(
                report,
                status="failed",
                exit_code=problem.exit_code,
                reason=str(problem),
                next_commands=tuple(self._next_commands()),
            )
        return report

    def _files(self) -> Mapping[str, Mapping[str, Any]]:
        """What the data sets of this run hold now, by their manifests."""
        names = dict.fromkeys(line.data_set for line in self.log.units())
        found: dict[str, Mapping[str, Any]] = {}
        for name in names:
            manifests = self.folder.manifests(name)
            if not manifests:
                continue
            parts = [part for manifest in manifests for part in manifest.parts]
            found[name] = {
                "path": str(self.folder.path / name),
                "rows": sum(part.rows for part in parts),
                "parts": len(parts),
                "bytes": sum(part.bytes for part in parts),
                "units": len(manifests),
            }
        return found

    def _next_commands(self) -> list[str]:
        if self.stop.exit_code is not None:
            run = self.run_folder
            return [next_command("resume", run.name, state_dir=run.state_dir, connects=True)]
        return [next_command("dataset", "show", self.options.out)]
