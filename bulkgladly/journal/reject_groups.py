"""The rows of a run that did not arrive, in groups by reason; how many rows of input the run has used. Read only."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bulkgladly.journal.databases import reading
from bulkgladly.records import Position

__all__ = (
    "FirstPlace",
    "RejectGroup",
    "dropped_by_field",
    "groups_of_rejects",
    "repeats",
    "rows_before",
    "skipped_by_code",
)

_REJECTED = "original IS NOT NULL AND word <> 'skipped'"
_KIND = "CASE WHEN code = ? AND instr(detail, ' is ') THEN substr(detail, instr(detail, ' is ') + 4) ELSE '' END"
_FIRST = 3


class FirstPlace(NamedTuple):
    """Where a reject is, and the field at fault if there is one."""

    file: int
    number: int
    field: str | None


class RejectGroup(NamedTuple):
    """Records that were rejected, or whose outcome is unknown, for one reason; with the places of the first ones.

    `kind` is what the details of a split code say after the name of the field; empty for all other codes.
    """

    code: str
    word: str
    kind: str
    stage: str | None
    number: int
    first: tuple[FirstPlace, ...]


def groups_of_rejects(folder: Path, *, split: str) -> list[RejectGroup]:
    """Return the rejects of a run by code and outcome, the most frequent first.

    The code `split` has few details without values, `phone:1 is ...`, and is divided by them.
    """
    with reading(folder / "journal.sqlite") as connection:
        groups = connection.execute(
            f"SELECT coalesce(code, '?'), word, {_KIND}, max(stage), count(*) FROM records WHERE {_REJECTED}"  # noqa: S608
            " GROUP BY 1, 2, 3 ORDER BY 5 DESC, 1, 2, 3",
            (split,),
        ).fetchall()
        return [
            RejectGroup(code, word, kind, stage, number, _first_of(connection, split, code, word, kind))
            for code, word, kind, stage, number in groups
        ]


def _first_of(connection: sqlite3.Connection, split: str, *group: str) -> tuple[FirstPlace, ...]:
    sql = (
        f"SELECT file, number, attr FROM records WHERE {_REJECTED} AND coalesce(code, '?') = ? AND word = ?"  # noqa: S608
        f" AND {_KIND} = ? ORDER BY seq LIMIT ?"
    )
    code, word, kind = group
    return tuple(FirstPlace(*place) for place in connection.execute(sql, (code, word, split, kind, _FIRST)))


def skipped_by_code(folder: Path) -> dict[str, int]:
    """Return how many records were skipped with which code, the most frequent first."""
    with reading(folder / "journal.sqlite") as connection:
        rows = connection.execute(
            "SELECT coalesce(code, '?'), count(*) FROM records WHERE word = 'skipped' GROUP BY 1 ORDER BY 2 DESC, 1"
        )
        return {str(code): int(number) for code, number in rows}


def repeats(folder: Path) -> int:
    """Return how many records have arrived whose key another record of the run has, too."""
    with reading(folder / "journal.sqlite") as connection:
        # A repeat is never created, and to compare a million keys takes seconds.
        repeated = "SELECT 1 FROM records WHERE word IN ('updated', 'unchanged') LIMIT 1"
        if connection.execute(repeated).fetchone() is None:
            return 0
        sql = (
            "SELECT count(*) - count(DISTINCT key) FROM records"
            " WHERE key IS NOT NULL AND word IN ('created', 'updated', 'unchanged')"
        )
        return int(connection.execute(sql).fetchone()[0])


def dropped_by_field(folder: Path) -> dict[str, int]:
    """Return how many values of which column the records that arrived were sent without, the most first."""
    with reading(folder / "journal.sqlite") as connection:
        rows = connection.execute(
            "SELECT name, count(*) FROM dropped JOIN records USING (seq) WHERE word NOT IN ('rejected', 'skipped')"
            " GROUP BY 1 ORDER BY 2 DESC, 1"
        )
        return {str(name): int(number) for name, number in rows}


def rows_before(folder: Path, seq: int) -> tuple[int, Position | None]:
    """Return how many rows of input the records before `seq` are from, and the row of the last of them."""
    with reading(folder / "journal.sqlite") as connection:
        rows = connection.execute(
            "SELECT count(*) FROM (SELECT DISTINCT file, place, number FROM records WHERE seq < ?)", (seq,)
        ).fetchone()[0]
        last: Sequence[int] | None = connection.execute(
            "SELECT file, place, number FROM records WHERE seq < ? ORDER BY seq DESC LIMIT 1", (seq,)
        ).fetchone()
        return int(rows), None if last is None else Position(*last)
