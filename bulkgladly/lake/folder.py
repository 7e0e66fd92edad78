"""The top folder of an organisation's data: whose it is, who writes, what is published."""

import contextlib
import datetime as dt
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote

import orjson

from bulkgladly.commands import next_command
from bulkgladly.errors import InputError, UsageError
from bulkgladly.lake.commits import carry_out, decide, files_of, write_decision
from bulkgladly.lake.current_folder import settle_folders, settle_manifests
from bulkgladly.lake.disk import below, full_disk_named, write_whole
from bulkgladly.lake.leftovers import remove_empty_folders, remove_leftovers
from bulkgladly.lake.manifest import Manifest, read_manifest
from bulkgladly.lake.marker import host_in, refuse_foreign, write_marker
from bulkgladly.lake.places import (
    INCOMING,
    MANIFESTS,
    MARKER,
    data_set_of_place,
    manifest_place,
    next_place,
    note_place,
    place_of,
)
from bulkgladly.lake.strict_json import Members, as_json
from bulkgladly.lake.writer_lock import WriterLock
from bulkgladly.local_paths import AnyPath, local_path

__all__ = ("Damage", "DataFolder", "Recovery", "in_its_place", "utc_now")


def utc_now() -> dt.datetime:
    """Return the time."""
    return dt.datetime.now(dt.UTC)


@dataclass(frozen=True, slots=True)
class Recovery:
    """What was put right: units whose publishing was cut and is now done, and files that were removed.

    `newest` has for each data set when it was written to last, by the clock of whoever did.
    """

    published: tuple[Manifest, ...]
    removed: tuple[Path, ...]
    newest: Mapping[str, dt.datetime]


@dataclass(frozen=True, slots=True)
class Damage:
    """A manifest, a decision or a note that cannot be used, and why. `unit` is what the name of its file tells."""

    data_set: str
    unit: str
    detail: str


class DataFolder:
    """One folder with the data sets of one organisation.

    Anybody may read; one process at a time writes, after `lock`. Threads of it may publish
    different units at once.
    """

    def __init__(self, path: Path, host: str | None, now: Callable[[], dt.datetime] = utc_now) -> None:
        self.path = path
        self.host = host
        self.now = now
        self.damage: dict[Path, Damage] = {}
        """What was passed over so far; see `pass_over_damage`."""
        self._passes_over = False
        self._sequences: dict[str, int] = {}
        self._counting = threading.Lock()
        self._lock = WriterLock(path)

    @classmethod
    def open(
        cls, path: AnyPath, *, host: str | None = None, create: bool = False, now: Callable[[], dt.datetime] = utc_now
    ) -> "DataFolder":
        """Return the data folder at a path; with `create`, make it where there is nothing yet.

        `host` None opens the data of whichever organisation it is. A folder made without a
        host belongs to the first that locks it.

        Raises:
            UsageError: It is no data folder, or another organisation's, or written by a newer
                version, or cannot be made.
        """
        try:
            path = local_path(path).absolute()
            if not (path / MARKER).exists():
                if not create:
                    dump = next_command("dump", path, connects=True)
                    raise UsageError(f"{path} is no data set of bulkgladly; `{dump}` makes one")
                path.mkdir(parents=True, exist_ok=True)
                refuse_foreign(path)
                write_marker(path, host, now())
            folder = cls(path, host_in(path), now)
        except OSError as exc:
            raise UsageError(f"{path}: {exc.strerror}; choose another folder") from exc
        folder._take_host(host)
        return folder

    def _take_host(self, host: str | None) -> None:
        if host is not None and self.host is not None and host != self.host:
            raise UsageError(f"{self.path} has the data of {self.host}, not of {host}; choose another folder for it")
        self.host = self.host or host

    @property
    def is_locked(self) -> bool:
        """Whether this object may write."""
        return self._lock.is_held

    def lock(self) -> Self:
        """Become the one who writes. The lock ends with `close` or with the process, however it ends.

        Raises:
            UsageError: Another process writes, or the folder cannot be written, or it was
                another organisation that took it meanwhile.
            DiskFull: No space.
        """
        self._lock.take()
        self._sequences.clear()
        try:
            self._settle_host()
        except BaseException:
            self.close()
            raise
        return self

    def _settle_host(self) -> None:
        found = host_in(self.path)
        wanted, self.host = self.host, found
        self._take_host(wanted)
        if found is None and wanted is not None:
            write_marker(self.path, wanted, self.now())

    def is_in_use(self) -> bool:
        """Tell whether somebody else holds the lock, now."""
        return self._lock.is_held_by_another()

    def close(self) -> None:
        """Give the lock back. Calling it twice is allowed."""
        try:
            if self.is_locked:
                remove_empty_folders(self.path / INCOMING)
        finally:
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def pass_over_damage(self) -> None:
        """From now on collect in `damage` what cannot be read, and go on with the rest.

        For an export, which must not lose all other units over one. What a unit itself needs
        is still refused: its own manifest, or what its rows depend on.
        """
        self._passes_over = True

    def pass_over(self, path: Path, data_set: str, error: UsageError, unit: str | None = None) -> None:
        """Note that a file is damaged, or raise its error where nobody wants to go on without it."""
        if not self._passes_over:
            raise error
        named = unquote(path.name.removesuffix(".next").removesuffix(".json"))
        self.damage[path] = Damage(data_set, named if unit is None else unit, str(error))

    def data_sets(self) -> list[str]:
        """Return the names of the data sets that have a published unit."""
        return sorted(name for name, folder in self.manifest_folders() if next(_units_in(folder), None) is not None)

    def manifests(self, data_set: str) -> list[Manifest]:
        """Return what is published of a data set, by the names of the units.

        Raises:
            InputError: A manifest is damaged, or lies under another name than its own.
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

    def unit_paths(self, data_set: str) -> Iterator[Path]:
        """Yield the paths of the manifests of a data set, in any order."""
        return _units_in(self.path / MANIFESTS / place_of(data_set))

    def manifest(self, data_set: str, unit: str) -> Manifest | None:
        """Return the manifest of a unit; None where it is not published.

        Raises:
            InputError: It is damaged.
            UsageError: It was written by a newer version.
        """
        path = self.path / manifest_place(data_set, unit)
        if not path.exists():
            return None
        return in_its_place(read_manifest(path), data_set, path, unit)

    def manifest_folders(self) -> Iterator[tuple[str, Path]]:
        """Yield each data set that something was ever written of, and the folder of its manifests."""
        top = self.path / MANIFESTS
        for folder, names, files in os.walk(top):
            names.sort()
            place = PurePosixPath(Path(folder).relative_to(top).as_posix())
            name = data_set_of_place(place)
            if place.parts and (files or not names) and _is_place_of(place, name):
                yield name, Path(folder)

    def begun(self) -> list[Path]:
        """Return the commits that were decided and not carried out to their end."""
        return sorted(path for _, folder in self.manifest_folders() for path in folder.glob("*.json.next"))

    def note(self, data_set: str, name: str, value: Mapping[str, Any]) -> None:
        """Remember a small JSON object about a data set, whole or not at all.

        Raises:
            DiskFull: No space; what was remembered before is whole.
        """
        self._demand_lock()
        path = below(self.path, note_place(data_set, name).as_posix())
        with full_disk_named(self.path):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, as_json(dict(value)))

    def noted(self, data_set: str, name: str, *, is_needed: bool = False) -> dict[str, Any] | None:
        """Return what was remembered under a name, or None.

        `is_needed` says that rows depend on it, so that damage is never passed over.

        Raises:
            InputError: It is damaged.
        """
        path = self.path / note_place(data_set, name)
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

    def prepare(self, data_set: str) -> None:
        """Make what `recover` goes by, before the first file of a data set is written."""
        self._demand_lock()
        place = MANIFESTS / place_of(data_set)
        below(self.path, (place / MARKER).as_posix())
        self.path.joinpath(place).mkdir(parents=True, exist_ok=True)

    def commit(self, manifest: Manifest, *, replaces: Sequence[Manifest] = ()) -> Manifest:
        """Publish a unit whose files lie below `_incoming`, in place of others (see `commits`).

        Returns the manifest as it is read from now on. An error before the unit is decided
        leaves everything as it was; afterwards, and after a kill at any moment, `settle` or
        `recover` publishes the unit.

        Raises:
            DiskFull: No space.
            UsageError: The unit is published already and not among those it replaces, or a
                file of another unit is in its place.
        """
        self._demand_lock()
        if not manifest.is_balanced:
            raise ValueError(f"the numbers of {manifest.data_set} {manifest.unit} do not add up")
        old = self.manifest(manifest.data_set, manifest.unit)
        # By place and number: one that was published meanwhile is not the one that this writer has seen.
        if old is not None and (manifest_place(old.data_set, old.unit), old.sequence) not in {
            (manifest_place(one.data_set, one.unit), one.sequence) for one in replaces
        }:
            raise UsageError(
                f"{manifest.data_set}: the unit {manifest.unit} came twice, and was published already; the first one "
                "stays, and the next export looks again"
            )
        with full_disk_named(self.path):
            self.prepare(manifest.data_set)
            numbered = replace(manifest, sequence=self._next_sequence(manifest.data_set))
            decision = decide(self.path, numbered, replaces)
            return carry_out(self.path, write_decision(self.path, decision))

    def _next_sequence(self, data_set: str) -> int:
        """Return the number of what is published next: above all that the data set has. No clock is asked."""
        with self._counting:
            if data_set not in self._sequences:
                self._sequences[data_set] = max(self._sequences_of(data_set), default=0)
            self._sequences[data_set] += 1
            return self._sequences[data_set]

    def _sequences_of(self, data_set: str) -> Iterator[int]:
        for path in self.unit_paths(data_set):
            with contextlib.suppress(UsageError):  # one that is damaged does not keep others from being published
                yield read_manifest(path).sequence or 0

    def is_decided(self, data_set: str, unit: str) -> bool:
        """Tell whether a commit of this unit was decided and not carried out to its end."""
        return self.path.joinpath(next_place(data_set, unit)).exists()

    def settle(self, data_set: str, unit: str) -> Manifest | None:
        """Carry out a commit of this unit that was cut, if there is one, and return what it published."""
        self._demand_lock()
        if not self.is_decided(data_set, unit):
            return None
        with full_disk_named(self.path):
            return carry_out(self.path, below(self.path, next_place(data_set, unit).as_posix()))

    def recover(self) -> Recovery:
        """Carry out every commit that was cut, then remove files of ours that no manifest names.

        For whoever has just taken the lock and has not begun to write. Cut again, it goes on
        the next time. Where damage is passed over, nothing is removed that a damaged manifest may name.

        Raises:
            InputError, UsageError: A manifest cannot be read, so that nothing was removed.
        """
        self._demand_lock()
        published: list[Manifest] = []
        with full_disk_named(self.path):
            for path in self.begun():
                try:
                    published.append(carry_out(self.path, path))
                except UsageError as error:
                    self.pass_over(path, _data_set_of(path, self.path), error)
            data_sets = [name for name, _ in self.manifest_folders()]
            named: set[str] = set()
            newest: dict[str, dt.datetime] = {}
            for manifest in (one for name in data_sets for one in self.iter_manifests(name)):
                named.update(files_of(manifest))
                at = newest.setdefault(manifest.data_set, manifest.written_at)
                newest[manifest.data_set] = max(at, manifest.written_at)
            removed = settle_folders(self.path) if self.damage else remove_leftovers(self.path, data_sets, named)
            settle_manifests(self.path)
        return Recovery(tuple(published), tuple(removed), newest)

    def _demand_lock(self) -> None:
        if not self.is_locked:
            raise RuntimeError("the folder is written by who holds its lock")


def _is_place_of(place: PurePosixPath, data_set: str) -> bool:
    try:
        return place_of(data_set) == place
    except UsageError:
        return False


def _data_set_of(manifest: Path, top: Path) -> str:
    return data_set_of_place(PurePosixPath(*manifest.relative_to(top).parts[1:-1]))


def _units_in(folder: Path) -> Iterator[Path]:
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as found:
        for entry in found:
            if entry.name.endswith(".json") and entry.name[0] not in "._" and entry.is_file():
                yield Path(entry.path)


def in_its_place(manifest: Manifest, data_set: str, path: Path, unit: str | None = None) -> Manifest:
    """Return a manifest if it is what the name of its file says.

    Raises:
        InputError: It is of another data set or unit, such as a copy, or one that was swapped with another.
    """
    if manifest.data_set != data_set:
        raise InputError(f"{path} is of the data set {manifest.data_set}; put it back into its own folder")
    if path.name != manifest_place(data_set, manifest.unit).name or (unit is not None and manifest.unit != unit):
        raise InputError(
            f"{path} is of the unit {manifest.unit!r}, not of {unit or unquote(path.stem)!r}; put it back under its "
            "own name, or remove it if it is a copy"
        )
    return manifest
