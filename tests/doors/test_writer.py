"""The thread that writes a journal: in groups, for any caller, and what an error costs."""

import asyncio
import sqlite3
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from bulkgladly.errors import BulkgladlyError, DiskFull
from bulkgladly.journal.databases import open_journal, reading
from bulkgladly.journal.units import UnitLine, UnitLog
from bulkgladly.journal.writer import Contents, Writer, write_note


class Told(Contents[str]):
    """Contents that only remember what they were given."""

    def __init__(self) -> None:
        self.written: list[str] = []

    def write(self, entries: Sequence[str]) -> None:
        self.written += entries

    def roll_back(self) -> None:
        self.written.append("rolled back")


def opened(folder: Path, **more: Any) -> tuple[sqlite3.Connection, Told, Writer[str]]:
    connection, told = open_journal(folder / "journal.sqlite"), Told()
    return connection, told, Writer(folder / "journal.sqlite", connection, told, **more)


def _wait_for(event: threading.Event) -> None:
    event.wait(10)


def notes(folder: Path) -> dict[str, str]:
    with reading(folder / "journal.sqlite") as connection:
        return dict(connection.execute("SELECT name, value FROM meta"))


async def test_an_object_of_the_database_does_not_leave_the_thread(tmp_path: Path) -> None:
    """A cursor that the loop's thread frees while the writer uses its statement would end the process."""
    connection, _, writer = opened(tmp_path)

    with pytest.raises(BulkgladlyError, match="Cursor must not leave") as caught:
        await writer.ask(lambda: connection.execute("SELECT 1"))
    writer.close()

    assert caught.value.exit_code == 70, "a mistake of ours, and not of the file"


async def test_a_question_is_answered_after_what_was_told_before_it(tmp_path: Path) -> None:
    """What is told is in order, and there when a question comes behind it."""
    _, told, writer = opened(tmp_path)
    for number in range(100):
        writer.tell(str(number))

    seen: list[str] = await writer.ask(lambda: list(told.written))
    writer.close()

    assert seen == [str(number) for number in range(100)]


async def test_what_comes_afterwards_is_asked_when_the_answer_is_on_the_disk(tmp_path: Path) -> None:
    """Another connection sees the write by then."""
    connection, _, writer = opened(tmp_path)

    found = await writer.ask(lambda: write_note(connection, "a", "1"), afterwards=lambda _: notes(tmp_path))
    writer.close()

    assert found == {"a": "1"}


async def test_a_question_is_carried_out_although_nobody_waits(tmp_path: Path) -> None:
    """A cancelled caller leaves no half of it behind."""
    connection, _, writer = opened(tmp_path)
    held = threading.Event()
    writer.do(lambda: _wait_for(held))
    asking = asyncio.ensure_future(writer.ask(lambda: write_note(connection, "a", "1")))
    await asyncio.sleep(0)
    asking.cancel()
    held.set()
    writer.close()

    assert notes(tmp_path) == {"a": "1"}


async def test_after_an_error_nothing_that_builds_on_what_was_lost_is_accepted(tmp_path: Path) -> None:
    """The contents forget what did not reach the disk, and later callers learn the cause."""
    _, told, writer = opened(tmp_path)

    def fail() -> None:
        raise DiskFull("no space left")

    writer.tell("lost")
    with pytest.raises(DiskFull):
        await writer.ask(fail)
    with pytest.raises(DiskFull):
        writer.tell("later")
    with pytest.raises(DiskFull):
        writer.ask_and_wait(lambda: None)
    writer.close()

    assert told.written == ["lost", "rolled back"]


async def test_nobody_fails_because_of_anothers_error(tmp_path: Path) -> None:
    """Calls that meet in one group are told apart where each waits for its own."""
    log = UnitLog(tmp_path)
    bad = "\ud800"  # no text for SQLite
    names = ["a", bad, "b", bad, "c"] * 8

    def settle(name: str) -> str:
        try:
            log.settle(UnitLine("items", name, "done", 1, 0, 0, 0, ""))
        except BulkgladlyError:
            return "failed"
        return "settled"

    with ThreadPoolExecutor(len(names)) as threads:
        ends = list(threads.map(settle, names))
    log.close()

    assert ends == ["failed" if name == bad else "settled" for name in names]
    assert {line.name: line.created for line in log.units()} == {"a": 8, "b": 8, "c": 8}


async def test_a_journal_that_is_closed_says_so(tmp_path: Path) -> None:
    """No caller waits for an answer that does not come."""
    _, _, writer = opened(tmp_path)
    writer.close()
    writer.close()

    with pytest.raises(BulkgladlyError, match="after it was closed"):
        writer.ask_and_wait(lambda: None)
