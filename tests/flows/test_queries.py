"""docs/queries.md: each query, in DuckDB and in Polars, finds what happened in the history of an emulator."""

import asyncio
import datetime as dt
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pytest

from bulkgladly.emulator.seeding.seed_history import History
from bulkgladly.exports.export_options import ReportQuery
from bulkgladly.lake.compact import compact
from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.view_sources import view_name
from bulkgladly.lake.view_sql import views_of
from tests.flows.exporting import Lake, a_lake
from tests.flows.history_answers import ANSWERS, Row

PAGE = Path(__file__).parents[2] / "docs" / "queries.md"
DAYS = 5
REPORTS = ("ConversationExportReport", "WorkSessionEventsReportV4")


class Dumped(NamedTuple):
    """A data set, and the history that it tells."""

    path: Path
    history: History


@pytest.fixture(scope="module")
def dumped(tmp_path_factory: pytest.TempPathFactory) -> Dumped:
    """Everything that the page says to export, compacted."""
    lake = a_lake(tmp_path_factory.mktemp("queries"), seed_history=DAYS, report_rate=None)
    assert lake.emulator.history is not None
    asyncio.run(export_all(lake))
    with DataFolder.open(lake.out).lock() as folder:
        for name in folder.data_sets():
            if any(one.parts for one in folder.iter_manifests(name)):
                compact(folder, name)
    return Dumped(lake.out, lake.emulator.history)


async def export_all(lake: Lake) -> None:
    today = lake.wall.now.date()
    query = ReportQuery(REPORTS, first=today - dt.timedelta(days=DAYS), last=today)
    async with lake.emulator:
        await lake.export("items", "customers", "agents-list", "topics-list", "inboxes")
        await lake.export("profiles", "conversations", "tasks", from_dataset=lake.out)
        await lake.export("report", report=query)


@pytest.fixture(scope="module")
def duck(dumped: Dumped) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database with the views."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET VARIABLE as_of = ?::TIMESTAMPTZ", [dumped.history.until])
        connection.execute(views_of(DataFolder.open(dumped.path)).sql)
        yield connection


def blocks(language: str) -> dict[int, str]:
    """The block of each question, and under 0 what comes before all of them."""
    found: dict[int, str] = {}
    for section in re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        number = int(said[1]) if (said := re.match(r"(\d+)\. ", section)) else 0
        block = re.search(rf"^```{language}\n(.*?)^```", section, re.DOTALL | re.MULTILINE)
        if block:
            found[number] = block[1]
    return found


def rounded(rows: Sequence[Row]) -> list[Row]:
    """Rows whose numbers with a fraction are compared to a tenth: rounding halves differs between the three."""
    return [tuple(pytest.approx(v, abs=0.11) if isinstance(v, float) else v for v in row) for row in rows]


def test_the_page_has_ten_questions() -> None:
    """Each in both languages."""
    assert list(blocks("sql")) == list(blocks("py")) == [0, *ANSWERS] == list(range(11))


def test_views_have_the_rows_of_compact(dumped: Dumped, duck: duckdb.DuckDBPyConnection) -> None:
    """One for each key, and the same ones, although no view reads what `compact` wrote."""
    folder = DataFolder.open(dumped.path)
    for name in folder.data_sets():
        if name.startswith("reports/"):  # whose views have other types
            continue
        kept = f"read_parquet('{dumped.path}/current/{name}/*.parquet')"
        view = f'"{view_name(name)}"'
        differ = f"(FROM {view} EXCEPT ALL FROM {kept}) UNION ALL (FROM {kept} EXCEPT ALL FROM {view})"
        assert duck.sql(f"SELECT count(*) FROM ({differ})").fetchall() == [(0,)], name  # noqa: S608


@pytest.mark.parametrize("number", ANSWERS)
def test_duckdb_finds_the_truth(number: int, dumped: Dumped, duck: duckdb.DuckDBPyConnection) -> None:
    """On the views."""
    truth = ANSWERS[number](dumped.history.stories, dumped.history.until)
    assert truth
    assert duck.sql(blocks("sql")[number]).fetchall() == rounded(truth)


@pytest.mark.parametrize("number", ANSWERS)
def test_polars_finds_the_truth(number: int, dumped: Dumped) -> None:
    """On the compacted files."""
    names: dict[str, Any] = {"lake": str(dumped.path), "as_of": dumped.history.until}
    head = re.sub(r"^lake, as_of = .*$", "", blocks("py")[0], flags=re.MULTILINE)
    exec(head + blocks("py")[number], names)  # noqa: S102  # the page is ours
    assert names["answer"].rows() == rounded(ANSWERS[number](dumped.history.stories, dumped.history.until))
