"""Arrow arrays made and looked at without the help of pandas or numpy."""

from array import array
from collections.abc import Iterable
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ("Array", "extremes_of", "integers")

Array = Any
"""An Arrow array, or a column of a table. What it holds is known at run time only."""


def integers(kind: str, values: Iterable[int]) -> Array:
    """Return integers as an Arrow array; `kind` is a letter of `array`: B, i or q.

    `pa.array` of a list would load pandas where it is installed, which takes seconds.
    """
    held = array(kind, values)
    made = {"B": pa.uint8(), "i": pa.int32(), "q": pa.int64()}[kind]
    return pa.Array.from_buffers(made, len(held), cast("Any", [None, pa.py_buffer(cast("Any", held))]))


def extremes_of(values: Array) -> tuple[Any, Any]:
    """Return the smallest and the largest value; None twice if there is none."""
    found = cast("Any", pc.min_max(values)).as_py()
    return found["min"], found["max"]
