"""`--on-finish`: a command of the user's that runs when ours has ended."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Collection, Mapping

from bulkgladly.notices.call_end import CallEnd

__all__ = ("environment_of", "run_finish_command")

_GRACE_S = 2.0
_SECRET = ("GLADLY_", "BULKGLADLY_LISTEN_", "BULKGLADLY_PING", "BULKGLADLY_NOTIFY", "BULKGLADLY_ON_FINISH")


def environment_of(end: CallEnd, variables: Mapping[str, str], hidden: Collection[str]) -> dict[str, str]:
    """Return the environment of the command: ours without credentials and addresses of notices, and how it ended.

    `hidden` names further variables that hold secrets.
    """
    kept = {name: value for name, value in variables.items() if not name.startswith(_SECRET) and name not in hidden}
    return {
        **kept,
        "BULKGLADLY_RUN": end.run,
        "BULKGLADLY_STATUS": end.status,
        "BULKGLADLY_EXIT": str(end.exit_code),
        "BULKGLADLY_REPORT": end.report,
    }


def run_finish_command(
    command: str, end: CallEnd, tell: Callable[[str], None], *, hidden: Collection[str], within_s: float
) -> None:
    """Run a line of shell with how the command ended in its environment, for a limited time.

    What it prints goes to our standard error, so that a result on the standard output stays alone. It gets a process
    group of its own, which is ended with it if it takes too long.
    """
    try:
        process = subprocess.Popen(  # noqa: S602 - a shell, as cron has: the variables are there to be used in the line
            command,
            shell=True,
            env=environment_of(end, os.environ, hidden),
            stdin=subprocess.DEVNULL,
            stdout=_error_stream(),
            start_new_session=True,
        )
    except OSError as error:
        tell(f"--on-finish could not be started: {error.strerror}")
        return
    with process:
        try:
            code = process.wait(within_s)
        except subprocess.TimeoutExpired:
            _end(process)
            tell(f"--on-finish did not end within {within_s:g} s, and was ended; let it do long work in the background")
            return
        except BaseException:
            _end(process)
            raise
    if code:
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        tell(f"--on-finish {how}; the exit code of bulkgladly stays {end.exit_code}")


def _error_stream() -> int:
    with contextlib.suppress(OSError, ValueError, AttributeError):
        return sys.__stderr__.fileno()  # type: ignore[union-attr]
    return subprocess.DEVNULL


def _end(process: "subprocess.Popen[bytes]") -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_S)
            # What it has started may have stayed behind.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            return
