"""How `follow` begins and ends for a person: piped into `head`, or with Gladly away."""

import datetime as dt
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import anyio
import orjson
import pytest

from bulkgladly import Credentials, Limits
from bulkgladly.cli.realtime_output import ending_lines
from bulkgladly.emulator import Emulator
from bulkgladly.errors import Outage, Withdrawn
from bulkgladly.inbox.event_inbox import Inbox
from bulkgladly.realtime.fill_loop import FillLoop
from bulkgladly.realtime.realtime_options import RealtimeOptions
from bulkgladly.realtime.run_realtime import start_realtime
from tests.flows.followed import Followed, Told
from tests.flows.programs import heard, program_in
from tests.flows.quickly import QUICK
from tests.flows.serving import served

ROOT = Path(__file__).parents[2]


def test_a_reader_that_leaves_ends_follow(tmp_path: Path) -> None:
    """`follow | head` ends as soon as an event meets the closed pipe, and well; with `--since` as an age."""
    with served(Emulator(seed_events=20)) as emulator:
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run(
            [sys.executable, "-m", "bulkgladly", "follow", "--since", "23h", "--settle", "0"],
            cwd=tmp_path,
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "GLADLY_HOST": emulator.url,
                "GLADLY_USERNAME": emulator.options.username,
                "GLADLY_API_TOKEN": emulator.options.token,
            },
        )
        os.close(writer)

    assert done.returncode == 0
    assert done.stderr.count("standard output is closed") == 1
    assert "follow: stopped" in done.stderr
    assert "the next start continues with them" in done.stderr


async def test_a_stop_does_not_wait_for_an_answer_of_gladly(tmp_path: Path) -> None:
    """A new sink begins by Gladly's clock; while Gladly does not answer, a stop ends all the same."""
    nowhere = Credentials("http://127.0.0.1:1", "ada@example.org", "no-token")
    options = RealtimeOptions(
        state_dir=tmp_path / "state", sinks=("exec:cat",), settle_s=0, limits=Limits(max_duration_s=0.2)
    )
    with anyio.fail_after(8):
        report = await start_realtime(options, nowhere)

    assert (report.exit_code, report.events) == (10, {})


class Away:
    """A client whose host is not there."""

    async def send(self, _: object) -> None:
        raise Outage("sample: no connection to the host. What was done is kept; resume later")


async def test_an_outage_is_told_in_words_for_what_goes_on(tmp_path: Path) -> None:
    """It is waited out: nobody has to resume anything."""
    told = Told()

    async def sleep(_: float) -> None:
        raise Withdrawn("that is enough")

    with Inbox(tmp_path, "https://sample.example.org") as inbox:
        away: object = Away()
        environment = replace(QUICK, sleep=sleep)
        fill = FillLoop(away, inbox, ["TASK"], every_s=30, note=told.note, environment=environment)  # type: ignore[arg-type]
        with pytest.raises(Withdrawn):
            await fill.greet()

    assert told.lines == [
        "sample: no connection to the host; trying again (nothing is lost unless this lasts 24 hours)"
    ]


@pytest.mark.parametrize("more", [(), ("--to", "-")])
def test_the_result_and_the_events_do_not_share_stdout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], more: tuple[str, ...]
) -> None:
    """`follow --json` is a mistake that people make: the events are JSON already."""
    with served(Emulator()) as emulator:
        found = heard(program_in(tmp_path, monkeypatch, emulator), capsys)("follow", "--json", *more)

    assert found.code == 2
    assert "--json prints the result on stdout, where the events go; leave it out" in found.err


async def test_since_is_for_a_first_start(followed: Followed) -> None:
    """A second start goes on where the first ended, and says so rather than doing nothing."""
    since = dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)
    for _ in range(2):
        await followed.follow(sinks=("exec:cat",), settle_s=0, since=since)

    found = [line for line in followed.told.lines if "--since" in line]
    assert found == ["--since does not apply to exec:cat: it continues where it stopped; see `bulkgladly inbox replay`"]


async def test_wrong_credentials_are_all_that_is_told(followed: Followed) -> None:
    """No line counts zero events."""
    wrong = Credentials(followed.emulator.url, followed.emulator.options.username, "wrong")
    report = await start_realtime(RealtimeOptions(state_dir=followed.state, sinks=("exec:cat",)), wrong)

    first, second = ending_lines(report, "follow")
    assert "does not accept the credentials" in first
    assert second.startswith("  1 request in ")


def test_with_json_lines_the_end_is_one_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with served(Emulator()) as emulator:
        found = heard(program_in(tmp_path, monkeypatch, emulator), capsys)(
            "follow", "--out", "lake", "--log-format", "json", "--max-duration", "1s"
        )

    lines = [orjson.loads(line) for line in found.err.splitlines()]
    assert (found.code, lines[-1]["event"], lines[-1]["report"]["exit_code"]) == (10, "finished", 10)
