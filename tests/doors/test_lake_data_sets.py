"""Every data set: lines made from its declared shapes, with drift, through both paths and back."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import orjson
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import types

from bulkgladly.lake.conversion import ConversionSummary, ConvertOptions, convert
from bulkgladly.lake.fitted_lines import to_api, to_line
from bulkgladly.lake.rows import Reject, Rows
from bulkgladly.lake.schemas import DATA_SETS, EXTRA, DataSet, Shape
from bulkgladly.times import moment_of
from tests.soaking import few_or_many

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6)
    | st.sampled_from(["2024-05-01T10:00:00.123456789Z", "2024-05-01", ": null", "2024-05-01T10+01"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)
TIMES = st.sampled_from(
    [
        *("2024-05-01T23:59:59.5Z", "2024-05-02T00:00:00Z", "2019-02-21T19:50:23.486566Z"),
        *("2019-02-21T19:50:23.486566336Z", "2024-05-01T23:30:00-09:00", "2024-05-01T00:00:00+01"),
    ]
)
NUMBERS = st.sampled_from([0, 2, 11.5, 0.1, 1999, 12.345678901234, 0.30000000000000004, 2**60 + 1, 1e300, -3])


def values_of(kept: pa.DataType) -> st.SearchStrategy[Any]:
    """Return JSON values that fit a type."""
    if types.is_timestamp(kept):
        return TIMES
    if types.is_float64(kept):
        return NUMBERS
    if types.is_int64(kept):
        return st.integers(-(2**63), 2**63 - 1)
    if types.is_boolean(kept):
        return st.booleans()
    if types.is_map(kept):
        return st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=3)
    if isinstance(kept, pa.ListType):
        return st.lists(st.none() | values_of(kept.value_type), max_size=2)
    if isinstance(kept, pa.StructType):
        return st.fixed_dictionaries({}, optional=members_of(kept))
    return st.text(max_size=5)


def members_of(kept: pa.StructType) -> dict[str, st.SearchStrategy[Any]]:
    return {kept.field(at).name: values_of(kept.field(at).type) for at in range(kept.num_fields)}


def with_kind(line: dict[str, Any], kind: str | None, path: tuple[str, ...]) -> dict[str, Any]:
    """Return a line that is of a kind."""
    if kind is None or not path:
        return line
    if len(path) == 1:
        return {**line, path[0]: kind}
    return {**line, path[0]: {**line.get(path[0], {}), path[1]: kind}}


@st.composite
def lines_of(draw: st.DrawFn, data_set: DataSet) -> dict[str, Any]:
    """A line, most often sound, with now and then a value of any kind anywhere, or of a kind that is not declared."""
    kind = draw(st.sampled_from([*data_set.shapes, "NEW/KIND", None])) if data_set.has_kinds else None
    shape = data_set.shape_of(kind)
    line = draw(values_of(shape.json_type))
    line = with_kind(line, kind, data_set.kind_path)
    for _ in range(draw(st.sampled_from([0, 0, 1, 2]))):
        keys = [*shape.json_type.names, "type", "content", "new", "_extra", "_line", "a.b"]
        content = line.get("content")
        place = content if draw(st.booleans()) and isinstance(content, dict) else line
        place[draw(st.sampled_from([*keys, *place]))] = draw(JSON)
    return line


class Sink:
    """Keeps what a conversion hands on, in the full schema and by line."""

    def __init__(self, data_set: DataSet) -> None:
        self._schema = data_set.schema
        self.rows: dict[int, dict[str, Any]] = {}
        self.rejects: list[Reject] = []

    def write(self, rows: Rows) -> None:
        for row in rows.batch.to_pylist(maps_as_pydicts="strict"):
            assert row["_line"] not in self.rows
            self.rows[row["_line"]] = {name: row.get(name) for name in self._schema.names} | {"": rows.partition}


def converted(lines: list[bytes], data_set: DataSet, **options: Any) -> tuple[Sink, ConversionSummary]:
    sink = Sink(data_set)
    report = convert(
        [b"\n".join(lines)],
        data_set,
        write=sink.write,
        reject=sink.rejects.append,
        options=ConvertOptions(**options),
    )
    assert report.is_balanced
    return sink, report


def leveled(value: Any, kept: pa.DataType | None) -> Any:
    """Return a value with its times as instants and its numbers as decimals, so that equal ones compare equal."""
    if isinstance(value, dict):
        fields = [kept.field(at) for at in range(kept.num_fields)] if isinstance(kept, pa.StructType) else []
        members = {field.name: field.type for field in fields}
        return {name: leveled(member, members.get(name)) for name, member in value.items()}
    if isinstance(value, list):
        return [leveled(item, kept.value_type if isinstance(kept, pa.ListType) else None) for item in value]
    if isinstance(value, str) and kept is not None and types.is_timestamp(kept):
        return moment_of(value) or value
    return Decimal(str(value)) if isinstance(value, float | Decimal) else value


def read(text: bytes) -> Any:
    return json.loads(text, parse_float=Decimal)


def assert_restored(line: bytes, row: Mapping[str, Any], data_set: DataSet) -> None:
    """Assert that a row gives its line again, as an object and as text."""
    kind = row.get(data_set.kind_column) if data_set.kind_column else None
    kept = data_set.shape_of(kind).json_type
    expected = read(line)

    restored = to_api(row, data_set)
    text = read(to_line(row, data_set))

    assert leveled(restored, kept) == leveled(expected, kept), line
    hidden = text.pop(EXTRA, {}) if "_line" in expected or EXTRA in expected else {}
    assert text.pop("_line") == row["_line"]
    assert leveled({**text, **hidden}, kept) == leveled(expected, kept), line


SAMPLES: Mapping[str, Any] = {
    "string": 'a "text" \u2028 \U0001f600 \0 : nil',
    "int64": 2**40,
    "bool": True,
    "double": 11.5,
    "timestamp[us, tz=UTC]": "2024-05-01T23:59:45.010Z",
    "map<string, string>": {},
}


def sample_of(kept: pa.DataType) -> Any:
    """Return a value of a type with all of its members."""
    if isinstance(kept, pa.ListType):
        return [sample_of(kept.value_type), sample_of(kept.value_type)]
    if isinstance(kept, pa.StructType):
        return {kept.field(at).name: sample_of(kept.field(at).type) for at in range(kept.num_fields)}
    return SAMPLES[str(kept)]


def full_line(data_set: DataSet, shape: Shape) -> dict[str, Any]:
    return with_kind(sample_of(shape.json_type), shape.kind, data_set.kind_path)


@pytest.mark.parametrize("name", DATA_SETS)
def test_every_kind_comes_back_from_the_fast_path(name: str) -> None:
    """All fields of all kinds are read by Arrow's parser alone, and give the line again; maps alone need mending."""
    data_set = DATA_SETS[name]
    shapes = [*data_set.shapes.values()] or [data_set.unknown]
    lines = [orjson.dumps(full_line(data_set, shape)) for shape in shapes]
    has_maps = any(types.is_map(column.type) for column in data_set.unknown.columns)

    sink, report = converted(lines, data_set, bundle_bytes=1)

    assert (report.rows, report.slow_lines, list(report.drift)) == (len(lines), len(lines) * has_maps, [])
    for number, line in enumerate(lines, 1):
        assert_restored(line, sink.rows[number], data_set)


@few_or_many(1, 40, name="times")
@pytest.mark.parametrize("name", DATA_SETS)
def test_both_paths_give_equal_rows_and_lose_nothing(name: str, times: int) -> None:
    """Whatever drifts: fast and slow agree value by value, and each row gives its line again."""
    data_set = DATA_SETS[name]

    @settings(
        max_examples=times * (20 if data_set.has_kinds else 8),
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(st.lists(lines_of(data_set), min_size=1, max_size=6))
    def check(values: list[dict[str, Any]]) -> None:
        lines = [line for value in values if b"\\ud" not in (line := json.dumps(value, separators=(",", ":")).encode())]

        fast, _ = converted(lines, data_set, batch_bytes=1, bundle_bytes=1)
        slow, _ = converted(lines, data_set, is_fast=False)

        assert fast.rows == slow.rows
        assert [(r.line, r.code) for r in fast.rejects] == [(r.line, r.code) for r in slow.rejects] == []
        for number, line in enumerate(lines, 1):
            assert_restored(line, fast.rows[number], data_set)

    check()


CLOCKS = ("T10", "T10:00", "T10:00:00", " 10:00:00.5", "t10:00:00.1234567", "T10:00.5", "T24:00:00", "T23:59:60", "")
ZONES = ("Z", "z", "+01", "-09:30", "+0530", "+5", "-00:00", "+24:00", " Z", "")


@pytest.mark.parametrize("clock", CLOCKS)
def test_both_paths_agree_on_every_spelling_of_a_time(clock: str) -> None:
    """What one takes for a time, the other does, and for the same."""
    data_set = DATA_SETS["inboxes"]
    for text in (f"{day}{clock}{zone}" for day in ("2024-05-01", "9999-12-31") for zone in ZONES):
        line = orjson.dumps({"_gone_since": text})

        fast, _ = converted([line], data_set)
        slow, _ = converted([line], data_set, is_fast=False)

        assert fast.rows == slow.rows, text
        assert (fast.rows[1]["_gone_since"] is None) == (moment_of(text) is None), text


@pytest.mark.parametrize("number", ["0.1000000000000000055511151231257827", "9007199254740993", "1e22", "-0.0", "1.50"])
def test_no_number_is_rounded_on_either_path(number: str) -> None:
    """What a float does not hold to the last digit stands in the extra."""
    line = b'{"paragraphs":[{"speaker":1,"startTime":%s}]}' % number.encode()

    fast, _ = converted([line], DATA_SETS["transcripts"])
    slow, _ = converted([line], DATA_SETS["transcripts"], is_fast=False)

    assert fast.rows == slow.rows
    assert_restored(line, fast.rows[1], DATA_SETS["transcripts"])


@pytest.mark.parametrize("value", ["[]", '[{"key":"a","value":"b"}]', "{}", '{"key":"a"}', '""'])
def test_only_an_object_is_a_map_on_either_path(value: str) -> None:
    """A list of entries, which is what a map is parsed as, is none when Gladly sends it."""
    line = b'{"id":"a","externalCustomerIds":%s}' % value.encode()

    fast, _ = converted([line], DATA_SETS["customers"])
    slow, _ = converted([line], DATA_SETS["customers"], is_fast=False)

    assert fast.rows == slow.rows
    assert (fast.rows[1]["externalCustomerIds"] is None) == (not value.startswith("{"))
    assert_restored(line, fast.rows[1], DATA_SETS["customers"])
