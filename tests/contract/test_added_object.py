"""One object, one file: an object that does not exist is added by a module alone, and everything works for it."""

import asyncio
import datetime as dt
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from bulkgladly.emulator import Emulator
from bulkgladly.emulator.protocol.replies import Reply, created, json_reply, no_content, problem, refuse
from bulkgladly.emulator.protocol.routing import Call, Operation
from tests.dying import Mortals

ROOT = Path(__file__).parents[2]
MODULES = Path(__file__).with_name("added")
WITH_IT = f"from bulkgladly.gladly import objects; objects.__path__.append({str(MODULES)!r}); "
"""As if the module lay in the folder of all others; no other module is told of it."""
DOCUMENTS = (
    WITH_IT + "from docs import make_columns, make_objects; print(make_objects.reference(), make_columns.reference())"
)
ROWS = "key,customerId,name,colour\nb1,{0},Early bird,RED\nb2,{0},Night owl,BLUE\n"


@dataclass
class Badges:
    """What the emulator needs to know of badges: what there is, and four operations."""

    held: dict[str, dict[str, Any]] = field(default_factory=dict)

    def operations(self) -> Sequence[Operation]:
        """The operations, for a new emulator."""
        path, one = "/api/v1/badges", "/api/v1/badges/{badgeId}"
        return (
            Operation("GET", path, "getBadges", lambda _: json_reply(list(self.held.values())), (200,)),
            Operation("POST", path, "addBadge", self._add, (201, 409)),
            Operation("GET", one, "getBadge", lambda call: json_reply(self._one(call)), (200, 404)),
            Operation("PATCH", one, "updateBadge", self._update, (204, 404)),
            Operation("GET", "/api/v1/customers/{customerId}/badges", "getCustomerBadges", self._of, (200,)),
            Operation("GET", f"{one}/picture", "getBadgePicture", self._picture, (200, 404)),
        )

    def _one(self, call: Call) -> dict[str, Any]:
        if (badge := self.held.get(call.params["badgeId"])) is None:
            raise call.not_found("badge")
        return badge

    def _add(self, call: Call) -> Reply:
        badge = call.json_object()
        if badge["id"] in self.held:
            raise refuse(409, problem("taken", "this badge id is already in use", attr="id"))
        self.held[badge["id"]] = {"madeAt": call.store.now(), **badge}
        return created(f"/api/v1/badges/{badge['id']}")

    def _update(self, call: Call) -> Reply:
        badge = self._one(call)
        self.held[badge["id"]] = badge | call.json_object()
        return no_content()

    def _of(self, call: Call) -> Reply:
        return json_reply([one for one in self.held.values() if one["customerId"] == call.params["customerId"]])

    def _picture(self, call: Call) -> Reply:
        return Reply(200, self._one(call)["name"].encode(), content_type="image/png")


@dataclass
class Place:
    """A folder to run the program in, and an organisation that has badges."""

    emulator: Emulator
    badges: Badges
    folder: Path
    mortals: Mortals

    async def run(self, *words: str, code: int = 0) -> str:
        """Run a command with the module in its place, and return what it prints."""
        options = self.emulator.options
        access = {
            "GLADLY_HOST": self.emulator.url,
            "GLADLY_USERNAME": options.username,
            "GLADLY_API_TOKEN": options.token,
        }
        environment = {**os.environ, **access}
        end = await asyncio.to_thread(self.mortals.run, *words, environment=environment, folder=self.folder)
        assert end.status == code, end
        return end.output + end.errors

    def rows(self, data_set: str) -> list[dict[str, Any]]:
        """All rows of a data set in the folder `lake`."""
        parts = (self.folder / "lake" / data_set).rglob("*.parquet")
        return [row for path in sorted(parts) for row in pq.ParquetFile(path).read().to_pylist()]


@pytest.fixture(scope="module")
def with_it() -> Iterator[Mortals]:
    """Processes that have found the module in its place; none of them is killed."""
    with Mortals(MODULES) as mortals:
        yield mortals


@pytest.fixture
async def place(tmp_path: Path, with_it: Mortals) -> AsyncIterator[Place]:
    """An organisation with badges, and a file of two."""
    badges = Badges()
    async with Emulator(rate=None, more_operations=badges.operations()) as emulator:
        customer = emulator.add_customer(name="Ada", emails=[{"original": "ada@example.org"}])
        (tmp_path / "badges.csv").write_text(ROWS.format(customer))
        yield Place(emulator, badges, tmp_path, with_it)


async def test_it_is_imported_checked_and_changed(place: Place) -> None:
    """Created once, found again, brought up to date; and a bad row is found without a request."""
    words = ("import", "badges", "badges.csv", "--key", "key")
    await place.run("check", "badges", "badges.csv", "--key", "key")
    assert not place.emulator.requests.by_operation

    await place.run(*words)
    assert sorted(badge["name"] for badge in place.badges.held.values()) == ["Early bird", "Night owl"]

    file = place.folder / "badges.csv"
    file.write_text(file.read_text().replace("Night owl", "Barn owl"))
    assert "1 updated" in await place.run(*words)
    assert sorted(badge["name"] for badge in place.badges.held.values()) == ["Barn owl", "Early bird"]

    file.write_text(file.read_text().replace("BLUE", "GREEN"))
    assert "colour" in await place.run("check", "badges", "badges.csv", "--key", "key", code=1)


async def test_it_is_verified(place: Place) -> None:
    """By the comparison of the import, and one request for each."""
    await place.run("import", "badges", "badges.csv", "--key", "key")
    assert "2 equal" in await place.run("verify", "badges-upsert")

    next(iter(place.badges.held.values()))["colour"] = "BLUE"

    assert "1 row differs in colour" in await place.run("verify", "badges-upsert", code=6)


async def test_it_is_exported_as_a_list_and_by_its_parents(place: Place) -> None:
    """The second export takes the ids to ask for from what the first one published."""
    await place.run("import", "badges", "badges.csv", "--key", "key")

    await place.run("export", "badges", "--out", "lake")
    await place.run("export", "customer-badges", "--out", "lake", "--from-dataset", "lake")

    for name in ("badges", "customer-badges"):
        rows = place.rows(name)
        assert sorted((row["name"], row["colour"]) for row in rows) == [("Early bird", "RED"), ("Night owl", "BLUE")]
        assert all(row["madeAt"].tzinfo is not None and row["_extra"] is None for row in rows)


async def test_its_files_are_fetched(place: Place) -> None:
    """A row of the list names a file, which is stored beside the rows and has a row in an index."""
    await place.run("import", "badges", "badges.csv", "--key", "key")
    await place.run("export", "badges", "--out", "lake")

    await place.run("export", "badge-pictures", "--out", "lake")

    found = place.rows("badge-pictures")
    assert sorted((place.folder / "lake" / row["path"]).read_text() for row in found) == ["Early bird", "Night owl"]
    assert {row["badgeId"] for row in found} == set(place.badges.held)
    assert all(row["status"] == "stored" and row["contentType"] == "image/png" for row in found)


async def test_its_file_of_an_export_job_is_fetched(place: Place) -> None:
    """Lines of several kinds, told apart where no other object tells them apart, become typed rows in folders."""
    lines = [
        {"id": "1", "badgeId": "b1", "action": "ON", "pinnedTo": "hat"},
        {"id": "2", "badgeId": "b1", "action": "OFF"},
        {"id": "3", "badgeId": "b1", "action": "OFF", "pinnedTo": "hat"},
    ]
    body = "".join(json.dumps(line) + "\n" for line in lines).encode()
    place.emulator.exports.add_job({"badge_log.jsonl": body}, updated_at=dt.datetime.now(dt.UTC))

    await place.run("export", "badge-log", "--out", "lake")

    found = {row["id"]: (row["action"], row["pinnedTo"], row["_extra"]) for row in place.rows("badge-log")}
    assert found == {"1": ("ON", "hat", None), "2": ("OFF", None, None), "3": ("OFF", None, '{"pinnedTo":"hat"}')}
    assert sorted(path.name for path in (place.folder / "lake" / "badge-log").iterdir()) == ["type=OFF", "type=ON"]


def documents() -> str:
    """The pages of objects, as a process writes them that has found the module in its place."""
    program = [sys.executable, "-c", DOCUMENTS]
    return subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=True).stdout


async def test_it_is_shown_drafted_and_documented(place: Place) -> None:
    """`schema show`, `map init` and the page of objects know it, and the export says what there is."""
    shown = json.loads(await place.run("schema", "show", "badges", "--json"))
    draft = await place.run("map", "init", "badges.csv", "--to", "badges")
    page = await asyncio.to_thread(documents)

    assert shown["modes"] == ["create", "upsert"]
    columns = {column["column"]: column["means"] for column in shown["data_set"]["columns"]}
    assert columns["colour"] == "RED or BLUE; what else there is, is UNKNOWN."
    assert 'to = "badges"' in draft
    assert "name" in draft
    assert "| [`badges`](#badges) | `upsert`, `create` | our id, at most 50 characters | detected |" in page
    assert "| `customer-badges` | `getCustomerBadges` | customer; ids from `badges` |" in page
    assert "| `colour` | text | RED or BLUE; what else there is, is UNKNOWN. |" in page
    report = json.loads(await place.run("schema", "show", "BadgesReport", "--json"))
    assert report["report"] == [
        {"column": "badge_id", "header": "Badge ID", "type": "text"},
        {"column": "worn_at", "header": "Worn At", "type": "timestamp"},
    ]
    assert "customer-badges" in await place.run("export", "nothing-like-it", "--out", "lake", code=2)
