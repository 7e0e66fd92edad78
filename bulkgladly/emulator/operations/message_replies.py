"""Replies to messages of customers.

Facts: endpoints.md, row 20, and schemas.md, section 4.5, of the fact sheet. Here a type is supported
if it is the type of the message to which the reply belongs.
"""

import re
from typing import Any

from bulkgladly.emulator.operations.items import existing_item
from bulkgladly.emulator.operations.timeline import (
    add_conversation_item,
    assign_conversation,
    log_message_event,
)
from bulkgladly.emulator.organisation.event_log import API_USER
from bulkgladly.emulator.organisation.store import Entity, Store
from bulkgladly.emulator.protocol.fields import Fields
from bulkgladly.emulator.protocol.replies import Reply, created, problem, refuse
from bulkgladly.emulator.protocol.routing import Call, Operation

__all__ = ("MAX_OPTIONS", "MAX_OPTION_LABEL", "MAX_REPLY", "REPLY_OPERATIONS", "REPLY_TYPES")

REPLY_TYPES = ("EMAIL", "CHAT_MESSAGE", "FACEBOOK_MESSAGE", "INSTAGRAM_DIRECT", "SMS", "TWITTER", "WHATSAPP")
MAX_REPLY = 2048
"""Characters of a body. The only known number, from an example; channels may have limits of their own."""
MAX_OPTIONS = 10
MAX_OPTION_LABEL = 50

_OPTION_ID = re.compile(r"[A-Za-z0-9_-]+")
_TAGS = re.compile(r"<[^>]*>")


def _reply(call: Call) -> Reply:
    item = existing_item(call)
    fields = Fields(call.json_object())
    content = fields.part("content", required=True)
    kind = None if content is None else content.choice("type", REPLY_TYPES, required=True)
    if content is None or kind is None:
        raise fields.refusal()
    conversation = _answerable(call.store, item, kind)
    written = _read_content(content, item, kind)
    fields.refuse_faults()
    session = {"sessionId": item["sessionId"]} if "sessionId" in item else {}
    sent = add_conversation_item(call.store, conversation, written, **session)
    log_message_event(call.store, conversation, sent)
    if not conversation.get("agentId"):
        _assign_to_the_sender(call.store, conversation)
    return created(f"/api/v1/conversation-items/{sent['id']}")


def _answerable(store: Store, item: Entity, kind: str) -> Entity:
    """Return the conversation of an item to which a message of this type can reply."""
    conversation = store.conversations.get(item.get("conversationId", ""))
    if item["initiator"]["type"] != "CUSTOMER" or conversation is None:
        raise refuse(400, problem("invalid", "only messages of customers in a conversation can be replied to"))
    if conversation["status"] == "CLOSED":
        raise refuse(400, problem("invalid", "the conversation is closed"))
    if item["content"]["type"] != kind:
        detail = f"a message of type {item['content']['type']} cannot be replied to with {kind}"
        raise refuse(400, problem("invalid", detail, attr="content.type"))
    return conversation


def _read_content(content: Fields, item: Entity, kind: str) -> dict[str, Any]:
    body = content.text("body", required=True, max_length=MAX_REPLY) or ""
    original = item["content"]
    if kind == "EMAIL":
        plain = content.text("bodyPlain") or _TAGS.sub("", body)
        ends = {"from": original["to"][0], "to": [original["from"]]}
        return {"type": kind, **ends, "subject": f"Re: {original.get('subject', '')}".strip(), "content": plain}
    if kind == "SMS":
        return {"type": kind, "from": original["to"], "to": original["from"], "content": body}
    if kind == "FACEBOOK_MESSAGE":
        return {"type": kind, "pageId": original["pageId"], "userId": original["userId"], "content": body}
    if kind == "CHAT_MESSAGE":
        return {"type": kind, "sessionId": original["sessionId"], "content": body} | _read_chat(content)
    return {"type": kind, "content": body}


def _read_chat(content: Fields) -> dict[str, Any]:
    message = content.choice("messageType", ("TEXT", "QUICK_REPLY_REQUEST")) or "TEXT"
    if message == "TEXT":
        return {"messageType": message}
    data = content.part("messageData", required=True)
    options = [] if data is None else data.parts("options")
    if data is not None and not 1 <= len(options) <= MAX_OPTIONS:
        data.fault("options", "wrong_length", f"1 to {MAX_OPTIONS} options are needed")
    read = [_read_option(option) for option in options]
    if data is not None and len({option["id"] for option in read}) < len(read):
        data.fault("options", "taken", "two options have the same id")
    return {"messageType": message, "messageData": {"options": read}}


def _read_option(option: Fields) -> dict[str, str]:
    option_id = option.text("id", required=True)
    if option_id is not None and not _OPTION_ID.fullmatch(option_id):
        option.fault("id", "invalid", "id has other characters than letters, digits, - and _")
    return {"id": option_id or "", "label": option.text("label", required=True, max_length=MAX_OPTION_LABEL) or ""}


def _assign_to_the_sender(store: Store, conversation: Entity) -> None:
    assign_conversation(store, conversation, API_USER["id"], reason="MESSAGE_OUTBOUND")


REPLY_OPERATIONS = (
    Operation("POST", "/api/v1/conversation-items/{itemId}/reply", "replyToMessage", _reply, (201, 400, 404)),
)
