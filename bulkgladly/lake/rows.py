"""Rows on their way from reading to writing, and what lines hold besides: rejected lines, drift, where they came from.

Whatever reads (`conversion`, `report_table`) makes these, whatever writes takes them, and
neither knows the other.
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

    `stem` is what the names of its parts begin with: a job id, a time. `file` is what a
    message or a list of rejects calls it: `conversation_items.jsonl`, `GET /api/v1/inboxes`.
    `columns` has the values of the data set's provenance columns, the same in each row;
    one that is missing is null.
    """

    stem: str
    file: str
    columns: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reject:
    """A line that is no row: its number, why, and its bytes (of one that is too long, the first)."""

    line: int
    code: str
    detail: str
    raw: bytes


class Rows(NamedTuple):
    """Rows of one partition, in file order: the columns of their shape, `_line`, and perhaps `_extra`.

    A column of the data set that is missing is null throughout, or the provenance of the unit.
    """

    partition: Partition
    batch: pa.RecordBatch


class DriftKind(enum.StrEnum):
    """In which way a value stands beside its schema. All are kept in `_extra`."""

    UNKNOWN_FIELD = "unknown_field"
    UNKNOWN_TYPE = "unknown_type"
    """An item of a content type that is not declared: its content stands in `_extra`."""
    MISFIT = "misfit"
    """A known field whose value is of another type."""
    FINER_TIME = "finer_time"
    """A time with nanoseconds: the column has it cut to microseconds, `_extra` in full."""
    NULL = "null"
    """A known field that is null; a null column alone means that the field is absent."""


@dataclass(frozen=True, slots=True)
class Drift:
    """One kind of drift at one place, with `[]` in the path for any place in a list."""

    path: str
    kind: DriftKind
    count: int
    first_line: int


_MOST_PLACES = 1000
_BEYOND = "…"


class DriftLog:
    """Counts drift. Past a thousand different places, further ones are counted as one."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, DriftKind], tuple[int, int]] = {}

    def __iter__(self) -> Iterator[Drift]:
        for (path, kind), (count, first) in sorted(self._found.items()):
            yield Drift(path, kind, count, first)

    def add(self, path: str, kind: DriftKind, line: int, count: int = 1) -> None:
        """Count something found on a line."""
        key = path, kind
        if key not in self._found and len(self._found) >= _MOST_PLACES:
            key = _BEYOND, kind
        before, first = self._found.get(key, (0, line))
        self._found[key] = before + count, min(first, line)

    def take(self, others: Iterable[Drift]) -> None:
        """Add what another log has counted."""
        for drift in others:
            self.add(drift.path, drift.kind, drift.first_line, drift.count)
