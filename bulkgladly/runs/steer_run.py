"""Giving an order to a run that works in another process, and waiting until it obeys."""

import os
import time
from collections.abc import Callable
from dataclasses import replace

from bulkgladly.commands import next_command
from bulkgladly.errors import BulkgladlyError, RunSilent, UsageError
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.journal.steering_files import Obeyed, Orders, obeyed_in, orders_in, orders_lock, write_steering
from bulkgladly.storage.failures import file_error
from bulkgladly.storage.lock import LockHeld

__all__ = ("obeyed_now", "steer_run")

PATIENCE_S = 10.0
_LOOK_S = 0.05


def obeyed_now(run: RunFolder) -> Obeyed | None:
    """Return what the process that works on a run obeys; None if there is no process, or it has not said so yet."""
    worker = run.worker()
    found = obeyed_in(run.path) if worker is not None else None
    return found if found is not None and found.pid == worker else None


def steer_run(run: RunFolder, change: Callable[[Orders], Orders], *, patience_s: float = PATIENCE_S) -> Obeyed:
    """Change the orders of a run that works in another process, and return what it obeys then.

    The orders stand from the moment in which they are written: they are obeyed also if this process is killed, or
    does not wait any longer.

    Raises:
        UsageError: No process works on the run, or it belongs to another user. Nothing was ordered.
        DiskFull, JournalError: The orders cannot be written.
        RunSilent: The run has not obeyed in time.
    """
    if run.path.stat().st_uid != os.geteuid():
        raise UsageError(f"run {run.name} belongs to another user; give the command as the user who started it")
    deadline = time.monotonic() + patience_s
    while True:
        session = _session_of(run, deadline)
        number = _order(run, session, change)
        obeyed = _obeyed(run, session, number, deadline)
        # Another session may have begun meanwhile, and the orders are for the one that a person sees.
        if obeyed is not None:
            return obeyed


def _session_of(run: RunFolder, deadline: float) -> Obeyed:
    """Wait until the run says which session obeys, and return what it obeys."""
    while (found := obeyed_now(run)) is None:
        _demand_work(run)
        if _is_ending(run):
            told = "has sent its last request and writes its results, so there is nothing to steer"
            raise UsageError(f"run {run.name} {told}")
        if time.monotonic() > deadline:
            raise RunSilent(
                f"run {run.name} takes no orders yet: it has not begun to work, or an older version of bulkgladly "
                "works on it; try again later, or stop it with Ctrl-C in its terminal"
            )
        time.sleep(_LOOK_S)
    return found


def _is_ending(run: RunFolder) -> bool:
    """Tell whether the process that works on a run has no more to send: it obeys nothing any more."""
    worker = run.worker()
    found = obeyed_in(run.path) if worker else None
    return found is not None and found.pid == -(worker or 0)


def _demand_work(run: RunFolder) -> None:
    if run.worker() is not None:
        return
    try:
        status = run.live_status()
    except BulkgladlyError:
        status = "damaged"
    if status == "complete":
        raise UsageError(f"run {run.name} is complete, so there is nothing to steer")
    resume = next_command("resume", run.name, state_dir=run.state_dir, connects=True)
    raise UsageError(f"run {run.name} is not running (status: {status}); continue it with `{resume}`")


def _order(run: RunFolder, session: Obeyed, change: Callable[[Orders], Orders]) -> int:
    """Write changed orders for a session, and return their number."""
    lock = orders_lock(run.path)
    try:
        lock.take(wait_s=PATIENCE_S)
    except LockHeld as held:
        raise RunSilent(
            f"process {held.holder} is giving orders to run {run.name} and does not end; end it, then try again"
        ) from held
    except OSError as error:
        raise file_error(error, run.path) from error
    try:
        before = Orders(session.session, session.number, session.is_paused, session.is_stopped, session.rate)
        try:
            found = orders_in(run.path)
        except ValueError:
            found = None  # what is there is not from us, and is replaced
        # Orders that the run has not seen yet must not get lost.
        if found is not None and found.session == session.session and found.number > before.number:
            before = found
        orders = replace(change(before), number=before.number + 1)
        write_steering(run.path, orders)
    finally:
        lock.release()
    return orders.number


def _obeyed(run: RunFolder, session: Obeyed, number: int, deadline: float) -> Obeyed | None:
    """Wait until a session obeys, and return what it says; None if another session works on the run now."""
    while True:
        found = obeyed_in(run.path)
        if found is not None and found.session == session.session and found.number >= number:
            return found
        if (now := obeyed_now(run)) is not None and now.session != session.session:
            return None
        if run.worker() is None or _is_ending(run):
            raise UsageError(f"run {run.name} ended before it saw the order; `bulkgladly runs show` says how it ended")
        if time.monotonic() > deadline:
            raise RunSilent(
                f"run {run.name} has not obeyed within {PATIENCE_S:g} s: its process {session.pid} may be suspended "
                "(Ctrl-Z) or wait for the disk. The order stands, and the run obeys as soon as it can"
            )
        time.sleep(_LOOK_S)
