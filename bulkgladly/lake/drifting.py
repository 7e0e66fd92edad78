"""What a data folder holds beyond its schemas, over all units: since when, and how often."""

import datetime as dt
from dataclasses import dataclass

from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.manifest import Manifest
from bulkgladly.lake.rows import DriftKind

__all__ = ("Drifting", "drifting")


@dataclass(frozen=True, slots=True)
class Drifting:
    """One kind of drift at one place of a data set: its count in `units` units, and the first of them."""

    data_set: str
    path: str
    kind: DriftKind
    count: int
    units: int
    since: dt.datetime
    unit: str


def drifting(folder: DataFolder) -> list[Drifting]:
    """Return all drift that the manifests tell of, by data set and place.

    `since` is the beginning of the time that the first unit covers, or where it covers none,
    when it was written.

    Raises:
        InputError: A manifest is damaged.
        UsageError: A manifest was written by a newer version.
    """
    found: list[Drifting] = []
    for name in folder.data_sets():
        by_place: dict[tuple[str, DriftKind], Drifting] = {}
        for manifest in sorted(folder.iter_manifests(name), key=_age):
            for drift in manifest.drift:
                place = drift.path, drift.kind
                first = by_place.get(place) or Drifting(name, *place, 0, 0, _age(manifest)[0], manifest.unit)
                by_place[place] = Drifting(
                    name, *place, first.count + drift.count, first.units + 1, first.since, first.unit
                )
        found += [by_place[place] for place in sorted(by_place)]
    return found


def _age(manifest: Manifest) -> tuple[dt.datetime, str]:
    return (manifest.covered[0] if manifest.covered else manifest.written_at), manifest.unit
