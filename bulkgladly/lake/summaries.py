"""What is published of each data set, added up from the manifests."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

from bulkgladly.lake.coverage import Coverage, Span, coverage_of
from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.manifest import Manifest

__all__ = ("DataSetSummary", "Summing", "clock_warnings", "summaries_of")

_SKEW = dt.timedelta(minutes=5)
"""How far the clocks of two machines may differ without a word."""


@dataclass(slots=True)
class DataSetSummary:
    """What is published of one data set."""

    data_set: str
    units: int = 0
    rows: int = 0
    parts: int = 0
    bytes: int = 0
    rejected: int = 0
    drift: int = 0
    """How often a value or a field did not fit."""
    incomplete: int = 0
    schema_versions: tuple[int, ...] = ()
    last_written_at: dt.datetime | None = None
    coverage: Coverage = field(default_factory=lambda: coverage_of(()))


def summaries_of(folder: DataFolder) -> list[DataSetSummary]:
    """Return what is published of each data set, from the manifests alone.

    Raises:
        InputError: A manifest is damaged.
        UsageError: A manifest was written by a newer version.
    """
    found = []
    for name in folder.data_sets():
        summing = Summing(name)
        for manifest in folder.iter_manifests(name):
            summing.add(manifest)
        found.append(summing.done())
    return found


def clock_warnings(newest: Mapping[str, dt.datetime], now: dt.datetime) -> tuple[str, ...]:
    """Return what to say of data sets whose newest manifest lies in the future: a clock was ahead, or is behind.

    `newest` has for each data set when it was written to last. Which row is the newest does not
    depend on it.
    """
    return tuple(
        f"{name}: the newest unit was written on {at:%Y-%m-%d %H:%M} UTC, which is in the future; check the clock of "
        "this machine, and of the one that wrote it"
        for name, at in newest.items()
        if at > now + _SKEW
    )


class Summing:
    """Adds up the manifests of one data set."""

    def __init__(self, data_set: str) -> None:
        self.summary = DataSetSummary(data_set)
        self._covered: list[Span] = []

    def add(self, manifest: Manifest) -> None:
        """Count a unit."""
        made = self.summary
        made.units += 1
        made.rows += manifest.rows
        made.parts += len(manifest.parts)
        made.bytes += manifest.bytes
        made.rejected += manifest.rejected
        made.drift += sum(drift.count for drift in manifest.drift)
        made.incomplete += manifest.incomplete is not None
        made.schema_versions = tuple(sorted({*made.schema_versions, manifest.schema_version}))
        last = made.last_written_at
        made.last_written_at = manifest.written_at if last is None else max(last, manifest.written_at)
        if manifest.covered:
            self._covered.append(manifest.covered)

    def done(self) -> DataSetSummary:
        """Return the sum."""
        self.summary.coverage = coverage_of(self._covered)
        return self.summary
