"""Agents at work: they log in, become available, have breaks, and log out."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from bulkgladly.emulator.organisation.store import Store
from bulkgladly.emulator.traffic.schedule import Schedule

__all__ = ("AgentShift", "AtWork", "work_of")

_ALL_WORK = ("MAIL", "MESSAGING", "TASK", "VOICE")
_MOST_AT_ONCE = 3
_READY = {"id": "reason-available", "name": "Available"}
_AFTER_WORK = {"id": "reason-after-contact", "name": "After contact work"}
_BREAKS = ({"id": "reason-lunch", "name": "Lunch"}, {"id": "reason-coaching", "name": "Coaching"})


def work_of(channel: str) -> str:
    """Return what an agent must be available for, to get a contact on this channel."""
    return {"PHONE_CALL": "VOICE", "EMAIL": "MAIL", "VOICEMAIL": "MAIL"}.get(channel, "MESSAGING")


@dataclass(slots=True)
class AtWork:
    """One agent who has logged in."""

    id: str
    available_for: tuple[str, ...] = ()
    contacts: list[str] = field(default_factory=list[str])
    """The channels of the contacts that the agent has now."""
    is_away: bool = False

    @property
    def initiator(self) -> dict[str, Any]:
        """The agent as the initiator of an event."""
        return {"id": self.id, "type": "AGENT"}

    def can_take(self, channel: str) -> bool:
        """Return whether the agent can get another contact: a call needs all attention."""
        if work_of(channel) not in self.available_for or "PHONE_CALL" in self.contacts:
            return False
        return not self.contacts if channel == "PHONE_CALL" else len(self.contacts) < _MOST_AT_ONCE


class AgentShift:
    """All agents of the store, who come one after another; `begin` begins it. It never ends."""

    def __init__(self, store: Store, schedule: Schedule, draw: random.Random) -> None:
        self._store, self._schedule, self._draw = store, schedule, draw
        self._at_work: dict[str, AtWork] = {}

    def begin(self) -> None:
        """Let all agents log in within some seconds, and something happen to one of them from then on."""
        for agent_id in self._store.collections["agents"]:
            self._schedule.within(0, 15, partial(self._log_in, agent_id))
        self._schedule.within(30, 60, self._something)

    def agent_for(self, channel: str, inbox_id: str, *, other_than: str | None = None) -> AtWork | None:
        """Return the agent with the fewest contacts who can take one on this channel and is in the inbox, or None."""
        members = self._store.collections["inbox_members"].get(inbox_id)
        free = [
            agent
            for agent in self._at_work.values()
            if agent.can_take(channel) and agent.id != other_than and (not members or agent.id in members["agentIds"])
        ]
        return min(free, key=lambda agent: len(agent.contacts), default=None)

    # What agents do

    def _log(self, agent: AtWork, name: str, **content: Any) -> None:
        ids = {"agentId": agent.id, "occurredAt": self._store.now()}
        self._store.event_log.add(name, {**ids, **content}, agent.initiator)

    def _log_in(self, agent_id: str) -> None:
        agent = self._at_work[agent_id] = AtWork(agent_id)
        self._log(agent, "AGENT_STATUS/LOGGED_IN", activeReason=_READY)
        self._schedule.within(1, 4, lambda: self._become_available(agent))

    def _become_available(self, agent: AtWork, work: tuple[str, ...] = _ALL_WORK) -> None:
        agent.available_for = work
        self._log(agent, "AGENT_AVAILABILITY/UPDATED", availableFor=list(work))

    def _something(self) -> None:
        """Let something happen to an agent; only who has no contact leaves, and only if two others stay."""
        self._schedule.within(10, 30, self._something)
        available = [agent for agent in self._at_work.values() if agent.available_for]
        idle = [agent for agent in available if not agent.contacts]
        if idle and len(available) > 2 and self._draw.random() < 0.5:
            leave = self._log_out if self._draw.random() < 0.2 else self._take_a_break
            leave(self._draw.choice(idle))
        elif available:
            act = self._draw.choice((self._dither, self._focus, self._change_reason))
            act(self._draw.choice(available))

    def _take_a_break(self, agent: AtWork) -> None:
        reason, begin = self._draw.choice(_BREAKS), self._store.now()
        self._become_available(agent, ())
        agent.is_away = True
        self._log(agent, "AGENT_STATUS/WENT_AWAY", awayReason=reason)

        def come_back() -> None:
            agent.is_away = False
            times = {"awayAt": begin, "awayReason": reason}
            self._log(agent, "AGENT_STATUS/RETURNED_FROM_AWAY", **times, activeReason=_READY)
            self._become_available(agent)

        self._schedule.within(30, 120, come_back)

    def _dither(self, agent: AtWork) -> None:
        """Change the availability four times in a short time, as somebody does who cannot decide."""
        self._become_available(agent, ())
        for number, work in enumerate((_ALL_WORK, (), _ALL_WORK), start=1):
            self._later(12 * number, 12 * number + 5, agent, partial(self._become_available, agent, work))

    def _focus(self, agent: AtWork) -> None:
        self._log_focus(agent, "ENTERED")
        self._later(10, 40, agent, partial(self._log_focus, agent, "EXITED"))

    def _log_focus(self, agent: AtWork, word: str) -> None:
        content = {"agentId": agent.id, "context": {"availableFor": list(agent.available_for)}}
        self._store.event_log.add(f"AGENT_AVAILABILITY/FOCUS_{word}", content, agent.initiator)

    def _change_reason(self, agent: AtWork) -> None:
        event = "AGENT_STATUS/CHANGED_ACTIVE_REASON"
        self._log(agent, event, activeReason=_AFTER_WORK)
        self._later(15, 45, agent, lambda: self._log(agent, event, activeReason=_READY))

    def _later(self, low_s: float, high_s: float, agent: AtWork, action: Callable[[], None]) -> None:
        """Do something in a while, unless the agent has gone by then."""

        def do_if_present() -> None:
            if self._at_work.get(agent.id) is agent and not agent.is_away:
                action()

        self._schedule.within(low_s, high_s, do_if_present)

    def _log_out(self, agent: AtWork) -> None:
        self._become_available(agent, ())
        self._log(agent, "AGENT_STATUS/LOGGED_OUT")
        del self._at_work[agent.id]
        self._schedule.within(60, 180, lambda: self._log_in(agent.id))
