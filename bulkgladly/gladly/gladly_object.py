"""What a module in `objects` hands over: all that is known about one kind of Gladly object."""

from dataclasses import dataclass

from bulkgladly.gladly.data_sets import DataSetPlan
from bulkgladly.gladly.exports import LiveExport
from bulkgladly.gladly.spec import ResourceSpec

__all__ = ("GladlyObject",)


@dataclass(frozen=True)
class GladlyObject:
    """One kind of object in both directions, with what belongs to it (a task and its comments).

    `writes` says what can be imported, `reads` what can be asked for, and `data_sets` what
    the rows of an export hold. Columns, checks, drafts, schemas, parents and documents
    follow from these.
    """

    writes: tuple[ResourceSpec, ...] = ()
    reads: tuple[LiveExport, ...] = ()
    data_sets: tuple[DataSetPlan, ...] = ()
