"""`inbox show`, `inbox replay` and `inbox drop`: the events that were received, also while a process receives."""

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bulkgladly.cli import flags
from bulkgladly.cli.lake_flags import time_or_age_of_flag
from bulkgladly.cli.output import print_json, print_lines, tell
from bulkgladly.errors import UsageError

if TYPE_CHECKING:
    from bulkgladly.sinks.replay import Replayed

__all__ = ("drop", "replay", "show")

_EVENTS = "Events"

_WAYS = {
    "webhook": "by webhook",
    "feed": "from the feed",
    "jobs": "from the list of export jobs",
    "filled": "missed by the webhook",
    "seen_twice": "copies",
    "strange": "not events",
}


def show(state_dir: flags.StateDir = Path(".bulkgladly"), json: flags.Json = False) -> None:
    """Show what the inbox holds: events by the way they came, what each reader has yet to do, and gaps."""
    from contextlib import closing

    from bulkgladly.inbox.stored_events import InboxReader, inbox_path
    from bulkgladly.inbox.upkeep import view_of
    from bulkgladly.runs.observer import counted

    with closing(InboxReader(inbox_path(state_dir))) as reader:
        view = view_of(reader)
    dead = _dead_letters(state_dir)
    if json:
        print_json(
            {
                **view._asdict(),
                "readers": [one._asdict() for one in view.readers],
                "dead_letters": dead,
            }
        )
        return
    print_lines(f"{counted(view.events, 'event')} in {view.bytes / 1e6:,.1f} MB")
    ways = [
        f"{number:,} {_WAYS.get(name, name)}"
        for name, number in view.counters.items()
        # All that came from the feed is said already; and without a webhook none of it was missed.
        if number and (name != "filled" or number != view.counters.get("feed"))
    ]
    if ways:
        print_lines(f"  received in all: {', '.join(ways)}")
    if view.newest is not None:
        print_lines(f"  newest: {_shown(view.newest)}")
    for one in view.readers:
        why = f"; {counted(one.failing, 'event')} failing: {one.reason}" if one.failing else ""
        print_lines(
            f"  {one.name}: {counted(one.waiting, 'event')} waiting{why}"
            if one.waiting
            else f"  {one.name}: up to date"
        )
    for begins, ends in view.gaps:
        print_lines(f"  gap: {_shown(begins)} to {_shown(ends)}; these events cannot be had any more")
    if dead:
        print_lines(f"  {counted(dead, 'event')} not taken by a sink, in {_dead_path(state_dir)}")


def replay(
    context: typer.Context,
    since: Annotated[
        str | None,
        flags.call_option(
            "--since",
            "Only events that Gladly recorded since this time, or since 8h ago. (default: all that are kept)",
            _EVENTS,
            "TIME",
        ),
    ] = None,
    where: Annotated[
        str | None,
        flags.call_option(
            "--where",
            "Only events for which this JMESPath is true, for example: type == 'TASK/CREATED'",
            _EVENTS,
            "EXPR",
        ),
    ] = None,
    to: Annotated[
        str,
        flags.call_option(
            "--to", "Where to pass them on: - for stdout, exec:COMMAND, or an https URL.", flags.OUTPUT, "SINK"
        ),
    ] = "-",
    sign_env: Annotated[
        str | None,
        flags.call_option(
            "--sign-env",
            "Sign https requests with the secret in this environment variable (Standard Webhooks).",
            flags.OUTPUT,
            "NAME",
        ),
    ] = None,
    state_dir: flags.StateDir = Path(".bulkgladly"),
) -> None:
    """Pass events of the inbox on again, in the order in which they arrived.

    What readers have yet to do does not change. Receivers recognise copies by `id`.
    """
    from bulkgladly.runs.observer import counted
    from bulkgladly.sinks.replay import event_filter
    from bulkgladly.sinks.sinks import SinkEnded

    chosen = {"since": time_or_age_of_flag("--since", since), "where": event_filter(where)}
    try:
        done = _replayed(context, state_dir, to, sign_env, chosen)
    except SinkEnded as ended:
        # As every command does whose reader has seen enough.
        tell(str(ended))
        return
    rest = f"; {done.left_out:,} did not match" if done.left_out else ""
    tell(f"passed on {counted(done.passed, 'event')}{rest}" if done.passed else f"no events to pass on{rest}")
    if done.refused:
        tell(f"{counted(done.refused, 'event')} not taken")
        raise typer.Exit(1)


def _replayed(
    context: typer.Context, state_dir: Path, to: str, sign_env: str | None, chosen: dict[str, Any]
) -> "Replayed":
    """Pass the chosen events on to one sink, and return how many that were."""
    from contextlib import closing

    import anyio

    from bulkgladly.inbox.stored_events import InboxReader, inbox_path
    from bulkgladly.runs.environment import USUAL
    from bulkgladly.sinks.replay import replay as passed_on
    from bulkgladly.sinks.sink_choice import sinks_of

    environment = context.obj.environment or USUAL
    (sink,) = sinks_of((to,), tell, sign_env=sign_env, environment=environment)

    async def work(reader: InboxReader) -> "Replayed":
        try:
            return await passed_on(reader, sink, note=tell, environment=environment, **chosen)
        finally:
            await sink.close()

    with closing(InboxReader(inbox_path(state_dir))) as reader:
        return anyio.run(work, reader)


def drop(
    before: Annotated[
        str,
        flags.call_option(
            "--before", "Drop events that arrived before this time, or more than 30d ago.", _EVENTS, "TIME"
        ),
    ],
    forget: Annotated[
        list[str] | None,
        flags.call_option(
            "--forget",
            "Forget a reader that is not used any more, by its name in `inbox show`.",
            _EVENTS,
            "READER",
        ),
    ] = None,
    state_dir: flags.StateDir = Path(".bulkgladly"),
    json: flags.Json = False,
) -> None:
    """Drop old events that all readers are done with. What one of them still needs is kept."""
    from bulkgladly.inbox.upkeep import drop_beside
    from bulkgladly.runs.observer import counted

    time = time_or_age_of_flag("--before", before)
    if time is None:
        raise UsageError("--before is empty; pass a day, a time, or an age such as 30d")
    done = drop_beside(state_dir, time, forget=forget or [])
    if json:
        print_json(done._asdict())
        return
    tell(f"dropped {counted(done.dropped, 'event')}")
    if done.kept:
        tell(
            f"kept {counted(done.kept, 'older event')}, which these readers have yet to do: {', '.join(done.needed_by)}"
        )
        tell("fix: let them catch up; if one is not used any more, pass its name to --forget")


def _dead_path(state_dir: Path) -> Path:
    from bulkgladly.sinks.dead_letters import dead_letters_path

    return dead_letters_path(state_dir)


def _dead_letters(state_dir: Path) -> int:
    try:
        with _dead_path(state_dir).open("rb") as file:
            return sum(1 for line in file if line.strip())
    except FileNotFoundError:
        return 0


def _shown(time: dt.datetime) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC")
