"""Enabling our webhook again after Gladly has deactivated it, and telling which time must come from the feed."""

import datetime as dt
import enum
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from bulkgladly.errors import BulkgladlyError, Withdrawn
from bulkgladly.gladly.webhook_requests import RETRIES_TAKE, Webhook
from bulkgladly.webhooks.registration import Registrar

__all__ = ("HealLoop", "Healing", "WebhookState", "heal")

_EVERY_S = 600.0


class WebhookState(enum.Enum):
    """What was found, or done."""

    WELL = "enabled"
    HEALED = "enabled again"
    BY_HAND = "disabled by somebody"
    REFUSED = "not enabled"
    MISSING = "missing"


class Healing(NamedTuple):
    """A look at our webhook. If it was healed, what happened between `since` and `until` may not have been delivered.

    `since` reckons with the deliveries that failed before Gladly gave up.
    """

    state: WebhookState
    webhook: Webhook | None = None
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    detail: str = ""

    def text(self) -> str:
        """Return it as a line for people; empty if all is well."""
        label = self.webhook.label if self.webhook is not None else ""
        match self.state:
            case WebhookState.WELL:
                return ""
            case WebhookState.HEALED:
                begin, end = (time.strftime("%Y-%m-%d %H:%M") for time in (self.since, self.until) if time is not None)
                return (
                    f"Gladly had deactivated the webhook {label} after failed deliveries; it is enabled again. "
                    f"Events from {begin} to {end} (UTC) are taken from the feed"
                )
            case WebhookState.BY_HAND:
                return f"the webhook {label} was disabled by somebody; enable it in Gladly, or register it again"
            case WebhookState.REFUSED:
                return f"Gladly has deactivated the webhook {label}: {self.detail}"
            case WebhookState.MISSING:
                return "Gladly has no webhook of ours; create it with `bulkgladly listen register URL`"


async def heal(registrar: Registrar, *, now: dt.datetime) -> Healing:
    """Look at our webhook, and enable it if Gladly has deactivated it. One request if all is well.

    Gladly tests the address before it enables the webhook, so the server must be running. One that somebody has
    disabled stays as it is.

    Raises:
        BulkgladlyError: As `Client.send`, or the webhooks could not be listed.
    """
    found = registrar.ours_among(await registrar.webhooks())
    if found is None:
        return Healing(WebhookState.MISSING)
    if found.enabled:
        return Healing(WebhookState.WELL, found)
    if found.disabled_at is None:
        return Healing(WebhookState.BY_HAND, found)
    done = await registrar.enable(found)
    if done.detail:
        return Healing(WebhookState.REFUSED, found, detail=done.detail)
    # Our clock may lag behind Gladly's.
    return Healing(WebhookState.HEALED, found, found.disabled_at - RETRIES_TAKE, max(now, found.disabled_at))


class HealLoop:
    """Heals our webhook when it starts and every ten minutes. The server must be running."""

    def __init__(
        self,
        registrar: Registrar,
        *,
        sleep: Callable[[float], Awaitable[object]],
        note: Callable[[str], None],
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
        healed: Callable[[Healing], object] = lambda _: None,
    ) -> None:
        """`note` prints a line for people; `healed` is called when the webhook was enabled again."""
        self._registrar, self._sleep, self._note, self._now, self._healed = registrar, sleep, note, now, healed
        self._told = ""

    async def run(self) -> None:
        """Look again and again. An error of Gladly is told, and is no reason to stop receiving.

        Raises:
            Withdrawn: The service ends.
        """
        while True:
            await self.once()
            await self._sleep(_EVERY_S)

    async def once(self) -> None:
        """Look once, and tell what is new."""
        try:
            healing = await heal(self._registrar, now=self._now())
        except Withdrawn:
            raise
        except BulkgladlyError as error:
            self._tell(f"the webhook could not be checked: {error}")
            return
        self._tell(healing.text())
        if healing.state is WebhookState.HEALED:
            self._healed(healing)

    def _tell(self, text: str) -> None:
        # What has not changed in ten minutes was told before.
        if text and text != self._told:
            self._note(text)
        self._told = text
