"""The tables of an import's journal, and the state that is committed with them; used in the writer's thread only."""

import contextlib
import sqlite3
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

import orjson

from bulkgladly.errors import BulkgladlyError
from bulkgladly.journal.entries import (
    Admission,
    Intent,
    LedgerEntry,
    Reservation,
    SettledRow,
    Standing,
    UndoneWrites,
    known_by,
)
from bulkgladly.journal.row_claims import RowClaims
from bulkgladly.journal.row_journal import Checkpoint
from bulkgladly.journal.schema import insert_rows
from bulkgladly.journal.state import State
from bulkgladly.journal.turns import BEGAN, LAST
from bulkgladly.journal.writer import Contents, write_note
from bulkgladly.messages import Effect, NotedWrite
from bulkgladly.records import KEPT, Known, Word

__all__ = ("RecordTables", "intent_rows", "write_rows")

_NO_WRITES: tuple[NotedWrite, ...] = ()
_INSERT_WRITES = "INSERT OR REPLACE INTO writes (seq, nth, operation, action, gladly_id, before, after, at)"
_INSERT_TRAILS = "INSERT OR REPLACE INTO trails (seq, requests)"


class RecordTables(Contents[LedgerEntry]):
    """The rows of one run: their claims, the requests about to leave, and how each row ended.

    `reject_codes` says why rows were rejected. Chapters as in `Ledger`.
    """

    def __init__(self, connection: sqlite3.Connection, state: State, checkpoint: Checkpoint) -> None:
        """Read what an earlier process has left in doubt.

        Raises:
            sqlite3.Error, ValueError, TypeError: The journal cannot be read.
        """
        self._connection, self._state, self._checkpoint = connection, state, checkpoint
        self._turn: int | None = None
        self._load()
        self._note_begin()

    def _load(self) -> None:
        self.reject_codes: Counter[str] = Counter()
        if self._checkpoint.counts[Word.REJECTED.value]:
            codes = "SELECT coalesce(code, '?'), count(*) FROM records WHERE word = 'rejected' GROUP BY 1"
            self.reject_codes.update(dict(self._connection.execute(codes)))
        self._claims = RowClaims(self._connection)
        # All rows below the mark are settled, so this reads only what was in flight.
        is_open = "seq >= ? AND seq NOT IN (SELECT seq FROM records WHERE seq >= ?)"
        since = (self._checkpoint.mark.seq,) * 2
        intents = f"SELECT seq, at FROM intents WHERE {is_open}"  # noqa: S608 - a text of our own
        self._doubts: dict[int, float] = dict(self._connection.execute(intents, since))
        columns = "seq, nth, operation, action, gladly_id, before, after, at"
        writes = f"SELECT {columns} FROM writes WHERE {is_open} ORDER BY seq, nth"  # noqa: S608 - a text of our own
        self._written: dict[int, tuple[NotedWrite, ...]] = {}
        for row in self._connection.execute(writes, since):
            self._written[row[0]] = (*self._written.get(row[0], _NO_WRITES), _noted(row))

    def _note_begin(self) -> None:
        """Take the first turn of the run, unless an earlier process has."""
        self._state.catch_up()
        if self._connection.execute("SELECT 1 FROM meta WHERE name = ?", (BEGAN,)).fetchone() is None:
            turn = self._state.next_turn()
            self._state.commit()
            write_note(self._connection, BEGAN, str(turn))

    # --- what is asked ---

    def sent(self) -> list[tuple[str, str]]:
        """Return the keys of what the run has sent, or may have, with the ids."""
        sent = (
            "SELECT key, coalesce(gladly_id, '') FROM records WHERE key IS NOT NULL AND word IN ('created', 'unknown')"
        )
        return self._connection.execute(sent).fetchall()

    def recent_ids(self, most: int) -> list[str]:
        """Return the Gladly ids of the last rows, the oldest first."""
        sql = "SELECT gladly_id FROM records WHERE gladly_id IS NOT NULL ORDER BY seq DESC LIMIT ?"
        return [str(row[0]) for row in self._connection.execute(sql, (most,)).fetchall()[::-1]]

    def has_sent(self) -> bool:
        """Tell whether a record was sent, so that there is something to look at in Gladly."""
        sql = "SELECT 1 FROM records WHERE attempts > 0 AND word IN ('created', 'unknown') LIMIT 1"
        return self._connection.execute(sql).fetchone() is not None

    # --- rows come in ---

    def admit(self, rows: Sequence[Admission]) -> list[Standing]:
        """Note that rows have been read, let them take their claims, and return what is known of each."""
        for row in rows:
            self._checkpoint.frontier.admit(row.seq, row.position)
        keys = [row.key for row in rows if row.key]
        known = self._state.known(keys + [row.former_key for row in rows if row.former_key is not None])
        clashes = self._claims.take(rows)
        if not known and not clashes and not self._doubts and not self._written:
            return [Standing()] * len(rows)
        return [
            Standing(
                known=known_by(known, row.key, row.former_key) if row.key else None,
                doubt=row.seq in self._doubts,
                clash=clashes.get(row.seq),
                sent_at=self._doubts.get(row.seq),
                written=self._written.get(row.seq, _NO_WRITES),
            )
            for row in rows
        ]

    # --- requests leave ---

    def intend(self, rows: Sequence[tuple[Any, ...]], writes: Sequence[tuple[Any, ...]]) -> None:
        """Write `intent_rows` and `write_rows`."""
        insert_rows(self._connection, "INSERT OR REPLACE INTO intents (seq, operation, gladly_id, at)", rows)
        insert_rows(self._connection, _INSERT_WRITES, writes)
        self._note_turns("INSERT OR REPLACE", [row[0] for row in writes])

    def reserve(
        self, rows: Sequence[tuple[Any, ...]], writes: Sequence[tuple[Any, ...]], reservation: Reservation
    ) -> Known | BulkgladlyError | None:
        """Reserve a key and write its intent; or return what is known of the key, or why nothing may leave."""
        if (problem := self._state.misplaced()) is not None:
            return problem
        known = self._state.reserve(*reservation)
        if known is None:
            self.intend(rows, writes)
        return known

    def reserved(self, seq: int, key: str, answer: Known | BulkgladlyError | None) -> Known | BulkgladlyError | None:
        """Check the state file again, after the commit; if it was replaced, release the key and return the problem.

        Only now is it certain that the reservation is in the file that other runs will read. Nothing has left yet.
        """
        if (problem := self._state.misplaced()) is None:
            return answer
        if answer is None:
            for table in ("intents", "writes"):
                self._connection.execute(f"DELETE FROM {table} WHERE seq = ?", (seq,))  # noqa: S608 - names of our own
            self._state.take_back([key])
            self._state.commit()
        return problem

    def withdraw(self, seqs: Sequence[int], reserved: Sequence[str]) -> None:
        """Take back intents, and keys that were reserved for them."""
        self._connection.executemany("DELETE FROM intents WHERE seq = ?", [(seq,) for seq in seqs])
        if reserved:
            self._state.take_back(reserved)

    # --- rows have ended ---

    def pass_by(self, seqs: Sequence[int]) -> None:
        """Let the low-water mark pass rows without an outcome."""
        self._checkpoint.frontier.settle_all(seqs)

    def forget(self, keys: Sequence[str], fields: Collection[str] | None) -> None:
        """Let the state forget keys, or only what Gladly accepted of some fields."""
        if fields is None:
            self._state.forget(keys)
        else:
            self._state.forget_accepted(keys, fields)

    def write(self, entries: Sequence[LedgerEntry]) -> None:
        """Write what requests are about to write, how rows ended, and what later runs need to know of their keys."""
        settled = [one for one in entries if isinstance(one, SettledRow)]
        if len(settled) < len(entries):
            self._write_writes(entries)
        if settled:
            # Of a write that was noted, the turn in which it was about to leave stays.
            self._note_turns("INSERT OR IGNORE", [one.seq for one in settled if one.attempts])
        counts = Counter([one.outcome.word._value_ for one in settled])
        self._checkpoint.counts.update(counts)
        if counts[Word.REJECTED.value]:
            refused = [one.outcome for one in settled if one.outcome.word is Word.REJECTED]
            self.reject_codes.update([outcome.code or "?" for outcome in refused])
        self._checkpoint.frontier.settle_all([one.seq for one in settled])
        insert_rows(self._connection, "INSERT OR REPLACE INTO records", [_record_row(one) for one in settled])
        insert_rows(
            self._connection, _INSERT_TRAILS, [(one.seq, one.trail) for one in settled if one.trail is not None]
        )
        if gone_values := [(one.seq, nth, *value) for one in settled for nth, value in enumerate(one.dropped, 1)]:
            insert_rows(self._connection, "INSERT OR REPLACE INTO dropped", gone_values)
        self._remember(settled)
        if kept := [one.key for one in settled if one.key is not None and (one.outcome.code or "").startswith(KEPT)]:
            self._state.note_kept(kept)

    def _remember(self, settled: Sequence[SettledRow]) -> None:
        """Write to the state what later runs need to know of the keys of rows that have ended."""
        known, made, gone, refused = [], [], [], []
        for one in settled:
            outcome, key = one.outcome, one.key
            if key is None:
                continue
            word, gladly_id, *_, accepted = outcome
            if word is Word.CREATED and gladly_id:
                made.append((key, gladly_id))
            if word is Word.DELETED:
                gone += [key] if one.former_key is None else [key, one.former_key]
            elif accepted is not None:
                known.append((key, gladly_id or "", accepted))
            elif one.is_reserved and word is not Word.UNKNOWN:
                refused.append(key)
        if known:
            self._state.remember(known)
        if made:
            self._state.note_made(made)
        if gone:
            self._state.forget(gone)
        if refused:
            self._state.take_back(refused)

    def _write_writes(self, entries: Sequence[LedgerEntry]) -> None:
        # The numbers of a row only grow, so a removal never concerns a write that is noted after it.
        noted = [one for one in entries if isinstance(one, NotedWrite)]
        insert_rows(self._connection, _INSERT_WRITES, write_rows(noted))
        if noted:
            self._note_turns("INSERT OR REPLACE", [one.seq for one in noted])
        undone = [(one.seq, nth) for one in entries if isinstance(one, UndoneWrites) for nth in one.numbers]
        self._connection.executemany("DELETE FROM writes WHERE seq = ? AND nth = ?", undone)

    def _note_turns(self, insert: str, seqs: Sequence[int]) -> None:
        """Note that rows took their requests in the turn of this commit."""
        if self._turn is None:
            self._turn = self._state.next_turn()
        turn = self._turn
        insert_rows(self._connection, f"{insert} INTO turns (seq, turn)", [(seq, turn) for seq in seqs])

    def seal(self) -> None:
        """Write where a resume begins, and commit the state."""
        if self._turn is not None:
            write_note(self._connection, LAST, str(self._turn))
            self._turn = None
        self._checkpoint.save()
        # The state first: after a crash in between, a record is looked up although it is known. The other way
        # round it would be forgotten.
        self._state.commit()

    def roll_back(self) -> None:
        """Forget what did not reach the disk, here and in the state."""
        self._state.roll_back()
        self._turn = None
        with contextlib.suppress(sqlite3.Error, ValueError):
            self._checkpoint.load()
            self._load()


def intent_rows(intents: Sequence[Intent], now: float) -> list[tuple[Any, ...]]:
    """Return intents as rows of their table; `now` is in seconds since 1970."""
    return [(intent.seq, intent.operation, intent.gladly_id, now) for intent in intents]


def write_rows(writes: Sequence[NotedWrite], now: float | None = None) -> list[tuple[Any, ...]]:
    """Return writes as rows of their table, noted `now` (seconds since 1970) or at their own time."""
    return [
        (
            one.seq,
            one.nth,
            one.operation,
            one.effect.action,
            one.effect.gladly_id,
            None if one.effect.before is None else orjson.dumps(one.effect.before).decode(),
            orjson.dumps(one.effect.after).decode(),
            one.at if now is None else now,
        )
        for one in writes
    ]


def _noted(row: tuple[Any, ...]) -> NotedWrite:
    seq, nth, operation, action, gladly_id, before, after, at = row
    effect = Effect(action, gladly_id, None if before is None else orjson.loads(before), orjson.loads(after))
    return NotedWrite(seq, nth, operation, effect, at)


def _record_row(one: SettledRow) -> tuple[Any, ...]:
    seq, (file, place, number), outcome, key, _, attempts, original, at, _, _, _ = one
    word, gladly_id, stage, status, code, attr, detail, _ = outcome
    # The texts of words and stages are taken for each row, and `value` takes three times as long.
    told = word._value_
    refused_at = None if stage is None else stage._value_
    return (
        seq, file, place, number, key, told, gladly_id, refused_at, status, code, attr, detail, attempts, at, original,
    )  # fmt: skip
