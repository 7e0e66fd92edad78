"""Runs the rules beside whatever receives events: takes events in, watches timers, and performs actions."""

import datetime as dt
from collections.abc import Callable, Sequence
from functools import partial

import anyio
import anyio.lowlevel
import anyio.to_thread

from bulkgladly.errors import Outage, TransportError
from bulkgladly.inbox.event_inbox import Inbox
from bulkgladly.inbox.rule_memory import RULES_CURSOR, QueuedAction, RuleMemory
from bulkgladly.inbox.stored_events import StoredEvent
from bulkgladly.runs.environment import USUAL, Environment
from bulkgladly.runs.quiet_notes import RareNotes
from bulkgladly.runs.stages import Stop, serve
from bulkgladly.workflows.event_rule import EventRule
from bulkgladly.workflows.rule_engine import Firing, Match, look, take
from bulkgladly.workflows.rule_matching import RuleMatcher, rule_event
from bulkgladly.workflows.rule_performing import RulePerformer
from bulkgladly.workflows.rule_ports import RulePorts, RuleTime
from bulkgladly.workflows.rule_store import RuleStore

__all__ = ("RuleRunner",)

_BATCH = 100
_ACTIONS = 20
_LOOK_S = 0.5
_LONGEST_FETCH_WAIT_S = 60.0
_MOST_BACK_MS = 24 * 3_600_000
"""Rules act on what a stop of this length has missed, as far as the feed goes back."""
_FORGET_MS = 600_000
_TELL_AGAIN_S = 600.0


class RuleRunner:
    """Runs rules on the events of an inbox until it is cancelled. `close` it afterwards.

    A rule begins with the events that arrive after the first start with rules. Whatever happens, an event is taken
    in once by each rule, and each action is performed. Chapters: run, events, timers, actions.
    """

    def __init__(
        self,
        inbox: Inbox,
        rules: Sequence[EventRule],
        ports: RulePorts,
        *,
        time: RuleTime | None = None,
        settle_s: float = 20.0,
        note: Callable[[str], None] = lambda _: None,
        environment: Environment = USUAL,
    ) -> None:
        """`note` tells people of what fails. Without `time`, the clock is that of the environment."""
        self._inbox, self._rules = inbox, {rule.name: rule for rule in rules}
        self._matcher, self._ports, self._note = RuleMatcher(rules), ports, note
        self._notes = RareNotes(note, environment.clock, every_s=_TELL_AGAIN_S)
        self._settle_ms = round(settle_s * 1000)
        self._environment, self._time = environment, time or RuleTime(environment.wall)
        self._store = RuleStore(inbox, ports.dead, sleep=environment.sleep, note=note)
        self._performer = RulePerformer(
            self._store, self._rules, ports, notes=self._notes, now_ms=self._now_ms, random=environment.random
        )
        self._targets = tuple(dict.fromkeys(action.target for rule in rules for action in rule.actions))
        self._next_try: dict[str, int | None] = dict.fromkeys(self._targets, 0)
        self._next_look: int | None = 0
        self._seq = self._begun_at = self._since_ms = 0
        self._known_ms: int | None = None
        self._coming: tuple[int, int] | None = None
        """Up to when all events are in the inbox, and which of them must have been taken in before that counts."""
        self._backlog_is_done = anyio.Event()
        self._busy_since: int | None = None
        self._forgot_ms = 0

    # --- run ---

    async def run(self) -> None:
        """Run the rules until it is cancelled, or nothing may be sent any more.

        Raises:
            Fatal: What a rule mentions cannot be requested, because the credentials are wrong.
            JournalDamaged: The inbox cannot be used.

        Cancelled or killed: what was taken in stays, and the next run goes on.
        """
        self._begun_at = self._inbox.last_seq
        self._seq = await self._store.patiently(lambda: self._inbox.begin_cursor(RULES_CURSOR, self._begun_at))
        # After days without rules nobody expects them to act on what happened meanwhile.
        self._since_ms = max(self._inbox.reader.since_ms(RULES_CURSOR), self._now_ms() - _MOST_BACK_MS)
        await self._begin()
        stop = Stop()
        await serve(
            stop,
            loops=(self._take_in, self._watch),
            finish=anyio.lowlevel.checkpoint,
            beside=[partial(self._act, target) for target in self._targets],
        )
        if stop.error is not None:
            raise stop.error

    async def close(self) -> None:
        """Close the files that rows are kept track of in. Calling it twice is allowed."""
        await anyio.to_thread.run_sync(self._ports.rows.close)

    async def _begin(self) -> None:
        names = list(self._rules)
        for name, count in (await self._store.ask(lambda memory: memory.forget_rules(names))).items():
            self._note(f"rule {name} is no longer in the file; timers and actions that were dropped: {count:,}")
        self._ports.rows.remember_made(await self._store.ask(lambda memory: memory.made_lately()))

    def _now_ms(self) -> int:
        return round(self._time.wall().timestamp() * 1000)

    # --- events ---

    async def _take_in(self) -> None:
        while True:
            batch, end = await anyio.to_thread.run_sync(self._inbox.reader.read_on, self._seq, _BATCH)
            if not batch:
                self._seq = end
                self._backlog_is_done.set()
                await self._inbox.wait_beyond(self._seq)
                continue
            self._busy_since = self._now_ms()
            # At the first start the feed brings the day before it, which no rule must act on.
            new = [stored for stored in batch if stored.time_ms >= self._since_ms]
            matches = [match for stored in new for match in await self._matches(stored)]
            await self._commit(matches, end)
            self._busy_since = None

    async def _commit(self, matches: Sequence[Match], seq: int) -> None:
        """Take matches in, and move the cursor: one step."""
        now_ms, settle_ms = self._now_ms(), self._settle_ms
        fired: list[Firing] = []

        def commit(memory: RuleMemory) -> int | None:
            fired[:] = take(memory, matches, now_ms=now_ms, settle_ms=settle_ms)
            memory.move(seq)
            return memory.next_look()

        self._next_look = await self._store.ask(commit)
        self._seq = seq
        self._tell(fired)

    async def _matches(self, stored: StoredEvent) -> list[Match]:
        """Return the matches of an event; what it needs is requested until it can be had."""
        if stored.why or not self._matcher.concerns(stored.type):
            return []
        received_at = dt.datetime.fromtimestamp(stored.received_ms / 1000, dt.UTC)
        event = rule_event(stored.parsed(), stored.dedupe_id, received_at)
        wait_s = 1.0
        while True:
            try:
                matches = await self._matcher.matches(event, self._ports.fetch)
            except (Outage, TransportError) as error:
                self._notes.tell("fetch", f"rules wait, because what an event is about cannot be requested: {error}")
                await self._environment.sleep(wait_s)
                wait_s = min(wait_s * 2, _LONGEST_FETCH_WAIT_S)
                continue
            self._tell_failures()
            return matches

    def _tell_failures(self) -> None:
        while self._matcher.failures:
            name, why = self._matcher.failures.popitem()
            text = f"rule {name}: {why}; the event counts as one that the rule is not about"
            self._notes.tell(text, text)

    # --- timers ---

    async def _watch(self) -> None:
        # Events that were missed during a stop may cancel timers that ended in it.
        await self._time.until_caught_up()
        await self._backlog_is_done.wait()
        while True:
            now_ms = self._now_ms()
            until_ms = self._certain_ms(now_ms)
            if self._next_look is not None and self._next_look <= until_ms and not self._is_behind(now_ms):
                await self._look(now_ms, until_ms)
            await self._forget(now_ms)
            await self._environment.sleep(_LOOK_S)

    def _certain_ms(self, now_ms: int) -> int:
        """Return up to when what is to be looked at can be: all events that have a say are taken in."""
        if self._coming is None and (known := self._time.known_until()) is not None:
            self._coming = round(known.timestamp() * 1000), self._inbox.last_seq
        if self._coming is not None and self._seq >= self._coming[1]:
            (self._known_ms, _), self._coming = self._coming, None
        if self._known_ms is None:
            return now_ms
        # After an outage of hours, late is better than never.
        return min(now_ms, max(self._known_ms + self._settle_ms, now_ms - round(self._time.patience_s * 1000)))

    def _is_behind(self, now_ms: int) -> bool:
        """Tell whether events wait for what they are about, so that one of them may cancel a timer."""
        return self._busy_since is not None and now_ms - self._busy_since > self._settle_ms // 2

    async def _forget(self, now_ms: int) -> None:
        if now_ms - self._forgot_ms > _FORGET_MS:
            self._forgot_ms = now_ms
            await self._store.ask(lambda memory: memory.forget(now_ms))

    async def _look(self, now_ms: int, until_ms: int) -> None:
        fired: list[Firing] = []

        def at_timers(memory: RuleMemory) -> int | None:
            fired[:] = look(memory, self._rules, now_ms=now_ms, settle_ms=self._settle_ms, until_ms=until_ms)
            return memory.next_look()

        self._next_look = await self._store.ask(at_timers)
        self._tell(fired)

    def _tell(self, fired: Sequence[Firing]) -> None:
        """Wake those who perform actions, and tell of rules that have reached their limit."""
        for firing in fired:
            if firing.is_first_over:
                most = self._rules[firing.rule].most_per_hour
                self._note(
                    f"rule {firing.rule} has fired {most:,} times within this hour and does nothing until the next; "
                    "look at the rule, or raise its most_per_hour"
                )
        if fired:
            self._next_try = dict.fromkeys(self._targets, 0)

    # --- actions ---

    async def _act(self, target: str) -> None:
        while True:
            now_ms = self._now_ms()
            at = self._next_try[target]
            if at is None or at > now_ms:
                await self._environment.sleep(_LOOK_S)
                continue
            # Before the question: what fires meanwhile sets it again.
            self._next_try[target] = None
            for action in await self._due(target, now_ms):
                await self._performer.perform(action)
            later = await self._store.ask(lambda memory: memory.next_try(target))
            self._next_try[target] = later if self._next_try[target] is None else self._next_try[target]

    async def _due(self, target: str, now_ms: int) -> list[QueuedAction]:
        return await self._store.ask(lambda memory: memory.actions(target, now_ms, _ACTIONS))
