"""File -> Gladly, one record's whole way, readable from top to bottom."""

import time
from collections import Counter, deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import anyio
import anyio.to_thread
import orjson

from bulkgladly.errors import BulkgladlyError, Withdrawn
from bulkgladly.formats.columns import compile_columns, nest
from bulkgladly.formats.layouts import ColumnProblem, FlatLayout
from bulkgladly.journal.entries import Admission, Clash, Intent, Reservation, Standing, known_by
from bulkgladly.journal.ledger import Ledger
from bulkgladly.journal.results import original_of
from bulkgladly.messages import Repeat, Reply, Request
from bulkgladly.pipelines.lanes import MOST_WAITING, Lanes
from bulkgladly.pipelines.linking import Linker, whole
from bulkgladly.records import Known, Outcome, Problem, Row, Stage, Word
from bulkgladly.resources.identity import digest64
from bulkgladly.resources.spec import Draft, Policy, Record, ResourceSpec, Steps, ready
from bulkgladly.runs.stages import Feed, Stop
from bulkgladly.settings import Limits
from bulkgladly.transport.client import Client

__all__ = ("BATCH_ROWS", "Importer", "Preparer", "admission_of", "outcome_of_clash")

BATCH_ROWS = 64  # small, so that the loop is never kept from a request that is due
BATCHES_AHEAD = 1
NEEDS_ORIGINAL = (Word.REJECTED, Word.UNKNOWN, Word.SKIPPED)
RECENT_IDS = 10_000  # what was made within the minutes that clocks may differ by, at any pace


@dataclass(slots=True)
class Task:
    """A record on its way: its steps stand at `request`, which has not been sent.

    The record is replaced where another run has just told something of its key.
    """

    record: Record
    steps: Steps
    request: Request
    is_reserved: bool = False
    """Its key stands in the state as one that may have been sent, on behalf of this run."""
    sent_at: float | None = None
    """When a request of it first may have left, of this process or an earlier one (our clock)."""


Looked = tuple[Row, Draft | Problem | None, Standing]
"""A row, the draft that it stands for (None: settled before), and what the journal knows of it."""


class Preparer:
    """Turns rows into drafts of records by the table's row and the user's policy. Nothing is looked up."""

    def __init__(self, spec: ResourceSpec, policy: Policy, ignore: Collection[str] = ()) -> None:
        self._spec = spec
        self._policy = policy
        extra = (policy.key,) if policy.key else ()
        self._layout: FlatLayout = compile_columns((), spec.columns, ignore, extra_known=extra)

    def record_for(self, row: Row) -> Draft | Problem:
        """Return the draft of the record that a row stands for, or why it cannot be sent."""
        if row.problem is not None or row.fields is None:
            return row.problem or Problem("unreadable", "the row could not be read", stage=Stage.READ)
        try:
            nested = nest(row.fields, self._spec.columns, self._layout)
        except ColumnProblem as error:
            return error.problem
        return self._spec.prepare(row, nested, self._policy)


def outcome_of_clash(clash: Clash, policy: Policy, names: Sequence[str]) -> Outcome | None:
    """Return how a row ends that clashes with an earlier row of the input; None where it may go on.

    A row that equals the earlier one goes on behind it: it needs no request where that one
    was accepted, and shares its fate where it was not.
    """
    earlier = f"{names[clash.earlier_file]}, record {clash.earlier}"
    if clash.attr in ("key", "id"):
        if clash.is_equal or policy.on_duplicate == "last":
            return None
        detail = (
            f"{earlier} has the same {clash.attr}; remove one of the rows, or let the last win: --on-duplicate last"
        )
        return Outcome.rejected(Problem("duplicate_key", detail, clash.attr))
    if policy.on_conflict in ("update", "merge"):
        return None
    detail = f"{earlier} has the same address; give it to one row, or choose --on-conflict update or merge"
    outcome = Outcome.rejected(Problem("duplicate_address", detail, clash.attr))
    return outcome._replace(word=Word.SKIPPED) if policy.on_conflict == "skip" else outcome


class Importer:
    """One session of an import: reads, prepares, sends, settles, until the input or the run ends.

    Three stages: `read`, `dispatch` and as many `work` as there may be records on their
    way; `close` ends the first two. The rows come in batches from the ledger's low-water
    mark on, asked for in a worker thread. `spare` records may wait for a worker.
    """

    def __init__(
        self,
        spec: ResourceSpec,
        policy: Policy,
        *,
        ledger: Ledger,
        client: Client,
        limits: Limits,
        stop: Stop,
        spare: int,
        ignore: Collection[str] = (),
        names: tuple[str, ...] = (),
    ) -> None:
        self._spec = spec
        self._policy = policy
        self._ledger = ledger
        self._client = client
        self._limits = limits
        self._stop = stop
        self.preparer = Preparer(spec, policy, ignore)
        self.linker = Linker(spec, policy, ledger)
        self._names = names
        self.is_canary = False
        """Begin one record only, then let the run drain, for a person to look at it."""
        self._canary: anyio.Event | None = None
        self._made: deque[str] = deque(maxlen=RECENT_IDS)
        self._send_on, self._receive = anyio.create_memory_object_stream[list[Looked]](BATCHES_AHEAD)
        self._feed: Feed[Task] = Feed(spare)
        self._lanes = Lanes()
        self._rejected, self._begun = ledger.counts[Word.REJECTED], ledger.counts.total()
        self.rows_read = 0
        """Rows that this session took in; those settled before are not counted."""
        self.warned: Counter[str] = Counter()
        """Records on their way that Gladly may not keep as they are sent, by the code of what it may change."""

    async def read(self, batches: Iterator[list[Row]]) -> None:
        """First stage: read and prepare, and ask the journal what is known, ahead of the second stage."""
        if self._spec.arrange is not None:
            batches = whole(batches, self._spec.name)
        if self._spec.is_at_most_once:
            self._made.extend(await self._ledger.recent_ids(RECENT_IDS))
        async with self._send_on:
            while (rows := await anyio.to_thread.run_sync(next, batches, None)) is not None:
                is_enough = self._cut_to_limit(rows)
                await self._send_on.send(await self._look_up(rows))
                if is_enough:
                    self._stop.reached(10, f"the limit of {self._limits.max_rows} rows is reached")
                    return

    async def dispatch(self) -> None:
        """Second stage: settle what needs no request, and hand the rest over to the workers."""
        async with self._receive:
            async for batch in self._receive:
                await self._take_in(batch)

    async def close(self) -> None:
        """Let the workers end: with what was handed over, or in a drain with what they have begun."""
        self._send_on.close()
        self._receive.close()
        if self._stop.is_draining:
            await self._withdraw(self._feed.empty())
        self._feed.close()

    async def work(self) -> None:
        """Send one record after the other until the feed is closed and empty."""
        while (task := await self._feed.take()) is not None:
            following: Task | None = task
            while following is not None:
                following = await self._work_on(following)

    async def _work_on(self, task: Task) -> Task | None:
        """Bring one record to its end; return the next one of its lane, which goes before all others."""
        record = task.record
        is_canary = self.is_canary and self._canary is None
        try:
            if self.is_canary and not await self._is_first():
                await self._withdraw([task])
                return None
            outcome, attempts = await self._carry_out(task)
            self._settle(record.row, outcome, task.record, attempts, is_reserved=task.is_reserved)
        except Withdrawn as error:
            self._stop.fail(error)
            return None
        finally:
            self._lanes.release(record)
            if is_canary and self._canary is not None:
                self._canary.set()
        return await self._next_in_lane(record)

    async def _next_in_lane(self, before: Record) -> Task | None:
        while not self._stop.is_draining and (record := self._lanes.next_after(before)) is not None:
            task = self._start(record)
            if task is None:
                self._lanes.release(record)
                continue
            if task.request.repeat is Repeat.DETECTED:
                await self._intend_one(task, task.request)
            return task
        return None

    async def _is_first(self) -> bool:
        """Tell whether a record is the one to be looked at; all others wait for its end, and never begin."""
        if self._canary is None:
            self._canary = anyio.Event()
            return True
        await self._canary.wait()
        self._stop.drain(10, "one record was sent, to be looked at in Gladly; `resume` sends the others")
        return False

    async def _withdraw(self, tasks: Sequence[Task]) -> None:
        """Take back the intents and reservations of records that have not begun, but for those in doubt before."""
        mine = [task for task in tasks if not task.record.doubt]
        reserved = [task.record.key for task in mine if task.is_reserved]
        await self._ledger.withdraw([task.record.row.seq for task in mine], reserved=reserved)
        for task in mine:
            task.is_reserved = False

    async def _look_up(self, rows: list[Row]) -> list[Looked]:
        """Prepare a batch, and admit it to the journal."""
        items = await self.linker.link(
            [self.preparer.record_for(row) if self._ledger.wants(row.seq) else None for row in rows]
        )
        standings = await self._ledger.admit([admission_of(row, item) for row, item in zip(rows, items, strict=True)])
        looked = list(zip(rows, items, standings, strict=True))
        return self._arranged(looked) if self._spec.arrange is not None else looked

    def _arranged(self, looked: list[Looked]) -> list[Looked]:
        """Put a batch into the order in which it has to be sent; it was admitted in that of the input."""
        if self._spec.arrange is None:
            return looked
        drafts = self._spec.arrange([item for _, item, _ in looked if isinstance(item, Draft)])
        place = {draft.row.seq: index for index, draft in enumerate(drafts)}
        return sorted(looked, key=lambda entry: place.get(entry[0].seq, -1))

    async def _take_in(self, batch: list[Looked]) -> None:
        """Bring a batch up to the point where each row is settled or waits for a worker."""
        tasks: list[Task] = []
        for row, item, standing in batch:
            self._begun += item is not None
            if isinstance(item, Problem):
                self._settle(row, Outcome.rejected(item))
            elif item is not None and not self._settle_clash(item, standing):
                record = ready(item, standing.known, standing.doubt, standing.sent_at, self._made)
                if not standing.clash and not item.links and self._lanes.stand_behind(record):
                    if self._lanes.waiting >= MOST_WAITING:
                        await self._hand_over(tasks)
                        tasks = []
                        await self._lanes.until_room()
                    continue
                if standing.clash or self._lanes.is_busy(record):
                    await self._hand_over(tasks)
                    tasks = []
                    record = await self._after_others(record)
                if (task := await self._begin(item, record)) is not None:
                    tasks.append(task)
        await self._hand_over(tasks)

    async def _begin(self, draft: Draft, record: Record) -> Task | None:
        """Start a record's steps, and let others wait for it; None where it needed no request.

        What its draft still has to say about others is put into it before: they are settled now.
        """
        if draft.links:
            linked = await self.linker.link_last(draft)
            if isinstance(linked, Problem):
                self._settle(draft.row, Outcome.rejected(linked), record)
                return None
            record = ready(linked, record.known, record.doubt, record.sent_at, record.rivals)
        task = self._start(record)
        if task is not None:
            self._lanes.hold(record)
        return task

    def _start(self, record: Record) -> Task | None:
        """Start a record's steps; a record that needs no request is settled here."""
        steps = self._spec.steps(record, self._policy)
        try:
            request = next(steps)
        except StopIteration as end:
            self._settle(record.row, end.value, record)
            return None
        for rule in self._spec.warnings:
            self.warned.update(problem.code for problem in rule(record.payload, self._policy))
        return Task(record, steps, request, sent_at=record.sent_at)

    async def _hand_over(self, tasks: list[Task]) -> None:
        """Give tasks to the workers as there is room; the intent of a create under our id is on the disk before."""
        begun = 0
        while begun < len(tasks):
            part = tasks[begun : begun + await self._feed.room()]
            with anyio.CancelScope(shield=True):
                # Cut between the two, intents would stand for requests that never leave.
                await self._intend(part)
                self._feed.put(part)
            begun += len(part)

    async def _intend(self, tasks: Sequence[Task]) -> None:
        intents = [_intent(task.record, task.request) for task in tasks if task.request.repeat is Repeat.DETECTED]
        if intents:
            _note_moment(tasks)
            await self._ledger.intend(intents)

    async def _carry_out(self, task: Task) -> tuple[Outcome, int]:
        """Send what the record's steps ask for, until they return the outcome; with the attempts it took.

        Raises:
            Withdrawn, Fatal, Outage: The record is in doubt only where something of it may have been executed.
        """
        request, tries, is_noted, may_be_done = task.request, 0, True, False
        while True:
            if request.repeat is Repeat.UNSAFE:
                # Not before its turn: what a crash leaves of these has to end as unknown.
                if not task.is_reserved and (known := await self._reserve(task, request)) is not None:
                    following = self._begin_again(task, known)
                    if isinstance(following, Outcome):
                        return following, tries
                    request = following
                    continue
            elif request.repeat is Repeat.DETECTED and not is_noted:
                await self._intend_one(task, request)
            reply = await self._send(task, request, may_be_done=may_be_done)
            if request.repeat is Repeat.UNSAFE:
                reply = reply._replace(sent_at=task.sent_at)
            tries += reply.attempts
            is_write = request.repeat is not Repeat.HARMLESS
            is_refused = is_write and not reply.lost and not reply.is_confirmed
            may_be_done |= is_write and not is_refused
            try:
                request = task.steps.send(reply)
            except StopIteration as end:
                return end.value, tries
            is_noted = False
            if is_refused:
                # It made nothing, so after a crash nobody must take what is found for made by us.
                await self._withdraw([task])

    async def _send(self, task: Task, request: Request, *, may_be_done: bool) -> Reply:
        """Send, and take back what was noted of the record where nothing of it can have been executed."""
        try:
            return await self._client.send(request)
        except BulkgladlyError as error:
            if not may_be_done and not error.lost:
                await self._withdraw([task])
            raise

    async def _reserve(self, task: Task, request: Request) -> Known | None:
        """Reserve the key of a record before it leaves; None if it may, else what is known of the key."""
        _note_moment([task])
        record = task.record
        task.is_reserved = True
        try:
            known = await self._ledger.reserve(_intent(record, request), Reservation(record.key, record.fingerprints))
        except anyio.get_cancelled_exc_class():
            # It did not leave, so nothing is in doubt.
            with anyio.CancelScope(shield=True):
                await self._withdraw([task])
            raise
        task.is_reserved = known is None
        return known

    def _begin_again(self, task: Task, known: Known) -> Request | Outcome:
        """Start the steps of a record again, of whose key another run has just told something."""
        task.record = task.record._replace(known=known)
        task.steps = self._spec.procedures[self._policy.mode](task.record, self._policy)
        try:
            return next(task.steps)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]

    async def _intend_one(self, task: Task, request: Request) -> None:
        _note_moment([task])
        await self._ledger.intend([_intent(task.record, request)])

    def _settle(
        self,
        row: Row,
        outcome: Outcome,
        record: Record | Draft | None = None,
        attempts: int = 0,
        *,
        is_reserved: bool = False,
    ) -> None:
        if isinstance(record, Record) and record.former_key is not None:
            outcome = _remembered_anew(outcome, record)
        original = original_of(row) if outcome.word in NEEDS_ORIGINAL else None
        self._ledger.settle(
            row.seq,
            row.position,
            outcome,
            key=record.key if record else None,
            former_key=record.former_key if record else None,
            attempts=attempts,
            original=original,
            is_reserved=is_reserved,
        )
        if outcome.word is Word.REJECTED:
            self._rejected += 1
        if self._spec.is_at_most_once and outcome.gladly_id:
            self._made.append(outcome.gladly_id)
        self._check_error_budget()

    def _check_error_budget(self) -> None:
        # Against the rows begun, not done: bad rows are settled at once, the good ones before them later.
        rejected, begun = self._rejected, self._begun
        limit, percent = self._limits.max_errors, self._limits.max_errors_percent
        if limit is not None and rejected > limit:
            self._stop.drain(3, f"more than {limit} records were rejected")
        if percent is not None and begun >= 100 and rejected * 100 > begun * percent:
            self._stop.drain(3, f"more than {percent:g} % of the records were rejected")

    def _settle_clash(self, draft: Draft, standing: Standing) -> bool:
        """Settle a row that clashes with an earlier row of the input; False where it may go on."""
        if standing.clash is None:
            return False
        outcome = outcome_of_clash(standing.clash, self._policy, self._names)
        if outcome is not None:
            self._settle(draft.row, outcome, draft)
        return outcome is not None

    async def _after_others(self, record: Record) -> Record:
        """Wait until the earlier records of a customer are settled; return the record with what is known then."""
        await self._lanes.until_free(record)
        keys = [key for key in (record.key, record.former_key) if key is not None]
        return record._replace(known=known_by(await self._ledger.known(keys), record.key, record.former_key))

    def _cut_to_limit(self, rows: list[Row]) -> bool:
        """Drop the rows beyond `max_rows`; True when the session has all the rows it may take."""
        wanted = [row.seq for row in rows if self._ledger.wants(row.seq)]
        left = len(wanted) if self._limits.max_rows is None else self._limits.max_rows - self.rows_read
        self.rows_read += min(left, len(wanted))
        if left < len(wanted):
            rows[:] = [row for row in rows if row.seq < wanted[left]]
            return True
        return False


def _remembered_anew(outcome: Outcome, record: Record) -> Outcome:
    """Let an unchanged record that is known by its key's former spelling be known by its key from now on."""
    known = record.known
    if outcome.word is not Word.UNCHANGED or outcome.accepted is not None or known is None:
        return outcome
    return outcome._replace(accepted=known.accepted) if outcome.gladly_id == known.gladly_id else outcome


def admission_of(row: Row, item: Draft | Problem | None) -> Admission:
    """Return what the journal is told of a row that has been read."""
    if not isinstance(item, Draft):
        return Admission(row.seq, row.position)
    content = digest64("content", "".join(f"{name}={print_}," for name, print_ in item.fingerprints.items()))
    return Admission(row.seq, row.position, item.key, content, item.claims, item.former_key)


def _intent(record: Record, request: Request) -> Intent:
    gladly_id = record.id
    if record.former_id is not None and request.repeat is Repeat.DETECTED:
        # Its steps may have found it under its former id, and go on with that: the request says under which.
        gladly_id = orjson.loads(request.body or b"{}").get("id", gladly_id)
    return Intent(record.row.seq, gladly_id, request.operation)


def _note_moment(tasks: Sequence[Task]) -> None:
    """Keep when a request first may have left, so that what it made can be told from what was there before."""
    now = time.time()
    for task in tasks:
        if task.sent_at is None:
            task.sent_at = now
