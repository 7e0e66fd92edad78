"""Orders in a run's folder: whole or absent, for one session, and from this user alone."""

import os
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from bulkgladly.journal.databases import open_journal
from bulkgladly.journal.steering_files import (
    Obeyed,
    Orders,
    obeyed_in,
    orders_in,
    steered_events,
    write_steering,
)
from bulkgladly.journal.writer import write_note

ORDERS = Orders("s1", 3, is_paused=True, rate=2.5)
OBEYED = Obeyed("s1", 3, 17, True, False, 2.5, 9.0, "paused", 1, 2, True, "rows", 0)
FILES = ("steering.json", "steering-seen.json")


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    """Both files, which only this user can read."""
    assert orders_in(tmp_path) is None
    assert obeyed_in(tmp_path) is None

    for content in (ORDERS, replace(ORDERS, rate=None), OBEYED, replace(OBEYED, per_second=None)):
        write_steering(tmp_path, content)
        found = orders_in(tmp_path) if isinstance(content, Orders) else obeyed_in(tmp_path)
        assert found == content

    assert {(tmp_path / name).stat().st_mode & 0o777 for name in FILES} == {0o600}


def garbage() -> list[bytes]:
    whole = orjson.loads(orjson.dumps({"format": 1, "session": "s1", "number": 3, "is_paused": True, "rate": 2.5}))
    whole["is_stopped"] = False
    changed: list[dict[str, object]] = [
        {"format": 2},
        {"number": "3"},
        {"is_paused": 1},
        {"rate": -1.0},
        {"rate": 0.0},
        {"rate": 3},
        {"more": 1},
    ]
    lacking = {name: value for name, value in whole.items() if name != "session"}
    return [
        *(b"", b"{", b"[]", b"null", b"\xff\xfe", b"{}", b"[" * 5000, orjson.dumps(lacking)),
        *(orjson.dumps({**whole, **change}) for change in changed),
        orjson.dumps(whole) + b" " * 5000 + b"x",
    ]


@pytest.mark.parametrize("content", garbage())
def test_what_makes_no_sense_is_no_order(content: bytes, tmp_path: Path) -> None:
    """The reader says why, and a garbled reply of a run counts as none."""
    for name in FILES:
        (tmp_path / name).write_bytes(content)
        (tmp_path / name).chmod(0o600)

    if content.endswith(b"x"):
        content = b""  # only the beginning is read, which is whole here
        assert orders_in(tmp_path) is not None
    else:
        with pytest.raises(ValueError, match="is damaged, or was not written by bulkgladly"):
            orders_in(tmp_path)
    assert obeyed_in(tmp_path) is None


@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "writable"])
def test_what_another_user_could_have_written_is_no_order(kind: str, tmp_path: Path) -> None:
    """A pipe does not make the run wait either."""
    write_steering(tmp_path, ORDERS)
    path = tmp_path / "steering.json"
    if kind == "writable":
        path.chmod(0o622)
    else:
        path.rename(tmp_path / "elsewhere")
    if kind == "link":
        path.symlink_to(tmp_path / "elsewhere")
    elif kind == "pipe":
        os.mkfifo(path, 0o600)
    elif kind == "folder":
        path.mkdir()

    with pytest.raises(ValueError, match="cannot be read"):
        orders_in(tmp_path)


def test_a_command_that_died_leaves_no_half_order(tmp_path: Path) -> None:
    """What it wrote aside has another name."""
    (tmp_path / ".steering.json.partial").write_bytes(b'{"format": 1, "sess')

    assert orders_in(tmp_path) is None


def test_the_events_of_all_sessions_are_in_the_journal(tmp_path: Path) -> None:
    """Nothing is raised if they are not, because they only draw a picture."""
    assert steered_events(tmp_path) == []
    connection = open_journal(tmp_path / "journal.sqlite")
    assert steered_events(tmp_path) == []
    for value in ('[{"at": "2026", "what": "paused", "value": null}, 3]', "{}", "x"):
        connection.execute("BEGIN")
        write_note(connection, "steered", value)
        connection.execute("COMMIT")
        assert steered_events(tmp_path) == ([{"at": "2026", "what": "paused", "value": None}] if "at" in value else [])
    connection.close()
