"""What belongs to calls and messages: transcripts, and the index of the files that were fetched."""

import pyarrow as pa

from bulkgladly.lake.schemas.shapes import INT, NUMBER, TEXT, TIMESTAMP, Fields, flat, struct

__all__ = ("ATTACHMENTS", "RECORDINGS", "TRANSCRIPTS")

_PARAGRAPH = struct(transcript=TEXT, speaker=INT, startTime=NUMBER, endTime=NUMBER)
_FILE: Fields = {"path": TEXT, "bytes": INT, "blake2b": TEXT, "status": TEXT}

TRANSCRIPTS = flat(
    "transcripts",
    {
        "customerId": TEXT,
        "language": TEXT,
        "numberOfSpeakers": INT,
        "paragraphs": pa.list_(_PARAGRAPH),
        "createdAt": TIMESTAMP,
        "updatedAt": TIMESTAMP,
        "_asked_id": TEXT,
    },
    key=("_asked_id",),
)
"""`_asked_id` is the conversation item; the transcript does not name it. Times within it are in seconds."""

RECORDINGS = flat("recordings", {"itemId": TEXT, "contentType": TEXT, **_FILE}, key=("itemId",))
"""One row for each recording asked for; `path` is below the data set's top folder, and null without a file."""

ATTACHMENTS = flat(
    "attachments",
    {"itemId": TEXT, "attachmentId": TEXT, "contentType": TEXT, "filename": TEXT, **_FILE},
    key=("itemId", "attachmentId"),
)
"""The same for attachments; `filename` is the name that the item gives, not that of our file."""
