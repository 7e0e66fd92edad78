"""`dataset` as a person meets it: what it prints, where, and how it leaves."""

import datetime as dt
import io
import json
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from bulkgladly.cli.old_data import agreed
from bulkgladly.errors import UsageError
from bulkgladly.lake.compact import compact, is_compact
from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.rows import Origin
from bulkgladly.lake.schemas import DATA_SETS
from bulkgladly.lake.unit_writer import UnitWriter
from tests.flows.programs import Program, program_in
from tests.full_disk import fill_at_open

NOON = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """The program in an empty folder, without credentials and without a network."""
    return program_in(tmp_path, monkeypatch)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two nights of agents, the second after a gap, with a field that no column has and a line that is no row."""
    path = tmp_path / "data"
    with DataFolder.open(path, host="https://sample.example.org", create=True, now=lambda: NOON).lock() as folder:
        for night, name in enumerate(("Old Name", "New Name")):
            day = dt.datetime(2026, 11, 20 + 2 * night, tzinfo=dt.UTC)
            source = Origin(f"job{night}", "agents.jsonl", {"_job_updated_at": day})
            writer = UnitWriter(folder, DATA_SETS["agents"], f"job{night}", source)
            writer.convert([f'{{"id":"a","name":"{name}","shift":"late"}}\n'.encode(), b"x\n" * night])
            writer.commit(covered=(day, day + dt.timedelta(days=1)))
    return path


def close_the_gap(data: Path) -> None:
    with DataFolder.open(data).lock() as folder:
        writer = UnitWriter(folder, DATA_SETS["agents"], "between", Origin("between", "agents.jsonl"))
        writer.commit(covered=(dt.datetime(2026, 11, 21, tzinfo=dt.UTC), dt.datetime(2026, 11, 22, tzinfo=dt.UTC)))


def test_verify_tells_each_finding_with_its_way_out(
    program: Program, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On stdout; the verdict is for people. Exit code 1."""
    part = data / "agents" / "job0-0001.parquet"
    part.unlink()

    status = program("dataset", "verify", "data")

    told = capsys.readouterr()
    assert status == 1
    assert "missing: agents/job0-0001.parquet: is missing\n  fix: remove its manifest" in told.out
    gap = "gap: agents: nothing covers the time from 2026-11-21T00:00:00Z to 2026-11-22T00:00:00Z\n  fix: export"
    assert gap in told.out
    assert told.out.count("\n") == 4
    assert "checked 2 rows in 2 files: 2 problems found" in told.err
    assert "1 line could not be converted; see data/_rejects" in told.err


def test_verify_of_a_sound_folder_leaves_with_0(
    program: Program, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And says what it did not look at."""
    close_the_gap(data)

    quick, shallow = program("dataset", "verify", "data"), capsys.readouterr()
    deep, thorough = program("dataset", "verify", "data", "--deep"), capsys.readouterr()

    assert (quick, deep) == (0, 0)
    assert (shallow.out, thorough.out) == ("", "")
    assert "`bulkgladly dataset verify data --deep` reads every byte" in shallow.err
    assert "--deep" not in thorough.err


def test_verify_for_programs(program: Program, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same as JSON, alone on stdout."""
    status = program("dataset", "verify", "data", "--deep", "--json")

    told = capsys.readouterr()
    found = json.loads(told.out)
    assert status == 1
    assert (found["is_sound"], found["is_deep"], found["is_in_use"]) == (False, True, False)
    assert [(one["kind"], one["data_set"], one["path"]) for one in found["findings"]] == [("gap", "agents", None)]
    assert found["data_sets"][0]["rows"] == 2
    assert told.err == ""


def test_show_tells_what_there_is(program: Program, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line for each data set, and its gaps."""
    status = program("dataset", "show", "data")

    lines = capsys.readouterr().out.splitlines()
    assert status == 0
    assert lines[0].split() == ["data", "set", *lines[0].split()[2:]]
    row = lines[1].split()
    assert row[:3] == ["agents", "2", "2"]
    assert row[4:] == ["kB", "2026-11-20", "2026-11-23", "1", "2", "2026-11-23", "12:00"]
    assert lines[2:] == [
        "gap in agents: 2026-11-21 to 2026-11-22",
        "`bulkgladly dataset drift data` lists the values without a column of their own",
    ]


@pytest.mark.parametrize(("age", "code"), [("3650d", 0), ("1s", 1)])
def test_a_monitor_learns_whether_a_data_set_is_fresh(
    program: Program, data: Path, capsys: pytest.CaptureFixture[str], age: str, code: int
) -> None:
    assert program("dataset", "show", "data", "--json", "--max-age", age) == code
    told = capsys.readouterr()
    assert json.loads(told.out)["data_sets"]
    assert ("was last written by an export at" in told.err) is bool(code)


def test_events_that_arrive_do_not_hide_that_the_dumps_fail(
    program: Program, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They go on while no export runs. With names, each data set must be young by itself."""
    show = ("dataset", "show", "data")
    age = ("--max-age", "1s")
    with DataFolder.open(data).lock() as folder:
        UnitWriter(folder, DATA_SETS["events"], "landed", Origin("landed", "inbox")).commit(about={"inbox": "a"})
    assert program(*show, *age) == 1
    assert "was last written by an export at" in capsys.readouterr().err
    assert program(*show, "events", "--max-age", "1h") == 0, "nothing else ever brought any"

    with DataFolder.open(data).lock() as folder:
        UnitWriter(folder, DATA_SETS["events"], "dumped", Origin("dumped", "events")).commit()
    assert program(*show, "--max-age", "1h") == 0
    assert program(*show, "events", "agents", *age) == 1
    assert "data/agents was last written by an export at" in capsys.readouterr().err
    assert program(*show, "event", *age) == 2
    assert "did you mean 'events'?" in capsys.readouterr().err


def test_show_for_programs(program: Program, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Numbers and times, and whose data it is."""
    assert program("dataset", "show", "data", "--json") == 0

    found = json.loads(capsys.readouterr().out)
    assert found["host"] == "https://sample.example.org"
    (agents,) = found["data_sets"]
    assert agents == {
        "data_set": "agents",
        "units": 2,
        "rows": 2,
        "parts": 2,
        "bytes": sum(part.stat().st_size for part in (data / "agents").iterdir()),
        "rejected": 1,
        "drift": 2,
        "incomplete": 0,
        "schema_versions": [1],
        "covered_from": "2026-11-20T00:00:00+00:00",
        "covered_to": "2026-11-23T00:00:00+00:00",
        "gaps": [["2026-11-21T00:00:00+00:00", "2026-11-22T00:00:00+00:00"]],
        "last_written_at": "2026-11-23T12:00:00+00:00",
        "removed_before": None,
    }


@pytest.mark.parametrize("command", ["show", "drift", "verify", "compact"])
def test_an_empty_folder_is_no_error(
    program: Program, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    """There is a word for it, on stderr."""
    DataFolder.open(tmp_path / "empty", host="h", create=True)

    assert program("dataset", command, "empty") == 0

    told = capsys.readouterr()
    assert told.out == ""
    assert told.err


def test_drift_tells_what_has_no_column(program: Program, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where, how often, since when, and in which unit first; as text and as JSON."""
    assert program("dataset", "drift", "data") == 0
    table = capsys.readouterr().out.splitlines()
    assert program("dataset", "drift", "data", "--json") == 0
    (found,) = json.loads(capsys.readouterr().out)

    assert table[1].split() == ["agents", "shift", "unknown_field", "2", "2026-11-20", "job0"]
    assert found == {
        "data_set": "agents",
        "path": "shift",
        "kind": "unknown_field",
        "count": 2,
        "since": "2026-11-20T00:00:00+00:00",
        "unit": "job0",
        "units": 2,
    }


def test_compact_writes_the_newest_rows(program: Program, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of all data sets, or of those named; what a kill left is put right before."""
    (data / "agents" / ".job9-0001.parquet.partial").touch()

    assert program("dataset", "compact", "data") == 0
    told = capsys.readouterr()
    assert program("dataset", "compact", "data", "agents", "--json") == 0
    (made,) = json.loads(capsys.readouterr().out)

    assert told.out == ""
    assert "agents: kept 1 of 2 rows, in data/current/agents" in told.err
    assert (made["data_set"], made["rows"], made["rows_read"], made["parts"]) == ("agents", 1, 2, 1)
    assert pq.read_table(data / "current" / "agents").column("name").to_pylist() == ["New Name"]
    assert not list((data / "agents").glob(".*"))


@pytest.mark.parametrize("command", ["show", "drift", "verify", "compact"])
def test_what_is_no_data_set_is_refused(
    program: Program, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    """Exit code 2, with the command that makes one; nothing is written."""
    (tmp_path / "other").mkdir()

    assert program("dataset", command, "other") == 2

    assert "is not a bulkgladly data set; run `bulkgladly dump" in capsys.readouterr().err
    assert not list((tmp_path / "other").iterdir())


def test_compact_waits_for_nobody(program: Program, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """While an export writes, it leaves with 2 and names the process; reading works."""
    with DataFolder.open(data).lock():
        assert program("dataset", "compact", "data") == 2
        assert "is in use by process" in capsys.readouterr().err
        assert program("dataset", "verify", "data") == 1
        assert "an export is writing here" in capsys.readouterr().err


def test_one_damaged_data_set_does_not_keep_the_others_from_being_compacted(
    program: Program, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is named and keeps what it has in `current/`; alone it ends with 2, as before."""
    with DataFolder.open(data).lock() as folder:
        writer = UnitWriter(folder, DATA_SETS["inboxes"], "list", Origin("list", "f"))
        writer.convert([b'{"id":"a"}\n'])
        writer.commit()
    assert program("dataset", "compact", str(data)) == 0
    before = (data / "current" / "agents" / "part-0001.parquet").read_bytes()
    (data / "_manifest" / "agents" / "job0.json").write_bytes(b"{")
    capsys.readouterr()

    assert program("dataset", "compact", str(data)) == 1

    told = capsys.readouterr().err
    assert "agents: not compacted" in told
    assert "inboxes: kept 1 of 1 row" in told
    assert (data / "current" / "agents" / "part-0001.parquet").read_bytes() == before
    assert program("dataset", "compact", str(data), "agents") == 2


def test_a_clock_that_was_ahead_is_not_fresh(program: Program, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Or a monitor would be silent until that time has come."""
    ahead = dt.datetime.now(dt.UTC) + dt.timedelta(days=3650)
    for path in (data / "_manifest").rglob("*.json"):
        path.unlink()
    for path in (data / "agents").glob("*"):
        path.unlink()
    with DataFolder.open(data, now=lambda: ahead).lock() as folder:
        UnitWriter(folder, DATA_SETS["agents"], "one", Origin("one", "agents.jsonl")).commit()

    assert program("dataset", "show", "data", "--max-age", "26h") == 1
    assert "a clock that is ahead" in capsys.readouterr().err


def test_purge_removes_what_is_old_after_consent(
    program: Program, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not without a terminal or --yes, and never what is newer."""
    now = dt.datetime.now(dt.UTC)
    with DataFolder.open(data).lock() as folder:
        for unit, days in (("old", 500), ("new", 100)):
            writer = UnitWriter(folder, DATA_SETS["customers"], unit, Origin(unit, "customers.jsonl"))
            writer.convert([b'{"id":"c"}\n'])
            writer.commit(covered=(now - dt.timedelta(days=days), now - dt.timedelta(days=days - 1)))

    purge = ("dataset", "purge", "data", "--older-than", "400d")
    assert program("dataset", "purge", "data", "--older-than", "3d") == 2
    assert "at least 31d" in capsys.readouterr().err
    assert program(*purge) == 2
    told = capsys.readouterr().err
    assert "customers: 1 row in 1 file" in told
    assert "pass --yes" in told
    assert DataFolder.open(data).manifest("customers", "old") is not None
    assert program(*purge, "--yes", "--json") == 0
    assert json.loads(capsys.readouterr().out)["removed"]["customers"]["rows"] == 1
    assert [one.unit for one in DataFolder.open(data).manifests("customers")] == ["new"]
    assert program(*purge) == 0
    assert "nothing is entirely before" in capsys.readouterr().err
    assert program("dataset", "show", "data") == 0
    assert "customers: what is older than" in capsys.readouterr().out


def test_purge_without_a_person_counts_from_the_newest_data(
    program: Program, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A clock that is ahead would remove what is younger, and nobody sees the day."""
    with DataFolder.open(data).lock() as folder:
        folder.remove([one for name in folder.data_sets() for one in folder.manifests(name)])
        long_ago = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
        for unit, days in (("old", 500), ("young", 300), ("newest", 1)):
            writer = UnitWriter(folder, DATA_SETS["customers"], unit, Origin(unit, "customers.jsonl"))
            writer.convert([b'{"id":"c"}\n'])
            writer.commit(covered=(long_ago - dt.timedelta(days), long_ago - dt.timedelta(days - 1)))

    assert program("dataset", "purge", "data", "--older-than", "400d", "--yes") == 0
    assert {one.unit for one in DataFolder.open(data).manifests("customers")} == {"young", "newest"}
    assert "warning: the newest data ends on 2020-01-01, and the clock" in capsys.readouterr().err


def test_purge_finishes_what_an_earlier_one_left_and_names_what_it_cannot_read(
    program: Program, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rows that were removed must not stay in `current/`, nor in a file that nobody knows of."""
    with DataFolder.open(data).lock() as folder:
        for unit, days in (("a", 500), ("b", 1)):
            writer = UnitWriter(folder, DATA_SETS["customers"], unit, Origin(unit, "customers.jsonl"))
            writer.convert([b'{"id":"%s"}\n' % unit.encode()])
            writer.commit(covered=(NOON - dt.timedelta(days), NOON - dt.timedelta(days - 1)))
        compact(folder, "customers")
    part = next((data / "customers").glob("b-*"))
    whole = part.read_bytes()
    part.write_bytes(b"damaged")
    purge = ("dataset", "purge", "data", "--older-than", "400d", "--yes")
    assert program(*purge) == 1
    assert "customers was not purged completely: " in capsys.readouterr().err

    part.write_bytes(whole)
    assert program(*purge) == 0
    assert is_compact(DataFolder.open(data), "customers")

    (data / "_manifest" / "customers" / "b.json").write_bytes(b"damaged")
    assert program(*purge) == 1
    assert "warning: passed over: " in capsys.readouterr().err


def test_purge_goes_on_where_the_disk_is_full(
    program: Program, data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`current/` of the first data set cannot be written again, and purging the next ones makes room."""
    with DataFolder.open(data).lock() as folder:
        for name in ("customers", "topics"):
            for unit, days in (("a", 500), ("b", 1)):
                writer = UnitWriter(folder, DATA_SETS[name], unit, Origin(unit, str(DATA_SETS[name].file)))
                writer.convert([b'{"id":"x"}\n'])
                writer.commit(covered=(NOON - dt.timedelta(days), NOON - dt.timedelta(days - 1)))
        compact(folder, "customers")
    fill_at_open(monkeypatch, ".compact-")

    assert program("dataset", "purge", "data", "--older-than", "400d", "--yes") == 1
    assert "customers was not purged completely" in capsys.readouterr().err
    for name in ("customers", "topics"):
        assert [one.unit for one in DataFolder.open(data).manifests(name)] == ["b"]


class Terminal(io.StringIO):
    """A person who has typed something."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("typed", "is_removed"), [("y\n", True), ("\n", False), ("", False)])
def test_a_person_is_asked_before_the_first_removal(
    program: Program, data: Path, monkeypatch: pytest.MonkeyPatch, typed: str, is_removed: bool
) -> None:
    """By `dataset purge`, and by `dump --retention` before it sends anything."""
    long_ago = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    with DataFolder.open(data).lock() as folder:
        writer = UnitWriter(folder, DATA_SETS["agents"], "old", Origin("old", "agents.jsonl"))
        writer.commit(covered=(long_ago, long_ago + dt.timedelta(days=1)))

    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    if is_removed:
        assert agreed(data, 400)
    else:
        with pytest.raises(UsageError, match="nothing was removed or fetched"):
            agreed(data, 400)
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    assert program("dataset", "purge", "data", "--older-than", "400d") == (0 if is_removed else 2)
    assert (DataFolder.open(data).manifest("agents", "old") is None) is is_removed
    monkeypatch.setattr(sys, "stdin", Terminal(""))
    assert is_removed is False or not agreed(data, 400), "nothing is left to agree to"
