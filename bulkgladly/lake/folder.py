"""The top folder of an organisation's data: its owner, its lock, and what is published in it."""

import contextlib
import datetime as dt
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bulkgladly._version import __version__
from bulkgladly.commands import next_command
from bulkgladly.documents import as_json, members_of
from bulkgladly.errors import DataSetInUse, InputError, UsageError
from bulkgladly.lake.catalogue import Catalogue
from bulkgladly.lake.current_folder import settle_folders, settle_manifests
from bulkgladly.lake.manifest import Manifest, read_manifest
from bulkgladly.lake.places import (
    INCOMING,
    LOCK,
    MANIFESTS,
    MARKER,
    data_set_of_manifest,
    manifest_place,
    memo_place,
    next_place,
    place_of,
)
from bulkgladly.lake.publishing import (
    carry_out,
    decide,
    files_of,
    remove_empty_folders,
    remove_leftovers,
    write_decision,
)
from bulkgladly.local_paths import AnyPath, local_path
from bulkgladly.storage.durable import below, partial_of, sync_folder, write_whole
from bulkgladly.storage.failures import full_disk_named
from bulkgladly.storage.lock import Lock, LockHeld

__all__ = ("DataFolder", "Recovery", "host_in", "utc_now")


_LOOK_S = 0.05
"""How long to wait for the lock: another process that only checks whether it is held may hold it for a moment."""


def utc_now() -> dt.datetime:
    """Return the time."""
    return dt.datetime.now(dt.UTC)


@dataclass(frozen=True, slots=True)
class Recovery:
    """What was repaired: units whose interrupted publishing is now complete, and files that were removed.

    `newest` maps each data set to when it was last written, by the clock of the machine that wrote it.
    """

    published: tuple[Manifest, ...]
    removed: tuple[Path, ...]
    newest: Mapping[str, dt.datetime]


class DataFolder(Catalogue):
    """One folder with the data sets of one organisation.

    Any process can read (`Catalogue`); only one at a time writes, after `lock`. Its threads may publish
    different units at once.
    """

    def __init__(self, path: Path, host: str | None, now: Callable[[], dt.datetime] = utc_now) -> None:
        super().__init__(path)
        self.host = host
        self.now = now
        self._sequences: dict[str, int] = {}
        self._partitions: dict[str, tuple[str, ...]] = {}
        self._counting = threading.Lock()
        self._lock = Lock(path / LOCK)

    # --- Whose it is, and who writes ---

    @classmethod
    def open(
        cls, path: AnyPath, *, host: str | None = None, create: bool = False, now: Callable[[], dt.datetime] = utc_now
    ) -> "DataFolder":
        """Return the data folder at a path; with `create`, create it if it is missing or empty.

        `host` None opens the data of any organisation. A folder created without a host belongs to the
        first that locks it.

        Raises:
            UsageError: It is not a data folder, belongs to another organisation, was written by a newer
                version, or cannot be created.
        """
        try:
            path = local_path(path).absolute()
            if not (path / MARKER).exists():
                if not create:
                    dump = next_command("dump", path, connects=True)
                    raise UsageError(f"{path} is not a bulkgladly data set; run `{dump}` to create one")
                path.mkdir(parents=True, exist_ok=True)
                _refuse_foreign(path)
                _write_marker(path, host, now())
            folder = cls(path, host_in(path), now)
        except OSError as exc:
            raise UsageError(f"{path}: {exc.strerror}; choose another folder") from exc
        folder._take_host(host)
        return folder

    def _take_host(self, host: str | None) -> None:
        if host is not None and self.host is not None and host != self.host:
            raise UsageError(f"{self.path} holds data of {self.host}, not of {host}; choose another folder")
        self.host = self.host or host

    @property
    def is_locked(self) -> bool:
        """Whether this object may write."""
        return self._lock.is_held

    def lock(self, *, wait_s: float = _LOOK_S) -> Self:
        """Take the lock, which writing requires. It ends with `close`, or with the process, however that ends.

        `wait_s` is how long to wait for another process that holds it.

        Raises:
            DataSetInUse: Another process writes.
            UsageError: The folder cannot be written, or another organisation took it meanwhile.
            DiskFull: No space.
        """
        try:
            self._lock.take(wait_s=wait_s)
        except LockHeld as held:
            raise DataSetInUse(
                f"{self.path} is in use by process {held.holder}; wait for it to finish, or stop it"
            ) from held
        except OSError as exc:
            raise UsageError(f"{self.path} cannot be written: {exc.strerror}") from exc
        self._sequences.clear()  # another process may have published since they were counted
        self._partitions.clear()
        try:
            self._settle_host()
        except BaseException:
            self.close()
            raise
        return self

    def _settle_host(self) -> None:
        # Read again under the lock: between `open` and now another organisation may have taken the folder.
        found = host_in(self.path)
        wanted, self.host = self.host, found
        self._take_host(wanted)
        if found is None and wanted is not None:
            _write_marker(self.path, wanted, self.now())

    def is_in_use(self) -> bool:
        """Tell whether another process holds the lock now."""
        with contextlib.suppress(OSError):
            return not self.is_locked and self._lock.is_held_by_anybody()
        return False

    def close(self) -> None:
        """Release the lock. Calling it twice is allowed."""
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

    # --- Writing ---

    def remember(self, data_set: str, name: str, value: Mapping[str, Any]) -> None:
        """Remember a small JSON object about a data set, whole or not at all.

        Raises:
            DiskFull: No space; what was remembered before is whole.
        """
        self._demand_lock()
        path = below(self.path, memo_place(data_set, name).as_posix())
        with full_disk_named(self.path):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, as_json(dict(value)))

    def partition(self, data_set: str) -> tuple[str, ...] | None:
        """Return the names of the folders of a data set, as a catalogue does, but look once while locked."""
        found = self._partitions.get(data_set)
        if found is None:
            found = super().partition(data_set)
            if found is not None and self.is_locked:
                self._partitions[data_set] = found
        return found

    def prepare(self, data_set: str) -> None:
        """Create the folder by which `recover` finds a data set. Call it before the first file of the data set."""
        self._demand_lock()
        place = MANIFESTS / place_of(data_set)
        below(self.path, (place / MARKER).as_posix())
        self.path.joinpath(place).mkdir(parents=True, exist_ok=True)

    def commit(self, manifest: Manifest, *, replaces: Sequence[Manifest] = ()) -> Manifest:
        """Publish a unit whose files lie below `_incoming`, replacing others (see `publishing`).

        Returns the manifest as it can be read from now on. An error before the unit is decided
        leaves everything as it was; after that, or after a kill at any moment, `settle` or
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
        # Compared by place and number: a unit that was published meanwhile is not the one this writer has seen.
        if old is not None and (manifest_place(old.data_set, old.unit), old.sequence) not in {
            (manifest_place(one.data_set, one.unit), one.sequence) for one in replaces
        }:
            raise UsageError(
                f"{manifest.data_set}: the unit {manifest.unit} is published already; that one was kept, and the next "
                "export looks again"
            )
        return self._publish(replace(manifest, sequence=self._next_sequence(manifest.data_set)), replaces)

    def adopt(self, manifest: Manifest, *, replaces: Sequence[Manifest] = ()) -> Manifest:
        """Publish a unit as another folder published it, with the number that it has there; else as `commit` does."""
        self._demand_lock()
        self._sequences.pop(manifest.data_set, None)
        return self._publish(manifest, replaces)

    def _publish(self, manifest: Manifest, replaces: Sequence[Manifest]) -> Manifest:
        with full_disk_named(self.path):
            self.prepare(manifest.data_set)
            return carry_out(self.path, write_decision(self.path, decide(self.path, manifest, replaces)))

    def remove(self, manifests: Sequence[Manifest]) -> None:
        """Remove units with all their files, for good. After a kill, `recover` removes what is left of their files.

        Raises:
            UsageError: A folder of theirs is read-only. Nothing was removed.
        """
        self._demand_lock()
        names = [name for one in manifests for name in (manifest_place(one.data_set, one.unit), *files_of(one))]
        # Before any manifest goes: files that no manifest names would stop every later export that cleans up.
        for parent in sorted({below(self.path, str(name)).parent for name in names}):
            if parent.exists() and not os.access(parent, os.W_OK | os.X_OK):
                raise UsageError(f"{parent} is read-only; make it writable for its owner (chmod u+w)")
        folders = set()
        for one in manifests:
            path = below(self.path, manifest_place(one.data_set, one.unit).as_posix())
            path.unlink(missing_ok=True)
            folders.add(path.parent)
        # On the disk first: a manifest that came back would name files that are missing.
        for folder in folders:
            sync_folder(folder)
        for name in (name for one in manifests for name in files_of(one)):
            below(self.path, name).unlink(missing_ok=True)
        for data_set in {one.data_set for one in manifests}:
            remove_empty_folders(self.path / place_of(data_set), lambda found: "=" in found.name)

    def _next_sequence(self, data_set: str) -> int:
        """Return the number of the next unit: above all that the data set has, whatever the clock says."""
        with self._counting:
            if data_set not in self._sequences:
                self._sequences[data_set] = max(self._sequences_of(data_set), default=0)
            self._sequences[data_set] += 1
            return self._sequences[data_set]

    def _sequences_of(self, data_set: str) -> Iterator[int]:
        for path in self.unit_paths(data_set):
            with contextlib.suppress(UsageError):  # a damaged one must not prevent others from being published
                yield read_manifest(path).sequence or 0

    # --- After a kill ---

    def settle(self, data_set: str, unit: str) -> Manifest | None:
        """Complete an interrupted commit of this unit, if there is one, and return what it published."""
        self._demand_lock()
        if not self.is_decided(data_set, unit):
            return None
        with full_disk_named(self.path):
            return carry_out(self.path, below(self.path, next_place(data_set, unit).as_posix()))

    def recover(self) -> Recovery:
        """Complete every interrupted commit, then remove files of ours that no manifest names.

        Call it right after taking the lock, before anything is written. If it is interrupted, the next
        call continues. Where damage is passed over, nothing is removed that a damaged manifest may name.

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
                    self.pass_over(path, data_set_of_manifest(path, self.path), error)
            data_sets = [name for name, _ in self.manifest_folders()]
            named: set[str] = set()
            newest: dict[str, dt.datetime] = {}
            for manifest in (one for name in data_sets for one in self.iter_manifests(name)):
                named.update(files_of(manifest))
                at = newest.setdefault(manifest.data_set, manifest.written_at)
                newest[manifest.data_set] = max(at, manifest.written_at)
            # Only after every decision is carried out: the files of an interrupted one lie in `_incoming`.
            removed = settle_folders(self.path) if self.damage else remove_leftovers(self.path, data_sets, named)
            settle_manifests(self.path)
        return Recovery(tuple(published), tuple(removed), newest)

    def _demand_lock(self) -> None:
        if not self.is_locked:
            raise RuntimeError("take the lock of the folder before writing to it")


# --- The marker: that a folder is ours, whose data it holds, and in which format ---

_MARKER_FORMAT = 1


def _refuse_foreign(path: Path) -> None:
    """Refuse a folder without a marker that holds anything other than a marker that was cut.

    Raises:
        UsageError: It holds files of others.
    """
    strange = sorted(found.name for found in path.iterdir() if found.name != partial_of(path / MARKER).name)
    if strange:
        raise UsageError(
            f"{path} holds {strange[0]!r} and is not a bulkgladly data set; choose an empty or a new folder"
        )


def _write_marker(path: Path, host: str | None, now: dt.datetime) -> None:
    """Mark a folder as a data folder. `host` None leaves open whose data it will hold.

    Raises:
        DiskFull: No space.
    """
    content = {"format": _MARKER_FORMAT, "host": host, "created_at": now, "version": __version__}
    with full_disk_named(path):
        write_whole(path / MARKER, as_json(content))


def host_in(path: Path) -> str | None:
    """Return whose data a folder holds.

    Raises:
        UsageError: It was written by a newer version.
        InputError: Its marker is damaged.
    """
    marker = path / MARKER
    try:
        members = members_of(marker.read_bytes(), _MARKER_FORMAT)
        if members is None:
            raise UsageError(f"{path} was written by a newer version of bulkgladly; use that version")
        host = members.text_or_none("host")
        members.time("created_at")
        members.text("version")
        members.end()
    except ValueError as exc:
        raise InputError(f"{marker} is damaged: {exc}; restore it, or choose another folder") from exc
    return host
