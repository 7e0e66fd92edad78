"""Names of folders and files made of values that come from outside. Pure.

Each name is one safe path segment that Hive readers turn back into the value.
"""

import hashlib
from pathlib import PurePosixPath
from urllib.parse import quote

__all__ = ("Partition", "file_stem", "folder_of", "segment")

Partition = tuple[tuple[str, str | None], ...]
"""Names and values of the folders a row goes to, outermost first; None where there is no value."""

_NO_VALUE = {"type": "UNTYPED", "entity": "UNTYPED", "date": "0001-01-01"}
# Hive's own word for null would do for DuckDB, Polars and Spark, but pandas and
# pyarrow's read_table fail on it. The columns in the file are null all the same.
_MOST_BYTES = 150


def segment(value: str) -> str:
    """Return a value percent-encoded; a very long one is cut and ends in a hash of all of it."""
    made = quote(value, safe="", errors="surrogatepass")
    if len(made) <= _MOST_BYTES:
        return made
    mark = hashlib.blake2b(value.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    cut = made[:_MOST_BYTES]
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
    """Return the folders of a partition, below its data set; an empty value counts as none."""
    return PurePosixPath(*(f"{name}={segment(value) if value else _NO_VALUE[name]}" for name, value in partition))
