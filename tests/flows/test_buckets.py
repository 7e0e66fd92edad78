"""`dataset push` and `pull` with real servers: what they send and fetch, and what a person is told when they cannot."""

import datetime as dt
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import orjson
import pytest

from bulkgladly.errors import UsageError
from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.rows import Origin
from bulkgladly.lake.schemas import DATA_SETS
from bulkgladly.lake.unit_writer import UnitWriter
from bulkgladly.stores.addresses import store_address
from bulkgladly.stores.conditions import prove_conditions
from bulkgladly.stores.store_opening import opened_store
from tests.flows.programs import HeardProgram, heard, program_in
from tests.object_stores import MOTO, WEED, environment, moto, weed

NOON = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
LARGE = 40 << 20


@pytest.fixture(scope="module", params=["moto", "seaweedfs"])
def endpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with an empty bucket `lake`."""
    server = MOTO if request.param == "moto" else WEED
    if not server.exists():
        pytest.skip(f"{server.name} is not installed (extra `dev`)")
    with ExitStack() as stack:
        yield stack.enter_context(moto() if server is MOTO else weed(tmp_path_factory.mktemp("weed")))


@pytest.fixture
def program(
    endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> HeardProgram:
    """The program in a folder with a data set `data`, and with what the server needs in its environment."""
    for name, value in environment(endpoint).items():
        monkeypatch.setenv(name, value)
    with DataFolder.open(tmp_path / "data", host="h", create=True, now=lambda: NOON).lock() as folder:
        writer = UnitWriter(folder, DATA_SETS["agents"], "a/b %", Origin("u", "agents.jsonl"))
        writer.convert([orjson.dumps({"id": str(at)}) + b"\n" for at in range(50)])
        writer.commit()
    return heard(program_in(tmp_path, monkeypatch), capsys)


def names_in(top: Path) -> dict[str, bytes]:
    found = {path.relative_to(top).as_posix(): path for path in top.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if name != "_lock"}


def test_a_data_set_goes_to_a_bucket_and_comes_back(program: HeardProgram, tmp_path: Path) -> None:
    """Names with spaces, slashes and percent signs, and a file that is sent in several pieces."""
    large = tmp_path / "data" / "media" / "voicemail" / "00" / "0-long.wav"
    large.parent.mkdir(parents=True)
    large.write_bytes(b"RIFF" * (LARGE // 4))
    url = f"s3://lake/{tmp_path.name}/there and back"

    assert program("dataset", "push", "data", url).code == 0
    assert program("dataset", "pull", url, "back").code == 0

    assert names_in(tmp_path / "back") == names_in(tmp_path / "data")
    again = program("dataset", "pull", url, "back", "--json")
    assert orjson.loads(again.out) == {"units": 0, "gone": 0, "files": 0, "bytes": 0, "requests": 2}


def test_a_push_without_news_is_four_requests(program: HeardProgram, tmp_path: Path) -> None:
    """The marker, the lock and its end, and one list."""
    url = f"s3://lake/{tmp_path.name}"
    program("dataset", "push", "data", url)

    told = orjson.loads(program("dataset", "push", "data", url, "--json").out)

    assert told == {"units": 0, "gone": 0, "files": 0, "bytes": 0, "removed": 0, "requests": 4}
    assert "already holds what data holds" in program("dataset", "push", "data", url).err


def test_a_server_that_is_used_in_tests_honours_conditions(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proof passes, and leaves nothing."""
    for name, value in environment(endpoint).items():
        monkeypatch.setenv(name, value)
    store = opened_store("s3://lake/proof")

    prove_conditions(store)

    assert list(store.list()) == []


def test_a_bucket_that_is_missing_is_named(program: HeardProgram) -> None:
    """With what to do; exit code 2."""
    for words in (("push", "data", "s3://nowhere/x"), ("pull", "s3://nowhere/x", "back")):
        told = program("dataset", *words)

        assert told.code == 2
        assert "s3://nowhere/x: there is no such bucket; create it, or correct the name" in told.err


def test_a_store_that_cannot_be_reached_is_an_outage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the request is told; it would hold the key."""
    for name, value in environment("http://127.0.0.1:1").items():
        monkeypatch.setenv(name, value)

    with pytest.raises(Exception, match="the store cannot be reached") as caught:
        opened_store("s3://lake/x", patience_s=0.0).read("a")

    assert getattr(caught.value, "exit_code", 0) == 5
    assert "127.0.0.1" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("lake", "is not the URL of a store"),
        ("ftp://lake/x", "ftp:// is not supported"),
        ("s3://", "3 to 63"),
        ("s3://ab/x", "3 to 63"),
        ("s3://key:secret@lake/x", "credentials and options belong in the environment"),
        ("s3://lake/x?secret", "credentials and options belong in the environment"),
        ("s3://lake/a//b", "no empty parts"),
        ("s3://lake/../b", "no `..`"),
    ],
)
def test_a_url_that_cannot_work_is_refused(url: str, words: str) -> None:
    """Before anything is opened, and without a password in the message."""
    with pytest.raises(UsageError, match=words) as caught:
        store_address(url)

    assert "secret" not in str(caught.value)


def test_doctor_tries_a_bucket(program: HeardProgram, tmp_path: Path) -> None:
    """What is needed of it, and what lies there; nothing of the proof is left."""
    url = f"s3://lake/{tmp_path.name}"

    told = orjson.loads(program("doctor", "--out", url, "--json").out)["findings"]
    program("dataset", "push", "data", url)
    after = program("doctor", "--out", url).out
    opened_store(url).put("other/notes.txt", b"x")
    strange = program("doctor", "--out", f"{url}/other").out
    missing = program("doctor", "--out", "s3://nowhere/x").out

    by = {one["what"]: one for one in told}
    assert [by[what]["result"] for what in ("prefix", "bucket", "conditions", "store clock")] == ["ok"] * 4
    assert by["prefix"]["text"] == f"{url} is empty"
    assert f"{url} holds a data set" in after
    assert "holds 'notes.txt' and is not a data set" in strange
    assert "there is no such bucket" in missing
