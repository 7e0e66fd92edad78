"""`live`: who is available, who waits and what is due, as a table that refreshes, once, or as JSON."""

import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer

from bulkgladly.cli import flags
from bulkgladly.cli.flag_groups import WhereFlags, with_flags
from bulkgladly.cli.flags import OUTPUT, call_option, option
from bulkgladly.cli.output import print_json, print_lines, tell

if TYPE_CHECKING:
    from bulkgladly.live.live_state import LiveState
    from bulkgladly.live.live_view import LiveView

__all__ = ("EventSource", "Every", "Once", "live", "show_live")

Once = Annotated[bool, call_option("--once", "Print one table and exit.", OUTPUT)]
Every = Annotated[str, option("--every", "How often the table is refreshed.", OUTPUT, "TIME")]

AT_ONCE = 500
"""Events that are put into the state before the display gets its turn."""


@with_flags
def live(
    *,
    context: typer.Context,
    every: Every = "2s",
    once: Once = False,
    where: WhereFlags,
    json: flags.Json = False,
) -> None:
    """Show who is available, which contacts wait for how long, and which tasks are due.

    It is made of the events of the last 24 hours: from the inbox if `follow` or `listen` runs with the same
    --state-dir, else from Gladly's feed, at two requests a minute.
    """
    from bulkgladly.cli.values import seconds_of
    from bulkgladly.live.live_state import LiveState
    from bulkgladly.realtime.live_source import LiveSource
    from bulkgladly.runs.environment import USUAL

    environment = context.obj.environment or USUAL
    source = LiveSource(where.credentials(context), where.state_dir, note=tell, environment=environment)
    show_live(
        source,
        LiveState(names=source.names, gaps=source.gaps),
        as_json=json,
        is_once=once,
        every_s=seconds_of("--every", every),
        now=environment.wall,
    )


class EventSource(Protocol):
    """Where events come from."""

    def events(self, *, follow: bool) -> AsyncIterator[Mapping[str, Any]]:
        """Yield the events that are there. With `follow` go on with those that come, until it is cancelled."""
        ...


def show_live(
    source: EventSource,
    state: "LiveState",
    *,
    as_json: bool = False,
    is_once: bool = False,
    every_s: float = 2.0,
    now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
) -> None:
    """Show the live state of a source's events.

    With `as_json` it is printed as one JSON object and with `is_once` as one table; else a table on the terminal is
    refreshed every `every_s` seconds until Ctrl-C. Without a terminal lines are printed whenever something changed.
    """
    import anyio
    from rich.console import Console

    if as_json:
        print_json(anyio.run(_view_once, source, state, now).as_dict())
        return
    console = Console(highlight=False)
    if is_once:
        _print_view(console, anyio.run(_view_once, source, state, now))
    else:
        anyio.run(_follow, source, state, console, every_s, now)


def _print_view(console: Any, view: "LiveView") -> None:
    from bulkgladly.cli.live_display import live_table
    from bulkgladly.cli.live_words import live_lines

    if console.is_terminal:
        console.print(live_table(view, width=console.width))
    else:
        print_lines(*live_lines(view))


async def _view_once(source: EventSource, state: "LiveState", now: Callable[[], dt.datetime]) -> "LiveView":
    async for event in source.events(follow=False):
        state.apply(event, received_at=now())
    return state.snapshot(now())


async def _follow(
    source: EventSource, state: "LiveState", console: Any, every_s: float, now: Callable[[], dt.datetime]
) -> None:
    """Fold events and show the state beside it, until a signal or the end of the source."""
    import anyio
    from rich.live import Live

    from bulkgladly.runs.stages import Stop, heeding_signals, run_stages

    stop, ended = Stop(), anyio.Event()
    is_terminal = console.is_terminal
    # The alternate screen: the terminal is as it was when the command ends.
    live = Live(console=console, screen=True, auto_refresh=False) if is_terminal else None
    show = _lines_of(console) if live is None else _screen_of(live)

    async def read() -> None:
        count = 0
        async for event in source.events(follow=True):
            state.apply(event, received_at=now())
            count += 1
            if count % AT_ONCE == 0:
                await anyio.lowlevel.checkpoint()

    async def close() -> None:
        ended.set()

    async def draw() -> None:
        while not ended.is_set():
            show(state.snapshot(now()))
            with anyio.move_on_after(every_s):
                await ended.wait()

    work: Callable[[], Awaitable[None]] = draw
    with heeding_signals(stop, wanted=True), live or nullcontext():
        await run_stages(stop, sources=[read], close=close, work=work, workers=1)
    if stop.error is not None:
        raise stop.error


def _screen_of(live: Any) -> Callable[["LiveView"], None]:
    from bulkgladly.cli.live_display import live_table

    def show(view: "LiveView") -> None:
        width, height = live.console.size
        live.update(live_table(view, width=width, height=height), refresh=True)

    return show


def _lines_of(console: Any) -> Callable[["LiveView"], None]:
    """Return what prints a view if it differs from the last by more than the time."""
    from dataclasses import replace

    last: list[LiveView] = []

    def show(view: "LiveView") -> None:
        if not last or replace(view, at=last[0].at) != last[0]:
            last[:] = [view]
            _print_view(console, view)

    return show
