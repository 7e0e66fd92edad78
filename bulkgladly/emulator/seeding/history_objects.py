"""A history as objects of the API and as events: conversations, items, tasks and comments with the same ids."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from bulkgladly.emulator.operations.timeline import contact_of
from bulkgladly.emulator.organisation.clock import timestamp
from bulkgladly.emulator.organisation.event_log import APPLICATION
from bulkgladly.emulator.organisation.identifiers import derived_id
from bulkgladly.emulator.organisation.store import Entity, Store
from bulkgladly.emulator.seeding.history_plan import SLA_S, Shift, Story

__all__ = ("Happening", "add_objects", "events_of_shift", "events_of_story", "message_id", "sorted_until")

_COMPANY = {"email": "help@example.org", "phone": "+16505550199"}
_ASKED = ("Where is my order?", "Can I still change the address?", "The box was open.", "Größe M passt nicht.")
_SAID = ("It arrives tomorrow.", "Done, the address is changed.", "We send a new one today.", "Gern, wir tauschen sie.")
_LUNCH = {"id": "reason-lunch", "name": "Lunch"}
_READY = {"id": "reason-available", "name": "Available"}
_ALL_WORK = ["MAIL", "MESSAGING", "TASK", "VOICE"]


class Happening(NamedTuple):
    """An event of the history: when, what, and who caused it."""

    at: datetime
    type: str
    content: dict[str, Any]
    initiator: dict[str, Any]


def message_id(story: Story, number: int) -> str:
    """Return the id of a message of a story, or of its call."""
    return derived_id(f"{story.id}:message:{number}")


# --- Objects ---


def add_objects(store: Store, story: Story) -> None:
    """Add the conversation of a story, with its items and its task, as they are now."""
    status = "CLOSED" if story.closed else "WAITING" if story.accepted and not story.ended else "OPEN"
    # A caller who hung up leaves nothing to do.
    if story.channel == "PHONE_CALL" and story.ended and not story.accepted:
        status = "CLOSED"
    conversation: Entity = {
        "id": story.id,
        "customerId": story.customer_id,
        "createdAt": _text(story.started),
        "inboxId": story.inbox_id,
        "status": status,
        "topicIds": [story.topic_id],
    }
    if story.accepted:
        conversation["agentId"] = story.agent_id
    else:
        conversation.pop("topicIds")
    closed = story.closed or (story.ended if status == "CLOSED" else None)
    if closed:
        conversation["closedAt"] = _text(closed)
    store.conversations[story.id] = conversation
    for item in _items(store, story, closed):
        store.items[item["id"]] = item
    if story.task is not None:
        _add_task(store, story)


def _items(store: Store, story: Story, closed: datetime | None) -> Iterator[Entity]:
    agent, customer = _agent(story), {"id": story.customer_id, "type": "CUSTOMER"}
    place = {"conversationId": story.id, "customerId": story.customer_id}
    if story.channel == "PHONE_CALL" and story.ended:
        yield _call(store, story, place, customer)
    for number, message in enumerate(story.messages):
        is_in = message.by == "CUSTOMER"
        content = _content(store, story, number, is_in=is_in)
        moment = {"timestamp": _text(message.at), "initiator": customer if is_in else agent}
        yield {"id": message_id(story, number), **place, **moment, "content": content}
    if story.accepted:
        topics = {"type": "TOPIC_CHANGE", "addedTopicIds": [story.topic_id]}
        yield _item(story, "topic", story.accepted + timedelta(seconds=5), agent, topics)
    if story.note_at:
        note = {"type": "CONVERSATION_NOTE", "body": "<p>Knows the order number.</p>"}
        yield _item(story, "note", story.note_at, agent, note)
    if closed:
        by = agent if story.accepted else APPLICATION
        yield _item(story, "closed", closed, by, {"type": "CONVERSATION_STATUS_CHANGE", "status": "CLOSED"})
    if story.survey:
        told = {"title": "How did we do?", "body": f"<p>{story.survey.score} of 5</p>", "sourceName": "Example Surveys"}
        moments = {"occurredAt": _text(story.survey.at), "receivedAt": _text(story.survey.at)}
        content = {"type": "CUSTOMER_ACTIVITY", "activityType": "SURVEY", **told, **moments}
        item = _item(story, "survey", story.survey.at, {"id": "example-api-user", "type": "API"}, content)
        # An activity belongs to the customer alone.
        del item["conversationId"]
        yield item


def _item(story: Story, name: str, at: datetime, initiator: dict[str, Any], content: Entity) -> Entity:
    place = {"conversationId": story.id, "customerId": story.customer_id, "timestamp": _text(at)}
    return {"id": derived_id(f"{story.id}:{name}"), **place, "initiator": initiator, "content": content}


def _call(store: Store, story: Story, place: Entity, customer: Entity) -> Entity:
    content: Entity = {"type": "PHONE_CALL", "from": _phone(store, story), "to": _COMPANY["phone"]}
    content |= {"startedAt": _text(story.started), "completedAt": _text(story.ended or story.started)}
    item = {"id": message_id(story, 0), **place, "timestamp": _text(story.started), "initiator": customer}
    if story.accepted:
        content["answeredAt"] = _text(story.accepted)
        item["responder"] = _agent(story)
    return item | {"content": content}


def _content(store: Store, story: Story, number: int, *, is_in: bool) -> Entity:
    text = (_ASKED if is_in else _SAID)[number % len(_ASKED)]
    if story.channel == "CHAT":
        session = contact_of(story.id, "CHAT")
        return {"type": "CHAT_MESSAGE", "messageType": "TEXT", "sessionId": session, "content": text}
    if story.channel == "WHATSAPP":
        return {"type": "WHATSAPP", "content": text}
    ours = _COMPANY["email" if story.channel == "EMAIL" else "phone"]
    theirs = _email(store, story) if story.channel == "EMAIL" else _phone(store, story)
    sender, receiver = (theirs, ours) if is_in else (ours, theirs)
    if story.channel == "EMAIL":
        return {"type": "EMAIL", "from": sender, "to": [receiver], "subject": "My order", "content": text}
    return {"type": "SMS", "from": sender, "to": receiver, "content": text}


def _email(store: Store, story: Story) -> str:
    emails = store.customers.get(story.customer_id, {}).get("emails", ())
    return next((each["normalized"] for each in emails), "nobody@example.org")


def _phone(store: Store, story: Story) -> str:
    phones = store.customers.get(story.customer_id, {}).get("phones", ())
    return next((each["normalized"] for each in phones), "+16505550100")


def _add_task(store: Store, story: Story) -> None:
    task = story.task
    if task is None:
        return
    store.tasks[task.id] = {
        "id": task.id,
        "customerId": story.customer_id,
        "timestamp": _text(task.created),
        "createdBy": _agent(story),
        "assignee": {"inboxId": story.inbox_id, "agentId": story.agent_id},
        "body": "<p>Ask whether the parcel arrived.</p>",
        "dueAt": _text(task.due),
        "status": "CLOSED" if task.closed else "OPEN",
    }
    if task.closed:
        comment_id = derived_id(f"{task.id}:comment")
        comment = {"id": comment_id, "agentId": story.agent_id, "comment": "It arrived.", "taskId": task.id}
        store.task_comments[comment_id] = comment | {"createdAt": _text(task.closed - timedelta(minutes=1))}


# --- Events ---


def events_of_story(story: Story) -> Iterator[Happening]:
    """Yield what happened in a story; not in the order of time."""
    contact_id = contact_of(story.id, story.channel)
    agent, customer = _agent(story), {"id": story.customer_id, "type": "CUSTOMER"}
    nobody, somebody = {"inboxId": story.inbox_id}, {"inboxId": story.inbox_id, "agentId": story.agent_id}
    ids = {"customerId": story.customer_id, "conversationId": story.id}
    on = {"channel": story.channel, "contactId": contact_id, **ids}
    before, now = {"context": {"assignee": nobody}}, {"context": {"assignee": somebody}}
    due = story.started + timedelta(seconds=SLA_S[story.channel])
    yield Happening(story.started, "CONVERSATION/CREATED", {**ids, **before}, customer)
    yield Happening(story.started, "CONTACT/STARTED", {**on, "dueAt": _text(due), **before}, customer)
    for number, message in enumerate(story.messages):
        said = {**on, "messageId": message_id(story, number), **(now if message.by == "AGENT" else before)}
        if message.by == "AGENT":
            yield Happening(message.at, "CONTACT/MESSAGE_SENT", said, agent)
        else:
            yield Happening(message.at, "CONTACT/MESSAGE_RECEIVED", said, customer)
    if story.accepted:
        offered = {"agentId": story.agent_id, "matchReasons": ["PEOPLE_MATCH"]}
        assigned = {**ids, "reason": "CONTACT_OFFERED", "assignee": somebody, **before}
        topic = {**ids, "topicId": story.topic_id, **now}
        yield Happening(story.accepted, "CONVERSATION_ASSIGNEE/UPDATED", assigned, APPLICATION)
        yield Happening(story.accepted, "CONTACT/OFFERED", {**on, **offered, **now}, APPLICATION)
        yield Happening(story.accepted, "CONTACT/OFFER_ACCEPTED", {**on, "agentId": story.agent_id, **now}, agent)
        yield Happening(story.accepted, "CONTACT/JOINED", {**on, **now}, agent)
        yield Happening(story.accepted + timedelta(seconds=5), "CONVERSATION/TOPIC_ADDED", topic, agent)
    if story.note_at:
        note = {"noteId": derived_id(f"{story.id}:note"), **ids}
        yield Happening(story.note_at, "CONVERSATION/NOTE_CREATED", note, agent)
    yield from _ending(story, on, ids, agent if story.accepted else customer)
    yield from _task_events(story)


def _ending(story: Story, on: Entity, ids: Entity, by: Entity) -> Iterator[Happening]:
    assignee = {"inboxId": story.inbox_id, **({"agentId": story.agent_id} if story.accepted else {})}
    context = {"context": {"assignee": assignee}}
    closed = story.closed
    if story.ended:
        how = ("ANSWERED", "AGENT_ENDED") if story.accepted else ("ABANDONED", "CUSTOMER_ABANDONED")
        if story.accepted:
            yield Happening(story.ended, "CONTACT/FULFILLED", {**on, "fulfilledType": "RESPONDED", **context}, by)
        yield Happening(story.ended, "CONTACT/ENDED", {**on, "status": how[0], "reason": how[1], **context}, by)
        closed = closed or (None if story.accepted else story.ended)
    if closed:
        yield Happening(closed, "CONVERSATION/CLOSED", {**ids, **context}, by if story.accepted else APPLICATION)


def _task_events(story: Story) -> Iterator[Happening]:
    task = story.task
    if task is None:
        return
    assignee = {"inboxId": story.inbox_id, "agentId": story.agent_id}
    context = {"createdAt": _text(task.created), "assignee": assignee, "dueAt": _text(task.due)}
    content = {"customerId": story.customer_id, "taskId": task.id, "context": context}
    yield Happening(task.created, "TASK/CREATED", content, _agent(story))
    if task.closed:
        commented = {**content, "commentId": derived_id(f"{task.id}:comment")}
        yield Happening(task.closed - timedelta(minutes=1), "TASK/COMMENT_ADDED", commented, _agent(story))
        yield Happening(task.closed, "TASK/CLOSED", content, _agent(story))


def events_of_shift(shift: Shift) -> Iterator[Happening]:
    """Yield an agent's day: log-in, availability, the break, log-out."""
    agent = {"id": shift.agent_id, "type": "AGENT"}

    def happening(at: datetime, name: str, **more: Any) -> Happening:
        return Happening(at, name, {"agentId": shift.agent_id, "occurredAt": _text(at), **more}, agent)

    yield happening(shift.begin, "AGENT_STATUS/LOGGED_IN", activeReason=_READY)
    yield happening(shift.begin, "AGENT_AVAILABILITY/UPDATED", availableFor=_ALL_WORK)
    yield happening(shift.away, "AGENT_STATUS/WENT_AWAY", awayReason=_LUNCH)
    returned = {"awayAt": _text(shift.away), "activeReason": _READY, "awayReason": _LUNCH}
    yield happening(shift.back, "AGENT_STATUS/RETURNED_FROM_AWAY", **returned)
    yield happening(shift.end, "AGENT_STATUS/LOGGED_OUT")


def _agent(story: Story) -> dict[str, Any]:
    return {"id": story.agent_id, "type": "AGENT"}


def _text(moment: datetime) -> str:
    return timestamp(moment.timestamp())


def sorted_until(happenings: Sequence[Happening], now: datetime) -> list[Happening]:
    """Return those that have happened, in the order of time."""
    return sorted((each for each in happenings if each.at <= now), key=lambda each: each.at)
