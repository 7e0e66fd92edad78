"""Whole files of items through the converter: what drifts, what is broken, and back."""

import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import orjson
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bulkgladly.gladly.objects.conversation_items import CONTENT_TYPES
from bulkgladly.lake.arrow import Array
from bulkgladly.lake.conversion import ConversionSummary, ConvertOptions, convert, read_line_by_line
from bulkgladly.lake.fitted_lines import to_api
from bulkgladly.lake.line_bundles import Bundle
from bulkgladly.lake.rows import DriftKind, Reject, Rows
from bulkgladly.lake.schemas import DATA_SETS, DataSet, Shape
from bulkgladly.lake.typed_rows import Unfit, read_fitting
from bulkgladly.lines import MAX_LINE_BYTES, SHOWN_BYTES
from bulkgladly.times import moment_of
from tests.soaking import few_or_many

ITEMS = DATA_SETS["items"]
TIMES = frozenset(
    ("timestamp", "occurredAt", "receivedAt", "startedAt", "answeredAt", "completedAt", "createdAt", "updatedAt")
)
SAMPLES: Mapping[str, Any] = {
    "from": "+16505550199",
    "to": ["ada@example.org", "b@example.org"],
    "cc": [],
    "bcc": [None],
    "subject": "Your \u2028 order",
    "title": "CSAT",
    "content": 'On its "way" \n \\ \U0001f600 \0 : null',
    "body": "<p>5</p>",
    "attachments": [{"id": "x", "contentType": "image/png", "filename": "a.png", "fileSize": 2**40}, {}],
    "messageType": "TEXT",
    "messageData": {
        "quickReplyRequest": {"options": [{"id": "1", "label": "Yes"}]},
        "selectedOptionId": "1",
        "requestMessageId": "r",
    },
    "sessionId": "s",
    "status": "CLOSED",
    "activityType": "SURVEY",
    "sourceName": "SurveyCo",
    "link": {"url": "https://example.org", "text": "Open"},
    "expandByDefault": False,
    "recordingStatus": "AVAILABLE",
    "recordingUrl": "/api",
    "recordingDuration": 11,
    "recordingSummary": {"status": "READY", "summary": "s", "language": "en"},
    "addedTopicIds": ["t"],
    "removedTopicIds": [],
    "pageId": "100",
    "userId": "200",
    "companyNumber": "+1",
    "customerNumber": "+2",
    **dict.fromkeys(TIMES, "2024-05-01T11:46:45.010Z"),
}


def item_of(kind: str, number: int = 0) -> dict[str, Any]:
    """Return an item of a type with all of its fields."""
    content = {name: SAMPLES[name] for name in CONTENT_TYPES[kind]}
    if kind in ("SMS", "PHONE_CALL"):
        content["to"] = "+16505550100"
    return {
        "id": f"i{number}",
        "conversationId": "c",
        "customerId": "Zb3",
        "timestamp": f"2024-05-01T23:59:{number % 60:02}.5Z",
        "initiator": {"id": "a", "type": "AGENT"},
        "content": {"type": kind, **content},
    }


def text_of(values: Iterable[Any]) -> bytes:
    return b"".join(orjson.dumps(value) + b"\n" for value in values)


class Sink:
    """Keeps what a conversion hands on."""

    def __init__(self) -> None:
        self.rows: list[Rows] = []
        self.rejects: list[Reject] = []

    def by_line(self, data_set: DataSet) -> dict[int, dict[str, Any]]:
        """Return all rows in the full schema, by line."""
        found = {}
        for rows in self.rows:
            for row in rows.batch.to_pylist(maps_as_pydicts="strict"):
                full = {name: row.get(name) for name in data_set.schema.names}
                assert row["_line"] not in found
                found[row["_line"]] = {**full, "(partition)": rows.partition}
        return found


def converted(data: bytes, data_set: DataSet = ITEMS, **given_options: Any) -> tuple[Sink, ConversionSummary]:
    sink = Sink()
    options = ConvertOptions(**given_options)
    report = convert([data], data_set, write=sink.rows.append, reject=sink.rejects.append, options=options)
    assert report.is_balanced
    return sink, report


def leveled(value: Any, name: str = "") -> Any:
    """Return a value with times as instants, so that equal ones compare equal."""
    if isinstance(value, dict):
        return {key: leveled(member, key) for key, member in value.items()}
    if isinstance(value, list):
        return [leveled(member) for member in value]
    if name in TIMES and isinstance(value, str):
        return moment_of(value) or value
    if isinstance(value, float | Decimal):
        return Decimal(str(value))
    return value


def came_back(line: bytes, row: dict[str, Any], data_set: DataSet) -> bool:
    expected = leveled(json.loads(line, parse_float=Decimal))
    return bool(leveled(to_api(row, data_set)) == expected)


def test_every_type_comes_back_from_the_fast_path() -> None:
    """All fields of all types are read by Arrow's parser alone, and give the line again."""
    lines = [orjson.dumps(item_of(kind, at)) for at, kind in enumerate(CONTENT_TYPES)]
    lines = [line.replace(b": null", b": nil") for line in lines]

    sink, report = converted(b"\n".join(lines))

    rows = sink.by_line(ITEMS)
    assert (report.rows, report.slow_lines, list(report.drift)) == (len(lines), 0, [])
    assert all(came_back(line, rows[number], ITEMS) for number, line in enumerate(lines, 1))
    assert {rows[number]["(partition)"] for number in rows} == {
        (("type", kind), ("date", "2024-05-01")) for kind in CONTENT_TYPES
    }


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6)
    | st.sampled_from(["2024-05-01T10:00:00.123456789Z", "2024-05-01", ": null"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)
KINDS = st.sampled_from([*CONTENT_TYPES, "FAX", "../x", ""])


@st.composite
def drifting_items(draw: st.DrawFn) -> dict[str, Any]:
    """An item, most often sound, with now and then a value of any kind anywhere."""
    kind = draw(KINDS)
    names = CONTENT_TYPES.get(kind, ("pages",))
    item: dict[str, Any] = (
        item_of(kind, draw(st.integers(0, 59))) if kind in CONTENT_TYPES else {"content": {"type": kind, "pages": 3}}
    )
    content = {name: value for name, value in item["content"].items() if name == "type" or draw(st.booleans())}
    item["content"] = content
    if draw(st.booleans()):
        item["timestamp"] = draw(
            st.sampled_from(
                ["2024-05-01T23:30:00-09:00", "2024-05-02T00:00:00.123456789Z", "2024-05-01T00:00:00", "x", None]
            )
        )
    for _ in range(draw(st.integers(0, 2))):
        value: Any
        place = draw(st.sampled_from(["top", "content", "inside"]))
        key = draw(st.one_of(st.sampled_from([*names, "type", "new", "_extra", "_line", "a.b"]), st.text(max_size=3)))
        value = draw(JSON)
        if place == "top":
            item[draw(st.sampled_from(["id", "initiator", "content", "extra.field", "contentType"]))] = value
        elif place == "content":
            content[key] = value
        else:
            content["attachments"] = [{"id": "x", key: value}, value]
            item["initiator"] = {"id": value, key: "x"}
    return item


@few_or_many(30, 1500)
def test_both_paths_give_equal_rows_and_lose_nothing(examples: int) -> None:
    """Whatever drifts: fast and slow agree value by value, and each row gives its line again."""
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large]

    @settings(max_examples=examples, deadline=None, suppress_health_check=checks)
    @given(st.lists(drifting_items(), min_size=1, max_size=6), st.booleans())
    def check(items: list[dict[str, Any]], is_spaced: bool) -> None:
        both_paths_agree(items, is_spaced)

    check()


def both_paths_agree(items: list[dict[str, Any]], is_spaced: bool) -> None:
    lines = [json.dumps(item, separators=None if is_spaced else (",", ":")).encode() for item in items]
    sound = [orjson.dumps(item_of(kind)) for kind in ("EMAIL", "SMS")]
    lines = [*sound, *(line for line in lines if b"\\ud" not in line)]
    data = b"\n".join(lines)

    fast, report = converted(data, bundle_bytes=1000)
    slow, _ = converted(data, is_fast=False)

    rows = fast.by_line(ITEMS)
    assert rows == slow.by_line(ITEMS)
    assert [r.line for r in fast.rejects] == [r.line for r in slow.rejects]
    assert report.rows == len(lines), fast.rejects
    for number, line in enumerate(lines, 1):
        assert came_back(line, rows[number], ITEMS), (line, rows[number])


DRIFTS: Mapping[str, tuple[Any, tuple[str, DriftKind] | None]] = {
    "int becomes string": (
        lambda item: {**item, "content": {**item["content"], "recordingDuration": "11"}},
        ("content.recordingDuration", DriftKind.MISFIT),
    ),
    "new field": (lambda item: {**item, "late": 1}, ("late", DriftKind.UNKNOWN_FIELD)),
    "new type": (
        lambda item: {**item, "content": {"type": "FAX", "pages": 2}},
        ("content.type=FAX", DriftKind.UNKNOWN_TYPE),
    ),
}


@pytest.mark.parametrize("name", DRIFTS)
def test_drift_is_kept_and_counted(name: str) -> None:
    """Every row is there, and the report says what drifted, how often and since when."""
    change, expected = DRIFTS[name]
    items = [item_of("VOICEMAIL", at) for at in range(40)]
    items[20:] = [change(item) for item in items[20:]]

    sink, report = converted(text_of(items), bundle_bytes=500)

    rows = sink.by_line(ITEMS)
    assert (report.rows, report.rejected) == (40, 0)
    assert [((d.path, d.kind), d.count, d.first_line) for d in report.drift] == [(expected, 20, 21)]
    assert all(leveled(to_api(rows[at + 1], ITEMS)) == leveled(item) for at, item in enumerate(items))


@pytest.mark.parametrize("broken_at", [3, 9])
def test_a_cut_line_costs_that_line_only(broken_at: int) -> None:
    """It is handed on with its number, a reason and its bytes; the others are rows."""
    lines = [orjson.dumps(item_of("SMS", at)) for at in range(10)]
    lines[broken_at] = lines[broken_at][:50]

    sink, report = converted(b"\n".join(lines))

    assert (report.rows, report.rejected) == (9, 1)
    assert [(r.line, r.code, r.raw) for r in sink.rejects] == [(broken_at + 1, "malformed_json", lines[broken_at])]


def test_all_that_can_be_wrong_with_a_line() -> None:
    """Each has its own reason, blank lines are counted, and valid lines keep their numbers."""
    sound = orjson.dumps(item_of("SMS"))
    bad = {
        b"null": "not_an_object",
        b"[]": "not_an_object",
        b"}{": "malformed_json",
        b'{"id":"}': "malformed_json",
        sound + sound: "malformed_json",
        sound[:-1] + b',"id":"b"}': "duplicate_key",
        sound.replace(b"+1", b"\xff"): "invalid_utf8",
        sound.replace(b"+1", b"\0"): "nul_byte",
        sound + b"\0": "nul_byte",
        b'{"id":"' + b"x" * 9000 + b'"}': "line_too_long",
        b"\xef\xbb\xbf" + sound: "malformed_json",
    }
    lines = [part for line in bad for part in (sound, line)]

    sink, report = converted(b"\r\n".join([*lines, b"", b"  ", b" " + sound + b" "]), max_line_bytes=5000)

    assert {r.raw[:900]: r.code for r in sink.rejects} == {line[:900]: code for line, code in bad.items()}
    assert report.blank == 2
    assert sorted(sink.by_line(ITEMS)) == [*range(1, 2 * len(bad), 2), 2 * len(bad) + 3]


def deep(levels: int, opening: bytes, closing: bytes) -> bytes:
    return opening * levels + b"1" + closing * levels


HOSTILE = {
    "deep list in a known field": (b'{"content":{"type":"SMS","attachments":%b}}' % deep(10_000, b"[", b"]"), 0),
    "deep object in a new field": (b'{"new":%b,"content":{"type":"SMS"}}' % deep(10_000, b'{"x":', b"}"), 0),
    "deep line of no kind": (deep(10_000, b"[", b"]"), 0),
    "lone surrogate": (b'{"id":"a\\ud800","content":{"type":"SMS"}}', 0),
    "lone surrogate in a name": (b'{"\\udc00":1,"content":{"type":"SMS"}}', 0),
    "surrogate as bytes": (b'{"id":"\xed\xa0\x80","content":{"type":"SMS"}}', 0),
    "NUL as a byte": (b'{"id":"a\0b","content":{"type":"SMS"}}', 0),
    "NUL as an escape": (b'{"id":"a\\u0000b","content":{"type":"SMS"}}', 1),
    "NUL in a name": (b'{"a\\u0000b":1,"content":{"type":"SMS"}}', 1),
    "name with an escape": (b'{"i\\u0064":"a","content":{"type":"SMS"}}', 1),
    "type with an escape": (b'{"id":"a","content":{"type":"S\\u004dS"}}', 1),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_lines_are_rows_or_rejects_on_both_paths(name: str) -> None:
    """None crashes the parser, and the sound line beside it is a row in any case."""
    line, rows = HOSTILE[name]
    data = b"\n".join([orjson.dumps(item_of("SMS")), line])

    fast, _ = converted(data)
    slow, _ = converted(data, is_fast=False)

    assert fast.by_line(ITEMS) == slow.by_line(ITEMS)
    assert list(fast.by_line(ITEMS)) == [1, 2][: 1 + rows]
    assert fast.rejects == slow.rejects
    assert [(refused.line, refused.raw) for refused in fast.rejects] == [(2, line)][: 1 - rows]
    assert not rows or came_back(line, fast.by_line(ITEMS)[2], ITEMS)


def test_a_line_of_64_mebibytes_is_a_row_and_a_longer_one_a_reject() -> None:
    """The limit is to the byte, and reading goes on."""
    frame = b'{"id":"%b","content":{"type":"SMS"}}'
    longest = frame % (b"x" * (MAX_LINE_BYTES - len(frame) + 2))
    data = b"\n".join([longest, longest + b" ", orjson.dumps(item_of("SMS"))])

    sink, report = converted(data)

    assert (len(longest), report.rows, report.rejected) == (MAX_LINE_BYTES, 2, 1)
    lengths = {row["_line"]: len(row["id"]) for rows in sink.rows for row in rows.batch.to_pylist()}
    assert lengths == {1: MAX_LINE_BYTES - len(frame) + 2, 3: 2}
    assert [(refused.line, refused.code, refused.raw) for refused in sink.rejects] == [
        (2, "line_too_long", longest[:SHOWN_BYTES])
    ]


def test_a_line_that_arrow_refuses_is_handed_on_as_it_stood() -> None:
    """Not as it was fitted: readers of the rejects want the bytes of the file."""
    lines = [orjson.dumps(item_of("SMS", at) | {"new": at}) for at in range(5)]
    lines[3] = b" " + lines[3].replace(b"Zb3", b"refused")

    def stubborn(shape: Shape, data: bytes, numbers: Array, *, is_fitted: bool = False) -> pa.RecordBatch:
        if b"refused" in data:
            raise Unfit("in a test")
        return read_fitting(shape, data, numbers, is_fitted=is_fitted)

    bundle = Bundle(None, b"\n".join([*lines, b""]), pa.array(range(1, 6)), is_doubtful=True)

    result = read_line_by_line(bundle, ITEMS, stubborn)

    assert {at for rows in result.rows for at in rows.batch.column("_line").to_pylist()} == {1, 2, 3, 5}
    assert [(refused.line, refused.code, refused.raw) for refused in result.rejects] == [(4, "unreadable", lines[3])]
    assert result.slow_lines == 5


def test_objects_that_only_add_up_do_not_pass() -> None:
    """Two objects on one line and one over two lines have the right sum, and are rejects all the same."""
    sound = orjson.dumps(item_of("SMS"))
    head, tail = sound[:20], sound[20:]

    sink, report = converted(b"\n".join([sound + sound, head, tail, sound]))

    assert [r.line for r in sink.rejects] == [1, 2, 3]
    assert list(sink.by_line(ITEMS)) == [4]
    assert report.rows == 1


def test_errors_of_the_sink_and_the_source_come_through() -> None:
    """A failing disk or download ends the conversion with its own error."""

    def failing(_: Any) -> None:
        raise OSError("disk")

    def broken() -> Iterable[bytes]:
        yield text_of([item_of("SMS")])
        raise ConnectionError("cut")

    with pytest.raises(OSError, match="disk"):
        convert([text_of([item_of("SMS")])], ITEMS, write=failing, reject=failing)
    with pytest.raises(ConnectionError, match="cut"):
        convert(broken(), ITEMS, write=lambda _: None, reject=failing)
