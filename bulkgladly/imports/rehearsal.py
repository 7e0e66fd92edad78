"""An emulator in this process, in which imports are rehearsed, with the names that their rows use."""

import tempfile
from collections.abc import AsyncIterator, Collection, Mapping, MutableMapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bulkgladly.gladly.directory import Directory, names_below
from bulkgladly.gladly.spec import ImportSpec
from bulkgladly.imports.drafts import DraftReader
from bulkgladly.imports.import_inputs import open_checked
from bulkgladly.imports.import_options import ImportOptions
from bulkgladly.imports.row_names import names_in
from bulkgladly.journal.ledger import Ledger
from bulkgladly.records import Mark, Problem
from bulkgladly.runs.environment import USUAL
from bulkgladly.settings import Credentials

if TYPE_CHECKING:
    from bulkgladly.emulator import Emulator

__all__ = ("StandIn", "names_used", "rehearsal")

_LISTS: Mapping[str, str] = {
    "inbox": "inboxes",
    "agent": "agents",
    "team": "teams",
    "topic": "topics",
    "audience": "audiences",
}


class StandIn:
    """The emulator of a rehearsal. Its organisation begins without customers."""

    def __init__(self, emulator: "Emulator") -> None:
        self._lists: Mapping[str, MutableMapping[str, Any]] = emulator.store.collections
        self.credentials = Credentials(emulator.url, emulator.options.username, emulator.options.token)

    def add_names(self, names: Mapping[str, Collection[str]]) -> list[str]:
        """Give the organisation the inboxes, agents and topics that it lacks of these names; return these.

        Whether the real organisation has them is looked up when a real import begins.
        """
        added: list[str] = []
        for kind, every in names.items():
            if kind not in _LISTS:
                continue
            for name in every:
                known = Directory({kind: list(self._lists[_LISTS[kind]].values())})
                if isinstance(known.resolve(kind, name, kind), Problem):
                    self._add(kind, name)
                    added.append(f"{kind} {name!r}")
        return added

    def _add(self, kind: str, name: str) -> None:
        entries = self._lists[_LISTS[kind]]
        identity = f"rehearsed-{kind}-{len(entries) + 1}"
        match kind:
            case "agent":
                address = name if "@" in name else f"{identity}@example.org"
                entries[identity] = {"id": identity, "name": name, "emailAddress": address}
                for members in self._lists["inbox_members"].values():
                    members["agentIds"].append(identity)
            case "inbox":
                entries[identity] = {"id": identity, "name": name, "disabled": False}
                # The emulator gives a task only to an agent of its inbox.
                self._lists["inbox_members"][identity] = {"id": identity, "agentIds": list(self._lists["agents"])}
            case "topic":
                self._add_topic(name)
            case _:
                entries[identity] = {"id": identity, "name": name}

    def _add_topic(self, path: str) -> None:
        entries = self._lists["topics"]
        parent: str | None = None
        for name in names_below(path) or (path,):
            identity = f"rehearsed-topic-{len(entries) + 1}"
            above = {} if parent is None else {"parentId": parent}
            entries[identity] = {"id": identity, "name": name, "disabled": False, **above}
            parent = identity


@asynccontextmanager
async def rehearsal() -> AsyncIterator[StandIn]:
    """Run an emulator in this process, without a rate limit, and give it."""
    from bulkgladly.emulator import Emulator  # noqa: PLC0415 - a rehearsal alone needs it

    async with Emulator(rate=None) as emulator:
        yield StandIn(emulator)


async def names_used(
    spec: ImportSpec, patterns: Sequence[str], options: ImportOptions
) -> Mapping[str, Collection[str]]:
    """Return the names that the rows of an import use instead of ids, by kind. Reads all rows, and sends nothing.

    Raises:
        InputError: A file cannot be read.
    """
    if not spec.directories:
        return {}
    with tempfile.TemporaryDirectory(prefix="bulkgladly-names-") as folder:
        inputs = open_checked(spec, patterns, options)
        ledger = Ledger(Path(folder), state=Path(folder) / "state.sqlite", scope=("", spec.name, options.namespace))
        try:
            reader = DraftReader(spec, options.policy(""), options, inputs=inputs, ledger=ledger, bounds=USUAL.bounds)
            found = await names_in(reader, spec, Mark(), USUAL.bounds.rows_scanned)
        finally:
            ledger.close()
    return {kind: list(names) for kind, names in found.used.items()}
