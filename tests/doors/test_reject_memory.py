"""The memory of rejects: read before a summary, written after it, bounded, and never a reason to fail."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from bulkgladly.errors import BulkgladlyError
from bulkgladly.journal.ledger import Ledger
from bulkgladly.journal.reject_memory import RunScope, compare_rejects, remember_rejects
from bulkgladly.records import Outcome, Position, Problem, Word

HOST = "https://sample.example.org"


def a_run(place: Path, name: str, rows: Mapping[str, str | None], source: str = "rows.csv") -> tuple[Path, RunScope]:
    """A run that has ended, with rows by key: each with the code of its reject, or accepted."""
    folder = place / name
    folder.mkdir()
    state = place / "state.sqlite"
    ledger = Ledger(folder, state=state, scope=(HOST, "customers", "default"), run=name)
    for seq, (key, code) in enumerate(rows.items()):
        outcome = Outcome(Word.CREATED, key, accepted={}) if code is None else Outcome.rejected(Problem(code, "", "x"))
        ledger.settle(seq, Position(0, seq, seq + 1), outcome, key=key, original=None if code is None else b"{}")
    ledger.close()
    return folder, RunScope(state, HOST, "customers", "default", name, source)


def news(run: tuple[Path, RunScope]) -> tuple[int, int]:
    found = compare_rejects(*run)
    return found.as_before, found.new


def test_what_nobody_was_told_of_stays_new(tmp_path: Path) -> None:
    """A run that dies before it has told its rejects leaves nothing; one that dies in between may be repeated."""
    first = a_run(tmp_path, "first", {"a": "blank", "b": "type"})
    second = a_run(tmp_path, "second", {"a": "blank", "b": "type"})
    assert news(second) == (0, 2)

    remember_rejects(*first, is_complete=True)
    remember_rejects(*first, is_complete=True)

    assert news(first) == (0, 2)
    assert news(second) == (2, 0)


def test_another_reason_is_new_and_replaces_the_first(tmp_path: Path) -> None:
    """A row has the reason for which it was rejected last."""
    for name, code, expected in (("1", "blank", (0, 1)), ("2", "type", (0, 1)), ("3", "blank", (0, 1))):
        run = a_run(tmp_path, name, {"a": code})
        assert news(run) == expected
        remember_rejects(*run, is_complete=True)


@pytest.mark.parametrize(
    ("source", "is_complete", "is_kept"),
    [("rows.csv", True, False), ("rows.csv", False, True), ("other.csv", True, True), ("", True, True)],
)
def test_what_a_file_no_longer_has_is_forgotten(source: str, is_complete: bool, is_kept: bool, tmp_path: Path) -> None:
    """Only by a run that read the same file to its end: another one says nothing about its rows."""
    remember_rejects(*a_run(tmp_path, "first", {"a": "blank"}), is_complete=True)
    remember_rejects(*a_run(tmp_path, "second", {"b": None}, source), is_complete=is_complete)

    assert news(a_run(tmp_path, "third", {"a": "blank"})) == ((1, 0) if is_kept else (0, 1))


def test_the_oldest_are_forgotten_beyond_the_bound(tmp_path: Path) -> None:
    """The first of a run are kept, and the last run before the ones before it."""
    remember_rejects(*a_run(tmp_path, "first", {"a": "blank", "b": "blank"}, ""), is_complete=True, most=3)
    run = a_run(tmp_path, "second", dict.fromkeys("cdefg", "blank"), "")
    remember_rejects(*run, is_complete=True, most=3)

    assert news(a_run(tmp_path, "third", dict.fromkeys("cde", "blank"))) == (3, 0)
    assert news(a_run(tmp_path, "fourth", dict.fromkeys("abfg", "blank"))) == (0, 4)


def test_a_state_that_cannot_be_read_is_an_error_of_ours(tmp_path: Path) -> None:
    """The import then counts all rejects as new."""
    folder, scope = a_run(tmp_path, "first", {"a": "blank"})
    scope.state.write_bytes(b"no database" * 1000)

    with pytest.raises(BulkgladlyError, match=r"state\.sqlite"):
        compare_rejects(folder, scope)
    with pytest.raises(BulkgladlyError, match=r"state\.sqlite"):
        remember_rejects(folder, scope, is_complete=True)
