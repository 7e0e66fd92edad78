"""What an object store can do for us. There are no renames, and no writes in the middle of an object."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

__all__ = ("Entry", "Store", "Tag")


class Tag(NamedTuple):
    """Which content of an object this is, in the store's own words: S3 and Azure use the one, GCS the other."""

    e_tag: str | None
    version: str | None


class Entry(NamedTuple):
    """An object: its key below the prefix of the store, its size, when the store took it, and its tag."""

    key: str
    size: int
    modified_s: float
    """Seconds since 1970, by the clock of the store."""
    tag: Tag


class Store(Protocol):
    """A prefix in a bucket. Keys are relative to it.

    Every method waits for the store and may be called from several threads at once.

    Raises:
        UsageError, Fatal, Outage: From every method, as `store_failures` says.
    """

    @property
    def name(self) -> str:
        """The URL, for messages; it holds no secret."""
        ...

    @property
    def requests(self) -> int:
        """How many requests were made so far; repeats and the parts of large uploads are not counted."""
        ...

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """Yield the objects whose keys begin with these folders, in the order of their keys."""
        ...

    def head(self, key: str) -> Entry | None:
        """Return what the store says of an object, or None if there is none."""
        ...

    def read(self, key: str) -> tuple[bytes, Tag] | None:
        """Return a small object, or None if there is none."""
        ...

    def fetch(self, key: str, path: Path) -> int:
        """Write an object to a new file, and return its size.

        Raises:
            FileNotFoundError: There is no such object.
            FileExistsError: The file exists.
        """
        ...

    def put(self, key: str, content: bytes | Path) -> Tag:
        """Write an object, whatever was there before."""
        ...

    def put_new(self, key: str, content: bytes) -> Tag | None:
        """Write an object that must not exist yet; return None if it does, with other content."""
        ...

    def put_over(self, key: str, content: bytes, tag: Tag) -> Tag | None:
        """Replace an object if it is still the one with this tag; return None if it is not."""
        ...

    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects; those that are gone already count as removed."""
        ...
