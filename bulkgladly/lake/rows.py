"""What a file held beyond its schema: which field, in which way, how often, since which line."""

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

__all__ = ("Drift", "DriftKind", "DriftLog")

_MOST_PLACES = 1000
_BEYOND = "…"


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


class DriftLog:
    """Counts drift. Past a thousand different places, further ones are counted as one."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, DriftKind], tuple[int, int]] = {}

    def __iter__(self) -> Iterator[Drift]:
        for (path, kind), (count, first) in sorted(self._found.items()):
            yield Drift(path, kind, count, first)

    def note(self, path: str, kind: DriftKind, line: int, count: int = 1) -> None:
        """Count something found on a line."""
        key = path, kind
        if key not in self._found and len(self._found) >= _MOST_PLACES:
            key = _BEYOND, kind
        before, first = self._found.get(key, (0, line))
        self._found[key] = before + count, min(first, line)

    def take(self, others: Iterable[Drift]) -> None:
        """Add what another log has counted."""
        for drift in others:
            self.note(drift.path, drift.kind, drift.first_line, drift.count)
