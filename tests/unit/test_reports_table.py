"""The table of reports against the published facts; names of columns; requests."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkgladly import UsageError
from bulkgladly.gladly.metric_sets import RESERVED, CellKind, Period, column_names, snake_case
from bulkgladly.gladly.objects.reports import WORK_SESSIONS
from bulkgladly.gladly.report_queries import (
    AGGREGATION_LEVELS,
    CHANNELS,
    metric_set,
    query_for,
    request_for,
    sets_without_required_options,
)
from bulkgladly.gladly.report_windows import Grain
from bulkgladly.gladly.table import METRIC_SETS
from bulkgladly.messages import BudgetClass, Repeat

ENUMS: dict[str, Any] = json.loads(Path(__file__).parents[1].joinpath("contract/facts.json").read_bytes())["enums"]
OPTIONS = {
    "aggregationLevel": "report_metric_sets_with_aggregation",
    "channel": "report_metric_sets_with_channel_filter",
    "inboxes": "report_metric_sets_with_inboxes_filter",
    "teams": "report_metric_sets_with_teams_filter",
    "phoneNumber": "report_metric_sets_requiring_phone_number",
}
FIRST, LAST = dt.date(2026, 11, 1), dt.date(2026, 11, 7)


def body_of(query: Any, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(request_for(query, FIRST, LAST, **more).body or b"")
    return found


def test_the_metric_sets_are_those_of_the_document_and_the_work_sessions() -> None:
    """None is missing, and none is invented."""
    assert sorted(METRIC_SETS) == sorted([*ENUMS["report_metric_set"], WORK_SESSIONS])


@pytest.mark.parametrize(("option", "listed"), OPTIONS.items())
def test_the_options_of_each_set_are_the_document_s(option: str, listed: str) -> None:
    """Gladly would refuse any other option, and every documented one must be possible."""
    assert sorted(name for name, found in METRIC_SETS.items() if option in found.takes) == sorted(ENUMS[listed])


def test_levels_and_channels_are_the_document_s() -> None:
    """The values of options are the API's."""
    assert list(AGGREGATION_LEVELS) == ENUMS["report_aggregation_level"]
    assert list(CHANNELS) == ENUMS["report_channel_filter"]


@pytest.mark.parametrize("name", METRIC_SETS)
def test_a_set_that_adds_up_over_time_is_a_bucket_and_no_other(name: str) -> None:
    """A set with a level of aggregation has buckets, so it is split only between them."""
    found = METRIC_SETS[name]

    assert (found.grain is Grain.BUCKET) == ("aggregationLevel" in found.takes)


@pytest.mark.parametrize("name", METRIC_SETS)
def test_keys_are_known_columns(name: str) -> None:
    """A key without a known column could never be checked."""
    found = METRIC_SETS[name]

    assert set(found.key) <= {column.name for column in found.columns}


@pytest.mark.parametrize("name", [name for name, found in METRIC_SETS.items() if found.columns])
def test_known_columns_have_the_names_that_their_headers_become(name: str) -> None:
    """So the first report does not add the same column a second time."""
    columns = METRIC_SETS[name].columns

    headers = [column.header or column.name for column in columns]

    assert column_names(headers) == tuple(column.name for column in columns)


def test_known_columns_have_their_kinds() -> None:
    """Times, counts and durations are typed if a source says what they are."""
    kinds = {column.name: column.kind for column in METRIC_SETS["ConversationExportReport"].columns}
    sessions = {column.name: column.kind for column in METRIC_SETS[WORK_SESSIONS].columns}

    assert kinds["created_at"] is CellKind.TIMESTAMP
    assert kinds["times_closed"] is CellKind.INTEGER
    assert kinds["created_to_first_closed_time"] is CellKind.NUMBER
    assert kinds["assigned_agent_id_current"] is CellKind.TEXT
    assert sessions["within_sla"] is CellKind.FLAG
    assert len(sessions) == 19


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("Assigned Agent ID - Current", "assigned_agent_id_current"),
        ("Assigned Agent ID \N{EN DASH} Current", "assigned_agent_id_current"),
        ("Assigned\N{NO-BREAK SPACE}Agent ID -Current", "assigned_agent_id_current"),
        ("Created-to-First Closed Time", "created_to_first_closed_time"),
        ("Role(s)", "roles"),
        ("Inbox(es)", "inboxes"),
        ("Duration (mins)", "duration_mins"),
        ("90th Percentile", "n_90th_percentile"),
        ("_extra", "extra"),
        ("Größe", "größe"),
        ("- / -", ""),
    ],
)
def test_headers_become_names(header: str, name: str) -> None:
    """One header in two spellings is one column."""
    assert snake_case(header) == name


def test_repeated_and_colliding_headers_keep_a_column_each() -> None:
    """The name of another header is not given twice, and none is that of a partition."""
    headers = ["Handle Time", "Handle Time", "Handle Time 2", "handle-time", "", "Window"]

    assert column_names(headers) == (
        *("handle_time", "handle_time_3", "handle_time_2"),
        *("handle_time_4", "column_5", "window_2"),
    )


@given(st.lists(st.one_of(st.text(max_size=6), st.sampled_from(["A", "a", "a_2", "A 2", "window", "column_1", "1"]))))
def test_names_are_unique_and_stable(headers: list[str]) -> None:
    """Any headers get one name each, and the same ones the next time."""
    names = column_names(headers)

    assert len(names) == len(headers) == len(set(names))
    assert not RESERVED.intersection(names)
    assert not [name for name in names if not name or name.startswith("_") or (name[0].isascii() and name[0].isdigit())]
    assert column_names(headers) == names


def test_names_are_found_in_any_case() -> None:
    """The request has the API's own spelling."""
    found, warning = metric_set("contactEXPORTreportv3")

    assert (found.name, warning) == ("ContactExportReportV3", None)


@pytest.mark.parametrize(
    ("name", "spelled", "hint"),
    [
        ("contactexportreport", "ContactExportReport", "did you mean ContactExportReportV3"),
        ("SomethingReport", "SomethingReport", "older or renamed"),
    ],
)
def test_a_name_that_is_in_no_list_is_allowed_with_a_warning(name: str, spelled: str, hint: str) -> None:
    """Whether an older name still works is unknown, so Gladly decides."""
    found, warning = metric_set(name)

    assert (found.name, found.is_listed) == (spelled, False)
    assert hint in str(warning)
    assert body_of(query_for(name, channel="chat"))["metricSet"] == spelled


@pytest.mark.parametrize("name", ["../x", "", "A b", "x" * 60])
def test_what_cannot_be_a_name_is_refused(name: str) -> None:
    """A name becomes a folder, so it has letters and digits only."""
    with pytest.raises(UsageError, match="is not a metric set"):
        query_for(name)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("ConversationExportReport", {"channel": "chat"}, "does not take channel; leave out --channel"),
        ("ConversationExportReport", {"aggregation": "daily"}, "does not take aggregationLevel"),
        ("AgentSummary", {"inboxes": ["i"]}, "does not take inboxes"),
        ("TaskTimestampsReport", {"teams": ["t"]}, "does not take teams"),
        ("AgentSummary", {"phone_number": "+16505550100"}, "does not take phoneNumber"),
        ("AgentSummary", {"aggregation": "hourly"}, "--aggregation: 'hourly' is not supported; choose halfHourly"),
        ("ContactSummaryReport", {"channel": "pigeon"}, "--channel: 'pigeon' is not supported"),
        ("IvrEndStatesReportV2", {}, "is about one phone number"),
        ("IvrEndStatesReportV2", {"phone_number": "650 555 0100"}, "not in E.164"),
    ],
)
def test_options_that_gladly_would_refuse_are_refused_before(name: str, options: dict[str, Any], message: str) -> None:
    """Without a request of the ten a minute."""
    with pytest.raises(UsageError, match=message):
        query_for(name, **options)


def test_all_stands_for_every_set_without_required_options() -> None:
    """Each of them can be requested without options."""
    names = sets_without_required_options()

    assert len(names) == 54
    assert all(query_for(name) for name in names)


def test_a_request_names_days_in_utc() -> None:
    """The days of one organisation's time zone would not match those of another."""
    request = request_for(query_for("ConversationExportReport"), FIRST, LAST)

    assert (request.method, request.path) == ("POST", "/api/v1/reports")
    assert (request.budget, request.repeat, request.accept) == (BudgetClass.REPORTS, Repeat.HARMLESS, "text/csv")
    assert orjson.loads(request.body or b"") == {
        "metricSet": "ConversationExportReport",
        "timezone": "UTC",
        "startAt": "2026-11-01",
        "endAt": "2026-11-07",
    }


def test_a_request_says_what_it_is_narrowed_to() -> None:
    """Filters of a split replace the query's own of the same name."""
    query = query_for("WorkSessionsReportV3", channel="VOICE", inboxes=["b", "a"], teams=["t"])

    assert body_of(query)["filters"] == {"channel": "voice", "inboxes": ["a", "b"], "teams": ["t"]}
    assert body_of(query, filters=(("inboxes", ("a",)),))["filters"]["inboxes"] == ["a"]
    phone = query_for("IvrEndStatesReportV2", phone_number="+16505550100")
    assert body_of(phone)["filters"] == {"phoneNumber": "+16505550100"}


def test_defaults_said_out_loud_are_the_same_query() -> None:
    """Otherwise the same rows would be stored twice."""
    said = query_for("ContactSummaryReport", aggregation="daily", channel="allChannels")

    assert said == query_for("ContactSummaryReport")
    assert "filters" not in body_of(said)


def test_the_work_sessions_have_a_path_and_a_period_of_their_own() -> None:
    """To the minute, with the last minute included; no zone and no metric set."""
    request = request_for(query_for(WORK_SESSIONS.lower()), FIRST, LAST)

    assert (request.operation, request.path) == ("generateWorkSessionReport", "/api/v1/reports/work-session-events")
    assert orjson.loads(request.body or b"") == {"startAtTime": "2026-11-01T00:00Z", "endAtTime": "2026-11-07T23:59Z"}


def test_version_4_of_the_work_sessions_is_asked_to_the_minute_first() -> None:
    """Days, which the document describes, are the second try."""
    query = query_for("WorkSessionEventsReportV4")

    assert query.metrics.periods == (Period.MINUTES, Period.DAYS)
    assert body_of(query) == {
        "metricSet": "WorkSessionEventsReportV4",
        "startAtTime": "2026-11-01T00:00Z",
        "endAtTime": "2026-11-08T00:00Z",
    }
    assert body_of(query, period=Period.DAYS).keys() == {"metricSet", "startAt", "endAt", "timezone"}


@pytest.mark.parametrize("name", METRIC_SETS)
def test_what_dates_a_row_is_a_known_time(name: str) -> None:
    """It separates the rows of overlapping periods."""
    kinds = {column.name: column.kind for column in METRIC_SETS[name].columns}

    assert all(kinds[column] is CellKind.TIMESTAMP for column in METRIC_SETS[name].anchor)


def test_each_question_has_a_data_set_of_its_own() -> None:
    """Rows of different queries never mix, and the name of the folder has no personal number."""
    queries = [
        query_for("AgentSummary"),
        query_for("AgentSummary", aggregation="weekly"),
        query_for("AgentSummary", teams=["a"]),
        query_for("AgentSummary", teams=["b"]),
        query_for("WorkSessionsReport", inboxes=["a"]),
        query_for("WorkSessionsReport", teams=["a"]),
        query_for("WorkSessionsReport", channel="voice"),
        query_for("IvrEndStatesReportV2", phone_number="+16505550100"),
    ]

    names = [query.data_set for query in queries]

    assert len(set(names)) == len(names)
    assert names[:2] == ["reports/AgentSummary", "reports/AgentSummary~weekly"]
    assert not [name for name in names if "5550100" in name]


@pytest.mark.parametrize(
    ("name", "splits"),
    [
        ("ConversationExportReport", ("inboxes",)),
        ("ContactExportReportV3", ("inboxes", "channel")),
        ("WorkSessionsReport", ("inboxes", "teams")),
        ("ContactSummaryReport", ()),
        ("TopicSummaryReport", ()),
        ("ContactTimestampsReport", ()),
    ],
)
def test_filters_cut_days_only_where_they_leave_rows_as_they_are(name: str, splits: tuple[str, ...]) -> None:
    """A filter changes the sums of a report that adds up, and the channel may change columns."""
    assert METRIC_SETS[name].splits == splits
