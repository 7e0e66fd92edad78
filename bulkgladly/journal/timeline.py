"""How a run went over time: a bounded number of samples in its journal, whatever its length, and their reader."""

import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import orjson

from bulkgladly.journal.databases import reading

__all__ = ("MOST_SAMPLES", "Sample", "merged", "samples_of", "thinned", "write_samples")

MOST_SAMPLES = 600
"""More are never kept: a page of this many points is as wide as a screen."""
_KEPT = 400
"""How many are left when there were too many, so that thinning is rare."""
_TABLES = "SELECT 1 FROM sqlite_master WHERE name = 'timeline'"


class Sample(NamedTuple):
    """What a session did in a span of time.

    `nth` orders the samples of a run, and a sample with the same one replaces this one. `at` is when it began by this
    machine's clock, in seconds since 1970, and can be wrong; `seconds` is its length by a clock that never jumps.
    `allowed` is how many requests the pace would have let out (None: any number), and `peak` the most in one second.
    `waits` are the seconds in which all requests were paused, by reason, and `counts` how many items ended with which
    outcome.
    """

    nth: int
    session: int
    at: float
    seconds: float
    requests: int = 0
    throttled: int = 0
    peak: float = 0.0
    allowed: float | None = None
    waits: Mapping[str, float] = {}
    counts: Mapping[str, int] = {}

    @property
    def until(self) -> float:
        """When it ended."""
        return self.at + self.seconds


def write_samples(connection: sqlite3.Connection, samples: Sequence[Sample]) -> None:
    """Write samples within the open transaction, and make one of neighbours if there are too many."""
    if not samples:
        return
    connection.executemany("INSERT OR REPLACE INTO timeline VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", map(_row, samples))
    if connection.execute("SELECT count(*) FROM timeline").fetchone()[0] > MOST_SAMPLES:
        kept = thinned(_samples(connection), _KEPT)
        connection.execute("DELETE FROM timeline")
        write_samples(connection, kept)


def samples_of(folder: Path) -> list[Sample]:
    """Return the samples of a run in their order, also while it works; none if an older version wrote the journal.

    Raises:
        JournalDamaged: There is no journal, or it cannot be read.
    """
    with reading(folder / "journal.sqlite") as connection:
        return _samples(connection) if connection.execute(_TABLES).fetchone() is not None else []


def thinned(samples: Sequence[Sample], most: int) -> list[Sample]:
    """Return at most `most` samples: neighbours of a session become one, the shortest first. Sums and maxima stay.

    The last sample stays as it is, because its session may still replace it.
    """
    if len(samples) <= max(1, most):
        return list(samples)
    *found, last = samples
    span = 2.0
    while len(found) >= most and span < _longest(found):
        found = _joined(found, span)
        span *= 2
    # Hundreds of sessions of a moment each: what is between them is given up last.
    while len(found) >= max(2, most):
        found = [merged(found[at : at + 2]) for at in range(0, len(found), 2)]
    return [*found, last]


def _longest(samples: Sequence[Sample]) -> float:
    """Return a span in which all samples of any session have a place."""
    return 4 * (2.0 + sum(each.seconds for each in samples))


def _joined(samples: Sequence[Sample], span: float) -> list[Sample]:
    groups: list[list[Sample]] = []
    for each in samples:
        group = groups[-1] if groups else []
        if group and group[0].session == each.session and _fits(group, each, span):
            group.append(each)
        else:
            groups.append([each])
    return [merged(group) for group in groups]


def _fits(group: Sequence[Sample], one: Sample, span: float) -> bool:
    # A gap, in which the machine slept, stays one: it would be told as time in which nothing was sent.
    is_next = abs(one.at - group[-1].until) <= span / 2
    return is_next and sum(each.seconds for each in group) + one.seconds <= span


def merged(samples: Sequence[Sample]) -> Sample:
    """Return neighbours as one sample, with their sums and their maximum."""
    first = samples[0]
    if len(samples) == 1:
        return first
    waits: dict[str, float] = {}
    counts: Counter[str] = Counter()
    allowed: float | None = 0.0
    for each in samples:
        waits |= {reason: waits.get(reason, 0.0) + span for reason, span in each.waits.items()}
        counts.update(each.counts)
        allowed = None if allowed is None or each.allowed is None else allowed + each.allowed
    return first._replace(
        seconds=sum(each.seconds for each in samples),
        requests=sum(each.requests for each in samples),
        throttled=sum(each.throttled for each in samples),
        peak=max(each.peak for each in samples),
        allowed=allowed,
        waits=waits,
        counts=dict(counts),
    )


def _row(one: Sample) -> tuple[object, ...]:
    return (*one[:8], orjson.dumps(one.waits).decode(), orjson.dumps(one.counts).decode())


def _samples(connection: sqlite3.Connection) -> list[Sample]:
    rows = connection.execute("SELECT * FROM timeline ORDER BY nth")
    return [Sample._make((*row[:8], orjson.loads(row[8]), orjson.loads(row[9]))) for row in rows]
