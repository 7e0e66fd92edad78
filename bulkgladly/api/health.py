"""Whether the host as a whole is well, judged over all requests. Pure: time is a parameter."""

import enum

__all__ = ("Health", "Trouble")


class Trouble(enum.Enum):
    """Why the host is not well."""

    NAME = "the host name has no address"
    CONNECT = "no connection to the host"
    SILENCE = "the host gives no usable answers"


class Health:
    """Tells an ill host from an ill record.

    A host is down after one attempt that could not reach it, or after `limit` attempts in
    a row, over all requests, that were lost or answered 5xx. One good answer ends that.
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
        """Tell whether nothing but probes should be sent."""
        return self._is_down

    @property
    def is_known(self) -> bool:
        """Whether the host ever answered anything at all."""
        return self._is_known

    def good(self) -> None:
        """Note an answer below 500, a 429 included: the host is there and thinking."""
        self.good_answers += 1
        self._is_known = True
        self._in_a_row = 0
        self._failing_since = None
        self._is_down = False

    def arriving(self) -> None:
        """Note that a body goes on coming in: that ends a row of failures.

        It is no answer to anybody else, so it neither ends an outage nor speaks for the
        host when another request is given back.
        """
        if not self._is_down:
            self._in_a_row = 0
            self._failing_since = None

    def failed(self, sent_at: float, *, unreachable: Trouble | None, answered: bool) -> None:
        """Note an attempt, begun at `sent_at`, that could not connect, was lost, or met a 5xx.

        `answered` is true for a 5xx: bad as it is, somebody is at home.
        """
        self._in_a_row += 1
        if self._failing_since is None:
            self._failing_since = sent_at
        self._is_known = self._is_known or answered
        self.trouble = unreachable or Trouble.SILENCE
        if unreachable is not None or self._in_a_row >= self._limit:
            self._is_down = True

    def suspect(self) -> None:
        """Call the host down until it proves otherwise."""
        self._is_down = True

    def give_up(self) -> None:
        """End the patience with this outage: the host stays down, and who asks next waits anew."""
        self._failing_since = None

    def paused(self, seconds: float) -> None:
        """Note that this process did not run for so long: nobody could have asked the host meanwhile."""
        if self._failing_since is not None:
            self._failing_since += seconds

    def patience_s(self, now: float) -> float:
        """Return how long the outage may still last; zero or less when it lasted too long.

        It counts from the first failure after the last good answer, so that a quiet hour
        without any request is not taken for an outage.
        """
        allowed_s = self._give_up_after_s
        if not self._is_known:
            allowed_s = min(self._first_contact_s, allowed_s)
        return allowed_s if self._failing_since is None else self._failing_since + allowed_s - now
