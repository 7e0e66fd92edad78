"""An import that was taken back is not continued: the rows that have ended in it would not be sent again."""

from bulkgladly.errors import TakenBackRun
from bulkgladly.imports.import_options import ImportOptions
from bulkgladly.imports.retry_rows import import_again, plan_again
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.journal.undone_runs import taken_back
from bulkgladly.runs.options import restored

__all__ = ("refuse_undone",)


def refuse_undone(run: RunFolder) -> None:
    """Refuse to continue a run of which something was taken back.

    Raises:
        TakenBackRun: A resume would send the rest only, and say that all is done.
    """
    found = taken_back(run)
    if found is None:
        return
    has_plan = restored(ImportOptions, run.header().settings, run.state_dir).plan is not None
    fix = f"plan again: {plan_again(run)}" if has_plan else f"import the files again: `{import_again(run)}`"
    raise TakenBackRun(
        f"{found.text(run.name)}, which a resume would not send again; {fix} (what Gladly still has is not sent twice)"
    )
