"""The loop that fills the inbox from Gladly: the feed, and the list of export jobs, which the feed does not have."""

import datetime as dt
from collections.abc import Callable, Sequence

import anyio

from bulkgladly.api.client import Client
from bulkgladly.api.host_watch import HOW_TO_GO_ON
from bulkgladly.errors import BulkgladlyError, Fatal, JournalDamaged, NotPermitted, NotTrusted, Outage, Withdrawn
from bulkgladly.gladly.event_envelopes import EXPORT_JOB_COMPLETED, job_event
from bulkgladly.gladly.objects.events import EVENTS_WINDOW
from bulkgladly.gladly.objects.export_jobs import FIND_JOBS, Job, jobs_of
from bulkgladly.inbox.arrivals import Via, arrival_of
from bulkgladly.inbox.event_inbox import Inbox
from bulkgladly.messages import GET_ORGANIZATION
from bulkgladly.realtime.feed import EventFeed
from bulkgladly.realtime.server_clock import ServerClock
from bulkgladly.runs.environment import Environment
from bulkgladly.runs.quiet_notes import TroubleNotes

__all__ = ("FillLoop",)

_JOBS_EVERY_S = 600.0
_LONGEST_WAIT_S = 600.0
_EXPORT_FAILED = "EXPORT_JOB/FAILED"


class FillLoop:
    """Reads the feed every `every_s` seconds, and every ten minutes the list of jobs in its place.

    With webhooks the feed only fills what they missed. `greet` proves once that host and credentials work; what goes
    wrong later is told once, and tried again: Gladly may be away for hours.
    """

    def __init__(
        self,
        client: Client,
        inbox: Inbox,
        entities: Sequence[str],
        *,
        every_s: float,
        note: Callable[[str], None],
        environment: Environment,
        since: dt.datetime | None = None,
        with_jobs: bool = False,
        is_receiver: bool = False,
    ) -> None:
        """`since` is from when on a new inbox wants events, `note` tells people, `is_receiver` says of webhooks."""
        self._client, self._inbox, self._note = client, inbox, note
        self._every_s, self._with_jobs, self._is_receiver = every_s, with_jobs, is_receiver
        self._sleep, self._monotonic = environment.sleep, environment.clock
        self.clock = ServerClock(environment.wall, environment.clock)
        """What time it is at Gladly."""
        self.feed = EventFeed(client, inbox, entities, self.clock, since=since, note=note)
        """What it reads, and how far it has read."""
        self.has_greeted = anyio.Event()
        """Set when Gladly has answered, so that its time is known."""
        self.has_filled = anyio.Event()
        """Set when the feed has been read once: what was missed while nobody received is in the inbox."""
        self._trouble = TroubleNotes(note, "the feed of events is read again")
        self._jobs_at: float | None = None

    async def run(self) -> None:
        """Fill the inbox until it is cancelled.

        Raises:
            Fatal, NotTrusted: The first contact shows that it can never work; later too, unless webhooks are received.
            JournalDamaged: The inbox cannot be used.
            Withdrawn: The service ends.
        """
        await self.greet()
        self.has_greeted.set()
        while True:
            await self.once()
            await self._sleep(self._every_s)

    async def greet(self) -> None:
        """Prove that host and credentials work, and learn what time it is there; an outage is waited out.

        Raises:
            Fatal, NotTrusted: They can never work.
        """
        while True:
            try:
                reply = await self._client.send(GET_ORGANIZATION)
            except Outage as error:
                self._tell(_of_outage(error))
                await self._sleep(min(self._every_s, _LONGEST_WAIT_S))
                continue
            self.clock.heard(reply.headers)
            if (apart := self.clock.difference()) is not None:
                hours = abs(apart) / dt.timedelta(minutes=1)
                word = "ahead of" if apart > dt.timedelta() else "behind"
                self._note(f"this machine's clock is {hours:.0f} min {word} Gladly's; events are not lost by that")
            return

    async def once(self) -> None:
        """Read what is due, once. Trouble that may pass is told and not raised."""
        try:
            if self._jobs_are_due():
                await self.fill_jobs()
                return  # the list of jobs says nothing about the feed
            trouble = await self._fill()
        except (Fatal, NotTrusted) as error:
            if not self._is_receiver:
                raise
            trouble = str(error)
        except (JournalDamaged, Withdrawn):
            raise
        except BulkgladlyError as error:
            # A full disk, a locked inbox, an outage: each passes, and the feed goes back a day.
            trouble = _of_outage(error)
        self._tell(trouble)

    async def _fill(self) -> str:
        filled = await self.feed.fill()
        if self._is_receiver and filled.receipt.new:
            await self._inbox.count(filled=filled.receipt.new)
        if not filled.problem:
            self.has_filled.set()
        return filled.problem and f"the feed of events could not be read: {filled.problem}"

    def _tell(self, trouble: str) -> None:
        if trouble:
            self._trouble.tell(trouble, f"{trouble}; trying again (nothing is lost unless this lasts 24 hours)")
        else:
            self._trouble.is_over()

    # --- jobs ---

    def _jobs_are_due(self) -> bool:
        # Not before the feed has been read once: events count more than jobs.
        if not self._with_jobs:
            return False
        if self._jobs_at is None:
            self._jobs_at = self._monotonic() - _JOBS_EVERY_S
            return False
        return self._monotonic() - self._jobs_at >= _JOBS_EVERY_S

    async def fill_jobs(self) -> None:
        """Store an event for each export job that ended within the last day; the webhook's event is the same one."""
        self._jobs_at = self._monotonic()
        try:
            reply = await self._client.send(FIND_JOBS)
        except NotPermitted as error:
            self._with_jobs = False
            self._note(f"{error}; export jobs are not followed")
            return
        self.clock.heard(reply.headers)
        if not reply.is_confirmed:
            return
        jobs, _ = jobs_of(reply.objects)
        after = self.clock.certain() - EVENTS_WINDOW
        now = dt.datetime.now(dt.UTC)
        bodies = [body for job in jobs if (body := _event_of(job, after)) is not None]
        if bodies:
            await self._inbox.put([arrival_of(body, Via.JOBS, now) for body in bodies])


def _of_outage(error: BulkgladlyError) -> str:
    """Return the message of an error without the advice for a run, which has to be resumed."""
    return str(error).removesuffix(HOW_TO_GO_ON)


def _event_of(job: Job, after: dt.datetime) -> bytes | None:
    event_type = EXPORT_JOB_COMPLETED if job.has_files else _EXPORT_FAILED if job.status == "FAILED" else None
    if event_type is None or job.updated_at is None or job.updated_at < after:
        return None
    return job_event(job.id, event_type, job.updated_at)
