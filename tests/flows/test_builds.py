"""`dataset build`: what it makes of a data set agrees with what happened in the organisation."""

import asyncio
import csv
import datetime as dt
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import orjson
import pyarrow.parquet as pq
import pytest

from bulkgladly.builds.build_columns import BUILT_TABLES
from bulkgladly.builds.run_build import BuildPlaces, BuildTimes, Built, build
from bulkgladly.emulator.operations.timeline import contact_of
from bulkgladly.emulator.seeding.history_plan import Story
from bulkgladly.emulator.seeding.seed_history import History
from bulkgladly.errors import InputError, UsageError
from bulkgladly.exports.event_windows import MARGIN, Events
from bulkgladly.exports.export_options import ReportQuery
from bulkgladly.gladly.objects.events import EVENTS_WINDOW
from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.rows import Origin
from bulkgladly.lake.schemas import DATA_SETS
from bulkgladly.lake.unit_writer import UnitWriter
from bulkgladly.lake.view_sql import views_of
from tests.flows.driving import Driver
from tests.flows.exporting import Lake, a_lake, as_lines
from tests.flows.history_answers import INBOXES, NAMES, TOPICS, name_of
from tests.flows.programs import program_in

DAYS = 3
NOON = dt.datetime(2026, 3, 20, 12, tzinfo=dt.UTC)
Row = dict[str, Any]


class Told(NamedTuple):
    """A data set, the history that it tells, and the instant from which it has events."""

    path: Path
    history: History
    events_from: dt.datetime


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """A data set of some days, with all that the tables are made of."""
    lake = a_lake(tmp_path_factory.mktemp("builds"), seed_history=DAYS, report_rate=None)
    assert lake.emulator.history is not None
    asyncio.run(export_all(lake))
    return Told(lake.out, lake.emulator.history, lake.wall.now - EVENTS_WINDOW + MARGIN)


async def export_all(lake: Lake) -> None:
    today = lake.wall.now.date()
    query = ReportQuery(("ConversationExportReport",), first=today - dt.timedelta(days=DAYS), last=today)
    async with lake.emulator:
        await lake.dump("items", "customers", "agents-list", "topics-list", "inboxes")
        await lake.export("profiles", "conversations", from_dataset=lake.out)
        await lake.export("report", report=query)
        await Driver(lake).drive(lambda _: Events())


def put(path: Path, data_set: str, *nights: Sequence[Row]) -> None:
    """Publish one unit for each night."""
    with DataFolder.open(path, host="https://sample.example.org", create=True, now=lambda: NOON).lock() as folder:
        for night, rows in enumerate(nights):
            job = {"_job_updated_at": NOON + dt.timedelta(days=night)}
            columns = job if "_job_updated_at" in DATA_SETS[data_set].schema.names else {"_fetched_at": NOON}
            writer = UnitWriter(folder, DATA_SETS[data_set], f"unit{night}", Origin(f"unit{night}", "a.jsonl", columns))
            writer.convert([as_lines(rows)])
            writer.commit()


def built(
    path: Path, table: str, out: Path | None = None, pages: Path | None = None, times: BuildTimes | None = None
) -> Built:
    return build(DataFolder.open(path), table, BuildPlaces(out, pages), times)


def rows_of(path: Path, table: str, folder: Path, times: BuildTimes | None = None) -> list[Row]:
    """The rows of a table, through Parquet."""
    out = folder / f"{table}.parquet"
    assert built(path, table, out, times=times).rows == pq.read_metadata(out).num_rows
    return pq.read_table(out).to_pylist()


def milli(moment: dt.datetime | None) -> dt.datetime | None:
    """A time as Gladly tells it."""
    return None if moment is None else moment.replace(microsecond=moment.microsecond // 1000 * 1000)


# --- conversations ---


def closed_at(story: Story) -> dt.datetime | None:
    return milli(story.closed or (story.ended if story.channel == "PHONE_CALL" and not story.accepted else None))


def has_items(story: Story) -> bool:
    """A call is an item only when it is over."""
    return story.channel != "PHONE_CALL" or story.ended is not None


@pytest.fixture(scope="module")
def conversations(told: Told, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Row]:
    """The rows of all conversations, by id."""
    rows = rows_of(told.path, "conversations", tmp_path_factory.mktemp("conversations"))
    return {row["conversation_id"]: row for row in rows}


def test_conversations_tell_what_happened(told: Told, conversations: dict[str, Row]) -> None:
    """Names instead of ids, times, the first response, and every message in order."""
    rows = conversations

    assert len(told.history.stories) > 50
    assert set(rows) == {story.id for story in told.history.stories}
    for story in told.history.stories:
        row = rows[story.id]
        assert row["customer"] == name_of(story.customer_id)
        assert row["inbox"] == INBOXES[story.inbox_id]
        assert row["agent"] == (NAMES[story.agent_id] if story.accepted else None)
        assert row["topics"] == ([TOPICS[story.topic_id]] if story.accepted else None)
        assert (row["opened_at"], row["closed_at"]) == (milli(story.started), closed_at(story))
        assert (row["status"] == "CLOSED") is (closed_at(story) is not None)
        if has_items(story):
            assert row["first_response_s"] == (
                None if story.first_response_s is None else pytest.approx(story.first_response_s, abs=0.0011)
            )


def test_messages_are_those_of_the_history(told: Told, conversations: dict[str, Row]) -> None:
    """In the order of time, with who wrote them; notes are among them, and changes are only counted."""
    rows = conversations

    for story in told.history.stories:
        messages = rows[story.id]["messages"]
        wanted = [(milli(each.at), each.by.lower(), story.channel) for each in story.messages]
        if story.channel == "PHONE_CALL" and story.ended:
            wanted.append((milli(story.started), "customer", "PHONE_CALL"))
        if story.note_at:
            wanted.append((milli(story.note_at), "agent", "NOTE"))
        assert [(each["at"], each["who"], each["channel"]) for each in messages] == sorted(wanted)
        people = {"agent": NAMES[story.agent_id], "customer": name_of(story.customer_id)}
        assert all(each["name"] == people[each["who"]] for each in messages)
        counts = {each["channel"]: each["items"] for each in rows[story.id]["items_by_channel"]}
        calls = 1 if story.channel == "PHONE_CALL" and story.ended else 0
        assert counts.get(story.channel, 0) == len(story.messages) + calls
        assert counts.get("TOPIC_CHANGE", 0) == (1 if story.accepted else 0)
        assert all((each["text"] or "") in rows[story.id]["text"] for each in messages)
    notes = [each["text"] for row in rows.values() for each in row["messages"] if each["channel"] == "NOTE"]
    assert set(notes) == {"Knows the order number."}


def test_conversations_agree_with_the_views(told: Told, tmp_path: Path) -> None:
    """Those of `dataset sql`, which are made in another way."""
    built(told.path, "conversations", tmp_path / "c.parquet")
    with duckdb.connect() as duck:
        duck.execute("SET TimeZone = 'UTC'")
        duck.execute(views_of(DataFolder.open(told.path)).sql)
        made = f"""SELECT conversation_id, customer_id, status, opened_at, closed_at, inbox_id, inbox, agent_id, agent,
            topic_ids, channel, first_response_s FROM '{tmp_path}/c.parquet'"""  # noqa: S608  # a folder of the test
        view = """SELECT conversation_id, customer_id, status, created_at, closed_at, inbox_id, inbox_name, agent_id,
            agent_name, topic_ids, channel, first_response_s FROM conversations_enriched"""
        for one, other in ((made, view), (view, made)):
            assert duck.sql(f"({one}) EXCEPT ALL ({other})").fetchall() == []


def test_the_order_and_the_bytes_are_always_the_same(told: Told, tmp_path: Path) -> None:
    """By when a conversation was opened; NDJSON and CSV have the same rows."""
    rows = rows_of(told.path, "conversations", tmp_path)
    keys = [(row["opened_at"], row["conversation_id"]) for row in rows]
    first = (tmp_path / "conversations.parquet").read_bytes()
    for name in ("c.ndjson", "c.csv"):
        built(told.path, "conversations", tmp_path / name)
        assert oct((tmp_path / name).stat().st_mode)[-3:] == "600"
    built(told.path, "conversations", tmp_path)

    assert keys == sorted(keys)
    assert (tmp_path / "conversations.parquet").read_bytes() == first
    lines = [orjson.loads(line) for line in (tmp_path / "c.ndjson").read_bytes().splitlines()]
    with (tmp_path / "c.csv").open(encoding="utf-8", newline="") as file:
        cells = list(csv.DictReader(file))
    for row, line, cell in zip(rows, lines, cells, strict=True):
        assert dt.datetime.fromisoformat(line["opened_at"]) == row["opened_at"]
        assert [each["text"] for each in line["messages"]] == [each["text"] for each in row["messages"]]
        assert line["text"] == row["text"] == cell["text"]
        assert orjson.loads(cell["messages"]) == line["messages"]
        assert cell["closed_at"] == (line["closed_at"] or "")
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_since_and_until_choose_by_when_it_was_opened(
    told: Told, conversations: dict[str, Row], tmp_path: Path
) -> None:
    """The first instant is in, the last one is not."""
    whole = list(conversations.values())
    since, until = whole[10]["opened_at"], whole[20]["opened_at"]

    assert rows_of(told.path, "conversations", tmp_path, BuildTimes(since, until)) == whole[10:20]


def item(number: int, kind: str = "SMS", **more: Any) -> Row:
    content = {"type": kind, "content": f"text {number}", **more.pop("content", {})}
    who = {"id": "c", "type": "CUSTOMER"}
    at = f"2026-03-19T10:{number:02}:00Z"
    place = {"conversationId": "k", "customerId": "c", "initiator": who, "timestamp": at}
    return {"id": f"i{number}", **place, "content": content, **more}


def test_what_a_data_set_lacks_is_null_and_told(tmp_path: Path) -> None:
    """Items alone give messages, and what they say of status and topics; the rest is null."""
    changes = [
        item(2, "TOPIC_CHANGE", content={"content": None, "addedTopicIds": ["t1", "t2"]}),
        item(3, "TOPIC_CHANGE", content={"content": None, "removedTopicIds": ["t1"]}),
        item(4, "CONVERSATION_STATUS_CHANGE", content={"content": None, "status": "CLOSED"}),
    ]
    put(tmp_path / "lake", "items", [item(1), *changes, item(5, conversationId=None)])

    made = built(tmp_path / "lake", "conversations", tmp_path / "c.parquet")
    (row,) = pq.read_table(tmp_path / "c.parquet").to_pylist()

    assert [one.names[0] for one in made.missing] == [
        *("conversations", "profiles", "agents-list", "inboxes", "topics-list")
    ]
    assert all(one.command.startswith("bulkgladly export ") for one in made.missing)
    assert (row["status"], row["topic_ids"], row["customer_id"]) == ("CLOSED", ["t2"], "c")
    assert row["closed_at"] == dt.datetime(2026, 3, 19, 10, 4, tzinfo=dt.UTC)
    assert {row[name] for name in ("customer", "inbox", "agent", "inbox_id", "agent_id")} == {None}
    assert row["topics"] is None
    assert row["text"] == "2026-03-19 10:01 UTC  customer (customer, SMS)\ntext 1"


def test_the_newest_row_of_each_key_counts(tmp_path: Path) -> None:
    """An item that a later job has again is there once, in the conversation where it is now."""
    lake = tmp_path / "lake"
    put(lake, "items", [item(1), item(2), item(2)], [item(2, conversationId="l", content={"content": "newer"})])
    put(lake, "customers", [{"id": "c", "name": "Old"}], [{"id": "c", "name": "Ada Sample"}])

    rows = rows_of(lake, "conversations", tmp_path)

    assert [(row["conversation_id"], row["customer"]) for row in rows] == [("k", "Ada Sample"), ("l", "Ada Sample")]
    assert [[each["text"] for each in row["messages"]] for row in rows] == [["text 1"], ["newer"]]


def test_a_damaged_part_leaves_the_earlier_file(tmp_path: Path) -> None:
    """And nothing beside it: neither the table nor the pages are there in part."""
    lake, out, pages = tmp_path / "lake", tmp_path / "c.csv", tmp_path / "pages"
    put(lake, "items", [item(1)], [item(2)])
    built(lake, "conversations", out, pages)
    before = {path: path.read_bytes() for path in (out, *pages.rglob("*.html"))}
    part = max((lake / "items").rglob("*.parquet"))
    part.write_bytes(part.read_bytes()[:-9])

    with pytest.raises(InputError, match="dataset verify"):
        built(lake, "conversations", out, pages)

    assert {path: path.read_bytes() for path in (out, *pages.rglob("*.html"))} == before
    assert {path.name for path in tmp_path.iterdir()} == {"lake", "c.csv", "pages"}


def test_places_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    """Before anything is read; nothing of others is replaced, and nothing is written into the data set."""
    lake, theirs = tmp_path / "lake", tmp_path / "theirs"
    put(lake, "items", [item(1)])
    theirs.mkdir()
    (theirs / "notes.txt").write_text("mine", encoding="utf-8")

    for table, out, pages, message in (
        ("conversations", lake / "c.csv", None, "inside the data set"),
        ("conversations", tmp_path / "c.xlsx", None, r"\*\.parquet, \*\.ndjson or \*\.csv"),
        ("conversations", tmp_path / "none" / "c.csv", None, "create it first"),
        ("conversations", None, theirs, r"holds 'notes\.txt'"),
        ("conversations", None, theirs / "notes.txt", "not a folder"),
        ("agent-intervals", None, tmp_path / "pages", "pages of conversations only"),
        ("agent-intervals", tmp_path / "a.csv", None, "no rows of events"),
        ("people", None, None, "choose conversations, agent-intervals or contact-lifecycles"),
    ):
        with pytest.raises(UsageError, match=message):
            built(lake, table, out, pages)
    assert (theirs / "notes.txt").read_text(encoding="utf-8") == "mine"
    assert {path.name for path in tmp_path.iterdir()} == {"lake", "theirs"}


# --- from events ---


def test_intervals_of_agents_agree_with_their_shifts(told: Told, tmp_path: Path) -> None:
    """Of the day that events reach back to: available, away for lunch, available, logged out."""
    rows = rows_of(told.path, "agent-intervals", tmp_path)
    shifts = [each for each in told.history.shifts if each.begin > told.events_from]

    assert len(shifts) > 2
    for shift in shifts:
        steps = [
            ("available", None, shift.begin, shift.away),
            ("away", "Lunch", shift.away, shift.back),
            ("available", "Available", shift.back, shift.end),
            ("logged_out", None, shift.end, None),
        ]
        mine = [row for row in rows if row["agent_id"] == shift.agent_id and row["from_at"] >= milli(shift.begin)]
        assert [(row["state"], row["from_at"], row["to_at"]) for row in mine] == [
            (state, milli(begin), milli(end)) for state, _, begin, end in steps
        ]
        assert [row["reason"] for row in mine] == ["Available", "Lunch", "Available", None]
        assert {row["agent"] for row in mine} == {NAMES[shift.agent_id]}
        assert all(row["seconds"] == (row["to_at"] - row["from_at"]).total_seconds() for row in mine if row["to_at"])


def test_lives_of_contacts_agree_with_the_history(told: Told, tmp_path: Path) -> None:
    """Of those that started since events are there: when they were accepted and ended, by whom, and how."""
    rows = {row["contact_id"]: row for row in rows_of(told.path, "contact-lifecycles", tmp_path)}
    stories = [each for each in told.history.stories if each.started > told.events_from]

    assert len(stories) > 20
    for story in stories:
        row = rows[contact_of(story.id, story.channel)]
        assert (row["conversation_id"], row["customer_id"]) == (story.id, story.customer_id)
        assert (row["channel"], row["inbox"]) == (story.channel, INBOXES[story.inbox_id])
        assert row["agent"] == (NAMES[story.agent_id] if story.accepted else None)
        assert row["created_at"] == milli(story.started)
        assert row["first_offered_at"] == row["first_accepted_at"] == milli(story.accepted)
        assert row["ended_at"] == milli(story.ended)
        assert row["status"] == (("ANSWERED" if story.accepted else "ABANDONED") if story.ended else None)
        assert [each["outcome"] for each in row["offers"]] == (["accepted"] if story.accepted else [])
        by = Counter(message.by for message in story.messages)
        assert (row["messages_in"], row["messages_out"]) == (by["CUSTOMER"], by["AGENT"])
        if story.accepted:
            wait_s = (story.accepted - story.started).total_seconds()
            assert row["wait_s"] == pytest.approx(wait_s, abs=0.0011)


def test_rows_across_a_gap_say_so(tmp_path: Path) -> None:
    """What happened while nothing was fetched is not known."""
    hour = dt.timedelta(hours=1)
    lake = tmp_path / "lake"
    with DataFolder.open(lake, host="https://sample.example.org", create=True).lock() as folder:
        for number, begin in enumerate((NOON, NOON + 9 * hour)):
            rows = [event(begin + n * hour, 10 * number + n, n % 2 == 0) for n in range(3)]
            origin = Origin(f"unit{number}", "events", {"_fetched_at": NOON})
            writer = UnitWriter(folder, DATA_SETS["events"], f"unit{number}", origin)
            writer.convert([as_lines(rows)])
            writer.commit(covered=(begin, begin + 3 * hour))

    found = rows_of(lake, "agent-intervals", tmp_path)

    assert [(row["state"], row["has_gap"]) for row in found] == [
        *(("available", False), ("unavailable", False), ("available", True)),
        *(("unavailable", False), ("available", False)),
    ]
    middle = BuildTimes(NOON + 4 * hour, NOON + 5 * hour)
    assert rows_of(lake, "agent-intervals", tmp_path, middle) == found[2:3]


def event(at: dt.datetime, number: int, is_available: bool) -> Row:
    content = {"agentId": "a", "availableFor": ["MAIL"] if is_available else [], "occurredAt": at.isoformat()}
    about = {"id": f"e{number}", "type": "AGENT_AVAILABILITY/UPDATED", "timestamp": at.isoformat()}
    return {**about, "initiator": {"id": "a", "type": "AGENT"}, "content": content}


# --- the command ---


def test_the_command_says_what_it_wrote(
    told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And with --json the same for programs. By default the table is in this folder."""
    program = program_in(tmp_path, monkeypatch)
    put(tmp_path / "lake", "items", [item(1)])

    assert program("dataset", "build", "lake", "conversations") == 0
    assert "conversations.parquet: 1 conversation\n" in (said := capsys.readouterr().err)
    assert "the names of agents: not in the data set (agents-list or agents); run `bulkgladly export" in said
    assert program("dataset", "build", "lake", "conversations", "--html", "pages", "--json") == 0
    document = orjson.loads(capsys.readouterr().out)
    assert (document["rows"], document["path"], document["html"]) == (1, None, "pages")
    assert program("dataset", "build", str(told.path), "agent-intervals", "-o", "a.csv", "--since", "2026") == 2
    assert program("dataset", "build", "lake", "contact-lifecycles") == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["conversations.parquet", "lake", "pages"]


def test_every_column_is_explained() -> None:
    """On the page about it, under its table."""
    page = (Path(__file__).parents[2] / "docs" / "documents.md").read_text(encoding="utf-8")
    for columns in BUILT_TABLES.values():
        for column in columns:
            assert f"| `{column.name}` | {column.meaning} |" in page


@pytest.fixture(autouse=True)
def quiet_folder(tmp_path: Path) -> Iterator[None]:
    """No build leaves a file with the name of something unfinished."""
    yield
    assert not list(tmp_path.rglob(".*.building"))
