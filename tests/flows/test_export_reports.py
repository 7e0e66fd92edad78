"""Reports into a data set: every row of every day once, even if replies are cut, odd, or revised."""

import contextlib
import datetime as dt
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

import pyarrow as pa
import pyarrow.dataset as pads
import pytest

from bulkgladly import Pace
from bulkgladly.api import Client, ClientOptions, Pacer
from bulkgladly.emulator import drop_reply, half_body, reset, status, wrong_length
from bulkgladly.emulator.faults.fault import Fault
from bulkgladly.emulator.protocol.replies import Reply
from bulkgladly.errors import InputError, NotAuthenticated, Outage, UsageError
from bulkgladly.exports.export_context import Context
from bulkgladly.exports.export_options import ReportQuery
from bulkgladly.exports.report_fetch import TRIES
from bulkgladly.exports.report_plan import FIRST_DAYS, estimate
from bulkgladly.exports.report_units import Reports
from bulkgladly.exports.unit_kinds import UnitResult
from bulkgladly.gladly.metric_sets import column_names
from bulkgladly.journal.units import UnitLine, UnitLog
from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.manifest import Manifest
from bulkgladly.lake.verify import verify
from bulkgladly.runs.observer import Observer
from tests.flows.exporting import TOKEN, Lake

CONVERSATIONS, CONTACTS, EVENTS = "ConversationExportReport", "ContactExportReportV3", "ContactTimestampsReport"
SUMMARY = "AgentSummaryV2"
REPORT = "generateReport"
FIRST, LAST = dt.date(2026, 3, 2), dt.date(2026, 3, 15)
"""Two whole weeks, read for the first time on 20 March."""
DAY = dt.timedelta(days=1)


@dataclass
class Run:
    """What one run did, by data set and unit."""

    results: dict[tuple[str, str], UnitResult] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def states(self) -> dict[str, int]:
        return dict(Counter(result.state.value for result in self.results.values()))

    @property
    def details(self) -> list[str]:
        return [result.detail for result in self.results.values() if result.detail]

    def total(self, name: str) -> int:
        return sum(getattr(result, name) for result in self.results.values())


@dataclass
class Desk:
    """An organisation with reports, and the data set that they go to."""

    lake: Lake
    folder: type[DataFolder] = DataFolder

    def rows(self, metric_set: str, first: dt.date = FIRST, last: dt.date = LAST) -> list[dict[str, str]]:
        """What the organisation's reports say of some days, without the empty cells, by column."""
        found: list[dict[str, str]] = []
        for at in range((last - first).days + 1):
            for row in self.lake.emulator.reports.rows(metric_set, day=first + at * DAY):
                names = column_names(list(row))
                found.append({name: plain(value) for name, value in zip(names, row.values(), strict=True) if value})
        return found

    def table(self, data_set: str) -> pa.Table:
        """A data set, opened as anybody would."""
        return pads.dataset(self.lake.out / data_set, partitioning="hive").to_table()

    def texts(self, data_set: str) -> list[dict[str, str]]:
        """The rows of a data set as the report's own texts, without what is ours."""
        rows = self.table(data_set).to_pylist()
        return [
            {
                name: text(value)
                for name, value in row.items()
                if value is not None and name[0] != "_" and name != "window"
            }
            for row in rows
        ]

    def manifests(self, data_set: str) -> dict[str, Manifest]:
        return {manifest.unit: manifest for manifest in DataFolder.open(self.lake.out).manifests(data_set)}

    @asynccontextmanager
    async def context(self, **options: Any) -> AsyncIterator[Context]:
        """What tasks work with, as a run has it, without a pace."""
        lake = self.lake
        lake.folder.joinpath("journal").mkdir(exist_ok=True)
        log = UnitLog(lake.folder / "journal")
        now = lake.wall.now
        client = Client(
            lake.emulator.url,
            lake.emulator.options.username,
            TOKEN,
            pacer=Pacer(unlimited=True),
            reports_pacer=Pacer(unlimited=True),
            options=ClientOptions(random=lambda: 0.0),
        )
        opened = self.folder.open(lake.out, host=lake.emulator.url, create=True, now=lambda: now).lock()
        with contextlib.closing(log), opened as folder:
            folder.recover()
            async with client:
                yield Context(
                    client=client,
                    folder=folder,
                    options=lake.options("report", pace=Pace(unlimited=True), **options),
                    log=log,
                    observer=Observer(),
                    host=lake.emulator.url,
                    now=now,
                )

    async def fetch(
        self,
        *metric_sets: str,
        first: dt.date | None = FIRST,
        last: dt.date | None = LAST,
        row_cap: int = 100_000,
        units: int | None = None,
        options: dict[str, Any] | None = None,
        **query: Any,
    ) -> Run:
        """Export reports; with `units`, as if the process died after that many."""
        run = Run()
        asked = ReportQuery(metric_sets, first=first, last=last, **query)
        async with self.context(**(options or {})) as context:
            async for task in Reports(asked, row_cap=row_cap).units(context):
                if units is not None and len(run.results) == units:
                    break
                result = await task.run(context)
                assert result is not None
                run.results[task.data_set, task.name] = result
            run.notes = context.notes
        return run


def text(value: Any) -> str:
    """A value as it was in the report."""
    if isinstance(value, dt.datetime):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, bool):
        return str(value).lower()
    return plain(str(value))


def plain(value: str) -> str:
    """A whole number without its decimal point."""
    return value.removesuffix(".0")


def by(rows: list[dict[str, str]], *names: str) -> list[dict[str, str]]:
    return sorted(rows, key=lambda row: [row.get(name, "") for name in names])


def in_order(rows: list[dict[str, str]]) -> list[list[tuple[str, str]]]:
    """Rows in a form that can be compared in any order."""
    return sorted(sorted(row.items()) for row in rows)


def answering(code: int, body: bytes) -> Fault:
    """A scripted answer with this body."""
    plain = status(code)
    assert plain.reply is not None
    return replace(plain, reply=plain.reply._replace(body=body))


@pytest.fixture
async def make_desk(make_lake: Callable[..., Any]) -> Callable[..., Any]:
    """Make an organisation whose reports have no limits but those that a test sets."""

    async def make(**options: Any) -> Desk:
        return Desk(await make_lake(**{"report_rate": None, "report_concurrency": None, **options}))

    return make


@pytest.fixture
async def desk(make_desk: Callable[..., Any]) -> Desk:
    found: Desk = await make_desk()
    return found


async def test_windows_together_are_the_report(desk: Desk) -> None:
    """Two weeks, two requests, every row once, with its values typed."""
    run = await desk.fetch(CONVERSATIONS)

    assert run.states == {"done": 2}
    assert desk.lake.asked() == {REPORT: 2}
    assert by(desk.texts(f"reports/{CONVERSATIONS}"), "conversation_id") == by(
        desk.rows(CONVERSATIONS), "conversation_id"
    )
    assert run.total("created") == 14 * 20
    windows = Counter(desk.table(f"reports/{CONVERSATIONS}").column("window").to_pylist())
    assert windows == {"2026-03-02_2026-03-08": 140, "2026-03-09_2026-03-15": 140}


async def test_rows_say_when_and_for_which_days_they_were_fetched(desk: Desk) -> None:
    """The provenance of each row, and the manifest's range of time."""
    await desk.fetch(CONVERSATIONS, first=dt.date(2026, 3, 4), last=dt.date(2026, 3, 6))

    row = desk.table(f"reports/{CONVERSATIONS}").to_pylist()[0]
    (manifest,) = desk.manifests(f"reports/{CONVERSATIONS}").values()
    assert (row["_fetched_at"], row["_window_start"], row["_window_end"]) == (
        desk.lake.wall.now,
        "2026-03-04",
        "2026-03-06",
    )
    assert manifest.unit == "2026-03-02_2026-03-08"
    assert manifest.covered == (
        dt.datetime(2026, 3, 4, tzinfo=dt.UTC),
        dt.datetime(2026, 3, 7, tzinfo=dt.UTC),
    )


@pytest.mark.parametrize("cap", [21, 50, 100])
async def test_windows_that_are_cut_are_halved_until_nothing_is_missing(
    make_desk: Callable[..., Any], cap: int
) -> None:
    """The answer says nothing of the cut; the rows are all there all the same."""
    desk = await make_desk(report_row_cap=cap)

    run = await desk.fetch(CONVERSATIONS, row_cap=cap)

    assert run.states == {"done": 2}
    assert by(desk.texts(f"reports/{CONVERSATIONS}"), "conversation_id") == by(
        desk.rows(CONVERSATIONS), "conversation_id"
    )


async def test_a_later_window_begins_with_what_an_earlier_one_had_room_for(make_desk: Callable[..., Any]) -> None:
    """The first week takes 13 requests to come down to days, the next seven."""
    desk = await make_desk(report_row_cap=21)

    await desk.fetch(CONVERSATIONS, row_cap=21)

    assert desk.lake.asked() == {REPORT: 13 + 7}


async def test_a_day_that_filters_had_to_divide_is_kept_and_marked(make_desk: Callable[..., Any]) -> None:
    """Rows without an inbox would be in no filtered answer, so completeness is not proven."""
    desk = await make_desk(report_rows_per_day=60, report_row_cap=50)

    run = await desk.fetch(CONVERSATIONS, first=FIRST, last=FIRST, row_cap=50)

    (manifest,) = desk.manifests(f"reports/{CONVERSATIONS}").values()
    assert run.states == {"incomplete": 1}
    (detail,) = run.details
    assert "cut at 50 rows; filters brought it to 60, and 0 rows of the cut answer were in no filtered one" in detail
    assert manifest.incomplete == detail
    assert by(desk.texts(f"reports/{CONVERSATIONS}"), "conversation_id") == by(
        desk.rows(CONVERSATIONS, FIRST, FIRST), "conversation_id"
    )


async def test_an_inbox_that_is_cut_itself_proves_nothing(make_desk: Callable[..., Any]) -> None:
    """Its answer brought no row more than the cut one, since both were cut at the same."""
    desk = await make_desk(report_row_cap=50)
    one = {"Created At": f"{FIRST}T10:00:00.000Z", "Inbox ID - Current": "inbox-1"}
    rows = [one | {"Conversation ID": f"conversation-{number}"} for number in range(60)]
    desk.lake.emulator.reports.add_rows(CONVERSATIONS, rows, day=FIRST, whole=True)

    run = await desk.fetch(CONVERSATIONS, first=FIRST, last=FIRST, row_cap=50)

    assert run.states == {"incomplete": 1}
    assert run.total("created") == 50


async def test_a_day_is_not_divided_if_the_inboxes_cannot_be_listed(make_desk: Callable[..., Any]) -> None:
    """The window fails, and the next run tries again."""
    desk = await make_desk(report_rows_per_day=60, report_row_cap=50)
    desk.lake.emulator.faults.script("getInboxes", [status(400)])

    run = await desk.fetch(CONVERSATIONS, first=FIRST, last=FIRST, row_cap=50)

    assert run.states == {"failed": 1}
    assert run.details == ["the list of inboxes could not be read: Gladly answered 400: scripted 400"]


async def test_a_day_of_exactly_the_cap_is_whole_if_filters_bring_nothing_more(make_desk: Callable[..., Any]) -> None:
    """The answer was not cut after all."""
    desk = await make_desk(report_rows_per_day=50, report_row_cap=50)

    run = await desk.fetch(CONVERSATIONS, first=FIRST, last=FIRST, row_cap=50)

    assert run.states == {"done": 1}
    assert run.total("created") == 50


async def test_who_names_inboxes_gets_all_of_theirs(make_desk: Callable[..., Any]) -> None:
    """Each named inbox has answered, so nothing can be missing."""
    desk = await make_desk(report_rows_per_day=90, report_row_cap=50)
    wanted = [
        row for row in desk.rows(CONVERSATIONS, FIRST, FIRST) if row["inbox_id_current"] in ("inbox-1", "inbox-2")
    ]

    run = await desk.fetch(CONVERSATIONS, first=FIRST, last=FIRST, row_cap=50, inboxes=("inbox-2", "inbox-1"))

    assert len(wanted) > 50
    assert run.states == {"done": 1}
    ((data_set, _),) = run.results
    assert by(desk.texts(data_set), "conversation_id") == by(wanted, "conversation_id")


async def test_a_day_above_the_cap_without_a_filter_keeps_what_came(make_desk: Callable[..., Any]) -> None:
    """The rows are there, the unit says that they are not all."""
    desk = await make_desk(report_row_cap=15)

    run = await desk.fetch(EVENTS, first=FIRST, last=FIRST, row_cap=15)

    assert run.states == {"incomplete": 1}
    assert run.details == ["2026-03-02_2026-03-02: an answer was cut at 15 rows, and no filter divides it further"]
    assert desk.table(f"reports/{EVENTS}").num_rows == 15


async def test_sums_are_never_put_together_from_filters(make_desk: Callable[..., Any]) -> None:
    """A filter would change them: no list of inboxes is asked for."""
    desk = await make_desk(report_row_cap=2)

    run = await desk.fetch("ContactSummaryReport", first=FIRST, last=FIRST, row_cap=2)

    assert run.states == {"incomplete": 1}
    assert desk.lake.asked() == {REPORT: 1 + 0}


async def test_a_second_run_on_the_same_day_writes_nothing(desk: Desk) -> None:
    """The window within the look-back is asked for again and is as it was; the older one is left alone."""
    await desk.fetch(CONVERSATIONS, last=dt.date(2026, 3, 18))
    before = desk.lake.parts()
    desk.lake.forget()

    run = await desk.fetch(CONVERSATIONS, last=dt.date(2026, 3, 18))

    assert run.states == {"unchanged": 1}
    assert run.total("unchanged") == 3 * 20
    assert desk.lake.asked() == {REPORT: 1}
    assert desk.lake.parts() == before


async def test_a_window_is_asked_for_again_until_it_is_settled(desk: Desk) -> None:
    """Three days after its last day it is final, and the next run asks nothing."""
    asked: list[int] = []
    for night in range(6):
        desk.lake.wall.now = dt.datetime(2026, 3, 16 + night, 3, tzinfo=dt.UTC)
        desk.lake.forget()
        await desk.fetch(CONVERSATIONS)
        asked.append(desk.lake.asked().get(REPORT, 0))

    assert asked == [2, 1, 1, 1, 0, 0]


async def test_restated_rows_take_the_place_of_what_they_were(desk: Desk) -> None:
    """A conversation that closes later is updated by its key, and nothing else is written again."""
    await desk.fetch(CONVERSATIONS)
    row = desk.rows(CONVERSATIONS)[5]
    day = dt.date.fromisoformat(row["created_at"][:10])
    closed = {"Conversation ID": row["conversation_id"], "Status": "CLOSED", "Last Closed At": f"{day}T23:30:00.000Z"}
    added = {"Conversation ID": "conversation-late", "Created At": f"{day}T23:00:00.000Z", "Status": "OPEN"}
    desk.lake.emulator.reports.add_rows(CONVERSATIONS, [closed, added], day=day)

    run = await desk.fetch(CONVERSATIONS, options={"refresh": True})

    assert (run.total("created"), run.total("updated"), run.total("unchanged")) == (1, 1, 14 * 20 - 1)
    assert run.states == {"done": 1, "unchanged": 1}
    assert by(desk.texts(f"reports/{CONVERSATIONS}"), "conversation_id") == by(
        desk.rows(CONVERSATIONS), "conversation_id"
    )


async def test_rows_that_are_gone_stay_and_are_marked(desk: Desk) -> None:
    """A day that has fewer conversations than before loses none in the data set."""
    await desk.fetch(CONVERSATIONS)
    kept = {"Conversation ID": "conversation-only", "Created At": f"{FIRST}T10:00:00.000Z", "Status": "OPEN"}
    desk.lake.emulator.reports.add_rows(CONVERSATIONS, [kept], day=FIRST, whole=True)

    run = await desk.fetch(CONVERSATIONS, options={"refresh": True})

    gone = [row for row in desk.table(f"reports/{CONVERSATIONS}").to_pylist() if row["_gone_since"] is not None]
    assert run.total("created") == 1
    assert len(gone) == 20
    assert {row["_gone_since"] for row in gone} == {desk.lake.wall.now}
    assert desk.table(f"reports/{CONVERSATIONS}").num_rows == 14 * 20 + 1


async def test_a_row_that_came_broken_is_not_called_gone(desk: Desk) -> None:
    """A line that is not a row may be the new version of any row, so nothing that is missing counts as gone."""
    line = "{0},2026-03-02T10:00:00.000Z,{1}\n".format
    head, one, two = "Conversation ID,Created At,Status\n", line("c-1", "OPEN"), line("c-2", "OPEN")
    broken = line("c-1", "CLOSED").replace("\n", ",too,many\n")
    faults = [answering(200, text.encode()) for text in (head + one + two, head + broken + two, head + two)]
    desk.lake.emulator.faults.script(REPORT, faults)
    await desk.fetch(CONVERSATIONS, last=FIRST)

    second = await desk.fetch(CONVERSATIONS, last=FIRST, options={"refresh": True})
    after_second = gone_of(desk)
    await desk.fetch(CONVERSATIONS, last=FIRST, options={"refresh": True})

    assert (second.total("rejected"), second.total("unchanged")) == (1, 1)
    assert (after_second, gone_of(desk)) == ([], ["c-1"])


def gone_of(desk: Desk) -> list[str]:
    """The conversations that are marked as gone."""
    rows = desk.table(f"reports/{CONVERSATIONS}").to_pylist()
    return [row["conversation_id"] for row in rows if row["_gone_since"] is not None]


async def test_fewer_rows_without_a_key_are_told_and_not_taken(desk: Desk) -> None:
    """Nothing identifies an event, so the fuller reading stays."""
    await desk.fetch(EVENTS, first=FIRST, last=FIRST)
    before = desk.lake.parts()
    event = {"Timestamp": f"{FIRST}T10:00:00.000Z", "Event Type": "CONTACT/ENDED"}
    desk.lake.emulator.reports.add_rows(EVENTS, [event], day=FIRST, whole=True)

    run = await desk.fetch(EVENTS, first=FIRST, last=FIRST, options={"refresh": True})

    assert run.states == {"incomplete": 1}
    assert run.details == [
        "the response has 1 rows, but the data set has 20, and no key tells which are missing; they were kept"
    ]
    assert desk.lake.parts() == before


async def test_an_empty_answer_is_not_believed_where_rows_were(desk: Desk) -> None:
    """An empty body is also what an error looks like."""
    await desk.fetch(CONVERSATIONS)
    before = desk.table(f"reports/{CONVERSATIONS}")
    desk.lake.emulator.reports.oddities[CONVERSATIONS] = "empty_body"

    run = await desk.fetch(CONVERSATIONS, options={"refresh": True})

    assert run.states == {"incomplete": 2}
    assert all("the response is empty" in detail for detail in run.details)
    assert desk.table(f"reports/{CONVERSATIONS}").equals(before)


@pytest.mark.parametrize("empty", ["empty", "header"])
async def test_a_window_without_data_is_done(make_desk: Callable[..., Any], empty: str) -> None:
    """It has no part, but it is covered; later it may have rows."""
    desk = await make_desk(empty_report=empty, report_empty_days=tuple(f"2026-03-0{day}" for day in range(2, 9)))

    run = await desk.fetch(CONVERSATIONS, last=dt.date(2026, 3, 8))

    (manifest,) = desk.manifests(f"reports/{CONVERSATIONS}").values()
    assert run.states == {"done": 1}
    assert (manifest.rows, manifest.parts) == (0, ())
    assert manifest.covered is not None


@pytest.mark.parametrize("oddity", ["bom", "blank_first_lines", "extra_column"])
async def test_odd_answers_are_read_all_the_same(desk: Desk, oddity: Any) -> None:
    """As connectors have met them."""
    await desk.fetch(CONVERSATIONS, last=dt.date(2026, 3, 8))
    desk.lake.emulator.reports.oddities[CONVERSATIONS] = oddity

    run = await desk.fetch(CONVERSATIONS)

    assert run.states == {"done": 1}
    rows = desk.texts(f"reports/{CONVERSATIONS}")
    assert by(rows, "conversation_id") == by(desk.rows(CONVERSATIONS), "conversation_id")
    drift = [
        (each.path, each.count) for each in desk.manifests(f"reports/{CONVERSATIONS}")["2026-03-09_2026-03-15"].drift
    ]
    assert drift == ([("added_later", 7 * 20)] if oddity == "extra_column" else [])


@pytest.mark.parametrize(
    ("oddity", "message"),
    [("error_text", "its first line is 'Unexpected error occurred'"), ("missing_column", "no column conversation_id")],
)
async def test_something_else_than_the_report_is_no_unit(desk: Desk, oddity: Any, message: str) -> None:
    """It came with status 200; the data set keeps its rows, and the next run requests again."""
    await desk.fetch(CONVERSATIONS, last=dt.date(2026, 3, 8))
    before = desk.lake.parts()
    desk.lake.emulator.reports.oddities[CONVERSATIONS] = oddity

    failed = await desk.fetch(CONVERSATIONS)
    after = desk.lake.parts()
    desk.lake.emulator.reports.oddities[CONVERSATIONS] = "none"
    again = await desk.fetch(CONVERSATIONS)

    assert failed.states == {"failed": 1}
    assert message in failed.details[0]
    assert after == before
    assert again.states == {"done": 1}


@pytest.mark.parametrize("fault", [half_body, wrong_length, reset, drop_reply], ids=lambda fault: fault.__name__)
async def test_a_broken_answer_is_asked_for_again(desk: Desk, fault: Callable[[], Any]) -> None:
    """No row is lost or there twice."""
    desk.lake.emulator.faults.script(REPORT, [fault()])

    run = await desk.fetch(CONVERSATIONS)

    assert run.states == {"done": 2}
    assert by(desk.texts(f"reports/{CONVERSATIONS}"), "conversation_id") == by(
        desk.rows(CONVERSATIONS), "conversation_id"
    )


async def test_an_answer_that_breaks_again_and_again_fails_its_window_alone(desk: Desk) -> None:
    """The next window is fetched, and the failed one the next time."""
    desk.lake.emulator.faults.script(REPORT, [half_body() for _ in range(TRIES)])

    run = await desk.fetch(CONVERSATIONS)

    assert run.states == {"failed": 1, "done": 1}
    assert f"{TRIES} downloads in a row broke off" in run.details[0]
    assert (await desk.fetch(CONVERSATIONS)).states == {"done": 1}


def nothing(content_type: str) -> Fault:
    return Fault("answer", executes=False, reply=Reply(200, b"", content_type=content_type))


@pytest.mark.parametrize("said", ["application/octet-stream", "text/html"])
async def test_a_report_without_a_byte_is_asked_for_again(said: str, desk: Desk) -> None:
    """Days without data have no byte either; a gateway's answer would make them days without data for ever."""
    desk.lake.emulator.faults.script(REPORT, [nothing(said)])

    run = await desk.fetch(CONVERSATIONS)

    assert run.states == {"done": 2}
    assert by(desk.texts(f"reports/{CONVERSATIONS}"), "conversation_id") == by(
        desk.rows(CONVERSATIONS), "conversation_id"
    )


async def test_days_without_data_may_have_a_report_without_a_type(desk: Desk) -> None:
    """As often as it is asked, and the organisation answers."""
    desk.lake.emulator.faults.after(REPORT, 0, nothing("application/octet-stream"))

    run = await desk.fetch(CONVERSATIONS)

    assert run.states == {"done": 2}


async def test_what_gladly_refuses_fails_with_its_reason(desk: Desk) -> None:
    """An inbox that does not exist is Gladly's to know."""
    run = await desk.fetch(CONVERSATIONS, inboxes=("inbox-77",), last=FIRST)

    assert run.states == {"failed": 1}
    assert "Gladly answered 400" in run.details[0]


async def test_an_answer_beyond_the_limit_fails_without_another_try(desk: Desk) -> None:
    """It would be as long the next time."""
    run = await desk.fetch(CONVERSATIONS, last=FIRST, options={"max_file_bytes": 1000})

    assert run.states == {"failed": 1}
    assert "1000 bytes" in run.details[0]
    assert desk.lake.asked() == {REPORT: 1}


@pytest.mark.parametrize(
    ("metric_set", "operation"),
    [
        ("WorkSessionEventsReport", "generateWorkSessionReport"),
        ("WorkSessionEventsReportV4", REPORT),
        ("WorkSessionEventsReportV3", REPORT),
    ],
)
async def test_work_sessions_of_days_are_whole_to_the_minute(desk: Desk, metric_set: str, operation: str) -> None:
    """The end's minute is included, so days neither overlap nor have gaps."""
    last = FIRST + 2 * DAY

    run = await desk.fetch(metric_set, last=last)

    assert run.states == {"done": 3}
    assert desk.lake.asked() == {operation: 3}
    assert by(desk.texts(f"reports/{metric_set}"), "contact_session_id") == by(
        desk.rows(metric_set, FIRST, last), "contact_session_id"
    )


async def test_a_minute_that_two_answers_share_is_there_once(desk: Desk) -> None:
    """Whether the end of a period is included is not known for version 4, so days end at midnight."""
    name = "WorkSessionEventsReportV4"
    for day, moment in ((FIRST, "23:59:30"), (FIRST + DAY, "00:00:20")):
        row = {"contact_session_id": f"contact-{day}", "agent_id": "agent-1"}
        ended = {"contact_session_ended_at": f"{day}T{moment}.000Z"}
        desk.lake.emulator.reports.add_rows(name, [row | ended], day=day)

    run = await desk.fetch(name, last=FIRST + DAY)

    assert run.states == {"done": 2}
    assert by(desk.texts(f"reports/{name}"), "contact_session_id") == by(
        desk.rows(name, FIRST, FIRST + DAY), "contact_session_id"
    )


@pytest.mark.parametrize("attr", ["startAt", "endAtTime", "timezone"])
async def test_the_other_form_of_a_period_is_tried_where_one_is_refused(desk: Desk, attr: str) -> None:
    """Sources differ on what version 4 takes, so both are right."""
    body = b'{"errors":[{"attr":"%s","code":"invalid"}]}' % attr.encode()
    desk.lake.emulator.faults.script(REPORT, [answering(400, body)])

    run = await desk.fetch("WorkSessionEventsReportV3", last=FIRST)

    assert run.states == {"done": 1}
    assert desk.lake.asked() == {REPORT: 2}


async def test_different_questions_do_not_mix(desk: Desk) -> None:
    """Weekly sums are another data set than daily ones, one channel another than all."""
    await desk.fetch(SUMMARY)
    await desk.fetch(SUMMARY, aggregation="weekly")
    await desk.fetch(CONTACTS, channel="voice")

    names = DataFolder.open(desk.lake.out).data_sets()

    assert names == [f"reports/{SUMMARY}", f"reports/{SUMMARY}~weekly", f"reports/{CONTACTS}~voice"]
    assert set(desk.table(f"reports/{CONTACTS}~voice").column("channel").to_pylist()) == {"PHONE_CALL"}


async def test_daily_sums_of_a_month_are_those_of_its_days(desk: Desk) -> None:
    """One request for the month; later days join it."""
    first = dt.date(2026, 3, 1)
    await desk.fetch(SUMMARY, first=first, last=dt.date(2026, 3, 10))

    run = await desk.fetch(SUMMARY, first=dt.date(2026, 3, 11), last=dt.date(2026, 3, 12))

    assert desk.lake.asked() == {REPORT: 2}
    assert run.total("created") == len(desk.rows(SUMMARY, dt.date(2026, 3, 11), dt.date(2026, 3, 12)))
    found = by(desk.texts(f"reports/{SUMMARY}"), "bucket_beginning", "agent_id")
    assert found == by(desk.rows(SUMMARY, first, dt.date(2026, 3, 12)), "bucket_beginning", "agent_id")
    (manifest,) = desk.manifests(f"reports/{SUMMARY}").values()
    assert (manifest.unit, manifest.generation) == ("2026-03-01_2026-03-31", 2)
    assert manifest.covered is not None
    assert manifest.covered[1] == dt.datetime(2026, 3, 13, tzinfo=dt.UTC)


async def test_a_day_without_rows_is_covered_all_the_same(make_desk: Callable[..., Any]) -> None:
    """The window keeps its rows, and covers one day more."""
    desk = await make_desk(report_empty_days=("2026-03-05",))
    await desk.fetch(CONVERSATIONS, last=dt.date(2026, 3, 4))

    run = await desk.fetch(CONVERSATIONS, last=dt.date(2026, 3, 5))

    (manifest,) = desk.manifests(f"reports/{CONVERSATIONS}").values()
    assert (run.states, run.total("unchanged")) == ({"done": 1}, 60)
    assert manifest.covered is not None
    assert manifest.covered[1] == dt.datetime(2026, 3, 6, tzinfo=dt.UTC)
    assert desk.table(f"reports/{CONVERSATIONS}").num_rows == 60


@pytest.mark.parametrize(("cap", "state"), [(2, "incomplete"), (3, "done")])
async def test_a_bad_record_is_kept_apart_and_counts_for_the_cap(desk: Desk, cap: int, state: str) -> None:
    """It stands in _rejects with its line and the days it was an answer for."""
    body = b"Timestamp,Event Type,Contact ID\n2026-03-02T10:00:00Z,CONTACT/ENDED,c\n2026-03-02T11:00:00Z,only two\n"
    desk.lake.emulator.faults.script(REPORT, [answering(200, body)])

    run = await desk.fetch(EVENTS, last=FIRST, row_cap=cap)

    assert (run.states, run.total("created"), run.total("rejected")) == ({state: 1}, 1, 1)
    (refused,) = desk.lake.rejects(f"reports/{EVENTS}")
    assert (refused["line"], refused["code"]) == (3, "ragged_row")
    assert refused["detail"] == "has 2 cells, the header has 3 (answer for 2026-03-02_2026-03-02)"
    (manifest,) = desk.manifests(f"reports/{EVENTS}").values()
    assert "initiator_type" in manifest.source["missing_columns"]


async def test_a_nightly_run_closes_gaps_and_goes_on(desk: Desk) -> None:
    """Without days: a month at first, then what is new, what may have changed, and what was left out."""
    first = await desk.fetch(EVENTS, first=None, last=None, units=5)
    desk.lake.wall.now += DAY

    second = await desk.fetch(EVENTS, first=None, last=None)

    assert next(name for _, name in first.results) == "2026-02-17_2026-02-17"
    assert len(second.results) == FIRST_DAYS - 5 + 1
    manifests = desk.manifests(f"reports/{EVENTS}")
    assert len(manifests) == FIRST_DAYS + 1
    assert max(manifests) == "2026-03-20_2026-03-20"


async def test_a_run_that_died_goes_on_where_it_was(desk: Desk) -> None:
    """Windows that were published are not asked for again; together they are the report."""
    died = await desk.fetch(EVENTS, units=5)
    desk.lake.forget()

    run = await desk.fetch(EVENTS)

    assert (len(died.results), len(run.results)) == (5, 9)
    assert desk.lake.asked() == {REPORT: 9}
    assert in_order(desk.texts(f"reports/{EVENTS}")) == in_order(desk.rows(EVENTS))


async def test_a_resumed_run_does_not_repeat_what_it_read(desk: Desk) -> None:
    """Also where the windows are within the look-back, or were to be refreshed: its journal tells."""
    async with desk.context(refresh=True) as context:
        tasks = [task async for task in Reports(ReportQuery((EVENTS,), first=FIRST, last=LAST)).units(context)]
        for task in tasks[:5]:
            result = await task.run(context)
            assert result is not None
            context.log.settle(UnitLine(task.data_set, task.name, result.state.value, result.created, 0, 0, 0, ""))

    run = await desk.fetch(EVENTS, options={"refresh": True})

    assert len(run.results) == len(tasks) - 5


class DyingFolder(DataFolder):
    """The process ends before anything of a unit is decided."""

    def commit(self, *_: object, **__: object) -> NoReturn:
        raise Outage("the process died here")


async def test_a_death_before_the_commit_leaves_what_was(desk: Desk) -> None:
    """The rows were fetched, and nothing of them is there; the next run fetches them again."""
    desk.folder = DyingFolder
    with pytest.raises(Outage):
        await desk.fetch(CONVERSATIONS)
    desk.folder = DataFolder
    left = [name for name in desk.lake.parts() if name.endswith((".parquet", ".partial"))]

    run = await desk.fetch(CONVERSATIONS)

    assert left == []
    assert run.states == {"done": 2}


async def test_columns_are_settled_by_the_first_answer(desk: Desk) -> None:
    """All parts have one schema, also those of a later version of the report."""
    day = dt.date(2026, 3, 2)
    name = "TaskExportReport"
    await desk.fetch(name, first=day, last=day)
    desk.lake.emulator.reports.oddities[name] = "extra_column"
    await desk.fetch(name, first=day + 7 * DAY, last=day + 7 * DAY)

    paths = sorted((desk.lake.out / f"reports/{name}").rglob("*.parquet"))
    schemas = [pads.dataset(path).schema for path in paths]
    assert len(paths) == 2
    assert schemas[0].equals(schemas[1], check_metadata=True)
    assert schemas[0].field("task_id").metadata == {b"bulkgladly.header": b"Task ID"}


async def test_a_damaged_note_of_the_columns_is_told(desk: Desk) -> None:
    """Guessing them would mix types."""
    await desk.fetch(CONVERSATIONS, last=FIRST)
    (note,) = (desk.lake.out / "_manifest" / "reports" / CONVERSATIONS).glob("_columns.json")
    note.write_bytes(b'{"format":9}')

    with pytest.raises(InputError, match="newer version"):
        await desk.fetch(CONVERSATIONS)


@pytest.mark.parametrize(("form", "suffix"), [("csv", ".csv"), ("ndjson", ".ndjson")])
async def test_other_formats_are_merged_like_parquet(desk: Desk, form: str, suffix: str) -> None:
    """What is there is read back from them: an unchanged report writes nothing."""
    form_options = {"format": form, "refresh": True}
    await desk.fetch(CONVERSATIONS, options=form_options)
    row = desk.rows(CONVERSATIONS)[0]

    unchanged = await desk.fetch(CONVERSATIONS, options=form_options)
    desk.lake.emulator.reports.add_rows(
        CONVERSATIONS, [{"Conversation ID": row["conversation_id"], "Status": "MERGED"}], day=FIRST
    )
    changed = await desk.fetch(CONVERSATIONS, options=form_options)

    assert unchanged.states == {"unchanged": 2}
    assert (changed.total("updated"), changed.total("unchanged")) == (1, 14 * 20 - 1)
    parts = [path for path in (desk.lake.out / "reports").rglob(f"*{suffix}") if not path.name.startswith(".")]
    assert len(parts) == 2


async def test_every_report_can_be_had(desk: Desk) -> None:
    """`all` leaves out the two that are about a phone number; each opens as one table."""
    run = await desk.fetch("all", first=FIRST, last=FIRST)

    assert run.states == {"done": 54}
    assert len(DataFolder.open(desk.lake.out).data_sets()) == 54
    for data_set, _ in run.results:
        assert desk.table(data_set).num_rows == run.results[data_set, _].created > 0


async def test_reports_about_a_phone_number_do_not_tell_it(desk: Desk) -> None:
    """The number is in the request, and in no name."""
    run = await desk.fetch("IvrEndStatesReportV2", phone_number="+16505550100", first=FIRST, last=FIRST)

    ((data_set, _),) = run.results
    assert run.states == {"done": 1}
    assert "5550100" not in data_set


async def test_the_estimate_is_what_is_sent(desk: Desk) -> None:
    """One request for each window, as long as none is cut."""
    asked = ReportQuery((CONVERSATIONS, EVENTS, SUMMARY), first=FIRST, last=LAST)
    async with desk.context() as context:
        expected = estimate(asked, context.folder, desk.lake.wall.now.date())

    await desk.fetch(*asked.metric_sets)

    assert desk.lake.asked() == {REPORT: expected}
    assert expected == 2 + 14 + 1


async def test_days_that_have_not_come_are_told_and_left_out(desk: Desk) -> None:
    """Reports end with today."""
    run = await desk.fetch(EVENTS, first=dt.date(2026, 3, 19), last=dt.date(2026, 4, 2))

    assert [name for _, name in run.results] == ["2026-03-19_2026-03-19", "2026-03-20_2026-03-20"]
    assert "2026-04-02 is in the future" in run.notes[0]


async def test_an_older_name_is_tried_with_a_warning(desk: Desk) -> None:
    """Gladly decides, and its reason is reported."""
    run = await desk.fetch("contactexportreport", last=FIRST)

    assert "not in Gladly's list" in run.notes[0]
    assert run.states == {"failed": 1}
    assert [data_set for data_set, _ in run.results] == ["reports/ContactExportReport"]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (ReportQuery((EVENTS,), first=LAST, last=FIRST), "is after its last"),
        (ReportQuery(()), "name a report"),
        (ReportQuery((EVENTS, CONTACTS), channel="chat"), f"{EVENTS} does not take channel"),
        (ReportQuery(("all",), aggregation="weekly"), "does not take aggregationLevel"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(asked: ReportQuery, message: str) -> None:
    """Before anything is sent."""
    with pytest.raises(UsageError, match=message):
        Reports(asked)


async def test_wrong_credentials_end_the_run(desk: Desk) -> None:
    """A report that is not permitted ends the run and not only its window: nothing else would work."""
    desk.lake.emulator.faults.script(REPORT, [status(401)])

    with pytest.raises(NotAuthenticated):
        await desk.fetch(EVENTS)


async def test_a_whole_run_tells_what_it_fetched(desk: Desk) -> None:
    """Two workers, one journal, one report; the same run again asks for nothing that is settled."""
    asked = ReportQuery((EVENTS, CONVERSATIONS), first=FIRST, last=LAST)

    report = await desk.lake.export("report", report=asked)

    assert (report.status, report.exit_code) == ("complete", 0)
    assert report.requests[REPORT] == 14 + 2
    assert report.counts["created"] == 14 * 20 * 2
    assert report.files[f"reports/{EVENTS}"]["units"] == 14
    assert in_order(desk.texts(f"reports/{EVENTS}")) == in_order(desk.rows(EVENTS))
    assert REPORT not in (await desk.lake.export("report", report=asked)).requests


async def test_a_run_with_an_incomplete_or_failed_window_ends_with_1(make_desk: Callable[..., Any]) -> None:
    """And names the window."""
    desk = await make_desk(report_oddity="error_text")

    report = await desk.lake.export("report", report=ReportQuery((EVENTS,), first=FIRST, last=FIRST))

    assert report.exit_code == 1
    assert [(one.data_set, one.unit, one.state) for one in report.told] == [
        (f"reports/{EVENTS}", "2026-03-02_2026-03-02", "failed")
    ]


@pytest.mark.parametrize("deep", [False, True])
async def test_the_data_set_verifies(desk: Desk, deep: bool) -> None:
    """Manifests, parts and rows agree, also after windows were published again."""
    await desk.fetch(SUMMARY, EVENTS, last=dt.date(2026, 3, 9))
    await desk.fetch(SUMMARY, EVENTS, last=dt.date(2026, 3, 12))

    assert verify(DataFolder.open(desk.lake.out), deep=deep).findings == ()


async def test_parts_without_folders_have_names_of_their_own(desk: Desk) -> None:
    """One part for each window, and no folder between."""
    await desk.fetch(CONVERSATIONS, options={"partition": ()})

    names = sorted(path.name for path in (desk.lake.out / "reports" / CONVERSATIONS).iterdir())
    assert names == ["2026-03-02_2026-03-08-0001.parquet", "2026-03-09_2026-03-15-0001.parquet"]
