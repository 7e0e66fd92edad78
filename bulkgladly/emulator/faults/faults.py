"""Scripted faults: what goes wrong, and at which request. Nothing here rolls dice.

In a test:

    emulator.faults.script("POST /api/v1/customer-profiles", [None, drop_reply(), rate_limited()])

lets the first create pass, loses the reply of the second and refuses the third; later ones pass.
In a file (`--faults FILE`, or the body of `POST /_emulator/faults`) the same is a JSON list:

    [{"match": "POST /api/v1/customer-profiles", "at": [2], "fault": "drop_reply"},
     {"match": "POST /api/v1/customer-profiles", "at": [3], "fault": "rate_limited", "retry_after_s": 2},
     {"match": "GET /api/v1/*", "every": 50, "fault": "status", "status": 503, "body": "html"},
     {"match": "getFile", "at": [1], "times": 3, "fault": "answer", "status": 200, "json": {"errors": []}},
     {"match": "addNoteToConversation", "at": [2], "fault": "200_html", "executes": true},
     {"match": "connect", "at": [4], "fault": "reset"},
     {"match": "*", "after": 1000, "fault": "slow", "delay_s": 5}]

`match` is a method and a path in which `*` stands for anything, or an operation id such as
`createCustomer`. Requests that the rate limit refuses are not counted; every rule counts the
requests that match it from 1, and the first rule with a fault for a request decides.
`at` names requests (with `times`, so many in a row from each), `every` takes each n-th, `after` all
beyond the n-th; without any of them every matching request is hit. `fault` is one of the functions
below with its arguments, or a name of `fault_answers.ANSWERS` with fields of a `Fault` to change.

`connect` stands for a connection instead of a request: what hits it ends before a byte was read.
"""

import re
from base64 import b64decode
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import orjson

from bulkgladly.emulator.protocol.replies import JSON, BodyKind, Reply, failure

__all__ = (
    "CONNECT",
    "FAULTS",
    "Alteration",
    "Coding",
    "Ending",
    "Fault",
    "FaultScript",
    "FaultScriptError",
    "Framing",
    "answer",
    "drop_reply",
    "half_body",
    "hang",
    "rate_limited",
    "reset",
    "slow",
    "status",
    "wrong_length",
)

CONNECT = "connect"
"""Matches connections, where requests have an operation."""

Alteration = Literal["none", "other", "wrapped", "listed", "cut"]
"""What becomes of the operation's own answer: another object of the same kind (another id, other
addresses, also in `Location`), the same within `{"data": ...}` or within a list, or half of its JSON."""

Coding = Literal["identity", "gzip", "gzip_lie", "gzip_cut"]
"""How the body is packed: not, as gzip, said to be gzip but plain, or gzip that ends too early."""

Framing = Literal[
    "length", "chunked", "unframed", "half", "overlong", "short", "chunked_cut", "endless", "raw", "nothing"
]
"""How the body is announced and sent: with its length, in chunks, or up to the end of the connection;
half of what was announced, less than was announced, more than was announced, chunks without the last,
chunks for ever; the body's bytes in place of the whole answer, head and all; or nothing at all."""

Ending = Literal["answer", "close", "reset", "hang", "stale", "refuse"]
"""What becomes of the connection after the answer: kept for the next request, closed, reset, held until the
client goes away, kept but closed as soon as it is used again, or closed with all others while new ones
are refused."""


class FaultScriptError(ValueError):
    """A fault script says something that cannot be done; the message names the entry."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to one request; each field stands for itself.

    First `executes` decides whether the operation is carried out; then `delay_s` passes. The answer is
    `reply` if given, else the operation's own (200 and nothing where it was not carried out), changed as
    `alter` says, with `status` and `headers` instead of its own; in headers `{path}` stands for the path of
    the request and `{url}` for the emulator's address. The body is packed, announced and sent as `coding`
    and `framing` say, a byte each `drip_s` where that is given. Then the connection is treated as `ending`
    says; `refuse_s` is for how long new ones are refused.
    """

    ending: Ending = "answer"
    executes: bool = True
    delay_s: float = 0.0
    reply: Reply | None = None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    alter: Alteration = "none"
    coding: Coding = "identity"
    framing: Framing = "length"
    drip_s: float = 0.0
    refuse_s: float = 0.0

    def __post_init__(self) -> None:
        for name in ("delay_s", "drip_s", "refuse_s"):
            if not getattr(self, name) >= 0:
                raise FaultScriptError(f"{name} is {getattr(self, name)}: it must be 0 or more")
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise FaultScriptError(f"{name} is {getattr(self, name)!r}: it can be {', '.join(choices)}")
        if self.status is not None and not 200 <= self.status <= 999:
            raise FaultScriptError(f"status is {self.status}: it must be 200 to 999")
        if any(set("\r\n\0") & set(name + value) for name, value in self.headers.items()):
            raise FaultScriptError("a header has a line break; with framing 'raw' anything can be sent")

    @property
    def is_plain(self) -> bool:
        """Whether the answer is a whole one, and nothing becomes of the connection."""
        return (self.ending, self.coding, self.framing, self.drip_s) == ("answer", "identity", "length", 0)


_CHOICES = {
    "ending": get_args(Ending),
    "alter": get_args(Alteration),
    "coding": get_args(Coding),
    "framing": get_args(Framing),
}


def drop_reply() -> Fault:
    """Carry the request out, then close the connection without a word."""
    return Fault("close", framing="nothing")


def reset(*, executes: bool = False) -> Fault:
    """Reset the connection; unless asked for, the request is not carried out."""
    return Fault("reset", executes, framing="nothing")


def answer(
    status: int | None = None,
    *,
    body: str | bytes | None = None,
    json: object = None,
    base64: str | None = None,
    content_type: str = JSON,
    executes: bool = False,
    **more: Any,
) -> Fault:
    """Answer anything: a status, a body as text, bytes, base64 or a value for JSON, and fields of `Fault`.

    Raises:
        FaultScriptError: It cannot be.
    """
    given = [name for name, value in (("body", body), ("json", json), ("base64", base64)) if value is not None]
    if len(given) > 1:
        raise FaultScriptError(f"only one of {' and '.join(given)} is possible")
    content = body.encode() if isinstance(body, str) else body
    if json is not None:
        content = orjson.dumps(json)
    if base64 is not None:
        content = b64decode(base64, validate=True)
    if status is None and content is None:
        return Fault(executes=executes, **more)
    # The check of the status is the fault's.
    fault = Fault(executes=executes, status=status, **more)
    return replace(fault, reply=Reply(status or 200, content or b"", content_type=content_type), status=None)


def status(status: int, *, body: BodyKind = "json", executes: bool = False) -> Fault:
    """Answer with this status; with `executes` the request was carried out all the same."""
    if not 200 <= status <= 599:
        raise FaultScriptError(f"status is {status}: it must be 200 to 599")
    return Fault(executes=executes, reply=failure(status, "emulated_fault", f"scripted {status}", kind=body))


def rate_limited(*, retry_after_s: int | None = None, body: BodyKind = "json") -> Fault:
    """Answer 429 without carrying the request out, with or without `Retry-After`."""
    headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
    refused = failure(429, "rate_limited", "too many requests", kind=body)
    return Fault(executes=False, reply=refused._replace(headers=headers))


def slow(delay_s: float, *, executes: bool = True) -> Fault:
    """Carry the request out at once and answer late.

    Without `executes` nothing is carried out, and the late answer is a 504: a gateway that gave up.
    """
    late = None if executes else failure(504, "emulated_fault", "scripted timeout")
    return Fault(executes=executes, delay_s=delay_s, reply=late)


def half_body(*, executes: bool = True) -> Fault:
    """Send the true length but only half of the body, then close."""
    return Fault("close", executes, framing="half")


def wrong_length(*, executes: bool = True) -> Fault:
    """Announce a longer body than is sent, then close."""
    return Fault("close", executes, framing="overlong")


def hang(*, executes: bool = False) -> Fault:
    """Never answer; hold the connection until the client gives it up."""
    return Fault("hang", executes, framing="nothing")


FAULTS: Mapping[str, Callable[..., Fault]] = {
    fault.__name__: fault
    for fault in (drop_reply, reset, answer, status, rate_limited, slow, half_body, wrong_length, hang)
}
"""The faults by the name under which a file asks for them."""


class _Rule:
    """Counts the requests that match and knows which of them are hit."""

    def __init__(self, pattern: str, choose: Callable[[int], Fault | None]) -> None:
        self.is_for_connections = pattern == CONNECT
        self._matches = re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL).fullmatch
        self._choose = choose
        self._seen = 0

    def next_fault(self, *names: str) -> Fault | None:
        if not any(map(self._matches, names)):
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

    def at(self, pattern: str, numbers: Iterable[int], fault: Fault, *, times: int = 1) -> None:
        """Hit the matching requests with these numbers, counted from 1, and with `times` so many in a row from each."""
        named = frozenset(numbers)
        if not all(isinstance(number, int) and number >= 1 for number in named):
            raise FaultScriptError(f"at is {sorted(named)}: requests are counted from 1")
        if times < 1:
            raise FaultScriptError(f"times is {times}: it must be 1 or more")
        wanted = frozenset(number + more for number in named for more in range(times))
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
        return self._first(request, operation_id)

    def next_connection_fault(self) -> Fault | None:
        """Note a connection, and say what goes wrong with it before anything was read, if anything."""
        return self._first(CONNECT)

    def _first(self, *names: str) -> Fault | None:
        is_connection = names == (CONNECT,)
        faults = [rule.next_fault(*names) for rule in self._rules if rule.is_for_connections == is_connection]
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
        times = rest.pop("times", 1)
        if len(when) > 1:
            raise FaultScriptError(f"only one of {' and '.join(when)} is possible")
        if times != 1 and "at" not in when:
            raise FaultScriptError("times needs at")
        fault = _made(name, rest)
        match when:
            case {"at": numbers}:
                self.at(pattern, numbers, fault, times=times)
            case {"every": step}:
                self.every(pattern, step, fault)
            case {"after": number}:
                self.after(pattern, number, fault)
            case _:
                self.after(pattern, 0, fault)


def _made(name: object, rest: dict[str, Any]) -> Fault:
    # The catalogue is built of what this module has, so it comes later.
    from bulkgladly.emulator.faults.fault_catalogue import ANSWERS  # noqa: PLC0415

    if isinstance(name, str) and name in FAULTS:
        return FAULTS[name](**rest)
    if isinstance(name, str) and name in ANSWERS:
        return replace(ANSWERS[name], **rest)
    raise FaultScriptError(f"fault is {name!r}; it can be {', '.join(FAULTS)}, or a name of the catalogue of answers")
