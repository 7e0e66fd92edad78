"""What the user decides about an undo, and which runs can be undone."""

from dataclasses import dataclass, field

from bulkgladly.commands import next_command
from bulkgladly.errors import UsageError
from bulkgladly.gladly.spec import ImportSpec
from bulkgladly.gladly.table import IMPORTS
from bulkgladly.journal.ledger import has_doubts
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.journal.run_writes import RunWrites
from bulkgladly.journal.undone_runs import UNDO
from bulkgladly.local_paths import LocalPath
from bulkgladly.records import Mode
from bulkgladly.settings import Limits, Pace

__all__ = ("UndoOptions", "namespace_of", "spec_to_undo")


@dataclass(frozen=True, kw_only=True)
class UndoOptions:
    """The run that is taken back, the pace and the limits, and where runs are kept."""

    run: str
    pace: Pace = field(default_factory=Pace)
    limits: Limits = field(default_factory=Limits)
    state_dir: LocalPath = LocalPath(".bulkgladly")


def namespace_of(run: RunFolder) -> str:
    """Return the namespace of the source keys of an import."""
    return str(run.header().settings.get("namespace", "default"))


def spec_to_undo(run: RunFolder) -> ImportSpec:
    """Return what a run has imported.

    Raises:
        UsageError: The run cannot be undone; the message says why, and what to do.
        JournalDamaged: It cannot be read.
    """
    run.check()
    header = run.header()
    if header.mode == UNDO:
        raise UsageError(
            f"run {run.name} is an undo, which cannot be undone; import the file of run {header.parent} again to send "
            "what was taken back"
        )
    spec = IMPORTS.get(header.resource)
    if spec is None or header.mode not in (*Mode, "apply"):
        raise UsageError(f"run {run.name} has changed nothing in Gladly ({header.mode}), so there is nothing to undo")
    if spec.contacts_people:
        raise UsageError(
            f"run {run.name} has sent messages to people ({spec.name}), and a message cannot be taken back; nothing "
            "was changed"
        )
    if has_doubts(run.path) or (run.status() != "complete" and _has_open_writes(run)):
        resume = next_command("resume", run.name, state_dir=run.state_dir, connects=True)
        raise UsageError(
            f"run {run.name} was killed while requests were in flight, so it is not known what it has changed; "
            f"continue it with `{resume}`, then undo it"
        )
    return spec


def _has_open_writes(run: RunFolder) -> bool:
    """Tell whether requests that write had left whose records have not ended."""
    with RunWrites(run.path) as writes:
        return any(write.word is None for write in writes.in_doubt())
