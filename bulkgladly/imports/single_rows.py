"""Sends single rows as they come, with the steps and the guards of an import, and without a run.

A run has an input that can be read again; a rule of `rules.toml` has one row at a time, and keeps it in the inbox
until it is done. So no journal is needed: the caller says whether a row may have been sent before. What Gladly gives
an id of its own is reserved in the state, as in a run, and is sent at most once.
"""

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import anyio
import anyio.to_thread

from bulkgladly.api.client import Client
from bulkgladly.errors import JournalDamaged
from bulkgladly.gladly.directory import Directory
from bulkgladly.gladly.spec import Draft, ImportSpec, Policy, ready
from bulkgladly.imports.delivery import Delivery
from bulkgladly.imports.drafts import Linker, Preparer
from bulkgladly.imports.import_options import ImportOptions
from bulkgladly.imports.row_names import fetch_directory
from bulkgladly.imports.settlement import RECENT_IDS
from bulkgladly.journal.entries import Intent, Reservation, UndoneWrites
from bulkgladly.journal.state import State
from bulkgladly.judging import is_server_error
from bulkgladly.messages import NotedWrite
from bulkgladly.records import Known, Outcome, Position, Problem, Row, Word

__all__ = ("KEY_COLUMN", "SingleRow", "SingleRows", "draft_of_row", "is_passing")

KEY_COLUMN = "_key"
"""The column with the source key of a single row. No object has a field of this name."""
_NAMES_FOR_S = 600.0
_KEYS_OF = "default"

T = TypeVar("T")


class SingleRow(NamedTuple):
    """A row to send. `key` identifies it for ever: the id in Gladly, or the reservation, follows from it.

    `begun_at` is when an earlier process may have sent it (seconds since 1970); None if it was certainly not sent.
    """

    spec: ImportSpec
    fields: Mapping[str, Any]
    key: str
    begun_at: float | None = None


class SingleRows:
    """Sends single rows, any number at the same time, each by one caller. `close` it after use."""

    def __init__(
        self,
        client: Client,
        *,
        host: str,
        state_dir: Path,
        namespace: str,
        run: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Ids are derived from keys within `namespace`; `run` is the name under which keys are reserved."""
        self._client, self._host, self._namespace = client, host, namespace
        self._state_path, self._run, self._clock = state_dir / "state.sqlite", run, clock
        self._memories: dict[str, _StateMemory] = {}
        self._directory: tuple[float, frozenset[str], Directory] = (0.0, frozenset(), Directory())
        self._made: deque[str] = deque(maxlen=RECENT_IDS)

    def draft_of(self, row: SingleRow) -> Draft | Problem:
        """Return the draft of a row, or why it cannot be sent. Nothing is looked up."""
        return draft_of_row(row.spec, row.fields, row.key, host=self._host, namespace=self._namespace)

    async def send(self, row: SingleRow) -> Outcome:
        """Send a row, and return how it ended.

        Raises:
            TransportError, Outage, Fatal, Withdrawn: It may be sent again later, with `begun_at` as it was; what is
                sent at most once is recognised then.
            DiskFull, JournalDamaged, JournalError: The state cannot be used; nothing left that must not be repeated.

        Cancelled or killed: send it again with `begun_at`, and it is looked up first.
        """
        policy, memory = _policy(row.spec, self._host, self._namespace), await self._memory(row.spec)
        draft = _draft(row.spec, row.fields, row.key, policy)
        if isinstance(draft, Draft):
            draft = await self._linked(row.spec, policy, draft, memory)
        if isinstance(draft, Problem):
            return Outcome.rejected(draft)
        known = await memory.known(draft.key)
        # Of what is sent at most once, the reservation is on the disk before the request leaves: without it, and
        # whatever the caller fears, nothing was sent.
        is_doubtful = known is not None if row.spec.is_at_most_once else row.begun_at is not None
        sent_at = row.begun_at if is_doubtful else None
        record = ready(draft, known, is_doubtful, sent_at, self._made)
        delivery = Delivery(row.spec, policy, memory, self._client)
        pending = delivery.started(record)
        outcome = pending if isinstance(pending, Outcome) else (await delivery.carry_out(pending))[0]
        if row.spec.is_at_most_once and outcome.gladly_id:
            self._made.append(outcome.gladly_id)
            await memory.remember(draft.key, outcome)
        return outcome

    def remember_made(self, ids: Sequence[str]) -> None:
        """Add ids of objects that were created before, which another row must not be matched with."""
        self._made.extend(ids)

    def close(self) -> None:
        """Close the state. Calling it twice is allowed."""
        while self._memories:
            self._memories.popitem()[1].close()

    async def _memory(self, spec: ImportSpec) -> "_StateMemory":
        if (found := self._memories.get(spec.name)) is None:
            scope = (self._host, spec.name, self._namespace)
            state = await anyio.to_thread.run_sync(
                partial(State, self._state_path, scope, is_synced=spec.is_at_most_once, run=self._run)
            )
            found = self._memories.setdefault(spec.name, _StateMemory(state, self._state_path))
            if not found.is_of(state):
                state.close()
        return found

    async def _linked(self, spec: ImportSpec, policy: Policy, draft: Draft, memory: "_StateMemory") -> Draft | Problem:
        kinds = frozenset(link.kind for link in draft.links if not link.is_key)
        directory = await self._names(kinds) if kinds else Directory()
        linked = (await Linker(spec, policy, memory, directory).link([draft]))[0]
        if isinstance(linked, Draft) and linked.links:
            linked = await Linker(spec, policy, memory, directory).link_last(linked)
        return linked or draft

    async def _names(self, kinds: frozenset[str]) -> Directory:
        """Return the names of the organisation, which are requested again after some minutes."""
        fetched_at, fetched, directory = self._directory
        if not kinds <= fetched or self._clock() - fetched_at > _NAMES_FOR_S:
            fetched |= kinds
            directory = await fetch_directory(self._client, sorted(fetched))
            self._directory = self._clock(), fetched, directory
        return directory


def draft_of_row(
    spec: ImportSpec, fields: Mapping[str, Any], key: str, *, host: str, namespace: str
) -> Draft | Problem:
    """Return the draft of a single row, or why it cannot be sent. Nothing is looked up, and nothing is sent."""
    return _draft(spec, fields, key, _policy(spec, host, namespace))


def _draft(spec: ImportSpec, fields: Mapping[str, Any], key: str, policy: Policy) -> Draft | Problem:
    return Preparer(spec, policy).draft_of(Row(Position(0, 0, 1), {**fields, KEY_COLUMN: key}, seq=0))


def _policy(spec: ImportSpec, host: str, namespace: str) -> Policy:
    options = ImportOptions(
        mode=spec.mode(None),
        key=KEY_COLUMN,
        namespace=namespace,
        # Keys in a row are those of ordinary imports.
        after=tuple((name, _KEYS_OF) for name in spec.references),
    )
    return options.policy(host)


def is_passing(outcome: Outcome, spec: ImportSpec) -> bool:
    """Tell whether a row did not end well for a cause that can pass, so that sending it again later may help."""
    if outcome.word is Word.UNKNOWN:
        return not spec.is_at_most_once
    if outcome.word is not Word.REJECTED:
        return False
    return outcome.code in ("no_answer", "unreadable") or is_server_error(outcome.status or 0)


class _StateMemory:
    """What is known of the rows of one object: the precautions of `Delivery`, in the state alone."""

    def __init__(self, state: State, path: Path) -> None:
        self._state, self._path = state, path
        self._turn = anyio.Lock()

    def is_of(self, state: State) -> bool:
        return self._state is state

    async def known(self, key: str) -> Known | None:
        return (await self._ask(lambda: self._state.known([key]))).get(key)

    async def known_in(self, host: str, resource: str, namespace: str, keys: Sequence[str]) -> dict[str, str]:
        return await self._ask(lambda: self._state.known_in((host, resource, namespace), keys))

    async def intend(self, intents: Sequence[Intent], writes: Sequence[NotedWrite] = ()) -> None:
        """Do nothing: the caller has committed that the row may be sent."""

    def will_write(self, write: NotedWrite) -> None:
        """Do nothing: without a run there is nothing to take back."""

    def has_not_written(self, undone: UndoneWrites) -> None:
        """Do nothing."""

    async def reserve(
        self, intent: Intent, reservation: Reservation, writes: Sequence[NotedWrite] = ()
    ) -> Known | None:
        del intent, writes

        def reserve() -> Known | JournalDamaged | None:
            if (problem := self._state.misplaced()) is not None:
                return problem
            known = self._state.reserve(*reservation)
            self._state.commit()
            # Only now is it certain that the reservation is in the file that others will read.
            return self._state.misplaced() or known

        found = await self._ask(reserve)
        if isinstance(found, JournalDamaged):
            raise found
        return found

    async def withdraw(self, seqs: Sequence[int], *, reserved: Sequence[str] = ()) -> None:
        del seqs
        if reserved:
            await self._ask(lambda: self._state.take_back(reserved))

    async def remember(self, key: str, outcome: Outcome) -> None:
        rows = [(key, outcome.gladly_id or "", outcome.accepted or {})]
        await self._ask(lambda: self._state.remember(rows))

    async def _ask(self, question: Callable[[], T]) -> T:
        def answered() -> T:
            try:
                answer = question()
                self._state.commit()
            except BaseException:
                self._state.roll_back()
                raise
            return answer

        async with self._turn:
            # A thread is not abandoned by a cancel: the next question would meet its transaction.
            return await anyio.to_thread.run_sync(answered)

    def close(self) -> None:
        self._state.close()
