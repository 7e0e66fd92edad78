"""One process's work on a run: from the lock to the last commit."""

import contextlib
import datetime as dt
import math
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

import anyio
import anyio.to_thread

from bulkgladly.errors import BulkgladlyError, DiskFull, WrongOrganisation
from bulkgladly.formats.inputs import Inputs
from bulkgladly.journal.ledger import Ledger
from bulkgladly.journal.runs import RunFolder
from bulkgladly.messages import GET_ORGANIZATION
from bulkgladly.pipelines.closing import Ending, publish
from bulkgladly.pipelines.import_records import BATCH_ROWS, Importer
from bulkgladly.pipelines.options import ImportOptions
from bulkgladly.pipelines.report import Estimate, Observer, Report, RunView
from bulkgladly.pipelines.stages import Stop, run_stages
from bulkgladly.resources.spec import ResourceSpec
from bulkgladly.settings import Credentials, Pace
from bulkgladly.transport.client import Client
from bulkgladly.transport.pacer import Pacer

__all__ = ("Session", "check_organisation")

SPARE = 2  # records that wait for a worker: few, since a kill leaves their intents to be asked about
SPARE_UNLIMITED = 400  # against an emulator: what is sent while a group of intents goes to the disk
NOTED_ROWS = 100_000


async def check_organisation(client: Client, host: str) -> Mapping[str, Any]:
    """Ask who the organisation is: proves host, credentials and permission with one request.

    Raises:
        WrongOrganisation: The host answers, but not as a Gladly organisation does.
        NotAuthenticated, NotPermitted, Outage: As `Client.send`.
    """
    reply = await client.send(GET_ORGANIZATION)
    found = reply.json()
    if reply.status == 200 and isinstance(found, dict):
        return found
    raise WrongOrganisation(
        f"{host} answers {reply.status} to getOrganization, which every organisation has; "
        "check GLADLY_HOST: it is the organisation's own address, such as https://<organisation>.gladly.com"
    )


class Session:
    """Works on a run until its input or the run ends, then publishes what happened.

    The caller holds the run's lock. Whatever happens, what was committed stays whole.
    """

    def __init__(
        self,
        folder: RunFolder,
        spec: ResourceSpec,
        options: ImportOptions,
        inputs: Inputs,
        credentials: Credentials,
        observer: Observer,
    ) -> None:
        self.folder, self.spec, self.options = folder, spec, options
        self.inputs, self.observer = inputs, observer
        self.policy = options.policy(credentials.host)
        self.names = tuple(str(file.path) for file in inputs.files)
        self.rows, self.rows_exact = inputs.estimate_rows()
        self.concurrency = _concurrency(options.pace)
        self.pacer = Pacer(rate=options.pace.rate, reserve=options.pace.reserve, unlimited=options.pace.unlimited)
        self.client = Client(
            credentials.host,
            credentials.username,
            credentials.token(),
            pacer=self.pacer,
            give_up_after_s=options.limits.give_up_after_s,
            max_connections=self.concurrency,
        )
        self.stop = Stop()
        self.started = time.monotonic()
        self.ledger = Ledger(
            folder.path,
            state=folder.state_dir / "state.sqlite",
            scope=(credentials.host, spec.name, options.namespace),
            vitals=self._vitals,
        )
        self.done_before = self.ledger.counts.total()
        self._earlier = dict(self.ledger.earlier_vitals)
        self._ticks: list[tuple[float, int]] = []

    async def run(self, *, with_signals: bool) -> Report:
        """Work, then publish the result files and the report; the report says how it went."""
        try:
            await self.ledger.note("status", "running")
            async with self.client:
                await self._work(with_signals)
        except BulkgladlyError as error:
            self.stop.fail(error)
        except BaseException:
            with anyio.CancelScope(shield=True), contextlib.suppress(BulkgladlyError):
                await self.ledger.note("status", "interrupted")
            self.ledger.close()
            raise
        ended: list[Report] = []
        try:
            with anyio.CancelScope(shield=True):
                ended.append(await self._finish())
        finally:
            self.ledger.close()
        return ended[0]

    async def _work(self, with_signals: bool) -> None:
        importer = Importer(
            self.spec,
            self.policy,
            ledger=self.ledger,
            client=self.client,
            limits=self.options.limits,
            stop=self.stop,
            spare=SPARE_UNLIMITED if self.options.pace.unlimited else SPARE,
            ignore=self.options.ignore_columns,
            names=self.names,
        )

        async def read() -> None:
            self.observer.started(self.folder.name, self._estimate(), resumed_from=self.done_before)
            await check_organisation(self.client, self.policy.host)
            size = BATCH_ROWS * 4 if self.options.pace.unlimited else BATCH_ROWS
            await importer.read(self.inputs.batches(self.ledger.mark, size=size))

        beside = [self._show]
        if self.options.limits.max_duration_s is not None:
            beside.append(self._end_in_time)
        await run_stages(
            self.stop,
            sources=(read, importer.dispatch),
            close=importer.close,
            work=importer.work,
            workers=self.concurrency,
            beside=beside,
            with_signals=with_signals,
        )

    async def _show(self) -> None:
        while True:
            await anyio.sleep(self.observer.interval_s)
            self.observer.tick(self.view())

    async def _end_in_time(self) -> None:
        limit = self.options.limits.max_duration_s or 0.0
        await anyio.sleep(limit)
        self.stop.drain(10, f"the time limit of {limit:g} s is reached")

    async def _finish(self) -> Report:
        try:
            await self.ledger.flush()
        except BulkgladlyError as error:
            self.stop.fail(error)
        self.observer.tick(self.view())
        if self.stop.is_draining and self.rows - self.ledger.counts.total() > NOTED_ROWS:
            self.observer.note("the state is saved; writing the unprocessed rows, which may take a while")
        ending = Ending(
            exit_code=self.stop.exit_code,
            reason=self.stop.reason,
            mark=self.ledger.frontier,
            is_settled=self.ledger.is_settled,
            vitals=self._vitals(),
        )
        try:
            report = await anyio.to_thread.run_sync(publish, self.folder, self.inputs, ending)
        except OSError as error:
            raise DiskFull(
                f"the result files in {self.folder.path} could not be written: {error.strerror}; make room, then resume"
            ) from error
        with contextlib.suppress(BulkgladlyError):
            await self.ledger.note("status", report.status)
        return report

    def view(self) -> RunView:
        """Return how the run stands at this moment."""
        now = time.monotonic()
        pace = self.pacer.view()
        sent = self.client.sent.total()
        done = self.ledger.counts.total()
        self._ticks = [*self._ticks[-9:], (now, sent)]
        span = now - self._ticks[0][0]
        per_second = (sent - self._ticks[0][1]) / span if span > 0 else 0.0
        rows_per_s = (done - self.done_before) / max(now - self.started, 1e-9)
        left = max(0, self.rows - done)
        held = pace.waiting_reason if pace.waiting_reason != "pace" else None
        return RunView(
            run=self.folder.name,
            counts=dict(self.ledger.counts),
            done=done,
            rows=max(self.rows, done),
            rows_exact=self.rows_exact,
            seconds=now - self.started,
            requests=sent,
            requests_per_second=per_second,
            allowed_per_second=pace.rate,
            in_flight=pace.in_flight,
            throttled=pace.throttled,
            waiting="stopping: what is in flight ends first" if self.stop.is_draining else held,
            waiting_s=max(0.0, (pace.waiting_until or now) - now) if held else 0.0,
            eta_s=left / rows_per_s if rows_per_s > 0 and done > self.done_before else None,
        )

    def _estimate(self) -> Estimate:
        left = max(0, self.rows - self.done_before)
        if self.options.limits.max_rows is not None:
            left = min(left, self.options.limits.max_rows)
        return Estimate.of(self.spec, self.policy.mode, left, self.rows_exact, self.options.pace.expected_per_second())

    def _vitals(self) -> Mapping[str, Any]:
        requests = Counter(self._earlier.get("requests", {}))
        requests.update(dict(self.client.sent))  # a copy: this is the journal's thread, and the other goes on counting
        waits: dict[str, float] = dict(self._earlier.get("waits", {}))
        for reason, span in dict(self.pacer.held_s).items():
            waits[reason] = waits.get(reason, 0.0) + span
        return {
            "requests": dict(requests),
            "waits": {reason: round(seconds, 3) for reason, seconds in waits.items()},
            "throttled": self._earlier.get("throttled", 0) + self.pacer.throttled,
            "seconds": round(self._earlier.get("seconds", 0.0) + time.monotonic() - self.started, 3),
            "at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        }


def _concurrency(pace: Pace) -> int:
    """How many records are on their way at once: a second's worth, so that a slow answer holds up nobody."""
    if pace.concurrency is not None:
        return pace.concurrency
    if pace.unlimited:
        return 50
    return min(100, max(12, math.ceil((pace.rate or 10) * 1.2)))
