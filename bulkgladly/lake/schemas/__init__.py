"""The Arrow schema of each data set, and which JSON each kind of line may hold.

One schema per data set and version, the same in every part, also where a column is null
throughout; a change of a schema is a new version. Names and spelling are the API's; times
are `timestamp[us, UTC]`; what the contract describes is a struct, a list or a map, never
JSON text. What a line holds beyond it stands in `_extra` (see `fitted_lines`). What is
declared of each object stands in its module in `gladly/objects`.
"""

from collections.abc import Mapping

from bulkgladly.gladly.data_sets import DataSetPlan
from bulkgladly.gladly.table import DATA_SET_PLANS
from bulkgladly.lake.places import MARK_LENGTH, segment
from bulkgladly.lake.schemas.shapes import DataSet, built

__all__ = ("DATA_SETS", "data_set_of", "undeclared")

_LONGEST = 90

DATA_SETS: Mapping[str, DataSet] = {name: built(plan) for name, plan in DATA_SET_PLANS.items()}
"""Data set to what is declared of it."""


def data_set_of(file: str) -> DataSet | None:
    """Return the data set that a file of an export job belongs to; None if the name is not known."""
    return next((found for found in DATA_SETS.values() if found.file == file), None)


def undeclared(file: str) -> DataSet:
    """Return a data set for a file of an export job that nothing is known of: each line is kept whole, in `_extra`."""
    whole = segment(file)
    name = whole if len(whole) <= _LONGEST else segment(file, _LONGEST - MARK_LENGTH)
    return built(DataSetPlan(f"other/{name}", (), key=(), file=file))
