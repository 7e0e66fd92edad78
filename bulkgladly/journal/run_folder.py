"""A run's folder: its name, what it began with, and its lock, which ends with the process that holds it."""

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
from bulkgladly.journal.databases import has_rows, open_journal, reading
from bulkgladly.journal.run_header import Fault, RunHeader, fault_of, header_of, write_header
from bulkgladly.journal.writer import earlier_vitals
from bulkgladly.storage.durable import sync_folder
from bulkgladly.storage.failures import file_error
from bulkgladly.storage.lock import Lock, LockHeld

__all__ = ("RunFolder",)

_NAMES_TRIED = 100
_LOOK_S = 0.05


class RunFolder:
    """One run's folder, created before the first request. Only its owner can read the files.

    Chapters: creation and lock, header and faults, progress, and removal.
    """

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

    # --- how it begins, and which process works on it ---

    @classmethod
    def create(cls, state_dir: Path, resource: str, verb: str, now: dt.datetime) -> "RunFolder":
        """Create a folder `<resource>-<verb>_<UTC time>_<8 hex>`, whose name no other process uses.

        Raises:
            DiskFull: There is no room for it.
            UsageError: The state directory is not writable.
        """
        begin = f"{resource}-{verb}_{now.astimezone(dt.UTC):%Y%m%dT%H%M%SZ}"
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
                f"cannot create a run folder in {runs}: {error.strerror}; choose another place with --state-dir"
            ) from error
        raise UsageError(f"cannot create a run folder in {runs}: {_NAMES_TRIED} names are taken; look into that folder")

    def lock(self) -> Self:
        """Lock the run for this process. The lock ends with the process, however that ends.

        Raises:
            RunLocked: Another process works on this run.
            JournalError: The run was removed, or its lock cannot be opened.
        """
        path = self.path / "lock"
        try:
            # A process that only checks whether the run is locked holds the lock for a moment.
            self._lock.take(wait_s=_LOOK_S)
        except LockHeld as held:
            raise RunLocked(
                f"process {held.holder} is working on run {self.name}; wait for it, or end it first"
            ) from held
        except FileNotFoundError as error:
            raise JournalError(f"run {self.name} was removed by another process; start again") from error
        except OSError as error:
            raise file_error(error, path) from error
        return self

    def unlock(self) -> None:
        """Unlock the run. Calling it twice is allowed."""
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.unlock()

    def make_journal(self) -> None:
        """Create the journal, whole or not at all. Nothing may be sent before it exists.

        Raises:
            DiskFull, JournalError: It cannot be created.
        """
        # Before the header: so a run with a header and without a journal has lost it.
        open_journal(self.path / "journal.sqlite").close()
        sync_folder(self.path)

    # --- what it began with, and whether it can be used ---

    def write_header(self, header: RunHeader) -> None:
        """Write `run.json`, whole or not at all; it is on the disk when this returns. Create the journal first.

        Raises:
            DiskFull, JournalError: It cannot be written.
        """
        write_header(self.path / "run.json", header)

    def header(self) -> RunHeader:
        """Read `run.json`.

        Raises:
            JournalDamaged: It cannot be read, or was written by a newer version.
        """
        return header_of(self.path / "run.json")

    def fault(self) -> Fault | None:
        """Return why the run cannot be used; None if its header and its journal exist and look sound.

        A run that another process is just beginning has no fault, and no header yet.
        """
        return fault_of(self.path, self._lock)

    def check(self) -> None:
        """Check that the run can be used.

        Raises:
            JournalDamaged: It cannot; the message says why, and what to do.
        """
        if (fault := self.fault()) is not None:
            raise JournalDamaged(f"run {self.name} is {fault.word}: {fault.detail}")

    # --- how far it is, by its journal; also while another process works on it ---

    def status(self) -> str:
        """Return the status that was last noted in the journal: running, complete, stopped, ..., or new.

        Raises:
            JournalDamaged: The run cannot be used.
        """
        self.check()
        with reading(self.path / "journal.sqlite") as connection:
            row = connection.execute("SELECT value FROM meta WHERE name = 'status'").fetchone()
        return str(row[0]) if row else "new"

    def live_status(self) -> str:
        """Return the status; a run noted as running whose process has ended counts as interrupted."""
        noted = self.status()
        return "interrupted" if noted == "running" and not self._lock.is_held_by_anybody() else noted

    def worker(self) -> int | None:
        """Return the id of the process that works on the run now; None if there is none, 0 if it is not known."""
        return self._lock.holder() if self._lock.is_held_by_anybody() else None

    def seconds(self) -> float:
        """Return for how long all sessions of the run have worked, as of the last commit; 0 if that is not noted.

        Raises:
            JournalDamaged: The journal cannot be read.
        """
        with reading(self.path / "journal.sqlite") as connection, contextlib.suppress(ValueError, TypeError):
            found = earlier_vitals(connection)
            return float(found["seconds"]) if isinstance(found, dict) and "seconds" in found else 0.0
        return 0.0

    def has_records(self) -> bool:
        """Tell whether a record was settled or in flight in this run.

        Raises:
            JournalDamaged: The journal cannot be read.
        """
        with reading(self.path / "journal.sqlite") as connection:
            found = connection.execute("SELECT 1 FROM records UNION ALL SELECT 1 FROM intents LIMIT 1").fetchone()
        return found is not None

    def is_empty(self) -> bool:
        """Tell whether the run holds nothing that another run would have to request, or read, again.

        Raises:
            JournalDamaged: The journal cannot be read.
        """
        return not has_rows(self.path / "journal.sqlite") and not any(self.path.glob("stdin.*"))

    def report(self) -> Mapping[str, Any] | None:
        """Return the last report; None if the run has not written one."""
        try:
            found: Mapping[str, Any] = orjson.loads((self.path / "report.json").read_bytes())
        except (OSError, ValueError):
            return None
        return found

    # --- how it ends ---

    def remove(self) -> None:
        """Remove the run, whose lock the caller holds. Killed in between, it counts as a run that never began.

        Raises:
            OSError: A part of it cannot be removed.
        """
        # The header first: a folder without one is not a run, but a header without a journal is a damaged run.
        (self.path / "run.json").unlink(missing_ok=True)
        sync_folder(self.path)
        shutil.rmtree(self.path)
