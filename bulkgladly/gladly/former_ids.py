"""Objects that an earlier version made under the id of another spelling of the source key. Pure: a generator.

Asked for only where nothing is remembered and the key of the row was written in another form
than the one in which keys are compared: everything else costs no request.
"""

from collections.abc import Generator

from bulkgladly.gladly.outcomes import unread
from bulkgladly.messages import Reply, Request
from bulkgladly.records import Outcome

__all__ = ("is_there",)


def is_there(look: Request, former_id: str | None) -> Generator[Request, Reply, "bool | Outcome"]:
    """Tell whether an object is there under its former id; return how the record ends where that is not clear.

    An answer that is no answer is never taken for "not there": a duplicate would follow.
    """
    reply = yield look
    if reply.is_confirmed or reply.successor is not None:
        return True  # also where it was merged: asked for once more, it is followed
    return False if reply.is_absent else unread(reply, former_id)
