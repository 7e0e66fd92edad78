"""Single records of a journal: found by row in the order of the input, by key, by id; what is near to a wrong name."""

import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from bulkgladly.errors import JournalDamaged
from bulkgladly.journal.databases import open_journal
from bulkgladly.journal.record_lookup import RecordLookup

ROW = "INSERT INTO records VALUES (?, ?, 0, ?, ?, 'created', ?, NULL, NULL, NULL, NULL, NULL, 1, 0, NULL)"


def journal(folder: Path, rows: Sequence[tuple[int, int, int, str | None, str | None]]) -> RecordLookup:
    connection = open_journal(folder / "journal.sqlite")
    connection.executemany(ROW, rows)
    connection.close()
    return RecordLookup(folder)


def test_rows_are_found_by_halving_whatever_is_missing(tmp_path: Path) -> None:
    """Several files, rows that made several records, rows that have not ended, lines that are no rows."""
    chance = random.Random(7)  # noqa: S311 - rows for a test
    places = [(file, number) for file in range(3) for number in sorted(chance.sample(range(1, 400), 120))]
    made = [place for place in places for _ in range(chance.choice((1, 1, 3)))]
    rows = [(seq, *place, f"k{seq}", None) for seq, place in enumerate(made) if chance.random() < 0.8]

    with journal(tmp_path, rows) as lookup:
        for place in [(file, number) for file in range(4) for number in range(0, 402, 3)]:
            found = [one.seq for one in lookup.of_row(*place)]

            assert found == [seq for seq, *at, _, _ in rows if tuple(at) == place]
        last = lookup.last()
        assert last is not None
        assert last.seq == rows[-1][0]


def test_rows_that_are_not_in_the_order_of_the_input_are_found_too(tmp_path: Path) -> None:
    """An undo goes backwards."""
    with journal(tmp_path, [(0, 0, 9, "a", None), (1, 0, 5, "b", None), (2, 0, 7, "c", None)]) as lookup:
        assert [one.key for one in lookup.of_row(0, 9)] == ["a"]
        assert [one.key for one in lookup.of_row(0, 7)] == ["c"]


def test_keys_and_ids_are_told_apart_on_demand(tmp_path: Path) -> None:
    """One text may be the key of one record and the id of another."""
    with journal(tmp_path, [(0, 0, 1, "same", "x"), (1, 0, 2, "y", "same"), (2, 0, 3, None, None)]) as lookup:
        assert [one.seq for one in lookup.named("same")] == [0, 1]
        assert [one.seq for one in lookup.named("same", of_id=False)] == [0]
        assert [one.seq for one in lookup.named("same", of_key=False)] == [1]
        assert lookup.named("neither") == []


def test_what_is_near(tmp_path: Path) -> None:
    """Rows before and after a line that is none, and keys that begin or end in the same way; no pattern of ours."""
    rows = [(0, 0, 2, "CRM-1001", None), (1, 0, 5, "crm-2002", None), (2, 1, 2, "50%_off", None)]
    with journal(tmp_path, rows) as lookup:
        assert lookup.around(0, 3) == (2, 5)
        assert lookup.around(0, 9) == (5, None)
        assert lookup.around(1, 1) == (None, 2)
        assert lookup.near_keys("crm-1002") == ["CRM-1001", "crm-2002"]
        assert lookup.near_keys("50%_of") == ["50%_off"]


def test_an_empty_journal_has_no_records(tmp_path: Path) -> None:
    """Nothing is found, and nothing fails."""
    with journal(tmp_path, []) as lookup:
        assert (lookup.of(0), lookup.of_row(0, 1), lookup.named("a"), lookup.last()) == (None, [], [], None)
        assert (lookup.around(0, 1), lookup.pending(0, 1), lookup.intent(0), lookup.dropped(0)) == (
            (None, None),
            [],
            None,
            [],
        )


def test_damage_is_named(tmp_path: Path) -> None:
    """Without a table that every journal has, the message has the file."""
    connection = open_journal(tmp_path / "journal.sqlite")
    connection.execute("DROP TABLE records")
    connection.close()

    with RecordLookup(tmp_path) as lookup, pytest.raises(JournalDamaged, match=r"journal\.sqlite"):
        lookup.of(0)
    with pytest.raises(JournalDamaged):
        RecordLookup(tmp_path / "nowhere")
