"""All options of the emulator, with their defaults. Where Gladly documents nothing, there is an option."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Literal, get_args

from bulkgladly.emulator.organisation.export_jobs import RETENTION
from bulkgladly.emulator.organisation.report_corrections import ODDITIES, Oddity

__all__ = ("LIST_CAPS", "Algorithm", "BodyKind", "EmulatorOptions", "TimeForm")

BodyKind = Literal["json", "html", "plain", "empty"]
"""The form of a failure's body. Gladly documents only `json`, and not for 401, 403, 429 and 5xx."""

LIST_CAPS: Mapping[str, int] = {
    "getConversations": 100,
    "getConversationItems": 1000,
    "getTasks": 2000,
    "getTaskComments": 1000,
}
"""The lengths at which Gladly cuts lists, by operation id. There is no paging; a header says that a list was cut.

Facts: README.md, "Paging", of the fact sheet. Which end of a list is cut off is UNKNOWN.
"""

Algorithm = Literal["fixed", "leaky", "sliding"]
"""`fixed` one-second windows, `leaky` bucket with a burst, `sliding` log of the last second."""

TimeForm = Literal["offset", "utc"]
"""How times are written if the time zone of a report is not UTC; Gladly does not document it."""

_CHOICES = {
    "algorithm": get_args(Algorithm),
    "refusal_body": get_args(BodyKind),
    "attributes": ("merge", "replace"),
    "moved_to": ("next", "last"),
    "deleted_ids": ("free", "taken"),
    "not_found": ("list", "object"),
    "job_order": ("insertion", "shuffled"),
    "file_framing": ("length", "chunked"),
    "limited_data": ("flag", "value"),
    "capped_end": ("newest", "oldest"),
    "closed_assignee": ("refuse", "unchanged"),
    "ping": ("send", "assume_ok", "refuse"),
    "report_oddity": ODDITIES,
    "empty_report": ("empty", "header"),
    "report_times": get_args(TimeForm),
    "events_start": ("inclusive", "exclusive"),
}
_LONGEST_HISTORY = 366
_SHARES = ("delivery_duplicates", "delivery_lost_replies")
_POSITIVE = ("ping_timeout_s", "delivery_timeout_s", "time_scale")
_LIMITS = ("rate", "report_rate", "report_concurrency")
_NOT_NEGATIVE = (
    "latency_s",
    "jitter_s",
    "seed_customers",
    "seed_conversations",
    "seed_jobs",
    "seed_history",
    "items_per_job",
    "neighbour_rate",
    "report_rows_per_day",
    "report_row_cap",
    "report_lag_s",
    "seed_events",
    "events_lag_s",
    "delivery_reorder_s",
    "live_traffic",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulatorOptions:
    """How an emulator behaves. Frozen: only the rate, the faults and the neighbour can change while it runs.

    Raises:
        ValueError: The value of an option is not allowed; the message names it.
    """

    port: int = 0
    """Port on 127.0.0.1, the only host; 0 picks a free port."""

    username: str = "agent@example.org"
    token: str = "emulator-token"  # noqa: S105  # opens nothing but this emulator
    """HTTP Basic credentials. `noperm@example.org` (may do nothing) and `nocompliance@example.org`
    (may not delete customers) share the token."""

    # Limits

    rate: int | None = 10
    """Requests a second for the whole organisation; None means no limit and no rate headers."""
    algorithm: Algorithm = "fixed"
    phase_s: float = 0.0
    """Shifts the edges of the fixed windows against the monotonic clock's full seconds."""
    burst: int | None = None
    """Capacity of the leaky bucket; None means as much as the rate."""
    headers: bool = True
    """Send `Ratelimit-Limit-Second` and `Ratelimit-Remaining-Second` while a limit is set."""
    retry_after_s: float | None = None
    """`Retry-After` on 429, rounded up to whole seconds; None sends none, as in the API page."""
    refusal_body: BodyKind = "json"
    """The form of 401, 403 and 429 bodies, which Gladly does not document."""
    neighbour_rate: float = 0.0
    """Requests a second that another client takes from the same budget, at random times."""

    # Slowness

    latency_s: float = 0.0
    """Mean time of a reply; half of it passes before the rate limit, half after the operation."""
    jitter_s: float = 0.0
    """The latency varies evenly by up to this much in both directions."""

    # Data at the start, and files

    seed: int = 0
    """Decides everything that looks random: generated ids, jitter, the neighbour's requests."""
    seed_customers: int = 0
    """How many invented customers exist at the start (not when a state file is loaded)."""
    seed_conversations: int = 0
    """How many conversations each of these customers has, with items of every type, tasks and comments."""
    seed_jobs: int = 0
    """How many daily export jobs exist at the start, the newest for yesterday; Gladly keeps 14. They
    are not part of the state file."""
    seed_history: int = 0
    """Of how many days there is one history, told alike by items, conversations, tasks, events, export jobs (as
    many as days, at most 14) and reports. Without other customers there are 150 (not when a state file is loaded)."""
    items_per_job: int = 180
    """Invented conversation items of a generated export job."""
    faults_file: Path | None = None
    """JSON list of scripted faults, see `bulkgladly.emulator.faults.fault_script`."""
    state_file: Path | None = None
    """Loaded at the start if it exists, written at a clean stop."""

    # Where Gladly documents nothing, or organisations differ

    attributes: Literal["merge", "replace"] = "merge"
    """What PATCH does with `customAttributes`: Gladly does not say."""
    moved_location: bool = False
    """Send `Location` with the 301 of a merged customer."""
    moved_to: Literal["next", "last"] = "next"
    """What `meta.new` is after several merges in a row: the next profile or the last one."""
    deleted_ids: Literal["free", "taken"] = "free"
    """Whether a new customer may have the id of a deleted one."""
    not_found: Literal["list", "object"] = "list"
    """Form of `errors` in 404 bodies; Gladly's document shows both."""
    job_order: Literal["insertion", "shuffled"] = "insertion"
    """Order of the list of export jobs, which Gladly does not document."""
    file_framing: Literal["length", "chunked"] = "length"
    """Whether an export file announces its `Content-Length`; Gladly does not say."""
    caps: Mapping[str, int] = field(default_factory=dict[str, int])
    """Caps of lists that replace the documented ones, by operation id, such as `{"getTasks": 5}`."""
    limited_data: Literal["flag", "value"] = "flag"
    """Whether `Gladly-Limited-Data` is sent only with lists that were cut, or always, as `true` or `false`."""
    capped_end: Literal["newest", "oldest"] = "oldest"
    """Which end is cut off a list that is too long; Gladly does not say."""
    topics_before_closing: bool = False
    """Whether a conversation needs a topic before it can be closed, a setting of organisations."""
    closed_assignee: Literal["refuse", "unchanged"] = "refuse"
    """The reply to assigning a closed conversation to its present assignee: 400, or 204 because nothing changes."""
    undocumented_409: bool = True
    """Whether a taken id is 409 where the document lists no 409 (createTaskAndCustomer,
    createTaskComment); otherwise it is 400 with the same body."""
    other_spellings: bool = False
    """Also accept a note with `body` at the top and a comment in `message`; the document shows both."""
    languages: tuple[str, ...] = ("en-us", "es-mx", "fr-ca")
    """Codes of the languages that the organisation has configured for answers."""
    kept_contents: tuple[str, ...] = ()
    """Types of answer contents whose deletion is `not implemented`; Gladly does not say which those are."""
    senders: tuple[str, ...] | None = None
    """The organisation's own numbers (E.164) and addresses, which may send messages; None means any."""
    ping: Literal["send", "assume_ok", "refuse"] = "send"
    """Who replies to the PING of a webhook: with `send` the server at the URL, or else every URL, or none. A PING
    is sent only to loopback addresses; with `send` all other addresses count as having replied."""
    ping_timeout_s: float = 15.0
    """How long a server may take to reply to a PING."""
    time_scale: float = 1.0
    """Divides the four waits before redeliveries: with 1000, the first is 30 ms long."""
    delivery_timeout_s: float = 15.0
    """How long a server may take to reply to an event."""
    delivery_duplicates: float = 0.0
    """The share of events that are sent to a webhook twice."""
    delivery_reorder_s: float = 0.0
    """Each event is held back by a random time up to this, so that they come in another order."""
    delivery_lost_replies: float = 0.0
    """The share of deliveries whose reply is not read, so that they count as failed and are sent again."""

    # Reports

    report_rate: int | None = 10
    """Reports a minute for the whole organisation, counted by the `algorithm`; None means no limit."""
    report_concurrency: int | None = 2
    """Reports at a time, each from its admission until its last byte is sent; None means no limit."""
    reports_count_twice: bool = True
    """Whether a report also counts as one of the requests of its second; Gladly does not say."""
    report_rows_per_day: int = 20
    """Invented facts of each subject and day: rows in some reports, summed in others."""
    report_row_cap: int = 100_000
    """The most rows of a report; further rows are left out without notice."""
    report_lag_s: float = 0.0
    """Reports have no data younger than this; at Gladly that is about an hour."""
    report_empty_days: tuple[str, ...] = ()
    """Days (UTC, `2026-01-31`) without data."""
    report_oddity: Oddity = "none"
    """The oddity of all reports; `Emulator.reports.oddities` sets it by metric set."""
    empty_report: Literal["empty", "header"] = "empty"
    """The body of a report without rows: nothing, or the header."""
    report_times: TimeForm = "offset"
    """Times in a report whose time zone is not UTC: with the offset of the zone, or in UTC anyway."""

    # Events

    seed_events: int = 0
    """How many invented events of all types happened in the 24 hours before the start."""
    events_lag_s: float = 0.0
    """Each event appears late by a part of this that depends on its id; at Gladly that is up to 15 s."""
    events_start: Literal["inclusive", "exclusive"] = "inclusive"
    """Whether an event at `startAt` itself is sent; Gladly does not say."""
    live_traffic: float = 0.0
    """How many contacts start a minute in a contact centre that works while the emulator runs."""

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} is {getattr(self, name)!r}: it can be {', '.join(choices)}")
        self._check_numbers()
        if self.seed_jobs > RETENTION.days:
            raise ValueError(f"seed_jobs is {self.seed_jobs}: jobs are kept for {RETENTION.days} days")
        if self.seed_history > _LONGEST_HISTORY:
            raise ValueError(f"seed_history is {self.seed_history}: it can be at most {_LONGEST_HISTORY} days")
        if self.seed_history and self.seed_events:
            raise ValueError("seed_history has events of its own: leave out seed_events")
        self._check_lists()

    def _check_numbers(self) -> None:
        for name in _LIMITS:
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} is {value}: it must be 1 or more, or None for no limit")
        for name in _NOT_NEGATIVE:
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} is {getattr(self, name)}: it cannot be negative or infinite")
        for name in _POSITIVE:
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}: it must be more than 0")
        for name in _SHARES:
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}: it must be from 0 to 1")
        if self.burst is not None and self.burst < 1:
            raise ValueError(f"burst is {self.burst}: it must be 1 or more")

    def _check_lists(self) -> None:
        for name, cap in self.caps.items():
            if name not in LIST_CAPS or cap < 1:
                raise ValueError(f"caps has {name}={cap}: it can have 1 or more for {', '.join(LIST_CAPS)}")
        for day in self.report_empty_days:
            try:
                date.fromisoformat(day)
            except ValueError as exc:
                raise ValueError(f"report_empty_days has {day!r}: it is not a valid day such as 2026-01-31") from exc
