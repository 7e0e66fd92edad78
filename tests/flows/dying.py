"""Processes that die at their n-th touch of the disk, for every n: run as a program, it forks one after the other.

What counts is each sync, rename, new file or folder, removal, and each statement of SQLite's that
ends a transaction, makes a table, or is a transaction by itself. Written to stdout: one number
for each that died, and `end` when the last one did not.
"""

import asyncio
import os
import signal
import sqlite3
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

# What a command loads when it first needs it is loaded here, once for all that die.
import bulkgladly.files.text_files
import bulkgladly.lake.conversion
import bulkgladly.lake.part_writer  # noqa: F401
from bulkgladly import Credentials, ExportOptions, ImportOptions, Pace
from tests.flows.quickly import dump, start_import

__all__ = ("COMMANDS",)

TOUCHES = ("fsync", "replace", "mkdir", "unlink", "rename")
WRITING = ("INSERT", "UPDATE", "DELETE", "PRAGMA journal_mode", "PRAGMA user_version=")
Command = Callable[[Path, Path, Credentials], Awaitable[Any]]


def import_(folder: Path, source: Path, credentials: Credentials) -> Awaitable[Any]:
    """Import a file of customers."""
    options = ImportOptions(key="crm", pace=Pace(unlimited=True), state_dir=folder / "state")
    return start_import("customers", [source], credentials, options)


def import_notes(folder: Path, source: Path, credentials: Credentials) -> Awaitable[Any]:
    """Import a file of notes, which are sent at most once."""
    options = ImportOptions(key="crm", pace=Pace(unlimited=True), state_dir=folder / "state")
    return start_import("notes", [source], credentials, options)


def dump_(folder: Path, _source: Path, credentials: Credentials) -> Awaitable[Any]:
    """Dump the job files."""
    options = ExportOptions(words=("items",), out=folder / "lake", pace=Pace(unlimited=True))
    return dump(replace(options, state_dir=folder / "state"), credentials)


COMMANDS: dict[str, Command] = {"import": import_, "notes": import_notes, "dump": dump_}


def die_at(number: int) -> None:
    """Kill this process at its n-th touch of the disk."""
    left = [number]

    def touch() -> None:
        left[0] -= 1
        if left[0] <= 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def counted(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **more: Any) -> Any:
            touch()
            return original(*args, **more)

        return call

    for name in TOUCHES:
        setattr(os, name, counted(getattr(os, name)))
    connect = sqlite3.connect

    class Connection(sqlite3.Connection):
        def execute(self, *args: Any) -> sqlite3.Cursor:
            statement = args[0].lstrip()
            if statement.startswith(("COMMIT", "CREATE")) or (
                statement.startswith(WRITING) and not self.in_transaction
            ):
                touch()
            return super().execute(*args)

    setattr(sqlite3, "connect", lambda *args, **more: connect(*args, factory=Connection, **more))  # noqa: B010


def main() -> None:
    """Run a command in a process after the other, each in a folder of its own, until one does not die."""
    name, where, source, url, token, most = sys.argv[1:]
    credentials = Credentials(url, "agent@example.org", token)
    for number in range(1, int(most) + 1):
        folder = Path(where, str(number))
        folder.mkdir(parents=True)
        rows = folder / "rows.ndjson"
        rows.write_text(Path(source).read_text(encoding="utf-8").replace("{n}", str(number)), encoding="utf-8")
        child = os.fork()
        if child == 0:
            os.umask(0o077)
            die_at(number)
            asyncio.run(COMMANDS[name](folder, rows, credentials))  # type: ignore[arg-type]
            os._exit(0)
        _, ended = os.waitpid(child, 0)
        if not os.WIFSIGNALED(ended):
            sys.stdout.write("end\n")
            raise SystemExit(os.waitstatus_to_exitcode(ended))
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
