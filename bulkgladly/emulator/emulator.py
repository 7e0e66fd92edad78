"""The emulator as an object: starts, answers on a socket of its own, stops, remembers."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Self

import orjson

from bulkgladly.emulator.additions import place_comment, place_conversation, place_item, place_task
from bulkgladly.emulator.exports.exporter import Exporter
from bulkgladly.emulator.faults.faults import FaultScript, FaultScriptError
from bulkgladly.emulator.operations.all_operations import ELSEWHERE, OPERATIONS
from bulkgladly.emulator.operations.answers import AnswerUser, use_answer
from bulkgladly.emulator.operations.call_recorder import end_call, start_call
from bulkgladly.emulator.operations.campaigns import CampaignType, add_campaign
from bulkgladly.emulator.operations.customers import create_from
from bulkgladly.emulator.operations.webhooks import give_up_on
from bulkgladly.emulator.options import EmulatorOptions
from bulkgladly.emulator.organisation.clock import Clock
from bulkgladly.emulator.organisation.state_file import load_state, save_state
from bulkgladly.emulator.organisation.store import Entity, Store
from bulkgladly.emulator.protocol.routing import Router
from bulkgladly.emulator.reports.reports import Reports
from bulkgladly.emulator.seeding.seed_answers import seed_knowledge
from bulkgladly.emulator.seeding.seed_conversations import seed_conversations, seed_custom_attributes
from bulkgladly.emulator.seeding.seed_events import seed_events
from bulkgladly.emulator.seeding.seed_organisation import seed_customers, seed_directory
from bulkgladly.emulator.server.control import Control
from bulkgladly.emulator.server.exchange import Exchange, Parts
from bulkgladly.emulator.server.listener import Listener
from bulkgladly.emulator.server.rate_limits import Limiter
from bulkgladly.emulator.server.report_limits import ReportLimits
from bulkgladly.emulator.server.request_log import RequestLog

__all__ = ("Emulator",)


class Emulator:
    """A stand-in for one Gladly organization on a loopback port.

        async with Emulator(rate=10, seed_customers=3) as emulator:
            ...  # requests go to emulator.url

    Keywords are the fields of `EmulatorOptions`; given together with options they win.
    `store`, `exports`, `reports`, `faults`, `requests`, `limiter` and `report_limits` are there from the start
    and outlive the stop, so they can be filled before and looked at afterwards. One emulator starts once.

    Raises:
        ValueError, TypeError: An option does not exist or cannot be.
    """

    def __init__(self, options: EmulatorOptions | None = None, *, clock: Clock | None = None, **changes: Any) -> None:
        self.options = options = replace(options or EmulatorOptions(), **changes)
        self.clock = clock = clock or Clock()
        self.store = Store(clock=clock, seed=options.seed, reuse_deleted_ids=options.deleted_ids == "free")
        self.exports = Exporter(self.store, seed=options.seed, items_per_job=options.items_per_job)
        self.reports = Reports(self.store, options)
        self.faults = FaultScript()
        self.requests = RequestLog()
        self.limiter = Limiter(
            options.rate,
            algorithm=options.algorithm,
            phase_s=options.phase_s,
            burst=options.burst,
            clock=clock,
        )
        self.report_limits = ReportLimits(options, clock)
        self._listener: Listener | None = None
        self._exchange: Exchange | None = None
        self._url = ""
        self._fill()

    @property
    def url(self) -> str:
        """Base URL without a trailing slash, such as `http://127.0.0.1:40123`.

        Raises:
            RuntimeError: It has not been started.
        """
        if not self._url:
            raise RuntimeError("the emulator has not been started: use it with `async with`")
        return self._url

    def add_customer(self, **fields: Any) -> str:
        """Create a customer past the socket, by the same rules as createCustomer; returns its id.

        Raises:
            Refusal: What createCustomer would answer; nothing was added.
        """
        return create_from(self.store, fields)

    def add_conversation(self, customer_id: str, **fields: Any) -> str:
        """Begin a conversation of a customer, as none of the API's operations can; returns its id.

        `fields` are those of a Conversation; without them it is open, of now, in the first inbox.

        Raises:
            KeyError: There is no such customer.
            ValueError: A field is unknown or cannot be, or the id is in use. Nothing was added.
        """
        return place_conversation(self.store, customer_id, fields)

    def add_item(
        self,
        content: Mapping[str, Any],
        *,
        conversation_id: str | None = None,
        customer_id: str | None = None,
        transcript: Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> str:
        """Add an item of any type to a conversation, or to a customer outside of all; returns its id.

        `fields` are those of a ConversationItem; without them it is the customer's, of now. A type
        that is none of the API's makes an item that is there and not shown. `transcript` is what
        getVoiceTranscript answers.

        Raises:
            KeyError: There is no such conversation or customer, or the content has no `type`.
            ValueError: A field is unknown, or the id is in use. Nothing was added.
        """
        return place_item(
            self.store,
            content,
            conversation_id=conversation_id,
            customer_id=customer_id,
            transcript=transcript,
            fields=fields,
        )

    def add_task(self, customer_id: str, **fields: Any) -> str:
        """Add a task, be it old, overdue or closed; returns its id.

        Raises:
            KeyError: There is no such customer.
            ValueError: A field is unknown or cannot be, or the id is in use. Nothing was added.
        """
        return place_task(self.store, customer_id, fields)

    def add_task_comment(self, task_id: str, **fields: Any) -> str:
        """Add a comment to a task, be it closed; returns its id.

        Raises:
            KeyError: There is no such task.
            ValueError: A field is unknown, or the id is in use. Nothing was added.
        """
        return place_comment(self.store, task_id, fields)

    def use_answer(
        self,
        answer_id: str,
        by: AnswerUser = "rules",
        *,
        content_type: str | None = None,
        place: str | None = None,
    ) -> None:
        """Let something use an answer, so that it cannot be deleted.

        `content_type` limits the use to the contents of one type; a help center uses public ones.
        `place` is the id of the help center.

        Raises:
            KeyError: There is no such answer.
            ValueError: There is no such user, or no such type.
        """
        use_answer(self.store, answer_id, by, content_type=content_type, place=place)

    def start_call(self, agent_id: str, customer_id: str, *, recording: bool = True) -> str:
        """Let a customer call an agent, in place of a call that goes on; returns the id of its item.

        Raises:
            KeyError: There is no such agent or no such customer.
        """
        return start_call(self.store, agent_id, customer_id, recording=recording)

    def end_call(self, agent_id: str) -> None:
        """Take an agent off the call.

        Raises:
            KeyError: The agent is on none.
        """
        end_call(self.store, agent_id)

    def add_campaign(self, kind: CampaignType, campaign_id: str | None = None) -> str:
        """Make a campaign and return its id.

        Raises:
            ValueError: There is no such kind.
        """
        return add_campaign(self.store, kind, campaign_id)

    def give_up_on_webhook(self, webhook_id: str) -> None:
        """Disable a webhook as Gladly does after the last redelivery.

        Raises:
            KeyError: There is no such webhook.
        """
        give_up_on(self.store, webhook_id)

    def customer(self, customer_id: str) -> Entity:
        """The profile as GET returns it.

        Raises:
            KeyError: There is none.
        """
        return self.store.customers[customer_id]

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: The port is taken.
        """
        control = Control(self.store, self.limiter, self.faults, self.requests, self.exports, self.refuse)
        parts = Parts(
            self.options,
            self.clock,
            self.store,
            self.limiter,
            self.report_limits,
            self.faults,
            self.requests,
            Router((*OPERATIONS, *ELSEWHERE)),
            control,
            self.refuse,
        )
        if self.options.neighbour_rate:
            self.limiter.add_neighbour(self.options.neighbour_rate, seed=self.options.seed)
        self._exchange = Exchange(parts)
        self._listener = listener = Listener(self._exchange, self.faults)
        await listener.start(self.options.port)
        self._url = listener.url

    async def stop(self) -> None:
        """Stop listening, end what hangs or streams, close all connections, write the state file if one is set.

        Raises:
            OSError: The state could not be written; the emulator has stopped all the same.
        """
        if self._listener is None or self._exchange is None:
            return
        listener, self._listener = self._listener, None
        self._exchange.stop()
        await listener.stop()
        if self.options.state_file is not None:
            save_state(self.store, self.options.state_file)

    def refuse(self, for_s: float | None = None) -> None:
        """Close all connections, whatever they are at, and refuse new ones: for a time, or until `accept`."""
        if self._listener is not None:
            self._listener.refuse(for_s)

    async def accept(self) -> None:
        """Take connections again after `refuse`; nothing happens where none are refused."""
        if self._listener is not None:
            await self._listener.accept()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def _fill(self) -> None:
        # Before anything else happens, because what happens is in order.
        seed_events(self.store, self.options.seed_events, seed=self.options.seed)
        state_file, faults_file = self.options.state_file, self.options.faults_file
        if state_file is not None and state_file.exists():
            load_state(self.store, state_file)
        else:
            seed_directory(self.store)
            seed_knowledge(self.store)
            seed_custom_attributes(self.store)
            seed_customers(self.store, self.options.seed_customers)
            seed_conversations(self.store, self.options.seed_conversations, seed=self.options.seed)
        self.exports.seed_jobs(self.options.seed_jobs)
        if faults_file is not None:
            try:
                self.faults.load(orjson.loads(faults_file.read_bytes()))
            except ValueError as exc:
                raise FaultScriptError(f"{faults_file}: {exc}") from exc
