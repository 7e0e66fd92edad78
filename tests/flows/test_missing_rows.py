"""A complete input: what earlier runs have sent and it no longer has is told, and nothing is deleted."""

from pathlib import Path

import pytest

from bulkgladly import ImportOptions, UsageError
from tests.flows.conftest import World, person


async def test_what_is_gone_from_a_complete_file_is_told(world: World) -> None:
    """By key and id; a rejected row is not gone, nor a record of another namespace."""
    first = await world.run(world.csv([person(number) for number in range(5)]))
    await world.run(world.csv([person(7)], "tills.csv"), namespace="till")
    assert first.missing is None
    rows = [person(0), person(1, **{"email:1": "nobody"}), person(2)]
    ids = {line["key"]: line["gladly_id"] for line in world.result(first, "success")}

    report = await world.run(world.csv(rows), is_complete=True)

    assert report.missing == report.files["missing.csv"]["rows"] == 2
    table = (Path(report.folder) / "missing.csv").read_text()
    assert table.splitlines() == ["key,gladly_id", *(f"{key},{ids[key]}" for key in ("c-3", "c-4"))]
    assert "2 records of earlier runs are not in these files; see missing.csv" in report.details
    assert len(world.names()) == 6


async def test_nothing_is_told_before_a_file_was_read_to_its_end(world: World) -> None:
    """A run that stops early tells it when it is resumed; without a missing row there is no file."""
    path = world.csv([person(number) for number in range(3)])
    await world.run(path)

    stopped = await world.run(path, is_complete=True, max_rows=1)
    assert (stopped.exit_code, stopped.missing) == (10, None)
    resumed = await world.resume()

    assert resumed.missing == 0
    assert "missing.csv" not in resumed.files
    assert "nothing is missing: the files have all that earlier runs have sent" in resumed.details


async def test_rows_without_a_key_may_be_the_missing_ones(world: World) -> None:
    """They are counted beside them, and keys with a former spelling are not gone."""
    await world.run(world.ndjson([person(0), person(1), person(2)]))
    path = world.folder / "customers.ndjson"
    path.write_bytes(path.read_bytes().splitlines()[0].replace(b'"c-0"', b'" c-0 "') + b"\n{broken\n")

    report = await world.run(path, is_complete=True)

    assert (report.missing, report.rejects_without_key) == (2, 1)
    assert any("1 rejected row without a key may be among them" in line for line in report.details)


def test_a_deletion_has_nothing_to_miss() -> None:
    """The two contradict each other."""
    with pytest.raises(UsageError, match="--complete is about rows that are gone"):
        ImportOptions(mode="delete", is_complete=True)  # type: ignore[arg-type]
