"""The four files of an export job, generated from the objects of the organisation.

Facts: export-files.md, "Files". The customer lines are flat and hold no customAttributes.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from itertools import islice
from typing import Any

import orjson

from bulkgladly.emulator.exports.job_items import Cast, InventedItems
from bulkgladly.emulator.organisation.clock import moment_of
from bulkgladly.emulator.organisation.export_jobs import ExportFile
from bulkgladly.emulator.organisation.store import Entity, Store
from bulkgladly.emulator.seeding.seed_organisation import invented_customer

__all__ = ("FILE_NAMES", "cast_of", "generated_files", "recorded_files")

FILE_NAMES = ("agents.jsonl", "conversation_items.jsonl", "customers.jsonl", "topics.jsonl")

_LINES_PER_BLOCK = 500
_STRANGERS = 10
_NO_AGENT: Entity = {"id": "agent-0", "name": "Former Agent", "emailAddress": "former.agent@example.org"}


def cast_of(store: Store) -> Cast:
    """Return all customers and agents as they are now; later changes of the store have no effect.

    If there are no customers, the first ten invented ones are used, as if they had been deleted since.
    """
    # The store never changes a profile in place, so references are a snapshot.
    customers = tuple(store.customers.values()) or tuple(map(invented_customer, range(_STRANGERS)))
    agents = tuple(store.collections["agents"].values()) or (_NO_AGENT,)
    return Cast(customers, agents, tuple(store.collections["topics"].values()))


def recorded_files(store: Store, cast: Cast, period: tuple[datetime, datetime]) -> dict[str, ExportFile]:
    """Return the files by name, with the items of the store that happened in the period, its end not included."""
    start, end = period
    # The store replaces items and never changes them, so that the list is a snapshot.
    items = [item for item in store.items.values() if start <= moment_of(item["timestamp"]) < end]
    items.sort(key=lambda item: str(item["timestamp"]))
    files = (_listing(cast.agents, dict), _listing(items, _exported), *_others(cast))
    return dict(zip(FILE_NAMES, files, strict=True))


def _exported(item: Mapping[str, Any]) -> Entity:
    # The export has no session at the top of a line.
    return {name: value for name, value in item.items() if name != "sessionId"}


def _others(cast: Cast) -> tuple[ExportFile, ExportFile]:
    return _listing(cast.customers, _flat), _listing(cast.topics, dict)


def generated_files(job_id: str, cast: Cast, period: tuple[datetime, datetime], items: int) -> dict[str, ExportFile]:
    """Return the files by name. They are generated in blocks while they are read."""
    invented = InventedItems(job_id, items, cast, period)
    files = (_listing(cast.agents, dict), ExportFile(invented.blocks, invented.size), *_others(cast))
    return dict(zip(FILE_NAMES, files, strict=True))


def _listing(entities: Sequence[Entity], line: Callable[[Entity], Entity]) -> ExportFile:
    def blocks() -> Iterator[bytes]:
        lines = (orjson.dumps(line(entity), option=orjson.OPT_APPEND_NEWLINE) for entity in entities)
        while block := b"".join(islice(lines, _LINES_PER_BLOCK)):
            yield block

    return ExportFile(blocks, cache(lambda: sum(map(len, blocks()))))


def _flat(profile: Mapping[str, Any]) -> Entity:
    fields = {
        "id": profile["id"],
        "name": profile.get("name"),
        "address": profile.get("address"),
        "emailAddresses": _each(profile.get("emails", ()), "original"),
        "phoneNumbers": _each(profile.get("phones", ()), "normalized"),
        "externalCustomerId": profile.get("externalCustomerId"),
        "externalCustomerIds": profile.get("externalCustomerIds"),
    }
    return {name: value for name, value in fields.items() if value}


def _each(entries: Iterable[Mapping[str, Any]], name: str) -> list[str]:
    return [entry[name] for entry in entries]
