"""The order of what runs have done, which no clock decides: the turns that the state gives to commits.

A machine's clock can be set back between two runs, and the later one then seems to be the earlier one. So each commit
of a run takes a turn from the state, which counts them for all runs that share it. A turn also says which state gave
it: those of different states (one was deleted, or came with a folder from elsewhere) say nothing about each other.
"""

import contextlib
import secrets
import sqlite3
from pathlib import Path
from typing import NamedTuple

from bulkgladly.errors import BulkgladlyError
from bulkgladly.journal.databases import reading

__all__ = ("BEGAN", "LAST", "RunTurns", "are_comparable", "is_before", "newest_turn", "next_turn", "run_turns")

BEGAN, LAST = "first_turn", "last_turn"
"""Notes in a journal: the turn that the run took when it began, and that of its last commit with an outcome."""
_COUNTED_BITS = 32


class RunTurns(NamedTuple):
    """The turn that a run took when it began, and the last one in which a record of it ended."""

    began: int
    last: int


def next_turn(state: sqlite3.Connection) -> int:
    """Return the next turn of a state, in its open transaction."""
    state.execute("UPDATE turns SET turn = turn + 1 WHERE id = 0")
    # A new state gets a number of its own, which all its turns begin with.
    first = ((secrets.randbits(31) | 1) << _COUNTED_BITS) + 1
    state.execute("INSERT OR IGNORE INTO turns (id, turn) VALUES (0, ?)", (first,))
    return int(state.execute("SELECT turn FROM turns WHERE id = 0").fetchone()[0])


def newest_turn(state: sqlite3.Connection, runs: Path) -> int | None:
    """Return the newest turn that the journals of runs have from a state, if it is later than the state knows.

    That is so if the state was restored from a copy, or has lost its last commits with the power. Given again, such a
    turn would make a later run an earlier one.
    """
    found = state.execute("SELECT turn FROM turns WHERE id = 0").fetchone()
    if found is None or not runs.is_dir():
        return None
    known = (run_turns(folder) for folder in runs.iterdir() if folder.is_dir())
    newest = max((one.last for one in known if one is not None and are_comparable(one.last, found[0])), default=0)
    return newest if newest > found[0] else None


def are_comparable(first: int | None, second: int | None) -> bool:
    """Tell whether two turns are known, and from the same state."""
    return bool(first and second) and (first or 0) >> _COUNTED_BITS == (second or 0) >> _COUNTED_BITS


def is_before(first_at: float, first: int | None, second_at: float, second: int | None) -> bool:
    """Tell whether the first of two commits was before the second: by their turns, or else by their times."""
    return (first or 0) < (second or 0) if are_comparable(first, second) else first_at < second_at


def run_turns(folder: Path) -> RunTurns | None:
    """Return the turns of a run; None if an older version began it, or its journal cannot be read."""
    with contextlib.suppress(BulkgladlyError, ValueError), reading(folder / "journal.sqlite") as connection:
        notes = dict(connection.execute("SELECT name, value FROM meta WHERE name IN (?, ?)", (BEGAN, LAST)))
        if BEGAN in notes:
            began = int(notes[BEGAN])
            return RunTurns(began, max(began, int(notes.get(LAST, began))))
    return None
