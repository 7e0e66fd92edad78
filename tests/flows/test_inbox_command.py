"""`bulkgladly inbox`: what was received, shown, passed on again, and dropped."""

import asyncio
import datetime as dt
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bulkgladly.inbox.event_inbox import Inbox
from bulkgladly.inbox.sink_progress import Failing, Left, note_failures, note_left
from tests.flows.programs import HeardProgram, heard, program_in
from tests.flows.sink_setting import HOST, IMPATIENT, event, put

DAY_S = 86400.0


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> HeardProgram:
    return heard(program_in(tmp_path, monkeypatch), capfd)


def filled(folder: Path) -> Inbox:
    """Three events from three days ago, bytes that are none, and one event of now; two readers."""
    inbox = Inbox(folder / ".bulkgladly", HOST)

    async def fill() -> None:
        await put(inbox, [event(1, key="c1"), event(2, key="c2"), event(3, event_type="TASK/CREATED")], age_s=3 * DAY_S)
        await put(inbox, [b"not JSON"], age_s=3 * DAY_S)
        await put(inbox, [event(4, key="c1")])
        await put(inbox, [event(4, key="c1")])
        await inbox.begin_cursor("data set")
        await inbox.move_cursor("data set", 5)
        await inbox.begin_cursor("sink exec slack 00ff")
        await note_left(inbox, "sink exec slack 00ff", [Left(1, "", 0), Left(3, "", 0)], done_up_to=1)
        await note_failures(inbox, "sink exec slack 00ff", [Failing(2, 7, 60.0, "exit code 1")])
        await inbox.put([], gap=(dt.datetime(2026, 11, 1, tzinfo=dt.UTC), dt.datetime(2026, 11, 2, tzinfo=dt.UTC)))

    asyncio.run(fill())
    return inbox


def test_it_shows_what_is_there(program: HeardProgram, tmp_path: Path) -> None:
    """By way, by reader, with gaps and what fails; also while a process receives."""
    with filled(tmp_path):
        (tmp_path / ".bulkgladly/dead.ndjson").write_text('{"sink":"x"}\n', encoding="utf-8")
        told = program("inbox", "show")
        as_json = program("inbox", "show", "--json")

    assert told.code == as_json.code == 0
    lines = told.out.splitlines()
    assert lines[0].startswith("5 events in ")
    assert lines[1:] == [
        "  received in all: 5 from the feed, 1 copies, 1 not events",
        "  newest: 2026-11-27 08:00:04 UTC",
        "  data set: up to date",
        "  sink exec slack 00ff: 3 events waiting; 1 event failing: exit code 1",
        "  gap: 2026-11-01 00:00:00 UTC to 2026-11-02 00:00:00 UTC; these events cannot be had any more",
        "  1 event not taken by a sink, in .bulkgladly/dead.ndjson",
    ]
    found = json.loads(as_json.out)
    assert (found["events"], found["dead_letters"]) == (5, 1)
    assert [one["waiting"] for one in found["readers"]] == [0, 3]


def test_nothing_received_yet_is_told(program: HeardProgram) -> None:
    """With the folder that was looked at."""
    for command in (("show",), ("replay",), ("drop", "--before", "2026-11-20")):
        told = program("inbox", *command)
        assert told.code == 2
        assert "nothing has been received with this --state-dir" in told.err


def test_events_are_passed_on_again(program: HeardProgram, tmp_path: Path) -> None:
    """In order of arrival, chosen by time and by expression, to any sink; cursors stay where they are."""
    with filled(tmp_path) as inbox:
        before = inbox.reader.cursors()
        every = program("inbox", "replay")
        some = program("inbox", "replay", "--since", "2026-11-27T08:00:02Z", "--where", "starts_with(type, 'CONV')")
        to_command = program("inbox", "replay", "--to", "exec:tee copy.ndjson", "--where", "content.conversationId")
        assert inbox.reader.cursors() == before

    assert [json.loads(line)["id"] for line in every.out.splitlines()] == ["e1", "e2", "e3", "e4"]
    assert every.err == "passed on 4 events\n"
    assert [json.loads(line)["id"] for line in some.out.splitlines()] == ["e2", "e4"]
    assert "passed on 2 events; 1 did not match" in some.err
    copied = (tmp_path / "copy.ndjson").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["id"] for line in copied] == ["e1", "e2", "e4"]
    assert to_command.code == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--where", "type =="), "--where: 'type ==' is not a valid JMESPath: Incomplete expression\n"),
        (("--to", "kafka:x"), "--to kafka:... is not supported; use - for the standard output, exec:COMMAND"),
        (("--to", "out.ndjson"), "--to is not a sink; use -"),
        (("--to", "exec:"), "has no command"),
        (("--to", "exec:no-such-program x"), "there is no program 'no-such-program' in PATH"),
        (("--to", "exec:echo 'open"), "close the quotes"),
        (("--to", "http://hooks.example.org/x?token=s3cret"), "over https only"),
        (("--to", "https://user:s3cret@hooks.example.org/x"), "names a user"),
        (("--to", "https://"), "not a valid address"),
        (("--to", "https://hooks.example.org/x", "--sign-env", "NO_SUCH"), "NO_SUCH is not set or empty"),
        (("--since", "yesterday"), "--since yesterday is not a time; use 8h (that long ago)"),
    ],
)
def test_bad_arguments_are_refused_with_the_fix(
    program: HeardProgram, tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    """Before anything is passed on, and without a secret."""
    filled(tmp_path).close()

    found = program("inbox", "replay", *arguments)

    assert found.code == 2
    assert told in found.err
    assert "s3cret" not in found.err


def test_a_command_that_fails_ends_the_replay(program: HeardProgram, tmp_path: Path) -> None:
    """After some attempts, with the time from which to go on."""
    filled(tmp_path).close()

    found = program("inbox", "replay", "--to", "exec:sh -c 'echo no luck; exit 3'", environment=IMPATIENT)

    assert found.code == 5
    assert "exec:sh: no luck" in found.err
    assert "exit code 3; 0 events were passed on. Continue later with --since 2026-11-27T08:00:01.000Z" in found.err


def test_a_reader_that_leaves_is_no_error(tmp_path: Path) -> None:
    """As with `head`: the program says so and ends well."""
    filled(tmp_path).close()
    reader, writer = os.pipe()
    os.close(reader)

    done = subprocess.run(
        [sys.executable, "-m", "bulkgladly", "inbox", "replay"],
        cwd=tmp_path,
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    os.close(writer)

    assert (done.returncode, done.stderr) == (0, "the standard output is closed (Broken pipe)\n")


def test_only_what_all_have_used_is_dropped(program: HeardProgram, tmp_path: Path) -> None:
    """It says what is kept and for whom; a reader that is gone can be forgotten. Also beside a receiver."""
    yesterday = (dt.datetime.now(dt.UTC) - dt.timedelta(days=1)).isoformat(timespec="seconds")
    with filled(tmp_path) as inbox:
        first = program("inbox", "drop", "--before", yesterday)
        wrong = program("inbox", "drop", "--before", yesterday, "--forget", "sink exec")
        second = program("inbox", "drop", "--before", yesterday, "--forget", "sink exec slack 00ff", "--json")
        asyncio.run(put(inbox, [event(5)]))
        left = [one.dedupe_id for one in inbox.reader.after(0)]

    assert (first.code, first.err.splitlines()) == (
        0,
        [
            "dropped 1 event",
            "kept 3 older events, which these readers have yet to do: sink exec slack 00ff",
            "fix: let them catch up; if one is not used any more, pass its name to --forget",
        ],
    )
    assert wrong.code == 2
    assert "has no reader 'sink exec'; choose from: data set, sink exec slack 00ff" in wrong.err
    assert json.loads(second.out) == {"dropped": 3, "kept": 0, "needed_by": []}
    assert left == ["e4", "e5"]


def test_an_empty_time_is_refused(program: HeardProgram, tmp_path: Path) -> None:
    with filled(tmp_path):
        told = program("inbox", "drop", "--before", "")

    assert told.code == 2, told.err
    assert "--before" in told.err
