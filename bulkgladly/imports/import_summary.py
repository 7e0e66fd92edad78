"""The end of an import: the result files, the check that all rows are accounted for, and the report."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bulkgladly.commands import next_command
from bulkgladly.errors import BulkgladlyError, InputChanged, InputError
from bulkgladly.files.inputs import Inputs
from bulkgladly.gladly.table import IMPORTS
from bulkgladly.imports.missing_keys import MISSING, MissingKeys, write_missing
from bulkgladly.imports.result_tables import REJECTED_TABLE, WARNINGS, write_tables
from bulkgladly.imports.retry_rows import RejectKinds, corrected_import, import_again, kinds_of_rejects
from bulkgladly.journal.reject_memory import RejectNews, RejectPlace, RunScope, compare_rejects
from bulkgladly.journal.results import ResultFile, count_by_word, count_dropped, rejects_by_code, write_results
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.records import Mark, Row, Word, place_of_row
from bulkgladly.runs.observer import counted, duration_text
from bulkgladly.runs.summary import COUNT_WORDS, Ending, Summary, resume_command, status_of, table_of
from bulkgladly.shown import MOST_NAME, shown, shown_cell

__all__ = (
    "Closing",
    "Report",
    "publish",
)


READ_ROWS = 1000
_BUG = 70
_TOO_MANY_REJECTS = 3
_ARRIVED = (Word.CREATED, Word.UPDATED, Word.DELETED, Word.UNCHANGED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report(Summary):
    """What an import did, in all its sessions together. `report.json` and `--json` hold the same.

    `rejects_by_code` counts the rejects by the code of their problem; `files` has the result files by name.
    `dropped_values` counts the values that records were sent without, and `rows_to_correct` the rejects that would be
    rejected again as they are. `rejected_before` are the rejects that an earlier run had for the same reason,
    `rejected_new` the others, and `new_rejects` the places of the first of these. `missing` counts what earlier runs
    have sent and a complete input lacks (None if it was not called complete, or not read to its end); some of that may
    be in the `rejects_without_key`. The rest is as in every summary.
    """

    dropped_values: int = 0
    rows_to_correct: int = 0
    rejected_before: int = 0
    rejected_new: int = 0
    new_rejects: tuple[str, ...] = ()
    missing: int | None = None
    rejects_without_key: int = 0

    @property
    def details(self) -> tuple[str, ...]:
        """Lines for people, besides counts and files."""
        codes = [f"{number:>9,} x {shown(code, MOST_NAME)}" for code, number in self.rejects_by_code.items()]
        if self.rejected_before:
            new = f"{self.rejected_new:,}" if self.rejected_new else "none"
            codes.append(f"{self.rejected_before:,} rejected as last time, {new} new")
            codes += [f"    new: {place}" for place in self.new_rejects]
        if self.missing is not None:
            codes.append(self._missing_text(self.missing))
        if self.dropped_values:
            codes.append(f"{counted(self.dropped_values, 'value')} dropped, because not valid; see {WARNINGS}")
        if self.rows_to_correct:
            table = next((name for name in (REJECTED_TABLE, "rejected.ndjson") if name in self.files), "")
            codes.append(f"{counted(self.rows_to_correct, 'reject')} to correct: edit {table}, then import it")
        return tuple(codes)

    def _missing_text(self, missing: int) -> str:
        if not missing:
            return "nothing is missing: the files have all that earlier runs have sent"
        doubt = f" ({counted(self.rejects_without_key, 'rejected row')} without a key may be among them)"
        are = "is" if missing == 1 else "are"
        told = f"{counted(missing, 'record')} of earlier runs {are} not in these files; see {MISSING}"
        return told + (doubt if self.rejects_without_key else "")

    def as_dict(self) -> dict[str, Any]:
        """Return the report in the form of `report.json`."""
        return {**Summary.as_dict(self), "requests_per_second": round(self.per_second, 3)}

    def _told(self) -> list[str]:
        reason = shown_cell(self.reason or "please report this as a bug")
        return ["All rows are accounted for." if self.adds_up else f"Not all rows are accounted for ({reason})."]

    def _tables(self) -> list[str]:
        codes = [(shown_cell(code), number) for code, number in self.rejects_by_code.items()]
        files = "\n".join(
            f"| {name} | {about['rows']:,} | `{about['blake2b']}` |" for name, about in self.files.items()
        )
        return [
            *([table_of(("reject", "records"), codes)] if codes else []),
            f"| file | rows | BLAKE2b |\n|---|---:|---|\n{files}",
        ]

    def _effort(self) -> str:
        waits = "".join(
            f"; waited {duration_text(span)}: {shown_cell(reason)}" for reason, span in self.waits_s.items()
        )
        return f"{Summary._effort(self)}, {self.per_second:.2f} requests a second{waits}"


@dataclass(frozen=True, slots=True)
class Closing:
    """How a session ended, as far as the journal and the stop know.

    `exit_code` None means the end of the input. `counts` are the outcomes in the journal, `digests` the hashes of the
    inputs that this session read. `scope` says with which runs the rejects are compared, and `fail_on` which of them
    count in the exit code. With `is_complete`, the input is all there is.
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


def publish(folder: RunFolder, inputs: Inputs, ending: Closing, common: Mapping[str, Any]) -> Report:
    """Write the result files of a run, and return its report; `common` has what every summary contains.

    To count the rows, the input is read from the low-water mark to its end. That is independent of the outcomes that
    the number is compared with. If the files cannot be written, the report says so.
    """
    rest = _Rest(inputs, ending)
    names = [str(file.path) for file in inputs.files]
    by_word, by_code = ending.counts, dict[str, int]()
    files: list[ResultFile] = []
    dropped = 0
    problem: BulkgladlyError | None = None
    try:
        by_word, by_code = count_by_word(folder.path), rejects_by_code(folder.path)
        files = write_results(folder.path, names, rest) + write_tables(folder.path, inputs)
        dropped = count_dropped(folder.path)
    except BulkgladlyError as error:
        problem = error
        rest.finish()
    counts = {word: by_word.get(word, 0) for word in COUNT_WORDS}
    counts["unprocessed"] = rest.unprocessed
    is_other = list(ending.digests) != [item.digest for item in folder.header().inputs]
    kinds = kinds_of_rejects(folder) if problem is None else RejectKinds(0, 0)
    news = _news_of(folder, ending.scope, counts[Word.REJECTED])
    failing = {"any": counts[Word.REJECTED], "new": news.new, "none": 0}[ending.fail_on] + counts[Word.UNKNOWN]
    end = _verdict(
        ending, {"read": rest.read, **counts}, problem or rest.problem, is_other_input=is_other, failing=failing
    )
    gone, end = _missing(folder, ending, end)
    files += [gone.file] if gone is not None and gone.file is not None else []
    return Report(
        **common,
        **end._asdict(),
        counts={"read": rest.read, **counts},
        files={Path(file.path).name: _about(file) for file in files},
        rejects_by_code=by_code,
        dropped_values=dropped,
        rows_to_correct=kinds.to_correct,
        rejected_before=news.as_before,
        rejected_new=news.new,
        new_rejects=tuple(_told_reject(inputs, one) for one in news.examples),
        missing=None if gone is None else gone.number,
        rejects_without_key=0 if gone is None else gone.nameless,
        next_commands=_next_commands(folder, end, counts, kinds, by_code),
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
        return write_missing(folder.path, ending.scope), end
    except BulkgladlyError as error:
        return None, Ending("failed", error.exit_code, str(error))


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
        self.problem: InputError | None = None
        """Why the input could not be read to its end; the report covers the rows before."""

    def __iter__(self) -> Iterator[Row]:
        try:
            for rows in self._batches:
                self.read = rows[-1].seq + 1
                open_rows = [row for row in rows if not self._ending.is_settled(row.seq)]
                self.unprocessed += len(open_rows)
                yield from open_rows
        except InputError as error:
            self.problem = error

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


def _next_commands(
    folder: RunFolder, end: Ending, counts: Mapping[str, int], kinds: RejectKinds, by_code: Mapping[str, int]
) -> tuple[str, ...]:
    """Return what to run next: what helps against the reason why the run ended, and never what ends in the same way."""
    commands = []
    needs_region = "phone_region" in by_code and not folder.header().settings.get("phone_region")
    if end.status != "complete":
        if end.exit_code == _TOO_MANY_REJECTS:
            # The options of a run stay as they are, so that to resume leads into the same rejects.
            commands.append(import_again(folder, *(("--phone-region", "COUNTRY") if needs_region else ())))
        commands.append(resume_command(folder))
    elif counts[Word.REJECTED] or (counts[Word.UNKNOWN] and not _is_at_most_once(folder)):
        has_helped = folder.header().parent is None or any(counts[word] for word in _ARRIVED)
        if kinds.may_pass and (has_helped or counts[Word.UNKNOWN]):
            region = ("--phone-region", "COUNTRY") if needs_region else ()
            retry = next_command("retry", folder.name, *region, state_dir=folder.state_dir, connects=True)
            commands.append(retry)
        if kinds.to_correct or not commands:
            commands.append(corrected_import(folder)[1])
    commands.append(next_command("runs", "show", folder.name, state_dir=folder.state_dir))
    return tuple(commands)


def _is_at_most_once(folder: RunFolder) -> bool:
    """Tell whether a retry would leave out rows with an unknown outcome, since they may have been sent."""
    spec = IMPORTS.get(folder.header().resource)
    return spec is not None and spec.is_at_most_once


def _about(file: ResultFile) -> dict[str, Any]:
    return {"path": file.path, "rows": file.rows, "bytes": file.size, "blake2b": file.digest}
