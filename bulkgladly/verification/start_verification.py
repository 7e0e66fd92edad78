"""Verify as functions for programs."""

from collections.abc import Sequence
from pathlib import Path

from bulkgladly.imports.import_options import ImportOptions
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.local_paths import local_path
from bulkgladly.runs.environment import USUAL, Environment
from bulkgladly.runs.observer import Observer
from bulkgladly.runs.session import Terms
from bulkgladly.settings import Credentials
from bulkgladly.verification.verify_options import VerifyOptions
from bulkgladly.verification.verify_run import verify_files, verify_plan, verify_run
from bulkgladly.verification.verify_summary import VerifyReport

__all__ = ("start_verify", "start_verify_files")


async def start_verify(
    what: RunFolder | str | Path,
    credentials: Credentials,
    options: VerifyOptions | None = None,
    *,
    moved: Sequence[str | Path] = (),
    observer: Observer | None = None,
    with_signals: bool = False,
    environment: Environment = USUAL,
) -> VerifyReport:
    """Compare what Gladly holds with what a run has sent, or with the folder of a plan. Nothing is written to Gladly.

    `options` has the sample, pace, limits and `state_dir`, in which the verification becomes a run of its own: for a
    run it must be that of the run. `moved` are input files that are no longer where the run or the plan has read them.

    Raises:
        InputChanged: An input file or the mapping is not as it was.
        UsageError: The run or the plan cannot be verified. Nothing was sent.
    """
    terms = Terms(credentials, observer or Observer(), with_signals, environment)
    if isinstance(what, RunFolder):
        return await verify_run(what, options or VerifyOptions(state_dir=what.state_dir), terms, moved=moved)
    return await verify_plan(local_path(what), options or VerifyOptions(), terms, moved=moved)


async def start_verify_files(
    resource_name: str,
    files: Sequence[str | Path],
    credentials: Credentials,
    options: ImportOptions | None = None,
    *,
    sample: str | None = None,
    show_values: bool = False,
    forget: bool = False,
    observer: Observer | None = None,
    with_signals: bool = False,
    environment: Environment = USUAL,
) -> VerifyReport:
    """Compare what Gladly holds with the rows of files, as an import with these options would see them.

    `sample` is a number of rows (`500`) or a share (`5%`). `forget` lets the next import write again what differs.

    Raises:
        UsageError: The object cannot be verified, or the options or the files cannot be used. Nothing was sent.
    """
    terms = Terms(credentials, observer or Observer(), with_signals, environment)
    chosen = VerifyOptions(sample=sample, show_values=show_values, forget=forget)
    return await verify_files(resource_name, files, options or ImportOptions(), terms, chosen=chosen)
