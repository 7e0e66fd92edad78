"""A run's folder: its name, what it began with, and the lock that dies with its holder."""

import datetime as dt
import fcntl
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from bulkgladly.errors import JournalDamaged, RunLocked, UsageError
from bulkgladly.journal.schema import open_reader
from bulkgladly.local_paths import AnyPath, local_path

__all__ = ("InputFile", "RunFolder", "RunHeader", "find_run", "list_runs", "write_private")

FORMAT = 1


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


class RunFolder:
    """One run's folder, made before the first request. Files are for their owner alone."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: int | None = None

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
        """Make a new folder `<resource>-<mode>_<UTC time>_<4 hex>`.

        Raises:
            UsageError: The state directory cannot be written.
        """
        name = f"{resource}-{mode}_{now.astimezone(dt.UTC):%Y%m%dT%H%M%SZ}_{secrets.token_hex(2)}"
        path = state_dir / "runs" / name
        try:
            for folder in (state_dir, path.parent, path):
                folder.mkdir(mode=0o700, parents=True, exist_ok=folder != path)
        except OSError as error:
            raise UsageError(
                f"cannot make the run folder {path}: {error.strerror}; choose another with --state-dir"
            ) from error
        return cls(path)

    def lock(self) -> Self:
        """Take the run for this process. The lock ends with the process, however it ends.

        Raises:
            RunLocked: Another process works on this run.
        """
        handle = os.open(self.path / "lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(handle, 20, 0).decode(errors="replace").strip()
            os.close(handle)
            raise RunLocked(
                f"run {self.name} is being worked on by process {holder or '?'}; wait for it, or end it first"
            ) from error
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        self._lock = handle
        return self

    def unlock(self) -> None:
        """Give the run back. Calling it twice is allowed."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.unlock()

    def write_header(self, header: RunHeader) -> None:
        """Write `run.json`, whole or not at all, and on the disk when this returns."""
        write_private(self.path / "run.json", orjson.dumps(asdict(header), option=orjson.OPT_INDENT_2))

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
            return RunHeader(**found)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise JournalDamaged(f"{path} is no run header: {error}") from error

    def status(self) -> str:
        """Return what the journal last noted: running, complete, stopped, or new."""
        try:
            connection = open_reader(self.path / "journal.sqlite")
        except JournalDamaged:
            return "new"
        try:
            row = connection.execute("SELECT value FROM meta WHERE name = 'status'").fetchone()
        finally:
            connection.close()
        return str(row[0]) if row else "new"

    def live_status(self) -> str:
        """Return the status, where a run noted as running whose process is gone counts as interrupted."""
        noted = self.status()
        return "interrupted" if noted == "running" and not self._is_held() else noted

    def _is_held(self) -> bool:
        try:
            handle = os.open(self.path / "lock", os.O_RDONLY)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(handle)
        return False

    def has_records(self) -> bool:
        """Tell whether a record was settled or on its way in this run."""
        try:
            connection = open_reader(self.path / "journal.sqlite")
        except JournalDamaged:
            return False
        try:
            return (
                connection.execute("SELECT 1 FROM records UNION ALL SELECT 1 FROM intents LIMIT 1").fetchone()
                is not None
            )
        finally:
            connection.close()

    def report(self) -> Mapping[str, Any] | None:
        """Return the last report, or None where the run has written none."""
        try:
            found: Mapping[str, Any] = orjson.loads((self.path / "report.json").read_bytes())
        except (OSError, ValueError):
            return None
        return found


def list_runs(state_dir: AnyPath) -> Iterator[RunFolder]:
    """Yield the runs of a state directory, oldest first."""
    runs = local_path(state_dir) / "runs"
    if runs.is_dir():
        folders = [RunFolder(path) for path in runs.iterdir() if (path / "run.json").is_file()]
        yield from sorted(folders, key=lambda run: (run.name.rpartition("_")[0].partition("_")[2], run.name))


def find_run(state_dir: AnyPath, name: str | None, *, statuses: Sequence[str] = ()) -> RunFolder | None:
    """Return a run by its name or an unambiguous part of it; without a name the newest of `statuses`.

    Raises:
        UsageError: No run, or more than one, has this name.
    """
    runs = list(list_runs(state_dir))
    if name is None:
        return next((run for run in reversed(runs) if not statuses or run.status() in statuses), None)
    exact = [run for run in runs if run.name == name] or [run for run in runs if name in run.name]
    if len(exact) == 1:
        return exact[0]
    if not exact:
        raise UsageError(f"there is no run {name!r} in {state_dir}; `bulkgladly runs list` shows those there are")
    raise UsageError(f"{name!r} fits {len(exact)} runs: {', '.join(run.name for run in exact[:4])}; name it in full")


def write_private(path: Path, content: bytes) -> None:
    """Write a file for its owner alone, whole or not at all, and on the disk when this returns."""
    aside = path.with_name(f".{path.name}.partial")
    handle = os.open(aside, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
