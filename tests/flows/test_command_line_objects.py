"""The program with other objects than customers: what it refuses, asks, and joins."""

import json
import re
from pathlib import Path

import pytest

from bulkgladly.emulator import Emulator
from bulkgladly.gladly.table import METRIC_SETS
from tests.flows.programs import Program
from tests.flows.test_command_line import emulator, program

__all__ = ("emulator", "program")  # fixtures of this module, too

TASKS = "crm,customerKey,inbox,body,dueAt\nT1,C1,General,Call,2099-01-31T09:00:00Z\n"
SMS = "crm,mobileNumber,from,body\nS1,+16505550111,+16505550199,Hello\nS2,+16505550112,+16505550199,Hello\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("import", "sms", "sms.csv", "--key", "crm"), "sends a text message to a person, 2 times in all"),
        (("import", "redactions", "sms.csv"), "--mode delete"),
        (("import", "redactions", "sms.csv", "--mode", "delete"), "pass --yes"),
        (("import", "tasks", "tasks.csv", "--mode", "delete"), "tasks do not support --mode delete"),
        (("import", "tasks", "tasks.csv", "--after", "none"), "there is no run 'none'"),
        (("import", "tasks", "tasks.csv", "--missing-names", "maybe"), "choose stop or reject"),
        (("import", "tasks", "customers.csv", "--key", "crm_id"), "tasks have no column"),
    ],
)
def test_mistakes_leave_with_2_and_the_way_out(
    arguments: tuple[str, ...], words: str, program: Program, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Before any request."""
    (tmp_path / "tasks.csv").write_text(TASKS)
    (tmp_path / "sms.csv").write_text(SMS)

    assert program(*arguments) == 2

    assert words in capsys.readouterr().err


def test_one_run_joins_another_by_name(
    program: Program, emulator: Emulator, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Tasks of one namespace for the customers of another."""
    (tmp_path / "tasks.csv").write_text(TASKS)
    program("import", "customers", "customers.csv", "--key", "crm_id")
    [run] = (tmp_path / ".bulkgladly" / "runs").iterdir()

    status = program(
        "import", "tasks", "tasks.csv", "--key", "crm", "--namespace", "till", "--after", run.name, "--json"
    )

    report = json.loads(capsys.readouterr().out)
    assert (status, report["counts"]["created"], report["mode"]) == (0, 1, "upsert")
    assert report["requests"] == {"getOrganization": 1, "getInboxes": 1, "createTask": 1}
    [task] = [task for task in emulator.store.tasks.values() if task["body"] == "Call"]
    assert task["customerId"] in emulator.store.customers


def test_a_first_message_is_looked_at(program: Program, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Exit code 10, and the command that goes on."""
    (tmp_path / "sms.csv").write_text(SMS)

    assert program("import", "sms", "sms.csv", "--key", "crm", "--i-know-this-contacts-people") == 10

    told = capsys.readouterr().err
    assert "for you to check" in told
    assert "bulkgladly resume" in told


def test_schema_show_says_what_each_column_of_a_data_set_means(
    program: Program, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also for the columns that are ours, and what nobody knows is called UNKNOWN."""
    assert program("schema", "show", "jobs") == 0
    shown = capsys.readouterr().out
    assert program("schema", "show", "jobs", "--json") == 0
    columns = {entry["column"]: entry for entry in json.loads(capsys.readouterr().out)["data_set"]["columns"]}

    assert "PENDING, IN_PROGRESS, COMPLETED or FAILED." in shown
    assert columns["parameters"]["means"].endswith("whether the end is included is UNKNOWN.")
    assert columns["parameters"]["type"].startswith("struct<")
    assert "no longer lists" in columns["_gone_since"]["means"]


@pytest.mark.parametrize("name", ["items", "customers", "ConversationExportReport"])
def test_schema_show_fits_the_terminal(
    name: str, program: Program, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sentences are wrapped between words, and nothing is cut; in a pipe each column is one line."""
    monkeypatch.setenv("COLUMNS", "80")
    assert program("schema", "show", name) == 0
    narrow = capsys.readouterr().out
    monkeypatch.delenv("COLUMNS")
    assert program("schema", "show", name) == 0
    wide = capsys.readouterr().out

    assert max(map(len, narrow.splitlines())) <= 80
    assert sorted(narrow.split()) == sorted(wide.split())
    assert len(wide.splitlines()) <= len(narrow.splitlines())


def test_schema_show_says_which_report_answers_what(program: Program, capsys: pytest.CaptureFixture[str]) -> None:
    """One line for each, with a star where only its name says so."""
    assert program("schema", "show", "--reports", "--json") == 0
    found = {each["report"]: each for each in json.loads(capsys.readouterr().out)}
    assert program("schema", "show", "--reports") == 0
    shown = capsys.readouterr().out

    assert set(found) == set(METRIC_SETS)
    assert [name for name, each in found.items() if not each["answers"].endswith(("?", "."))] == []
    assert found["ContactTimestampsReport"]["is_described"]
    assert re.search(r"TaskSummaryReport +How many tasks were there\? \*\n", shown)
    assert program("schema", "show", "customers", "--reports") == 2
    assert program("schema", "show") == 2


def test_schema_show_tells_fields_and_modes(program: Program, capsys: pytest.CaptureFixture[str]) -> None:
    """For people and for programs, from the same declaration that an import reads rows by."""
    assert program("schema", "show", "tasks") == 0
    shown = capsys.readouterr().out
    assert program("schema", "show", "tasks", "--json") == 0
    columns = {entry["column"]: entry for entry in json.loads(capsys.readouterr().out)["columns"]}

    assert "modes: create, update, upsert" in shown
    assert columns["inbox"]["nested"] == "assignee.inboxId"
    assert "OPEN, CLOSED" in columns["status"]["holds"]
    assert "required to create or upsert" in columns["dueAt"]["holds"]
    assert columns["createdBy"]["holds"] == "accepted in a row, never sent"
