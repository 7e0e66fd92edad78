"""Judges every row offline, as an import would before it sends the row, in two passes.

The first reads all rows: a screen clears most of them, the others are judged one by one, and what must be unique or
must exist is kept as hashes. The second pass reads again only the rows whose hashes say that they may clash or refer
to an unknown object, and puts them through a ledger, so that the rules are those of an import.
"""

import datetime as dt
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import anyio.to_thread

from bulkgladly.checks.check_report import (
    CHECK_COUNTS,
    CheckReport,
    Findings,
    Severity,
    severity_of,
    severity_of_warning,
)
from bulkgladly.checks.claims import RowReference, Traits, arranged, traits_of
from bulkgladly.checks.date_screen import DateScreen
from bulkgladly.checks.digests import Digests
from bulkgladly.checks.judge import Judge, Screen, Verdict
from bulkgladly.checks.key_spellings import KeySpellings
from bulkgladly.checks.known_parents import Parents
from bulkgladly.checks.planned_keys import PlannedKeys
from bulkgladly.checks.two_pass import Pieces
from bulkgladly.checks.value_screen import ValueScreen
from bulkgladly.files.inputs import Inputs
from bulkgladly.gladly.spec import Draft, ImportSpec, Policy
from bulkgladly.imports.drafts import admission_of, outcome_of_clash, refuse_too_many
from bulkgladly.imports.forecast import Forecast, estimate_of, memory_text
from bulkgladly.imports.import_options import ImportOptions
from bulkgladly.imports.mapping_choice import droppable_targets, mapper_dropping
from bulkgladly.imports.overwriting import notes_on_owners
from bulkgladly.imports.preview import Previewer, PreviewRow, first_rows, place_in
from bulkgladly.imports.shared_keys import notes_on_keys
from bulkgladly.journal.entries import Standing
from bulkgladly.journal.ledger import Ledger
from bulkgladly.journal.state_reader import StateReader
from bulkgladly.mapping.mapper import Mapper
from bulkgladly.records import Problem, Row, Word
from bulkgladly.runs.environment import USUAL
from bulkgladly.runs.observer import Estimate

__all__ = ("RowChecker",)

_SHARED, _PARENTLESS, _SPELLED, _GONE = 1, 2, 4, 8


class RowChecker:
    """One check: `look_at_all`, then `look_again`, then `report`.

    - *first pass*: `look_at_all`, `_judged`, `_arrange`, `_note`
    - *second pass*: `look_again`, `_with_parents`, `_note_clash`
    - *result*: `report`, `samples`, `_estimates`, `_notes_on_keys`, `_move`
    """

    def __init__(
        self,
        spec: ImportSpec,
        policy: Policy,
        options: ImportOptions,
        inputs: Inputs,
        parents: Parents,
        folder: Path,
        findings: Findings,
        memory: StateReader | None,
    ) -> None:
        self._spec, self._policy, self._options, self._inputs = spec, policy, options, inputs
        self._parents, self._folder, self._findings = parents, folder, findings
        self._names = inputs.names
        self.planned: PlannedKeys | None = None
        """Takes the source keys of the rows that would be sent."""
        self._pieces = Pieces(inputs)
        self._screen = Screen(spec, policy, options.ignore_columns)
        droppable = droppable_targets(options.mapping, spec)
        key_name = inputs.expand.key_text if isinstance(inputs.expand, Mapper) else None
        self._judge = Judge(
            spec,
            policy,
            options.ignore_columns,
            droppable=droppable,
            expand=mapper_dropping(inputs.expand, droppable) if isinstance(inputs.expand, Mapper) else None,
            key_name=key_name,
        )
        self._kept_by_drop = 0
        self._memory = memory_text(options.state_dir / "state.sqlite", spec, policy.host, memory)
        preparer = self._judge.preparer
        self._forecast = None if memory is None else Forecast(spec, policy, preparer, memory, trusts_links=True)
        keys = [options.key, policy.key, *(field.name for field in spec.fields if field.key_of is not None)]
        self._values = ValueScreen(inputs, findings, keys=keys)
        self._dates = DateScreen(inputs.expand, findings)
        self._spellings = KeySpellings(folder / "spellings", policy.key, key_name)
        self._marks = Digests(folder / "marks")
        self._unlooked: Counter[str] = Counter()
        self._counts: Counter[str] = Counter()
        self._whole: list[Draft] = []

    def look_at_all(self) -> None:
        """Make the first pass: judge the rows that are not cleared, and keep what rows claim and refer to."""
        for rows in self._pieces.batches():
            if self._spec.arrange is not None:
                refuse_too_many(self._spec, self._pieces.rows, USUAL.bounds.rows_in_order)
            self._values.look(rows)
            self._dates.look(rows)
            if (column := self._spellings.column) is not None:
                for row in rows:
                    self._spellings.add(row.seq, None if row.fields is None else row.fields.get(column))
            cleared = self._screen.look(rows)
            self._counts["good"] += len(rows) - cleared.count(None)
            if self._forecast is not None:
                self._forecast.take_fine([row for row, one in zip(rows, cleared, strict=True) if one is not None])
            for row, traits in zip(rows, cleared, strict=True):
                found = self._judged(row) if traits is None else traits
                if found is not None:
                    self._note(row, found)
        # Flags are set only now, when all hashes are known: the second of two equal ones may be in the last row.
        self._arrange()
        self._pieces.flag(self._marks.shared(), _SHARED)
        self._pieces.flag(self._parents.rows_without(), _PARENTLESS)
        self._pieces.flag(self._spellings.rows(), _SPELLED)

    async def look_again(self) -> None:
        """Make the second pass, over the rows that may clash with others, in input order as in an import."""
        batches = self._pieces.flagged()
        place = self._folder / "clashes"
        place.mkdir()
        ledger = Ledger(place, state=place / "state.sqlite", scope=("", self._spec.name, ""))
        admitted = 0
        try:
            while (rows := await anyio.to_thread.run_sync(next, batches, None)) is not None:
                self._compare_spellings(rows)
                found = [one for row in rows if (one := self._with_parents(row)) is not None]
                # These rows may be far apart in the input. Numbers of their own let the ledger see no gaps.
                admissions = [
                    admission_of(record.row, record)._replace(seq=seq)
                    for seq, (record, _) in enumerate(found, admitted)
                ]
                for (record, verdict), standing in zip(found, await ledger.admit(admissions), strict=True):
                    self._note_clash(record, verdict, standing)
                ledger.pass_by(range(admitted, admitted + len(found)))
                admitted += len(found)
        finally:
            ledger.close()
        if self.planned is not None:
            self.planned.settle(lambda row: bool(self._pieces.flags(row) & _GONE))

    def report(self, started: float) -> CheckReport:
        """Return what was found. `started` is the time of the monotonic clock when the check began."""
        findings = self._findings.sorted()
        for example in (example for finding in findings for example in finding.examples):
            example.place = place_in(self._inputs, example.position)
        return CheckReport(
            resource=self._spec.name,
            mode=self._policy.mode.value,
            files=self._names,
            counts={"read": self._pieces.rows, **{word: self._counts[word] for word in CHECK_COUNTS}},
            findings=findings,
            not_judged={**self._parents.not_judged, **self._unlooked},
            estimates=self._estimates(),
            memory=self._memory,
            seconds=time.monotonic() - started,
            notes=(*self._inputs.notes, *self._notes_on_keys(), *notes_on_owners(self._options)),
            kept_by_drop=self._kept_by_drop,
        )

    def _notes_on_keys(self) -> list[str]:
        paths = [str(file.path.absolute()) for file in self._inputs.files]
        return notes_on_keys(self._spec, self._policy.host, self._options, paths)

    def samples(self, most: int) -> Sequence[PreviewRow]:
        """Return the first rows with their records."""
        expand = self._inputs.expand if isinstance(self._inputs.expand, Mapper) else None
        previewer = Previewer(self._spec, self._options, self._judge.preparer, expand, self._inputs)
        return [previewer.shown(row) for row in first_rows(self._inputs, most)]

    def _estimates(self) -> dict[str, Estimate]:
        """Return the estimates by mode. Only that of the chosen mode knows what earlier runs have sent."""
        to_send = sum(self._counts[word] for word in ("good", "depends", "changed"))
        pace = self._options.pace.foreseen(dt.datetime.now(dt.UTC))
        policies = {mode: replace(self._policy, mode=mode) for mode in self._spec.procedures}
        found = {mode.value: estimate_of(self._spec, policy, to_send, pace) for mode, policy in policies.items()}
        if self._forecast is not None:
            found[self._policy.mode.value] = self._forecast.estimate(pace)
        return found

    def _judged(self, row: Row) -> Traits | None:
        """Judge a row, and return its traits if it would be sent."""
        verdict = self._judge.verdict(row)
        self._counts[_fate_of(verdict)] += 1
        if verdict.record is None:
            # A row that cannot be read has no values that could be left out.
            is_keepable = row.problem is None or row.source is not None
            is_keepable = (
                is_keepable and verdict.problems[0].word is not Word.SKIPPED and self._judge.could_be_kept(row)
            )
            self._kept_by_drop += is_keepable
            self._findings.note(row, verdict.problems, is_keepable=is_keepable)
            return None
        if self._forecast is not None:
            self._forecast.take(verdict.record)
        for gone in verdict.record.row.dropped:
            self._findings.note(row, [Problem(gone.code, gone.detail, gone.field)], Severity.DROPPED)
        for problem in verdict.warnings:
            self._findings.note(row, [problem], severity_of_warning(problem))
        if self._spec.arrange is None:
            return traits_of(self._spec, verdict.record)
        # Such rows may name each other in any order, so all of them must be there before one can be judged.
        self._whole.append(verdict.record)
        return None

    def _arrange(self) -> None:
        """Put rows that refer to each other into the order of an import."""
        good, circular = arranged(self._spec, self._whole)
        own = {record.key for record in good}
        self._parents.add_own(self._spec.name, own)
        for record in good:
            traits = traits_of(self._spec, record)
            others = [one for one in traits.references if one.resource != self._spec.name or one.text not in own]
            self._note(record.row, traits._replace(references=tuple(others)))
        for record, problem in circular:
            self._findings.note(record.row, [problem])
            self._move(record, Severity.REFUSED.value)
        self._whole = []

    def _note(self, row: Row, traits: Traits) -> None:
        marks, references, names = traits
        self._marks.add(row.seq, marks)
        if self.planned is not None:
            self.planned.add(row)
        if references:
            self._parents.want(row.seq, references)
        for kind, _ in names:
            self._unlooked[f"{kind} by name"] += 1

    def _with_parents(self, row: Row) -> tuple[Draft, Verdict] | None:
        """Return the record of a row again, unless the row refers to an unknown object."""
        verdict = self._judge.verdict(row)
        record = verdict.record
        if record is None:  # the file has changed between the two passes
            return None
        if self._pieces.flags(row.seq) & _PARENTLESS:
            references = traits_of(self._spec, record).references
            if problems := [_parentless(one) for one in self._parents.missing(references)]:
                self._findings.note(row, problems)
                self._move(record, Severity.REFUSED.value, verdict)
                self._pieces.flag([row.seq], _GONE)
                return None
        return record, verdict

    def _compare_spellings(self, rows: Sequence[Row]) -> None:
        for row in rows:
            if self._pieces.flags(row.seq) & _SPELLED and row.fields is not None:
                problem = self._spellings.problem(row.fields.get(self._spellings.column or ""))
                if problem is not None:
                    self._findings.note(row, [problem], Severity.NOTED)

    def _note_clash(self, record: Draft, verdict: Verdict, standing: Standing) -> None:
        if standing.clash is None:
            return
        # An equal row is not a problem: an import sends it once and counts both.
        if standing.clash.is_equal:
            self._move(record, "repeated", verdict)
            return
        outcome = outcome_of_clash(standing.clash, self._policy, self._names)
        if outcome is None:
            return
        word = Word.SKIPPED if outcome.word is Word.SKIPPED else Word.REJECTED
        problem = Problem(outcome.code or "", outcome.detail or "", outcome.attr, word=word)
        self._findings.note(record.row, [problem])
        self._move(record, severity_of(problem).value, verdict)
        if standing.clash.attr not in ("key", "id"):  # the earlier row of a key is sent
            self._pieces.flag([record.row.seq], _GONE)

    def _move(self, record: Draft, to: str, verdict: Verdict | None = None) -> None:
        """Count a row under another result than the first pass did."""
        if self._forecast is not None:
            self._forecast.take(record, -1)
        self._counts[_fate_of(verdict or self._judge.verdict(record.row))] -= 1
        self._counts[to] += 1


def _fate_of(verdict: Verdict) -> str:
    if verdict.record is None:
        return severity_of(verdict.problems[0]).value
    severities = {severity_of_warning(problem) for problem in verdict.warnings}
    return next((one.value for one in Severity if one in severities), "good")


def _parentless(reference: RowReference) -> Problem:
    what = "source key" if reference.is_key else "id"
    detail = f"{reference.attr}: no known {reference.resource} have this {what}; import them first"
    return Problem("unknown_key" if reference.is_key else "unknown_parent", detail, reference.attr)
