"""The lengths at which Gladly cuts lists; there is no paging.

Facts: README.md, "Paging", of the fact sheet. Which end of a list is cut off is UNKNOWN.
"""

from collections.abc import Mapping

__all__ = ("CAPS", "LIMITED_DATA")

CAPS: Mapping[str, int] = {
    "getConversations": 100,
    "getConversationItems": 1000,
    "getTasks": 2000,
    "getTaskComments": 1000,
}
"""By operation id: those whose answer tells with a header that it was cut."""

LIMITED_DATA = "Gladly-Limited-Data"
"""The header that tells."""
