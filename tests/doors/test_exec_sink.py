"""The sinks that are processes and pipes: commands, and the standard output."""

import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from bulkgladly.sinks.exec_sink import ExecSink
from bulkgladly.sinks.outgoing import Outgoing
from bulkgladly.sinks.sink_choice import sink_of
from bulkgladly.sinks.sinks import Fate, SinkEnded, SinkReply, SinkTimes
from bulkgladly.sinks.stream_sink import StreamSink
from tests.flows.sink_setting import until


def events(count: int, size: int = 1) -> list[Outgoing]:
    return [Outgoing(f"e{n}", "", json.dumps({"id": f"e{n}", "fill": "x" * size}).encode()) for n in range(count)]


def script(tmp_path: Path, text: str) -> str:
    """A Python program as a command."""
    path = tmp_path / "program.py"
    path.write_text(text, encoding="utf-8")
    return f"{sys.executable} {path}"


async def run(command: str, batch: list[Outgoing] | None = None, **options: Any) -> tuple[SinkReply, list[str]]:
    notes: list[str] = []
    replies = await ExecSink(command, notes.append, **options).deliver(events(3) if batch is None else batch)
    assert len(set(replies)) == 1
    return replies[0], notes


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A zombie that nobody has collected yet is as good as gone.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


async def test_a_command_gets_the_batch_as_lines(tmp_path: Path) -> None:
    """Exit code 0 takes all of it; also a batch that is larger than any pipe."""
    batch = events(100, 20_000)
    reply, notes = await run(f"tee {tmp_path / 'out'}", batch, times=SinkTimes(exec_s=30.0))

    assert (reply.fate, reply.reason) == (Fate.TAKEN, "")
    assert (tmp_path / "out").read_bytes() == b"".join(one.line + b"\n" for one in batch)
    assert len(notes) <= 21


async def test_no_shell_reads_the_command(tmp_path: Path) -> None:
    """Words are split as a shell would, and nothing else is done with them."""
    reply, notes = await run("printf '%s\\n' '$HOME; true' \"a b\" | cat", [Outgoing("e1", "", b"{}")])

    assert reply.fate is Fate.TAKEN
    assert notes == ["exec:printf: $HOME; true", "exec:printf: a b", "exec:printf: |", "exec:printf: cat"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import sys; sys.stdin.read(); sys.exit(3)", "exit code 3"),
        ("import os, signal, sys; sys.stdin.read(); os.kill(os.getpid(), signal.SIGKILL)", "was ended by SIGKILL"),
        (
            "import sys; sys.stdin.close()",
            "ended with 0 before it had read all events; let it read its input to the end",
        ),
    ],
)
async def test_anything_else_is_a_failure(tmp_path: Path, text: str, reason: str) -> None:
    """Also a 0 of a command that did not read what it was given."""
    reply, _ = await run(script(tmp_path, text), events(100, 20_000))

    assert (reply.fate, reply.reason) == (Fate.FAILED, reason)


async def test_a_command_that_has_gone_is_a_failure(tmp_path: Path) -> None:
    """It was there when the sink was made."""
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o700)
    sink = ExecSink(str(program), print)
    program.unlink()

    (reply,) = await sink.deliver(events(1))

    assert (reply.fate, reply.reason) == (Fate.FAILED, "cannot be started: No such file or directory")


async def test_what_a_command_prints_is_told_and_harmless(tmp_path: Path) -> None:
    """Both of its outputs, on lines of their own, and not more than a few."""
    text = "import sys\nfor n in range(9000): print('line', n)\nprint('\\x1b[2Jred\\nerror: forged\\r')\n"
    _, notes = await run(script(tmp_path, text))

    name = f"exec:{Path(sys.executable).name}: "
    told = [note.removeprefix(name) for note in notes]
    assert told[:2] == ["only the last 20 lines of its output follow", "line 8982"]
    assert told[-2:] == ["\\x1b[2Jred", "error: forged"]
    assert len(told) == 21
    assert all(note.startswith(name) for note in notes)


async def test_a_command_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    """First asked, then killed; the whole group."""
    text = (
        "import os, signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen(['sleep', '1000'])\n"
        f"open({str(tmp_path / 'pids')!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}')\n"
        "time.sleep(1000)\n"
    )
    reply, _ = await run(script(tmp_path, text), times=SinkTimes(exec_s=1.0, end_s=0.3))

    assert (reply.fate, reply.reason) == (Fate.FAILED, "did not end within 1 s, and was ended")
    pids = [int(word) for word in (tmp_path / "pids").read_text().split()]
    await until(lambda: not any(map(is_there, pids)))


async def test_a_stop_ends_the_command(tmp_path: Path) -> None:
    """Cancelled, nothing of it is left."""
    text = f"import os, time\nopen({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\ntime.sleep(1000)\n"
    sink = ExecSink(script(tmp_path, text), print, times=SinkTimes(end_s=0.3))
    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as group:
            group.start_soon(sink.deliver, events(1))
            await until(lambda: (tmp_path / "pid").exists() and bool((tmp_path / "pid").read_text()))
            scope.cancel()

    pid = int((tmp_path / "pid").read_text())
    await until(lambda: not is_there(pid))


async def test_what_a_command_leaves_running_is_not_waited_for(tmp_path: Path) -> None:
    """It is ended, since it still holds the output."""
    begun = time.monotonic()
    reply, notes = await run("sh -c 'sleep 1000 & echo $!; cat > /dev/null'")

    assert reply.fate is Fate.TAKEN
    assert time.monotonic() - begun < 30
    pid = int(notes[0].rpartition(" ")[2])
    await until(lambda: not is_there(pid))


async def test_a_command_does_not_get_the_secrets_of_the_listener(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest of the environment is there."""
    for name in ("BULKGLADLY_LISTEN_PASSWORD", "MY_SIGNING_KEY", "SOMETHING"):
        monkeypatch.setenv(name, "value")
    notes: list[str] = []
    sink = sink_of("exec:sh -c 'cat > /dev/null; env | grep =value'", notes.append, sign_env="MY_SIGNING_KEY")

    await sink.deliver(events(1))

    assert notes == ["exec:sh: SOMETHING=value"]


def test_names_of_commands() -> None:
    """Stable, and without the arguments, which may hold a token."""
    one = ExecSink("sh -c 'curl -H token=s3cret'", print)

    assert (one.label, one.name) == ("exec:sh", ExecSink("sh -c 'curl -H token=s3cret'", print).name)
    assert one.name != ExecSink("sh -c 'curl -H token=0ther'", print).name
    assert "s3cret" not in one.name


# --- the standard output ---


async def nap(seconds: float) -> None:
    await asyncio.sleep(seconds)


async def test_the_standard_output_waits_for_a_slow_reader() -> None:
    """A full pipe blocks nothing else; each line arrives whole."""
    reader, writer = os.pipe()
    batch = events(100, 5_000)
    got = bytearray()

    size = sum(len(one.line) + 1 for one in batch)
    os.set_blocking(reader, False)

    async def read_slowly() -> None:
        while len(got) < size:
            with contextlib.suppress(BlockingIOError):
                got.extend(os.read(reader, 65_536))
            await asyncio.sleep(0.001)

    reading = asyncio.ensure_future(read_slowly())
    replies = await StreamSink(writer, nap).deliver(batch)
    await reading
    os.close(reader)
    os.close(writer)

    assert {one.fate for one in replies} == {Fate.TAKEN}
    assert bytes(got) == b"".join(one.line + b"\n" for one in batch)


async def test_two_sinks_of_the_standard_output_do_not_mix_their_lines() -> None:
    """Events of `--to -` and of a rule with `to = "-"` share it, also while its reader is slow."""
    reader, writer = os.pipe()
    batches = [events(20, 5_000), events(20, 9_000)]
    wanted = sorted(one.line for batch in batches for one in batch)
    got = bytearray()
    os.set_blocking(reader, False)

    async def read_slowly() -> None:
        while got.count(b"\n") < len(wanted):
            with contextlib.suppress(BlockingIOError):
                got.extend(os.read(reader, 4_096))
            await asyncio.sleep(0.001)

    reading = asyncio.ensure_future(read_slowly())
    await asyncio.gather(*(StreamSink(writer, nap).deliver(batch) for batch in batches))
    await reading
    os.close(reader)
    os.close(writer)

    assert sorted(got.splitlines()) == wanted


async def test_a_line_that_was_cut_off_spoils_no_other() -> None:
    """After a cancel in its middle the next batch begins on a new line."""
    reader, writer = os.pipe()
    sink = StreamSink(writer, nap)
    with anyio.move_on_after(0.05):
        await sink.deliver(events(1, 200_000))
    os.set_blocking(reader, False)
    got = os.read(reader, 1_000_000)

    await sink.deliver(events(1))

    got += os.read(reader, 1_000_000)
    lines = got.splitlines()
    assert len(lines) == 2
    assert json.loads(lines[1])["id"] == "e0"
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize("is_closed", [lambda pipe: os.close(pipe[0]), lambda pipe: os.close(pipe[1])])
async def test_a_closed_output_ends_the_sink(is_closed: Callable[[tuple[int, int]], None]) -> None:
    """Whether the reader has left or the stream was never open."""
    pipe = os.pipe()
    is_closed(pipe)

    with pytest.raises(SinkEnded, match="the standard output is closed"):
        await StreamSink(pipe[1], nap).deliver(events(1))

    for handle in pipe:
        try:
            os.close(handle)
        except OSError:
            continue
