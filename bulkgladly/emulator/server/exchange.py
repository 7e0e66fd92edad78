"""One request from arrival to reply: latency, rate limit, faults, access, operation, latency."""

import asyncio
import math
import random
import time
from collections.abc import Callable
from contextlib import nullcontext
from email.utils import formatdate
from typing import NamedTuple
from weakref import WeakSet

from aiohttp import web

from bulkgladly.emulator.faults.altered_replies import alter_reply
from bulkgladly.emulator.faults.fault import Fault
from bulkgladly.emulator.faults.fault_script import FaultScript
from bulkgladly.emulator.options import EmulatorOptions
from bulkgladly.emulator.organisation.clock import Clock
from bulkgladly.emulator.organisation.store import Store
from bulkgladly.emulator.protocol.outgoing_requests import OutgoingRequest, send_outgoing
from bulkgladly.emulator.protocol.replies import Refusal, Reply, failure
from bulkgladly.emulator.protocol.routing import Call, Found, Operation, Router
from bulkgladly.emulator.server.access import Access
from bulkgladly.emulator.server.broken_responses import end_connection, send_broken, wait_until_closed
from bulkgladly.emulator.server.budgets import Verdict
from bulkgladly.emulator.server.control import CONTROL_PREFIX, Control
from bulkgladly.emulator.server.rate_limits import Limiter, ReportLimits
from bulkgladly.emulator.server.request_log import RequestLog, Seen
from bulkgladly.emulator.server.responses import AlreadySent, response_for, send_whole

__all__ = ("Exchange", "ServerParts")


class ServerParts(NamedTuple):
    """What an exchange works with. The emulator owns all of it."""

    options: EmulatorOptions
    clock: Clock
    store: Store
    limiter: Limiter
    report_limits: ReportLimits
    faults: FaultScript
    requests: RequestLog
    router: Router
    control: Control
    refuse: Callable[[float], None]


class _Arrival(NamedTuple):
    request: web.BaseRequest
    path: str
    operation: Operation
    call: Call


_NOTHING = Reply(200)
"""The reply of an operation that was not carried out because of a fault."""


class Exchange:
    """The handler of all requests.

    The limit belongs to the organisation, so it is checked before the credentials, and a refused request
    is never carried out. Unknown paths get 404 and do not count against the limit. An operation that has
    begun is finished, even if the client is gone. An operation that waits for another server has done
    nothing yet, and does nothing if the emulator stops in the meantime.
    """

    def __init__(self, parts: ServerParts) -> None:
        self._parts = parts
        self._options = options = parts.options
        self._access = Access(options)
        self._random = random.Random(options.seed)  # noqa: S311  # a repeatable draw is the point
        self._delays = options.latency_s > 0 or options.jitter_s > 0
        self._stopping = asyncio.Event()
        self._streaming: WeakSet[asyncio.WriteTransport] = WeakSet()
        self._stale: WeakSet[asyncio.BaseTransport] = WeakSet()

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Reply to one request."""
        transport = request.transport
        if self._stale and transport in self._stale and isinstance(transport, asyncio.Transport):
            transport.close()
            return AlreadySent(is_kept=False)
        path, _, query = request.raw_path.partition("?")
        body = await request.read() if request.body_exists else b""
        # The control endpoints come before the latency and the limits, which are not for them.
        if path.startswith(CONTROL_PREFIX):
            return response_for(self._parts.control.reply(request.method, path, body), {})
        latency_s = self._draw_latency() if self._delays else 0.0
        if latency_s:
            await asyncio.sleep(latency_s / 2)
        found = self._parts.router.find(request.method, path)
        if isinstance(found, Found):
            call = Call(self._parts.store, self._options, found.params, query, body, request.headers)
            arrival = _Arrival(request, path, found.operation, call)
            if found.operation.report:
                return await self._handle_report(arrival, latency_s / 2)
            response = await self._handle(arrival)
        else:
            response = self._unknown_path(request.method, path, found)
        if latency_s:
            await asyncio.sleep(latency_s / 2)
        return response

    def stop(self) -> None:
        """End replies that hang or wait on purpose, and connections that have served downloads."""
        self._stopping.set()
        for transport in self._streaming:
            # A client that reads slowly or not at all would keep its download open.
            transport.abort()

    # From the limit to the reply

    async def _handle(self, arrival: _Arrival) -> web.StreamResponse:
        verdict = self._parts.limiter.take() if arrival.operation.limited else None
        headers = self._rate_headers(verdict)
        if verdict is not None and not verdict.admitted:
            return self._refuse(arrival, headers)
        return await self._handle_admitted(arrival, headers)

    async def _handle_report(self, arrival: _Arrival, wait_s: float) -> web.StreamResponse:
        """Like `_handle`, with the limits for reports. A report holds its place until its last byte is sent."""
        verdict = self._parts.limiter.take() if self._options.reports_count_twice else None
        headers = self._rate_headers(verdict)
        admitted = verdict is None or verdict.admitted
        with self._parts.report_limits.place() if admitted else nullcontext(enter_result=False) as has_place:
            if has_place:
                response = await self._handle_admitted(arrival, headers)
            else:
                # No header shows the limits for reports.
                response = self._refuse(arrival, {} if admitted else headers)
            if wait_s:
                await asyncio.sleep(wait_s)
            await send_whole(arrival.request, response)
        return response

    async def _handle_admitted(self, arrival: _Arrival, headers: dict[str, str]) -> web.StreamResponse:
        faults, request = self._parts.faults, f"{arrival.operation.method} {arrival.path}"
        fault = faults.next_fault(request, arrival.operation.operation_id) if faults else None
        # A fault has its own order: it decides whether the operation is carried out at all.
        if fault is not None:
            return await self._apply_fault(arrival, fault, headers)
        reply = await self._run_operation(arrival)
        self._log(arrival, reply.status)
        return response_for(reply, headers)

    def _refuse(self, arrival: _Arrival, headers: dict[str, str]) -> web.StreamResponse:
        reply = self._too_many()
        self._log(arrival, reply.status)
        return response_for(reply, headers)

    async def _run_operation(self, arrival: _Arrival) -> Reply:
        operation = arrival.operation
        refusal = self._access.refusal(arrival.request.headers.get("Authorization"), operation.needs)
        if refusal is not None:
            return refusal
        try:
            done = operation.run(arrival.call)
            reply = done.then(await send_outgoing(done)) if isinstance(done, OutgoingRequest) else done
        except Refusal as refused:
            return refused.reply
        transport = arrival.request.transport
        if reply.stream is not None and isinstance(transport, asyncio.WriteTransport):
            self._streaming.add(transport)
        return reply

    # Faults

    async def _apply_fault(self, arrival: _Arrival, fault: Fault, headers: dict[str, str]) -> web.StreamResponse:
        request = arrival.request
        own = await self._run_operation(arrival) if fault.executes else _NOTHING
        reply = alter_reply(fault, own, path=arrival.path, url=f"http://{request.headers.get('Host', '')}")
        self._log(arrival, None if fault.framing in ("raw", "nothing") else reply.status)
        # The request is logged before the delay, so that a test sees it while it waits.
        if fault.delay_s:
            await self._wait(fault.delay_s)
        if fault.is_plain and (reply is own or reply.stream is not None):
            return response_for(reply, headers)
        broken = await send_broken(request, fault, reply, headers, self._stopping)
        if broken is not None:
            return broken
        return await self._end_connection(request, fault)

    async def _end_connection(self, request: web.BaseRequest, fault: Fault) -> web.StreamResponse:
        """Do with the connection what the fault says, after the reply."""
        transport = request.transport
        if fault.ending == "hang":
            await wait_until_closed(request, self._stopping)
        if fault.ending == "stale" and transport is not None:
            self._stale.add(transport)
        if fault.ending in ("answer", "stale") and fault.framing != "unframed":
            return AlreadySent(is_kept=request.keep_alive)
        if isinstance(transport, asyncio.Transport):
            end_connection(transport, fault, self._parts.refuse)
        return AlreadySent(is_kept=False)

    async def _wait(self, delay_s: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), delay_s)
        except TimeoutError:
            return

    # Parts of replies

    def _draw_latency(self) -> float:
        jitter_s = self._options.jitter_s
        return max(0.0, self._options.latency_s + self._random.uniform(-jitter_s, jitter_s))

    def _rate_headers(self, verdict: Verdict | None) -> dict[str, str]:
        wall = self._parts.clock.wall
        # The framework's own date is the machine's, which a clock that a test moves is not.
        headers = {} if wall is time.time else {"Date": formatdate(wall(), usegmt=True)}
        if verdict is None or not self._options.headers:
            return headers
        return headers | {
            "Ratelimit-Limit-Second": str(self._parts.limiter.rate),
            "Ratelimit-Remaining-Second": str(verdict.remaining),
        }

    def _too_many(self) -> Reply:
        kind, wait_s = self._options.refusal_body, self._options.retry_after_s
        reply = failure(429, "rate_limited", "the organization's requests are used up", kind=kind)
        return reply if wait_s is None else reply._replace(headers={"Retry-After": str(math.ceil(wait_s))})

    def _unknown_path(self, method: str, path: str, methods: tuple[str, ...]) -> web.StreamResponse:
        if methods:
            reply = failure(405, "invalid", "this path does not support this method")
            reply = reply._replace(headers={"Allow": ", ".join(methods)})
        else:
            reply = failure(404, "not_exist", "there is no such path")
        self._parts.requests.add(Seen(self._parts.clock.wall(), method, path, reply.status, None))
        return response_for(reply, {})

    def _log(self, arrival: _Arrival, status: int | None) -> None:
        operation = arrival.operation
        seen = Seen(self._parts.clock.wall(), operation.method, arrival.path, status, operation.operation_id)
        self._parts.requests.add(seen)
