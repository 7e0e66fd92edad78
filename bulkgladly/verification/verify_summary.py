"""The end of a verification: the table of verdicts, and the report that says what Gladly holds."""

from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

from bulkgladly.errors import BulkgladlyError, InputError
from bulkgladly.files.inputs import Inputs
from bulkgladly.gladly.spec import ImportSpec
from bulkgladly.imports.run_findings import about_file, names_of_inputs
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.journal.verdicts import NOT_SAMPLED, VERDICT_WORDS, RowVerdict, verdicts_of
from bulkgladly.records import Mark, Position
from bulkgladly.runs.summary import Ending, Summary, status_of
from bulkgladly.verification.verify_next_steps import commands_after
from bulkgladly.verification.verify_options import VerifyOptions
from bulkgladly.verification.verify_page import VERIFY_TABLE, DifferingField, Samples, detail_lines, story_of
from bulkgladly.verification.verify_sample import confidence_text
from bulkgladly.verification.verify_table import write_verdicts

__all__ = ("VerifyClosing", "VerifyReport", "publish_verdicts")

DIFFERENCES = 6
_UNREADABLE = 1
_BUG = 70
_READ_ROWS = 1000
_LOOKED_AT = ("equal", "different", "missing", "merged", "unreadable")


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport(Summary):
    """What Gladly was seen to hold, in all sessions of a verification. `report.json` and `--json` hold the same.

    `counts` has `read`, one entry for each verdict, and `unprocessed`. `differing` counts the rows that Gladly does not
    hold as the file says: different, missing, and merged into a customer who lacks something. `fields` has the
    differences field by field, `codes` the reasons of rows that could not be read or were not sent, `samples` a few
    places for each verdict. `unverified` counts the rows with a field that Gladly does not show. `sample_says` is what
    a sample says about all rows; empty if all were compared.
    """

    things: ClassVar[str] = "rows"
    words: ClassVar[tuple[str, ...]] = (*VERDICT_WORDS, "unprocessed")

    differing: int = 0
    fields: tuple[DifferingField, ...] = ()
    codes: Mapping[str, int] = field(default_factory=dict)
    samples: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unverified: Mapping[str, int] = field(default_factory=dict)
    sample_says: str = ""
    verified_run: str | None = None
    is_masked: bool = True

    @property
    def details(self) -> tuple[str, ...]:
        """Lines for people, besides counts and files."""
        return detail_lines(self)

    def _title(self) -> str:
        what = self.verified_run or " and ".join(name.rpartition("/")[2] for name in self.inputs) or self.run
        return f"{self.resource} in {self.host} compared with {what}"

    def _verdict(self) -> str:
        if self.status != "complete":
            return Summary._verdict(self)
        if self.differing:
            return "Finished: Gladly does not hold everything as the file says."
        if self.counts["unreadable"]:
            return "Finished: no difference was found, but not every row could be read."
        return "Finished: Gladly holds what the file says."

    def _told(self) -> list[str]:
        return story_of(self)


class VerifyClosing(NamedTuple):
    """How a session ended, as far as the journal and the stop know.

    `exit_code` None means the end of the input. `read_rows` is how many rows the input has, if it was read to its end;
    `chosen` how many of them a sample by number has.
    """

    exit_code: int | None
    reason: str | None
    mark: Mark
    read_rows: int | None
    chosen: int | None
    not_sampled: int


class _VerdictTally:
    """Counts verdicts while they are written to the table, and keeps a few samples; memory is flat."""

    def __init__(self, samples: Samples) -> None:
        self.samples = samples
        self.words: Counter[str] = Counter()
        self.codes: Counter[str] = Counter()
        self.unverified: Counter[str] = Counter()
        self.differing = 0
        self.first: Position | None = None
        """Where the first row stands that Gladly does not hold as it says."""

    def take(self, one: RowVerdict) -> RowVerdict:
        self.words[one.word] += 1
        is_different = one.word in ("different", "missing") or (one.word == "merged" and bool(one.fields))
        self.differing += is_different
        if is_different and self.first is None:
            self.first = one.position
        if one.code is not None and one.word in ("unreadable", "not_sent"):
            self.codes[one.code] += 1
        if one.word in ("equal", "different", "merged"):
            self.unverified.update(one.unverified)
        self.samples.take(one)
        return one


def publish_verdicts(
    folder: RunFolder,
    inputs: Inputs,
    spec: ImportSpec,
    options: VerifyOptions,
    ending: VerifyClosing,
    common: Mapping[str, Any],
) -> VerifyReport:
    """Write `verify.parquet`, and return the report; `common` has what every summary contains.

    If the table cannot be written, the report says so.
    """
    names = names_of_inputs(folder)
    tally = _VerdictTally(Samples(names, show_values=options.show_values))
    files: Mapping[str, Mapping[str, Any]] = {}
    problem: BulkgladlyError | None = None
    try:
        verdicts = map(tally.take, verdicts_of(folder.path))
        table = write_verdicts(folder.path / VERIFY_TABLE, verdicts, names)
        files = {VERIFY_TABLE: about_file(table)}
        read = _rows_in(inputs, ending)
    except BulkgladlyError as error:
        problem, read = error, tally.words.total()
    counts = _counts(tally.words, read, ending)
    end = _ending(ending, counts, tally.differing, problem)
    looked_at = sum(counts[word] for word in _LOOKED_AT)
    population = looked_at + counts[NOT_SAMPLED]
    # A sample that is not whole has the first rows of the input, which say nothing about the last ones.
    is_whole = bool(options.sample) and end.status == "complete"
    says = confidence_text(tally.differing, looked_at - counts["unreadable"], population) if is_whole else ""
    return VerifyReport(
        **common,
        **end._asdict(),
        counts=counts,
        files=files,
        inputs=names,
        settings={"sample": options.sample} if options.sample else {},
        differing=tally.differing,
        fields=tally.samples.fields(),
        codes=dict(tally.codes.most_common()),
        samples=tally.samples.places(),
        unverified=dict(tally.unverified.most_common()),
        sample_says=says,
        verified_run=options.run,
        is_masked=not options.show_values,
        next_commands=commands_after(folder, spec, options, end, counts, tally.first),
    )


def _rows_in(inputs: Inputs, ending: VerifyClosing) -> int:
    """Return how many rows the input has; it is read to its end if no session has done so."""
    if ending.read_rows is not None:
        return ending.read_rows
    read = ending.mark.seq
    with closing(inputs.batches(ending.mark, size=_READ_ROWS)) as batches:
        for rows in batches:
            read = rows[-1].seq + 1
    return read


def _counts(words: Mapping[str, int], read: int, ending: VerifyClosing) -> dict[str, int]:
    counts = {word: words.get(word, 0) for word in VERDICT_WORDS}
    counts[NOT_SAMPLED] = ending.not_sampled
    left = max(0, read - sum(counts.values()))
    if ending.chosen is not None and ending.read_rows is not None:
        # Of a sample by number it is known only now which rows do not belong to it.
        counts[NOT_SAMPLED] = left - max(0, ending.chosen - sum(counts[word] for word in _LOOKED_AT))
    return {"read": read, **counts, "unprocessed": read - sum(counts.values())}


def _ending(
    ending: VerifyClosing, counts: Mapping[str, int], differing: int, problem: BulkgladlyError | None
) -> Ending:
    """Return how the run ended. What could not be read counts before differences, as nothing is proved then."""
    if ending.exit_code not in (None, 10):
        return Ending(status_of(ending.exit_code), ending.exit_code, ending.reason)
    if problem is not None and not isinstance(problem, InputError):
        return Ending("failed", problem.exit_code, str(problem))
    if counts["unprocessed"]:
        if ending.exit_code is None:
            return Ending("failed", _BUG, "some rows have no verdict although all were read; please report this bug")
        return Ending(status_of(ending.exit_code), ending.exit_code, ending.reason)
    if problem is not None:
        return Ending("failed", problem.exit_code, str(problem))
    code = _UNREADABLE if counts["unreadable"] else DIFFERENCES if differing else 0
    return Ending("complete", code, ending.reason)
