"""The options by which a command that runs unattended calls for help: added to all of them in one place."""

import inspect
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bulkgladly.choices import NotifyOn
from bulkgladly.cli.configuration import CallContext
from bulkgladly.cli.flag_groups import FlagGroup, with_flags
from bulkgladly.cli.flags import choices_of, option
from bulkgladly.cli.output import tell
from bulkgladly.cli.row_flags import words_of
from bulkgladly.local_paths import local_path

if TYPE_CHECKING:
    from bulkgladly.notices.notice_options import NoticeOptions

__all__ = ("NoticeFlags", "with_notices")

_NOTICES = "Notices"


@dataclass(frozen=True)
class NoticeFlags(FlagGroup):
    """Who is told how a command goes and how it ended."""

    ping: Annotated[
        str | None,
        option(
            "--ping",
            "Ping this URL of healthchecks.io, or of one like it, at the start and at the end.",
            _NOTICES,
            "URL",
        ),
    ] = None
    ping_ok: Annotated[
        str,
        option("--ping-ok", "The exit codes that count as success in pings, notices and metrics.", _NOTICES, "CODES"),
    ] = "0"
    on_finish: Annotated[
        str | None,
        option(
            "--on-finish",
            "Run this line of shell at the end, with BULKGLADLY_RUN, _STATUS, _EXIT and _REPORT in its environment.",
            _NOTICES,
            "COMMAND",
        ),
    ] = None
    notify: Annotated[
        list[str] | None,
        option(
            "--notify",
            "Tell a chat or a mailbox if it failed, by a URL of apprise such as slack://...; repeatable.",
            _NOTICES,
            "URL",
        ),
    ] = None
    notify_on: Annotated[NotifyOn, option("--notify-on", "When --notify is used.", _NOTICES, choices_of(NotifyOn))] = (
        NotifyOn.FAILURE
    )
    metrics_file: Annotated[
        Path | None,
        option(
            "--metrics-file",
            "Write metrics to this file (.prom) for node_exporter, every 15 s and at the end.",
            _NOTICES,
            "FILE",
        ),
    ] = None
    metrics_addr: Annotated[
        str | None,
        option("--metrics-addr", "Serve metrics at this address while it runs.", _NOTICES, "HOST:PORT"),
    ] = None

    def chosen(self) -> "NoticeOptions":
        """Return these options.

        Raises:
            UsageError: The value of an option is not valid.
        """
        from bulkgladly.notices.notice_options import NoticeOptions, checked_ping, exit_codes_of
        from bulkgladly.webhooks.listen_address import address_of

        return NoticeOptions(
            ping=checked_ping(self.ping) if self.ping else None,
            good_codes=exit_codes_of("--ping-ok", words_of(self.ping_ok)),
            on_finish=self.on_finish or None,
            notify=tuple(self.notify or ()),
            is_always=self.notify_on is NotifyOn.ALWAYS,
            metrics_file=local_path(self.metrics_file, what="--metrics-file") if self.metrics_file else None,
            metrics_at=address_of(self.metrics_addr, flag="--metrics-addr") if self.metrics_addr else None,
        )


def with_notices(command: Callable[..., None], *, is_endless: bool = False) -> Callable[..., None]:
    """Return a command with the options of `NoticeFlags` behind its own, watched from its first step to its exit code.

    The command itself knows nothing of it. `bulkgladly.cli.app` tells the watch the exit code, and the functions that
    run a work what it returns. `is_endless` is a command that runs until it is stopped.
    """

    def watched(context: typer.Context, notices: NoticeFlags, **given: Any) -> None:
        # `listen register` and its siblings run `listen` first.
        if context.invoked_subcommand is None:
            context.obj.watch = _watch(context, notices, is_endless=is_endless)
        command(context=context, **given)

    own = dict(inspect.signature(command).parameters)
    more = inspect.Parameter("notices", inspect.Parameter.KEYWORD_ONLY, annotation=NoticeFlags)
    found = wraps(command)(watched)
    vars(found)["__signature__"] = inspect.Signature([*own.values(), more])
    found.__annotations__ = {**{name: each.annotation for name, each in own.items()}, "notices": NoticeFlags}
    return with_flags(found)


def _watch(context: typer.Context, notices: NoticeFlags, *, is_endless: bool) -> Any:
    options = notices.chosen()
    # A look at what would be done is no night: its success would hide that the night itself has failed.
    if not options.is_wanted or context.params.get("dry_run") or context.params.get("rehearse"):
        return None
    from bulkgladly.notices.night_watch import NightWatch

    _, _, name = context.command_path.partition(" ")
    return NightWatch(name, options, tell, hidden=_secrets(context.obj, context.params), is_endless=is_endless)


def _secrets(call: CallContext, given: Any) -> Collection[str]:
    """Return the variables that hold secrets under a name of the user's choice."""
    named = {profile.get("token_env") for profile in call.profiles.values() if isinstance(profile, dict)}
    return {name for name in (*named, given.get("sign_env")) if isinstance(name, str)}
