"""What a data folder holds, summed over its manifests: counts, the time covered, and drift."""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from bulkgladly.lake.catalogue import Catalogue
from bulkgladly.lake.manifest import Manifest, Span
from bulkgladly.lake.rows import DriftKind

__all__ = (
    "SKEW",
    "Coverage",
    "DataSetSummary",
    "DriftSummary",
    "Summing",
    "clock_warnings",
    "coverage_of",
    "drift_summaries",
    "summaries_of",
)


# --- The time that is covered ---


class Coverage(NamedTuple):
    """The time that is covered: spans in order that neither overlap nor touch."""

    spans: tuple[Span, ...]

    @property
    def since(self) -> dt.datetime | None:
        """The first time covered."""
        return self.spans[0][0] if self.spans else None

    @property
    def until(self) -> dt.datetime | None:
        """The end of the last span: the first instant after everything that is covered."""
        return self.spans[-1][1] if self.spans else None

    @property
    def gaps(self) -> tuple[Span, ...]:
        """The spans between those that are covered."""
        return tuple((before[1], after[0]) for before, after in zip(self.spans, self.spans[1:], strict=False))


def coverage_of(spans: Iterable[Span]) -> Coverage:
    """Return the union of spans in any order; an empty or reversed span covers nothing."""
    union: list[Span] = []
    for begin, end in sorted(span for span in spans if span[0] < span[1]):
        if union and begin <= union[-1][1]:
            union[-1] = (union[-1][0], max(union[-1][1], end))
        else:
            union.append((begin, end))
    return Coverage(tuple(union))


# --- Counts ---

SKEW = dt.timedelta(minutes=5)
"""How far the clocks of two machines may differ without a warning."""


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
    """How many values or fields did not fit."""
    incomplete: int = 0
    schema_versions: tuple[int, ...] = ()
    last_written_at: dt.datetime | None = None
    last_exported_at: dt.datetime | None = None
    """The same without what `follow` and `listen` wrote, which goes on while no export runs."""
    coverage: Coverage = field(default_factory=lambda: coverage_of(()))


def summaries_of(folder: Catalogue) -> list[DataSetSummary]:
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
    """Return warnings about data sets whose newest manifest is dated in the future: a clock was fast, or ours is slow.

    `newest` maps each data set to when it was last written. Which row is the newest does not depend
    on it.
    """
    return tuple(
        f"{name}: last written on {at:%Y-%m-%d %H:%M} UTC, which is in the future; check the clock of this machine, "
        "and of the one that wrote it"
        for name, at in newest.items()
        if at > now + SKEW
    )


class Summing:
    """Adds up the manifests of one data set."""

    def __init__(self, data_set: str) -> None:
        self.summary = DataSetSummary(data_set)
        self._covered: list[Span] = []

    def add(self, manifest: Manifest) -> None:
        """Add a unit."""
        made = self.summary
        made.units += 1
        made.rows += manifest.rows
        made.parts += len(manifest.parts)
        made.bytes += manifest.bytes
        made.rejected += manifest.rejected
        made.drift += sum(drift.count for drift in manifest.drift)
        made.incomplete += manifest.incomplete is not None
        made.schema_versions = tuple(sorted({*made.schema_versions, manifest.schema_version}))
        made.last_written_at = _later(made.last_written_at, manifest.written_at)
        if "inbox" not in manifest.source:
            made.last_exported_at = _later(made.last_exported_at, manifest.written_at)
        if manifest.covered:
            self._covered.append(manifest.covered)

    def done(self) -> DataSetSummary:
        """Return the sum."""
        self.summary.coverage = coverage_of(self._covered)
        return self.summary


def _later(one: dt.datetime | None, other: dt.datetime) -> dt.datetime:
    return other if one is None else max(one, other)


# --- Drift ---


@dataclass(frozen=True, slots=True)
class DriftSummary:
    """One kind of drift at one path of a data set: its count, in how many units, and the first of these."""

    data_set: str
    path: str
    kind: DriftKind
    count: int
    units: int
    since: dt.datetime
    unit: str


def drift_summaries(folder: Catalogue) -> list[DriftSummary]:
    """Return all drift in the manifests, by data set and path.

    `since` is the beginning of the time that the first unit covers, or when it was written if it
    covers none.

    Raises:
        InputError: A manifest is damaged.
        UsageError: A manifest was written by a newer version.
    """
    found: list[DriftSummary] = []
    for name in folder.data_sets():
        by_place: dict[tuple[str, DriftKind], DriftSummary] = {}
        for manifest in sorted(folder.iter_manifests(name), key=_age):
            for drift in manifest.drift:
                place = drift.path, drift.kind
                first = by_place.get(place) or DriftSummary(name, *place, 0, 0, _age(manifest)[0], manifest.unit)
                by_place[place] = DriftSummary(
                    name, *place, first.count + drift.count, first.units + 1, first.since, first.unit
                )
        found += [by_place[place] for place in sorted(by_place)]
    return found


def _age(manifest: Manifest) -> tuple[dt.datetime, str]:
    return (manifest.covered[0] if manifest.covered else manifest.written_at), manifest.unit
