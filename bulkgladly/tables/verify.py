"""Whether a data folder holds what its manifests say: every part, count and hash, and no gaps."""

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.parquet as pq

from bulkgladly.errors import InputError
from bulkgladly.tables.commits import files_of, read_decision
from bulkgladly.tables.declared import DATA_SETS
from bulkgladly.tables.declared.shapes import DataSet
from bulkgladly.tables.disk import below, hash_of
from bulkgladly.tables.folder import DataFolder
from bulkgladly.tables.known import known_data_set
from bulkgladly.tables.layout import INCOMING, data_set_of_place, note_place, place_of
from bulkgladly.tables.leftovers import foreign_files, unnamed_files
from bulkgladly.tables.manifests import Manifest, read_manifest
from bulkgladly.tables.part_file import PartReport
from bulkgladly.tables.report_layout import COLUMNS_NOTE
from bulkgladly.tables.sinks import rows_in
from bulkgladly.tables.summaries import DataSetSummary, Summing

__all__ = ("Finding", "FindingKind", "Verification", "verify")


class FindingKind(enum.StrEnum):
    """What can be wrong."""

    DAMAGED_MANIFEST = "damaged_manifest"
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


@dataclass(frozen=True, slots=True)
class Verification:
    """All findings, and what was looked at. Rejects are counted there; they are no finding.

    Where `is_in_use`, somebody was writing, and files on their way were passed over.
    """

    is_deep: bool
    is_in_use: bool
    findings: tuple[Finding, ...]
    data_sets: tuple[DataSetSummary, ...]

    @property
    def is_sound(self) -> bool:
        """Whether nothing was found."""
        return not self.findings


def verify(folder: DataFolder, *, deep: bool = False) -> Verification:
    """Compare a data folder with its manifests.

    Every file that a manifest names must be there in its size, and every Parquet part must
    have its rows and its declared schema. With `deep` all bytes are read too: hashes, and the
    rows of text parts. What a writer is just replacing may be found missing. Holds one
    manifest at a time, and the names of all files.

    Raises:
        UsageError: A manifest was written by a newer version.
    """
    findings: list[Finding] = []
    names = sorted(name for name, _ in folder.manifest_folders())
    begun = folder.begun()
    replaced = {name for path in begun for name in read_decision(path).removes}
    named: set[str] = set()
    summaries = []
    for name in names:
        summary = Summing(name)
        known = _known(folder, name, findings)
        for manifest in _readable(folder, name, findings):
            named.update(files_of(manifest))
            summary.add(manifest)
            findings += _about_unit(folder.path, manifest, known, deep=deep)
        if summary.summary.units:
            summaries.append(summary.done())
            findings += _about_gaps(summaries[-1])
    findings = [one for one in findings if one.path not in replaced]
    is_in_use = folder.is_in_use()
    if not is_in_use:
        findings += [_unfinished(path, folder.path) for path in begun]
        named.update(name for path in begun for pair in read_decision(path).renames for name in pair)
        if not any(one.kind == FindingKind.DAMAGED_MANIFEST for one in findings):
            # Also where all manifests are gone: rows that nothing vouches for are no sound data set.
            places = sorted({*names, *(name for name in DATA_SETS if (folder.path / place_of(name)).is_dir())})
            findings += [_unnamed(path, folder.path) for path in unnamed_files(folder.path, places, named)]
            findings += [_foreign(path, folder.path) for path in foreign_files(folder.path, places, named)]
    return Verification(deep, is_in_use, tuple(findings), tuple(summaries))


def _known(folder: DataFolder, name: str, findings: list[Finding]) -> DataSet | None:
    try:
        return known_data_set(folder, name)
    except InputError as error:
        place = note_place(name, COLUMNS_NOTE).as_posix()
        way_out = "restore it; without it the next report cannot be added"
        findings.append(
            Finding(FindingKind.DAMAGED_MANIFEST, name, None, place, "cannot be read: " + _why(error), way_out)
        )
        return None


def _why(error: InputError) -> str:
    return str(error).partition(": ")[2].partition(";")[0]


def _readable(folder: DataFolder, data_set: str, findings: list[Finding]) -> Iterator[Manifest]:
    for path in folder.unit_paths(data_set):
        try:
            manifest = read_manifest(path)
            if manifest.data_set != data_set:
                raise InputError(f"it is of the data set {manifest.data_set}")
        except InputError as error:
            place = path.relative_to(folder.path).as_posix()
            way_out = "restore it, or remove it: the next export fetches its unit again"
            findings.append(
                Finding(FindingKind.DAMAGED_MANIFEST, data_set, None, place, _without_path(error, path), way_out)
            )
            continue
        yield manifest


def _without_path(error: InputError, path: Path) -> str:
    return str(error).removeprefix(f"{path} ").partition(";")[0]


def _about_unit(top: Path, manifest: Manifest, known: DataSet | None, *, deep: bool) -> Iterator[Finding]:
    again = "remove the unit's manifest and export again; --refresh where Gladly still has it"

    def found(kind: FindingKind, path: str | None, detail: str, way_out: str = again) -> Finding:
        return Finding(kind, manifest.data_set, manifest.unit, path, detail, way_out)

    if not manifest.is_balanced:
        yield found(FindingKind.COUNTS, None, "lines, rows, rejects and the rows of the parts do not add up")
    if manifest.incomplete is not None:
        is_gone = manifest.incomplete == "gone"
        way_out = "Gladly Support may make it again" if is_gone else "ask for it again in smaller pieces"
        yield found(FindingKind.INCOMPLETE, None, manifest.incomplete, way_out)
    place = place_of(manifest.data_set)
    for part in manifest.parts:
        name = (place / part.path).as_posix()
        for kind, detail in _about_part(top, name, part, known, deep=deep):
            yield found(kind, name, detail)
    for other in manifest.others:
        for kind, detail in _about_file(top, other.path, other.bytes, other.blake2b, deep=deep):
            yield found(kind, other.path, detail)


def _about_part(
    top: Path, name: str, part: PartReport, known: DataSet | None, *, deep: bool
) -> Iterator[tuple[FindingKind, str]]:
    wrong = list(_about_file(top, name, part.bytes, part.blake2b, deep=deep))
    yield from wrong
    is_parquet = name.endswith(".parquet")
    if wrong or not (deep or is_parquet):
        return
    path = below(top, name)
    try:
        rows = rows_in(path)
        schema = pq.read_schema(path) if is_parquet else None
    except (OSError, pa.ArrowException) as exc:
        yield FindingKind.ROWS, f"cannot be read: {exc}"
        return
    if rows != part.rows:
        yield FindingKind.ROWS, f"has {rows} rows, not {part.rows}"
    if schema is not None and known is not None and known.version == part.schema_version:
        strange = [field.name for field in schema if field not in list(known.schema)]
        missing = [field.name for field in known.schema if field.name not in schema.names]
        if strange or missing:
            yield FindingKind.SCHEMA, f"is not as declared: {', '.join(dict.fromkeys(strange + missing))}"


def _about_file(top: Path, name: str, size: int, blake2b: str, *, deep: bool) -> Iterator[tuple[FindingKind, str]]:
    try:
        path = below(top, name)
    except InputError as error:
        yield FindingKind.MISSING, str(error)
        return
    if path.is_symlink() or not path.is_file():
        yield FindingKind.MISSING, "is not there"
    elif (found := path.stat().st_size) != size:
        yield FindingKind.SIZE, f"has {found} bytes, not {size}"
    elif deep and hash_of(path) != blake2b:
        yield FindingKind.HASH, "holds other bytes than were written"


def _about_gaps(summary: DataSetSummary) -> Iterator[Finding]:
    for begin, end in summary.coverage.gaps:
        told = f"nothing covers {begin:%Y-%m-%dT%H:%M:%SZ} to {end:%Y-%m-%dT%H:%M:%SZ}"
        way_out = "export this period with --since and --until, while Gladly still has it"
        yield Finding(FindingKind.GAP, summary.data_set, None, None, told, way_out)


def _unfinished(path: Path, top: Path) -> Finding:
    place = path.relative_to(top)
    data_set = data_set_of_place(PurePosixPath(*place.parts[1:-1]))
    way_out = "the next export or compact ends it; nothing is lost"
    return Finding(FindingKind.UNFINISHED, data_set, None, place.as_posix(), "its publishing was cut", way_out)


def _unnamed(path: Path, top: Path) -> Finding:
    is_incoming = path.relative_to(top).parts[0] == INCOMING
    seen = "nobody reads it there" if is_incoming else "readers of whole folders count its rows until then"
    way_out = f"the next export or compact removes it; {seen}"
    return _stray(FindingKind.UNNAMED, path, top, "no manifest names it", way_out)


def _foreign(path: Path, top: Path) -> Finding:
    way_out = "move it out of the data set; readers of whole folders take it for a part"
    return _stray(FindingKind.FOREIGN, path, top, "was not written here, or is damaged", way_out)


def _stray(kind: FindingKind, path: Path, top: Path, detail: str, way_out: str) -> Finding:
    place = path.relative_to(top)
    data_set = next(step for step in place.parts if not step.startswith("_"))
    return Finding(kind, data_set, None, place.as_posix(), detail, way_out)
