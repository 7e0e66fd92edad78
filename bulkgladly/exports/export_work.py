"""An export as the work of a run: kinds one after the other, the units of each side by side, into a data set."""

import contextlib
import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from bulkgladly.commands import next_command
from bulkgladly.errors import BulkgladlyError
from bulkgladly.exports.export_context import Context
from bulkgladly.exports.export_options import ExportOptions
from bulkgladly.exports.export_summary import ROW_WORDS, ExportReport, counts_of, ending_of, units_told
from bulkgladly.exports.price import Price
from bulkgladly.exports.reply_buffer import PUBLISHING, KeptReplies
from bulkgladly.exports.unit_kinds import (
    MAINTENANCE,
    ExportKind,
    ExportUnit,
    SettledUnit,
    UnitResult,
    UnitState,
    failed_by,
)
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.journal.units import UnitLine, UnitLog
from bulkgladly.lake.folder import DataFolder
from bulkgladly.runs.options import changed_settings, stored
from bulkgladly.runs.session import Progress, Session
from bulkgladly.runs.stages import Feed
from bulkgladly.runs.summary import resume_command

__all__ = ("ExportWork",)

Slot = tuple[ExportUnit, anyio.CapacityLimiter]
_PLAN = "(plan)"
"""The unit under which a kind that could not be planned is reported."""


class ExportWork:
    """Fetches the units that the data set lacks, publishes each as a whole, and records it in the journal.

    The caller holds the lock of the data set. Whatever happens, the data set holds only whole units.

    Chapters: planning; fetching; progress and summary.
    """

    def __init__(
        self, session: Session, folder: DataFolder, kinds: Sequence[ExportKind], options: ExportOptions
    ) -> None:
        self._session, self._folder, self._kinds, self._options = session, folder, kinds, options
        self._observer, self._stop = session.observer, session.stop
        run = session.run
        self.journal = UnitLog(run.path, vitals=session.connection.vitals)
        self.context = Context(
            client=session.client,
            folder=folder,
            options=options,
            log=self.journal,
            observer=session.observer,
            host=session.connection.host,
            now=dt.datetime.now(dt.UTC),
            begun_at=dt.datetime.fromisoformat(run.header().created_at),
            bounds=session.bounds,
            run=run.name,
        )
        # What could not be planned, published or kept up in an earlier session is tried again: its failure is dropped.
        for name in (_PLAN, PUBLISHING, *MAINTENANCE):
            self.journal.forget_units(name)
        self._counts = counts_of(self.journal.units())
        self._planned = self._done = self._open = 0
        self._failures: Counter[str] = Counter()
        self._damage_told: set[Path] = set()
        self._idle = anyio.Event()
        # Twice the workers, so that one that has finished finds its next unit ready.
        self._feed: Feed[Slot] = Feed(2 * session.connection.concurrency)

    @property
    def workers(self) -> int:
        """The largest number that a kind uses; each kind has its own limit."""
        return max(kind.workers for kind in self._kinds)

    async def begin(self) -> None:
        """Tell the user where the data comes from and goes to."""
        where = f"{self.context.host} into {self._options.out}"
        self._observer.note(f"{self._session.run.name}: {where}; Ctrl-C stops safely")

    # --- planning ---

    async def read(self) -> None:
        """Plan one kind after the other, and hand over what is to be fetched."""
        await self._tell_damage()
        await self._tell_price()
        for kind in (KeptReplies(self._options.words), *self._kinds):
            try:
                await self._plan_kind(kind)
            except Exception as error:  # noqa: BLE001 - one kind that cannot be planned must not hide the others
                result = self._failed(kind, error)
                await self._settle(SettledUnit(kind.name, _PLAN, result), result)
            # A later kind reads what this one publishes.
            await self._wait_for_all()
            await self._tell_damage()

    async def _tell_price(self) -> None:
        """Tell what the export takes, before its first request. An error here is that of a kind, which reports it."""
        with contextlib.suppress(BulkgladlyError, OSError):
            price = Price()
            for kind in self._kinds:
                await kind.add_price(self.context, price)
            for line in price.lines(self._session.steering.foreseen()):
                self._observer.note(f"{self._session.run.name}: {line}")
            if (warning := self._session.deadline.doubt(price.estimate(self._session.steering.foreseen()))) is not None:
                self._observer.note(warning)

    async def _plan_kind(self, kind: ExportKind) -> None:
        limiter = anyio.CapacityLimiter(kind.workers)
        room = 0
        async for unit in kind.units(self.context):
            if unit is None:
                await self._wait_for_all()
                continue
            if room == 0:
                room = await self._feed.room()
            room -= 1
            self._planned += 1
            self._open += 1
            self._feed.put([(unit, limiter)])

    def _failed(self, kind: ExportKind, error: Exception) -> UnitResult:
        """Return the result of a kind whose planning failed. If it is the only kind, the error ends the run."""
        if len(self._kinds) == 1 and isinstance(error, BulkgladlyError):
            raise error
        result = failed_by(error)
        self._observer.note(f"{kind.name}: {result.detail}")
        return result

    async def _tell_damage(self) -> None:
        """Report each unit whose manifest or decision cannot be read, once: it failed, and the others continued."""
        for path, damage in list(self._folder.damage.items()):
            if path not in self._damage_told:
                self._damage_told.add(path)
                result = UnitResult(UnitState.FAILED, detail=damage.detail)
                await self._settle(SettledUnit(damage.data_set, damage.unit, result), result)

    async def _wait_for_all(self) -> None:
        while self._open:
            self._idle = anyio.Event()
            await self._idle.wait()

    # --- fetching ---

    async def hand_over(self) -> None:
        """Nothing lies between the plan and the workers."""

    async def close(self) -> None:
        """Drop the units that have not begun; the next run plans them again."""
        self._feed.empty()

    async def take(self) -> None:
        """Fetch one unit after the other, within the limit of its kind."""
        while (slot := await self._feed.take()) is not None:
            unit, limiter = slot
            async with limiter:
                if self._stop.is_draining:
                    return  # it was waiting for its turn, and has not begun
                result = await self._outcome(unit)
            # Outside of the limiter, so that the next unit begins while this one goes to the journal.
            if result is not None:
                await self._settle(unit, result)
            self._done += 1
            self._open -= 1
            if not self._open:
                self._idle.set()
            self._check_limits()

    async def _outcome(self, unit: ExportUnit) -> UnitResult | None:
        """Fetch a unit. A bad unit never ends the others; only what `failed_by` raises does."""
        try:
            return await unit.run(self.context)
        except Exception as error:  # noqa: BLE001 - judged in one place, by its kind
            return failed_by(error)

    async def _settle(self, unit: ExportUnit, result: UnitResult) -> None:
        line = UnitLine(
            unit.data_set,
            unit.name,
            result.state.value,
            result.created,
            result.updated,
            result.unchanged,
            result.rejected,
            result.detail,
        )
        if result.state is UnitState.FAILED:
            self._failures[unit.data_set] += 1
        await anyio.to_thread.run_sync(self.journal.settle, line)
        for word in ROW_WORDS:
            self._counts[word] += getattr(line, word)

    def _check_limits(self) -> None:
        limits = self._options.limits
        if limits.max_errors is not None and self._counts["rejected"] > limits.max_errors:
            self._stop.drain(3, f"more than {limits.max_errors} lines were rejected")
        # A share is judged from a hundred lines on: the first bad line would otherwise end the run.
        percent, read = limits.max_errors_percent, sum(self._counts[word] for word in ROW_WORDS)
        if percent is not None and read >= 100 and self._counts["rejected"] * 100 > read * percent:
            self._stop.drain(3, f"more than {percent:g} % of the lines were rejected")

    # --- progress and summary ---

    def progress(self) -> Progress:
        """Return how many units have ended, and the counts of their rows."""
        return Progress(
            self._counts,
            self._done,
            self._planned,
            things="units",
            has_eta=False,
            subject=f"{self.context.host} into {self._options.out}",
            reasons=self._failures.most_common(),
        )

    async def settle(self) -> None:
        """Check for replies that no unit holds: a run with something to publish is not complete."""
        if waiting := await anyio.to_thread.run_sync(self.journal.waiting):
            kept = f"{waiting:,} replies are kept in the run's journal; `resume` publishes them and requests the rest"
            self.context.notes.append(kept)
            self._stop.reached(1, kept)

    def summary(self, common: Mapping[str, Any]) -> ExportReport:
        """Return the summary of the run, with what the data set holds now."""
        lines, loss = self.journal.units(), self.context.next_loss
        ending = ending_of(lines, self._stop.exit_code, self._stop.reason)
        return ExportReport(
            **common,
            **ending._asdict(),
            **units_told(lines),
            out=str(self._session.run.header().settings["out"]),
            notes=tuple(self.context.notes),
            files=self._files(),
            settings=_settings_of(self._session.run),
            next_loss=f"{loss:%Y-%m-%d %H:%M} UTC" if loss else None,
            next_commands=(self._next_command(),),
        )

    def _files(self) -> Mapping[str, Mapping[str, Any]]:
        """Return what the data sets of this run hold now, according to their manifests."""
        names = dict.fromkeys(line.data_set for line in self.journal.units())
        found: dict[str, Mapping[str, Any]] = {}
        for name in names:
            manifests = self._folder.manifests(name)
            if not manifests:
                continue
            parts = [part for manifest in manifests for part in manifest.parts]
            found[name] = {
                "path": str(self._folder.path / name),
                "rows": sum(part.rows for part in parts),
                "parts": len(parts),
                "bytes": sum(part.bytes for part in parts),
                "units": len(manifests),
            }
        return found

    def _next_command(self) -> str:
        if self._stop.exit_code is not None:
            return resume_command(self._session.run)
        return next_command("dataset", "show", self._options.out)


def _settings_of(run: RunFolder) -> dict[str, Any]:
    """Return the settings of an export that differ from the defaults."""
    settings = run.header().settings
    usual = stored(ExportOptions(out=".", words=tuple(settings.get("words", ()))))
    return {name: value for name, value in changed_settings(settings, usual).items() if name not in ("out", "words")}
