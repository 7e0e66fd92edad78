"""Transcripts, recordings and attachments: what belongs to calls and messages. They are only read.

Facts: gladly-api, endpoints 9 to 11, schemas 4.4.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bulkgladly.gladly.data_sets import INTEGER, MOMENT, NUMBER, TEXT, DataColumn, DataSetPlan, ListOf, Struct
from bulkgladly.gladly.exports import (
    CHANGED,
    FileColumns,
    IdColumn,
    LiveExport,
    Parent,
    WantedFile,
    content_type_in,
)
from bulkgladly.gladly.spec import GladlyObject

__all__ = ("OBJECT",)

_CALLS = frozenset(("PHONE_CALL", "VOICEMAIL"))
_ITEM_SETS = ("items", "conversation-items")
_ITEM = "/api/v1/conversation-items/{itemId}"
_PARAGRAPH = Struct({"transcript": TEXT, "speaker": INTEGER, "startTime": NUMBER, "endTime": NUMBER})
_TRANSCRIPT = (
    DataColumn("customerId", TEXT, "The customer who called."),
    DataColumn("language", TEXT, "The spoken language; in which form is UNKNOWN."),
    DataColumn("numberOfSpeakers", INTEGER, "How many speakers were recognised."),
    DataColumn(
        "paragraphs",
        ListOf(_PARAGRAPH),
        "What each speaker said, from when to when, in seconds from the start of the recording.",
    ),
    DataColumn("createdAt", MOMENT, "When the transcript was created."),
    DataColumn("updatedAt", MOMENT, "When it was last changed."),
    DataColumn("_asked_id", TEXT, "The conversation item that was requested; the transcript does not name it."),
)
_ITEM_ID = DataColumn("itemId", TEXT, "The conversation item that the file belongs to.")
_CONTENT_TYPE = DataColumn("contentType", TEXT, "The type of the file, such as audio/mpeg.")
_FILE = (
    DataColumn("path", TEXT, "The path of the file below the top folder of the data set; null without a file."),
    DataColumn("bytes", INTEGER, "The size of the file."),
    DataColumn("blake2b", TEXT, "The BLAKE2b hash of the file."),
    DataColumn("status", TEXT, "stored, or gone if Gladly no longer has the file."),
)
_ATTACHMENT = (
    _ITEM_ID,
    DataColumn("attachmentId", TEXT, "The id of the attachment."),
    _CONTENT_TYPE,
    DataColumn("filename", TEXT, "The name of the file in the item; the file in the data set has another name."),
    *_FILE,
)


def _recording(item: str | None, status: str | None, url: str | None) -> Iterator[WantedFile]:
    # Without a status the address alone says that there is a recording.
    if item is not None and (status == "AVAILABLE" or (status is None and url is not None)):
        yield WantedFile((item,), f"{item}.mp3", "audio/mpeg")


def _attachments(item: str | None, attachments: Sequence[Mapping[str, Any] | None] | None) -> Iterator[WantedFile]:
    for one in attachments or ():
        if item is not None and one is not None and one.get("id") is not None:
            about = (one.get("filename"), content_type_in(one.get("contentType")), one.get("fileSize"))
            yield WantedFile((item, one["id"]), *about)


OBJECT = GladlyObject(
    reads=(
        LiveExport(
            "recordings",
            "getMedia",
            f"{_ITEM}/media/recording",
            "recordings",
            Parent.ITEM,
            is_list=False,
            accept="audio/mpeg",
            files=FileColumns(_ITEM_SETS, ("id", "recordingStatus", "recordingUrl"), _recording),
        ),
        LiveExport(
            "transcripts",
            "getVoiceTranscript",
            f"{_ITEM}/voice-transcript",
            "transcripts",
            Parent.ITEM,
            is_list=False,
            ids_from=(
                IdColumn("items", "id", CHANGED, of_types=_CALLS),
                IdColumn("conversation-items", "id", of_types=_CALLS),
            ),
            asks_itself=True,
        ),
        LiveExport(
            "attachments",
            "getAttachment",
            f"{_ITEM}/attachments/{{attachmentId}}",
            "attachments",
            Parent.ITEM,
            is_list=False,
            files=FileColumns(_ITEM_SETS, ("id", "attachments"), _attachments),
        ),
    ),
    data_sets=(
        DataSetPlan("transcripts", _TRANSCRIPT, key=("_asked_id",)),
        DataSetPlan("recordings", (_ITEM_ID, _CONTENT_TYPE, *_FILE), key=("itemId",)),
        DataSetPlan("attachments", _ATTACHMENT, key=("itemId", "attachmentId")),
    ),
)
"""Recordings and attachments are files beside the rows; their data set has one row for each that was requested."""
