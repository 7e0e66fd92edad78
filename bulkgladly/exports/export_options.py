"""Everything about an export except the credentials."""

import datetime as dt
from dataclasses import dataclass, field

from bulkgladly.choices import unsupported
from bulkgladly.errors import UsageError
from bulkgladly.lake.file_formats import FORMATS
from bulkgladly.lake.old_units import LEAST_AGE
from bulkgladly.lake.part_writer import PartOptions, partitions_of
from bulkgladly.lake.schemas import DataSet
from bulkgladly.local_paths import LocalPath, OptionalPath
from bulkgladly.settings import Limits, Pace

__all__ = ("ExportOptions", "ReportQuery")

PARTITIONS = ("type", "entity", "date", "month")
MAX_FILE_BYTES = 1 << 40
MOST_DAYS = 36500


@dataclass(frozen=True, slots=True)
class ReportQuery:
    """Which reports, and which days. `first` and `last` are both included; None is derived from the data set."""

    metric_sets: tuple[str, ...] = ()
    first: dt.date | None = None
    last: dt.date | None = None
    inboxes: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    channel: str | None = None
    aggregation: str | None = None
    phone_number: str | None = None
    look_back_days: int = 3
    """How many days before the last covered one are read again, because Gladly revises recent rows."""


@dataclass(frozen=True)
class ExportOptions:
    """What an export fetches, and how it writes its data set.

    `words` names the objects to export, in this order. `since` and `until` limit the period of job files
    and the time of events. `partition` None means the folders that the data set has, or else those that it declares; ()
    means none. A data set keeps the folders that it was begun with. `ids`,
    `emails` and `from_dataset` say for which parents (customers, conversations, tasks, items) objects are
    fetched that the API returns only by parent. `refresh` also fetches what the data set has already,
    even if nothing suggests that it has changed.

    With `compact`, the newest rows are written to `current/` after everything else. `retention_days` removes what is
    wholly older; `may_remove` agrees to it the first time, when the data set has such rows already.

    Paths can be texts. `out` has no default, and `words` must not be empty.

    Raises:
        UsageError: An option is not supported, or two cannot be combined; or a path is a URL.
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
    compact: bool = False
    retention_days: float | None = None
    may_remove: bool = False
    pace: Pace = field(default_factory=Pace)
    limits: Limits = field(default_factory=Limits)
    state_dir: LocalPath = LocalPath(".bulkgladly")

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise UsageError(f"--format: {unsupported(self.format, FORMATS)}")
        ways = FORMATS[self.format]
        if self.compression is not None and self.compression not in ways:
            raise UsageError(f"--compression for {self.format}: {unsupported(self.compression, ways)}")
        if strange := [name for name in self.partition or () if name not in PARTITIONS]:
            raise UsageError(f"--partition: {unsupported(strange[0], ('none', *PARTITIONS))}")
        if {"date", "month"} <= set(self.partition or ()):
            raise UsageError("--partition: a date is within its month; pass one of date and month")
        if sum(source is not None for source in (self.ids, self.emails, self.from_dataset)) > 1:
            raise UsageError("--ids, --emails and --from-dataset cannot be combined; pass one of them")
        if self.retention_days is not None and not LEAST_AGE.days <= self.retention_days <= MOST_DAYS:
            raise UsageError(
                f"--retention must be at least {LEAST_AGE.days}d: Gladly offers and revises newer data, which would be "
                "fetched again"
            )
        if self.since is not None and self.until is not None and self.since >= self.until:
            raise UsageError("--since must be before --until")

    def parts(self, data_set: DataSet) -> PartOptions:
        """Return how the parts of a data set are written, without partitions that it does not have.

        Reports keep a folder for each window, unless no folders at all are wanted.
        """
        offered = partitions_of(data_set)
        wanted = (*self.partition, "window") if self.partition else self.partition
        names = None if wanted is None else tuple(name for name in wanted if name in offered)
        return PartOptions(format=self.format, compression=self.compression, partition=names)
