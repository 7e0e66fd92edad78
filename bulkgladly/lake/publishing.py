"""How a unit is published, and what is cleaned up after a kill.

First all files of the unit are written and synced below `_incoming`. Then `<unit>.json.next` is
written: the manifest, which file gets which name, and what is replaced. From that moment the unit is
decided, and what follows can be interrupted anywhere and repeated, also by the next process that takes
the lock:

1. the files that it replaces are removed, and the manifests of other units that it replaces,
2. its own files get their names, in folders that are created for them, and these are synced,
3. `<unit>.json.next` becomes `<unit>.json`.

New and old files never share a name, so that each step can tell whether it is done. Once every decision
is carried out, files of ours that no manifest names are removed.
"""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.parquet as pq

from bulkgladly.documents import Members, as_json, members_of
from bulkgladly.errors import InputError, UsageError
from bulkgladly.lake.current_folder import remove_tree, settle_folders
from bulkgladly.lake.manifest import FORMAT, Manifest, manifest_json, taken_manifest
from bulkgladly.lake.places import (
    INCOMING,
    MANIFESTS,
    MARKER,
    RAW,
    REJECTS,
    is_part,
    is_partial,
    manifest_place,
    next_place,
    place_of,
)
from bulkgladly.storage.durable import below, partial_of, sync_folder, write_whole

__all__ = (
    "Decision",
    "carry_out",
    "decide",
    "files_of",
    "foreign_files",
    "is_ours",
    "read_decision",
    "remove_empty_folders",
    "remove_leftovers",
    "unnamed_files",
    "write_decision",
)

# --- Deciding, and carrying out ---


@dataclass(frozen=True, slots=True)
class Decision:
    """What a commit does. All names are relative to the top folder; `renames` are pairs of hidden and final names."""

    manifest: Manifest
    renames: tuple[tuple[str, str], ...]
    removes: tuple[str, ...]
    drops: tuple[str, ...]
    """The manifests of other units that are replaced."""


def files_of(manifest: Manifest) -> Iterable[str]:
    """Yield the names of all files of a published unit, relative to the top folder."""
    folder = place_of(manifest.data_set)
    yield from ((folder / part.path).as_posix() for part in manifest.parts)
    yield from (other.path for other in manifest.others)


def decide(top: Path, manifest: Manifest, replaces: Sequence[Manifest]) -> Decision:
    """Return the decision that publishes a unit.

    Raises:
        UsageError: A file of that name exists and is not replaced.
        InputError: A name leads out of the folder.
    """
    folder = place_of(manifest.data_set)
    aside = INCOMING / folder
    renames = [((aside / part.partial).as_posix(), (folder / part.path).as_posix()) for part in manifest.parts]
    renames += [(other.partial, other.path) for other in manifest.others]
    if len({final for _, final in renames}) < len(renames):
        raise ValueError(f"{manifest.data_set} {manifest.unit}: two files have one name")
    for names in renames:
        for name in names:
            below(top, name)
    for _, name in renames:
        if top.joinpath(name).exists():
            raise UsageError(f"{top / name} exists already and belongs to another unit; move it out of the data set")
    own = manifest_place(manifest.data_set, manifest.unit)
    drops = {manifest_place(old.data_set, old.unit) for old in replaces} - {own}
    removes = [name for old in replaces for name in files_of(old)]
    return Decision(manifest, tuple(renames), tuple(removes), tuple(sorted(place.as_posix() for place in drops)))


def write_decision(top: Path, decision: Decision) -> Path:
    """Write a decision. When this returns, the unit will be published whatever happens.

    The folders of its files are synced first: the disk must have the names before a decision refers to them.
    """
    manifest = decision.manifest
    _sync_folders(top, {below(top, hidden).parent for hidden, _ in decision.renames})
    path = below(top, next_place(manifest.data_set, manifest.unit).as_posix())
    content = {
        "format": FORMAT,
        "manifest": manifest_json(manifest),
        "renames": decision.renames,
        "removes": decision.removes,
        "drops": decision.drops,
    }
    write_whole(path, as_json(content))
    return path


def carry_out(top: Path, path: Path) -> Manifest:
    """Carry out a decision, or what is left of it, and return the manifest that is now published.

    Raises:
        InputError: The decision is damaged, or a file that it names is missing.
        UsageError: It was written by a newer version.
    """
    # Read from the disk even right after it was written, so that the normal path and the one after a kill are the same.
    decision = read_decision(path)
    manifest = decision.manifest
    touched = {below(top, name).parent for name in decision.removes if _remove(below(top, name))}
    for name in decision.drops:
        _remove(below(top, name))
        touched.add(below(top, name).parent)
    # Old files are removed first: a reader may miss rows for a moment, but never counts them twice.
    for hidden, name in decision.renames:
        _rename(below(top, hidden), below(top, name))
        touched.add(below(top, name).parent)
    _sync_folders(top, touched)
    final = below(top, manifest_place(manifest.data_set, manifest.unit).as_posix())
    write_whole(final, as_json(manifest_json(manifest)))
    path.unlink()
    sync_folder(path.parent)
    return manifest


def _sync_folders(top: Path, folders: Iterable[Path]) -> None:
    """Sync folders and all above them up to the top, innermost first: any of them may be new."""
    for folder in sorted({above for at in folders for above in (at, *at.parents)}, reverse=True):
        if folder == top or top in folder.parents:
            sync_folder(folder)


def _remove(path: Path) -> bool:
    """Remove a file, or a link but not its target; tell whether its folder exists and can be synced."""
    path.unlink(missing_ok=True)
    return path.parent.is_dir()


def _rename(hidden: Path, final: Path) -> None:
    # Done already if only the final name exists. A link in `_incoming` is not ours and is never published.
    if hidden.is_file() and not hidden.is_symlink():
        final.parent.mkdir(parents=True, exist_ok=True)
        hidden.replace(final)
    elif not final.is_file():
        raise InputError(
            f"{final} was about to be published, but is missing; remove the .json.next files in the folder _manifest "
            "that name it, and export again"
        )


def read_decision(path: Path) -> Decision:
    """Return the decision in a file.

    Raises:
        InputError: It is damaged.
        UsageError: It was written by a newer version.
    """
    try:
        members = members_of(path.read_bytes(), FORMAT)
        if members is None:
            raise UsageError(f"{path} was written by a newer version of bulkgladly; use that version")
        about = Members(members.mapping("manifest"), "manifest")
        about.format = about.count("format")
        if about.format > FORMAT:
            raise ValueError("a newer format within")
        decision = Decision(
            taken_manifest(about),
            tuple((str(hidden), str(final)) for hidden, final in members.items("renames")),
            tuple(str(name) for name in members.items("removes")),
            tuple(str(name) for name in members.items("drops")),
        )
        members.end()
    except (ValueError, TypeError) as exc:
        raise InputError(f"{path} is damaged: {exc}; remove it, and export its unit again") from exc
    return decision


# --- What kills leave behind ---


def remove_leftovers(top: Path, data_sets: Sequence[str], named: set[str]) -> tuple[Path, ...]:
    """Remove the files of ours that no manifest names, and return them; `named` are those that a manifest names.

    All of `_incoming` is removed, so interrupted commits must be carried out before. Elsewhere only
    files are removed that could be ours: by their place and name, and a Parquet file also by its
    footer. Links are removed as links, and never followed.
    """
    removed = list(unnamed_files(top, data_sets, named))
    for path in removed:
        path.unlink(missing_ok=True)
    remove_tree(top / INCOMING)
    partial_of(top / MARKER).unlink(missing_ok=True)
    for data_set in data_sets:
        remove_empty_folders(top / place_of(data_set), lambda folder: "=" in folder.name)
    return (*removed, *settle_folders(top))


def unnamed_files(top: Path, data_sets: Sequence[str], named: set[str]) -> Iterator[Path]:
    """Yield each file of ours below a top folder that is not among those named."""
    yield from (path for path in _files_below(top, PurePosixPath(INCOMING)) if _name(path, top) not in named)
    for place in _outermost(data_sets):
        for path in _files_below(top, place):
            if _name(path, top) not in named and is_ours(path):
                yield path
        yield from (path for path in _files_below(top, MANIFESTS / place) if is_partial(path.name))
        for room in (REJECTS, RAW):
            yield from (path for path in _files_below(top, room / place) if _name(path, top) not in named)


def foreign_files(top: Path, data_sets: Sequence[str], named: set[str]) -> Iterator[Path]:
    """Yield the files among the parts that are not ours, hidden ones included.

    Some readers read them as parts, others refuse a folder that holds anything else.
    """
    for place in _outermost(data_sets):
        for path in _files_below(top, place):
            if _name(path, top) not in named and not is_ours(path):
                yield path


def is_ours(path: Path) -> bool:
    """Tell whether a file among the parts could be one of ours, whole or unfinished."""
    return is_partial(path.name) or (is_part(path.name) and _may_be_ours(path))


def _outermost(data_sets: Sequence[str]) -> list[PurePosixPath]:
    """Return the folders of data sets, except those inside the folder of another."""
    places = {place_of(name) for name in data_sets}
    return sorted(place for place in places if not places.intersection(place.parents))


def _name(path: Path, top: Path) -> str:
    return path.relative_to(top).as_posix()


def _files_below(top: Path, place: PurePosixPath) -> Iterator[Path]:
    folder = top
    for step in place.parts:
        folder /= step
        if folder.is_symlink():
            return
    for at, names, files in os.walk(folder):
        names.sort()
        links = [name for name in names if Path(at, name).is_symlink()]
        yield from (Path(at, name) for name in sorted(files + links))


def _may_be_ours(path: Path) -> bool:
    """Tell whether a file may be a part of ours: a Parquet file of others names no data set in its footer."""
    if path.suffix != ".parquet" or path.is_symlink():
        return True
    try:
        metadata = pq.read_schema(path).metadata or {}
    except (OSError, pa.ArrowException):
        return False
    return b"bulkgladly.data_set" in metadata


def remove_empty_folders(top: Path, is_ours: Callable[[Path], bool] = lambda _: True) -> None:
    """Remove a folder and those below it, if they are empty and ours."""
    if top.is_symlink():
        return
    for at, _, _ in os.walk(top, topdown=False):
        if is_ours(Path(at)):
            with contextlib.suppress(OSError):
                Path(at).rmdir()
