"""A run's folder: its name, what it began with, and the lock that dies with its holder."""

import contextlib
import datetime as dt
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from bulkgladly.errors import DiskFull, JournalDamaged, JournalError, RunLocked, UsageError
from bulkgladly.journal.databases import open_journal, reading
from bulkgladly.journal.run_header import Fault, RunHeader, fault_of, header_of, write_header
from bulkgladly.storage.durable import sync_folder
from bulkgladly.storage.failures import file_error
from bulkgladly.storage.lock import Lock, LockHeld

__all__ = ("RunFolder",)

_NAMES_TRIED = 100
_LOOK_S = 0.05


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

    # How it begins, and who works on it.

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
        # Before the header: where there is a header there is a journal, and one that is missing then was lost.
        open_journal(self.path / "journal.sqlite").close()
        sync_folder(self.path)

    # What it began with, and whether it can be used.

    def write_header(self, header: RunHeader) -> None:
        """Write `run.json`, whole or not at all, and on the disk when this returns. The journal comes first.

        Raises:
            DiskFull, JournalError: It cannot be written.
        """
        write_header(self.path / "run.json", header)

    def header(self) -> RunHeader:
        """Read `run.json`.

        Raises:
            JournalDamaged: Not readable, or written by a newer version.
        """
        return header_of(self.path / "run.json")

    def fault(self) -> Fault | None:
        """Return why the run cannot be used; None where its header and its journal are there, and sound at first sight.

        A run that another process is just beginning has no fault, and no header yet either.
        """
        return fault_of(self.path, self._lock)

    def check(self) -> None:
        """Make sure that the run can be used.

        Raises:
            JournalDamaged: It cannot; the message says why, and what to do.
        """
        if (fault := self.fault()) is not None:
            raise JournalDamaged(f"run {self.name} is {fault.word}: {fault.detail}")

    # How far it is, told from its journal; also while another process works on it.

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

    def report(self) -> Mapping[str, Any] | None:
        """Return the last report, or None where the run has written none."""
        try:
            found: Mapping[str, Any] = orjson.loads((self.path / "report.json").read_bytes())
        except (OSError, ValueError):
            return None
        return found

    # How it ends.

    def remove(self) -> None:
        """Remove the run, whose lock the caller holds. Killed in between, it counts as one that never began.

        Raises:
            OSError: Something of it cannot be removed.
        """
        # The header first: a folder without one is no run, and a run without its journal would be a damaged one.
        (self.path / "run.json").unlink(missing_ok=True)
        sync_folder(self.path)
        shutil.rmtree(self.path)
