"""The work of an undo, as the engine of runs drives it: the objects of a plan go back to what they were."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import anyio.to_thread
import orjson

from bulkgladly.errors import BulkgladlyError
from bulkgladly.gladly.spec import ImportSpec
from bulkgladly.journal.entries import Admission, Intent
from bulkgladly.journal.ledger import Ledger
from bulkgladly.journal.run_writes import RunWrites, TrailStep
from bulkgladly.messages import Reply, Request
from bulkgladly.records import Outcome, Problem, Word
from bulkgladly.runs.observer import counted
from bulkgladly.runs.session import Progress, Session
from bulkgladly.runs.stages import Feed
from bulkgladly.undo.planned_objects import PlanCounts, PlannedObject, changes_of
from bulkgladly.undo.undo_images import images_of
from bulkgladly.undo.undo_options import UndoOptions
from bulkgladly.undo.undo_page import cannot_text, estimate_of_undo, plan_line, said_of, why_not
from bulkgladly.undo.undo_plan import UndoPlan
from bulkgladly.undo.undo_steps import GONE, Undone, UndoTask, undo_steps
from bulkgladly.undo.undo_summary import UndoReport, publish_undo

__all__ = ("UndoWork",)

Item = tuple[PlannedObject, UndoTask]


class UndoWork:
    """Takes back what a run did, object by object, and records how each ended in the ledger.

    Before an object is written, an intent is on the disk: after a kill, what is then found as it was before counts as
    taken back by this run. The keys of an object are forgotten in the state before its end is in the journal.

    Chapters: the source, the sink, and what is told.
    """

    def __init__(
        self,
        session: Session,
        spec: ImportSpec,
        options: UndoOptions,
        *,
        plan: UndoPlan,
        writes: RunWrites,
        namespace: str,
    ) -> None:
        """`plan` and `writes` are those of the run that is taken back; the caller closes them."""
        self._session, self._spec, self._options = session, spec, options
        self._plan, self._writes, self._stop = plan, writes, session.stop
        self.plan_counts: PlanCounts = plan.counts
        self.journal: Ledger = session.environment.ledger(
            session.run.path,
            state=session.run.state_dir / "state.sqlite",
            scope=(session.connection.host, spec.name, namespace),
            # Without its last moments, after a power failure, the state would say that Gladly holds what is deleted.
            is_state_synced=True,
            run=session.run.name,
            vitals=session.connection.vitals,
        )
        self._begun = self._foretold = 0
        self._done_before = self.journal.counts.total()
        self._feed: Feed[Item] = Feed(2 * self.workers)

    @property
    def workers(self) -> int:
        """How many objects are in flight at once."""
        return self._session.connection.concurrency

    async def begin(self) -> None:
        """Announce what will be taken back, what cannot be, and how long it takes."""
        estimate = estimate_of_undo(
            self.plan_counts,
            self._session.steering.foreseen(),
            done=self._done_before,
            most=self._options.limits.max_rows,
        )
        warning = self._session.deadline.judge(estimate, part="pass --limit {} to take back a part")
        said = plan_line(self.plan_counts, self._options.run, estimate)
        self._session.observer.note(f"{self._session.run.name}: {said}")
        if warning is not None:
            self._session.observer.note(warning)
        for line in cannot_text(self.plan_counts, self._spec):
            self._session.observer.note(line)

    # --- the source ---

    async def read(self) -> None:
        """Pass on the objects that have not ended, from the plan; those that cannot be taken back end here."""
        pieces = self._plan.objects(self.journal.mark.seq)
        while piece := await anyio.to_thread.run_sync(lambda: next(pieces, [])):
            standings = await self.journal.admit([Admission(one.item, one.position) for one in piece])
            wanted = [
                (one, standing.doubt)
                for one, standing in zip(piece, standings, strict=True)
                if self.journal.wants(one.item)
            ]
            items = await anyio.to_thread.run_sync(self._possible, wanted)
            for one in (one for one, _ in wanted if one.todo == "cannot"):
                problem = Problem(one.code, why_not(one.code, self._spec))
                self._foretold += 1
                self._settle(one, Undone(Outcome.rejected(problem, gladly_id=one.gladly_id)), ())
            if not await self._passed_on(items):
                break
        self._feed.close()

    async def _passed_on(self, items: list[Item]) -> bool:
        """Pass items on to the workers; return False if the limit of objects was reached."""
        most = self._options.limits.max_rows
        while items:
            room = await self._feed.room()
            if most is not None and (room := min(room, most - self._begun)) <= 0:
                self._stop.reached(10, f"the limit of {counted(most, 'object')} was reached")
                return False
            self._feed.put(items[:room])
            self._begun += len(items[:room])
            items = items[room:]
        return True

    def _possible(self, wanted: Sequence[tuple[PlannedObject, bool]]) -> list[Item]:
        """Return the objects that something can be done about, with what the run did to them."""
        reversal, writes = self._spec.reversal, self._writes
        if reversal is None:
            return []
        return [
            (
                one,
                UndoTask(one.gladly_id, images_of(changes_of(one, writes), reversal), reversal, one.later, in_doubt),
            )
            for one, in_doubt in wanted
            if one.todo != "cannot"
        ]

    async def hand_over(self) -> None:
        """Nothing lies between the plan and the workers."""

    # --- the sink ---

    async def take(self) -> None:
        """Take back one object after the other."""
        while (item := await self._feed.take()) is not None:
            planned, task = item
            self._settle(planned, *await self._carry_out(planned, task))

    async def _carry_out(self, planned: PlannedObject, task: UndoTask) -> tuple[Undone, list[TrailStep]]:
        """Send what the steps ask for, until they return how the object ended.

        Raises:
            Withdrawn, Fatal, Outage: The object is in doubt only if Gladly may have executed something of it.
        """
        steps = undo_steps(task)
        request, is_intended, may_be_done = next(steps), task.in_doubt, False
        trail: list[TrailStep] = []
        while True:
            if request.method != "GET" and not is_intended:
                await self.journal.intend([Intent(planned.item, planned.gladly_id, request.operation)])
                is_intended = True
            reply = await self._send(planned, request, may_be_done=may_be_done or task.in_doubt)
            trail.append(_step_of(request, reply))
            may_be_done |= request.method != "GET" and (reply.is_confirmed or reply.is_unclear or bool(reply.lost))
            try:
                request = steps.send(reply)
            except StopIteration as end:
                return end.value, trail

    async def _send(self, planned: PlannedObject, request: Request, *, may_be_done: bool) -> Reply:
        try:
            return await self._session.client.send(request)
        except BulkgladlyError as error:
            if not may_be_done and not error.lost:
                await self.journal.withdraw([planned.item])
            raise

    def _settle(self, planned: PlannedObject, undone: Undone, trail: Sequence[TrailStep]) -> None:
        outcome = undone.outcome
        # A new object that somebody else has deleted is taken back as well, so the next import has to send it again.
        is_gone = planned.todo == "delete" and outcome.code == GONE
        if outcome.word is Word.DELETED or is_gone:
            self.journal.forget(planned.keys)
        elif undone.as_before:
            self.journal.forget(planned.keys, undone.as_before)
        key = planned.keys[0] if planned.keys else None
        attempts = sum(step.attempts for step in trail)
        told = orjson.dumps([tuple(step) for step in trail]).decode() if trail else None
        self.journal.settle(planned.item, planned.position, outcome, key=key, attempts=attempts, trail=told)
        self._check_limits()

    def _check_limits(self) -> None:
        limits, ended = self._options.limits, self.journal.counts.total()
        most, percent = limits.max_errors, limits.max_errors_percent
        # Those that cannot be taken back by the plan were told before.
        failed = self.journal.counts[Word.REJECTED] - self._foretold
        if most is not None and failed > most:
            self._stop.drain(3, f"more than {most} objects could not be taken back")
        if percent is not None and ended >= 100 and failed * 100 > ended * percent:
            self._stop.drain(3, f"more than {percent:g} % of the objects could not be taken back")

    async def close(self) -> None:
        """Drop what no worker has begun; a resume takes it from the plan again."""
        if self._stop.is_draining:
            self._feed.empty()

    # --- what is told ---

    def progress(self) -> Progress:
        """Return how many objects have ended, and how."""
        counts = self.journal.counts
        return Progress(
            said_of(dict(counts)),
            counts.total(),
            self.plan_counts.objects,
            begun_with=self._done_before,
            things="objects",
            subject=f"{self._options.run} in {self._session.connection.host}",
            reasons=Counter(dict(self.journal.reject_codes)).most_common(5),
        )

    async def settle(self) -> None:
        """Wait until the last ends are on the disk, and check that the state is still the one that was written."""
        await self.journal.flush()
        await self.journal.check_state()

    def summary(self, common: Mapping[str, Any]) -> UndoReport:
        """Write `undo.ndjson`, and return what the run did."""
        return publish_undo(self._session.run, self.plan_counts, self._options.run, self._stop, common)


def _step_of(request: Request, reply: Reply) -> TrailStep:
    """Return a request and its reply as a trail keeps them: no values."""
    codes = [problem.code for problem in reply.problems]
    now = round(time.time(), 3)
    return TrailStep(request.operation, reply.status, codes, reply.attempts, now, reply.meaning.value)
