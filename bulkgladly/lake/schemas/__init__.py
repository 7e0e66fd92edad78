"""The declared Arrow schema of each data set, and which JSON each kind of line may hold.

One schema per data set and version, the same in every part, also where a column is null
throughout; a change of a schema is a new version. Names and spelling are the API's; times
are `timestamp[us, UTC]`; what the contract describes is a struct, a list or a map, never
JSON text. What a line holds beyond it stands in `_extra` (see `fitted_lines`).
"""

from collections.abc import Mapping

from bulkgladly.lake.places import MARK_LENGTH, segment
from bulkgladly.lake.schemas.customers import CUSTOMERS, PROFILES
from bulkgladly.lake.schemas.events import EVENTS
from bulkgladly.lake.schemas.items import CONVERSATION_ITEMS, ITEMS
from bulkgladly.lake.schemas.media import ATTACHMENTS, RECORDINGS, TRANSCRIPTS
from bulkgladly.lake.schemas.objects import ASKED, EXPORTED, LISTS
from bulkgladly.lake.schemas.shapes import JOB, DataSet, flat

__all__ = ("DATA_SETS", "data_set_of", "undeclared")

_LONGEST = 90

DATA_SETS: Mapping[str, DataSet] = {
    found.name: found
    for found in (
        *(ITEMS, CUSTOMERS, *EXPORTED),
        *(EVENTS, *LISTS),
        *(PROFILES, CONVERSATION_ITEMS, *ASKED),
        *(TRANSCRIPTS, RECORDINGS, ATTACHMENTS),
    )
}
"""Data set to what is declared of it."""


def data_set_of(file: str) -> DataSet | None:
    """Return the data set that a file of an export job belongs to; None if the name is not known."""
    return next((found for found in DATA_SETS.values() if found.file == file), None)


def undeclared(file: str) -> DataSet:
    """Return a data set for a file of an export job that nothing is known of: each line is kept whole, in `_extra`."""
    whole = segment(file)
    name = whole if len(whole) <= _LONGEST else segment(file, _LONGEST - MARK_LENGTH)
    return flat(f"other/{name}", {}, key=(), file=file, provenance=JOB)
