"""Notes that agents leave in a conversation; they are items of it.

Facts: endpoints.md, rows 18 and 19, and schemas.md, section 4.6, of the fact sheet.
"""

from bulkgladly.emulator.operations.timeline import add_item, existing_conversation, note_conversation
from bulkgladly.emulator.protocol.fields import Fields
from bulkgladly.emulator.protocol.replies import Reply, created, json_reply
from bulkgladly.emulator.protocol.routing import Call, Operation

__all__ = ("NOTE_OPERATIONS",)

_NOTES = "/api/v1/conversations/{conversationId}/notes"


def _add(call: Call) -> Reply:
    conversation = existing_conversation(call)
    fields = Fields(call.json_object())
    # The example nests the text, the schema has it on top.
    is_flat = call.options.other_spellings and "content" not in fields
    content = fields if is_flat else fields.part("content", required=True)
    body = None if content is None else content.text("body", required=True)
    fields.refuse_faults()
    note = add_item(call.store, conversation, {"type": "CONVERSATION_NOTE", "body": body})
    note_conversation(call.store, "CONVERSATION/NOTE_CREATED", conversation, noteId=note["id"])
    return created(f"{_NOTES.replace('{conversationId}', conversation['id'])}/{note['id']}")


def _get(call: Call) -> Reply:
    conversation = existing_conversation(call)
    note = call.store.items.get(call.params["noteId"])
    if (
        note is None
        or note.get("conversationId") != conversation["id"]
        or note["content"]["type"] != "CONVERSATION_NOTE"
    ):
        raise call.not_found("note")
    return json_reply(note)


NOTE_OPERATIONS = (
    Operation("POST", _NOTES, "addNoteToConversation", _add, (201, 400, 404)),
    Operation("GET", f"{_NOTES}/{{noteId}}", "getNoteFromConversation", _get, (200, 404)),
)
