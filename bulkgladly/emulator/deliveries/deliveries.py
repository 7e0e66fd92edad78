"""Sends each event to the webhooks that subscribe to it, and again if that fails.

Facts: events.md, "Webhooks in brief", of the fact sheet. Any status from 200 to 299 counts as delivered.
What happens to pending deliveries of a webhook that is disabled is UNKNOWN; here they are dropped.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from yarl import URL

from bulkgladly.emulator.deliveries.delivery_queue import Delivery, DeliveryQueue
from bulkgladly.emulator.deliveries.mischief import Mischief
from bulkgladly.emulator.operations.webhook_requests import (
    deactivate,
    delivery_body,
    is_subscribed,
    log_webhook_request,
    webhook_headers,
)
from bulkgladly.emulator.options import EmulatorOptions
from bulkgladly.emulator.organisation.event_log import Event
from bulkgladly.emulator.organisation.store import Entity, Store
from bulkgladly.emulator.protocol.outgoing_requests import LoopbackClient, is_loopback

__all__ = ("REDELIVERY_WAITS_S", "Deliveries", "DeliveryCounts")

REDELIVERY_WAITS_S = (30.0, 300.0, 1800.0, 3600.0)
"""How long Gladly waits before each redelivery. If the last one fails too, the webhook is deactivated."""

_LOG = logging.getLogger("bulkgladly.emulator")


@dataclass(slots=True)
class DeliveryCounts:
    """What became of all deliveries since the start."""

    delivered: int = 0
    failed: int = 0
    """Attempts without a 2xx reply in time, including those whose reply was lost."""
    lost_replies: int = 0
    duplicates: int = 0
    not_sent: int = 0
    """Events for URLs on other machines."""
    dropped: int = 0
    """Deliveries that were given up because their webhook was disabled, deactivated or deleted."""
    deactivated: int = 0


class Deliveries:
    """Delivers the events of a store from `start` to `stop`.

    Chapters: the life of it, what comes in, what goes out, what a person can see and change.

    Each webhook has a queue of its own, so a slow receiver delays nobody else. Nothing is kept over a stop.
    Between start and stop, events must be added in the thread of the event loop.
    """

    def __init__(self, store: Store, options: EmulatorOptions) -> None:
        self._store = store
        self._seed = options.seed
        self._waits_s = tuple(wait_s / options.time_scale for wait_s in REDELIVERY_WAITS_S)
        self._client = LoopbackClient(within_s=options.delivery_timeout_s)
        self._queues: dict[str, DeliveryQueue] = {}
        self._changed = asyncio.Event()
        self._paused = False
        self.counts = DeliveryCounts()
        self.mischief = Mischief(
            duplicates=options.delivery_duplicates,
            reorder_s=options.delivery_reorder_s,
            lost_replies=options.delivery_lost_replies,
        )

    # The life of it

    def start(self) -> None:
        """Deliver what happens from now on."""
        self._store.event_log.listener = self._receive

    async def stop(self) -> None:
        """Cancel requests in flight, forget all others, and close the connections."""
        self._store.event_log.listener = None
        await asyncio.gather(*(queue.stop() for queue in self._queues.values()))
        await self._client.close()
        self._changed.set()

    def pause(self) -> None:
        """Start no delivery until `resume`; those in flight end, and new ones are queued."""
        self._paused = True

    def resume(self) -> None:
        """Deliver again after `pause`."""
        self._paused = False
        for queue in self._queues.values():
            queue.start()

    async def drained(self) -> None:
        """Wait until nothing is queued, in flight, held back, or waiting for a redelivery."""
        while any(queue.due + queue.waiting + queue.in_flight for queue in self._queues.values()):
            self._changed.clear()
            await self._changed.wait()

    # What comes in

    def _receive(self, event: Event) -> None:
        for webhook in self._store.collections["webhooks"].values():
            if is_subscribed(webhook, event.type):
                self._enqueue(webhook["id"], event)

    def _enqueue(self, webhook_id: str, event: Event) -> None:
        queue = self._queues.get(webhook_id)
        if queue is None:
            send = partial(self._send, webhook_id)
            queue = self._queues[webhook_id] = DeliveryQueue(send, lambda: self._paused)
        key = self._key(webhook_id, event, "first")
        queue.put(Delivery(event), after_s=self.mischief.hold_back_s(key))
        if self.mischief.is_duplicated(key):
            self.counts.duplicates += 1
            copy_key = self._key(webhook_id, event, "copy")
            queue.put(Delivery(event, is_copy=True), after_s=self.mischief.hold_back_s(copy_key))

    def _key(self, webhook_id: str, event: Event, word: str) -> str:
        # The number and not the id, which contains the moment: the same seed does the same in the next run.
        return f"{self._seed}:{webhook_id}:{event.number}:{word}"

    # What goes out

    async def _send(self, webhook_id: str, delivery: Delivery) -> None:
        webhook = self._store.collections["webhooks"].get(webhook_id)
        if webhook is None or not webhook["enabled"]:
            self.counts.dropped += 1
        elif is_loopback(webhook["url"]):
            status = await self._attempt(webhook, delivery)
            is_delivered = status is not None and 200 <= status < 300
            self._note(webhook, delivery, status, is_sent=True)
            if is_delivered:
                self.counts.delivered += 1
            else:
                self.counts.failed += 1
                self._retry(webhook_id, delivery)
        else:
            self.counts.not_sent += 1
            self._note(webhook, delivery, None, is_sent=False)
        self._changed.set()

    async def _attempt(self, webhook: Entity, delivery: Delivery) -> int | None:
        word = f"{'copy' if delivery.is_copy else 'first'}:{delivery.attempt}"
        is_last = delivery.attempt > len(self._waits_s)
        is_lost = not is_last and self.mischief.loses_reply(self._key(webhook["id"], delivery.event, word))
        self.counts.lost_replies += is_lost
        body, headers = delivery_body(delivery.event), webhook_headers(webhook)
        return await self._client.post(webhook["url"], body, headers, drop_reply=is_lost)

    def _note(self, webhook: Entity, delivery: Delivery, status: int | None, *, is_sent: bool) -> None:
        event = delivery.event
        more = {"eventId": event.id, "attempt": delivery.attempt}
        log_webhook_request(self._store, webhook, event.type, status, is_sent=is_sent, **more)

    def _retry(self, webhook_id: str, delivery: Delivery) -> None:
        queue = self._queues[webhook_id]
        # The queue was cleared while this was in flight: the webhook has been deactivated since.
        if delivery.is_copy or not queue.is_current(delivery):
            return
        if delivery.attempt > len(self._waits_s):
            self._give_up(webhook_id, delivery)
            return
        wait_s = self._waits_s[delivery.attempt - 1]
        delivery.attempt += 1
        queue.put(delivery, after_s=wait_s)

    def _give_up(self, webhook_id: str, delivery: Delivery) -> None:
        webhook = self._store.collections["webhooks"].get(webhook_id)
        self.counts.dropped += 1 + self._queues[webhook_id].clear()
        if webhook is None or not webhook["enabled"]:
            return
        deactivate(self._store, webhook_id)
        self.counts.deactivated += 1
        _LOG.warning(
            "email to all API users: webhook %s at %s was deactivated, because event %s (%s) was not accepted in %d"
            " attempts; enable it again with PATCH /api/v1/webhooks/%s",
            webhook.get("name") or webhook_id,
            # The path can be a secret.
            URL(webhook["url"]).origin(),
            delivery.event.id,
            delivery.event.type,
            delivery.attempt,
            webhook_id,
        )

    # What a person can see and change

    def status(self) -> dict[str, object]:
        """Return settings, counts, and what is pending, ready for JSON."""
        queues = self._queues.values()
        return {
            "paused": self._paused,
            **asdict(self.mischief),
            "due": sum(queue.due for queue in queues),
            "in_flight": sum(queue.in_flight for queue in queues),
            "waiting": sum(queue.waiting for queue in queues),
            "counts": asdict(self.counts),
        }

    def change(self, settings: Mapping[str, Any]) -> dict[str, object]:
        """Pause or resume, and change the mischief by name; return the status.

        Raises:
            ValueError, TypeError: A setting is unknown, or its value is not allowed. Nothing has changed.
        """
        others = dict(settings)
        is_paused = others.pop("paused", self._paused)
        if not isinstance(is_paused, bool):
            raise TypeError(f"paused is {is_paused!r}: it must be true or false")
        for name, value in others.items():
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise TypeError(f"{name} is {value!r}: it must be a number")
        self.mischief = replace(self.mischief, **others)
        if is_paused:
            self.pause()
        else:
            self.resume()
        return self.status()

    def endpoints(self) -> Mapping[tuple[str, str], Callable[[Any], object]]:
        """Return the control endpoints: method and name, and what each does with the body of a request."""
        return {
            ("GET", "deliveries"): lambda _: self.status(),
            ("POST", "deliveries"): self.change,
            ("GET", "webhook_log"): lambda _: list(self._store.collections["webhook_log"].values()),
        }
