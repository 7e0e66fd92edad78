"""Whether the host as a whole is well, judged over all requests. Pure: time is a parameter."""

import enum

__all__ = ("Health", "Trouble")


class Trouble(enum.Enum):
    """Why the host is not well. The texts are keys of the waits in journals and reports, so they stay."""

    NAME = "the host name has no address"
    CONNECT = "no connection to the host"
    SILENCE = "the host gives no usable responses"


class Health:
    """Tells whether failures are the fault of the host or of one record.

    A host is down after one attempt that could not reach it, or after `limit` attempts in
    a row, over all requests, that were lost or answered 5xx. One good reply ends that.
    """

    __slots__ = (
        "_failing_since",
        "_first_contact_s",
        "_give_up_after_s",
        "_in_a_row",
        "_is_down",
        "_is_known",
        "_limit",
        "good_answers",
        "trouble",
    )

    def __init__(self, *, first_contact_s: float, give_up_after_s: float, limit: int = 3) -> None:
        self._first_contact_s = first_contact_s
        self._give_up_after_s = give_up_after_s
        self._limit = limit
        self._in_a_row = 0
        self._failing_since: float | None = None
        self._is_known = False
        self.good_answers = 0
        self._is_down = False
        self.trouble = Trouble.SILENCE

    def is_down(self) -> bool:
        """Tell whether only probes should be sent."""
        return self._is_down

    @property
    def is_known(self) -> bool:
        """Whether the host has ever replied."""
        return self._is_known

    def good(self) -> None:
        """Note a reply below 500, a 429 included: the host is there and works."""
        self.good_answers += 1
        self._is_known = True
        self._in_a_row = 0
        self._failing_since = None
        self._is_down = False

    def arriving(self) -> None:
        """Note that more of an open body came in: that ends a row of failures.

        It is not a reply to any other request, so it neither ends an outage nor counts as a
        good reply when another request is given back.
        """
        if not self._is_down:
            self._in_a_row = 0
            self._failing_since = None

    def failed(self, sent_at: float, *, unreachable: Trouble | None, answered: bool) -> None:
        """Note an attempt, begun at `sent_at`, that could not connect, was lost, or met a 5xx.

        `answered` is true for a 5xx: that is a failure too, but it shows that the host exists.
        """
        self._in_a_row += 1
        if self._failing_since is None:
            self._failing_since = sent_at
        self._is_known = self._is_known or answered
        self.trouble = unreachable or Trouble.SILENCE
        # Without a connection no record can be at fault. A lost reply may be one record's fault, so it takes several.
        if unreachable is not None or self._in_a_row >= self._limit:
            self._is_down = True

    def suspect(self) -> None:
        """Treat the host as down until it gives a good reply."""
        self._is_down = True

    def give_up(self) -> None:
        """Stop waiting for this outage to end: the host stays down, and the next request waits from the start."""
        self._failing_since = None

    def paused(self, seconds: float) -> None:
        """Note that this process did not run for that long: it could not have asked the host meanwhile."""
        if self._failing_since is not None:
            self._failing_since += seconds

    def patience_s(self, now: float) -> float:
        """Return how many seconds the outage may still last; zero or less if it has lasted too long.

        They count from the first failure after the last good reply, so that an hour without
        requests is not taken for an outage.
        """
        allowed_s = self._give_up_after_s
        # A host that has never replied is more likely a wrong name than an outage: give it up sooner.
        if not self._is_known:
            allowed_s = min(self._first_contact_s, allowed_s)
        return allowed_s if self._failing_since is None else self._failing_since + allowed_s - now
