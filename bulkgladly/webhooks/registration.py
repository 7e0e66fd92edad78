"""Telling Gladly where to send events: creating, changing, listing, removing and healing our webhook.

Gladly has at most 20 webhooks, each with its own URL. Ours is the one with the id that was kept when it was registered,
or with our name. All others belong to somebody else, and are not touched.
"""

import datetime as dt
import ipaddress
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from bulkgladly.api.client import Client
from bulkgladly.choices import closest
from bulkgladly.errors import ReplyLost, UsageError
from bulkgladly.gladly.event_envelopes import KNOWN_TYPES
from bulkgladly.gladly.once_steps import id_in_location
from bulkgladly.gladly.outcomes import first_problem
from bulkgladly.gladly.webhook_requests import (
    MOST_WEBHOOKS,
    Webhook,
    change_webhook,
    create_webhook,
    delete_webhook,
    list_webhooks,
    same_url,
)
from bulkgladly.messages import Repeat, Reply
from bulkgladly.settings import is_loopback
from bulkgladly.webhooks.known_webhook import KnownWebhook
from bulkgladly.webhooks.listen_secrets import ListenSecrets

__all__ = ("Registrar", "Registration", "check_events", "check_url")

_NOT_ANSWERED = (
    "{url} did not answer Gladly's PING with 200, so the webhook stays disabled. Check that `bulkgladly listen` is "
    "running, that this URL leads to it (--path), and that it has the same secrets; then run the same command again"
)


class Registration(NamedTuple):
    """A webhook after it was registered. `detail` says why it is not enabled; empty if it is.

    `others` are our webhooks with other URLs that are enabled as well: each sends the same events once more.
    """

    webhook: Webhook
    is_new: bool
    detail: str = ""
    others: tuple[Webhook, ...] = ()


def check_url(url: str, gladly_host: str) -> None:
    """Check where Gladly would send events. Plain http is for an emulator on this machine.

    Raises:
        UsageError: It is not a public https URL.
    """
    try:
        parts = urlsplit(url)
        name, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise UsageError(f"{url!r} is not a valid URL: {error}; use https://hooks.example.org/gladly") from error
    if not name or parts.scheme not in ("https", "http"):
        raise UsageError(f"{url!r} is not an https URL with a host; use https://hooks.example.org/gladly, for example")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise UsageError("the URL contains a user or a #; pass the secrets as BULKGLADLY_LISTEN_* variables instead")
    if is_loopback(urlsplit(gladly_host).hostname or "") and is_loopback(name):
        return
    if parts.scheme == "http":
        raise UsageError(f"{url}: Gladly delivers over https only; use an https URL, for example behind Caddy or nginx")
    if not _is_public(name):
        raise UsageError(f"{url}: Gladly cannot reach {name}, which is not public; use the public name of this machine")


def _is_public(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_global
    except ValueError:
        return "." in name.strip(".") and not name.lower().endswith((".local", ".internal", ".localhost"))


def check_events(types: Sequence[str]) -> tuple[str, ...]:
    """Return the types of events to be sent, in order; all that Gladly has if none is named.

    Raises:
        UsageError: One of them does not exist.
    """
    for each in types:
        if each not in KNOWN_TYPES:
            meant = closest(each, KNOWN_TYPES)
            hint = f"did you mean {meant}?" if meant else "docs/realtime.md lists them"
            raise UsageError(f"unknown event type {each!r}; {hint}")
    return tuple(sorted(set(types) or KNOWN_TYPES))


class Registrar:
    """Works on the webhooks of one organisation. All methods raise what `Client.send` does, and `ReplyLost`."""

    def __init__(self, client: Client, *, name: str, known: KnownWebhook | None = None) -> None:
        """`name` is the name of our webhook, and `known` what was kept of it."""
        self._client, self._name, self._known = client, name, known

    async def webhooks(self) -> list[Webhook]:
        """Return all webhooks of the organisation."""
        reply = await self._client.send(list_webhooks())
        if not reply.is_confirmed:
            raise ReplyLost(f"the webhooks could not be listed ({_why(reply)}); nothing was changed; try again")
        return [Webhook.of(each) for each in reply.objects]

    def is_ours(self, webhook: Webhook) -> bool:
        """Tell whether a webhook was created by us."""
        return webhook.name == self._name or (self._known is not None and webhook.id == self._known.id)

    # --- register ---

    async def register(self, url: str, events: Sequence[str], secrets: ListenSecrets) -> Registration:
        """Create our webhook or change the one that has this URL, and enable it, which the listener must answer.

        It is looked for before it is created, and created at most once, so that a lost response makes no second one.
        Killed between two requests, it is there and disabled; the same command goes on from there.

        Raises:
            UsageError: The URL belongs to a webhook of somebody else, there is no room for another webhook, or Gladly
                refuses it.
        """
        fields = {"url": url, "name": self._name, "events": list(events), **secrets.for_gladly()}
        listed = await self.webhooks()
        found = self._at(url, listed)
        if found is None:
            _refuse_too_many(listed)
            created = await self._create(url, fields)
            return await self._enabled(created, is_new=True)
        changes = {name: value for name, value in fields.items() if name != "url"}
        reply = await self._client.send(change_webhook(found.id, changes))
        _refuse(reply, f"the webhook {found.label} could not be changed")
        if found.enabled:
            return await self._seen(found, is_new=False)
        return await self._enabled(found, is_new=False)

    def _at(self, url: str, listed: Sequence[Webhook]) -> Webhook | None:
        """Return our webhook with a URL.

        Raises:
            UsageError: It is not ours.
        """
        found = next((each for each in listed if same_url(each.url, url)), None)
        if found is not None and not self.is_ours(found):
            raise UsageError(
                f"the webhook {found.label} already sends events to {url} and was not created by bulkgladly; use "
                f"another URL, remove it with `bulkgladly listen unregister {found.id} --force`, or take it over by "
                "passing its name with --name"
            )
        return found

    async def _create(self, url: str, fields: dict[str, Any]) -> Webhook:
        reply = await self._client.send(create_webhook(fields, repeat=Repeat.UNSAFE))
        if reply.is_confirmed and (webhook_id := id_in_location(reply)):
            return Webhook(webhook_id, url, self._name, tuple(fields["events"]), enabled=False, disabled_at=None)
        # Also after a refusal: another process may have created it since, and its code for that is UNKNOWN.
        if (found := self._at(url, await self.webhooks())) is not None:
            return found
        _refuse(reply, f"the webhook for {url} could not be created")
        raise ReplyLost("Gladly confirmed the webhook, but does not list it; run the same command again")

    async def _enabled(self, webhook: Webhook, *, is_new: bool) -> Registration:
        reply = await self._client.send(change_webhook(webhook.id, {"enabled": True}))
        if reply.is_refused or reply.is_absent:
            detail = _NOT_ANSWERED.format(url=webhook.url)
            if first_problem(reply).attr != "url":
                detail = f"Gladly did not enable it ({_why(reply)}). {detail}"
            return Registration(webhook, is_new, detail)
        return await self._seen(webhook, is_new=is_new)

    async def _seen(self, webhook: Webhook, *, is_new: bool) -> Registration:
        """Look back: a response is not its meaning."""
        listed = await self.webhooks()
        found = next((each for each in listed if each.id == webhook.id), None)
        if found is None:
            raise ReplyLost(f"the webhook {webhook.label} is gone; somebody may have deleted it: run the command again")
        detail = "" if found.enabled else _NOT_ANSWERED.format(url=webhook.url)
        others = tuple(each for each in listed if each.enabled and each.id != found.id and self.is_ours(each))
        return Registration(found, is_new, detail, others)

    # --- unregister ---

    async def unregister(self, which: str, *, is_forced: bool = False) -> Webhook:
        """Disable and delete a webhook, given its id or its URL, and return it.

        Raises:
            UsageError: There is no such webhook, or it is not ours and not `is_forced`.
        """
        listed = await self.webhooks()
        found = next((each for each in listed if each.id == which or same_url(each.url, which)), None)
        if found is None:
            known = ", ".join(each.url for each in listed) or "none"
            raise UsageError(f"no webhook has the id or the URL {which!r}; there are: {known}")
        if not self.is_ours(found) and not is_forced:
            raise UsageError(f"the webhook {found.label} was not created by bulkgladly; pass --force to remove it")
        # Gladly deletes only what is disabled.
        for request in (change_webhook(found.id, {"enabled": False}), delete_webhook(found.id)):
            reply = await self._client.send(request)
            if not reply.is_absent:
                _refuse(reply, f"the webhook {found.label} could not be removed")
        if any(each.id == found.id for each in await self.webhooks()):
            raise ReplyLost(f"the webhook {found.label} is still there; run the same command again")
        return found

    # --- heal ---

    def ours_among(self, listed: Sequence[Webhook]) -> Webhook | None:
        """Return our webhook: by the id or the URL that was kept, else by its name if no other has it."""
        known = self._known
        tests: list[Callable[[Webhook], bool]] = [lambda each: each.name == self._name]
        if known is not None:
            tests = [lambda each: each.id == known.id, lambda each: same_url(each.url, known.url), *tests]
        for test in tests:
            found = [each for each in listed if test(each)]
            if len(found) == 1:
                return found[0]
        return None

    async def enable(self, webhook: Webhook) -> Registration:
        """Enable a webhook that Gladly has deactivated; the listener must answer the PING."""
        return await self._enabled(webhook, is_new=False)


def _refuse_too_many(listed: Sequence[Webhook]) -> None:
    if len(listed) < MOST_WEBHOOKS:
        return
    idle = sorted(
        (each for each in listed if not each.enabled),
        key=lambda each: each.disabled_at or dt.datetime.max.replace(tzinfo=dt.UTC),
    )
    first = idle[0] if idle else listed[0]
    why = "which is disabled" if idle else "if nobody needs it"
    raise UsageError(
        f"Gladly allows {MOST_WEBHOOKS} webhooks, and there are {len(listed)}; remove one, for example {first.label}, "
        f"{why}: `bulkgladly listen unregister {first.id} --force`"
    )


def _refuse(reply: Reply, what: str) -> None:
    """Return if a request was done.

    Raises:
        UsageError: Gladly refused it.
        ReplyLost: Its outcome is unknown.
    """
    if reply.is_confirmed:
        return
    if reply.is_refused or reply.is_absent:
        raise UsageError(f"{what}: {_why(reply)}")
    raise ReplyLost(f"{what}, or its outcome is unknown ({_why(reply)}); run the same command again")


def _why(reply: Reply) -> str:
    problem = first_problem(reply)
    said = problem.detail or problem.code
    about = f"{problem.attr}: " if problem.attr and said else ""
    return f"{about}{said}" if said else f"HTTP {reply.status}" if reply.status else "no response"
