"""`dataset load`: each published row is in the database once, whatever happened on the way."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bulkgladly.databases.database_url import database_url
from bulkgladly.databases.load_data import fill_database, load_data
from bulkgladly.errors import InputError, Outage, UsageError
from bulkgladly.lake.compact import compact
from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.part_writer import PartOptions
from bulkgladly.lake.places import manifest_place
from bulkgladly.lake.publishing import Decision, write_decision
from tests.flows.loading import DyingDatabase, Killed, LakeOfTest, changes, count_of, item
from tests.flows.programs import heard, program_in
from tests.postgresql_server import running_postgresql


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A PostgreSQL server for all tests of this file."""
    with running_postgresql() as url:
        yield url


_SCHEMAS = iter(range(1000))


_ALWAYS = ("sqlite", "duckdb", "postgresql")
# The others take ten times as long to open, and differ from SQLite in what the tests with `each_database` look at.
_SOAKED = ("sqlite", *(pytest.param(kind, marks=pytest.mark.soak) for kind in _ALWAYS[1:]))
each_database = pytest.mark.parametrize("lake", _ALWAYS, indirect=True)


@pytest.fixture(params=_SOAKED)
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> LakeOfTest:
    """An empty folder and an empty database of each kind."""
    if request.param == "postgresql":
        return LakeOfTest(tmp_path / "lake", request.getfixturevalue("server"), f"s{next(_SCHEMAS)}")
    return LakeOfTest(tmp_path / "lake", f"{request.param}:///{tmp_path}/loaded.db")


def two_nights(lake: LakeOfTest) -> None:
    """Five items, one of them again in the second night."""
    lake.publish("items", "night1", [item(number) for number in range(4)], night=1)
    lake.publish("items", "night2", [item(3, body="newer"), item(4)], night=2)


# --- What is loaded ---


@each_database
def test_a_second_load_writes_nothing(lake: LakeOfTest) -> None:
    """Neither rows nor records."""
    two_nights(lake)

    assert changes(lake.load()) == {"items": (6, 0)}
    before = lake.query("SELECT * FROM {_bulkgladly_units} ORDER BY number")

    assert changes(lake.load()) == {}
    assert lake.query("SELECT * FROM {_bulkgladly_units} ORDER BY number") == before
    lake.check()


def test_a_view_has_the_newest_row_of_each_key(lake: LakeOfTest) -> None:
    """While the table has them all."""
    two_nights(lake)
    lake.load()

    assert lake.query("SELECT id, body FROM {items} WHERE id = 'i3'") == [("i3", "newer")]
    assert (count_of(lake, "items"), count_of(lake, "items_all")) == (5, 6)


def test_a_replaced_unit_takes_the_place_of_the_old_one(lake: LakeOfTest) -> None:
    """Only its rows are removed."""
    two_nights(lake)
    lake.load()
    lake.publish("items", "night1", [item(0), item(9)], replaces=["night1"], night=1)

    assert changes(lake.load()) == {"items": (2, 4)}
    lake.check()


@each_database
def test_units_that_became_one_are_removed_with_it(lake: LakeOfTest) -> None:
    """And nothing is there twice, since both happens in one transaction."""
    two_nights(lake)
    lake.load()
    whole = [*(item(number) for number in range(3)), item(3, body="newer"), item(4)]
    lake.publish("items", "both", whole, replaces=["night1", "night2"])

    assert changes(lake.load()) == {"items": (5, 6)}
    lake.check()


def test_what_was_purged_is_removed(lake: LakeOfTest) -> None:
    """Also when nothing of the data set is left."""
    two_nights(lake)
    lake.load()
    with DataFolder.open(lake.top).lock() as folder:
        folder.remove(folder.manifests("items"))

    assert changes(lake.load()) == {"items": (0, 6)}
    assert count_of(lake, "items_all") == 0


def test_a_table_that_was_dropped_is_filled_again(lake: LakeOfTest) -> None:
    """The records do not say that it is full."""
    two_nights(lake)
    lake.load()
    with lake.database() as database:
        database.execute(f"DROP VIEW {database.place('items')}")
        if database.kind == "duckdb":  # whose views hold on to nothing
            database.execute(f"DROP VIEW {database.place('all_items')}")
        database.execute(f"DROP TABLE {database.place('items_all')}")

    assert changes(lake.load()) == {"items": (6, 0)}
    lake.check()


@each_database
def test_every_type_arrives(lake: LakeOfTest) -> None:
    """Texts with every awkward character, lists, nested values, times, and nothing at all."""
    awkward = "a,\"b\"\n\\N 'c' \x01 é 🦊 {x}"
    topics = ["t,1", 't"2\\', "", "NULL"]
    notes = [item(number, body=body) for number, body in ((1, awkward), (2, ""))]
    moves = [item(number, type="TOPIC_CHANGE", addedTopicIds=ids) for number, ids in ((3, topics), (4, []))]
    lake.publish("items", "one", notes + moves)
    lake.load()

    found = lake.query('SELECT body, initiator, "timestamp", "addedTopicIds" FROM {items_all} ORDER BY id')
    assert [row[0] for row in found[:2]] == [awkward, ""]
    if lake.url.startswith("sqlite"):
        assert found[0][1:] == ('{"id":"a","type":"AGENT"}', "2026-11-22T10:00:00.000Z", None)
        assert [row[3] for row in found[2:]] == ['["t,1","t\\"2\\\\","","NULL"]', "[]"]
    else:
        assert found[0][1] == {"id": "a", "type": "AGENT"}
        assert found[0][2].isoformat() == "2026-11-22T10:00:00+00:00"
        assert [row[3] for row in found[2:]] == [topics, []]


def test_only_the_named_data_sets_are_loaded(lake: LakeOfTest) -> None:
    """An unknown one is refused before anything is loaded."""
    two_nights(lake)
    lake.publish("agents", "one", [{"id": "a", "name": "A"}])

    assert changes(lake.load("agents")) == {"agents": (1, 0)}
    with pytest.raises(UsageError, match="did you mean 'items'"):
        lake.load("itmes")


@each_database
def test_current_rows_are_loaded_by_key(lake: LakeOfTest) -> None:
    """What differs is written, what is gone is removed, and the rest is left alone."""
    lake.publish("items", "night1", [item(number) for number in range(4)], night=1)
    compacted(lake)
    assert changes(lake.load(is_current=True)) == {"items": (4, 0)}
    assert changes(lake.load(is_current=True)) == {}

    lake.publish("items", "night1", [item(0), item(1)], replaces=["night1"], night=1)
    lake.publish("items", "night2", [item(1, body="newer"), item(7)], night=2)
    compacted(lake)

    assert changes(lake.load(is_current=True)) == {"items": (2, 3)}
    found = lake.query("SELECT id, body FROM {items} ORDER BY id")
    assert found == [("i0", "note 0"), ("i1", "newer"), ("i7", "note 7")]


def compacted(lake: LakeOfTest) -> None:
    with DataFolder.open(lake.top).lock() as folder:
        compact(folder, "items")


def test_new_columns_are_added(lake: LakeOfTest) -> None:
    """The table of an older version gets them; rows that are there have nothing in them."""
    two_nights(lake)
    with lake.database() as database:
        fill_database(database, DataFolder.open(lake.top))
        # As a version that knew no `body` has left it.
        for view in ("items", "all_items", "messages", "notes", "changes") if database.kind == "duckdb" else ("items",):
            database.execute(f"DROP VIEW {database.place(view)}")
        database.execute(f"ALTER TABLE {database.place('items_all')} DROP COLUMN body")
        table = database.place("_bulkgladly_tables")
        database.execute(f"UPDATE {table} SET column_names = replace(column_names, '\"body\", ', '')")  # noqa: S608 - names of this test
    lake.publish("items", "night3", [item(8, body="new")], night=3)

    assert changes(lake.load()) == {"items": (1, 0)}
    assert lake.query("SELECT id FROM {items} WHERE body = 'new'") == [("i8",)]


# --- Kills ---


def test_a_kill_at_any_statement_loses_and_doubles_nothing(lake: LakeOfTest) -> None:
    """Of a load that creates everything, and of one that replaces, merges and adds."""
    lake.publish("agents", "one", [{"id": "a", "name": "A"}])
    lake.publish("agents", "two", [{"id": "b", "name": "B"}])
    killed_everywhere(lake, ("agents",), exact={0, 1, 2})

    lake.publish("agents", "both", [{"id": "a", "name": "A"}, {"id": "b", "name": "B"}], replaces=["one", "two"])
    lake.publish("agents", "three", [{"id": "c", "name": "C"}])
    # Before it 2 rows, after it 3: never 4 with a row twice, never 1.
    killed_everywhere(lake, ("agents",), exact={2, 3})
    lake.check("agents")
    assert changes(lake.load()) == {}


def killed_everywhere(lake: LakeOfTest, names: tuple[str, ...], exact: set[int]) -> None:
    """Load with a kill before the first statement, then the second, and so on, until a load ends."""
    for before in range(500):
        with lake.database() as real:
            database = DyingDatabase(real, before)
            try:
                fill_database(database, DataFolder.open(lake.top), names)
            except Killed:
                if real.columns_of("agents_all"):
                    assert real.execute(f"SELECT count(*) FROM {real.place('agents_all')}")[0][0] in exact  # noqa: S608 - names of this test
                continue
        return
    pytest.fail("no load has ended")


def test_a_kill_while_current_rows_are_exchanged(lake: LakeOfTest) -> None:
    """Leaves the old ones."""
    lake.publish("items", "night1", [item(number) for number in range(4)], night=1)
    compacted(lake)
    lake.load(is_current=True)
    lake.publish("items", "night2", [item(1, body="newer"), item(7)], night=2)
    compacted(lake)

    for before in range(500):
        with lake.database() as real:
            database = DyingDatabase(real, before)
            try:
                fill_database(database, DataFolder.open(lake.top), is_current=True)
            except Killed:
                assert real.execute(f"SELECT count(*) FROM {real.place('items_current')}")[0][0] in (4, 5)  # noqa: S608 - names of this test
                continue
        break
    assert count_of(lake, "items_current") == 5


def test_what_a_killed_export_was_publishing_is_loaded(lake: LakeOfTest) -> None:
    """It counts as published from its decision on, so it is completed first."""
    two_nights(lake)
    manifest = DataFolder.open(lake.top).manifests("items")[0]
    write_decision(lake.top, Decision(manifest, (), (), ()))
    lake.top.joinpath(manifest_place("items", manifest.unit)).unlink()

    assert changes(lake.load()) == {"items": (6, 0)}
    lake.check()


# --- What is refused ---


def test_a_table_of_others_is_refused(lake: LakeOfTest) -> None:
    """It is named, and not touched."""
    two_nights(lake)
    with lake.database() as database:
        database.create_schema()
        database.execute(f"CREATE TABLE {database.place('items_all')} (id TEXT)")

    with pytest.raises(UsageError, match=r"items_all.*was not created by bulkgladly"):
        lake.load()
    assert lake.query("SELECT * FROM {items_all}") == []


def test_columns_of_others_are_named(lake: LakeOfTest) -> None:
    """In a table of ours."""
    two_nights(lake)
    lake.load()
    with lake.database() as database:
        database.execute(f"ALTER TABLE {database.place('items_all')} ADD COLUMN price BIGINT")
    lake.publish("items", "night3", [item(8)])

    with pytest.raises(UsageError, match="columns of others: price"):
        lake.load()
    assert count_of(lake, "items_all") == 6


def test_data_of_another_organisation_is_refused(lake: LakeOfTest, tmp_path: Path) -> None:
    """Before anything is written."""
    two_nights(lake)
    lake.load()
    other = LakeOfTest(tmp_path / "other", lake.url, lake.schema)
    other.publish("items", "night1", [item(100)], host="https://other.example.org")

    with pytest.raises(UsageError, match=r"sample\.example\.org, not of https://other\.example\.org"):
        other.load()
    lake.check()


def test_a_damaged_part_is_named(lake: LakeOfTest) -> None:
    """What was loaded before it stays."""
    two_nights(lake)
    part = max((lake.top / "items").rglob("*.parquet"))
    part.write_bytes(b"PAR1")

    with pytest.raises(InputError, match="dataset verify"):
        lake.load()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://db.example.org/x", "scheme 'mysql' are not supported"),
        ("s3://bucket/x", "scheme 's3' are not supported"),
        ("lake.db", "not a URL"),
        ("sqlite://lake.db", "needs three slashes"),
        ("duckdb:///", "needs three slashes"),
        ("postgresql:db", "no two slashes"),
    ],
)
def test_a_url_that_cannot_be_meant_is_refused(url: str, message: str, tmp_path: Path) -> None:
    """And nothing is created."""
    with pytest.raises(UsageError, match=message):
        database_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ada:pl%40nted-secret@db.example.org:5432/support",
        "postgresql://db.example.org/support?user=ada&password=pl%40nted-secret",
    ],
)
def test_a_password_is_never_shown(url: str) -> None:
    """Neither as it is written, nor decoded, in what the driver says."""
    found = database_url(url)

    told = f"{found} {found!r} {found.shown} {found.without_secrets(f'no {url} pl@nted-secret')}"
    assert "nted-secret" not in told
    assert "db.example.org" in found.shown


def test_a_file_that_is_something_else_is_refused(tmp_path: Path) -> None:
    """With its name."""
    lake = LakeOfTest(tmp_path / "lake", f"sqlite:///{tmp_path}/notes.txt")
    two_nights(lake)
    (tmp_path / "notes.txt").write_text("not a database, but a text that is longer than a head of one\n" * 40)

    with pytest.raises(UsageError, match="is not an SQLite database"):
        lake.load()
    with pytest.raises(UsageError, match="does not exist; create it first"):
        load_data(DataFolder.open(lake.top), f"sqlite:///{tmp_path}/nowhere/x.db")
    with pytest.raises(UsageError, match="SQLite has no schemas"):
        load_data(DataFolder.open(lake.top), f"sqlite:///{tmp_path}/x.db", schema="gladly")


# --- Each database ---


def test_duckdb_has_the_joined_views(tmp_path: Path) -> None:
    """Those of `dataset sql`, over the tables, also of a lake whose files DuckDB cannot read."""
    lake = LakeOfTest(tmp_path / "lake", f"duckdb:///{tmp_path}/x.duckdb", "gladly")
    two_nights(lake)
    lake.load()

    assert lake.query("SELECT count(*), max(text) FROM {notes}") == [(5, "note 4")]
    assert lake.query("SELECT agent_id FROM {all_agents}") == []
    with pytest.raises(UsageError, match="leave out --schema x"):
        load_data(DataFolder.open(lake.top), lake.url, schema="x")


def test_ndjson_is_loaded_like_parquet(tmp_path: Path) -> None:
    """Rows are read through the declared schema, whatever the format of the files."""
    lake = LakeOfTest(tmp_path / "lake", f"duckdb:///{tmp_path}/x.duckdb")
    lake.publish("agents", "one", [{"id": "a", "name": "A"}], options=PartOptions(format="ndjson"))
    lake.load()

    assert lake.query("SELECT agent_id, agent_name FROM {all_agents}") == [("a", "A")]


def test_a_nul_becomes_a_placeholder_in_postgresql(server: str, tmp_path: Path) -> None:
    """Which cannot store it, in texts, in lists and in jsonb."""
    lake = LakeOfTest(tmp_path / "lake", server, "nul")
    note = {**item(1, body="a\0b"), "initiator": {"id": "a\0", "type": "AGENT"}}
    lake.publish("items", "one", [note, item(2, type="TOPIC_CHANGE", addedTopicIds=["t\0"])])
    lake.load()

    note_row, move_row = lake.query('SELECT body, initiator, "addedTopicIds" FROM {items_all} ORDER BY id')
    assert note_row == ("a\ufffdb", {"id": "a\ufffd", "type": "AGENT"}, None)
    assert move_row[2] == ["t\ufffd"]


def test_postgresql_says_what_is_missing(server: str, tmp_path: Path) -> None:
    """A database, a permission, a server; and never a password."""
    lake = LakeOfTest(tmp_path / "lake", server)
    two_nights(lake)
    with admin(server) as database:
        database.execute("CREATE ROLE reader LOGIN PASSWORD 'planted-secret'")
    folder = DataFolder.open(lake.top)

    for url, error, message in (
        (f"{server}_nowhere", UsageError, "createdb"),
        (server.replace("postgres@", "reader:planted-secret@"), UsageError, "grant this user CREATE"),
        ("postgresql://reader:planted-secret@127.0.0.1:1/x", Outage, "cannot be reached"),
        ("postgresql://reader:planted%zz-secret@127.0.0.1:1/x", UsageError, "cannot be used"),
    ):
        with pytest.raises(error, match=message) as caught:
            load_data(folder, url)
        assert "planted" not in str(caught.value)


def test_a_connection_that_is_lost_is_an_outage(server: str, tmp_path: Path) -> None:
    """The next load continues."""
    lake = LakeOfTest(tmp_path / "lake", server, "lost")
    two_nights(lake)
    with lake.database() as database:
        own = database.execute("SELECT pg_backend_pid()")[0][0]
        with admin(server) as other:
            other.execute(f"SELECT pg_terminate_backend({own}, 5000)")
        with pytest.raises(Outage, match="run the command again"):
            fill_database(database, DataFolder.open(lake.top))

    lake.load()
    lake.check()


@contextmanager
def admin(server: str) -> Iterator[Any]:
    with LakeOfTest(Path(), server, "public").database() as database:
        yield database


# --- The command ---


def test_the_command_says_what_it_has_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And nothing more when there is nothing new."""
    lake = LakeOfTest(tmp_path / "lake", "sqlite:///lake.db")
    two_nights(lake)
    program = heard(program_in(tmp_path, monkeypatch), capsys)

    first = program("dataset", "load", "lake", "sqlite:///lake.db")
    second = program("dataset", "load", "lake", "sqlite:///lake.db")
    third = program("dataset", "load", "lake", "oracle://db.example.org/x")

    assert (first.code, first.err) == (0, "items: wrote 6 rows, in items_all\n")
    assert (second.code, second.err) == (0, "nothing new\n")
    assert third.code == 2
    assert "scheme 'oracle'" in third.err
