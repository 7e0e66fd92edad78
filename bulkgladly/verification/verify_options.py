"""What a verification is to compare, how much of it, and how fast."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from bulkgladly.errors import UsageError
from bulkgladly.gladly.spec import ImportSpec
from bulkgladly.imports.import_options import ImportOptions
from bulkgladly.journal.run_header import RunHeader
from bulkgladly.local_paths import LocalPath
from bulkgladly.plain_numbers import percentage, whole_number
from bulkgladly.runs.options import restored
from bulkgladly.settings import Limits, Pace

__all__ = ("MOST_SAMPLED", "SampleSize", "VerifyOptions", "sample_size", "words_of_rows")

MOST_SAMPLED = 20_000
"""Rows of a sample by number: they wait in memory until the input is read to its end."""


class SampleSize(NamedTuple):
    """How many rows are compared: a number of them, or a share from 0 to 1."""

    rows: int | None = None
    share: float | None = None


@dataclass(frozen=True, kw_only=True)
class VerifyOptions:
    """How a verification reads its rows, and how many of them it compares with Gladly.

    `rows` are the options of the import that the rows are for, as `runs.options.stored` returns them. `run` is the run
    whose journal says what became of the rows; None if the rows are compared without a run. `organisation` is the id of
    the one that must answer, if it is known. `sample` is a number of rows or a percentage. `show_values` writes values
    into the summary as they are, and not masked. `forget` drops from the state what Gladly no longer holds, so that the
    next import of the rows writes it again.

    Raises:
        UsageError: `sample` is not valid.
    """

    rows: Mapping[str, Any] = field(default_factory=dict)
    run: str | None = None
    organisation: str = ""
    sample: str | None = None
    show_values: bool = False
    forget: bool = False
    pace: Pace = field(default_factory=Pace)
    limits: Limits = field(default_factory=Limits)
    state_dir: LocalPath = LocalPath(".bulkgladly")

    def __post_init__(self) -> None:
        sample_size(self.sample)

    def check_organisation(self, answered: str, host: str) -> None:
        """Check that the organisation that has answered is the one that is meant.

        Raises:
            UsageError: It is another one.
        """
        if self.organisation not in ("", answered):
            raise UsageError(
                f"the plan was made for the organisation {self.organisation}, and {host} is "
                f"{answered or 'without an id'} now; nothing was compared. Use the host of that organisation, or plan "
                "again"
            )

    def of_import(self) -> ImportOptions:
        """Return the options of the import, in the state directory of this run.

        Raises:
            JournalDamaged: They are not options of an import.
        """
        return restored(ImportOptions, self.rows, self.state_dir)


def sample_size(text: str | None) -> SampleSize | None:
    """Return the size of a sample that is written as `500` or `5%`; None if all rows are compared.

    Raises:
        UsageError: It is neither.
    """
    if text is None:
        return None
    percent, rows = percentage(text), whole_number(text)
    if percent and percent <= 100:
        return SampleSize(share=percent / 100)
    if rows and rows > MOST_SAMPLED:
        raise UsageError(f"--sample {text} is more than {MOST_SAMPLED:,} rows; pass a percentage, such as 5%")
    if rows:
        return SampleSize(rows=rows)
    raise UsageError(f"--sample {text} is not a number of rows, such as 500, or a percentage, such as 5%")


def words_of_rows(
    spec: ImportSpec, header: RunHeader, options: ImportOptions, *, paths: Sequence[str] | None = None
) -> list[str]:
    """Return object, files and flags of the rows of a run, as the command `verify` takes them.

    `paths` are the files, if they are not where the run has read them.
    """
    paths = [item.path for item in header.inputs] if paths is None else paths
    # What says how an import writes is not asked for here.
    read = replace(options, read_first=False, attributes="unknown", missing_names="stop", force_close=False)
    return [spec.name, *paths, *read.flags(spec), *read.reading.flags()]
