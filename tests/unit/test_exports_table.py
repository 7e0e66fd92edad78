"""What can be exported through the live API, against the published operations; and what answers mean."""

import datetime as dt
import re
from pathlib import Path
from typing import Any

import orjson
import pytest

from bulkgladly import UsageError
from bulkgladly.exports.lists import LIST_WORDS
from bulkgladly.exports.media_downloads import MEDIA_WORDS, doubt_about
from bulkgladly.exports.per_parent import PARENT_WORDS
from bulkgladly.gladly.exports import LIMITED_DATA, Cut, LiveExport, Parent, WantedFile, cut_of, is_askable
from bulkgladly.gladly.objects.answers import ANSWER_TYPES
from bulkgladly.gladly.objects.events import EVENT_ENTITIES, EVENT_LAG, EVENTS_WINDOW, events_request
from bulkgladly.gladly.table import LIVE_EXPORTS, live_export
from bulkgladly.json_slices import Unreadable, elements_of, spliced
from bulkgladly.lake.schemas import DATA_SETS
from bulkgladly.lake.side_files import media_place

FACTS: Any = orjson.loads((Path(__file__).parents[1] / "contract" / "facts.json").read_bytes())
OPERATIONS = {one["operationId"] or one["project_alias"]: one for one in FACTS["operations"]}
ROWS = [*LIVE_EXPORTS.values(), *(row.by_address for row in LIVE_EXPORTS.values() if row.by_address is not None)]
CONVERSATIONS, ANSWERS = LIVE_EXPORTS["conversations"], LIVE_EXPORTS["public-answers"]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.word}-{row.operation}")
def test_every_row_is_a_published_read(row: LiveExport) -> None:
    """Path, parameters, form of the response and cap are those of the document."""
    published = OPERATIONS[row.operation]

    assert (published["method"], published["path"]) == ("GET", row.path)
    assert published["response"] is None or row.is_list == published["response"].endswith("[]")
    assert row.cap == FACTS["list_caps"].get(row.operation)
    assert row.tells_of_cut == ("Gladly-Limited-Data" in published["notes"])
    assert (row.cap is None) == (row.order is None)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.word}-{row.operation}")
def test_every_row_has_a_declared_data_set(row: LiveExport) -> None:
    """Rows that are requested by parent have the id that was requested."""
    columns = DATA_SETS[row.data_set].schema.names

    assert "_fetched_at" in columns
    assert ("_asked_id" in columns or "itemId" in columns) == (row.parent is not Parent.NONE)


def test_each_word_has_one_way() -> None:
    """Each name is exported by exactly one of the three kinds."""
    assert sorted((*LIST_WORDS, *PARENT_WORDS, *MEDIA_WORDS)) == sorted(LIVE_EXPORTS)


def test_the_names_are_those_of_the_document() -> None:
    """Entities, types of contents, windows and the header."""
    assert sorted(EVENT_ENTITIES) == sorted(FACTS["enums"]["event_stream_entity"])
    assert sorted(ANSWER_TYPES) == sorted(FACTS["enums"]["answer_content_type"])
    assert dt.timedelta(hours=FACTS["windows"]["events_lookback_hours"]) == EVENTS_WINDOW
    assert dt.timedelta(seconds=FACTS["windows"]["events_max_delay_seconds"]) == EVENT_LAG
    assert FACTS["list_caps"]["truncation_header"] == LIMITED_DATA


def test_a_word_that_is_none_is_refused_with_those_there_are() -> None:
    with pytest.raises(UsageError, match="inboxes"):
        live_export("inbox")


def test_ids_stay_within_their_segment() -> None:
    """No id can make the request go to another operation."""
    request = LIVE_EXPORTS["profiles"].request("../a?b#c/d%2F é")

    assert request.path == "/api/v1/customer-profiles/..%2Fa%3Fb%23c%2Fd%252F%20%C3%A9"
    assert request.query == ()


def test_each_variable_takes_its_own_value() -> None:
    request = LIVE_EXPORTS["answer-contents"].request("{type}", "en-us", "public")

    assert request.path == "/api/v1/answers/%7Btype%7D/languages/en-us/type/public"


@pytest.mark.parametrize("value", ["", ".", "..", "a\nb", "a\0", "\u200b", "\ud800"])
def test_what_no_path_can_hold_is_not_asked(value: str) -> None:
    assert not is_askable(value)
    with pytest.raises(ValueError, match="id"):
        LIVE_EXPORTS["profiles"].request(value)


@pytest.mark.parametrize(
    ("row", "flag", "count", "cut"),
    [
        (CONVERSATIONS, None, 99, Cut.NO),
        (CONVERSATIONS, "false", 99, Cut.NO),
        (CONVERSATIONS, " False ", 99, Cut.NO),
        (CONVERSATIONS, "true", 3, Cut.YES),
        (CONVERSATIONS, "TRUE", 100, Cut.YES),
        (CONVERSATIONS, "", 100, Cut.YES),
        (CONVERSATIONS, None, 100, Cut.POSSIBLY),
        (CONVERSATIONS, "false", 100, Cut.POSSIBLY),
        (CONVERSATIONS, None, 101, Cut.NO),
        (ANSWERS, None, 999, Cut.NO),
        (ANSWERS, None, 1000, Cut.POSSIBLY),
        (ANSWERS, None, 1001, Cut.POSSIBLY),
        (LIVE_EXPORTS["inboxes"], None, 100_000, Cut.NO),
        (LIVE_EXPORTS["inboxes"], "true", 2, Cut.YES),
    ],
)
def test_when_a_list_counts_as_cut(row: LiveExport, flag: str | None, count: int, cut: Cut) -> None:
    """The flag decides if it is set; a list at its cap may be cut."""
    headers = {} if flag is None else {LIMITED_DATA: flag}

    assert cut_of(row, headers, count) is cut


def test_events_are_asked_for_in_utc_with_milliseconds() -> None:
    """A plus sign in a query would be read as a blank."""
    zone = dt.timezone(dt.timedelta(hours=2))
    start = dt.datetime(2026, 3, 20, 5, 11, 0, 123_999, tzinfo=zone)

    request = events_request(start, start + dt.timedelta(seconds=1), ["TASK", "CONTACT"])

    assert request.query == (
        ("startAt", "2026-03-20T03:11:00.123Z"),
        ("endAt", "2026-03-20T03:11:01.123Z"),
        ("entities", "TASK"),
        ("entities", "CONTACT"),
    )


def test_elements_keep_every_character() -> None:
    """Digits that no float holds, escapes, and separators that text functions would cut at."""
    body = '\ufeff [ {"a":1.000000000000000000001,\r\n "b":"\\u00e9\\ud800 \u2028"} ,7,"x",null, [] ] \n'.encode()
    huge = b'[{"n":%s}]' % (b"9" * 6000)

    assert elements_of(body, is_list=True) == [
        '{"a":1.000000000000000000001,   "b":"\\u00e9\\ud800 \u2028"}'.encode(),
        *(b"7", b'"x"', b"null", b"[]"),
    ]
    assert elements_of(huge, is_list=True) == [huge[1:-1]]
    assert elements_of(b'{"a":[1]}\n', is_list=False) == [b'{"a":[1]}']
    assert elements_of(b"[]", is_list=True) == []


def test_bytes_that_are_no_text_spoil_their_own_line_only() -> None:
    assert elements_of(b'[{"a":"\xff"},{"b":1}]', is_list=True) == [b'{"a":"\xff"}', b'{"b":1}']


@pytest.mark.parametrize(
    ("body", "is_list"),
    [
        (b"", True),
        (b"", False),
        (b"<html></html>", True),
        (b"{}", True),
        (b"[]", False),
        (b"null", False),
        (b'[{"a":1}', True),
        (b'[{"a":1},]', True),
        (b'[{"a":1} {"b":2}]', True),
        (b"[1]1", True),
        (b'{"a":1}{"a":2}', False),
        (b'[{"a":"\x01"}]', True),
        (b"[" * 100_000, True),
        (b'{"a":' * 100_000, False),
    ],
)
def test_a_body_that_is_not_what_was_asked_for_is_refused_as_a_whole(body: bytes, is_list: bool) -> None:
    """And the message shows nothing of it."""
    with pytest.raises(Unreadable) as caught:
        elements_of(body, is_list=is_list)

    assert re.fullmatch(r"[\w ,:.']+", str(caught.value))


@pytest.mark.parametrize(
    ("line", "made"),
    [
        (b'{"b":1}', b'{"_a":"x\\"","b":1}'),
        (b"{ }", b'{"_a":"x\\""}'),
        (b'{ "b":1}', b'{"_a":"x\\"","b":1}'),
        (b"7", b"7"),
        (b"[]", b"[]"),
    ],
)
def test_texts_are_put_in_front_of_an_object(line: bytes, made: bytes) -> None:
    assert spliced(line, {"_a": 'x"'}) == made
    assert spliced(line, {}) == line


FILE = WantedFile(("item", "att"), "a.png", "image/png", 10)
RECORDING = WantedFile(("item",), "item.mp3", "audio/mpeg")


@pytest.mark.parametrize(
    ("wanted", "size", "content_type", "has_visible_end", "is_doubtful"),
    [
        (FILE, 10, "image/png", True, False),
        (FILE, 10, "image/png", False, False),
        (FILE, 9, "image/png", True, False),
        (FILE, 9, "image/png", False, True),
        (FILE, 9, "application/octet-stream", True, True),
        (FILE, 10, "text/html", True, False),
        (FILE, 11, "text/html", True, True),
        (FILE, 0, None, True, True),
        (FILE._replace(size=None), 9, "application/json", True, True),
        (FILE._replace(size=None, content_type="application/json"), 9, "application/json", True, False),
        (FILE._replace(size=0), 0, None, True, False),
        (RECORDING, 96, "audio/mpeg", True, False),
        (RECORDING, 96, "application/octet-stream", True, False),
        (RECORDING, 96, "audio/mpeg", False, True),
        (RECORDING, 0, "audio/mpeg", True, True),
        (RECORDING, 96, "text/html", True, True),
    ],
)
def test_when_a_body_may_not_be_the_file(
    wanted: WantedFile, size: int, content_type: str | None, has_visible_end: bool, is_doubtful: bool
) -> None:
    """The size decides if it is known and right; otherwise the end must be visible and the type must fit."""
    found = doubt_about(wanted, size, content_type, has_visible_end=has_visible_end)

    assert (found is not None) == is_doubtful


@pytest.mark.parametrize(
    "name",
    [
        "../../../etc/passwd",
        "/etc/passwd",
        "..",
        ".",
        "",
        "a\0b",
        "\ud800",
        "x" * 5000,
        "é" * 300,
        "CON",
        "a\\b",
        "-rf",
    ],
)
def test_no_name_leads_out_of_its_folder(name: str) -> None:
    """One harmless file name below the folder of its hash, valid on every file system."""
    place = media_place("attachments", "item/att", name)

    assert place.parts[:2] == ("media", "attachments")
    assert len(place.parts) == 4
    assert re.fullmatch(r"[0-9a-f]{32}-[\w.~%-]+", place.name, re.ASCII)
    assert place.name.startswith(place.parts[2])
    assert len(f".{place.name}.partial".encode()) <= 255


def test_two_files_never_share_a_place() -> None:
    """The name alone does not decide: two items may have files of the same name."""
    assert media_place("attachments", "a/x", "f.png") != media_place("attachments", "b/x", "f.png")
