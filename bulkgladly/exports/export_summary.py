"""The summary of an export: rows, units, gaps, and the next command."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from bulkgladly.exports.export_page import export_story, export_title, export_verdict, states_text
from bulkgladly.exports.unit_kinds import MAINTENANCE, UnitState
from bulkgladly.journal.units import UnitLine
from bulkgladly.runs.summary import COUNT_WORDS, Ending, Summary, status_of

__all__ = ("ROW_WORDS", "ExportReport", "Told", "counts_of", "ending_of", "units_told")

MOST_TOLD = 100
ROW_WORDS = ("created", "updated", "unchanged", "rejected")
"""The outcome words of rows; each is a field of a unit's line in the journal."""
_FINE = (UnitState.DONE, UnitState.UNCHANGED)


@dataclass(frozen=True, slots=True)
class Told:
    """A unit that did not simply succeed, and why."""

    data_set: str
    unit: str
    state: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportReport(Summary):
    """What an export did, all its sessions together. `report.json` and `--json` hold the same.

    `counts` are rows: `read` and the outcome words, as for an import. `created` are rows that the
    data set did not have, `updated` replaced an earlier one, `unchanged` were in it already,
    `rejected` stand in `_rejects`. `units` counts, for each data set, how its units ended; `told` has
    those that did not succeed, a hundred at most. `files` has for each data set its folder and what
    it holds now. `next_loss` is when data will be lost, unless another export runs before.
    """

    things: ClassVar[str] = "rows"

    out: str
    units: Mapping[str, Mapping[str, int]]
    told: tuple[Told, ...]
    notes: tuple[str, ...]
    next_loss: str | None = None
    published: Mapping[str, int] = field(default_factory=dict)
    """How many rows the run has added or replaced, by data set."""

    @property
    def details(self) -> tuple[str, ...]:
        """Lines for people, besides counts and files."""
        states = states_text(self.units)
        lines = [f"downloads: {states}"] if states else ["nothing new"] if self.status == "complete" else []
        lines += [f"{one.state}: {one.data_set} {one.unit}: {one.detail}" for one in self.told[:10]]
        if len(self.told) > 10:
            lines.append(f"and {len(self.told) - 10} more in report.json")
        failed = (one for one in self.told if one.state == UnitState.FAILED and one.unit not in MAINTENANCE)
        if any(failed) and self.status == "complete":
            lines.append("run the same command again to fetch what failed; nothing else is fetched again")
        lines += self.notes
        if self.next_loss is not None:
            lines.append(f"run it again before {self.next_loss}: after that Gladly deletes what was not fetched")
        return tuple(lines)

    def _title(self) -> str:
        return export_title(self)

    def _verdict(self) -> str:
        return export_verdict(self)

    def _told(self) -> list[str]:
        return export_story(self)

    def _tables(self) -> list[str]:
        if not self.files:
            return []
        files = "\n".join(
            f"| {name} | {about['rows']:,} | {about['parts']:,} | {about['bytes']:,} |"
            for name, about in self.files.items()
        )
        return [
            f"Downloads: {states_text(self.units)}.",
            f"| data set | rows | parts | bytes |\n|---|---:|---:|---:|\n{files}",
        ]


def counts_of(lines: Sequence[UnitLine]) -> dict[str, int]:
    """Return the rows of all units by outcome word, and `read`, their sum."""
    counts = dict.fromkeys(COUNT_WORDS, 0)
    for line in lines:
        for word in ROW_WORDS:
            counts[word] += getattr(line, word)
    return {"read": sum(counts.values()), **counts}


def units_told(lines: Sequence[UnitLine]) -> dict[str, Any]:
    """Return what a summary says about the units of a run: `counts`, `units`, `published` and `told`."""
    bad = [line for line in lines if line.state not in _FINE]
    units: dict[str, Counter[str]] = {}
    published: Counter[str] = Counter()
    for line in lines:
        units.setdefault(line.data_set, Counter())[line.state] += 1
        published[line.data_set] += line.created + line.updated
    return {
        "counts": counts_of(lines),
        "units": {name: dict(states) for name, states in units.items()},
        "published": dict(published),
        "told": tuple(Told(line.data_set, line.name, line.state, line.detail) for line in bad[:MOST_TOLD]),
    }


def ending_of(lines: Sequence[UnitLine], exit_code: int | None, reason: str | None) -> Ending:
    """Return how an export ended; `exit_code` None means that it was not stopped."""
    if exit_code is not None:
        return Ending(status_of(exit_code), exit_code, reason)
    is_fine = all(line.state in _FINE and not line.rejected for line in lines)
    return Ending("complete", 0 if is_fine else 1, reason)
