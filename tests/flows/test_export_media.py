"""Recordings and attachments as files: whole or not there, fetched once, never by a name from outside."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from bulkgladly import DiskFull, UsageError
from bulkgladly.emulator import half_body, reset
from bulkgladly.emulator.faults.fault import Fault
from bulkgladly.emulator.operations.media import attachment_bytes, recording_bytes
from bulkgladly.emulator.protocol.replies import Reply
from bulkgladly.exports.export_context import DOWNLOAD_TRIES
from bulkgladly.exports.export_options import ExportOptions
from bulkgladly.exports.job_files import JobFiles
from bulkgladly.exports.media_downloads import Media
from bulkgladly.exports.unit_kinds import UnitState
from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.side_files import media_place
from bulkgladly.lake.verify import verify
from bulkgladly.runs.environment import Bounds
from bulkgladly.storage.durable import partial_of
from tests.flows.driving import Driver, Ends, later
from tests.flows.exporting import NOT_THERE, Lake, note_line
from tests.full_disk import fill_at_sync

ATTACHMENT = {"id": "att-1", "contentType": "image/png", "filename": "a b.png", "fileSize": 3000}


def media(word: str) -> Callable[[ExportOptions], Media]:
    return lambda options: Media(word, options)


async def fetch(lake: Lake, word: str, *, stop_after: int | None = None, run: str = "run", **changes: Any) -> Ends:
    """Fetch the files of a kind in one session of a run."""
    return await Driver(lake, run).drive(media(word), stop_after=stop_after, **changes)


async def with_items(lake: Lake, *contents: Mapping[str, Any]) -> list[str]:
    """Let items of these contents be there, and in the data set; returns their ids."""
    customer = lake.emulator.add_customer(name="Ada Example")
    ids = [lake.emulator.add_item(dict(content), customer_id=customer) for content in contents]
    shown = [{**lake.emulator.store.items[one], "conversationId": "c"} for one in ids]
    lake.add_job(shown)
    await Driver(lake, "jobs").drive(lambda _: JobFiles(["items"]))
    lake.forget()
    return ids


def call(duration_s: int = 2, **more: Any) -> dict[str, Any]:
    content = {"type": "PHONE_CALL", "from": "+16505550199", "to": "+16505550100", "recordingStatus": "AVAILABLE"}
    return {**content, "startedAt": "2026-03-19T10:00:00Z", "recordingDuration": duration_s, **more}


def mail(*attachments: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "EMAIL", "from": "a@example.org", "to": ["b@example.org"], "subject": "s", "content": "c"} | {
        "attachments": [dict(one) for one in attachments or (ATTACHMENT,)]
    }


def index(lake: Lake, word: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = lake.table(word).to_pylist()
    return found


def files(lake: Lake) -> dict[str, bytes]:
    """Every file below media/, also those that are not finished."""
    top = lake.out / "media"
    return {path.relative_to(lake.out).as_posix(): path.read_bytes() for path in top.rglob("*") if path.is_file()}


async def test_recordings_become_files_and_rows(lake: Lake) -> None:
    """One request each; what is not available is not asked for; the index says where, how large, which hash."""
    one, two, _, _ = await with_items(
        lake,
        call(3),
        {"type": "VOICEMAIL", "recordingStatus": "AVAILABLE", "recordingDuration": 1, "recordingUrl": "/x"},
        call(recordingStatus="DELETED"),
        {"type": "CONVERSATION_NOTE", "body": "no recording"},
    )

    ends = await fetch(lake, "recordings")

    assert lake.asked() == {"getMedia": 2}
    assert (ends.only().state, ends.only().created) == (UnitState.DONE, 2)
    wanted = {one: recording_bytes(one, 3), two: recording_bytes(two, 1)}
    rows = {row["itemId"]: row for row in index(lake, "recordings")}
    assert {item: files(lake)[row["path"]] for item, row in rows.items()} == wanted
    for item, row in rows.items():
        assert (row["status"], row["contentType"], row["bytes"]) == ("stored", "audio/mpeg", len(wanted[item]))
        assert row["blake2b"] == hashlib.blake2b(wanted[item], digest_size=32).hexdigest()
        assert row["_fetched_at"] == lake.wall.now
        assert row["path"].endswith(f"-{item}.mp3")
    assert len(files(lake)) == 2
    assert verify(DataFolder.open(lake.out), deep=True).is_sound


@pytest.mark.parametrize("file_framing", ["length", "chunked"])
async def test_attachments_are_downloaded_without_credentials(make_lake: Callable[..., Any], file_framing: str) -> None:
    """From the address that Gladly names, which refuses requests with credentials."""
    lake = await make_lake(file_framing=file_framing)
    other = {**ATTACHMENT, "id": "att-2", "filename": "ü/../x.png", "fileSize": 0}
    (item,) = await with_items(lake, mail(ATTACHMENT, other))

    ends = await fetch(lake, "attachments")

    assert ends.only().created == 2
    rows = {row["attachmentId"]: row for row in index(lake, "attachments")}
    assert files(lake)[rows["att-1"]["path"]] == attachment_bytes(item, "att-1", 3000)
    assert files(lake)[rows["att-2"]["path"]] == b""
    assert rows["att-2"]["filename"] == "ü/../x.png"
    assert rows["att-2"]["path"].endswith("-%C3%BC%2F..%2Fx.png")
    assert {row["itemId"] for row in rows.values()} == {item}
    assert lake.emulator.requests.by_operation["getAttachment"] == 2


async def test_what_is_there_is_not_fetched_again(lake: Lake) -> None:
    """Neither files nor those that are gone; --refresh fetches all of them again, to the same places."""
    await with_items(lake, call(), mail())
    lake.emulator.faults.script("getAttachment", [NOT_THERE])
    first = await fetch(lake, "recordings"), await fetch(lake, "attachments")
    before = lake.parts()
    lake.forget()

    for word in ("recordings", "attachments"):
        assert not list(await fetch(lake, word, run="second"))

    assert not lake.asked()
    assert lake.parts() == before
    assert [ends.only().state for ends in first] == [UnitState.DONE, UnitState.DONE]
    assert [ends.notes for ends in first] == [[], ["attachments: Gladly does not have 1 of those requested"]]
    (gone,) = index(lake, "attachments")
    assert (gone["status"], gone["path"], gone["filename"]) == ("gone", None, "a b.png")
    later(lake, days=1)
    again = await fetch(lake, "attachments", run="third", refresh=True)
    assert (again.only().created, again.only().updated) == (0, 1)
    assert sorted(row["status"] for row in index(lake, "attachments")) == ["gone", "stored"]


@pytest.mark.parametrize("format_", ["parquet", "ndjson"])
async def test_a_recording_that_is_lost_or_damaged_is_found(lake: Lake, format_: str) -> None:
    """By the index, since no manifest names it; also after it was fetched again."""
    await with_items(lake, call(), mail())
    await fetch(lake, "recordings", format=format_)
    await fetch(lake, "attachments", run="second", format=format_)
    later(lake, days=1)
    await fetch(lake, "recordings", run="third", format=format_, refresh=True)
    found: dict[str, tuple[list[str], list[str]]] = {}

    for name, spoil in SPOILED.items():
        path = lake.out / next(path for path in files(lake) if path.startswith("media/recordings"))
        sound = path.read_bytes()
        spoil(path)
        found[name] = (findings(lake, path, deep=False), findings(lake, path, deep=True))
        path.write_bytes(sound)

    assert found == {
        "nothing": ([], []),
        "deleted": (["missing"], ["missing"]),
        "cut": (["size"], ["size"]),
        "flipped": ([], ["hash"]),
    }


SPOILED: dict[str, Callable[[Path], object]] = {
    "nothing": lambda _: None,
    "deleted": lambda path: path.unlink(),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "flipped": lambda path: path.write_bytes(path.read_bytes()[::-1]),
}


def findings(lake: Lake, path: Path, *, deep: bool) -> list[str]:
    """What `verify` finds; all of it must be about this file."""
    found = verify(DataFolder.open(lake.out), deep=deep).findings
    assert {one.path for one in found} <= {path.relative_to(lake.out).as_posix()}
    assert all("--refresh" in one.way_out for one in found)
    return [one.kind.value for one in found]


@pytest.mark.parametrize("fault", [half_body, reset], ids=lambda fault: fault.__name__)
async def test_a_broken_download_starts_again(lake: Lake, fault: Callable[[], Fault]) -> None:
    """Nothing of the broken one is under the name, nor left beside it."""
    (item,) = await with_items(lake, call(60))
    lake.emulator.faults.script("getMedia", [fault()])

    ends = await fetch(lake, "recordings")

    assert ends.only().created == 1
    assert list(files(lake).values()) == [recording_bytes(item, 60)]


async def test_a_download_that_always_breaks_fails_alone(lake: Lake) -> None:
    """No row, no file; the next run tries again."""
    bad, good = await with_items(lake, call(60), call(1))
    lake.emulator.faults.script(f"GET */{bad}/media/recording", [half_body()] * DOWNLOAD_TRIES)

    ends = await fetch(lake, "recordings")
    stored = files(lake)
    again = await fetch(lake, "recordings", run="second")

    assert [(end.name, end.result.state) for end in ends.of(UnitState.FAILED)] == [(bad, UnitState.FAILED)]
    assert list(stored.values()) == [recording_bytes(good, 1)]
    assert again.only().created == 1
    assert len(files(lake)) == 2


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, b"<html>sign in</html>", content_type="text/html"),
        Reply(200, b"", content_type="audio/mpeg"),
        Reply(200, b'{"errors":[]}'),
    ],
    ids=["page", "nothing", "json"],
)
async def test_what_is_no_recording_is_never_stored(lake: Lake, reply: Reply) -> None:
    """An answer of 200 proves nothing by itself."""
    await with_items(lake, call())
    lake.emulator.faults.script("getMedia", [Fault("answer", reply=reply)] * DOWNLOAD_TRIES)

    ends = await fetch(lake, "recordings")

    assert ends.only().state is UnitState.FAILED
    assert not files(lake)
    assert not lake.manifests("recordings")


@pytest.mark.parametrize(
    "location",
    [
        "http://files.example.org/x",
        "ftp://files.example.org/x",
        "https://user:secret@files.example.org/x",
        "file:///etc",
    ],
)
async def test_an_address_that_is_not_safe_is_not_followed(lake: Lake, location: str) -> None:
    """Neither plain http, nor another scheme, nor credentials in an address; and the address is not told."""
    await with_items(lake, mail())
    lake.emulator.faults.script("getAttachment", [Fault("answer", reply=Reply(303, headers={"Location": location}))])

    ends = await fetch(lake, "attachments")

    assert ends.only().state is UnitState.FAILED
    assert "secret" not in ends.only().detail
    assert not files(lake)


async def test_an_address_that_has_expired_is_asked_for_anew(lake: Lake) -> None:
    """The next try begins with the operation, which names a fresh one."""
    (item,) = await with_items(lake, mail())
    stale = Fault("answer", reply=Reply(303, headers={"Location": f"/_files/{item}/att-1/stale"}))
    refused = Fault("answer", reply=Reply(403, b"expired", content_type="text/plain"))
    lake.emulator.faults.script("getAttachment", [stale])
    lake.emulator.faults.script("GET /_files/*/stale", [refused])

    ends = await fetch(lake, "attachments")

    assert ends.only().created == 1
    assert lake.asked()["getAttachment"] == 2


async def test_a_file_above_the_limit_is_not_stored(lake: Lake) -> None:
    """It fails at once: to begin again would not make it shorter."""
    await with_items(lake, call(60))

    ends = await fetch(lake, "recordings", max_file_bytes=10_000)

    assert ends.only().state is UnitState.FAILED
    assert lake.asked() == {"getMedia": 1}
    assert not files(lake)


@pytest.mark.parametrize("stopped_after", [1, 3])
async def test_a_killed_run_goes_on_with_the_files_it_has(lake: Lake, stopped_after: int) -> None:
    """No file is fetched twice, and what the kill left unfinished is removed."""
    ids = await with_items(lake, *(call(n + 1) for n in range(4)))

    await fetch(lake, "recordings", stop_after=stopped_after)
    assert not lake.manifests("recordings")
    unfinished = partial_of(lake.out / "_incoming" / media_place("recordings", "another", "x.mp3"))
    unfinished.parent.mkdir(parents=True, exist_ok=True)
    unfinished.write_bytes(b"half")
    await fetch(lake, "recordings")

    assert lake.asked() == {"getMedia": 4}
    assert sorted(row["itemId"] for row in index(lake, "recordings")) == sorted(ids)
    assert sorted(files(lake).values()) == sorted(recording_bytes(one, n + 1) for n, one in enumerate(ids))


async def test_a_full_disk_leaves_no_file_under_its_name(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run ends, and nothing of the file is left; the next one fetches it."""
    await with_items(lake, call())
    with monkeypatch.context() as patch:
        fill_at_sync(patch, lake.out, "_incoming/media/")
        with pytest.raises(ExceptionGroup) as caught:
            await fetch(lake, "recordings")
    assert caught.group_contains(DiskFull)
    assert not files(lake)

    assert (await fetch(lake, "recordings")).only().created == 1


async def test_the_index_is_published_in_pieces(lake: Lake) -> None:
    await with_items(lake, *(call(1) for _ in range(20)))

    ends = await Driver(lake, bounds=Bounds(replies_in_unit=3)).drive(media("recordings"))

    assert ends.total("created") == 20
    assert len(lake.manifests("recordings")) > 1


async def test_nothing_is_written_through_a_link(lake: Lake, tmp_path: Path) -> None:
    """A link in place of a folder does not lead out of the data set."""
    await with_items(lake, call())
    outside = tmp_path / "outside"
    outside.mkdir()
    (lake.out / "media").symlink_to(outside)

    with pytest.raises(ExceptionGroup) as caught:
        await fetch(lake, "recordings")

    assert "is a link" in str(caught.value.exceptions[0])
    assert not list(outside.iterdir())


async def test_items_of_another_data_set_and_of_the_live_api_name_files_too(lake: Lake) -> None:
    """--from-dataset reads the items elsewhere; items fetched by conversation count as well."""
    (item,) = await with_items(lake, call())
    there = lake.folder / "there"

    ends = await fetch(lake, "recordings", out=there, from_dataset=lake.out)

    assert ends.only().created == 1
    assert [path.name for path in (there / "media").rglob("*.mp3")] == [
        media_place("recordings", item, f"{item}.mp3").name
    ]


def test_parents_that_do_not_go_with_files_are_refused(lake: Lake) -> None:
    with pytest.raises(UsageError, match="--from-dataset"):
        Media("recordings", lake.options(ids=Path("ids.txt")))


async def test_a_line_of_items_without_media_asks_nothing(lake: Lake) -> None:
    lake.add_job([note_line(1)])
    await Driver(lake, "jobs").drive(lambda _: JobFiles(["items"]))
    lake.forget()

    assert not list(await fetch(lake, "attachments"))
    assert not lake.asked()
    assert orjson.dumps(index(lake, "attachments")) == b"[]"
