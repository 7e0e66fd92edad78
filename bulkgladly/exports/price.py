"""What an export will take, told before its first request as far as it can be known: requests, and time at the pace.

A file of a job, and an id that this export finds only while it runs, cannot be known; both are said.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field

from bulkgladly.choices import one_of
from bulkgladly.errors import UsageError
from bulkgladly.exports.event_windows import Events
from bulkgladly.exports.export_context import Context
from bulkgladly.exports.job_files import JobFiles
from bulkgladly.exports.lists import ListKind
from bulkgladly.exports.media_downloads import Media
from bulkgladly.exports.per_parent import PerParent
from bulkgladly.exports.report_units import Reports
from bulkgladly.exports.unit_kinds import ExportKind
from bulkgladly.runs.observer import Estimate

__all__ = ("Price", "price_of")

_SMALL = 2
"""So few requests are not worth a line."""


@dataclass(slots=True)
class Price:
    """The requests of an export, by kind. `unknown` has the kinds whose ids are not read yet, and where these are."""

    by_kind: dict[str, int] = field(default_factory=dict[str, int])
    others: int = 0
    """Requests for lists, for events, and for the list of jobs."""
    has_files: bool = False
    is_growing: bool = False
    """Ids that this export finds are requested in the same run."""
    unknown: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    def lines(self, per_second: float) -> list[str]:
        """Return the lines for people; none if there is nothing worth telling."""
        total = sum(self.by_kind.values()) + self.others
        found: list[str] = []
        if total > _SMALL:
            effort = Estimate(total, True, total, total, per_second).effort()
            kinds = [f"{name} {number:,}" for name, number in self.by_kind.items() if number]
            kinds += [f"others {self.others:,}"] if kinds and self.others else []
            more = ["1 for each new file of a job"] if self.has_files else []
            more += ["1 for each new id that is found"] if self.is_growing else []
            told = f" ({', '.join(kinds)})" if kinds else ""
            found.append(f"about {effort}{told}{', and ' if more else ''}{' and '.join(more)}")
        found += [
            f"{name}: the number of requests is not known before {one_of(sources)} are read"
            for name, sources in self.unknown.items()
        ]
        return found


async def price_of(kinds: Sequence[ExportKind], context: Context) -> Price:
    """Return what the kinds take. Reads ids and answers in the data set, and requests nothing."""
    price = Price()
    for kind in kinds:
        if isinstance(kind, JobFiles | ListKind | Events):
            price.others += 1
            price.has_files |= isinstance(kind, JobFiles)
        elif isinstance(kind, Reports):
            today = context.now.astimezone(dt.UTC).date()
            await kind.tell_how_long(context, today)
        elif isinstance(kind, PerParent | Media):
            await _add(kind, context, price)
    return price


async def _add(kind: PerParent | Media, context: Context, price: Price) -> None:
    options = context.options
    is_from_file = options.ids is not None or options.emails is not None
    try:
        count: int = await context.in_thread(kind.count, context)
    except UsageError:
        count = 0  # the kind itself reports it, when it is its turn
    if (
        not count
        and not is_from_file
        and not set(kind.sources) & set(await context.in_thread(context.folder.data_sets))
    ):
        price.unknown[kind.name] = kind.sources
        return
    price.by_kind[kind.name] = count
    context.priced[kind.name] = count
    price.is_growing |= not is_from_file and bool(set(kind.sources) & set(options.words))
