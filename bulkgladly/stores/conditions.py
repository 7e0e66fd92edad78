"""Proof that a store honours conditions: some that speak like S3 take a conditional write and ignore its condition.

Relying on such a store loses data without a word, so the proof comes before the first write.
"""

import secrets

from bulkgladly.errors import UsageError
from bulkgladly.stores.store import Store, Tag

__all__ = ("prove_conditions",)


def prove_conditions(store: Store) -> None:
    """Write a small object twice, and replace it twice by one tag: the second of each must be refused.

    The object is removed again, and never has a name that a data set uses.

    Raises:
        UsageError: The store took a write whose condition was not met, or does not say which content is which.
    """
    key = f"_bulkgladly-probe-{secrets.token_hex(8)}"
    try:
        first = store.put_new(key, b"first")
        if first is None or first == Tag(None, None):
            raise _ignores(store, "names no ETag for what it took")
        if store.put_new(key, b"second") is not None:
            raise _ignores(store, "overwrote an object that was to be created only if absent")
        if store.put_over(key, b"third", first) is None:
            raise _ignores(store, "refused to replace an object by its own ETag")
        if store.put_over(key, b"fourth", first) is not None:
            raise _ignores(store, "replaced an object that had changed")
    finally:
        store.delete([key])


def _ignores(store: Store, what: str) -> UsageError:
    return UsageError(
        f"{store.name}: the store {what}. Without conditional writes two writers would mix their data; "
        "use a store that supports If-None-Match and If-Match"
    )
