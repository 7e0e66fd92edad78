"""The outcomes of a run on its page: their order, their colours and which of them are problems. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bulkgladly.plain_words import share_text

__all__ = ("OutcomeRow", "Outcomes", "colour_of", "is_problem", "ordered_words", "outcomes_of", "said_of")

_COLOURS = {
    "created": "c1",
    "updated": "c2",
    "deleted": "c3",
    "unchanged": "c4",
    "skipped": "c5",
    "unprocessed": "c6",
    "rejected": "bad",
    "unknown": "warn",
}
_SAME_AS = {
    "equal": "created",
    "restored": "updated",
    "different": "rejected",
    "missing": "rejected",
    "unreadable": "unknown",
    "merged": "unknown",
    "not possible": "rejected",
    "kept": "unchanged",
    "not deleted": "skipped",
    "nothing to do": "skipped",
    "not sent": "unchanged",
    "not sampled": "skipped",
    "to create": "created",
    "to update": "updated",
    "to delete": "deleted",
    "open": "unprocessed",
    "found": "created",
    "corrected": "updated",
    "forgotten": "deleted",
    "no longer there": "rejected",
}
"""Outcomes of runs that are not imports, and those whose place and colour they have."""
_OTHERS = ("c7", "c8", "c3", "c2")
_MEANINGS = {
    "created": "new in Gladly",
    "updated": "changed in Gladly",
    "deleted": "deleted in Gladly",
    "unchanged": "in Gladly already, with the same values",
    "skipped": "left out, as you chose",
    "rejected": "not accepted",
    "unknown": "sent without a response: it is not known whether they arrived",
    "unprocessed": "not reached yet",
    "equal": "Gladly holds what the file says",
    "different": "Gladly holds something else",
    "missing": "not in Gladly",
    "merged": "merged into another customer",
    "unreadable": "could not be read in Gladly",
    "not sent": "not sent, so there is nothing to compare",
    "not sampled": "not in the sample",
    "restored": "as before the run",
    "kept": "changed by somebody since, and left as it is",
    "not deleted": "kept: they may be somebody else's by now",
    "not possible": "cannot be taken back",
    "nothing to do": "as before the run, or no longer in Gladly",
    "to create": "new; not sent yet",
    "to update": "different in Gladly; not sent yet",
    "to delete": "in Gladly; not deleted yet",
    "open": "decided when the plan is applied",
    "found": "the key leads to its object in Gladly",
    "corrected": "merged into another customer, to whom the key leads now",
    "forgotten": "deleted in Gladly; an import creates them again",
    "no longer there": "deleted in Gladly; an import does not create them again",
}
_OF_ROWS = {
    "created": "new in the folder",
    "updated": "restated by Gladly: they replaced an earlier version",
    "unchanged": "in the folder already",
    "rejected": "could not be read; they are in _rejects",
}
_SAID: Mapping[str, Mapping[str, str]] = {
    "undo": {"updated": "restored", "skipped": "kept", "unchanged": "nothing to do", "rejected": "not possible"},
    "missing": {"skipped": "not deleted"},
    "plan": {"created": "to create", "updated": "to update", "deleted": "to delete"},
    "repair": {
        "unchanged": "found",
        "updated": "corrected",
        "deleted": "forgotten",
        "rejected": "no longer there",
    },
}
"""By the mode of a run (`missing`: it deletes what an import lacked): what the words of its journal mean there."""


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    """An outcome: how many, their share as text and as a number, and where its part of the bar begins (0 to 1)."""

    word: str
    meaning: str
    colour: str
    number: int
    share_text: str
    left: float
    share: float


@dataclass(frozen=True, slots=True)
class Outcomes:
    """All outcomes of a run, their sum, and how many were read: both are the same, or something is wrong."""

    rows: tuple[OutcomeRow, ...]
    total: int
    read: int

    @property
    def adds_up(self) -> bool:
        """Whether all are accounted for."""
        return self.total == self.read


def colour_of(word: str) -> str:
    """Return the class of an outcome's colour; outcomes of other kinds of runs get one by their name."""
    return _COLOURS.get(_SAME_AS.get(word, word)) or _OTHERS[sum(map(ord, word)) % len(_OTHERS)]


def is_problem(word: str) -> bool:
    """Tell whether an outcome is one that somebody has to look at."""
    return _SAME_AS.get(word, word) in ("rejected", "unknown", "failed")


def ordered_words(words: Iterable[str]) -> list[str]:
    """Return outcomes in the order in which they are shown."""
    known = list(_COLOURS)
    place = {word: known.index(same) if (same := _SAME_AS.get(word, word)) in known else len(known) for word in words}
    return sorted(place, key=lambda word: (place[word], word))


def said_of(counts: Mapping[str, int], mode: str) -> dict[str, int]:
    """Return outcomes under the words that people read in the run of a mode."""
    said = _SAID.get(mode, {})
    return {said.get(word, word.replace("_", " ")): number for word, number in counts.items()}


def outcomes_of(counts: dict[str, int], *, is_export: bool) -> Outcomes:
    """Return the outcomes that occurred, with their shares of what was read."""
    numbers = {word: counts[word] for word in ordered_words(counts) if word != "read" and counts[word]}
    total = sum(numbers.values())
    read = counts.get("read", total)
    rows, left = [], 0.0
    for word, number in numbers.items():
        share = number / max(total, read, 1)
        meaning = (_OF_ROWS if is_export else _MEANINGS).get(word, "")
        rows.append(
            OutcomeRow(word, meaning, colour_of(word), number, share_text(number, max(total, read)), left, share)
        )
        left += share
    return Outcomes(tuple(rows), total, read)
