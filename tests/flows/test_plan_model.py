"""Whatever an organisation holds: what a plan says is what its apply does, with the requests that were planned.

hypothesis fills small organisations whose customers share ids, emails and mobile numbers with the rows of a file,
merges some, imports some rows before, and then plans and applies in any mode and with any policy. Nobody changes
the organisation between the two.
"""

import asyncio
import shutil
from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from bulkgladly import ImportOptions, Pace, Report
from bulkgladly.emulator import Emulator
from bulkgladly.plans.plan_folder import PlanInfo
from tests.flows.conftest import TOKEN, World
from tests.flows.planning import apply, plan
from tests.folders import new_in_memory

EMAILS = [f"person.{number}@example.org" for number in range(4)]
MOBILES = [f"+121255501{number:02d}" for number in range(3)]
NAMES = ["Ada Ashby", "Bela Birch", "Cleo Cole"]
IDS = ["own-0", "own-1", "own-2"]
POLICIES = ["quarantine", "skip", "update", "merge"]
NOTHING_ELSE = {"create", "update", "delete", "none", "refuse"}


class Held(NamedTuple):
    """A customer that the organisation holds."""

    id: str
    name: str
    emails: list[str]
    phones: list[tuple[str, str]]


class Scene(NamedTuple):
    """An organisation, what was imported into it before, and what is planned."""

    held: list[Held]
    merged: bool
    before: list[dict[str, Any]]
    rows: list[dict[str, Any]]
    choice: dict[str, Any]


def _some(values: list[Any], most: int) -> st.SearchStrategy[list[Any]]:
    return st.lists(st.sampled_from(values), max_size=most, unique=True)


PHONES = st.lists(
    st.tuples(st.sampled_from(MOBILES), st.sampled_from(["MOBILE", "HOME"])), max_size=1, unique_by=lambda one: one[0]
)
HELD = st.builds(Held, st.sampled_from([*IDS, "x", "y"]), st.sampled_from(NAMES), _some(EMAILS, 2), PHONES)


@st.composite
def _rows(draw: st.DrawFn, *, size: int) -> list[dict[str, Any]]:
    keys = draw(st.lists(st.integers(0, 5), min_size=1, max_size=size, unique=draw(st.booleans())))
    return [_row(key, draw) for key in keys]


def _row(key: int, draw: st.DrawFn) -> dict[str, Any]:
    row: dict[str, Any] = {"crm": f"c-{key}", "name": draw(st.sampled_from(NAMES))}
    row |= {f"email:{at}": value for at, value in enumerate(draw(_some(EMAILS, 2)), 1)}
    for at, (number, kind) in enumerate(draw(PHONES), 1):
        row |= {f"phone:{at}": number, f"phone:{at}:type": kind}
    if draw(st.integers(0, 3)) == 0:
        row["id"] = IDS[key % len(IDS)]
    return row


SCENES = st.builds(
    Scene,
    st.lists(HELD, max_size=4, unique_by=lambda one: one.id),
    st.booleans(),
    _rows(size=3),
    _rows(size=4),
    st.fixed_dictionaries(
        {
            "mode": st.sampled_from(["create", "update", "upsert", "delete"]),
            "on_conflict": st.sampled_from(POLICIES),
            "on_duplicate": st.sampled_from(["reject", "last"]),
        }
    ),
)


def settled(examples: int) -> settings:
    """How many scenes are tried; which ones depends on the code alone."""
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


ADA, BELA, CLEO = NAMES
USUAL = {"on_conflict": "quarantine", "on_duplicate": "reject"}
KNOWN_ELSEWHERE = Scene(
    held=[],
    merged=False,
    before=[{"crm": "c-0", "name": ADA, "id": "own-0"}],
    rows=[{"crm": "c-0", "name": BELA, "id": "own-0"}, {"crm": "c-0", "name": BELA}],
    choice={"mode": "create", **USUAL},
)
"""The key of a row without an id stands for a customer with an id of its own."""
MERGED_INTO_ANOTHER_ROW = Scene(
    held=[],
    merged=True,
    before=[{"crm": "c-0", "name": ADA, "id": "own-0"}, {"crm": "c-1", "name": BELA, "id": "own-1"}],
    rows=[{"crm": "c-1", "name": ADA, "id": "own-1"}, {"crm": "c-0", "name": CLEO, "id": "own-0"}],
    choice={"mode": "update", **USUAL},
)
"""Two rows write to the customer into whom the first was merged."""


@given(scene=SCENES)
@example(scene=KNOWN_ELSEWHERE)
@example(scene=MERGED_INTO_ANOTHER_ROW)
@settled(6)
def test_a_live_plan_is_what_its_apply_does(scene: Scene) -> None:
    """Requests made are requests planned, operation by operation, and records end as was said."""
    check(scene, live=True)


@given(scene=SCENES)
@settled(4)
def test_an_offline_plan_keeps_what_it_says(scene: Scene) -> None:
    """Requests made are within the numbers that were stated."""
    check(scene, live=False)


@pytest.mark.soak
@given(scene=SCENES, live=st.booleans())
@settled(3_000)
def test_plans_of_many_organisations(scene: Scene, live: bool) -> None:
    """The same, many times."""
    check(scene, live=live)


def check(scene: Scene, *, live: bool) -> None:
    info, report = asyncio.run(_played(scene, live=live))

    made: Mapping[str, int] = report.requests
    assert set(made) <= set(info.most), (info, report)
    outside = {
        name: (info.least[name], made.get(name, 0), most)
        for name, most in info.most.items()
        if not info.least[name] <= made.get(name, 0) <= most
    }
    assert not outside, (outside, info.actions, report.rejects_by_code)
    if live and set(info.actions) <= NOTHING_ELSE:
        assert info.least == info.most
        words = {word: number for word, number in info.words.items() if number}
        assert words == {word: number for word, number in report.counts.items() if number and word != "read"}


async def _played(scene: Scene, *, live: bool) -> tuple[PlanInfo, Report]:
    folder = new_in_memory("plan-model-")
    emulator = Emulator(rate=None, token=TOKEN)
    await emulator.start()
    try:
        options = ImportOptions(key="crm", pace=Pace(unlimited=True, concurrency=3), state_dir=folder / "state")
        world = World(emulator, folder, options)
        await world.run(world.ndjson(scene.before, "before.ndjson"))
        _fill(emulator, scene)
        info = await plan(world, scene.rows, live=live, **scene.choice)
        return info, await apply(world)
    finally:
        await emulator.stop()
        shutil.rmtree(folder)


def _fill(emulator: Emulator, scene: Scene) -> None:
    """Add the customers that the organisation can hold beside those that were imported, and merge two."""
    for one in scene.held:
        try:
            emulator.add_customer(
                id=one.id,
                name=one.name,
                emails=[{"original": email} for email in one.emails],
                phones=[{"original": number, "type": kind} for number, kind in one.phones],
            )
        except Exception:  # noqa: BLE001, S112 - it shares an id or an address with one that is there
            continue
    ids = list(emulator.store.customers)
    if scene.merged and len(ids) > 1:
        emulator.store.merge(ids[0], ids[-1])
