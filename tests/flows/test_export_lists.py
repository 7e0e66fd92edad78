"""Lists that one request gives whole: merged with what was there, nothing lost, nothing rewritten for nothing."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from bulkgladly.emulator import status
from bulkgladly.emulator.faults.fault import Fault
from bulkgladly.emulator.protocol.replies import Reply
from bulkgladly.exports.lists import LIST_WORDS, ListKind
from bulkgladly.exports.unit_kinds import UnitResult, UnitState
from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.rows import DriftKind
from bulkgladly.lake.verify import verify
from tests.flows.driving import Driver, later
from tests.flows.exporting import NOT_THERE, Lake


def answer(body: bytes | Any, **headers: str) -> Fault:
    """A success with this body."""
    return Fault("answer", reply=Reply(200, body if isinstance(body, bytes) else orjson.dumps(body), headers))


def inbox(number: int, **more: Any) -> dict[str, Any]:
    return {"id": f"inbox-{number}", "name": f"Inbox {number}", "disabled": False, **more}


async def read(lake: Lake, word: str = "inboxes", **changes: Any) -> UnitResult:
    """Read a list once."""
    ends = await Driver(lake).drive(lambda _: ListKind(word), **changes)
    return ends.only()


async def read_as(lake: Lake, *rows: Any, word: str = "inboxes", **changes: Any) -> UnitResult:
    """Read a list that holds these rows."""
    operation = {"inboxes": "getInboxes", "public-answers": "listAnswers"}[word]
    lake.emulator.faults.clear()
    lake.emulator.faults.script(operation, [answer(list(rows))])
    return await read(lake, word, **changes)


def names(lake: Lake, data_set: str = "inboxes") -> dict[str, Any]:
    return {row["id"]: row for row in lake.table(data_set).to_pylist()}


@pytest.mark.parametrize("word", LIST_WORDS)
async def test_every_list_becomes_a_table(make_lake: Callable[..., Any], word: str) -> None:
    """One request, one unit, every row, and nothing that the schema does not know."""
    lake = await make_lake(seed_customers=3, seed_jobs=2)

    result = await read(lake, word)

    # There are no webhooks until somebody makes one.
    assert result.state is (UnitState.DONE if word != "webhooks" else UnitState.UNCHANGED)
    assert (result.rejected, result.detail) == (0, "")
    assert result.created == lake.table(word).num_rows
    (manifest,) = lake.manifests(word).values()
    assert (manifest.unit, manifest.incomplete) == ("list", None)
    assert {drift.kind for drift in manifest.drift} <= {DriftKind.FINER_TIME}
    assert lake.emulator.requests.total == (2 if word == "public-answers" else 1)
    assert verify(DataFolder.open(lake.out), deep=True).is_sound


async def test_a_list_that_did_not_change_is_not_written_again(lake: Lake) -> None:
    """Not a byte, so that a sync of the folder has nothing to do."""
    first = await read(lake)
    before = lake.parts()
    later(lake, days=1)

    result = await read(lake)

    assert (result.state, result.unchanged) == (UnitState.UNCHANGED, first.created)
    assert lake.parts() == before


async def test_an_empty_list_at_first_is_believed(lake: Lake) -> None:
    """It is a table without rows, and stays so without being written again."""
    assert (await read_as(lake)).state is UnitState.UNCHANGED
    before = lake.parts()

    assert (await read_as(lake)).state is UnitState.UNCHANGED
    assert lake.parts() == before
    assert list(lake.manifests("inboxes")) == ["list"]


async def test_rows_are_merged_by_id_and_those_not_listed_stay(lake: Lake) -> None:
    """A row that is no longer listed keeps its content and says since when; one that is back loses that."""
    await read_as(lake, inbox(1), inbox(2), inbox(3))
    second = later(lake, days=1)
    changed = await read_as(lake, inbox(4), inbox(2, name="Renamed"), inbox(1))
    after_second = names(lake)
    third = later(lake, days=1)
    back = await read_as(lake, inbox(3), inbox(2, name="Renamed"))
    after_third = names(lake)

    assert (changed.created, changed.updated, changed.unchanged) == (1, 1, 1)
    assert changed.detail == "1 no longer listed"
    assert after_second["inbox-3"]["_gone_since"] == second
    assert after_second["inbox-2"]["name"] == "Renamed"
    assert (back.created, back.updated, back.unchanged) == (0, 1, 1)
    assert {key: row["_gone_since"] for key, row in after_third.items()} == {
        "inbox-1": third,
        "inbox-2": None,
        "inbox-3": None,
        "inbox-4": third,
    }
    assert lake.table("inboxes").num_rows == 4
    assert verify(DataFolder.open(lake.out), deep=True).is_sound


async def test_a_row_that_came_broken_is_not_called_gone(lake: Lake) -> None:
    """An element that cannot be a row may be the new version of any row, so nothing that is missing counts as gone."""
    await read_as(lake, inbox(1), inbox(2))
    body = b'[{"id":"inbox-1","name":"one","name":"other"},{"id":"inbox-3","name":"Inbox 3","disabled":false}]'
    lake.emulator.faults.script("getInboxes", [answer(body)])
    later(lake, days=1)

    result = await read(lake)

    assert (result.created, result.rejected, result.detail) == (1, 1, "")
    assert {key: row["_gone_since"] for key, row in names(lake).items()} == dict.fromkeys(
        ("inbox-1", "inbox-2", "inbox-3")
    )


async def test_an_empty_list_is_not_believed_where_there_were_rows(lake: Lake) -> None:
    """The rows stay as they are, and the exit code tells; --refresh believes it."""
    await read_as(lake, inbox(1), inbox(2))
    before = lake.parts()
    now = later(lake, days=1)

    result = await read_as(lake)

    assert result.state is UnitState.INCOMPLETE
    assert "--refresh" in result.detail
    assert lake.parts() == before
    refreshed = await read_as(lake, refresh=True)
    assert refreshed.state is UnitState.UNCHANGED
    assert [row["_gone_since"] for row in names(lake).values()] == [now, now]
    assert (await read_as(lake)).state is UnitState.UNCHANGED


async def test_numbers_and_texts_come_through_as_they_are(lake: Lake) -> None:
    """What no column takes stands in `_extra`, digit by digit."""
    digits = "1.00000000000000000000000000000000001"
    body = b'[{"id":"a",\n"name":"x \xe2\x80\xa8 y","disabled":%s} \n]' % digits.encode()
    lake.emulator.faults.script("getInboxes", [answer(body)])

    result = await read(lake)

    assert (result.created, result.rejected) == (1, 0)
    row = names(lake)["a"]
    assert row["name"] == "x \u2028 y"
    assert digits in row["_extra"]


@pytest.mark.parametrize(
    "fault",
    [
        answer(b"<html>"),
        answer(b""),
        answer({"id": "a"}),
        answer(b"[{]"),
        answer([inbox(1), 7]),
        answer([inbox(1), {"name": "without an id"}]),
        status(404, body="html"),
        NOT_THERE,
        status(400),
    ],
    ids=["html", "nothing", "object", "cut", "no objects", "no ids", "page", "404", "400"],
)
async def test_an_answer_that_is_no_list_changes_nothing(lake: Lake, fault: Fault) -> None:
    """The unit fails, the data set keeps its rows, and the next reading works."""
    await read_as(lake, inbox(1))
    before = lake.parts()
    lake.emulator.faults.clear()
    lake.emulator.faults.after("getInboxes", 0, fault)

    result = await read(lake)

    assert result.state is UnitState.FAILED
    assert result.detail
    assert lake.parts() == before
    assert (await read_as(lake, inbox(1))).state is UnitState.UNCHANGED


@pytest.mark.parametrize("fault", [answer(b"<html>"), answer([7]), status(404, body="html")], ids=["html", "7", "404"])
async def test_one_odd_answer_costs_no_more_than_another_request(lake: Lake, fault: Fault) -> None:
    """It is asked for again, like one whose answer was lost."""
    lake.emulator.faults.script("getInboxes", [fault])

    result = await read(lake)

    assert (result.state, result.detail) == (UnitState.DONE, "")
    assert lake.emulator.requests.by_operation["getInboxes"] == 2


async def test_a_list_at_its_cap_is_kept_and_told(lake: Lake) -> None:
    """No row counts as gone while a list is cut, and the exit code says so until it is complete again."""
    rows = [{"id": f"a-{n}", "language": "en-us", "name": f"n {n}"} for n in range(1001)]
    await read_as(lake, rows[1000], rows[0], word="public-answers")
    later(lake, days=1)

    cut = await read_as(lake, *rows[:1000], word="public-answers")

    assert (cut.state, cut.created) == (UnitState.INCOMPLETE, 999)
    assert "1,000" in cut.detail
    assert lake.manifests("public-answers")["list"].incomplete == cut.detail
    assert names(lake, "public-answers")["a-1000"]["_gone_since"] is None
    before = lake.parts()
    assert (await read_as(lake, *rows[:1000], word="public-answers")).state is UnitState.INCOMPLETE
    assert lake.parts() == before
    whole = await read_as(lake, *rows[:900], word="public-answers")
    assert whole.state is UnitState.UNCHANGED
    assert lake.manifests("public-answers")["list"].incomplete is None


@pytest.mark.parametrize("format_", ["ndjson", "csv"])
async def test_lists_are_merged_in_every_format(lake: Lake, format_: str) -> None:
    """What was written is read back for the merge, in every format."""
    await read_as(lake, inbox(1), inbox(2), format=format_)
    later(lake, days=1)

    result = await read_as(lake, inbox(2), inbox(3, name='a "b", c\nd'), format=format_)
    again = await read_as(lake, inbox(2), inbox(3, name='a "b", c\nd'), format=format_)

    assert (result.created, result.updated, result.unchanged) == (1, 0, 1)
    assert (again.created, again.updated, again.unchanged) == (0, 0, 2)
    assert lake.manifests("inboxes")["list"].rows == 3
