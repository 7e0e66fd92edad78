"""`live`: once, as JSON, and as a table that refreshes until Ctrl-C."""

import contextlib
import datetime as dt
import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import pytest

from bulkgladly.cli.live_command import show_live
from bulkgladly.live.live_state import LiveState
from tests.flows.live_scene import NAMES, a_morning

NOW = dt.datetime(2026, 11, 27, 12, 0, tzinfo=dt.UTC)
PATIENCE_S = 20.0
PROGRAM = """
import datetime as dt
import sys
from typing import Any

import anyio

from bulkgladly.cli.live_command import show_live
from bulkgladly.live.live_state import LiveState
from tests.flows.live_scene import NAMES, a_morning


class Morning:
    async def events(self, *, follow):
        for event in a_morning(dt.datetime.now(dt.UTC)):
            yield event
        if follow:
            await anyio.sleep_forever()


show_live(Morning(), LiveState(names=NAMES), every_s=0.05)
print("ended", file=sys.stderr)
"""


class Morning:
    """A source with the events of a morning."""

    async def events(self, *, follow: bool) -> AsyncIterator[Mapping[str, Any]]:
        """Yield them, and end: `follow` or not, no more will come."""
        assert follow in (True, False)
        for event in a_morning(NOW):
            yield event


def test_json_is_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    """A snapshot for programs."""
    show_live(Morning(), LiveState(names=NAMES), as_json=True, now=lambda: NOW)

    view = json.loads(capsys.readouterr().out)
    assert (view["totals"]["available"], view["totals"]["waiting"]) == (2, 5)
    assert [each["waiting_s"] for each in view["contacts"]][:3] == [7 * 60, 3 * 60, 260 * 60]


def test_once_prints_lines_into_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal there is no table."""
    show_live(Morning(), LiveState(names=NAMES), is_once=True, now=lambda: NOW)

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("2 of 4 available, ")
    assert len(lines) == 1 + 5 + 5 + 4 + 3 + 1


def test_a_source_that_ends_ends_the_display(capsys: pytest.CaptureFixture[str]) -> None:
    """Lines are printed when something has changed, and not once more for the time that passed."""
    show_live(Morning(), LiveState(names=NAMES), every_s=0.01, now=lambda: NOW)

    out = capsys.readouterr().out
    assert out.count("2 of 4 available") <= 1


@contextlib.contextmanager
def on_a_terminal(columns: int, lines: int) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run the display in a terminal of a size, and give its process and the terminal's other end."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color", "PYTHONPATH": os.getcwd()}  # noqa: PTH109
    environment.pop("COLUMNS", None)
    environment.pop("LINES", None)
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdin=theirs, stdout=theirs, stderr=theirs, env=environment
    )
    os.close(theirs)
    try:
        yield child, ours
    finally:
        child.kill()
        child.wait()
        os.close(ours)


def read_until(terminal: int, text: bytes) -> bytes:
    """Return what a terminal got, up to a text."""
    found, end = b"", time.monotonic() + PATIENCE_S
    while text not in found:
        assert time.monotonic() < end, found
        if select.select([terminal], [], [], 0.1)[0]:
            found += os.read(terminal, 65536)
    return found


@pytest.mark.parametrize(("columns", "lines"), [(80, 24), (140, 40)])
def test_the_table_is_drawn_until_ctrl_c(columns: int, lines: int) -> None:
    """On the alternate screen, so that the terminal is as before when it ends, without a traceback."""
    with on_a_terminal(columns, lines) as (child, terminal):
        screen = read_until(terminal, b"from events since")
        child.send_signal(signal.SIGINT)
        rest = read_until(terminal, b"ended")

        assert child.wait(PATIENCE_S) == 0
    assert b"\x1b[?1049h" in screen
    assert "Ben Sørensen".encode() in screen
    assert (b"CUSTOMER" in screen) == (columns == 140)
    assert b"\x1b[?1049l" in rest
    assert b"Traceback" not in rest
