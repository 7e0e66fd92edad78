"""The command line in processes that die at their n-th step, and a way to have hundreds of them in seconds.

    with Mortals() as mortals:
        end = mortals.run("import", "customers", "a.csv", environment=..., folder=...)        # dies of nothing
        for n in range(1, end.steps + 1):
            mortals.run("import", "customers", "a.csv", environment=..., folder=..., at=n)    # killed before step n

A step is a sync, rename, unlink, creation of a file or folder, a commit of SQLite, a request before it leaves
or an answer before anybody reads it (`DEEDS`); or, with `of=TURNS`, a turn of the event loop, so that a
process can die at any await. The process ends with SIGKILL before the step is done.

One process imports everything once and forks for each run, since a start takes longer than a small
run. It has no threads when it forks. Syncs are counted and not done: a kill loses nothing that was written.
"""

import asyncio
import gc
import importlib
import io
import json
import os
import pkgutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import weakref
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, NoReturn, Self, cast

__all__ = ("DEEDS", "TURNS", "End", "Mortals")

DEEDS = "deeds"
TURNS = "turns"
_CALLS = ("replace", "rename", "unlink", "remove", "mkdir", "rmdir", "link", "symlink", "truncate", "ftruncate")
_SYNCS = ("fsync", "fdatasync")
_ROOT = Path(__file__).parents[1]
_REFUSED = (
    ("runs", "list", "--state-dir", "{}"),
    ("import", "customers", "{}/none.ndjson", "--key", "k", "--state-dir", "{}"),
    ("check", "customers", "{}/none.ndjson", "--key", "k"),
    ("export", "nothing-like-it", "--out", "{}/lake", "--state-dir", "{}"),
    ("dump", "{}/lake", "--what", "nothing-like-it", "--state-dir", "{}"),
    *((name, "none", "--state-dir", "{}") for name in ("resume", "verify", "undo")),
)
"""The commands that most tests run, so that nothing is left to do: there is no such file, object or run."""


class End(NamedTuple):
    """How a process ended. `status` is its exit code, or a signal's number with a minus.

    `steps` is how many steps there were, and `last` the name of the last one, which a killed process did not do.
    """

    status: int
    output: str
    errors: str
    steps: int
    last: str

    @property
    def is_killed(self) -> bool:
        return self.status == -signal.SIGKILL


class Mortals:
    """Starts processes that can be told when to die, one after the other.

    They take the modules in `objects` for objects of Gladly as well, as if those lay in the folder of all others.
    """

    def __init__(self, *objects: Path) -> None:
        self._objects = objects

    def __enter__(self) -> Self:
        self._scratch = tempfile.TemporaryDirectory(prefix="mortals-")
        self._zygote = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "tests.dying", *map(str, self._objects)],
            cwd=_ROOT,
            env={**os.environ, "PYTHONPATH": str(_ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._zygote.communicate(timeout=30)
        self._scratch.cleanup()

    def run(
        self,
        *arguments: str,
        environment: Mapping[str, str],
        folder: Path,
        at: int | None = None,
        of: str = DEEDS,
        within_s: float = 60,
        program: str = "bulkgladly.cli.app",
        redirect: str = "",
    ) -> End:
        """Run `bulkgladly` with these arguments in a folder; with `at` it is killed before that step.

        `program` is another module whose `run` is called instead. `redirect` closes or redirects standard streams in
        the words of a shell; `>gone` is a pipe that nobody reads any more.

        A process that takes longer than `within_s` is killed, too; its last step is `time`.
        """
        scratch = Path(self._scratch.name)
        job = {
            "arguments": arguments,
            "environment": dict(environment),
            "folder": str(folder),
            "at": at,
            "of": of,
            "within_s": within_s,
            "scratch": str(scratch),
            "program": program,
            "redirect": redirect,
        }
        assert self._zygote.stdin is not None
        assert self._zygote.stdout is not None
        self._zygote.stdin.write(json.dumps(job) + "\n")
        self._zygote.stdin.flush()
        status = int(self._zygote.stdout.readline())
        output, errors, last = ((scratch / name).read_text(errors="replace") for name in ("out", "err", "last"))
        number, _, name = last.strip().partition(" ")
        return End(status, output, errors, int(number or 0), name)


class _Reaper:
    """Counts the steps of this process, and ends it before the one that is named."""

    def __init__(self, at: int | None, note: int) -> None:
        self._at, self._note = at, note
        self._count = 0
        self._last = ""
        self._lock = threading.Lock()

    def step(self, name: str) -> None:
        with self._lock:
            self._count += 1
            self._last = name
            if self._count == self._at:
                self.note()
                os.kill(os.getpid(), signal.SIGKILL)

    def note(self) -> None:
        """Write down how many steps there were."""
        os.pwrite(self._note, f"{self._count} {self._last}\n".encode(), 0)


def _watch_deeds(reaper: _Reaper) -> None:
    for name in _CALLS:
        _put(os, name, _counted(reaper, name, getattr(os, name)))
    for name in _SYNCS:
        if hasattr(os, name):
            _put(os, name, _counted(reaper, name, lambda _handle: None))
    _watch_creations(reaper)
    _watch_commits(reaper)
    _watch_requests(reaper)


def _put(place: Any, name: str, watched: Callable[..., Any]) -> None:
    """Put what is watched in the place of what it calls."""
    setattr(place, name, watched)


def _counted(reaper: _Reaper, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    def counted(*args: Any, **named: Any) -> Any:
        reaper.step(f"{name} {_place(args)}")
        return call(*args, **named)

    return counted


def _place(args: tuple[Any, ...]) -> str:
    return " ".join(Path(os.fsdecode(arg)).name for arg in args[:2] if isinstance(arg, str | bytes | os.PathLike))


def _watch_creations(reaper: _Reaper) -> None:
    os_open, io_open = os.open, io.open

    def open_handle(path: Any, flags: int, *args: Any, **named: Any) -> int:
        if flags & os.O_CREAT:
            reaper.step(f"create {_place((path,))}")
        return os_open(path, flags, *args, **named)

    def open_file(file: Any, mode: str = "r", *args: Any, **named: Any) -> Any:
        if set(mode) & set("wxa") and isinstance(file, str | bytes | os.PathLike):
            reaper.step(f"create {_place((file,))}")
        return io_open(file, mode, *args, **named)

    _put(os, "open", open_handle)
    _put(io, "open", open_file)


def _watch_commits(reaper: _Reaper) -> None:
    """Count what SQLite is about to make lasting: a COMMIT, or a statement outside of a transaction."""
    connect = sqlite3.connect

    class Referable(sqlite3.Connection):
        """A connection that does not live longer because it is watched."""

    def watched(*args: Any, **named: Any) -> sqlite3.Connection:
        connection = connect(*args, factory=Referable, **named)
        held = weakref.ref(connection)

        def about_to(statement: str) -> None:
            word = statement.split(None, 1)[0].upper() if statement.strip() else ""
            mine = held()
            is_last = word in ("COMMIT", "END")
            is_alone = (
                mine is not None and not mine.in_transaction and word not in ("SELECT", "BEGIN", "ROLLBACK", "--")
            )
            if is_last or (is_alone and (word != "PRAGMA" or "=" in statement)):
                reaper.step(f"sqlite {' '.join(statement.split()[:6])}")

        connection.set_trace_callback(about_to)
        return connection

    _put(sqlite3, "connect", watched)


def _watch_requests(reaper: _Reaper) -> None:
    from aiohttp import ClientSession  # noqa: PLC0415

    send = ClientSession._request

    async def sent(self: Any, method: str, url: Any, **named: Any) -> Any:
        path = str(url).split("://", 1)[-1].partition("/")[2]
        reaper.step(f"request {method} {path}")
        answer = await send(self, method, url, **named)
        reaper.step(f"answer {method} {path}")
        return answer

    _put(ClientSession, "_request", sent)


def _watch_turns(reaper: _Reaper) -> None:
    run = asyncio.Handle._run

    def counted(self: asyncio.Handle) -> None:
        reaper.step("turn")
        run(self)

    _put(asyncio.Handle, "_run", counted)


def _live(job: Mapping[str, Any]) -> NoReturn:
    """Be one process of the command line, and end it."""
    code = 70
    try:
        scratch = Path(job["scratch"])
        handles = [os.open(scratch / name, os.O_CREAT | os.O_WRONLY | os.O_TRUNC) for name in ("out", "err", "last")]
        os.environ.clear()
        os.environ.update(job["environment"])
        os.chdir(job["folder"])
        sys.argv = ["bulkgladly", *job["arguments"]]
        _take_streams(handles[0], handles[1], job["redirect"])
        reaper = _Reaper(job["at"], handles[2])
        (_watch_turns if job["of"] == TURNS else _watch_deeds)(reaper)
        code = importlib.import_module(job["program"]).run()
        reaper.note()
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:  # noqa: BLE001  # the test reads it
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _take_streams(out: int, errors: int, redirect: str) -> None:
    """Have the standard streams of a new process; Python has None for a closed one, and the program mends them."""
    for number, handle in enumerate((os.open(os.devnull, os.O_RDONLY), out, errors)):
        os.dup2(handle, number)
    for word in redirect.split():
        _redirect(2 if word[0] == "2" else "<>".index(word[0]), word.lstrip("2<>"))
    found = [open(number, mode, closefd=False) if _is_open(number) else None for number, mode in enumerate("rww")]  # noqa: SIM115
    sys.stdin, sys.stdout, sys.stderr = cast("Any", found)
    if redirect:
        importlib.import_module("bulkgladly.cli.streams").mend_streams()


def _redirect(number: int, to: str) -> None:
    if to == "&-":
        os.close(number)
        return
    if to == "gone":
        read, target = os.pipe()
        os.close(read)
    else:
        target = 1 if to == "&1" else os.open(to, os.O_WRONLY)
    os.dup2(target, number)


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def _serve() -> None:
    """Import everything once, then fork for each line of the standard input."""
    gc.disable()  # what is imported stays, and is nothing to collect
    importlib.import_module("bulkgladly.gladly.objects").__path__.extend(sys.argv[1:])
    package = importlib.import_module("bulkgladly")
    for module in pkgutil.walk_packages(package.__path__, "bulkgladly."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    _warm_up()
    for line in sys.stdin:
        job = json.loads(line)
        child = os.fork()
        if not child:
            _live(job)
        sys.stdout.write(f"{_await(child, job['within_s'])}\n")
        sys.stdout.flush()


def _warm_up() -> None:
    """Have done what is done at the first use only, and keep the collector from touching any of it.

    That is a third to three quarters of a small command: when pyarrow is handed a list, it imports pandas if there
    is one, and typer prepares each flag of a command.
    """
    import anyio  # noqa: PLC0415
    import pyarrow as pa  # noqa: PLC0415

    from bulkgladly.cli.app import run  # noqa: PLC0415
    from bulkgladly.pages.page_template import page_template  # noqa: PLC0415

    anyio.run(anyio.sleep, 0)
    page_template()
    pa.array([0])
    unheard = io.StringIO()
    with tempfile.TemporaryDirectory() as nowhere, redirect_stdout(unheard), redirect_stderr(unheard):
        for words in _REFUSED:
            sys.argv = ["bulkgladly", *(word.format(nowhere) for word in words)]
            run()
    gc.collect()
    gc.freeze()
    gc.enable()


def _await(child: int, within_s: float) -> int:
    """Return how a child ended, which is by a kill when it takes too long."""
    ends = time.monotonic() + within_s
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        left = ends - time.monotonic()
        if left <= 0:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return -signal.SIGALRM
        signal.sigtimedwait({signal.SIGCHLD}, min(left, 0.05))


if __name__ == "__main__":
    _serve()
