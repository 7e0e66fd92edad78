"""What can be wrong with a data folder: one finding for each thing, with its place and the fix."""

import enum
from dataclasses import dataclass
from pathlib import Path

from bulkgladly.lake.places import INCOMING

__all__ = ("Finding", "FindingKind", "foreign", "unnamed")

_OF_DESKTOPS = frozenset((".DS_Store", "desktop.ini", "Thumbs.db", "ehthumbs.db", ".directory", ".localized"))
_OF_ENGINES = frozenset(("_SUCCESS", "_metadata", "_common_metadata"))


class FindingKind(enum.StrEnum):
    """What can be wrong."""

    DAMAGED_MANIFEST = "damaged_manifest"
    MISPLACED = "misplaced"
    NAMED_TWICE = "named_twice"
    HOST = "host"
    MISSING = "missing"
    SIZE = "size"
    HASH = "hash"
    ROWS = "rows"
    SCHEMA = "schema"
    COUNTS = "counts"
    UNNAMED = "unnamed"
    FOREIGN = "foreign"
    UNFINISHED = "unfinished"
    INCOMPLETE = "incomplete"
    GAP = "gap"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: where (relative to the folder), what, and the way out."""

    kind: FindingKind
    data_set: str
    unit: str | None
    path: str | None
    detail: str
    way_out: str


def unnamed(path: Path, top: Path) -> Finding:
    """Return the finding about a file of ours that no manifest names."""
    is_incoming = path.relative_to(top).parts[0] == INCOMING
    seen = "nobody reads it there" if is_incoming else "readers of whole folders count its rows until then"
    way_out = f"the next export or compact removes it; {seen}"
    return _stray(FindingKind.UNNAMED, path, top, "no manifest names it", way_out)


def foreign(path: Path, top: Path) -> Finding:
    """Return the finding about a file among the parts that is not ours."""
    detail, way_out = (
        "was not written here, or is damaged",
        "move it out of the data set; readers of whole folders take it for a part",
    )
    if maker := _maker_of(path.name):
        detail = f"was left here by {maker}"
        way_out = "delete it; Polars or DuckDB cannot open a folder with such files"
    elif not {".parquet", ".ndjson", ".csv"}.intersection(path.suffixes):
        detail = "was not written here"
        way_out = "move it out of the data set; some readers, such as Polars, cannot open a folder with other files"
    return _stray(FindingKind.FOREIGN, path, top, detail, way_out)


def _maker_of(name: str) -> str | None:
    """Return who leaves files of this name in folders that are looked at or copied, where that is known."""
    if name.startswith("._") or name in _OF_DESKTOPS:
        return "a file manager"
    if name in _OF_ENGINES or name.endswith(".crc"):
        return "Spark or a reader like it"
    return None


def _stray(kind: FindingKind, path: Path, top: Path, detail: str, way_out: str) -> Finding:
    place = path.relative_to(top)
    data_set = next(step for step in place.parts if not step.startswith("_"))
    return Finding(kind, data_set, None, place.as_posix(), detail, way_out)
