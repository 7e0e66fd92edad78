"""What happens at Gladly without the API: in the application, by telephone, at night.

The API's rules for new objects do not apply here: objects can be old, closed or overdue.
"""

from collections.abc import Mapping
from typing import Any, Literal, get_args

from bulkgladly.emulator.operations.answers import CONTENT_TYPES
from bulkgladly.emulator.operations.customers import create_customer
from bulkgladly.emulator.operations.tasks import log_task_event
from bulkgladly.emulator.operations.timeline import assignee_of, log_message_event, new_timeline_id
from bulkgladly.emulator.operations.webhook_requests import deactivate
from bulkgladly.emulator.organisation.event_log import APPLICATION
from bulkgladly.emulator.organisation.store import Entity, Store

__all__ = ("CONVERSATION_STATUSES", "AnswerUser", "Application", "CampaignType")

AnswerUser = Literal["rules", "help_center", "threads"]
"""What can use an answer, and keeps it from being deleted."""

CampaignType = Literal["EMAIL", "SMS", "VOICE"]

CONVERSATION_STATUSES = ("OPEN", "WAITING", "CLOSED")

_CONVERSATION_FIELDS = frozenset(
    {"id", "createdAt", "inboxId", "status", "agentId", "topicIds", "customAttributes", "closedAt"}
)
_ITEM_FIELDS = frozenset({"id", "timestamp", "sessionId", "initiator", "responder"})
_TASK_FIELDS = frozenset({"id", "timestamp", "createdBy", "assignee", "body", "dueAt", "status"})
_COMMENT_FIELDS = frozenset({"id", "agentId", "comment", "createdAt"})
_COMPANY_NUMBER, _ANY_NUMBER = "+16505550199", "+16505550100"


class Application:
    """Changes a store as Gladly's application does. A method that raises has added nothing."""

    def __init__(self, store: Store) -> None:
        self.store = store

    # Customers and their timelines

    def add_customer(self, **fields: Any) -> str:
        """Create a customer without a request, by the rules of createCustomer; return its id.

        Raises:
            Refusal: The reply that createCustomer would give; nothing was added.
        """
        return create_customer(self.store, fields)

    def add_conversation(self, customer_id: str, **fields: Any) -> str:
        """Begin a conversation of a customer, which no operation of the API can do; return its id.

        `fields` are the fields of a Conversation. By default it is open, begins now, and is in the
        first inbox.

        Raises:
            KeyError: There is no such customer.
            ValueError: A field is unknown or not valid, or the id is in use. Nothing was added.
        """
        store = self.store
        _check(fields, _CONVERSATION_FIELDS, "a conversation")
        customer = store.customers[customer_id]
        now = store.now()
        usual = {
            "id": store.new_id("conversations"),
            "createdAt": now,
            "inboxId": _first_inbox(store),
            "status": "OPEN",
        }
        conversation = {**usual, "customerId": customer["id"], **fields}
        _check_choice("status", conversation["status"], CONVERSATION_STATUSES)
        if conversation["status"] == "CLOSED":
            conversation.setdefault("closedAt", now)
        _check_free(store, "conversations", conversation["id"])
        store.conversations[conversation["id"]] = conversation
        ids = {"customerId": customer_id, "conversationId": conversation["id"]}
        context = {"assignee": assignee_of(conversation)}
        store.event_log.add("CONVERSATION/CREATED", {**ids, "context": context}, APPLICATION)
        return str(conversation["id"])

    def add_item(
        self,
        content: Mapping[str, Any],
        *,
        conversation_id: str | None = None,
        customer_id: str | None = None,
        transcript: Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> str:
        """Add an item of any type to a conversation, or to a customer outside any conversation; return its id.

        `fields` are the fields of a ConversationItem. By default the customer is the initiator, and
        the time is now. An item whose type the API does not know exists, but is not shown.
        `transcript` is the reply of getVoiceTranscript.

        Raises:
            KeyError: There is no such conversation or customer, or the content has no `type`.
            ValueError: A field is unknown, or the id is in use. Nothing was added.
        """
        store = self.store
        _check(fields, _ITEM_FIELDS, "an item")
        conversation = None if conversation_id is None else store.conversations[conversation_id]
        if conversation is not None:
            customer_id = conversation["customerId"]
        if customer_id is None:
            raise ValueError("an item needs a conversation_id or a customer_id")
        customer = store.customers[customer_id]
        initiator = {"id": customer["id"], "type": "CUSTOMER"}
        item: Entity = {"id": new_timeline_id(store), "customerId": customer_id, "timestamp": store.now()}
        item |= {"initiator": initiator, **fields, "content": {"type": content["type"], **content}}
        if conversation is not None:
            item["conversationId"] = conversation["id"]
        if "sessionId" in content:
            item.setdefault("sessionId", content["sessionId"])
        _check_free(store, "items", item["id"])
        store.items[item["id"]] = item
        if transcript is not None:
            store.collections["transcripts"][item["id"]] = {**transcript, "id": item["id"]}
        if conversation is not None:
            log_message_event(store, conversation, item)
        return str(item["id"])

    def add_task(self, customer_id: str, **fields: Any) -> str:
        """Add a task, which can be old, overdue or closed; return its id.

        Raises:
            KeyError: There is no such customer.
            ValueError: A field is unknown or not valid, or the id is in use. Nothing was added.
        """
        store = self.store
        _check(fields, _TASK_FIELDS, "a task")
        customer, now = store.customers[customer_id], store.now()
        task: Entity = {
            "id": new_timeline_id(store),
            "customerId": customer["id"],
            "timestamp": now,
            "createdBy": APPLICATION,
            "assignee": {"inboxId": _first_inbox(store)},
            "body": "A task",
            "dueAt": now,
            "status": "OPEN",
            **fields,
        }
        _check_choice("status", task["status"], ("OPEN", "CLOSED"))
        _check_free(store, "tasks", task["id"])
        store.tasks[task["id"]] = task
        log_task_event(store, "TASK/CREATED", task)
        return str(task["id"])

    def add_task_comment(self, task_id: str, **fields: Any) -> str:
        """Add a comment to a task, which can be closed; return its id.

        Raises:
            KeyError: There is no such task.
            ValueError: A field is unknown, or the id is in use. Nothing was added.
        """
        store = self.store
        _check(fields, _COMMENT_FIELDS, "a comment")
        task = store.tasks[task_id]
        agent_id = next(iter(store.collections["agents"]), "agent-0")
        usual = {"id": store.new_id("task_comments"), "agentId": agent_id, "comment": "A comment"}
        comment = {**usual, "createdAt": store.now(), **fields, "taskId": task_id}
        _check_free(store, "task_comments", comment["id"])
        store.task_comments[comment["id"]] = comment
        log_task_event(store, "TASK/COMMENT_ADDED", task, commentId=comment["id"])
        return str(comment["id"])

    # Answers, calls, campaigns and webhooks

    def use_answer(
        self,
        answer_id: str,
        by: AnswerUser = "rules",
        *,
        content_type: str | None = None,
        place: str | None = None,
    ) -> None:
        """Mark an answer as used, so that it cannot be deleted.

        `content_type` limits the use to contents of one type; a help center uses public ones.
        `place` is the id of the help center, which is generated by default.

        Raises:
            KeyError: There is no such answer.
            ValueError: There is no such user, or no such type.
        """
        store = self.store
        if by not in get_args(AnswerUser):
            raise ValueError(f"by is {by!r}: it can be {', '.join(get_args(AnswerUser))}")
        if content_type is not None and content_type not in CONTENT_TYPES:
            raise ValueError(f"content_type is {content_type!r}: it can be {', '.join(CONTENT_TYPES)}")
        use: Entity = {
            "id": store.new_id("answer_uses"),
            "answerId": store.collections["answers"][answer_id]["id"],
            "by": by,
        }
        if by == "help_center":
            section = {"sectionID": store.new_id(), "snippetID": store.new_id()}
            use |= {"type": "public", "meta": {"helpCenterID": place or store.new_id(), **section}}
        elif content_type is not None:
            use["type"] = content_type
        store.collections["answer_uses"][use["id"]] = use

    def start_call(self, agent_id: str, customer_id: str, *, recording: bool = True) -> str:
        """Start a call of a customer with an agent, which replaces the agent's present call; return the id of its item.

        Raises:
            KeyError: There is no such agent or no such customer.
        """
        store = self.store
        agent, customer = store.collections["agents"][agent_id], store.customers[customer_id]
        caller = next((phone["normalized"] for phone in customer.get("phones", ())), _ANY_NUMBER)
        content = {"type": "PHONE_CALL", "from": caller, "to": _COMPANY_NUMBER, "startedAt": store.now()}
        item_id = self.add_item(content, customer_id=customer_id, responder={"id": agent["id"], "type": "AGENT"})
        call = {"id": agent["id"], "conversationItemId": item_id, "recording": recording}
        store.collections["calls"][agent["id"]] = call
        return item_id

    def end_call(self, agent_id: str) -> None:
        """End the call of an agent.

        Raises:
            KeyError: The agent has no call.
        """
        del self.store.collections["calls"][agent_id]

    def add_campaign(self, kind: CampaignType, campaign_id: str | None = None) -> str:
        """Create a campaign and return its id.

        Raises:
            ValueError: There is no such kind.
        """
        store = self.store
        if kind not in get_args(CampaignType):
            raise ValueError(f"kind is {kind!r}: it can be {', '.join(get_args(CampaignType))}")
        campaign_id = campaign_id or store.new_id("campaigns")
        store.collections["campaigns"][campaign_id] = {"id": campaign_id, "type": kind}
        return campaign_id

    def give_up_on_webhook(self, webhook_id: str) -> None:
        """Disable a webhook as Gladly does after the last redelivery.

        Raises:
            KeyError: There is no such webhook.
        """
        deactivate(self.store, webhook_id)


def _check(fields: Mapping[str, Any], known: frozenset[str], thing: str) -> None:
    unknown = sorted(set(fields) - known)
    if unknown:
        raise ValueError(f"{thing} has no {', '.join(unknown)}: it can have {', '.join(sorted(known))}")


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name} is {value!r}: it can be {', '.join(choices)}")


def _check_free(store: Store, kind: str, identifier: str) -> None:
    shared = ("items", "tasks") if kind in ("items", "tasks") else (kind,)
    if any(identifier in store.collections[name] for name in shared):
        raise ValueError(f"the id {identifier} is already in use")


def _first_inbox(store: Store) -> str:
    return next(iter(store.collections["inboxes"]), "inbox-0")
