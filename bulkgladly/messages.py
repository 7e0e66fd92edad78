"""Requests to Gladly and replies from it, independent of any client library."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

from bulkgladly.operations import Operation, operation_of

__all__ = (
    "GET_ORGANIZATION",
    "ApiProblem",
    "BudgetClass",
    "Effect",
    "Meaning",
    "NotedWrite",
    "PaceNews",
    "Repeat",
    "Reply",
    "Request",
)


_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class Repeat(enum.StrEnum):
    """What sending a request again could do (gladly-api: retry safety per operation)."""

    HARMLESS = "harmless"
    """Reads, absolute values, removals, set unions: send again."""
    DETECTED = "detected"
    """A create under our id: a repeat is refused as taken, so it is recognised."""
    UNSAFE = "unsafe"
    """A repeat could create a duplicate: send at most once."""


class PaceNews(NamedTuple):
    """What the processes that share a budget have told each other about it last.

    The number grows with each message. Requests are paused for `paused_for_s` from now on. `limit` is what the server
    named last. After a 429 the pace was eased to the share `ease`, `eased_for_s` ago.
    """

    number: int = 0
    paused_for_s: float = 0.0
    limit: int | None = None
    ease: float = 1.0
    eased_for_s: float = 0.0


class BudgetClass(enum.StrEnum):
    """Which limits a request counts against (gladly-api: rate limits)."""

    DEFAULT = "default"
    """Requests per second, for the whole organisation."""
    REPORTS = "reports"
    """Ten per minute and two at a time; whether they also count per second is UNKNOWN, so they are counted here."""


class Meaning(enum.Enum):
    """What a reply says about its request, as `bulkgladly.judging` found. A status alone says nothing."""

    CONFIRMED = "confirmed"
    """It was done, and the reply is what the operation declares for that."""
    REFUSED = "refused"
    """Gladly itself says that it was not done, and why."""
    TAKEN = "taken"
    """Refused because something that must be unique is in use."""
    ABSENT = "absent"
    """Gladly itself says that what the path names does not exist."""
    MOVED = "moved"
    """Gladly itself names the customer into whom the requested one was merged."""
    THROTTLED = "throttled"
    """429: not executed."""
    NOT_AUTHENTICATED = "not authenticated"
    NOT_PERMITTED = "not permitted"
    UNCLEAR = "unclear"
    """Anything else, also no reply: neither success, refusal nor absence is proved, and it may have been executed."""


class Effect(NamedTuple):
    """What a request that writes changes in Gladly, for the journal.

    `action` is create, update or delete. `gladly_id` is None if Gladly gives the new object its id. `before` is the
    object as it was read just before; None if nobody read it. `after` has the fields that are written: all of a
    create, and in a deletion the part that is removed, or nothing if the whole object is.
    """

    action: str
    gladly_id: str | None
    before: Mapping[str, Any] | None
    after: Mapping[str, Any]
    replaces_noted: bool = False
    """Whether a look has shown that what an earlier process noted of the same action was not carried out."""


class Request(NamedTuple):
    """One call of the API. `operation` is the API's own name for it: a row of `bulkgladly.operations`.

    `accept` is the `Accept` header; None means JSON. `answers` declares an operation that is not in
    the table. `effect` is what the request changes, if it is part of a record.
    """

    operation: str
    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    repeat: Repeat = Repeat.HARMLESS
    budget: BudgetClass = BudgetClass.DEFAULT
    accept: str | None = None
    answers: Operation | None = None
    effect: Effect | None = None

    @property
    def declared(self) -> Operation:
        """What the operation returns when it has done what was requested.

        Raises:
            KeyError: It is not declared.
        """
        return self.answers or operation_of(self.operation)


class NotedWrite(NamedTuple):
    """A request of a row that changes something in Gladly, and is about to leave; `nth` counts them from 1."""

    seq: int
    nth: int
    operation: str
    effect: Effect
    at: float = 0.0
    """When it was noted, in seconds since 1970; the ledger sets it."""


GET_ORGANIZATION = Request("getOrganization", "GET", "/api/v1/organization")
"""The cheapest request that every organisation answers: is this Gladly, and does it work?"""


@dataclass(frozen=True, slots=True)
class ApiProblem:
    """One error of a reply; each part may be missing."""

    code: str | None = None
    attr: str | None = None
    detail: str | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)


class Reply(NamedTuple):
    """The last reply to a request, after all attempts, and what it means.

    `status` 0 means that no complete reply ever came. `lost` counts attempts that may have been
    executed although none of them was confirmed (time-outs, resets, unclear replies). `content` is the
    decoded body, if it is JSON and was needed to judge the reply. `headers` ignores the case of names.
    """

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = _NO_HEADERS
    attempts: int = 1
    lost: int = 0
    meaning: Meaning = Meaning.UNCLEAR
    content: Any = None
    successor: str | None = None
    """The customer into whom the requested one was merged, if the reply names one."""
    problems: tuple[ApiProblem, ...] = ()
    """Errors in one of Gladly's forms. Only the meaning tells whether they come from Gladly."""
    sent_at: float | None = None
    """When the request may first have left (seconds since 1970, our clock), if it is sent at most once."""

    @property
    def is_confirmed(self) -> bool:
        """Whether it was done; `content` is then what the operation declares."""
        return self.meaning is Meaning.CONFIRMED

    @property
    def is_absent(self) -> bool:
        """Whether Gladly has no such object."""
        return self.meaning is Meaning.ABSENT

    @property
    def is_unclear(self) -> bool:
        """Whether the outcome of the request is unknown."""
        return self.meaning is Meaning.UNCLEAR

    @property
    def is_taken(self) -> bool:
        """Whether it was refused because something that must be unique is in use."""
        return self.meaning is Meaning.TAKEN

    @property
    def is_refused(self) -> bool:
        """Whether Gladly said that it was not done, for any reason except that something is absent."""
        return self.meaning in (Meaning.REFUSED, Meaning.TAKEN)

    @property
    def objects(self) -> list[dict[str, Any]]:
        """The objects of a confirmed list."""
        return self.content if self.is_confirmed and isinstance(self.content, list) else []

    @property
    def object(self) -> Mapping[str, Any] | None:
        """The confirmed object; None if the reply is not a confirmation."""
        return self.content if self.is_confirmed and isinstance(self.content, dict) else None
