"""Where everything lies below the top folder, and how values from outside become names of files and folders. Pure.

    _bulkgladly.json                          the marker: whose data this is, and in which format
    <data set>/[type=../date=..]/<part>       rows; the folders can also be others, see `partition_in`
    current/<data set>/part-0001.parquet      one row per key, made by `compact`
    media/                                    files that rows refer to, see `side_files`
    _manifest/<data set>/<unit>.json          what is published; `.json.next` is being published
    _manifest/<data set>/_<memo>.json         what is remembered about a data set
    _rejects/<data set>/<unit>.ndjson         lines that could not become rows
    _raw/<data set>/<unit>.jsonl.zst          files as they were downloaded
    _incoming/<place>                         what is being written, at the place it will have

The folder of a data set holds published parts and nothing else, because some readers (Polars) refuse
a folder with any other file, even a hidden one.

Other readers of Parquet skip names that begin with an underscore or a dot. No name made of a value
from outside begins with one, and none leads out of its folder: each is one safe path segment that Hive
readers turn back into the value.
"""

import hashlib
import re
from pathlib import Path, PurePosixPath
from urllib.parse import quote, unquote

from bulkgladly.errors import UsageError

__all__ = (
    "CURRENT",
    "INCOMING",
    "LOCK",
    "MANIFESTS",
    "MARKER",
    "MARK_LENGTH",
    "RAW",
    "REJECTS",
    "Partition",
    "data_set_of_manifest",
    "data_set_of_place",
    "file_stem",
    "folder_of",
    "is_part",
    "is_partial",
    "manifest_place",
    "memo_place",
    "next_place",
    "partition_in",
    "place_of",
    "raw_place",
    "rejects_place",
    "segment",
)

# --- Names made of values from outside ---

Partition = tuple[tuple[str, str | None], ...]
"""Names and values of the folders of a row, outermost first; None stands for no value."""

_NO_VALUE = {"type": "UNTYPED", "entity": "UNTYPED", "date": "0001-01-01", "month": "0001-01"}
"""How no value is spelled. Hive's own word for null would suit DuckDB, Polars and Spark, but pandas and
pyarrow's read_table fail on it. The columns in the file are still null."""
_SPELLED = {"": "~EMPTY", "__HIVE_DEFAULT_PARTITION__": "~HIVE_DEFAULT_PARTITION"}
"""Values that readers would read as null, or refuse. No other name begins with a `~`."""
_SPELLED_DATES = {**_SPELLED, _NO_VALUE["date"]: "0001-1-1"}
"""That date in another form. If it were percent-encoded, DuckDB would read the dates of all folders as text."""
_SPELLED_MONTHS = {**_SPELLED, _NO_VALUE["month"]: "0001-1"}
_OWN = {"date": _SPELLED_DATES, "month": _SPELLED_MONTHS}
_LOWER = re.compile(r"%[0-9A-F]{2}|[a-z]")
_MOST_BYTES = 150
MARK_LENGTH = 17
"""The length of the end of a name that was cut: a `~` and 16 digits."""


def segment(value: str, most: int = _MOST_BYTES) -> str:
    """Return a value percent-encoded; one longer than `most` is cut there and ends in a hash of the whole value."""
    return _cut(quote(value, safe="", errors="surrogatepass"), value, most)


def _cut(made: str, value: str, most: int = _MOST_BYTES) -> str:
    if len(made) <= most:
        return made
    mark = hashlib.blake2b(value.encode("utf-8", "surrogatepass"), digest_size=MARK_LENGTH // 2).hexdigest()
    cut = made[:most]
    # Never within an escape: `%4` would be turned back into something else.
    whole = cut[: cut.rindex("%")] if "%" in cut[-2:] else cut
    return f"{whole}~{mark}"


def file_stem(value: str) -> str:
    """Return a value as the beginning of a file name that no reader skips.

    pyarrow, pandas and Spark skip files that begin with a dot or an underscore, and ids of Gladly may
    begin with one.
    """
    made = segment(value)
    return f"%{ord(made[0]):02X}{made[1:]}" if made[:1] in ("_", ".", "-", "~") else made


def folder_of(partition: Partition) -> PurePosixPath:
    """Return the folders of a partition, below its data set.

    Two partitions never share a folder, even on a disk that treats `SMS` and `sms` as one name, and
    no value has the folder of rows without a value.
    """
    return PurePosixPath(*(f"{name}={_spelled(name, value)}" for name, value in partition))


def _spelled(name: str, value: str | None) -> str:
    if value is None:
        return _NO_VALUE[name]
    if (ours := _OWN.get(name, _SPELLED).get(value)) is not None:
        return ours
    made = _cut(_LOWER.sub(_upper, quote(value, safe="", errors="surrogatepass")), value)
    is_ours = made.startswith("~") or made == _NO_VALUE.get(name)
    return f"%{ord(made[0]):02X}{made[1:]}" if is_ours else made


def _upper(found: re.Match[str]) -> str:
    """Return a lower-case letter percent-encoded; what is already encoded stays."""
    text = found.group()
    return text if text.startswith("%") else f"%{ord(text):02X}"


def partition_in(part: str) -> tuple[str, ...]:
    """Return the names of the folders of a part, outermost first, by its path below its data set."""
    return tuple(step.partition("=")[0] for step in PurePosixPath(part).parts[:-1] if "=" in step)


# --- Places ---

MARKER, LOCK = "_bulkgladly.json", "_lock"
MANIFESTS, REJECTS, RAW, CURRENT, INCOMING = "_manifest", "_rejects", "_raw", "current", "_incoming"
_PART = re.compile(r"[\w%][\w%.~-]*-\d{4,}\.(?:parquet|(?:ndjson|csv)(?:\.(?:zst|gz))?)", re.ASCII)
_TAKEN = (CURRENT, "media")
_LONGEST = 100


def place_of(data_set: str) -> PurePosixPath:
    """Return the folder of a data set; a slash in its name separates folders.

    Raises:
        UsageError: It cannot be the name of a data set.
    """
    steps = data_set.split("/")
    if not all(steps) or steps[0] in _TAKEN or len(data_set) > _LONGEST:
        raise UsageError(
            f"{data_set!r} cannot be the name of a data set; run `bulkgladly dataset show DIR` to list them"
        )
    return PurePosixPath(*(file_stem(step) for step in steps))


def data_set_of_place(place: PurePosixPath) -> str:
    """Return the name of the data set whose folder this is."""
    return "/".join(unquote(step) for step in place.parts)


def data_set_of_manifest(path: Path, top: Path) -> str:
    """Return the name of the data set of a manifest, a decision or a memo, by where it lies below the top folder."""
    return data_set_of_place(PurePosixPath(*path.relative_to(top).parts[1:-1]))


def manifest_place(data_set: str, unit: str) -> PurePosixPath:
    """Return the place of the manifest of a unit."""
    return MANIFESTS / place_of(data_set) / f"{file_stem(unit)}.json"


def next_place(data_set: str, unit: str) -> PurePosixPath:
    """Return the place of the manifest of a unit while it is being published."""
    return MANIFESTS / place_of(data_set) / f"{file_stem(unit)}.json.next"


def memo_place(data_set: str, name: str) -> PurePosixPath:
    """Return the place of a memo about a data set; no manifest can have such a name."""
    return MANIFESTS / place_of(data_set) / f"_{file_stem(name)}.json"


def rejects_place(data_set: str, unit: str) -> PurePosixPath:
    """Return the place of the rejects of a unit."""
    return REJECTS / place_of(data_set) / f"{file_stem(unit)}.ndjson"


def raw_place(data_set: str, unit: str) -> PurePosixPath:
    """Return the place of the raw lines of a unit."""
    return RAW / place_of(data_set) / f"{file_stem(unit)}.jsonl.zst"


def is_part(name: str) -> bool:
    """Tell whether a file of this name could be a part of ours."""
    return _PART.fullmatch(name) is not None


def is_partial(name: str) -> bool:
    """Tell whether a file of this name could be an unfinished one of ours."""
    return name.startswith(".") and name.endswith(".partial")
