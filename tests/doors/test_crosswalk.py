"""The crosswalk in the state and in files: out, in again, checked, and never by halves."""

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import orjson
import pytest

from bulkgladly import UsageError
from bulkgladly.crosswalk.crosswalk_export import export_crosswalk
from bulkgladly.crosswalk.crosswalk_import import CrosswalkImported, CrosswalkSource, import_crosswalk
from bulkgladly.errors import InputError
from bulkgladly.journal.crosswalk import CrosswalkRepairs, KnownId, entries_in
from bulkgladly.journal.state import State
from bulkgladly.records import Known

HOST = "https://acme.gladly.com"
PRINTS = {"name": "0123456789abcdef"}


def state_of(folder: Path, resource: str = "customers", *, namespace: str = "default", run: str = "a-run") -> State:
    return State(folder / "state.sqlite", (HOST, resource, namespace), is_synced=True, run=run)


def remember(folder: Path, *rows: tuple[str, str], resource: str = "customers", namespace: str = "default") -> None:
    state = state_of(folder, resource, namespace=namespace)
    state.remember([(key, gladly_id, PRINTS if gladly_id else {}) for key, gladly_id in rows])
    state.commit()
    state.close()


def known(folder: Path, *keys: str, resource: str = "customers") -> dict[str, Known]:
    state = state_of(folder, resource)
    found = state.known(keys)
    state.close()
    return found


def file_of(folder: Path, text: str, name: str = "ids.csv") -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def taken_in(folder: Path, text: str, resource: str = "customers", **more: Any) -> CrosswalkImported:
    replace = more.pop("replace", False)
    source = CrosswalkSource(file_of(folder, text), **{"host": HOST, **more})
    return import_crosswalk(folder, resource, source, replace=replace)


@pytest.mark.parametrize("suffix", ["csv", "parquet", "ndjson"])
def test_what_is_exported_is_the_same_on_another_machine(suffix: str, tmp_path: Path) -> None:
    """With fingerprints, all that was known is known there, in every namespace; the file is private."""
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    remember(here, ("K1", "id-1"), ("K,\"2'\n", "id-2"))
    remember(here, ("K1", "id-3"), namespace="shop")
    path = tmp_path / f"ids.{suffix}"

    assert export_crosswalk(here, "customers", path, fingerprints=True) == 3
    found = import_crosswalk(there, "customers", CrosswalkSource(str(path)))

    assert (found.added, found.problems, found.host) == (3, 0, HOST)
    assert next(iter(entries_in(there / "state.sqlite", "customers"))) == (
        HOST,
        "default",
        "K,\"2'",
        "id-2",
        '{"name":"0123456789abcdef"}',
    )
    assert known(there, "K1")["K1"] == Known("id-1", PRINTS)
    assert path.stat().st_mode & 0o777 == 0o600


def test_fingerprints_stay_at_home_unless_they_are_asked_for(tmp_path: Path) -> None:
    """They are hashes of personal values; without them an imported key is known, and what Gladly holds is not."""
    remember(tmp_path, ("K1", "id-1"))
    path = tmp_path / "ids.ndjson"

    export_crosswalk(tmp_path, "customers", path)

    assert orjson.loads(path.read_bytes()) == {
        "host": HOST,
        "object": "customers",
        "namespace": "default",
        "key": "K1",
        "gladly_id": "id-1",
        "status": "known",
    }
    import_crosswalk(tmp_path / "there", "customers", CrosswalkSource(str(path)))
    assert known(tmp_path / "there", "K1")["K1"] == Known("id-1", {})


def test_what_is_known_already_keeps_its_fingerprints(tmp_path: Path) -> None:
    """The same key with the same id changes nothing: unchanged rows stay free."""
    remember(tmp_path, ("K1", "id-1"))

    found = taken_in(tmp_path, "key,gladly_id\nK1,id-1\nK2,id-2\nK2,id-2\n")

    assert (found.added, found.unchanged, found.repeated) == (1, 1, 1)
    assert known(tmp_path, "K1", "K2") == {"K1": Known("id-1", PRINTS), "K2": Known("id-2", {})}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("key,gladly_id\nK1,id 1\n", "gladly_id id 1: an id can only have letters"),
        (f"key,gladly_id\nK1,{'x' * 50}\n", "the id has 50 characters; Gladly allows 49"),
        ("key,gladly_id\n,id-1\n", "key is empty or holds a placeholder such as N/A"),
        ("key,gladly_id\nK1,\n", "gladly_id is empty"),
        ("key,gladly_id,status\nK1,,unknown\n", "gladly_id is empty"),
        ("key,gladly_id\nK1,a\nK1 ,b\n", "key K1 is b here, and a in line 2"),
        ("key,gladly_id,object\nK1,a,tasks\n", "is about tasks, not customers"),
        ("key,gladly_id,host\nK1,a,https://other.gladly.com\n", "is of https://other.gladly.com, not"),
        ("key,gladly_id,namespace\nK1,a,shop\n", "is of namespace shop"),
        ("key,gladly_id,action\nK1,a,deleted\n", "was deleted by the run that wrote this file"),
        ("key,gladly_id,fingerprints\nK1,a,[1]\n", "fingerprints is not what `crosswalk export` writes"),
    ],
)
def test_one_bad_row_keeps_all_rows_out(text: str, told: str, tmp_path: Path) -> None:
    """Each is told with its line, and nothing is written."""
    found = taken_in(
        tmp_path, f"{text.rstrip()}\nGOOD,good{',' * (text.splitlines()[0].count(',') - 1)}\n", namespace="default"
    )

    assert found.problems == 1
    assert told in found.told[0]
    assert "ids.csv:" in found.told[0]
    assert not [*entries_in(tmp_path / "state.sqlite", "customers")]


def test_another_id_is_refused_with_both_and_replaced_only_on_demand(tmp_path: Path) -> None:
    """Nothing else of the file is taken in either; a replaced key has no fingerprints."""
    remember(tmp_path, ("K1", "id-1"))
    text = "key,gladly_id\nK0,id-0\nK1,other\n"

    refused = taken_in(tmp_path, text)

    assert (refused.problems, refused.conflicts) == (1, 1)
    assert refused.told[0].endswith("ids.csv:3: key K1 is known as id-1; the file says other")
    assert known(tmp_path, "K0", "K1") == {"K1": Known("id-1", PRINTS)}

    replaced = taken_in(tmp_path, text, replace=True)

    assert (replaced.added, replaced.replaced) == (1, 1)
    assert known(tmp_path, "K1")["K1"] == Known("other", {})


def test_columns_can_have_any_names_and_are_found_by_the_usual_ones(tmp_path: Path) -> None:
    """A typing error in a flag gets a suggestion; a number of a spreadsheet is the key that an import makes of it."""
    found = taken_in(tmp_path, "crm,gladly\n4711.0,id-1\n", key_column="crm", id_column="gladly")

    assert (found.added, found.cleaned) == (1, 1)
    assert list(known(tmp_path, "4711")) == ["4711"]
    with pytest.raises(InputError, match="did you mean --key-column crm"):
        taken_in(tmp_path, "crm,gladly\n1,id-1\n", key_column="crn")
    with pytest.raises(
        InputError, match="no column key or source_key; pass --key-column COLUMN: the file has crm, gladly"
    ):
        taken_in(tmp_path, "crm,gladly\n1,id-1\n")


def test_several_keys_of_one_id_are_told(tmp_path: Path) -> None:
    """They may be right, after a merge; they may also be a mistake."""
    found = taken_in(tmp_path, "key,gladly_id\nA,same\nB,same\nC,other\n")

    assert (found.added, found.shared_ids, sorted(found.shared)) == (3, 1, ["A", "B"])


def test_it_must_be_clear_whose_keys_they_are(tmp_path: Path) -> None:
    """Neither the file nor the state names an organisation, so nothing is guessed."""
    with pytest.raises(UsageError, match="set GLADLY_HOST"):
        taken_in(tmp_path, "key,gladly_id\nA,a\n", host=None)


def test_a_key_that_may_have_been_sent_stays_protected(tmp_path: Path) -> None:
    """It moves without an id, as reserved; an id that is known stays; and an id for a reserved key takes --replace."""
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    state = state_of(here, "notes")
    assert state.reserve("N1", {}) is None
    state.commit()
    path = tmp_path / "notes.csv"
    export_crosswalk(here, "notes", path)

    import_crosswalk(there, "notes", CrosswalkSource(str(path)))

    later = state_of(there, "notes", run="later")
    reserved = later.reserve("N1", {})
    later.close()
    assert reserved == Known("", {}, held_by="crosswalk import")
    assert taken_in(there, "key,gladly_id\nN1,note-1\n", "notes").conflicts == 1
    assert taken_in(there, "key,gladly_id\nN1,note-1\n", "notes", replace=True).replaced == 1
    assert import_crosswalk(there, "notes", CrosswalkSource(str(path))).unchanged == 1
    assert known(there, "N1", resource="notes")["N1"].gladly_id == "note-1"
    state.close()


def test_a_repair_changes_only_what_is_as_it_was_seen(tmp_path: Path) -> None:
    """Another run may have written the key since Gladly was asked; its word counts."""
    remember(tmp_path, ("A", "old"), ("B", "old"), ("C", "gone"), ("D", "gone"))
    repairs = CrosswalkRepairs(tmp_path / "state.sqlite", HOST, "customers")
    seen = repairs.page_after(None, 10)
    remember(tmp_path, ("B", "newer"), ("D", "newer"))

    repairs.repoint([(one, "heir") for one in seen[:2]])
    repairs.forget(seen[2:])

    assert seen == [
        KnownId("default", key, gladly_id)
        for key, gladly_id in zip("ABCD", ("old", "old", "gone", "gone"), strict=True)
    ]
    assert {key: one.gladly_id for key, one in known(tmp_path, *"ABCD").items()} == {
        "A": "heir",
        "B": "newer",
        "D": "newer",
    }
    assert known(tmp_path, "A")["A"].accepted == PRINTS
    repairs.close()


def test_what_a_repair_forgets_is_no_longer_ours(tmp_path: Path) -> None:
    """Another system may create a customer with that id again, and `--missing delete` must not take it for ours."""
    remember(tmp_path, ("A", "gone"), ("B", "kept"))
    state = State(tmp_path / "state.sqlite", (HOST, "customers", "default"), is_synced=False, run="run")
    state.note_made([("A", "gone"), ("B", "kept")])
    state.commit()
    state.close()
    repairs = CrosswalkRepairs(tmp_path / "state.sqlite", HOST, "customers")

    repairs.forget([KnownId("default", "A", "gone")])

    repairs.close()
    with contextlib.closing(sqlite3.connect(tmp_path / "state.sqlite")) as found:
        assert found.execute("SELECT key FROM made").fetchall() == [("B",)]


def test_pages_go_through_all_namespaces_and_leave_out_what_has_no_id(tmp_path: Path) -> None:
    """A page may span two; the next begins after the last key of the one before."""
    remember(tmp_path, ("A", "1"), ("B", "2"), ("C", "3"))
    remember(tmp_path, ("A", "4"), ("Z", ""), namespace="shop")
    repairs = CrosswalkRepairs(tmp_path / "state.sqlite", HOST, "customers")

    first, second = repairs.page_after(None, 2), repairs.page_after(("default", "B"), 2)

    assert [one.gladly_id for one in first + second] == ["1", "2", "3", "4"]
    assert (repairs.left_after(None), repairs.left_after(("default", "B")), repairs.left_after(("shop", "A"))) == (
        4,
        2,
        0,
    )
    repairs.close()


def test_a_state_that_is_no_database_is_named(tmp_path: Path) -> None:
    """The message has the file."""
    (tmp_path / "state.sqlite").write_bytes(b"not a database" * 100)

    with pytest.raises(Exception, match=r"state\.sqlite"):
        list(entries_in(tmp_path / "state.sqlite", "customers"))
    with pytest.raises(Exception, match=r"state\.sqlite"):
        taken_in(tmp_path, "key,gladly_id\nA,a\n")
