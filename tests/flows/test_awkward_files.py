"""Awkward files that were once read wrongly, each through `check`: the same rows good, the same damage named."""

from pathlib import Path

import pytest

from bulkgladly import ImportOptions, Report
from bulkgladly.checks.run_check import check
from bulkgladly.errors import BulkgladlyError
from tests.flows.conftest import World

CASES = Path(__file__).parent / "awkward"
PLACEHOLDERS = {f"placeholder {name}" for name in ("address", "customAttribute:tier", "name", "phone", "email")}


@pytest.mark.parametrize(
    ("name", "good", "codes"),
    [
        ("sep-line.csv", 1, set()),
        ("bare-cr.csv", 2, set()),
        ("bare-cr-mixed.csv", 3, set()),
        ("trailing-commas.csv", 2, set()),
        ("trailing-commas-header.csv", 2, set()),
        ("header-again.csv", 3, {"header_again None"}),
        ("keys-clean.csv", 2, set()),
        ("keys-dirty.csv", 0, {"key_apostrophe crm_id", "key_decimal crm_id", "key_invisible crm_id"}),
        ("merged-rows.csv", 2, {"rows_in_cell name"}),
        (
            "phones-float.csv",
            0,
            {"invalid_phone phones[]", "phone_region phones[]", "number_decimal phone", "number_rounded phone"},
        ),
        ("placeholders.csv", 3, {"invalid_email emails[]", "invalid_phone phones[]", *PLACEHOLDERS}),
    ],
)
async def test_what_check_says(name: str, good: int, codes: set[str]) -> None:
    """Nothing more and nothing less."""
    report = await check("customers", [CASES / name], ImportOptions(key="crm_id"))

    assert {f"{one.code} {one.field}" for one in report.findings} == codes
    assert report.counts["good"] == good


@pytest.mark.parametrize(
    ("name", "key", "message"),
    [
        ("preamble.csv", "crm_id", r"line 4 looks like one \(crm_id, name, email:1\); pass --skip-lines 3"),
        ("sign-in-page.csv", "crm_id", r"is a web page \('Sign in'\)"),
        ("header-spelling.csv", "crm_id", "no column crm_id, which --key names; did you mean --key 'CRM_ID '"),
        ("shopify-apostrophes.csv", "Customer ID", "bulkgladly map init .* drafts a mapping"),
    ],
)
async def test_what_is_refused(name: str, key: str, message: str) -> None:
    """As a whole, with the fix."""
    with pytest.raises(BulkgladlyError, match=message):
        await check("customers", [CASES / name], ImportOptions(key=key))


async def _imported(world: World, name: str) -> Report:
    return await world.run(CASES / name, key="crm_id")


async def test_dirty_keys_make_no_second_customer(world: World) -> None:
    """Six spellings of two keys are two customers, and a clean file is nothing new."""
    dirty = await _imported(world, "keys-dirty.csv")
    clean = await _imported(world, "keys-clean.csv")

    assert (dirty.counts["created"], dirty.counts["unchanged"], dirty.repeats) == (2, 4, 4)
    assert (clean.counts["unchanged"], clean.counts["created"]) == (2, 0)


async def test_a_header_in_the_middle_is_no_customer(world: World) -> None:
    """It is counted, and the rest arrives."""
    report = await _imported(world, "header-again.csv")

    assert sorted(each["name"] for each in world.emulator.store.customers.values()) == ["Ada", "Ben", "Cy"]
    assert report.skipped_by_code == {"header_again": 1}


async def test_attributes_keep_their_types(world: World) -> None:
    """Numbers, flags and lists arrive as what they are."""
    await world.run(CASES / "typed-attributes.ndjson", key="id")

    held = world.emulator.store.customers["A1"]["customAttributes"]
    assert held == {"tier": "gold", "visits": 12, "vip": True, "ltv": 10.5, "tags": ["a", "b"]}
