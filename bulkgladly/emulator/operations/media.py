"""Recordings, transcripts and attachments of items.

Facts: endpoints.md, rows 9 to 11, and schemas.md, section 4.4, of the fact sheet.
Bytes are derived from ids, so they are always the same and need not be stored. An attachment has an
address of its own, as on a file host: whoever has the address gets the file, credentials are an
error there, and a download does not count against the organisation's limit.
"""

from collections.abc import Iterator
from hashlib import blake2b, shake_256
from typing import Any
from urllib.parse import quote

from bulkgladly.emulator.operations.item_types import VOICE_TYPES
from bulkgladly.emulator.operations.items import existing_item
from bulkgladly.emulator.organisation.identifiers import derived_id
from bulkgladly.emulator.organisation.store import Entity
from bulkgladly.emulator.protocol.replies import Reply, Stream, json_reply, problem, refuse
from bulkgladly.emulator.protocol.routing import Call, Operation

__all__ = ("DOWNLOAD_OPERATIONS", "MEDIA_OPERATIONS", "attachment_bytes", "recording_bytes")

_ITEM = "/api/v1/conversation-items/{itemId}"
_DOWNLOAD = "/_files/{itemId}/{attachmentId}/{key}"
_BLOCK = 1 << 16

_WITH_ATTACHMENTS = frozenset(
    {"CHAT_MESSAGE", "EMAIL", "FACEBOOK_MESSAGE", "CONVERSATION_NOTE", "SMS", "WHATSAPP", "INSTAGRAM_DIRECT"}
)

# MPEG-1 layer III, 32 kbit/s, 48 kHz, mono: a frame is 96 bytes for 24 ms, and zeros are silence.
_FRAME_HEAD = b"\xff\xfb\x14\xc0"
_FRAME_SIZE = 96
_FRAME_MS = 24


def recording_bytes(item_id: str, duration_s: int) -> bytes:
    """Return a recording: silence in mono MP3 at 32 kbit/s, at least `duration_s` seconds long.

    Each frame ends in bytes that players skip, so that recordings differ.
    """
    return b"".join(_recording_blocks(item_id, duration_s))


def attachment_bytes(item_id: str, attachment_id: str, size: int) -> bytes:
    """Return a whole attachment."""
    return b"".join(_attachment_blocks(item_id, attachment_id, size))


def _recording_blocks(item_id: str, duration_s: int) -> Iterator[bytes]:
    mark = blake2b(item_id.encode(), digest_size=16).digest()
    frame = _FRAME_HEAD + bytes(_FRAME_SIZE - len(_FRAME_HEAD) - len(mark)) + mark
    frames, per_block = _frames(duration_s), _BLOCK // _FRAME_SIZE
    for first in range(0, frames, per_block):
        yield frame * min(per_block, frames - first)


def _frames(duration_s: int) -> int:
    return max(1, -(-duration_s * 1000 // _FRAME_MS))


def _attachment_blocks(item_id: str, attachment_id: str, size: int) -> Iterator[bytes]:
    for start in range(0, size, _BLOCK):
        seed = f"{item_id}:{attachment_id}:{start}".encode()
        yield shake_256(seed).digest(min(_BLOCK, size - start))


def _recording(call: Call) -> Reply:
    item = _voice_item(call)
    if item["content"].get("recordingStatus") != "AVAILABLE":
        raise call.not_found("recording")
    # One example of the document shows the duration as a text.
    duration_s = int(item["content"].get("recordingDuration", 0))
    stream = Stream(
        lambda: _recording_blocks(item["id"], duration_s),
        lambda: _frames(duration_s) * _FRAME_SIZE,
        chunked=call.options.file_framing == "chunked",
    )
    return Reply(200, content_type="audio/mpeg", stream=stream)


def _transcript(call: Call) -> Reply:
    transcript = call.store.collections["transcripts"].get(_voice_item(call)["id"])
    if transcript is None:
        raise call.not_found("transcript")
    return json_reply({name: value for name, value in transcript.items() if name != "id"})


def _voice_item(call: Call) -> Entity:
    item = call.store.items.get(call.params["itemId"])
    if item is None or item["content"]["type"] not in VOICE_TYPES:
        raise call.not_found("conversation item with a recording")
    return item


def _attachment(call: Call) -> Reply:
    item = existing_item(call)
    if item["content"]["type"] not in _WITH_ATTACHMENTS:
        raise refuse(400, problem("invalid", "items of this type have no attachments", attr="type"))
    attachment = _find(item, call.params["attachmentId"])
    if attachment is None:
        raise call.not_found("attachment")
    values = {"itemId": item["id"], "attachmentId": attachment["id"], "key": _key(call, item, attachment)}
    path = "/".join(quote(values.get(part.strip("{}"), part), safe="") for part in _DOWNLOAD.split("/"))
    return Reply(303, headers={"Location": call.absolute(path)})


def _download(call: Call) -> Reply:
    if "Authorization" in call.headers:
        return Reply(400, b"Only one way to authorize is allowed: the address has one.", content_type="text/plain")
    item = call.store.items.get(call.params["itemId"], {})
    attachment = _find(item, call.params["attachmentId"])
    if attachment is None or call.params["key"] != _key(call, item, attachment):
        return Reply(404, b"No such file.", content_type="text/plain")
    size = attachment["fileSize"]
    stream = Stream(
        lambda: _attachment_blocks(item["id"], attachment["id"], size),
        lambda: size,
        chunked=call.options.file_framing == "chunked",
    )
    return Reply(200, content_type=attachment["contentType"], stream=stream)


def _find(item: Entity, attachment_id: str) -> dict[str, Any] | None:
    attachments = item.get("content", {}).get("attachments", ())
    return next((a for a in attachments if a["id"] == attachment_id), None)


def _key(call: Call, item: Entity, attachment: Entity) -> str:
    return derived_id(f"{call.options.seed}:file:{item['id']}:{attachment['id']}")


MEDIA_OPERATIONS = (
    Operation("GET", f"{_ITEM}/media/recording", "getMedia", _recording, (200, 404)),
    Operation("GET", f"{_ITEM}/voice-transcript", "getVoiceTranscript", _transcript, (200, 404)),
    Operation("GET", f"{_ITEM}/attachments/{{attachmentId}}", "getAttachment", _attachment, (303, 400, 404)),
)

DOWNLOAD_OPERATIONS = (
    Operation("GET", _DOWNLOAD, "downloadAttachment", _download, (200, 400, 404), needs="none", limited=False),
)
"""The address of an attachment, which is not an operation of Gladly's API."""
