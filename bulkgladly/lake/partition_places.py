"""Names of folders and files made of values that come from outside. Pure.

Each name is one safe path segment that Hive readers turn back into the value.
"""

import hashlib
import re
from pathlib import PurePosixPath
from urllib.parse import quote

__all__ = ("MARK_LENGTH", "Partition", "file_stem", "folder_of", "segment")

Partition = tuple[tuple[str, str | None], ...]
"""Names and values of the folders a row goes to, outermost first; None where there is no value."""

_NO_VALUE = {"type": "UNTYPED", "entity": "UNTYPED", "date": "0001-01-01"}
"""How no value is spelled. Hive's own word for null would suit DuckDB, Polars and Spark, but pandas and
pyarrow's read_table fail on it. The columns in the file are null all the same."""
_SPELLED = {"": "~EMPTY", "__HIVE_DEFAULT_PARTITION__": "~HIVE_DEFAULT_PARTITION"}
"""Values that readers would take for null, or refuse: a `~` at the beginning is ours alone."""
_SPELLED_DATES = {**_SPELLED, _NO_VALUE["date"]: "0001-1-1"}
"""That date in another form: percent-encoded, DuckDB would read the dates of all folders as text."""
_LOWER = re.compile(r"%[0-9A-F]{2}|[a-z]")
_MOST_BYTES = 150
MARK_LENGTH = 17
"""What is put to the end of a name that was cut: a `~` and 16 digits."""


def segment(value: str, most: int = _MOST_BYTES) -> str:
    """Return a value percent-encoded; one that is longer than `most` is cut there, and ends in a hash of all of it."""
    return _cut(quote(value, safe="", errors="surrogatepass"), value, most)


def _cut(made: str, value: str, most: int = _MOST_BYTES) -> str:
    if len(made) <= most:
        return made
    mark = hashlib.blake2b(value.encode("utf-8", "surrogatepass"), digest_size=MARK_LENGTH // 2).hexdigest()
    cut = made[:most]
    whole = cut[: cut.rindex("%")] if "%" in cut[-2:] else cut
    return f"{whole}~{mark}"


def file_stem(value: str) -> str:
    """Return a value as the beginning of a file name that no reader passes over.

    pyarrow, pandas and Spark do not see files that begin with a dot or an underscore, and
    Gladly's ids may begin with one.
    """
    made = segment(value)
    return f"%{ord(made[0]):02X}{made[1:]}" if made[:1] in ("_", ".", "-", "~") else made


def folder_of(partition: Partition) -> PurePosixPath:
    """Return the folders of a partition, below its data set.

    Two partitions never share a folder, also on a disk that takes `SMS` and `sms` for one
    name, and no value has the folder of those that have none.
    """
    return PurePosixPath(*(f"{name}={_spelled(name, value)}" for name, value in partition))


def _spelled(name: str, value: str | None) -> str:
    if value is None:
        return _NO_VALUE[name]
    if (ours := (_SPELLED_DATES if name == "date" else _SPELLED).get(value)) is not None:
        return ours
    made = _cut(_LOWER.sub(_upper, quote(value, safe="", errors="surrogatepass")), value)
    is_ours = made.startswith("~") or made == _NO_VALUE.get(name)
    return f"%{ord(made[0]):02X}{made[1:]}" if is_ours else made


def _upper(found: re.Match[str]) -> str:
    """Return a lower-case letter percent-encoded; what is encoded already stays."""
    text = found.group()
    return text if text.startswith("%") else f"%{ord(text):02X}"
