"""All operations of the emulator. Add a new one to the module of its object; list a new module here."""

from bulkgladly.emulator.operations.answer_contents import ANSWER_CONTENT_OPERATIONS
from bulkgladly.emulator.operations.answers import ANSWER_OPERATIONS
from bulkgladly.emulator.operations.business_hours import BUSINESS_HOURS_OPERATIONS
from bulkgladly.emulator.operations.call_recorder import CALL_RECORDER_OPERATIONS
from bulkgladly.emulator.operations.conversation_topics import LABEL_OPERATIONS
from bulkgladly.emulator.operations.conversations import CONVERSATION_OPERATIONS, NOTE_OPERATIONS
from bulkgladly.emulator.operations.customers import CUSTOMER_OPERATIONS
from bulkgladly.emulator.operations.directory import DIRECTORY_OPERATIONS
from bulkgladly.emulator.operations.events import EVENT_OPERATIONS
from bulkgladly.emulator.operations.exports import EXPORT_OPERATIONS
from bulkgladly.emulator.operations.identity_tokens import IDENTITY_OPERATIONS
from bulkgladly.emulator.operations.items import ITEM_OPERATIONS
from bulkgladly.emulator.operations.media import DOWNLOAD_OPERATIONS, MEDIA_OPERATIONS
from bulkgladly.emulator.operations.message_replies import REPLY_OPERATIONS
from bulkgladly.emulator.operations.outbound_messages import CAMPAIGN_OPERATIONS, COMMUNICATION_OPERATIONS
from bulkgladly.emulator.operations.public_answers import PUBLIC_ANSWER_OPERATIONS
from bulkgladly.emulator.operations.tasks import TASK_COMMENT_OPERATIONS, TASK_OPERATIONS
from bulkgladly.emulator.operations.topics import TOPIC_OPERATIONS
from bulkgladly.emulator.operations.webhooks import WEBHOOK_OPERATIONS
from bulkgladly.emulator.protocol.routing import Operation
from bulkgladly.emulator.reports.reports import REPORT_OPERATIONS

__all__ = ("OPERATIONS", "OTHER_HOST_OPERATIONS")

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

OTHER_HOST_OPERATIONS: tuple[Operation, ...] = DOWNLOAD_OPERATIONS
"""What Gladly's replies refer to on other hosts; not part of its API."""
