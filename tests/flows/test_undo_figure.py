"""A mixed run of 2,000 records is taken back, with edits by others in between; in one go, and through ten kills."""

import json
import random
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import orjson
import pytest

from bulkgladly.emulator import Emulator
from bulkgladly.emulator.operations.customer_profiles import checked_fields
from tests.dying import End, Mortals
from tests.flows.serving import served
from tests.folders import in_memory

TOKEN = "planted-token-7f3a9c"
PACE = ("--rate", "unlimited", "--progress", "none", "--json")
UPDATED, CREATED, UNCHANGED, REJECTED = 1180, 720, 60, 40
KILLS = 10


class Mixed:
    """An organisation into which 2,000 rows were imported, and what 100 people have changed since."""

    def __init__(self, mortals: Mortals, emulator: Emulator, folder: Path) -> None:
        self.mortals, self.emulator, self.folder = mortals, emulator, folder
        first = [self.row(number) for number in range(UPDATED + UNCHANGED)]
        assert (
            self.run("import", "customers", self.write("first", first), "--key", "crm", "--mode", "create").status == 0
        )
        original = self.profiles()
        rows = [self.row(number, "Another") for number in range(UPDATED)]
        rows += first[UPDATED:]
        rows += [self.row(10_000 + number) for number in range(CREATED)]
        rows += [self.row(20_000 + number, email="nobody") for number in range(REJECTED)]
        random.Random(7).shuffle(rows)  # noqa: S311 - repeatable
        end = self.run("import", "customers", self.write("second", rows), "--key", "crm", "--read-first")
        counts = json.loads(end.output)["counts"]
        assert [counts[word] for word in ("updated", "created", "rejected", "unchanged")] == [
            *(UPDATED, CREATED, REJECTED, UNCHANGED)
        ]
        self.expected = original | self.touched(original)

    def row(self, number: int, name: str = "Sample", email: str = "") -> dict[str, Any]:
        more = {"phone:1": "+12125550123", "customAttribute:new": "x"} if name == "Another" else {}
        address = email or f"person.{number}@example.org"
        return {
            "crm": f"c-{number}",
            "name": f"{name} {number}",
            "email:1": address,
            "customAttribute:tier": name,
            **more,
        }

    def touched(self, original: dict[str, Any]) -> dict[str, Any]:
        """Let people change 100 of the 1,900 customers, and return how these should be in the end."""
        held = self.profiles()
        updated = [one for one in original if original[one]["name"] != held[one]["name"]]
        created = sorted(held.keys() - original)
        left: dict[str, Any] = {}
        for one in updated[:30]:  # what the run wrote of the name
            self.edit(one, name="By a person")
            left[one] = {**original[one], "name": "By a person"}
        for one in updated[30:62]:  # what the run did not write
            self.edit(one, address="1 Test Lane")
            left[one] = {**original[one], "address": "1 Test Lane"}
        for one in created[:20]:
            self.edit(one, image="https://example.org/a.png")
        for one in created[20:38]:
            self.emulator.add_conversation(one)
        after = self.profiles()
        return left | {one: after[one] for one in created[:38]}

    def edit(self, one: str, **fields: Any) -> None:
        store = self.emulator.store
        store.replace_customer({**store.customers[one], **checked_fields(fields)})

    def profiles(self) -> dict[str, Any]:
        every = deepcopy(dict(self.emulator.store.customers)).items()
        return {one: {name: value for name, value in held.items() if name != "updatedAt"} for one, held in every}

    def write(self, name: str, rows: list[dict[str, Any]]) -> str:
        (self.folder / f"{name}.ndjson").write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
        return f"{name}.ndjson"

    def run(self, *arguments: str, at: int | None = None) -> End:
        environment = {"GLADLY_HOST": self.emulator.url, "GLADLY_USERNAME": self.emulator.options.username}
        environment |= {"GLADLY_API_TOKEN": TOKEN, "HOME": str(self.folder), "TMPDIR": str(self.folder)}
        return self.mortals.run(*arguments, *PACE, environment=environment, folder=self.folder, at=at, within_s=300)

    def check(self, end: End) -> None:
        """Untouched is as before to the byte, touched is kept, and the summary says so."""
        assert end.status == 1, end.errors
        report = json.loads(end.output)
        assert (report["status"], report["invariant_holds"]) == ("complete", True)
        outcomes = {"restored": UPDATED, "deleted": CREATED - 38, "kept": 38}
        assert (report["outcomes"], report["partly"]) == (outcomes, 30)
        lines = Path(self.folder, report["folder"], "undo.ndjson").read_bytes().splitlines()
        said = Counter(orjson.loads(line)["outcome"] for line in lines)
        assert said == {"restored": UPDATED - 30, "restored in part": 30, "deleted": CREATED - 38, "kept": 38}
        assert self.profiles() == self.expected


@pytest.fixture
def mixed(mortals: Mortals) -> Iterator[Mixed]:
    """The organisation, before the undo."""
    with in_memory() as folder, served(Emulator(rate=None, token=TOKEN)) as emulator:
        yield Mixed(mortals, emulator, folder)


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_a_mixed_run_is_taken_back(mixed: Mixed) -> None:
    """In one go."""
    mixed.check(mixed.run("undo", "customers-upsert", "--yes"))


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_a_mixed_run_is_taken_back_through_ten_kills(mixed: Mixed) -> None:
    """Killed at ten steps, and resumed each time: the same objects, the same words."""
    chance = random.Random(11)  # noqa: S311 - repeatable
    command: tuple[str, ...] = ("undo", "customers-upsert", "--yes")
    for _ in range(KILLS):
        assert mixed.run(*command, at=chance.randrange(40, 900)).is_killed
        command = ("resume", "customers-undo")

    mixed.check(mixed.run(*command))
