"""A fault: whether a request is carried out, what the reply is, and what happens to the connection."""

from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import orjson

from bulkgladly.emulator.options import BodyKind
from bulkgladly.emulator.protocol.replies import JSON, Reply, failure

__all__ = (
    "CONNECT",
    "FAULTS",
    "Alteration",
    "Coding",
    "Ending",
    "Fault",
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
"""The pattern that matches connections instead of requests."""

Alteration = Literal["none", "other", "wrapped", "listed", "cut"]
"""How the operation's own reply is changed: into another object of the same kind (another id, other
addresses, also in `Location`), wrapped in `{"data": ...}` or in a list, or cut to half of its JSON."""

Coding = Literal["identity", "gzip", "gzip_lie", "gzip_cut"]
"""How the body is encoded: not at all, as gzip, plain but declared as gzip, or gzip that ends too early."""

Framing = Literal[
    "length", "chunked", "unframed", "half", "overlong", "short", "chunked_cut", "endless", "raw", "nothing"
]
"""How the body is announced and sent: with its length, in chunks, or up to the end of the connection;
half of the announced length, less than announced (`overlong`), more than announced (`short`), chunks
without the last one, endless chunks; the body instead of the whole response, with its own head; or
nothing at all."""

Ending = Literal["answer", "close", "reset", "hang", "stale", "refuse"]
"""What happens to the connection after the reply: it is kept for the next request, closed, reset, held
until the client goes away, kept but closed as soon as it is used again, or closed with all others while
new ones are refused."""


class FaultScriptError(ValueError):
    """A fault script is not valid; the message names the entry."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to one request. The fields are independent of each other.

    `executes` decides whether the operation is carried out; then the emulator waits `delay_s`. The reply is
    `reply` if given, else the operation's own (an empty 200 if it was not carried out), changed by `alter`,
    with `status` and `headers` in place of its own. In headers, `{path}` is the path of the request and
    `{url}` the emulator's address. The body is encoded, announced and sent by `coding` and `framing`, one
    byte every `drip_s` if that is given. Then `ending` decides about the connection; `refuse_s` is for how
    long new ones are refused.
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
        """Whether the reply is sent whole, and the connection is kept."""
        return (self.ending, self.coding, self.framing, self.drip_s) == ("answer", "identity", "length", 0)


_CHOICES = {
    "ending": get_args(Ending),
    "alter": get_args(Alteration),
    "coding": get_args(Coding),
    "framing": get_args(Framing),
}


def drop_reply() -> Fault:
    """Carry the request out, then close the connection without a reply."""
    return Fault("close", framing="nothing")


def reset(*, executes: bool = False) -> Fault:
    """Reset the connection; the request is carried out only with `executes`."""
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
    """Reply with anything: a status, a body as text, bytes, base64 or a JSON value, and fields of `Fault`.

    Raises:
        FaultScriptError: The arguments are not valid.
    """
    given = [name for name, value in (("body", body), ("json", json), ("base64", base64)) if value is not None]
    if len(given) > 1:
        raise FaultScriptError(f"give only one of {', '.join(given)}")
    content = body.encode() if isinstance(body, str) else body
    if json is not None:
        content = orjson.dumps(json)
    if base64 is not None:
        content = b64decode(base64, validate=True)
    if status is None and content is None:
        return Fault(executes=executes, **more)
    # The fault checks the status.
    fault = Fault(executes=executes, status=status, **more)
    return replace(fault, reply=Reply(status or 200, content or b"", content_type=content_type), status=None)


def status(status: int, *, body: BodyKind = "json", executes: bool = False) -> Fault:
    """Reply with this status; with `executes` the request is carried out anyway."""
    if not 200 <= status <= 599:
        raise FaultScriptError(f"status is {status}: it must be 200 to 599")
    return Fault(executes=executes, reply=failure(status, "emulated_fault", f"scripted {status}", kind=body))


def rate_limited(*, retry_after_s: int | None = None, body: BodyKind = "json") -> Fault:
    """Reply with 429, with or without `Retry-After`; the request is not carried out."""
    headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
    refused = failure(429, "rate_limited", "too many requests", kind=body)
    return Fault(executes=False, reply=refused._replace(headers=headers))


def slow(delay_s: float, *, executes: bool = True) -> Fault:
    """Carry the request out at once and reply late.

    Without `executes` it is not carried out, and the late reply is a 504, as from a gateway that gave up.
    """
    late = None if executes else failure(504, "emulated_fault", "scripted timeout")
    return Fault(executes=executes, delay_s=delay_s, reply=late)


def half_body(*, executes: bool = True) -> Fault:
    """Announce the true length, send half of the body, then close the connection."""
    return Fault("close", executes, framing="half")


def wrong_length(*, executes: bool = True) -> Fault:
    """Announce a longer body than is sent, then close the connection."""
    return Fault("close", executes, framing="overlong")


def hang(*, executes: bool = False) -> Fault:
    """Never reply; hold the connection until the client closes it."""
    return Fault("hang", executes, framing="nothing")


FAULTS: Mapping[str, Callable[..., Fault]] = {
    fault.__name__: fault
    for fault in (drop_reply, reset, answer, status, rate_limited, slow, half_body, wrong_length, hang)
}
"""The faults by name, as used in a file."""
