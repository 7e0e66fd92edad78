"""Standard streams that are closed, full, or read by nobody: they take no part in what happens."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import pytest

from bulkgladly.cli.streams import Outlet
from bulkgladly.emulator import Emulator
from tests.dying import End, Mortals
from tests.flows.serving import served

CSV = "crm_id,name\nE1,Ada Ashby\nE2,Ben Birch\n"
STREAMS = ("<&-", ">&-", "2>&-", "<&- >&- 2>&-", ">/dev/full", "2>/dev/full", ">/dev/full 2>&1")
FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
WHOLE = ("<&- >&- 2>&-", ">/dev/full 2>&1")
"""What a new process finds as well, from its first line to its end."""
Child = Callable[..., End]
Forked = Callable[..., End]


def streams(*only: str) -> list[object]:
    return [pytest.param(each, marks=FULL if "/dev/full" in each else ()) for each in only or STREAMS]


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with served(Emulator(rate=None, seed_customers=2, seed_jobs=1)) as running:
        yield running


@pytest.fixture
def environment(emulator: Emulator, tmp_path: Path) -> Mapping[str, str]:
    """What the program finds in an empty folder with a file of two rows."""
    (tmp_path / "a.csv").write_text(CSV)
    return {
        **os.environ,
        "GLADLY_HOST": emulator.url,
        "GLADLY_USERNAME": emulator.options.username,
        "GLADLY_API_TOKEN": emulator.options.token,
        "BULKGLADLY_RATE": "unlimited",
        "BULKGLADLY_NAMESPACE": tmp_path.name,
        "PYTHONWARNINGS": "error",
    }


@pytest.fixture
def forked(environment: Mapping[str, str], tmp_path: Path, mortals: Mortals) -> Forked:
    """The program in a process that costs little, its streams as a shell is told."""
    return partial(mortals.run, environment=environment, folder=tmp_path)


@pytest.fixture
def child(environment: Mapping[str, str], tmp_path: Path) -> Child:
    """The same in a process that begins and ends as the program does: for one stream of each kind."""

    def call(*arguments: str, redirect: str = "", to: int = subprocess.PIPE) -> End:
        program = [sys.executable, "-m", "bulkgladly", *arguments]
        words = ["/bin/sh", "-c", f'exec "$@" {redirect}', "sh", *program]
        done = subprocess.run(words, cwd=tmp_path, env=environment, stdout=to, stderr=to, text=True, check=False)
        return End(done.returncode, done.stdout, done.stderr, 0, "")

    return call


IMPORT = ("import", "customers", "a.csv", "--key", "crm_id", "--json")


@pytest.mark.parametrize("redirect", streams())
def test_an_import_is_done_whatever_the_streams_are(
    redirect: str, forked: Forked, child: Child, tmp_path: Path
) -> None:
    """Every row is there, the files are written, and the exit code is that of the run.

    Where nobody gets the JSON but somebody reads the messages, these name the file that holds the same.
    """
    done = (child if redirect in WHOLE else forked)(*IMPORT, redirect=redirect)

    (run,) = (tmp_path / ".bulkgladly" / "runs").iterdir()
    report = json.loads((run / "report.json").read_bytes())
    assert (done.status, report["exit_code"], report["counts"]["created"]) == (0, 0, 2)
    assert len((run / "success.ndjson").read_bytes().splitlines()) == 2
    assert "Traceback" not in done.errors
    assert not (tmp_path / "0").exists()
    if redirect in (">&-", ">/dev/full"):
        assert "the JSON could not be written to the standard output" in done.errors
        assert f".bulkgladly/runs/{run.name}/report.json holds the same" in done.errors


@pytest.mark.parametrize("redirect", streams(*WHOLE))
def test_an_export_is_done_whatever_the_streams_are(redirect: str, forked: Forked, tmp_path: Path) -> None:
    """The data set is whole, and the exit code is that of the run."""
    done = forked("export", "inboxes", "--out", "lake", "--json", redirect=redirect)

    assert done.status == 0
    (run,) = (tmp_path / ".bulkgladly" / "runs").iterdir()
    assert json.loads((run / "report.json").read_bytes())["counts"]["created"] > 0


@pytest.mark.parametrize(
    ("arguments", "code", "redirect"),
    [
        (("check", "customers", "a.csv", "--key", "crm_id"), 0, "<&- >&- 2>&-"),
        (("runs", "list"), 0, "<&- >&- 2>&-"),
        (("doctor",), 0, "<&- >&- 2>&-"),
        (("--help",), 0, "<&- >&- 2>&-"),
        (("frobnicate",), 2, "<&- >&- 2>&-"),
        pytest.param(("check", "customers", "a.csv", "--key", "crm_id"), 0, "2>/dev/full", marks=FULL),
        pytest.param(("frobnicate",), 2, "2>/dev/full", marks=FULL),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, tuple) else str(value),
)
def test_other_commands_leave_as_if_somebody_read(
    arguments: tuple[str, ...], code: int, redirect: str, forked: Forked
) -> None:
    """A closed stream is a wish not to read; a full one for people is no reason to fail."""
    assert forked(*arguments, redirect=redirect).status == code


@FULL
@pytest.mark.parametrize(
    "arguments",
    [("check", "customers", "a.csv", "--key", "crm_id", "--json"), ("doctor", "--json"), ("--help",), ("--version",)],
    ids=lambda words: words[0],
)
def test_an_answer_that_a_full_disk_swallows_is_not_0(arguments: tuple[str, ...], forked: Forked, child: Child) -> None:
    """Where what is printed is all that there is, half of it must not pass for the whole: exit code 5."""
    done = (child if arguments == ("--version",) else forked)(*arguments, redirect=">/dev/full")

    assert done.status == 5
    assert "the standard output could not be written: No space left on device" in done.errors


@pytest.mark.parametrize("arguments", [IMPORT, ("--help",)], ids=lambda words: words[0])
def test_a_reader_that_has_gone_changes_nothing(arguments: tuple[str, ...], forked: Forked) -> None:
    """As in `... | head -1`: what is not read is dropped without a word."""
    assert forked(*arguments, redirect=">gone 2>&1").status == 0


def test_a_process_ends_well_though_its_reader_has_gone(child: Child) -> None:
    """From its first line to its end."""
    read, write = os.pipe()
    os.close(read)
    try:
        assert child("schema", "show", "customers", to=write).status == 0
    finally:
        os.close(write)


def test_output_is_whole_where_somebody_has_made_the_stream_non_blocking() -> None:
    """A shared terminal or pipe can become so at any moment; what finds no room waits."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    text, found = b"x" * (1 << 20), bytearray()

    def drain() -> None:
        with os.fdopen(read, "rb") as end:
            found.extend(end.read())

    reader = threading.Thread(target=drain)
    outlet = Outlet(write)
    reader.start()
    assert outlet.write(text) == len(text)
    os.close(write)
    reader.join()

    assert (bytes(found), outlet.error) == (text, None)


def test_a_closed_standard_input_is_not_an_empty_one(child: Child, tmp_path: Path) -> None:
    """`import -` needs rows: it says that there are none to read, and makes no run."""
    done = child("import", "customers", "-", "--key", "crm_id", redirect="<&-")

    assert done.status == 2
    assert "`-` reads the standard input, but it is closed" in done.errors
    assert not list((tmp_path / ".bulkgladly").glob("runs/*"))
