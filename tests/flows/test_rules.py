"""Rules end to end: events of the inbox become tasks, topics, notes, messages and lines, each as promised."""

import asyncio
import datetime as dt
import sys
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest

from bulkgladly import Limits, Pace
from bulkgladly.api.client import Client
from bulkgladly.emulator import drop_reply, status
from bulkgladly.emulator.faults.fault import Fault
from bulkgladly.errors import TransportError
from bulkgladly.inbox.arrivals import Via, arrival_of
from bulkgladly.inbox.event_inbox import Inbox
from bulkgladly.inbox.rule_memory import RULES_CURSOR
from bulkgladly.messages import Reply, Request
from bulkgladly.runs.connection import Connection
from bulkgladly.sinks.dead_letters import DeadLetter, DeadLetters
from bulkgladly.sinks.object_fetch import ObjectFetch
from bulkgladly.sinks.sink_choice import sink_of
from bulkgladly.sinks.sinks import Fate, SinkReply
from bulkgladly.workflows.rule_ports import RuleObjects, RuleSinks
from bulkgladly.workflows.rule_store import RuleStore
from tests.flows.conftest import World
from tests.flows.ruling import Ruling, until

SAMPLES = Path(__file__).parents[2] / "samples" / "rules"
NOTE = """
[[rules]]
name = "note"
on = "CONVERSATION/REOPENED"
do = { import = "notes", row = { conversationId = "{event.content.conversationId}", body = "Reopened" } }
"""
TELL = """
[[rules]]
name = "tell"
on = "CONVERSATION/REOPENED"
do = { to = "exec:tell" }
"""
TEXT = """
[[rules]]
name = "text"
on = "CONVERSATION/REOPENED"
contacts_people = "one"
[rules.do]
import = "sms"
row = { mobileNumber = "+16505550100", from = "+16505550199", body = "Conversation {event.content.conversationId}" }
"""


@pytest.fixture
async def ruling(world: World) -> Ruling:
    """An organisation with two customers, their conversations, and what the sample rules name."""
    emulator = world.emulator
    vip = {"tier": "vip", "accountManager": "mia@example.org"}
    emulator.add_customer(id="ada", name="Ada Ashby", emails=[{"original": "ada@example.org"}], customAttributes=vip)
    emulator.add_customer(id="ben", name="Ben Birch", emails=[{"original": "ben@example.org"}])
    for customer in ("ada", "ben"):
        emulator.add_conversation(customer, id=f"talk-{customer}", inboxId="inbox-1")
    collections = emulator.store.collections
    for name in ("Escalations", "Support"):
        collections["inboxes"][name] = {"id": name, "name": name, "disabled": False}
    collections["topics"]["waiting"] = {"id": "waiting", "name": "Waiting", "disabled": False}
    return Ruling(world)


def sample(name: str) -> str:
    return (SAMPLES / f"{name}.toml").read_text("utf-8")


def reopened(ruling: Ruling, customer: str = "ada", **more: Any) -> dict[str, Any]:
    content = {"customerId": customer, "conversationId": f"talk-{customer}", "context": {}}
    return ruling.event("CONVERSATION/REOPENED", **{**content, **more})


def started(ruling: Ruling, customer: str = "ada", kind: str = "STARTED", **more: Any) -> dict[str, Any]:
    content = {"customerId": customer, "conversationId": f"talk-{customer}", "contactId": f"contact-{customer}"}
    return ruling.event(f"CONTACT/{kind}", **{**content, "channel": "CHAT", **more})


def tasks(ruling: Ruling) -> list[dict[str, Any]]:
    return list(ruling.world.emulator.store.collections["tasks"].values())


def notes(ruling: Ruling) -> list[str]:
    items = ruling.world.emulator.store.items.values()
    return [str(item["content"].get("body")) for item in items if item["content"].get("type") == "CONVERSATION_NOTE"]


# --- the samples ---


async def test_a_vip_is_escalated(ruling: Ruling) -> None:
    """Only customers of events that can matter are requested, and only the VIP gets a task."""
    async with ruling.running(sample("vip")) as inbox:
        ruling.world.forget()
        await ruling.put(inbox, started(ruling, "ada"), started(ruling, "ben"), reopened(ruling))
        await until(lambda: tasks(ruling) and not ruling.waiting(inbox))

    (task,) = tasks(ruling)
    assert (task["customerId"], task["assignee"]["inboxId"]) == ("ada", "Escalations")
    assert task["body"] == "VIP Ada Ashby has started a contact (CHAT) in conversation talk-ada."
    assert ruling.asked == ["ada", "ben"]


async def test_account_managers_are_told(ruling: Ruling) -> None:
    """The script of the sample gets the event with the customer in it."""
    async with ruling.running(sample("account_managers")) as inbox:
        await ruling.put(inbox, reopened(ruling, "ada"), reopened(ruling, "ben"))
        await until(lambda: ruling.heard)

    ((name, line),) = ruling.heard
    assert name == "account-manager:event-1"
    assert line["rule"] | {"fired_at": ""} == {
        "id": name,
        "name": "account-manager",
        "key": None,
        "why": "the event happened",
        "fired_at": "",
    }
    script = await asyncio.create_subprocess_exec(
        sys.executable,
        str(SAMPLES / "notify_manager.py"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )

    printed, _ = await script.communicate(orjson.dumps(line) + b"\n")
    assert printed.decode() == "mia@example.org: a conversation of Ada Ashby was reopened (talk-ada)\n"


async def test_a_reopened_conversation_gets_a_task(ruling: Ruling) -> None:
    """Due two hours after the rule fired."""
    async with ruling.running(sample("reopened")) as inbox:
        await ruling.put(inbox, reopened(ruling))
        await until(lambda: tasks(ruling) and not ruling.waiting(inbox))

    (task,) = tasks(ruling)
    assert task["dueAt"][:16] == ruling.wall.moment(7200)[:16]


async def test_a_contact_that_waits_gets_a_topic(ruling: Ruling) -> None:
    """After seven minutes and the settle window, unless it has ended by then."""
    async with ruling.running(sample("waiting_contacts")) as inbox:
        await ruling.put(inbox, started(ruling, "ada"), started(ruling, "ben"))
        ruling.wall.now += 400
        await ruling.put(inbox, started(ruling, "ben", "ENDED", status="ANSWERED"))
        ruling.wall.now += 41
        await until(lambda: ruling.own_events("CONVERSATION/TOPIC_ADDED"))

    (added,) = ruling.own_events("CONVERSATION/TOPIC_ADDED")
    assert (added["content"]["conversationId"], added["content"]["topicId"]) == ("talk-ada", "waiting")


async def test_an_agent_who_toggles_is_told_of(ruling: Ruling) -> None:
    """Three times within five minutes."""

    def toggles(agent: str, at_s: float) -> dict[str, Any]:
        at = ruling.wall.moment(at_s)
        return ruling.event("AGENT_AVAILABILITY/UPDATED", at_s=at_s, agentId=agent, availableFor=[], occurredAt=at)

    async with ruling.running(sample("availability")) as inbox:
        await ruling.put(
            inbox, *(toggles("mia", at) for at in (0, 60, 120)), *(toggles("tom", at) for at in (0, 200, 400))
        )
        ruling.wall.now += 600
        await until(lambda: ruling.heard)

    ((name, line),) = ruling.heard
    assert (name, line["rule"]["key"], line["_to"]) == ("availability-toggled:event-3", "mia", "-")
    assert line["rule"]["why"] == "3 events within 5 minutes"


# --- stops ---


async def test_timers_survive_a_stop_and_fire_late(ruling: Ruling) -> None:
    """Once, also if the process ends and starts many times."""
    async with ruling.running(sample("waiting_contacts")) as inbox:
        await ruling.put(inbox, started(ruling, "ada"))
    ruling.wall.now += 3_600
    for _ in range(3):
        async with ruling.running(sample("waiting_contacts")) as inbox:
            await until(lambda: ruling.own_events("CONVERSATION/TOPIC_ADDED"))

    assert len(ruling.own_events("CONVERSATION/TOPIC_ADDED")) == 1


async def test_timers_wait_for_the_events_of_a_stop(ruling: Ruling) -> None:
    """The end of the contact came while nobody listened, and is received after the start."""
    caught_up = asyncio.Event()
    async with ruling.running(sample("waiting_contacts")) as inbox:
        await ruling.put(inbox, started(ruling, "ada"), started(ruling, "ben"))
    ruling.wall.now += 3_600
    async with ruling.running(sample("waiting_contacts"), until_caught_up=caught_up.wait) as inbox:
        await ruling.put(inbox, started(ruling, "ada", "ENDED", at_s=-3_000, status="ANSWERED"))
        assert ruling.own_events("CONVERSATION/TOPIC_ADDED") == []
        caught_up.set()
        await until(lambda: ruling.own_events("CONVERSATION/TOPIC_ADDED"))

    (added,) = ruling.own_events("CONVERSATION/TOPIC_ADDED")
    assert added["content"]["conversationId"] == "talk-ben"


async def test_timers_wait_while_events_cannot_be_taken_in(ruling: Ruling) -> None:
    """During an outage of Gladly, the end of a contact waits behind an event whose customer is requested."""
    ruling.may_answer = asyncio.Event()
    rules = sample("waiting_contacts") + sample("vip").replace("CONTACT/STARTED", "CONTACT/JOINED")
    async with ruling.running(rules) as inbox:
        await ruling.put(inbox, started(ruling, "ada"), started(ruling, "ben"))
        joined, ended = started(ruling, "ben", "JOINED"), started(ruling, "ada", "ENDED", at_s=300, status="ANSWERED")
        await ruling.let_in(inbox, joined, ended)
        await until(lambda: ruling.asked)
        ruling.wall.now += 7_200
        ticks = ruling.ticks
        await until(lambda: ruling.ticks > ticks + 50)  # timers have every chance to fire too early
        ruling.may_answer.set()
        await until(lambda: ruling.own_events("CONVERSATION/TOPIC_ADDED") and not ruling.waiting(inbox))

    (added,) = ruling.own_events("CONVERSATION/TOPIC_ADDED")
    assert added["content"]["conversationId"] == "talk-ben"


async def test_events_before_the_first_rule_are_left_alone(ruling: Ruling) -> None:
    """A rules file that is added to an inbox with history does not act on history."""
    async with ruling.running(TELL.replace("tell", "other")) as inbox:
        await ruling.put(inbox, reopened(ruling))
        await until(lambda: len(ruling.heard) == 1)
        await inbox.drop_cursor("rules")
    async with ruling.running(TELL) as inbox:
        await ruling.put(inbox, reopened(ruling))
        await until(lambda: len(ruling.heard) == 2)

    assert [name for name, _ in ruling.heard] == ["other:event-1", "tell:event-2"]


class DyingClient(Client):
    """Goes no further at the n-th request, before or after it is executed; the test ends the runner then."""

    def __init__(self, *given: Any, dies_at: int, is_executed: bool, died: asyncio.Event, **more: Any) -> None:
        super().__init__(*given, **more)
        self._left, self._is_executed, self._died = dies_at, is_executed, died

    async def send(self, request: Request) -> Reply:
        self._left -= 1
        if self._left == 0 and not self._is_executed:
            await self._die()
        reply = await super().send(request)
        if self._left == 0:
            await self._die()
        return reply

    async def _die(self) -> None:
        self._died.set()
        await asyncio.Event().wait()


async def die_on_the_way(ruling: Ruling, rules: str, *, dies_at: int, is_executed: bool) -> None:
    """Let a rule fire in a process that ends at a request."""
    died = asyncio.Event()
    ruling.client = partial(DyingClient, dies_at=dies_at, is_executed=is_executed, died=died)
    async with ruling.running(rules) as inbox:
        await ruling.put(inbox, reopened(ruling))
        await died.wait()
    ruling.client = None


@pytest.mark.parametrize("is_executed", [False, True])
@pytest.mark.parametrize("dies_at", [1, 2])
async def test_a_task_exists_once_wherever_the_process_dies(ruling: Ruling, dies_at: int, is_executed: bool) -> None:
    """Its id follows from the rule and the event, so the next process finds it."""
    await die_on_the_way(ruling, sample("reopened"), dies_at=dies_at, is_executed=is_executed)
    async with ruling.running(sample("reopened")) as inbox:
        await until(lambda: not ruling.waiting(inbox))

    assert len(tasks(ruling)) == 1
    assert ruling.dead() == []


@pytest.mark.parametrize("is_executed", [False, True])
async def test_a_note_is_sent_at_most_once(ruling: Ruling, is_executed: bool) -> None:
    """After a crash it is looked for; what is not found is put aside for a person, and never sent again."""
    await die_on_the_way(ruling, NOTE, dies_at=1, is_executed=is_executed)
    async with ruling.running(NOTE) as inbox:
        await until(lambda: not ruling.waiting(inbox))

    assert notes(ruling) == ["Reopened"] * is_executed
    assert [one["reason"] for one in ruling.dead()] == [
        "it may have been sent, and is not sent again; check in Gladly"
    ] * (not is_executed)


# --- what fails ---


async def fault(ruling: Ruling, operation: str, *faults: Fault) -> None:
    ruling.world.emulator.faults.script(operation, list(faults))


async def test_a_lost_reply_makes_no_second_task(ruling: Ruling) -> None:
    """The create is repeated with the same id."""
    await fault(ruling, "createTask", drop_reply())
    async with ruling.running(sample("reopened")) as inbox:
        await ruling.put(inbox, reopened(ruling))
        await until(lambda: tasks(ruling) and not ruling.waiting(inbox))

    assert len(tasks(ruling)) == 1


async def test_a_row_that_gladly_refuses_is_put_aside(ruling: Ruling) -> None:
    """With the reason, and the rules go on."""
    async with ruling.running(NOTE) as inbox:
        await ruling.put(inbox, reopened(ruling, conversationId="nowhere"), reopened(ruling))
        await until(lambda: notes(ruling) and not ruling.waiting(inbox))

    (dead,) = ruling.dead()
    assert dead["reason"] == "Gladly has no such conversation"
    assert (dead["rule"], dead["row"]["conversationId"], dead["event"]["id"]) == ("note", "nowhere", "event-1")
    assert any(line.startswith("rule note, action 1: Gladly has no such conversation") for line in ruling.notes)


async def test_a_sink_that_fails_gets_the_event_again(ruling: Ruling) -> None:
    """With the same id; one that refuses it does not."""
    ruling.fates += [SinkReply(Fate.FAILED, "down"), SinkReply(Fate.TAKEN)]
    async with ruling.running(TELL) as inbox:
        await ruling.put(inbox, reopened(ruling))
        await until(lambda: ruling.notes)
        ruling.wall.now += 2
        await until(lambda: ruling.heard and not ruling.waiting(inbox))
        ruling.fates += [SinkReply(Fate.REFUSED, "HTTP 410")]
        await ruling.put(inbox, reopened(ruling))
        await until(lambda: not ruling.waiting(inbox))

    assert [name for name, _ in ruling.heard] == ["tell:event-1"]
    assert [one["reason"] for one in ruling.dead()] == ["HTTP 410"]
    assert ruling.notes[0] == "rule tell, action 1: down; it is tried again"


async def test_a_sink_that_stays_down_is_given_up_after_a_day(ruling: Ruling) -> None:
    """Nothing waits for ever, and nothing is dropped without a trace."""
    ruling.fates += [SinkReply(Fate.FAILED, "down")] * 10
    async with ruling.running(TELL) as inbox:
        await ruling.put(inbox, reopened(ruling))
        for left in range(9, -1, -1):
            await until(lambda left=left: len(ruling.fates) <= left)  # type: ignore[misc]
            ruling.wall.now += 3 * 3600
        await until(lambda: not ruling.waiting(inbox))

    (dead,) = ruling.dead()
    assert (dead["reason"], dead["attempts"]) == ("down", 10)


async def test_a_stop_of_a_day_does_not_count_as_trying(ruling: Ruling) -> None:
    """The network is not there yet when the machine starts again."""
    ruling.fates += [SinkReply(Fate.FAILED, "down")] * 4
    async with ruling.running(TELL) as inbox:
        await ruling.put(inbox, reopened(ruling))
        await until(lambda: len(ruling.fates) < 4)
    ruling.wall.now += 30 * 3600
    async with ruling.running(TELL) as inbox:
        for left in range(2, -1, -1):
            await until(lambda left=left: len(ruling.fates) <= left)  # type: ignore[misc]
            ruling.wall.now += 60
        await until(lambda: not ruling.waiting(inbox))

    assert len(ruling.heard) == 1
    assert ruling.dead() == []


async def test_a_slow_sink_does_not_hold_up_rows(ruling: Ruling) -> None:
    """Each sink and Gladly are served beside each other."""
    ruling.fates += [SinkReply(Fate.FAILED, "down")]
    async with ruling.running(TELL + NOTE) as inbox:
        await ruling.put(inbox, reopened(ruling))
        await until(lambda: notes(ruling) and ruling.waiting(inbox) == 1)


async def test_a_server_that_fails_is_asked_again(ruling: Ruling) -> None:
    """A task that was not created is sent again later, as the same task."""
    await fault(ruling, "createTask", *[status(503)] * 8)
    async with ruling.running(sample("reopened")) as inbox:
        await ruling.put(inbox, reopened(ruling))
        await until(lambda: ruling.notes)
        ruling.wall.now += 5
        await until(lambda: tasks(ruling) and not ruling.waiting(inbox))

    assert len(tasks(ruling)) == 1


async def test_a_due_date_that_passes_during_an_outage_is_set_again(ruling: Ruling) -> None:
    """It counts from when the task is sent."""
    await fault(ruling, "createTask", *[status(503)] * 8)
    async with ruling.running(sample("vip")) as inbox:
        await ruling.put(inbox, started(ruling))
        await until(lambda: ruling.notes)
        ruling.wall.now += 7_200
        await until(lambda: tasks(ruling) and not ruling.waiting(inbox))

    (task,) = tasks(ruling)
    assert task["dueAt"][:16] == ruling.wall.moment(900)[:16]


# --- people and loops ---


async def test_one_message_is_sent_for_a_person_to_check(ruling: Ruling) -> None:
    """Until the rule says "all"; what was held back is not sent late."""
    sent = ruling.world.emulator.store.collections["sent_messages"]
    async with ruling.running(TEXT) as inbox:
        await ruling.put(inbox, reopened(ruling, "ada"), reopened(ruling, "ben"))
        await until(lambda: not ruling.waiting(inbox))
    assert len(sent) == 1
    (held,) = ruling.dead()
    assert (held["event"]["id"], held["attempts"]) == ("event-2", 1)
    assert held["reason"].startswith("the rule sends one message for you to check")

    async with ruling.running(TEXT.replace('"one"', '"all"')) as inbox:
        await ruling.put(inbox, reopened(ruling, "ben"))
        await until(lambda: len(sent) == 2 and not ruling.waiting(inbox))
    assert len(sent) == 2


async def test_a_message_whose_reply_is_lost_is_not_sent_again(ruling: Ruling) -> None:
    """Nobody gets it twice, and a person is told to look."""
    await fault(ruling, "sendSMS", drop_reply())
    async with ruling.running(TEXT) as inbox:
        await ruling.put(inbox, reopened(ruling))
        await until(lambda: ruling.dead() and not ruling.waiting(inbox))

    assert len(ruling.world.emulator.store.collections["sent_messages"]) == 1
    assert ruling.dead()[0]["reason"] == "it may have been sent, and is not sent again; check in Gladly"


async def test_a_rule_does_not_answer_its_own_events(ruling: Ruling) -> None:
    """A note for each note would never end."""
    rules = NOTE.replace("CONVERSATION/REOPENED", "CONVERSATION/NOTE_CREATED")
    async with ruling.running(rules) as inbox:
        content: dict[str, Any] = {"noteId": "n", "customerId": "ada", "conversationId": "talk-ada"}
        await ruling.put(inbox, ruling.event("CONVERSATION/NOTE_CREATED", **content))
        await until(lambda: ruling.own_events("CONVERSATION/NOTE_CREATED") and not ruling.waiting(inbox))
        own = ruling.own_events("CONVERSATION/NOTE_CREATED")
        await ruling.put(inbox, *(event | {"timestamp": ruling.wall.moment(2)} for event in own))
        await ruling.put(inbox, ruling.event("CONVERSATION/NOTE_CREATED", at_s=3, **content | {"noteId": "m"}))
        await until(lambda: len(notes(ruling)) == 2 and not ruling.waiting(inbox))

    assert own[0]["initiator"]["type"] == "API"
    assert notes(ruling) == ["Reopened", "Reopened"]


async def test_the_limit_of_an_hour_is_told_once(ruling: Ruling) -> None:
    """And nothing more is done within the hour."""
    ruling.wall.now = ruling.wall.now // 3600 * 3600 + 60
    rules = TELL.replace("on =", "most_per_hour = 3\non =")
    async with ruling.running(rules) as inbox:
        await ruling.put(inbox, *(reopened(ruling) for _ in range(10)))
        await until(lambda: len(ruling.heard) == 3 and not ruling.waiting(inbox))

    assert len(ruling.heard) == 3
    assert [line for line in ruling.notes if "has fired 3 times within this hour" in line] == ruling.notes


async def test_a_row_may_name_keys_of_earlier_imports(ruling: Ruling) -> None:
    """As the rows of an import may."""
    await ruling.world.rows([{"crm": "C1", "name": "Cara", "emails": [{"original": "cara@example.org"}]}])
    rules = sample("reopened").replace('customerId = "{event.content.customerId}"', 'customerKey = "C1"')
    async with ruling.running(rules) as inbox:
        await ruling.put(inbox, reopened(ruling))
        await until(lambda: tasks(ruling) and not ruling.waiting(inbox))

    (task,) = tasks(ruling)
    customers = ruling.world.emulator.store.customers
    assert customers[task["customerId"]]["name"] == "Cara"


async def test_an_inbox_that_does_not_exist_is_told(ruling: Ruling) -> None:
    """The row is put aside; others are sent."""
    rules = sample("reopened").replace('"Support"', '"Suport"')
    async with ruling.running(rules) as inbox:
        await ruling.put(inbox, reopened(ruling))
        await until(lambda: ruling.dead() and not ruling.waiting(inbox))

    assert ruling.dead()[0]["reason"] == "inbox: the organisation has no inbox of this name"


async def test_a_rule_that_is_gone_leaves_nothing_behind(ruling: Ruling) -> None:
    """Its timers are dropped, and it is said."""
    async with ruling.running(sample("waiting_contacts")) as inbox:
        await ruling.put(inbox, started(ruling))
    async with ruling.running(TELL) as inbox:
        await until(lambda: ruling.notes)
        assert inbox.reader.query("SELECT 1 FROM rule_waits") == []

    assert ruling.notes == ["rule contact-waits is no longer in the file; timers and actions that were dropped: 1"]


async def test_what_is_given_up_waits_for_room_on_the_disk(tmp_path: Path) -> None:
    """Nothing is dropped because it could not be written down."""
    told: list[str] = []
    folder = tmp_path / "later"

    async def make_room(_seconds: float) -> None:
        folder.mkdir()

    with Inbox(tmp_path / "state", "https://example.org") as inbox:
        store = RuleStore(inbox, DeadLetters(folder), sleep=make_room, note=told.append)

        await store.put_aside(DeadLetter({"rule": "tell"}, "down", 2, b"{}"))

    letter = orjson.loads((folder / "dead.ndjson").read_bytes())
    assert (letter.pop("at")[:2], letter) == ("20", {"rule": "tell", "reason": "down", "attempts": 2, "event": {}})
    assert len(told) == 1
    assert told[0].startswith("rules wait: ")


async def test_rules_use_the_sinks_and_the_objects_of_events(ruling: Ruling) -> None:
    """As `--to` and `--fetch` do; a merged customer is followed, and what cannot be had is not taken for absent."""
    emulator, told = ruling.world.emulator, list[str]()
    connection = Connection(ruling.world.credentials, Pace(unlimited=True), Limits(), ruling.world.environment)
    out = ruling.world.folder / "out.ndjson"
    sinks = RuleSinks(lambda text: sink_of(text, told.append))
    async with connection.client as client:
        objects = RuleObjects(ObjectFetch(client, window_s=0.0, clock=lambda: 0.0))
        ada = await objects.customer("ada")
        assert ada is not None
        assert ada["name"] == "Ada Ashby"
        assert await objects.customer("nobody") is None
        talk = await objects.object_of(reopened(ruling))
        assert talk is not None
        assert talk["id"] == "talk-ada"
        emulator.faults.script("getConversation", [status(400)])
        with pytest.raises(TransportError):
            await objects.object_of(reopened(ruling, "ben"))

    assert (await sinks(f"exec:sh -c 'cat >> {out}'", "a", b'{"id": "a"}')).fate is Fate.TAKEN
    failed = await sinks("exec:false", "a", b'{"id": "a"}')
    assert failed.fate is Fate.FAILED
    assert failed.reason
    await sinks.close()
    assert orjson.loads(out.read_bytes()) == {"id": "a"}


async def test_a_clock_of_the_machine_that_is_behind_fires_no_timer_early(ruling: Ruling) -> None:
    """Timers go by Gladly's clock alone, whatever ours says of when events arrived."""
    async with ruling.running(TELL + 'after = "7m"\n') as inbox:
        events = [reopened(ruling) for _ in range(30)]
        received_at = ruling.wall() - dt.timedelta(hours=1)
        await inbox.put([arrival_of(orjson.dumps(event), Via.WEBHOOK, received_at) for event in events])
        await until(lambda: inbox.reader.cursors()[RULES_CURSOR] >= inbox.last_seq)
        ticks = ruling.ticks
        await until(lambda: ruling.ticks > ticks + 20)
        assert not ruling.heard

        ruling.wall.now += 7 * 60 + 1
        await until(lambda: len(ruling.heard) == len(events))


async def test_timers_wait_until_the_feed_was_read_up_to_their_end(ruling: Ruling) -> None:
    """The end of the contact is in the next portion of the feed, 40 seconds after it happened."""
    known = ruling.wall()
    async with ruling.running(sample("waiting_contacts"), known_until=lambda: known) as inbox:
        await ruling.put(inbox, started(ruling, "ada"), started(ruling, "ben"))
        ended = started(ruling, "ada", "ENDED", at_s=419, status="ANSWERED")
        ruling.wall.now += 459
        known = ruling.wall() - dt.timedelta(seconds=45)
        ticks = ruling.ticks
        await until(lambda: ruling.ticks > ticks + 50)  # timers have every chance to fire too early
        await ruling.let_in(inbox, ended)
        known = ruling.wall() - dt.timedelta(seconds=15)
        await until(lambda: ruling.own_events("CONVERSATION/TOPIC_ADDED") and not ruling.waiting(inbox))

    (added,) = ruling.own_events("CONVERSATION/TOPIC_ADDED")
    assert added["content"]["conversationId"] == "talk-ben"


async def test_timers_do_not_wait_for_an_outage_of_the_feed(ruling: Ruling) -> None:
    known = ruling.wall()
    async with ruling.running(sample("waiting_contacts"), known_until=lambda: known) as inbox:
        await ruling.put(inbox, started(ruling, "ada"))
        ruling.wall.now += 7 * 60 + 20 + 300
        await until(lambda: ruling.own_events("CONVERSATION/TOPIC_ADDED"))


async def test_a_doubt_outlives_an_outage(ruling: Ruling) -> None:
    """A note that a killed process may have sent is still looked for after a look that failed."""
    await die_on_the_way(ruling, NOTE, dies_at=1, is_executed=True)
    await fault(ruling, "getConversationItems", *[status(503)] * 40)
    async with ruling.running(NOTE) as inbox:
        await until(lambda: not ruling.waiting(inbox) or ruling.notes)

    assert notes(ruling) == ["Reopened"]
