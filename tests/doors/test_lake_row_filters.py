"""Rows between reading and writing: left out by key, stamped by line, held back whole."""

from collections.abc import Sequence

import orjson
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from bulkgladly.lake.conversion import ConvertOptions, convert
from bulkgladly.lake.rows import Reject, Rows
from bulkgladly.lake.schemas import DATA_SETS
from bulkgladly.lake.unit_writer import HeldRows, OncePerKey, StampedRows

INBOXES, ITEMS = DATA_SETS["inboxes"], DATA_SETS["items"]


def rows_of(*ids: str | None) -> Rows:
    return Rows((), pa.RecordBatch.from_pydict({"id": pa.array(ids, pa.string()), "at": list(range(len(ids)))}))


@given(
    st.lists(st.lists(st.sampled_from(["a", "b", "c", "d", None]), max_size=8), max_size=6),
    st.sets(st.sampled_from(["a", "b", "e"])),
)
def test_the_first_row_of_each_key_passes(batches: Sequence[Sequence[str | None]], known: set[str]) -> None:
    """Over all batches, in order; rows without a key always."""
    once = OncePerKey("id", known)
    seen, expected = set(known), []
    for batch in batches:
        for key in batch:
            if key is None or key not in seen:
                expected.append(key)
                seen.add(key or "")

    found = [once(rows_of(*batch)) for batch in batches if batch]

    passed = [key for rows in found if rows is not None for key in rows.batch.column("id").to_pylist()]
    assert passed == expected
    assert all(rows is None or rows.batch.num_rows for rows in found)


def unexpected(refused: Reject) -> None:
    raise AssertionError(refused)


def test_each_row_gets_the_time_of_its_line() -> None:
    """Also where lines of several kinds are sorted apart, and one takes the slow path."""
    kinds = ["SMS", "EMAIL", "CONVERSATION_NOTE", "NEW_KIND"]
    items = [{"id": f"{n}", "timestamp": None, "content": {"type": kinds[n % 4], "body": "b"}} for n in range(40)]
    body = b"".join(orjson.dumps(item) + b"\n" for item in items)
    stamped, found = StampedRows("_fetched_at", [n * 1_000_000 for n in range(40)]), []

    convert(
        [body],
        ITEMS,
        write=lambda rows: found.append(stamped(rows)),
        reject=unexpected,
        options=ConvertOptions(parsers=1),
    )

    times = {
        row["id"]: row["_fetched_at"].timestamp()
        for rows in found
        for row in rows.batch.to_pylist(maps_as_pydicts="strict")
    }
    assert times == {f"{n}": float(n) for n in range(40)}


def test_rows_that_are_held_come_out_in_order_and_in_the_declared_schema() -> None:
    held = HeldRows()
    lines = [{"id": f"{n}", "name": "x"} | ({"more": None} if n % 3 == 0 else {}) for n in range(20)]
    body = b"".join(orjson.dumps(line) + b"\n" for line in lines)

    report = convert([body], INBOXES, write=held, reject=unexpected)
    table = held.table(INBOXES, _fetched_at=None)

    assert report.rows == 20
    assert table.schema.equals(INBOXES.schema)
    assert table.column("id").to_pylist() == [f"{n}" for n in range(20)]
    assert HeldRows().table(INBOXES).num_rows == 0
