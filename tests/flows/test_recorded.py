"""What older versions left behind is opened and gone on with, for ever after (`tests/recorded/record.py`)."""

import tarfile
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from bulkgladly import Credentials, ImportOptions, Pace, RunFolder, list_runs
from bulkgladly.emulator import Emulator
from bulkgladly.exports.chosen_kinds import DUMP_WORDS
from bulkgladly.exports.export_options import ExportOptions
from bulkgladly.exports.unit_kinds import UnitState
from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.published_rows import read_rows
from bulkgladly.lake.verify import verify
from tests.flows.conftest import TOKEN, World
from tests.flows.quickly import dump, resume_export
from tests.readers import READERS, Reader, by_pyarrow
from tests.recorded.record import HOSTS, PORT, ROOT

RECORDED = Path(__file__).parents[1] / "recorded"
VERSIONS = sorted(path.name for path in RECORDED.iterdir() if path.is_dir() and not path.name.startswith("_"))
Open = Callable[[str, str], AbstractAsyncContextManager[World]]


@pytest.fixture
def open_recorded(tmp_path: Path) -> Open:
    """Unpacks a scenario of a version, and starts the organisation as it was, at the address it had."""

    @asynccontextmanager
    async def opened(version: str, name: str) -> AsyncIterator[World]:
        unpack(RECORDED / version / f"{name}.tar.xz", tmp_path)
        options = ImportOptions(key="crm", pace=Pace(unlimited=True), state_dir=tmp_path / "state")
        gladly = Emulator(host=HOSTS[name], rate=None, token=TOKEN, port=PORT, state_file=tmp_path / "emulator.json")
        if name == "exports":
            gladly.exports.seed_jobs(2)
        async with gladly:
            yield World(gladly, tmp_path, options)

    return opened


def unpack(packed: Path, folder: Path) -> None:
    """Unpack a recording; paths in its text files begin with the folder then."""
    with tarfile.open(packed) as files:
        files.extractall(folder, filter="data")
    for path in folder.rglob("*.json"):
        path.write_bytes(path.read_bytes().replace(ROOT.encode(), str(folder).encode()))


def imported(world: World) -> Counter[str]:
    """How many customers there are of each name that the recorded input has."""
    names = [str(profile.get("name")) for profile in world.emulator.store.customers.values()]
    return Counter(name for name in names if name.startswith("Sample Person"))


def run_of(world: World, resource: str) -> RunFolder:
    """The oldest recorded run of an object."""
    return next(run for run in list_runs(world.state) if run.name.startswith(resource))


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_stopped_run_of_an_older_version_loses_no_row(open_recorded: Open, version: str) -> None:
    async with open_recorded(version, "stopped") as world:
        report = await world.resume(run_of(world, "customers"))

        assert report.exit_code == 0
        assert report.counts["created"] == report.counts["read"] == 12
        assert set(imported(world).values()) == {1}
        world.forget()
        again = await world.run(world.folder / "customers.ndjson")
        assert again.counts["unchanged"] == 12
        assert not world.asked()


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_killed_run_of_an_older_version_doubles_no_customer(open_recorded: Open, version: str) -> None:
    async with open_recorded(version, "killed") as world:
        assert 4 < sum(imported(world).values()) < 12, "the recording must have some on their way"
        report = await world.resume(run_of(world, "customers"))

        assert report.exit_code == 0
        assert report.counts["created"] == 12
        assert sum(imported(world).values()) == len(imported(world)) == 12


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_killed_run_of_an_older_version_doubles_no_note(open_recorded: Open, version: str) -> None:
    async with open_recorded(version, "notes") as world:
        before = notes_held(world)
        assert 2 < sum(before.values()) < 9
        report = await world.resume(run_of(world, "notes"))

        held = notes_held(world)
        assert set(held.values()) == {1}
        assert report.counts["created"] + report.counts["unknown"] == 9
        assert sum(held.values()) >= report.counts["created"]


def notes_held(world: World) -> Counter[str]:
    """How often each recorded note is there."""
    contents = [item["content"] for item in world.emulator.store.items.values()]
    return Counter(str(content["body"]) for content in contents if content["type"] == "CONVERSATION_NOTE")


@pytest.mark.parametrize("version", VERSIONS)
async def test_an_export_of_an_older_version_asks_nothing_twice(open_recorded: Open, version: str) -> None:
    async with open_recorded(version, "exports") as world:
        run = run_of(world, "profiles")
        world.forget()
        report = await resume_export(run, world.credentials, change=unpaced)

        profiles = len(ids_by(by_pyarrow, world.folder / "lake" / "profiles"))
        kept = profiles - world.emulator.requests.count("getCustomer", status=200)
        assert kept >= 3, "answers that were kept in the journal are published, not asked for again"
        assert report.counts["created"] == profiles


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_data_set_of_an_older_version_is_kept_and_brought_up_to_date(open_recorded: Open, version: str) -> None:
    async with open_recorded(version, "exports") as world:
        lake = world.folder / "lake"
        folder = DataFolder.open(lake)
        names = ("items", "customers", "topics")
        before = {name: ids_by(by_pyarrow, lake / name) for name in names}
        units = {name: {one.unit for one in folder.manifests(name)} for name in names}
        assert verify(DataFolder.open(lake), deep=True).is_sound
        options = ExportOptions(lake, DUMP_WORDS, pace=Pace(unlimited=True), state_dir=world.folder / "new")
        report = await dump(options, world.credentials)

        # The recording gets older, so events and nights between it and today may be missing; nothing else is wrong.
        assert {line.state for line in report.told} <= {UnitState.GONE}, report.told
        for name, ids in before.items():
            # Each night has a row of each customer, and a night may have ended since.
            nights = [one for one in folder.manifests(name) if one.unit not in units[name]]
            added = Counter(read_rows(folder, nights).column("id").to_pylist())
            expected = {one: count + added[one] for one, count in ids.items()}
            for read in READERS:
                found = ids_by(read, lake / name)
                assert expected.items() <= found.items(), f"{name} has lost rows, or has them twice"
        assert verify(DataFolder.open(lake), deep=True).is_sound


def ids_by(read: Reader, folder: Path) -> dict[str | None, int]:
    """How often each id is in a data set, for a reader who knows nothing of us."""
    return read(folder, "id")[1]


def unpaced(options: ExportOptions) -> ExportOptions:
    """The same without a pace."""
    return replace(options, pace=Pace(unlimited=True))


def test_credentials_of_the_recordings_open_nothing_else() -> None:
    """The recorded addresses are loopback, so the token can have gone nowhere."""
    for host in HOSTS.values():
        assert Credentials(f"http://{host}:{PORT}", "agent@example.org", TOKEN).host
