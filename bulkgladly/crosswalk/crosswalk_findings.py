"""What a repair of the crosswalk has found so far, as its journal has it: one unit for each page of keys."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import orjson

from bulkgladly.journal.units import UnitLine, units_of

__all__ = ("REPAIR", "REPAIR_WORDS", "finding_line", "repair_counts", "repaired_in", "said_of_keys", "settled_pages")

REPAIR = "repair"
"""The mode of such a run."""
_SAID = {"unchanged": "found", "updated": "corrected", "deleted": "forgotten", "rejected": "no_longer_there"}
REPAIR_WORDS = (*_SAID.values(), "unknown")
"""What became of keys, for people: `corrected` lead to the customer that remains, `unknown` could not be looked at."""
_RESULTS = {"updated": "merged", "rejected": "deleted in Gladly", "unknown": "unknown"}


def settled_pages(lines: Sequence[UnitLine]) -> tuple[Counter[str], tuple[str, str] | None, int]:
    """Return what was settled: the counts of keys, the last namespace and key, and the number of pages."""
    counts: Counter[str] = Counter()
    done: tuple[str, str] | None = None
    for line in lines:
        about = orjson.loads(line.detail)
        counts.update(about["counts"])
        done = (about["until"][0], about["until"][1])
    return counts, done, len(lines)


def repair_counts(folder: Path) -> dict[str, int]:
    """Return how many keys of a repair were found how, from outside, also while it works.

    Raises:
        JournalDamaged: The journal cannot be read.
    """
    return said_of_keys(settled_pages(units_of(folder))[0])


def said_of_keys(counts: Mapping[str, int]) -> dict[str, int]:
    """Return counts under the words that people read."""
    return {_SAID.get(word, word): number for word, number in counts.items()}


def repaired_in(folder: Path, text: str) -> list[Mapping[str, str]]:
    """Return what a repair found of a key or an id, if that was not simply there: as in `repair.ndjson`.

    Raises:
        JournalDamaged: The journal cannot be read.
    """
    return [orjson.loads(finding_line(one)) for one in _told_in(folder) if text in (one[1], one[2], one[4])]


def _told_in(folder: Path) -> Iterator[list[str]]:
    for line in units_of(folder):
        yield from orjson.loads(line.detail)["told"]


def finding_line(told: Sequence[str]) -> bytes:
    """Return what was found of a key as a line of `repair.ndjson`: from namespace, key, id, word and detail."""
    namespace, key, gladly_id, word, detail = told
    about = {"namespace": namespace, "key": key, "gladly_id": gladly_id, "result": _RESULTS[word]}
    return orjson.dumps({**about, "now": detail} if word == "updated" else {**about, "detail": detail})
