"""The nouns of an export: kinds, which know what there is to fetch, units, which fetch themselves, and results."""

import enum
import traceback
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from bulkgladly.errors import BulkgladlyError, TransportError, UsageError
from bulkgladly.storage.failures import is_full, not_written

if TYPE_CHECKING:
    from bulkgladly.exports.export_context import Context
    from bulkgladly.exports.price import Price

__all__ = (
    "COMPACT",
    "MAINTENANCE",
    "RETENTION",
    "ExportKind",
    "ExportUnit",
    "SettledUnit",
    "UnitResult",
    "UnitState",
    "failed_by",
)

COMPACT, RETENTION = "(compact)", "(retention)"
MAINTENANCE = (COMPACT, RETENTION)
"""The units under which a failure after all fetching is reported."""

_OF_ONE_UNIT = (UsageError, TransportError)


class UnitState(enum.StrEnum):
    """How a unit ended. All but DONE and UNCHANGED give the run exit code 1."""

    DONE = "done"
    """Published whole."""
    UNCHANGED = "unchanged"
    """Fetched, and the data set has it already."""
    INCOMPLETE = "incomplete"
    """Published, but the API cut it short, or some of its rows could not be kept."""
    GONE = "gone"
    """Gladly no longer has it: it is lost."""
    FAILED = "failed"
    """Not published; the next run tries it again."""


@dataclass(frozen=True, slots=True)
class UnitResult:
    """How one unit ended. `detail` says why, if the state alone does not."""

    state: UnitState
    created: int = 0
    """Rows that the data set did not have."""
    updated: int = 0
    """Rows that replaced an earlier one."""
    unchanged: int = 0
    """Rows that the data set has already."""
    rejected: int = 0
    """Lines that are not rows; they stand in `_rejects`."""
    detail: str = ""


def failed_by(error: Exception) -> UnitResult:
    """Return the result of a unit that raised an error: it failed, and the others continue.

    A fault in one file, one manifest or one reply comes back every night, and must not keep all later
    units from being fetched until Gladly has deleted them. The text contains no value of a row.

    Raises:
        BulkgladlyError: The error ends the run: wrong credentials, an outage, a full disk, the
            run's own journal. Every error of ours does, unless its type is about a single unit.
        MemoryError: Unchanged.
    """
    if isinstance(error, MemoryError) or (isinstance(error, BulkgladlyError) and not isinstance(error, _OF_ONE_UNIT)):
        raise error
    if isinstance(error, BulkgladlyError):
        return UnitResult(UnitState.FAILED, detail=str(error))
    if isinstance(error, OSError):
        place = error.filename or "a file"
        if is_full(error):
            raise not_written(place, error) from error
        return UnitResult(UnitState.FAILED, detail=f"{place}: {error.strerror or type(error).__name__}")
    at = traceback.extract_tb(error.__traceback__)[-1:]
    where = f" in {Path(at[0].filename).name}, line {at[0].lineno}" if at else ""
    detail = f"internal error: {type(error).__name__}{where}; please report it. The other units are not affected"
    return UnitResult(UnitState.FAILED, detail=detail)


class ExportUnit(Protocol):
    """One unit to fetch: published whole or not at all."""

    @property
    def data_set(self) -> str:
        """The data set that it goes into."""
        ...

    @property
    def name(self) -> str:
        """Its name among the units of its data set; the same unit has the same name in every run."""
        ...

    async def run(self, context: "Context") -> UnitResult | None:
        """Fetch and publish.

        What Gladly says about this unit is a result, never an exception. None means that it succeeded,
        and that another unit publishes and reports what was fetched.

        Raises:
            Exception: Nothing of the unit was published. `failed_by` decides whether that ends
                the run (Fatal, Outage, DiskFull ...) or only this unit.
        """
        ...


@dataclass(frozen=True, slots=True)
class SettledUnit:
    """A unit whose result is known before anything is fetched, and only has to be reported."""

    data_set: str
    name: str
    result: UnitResult

    async def run(self, context: "Context") -> UnitResult:  # noqa: ARG002 - as every unit
        """Return the result."""
        return self.result


class ExportKind(Protocol):
    """One kind of thing to export. Kinds run one after the other, the units of one kind side by side."""

    @property
    def name(self) -> str:
        """The word on the command line."""
        ...

    @property
    def workers(self) -> int:
        """The most units that are fetched at once."""
        ...

    async def add_price(self, context: "Context", price: "Price") -> None:
        """Add what it will request, as far as that can be known before anything is; nothing is requested."""
        ...

    def units(self, context: "Context") -> AsyncIterator[ExportUnit | None]:
        """Find out what there is, and yield what the data set does not have yet.

        Called after all earlier kinds have ended, so that it can read what they published. None
        stands for a wait: the generator continues when all units so far have ended.
        """
        ...
