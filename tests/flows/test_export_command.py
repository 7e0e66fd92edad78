"""`export`, `dump` and what belongs to them, as a person meets them on the command line."""

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bulkgladly.emulator import Emulator, EmulatorOptions
from tests.flows.programs import Program, program_in
from tests.flows.serving import served

QUIET = ("--progress", "none")


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    """An emulator in a thread of its own, since the program runs its own loop."""
    options = EmulatorOptions(
        rate=None, report_rate=None, seed_customers=10, seed_jobs=2, seed_conversations=1, seed_events=50
    )
    with served(Emulator(options)) as running:
        yield running


@pytest.fixture
def program(emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """The program in an empty folder, with credentials for the emulator."""
    return program_in(tmp_path, monkeypatch, emulator)


def test_an_export_tells_people_on_stderr_and_programs_on_stdout(
    program: Program, capsys: pytest.CaptureFixture[str]
) -> None:
    """The summary has the sum, the data sets and the next command; stdout has the report and nothing else."""
    assert program("export", "items", "inboxes", "--out", "lake", "--json", *QUIET) == 0

    told = capsys.readouterr()
    report = json.loads(told.out)
    assert report["counts"]["created"] == 2 * 180 + 3
    assert {"run", "status", "exit_code", "counts", "requests", "files"} <= set(report)
    assert "363 rows fetched: 363 new" in told.err
    assert "next: bulkgladly dataset show lake" in told.err


def test_a_dump_with_a_file_of_settings_and_its_look_afterwards(
    program: Program, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`dump`, again, `dataset`, `runs`: one after the other in one folder, as in a night."""
    (tmp_path / "dump.toml").write_text('what = ["items", "agents"]\nreports = ["AgentSummaryV2"]\nformat = "ndjson"\n')

    assert program("dump", "lake", "--config", "dump.toml", *QUIET) == 0
    assert list((tmp_path / "lake" / "items").rglob("*.ndjson"))
    capsys.readouterr()
    assert program("dump", "lake", "--config", "dump.toml", "--json", *QUIET) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["counts"]["created"] == 0
    assert program("dataset", "verify", "lake", "--deep") == 0
    assert program("dataset", "show", "lake") == 0
    assert "reports/AgentSummaryV2" in capsys.readouterr().out
    assert program("runs", "show") == 0
    shown = capsys.readouterr().out
    assert "object    dump (mode: export)" in shown
    assert "unit" not in shown


def test_events_are_lost_before_job_files(program: Program, capsys: pytest.CaptureFixture[str]) -> None:
    """The time of the next loss is that of what is deleted first: a day for events."""
    assert program("dump", "lake", "--what", "items,events", "--json", *QUIET) == 0

    told = json.loads(capsys.readouterr().out)["next_loss"]
    left = dt.datetime.strptime(told, "%Y-%m-%d %H:%M UTC").replace(tzinfo=dt.UTC) - dt.datetime.now(dt.UTC)
    assert dt.timedelta(hours=23) < left < dt.timedelta(hours=24, minutes=1)


def test_names_in_a_dumps_file_that_mean_nothing_are_refused(
    program: Program, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the name that was probably meant."""
    (tmp_path / "dump.toml").write_text('report = ["AgentSummaryV2"]\n')

    assert program("dump", "lake", "--config", "dump.toml", *QUIET) == 2

    assert "did you mean reports?" in capsys.readouterr().err
    assert not (tmp_path / "lake").exists()


def test_profiles_of_the_data_sets_own_customers(program: Program, capsys: pytest.CaptureFixture[str]) -> None:
    """What is given by parent only goes by the ids that are there."""
    assert program("export", "customers", "--out", "lake", *QUIET) == 0
    capsys.readouterr()

    assert program("export", "profiles", "--from-dataset", "lake", "--out", "lake", "--json", *QUIET) == 0

    report = json.loads(capsys.readouterr().out)
    assert report["requests"]["getCustomer"] == report["counts"]["created"] == 10


def test_a_report_by_its_name_and_days(program: Program, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`report METRICSET --from --to`, narrowed to a channel."""
    assert (
        program(
            *("export", "report", "ConversationExportReport", "ContactExportReportV3", "--out", "lake"),
            *("--from", "2026-03-02", "--to", "2026-03-08", "--json", *QUIET),
        )
        == 0
    )

    report = json.loads(capsys.readouterr().out)
    assert set(report["files"]) == {"reports/ConversationExportReport", "reports/ContactExportReportV3"}
    assert report["requests"]["generateReport"] >= 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("export", "widgets", "--out", "lake"), "unknown object 'widgets'"),
        (("export", "items"), "missing option '--out'"),
        (("export", "report", "--out", "lake"), "name at least one metric set after `report`"),
        (("export", "reports", "--out", "lake"), "pass --all with `reports`"),
        (("export", "items", "--all", "--out", "lake"), "--all needs `reports`"),
        (("export", "profiles", "--out", "lake"), "--from-dataset"),
        (("export", "items", "--out", "lake", "--format", "xlsx"), "choose parquet, ndjson or csv"),
        (
            ("export", "items", "--out", "lake", "--compression", "rar"),
            "--compression for parquet: 'rar' is not supported",
        ),
        (("export", "items", "--out", "lake", "--partition", "week"), "choose none, type, entity, date or month"),
        (("export", "items", "--out", "lake", "--since", "soon"), "--since soon is not a day or a time"),
        (("export", "items", "--out", "lake", "--since", "2026-02-01", "--until", "2026-01-01"), "before --until"),
        (("export", "items", "--out", "lake", "--max-file-size", "big"), "500MB or 20GB"),
        (("export", "report", "AgentSummaryV2", "--channel", "voice", "--out", "lake"), "channel"),
        (("dataset", "show", "lake"), "is not a bulkgladly data set"),
        (("dump", "taken"), "is not a bulkgladly data set"),
        (("retry", "none"), "there is no run 'none'"),
    ],
)
def test_mistakes_leave_with_2_and_the_way_out(
    arguments: tuple[str, ...], words: str, program: Program, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before any request, without a data set, and never as a traceback."""
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "letter.txt").write_text("dear")

    assert program(*arguments) == 2

    told = capsys.readouterr()
    assert words in told.err
    assert "Traceback" not in told.err
    assert not (tmp_path / "lake").exists()


def test_compacting_everything_passes_over_what_has_no_rows(
    program: Program, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An organisation without webhooks has an empty list, which is not a mistake."""
    assert program("export", "inboxes", "webhooks", "--out", "lake", *QUIET) == 0
    capsys.readouterr()

    assert program("dataset", "compact", "lake", "--json") == 0

    assert [made["data_set"] for made in json.loads(capsys.readouterr().out)] == ["inboxes"]
    assert list((tmp_path / "lake" / "current" / "inboxes").glob("*.parquet"))


def test_schemas_are_shown(program: Program, capsys: pytest.CaptureFixture[str]) -> None:
    """A data set's columns with their types, a report's with their headers."""
    assert program("schema", "show", "items", "--json") == 0
    items = json.loads(capsys.readouterr().out)["data_set"]
    timestamp = {"column": "timestamp", "type": "timestamp[us, tz=UTC]", "means": "When it happened."}
    assert timestamp in items["columns"]
    assert items["partitions"] == ["type", "date"]

    assert program("schema", "show", "ConversationExportReport") == 0
    assert "Assigned Agent ID - Current" in capsys.readouterr().out
    assert program("schema", "show", "customers") == 0
    told = capsys.readouterr().out
    assert "Columns of customers to import" in told
    assert "Columns of the data set customers" in told


def test_retrying_an_export_says_what_to_do_instead(program: Program, capsys: pytest.CaptureFixture[str]) -> None:
    """An export has no rejected rows to send again."""
    assert program("export", "inboxes", "--out", "lake", *QUIET) == 0
    capsys.readouterr()

    assert program("retry", "inboxes-export") == 2

    assert "run the same export command again" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ("dump", "s3://bucket/lake"),
        ("export", "items", "--out", "gs://bucket/lake"),
        ("export", "profiles", "--ids", "https://example.org/ids.txt", "--out", "lake"),
        ("dump", "lake", "--state-dir", "s3://bucket/state"),
        ("dataset", "verify", "s3://bucket/lake"),
        ("dataset", "compact", "s3://bucket/lake"),
        ("import", "customers", "https://example.org/customers.csv"),
        ("check", "customers", "https://example.org/customers.csv"),
        ("runs", "list", "--state-dir", "s3://bucket/state"),
        ("doctor", "--state-dir", "s3://bucket/state"),
    ],
    ids=" ".join,
)
def test_a_url_is_refused_and_no_folder_of_its_name_is_made(
    program: Program, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    """Who believes that the night lies in a bucket has lost it."""
    assert program(*arguments) == 2

    told = capsys.readouterr().err
    assert "://" in told
    assert "is a URL, not a local path" in told
    assert not list(tmp_path.iterdir())
