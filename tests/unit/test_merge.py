"""Two pictures of the same rows, compared with a model of dictionaries."""

import datetime as dt
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkgladly.lake.merge import merge

TIME = pa.timestamp("us", tz="UTC")
NOON = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
FIELDS: list[tuple[str, pa.DataType]] = [
    ("id", pa.string()),
    ("n", pa.int64()),
    ("names", pa.map_(pa.string(), pa.string())),
    ("_fetched_at", TIME),
    ("_gone_since", TIME),
    ("_extra", pa.string()),
]
SCHEMA = pa.schema(FIELDS)


def table_of(*rows: dict[str, Any], schema: pa.Schema = SCHEMA) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=schema)


def row(identity: str | None, n: int = 1, **more: Any) -> dict[str, Any]:
    return {"id": identity, "n": n, "names": [("a", "b")], **more}


def test_new_rows_come_first_and_rows_that_are_gone_stay() -> None:
    """Each row counts once, and the old one that is missing says since when."""
    old = table_of(row("a"), row("b"), row("c", 1))
    new = table_of(row("d"), row("c", 2), row("a"))

    merged = merge(old, new, ["id"], gone_since=NOON)

    assert (merged.created, merged.updated, merged.unchanged, merged.gone) == (1, 1, 1, 1)
    assert merged.table.schema.equals(SCHEMA)
    assert merged.table.column("id").to_pylist() == ["d", "c", "a", "b"]
    assert merged.table.column("n").to_pylist() == [1, 2, 1, 1]
    assert merged.table.column("_gone_since").to_pylist() == [None, None, None, NOON]


def test_a_row_that_was_gone_keeps_its_time_and_does_not_count_again() -> None:
    """Only the first picture without it tells since when."""
    old = table_of(row("a", _gone_since=NOON), row("b"))

    merged = merge(old, table_of(), ["id"], gone_since=NOON + dt.timedelta(days=1))

    assert merged.gone == 1
    assert merged.table.column("_gone_since").to_pylist() == [NOON, NOON + dt.timedelta(days=1)]


def test_a_row_that_is_back_is_an_update() -> None:
    """Even where its content is what it was."""
    merged = merge(table_of(row("a", _gone_since=NOON)), table_of(row("a")), ["id"])

    assert (merged.updated, merged.unchanged) == (1, 0)
    assert merged.table.column("_gone_since").to_pylist() == [None]


@pytest.mark.parametrize(
    ("change", "is_update"),
    [
        ({"_fetched_at": NOON}, False),
        ({"names": [("c", "d"), ("a", "b")], "_extra": '{"y":[{"b":1,"a":2.50}],"x":1}'}, False),
        ({"_extra": '{"x":1,"y":[{"a":2.5,"b":1}]}'}, True),
        ({"_extra": '{"x":"1","y":[{"a":2.50,"b":1}]}'}, True),
        ({"names": [("a", "c")]}, True),
        ({"names": None}, True),
        ({"_extra": '{"late":1}'}, True),
    ],
)
def test_where_a_row_came_from_is_no_difference(change: dict[str, Any], is_update: bool) -> None:
    """Nor is the order of members; but what no column took is one."""
    old = row("a", names=[("a", "b"), ("c", "d")], _extra='{"x":1,"y":[{"a":2.50,"b":1}]}')
    new = table_of({**old, **change})

    merged = merge(table_of(old), new, ["id"])

    assert (merged.updated, merged.unchanged) == (int(is_update), int(not is_update))
    assert merged.table.equals(new)


def test_rows_without_a_key_are_their_content() -> None:
    """Equal ones are one, whether there is no key at all or a row has none."""
    old, new = table_of(row(None, 1), row(None, 2)), table_of(row(None, 2, _fetched_at=NOON), row(None, 3))

    for key in (["id"], []):
        merged = merge(old, new, key)

        assert (merged.created, merged.updated, merged.unchanged, merged.gone) == (1, 0, 1, 1)
        assert merged.table.column("n").to_pylist() == [2, 3, 1]


def test_a_null_key_is_not_the_text_of_another() -> None:
    """Nor do keys of several columns run into each other."""
    schema = pa.schema([("a", pa.string()), ("b", pa.string())])
    rows = [{"a": a, "b": b} for a, b in (("x", "yz"), ("xy", "z"), ("x", None), (None, "x"), ("", ""), (None, None))]

    merged = merge(table_of(schema=schema), table_of(*rows, schema=schema), ["a", "b"])

    assert (merged.created, merged.table.to_pylist()) == (6, rows)


ROWS = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 2), st.booleans()), max_size=8)


@given(ROWS, ROWS)
def test_merging_is_what_dictionaries_do(old: list[tuple[str, int, bool]], new: list[tuple[str, int, bool]]) -> None:
    """New wins by key, the last of a key counts, nothing else is lost, and counts add up."""
    before = {identity: (n, gone) for identity, n, gone in old}
    after = {identity: n for identity, n, _ in new}

    merged = merge(
        table_of(*(row(identity, n, _gone_since=NOON if gone else None) for identity, n, gone in old)),
        table_of(*(row(identity, n) for identity, n, _ in new)),
        ["id"],
        gone_since=NOON,
    )

    found = {one["id"]: (one["n"], one["_gone_since"] is not None) for one in merged.table.to_pylist()}
    stayed = {identity: (n, True) for identity, (n, _) in before.items() if identity not in after}
    assert found == {**{identity: (n, False) for identity, n in after.items()}, **stayed}
    assert merged.table.num_rows == len(found)
    assert merged.created == len(after.keys() - before.keys())
    assert merged.unchanged == sum(before.get(identity) == (n, False) for identity, n in after.items())
    assert merged.created + merged.updated + merged.unchanged == len(after)
    assert merged.gone == sum(not before[identity][1] for identity in stayed)
