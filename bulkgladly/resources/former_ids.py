"""Objects that an earlier version made under the id of another spelling of the source key. Pure: a generator.

Asked for only where nothing is remembered and the key of the row was written in another form
than the one in which keys are compared: everything else costs no request.
"""

from collections.abc import Generator

from bulkgladly.messages import Reply, Request
from bulkgladly.records import Outcome
from bulkgladly.resources.merges import successor_of
from bulkgladly.resources.outcomes import unread

__all__ = ("is_there",)


def is_there(look: Request, former_id: str | None) -> Generator[Request, Reply, "bool | Outcome"]:
    """Tell whether an object is there under its former id; return how the record ends where that is not clear.

    An answer that is no answer is never taken for "not there": a duplicate would follow.
    """
    reply = yield look
    held = reply.json()
    if reply.status == 200 and isinstance(held, dict) and held.get("id", former_id) == former_id:
        return True
    if successor_of(reply) is not None:
        return True  # merged: whoever asks for it once more follows
    if reply.status == 404 and reply.problems():
        return False
    return unread(reply, former_id)
