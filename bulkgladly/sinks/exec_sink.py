"""The sink `exec:COMMAND`: a command that reads a batch as NDJSON and takes it by fate with 0."""

import asyncio
import contextlib
import os
import shlex
import shutil
import signal
from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import partial
from pathlib import Path

import anyio

from bulkgladly.errors import UsageError
from bulkgladly.runs.stages import side_by_side
from bulkgladly.shown import MOST_NAME, shown
from bulkgladly.sinks.outgoing import Outgoing
from bulkgladly.sinks.sinks import Note, Sink, SinkReply, SinkTimes, cursor_name, failed, taken

__all__ = ("ExecSink",)

_LOOK_S = 0.1
_UNREAD = "it had read all events; let it read its input to the end"
_MOST_TOLD = 20
_PIPE_HOLDS = 65_536
_OURS = "BULKGLADLY_LISTEN_"


class ExecSink(Sink):
    """Runs the command once for each batch, in a process group of its own. What it prints is told.

    There is no shell: pipes and variables need `exec:sh -c '...'`. The environment is ours, without the secrets of the
    listener and of signatures. What the command leaves running in its group is ended with it.
    """

    def __init__(
        self, command: str, note: Note, *, times: SinkTimes | None = None, hidden: Collection[str] = ()
    ) -> None:
        """Check that the command exists. `hidden` are variables that it does not get.

        Raises:
            UsageError: It is empty, its quotes are not closed, or there is no such program.
        """
        self._words = _words(command)
        label = f"exec:{shown(Path(self._words[0]).name, 40)}"
        super().__init__(cursor_name("exec", Path(self._words[0]).name, command), label)
        self._note, self._times, self._hidden = note, times or SinkTimes(), frozenset(hidden)

    async def deliver(self, events: Sequence[Outgoing]) -> list[SinkReply]:
        """Run the command with the events on its standard input.

        Cancelled: the command is told to end, and killed if it does not.
        """
        lines = b"".join(event.line + b"\n" for event in events)
        try:
            process = await self._start()
        except OSError as error:
            return failed(len(events), f"cannot be started: {error.strerror}")
        work = _Running(process, self._note, self.label)
        is_over = False
        try:
            with anyio.move_on_after(self._times.exec_s):
                await work.drive(lines)
                is_over = True
        finally:
            if not is_over or work.is_left_open:
                with anyio.CancelScope(shield=True):
                    await _end(process, self._times.end_s)
            work.tell()
        reason = work.failure() if is_over else f"did not end within {self._times.exec_s:g} s, and was ended"
        return failed(len(events), reason) if reason else taken(len(events))

    async def _start(self) -> asyncio.subprocess.Process:
        kept = {
            name: value for name, value in os.environ.items() if name not in self._hidden and not name.startswith(_OURS)
        }
        return await asyncio.create_subprocess_exec(
            *self._words,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            env=kept,
        )


class _Running:
    """One run of the command: it is fed, what it prints is kept, and its end is waited for."""

    def __init__(self, process: asyncio.subprocess.Process, note: Note, label: str) -> None:
        self._process, self._note, self._label = process, note, label
        self._printed = bytearray()
        self._left_out = 0
        self._is_unread = False
        self.is_left_open = False
        """Whether something that the command has started still holds its output."""

    async def drive(self, lines: bytes) -> None:
        calls: list[Callable[[], Awaitable[None]]] = [partial(self._feed, lines), self._attend]
        await side_by_side(calls, at_once=2)

    def failure(self) -> str:
        """Return why the batch was not taken; empty if it was."""
        code = self._process.returncode
        if code is not None and code < 0:
            return f"was ended by {signal.Signals(-code).name}"
        if code:
            return f"exit code {code}"
        # An exit code of 0 says nothing about events that never reached the command.
        return f"ended with 0 before {_UNREAD}" if self._is_unread else ""

    def tell(self) -> None:
        lines = self._printed.decode("utf-8", "replace").splitlines()
        # What is wrong usually stands at the end.
        if len(lines) > _MOST_TOLD or self._left_out:
            self._note(f"{self._label}: only the last {_MOST_TOLD} lines of its output follow")
        for line in lines[-_MOST_TOLD:]:
            self._note(f"{self._label}: {shown(line, MOST_NAME)}")

    async def _feed(self, lines: bytes) -> None:
        stdin = self._process.stdin
        assert stdin is not None  # noqa: S101 - it was requested
        # So that `drain` returns when the pipe has all of it. What happens to the pipe later says nothing.
        stdin.transport.set_write_buffer_limits(0)
        try:
            stdin.write(lines)
            await stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            # What fits into the pipe may stay unread without a sign: a small batch must not depend on who was faster.
            self._is_unread = len(lines) > _PIPE_HOLDS
        stdin.close()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            await stdin.wait_closed()

    async def _attend(self) -> None:
        """Read what the command prints, and wait until it has ended, but not for what it has started."""
        stdout = self._process.stdout
        assert stdout is not None  # noqa: S101 - it was requested
        while True:
            with anyio.move_on_after(_LOOK_S) as look:
                piece = await stdout.read(4096)
                if not piece:
                    break
                self._keep(piece)
            if look.cancelled_caught and self._process.returncode is not None:
                self.is_left_open = True
                return
        await self._process.wait()

    def _keep(self, piece: bytes) -> None:
        self._printed += piece
        too_many = max(0, len(self._printed) - MOST_NAME * 4 * _MOST_TOLD)
        del self._printed[:too_many]
        self._left_out += too_many


async def _end(process: asyncio.subprocess.Process, end_s: float) -> None:
    """End a process group: asked first, and killed if it is still there after `end_s`."""
    _signal(process, signal.SIGTERM)
    with anyio.move_on_after(end_s):
        await _gone(process)
        return
    _signal(process, signal.SIGKILL)
    with anyio.move_on_after(end_s):
        await _gone(process)


async def _gone(process: asyncio.subprocess.Process) -> None:
    stdout = process.stdout
    assert stdout is not None  # noqa: S101 - it was requested
    while await stdout.read(65536):
        pass
    await process.wait()


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    # The number of the group is the number of its first process, and is not given again while the group lives.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _words(command: str) -> list[str]:
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise UsageError(f"--to exec:{command} is not a valid command: {error}; close the quotes") from None
    if not words:
        raise UsageError("--to exec: has no command; use exec:COMMAND, for example 'exec:jq -c .id'")
    if shutil.which(words[0]) is None:
        raise UsageError(
            f"--to exec:{command}: there is no program {words[0]!r} in PATH; install it, or give its path. "
            "A shell is not used: pipes and variables need exec:sh -c '...'"
        )
    return words
