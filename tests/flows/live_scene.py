"""An invented contact centre as events, and a server that shows it at `/live`."""

import datetime as dt
import itertools
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from bulkgladly.live.live_feed import LiveFeed
from bulkgladly.live.live_routes import add_live_routes
from bulkgladly.live.live_state import LiveState
from bulkgladly.times import to_milliseconds

__all__ = ("NAMES", "TOKEN", "LiveScene", "a_morning", "scene_event", "served_live")

TOKEN = "a-token-that-nobody-guesses"
NAMES = {
    "agent-ada": "Ada Okafor",
    "agent-ben": "Ben Sørensen",
    "agent-eva": "Eva-Maria Hohenstein-Sigmaringen",
    "inbox-1": "Tier 1",
    "inbox-2": "Returns and exchanges",
}
_NUMBERS = itertools.count()


def scene_event(kind: str, at: dt.datetime, initiator: tuple[str, str], **content: Any) -> dict[str, Any]:
    """Return an event with a new id."""
    who = {"id": initiator[0], "type": initiator[1]}
    return {
        "id": f"event-{next(_NUMBERS):06}",
        "type": kind,
        "timestamp": to_milliseconds(at),
        "initiator": who,
        "content": content,
    }


def a_morning(now: dt.datetime) -> Iterator[dict[str, Any]]:
    """Yield events of agents, contacts and tasks that end in a view with all that a view can show."""

    def ago(minutes: float) -> dt.datetime:
        return now - dt.timedelta(minutes=minutes)

    for agent, minutes, works in (
        ("agent-ada", 190, ["MESSAGING", "VOICE"]),
        ("agent-ben", 64, ["MAIL", "MESSAGING", "TASK", "VOICE"]),
        ("agent-eva", 250, ["MAIL"]),
        ("b4Kq9XtTRm2Zn7yWc1LpAg", 31, []),
    ):
        by = (agent, "AGENT")
        reason = {"id": "reason-1", "name": "Front line"}
        yield scene_event("AGENT_STATUS/LOGGED_IN", ago(minutes), by, agentId=agent, activeReason=reason)
        yield scene_event("AGENT_AVAILABILITY/UPDATED", ago(minutes - 1), by, agentId=agent, availableFor=works)
    lunch = {"id": "reason-2", "name": "Lunch"}
    yield scene_event("AGENT_STATUS/WENT_AWAY", ago(41), ("agent-eva", "AGENT"), agentId="agent-eva", awayReason=lunch)
    for number, (channel, inbox, minutes, due) in enumerate(
        (
            ("PHONE_CALL", "inbox-1", 3, None),
            ("CHAT", "inbox-1", 7, -2),
            ("EMAIL", "inbox-2", 260, 45),
            ("WHATSAPP", "inbox-2", 22, -5),
            ("SMS", "iNbX0000000000000000AA", 14, 6),
        )
    ):
        about = {
            "channel": channel,
            "contactId": f"contact-{number}",
            "conversationId": f"conversation-{number}",
            "customerId": f"customer-{number}",
            "context": {"assignee": {"inboxId": inbox}},
        }
        until = {} if due is None else {"dueAt": to_milliseconds(ago(-due))}
        yield scene_event("CONTACT/STARTED", ago(minutes), (f"customer-{number}", "CUSTOMER"), **about, **until)
    ada = {
        "context": {"assignee": {"inboxId": "inbox-1"}},
        "channel": "PHONE_CALL",
        "contactId": "contact-0",
        "agentId": "agent-ada",
    }
    yield scene_event("CONTACT/OFFERED", ago(2), ("system", "SYSTEM"), **ada)
    for number, due in enumerate((-130, 20, 1500)):
        before = {"createdAt": to_milliseconds(ago(600)), "dueAt": to_milliseconds(ago(-due))}
        context = {**before, "assignee": {"inboxId": "inbox-1", "agentId": "agent-ben"}}
        about = {"taskId": f"task-{number}", "customerId": f"customer-{number}", "context": context}
        yield scene_event("TASK/CREATED", ago(200), ("agent-ben", "AGENT"), **about)


@dataclass(slots=True)
class LiveScene:
    """A live state with its feed and the address of its page."""

    state: LiveState
    feed: LiveFeed
    url: str = ""
    port: int = 0
    asked: list[str] = field(default_factory=list)
    """The paths that were asked for."""

    def happen(self, *events: Mapping[str, Any]) -> None:
        """Let events come."""
        for event in events:
            self.state.apply(event)
        self.feed.changed()


@asynccontextmanager
async def served_live(
    *, names: Mapping[str, str] = NAMES, port: int = 0, feed: Mapping[str, Any] | None = None, **routes: Any
) -> AsyncIterator[LiveScene]:
    """Serve the page of an empty live state on the loopback address until the block ends."""
    state = LiveState(names=names)
    scene = LiveScene(state, LiveFeed(state, **(feed or {})))

    @web.middleware
    async def noting(request: web.Request, handler: Any) -> web.StreamResponse:
        scene.asked.append(request.path)
        answer: web.StreamResponse = await handler(request)
        return answer

    app = web.Application(middlewares=[noting])
    add_live_routes(app, scene.feed, token=TOKEN, **routes)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        scene.port = runner.addresses[0][1]
        scene.url = f"http://127.0.0.1:{scene.port}/live"
        yield scene
    finally:
        await runner.cleanup()
