"""Rows of a data set as objects, a column at a time: the same as row by row."""

from typing import Any

import orjson
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkgladly.lake.conversion import ConvertOptions, convert
from bulkgladly.lake.fitted_lines import to_api
from bulkgladly.lake.held_objects import objects_in, times_in
from bulkgladly.lake.rows import Rows
from bulkgladly.lake.schemas import DATA_SETS
from tests.soaking import few_or_many

TEXTS = st.sampled_from(["", "Ada", "ada@example.org", "+16505550100", "O'Hara \u00e9", "x" * 300])
ENTRY = st.dictionaries(
    st.sampled_from(["original", "normalized", "primary", "type", "regionCode", "unknown"]),
    st.one_of(TEXTS, st.booleans(), st.none(), st.integers(0, 9)),
    max_size=4,
)
WHOLE = st.integers(-(2**63), 2**64 - 1)
"""The numbers that the writer of these lines can write."""
PROFILE = st.fixed_dictionaries(
    {},
    optional={
        "id": TEXTS,
        "name": st.one_of(TEXTS, st.none(), st.integers(0, 3)),
        "address": TEXTS,
        "emails": st.one_of(st.lists(ENTRY, max_size=3), st.none()),
        "phones": st.lists(ENTRY, max_size=2),
        "customAttributes": st.one_of(
            st.dictionaries(TEXTS, st.one_of(TEXTS, WHOLE, st.booleans(), st.none()), max_size=3), st.none()
        ),
        "createdAt": st.sampled_from(["2026-01-02T03:04:05.678Z", "yesterday"]),
        "more": st.lists(st.integers(0, 9), max_size=2),
    },
)


def table_of(profiles: list[dict[str, Any]]) -> pa.Table:
    """The profiles as rows, in their order."""
    data_set = DATA_SETS["profiles"]
    found: list[Rows] = []
    lines = [orjson.dumps(profile) + b"\n" for profile in profiles]
    convert(lines, data_set, write=found.append, reject=lambda _: None, options=ConvertOptions(parsers=1))
    tables = [pa.Table.from_batches([rows.batch]) for rows in found]
    table = pa.concat_tables(tables, promote_options="default").sort_by("_line")
    columns = [
        table.column(field.name) if field.name in table.schema.names else pa.nulls(table.num_rows, field.type)
        for field in data_set.schema
    ]
    return pa.table(columns, schema=data_set.schema)


@few_or_many(30, 1000)
def test_a_column_at_a_time_gives_what_a_row_at_a_time_gives(examples: int) -> None:
    """Also of a slice, and with values that no column can hold."""

    @settings(max_examples=examples, deadline=None)
    @given(st.lists(PROFILE, min_size=1, max_size=8), st.data())
    def check(profiles: list[dict[str, Any]], data: st.DataObject) -> None:
        columns_agree_with_rows(profiles, data)

    check()


def columns_agree_with_rows(profiles: list[dict[str, Any]], data: st.DataObject) -> None:
    table = table_of(profiles)
    begin = data.draw(st.integers(0, table.num_rows - 1))
    piece = table.slice(begin, data.draw(st.integers(1, table.num_rows - begin)))
    data_set = DATA_SETS["profiles"]
    columns = [column.name for column in data_set.shape_of(None).columns if column.name != "_asked_id"]

    wanted = [to_api(row, data_set) for row in piece.to_pylist()]
    assert objects_in(piece, columns) == [
        {name: value for name, value in one.items() if name in columns} for one in wanted
    ]


def test_times_are_microseconds() -> None:
    """Null stays None."""
    table = table_of([{"id": "a", "createdAt": "2026-01-02T03:04:05.678Z"}, {"id": "b"}])

    assert times_in(table, "createdAt") == [1767323045678000, None]
    assert objects_in(table, ["id"]) == [{"id": "a"}, {"id": "b"}]
