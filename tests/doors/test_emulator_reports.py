"""Reports, as a client on a socket meets them."""

import asyncio
import csv
import io
import tracemalloc
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import aiohttp
import pytest

from bulkgladly.emulator import (
    Clock,
    Emulator,
    EmulatorOptions,
    Oddity,
    ReportLimits,
    drop_reply,
    half_body,
    hang,
    rate_limited,
    reset,
    status,
    wrong_length,
)
from bulkgladly.emulator.__main__ import options_from
from bulkgladly.emulator.options import Algorithm
from bulkgladly.emulator.organisation.report_corrections import ODDITIES
from bulkgladly.emulator.reports.metric_sets import METRIC_SETS, TIMES_ONLY, MetricSet
from tests.doors.emulator_client import client_of
from tests.signing import basic_auth

NOW = datetime(2026, 3, 20, 9, 30, tzinfo=UTC)
DAY = date(2026, 3, 2)
REPORTS = "/api/v1/reports"
WORK_SESSIONS = f"{REPORTS}/work-session-events"
CONVERSATIONS = "ConversationExportReport"
CONTACTS = "ContactExportReportV3"
PHONE = "+16505550100"

Row = tuple[str, ...]


class Hands:
    """Clocks that a test moves."""

    def __init__(self) -> None:
        self.now, self.monotonic = NOW, 1000.0

    def clock(self) -> Clock:
        return Clock(monotonic=lambda: self.monotonic, wall=self.wall)

    def wall(self) -> float:
        return self.now.timestamp()


def an_emulator(hands: Hands | None = None, **options: Any) -> Emulator:
    """An emulator that has stopped at `NOW`, without limits unless asked for."""
    limits = {"rate": None, "report_rate": None, "report_concurrency": None}
    return Emulator(clock=(hands or Hands()).clock(), **{**limits, **options})


def asked(metric_set: object = CONVERSATIONS, start: object = DAY, end: object = DAY, **more: Any) -> dict[str, Any]:
    """The body of a request for whole days in UTC."""
    return {"metricSet": metric_set, "startAt": str(start), "endAt": str(end), "timezone": "UTC"} | more


def by_times(metric_set: str, start: str, end: str, **more: Any) -> dict[str, Any]:
    return {"metricSet": metric_set, "startAtTime": start, "endAtTime": end} | more


def a_request(metric_set: MetricSet) -> dict[str, Any]:
    """What this set can be asked for on `DAY`."""
    filters = {"filters": {"phoneNumber": PHONE}} if "phoneNumber" in metric_set.takes else {}
    if metric_set.name in TIMES_ONLY:
        return by_times(metric_set.name, f"{DAY}T00:00Z", f"{DAY}T23:59Z")
    return asked(metric_set.name, **filters)


def parsed(body: bytes) -> tuple[Row, list[Row]]:
    rows = [tuple(row) for row in csv.reader(io.StringIO(body.decode(), newline=""))]
    return (rows[0], rows[1:]) if rows else ((), [])


async def answered(client: aiohttp.ClientSession, payload: Any, path: str = REPORTS) -> bytes:
    async with client.post(path, json=payload) as response:
        body = await response.read()
        assert response.status == 200, body
        assert response.content_type == "text/csv"
        return body


async def rows_of(client: aiohttp.ClientSession, payload: Any, path: str = REPORTS) -> list[Row]:
    return parsed(await answered(client, payload, path))[1]


async def dicts_of(client: aiohttp.ClientSession, payload: Any) -> list[dict[str, str]]:
    header, rows = parsed(await answered(client, payload))
    return [dict(zip(header, row, strict=True)) for row in rows]


async def refused(client: aiohttp.ClientSession, payload: Any, path: str = REPORTS) -> list[tuple[str | None, str]]:
    async with client.post(path, json=payload) as response:
        assert response.status == 400
        return [(error.get("attr"), error["code"]) for error in (await response.json())["errors"]]


async def read_into(received: bytearray, response: aiohttp.ClientResponse) -> None:
    async for block in response.content.iter_any():
        received += block


async def until_running(emulator: Emulator, count: int) -> None:
    async with asyncio.timeout(10):
        while emulator.report_limits.running != count:  # noqa: ASYNC110  # the emulator has no event for that
            await asyncio.sleep(0)


@pytest.mark.parametrize("metric_set", METRIC_SETS.values(), ids=lambda metric_set: metric_set.name)
async def test_every_metric_set_answers(metric_set: MetricSet) -> None:
    """Its own columns, rows of full length, and the same ones again."""
    async with client_of(an_emulator()) as client:
        body = await answered(client, a_request(metric_set))
        header, rows = parsed(body)

        assert header == tuple(column.header for column in metric_set.columns)
        assert len(set(header)) == len(header)
        assert rows
        assert {len(row) for row in rows} == {len(header)}
        assert await answered(client, a_request(metric_set)) == body


def test_columns_of_a_source_are_spelled_as_there() -> None:
    """The two reports for which the source gives all of them, in its order."""
    names = {name: [column.header for column in METRIC_SETS[name].columns] for name in METRIC_SETS}

    assert names["WorkSessionEventsReportV4"] == [
        *("id", "contact_session_id", "contact_session_created_at", "customer_id", "conversation_id", "inbox_id"),
        *("channel", "direction", "agent_accepted_at", "contact_session_routed_at", "agent_id", "sla_fulfilled_at"),
        *("contact_session_ended_at", "status", "within_sla", "work_session_handle_time_sec"),
        *("work_session_after_contact_time_sec", "work_session_unknown_time_sec", "accepted_inbox_id"),
    ]
    assert names["ConversationTimestampsReport"] == [
        *("Timezone Filter", "Timestamp", "Event Type", "Conversation ID", "Customer ID", "Initiator Type"),
        *("Initiator ID", "Initiator Agent Name", "Assigned Inbox ID", "Assigned Inbox Name", "Assigned Agent ID"),
        *("Assigned Agent Name", "Topic ID", "Topic Name", "Newly Assigned Inbox ID", "Newly Assigned Inbox Name"),
        *("Newly Assigned Agent ID", "Newly Assigned Agent Name", "Assignment Update Reason", "Merged Customer ID"),
        "Merged Conversation ID",
    ]


async def test_reports_of_one_subject_agree() -> None:
    """A contact is the same one in every report that speaks of it."""
    async with client_of(an_emulator()) as client:
        contacts = {row["Contact ID"]: row for row in await dicts_of(client, asked(CONTACTS))}
        sessions = {row["Contact ID"]: row for row in await dicts_of(client, asked("WorkSessionsReportV3"))}
        events = await dicts_of(client, asked("ContactTimestampsReport", end="2026-03-03"))

    assert contacts.keys() == sessions.keys()
    shared = contacts["contact-20260302-00000"].keys() & sessions["contact-20260302-00000"].keys()
    assert len(shared) > 8
    assert all(contacts[name][column] == sessions[name][column] for name in contacts for column in shared)
    places = {(row["Contact ID"], row["Customer ID"], row["Channel"], row["Assigned Inbox ID"]) for row in events}
    assert (len(events), len(places)) == (40, 10)


async def test_cells_are_quoted_as_csv_asks_for() -> None:
    """Commas, quotes and line breaks occur in them; moments are written in milliseconds with Z."""
    async with client_of(an_emulator()) as client:
        body = await answered(client, asked("GladlyAISessionsDetailWithMessagesReport"))
        texts = {row[-1] for row in parsed(body)[1]}
        moments = {row["Created At"] for row in await dicts_of(client, asked())}

    assert any("\n" in text and "," in text for text in texts)
    assert any('"' in text for text in texts)
    assert b'""backordered""' in body
    assert all(datetime.strptime(moment, "%Y-%m-%dT%H:%M:%S.%f%z") and len(moment) == 24 for moment in moments)


@pytest.mark.parametrize(
    ("payload", "name"),
    [
        (asked(CONVERSATIONS, "2026-03-02", "2026-03-04"), "ConversationExportReport-2026-03-02-2026-03-04.csv"),
        (asked("AgentSummaryV2"), "AgentSummaryV2-2026-03-02-2026-03-02-Daily.csv"),
        (asked("AgentSummaryV2", aggregationLevel="halfHourly"), "AgentSummaryV2-2026-03-02-2026-03-02-HalfHourly.csv"),
        (
            by_times(CONTACTS, "2026-03-02T10:00Z", "2026-03-02T12:30+02:00"),
            "ContactExportReportV3-20260302T1000Z-20260302T1030Z.csv",
        ),
    ],
)
async def test_file_has_a_name(payload: dict[str, Any], name: str) -> None:
    """Report, period and, where there is one, level."""
    async with client_of(an_emulator()) as client, client.post(REPORTS, json=payload) as response:
        assert response.headers["Content-Disposition"] == f"attachment; filename={name}"


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kathmandu"])
@pytest.mark.parametrize("metric_set", [CONVERSATIONS, "ConversationTimestampsReport", "AgentSummaryV2"])
async def test_cut_periods_have_the_rows_of_the_whole(metric_set: str, zone: str) -> None:
    """No row twice and none missing, wherever the days are cut; March 8 has 23 hours in New York."""
    cuts = [date(2026, 3, day) for day in (2, 3, 7, 8, 9, 13)]
    async with client_of(an_emulator()) as client:
        whole = await rows_of(client, asked(metric_set, cuts[0], cuts[-1] - timedelta(days=1), timezone=zone))
        parts = [
            row
            for start, end in pairwise(cuts)
            for row in await rows_of(client, asked(metric_set, start, end - timedelta(days=1), timezone=zone))
        ]

    assert Counter(parts) == Counter(whole)
    assert len(whole) > 40


async def test_period_to_the_minute_includes_its_last_minute() -> None:
    """So periods that begin a minute after the last one ended join without gap or overlap."""
    emulator = an_emulator(report_rows_per_day=2000)
    async with client_of(emulator) as client:
        whole = await rows_of(client, by_times(CONTACTS, f"{DAY}T00:00Z", f"{DAY}T23:59Z"))
        first = await rows_of(client, by_times(CONTACTS, f"{DAY}T00:00Z", f"{DAY}T11:27Z"))
        second = await rows_of(client, by_times(CONTACTS, f"{DAY}T06:28-05:00", f"{DAY}T23:59Z"))
        all_day = await rows_of(client, asked(CONTACTS))

    assert Counter(first + second) == Counter(whole) == Counter(all_day)
    assert max(row[0] for row in first) > f"{DAY}T11:27:00.000Z"


async def test_days_belong_to_the_time_zone() -> None:
    """Midnight is where the report is; without a zone that is where the organization is."""
    async with client_of(an_emulator(report_rows_per_day=500)) as client:
        york = await dicts_of(client, asked(timezone="America/New_York"))
        payload = asked()
        del payload["timezone"]
        usual = await dicts_of(client, payload)

    moments = sorted(row["Created At"] for row in york)
    assert moments[0].startswith("2026-03-02T00:")
    assert moments[-1].startswith("2026-03-02T23:")
    assert {moment[-6:] for moment in moments} == {"-05:00"}
    assert usual == york


async def test_moments_can_stay_in_utc() -> None:
    """How they are written elsewhere is not documented."""
    async with client_of(an_emulator(report_times="utc")) as client:
        rows = await dicts_of(client, asked(timezone="Asia/Kathmandu"))

    assert {row["Created At"][-1] for row in rows} == {"Z"}
    assert min(row["Created At"] for row in rows) < "2026-03-02T00:00"


async def test_levels_add_up() -> None:
    """Whatever the bucket, the sum is the number of contacts; a bucket that the period cuts has its part."""
    async with client_of(an_emulator()) as client:
        start, end = date(2025, 12, 30), date(2026, 3, 3)
        contacts = await rows_of(client, asked(CONTACTS, start, end))
        buckets = {}
        for level in ("halfHourly", "daily", "weekly", "monthly", "quarterly"):
            payload = asked("ContactSummaryReportV2", start, end, aggregationLevel=level, timezone="UTC")
            rows = await dicts_of(client, payload)
            assert sum(int(row["Contacts"]) for row in rows) == len(contacts) == 64 * 20
            buckets[level] = sorted({row["Bucket Beginning"][:16] for row in rows})

    assert buckets["quarterly"] == ["2025-12-30T00:00", "2026-01-01T00:00"]
    assert buckets["monthly"] == ["2025-12-30T00:00", "2026-01-01T00:00", "2026-02-01T00:00", "2026-03-01T00:00"]
    assert buckets["weekly"][:3] == ["2025-12-30T00:00", "2026-01-05T00:00", "2026-01-12T00:00"]
    assert len(buckets["daily"]) == 64
    assert {moment[-2:] for moment in buckets["halfHourly"]} == {"00", "30"}


@pytest.mark.parametrize("metric_set", [CONVERSATIONS, CONTACTS, "WorkSessionsReportV3", "TaskExportReport"])
async def test_inboxes_part_the_rows(metric_set: str) -> None:
    """Each row lies in exactly one inbox, which its cells name."""
    async with client_of(an_emulator(report_rows_per_day=60)) as client:
        whole = await rows_of(client, asked(metric_set))
        parts = {
            inbox: await dicts_of(client, asked(metric_set, filters={"inboxes": [inbox]}))
            for inbox in ("inbox-1", "inbox-2", "inbox-3")
        }
        both = await rows_of(client, asked(metric_set, filters={"inboxes": ["inbox-1", "inbox-3"]}))

    named = "Inbox ID - Current" if metric_set == CONVERSATIONS else "Inbox ID"
    assert {row[named] for inbox in parts for row in parts[inbox]} == set(parts)
    assert all(row[named] == inbox for inbox, rows in parts.items() for row in rows)
    assert Counter(tuple(row.values()) for rows in parts.values() for row in rows) == Counter(whole)
    assert len(both) == len(parts["inbox-1"]) + len(parts["inbox-3"])


async def test_channels_part_the_rows_and_decide_about_columns() -> None:
    """What is said of calls comes for all channels and for voice alone."""
    channels = ("chat", "email", "fbMessenger", "sms", "twitter", "voice", "whatsapp", "instagramDirect")
    async with client_of(an_emulator(report_rows_per_day=60)) as client:
        whole = await dicts_of(client, asked(CONTACTS, filters={"channel": "allChannels"}))
        parts = {c: await dicts_of(client, asked(CONTACTS, filters={"channel": c})) for c in channels}

    assert [c for c, rows in parts.items() if "Final IVR Selection" in rows[0]] == ["voice"]
    assert "Final IVR Selection" in whole[0]
    assert all(len({row["Channel"] for row in rows}) == 1 for rows in parts.values())
    assert Counter(row["Contact ID"] for rows in parts.values() for row in rows) == Counter(
        row["Contact ID"] for row in whole
    )


async def test_teams_have_the_rows_of_their_agents() -> None:
    """Agents without a team have rows that no team has."""
    async with client_of(an_emulator(report_rows_per_day=60)) as client:
        whole = await dicts_of(client, asked("AgentSummaryV2"))
        one = await dicts_of(client, asked("AgentSummaryV2", filters={"teams": ["team-1"]}))
        both = await dicts_of(client, asked("AgentSummaryV2", filters={"teams": ["team-1", "team-2"]}))

    assert {row["Agent ID"] for row in one} == {"agent-1", "agent-2"}
    assert {row["Agent ID"] for row in both} == {"agent-1", "agent-2", "agent-3"}
    assert [row for row in whole if row in both] == both
    assert len(whole) == 5


@pytest.mark.parametrize(
    ("payload", "errors"),
    [
        ({}, [("metricSet", "blank"), ("startAt", "blank"), ("endAt", "blank")]),
        (asked("NoReport"), [("metricSet", "invalid")]),
        (asked(7), [("metricSet", "invalid")]),
        (asked(start="2026-03-03"), [("startAt", "invalid")]),
        (asked(start="02.03.2026"), [("startAt", "invalid")]),
        (asked(start="20260302"), [("startAt", "invalid")]),
        (asked(end="2026-02-30"), [("endAt", "invalid")]),
        (asked(end="9999-12-31"), [("endAt", "invalid")]),
        (asked(timezone="Mars/Olympus"), [("timezone", "invalid")]),
        (asked(timezone="../etc"), [("timezone", "invalid")]),
        (asked(timezone=5), [("timezone", "invalid")]),
        (asked(aggregationLevel="daily"), [("aggregationLevel", "invalid")]),
        (asked("AgentSummaryV2", aggregationLevel="hourly"), [("aggregationLevel", "invalid")]),
        (asked("AgentSummaryV2", aggregationLevel=["daily"]), [("aggregationLevel", "invalid")]),
        (asked("AgentSummary", end="2026-04-02", aggregationLevel="halfHourly"), [("aggregationLevel", "invalid")]),
        (asked(filters={"phoneNumber": PHONE}), [("filters.phoneNumber", "invalid")]),
        (asked(filters={"channel": "chat"}), [("filters.channel", "invalid")]),
        (asked(filters={"teams": ["team-1"]}), [("filters.teams", "invalid")]),
        (asked(filters={"inboxes": ["inbox-1", "inbox-9"]}), [("filters.inboxes", "present")]),
        (asked(filters={"inboxes": "inbox-1"}), [("filters.inboxes", "invalid")]),
        (asked(filters=["inbox-1"]), [("filters", "invalid")]),
        (asked("TaskExportReport", filters={"teams": ["team-9"]}), [("filters.teams", "present")]),
        (asked("ChannelMixReportV2", filters={"channel": "fax"}), [("filters.channel", "invalid")]),
        (asked("ChannelMixReportV2", filters={"channel": {}}), [("filters.channel", "invalid")]),
        (asked("IvrEndStatesReportV2"), [("filters.phoneNumber", "blank")]),
        (asked("IvrEndStatesReportV2", filters={"phoneNumber": "650 555 0100"}), [("filters.phoneNumber", "invalid")]),
        (
            asked(timezone="?", aggregationLevel="daily", filters={"phoneNumber": PHONE, "inboxes": ["inbox-9"]}),
            [
                *(("timezone", "invalid"), ("aggregationLevel", "invalid")),
                *(("filters.inboxes", "present"), ("filters.phoneNumber", "invalid")),
            ],
        ),
        (
            by_times(CONVERSATIONS, "2026-03-02T10:00Z", "2026-03-02T11:00Z"),
            [("startAtTime", "invalid"), ("endAtTime", "invalid")],
        ),
        ({"metricSet": CONTACTS, "startAtTime": "2026-03-02T10:00Z"}, [("endAtTime", "blank")]),
        (
            by_times(CONTACTS, "2026-03-02T10:00", "2026-03-02T11:00:30Z"),
            [("startAtTime", "invalid"), ("endAtTime", "invalid")],
        ),
        (by_times(CONTACTS, "2026-03-02T10:00Z", "2026-03-02T10:00Z"), [("startAtTime", "invalid")]),
        (by_times(CONTACTS, "2026-03-02T10:00Z", "9999-12-31T23:59Z"), [("endAtTime", "invalid")]),
        (by_times(CONTACTS, "2026-03-02T10:00Z", "2026-03-02T11:00Z", timezone="UTC"), [("timezone", "invalid")]),
        (
            asked(CONTACTS) | {"startAtTime": "2026-03-02T10:00Z", "endAtTime": "2026-03-02T11:00Z"},
            [("startAt", "invalid"), ("endAt", "invalid"), ("timezone", "invalid")],
        ),
        (
            {"metricSet": "WorkSessionEventsReportV4", "startAt": "2026-03-02", "endAt": "2026-03-02"},
            [("startAtTime", "blank"), ("endAtTime", "blank")],
        ),
    ],
)
async def test_what_cannot_be_asked_is_told_at_once(payload: dict[str, Any], errors: list[tuple[str, str]]) -> None:
    """Every mistake of a request stands in one list."""
    async with client_of(an_emulator()) as client:
        assert await refused(client, payload) == errors


@pytest.mark.parametrize("path", [REPORTS, WORK_SESSIONS])
async def test_body_must_be_an_object(path: str) -> None:
    """Anything else is 400, too."""
    async with client_of(an_emulator()) as client:
        assert await refused(client, ["metricSet"], path) == [(None, "invalid")]


async def test_default_values_of_filters_filter_nothing() -> None:
    """They are no error where the set has no such filter."""
    async with client_of(an_emulator()) as client:
        plain = await answered(client, asked())
        given = asked(filters={"channel": "allChannels", "inboxes": [], "teams": [], "phoneNumber": None})

        assert await answered(client, given) == plain


async def test_ivr_reports_speak_of_the_number() -> None:
    """Every row has it."""
    async with client_of(an_emulator()) as client:
        rows = await dicts_of(client, asked("IvrEndStatesReportV2", filters={"phoneNumber": PHONE}))

    assert {row["Phone Number"] for row in rows} == {PHONE}


async def test_work_sessions_have_a_path_of_their_own() -> None:
    """19 columns in snake case, dated by their end or else their creation, the same rows as version 4."""
    payload = {"startAtTime": "2026-03-02T10:00Z", "endAtTime": "2026-03-04T10:00Z"}
    async with client_of(an_emulator()) as client:
        async with client.post(WORK_SESSIONS, json=payload) as response:
            body = await response.read()
            name = response.headers["Content-Disposition"].partition("=")[2]
        v4 = await answered(client, payload | {"metricSet": "WorkSessionEventsReportV4"})
        wrong = await refused(client, payload | {"endAtTime": "2026-03-02T10:00Z"}, WORK_SESSIONS)
        nothing = await refused(client, {}, WORK_SESSIONS)

    header, rows = parsed(body)
    dated = [dict(zip(header, row, strict=True)) for row in rows]
    assert name == "WorkSessionEventsReport-20260302T1000Z-20260304T1000Z.csv"
    assert len(header) == 19
    assert body == v4
    assert all(
        "2026-03-02T10:00"
        <= (row["contact_session_ended_at"] or row["contact_session_created_at"])
        < "2026-03-04T10:01"
        for row in dated
    )
    assert any(not row["contact_session_ended_at"] and not row["id"] for row in dated)
    assert any(not row["agent_id"] for row in dated)
    assert (wrong, nothing) == ([("startAtTime", "invalid")], [("startAtTime", "blank"), ("endAtTime", "blank")])


async def test_future_gives_nothing() -> None:
    """And today what there was so far, less what the reports do not know yet."""
    hands = Hands()
    emulator = an_emulator(hands, report_rows_per_day=200, report_lag_s=3600)
    async with client_of(emulator) as client:
        assert await answered(client, asked(start="2026-03-21", end="2027-01-01")) == b""
        before = {row["Created At"] for row in await dicts_of(client, asked(start="2026-03-20", end="2026-03-22"))}
        hands.now += timedelta(days=2)
        after = {row["Created At"] for row in await dicts_of(client, asked(start="2026-03-20", end="2026-03-20"))}

    assert max(before) < "2026-03-20T08:30"
    assert before < after
    assert len(after) == 200


async def test_any_past_period_can_be_asked_for() -> None:
    """Long ones, too; before there was an organization, there is nothing."""
    async with client_of(an_emulator(report_rows_per_day=1)) as client:
        rows = await rows_of(client, asked(start="0001-01-01", end="2015-12-31"))

    assert len(rows) == 365


@pytest.mark.parametrize("metric_set", [CONVERSATIONS, "AgentSummaryV2"])
async def test_report_without_rows_can_have_a_header(metric_set: str) -> None:
    """By default its body is empty altogether."""
    days = ("2026-03-02",)
    async with client_of(an_emulator(report_empty_days=days)) as client:
        assert await answered(client, asked(metric_set)) == b""
        assert await rows_of(client, asked(metric_set, end="2026-03-03")) == await rows_of(
            client, asked(metric_set, "2026-03-03", "2026-03-03")
        )
    async with client_of(an_emulator(report_empty_days=days, empty_report="header")) as client:
        header, rows = parsed(await answered(client, asked(metric_set)))

    assert (len(header) > 5, rows) == (True, [])


async def test_rows_beyond_the_cap_are_left_out_without_a_word() -> None:
    """No header and no status tells of it."""
    async with client_of(an_emulator(report_row_cap=33)) as client:
        rows = await rows_of(client, asked(end="2026-03-03"))
        async with client.post(REPORTS, json=asked(end="2026-03-03")) as response:
            names = {name.lower() for name in response.headers}

    assert len(rows) == 33
    assert names == {"content-disposition", "content-type", "content-length", "date", "server"}


async def test_row_can_be_restated() -> None:
    """A conversation closes later: the cells that are named change, the others stay."""
    emulator = an_emulator()
    before = emulator.reports.rows(CONVERSATIONS, day=DAY)
    closing = {"Conversation ID": before[3]["Conversation ID"], "Status": "MERGED", "Last Closed At": "2026-03-09"}
    emulator.reports.add_rows(CONVERSATIONS, [closing], day=DAY)
    async with client_of(emulator) as client:
        after = await dicts_of(client, asked())

    assert after == [*before[:3], before[3] | closing, *before[4:]]
    assert emulator.reports.rows(CONVERSATIONS, day=DAY) == after


async def test_row_can_be_added_and_put_right_again() -> None:
    """It lies where its cells say, or else in one of the inboxes."""
    emulator = an_emulator()
    row = {"Conversation ID": "extra", "Created At": f"{DAY}T12:00:00.000Z", "Topics": 'a,"b"\nc'}
    emulator.reports.add_rows(CONVERSATIONS, [row], day=DAY)
    emulator.reports.add_rows(CONVERSATIONS, [{"Conversation ID": "extra", "Status": "OPEN"}], day=DAY)
    inboxes = ("inbox-1", "inbox-2", "inbox-3")
    async with client_of(emulator) as client:

        async def found() -> list[str]:
            return [
                inbox
                for inbox in inboxes
                for each in await dicts_of(client, asked(filters={"inboxes": [inbox]}))
                if each["Conversation ID"] == "extra"
            ]

        assert len(await found()) == 1
        emulator.reports.add_rows(
            CONVERSATIONS, [{"Conversation ID": "extra", "Inbox ID - Current": "inbox-3"}], day=DAY
        )
        assert await found() == ["inbox-3"]
        whole = await dicts_of(client, asked())

    assert len(whole) == 21
    assert {name: whole[-1][name] for name in row} == row
    assert (whole[-1]["Status"], whole[-1]["Customer ID"]) == ("OPEN", "")


async def test_whole_day_can_be_replaced() -> None:
    """A contact that ends moves from the day of its creation to another one."""
    emulator = an_emulator()
    name, later = "WorkSessionEventsReportV4", DAY + timedelta(days=1)
    row = next(row for row in emulator.reports.rows(name, day=DAY) if not row["contact_session_ended_at"])
    rest = [other for other in emulator.reports.rows(name, day=DAY) if other != row]
    emulator.reports.add_rows(name, rest, day=DAY, whole=True)
    emulator.reports.add_rows(name, [row | {"contact_session_ended_at": f"{later}T08:00:00.000Z"}], day=later)
    contact = row["contact_session_id"]
    async with client_of(emulator) as client:
        days = [
            [r["contact_session_id"] for r in await dicts_of(client, by_times(name, f"{day}T00:00Z", f"{day}T23:59Z"))]
            for day in (DAY, later)
        ]

        own = {"startAtTime": f"{later}T00:00Z", "endAtTime": f"{later}T23:59Z"}
        v2 = [row[1] for row in await rows_of(client, own, WORK_SESSIONS)]

    assert v2 == days[1]
    assert (days[0].count(contact), days[1].count(contact)) == (0, 1)
    assert (len(days[0]), len(days[1])) == (19, 21)


async def test_sets_without_a_key_are_only_added_to() -> None:
    """Two equal rows of events are two rows."""
    emulator = an_emulator()
    row = {"Timestamp": f"{DAY}T12:00:00.000Z", "Event Type": "NOTE/CREATED"}
    emulator.reports.add_rows("ConversationTimestampsReport", [row, row], day=DAY)
    async with client_of(emulator) as client:
        assert len(await rows_of(client, asked("ConversationTimestampsReport"))) == 22


async def test_daily_sums_can_be_restated() -> None:
    """For everybody together: no filter and no other level shows it."""
    emulator = an_emulator()
    emulator.reports.add_rows("ChannelMixReportV2", [{"Channel": "CHAT", "Contacts": "77"}], day=DAY)
    plain = asked("ChannelMixReportV2")
    async with client_of(emulator) as client:
        seen = [
            {row["Channel"]: row["Contacts"] for row in await dicts_of(client, payload)}.get("CHAT")
            for payload in (plain, plain | {"aggregationLevel": "weekly"}, plain | {"filters": {"channel": "chat"}})
        ]
        emulator.reports.add_rows("ChannelMixReportV2", [], day=DAY, whole=True)
        assert await answered(client, plain) == b""

    assert seen[0] == "77"
    assert "77" not in seen[1:]


@pytest.mark.parametrize(
    ("metric_set", "row", "error"),
    [
        ("NoReport", {}, KeyError),
        (CONVERSATIONS, {"Status": "OPEN"}, KeyError),
        (CONVERSATIONS, {"Conversation ID": "c", "Mood": "good"}, ValueError),
        (CONVERSATIONS, {"Conversation ID": "c", "Created At": "2026-03-03T00:00:00.000Z"}, ValueError),
        (CONVERSATIONS, {"Conversation ID": "c", "Created At": "yesterday"}, ValueError),
    ],
)
def test_rows_that_cannot_be_are_refused(metric_set: str, row: dict[str, str], error: type[Exception]) -> None:
    """And nothing is added, not even the good ones beside them."""
    emulator = an_emulator()
    before = emulator.reports.rows(CONVERSATIONS, day=DAY)

    with pytest.raises(error):
        emulator.reports.add_rows(metric_set, [{"Conversation ID": "good"}, row], day=DAY)

    assert emulator.reports.rows(CONVERSATIONS, day=DAY) == before


async def test_odd_answers_by_metric_set() -> None:
    """Each at run time, for one set; the others are as ever."""
    emulator = an_emulator()
    async with client_of(emulator) as client:
        plain = await answered(client, asked())

        async def odd(oddity: Oddity) -> bytes:
            emulator.reports.oddities[CONVERSATIONS] = oddity
            assert await rows_of(client, asked("TaskExportReport"))
            return await answered(client, asked())

        assert await odd("empty_body") == b""
        assert await odd("blank_first_lines") == b"\n\n" + plain
        assert await odd("bom") == b"\xef\xbb\xbf" + plain
        assert await odd("error_text") == b"Unexpected error occurred\n"
        missing, extra = parsed(await odd("missing_column")), parsed(await odd("extra_column"))
        del emulator.reports.oddities[CONVERSATIONS]
        assert await answered(client, asked()) == plain

    header, rows = parsed(plain)
    assert missing[0] == tuple(name for name in header if name != "Conversation ID")
    assert missing[1] == [(row[0], *row[2:]) for row in rows]
    assert (extra[0][:-1], [row[:-1] for row in extra[1]]) == (header, rows)
    with pytest.raises(ValueError, match="oddity is 'odd'"):
        emulator.reports.oddities[CONVERSATIONS] = "odd"  # type: ignore[assignment]  # pyright: ignore[reportArgumentType]


async def test_oddity_by_option_holds_for_all_but_those_that_have_their_own() -> None:
    """The work sessions are there under the name of their report."""
    emulator = an_emulator(report_oddity="error_text")
    emulator.reports.oddities["WorkSessionEventsReport"] = "none"
    times = {"startAtTime": "2026-03-02T10:00Z", "endAtTime": "2026-03-04T10:00Z"}
    async with client_of(emulator) as client:
        assert await answered(client, asked()) == b"Unexpected error occurred\n"
        assert len(await rows_of(client, times, WORK_SESSIONS)) > 20


async def test_minute_has_ten_reports() -> None:
    """For both paths together; the eleventh is 429 without the headers of the second, and not carried out."""
    hands = Hands()
    emulator = an_emulator(hands, rate=1000, report_rate=10)
    times = {"startAtTime": "2026-03-02T10:00Z", "endAtTime": "2026-03-02T10:30Z"}
    async with client_of(emulator) as client:
        for number in range(10):
            path, payload = (REPORTS, asked()) if number % 2 else (WORK_SESSIONS, times)
            async with client.post(path, json=payload) as response:
                assert response.status == 200
                assert response.headers["Ratelimit-Limit-Second"] == "1000"
        async with client.post(REPORTS, json=asked()) as response:
            assert response.status == 429
            assert not [name for name in response.headers if name.lower().startswith("ratelimit")]
            assert (await response.json())["errors"][0]["code"] == "rate_limited"
        async with client.get("/api/v1/agents") as response:
            assert response.status == 200
        # Fixed windows change at full minutes of the monotonic clock, the next time at 1020.
        for now, code in ((1019.9, 429), (1020.0, 200)):
            hands.monotonic = now
            async with client.post(REPORTS, json=asked()) as response:
                assert response.status == code

    limits = emulator.report_limits
    assert (limits.admitted, limits.refused, limits.running) == (11, 2, 0)


@pytest.mark.parametrize(("algorithm", "passing"), [("fixed", 4), ("leaky", 2), ("sliding", 0)])
def test_minute_is_counted_by_the_algorithm(algorithm: Algorithm, passing: int) -> None:
    """Half a minute after four reports, four more are asked for; windows change in between."""
    hands = Hands()
    limits = ReportLimits(EmulatorOptions(report_rate=4, algorithm=algorithm), hands.clock())

    def admitted() -> int:
        seen = 0
        for _ in range(4):
            with limits.place() as has_place:
                seen += has_place
        return seen

    assert admitted() == 4
    hands.monotonic += 30
    assert admitted() == passing
    hands.monotonic += 60
    assert admitted() == 4


async def test_two_reports_run_at_a_time() -> None:
    """Until their last byte is sent, or the client has gone. What is refused uses up nothing of the minute."""
    emulator = an_emulator(report_rate=3, report_concurrency=2)
    emulator.faults.script("generateReport", [hang(), hang()])
    async with client_of(emulator) as client:
        waiting = [asyncio.create_task(answered(client, asked())) for _ in range(2)]
        await until_running(emulator, 2)
        for _ in range(5):
            async with client.post(WORK_SESSIONS, json={}) as response:
                assert response.status == 429
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await until_running(emulator, 0)

        assert await rows_of(client, asked())
        async with client.post(REPORTS, json=asked()) as response:
            assert response.status == 429


async def test_download_keeps_its_place() -> None:
    """A large report is made while it is sent, and counts as long as somebody reads it."""
    emulator = an_emulator(report_concurrency=1, report_rows_per_day=60_000)
    async with client_of(emulator) as client:
        async with client.post(REPORTS, json=asked(end="2026-03-10")) as response:
            assert response.headers["Transfer-Encoding"] == "chunked"
            await response.content.readexactly(1000)
            assert emulator.report_limits.running == 1
            async with client.post(REPORTS, json=asked()) as second:
                assert second.status == 429
            response.close()
        await until_running(emulator, 0)


async def test_large_reports_are_not_held() -> None:
    """What is in memory does not grow with what is sent."""
    emulator = an_emulator(report_rows_per_day=12_000)
    received = 0
    async with client_of(emulator) as client:
        tracemalloc.start()
        try:
            async with client.post(REPORTS, json=asked("ChatDisplayPctChangesReport", end="2026-03-04")) as response:
                async for block in response.content.iter_any():
                    received += len(block)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

    assert peak < 700_000 < received / 2


async def test_stop_does_not_wait_for_a_slow_download() -> None:
    """The rest of it never comes, and no place stays taken."""
    emulator = an_emulator(report_rows_per_day=60_000)
    async with client_of(emulator) as client, client.post(REPORTS, json=asked(end="2026-03-10")) as response:
        await response.content.readexactly(1000)

        await emulator.stop()

        with pytest.raises(aiohttp.ClientError):
            await response.read()
        await until_running(emulator, 0)


@pytest.mark.parametrize(("twice", "statuses"), [(True, [200, 200, 429]), (False, [200, 200, 200])])
async def test_reports_count_against_the_second_by_option(twice: bool, statuses: list[int]) -> None:
    """Whether they do at Gladly is unknown; a refusal of the second says so in its headers."""
    emulator = an_emulator(rate=2, reports_count_twice=twice)
    seen, remaining = [], []
    async with client_of(emulator) as client:
        for _ in range(3):
            async with client.post(REPORTS, json=asked()) as response:
                seen.append(response.status)
                remaining.append(response.headers.get("Ratelimit-Remaining-Second"))

    assert seen == statuses
    assert remaining == (["1", "0", "0"] if twice else [None] * 3)
    assert emulator.report_limits.admitted == seen.count(200)


async def test_latency_is_part_of_the_place() -> None:
    """The second half as well, which passes after the report was made."""
    emulator = an_emulator(report_concurrency=1, latency_s=0.01)
    async with client_of(emulator) as client:
        statuses = await asyncio.gather(*(client.post(REPORTS, json=asked()) for _ in range(2)))

    assert sorted(response.status for response in statuses) == [200, 429]


@pytest.mark.parametrize("rows", [20, 20_000], ids=["held", "streamed"])
@pytest.mark.parametrize(("fault", "part"), [(half_body(), 0.5), (wrong_length(), 1.0)], ids=["half", "length"])
async def test_reports_break_in_their_middle(rows: int, fault: Any, part: float) -> None:
    """True bytes come, and then an error in place of the end; the place is free again, the next is whole."""
    emulator = an_emulator(report_concurrency=1, report_rows_per_day=rows)
    emulator.faults.script("POST /api/v1/reports", [None, fault])
    received = bytearray()
    async with client_of(emulator) as client:
        whole = await answered(client, asked("ChatDisplayPctChangesReport"))
        async with client.post(REPORTS, json=asked("ChatDisplayPctChangesReport")) as response:
            with pytest.raises(aiohttp.ClientPayloadError):
                await read_into(received, response)
        await until_running(emulator, 0)
        assert await answered(client, asked("ChatDisplayPctChangesReport")) == whole

    assert len(received) == int(len(whole) * part)
    assert whole.startswith(received)


@pytest.mark.parametrize("fault", [drop_reply(), reset()], ids=["drop", "reset"])
async def test_reports_get_lost(fault: Any) -> None:
    """Without a word; the place is free again."""
    emulator = an_emulator(report_concurrency=1)
    emulator.faults.script("generateWorkSessionReport", [fault] * 5)
    async with client_of(emulator) as client:
        with pytest.raises(aiohttp.ClientError):
            await client.post(WORK_SESSIONS, json={})
        await until_running(emulator, 0)

        assert await rows_of(client, asked())


@pytest.mark.parametrize(("fault", "code"), [(status(503), 503), (rate_limited(), 429)])
async def test_other_faults_answer_for_the_report(fault: Any, code: int) -> None:
    """As for any other operation."""
    emulator = an_emulator()
    emulator.faults.script("generateReport", [fault])
    async with client_of(emulator) as client, client.post(REPORTS, json=asked()) as response:
        assert response.status == code


@pytest.mark.parametrize("path", [REPORTS, WORK_SESSIONS])
async def test_reports_need_the_permission(path: str) -> None:
    """Known users without it are refused before anything is looked at."""
    headers = {"Authorization": basic_auth("noperm@example.org", "emulator-token")}
    async with client_of(an_emulator()) as client, client.post(path, headers=headers) as response:
        assert response.status == 403


async def test_directory_of_the_moment_is_what_reports_speak_of() -> None:
    """Another seed gives other rows; an organization without inboxes has rows without one."""
    emulator = an_emulator()
    assert emulator.reports.rows(CONVERSATIONS, day=DAY) != an_emulator(seed=1).reports.rows(CONVERSATIONS, day=DAY)
    for kind in ("agents", "inboxes", "teams", "topics"):
        emulator.store.collections[kind].clear()
    async with client_of(emulator) as client:
        rows = await dicts_of(client, asked())

    assert {(row["Inbox ID - Current"], row["Assigned Agent Name - Current"]) for row in rows} == {("", "")}


@pytest.mark.parametrize(
    "wrong",
    [
        *({"report_rate": 0}, {"report_concurrency": 0}, {"report_rows_per_day": -1}, {"report_row_cap": -1}),
        *({"report_oddity": "odd"}, {"empty_report": "none"}, {"report_empty_days": ("02.03.2026",)}),
        *({"report_times": "local"}, {"report_lag_s": -1}),
    ],
)
def test_options_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    """The message names them."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        EmulatorOptions(**wrong)


def test_options_by_flag() -> None:
    """All of them, and the defaults of both ways agree."""
    given = (
        "--report-rate 5 --report-concurrency 0 --reports-count-once --report-rows-per-day 7 --report-row-cap 9 "
        "--report-lag 60 --report-empty-day 2026-03-02 --report-empty-day 2026-03-03 --report-oddity bom "
        "--empty-report header --report-times utc"
    )
    options = options_from(given.split())

    assert (options.report_rate, options.report_concurrency, options.reports_count_twice) == (5, None, False)
    assert (options.report_rows_per_day, options.report_row_cap, options.report_lag_s) == (7, 9, 60)
    assert options.report_empty_days == ("2026-03-02", "2026-03-03")
    assert (options.report_oddity, options.empty_report, options.report_times) == ("bom", "header", "utc")
    assert options_from([]) == EmulatorOptions(port=8080)
    assert ODDITIES[0] == EmulatorOptions().report_oddity
