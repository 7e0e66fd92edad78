"""The program as a person meets it: what it prints, where, and how it leaves."""

import datetime as dt
import io
import json
import logging
import math
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from bulkgladly.cli import display
from bulkgladly.emulator import Emulator
from bulkgladly.runs.observer import Estimate, RunView
from tests.flows.programs import Program, program_in
from tests.flows.quickly import QUICK
from tests.flows.serving import served

CSV = "crm_id,name,email:1\nC1,Ada Ashby,ada@example.org\nC2,Ben Birch,ben@example.org\nC3,Cleo Holt,nobody\n"


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    """An emulator in a thread of its own, since the program runs its own loop."""
    with served(Emulator(rate=None, seed_customers=2)) as running:
        yield running


@pytest.fixture
def program(emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """The program in an empty folder, with credentials for the emulator and a file of three rows."""
    (tmp_path / "customers.csv").write_text(CSV.replace("@example.org", f".{tmp_path.name}@example.org"))
    return program_in(tmp_path, monkeypatch, emulator)


def test_an_import_tells_people_on_stderr_and_programs_on_stdout(
    program: Program, capsys: pytest.CaptureFixture[str]
) -> None:
    """The report alone is on stdout; the estimate, the sum, the files and the next command are for people."""
    status = program("import", "customers", "customers.csv", "--key", "crm_id", "--json")

    told = capsys.readouterr()
    report = json.loads(told.out)
    assert status == report["exit_code"] == 1
    assert (report["counts"]["created"], report["counts"]["rejected"]) == (2, 1)
    said = "3 rows (2 to create, 1 to reject): 2 createCustomer, 1 getOrganization: about 3 to 7 requests"
    assert said in told.err
    assert "3 rows read: 2 created (66.7 %), 1 rejected (33.3 %)" in told.err
    assert "unprocessed.ndjson" not in told.err
    assert "rejected.ndjson" in told.err
    assert "1 reject to correct: edit rejected.csv, then import it" in told.err
    assert f"next: bulkgladly import customers {report['folder']}/rejected.csv --key crm_id" in told.err


def test_json_lines_hold_the_same(program: Program, capsys: pytest.CaptureFixture[str]) -> None:
    """Every line on stderr is an object; the last one has the report."""
    program("import", "customers", "customers.csv", "--key", "crm_id", "--log-format", "json")

    events = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [event["event"] for event in events] == ["started", "finished"]
    assert events[-1]["report"]["counts"]["read"] == 3


def test_runs_are_listed_and_shown(program: Program, capsys: pytest.CaptureFixture[str]) -> None:
    """Also the rejects, by position and way out, without the values of the row."""
    program("import", "customers", "customers.csv", "--key", "crm_id")
    capsys.readouterr()

    assert program("runs", "list") == 0
    assert "complete" in capsys.readouterr().out
    assert program("runs", "show") == 0
    shown = capsys.readouterr().out
    assert "customers.csv:4: invalid_email (emails[0])" in shown
    assert "nobody" not in shown
    assert re.search(r"^  started   (today|yesterday) ", shown, re.MULTILINE)
    assert re.search(r"^  next: bulkgladly import customers \S+/rejected.csv --key crm_id", shown, re.MULTILINE)
    assert "runs show" not in shown
    assert program("runs", "show", "--json") == 0
    assert json.loads(capsys.readouterr().out)["counts"] == {"created": 2, "rejected": 1}


def test_nothing_to_resume_is_no_error(program: Program, capsys: pytest.CaptureFixture[str]) -> None:
    """It says so, and leaves with 0."""
    assert program("resume") == 0
    assert "nothing to resume" in capsys.readouterr().err


@pytest.mark.parametrize("sound_bytes", [0, 4096])
def test_a_run_that_is_damaged_is_not_called_nothing_to_resume(
    program: Program, capsys: pytest.CaptureFixture[str], sound_bytes: int
) -> None:
    """A crontab that resumes would stay at exit code 0 for ever, while rows wait."""
    assert program("import", "customers", "customers.csv", "--key", "crm_id", "--limit", "1") == 10
    (journal,) = Path(".bulkgladly/runs").glob("*/journal.sqlite")
    sound = journal.read_bytes()
    journal.write_bytes(sound[:sound_bytes] + b"x" * (len(sound) - sound_bytes))
    capsys.readouterr()

    codes = [program("resume"), program("runs", "show")]
    alone = capsys.readouterr().err
    assert program("import", "customers", "customers.csv", "--key", "crm_id", "--limit", "1", "--new-run") == 10
    capsys.readouterr()
    assert program("resume") == 1

    assert codes == [2, 2]
    assert alone.count("is damaged: ") == alone.count("rm -r ") == 2
    assert "nothing to resume" not in alone
    assert "is damaged: " in capsys.readouterr().err


def test_a_dry_run_names_the_rows_that_would_be_rejected(program: Program, capsys: pytest.CaptureFixture[str]) -> None:
    """And leaves no run behind."""
    assert program("import", "customers", "customers.csv", "--key", "crm_id", "--dry-run", "--json") == 1

    told = capsys.readouterr()
    assert json.loads(told.out)["findings"][0]["examples"] == ["customers.csv:4, emails[0]"]
    assert not Path(".bulkgladly/runs").exists()


def test_a_rehearsal_touches_nothing_but_its_own_emulator(
    program: Program, emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    """It tells the requests and the time that they take."""
    before = emulator.requests.total

    assert program("import", "customers", "customers.csv", "--key", "crm_id", "--rehearse") == 1

    assert emulator.requests.total == before
    assert "rehearsal: 3 requests, 0 s" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("import", "customers", "none.csv"), 2, "no such file"),
        (("import", "widgets", "customers.csv"), 2, "choose from: customers"),
        (
            ("import", "custmers", "customers.csv"),
            2,
            "unknown object 'custmers'; did you mean 'customers'? choose from",
        ),
        (("import", "customers", "customers.csv", "--config", "x.toml"), 2, "`bulkgladly --config FILE import ...`"),
        (("import", "customers", "customers.csv"), 2, "no column crm_id"),
        (
            ("import", "customers", "customers.csv", "--key", "crm"),
            2,
            "which --key names; did you mean --key crm_id?",
        ),
        (
            ("import", "customers", "customers.csv", "--on-conflict", "maybe"),
            2,
            "skip, update or merge",
        ),
        (("import", "customers", "customers.csv", "--max-errors", "few"), 2, "a count such as 100"),
        (("import", "customers", "customers.csv", "--key", "crm_id", "--mode", "delete"), 2, "pass --yes"),
        (("import", "customers", "customers.csv", "--complete", "--missing", "delete"), 2, "pass --yes"),
        (("import", "tasks", "customers.csv", "--complete", "--missing", "delete", "--yes"), 2, "--missing tell"),
        (("import", "customers", "customers.csv", "--missing", "delete"), 2, "pass --complete as well"),
        (("import", "customers", "customers.csv", "--baseline", "."), 2, "is not a bulkgladly data set"),
        (("import", "customers", "customers.csv", "--profile", "none"), 2, "unknown profile 'none'"),
        (("import", "customers", "customers.csv", "--key", "crm_id", "--progress", "loud"), 2, "auto, bar, line"),
        (("retry", "none"), 2, "there is no run 'none'"),
        (("schema", "show", "widgets"), 2, "choose from: activities"),
        (("--config", "none.toml", "runs", "list"), 2, "none.toml cannot be read"),
        (("frobnicate",), 2, "unknown command 'frobnicate'"),
        (("chek",), 2, "unknown command 'chek'; did you mean 'check'?"),
        (("import", "customers", "customers.csv", "--yess"), 2, "unknown option --yess; did you mean --yes?"),
        (("export", "profiles", "--emails", "none.csv", "--out", "lake"), 2, "none.csv: no such file"),
    ],
)
def test_mistakes_leave_with_2_and_the_way_out(
    arguments: tuple[str, ...], status: int, words: str, program: Program, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before any request, and never as a traceback."""
    assert program(*arguments) == status

    told = capsys.readouterr()
    assert words in told.err
    assert "Traceback" not in told.err


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [("GLADLY_API_TOKEN", "wrong-token", "GLADLY_API_TOKEN"), ("GLADLY_USERNAME", "noperm@example.org", "API User")],
)
def test_wrong_credentials_leave_with_4_and_reject_nobody(
    variable: str,
    value: str,
    words: str,
    program: Program,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """401 and 403 are told apart, by import and doctor alike."""
    monkeypatch.setenv(variable, value)

    assert program("import", "customers", "customers.csv", "--key", "crm_id", "--json") == 4
    told = capsys.readouterr()
    assert (
        json.loads(told.out)["counts"] | {"read": 3, "unprocessed": 3, "rejected": 0} == json.loads(told.out)["counts"]
    )
    assert words in told.err
    assert program("doctor") == 4
    assert words in capsys.readouterr().out


def test_doctor_looks_at_everything(program: Program, capsys: pytest.CaptureFixture[str]) -> None:
    """With one request, and the token not shown."""
    assert program("doctor", "--json") == 0

    told = capsys.readouterr().out
    looked = {finding["what"]: finding["result"] for finding in json.loads(told)["findings"]}
    assert looked | dict.fromkeys(("credentials", "organisation", "permission", "disk", "clock"), "ok") == looked
    assert "emulator-token" not in told


def test_the_settings_file_gives_defaults_and_flags_win(program: Program, capsys: pytest.CaptureFixture[str]) -> None:
    """Flags, then environment, then the file; the state directory for all commands."""
    Path("bulkgladly.toml").write_text('state_dir = "kept"\n[import]\nkey = "crm_id"\nmax-errors = 0\n')

    assert program("import", "customers", "customers.csv") == 3
    assert "more than 0 records" in capsys.readouterr().err
    assert program("import", "customers", "customers.csv", "--max-errors", "5", "--new-run") == 1
    capsys.readouterr()
    assert program("runs", "list") == 0
    assert len(capsys.readouterr().out.splitlines()[1:]) == len(list(Path("kept/runs").iterdir())) == 2


def test_names_in_the_settings_file_that_are_no_flags_are_refused(
    program: Program, capsys: pytest.CaptureFixture[str]
) -> None:
    """A misspelt limit would be no limit."""
    Path("bulkgladly.toml").write_text("max_error = 5\n")

    assert program("runs", "list") == 2
    assert "did you mean max_errors" in capsys.readouterr().err


def test_deleting_goes_on_with_a_word_only(program: Program, emulator: Emulator) -> None:
    """`--yes` is that word where nobody can be asked."""
    program("import", "customers", "customers.csv", "--key", "crm_id")
    held = emulator.store.count("customers")

    assert program("import", "customers", "customers.csv", "--key", "crm_id", "--mode", "delete", "--yes") == 1
    assert emulator.store.count("customers") == held - 2


def test_an_internal_error_is_no_traceback(program: Program, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 70, and a word on how to see where it happened."""

    def broken() -> float:
        raise ZeroDivisionError("a bug")

    environment = replace(QUICK, clock=broken)

    assert program("import", "customers", "customers.csv", "--key", "crm_id", environment=environment) == 70
    told = capsys.readouterr().err
    assert "internal error: ZeroDivisionError: a bug" in told
    assert "BULKGLADLY_DEBUG=1" in told


VIEW = RunView(
    run="customers-upsert_x",
    counts={"created": 40, "rejected": 2},
    done=42,
    rows=100,
    rows_exact=False,
    seconds=1.0,
    requests=41,
    requests_per_second=8.9,
    allowed_per_second=9.0,
    in_flight=3,
    throttled=1,
    waiting=None,
    waiting_s=0.0,
    eta_s=7.0,
)


def test_one_line_a_minute_and_one_for_a_long_wait(caplog: pytest.LogCaptureFixture) -> None:
    """The first heartbeat comes early, so that nobody wonders whether it works."""
    shown = display.LineDisplay(logging.getLogger("shown"), now=lambda: dt.datetime(2026, 11, 27, 14, 5))  # noqa: DTZ001
    caplog.set_level(logging.INFO, "shown")

    shown.started("r", Estimate(100, False, 100, 300, 9.0))
    for second in range(1, 131):
        shown.tick(replace(VIEW, seconds=float(second), eta_s=2400.0))
    shown.tick(replace(VIEW, waiting="throttled (429)", waiting_s=30.0, seconds=131.0))
    shown.tick(replace(VIEW, waiting="throttled (429)", waiting_s=29.0, seconds=132.0))

    lines = [record.getMessage() for record in caplog.records]
    assert lines[0].startswith("r: about 100 rows: 100 to 300 requests, 11 s to 33 s at 9/s")
    assert len(lines) == 1 + 3 + 1
    assert lines[1] == (
        "42 of about 100 rows (42 %), 40 created, 2 rejected, 8.9 of 9.0 requests/s, 1 throttled (HTTP 429), "
        "5 s elapsed, 40 min left (until 14:45)"
    )
    assert lines[-1] == "waiting 30 s: throttled (429)"


def test_the_live_view_shows_pace_progress_and_why_it_waits() -> None:
    """What a person needs to leave the desk."""
    screen = Console(file=io.StringIO(), width=120, force_terminal=False)

    class Live:
        def update(self, content: object) -> None:
            screen.print(content)

    shown = display.LiveDisplay(logging.getLogger("shown"), Live())
    shown.tick(replace(VIEW, waiting="outage: no connection to the host", waiting_s=12.0))
    shown.tick(replace(VIEW, allowed_per_second=math.inf))
    shown.tick(replace(VIEW, waiting="stopping: waiting for 3 requests", is_stopping=True))

    assert isinstance(screen.file, io.StringIO)
    text = screen.file.getvalue()
    for words in (
        "42 of about 100",
        "40 created",
        "8.9 of 9.0 requests/s",
        "waiting 12 s: outage",
        "no limit",
        "Ctrl-C stops safely",
    ):
        assert words in text
    assert text.endswith("stopping: waiting for 3 requests\nCtrl-C stops at once\n")


def test_displays_are_chosen_by_word_and_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A live view needs a terminal that people read."""
    logger = display.logger_for("text")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False, raising=False)

    with display.display_for("auto", logger) as shown:
        assert type(shown) is display.LineDisplay
    with display.display_for("bar", logger) as shown:
        assert type(shown) is display.LiveDisplay
