"""A run's folder: its name, what it began with, and the lock that dies with its holder."""

import contextlib
import datetime as dt
import secrets
import shlex
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import orjson

from bulkgladly.commands import next_command
from bulkgladly.errors import BulkgladlyError, DiskFull, JournalDamaged, JournalError, RunLocked, UsageError
from bulkgladly.journal.schema import JOURNAL_VERSION, journal_version, open_journal, reading
from bulkgladly.local_paths import AnyPath, local_path
from bulkgladly.storage.durable import sync_folder, write_private
from bulkgladly.storage.failures import file_error
from bulkgladly.storage.lock import Lock, LockHeld

__all__ = (
    "Fault",
    "InputFile",
    "RunFolder",
    "RunHeader",
    "all_folders",
    "beginning",
    "find_run",
    "list_runs",
    "open_to_others",
)

FORMAT = 1
_NAMES_TRIED = 100
_BEGIN_WAIT_S = 30.0
_LOOK_S = 0.05
_TEXTS = ("run", "resource", "mode", "host", "created_at", "version")


@dataclass(frozen=True, slots=True)
class InputFile:
    """An input as it was when the run began. `digest` is BLAKE2b over the whole file, in hex."""

    path: str
    size: int
    mtime_ns: int
    digest: str


@dataclass(frozen=True, slots=True)
class RunHeader:
    """What `run.json` holds: everything that a resume needs, and no secret."""

    run: str
    resource: str
    mode: str
    host: str
    inputs: tuple[InputFile, ...]
    settings: Mapping[str, Any]
    created_at: str
    version: str
    parent: str | None = None
    format: int = field(default=FORMAT)
    is_whole: bool = False
    """The journal was there before this header. False where an older version wrote the header first."""


class Fault(NamedTuple):
    """Why a run cannot be used: in a word, and in a sentence that says what to do."""

    word: str
    """`damaged`, `half-born` (it was killed before it began) or `newer`."""
    detail: str


class RunFolder:
    """One run's folder, made before the first request. Files are for their owner alone."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = Lock(path / "lock")

    @property
    def name(self) -> str:
        """The run's name, as the commands take it."""
        return self.path.name

    @property
    def state_dir(self) -> Path:
        """The directory that holds all runs and the lasting state."""
        return self.path.parent.parent

    @classmethod
    def create(cls, state_dir: Path, resource: str, mode: str, now: dt.datetime) -> "RunFolder":
        """Make a new folder `<resource>-<mode>_<UTC time>_<8 hex>`, which no other process makes as well.

        Raises:
            DiskFull: There is no room for it.
            UsageError: The state directory cannot be written.
        """
        begin = f"{resource}-{mode}_{now.astimezone(dt.UTC):%Y%m%dT%H%M%SZ}"
        runs = state_dir / "runs"
        try:
            for folder in (state_dir, runs):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for _ in range(_NAMES_TRIED):
                path = runs / f"{begin}_{secrets.token_hex(4)}"
                with contextlib.suppress(FileExistsError):
                    path.mkdir(mode=0o700)
                    sync_folder(runs)
                    return cls(path)
        except OSError as error:
            if isinstance(ours := file_error(error, runs), DiskFull):
                raise ours from error
            raise UsageError(
                f"cannot make a run folder in {runs}: {error.strerror}; choose another place with --state-dir"
            ) from error
        raise UsageError(f"cannot make a run folder in {runs}: {_NAMES_TRIED} names were taken; look into that folder")

    def lock(self) -> Self:
        """Take the run for this process. The lock ends with the process, however it ends.

        Raises:
            RunLocked: Another process works on this run.
            JournalError: The run is not there any more, or its lock cannot be opened.
        """
        path = self.path / "lock"
        try:
            # Another process that only looks whether the run is held has the lock for a moment.
            self._lock.take(wait_s=_LOOK_S)
        except LockHeld as held:
            raise RunLocked(
                f"run {self.name} is being worked on by process {held.holder}; wait for it, or end it first"
            ) from held
        except FileNotFoundError as error:
            raise JournalError(f"run {self.name} was removed by another process; start again") from error
        except OSError as error:
            raise file_error(error, path) from error
        return self

    def unlock(self) -> None:
        """Give the run back. Calling it twice is allowed."""
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.unlock()

    def make_journal(self) -> None:
        """Make the journal, whole or not at all. Nothing may be sent before it is there.

        Raises:
            DiskFull, JournalError: It cannot be made.
        """
        open_journal(self.path / "journal.sqlite").close()
        sync_folder(self.path)

    def write_header(self, header: RunHeader) -> None:
        """Write `run.json`, whole or not at all, and on the disk when this returns. The journal comes first.

        Raises:
            DiskFull, JournalError: It cannot be written.
        """
        path = self.path / "run.json"
        try:
            write_private(path, orjson.dumps(asdict(header), option=orjson.OPT_INDENT_2))
        except OSError as error:
            raise file_error(error, path) from error

    def header(self) -> RunHeader:
        """Read `run.json`.

        Raises:
            JournalDamaged: Not readable, or written by a newer version.
        """
        path = self.path / "run.json"
        try:
            found = orjson.loads(path.read_bytes())
            if found["format"] > FORMAT:
                raise JournalDamaged(f"{path} was written by a newer version of bulkgladly; use that version")
            found["inputs"] = tuple(InputFile(**item) for item in found["inputs"])
            header = RunHeader(**found)
            if not all(isinstance(getattr(header, name), str) for name in _TEXTS):
                raise TypeError("a text is missing")
            if not isinstance(header.settings, dict):
                raise TypeError("the settings are missing")
            if not all(isinstance(text, str) for item in header.inputs for text in (item.path, item.digest)):
                raise TypeError("an input has no path")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise JournalDamaged(f"{path} is not a run header: {error}; {self._removal}") from error
        return header

    @property
    def _removal(self) -> str:
        return f"move the folder away or remove it: rm -r {shlex.quote(str(self.path))}"

    def fault(self) -> Fault | None:
        """Return why the run cannot be used; None where its header and its journal are there, and sound at first sight.

        A run that another process is just beginning has no fault, and no header yet either.
        """
        path = self.path / "run.json"
        try:
            if not path.exists():
                return None if self._lock.is_held_by_anybody() else self._half_born()
            header = self.header()
            version = journal_version(self.path / "journal.sqlite")
        except OSError as error:
            return Fault("damaged", f"{self.path} cannot be read: {error.strerror}; {self._removal}")
        except JournalError as error:
            word = "newer" if "newer version" in str(error) else "damaged"
            return Fault(word, str(error))
        except BulkgladlyError as error:
            return Fault("damaged", str(error))
        return self._fault_of_journal(header, version)

    def _half_born(self) -> Fault:
        return Fault("half-born", f"it was stopped before it began, and sent nothing; {self._removal}")

    def _fault_of_journal(self, header: RunHeader, version: int) -> Fault | None:
        path = self.path / "journal.sqlite"
        if version > JOURNAL_VERSION:
            return Fault("newer", f"{path} was written by a newer version of bulkgladly; use that version")
        if version:
            return None
        if not header.is_whole:
            # An older version wrote the header first.
            detail = f"{path} is missing or was never finished: it was stopped before it began, or the file was deleted"
            return Fault("half-born", f"{detail}; start the import or export again, and {self._removal}")
        return Fault(
            "damaged",
            f"{path} is missing or empty, so what the run has sent is not known; put the file back from a copy, or "
            f"start again with a new run, and {self._removal}",
        )

    def check(self) -> None:
        """Make sure that the run can be used.

        Raises:
            JournalDamaged: It cannot; the message says why, and what to do.
        """
        if (fault := self.fault()) is not None:
            raise JournalDamaged(f"run {self.name} is {fault.word}: {fault.detail}")

    def status(self) -> str:
        """Return what the journal last noted: running, complete, stopped, ..., or new.

        Raises:
            JournalDamaged: The run cannot be used.
        """
        self.check()
        with reading(self.path / "journal.sqlite") as connection:
            row = connection.execute("SELECT value FROM meta WHERE name = 'status'").fetchone()
        return str(row[0]) if row else "new"

    def live_status(self) -> str:
        """Return the status, where a run noted as running whose process is gone counts as interrupted."""
        noted = self.status()
        return "interrupted" if noted == "running" and not self._lock.is_held_by_anybody() else noted

    def has_records(self) -> bool:
        """Tell whether a record was settled or on its way in this run.

        Raises:
            JournalDamaged: The journal cannot be read.
        """
        with reading(self.path / "journal.sqlite") as connection:
            found = connection.execute("SELECT 1 FROM records UNION ALL SELECT 1 FROM intents LIMIT 1").fetchone()
        return found is not None

    def is_empty(self) -> bool:
        """Tell whether the run holds nothing that another one would have to ask for, or read, again.

        Raises:
            JournalDamaged: The journal cannot be read.
        """
        with reading(self.path / "journal.sqlite") as connection:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            for table in ("records", "intents", "units", "fetched"):
                found = table in tables and connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone()  # noqa: S608
                if found:
                    return False
        return not any(self.path.glob("stdin.*"))

    def remove(self) -> None:
        """Remove the run, whose lock the caller holds. Killed in between, it counts as one that never began.

        Raises:
            OSError: Something of it cannot be removed.
        """
        (self.path / "run.json").unlink(missing_ok=True)
        sync_folder(self.path)
        shutil.rmtree(self.path)

    def report(self) -> Mapping[str, Any] | None:
        """Return the last report, or None where the run has written none."""
        try:
            found: Mapping[str, Any] = orjson.loads((self.path / "report.json").read_bytes())
        except (OSError, ValueError):
            return None
        return found


def all_folders(state_dir: AnyPath) -> list[RunFolder]:
    """Return every folder among the runs of a state directory, oldest first, whatever is in it.

    Raises:
        UsageError: The state directory cannot be read.
    """
    try:
        folders = [RunFolder(path) for path in (local_path(state_dir) / "runs").iterdir() if path.is_dir()]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UsageError(f"{state_dir} cannot be read: {error.strerror}; choose another with --state-dir") from error
    return sorted(folders, key=lambda run: (run.name.rpartition("_")[0].partition("_")[2], run.name))


def list_runs(state_dir: AnyPath) -> Iterator[RunFolder]:
    """Yield the runs of a state directory that can be used, oldest first. What is wrong with one stops no other."""
    for run in all_folders(state_dir):
        if run.fault() is None and (run.path / "run.json").exists():
            yield run


def find_run(state_dir: AnyPath, name: str | None, *, statuses: Sequence[str] = ()) -> RunFolder | None:
    """Return a run by its name or an unambiguous part of it; without a name the newest of `statuses`.

    By its name a run is also found that cannot be used, for the caller to learn why; without
    one it is passed over.

    Raises:
        UsageError: No run, or more than one, has this name.
    """
    if name is None:
        runs = list(list_runs(state_dir))[::-1]
        return next((run for run in runs if not statuses or _status_or_none(run) in statuses), None)
    named = [run for run in all_folders(state_dir) if name in run.name]
    for found in (
        [run for run in named if run.name == name],
        [run for run in named if run.fault() is None],
        named,
    ):
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(run.name for run in found[:4])
            raise UsageError(f"{name!r} fits {len(found)} runs: {names}; name it in full")
    listing = next_command("runs", "list", state_dir=local_path(state_dir))
    raise UsageError(f"there is no run {name!r} in {state_dir}; `{listing}` shows those there are")


def _status_or_none(run: RunFolder) -> str | None:
    try:
        return run.status()
    except BulkgladlyError:  # damaged further on, or removed a moment ago
        return None


@contextlib.contextmanager
def beginning(state_dir: Path) -> Iterator[None]:
    """Let one run at a time begin: from the look at the unfinished ones until the new one can be seen.

    Raises:
        RunLocked: Another process has been beginning one for half a minute.
        UsageError: The state directory cannot be written.
    """
    path = state_dir / "lock"
    lock = Lock(path)
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock.take(wait_s=_BEGIN_WAIT_S)
    except LockHeld as held:
        raise RunLocked(f"another process holds {path} and does not go on; end it, then try again") from held
    except OSError as error:
        if isinstance(ours := file_error(error, path), DiskFull):
            raise ours from error
        raise UsageError(
            f"{path} cannot be written: {error.strerror}; choose another place with --state-dir"
        ) from error
    try:
        yield
    finally:
        lock.release()


def open_to_others(state_dir: Path) -> str | None:
    """Return a sentence where other users of the machine may look into a state directory, or write to it.

    Its files are private by themselves, but who may write to the folder can put others in their
    place. It is told and not changed: a folder that was there before is not ours to close.
    """
    try:
        mode = state_dir.stat().st_mode & 0o777
    except OSError:
        return None
    if not mode & 0o077:
        return None
    what = "can be changed" if mode & 0o022 else "can be listed"
    return f"{state_dir} {what} by other users (mode {mode:o}); to close it: chmod 700 {shlex.quote(str(state_dir))}"
