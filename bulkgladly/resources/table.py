"""Every kind of Gladly object that we move, one row each. Adding an object starts here."""

from bulkgladly.errors import UsageError
from bulkgladly.resources.objects.activities import ACTIVITIES
from bulkgladly.resources.objects.answers import ANSWER_CONTENTS, ANSWERS
from bulkgladly.resources.objects.business_hours import BUSINESS_HOURS
from bulkgladly.resources.objects.conversations import CONVERSATIONS
from bulkgladly.resources.objects.customers import CUSTOMERS
from bulkgladly.resources.objects.labels import CONVERSATION_TOPICS, FREEFORM_TOPICS, REDACTIONS
from bulkgladly.resources.objects.notes import NOTES
from bulkgladly.resources.objects.outbound_messages import EMAILS, RECIPIENT_COLLECTIONS, REPLIES, SMS
from bulkgladly.resources.objects.task_comments import TASK_COMMENTS
from bulkgladly.resources.objects.tasks import TASKS
from bulkgladly.resources.objects.topics import TOPICS
from bulkgladly.resources.objects.webhooks import WEBHOOKS
from bulkgladly.resources.spec import ResourceSpec

__all__ = ("NOT_WRITTEN", "RESOURCES", "resource")

RESOURCES: dict[str, ResourceSpec] = {
    spec.name: spec
    for spec in (
        CUSTOMERS,
        ACTIVITIES,
        TASKS,
        TASK_COMMENTS,
        NOTES,
        TOPICS,
        CONVERSATIONS,
        CONVERSATION_TOPICS,
        FREEFORM_TOPICS,
        REDACTIONS,
        ANSWERS,
        ANSWER_CONTENTS,
        BUSINESS_HOURS,
        WEBHOOKS,
        SMS,
        EMAILS,
        REPLIES,
        RECIPIENT_COLLECTIONS,
    )
}

NOT_WRITTEN: dict[str, str] = {
    "updateAgentCallRecording": "acts on a call that is going on now; there is nothing to import, and no state to keep",
    "createUserIdentityJWT": "makes a token for a customer to sign in with; nothing is stored in Gladly",
    "deleteCustomerItem": "deleteItem does the same without the customer's id, which a merge may have changed",
    "deleteJob": "removes an export of Gladly's own with its files; not an object that people bring in",
    "generateReport": "reads: see `export`",
    "generateWorkSessionReport": "reads: see `export`",
}
"""Operations that are no read by their method, and that no import uses, each with the reason."""


def resource(name: str) -> ResourceSpec:
    """Return the row of the table for a resource word.

    Raises:
        UsageError: There is no such resource; the message lists those there are.
    """
    try:
        return RESOURCES[name]
    except KeyError:
        known = ", ".join(RESOURCES)
        raise UsageError(f"there is no resource {name!r} to import; choose one of: {known}") from None
