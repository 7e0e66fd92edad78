"""Topics of conversations, and their freeform topics, which the API calls custom attributes.

Facts: endpoints.md, rows 15 to 17 and 30, and schemas.md, sections 4.7 and 8, of the fact sheet.
A change names a freeform topic by its key; a conversation shows it by its id.
"""

from bulkgladly.emulator.operations.timeline import (
    add_conversation_item,
    assignee_of,
    change_conversation,
    existing_conversation,
    log_conversation_event,
)
from bulkgladly.emulator.organisation.store import Entity, Store
from bulkgladly.emulator.protocol.fields import Fields
from bulkgladly.emulator.protocol.replies import Reply, json_reply, no_content
from bulkgladly.emulator.protocol.routing import Call, Operation

__all__ = ("LABEL_OPERATIONS", "change_topics")

_TOPICS = "/api/v1/conversations/{conversationId}/topics"
_ATTRIBUTES = "/api/v1/customer-history/{customerId}/conversations/{conversationId}/custom-attributes"


def _add_topics(call: Call) -> Reply:
    conversation = existing_conversation(call)
    fields, topics = Fields(call.json_object()), call.store.collections["topics"]
    wanted = dict.fromkeys(fields.texts("topicIds"))
    for topic_id in wanted:
        if topic_id not in topics:
            fields.fault("topicIds", "not_exist", "no topic has one of these ids")
        elif topics[topic_id].get("disabled"):
            fields.fault("topicIds", "invalid", "an archived topic cannot be applied")
    fields.refuse_faults()
    present = conversation.get("topicIds", [])
    change_topics(call.store, conversation, added=[t for t in wanted if t not in present], removed=[])
    return no_content()


def _remove_topic(call: Call) -> Reply:
    conversation, topic_id = existing_conversation(call), call.params["topicId"]
    # The reply for a topic that the conversation does not have is UNKNOWN; the result is the same.
    removed = [topic_id] if topic_id in conversation.get("topicIds", []) else []
    change_topics(call.store, conversation, added=[], removed=removed)
    return no_content()


def change_topics(store: Store, conversation: Entity, *, added: list[str], removed: list[str]) -> None:
    """Add and remove topics of a conversation, with an item and an event for each topic."""
    if not added and not removed:
        return
    left = [topic_id for topic_id in conversation.get("topicIds", []) if topic_id not in removed]
    changed = change_conversation(store, conversation, topicIds=[*left, *added])
    add_conversation_item(store, changed, {"type": "TOPIC_CHANGE", "addedTopicIds": added, "removedTopicIds": removed})
    context = {"assignee": assignee_of(conversation)}
    for topic_id in added:
        log_conversation_event(store, "CONVERSATION/TOPIC_ADDED", changed, topicId=topic_id, context=context)
    for topic_id in removed:
        log_conversation_event(store, "CONVERSATION/TOPIC_REMOVED", changed, topicId=topic_id, context=context)


def _change_attributes(call: Call) -> Reply:
    conversation = existing_conversation(call)
    fields = Fields(call.json_object())
    if "add" not in fields and "remove" not in fields:
        fields.fault("", "blank", "add or remove is needed")
    definitions = {str(d["key"]): d for d in call.store.collections["custom_attributes"].values()}
    added = _read_attributes(fields, "add", definitions)
    removed = _read_attributes(fields, "remove", definitions)
    fields.refuse_faults()
    present = conversation.get("customAttributes", [])
    gone = [entry for entry in present if entry in removed]
    new = [entry for entry in added if entry not in present or entry in gone]
    if gone or new:
        left = [entry for entry in present if entry not in gone]
        changed = change_conversation(call.store, conversation, customAttributes=[*left, *new])
        _log_attribute_events(call.store, "REMOVED", changed, gone)
        _log_attribute_events(call.store, "ADDED", changed, new)
    return no_content()


def _read_attributes(fields: Fields, name: str, definitions: dict[str, Entity]) -> list[Entity]:
    read: list[Entity] = []
    for part in fields.parts(name):
        key, value = part.text("key", required=True), part.text("value", required=True)
        definition = definitions.get(key or "")
        if key is not None and definition is None:
            part.fault("key", "not_exist", "no freeform topic has this key")
        elif definition is not None and name == "add" and definition["deactivated"]:
            part.fault("key", "invalid", "an archived freeform topic cannot be applied")
        elif definition is not None and value is not None:
            entry = {"id": definition["id"], "value": value}
            if entry not in read:
                read.append(entry)
    return read


def _log_attribute_events(store: Store, change_made: str, conversation: Entity, entries: list[Entity]) -> None:
    for entry in entries:
        log_conversation_event(
            store,
            f"CONVERSATION/CUSTOM_ATTRIBUTE_{change_made}",
            conversation,
            customAttributeId=entry["id"],
            customAttributeKey=store.collections["custom_attributes"][entry["id"]]["key"],
            customAttributeValue=entry["value"],
        )


def _get_attribute(call: Call) -> Reply:
    definition = call.store.collections["custom_attributes"].get(call.params["customAttributeId"])
    if definition is None:
        raise call.not_found("custom attribute")
    return json_reply(definition)


LABEL_OPERATIONS = (
    Operation("POST", _TOPICS, "addTopicToConversation", _add_topics, (204, 400, 404)),
    Operation("DELETE", f"{_TOPICS}/{{topicId}}", "deleteTopicFromConversation", _remove_topic, (204, 404)),
    Operation("POST", _ATTRIBUTES, "changeFreeformTopics", _change_attributes, (204, 400, 404)),
    Operation("GET", "/api/v1/custom-attributes/{customAttributeId}", "getCustomAttribute", _get_attribute, (200, 404)),
)
