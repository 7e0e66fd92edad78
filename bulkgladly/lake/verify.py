"""Checks that a data folder holds what its manifests say: every part, count and hash, no gaps, and `current/`."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from bulkgladly.errors import InputError, UsageError
from bulkgladly.lake.catalogue import in_its_place
from bulkgladly.lake.current_folder import (
    announced,
    data_set_announced,
    folder_of_current,
    manifest_of_current,
    place_of_current,
)
from bulkgladly.lake.file_formats import rows_in
from bulkgladly.lake.findings import FindingKind, FolderFinding, about_file, about_part, foreign, unnamed
from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.manifest import Manifest, read_manifest
from bulkgladly.lake.places import CURRENT, MANIFESTS, data_set_of_manifest, data_set_of_place, memo_place, place_of
from bulkgladly.lake.published_rows import known_data_set, values_in
from bulkgladly.lake.publishing import Decision, files_of, foreign_files, is_ours, read_decision, unnamed_files
from bulkgladly.lake.report_table import COLUMNS_MEMO
from bulkgladly.lake.schemas import DATA_SETS, DataSet
from bulkgladly.lake.summaries import DataSetSummary, Summing, clock_warnings

__all__ = (
    "Verification",
    "verify",
)


@dataclass(frozen=True, slots=True)
class Verification:
    """All findings, and what was checked. Rejects are counted there, and are not findings.

    With `is_in_use`, another process was writing, and the files that it had begun were skipped.
    """

    is_deep: bool
    is_in_use: bool
    findings: tuple[FolderFinding, ...]
    data_sets: tuple[DataSetSummary, ...]
    warnings: tuple[str, ...] = ()
    """What a person should know although nothing is wrong with the folder: times in the future."""

    @property
    def is_sound(self) -> bool:
        """Whether nothing was found."""
        return not self.findings


def verify(folder: DataFolder, *, deep: bool = False) -> Verification:
    """Compare a data folder with its manifests.

    Every file that a manifest names must exist with its size, and no other manifest must name it;
    every Parquet part must have its rows and its declared schema. A manifest must be the one that the
    name of its file says, and unchanged. With `deep`, all bytes are read too: hashes, and the rows of
    text parts. `current/` is checked in the same way, and so are the files below `media/`, by the rows
    that name them. Files that a writer is just replacing may be reported as missing. Holds one manifest
    at a time, and the names of all files.

    Raises:
        UsageError: A manifest was written by a newer version.
    """
    look = _Look(folder, deep=deep)
    begun = list(look.begun())
    replaced = {name for _, decision in begun for name in decision.removes}
    for name in sorted(name for name, _ in folder.manifest_folders()):
        look.at_data_set(name)
    # Asked after the units are read: a writer that began in between would otherwise look like damage.
    is_in_use = folder.is_in_use()
    look.findings += _about_current(folder, deep=deep, is_in_use=is_in_use)
    # What an interrupted commit replaces may be missing already, and is about to be removed anyway.
    findings = [one for one in look.findings if one.path not in replaced]
    if not is_in_use:
        top = folder.path
        findings += [_unfinished(path, top, data_set_of_manifest(path, top), "publishing") for path, _ in begun]
        renames = {name for _, decision in begun for pair in decision.renames for name in pair}
        findings += look.strays(renames)
        # A refresh replaces a file before its index says so.
        findings += look.at_media()
    return Verification(
        is_deep=deep,
        is_in_use=is_in_use,
        findings=tuple(findings),
        data_sets=tuple(look.summaries),
        warnings=clock_warnings(
            {one.data_set: one.last_written_at for one in look.summaries if one.last_written_at}, folder.now()
        ),
    )


_OF_MEDIA = ("path", "bytes", "blake2b", "_fetched_at")
"""The columns of an index that say what a file must be, and since when."""


class _Look:
    """One check of all data sets, which adds to `findings` and `summaries`."""

    def __init__(self, folder: DataFolder, *, deep: bool) -> None:
        self.findings: list[FolderFinding] = []
        self.summaries: list[DataSetSummary] = []
        self._folder, self._deep = folder, deep
        self._names: list[str] = []
        self._named: dict[str, str] = {}

    def begun(self) -> Iterator[tuple[Path, Decision]]:
        """Yield the interrupted commits; one that cannot be read becomes a finding."""
        for path in self._folder.begun():
            try:
                yield path, read_decision(path)
            except InputError as error:
                self.findings.append(_damaged(path, self._folder.path, error))

    def at_data_set(self, name: str) -> None:
        """Check all units of a data set."""
        self._names.append(name)
        summary = Summing(name)
        known = _known(self._folder, name, self.findings)
        for path, manifest in self._readable(name):
            self._name_files(path, manifest)
            self.findings += _about_unit(self._folder, manifest, known, deep=self._deep)
            summary.add(manifest)
        if summary.summary.units:
            self.summaries.append(summary.done())
            self.findings += _about_gaps(self.summaries[-1])

    def strays(self, renames: set[str]) -> list[FolderFinding]:
        """Return the findings about files that no manifest names."""
        if any(one.kind == FindingKind.DAMAGED_MANIFEST for one in self.findings):
            return []  # a damaged manifest may name them
        top, named = self._folder.path, {*self._named, *renames}
        # Declared data sets are included even without any manifest: rows that no manifest names are a finding.
        places = sorted({*self._names, *(name for name in DATA_SETS if (top / place_of(name)).is_dir())})
        found = [unnamed(path, top) for path in unnamed_files(top, places, named)]
        return found + [foreign(path, top) for path in foreign_files(top, places, named)]

    def at_media(self) -> Iterator[FolderFinding]:
        """Yield the findings about the files below `media/` that the newest rows of an index name.

        Holds one entry for each file.
        """
        for data_set in self._names:
            index = DATA_SETS.get(data_set)
            if index is None or not set(_OF_MEDIA) <= set(index.schema.names):
                continue
            newest: dict[str, tuple[int, int, str]] = {}
            with contextlib.suppress(InputError):  # about a part, and reported with its unit
                for rows in values_in(self._folder, data_set, _OF_MEDIA):
                    for path, size, digest, at in rows:
                        if path is not None and (at or 0) >= newest.get(path, (-1,))[0]:
                            newest[path] = (at or 0, size, digest)
            way_out = f"restore it from a copy, or fetch all of them again: `bulkgladly export {data_set} --refresh`"
            for path, (_, size, digest) in newest.items():
                for kind, detail in about_file(self._folder.path, path, size, digest, deep=self._deep):
                    yield FolderFinding(kind, data_set, None, path, detail, way_out)

    def _readable(self, data_set: str) -> Iterator[tuple[Path, Manifest]]:
        """Yield the manifests that can be read, including misplaced ones."""
        top = self._folder.path
        for path in sorted(self._folder.unit_paths(data_set)):
            try:
                manifest = read_manifest(path)
            except InputError as error:
                self.findings.append(_damaged(path, top, error))
                continue
            try:
                in_its_place(manifest, data_set, path)
            except InputError as error:
                place = path.relative_to(top).as_posix()
                detail = _without_path(error, path)
                way_out = "move it back to its own place, or remove it if it is a copy: its rows count twice"
                self.findings.append(
                    FolderFinding(FindingKind.MISPLACED, data_set, manifest.unit, place, detail, way_out)
                )
            if manifest.data_set == data_set:
                yield path, manifest

    def _name_files(self, path: Path, manifest: Manifest) -> None:
        own: set[str] = set()
        for name in files_of(manifest):
            first = self._named.setdefault(name, path.name)
            if first != path.name or name in own:
                detail = f"is named by {first} and {path.name}" if first != path.name else f"is named twice by {first}"
                way_out = "remove the manifest that is a copy; if neither is, remove both and export again"
                self.findings.append(
                    FolderFinding(FindingKind.NAMED_TWICE, manifest.data_set, manifest.unit, name, detail, way_out)
                )
            own.add(name)


# --- One data set, one unit ---


def _known(folder: DataFolder, name: str, findings: list[FolderFinding]) -> DataSet | None:
    try:
        return known_data_set(folder, name)
    except InputError as error:
        place = memo_place(name, COLUMNS_MEMO).as_posix()
        way_out = "restore it; without it, no further report can be added"
        detail = "cannot be read: " + str(error).partition(": ")[2].partition(";")[0]
        findings.append(_finding(FindingKind.DAMAGED_MANIFEST, name, place, detail, way_out))
        return None


def _damaged(path: Path, top: Path, error: InputError) -> FolderFinding:
    way_out = "restore it, or remove it so that the next export fetches it again"
    place, detail = path.relative_to(top).as_posix(), _without_path(error, path)
    return _finding(FindingKind.DAMAGED_MANIFEST, data_set_of_manifest(path, top), place, detail, way_out)


def _without_path(error: InputError, path: Path) -> str:
    return str(error).removeprefix(f"{path} ").partition(";")[0]


def _about_unit(
    folder: DataFolder, manifest: Manifest, known: DataSet | None, *, deep: bool
) -> Iterator[FolderFinding]:
    top = folder.path
    again = "remove its manifest and export again, with --refresh if Gladly still has it"

    def found(kind: FindingKind, path: str | None, detail: str, way_out: str = again) -> FolderFinding:
        return FolderFinding(kind, manifest.data_set, manifest.unit, path, detail, way_out)

    if not manifest.is_balanced:
        yield found(FindingKind.COUNTS, None, "its lines, rows, rejects and the rows of its parts do not add up")
    if None not in (manifest.host, folder.host) and manifest.host != folder.host:
        detail = f"belongs to {manifest.host}, but the folder to {folder.host}"
        yield found(
            FindingKind.HOST, None, detail, "move the unit, its manifest first, to the folder of its organisation"
        )
    if manifest.incomplete is not None:
        is_gone = manifest.incomplete == "gone"
        way_out = "ask Gladly Support to create it again" if is_gone else "export it again in smaller pieces"
        yield found(FindingKind.INCOMPLETE, None, manifest.incomplete, way_out)
    place = place_of(manifest.data_set)
    for part in manifest.parts:
        name = (place / part.path).as_posix()
        for kind, detail in about_part(top, name, part, manifest.data_set, known, deep=deep):
            yield found(kind, name, detail)
    for other in manifest.others:
        for kind, detail in about_file(top, other.path, other.bytes, other.blake2b, deep=deep):
            yield found(kind, other.path, detail)


def _about_gaps(summary: DataSetSummary) -> Iterator[FolderFinding]:
    for begin, end in summary.coverage.gaps:
        told = f"nothing covers the time from {begin:%Y-%m-%dT%H:%M:%SZ} to {end:%Y-%m-%dT%H:%M:%SZ}"
        way_out = "export this period with --since and --until, while Gladly still has it"
        yield FolderFinding(FindingKind.GAP, summary.data_set, None, None, told, way_out)


def _unfinished(path: Path, top: Path, data_set: str, act: str) -> FolderFinding:
    way_out = "the next export or compact completes it; nothing is lost"
    place = path.relative_to(top).as_posix()
    return _finding(FindingKind.UNFINISHED, data_set, place, f"{act} it was interrupted", way_out)


# --- The folder `current/` ---

_AGAIN = "nothing is lost; run `bulkgladly dataset compact` to create it again"


def _about_current(folder: DataFolder, *, deep: bool, is_in_use: bool) -> list[FolderFinding]:
    """Return what is wrong with `current/`; nothing while another process writes, since it may be half done.

    A missing folder is not a finding, because it can be created again at any time. A folder from before
    there were manifests for `current/` is checked without one.
    """
    if is_in_use:
        return []
    top = folder.path / CURRENT
    found = [
        _unfinished(path, folder.path, data_set_announced(path, folder.path), "compacting")
        for path in announced(folder.path)
    ]
    if top.is_symlink():
        return [*found, _finding(FindingKind.FOREIGN, CURRENT, CURRENT, "is a link", "replace it with a folder")]
    for place in sorted(_places(folder.path)):
        here = top / place
        names = sorted(one.name for one in here.iterdir() if one.is_symlink() or not one.is_dir())
        found += _about_folder(folder, data_set_of_place(place), here, names, deep=deep)
    return found


def _places(top: Path) -> set[PurePosixPath]:
    """Return the folders below `current/` that hold files, or should hold some."""
    current = top / CURRENT
    manifests = top / MANIFESTS / CURRENT
    found: set[PurePosixPath] = set()
    for at, names, files in os.walk(current):
        here = Path(at)
        if here != current and (files or any(here.joinpath(name).is_symlink() for name in names)):
            found.add(PurePosixPath(here.relative_to(current).as_posix()))
    for path in manifests.rglob("*.json"):
        place = PurePosixPath(path.relative_to(manifests).with_suffix("").as_posix())
        if current.joinpath(place).is_dir():
            found.add(place)
    return found


def _about_folder(
    folder: DataFolder, data_set: str, here: Path, names: list[str], *, deep: bool
) -> Iterator[FolderFinding]:
    top = folder.path
    try:
        manifest = manifest_of_current(top, data_set)
    except InputError as error:
        place = place_of_current(data_set).as_posix()
        yield _finding(FindingKind.DAMAGED_MANIFEST, data_set, place, str(error).partition(";")[0], _AGAIN)
        return
    except UsageError as error:  # its folder is not that of a data set, or it was misplaced
        yield _finding(FindingKind.FOREIGN, data_set, here.relative_to(top).as_posix(), str(error), _AGAIN)
        return
    if manifest is None:
        yield from _about_unsealed(top, data_set, here, names)
        return
    yield from _about_parts(folder, manifest, deep=deep)
    named = {part.path for part in manifest.parts}
    for path in (here / name for name in names if name not in named):
        if is_ours(path):
            detail = "no manifest names it, and readers count its rows"
            yield _finding(FindingKind.UNNAMED, data_set, path.relative_to(top).as_posix(), detail, _AGAIN)
        else:
            yield foreign(path, top)


def _about_parts(folder: DataFolder, manifest: Manifest, *, deep: bool) -> Iterator[FolderFinding]:
    try:
        known = known_data_set(folder, manifest.data_set)
    except InputError:
        known = None  # reported with the data set itself
    place = folder_of_current(manifest.data_set)
    for part in manifest.parts:
        name = (place / part.path).as_posix()
        for kind, detail in about_part(folder.path, name, part, manifest.data_set, known, deep=deep):
            yield _finding(kind, manifest.data_set, name, detail, _AGAIN)


def _about_unsealed(top: Path, data_set: str, here: Path, names: list[str]) -> Iterator[FolderFinding]:
    for path in (here / name for name in names):
        if path.is_symlink() or not is_ours(path):
            yield foreign(path, top)
            continue
        try:
            rows_in(path)
        except OSError as error:
            name = path.relative_to(top).as_posix()
            yield _finding(FindingKind.ROWS, data_set, name, f"cannot be read: {error}", _AGAIN)


def _finding(kind: FindingKind, data_set: str, path: str, detail: str, way_out: str) -> FolderFinding:
    return FolderFinding(kind, data_set, None, path, detail, way_out)
