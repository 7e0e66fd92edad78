"""What a follower does in three days, as a program that can be killed at any step and started again.

It receives events and bytes that are none, lands them, records a gap, and replaces the small units of a day. What
comes in is the same in every process, as from a feed that repeats.
"""

import datetime as dt
from pathlib import Path

import anyio

from tests.flows.exporting import NIGHT, Wall
from tests.flows.landings import Following, sample

__all__ = ("EVENTS", "GAP", "REJECTS", "SPANS", "run")

HOUR = dt.timedelta(hours=1)
DAY = 24 * HOUR
_LANDINGS = ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (4, 0), (4, 1), (5, 0))
"""Day and hour of each."""
EVENTS = [f"event-{number:04}" for number in range(3 * len(_LANDINGS))]
REJECTS = [b"oops %d" % number for number in range(0, len(_LANDINGS), 2)]
GAP = (NIGHT + DAY + HOUR, NIGHT + 3 * DAY)
SPANS = ((NIGHT - HOUR, GAP[0]), (GAP[1], NIGHT + 5 * DAY))


def run() -> int:
    """Be that follower, in the current folder."""
    anyio.run(_follow)
    return 0


async def _follow() -> None:
    wall = Wall(NIGHT)
    with Following(Path("state"), Path("lake"), wall) as follower:
        for number, (day, hour) in enumerate(_LANDINGS):
            wall.now = NIGHT + day * DAY + hour * HOUR
            bodies = [sample(3 * number + each, wall.now - each * HOUR) for each in range(3)]
            if number % 2 == 0:
                bodies.append(REJECTS[number // 2])
            if day == 4:
                await follower.inbox.put([], gap=GAP)
            await follower.put(*bodies, covered=(SPANS[day >= 4][0], wall.now))
            await follower.landing.land()
