"""What a data set needs of a prefix in a store, tried one by one: access, conditional writes, a clock."""

import secrets
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from bulkgladly.errors import UsageError
from bulkgladly.stores.conditions import prove_conditions
from bulkgladly.stores.store import Store

__all__ = ("StoreFinding", "examined_store")

_MOST_SKEW_S = 120.0


class StoreFinding(NamedTuple):
    """One thing that was tried. `is_good` is None if it is worth knowing, but not an obstacle."""

    what: str
    is_good: bool | None
    text: str


def examined_store(store: Store, marker: str, *, wall: Callable[[], float] = time.time) -> Iterator[StoreFinding]:
    """Yield what was found. Small objects are written below the prefix, and removed again.

    `marker` is the key of the object that makes a prefix a data set.

    Raises:
        Fatal, Outage, UsageError: The store refuses, cannot be reached, or the bucket does not exist.
    """
    yield _about_prefix(store, marker)
    key = f"_bulkgladly-probe-{secrets.token_hex(8)}"
    try:
        store.put(key, b"probe")
        found = store.head(key)
        if found is None or store.read(key) is None:
            yield StoreFinding("bucket", False, "an object that was just written cannot be read")
            return
    finally:
        store.delete([key])
    if store.head(key) is not None:
        yield StoreFinding("bucket", False, "an object that was removed is still there; allow deletions")
        return
    yield StoreFinding("bucket", True, "objects can be written, read and removed")
    try:
        prove_conditions(store)
    except UsageError as error:
        yield StoreFinding("conditions", False, str(error))
    else:
        yield StoreFinding("conditions", True, "conditional writes are honoured")
    yield _about_clock(found.modified_s - wall())


def _about_prefix(store: Store, marker: str) -> StoreFinding:
    first = next((one.key for one in store.list() if not one.key.startswith("_bulkgladly")), None)
    if store.head(marker) is not None:
        return StoreFinding("prefix", True, f"{store.name} holds a data set")
    if first is None:
        return StoreFinding("prefix", True, f"{store.name} is empty")
    return StoreFinding("prefix", False, f"{store.name} holds {first!r} and is not a data set; choose an empty prefix")


def _about_clock(skew_s: float) -> StoreFinding:
    way = "ahead of" if skew_s > 0 else "behind"
    if abs(skew_s) <= _MOST_SKEW_S:
        return StoreFinding("store clock", True, "agrees with this machine's")
    # Signatures have a time, and stores refuse those that are too old.
    return StoreFinding("store clock", None, f"is {abs(skew_s):.0f} s {way} this machine's; set this machine's clock")
