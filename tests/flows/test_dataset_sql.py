"""`dataset sql`: its views open in DuckDB, whatever the folder holds and is called."""

import datetime as dt
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from bulkgladly.errors import UsageError
from bulkgladly.exports.export_options import ReportQuery
from bulkgladly.lake.compact import compact
from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.joined_views import JOINED_VIEWS
from bulkgladly.lake.part_writer import PartOptions
from bulkgladly.lake.rows import Origin
from bulkgladly.lake.schemas import DATA_SETS
from bulkgladly.lake.unit_writer import UnitWriter
from bulkgladly.lake.view_sources import source_of, view_name
from bulkgladly.lake.view_sql import view_sql, views_of
from tests.flows.exporting import Lake, a_lake, as_lines
from tests.flows.programs import Program, program_in

NOON = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


def put(path: Path, data_set: str, nights: list[list[dict[str, Any]]], **how: Any) -> None:
    """Publish one unit for each night."""
    with DataFolder.open(path, host="https://sample.example.org", create=True, now=lambda: NOON).lock() as folder:
        for night, rows in enumerate(nights):
            origin = Origin(f"job{night}", "a.jsonl", {"_job_updated_at": NOON + night * DAY})
            writer = UnitWriter(folder, DATA_SETS[data_set], f"job{night}", origin, **how)
            writer.convert([as_lines(rows)])
            writer.commit(covered=(NOON + night * DAY, NOON + (night + 1) * DAY))


@pytest.fixture
def duck() -> Iterator[duckdb.DuckDBPyConnection]:
    """A database in memory."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


def opened(duck: duckdb.DuckDBPyConnection, path: Path) -> duckdb.DuckDBPyConnection:
    duck.execute(views_of(DataFolder.open(path)).sql)
    return duck


def item(number: int, **more: Any) -> dict[str, Any]:
    return {"id": f"i{number}", "customerId": "c", "timestamp": "2026-11-22T10:00:00Z", **more}


def test_a_view_has_the_newest_row_of_each_key(duck: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """Of the newest job."""
    put(tmp_path, "agents", [[{"id": "a", "name": "Old"}, {"id": "b", "name": "B"}], [{"id": "a", "name": "New"}]])

    found = opened(duck, tmp_path).sql('SELECT id, name FROM agents ORDER BY "id"').fetchall()

    assert found == [("a", "New"), ("b", "B")]


def test_views_without_a_data_set_have_no_rows(duck: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """Every view can be queried with nothing but agents in the folder."""
    put(tmp_path, "agents", [[{"id": "a", "name": "A"}]])

    opened(duck, tmp_path)

    counts = {name: duck.sql(f'SELECT count(*) FROM "{name}"').fetchall()[0][0] for name in JOINED_VIEWS}  # noqa: S608
    assert counts.pop("all_agents") == 1
    assert set(counts.values()) == {0}


def test_every_column_of_a_joined_view_is_explained(duck: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """In docs/model.md, and no column that does not exist."""
    put(tmp_path, "agents", [[{"id": "a", "name": "A"}]])
    opened(duck, tmp_path)
    page = (Path(__file__).parents[2] / "docs" / "model.md").read_text(encoding="utf-8")
    table = page[page.index("| column | view | what it means |") :].split("\n\n")[0]
    explained = {
        (view, column)
        for columns, views in re.findall(r"^\| (`[^|]*) \| ([^|]*) \|", table, re.MULTILINE)
        for view in re.findall(r"`(\w+)`", views)
        for column in re.findall(r"`(\w+)`", columns)
    }

    described = set(JOINED_VIEWS) - {"all_items", "work_sessions"}  # which have the columns of a data set
    columns = {(view, column) for view in described for column, *_ in duck.sql(f'DESCRIBE "{view}"').fetchall()}
    assert columns <= explained
    assert {view for view, _ in explained} == described


@pytest.mark.parametrize("name", ["it's", 'say "hi"', "50%; DROP", "a[b]*?c", "date=2020-01-01", "größe"])
def test_any_name_of_a_folder_works(duck: duckdb.DuckDBPyConnection, tmp_path: Path, name: str) -> None:
    """Quotes, patterns and Hive's own form are only characters."""
    note = {"type": "CONVERSATION_NOTE", "body": "x"}
    put(tmp_path / name, "items", [[item(1, content=note)]])

    found = opened(duck, tmp_path / name).sql("SELECT item_id, text FROM notes").fetchall()

    assert found == [("i1", "x")]


def test_other_formats_are_read_after_compact(duck: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """Before it the view is empty, and a remark says what to do."""
    put(tmp_path, "customers", [[{"id": "c", "name": "C"}]])
    put(tmp_path, "agents", [[{"id": "a", "name": "A"}]], options=PartOptions(format="ndjson"))

    before = views_of(DataFolder.open(tmp_path))
    duck.execute(before.sql)
    assert duck.sql("SELECT * FROM agents").fetchall() == []
    assert "bulkgladly dataset compact" in before.remarks[0]

    with DataFolder.open(tmp_path).lock() as folder:
        compact(folder, "agents")
    assert opened(duck, tmp_path).sql("SELECT agent_id FROM all_agents").fetchall() == [("a",)]


def test_a_topic_that_is_its_own_parent_ends(duck: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """Ten levels are enough for any other."""
    rows = [{"id": "t", "name": "T", "parentId": "t"}, {"id": "u", "name": "U", "parentId": "t"}]
    put(tmp_path, "topics", [[*rows, {"id": "v", "name": "V"}]])

    found = dict(opened(duck, tmp_path).sql("SELECT topic_id, topic_path FROM all_topics").fetchall())

    assert found["v"] == "V"
    assert found["u"].endswith("T > U")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return a_lake(tmp_path, seed_customers=2, seed_conversations=1, report_rate=None)


async def test_texts_of_reports_get_their_types(duck: duckdb.DuckDBPyConnection, lake: Lake) -> None:
    """Where all values fit; ids and names stay texts."""
    async with lake.emulator:
        query = ReportQuery(("AgentSummaryV2",), first=dt.date(2026, 3, 17), last=dt.date(2026, 3, 18))
        await lake.export("report", report=query)
    rows = opened(duck, lake.out).sql("DESCRIBE report_agent_summary_v2").fetchall()
    kinds = {name: kind for name, kind, *_ in rows}
    assert kinds["contacts_fulfilled"] == "BIGINT"
    assert kinds["handle_time"] in ("BIGINT", "DOUBLE")
    assert kinds["bucket_beginning"] == "TIMESTAMP WITH TIME ZONE"
    assert (kinds["agent_id"], kinds["name"]) == ("VARCHAR", "VARCHAR")


async def test_all_lists_of_an_organisation_open(duck: duckdb.DuckDBPyConnection, lake: Lake) -> None:
    """With every kind of column: structs, lists and maps."""
    async with lake.emulator:
        ids = lake.folder / "ids.csv"
        ids.write_text("id\nseeded-0000000\nseeded-0000001\n", encoding="utf-8")
        await lake.export("inboxes", "agents-list", "topics-list", "business-hours", "webhooks", "public-answers")
        await lake.export("profiles", "conversations", "tasks", ids=ids)
    opened(duck, lake.out)
    views = [name for (name,) in duck.sql("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()]
    for name in views:
        duck.execute(f'CREATE OR REPLACE TABLE seen AS SELECT * FROM "{name}"')  # noqa: S608
    assert duck.sql("SELECT email_addresses FROM customers_enriched ORDER BY ALL").fetchall()[0] == (
        ["ada.sample.0@example.org"],
    )


async def test_a_new_value_that_does_not_fit_is_named(duck: duckdb.DuckDBPyConnection, lake: Lake) -> None:
    """It never becomes null silently; the command run again keeps the column a text."""
    metric_set, day = "AgentLoginTimeReport", dt.date(2026, 3, 17)
    (first, *_) = lake.emulator.reports.rows(metric_set, day=day)
    async with lake.emulator:
        await lake.export("report", report=ReportQuery((metric_set,), first=day, last=day))
        opened(duck, lake.out)
        odd = {**first, "Log-ins": "many"}
        lake.emulator.reports.add_rows(metric_set, [odd], day=day + DAY, whole=True)
        await lake.export("report", report=ReportQuery((metric_set,), first=day + DAY, last=day + DAY))
    with pytest.raises(duckdb.ConversionException, match="many"):
        duck.sql("SELECT log_ins FROM report_agent_login_time").fetchall()
    found = opened(duck, lake.out).sql("SELECT log_ins FROM report_agent_login_time").fetchall()
    assert ("many",) in found


def test_columns_that_no_file_has_are_null(duck: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """As in parts that an earlier version wrote."""
    put(tmp_path, "agents", [[{"id": "a", "name": "A"}]])
    source = source_of(DataFolder.open(tmp_path), "agents", "agents", {"shift": "VARCHAR", "since": "TIMESTAMPTZ"})
    assert source is not None
    duck.execute(view_sql(source))
    assert duck.sql("SELECT id, shift, since FROM agents").fetchall() == [("a", None, None)]


def test_names_of_views() -> None:
    """In snake case."""
    assert view_name("conversation-items") == "conversation_items"
    assert view_name("reports/WorkSessionEventsReportV4") == "report_work_session_events_v4"
    assert view_name("reports/AgentSummaryV2~weekly,inbox=a") == "report_agent_summary_v2_weekly_inbox_a"
    assert view_name("other/a%20b.jsonl") == "other_a_20b_jsonl"


def test_a_folder_without_data_is_refused(tmp_path: Path) -> None:
    """With how to fill it."""
    DataFolder.open(tmp_path / "lake", host="https://sample.example.org", create=True)
    with pytest.raises(UsageError, match="no data"):
        views_of(DataFolder.open(tmp_path / "lake"))


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """To stdout or to a file, which replaces an earlier script and nothing else."""
    program: Program = program_in(tmp_path, monkeypatch)
    put(tmp_path / "lake", "agents", [[{"id": "a", "name": "A"}]])
    (tmp_path / "mine.sql").write_text("SELECT 1", encoding="utf-8")

    assert program("dataset", "sql", "lake") == 0
    printed = capsys.readouterr().out
    assert [program("dataset", "sql", "lake", "-o", "views.sql") for _ in range(2)] == [0, 0]
    assert "wrote views of 1 data set to views.sql" in capsys.readouterr().err
    assert (tmp_path / "views.sql").read_text(encoding="utf-8") == printed
    assert program("dataset", "sql", "lake", "-o", "mine.sql") == 2
    assert (tmp_path / "mine.sql").read_text(encoding="utf-8") == "SELECT 1"
