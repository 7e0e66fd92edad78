"""What is published on a side, a data folder or a prefix of a store: documents, and the files that they name.

A document is a manifest, or what is remembered about a data set. Documents are small and are compared by their
bytes; a file is what its document says: this many bytes with this hash.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from bulkgladly.errors import InputError
from bulkgladly.lake.current_folder import UNIT, folder_of_current
from bulkgladly.lake.manifest import Manifest, manifest_from
from bulkgladly.lake.places import CURRENT, MANIFESTS, place_of

__all__ = ("MEDIA", "Document", "NamedFile", "document_in", "documents_below", "files_below", "is_document", "is_same")

MEDIA = "media"


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A file that a manifest names, by its path below the top."""

    path: str
    bytes: int
    blake2b: str


@dataclass(frozen=True, slots=True)
class Document:
    """A manifest or a memo: its path below the top, its bytes, and the files that it names."""

    path: str
    content: bytes
    files: tuple[NamedFile, ...] = ()
    data_set: str = ""
    sequence: int = 0


def is_document(path: str) -> bool:
    """Tell whether this is the path of a manifest or a memo that is published. Pure."""
    place = PurePosixPath(path)
    return place.parts[:1] == (MANIFESTS,) and place.suffix == ".json" and not place.name.startswith(".")


def document_in(path: str, content: bytes, where: str) -> Document:
    """Return a document and what it names; `where` begins its name in messages. Pure.

    Raises:
        InputError: It is damaged, or lies at a place that is not its own.
        UsageError: It was written by a newer version.
    """
    if PurePosixPath(path).name.startswith("_"):
        return Document(path, content)
    name = f"{where}/{path}"
    manifest = manifest_from(content, name)
    is_current = PurePosixPath(path).parts[1:2] == (CURRENT,)
    if is_current and manifest.unit != UNIT:
        raise InputError(f"{name} belongs to the unit {manifest.unit!r}; move it back to its own place")
    folder = folder_of_current(manifest.data_set) if is_current else place_of(manifest.data_set)
    if not path.startswith(f"{MANIFESTS}/{folder}" + (".json" if is_current else "/")):
        raise InputError(f"{name} belongs to the data set {manifest.data_set}; move it back to its own folder")
    return Document(path, content, tuple(_named(manifest, folder)), manifest.data_set, manifest.sequence or 0)


def _named(manifest: Manifest, folder: PurePosixPath) -> Iterator[NamedFile]:
    for part in manifest.parts:
        yield NamedFile((folder / part.path).as_posix(), part.bytes, part.blake2b)
    for other in manifest.others:
        yield NamedFile(other.path, other.bytes, other.blake2b)


def documents_below(top: Path) -> Mapping[str, Path]:
    """Return the published documents of a data folder: their paths below its top, and where they are."""
    found: dict[str, Path] = {}
    for at, names, files in os.walk(top / MANIFESTS):
        names.sort()
        for path in (Path(at, name) for name in sorted(files)):
            name = path.relative_to(top).as_posix()
            if is_document(name):
                found[name] = path
    return found


def files_below(top: Path, folder: str) -> Iterator[tuple[str, os.stat_result]]:
    """Yield the files in one folder of a data folder, by their paths below its top; links are passed over."""
    for at, names, files in os.walk(top / folder):
        names.sort()
        for path in (Path(at, name) for name in sorted(files)):
            if not path.is_symlink():
                yield path.relative_to(top).as_posix(), path.stat()


def is_same(content: bytes, e_tag: str | None) -> bool:
    """Tell whether a store's ETag proves that it holds this content: most stores use the MD5 of small objects."""
    return (e_tag or "").strip('"') == hashlib.md5(content, usedforsecurity=False).hexdigest()
