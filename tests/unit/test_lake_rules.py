"""The pure rules of the data sets: schemas, paths, times, cutting lines, telling their kinds, fitting them."""

import json
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkgladly.json_paths import general, parsed, put, shown
from bulkgladly.lake.fitted_lines import fit_line
from bulkgladly.lake.line_bundles import Sorter, cut
from bulkgladly.lake.places import file_stem, folder_of, segment
from bulkgladly.lake.rows import Drift, DriftKind, DriftLog
from bulkgladly.lake.schemas import DATA_SETS, DataSet
from bulkgladly.strict_json import Unusable, exact_object
from bulkgladly.times import canonical, is_plain, moment_of

ITEMS, CUSTOMERS, EVENTS = DATA_SETS["items"], DATA_SETS["customers"], DATA_SETS["events"]


KEYS = st.one_of(st.text(), st.sampled_from(["a.b", "a[0]", '"', "", "x", "[]"]))
PATHS = st.lists(st.one_of(KEYS, st.integers(0, 99)), min_size=1).map(tuple)


@given(PATHS)
def test_path_text_leads_back_to_the_path(path: tuple[str | int, ...]) -> None:
    """Whatever the keys are, no two paths have one text."""
    assert parsed(shown(path)) == path


def test_paths_read_well_and_put_values_back() -> None:
    """Plain keys need no quotes; a path creates the objects that it passes."""
    path = ("content", "attachments", 0, "a.b")
    target: dict[str, Any] = {"content": {"attachments": [{"id": "x"}]}}

    put(target, path, 5)
    put(target, ("new", "field"), None)

    assert shown(path) == 'content.attachments[0]["a.b"]'
    assert general(path) == 'content.attachments[]["a.b"]'
    assert target == {"content": {"attachments": [{"id": "x", "a.b": 5}]}, "new": {"field": None}}


@pytest.mark.parametrize("text", ["a b", "[", '["x"', "]"])
def test_a_text_that_is_no_path_is_refused(text: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(ValueError, match="not a path"):
        parsed(text)


@pytest.mark.parametrize(
    ("text", "expected", "lost"),
    [
        ("2024-05-01T11:46:45Z", "2024-05-01T11:46:45.000Z", 0),
        ("2024-05-01T11:46:45.1Z", "2024-05-01T11:46:45.100Z", 0),
        ("2024-05-01T11:46:45.123456Z", "2024-05-01T11:46:45.123456Z", 0),
        ("2019-02-21T19:50:23.486566336Z", "2019-02-21T19:50:23.486566Z", 336),
        ("2024-05-01T11:46:45.12-09:00", "2024-05-01T20:46:45.120Z", 0),
        ("2024-05-01 11:46:45+0530", "2024-05-01T06:16:45.000Z", 0),
        ("2024-05-01T11:46+01", "2024-05-01T10:46:00.000Z", 0),
        ("2024-05-01T11z", "2024-05-01T11:00:00.000Z", 0),
    ],
)
def test_times_of_every_spelling(text: str, expected: str, lost: int) -> None:
    """0 to 9 fraction digits and offsets are understood."""
    moment = moment_of(text)

    assert moment is not None
    assert (canonical(moment.time), moment.lost_ns) == (expected, lost)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2024-05-01",
        "2024-05-01T11:46:45",
        "2024-13-01T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "٢٠٢٤-05-01T00:00:00Z",
        "9999-12-31T23:59:59-09:00",
        "2024-05-01T11:46:45.1234567890Z",
        "2024-05-01T25:00:00Z",
        "2024-05-01T11:46.5Z",
        "2024-05-01T11:46:45+5",
        "now",
    ],
)
def test_what_is_no_time_is_none(text: str) -> None:
    """A time without a zone is not taken for UTC."""
    assert moment_of(text) is None
    assert not is_plain(text)


@given(
    st.lists(st.binary(max_size=12).map(lambda b: b.replace(b"\n", b"").replace(b"\r", b"")), max_size=12), st.data()
)
def test_lines_survive_any_cut(lines: list[bytes], data: st.DataObject) -> None:
    """Wherever the blocks end, the lines and their numbers are the same."""
    ending = data.draw(st.sampled_from([b"\n", b"\r\n"]))
    whole = ending.join(lines) + data.draw(st.sampled_from([b"", ending]))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=5)))
    blocks = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]

    found = list(cut(blocks, batch_bytes=data.draw(st.integers(1, 40))))

    expected = whole.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").split(b"\n")
    got = [line for batch in found for line in batch.lines.to_pylist()]
    assert [line.removesuffix(b"\n") for line in got] == (expected if expected[-1] else expected[:-1])
    assert b"".join(batch.data for batch in found) == b"".join(got)
    numbers = [batch.first + at for batch in found for at in range(len(batch.lines))]
    assert numbers == list(range(1, len(got) + 1))


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_a_line_too_long_is_told_and_reading_goes_on(size: int) -> None:
    """The lines around it keep their numbers."""
    whole = b"a\n" + b"x" * 5000 + b"\nb\n" + b"y" * 3000

    found = list(cut([whole[at : at + size] for at in range(0, len(whole), size)], batch_bytes=50, max_line_bytes=100))

    told = [(batch.first, batch.too_long) for batch in found if batch.too_long is not None]
    kept = {batch.first: batch.data for batch in found if batch.too_long is None}
    assert [(first, text[:1]) for first, text in told] == [(2, b"x"), (4, b"y")]
    assert all(len(text) <= 1000 for _, text in told)
    assert kept == {1: b"a\n", 3: b"b\n"}


def test_a_byte_order_mark_is_no_content() -> None:
    """Only at the very beginning, also when it comes in pieces."""
    found = list(cut([b"\xef", b"\xbb\xbf", b"a\n\xef\xbb\xbfb\n"]))

    assert [batch.data for batch in found] == [b"a\n\xef\xbb\xbfb\n"]


def sorted_lines(lines: list[bytes], data_set: DataSet = ITEMS) -> dict[tuple[str | None, bool], list[int]]:
    """Return the numbers of lines by kind and doubt."""
    sorter = Sorter(data_set)
    bundles = [bundle for batch in cut([b"\n".join([*lines, b""])]) for bundle in [*sorter.add(batch), *sorter.rest()]]
    return {(bundle.kind, bundle.is_doubtful): bundle.numbers.to_pylist() for bundle in bundles}


def test_lines_are_sorted_by_content_type() -> None:
    """Wherever the type stands and however the line is spaced; what cannot be told is in doubt."""
    lines = [
        b'{"content":{"type":"SMS"}}',
        b'{"content":{"startedAt":"x","type":"PHONE_CALL"}}',
        b'{"initiator": {"type": "AGENT"}, "content": {"type": "SMS"}}',
        b'{"content":{"type":"NEW"}}',
        b"",
        b"null",
        b'{"content":{"type":"SMS","from":null}}',
        b' {"content":{"type":"EMAIL"}}',
    ]

    found = sorted_lines(lines)

    assert found == {
        ("SMS", False): [1, 3],
        ("PHONE_CALL", False): [2],
        (None, True): [4, 5, 6, 7, 8],
    }


def test_events_are_sorted_by_their_type() -> None:
    """In the order that Gladly writes and in any other; the type of another object is not used."""
    lines = [
        b'{"id":"a","type":"CONTACT/ENDED","initiator":{"id":"x","type":"AGENT"}}',
        b'{"type":"CONTACT/ENDED"}',
        b'{"initiator":{"type":"AGENT"},"content":{},"type": "CUSTOMER/MERGED"}',
        b'{"id":"a","type":"FAX/SENT"}',
        b'{"id":"a","initiator":{"type":"AGENT"}}',
    ]

    assert sorted_lines(lines[:2], EVENTS) == {("CONTACT/ENDED", False): [1, 2]}
    assert sorted_lines(lines, EVENTS) == {
        ("CONTACT/ENDED", False): [1, 2],
        ("CUSTOMER/MERGED", False): [3],
        (None, True): [4, 5],
    }


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b'{"a":1', "malformed_json"),
        (b'{"a":"\xff"}', "invalid_utf8"),
        (b'{"a":"\0"}', "nul_byte"),
        (b'{"a":"\\ud800"}', "malformed_json"),
        (b"[1]", "not_an_object"),
        (b"null", "not_an_object"),
        (b'{"a":1,"a":1}', "duplicate_key"),
        (b'{"b":{"a":1, "a":2}}', "duplicate_key"),
        (b'{"a":' + b"[" * 500 + b"]" * 500 + b"}", "too_deep"),
        (b'{"a":NaN}', "malformed_json"),
        (b'{"a":1e400}', "malformed_json"),
    ],
)
def test_a_line_that_is_no_row_is_refused_with_a_code(line: bytes, code: str) -> None:
    """And no value of it stands in the message."""
    with pytest.raises(Unusable) as caught:
        exact_object(line)

    assert caught.value.code == code


@pytest.mark.parametrize("number", ["12345678901234567890123", "0.1000000000000000055511151231257827", "1.10"])
def test_no_number_is_rounded(number: str) -> None:
    """What Python cannot hold is carried as it is written."""
    value = exact_object(b'{"a":' + number.encode() + b"}")

    again = json.loads(orjson.dumps(value), parse_float=Decimal)
    assert Decimal(again["a"]) == Decimal(number)


def test_a_line_that_fits_is_left_alone() -> None:
    """Not even its spacing changes."""
    line = b'{"id": "a", "content": {"type": "EMAIL", "to": ["x", null]}}'

    fitted = fit_line(line, ITEMS)

    assert fitted == ("EMAIL", line, [])


def test_what_does_not_fit_moves_to_the_extra() -> None:
    """Each kind of drift is noted once, with its place."""
    line = orjson.dumps(
        {
            "id": 5,
            "new": {"a": 1},
            "timestamp": "2019-02-21T19:50:23.486566336Z",
            "content": {
                "type": "SMS",
                "to": ["+1"],
                "from": None,
                "attachments": [{"id": "x", "fileSize": "7", "hash": "h"}, 3],
            },
        }
    )

    fitted = fit_line(line, ITEMS)

    kept = orjson.loads(fitted.line)
    assert orjson.loads(kept.pop("_extra")) == {
        "id": 5,
        "new": {"a": 1},
        "timestamp": "2019-02-21T19:50:23.486566336Z",
        "content.to": ["+1"],
        "content.from": None,
        "content.attachments[0].fileSize": "7",
        "content.attachments[0].hash": "h",
        "content.attachments[1]": 3,
    }
    assert kept == {
        "timestamp": "2019-02-21T19:50:23.486566Z",
        "content": {"type": "SMS", "attachments": [{"id": "x"}, None]},
    }
    assert sorted(fitted.drift) == [
        ("content.attachments[]", DriftKind.MISFIT),
        ("content.attachments[].fileSize", DriftKind.MISFIT),
        ("content.attachments[].hash", DriftKind.UNKNOWN_FIELD),
        ("content.from", DriftKind.NULL),
        ("content.to", DriftKind.MISFIT),
        ("id", DriftKind.MISFIT),
        ("new", DriftKind.UNKNOWN_FIELD),
        ("timestamp", DriftKind.FINER_TIME),
    ]


def test_an_unknown_type_is_counted_once_and_kept_whole() -> None:
    """Its content stands in the extra, field by field."""
    fitted = fit_line(b'{"id":"a","content":{"type":"FAX","pages":3,"to":"x"}}', ITEMS)

    assert fitted.kind == "FAX"
    assert fitted.drift == [("content.type=FAX", DriftKind.UNKNOWN_TYPE)]
    assert orjson.loads(orjson.loads(fitted.line)["_extra"]) == {"content.pages": 3, "content.to": "x"}


def test_an_unknown_event_is_counted_once_and_kept_whole() -> None:
    """With its content field by field, or what stands there instead."""
    fitted = fit_line(b'{"id":"a","type":"FAX/SENT","content":{"pages":3}}', EVENTS)
    odd = fit_line(b'{"id":"a","type":"FAX/SENT","content":[3]}', EVENTS)

    assert (fitted.kind, fitted.drift) == ("FAX/SENT", [("type=FAX/SENT", DriftKind.UNKNOWN_TYPE)])
    assert orjson.loads(fitted.line) == {"id": "a", "type": "FAX/SENT", "_extra": '{"content.pages":3}'}
    assert odd.drift == [("type=FAX/SENT", DriftKind.UNKNOWN_TYPE), ("content", DriftKind.UNKNOWN_FIELD)]
    assert orjson.loads(odd.line)["_extra"] == '{"content":[3]}'


def test_open_maps_hold_texts() -> None:
    """Other values of an open map stand in the extra."""
    fitted = fit_line(b'{"id":"a","customAttributes":{"tier":"gold","age":5,"x":null}}', CUSTOMERS)

    kept = orjson.loads(fitted.line)
    assert kept["customAttributes"] == [{"key": "tier", "value": "gold"}]
    assert orjson.loads(kept["_extra"]) == {"customAttributes.age": 5, "customAttributes.x": None}


def test_drift_is_counted_by_place_with_its_first_line() -> None:
    """And an endless number of places does not need endless memory."""
    log = DriftLog()
    log.add("a", DriftKind.MISFIT, 9)
    other = DriftLog()
    other.add("a", DriftKind.MISFIT, 4, count=2)
    log.take(other)
    for number in range(2000):
        log.add(f"x{number}", DriftKind.UNKNOWN_FIELD, number + 10)

    found = list(log)

    assert found[0] == Drift("a", DriftKind.MISFIT, 3, 4)
    assert len(found) <= 1002
    assert sum(drift.count for drift in found) == 2003


@pytest.mark.parametrize("value", ["../../etc", "a/b", "..", "a\0b", "é" * 500, "x" * 500, "a=b&c", "%2F"])
def test_hostile_values_are_one_safe_segment(value: str) -> None:
    """No value can lead out of the folder or be too long for a file system."""
    name = segment(value)

    assert "/" not in name
    assert "\0" not in name
    assert len(name) < 200
    assert len(folder_of((("type", value),)).parts) == 1


def test_file_names_are_not_hidden_from_readers() -> None:
    """Ids may begin with an underscore, and readers pass over such files."""
    assert [file_stem(value)[:1] for value in ("_a", ".a", "-a", "a")] == ["%", "%", "%", "a"]
    assert folder_of((("type", None), ("date", None))).parts == (
        "type=UNTYPED",
        "date=0001-01-01",
    )
