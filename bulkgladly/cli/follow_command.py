"""`follow`: events from Gladly's feed, without a public address."""

import typer

from bulkgladly.cli.flag_groups import OutputFlags, PaceFlags, SessionLimitFlags, WhereFlags, with_flags
from bulkgladly.cli.realtime_flags import EventFlags, KeepFlags, LandFlags, SinkFlags

__all__ = ("follow",)


@with_flags
def follow(
    *,
    context: typer.Context,
    events: EventFlags,
    land: LandFlags,
    sinks: SinkFlags,
    keep: KeepFlags,
    pace: PaceFlags,
    stop: SessionLimitFlags,
    where: WhereFlags,
    output: OutputFlags,
) -> None:
    """Receive events 15 to 45 seconds late; land them or pass them on.

    It needs no public address: Gladly's feed is read every 30 seconds. Events are stored before anything is done with
    them, so a stop or a crash of less than 24 hours loses none. With neither --out, --to nor --rules, events are
    printed as lines of JSON. For events within a second, use `listen`.
    """
    from bulkgladly.cli.realtime_output import serve_and_leave
    from bulkgladly.realtime.realtime_options import RealtimeOptions

    chosen = {**events.chosen(), **land.chosen(), **sinks.chosen(), **keep.chosen()}
    if not (chosen["out"] or chosen["sinks"] or chosen["rules"]):
        chosen["sinks"] = ("-",)
    options = RealtimeOptions(pace=pace.over(), limits=stop.over(), state_dir=where.state_dir, **chosen)
    serve_and_leave(context, options, where.credentials(context), output)
