"""What a run began with, as `run.json` holds it, and why a run cannot be used."""

import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from bulkgladly.errors import BulkgladlyError, JournalDamaged
from bulkgladly.journal.databases import has_rows, journal_version, reading
from bulkgladly.journal.schema import JOURNAL_VERSION
from bulkgladly.records import Mode
from bulkgladly.storage.durable import write_private
from bulkgladly.storage.failures import file_error
from bulkgladly.storage.lock import Lock

__all__ = ("Fault", "InputFile", "RunHeader", "fault_of", "header_of", "removal_of", "write_header")

FORMAT = 1
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
    """What `run.json` holds: all that a resume needs, and no secret."""

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
    """Whether the journal was there before this header. False if an older version wrote the header first."""

    @property
    def is_import(self) -> bool:
        """Whether the run sends rows. An export, or a verification of an object, is no import of it."""
        return self.mode in tuple(Mode)

    @property
    def plan(self) -> Path | None:
        """The folder of the plan that the run applies; None if it applies none."""
        found = self.settings.get("plan")
        folder = found.get("folder") if isinstance(found, Mapping) else None
        return Path(folder) if isinstance(folder, str) else None


def write_header(path: Path, header: RunHeader) -> None:
    """Write `run.json`, whole or not at all; it is on the disk when this returns.

    Raises:
        DiskFull, JournalError: It cannot be written.
    """
    try:
        write_private(path, orjson.dumps(asdict(header), option=orjson.OPT_INDENT_2))
    except OSError as error:
        raise file_error(error, path) from error


def header_of(path: Path) -> RunHeader:
    """Read `run.json`.

    Raises:
        JournalDamaged: It cannot be read, or was written by a newer version.
    """
    try:
        found = orjson.loads(path.read_bytes())
        # Check this first: a newer version may write another form.
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
        raise JournalDamaged(f"{path} is not a run header: {error}; {removal_of(path.parent)}") from error
    return header


def removal_of(folder: Path) -> str:
    """Return the advice for a run that cannot be used."""
    return f"move the folder away or remove it: rm -r {shlex.quote(str(folder))}"


class Fault(NamedTuple):
    """Why a run cannot be used: a word, and a sentence that says what to do."""

    word: str
    """`damaged`, `half-born` (it was killed before it began) or `newer`."""
    detail: str


def fault_of(folder: Path, lock: Lock) -> Fault | None:
    """Return why a run cannot be used; None if its header and its journal exist and look sound.

    Neither is opened for writing. A run that another process is just beginning, and has locked, has no fault, and
    no header yet.
    """
    path = folder / "run.json"
    try:
        if path.exists():
            header = header_of(path)
        else:
            return None if lock.is_held_by_anybody() else _without_header(folder)
    except OSError as error:
        return Fault("damaged", f"{folder} cannot be read: {error.strerror}; {removal_of(folder)}")
    except BulkgladlyError as error:
        word = "newer" if "newer version" in str(error) else "damaged"
        return Fault(word, str(error))
    return _fault_of_journal(folder / "journal.sqlite", header)


def _without_header(folder: Path) -> Fault:
    journal = folder / "journal.sqlite"
    try:
        has_begun = journal_version(journal) > 0 and has_rows(journal)
    except BulkgladlyError:
        has_begun = True
    if has_begun:
        return Fault("damaged", f"{folder / 'run.json'} is missing, so the run cannot be continued; {_fix_of(folder)}")
    return Fault("half-born", f"it was stopped before it began, and has sent nothing; {removal_of(folder)}")


def _fix_of(folder: Path) -> str:
    """Return the advice for a run of which a file is damaged or missing."""
    return f"restore the file from a copy, or start a new run, and {removal_of(folder)}"


def _fault_of_journal(path: Path, header: RunHeader) -> Fault | None:
    try:
        version = journal_version(path)
        if 0 < version <= JOURNAL_VERSION:
            with reading(path) as connection:  # damage further on than the version
                connection.execute("SELECT value FROM meta WHERE name = 'status'").fetchone()
    except BulkgladlyError as error:
        return Fault("damaged", f"{error}; {_fix_of(path.parent)}")
    if version > JOURNAL_VERSION:
        return Fault("newer", f"{path} was written by a newer version of bulkgladly; use that version")
    if version:
        return None
    if not header.is_whole:
        # An older version wrote the header first.
        detail = f"{path} is missing or was never finished: it was stopped before it began, or the file was deleted"
        return Fault("half-born", f"{detail}; start the import or export again, and {removal_of(path.parent)}")
    told = "is missing or empty, so it is not known what the run has sent"
    return Fault("damaged", f"{path} {told}; {_fix_of(path.parent)}")
