"""Records what an older version leaves behind: runs that were stopped or killed, their state, a data set.

Run once, with the code of the version that is to be recorded:

    PYTHONPATH=<checkout of that version> python tests/recorded/record.py <version>

Each scenario becomes `<version>/<scenario>.tar.xz` with three folders' worth of files: `emulator.json` (what the
organisation held), `state/` and the inputs or the lake. Paths in them begin with `ROOT`, which a test replaces.
Derived ids depend on the host, so the emulator listens on an address that a test can have again.
Older versions, whose emulator has no `host`, were recorded with the script of their time.
"""

import asyncio
import os
import signal
import sys
import tarfile
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import orjson

from bulkgladly.emulator import Emulator, hang

ROOT = "/recorded"
PORT = 18453
HOSTS = {"stopped": "127.77.53.1", "killed": "127.77.53.2", "notes": "127.77.53.3", "exports": "127.77.53.4"}
TOKEN = "recorded-token"
CONVERSATIONS = tuple(f"conversation-{number}" for number in range(9))


def customers(count: int) -> list[dict[str, object]]:
    """Invented customers, the same for the same number."""
    return [
        {"crm": f"c-{number}", "name": f"Sample Person {number}", "email:1": f"person.{number}@example.org"}
        for number in range(count)
    ]


def notes(count: int) -> list[dict[str, object]]:
    """Invented notes, each on a conversation of its own, so that they are sent side by side."""
    return [
        {"ref": f"n-{number}", "conversationId": CONVERSATIONS[number], "body": f"Note {number}"}
        for number in range(count)
    ]


def write_rows(path: Path, rows: list[dict[str, object]]) -> str:
    """Write rows as NDJSON, and return the path as the command line takes it."""
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    return str(path)


class Scenario:
    """One organisation, and the program working on it from a folder."""

    def __init__(self, name: str, folder: Path) -> None:
        self.folder = folder
        self.gladly = Emulator(
            host=HOSTS[name], rate=None, token=TOKEN, port=PORT, state_file=folder / "emulator.json", seed_customers=6
        )
        self.environment = {
            **os.environ,
            "GLADLY_HOST": f"http://{HOSTS[name]}:{PORT}",
            "GLADLY_USERNAME": self.gladly.options.username,
            "GLADLY_API_TOKEN": TOKEN,
        }

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        """Start the program without a pace."""
        pace = ("--rate", "unlimited", "--reserve", "0", "--concurrency", "4", "--progress", "none")
        state = ("--state-dir", str(self.folder / "state"))
        command = (sys.executable, "-m", "bulkgladly", *arguments, *pace, *state)
        return await asyncio.create_subprocess_exec(*command, env=self.environment, cwd=self.folder)

    async def run(self, *arguments: str) -> int:
        """Run the program to its end, and return the exit code."""
        return await (await self.start(*arguments)).wait()

    async def killed_after(self, operation: str, number: int, *arguments: str) -> None:
        """Run the program; kill it when everything after so many requests was executed and never answered."""
        self.gladly.faults.after(operation, number, hang(executes=True))
        process = await self.start(*arguments)
        while self.gladly.requests.count(operation) < number + 3:  # noqa: ASYNC110 - its log wakes nobody
            await asyncio.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        await process.wait()
        self.gladly.faults.clear()


async def stopped(at: Scenario) -> None:
    """A run of customers that a limit stopped after 5 of 12 rows, and one that is complete with a reject."""
    path = write_rows(at.folder / "customers.ndjson", customers(12))
    assert await at.run("import", "customers", path, "--key", "crm", "--limit", "5") == 10
    other = write_rows(at.folder / "others.ndjson", [{"crm": "x-1", "name": "Other Person", "email:1": "nobody"}])
    assert await at.run("import", "customers", other, "--key", "crm") == 1


async def killed(at: Scenario) -> None:
    """A run of customers that was killed: 4 settled, some executed without an answer, others not begun."""
    path = write_rows(at.folder / "customers.ndjson", customers(12))
    await at.killed_after("createCustomer", 4, "import", "customers", path, "--key", "crm")


async def notes_killed(at: Scenario) -> None:
    """A run of notes that was killed: 2 settled, some executed without an answer, others not begun."""
    customer = at.gladly.add_customer(name="Note Holder", emails=[{"original": "holder@example.org"}])
    for conversation in CONVERSATIONS:
        at.gladly.add_conversation(customer, id=conversation)
    path = write_rows(at.folder / "notes.ndjson", notes(9))
    await at.killed_after("addNoteToConversation", 2, "import", "notes", path, "--key", "ref")


async def exports(at: Scenario) -> None:
    """A lake with everything once, then an export of profiles that a limit stopped with answers kept."""
    lake = str(at.folder / "lake")
    assert await at.run("dump", lake) in (0, 1)
    assert await at.run("export", "profiles", "--from-dataset", lake, "--out", lake, "--max-requests", "4") == 10


SCENARIOS: dict[str, Callable[[Scenario], Awaitable[None]]] = {
    "stopped": stopped,
    "killed": killed,
    "notes": notes_killed,
    "exports": exports,
}


async def main(version: str) -> None:
    """Record every scenario."""
    target = Path(__file__).parent / version
    target.mkdir(exist_ok=True)
    for name, play in SCENARIOS.items():
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            scenario = Scenario(name, folder)
            if name == "exports":
                scenario.gladly.exports.seed_jobs(2)
            async with scenario.gladly:
                await play(scenario)
            pack(folder, target / f"{name}.tar.xz")


def pack(folder: Path, target: Path) -> None:
    """Pack a folder; where its own path stands in a text file, `ROOT` takes the place."""
    for path in folder.rglob("*"):
        if path.suffix in (".json", ".md", ".ndjson"):
            path.write_bytes(path.read_bytes().replace(str(folder).encode(), ROOT.encode()))
    with tarfile.open(target, "w:xz") as packed:
        packed.add(folder, arcname=".", filter=_of_nobody)


def _of_nobody(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    return entry.replace(uid=0, gid=0, uname="", gname="", deep=False)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
