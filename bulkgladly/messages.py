"""What goes to Gladly and what comes back, with no client library in sight."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson

__all__ = ("GET_ORGANIZATION", "ApiProblem", "BudgetClass", "Repeat", "Reply", "Request")


_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class Repeat(enum.StrEnum):
    """What sending a request again could do (gladly-api: retry safety per operation)."""

    HARMLESS = "harmless"
    """Reads, absolute values, removals, set unions: send again."""
    DETECTED = "detected"
    """A create under our id: a repeat is refused as taken, so it can be told apart."""
    UNSAFE = "unsafe"
    """The API could make a twin: at most once."""


class BudgetClass(enum.StrEnum):
    """Which limits a request counts against (gladly-api: rate limits)."""

    DEFAULT = "default"
    """Requests per second, for the whole organisation."""
    REPORTS = "reports"
    """Ten per minute and two at a time; whether they also count per second is UNKNOWN, so they do here."""


class Request(NamedTuple):
    """One call of the API. `operation` is the API's own name for it, for counts and logs.

    `accept` is what the answer may be (an `Accept` header); None means JSON.
    """

    operation: str
    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    repeat: Repeat = Repeat.HARMLESS
    budget: BudgetClass = BudgetClass.DEFAULT
    accept: str | None = None


GET_ORGANIZATION = Request("getOrganization", "GET", "/api/v1/organization")
"""The cheapest question that every organisation answers: is this Gladly, and is it well?"""


@dataclass(frozen=True, slots=True)
class ApiProblem:
    """One error of a reply; every part may be missing."""

    code: str | None = None
    attr: str | None = None
    detail: str | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)


class Reply(NamedTuple):
    """The last answer to a request, after all attempts.

    `status` 0 means that no whole answer ever came. `lost` counts earlier attempts that
    may have been executed although their answer did not arrive (time-outs, resets, 5xx).
    `headers` finds a name however it is spelled.
    """

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = _NO_HEADERS
    attempts: int = 1
    lost: int = 0

    def json(self) -> Any:
        """Return the decoded body, or None where the body is not JSON (HTML, empty, cut)."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return None

    def problems(self) -> tuple[ApiProblem, ...]:
        """Return the errors in the body.

        The API uses four shapes: `errors` as a list, `errors` as one object, a bare list,
        a bare object. Anything else gives an empty tuple, never an exception.
        """
        body = self.json()
        found = body.get("errors", body) if isinstance(body, dict) else body
        if isinstance(found, dict):
            found = [found]
        if not isinstance(found, list):
            return ()
        return tuple(
            ApiProblem(
                code=_text(item.get("code")),
                attr=_text(item.get("attr")),
                detail=_text(item.get("detail")),
                meta=meta if isinstance(meta := item.get("meta"), dict) else {},
            )
            for item in found
            if isinstance(item, dict)
        )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
