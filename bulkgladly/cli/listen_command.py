"""`listen`: receive webhooks, and create, show and remove the webhook in Gladly."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from bulkgladly.cli import flags
from bulkgladly.cli.flag_groups import FlagGroup, OutputFlags, PaceFlags, SessionLimitFlags, WhereFlags, with_flags
from bulkgladly.cli.flags import call_option, option
from bulkgladly.cli.output import print_json, print_lines, tell
from bulkgladly.cli.realtime_flags import EventFlags, KeepFlags, LandFlags, SinkFlags
from bulkgladly.cli.row_flags import words_of
from bulkgladly.cli.values import bytes_of

if TYPE_CHECKING:
    from bulkgladly.api.client import Client
    from bulkgladly.gladly.webhook_requests import Webhook
    from bulkgladly.settings import Credentials

__all__ = ("listen", "register", "show", "unregister")

_RECEIVE, _WEBHOOK = "Receiving webhooks", "Webhook"
_OUR_NAME = "bulkgladly"  # as in `known_webhook`; a test compares them

T = TypeVar("T")
Name = Annotated[str, call_option("--name", "The name of our webhook in Gladly.", _WEBHOOK, "NAME")]


@dataclass(frozen=True)
class _ReceiveFlags(FlagGroup):
    at: Annotated[str, option("--at", "The address and the port to listen at.", _RECEIVE, "HOST:PORT")] = (
        "127.0.0.1:8080"
    )
    path: Annotated[str, option("--path", "The path of the webhook's URL.", _RECEIVE, "PATH")] = "/gladly"
    tls_cert: Annotated[
        Path | None,
        option("--tls-cert", "The certificate with its chain (PEM), for TLS without a proxy.", _RECEIVE, "FILE"),
    ] = None
    tls_key: Annotated[Path | None, option("--tls-key", "The key of the certificate (PEM).", _RECEIVE, "FILE")] = None
    max_body: Annotated[
        str, option("--max-body", "Keep only the first part of a body that is longer than this.", _RECEIVE, "SIZE")
    ] = "1MB"
    heal: Annotated[bool, option("--heal", "Enable our webhook again if Gladly has deactivated it.", _RECEIVE)] = False
    live: Annotated[bool, option("--live", "Serve a page at /live that shows what is going on.", _RECEIVE)] = False

    def chosen(self) -> dict[str, Any]:
        """Return these options as fields of `ListenOptions`.

        Raises:
            UsageError: The value of an option is not valid.
        """
        names = ("at", "path", "tls_cert", "tls_key", "heal", "live")
        given = {name: getattr(self, name) for name in names}
        return {**given, "max_body_bytes": bytes_of("--max-body", self.max_body)}


@with_flags
def listen(
    *,
    context: typer.Context,
    receive: _ReceiveFlags,
    events: EventFlags,
    land: LandFlags,
    sinks: SinkFlags,
    keep: KeepFlags,
    pace: PaceFlags,
    stop: SessionLimitFlags,
    where: WhereFlags,
    output: OutputFlags,
) -> None:
    """Receive events from webhooks at once; land them or pass them on.

    Gladly needs a public https URL that leads here, and the webhook itself: create it with `listen register`. What was
    missed meanwhile is taken from Gladly's feed of the last 24 hours. Secrets come from the environment:
    BULKGLADLY_LISTEN_USERNAME and BULKGLADLY_LISTEN_PASSWORD, or BULKGLADLY_LISTEN_HEADER. Without a public URL, use
    `follow`.
    """
    if context.invoked_subcommand is not None:
        _refuse_options(context)
        return
    from bulkgladly.cli.realtime_output import serve_and_leave
    from bulkgladly.realtime.realtime_options import RealtimeOptions
    from bulkgladly.webhooks.listen_options import ListenOptions

    options = RealtimeOptions(
        listen=ListenOptions(**receive.chosen()),
        pace=pace.over(),
        limits=stop.over(),
        state_dir=where.state_dir,
        **events.chosen(),
        **land.chosen(),
        **sinks.chosen(),
        **keep.chosen(),
    )
    serve_and_leave(context, options, where.credentials(context), output)


def _refuse_options(context: typer.Context) -> None:
    """Refuse options of `listen` itself in front of one of its commands, where they would do nothing."""
    from bulkgladly.errors import UsageError

    for item in context.command.params:
        source = context.get_parameter_source(item.name or "")
        if source is not None and source.name == "COMMANDLINE":
            raise UsageError(
                f"{item.opts[0]} belongs to `listen` itself; put what `{context.invoked_subcommand}` needs behind it"
            )


@with_flags
def register(
    *,
    context: typer.Context,
    url: Annotated[str, typer.Argument(help="The public https URL that leads to `listen`.", metavar="URL")],
    events: Annotated[
        str,
        call_option("--events", "Comma-separated types of events to receive. (default: all)", _WEBHOOK, "TYPES"),
    ] = "",
    name: Name = _OUR_NAME,
    where: WhereFlags,
) -> None:
    """Create the webhook in Gladly, or update it, and enable it. `listen` must be running.

    Gladly sends a PING to the URL, which `listen` answers, and enables the webhook only then. The webhook gets the
    secrets that `listen` takes from the environment; after you have changed them, run this again. The exit code is 1 if
    the webhook is there, but not enabled.
    """
    import os

    from bulkgladly.runs.observer import counted
    from bulkgladly.webhooks.known_webhook import KnownWebhook, known_webhook, remember_webhook
    from bulkgladly.webhooks.listen_secrets import ListenSecrets
    from bulkgladly.webhooks.registration import Registrar, check_events, check_url

    credentials = where.credentials(context)
    check_url(url, credentials.host)
    types, secrets = check_events(words_of(events)), ListenSecrets.from_environment(os.environ)
    known = known_webhook(where.state_dir, credentials.host)

    async def work(client: "Client") -> Any:
        return await Registrar(client, name=name, known=known).register(url, types, secrets)

    done = _asked(context, credentials, work)
    webhook = done.webhook
    remember_webhook(where.state_dir, KnownWebhook(credentials.host, webhook.id, webhook.url, name))
    word = "created" if done.is_new else "updated"
    print_lines(f"{word} the webhook {webhook.label}: {counted(len(types), 'type')} of events to {webhook.url}")
    for other in done.others:
        tell(
            f"warning: the webhook {other.label} sends events to {other.url} as well; if nothing listens there any "
            f"more, remove it with `bulkgladly listen unregister {other.id}`"
        )
    if done.detail:
        tell(f"error: {done.detail}")
        raise typer.Exit(1)
    print_lines("it is enabled: Gladly sends events from now on")


@with_flags
def show(*, context: typer.Context, name: Name = _OUR_NAME, where: WhereFlags, json: flags.Json = False) -> None:
    """List the webhooks in Gladly, and whether each is enabled."""
    from bulkgladly.webhooks.known_webhook import known_webhook
    from bulkgladly.webhooks.registration import Registrar

    credentials = where.credentials(context)
    known = known_webhook(where.state_dir, credentials.host)

    async def work(client: "Client") -> "list[tuple[Webhook, bool]]":
        registrar = Registrar(client, name=name, known=known)
        return [(each, registrar.is_ours(each)) for each in await registrar.webhooks()]

    found = _asked(context, credentials, work)
    if json:
        print_json([{**each._asdict(), "is_ours": is_ours} for each, is_ours in found])
        return
    if not found:
        tell("Gladly has no webhooks; create one with `bulkgladly listen register URL`")
    for each, is_ours in found:
        print_lines(_line(each, is_ours=is_ours))


def _line(webhook: "Webhook", *, is_ours: bool) -> str:
    from bulkgladly.runs.observer import counted

    state = "enabled" if webhook.enabled else "disabled"
    if webhook.disabled_at is not None:
        state = f"deactivated by Gladly at {webhook.disabled_at:%Y-%m-%d %H:%M} (UTC) after failed deliveries"
    whose = ", created by bulkgladly" if is_ours else ""
    return f"{webhook.label}: {state}, {counted(len(webhook.events), 'type')} of events to {webhook.url}{whose}"


@with_flags
def unregister(
    *,
    context: typer.Context,
    which: Annotated[str, typer.Argument(help="Its URL or its id.", metavar="URL|ID")],
    force: Annotated[
        bool, call_option("--force", "Remove it even if it was not created by bulkgladly.", _WEBHOOK)
    ] = False,
    name: Name = _OUR_NAME,
    where: WhereFlags,
) -> None:
    """Disable a webhook in Gladly and delete it."""
    from bulkgladly.webhooks.known_webhook import forget_webhook, known_webhook
    from bulkgladly.webhooks.registration import Registrar

    credentials = where.credentials(context)
    known = known_webhook(where.state_dir, credentials.host)

    async def work(client: "Client") -> "Webhook":
        return await Registrar(client, name=name, known=known).unregister(which, is_forced=force)

    gone = _asked(context, credentials, work)
    if known is not None and known.id == gone.id:
        forget_webhook(where.state_dir)
    print_lines(f"removed the webhook {gone.label}; Gladly sends no more events to {gone.url}")


def _asked(context: typer.Context, credentials: "Credentials", work: "Callable[[Client], Awaitable[T]]") -> T:
    """Return what some work with Gladly returns."""
    import anyio

    from bulkgladly.runs.connection import Connection
    from bulkgladly.runs.environment import USUAL
    from bulkgladly.settings import Limits, Pace

    async def talk() -> T:
        connection = Connection(credentials, Pace(), Limits(), context.obj.environment or USUAL)
        async with connection.client as client:
            return await work(client)

    return anyio.run(talk)
