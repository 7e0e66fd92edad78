"""An emulator beside a program that runs a loop of its own."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from bulkgladly.emulator import Emulator

__all__ = ("served",)


@contextmanager
def served(emulator: Emulator) -> Iterator[Emulator]:
    """Run an emulator in a thread, and stop it."""
    loop = asyncio.new_event_loop()
    ready = threading.Event()

    def serve() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(emulator.start())
        ready.set()
        loop.run_forever()
        loop.run_until_complete(emulator.stop())
        loop.close()

    thread = threading.Thread(target=serve)
    thread.start()
    ready.wait(10)
    try:
        yield emulator
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
