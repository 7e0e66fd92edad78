"""What a user decides about `follow` and `listen`."""

import datetime as dt
from dataclasses import dataclass, field

from bulkgladly.gladly.objects.events import EVENT_ENTITIES
from bulkgladly.local_paths import LocalPath, OptionalPath
from bulkgladly.settings import Limits, Pace
from bulkgladly.webhooks.listen_options import ListenOptions

__all__ = ("RealtimeOptions",)


@dataclass(frozen=True, kw_only=True)
class RealtimeOptions:
    """What `follow` and `listen` have in common; with `listen` set, webhooks are received as well."""

    out: OptionalPath = OptionalPath()
    """The folder of the data set in which events land; None if they land nowhere."""
    entities: tuple[str, ...] = EVENT_ENTITIES
    since: dt.datetime | None = None
    """From when on events are wanted if the inbox is new; None for the last 24 hours."""
    every_s: float = 30.0
    """Seconds between two requests of the feed."""
    sinks: tuple[str, ...] = ()
    """Where events are passed on to: `-`, `exec:COMMAND`, or an https URL."""
    settle_s: float = 20.0
    """How long an event waits for older ones about the same object before it is passed on."""
    give_up_s: float = 24 * 3600.0
    """How long a sink is tried before an event is put aside as undeliverable."""
    sign_env: str | None = None
    """The environment variable with the secret with which https sinks are signed."""
    fetch: bool = False
    """Add the object that an event is about."""
    fetch_window_s: float = 5.0
    rules: OptionalPath = OptionalPath()
    land_every_s: float = 15 * 60.0
    land_rows: int = 10_000
    keep_days: float = 7.0
    """How long the inbox keeps events that all have used."""
    keep_bytes: int = 2 << 30
    """Most bytes of the inbox; beyond, the oldest used events go first."""
    listen: ListenOptions | None = None
    pace: Pace = field(default_factory=Pace)
    limits: Limits = field(default_factory=Limits)
    state_dir: LocalPath = LocalPath(".bulkgladly")
