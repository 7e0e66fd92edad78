"""From a file to Gladly: the whole way of a record, from top to bottom.

`Importer.read`      1. rows are read, up to the row limit of the session
                     2. each becomes the draft of a record, or a problem
                     3. ids replace the names and keys that it refers to
                     4. the journal says what it knows of it, and which earlier row it clashes with
`Importer.dispatch`  5. what needs no request ends here: problems, clashes, and what needs no change
                     6. it waits for earlier records that hold the same customer, key or task
                     7. its steps start; the disk gets what a resume needs to know of its first request
`Importer.work`      8. its requests are sent, until its steps return the outcome
                     9. the outcome is recorded, and the records that wait for it can go on

The first two stages run once each, side by side; the third runs once for each record that can be in flight. One batch
can wait between the first and the second, a few records between the second and the third.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import PurePath

import anyio

from bulkgladly.api.client import Client
from bulkgladly.errors import Withdrawn
from bulkgladly.gladly.spec import Draft, ImportSpec, Policy, Record, ready
from bulkgladly.imports.canary import Canary
from bulkgladly.imports.delivery import Delivery, Pending
from bulkgladly.imports.drafts import AdmittedRow, DraftReader, in_sending_order
from bulkgladly.imports.import_options import ImportOptions
from bulkgladly.imports.ordering import Lanes
from bulkgladly.imports.settlement import RECENT_IDS, Settlement
from bulkgladly.imports.step_choice import FreeSteps, StepChoice
from bulkgladly.journal.entries import known_by
from bulkgladly.journal.ledger import Ledger
from bulkgladly.records import Outcome, Problem, place_of_row
from bulkgladly.runs.environment import Bounds
from bulkgladly.runs.observer import counted
from bulkgladly.runs.stages import Feed, Stop

__all__ = ("Importer",)

BATCHES_AHEAD = 1
# Records that wait for a worker. Few, because a resume has to look up each of their intents after a kill.
SPARE = 2
# Without a pace (an emulator): as many as are sent while a group of intents is written to the disk.
SPARE_UNLIMITED = 400


class Importer:
    """One session of an import: reads, prepares and sends records, until the input or the run ends.

    Three stages, each a chapter below: `read`, `dispatch`, and `work` once for each record that can be in flight;
    `close` ends the first two. Rows are read in batches, in a worker thread, from the ledger's low-water mark on.
    """

    def __init__(
        self,
        spec: ImportSpec,
        policy: Policy,
        options: ImportOptions,
        *,
        reader: DraftReader,
        ledger: Ledger,
        client: Client,
        stop: Stop,
        input_names: Sequence[str] = (),
        bounds: Bounds | None = None,
        choice: StepChoice | None = None,
    ) -> None:
        """`policy` is that of the options, as of now. `choice` has the steps of the records; see `FreeSteps`."""
        self._spec, self._limits, self._ledger, self._stop = spec, options.limits, ledger, stop
        self._reader, self._input_names = reader, input_names
        self._settlement = Settlement(
            spec, policy, ledger, options.limits, stop, reader.names, show_values=options.show_values
        )
        self._choice = choice or FreeSteps(spec, policy)
        self._delivery = Delivery(spec, policy, ledger, client, choice=self._choice)
        self._lanes = Lanes((bounds or Bounds()).records_waiting)
        self._policy = policy
        self._send_on, self._receive = anyio.create_memory_object_stream[list[AdmittedRow]](BATCHES_AHEAD)
        self._feed: Feed[Pending] = Feed(SPARE_UNLIMITED if options.pace.unlimited else SPARE)
        self.canary: Canary | None = None
        """Sends only the first records, then stops the run so that a person can check them."""
        self.warned: Counter[str] = Counter()
        """Records that Gladly may not keep as they are sent, counted by the code of what it may change."""

    # --- reading: rows become drafts that the journal has admitted ---

    async def read(self, size: int) -> None:
        """First stage: read batches of `size` rows as drafts, with what the journal knows of them."""
        if self._spec.is_at_most_once:
            self._settlement.remember_made(await self._ledger.recent_ids(RECENT_IDS))
        with self._reader.rows(self._ledger.mark, size) as rows:
            async with self._send_on:
                while (batch := await self._reader.next_batch(rows)) is not None:
                    await self._send_on.send(in_sending_order(self._spec, batch))
                    if self._reader.is_full:
                        self._stop.reached(10, f"the limit of {counted(self._limits.max_rows or 0, 'row')} was reached")
                        return

    # --- dispatching: rows that need no request end here, the others start in their turn ---

    async def dispatch(self) -> None:
        """Second stage: finish what needs no request, and pass the rest on to the workers."""
        async with self._receive:
            async for batch in self._receive:
                await self._take_in(batch)

    async def _take_in(self, batch: list[AdmittedRow]) -> None:
        """Process a batch until each row has ended or waits for a worker."""
        begun: list[Pending] = []
        for row, item, standing in batch:
            if (draft := self._settlement.taken_in(row, item, standing)) is None:
                continue
            record = ready(
                draft, standing.known, standing.doubt, standing.sent_at, self._settlement.made, standing.written
            )
            record = self._choice.queued(record)
            # In the queue of its lane a record costs nothing; one with a clash or open links must wait here, since
            # only what is known after its predecessors decides how it continues.
            if not standing.clash and not draft.links and self._lanes.stand_behind(record):
                if self._lanes.is_crowded:
                    await self._hand_over(begun)
                    await self._lanes.until_room()
                continue
            if standing.clash or self._lanes.is_busy(record):
                # The records before it must be with a worker first, or this one would wait forever.
                await self._hand_over(begun)
                record = await self._after_others(record)
            # Nearly always without links, and then nothing is waited for.
            pending = await self._begin(draft, record) if draft.links else self._begun(record)
            if pending is not None:
                begun.append(pending)
        await self._hand_over(begun)

    async def _after_others(self, record: Record) -> Record:
        """Wait until earlier records of the same customer have ended; return the record with what is known then."""
        await self._lanes.until_free(record)
        keys = [key for key in (record.key, record.former_key) if key is not None]
        known = known_by(await self._ledger.known(keys), record.key, record.former_key)
        if known is None and record.known is not None and record.known.held is not None:
            known = record.known  # a data set has told it, so it is not in the state
        return record._replace(known=known)

    async def _begin(self, draft: Draft, record: Record) -> Pending | None:
        """Resolve the open links of a draft, then start its record's steps; None if it needed no request.

        The records that they refer to have ended now.
        """
        linked = await self._reader.linker.link_last(draft)
        if isinstance(linked, Problem):
            self._settlement.settle(draft.row, Outcome.rejected(linked), record)
            return None
        record = ready(linked, record.known, record.doubt, record.sent_at, record.rivals, record.written)
        return self._begun(record)

    def _begun(self, record: Record) -> Pending | None:
        """Start a record's steps, and make others wait for it; None if it needed no request."""
        pending = self._started(record)
        if pending is not None:
            self._lanes.hold(record)
        return pending

    def _started(self, record: Record) -> Pending | None:
        """Start a record's steps; a record that needs no request ends here."""
        pending = self._delivery.started(record)
        if isinstance(pending, Outcome):
            self._settlement.settle(record.row, pending, record)
            return None
        for rule in self._spec.warnings:
            self.warned.update(problem.code for problem in rule(record.payload, self._policy))
        return pending

    async def _hand_over(self, begun: list[Pending]) -> None:
        """Pass records to the workers as they have room, and empty the list; intents go to the disk first."""
        while begun:
            part = begun[: await self._feed.room()]
            with anyio.CancelScope(shield=True):
                # Cancelled between the two, the disk would have intents of requests that are never sent.
                await self._delivery.intend(part)
                self._feed.put(part)
            del begun[: len(part)]

    async def close(self) -> None:
        """Let the workers end after what was passed to them, or after what they have started if the run is stopping."""
        self._send_on.close()
        self._receive.close()
        if self._stop.is_draining:
            await self._delivery.withdraw(self._feed.empty())
        self._feed.close()

    # --- working: each worker sends one record after the other ---

    async def work(self) -> None:
        """Send one record after the other until the feed is closed and empty."""
        while (pending := await self._feed.take()) is not None:
            following: Pending | None = pending
            while following is not None:
                following = await self._bring_to_its_end(following)

    async def _bring_to_its_end(self, pending: Pending) -> Pending | None:
        """Send one record and record its outcome; return the next one of its lane, which goes before all others."""
        record, canary, is_admitted = pending.record, self.canary, False
        try:
            if canary is not None and not (is_admitted := await canary.admits()):
                await self._delivery.withdraw([pending])
                return None
            outcome, attempts = await self._delivery.carry_out(pending)
            self._settlement.settle(
                record.row,
                outcome,
                pending.record,
                attempts,
                is_reserved=pending.is_reserved,
                trail=pending.trail,
            )
            if canary is not None:
                canary.note(self._place_of(record), self._name_of(record), outcome)
        except Withdrawn as error:
            self._stop.fail(error)
            return None
        finally:
            self._lanes.release(record)
            if canary is not None and is_admitted:
                canary.ended()
        return await self._next_in_lane(record)

    def _place_of(self, record: Record) -> str:
        position = record.row.position
        return place_of_row(PurePath(self._input_names[position.file]).name, position.number)

    def _name_of(self, record: Record) -> str:
        """Return how a command names the row of a record: by its number alone, if there is one file."""
        position = record.row.position
        if len(self._input_names) == 1:
            return str(position.number)
        return f"{PurePath(self._input_names[position.file]).name}:{position.number}"

    async def _next_in_lane(self, before: Record) -> Pending | None:
        while not self._stop.is_draining and (record := self._lanes.next_after(before)) is not None:
            pending = self._started(record)
            if pending is None:
                self._lanes.release(record)
                continue
            await self._delivery.intend([pending])
            return pending
        return None
