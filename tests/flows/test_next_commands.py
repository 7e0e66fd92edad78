"""Every next command that is printed finds its run when a shell runs it in the same directory."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bulkgladly.emulator import Emulator
from tests.flows.programs import HeardProgram, heard, program_in
from tests.flows.serving import served

DIRECTORIES = (None, "state", "my 'own' $state", "../beside", ".bulkgladly/.bulkgladly", "/")
IMPORT = ("import", "customers", "rows.csv", "--key", "crm_id", "--json")


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with served(Emulator(rate=None, seed_customers=2)) as running:
        yield running


@pytest.fixture
def program(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> HeardProgram:
    """The program in an empty folder, with credentials in the environment and a file with one bad row of three."""
    (tmp_path / "here").mkdir()
    program = program_in(tmp_path / "here", monkeypatch, emulator)
    Path("rows.csv").write_text("crm_id,name,email:1\nC1,Ada Ashby,\nC2,Ben Birch,nobody\nC3,Cleo Holt,\n")
    return heard(program, capsys)


@pytest.fixture(params=DIRECTORIES, ids=str)
def where(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    """The state directory as a flag, or none for the default."""
    given: str | None = request.param
    if given is None:
        return []
    return ["--state-dir", f"{tmp_path}/absolute" if given == "/" else given]


def taken(command: str) -> list[str]:
    """The words that a shell makes of a command, without its name."""
    words = ["/bin/sh", "-c", f"bulkgladly() {{ printf '%s\\0' \"$@\"; }}\n{command}"]
    return subprocess.run(words, capture_output=True, check=True).stdout.decode().split("\0")[:-1]


def test_the_commands_of_an_import_go_on_with_it(program: HeardProgram, where: list[str]) -> None:
    """Stopped: the report, `runs show` and the refusal name the same command; finished: `retry`, which works too."""
    stopped = json.loads(program(*IMPORT, "--limit", "1", *where)[1])
    resume, show = stopped["next_commands"]

    refused, _, why = program(*IMPORT, *where)
    assert refused == 2
    assert re.findall("`(bulkgladly resume .*?)`", why) == [resume]
    shown = program(*taken(show))[1]
    assert shown.startswith(f"{stopped['run']}: stopped")
    assert shown.rstrip().endswith(f"next: {resume}")
    code, out, _ = program(*taken(resume), "--json")
    finished = json.loads(out)
    assert (code, finished["run"], finished["status"]) == (1, stopped["run"], "complete")
    retry, show = finished["next_commands"]
    assert program(*taken(show))[1].startswith(f"{stopped['run']}: complete")
    code, out, _ = program(*taken(retry), "--json")
    assert (code, json.loads(out)["counts"]["rejected"]) == (1, 1)
    code, _, why = program("runs", "show", "nothing-like-it", *where)
    assert code == 2
    (listing,) = re.findall("`(bulkgladly runs list.*?)`", why)
    assert stopped["run"] in program(*taken(listing))[1]


def test_after_an_import_comes_its_proof_and_after_a_canary_the_way_back(program: HeardProgram) -> None:
    """A person who has a look finds the commands for it; what they name is the run."""
    Path("rows.csv").write_text("crm_id,name\nV1,Ada Ashby\nV2,Cleo Holt\n")
    stopped = json.loads(program(*IMPORT, "--canary", "1")[1])
    verify, undo, resume, _ = stopped["next_commands"]

    assert taken(undo) == ["undo", stopped["run"], "--dry-run"]
    assert program(*taken(undo))[0] == 0
    assert program(*taken(verify))[0] == 0
    finished = json.loads(program(*taken(resume), "--json")[1])
    assert finished["next_commands"][0] == verify
    assert program(*taken(verify))[0] == 0


def test_an_apply_takes_a_canary_and_does_not_ask_to_read_what_it_reads(program: HeardProgram) -> None:
    """Its updates are read anyway, so it is not true that they cannot be taken back."""
    Path("rows.csv").write_text("crm_id,name\nA1,Ada Ashby\nA2,Cleo Holt\n")
    program(*IMPORT)
    Path("rows.csv").write_text("crm_id,name\nA1,Ada Birch\nA2,Cleo Birch\nA3,Dara Jessop\n")
    assert program("plan", *IMPORT[1:], "--live", "--out", "a.plan")[0] == 0

    code, out, told = program("apply", "a.plan", "--canary", "1", "--json")
    assert (code, json.loads(out)["counts"]["unprocessed"]) == (10, 2)
    assert "--undoable" not in told
    assert "a.plan" in program("explain", "customers-apply", "rows.csv:2", "--offline")[1], "explain names the plan"


def test_explain_of_a_plan_shows_what_is_planned_masked(program: HeardProgram) -> None:
    """Not the note of the journal, which has values as they are, and not an update that was never made."""
    Path("rows.csv").write_text("crm_id,name\nE1,Ada Ashby\n")
    program(*IMPORT)
    Path("rows.csv").write_text("crm_id,name\nE1,Dara Jessop\n")
    program("plan", *IMPORT[1:], "--live", "--out", "e.plan")

    code, out, _ = program("explain", "customers-plan", "rows.csv:2", "--offline")
    assert code == 0
    assert "Jessop" not in out
    assert 'planned   name: "Aaa Aaaaa" -> "Aaaa Aaaaaa"' in out
    assert "result    to update at" in out


def test_a_run_that_was_undone_is_not_resumed_but_begun_again(program: HeardProgram) -> None:
    """A resume would send the rest alone. Nothing stands in the way of the same import, or of a new plan."""
    Path("rows.csv").write_text("crm_id,name\nU1,Ada Ashby\nU2,Cleo Holt\n")
    stopped = json.loads(program(*IMPORT, "--canary", "1")[1])
    program("undo", stopped["run"], "--yes")

    code, _, told = program("resume", stopped["run"])
    listed = program("runs", "list").out
    shown = program("runs", "show", stopped["run"]).out
    again = json.loads(program(*IMPORT, "--json").out)

    assert code == 2
    assert "took back 1 record of run" in told
    assert "bulkgladly import customers" in told
    assert "taken back since" in listed
    assert "next: bulkgladly resume" not in shown
    assert (again["exit_code"], again["counts"]["created"]) == (0, again["counts"]["read"])


def test_an_undo_has_no_canary(program: HeardProgram) -> None:
    """It would be ignored; `--limit` is the flag for a first look."""
    assert program("undo", "customers-upsert", "--canary", "1")[0] == 2
    assert "Take back only N objects" in program("undo", "--help")[1]


def test_the_commands_of_an_export_go_on_with_it(program: HeardProgram, where: list[str]) -> None:
    """Stopped: `resume`, also from the refusal; finished: a look at the data set, whatever its name."""
    export = ("export", "inboxes", "teams", "topics", "--out", "my lake")
    stopped = json.loads(program(*export, "--max-requests", "3", "--json", *where)[1])
    (resume,) = stopped["next_commands"]

    code, _, why = program(*export, "--keep-raw", *where)
    assert code == 2
    assert re.findall("`(bulkgladly resume .*?)`", why) == [resume]
    code, out, _ = program(*taken(resume), "--json")
    finished = json.loads(out)
    assert (finished["run"], finished["status"]) == (stopped["run"], "complete")
    (show,) = finished["next_commands"]
    assert "inboxes" in program(*taken(show))[1]


def test_a_profile_and_a_settings_file_are_in_the_next_command(
    program: HeardProgram, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without them the next command would look elsewhere, or be nobody."""
    monkeypatch.delenv("GLADLY_HOST")
    monkeypatch.setenv("MY_TOKEN", emulator.options.token)
    profile = f'host = "{emulator.url}"\nusername = "{emulator.options.username}"\ntoken_env = "MY_TOKEN"\n'
    Path("my settings.toml").write_text(f'state_dir = "kept"\n[profiles.eu]\n{profile}')
    settings = ("--config", "my settings.toml")

    stopped = json.loads(program(*settings, *IMPORT, "--limit", "1", "--profile", "eu")[1])
    code, out, _ = program(*taken(stopped["next_commands"][0]), "--json")

    assert (code, json.loads(out)["run"]) == (1, stopped["run"])


def test_a_draft_says_how_it_is_tried(program: HeardProgram) -> None:
    """Also for files with blanks in their names."""
    Path("my rows.csv").write_text("id,name\n1,Ada\n2,Ben\n")

    _, _, told = program("map", "init", "my rows.csv", "--to", "customers", "--out", "my map.toml")

    (check,) = re.findall("`(bulkgladly check customers.*?)`", told)
    assert program(*taken(check))[0] == 0
    assert program(*taken(Path("my map.toml").read_text().splitlines()[1].removeprefix("# ")))[0] == 2


def test_a_retry_without_a_name_takes_the_newest_rejects(program: HeardProgram) -> None:
    """Names of runs are long, and there is hardly ever another that is meant."""
    Path("people.csv").write_text("crm,name,email:1,phone:1\nc-1,Ada,ada@example.org,\n")
    Path("local.csv").write_text("crm,name,email:1,phone:1\nc-2,Ben,ben@example.org,020 7946 0018\n")

    assert program("retry").code == 2
    assert program("import", "customers", "local.csv", "--key", "crm").code == 1
    assert program("import", "customers", "people.csv", "--key", "crm").code == 0
    told = program("retry", "--phone-region", "GB")

    assert (told.code, "retrying what was rejected in customers-upsert" in told.err) == (0, True)
