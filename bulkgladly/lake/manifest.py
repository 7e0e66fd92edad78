"""The manifest of one unit of a data set: its parts, counts, hashes, and the time it covers.

A unit is a piece that is published as a whole. `_manifest/<data set>/<unit>.json` is written last, and
a file that no manifest names does not count.
"""

import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import orjson

from bulkgladly.documents import Members, members_of
from bulkgladly.errors import InputError, UsageError
from bulkgladly.lake.rows import Drift, DriftKind

__all__ = (
    "FORMAT",
    "Manifest",
    "PartEntry",
    "SideFile",
    "Span",
    "manifest_from",
    "manifest_json",
    "order_of_publishing",
    "read_manifest",
    "taken_manifest",
)

FORMAT = 2
"""2 added `sequence` and `digest`. Manifests of format 1 have neither and are still read."""
_SEALED = 2
"""The first format with a digest."""

Span = tuple[dt.datetime, dt.datetime]
"""From a first instant to the first instant after it."""


@dataclass(frozen=True, slots=True)
class PartEntry:
    """One part, as a manifest names it. `path` is relative to the folder of its data set.

    Until it is published under that name, it has the name `partial`, relative to where it was written.
    """

    path: str
    partial: str
    rows: int
    bytes: int
    blake2b: str
    min_timestamp: dt.datetime | None
    max_timestamp: dt.datetime | None
    schema_version: int


@dataclass(frozen=True, slots=True)
class SideFile:
    """A file of a unit that is not a part. `kind` is `rejects` or `raw`; `path` is relative to the top folder.

    `partial` is its name until it is published. `lines` is None if they were not counted.
    """

    kind: str
    path: str
    partial: str
    lines: int | None
    bytes: int
    blake2b: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """One unit. Paths of parts are relative to the folder of their data set.

    lines = rows + rejected + blank. `covered` is the time for which the unit has everything, from its
    first instant to the first after it. `source` says where it came from. `incomplete` says what is
    missing, or is None. `generation` counts how often the unit was published. `sequence` counts what
    was published of the data set: it tells which of two units is newer, whatever the clock said; None
    if the version that wrote it did not count.
    """

    data_set: str
    unit: str
    schema_version: int
    rows: int
    lines: int
    rejected: int
    blank: int
    parts: tuple[PartEntry, ...]
    written_at: dt.datetime
    host: str | None
    version: str
    others: tuple[SideFile, ...] = ()
    covered: Span | None = None
    source: Mapping[str, Any] = field(default_factory=dict)
    drift: tuple[Drift, ...] = ()
    incomplete: str | None = None
    generation: int = 1
    sequence: int | None = None
    format: int = FORMAT

    @property
    def bytes(self) -> int:
        """The size of all parts together."""
        return sum(part.bytes for part in self.parts)

    @property
    def is_balanced(self) -> bool:
        """Whether every line became a row or a reject, or was blank, and every row is in a part."""
        return self.lines == self.rows + self.rejected + self.blank and self.rows == sum(p.rows for p in self.parts)


def manifest_json(manifest: Manifest) -> dict[str, Any]:
    """Return a manifest as its document holds it, with the names that files have once they are published."""
    found = asdict(manifest)
    for file in (*found["parts"], *found["others"]):
        del file["partial"]
    return {**found, "digest": _digest(found)}


def order_of_publishing(manifest: Manifest) -> tuple[int, dt.datetime, str]:
    """Return what sorts the units of a data set from the one published first to the newest.

    Units of versions that did not count come first, by their time.
    """
    return manifest.sequence or 0, manifest.written_at, manifest.unit


def _digest(document: Mapping[str, Any]) -> str:
    """Return the BLAKE2b (16 bytes, in hex) of a manifest, independent of order and spacing in its document."""
    content = {name: value for name, value in document.items() if name not in ("digest", "format")}
    made = orjson.dumps(content, option=orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z)
    return hashlib.blake2b(made, digest_size=16).hexdigest()


def manifest_from(content: bytes, name: str) -> Manifest:
    """Return the manifest in a document; messages call it `name`.

    Raises:
        InputError: It is damaged.
        UsageError: It was written by a newer version.
    """
    try:
        members = members_of(content, FORMAT)
        if members is None:
            raise UsageError(f"{name} was written by a newer version of bulkgladly; use that version")
        return taken_manifest(members)
    except ValueError as exc:
        raise InputError(
            f"{name} cannot be used: {exc}; restore it, or remove it so that the next export fetches it again"
        ) from exc


def read_manifest(path: Path) -> Manifest:
    """Return the manifest in a file.

    Raises:
        InputError: It is damaged, or cannot be read.
        UsageError: It was written by a newer version.
    """
    try:
        content = path.read_bytes()
    except OSError as exc:
        raise InputError(f"{path}: {exc.strerror}") from exc
    return manifest_from(content, str(path))


def taken_manifest(members: Members) -> Manifest:
    """Return the manifest with these members, which lack `format`.

    Raises:
        ValueError: They are not those of a manifest, or the document was changed after it was written.
    """
    # Before any member is taken: the digest is that of all of them.
    digest = _digest(members.rest())
    written = members.text("digest") if members.format >= _SEALED else digest
    found = Manifest(
        data_set=members.text("data_set"),
        unit=members.text("unit"),
        schema_version=members.count("schema_version"),
        rows=members.count("rows"),
        lines=members.count("lines"),
        rejected=members.count("rejected"),
        blank=members.count("blank"),
        parts=tuple(_part(part) for part in members.objects("parts")),
        written_at=members.time("written_at"),
        host=members.text_or_none("host"),
        version=members.text("version"),
        others=tuple(_other(other) for other in members.objects("others")),
        covered=_span(members),
        source=members.mapping("source"),
        drift=tuple(_drift(drift) for drift in members.objects("drift")),
        incomplete=members.text_or_none("incomplete"),
        generation=members.count("generation"),
        sequence=members.count_or_none("sequence") if members.format >= _SEALED else None,
    )
    members.end()
    if written != digest:
        raise ValueError("it was changed after it was written")
    return found


# --- What a manifest holds within ---


def _part(members: Members) -> PartEntry:
    path = members.text("path")
    found = PartEntry(
        path=path,
        partial=path,
        rows=members.count("rows"),
        bytes=members.count("bytes"),
        blake2b=members.text("blake2b"),
        min_timestamp=members.time_or_none("min_timestamp"),
        max_timestamp=members.time_or_none("max_timestamp"),
        schema_version=members.count("schema_version"),
    )
    members.end()
    return found


def _other(members: Members) -> SideFile:
    kind, path = members.text("kind"), members.text("path")
    lines = members.count_or_none("lines")
    found = SideFile(kind, path, path, lines, members.count("bytes"), members.text("blake2b"))
    members.end()
    return found


def _drift(members: Members) -> Drift:
    found = Drift(
        members.text("path"), DriftKind(members.text("kind")), members.count("count"), members.count("first_line")
    )
    members.end()
    return found


def _span(members: Members) -> Span | None:
    times = members.times_or_none("covered")
    if times is None:
        return None
    if len(times) != 2:
        raise ValueError("covered is not a pair of times")
    return times[0], times[1]
