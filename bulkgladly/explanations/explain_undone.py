"""What undos of a run have done with one of its objects, in plain words."""

from collections.abc import Iterator

from bulkgladly.errors import BulkgladlyError
from bulkgladly.explanations.explain_words import time_text
from bulkgladly.journal.record_lookup import RecordLookup, SettledRecord
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.journal.undone_runs import undos_of
from bulkgladly.records import Word
from bulkgladly.undo.undo_steps import PARTLY

__all__ = ("undone_text",)

_DONE = {
    Word.DELETED.value: "it was deleted",
    Word.UPDATED.value: "its former values were restored",
    Word.UNCHANGED.value: "there was nothing left to do",
}
_LEFT = {
    Word.SKIPPED.value: "has kept it",
    Word.REJECTED.value: "could not take it back",
    Word.UNKNOWN.value: "may have taken it back",
}


def undone_text(run: RunFolder, gladly_id: str | None) -> str:
    """Return what the undos of a run did with an object, the oldest first; nothing if none has come to it.

    An undo that cannot be read is left out: the story of the record is told all the same.
    """
    return "; ".join(_told(run, gladly_id)) if gladly_id is not None else ""


def _told(run: RunFolder, gladly_id: str) -> Iterator[str]:
    for undo in undos_of(run):
        try:
            with RecordLookup(undo.path) as lookup:
                found = lookup.named(gladly_id, of_key=False)
        except BulkgladlyError:
            continue
        yield from (_text(undo.name, one) for one in found)


def _text(undo: str, one: SettledRecord) -> str:
    if one.code == PARTLY:
        return f"taken back in part by run {undo} at {time_text(one.at)}: {one.detail}"
    if one.word in _DONE:
        return f"taken back by run {undo} at {time_text(one.at)}: {_DONE[one.word]}"
    return f"run {undo} {_LEFT.get(one.word, 'has ended it')} at {time_text(one.at)}: {one.detail}"
