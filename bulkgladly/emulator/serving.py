"""An emulator that runs until it is told to stop."""

import asyncio
import signal
from collections.abc import Callable

from bulkgladly.emulator.emulator import Emulator
from bulkgladly.emulator.options import EmulatorOptions

__all__ = ("serve", "welcome")


async def serve(options: EmulatorOptions, *, on_ready: Callable[[str], None]) -> None:
    """Run until SIGINT or SIGTERM, then close and write the state file if one is set.

    `on_ready` gets the base URL once connections are accepted.

    Raises:
        OSError: The port is taken, or a file cannot be read or written.
        ValueError: A faults or state file cannot be understood. Nothing was started.

    Cancelled: stops as cleanly as after a signal, and the state is written.
    """
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    try:
        async with Emulator(options) as emulator:
            on_ready(emulator.url)
            await stopped.wait()
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def welcome(url: str, options: EmulatorOptions) -> str:
    """What a person needs to use a running emulator, as a few lines of text."""
    limit = "no limit" if options.rate is None else f"{options.rate} requests a second ({options.algorithm})"
    return (
        f"Gladly emulator at {url}\n"
        f"  user:  {options.username}\n"
        f"  token: {options.token}\n"
        f"  pace:  {limit}\n"
        f"Stop it with Ctrl-C."
    )
