"""The one thread that writes a run's journal: entries that arrive while a commit runs go into the next one."""

import asyncio
import contextlib
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import orjson

from bulkgladly.errors import BulkgladlyError, JournalDamaged
from bulkgladly.journal.timeline import Sample, write_samples
from bulkgladly.records import Known
from bulkgladly.storage.failures import database_error, is_locked

__all__ = ("Contents", "Writer", "earlier_vitals", "usable", "write_note")

LOADED_JOBS = 8
LINGER_S = 0.01
# What may be handed to another thread. A cursor would be freed there while the writer uses its statement.
_PLAIN = (type(None), bool, int, str, list, dict, Known, BulkgladlyError)

E = TypeVar("E")


class Contents(Generic[E]):
    """What to write for entries that are told. This base class writes nothing.

    All methods are called in the writer's thread only, `write` and `seal` within a transaction.
    """

    def write(self, entries: Sequence[E]) -> None:
        """Write the entries since the last question, in the order in which they were told."""

    def seal(self) -> None:
        """End a group of writes: the journal is committed next."""

    def roll_back(self) -> None:
        """Drop what was kept in memory since the last commit; the journal itself is rolled back already."""


@dataclass(slots=True)
class _Question:
    ask: Callable[[], Any]
    done: "asyncio.Future[Any] | Future[Any] | None" = None
    afterwards: Callable[[Any], Any] | None = None
    """Makes the answer from what `ask` returned, once that is on the disk."""


class Writer(Generic[E]):
    """Writes a journal, in groups: a process that dies at any moment leaves each commit whole.

    Entries that are *told* are written in the order in which they came, and nobody waits for them. A *question* reads
    or writes in its turn, and is answered when its commit is on the disk. An answer is a plain value (`_PLAIN`); an
    error of ours is raised in the caller. Chapters: use from any thread, and the thread itself.
    """

    def __init__(
        self,
        path: Path,
        connection: sqlite3.Connection,
        contents: Contents[E] | None = None,
        *,
        outlives_errors: bool = False,
    ) -> None:
        """Begin to write on a connection, which belongs to the writer from now on. `path` is named in errors.

        After an error nothing more is accepted: entries that were told are lost then, and later ones may build on
        them. With `outlives_errors`, for journals that get questions only, an error affects its own question only.
        """
        self._path, self._connection = path, connection
        self._contents: Contents[E] = contents or Contents()
        self._outlives_errors = outlives_errors
        self._queue: queue.SimpleQueue[_Question | E | None] = queue.SimpleQueue()
        self._failure: BulkgladlyError | None = None
        self._door = threading.Lock()
        """Keeps questions from entering the queue after its end, where they would never be answered."""
        self._is_closed = False
        self._thread = threading.Thread(target=self._work, name="bulkgladly-journal", daemon=True)
        self._thread.start()

    # --- used from any thread ---

    def tell(self, entry: E) -> None:
        """Write an entry with the next commit, without waiting for it.

        Raises:
            DiskFull, JournalDamaged: An earlier commit failed; nothing was noted.
        """
        self._put(entry)

    def do(self, work: Callable[[], None]) -> None:
        """Call `work` in its turn, without waiting for it.

        Raises:
            DiskFull, JournalDamaged: An earlier commit failed; nothing is done.
        """
        self._put(_Question(work))

    async def ask(self, question: Callable[[], Any], *, afterwards: Callable[[Any], Any] | None = None) -> Any:
        """Return the answer to a question, once it is on the disk. Cancelled, the question is carried out all the same.

        `afterwards` is called after the commit, also in the writer's thread, and makes the final answer.

        Raises:
            DiskFull, JournalDamaged: It could not be written.
        """
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._put(_Question(question, done, afterwards))
        return await done

    def ask_and_wait(self, question: Callable[[], Any]) -> Any:
        """As `ask`, for callers that are not on the event loop, or may block it for one commit."""
        done: Future[Any] = Future()
        self._put(_Question(question, done))
        return done.result()

    def close(self) -> None:
        """Commit what is left, end the thread and close the journal. Calling it twice is allowed."""
        with self._door:
            if not self._is_closed:
                self._queue.put(None)
            self._is_closed = True
        self._thread.join()
        self._connection.close()

    def _put(self, job: "_Question | E") -> None:
        with self._door:
            if self._failure is not None:
                raise self._failure
            if self._is_closed:
                raise BulkgladlyError(f"internal error: {self._path.name} was written to after it was closed")
            self._queue.put(job)

    # --- the thread ---

    def _work(self) -> None:
        while True:
            jobs = [self._queue.get()]
            # Nobody else takes jobs out, so as many as there are now can be taken without a wait.
            jobs += [self._queue.get_nowait() for _ in range(self._queue.qsize())]
            wanted = [job for job in jobs if job is not None]
            if wanted:
                self._serve(wanted)
            if len(wanted) < len(jobs):
                return
            if len(wanted) >= LOADED_JOBS:
                # Under load a short rest makes the groups larger, and leaves the CPU to the requests.
                time.sleep(LINGER_S)

    def _serve(self, jobs: "Sequence[_Question | E]") -> None:
        questions = [job for job in jobs if isinstance(job, _Question)]
        try:
            if self._failure is not None:
                raise self._failure
            answers = self._write(jobs)
        except Exception as error:  # noqa: BLE001 - the thread must not die silently: callers get the cause
            failure = self._failure or self._failed(error)
            if self._outlives_errors and len(jobs) > 1 and not is_locked(error):
                # A call must not fail because of another one in its group: try each by itself. A lock, which was
                # waited for already, would make each of them wait again.
                for job in jobs:
                    self._serve([job])
                return
            answers = [failure] * len(questions)
        _hand_over([(one.done, answer) for one, answer in zip(questions, answers, strict=True) if one.done is not None])

    def _write(self, jobs: "Sequence[_Question | E]") -> list[Any]:
        """Write a group, and return the answers to its questions."""
        self._connection.execute("BEGIN IMMEDIATE")
        told: list[E] = []
        asked: list[tuple[_Question, Any]] = []
        for job in jobs:
            if not isinstance(job, _Question):
                told.append(job)
                continue
            # A question sees all entries that were told before it.
            if told:
                self._contents.write(told)
                told = []
            asked.append((job, _plain(job.ask())))
        if told:
            self._contents.write(told)
        self._contents.seal()
        self._connection.execute("COMMIT")
        return [answer if one.afterwards is None else _plain(one.afterwards(answer)) for one, answer in asked]

    def _failed(self, error: Exception) -> BulkgladlyError:
        """Drop what did not reach the disk, so that the summary is right, and return the error as ours."""
        failure = database_error(error, self._path)
        if not self._outlives_errors:
            self._failure = failure
        with contextlib.suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        self._contents.roll_back()
        return failure


def _plain(answer: Any) -> Any:
    if not isinstance(answer, _PLAIN):
        raise TypeError(f"a {type(answer).__name__} must not leave the thread of the journal")
    return answer


def _hand_over(answers: "Sequence[tuple[asyncio.Future[Any] | Future[Any], Any]]") -> None:
    on_the_loop: list[tuple[asyncio.Future[Any], Any]] = []
    for done, answer in answers:
        if isinstance(done, Future):
            _resolve(done, answer)
        else:
            on_the_loop.append((done, answer))
    if on_the_loop:
        # One wake-up for the whole group: with thousands of records, each costs more than its answer.
        on_the_loop[0][0].get_loop().call_soon_threadsafe(_resolve_all, on_the_loop)


def _resolve_all(answers: "Sequence[tuple[asyncio.Future[Any], Any]]") -> None:
    for done, answer in answers:
        if not done.done():  # otherwise its caller was cancelled
            _resolve(done, answer)


def _resolve(done: "asyncio.Future[Any] | Future[Any]", answer: Any) -> None:
    if isinstance(answer, BulkgladlyError):
        done.set_exception(answer)
    else:
        done.set_result(answer)


def write_note(connection: sqlite3.Connection, name: str, value: str, samples: Sequence[Sample] = ()) -> None:
    """Write a value about the run itself, such as its status, and samples of it, within the open transaction."""
    connection.execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", (name, value))
    write_samples(connection, samples)


def earlier_vitals(connection: sqlite3.Connection) -> Mapping[str, Any]:
    """Return what the sessions before this one have cost.

    An import keeps it in its checkpoint, an export in `meta`; older versions look for it there.

    Raises:
        ValueError: It is not JSON.
    """
    for sql in ("SELECT vitals FROM checkpoint", "SELECT value FROM meta WHERE name = 'vitals'"):
        if (row := connection.execute(sql).fetchone()) is not None:
            found: Mapping[str, Any] = orjson.loads(row[0])
            return found
    return {}


@contextlib.contextmanager
def usable(path: Path, *opened: Any) -> Iterator[None]:
    """Guard the first reads of a journal: an error closes all of `opened`, and says that the file cannot be used.

    Raises:
        DiskFull, JournalDamaged, JournalError: From SQLite's errors, and from contents that make no sense.
    """
    try:
        yield
    except BaseException as error:
        for one in opened:
            one.close()
        if isinstance(error, sqlite3.Error):
            raise database_error(error, path) from error
        if isinstance(error, ValueError | TypeError):
            raise JournalDamaged(f"{path} cannot be used: {error}") from error
        raise
