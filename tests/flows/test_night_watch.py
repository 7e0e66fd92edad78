"""Nights that call for help: what leaves the machine when a command ends, and what never does."""

import datetime as dt
import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from bulkgladly.emulator import Emulator, EmulatorOptions
from bulkgladly.notices.ping import run_id
from tests.flows.hooking import Hook, hooked
from tests.flows.programs import HeardProgram, heard, program_in
from tests.flows.quickly import HASTY
from tests.flows.serving import served
from tests.planted import PEOPLE, TOKEN, USER, traces

ROOT = Path(__file__).parents[2]
SECRET = "planted-hook-51c7"
NAME, EMAIL, PHONE = PEOPLE
ROWS = [
    {"crm": 1, "name": NAME, "email:1": EMAIL},
    {"crm": 2, "name": NAME, "email:1": f"{NAME} is no address", "phone:1": PHONE},
    {"crm": 3, "name": "Ada Ashby", "email:1": EMAIL},
]


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    """An organisation whose token is planted."""
    options = EmulatorOptions(rate=None, report_rate=None, username=USER, token=TOKEN, seed_jobs=1, seed_events=3)
    with served(Emulator(options)) as running:
        yield running


@pytest.fixture
def program(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> HeardProgram:
    """The program in a folder with rows, some of which are refused."""
    (tmp_path / "rows.ndjson").write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    return heard(program_in(tmp_path, monkeypatch, emulator), capsys)


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hook]:
    """A service that takes pings, at the URL in the environment."""
    with hooked() as found:
        monkeypatch.setenv("BULKGLADLY_PING", found.url)
        yield found


def left_by(folder: Path) -> list[str]:
    """Where the address of a notice stands in a file that a command has left."""
    return [str(path) for path in folder.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]


def test_a_night_with_rejects_is_told_everywhere_and_says_no_values(
    program: HeardProgram, hook: Hook, tmp_path: Path
) -> None:
    """Ping, command, notice and metrics name the run, its counts and the next command; nobody is named in them."""
    told = program(
        *("import", "customers", "rows.ndjson", "--key", "crm", "--on-finish", "env > told.env"),
        *("--notify", f"json://127.0.0.1:{hook.port}/{SECRET}", "--metrics-file", "bulkgladly.prom"),
    )

    assert told.code == 1
    (run,) = (tmp_path / ".bulkgladly" / "runs").iterdir()
    rid = f"rid={run_id(run.name)}"
    paths = [(method, path.removeprefix(f"/ping/{SECRET}")) for method, path, _ in hook.came[:2]]
    assert paths == [("GET", f"/start?{rid}"), ("POST", f"/1?{rid}")]
    page = hook.came[1][2].decode()
    assert f"Run {run.name}" in page
    assert "Settings" not in page
    notice = json.loads(hook.came[2][2])
    assert notice["title"] == "bulkgladly import: complete (exit code 1)"
    assert notice["message"].splitlines()[0] == f"Run {run.name}"
    assert "1 created" in notice["message"]
    assert "Next: bulkgladly " in notice["message"]
    environment = (tmp_path / "told.env").read_text().splitlines()
    for name, value in {"RUN": run.name, "STATUS": "complete", "EXIT": "1", "REPORT": f"{run / 'report.json'}"}.items():
        assert f"BULKGLADLY_{name}={value}" in environment
    metrics = (tmp_path / "bulkgladly.prom").read_text()
    assert 'bulkgladly_records_total{command="import",outcome="created",resource="customers"} 1.0' in metrics
    assert 'bulkgladly_requests_total{command="import",method="POST",outcome="confirmed"} 1.0' in metrics
    assert "last_success" not in metrics
    outside = [path + body.decode() for _, path, body in hook.came] + [metrics, *environment]
    assert not traces([tmp_path], [*outside, told.out, told.err], inputs=[tmp_path / "rows.ndjson"])
    assert SECRET not in told.out + told.err
    assert left_by(tmp_path) == []


def test_a_good_dump_says_when_the_next_data_is_lost(program: HeardProgram, hook: Hook, tmp_path: Path) -> None:
    """With the time of its success; a success is not notified."""
    service = f"json://127.0.0.1:{hook.port}/{SECRET}"
    begun = dt.datetime.now(dt.UTC)

    assert program("dump", "lake", "--notify", service, "--metrics-file", "b.prom", "--json").code == 0

    assert hook.asked == ["/start", "/0"]
    lines = (tmp_path / "b.prom").read_text().splitlines()
    values = {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[:1] != "#")}
    report = json.loads(next((tmp_path / ".bulkgladly" / "runs").glob("*/report.json")).read_text())
    loss = dt.datetime.strptime(report["next_loss"], "%Y-%m-%d %H:%M UTC").replace(tzinfo=dt.UTC)
    assert values['bulkgladly_next_loss_timestamp_seconds{command="dump"}'] == loss.timestamp()
    success = values['bulkgladly_last_success_timestamp_seconds{command="dump"}']
    assert begun.timestamp() <= success <= dt.datetime.now(dt.UTC).timestamp()
    published = {name: number for name, number in report["published"].items() if number}
    assert published["items"] > 0
    for name, number in published.items():
        assert values[f'bulkgladly_rows_published_total{{command="dump",data_set="{name}"}}'] == number
    assert values['bulkgladly_units_total{command="dump",data_set="items",state="done"}'] == 1
    assert program("dump", "lake", "--notify", service, "--notify-on", "always").code == 0
    assert json.loads(hook.came[-1][2])["type"] == "success"


def test_a_limit_can_count_as_success(program: HeardProgram, hook: Hook) -> None:
    """Exit code 10 is one that a resume follows; the next call is another ping of the same run."""
    words = ("import", "customers", "rows.ndjson", "--key", "crm", "--limit", "1")

    assert program(*words, "--ping-ok", "0,10").code == 10
    assert program("resume", "--limit", "1").code == 10

    assert hook.asked == ["/start", "/0", "/start", "/10"]
    assert len({path.partition("?")[2] for _, path, _ in hook.came}) == 1
    assert b"bulkgladly resume" in hook.came[-1][2]


def test_a_night_that_never_began_is_told(
    program: HeardProgram, hook: Hook, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without credentials there is no run, and the ping has an id of its own and the error."""
    monkeypatch.delenv("GLADLY_API_TOKEN")

    told = program("dump", "lake", "--on-finish", 'echo "$BULKGLADLY_EXIT $BULKGLADLY_STATUS $BULKGLADLY_RUN." > told')

    assert told.code == 2
    assert hook.asked == ["/2"]
    assert uuid.UUID(hook.came[0][1].partition("rid=")[2])
    assert b"bulkgladly dump: failed (exit code 2)" in hook.came[0][2]
    assert b"GLADLY_API_TOKEN" in hook.came[0][2]
    assert (tmp_path / "told").read_text() == "2 failed .\n"


def test_a_host_that_is_away_is_told(program: HeardProgram, hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run has begun, and the ping of its end has the exit code of an outage."""
    monkeypatch.setenv("GLADLY_HOST", "http://127.0.0.1:1")

    assert program("dump", "lake", environment=HASTY).code == 5

    assert hook.asked == ["/start", "/5"]


def test_a_failing_service_changes_nothing(program: HeardProgram, tmp_path: Path) -> None:
    """It costs one line for each of the two pings, and the exit code stays."""
    with hooked(statuses=[404, 404]) as hook:
        told = program("dump", "lake", "--ping", hook.url, "--on-finish", "exit 7")

    assert told.code == 0
    assert told.err.count("the ping to 127.0.0.1 failed (HTTP 404); the run goes on as without it") == 2
    assert "--on-finish ended with exit code 7; the exit code of bulkgladly stays 0" in told.err
    assert SECRET not in told.err + told.out
    assert left_by(tmp_path) == []


@pytest.mark.parametrize(
    "words",
    [
        ("--ping", f"hc.example.org/{SECRET}"),
        ("--ping-ok", "good"),
        ("--notify", f"nosuch://{SECRET}"),
        ("--metrics-file", "gone/b.prom"),
        ("--metrics-file", "b.txt"),
        ("--metrics-addr", "9464"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_sent(
    program: HeardProgram, words: tuple[str, str], tmp_path: Path
) -> None:
    """With exit code 2, the option and the fix, and without what may be a secret."""
    told = program("dump", "lake", *words)

    assert (told.code, told.out) == (2, "")
    assert words[0] in told.err
    assert SECRET not in told.err
    assert not (tmp_path / ".bulkgladly").exists()


def test_a_settings_file_may_say_who_is_told(program: HeardProgram, emulator: Emulator, tmp_path: Path) -> None:
    """For all commands, or for one; the secret of a profile is not in the environment of its command."""
    with hooked() as hook:
        (tmp_path / "bulkgladly.toml").write_text(
            f'[dump]\nping = "{hook.url}"\nping_ok = "0,1"\nnotify = ["json://127.0.0.1:{hook.port}"]\n'
            'on_finish = "env > told.env"\nprofile = "p"\n'
            f'[profiles.p]\nhost = "{emulator.url}"\nusername = "{USER}"\ntoken_env = "OUR_TOKEN"\n',
            encoding="utf-8",
        )
        os.environ["OUR_TOKEN"] = TOKEN
        try:
            told = program("dump", "lake")
        finally:
            del os.environ["OUR_TOKEN"]

    assert told.code == 0, told.err
    assert hook.asked == ["/start", "/0"]
    assert TOKEN not in (tmp_path / "told.env").read_text()


def test_the_steps_of_a_project_are_one_night(program: HeardProgram, hook: Hook, tmp_path: Path) -> None:
    """One ping at the start and one at the end, and the records of all steps in the metrics."""
    (tmp_path / "migrate.toml").write_text(
        'version = 1\nname = "Two"\n[[steps]]\nimport = "topics"\nfiles = "topics.csv"\n'
        '[[steps]]\nname = "more"\nimport = "topics"\nfiles = "more.csv"\n',
        encoding="utf-8",
    )
    (tmp_path / "topics.csv").write_text("name\nBilling\nReturns\n", encoding="utf-8")
    (tmp_path / "more.csv").write_text("name\nShipping\n", encoding="utf-8")

    assert program("migrate", "run", "--metrics-file", "b.prom").code == 0

    assert hook.asked == ["/start", "/0"]
    assert b"| more | done |" in hook.came[1][2]
    metrics = (tmp_path / "b.prom").read_text()
    assert 'records_total{command="migrate run",outcome="created",resource="topics"} 3.0' in metrics


def test_commands_without_a_run_of_their_own_are_watched_as_well(program: HeardProgram, hook: Hook) -> None:
    """Nothing to resume is a success; a look at what would be done is no night."""
    assert program("resume").code == 0
    assert hook.asked == ["/0"]
    assert program("listen", "show").code == 0
    assert program("runs", "list").code == 0
    for look in ("--dry-run", "--rehearse"):
        assert program("import", "customers", "rows.ndjson", "--key", "crm", look).code == 1
    assert hook.asked == ["/0"]


def test_a_stop_is_told(program: HeardProgram, hook: Hook, tmp_path: Path) -> None:
    """By a signal, as from systemd: the run ends, and the ping has its exit code."""
    (tmp_path / "topics.ndjson").write_text("".join(f'{{"name": "T{nth}"}}\n' for nth in range(300)), "utf-8")
    hook.when_asked = lambda: os.kill(os.getpid(), signal.SIGTERM)

    assert program("import", "topics", "topics.ndjson", "--rate", "5").code == 143

    assert hook.asked == ["/start", "/143"]


@pytest.mark.soak
def test_a_kill_is_not_told(emulator: Emulator, tmp_path: Path, hook: Hook) -> None:
    """Nobody can tell of their own kill: that is what the service is for, which waits for the end."""
    (tmp_path / "topics.ndjson").write_text("".join(f'{{"name": "T{nth}"}}\n' for nth in range(300)), "utf-8")
    account = {"GLADLY_HOST": emulator.url, "GLADLY_USERNAME": USER, "GLADLY_API_TOKEN": TOKEN}
    command = [sys.executable, "-m", "bulkgladly", "import", "topics", "topics.ndjson", "--rate", "5"]
    with subprocess.Popen(command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT), **account}) as process:
        hook.wait_for(1)
        process.kill()

    assert hook.asked == ["/start"]


def test_a_service_that_follows_events_is_measured(
    hook: Hook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It sends no ping of its start, since its end is not to come; a stop ends it well."""
    # Stopped by what takes the events, as soon as it has them, and once.
    sink = "exec:sh -c 'cat > taken; mkdir once 2> /dev/null && kill -TERM $PPID; true'"
    with served(Emulator(EmulatorOptions(rate=None, seed_events=3))) as emulator:
        program = heard(program_in(tmp_path, monkeypatch, emulator), capsys)
        told = program("follow", "--since", "23h", "--to", sink, "--settle", "0", "--metrics-file", "b.prom")

    assert told.code == 0, told.err
    assert hook.asked == ["/0"]
    assert b"3 events" in hook.came[0][2]
    metrics = (tmp_path / "b.prom").read_text()
    assert 'bulkgladly_events_total{command="follow",via="feed"} 3.0' in metrics
    assert 'bulkgladly_inbox_lag_seconds{command="follow"} 0.0' in metrics
    assert 'bulkgladly_run_info{command="follow",run="",version=' in metrics
