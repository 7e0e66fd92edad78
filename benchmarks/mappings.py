"""How long a mapping takes, compared with parsing the same rows as JSON.

    python -m benchmarks.mappings [--rows 100000] [--check]

Bars: ten renames take at most 10 times as long as `orjson.loads` of the row, and a mapping converts
at least 50,000 such rows a second on one core. The cost of other operations is printed as well.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable

import orjson

from benchmarks.setting import machine, pin
from bulkgladly.mapping.mapper import Mapper
from bulkgladly.mapping.mapping import parse_mapping
from bulkgladly.records import Position, Row

BAR_RATIO, BAR_PER_SECOND = 10.0, 50_000
ROUNDS = 5
HEAD = 'version = 1\nto = "customers"\nkey = "id"\n[fields]\n'
MAPPINGS = {
    "ten renames": "".join(f'"customAttribute:a{n}" = "column {n}"\n' for n in range(10)),
    "renames and paths": (
        'name = "column 1"\n"email:1" = { path = "user.email" }\naddress = { path = "user.city.name" }\n'
    ),
    "joins, tables, dates": (
        'name = { join = ["column 1", "column 2"] }\n'
        '"customAttribute:plan" = { from = "plan", values = { a = "gold" } }\n'
        '"customAttribute:since" = { from = "since", date = "iso", zone = "Europe/Berlin" }\n'
    ),
    "JMESPath": 'name = { path = "user.emails[0].address" }\n',
    "HTML to the allowed tags": 'name = { from = "body", html = "clean" }\n',
}


def lines(number: int) -> list[bytes]:
    """Return invented rows as NDJSON lines, about 550 bytes each."""
    columns = {f"column {n}": f"value of column {n}" for n in range(10)}
    return [
        orjson.dumps(
            {
                "id": f"C-{n}",
                **columns,
                "plan": "a",
                "since": "2024-05-06 07:08:09",
                "user": {"email": f"p{n}@example.org", "city": {"name": "X"}, "emails": [{"address": "a@example.org"}]},
                "body": '<div class="c"><p>Some <b>words</b> of a message</p><p>and some more of them</p></div>',
            }
        )
        for n in range(number)
    ]


def seconds(work: Callable[[], None]) -> float:
    """Return the median time of some rounds."""
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def main() -> int:
    """Print rows a second and the ratio for each mapping; with --check return 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    pin(0)
    texts = lines(given.rows)
    rows = [Row(Position(0, 0, number), orjson.loads(text)) for number, text in enumerate(texts, 1)]

    def parse() -> None:
        for text in texts:
            orjson.loads(text)

    plain = seconds(parse)
    print(f"mappings; {machine()}; {given.rows:,} rows of {len(texts[0])} bytes; bar {BAR_RATIO:g} times orjson.loads")
    print(f"  {'orjson.loads alone':<26} {given.rows / plain:>10,.0f} rows/s")
    missed = False
    for name, fields in MAPPINGS.items():
        mapper = Mapper(parse_mapping(HEAD + fields, name))

        def work(mapper: Mapper = mapper) -> None:
            for row in rows:
                mapper(row)

        took = seconds(work)
        print(f"  {name:<26} {given.rows / took:>10,.0f} rows/s  {took / plain:>6.2f} times")
        if name == "ten renames":
            missed = took / plain > BAR_RATIO or given.rows / took < BAR_PER_SECOND
    return int(given.check and missed)


if __name__ == "__main__":
    sys.exit(main())
