"""Kinds of an export run by hand: for what a test must see or stop between two units."""

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import anyio

from bulkgladly.exports.export_context import Context
from bulkgladly.exports.export_options import ExportOptions
from bulkgladly.exports.unit_kinds import ExportKind, UnitResult, UnitState
from bulkgladly.journal.units import UnitLog
from bulkgladly.lake.folder import DataFolder
from bulkgladly.runs.connection import Connection
from bulkgladly.runs.environment import Bounds
from bulkgladly.runs.observer import Observer
from bulkgladly.settings import Limits
from tests.flows.exporting import Lake
from tests.flows.quickly import QUICK


class End(NamedTuple):
    """How a unit ended."""

    data_set: str
    name: str
    result: UnitResult


@dataclass
class Ends:
    """How all units of a kind ended, and what was noted."""

    ends: list[End] = field(default_factory=list[End])
    notes: list[str] = field(default_factory=list[str])

    def __iter__(self) -> Iterator[End]:
        return iter(self.ends)

    def total(self, word: str) -> int:
        """The rows of all results."""
        return sum(getattr(end.result, word) for end in self.ends)

    def of(self, state: UnitState) -> list[End]:
        """The units that ended in a state."""
        return [end for end in self.ends if end.result.state is state]

    def only(self) -> UnitResult:
        """The result where there is one."""
        (end,) = self.ends
        return end.result


@dataclass
class Driver:
    """One run of exports into a lake, in as many sessions as a test likes."""

    lake: Lake
    run: str = "run"
    now: dt.datetime | None = None
    """What the exporting machine takes for the time; None: what the organisation does."""
    bounds: Bounds = field(default_factory=Bounds)
    make_log: Callable[..., UnitLog] = UnitLog

    @contextmanager
    def _opened(self, options: ExportOptions) -> Iterator[tuple[Connection, Context]]:
        lake = self.lake
        place = lake.folder / self.run
        place.mkdir(exist_ok=True)
        log = self.make_log(place, clock=lake.wall)
        connection = Connection(lake.credentials, options.pace, Limits(), QUICK)
        try:
            with DataFolder.open(options.out, host=lake.credentials.host, create=True).lock() as folder:
                folder.recover()
                yield (
                    connection,
                    Context(
                        client=connection.client,
                        folder=folder,
                        options=options,
                        log=log,
                        observer=Observer(),
                        host=lake.credentials.host,
                        now=lake.wall.now,
                        clock=lambda: self.now or lake.wall.now,
                        bounds=self.bounds,
                    ),
                )
        finally:
            log.close()

    async def drive(
        self,
        make: Callable[[ExportOptions], ExportKind],
        *,
        stop_after: int | None = None,
        workers: int = 4,
        **changes: Any,
    ) -> Ends:
        """Run the units of a kind side by side; `stop_after` so many the session is given up, as by a kill."""
        options = self.lake.options(**changes) if changes else self.lake.options()
        kind = make(options)
        found = Ends()
        with self._opened(options) as (connection, context):
            async with connection.client:
                await _run(kind, context, found, stop_after, min(workers, kind.workers))
            found.notes = context.notes
        return found


async def _run(kind: ExportKind, context: Context, found: Ends, stop_after: int | None, workers: int) -> None:
    waiting: list[Any] = []
    begun = 0

    async def one(unit: Any) -> None:
        result = await unit.run(context)
        if result is not None:
            found.ends.append(End(unit.data_set, unit.name, result))

    async def all_of(units: list[Any]) -> None:
        async with anyio.create_task_group() as crew:
            for unit in units:
                crew.start_soon(one, unit)
        units.clear()

    async for unit in kind.units(context):
        if unit is not None:
            waiting.append(unit)
            begun += 1
        if unit is None or len(waiting) >= workers or begun == stop_after:
            await all_of(waiting)
        if begun == stop_after:
            return
    await all_of(waiting)


def path_with(folder: Path, name: str, lines: list[str]) -> Path:
    """A file of lines."""
    path = folder / name
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def later(lake: Lake, **span: float) -> dt.datetime:
    """Move the lake's clock, and return the time."""
    lake.wall.now += dt.timedelta(**span)
    return lake.wall.now
