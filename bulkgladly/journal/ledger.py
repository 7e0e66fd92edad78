"""The checkpoint of a run: intents before, outcomes after, committed in groups by one thread."""

import asyncio
import contextlib
import queue
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from bulkgladly.errors import BulkgladlyError, JournalDamaged
from bulkgladly.journal.positions import Frontier
from bulkgladly.journal.schema import insert_rows, open_journal, reading
from bulkgladly.journal.state import State
from bulkgladly.records import Claim, Known, Mark, Outcome, Position, Word
from bulkgladly.storage.failures import database_error

__all__ = ("Admission", "Clash", "Intent", "Ledger", "Reservation", "Standing", "has_doubts", "known_by")

LOADED_JOBS = 8
LINGER_S = 0.01
# What may be handed to the loop's thread. A cursor among it would be freed there while the writer uses its statement.
_PLAIN = (type(None), bool, int, str, list, dict, Known, BulkgladlyError)


class Admission(NamedTuple):
    """A row that has been read and is about to be worked on. `content` is a hash of its payload.

    Its record may also be known by `former_key`; what is known by `key` comes first.
    """

    seq: int
    position: Position
    key: str = ""
    content: int = 0
    claims: tuple[Claim, ...] = ()
    former_key: str | None = None


class Clash(NamedTuple):
    """An earlier row of the run holds a claim of this one."""

    attr: str
    earlier: int
    """`number` of the earlier row in its file."""
    earlier_file: int
    is_equal: bool
    """The earlier row has the same key and the same content."""


class Standing(NamedTuple):
    """What the state says about an admitted row."""

    known: Known | None = None
    doubt: bool = False
    clash: Clash | None = None
    sent_at: float | None = None
    """When the request in doubt may have left, in seconds since 1970."""


class Intent(NamedTuple):
    """A request whose repeat is not harmless is about to leave."""

    seq: int
    gladly_id: str
    operation: str


class Reservation(NamedTuple):
    """A record that Gladly could not tell from a second one: its key, and the fingerprints of what it holds."""

    key: str
    accepted: Mapping[str, str]


class Ledger:
    """One run's journal, and the state that it shares with the other runs.

    All writing is done by one thread in groups: whatever arrives while a commit runs goes
    into the next one. A process that dies at any moment leaves every commit whole; what
    was settled after the last one is asked about on resume.
    """

    def __init__(
        self,
        folder: Path,
        *,
        state: Path,
        scope: tuple[str, str, str],
        is_state_synced: bool = False,
        run: str = "",
        vitals: Callable[[], Mapping[str, Any]] = dict,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Open the journal in `folder`, or make it.

        `scope` is host, resource and namespace. With `is_state_synced` what is remembered for
        later runs survives a power failure, too: where nothing else keeps a twin away. What
        the journal has and the state has lost is then written down there again. `run` is the
        name under which keys are reserved. `vitals` is asked at each commit for what else
        shall survive, as a JSON object.

        Raises:
            DiskFull, JournalDamaged, JournalError: The journal or the state cannot be used.
        """
        self._path = folder / "journal.sqlite"
        self._connection = open_journal(self._path)
        try:
            self._state = State(state, scope, is_synced=is_state_synced, run=run or folder.name)
        except BaseException:
            self._connection.close()
            raise
        try:
            self._load()
            if is_state_synced:
                self._state.restore(self._sent())
        except BaseException as error:
            self._state.close()
            self._connection.close()
            if isinstance(error, sqlite3.Error):
                raise database_error(error, self._path) from error
            if isinstance(error, ValueError | TypeError):
                raise JournalDamaged(f"{self._path} cannot be used: {error}") from error
            raise
        self._vitals = vitals
        self._clock = clock
        self._queue: queue.SimpleQueue[_Job | _Settled | None] = queue.SimpleQueue()
        self._failure: BulkgladlyError | None = None
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._work, name="bulkgladly-journal", daemon=True)
        self._thread.start()

    def _load(self) -> None:
        row = self._connection.execute(
            "SELECT seq, file, place, number, above, counts, vitals FROM checkpoint"
        ).fetchone()
        self.counts: Counter[str] = Counter()
        self.earlier_vitals: Mapping[str, Any] = {}
        self.mark, above = Mark(), []
        if row is not None:
            position = None if row[1] is None else Position(row[1], row[2], row[3])
            self.mark, above = Mark(row[0], position), orjson.loads(row[4])
            self.counts.update(orjson.loads(row[5]))
            self.earlier_vitals = orjson.loads(row[6])
        self._frontier = Frontier(self.mark, above)
        self._done_above = {seq for first, last in above for seq in range(first, last + 1)}
        # Below the mark everything is settled, so this reads no more than what was in flight.
        open_intents = (
            "SELECT seq, at FROM intents WHERE seq >= ? AND seq NOT IN (SELECT seq FROM records WHERE seq >= ?)"
        )
        self._doubts: dict[int, float] = dict(self._connection.execute(open_intents, (self.mark.seq, self.mark.seq)))

    def _sent(self) -> list[tuple[str, str]]:
        """Return the keys of what the run has sent, or may have, with the ids."""
        sent = (
            "SELECT key, coalesce(gladly_id, '') FROM records WHERE key IS NOT NULL AND word IN ('created', 'unknown')"
        )
        return self._connection.execute(sent).fetchall()

    def wants(self, seq: int) -> bool:
        """Tell whether a row still has to be worked on in this process."""
        return seq >= self.mark.seq and seq not in self._done_above

    async def admit(self, rows: Sequence[Admission]) -> list[Standing]:
        """Note that rows have been read, in input order, and return what the state says of each.

        Rows that cannot become records are admitted too (without key and claims), so that
        the low-water mark can pass them.
        """
        result: list[Standing] = await self._ask(lambda: self._admit(rows))
        return result

    async def known(self, keys: Sequence[str]) -> dict[str, Known]:
        """Return what the state knows of source keys, everything settled so far included."""
        result: dict[str, Known] = await self._ask(lambda: self._state.known(keys))
        return result

    async def known_in(self, host: str, resource: str, namespace: str, keys: Sequence[str]) -> dict[str, str]:
        """Return the ids in Gladly of source keys of any resource and namespace, as far as they are known."""
        result: dict[str, str] = await self._ask(lambda: self._state.known_in((host, resource, namespace), keys))
        return result

    async def recent_ids(self, most: int) -> list[str]:
        """Return the ids with which the last rows of the run ended, the oldest first."""
        sql = "SELECT gladly_id FROM records WHERE gladly_id IS NOT NULL ORDER BY seq DESC LIMIT ?"
        rows = await self._ask(lambda: self._connection.execute(sql, (most,)).fetchall())
        return [str(row[0]) for row in reversed(rows)]

    async def has_sent(self) -> bool:
        """Tell whether a record of the run went out, so that there is something to look at in Gladly."""
        sql = "SELECT 1 FROM records WHERE attempts > 0 AND word IN ('created', 'unknown') LIMIT 1"
        result: bool = await self._ask(lambda: self._connection.execute(sql).fetchone() is not None)
        return result

    async def intend(self, intents: Sequence[Intent]) -> None:
        """Note that requests are about to leave. They are on the disk when this returns."""
        done = self._loop.create_future()
        self._put(_Job(intents=self._rows_of(intents), done=done))
        await done

    async def reserve(self, intent: Intent, reservation: Reservation) -> Known | None:
        """Note that a request that nobody could tell from a second one is about to leave; None if it may.

        If its key is known already, also since a moment ago and by another run, what is known
        is returned, nothing is noted, and it must not leave. When this returns None the key is
        reserved on the disk, in the file that other runs will look into.

        Raises:
            JournalDamaged: The state was deleted or replaced; the request must not leave.
        """
        about = (intent.seq, reservation.key)
        result: Known | None = await self._ask(lambda: self._reserve(intent, reservation), reserves=about)
        return result

    def _reserve(self, intent: Intent, reservation: Reservation) -> Known | BulkgladlyError | None:
        if (problem := self._state.misplaced()) is not None:
            return problem
        known = self._state.reserve(*reservation)
        if known is None:
            self._write_intents(self._rows_of([intent]))
        return known

    async def withdraw(self, seqs: Sequence[int], *, reserved: Sequence[str] = ()) -> None:
        """Take back intents, and keys `reserved` for them: their requests did not leave, or made nothing.

        Nobody asks about them then, and this or another run may send them.
        """
        rows = [(seq,) for seq in seqs]

        def delete() -> None:
            self._connection.executemany("DELETE FROM intents WHERE seq = ?", rows)
            if reserved:
                self._state.take_back(reserved)

        await self._ask(delete)

    async def check_state(self) -> None:
        """Make sure that the state is still the file that this run has been writing.

        Raises:
            JournalDamaged: It was deleted or replaced.
        """
        await self._ask(self._state.misplaced)

    def settle(
        self,
        seq: int,
        position: Position,
        outcome: Outcome,
        *,
        key: str | None = None,
        former_key: str | None = None,
        attempts: int = 0,
        original: bytes | None = None,
        is_reserved: bool = False,
    ) -> None:
        """Note that a row has reached its end; it is in the next group commit.

        `attempts` counts the requests it took; `original` is the row as it shall stand in
        the rejects file. What is no longer there is forgotten by its `former_key`, too.
        `is_reserved` says that its key was reserved: an outcome that tells of nothing sent (a
        refusal) gives the key free. `flush` waits for the disk.

        Raises:
            DiskFull, JournalDamaged: An earlier commit failed; nothing was noted.
        """
        now = self._clock()
        self._put(_Settled(seq, position, outcome, key, former_key, attempts, original, now, is_reserved))

    def pass_by(self, seqs: Sequence[int]) -> None:
        """Let the low-water mark pass rows without an outcome, where nothing is to be kept of them."""
        self._put(_Job(passed=seqs))

    def is_settled(self, seq: int) -> bool:
        """Tell whether a row has reached its end, after a `flush`."""
        return self._frontier.is_settled(seq)

    @property
    def frontier(self) -> Mark:
        """The low-water mark after the last commit."""
        return self._frontier.advance()

    async def flush(self) -> None:
        """Wait until everything settled so far is on the disk."""
        done = self._loop.create_future()
        self._put(_Job(done=done))
        await done

    async def note(self, name: str, value: str) -> None:
        """Keep a word about the run itself (its status, say). On the disk when this returns."""

        def write() -> None:
            self._connection.execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", (name, value))

        await self._ask(write)
        await self.flush()

    def close(self) -> None:
        """Commit what is left, end the thread and close the files. Blocks for one commit."""
        self._queue.put(None)
        self._thread.join()
        self._state.close()
        self._connection.close()

    def _put(self, job: "_Job | _Settled") -> None:
        if self._failure is not None:
            raise self._failure
        self._queue.put(job)

    async def _ask(self, question: Callable[[], Any], *, reserves: tuple[int, str] | None = None) -> Any:
        """Have the writer's thread answer a question, in its turn and after the commit it belongs to.

        An answer is a plain value (`_PLAIN`); anything else ends the run.
        """
        done = self._loop.create_future()
        self._put(_Job(question=question, done=done, reserves=reserves))
        return await done

    def _work(self) -> None:
        while True:
            jobs = [self._queue.get()]
            while not self._queue.empty():
                jobs.append(self._queue.get_nowait())
            wanted = [job for job in jobs if job is not None]
            if wanted:
                self._serve(wanted)
            if len(wanted) < len(jobs):
                return
            if len(wanted) >= LOADED_JOBS:
                # Under load a short rest makes the groups larger, and leaves the processor to the requests.
                time.sleep(LINGER_S)

    def _serve(self, jobs: "list[_Job | _Settled]") -> None:
        answers: list[tuple[asyncio.Future[Any], Any]] = []
        try:
            if self._failure is not None:
                raise self._failure
            self._connection.execute("BEGIN IMMEDIATE")
            settled: list[_Settled] = []
            reserving: list[_Job] = []
            for job in jobs:
                if isinstance(job, _Settled):
                    settled.append(job)
                    continue
                # What a job asks or writes comes after everything that was settled before it.
                self._write_settled(settled)
                settled = []
                if job.reserves is not None:
                    reserving.append(job)
                answer = self._perform(job)
                if job.done is not None:
                    answers.append((job.done, answer))
            self._write_settled(settled)
            self._write_checkpoint()
            # The state first: cut off in between, a record is asked about although it is known, and not forgotten.
            self._state.commit()
            self._connection.execute("COMMIT")
            if reserving and (problem := self._state.misplaced()) is not None:
                answers = self._unreserved(reserving, answers, problem)
        except Exception as error:  # noqa: BLE001 - the thread must not die silently: callers get the cause
            if self._failure is None:
                self._failure = database_error(error, self._path)
                self._roll_back()
            answers = [(job.done, self._failure) for job in jobs if isinstance(job, _Job) and job.done is not None]
        if answers:
            self._loop.call_soon_threadsafe(_resolve, answers)

    def _unreserved(
        self, jobs: "list[_Job]", answers: list[tuple[asyncio.Future[Any], Any]], problem: BulkgladlyError
    ) -> list[tuple[asyncio.Future[Any], Any]]:
        """Take back what has just been reserved in a file that nobody else will look into; nothing of it leaves."""
        granted = [done for done, known in answers if known is None]
        for job in jobs:
            if job.reserves is not None and job.done in granted:
                seq, key = job.reserves
                self._connection.execute("DELETE FROM intents WHERE seq = ?", (seq,))
                self._state.take_back([key])
        self._state.commit()
        told = [job.done for job in jobs]
        return [(done, problem if done in told else answer) for done, answer in answers]

    def _roll_back(self) -> None:
        """Forget what did not reach the disk, so that the report tells what did."""
        self._state.roll_back()
        with contextlib.suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            self._load()

    def _perform(self, job: "_Job") -> Any:
        self._write_intents(job.intents)
        for seq in job.passed:
            self._frontier.settle(seq)
        answer = job.question() if job.question is not None else None
        if not isinstance(answer, _PLAIN):
            raise TypeError(f"a {type(answer).__name__} must not leave the thread of the journal")
        return answer

    def _admit(self, rows: Sequence[Admission]) -> list[Standing]:
        for row in rows:
            self._frontier.admit(row.seq, row.position)
        keys = [row.key for row in rows if row.key]
        known = self._state.known(keys + [row.former_key for row in rows if row.former_key is not None])
        clashes = self._claim([row for row in rows if row.claims])
        return [
            Standing(
                known=known_by(known, row.key, row.former_key) if row.key else None,
                doubt=row.seq in self._doubts,
                clash=clashes.get(row.seq),
                sent_at=self._doubts.get(row.seq),
            )
            for row in rows
        ]

    def _claim(self, rows: Sequence[Admission]) -> dict[int, Clash]:
        """Let each row take its claims; return a clash for those that came too late."""
        claims = [
            (claim.digest, row.seq, row.content, row.position.file, row.position.number)
            for row in rows
            for claim in row.claims
        ]
        insert = "INSERT OR IGNORE INTO claims (digest, seq, content, file, number)"
        if insert_rows(self._connection, insert, claims) == len(claims):
            return {}
        clashes: dict[int, Clash] = {}
        select = "SELECT seq, content, file, number FROM claims WHERE digest = ?"
        for row in rows:
            for claim in row.claims:
                seq, content, file, number = self._connection.execute(select, (claim.digest,)).fetchone()
                if seq != row.seq:
                    is_equal = claim.attr == "key" and content == row.content
                    clashes[row.seq] = Clash(claim.attr, number, file, is_equal)
                    break
        return clashes

    def _rows_of(self, intents: Sequence[Intent]) -> list[tuple[Any, ...]]:
        now = self._clock()
        return [(intent.seq, intent.operation, intent.gladly_id, now) for intent in intents]

    def _write_intents(self, rows: Sequence[tuple[Any, ...]]) -> None:
        insert_rows(self._connection, "INSERT OR REPLACE INTO intents (seq, operation, gladly_id, at)", rows)

    def _write_settled(self, settled: Sequence["_Settled"]) -> None:
        if not settled:
            return
        rows, known, gone, refused = [], [], [], []
        for one in settled:
            outcome, key = one.outcome, one.key
            self.counts[outcome.word.value] += 1
            self._frontier.settle(one.seq)
            rows.append(_record_row(one))
            if key is None:
                continue
            if outcome.word is Word.DELETED:
                gone += [key] if one.former_key is None else [key, one.former_key]
            elif outcome.accepted is not None:
                known.append((key, outcome.gladly_id or "", outcome.accepted))
            elif one.is_reserved and outcome.word is not Word.UNKNOWN:
                refused.append(key)
        insert_rows(self._connection, "INSERT OR REPLACE INTO records", rows)
        if known:
            self._state.remember(known)
        if gone:
            self._state.forget(gone)
        if refused:
            self._state.take_back(refused)

    def _write_checkpoint(self) -> None:
        mark = self._frontier.advance()
        position = mark.position
        self._connection.execute(
            "INSERT OR REPLACE INTO checkpoint (id, seq, file, place, number, above, counts, vitals)"
            " VALUES (0, ?, ?, ?, ?, ?, ?, ?)",
            (
                mark.seq,
                position and position.file,
                position and position.offset,
                position and position.number,
                orjson.dumps(self._frontier.above()).decode(),
                orjson.dumps(self.counts).decode(),
                orjson.dumps(self._vitals()).decode(),
            ),
        )


@dataclass(slots=True)
class _Job:
    question: Callable[[], Any] | None = None
    intents: Sequence[tuple[Any, ...]] = ()
    passed: Sequence[int] = ()
    done: "asyncio.Future[Any] | None" = None
    reserves: tuple[int, str] | None = None
    """The row and the key whose request waits for this to be on the disk."""


class _Settled(NamedTuple):
    seq: int
    position: Position
    outcome: Outcome
    key: str | None
    former_key: str | None
    attempts: int
    original: bytes | None
    at: float
    is_reserved: bool = False


def known_by(known: Mapping[str, Known], key: str, former_key: str | None) -> Known | None:
    """Return what is known of a record by its key, or else by the former spelling of its key."""
    found = known.get(key)
    return known.get(former_key) if found is None and former_key is not None else found


def has_doubts(folder: Path) -> bool:
    """Tell whether requests of a run may have left whose end nobody saw: what only a resume settles.

    Raises:
        JournalDamaged: There is no journal in the folder, or it cannot be read.
    """
    with reading(folder / "journal.sqlite") as connection:
        found = connection.execute(
            "SELECT 1 FROM intents WHERE NOT EXISTS (SELECT 1 FROM records WHERE records.seq = intents.seq) LIMIT 1"
        ).fetchone()
    return found is not None


def _record_row(one: _Settled) -> tuple[Any, ...]:
    outcome = one.outcome
    return (
        one.seq,
        *one.position,
        one.key,
        outcome.word.value,
        outcome.gladly_id,
        outcome.stage and outcome.stage.value,
        outcome.status,
        outcome.code,
        outcome.attr,
        outcome.detail,
        one.attempts,
        one.at,
        one.original,
    )


def _resolve(answers: list[tuple["asyncio.Future[Any]", Any]]) -> None:
    for future, answer in answers:
        if future.done():
            continue  # its caller was cancelled
        if isinstance(answer, BulkgladlyError):
            future.set_exception(answer)
        else:
            future.set_result(answer)
