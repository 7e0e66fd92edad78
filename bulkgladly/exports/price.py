"""What an export will take, told before its first request as far as it can be known: requests, and time at the pace.

A file of a job, and an id that this export finds only while it runs, cannot be known; both are said.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bulkgladly.choices import one_of
from bulkgladly.errors import UsageError
from bulkgladly.exports.export_context import Context
from bulkgladly.runs.observer import Estimate
from bulkgladly.settings import Foreseen

__all__ = ("Price", "add_requests")

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

    def estimate(self, pace: Foreseen) -> Estimate:
        """Return the fewest requests, as far as they are known."""
        return Estimate.of((1, 1), sum(self.by_kind.values()) + self.others, True, pace)

    def lines(self, pace: Foreseen) -> list[str]:
        """Return the lines for people; none if there is nothing worth telling."""
        estimate = self.estimate(pace)
        found: list[str] = []
        if estimate.rows > _SMALL:
            effort = estimate.effort()
            kinds = [f"{name} {number:,}" for name, number in self.by_kind.items() if number]
            kinds += [f"others {self.others:,}"] if kinds and self.others else []
            more = ["1 for each new export file"] if self.has_files else []
            more += ["1 for each new id that is found"] if self.is_growing else []
            told = f" ({', '.join(kinds)})" if kinds else ""
            found.append(f"about {effort}{told}{', and ' if more else ''}{' and '.join(more)}")
        found += [
            f"{name}: the number of requests is not known before {one_of(sources)} are read"
            for name, sources in self.unknown.items()
        ]
        return found


async def add_requests(
    price: Price, context: Context, name: str, *, count: Callable[[Context], int], sources: Sequence[str]
) -> None:
    """Add a request for each id of a kind that the data set does not have an answer for. Requests nothing.

    `count` returns how many these are, and `sources` are the data sets that name the ids.
    """
    options = context.options
    is_from_file = options.ids is not None or options.emails is not None
    try:
        found: int = await context.in_thread(count, context)
    except UsageError:
        found = 0  # the kind itself reports it, when it is its turn
    if not found and not is_from_file and not set(sources) & set(await context.in_thread(context.folder.data_sets)):
        price.unknown[name] = tuple(sources)
        return
    price.by_kind[name] = found
    context.priced[name] = found
    price.is_growing |= not is_from_file and bool(set(sources) & set(options.words))
