"""Scripted faults: what goes wrong, and at which request. Nothing here rolls dice.

In a test:

    emulator.faults.script("POST /api/v1/customer-profiles", [None, drop_reply(), rate_limited()])

lets the first create pass, loses the reply of the second and refuses the third; later ones pass.
In a file (`--faults FILE`, or the body of `POST /_emulator/faults`) the same is a JSON list:

    [{"match": "POST /api/v1/customer-profiles", "at": [2], "fault": "drop_reply"},
     {"match": "POST /api/v1/customer-profiles", "at": [3], "fault": "rate_limited", "retry_after_s": 2},
     {"match": "GET /api/v1/*", "every": 50, "fault": "status", "status": 503, "body": "html"},
     {"match": "*", "after": 1000, "fault": "slow", "delay_s": 5}]

`match` is a method and a path in which `*` stands for anything, or an operation id such as
`createCustomer`. Requests that the rate limit refuses are not counted; every rule counts the
requests that match it from 1, and the first rule with a fault for a request decides.
`at` names requests, `every` takes each n-th, `after` all beyond the n-th; without any of them
every matching request is hit. `fault` is one of the functions below, the rest its arguments.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from bulkgladly.emulator.replies import BodyKind, Reply, failure

__all__ = (
    "FAULTS",
    "Ending",
    "Fault",
    "FaultScript",
    "FaultScriptError",
    "drop_reply",
    "half_body",
    "hang",
    "rate_limited",
    "reset",
    "slow",
    "status",
    "wrong_length",
)

Ending = Literal["answer", "close", "reset", "hang", "half", "overlong"]
"""What the client sees last: a whole answer, a closed or reset connection, silence until it goes
away, or an answer whose announced length is twice what comes, or a little more than what comes."""


class FaultScriptError(ValueError):
    """A fault script says something that cannot be done; the message names the entry."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to one request.

    First `executes` decides whether the operation is carried out; then `delay_s` passes; then the
    answer (`reply` if given, else the operation's own) ends the way `ending` says.
    """

    ending: Ending
    executes: bool = True
    delay_s: float = 0.0
    reply: Reply | None = None

    def __post_init__(self) -> None:
        if not self.delay_s >= 0:
            raise FaultScriptError(f"delay_s is {self.delay_s}: it must be 0 or more")


def drop_reply() -> Fault:
    """Carry the request out, then close the connection without a word."""
    return Fault("close")


def reset(*, executes: bool = False) -> Fault:
    """Reset the connection; unless asked for, the request is not carried out."""
    return Fault("reset", executes=executes)


def status(status: int, *, body: BodyKind = "json", executes: bool = False) -> Fault:
    """Answer with this status; with `executes` the request was carried out all the same."""
    if not 200 <= status <= 599:
        raise FaultScriptError(f"status is {status}: it must be 200 to 599")
    reply = failure(status, "emulated_fault", f"scripted {status}", kind=body)
    return Fault("answer", executes=executes, reply=reply)


def rate_limited(*, retry_after_s: int | None = None, body: BodyKind = "json") -> Fault:
    """Answer 429 without carrying the request out, with or without `Retry-After`."""
    headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
    refused = failure(429, "rate_limited", "too many requests", kind=body)
    return Fault("answer", executes=False, reply=refused._replace(headers=headers))


def slow(delay_s: float, *, executes: bool = True) -> Fault:
    """Carry the request out at once and answer late.

    Without `executes` nothing is carried out, and the late answer is a 504: a gateway that gave up.
    """
    late = None if executes else failure(504, "emulated_fault", "scripted timeout")
    return Fault("answer", executes=executes, delay_s=delay_s, reply=late)


def half_body(*, executes: bool = True) -> Fault:
    """Send the true length but only half of the body, then close."""
    return Fault("half", executes=executes)


def wrong_length(*, executes: bool = True) -> Fault:
    """Announce a longer body than is sent, then close."""
    return Fault("overlong", executes=executes)


def hang(*, executes: bool = False) -> Fault:
    """Never answer; hold the connection until the client gives it up."""
    return Fault("hang", executes=executes)


FAULTS: Mapping[str, Callable[..., Fault]] = {
    fault.__name__: fault for fault in (drop_reply, reset, status, rate_limited, slow, half_body, wrong_length, hang)
}
"""The faults by the name under which a file asks for them."""


class _Rule:
    """Counts the requests that match and knows which of them are hit."""

    def __init__(self, pattern: str, choose: Callable[[int], Fault | None]) -> None:
        self._matches = re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL).fullmatch
        self._choose = choose
        self._seen = 0

    def next_fault(self, request: str, operation_id: str) -> Fault | None:
        if not (self._matches(request) or self._matches(operation_id)):
            return None
        self._seen += 1
        return self._choose(self._seen)


class FaultScript:
    """The faults to come. Rules can be added at any time; each counts from the moment it was added."""

    def __init__(self) -> None:
        self._rules: list[_Rule] = []
        self.fired = 0

    def __len__(self) -> int:
        """How many rules there are, used up or not."""
        return len(self._rules)

    def script(self, pattern: str, entries: Sequence[Fault | None]) -> None:
        """Hit the next matching requests in order, one entry each; None lets one pass."""
        entries = tuple(entries)
        self._add(pattern, lambda n: entries[n - 1] if n <= len(entries) else None)

    def at(self, pattern: str, numbers: Iterable[int], fault: Fault) -> None:
        """Hit the matching requests with these numbers, counted from 1."""
        wanted = frozenset(numbers)
        if not all(isinstance(number, int) and number >= 1 for number in wanted):
            raise FaultScriptError(f"at is {sorted(wanted)}: requests are counted from 1")
        self._add(pattern, lambda n: fault if n in wanted else None)

    def every(self, pattern: str, step: int, fault: Fault) -> None:
        """Hit each `step`-th matching request."""
        if step < 1:
            raise FaultScriptError(f"every is {step}: it must be 1 or more")
        self._add(pattern, lambda n: None if n % step else fault)

    def after(self, pattern: str, number: int, fault: Fault) -> None:
        """Hit all matching requests beyond the first `number`."""
        if number < 0:
            raise FaultScriptError(f"after is {number}: it must be 0 or more")
        self._add(pattern, lambda n: fault if n > number else None)

    def clear(self) -> None:
        """Drop all rules."""
        self._rules.clear()

    def load(self, document: object) -> None:
        """Add the rules of a JSON list.

        Raises:
            FaultScriptError: It cannot be understood. No rule was added.
        """
        if not isinstance(document, list):
            raise FaultScriptError("a fault script is a JSON list of objects")
        loaded = FaultScript()
        for number, entry in enumerate(document, start=1):
            try:
                loaded._load_entry(entry)
            except (FaultScriptError, TypeError, ValueError, KeyError) as exc:
                raise FaultScriptError(f"fault script, entry {number}: {exc}") from exc
        self._rules += loaded._rules

    def next_fault(self, request: str, operation_id: str) -> Fault | None:
        """Note an admitted request (`POST /path`) and say what goes wrong with it, if anything."""
        faults = [rule.next_fault(request, operation_id) for rule in self._rules]
        fault = next((fault for fault in faults if fault is not None), None)
        if fault is not None:
            self.fired += 1
        return fault

    def _add(self, pattern: str, choose: Callable[[int], Fault | None]) -> None:
        self._rules.append(_Rule(pattern, choose))

    def _load_entry(self, entry: Mapping[str, Any]) -> None:
        rest = dict(entry)
        pattern, name = str(rest.pop("match", "*")), rest.pop("fault", None)
        when = {key: rest.pop(key) for key in ("at", "every", "after") if key in rest}
        make = FAULTS.get(name) if isinstance(name, str) else None
        if make is None:
            raise FaultScriptError(f"fault is {name!r}; it can be {', '.join(FAULTS)}")
        if len(when) > 1:
            raise FaultScriptError(f"only one of {' and '.join(when)} is possible")
        fault = make(**rest)
        match when:
            case {"at": numbers}:
                self.at(pattern, numbers, fault)
            case {"every": step}:
                self.every(pattern, step, fault)
            case {"after": number}:
                self.after(pattern, number, fault)
            case _:
                self.after(pattern, 0, fault)
