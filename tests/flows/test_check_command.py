"""`check` as a person meets it, and against the emulator: what it says is refused, is refused."""

import contextlib
import datetime as dt
import gzip
import io
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bulkgladly import ImportOptions, Observer, Report, UsageError
from bulkgladly.checks.check_report import CheckReport
from bulkgladly.checks.digests import Digests
from bulkgladly.checks.run_check import check
from bulkgladly.emulator import Emulator
from bulkgladly.files.contract import ReadOptions
from bulkgladly.imports.dry_run import DryRun, dry_run
from bulkgladly.records import Mode
from tests.flows.conftest import World, people
from tests.flows.programs import HeardProgram, heard, program_in
from tests.flows.quickly import start_import
from tests.signing import basic_auth


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> HeardProgram:
    """The program in an empty folder, with no credentials."""
    return heard(program_in(tmp_path, monkeypatch), capsys)


def in_days(days: float) -> str:
    return (dt.datetime.now(dt.UTC) + dt.timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


def written(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    return path


def found(report: CheckReport) -> dict[tuple[str, str | None], tuple[str, int, list[int]]]:
    """The findings by code and field: severity, rows, and the numbers of the examples."""
    return {
        (one.code, one.field): (one.severity.value, one.rows, [example.position.number for example in one.examples])
        for one in report.findings
    }


def counts(report: CheckReport) -> dict[str, int]:
    return {word: number for word, number in report.counts.items() if number}


FAULTY = """id,name,email:1,phone:1,phone:1:type,customAttribute:tier
c1,Ada,ada@example.org,+16505550101,MOBILE,gold
c 2,Ben,ben@example,6505550102,MOBILE,gold
c3,"Cy
Long",cy@example.org,+16505550103,PAGER,gold
c4,Di,Ada@Example.org,,,
c1,Ada,ada@example.org,+16505550101,MOBILE,gold
c1,Another,other@example.org,,,
c6,Eve,eve@example.org,+16505550101,mobile,x
c7,broken
"""


def test_every_planted_mistake_is_told_with_its_line_and_way_out(program: HeardProgram) -> None:
    """Exact counts, places that an editor understands, and no personal value."""
    Path("faulty.csv").write_text(FAULTY, encoding="utf-8")

    answer = program("check", "customers", "faulty.csv", "--json")

    report = orjson.loads(answer.out)
    assert answer.code == report["exit_code"] == 1
    assert {word: number for word, number in report["counts"].items() if number} == {
        "read": 8, "good": 1, "refused": 6, "repeated": 1,
    }  # fmt: skip
    places = {
        (one["code"], one["field"]): (one["rows"], [example["place"] for example in one["examples"]])
        for one in report["findings"]
    }
    assert places == {
        ("invalid_email", "emails[]"): (1, ["faulty.csv:3"]),
        ("phone_region", "phones[]"): (1, ["faulty.csv:3"]),
        ("id", "id"): (1, ["faulty.csv:3"]),
        ("invalid_choice", "phones[].type"): (1, ["faulty.csv:4"]),
        ("duplicate_address", "emails[]"): (1, ["faulty.csv:6"]),
        ("duplicate_key", "key"): (1, ["faulty.csv:8"]),
        ("duplicate_address", "phones[]"): (1, ["faulty.csv:9"]),
        ("ragged_row", None): (1, ["faulty.csv:10"]),
    }
    assert {one["severity"] for one in report["findings"]} == {"refused"}
    assert all(one["fix"] for one in report["findings"])
    assert not any(value in answer.out + answer.err for value in ("ben@example", "650555", "Another", "Di"))


def test_values_are_shown_to_who_asks_for_them(program: HeardProgram) -> None:
    """The field at fault, also in flat columns; and no more of the row than that."""
    Path("faulty.csv").write_text(FAULTY, encoding="utf-8")

    answer = program("check", "customers", "faulty.csv", "--show-values", "--json")

    shown = {one["code"]: one["examples"][0]["value"] for one in orjson.loads(answer.out)["findings"]}
    assert shown["invalid_email"] == "ben@example"
    assert shown["phone_region"] == "6505550102"
    assert shown["id"] == "c 2"


def test_places_of_one_and_the_same_problem_share_a_line(program: HeardProgram) -> None:
    """The line number is in the place, and is not said twice."""
    Path("people.csv").write_text("id,name\na,1\n" + "b\n" * 5)

    answer = program("check", "customers", "people.csv")

    assert (
        "    people.csv:3, people.csv:4, people.csv:5 and 2 more rows: has 1 cell, but the header has 2\n" in answer.out
    )


def test_people_read_a_table_sorted_by_what_is_worst(program: HeardProgram) -> None:
    """Refused before changed, frequent before rare, each with its fix; the sums and the estimate beside it."""
    due = in_days(3)
    task = {"customerId": "ada", "inboxId": "i1", "body": "x", "dueAt": due}
    rows = [task | {"id": f"t{n}", "body": "<p class=a>x</p>"} for n in range(3)]
    rows += [task | {"id": "t 1"}, task | {"id": "t9", "dueAt": in_days(-3)}, task | {"id": "t10"}]
    written(Path("tasks.ndjson"), rows)

    answer = program("check", "tasks", "tasks.ndjson")

    lines = answer.out.splitlines()
    heads = [line.split() for line in lines if not line.startswith(" ")][1:]
    assert heads == [
        ["refused", "1", "id", "id"],
        ["depends", "1", "due_in_past", "dueAt"],
        ["changed", "3", "html_attribute", "body"],
    ]
    assert sum(line.startswith("    fix: ") for line in lines) == 3
    assert "tasks.ndjson:4: " in answer.out
    assert "references not checked: customers by id" in answer.err
    assert all(f"--mode {mode}: " in answer.err for mode in ("create", "update", "upsert"))
    assert answer.code == 1


def test_a_clean_file_is_told_as_such(program: HeardProgram) -> None:
    """Exit code 0, nothing on stdout."""
    written(Path("customers.ndjson"), people(3))

    answer = program("check", "customers", "customers.ndjson", "--key", "crm", "--rate", "1", "--reserve", "0")

    assert (answer.code, answer.out) == (0, "")
    assert "Checked 3 customers (mode: upsert); nothing was sent\n            3 good\n" in answer.err
    assert "--mode create: 3 createCustomer, 1 getOrganization: about 4 requests, 4 s at 1/s" in answer.err


def test_no_run_and_no_state_is_left_behind(program: HeardProgram) -> None:
    """A preflight leaves the folder as it was."""
    written(Path("customers.ndjson"), people(2))

    program("check", "customers", "customers.ndjson", "--key", "crm")

    assert [path.name for path in Path().iterdir()] == ["customers.ndjson"]


def test_a_mapping_is_checked_with_its_rows(program: HeardProgram) -> None:
    """The user's own columns; a row that the mapping leaves out is no fault."""
    Path("people.csv").write_text(
        "Nr,Mail,Active\n1,ada@example.org,yes\n2,nobody,yes\n3,ben@example.org,\n", encoding="utf-8"
    )
    Path("mapping.toml").write_text(
        'version = 1\nto = "customers"\nkey = "Nr"\nwhere = "Active"\n[fields]\n"email:1" = "Mail"\n', encoding="utf-8"
    )

    answer = program("check", "customers", "people.csv", "--map", "mapping.toml", "--json")

    report = orjson.loads(answer.out)
    assert {word: number for word, number in report["counts"].items() if number} == {
        "read": 3, "good": 1, "refused": 1, "skipped": 1,
    }  # fmt: skip
    assert [(one["severity"], one["examples"][0]["place"]) for one in report["findings"]] == [
        ("refused", "people.csv:3"),
        ("skipped", "people.csv:4"),
    ]


def test_languages_are_judged_where_they_are_named(program: HeardProgram) -> None:
    """Upper case does not matter; without the list no language is a mistake."""
    content = {"answerId": "a1", "type": "messaging", "bodyHtml": "x"}
    written(Path("contents.ndjson"), [content | {"language": language} for language in ("EN-US", "de-de")])

    named = program("check", "answer-contents", "contents.ndjson", "--languages", "en-us, fr-fr", "--json")
    unnamed = program("check", "answer-contents", "contents.ndjson")

    [finding] = orjson.loads(named.out)["findings"]
    assert (finding["code"], [one["place"] for one in finding["examples"]]) == (
        "unknown_language",
        ["contents.ndjson:2"],
    )
    assert unnamed.code == 0


# --- parents ---------------------------------------------------------------------------------


def a_task(number: int, **more: Any) -> dict[str, Any]:
    return {"crm": f"t{number}", "inboxId": "i1", "body": "x", "dueAt": in_days(9), **more}


async def test_parents_are_looked_for_in_the_files_that_are_named(tmp_path: Path) -> None:
    """By id and by source key; a customer named by email is made, so never missing."""
    parents = written(tmp_path / "customers.ndjson", [{"id": "ada", "no": "k1"}, {"id": "ben", "no": "k2"}])
    rows = [a_task(1, customerId="ada"), a_task(2, customerId="cleo"), a_task(3, customerKey="k2")]
    rows += [a_task(4, customerKey="k3"), a_task(5, customerEmail="dora@example.org")]
    tasks = written(tmp_path / "tasks.ndjson", rows)

    report = await check("tasks", [tasks], ImportOptions(key="crm"), parents=[f"customers={parents}"], parents_key="no")

    assert found(report) == {
        ("unknown_parent", "customerId"): ("refused", 1, [2]),
        ("unknown_key", "customerKey"): ("refused", 1, [4]),
    }
    assert counts(report) == {"read": 5, "good": 3, "refused": 2}
    assert not report.not_judged


async def test_parents_are_looked_for_in_what_was_imported(world: World) -> None:
    """The crosswalk knows keys; ids that it does not know may be in Gladly all the same."""
    await world.rows(people(2))
    rows = [a_task(1, customerKey="c-0"), a_task(2, customerKey="c-7"), a_task(3, customerId="somebody")]
    tasks = world.ndjson(rows, "tasks.ndjson")

    report = await check("tasks", [tasks], world.options, host=world.credentials.host)

    assert found(report) == {("unknown_key", "customerKey"): ("refused", 1, [2])}
    assert report.not_judged == {"customers by id": 1}


async def test_what_nobody_knows_is_counted_and_not_judged(tmp_path: Path) -> None:
    """Without files and without a crosswalk there is no saying who is missing."""
    rows = [a_task(1, customerKey="k1"), a_task(2, customerKey="k2", inbox="Sales") | {"inboxId": ""}]
    tasks = written(tmp_path / "tasks.ndjson", rows)

    report = await check("tasks", [tasks], ImportOptions(key="crm"))

    assert report.exit_code == 0
    assert report.not_judged == {"customers by source key": 2, "inbox by name": 1}


@pytest.mark.parametrize("resource", ["customers", "tasks"])
async def test_a_file_that_cannot_be_the_parents_is_refused(tmp_path: Path, resource: str) -> None:
    """Customers have no parents; parents of tasks need ids."""
    file = written(tmp_path / "rows.ndjson", [a_task(1, customerId="ada")] if resource == "tasks" else people(1))

    with pytest.raises(UsageError, match=r"rows\.ndjson"):
        await check(resource, [file], ImportOptions(key="crm"), parents=[str(file)], parents_key="none")


async def test_topics_may_come_in_any_order_but_not_in_a_circle(tmp_path: Path) -> None:
    """An import puts parents first; what leads back to itself it cannot make."""
    rows = [
        {"crm": "child", "name": "Returns", "parentKey": "top"},
        {"crm": "top", "name": "Orders"},
        {"crm": "a", "name": "Round", "parentKey": "b"},
        {"crm": "b", "name": "And round", "parentKey": "a"},
        {"crm": "alone", "name": "Alone", "parentKey": "elsewhere"},
    ]
    topics = written(tmp_path / "topics.ndjson", rows)

    report = await check("topics", [topics], ImportOptions(key="crm"))

    assert found(report) == {("unknown_key", "parentKey"): ("refused", 2, [3, 4])}
    assert counts(report) == {"read": 5, "good": 3, "refused": 2}
    assert report.not_judged == {"topics by source key": 1}


# --- across rows, files and forms ------------------------------------------------------------


async def test_duplicates_are_found_across_files_and_forms(tmp_path: Path) -> None:
    """One customer flat and one nested, an address typed otherwise, and a local number that is the same."""
    flat = tmp_path / "flat.csv"
    flat.write_text("id,email:1,phone:1,phone:1:type\nc1,ada@example.org,020 7946 0018,MOBILE\n", encoding="utf-8")
    nested = [
        {"id": "c2", "emails": [{"original": "ADA@example.org"}]},
        {"id": "c3", "phones": [{"original": "+442079460018", "type": "mobile"}]},
        {"id": "c4", "phones": [{"original": "+442079460018", "type": "HOME"}]},
    ]
    other = written(tmp_path / "nested.ndjson", nested)

    report = await check("customers", [flat, other], ImportOptions(phone_region="GB"))

    assert found(report) == {
        ("duplicate_address", "emails[]"): ("refused", 1, [1]),
        ("duplicate_address", "phones[]"): ("refused", 1, [2]),
    }
    assert {example.position.file for one in report.findings for example in one.examples} == {1}


@pytest.mark.parametrize("suffix", ["", ".gz"])
async def test_rows_far_apart_are_found_again(tmp_path: Path, suffix: str) -> None:
    """Many pieces of the file have nothing to look at; in a compressed file too."""
    rows = people(60_000)
    for number in range(1000, 60_000, 10_000):
        rows[number]["crm"] = "c-5"
    content = b"".join(orjson.dumps(row) + b"\n" for row in rows)
    file = tmp_path / f"customers.ndjson{suffix}"
    file.write_bytes(gzip.compress(content, 1) if suffix else content)

    report = await check("customers", [file], ImportOptions(key="crm"))

    assert found(report) == {("duplicate_key", "key"): ("refused", 6, [1001, 11_001, 21_001])}


def test_hashes_on_disk_are_those_in_memory(tmp_path: Path) -> None:
    """What was written to make room is found again beside what was not."""
    small = Digests(tmp_path / "small", held=3)
    large = Digests(tmp_path / "large")
    for row, digests in enumerate([[1, 2], [257, -3], [2, 4], [5], [-3]]):
        small.add(row, digests)
        large.add(row, digests)

    assert set(small.shared()) == set(large.shared()) == {0, 1, 2, 4}
    assert list((tmp_path / "small").iterdir())
    assert small.holds(257)
    assert not small.holds(513)
    other = Digests(tmp_path / "other")
    other.add(0, [1, 2, 4, 5])
    assert set(small.absent_from(other)) == {1, 4}


async def test_what_a_policy_allows_is_no_finding(tmp_path: Path) -> None:
    """The same input with other policies."""
    ada = [{"original": "ada@example.org"}]
    rows: list[dict[str, Any]] = [{"id": "c1", "emails": ada}, {"id": "c1", "name": "Ada"}, {"id": "c2", "emails": ada}]
    file = written(tmp_path / "customers.ndjson", rows)

    lenient = await check("customers", [file], ImportOptions(on_duplicate="last", on_conflict="merge"))
    skipping = await check("customers", [file], ImportOptions(on_conflict="skip"))

    assert lenient.exit_code == 0
    assert found(skipping) == {
        ("duplicate_key", "key"): ("refused", 1, [2]),
        ("duplicate_address", "emails[]"): ("skipped", 1, [3]),
    }


async def test_standard_input_can_be_checked() -> None:
    """It is kept for the length of the check, so that it can be read twice; nobody is sent to the copy afterwards."""
    rows = b'{"id":"c1","name":"Ada"}\n{"id":"c1","name":"Ben"}\n'

    report = await check(
        "customers", ["-"], ImportOptions(reading=ReadOptions(format="ndjson")), stdin=io.BytesIO(rows)
    )

    assert found(report) == {("duplicate_key", "key"): ("refused", 1, [2])}
    assert (report.files, report.findings[0].examples[0].place) == (("stdin.ndjson",), "stdin.ndjson:2")
    assert report.findings[0].examples[0].detail.startswith("stdin.ndjson:1 has the same key")
    with pytest.raises(UsageError, match=r"^stdin\.ndjson: no column|^stdin\.ndjson: customers have no column"):
        await check(
            "customers", ["-"], ImportOptions(reading=ReadOptions(format="ndjson")), stdin=io.BytesIO(b'{"x":1}')
        )
    with pytest.raises(UsageError, match="one after the other"):
        await check("customers", ["-", "more.csv"], stdin=io.BytesIO(rows))


class Notes(Observer):
    """Keeps what a person would be told."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def note(self, text: str) -> None:
        self.texts.append(text)


async def test_an_import_warns_of_the_same_things(world: World) -> None:
    """What Gladly may change is sent as it is, and told in the end."""
    world.emulator.add_customer(id="ada", name="Ada Sample")
    body = {"activityType": "EMAIL", "customerId": "ada", "body": "<script>x</script>"}
    file = world.ndjson([body | {"crm": "a1"}, body | {"crm": "a2"}, body | {"crm": "a3", "body": "x"}], "rows.ndjson")
    notes = Notes()

    report = await start_import("activities", [file], world.credentials, world.options, observer=notes)
    checked = await check("activities", [file], world.options)

    assert report.counts["created"] == 3
    assert counts(checked) == {"read": 3, "good": 1, "changed": 2}
    assert [text for text in notes.texts if "html_tag" in text] == [
        "2 records that Gladly may not keep as sent: html_tag; `bulkgladly check activities` shows where"
    ]


# --- check and Gladly agree ------------------------------------------------------------------


def activity(number: int, **more: Any) -> dict[str, Any]:
    return {"id": f"a{number}", "customerId": "ada", "activityType": "EMAIL", "occurredAt": in_days(-3), **more}


def task(number: int, **more: Any) -> dict[str, Any]:
    return {
        "id": f"t{number}",
        "customerId": "ada",
        "assignee": {"inboxId": "i1"},
        "body": "x",
        "dueAt": in_days(3),
    } | more


def customer(number: int, **more: Any) -> dict[str, Any]:
    return {"id": f"c{number}", "emails": [{"original": f"c{number}@example.org"}], **more}


def mobile(number: str) -> list[dict[str, Any]]:
    return [{"original": number, "type": "MOBILE"}]


PLANTED: dict[str, list[tuple[dict[str, Any], str | None]]] = {
    "customers": [
        (customer(1, phones=mobile("+16505550101")), None),
        (customer(2, id="a" * 49), None),
        (customer(3, id="a" * 51), "id"),
        (customer(4, id="c 4"), "id"),
        (customer(5, emails=[{"original": "nobody"}]), "invalid_email"),
        (customer(6, emails=[{"original": "C1@example.org"}]), "duplicate_address"),
        (customer(7, phones=mobile("+16505550101")), "duplicate_address"),
        (customer(8, phones=[{"original": "+16505550101", "type": "HOME"}]), None),
        (customer(9, phones=[{"original": "+16505550109", "type": "PAGER"}]), "invalid_choice"),
        (customer(10, phones=[{"original": "+1650555"}]), "invalid_phone"),
        (customer(11, phones=[{"original": "+16505550111", "smsPreference": "NEVER"}]), "invalid_choice"),
        (customer(12, emails=[{"original": f"x{n}@example.org", "primary": True} for n in (1, 2)]), "two_primary"),
        (customer(13, name=7), "type"),
        (customer(1, name="Another"), "duplicate_key"),
        (customer(14, customAttributes=["gold"]), "not_an_object"),
    ],
    "activities": [
        (activity(1), None),
        (activity(2, title="x" * 100, body="é" * 25_000, sourceName="x" * 50), None),
        (activity(3, title="x" * 101), "too_long"),
        (activity(4, body="é" * 25_001), "too_long"),
        (activity(5, sourceName="x" * 51), "too_long"),
        (activity(6, link={"url": "https://example.org", "text": "x" * 50}), None),
        (activity(7, link={"url": "https://example.org", "text": "x" * 51}), "too_long"),
        (activity(8, activityType="FAX"), "invalid_choice"),
        (activity(9) | {"activityType": None}, "blank"),
        (activity(10, occurredAt=in_days(-364.9)), None),
        (activity(11, occurredAt=in_days(-365.1)), "too_old"),
        (activity(12, occurredAt="yesterday"), "invalid_time"),
        (activity(13, id="a" * 50), None),
        (activity(14, id="a" * 51), "id"),
        (activity(15, customerId="nobody"), "unknown_parent"),
        (activity(16, expandByDefault="perhaps"), "not_a_flag"),
        (activity(1, title="Another"), "duplicate_key"),
    ],
    "tasks": [
        (task(1), None),
        (task(2, body="x" * 10_000), None),
        (task(3, body="x" * 10_001), "too_long"),
        (task(4, dueAt=in_days(-0.1)), "due_in_past"),
        (task(5) | {"dueAt": None}, "blank"),
        (task(7, assignee={"agentId": "g1"}), "blank"),
        (task(8) | {"body": None}, "blank"),
        (task(9, id="t/9"), "id"),
        (task(10, customerId="nobody"), "unknown_parent"),
    ],
}
"""Rows in the form of the API, each with what `check` has to say; the emulator is asked without any help of ours."""


async def first_inbox(client: aiohttp.ClientSession) -> str:
    """The id of an inbox that there is."""
    async with client.get("/api/v1/inboxes") as response:
        return str((await response.json())[0]["id"])


async def sent(client: aiohttp.ClientSession, resource: str, row: dict[str, Any], inbox: str) -> int:
    """Send a row as it is, for an inbox that there is, and return the status."""
    body = {name: value for name, value in row.items() if value is not None and name != "customerId"}
    path = "customer-profiles"
    if resource == "activities":
        path = f"customers/{row['customerId']}/conversation-items"
        content = {name: value for name, value in body.items() if name != "id"}
        body = {"id": row["id"], "content": {"type": "CUSTOMER_ACTIVITY", **content}}
    elif resource == "tasks":
        path = f"customers/{row['customerId']}/tasks"
        if "inboxId" in body["assignee"]:
            body["assignee"] = {"inboxId": inbox}
    async with client.post(f"/api/v1/{path}", json=body) as response:
        return response.status


@pytest.mark.parametrize("resource", list(PLANTED))
async def test_check_and_gladly_agree_on_every_row(tmp_path: Path, resource: str) -> None:
    """What is refused here is refused there, sent past our rules; what passes here is taken there."""
    cases = PLANTED[resource]
    file = written(tmp_path / "rows.ndjson", [row for row, _ in cases])
    parents = written(tmp_path / "parents.ndjson", [{"id": "ada"}])

    report = await check(
        resource,
        [file],
        ImportOptions(mode=Mode.CREATE),
        parents=[str(parents)] if resource != "customers" else [],
    )

    said: dict[int, str] = {}
    for one in report.findings:
        assert one.rows <= 3, "the examples have to be all rows for this test"
        said |= {example.position.number: one.code for example in one.examples if example.position.number not in said}
    assert [said.get(number) for number in range(1, len(cases) + 1)] == [code for _, code in cases]
    async with Emulator(rate=None) as emulator:
        if resource != "customers":
            emulator.add_customer(id="ada", name="Ada Sample")
        login = basic_auth(emulator.options.username, emulator.options.token)
        async with aiohttp.ClientSession(emulator.url, headers={"Authorization": login}) as client:
            inbox = await first_inbox(client)
            for row, code in cases:
                status = await sent(client, resource, row, inbox)
                assert (status < 300) == (code is None), (row["id"], code, status)


def empty_files(folder: Path) -> dict[str, int]:
    """Files without rows, by the exit code of whatever looks at them."""
    schema = pa.schema([("crm", pa.string()), ("name", pa.string())])
    content = {"a.ndjson": b"", "b.ndjson": b"\xef\xbb\xbf", "c.ndjson": b"\n \n", "d.csv": b"\xef\xbb\xbfcrm,name\n"}
    content |= {"e.csv": b"crm,name", "f.ndjson.gz": gzip.compress(b"")}
    refused = {
        "g.csv": b"",
        "h.csv": b"\xef\xbb\xbf",
        "i.csv": b"\n\n",
        "j.parquet": b"",
        "k.arrow": b"",
        "l.csv.gz": b"",
    }
    for name, data in (content | refused).items():
        (folder / name).write_bytes(data)
    pq.ParquetWriter(str(folder / "m.parquet"), schema).close()
    pq.write_table(schema.empty_table(), folder / "n.parquet")
    for name, make in (("o.arrow", pa.ipc.new_file), ("p.arrow", pa.ipc.new_stream)):
        make(str(folder / name), schema).close()
    pq.write_table(pa.table({}), folder / "q.parquet")
    pa.ipc.new_file(str(folder / "r.arrow"), pa.schema([])).close()
    good = dict.fromkeys([*content, "m.parquet", "n.parquet", "o.arrow", "p.arrow"], 0)
    return {**good, **dict.fromkeys([*refused, "q.parquet", "r.arrow"], 2)}


async def test_an_input_without_rows_is_told_and_no_internal_error(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing to do is no mistake; a file that cannot say what its columns are is one, and is named."""
    looks: list[Callable[[str], Awaitable[CheckReport | DryRun | Report]]] = [
        lambda path: check("customers", [path], world.options),
        lambda path: dry_run("customers", [path], world.options, host=""),
        lambda path: start_import("customers", [path], world.credentials, world.options),
    ]
    for name, code in empty_files(tmp_path).items():
        for look in looks:
            with pytest.raises(UsageError, match=name) if code else contextlib.nullcontext():
                found = await look(str(tmp_path / name))
                assert (found.exit_code, found.as_dict().get("findings", [])) == (0, []), name


@pytest.mark.parametrize(
    "command", [("check", "customers", "a.ndjson"), ("import", "customers", "a.ndjson", "--dry-run")]
)
def test_an_input_without_rows_is_told_in_words(
    program: HeardProgram, command: tuple[str, ...], tmp_path: Path
) -> None:
    """A night without news has its sentence, too."""
    (tmp_path / "a.ndjson").write_bytes(b"")

    answer = program(*command)

    assert answer.code == 0
    assert "the input has no rows" in answer.err
