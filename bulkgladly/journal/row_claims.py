"""Which row of a run holds which claim (a key, an address); used in the writer's thread only."""

import sqlite3
from array import array
from collections.abc import Iterable, Sequence

from bulkgladly.journal.entries import Admission, Clash
from bulkgladly.journal.schema import insert_rows

__all__ = ("RowClaims", "SeenDigests")

_INSERT = "INSERT INTO claims (digest, seq, content, file, number)"
_GROUP = 500
_LOOKS_WITHOUT_INDEX = 10
"""An index takes as long as ten passes over the table, so a resume does not begin with it."""
_FIRST_SLOTS, _MOST_SLOTS = 1 << 12, 1 << 23
"""Of 8 bytes each; the most are 64 MB, enough for five million claims."""
_Holder = tuple[int, int, int, int]
"""A row that holds claims: its number in the run, its content, its file, and its number there."""


class RowClaims:
    """The claims of a run's rows, in the table `claims` of its journal.

    Digests are random, so that an index of them would change a page for nearly every claim, and each commit would write
    all these pages. So there is none as long as memory tells which claims are new. A look into the table is needed for
    a claim that is not new, after a resume, and if there are more claims than memory has room for; if many looks are
    needed, they get their index.
    """

    def __init__(self, connection: sqlite3.Connection, *, most_slots: int = _MOST_SLOTS) -> None:
        """Use the table of an open journal. What an earlier process has left in it is looked up."""
        self._connection = connection
        is_empty = connection.execute("SELECT 1 FROM claims LIMIT 1").fetchone() is None
        self._seen = SeenDigests(most_slots) if is_empty else None
        self._looks = 0

    def take(self, rows: Iterable[Admission]) -> dict[int, Clash]:
        """Let each row take its claims, in input order; return a clash for those that came too late.

        A row that is admitted again, by a resume, holds its claims already.
        """
        rows = [row for row in rows if row.claims]
        held = self._held([claim.digest for row in rows for claim in row.claims])
        if held is None:
            # Nearly always: all claims are new.
            added = [
                (digest, row.seq, row.content, row.position.file, row.position.number)
                for row in rows
                for _, digest in row.claims
            ]
            insert_rows(self._connection, _INSERT, added)
            return {}
        return self._contested(rows, held)

    def _contested(self, rows: Sequence[Admission], held: dict[int, _Holder]) -> dict[int, Clash]:
        clashes: dict[int, Clash] = {}
        added: list[tuple[int, ...]] = []
        for seq, (file, _, number), _, content, claims, _ in rows:
            holder = (seq, content, file, number)
            for attr, digest in claims:
                found = held.get(digest)
                if found is None:
                    held[digest] = holder
                    added.append((digest, *holder))
                elif found[0] != seq and seq not in clashes:
                    clashes[seq] = Clash(attr, found[3], found[2], attr == "key" and found[1] == content)
        insert_rows(self._connection, _INSERT, added)
        return clashes

    def _held(self, digests: Sequence[int]) -> dict[int, _Holder] | None:
        """Return which rows hold some of these claims, as the table says; None if all claims are new, and distinct."""
        if self._seen is None:
            return self._look_up(digests)
        met = self._seen.add(digests)
        if met is None:
            self._seen = None
            return self._look_up(digests)
        return self._look_up(met) if met else None

    def _look_up(self, digests: Sequence[int]) -> dict[int, _Holder]:
        self._looks += 1
        if self._looks == _LOOKS_WITHOUT_INDEX:
            self._connection.execute("PRAGMA cache_size=-32000")
            self._connection.execute("CREATE INDEX IF NOT EXISTS claims_by_digest ON claims (digest)")
            self._seen = None
        found: dict[int, _Holder] = {}
        for start in range(0, len(digests), _GROUP):
            part = digests[start : start + _GROUP]
            marks = ",".join("?" * len(part))
            sql = f"SELECT digest, seq, content, file, number FROM claims WHERE digest IN ({marks})"  # noqa: S608
            for digest, seq, content, file, number in self._connection.execute(sql, part):
                found[digest] = (seq, content, file, number)
        return found


class SeenDigests:
    """A set of 64-bit hashes that takes 12 to 24 bytes for each, where Python's own takes 70."""

    def __init__(self, most_slots: int = _MOST_SLOTS) -> None:
        """Make an empty set that grows to `most_slots`, a power of 2."""
        self._most, self._left = most_slots, 0
        self._slots = array("q", bytes(8))
        self._resize(min(_FIRST_SLOTS, most_slots))

    def add(self, digests: Sequence[int]) -> list[int] | None:
        """Add hashes; return those that were there already, or None if there is no room, and the set is of no use."""
        while len(digests) > self._left:
            if len(self._slots) >= self._most:
                return None
            self._resize(len(self._slots) * 2)
        self._left -= len(digests)
        return self._put(digests)

    def _put(self, digests: Iterable[int]) -> list[int]:
        # The hashes are spread evenly, so their low bits say where they are, or are near to.
        slots, last = self._slots, len(self._slots) - 1
        met: list[int] = []
        for digest in digests:
            at = digest & last
            while found := slots[at]:
                if found == digest:
                    met.append(digest)
                    break
                at = (at + 1) & last
            else:
                slots[at] = digest
                if not digest:
                    met.append(digest)  # 0 stands for an empty slot, so nobody knows whether it was there
        return met

    def _resize(self, size: int) -> None:
        before, self._slots = self._slots, array("q", bytes(8 * size))
        self._left += (size - len(before)) * 2 // 3
        self._put(digest for digest in before if digest)
