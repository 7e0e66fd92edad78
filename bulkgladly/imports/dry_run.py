"""A dry run: reads, prepares and compares every row, and sends no request."""

import datetime as dt
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

import anyio.to_thread

from bulkgladly.errors import UsageError
from bulkgladly.files.inputs import Inputs
from bulkgladly.gladly.preparation import unknown_key
from bulkgladly.gladly.spec import Draft, ImportSpec, Policy, ready
from bulkgladly.gladly.table import import_spec
from bulkgladly.imports.baseline import Baseline
from bulkgladly.imports.baseline_findings import told_lines
from bulkgladly.imports.drafts import AdmittedRow, DraftReader, in_sending_order, outcome_of_clash
from bulkgladly.imports.forecast import UNCHANGED, first_step, memory_text, of_import, opened_memory, with_looks
from bulkgladly.imports.import_inputs import open_passing
from bulkgladly.imports.import_options import ImportOptions
from bulkgladly.imports.overwriting import notes_on_owners
from bulkgladly.imports.shared_keys import notes_on_keys
from bulkgladly.journal.entries import Standing
from bulkgladly.journal.ledger import Ledger
from bulkgladly.records import Mark, Outcome, Problem, Row, Word, place_of_row
from bulkgladly.runs.environment import USUAL
from bulkgladly.runs.finish_by import FinishBy
from bulkgladly.runs.observer import Estimate
from bulkgladly.runs.options import limits_told
from bulkgladly.settings import Limits

__all__ = ("DryRun", "RejectCause", "dry_run")

ROWS_AT_ONCE = 256
EXAMPLES = 3


@dataclass(slots=True)
class RejectCause:
    """One cause of rejects: the number of rows, and the places of the first three."""

    code: str
    rows: int = 0
    detail: str = ""
    examples: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class DryRun:
    """What an import would do. `first_requests` counts the first operation of each record.

    `settled` counts the rows that need no request, by outcome, and `dropped_values` the values that records would be
    sent without. `notes` say what was recognised in the files, and `memory` which earlier runs are counted.
    """

    rows: int
    first_requests: Mapping[str, int]
    settled: Mapping[str, int]
    findings: Sequence[RejectCause]
    estimate: Estimate
    notes: Sequence[str] = ()
    dropped_values: int = 0
    memory: str = ""

    @property
    def exit_code(self) -> int:
        """1 when there are rows that would be rejected, else 0."""
        return 1 if self.settled.get(Word.REJECTED) else 0

    def as_dict(self) -> dict[str, Any]:
        """Return the result as JSON can hold it."""
        return {
            "rows": self.rows,
            "notes": list(self.notes),
            "exit_code": self.exit_code,
            "first_requests": dict(self.first_requests),
            "settled": dict(self.settled),
            "dropped_values": self.dropped_values,
            "findings": [
                {"code": f.code, "rows": f.rows, "detail": f.detail, "examples": f.examples} for f in self.findings
            ],
            "split": dict(self.estimate.split),
            "memory": self.memory,
            "requests_low": self.estimate.requests_low,
            "requests_high": self.estimate.requests_high,
        }


async def dry_run(
    resource_name: str,
    files: Sequence[str | Path],
    options: ImportOptions,
    *,
    host: str,
    stdin: BinaryIO | None = None,
) -> DryRun:
    """Read every row and return how an import would begin. Nothing is sent, and no run is created.

    The state of earlier runs is used, so unchanged records and unknown source keys are found. Names are not looked
    up. A single `-` reads `stdin`.

    Raises:
        UsageError: As `start_import`.
    """
    spec = import_spec(resource_name)
    options = options.for_resource(spec)
    with tempfile.TemporaryDirectory(prefix="bulkgladly-dry-run-") as folder:
        inputs = await open_passing(spec, [str(file) for file in files], options, stdin, Path(folder))
        # The real state tells what earlier runs have imported; the journal of the dry run is thrown away.
        state = options.state_dir / "state.sqlite"
        ledger = Ledger(
            Path(folder),
            state=state if state.is_file() else Path(folder) / "state.sqlite",
            scope=(host, spec.name, options.namespace),
        )
        runner = _DryRunner(spec, options, inputs, ledger, host)
        try:
            if options.baseline is not None:
                await anyio.to_thread.run_sync(runner.compare_with, options.baseline, Path(folder))
            found = await runner.run()
            return replace(found, memory=_memory_of(state, spec, options.policy(host)))
        finally:
            runner.close()
            ledger.close()


def _memory_of(state: Path, spec: ImportSpec, policy: Policy) -> str:
    memory = opened_memory(state, spec, policy)
    if memory is not None:
        memory.close()
    return memory_text(state, spec, policy.host, memory)


def _on_limits(limits: Limits, estimate: Estimate) -> Iterator[str]:
    """Yield what limits would do to the import, which do not end a dry run."""
    if told := limits_told(limits):
        yield f"the import would stop early ({told}); a dry run looks at the other rows too"
    if (answer := FinishBy(limits.finish_by, USUAL.wall).answer(estimate)) is not None:
        yield answer


class _DryRunner:
    def __init__(self, spec: ImportSpec, options: ImportOptions, inputs: Inputs, ledger: Ledger, host: str) -> None:
        self._spec, self._ledger = spec, ledger
        paths = [str(file.path.absolute()) for file in inputs.files]
        self._notes = (*inputs.notes, *notes_on_keys(spec, host, options, paths), *notes_on_owners(options))
        self._policy: Policy = options.policy(host)
        self._limits = options.limits
        self._reader = DraftReader(spec, self._policy, options, inputs=inputs, ledger=ledger, bounds=USUAL.bounds)
        self._pace = options.pace.foreseen(dt.datetime.now(dt.UTC))
        self._first: Counter[str] = Counter()
        self._labels: Counter[str] = Counter()
        self._looks = 0
        self._settled: Counter[str] = Counter()
        self._findings: dict[str, RejectCause] = {}
        self._dropped = 0
        self._accepted: set[str] = set()
        """Only filled for rows that may refer to others of their kind: the keys of those that are not rejected."""

    def compare_with(self, lake: Path, folder: Path) -> None:
        """Use a data set as well as what earlier runs have left; its index is written to a folder.

        Raises:
            UsageError: The host is not known, or as `check_baseline`.
        """
        if not self._policy.host:
            raise UsageError("--baseline belongs to an organisation: set GLADLY_HOST or pass --profile")
        self._reader.baseline = Baseline.opened(lake, self._spec, self._policy, folder)

    def close(self) -> None:
        """Close what was opened."""
        if self._reader.baseline is not None:
            self._reader.baseline.close()

    async def run(self) -> DryRun:
        with self._reader.rows(Mark(), ROWS_AT_ONCE) as rows:
            while not self._reader.is_full and (batch := await self._reader.next_batch(rows)) is not None:
                self._take_in(batch)
        to_send = self._first.total()
        split = self._labels
        unchanged = split[UNCHANGED] = self._settled[Word.UNCHANGED]
        each = self._spec.requests_per_record[self._policy.mode]
        operations = dict(self._first) if each[0] == 1 else {}
        estimate = Estimate.of(
            each, to_send + unchanged, True, self._pace, unsent=unchanged, split=+split, operations=operations
        )
        estimate = of_import(with_looks(estimate, self._looks, self._spec, self._policy), self._spec)
        findings = sorted(self._findings.values(), key=lambda finding: -finding.rows)
        self._notes = (*self._notes, *_on_limits(self._limits, estimate))
        if (baseline := self._reader.baseline) is not None:
            self._notes = (*self._notes, *told_lines(baseline.findings, self._reader.taken, 1.0, self._pace))
        return DryRun(self._reader.taken, self._first, self._settled, findings, estimate, self._notes, self._dropped)

    def _take_in(self, batch: list[AdmittedRow]) -> None:
        for row, item, standing in in_sending_order(self._spec, batch):
            if item is None:
                continue
            outcome = Outcome.rejected(item) if isinstance(item, Problem) else self._begin(item, standing)
            if (
                self._spec.arrange
                and isinstance(item, Draft)
                and (outcome is None or outcome.word is not Word.REJECTED)
            ):
                self._accepted.add(item.key)
            if isinstance(item, Draft) and (outcome is None or outcome.word not in (Word.REJECTED, Word.SKIPPED)):
                self._dropped += len(item.row.dropped)
            if outcome is None:
                continue
            self._settled[outcome.word.value] += 1
            if outcome.code is not None:
                self._note(row, outcome)
        self._ledger.pass_by([row.seq for row, _, _ in batch])

    def _begin(self, draft: Draft, standing: Standing) -> Outcome | None:
        """Return the outcome of a record that needs no request; otherwise count its first request."""
        if standing.clash is not None:
            if standing.clash.is_equal:
                return Outcome(Word.UNCHANGED)
            outcome = outcome_of_clash(standing.clash, self._policy, self._reader.names)
            if outcome is not None:
                return outcome
        # Rows that refer to others of their kind come as one batch, so those before this one are all that can be meant.
        for link in draft.links:
            if link.text not in self._accepted and link.or_name is None:
                return Outcome.rejected(unknown_key(link))
        steps = self._spec.steps(ready(draft, standing.known), self._policy)
        try:
            request = next(steps)
        except StopIteration as end:
            settled: Outcome = end.value
            return settled
        label, is_look = first_step(self._spec, self._policy, standing.known, request)
        self._first[request.operation] += 1
        self._labels[label] += 1
        self._looks += is_look
        return None

    def _note(self, row: Row, outcome: Outcome) -> None:
        finding = self._findings.setdefault(str(outcome.code), RejectCause(str(outcome.code)))
        finding.rows += 1
        if len(finding.examples) < EXAMPLES:
            finding.detail = finding.detail or (outcome.detail or "")
            attr = f", {outcome.attr}" if outcome.attr else ""
            finding.examples.append(place_of_row(self._reader.names[row.position.file], row.position.number) + attr)
