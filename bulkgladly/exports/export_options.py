"""Everything about an export but the credentials."""

import datetime as dt
from dataclasses import dataclass, field

from bulkgladly.choices import unsupported
from bulkgladly.errors import UsageError
from bulkgladly.lake.file_formats import FORMATS, format_of
from bulkgladly.lake.part_writer import PartOptions
from bulkgladly.lake.schemas import DataSet
from bulkgladly.local_paths import LocalPath, OptionalPath
from bulkgladly.settings import Limits, Pace

__all__ = ("ExportOptions", "ReportQuery")

PARTITIONS = ("type", "entity", "date")
MAX_FILE_BYTES = 1 << 40


@dataclass(frozen=True, slots=True)
class ReportQuery:
    """Which reports, over which days. `first` and `last` are both included; None is chosen from the data set."""

    metric_sets: tuple[str, ...] = ()
    first: dt.date | None = None
    last: dt.date | None = None
    inboxes: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    channel: str | None = None
    aggregation: str | None = None
    phone_number: str | None = None
    look_back_days: int = 3
    """So many days before the last covered one are read again, since Gladly restates rows."""


@dataclass(frozen=True)
class ExportOptions:
    """How an export goes about its data set.

    `words` names what is exported, in this order. `since` and `until` bound the period of
    job files and the time of events. `partition` None means the data set's own folders,
    () none. `ids`, `emails` and `from_dataset` say of which parents (customers,
    conversations, tasks, items) the objects are fetched that the API gives by parent only.
    `refresh` fetches also what the data set has and nothing speaks for a change of.

    Paths may be given as text. `out` has no default, and `words` may not be empty.

    Raises:
        UsageError: A word that is not supported, or two that exclude each other; or a URL for a path.
    """

    out: LocalPath = LocalPath()
    words: tuple[str, ...] = ()
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    format: str = "parquet"
    compression: str | None = None
    partition: tuple[str, ...] | None = None
    keep_raw: bool = False
    refresh: bool = False
    ids: OptionalPath = OptionalPath()
    emails: OptionalPath = OptionalPath()
    from_dataset: OptionalPath = OptionalPath()
    report: ReportQuery = field(default_factory=ReportQuery)
    max_file_bytes: int = MAX_FILE_BYTES
    pace: Pace = field(default_factory=Pace)
    limits: Limits = field(default_factory=Limits)
    state_dir: LocalPath = LocalPath(".bulkgladly")

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise UsageError(f"--format: {unsupported(self.format, FORMATS)}")
        format_of(self.format, self.compression)  # refuses a compression that the format does not offer
        if strange := [name for name in self.partition or () if name not in PARTITIONS]:
            raise UsageError(f"--partition: {unsupported(strange[0], ('none', *PARTITIONS))}")
        if sum(source is not None for source in (self.ids, self.emails, self.from_dataset)) > 1:
            raise UsageError("--ids, --emails and --from-dataset cannot be combined; pass one of them")
        if self.since is not None and self.until is not None and self.since >= self.until:
            raise UsageError("--since must be before --until")

    def parts(self, data_set: DataSet) -> PartOptions:
        """Return how the parts of a data set are written; partition names that it does not have are left out."""
        names = None if self.partition is None else tuple(n for n in self.partition if n in data_set.partitions)
        return PartOptions(format=self.format, compression=self.compression, partition=names)
