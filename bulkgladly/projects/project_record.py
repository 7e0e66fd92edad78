"""What is kept of a project between calls: which run belongs to which step, so that a call goes on where one ended."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from bulkgladly.errors import JournalDamaged, RunLocked
from bulkgladly.storage.durable import write_private
from bulkgladly.storage.failures import file_error
from bulkgladly.storage.lock import Lock, LockHeld

__all__ = ("ProjectRecord", "RecordedStep", "records_of")

FORMAT = 1
_FOLDER = "projects"
_FILE = "project.json"
_LOOK_S = 0.05


@dataclass(frozen=True, slots=True)
class RecordedStep:
    """What is known of a step: its run, and how that ended once it was complete.

    `is_new` says that the step was told to start again, whatever earlier runs of its input there are.
    """

    run: str | None = None
    end: Mapping[str, Any] | None = None
    is_new: bool = False


class ProjectRecord:
    """The record of one project file in one organisation, in a folder of the state directory.

    Every change is on the disk, whole, when its method returns. Use it as a context manager to lock it.
    """

    def __init__(self, state_dir: Path, file: Path, host: str) -> None:
        """Take the place of the record; nothing is read or created yet."""
        self.state_dir, self.host = state_dir, host
        self.file = str(file.resolve())
        digest = hashlib.blake2b(f"{self.file}\x1f{host}".encode("utf-8", "surrogateescape"), digest_size=4)
        self.folder = state_dir / _FOLDER / f"{_slug(file)}-{digest.hexdigest()}"
        self.path = self.folder / _FILE
        self._lock = Lock(self.folder / "lock")
        self._steps: dict[str, RecordedStep] = {}

    def __enter__(self) -> Self:
        """Lock the record for this process, and read it.

        Raises:
            RunLocked: Another process runs the project.
            JournalDamaged: It cannot be read.
            DiskFull, JournalError: Its folder cannot be created.
        """
        try:
            for folder in (self.state_dir, self.folder.parent, self.folder):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock.take(wait_s=_LOOK_S)
        except LockHeld as held:
            raise RunLocked(f"process {held.holder} is running this project; wait for it, or end it first") from held
        except OSError as error:
            raise file_error(error, self.folder) from error
        try:
            self.read()
        except BaseException:
            self._lock.release()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.release()

    @property
    def is_running(self) -> bool:
        """Whether a process runs the project now."""
        return self._lock.is_held_by_anybody()

    def read(self) -> Self:
        """Read what is kept; nothing, if the project never ran.

        Raises:
            JournalDamaged: It cannot be read.
        """
        path = self.path
        try:
            found = orjson.loads(path.read_bytes())
            if found["format"] > FORMAT:
                raise JournalDamaged(f"{path} was written by a newer version of bulkgladly; use that version")
            self._steps = {name: _recorded(step) for name, step in found["steps"].items()}
        except FileNotFoundError:
            self._steps = {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise _damaged(path, error) from error
        return self

    def step(self, name: str) -> RecordedStep:
        """Return what is known of a step."""
        return self._steps.get(name, RecordedStep())

    def begin(self, name: str, run: str) -> None:
        """Note the run of a step, before anybody else can see that run.

        Raises:
            DiskFull, JournalError: It cannot be written; the run must not begin.
        """
        self._change(name, RecordedStep(run))

    def end(self, name: str, summary: Mapping[str, Any]) -> None:
        """Note how the complete run of a step ended, which remains known when the run is purged.

        Raises:
            DiskFull, JournalError: It cannot be written.
        """
        self._change(name, replace(self.step(name), end=summary))

    def forget(self, name: str) -> None:
        """Let a step start again. Its run stays in the state directory.

        Raises:
            DiskFull, JournalError: It cannot be written.
        """
        self._change(name, RecordedStep(is_new=True))

    def _change(self, name: str, step: RecordedStep) -> None:
        self._steps = {**self._steps, name: step}
        content = {
            "format": FORMAT,
            "file": self.file,
            "host": self.host,
            "steps": {name: asdict(step) for name, step in self._steps.items()},
        }
        try:
            write_private(self.path, orjson.dumps(content, option=orjson.OPT_INDENT_2))
        except OSError as error:
            raise file_error(error, self.path) from error


def _recorded(step: Mapping[str, Any]) -> RecordedStep:
    """Return what a file holds of a step, with the types that a report relies on."""
    found = RecordedStep(**step)
    run, end = found.run, found.end
    if run is not None and (not isinstance(run, str) or run in ("", "..") or Path(run).name != run):
        raise ValueError("it does not name a run")
    if end is not None:
        lists = [end.get(name) or () for name in ("next_commands", "inputs")]
        tables = [end.get(name) or {} for name in ("counts", "rejects_by_code")]
        numbers = [number for table in tables for number in table.values()]
        numbers += [end.get(name) or 0 for name in ("exit_code", "requests_total", "seconds")]
        if not all(isinstance(one, list | tuple) for one in lists) or not all(
            isinstance(one, int | float) for one in numbers
        ):
            raise ValueError("it does not tell how a run ended")
    return found


def _damaged(path: Path, error: Exception) -> JournalDamaged:
    return JournalDamaged(
        f"{path} cannot be read: {error}; restore it from a copy, or remove it to start all steps again "
        "(records that Gladly has accepted are not sent again)"
    )


def records_of(state_dir: Path, file: Path) -> Iterator[ProjectRecord]:
    """Yield the records of a project file, one for each organisation in which it ran.

    Raises:
        JournalDamaged: There is none, but one that may be it cannot be read: the name of its folder is the same.
    """
    damaged: list[JournalDamaged] = []
    count = 0
    for path in sorted((state_dir / _FOLDER).glob(f"*/{_FILE}")):
        try:
            found = orjson.loads(path.read_bytes())
            record = ProjectRecord(state_dir, file, str(found["host"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            if path.parent.name.rpartition("-")[0] == _slug(file):
                damaged.append(_damaged(path, error))
            continue
        if record.folder == path.parent:
            count += 1
            yield record
    if damaged and not count:
        raise damaged[0]


def _slug(file: Path) -> str:
    return re.sub(r"[^a-z0-9]+", "-", file.resolve().parent.name.lower()).strip("-")[:40] or "project"
