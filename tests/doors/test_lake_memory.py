"""What a conversion loads, and where its memory comes from."""

import datetime as dt
import os
import subprocess
import sys
from pathlib import Path

import orjson
import pyarrow as pa
import pytest

from bulkgladly.lake.arrow import extremes_of, scalar

CONVERT = """
import datetime as dt, json, sys
from pathlib import Path
from bulkgladly.lake.schemas import DATA_SETS
from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.merge import joined
from bulkgladly.lake.rows import Origin
from bulkgladly.lake.unit_writer import UnitWriter
import pyarrow as pa

line = b'{"id":"a","timestamp":"2026-11-%02dT00:00:00Z","content":{"type":"%b"}}'
lines = [line % (day, kind) for day in (1, 2) for kind in (b"SMS", b"EMAIL")]
with DataFolder.open(Path(sys.argv[1]), host="h", create=True).lock() as folder:
    about = {"_job_id": "j", "_job_updated_at": dt.datetime(2026, 11, 23, tzinfo=dt.UTC)}
    writer = UnitWriter(folder, DATA_SETS["items"], "j", Origin("j", "f", about))
    writer.convert([b"\\n".join(lines)])
    writer.commit()
joined([], DATA_SETS["items"].schema)  # a list that is fetched for the first time
print(json.dumps(["pandas" in sys.modules, pa.default_memory_pool().backend_name]))
"""


def converted(folder: Path, **environment: str) -> tuple[bool, str]:
    """Convert in a process of its own; tell whether it loaded pandas, and Arrow's allocator."""
    inherited = {name: value for name, value in os.environ.items() if name != "ARROW_DEFAULT_MEMORY_POOL"}
    done = subprocess.run(
        [sys.executable, "-c", CONVERT, str(folder)],
        env=inherited | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    loaded, pool = orjson.loads(done.stdout)
    return loaded, pool


def test_a_conversion_does_not_load_pandas(tmp_path: Path) -> None:
    """Though it is installed here: it would take a quarter of a second, and 40 MB."""
    loaded, _ = converted(tmp_path)

    assert not loaded


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only there jemalloc is known to be built in")
def test_memory_comes_from_jemalloc_unless_somebody_has_chosen(tmp_path: Path) -> None:
    """By the variable that Arrow reads."""
    _, pool = converted(tmp_path / "a")
    _, chosen = converted(tmp_path / "b", ARROW_DEFAULT_MEMORY_POOL="system")

    assert (pool, chosen) == ("jemalloc", "system")


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("", pa.string()),
        ("é\n", pa.large_string()),
        (-1, pa.int64()),
        (7, pa.int32()),
        (dt.datetime(1, 1, 1, tzinfo=dt.UTC), pa.timestamp("us", tz="UTC")),
        (dt.datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=dt.UTC), pa.timestamp("us", tz="UTC")),
        (dt.datetime(2026, 1, 1, 2, tzinfo=dt.timezone(dt.timedelta(hours=2))), pa.timestamp("us", tz="UTC")),
        (dt.date(1969, 12, 31), pa.date32()),
        (None, pa.string()),
        (None, pa.timestamp("us", tz="UTC")),
    ],
)
def test_scalars_are_those_of_arrow(value: "str | int | dt.datetime | dt.date | None", kept: pa.DataType) -> None:
    """Made another way."""
    assert scalar(value, kept).equals(pa.scalar(value, kept))


def test_extremes_of_times_have_their_zone() -> None:
    """To the microsecond, at both ends of what Python can hold; nulls do not count."""
    first = dt.datetime(1, 1, 1, tzinfo=dt.UTC)
    last = dt.datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=dt.UTC)
    times = pa.array([None, last, first], pa.timestamp("us", tz="UTC"))

    assert extremes_of(times) == (first, last)
    assert extremes_of(times.slice(0, 1)) == (None, None)


@pytest.mark.parametrize("call", ["pa.scalar(", ".empty_table("])
def test_scalars_and_empty_tables_are_made_in_one_place(call: str) -> None:
    """Which is the one that does without pandas."""
    folder = Path(__file__).parents[2] / "bulkgladly" / "lake"
    makers = {path.name for path in folder.rglob("*.py") if call in path.read_text(encoding="utf-8")}

    assert not makers
