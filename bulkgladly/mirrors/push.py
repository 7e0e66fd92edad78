"""A data folder to a prefix of a store. What the prefix already holds is not sent again.

First the files of a unit are sent, then its manifest, by a conditional write: a unit is there as a whole or not at
all for those who read by manifests. Where units are replaced or removed, the manifests that go are removed before
those that come, so that rows may be missing for a moment, and are never there twice. Files that no manifest names
any more go last. Whatever is interrupted is continued by the next push, from what the store holds.
"""

import contextlib
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from bulkgladly.errors import InputError, UsageError
from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.places import CURRENT, INCOMING, LOCK, MANIFESTS, MARKER, RAW, REJECTS, is_part
from bulkgladly.mirrors.contents import (
    MEDIA,
    Document,
    NamedFile,
    document_in,
    documents_below,
    files_below,
    is_document,
    is_same,
)
from bulkgladly.storage.durable import below
from bulkgladly.stores.conditions import prove_conditions
from bulkgladly.stores.lease import LOCK_KEY, Lease
from bulkgladly.stores.store import Entry, Store

__all__ = ("Pushed", "push")

_WORKERS = 8
_TRIES = 3
_DAY_S = 86_400.0


@dataclass(slots=True)
class Pushed:
    """What a push did: units whose manifest was written and removed, files sent and removed, and their bytes."""

    units: int = 0
    gone: int = 0
    files: int = 0
    bytes: int = 0
    removed: int = 0


def push(folder: DataFolder, store: Store, told: Callable[[Pushed], object] = lambda _: None) -> Pushed:
    """Make a prefix hold what a data folder holds, and return what was done.

    The folder needs no lock: a unit that is replaced meanwhile is read again. `told` is called from time to time, in
    any thread. A cancel or a kill leaves whole units, and files that the next push removes.

    Raises:
        UsageError: The prefix holds something else, another data set, or a newer state of this one; or the store does
            not honour conditions. Nothing was written below the prefix, except the probe and the lock.
        InputError: A manifest is damaged, or a file is not what its manifest says.
        DataSetInUse: Another process writes there.
        Fatal, Outage: The store refuses, or cannot be reached.
    """
    is_ours = _is_claimed(folder, store)
    with Lease(store) as lease:
        lease.take()
        # Again under the lock: of two first pushes to one prefix, the second has to see whose it is by then.
        if not is_ours and not _is_claimed(folder, store):
            _claim(folder, store)
        return _Push(folder, store, lease, told).run()


def _is_claimed(folder: DataFolder, store: Store) -> bool:
    """Tell whether a prefix holds this data set already; False if it holds none.

    Raises:
        UsageError: It holds another one.
    """
    found = store.read(MARKER)
    if found is not None and found[0] != (folder.path / MARKER).read_bytes():
        raise UsageError(
            f"{store.name} holds another data set than {folder.path}, by their files {MARKER}; choose another prefix"
        )
    return found is not None


def _claim(folder: DataFolder, store: Store) -> None:
    """Make an empty prefix that of this data set, once it has proved that it honours conditions."""
    strange = next((one.key for one in store.list() if not _is_passing(one.key)), None)
    if strange is not None:
        raise UsageError(f"{store.name} holds {strange!r} and is not a bulkgladly data set; choose an empty prefix")
    prove_conditions(store)
    store.put_new(MARKER, (folder.path / MARKER).read_bytes())


def _is_passing(key: str) -> bool:
    return key.startswith((LOCK_KEY, "_bulkgladly-probe-"))


class _Push:
    """One push, while its lock is held."""

    def __init__(self, folder: DataFolder, store: Store, lease: Lease, told: Callable[[Pushed], object]) -> None:
        self._folder, self._top = folder, folder.path
        self._store, self._lease = store, lease
        self._told = told
        self._done = Pushed()
        self._counting = threading.Lock()
        self._there: Mapping[str, Entry] = {}
        self._documents: dict[str, Document] = {}
        """What the store has, as far as it differs from the folder or is gone from there."""

    def run(self) -> Pushed:
        """Send what differs, then remove what is gone."""
        self._there = {one.key: one for one in self._store.list()}
        here = documents_below(self._top)
        gone = [key for key in self._there if is_document(key) and key not in here]
        with ThreadPoolExecutor(_WORKERS, thread_name_prefix="push") as pool:
            changed = [path for path, same in zip(here, pool.map(self._is_there, here), strict=True) if not same]
            theirs = [key for key in (*gone, *changed) if key in self._there]
            self._documents = {one.path: one for one in pool.map(self._document_there, theirs)}
            self._refuse_older(changed, gone)
            self._send_media(pool)
            self._publish(pool, changed, gone)
        self._clean(here)
        return self._done

    # --- What differs ---

    def _is_there(self, path: str) -> bool:
        """Tell whether the store holds this document, and all its files by their names and sizes."""
        entry = self._there.get(path)
        if entry is None:
            return False
        content = self._content(path)
        if content is None or entry.size != len(content):
            return content is None
        if not is_same(content, entry.tag.e_tag):
            found = self._store.read(path)
            if found is None or found[0] != content:
                return False
        files = document_in(path, content, str(self._top)).files
        return all(file.path in self._there and self._there[file.path].size == file.bytes for file in files)

    def _content(self, path: str) -> bytes | None:
        """Return a document of the folder; None if it is gone."""
        with contextlib.suppress(FileNotFoundError):
            return below(self._top, path).read_bytes()
        return None

    def _document_there(self, key: str) -> Document:
        found = self._store.read(key)
        content = b"" if found is None else found[0]
        try:
            return document_in(key, content, self._store.name)
        except InputError:
            # It is replaced, or removed; what it named is found by its place.
            return Document(key, content)

    def _refuse_older(self, changed: Iterable[str], gone: Iterable[str]) -> None:
        """Refuse to replace what was published after everything that the folder has of a data set.

        Raises:
            UsageError: Somebody else publishes below the prefix.
        """
        if not self._documents:
            return
        newest: dict[str, int] = {}
        for path in documents_below(self._top):
            content = self._content(path)
            if content is not None:
                one = document_in(path, content, str(self._top))
                newest[one.data_set] = max(newest.get(one.data_set, 0), one.sequence)
        for key in (*changed, *gone):
            there = self._documents.get(key)
            if there is not None and there.data_set and there.sequence > newest.get(there.data_set, 0):
                raise UsageError(
                    f"{self._store.name} holds a unit of {there.data_set} that is newer than all in {self._top}; "
                    "another copy was pushed there, or something writes there itself. Pull it first"
                )

    # --- Sending ---

    def _publish(self, pool: ThreadPoolExecutor, changed: Sequence[str], gone: Sequence[str]) -> None:
        """Send the units that differ. Where others are removed, all manifests of the data set change at the end."""
        losing = {_data_set_folder(key) for key in gone}
        waiting = [path for path in changed if _data_set_folder(path) in losing]
        at_once = [path for path in changed if _data_set_folder(path) not in losing]
        for _ in pool.map(self._send_unit, at_once):
            pass
        ready = [one for one in pool.map(self._send_files, waiting) if one is not None]
        self._lease.hold()
        self._store.delete(gone)
        self._done.gone += len(gone)
        for _ in pool.map(self._write_manifest, ready):
            pass

    def _send_unit(self, path: str) -> None:
        document = self._send_files(path)
        if document is not None:
            self._write_manifest(document)

    def _send_files(self, path: str) -> Document | None:
        """Send the files of a unit, and return its manifest; None if the unit is gone from the folder."""
        for left in reversed(range(_TRIES)):
            content = self._content(path)
            if content is None:
                return None
            document = document_in(path, content, str(self._top))
            try:
                for file in document.files:
                    self._send_file(file, path)
            except FileNotFoundError as error:
                if not left or self._content(path) == content:
                    raise InputError(
                        f"{error.filename} is missing, though {path} names it; run "
                        f"`bulkgladly dataset verify {self._top}`"
                    ) from None
            else:
                return document
        return None

    def _send_file(self, file: NamedFile, path: str) -> None:
        entry = self._there.get(file.path)
        before = self._documents.get(path)
        if entry is not None and entry.size == file.bytes and before is not None and file in before.files:
            return
        self._upload(below(self._top, file.path), file.path, file.bytes)

    def _upload(self, local: Path, key: str, size: int) -> None:
        if local.stat().st_size != size:
            raise InputError(
                f"{local} has {local.stat().st_size:,} bytes, and its manifest says {size:,}; run "
                f"`bulkgladly dataset verify {self._top}`"
            )
        self._lease.hold()
        self._store.put(key, local)
        found = self._store.head(key)
        if found is None or found.size != size:
            raise UsageError(f"{self._store.name}/{key}: the store took it and does not hold it; check the store")
        with self._counting:
            self._done.files += 1
            self._done.bytes += size
        self._told(self._done)

    def _write_manifest(self, document: Document) -> None:
        """Publish a unit: from now on readers see its files, and those it named before are removed at the end."""
        entry = self._there.get(document.path)
        self._lease.hold()
        if entry is None:
            tag = self._store.put_new(document.path, document.content)
        else:
            tag = self._store.put_over(document.path, document.content, entry.tag)
        if tag is None:
            raise UsageError(f"{self._store.name}/{document.path} was changed meanwhile; look who writes there")
        with self._counting:
            self._done.units += 1
        self._told(self._done)

    def _send_media(self, pool: ThreadPoolExecutor) -> None:
        """Send media files that are missing there, have another size, or were written later."""

        def send(one: tuple[str, float, int]) -> None:
            path, modified_s, size = one
            entry = self._there.get(path)
            with contextlib.suppress(FileNotFoundError):
                if entry is None or entry.size != size or not self._is_old_media(path, modified_s, entry):
                    self._upload(below(self._top, path), path, size)

        files = [(path, found.st_mtime, found.st_size) for path, found in files_below(self._top, MEDIA)]
        for _ in pool.map(send, files):
            pass

    def _is_old_media(self, path: str, modified_s: float, entry: Entry) -> bool:
        # The clocks of the store and of this machine may differ, so what is a day older still counts as newer.
        return modified_s < entry.modified_s - _DAY_S or is_same(below(self._top, path).read_bytes(), entry.tag.e_tag)

    # --- Removing ---

    def _clean(self, here: Mapping[str, Path]) -> None:
        """Remove the files of ours that no manifest names: of replaced units, and of pushes that were interrupted."""
        named = {MARKER}
        for path in here:
            content = self._content(path)
            if content is None:
                return  # the folder changes at the moment; the next push cleans
            named.update(file.path for file in document_in(path, content, str(self._top)).files)
        named.update(path for path, _ in files_below(self._top, MEDIA))
        unnamed = [key for key in self._there if key not in named and _could_be_ours(key)]
        self._lease.hold()
        self._store.delete(unnamed)
        self._done.removed += len(unnamed)


def _data_set_folder(path: str) -> str:
    return path.rpartition("/")[0]


def _could_be_ours(key: str) -> bool:
    """Tell whether a push may have sent this object as a file of a unit; documents are not files."""
    top, _, name = key.rpartition("/")
    first = key.partition("/")[0]
    if first in (MANIFESTS, INCOMING, LOCK) or not top:
        return False
    return first in (REJECTS, RAW, CURRENT, MEDIA) or is_part(name)
