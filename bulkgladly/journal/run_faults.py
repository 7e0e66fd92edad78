"""Why a run cannot be used: what is wrong with its header or its journal, seen without opening either for writing."""

from pathlib import Path
from typing import NamedTuple

from bulkgladly.errors import BulkgladlyError, JournalError
from bulkgladly.journal.databases import journal_version
from bulkgladly.journal.run_header import RunHeader, header_of, removal_of
from bulkgladly.journal.schema import JOURNAL_VERSION
from bulkgladly.storage.lock import Lock

__all__ = ("Fault", "fault_of")


class Fault(NamedTuple):
    """Why a run cannot be used: in a word, and in a sentence that says what to do."""

    word: str
    """`damaged`, `half-born` (it was killed before it began) or `newer`."""
    detail: str


def fault_of(folder: Path, lock: Lock) -> Fault | None:
    """Return why a run cannot be used; None where its header and its journal are there, and sound at first sight.

    A run that another process is just beginning, and has locked, has no fault, and no header yet either.
    """
    path = folder / "run.json"
    try:
        if not path.exists():
            return None if lock.is_held_by_anybody() else _half_born(folder)
        header = header_of(path)
        version = journal_version(folder / "journal.sqlite")
    except OSError as error:
        return Fault("damaged", f"{folder} cannot be read: {error.strerror}; {removal_of(folder)}")
    except JournalError as error:
        word = "newer" if "newer version" in str(error) else "damaged"
        return Fault(word, str(error))
    except BulkgladlyError as error:
        return Fault("damaged", str(error))
    return _fault_of_journal(folder / "journal.sqlite", header, version)


def _half_born(folder: Path) -> Fault:
    return Fault("half-born", f"it was stopped before it began, and sent nothing; {removal_of(folder)}")


def _fault_of_journal(path: Path, header: RunHeader, version: int) -> Fault | None:
    if version > JOURNAL_VERSION:
        return Fault("newer", f"{path} was written by a newer version of bulkgladly; use that version")
    if version:
        return None
    removal = removal_of(path.parent)
    if not header.is_whole:
        # An older version wrote the header first.
        detail = f"{path} is missing or was never finished: it was stopped before it began, or the file was deleted"
        return Fault("half-born", f"{detail}; start the import or export again, and {removal}")
    return Fault(
        "damaged",
        f"{path} is missing or empty, so what the run has sent is not known; put the file back from a copy, or "
        f"start again with a new run, and {removal}",
    )
