"""The end of an import: the result files, the check that all rows are accounted for, and the report."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bulkgladly.choices import Missing
from bulkgladly.errors import BulkgladlyError, InputChanged, InputError
from bulkgladly.files.inputs import Inputs
from bulkgladly.imports.import_page import Reason, detail_lines, story_of, title_of
from bulkgladly.imports.missing_keys import MISSING, MissingKeys, is_above, why_none_deleted, write_missing
from bulkgladly.imports.next_steps import commands_after
from bulkgladly.imports.retry_rows import RejectKinds, kinds_of_rejects
from bulkgladly.imports.run_findings import RunFindings, about_file, findings_in, names_of_inputs, settings_told
from bulkgladly.journal.reject_groups import rows_before
from bulkgladly.journal.reject_memory import RejectNews, RejectPlace, RunScope, compare_rejects
from bulkgladly.journal.results import count_by_word
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.records import Mark, Position, Row, Word, place_of_row
from bulkgladly.runs.observer import duration_text
from bulkgladly.runs.summary import COUNT_WORDS, Ending, Summary, status_of, table_of
from bulkgladly.shown import shown_cell

__all__ = (
    "Closing",
    "Report",
    "publish",
)


READ_ROWS = 1000
_SHARE_LIMIT = 3
_BUG = 70


@dataclass(frozen=True, slots=True, kw_only=True)
class Report(Summary):
    """What an import did, in all its sessions together. `report.json` and `--json` hold the same.

    `rejects_by_code` counts the rejects by the code of their problem, `reasons` says the same for people, with the
    first places; `skipped_by_code` counts what was passed over. `rows` are the rows of the input, of which a mapping
    may make more records than `counts["read"]`; 0 if they were not counted. `repeats` counts records that have the
    key of another one and arrived. `dropped_values` counts the values that records were sent without, and
    `rows_to_correct` the rejects that would be rejected again as they are. `rejected_before` are the rejects that an
    earlier run had for the same reason, `rejected_new` the others, and `new_rejects` the places of the first of these.
    `missing` counts what earlier runs have sent and a complete input lacks (None if it was not called complete, or not
    read to its end); some of that may be in the `rejects_without_key`. With `--missing delete`, `missing_to_delete`
    is how much of it imports have created, and `missing_deleted` what the run `missing_run` has deleted of that;
    `missing_kept` stayed, because it may be somebody else's by now. `missing_left` stayed in earlier deletions, and was
    not looked at again, because with it more than the limit would be missing.
    `baseline` says what a data set was worth for the rows of the last session. `plan_applied` is the folder of the
    plan that the run applies. `files` has the result files by name. The rest is as in every summary.
    """

    rows: int = 0
    reasons: tuple[Reason, ...] = ()
    skipped_by_code: Mapping[str, int] = field(default_factory=dict)
    repeats: int = 0
    dropped_values: int = 0
    dropped_by_field: Mapping[str, int] = field(default_factory=dict)
    rows_to_correct: int = 0
    rejected_before: int = 0
    rejected_new: int = 0
    new_rejects: tuple[str, ...] = ()
    missing: int | None = None
    rejects_without_key: int = 0
    missing_to_delete: int = 0
    missing_deleted: int | None = None
    missing_kept: int = 0
    missing_left: int = 0
    missing_run: str | None = None
    baseline: Mapping[str, Any] | None = None
    plan_applied: str | None = None

    @property
    def details(self) -> tuple[str, ...]:
        """Lines for people, besides counts and files."""
        return detail_lines(self)

    def as_dict(self) -> dict[str, Any]:
        """Return the report in the form of `report.json`."""
        return {**Summary.as_dict(self), "requests_per_second": round(self.per_second, 3)}

    def _verdict(self) -> str:
        if self.status == "complete" and self.exit_code == _SHARE_LIMIT:
            return f"Finished, but nothing was deleted: {shown_cell(self.reason or '').rstrip('.')}."
        return Summary._verdict(self)

    def _title(self) -> str:
        return title_of(self)

    def _told(self) -> list[str]:
        return story_of(self)

    def _tables(self) -> list[str]:
        codes = [(shown_cell(code), number) for code, number in self.rejects_by_code.items()]
        files = "\n".join(
            f"| {name} | {about['rows']:,} | `{about['blake2b']}` |"
            for name, about in self.files.items()
            if about["rows"]
        )
        return [
            *(["All rows are accounted for."] if self.adds_up else []),
            *([table_of(("reject", "records"), codes)] if codes else []),
            *([f"| file | rows | BLAKE2b |\n|---|---:|---|\n{files}"] if files else []),
        ]

    def _effort(self) -> str:
        waits = "".join(
            f"; waited {duration_text(span)}: {shown_cell(reason)}"
            for reason, span in self.waits_s.items()
            if span >= 1
        )
        return f"{Summary._effort(self)}, {self.per_second:.2f} requests a second{waits}"


@dataclass(frozen=True, slots=True)
class Closing:
    """How a session ended, as far as the journal and the stop know.

    `exit_code` None means the end of the input. `counts` are the outcomes in the journal, `digests` the hashes of the
    inputs that this session read. `scope` says with which runs the rejects are compared, and `fail_on` which of them
    count in the exit code. With `is_complete`, the input is all there is; `missing` and `missing_limit` say what is
    done about records that it lacks.
    """

    exit_code: int | None
    reason: str | None
    mark: Mark
    is_settled: Callable[[int], bool]
    counts: Mapping[str, int]
    digests: Sequence[str]
    scope: RunScope | None = None
    fail_on: str = "any"
    is_complete: bool = False
    missing: str = "tell"
    missing_limit: float = 1.0
    baseline: Mapping[str, Any] | None = None


def publish(folder: RunFolder, inputs: Inputs, ending: Closing, common: Mapping[str, Any]) -> Report:
    """Write the result files of a run, and return its report; `common` has what every summary contains.

    To count the rows, the input is read from the low-water mark to its end. That is independent of the outcomes that
    the number is compared with. If the files cannot be written, the report says so.
    """
    rest = _Rest(inputs, ending)
    by_word, found = ending.counts, RunFindings()
    problem: BulkgladlyError | None = None
    try:
        by_word, found = count_by_word(folder.path), findings_in(folder.path, inputs, rest, rest.rows)
    except BulkgladlyError as error:
        problem = error
        rest.finish()
    counts = {word: by_word.get(word, 0) for word in COUNT_WORDS}
    counts["unprocessed"] = rest.unprocessed
    header = folder.header()
    is_other = list(ending.digests) != [item.digest for item in header.inputs]
    kinds = kinds_of_rejects(folder) if problem is None else RejectKinds(0, 0)
    news = _news_of(folder, ending.scope, counts[Word.REJECTED])
    failing = {"any": counts[Word.REJECTED], "new": news.new, "none": 0}[ending.fail_on] + counts[Word.UNKNOWN]
    end = _verdict(
        ending, {"read": rest.read, **counts}, problem or rest.problem, is_other_input=is_other, failing=failing
    )
    gone, end = _missing(folder, ending, end)
    if gone is not None and gone.file is not None:
        found = found._replace(files={**found.files, MISSING: about_file(gone.file)})
    return Report(
        **common,
        **end._asdict(),
        **found._asdict(),
        counts={"read": rest.read, **counts},
        rows_to_correct=kinds.to_correct,
        rejected_before=news.as_before,
        rejected_new=news.new,
        new_rejects=tuple(_told_reject(inputs, one) for one in news.examples),
        missing=None if gone is None else gone.number,
        rejects_without_key=0 if gone is None else gone.nameless,
        missing_to_delete=_to_delete(ending, end, gone),
        missing_left=gone.ours_kept if gone is not None and _may_delete(ending, end) else 0,
        baseline=ending.baseline,
        plan_applied=None if header.plan is None else str(header.plan),
        inputs=names_of_inputs(folder),
        settings=settings_told(folder),
        next_commands=commands_after(folder, end, counts, kinds, found.rejects_by_code),
    )


def _news_of(folder: RunFolder, scope: RunScope | None, rejected: int) -> RejectNews:
    """Compare the rejects with those of earlier runs. If these cannot be read, all rejects are new."""
    if not rejected or scope is None:
        return RejectNews(new=rejected)
    try:
        return compare_rejects(folder.path, scope)
    except BulkgladlyError:
        return RejectNews(new=rejected)


def _missing(folder: RunFolder, ending: Closing, end: Ending) -> tuple[MissingKeys | None, Ending]:
    """Write what a complete input lacks. If that cannot be written, the run is not complete; a resume writes it."""
    if not ending.is_complete or end.status != "complete" or ending.scope is None:
        return None, end
    try:
        gone = write_missing(folder.path, ending.scope)
        if ending.missing != Missing.DELETE or not gone.number:
            return gone, end
        # What earlier deletions have kept is missing every night: it makes no good night a bad one.
        why = why_none_deleted(folder.path, ending.scope, gone.number - gone.kept, ending.missing_limit)
        if why is None and not is_above(gone.number, folder.path, ending.scope, ending.missing_limit):
            gone = gone._replace(ours_kept=0)
        return gone, end if why is None else Ending("complete", _SHARE_LIMIT, why)
    except BulkgladlyError as error:
        return None, Ending("failed", error.exit_code, str(error))


def _to_delete(ending: Closing, end: Ending, gone: MissingKeys | None) -> int:
    """Return how many missing records are to be deleted; 0 if that was not asked for, or a limit forbids it."""
    return gone.ours - gone.ours_kept if gone is not None and _may_delete(ending, end) else 0


def _may_delete(ending: Closing, end: Ending) -> bool:
    return ending.missing == Missing.DELETE and end.status == "complete" and end.exit_code != _SHARE_LIMIT


def _told_reject(inputs: Inputs, reject: RejectPlace) -> str:
    field = f" ({reject.attr})" if reject.attr else ""
    return f"{place_of_row(inputs.names[reject.file], reject.number)}: {reject.code}{field}"


class _Rest:
    """Yields the rows without an outcome; counts them, and all rows."""

    def __init__(self, inputs: Inputs, ending: Closing) -> None:
        self._ending = ending
        self._batches = inputs.batches(ending.mark, size=READ_ROWS)
        self.unprocessed = 0
        self.read = ending.mark.seq
        self._is_one_to_one = inputs.is_one_to_one
        self._rows = 0
        self._first: Position | None = None
        self._last: Position | None = None
        self.problem: InputError | None = None
        """Why the input could not be read to its end; the report covers the rows before."""

    def __iter__(self) -> Iterator[Row]:
        try:
            for rows in self._batches:
                self.read = rows[-1].seq + 1
                self._count(rows)
                open_rows = [row for row in rows if not self._ending.is_settled(row.seq)]
                self.unprocessed += len(open_rows)
                yield from open_rows
        except InputError as error:
            self.problem = error

    def _count(self, rows: Sequence[Row]) -> None:
        if self._is_one_to_one:
            return
        for row in rows:
            if row.position != self._last:
                self._first, self._last = self._first or row.position, row.position
                self._rows += 1

    def rows(self, folder: Path) -> int:
        """Return how many rows of input there are; call it when all were yielded.

        Raises:
            JournalDamaged, JournalError: The journal cannot be read.
        """
        if self._is_one_to_one:
            return self.read
        number, last = rows_before(folder, self._ending.mark.seq)
        # The records of one row may be on both sides of the mark.
        return number + self._rows - (last is not None and last == self._first)

    def finish(self) -> None:
        """Count the rows that nobody has asked for."""
        for _ in self:
            pass


def _verdict(
    ending: Closing,
    counts: Mapping[str, int],
    problem: BulkgladlyError | None,
    *,
    is_other_input: bool,
    failing: int,
) -> Ending:
    """Return how a run ended. It is complete only if every row that was read has an outcome.

    `problem` is why there are no result files, or why the input could not be read to its end. `failing` are the rows
    for which a complete run ends with exit code 1.
    """
    # Any other end (an outage, wrong credentials, a changed input) is the verdict, whatever the rows say.
    if ending.exit_code not in (None, 3, 10):
        return Ending(status_of(ending.exit_code), ending.exit_code, ending.reason)
    is_unread = isinstance(problem, InputError)
    if problem is not None and not is_unread:
        return Ending("failed", problem.exit_code, str(problem))
    is_accounted = not counts["unprocessed"] and counts["read"] == sum(counts[word] for word in COUNT_WORDS)
    # A run that was told to stop after its last row is complete all the same.
    if ending.exit_code == 3 or (ending.exit_code == 10 and not is_accounted):
        return Ending("stopped", ending.exit_code, ending.reason)
    if problem is not None:
        return Ending("failed", problem.exit_code, str(problem))
    if is_accounted:
        return Ending("complete", 1 if failing else 0, ending.reason)
    if is_other_input:
        reason = (
            f"the input has {counts['read']:,} rows, but the run also has outcomes of other rows: it is not the input "
            "that the run began with. Restore the old file and resume, or import the new one with --new-run"
        )
        return Ending("failed", InputChanged.exit_code, reason)
    reason = "some rows have no outcome although the run is complete; this is a bug, please report it"
    return Ending("failed", _BUG, reason)
