"""What is published in a data folder: the manifests, and what is remembered about data sets. Reading needs no lock."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

import orjson

from bulkgladly.documents import Members
from bulkgladly.errors import InputError, UsageError
from bulkgladly.lake.manifest import Manifest, read_manifest
from bulkgladly.lake.places import (
    MANIFESTS,
    data_set_of_place,
    manifest_place,
    memo_place,
    next_place,
    partition_in,
    place_of,
)

__all__ = ("Catalogue", "Damage", "in_its_place")


@dataclass(frozen=True, slots=True)
class Damage:
    """A manifest, a decision or a memo that cannot be used, and why. `unit` comes from the name of the file."""

    data_set: str
    unit: str
    detail: str


class Catalogue:
    """The manifests below a top folder, read on demand. A file that none of them names does not count."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.damage: dict[Path, Damage] = {}
        """What was skipped so far; see `pass_over_damage`."""
        self._passes_over = False

    def pass_over_damage(self) -> None:
        """From now on collect in `damage` what cannot be read, and continue with the rest.

        An export does this, because one damaged unit must not stop all others. Damage to what a unit
        itself needs still raises: its own manifest, or whatever its rows depend on.
        """
        self._passes_over = True

    def pass_over(self, path: Path, data_set: str, error: UsageError, unit: str | None = None) -> None:
        """Record that a file is damaged, or raise its error unless damage is passed over."""
        if not self._passes_over:
            raise error
        named = unquote(path.name.removesuffix(".next").removesuffix(".json"))
        self.damage[path] = Damage(data_set, named if unit is None else unit, str(error))

    def data_sets(self) -> list[str]:
        """Return the names of the data sets that have a published unit."""
        return sorted(name for name, folder in self.manifest_folders() if next(_units_in(folder), None) is not None)

    def manifests(self, data_set: str) -> list[Manifest]:
        """Return what is published of a data set, sorted by the names of the units.

        Raises:
            InputError: A manifest is damaged, or lies under a name that is not its own.
            UsageError: A manifest was written by a newer version.
        """
        return sorted(self.iter_manifests(data_set), key=lambda manifest: manifest.unit)

    def iter_manifests(self, data_set: str) -> Iterator[Manifest]:
        """Yield the same in any order, one at a time."""
        for path in self.unit_paths(data_set):
            try:
                manifest = in_its_place(read_manifest(path), data_set, path)
            except UsageError as error:
                self.pass_over(path, data_set, error)
            else:
                yield manifest

    def partition(self, data_set: str) -> tuple[str, ...] | None:
        """Return the names of the folders that the parts of a data set lie in; None if it has no parts yet.

        One part tells: all others lie in the same folders, unless an early version wrote them.
        """
        for path in sorted(self.unit_paths(data_set)):
            with contextlib.suppress(UsageError):  # what needs this unit reports the damage
                for part in read_manifest(path).parts:
                    return partition_in(part.path)
        return None

    def unit_paths(self, data_set: str) -> Iterator[Path]:
        """Yield the paths of the manifests of a data set, in any order."""
        return _units_in(self.path / MANIFESTS / place_of(data_set))

    def manifest(self, data_set: str, unit: str) -> Manifest | None:
        """Return the manifest of a unit, or None if it is not published.

        Raises:
            InputError: It is damaged.
            UsageError: It was written by a newer version.
        """
        path = self.path / manifest_place(data_set, unit)
        if not path.exists():
            return None
        return in_its_place(read_manifest(path), data_set, path, unit)

    def manifest_folders(self) -> Iterator[tuple[str, Path]]:
        """Yield the name of each data set that was ever written to, and the folder of its manifests."""
        top = self.path / MANIFESTS
        for folder, names, files in os.walk(top):
            names.sort()
            place = PurePosixPath(Path(folder).relative_to(top).as_posix())
            name = data_set_of_place(place)
            # Without files a folder counts only if it holds no others: a data set that was prepared and not yet
            # published has an empty one, while `reports` merely holds `reports/AgentSummary`.
            if place.parts and (files or not names) and _is_place_of(place, name):
                yield name, Path(folder)

    def begun(self) -> list[Path]:
        """Return the decisions that were not carried out completely."""
        return sorted(path for _, folder in self.manifest_folders() for path in folder.glob("*.json.next"))

    def is_decided(self, data_set: str, unit: str) -> bool:
        """Tell whether a commit of this unit was decided and not carried out completely."""
        return self.path.joinpath(next_place(data_set, unit)).exists()

    def remembered(self, data_set: str, name: str, *, is_needed: bool = False) -> dict[str, Any] | None:
        """Return what was remembered under a name, or None.

        With `is_needed`, rows depend on it, so damage always raises.

        Raises:
            InputError: It is damaged.
        """
        path = self.path / memo_place(data_set, name)
        try:
            found: dict[str, Any] = Members({"it": orjson.loads(path.read_bytes())}).mapping("it")
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as exc:
            error = InputError(f"{path} is damaged: {exc}; restore it, or remove it")
            if is_needed:
                raise error from exc
            self.pass_over(path, data_set, error)
            return None
        return found


def _is_place_of(place: PurePosixPath, data_set: str) -> bool:
    try:
        return place_of(data_set) == place
    except UsageError:
        return False


def _units_in(folder: Path) -> Iterator[Path]:
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as found:
        for entry in found:
            if entry.name.endswith(".json") and entry.name[0] not in "._" and entry.is_file():
                yield Path(entry.path)


def in_its_place(manifest: Manifest, data_set: str, path: Path, unit: str | None = None) -> Manifest:
    """Return a manifest if it is what the name of its file says.

    Raises:
        InputError: It belongs to another data set or unit, such as a copy, or one that was swapped with another.
    """
    if manifest.data_set != data_set:
        raise InputError(f"{path} belongs to the data set {manifest.data_set}; move it back to its own folder")
    if path.name != manifest_place(data_set, manifest.unit).name or (unit is not None and manifest.unit != unit):
        raise InputError(
            f"{path} belongs to the unit {manifest.unit!r}, not to {unit or unquote(path.stem)!r}; give it its own "
            "name back, or remove it if it is a copy"
        )
    return manifest
