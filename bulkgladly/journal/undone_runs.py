"""Which runs were taken back by others, seen from the run that was."""

from bulkgladly.errors import JournalError
from bulkgladly.journal.results import count_by_word
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.journal.runs import list_runs
from bulkgladly.records import Word

__all__ = ("UNDO", "other_runs", "taken_back_by", "undos_of")

UNDO = "undo"
"""The mode of a run that takes another one back."""
_TAKEN_BACK = (Word.UPDATED.value, Word.DELETED.value)


def other_runs(run: RunFolder) -> list[RunFolder]:
    """Return the other runs beside a run, the oldest first; those that cannot be read are left out."""
    found = []
    for one in list_runs(run.state_dir):
        try:
            one.header()
        except JournalError:  # removed a moment ago
            continue
        if one.name != run.name:
            found.append(one)
    return found


def undos_of(run: RunFolder) -> list[RunFolder]:
    """Return the undos of a run, the oldest first; those that cannot be read are left out."""
    found = []
    for one in other_runs(run):
        header = one.header()
        if header.mode == UNDO and header.parent == run.name:
            found.append(one)
    return found


def taken_back_by(run: RunFolder) -> tuple[str, int] | None:
    """Return the last undo that has restored or deleted something of a run, and how many objects; None if none has.

    Raises:
        JournalDamaged: The journal of an undo cannot be read.
    """
    for undo in reversed(undos_of(run)):
        counts = count_by_word(undo.path)
        if number := sum(counts.get(word, 0) for word in _TAKEN_BACK):
            return undo.name, number
    return None
