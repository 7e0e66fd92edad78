"""What a pace costs another integration of the same organisation, and the other way round.

    python -m benchmarks.neighbour [--runs 5] [--requests 300] [--check]

Another client sends 3 requests a second at random moments, in the same fixed windows of 10, and does
not repeat refused ones. The rows of bulkgladly, and those of a client with even spacing at 0.98, are
repeated until they are accepted.
"""

import argparse
import statistics
import sys
from collections.abc import Sequence

from benchmarks.pacing import Result, bare, even, machine, ours, results_of, show_table, shown

__all__ = ("main",)

NEIGHBOUR_RATE = 3.0
MOST_REFUSED = 0.03
PACES = {"bulkgladly": ours, "even spacing at 0.98": bare(even(0.98), repeats=True)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the measurements; with --check return 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args(arguments)

    rounds = [
        {"algorithm": "fixed", "phase_s": run * 0.37 % 1, "seed": run + 1, "neighbour_rate": NEIGHBOUR_RATE}
        for run in range(given.runs)
    ]
    results = results_of(rounds, given.requests, PACES)
    cells = {name: results[n :: len(PACES)] for n, name in enumerate(PACES)}

    print(f"{given.requests} rows beside {NEIGHBOUR_RATE:g}/s, {given.runs} runs, median [min..max]; {machine()}\n")
    show_table(
        ("pace", "our 429s per request sent", "rows lost", "neighbour refused", "seconds"),
        [
            (
                name,
                shown([refused_share(r) for r in runs]),
                shown([given.requests - r.accepted for r in runs], ".0f"),
                shown([r.neighbour_refused for r in runs]),
                shown([r.wall_s for r in runs], ".1f"),
            )
            for name, runs in cells.items()
        ],
    )
    missed = list(missed_bars(cells["bulkgladly"], cells["even spacing at 0.98"], given.requests))
    for line in missed:
        print(f"MISSED {line}")
    return 1 if missed and given.check else 0


def refused_share(result: Result) -> float:
    """Return the share of our requests that got a 429."""
    return result.refused / (result.refused + result.accepted)


def missed_bars(mine: Sequence[Result], beside: Sequence[Result], rows: int) -> Sequence[str]:
    """Return a text for each bar that is missed."""
    missed = []
    refused = statistics.median(refused_share(r) for r in mine)
    if refused > MOST_REFUSED:
        missed.append(f"{refused:.3f} of our requests refused; wanted at most {MOST_REFUSED}")
    if any(r.accepted != rows for r in mine):
        missed.append("rows were lost")
    ours_hurt, even_hurts = (statistics.median(r.neighbour_refused for r in runs) for runs in (mine, beside))
    if ours_hurt >= even_hurts:
        missed.append(f"the neighbour lost {ours_hurt:.3f}, beside even spacing {even_hurts:.3f}")
    return missed


if __name__ == "__main__":
    sys.exit(main())
