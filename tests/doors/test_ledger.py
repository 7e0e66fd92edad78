"""The journal: what is acknowledged survives, what is not is asked about, and nothing is torn."""

import asyncio
import contextlib
import functools
import multiprocessing
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bulkgladly.errors import DiskFull, JournalDamaged, JournalError
from bulkgladly.gladly.identity import digest64
from bulkgladly.journal.databases import journal_version, open_journal, open_reader, open_state
from bulkgladly.journal.entries import Admission, Intent, Reservation, Standing
from bulkgladly.journal.ledger import Ledger, Openings
from bulkgladly.journal.results import count_by_word, rejects, rejects_by_code
from bulkgladly.journal.schema import JOURNAL_VERSION
from bulkgladly.journal.state import State
from bulkgladly.journal.turns import RunTurns, are_comparable, run_turns
from bulkgladly.records import FORGOTTEN, Claim, Known, Mark, Outcome, Position, Problem, Word
from bulkgladly.storage.failures import database_error

SCOPE = ("https://example.gladly.com", "customers", "default")


def _sqlite_error(code: int, text: str) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(text)
    error.sqlite_errorcode = code
    return error


def place(seq: int) -> Position:
    return Position(0, seq * 10, seq + 1)


def open_ledger(folder: Path, *, scope: tuple[str, str, str] = SCOPE, **more: Any) -> Ledger:
    return Ledger(folder, state=folder / "state.sqlite", scope=scope, **more)


def admission(seq: int, *, key: str | None = None, email: str | None = None, content: int = 0) -> Admission:
    key = f"k-{seq}" if key is None else key
    claims = [Claim("key", digest64("key", key))]
    if email is not None:
        claims.append(Claim("emails[0]", digest64("email", email)))
    return Admission(seq, place(seq), key, content, tuple(claims))


def intent(seq: int) -> Intent:
    return Intent(seq, gladly_id=f"id-{seq}", operation="createCustomer")


def created(seq: int, **accepted: str) -> Outcome:
    return Outcome(Word.CREATED, gladly_id=f"id-{seq}", status=201, accepted=accepted)


def settle(ledger: Ledger, seqs: Iterable[int], outcome: Callable[[int], Outcome] = created) -> None:
    for seq in seqs:
        ledger.settle(seq, place(seq), outcome(seq), key=f"k-{seq}")


async def admit(ledger: Ledger, seqs: Iterable[int]) -> list[Standing]:
    return await ledger.admit([admission(seq) for seq in seqs])


def snapshot(folder: Path, name: str) -> Path:
    """What a power cut would leave: the files as they are now, WAL included."""
    copy = folder / name
    copy.mkdir()
    for path in folder.iterdir():
        if path.is_file():
            shutil.copy(path, copy / path.name)
    return copy


async def test_a_new_journal_is_empty(tmp_path: Path) -> None:
    """Everything is still to be done, and nothing is in doubt."""
    ledger = open_ledger(tmp_path)

    standings = await admit(ledger, range(2))
    ledger.close()

    assert ledger.mark == Mark()
    assert not ledger.counts
    assert standings == [Standing(), Standing()]
    assert all(ledger.wants(seq) for seq in range(3))


async def test_settled_rows_survive_an_abrupt_end(tmp_path: Path) -> None:
    """What was there at a flush is there in a copy of the open files, counts and mark included."""
    ledger = open_ledger(tmp_path)
    await admit(ledger, range(5))
    settle(ledger, [0, 1, 3])
    await ledger.flush()

    copy = snapshot(tmp_path, "copy")
    settle(ledger, [2])
    ledger.close()
    again = open_ledger(copy)

    assert again.mark == Mark(2, place(2))
    assert [again.wants(seq) for seq in range(5)] == [False, False, True, False, True]
    assert again.counts == {"created": 3}
    assert count_by_word(copy) == {"created": 3}
    again.close()


async def test_why_rows_were_rejected_is_counted_over_all_sessions(tmp_path: Path) -> None:
    """A live view shows it, so it must agree with the number of rejects."""
    ledger = open_ledger(tmp_path)
    await admit(ledger, range(4))
    settle(ledger, [0, 1], lambda _: Outcome.rejected(Problem("invalid_email", "x")))
    settle(ledger, [2])
    await ledger.flush()
    ledger.close()

    again = open_ledger(tmp_path)
    settle(again, [3], lambda _: Outcome.rejected(Problem("invalid_phone", "x")))
    await again.flush()

    assert again.reject_codes == {"invalid_email": 2, "invalid_phone": 1}
    assert again.counts["rejected"] == 3
    again.close()


async def test_an_intent_is_durable_when_it_is_acknowledged(tmp_path: Path) -> None:
    """No request leaves before the disk knows about it; without an outcome it is in doubt."""
    ledger = open_ledger(tmp_path)
    await admit(ledger, range(3))
    await ledger.intend([intent(0), intent(1)])

    copy = snapshot(tmp_path, "copy")
    ledger.close()
    again = open_ledger(copy)
    standings = await admit(again, range(3))

    assert [standing.doubt for standing in standings] == [True, True, False]
    assert count_by_word(copy) == {}
    again.close()


async def test_an_outcome_ends_the_doubt(tmp_path: Path) -> None:
    """Only what was on its way is asked about."""
    ledger = open_ledger(tmp_path)
    await admit(ledger, range(3))
    await ledger.intend([intent(0), intent(1)])
    settle(ledger, [1])
    ledger.close()

    again = open_ledger(tmp_path)
    standings = await admit(again, range(3))
    again.close()

    assert [standing.doubt for standing in standings] == [True, False, False]
    assert [again.wants(seq) for seq in range(3)] == [True, False, True]


async def test_a_doubt_says_since_when(tmp_path: Path) -> None:
    """What a request made is looked for among what is younger than it."""
    ledger = open_ledger(tmp_path, clock=lambda: 1700.5)
    await admit(ledger, range(2))
    await ledger.intend([intent(0)])
    ledger.close()

    ledger = open_ledger(tmp_path)
    standings = await admit(ledger, range(2))
    ledger.close()

    assert [standing.sent_at for standing in standings] == [1700.5, None]


async def test_keys_of_other_resources_and_namespaces_are_known(tmp_path: Path) -> None:
    """The crosswalk of an earlier run is that of its own scope; what came of nothing has no id."""
    customers = open_ledger(tmp_path)
    await admit(customers, range(2))
    settle(customers, [0], created)
    settle(customers, [1], lambda _: Outcome(Word.UNKNOWN, accepted={"body": "x"}))
    await customers.flush()
    customers.close()
    (tmp_path / "other").mkdir()

    tasks = Ledger(tmp_path / "other", state=tmp_path / "state.sqlite", scope=(SCOPE[0], "tasks", "till"))
    found = await tasks.known_in(*SCOPE, ["k-0", "k-1", "k-2"])
    elsewhere = await tasks.known_in(SCOPE[0], SCOPE[1], "till", ["k-0"])
    tasks.close()

    assert (found, elsewhere) == ({"k-0": "id-0", "k-1": ""}, {})


async def test_the_last_ids_of_a_run_are_remembered(tmp_path: Path) -> None:
    """As many as are asked for, the oldest first; rows without an id do not count."""
    ledger = open_ledger(tmp_path)
    await admit(ledger, range(5))
    settle(ledger, range(4))
    settle(ledger, [4], lambda _: Outcome(Word.REJECTED))

    assert await ledger.recent_ids(3) == ["id-1", "id-2", "id-3"]
    ledger.close()


async def test_what_was_taken_back_is_forgotten(tmp_path: Path) -> None:
    """Whole keys, or only what Gladly accepted of some fields, so that a later run sends it again."""
    ledger = open_ledger(tmp_path)
    await admit(ledger, range(3))
    settle(ledger, range(3), lambda seq: created(seq, name="1", emails="2"))
    ledger.forget(["k-0"])
    ledger.forget(["k-1", "k-9"], ["name", "phones"])
    await ledger.flush()
    ledger.close()

    with contextlib.closing(open_ledger(tmp_path)) as again:
        known = await again.known(["k-0", "k-1", "k-2", "k-9"])

    assert known == {
        "k-1": Known("id-1", {"name": FORGOTTEN, "emails": "2"}),
        "k-2": Known("id-2", {"name": "1", "emails": "2"}),
    }


async def test_a_withdrawn_intent_is_no_doubt(tmp_path: Path) -> None:
    """Its request never left, so it is not in doubt; what was settled stays settled."""
    ledger = open_ledger(tmp_path)
    await admit(ledger, range(3))
    await ledger.intend([intent(0), intent(1), intent(2)])
    settle(ledger, [2])
    await ledger.withdraw([0, 2])
    ledger.close()

    again = open_ledger(tmp_path)
    standings = await admit(again, range(3))
    again.close()

    assert [standing.doubt for standing in standings] == [False, True, False]
    assert count_by_word(tmp_path) == {"created": 1}


async def test_whatever_is_asked_no_object_of_the_database_leaves_the_thread(tmp_path: Path) -> None:
    """Each question is answered by plain values: anything else would end the run."""
    ledger = open_ledger(tmp_path, is_state_synced=True)
    await admit(ledger, range(3))
    await ledger.intend([intent(0)])
    await ledger.withdraw([0], reserved=["k-0"])
    first = await ledger.reserve(intent(1), reservation("k-1"))
    second = await ledger.reserve(intent(2), reservation("k-1"))
    await ledger.note("status", "running")
    known = await ledger.known(["k-0", "k-1"])
    ids = await ledger.known_in(*SCOPE, ["k-0"])
    recent = await ledger.recent_ids(3)
    has_sent = await ledger.has_sent()
    await ledger.check_state()
    ledger.close()

    answers = (first, second, known, ids, recent, has_sent)
    assert [type(answer) for answer in answers] == [type(None), Known, dict, dict, list, bool]


# --- reservations: what nobody could tell from a second one -----------------------------------


def reservation(key: str) -> Reservation:
    return Reservation(key, {"body": "f1"})


def reserving(folder: Path, run: str, **more: Any) -> Ledger:
    """The ledger of a run that shares its state with the others of the folder."""
    (folder / run).mkdir(exist_ok=True)
    return Ledger(folder / run, state=folder / "state.sqlite", scope=SCOPE, is_state_synced=True, run=run, **more)


async def test_a_note_is_not_sent_twice_when_two_runs_have_its_key(tmp_path: Path) -> None:
    """The second to reserve a key learns who may have sent it, also while the first is at work."""
    first, second = reserving(tmp_path, "a"), reserving(tmp_path, "b")

    got = await first.reserve(intent(0), reservation("k"))
    refused = await second.reserve(intent(0), reservation("k"))
    first.settle(0, place(0), created(0, body="f1"), key="k", is_reserved=True)
    await first.flush()
    settled = await second.reserve(intent(0), reservation("k"))
    first.close()
    second.close()

    assert (got, refused) == (None, Known("", {"body": "f1"}, held_by="a"))
    assert settled == Known("id-0", {"body": "f1"})


async def test_a_reservation_is_durable_when_it_is_acknowledged(tmp_path: Path) -> None:
    """No such request leaves before the disk knows about it, in the file that every run shares."""
    ledger = reserving(tmp_path, "a")
    await ledger.reserve(intent(0), reservation("k"))

    copy = snapshot(tmp_path, "copy")
    ledger.close()
    later = reserving(copy, "b")
    known = await later.known(["k"])
    later.close()

    assert known == {"k": Known("", {"body": "f1"}, held_by="a")}


@pytest.mark.parametrize("how", ["refused", "withdrawn"])
async def test_what_surely_was_not_sent_can_be_sent(how: str, tmp_path: Path) -> None:
    """A refusal and a request that never left give the key free, for this run and for others."""
    ledger = reserving(tmp_path, "a")
    await ledger.reserve(intent(0), reservation("k"))
    if how == "refused":
        ledger.settle(0, place(0), Outcome.rejected(Problem("blank", "x")), key="k", is_reserved=True)
        await ledger.flush()
    else:
        await ledger.withdraw([0], reserved=["k"])
    again = reserving(tmp_path, "b")
    got = await again.reserve(intent(0), reservation("k"))
    ledger.close()
    again.close()

    assert got is None


async def test_a_reservation_of_another_run_is_not_taken_back(tmp_path: Path) -> None:
    """Neither by a reject with its key, nor by an unknown that was never sent."""
    first, second = reserving(tmp_path, "a"), reserving(tmp_path, "b")
    await first.reserve(intent(0), reservation("k"))
    second.settle(0, place(0), Outcome.rejected(Problem("blank", "x")), key="k")
    await second.withdraw([1], reserved=["k"])
    second.settle(2, place(2), Outcome(Word.UNKNOWN, accepted={"body": "f2"}), key="k")
    await second.flush()
    first.settle(0, place(0), created(0, body="f1"), key="k", is_reserved=True)
    await first.flush()
    second.settle(3, place(3), Outcome(Word.UNKNOWN, accepted={"body": "f3"}), key="k")
    await second.flush()

    known = await second.known(["k"])
    first.close()
    second.close()

    assert known == {"k": Known("id-0", {"body": "f1"})}


def remove_state(folder: Path) -> None:
    for path in folder.glob("state.sqlite*"):
        path.unlink()


async def test_a_state_that_was_deleted_lets_nothing_leave(tmp_path: Path) -> None:
    """Other runs would look into another file: the key is not reserved, and the run is told."""
    ledger = reserving(tmp_path, "a")
    await ledger.reserve(intent(0), reservation("k-0"))
    ledger.settle(0, place(0), created(0, body="f1"), key="k-0", is_reserved=True)
    await ledger.flush()
    remove_state(tmp_path)

    with pytest.raises(JournalDamaged, match=r"state\.sqlite was deleted"):
        await ledger.reserve(intent(1), reservation("k-1"))
    with pytest.raises(JournalDamaged, match=r"state\.sqlite was deleted"):
        await ledger.check_state()
    ledger.settle(1, place(1), Outcome.rejected(Problem("x", "still written")), key="k-1")
    await ledger.flush()
    ledger.close()
    resumed = reserving(tmp_path, "a")
    known = await resumed.known(["k-0", "k-1"])
    resumed.close()

    assert known == {"k-0": Known("id-0", {})}, "what the journal has is written down again"


async def test_a_state_that_was_replaced_is_told(tmp_path: Path) -> None:
    """By an older copy, say."""
    ledger = reserving(tmp_path, "a")
    (tmp_path / "copy").write_bytes((tmp_path / "state.sqlite").read_bytes())
    (tmp_path / "copy").replace(tmp_path / "state.sqlite")

    with pytest.raises(JournalDamaged, match="replaced by another file"):
        await ledger.check_state()
    ledger.close()


def test_what_a_person_has_looked_for_can_be_sent_once(tmp_path: Path) -> None:
    """By the run it was released to, and by no other; of two that ask, one gets it."""
    asyncio.run(_released(tmp_path))


async def _released(folder: Path) -> None:
    old = reserving(folder, "old")
    await old.reserve(intent(0), reservation("k"))
    old.close()
    for run in ("one", "two"):
        state = State(folder / "state.sqlite", SCOPE, is_synced=True, run=run)
        state.release(["k", "never seen"], of={"old"})
        state.close()
    one, two, other = (reserving(folder, run) for run in ("one", "two", "other"))
    known = [await ledger.known(["k"]) for ledger in (one, two, other)]
    got = [await ledger.reserve(intent(0), reservation("k")) for ledger in (one, two, two, other)]
    for ledger in (one, two, other):
        ledger.close()

    assert [bool(found) for found in known] == [True, False, True]
    assert [found and found.held_by for found in got] == ["old", None, "two", "two"]


async def test_only_what_the_run_itself_may_have_sent_is_released(tmp_path: Path) -> None:
    """Somebody else's request may be on its way at this moment."""
    old = reserving(tmp_path, "old")
    await old.reserve(intent(0), reservation("k"))
    state = State(tmp_path / "state.sqlite", SCOPE, is_synced=True, run="new")
    state.release(["k"], of={"another"})

    assert state.known(["k"])["k"].held_by == "old"
    assert state.holders(["k"]) == {"old"}
    state.close()
    old.close()


def test_a_link_in_place_of_the_state_is_not_followed(tmp_path: Path) -> None:
    """It may lead into somebody else's file."""
    (tmp_path / "precious").touch()
    (tmp_path / "state.sqlite").symlink_to(tmp_path / "precious")

    with pytest.raises(JournalError, match=r"state\.sqlite is not a regular file"):
        State(tmp_path / "state.sqlite", SCOPE, is_synced=True, run="a")
    assert (tmp_path / "precious").read_bytes() == b""


async def test_a_state_that_somebody_locks_is_named(tmp_path: Path) -> None:
    """Not the journal, which is well."""
    impatient = Openings(state=functools.partial(open_state, wait_s=0.05))
    ledger = reserving(tmp_path, "a", openings=impatient)
    other = sqlite3.connect(tmp_path / "state.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(JournalError, match=r"state\.sqlite is locked by another process"):
        await ledger.reserve(intent(0), reservation("k"))
    other.close()
    ledger.close()


# --- the birth of a journal -------------------------------------------------------------------


def test_a_journal_is_made_whole_or_not_at_all(tmp_path: Path) -> None:
    """Cut off at any statement, it has no table and no version, and the next one makes it."""
    number = 0
    for number in range(1, 100):
        path = tmp_path / f"{number}.sqlite"
        if not _cut_at(path, number):
            break
        assert journal_version(path) == 0
        with pytest.raises(JournalDamaged, match="it is missing, or it was never finished"):
            open_reader(path)
        with contextlib.closing(sqlite3.connect(path)) as found:
            assert found.execute("SELECT name FROM sqlite_master").fetchall() == []
        open_journal(path).close()
        assert journal_version(path) == JOURNAL_VERSION
    assert number > 10


class CutOff(Exception):
    """The end of a process in the middle of its statements."""


def _cut_at(path: Path, number: int) -> bool:
    """Make a journal, and end at its n-th statement; False where it has fewer."""
    connect, left = sqlite3.connect, [number]

    class Connection(sqlite3.Connection):
        def execute(self, *args: Any) -> sqlite3.Cursor:
            left[0] -= 1
            if left[0] == 0:
                self.close()
                raise CutOff
            return super().execute(*args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite3, "connect", lambda *args, **more: connect(*args, factory=Connection, **more))
        try:
            open_journal(path).close()
        except CutOff:
            return True
    return False


@pytest.mark.parametrize(
    ("error", "exit_code", "part"),
    [
        (_sqlite_error(sqlite3.SQLITE_FULL, "database or disk is full"), 5, "no space left"),
        (sqlite3.OperationalError("database or disk is full"), 5, "no space left"),
        (_sqlite_error(sqlite3.SQLITE_IOERR_WRITE, "disk I/O error"), 2, "disk I/O error"),
        (_sqlite_error(sqlite3.SQLITE_BUSY, "database is locked"), 2, "locked by another process"),
        (_sqlite_error(sqlite3.SQLITE_CORRUPT, "malformed"), 2, "malformed"),
        (sqlite3.ProgrammingError("a mistake"), 70, "internal error"),
        (TypeError("a mistake"), 70, "internal error"),
        (OSError(28, "No space left on device"), 5, "no space left"),
        (OSError(13, "Permission denied"), 2, "Permission denied"),
    ],
)
def test_errors_are_told_apart_in_one_place(error: Exception, exit_code: int, part: str, tmp_path: Path) -> None:
    """A full disk is 5, what is wrong with a file is 2, and a mistake of ours is 70."""
    ours = database_error(error, tmp_path / "journal.sqlite")

    assert ours.exit_code == exit_code
    assert part in str(ours)


def test_an_error_of_reading_on_a_full_disk_is_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite has several words for it."""
    monkeypatch.setattr(os, "statvfs", lambda _path: SimpleNamespace(f_bavail=0, f_frsize=4096))
    for code in (sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_CANTOPEN):
        assert database_error(_sqlite_error(code, "disk I/O error"), tmp_path / "journal.sqlite").exit_code == 5


async def test_a_disk_that_is_full_when_a_journal_is_opened_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the same words as later on."""

    class Full(sqlite3.Connection):
        def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
            if sql.lstrip().startswith("CREATE"):
                raise _sqlite_error(sqlite3.SQLITE_FULL, "database or disk is full")
            return super().execute(sql, *values)

    monkeypatch.setattr(sqlite3, "connect", functools.partial(sqlite3.connect, factory=Full))

    with pytest.raises(DiskFull, match=r"journal\.sqlite: no space left"):
        open_ledger(tmp_path)


async def test_commits_are_made_in_groups(tmp_path: Path) -> None:
    """Whatever arrives while a commit runs goes into the next: far fewer commits than rows."""
    commits: list[str] = []

    def counted(journal: Path) -> sqlite3.Connection:
        connection = open_journal(journal)
        connection.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None)
        return connection

    ledger = open_ledger(tmp_path, openings=Openings(journal=counted))
    await admit(ledger, range(2000))
    settle(ledger, range(2000))
    await ledger.flush()
    ledger.close()

    assert count_by_word(tmp_path) == {"created": 2000}
    assert 2 <= len(commits) < 500


async def test_close_commits_what_is_left(tmp_path: Path) -> None:
    """Nothing that was settled before is lost by an orderly end."""
    ledger = open_ledger(tmp_path)
    await admit(ledger, range(100))
    settle(ledger, range(100))
    ledger.close()

    assert count_by_word(tmp_path) == {"created": 100}


async def test_what_was_accepted_is_known_to_later_runs(tmp_path: Path) -> None:
    """The crosswalk and the fingerprints, per host, resource and namespace."""
    ledger = open_ledger(tmp_path)
    await admit(ledger, [0])
    ledger.settle(0, place(0), created(0, name="f1"), key="k-0")
    known_at_once = await ledger.known(["k-0", "k-1"])
    ledger.close()
    (tmp_path / "journal.sqlite").unlink()

    later = open_ledger(tmp_path)
    [standing] = await admit(later, [0])
    later.close()
    elsewhere = open_ledger(tmp_path, scope=(*SCOPE[:2], "other"))
    nothing = await elsewhere.known(["k-0"])
    elsewhere.close()

    assert known_at_once == {"k-0": Known("id-0", {"name": "f1"})}
    assert standing.known == Known("id-0", {"name": "f1"})
    assert nothing == {}


async def test_more_keys_than_a_statement_takes(tmp_path: Path) -> None:
    """Asked in parts, answered whole."""
    ledger = open_ledger(tmp_path)
    await admit(ledger, range(1300))
    settle(ledger, range(1300))

    known = await ledger.known([f"k-{seq}" for seq in range(1300)])
    ledger.close()

    assert len(known) == 1300


@pytest.mark.parametrize("word", [Word.REJECTED, Word.SKIPPED, Word.UNKNOWN, Word.UNCHANGED])
async def test_outcomes_without_content_leave_the_memory_alone(word: Word, tmp_path: Path) -> None:
    """A reject of today says nothing about what was accepted yesterday."""
    ledger = open_ledger(tmp_path)
    await admit(ledger, [0, 1])
    ledger.settle(0, place(0), created(0, name="f1"), key="k-0")
    ledger.settle(1, place(1), Outcome(word, gladly_id="other", code="x"), key="k-0")

    known = await ledger.known(["k-0"])
    ledger.close()

    assert known["k-0"] == Known("id-0", {"name": "f1"})


async def test_a_deleted_record_is_forgotten(tmp_path: Path) -> None:
    """What does not exist any more is not unchanged."""
    ledger = open_ledger(tmp_path)
    await admit(ledger, [0, 1])
    ledger.settle(0, place(0), created(0, name="f1"), key="k-0")
    ledger.settle(1, place(1), Outcome(Word.DELETED, gladly_id="id-0"), key="k-0")

    known = await ledger.known(["k-0"])
    ledger.close()

    assert known == {}


async def test_an_equal_row_is_told_from_a_clash(tmp_path: Path) -> None:
    """Same key and same content, same key and other content, another key and the same address."""
    ledger = open_ledger(tmp_path)

    standings = await ledger.admit(
        [
            admission(0, key="a", email="ada@example.org", content=1),
            admission(1, key="a", email="ada@example.org", content=1),
            admission(2, key="a", email="bela@example.org", content=2),
            admission(3, key="b", email="ada@example.org", content=1),
            admission(4, key="c", email="cleo@example.org", content=1),
        ]
    )
    ledger.close()

    clashes = [standing.clash for standing in standings]
    assert clashes[0] is None
    assert clashes[4] is None
    assert [(c.attr, c.earlier, c.earlier_file, c.is_equal) for c in clashes[1:4] if c] == [
        ("key", 1, 0, True),
        ("key", 1, 0, False),
        ("emails[0]", 1, 0, False),
    ]


async def test_a_row_does_not_clash_with_itself_after_a_resume(tmp_path: Path) -> None:
    """Claims outlive the process; the row that took them is the row that comes again."""
    ledger = open_ledger(tmp_path)
    await ledger.admit([admission(seq, email=f"{seq}@example.org") for seq in range(3)])
    settle(ledger, [0])
    ledger.close()

    again = open_ledger(tmp_path)
    standings = await again.admit([admission(seq, email=f"{seq}@example.org") for seq in range(1, 3)])
    [clash] = await again.admit([admission(3, email="0@example.org")])
    again.close()

    assert [standing.clash for standing in standings] == [None, None]
    assert clash.clash is not None
    assert clash.clash.earlier == 1


async def test_rows_without_a_record_let_the_mark_pass(tmp_path: Path) -> None:
    """Unreadable rows are admitted without key and claims."""
    ledger = open_ledger(tmp_path)
    await ledger.admit([Admission(seq, place(seq)) for seq in range(3)])
    problem = Outcome.rejected(Problem("json", "no JSON"))
    for seq in range(2):
        ledger.settle(seq, place(seq), problem, original=b'{"x":1}')
    await ledger.flush()

    mark = ledger.frontier
    ledger.close()

    assert mark == Mark(2, place(2))
    assert rejects_by_code(tmp_path) == {"json": 2}


async def test_passed_rows_leave_nothing_behind(tmp_path: Path) -> None:
    """A dry run reads everything and settles nothing."""
    ledger = open_ledger(tmp_path)
    await admit(ledger, range(3))
    ledger.pass_by(range(3))
    await ledger.flush()

    mark = ledger.frontier
    ledger.close()

    assert mark.seq == 2
    assert count_by_word(tmp_path) == {}


async def test_vitals_and_counts_go_on_after_a_resume(tmp_path: Path) -> None:
    """Requests and outcomes of all sessions together."""
    ledger = open_ledger(tmp_path, vitals=lambda: {"requests": {"createCustomer": 2}})
    await admit(ledger, range(3))
    settle(ledger, [0, 1])
    ledger.close()

    again = open_ledger(tmp_path)
    await admit(again, [2])
    settle(again, [2])
    await again.flush()
    again.close()

    assert again.earlier_vitals == {"requests": {"createCustomer": 2}}
    assert again.counts == {"created": 3}


async def test_notes_are_kept(tmp_path: Path) -> None:
    """The last word about the run counts."""
    ledger = open_ledger(tmp_path)
    await ledger.note("status", "running")
    await ledger.note("status", "complete")

    reader = open_reader(tmp_path / "journal.sqlite")
    found = reader.execute("SELECT value FROM meta WHERE name = 'status'").fetchall()
    reader.close()
    ledger.close()

    assert found == [("complete",)]


async def test_original_rows_stand_in_the_rejects(tmp_path: Path) -> None:
    """With one object of ours beside them."""
    ledger = open_ledger(tmp_path)
    await admit(ledger, [0])
    outcome = Outcome.rejected(Problem("taken", "look at both", "emails"), status=409)
    ledger.settle(0, place(0), outcome, key="k-0", original=b'{"name":"Ada"}')
    await ledger.flush()

    reader = open_reader(tmp_path / "journal.sqlite")
    [line] = rejects(reader, ["customers.csv"])
    reader.close()
    ledger.close()

    assert b'"name":"Ada"' in line
    assert b'"file":"customers.csv"' in line


@pytest.mark.parametrize("done", [0, 1])
async def test_a_cancelled_caller_does_not_stop_the_writer(done: int, tmp_path: Path) -> None:
    """A caller that waits for a commit may be cancelled; the thread continues."""
    ledger = open_ledger(tmp_path)
    waiting = asyncio.ensure_future(ledger.intend([intent(0)]))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)

    settle(ledger, range(done))
    await ledger.flush()
    ledger.close()

    assert count_by_word(tmp_path) == ({"created": 1} if done else {})


async def test_a_newer_version_is_refused(tmp_path: Path) -> None:
    """An old program never writes into what it does not understand."""
    open_ledger(tmp_path).close()
    connection = sqlite3.connect(tmp_path / "journal.sqlite")
    connection.execute(f"PRAGMA user_version={JOURNAL_VERSION + 1}")
    connection.close()

    with pytest.raises(JournalDamaged, match="newer version"):
        open_ledger(tmp_path)


@pytest.mark.parametrize("file", ["journal.sqlite", "state.sqlite"])
async def test_a_file_that_is_no_database_is_refused(file: str, tmp_path: Path) -> None:
    """With its name, and without touching it."""
    (tmp_path / file).write_bytes(b"no database at all, but something precious" * 100)

    with pytest.raises(JournalDamaged, match=file):
        open_ledger(tmp_path)

    assert (tmp_path / file).read_bytes().startswith(b"no database at all")


async def test_a_journal_damaged_inside_is_refused(tmp_path: Path) -> None:
    """The header is whole, the pages are not: an error that says so, not a traceback of SQLite's."""
    ledger = open_ledger(tmp_path)
    await admit(ledger, range(200))
    settle(ledger, range(200))
    ledger.close()
    path = tmp_path / "journal.sqlite"
    content = bytearray(path.read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    path.write_bytes(content)

    with pytest.raises(JournalDamaged):
        open_ledger(tmp_path)


def full_after(pages: int) -> Callable[[Path], sqlite3.Connection]:
    """Opens a journal on a disk that has no more room than this."""

    def opened(journal: Path) -> sqlite3.Connection:
        connection = open_journal(journal)
        connection.execute(f"PRAGMA max_page_count={pages}")
        return connection

    return opened


async def fill(ledger: Ledger, start: int) -> int:
    """Settle large rejects until the disk is full; the number of rows that were acknowledged."""
    kept = start
    outcome = Outcome.rejected(Problem("taken", "x" * 500))
    while True:
        await admit(ledger, range(kept, kept + 20))
        for seq in range(kept, kept + 20):
            ledger.settle(seq, place(seq), outcome, original=b'{"name": "%s"}' % (b"x" * 500))
        await ledger.flush()
        kept += 20


async def test_a_full_disk_is_told_to_everybody_and_costs_no_commit(tmp_path: Path) -> None:
    """What was acknowledged is whole; afterwards nothing is accepted any more."""
    ledger = open_ledger(tmp_path, openings=Openings(journal=full_after(60)))

    with pytest.raises(DiskFull, match="make room"):
        await fill(ledger, 0)
    with pytest.raises(DiskFull):
        ledger.settle(9999, place(9999), created(9999))
    with pytest.raises(DiskFull):
        await ledger.flush()
    at_the_end = ledger.frontier, dict(ledger.counts)
    ledger.close()

    again = open_ledger(tmp_path)
    again.close()
    assert again.counts["rejected"] >= 20
    assert count_by_word(tmp_path) == dict(again.counts)
    assert at_the_end == (again.frontier, dict(again.counts)), "what was rolled back was told as done"


def _write_until_killed(folder: str, announce: Any) -> None:
    async def run() -> None:
        ledger = open_ledger(Path(folder))
        for start in range(0, 1_000_000, 10):
            rows = range(start, start + 10)
            await admit(ledger, rows)
            await ledger.intend([intent(seq) for seq in rows])
            settle(ledger, rows)
            await ledger.flush()
            announce.send(start + 10)

    asyncio.run(run())


@pytest.mark.parametrize("acknowledged", [10, 200, 990])
async def test_kill_loses_nothing_that_was_acknowledged(acknowledged: int, tmp_path: Path) -> None:
    """The process dies in the middle of a commit: all rows told as done are done."""
    context = multiprocessing.get_context("spawn")
    listen, announce = context.Pipe(duplex=False)
    child = context.Process(target=_write_until_killed, args=(str(tmp_path), announce))
    child.start()
    announce.close()

    while (last := listen.recv()) < acknowledged:
        pass
    child.kill()
    child.join()
    with contextlib.suppress(EOFError):
        while True:
            last = listen.recv()
    listen.close()
    child.close()

    again = open_ledger(tmp_path)
    assert again.counts["created"] >= last
    assert not [seq for seq in range(last) if again.wants(seq)]
    assert count_by_word(tmp_path) == dict(again.counts)
    again.close()


steps = st.lists(
    st.one_of(
        st.tuples(st.just("read"), st.integers(1, 4)),
        st.tuples(st.just("intend"), st.integers(0, 3)),
        st.tuples(st.just("settle"), st.integers(0, 11)),
        st.tuples(st.just("cut"), st.just(0)),
    ),
    max_size=25,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps)
def test_whenever_it_is_cut_the_journal_says_what_is_done(
    steps: list[tuple[str, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Rows read, intended and settled in any order, with cuts between: wanted is what is not settled."""
    folder = tmp_path_factory.mktemp("ledger")

    asyncio.run(_play(folder, steps))


async def _play(folder: Path, steps: list[tuple[str, int]]) -> None:
    read = cuts = 0
    settled, intended = set[int](), set[int]()
    ledger = open_ledger(folder)
    for step, number in [*steps, ("cut", 0)]:
        open_rows = [seq for seq in range(read) if seq not in settled]
        if step == "read":
            await admit(ledger, range(read, read + number))
            read += number
        elif step == "intend" and (chosen := open_rows[number : number + 2]):
            await ledger.intend([intent(seq) for seq in chosen])
            intended.update(chosen)
        elif step == "settle" and open_rows:
            seq = open_rows[number % len(open_rows)]
            settle(ledger, [seq])
            settled.add(seq)
        elif step == "cut":
            await ledger.flush()
            cuts += 1
            copy = snapshot(folder, f"cut-{cuts}")
            ledger.close()
            folder, ledger = copy, open_ledger(copy)
            first = ledger.mark.seq
            standings = await admit(ledger, range(first, max(read, first)))
            doubts = {first + offset for offset, standing in enumerate(standings) if standing.doubt}

            assert {seq for seq in range(read) if ledger.wants(seq)} == set(range(read)) - settled
            assert {seq for seq in doubts if ledger.wants(seq)} == intended - settled
            assert dict(ledger.counts) == _counts(settled)
    ledger.close()


def _counts(settled: set[int]) -> Mapping[str, int]:
    return {"created": len(settled)} if settled else {}


class Cut:
    """A journal's connection that is cut off in the moment of its commits."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.is_cut = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, sql: str, *values: Any) -> Any:
        if self.is_cut and sql == "COMMIT":
            raise sqlite3.OperationalError("cut off")
        return self._connection.execute(sql, *values)


async def test_what_a_journal_has_as_settled_is_known_to_later_runs(tmp_path: Path) -> None:
    """Cut between the two commits, the state knows more than the journal, and never less: no duplicate is sent."""
    cuts: list[Cut] = []

    def opened(journal: Path) -> Any:
        cuts.append(Cut(open_journal(journal)))
        return cuts[-1]

    ledger = open_ledger(tmp_path, openings=Openings(journal=opened))
    await admit(ledger, range(1))
    cuts[0].is_cut = True
    settle(ledger, range(1))
    with pytest.raises(JournalDamaged, match="cut off"):
        await ledger.flush()
    ledger.close()

    again = open_ledger(tmp_path)
    keys = list(await again.known([f"k-{number}" for number in range(3)]))
    is_wanted = again.wants(0)
    again.close()

    assert is_wanted
    assert len(keys) == 1


async def test_a_record_is_known_by_the_former_spelling_of_its_key_too(tmp_path: Path) -> None:
    """What stands under the key comes first; what is deleted is forgotten under both."""
    ledger = open_ledger(tmp_path)
    settle(ledger, [0])
    former = Admission(1, place(1), "K1", former_key="k-0")
    await ledger.flush()

    [standing] = await ledger.admit([former])
    assert standing.known == Known("id-0", {})
    ledger.settle(1, place(1), created(1, name="f1"), key="K1", former_key="k-0")
    [standing] = await ledger.admit([former._replace(seq=2, position=place(2))])
    assert standing.known == Known("id-1", {"name": "f1"})
    ledger.settle(2, place(2), Outcome(Word.DELETED, gladly_id="id-1"), key="K1", former_key="k-0")
    [standing] = await ledger.admit([former._replace(seq=3, position=place(3))])
    ledger.close()

    assert standing.known is None


async def test_a_state_from_an_older_copy_counts_its_turns_on(tmp_path: Path) -> None:
    """Or a run after the restore would be earlier than those that the copy does not know."""
    state, copy = tmp_path / "state.sqlite", tmp_path / "copy.sqlite"

    def ledger(name: str) -> Ledger:
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True, exist_ok=True)
        return Ledger(folder, state=state, scope=SCOPE)

    def turns(name: str) -> RunTurns:
        found = run_turns(tmp_path / "runs" / name)
        assert found is not None
        return found

    ledger("first").close()
    shutil.copyfile(state, copy)
    for name in ("second", "third"):
        ledger(name).close()
    shutil.copyfile(copy, state)
    again = ledger("second")  # a resume counts on as well, before any new run
    await again.admit([admission(0)])
    again.settle(0, place(0), created(0), key="k-0", attempts=1)
    again.close()
    ledger("fourth").close()

    assert turns("first").began < turns("third").last < turns("second").last < turns("fourth").began
    assert are_comparable(turns("first").began, turns("fourth").began)
