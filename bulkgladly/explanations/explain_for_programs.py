"""Explain as a function for programs."""

from collections.abc import Callable

from bulkgladly.explanations.explain_run import Explained, NowAsked, explain_record
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.runs.environment import USUAL, Environment
from bulkgladly.settings import Credentials

__all__ = ("explain",)


async def explain(
    run: RunFolder,
    record: str,
    credentials: Credentials | None = None,
    *,
    show_values: bool = False,
    nth: int | None = None,
    tell: Callable[[str], None] = lambda _: None,
    environment: Environment = USUAL,
) -> Explained:
    """Return the story of a record: a row (`customers.csv:17`), a source key, or an id in Gladly.

    With `credentials` Gladly is asked what it holds now. If a row made several records, `nth` chooses one, from 1.
    `tell` gets a line for people if Gladly does not reply soon.

    Raises:
        JournalDamaged: The run cannot be read.
        UsageError: There is no such record.
    """
    asked = NowAsked(credentials, tell=tell)
    return await explain_record(run, record, asked=asked, show_values=show_values, nth=nth, environment=environment)
