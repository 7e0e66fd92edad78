"""Whether and when a failed attempt is repeated. Pure: no clock, no sleep; chance is a parameter."""

import enum
from collections.abc import Callable
from dataclasses import dataclass

from bulkgladly.messages import Repeat

__all__ = ("AskHost", "Failure", "GiveUp", "RetryPolicy", "Verdict", "Wait", "backoff", "decide")


class Failure(enum.Enum):
    """How an attempt ended without a usable reply."""

    UNREACHABLE = "unreachable"
    """Nothing left the machine."""
    LOST = "lost"
    """It left, and no whole reply came: it may have been executed."""
    UNCLEAR = "unclear"
    """A reply that neither confirms nor refuses, for example from a gateway, whose server may have done the work."""
    THROTTLED = "throttled"
    """A 429: not executed."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often one request is repeated at a host that is otherwise well, and after which waits."""

    max_failures: int = 5
    base_s: float = 1.0
    cap_s: float = 30.0
    max_retry_after_s: float = 300.0


@dataclass(frozen=True, slots=True)
class Wait:
    """Make another attempt after this many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class AskHost:
    """The fault may lie with the record or with the host: ask the host before the request is given back."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Give the request back without a final reply: a repeat is not allowed, or does not help."""


Verdict = Wait | AskHost | GiveUp

_AT_ONCE = Wait(0.0)


def backoff(attempt: int, *, base_s: float, cap_s: float, random: Callable[[], float]) -> float:
    """Return a wait in seconds: exponential in the attempt (from 1), with full jitter."""
    # 2.0 ** 64 is far above any cap; without the bound a day of 429s would overflow.
    return random() * min(cap_s, base_s * 2.0 ** min(attempt - 1, 64))


def decide(
    policy: RetryPolicy,
    *,
    failure: Failure,
    failures: int,
    repeat: Repeat,
    is_host_well: bool,
    random: Callable[[], float],
    retry_after_s: float | None = None,
) -> Verdict:
    """Return what to do after a failed attempt.

    `failures` counts the attempts of this request that ended `LOST` or `UNCLEAR`, this
    one included. `is_host_well` claims that another request has had a good reply since
    the first of them.

    What was not executed is repeated at once and without limit: the pacer (429) and the
    watch over the host (unreachable) make all requests wait. What may have been executed
    is repeated as `repeat` allows.
    """
    if failure in (Failure.THROTTLED, Failure.UNREACHABLE):
        return _AT_ONCE
    if repeat is Repeat.UNSAFE:
        return GiveUp()
    if failures >= policy.max_failures:
        return GiveUp() if is_host_well else AskHost()
    wait_s = backoff(failures, base_s=policy.base_s, cap_s=policy.cap_s, random=random)
    if retry_after_s is not None:
        wait_s = max(wait_s, min(retry_after_s, policy.max_retry_after_s))
    return Wait(wait_s)
