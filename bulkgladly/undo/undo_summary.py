"""The summary of an undo: what was restored, deleted and kept, and one line for each object in `undo.ndjson`."""

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import orjson

from bulkgladly.commands import next_command
from bulkgladly.errors import BulkgladlyError
from bulkgladly.imports.run_findings import about_file
from bulkgladly.journal.databases import reading
from bulkgladly.journal.results import count_by_word, publish_lines
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.records import Word
from bulkgladly.runs.stages import Stop
from bulkgladly.runs.summary import COUNT_WORDS, Ending, Summary, resume_command, status_of
from bulkgladly.shown import shown_cell
from bulkgladly.undo.planned_objects import PlanCounts
from bulkgladly.undo.undo_page import SAID, said_of, several
from bulkgladly.undo.undo_steps import PARTLY

__all__ = ("UNDO_FILE", "LeftObjects", "UndoReport", "publish_undo")

UNDO_FILE = "undo.ndjson"
_LEFT = (
    "SELECT word, coalesce(code, ''), count(*), min(detail) FROM records"
    " WHERE word IN ('skipped', 'rejected', 'unknown') OR code IS NOT NULL GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2"
)
_LATER = (
    "SELECT detail FROM records WHERE word = 'skipped' AND code = 'changed_since'"
    " AND detail LIKE '%; undo % first' LIMIT 1"
)
_LINES = "SELECT gladly_id, key, word, code, attr, detail, status FROM records ORDER BY seq"


@dataclass(frozen=True, slots=True)
class LeftObjects:
    """Objects that were not taken back, or not completely, for one reason; `detail` is that of one of them."""

    said: str
    code: str
    number: int
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoReport(Summary):
    """What an undo did, in all its sessions together. `report.json` and `--json` hold the same.

    `undone` is the run that was taken back. Of `counts`, `updated` are objects that were restored, `partly` of them
    only in part, `skipped` are kept because somebody has changed them since, `unchanged` are as before or no longer
    there, and `rejected` cannot be taken back. `outcomes` has the same under the words that people read. `already`
    objects were taken back by an earlier undo.
    """

    things: ClassVar[str] = "objects"

    undone: str
    noun: str
    partly: int = 0
    already: int = 0
    outcomes: Mapping[str, int]
    left: tuple[LeftObjects, ...] = ()

    @property
    def details(self) -> tuple[str, ...]:
        """Lines for people, besides counts and files."""
        lines = [f"already taken back by an earlier undo: {several(self.already, self.noun)}"] if self.already else []
        lines += [f"restored only in part: {several(self.partly, self.noun)}"] if self.partly else []
        return (*lines, *(f"{one.number:,} x {one.said}: {one.detail}" for one in self.left))

    @property
    def objects_text(self) -> str:
        """How many objects the plan had, with their noun: `2,000 customers`."""
        return several(self.counts["read"], self.noun)

    def _title(self) -> str:
        return f"Undo of {self.undone}"

    def _verdict(self) -> str:
        if self.status != "complete":
            return Summary._verdict(self)
        if not self.exit_code:
            return "Finished: all that the run did has been taken back."
        return "Finished, but not everything could be taken back."

    def _outcomes(self) -> list[tuple[str, int]]:
        return list(self.outcomes.items())

    def _told(self) -> list[str]:
        parts = [f"{number:,} {said}" for said, number in self.outcomes.items()]
        told = f"Of {self.objects_text}: {', '.join(parts)}." if parts else "Nothing to do."
        rows = "\n".join(f"| {one.said} | {one.number:,} | {shown_cell(one.detail)} |" for one in self.left)
        return [told, *([f"| outcome | objects | for example |\n|---|---:|---|\n{rows}"] if rows else [])]


def publish_undo(run: RunFolder, plan: PlanCounts, undone: str, stop: Stop, common: Mapping[str, Any]) -> UndoReport:
    """Write `undo.ndjson`, and return the report of an undo; `common` has what every summary contains.

    If the file cannot be written, the report says so.
    """
    found: Mapping[str, int] = {}
    left: tuple[LeftObjects, ...] = ()
    later: str | None = None
    partly, files = 0, {}
    problem: BulkgladlyError | None = None
    try:
        found = count_by_word(run.path)
        with reading(run.path / "journal.sqlite") as connection:
            left, partly = _left_in(connection)
            later = _later_run(connection)
            files = {UNDO_FILE: about_file(publish_lines(run.path / UNDO_FILE, _lines(connection)))}
    except BulkgladlyError as error:
        problem = error
    counts = {"read": plan.objects, **{word: found.get(word, 0) for word in COUNT_WORDS}}
    counts["unprocessed"] = plan.objects - sum(found.values())
    end = _ending(stop, counts, partly, problem)
    return UndoReport(
        **common,
        **end._asdict(),
        counts=counts,
        outcomes=said_of(counts),
        undone=undone,
        noun=plan.noun,
        partly=partly,
        already=plan.already,
        left=left,
        files=files,
        rejects_by_code={one.code: one.number for one in left if one.said == SAID[Word.REJECTED]},
        next_commands=_next_commands(run, end, undone, later),
    )


def _ending(stop: Stop, counts: Mapping[str, int], partly: int, problem: BulkgladlyError | None) -> Ending:
    code = stop.exit_code
    if code not in (None, 3, 10):
        return Ending(status_of(code), code, stop.reason)
    if problem is not None:
        return Ending("failed", problem.exit_code, str(problem))
    # A run that was told to stop after its last object is complete all the same.
    if counts["unprocessed"]:
        return Ending(status_of(code or 10), code or 10, stop.reason)
    is_whole = not partly and not any(counts[word] for word in (Word.SKIPPED, Word.REJECTED, Word.UNKNOWN))
    return Ending("complete", 0 if is_whole else 1, stop.reason)


def _left_in(connection: sqlite3.Connection) -> tuple[tuple[LeftObjects, ...], int]:
    rows = list(connection.execute(_LEFT))
    partly = sum(number for _, code, number, _ in rows if code == PARTLY)
    told = [
        LeftObjects("restored in part" if code == PARTLY else SAID[word], code, number, detail or "")
        for word, code, number, detail in rows
    ]
    return tuple(told), partly


def _lines(connection: sqlite3.Connection) -> Iterator[bytes]:
    for gladly_id, key, word, code, fields, detail, status in connection.execute(_LINES):
        line = {
            "gladly_id": gladly_id,
            "key": key,
            "outcome": "restored in part" if code == PARTLY else SAID[word],
            "code": code,
            "left_fields": fields,
            "detail": detail,
            "status": status,
        }
        yield orjson.dumps({name: value for name, value in line.items() if value is not None})


def _later_run(connection: sqlite3.Connection) -> str | None:
    """Return a run that has to be undone first, so that what was kept because of it can be taken back."""
    row = connection.execute(_LATER).fetchone()
    return None if row is None else str(row[0]).removesuffix(" first").rpartition(" ")[2]


def _next_commands(run: RunFolder, end: Ending, undone: str, later: str | None) -> tuple[str, ...]:
    if end.status != "complete":
        return (resume_command(run),)
    names = () if later is None else (later, undone)
    undos = tuple(next_command("undo", name, state_dir=run.state_dir, connects=True) for name in names)
    return (*undos, next_command("runs", "show", run.name, state_dir=run.state_dir))
