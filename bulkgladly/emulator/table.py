"""Every operation the emulator knows. A further one is a row in a room and, for a new room, a line here."""

from bulkgladly.emulator.answer_contents import ANSWER_CONTENT_OPERATIONS
from bulkgladly.emulator.answers import ANSWER_OPERATIONS
from bulkgladly.emulator.business_hours import BUSINESS_HOURS_OPERATIONS
from bulkgladly.emulator.call_recorder import CALL_RECORDER_OPERATIONS
from bulkgladly.emulator.campaigns import CAMPAIGN_OPERATIONS
from bulkgladly.emulator.communications import COMMUNICATION_OPERATIONS
from bulkgladly.emulator.conversations import CONVERSATION_OPERATIONS
from bulkgladly.emulator.customers import CUSTOMER_OPERATIONS
from bulkgladly.emulator.directory import DIRECTORY_OPERATIONS
from bulkgladly.emulator.events import EVENT_OPERATIONS
from bulkgladly.emulator.exports import EXPORT_OPERATIONS
from bulkgladly.emulator.identity_tokens import IDENTITY_OPERATIONS
from bulkgladly.emulator.items import ITEM_OPERATIONS
from bulkgladly.emulator.labels import LABEL_OPERATIONS
from bulkgladly.emulator.media import DOWNLOAD_OPERATIONS, MEDIA_OPERATIONS
from bulkgladly.emulator.notes import NOTE_OPERATIONS
from bulkgladly.emulator.public_answers import PUBLIC_ANSWER_OPERATIONS
from bulkgladly.emulator.replying import REPLY_OPERATIONS
from bulkgladly.emulator.reports import REPORT_OPERATIONS
from bulkgladly.emulator.routing import Operation
from bulkgladly.emulator.task_comments import TASK_COMMENT_OPERATIONS
from bulkgladly.emulator.tasks import TASK_OPERATIONS
from bulkgladly.emulator.topics import TOPIC_OPERATIONS
from bulkgladly.emulator.webhooks import WEBHOOK_OPERATIONS

__all__ = ("ELSEWHERE", "OPERATIONS")

OPERATIONS: tuple[Operation, ...] = (
    *CUSTOMER_OPERATIONS,
    *DIRECTORY_OPERATIONS,
    *EXPORT_OPERATIONS,
    *CONVERSATION_OPERATIONS,
    *ITEM_OPERATIONS,
    *MEDIA_OPERATIONS,
    *LABEL_OPERATIONS,
    *NOTE_OPERATIONS,
    *REPLY_OPERATIONS,
    *TASK_OPERATIONS,
    *TASK_COMMENT_OPERATIONS,
    *TOPIC_OPERATIONS,
    *COMMUNICATION_OPERATIONS,
    *IDENTITY_OPERATIONS,
    *PUBLIC_ANSWER_OPERATIONS,
    *ANSWER_OPERATIONS,
    *ANSWER_CONTENT_OPERATIONS,
    *CALL_RECORDER_OPERATIONS,
    *BUSINESS_HOURS_OPERATIONS,
    *CAMPAIGN_OPERATIONS,
    *WEBHOOK_OPERATIONS,
    *REPORT_OPERATIONS,
    *EVENT_OPERATIONS,
)

ELSEWHERE: tuple[Operation, ...] = DOWNLOAD_OPERATIONS
"""What Gladly's answers refer to on other hosts, and which is no operation of its API."""
