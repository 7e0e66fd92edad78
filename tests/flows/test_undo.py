"""What a run did is taken back, as far as nobody has changed it since."""

import contextlib
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from bulkgladly import Limits, Report, RunFolder
from bulkgladly.changes.run_undo import preview_undo, resume_undo, start_undo
from bulkgladly.changes.undo_options import UndoOptions
from bulkgladly.changes.undo_summary import UndoReport
from bulkgladly.errors import UnfinishedRun, UsageError
from bulkgladly.journal.results import count_by_word
from tests.flows.conftest import World, lines, people, person


def run_of(world: World, report: Report | UndoReport) -> RunFolder:
    return RunFolder(world.state / "runs" / report.run)


async def undo(world: World, report: Report, **limits: Any) -> UndoReport:
    """Undo a run, and check what holds for every report."""
    options = UndoOptions(run=report.run, pace=world.options.pace, limits=Limits(**limits), state_dir=world.state)
    done = await start_undo(run_of(world, report), world.credentials, options, environment=world.environment)
    check(done)
    return done


def check(done: UndoReport) -> None:
    assert done.adds_up, done.counts
    assert orjson.loads((Path(done.folder) / "report.json").read_bytes()) == orjson.loads(orjson.dumps(done.as_dict()))
    if done.status == "complete":
        assert len(lines(Path(done.folder) / "undo.ndjson")) == done.counts["read"]


def profiles(world: World) -> dict[str, Any]:
    """All customers, without what Gladly notes of each change."""
    every = deepcopy(dict(world.emulator.store.customers))
    return {one: {name: value for name, value in held.items() if name != "updatedAt"} for one, held in every.items()}


async def test_new_customers_are_deleted_and_updated_ones_restored(world: World) -> None:
    """To the byte, with names, contact lists and attributes; and the next import sends everything again."""
    await world.rows(people(4, **{"phone:1": "+12125550123", "customAttribute:tier": "gold"}))
    before = profiles(world)
    rows = people(6, **{"phone:1": "+12125550199", "customAttribute:tier": "silver", "customAttribute:new": "x"})
    rows = [{**row, "name": f"Another {row['crm']}"} for row in rows]
    second = await world.rows(rows, read_first=True)
    assert (second.counts["created"], second.counts["updated"]) == (2, 4)

    done = await undo(world, second)

    assert (done.exit_code, done.outcomes) == (0, {"restored": 4, "deleted": 2})
    assert profiles(world) == before
    again = await world.rows(rows, read_first=True)
    assert (again.counts["created"], again.counts["updated"]) == (2, 4)
