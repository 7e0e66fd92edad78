"""The program at a terminal: a pseudo-terminal of a given size, and what a person reads on it."""

import fcntl
import os
import pty
import re
import struct
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bulkgladly.emulator import Emulator
from tests.flows.programs import program_in
from tests.flows.serving import served

Screen = Callable[..., str]
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    """An emulator in a thread of its own."""
    with served(Emulator(rate=None, seed_customers=1)) as running:
        yield running


@pytest.fixture
def screen(emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Screen:
    """The program in a folder with a file of its own; what it writes to a terminal of so many columns."""
    emails = ["nobody", "nobody", *(f"{tmp_path.name}-{number}@example.org" for number in range(4))]
    rows = "".join(f"C{number},Ada {number},{email}\n" for number, email in enumerate(emails))
    (tmp_path / "customers.csv").write_text(f"crm_id,name,email:1\n{rows}", encoding="utf-8")
    program = program_in(tmp_path, monkeypatch, emulator)
    for name in ("COLUMNS", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)

    def told(*words: str, columns: int = 80, typed: str = "", **variables: str) -> str:
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        os.write(ours, typed.encode())
        found: list[bytes] = []
        reader = threading.Thread(target=lambda: found.extend(_until_closed(ours)))
        reader.start()
        with monkeypatch.context() as patch, ExitStack() as streams:
            for name, value in {"TERM": "xterm-256color", **variables}.items():
                patch.setenv(name, value)
            for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
                stream = streams.enter_context(os.fdopen(os.dup(theirs), mode, encoding="utf-8"))
                patch.setattr(sys, name, stream)
            os.close(theirs)
            program(*words)
        reader.join()
        os.close(ours)
        return b"".join(found).decode().replace("\r\n", "\n")

    return told


def _until_closed(handle: int) -> Iterator[bytes]:
    """Yield what a terminal gets, until nobody is at the other end."""
    while True:
        try:
            data = os.read(handle, 65536)
        except OSError:  # how Linux says so
            return
        if not data:
            return
        yield data


def test_an_import_is_read_at_any_width(screen: Screen) -> None:
    """The summary is wrapped between words and coloured; in tables, what does not fit stands below its row."""
    found = screen("import", "customers", "customers.csv", "--key", "crm_id", "--progress", "line")
    again = screen("runs", "show", columns=50, NO_COLOR="1")
    narrow = COLOUR.sub("", screen("runs", "list")).splitlines()
    wide = COLOUR.sub("", screen("runs", "list", columns=180)).splitlines()

    assert "\x1b[32m4 created\x1b[0m" in found
    assert "\x1b[31m2 rejected\x1b[0m" in found
    assert "\x1b[33mcomplete\x1b[0m" in found
    assert "\x1b[33mcomplete\x1b[0m" in screen("runs", "show")
    assert "\x1b[33mcomplete\x1b[0m" in screen("runs", "list")
    assert "\x1b" not in again
    assert re.search(r"result +4 created \(66.7 %\), 2 rejected", again)
    long = [line for line in COLOUR.sub("", found).splitlines() if len(line) > 80]
    assert all(line.startswith(("  next: bulkgladly ", "    .bulkgladly/")) for line in long)
    assert "  next: bulkgladly import customers .bulkgladly/" in again
    assert narrow[0].split() == ["run", "status", "started", "took"]
    assert narrow[2].startswith("    input or folder: customers.csv, result: 4 created (66.7 %), ")
    assert re.search(r"complete  (today|yesterday) \d\d:\d\d  .*customers\.csv +4 created", wide[1])


def test_the_live_view_is_drawn_and_removed(screen: Screen) -> None:
    """It ends with what is left to read: the summary."""
    found = screen("import", "customers", "customers.csv", "--key", "crm_id", "--rate", "3", columns=140)

    assert "customers.csv to http://127.0.0.1" in found
    assert re.search(r"\[\x1b\[32m━+\x1b\[0m", found)
    assert "rejects   " in found
    assert COLOUR.sub("", found).splitlines()[-1].startswith("  next: bulkgladly ")


def test_a_terminal_that_cannot_redraw_gets_lines(screen: Screen) -> None:
    """Without colour, and wrapped all the same."""
    found = screen("import", "customers", "customers.csv", "--key", "crm_id", columns=60, TERM="dumb")

    assert "\x1b" not in found
    assert re.search(r"_\w+: (about )?6 rows .*\n  ", found)
    assert "pace      " not in found


def test_deleting_asks_with_the_number_and_the_organisation(screen: Screen, emulator: Emulator) -> None:
    """And nothing is sent without a yes."""
    words = ("import", "customers", "customers.csv", "--key", "crm_id", "--mode", "delete")
    before = emulator.store.count("customers")

    found = COLOUR.sub("", screen(*words, "--limit", "2", typed="n\n", columns=200))

    assert f"from {emulator.url}: the next 2 rows of " in found
    assert "Delete? [y/N]: " in found
    assert "stopped; nothing was sent" in found
    assert emulator.store.count("customers") == before


def test_doctor_marks_what_is_wrong(screen: Screen) -> None:
    """With a label that says where to look."""
    assert "\x1b[31m  BAD\x1b[0m  settings     GLADLY_HOST is not set" in screen("doctor", GLADLY_HOST="")
    assert "\x1b[32m   ok\x1b[0m  permission" in screen("doctor")
    assert "   ok  permission" in screen("doctor", TERM="dumb")
