"""The newest earlier run that knew a source key: which run, and what it did."""

import datetime as dt
from typing import NamedTuple

from bulkgladly.errors import BulkgladlyError
from bulkgladly.gladly.identity import digest64
from bulkgladly.journal.record_lookup import RecordLookup
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.journal.run_header import RunHeader
from bulkgladly.journal.runs import all_folders
from bulkgladly.journal.turns import RunTurns, are_comparable, run_turns
from bulkgladly.records import Word

__all__ = ("EarlierRun", "earlier_run_with")

_MOST_RUNS = 200
_ARRIVED = (Word.CREATED.value, Word.UPDATED.value, Word.UNCHANGED.value, Word.DELETED.value)


class EarlierRun(NamedTuple):
    """What an earlier run did with the same key."""

    run: str
    word: str
    at: float


def earlier_run_with(run: RunFolder, header: RunHeader, key: str, before: float) -> EarlierRun | None:
    """Return the newest run that brought this key to a good end before a moment; None if none of those kept did.

    Only the hash of the key is looked up in each run, so two hundred runs of any size take no time that one notices.
    """
    digest, namespace, ours = digest64("key", key), header.settings.get("namespace"), run_turns(run.path)
    for folder in _others(run):
        try:
            other = folder.header()
            is_same = (other.host, other.resource) == (header.host, header.resource)
            if not is_same or other.settings.get("namespace") != namespace:
                continue
            is_before = _is_before(folder, ours)
            if is_before is False or (is_before is None and _began(other) > before):
                continue
            with RecordLookup(folder.path) as lookup:
                claim = lookup.claim(digest)
                found = None if claim is None else lookup.of(claim.seq)
        except BulkgladlyError:
            continue
        is_one = found is not None and found.key == key and found.word in _ARRIVED
        if found is not None and is_one and (is_before or found.at <= before):
            return EarlierRun(folder.name, found.word, found.at)
    return None


def _is_before(run: RunFolder, ours: RunTurns | None) -> bool | None:
    """Tell whether a run had ended when another one began, or began after it; None if only the clock can tell."""
    theirs = run_turns(run.path)
    if ours is None or theirs is None or not are_comparable(theirs.last, ours.began):
        return None
    if theirs.last < ours.began:
        return True
    return False if theirs.began > ours.last else None


def _others(run: RunFolder) -> list[RunFolder]:
    others = [folder for folder in all_folders(run.state_dir) if folder.name != run.name]
    return others[: -_MOST_RUNS - 1 : -1]


def _began(header: RunHeader) -> float:
    try:
        return dt.datetime.fromisoformat(header.created_at).timestamp()
    except ValueError:
        return 0.0
