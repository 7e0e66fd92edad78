"""Verifying and importing have one truth: what is equal, an import would not change, and the other way round."""

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bulkgladly import ImportOptions, Pace
from bulkgladly.emulator import Emulator
from bulkgladly.runs.observer import Observer
from bulkgladly.runs.session import Terms
from bulkgladly.verification.verify_options import VerifyOptions
from bulkgladly.verification.verify_run import verify_run
from bulkgladly.verification.verify_summary import VerifyReport
from tests.flows.conftest import TOKEN, World
from tests.flows.test_import_objects import forget_state
from tests.flows.test_verify_run import differences, table
from tests.folders import in_memory

TEXTS = st.sampled_from(["Ada Ashby", " Ada Ashby ", "Bela Birch", "Ådå", "", None])
NUMBERS = st.integers(0, 4)
EMAILS = st.builds(
    lambda n, form, primary: {"original": form.format(n), **({} if primary is None else {"primary": primary})},
    NUMBERS,
    st.sampled_from(["ada{}@example.org", "Ada{}@Example.org", "jörg{}@example.org", "ada{}@bücher.example.org"]),
    st.sampled_from([None, None, False]),
)
PHONES = st.builds(
    lambda n, form, kind: {"original": form.format(n), **({"type": kind} if kind else {})},
    NUMBERS,
    st.sampled_from(["+1650555010{}", "(650) 555-010{}", "+44 20 7946 001{}", "020 7946 001{}"]),
    st.sampled_from([None, "MOBILE", "home", "OFFICE"]),
)
ATTRIBUTES = st.dictionaries(
    st.sampled_from(["tier", "plan", "since"]), st.sampled_from(["gold", "", 3, 1.5, True, None, ["a"]]), max_size=3
)
ROWS = st.lists(
    st.fixed_dictionaries(
        {"crm": st.integers(0, 5).map(str)},
        optional={
            "name": TEXTS,
            "address": TEXTS,
            "emails": st.lists(EMAILS, max_size=2),
            "phones": st.lists(PHONES, max_size=2),
            "customAttributes": ATTRIBUTES,
        },
    ),
    min_size=1,
    max_size=8,
)
OPTIONS = st.fixed_dictionaries(
    {
        "on_conflict": st.sampled_from(["quarantine", "skip", "update", "merge"]),
        "on_duplicate": st.sampled_from(["reject", "last"]),
        "null": st.sampled_from(["keep", "clear"]),
        "phone_region": st.sampled_from([None, "US", "GB"]),
        "invalid_contacts": st.sampled_from([None, "drop"]),
        "attributes": st.sampled_from(["unknown", "merge"]),
        "owners": st.dictionaries(
            st.sampled_from(["name", "emails", "phones", "customAttributes", "customAttributes.tier"]),
            st.sampled_from(["source", "gladly", "fill"]),
            max_size=3,
        ).map(lambda named: tuple(named.items())),
    }
)
EDITS = st.lists(
    st.tuples(NUMBERS, st.sampled_from(["name", "address", "emails", "phones", "customAttributes", "added", "gone"])),
    max_size=4,
)
QUICKLY = settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
LONG = settings(QUICKLY, max_examples=600)


async def _verified(world: World) -> VerifyReport:
    options = VerifyOptions(pace=world.options.pace, state_dir=world.state)
    terms = Terms(world.credentials, Observer(), environment=world.environment)
    report = await verify_run(world.last_run(), options, terms)
    assert report.adds_up, report.counts
    return report


def _sharing(rows: list[dict[str, Any]]) -> set[str]:
    """The keys of rows about one customer who has several keys.

    An import remembers what it has sent by key. So it does not see that a row with another key has written over it.
    """
    keys: dict[str, set[str]] = {}
    for row in rows:
        keys.setdefault(row["id"], set()).add(row["key"])
    return {key for id_, several in keys.items() if id_ and len(several) > 1 for key in several}


def _nothing_differs(first: Any, second: Any, options: Any) -> None:
    """Import twice, and verify the second run."""

    async def play() -> None:
        with in_memory() as folder:
            async with Emulator(rate=None, token=TOKEN) as emulator:
                emulator.add_customer(id="theirs", name="Theirs", emails=[{"original": "ada1@example.org"}])
                world = World(emulator, folder, ImportOptions(key="crm", pace=Pace(unlimited=True), state_dir=folder))
                await world.rows(first, **options)
                await world.rows(second, **options)

                report = await _verified(world)

                told = {key: about for key, about in differences(report).items() if about[0] != "not_sent"}
                assert told.keys() <= _sharing(table(report)), table(report)
                assert report.exit_code == (6 if told else 0)

    asyncio.run(play())


def _agrees_with_an_import(rows: Any, options: Any, edits: Any) -> None:
    """Import, let people edit, verify, and import again without memory."""

    async def play() -> None:
        with in_memory() as folder:
            async with Emulator(rate=None, token=TOKEN) as emulator:
                world = World(emulator, folder, ImportOptions(key="crm", pace=Pace(unlimited=True), state_dir=folder))
                await world.rows(rows, **options)
                _edit(emulator, edits)
                report = await _verified(world)
                forget_state(world)

                again = await world.rows(rows, **options)

                words = {row["key"]: row["action"] for row in world.result(again, "success")}
                for row in table(report):
                    # A row of several about one customer may be written over by the next, and then written again.
                    if row["word"] == "not_sent" or len([one for one in table(report) if one["id"] == row["id"]]) > 1:
                        continue
                    expected = {"equal": "unchanged", "different": "updated", "missing": "created"}[row["word"]]
                    assert words.get(row["key"]) == expected, (row, again.rejects_by_code)

    asyncio.run(play())


def _edit(emulator: Emulator, edits: list[tuple[int, str]]) -> None:
    """Let people edit and delete customers."""
    for number, field in edits:
        profiles = list(emulator.store.customers.values())
        if not profiles:
            return
        profile = profiles[number % len(profiles)]
        if field == "gone":
            emulator.store.remove_customer(profile["id"])
            continue
        if field == "added":
            address = f"added-{profile['id'].lower()}@example.org"
            added = {"original": address, "normalized": address}
            emulator.store.replace_customer({**profile, "emails": [*profile.get("emails", ()), added]})
            continue
        other = {"emails": [], "phones": [], "customAttributes": {"plan": "other"}}.get(field, "Edited")
        emulator.store.replace_customer({**profile, field: other})


@QUICKLY
@given(ROWS, ROWS, OPTIONS)
def test_after_a_run_of_any_rows_nothing_differs(first: Any, second: Any, options: Any) -> None:
    """Whatever the rows, the policies, and what was there before: what a run says that it sent, Gladly holds."""
    _nothing_differs(first, second, options)


@QUICKLY
@given(ROWS, OPTIONS, EDITS)
def test_what_is_equal_an_import_would_not_change_and_the_other_way_round(rows: Any, options: Any, edits: Any) -> None:
    """People edit profiles; an import without memory then writes exactly what a verification calls different."""
    _agrees_with_an_import(rows, options, edits)


@pytest.mark.soak
@pytest.mark.timeout(1800)
@LONG
@given(ROWS, ROWS, OPTIONS)
def test_after_very_many_runs_nothing_differs(first: Any, second: Any, options: Any) -> None:
    """The same, for longer."""
    _nothing_differs(first, second, options)


@pytest.mark.soak
@pytest.mark.timeout(1800)
@LONG
@given(ROWS, OPTIONS, EDITS)
def test_very_many_imports_agree(rows: Any, options: Any, edits: Any) -> None:
    """The same, for longer."""
    _agrees_with_an_import(rows, options, edits)
