"""`runs pause`, `runs continue`, `runs rate` and `runs stop`: steering a run from another terminal."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bulkgladly.cli import flags
from bulkgladly.cli.output import print_json, print_lines
from bulkgladly.cli.run_arguments import RunningRun
from bulkgladly.commands import next_command
from bulkgladly.errors import UsageError

if TYPE_CHECKING:
    from bulkgladly.journal.run_folder import RunFolder
    from bulkgladly.journal.steering_files import Obeyed

__all__ = ("continue_", "pause", "rate", "steering_text", "stop")


def pause(run: RunningRun, state_dir: flags.StateDir = Path(".bulkgladly"), json: flags.Json = False) -> None:
    """Pause a run in another terminal: it sends nothing more until you continue it.

    Requests in flight finish. Time limits keep running, and Ctrl-C still stops the run.
    """
    folder, obeyed = _steered(run, state_dir, is_paused=True)
    told = f"run {folder.name} is paused: {_progress_text(obeyed)}{_in_flight_text(obeyed)}"
    _tell(folder, obeyed, told, f"continue it with `{_command(folder, 'runs', 'continue')}`", json=json)


def continue_(run: RunningRun, state_dir: flags.StateDir = Path(".bulkgladly"), json: flags.Json = False) -> None:
    """Continue a run that was paused. It does not send faster to make up for the pause."""
    folder, obeyed = _steered(run, state_dir, is_paused=False)
    told = f"run {folder.name} is running: {_progress_text(obeyed)}"
    _tell(folder, obeyed, told, _pace_text(obeyed), f"waiting: {obeyed.waiting}" if obeyed.waiting else "", json=json)


def rate(
    run: RunningRun,
    requests: Annotated[
        str,
        typer.Argument(help="Requests a second, such as 3; usual returns to the run's own pace.", metavar="N|usual"),
    ],
    state_dir: flags.StateDir = Path(".bulkgladly"),
    json: flags.Json = False,
) -> None:
    """Change how fast a run sends, even above its own --rate, but never above Gladly's limit less its --reserve.

    It lasts until you change it, even after `resume`, and takes precedence over a --rate-schedule.
    """
    folder, obeyed = _steered(run, state_dir, rate=_rate_of(requests))
    usual = f"its own pace again: `{_command(folder, 'runs', 'rate', folder.name, 'usual')}`"
    paused = f"it is paused, continue it with `{_command(folder, 'runs', 'continue')}`"
    more = (usual if obeyed.rate is not None else "", paused if obeyed.is_paused else "")
    _tell(folder, obeyed, f"run {folder.name}: {_pace_text(obeyed)}", *more, json=json)


def stop(run: RunningRun, state_dir: flags.StateDir = Path(".bulkgladly"), json: flags.Json = False) -> None:
    """Stop a run safely, as Ctrl-C in its terminal does: requests in flight finish, and its state is saved."""
    folder, obeyed = _steered(run, state_dir, is_stopped=True)
    told = f"run {folder.name} is stopping: {_progress_text(obeyed)}{_in_flight_text(obeyed)}"
    _tell(folder, obeyed, told, f"continue it later with `{_command(folder, 'resume')}`", json=json)


def steering_text(obeyed: "Obeyed") -> str:
    """Return what steers a run now, for people: `paused by runs pause`, or its pace."""
    return obeyed.why if obeyed.why and obeyed.rate is None else _pace_text(obeyed)


def _steered(name: str, state_dir: Path, **changes: Any) -> "tuple[RunFolder, Obeyed]":
    from bulkgladly.journal.runs import find_run
    from bulkgladly.runs.steer_run import steer_run

    # Of the runs that a part of a name fits, the one that is in progress is meant.
    folder = find_run(state_dir, name, is_meant=lambda run: run.worker() is not None)
    return folder, steer_run(folder, lambda orders: replace(orders, **changes))


def _rate_of(text: str) -> float | None:
    from bulkgladly.cli.values import rate_of
    from bulkgladly.rate_schedule import LEAST_RATE

    if text == "usual":
        return None
    if text in ("0", "unlimited"):
        fix = "pause the run with `bulkgladly runs pause`" if text == "0" else "use usual for the run's own pace"
        raise UsageError(f"{text} is not a rate; {fix}")
    try:
        rate = rate_of(text, what="")
    except UsageError as error:
        raise UsageError(f"{error}, or usual for the run's own pace") from None
    if rate < LEAST_RATE:
        raise UsageError(f"{text} is below {LEAST_RATE} requests a second; pause the run with `bulkgladly runs pause`")
    return rate


def _tell(folder: "RunFolder", obeyed: "Obeyed", told: str, *more: str, json: bool) -> None:
    if json:
        print_json({"run": folder.name, **asdict(obeyed)})
        return
    print_lines(told)
    print_lines(*(f"  {line}" for line in more if line))


def _command(folder: "RunFolder", *words: str) -> str:
    named = words if folder.name in words else (*words, folder.name)
    return next_command(*named, state_dir=folder.state_dir, connects=words[0] == "resume")


def _progress_text(obeyed: "Obeyed") -> str:
    from bulkgladly.cli.progress_words import things_text

    if not obeyed.total:
        return "nothing is done yet"
    about = "" if obeyed.is_exact else "about "
    return f"{obeyed.done:,} of {about}{obeyed.total:,} {things_text(obeyed.things)} are done"


def _in_flight_text(obeyed: "Obeyed") -> str:
    from bulkgladly.runs.observer import counted

    return f", {counted(obeyed.in_flight, 'request')} in flight will end" if obeyed.in_flight else ""


def _pace_text(obeyed: "Obeyed") -> str:
    """Return how fast a run may send now, and by whose word."""
    if obeyed.why and not obeyed.is_paused:
        return obeyed.why  # a schedule says when, and another rate may hold then
    now = f"{obeyed.why}, then " if obeyed.why else ""
    if obeyed.per_second is None:
        return f"{now}without a limit"
    most = f"{now}at most {obeyed.per_second:g} requests/s"
    if obeyed.rate is None:
        return most
    if obeyed.per_second < obeyed.rate:
        return f"{most}, which is Gladly's limit less the reserve (`runs rate` asked for {obeyed.rate:g})"
    return f"{most} (set by `runs rate`)"
