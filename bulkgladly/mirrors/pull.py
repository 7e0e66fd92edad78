"""A prefix of a store to a data folder. What the folder already holds is not fetched again.

The files of a unit are fetched below `_incoming`, compared with their hashes, and published as an export publishes
its units: whole or not at all. What is interrupted is continued by the next pull.
"""

import contextlib
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from bulkgladly.errors import InputError, UsageError
from bulkgladly.lake.current_folder import (
    announce,
    drop_current,
    folder_of_current,
    put_in_place,
    scratch_of,
    settle_manifests,
)
from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.manifest import Manifest, manifest_from
from bulkgladly.lake.places import CURRENT, INCOMING, MANIFESTS, MARKER, place_of
from bulkgladly.local_paths import AnyPath, local_path
from bulkgladly.mirrors.contents import (
    MEDIA,
    Document,
    NamedFile,
    document_in,
    documents_below,
    is_document,
    is_same,
)
from bulkgladly.storage.durable import below, hash_of, partial_of, sync_file, sync_folder, write_whole
from bulkgladly.storage.failures import full_disk_named
from bulkgladly.stores.store import Entry, Store

__all__ = ("Pulled", "pull")

_WORKERS = 8


@dataclass(slots=True)
class Pulled:
    """What a pull did: units published and removed, files fetched, and their bytes."""

    units: int = 0
    gone: int = 0
    files: int = 0
    bytes: int = 0


def pull(store: Store, path: AnyPath, told: Callable[[Pulled], object] = lambda _: None) -> Pulled:
    """Make a data folder hold what a prefix holds, and return what was done. The folder is created if it is missing.

    `told` is called from time to time, in any thread. A cancel or a kill leaves whole units; the next pull continues.

    Raises:
        UsageError: The prefix holds no data set, or the folder another one, or units that the prefix lacks.
        InputError: A manifest is damaged, or an object is not what its manifest says.
        DataSetInUse: Another process writes to the folder.
        DiskFull: No space.
        Fatal, Outage: The store refuses, or cannot be reached.
    """
    found = store.read(MARKER)
    if found is None:
        raise UsageError(f"{store.name} is not a bulkgladly data set; `bulkgladly dataset push` creates one")
    with _opened(local_path(path).absolute(), found[0], store.name) as folder:
        folder.recover()
        with full_disk_named(folder.path):
            return _Pull(store, folder, told).run()


def _opened(path: Path, marker: bytes, name: str) -> DataFolder:
    own = path / MARKER
    if not own.exists():
        path.mkdir(parents=True, exist_ok=True)
        strange = next(path.iterdir(), None)
        if strange is not None and strange != partial_of(own):
            raise UsageError(f"{path} holds {strange.name!r} and is not a bulkgladly data set; choose a new folder")
        write_whole(own, marker)
    elif own.read_bytes() != marker:
        raise UsageError(f"{path} holds another data set than {name}, by their files {MARKER}; choose another folder")
    return DataFolder.open(path).lock()


class _Pull:
    """One pull, while the folder is locked."""

    def __init__(self, store: Store, folder: DataFolder, told: Callable[[Pulled], object]) -> None:
        self._store, self._folder, self._top = store, folder, folder.path
        self._told = told
        self._done = Pulled()
        self._counting = threading.Lock()

    def run(self) -> Pulled:
        """Fetch what differs, then remove what is gone."""
        there = {one.key: one for one in self._store.list()}
        documents = {key: entry for key, entry in there.items() if is_document(key)}
        here = documents_below(self._top)
        with ThreadPoolExecutor(_WORKERS, thread_name_prefix="pull") as pool:
            changed = [one for one in pool.map(self._changed, documents.values()) if one is not None]
            gone = [self._own(name, path) for name, path in here.items() if name not in documents]
            self._refuse_newer(gone, {one.data_set for one in gone}, documents)
            for _ in pool.map(self._fetch_media, [one for one in there.values() if one.key.startswith(f"{MEDIA}/")]):
                pass
            for _ in pool.map(self._fetch_files, changed):
                pass
        self._remove(gone)
        for one in sorted(changed, key=lambda one: (one.data_set, one.sequence)):
            self._publish(one)
        return self._done

    # --- What differs ---

    def _own(self, name: str, path: Path) -> Document:
        return document_in(name, path.read_bytes(), str(self._top))

    def _changed(self, entry: Entry) -> Document | None:
        """Return a document of the store if the folder does not have it; its files need no look then."""
        own = below(self._top, entry.key)
        content = own.read_bytes() if own.is_file() else None
        if content is not None and is_same(content, entry.tag.e_tag):
            return None
        found = self._store.read(entry.key)
        if found is None or found[0] == content:
            return None
        return document_in(entry.key, found[0], self._store.name)

    def _refuse_newer(self, gone: list[Document], names: set[str], documents: Mapping[str, Entry]) -> None:
        """Refuse to remove units of the folder that were published after everything that the store has.

        Raises:
            UsageError: Something exports to the folder itself.
        """
        newest: dict[str, int] = {}
        for key in documents:
            place = PurePosixPath(key)
            if any(place.is_relative_to(MANIFESTS / place_of(name)) for name in names if name):
                found = self._store.read(key)
                if found is not None:
                    one = document_in(key, found[0], self._store.name)
                    newest[one.data_set] = max(newest.get(one.data_set, 0), one.sequence)
        for one in gone:
            if one.data_set and one.sequence > newest.get(one.data_set, 0):
                raise UsageError(
                    f"{self._top / one.path} is newer than all that {self._store.name} holds of {one.data_set}; "
                    "push it first, or pull to another folder"
                )

    # --- Fetching ---

    def _fetch_media(self, entry: Entry) -> None:
        own = below(self._top, entry.key)
        if own.is_file() and own.stat().st_size == entry.size and own.stat().st_mtime >= entry.modified_s:
            return
        aside = partial_of(below(self._top, f"{INCOMING}/{entry.key}"))
        self._fetch(entry.key, aside)
        own.parent.mkdir(parents=True, exist_ok=True)
        aside.replace(own)
        sync_folder(own.parent)

    def _fetch_files(self, document: Document) -> None:
        for file in document.files:
            aside = self._aside(file)
            self._fetch(file.path, aside)
            if (size := aside.stat().st_size) != file.bytes or hash_of(aside) != file.blake2b:
                aside.unlink()
                raise InputError(
                    f"{self._store.name}/{file.path} is not what {document.path} says ({size:,} bytes, or another "
                    "hash); run `bulkgladly dataset push` again where the data set came from"
                )

    def _aside(self, file: NamedFile) -> Path:
        return partial_of(below(self._top, f"{INCOMING}/{file.path}"))

    def _fetch(self, key: str, aside: Path) -> None:
        aside.parent.mkdir(parents=True, exist_ok=True)
        aside.unlink(missing_ok=True)
        try:
            size = self._store.fetch(key, aside)
        except FileNotFoundError:
            raise InputError(
                f"{self._store.name}/{key} is missing, though a manifest names it; a push may be under way: try again"
            ) from None
        sync_file(aside)
        with self._counting:
            self._done.files += 1
            self._done.bytes += size
        self._told(self._done)

    # --- Publishing and removing ---

    def _publish(self, document: Document) -> None:
        if not document.data_set:
            path = below(self._top, document.path)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, document.content)
        else:
            manifest = manifest_from(document.content, f"{self._store.name}/{document.path}")
            if document.path.startswith(f"{MANIFESTS}/{CURRENT}/"):
                self._publish_current(manifest, document)
            else:
                self._publish_unit(manifest)
        self._done.units += 1
        self._told(self._done)

    def _publish_unit(self, manifest: Manifest) -> None:
        own = self._folder.manifest(manifest.data_set, manifest.unit)
        place = place_of(manifest.data_set)
        aside = self._top / INCOMING / place
        self._folder.adopt(
            replace(
                manifest,
                parts=tuple(
                    replace(
                        part,
                        partial=self._aside(NamedFile(f"{place}/{part.path}", part.bytes, part.blake2b))
                        .relative_to(aside)
                        .as_posix(),
                    )
                    for part in manifest.parts
                ),
                others=tuple(
                    replace(
                        other,
                        partial=self._aside(NamedFile(other.path, other.bytes, other.blake2b))
                        .relative_to(self._top)
                        .as_posix(),
                    )
                    for other in manifest.others
                ),
            ),
            replaces=() if own is None else (own,),
        )

    def _publish_current(self, manifest: Manifest, document: Document) -> None:
        """Exchange the folder of a compacted data set as a whole, as `compact` does."""
        made = scratch_of(self._top) / place_of(manifest.data_set)
        made.mkdir(parents=True, exist_ok=True)
        for file in document.files:
            self._aside(file).replace(made / PurePosixPath(file.path).name)
        sync_folder(made)
        announce(self._top, manifest)
        put_in_place(made, self._top / folder_of_current(manifest.data_set))
        settle_manifests(self._top)

    def _remove(self, gone: list[Document]) -> None:
        units = []
        for one in gone:
            if not one.data_set:
                below(self._top, one.path).unlink(missing_ok=True)
            elif one.path.startswith(f"{MANIFESTS}/{CURRENT}/"):
                drop_current(self._top, one.data_set)
            else:
                units.append(manifest_from(one.content, one.path))
        self._folder.remove(units)
        self._done.gone += len(gone)
        for parent in {below(self._top, one.path).parent for one in gone}:
            with contextlib.suppress(FileNotFoundError):
                sync_folder(parent)
