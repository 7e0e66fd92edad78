"""The runs of the same input that stand in the way of a new one."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from bulkgladly.commands import next_command
from bulkgladly.errors import JournalError, UnfinishedRun, UsageError
from bulkgladly.gladly.spec import ImportSpec
from bulkgladly.journal.ledger import has_doubts
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.journal.run_header import Fault, InputFile, RunHeader
from bulkgladly.journal.runs import all_folders
from bulkgladly.journal.undone_runs import taken_back
from bulkgladly.runs.beginning import refuse_worked_on, removed_unbegun, unfinished

__all__ = ("OtherRuns",)


class OtherRuns:
    """The runs into one organisation that have an input file in common, by its path or its content."""

    def __init__(self, state_dir: Path, spec: ImportSpec, host: str, files: Sequence[InputFile]) -> None:
        self._state_dir, self._spec, self._host = state_dir, spec, host
        self._files = {file.path for file in files} | {file.digest for file in files}

    def make_way(self, *, new_run: bool) -> list[str]:
        """Refuse to start a second run of the same input; return a line for each run that cannot be used.

        Unfinished runs that never reached their first record are removed. With `new_run` only what could send
        something twice is refused.

        Raises:
            UsageError: An unfinished run of the input can be continued, or it is unknown what one has sent.
        """
        # One by one: a run that a live process works on cannot be removed, so it is refused even if still empty.
        if not new_run or self._spec.is_at_most_once:
            for run in unfinished(self._state_dir, self._is_same):
                # One that was taken back cannot be continued.
                if not removed_unbegun(run) and taken_back(run) is None:
                    self._refuse(run, new_run=new_run)
        return [self._told(run, header, fault, new_run=new_run) for run, header, fault in self._unusable()]

    def _is_same(self, header: RunHeader) -> bool:
        theirs = {name for file in header.inputs for name in (file.path, file.digest)}
        is_same_kind = header.is_import and header.resource == self._spec.name and header.host == self._host
        return is_same_kind and bool(self._files & theirs)

    def _refuse(self, run: RunFolder, *, new_run: bool) -> None:
        if not new_run or self._spec.is_at_most_once:
            refuse_worked_on(run, "of the same input")
        resume = next_command("resume", run.name, state_dir=run.state_dir, connects=True)
        if self._spec.is_at_most_once and has_doubts(run.path):
            raise UsageError(
                f"run {run.name} ended while {self._spec.name} were in flight, and a new run could send them twice; "
                f"continue it with `{resume}`"
            )
        if new_run:
            return
        if gone := next((file.path for file in run.header().inputs if not Path(file.path).exists()), None):
            raise UnfinishedRun(
                f"run {run.name} of the same input is not finished, and cannot be continued without {gone}; move the "
                "files back, or start a new run with --new-run (records that Gladly has accepted are not sent again)"
            )
        raise UnfinishedRun(
            f"run {run.name} of the same input is not finished; continue it with `{resume}`, or start a new one "
            "with --new-run"
        )

    def _unusable(self) -> Iterator[tuple[RunFolder, RunHeader, Fault]]:
        for run in all_folders(self._state_dir):
            if (fault := run.fault()) is None:
                continue
            try:
                header = run.header()
            except JournalError:
                continue
            if self._is_same(header):
                yield run, header, fault

    def _told(self, run: RunFolder, header: RunHeader, fault: Fault, *, new_run: bool) -> str:
        if self._spec.is_at_most_once and not header.is_whole and not new_run:
            # Older versions recorded what they were about to send only in the journal.
            raise UsageError(
                f"run {run.name} of the same input is {fault.word}, and nothing else records what it has sent: "
                f"look in Gladly, then {fault.detail}; or start a new run with --new-run"
            )
        return f"run {run.name} of the same input is {fault.word}: {fault.detail}"
