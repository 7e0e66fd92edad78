"""`map init --from SYSTEM`: from the sample export of each system to what Gladly then holds."""

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bulkgladly.emulator import Emulator
from tests.flows.programs import HeardProgram, heard, program_in
from tests.flows.serving import served

SAMPLES = Path(__file__).parents[2] / "samples" / "presets"


@dataclass(frozen=True)
class Sample:
    """What the sample export of a system becomes.

    `refused` are the lines that `check` names, with the rule; `rejected` are the rules by which the import rejects
    records, `created` the records in Gladly, by step, and `customers` some of them by name. `edits` are texts in the
    mappings to change, by what they become.
    """

    refused: Mapping[str, Sequence[str]]
    rejected: Mapping[str, Sequence[str]]
    created: Mapping[str, int]
    customers: Mapping[str, Mapping[str, Any]]
    texts: Sequence[str] = ()
    edits: Mapping[str, str] = field(default_factory=dict[str, str])


CASES: Mapping[str, Sample] = {
    "shopify": Sample(
        refused={},
        rejected={},
        created={"customers": 15},
        customers={
            "Dina Drake": {
                "address": "4 Mill Lane, Exampletown, CA, 94003, US",
                "customAttributes": {
                    "shopify_customer_id": "7210448301103",
                    "accepts_email_marketing": "yes",
                    "accepts_sms_marketing": "no",
                    "accepts_whatsapp_marketing": "no",
                    "total_spent": "112.50",
                    "total_orders": "3",
                    "shopify_tags": "vip, newsletter",
                    "shopify_note": "Likes tea",
                    "tax_exempt": "no",
                    "birth_date": "1990-05-04",
                },
            },
            "Carl Cole": {"phones": ["+16505550112"]},
            "Mona Nash": {"emails": [], "phones": ["+16505550150"]},
        },
    ),
    "hubspot": Sample(
        refused={"customers": ["16 key_missing"]},
        rejected={"customers": ["key_missing"]},
        created={"customers": 14},
        customers={
            "Enzo Eames": {
                "emails": ["enzo.eames@example.org", "enzo.home@example.org", "enzo.old@example.org"],
                "address": "Exampletown, United States",
            },
            "Nils Oakes": {"phones": [], "customAttributes": {"hubspot_record_id": "90031"}},
        },
    ),
    "klaviyo": Sample(
        refused={},
        rejected={},
        created={"customers": 14},
        customers={
            "Carl Cole": {
                "emails": ["carl.cole@example.org"],
                "customAttributes": {
                    "klaviyo_id": "01HZX00002",
                    "email_marketing_consent": "NEVER_SUBSCRIBED",
                    "lifetime_value": "50.00",
                    "number_of_orders": "2",
                    "average_order_value": "20.00",
                    "klaviyo_source": "Shopify",
                    "profile_since": "2024-01-03",
                    "favourite_colour": "green",
                    "shopify_tags": '["vip", "sailing"]',
                },
            },
            "Mona Nash": {"emails": [], "phones": ["+16505550170"]},
        },
    ),
}


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> HeardProgram:
    """The program without credentials, in an empty folder."""
    return heard(program_in(tmp_path, monkeypatch), capsys)


@pytest.mark.parametrize("system", CASES)
def test_the_export_of_a_system_is_imported_with_its_preset(
    system: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only the awkward rows are refused, at their lines; the rest is in Gladly as a person expects it."""
    case = CASES[system]
    with served(Emulator(rate=None)) as emulator:
        run = heard(program_in(tmp_path, monkeypatch, emulator), capsys)
        told = run("map", "init", "--from", system, str(SAMPLES / system), "-o", "preset")
        assert told.code == 0, told.err
        for old, new in case.edits.items():
            _edit(tmp_path / "preset", old, new)

        done = {step["name"]: _imported(run, step) for step in _steps(tmp_path / "preset")}

        assert {name: refused for name, (refused, _, _) in done.items() if refused} == case.refused
        assert {name: rejected for name, (_, rejected, _) in done.items() if rejected} == case.rejected
        assert {name: created for name, (_, _, created) in done.items()} == case.created
        held = {profile["name"]: profile for profile in emulator.store.customers.values() if profile.get("name")}
        for name, expected in case.customers.items():
            assert {key: _plain(held[name].get(key, [])) for key in expected} == expected
        texts = [str(item["content"]) for item in emulator.store.items.values()]
        for text in case.texts:
            assert any(text in one for one in texts), text


def _edit(folder: Path, old: str, new: str) -> None:
    for path in folder.iterdir():
        path.write_text(path.read_text().replace(old, new))


def _steps(folder: Path) -> list[dict[str, Any]]:
    """The steps of the project file, with paths as the program takes them."""
    steps: list[dict[str, Any]] = tomllib.loads((folder / "migrate.toml").read_text())["steps"]
    for step in steps:
        files = step["files"] if isinstance(step["files"], list) else [step["files"]]
        step["files"] = [str(folder / file) for file in files]
        step["map"] = str(folder / step["map"])
        step.setdefault("name", step["import"])
    return steps


def _imported(run: HeardProgram, step: dict[str, Any]) -> tuple[list[str], list[str], int]:
    """Check and import a step; return what was refused, what was rejected, and how many records were created."""
    arguments = (step["import"], *step["files"], "--map", step["map"])
    found = json.loads(run("check", *arguments, "--json").out)
    report = json.loads(run("import", *arguments, "--json").out)
    refused = [one for one in found["findings"] if one["severity"] == "refused"]
    lines = [f"{one['place'].rpartition(':')[2]} {each['code']}" for each in refused for one in each["examples"]]
    rows = (Path(report["folder"]) / "rejected.ndjson").read_text().splitlines()
    told = [json.loads(row)["_bulkgladly"] for row in rows]
    rejected = [one["code"] for one in told if one["outcome"] == "rejected"]
    return sorted(lines), sorted(rejected), report["counts"]["created"]


def _plain(value: Any) -> Any:
    return [one["original"] for one in value] if isinstance(value, list) else value
