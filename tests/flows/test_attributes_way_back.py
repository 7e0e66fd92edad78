"""Custom attributes that are no texts survive the way into a data set and back, as the documents describe it."""

import json
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bulkgladly import ExportOptions, ImportOptions, Pace
from bulkgladly.emulator import Emulator
from bulkgladly.files.columnar_files import ParquetReader
from bulkgladly.lake.compact import compact
from bulkgladly.lake.fitted_lines import to_line
from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.rows import Origin
from bulkgladly.lake.schemas import DATA_SETS
from bulkgladly.lake.unit_writer import UnitWriter
from bulkgladly.settings import Credentials
from tests.flows.quickly import start_export, start_import

ATTRIBUTES: dict[str, dict[str, Any]] = {
    "A1": {"tier": "gold", "visits": 12, "vip": True, "ltv": 10.5, "tags": ["a", "b"], "a.b": 1, "odd key": False},
    "A2": {"visits": 3},
    "A3": {"tier": "silver"},
}
PROFILES = DATA_SETS["profiles"]


def written_lines(lake: Path) -> Path:
    """The profiles as lines, in the way that the page on the data set shows."""
    path = lake.parent / "profiles.ndjson"
    rows = [row for part in (lake / "profiles").glob("*.parquet") for row in pq.read_table(part).to_pylist()]
    path.write_bytes(b"".join(to_line(row, PROFILES) + b"\n" for row in rows))
    return path


def credentials(emulator: Emulator) -> Credentials:
    return Credentials(emulator.url, emulator.options.username, emulator.options.token)


@pytest.fixture
async def lake(tmp_path: Path) -> Path:
    """A data set of profiles with such attributes."""
    async with Emulator(rate=None) as emulator:
        for identity, attributes in ATTRIBUTES.items():
            emulator.add_customer(id=identity, name=f"Person {identity}", customAttributes=attributes)
        (tmp_path / "ids.txt").write_text("\n".join(ATTRIBUTES), encoding="utf-8")
        options = ExportOptions(
            tmp_path / "lake",
            ("profiles",),
            ids=tmp_path / "ids.txt",
            pace=Pace(unlimited=True),
            state_dir=tmp_path / "state",
        )
        report = await start_export(options, credentials(emulator))
        assert report.exit_code == 0
    with DataFolder.open(tmp_path / "lake").lock() as folder:
        compact(folder, "profiles")
    return tmp_path / "lake"


@pytest.mark.parametrize("way", ["current", "lines"])
async def test_numbers_and_flags_of_customers_are_not_lost_on_the_way_back(lake: Path, way: str) -> None:
    """Into another organisation, from `current/` or from lines that are written from the parts."""
    files = str(lake / "current" / "profiles" / "*.parquet")
    ignored: tuple[str, ...] = ("_asked_id", "_fetched_at", "_line", "_extra")
    if way == "lines":
        files = str(written_lines(lake))
    async with Emulator(rate=None) as other:
        options = ImportOptions(pace=Pace(unlimited=True), state_dir=lake.parent / "other", ignore_columns=ignored)
        report = await start_import("customers", [files], credentials(other), options)

        assert (report.exit_code, report.counts["created"]) == (0, len(ATTRIBUTES))
        found = {one["id"]: one["customAttributes"] for one in other.store.customers.values()}
    assert found == ATTRIBUTES


VALUES = st.recursive(
    st.text() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=5), values, max_size=3),
    max_leaves=6,
)
KEYS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(attributes=st.dictionaries(KEYS, VALUES, min_size=1, max_size=4))
def test_every_value_of_an_attribute_is_read_back(tmp_path: Path, attributes: dict[str, Any]) -> None:
    """Whatever its key is called."""
    line = json.dumps({"id": "a", "name": "A", "customAttributes": attributes}).encode()
    if b"\\u0000" in line:
        return  # a line with NUL is no row
    with DataFolder.open(tmp_path / "any", create=True).lock() as folder:
        writer = UnitWriter(folder, PROFILES, "u", Origin("u", "f"))
        report = writer.convert([line + b"\n"])
        old = folder.manifest("profiles", "u")
        manifest = writer.commit(replaces=[old] if old else [])
    assert report.rows == 1
    part = tmp_path / "any" / "profiles" / manifest.parts[0].path

    (row,) = ParquetReader(part, 0).sample(1)

    assert row.fields is not None
    assert orjson.loads(orjson.dumps(row.fields["customAttributes"])) == orjson.loads(orjson.dumps(attributes))


def test_a_column_of_others_that_is_called_extra_is_left_alone(tmp_path: Path) -> None:
    """Only parts of a data set have that meaning."""
    path = tmp_path / "own.parquet"
    attributes = pa.array([[("tier", "gold")]], pa.map_(pa.string(), pa.string()))
    pq.write_table(pa.table({"customAttributes": attributes, "_extra": ['{"customAttributes.tier":5}']}), path)

    (row,) = ParquetReader(path, 0).sample(1)

    assert row.fields == {"customAttributes": {"tier": "gold"}, "_extra": '{"customAttributes.tier":5}'}
