"""A bucket as a `Store`, by obstore: S3 and what speaks like it, Google Cloud Storage, and Azure.

This module and `store_failures` alone load obstore, which is an extra of the package.
"""

import contextlib
import itertools
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import obstore
from obstore.exceptions import AlreadyExistsError, NotFoundError, PreconditionError
from obstore.store import ObjectStore

from bulkgladly.errors import Outage
from bulkgladly.stores.addresses import StoreAddress
from bulkgladly.stores.store import Entry, Tag
from bulkgladly.stores.store_failures import telling_store

__all__ = ("Bucket",)

_LIST_CHUNK = 1000
_BLOCK_BYTES = 1 << 20
_ONE_PUT_BYTES = 16 << 20
"""Up to this size an object is sent in one request, which leaves no parts behind when it breaks off."""


class Bucket:
    """A prefix in a bucket; see `Store`. What a reply that was lost leaves open is asked of the store."""

    def __init__(self, inner: ObjectStore, address: StoreAddress) -> None:
        """`inner` has the prefix already."""
        self._inner: Any = inner
        self._address = address
        self._counted = 0
        self._counting = threading.Lock()

    @property
    def name(self) -> str:
        """The URL."""
        return str(self._address)

    @property
    def requests(self) -> int:
        """How many requests were made so far."""
        return self._counted

    @contextlib.contextmanager
    def _asking(self) -> Iterator[None]:
        with self._counting:
            self._counted += 1
        with telling_store(self.name):
            yield

    # --- reading ---

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """Yield the objects below these folders, in the order of their keys."""
        pages = iter(obstore.list(self._inner, prefix or None, chunk_size=_LIST_CHUNK))
        while True:
            with self._asking():
                page = next(pages, None)
            if page is None:
                with self._counting:
                    self._counted -= 1  # the end came with the page before it
                return
            yield from (_entry(one) for one in page)

    def head(self, key: str) -> Entry | None:
        """Return what the store says of an object, or None."""
        with contextlib.suppress(FileNotFoundError), self._asking():
            return _entry(obstore.head(self._inner, key))
        return None

    def read(self, key: str) -> tuple[bytes, Tag] | None:
        """Return a small object, or None."""
        with contextlib.suppress(FileNotFoundError), self._asking():
            found = obstore.get(self._inner, key)
            return bytes(found.bytes()), _entry(found.meta).tag
        return None

    def fetch(self, key: str, path: Path) -> int:
        """Write an object to a new file, and return its size; see `Store`."""
        with self._asking():
            found = obstore.get(self._inner, key)
            blocks = found.stream(min_chunk_size=_BLOCK_BYTES)
        size = 0
        with path.open("xb") as file:
            while True:
                with telling_store(self.name):
                    block = next(blocks, None)
                if block is None:
                    break
                size += file.write(block)
        if size != found.meta["size"]:
            raise Outage(f"{self.name}/{key}: {size} of {found.meta['size']} bytes came; try again")
        return size

    # --- writing ---

    def put(self, key: str, content: bytes | Path) -> Tag:
        """Write an object, whatever was there before."""
        return self._put(key, content, "overwrite")

    def put_new(self, key: str, content: bytes) -> Tag | None:
        """Write an object that must not exist yet; see `Store`."""
        try:
            return self._put(key, content, "create")
        except (AlreadyExistsError, PreconditionError):
            return self._is_ours(key, content)

    def put_over(self, key: str, content: bytes, tag: Tag) -> Tag | None:
        """Replace an object if it is still the one with this tag; see `Store`."""
        mode = {name: value for name, value in zip(("e_tag", "version"), tag, strict=True) if value is not None}
        try:
            return self._put(key, content, mode)
        except PreconditionError:
            return self._is_ours(key, content)
        except (FileNotFoundError, NotFoundError):
            return None

    def _put(self, key: str, content: bytes | Path, mode: Any) -> Tag:
        size = content.stat().st_size if isinstance(content, Path) else len(content)
        with self._asking():
            done = obstore.put(self._inner, key, content, mode=mode, use_multipart=size > _ONE_PUT_BYTES)
        return Tag(done["e_tag"], done["version"])

    def _is_ours(self, key: str, content: bytes) -> Tag | None:
        """Return the tag of an object if it has this content: its reply was lost, and the repeat was refused."""
        found = self.read(key)
        return found[1] if found is not None and found[0] == content else None

    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects; see `Store`."""
        for some in _batches(keys):
            with contextlib.suppress(FileNotFoundError), self._asking():
                obstore.delete(self._inner, list(some))


def _batches(keys: Iterable[str]) -> Iterator[list[str]]:
    left = iter(keys)
    while some := list(itertools.islice(left, _LIST_CHUNK)):
        yield some


def _entry(meta: Any) -> Entry:
    return Entry(meta["path"], meta["size"], meta["last_modified"].timestamp(), Tag(meta["e_tag"], meta["version"]))
