"""Rows sorted on the disk: the order of a sort in memory, whatever is held, and nothing left behind."""

import errno
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkgladly.builds.sorted_rows import SortedRows

KEYS = st.tuples(st.text(max_size=3), st.integers(-(2**53), 2**53), st.text(max_size=2))


@settings(max_examples=25)
@given(rows=st.lists(st.tuples(KEYS, st.text(max_size=40))), held=st.integers(1, 5000))
def test_rows_come_in_the_order_of_their_keys(rows: list[tuple[tuple[str, int, str], str]], held: int) -> None:
    """As Python sorts them, with tabs and line ends in keys and rows, however few are held."""
    sorted_rows = SortedRows(Path("/tmp"), held_bytes=held)  # noqa: S108  # hypothesis has no folder for each example
    for key, text in rows:
        sorted_rows.add(key, {"text": text})

    found = [(row.key, row.row["text"]) for row in sorted_rows]

    assert [key for key, _ in found] == sorted(key for key, _ in rows)
    assert sorted(found) == sorted(rows)


def test_a_row_larger_than_a_block_is_whole(tmp_path: Path) -> None:
    """Blocks grow until a row fits."""
    sorted_rows = SortedRows(tmp_path, held_bytes=1)
    for number in range(300, 0, -1):
        sorted_rows.add((number,), {"text": "x" * (number % 7) * 20_000})

    assert [(row.key, len(row.row["text"])) for row in sorted_rows] == [
        ((number,), number % 7 * 20_000) for number in range(1, 301)
    ]


def test_its_file_has_no_name(tmp_path: Path) -> None:
    """So that a kill leaves nothing."""
    sorted_rows = SortedRows(tmp_path, held_bytes=1)
    sorted_rows.add((1,), {"a": 1})
    assert list(tmp_path.iterdir()) == []
    sorted_rows.close()
    sorted_rows.close()


def test_a_folder_that_is_missing_is_an_error_of_the_system(tmp_path: Path) -> None:
    """Which the program tells with the name of the folder."""
    with pytest.raises(OSError, match="none") as raised:
        SortedRows(tmp_path / "none", held_bytes=1).add((1,), {})
    assert raised.value.errno == errno.ENOENT
