"""The options of `follow` and `listen`: which events, where they go, and how they are kept."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from bulkgladly.choices import closest
from bulkgladly.cli import completions
from bulkgladly.cli.flag_groups import FlagGroup
from bulkgladly.cli.flags import call_option, option
from bulkgladly.cli.lake_flags import time_or_age_of_flag
from bulkgladly.cli.row_flags import words_of
from bulkgladly.cli.values import bytes_of, seconds_of
from bulkgladly.errors import UsageError

__all__ = ("EventFlags", "KeepFlags", "LandFlags", "SinkFlags", "entities_in")

_EVENTS, _LAKE, _SINKS, _INBOX = "Events", "Data set", "Passing events on", "Inbox"
_DAY_S = 86_400.0


@dataclass(frozen=True)
class EventFlags(FlagGroup):
    """Which events, and how often Gladly's feed is read."""

    entities: Annotated[
        str,
        option(
            "--entities",
            "Comma-separated kinds of events, such as CONTACT,TASK. (default: all)",
            _EVENTS,
            "NAMES",
            autocompletion=completions.event_kinds,
        ),
    ] = ""
    since: Annotated[
        str | None,
        call_option(
            "--since",
            "Where a first start begins: a time, or 8h ago; at most 24 hours. "
            "(default: sinks and rules begin now, the data set 24 hours ago)",
            _EVENTS,
            "TIME",
        ),
    ] = None
    every: Annotated[str, option("--every", "How often to read Gladly's feed of events.", _EVENTS, "TIME")] = "30s"

    def chosen(self) -> dict[str, Any]:
        """Return these options as fields of `RealtimeOptions`.

        Raises:
            UsageError: The value of an option is not valid.
        """
        found = {
            "since": time_or_age_of_flag("--since", self.since),
            "every_s": seconds_of("--every", self.every),
        }
        return {**found, "entities": entities_in(self.entities)} if self.entities else found


@dataclass(frozen=True)
class LandFlags(FlagGroup):
    """The data set in which events land."""

    out: Annotated[
        Path | None,
        option("--out", "The folder of the data set in which events land.", _LAKE, "DIR", file_okay=False),
    ] = None
    land_every: Annotated[
        str, option("--land-every", "How often events are written to the data set.", _LAKE, "TIME")
    ] = "15m"

    def chosen(self) -> dict[str, Any]:
        """Return these options as fields of `RealtimeOptions`.

        Raises:
            UsageError: The value of an option is not valid.
        """
        return {"out": self.out, "land_every_s": seconds_of("--land-every", self.land_every)}


@dataclass(frozen=True)
class SinkFlags(FlagGroup):
    """Where events are passed on to, with what, and in which order."""

    # Without a variable: a command has blanks, at which a variable would be split.
    to: Annotated[
        list[str] | None,
        call_option(
            "--to",
            "Pass events on: - for stdout, exec:'COMMAND' for its standard input, or an https URL; repeatable.",
            _SINKS,
            "SINK",
        ),
    ] = None
    fetch: Annotated[bool, option("--fetch", "Add the object that an event is about.", _SINKS)] = False
    fetch_window: Annotated[
        str, option("--fetch-window", "Fetch an object at most once in this time.", _SINKS, "TIME")
    ] = "5s"
    rules: Annotated[
        Path | None,
        option("--rules", "A file with rules: what to do on which events.", _SINKS, "FILE", dir_okay=False),
    ] = None
    settle: Annotated[
        str,
        option("--settle", "Wait for older events about the same object; 0 for not at all.", _SINKS, "TIME"),
    ] = "20s"
    sink_give_up: Annotated[
        str,
        option("--sink-give-up", "Put an event aside if a sink has not taken it after this time.", _SINKS, "TIME"),
    ] = "24h"
    sign_env: Annotated[
        str | None,
        option(
            "--sign-env",
            "Sign https requests with the secret in this environment variable (Standard Webhooks).",
            _SINKS,
            "NAME",
        ),
    ] = None

    def chosen(self) -> dict[str, Any]:
        """Return these options as fields of `RealtimeOptions`.

        Raises:
            UsageError: The value of an option is not valid.
        """
        return {
            "sinks": tuple(self.to or ()),
            "fetch": self.fetch,
            "fetch_window_s": seconds_of("--fetch-window", self.fetch_window),
            "rules": self.rules,
            "settle_s": _seconds_or_none("--settle", self.settle),
            "give_up_s": seconds_of("--sink-give-up", self.sink_give_up),
            "sign_env": self.sign_env,
        }


@dataclass(frozen=True)
class KeepFlags(FlagGroup):
    """How long received events are kept."""

    keep: Annotated[str, option("--keep", "How long to keep received events that have been used.", _INBOX, "TIME")] = (
        "7d"
    )
    keep_size: Annotated[
        str, option("--keep-size", "Beyond this size, drop the oldest used events first.", _INBOX, "SIZE")
    ] = "2GB"

    def chosen(self) -> dict[str, Any]:
        """Return these options as fields of `RealtimeOptions`.

        Raises:
            UsageError: The value of an option is not valid.
        """
        return {
            "keep_days": seconds_of("--keep", self.keep) / _DAY_S,
            "keep_bytes": bytes_of("--keep-size", self.keep_size),
        }


def entities_in(text: str) -> tuple[str, ...]:
    """Return the kinds of events, in Gladly's order.

    Raises:
        UsageError: One of them does not exist.
    """
    from bulkgladly.gladly.objects.events import EVENT_ENTITIES

    wanted = [word.upper() for word in words_of(text)]
    for word in wanted:
        if word not in EVENT_ENTITIES:
            meant = closest(word, EVENT_ENTITIES)
            hint = f"did you mean {meant}?" if meant else f"choose from {', '.join(EVENT_ENTITIES)}"
            raise UsageError(f"--entities: unknown kind of events {word!r}; {hint}")
    return tuple(each for each in EVENT_ENTITIES if each in wanted)


def _seconds_or_none(flag: str, text: str) -> float:
    return 0.0 if text.strip() in ("0", "0s") else seconds_of(flag, text)
