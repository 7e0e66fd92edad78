"""Rows in flight from reading to writing, with their origin, rejected lines and drift.

Modules that read (`conversion`, `report_table`) produce these, and modules that write take them, so
that neither needs to know the other.
"""

import enum
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pyarrow as pa

from bulkgladly.lake.places import Partition

__all__ = (
    "Drift",
    "DriftKind",
    "DriftLog",
    "Origin",
    "Reject",
    "Rows",
)


@dataclass(frozen=True, slots=True)
class Origin:
    """One file of a job, or one fetch.

    The names of its parts begin with `stem`: a job id, a time. Messages and lists of rejects call it
    `file`: `conversation_items.jsonl`, `GET /api/v1/inboxes`. `columns` has the values of the data
    set's provenance columns, the same in each row; a missing one is null.
    """

    stem: str
    file: str
    columns: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reject:
    """A line that cannot become a row: its number, why, and its bytes (the first ones, if it is too long)."""

    line: int
    code: str
    detail: str
    raw: bytes


class Rows(NamedTuple):
    """Rows of one partition, in file order: the columns of their shape, `_line`, and perhaps `_extra`.

    A missing column of the data set is null in every row, or the provenance of the unit.
    """

    partition: Partition
    batch: pa.RecordBatch


class DriftKind(enum.StrEnum):
    """How a value does not fit its schema. All such values are kept in `_extra`."""

    UNKNOWN_FIELD = "unknown_field"
    UNKNOWN_TYPE = "unknown_type"
    """A line of a kind that is not declared: its content stands in `_extra`."""
    MISFIT = "misfit"
    """A known field with a value of another type."""
    FINER_TIME = "finer_time"
    """A time with nanoseconds: the column has it cut to microseconds, `_extra` has all of it."""
    NULL = "null"
    """A known field that is null; a null column alone means that the field is absent."""


@dataclass(frozen=True, slots=True)
class Drift:
    """One kind of drift at one path, in which `[]` stands for any index of a list."""

    path: str
    kind: DriftKind
    count: int
    first_line: int


_MOST_PLACES = 1000
"""Keeps manifests small if every line has members of its own, such as ids for names."""
_BEYOND = "…"


class DriftLog:
    """Counts drift. Beyond a thousand different paths, further ones are counted as one."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, DriftKind], tuple[int, int]] = {}

    def __iter__(self) -> Iterator[Drift]:
        for (path, kind), (count, first) in sorted(self._found.items()):
            yield Drift(path, kind, count, first)

    def add(self, path: str, kind: DriftKind, line: int, count: int = 1) -> None:
        """Count drift that was found on a line."""
        key = path, kind
        if key not in self._found and len(self._found) >= _MOST_PLACES:
            key = _BEYOND, kind
        before, first = self._found.get(key, (0, line))
        self._found[key] = before + count, min(first, line)

    def take(self, others: Iterable[Drift]) -> None:
        """Add the counts of another log."""
        for drift in others:
            self.add(drift.path, drift.kind, drift.first_line, drift.count)
