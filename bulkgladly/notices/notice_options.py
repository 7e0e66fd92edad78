"""What a user decides about calls for help, checked before anything is sent."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bulkgladly.errors import UsageError
from bulkgladly.plain_numbers import whole_number

__all__ = ("NoticeOptions", "NoticeTimes", "checked_ping", "exit_codes_of")

_MOST_CODE = 255


@dataclass(frozen=True, slots=True)
class NoticeOptions:
    """Where a command tells how it goes. Addresses may contain secrets, so they appear in no file and no message.

    `good_codes` are the exit codes that count as success. With `is_always`, `notify` is also used after a success.
    """

    ping: str | None = None
    good_codes: frozenset[int] = frozenset({0})
    on_finish: str | None = None
    notify: tuple[str, ...] = ()
    is_always: bool = False
    metrics_file: Path | None = None
    metrics_at: tuple[str, int] | None = None

    @property
    def is_wanted(self) -> bool:
        """Whether anything is told at all."""
        return bool(self.ping or self.on_finish or self.notify or self.metrics_file or self.metrics_at)


@dataclass(frozen=True, slots=True)
class NoticeTimes:
    """How long each call may take, in seconds, and how often the metrics are written."""

    ping_s: float = 5.0
    ping_pause_s: float = 1.0
    command_s: float = 60.0
    notify_s: float = 30.0
    metrics_every_s: float = 15.0


def checked_ping(url: str) -> str:
    """Return the URL of a ping.

    Raises:
        UsageError: Not an http URL. The message does not show it, because whoever knows it can send pings.
    """
    try:
        parts = urlsplit(url)
        is_fit = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        is_fit = False
    if not is_fit or not url.isprintable() or " " in url:
        raise UsageError("the value of --ping is not an http or https URL; use https://hc-ping.com/<uuid>, for example")
    return url


def exit_codes_of(flag: str, texts: Sequence[str]) -> frozenset[int]:
    """Return exit codes from their texts.

    Raises:
        UsageError: One is not an exit code, or there are none.
    """
    found: set[int] = set()
    for text in texts:
        code = whole_number(text)
        if code is None or code > _MOST_CODE:
            raise UsageError(f"{flag} {text} is not an exit code from 0 to {_MOST_CODE}; use 0,10, for example")
        found.add(code)
    if not found:
        raise UsageError(f"{flag} names no exit code; use 0,10, for example")
    return frozenset(found)
