"""Where everything lies below the top folder of a data set. Pure.

    _bulkgladly.json                          the marker: whose data this is, and in which format
    <data set>/[type=../date=..]/<part>       rows
    current/<data set>/part-0001.parquet      one row per key, made by `compact`
    media/                                    files that rows tell of, see `media_files`
    _manifest/<data set>/<unit>.json          what is published; `.json.next` is on its way
    _manifest/<data set>/_<note>.json         what is remembered about a data set
    _rejects/<data set>/<unit>.ndjson         lines that are no rows
    _raw/<data set>/<unit>.jsonl.zst          files as they were downloaded
    _incoming/<place>                         what is being written, at the place it will have

Nothing lies below a data set but what is published, since some readers (Polars) refuse a
folder that holds any other file, also under a hidden name.

Other readers of Parquet pass over names that begin with an underscore or a dot; no name made of
foreign values begins with one, and none leads out of its folder.
"""

import re
from pathlib import PurePosixPath
from urllib.parse import unquote

from bulkgladly.errors import UsageError
from bulkgladly.lake.partition_places import file_stem

__all__ = (
    "CURRENT",
    "INCOMING",
    "LOCK",
    "MANIFESTS",
    "MARKER",
    "RAW",
    "REJECTS",
    "data_set_of_place",
    "is_part",
    "is_partial",
    "manifest_place",
    "next_place",
    "note_place",
    "place_of",
    "raw_place",
    "rejects_place",
)

MARKER, LOCK = "_bulkgladly.json", "_lock"
MANIFESTS, REJECTS, RAW, CURRENT, INCOMING = "_manifest", "_rejects", "_raw", "current", "_incoming"
_PART = re.compile(r"[\w%][\w%.~-]*-\d{4,}\.(?:parquet|(?:ndjson|csv)(?:\.(?:zst|gz))?)", re.ASCII)
_TAKEN = (CURRENT, "media")
_LONGEST = 100


def place_of(data_set: str) -> PurePosixPath:
    """Return the folder of a data set; a slash in its name parts folders.

    Raises:
        UsageError: It is no name for a data set.
    """
    steps = data_set.split("/")
    if not all(steps) or steps[0] in _TAKEN or len(data_set) > _LONGEST:
        raise UsageError(f"{data_set!r} is no name for a data set; `bulkgladly dataset show DIR` lists those there are")
    return PurePosixPath(*(file_stem(step) for step in steps))


def data_set_of_place(place: PurePosixPath) -> str:
    """Return the name of the data set whose folder this is."""
    return "/".join(unquote(step) for step in place.parts)


def manifest_place(data_set: str, unit: str) -> PurePosixPath:
    """Return where the manifest of a unit stands."""
    return MANIFESTS / place_of(data_set) / f"{file_stem(unit)}.json"


def next_place(data_set: str, unit: str) -> PurePosixPath:
    """Return where the manifest of a unit stands while it is being published."""
    return MANIFESTS / place_of(data_set) / f"{file_stem(unit)}.json.next"


def note_place(data_set: str, name: str) -> PurePosixPath:
    """Return where a note about a data set stands; no manifest has a name like it."""
    return MANIFESTS / place_of(data_set) / f"_{file_stem(name)}.json"


def rejects_place(data_set: str, unit: str) -> PurePosixPath:
    """Return where the rejects of a unit stand."""
    return REJECTS / place_of(data_set) / f"{file_stem(unit)}.ndjson"


def raw_place(data_set: str, unit: str) -> PurePosixPath:
    """Return where the lines of a unit stand as they came."""
    return RAW / place_of(data_set) / f"{file_stem(unit)}.jsonl.zst"


def is_part(name: str) -> bool:
    """Tell whether a file of this name could be a part of ours."""
    return _PART.fullmatch(name) is not None


def is_partial(name: str) -> bool:
    """Tell whether a file of this name could be one of ours that was not finished."""
    return name.startswith(".") and name.endswith(".partial")
