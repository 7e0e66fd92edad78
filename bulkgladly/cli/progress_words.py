"""How far a run is, in words: amounts, shares, pace and time. Pure."""

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bulkgladly.runs.observer import RunView

__all__ = (
    "SHOWN",
    "counts_text",
    "done_words",
    "pace_text",
    "said_counts",
    "things_text",
    "time_text",
)

FAR_OFF_S = 12 * 3600.0
"""An end that is further away is named with its day."""
# In the order of the sum in the README and in report.md.
SHOWN = (
    *("to_create", "to_update", "to_delete", "open", "found", "corrected", "forgotten", "no_longer_there"),
    *("created", "new", "updated", "restored", "restated", "deleted", "unchanged", "nothing to do", "skipped", "kept"),
    *("rejected", "not possible", "unknown"),
    *("equal", "different", "missing", "merged", "unreadable", "not_sent", "not_sampled"),
)
_OF_EXPORTS = {"created": "new", "updated": "restated"}
"""What became of the rows of an export, in words for people."""
_IN_PROSE = {"not_sampled": "not in the sample", "open": "decided when applied"}
_SAID = {"units": "downloads", "comparisons": "rows"}
"""What a run counts, in words for people, where its own word is an inner one."""


def counts_text(counts: Mapping[str, int], words: Sequence[str] = SHOWN, *, with_shares: bool = True) -> str:
    """Return the counts that are not 0, each with its share where there are several."""
    from bulkgladly.runs.observer import share_text

    found = {word: counts[word] for word in words if counts.get(word)}
    total = sum(found.values())
    return ", ".join(
        f"{number:,} {_IN_PROSE.get(word, word.replace('_', ' '))}"
        + (f" ({share_text(number, total)})" if with_shares and len(found) > 1 else "")
        for word, number in found.items()
    )


def said_counts(counts: Mapping[str, int], *, is_export: bool) -> Mapping[str, int]:
    """Return counts under the words that people read: what an export creates is new in the data set, not in Gladly."""
    return {_OF_EXPORTS.get(word, word) if is_export else word: number for word, number in counts.items()}


def done_words(view: "RunView") -> str:
    """Return how much of how much is done."""
    return f"{view.done:,} of {'' if view.rows_exact else 'about '}{view.rows:,} {things_text(view.things)}"


def things_text(things: str) -> str:
    """Return what a run counts, in words for people."""
    return _SAID.get(things, things)


def pace_text(view: "RunView") -> str:
    """Return how fast requests leave, and how fast they may."""
    now = _rate_text(view.requests_per_second)
    if not view.allowed_per_second:
        return f"{now} requests/s, nothing more is sent now"
    if math.isinf(view.allowed_per_second):
        return f"{now} requests/s, no limit"
    return f"{now} of {_rate_text(view.allowed_per_second)} requests/s"


def _rate_text(rate: float) -> str:
    # A request in 100 s is not none.
    return f"{rate:.1f}" if not rate or rate >= 0.1 else f"{rate:.2g}"


def time_text(view: "RunView", now: dt.datetime) -> str:
    """Return how long a run has worked, and when it will end. `now` is the local time."""
    from bulkgladly.cli.clock_words import after
    from bulkgladly.runs.observer import duration_text

    elapsed = f"{duration_text(view.seconds)} elapsed"
    if view.eta_s is None:
        return elapsed
    end = after(now, view.eta_s)
    at = end.strftime("%a %H:%M" if view.eta_s > FAR_OFF_S else "%H:%M")
    return f"{elapsed}, {duration_text(view.eta_s)} left (until {at})"
