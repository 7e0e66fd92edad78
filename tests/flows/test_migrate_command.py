"""`migrate`: the steps of a project as a person runs them, interrupts them, changes their files, runs them again."""

import json
import os
import shlex
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from bulkgladly.emulator import Emulator
from bulkgladly.errors import JournalDamaged
from bulkgladly.projects.project_record import ProjectRecord
from bulkgladly.projects.project_status import project_status
from tests.flows.programs import HeardProgram, Told, heard, program_in
from tests.flows.serving import served

PROJECT = """\
version = 1
name = "Shop to Gladly"

[defaults]
phone_region = "US"

[[steps]]
import = "customers"
files = "people.ndjson"
key = "crm"

[[steps]]
name = "notes on timelines"
import = "activities"
files = "orders*.ndjson"
map = "orders.toml"
after = ["customers"]

[[steps]]
import = "tasks"
files = "tasks.ndjson"
key = "ticket"

[[steps]]
name = "old tasks"
import = "tasks"
files = "old-tasks*.ndjson"
key = "ticket"
optional = true
"""
ORDERS = """\
version = 1
to = "activities"
key = "no"
[fields]
customerKey = "who"
title = "title"
body = { join = ["title", { path = "lines[0].sku" }], with = ": " }
activityType = { constant = "ISSUE" }
"""


@dataclass
class Desk:
    """A folder with a project, and an organisation of its own."""

    emulator: Emulator
    folder: Path
    program: HeardProgram

    def write(self, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        (self.folder / name).write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))

    def run(self, *flags: str) -> dict[str, Any]:
        """Run the project; its report, with the exit code of the program."""
        told = self.program("migrate", "run", "--json", *flags)
        found: dict[str, Any] = json.loads(told.out)
        assert found["exit_code"] == told.code, told
        return {**found, "err": told.err}

    def held(self) -> dict[str, int]:
        return {kind: self.emulator.store.count(kind) for kind in ("customers", "items", "tasks")}


def person(number: int, **more: Any) -> dict[str, Any]:
    return {"crm": f"c{number}", "name": f"Sample {number}", "email:1": f"p{number}@example.org", **more}


def states(report: Mapping[str, Any]) -> list[str]:
    return [step["state"] for step in report["steps"]]


def created(report: Mapping[str, Any]) -> list[int]:
    return [(step["counts"] or {}).get("created", 0) for step in report["steps"]]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Desk]:
    """Four customers, one of them with an address that is refused, and what refers to them."""
    with served(Emulator(rate=None)) as emulator:
        desk = Desk(emulator, tmp_path, heard(program_in(tmp_path, monkeypatch, emulator), capsys))
        (tmp_path / "migrate.toml").write_text(PROJECT)
        (tmp_path / "orders.toml").write_text(ORDERS)
        desk.write("people.ndjson", [*map(person, range(3)), person(3, **{"email:1": "nobody"})])
        orders = [{"no": n, "who": f"c{n}", "title": f"Order {n}", "lines": [{"sku": "A1", "n": 3}]} for n in range(4)]
        desk.write("orders-1.ndjson", orders)
        task = {"customerKey": "c1", "body": "Call", "dueAt": "2035-01-01T00:00:00Z", "inbox": "General"}
        desk.write("tasks.ndjson", [{"ticket": "t1", **task}])
        yield desk


def test_the_steps_run_in_order_and_only_once(desk: Desk) -> None:
    """A reject does not keep later steps from running; what refers to it is rejected with the reason."""
    report = desk.run()

    assert (report["exit_code"], report["status"]) == (1, "complete")
    assert states(report) == ["done", "done", "done", "no files"]
    assert created(report) == [3, 3, 1, 0]
    assert report["steps"][1]["rejects_by_code"] == {"unknown_key": 1}
    assert desk.held() == {"customers": 3, "items": 3, "tasks": 1}
    sent = desk.emulator.requests.total
    again = desk.run()
    assert (again["exit_code"], created(again), again["requests_total"]) == (1, [3, 3, 1, 0], report["requests_total"])
    assert "all steps are done" in again["err"]
    assert desk.emulator.requests.total == sent


def test_each_step_is_a_run_like_any_other(desk: Desk) -> None:
    """`runs list` has it, and `retry` knows the rejects of a step."""
    report = desk.run()

    listed = [row["run"] for row in json.loads(desk.program("runs", "list", "--json").out)]
    assert sorted(listed) == sorted(step["run"] for step in report["steps"] if step["run"])
    orders = report["steps"][1]
    desk.write("late.ndjson", [person(3)])
    assert desk.program("import", "customers", "late.ndjson", "--key", "crm", "--namespace", "default").code == 0
    assert desk.program("retry", orders["run"]).code == 0
    assert desk.held()["items"] == 4


def test_a_changed_file_of_a_finished_step_is_told(desk: Desk) -> None:
    """And imported when the step is started again, without sending again what Gladly has."""
    desk.run()
    desk.write("orders-2.ndjson", [{"no": 9, "who": "c0", "title": "Late", "lines": []}])
    (desk.folder / "orders.toml").write_text(ORDERS + 'sourceName = { constant = "Shop" }\n')

    told = desk.run()
    again = desk.run("--again", "notes on timelines")

    (note,) = told["notes"]
    assert note.startswith("step notes on timelines is done, but since it began: ")
    assert "orders-2.ndjson is new; the mapping orders.toml has changed. " in note
    assert note.endswith("To run it again: bulkgladly migrate run --again 'notes on timelines'")
    assert created(told) == [3, 3, 1, 0]
    assert (created(again), states(again)[1], desk.held()["items"]) == ([3, 1, 1, 0], "done", 4)


def test_it_can_stop_after_a_step_with_rejects(desk: Desk) -> None:
    """Run again, it goes on: a person has looked at them."""
    stopped = desk.run("--stop-on-rejects")
    status = json.loads(desk.program("migrate", "status", "--json").out)
    done = desk.run()

    assert (stopped["exit_code"], stopped["status"]) == (1, "stopped")
    assert "step customers has 1 reject" in stopped["reason"]
    assert states(stopped)[:2] == states(status)[:2] == ["done", "not begun"]
    assert stopped["next_commands"] == status["next_commands"] == ["bulkgladly migrate run"]
    assert states(done) == ["done", "done", "done", "no files"]


def test_limits_are_those_of_the_whole_call(desk: Desk) -> None:
    """Each call sends so many requests, wherever it is; the same command at last ends well."""
    calls = [desk.run("--max-requests", "3")]
    while calls[-1]["exit_code"] == 10:
        assert len(calls) < 20
        calls.append(desk.run("--max-requests", "3"))

    assert len(calls) > 2
    assert "the limit of 3 requests was reached" in calls[0]["reason"]
    spent = [call["requests_total"] for call in calls]
    assert all(later - earlier <= 3 for earlier, later in zip([0, *spent], spent, strict=False))
    assert desk.held() == {"customers": 3, "items": 3, "tasks": 1}
    assert states(calls[-1]) == ["done", "done", "done", "no files"]


def test_a_step_that_was_taken_back_is_begun_again(desk: Desk) -> None:
    """To go on with it would leave out what the undo has taken back."""
    desk.run("--max-requests", "3")
    assert desk.program("undo", "customers-upsert", "--yes").code == 0

    refused = desk.run()
    done = desk.run("--again", "customers")

    assert (refused["exit_code"], refused["next_commands"]) == (2, ["bulkgladly migrate run --again customers"])
    assert refused["reason"].endswith("which a resume would not send again; begin the step again: --again customers")
    assert states(done) == ["done", "done", "done", "no files"]
    assert desk.held() == {"customers": 3, "items": 3, "tasks": 1}


def test_a_fatal_end_stops_the_project(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its exit code; the steps after it are not begun."""
    monkeypatch.setenv("GLADLY_API_TOKEN", "another")
    report = desk.run()

    assert (report["exit_code"], states(report)) == (4, ["failed", "not begun", "not begun", "not begun"])
    assert report["reason"].startswith("step customers: ")


def test_a_mistake_in_the_last_step_shows_before_the_first_is_run(desk: Desk) -> None:
    """All of them at once, so that one look is enough."""
    (desk.folder / "orders.toml").write_text(ORDERS.replace("title =", "titel ="))
    (desk.folder / "tasks.ndjson").unlink()

    told = desk.program("migrate", "run")

    assert told.code == 2
    assert [line.partition(": ")[0] for line in told.err.splitlines()] == ["error", "error"]
    assert told.err.startswith("error: step notes on timelines: ")
    assert 'orders.toml: [fields] "titel"' in told.err
    assert "step tasks: tasks.ndjson: no such file" in told.err
    assert desk.held() == {"customers": 0, "items": 0, "tasks": 0}
    assert desk.program("migrate", "check").err == told.err


def test_a_fix_names_what_a_project_has(desk: Desk) -> None:
    """`migrate check` has no --phone-region: the option stands in the project file."""
    file = desk.folder / "migrate.toml"
    file.write_text(file.read_text().replace('phone_region = "US"', ""))
    people = desk.folder / "people.ndjson"
    people.write_text('{"crm": "L1", "name": "Lou", "phones": [{"original": "(650) 555-0171"}]}\n' + people.read_text())

    told = desk.program("migrate", "check")

    assert "--phone-region" not in told.out
    assert 'for example phone_region = "GB" in the project file, or write them as +<country><number>' in told.out


def test_check_knows_what_earlier_steps_will_create(desk: Desk) -> None:
    """Without credentials: the order of the rejected customer has nobody to belong to, the others do."""
    told = desk.program("migrate", "check", "--json")
    found = json.loads(told.out)

    checks = {step["step"]: step["check"] for step in found["steps"]}
    assert (told.code, found["exit_code"]) == (1, 1)
    assert checks["notes on timelines"]["counts"]["refused"] == 1
    (finding,) = checks["notes on timelines"]["findings"]
    assert (finding["code"], finding["examples"][0]["place"]) == ("unknown_key", "orders-1.ndjson:4")
    assert finding["fix"] == "correct the key, or import these objects in an earlier step"
    assert checks["tasks"]["findings"] == []
    assert checks["old tasks"] is None
    assert found["estimate"]["requests_low"] == 3 + 3 + 1 + 3
    assert not (desk.folder / ".bulkgladly").exists()


def test_check_tells_a_step_that_comes_too_late(desk: Desk) -> None:
    """What the rows refer to would not be there yet."""
    head, customers, *others = PROJECT.split("[[steps]]")
    tasks = others[1]
    (desk.folder / "migrate.toml").write_text(f"{head}[[steps]]{tasks}[[steps]]{customers}")

    told = desk.program("migrate", "check")
    found = json.loads(desk.program("migrate", "check", "--json").out)

    assert found["late_steps"] == [{"step": "tasks", "object": "customers", "later": "customers", "references": 1}]
    assert "fix: move step customers before step tasks" in told.out


def test_check_warns_of_keys_that_two_steps_share(desk: Desk) -> None:
    """The later one would overwrite what the earlier one created; a namespace of its own, or an update, is right."""
    more = '[[steps]]\nname = "again"\nimport = "tasks"\nfiles = "tasks.ndjson"\nkey = "ticket"\n'
    project = desk.folder / "migrate.toml"

    def collisions(text: str) -> list[Mapping[str, Any]]:
        project.write_text(PROJECT + text)
        found: list[Mapping[str, Any]] = json.loads(desk.program("migrate", "check", "--json").out)["collisions"]
        return found

    assert collisions(more) == [{"object": "tasks", "step": "again", "other": "tasks", "keys": 1, "is_same_file": True}]
    told = desk.program("migrate", "check")
    assert "steps tasks and again over the same file make 1 tasks with the same keys" in told.out
    assert collisions(more + 'namespace = "other"\nafter = ["customers"]\n') == []
    assert collisions(more + 'mode = "update"\n') == []


def test_the_coverage_page_says_what_becomes_of_each_column(desk: Desk) -> None:
    """Also of what lies within lists; the same as JSON."""
    assert desk.program("migrate", "check", "--coverage", "page.md").code == 1
    assert desk.program("migrate", "check", "--coverage", "page.json").code == 1

    page = (desk.folder / "page.md").read_text()
    assert "| who | 4 (100 %) | customerKey |" in page
    assert "| no | 4 (100 %) | the key |" not in page
    assert r"| lines\[\].sku | 4 (100 %) | body |" in page
    assert "**Not carried over**:\n\n| column | rows with a value |\n|---|---:|\n" + r"| lines\[\].n | 4" in page
    files = {one["file"]: one for one in json.loads((desk.folder / "page.json").read_bytes())["files"]}
    assert {one["path"]: one["is_carried"] for one in files["people.ndjson"]["columns"]} == {
        "crm": False,
        "name": True,
        "email:1": True,
    }
    (desk.folder / "moves.py").write_text(
        "def order(row):\n    return {**row, 'title': f\"{row['title']}: {row['lines'][0]['n']} pieces\"}\n"
    )
    (desk.folder / "migrate.toml").write_text(
        PROJECT.replace('map = "orders.toml"', 'map = "orders.toml"\ntransform = "moves:order"')
    )
    assert desk.program("migrate", "check", "--coverage", "page.md").code == 1
    assert r"| lines\[\].n | 4 (100 %) | used by moves:order |" in (desk.folder / "page.md").read_text()
    refused = desk.program("migrate", "check", "--coverage", "people.ndjson")
    assert (refused.code, "choose a name that ends with .md" in refused.err) == (2, True)


def test_the_files_of_a_pattern_are_one_part_of_the_coverage_page(desk: Desk) -> None:
    """An export has one for each page; each column is counted once, and no file is replaced by the page."""
    people = [{"crm": f"d{number}", "name": "Di", "email:1": f"d{number}@example.org"} for number in range(3)]
    folder = desk.folder / "export[1]"
    folder.mkdir()
    for number, rows in enumerate((people[:2], people[2:])):
        (folder / f"people-{number}.ndjson").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "migrate.toml").write_text(
        'version = 1\n[[steps]]\nimport = "customers"\nfiles = "people-*.ndjson"\nkey = "crm"\n'
    )
    project = str(folder / "migrate.toml")

    assert desk.program("migrate", "check", project, "--coverage", "page.md").code == 0
    assert desk.program("migrate", "check", project, "--coverage", "page.json").code == 0

    page = (desk.folder / "page.md").read_text()
    assert "2 of 3 columns are carried over" in page
    assert "3 rows in 2 files, read by customers." in page
    assert page.count("| name | 3 (100 %) | name |") == 1
    (part,) = json.loads((desk.folder / "page.json").read_bytes())["files"]
    assert [Path(path).name for path in part["paths"]] == ["people-0.ndjson", "people-1.ndjson"]


def test_a_fix_names_the_option_and_its_value(desk: Desk) -> None:
    """`migrate` has none of the options of a single import."""
    desk.write("people.ndjson", [person(1), person(2), {**person(2), "name": "Other"}])

    told = desk.program("migrate", "check", "--json")

    (people, *_) = json.loads(told.out)["steps"]
    fixes = {one["code"]: one["fix"] for one in people["check"]["findings"]}
    assert 'set on_duplicate = "last" in the project file' in fixes["duplicate_key"]


def test_variables_and_lookups_of_a_step(desk: Desk) -> None:
    """Those of the project go before those of the mapping; a changed lookup counts as a changed step."""
    desk.write("shops.ndjson", [{"shop": 7, "name": "Harbour", "city": "York"}])
    orders = [{"no": 1, "who": "c0", "title": "Order", "shop": 7, "lines": []}]
    desk.write("orders-1.ndjson", orders)
    (desk.folder / "orders.toml").write_text(
        ORDERS.replace(
            "[fields]",
            '[vars]\nkind = "ISSUE"\n[lookup.shops]\nfile = "shops.ndjson"\nkey = "shop"\n'
            'value = "name"\n[fields]\nsourceName = { from = "shop", lookup = "shops" }',
        ).replace('{ constant = "ISSUE" }', '{ var = "kind" }')
    )
    project = desk.folder / "migrate.toml"
    project.write_text(PROJECT.replace("[defaults]", '[vars]\nkind = "EMAIL"\n[defaults]'))

    assert desk.program("migrate", "check", "--coverage", "page.json").code == 1
    first = desk.run()
    desk.write("shops.ndjson", [{"shop": 7, "name": "Station", "city": "York"}])
    second = desk.run()

    (item,) = desk.emulator.store.collections["items"].values()
    assert (item["content"]["activityType"], item["content"]["sourceName"]) == ("EMAIL", "Harbour")
    files = {Path(one["file"]).name: one["columns"] for one in json.loads(Path("page.json").read_bytes())["files"]}
    assert [(one["path"], one["is_carried"], [use["use"] for use in one["uses"]]) for one in files["shops.ndjson"]] == [
        ("shop", False, ["key"]),
        ("name", True, ["lookup"]),
        ("city", False, []),
    ]
    assert states(first)[1] == "done"
    (note,) = second["notes"]
    assert "a file in which the mapping looks values up has changed" in note


def test_corrected_rejects_of_a_step_are_imported_as_the_step_would(desk: Desk) -> None:
    """With the variables of the project, and the customers of its namespace."""
    (desk.folder / "migrate.toml").write_text(
        'version = 1\n[vars]\nkind = "NOTE"\nsize = 5\n'
        '[[steps]]\nimport = "customers"\nfiles = "people.ndjson"\nkey = "crm"\nnamespace = "shop"\n'
        '[[steps]]\nimport = "activities"\nfiles = "orders.csv"\nmap = "orders.toml"\nafter = "customers"\n'
    )
    (desk.folder / "orders.toml").write_text(
        'version = 1\nto = "activities"\nkey = "no"\n[vars]\nkind = "Order"\nsize = "none"\n[fields]\n'
        'customerKey = "who"\ntitle = { template = "{no} {$kind} {$size}" }\nbody = "title"\n'
        'activityType = { constant = "ISSUE" }\noccurredAt = { from = "day", date = "iso" }\n'
    )
    (desk.folder / "orders.csv").write_text("no,who,title,day\n1,c1,One,yesterday\n")
    report = desk.run()
    assert report["steps"][1]["rejects_by_code"] == {"mapping": 1}
    (command,) = [one for one in report["steps"][1]["next_commands"] if one.startswith("bulkgladly import")]
    words = shlex.split(command)
    rejected = Path(words[3])
    rejected.write_text(rejected.read_text().replace("yesterday", "2026-11-01T00:00:00Z"))

    told = desk.program(*words[1:])

    assert told.code == 0, told
    assert [one for one in words if one.startswith(("kind", "size", "customers"))] == [
        "kind=NOTE",
        "size=5",
        report["steps"][0]["run"],
    ]
    assert "1 NOTE 5" in str(list(desk.emulator.store.items.values()))


def test_a_rehearsal_goes_through_all_steps_and_leaves_no_mark(desk: Desk) -> None:
    """What refers to earlier steps is rehearsed, too; nothing reaches the organisation, twice in a row."""
    for _ in range(2):
        report = desk.run("--rehearse")

        assert (report["exit_code"], created(report)) == (1, [3, 3, 1, 0])
        assert report["is_rehearsal"]
        assert report["notes"][-1].endswith("nothing was sent to Gladly")
    assert desk.held() == {"customers": 0, "items": 0, "tasks": 0}
    assert states(json.loads(desk.program("migrate", "status", "--json").out)) == ["not begun"] * 4


def test_names_of_the_real_organisation_do_not_stop_a_rehearsal(desk: Desk) -> None:
    """The emulator has none of them. That they were not looked up is said; a real run stops before it writes."""
    task = {"ticket": "t1", "customerKey": "c1", "body": "Call", "dueAt": "2035-01-01T00:00:00Z"}
    rows = [{**task, "inbox": "Bookings", "agent": "who@example.org"}, {**task, "ticket": "t2", "inbox": "General"}]
    desk.write("tasks.ndjson", rows)

    rehearsed, real = desk.run("--rehearse"), desk.run()

    assert (states(rehearsed)[2], created(rehearsed)[2]) == ("done", 2)
    told = "taken as known, but looked up by a real run: inbox 'Bookings', agent 'who@example.org'"
    assert told in rehearsed["notes"]
    assert (real["exit_code"], states(real)[2]) == (2, "failed")
    assert "inbox 'Bookings': unknown_name" in real["reason"]


def test_an_interrupted_step_with_another_mapping_is_refused(desk: Desk) -> None:
    """Its records would be two kinds of records; started again, it is right."""
    assert desk.run("--max-requests", "6")["steps"][1]["state"] == "stopped"
    (desk.folder / "orders.toml").write_text(ORDERS.replace('"ISSUE"', '"EMAIL"'))

    refused = desk.run()
    done = desk.run("--again", "notes on timelines")

    assert (refused["exit_code"], states(refused)[1:3]) == (2, ["stopped", "not begun"])
    assert "the mapping" in refused["reason"]
    assert "has changed since the run began" in refused["reason"]
    assert "begin the step again: --again notes on timelines" in refused["reason"]
    assert refused["next_commands"] == ["bulkgladly migrate run --again 'notes on timelines'"]
    assert states(done) == ["done", "done", "done", "no files"]
    assert desk.held() == {"customers": 3, "items": 3, "tasks": 1}


def test_an_interrupted_step_tells_what_it_does_not_follow(desk: Desk) -> None:
    """It continues with its own files and options, and says so."""
    assert states(desk.run("--max-requests", "3"))[0] == "stopped"
    desk.write("people-2.ndjson", [person(7)])
    project = PROJECT.replace('files = "people.ndjson"', 'files = "people-2.ndjson"\non_conflict = "update"')
    (desk.folder / "migrate.toml").write_text(project)

    (note,) = desk.run()["notes"]

    assert note.startswith("step customers continues as it began, but since then: people-2.ndjson is new; ")
    assert "people.ndjson is not an input any more; its options have changed. To run it again: " in note
    assert note.endswith("bulkgladly migrate run --again customers")
    assert desk.held()["customers"] == 3


def test_steps_stay_done_when_their_runs_are_purged(desk: Desk) -> None:
    """What is kept of them is enough, also to see that a file has changed."""
    desk.run()
    assert desk.program("runs", "purge", "--older-than", "1s").code == 0
    for run in (desk.folder / ".bulkgladly" / "runs").iterdir():
        for path in run.iterdir():
            path.unlink()
        run.rmdir()

    report = desk.run()

    assert states(report) == ["done", "done", "done", "no files"]
    assert created(report) == [3, 3, 1, 0]


def test_the_summary_is_a_table(desk: Desk) -> None:
    """One line for each step, and what to do about the rejects."""
    told: Told = desk.program("migrate", "run")

    lines = told.err.splitlines()
    at = lines.index("Shop to Gladly: complete")
    assert lines[at + 1].split() == ["step", "state", "records", "created", "rejected", "requests", "time"]
    assert [line.split()[0] for line in lines[at + 2 : at + 6]] == ["customers", "notes", "tasks", "old"]
    assert any(line.startswith("  customers: 1 x ") and "; next: bulkgladly " in line for line in lines)


def test_an_interrupt_between_two_steps_says_where_the_project_is(desk: Desk) -> None:
    """Within a step the run itself heeds the signal; while files are opened, nothing has to be saved."""
    desk.run("--max-requests", "5")
    (desk.folder / "stops.py").write_text("raise KeyboardInterrupt\n")
    step = '[[steps]]\nname = "last"\nimport = "tasks"\nfiles = "tasks.ndjson"\ntransform = "stops:order"\n'
    (desk.folder / "migrate.toml").write_text(PROJECT + step)

    told = desk.program("migrate", "run", "--json")

    found = json.loads(told.out)
    assert (told.code, found["exit_code"], found["steps"][0]["state"]) == (130, 130, "done")
    assert "next: bulkgladly migrate run" in told.err


def test_one_process_at_a_time_runs_a_project(desk: Desk) -> None:
    """The second is told which process to wait for; `status` says that it runs."""
    with ProjectRecord(Path(".bulkgladly"), Path("migrate.toml"), desk.emulator.url):
        told = desk.program("migrate", "run")
        status = json.loads(desk.program("migrate", "status", "--json").out)

    assert told.code == 2
    assert f"error: process {os.getpid()} is running this project; wait for it, or end it first" in told.err
    assert (status["status"], states(status)) == ("running", ["not begun"] * 4)
    assert desk.held() == {"customers": 0, "items": 0, "tasks": 0}


def test_a_damaged_record_is_told(desk: Desk) -> None:
    """With the way to start again."""
    desk.run("--max-requests", "3")
    (record,) = Path(".bulkgladly/projects").glob("*/project.json")
    record.write_text("{")

    told = desk.program("migrate", "run")

    assert told.code == 2
    assert f"error: {record} cannot be read: " in told.err
    assert "or remove it to start all steps again" in told.err
    # Without a host, nothing says in which organisation the project ran; it did not begin is not the answer.
    with pytest.raises(JournalDamaged, match="cannot be read"):
        project_status()


@pytest.mark.parametrize(
    "step",
    [{"run": 5}, {"run": "../../x"}, {"end": [1]}, {"end": {"counts": 5}}, {"end": {"exit_code": "a"}}, {"odd": 1}],
)
def test_a_record_that_holds_something_else_is_damaged(tmp_path: Path, step: Mapping[str, Any]) -> None:
    """It is told as that, before anything relies on it."""
    record = ProjectRecord(tmp_path, tmp_path / "migrate.toml", "")
    record.folder.mkdir(parents=True)
    record.path.write_bytes(orjson.dumps({"format": 1, "steps": {"customers": step}}))

    with pytest.raises(JournalDamaged, match="remove it to start all steps again"):
        record.read()


def test_a_project_that_was_moved_is_continued(desk: Desk) -> None:
    """Its interrupted run reads files that are gone, so the step is started again; nothing is sent twice."""
    stopped = desk.run("--max-requests", "3")
    assert stopped["steps"][0]["state"] == "stopped"
    new = desk.folder / "moved"
    new.mkdir()
    for path in [*desk.folder.glob("*.toml"), *desk.folder.glob("*.ndjson")]:
        path.rename(new / path.name)

    moved = desk.run(str(new / "migrate.toml"))
    assert (moved["exit_code"], moved["status"]) == (2, "failed")
    assert f"cannot be continued without {desk.folder / 'people.ndjson'}; move the files back" in moved["reason"]
    (command,) = moved["next_commands"]
    assert command == f"bulkgladly migrate run {new / 'migrate.toml'} --again customers"
    assert created(desk.run(*command.split()[3:]))[1:] == [3, 1, 0]
    assert desk.held() == {"customers": 3, "items": 3, "tasks": 1}


def test_a_finished_project_that_was_copied_has_no_other_mapping(desk: Desk) -> None:
    """The same mapping in another folder makes the same records."""
    desk.run()
    new = desk.folder / "copied"
    new.mkdir()
    for path in [*desk.folder.glob("*.toml"), *desk.folder.glob("*.ndjson")]:
        (new / path.name).write_bytes(path.read_bytes())

    told = desk.run(str(new / "migrate.toml"))

    assert "with another mapping" not in told["err"]
    assert desk.held() == {"customers": 3, "items": 3, "tasks": 1}


def test_a_run_that_was_resumed_by_hand_is_the_step_all_the_same(desk: Desk) -> None:
    """`resume` ends it, and the project goes on with the next step."""
    stopped = desk.run("--max-requests", "6")
    assert stopped["steps"][1]["state"] == "stopped"

    assert desk.program("resume").code == 1
    done = desk.run()

    assert [step["run"] for step in done["steps"][:2]] == [step["run"] for step in stopped["steps"][:2]]
    assert (states(done), desk.held()) == (
        ["done", "done", "done", "no files"],
        {"customers": 3, "items": 3, "tasks": 1},
    )


def test_the_status_of_a_killed_step_is_from_its_journal(desk: Desk) -> None:
    """Its report is that of the session before the one that was killed."""
    report = desk.run("--max-requests", "6")
    folder = desk.folder / ".bulkgladly" / "runs" / report["steps"][1]["run"]
    with closing(sqlite3.connect(folder / "journal.sqlite")) as journal, journal:
        journal.execute("UPDATE meta SET value = 'running' WHERE name = 'status'")
    old = json.loads((folder / "report.json").read_bytes())
    (folder / "report.json").write_bytes(orjson.dumps({**old, "counts": {**old["counts"], "created": 99}}))

    status = json.loads(desk.program("migrate", "status", "--json").out)

    assert (status["status"], states(status)[1]) == ("interrupted", "interrupted")
    assert status["steps"][1]["counts"]["created"] == old["counts"]["created"]


def test_a_place_is_named_once_for_several_records(desk: Desk) -> None:
    """Two comments of one ticket are at one line."""
    (desk.folder / "tickets.ndjson").write_text('{"no": 1, "who": "nobody", "said": [{"t": "a"}, {"t": "b"}]}\n')
    (desk.folder / "tickets.toml").write_text(
        'version = 1\nto = "activities"\nkey = "no"\n[each]\nof = "said"\nas = "one"\n[fields]\ncustomerKey = "who"\n'
        'title = { path = "one.t" }\nbody = { path = "one.t" }\nactivityType = { constant = "ISSUE" }\n'
    )

    words = ("check", "activities", "tickets.ndjson", "--map", "tickets.toml", "--rows", "0")
    told = desk.program(*words, "--parents", "people.ndjson", "--parents-key", "crm")

    assert told.out.count("tickets.ndjson:1") == 1, told.out
