"""Replies, the error envelope, and refusals."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, get_args

import orjson

from bulkgladly.emulator.options import BodyKind

__all__ = ("JSON", "Refusal", "Reply", "Stream", "created", "failure", "json_reply", "no_content", "problem", "refuse")

JSON = "application/json"

_NO_HEADERS: Mapping[str, str] = {}


class Stream(NamedTuple):
    """A body that is never in memory as a whole.

    `measure` returns its length in bytes, or None if it is not known before the end. A body of unknown
    length is sent in chunks, and so is one with `chunked`.
    """

    blocks: Callable[[], Iterable[bytes]]
    measure: Callable[[], int | None]
    chunked: bool = False


class Reply(NamedTuple):
    """One reply, before it is sent. The headers do not include the type and the length of the body.

    A stream, if there is one, replaces the body.
    """

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = _NO_HEADERS
    content_type: str = JSON
    stream: Stream | None = None


class Refusal(Exception):  # a refusal is a reply, not an error of the emulator
    """Ends an operation early, with its reply. The store is unchanged."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


def json_reply(payload: object, status: int = 200) -> Reply:
    """Return a reply whose body is the payload as JSON."""
    return Reply(status, orjson.dumps(payload))


def created(location: str) -> Reply:
    """201 with a relative `Location` and no body, Gladly's reply to most creates."""
    return Reply(201, headers={"Location": location})


def no_content() -> Reply:
    """204, the reply to every PATCH and DELETE."""
    return _NO_CONTENT


def problem(
    code: str, detail: str, *, attr: str | None = None, meta: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return one entry of the error envelope. Parts that are absent are left out, as in Gladly's examples."""
    entry: dict[str, Any] = {} if attr is None else {"attr": attr}
    entry |= {"code": code, "detail": detail}
    if meta is not None:
        entry["meta"] = dict(meta)
    return entry


def refuse(status: int, *problems: Mapping[str, Any], single: bool = False) -> Refusal:
    """Return a refusal with the documented envelope.

    With `single`, `errors` is one object instead of a list. Gladly's document shows that form for
    several replies, so clients must accept it.
    """
    errors: object = problems[0] if single else problems
    return Refusal(json_reply({"errors": errors}, status))


def failure(status: int, code: str, detail: str, *, kind: BodyKind = "json") -> Reply:
    """Return a failure whose body Gladly does not document (401, 403, 429, 5xx), in the given form.

    Raises:
        ValueError: There is no such form.
    """
    match kind:
        case "json":
            return json_reply({"errors": [problem(code, detail)]}, status)
        case "html":
            page = f"<html><head><title>{status}</title></head><body><h1>{detail}</h1></body></html>"
            return Reply(status, page.encode(), content_type="text/html")
        case "plain":
            return Reply(status, f"{detail}\n".encode(), content_type="text/plain")
        case "empty":
            return Reply(status)
    raise ValueError(f"body is {kind!r}: it can be {', '.join(get_args(BodyKind))}")


_NO_CONTENT = Reply(204)
