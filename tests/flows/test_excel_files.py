"""An Excel file through an import that is stopped, resumed, and whose rejects are corrected."""

from pathlib import Path
from typing import Any

from bulkgladly.checks.map_check import draft_for
from bulkgladly.files.contract import ReadOptions
from bulkgladly.settings import Limits
from tests.doors.test_formats_sheets import book_of
from tests.flows.conftest import World

ROWS: list[list[Any]] = [
    ["crm_id", "name", "email:1", "phone:1", "customAttribute:since"],
    [4711, "Ada Ashby", "ada@example.org", 16505550101, None],
    [],
    [4712.0, "Ben Birch", "nobody", None, None],
    [4713, "Cy Cole", "cy@example.org", "+1 650 555 0102", True],
]


async def test_a_sheet_is_imported_resumed_and_corrected(world: World) -> None:
    """Numbers are keys and phones as they stand; the rejects are a CSV file with the rows of the sheet."""
    path = book_of(world.folder / "crm.xlsx", {"Notes": [], "Customers": ROWS})
    first = await world.run(path, key="crm_id", phone_region="US", max_rows=1)
    assert (first.status, first.counts["created"], first.counts["unprocessed"]) == ("stopped", 1, 2)

    report = await world.resume(limits=Limits())

    assert (report.counts["read"], report.counts["created"], report.counts["rejected"]) == (3, 2, 1)
    table = (Path(report.folder) / "rejected.csv").read_text(encoding="utf-8-sig")
    assert table.splitlines()[1].startswith("4712,Ben Birch,nobody,,,4,email:1 is not an email address")
    keys = [line["key"] for line in world.result(report, "success")]
    assert keys == ["4711", "4713"]
    corrected = world.folder / "corrected.csv"
    corrected.write_text(table.replace("nobody", "ben@example.org"), encoding="utf-8-sig")
    again = await world.run(corrected, key="crm_id")
    assert again.counts["created"] == 1
    numbers = [
        phone["original"] for each in world.emulator.store.customers.values() for phone in each.get("phones", [])
    ]
    assert sorted(numbers) == ["+16505550101", "+16505550102"]


def test_a_draft_is_made_from_a_sheet(tmp_path: Path) -> None:
    """As from any other file."""
    path = book_of(
        tmp_path / "crm.xlsx", {"S": [["Customer ID", "E-mail"], *([n, f"a{n}@example.org"] for n in range(9))]}
    )

    text = draft_for("customers", [str(path)], ReadOptions(), rows=100, show_values=False).text

    assert '"email:1"' in text
    assert 'key = "Customer ID"' in text
