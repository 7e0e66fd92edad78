"""The reservations of a budget: when the next request of each line may leave, for all processes of one machine.

A *line* is one class of requests, such as `default` or `reports`. All times are of the machine's monotonic clock and
belong to one start of the machine (`boot_id`), so that neither a clock that is set nor a restart can stop the line.
What the file says is not believed beyond what the processes can have written.
"""

import math
import sqlite3
from collections.abc import Collection
from typing import NamedTuple

from bulkgladly.budget.budget_database import BudgetDatabase
from bulkgladly.budget.presence import MOST_SEATS

__all__ = ("News", "Reservations")

LONGEST_PAUSE_S = 300.0
"""A pause that is longer is not believed: the server's longest is five minutes."""
LONGEST_PLACE_S = 3600.0
"""A place is free again after this time, no matter who holds it."""
FULL_WAIT_S = 0.25
"""When to ask again for one of the places, all of which are taken."""

_EARLY_S = 0.0002
_LEAST_EASE = 0.1


class News(NamedTuple):
    """What processes told each other about a line. The number grows with each message; times are of the same clock."""

    number: int = 0
    paused_until: float = -math.inf
    limit: int | None = None
    ease: float = 1.0
    eased_at: float = 0.0


class Reservations(BudgetDatabase):
    """The lines of a budget and their places. Chapters: reserving, telling others, and reading the rows.

    A method may raise `sqlite3.Error`, `OSError` or `ForeignFile`; then nothing was changed.
    """

    # --- reserving ---

    def reserve(self, line: str, gap_s: float, n: int = 1) -> float:
        """Reserve the next `n` moments of a line, `gap_s` apart, and return when the first is: now, or later.

        A reservation costs nothing but its moments: a process that dies or comes too late leaves nothing to clean up.
        """
        with self.transaction() as connection:
            now = self.clock()
            at = self._free_at(connection, line, gap_s, now)
            self._advance(connection, line, at + n * gap_s)
        return at

    def enter(
        self, line: str, gap_s: float, *, places: int, seat: int, owner: str, held: Collection[int]
    ) -> tuple[bool, float]:
        """Take one of the `places` of a line if its next moment has come.

        `held` are the seats of living processes, the own one included. A seat that was taken over has another owner.

        Returns:
            Whether it was taken, and if not, when to ask again.
        """
        with self.transaction() as connection:
            now = self.clock()
            self._free_places(connection, now, seat=seat, owner=owner, held=held)
            find = "SELECT count(*) FROM places WHERE boot = ? AND line = ?"
            if connection.execute(find, (self.boot, line)).fetchone()[0] >= places:
                return False, now + FULL_WAIT_S
            at = self._free_at(connection, line, gap_s, now)
            if at > now + _EARLY_S:
                return False, at
            new = "INSERT INTO places (boot, line, seat, owner, since) VALUES (?, ?, ?, ?, ?)"
            connection.execute(new, (self.boot, line, seat, owner, now))
            self._advance(connection, line, at + gap_s)
        return True, now

    def leave(self, line: str, *, owner: str, number: int = 1) -> None:
        """Give back so many places of an owner."""
        chosen = "SELECT id FROM places WHERE boot = ? AND line = ? AND owner = ? LIMIT ?"
        with self.transaction() as connection:
            connection.execute(f"DELETE FROM places WHERE id IN ({chosen})", (self.boot, line, owner, number))  # noqa: S608 - no foreign text

    def _free_places(
        self, connection: sqlite3.Connection, now: float, *, seat: int, owner: str, held: Collection[int]
    ) -> None:
        rows = connection.execute("SELECT id, seat, owner, since FROM places WHERE boot = ?", (self.boot,)).fetchall()
        gone = [
            (number,)
            for number, its_seat, its_owner, since in rows
            if its_seat not in held
            or (its_seat == seat and its_owner != owner)
            or not now - LONGEST_PLACE_S <= _number(since, -math.inf) <= now
        ]
        connection.executemany("DELETE FROM places WHERE id = ?", gone)

    # --- telling others ---

    def tell(self, line: str, *, paused_for_s: float, limit: int | None, ease: float, seconds_ago: float = 0.0) -> None:
        """Tell all others of a pause that begins now, of the limit that the server names, and of the eased pace."""
        with self.transaction() as connection:
            now = self.clock()
            held = self._news(connection, line, now)
            until = max(held.paused_until, now + min(paused_for_s, LONGEST_PAUSE_S))
            connection.execute(
                "UPDATE lines SET paused_until = ?, most = coalesce(?, most), ease = ?, eased_at = ?, told = ?"
                " WHERE boot = ? AND name = ?",
                (max(0.0, until), limit, ease, now - seconds_ago, held.number + 1, self.boot, line),
            )

    def news(self, line: str) -> News:
        """Return what was told last."""
        return self._news(self.opened(), line, self.clock())

    # --- reading the rows, and what of them is believed ---

    def _free_at(self, connection: sqlite3.Connection, line: str, gap_s: float, now: float) -> float:
        """Return when the next request of a line may leave: at most as late as all processes can have put it."""
        start = max(now, self._news(connection, line, now).paused_until)
        found = connection.execute(
            "SELECT free_at FROM lines WHERE boot = ? AND name = ?", (self.boot, line)
        ).fetchone()
        free_at = _number(found[0], now)
        return max(start, free_at) if free_at <= start + MOST_SEATS * gap_s else start

    def _advance(self, connection: sqlite3.Connection, line: str, free_at: float) -> None:
        connection.execute("UPDATE lines SET free_at = ? WHERE boot = ? AND name = ?", (free_at, self.boot, line))

    def _news(self, connection: sqlite3.Connection, line: str, now: float) -> News:
        find = "SELECT told, paused_until, most, ease, eased_at FROM lines WHERE boot = ? AND name = ?"
        found = connection.execute(find, (self.boot, line)).fetchone()
        if found is None:
            connection.execute("INSERT OR IGNORE INTO lines (boot, name) VALUES (?, ?)", (self.boot, line))
            return News()
        told, until, most, ease, eased_at = (_number(value, 0.0) for value in found)
        is_paused = now < until <= now + LONGEST_PAUSE_S
        return News(
            int(told),
            until if is_paused else -math.inf,
            int(most) if most >= 1 else None,
            min(1.0, max(_LEAST_EASE, ease)),
            min(eased_at, now),
        )


def _number(value: object, otherwise: float) -> float:
    """Return a number of the file, which may hold anything."""
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else otherwise
