"""What to run after an import: what helps against the reason why it ended."""

from collections.abc import Iterator, Mapping
from functools import partial

from bulkgladly.choices import OnConflict, OnDuplicate
from bulkgladly.commands import next_command
from bulkgladly.gladly.table import IMPORTS
from bulkgladly.imports.canary import FOR_A_LOOK
from bulkgladly.imports.missing_keys import is_missing_deletion
from bulkgladly.imports.retry_rows import RejectKinds, corrected_import, import_again, plan_again
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.records import Word
from bulkgladly.runs.summary import Ending, resume_command

__all__ = ("commands_after",)

_TOO_MANY_REJECTS = 3
_WRITTEN = (Word.CREATED, Word.UPDATED, Word.DELETED)
_ARRIVED = (*_WRITTEN, Word.UNCHANGED)


def commands_after(
    folder: RunFolder, end: Ending, counts: Mapping[str, int], kinds: RejectKinds, by_code: Mapping[str, int]
) -> tuple[str, ...]:
    """Return what to run next: what helps against the reason why the run ended, and never what ends in the same way.

    COUNTRY and POLICY stand for what only a person can decide.
    """
    header = folder.header()
    settings = header.settings
    # What was missing then may not be so any more, so only the guard of the run itself may delete it.
    is_guarded = is_missing_deletion(header)
    commands: list[str] = []
    needs_region = "phone_region" in by_code and not settings.get("phone_region")
    region = ("--phone-region", "COUNTRY") if needs_region else ()
    if end.status != "complete":
        if FOR_A_LOOK in (end.reason or ""):
            commands += _after_a_canary(folder)
        if end.exit_code == _TOO_MANY_REJECTS and not is_guarded:
            # The options of a run stay as they are, so that to resume leads into the same rejects.
            commands.append(import_again(folder, *region))
        if end.exit_code != _TOO_MANY_REJECTS or not needs_region:
            commands.append(resume_command(folder))
    elif not is_guarded and (counts[Word.REJECTED] or (counts[Word.UNKNOWN] and not _is_at_most_once(folder))):
        has_helped = header.parent is None or any(counts[word] for word in _ARRIVED)
        retry = partial(next_command, "retry", folder.name, state_dir=folder.state_dir, connects=True)
        if kinds.may_pass and (has_helped or counts[Word.UNKNOWN]):
            needs_policy = "taken" in by_code and settings.get("on_conflict") == OnConflict.QUARANTINE
            commands.append(retry(*region, *(("--on-conflict", "POLICY") if needs_policy else ())))
        if kinds.to_plan:
            commands.append(plan_again(folder))
        if kinds.to_correct or not commands:
            commands.append(corrected_import(folder)[1])
        if "duplicate_key" in by_code and settings.get("on_duplicate") == OnDuplicate.REJECT:
            commands.append(retry("--on-duplicate", OnDuplicate.LAST.value))
    elif any(counts[word] for word in _WRITTEN) and _can_verify(folder):
        commands.append(next_command("verify", folder.name, state_dir=folder.state_dir, connects=True))
    commands.append(next_command("runs", "show", folder.name, state_dir=folder.state_dir))
    return tuple(commands)


def _after_a_canary(folder: RunFolder) -> Iterator[str]:
    """Yield what proves the first records, and what takes them back if they are wrong."""
    if _can_verify(folder):
        yield next_command("verify", folder.name, state_dir=folder.state_dir, connects=True)
    spec = IMPORTS.get(folder.header().resource)
    if spec is not None and spec.reversal is not None:
        yield next_command("undo", folder.name, "--dry-run", state_dir=folder.state_dir)


def _can_verify(folder: RunFolder) -> bool:
    spec = IMPORTS.get(folder.header().resource)
    return spec is not None and spec.proof is not None


def _is_at_most_once(folder: RunFolder) -> bool:
    """Tell whether a retry would leave out rows with an unknown outcome, since they may have been sent."""
    spec = IMPORTS.get(folder.header().resource)
    return spec is not None and spec.is_at_most_once
