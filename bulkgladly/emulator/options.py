"""Every choice the emulator offers, with its default. Where Gladly is silent, the choice is an option."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from bulkgladly.emulator.export_jobs import RETENTION
from bulkgladly.emulator.replies import BodyKind

__all__ = ("Algorithm", "EmulatorOptions")

Algorithm = Literal["fixed", "leaky", "sliding"]
"""`fixed` one-second windows, `leaky` bucket with a burst, `sliding` log of the last second."""

_CHOICES = {
    "algorithm": get_args(Algorithm),
    "refusal_body": get_args(BodyKind),
    "attributes": ("merge", "replace"),
    "moved_to": ("next", "last"),
    "deleted_ids": ("free", "taken"),
    "not_found": ("list", "object"),
    "job_order": ("insertion", "shuffled"),
    "file_framing": ("length", "chunked"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulatorOptions:
    """How one emulator behaves. Frozen: only the rate, the faults and the neighbour change while it runs.

    Raises:
        ValueError: An option is outside what it allows; the message names it.
    """

    port: int = 0
    """Port on 127.0.0.1; 0 picks a free one. There is no other host to listen on."""

    username: str = "agent@example.org"
    token: str = "emulator-token"  # noqa: S105  # opens nothing but this emulator
    """HTTP Basic credentials. `noperm@example.org` (may do nothing) and `nocompliance@example.org`
    (may not delete customers) share the token."""

    rate: int | None = 10
    """Requests a second for the whole organization; None means no limit and no rate headers."""
    algorithm: Algorithm = "fixed"
    phase_s: float = 0.0
    """Shifts the edges of the fixed windows against the monotonic clock's full seconds."""
    burst: int | None = None
    """Capacity of the leaky bucket; None means as much as the rate."""
    headers: bool = True
    """Send `Ratelimit-Limit-Second` and `Ratelimit-Remaining-Second` while a limit is set."""
    retry_after_s: float | None = None
    """`Retry-After` on 429, rounded up to whole seconds; None leaves it off, as the API page does."""
    refusal_body: BodyKind = "json"
    """Dress of the 401, 403 and 429 bodies, which Gladly does not document."""
    neighbour_rate: float = 0.0
    """Requests a second that another client takes from the same budget, at random moments."""

    latency_s: float = 0.0
    """Mean time of an answer; half of it passes before the rate limit, half after the execution."""
    jitter_s: float = 0.0
    """The latency varies evenly by up to this much to either side."""

    seed: int = 0
    """Decides everything that looks random: generated ids, jitter, the neighbour's moments."""
    seed_customers: int = 0
    """How many invented customers exist at the start (not when a state file is loaded)."""
    seed_jobs: int = 0
    """How many daily export jobs exist at the start, the newest for yesterday; Gladly keeps 14. They
    are not part of the state file."""
    items_per_job: int = 180
    """Invented conversation items of a generated export job."""
    faults_file: Path | None = None
    """JSON list of scripted faults, see `bulkgladly.emulator.faults`."""
    state_file: Path | None = None
    """Loaded at the start if it exists, written at a clean stop."""

    attributes: Literal["merge", "replace"] = "merge"
    """What PATCH does with `customAttributes`: Gladly does not say."""
    moved_location: bool = False
    """Send `Location` with the 301 of a merged customer."""
    moved_to: Literal["next", "last"] = "next"
    """What `meta.new` names after several merges in a row: the next profile or the last one."""
    deleted_ids: Literal["free", "taken"] = "free"
    """Whether a new customer may have the id of a deleted one."""
    not_found: Literal["list", "object"] = "list"
    """Form of `errors` in 404 bodies; Gladly's document shows both."""
    job_order: Literal["insertion", "shuffled"] = "insertion"
    """Order of the list of export jobs, which Gladly does not document."""
    file_framing: Literal["length", "chunked"] = "length"
    """Whether an export file announces its `Content-Length`; Gladly does not say."""

    def __post_init__(self) -> None:
        if self.rate is not None and self.rate < 1:
            raise ValueError(f"rate is {self.rate}: it must be 1 or more, or None for no limit")
        if self.burst is not None and self.burst < 1:
            raise ValueError(f"burst is {self.burst}: it must be 1 or more")
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} is {getattr(self, name)!r}: it can be {', '.join(choices)}")
        for name in ("latency_s", "jitter_s", "seed_customers", "seed_jobs", "items_per_job", "neighbour_rate"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}: it cannot be negative")
        if self.seed_jobs > RETENTION.days:
            raise ValueError(f"seed_jobs is {self.seed_jobs}: jobs are kept for {RETENTION.days} days")
