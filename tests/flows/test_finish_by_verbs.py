"""`--finish-by` and `--rate-schedule` with each command that sends requests besides imports and exports."""

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bulkgladly.emulator import Emulator
from tests.flows.programs import HeardProgram, heard, program_in
from tests.flows.serving import served

OLD = "crm_id,name\n" + "".join(f"C{number},Ada Ashby\n" for number in range(1, 6))
NEW = OLD.replace("Ada", "Bea") + "C9,Ivo Jarvis\n"
ROWS = ("customers", "new.csv", "--key", "crm_id")
VERBS = {
    "plan": (("plan", *ROWS, "--live", "--force"), "5 to update"),
    "apply": (("apply", "customers.plan"), "5 to update"),
    "verify": (("verify", "customers-upsert"), "5 equal"),
    "undo": (("undo", "customers-upsert", "--yes"), "5 deleted"),
    "repair": (("crosswalk", "repair", "customers"), "5 found"),
}


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with served(Emulator(rate=None)) as running:
        yield running


@pytest.fixture
def program(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> HeardProgram:
    """The program, after an import of five customers and with a plan of their update."""
    told = heard(program_in(tmp_path, monkeypatch, emulator), capsys)
    Path("customers.csv").write_text(OLD, encoding="utf-8")
    Path("new.csv").write_text(NEW, encoding="utf-8")
    assert told("import", "customers", "customers.csv", "--key", "crm_id").code == 0
    assert told("plan", *ROWS).code == 0
    return told


@pytest.mark.parametrize("name", VERBS)
def test_what_cannot_be_done_in_time_is_refused_before_a_request(
    program: HeardProgram, emulator: Emulator, name: str
) -> None:
    """The refusal offers only what the command has, and the same command then does it all by a schedule."""
    command, ended = VERBS[name]
    soon = (dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)).isoformat(timespec="minutes")
    emulator.requests.clear()

    refused = program(*command, "--finish-by", soon, "--rate", "0.001", "--max-duration", "1s")
    asked = emulator.requests.total
    schedule = ("--rate-schedule", "00:00 9, 12:00 9", "--zone", "Europe/Berlin")
    done = program(*command, "--rate", "9", *schedule, "--finish-by", soon)

    assert (refused.code, asked) == (2, 0)
    assert "(--finish-by)" in refused.err
    assert ("--limit" in refused.err) is (name == "undo")
    assert ("--sample" in refused.err) is (name == "verify")
    assert done.code == 0, done.err
    assert ended in done.err
    assert "by --rate-schedule" in done.err


def test_a_plan_without_requests_says_whether_its_apply_is_in_time(program: HeardProgram) -> None:
    """A dry run says the same of its import; other limits are said to have no effect."""
    soon = ("--finish-by", (dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)).isoformat(timespec="minutes"))

    late = program("plan", *ROWS, "--force", *soon, "--rate", "0.001", "--max-duration", "1h")
    in_time = program("plan", *ROWS, "--force", *soon, "--rate", "9")
    dry = program("import", *ROWS, "--dry-run", *soon, "--rate", "9", "--canary", "2")

    assert (late.code, in_time.code, dry.code) == (0, 0, 0)
    assert "applying it: this cannot be done by" in late.err
    assert "--max-duration 1 h 00 min has no effect" in late.err
    assert "applying it: this is done by" in in_time.err
    assert "no effect" not in in_time.err
    assert "this is done by" in dry.err
    assert "the import would stop early (--canary 2)" in dry.err


def test_the_price_of_a_plan_follows_its_schedule_and_its_limits_end_with_it(program: HeardProgram) -> None:
    """The apply has the same pace, asks for the time zone too, and may take longer than the making of the plan."""
    limits = ("--finish-by", (dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)).isoformat(), "--max-duration", "1h")
    program("plan", *ROWS, "--rate", "9", "--rate-schedule", "00:00 0.5", "--force")
    offline = json.loads(Path("customers.plan/plan.json").read_bytes())
    planned = program("plan", *ROWS, "--live", "--force", "--rate", "9", "--rate-schedule", "00:00 9", *limits)
    about = json.loads(Path("customers.plan/plan.json").read_bytes())
    page = Path("customers.plan/summary.md").read_text("utf-8")
    applied = json.loads(program("apply", "customers.plan", "--json").out)
    kept = json.loads(Path(applied["folder"], "run.json").read_bytes())["settings"]

    assert offline["rate_schedule"] == "00:00 0.5"
    assert offline["seconds"] == [2 * offline["requests"][end] for end in ("least_total", "most_total")]
    assert planned.code == 0, planned.err
    assert "by --rate-schedule, if it is applied now" in page
    assert about["requests"]["most"]["getOrganization"] == 2
    assert applied["requests"] == about["requests"]["most"]
    assert kept["pace"]["schedule"] == "00:00 9"
    assert (kept["limits"]["finish_by"], kept["limits"]["max_duration_s"]) == (None, None)
