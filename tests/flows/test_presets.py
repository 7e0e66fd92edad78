"""`map init --from SYSTEM`: from the sample export of each system to what Gladly then holds."""

import json
import shutil
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bulkgladly.emulator import Emulator
from tests.flows.programs import HeardProgram, heard, program_in
from tests.flows.serving import served

MOST_EDITS = 10
"""So many lines of a preset may a person have to change for an awkward export."""
REGION = '# phone_region = "US"'
SAMPLES = Path(__file__).parents[2] / "samples" / "presets"


@dataclass(frozen=True)
class Sample:
    """What the sample export of a system becomes.

    `refused` are the lines that `check` names, with the rule; `rejected` are the rules by which the import rejects
    records, and `created` the records in Gladly, by step. `customers` are some of them by name; `texts` and `tasks` are
    parts of what stands on timelines and in tasks. `edits` are lines that a person changes first.
    """

    refused: Mapping[str, Sequence[str]]
    rejected: Mapping[str, Sequence[str]]
    created: Mapping[str, int]
    customers: Mapping[str, Mapping[str, Any]]
    texts: Sequence[str] = ()
    tasks: Sequence[str] = ()
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
    "zendesk": Sample(
        refused={"comments": ["2 unknown_key", "2 unknown_key"], "article-texts": ["3 unknown_key"]},
        rejected={
            "comments": ["unknown_key", "unknown_key"],
            "articles": ["taken"],
            "article-texts": ["unknown_key"],
        },
        created={
            "customers": 13,
            "comments": 43,
            "ratings": 2,
            "side-conversations": 2,
            "tasks": 4,
            "macros": 2,
            "macro-texts": 0,
            "articles": 2,
            "article-texts": 0,
        },
        customers={
            "Hope Heath": {
                "emails": ["hope.heath.7@example.org"],
                "customAttributes": {
                    "zendesk_id": "3600000008",
                    "organization": "City Couriers",
                    "zendesk_tags": "vip",
                    "language": "en-US",
                    "customer_since": "2023-01-04",
                    "tier": "silver",
                },
            },
        },
        texts=(
            "#2004 Tent with a hole (2024-12-13)",
            "<p><b>Jon Jarvis, 2024-12-13 04:31 UTC, internal note</b></p>",
            "<p><b>Unknown user, ",
            "#2005 (no subject) (",
            "(1/2)",
            'Attachment: <a href="https://support.example.org/attachments/token/2010/?name=photo-2010.jpg">',
            "https://support.example.org/agent/tickets/2001",
            "Rated good. Quick and friendly.",
            "#2012 side conversation: Parcel (",
        ),
        tasks=("<br>Order number: A90",),
        edits={REGION: REGION.removeprefix("# "), '"4500001" = "Support"': '"4500001" = "General"'},
    ),
    "kustomer": Sample(
        refused={"messages": ["15 unknown_key"]},
        rejected={"messages": ["unknown_key"]},
        created={"customers": 9, "messages": 14, "notes": 1, "tasks": 4},
        customers={
            "Enzo Eames": {"emails": ["enzo.eames@example.org", "team.4@example.org"]},
            "Amir Archer": {
                "address": "1 Mill Lane, Exampletown, 94000",
                "phones": ["+16505550200"],
                "customAttributes": {
                    "kustomer_id": "5f0000000000000000000100",
                    "language": "en_US",
                    "customer_since": "2022-05-01",
                    "tierStr": "gold",
                    "ordersNum": 0,
                },
            },
        },
        texts=(
            "<p><b>Customer, 2021-03-04 10:00 UTC</b></p>Where is it? &lt;b&gt;Please&lt;/b&gt; &amp; soon",
            "<p><b>Ada Agent, 2026-03-02 11:00 UTC</b></p>It left our warehouse.",
            "Wrong size (2021-03-04)",
            "Internal note (2026-06-05)",
        ),
        tasks=("<p><b>Refund</b></p><p>Status in Kustomer: snoozed</p>I ordered two weeks ago.",),
    ),
    "freshdesk": Sample(
        refused={
            "descriptions": ["7 unknown_key"],
            "conversations": ["7 unknown_key", "7 unknown_key"],
            "tasks": ["7 unknown_key"],
        },
        rejected={
            "descriptions": ["unknown_key"],
            "conversations": ["unknown_key", "unknown_key"],
            "tasks": ["unknown_key"],
        },
        created={
            "customers": 9,
            "descriptions": 6,
            "conversations": 9,
            "ratings": 1,
            "tasks": 3,
            "canned-responses": 1,
            "canned-response-texts": 0,
            "articles": 1,
            "article-texts": 0,
        },
        customers={
            "Beth Brook": {
                "emails": ["beth.brook@example.org"],
                "customAttributes": {
                    "freshdesk_id": "60000002",
                    "company": "Boat Club",
                    "freshdesk_tags": "vip",
                    "language": "en",
                    "customer_since": "2022-05-02",
                    "permanent": False,
                },
            },
            "Carl Cole": {"emails": ["carl.cole@example.org", "old.2@example.org"]},
        },
        texts=(
            "<p><b>Bela Agent, 2026-06-05 13:00 UTC, internal note</b></p><div>Angry?</div>",
            'Attachment: <a href="https://files.example.org/label.pdf">label.pdf</a>',
            "Rated: extremely happy Quick.",
        ),
        tasks=("<p><b>#101 Late parcel</b></p><div>Where is it?</div>",),
    ),
    "intercom": Sample(
        refused={"first-messages": ["7 unknown_key"], "parts": ["7 unknown_key"]},
        rejected={"first-messages": ["unknown_key"], "parts": ["unknown_key"]},
        created={
            "customers": 9,
            "first-messages": 7,
            "parts": 9,
            "ratings": 1,
            "tasks": 5,
            "articles": 1,
            "article-texts": 0,
        },
        customers={
            "Beth Brook": {
                "customAttributes": {
                    "intercom_id": "5ba682d23d7cf92bef87bf01",
                    "external_id": "26",
                    "role": "user",
                    "company": "Boat Club",
                    "unsubscribed": "false",
                    "customer_since": "2022-05-02",
                    "paid_subscriber": False,
                    "monthly_spend": 15.5,
                },
            },
            "Amir Archer": {"address": "Dublin, Leinster, Ireland"},
        },
        texts=(
            "Conversation (2021-03-04)",
            "<p><b>Bela Agent, 2026-04-03T14:00:00.000Z, internal note</b></p><p>Angry?</p>",
            "Rated 5 of 5. Quick.",
        ),
        tasks=("<p><b>Parcel</b></p><p>State in Intercom: open</p><p>Where is it?</p>",),
    ),
    "gorgias": Sample(
        refused={"ticket-messages": ["7 unknown_key"], "tasks": ["7 unknown_key"]},
        rejected={"ticket-messages": ["unknown_key"], "tasks": ["unknown_key"]},
        created={"customers": 9, "ticket-messages": 9, "surveys": 1, "tasks": 2, "macros": 1, "macro-texts": 0},
        customers={
            "Fern Frost": {"emails": ["fern.frost@example.org"]},
            "Dina Drake": {
                "phones": ["+16505550263"],
                "customAttributes": {
                    "gorgias_id": "31003",
                    "external_id": "SHOP-3",
                    "language": "en",
                    "gorgias_note": "Likes tea",
                    "customer_since": "2022-05-04",
                    "points": 30,
                },
            },
        },
        texts=(
            "#902 Late parcel (2021-03-04)",
            "<p><b>Ada Agent, 2026-05-04 12:00 UTC, internal note</b></p>It left our warehouse.",
            "Rated 5 of 5. Quick.",
        ),
        tasks=("<p><b>#903 Late parcel</b></p>shipping",),
    ),
    "salesforce": Sample(
        refused={"cases": ["18 unknown_key"], "comments": ["7 customer"]},
        rejected={"cases": ["unknown_key"], "comments": ["customer"]},
        created={"customers": 9, "cases": 6, "comments": 5, "emails": 3, "tasks": 3},
        customers={
            "Carl Cole": {
                "customAttributes": {
                    "salesforce_id": "003Dn00000A0002IAQ",
                    "lead_source": "Web",
                    "customer_since": "2022-05-03",
                    "loyalty_tier": "Gold",
                },
            },
            "Beth Brook": {
                "customAttributes": {
                    "salesforce_id": "003Dn00000A0001IAQ",
                    "account": "Boat Club",
                    "birth_date": "1990-01-02",
                    "lead_source": "Web",
                    "customer_since": "2022-05-02",
                },
            },
        },
        texts=(
            "Case 00001002 Late parcel 2021-03-04",
            "Ada Agent, 2026-02-01T12:00:00.000Z, internal:<br><br>Looked up &lt;order&gt; 0",
            "Case 00001001 Re: Late parcel 2026-03-02",
        ),
        tasks=("Call back<br><br>About the parcel",),
    ),
}


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

        assert _edited(tmp_path / "preset", case.edits) == len(case.edits) <= MOST_EDITS

        done = {step["name"]: _imported(run, step) for step in _steps(tmp_path / "preset")}

        assert {name: refused for name, (refused, _, _) in done.items() if refused} == case.refused
        assert {name: rejected for name, (_, rejected, _) in done.items() if rejected} == case.rejected
        assert {name: created for name, (_, _, created) in done.items()} == case.created
        held = {profile["name"]: profile for profile in emulator.store.customers.values() if profile.get("name")}
        for name, expected in case.customers.items():
            assert {key: _plain(held[name].get(key, [])) for key in expected} == expected
        items = [json.dumps(item["content"]).replace('\\"', '"') for item in emulator.store.items.values()]
        tasks = [task["body"] for task in emulator.store.collections["tasks"].values()]
        assert [text for text in case.texts if not any(text in item for item in items)] == []
        assert [text for text in case.tasks if not any(text in task for task in tasks)] == []


def _edited(folder: Path, edits: Mapping[str, str]) -> int:
    """Change lines of the files in a folder; return how many were changed."""
    count = 0
    for path in folder.iterdir():
        lines = path.read_text().splitlines()
        count += sum(line in edits for line in lines)
        path.write_text("".join(f"{edits.get(line, line)}\n" for line in lines))
    return count


def _steps(folder: Path) -> list[dict[str, Any]]:
    """The steps of the project file, with paths as the program takes them."""
    project = tomllib.loads((folder / "migrate.toml").read_text())
    steps: list[dict[str, Any]] = project["steps"]
    for step in steps:
        region = project["defaults"].get("phone_region")
        step["flags"] = ["--phone-region", region] if region and step["import"] == "customers" else []
        files = step["files"] if isinstance(step["files"], list) else [step["files"]]
        step["files"] = [str(folder / file) for file in files]
        step["map"] = str(folder / step["map"])
        step.setdefault("name", step["import"])
    return steps


def _imported(run: HeardProgram, step: dict[str, Any]) -> tuple[list[str], list[str], int]:
    """Check and import a step; return what was refused, what was rejected, and how many records were created."""
    arguments = (step["import"], *step["files"], "--map", step["map"], *step["flags"])
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


def test_comments_in_a_file_of_their_own_are_the_same_activities(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The tickets say whose they are; a merged customer, a deleted author and old times are treated alike."""
    for name in ("users.json", "merged_users.csv"):
        shutil.copy(SAMPLES / "zendesk" / name, tmp_path)
    tickets = [json.loads(line) for line in (SAMPLES / "zendesk" / "tickets.jsonl").read_text().splitlines()]
    comments = [{**one, "ticket_id": ticket["id"]} for ticket in tickets for one in ticket.pop("comments")]
    (tmp_path / "comments.json").write_text(json.dumps({"comments": comments, "next_page": None}))
    (tmp_path / "tickets.json").write_text(json.dumps({"tickets": tickets}))
    run = heard(program_in(tmp_path, monkeypatch), capsys)
    assert run("map", "init", "--from", "zendesk", str(SAMPLES / "zendesk"), "-o", "inside").code == 0

    told = run("map", "init", "--from", "zendesk", ".", "-o", "beside")

    assert told.code == 0, told.err
    inside = _mapped(run, str(SAMPLES / "zendesk" / "tickets.jsonl"), "inside/comments.toml")
    beside = _mapped(run, "comments.json", "beside/comment_files.toml")
    assert len(beside) > len(tickets)
    for key, record in inside.items():
        subject = (record.pop("title"), beside[f"comment-{key.partition('#')[2]}"].pop("title"))
        assert subject[0] == subject[1] or "(no subject)" in subject[0]
        assert record == beside[f"comment-{key.partition('#')[2]}"]


def _mapped(run: HeardProgram, file: str, mapping: str) -> dict[str, dict[str, Any]]:
    """The records that a mapping makes of all rows, by their keys."""
    told = run("map", "check", file, "--map", mapping, "--rows", "500", "--show-values", "--json")
    examples = json.loads(told.out)["examples"]
    records = [record for example in examples for record in example["output"] if "problem" not in record]
    return {record.pop("_key"): record for record in records}
