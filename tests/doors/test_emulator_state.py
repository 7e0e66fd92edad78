"""Invented customers, the state file, and the emulator as a process."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import orjson
import pytest

from bulkgladly.emulator import Emulator, EmulatorOptions, FaultScriptError, StateError, serve
from bulkgladly.emulator.__main__ import main, options_from
from bulkgladly.emulator.operations.customer_profiles import checked_fields
from bulkgladly.emulator.seeding.seed_organisation import invented_customer
from tests.signing import basic_auth

ROOT = Path(__file__).parents[2]
_TWINS = orjson.dumps(
    {
        "version": 1,
        "organization": {},
        "collections": {"customers": [{"id": i, "emails": [{"normalized": "one@example.org"}]} for i in ("a", "b")]},
        "merged": {},
        "deleted": [],
    }
)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_invented_customers_are_the_same_every_time() -> None:
    """Two emulators agree; more customers do not change the first ones."""
    few, many = Emulator(seed_customers=10).store, Emulator(seed_customers=500).store

    assert many.count("customers") == 500
    assert list(many.customers.items())[:10] == list(few.customers.items())


@pytest.mark.parametrize("number", [0, 1, 12_345, 78_000, 999_999])
def test_invented_customers_follow_the_rules(number: int) -> None:
    """What the emulator seeds, it would also accept; nobody real is addressed."""
    profile = invented_customer(number)

    fields = checked_fields(profile)

    assert {**profile, **fields} == profile
    assert profile["emails"][0]["normalized"].endswith("@example.org")
    assert all(re.fullmatch(r"\+1\d{3}55501\d\d", phone["normalized"]) for phone in profile.get("phones", []))


async def test_state_survives_a_clean_stop(tmp_path: Path) -> None:
    """Customers, merges and uniqueness are there again; seeds are not added a second time."""
    file = tmp_path / "state.json"
    async with Emulator(seed_customers=3, state_file=file) as first:
        first.add_customer(id="c-1", emails=[{"original": "One@example.org"}])
        first.store.merge("seeded-0000000", "seeded-0000001")
        before = dict(first.store.customers)

    second = Emulator(seed_customers=3, state_file=file)

    assert second.store.customers == before
    assert second.store.merged == {"seeded-0000000": "seeded-0000001"}
    assert second.store.collections["agents"] == first.store.collections["agents"]
    assert [c["id"] for c in second.store.find_by_email("one@example.org")] == ["c-1"]
    assert names_in(tmp_path) == [file.name]


async def test_generated_ids_go_on_after_a_restart(tmp_path: Path) -> None:
    """A restarted emulator gives no id twice, though it counts from the beginning."""
    file = tmp_path / "state.json"
    async with Emulator(state_file=file) as first:
        before = first.add_customer()

    after = Emulator(state_file=file).add_customer()

    assert before != after


async def test_failed_save_leaves_the_old_state(tmp_path: Path) -> None:
    """The file is replaced whole or not at all."""
    file = tmp_path / "state.json"
    async with Emulator(state_file=file):
        pass
    before = file.read_bytes()
    emulator = Emulator(state_file=file)
    await emulator.start()
    emulator.store.organization = {"name": object()}

    with pytest.raises(TypeError):
        await emulator.stop()

    assert file.read_bytes() == before
    assert names_in(tmp_path) == [file.name]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"{}", b'{"version": 99}', b'{"version": 1, "collections": []}', _TWINS]
)
def test_file_that_is_no_state_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    """It is not overwritten either."""
    file = tmp_path / "state.json"
    file.write_bytes(content)

    with pytest.raises(StateError, match=r"state\.json is not a state file"):
        Emulator(state_file=file)

    assert file.read_bytes() == content


def test_faults_file_is_loaded(tmp_path: Path) -> None:
    """And one that cannot be read is refused by name."""
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_bytes(orjson.dumps([{"match": "*", "every": 2, "fault": "reset"}]))
    bad.write_bytes(b"nonsense")

    assert len(Emulator(faults_file=good).faults) == 1
    with pytest.raises(FaultScriptError, match=r"bad\.json"):
        Emulator(faults_file=bad)


def test_arguments_become_options(tmp_path: Path) -> None:
    """Milliseconds become seconds, a rate of 0 means none."""
    given = "--port 0 --rate 0 --algorithm leaky --latency-ms 80 --jitter-ms 20 --seed-customers 5 --state"

    options = options_from([*given.split(), str(tmp_path / "s.json")])

    assert options == EmulatorOptions(
        rate=None,
        algorithm="leaky",
        latency_s=0.08,
        jitter_s=0.02,
        seed_customers=5,
        state_file=tmp_path / "s.json",
    )


def test_defaults_of_the_command_are_those_of_the_options() -> None:
    """Except the port, which a person has to know."""
    assert options_from([]) == EmulatorOptions(port=8080)


def test_start_that_fails_is_told_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2 and no traceback."""
    assert main(["--faults", str(tmp_path / "missing.json")]) == 2

    assert capsys.readouterr().err.count("\n") == 1


async def test_cancelled_server_saves_its_state(tmp_path: Path) -> None:
    """Whoever embeds `serve` may end it by cancelling."""
    file = tmp_path / "state.json"
    ready = asyncio.Event()
    options = EmulatorOptions(state_file=file)
    task = asyncio.create_task(serve(options, on_ready=lambda _: ready.set()))
    await ready.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task

    assert file.exists()


@asynccontextmanager
async def process(*arguments: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """A running emulator and its URL."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bulkgladly.emulator", "--port", "0", *arguments),
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        assert child.stderr is not None
        first = (await child.stderr.readline()).decode()
        yield child, first.split()[-1]
    finally:
        if child.returncode is None:
            child.kill()
        await child.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_signal_stops_the_process_cleanly_and_saves(tmp_path: Path, number: signal.Signals) -> None:
    """What was created is in the file; the exit code is 0."""
    file = tmp_path / "state.json"
    async with process("--state", str(file)) as (child, url):
        credentials = basic_auth("agent@example.org", "emulator-token")
        async with (
            aiohttp.ClientSession(url, headers={"Authorization": credentials}) as client,
            client.post("/api/v1/customer-profiles", json={"id": "c-1"}) as response,
        ):
            assert response.status == 201
        child.send_signal(number)

        assert await child.wait() == 0

    saved = orjson.loads(file.read_bytes())
    assert [customer["id"] for customer in saved["collections"]["customers"]] == ["c-1"]


def test_emulator_listens_on_loopback_addresses_only() -> None:
    """Nothing of it can be reached from another machine."""
    with pytest.raises(ValueError, match="must be a loopback address"):
        Emulator(host="0.0.0.0")  # refused
