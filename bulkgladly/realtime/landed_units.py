"""What the units of landed events say about themselves, and which of them a day's unit replaces. Pure."""

import datetime as dt
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from bulkgladly.lake.manifest import Manifest, Span
from bulkgladly.lake.merged_units import can_merge
from bulkgladly.lake.summaries import coverage_of

__all__ = (
    "DayUnit",
    "LandingSource",
    "days_to_merge",
    "digest_of",
    "gap_name",
    "landed_after",
    "last_landed",
    "source_of",
    "span_of",
    "takes_over",
    "unit_name",
)

_SHORT = 8
"""How much of an inbox's identity stands in names: enough to tell the few inboxes of one data set apart."""


class LandingSource(NamedTuple):
    """What a manifest says about the origin of landed events.

    `inbox` identifies the inbox, `first_seq` and `last_seq` are the numbers of the arrivals in it, and `day` is
    the UTC day on which they landed.
    """

    inbox: str
    first_seq: int
    last_seq: int
    day: dt.date
    entities: tuple[str, ...]
    digest: str = ""
    """Of the ids of these arrivals, so that an inbox that was restored from an older copy is not taken for this one.
    Empty for a unit without arrivals, and for one that replaces several."""

    def about(self) -> dict[str, Any]:
        """Return it as a manifest holds it."""
        return {**self._asdict(), "day": self.day.isoformat(), "entities": list(self.entities)}


def source_of(manifest: Manifest) -> LandingSource | None:
    """Return where landed events come from; None for all other units, those that record a gap included."""
    about: Mapping[str, Any] = manifest.source
    try:
        return LandingSource(
            str(about["inbox"]),
            int(about["first_seq"]),
            int(about["last_seq"]),
            dt.date.fromisoformat(about["day"]),
            tuple(str(name) for name in about["entities"]),
            str(about.get("digest", "")),
        )
    except (KeyError, TypeError, ValueError):
        return None


def unit_name(source: LandingSource, number: int = 1) -> str:
    """Return the name of a unit: no window that an export requests is named like this.

    `number` tells units apart that begin with the same arrival, because the first of them holds none.
    """
    name = f"inbox-{source.inbox[:_SHORT]}-{source.day:%Y%m%d}-{source.first_seq:010}"
    return name if number == 1 else f"{name}-{number}"


def takes_over(old: Manifest, source: LandingSource, covered: Span | None) -> bool:
    """Tell whether a new unit can replace one without rows, so that quiet hours leave one unit and not many."""
    before = source_of(old)
    if old.parts or old.others or before is None:
        return False
    if before != source._replace(last_seq=before.last_seq, digest=before.digest):
        return False
    spans = [span for span in (old.covered, covered) if span is not None]
    return len(coverage_of(spans).spans) <= 1


def gap_name(inbox: str, gap: Span) -> str:
    """Return the name of the unit that records a gap, the same for the same gap."""
    first, end = (f"{time:%Y%m%dT%H%M%S}{time.microsecond // 1000:03}Z" for time in gap)
    return f"inbox-{inbox[:_SHORT]}-gap-{first}_{end}"


def last_landed(manifests: Iterable[Manifest], inbox: str) -> int | None:
    """Return up to which number the events of an inbox have landed; None if it never landed any here."""
    return max((source.last_seq for source in _from(manifests, inbox)), default=None)


def digest_of(ids: Iterable[str]) -> str:
    """Return what tells a sequence of arrivals from any other."""
    return hashlib.blake2b("\n".join(ids).encode(), digest_size=16).hexdigest()


def landed_after(manifests: Iterable[Manifest], inbox: str, seq: int) -> list[LandingSource]:
    """Return what landed from an inbox beyond a number, in order: what the inbox itself did not get to note."""
    found = [source for source in _from(manifests, inbox) if source.first_seq > seq and source.digest]
    return sorted(found, key=lambda source: source.first_seq)


def _from(manifests: Iterable[Manifest], inbox: str) -> Iterator[LandingSource]:
    found = (source_of(manifest) for manifest in manifests)
    return (source for source in found if source is not None and source.inbox == inbox)


def span_of(
    covered_from: dt.datetime | None, covered_until: dt.datetime | None, landed_until: dt.datetime | None
) -> Span | None:
    """Return the time that the feed has covered since the last landing; None if there is none."""
    if covered_from is None or covered_until is None:
        return None
    begin = max(covered_from, landed_until or covered_from)
    return (begin, covered_until) if begin < covered_until else None


class DayUnit(NamedTuple):
    """The unit that replaces `manifests`, which are several."""

    name: str
    source: LandingSource
    covered: Span | None
    manifests: tuple[Manifest, ...]


def days_to_merge(manifests: Iterable[Manifest], today: dt.date) -> Iterator[DayUnit]:
    """Yield for each day before today, and each inbox, the unit that replaces several that landed on it.

    There is more than one if the time that they cover has a hole: one unit covers one span.
    """
    days: dict[tuple[str, dt.date], list[tuple[LandingSource, Manifest]]] = {}
    for manifest in manifests:
        source = source_of(manifest)
        if source is not None and source.day < today and can_merge(manifest):
            days.setdefault((source.inbox, source.day), []).append((source, manifest))
    for key in sorted(days):
        run: list[tuple[LandingSource, Manifest]] = []
        for each in sorted(days[key], key=lambda one: (one[0].first_seq, one[0].last_seq, one[1].sequence or 0)):
            if run and not _belong_together([*run, each]):
                yield from _merged(run)
                run = []
            run.append(each)
        yield from _merged(run)


def _belong_together(run: Sequence[tuple[LandingSource, Manifest]]) -> bool:
    spans = [manifest.covered for _, manifest in run if manifest.covered is not None]
    return len(coverage_of(spans).spans) <= 1 and len({source.entities for source, _ in run}) == 1


def _merged(run: Sequence[tuple[LandingSource, Manifest]]) -> Iterator[DayUnit]:
    if len(run) < 2:
        return
    first = run[0][0]
    last_seq = max(source.last_seq for source, _ in run)
    spans = coverage_of(manifest.covered for _, manifest in run if manifest.covered is not None).spans
    # The name of the first one: it is replaced as well, and no other unit can have it.
    yield DayUnit(
        run[0][1].unit,
        first._replace(last_seq=last_seq, digest=""),
        spans[0] if spans else None,
        tuple(manifest for _, manifest in run),
    )
