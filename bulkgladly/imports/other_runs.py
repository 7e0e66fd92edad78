"""Runs of the same input: which stand in the way of a new one, and what is said of those that cannot be used."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from bulkgladly.commands import next_command
from bulkgladly.errors import JournalError, UsageError
from bulkgladly.gladly.spec import ResourceSpec
from bulkgladly.journal.ledger import has_doubts
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.journal.run_header import Fault, InputFile, RunHeader
from bulkgladly.journal.runs import all_folders
from bulkgladly.runs.beginning import removed_unbegun, unfinished

__all__ = ("OtherRuns",)


class OtherRuns:
    """The runs into one organisation that share an input file, by its path or its content."""

    def __init__(self, state_dir: Path, spec: ResourceSpec, host: str, files: Sequence[InputFile]) -> None:
        self._state_dir, self._spec, self._host = state_dir, spec, host
        self._files = {file.path for file in files} | {file.digest for file in files}

    def make_way(self, *, new_run: bool) -> list[str]:
        """Refuse to begin a second run of the same input, and return what to say of those that cannot be used.

        Unfinished runs that never got as far as their first record are removed. With `new_run`
        nothing is refused that does no harm.

        Raises:
            UsageError: An unfinished run of the input can go on; or there is no telling what one has sent.
        """
        # Run by run: what is held by a live process cannot be removed, so it is refused even if it is empty yet.
        if not new_run or self._spec.is_at_most_once:
            for run in unfinished(self._state_dir, self._is_same):
                if not removed_unbegun(run):
                    self._refuse(run, new_run=new_run)
        return [self._told(run, header, fault, new_run=new_run) for run, header, fault in self._unusable()]

    def _is_same(self, header: RunHeader) -> bool:
        theirs = {name for file in header.inputs for name in (file.path, file.digest)}
        return header.resource == self._spec.name and header.host == self._host and bool(self._files & theirs)

    def _refuse(self, run: RunFolder, *, new_run: bool) -> None:
        resume = next_command("resume", run.name, state_dir=run.state_dir, connects=True)
        if self._spec.is_at_most_once and has_doubts(run.path):
            raise UsageError(
                f"run {run.name} ended while {self._spec.name} were on their way, and a new run could send them twice; "
                f"continue it with `{resume}`"
            )
        if not new_run:
            raise UsageError(
                f"run {run.name} of the same input is not finished; continue it with `{resume}`, or start again with "
                "--new-run"
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
            # An older version kept what it was about to send nowhere else.
            raise UsageError(
                f"run {run.name} of the same input is {fault.word}, and nothing else tells what it has sent: "
                f"look in Gladly, then {fault.detail}; or start again with --new-run"
            )
        return f"run {run.name} of the same input is {fault.word}: {fault.detail}"
