"""The parts of the service, made from the options: what receives, lands, passes on and watches."""

import contextlib
import datetime as dt
import os
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Self

import anyio

from bulkgladly.api.client import Client
from bulkgladly.errors import BulkgladlyError, DataSetInUse
from bulkgladly.exports.export_options import ExportOptions
from bulkgladly.inbox.event_inbox import Inbox
from bulkgladly.inbox.rule_memory import RULES_CURSOR
from bulkgladly.inbox.stored_events import InboxReader
from bulkgladly.live.live_routes import add_live_routes
from bulkgladly.realtime import job_dumps, landing
from bulkgladly.realtime.fill_loop import FillLoop
from bulkgladly.realtime.job_dumps import JobDumps
from bulkgladly.realtime.landing import Landing, LandingTimes
from bulkgladly.realtime.live_events import LiveLoop
from bulkgladly.realtime.realtime_options import RealtimeOptions
from bulkgladly.realtime.retention import Retention
from bulkgladly.runs.session import Terms
from bulkgladly.runs.when_writable import when_writable
from bulkgladly.settings import Credentials
from bulkgladly.sinks.dead_letters import DeadLetters
from bulkgladly.sinks.object_fetch import ObjectFetch
from bulkgladly.sinks.sink_choice import sink_of, sinks_of
from bulkgladly.sinks.sink_loop import SinkLoop
from bulkgladly.sinks.sinks import Sink
from bulkgladly.webhooks.healing import HealLoop
from bulkgladly.webhooks.known_webhook import OUR_NAME, known_webhook
from bulkgladly.webhooks.listen_secrets import ListenSecrets
from bulkgladly.webhooks.registration import Registrar
from bulkgladly.webhooks.webhook_server import WebhookServer
from bulkgladly.workflows.event_rule import EventRule
from bulkgladly.workflows.rule_file import load_rules
from bulkgladly.workflows.rule_ports import RuleObjects, RulePorts, RuleSinks, RuleTime, rule_rows
from bulkgladly.workflows.rule_runner import RuleRunner

__all__ = ("ServiceParts",)

Loop = Callable[[], Awaitable[None]]

_FILL_EVERY_S = 600.0
"""How often the feed fills what webhooks missed."""
_CATCH_UP_S = 300.0
_LEAST_SETTLE_S = 20.0
"""For rules: the feed shows an event up to 15 s late."""
_NEW_READERS_BEGIN = dt.timedelta(minutes=1)
"""How far before its first start a new sink begins: what just happened may appear in the feed only now."""


@dataclass(slots=True)
class ServiceParts:
    """What one session consists of. `read` finds mistakes in the options, `make` builds the rest around an inbox.

    Chapters: made, begun and ended, the loops.
    """

    options: RealtimeOptions
    credentials: Credentials
    terms: Terms
    sinks: list[Sink]
    listen_secrets: ListenSecrets | None
    rules: tuple[EventRule, ...] = ()
    live_token: str = ""
    _inbox: Inbox | None = None
    _fill: FillLoop | None = None
    _landing: Landing | None = None
    _server: WebhookServer | None = None
    _live: LiveLoop | None = None
    _rule_sinks: RuleSinks | None = None
    _loops: list[Loop] = field(default_factory=list[Loop])
    _sink_loops: list[SinkLoop] = field(default_factory=list[SinkLoop])
    _readers: list[str] = field(default_factory=list[str])
    _first_seq: int = 0
    _beginnings: list[anyio.CancelScope] = field(default_factory=list[anyio.CancelScope])
    """Of the sinks that have not begun yet."""

    # --- made ---

    @classmethod
    def read(cls, options: RealtimeOptions, credentials: Credentials, terms: Terms) -> Self:
        """Return the parts that need nothing but options and variables.

        Raises:
            UsageError: Something cannot work; nothing was opened or sent.
        """
        sinks = sinks_of(options.sinks, terms.observer.note, sign_env=options.sign_env, environment=terms.environment)
        found = None if options.listen is None else ListenSecrets.from_environment(os.environ)
        make = partial(sink_of, note=terms.observer.note, environment=terms.environment)
        rules = () if options.rules is None else load_rules(options.rules, check_sink=make)
        return cls(options, credentials, terms, sinks, found, rules)

    def make(self, inbox: Inbox, client: Client) -> None:
        """Make everything around an inbox. Nothing runs yet."""
        options, environment = self.options, self.terms.environment
        self._inbox, self._first_seq = inbox, inbox.last_seq
        fetch = ObjectFetch(client, window_s=options.fetch_window_s, clock=environment.clock)
        fill = self._make_filling(inbox, client)
        self._make_landing(inbox)
        self._make_server(inbox, client)
        dead = DeadLetters(options.state_dir)
        self._make_sinks(inbox, dead, fetch if options.fetch else None)
        if self.rules:
            self._make_rules(inbox, client, fetch, fill, dead)
        keep = Retention(
            inbox, self._readers, keep_days=options.keep_days, keep_bytes=options.keep_bytes, wall=environment.wall
        )
        self._loops.append(partial(keep.run, environment.sleep))

    def _make_filling(self, inbox: Inbox, client: Client) -> FillLoop:
        options = self.options
        self._fill = FillLoop(
            client,
            inbox,
            options.entities,
            since=options.since,
            every_s=options.every_s if options.listen is None else _FILL_EVERY_S,
            note=self.terms.observer.note,
            environment=self.terms.environment,
            with_jobs=options.out is not None or options.listen is not None,
            is_receiver=options.listen is not None,
        )
        self._loops.append(self._fill.run)
        return self._fill

    def _make_landing(self, inbox: Inbox) -> None:
        options = self.options
        if options.out is None:
            return
        self._landing = Landing(
            inbox,
            options.out,
            self.credentials.host,
            options.entities,
            note=self.terms.observer.note,
            times=LandingTimes(every_s=options.land_every_s, rows=options.land_rows),
            clock=self.terms.environment.wall,
        )
        dumps = JobDumps(
            inbox,
            ExportOptions(out=options.out, words=(), pace=options.pace, state_dir=options.state_dir),
            self.credentials,
            note=self.terms.observer.note,
            environment=self.terms.environment,
        )
        self._loops += [self._landing.run, dumps.run]
        self._readers += [landing.CURSOR, job_dumps.CURSOR]

    def _make_server(self, inbox: Inbox, client: Client) -> None:
        listen, environment, note = self.options.listen, self.terms.environment, self.terms.observer.note
        if listen is None or self.listen_secrets is None:
            return
        server = partial(WebhookServer, inbox, listen, self.listen_secrets, note=note, now=environment.wall)
        if listen.live:
            self._live = live = LiveLoop(inbox, client, wall=environment.wall)
            self.live_token = secrets.token_urlsafe(24)
            server = partial(server, add_routes=partial(add_live_routes, live=live.feed, token=self.live_token))
            self._loops.append(live.run)
        self._server = server()
        if listen.heal:
            known = known_webhook(self.options.state_dir, self.credentials.host)
            registrar = Registrar(client, name=OUR_NAME, known=known)
            self._loops.append(HealLoop(registrar, sleep=environment.sleep, note=note, now=environment.wall).run)

    def _make_sinks(self, inbox: Inbox, dead: DeadLetters, fetch: ObjectFetch | None) -> None:
        options = self.options
        for sink in self.sinks:
            loop = SinkLoop(
                inbox,
                sink,
                dead,
                settle_s=options.settle_s,
                give_up_s=options.give_up_s,
                note=self.terms.observer.note,
                fetch=fetch,
                environment=self.terms.environment,
            )
            self._sink_loops.append(loop)
            self._readers.append(sink.name)

    def _make_rules(self, inbox: Inbox, client: Client, fetch: ObjectFetch, fill: FillLoop, dead: DeadLetters) -> None:
        options, environment, note = self.options, self.terms.environment, self.terms.observer.note
        secret = os.environ.get(options.sign_env, "") if options.sign_env is not None else None
        make = partial(sink_of, note=note, signing_secret=secret, sign_env=options.sign_env, environment=environment)
        self._rule_sinks = RuleSinks(make)

        async def caught_up() -> None:
            # Timers wait for what was missed while nobody received, but not for an outage of hours.
            with anyio.move_on_after(_CATCH_UP_S):
                await fill.has_filled.wait()

        rows = rule_rows(client, self.credentials.host, options.state_dir, environment.clock)
        runner = RuleRunner(
            inbox,
            self.rules,
            RulePorts(rows, self._rule_sinks, RuleObjects(fetch), dead),
            time=RuleTime(
                fill.clock.now,
                caught_up,
                # Webhooks bring events one by one; the feed brings those of half a minute at once.
                known_until=lambda: None if options.listen is not None else fill.feed.read_until,
                patience_s=max(_CATCH_UP_S, 2 * options.every_s),
            ),
            # An event that comes late must be able to cancel a timer, also if sinks get theirs as they come.
            settle_s=max(options.settle_s, _LEAST_SETTLE_S),
            note=note,
            environment=environment,
        )

        async def run() -> None:
            await self._insist(partial(self.begin_reader, RULES_CURSOR))
            try:
                await runner.run()
            finally:
                with anyio.CancelScope(shield=True):
                    await runner.close()

        self._loops.append(run)
        self._readers.append(RULES_CURSOR)

    # --- begun and ended ---

    async def start(self) -> None:
        """Begin to listen, if webhooks are received, and tell people what goes where.

        Raises:
            UsageError: The address or the data set cannot be used.
        """
        note, options = self.terms.observer.note, self.options
        where = f" into {options.out}" if options.out is not None else ""
        if self._landing is not None:
            # Once before anything is received: a folder of another organisation is found out now.
            with contextlib.suppress(DataSetInUse):
                await self._landing.land()
        if options.since is not None and (begun := self._begun_sinks()):
            note(f"--since does not apply to {begun}: it continues where it stopped; see `bulkgladly inbox replay`")
        if self._server is None:
            note(f"following {self.credentials.host}{where}; Ctrl-C stops safely")
            return
        await self._server.start()
        note(f"listening at {self._server.url}{where}; Ctrl-C stops safely")
        if not (options.out or options.sinks or options.rules or self._live):
            note("events are kept in the inbox, and nothing is done with them; use --out, --to or --rules")
        if self._live is not None:
            note(f"live page: {self._server.base_url}/live?token={self.live_token}")

    def _begun_sinks(self) -> str:
        cursors = {} if self._inbox is None else self._inbox.reader.cursors()
        return ", ".join(sink.label for sink in self.sinks if sink.name in cursors)

    async def stop_server(self) -> None:
        """Receive nothing more. Calling it twice is allowed."""
        if self._live is not None:
            self._live.feed.close()
        if self._server is not None:
            await self._server.stop()

    def stop_sinks(self, grace_s: float) -> None:
        """Let the sinks end; what they have begun has `grace_s`. Rules have ended before."""
        for beginning in self._beginnings:
            beginning.cancel()
        for sink in self._sink_loops:
            sink.stop(grace_s)

    @property
    def has_only_sinks(self) -> bool:
        """Whether nothing but the sinks uses what comes in, so that there is nothing to do once they have ended."""
        return self._landing is None and self._server is None and not self.rules

    async def close_rules(self) -> None:
        """Close what rules pass events on to."""
        if self._rule_sinks is not None:
            await self._rule_sinks.close()

    async def land_rest(self) -> None:
        """Land what is in the inbox. If another process writes the data set, it waits for the next start."""
        if self._landing is None:
            return
        try:
            await self._landing.land()
        except DataSetInUse as error:
            self.terms.observer.note(f"{error}; the events wait in the inbox, and the next start lands them")
        except BulkgladlyError as error:
            self.terms.observer.note(f"{error}; the events wait in the inbox")

    def deliveries(self) -> Mapping[str, int]:
        """Return how the requests to the server ended."""
        return dict(self._server.counts) if self._server is not None else {}

    def people_read(self) -> dict[str, str]:
        """Return the readers of the inbox that people follow, by their cursors: what each does with an event."""
        found = {sink.name: f"passed on to {sink.label}" for sink in self.sinks}
        return {landing.CURSOR: "in the data set", **found} if self._landing is not None else found

    def lag_s(self, reader: InboxReader, now: dt.datetime) -> float:
        """Return for how many seconds the oldest event waits to be used, beyond what `--land-every` lets it wait."""
        patience = {sink.name: 0.0 for sink in self.sinks}
        if self.rules:
            patience[RULES_CURSOR] = 0.0
        if self._landing is not None:
            patience[landing.CURSOR] = self.options.land_every_s
        oldest = {name: reader.oldest_waiting(name) for name in patience}
        waits = [(now - since).total_seconds() - patience[name] for name, since in oldest.items() if since is not None]
        return max([0.0, *waits])

    # --- the loops ---

    def loops(self) -> list[Loop]:
        """Return the loops that end when the service stops."""
        return list(self._loops)

    def sink_loops(self) -> list[Loop]:
        """Return the loops that end with `stop_sinks`."""
        return [partial(self._run_sink, loop) for loop in self._sink_loops]

    async def _run_sink(self, loop: SinkLoop) -> None:
        # A sink that is new waits for Gladly's time. During an outage a stop must not wait for that.
        with anyio.CancelScope() as beginning:
            self._beginnings.append(beginning)
            await self._insist(partial(self._begin_sink, loop))
        if beginning.cancelled_caught:
            await loop.sink.close()
            return
        await loop.run()

    async def _begin_sink(self, loop: SinkLoop) -> None:
        await loop.begin(after=await self.begin_reader(loop.sink.name))

    async def _insist(self, begin: Callable[[], Awaitable[object]]) -> None:
        """Begin something, again and again while the disk is full or another process holds the inbox."""
        environment, note = self.terms.environment, self.terms.observer.note
        await when_writable(begin, sleep=environment.sleep, note=lambda why: note(f"{why}; trying again"))

    async def begin_reader(self, name: str) -> int:
        """Fix where a reader of the inbox begins that is new, and return it: with what happens from now on, or `since`.

        The feed also brings the day before the first start, which nobody expects to get as news.
        """
        if self._inbox is None or self._fill is None:
            raise RuntimeError("make the parts first")
        known = self._inbox.reader.cursors().get(name)
        if known is not None:
            return known
        since = self.options.since
        if since is not None:
            return await self._inbox.begin_cursor(name, 0, since=since)
        first_seq, first_wall = await self._first_start(name)
        # By Gladly's clock as soon as it is known: by one of ours that is ahead, news would be left out.
        await self._fill.has_greeted.wait()
        if self._fill.clock.difference() is not None:
            # What the feed accepts shows which clock is wrong: by one of ours that is behind, old events would be news.
            with anyio.move_on_after(_CATCH_UP_S):
                await self._fill.has_filled.wait()
        # Of our own clock only the difference counts, which is right also if the clock is wrong.
        waited = max(dt.timedelta(), self.terms.environment.wall() - first_wall)
        since = self._fill.clock.certain() - waited - _NEW_READERS_BEGIN
        return await self._inbox.begin_cursor(name, first_seq, since=since)

    async def _first_start(self, name: str) -> tuple[int, dt.datetime]:
        """Return after which arrival, and when by our clock, a reader was first wanted, which is kept.

        A process that ends before Gladly has answered has not fixed where the reader begins. What `listen` received
        until then must not be left out by the next one.
        """
        if self._inbox is None:
            raise RuntimeError("make the parts first")
        fact = f"first start of {name}"
        now = self.terms.environment.wall()
        if (kept := self._inbox.reader.fact(fact)) is None:
            await self._inbox.keep(**{fact: f"{self._first_seq} {now.isoformat()}"})
            return self._first_seq, now
        seq, _, wall = kept.partition(" ")
        return int(seq), dt.datetime.fromisoformat(wall)
