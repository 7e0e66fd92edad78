"""A complete input: what earlier runs have sent and it no longer has is told, and nothing is deleted."""

from pathlib import Path

import pytest

from bulkgladly import ImportOptions, UsageError
from tests.flows.conftest import World, person
from tests.flows.test_dropped_values import mapped


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
    assert " Nothing is missing: the files have" in (Path(resumed.folder) / "report.md").read_text()


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
    with pytest.raises(UsageError, match="--complete finds records that the files no longer have"):
        ImportOptions(mode="delete", is_complete=True)  # type: ignore[arg-type]


async def test_a_row_that_cannot_be_read_is_in_the_file(world: World) -> None:
    """Its key stands in it, whatever is wrong with it."""
    await world.run(world.csv([person(number) for number in range(4)]))
    path = world.folder / "customers.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:2], f'"{lines[2]}', "c-2", lines[4]]) + "\n")

    report = await world.run(path, is_complete=True)

    assert (report.counts["rejected"], report.rejects_without_key) == (2, 0)
    assert report.missing == 0


async def test_what_a_filter_leaves_out_is_in_the_file(world: World) -> None:
    """It is not sent, but nobody should delete it because it was gone."""
    rows = [person(number) for number in range(3)]
    where = f"where = \"name != '{rows[1]['name']}'\"\n"
    text = f'version = 1\nto = "customers"\nkey = "crm"\n{where}[fields]\nname = "name"\n"email:1" = "email:1"\n'
    await world.run(world.csv(rows))

    report = await world.run(world.csv(rows[:2]), **mapped(world, text), is_complete=True)

    assert report.counts["skipped"] == 1
    assert (Path(report.folder) / "missing.csv").read_text().splitlines()[1].startswith("c-2,")
    assert report.missing == 1


@pytest.mark.parametrize("form", ["csv", "ndjson"])
async def test_a_file_of_rejects_is_not_complete(form: str, world: World) -> None:
    """Everything that has arrived would be called gone."""
    rows = [person(0), person(1, **{"email:1": "nobody"})]
    report = await world.run(world.csv(rows))

    with pytest.raises(UsageError, match=r"holds only the rows that a run has rejected.* without --complete"):
        await world.run(Path(report.folder) / f"rejected.{form}", is_complete=True)
