"""Where a customer went that was merged into another one. Pure.

Facts: gladly-api, README, "Merged customers".
"""

from bulkgladly.messages import Reply

__all__ = ("MAX_MERGES", "successor_of")

MAX_MERGES = 5
"""How many merges are followed; whether `meta.new` names the last profile of a chain is UNKNOWN."""

_PROFILES = "/api/v1/customer-profiles"


def successor_of(reply: Reply) -> str | None:
    """Return the id that a 301 names; None where the reply is no 301, or names none."""
    if reply.status != 301:
        return None
    for problem in reply.problems():
        if isinstance(new := problem.meta.get("new"), str) and new:
            return new
    # Not declared for getCustomer, but one client reads it there.
    head, _, last = reply.headers.get("location", "").rpartition("/")
    return last if head.endswith(_PROFILES) and last else None
