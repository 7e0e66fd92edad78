"""What an export takes, as it is told before it begins."""

import datetime as dt
import math

import pytest

from bulkgladly.exports.price import Price
from bulkgladly.settings import Foreseen

BOTH = (
    "about 3,012 requests, 6 min at 9/s, done at about HH:MM (profiles 1,500, conversations 1,500, others 12), and "
    "1 for each new export file and 1 for each new id that is found"
)


@pytest.mark.parametrize(
    ("price", "per_second", "lines"),
    [
        (Price(), 9, []),
        (Price(others=1), 9, []),
        (Price(others=12, has_files=True), 9, ["about 12 requests, 1 s at 9/s, and 1 for each new export file"]),
        (
            Price({"profiles": 1500, "conversations": 1500}, 12, has_files=True, is_growing=True),
            9,
            [BOTH],
        ),
        (Price({"tasks": 3, "task": 0}), math.inf, ["about 3 requests (tasks 3)"]),
        (
            Price(unknown={"task-comments": ("tasks", "events")}),
            9,
            ["task-comments: the number of requests is not known before tasks or events are read"],
        ),
    ],
)
def test_the_price_in_words(price: Price, per_second: float, lines: list[str]) -> None:
    """By kind where there are several, and plainly what cannot be known."""
    begin = dt.datetime(2026, 11, 27, tzinfo=dt.UTC)
    end = (begin + dt.timedelta(seconds=3012 / 9)).astimezone()

    assert price.lines(Foreseen(per_second, begin)) == [line.replace("HH:MM", f"{end:%H:%M}") for line in lines]
