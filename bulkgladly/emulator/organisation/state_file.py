"""The store as a file, so that an emulator can be stopped and started again with its data."""

import os
from pathlib import Path

import orjson

from bulkgladly.emulator.organisation.store import COLLECTIONS, Store, Taken

__all__ = ("StateError", "load_state", "save_state")

_VERSION = 1


class StateError(ValueError):
    """The file is not a state file of this emulator. Do not use the store; the file is unchanged."""


def save_state(store: Store, path: Path) -> None:
    """Write the store. Whatever happens, the file holds either the whole old state or the whole new one.

    Raises:
        OSError: The folder is missing, not writable or full; the old file is unchanged.
    """
    document = {
        "version": _VERSION,
        "organization": store.organization,
        "collections": {name: list(store.collections[name].values()) for name in COLLECTIONS},
        "merged": store.merged,
        "deleted": sorted(store.deleted),
    }
    aside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with aside.open("wb") as file:
            file.write(orjson.dumps(document))
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    _sync_folder(path.parent)


def load_state(store: Store, path: Path) -> None:
    """Fill an empty store from a file that `save_state` wrote.

    Raises:
        StateError: The file is damaged or of another version; the message names it and says what to do.
        OSError: It cannot be read.
    """
    try:
        document = orjson.loads(path.read_bytes())
        if document["version"] != _VERSION:
            raise ValueError(f"its version is {document['version']}, not {_VERSION}")
        collections, organization = document["collections"], dict(document["organization"])
        merged, deleted = dict(document["merged"]), set(document["deleted"])
        known = {name: {e["id"]: e for e in collections.get(name, ())} for name in COLLECTIONS}
        for customer in known.pop("customers").values():
            store.add_customer(customer)
    except (ValueError, KeyError, TypeError, AttributeError, Taken) as exc:
        message = f"{path} is not a state file of this emulator ({exc}); move it away to start with an empty one"
        raise StateError(message) from exc
    for name, entities in known.items():
        store.collections[name].update(entities)
    store.organization, store.merged, store.deleted = organization, merged, deleted


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
